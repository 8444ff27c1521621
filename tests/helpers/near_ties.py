"""When a code is right: the protocol that unit and parity tests share.

A code is right when its squared distance, from differences in float64, is at most 1.00001 of the least one: wherever the
vectors lie and however the codes are spread. Where the least distance is 0, only a code at distance 0 will do.

Of residual quantization each stage is judged by itself, on what the codes under test left of the vectors before it: one
other code, however near, changes all that follow.
"""

import numpy as np

LIMIT = 1.00001
EPS = np.finfo(np.float32).eps


def coarse(x, backend, unit):
    """`x`; for Triton's interpreter rounded to multiples of `unit`, so that sums of products are exact.

    A card scores equal codes equally. The interpreter multiplies with NumPy, which may not.
    """
    return np.round(x / np.float32(unit)) * np.float32(unit) if backend.name == "triton" else x


def ratios(codes, vectors, codebook):
    """The squared distance (N,) of each code over the least one: 1 for the nearest, also where both are 0."""
    mine, least, _ = _distances(codes, vectors, codebook)
    return np.divide(mine, least, out=np.where(mine > 0, np.inf, 1.0), where=least > 0)


def regrets(codes, vectors, codebook):
    """How much farther (N,) each code is than the nearest, in units of eps (|z| + max |e|)^2, eps of float32.

    Other packages are judged by this: a search by float32 products cannot tell apart what is within 4 units.
    """
    mine, least, scale = _distances(codes, vectors, codebook)
    return (mine - least) / np.maximum(EPS * scale, np.finfo(np.float64).tiny)


def _distances(codes, vectors, codebook):
    """In float64 from differences, (N,) each: squared distance of the code, the least one, (|z| + max |e|)^2."""
    vectors, codebook = vectors.astype(np.float64), codebook.astype(np.float64)
    mine, least = np.empty((2, len(vectors)))
    step = max(1, 2**22 // codebook.size)
    for start in range(0, len(vectors), step):
        rows = slice(start, start + step)
        distances = ((vectors[rows, None] - codebook) ** 2).sum(axis=-1)
        mine[rows], least[rows] = distances[np.arange(len(distances)), codes[rows]], distances.min(axis=1)
    return mine, least, (np.linalg.norm(vectors, axis=1) + np.linalg.norm(codebook, axis=1).max()) ** 2


def assert_nearest(codes, vectors, codebook, *, flips=1e-3):
    """Fail unless every code is the nearest but for near ties, and nearly all are the nearest exactly."""
    assert codes.shape == vectors.shape[:1] and codes.dtype == np.int64
    assert not len(codes) or 0 <= codes.min() <= codes.max() < len(codebook)
    found = ratios(codes, vectors, codebook)
    worst = found.max(initial=1)
    assert worst <= LIMIT, f"code {codes[found.argmax()]} of vector {found.argmax()}: {worst:.7g} of the least distance"
    assert (found > 1).mean() <= flips if len(found) else True, f"{(found > 1).sum()} of {len(found)} codes differ"


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
