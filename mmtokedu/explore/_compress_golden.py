"""Golden vectors of the explorable of fewer tokens: index maps, merging of small inputs, counts, the page's states."""

import itertools

import numpy as np

from mmtokedu.compress import match_tokens, pool_weights, shuffle_map
from mmtokedu.explore import _compress

BY_HAND = (  # tokens whose likeness can be told by hand: ties, zeros, opposites
    [[1, 0], [1, 0], [1, 0], [1, 0]],
    [[1, 0], [0, 1], [0, 1], [1, 0]],
    [[4, 0], [0, 1], [1, 1], [2, 0]],
    [[0, 0], [1, 2], [0, 0], [2, 1], [-1, -2]],
    [[3, 4], [6, 8], [-3, -4], [4, 3], [0, 5], [5, 0]],
    [[2, 1, 0], [0, 0, 0]],
    [[7, 7]],
)


def _blocks():
    """(grid, window, which places are one): squares by `shuffle_map`, others by `pool_weights`."""
    for grid, factor in (((8, 8), 2), ((8, 8), 4), ((8, 8), 8), ((2, 4), 2), ((6, 9), 3), ((5, 7), 1), ((12, 4), 4)):
        yield grid, (factor, factor), shuffle_map(grid, factor).tolist()
    for grid, window in (((8, 8), (1, 2)), ((8, 8), (2, 4)), ((4, 6), (4, 2)), ((3, 10), (3, 5)), ((6, 1), (2, 1))):
        down, across = (pool_weights(side, step) for side, step in zip(grid, window))
        yield grid, window, [np.flatnonzero(np.outer(row, column)).tolist() for row in down for column in across]


def _drawn(rng):
    """Whole numbers, few enough that some tokens are equal or at right angles."""
    N, d = int(rng.integers(2, 14)), int(rng.integers(1, 5))
    return rng.integers(-3, 4, (N, d)).tolist()


def _matched():
    rng = np.random.default_rng(30)
    for rows in (*BY_HAND, *(_drawn(rng) for _ in range(60))):
        likeness, partner = match_tokens(np.array(rows, np.float64))
        yield rows, [x if np.isfinite(x) else None for x in likeness.tolist()], np.maximum(partner, 0).tolist()


def _merged():
    rng = np.random.default_rng(31)
    for rows in (*BY_HAND, *(_drawn(rng) for _ in range(60))):
        for target in range(1, len(rows) + 1):
            yield rows, target, _compress.merged(np.array(rows), target).tolist()


def _rounds():
    for tokens, target, share in itertools.product((1, 2, 9, 64, 576), (1, 4, 32), (2, 4, 8, 64)):
        yield tokens, target, share, _compress.rounds(tokens, target, share)


def _costs():
    for counts in ([64] * 4, [1] * 4, [64, 16, 16, 16, 16], [0], [576, 288, 144, 72]):
        for words, width, bytes_per in ((2, 64, 2), (0, 8, 4), (40, 128, 1)):
            told = {"words": words, "width": width}
            cache = _compress.cache_bytes(counts, bytes_per=bytes_per, **told)
            yield counts, {**told, "bytes": bytes_per}, _compress.flops(counts, **told), cache


def _states():
    for picture, method, question in itertools.product(_compress.PICTURES, _compress.METHODS, _compress.KINDS):
        for tokens in _compress.LADDER:
            some = _compress.groups(picture, method, tokens, question)
            yield (
                picture,
                method,
                tokens,
                question,
                some,
                _compress.layers_run(method, tokens),
                _compress.layers_kept(method, tokens),
            )


def golden():
    """Which places are one, who resembles whom, who merges, what it costs, and every state of the page."""
    return {
        "blocks": list(_blocks()), "matched": list(_matched()), "merged": list(_merged()), "rounds": list(_rounds()),
        "costs": list(_costs()), "states": list(_states()),
    }  # fmt: skip
