"""Exercises of the patches chapter."""

import math

import numpy as np

from mmtokedu.course import Exercise, Mistake
from mmtokedu.patches import patchify_plain

_SECTION = "Patches, "


def _picture(height, width, channels=3):
    return np.arange(height * width * channels).reshape(height, width, channels)


def _reshape_only(image, patch):
    height, width, channels = image.shape
    return image.reshape(-1, patch * patch * channels)


def _column_major(image, patch):
    height, width, channels = image.shape
    cells = image.reshape(height // patch, patch, width // patch, patch, channels)
    return cells.transpose(2, 0, 1, 3, 4).reshape(-1, patch * patch * channels)


def _transposed(image, patch):
    height, width, channels = image.shape
    cells = image.reshape(height // patch, patch, width // patch, patch, channels)
    return cells.transpose(0, 2, 3, 1, 4).reshape(-1, patch * patch * channels)


def _channels_first(image, patch):
    height, width, channels = image.shape
    cells = image.reshape(height // patch, patch, width // patch, patch, channels)
    return cells.transpose(0, 2, 4, 1, 3).reshape(-1, patch * patch * channels)


cut = Exercise(
    name="cut an image by hand",
    answer=patchify_plain,
    cases=((_picture(4, 6), 2), (_picture(6, 4), 2), (_picture(6, 6, 1), 3)),
    mistakes=(
        Mistake(_reshape_only, "a reshape alone: pixels of one row of the image, not of one patch, ended up together. "
                               "The axes (rows, y, cols, x) must be swapped to (rows, cols, y, x) in between"),
        Mistake(_column_major, "patches read top to bottom instead of left to right: rows and columns of the grid are swapped"),
        Mistake(_transposed, "each patch lies on its side: inside a row it is (x, y, channel), it should be (y, x, channel)"),
        Mistake(_channels_first, "channels first inside a patch (that is Qwen's order); here a row is (y, x, channel)"),
    ),
    section=_SECTION + "“Cut”",
)  # fmt: skip


def _visual_tokens(height, width, patch, merge):
    return (height // (patch * merge)) * (width // (patch * merge))


visual_tokens = Exercise(
    name="count visual tokens",
    answer=_visual_tokens,
    cases=((224, 224, 14, 1), (448, 448, 14, 2), (1092, 1932, 14, 2), (1088, 1920, 16, 2)),
    mistakes=(
        Mistake(lambda h, w, p, m: (h // p) * (w // p), "patches counted, not visual tokens: merging m x m patches divides by m squared"),
        Mistake(lambda h, w, p, m: (h // p) * (w // p) // m, "divided by m once; a block is m wide and m high"),
        Mistake(lambda h, w, p, m: 1, "one placeholder counted as one token: in the prompt it stands for all of them"),
        Mistake(lambda h, w, p, m: h * w // (p * m), "only one side divided by the patch"),
    ),
    section=_SECTION + "“What the language model sees”",
)  # fmt: skip


def _round_side(side, factor):
    return max(factor, round(side / factor) * factor)


round_side = Exercise(
    name="round a side to whole patches",
    answer=_round_side,
    cases=((100, 28), (120, 28), (1080, 28), (1920, 28), (70, 28), (98, 28), (10, 28)),
    mistakes=(
        Mistake(lambda s, f: max(f, s // f * f), "floor instead of round: up to one patch is lost on every side"),
        Mistake(lambda s, f: max(f, -(-s // f) * f), "ceil instead of round: the image grows on every side"),
        Mistake(lambda s, f: round(s / f) * f, "thin sides become 0 pixels: never fewer than one factor"),
        Mistake(lambda s, f: max(1, round(s / f) * f), "thin sides become 1 pixel, no whole patch: the least is one factor"),
        Mistake(lambda s, f: max(f, math.floor(s / f + 0.5) * f), "halves rounded up; Python's round, which the processors use, "
                                                                  "takes them to the even neighbour"),
    ),
    section=_SECTION + "“Fixed against dynamic”",
)  # fmt: skip


def _normalise(image, mean, std):
    return (image / 255 - np.asarray(mean)) / np.asarray(std)


_PHOTO = _picture(2, 3).astype(np.uint8) * 13
_MEAN, _STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)

normalise = Exercise(
    name="normalise an image",
    answer=_normalise,
    cases=((_PHOTO, _MEAN, _STD), (_PHOTO[:, :2], _MEAN, _STD)),
    mistakes=(
        Mistake(lambda i, m, s: (i - np.asarray(m)) / np.asarray(s), "not scaled to 0..1 first: divide by 255"),
        Mistake(lambda i, m, s: i / 255, "mean and standard deviation forgotten: the encoder expects numbers around 0"),
        Mistake(lambda i, m, s: i / 255 - np.asarray(m), "the standard deviation forgotten"),
        Mistake(lambda i, m, s: _normalise(i[..., ::-1], m, s), "channels reversed: the image was read as BGR (OpenCV's order), "
                                                                "the encoder was trained on RGB"),
    ),
    section=_SECTION + "“How it breaks”",
)  # fmt: skip


def _pixtral(height, width, longest=1024, whole=round, cover=math.ceil, sequence=lambda rows, cols: rows * (cols + 1)):
    ratio = max(height, width) / longest
    if ratio > 1:
        height, width = whole(height / ratio), whole(width / ratio)
    return sequence(cover(height / 16), cover(width / 16))


def _each_side_capped(height, width):
    return _pixtral(min(height, 1024), min(width, 1024))


pixtral_tokens = Exercise(
    name="count Pixtral's tokens",
    answer=lambda height, width: _pixtral(height, width),
    cases=((48, 96), (1000, 50), (1080, 1920), (9000, 900), (239, 2167)),
    mistakes=(
        Mistake(lambda h, w: _pixtral(h, w, longest=math.inf), "never shrunk: a long side over 1,024 px comes down to it first"),
        Mistake(_each_side_capped, "each side capped by itself: both shrink by the same ratio, or the shape is lost"),
        Mistake(lambda h, w: _pixtral(h, w, cover=int), "a patch that is only begun was dropped; it counts: divide and round up"),
        Mistake(lambda h, w: _pixtral(h, w, whole=int), "the shrunk sides rounded down, as transformers does; here to the nearest pixel"),
        Mistake(lambda h, w: _pixtral(h, w, sequence=lambda r, c: r * c), "the breaks themselves are tokens: one after every row"),
        Mistake(lambda h, w: _pixtral(h, w, sequence=lambda r, c: r * c + r - 1), "the last row ends with a token too (the image's end)"),
        Mistake(lambda h, w: _pixtral(h, w, sequence=lambda r, c: (r + 1) * c), "a break after every column: rows and columns swapped"),
    ),
    section=_SECTION + "“Row breaks”",
)  # fmt: skip


def _padding_waste(lengths):
    return 1 - sum(lengths) / (max(lengths) * len(lengths))


padding_waste = Exercise(
    name="measure what padding wastes",
    answer=_padding_waste,
    cases=(([4, 4],), ([256, 2691, 64],), ([10, 1],)),
    mistakes=(
        Mistake(lambda n: sum(n) / (max(n) * len(n)), "that is the share that is used; the waste is the rest"),
        Mistake(lambda n: max(n) * len(n) - sum(n), "a count of padded positions; the question asks for their share of the batch"),
        Mistake(lambda n: (max(n) * len(n) - sum(n)) / sum(n), "divided by the tokens instead of the positions"),
        Mistake(lambda n: 100 * _padding_waste(n), "percent; the question asks for a share between 0 and 1"),
        Mistake(lambda n: 1 - sum(n) / max(n), "the batch holds len(lengths) rows of the longest length, not one"),
    ),
    section=_SECTION + "“Lengths vary”",
)  # fmt: skip

EXERCISES = (cut, visual_tokens, round_side, normalise, pixtral_tokens, padding_waste)
