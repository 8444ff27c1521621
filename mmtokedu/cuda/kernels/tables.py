"""Triton: float32 numbers as halves, which the tensor cores multiply: codebooks as tables, vectors as rows.

A table holds a codebook less its offset and times a power of two; its numbers are split into high + low, two float16
numbers. What a search by the high ones alone cannot tell apart is worked out beside it.
"""

import torch
import triton
import triton.language as tl


def on_hopper(x):
    """Whether a tensor is on a card whose tensor cores take what they multiply from shared memory (H100, H200)."""
    return x.is_cuda and torch.cuda.get_device_capability(x.device) >= (9, 0)


@triton.jit
def power(largest, limit):
    # The power of two that brings `largest` (at least 0, float32) to 2^13 up to 2^14, or `limit` where that is less.
    exponent = largest.to(tl.int32, bitcast=True) >> 23
    scale = tl.minimum(267 - exponent, 227) << 23
    return tl.minimum(scale.to(tl.float32, bitcast=True), limit)


@triton.jit
def part(matrix, row, rows, first, D: tl.constexpr, DEPTH: tl.constexpr):
    # Rows of a matrix (rows, D), DEPTH numbers from `first` on; what lies outside reads as 0.
    d = first + tl.arange(0, DEPTH)
    inside = (row < rows)[:, None] & (d < D)[None, :]
    return tl.load(matrix + row.to(tl.int64)[:, None] * D + d[None, :], mask=inside, other=0.0)


@triton.jit
def shifted(vectors, offset, row, rows, first, D: tl.constexpr, DEPTH: tl.constexpr):
    # The same less the offset (D,), in float32.
    d = first + tl.arange(0, DEPTH)
    shift = tl.load(offset + d, mask=d < D, other=0.0)
    return part(vectors, row, rows, first, D, DEPTH).to(tl.float32) - shift[None, :]


@triton.jit
def largest_of(vectors, offset, row, rows, D: tl.constexpr, DEPTH: tl.constexpr):
    # The largest magnitude in each of these rows, less the offset.
    largest = tl.zeros((row.shape[0],), tl.float32)
    for first in range(0, D, DEPTH):
        largest = tl.maximum(largest, tl.max(tl.abs(shifted(vectors, offset, row, rows, first, D, DEPTH)), axis=1))
    return largest


@triton.jit
def finest(z, e_ratio, e, D: tl.constexpr):
    # What two scores of high + low may be apart where the true ones are equal: of a row as long as z, codes as long as
    # e at most. high + low is off by 2^-22 of a number or by 2^-25, whichever is more; D sums are rounded.
    return 2.0 * ((D + 32) * 1.2e-7 * (z + e_ratio) + (1 + D) * 6e-8) * e + 1e-37


@triton.jit
def _tables(
    codebooks,  # (Q, K, D)
    offsets,  # (Q, D) float32
    scales,  # (Q,) float32: powers of two
    high,  # (Q, K, D) float16
    low,  # (Q, K, D) float16
    bias,  # (Q, K) float32: -|e|^2/2 of the codes in the table
    longest,  # (Q, 2) float32, zeros: becomes max |e| and max |e - high|
    K,
    D: tl.constexpr,
    CODES: tl.constexpr,
    DEPTH: tl.constexpr,
    SPLIT: tl.constexpr,  # otherwise the codes stay as they are: only the bias is made, and the first of `longest`
):
    q = tl.program_id(1).to(tl.int64)
    k = tl.program_id(0) * CODES + tl.arange(0, CODES)
    scale = tl.load(scales + q)
    squares = tl.zeros((CODES,), tl.float64)
    lost = tl.zeros((CODES,), tl.float32)
    for first in range(0, D, DEPTH):
        e = shifted(codebooks + q * K * D, offsets + q * D, k, K, first, D, DEPTH)
        e = tl.where((k < K)[:, None], e * scale, 0.0)
        squares += tl.sum(e.to(tl.float64) * e.to(tl.float64), axis=1)
        if SPLIT:
            e_high = e.to(tl.float16)
            rest = e - e_high.to(tl.float32)
            lost += tl.sum(rest * rest, axis=1)
            d = first + tl.arange(0, DEPTH)
            at = (q * K + k)[:, None] * D + d[None, :]
            inside = (k < K)[:, None] & (d < D)[None, :]
            tl.store(high + at, e_high, mask=inside)
            tl.store(low + at, rest.to(tl.float16), mask=inside)
    tl.store(bias + q * K + k, (squares * -0.5).to(tl.float32), mask=k < K)
    tl.atomic_max(longest + 2 * q, tl.sqrt(tl.max(squares.to(tl.float32), axis=0)))
    if SPLIT:
        tl.atomic_max(longest + 2 * q + 1, tl.sqrt(tl.max(lost, axis=0)))


@triton.jit
def _halves(
    vectors,  # (N, D) float32
    offset,  # (D,) float32
    limit,  # (1,) float32: the scale of the codebook
    longest,  # (2,) float32
    halves,  # (N, D) float16: the vectors less the offset, each row scaled by itself
    ratios,  # (N,) float32: the scale of the row over that of the codebook
    slack,  # (N,) float32: what two scores of halves may be apart where the true ones are equal
    finer,  # (N,) float32: the same of two scores of high + low
    N,
    D: tl.constexpr,
    ROWS: tl.constexpr,
    DEPTH: tl.constexpr,
    SPARE: tl.constexpr,  # what a score may be off besides, of the largest that it can be
    SPLIT: tl.constexpr,  # otherwise the vectors stay as they are: only `ratios` (ones) and `slack` are made
):
    n = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    most = tl.load(limit)
    scale = tl.zeros((ROWS,), tl.float32) + most
    if SPLIT:
        scale = power(largest_of(vectors, offset, n, N, D, DEPTH), most)
    squares = tl.zeros((ROWS,), tl.float32)
    lost = tl.zeros((ROWS,), tl.float32)
    for first in range(0, D, DEPTH):
        z = shifted(vectors, offset, n, N, first, D, DEPTH) * scale[:, None]
        squares += tl.sum(z * z, axis=1)
        if SPLIT:
            z_high = z.to(tl.float16)
            rest = z - z_high.to(tl.float32)
            lost += tl.sum(rest * rest, axis=1)
            d = first + tl.arange(0, DEPTH)
            tl.store(halves + n[:, None] * D + d[None, :], z_high, mask=(n < N)[:, None] & (d < D)[None, :])
    # z.e - z_high.e_high = (z - z_high).e + z_high.(e - e_high): at most this, for either of two scores.
    ratio = scale / most
    e, e_lost = tl.load(longest), tl.load(longest + 1)
    length = tl.sqrt(squares) + tl.sqrt(lost)
    apart = tl.sqrt(lost) * e + length * e_lost + SPARE * (length + ratio * e) * e
    tl.store(ratios + n, ratio, mask=n < N)
    tl.store(slack + n, 2.0 * apart + 1e-37, mask=n < N)  # and equal ones, however small
    if SPLIT:
        tl.store(finer + n, finest(length, ratio * e, e, D), mask=n < N)


def _blocks(width):
    depth = max(16, min(128, triton.next_power_of_2(width)))
    return {"D": width, "DEPTH": depth}, 4096 // depth


def tables(codebooks, offsets, scales, high, low, bias, longest):
    """Writes the tables of codebooks (Q, K, D): see `_tables`. Without `high` the bias and the longest length alone."""
    Q, K, D = codebooks.shape
    constants, codes = _blocks(D)
    grid = triton.cdiv(K, codes), Q
    _tables[grid](
        codebooks, offsets, scales, high, low, bias, longest, K, CODES=codes, SPLIT=high is not None, **constants
    )


def halves(vectors, offset, limit, longest, out, ratios, slack, finer, spare):
    """Writes the rows of vectors (N, D) as halves, with their scales and what halves cannot tell: see `_halves`.

    Without `out` the vectors are halves already, and the codes are where `limit` is 1: what is told is what sums lose.
    """
    constants, rows = _blocks(vectors.shape[1])
    grid = (triton.cdiv(len(vectors), rows),)
    _halves[grid](
        vectors, offset, limit, longest, out, ratios, slack, finer, len(vectors),
        ROWS=rows, SPARE=spare, SPLIT=out is not None, **constants,
    )  # fmt: skip
