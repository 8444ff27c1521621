"""From an image's size to its tokens: one function a rule. The numbers of each model are in catalog/images.toml.

A rule takes the image's height and width in pixels and its row's parameters, and returns (resized, grid, cell, parts):
the size in pixels that is cut, the (rows, cols) it is cut into, what one cell of that grid is, and a tuple of
(what, count) that adds up to the tokens. Rounding follows each peer's own code, float by float.
"""

import bisect
import datetime
import functools
import math
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from mmtokedu import catalog
from mmtokedu.arguments.common import check_size
from mmtokedu.catalog.resize import smart_resize, tile_grid


@dataclass(frozen=True)
class Price:
    """What a vendor's model asks for a million input tokens, in US dollars; image tokens are multiplied first."""

    model: str
    usd_per_million_tokens: float
    source: str
    as_of: datetime.date
    multiplier: float = 1.0


@dataclass(frozen=True)
class ImageRow:
    """One system's way from pixels to tokens: a rule of this module, its parameters, and who says so."""

    name: str
    title: str
    kind: str  # "vision" or "billing"
    rule: str
    parameters: MappingProxyType
    about: str
    source: str
    as_of: datetime.date
    verified: str  # "run" or "read"
    prices: tuple = ()

    def __post_init__(self):
        if self.kind not in ("vision", "billing") or self.verified not in ("run", "read"):
            raise ValueError(f"catalog row {self.name!r}: kind is {self.kind!r}, verified is {self.verified!r}")


@functools.cache
def rows():
    """The image rules by name, in the catalog's order: a read-only mapping name -> ImageRow.

    Source: `mmtokedu/catalog/images.toml`, where each row names its own.

    >>> len([row for row in rows().values() if row.kind == "vision"]), rows()["pixtral"].parameters["longest"]
    (18, 1024)
    """
    return catalog.read("images", _image_row)


def row(model):
    """The catalog row of one model.

    Raises ValueError for a name that is not in the catalog; the message lists those that are.
    Source: `mmtokedu/catalog/images.toml`.

    >>> row("gemma-3").source
    'arXiv 2503.19786; transformers 5.23.0 models/gemma3'
    """
    return catalog.one("model", model, rows())


def _image_row(name, row):
    prices = tuple(Price(**price) for price in row.pop("prices", ()))
    return ImageRow(name=name, prices=prices, parameters=MappingProxyType(row.pop("parameters")), **row)


@dataclass(frozen=True)
class ImagePlan:
    """What a system makes of one image. Sizes are (height, width) in pixels, grid is (rows, cols)."""

    model: str
    image: tuple  # (int, int)
    resized: tuple  # (int, int), the size that is cut; padding included where the system pads
    grid: tuple  # (int, int)
    cell: str  # what one cell of the grid is: "token", "tile", "crop" or "image"
    parts: tuple  # ((what, count), ...)

    @property
    def tokens(self):
        return sum(count for _, count in self.parts)


def image_plan(model, height, width):
    """How a model cuts an image of this size, and what its tokens are made of.

    Sizes in pixels, before any resize; returns an ImagePlan(model, image, resized, grid, cell, parts, tokens).
    Raises ValueError for an unknown model or a size the system refuses, TypeError for sizes that are not whole.
    Source: the model's row in `mmtokedu/catalog/images.toml`.

    >>> plan = image_plan("internvl2.5", 1080, 1920)
    >>> plan.grid, plan.resized, plan.tokens, plan.parts
    ((2, 4), (896, 1792), 2304, (('tiles', 2048), ('thumbnail', 256)))
    """
    system = row(model)
    height, width = check_size(height, width)
    resized, grid, cell, parts = RULES[system.rule](height, width, **system.parameters)
    return ImagePlan(model, (height, width), resized, grid, cell, tuple((what, n) for what, n in parts if n))


def image_tokens(model, height, width):
    """How many positions one image takes in a model's sequence (or on a vendor's bill).

    Sizes are the image's own, in pixels, before any resize. Counts feature positions and the row breaks,
    newlines and separators inside the image that the model's own count includes; not start and end markers,
    nor the text that Idefics3 and SmolVLM put before each tile.
    The numbers of each model, their source and date are in `mmtokedu/catalog/images.toml`.

    Raises ValueError for an unknown model (the message lists the known ones) and for sizes the system refuses.
    Source: each model's row in the catalog.

    >>> image_tokens("qwen2.5-vl", 1080, 1920), image_tokens("internvl2.5", 1080, 1920)
    (2691, 2304)
    """
    return image_plan(model, height, width).tokens


# One cell of the grid is one token.


def fixed_square(height, width, *, side, cell):
    """LLaVA-1.5, Gemma 3, PaliGemma: whatever the image, a square of the same size."""
    cells = side // cell
    return (side, side), (cells, cells), "token", [("patches", cells * cells)]


def near_its_size(height, width, *, factor, min_pixels, max_pixels):
    """Qwen2-VL and after: the image's own size, in whole tokens, between two areas."""
    resized = smart_resize(height, width, factor=factor, min_pixels=min_pixels, max_pixels=max_pixels)
    rows, cols = resized[0] // factor, resized[1] // factor
    return resized, (rows, cols), "token", [("patches", rows * cols)]


def rows_with_breaks(height, width, *, longest, cell, rounding):
    """Pixtral: shrunk to a longest side, covered by cells, a break after each row and an end after the last."""
    ratio = max(height / longest, width / longest)
    new = height, width
    if ratio > 1 and rounding == "nearest":
        new = max(round(height / ratio), 1), max(round(width / ratio), 1)
    elif ratio > 1:
        new = math.floor(height / ratio), math.floor(width / ratio)
    if 0 in new:
        raise ValueError(
            f"image is {height}x{width}; shrunk to a longest side of {longest} and rounded down it is "
            f"{new[0]}x{new[1]}, a side of no pixels (cut the image into pieces)"
        )
    rows, cols = _cover(new, cell)
    parts = [("patches", rows * cols), ("row breaks", rows - 1), ("end", 1)]
    return (rows * cell, cols * cell), (rows, cols), "token", parts


def token_budget(height, width, *, cell, max_tokens):
    """Gemma 4: as large as the budget allows, aspect kept, sides rounded down; a thin image is one row of cells."""
    factor = math.sqrt(max_tokens * cell**2 / (height * width))
    rows, cols = math.floor(factor * height / cell), math.floor(factor * width / cell)
    if rows == 0:  # then the image is more than max_tokens times as wide as high
        rows, cols = 1, max_tokens
    elif cols == 0:
        rows, cols = max_tokens, 1
    return (rows * cell, cols * cell), (rows, cols), "token", [("patches", rows * cols)]


def billed_patches(height, width, *, patch, max_patches):
    """OpenAI's patches: over the budget, the image is shrunk until one side is a whole number of patches.

    The limit of each side is floor(sqrt(max_patches * side / other)); whole-number square roots keep it exact.
    """
    rows, cols = _cover((height, width), patch)
    resized = height, width
    if rows * cols > max_patches:
        rows, cols = math.isqrt(max_patches * height // width), math.isqrt(max_patches * width // height)
        if 0 in (rows, cols):
            raise ValueError(
                f"image is {height}x{width}; shrunk to at most {max_patches} patches it has {rows} rows and "
                f"{cols} columns (cut the image into pieces)"
            )
        scale = min(Fraction(rows, height), Fraction(cols, width))  # patches per pixel
        rows, cols = math.ceil(height * scale), math.ceil(width * scale)
        resized = max(1, round(height * scale * patch)), max(1, round(width * scale * patch))
    return resized, (rows, cols), "token", [("patches", rows * cols)]


def capped_cells(height, width, *, cell, longest, max_tokens):
    """Anthropic: cells cover the image; too large a one is shrunk to the largest size under both limits."""
    short, long = sorted((height, width))

    def beside(side):  # the short side when the long one is `side`
        return short if side == long else max(round(side / (long / short)), 1)

    def too_large(side):
        cells = _cover((beside(side), side), cell)
        return cells[1] * cell > longest or math.prod(cells) > max_tokens

    fits = bisect.bisect_left(range(1, long + 1), True, key=too_large)  # the largest side that is not too large
    resized = (beside(fits), fits) if height < width else (fits, beside(fits))
    rows, cols = _cover(resized, cell)
    return resized, (rows, cols), "token", [("patches", rows * cols)]


# One cell of the grid is a tile or a crop, many tokens.


def closest_tiles(height, width, *, tile, max_tiles, per_tile):
    """InternVL: the grid of tiles nearest in shape, and a thumbnail when there is more than one tile."""
    cols, rows = tile_grid(height, width, tile=tile, max_tiles=max_tiles)
    tiles = rows * cols
    parts = [("tiles", per_tile * tiles), ("thumbnail", per_tile if tiles > 1 else 0)]
    return (rows * tile, cols * tile), (rows, cols), "tile", parts


def any_resolution(height, width, *, tile, patch, grids, max_tiles=None):
    """LLaVA-NeXT and OneVision: a small copy of the whole, then the image on a canvas, its padding cut off again."""
    side = tile // patch  # features along one tile
    rows, cols = max(grids, key=lambda grid: _use_of_canvas(height, width, grid[0] * tile, grid[1] * tile))
    high, wide = rows * side, cols * side
    if width / height > wide / high:
        high -= (high - int(round(height * (wide / width), 7))) // 2 * 2
    else:
        wide -= (wide - int(round(width * (high / height), 7))) // 2 * 2
    if max_tiles:
        shrink = math.sqrt(high * wide / (max_tiles * side**2))
        if shrink > 1.1:
            high, wide = int(high // shrink), int(wide // shrink)
    parts = [("whole image", side * side), ("tiles", high * wide), ("newlines", high)]
    return (rows * tile, cols * tile), (rows, cols), "tile", parts


def _use_of_canvas(height, width, canvas_height, canvas_width):
    """Pixels of the image a canvas keeps, then (as a tie-breaker) how few of its own it wastes."""
    scale = min(canvas_width / width, canvas_height / height)
    kept = min(int(width * scale) * int(height * scale), height * width)
    return kept, kept - canvas_height * canvas_width


def pan_and_scan(height, width, *, side, cell, min_crop, max_crops, min_ratio):
    """Gemma 3, opt-in: the whole image, and crops along the longer side of one that is long enough."""
    short, long = sorted((height, width))
    crops = max(2, min(long // min_crop, math.floor(long / short + 0.5)))
    crops = min(max_crops, crops)
    if long / short < min_ratio or min(math.ceil(long / crops), short) < min_crop:
        crops = 0
    each = (side // cell) ** 2
    grid = (1, max(crops, 1)) if width >= height else (max(crops, 1), 1)
    parts = [("whole image", each), ("crops", each * crops)]
    return (side, side), grid, "crop", parts


def stretched_tiles(height, width, *, tile, longest_tiles, per_tile):
    """Idefics3, SmolVLM: the longest side becomes a fixed number of tiles, however small the image was."""
    longest, aspect = tile * longest_tiles, width / height
    short = int(longest / aspect) if width >= height else int(longest * aspect)
    other = max(-(-short // tile), 1)  # the peers also make `short` even, which no even tile can notice
    rows, cols = (other, longest_tiles) if width >= height else (longest_tiles, other)
    parts = [("tiles", per_tile * rows * cols), ("whole image", per_tile)]
    return (rows * tile, cols * tile), (rows, cols), "tile", parts


def padded_tiles(height, width, *, tile, patch, max_tiles):
    """Phi-4: tiles cover the image, padding is masked, every row of features ends with a newline."""
    rows, cols = _cover((height, width), tile)
    if rows * cols > max_tiles:
        cols, rows = tile_grid(height, width, tile=tile, max_tiles=max_tiles)
    canvas = rows * tile, cols * tile
    scale_high, scale_wide = canvas[0] / height, canvas[1] / width
    limited_by_width = scale_wide < scale_high
    inside = (int(height * scale_wide), canvas[1]) if limited_by_width else (canvas[0], int(width * scale_high))
    if min(inside) < 10:
        raise ValueError(
            f"image is {height}x{width}; on {rows}x{cols} tiles it is {inside[0]}x{inside[1]}, and a side "
            "under 10 pixels is refused (cut the image into pieces)"
        )
    # Patches that are all padding are masked; 2x2 patches make a token, which counts if its first patch does.
    high, wide = (-(-(full // patch - (full - used) // patch) // 2) for full, used in zip(canvas, inside, strict=True))
    side = tile // patch // 2
    parts = [("whole image", side * side), ("its newlines", side), ("separator", 1)]
    return canvas, (rows, cols), "tile", [*parts, ("tiles", high * wide), ("newlines", high)]


def tiled_canvas(height, width, *, tile, max_tiles, per_tile):
    """Llama 3.2 Vision: the canvas that enlarges the image least, or failing that shrinks it least."""
    scales = {}  # (rows, cols) -> how much the image is scaled to fit
    for rows in range(1, max_tiles + 1):
        for cols in range(1, max_tiles // rows + 1):
            scales[rows, cols] = min(rows * tile / height, cols * tile / width)
    larger = [scale for scale in scales.values() if scale >= 1]
    chosen = min(larger) if larger else max(scales.values())
    rows, cols = min((grid for grid in scales if scales[grid] == chosen), key=math.prod)
    parts = [("patches", (per_tile - 1) * rows * cols), ("class tokens", rows * cols)]
    return (rows * tile, cols * tile), (rows, cols), "tile", parts


def billed_tiles(height, width, *, fit, short, tile, base, per_tile):
    """OpenAI's tiles: shrunk into a square, then to a short side, then covered by tiles."""
    scale = min(Fraction(1), Fraction(fit, max(height, width)), Fraction(short, min(height, width)))
    rows, cols = math.ceil(height * scale / tile), math.ceil(width * scale / tile)
    resized = max(1, round(height * scale)), max(1, round(width * scale))
    return resized, (rows, cols), "tile", [("base", base), ("tiles", per_tile * rows * cols)]


def crop_units(height, width, *, small, share, per_tile, least=0, most=math.inf):
    """Gemini 2: one tile for a small image, else as many squares of short side / `share` as cover it."""
    rows, cols = 1, 1
    if max(height, width) > small:
        unit = min(max(math.floor(min(height, width) / share), least), most)
        if not unit:
            raise ValueError(
                f"image is {height}x{width}; its crop unit, short side / {share} rounded down, has no pixels "
                "(cut the image into pieces)"
            )
        rows, cols = _cover((height, width), unit)
    return (height, width), (rows, cols), "tile", [("tiles", per_tile * rows * cols)]


def flat(height, width, *, tokens):
    """Gemini 3: a budget, whatever the image."""
    return (height, width), (1, 1), "image", [("image", tokens)]


def _cover(size, cell):
    """The (rows, cols) of cells it takes to cover a size."""
    return -(-size[0] // cell), -(-size[1] // cell)


RULES = {
    rule.__name__: rule
    for rule in (
        fixed_square, near_its_size, rows_with_breaks, token_budget, billed_patches, capped_cells, closest_tiles,
        any_resolution, pan_and_scan, stretched_tiles, padded_tiles, tiled_canvas, billed_tiles, crop_units, flat,
    )
}  # fmt: skip
