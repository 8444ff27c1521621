"""Triton: uint8 images to normalised patch rows, each byte fetched from memory once, each number written once."""

import functools

import triton
import triton.language as tl

TILE = 4096, 512  # numbers that one program writes in the plain order, pixels that it writes in Qwen order
MAX_PROGRAMS = 2**31 - 1  # CUDA's limit for the first axis of a grid; the others end at 65,535 and are not used


@triton.jit
def _cut(
    images,  # (B, H, W, C) uint8
    scale,  # (C,) float32
    shift,  # (C,) float32
    out,  # (B, N, C*T*P*P)
    width,
    count,  # rows of `out` that one strip fills
    groups,  # programs side by side along a strip: ceil(count / ROWS)
    P: tl.constexpr,
    C: tl.constexpr,
    T: tl.constexpr,  # how often a frame is repeated
    MERGE: tl.constexpr,
    QWEN: tl.constexpr,  # inside a row: (channel, frame, y, x) if set, else (y, x, channel)
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    INDEX: tl.constexpr,
):
    # A strip is MERGE patch rows of one image. Its pixels are one piece of `images` and its rows one piece of
    # `out`, so two products say where it begins, however large the batch; inside it small integers do.
    FRAME: tl.constexpr = C * P * P
    STEP: tl.constexpr = C if QWEN else 1  # bytes from one e to the next: a pixel, or a number
    SPAN: tl.constexpr = FRAME // STEP
    CHUNKS: tl.constexpr = (SPAN + BLOCK - 1) // BLOCK
    job = tl.program_id(0)
    strip = (job // CHUNKS // groups).to(tl.int64)
    n = job // CHUNKS % groups * ROWS + tl.arange(0, ROWS).to(INDEX)  # row of the strip
    e = job % CHUNKS * BLOCK + tl.arange(0, BLOCK).to(INDEX)  # pixel or number of the patch within that row
    pitch = width * C

    # What hangs on e alone is worked out once and serves all ROWS rows.
    across: tl.constexpr = P * C // STEP
    source = e // across * pitch + e % across * STEP

    # Rows run through one MERGE x MERGE block of patches, then the next block; MERGE = 1 is left to right.
    down = n // MERGE % MERGE
    right = n // (MERGE * MERGE) * MERGE + n % MERGE
    corner = down * P * pitch + right * (P * C)
    inside = (n < count)[:, None] & (e < SPAN)[None, :]
    source = images + strip * MERGE * P * pitch + (corner[:, None] + source[None, :])
    target = out + strip * count * (T * FRAME) + (n[:, None] * (T * FRAME) + e[None, :])
    if QWEN:
        for c in tl.static_range(C):  # a colour of these pixels at a time: what is stored lies side by side
            pixels = tl.load(source + c, mask=inside, other=0).to(tl.float32)
            numbers = (pixels * tl.load(scale + c) + tl.load(shift + c)).to(out.dtype.element_ty)
            for t in tl.static_range(T):
                tl.store(target + (c * T + t) * SPAN, numbers, mask=inside)
    else:
        c = e % C
        a = tl.load(scale + c)[None, :]
        b = tl.load(shift + c)[None, :]
        pixels = tl.load(source, mask=inside, other=0).to(tl.float32)
        tl.store(target, (pixels * a + b).to(out.dtype.element_ty), mask=inside)


@functools.lru_cache(maxsize=64)
def plan(shape, patch, *, temporal=1, merge=1, qwen=False):
    """The launch for one image of shape (H, W, C): (programs, run-time arguments, compile-time arguments).

    The sizes are the fastest of those tried on an H200. The Qwen order has the smaller ones: each of its pixels is read
    and written a colour at a time, and that is quick while the next colour's bytes are still in the cache.
    """
    height, width, channels = shape
    span = patch * patch * (1 if qwen else channels)
    count = width // patch * merge
    block = min(256, triton.next_power_of_2(span))
    rows = min(TILE[qwen] // block, triton.next_power_of_2(count))
    groups, chunks = triton.cdiv(count, rows), triton.cdiv(span, block)
    frame = channels * patch * patch
    farthest = max(
        groups * rows * temporal * (frame + block * channels), (merge + 1) * (patch + block) * width * channels
    )
    constants = {"P": patch, "C": channels, "T": temporal, "MERGE": merge, "QWEN": qwen, "ROWS": rows, "BLOCK": block}
    constants["INDEX"] = tl.int32 if farthest < 2**31 else tl.int64  # offsets within a strip, masked ones included
    return height // (patch * merge) * groups * chunks, (width, count, groups), constants


def normalize_patchify(images, patch, scale, shift, out):
    """images (B, H, W, C) uint8, contiguous; scale and shift (C,) float32; writes out (B, N, P*P*C)."""
    _launch(images, scale, shift, out, plan(images.shape[1:], patch))


def normalize_qwen_rows(images, patch, merge, temporal, scale, shift, out):
    """The same in Qwen order: writes out (B, N, C*temporal*P*P), rows in blocks of merge x merge patches."""
    _launch(images, scale, shift, out, plan(images.shape[1:], patch, temporal=temporal, merge=merge, qwen=True))


def _launch(images, scale, shift, out, planned):
    programs, arguments, constants = planned
    step = max(1, MAX_PROGRAMS // programs)
    for b in range(0, len(images), step):
        some, rows = (images[b : b + step], out[b : b + step]) if step < len(images) else (images, out)
        _cut[(len(some) * programs,)](some, scale, shift, rows, *arguments, **constants)
