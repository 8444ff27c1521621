"""Clips in which a number is shown for a moment, drawn frame by frame: which frames you look at decides what you see.

A clip is 20 s at 30 frames a second, 720 x 1280 pixels: one to four shots of the sample photos, with hard cuts, the
camera locked off or panning; somewhere a number of three or four digits, on a plate or outlined on the photo, that
stands still or moves. The same seed gives the same pixels on every machine: all is drawn in whole numbers. No frame is
drawn before it is asked for, and of a frame only what is asked for.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from mmtokedu.arguments.common import check_number, whole
from mmtokedu.samples._digits import number_mask, outlined_number
from mmtokedu.samples._drawing import SHARP, paste
from mmtokedu.samples.photos import photo

FPS, FRAMES = 30, 600
SIZE = 720, 1280  # height, width
LONGEST = 2  # seconds that a number is shown at most
STYLES = "plate", "outlined"
PLATE, INK, WHITE = (245, 245, 235), (10, 10, 10), (255, 255, 255)
_TICKS = 1000  # of a frame: moments begin between frames
# Where in the clip a moment lies: at seed * _STEP % _PARTS of _PARTS. The step was searched for: forty seeds in a row
# are spread evenly over the clip, and over the steps of every sampling rate (tests/samples/test_moments.py).
_PARTS, _STEP = 1009, 546
_ENLARGED = {"astronaut": 4, "chelsea": 4, "coffee": 3}  # so that a frame fits in and the camera has room to pan
_WAYS = (0, 4), (0, -4), (4, 0), (-4, 0), (3, 3), (3, -3), (-3, 3), (-3, -3)  # (y, x) pixels a frame: 120 a second
_FINE = 1 << 16


class Shot(NamedTuple):
    """What the camera sees from frame `first` on: a photo, mirrored or not, and the corner that it starts from."""

    first: int
    photo: str
    mirrored: bool
    corner: tuple  # (y, x), in _FINE-ths of the room there is
    speed: int  # of a pan, pixels a second


class Decoy(NamedTuple):
    """A blank plate that comes and goes: frames first to last, its box, its colour."""

    first: int
    last: int
    box: tuple  # (y0, x0, y1, x1)
    colour: tuple


class Moment(NamedTuple):
    """A clip of FRAMES frames, and the number in it."""

    seed: int
    number: str
    height: int  # of a digit, in pixels
    style: str
    first: int  # the first frame that shows the number
    end: int  # the first that no longer does
    shots: tuple
    panning: bool
    moving: bool
    decoys: tuple
    noise: int
    path: tuple  # ((y, x) at frame `since`, (y, x) a frame, since): the corner of the number's box

    @property
    def cuts(self):
        """The frames before which the picture changes hard."""
        return tuple(shot.first for shot in self.shots[1:])

    def box(self, i):
        """Where the number stands in frame i, which shows it, with a margin of half its height: (y0, x0, y1, x1)."""
        (y, x), (down, right), since = self.path
        y, x = y + down * (i - since), x + right * (i - since)
        high, wide = _box_size(self.number, self.height)
        return y, x, y + high, x + wide

    def frame(self, i, box=None):
        """Frame i, or only the box (y0, x0, y1, x1) of it: (H, W, 3) uint8.

        Raises ValueError for a frame that is not there, or a box that does not lie in it.

        >>> drawn = moment(0)
        >>> drawn.frame(10).shape, drawn.frame(drawn.first, drawn.box(drawn.first)).shape
        ((720, 1280, 3), (36, 68, 3))
        """
        if not 0 <= i < FRAMES:
            raise ValueError(f"frame {i} of a clip that has {FRAMES}, 0 to {FRAMES - 1}")
        y0, x0, y1, x1 = window = (0, 0, *SIZE) if box is None else tuple(box)
        if not (0 <= y0 < y1 <= SIZE[0] and 0 <= x0 < x1 <= SIZE[1]):
            raise ValueError(f"box {window} does not lie in a frame of {SIZE[0]}x{SIZE[1]}")
        shot = max((shot for shot in self.shots if shot.first <= i), key=lambda shot: shot.first)
        ground = _ground(shot.photo, shot.mirrored)
        y, x = _corner(shot, i - shot.first if self.panning else 0, ground.shape)
        seen = ground[y + y0 : y + y1, x + x0 : x + x1].copy()
        for decoy in self.decoys:
            if decoy.first <= i < decoy.last:
                _fill(seen, window, decoy.box, decoy.colour)
        if self.first <= i < self.end:
            self._write(seen, window, self.box(i))
        return _noisy(seen, window, self.noise, [self.seed, i]) if self.noise else seen

    def _write(self, seen, window, box):
        digits, around = number_mask(self.number, self.height), outlined_number(self.number, self.height)
        if self.style == "plate":
            _fill(seen, window, box, PLATE)
        for mask, colour in {"plate": [(digits, INK)], "outlined": [(around, INK), (digits, WHITE)]}[self.style]:
            y, x = ((box[k] + box[k + 2] - mask.shape[k]) // 2 - window[k] for k in (0, 1))
            inside = tuple(slice(max(0, at), max(0, at + side)) for at, side in zip((y, x), mask.shape))
            part = seen[inside].astype(np.int32)
            paste(part, mask, min(y, 0), min(x, 0), colour)
            seen[inside] = part


def moment(seed, *, height=18, seconds=0.5, style="plate", decoys=0, shots=None, noise=0):
    """A clip with a number of three or four digits that is shown for `seconds`, at most 2: a Moment.

    seed is a whole number: with an odd one the camera pans, with its second bit set the number moves. height is that of
    a digit in pixels, 8 to 100; style "plate" or "outlined"; so many decoys, blank plates, come and go; shots says how
    many there are, 1 to 12, where that is not left to the seed; noise is the most that a value is off, in each frame
    anew. Clips of one seed differ only in what is given: of two moments the longer one begins earlier and ends later.

    Raises ValueError or TypeError for other values.

    >>> drawn = moment(5, seconds=0.25)
    >>> drawn.number, drawn.first, drawn.end, drawn.cuts
    ('7209', 419, 427, (60, 268))
    """
    seed, height, decoys, noise = (_between(*asked) for asked in (
        (seed, "seed", 0, 2**31), (height, "height", 8, 100), (decoys, "decoys", 0, 100), (noise, "noise", 0, 20)
    ))  # fmt: skip
    if style not in STYLES:
        raise ValueError(f"style is {style!r}; known are {', '.join(map(repr, STYLES))}")
    ticks = round(check_number(seconds, "seconds", "a length of time") * FPS * _TICKS)
    if not 1 <= ticks <= LONGEST * FPS * _TICKS:
        raise ValueError(f"seconds is {seconds}; a number is shown for at most {LONGEST}")
    rng = np.random.default_rng([seed, 3])
    number = "".join(map(str, rng.integers(10, size=rng.integers(3, 5))))
    panning, moving = bool(seed % 2), bool(seed // 2 % 2)
    taken = _shots(rng, None if shots is None else _between(shots, "shots", 1, 12))
    where, way = rng.integers(_FINE, size=2).tolist(), _WAYS[rng.integers(len(_WAYS))]
    begins = _begins(seed, ticks)
    since = -(-_begins(seed, LONGEST * FPS * _TICKS) // _TICKS)
    path = _path(where, way if moving else (0, 0), _box_size(number, height)), way if moving else (0, 0), since
    blank = tuple(_decoy(rng, _box_size(number, height)) for _ in range(decoys))
    first, end = -(-begins // _TICKS), -(-(begins + ticks) // _TICKS)
    return Moment(seed, number, height, style, first, end, taken, panning, moving, blank, noise, path)


def _between(value, name, least, most):
    value = whole(value, name)
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}; expected {least} to {most}")
    return value


def _begins(seed, ticks):
    """When a moment of so many ticks begins: moments of one seed lie within one another, anywhere in the clip."""
    return (FRAMES * _TICKS - ticks) * (seed * _STEP % _PARTS) // (_PARTS - 1)


def _shots(rng, count):
    count = int(rng.integers(1, 5)) if count is None else count
    room = 30 if count > 4 else 60  # frames that a shot has at least
    firsts = [0, *sorted(rng.choice(np.arange(1, FRAMES // room), count - 1, replace=False).tolist())]
    firsts = [room * first + (int(rng.integers(room // 2)) if first else 0) for first in firsts]
    names = rng.integers(len(SHARP), size=count).tolist()
    return tuple(
        Shot(first, SHARP[name], bool(rng.integers(2)), tuple(rng.integers(_FINE, size=2).tolist()), int(speed))
        for first, name, speed in zip(firsts, names, rng.integers(20, 61, size=count))
    )


def _path(where, way, size):
    """The corner (y, x) from which a box of this size stays in the frame while it moves for LONGEST seconds."""
    corner = []
    for at, step, side, whole_side in zip(where, way, size, SIZE):
        far = step * LONGEST * FPS
        low, high = max(0, -far), whole_side - side - max(0, far)
        corner.append(low + at * (high - low) // (_FINE - 1))
    return tuple(corner)


def _box_size(number, height):
    margin = height // 2
    return height + 2 * margin, number_mask(number, height).shape[1] + 2 * margin


def _decoy(rng, size):
    first, lasts = int(rng.integers(FRAMES)), int(rng.integers(15, 61))
    high, wide = (side * int(part) // 100 for side, part in zip(size, rng.integers(60, 161, size=2)))
    at = rng.integers(_FINE, size=2).tolist()
    y, x = (part * (most - side) // _FINE for part, most, side in zip(at, SIZE, (high, wide)))
    return Decoy(first, first + lasts, (y, x, y + high, x + wide), tuple(rng.integers(256, size=3).tolist()))


@cache
def _ground(name, mirrored):
    """A photo enlarged, between its pixels in straight lines: (H, W, 3) uint8."""
    pixels, by = photo(name), _ENLARGED[name]
    for axis in (0, 1):
        side = pixels.shape[axis]
        twice = 2 * np.arange(by * side) + 1 - by  # the place in the photo, in 2 * by-ths of a pixel
        low, part = twice // (2 * by), twice % (2 * by)
        below, above = (np.take(pixels, np.clip(at, 0, side - 1), axis).astype(np.uint16) for at in (low, low + 1))
        part = part.astype(np.uint16).reshape((-1, 1, 1) if axis == 0 else (-1, 1))
        pixels = ((below * (2 * by - part) + above * part + by) // (2 * by)).astype(np.uint8)
    return pixels[:, ::-1] if mirrored else pixels


def _corner(shot, since, shape):
    """The upper left corner of what the camera sees, (y, x), `since` frames after the shot's first: to and fro."""
    (y, x), room = shot.corner, [have - need for have, need in zip(shape, SIZE)]
    x = (x * room[1] // _FINE + shot.speed * since // FPS) % (2 * room[1])
    return y * room[0] // _FINE, min(x, 2 * room[1] - x)


def _fill(seen, window, box, colour):
    """One colour in the part of a box that lies in the window."""
    y, x = (slice(max(0, box[k] - window[k]), max(0, box[k + 2] - window[k])) for k in (0, 1))
    seen[y, x] = colour


@cache
def _grain(most):
    """Differences from -most to most, larger than a frame."""
    sides = SIZE[0] + 256, SIZE[1] + 256, 3
    return np.random.default_rng([most, 4]).integers(-most, most + 1, sides).astype(np.int16)


def _noisy(seen, window, most, seed):
    """Another piece of the grain for each frame."""
    y, x = np.random.default_rng([*seed, 5]).integers(256, size=2).tolist()
    y0, x0, y1, x1 = window
    return np.clip(seen + _grain(most)[y + y0 : y + y1, x + x0 : x + x1], 0, 255).astype(np.uint8)


__all__ = ["FPS", "FRAMES", "LONGEST", "SIZE", "Moment", "moment"]
