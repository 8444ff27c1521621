"""Those who quantize what the stage before left, each made ready for a stack of codebooks (Q, K, D): a function of
NumPy rows (N, D) that returns codes (N, Q).

faiss has its indexes and the others hold their codebooks before the clock starts; ours prepares its tables in
each call.
"""

import warnings

import numpy as np
from _vq_peers import EPS, faiss_flat, judge, load_encodec, torch

from mmtokedu import rvq, vq


def ours(codebooks):
    return lambda rows: rvq.rvq_encode(rows, codebooks)


def ours_on_tensors(codebooks):
    tensor = torch().from_numpy
    stack = tensor(codebooks)
    return lambda rows: rvq.rvq_encode(tensor(rows), stack)


def ours_plain(codebooks):
    return lambda rows: rvq.rvq_encode_plain(rows, codebooks)


def matrix_product(codebooks):
    """What no search by scores can do without: the product of the rows with all codes, by the same tiles, dropped."""
    vectors, codes = vq.TILE
    scores, tables = np.empty((vectors, codes), np.float32), [np.ascontiguousarray(e.T) for e in codebooks]

    def products(rows):
        for start in range(0, len(rows), vectors):
            block = rows[start : start + vectors]
            for table in tables:
                for first in range(0, table.shape[1], codes):
                    part = table[:, first : first + codes]
                    np.matmul(block, part, out=scores[: len(block), : part.shape[1]])

    return products


def by_stages(codebooks, searches):
    """The loop that all of the others run: search, look up, take off, for the next stage."""

    def encode(rows):
        residual, codes = rows, []
        for codebook, search in zip(codebooks, searches):
            codes.append(search(residual))
            residual = residual - codebook[codes[-1]]
        return np.stack(codes, axis=1)

    return encode


def faiss_stages(codebooks):
    return by_stages(codebooks, [faiss_flat(codebook) for codebook in codebooks])


def numpy_expansion(codebooks):
    """|z|^2 - 2 z.e + |e|^2 in NumPy, as one writes it first: every score of a stage at once."""

    def search(codebook):
        lengths = (codebook**2).sum(axis=1)
        return lambda rows: ((rows**2).sum(axis=1, keepdims=True) - 2 * rows @ codebook.T + lengths).argmin(axis=1)

    return by_stages(codebooks, [search(codebook) for codebook in codebooks])


def torch_cdist(codebooks):
    tensor = torch().from_numpy
    stack = tensor(codebooks)

    def encode(rows):
        residual, codes = tensor(rows), []
        for codebook in stack:
            codes.append(torch().cdist(residual, codebook).argmin(dim=1))
            residual = residual - codebook[codes[-1]]
        return torch().stack(codes, dim=1)

    return encode


def encodec(codebooks):
    """`encode` of the residual quantizer, which is what the codec calls to compress."""
    Q, size, width = codebooks.shape
    module = load_encodec()
    quantizer = module.ResidualVectorQuantization(num_quantizers=Q, dim=width, codebook_size=size, kmeans_init=False)
    for layer, codebook in zip(quantizer.eval().layers, codebooks):
        layer._codebook.embed.copy_(torch().from_numpy(codebook))
    return torch().no_grad()(lambda rows: quantizer.encode(torch().from_numpy(rows).T[None])[:, 0].T)


def vector_quantize_pytorch(codebooks):
    """The layer's forward in eval mode; it has no cheaper way to the codes alone."""
    Q, size, width = codebooks.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for CUDA's autocast wherever it is
        from vector_quantize_pytorch import ResidualVQ

        quantizer = ResidualVQ(dim=width, num_quantizers=Q, codebook_size=size).eval()
    for layer, codebook in zip(quantizer.layers, codebooks):
        layer.codebook = torch().from_numpy(codebook)

    def codes(rows):
        with torch().no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return quantizer(torch().from_numpy(rows)[None])[1][0]

    return codes


MAKERS = {  # name in the table -> function that makes it ready
    "faiss IndexFlatL2, stage by stage": faiss_stages,
    "matrix product alone": matrix_product,
    "rvq_encode, NumPy": ours,
    "rvq_encode, torch tensors": ours_on_tensors,
    "rvq_encode_plain, NumPy": ours_plain,
    "NumPy expansion, stage by stage": numpy_expansion,
    "torch cdist, argmin, stage by stage": torch_cdist,
    "EnCodec encode": encodec,
    "vector-quantize-pytorch eval forward": vector_quantize_pytorch,
}
NO_ANSWER = {"matrix product alone"}


def drawn(count, stages, size, width, sets, dtype=np.float32):
    """Codebooks (stages, size, width), each half as large as the one before, and `sets` inputs (count, width)."""
    rng = np.random.default_rng(0)
    codebooks = rng.standard_normal((stages, size, width), np.float32)
    codebooks *= np.float32(0.5) ** np.arange(stages, dtype=np.float32)[:, None, None]
    return [codebooks.astype(dtype)] + [
        rng.standard_normal((count, width), np.float32).astype(dtype) for _ in range(sets)
    ]


def judge_stages(rows, codebooks):
    """A function (name, codes, eps) that ends the run unless each stage has the codes nearest to what was left for it.

    That is what the same codes of the stages before left: one near tie must not make all later stages wrong.
    """

    def check(name, codes, eps=EPS):
        residual = rows
        for q, codebook in enumerate(codebooks):
            judge(residual, codebook)(f"{name}, stage {q}", codes[:, q], eps)
            residual = residual - codebook[codes[:, q]]

    return check
