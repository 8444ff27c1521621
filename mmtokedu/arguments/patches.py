"""What `mmtokedu.patches` refuses, shared by the NumPy functions and their torch twins: it looks at no pixel."""

import numpy as np

from mmtokedu.arguments.common import MAX_SIDE, check_size, whole


def check_image(shape, patch):
    """The grid (rows, cols) of an image of this shape, or a ValueError that says what to do."""
    if len(shape) < 3:
        raise ValueError(f"image has shape {tuple(shape)}; expected (..., H, W, C) (a grey image: image[..., None])")
    height, width, channels = shape[-3:]
    check_size(height, width)
    if channels < 1:
        raise ValueError(f"image has shape {tuple(shape)}: no channels")
    patch = whole(patch, "patch")
    if patch < 1:
        raise ValueError(f"patch is {patch}; it must be at least 1 pixel")
    _check_divides(height, width, patch, f"patch {patch}")
    return height // patch, width // patch


def check_batch(shape, patch):
    """The grid of a batch of images of this shape, or a ValueError."""
    if len(shape) != 4:
        raise ValueError(f"images have shape {tuple(shape)}; expected (B, H, W, C) (a single image: images[None])")
    return check_image(shape, patch)


def check_rows(shape, patch, grid):
    """(patch, grid, channels) of rows of this shape as ints, or an error."""
    patch = whole(patch, "patch")
    if patch < 1:
        raise ValueError(f"patch is {patch}; it must be at least 1 pixel")
    if len(shape) < 2 or np.shape(grid) != (2,):
        raise ValueError(f"rows have shape {tuple(shape)}, grid {grid}; expected (..., N, P*P*C) and (rows, cols)")
    grid = whole(grid[0], "grid[0]"), whole(grid[1], "grid[1]")
    if min(grid) < 1 or grid[0] * grid[1] != shape[-2]:
        raise ValueError(f"grid {grid[0]}x{grid[1]} holds {grid[0] * grid[1]} patches; rows have {shape[-2]}")
    channels, rest = divmod(shape[-1], patch * patch)
    if rest or not channels:
        raise ValueError(f"rows are {shape[-1]} long; patch {patch} needs a multiple of {patch * patch}")
    return patch, grid, channels


def check_frames(shape, patch, merge, temporal):
    """(patch, merge, temporal) as ints, or an error when frames of this shape do not fit `qwen_rows`."""
    patch, merge, temporal = whole(patch, "patch"), whole(merge, "merge"), whole(temporal, "temporal")
    if not all(1 <= number <= MAX_SIDE for number in (patch, merge, temporal)):
        raise ValueError(f"patch={patch}, merge={merge}, temporal={temporal}; all must be whole, 1 to {MAX_SIDE}")
    if len(shape) != 4:
        raise ValueError(f"frames have shape {tuple(shape)}; expected (T, H, W, C) (one image: image[None])")
    if shape[0] < 1 or shape[3] < 1:
        raise ValueError(f"{shape[0]} frames of {shape[3]} channels; need at least one of each")
    check_size(*shape[1:3])
    _check_divides(*shape[1:3], patch * merge, f"patch*merge {patch * merge}")
    return patch, merge, temporal


def _check_divides(height, width, side, what):
    if height % side or width % side:
        fits = (
            "neither side"
            if height % side and width % side
            else "only the width"
            if height % side
            else "only the height"
        )
        padded = f"{-(-height // side) * side}x{-(-width // side) * side}"
        raise ValueError(f"image is {height}x{width}; {what} divides {fits} (pad to {padded} or use smart_resize)")


def check_out(out, shape, dtype):
    """`out` itself, or an error when results of this shape and dtype cannot be written into it in place."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out is {type(out).__name__}; need a contiguous array, {dtype} {shape}")
    if out.shape != shape or out.dtype != dtype or not (out.flags.c_contiguous and out.flags.writeable):
        order = "contiguous" if out.flags.c_contiguous else "not contiguous"
        order = order if out.flags.writeable else "read-only"
        raise ValueError(f"out is {out.dtype} {out.shape}, {order}; need contiguous {dtype} {shape}")
    return out


def affine(mean, std, channels, largest):
    """(x/255 - mean)/std as x*scale + shift: two float32 arrays (C,), or an error; no result is over `largest`."""
    try:
        mean, std = np.asarray(mean, np.float64).reshape(-1), np.asarray(std, np.float64).reshape(-1)
    except (ValueError, TypeError) as error:
        raise TypeError(f"mean is {mean!r}, std is {std!r}; expected {channels} numbers each") from error
    if len(mean) != channels or len(std) != channels:
        raise ValueError(f"mean has {len(mean)} numbers, std {len(std)}; the images have {channels} channels")
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
        raise ValueError(f"mean {mean.tolist()}, std {std.tolist()}; need finite numbers and std > 0")
    with np.errstate(over="ignore"):  # black is -mean/std, white (1 - mean)/std
        if not (np.abs([-mean / std, (1 - mean) / std]) <= largest).all():
            raise ValueError(f"mean {mean.tolist()}, std {std.tolist()}; results must stay under {largest:.6g}")
    return (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)
