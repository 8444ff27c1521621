"""Triton: uint8 images to normalised patch rows, every byte read once and every number written once."""

import triton
import triton.language as tl


@triton.jit
def _normalize_patchify(
    images,  # (B, H, W, C) uint8
    scale,  # (C,) float32
    shift,  # (C,) float32
    out,  # (B, N, P*P*C)
    width,
    cols,
    patches,  # rows * cols
    C: tl.constexpr,
    P: tl.constexpr,
    BLOCK: tl.constexpr,
):
    # One program writes BLOCK neighbouring numbers of one patch row: stores are coalesced, and the P*C bytes
    # of each pixel row are read in one piece.
    which = tl.program_id(0).to(tl.int64)  # b * N + n
    e = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)  # place in the row: (y, x, channel)
    inside = e < P * P * C
    b = which // patches
    n = which % patches
    y = n // cols * P + e // (P * C)
    x_channel = (n % cols) * P * C + e % (P * C)
    height = patches // cols * P
    value = tl.load(images + (b * height + y) * width * C + x_channel, mask=inside, other=0).to(tl.float32)
    c = e % C
    value = value * tl.load(scale + c, mask=inside, other=0.0) + tl.load(shift + c, mask=inside, other=0.0)
    tl.store(out + which * (P * P * C) + e, value.to(out.dtype.element_ty), mask=inside)


def normalize_patchify(images, patch, scale, shift, out):
    """images (B, H, W, C) uint8, contiguous; scale and shift (C,) float32; writes out (B, N, P*P*C)."""
    batch, height, width, channels = images.shape
    cols = width // patch
    patches = height // patch * cols
    length = patch * patch * channels
    block = min(1024, triton.next_power_of_2(length))
    if batch == 0:
        return
    grid = (batch * patches, triton.cdiv(length, block))
    _normalize_patchify[grid](images, scale, shift, out, width, cols, patches, C=channels, P=patch, BLOCK=block)
