"""Torch twins of `mmtokedu.patches`; the docstrings are there."""

import math

import numpy as np
import torch

from mmtokedu import patches
from mmtokedu.cuda import runs_triton


def patchify(images, patch, *, out=None):
    """See `mmtokedu.patches.patchify`."""
    if out is None and _numpy_will_do(images):  # NumPy moves a pixel row at a time, torch an element
        return torch.from_numpy(patches.patchify(images.numpy(), patch))
    rows, cols = patches.check_image(images.shape, patch)
    (*batch, _, _, channels) = images.shape
    cells = images.reshape(*batch, rows, patch, cols, patch, channels).transpose(-4, -3)
    return _deliver(cells, (*batch, rows * cols, patch * patch * channels), out)


def unpatchify(rows, patch, grid, *, out=None):
    """See `mmtokedu.patches.unpatchify`."""
    if out is None and _numpy_will_do(rows):
        return torch.from_numpy(patches.unpatchify(rows.numpy(), patch, grid))
    channels = patches.check_rows(rows.shape, patch, grid)
    batch = rows.shape[:-2]
    cells = rows.reshape(*batch, *grid, patch, patch, channels).transpose(-4, -3)
    return _deliver(cells, (*batch, grid[0] * patch, grid[1] * patch, channels), out)


def normalize_patchify(images, patch, mean, std, *, dtype=torch.float32, out=None):
    """See `mmtokedu.patches.normalize_patchify`; `dtype` may be torch.bfloat16 too."""
    if images.dtype != torch.uint8:
        raise TypeError(f"images are {images.dtype}; expected uint8 (for floats: normalise, then patchify)")
    dtype = _DTYPES.get(dtype, dtype)
    if dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise TypeError(f"dtype is {dtype}; normalize_patchify writes float32, float16 or bfloat16")
    rows, cols = patches.check_batch(images.shape, patch)
    batch, _, _, channels = images.shape
    scale, shift = (torch.from_numpy(x).to(images.device) for x in patches.affine(mean, std, channels))
    if runs_triton(images):
        from mmtokedu.cuda.kernels import patches as kernels

        shape = (batch, rows * cols, patch * patch * channels)
        out = torch.empty(shape, dtype=dtype, device=images.device) if out is None else _check_out(out, shape, dtype)
        kernels.normalize_patchify(images.contiguous(), patch, scale, shift, out)
        return out
    return patchify(torch.addcmul(shift, images.to(torch.float32), scale).to(dtype), patch, out=out)


def qwen_rows(frames, *, patch=14, merge=2, temporal=2):
    """See `mmtokedu.patches.qwen_rows`."""
    patches.check_frames(frames.shape, patch, merge, temporal)
    missing = -len(frames) % temporal
    if missing:
        frames = torch.cat([frames, frames[-1:].expand(missing, -1, -1, -1)])
    length, height, width, channels = frames.shape
    grid_thw = (length // temporal, height // patch, width // patch)
    cells = frames.reshape(
        grid_thw[0], temporal, grid_thw[1] // merge, merge, patch, grid_thw[2] // merge, merge, patch, channels
    )
    cells = cells.permute(0, 2, 5, 3, 6, 8, 1, 4, 7)
    return cells.reshape(math.prod(grid_thw), channels * temporal * patch * patch), grid_thw


_DTYPES = {np.float32: torch.float32, np.float16: torch.float16}  # the reference's names, so that one call fits both


def _numpy_will_do(x):
    """On the CPU, outside autograd and for a dtype that NumPy has, the reference runs on the shared memory."""
    return x.device.type == "cpu" and not x.requires_grad and x.dtype != torch.bfloat16


def _deliver(cells, shape, out):
    if out is None:
        return cells.reshape(shape)
    _check_out(out, shape, cells.dtype).view(cells.shape).copy_(cells)
    return out


def _check_out(out, shape, dtype):
    if tuple(out.shape) != tuple(shape) or out.dtype != dtype or not out.is_contiguous():
        order = "contiguous" if out.is_contiguous() else "not contiguous"
        raise ValueError(f"out is {out.dtype} {tuple(out.shape)}, {order}; need contiguous {dtype} {tuple(shape)}")
    return out
