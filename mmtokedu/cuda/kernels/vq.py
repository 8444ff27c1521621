"""Triton: the nearest code of each vector, found while the scores are made. No matrix of N x K is ever written."""

import triton
import triton.language as tl

from mmtokedu.cuda.kernels.exact import append
from mmtokedu.cuda.kernels.tables import largest_of, on_hopper, part, power, shifted


@triton.jit
def _search(
    vectors,  # (N, D) float16, bfloat16
    codebook,  # (K, D) of the same kind
    bias,  # (K,) float32: -|e|^2/2
    codes,  # (N,) int64
    ratios,  # (N,) float32: what the bias is to be multiplied with, row by row
    slack,  # (N,) float32: how far the best score must be ahead of the second best
    unsure,  # (N,) int32: the rows where it is not
    count,  # (1,) int32, zero: becomes how many these are
    N,
    K,
    D: tl.constexpr,
    ROWS: tl.constexpr,
    CODES: tl.constexpr,  # a power of two
    DEPTH: tl.constexpr,
    KIND: tl.constexpr,  # what is multiplied; sums are float32
    EVEN: tl.constexpr,  # CODES divides K
    TILES: tl.constexpr,  # a power of two, at least as many as there are tiles of CODES
):
    n = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, CODES)
    best = tl.full((ROWS, CODES), float("-inf"), tl.float32)  # of every CODES-th code, from each column on
    second = tl.full((ROWS, CODES), float("-inf"), tl.float32)
    ratio = tl.load(ratios + n, mask=n < N, other=0.0)[:, None]
    if D <= DEPTH:
        z = part(vectors, n, N, 0, D, DEPTH).to(KIND)  # short vectors are fetched once and stay
    for t in range(0, tl.cdiv(K, CODES)):
        k = t * CODES + column
        score = tl.zeros((ROWS, CODES), tl.float32)
        if D <= DEPTH:
            e = part(codebook, k, K, 0, D, DEPTH).to(KIND)
            score = tl.dot(z, e.T, score, input_precision="ieee")
        else:
            for first in range(0, D, DEPTH):
                z = part(vectors, n, N, first, D, DEPTH).to(KIND)
                e = part(codebook, k, K, first, D, DEPTH).to(KIND)
                score = tl.dot(z, e.T, score, input_precision="ieee")
        score += ratio * tl.load(bias + k, mask=k < K, other=0.0)[None, :]
        if not EVEN:
            score = tl.where((k < K)[None, :], score, -1e38)  # no code beyond the last ever wins
        # The last bits of a score name its tile, so that comparing scores is all there is to do. They move it by
        # TILES units of its last place at most.
        marked = ((score.to(tl.int32, bitcast=True) & -TILES) | t).to(tl.float32, bitcast=True)
        second = tl.maximum(second, tl.minimum(best, marked))
        best = tl.maximum(best, marked)

    # Each column has its best; which is the best of these, and is another one near it?
    top = tl.max(best, axis=1)
    tile = best.to(tl.int32, bitcast=True) & (TILES - 1)
    code = tl.min(tl.where(best == top[:, None], tile * CODES + column[None, :], K), axis=1)
    tl.store(codes + n, code.to(tl.int64), mask=n < N)
    others = tl.where(code[:, None] % CODES == column[None, :], second, tl.maximum(best, second))
    close = (top - tl.max(others, axis=1) <= tl.load(slack + n, mask=n < N, other=0.0)) & (n < N)
    append(n, close, unsure, count)


@triton.jit
def _settle(
    vectors,  # (N, D) float32
    offset,  # (D,) float32
    high,  # (K, D) float16
    low,  # (K, D) float16
    bias,  # (K,) float32
    limit,  # (1,) float32
    finer,  # (N,) float32: how far the best score must be ahead of the second best
    unsure,  # (N,) int32
    count,  # (1,) int32
    codes,  # (N,) int64: those of the rows in `unsure` are written again
    doubt,  # (N,) int32: the rows where it is not
    doubts,  # (1,) int32, zero: becomes how many these are
    N,
    K,
    D: tl.constexpr,
    ROWS: tl.constexpr,
    CODES: tl.constexpr,
    DEPTH: tl.constexpr,
):
    # What float32 would say: a product of float32 numbers is three products of halves.
    i = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    listed = tl.load(count)
    if tl.program_id(0) * ROWS < listed:
        n = tl.load(unsure + i, mask=i < listed, other=0)
        most = tl.load(limit)
        scale = power(largest_of(vectors, offset, n, N, D, DEPTH), most)
        best = tl.full((ROWS,), float("-inf"), tl.float32)
        second = best
        code = tl.zeros((ROWS,), tl.int32)
        for start in range(0, K, CODES):
            k = start + tl.arange(0, CODES)
            score = tl.zeros((ROWS, CODES), tl.float32)
            for first in range(0, D, DEPTH):
                z = shifted(vectors, offset, n, N, first, D, DEPTH) * scale[:, None]
                z_high = z.to(tl.float16)
                z_low = (z - z_high.to(tl.float32)).to(tl.float16)
                e_high = part(high, k, K, first, D, DEPTH)
                score = tl.dot(z_low, e_high.T, score)
                score = tl.dot(z_high, part(low, k, K, first, D, DEPTH).T, score)
                score = tl.dot(z_high, e_high.T, score)
            score += (scale / most)[:, None] * tl.load(bias + k, mask=k < K, other=0.0)[None, :]
            score = tl.where((k < K)[None, :], score, float("-inf"))
            top = tl.max(score, axis=1)
            at = tl.min(tl.where(score == top[:, None], k[None, :], K), axis=1)
            next = tl.max(tl.where(k[None, :] == at[:, None], float("-inf"), score), axis=1)
            second = tl.maximum(second, tl.maximum(next, tl.minimum(best, top)))
            code = tl.where(top > best, at, code)
            best = tl.maximum(best, top)
        close = (best - second <= tl.load(finer + n, mask=i < listed, other=0.0)) & (i < listed)
        tl.store(codes + n, code.to(tl.int64), mask=i < listed)
        append(n, close, doubt, doubts)


def plan(rows, codes, width, hopper, processors=128):
    """The launch of `_search` for so many rows and codes of `width` numbers: (programs, compile-time, options).

    A card has about 128 multiprocessors: work for each. Triton's interpreter goes through one program at a time.
    """
    depth = min(64 if width <= 64 else 32, max(16, triton.next_power_of_2(width)))
    size = min(64, max(16, triton.next_power_of_2(max(1, rows // processors))))
    tiles = triton.next_power_of_2(triton.cdiv(codes, 64))
    constants = {"D": width, "ROWS": size, "CODES": 64, "DEPTH": depth, "EVEN": codes % 64 == 0, "TILES": tiles}
    many = size == 64 and width > 64 and not hopper  # then parts of vectors and codes take registers beside the scores
    options = {"num_warps": 8 if many else 4, "num_stages": 4, "enable_fp_fusion": True}
    return triton.cdiv(rows, size), constants, options


def spare(codes, width):
    """By how much of the largest possible score `_search` may be off besides the halves: marks, and rounded sums."""
    return (plan(1, codes, width, False)[1]["TILES"] + width + 8) * 2.0**-23


def search(vectors, codebook, bias, codes, ratios, slack, unsure, count, *, kind):
    """Writes the codes (N,) int64 with the largest vector.code + ratio * bias, and lists what that leaves open.

    vectors (N, D) and codebook (K, D) contiguous, bias (K,) float32; `kind` is the Triton type that is multiplied. The
    rows whose best score is within their slack of the second best are listed in unsure[:count].
    """
    N, D = vectors.shape
    programs, constants, options = plan(N, len(codebook), D, on_hopper(vectors), 128 if vectors.is_cuda else 1)
    _search[(programs,)](
        vectors, codebook, bias, codes, ratios, slack, unsure, count, N, len(codebook),
        **constants, KIND=kind, **options,
    )  # fmt: skip


def settle_plan(rows, width, few=16):
    """The launch of `_settle` where at most so many rows of `width` numbers are unsure, `few` to a program."""
    depth = min(64, max(16, triton.next_power_of_2(width)))
    constants = {"D": width, "ROWS": few, "CODES": 256 if width <= 64 else 128, "DEPTH": depth}
    options = {"num_warps": 4, "num_stages": 2, "enable_fp_fusion": True}
    return triton.cdiv(rows, few), constants, options


def settle(vectors, offset, high, low, bias, limit, finer, unsure, count, codes, doubt, doubts):
    """Writes the codes of the rows unsure[:count] again, as float32 finds them, and lists what that leaves open."""
    N, D = vectors.shape
    programs, constants, options = settle_plan(N, D, 16 if vectors.is_cuda else 64)
    given = vectors, offset, high, low, bias, limit, finer, unsure, count, codes, doubt, doubts
    _settle[(programs,)](*given, N, len(bias), **constants, **options)
