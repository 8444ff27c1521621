"""Triton: the odd token that each even one resembles most, found while the similarities are made; none is written."""

import torch
import triton
import triton.language as tl

from mmtokedu.cuda.kernels.tables import part

KINDS = {torch.float16: tl.float16, torch.bfloat16: tl.bfloat16, torch.float32: tl.float32}
STEPS = tl.constexpr(2.0**22)  # of cosines: what is nearer to each other than one of them is equal, up to rounding


@triton.jit
def _match(
    metric,  # (B, N, D) float16, bfloat16, float32
    inverses,  # (B, N) float32: 1 over each token's length, 0 for the length 0
    similarity,  # (B, A) float32, A = ⌈N / 2⌉
    partner,  # (B, A) int64
    N,
    A,
    D: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
    DEPTH: tl.constexpr,
    KIND: tl.constexpr,  # what is multiplied; sums are float32
):
    item = tl.program_id(1).to(tl.int64)
    metric += item * N * D
    inverses += item * N
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    ours = tl.load(inverses + 2 * row, mask=row < A, other=0.0)
    best = tl.full((ROWS,), float("-inf"), tl.float32)
    at = tl.zeros((ROWS,), tl.int32)
    for start in range(0, N // 2, COLS):
        col = start + tl.arange(0, COLS)
        score = tl.zeros((ROWS, COLS), tl.float32)
        for first in range(0, D, DEPTH):
            even = part(metric, 2 * row, N, first, D, DEPTH).to(KIND)
            odd = part(metric, 2 * col + 1, N, first, D, DEPTH).to(KIND)
            score = tl.dot(even, odd.T, score, input_precision="ieee")
        score *= ours[:, None] * tl.load(inverses + 2 * col + 1, mask=col < N // 2, other=0.0)[None, :]
        score = tl.where((col < N // 2)[None, :], score, float("-inf"))
        top = tl.max(score, axis=1)
        lowest = tl.min(tl.where(score >= top[:, None] - 1 / STEPS, col[None, :], N), axis=1)
        above = top > best + 1 / STEPS  # of equal ones the first stays; a NaN is above none
        at = tl.where(above, lowest, at)
        best = tl.where(above, top, best)
    best = tl.floor(best * STEPS + 0.5) / STEPS  # so that equal tokens have exactly 1
    tl.store(similarity + item * A + row, best, mask=row < A)
    tl.store(partner + item * A + row, at.to(tl.int64), mask=row < A)


def plan(tokens, width, halves):
    """The launch of `_match` for tokens of `width` numbers, of 16 bits or 32: (programs, constants, options)."""
    depth = min(64 if halves else 32, max(16, triton.next_power_of_2(width)))
    constants = {"D": width, "ROWS": 64, "COLS": 128 if halves else 64, "DEPTH": depth}
    return triton.cdiv((tokens + 1) // 2, 64), constants, {"num_warps": 4, "num_stages": 3}


def match_tokens(metric, inverses, similarity, partner):
    """Writes the largest cosine (B, A) float32 of each even token with an odd one, and of which (B, A) int64.

    metric (B, N, D) and inverses (B, N) contiguous, N at least 2.
    """
    B, N, D = metric.shape
    programs, constants, options = plan(N, D, metric.itemsize == 2)
    kind = KINDS[metric.dtype] if metric.is_cuda else tl.float32  # the interpreter cannot multiply bfloat16
    given = metric, inverses, similarity, partner, N, (N + 1) // 2
    _match[(programs, B)](*given, KIND=kind, **constants, **options)
