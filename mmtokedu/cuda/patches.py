"""Torch twins of `mmtokedu.patches`; the docstrings are there."""

import functools
import math

import numpy as np
import torch

from mmtokedu import patches
from mmtokedu.arguments.common import check_array, whole
from mmtokedu.arguments.patches import affine, check_batch, check_frames, check_image, check_rows
from mmtokedu.cuda import runs_triton


def patchify(images, patch, *, out=None):
    """See `mmtokedu.patches.patchify`."""
    check_array(images, "images")
    patch = whole(patch, "patch")
    if out is None and _numpy_will_do(images):  # NumPy moves a pixel row at a time, torch an element
        return torch.from_numpy(patches.patchify(images.numpy(), patch))
    rows, cols = check_image(images.shape, patch)
    (*batch, _, _, channels) = images.shape
    cells = images.reshape(*batch, rows, patch, cols, patch, channels).transpose(-4, -3)
    return _deliver(cells, (*batch, rows * cols, patch * patch * channels), out)


def unpatchify(rows, patch, grid, *, out=None):
    """See `mmtokedu.patches.unpatchify`."""
    check_array(rows, "rows")
    if out is None and _numpy_will_do(rows):
        return torch.from_numpy(patches.unpatchify(rows.numpy(), patch, grid))
    patch, grid, channels = check_rows(rows.shape, patch, grid)
    batch = rows.shape[:-2]
    cells = rows.reshape(*batch, *grid, patch, patch, channels).transpose(-4, -3)
    return _deliver(cells, (*batch, grid[0] * patch, grid[1] * patch, channels), out)


def normalize_patchify(images, patch, mean, std, *, dtype=torch.float32, out=None):
    """See `mmtokedu.patches.normalize_patchify`; `dtype` may be torch.bfloat16 too."""
    check_array(images, "images")
    patch = whole(patch, "patch")
    if images.dtype != torch.uint8:
        raise TypeError(f"images are {images.dtype}; expected uint8 (for floats: normalise, then patchify)")
    dtype = _float_dtype(dtype, "normalize_patchify")
    rows, cols = check_batch(images.shape, patch)
    batch, _, _, channels = images.shape
    scale, shift = _affine(images, mean, std, dtype)
    if runs_triton(images):
        from mmtokedu.cuda.kernels import patches as kernels

        shape = (batch, rows * cols, patch * patch * channels)
        out = torch.empty(shape, dtype=dtype, device=images.device) if out is None else _check_out(out, shape, dtype)
        kernels.normalize_patchify(images.contiguous(), patch, scale, shift, out)
        return out
    return patchify(torch.addcmul(shift, images.to(torch.float32), scale).to(dtype), patch, out=out)


def qwen_rows(frames, *, patch=14, merge=2, temporal=2):
    """See `mmtokedu.patches.qwen_rows`."""
    check_array(frames, "frames")
    patch, merge, temporal = check_frames(frames.shape, patch, merge, temporal)
    missing = -len(frames) % temporal
    if missing:
        frames = torch.cat([frames, frames[-1:].expand(missing, -1, -1, -1)])
    length, height, width, channels = frames.shape
    grid_thw = (length // temporal, height // patch, width // patch)
    cells = frames.reshape(
        grid_thw[0], temporal, grid_thw[1] // merge, merge, patch, grid_thw[2] // merge, merge, patch, channels
    )
    cells = cells.permute(0, 2, 5, 3, 6, 8, 1, 4, 7)
    return _deliver(cells, (math.prod(grid_thw), channels * temporal * patch * patch), None), grid_thw


def normalize_qwen_rows(images, mean, std, *, patch=14, merge=2, temporal=2, dtype=torch.float32, out=None):
    """See `mmtokedu.patches.normalize_qwen_rows`; `dtype` may be torch.bfloat16 too."""
    check_array(images, "images")
    if images.dtype != torch.uint8:
        raise TypeError(f"images are {images.dtype}; expected uint8 (for floats: normalise, then qwen_rows)")
    rows, cols = check_batch(images.shape, patch)
    patch, merge, temporal = check_frames((1, *images.shape[1:]), patch, merge, temporal)
    dtype = _float_dtype(dtype, "normalize_qwen_rows")
    batch, _, _, channels = images.shape
    scale, shift = _affine(images, mean, std, dtype)
    shape = (batch, rows * cols, channels * temporal * patch * patch)
    if runs_triton(images):
        from mmtokedu.cuda.kernels import patches as kernels

        out = torch.empty(shape, dtype=dtype, device=images.device) if out is None else _check_out(out, shape, dtype)
        kernels.normalize_qwen_rows(images.contiguous(), patch, merge, temporal, scale, shift, out)
        return out
    numbers = torch.addcmul(shift, images.to(torch.float32), scale).to(dtype)
    cells = numbers.reshape(batch, rows // merge, merge, patch, cols // merge, merge, patch, channels)
    cells = cells.permute(0, 1, 4, 2, 5, 7, 3, 6)[..., None, :, :]  # (B, R, S, r, s, C, 1, y, x)
    return _deliver(cells.expand(*cells.shape[:6], temporal, patch, patch), shape, out)


# The reference's names, so that one call fits both.
_DTYPES = ((np.float32, "float32"), torch.float32), ((np.float16, "float16"), torch.float16)
_NUMPY_TOO = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64} | {
    torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128
}  # fmt: skip


def _float_dtype(dtype, name):
    dtype = next((ours for names, ours in _DTYPES if dtype in names), dtype)
    if dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise TypeError(f"dtype is {dtype}; {name} writes float32, float16 or bfloat16")
    return dtype


def _affine(images, mean, std, dtype):
    """`affine` for these images, as two float32 tensors (C,) beside them."""
    mean, std = (x.tolist() if hasattr(x, "tolist") else x for x in (mean, std))
    about = images.shape[-1], torch.finfo(dtype).max, images.device
    try:
        return _constants(tuple(mean), tuple(std), *about)
    except TypeError:  # one number instead of several, or something that is none
        return _constants.__wrapped__(mean, std, *about)


@functools.lru_cache(maxsize=32)
def _constants(mean, std, channels, largest, device):
    """Kept on the device: the next batch needs no copy, and a CUDA graph can hold the call."""
    with torch.inference_mode(False):  # it is kept, and the next caller may want gradients through it
        return [torch.from_numpy(x).to(device) for x in affine(mean, std, channels, largest)]


def _numpy_will_do(x):
    """On the CPU, outside autograd and for a dtype that NumPy has, the reference runs on the shared memory."""
    lazy = x.is_conj() or x.is_neg()
    return x.device.type == "cpu" and x.dtype in _NUMPY_TOO and not (x.requires_grad or lazy)


def _deliver(cells, shape, out):
    if out is None:
        return cells.clone(memory_format=torch.contiguous_format).view(shape)
    _check_out(out, shape, cells.dtype)
    if out.untyped_storage().data_ptr() == cells.untyped_storage().data_ptr():
        cells = cells.clone()  # written over its own source, as NumPy allows
    out.view(cells.shape).copy_(cells)
    return out


def _check_out(out, shape, dtype):
    if not isinstance(out, torch.Tensor):
        raise TypeError(f"out is {type(out).__name__}; need a contiguous tensor, {dtype} {tuple(shape)}")
    if tuple(out.shape) != tuple(shape) or out.dtype != dtype or not out.is_contiguous():
        order = "contiguous" if out.is_contiguous() else "not contiguous"
        raise ValueError(f"out is {out.dtype} {tuple(out.shape)}, {order}; need contiguous {dtype} {tuple(shape)}")
    return out
