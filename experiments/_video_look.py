"""Where to look: scores of change, the frames that they choose, the places that a second look is sent to.

A score sees grey thumbnails and costs time, not tokens; where it sees frames that no token pays for, the row says so.
"""

import numpy as np
from PIL import Image

from mmtokedu.samples.moments import SIZE

GRID = 18, 32  # cells of 40 x 40 pixels of the frame
TOLERANCE = 3, 1  # pixels of a thumbnail, right and down, by which a picture may have moved without counting as changed


def thumbnails(frames, size):
    """Grey pictures of `size`, each pixel a mean, float32 (n, h, w), of frames (n, H, W) uint8."""
    small = [np.asarray(Image.fromarray(frame).resize(size[::-1], Image.BOX)) for frame in frames]
    return np.float32(small)


def differences(grey, tolerant):
    """How much each pixel differs from the frame before, the first frame's 0: (n, h, w) float32.

    tolerant: what lies between the darkest and the brightest of the earlier frame's neighbourhood does not count, so
    that a slow pan changes nothing.
    """
    now, before = grey[1:], grey[:-1]
    if tolerant:
        over, under = now - _extreme(before, np.maximum), _extreme(before, np.minimum) - now
        changed = np.maximum(np.maximum(over, under), 0)
    else:
        changed = np.abs(now - before)
    return np.concatenate([np.zeros_like(grey[:1]), changed])


def _extreme(grey, choose):
    """The largest or smallest of each pixel's neighbourhood, 2 TOLERANCE + 1 pixels a side."""
    for axis, reach in zip((2, 1), TOLERANCE):
        padded = np.pad(grey, [(reach, reach) if axis == k else (0, 0) for k in range(3)], mode="edge")
        shifted = [np.take(padded, range(at, at + grey.shape[axis]), axis) for at in range(2 * reach + 1)]
        grey = choose.reduce(shifted)
    return grey


def cells(changed):
    """The mean change of each cell of at most GRID, 4 pixels a side or more: (n, rows, cols)."""
    rows, cols = (min(most, side // 4) for most, side in zip(GRID, changed.shape[1:]))
    return np.stack([np.asarray(Image.fromarray(one).resize((cols, rows), Image.BOX)) for one in changed])


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
