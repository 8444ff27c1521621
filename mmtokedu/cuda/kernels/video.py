"""Triton: how much each frame differs from the one before. A pixel's colours are worked out once and held for the next
frame, so that each byte is fetched from memory once, and those of one frame in sixteen twice."""

import triton
import triton.language as tl

TILE = 8, 32  # pixels of a program: so many a thread, the threads of one warp, which add up without waiting
FRAMES = 16  # that a program goes through, after the one before them

# OpenCV's tables for 8 bits: the whole number nearest to so many, divided by 1 to 255.
HUE = tl.constexpr(float((180 << 12) // 6))
SATURATION = tl.constexpr(float(255 << 12))
WHOLE = tl.constexpr(1.5 * 2**23)  # added to a float32 under 2^22, it leaves the nearest whole number, of two the even


@triton.jit
def _reciprocal(x, APPROXIMATE: tl.constexpr):
    if APPROXIMATE:
        return tl.inline_asm_elementwise(
            "rcp.approx.ftz.f32 $0, $1;", "=r,r", [x], dtype=tl.float32, is_pure=True, pack=1
        )
    else:
        return 1.0 / x


@triton.jit
def _colours(frame, pixel, inside, LUMA: tl.constexpr, EVEN: tl.constexpr, APPROXIMATE: tl.constexpr):
    # Hue and saturation with WHOLE added, which their differences have not, and value; or brightness alone.
    #
    # All in float32, of which a card does twice as many as of whole numbers, and exact: every product is a whole number
    # under 2^24. No quotient HUE / n or SATURATION / n is nearer to a half than 1 / (2 * n), so a reciprocal that is
    # right to 2^-22 of itself finds the entry of the table.
    beside: tl.constexpr = None if EVEN else 0
    r = tl.load(frame + pixel, mask=inside, other=beside).to(tl.float32)
    g = tl.load(frame + pixel + 1, mask=inside, other=beside).to(tl.float32)
    b = tl.load(frame + pixel + 2, mask=inside, other=beside).to(tl.float32)
    if LUMA:
        luma = tl.floor((r * 77 + g * 150 + b * 29) * (1 / 256))
        return luma, luma, luma
    value = tl.maximum(r, tl.maximum(g, b))
    spread = value - tl.minimum(r, tl.minimum(g, b))
    around = tl.where(value == r, g - b, tl.where(value == g, b - r + 2 * spread, r - g + 4 * spread))
    entry = HUE * _reciprocal(tl.maximum(spread, 1), APPROXIMATE) + WHOLE - WHOLE
    hue = (around * entry + 0.5) * (1 / 4096) + WHOLE  # a half goes up, as by (x + 2048) >> 12
    hue = tl.where(hue < WHOLE, hue + 180, hue)
    entry = SATURATION * _reciprocal(tl.maximum(value, 1), APPROXIMATE) + WHOLE - WHOLE
    saturation = (spread * entry + 0.5) * (1 / 4096) + WHOLE
    return hue, saturation, value


@triton.jit
def _total(now, before):
    # Of a thread in float32, exact as it is under 2^24; of all threads in int32.
    return tl.sum(tl.sum(tl.abs(now - before), axis=0).to(tl.int32), axis=0)


@triton.jit
def _differences(
    frames,  # (T, H, W, 3) uint8
    sums,  # (T, channels, tiles) int32: of each tile, the sum of its pixels' differences
    T,
    pitch,  # bytes from a frame to the next
    across,  # bytes from a row that is looked at to the next
    count,  # pixels of a frame that are looked at
    cols,  # of them in a row
    tiles,
    STEP: tl.constexpr,  # pixels of a row from one that is looked at to the next
    LUMA: tl.constexpr,
    EVEN: tl.constexpr,  # the tiles hold all pixels and no more
    APPROXIMATE: tl.constexpr,
    FRAMES: tl.constexpr,
    DEEP: tl.constexpr,
    WIDE: tl.constexpr,
):
    CHANNELS: tl.constexpr = 1 if LUMA else 3
    tile = tl.program_id(0) % tiles
    first = tl.program_id(0) // tiles * FRAMES
    n = tl.arange(0, DEEP)[:, None] * WIDE + tl.arange(0, WIDE)[None, :]
    n = tile.to(tl.int64) * (DEEP * WIDE) + n  # wide: then the compiler may add the small numbers to an address
    if EVEN:
        inside = None
    else:
        inside = n < count
    if STEP == 1:  # the pixels of a frame lie side by side
        pixel = n * 3
    else:
        pixel = n // cols * across + n % cols * (3 * STEP)
    frame = frames + tl.maximum(first - 1, 0).to(tl.int64) * pitch  # the first one is compared with itself
    h, s, v = _colours(frame, pixel, inside, LUMA, EVEN, APPROXIMATE)
    frame = frames + first.to(tl.int64) * pitch
    here = sums + first.to(tl.int64) * CHANNELS * tiles + tile
    for _ in range(first, min(first + FRAMES, T)):
        h0, s0, v0 = h, s, v
        h, s, v = _colours(frame, pixel, inside, LUMA, EVEN, APPROXIMATE)
        tl.store(here, _total(h, h0))
        if not LUMA:
            tl.store(here + tiles, _total(s, s0))
            tl.store(here + 2 * tiles, _total(v, v0))
        frame += pitch
        here += CHANNELS * tiles


def looked_at(shape, luma):
    """(rows, columns, tiles): the pixels of a frame of shape (..., H, W, 3) that are looked at, the tiles they fill."""
    rows, cols = (triton.cdiv(side, 4 if luma else 1) for side in shape[-3:-1])
    return rows, cols, triton.cdiv(rows * cols, TILE[0] * TILE[1])


def plan(shape, luma):
    """The launch for frames of shape (T, H, W, 3): (programs, run-time arguments, compile-time arguments).

    No frames that fit a card need more programs than a grid may have, 2^31 - 1.
    """
    length, height, width, channels = shape
    rows, cols, tiles = looked_at(shape, luma)
    step = 4 if luma else 1
    even = rows * cols == tiles * TILE[0] * TILE[1]
    arguments = length, height * width * channels, step * width * channels, rows * cols, cols, tiles
    constants = {"STEP": step, "LUMA": luma, "EVEN": even, "FRAMES": FRAMES, "DEEP": TILE[0], "WIDE": TILE[1]}
    return triton.cdiv(length, FRAMES) * tiles, arguments, constants


def differences(frames, luma, sums):
    """frames (T, H, W, 3) uint8, contiguous; writes sums (T, 1 if luma else 3, tiles) int32."""
    programs, arguments, constants = plan(frames.shape, luma)
    _differences[(programs,)](frames, sums, *arguments, **constants, APPROXIMATE=frames.is_cuda, num_warps=1)
