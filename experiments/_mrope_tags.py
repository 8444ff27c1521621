"""Frames with a tag and a value: what did the latest earlier frame with this tag show? Only t moves."""

import numpy as np
import torch

from mmtokedu.mrope import Vision, position_ids
from mmtokedu.nn.mrope import COLOURS, NO_ANSWER, answer_loss

TAGS = 8
GAPS = (1, 4), (5, 8), (9, 16), (17, 32), (33, 64)
TAG = {"words": COLOURS, "kinds": TAGS, "alike": True}


def tagged(rng, n, frames):
    """Tags and values (n, frames), the value at the latest earlier frame of the same tag, and how far back that is.

    Some tags of a clip are rarer than others, so that it may be far. NO_ANSWER and 0 where there is none.
    """
    odds = (rng.random((n, 1, TAGS)) ** 2 + 0.02).cumsum(axis=-1)
    tags = (rng.random((n, frames, 1)) * odds[..., -1:] > odds).sum(axis=-1)
    values, place = rng.integers(COLOURS, size=(n, frames)), np.arange(frames)
    same = (tags[:, :, None] == tags[:, None]) & (place < place[:, None])
    latest = np.where(same, place, -1).max(axis=-1)
    answers = np.where(latest >= 0, np.take_along_axis(values, np.maximum(latest, 0), axis=1), NO_ANSWER)
    return tags, values, answers, np.where(latest >= 0, place - latest, 0)


def tag_places(frames):
    return position_ids([Vision(frames, 1, 1)])


def tag_loss(finder, rng, *, frames=32, tokens=1000):
    """The loss of clips of so many frames."""
    tags, values, answers, _ = tagged(rng, tokens // frames, frames)
    return answer_loss(finder(values, tags, tag_places(frames)), answers)


@torch.no_grad()
def score_tags(finder, frames, *, n=100, seed=7):
    """{"right", "by_gap"}: the share of right answers, and for each of GAPS, how far back, the share or None."""
    tags, values, answers, back = tagged(np.random.default_rng([seed, frames]), n, frames)
    right, there = finder(values, tags, tag_places(frames)).argmax(dim=-1).numpy() == answers, answers >= 0
    within = [there & (least <= back) & (back <= most) for least, most in GAPS]
    by_gap = [round(float(right[some].mean()), 4) if some.sum() >= 30 else None for some in within]
    return {"right": round(float(right[there].mean()), 4), "by_gap": by_gap}


@torch.no_grad()
def lured(finder, further, *, target=4, frames=128, n=24, seed=7):
    """The share of answers that are a decoy's: asked of a frame `target` back, with one of the same tag further back.

    further says how much further, one share each; all other frames have other tags.
    """
    shares = []
    for p in further:
        rng = np.random.default_rng([seed, p])
        tags, values = rng.integers(1, TAGS, size=(n, frames)), rng.integers(COLOURS, size=(n, frames))
        tags[:, [-1, -1 - target, -1 - target - p]] = 0
        right, decoy = values[:, -1 - target], values[:, -1 - target - p]
        decoy[:] = (right + rng.integers(1, COLOURS, size=n)) % COLOURS
        said = finder(values, tags, tag_places(frames))[:, -1].argmax(dim=-1).numpy()
        shares.append(round(float((said == decoy).mean()), 4))
    return shares
