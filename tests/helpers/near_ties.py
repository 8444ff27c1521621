"""When a code is right: the protocol that unit and parity tests share.

In float32 the last digit decides between two codes that are nearly as near, and each library rounds in its own order.
So a code is accepted when its exact distance is the least within 4 eps (|z| + max |e|)^2, eps of float32: that is what
float32 can tell apart. To differ from the exact answer at all is allowed to one vector in a thousand.

Of residual quantization each stage is judged by itself, on what the codes under test left of the vectors before it: one
other code, however near, changes all that follow.
"""

import numpy as np

EPS = np.finfo(np.float32).eps


def coarse(x, backend, unit):
    """`x`; for Triton's interpreter rounded to multiples of `unit`, so that sums of products are exact.

    A card scores equal codes equally. The interpreter multiplies with NumPy, which may not.
    """
    return np.round(x / np.float32(unit)) * np.float32(unit) if backend.name == "triton" else x


def regrets(codes, vectors, codebook):
    """How much farther (N,) each code is than the nearest, in units of eps (|z| + max |e|)^2, computed in float64."""
    vectors, codebook = vectors.astype(np.float64), codebook.astype(np.float64)
    longest = np.linalg.norm(codebook, axis=1).max()
    step = max(1, 2**22 // codebook.size)
    out = np.empty(len(vectors))
    for start in range(0, len(vectors), step):
        rows = slice(start, start + step)
        distances = ((vectors[rows, None] - codebook) ** 2).sum(axis=-1)
        more = distances[np.arange(len(distances)), codes[rows]] - distances.min(axis=1)
        scale = EPS * (np.linalg.norm(vectors[rows], axis=1) + longest) ** 2
        out[rows] = more / np.maximum(scale, np.finfo(np.float64).tiny)
    return out


def assert_nearest(codes, vectors, codebook, *, units=4, flips=1e-3):
    """Fail unless every code is the nearest but for near ties, and nearly all are the nearest exactly."""
    assert codes.shape == vectors.shape[:1] and codes.dtype == np.int64
    assert not len(codes) or 0 <= codes.min() <= codes.max() < len(codebook)
    found = regrets(codes, vectors, codebook)
    worst = found.max(initial=0)
    assert worst <= units, f"code {codes[found.argmax()]} of vector {found.argmax()} is {worst:.3g} units too far"
    assert (found > 0).mean() <= flips if len(found) else True, f"{(found > 0).sum()} of {len(found)} codes differ"


def stages(codes, vectors, codebooks):
    """For each stage its codes (N,), what was left to quantize (N, D) by the codes before them, its codebook (K, D).

    What is left is computed as everybody does it: one subtraction a stage, in float32 or whatever was given.
    """
    dtype = np.result_type(vectors, codebooks, np.float32)
    residual, codebooks = vectors.astype(dtype), codebooks.astype(dtype)
    for column, codebook in zip(codes.T, codebooks):
        yield column, residual, codebook
        residual = residual - codebook[column]


def assert_residual(codes, vectors, codebooks, **limits):
    """`assert_nearest` for codes (N, Q), stage by stage."""
    assert codes.shape == (len(vectors), len(codebooks)) and codes.dtype == np.int64
    for q, stage in enumerate(stages(codes, vectors, codebooks)):
        try:
            assert_nearest(*stage, **limits)
        except AssertionError as error:
            raise AssertionError(f"stage {q}: {error}") from None
