"""The card's part of bench_mrope.py: queries and keys in one launch, beside a copy, transformers and torch.compile."""

import importlib
import re

import _timing  # before NumPy: it asks for one thread
import numpy as np
from _mrope_peers import HOW, WIDTH, transformers_parts
from _timing import SETS

from mmtokedu.mrope import Text, Vision, position_ids, rotate

SIZES = {(32, 4): (4096, 32_768), (28, 4): (32_768,)}  # heads of queries and keys -> tokens
NOTES = (
    "the unit is a copy of queries and keys: as many bytes read and written",
    "rotate works out its cosines inside the kernel, in each call; transformers' and Liger's are made before the clock "
    "starts, once for all layers as they do; Liger turns in place and gets a copy, which is timed with it",
    "out= writes elsewhere, in place over the queries and keys themselves",
)


def on_the_card(torch, skipped):
    rows = [row for heads, lengths in SIZES.items() for tokens in lengths for row in turned(torch, heads, tokens)]
    name = torch.cuda.get_device_name()
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    options = dict(packages=("numpy", "torch", "triton", "transformers"), skipped=skipped | dict(_timing.SKIPPED))
    _timing.save(f"mrope-{slug}", device=name, threads=1, rows=rows, notes=NOTES, **options)


def turned(torch, heads, tokens):
    """Parity on the first tokens against float64, then events."""
    title = f"rotation, bfloat16, {heads[0]}+{heads[1]} heads, N={tokens}, D={WIDTH}"
    print(title)
    frames = tokens // 2 // 168
    ids = position_ids([Text(64), Vision(frames, 12, 14), Text(tokens - 64 - frames * 168)])
    places = torch.from_numpy(ids).cuda()
    inputs = [
        [torch.randn(1, n, tokens, WIDTH, device="cuda", dtype=torch.bfloat16) for n in heads] for _ in range(SETS)
    ]
    outs = [torch.empty_like(x) for x in inputs[0]]
    contenders = {
        "rotate, one kernel": lambda i: rotate(tuple(inputs[i]), places, **HOW),
        "rotate, one kernel, out=": lambda i: rotate(tuple(inputs[i]), places, **HOW, out=tuple(outs)),
    }
    contenders |= peers(torch, inputs, ids)
    few = [x[..., :512, :].double().cpu().numpy() for x in inputs[0]]
    expected = rotate(tuple(few), ids[:, :512], **HOW)
    for name, call in contenders.items():
        for answer, right in zip(call(0), expected, strict=True):
            np.testing.assert_allclose(
                answer[..., :512, :].double().cpu().numpy(), right, atol=0.06, rtol=0.02, err_msg=name
            )
    calls = {"copy of the same bytes": lambda i: [out.copy_(x) for out, x in zip(outs, inputs[i % SETS])]}
    calls["rotate, one kernel, in place"] = lambda i: rotate(
        tuple(inputs[i % SETS]), places, **HOW, out=tuple(inputs[i % SETS])
    )
    for turn, (name, call) in enumerate(contenders.items()):
        calls[name] = lambda i, call=call, turn=turn: call((i + turn) % SETS)
    return _timing.race(title, calls, rounds=25, warm=5, clock=_timing.cuda_clock)


def peers(torch, inputs, ids):
    """transformers' function, the same compiled, and Liger's kernel, each with cosines and sines that are ready."""
    places = torch.from_numpy(ids)[:, None].cuda()

    def transformers():
        _, _, rotary, apply = transformers_parts([[x[:, :, :8].float().cpu().numpy() for x in inputs[0]]], ids)
        cos, sin = rotary.cuda()(inputs[0][0], places)
        fused = torch.compile(apply, dynamic=False)
        return {
            "transformers, eager": lambda i: apply(*inputs[i], cos, sin),
            "transformers, torch.compile": lambda i: fused(*inputs[i], cos, sin),
        }

    def liger():
        kernel = importlib.import_module("liger_kernel.ops.qwen2vl_mrope").LigerQwen2VLMRopeFunction
        turned = places[..., None].double() * HOW["theta"] ** (-torch.arange(WIDTH // 2, device="cuda") / (WIDTH // 2))
        both = torch.cat([turned, turned], dim=-1)
        cos, sin = (each.to(torch.bfloat16) for each in (both.cos(), both.sin()))
        return {"Liger": lambda i: kernel.apply(*(x.clone() for x in inputs[i]), cos, sin, list(HOW["sections"]))}

    found = [_timing.optional(name, load) or {} for name, load in (("transformers", transformers), ("Liger", liger))]
    return found[0] | found[1]
