"""The card's part of bench_patches.py: uint8 to half-precision rows in one pass, beside a copy and plain torch."""

import re

import _timing  # before NumPy: it asks for one thread
import numpy as np

from mmtokedu import patches

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PATCH = 14
REPLAYED = ", replayed"  # ends the title of what is timed again as a CUDA graph

NOTES = (
    "a copy is that of as many bytes as the kernel reads and writes, half of them read and half written",
    f"{REPLAYED}: eight calls in a CUDA graph, so the card's time alone; otherwise called from Python one by one",
    "the inputs and outputs of four batches in turn: those of one image stay in the card's cache, those of 32 do not",
)


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
    _timing.save(f"patches-{slug}", device=name, threads=1, packages=packages, rows=rows, skipped=skipped, notes=NOTES)


def one_pass_on_the_card(torch, title, batch, repeat, ours):
    """Parity, then events. The unit is a copy that reads and writes, together, as many bytes as the kernel does."""
    print(title)
    shape = (batch, 448, 448, 3)
    images = [torch.randint(0, 256, shape, dtype=torch.uint8, device="cuda") for _ in range(4)]
    outs = [torch.empty(batch, 1024, 588 * repeat, dtype=torch.float16, device="cuda") for _ in range(4)]
    mean, std = (torch.tensor(x, device="cuda") for x in (MEAN, STD))

    def eager(x):
        return by_torch(x, mean, std, repeat)

    compiled = torch.compile(eager, dynamic=False)
    expected = ours(images[0][-1:].cpu().numpy())
    for answer in (ours(images[0], dtype=torch.float16, out=outs[0].fill_(9)), eager(images[0]), compiled(images[0])):
        np.testing.assert_allclose(answer[-1:].float().cpu().numpy(), expected, rtol=2e-3, atol=2e-3)
    moved = images[0].numel() + 2 * outs[0].numel()
    source, target = (torch.randint(0, 256, (4, moved // 2), dtype=torch.uint8, device="cuda") for _ in range(2))
    calls = {
        "copy of the same bytes": lambda i: target[i % 4].copy_(source[i % 4]),
        "one kernel, out=": lambda i: ours(images[i % 4], dtype=torch.float16, out=outs[i % 4]),
        "torch.compile of the plain torch": lambda i: compiled(images[i % 4]),
        "torch: convert, scale, cut": lambda i: eager(images[i % 4]),
    }
    rows = _timing.race(title, calls, rounds=25, warm=5, clock=_timing.cuda_clock)
    graphs = {name: _timing.replayed(call) for name, call in calls.items()}
    return rows + _timing.race(f"{title}{REPLAYED}", graphs, rounds=25, warm=5, clock=_timing.graph_clock)


def by_torch(images, mean, std, repeat):
    """The same in plain torch: several passes over memory, or what torch.compile makes of them."""
    numbers = ((images.float() / 255 - mean) / std).half()
    batch, height, width, channels = images.shape
    rows, cols = height // PATCH, width // PATCH
    if repeat == 1:
        cells = numbers.reshape(batch, rows, PATCH, cols, PATCH, channels).transpose(2, 3)
        return cells.reshape(batch, rows * cols, -1)
    cells = numbers.reshape(batch, rows // 2, 2, PATCH, cols // 2, 2, PATCH, channels)
    cells = cells.permute(0, 1, 4, 2, 5, 7, 3, 6)[..., None, :, :]
    return cells.expand(*cells.shape[:6], repeat, PATCH, PATCH).reshape(batch, rows * cols, -1)
