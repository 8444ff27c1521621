"""Ways to choose the size an image or a clip is cut at: what the rules of systems and the chapters share."""

import math

from mmtokedu.arguments.common import check_size, whole
from mmtokedu.arguments.resize import check_bounds, check_clip_size, check_resize


def smart_resize(height, width, *, factor=28, min_pixels=3136, max_pixels=1003520, rule="transformers"):
    """The size an image is resized to before it is cut: nearly its own shape, sides whole multiples of `factor`.

    Sizes are (height, width) in pixels; `factor` is patch * merge. Both sides are rounded to multiples
    (half to even, as Python rounds); if the area then leaves [min_pixels, max_pixels], both sides are
    scaled by one number and rounded back into it. `rule` names whose code is followed: "transformers", or
    "qwen-vl-utils", which lifts thin sides to one factor first and disagrees on thin images.

    Raises ValueError for sides under 1, an aspect ratio over 200, or a side that the peer would make 0.
    Source: transformers 5.23.0 `models/qwen2_vl`, qwen-vl-utils 0.0.14 `vision_process.py`.

    >>> smart_resize(1080, 1920)
    (728, 1316)
    >>> [smart_resize(10, 1500, max_pixels=12_845_056, rule=rule) for rule in ("transformers", "qwen-vl-utils")]
    [(28, 700), (28, 1512)]
    """
    height, width = check_resize(height, width, rule)
    factor, min_pixels, max_pixels = check_bounds(factor, min_pixels, max_pixels)
    return within_area(height, width, factor, min_pixels, max_pixels, rule)


def within_area(height, width, factor, min_pixels, max_pixels, rule="transformers"):
    """`smart_resize` without its checks of the bounds: a frame's share may be fractional, or under the least.

    >>> within_area(1080, 1920, 28, 100_352, 235_200.0, "qwen-vl-utils")
    (336, 644)
    """
    lift = factor if rule == "qwen-vl-utils" else 0  # the two rules guard thin sides in different places
    new_height = max(lift, round(height / factor) * factor)
    new_width = max(lift, round(width / factor) * factor)
    if new_height * new_width > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        lift = 0 if rule == "qwen-vl-utils" else factor
        new_height = max(lift, math.floor(height / shrink / factor) * factor)
        new_width = max(lift, math.floor(width / shrink / factor) * factor)
    elif new_height * new_width < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        new_height = math.ceil(height * grow / factor) * factor
        new_width = math.ceil(width * grow / factor) * factor
    if new_height and new_width:
        return new_height, new_width
    raise ValueError(
        f"{height}x{width} would become {new_height}x{new_width}, a side of no pixels "
        f'({rule} with max_pixels={max_pixels}: raise the bound, or use rule="transformers")'
    )


def clip_resize(frames, height, width, *, factor=32, temporal=2, min_pixels=4096, max_pixels=25_165_824):
    """The size that each frame of a clip is resized to where the whole clip has one cap: more frames, smaller frames.

    `frames` is their number; sizes are (height, width) in pixels, bounds are pixels of all frames together; `factor` is
    patch * merge, `temporal` the frames of a temporal patch. A side under one factor is lifted to it first. Both sides
    are rounded to multiples, and shrunk or grown by one number where frames * height * width leaves the bounds.

    Raises ValueError for fewer frames than a temporal patch has, sides under 1, or an aspect ratio over 200.
    Source: transformers 5.23.0 `models/qwen3_vl/video_processing_qwen3_vl.py`, and GLM-4.1V's the same.

    >>> clip_resize(2, 1080, 1920), clip_resize(64, 1080, 1920), clip_resize(768, 1080, 1920)
    ((1088, 1920), (448, 832), (128, 224))
    """
    factor, min_pixels, max_pixels = check_bounds(factor, min_pixels, max_pixels)
    frames, height, width = check_clip_size(frames, height, width, factor, temporal)
    new_height, new_width = round(height / factor) * factor, round(width / factor) * factor
    pixels = round(frames / temporal) * temporal * new_height * new_width
    if pixels > max_pixels:
        shrink = math.sqrt(frames * height * width / max_pixels)
        new_height = max(factor, math.floor(height / shrink / factor) * factor)
        new_width = max(factor, math.floor(width / shrink / factor) * factor)
    elif pixels < min_pixels:
        grow = math.sqrt(min_pixels / (frames * height * width))
        new_height = math.ceil(height * grow / factor) * factor
        new_width = math.ceil(width * grow / factor) * factor
    return new_height, new_width


def tile_grid(height, width, *, tile=448, min_tiles=1, max_tiles=12):
    """How many square tiles an image is cut into, InternVL's way: the grid nearest in shape, not in size.

    Sizes are pixels. Among all grids with min_tiles to max_tiles tiles, takes the one whose aspect ratio is
    nearest the image's; on a tie the larger one, if the image has more than half the grid's pixels.
    Returns (cols, rows). The thumbnail that InternVL adds when there is more than one tile is not counted.

    Raises ValueError for sides under 1 or when min_tiles > max_tiles.
    Source: OpenGVLab/InternVL at 2410d1db, `dataset.py`, `dynamic_preprocess`.

    >>> tile_grid(1080, 1920)
    (4, 2)
    """
    height, width = check_size(height, width)
    tile, min_tiles, max_tiles = (
        whole(tile, "tile"),
        whole(min_tiles, "min_tiles"),
        whole(max_tiles, "max_tiles"),
    )
    if tile < 1:
        raise ValueError(f"tile is {tile}; it must be at least 1 pixel")
    if not 1 <= min_tiles <= max_tiles:
        raise ValueError(f"min_tiles={min_tiles}, max_tiles={max_tiles}; need 1 <= min_tiles <= max_tiles")
    aspect, area = width / height, width * height
    best, best_gap = (1, 1), math.inf
    for cols, rows in _tile_grids(min_tiles, max_tiles):
        gap = abs(aspect - cols / rows)
        if gap < best_gap or (gap == best_gap and 2 * area > tile * tile * cols * rows):
            best, best_gap = (cols, rows), gap
    return best


def _tile_grids(min_tiles, max_tiles):
    """All (cols, rows) with min_tiles <= cols*rows <= max_tiles, fewest tiles first."""
    pairs = [(i, j) for i in range(1, max_tiles + 1) for j in range(1, max_tiles // i + 1)]
    return sorted((p for p in pairs if p[0] * p[1] >= min_tiles), key=math.prod)
