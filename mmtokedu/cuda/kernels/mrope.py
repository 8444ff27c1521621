"""Triton: queries and keys turned in one launch, each pair's cosine worked out once for all heads that need it.

Others gather cosines and sines of every axis in memory first. Here a pair looks up its token's position on its axis, in
float64, and takes the whole turns off: no position is too far, fractions are welcome, nothing is read back.
"""

import functools
import math

import torch
import triton
import triton.language as tl

from mmtokedu.catalog.positions import PAIRINGS

ELEMENTS = 1024  # angles of one program: tokens times pairs
PROGRAMS = 528  # as many as keep an H200's 132 multiprocessors busy; with fewer tokens the heads are shared out
MAX_PROGRAMS = 2**31 - 1  # CUDA's limit for the first axis of a grid
TURN = tl.constexpr(2 * math.pi)  # in radians


@triton.jit
def _cos_sin(turns):
    """Cosine and sine of angles in turns, float64: quarters are taken off, an eighth at most is left to the series.

    tl.cos has a way for angles of any size, which costs every thread memory of its own.
    """
    quarters = tl.floor(4 * turns + 0.5)
    angle = ((turns - quarters / 4) * TURN).to(tl.float32)
    z = angle * angle
    cos = 1 - z / 2 * (1 - z / 12 * (1 - z / 30 * (1 - z / 56 * (1 - z / 90))))
    sin = angle * (1 - z / 6 * (1 - z / 20 * (1 - z / 42 * (1 - z / 72))))
    q = quarters.to(tl.int64)
    first = tl.where((q & 1) == 1, sin, cos)
    second = tl.where((q & 1) == 1, cos, sin)
    return tl.where(((q + 1) & 2) == 2, -first, first), tl.where((q & 2) == 2, -second, second)


@triton.jit
def _turn_heads(
    x,  # (count heads, N, D), where this program's tokens begin
    out,
    count,
    head_x,
    token_x,
    head_out,
    token_out,
    n,
    fits,
    cos,
    sin,
    P: tl.constexpr,
    BLOCK: tl.constexpr,
    TOKENS: tl.constexpr,
    GROUP: tl.constexpr,  # pairs whose first numbers lie side by side, before their second ones
    REST: tl.constexpr,  # numbers of a token that do not turn and have to be copied
    ROOM: tl.constexpr,
):
    pair = tl.arange(0, BLOCK)
    first = pair // GROUP * (2 * GROUP) + pair % GROUP
    inside = fits[:, None] & (pair < P)[None, :]
    wide = tl.arange(0, 2 * BLOCK)
    whole = fits[:, None] & (wide < 2 * P)[None, :]
    rest = 2 * P + tl.arange(0, ROOM)
    beyond = fits[:, None] & (rest < 2 * P + REST)[None, :]
    x += n[:, None] * token_x
    out += n[:, None] * token_out
    for _ in range(count):
        if GROUP == 1:  # both numbers of a pair lie side by side: one wide load, then parted
            both = tl.load(x + wide[None, :], mask=whole, other=0).to(tl.float32)
            a, b = tl.split(tl.reshape(both, (TOKENS, BLOCK, 2)))
            both = tl.reshape(tl.join(a * cos - b * sin, b * cos + a * sin), (TOKENS, 2 * BLOCK))
            tl.store(out + wide[None, :], both.to(out.dtype.element_ty), mask=whole)
        else:
            a = tl.load(x + first[None, :], mask=inside, other=0).to(tl.float32)
            b = tl.load(x + GROUP + first[None, :], mask=inside, other=0).to(tl.float32)
            tl.store(out + first[None, :], (a * cos - b * sin).to(out.dtype.element_ty), mask=inside)
            tl.store(out + GROUP + first[None, :], (b * cos + a * sin).to(out.dtype.element_ty), mask=inside)
        if REST > 0:
            tl.store(out + rest[None, :], tl.load(x + rest[None, :], mask=beyond, other=0), mask=beyond)
        x += head_x
        out += head_out


@triton.jit
def _turn(
    queries,
    keys,
    queries_out,
    keys_out,
    positions,  # (A, B or 1, N) whole numbers or floats
    axis,  # (P,) int32
    speeds,  # (P,) float64, in turns a step
    sign,  # 1 or -1: back
    tokens,
    heads_q,
    heads_k,
    blocks,  # programs along the tokens
    shares,  # programs that share out the heads
    batch_q,
    head_q,
    token_q,
    batch_k,
    head_k,
    token_k,
    batch_qo,
    head_qo,
    token_qo,
    batch_ko,
    head_ko,
    token_ko,
    axis_p,
    batch_p,
    token_p,
    P: tl.constexpr,
    BLOCK: tl.constexpr,
    TOKENS: tl.constexpr,
    GROUP: tl.constexpr,
    REST_Q: tl.constexpr,
    REST_K: tl.constexpr,
    ROOM_Q: tl.constexpr,
    ROOM_K: tl.constexpr,
):
    job = tl.program_id(0)
    share = job % shares
    block = job // shares % blocks
    batch = (job // shares // blocks).to(tl.int64)
    start = block.to(tl.int64) * TOKENS
    n = tl.arange(0, TOKENS)
    fits = start + n < tokens
    pair = tl.arange(0, BLOCK)
    inside = fits[:, None] & (pair < P)[None, :]

    which = tl.load(axis + pair, mask=pair < P, other=0).to(tl.int64)
    speed = tl.load(speeds + pair, mask=pair < P, other=0)
    place = positions + batch * batch_p + (start + n)[:, None] * token_p + which[None, :] * axis_p
    cos, sin = _cos_sin(tl.load(place, mask=inside, other=0).to(tl.float64) * speed[None, :])
    sin *= sign

    # This program's share of the heads, those of the queries first.
    each = (heads_q + heads_k + shares - 1) // shares
    low = share * each
    low_k = tl.maximum(low - heads_q, 0)
    at = batch * batch_q + start * token_q + low.to(tl.int64) * head_q
    at_out = batch * batch_qo + start * token_qo + low.to(tl.int64) * head_qo
    count = tl.minimum(low + each, heads_q) - low
    _turn_heads(
        queries + at, queries_out + at_out, count, head_q, token_q, head_qo, token_qo, n, fits, cos, sin,
        P, BLOCK, TOKENS, GROUP, REST_Q, ROOM_Q,
    )  # fmt: skip
    at = batch * batch_k + start * token_k + low_k.to(tl.int64) * head_k
    at_out = batch * batch_ko + start * token_ko + low_k.to(tl.int64) * head_ko
    count = tl.minimum(low + each - heads_q, heads_k) - low_k
    _turn_heads(
        keys + at, keys_out + at_out, count, head_k, token_k, head_ko, token_ko, n, fits, cos, sin,
        P, BLOCK, TOKENS, GROUP, REST_K, ROOM_K,
    )  # fmt: skip


@functools.lru_cache(maxsize=64)
def plan(batch, tokens, heads, pairs, group, rests):
    """The launch for one of the batch: (blocks along the tokens, shares of the heads, compile-time arguments).

    heads are those of queries and keys together, rests the numbers of a token that are copied, of each.
    """
    block = triton.next_power_of_2(pairs)
    at_once = max(1, min(ELEMENTS // block, triton.next_power_of_2(tokens)))
    blocks = triton.cdiv(tokens, at_once)
    shares = max(1, min(heads, PROGRAMS // (batch * blocks)))
    rooms = [max(1, triton.next_power_of_2(rest)) for rest in rests]
    constants = {"P": pairs, "BLOCK": block, "TOKENS": at_once, "GROUP": group}
    constants |= {"REST_Q": rests[0], "REST_K": rests[1], "ROOM_Q": rooms[0], "ROOM_K": rooms[1]}
    return blocks, shares, constants


def turn(xs, positions, axis, speeds, pairing, sign, outs):
    """Write each of xs, turned, into its out, which may be itself.

    xs are one or two arrays (B, heads, N, D), (heads, N, D) or (N, D); positions (A, N) or (A, B, 1, N); axis (pairs,)
    int32 and speeds (pairs,) float64, in turns a step; sign 1, or -1 to turn back.
    """
    pairs = len(axis)
    xs = [x if x.stride(-1) == 1 else x.contiguous() for x in xs]
    written = [out if out.stride(-1) == 1 else out.clone(memory_format=torch.contiguous_format) for out in outs]
    views = [(_four(x), _four(out)) for x, out in zip(xs, written)]
    (q, q_out), (k, k_out) = views[0], views[-1]  # one array stands in for keys too, which then have no heads
    batch, heads_q, tokens, _ = q.shape
    heads_k = k.shape[1] if len(views) > 1 else 0
    places = positions.reshape(len(positions), -1, positions.shape[-1])
    rests = [0 if x.data_ptr() == out.data_ptr() else x.shape[-1] - 2 * pairs for x, out in zip(xs, written)]
    group = pairs // (PAIRINGS[pairing] or pairs)
    blocks, shares, constants = plan(batch, tokens, heads_q + heads_k, pairs, group, (rests[0], rests[-1]))
    step = max(1, MAX_PROGRAMS // (blocks * shares))  # of the batch, in one launch
    for b in range(0, batch, step):
        some = slice(b, b + step)
        at = places if places.shape[1] == 1 else places[:, some]
        _turn[(blocks * shares * len(q[some]),)](
            q[some], k[some], q_out[some], k_out[some], at, axis, speeds, sign,
            tokens, heads_q, heads_k, blocks, shares,
            *q.stride()[:3], *k.stride()[:3], *q_out.stride()[:3], *k_out.stride()[:3],
            at.stride(0), at.stride(1) if at.shape[1] > 1 else 0, at.stride(2), **constants, num_warps=4,
        )  # fmt: skip
    for out, done in zip(outs, written):
        if out is not done:
            out.copy_(done)


def _four(x):
    """x as (B, heads, N, D), without a copy."""
    return x[(None,) * (4 - x.ndim)]
