"""How the world draws: shapes, letters and grounds in whole numbers, so that every machine draws the same pixels.

Nothing here is a float, a font file or another library's raster. Masks are uint8, 0 where nothing is drawn to 255.
"""

from functools import cache

import numpy as np

from mmtokedu.samples.photos import photo

SHAPES = "circle", "square", "triangle", "plus", "ring", "diamond"
COLOURS = {
    "red": (220, 40, 40), "orange": (250, 140, 20), "yellow": (245, 225, 60), "green": (40, 165, 60),
    "cyan": (70, 205, 215), "blue": (45, 75, 225), "purple": (140, 50, 185), "pink": (250, 150, 205),
}  # fmt: skip
SHARP = ("astronaut", "chelsea", "coffee")  # the photos that are PNG files: any decoder gives the same pixels
TRAINED = 2, 3  # of each photo's width, from the left, is for training; the rest is for tests
# Rows of 5 dots, a digit of base 32 each, as character displays have them.
GLYPHS = {
    "0": "ehjlphe", "1": "4c4444e", "2": "eh1248v", "3": "v2421he", "4": "26aiv22", "5": "vgu11he", "6": "68guhhe",
    "7": "v124888", "8": "ehhehhe", "9": "ehhf12c", "A": "ehhvhhh", "B": "uhhuhhu", "C": "ehggghe", "D": "sihhhis",
    "E": "vgguggv", "F": "vgguggg", "G": "ehgnhhf", "H": "hhhvhhh", "I": "e44444e", "J": "72222ic", "K": "hikokih",
    "L": "ggggggv", "M": "hrllhhh", "N": "hhpljhh", "O": "ehhhhhe", "P": "uhhuggg", "Q": "ehhhlid", "R": "uhhukih",
    "S": "fgge11u", "T": "v444444", "U": "hhhhhhe", "V": "hhhhha4", "W": "hhhllla", "X": "hha4ahh", "Y": "hhha444",
    "Z": "v1248gv",
}  # fmt: skip


@cache
def shape_mask(shape, side):
    """(side, side) uint8: a shape that fills its square, each pixel the share of 4 x 4 points inside it.

    >>> shape_mask("diamond", 4).tolist()
    [[0, 159, 159, 0], [159, 255, 255, 159], [159, 255, 255, 159], [0, 159, 159, 0]]
    """
    n = 4 * side
    x = 2 * np.arange(n) + 1 - n  # odd numbers from 1 - n to n - 1: twice the distance from the middle
    y, away = x[:, None], x[:, None] ** 2 + x**2
    inside = {
        "circle": away <= n * n,
        "square": 10 * np.maximum(abs(x), abs(y)) <= 9 * n,
        "triangle": 2 * abs(x) <= y + n,
        "plus": np.minimum(abs(x), abs(y)) * 3 <= n,
        "ring": (away <= n * n) & (4 * away >= n * n),
        "diamond": abs(x) + abs(y) <= n,
    }[shape]
    return (inside.reshape(side, 4, side, 4).sum(axis=(1, 3)) * 255 // 16).astype(np.uint8)


@cache
def glyph_mask(char, height):
    """(height, width) uint8: a capital or a digit, its 7 x 5 dots averaged over the pixels that they cover."""
    dots = np.array([[int(row, 32) >> bit & 1 for bit in (4, 3, 2, 1, 0)] for row in GLYPHS[char]])
    width = glyph_width(height)
    fine = dots.repeat(height, axis=0).repeat(width, axis=1)  # (7 * height, 5 * width)
    return (fine.reshape(height, 7, width, 5).sum(axis=(1, 3)) * 255 // 35).astype(np.uint8)


def glyph_width(height):
    """5/7 of the height, rounded."""
    return (10 * height + 7) // 14


@cache
def text_mask(text, height):
    """The text's mask (height, W) uint8, and where each character stands in it: ((x0, x1), ...)."""
    gap, step = max(1, height // 7), glyph_width(height) + max(1, height // 7)
    mask = np.zeros((height, step * len(text) - gap), np.uint8)
    places = tuple((i * step, i * step + step - gap) for i in range(len(text)))
    for char, (x0, x1) in zip(text, places):
        mask[:, x0:x1] = glyph_mask(char, height)
    return mask, places


@cache
def outlined(text, height):
    """The text's mask with a border of one pixel more on each side, grown by one pixel up, down, left and right."""
    wide = np.pad(text_mask(text, height)[0], 1)
    grown = wide.copy()
    for here, there in ((slice(1, None), slice(-1)), (slice(-1), slice(1, None))):
        grown[here] = np.maximum(grown[here], wide[there])
        grown[:, here] = np.maximum(grown[:, here], wide[:, there])
    return grown


def paste(image, mask, y, x, colour):
    """Lay a colour through a mask (h, w) over an image (H, W, 3) of whole numbers, in place; parts outside are cut."""
    top, left = max(0, -y), max(0, -x)
    mask = mask[top : image.shape[0] - y, left : image.shape[1] - x, None].astype(np.int32)
    under = image[y + top : y + top + mask.shape[0], x + left : x + left + mask.shape[1]]
    under += mask * (np.asarray(colour, np.int32) - under) // 255


@cache
def _photos(split):
    """The photos' training or test parts, each whole and at half size: tuple of (H, W, 3) int32."""
    parts = []
    for name in SHARP:
        pixels = photo(name).astype(np.int32)
        cut = pixels.shape[1] * TRAINED[0] // TRAINED[1]
        part = pixels[:, :cut] if split == "train" else pixels[:, cut:]
        rows, cols = part.shape[0] // 2, part.shape[1] // 2
        half = part[: 2 * rows, : 2 * cols].reshape(rows, 2, cols, 2, 3).sum(axis=(1, 3)) // 4
        parts += [part, half]
    return tuple(parts)


def photo_ground(rng, size, split):
    """A crop of a photo, as it is or mirrored: (H, W, 3) int32. ValueError where no part is that large."""
    large = [part for part in _photos(split) if part.shape[0] >= size[0] and part.shape[1] >= size[1]]
    if not large:
        height, width = max(_photos(split), key=lambda part: min(part.shape[:2])).shape[:2]
        raise ValueError(
            f"size is {size[0]}x{size[1]}; photo grounds of {split} reach {height}x{width} (a flat ground has no limit)"
        )
    part = large[rng.integers(len(large))]
    y, x = (int(rng.integers(have - want + 1)) for have, want in zip(part.shape, size))
    crop = part[y : y + size[0], x : x + size[1]]
    return (crop[:, ::-1] if rng.integers(2) else crop).copy()


def flat_ground(rng, size):
    """One greyish colour: (H, W, 3) int32."""
    return np.tile((rng.integers(40, 216) + rng.integers(-16, 17, 3)).astype(np.int32), (*size, 1))
