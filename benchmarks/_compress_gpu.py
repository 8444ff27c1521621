"""The card's part of bench_compress.py: similarities and their largest in one kernel, beside ToMe's steps in torch."""

import itertools
import re

import _timing  # before NumPy: it asks for one thread
import numpy as np
from _compress_peers import SIZES, WIDTH, drawn, tome, tome_matching
from _timing import SETS

from mmtokedu.compress import match_tokens, merge_tokens

BATCH = 8
NOTES = (
    "the unit is the batched product of the even and the odd tokens alone, by torch",
    "a quarter of the tokens merges away; they are compared themselves; 8 items at once",
    "ToMe's steps are written again with torch's functions, eager and compiled: its code is on no package index",
    "peak_bytes: what torch.cuda.max_memory_allocated says of one call, without its input",
)


def on_the_card(torch, skipped):
    rows = []
    for count in SIZES:
        for dtype in ("float32", "bfloat16"):
            rows += merged_on_the_card(torch, count, dtype)
    name = torch.cuda.get_device_name()
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    options = dict(packages=("numpy", "torch", "triton"), rows=rows, skipped=skipped, notes=NOTES)
    _timing.save(f"compress-{slug}", device=name, threads=1, **options)


def merged_on_the_card(torch, count, dtype):
    """Parity of every item's merged tokens, then events, then the memory of one call each."""
    title = f"merging, {dtype}, {BATCH} x N={count} D={WIDTH}"
    print(title)
    few = np.stack([x * (1 + k) for k, x in zip(range(BATCH), itertools.cycle(drawn(count, WIDTH)))])
    inputs = [torch.from_numpy(few).cuda().to(getattr(torch, dtype)).roll(turn, 0) for turn in range(SETS)]
    r, compiled, matched = count // 4, torch.compile(tome), torch.compile(tome_matching)
    contenders = {
        "merge_tokens, one kernel matches": lambda x: merge_tokens(x, r).tokens,
        "ToMe, written again": lambda x: tome(torch, x, x, r)[0],
        "ToMe, torch.compile": lambda x: compiled(torch, x, x, r)[0],
    }
    hold_alike(torch, contenders, inputs[0], dtype)
    halves = [(x[:, ::2].contiguous(), x[:, 1::2].contiguous().mT) for x in inputs]
    calls = {"matrix product alone": lambda i: halves[i % SETS][0] @ halves[i % SETS][1]}
    contenders["match_tokens, one kernel"] = lambda x: match_tokens(x).partner
    contenders["ToMe's matching, torch.compile"] = lambda x: matched(torch, x)[1]
    for turn, (name, call) in enumerate(contenders.items()):
        calls[name] = lambda i, call=call, turn=turn: call(inputs[(i + turn) % SETS])
    rows = _timing.race(title, calls, rounds=25, warm=5, clock=_timing.cuda_clock)
    for row in rows:
        row["peak_bytes"] = peak_bytes(torch, lambda row=row: calls[row["name"]](0))
        print(f"  {row['name']:46s} {row['peak_bytes'] / 2**20:7.1f} MiB")
    return rows


def hold_alike(torch, contenders, x, dtype):
    """The odd tokens, which all have in one order: the same means, but for near ties, of which bfloat16 has many."""
    answers = {name: call(x).double()[:, -(x.shape[1] // 2) :] for name, call in contenders.items()}
    first, tolerance, share = next(iter(answers.values())), *((1e-3, 0.99) if dtype == "float32" else (0.1, 0.75))
    for name, answer in answers.items():
        near = ((answer - first).abs() <= tolerance * first.abs().amax((1, 2), keepdim=True)).all(-1)
        assert near.double().mean() >= share, f"{name}: of {near.numel()} tokens {int((~near).sum())} differ"


def peak_bytes(torch, call):
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    answer = call()
    torch.cuda.synchronize()
    del answer
    return torch.cuda.max_memory_allocated() - before
