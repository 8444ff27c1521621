"""Triton: the nearest code of each vector, found while the scores are made. No matrix of N x K is ever written."""

import triton
import triton.language as tl


@triton.jit
def _tile(matrix, row, rows, first, D: tl.constexpr, DEPTH: tl.constexpr, KIND: tl.constexpr):
    # Rows, DEPTH numbers from `first` on. What lies outside the matrix reads as 0 and adds nothing to a product.
    d = first + tl.arange(0, DEPTH)
    inside = (row < rows)[:, None] & (d < D)[None, :]
    return tl.load(matrix + row.to(tl.int64)[:, None] * D + d[None, :], mask=inside, other=0.0).to(KIND)


@triton.jit
def _search(
    vectors,  # (N, D)
    codebook,  # (K, D)
    bias,  # (K,) float32: -|e|^2/2
    codes,  # (N,) int64
    gaps,  # (N,) float32: how far the best score is above the second best
    N,
    K,
    D: tl.constexpr,
    ROWS: tl.constexpr,
    CODES: tl.constexpr,
    DEPTH: tl.constexpr,
    KIND: tl.constexpr,  # what is multiplied; sums are float32
    GAPS: tl.constexpr,
):
    n = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    best = tl.full((ROWS,), float("-inf"), tl.float32)
    second = tl.full((ROWS,), float("-inf"), tl.float32)
    code = tl.zeros((ROWS,), tl.int32)
    if D <= DEPTH:
        z = _tile(vectors, n, N, 0, D, DEPTH, KIND)  # short vectors are fetched once and stay
    for start in range(0, K, CODES):
        k = start + tl.arange(0, CODES)
        score = tl.zeros((ROWS, CODES), tl.float32)
        if D <= DEPTH:
            e = _tile(codebook, k, K, 0, D, DEPTH, KIND)
            score = tl.dot(z, e.T, score, input_precision="ieee")
        else:
            for first in range(0, D, DEPTH):
                z = _tile(vectors, n, N, first, D, DEPTH, KIND)
                e = _tile(codebook, k, K, first, D, DEPTH, KIND)
                score = tl.dot(z, e.T, score, input_precision="ieee")
        score += tl.load(bias + k, mask=k < K, other=float("-inf"))[None, :]  # no code beyond the last ever wins

        # The best of this tile, and the lowest index that has it; an earlier tile keeps what it is only equalled in.
        top = tl.max(score, axis=1)
        at = tl.min(tl.where(score == top[:, None], k[None, :], K), axis=1)
        if GAPS:
            other = tl.max(tl.where(k[None, :] == at[:, None], float("-inf"), score), axis=1)
            second = tl.maximum(second, tl.maximum(other, tl.minimum(best, top)))
        code = tl.where(top > best, at, code)
        best = tl.maximum(best, top)
    tl.store(codes + n, code.to(tl.int64), mask=n < N)
    if GAPS:
        tl.store(gaps + n, best - second, mask=n < N)


def plan(rows, width, half):
    """The launch for so many rows of `width` numbers: (programs, compile-time arguments, options)."""
    most = (64 if width <= 64 else 32) if half else 16  # of a long vector less at a time: 64 spill on an A100
    depth = min(most, max(16, triton.next_power_of_2(width)))
    many = triton.next_power_of_2(max(1, rows // 128))  # a card has about so many multiprocessors: work for each
    size = min(128 if half else 64, max(16, many))
    codes = 64 if size < 64 or (half and width > depth) else 128  # what a thread holds stays in its registers
    constants = {"D": width, "ROWS": size, "CODES": codes, "DEPTH": depth}
    options = {"num_warps": 8 if size >= 64 else 4, "num_stages": 3 if half else 2, "enable_fp_fusion": True}
    return triton.cdiv(rows, size), constants, options


def search(vectors, codebook, bias, codes, gaps=None, *, kind):
    """Writes the codes (N,) int64 with the largest vector.code + bias, and how far each is ahead of the next.

    vectors (N, D) and codebook (K, D) contiguous, bias (K,) float32; `kind` is the Triton type that is multiplied.
    """
    programs, constants, options = plan(len(vectors), vectors.shape[1], kind != tl.float32)
    sizes = len(vectors), len(codebook)
    _search[(programs,)](
        vectors, codebook, bias, codes, gaps, *sizes, **constants, KIND=kind, GAPS=gaps is not None, **options
    )
