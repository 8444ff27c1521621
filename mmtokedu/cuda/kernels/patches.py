"""Triton: uint8 images to normalised patch rows, each byte fetched from memory once, each number written once."""

import triton
import triton.language as tl

TILE = 4096  # numbers that one program writes
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
    CHUNKS: tl.constexpr = (FRAME + BLOCK - 1) // BLOCK
    job = tl.program_id(0)
    strip = (job // CHUNKS // groups).to(tl.int64)
    n = job // CHUNKS % groups * ROWS + tl.arange(0, ROWS).to(INDEX)  # row of the strip
    e = job % CHUNKS * BLOCK + tl.arange(0, BLOCK).to(INDEX)  # number of the frame within that row
    pitch = width * C

    # What hangs on e alone is worked out once and serves all ROWS rows: divisions, scale, shift.
    if QWEN:
        c = e // (P * P)
        source = e % (P * P) // P * pitch + e % P * C + c
        target = c * (T * P * P) + e % (P * P)
    else:
        c = e % C
        source = e // (P * C) * pitch + e % (P * C)
        target = e
    a = tl.load(scale + c, mask=e < FRAME, other=0.0)
    b = tl.load(shift + c, mask=e < FRAME, other=0.0)

    # Rows run through one MERGE x MERGE block of patches, then the next block; MERGE = 1 is left to right.
    down = n // MERGE % MERGE
    right = n // (MERGE * MERGE) * MERGE + n % MERGE
    corner = down * P * pitch + right * (P * C)
    inside = (n < count)[:, None] & (e < FRAME)[None, :]
    pixels = tl.load(images + strip * MERGE * P * pitch + (corner[:, None] + source[None, :]), mask=inside, other=0)
    numbers = (pixels.to(tl.float32) * a[None, :] + b[None, :]).to(out.dtype.element_ty)
    target = out + strip * count * (T * FRAME) + (n[:, None] * (T * FRAME) + target[None, :])
    for t in tl.static_range(T):
        tl.store(target + t * P * P, numbers, mask=inside)


def plan(shape, patch, *, temporal=1, merge=1, qwen=False):
    """The launch for one image of shape (H, W, C): (programs, run-time arguments, compile-time arguments)."""
    height, width, channels = shape
    frame = channels * patch * patch
    count = width // patch * merge
    block = min(128, triton.next_power_of_2(frame))
    rows = min(TILE // block, triton.next_power_of_2(count))
    groups, chunks = triton.cdiv(count, rows), triton.cdiv(frame, block)
    farthest = max(groups * rows * temporal * chunks * block, (merge + 1) * (patch + block) * width * channels)
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
        some = images[b : b + step]
        _cut[(len(some) * programs,)](some, scale, shift, out[b : b + step], *arguments, **constants)
