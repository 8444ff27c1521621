"""Triton: residual quantization in one launch. A block of rows stays on the chip through all stages.

Codes are looked for as in `kernels/vq.py`, by the largest z.e - |e|^2/2. Here a float32 product is made of three
products of float16 numbers, so that the tensor cores do it. Rows of which that leaves a stage in doubt are listed.
"""

import triton
import triton.language as tl

from mmtokedu.cuda.kernels.exact import append
from mmtokedu.cuda.kernels.tables import finest, on_hopper, power


@triton.jit
def _encode(
    vectors,  # (N, D) float32
    codebooks,  # (Q, K, D) float32
    high,  # (Q, K, D) float16: the codes without offset, scaled
    low,  # (Q, K, D) float16: what `high` rounds off
    bias,  # (Q, K) float32: -|e|^2/2 of the scaled codes
    offsets,  # (Q, D) float32
    scales,  # (Q,) float32: powers of two
    longest,  # (Q, 2) float32: first the length of the longest code in `high`
    codes,  # (N, Q) int64
    doubt,  # (N,) int32: the rows where rounding may have decided a stage
    doubts,  # (1,) int32, zero: becomes how many these are
    N,
    K,
    Q,
    D: tl.constexpr,
    DEPTH: tl.constexpr,  # D or the power of two above
    ROWS: tl.constexpr,
    CODES: tl.constexpr,
    EVEN: tl.constexpr,  # CODES divides K
):
    n = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    d = tl.arange(0, DEPTH)
    size = tl.full((), 0, tl.int64) + K  # 64 bits: the stack may hold more numbers than 32 can count
    inside = (n < N)[:, None] & (d < D)[None, :]
    residual = tl.load(vectors + n[:, None] * D + d[None, :], mask=inside, other=0.0)
    unsure = n < 0
    for q in range(0, Q):
        first = q * size
        limit = tl.load(scales + q)
        z = residual - tl.load(offsets + q * D + d, mask=d < D, other=0.0)[None, :]
        scale = power(tl.max(tl.abs(z), axis=1), limit)
        z = z * scale[:, None]
        length = tl.sqrt(tl.sum(z * z, axis=1))  # here: z need not stay in registers through the search
        z_high = z.to(tl.float16)
        z_low = (z - z_high.to(tl.float32)).to(tl.float16)
        best = tl.full((ROWS,), float("-inf"), tl.float32)
        second = best
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
            if not EVEN:
                score = tl.where((k < K)[None, :], score, float("-inf"))  # no code beyond the last ever wins

            # The best of this tile, its lowest index; an earlier tile keeps what it is only equalled in.
            top = tl.max(score, axis=1)
            found = tl.min(tl.where(score == top[:, None], k[None, :], K), axis=1)
            next = tl.max(tl.where(k[None, :] == found[:, None], float("-inf"), score), axis=1)
            second = tl.maximum(second, tl.maximum(next, tl.minimum(best, top)))
            code = tl.where(top > best, found, code)
            best = tl.maximum(best, top)
        reach = tl.load(longest + 2 * q)
        slack = finest(length, scale / limit * reach, reach, D)
        unsure |= best - second <= slack
        tl.store(codes + n * Q + q, code.to(tl.int64), mask=n < N)
        residual -= tl.load(codebooks + (first + code)[:, None] * D + d[None, :], mask=inside, other=0.0)
    append(n, unsure & (n < N), doubt, doubts)


# depth -> rows, codes, warps, stages: for few rows, for many, for many on Hopper. What a thread holds stays in its
# registers; there is more room on Hopper, whose tensor cores take their numbers from shared memory. The more rows in a
# block, the less often the codebooks are fetched. Of 256 numbers on Hopper no tile is fetched
# ahead: no register is left.
BLOCKS = {
    64: ((16, 64, 4, 3), (64, 32, 4, 2), (64, 64, 4, 2)),
    128: ((16, 128, 4, 2), (64, 32, 8, 2), (64, 128, 8, 2)),
    256: ((16, 32, 4, 2), (16, 32, 4, 2), (64, 64, 8, 1)),
}


def plan(rows, codes, width, hopper, few=4096):
    """The launch for so many rows and codes of `width` numbers: (programs, compile-time arguments, options).

    Up to `few` rows leave multiprocessors without work unless the blocks are small.
    """
    depth = max(16, triton.next_power_of_2(width))
    small, large, large_on_hopper = BLOCKS[max(64, depth)]
    size, step, warps, stages = small if rows <= few else large_on_hopper if hopper else large
    constants = {"D": width, "DEPTH": depth, "ROWS": size, "CODES": step, "EVEN": codes % step == 0}
    options = {"num_warps": warps, "num_stages": stages, "enable_fp_fusion": True}
    return triton.cdiv(rows, size), constants, options


def encode(vectors, codebooks, high, low, bias, offsets, scales, longest, codes, doubt, doubts):
    """Writes the codes (N, Q) int64 of vectors (N, D), and lists the rows in doubt: see `_encode`. All contiguous."""
    Q, K, D = codebooks.shape
    few = 4096 if vectors.is_cuda else 16  # Triton's interpreter goes through one program at a time
    programs, constants, options = plan(len(vectors), K, D, on_hopper(vectors), few)
    given = vectors, codebooks, high, low, bias, offsets, scales, longest, codes, doubt, doubts
    _encode[(programs,)](*given, len(vectors), K, Q, **constants, **options)
