"""The card's part of bench_rvq.py: one kernel for all stages, beside a loop over the stages in torch."""

import re

import _timing  # before NumPy: it asks for one thread
from _rvq_peers import drawn, judge_stages
from _vq_gpu import peak_bytes, product_alone

from mmtokedu import rvq

SIZES = (7500, 8, 1024, 128), (100_000, 8, 1024, 128), (100_000, 8, 2048, 256)  # N, Q, K, D; the last is Mimi's
NOTES = (
    "the unit is the half-precision floor: a float16 product with as many multiplications as the scores of all stages "
    "take, in a shape that the card multiplies at its full rate; the kernel makes a float32 product of three of these",
    "peak_bytes: what torch.cuda.max_memory_allocated says of one call, without its input and codebooks",
)


def on_the_card(torch, skipped):
    rows = [row for size in SIZES for row in residual_on_the_card(torch, *size)]
    name = torch.cuda.get_device_name()
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    options = dict(packages=("numpy", "torch", "triton"), rows=rows, skipped=skipped, notes=NOTES)
    _timing.save(f"rvq-{slug}", device=name, threads=1, **options)


def residual_on_the_card(torch, count, stages, size, width):
    """Parity on up to 4096 rows, then events, then the memory of one call each."""
    title = f"residual quantization, float32, N={count} Q={stages} K={size} D={width}"
    print(title)
    codebooks, *inputs = drawn(count, stages, size, width, _timing.SETS)
    stack, *tensors = (torch.from_numpy(x).cuda() for x in (codebooks, *inputs))
    compiled = torch.compile(by_stages)
    contenders = {
        "rvq_encode, one kernel": lambda z: rvq.rvq_encode(z, stack),
        "torch, stage by stage": lambda z: by_stages(z, stack),
        "torch.compile, stage by stage": lambda z: compiled(z, stack),
    }
    sample = slice(None, None, max(1, count // 4096))
    check = judge_stages(inputs[0][sample], codebooks)
    for name, call in contenders.items():
        check(name, call(tensors[0]).cpu().numpy()[sample])
    calls = {"matrix product alone, float16": product_alone(torch, count * stages * size * width)}
    for turn, (name, call) in enumerate(contenders.items()):
        calls[name] = lambda i, call=call, turn=turn: call(tensors[(i + turn) % _timing.SETS])
    rows = _timing.race(title, calls, rounds=25, warm=5, clock=_timing.cuda_clock)
    for row in rows[1:]:
        row["peak_bytes"] = peak_bytes(torch, lambda row=row: calls[row["name"]](0))
        print(f"  {row['name']:46s} {row['peak_bytes'] / 2**20:7.1f} MiB")
    return rows


def by_stages(z, codebooks):
    """The loop in plain torch: for each stage the code of the largest z.e - |e|^2/2, taken off for the next."""
    codes = z.new_empty((len(z), len(codebooks)), dtype=int)
    for q, e in enumerate(codebooks):
        codes[:, q] = (z @ e.T - e.square().sum(dim=1) / 2).argmax(dim=1)
        z = z - e[codes[:, q]]
    return codes
