"""Checks of shapes, sizes and counts, shared by the NumPy functions and their torch twins: they look at no pixel."""

import operator

import numpy as np

from mmtokedu._dispatch import backend_of, is_tensor

MAX_SIDE = 2**31 - 1  # pixels: the largest side that a PNG can state


def check_array(x, name):
    """Raise TypeError unless x is an array or a tensor of numbers."""
    if not (isinstance(x, np.ndarray) or is_tensor(x)):
        raise TypeError(
            f"{name} is {type(x).__name__}; expected a NumPy array or a torch tensor "
            "(a list of one size: np.stack; a file or PIL image: load_image)"
        )
    if getattr(x.dtype, "hasobject", False):
        raise TypeError(f"{name} has dtype object; expected numbers")


def whole(value, name):
    """`value` as an int, or a TypeError: nothing is 10.5 pixels long, and "10" is a text."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected a whole number") from None


def check_size(height, width):
    """Both sides as ints, or an error: they are whole, at least one pixel, and within what any file can hold."""
    height, width = whole(height, "height"), whole(width, "width")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise ValueError(f"image is {height}x{width}; both sides must be at least 1 pixel, at most {MAX_SIDE}")
    return height, width


def check_resize(height, width, rule):
    """Both sides as ints, or an error: a rule nobody has, a side under one pixel, an aspect ratio over 200."""
    if rule not in ("transformers", "qwen-vl-utils"):
        raise ValueError(f'rule is {rule!r}; known rules are "transformers" and "qwen-vl-utils"')
    height, width = check_size(height, width)
    aspect = max(height, width) / min(height, width)
    if aspect > 200:
        raise ValueError(f"image is {height}x{width}: aspect ratio {aspect:.1f} is over 200 (cut it into pieces)")
    return height, width


def check_bounds(factor, min_pixels, max_pixels):
    """The three as ints, or an error unless factor >= 1 and 0 <= min_pixels <= max_pixels."""
    factor, low, high = whole(factor, "factor"), whole(min_pixels, "min_pixels"), whole(max_pixels, "max_pixels")
    if not (1 <= factor <= MAX_SIDE and 0 <= low <= high <= MAX_SIDE**2 and high >= 1):
        raise ValueError(
            f"factor={factor}, min_pixels={low}, max_pixels={high}; need factor >= 1 and 0 <= min_pixels <= max_pixels"
        )
    return factor, low, high


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


# Vectors and codebooks


def positive(value, name):
    """`value` as an int of at least 1, or an error."""
    value = whole(value, name)
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be at least 1")
    return value


def check_floats(x, name):
    """Raise TypeError unless x is an array or a tensor of real floats."""
    check_array(x, name)
    real = x.dtype.kind == "f" if isinstance(x, np.ndarray) else x.dtype.is_floating_point
    if not real:
        raise TypeError(f"{name}: dtype is {x.dtype}; expected floats (astype(np.float32), or .float() of a tensor)")


def check_matrix(x, name):
    """x itself, or an error unless it is an array (rows, columns) of floats with at least one of each."""
    check_floats(x, name)
    if len(x.shape) != 2 or 0 in x.shape:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected (K, D), at least one row and one column")
    return x


def check_finite(x, name):
    """The largest magnitude in x (0 when it is empty), or a ValueError with the first place that is not finite."""
    low, high = (x.min(), x.max()) if x.size else (0, 0)
    if not (np.isfinite(low) and np.isfinite(high)):
        at = np.argwhere(~np.isfinite(x))[0].tolist()
        raise ValueError(
            f"{name}{at} is {x[tuple(at)]}; all numbers must be finite (a diverged run? a float16 overflow?)"
        )
    return max(-float(low), float(high))


def check_vectors(vectors, width):
    """Raise unless vectors are an array (N, width) of floats, N may be 0."""
    check_floats(vectors, "vectors")
    if len(vectors.shape) != 2 or vectors.shape[1] != width:
        raise ValueError(f"vectors have shape {tuple(vectors.shape)}; expected (N, {width}) (reshape(-1, {width})?)")


def check_quantize(vectors, codebook):
    """Both in what distances are computed in, float32 or float64, and of a magnitude that can be squared."""
    check_matrix(codebook, "codebook")
    check_vectors(vectors, codebook.shape[1])
    reach, largest = check_finite(vectors, "vectors"), check_finite(codebook, "codebook")
    wide = max(vectors.itemsize, codebook.itemsize) > 4 or not float32_will_do(reach, largest)
    dtype = np.float64 if wide else np.float32
    vectors, codebook = (x.astype(dtype, copy=False) for x in (vectors, codebook))
    if exponent := common_exponent(reach, largest):
        vectors, codebook = np.ldexp(vectors, -exponent), np.ldexp(codebook, -exponent)
    return vectors, codebook


def float32_will_do(reach, largest):
    """Whether float32 can square vectors up to `reach` and a codebook up to `largest`: none overflow, none vanish."""
    return reach < 1e15 and 1e-15 < largest < 1e15


def common_exponent(reach, largest):
    """0, or the power of two to divide by where even float64 cannot square: that is exact, and the nearest stays so."""
    most = max(reach, largest)
    return 0 if most == 0 or 1e-120 < most < 1e120 else int(np.frexp(most)[1])


def check_codes(codes, size):
    """codes itself, or an error unless they are integers from 0 to size - 1."""
    check_array(codes, "codes")
    if codes.dtype.kind not in "iu":
        raise TypeError(f"codes are {codes.dtype}; expected integers")
    if codes.size:
        check_code_range(int(codes.min()), int(codes.max()), size)
    return codes.astype(np.int64, copy=False)


def check_code_range(low, high, size):
    """Raise unless codes from `low` to `high` are in a codebook of `size`."""
    if low < 0 or high >= size:
        wrong = low if low < 0 else high
        raise ValueError(f"code {wrong} is outside 0 to {size - 1}: the codebook has {size} codes")


def check_codebook(codebook):
    """The codebook as float32 or wider, or an error unless it is a matrix of finite numbers."""
    check_matrix(codebook, "codebook")
    check_finite(codebook, "codebook")
    return codebook.astype(np.result_type(codebook, np.float32), copy=False)


def check_usage(usage, codebook):
    """usage itself in the codebook's dtype, or an error unless it is one positive number a code."""
    check_array(usage, "usage")
    if usage.shape == codebook.shape[:1] and usage.dtype.kind in "iuf":
        with np.errstate(over="ignore"):
            usage = usage.astype(codebook.dtype)
        if np.isfinite(usage).all() and (usage > 0).all():
            return usage
    raise ValueError(f"usage has shape {tuple(usage.shape)}; expected {len(codebook)} finite numbers above 0")


def check_decay(decay):
    """decay itself, or an error outside [0, 1)."""
    if not 0 <= decay < 1:
        raise ValueError(f"decay is {decay}; it must be at least 0 and below 1")
    return decay


def check_ema(state, vectors, codes, decay):
    """(vectors, codes, decay) fit for one update of this state, vectors in its dtype."""
    check_vectors(vectors, state.sum.shape[1])
    check_finite(vectors, "vectors")
    codes = check_codes(codes, len(state.usage))
    check_code_each(vectors, codes)
    return vectors.astype(state.sum.dtype, copy=False), codes, check_decay(decay)


def check_code_each(vectors, codes):
    """Raise unless there is one code a vector."""
    if codes.shape != vectors.shape[:1]:
        raise ValueError(f"{len(vectors)} vectors and codes of shape {tuple(codes.shape)}; need one code a vector")


def check_draws(vectors, draws):
    """Raise unless there is one number a vector."""
    check_array(draws, "draws")
    if draws.shape != vectors.shape[:1]:
        raise ValueError(
            f"{len(vectors)} vectors and draws of shape {tuple(draws.shape)}; need one random number a vector"
        )


def check_restart(state, vectors, threshold, draws):
    """(vectors, draws, threshold) fit for a restart of codes of this state."""
    check_vectors(vectors, state.sum.shape[1])
    check_finite(vectors, "vectors")
    check_draws(vectors, draws)
    return vectors.astype(state.sum.dtype, copy=False), draws, check_threshold(threshold)


def check_threshold(threshold):
    """threshold itself, or an error unless it is a usage: not negative, and no more vectors than there can be."""
    if not 0 <= threshold < 1e30:
        raise ValueError(f"threshold is {threshold}; expected a usage in vectors a batch, 0 or more")
    return threshold


def check_kmeans(vectors, K, draws, iterations):
    """(K, iterations) as ints, or an error when K means of these vectors cannot be."""
    K, iterations = positive(K, "K"), whole(iterations, "iterations")
    backend_of("kmeans_init", {"vectors": vectors, "draws": draws})
    check_array(vectors, "vectors")
    if len(vectors.shape) != 2:
        raise ValueError(f"vectors have shape {tuple(vectors.shape)}; expected (N, D)")
    if len(vectors) < K:
        raise ValueError(f"{len(vectors)} vectors cannot have {K} means; give at least {K} vectors, or a smaller K")
    check_draws(vectors, draws)
    return K, iterations


def check_pair(vectors, quantized):
    """Raise unless two arrays of floats have one shape."""
    check_floats(vectors, "vectors")
    check_floats(quantized, "quantized")
    if vectors.shape != quantized.shape:
        raise ValueError(
            f"vectors have shape {tuple(vectors.shape)}, quantized {tuple(quantized.shape)}; need the same"
        )


def check_levels(vectors, levels):
    """levels as an int64 array, or an error; vectors (..., D), unless None, have one dimension a level."""
    levels = np.array([whole(level, "a level") for level in levels], np.int64)
    if not len(levels) or levels.min() < 2 or levels.max() > 1000 or np.prod(levels.astype(float)) >= 2**63:
        raise ValueError(f"levels are {levels.tolist()}; expected whole numbers from 2 to 1000, product below 2^63")
    if vectors is not None:
        check_floats(vectors, "vectors")
        if not vectors.shape or vectors.shape[-1] != len(levels):
            raise ValueError(
                f"vectors have shape {tuple(vectors.shape)}; {len(levels)} levels need (..., {len(levels)})"
            )
        if isinstance(vectors, np.ndarray):
            check_finite(vectors, "vectors")
    return levels


def check_bits(vectors):
    """vectors (..., D) fit for one bit a dimension, or an error."""
    check_floats(vectors, "vectors")
    if not vectors.shape or not 1 <= vectors.shape[-1] <= 62:
        raise ValueError(f"vectors have shape {tuple(vectors.shape)}; a code of 64 bits holds 1 to 62 dimensions")
    if isinstance(vectors, np.ndarray):
        check_finite(vectors, "vectors")
    return vectors
