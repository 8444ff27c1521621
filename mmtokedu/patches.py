"""Images become sequences: patches, dynamic resolution, tiles, packing."""

import math

import numpy as np

from mmtokedu import _checks
from mmtokedu._dispatch import has_cuda_twin
from mmtokedu._load_image import load_image as load_image


@has_cuda_twin
def patchify(images, patch, *, out=None):
    """Cut images into a sequence of flattened square patches.

    images (..., H, W, C), any dtype; returns (..., N, P*P*C) with N = (H/P)*(W/P) rows. The grid is read
    row-major, left to right and top to bottom; inside a row the order is (y, x, channel). `out`, an array
    of the result's shape and dtype, receives the rows and saves the allocation.

    Raises ValueError when the patch does not divide both sides, or when `out` does not fit.
    Source: the reshape before the linear projection in ViT (arXiv 2010.11929, section 3.1).

    >>> rows = patchify(np.arange(16).reshape(4, 4, 1), 2)
    >>> rows.shape, rows[0].tolist()
    ((4, 4), [0, 1, 4, 5])
    """
    _checks.check_array(images, "images")
    patch = _checks.whole(patch, "patch")
    grid = _checks.check_image(images.shape, patch)
    (*batch, _, _, channels) = images.shape
    shape = (*batch, grid[0] * grid[1], patch * patch * channels)
    out = np.empty(shape, images.dtype) if out is None else _checks.check_out(out, shape, images.dtype)
    _transpose_strips(np.ascontiguousarray(images), out, (patch, grid[1]), patch * channels)
    return out


def _transpose_strips(source, out, shape, numbers):
    """Write `source` to `out`, both contiguous, with the items of each strip transposed.

    One pixel row of one patch lies in one piece of memory, so many `numbers` long: it moves as one item. A strip is a
    row of patches; its items stand in rows and columns of `shape`: (y, cols) in an image, (cols, y) in a sequence.
    """
    item = np.dtype((np.void, numbers * source.dtype.itemsize))
    order = np.arange(math.prod(shape)).reshape(shape).T.ravel()
    before, after = (x.reshape(-1).view(item).reshape(-1, order.size) for x in (source, out))
    np.take(before, order, axis=1, out=after, mode="clip")  # for "raise", the default, NumPy would fill a copy of `out`


def patchify_plain(images, patch):
    """`patchify` as one reshape, one transpose, one reshape: the version to read, and what the other is held to.

    images (..., H, W, C) -> (..., N, P*P*C). Source: ViT (arXiv 2010.11929, section 3.1).

    >>> patchify_plain(np.arange(16).reshape(4, 4, 1), 2)[1].tolist()
    [2, 3, 6, 7]
    """
    rows, cols = _checks.check_image(images.shape, patch)
    (*batch, height, width, channels) = images.shape
    cells = images.reshape(*batch, rows, patch, cols, patch, channels)
    cells = np.swapaxes(cells, -4, -3)  # (..., rows, cols, y, x, C)
    return cells.reshape(*batch, rows * cols, patch * patch * channels)


@has_cuda_twin
def unpatchify(rows, patch, grid, *, out=None):
    """Put patches back together: the inverse of `patchify`.

    rows (..., N, P*P*C) and grid = (rows, cols) with rows*cols = N; returns images (..., H, W, C).
    N alone does not say the shape of the image: 12 patches are 3x4, 4x3, 2x6, ... so the grid is asked for.

    Raises ValueError when the grid does not hold N patches, or a row is not P*P*C long for a whole C.
    Source: the inverse of the reshape in ViT (arXiv 2010.11929, section 3.1).

    >>> image = np.arange(16).reshape(4, 4, 1)
    >>> bool((unpatchify(patchify(image, 2), 2, (2, 2)) == image).all())
    True
    """
    _checks.check_array(rows, "rows")
    patch, grid, channels = _checks.check_rows(rows.shape, patch, grid)
    batch = rows.shape[:-2]
    shape = (*batch, grid[0] * patch, grid[1] * patch, channels)
    out = np.empty(shape, rows.dtype) if out is None else _checks.check_out(out, shape, rows.dtype)
    _transpose_strips(np.ascontiguousarray(rows), out, (grid[1], patch), patch * channels)
    return out


@has_cuda_twin
def normalize_patchify(images, patch, mean, std, *, dtype=np.float32, out=None):
    """Scale, normalise and cut uint8 images in one pass over memory.

    images (B, H, W, C) uint8; mean and std are C numbers on the scale 0 to 1; returns
    ((images/255 - mean)/std) as (B, N, P*P*C) of `dtype` (float32 or float16), laid out as by `patchify`.
    Each strip of one patch row is computed in float32 in a buffer that stays in cache, then cut from there.

    Raises TypeError for other than uint8, ValueError for a rank other than 4, indivisible sides,
    or means and deviations that are not C finite numbers with std > 0.
    Source: the `do_rescale`, `do_normalize` steps of transformers' image processors.

    >>> white = np.full((1, 2, 2, 1), 255, np.uint8)
    >>> normalize_patchify(white, 2, [0.5], [0.5]).tolist()
    [[[1.0, 1.0, 1.0, 1.0]]]
    """
    _checks.check_array(images, "images")
    if images.dtype != np.uint8:
        raise TypeError(f"images are {images.dtype}; expected uint8 (for floats: normalise, then patchify)")
    patch = _checks.whole(patch, "patch")
    grid = _checks.check_batch(images.shape, patch)
    batch, height, width, channels = images.shape
    if dtype not in (np.float32, np.float16, "float32", "float16"):
        raise TypeError(f"dtype is {dtype}; normalize_patchify writes float32 or float16")
    dtype = np.dtype(dtype)
    scale, shift = _checks.affine(mean, std, channels, np.finfo(dtype).max)
    scale, shift = np.tile(scale, width), np.tile(shift, width)  # (W*C,): long rows, no loop over channels
    shape = (batch, grid[0] * grid[1], patch * patch * channels)
    out = np.empty(shape, dtype) if out is None else _checks.check_out(out, shape, dtype)

    lines = np.ascontiguousarray(images).reshape(batch, grid[0], patch, width * channels)
    strip = np.empty((patch, width * channels), np.float32)
    cast = strip if dtype == np.float32 else np.empty_like(strip, dtype)
    piece = np.dtype((np.void, patch * channels * dtype.itemsize))
    source = cast.view(piece).T  # (cols, y)
    target = out.view(piece).reshape(batch, *grid, patch)
    for b in range(batch):
        for r in range(grid[0]):
            np.copyto(strip, lines[b, r])
            np.multiply(strip, scale, out=strip)
            np.add(strip, shift, out=cast, casting="same_kind")
            target[b, r] = source
    return out


@has_cuda_twin
def qwen_rows(frames, *, patch=14, merge=2, temporal=2):
    """Lay frames out as the Qwen2-VL processors do: merge blocks together, two frames a row, channels first.

    frames (T, H, W, C), float and already normalised; T is padded to a multiple of `temporal` by repeating
    the last frame, so a still image (T = 1) fills both halves of each row. Returns (rows, grid_thw): rows
    (N, C*temporal*P*P) in the order (t, row block, col block, row in block, col in block), a row being
    (channel, frame, y, x), and grid_thw = (T/temporal, H/P, W/P) as ints.

    Raises ValueError when merge*P does not divide both sides, or for an empty clip.
    Source: transformers 5.23.0, `models/qwen2_vl/image_processing_qwen2_vl.py`.

    >>> rows, grid_thw = qwen_rows(np.zeros((1, 56, 84, 3), np.float32))
    >>> rows.shape, grid_thw
    ((24, 1176), (1, 4, 6))
    """
    _checks.check_array(frames, "frames")
    patch, merge, temporal = _checks.check_frames(frames.shape, patch, merge, temporal)
    missing = -len(frames) % temporal
    if missing:
        frames = np.concatenate([frames, np.repeat(frames[-1:], missing, axis=0)])
    length, height, width, channels = frames.shape
    grid_thw = (length // temporal, height // patch, width // patch)
    cells = frames.reshape(
        grid_thw[0], temporal, grid_thw[1] // merge, merge, patch, grid_thw[2] // merge, merge, patch, channels
    )
    cells = cells.transpose(0, 2, 5, 3, 6, 8, 1, 4, 7)  # (t, R, S, r, s, C, frame, y, x)
    rows = cells.reshape(math.prod(grid_thw), channels * temporal * patch * patch)
    return rows.copy() if np.may_share_memory(rows, frames) else rows, grid_thw  # of one grey patch: a view


@has_cuda_twin
def normalize_qwen_rows(images, mean, std, *, patch=14, merge=2, temporal=2, dtype=np.float32, out=None):
    """Scale, normalise and lay out uint8 stills in Qwen order in one pass: `qwen_rows` as `normalize_patchify`.

    images (B, H, W, C) uint8; mean and std are C numbers on the scale 0 to 1; returns (B, N, C*temporal*P*P) of
    `dtype` (float32 or float16): for each image the rows that `qwen_rows` gives for its one normalised frame,
    which is written `temporal` times, with grid_thw = (1, H/P, W/P). Each strip of `merge` patch rows is
    computed channel by channel in a buffer that stays in cache, then cut from there.

    Raises TypeError for other than uint8, ValueError for a rank other than 4, sides that merge*P does not divide,
    or means and deviations that are not C finite numbers with std > 0.
    Source: transformers 5.23.0, `models/qwen2_vl/image_processing_qwen2_vl.py`.

    >>> image = np.array([[0, 255], [255, 0]], np.uint8)[None, :, :, None]
    >>> normalize_qwen_rows(image, [0.5], [0.5], patch=1)[0].tolist()
    [[-1.0, -1.0], [1.0, 1.0], [1.0, 1.0], [-1.0, -1.0]]
    """
    _checks.check_array(images, "images")
    if images.dtype != np.uint8:
        raise TypeError(f"images are {images.dtype}; expected uint8 (for floats: normalise, then qwen_rows)")
    _checks.check_batch(images.shape, patch)
    patch, merge, temporal = _checks.check_frames((1, *images.shape[1:]), patch, merge, temporal)
    batch, height, width, channels = images.shape
    if dtype not in (np.float32, np.float16, "float32", "float16"):
        raise TypeError(f"dtype is {dtype}; normalize_qwen_rows writes float32 or float16")
    dtype = np.dtype(dtype)
    scale, shift = (x[:, None, None] for x in _checks.affine(mean, std, channels, np.finfo(dtype).max))
    rows, cols = height // patch, width // patch
    shape = (batch, rows * cols, channels * temporal * patch * patch)
    out = np.empty(shape, dtype) if out is None else _checks.check_out(out, shape, dtype)

    strips = images.reshape(batch, rows // merge, merge * patch, width, channels)
    strip = np.empty((channels, merge * patch, width), np.float32)
    cast = strip if dtype == np.float32 else np.empty_like(strip, dtype)
    piece = np.dtype((np.void, patch * dtype.itemsize))  # one pixel row of one channel of one patch
    source = cast.view(piece).reshape(channels, merge, patch, cols // merge, merge)
    source = source.transpose(3, 1, 4, 0, 2)[..., None, :]  # (block, row in block, col in block, C, 1, y)
    target = out.view(piece).reshape(batch, rows // merge, cols // merge, merge, merge, channels, temporal, patch)
    for b in range(batch):
        for r in range(rows // merge):
            np.copyto(strip, strips[b, r].transpose(2, 0, 1))
            np.multiply(strip, scale, out=strip)
            np.add(strip, shift, out=cast, casting="same_kind")
            target[b, r] = source  # once a frame
    return out


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
    height, width = _checks.check_resize(height, width, rule)
    factor, min_pixels, max_pixels = _checks.check_bounds(factor, min_pixels, max_pixels)
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
    height, width = _checks.check_size(height, width)
    tile, min_tiles, max_tiles = (
        _checks.whole(tile, "tile"),
        _checks.whole(min_tiles, "min_tiles"),
        _checks.whole(max_tiles, "max_tiles"),
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
    from mmtokedu import _image_rules  # the rules use this module's smart_resize and tile_grid

    return _image_rules.image_tokens(model, height, width)


def pack_lengths(lengths):
    """Where each image begins and ends when sequences are packed end to end instead of padded.

    lengths: one count of tokens per image, each at least 0; returns cu_seqlens, int32, one longer, with a leading 0:
    image i owns positions cu_seqlens[i] to cu_seqlens[i + 1] of the packed sequence.

    Raises ValueError for negative lengths or a total beyond int32. Source: NaViT (arXiv 2307.06304).

    >>> pack_lengths([4, 6, 2]).tolist()
    [0, 4, 10, 12]
    """
    lengths = _counts(lengths, "lengths")
    ends = np.concatenate([[0], np.cumsum(lengths)])
    if ends[-1] > np.iinfo(np.int32).max:
        raise ValueError(f"{ends[-1]} tokens do not fit the int32 of cu_seqlens; pack fewer images")
    return ends.astype(np.int32)


def block_mask(cu_seqlens):
    """Who may attend to whom in a packed sequence: every token to its own image, none to another's.

    cu_seqlens (S + 1,), as made by `pack_lengths`, S images; returns a bool mask (N, N), True = may attend.

    Raises ValueError when cu_seqlens does not start at 0 or falls. Source: NaViT (arXiv 2307.06304).

    >>> block_mask(pack_lengths([1, 2])).astype(int).tolist()
    [[1, 0, 0], [0, 1, 1], [0, 1, 1]]
    """
    cu_seqlens = _counts(cu_seqlens, "cu_seqlens")
    if len(cu_seqlens) == 0 or cu_seqlens[0] != 0 or (np.diff(cu_seqlens) < 0).any():
        raise ValueError(f"cu_seqlens must start at 0 and never fall; got {cu_seqlens.tolist()}")
    tokens = cu_seqlens[-1]
    if tokens > 65_536:
        raise ValueError(
            f"a mask of {tokens} tokens takes {tokens**2 / 1e9:.0f} GB; block_mask draws up to 65536 "
            "(give cu_seqlens itself to a variable-length attention)"
        )
    owner = np.repeat(np.arange(len(cu_seqlens) - 1), np.diff(cu_seqlens))  # (N,)
    return owner[:, None] == owner[None, :]


def _counts(values, name):
    """A row of whole numbers from 0 to 2^31 - 1 as int64, or an error: nothing is rounded, nothing wraps around."""
    values, most = np.asarray(values), np.iinfo(np.int32).max
    if values.size and values.dtype.kind not in "iub":
        raise TypeError(f"{name} are {values.dtype}; expected whole numbers")
    if values.ndim != 1 or (values.size and not 0 <= values.min() <= values.max() <= most):
        raise ValueError(f"{name} must be a row of counts, from 0 to {most}; got {values.tolist()}")
    return values.astype(np.int64)
