"""What `mmtokedu.vq` refuses, shared by the NumPy functions, their torch twins and the layers."""

import math

import numpy as np

from mmtokedu._dispatch import backend_of
from mmtokedu.arguments.common import (
    check_array,
    check_codes,
    check_finite,
    check_floats,
    check_matrix,
    check_vectors,
    positive,
    whole,
)


def check_quantize(vectors, codebook):
    """The largest magnitude in the vectors, and in the codebook as a list of one, or an error."""
    check_matrix(codebook, "codebook")
    check_vectors(vectors, codebook.shape[1])
    return check_finite(vectors, "vectors"), [check_finite(codebook, "codebook")]


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


def check_layer(K, D, learn, commitment, decay, restart_below):
    """(K, D) as ints, or an error when there can be no quantizer with such a codebook that learns in this way."""
    K, D = positive(K, "K"), positive(D, "D")
    if K * D >= 2**60:
        raise ValueError(f"a codebook of {K}x{D} has {K * D} numbers; no machine holds 2^60")
    if learn not in ("ema", "gradient"):
        raise ValueError(f'learn is {learn!r}; it is "ema" or "gradient"')
    if not 0 <= commitment < math.inf:
        raise ValueError(f"commitment is {commitment}; it weighs a loss: a finite number, 0 or more")
    check_decay(decay)
    if not 0 <= restart_below <= 1:
        raise ValueError(f"restart_below is {restart_below}; it is a share of the average usage, 0 to 1")
    return K, D


def check_start(codebook, K, D):
    """The codebook that a layer starts from, itself, or an error unless it is (K, D) floats."""
    check_floats(codebook, "codebook")
    if tuple(codebook.shape) != (K, D):
        raise ValueError(f"codebook has shape {tuple(codebook.shape)}; a layer of K={K}, D={D} needs ({K}, {D})")
    return codebook


def check_last(vectors, width):
    """Raise unless vectors are (..., width) floats."""
    check_floats(vectors, "vectors")
    if not vectors.shape or vectors.shape[-1] != width:
        raise ValueError(f"vectors have shape {tuple(vectors.shape)}; expected (..., {width})")


def check_levels(vectors, levels):
    """levels as an int64 array, or an error; vectors (..., D), unless None, have one dimension a level."""
    levels = [whole(level, "a level") for level in levels]
    if not levels or min(levels) < 2 or max(levels) > 1000 or math.prod(levels) >= 2**63:
        raise ValueError(f"levels are {levels}; expected whole numbers from 2 to 1000, product below 2^63")
    levels = np.array(levels, np.int64)
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
