"""Images become sequences: patches, dynamic resolution, tiles, packing."""

import math

import numpy as np

from mmtokedu._dispatch import has_cuda_twin
from mmtokedu.arguments.common import check_array, whole
from mmtokedu.arguments.patches import affine, check_batch, check_frames, check_image, check_out, check_rows
from mmtokedu.catalog.images import image_tokens as image_tokens
from mmtokedu.catalog.resize import smart_resize as smart_resize
from mmtokedu.catalog.resize import tile_grid as tile_grid
from mmtokedu.media.images import load_image as load_image


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
    check_array(images, "images")
    patch = whole(patch, "patch")
    grid = check_image(images.shape, patch)
    (*batch, _, _, channels) = images.shape
    shape = (*batch, grid[0] * grid[1], patch * patch * channels)
    out = np.empty(shape, images.dtype) if out is None else check_out(out, shape, images.dtype)
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
    rows, cols = check_image(images.shape, patch)
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
    check_array(rows, "rows")
    patch, grid, channels = check_rows(rows.shape, patch, grid)
    batch = rows.shape[:-2]
    shape = (*batch, grid[0] * patch, grid[1] * patch, channels)
    out = np.empty(shape, rows.dtype) if out is None else check_out(out, shape, rows.dtype)
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
    check_array(images, "images")
    if images.dtype != np.uint8:
        raise TypeError(f"images are {images.dtype}; expected uint8 (for floats: normalise, then patchify)")
    patch = whole(patch, "patch")
    grid = check_batch(images.shape, patch)
    batch, height, width, channels = images.shape
    if dtype not in (np.float32, np.float16, "float32", "float16"):
        raise TypeError(f"dtype is {dtype}; normalize_patchify writes float32 or float16")
    dtype = np.dtype(dtype)
    scale, shift = affine(mean, std, channels, np.finfo(dtype).max)
    scale, shift = np.tile(scale, width), np.tile(shift, width)  # (W*C,): long rows, no loop over channels
    shape = (batch, grid[0] * grid[1], patch * patch * channels)
    out = np.empty(shape, dtype) if out is None else check_out(out, shape, dtype)

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
    check_array(frames, "frames")
    patch, merge, temporal = check_frames(frames.shape, patch, merge, temporal)
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
    check_array(images, "images")
    if images.dtype != np.uint8:
        raise TypeError(f"images are {images.dtype}; expected uint8 (for floats: normalise, then qwen_rows)")
    check_batch(images.shape, patch)
    patch, merge, temporal = check_frames((1, *images.shape[1:]), patch, merge, temporal)
    batch, height, width, channels = images.shape
    if dtype not in (np.float32, np.float16, "float32", "float16"):
        raise TypeError(f"dtype is {dtype}; normalize_qwen_rows writes float32 or float16")
    dtype = np.dtype(dtype)
    scale, shift = (x[:, None, None] for x in affine(mean, std, channels, np.finfo(dtype).max))
    rows, cols = height // patch, width // patch
    shape = (batch, rows * cols, channels * temporal * patch * patch)
    out = np.empty(shape, dtype) if out is None else check_out(out, shape, dtype)

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
