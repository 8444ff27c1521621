"""Triton: residual quantization in one launch. A block of rows stays on the chip through all stages.

Codes are looked for as in `kernels/vq.py`, by the largest z.e - |e|^2/2. Here a float32 product is made of three
products of float16 numbers, so that the tensor cores do it and no stage has to be searched twice.
"""

import triton
import triton.language as tl


@triton.jit
def _power(largest, limit):
    # The power of two that brings `largest` (at least 0, float32) to 2^13 up to 2^14, or `limit` where that is less.
    exponent = largest.to(tl.int32, bitcast=True) >> 23
    scale = tl.minimum(267 - exponent, 227) << 23
    return tl.minimum(scale.to(tl.float32, bitcast=True), limit)


@triton.jit
def _encode(
    vectors,  # (N, D) float32
    codebooks,  # (Q, K, D) float32
    high,  # (Q, K, D) float16: the codes without offset, scaled
    low,  # (Q, K, D) float16: what `high` rounds off
    bias,  # (Q, K) float32: -|e|^2/2 of the scaled codes
    offsets,  # (Q, D) float32
    scales,  # (Q,) float32: powers of two
    codes,  # (N, Q) int64
    N,
    K,
    Q,
    D: tl.constexpr,
    DEPTH: tl.constexpr,  # D or the power of two above
    ROWS: tl.constexpr,
    CODES: tl.constexpr,
):
    n = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    d = tl.arange(0, DEPTH)
    size = tl.full((), 0, tl.int64) + K  # 64 bits: the stack may hold more numbers than 32 can count
    inside = (n < N)[:, None] & (d < D)[None, :]
    residual = tl.load(vectors + n[:, None] * D + d[None, :], mask=inside, other=0.0)
    for q in range(0, Q):
        first = q * size
        limit = tl.load(scales + q)
        z = residual - tl.load(offsets + q * D + d, mask=d < D, other=0.0)[None, :]
        scale = _power(tl.max(tl.abs(z), axis=1), limit)
        z = z * scale[:, None]
        z_high = z.to(tl.float16)
        z_low = (z - z_high.to(tl.float32)).to(tl.float16)
        best = tl.full((ROWS,), float("-inf"), tl.float32)
        code = tl.zeros((ROWS,), tl.int32)
        for start in range(0, K, CODES):
            k = start + tl.arange(0, CODES)
            at = (first + k)[:, None] * D + d[None, :]
            there = (k < K)[:, None] & (d < D)[None, :]
            e_high = tl.load(high + at, mask=there, other=0.0)
            e_low = tl.load(low + at, mask=there, other=0.0)
            score = tl.dot(z_low, e_high.T)
            score = tl.dot(z_high, e_low.T, score)
            score = tl.dot(z_high, e_high.T, score)
            score += (scale / limit)[:, None] * tl.load(bias + first + k, mask=k < K, other=0.0)[None, :]
            score = tl.where((k < K)[None, :], score, float("-inf"))  # no code beyond the last ever wins

            # The best of this tile, its lowest index; an earlier tile keeps what it is only equalled in.
            top = tl.max(score, axis=1)
            found = tl.min(tl.where(score == top[:, None], k[None, :], K), axis=1)
            code = tl.where(top > best, found, code)
            best = tl.maximum(best, top)
        tl.store(codes + n * Q + q, code.to(tl.int64), mask=n < N)
        residual -= tl.load(codebooks + (first + code)[:, None] * D + d[None, :], mask=inside, other=0.0)


BLOCKS = {128: (64, 32), 256: (16, 32)}  # depth -> most rows, codes: what a thread holds stays in its registers


def plan(rows, width):
    """The launch for so many rows of `width` numbers: (programs, compile-time arguments, options)."""
    depth = max(16, triton.next_power_of_2(width))
    most, codes = BLOCKS.get(depth, (64, 64))
    many = triton.next_power_of_2(max(1, rows // 128))  # a card has about so many multiprocessors: work for each
    size = min(most, max(16, many))
    constants = {"D": width, "DEPTH": depth, "ROWS": size, "CODES": codes}
    options = {"num_warps": 4, "num_stages": 2, "enable_fp_fusion": True}
    return triton.cdiv(rows, size), constants, options


def encode(vectors, codebooks, high, low, bias, offsets, scales, codes):
    """Writes the codes (N, Q) int64 of vectors (N, D): all contiguous; see `_encode` for what each holds."""
    programs, constants, options = plan(*vectors.shape)
    Q, K, _ = codebooks.shape
    sizes = len(vectors), K, Q
    _encode[(programs,)](vectors, codebooks, high, low, bias, offsets, scales, codes, *sizes, **constants, **options)
