"""The same small transformer over codes laid out in three ways: bits a frame, and what a step costs."""

import math
import time

import numpy as np
import torch

from mmtokedu.nn.prior import CausalPrior
from mmtokedu.rvq import delay_pattern, flatten_codes

LAYOUTS = "flattened", "parallel", "delayed"
STAGES, FRAMES = 4, 50  # of the codec's codebooks; of a window: half a second
SHIFTS = range(0, 160, 20)  # samples cut off before a training sentence is encoded: other codes for the same speech
UPDATES, BATCH, LEARNING_RATE = 800, 8, 1e-3
WIDTH, LAYERS, HEADS = 128, 2, 4
MARKS = 100, 200, 400, 600, 800


def lay_out(codes, layout, K):
    """Codes (F, STAGES) as what a prior reads, and whose code each id is, -1 for what is no code.

    Every sequence begins with a start id, so that all codes are predicted. Flattened ids are q*K + code, one sequence
    (1 + F*STAGES,); the others keep a column a codebook, (1 + F, STAGES) or (1 + F + STAGES - 1, STAGES).

    >>> ids, whose = lay_out(np.array([[1, 2], [3, 0]]), "delayed", K=4)
    >>> ids.tolist(), whose.tolist()
    ([[4, 4], [1, 4], [3, 2], [4, 0]], [[-1, -1], [0, -1], [0, 1], [-1, 1]])
    """
    Q = codes.shape[1]
    if layout == "flattened":
        ids = np.concatenate([[Q * K], flatten_codes(codes + K * np.arange(Q))])
        return ids, np.where(ids < Q * K, ids // K, -1)
    rows = codes if layout == "parallel" else delay_pattern(codes, pad=K)
    ids = np.concatenate([np.full((1, Q), K), rows])
    return ids, np.where(ids < K, np.arange(Q), -1)


def make_prior(layout, K, stages=STAGES):
    """The transformer for a layout: width, layers and heads are the same, tables and heads hold the same codes."""
    options = {"width": WIDTH, "layers": LAYERS, "heads": HEADS}
    if layout == "flattened":
        return CausalPrior(stages * K + 1, 1 + FRAMES * stages, **options)
    return CausalPrior(K + 1, FRAMES + stages, streams=stages, **options)


def windows(clips):
    """All whole windows of FRAMES frames of code tables (F, STAGES), one after the other: (n, FRAMES, STAGES)."""
    return np.stack([clip[i : i + FRAMES] for clip in clips for i in range(0, len(clip) - FRAMES + 1, FRAMES)])


def batch_of(tables, layout, K):
    """Windows (n, FRAMES, STAGES) -> ids and whose code each is, as tensors."""
    laid = [lay_out(codes, layout, K) for codes in tables]
    return tuple(torch.from_numpy(np.stack(part)) for part in zip(*laid))


def run_stream(layout, seed, clips, held, K, updates=UPDATES):
    """One prior: bits a frame on held-out windows, by codebook, while it learns, and updates a second.

    `clips` are code tables (F, STAGES) to draw windows from, `held` is windows (n, FRAMES, STAGES).
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    draw, prior = np.random.default_rng(seed), make_prior(layout, K)
    optimizer = torch.optim.AdamW(prior.parameters(), LEARNING_RATE)
    shown, curve, seconds = batch_of(held, layout, K), [], 0.0
    for update in range(1, updates + 1):
        began = time.process_time()
        rate = min(1.0, update / 50, 3 * (1 - update / (updates + 1)))
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * rate
        drawn = [clips[i] for i in draw.integers(len(clips), size=BATCH)]
        starts = [draw.integers(len(clip) - FRAMES + 1) for clip in drawn]
        ids, whose = batch_of([clip[s : s + FRAMES] for clip, s in zip(drawn, starts)], layout, K)
        loss = prior.bits(ids, counted=whose >= 0).mean() * math.log(2) / (FRAMES * STAGES)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        seconds += time.process_time() - began
        if update in MARKS or update == updates:
            curve.append({"update": update, "bits": sum(bits_by_codebook(prior, *shown))})
    each = bits_by_codebook(prior, *shown)
    return {
        "bits": sum(each),
        **{f"bits_{q + 1}": bits for q, bits in enumerate(each)},
        "positions": shown[0].shape[1] - 1,
        "numbers": sum(p.numel() for p in prior.parameters()),
        "seconds": seconds,
        "updates_per_second": updates / seconds,
        "curve": curve,
    }


@torch.no_grad()
def bits_by_codebook(prior, ids, whose):
    """The mean bits a frame of each codebook's codes, each given what its layout has put before it."""
    found = np.zeros(STAGES)
    for part, owner in zip(ids.split(32), whose.split(32)):
        found += [float(prior.bits(part, counted=owner == q).sum()) for q in range(STAGES)]
    return (found / (len(ids) * FRAMES)).tolist()


def without_context(clips, held, K):
    """Bits a frame when every code is coded by its codebook's frequencies in `clips` alone (half a count for each)."""
    bits = 0.0
    for q in range(held.shape[2]):
        counts = np.bincount(np.concatenate(clips)[:, q], minlength=K) + 0.5
        bits -= np.log2(counts / counts.sum())[held[..., q]].mean()
    return float(bits)
