"""Bold digits of any height, in whole numbers: bars, slanted bars and pieces of ellipses on a grid of 60 x 100.

A dot matrix (`_drawing.GLYPHS`) reads well where it is small; these also look like print where they are large.
"""

from functools import cache

import numpy as np

STROKE = 17  # how thick a ring is, in units of the grid


def _ring(cx, cy, rx, ry, *parts):
    """An ellipse's rim, of which only the boxes `parts` (x0, y0, x1, y1) are drawn; all of it where there are none."""
    return "ring", cx, cy, rx, ry, parts or ((0, 0, 60, 100),)


DIGITS = {  # (x, y), y downwards; 9 is 6 upside down
    "0": [_ring(30, 50, 30, 50)],
    "1": [("bar", 24, 0, 43, 100), ("slant", 24, 0, 4, 24, 20)],
    "2": [
        _ring(30, 31, 29, 31, (0, 0, 60, 29), (30, 0, 60, 48)),
        ("slant", 38, 44, 0, 84, 22),
        ("bar", 0, 84, 59, 100),
    ],
    "3": [
        _ring(29, 28, 27, 28, (0, 0, 60, 21), (29, 0, 60, 100)),
        _ring(29, 70, 31, 30, (0, 79, 60, 100), (29, 0, 60, 100)),
        ("bar", 17, 41, 32, 56),
    ],
    "4": [("bar", 35, 0, 53, 100), ("bar", 0, 61, 60, 77), ("slant", 33, 0, 0, 62, 20)],
    "5": [
        ("bar", 7, 0, 54, 16),
        ("bar", 7, 0, 23, 50),
        _ring(29, 67, 31, 33, (0, 79, 60, 100), (29, 0, 60, 100), (10, 0, 30, 50)),
    ],
    "6": [_ring(30, 67, 30, 33), _ring(46, 64, 46, 64, (0, 0, 46, 64))],
    "7": [("bar", 0, 0, 60, 16), ("slant", 41, 8, 11, 100, 19)],
    "8": [_ring(30, 27, 26, 27), _ring(30, 71, 30, 29)],
}  # fmt: skip


@cache
def digit_mask(digit, height):
    """(height, 0.6 height) uint8: each pixel the share of 8 x 8 points inside the digit, up to 255.

    >>> digit_mask("1", 5).tolist()
    [[59, 251, 31], [43, 207, 31], [0, 191, 31], [0, 191, 31], [0, 191, 31]]
    """
    if digit == "9":
        return digit_mask("6", height)[::-1, ::-1]
    width, unit = (60 * height + 50) // 100, 16 * height  # points are (2k + 1) * 100 sixteenths of a pixel's height
    y, x = np.meshgrid(*((2 * np.arange(8 * side) + 1) * 100 for side in (height, width)), indexing="ij")
    inside = np.any([_inside(shape, x, y, unit) for shape in DIGITS[digit]], axis=0)
    return (inside.reshape(height, 8, width, 8).sum(axis=(1, 3)) * 255 // 64).astype(np.uint8)


def _inside(shape, x, y, unit):
    kind, *at = shape
    if kind == "bar":
        x0, y0, x1, y1 = (place * unit for place in at)
        return (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    if kind == "slant":  # its left edge goes from (x0, y0) to (x1, y1), `wide` is measured across
        x0, y0, x1, y1, wide = at
        right = (x - x0 * unit) * (y1 - y0) - (x1 - x0) * (y - y0 * unit)
        return (right >= 0) & (right < wide * unit * (y1 - y0)) & (y >= y0 * unit) & (y < y1 * unit)
    cx, cy, rx, ry, parts = at
    within = lambda a, b: ((x - cx * unit) * b) ** 2 + ((y - cy * unit) * a) ** 2 <= (a * b * unit) ** 2
    rim = within(rx, ry) & ~within(rx - STROKE, ry - STROKE + 2)  # what lies flat is a little thinner
    return rim & np.any([_inside(("bar", *part), x, y, unit) for part in parts], axis=0)


@cache
def number_mask(number, height):
    """The digits of a string side by side, a seventh of the height between them: (height, W) uint8.

    >>> number_mask("2048", 12).shape
    (12, 31)
    """
    gap = np.zeros((height, max(1, height // 7)), np.uint8)
    parts = [part for digit in number for part in (gap, digit_mask(digit, height))]
    return np.concatenate(parts[1:], axis=1)


@cache
def outlined_number(number, height):
    """The digits with a border of a twelfth of their height around them, (height + 2 border, W + 2 border), uint8."""
    border = max(1, height // 12)
    grown = np.pad(number_mask(number, height), border)
    for _ in range(border):  # up, down, left and right, one pixel a round
        wide = grown.copy()
        for here, there in ((slice(1, None), slice(-1)), (slice(-1), slice(1, None))):
            grown[here] = np.maximum(grown[here], wide[there])
            grown[:, here] = np.maximum(grown[:, here], wide[:, there])
    return grown
