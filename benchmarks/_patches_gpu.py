"""The card's part of bench_patches.py: uint8 to half-precision rows in one pass, beside a copy and plain torch."""

import re

import _timing  # before NumPy: it asks for one thread
import numpy as np

from mmtokedu import patches

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PATCH = 14


def on_the_card(torch, skipped):
    """uint8 to half-precision rows in one pass, batches that a card finds small, usual and large."""
    orders = {
        "plain grid": (1, lambda x, **kw: patches.normalize_patchify(x, PATCH, MEAN, STD, **kw)),
        "Qwen order": (2, lambda x, **kw: patches.normalize_qwen_rows(x, MEAN, STD, patch=PATCH, **kw)),
    }
    rows = []
    for batch in (1, 32, 256):
        for order, (repeat, ours) in orders.items():
            rows += one_pass_on_the_card(torch, f"{order}, uint8 to float16, {batch}x448x448", batch, repeat, ours)
    name = torch.cuda.get_device_name()
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    packages = ("numpy", "torch", "triton")
    _timing.save(f"patches-{slug}", device=name, threads=1, packages=packages, rows=rows, skipped=skipped)


def one_pass_on_the_card(torch, title, batch, repeat, ours):
    """Parity, then events. The unit is a copy that reads and writes, together, as many bytes as the kernel does."""
    print(title)
    shape = (batch, 448, 448, 3)
    images = [torch.randint(0, 256, shape, dtype=torch.uint8, device="cuda") for _ in range(4)]
    outs = [torch.empty(batch, 1024, 588 * repeat, dtype=torch.float16, device="cuda") for _ in range(4)]
    expected = ours(images[0][-1:].cpu().numpy())
    for answer in (ours(images[0], dtype=torch.float16), eager(torch, images[0], repeat)):
        np.testing.assert_allclose(answer[-1:].float().cpu().numpy(), expected, rtol=2e-3, atol=2e-3)
    moved = images[0].numel() + 2 * outs[0].numel()
    source, target = (torch.zeros((4, moved // 2), dtype=torch.uint8, device="cuda") for _ in range(2))
    calls = {
        "copy of the same bytes": lambda i: target[i % 4].copy_(source[i % 4]),
        "one kernel, out=": lambda i: ours(images[i % 4], dtype=torch.float16, out=outs[i % 4]),
        "torch: convert, scale, cut": lambda i: eager(torch, images[i % 4], repeat),
    }
    return _timing.race(title, calls, rounds=25, warm=5, clock=_timing.cuda_clock)


def eager(torch, images, repeat):
    """The same in plain torch, several passes over memory."""
    mean, std = (torch.tensor(x, device=images.device) for x in (MEAN, STD))
    numbers = ((images.float() / 255 - mean) / std).half()
    if repeat == 1:
        return patches.patchify(numbers, PATCH)
    return torch.stack([patches.qwen_rows(x[None], patch=PATCH, temporal=repeat)[0] for x in numbers])
