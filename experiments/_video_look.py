"""Where to look: scores of change, the frames that they choose, the places that a second look is sent to.

A score sees grey thumbnails and costs time, not tokens; where it sees frames that no token pays for, the row says so.
"""

import functools

import numpy as np
from PIL import Image

from mmtokedu.samples.moments import SIZE

GRID = 18, 32  # cells of 40 x 40 pixels of the frame
TOLERANCE = 3, 1  # pixels of a thumbnail, right and down, by which a picture may have moved without counting as changed


def thumbnail(frame, size):
    """A grey picture of `size`, each pixel a mean, of a frame (H, W) uint8."""
    return np.asarray(Image.fromarray(frame).resize(size[::-1], Image.BOX))


def differences(grey, tolerant):
    """How much each pixel differs from the frame before, the first frame's 0: (n, h, w) uint8 of such.

    tolerant: what lies between the darkest and the brightest of the earlier frame's neighbourhood does not count, so
    that a slow pan changes nothing.

    >>> grey = np.array([[[10, 90, 10, 10]], [[90, 10, 10, 10]], [[90, 10, 10, 99]]], np.uint8)
    >>> differences(grey, False)[:, 0].tolist(), differences(grey, True)[:, 0].tolist()
    ([[0, 0, 0, 0], [80, 80, 0, 0], [0, 0, 0, 89]], [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 9]])
    """
    now, before = grey[1:], grey[:-1]
    low, high = (_extreme(before, np.minimum), _extreme(before, np.maximum)) if tolerant else (before, before)
    changed = np.maximum(np.maximum(now, high) - high, low - np.minimum(now, low))  # never below 0, so uint8 will do
    return np.concatenate([np.zeros_like(grey[:1]), changed])


def _extreme(grey, choose):
    """The smallest or largest of each pixel's neighbourhood, 2 TOLERANCE + 1 pixels a side."""
    for axis, reach in zip((2, 1), TOLERANCE):
        side = grey.shape[axis]
        padded = np.pad(grey, [(reach, reach) if axis == k else (0, 0) for k in range(3)], mode="edge")
        views = [padded[(slice(None),) * axis + (slice(at, at + side),)] for at in range(2 * reach + 1)]
        grey = functools.reduce(choose, views)
    return grey


def cells(changed):
    """The mean change of each cell of at most GRID, 4 pixels a side or more: (n, rows, cols)."""
    sums, area = changed, 1
    for axis, most in zip((1, 2), GRID):
        side = changed.shape[axis]
        starts = np.arange(min(most, side // 4)) * side // min(most, side // 4)
        sums = np.add.reduceat(sums, starts, axis=axis, dtype=np.int32)
        area = area * np.expand_dims(np.diff(starts, append=side), 2 - axis)
    return sums / area


def peaks(change):
    """How far each frame's strongest cell stands out, and which it is: (n,), (n, 2) its middle in the frame, (y, x).

    Out of the frame's other cells, because a cut changes them all, and out of what the cell itself usually changes.
    """
    own = change - np.median(change, axis=(1, 2), keepdims=True) - np.median(change, axis=0, keepdims=True)
    flat = own.reshape(len(own), -1)
    at = np.stack(np.unravel_index(flat.argmax(axis=1), change.shape[1:]), axis=1)
    return flat.max(axis=1), (at + 0.5) * SIZE / change.shape[1:]


def place(middle, size):
    """The box of `size` around a point (y, x) of a frame, moved inside it: (y0, x0, y1, x1).

    >>> place((10, 640), (140, 280))
    (0, 500, 140, 780)
    """
    corner = [min(max(0, round(at - side / 2)), whole - side) for at, side, whole in zip(middle, size, SIZE)]
    return *corner, corner[0] + size[0], corner[1] + size[1]
