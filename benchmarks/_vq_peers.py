"""Those who look for the nearest code, each made ready for one codebook (K, D): a function of NumPy rows (N, D).

faiss has its index and the others hold their codebook before the clock starts; ours prepares its table in each call.
Tensors share the memory of the rows they are made from, so that nobody copies inside the clock.
"""

import ctypes
import functools
import os
import pathlib
import sys
import types
import warnings

import numpy as np

from mmtokedu import vq

EPS = float(np.finfo(np.float32).eps)
OURS, LIMIT = ("nearest_code", "rvq_encode"), 1.00001  # how the names of ours begin, and what their docstrings say


def ours(codebook):
    return lambda rows: vq.nearest_code(rows, codebook)


def ours_on_tensors(codebook):
    tensor = torch().from_numpy
    table = tensor(codebook)
    return lambda rows: vq.nearest_code(tensor(rows), table)


def matrix_product(codebook):
    """What no search by scores can do without: the product with the codes, by the same tiles, its result dropped."""
    vectors, codes = vq.TILE
    scores, transposed = np.empty((vectors, codes), np.float32), np.ascontiguousarray(codebook.T)

    def product(rows):
        for start in range(0, len(rows), vectors):
            block = rows[start : start + vectors]
            for first in range(0, len(codebook), codes):
                table = transposed[:, first : first + codes]
                np.matmul(block, table, out=scores[: len(block), : table.shape[1]])

    return product


def expansion(codebook):
    """|z|^2 - 2 z.e + |e|^2 in NumPy, as one writes it first: every score at once."""
    lengths = (codebook**2).sum(axis=1)
    return lambda rows: ((rows**2).sum(axis=1, keepdims=True) - 2 * rows @ codebook.T + lengths).argmin(axis=1)


def faiss_flat(codebook):
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatL2(codebook.shape[1])
    index.add(codebook)
    return lambda rows: index.search(rows, 1)[1][:, 0]


def scikit_learn(codebook):
    from sklearn.metrics import pairwise_distances_argmin

    return lambda rows: pairwise_distances_argmin(rows, codebook)


def torch_cdist(codebook):
    tensor = torch().from_numpy
    table = tensor(codebook)
    return lambda rows: torch().cdist(tensor(rows), table).argmin(dim=1)


def encodec(codebook):
    """The quantizer's `encode`, which is what the codec calls to compress."""
    quantizer = load_encodec().EuclideanCodebook(codebook.shape[1], len(codebook)).eval()
    quantizer.embed.copy_(torch().from_numpy(codebook))
    return torch().no_grad()(lambda rows: quantizer.encode(torch().from_numpy(rows)))


def load_encodec():
    """EnCodec imports torchaudio for resampling; nothing here resamples, so an empty module stands in if need be."""
    try:
        import torchaudio  # noqa: F401
    except (ImportError, OSError):
        sys.modules["torchaudio"] = types.ModuleType("torchaudio")
    from encodec.quantization import core_vq

    return core_vq


def vector_quantize_pytorch(codebook):
    """The layer's forward in eval mode; it has no cheaper way to the codes alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for CUDA's autocast wherever it is
        from vector_quantize_pytorch import VectorQuantize

        layer = VectorQuantize(codebook.shape[1], len(codebook)).eval()
    layer.codebook = torch().from_numpy(codebook)

    def codes(rows):
        with torch().no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return layer(torch().from_numpy(rows))[1]

    return codes


@functools.cache
def torch():
    import torch

    torch.set_num_threads(1)
    return torch


MAKERS = {  # name in the table -> function that makes it ready
    "faiss IndexFlatL2": faiss_flat,
    "matrix product alone": matrix_product,
    "nearest_code, NumPy": ours,
    "nearest_code, torch tensors": ours_on_tensors,
    "NumPy expansion, all scores at once": expansion,
    "torch cdist, argmin": torch_cdist,
    "scikit-learn pairwise_distances_argmin": scikit_learn,
    "EnCodec encode": encodec,
    "vector-quantize-pytorch eval forward": vector_quantize_pytorch,
}
NO_ANSWER = {"matrix product alone"}


def drawn(count, width, size, sets, dtype=np.float32):
    """A codebook (size, width) and `sets` different inputs (count, width), all normal: [codebook, rows, rows, ...]."""
    rng = np.random.default_rng(0)
    shapes = [(size, width)] + [(count, width)] * sets
    return [rng.standard_normal(shape, np.float32).astype(dtype) for shape in shapes]


def judge(rows, codebook):
    """A function (name, codes, eps) that ends the run unless these codes are nearest.

    The squared distance of OURS may be LIMIT of the least one, as `nearest_code` says of itself; that of others, who
    say nothing, 4 * eps * (|z| + max |e|)^2 over it. Under 1 in 1000 may be over it at all, unless eps is coarser than
    float32's. The least one is that of the code which a float64 product finds; distances are made from differences.
    """
    z, e = rows.astype(np.float64), codebook.astype(np.float64)
    lengths = (e**2).sum(axis=1)
    blocks = np.array_split(z, 1 + len(z) // 256)
    best = np.concatenate([(block @ e.T * -2 + lengths).argmin(axis=1) for block in blocks])
    least = ((z - e[best]) ** 2).sum(axis=1)
    scale = (np.linalg.norm(z, axis=1) + np.sqrt(lengths.max())) ** 2

    def check(name, codes, eps=EPS):
        over = ((z - e[codes]) ** 2).sum(axis=1) - least
        room = (LIMIT - 1) * least + 1e-15 * scale if name.startswith(OURS) else 4 * eps * scale
        wrong, near = int((over > room).sum()), int((over > 1e-13 * scale).sum())
        if wrong or (near > len(z) / 1000 and eps == EPS):
            sys.exit(f"{name}: of {len(z)} codes {wrong} are not the nearest, {near} not exactly")

    return check


def blas_cores():
    """A note: for which processor each OpenBLAS that is loaded has chosen its kernels (Linux). Times depend on it."""
    maps, found = pathlib.Path("/proc/self/maps"), []
    lines = maps.read_text().splitlines() if maps.exists() else []
    for path in sorted({line.split(maxsplit=5)[-1] for line in lines if "openblas" in line and ".so" in line}):
        names = [f"{scipy}openblas_get_corename{wide}" for scipy in ("scipy_", "") for wide in ("64_", "")]
        asked = next((ask for name in names if (ask := getattr(ctypes.CDLL(path), name, None))), None)
        if asked:
            asked.restype = ctypes.c_char_p
            found.append(f"{pathlib.Path(path).parent.name}: {asked().decode()}")
    told = os.environ.get("OPENBLAS_CORETYPE", "not set")
    return f"OpenBLAS kernels: {', '.join(found) or 'unknown'}; OPENBLAS_CORETYPE {told}"
