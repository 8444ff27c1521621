"""Exercises of the patches chapter."""

import math

import numpy as np

from mmtokedu.course import Exercise, Mistake, slip
from mmtokedu.patches import patchify_plain

_SECTION = "Patches, "


def _picture(height, width, channels=3):
    return np.arange(height * width * channels).reshape(height, width, channels)


def _reshape_only(image, patch):
    height, width, channels = image.shape
    return image.reshape(-1, patch * patch * channels)


def _cut(image, patch, grid=(0, 2), inside=(1, 3, 4)):
    height, width, channels = image.shape
    cells = image.reshape(height // patch, patch, width // patch, patch, channels)
    return cells.transpose(*grid, *inside).reshape(-1, patch * patch * channels)


cut = Exercise(
    name="cut an image by hand",
    answer=patchify_plain,
    cases=((_picture(4, 6), 2), (_picture(6, 4), 2), (_picture(6, 6, 1), 3)),
    mistakes=(
        Mistake(_reshape_only, "a reshape alone: pixels of one row of the image, not of one patch, ended up together. "
                               "The axes (rows, y, cols, x) must be swapped to (rows, cols, y, x) in between"),
        slip(_cut, "patches read top to bottom instead of left to right: rows and columns of the grid are swapped", grid=(2, 0)),
        slip(_cut, "each patch lies on its side: inside a row it is (x, y, channel), it should be (y, x, channel)", inside=(3, 1, 4)),
        slip(_cut, "channels first inside a patch (that is Qwen's order); here a row is (y, x, channel)", inside=(4, 1, 3)),
    ),
    section="Lab: patches, “The cut”",
)  # fmt: skip


def _visual_tokens(
    height, width, patch, merge, merged=lambda merge: merge, cells=lambda h, w, side: (h // side) * (w // side)
):
    return cells(height, width, patch * merged(merge))


visual_tokens = Exercise(
    name="count visual tokens",
    answer=lambda height, width, patch, merge: _visual_tokens(height, width, patch, merge),
    cases=((224, 224, 14, 1), (448, 448, 14, 2), (1092, 1932, 14, 2), (1088, 1920, 16, 2)),
    mistakes=(
        slip(_visual_tokens, "patches counted, not visual tokens: merging m x m patches divides by m squared", merged=lambda merge: 1),
        Mistake(lambda h, w, p, m: (h // p) * (w // p) // m, "divided by m once; a block is m wide and m high"),
        Mistake(lambda h, w, p, m: 1, "one placeholder counted as one token: in the prompt it stands for all of them"),
        slip(_visual_tokens, "only one side divided by the patch", cells=lambda h, w, side: h * w // side),
    ),
    section=_SECTION + "“A patch is a place, a token is what is there”",
)  # fmt: skip


def _round_side(side, factor, whole=round, least=lambda factor: factor):
    return max(least(factor), whole(side / factor) * factor)


round_side = Exercise(
    name="round a side to whole patches",
    answer=lambda side, factor: _round_side(side, factor),
    cases=((100, 28), (120, 28), (1080, 28), (1920, 28), (70, 28), (98, 28), (10, 28)),
    mistakes=(
        slip(_round_side, "floor instead of round: up to one patch is lost on every side", whole=math.floor),
        slip(_round_side, "ceil instead of round: the image grows on every side", whole=math.ceil),
        slip(_round_side, "thin sides become 0 pixels: never fewer than one factor", least=lambda factor: 0),
        slip(_round_side, "thin sides become 1 pixel, no whole patch: the least is one factor", least=lambda factor: 1),
        slip(_round_side, "halves rounded up, as `int(x + 0.5)` does; Python's round, which the processors use, takes them to the even "
                          "neighbour", whole=lambda x: math.floor(x + 0.5)),
        slip(_round_side, "halves rounded down; Python's round, which the processors use, takes them to the even neighbour",
             whole=lambda x: math.ceil(x - 0.5)),
    ),
    section=_SECTION + "“Three ways to say stop”",
)  # fmt: skip


def _normalise(image, mean, std, scale=255, centre=1, spread=np.asarray, order=1):
    return (image[..., ::order] / scale - centre * np.asarray(mean)) / spread(std)


_PHOTO = _picture(2, 3).astype(np.uint8) * 13
_MEAN, _STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)

normalise = Exercise(
    name="normalise an image",
    answer=lambda image, mean, std: _normalise(image, mean, std),
    cases=((_PHOTO, _MEAN, _STD), (_PHOTO[:, :2], _MEAN, _STD)),
    mistakes=(
        Mistake(lambda i, m, s: i / 255, "mean and standard deviation forgotten: the encoder expects numbers around 0"),
        slip(_normalise, "not scaled to 0..1 first: divide by 255", scale=1),
        slip(_normalise, "the mean forgotten: the encoder expects numbers around 0", centre=0),
        slip(_normalise, "the standard deviation forgotten", spread=np.ones_like),
        slip(_normalise, "channels reversed: the image was read as BGR (OpenCV's order), the encoder was trained on RGB", order=-1),
    ),
    section=_SECTION + "“How it breaks”",
)  # fmt: skip


def _shrunk(height, width, whole):
    ratio = max(height, width) / 1024
    return (whole(height / ratio), whole(width / ratio)) if ratio > 1 else (height, width)


def _each_side_capped(height, width, whole):
    return min(height, 1024), min(width, 1024)


def _pixtral(
    height, width, shrink=_shrunk, whole=round, cover=math.ceil, sequence=lambda rows, cols: rows * (cols + 1)
):
    height, width = shrink(height, width, whole)
    return sequence(cover(height / 16), cover(width / 16))


pixtral_tokens = Exercise(
    name="count Pixtral's tokens",
    answer=lambda height, width: _pixtral(height, width),
    cases=((48, 96), (1000, 50), (1080, 1920), (9000, 900), (239, 2167)),
    mistakes=(
        slip(_pixtral, "never shrunk: a long side over 1,024 px comes down to it first", shrink=lambda h, w, whole: (h, w)),
        slip(_pixtral, "each side capped by itself: both shrink by the same ratio, or the shape is lost", shrink=_each_side_capped),
        slip(_pixtral, "a patch that is only begun was dropped; it counts: divide and round up", cover=int),
        slip(_pixtral, "the shrunk sides rounded down, as transformers does; here to the nearest pixel", whole=int),
        slip(_pixtral, "the breaks themselves are tokens: one after every row", sequence=lambda r, c: r * c),
        slip(_pixtral, "the last row ends with a token too (the image's end)", sequence=lambda r, c: r * c + r - 1),
        slip(_pixtral, "a break after every column: rows and columns swapped", sequence=lambda r, c: (r + 1) * c),
    ),
    section=_SECTION + "“What production does”",
)  # fmt: skip


def _padding_waste(
    lengths,
    positions=lambda lengths: max(lengths) * len(lengths),
    share=lambda wasted, all_, used: wasted / all_,
    unit=1,
):
    every, used = positions(lengths), sum(lengths)
    return unit * share(every - used, every, used)


padding_waste = Exercise(
    name="measure what padding wastes",
    answer=lambda lengths: _padding_waste(lengths),
    cases=(([4, 4],), ([256, 2691, 64],), ([10, 1],)),
    mistakes=(
        slip(_padding_waste, "that is the share that is used; the waste is the rest", share=lambda wasted, all_, used: used / all_),
        slip(_padding_waste, "a count of padded positions; the question asks for their share of the batch",
             share=lambda wasted, all_, used: wasted),
        slip(_padding_waste, "divided by the tokens instead of the positions", share=lambda wasted, all_, used: wasted / used),
        slip(_padding_waste, "percent; the question asks for a share between 0 and 1", unit=100),
        slip(_padding_waste, "the batch holds len(lengths) rows of the longest length, not one", positions=max),
    ),
    section=_SECTION + "“Lengths vary, so batches need care”",
)  # fmt: skip

EXERCISES = (cut, visual_tokens, round_side, normalise, pixtral_tokens, padding_waste)
