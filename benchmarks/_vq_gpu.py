"""The card's part of bench_vq.py: one kernel that never holds the scores, beside torch.compile's product and argmax."""

import re

import _timing  # before NumPy: it asks for one thread
import numpy as np
from _vq_peers import drawn, judge

from mmtokedu import vq

SIZES = (4096, 64, 1024), (65536, 64, 8192), (65536, 8, 16384)  # N, D, K
SIDE = 4096  # of the square result of the unit's product: large enough for the card's full rate
NOTES = (
    "the unit is the half-precision floor: a float16 product with as many multiplications as the scores take, in a "
    "shape that the card multiplies at its full rate",
    "peak_bytes: what torch.cuda.max_memory_allocated says of one call, without its input and codebook",
    "float16: torch.compile's scores are rounded to float16, so its codes are held to that precision only",
)


def on_the_card(torch, skipped):
    rows = []
    for size in SIZES:
        for dtype in ("float32", "float16"):
            rows += nearest_on_the_card(torch, *size, dtype)
    name = torch.cuda.get_device_name()
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    options = dict(packages=("numpy", "torch", "triton"), rows=rows, skipped=skipped, notes=NOTES)
    _timing.save(f"vq-{slug}", device=name, threads=1, **options)


def nearest_on_the_card(torch, count, width, size, dtype):
    """Parity on up to 4096 rows, then events, then the memory of one call each."""
    title = f"nearest code, {dtype}, N={count} D={width} K={size}"
    print(title)
    codebook, *inputs = drawn(count, width, size, _timing.SETS, dtype)
    table, *tensors = (torch.from_numpy(x).cuda() for x in (codebook, *inputs))
    compiled = torch.compile(by_scores)
    contenders = {
        "nearest_code, one kernel": (lambda z: vq.nearest_code(z, table), np.float32),
        "torch.compile: product, argmax": (lambda z: compiled(z, table), dtype),
    }
    sample = slice(None, None, max(1, count // 4096))
    check = judge(inputs[0][sample], codebook)
    for name, (call, precision) in contenders.items():
        check(name, call(tensors[0]).cpu().numpy()[sample], float(np.finfo(precision).eps))
    calls = {"matrix product alone, float16": product_alone(torch, count * width * size)}
    for turn, (name, (call, _)) in enumerate(contenders.items()):
        calls[name] = lambda i, call=call, turn=turn: call(tensors[(i + turn) % _timing.SETS])
    rows = _timing.race(title, calls, rounds=25, warm=5, clock=_timing.cuda_clock)
    for row in rows[1:]:
        row["peak_bytes"] = peak_bytes(torch, lambda row=row: calls[row["name"]](0))
        print(f"  {row['name']:46s} {row['peak_bytes'] / 2**20:7.1f} MiB")
    return rows


def by_scores(z, e):
    """The code of the largest z.e - |e|^2/2, in plain torch: what there is to compile."""
    return (z @ e.T - e.float().square().sum(dim=1).div(2).to(e.dtype)).argmax(dim=1)


def product_alone(torch, multiplications):
    depth = max(16, multiplications // SIDE**2)
    side = SIDE if depth > 16 else round((multiplications / depth) ** 0.5)
    a, b = (torch.randn(shape, device="cuda", dtype=torch.float16) for shape in ((side, depth), (depth, side)))
    return lambda i: a @ b


def peak_bytes(torch, call):
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    answer = call()
    torch.cuda.synchronize()
    del answer
    return torch.cuda.max_memory_allocated() - before
