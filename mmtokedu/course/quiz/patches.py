"""The numbers in the questions of the patches chapter: the right ones by the library, the wrong ones as they are made."""

import math

import numpy as np

from mmtokedu import patches


def _cut(height, width, patch):
    return patches.patchify(np.zeros((height, width, 3), np.uint8), patch)


def rows(side, patch):
    return len(_cut(side, side, patch))


def one_side(side, patch):
    return side // patch


def pixels_by_patch(side, patch):
    return side * side // patch


def numbers_in_a_row(patch):
    return _cut(patch, patch, patch).shape[1]


def one_colour(patch):
    return patch * patch


def one_line(patch):
    return 3 * patch


def pairs_grow(side, patch):
    return rows(2 * side, patch) ** 2 // rows(side, patch) ** 2


def patches_grow(side, patch):
    return rows(2 * side, patch) // rows(side, patch)


def qwen_tokens(size):
    return patches.image_tokens("qwen2.5-vl", *size)


def qwen_unmerged(size):
    return 4 * qwen_tokens(size)


def qwen_floor(size):
    return math.prod(side // 28 for side in size)


def area_by_block(size):
    return round(math.prod(size) / 28**2)


def llava_tokens(size):
    return patches.image_tokens("llava-1.5", *size)


def llava_at_224(size):
    return rows(224, 14)


def internvl_tokens(size):
    return patches.image_tokens("internvl2.5", *size)


def internvl_without_thumbnail(size):
    return math.prod(patches.tile_grid(*size)) * 256


def internvl_unmerged(size):
    return 4 * internvl_tokens(size)


def tiles_that_cover(size):
    return math.prod(math.ceil(side / 448) for side in size) * 256


def padded(lengths):
    """Positions of the padded batch that hold no token."""
    return all_positions(lengths) - packed(lengths)


def all_positions(lengths):
    return len(lengths) * max(lengths)


def packed(lengths):
    return int(patches.pack_lengths(lengths)[-1])


def longest_less_shortest(lengths):
    return max(lengths) - min(lengths)


def visual_tokens(side, patch):
    return rows(side, patch) // 4


def joined_once(side, patch):
    return rows(side, patch) // 2


def letter_left(page, x, new):
    return x * new / page


def letter_before(x):
    return x


def letter_by_area(page, x, new):
    return x * (new / page) ** 2


def on_the_screen(own, at):
    screen, resized = own
    return at * screen / resized


def in_the_model(at):
    return at


def the_other_way(own, at):
    screen, resized = own
    return at * resized / screen
