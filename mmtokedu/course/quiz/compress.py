"""The numbers in the questions of the chapter on fewer tokens: the right ones by the library, the wrong ones as they are made."""

import math

import numpy as np

from mmtokedu import compress

PICTURE = 64  # tokens of the small model's pictures
VISUAL, LAYERS, SEEN_BY = 576, 32, 2  # LLaVA-1.5's tokens, its layers, and how many of them see every token
MODES = 64, 100, 256, 400  # DeepSeek-OCR's vision tokens
MIB = 2**20


def _whole(x):
    """A number as an int where it is one."""
    return int(x) if x == int(x) else float(x)


# Which twenty tokens


def all_three_stay(keep):
    """In percent, where `keep` of the picture's tokens are drawn at random."""
    return 100 * math.comb(PICTURE - 3, keep - 3) / math.comb(PICTURE, keep)


def share_kept(keep):
    return 100 * keep / PICTURE


def three_times_the_share(keep):
    return 3 * share_kept(keep)


def at_least_one(keep):
    return 100 - 100 * math.comb(PICTURE - 3, keep) / math.comb(PICTURE, keep)


# Drop the dull ones


def new_number(place, before):
    """Of the token at (row, column) of 8 x 8, where `before` of the tokens before it are kept, and all kept are counted anew."""
    row, column = place
    at = 8 * row + column
    scores = np.zeros(PICTURE)
    scores[[*range(before), at]] = 1
    kept = compress.prune(np.zeros((PICTURE, 1)), scores, before + 1)
    return int(np.searchsorted(kept.index, at))


def row_looked_in(place, before):
    return new_number(place, before) // 8


def own_row(place):
    return place[0]


def column_looked_in(place, before):
    return new_number(place, before) % 8


# Let the question choose


def _by_layer(share):
    return compress.pyramid_schedule(VISUAL, LAYERS, at=[SEEN_BY], ratio=1 / share)


def mean_tokens(share):
    return _whole(_by_layer(share).mean())


def tokens_left(share):
    return int(_by_layer(share)[-1])


def halfway(share):
    """Where both counts weigh the same."""
    return (VISUAL + tokens_left(share)) // 2


def the_other_way_round(share):
    """Where two layers have the few, and the others all."""
    return VISUAL + tokens_left(share) - mean_tokens(share)


# Merge what is alike


def joined(values, sizes):
    """The value of two tokens after the second has joined the first."""
    tokens, sizes = np.array(values[::-1], float)[:, None], np.array(sizes[::-1])
    return _whole(compress.merge_tokens(tokens, 1, size=sizes).tokens.item())


def sizes_forgotten(values):
    return _whole(compress.merge_tokens(np.array(values[::-1], float)[:, None], 1).tokens.item())


def sizes_swapped(values, sizes):
    return joined(values, sizes[::-1])


def not_divided(values, sizes):
    return joined(values, sizes) * sum(sizes)


# Fold two by two into one


def second_inside(grid, block):
    return int(compress.shuffle_map(grid, 2)[block, 1])


def four_in_a_line(block):
    return 4 * block + 1


def the_one_below(grid, block):
    return int(compress.shuffle_map(grid, 2)[block, 2])


def blocks_down_the_columns(grid, block):
    rows, columns = grid
    places = compress.shuffle_map(grid, 2).reshape(rows // 2, columns // 2, 4)
    return int(places.swapaxes(0, 1).reshape(-1, 4)[block, 1])


# Four ways in, side by side


def _numbers_in(factor):
    """(tokens, numbers in each) that come to the first layer of a projector; 32 x 32 tokens of 1,024 numbers were there."""
    tokens = np.broadcast_to(np.float32(0), (32 * 32, 1024))
    return compress.pixel_shuffle(tokens, (32, 32), factor).shape


def multiplications(factor):
    """Of the first layer, as many times as without folding; each number meets each of the layer's outputs once."""
    return _whole(math.prod(_numbers_in(factor)) / math.prod(_numbers_in(1)))


def as_the_weights(factor):
    return _whole(_numbers_in(factor)[1] / _numbers_in(1)[1])


def as_the_tokens(factor):
    return _whole(_numbers_in(factor)[0] / _numbers_in(1)[0])


# Text as a picture


def smallest_mode(text):
    """The smallest of DeepSeek-OCR's modes with at most ten tokens of text to one of vision."""
    return min(mode for mode in MODES if text / mode <= 10)


def a_tenth(text):
    return text // 10


def one_mode_too_small(text):
    return max(mode for mode in MODES if mode < smallest_mode(text))


def the_largest():
    return MODES[-1]


# Merged without sizes


def _share(sizes):
    """Of the first token in the attention of a query that likes all keys alike, in percent."""
    weights = np.exp(np.zeros(len(sizes)) + compress.proportional_bias(np.array(sizes)))
    return 100 * weights[0] / weights.sum()


def share_without_sizes(others):
    return _share([1] * (1 + others))


def share_with_sizes(copies, others):
    return _share([copies] + [1] * others)


def share_before(copies, others):
    return _share([1] * (copies + others))


# Scores that are not there


def table_of_weights(heads, tokens):
    """In MiB, two bytes each."""
    return _whole(2 * heads * tokens**2 / MIB)


def one_row(heads, tokens):
    return _whole(2 * heads * tokens / MIB)


def one_head(tokens):
    return table_of_weights(1, tokens)
