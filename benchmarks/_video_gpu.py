"""The card's part of bench_video.py: how much each frame differs from the one before, beside a copy and plain torch."""

import re

import _timing  # before NumPy: it asks for one thread
import numpy as np

from mmtokedu import video

REPLAYED = ", replayed"  # ends the title of what is timed again as a CUDA graph

NOTES = (
    "a copy is that of as many bytes as the kernel reads, half of them read and half written; the brightness alone"
    " reads every fourth line, and its copy is of these",
    f"{REPLAYED}: eight calls in a CUDA graph, so the card's time alone; otherwise called from Python one by one",
    "four clips in turn, each larger than the card's cache; frames of noise, so that no two colours are alike",
)


def measure_gpu(torch, skipped):
    """Scores of clips of 300 frames of 720 lines, and of 60 of 2,160, by both rules; saved beside the CPU's."""
    rows = []
    for shape in ((300, 720, 1280), (60, 2160, 3840)):
        for rule in video.SCENE_RULES:
            rows += one_pass_on_the_card(torch, f"{rule}, {'x'.join(map(str, shape))}", shape, rule)
    name = torch.cuda.get_device_name()
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    packages = ("numpy", "torch", "triton")
    _timing.save(f"video-{slug}", device=name, threads=1, packages=packages, rows=rows, skipped=skipped, notes=NOTES)


def one_pass_on_the_card(torch, title, shape, rule):
    """Parity of all three with NumPy on a few frames, to the last bit, then events."""
    print(title)
    clips = [torch.randint(0, 256, (*shape, 3), dtype=torch.uint8, device="cuda") for _ in range(4)]
    tables = [torch.from_numpy(table).cuda() for table in (video._HUE, video._SATURATION)]

    def eager(x):
        return by_torch(torch, x, rule, tables)

    compiled = torch.compile(eager, dynamic=False)
    expected = video.scene_scores(clips[0][:3].cpu().numpy(), rule)
    for scores in (video.scene_scores(clips[0], rule), eager(clips[0]), compiled(clips[0])):
        np.testing.assert_array_equal(scores[:3].cpu().numpy(), expected)
    read = clips[0].numel() // (4 if rule == "luma" else 1)
    source, target = (torch.randint(0, 256, (4, read // 2), dtype=torch.uint8, device="cuda") for _ in range(2))
    calls = {
        "copy of the same bytes": lambda i: target[i % 4].copy_(source[i % 4]),
        "one kernel": lambda i: video.scene_scores(clips[i % 4], rule),
        "torch.compile of the plain torch": lambda i: compiled(clips[i % 4]),
    }
    rows = _timing.race(title, calls, rounds=25, warm=5, clock=_timing.cuda_clock)
    graphs = {name: _timing.replayed(call) for name, call in calls.items()}
    return rows + _timing.race(f"{title}{REPLAYED}", graphs, rounds=25, warm=5, clock=_timing.graph_clock)


def by_torch(torch, frames, rule, tables):
    """The same in plain torch: the reference's lines for all frames at once."""
    if rule == "luma":
        r, g, b = frames[:, ::4, ::4].int().unbind(-1)
        colours = ((77 * r + 150 * g + 29 * b) >> 8,)
    else:
        hues, saturations = tables
        r, g, b = frames.int().unbind(-1)
        value = torch.maximum(r, torch.maximum(g, b))
        spread = value - torch.minimum(r, torch.minimum(g, b))
        around = torch.where(value == r, g - b, torch.where(value == g, b - r + 2 * spread, r - g + 4 * spread))
        hue = (around * hues[spread] + 2048) >> 12
        colours = hue + 180 * (hue < 0), (spread * saturations[value] + 2048) >> 12, value
    sums = torch.stack([(x[1:] - x[:-1]).abs().sum(dim=(1, 2), dtype=torch.int64) for x in colours], dim=1)
    sums = torch.cat([torch.zeros_like(sums[:1]), sums])
    return video._mean_of_means(sums.double(), colours[0][0].numel())
