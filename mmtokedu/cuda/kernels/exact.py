"""Triton: the rows that a fast search leaves in doubt. They are put on a list, and found again by the definition.

How many they are stays on the card: nobody waits for it.
"""

import triton
import triton.language as tl


@triton.jit
def append(n, those, rows, count):
    # Puts those of the rows n on the list rows[:count].
    place = tl.cumsum(those.to(tl.int32), axis=0)
    first = tl.atomic_add(count, tl.max(place, axis=0))
    tl.store(rows + first + place - 1, n.to(tl.int32), mask=those)


@triton.jit
def _exact(
    vectors,  # (N, D) of any float
    codebooks,  # (Q, K, D) of any float
    doubt,  # (N,) int32: rows
    doubts,  # (1,) int32: how many
    left,  # (programs, ROWS, D) float32: what is left of the rows that each program is at
    codes,  # (N, Q) int64: those of the rows in `doubt` are written again
    K,
    Q,
    D: tl.constexpr,
    ROWS: tl.constexpr,
    CODES: tl.constexpr,
    DEPTH: tl.constexpr,
    PART: tl.constexpr,  # numbers copied at once
):
    # The definition: the differences squared and added in float64, the first of the least, a stage after the other.
    row = tl.arange(0, ROWS)
    part = tl.arange(0, PART)[None, :]
    mine = left + (tl.program_id(0).to(tl.int64) * ROWS + row)[:, None] * D
    listed = tl.load(doubts)
    for block in range(tl.program_id(0), tl.cdiv(listed, ROWS), tl.num_programs(0)):
        i = block * ROWS + row
        n = tl.load(doubt + i, mask=i < listed, other=0).to(tl.int64)
        tl.debug_barrier()  # all threads are done with the rows before
        for first in range(0, D, PART):
            d = first + part
            z = tl.load(vectors + n[:, None] * D + d, mask=d < D, other=0.0).to(tl.float32)
            tl.store(mine + d, z, mask=d < D)
        for q in range(0, Q):
            book = codebooks + tl.full((), q, tl.int64) * K * D
            tl.debug_barrier()  # all threads have written what is left
            least = tl.full((ROWS,), float("inf"), tl.float64)
            code = tl.zeros((ROWS,), tl.int32)
            for start in range(0, K, CODES):
                k = start + tl.arange(0, CODES)
                distance = tl.zeros((ROWS, CODES), tl.float64)
                for first in range(0, D, DEPTH):  # a thread has all numbers of its codes: nothing is shared here
                    d = first + tl.arange(0, DEPTH)[None, None, :]
                    there = (k < K)[None, :, None] & (d < D)
                    e = tl.load(book + k.to(tl.int64)[None, :, None] * D + d, mask=there, other=0.0)
                    z = tl.load(mine[:, :, None] + d, mask=d < D, other=0.0)
                    difference = z.to(tl.float64) - e.to(tl.float32).to(tl.float64)
                    distance += tl.sum(difference * difference, axis=2)
                distance = tl.where((k < K)[None, :], distance, float("inf"))
                lowest = tl.min(distance, axis=1)
                at = tl.min(tl.where(distance == lowest[:, None], k[None, :], K), axis=1)
                code = tl.where(lowest < least, at, code)
                least = tl.minimum(lowest, least)
            tl.store(codes + n * Q + q, code.to(tl.int64), mask=i < listed)
            tl.debug_barrier()  # and have read it
            chosen = book + code.to(tl.int64)[:, None] * D
            for first in range(0, D, PART):
                d = first + part
                rest = tl.load(mine + d, mask=d < D, other=0.0)
                rest -= tl.load(chosen + d, mask=d < D, other=0.0).to(tl.float32)
                tl.store(mine + d, rest, mask=d < D)


def plan(rows, width, card=True):
    """The launch of `_exact` for at most so many rows of `width` numbers: (programs, compile-time arguments, options).

    Few rows are in doubt as a rule, so a program has four of them, and eight warps to search with. At most 512 programs
    are started; they take the blocks of rows in turn. A thread fetches four numbers of a code at once, or one where
    four do not divide the width, and none needs another's before all are added.
    Triton's interpreter takes as long for a small step as for a large one.
    """
    if not card:
        depth = min(64, triton.next_power_of_2(width))
        return min(2, triton.cdiv(rows, 32)), {"D": width, "ROWS": 32, "CODES": 128, "DEPTH": depth, "PART": 64}, {}
    constants = {"D": width, "ROWS": 4, "CODES": 1024, "DEPTH": 1 if width % 4 else 4, "PART": 64}
    return min(512, triton.cdiv(rows, 4)), constants, {"num_warps": 8}


def room(vectors):
    """The shape of what `exact` needs to work in for these vectors (N, D)."""
    programs, constants, _ = plan(*vectors.shape, vectors.is_cuda)
    return programs, constants["ROWS"], vectors.shape[1]


def exact(vectors, codebooks, doubt, doubts, left, codes):
    """Writes the codes (N, Q) int64 of the rows doubt[:doubts] again: see `_exact`.

    vectors (N, D) and codebooks (Q, K, D) contiguous, of any float up to float32; left is float32, of the shape `room`.
    """
    Q, K, D = codebooks.shape
    programs, constants, options = plan(len(vectors), D, vectors.is_cuda)
    _exact[(programs,)](vectors, codebooks, doubt, doubts, left, codes, K, Q, **constants, **options)
