"""Frames at several rates, a frame one code; time is told by an index, by positions, or by text."""

import numpy as np
import torch

from mmtokedu.mrope import Text, Vision, position_ids
from mmtokedu.nn.mrope import COLOURS, NO_ANSWER, answer_loss, share_right

CLOCK = ("seconds", 1), ("seconds", 2), ("frames", 1), ("frames", 2), ("frames", 4)  # how long ago
SECONDS, PARTS = 32, 8  # words for whole seconds, and for eighths
CLOCKS = {"words": COLOURS + SECONDS + PARTS, "kinds": len(CLOCK)}
TOLD = "index", "ids", "text"
LENGTHS = 9, 20  # frames of a clip, at any rate


def clock(finder, told, colours, start, rate, asked):
    """The answers of all frames: colours (n, frames), start (n,) in eighths of a second, asked (n,) -> logits.

    told: "index", frames count 0, 1, 2; "ids", two a second, with fractions; "whole ids", their fractions cut off as
    Qwen2.5-VL's; "text", the second and the eighth stand before each frame as two words, as Qwen3-VL's time does.
    """
    n, frames = colours.shape
    if told != "text":
        step, rule = (1, "qwen2-vl") if told == "index" else (2 / rate, "qwen3-omni" if told == "ids" else "qwen2.5-vl")
        return finder(colours, asked[:, None], position_ids([Vision(frames, 1, 1, step)], rule=rule))
    second, part = np.divmod(start[:, None] + np.arange(frames) * (PARTS // rate), PARTS)
    ids = np.stack([COLOURS + second, COLOURS + SECONDS + part, colours], axis=-1).reshape(n, -1)
    return finder(ids, asked[:, None], position_ids([Text(2), Vision(1, 1, 1)] * frames))[:, 2::3]


def clips(rng, n, frames):
    """Random colours (n, frames), and when each clip starts, up to 8 s, in eighths of a second."""
    return rng.integers(COLOURS, size=(n, frames)), rng.integers(8 * PARTS, size=n)


def ago(colours, kind, rate):
    """What was there so many seconds or frames ago; NO_ANSWER before the beginning.

    >>> ago(np.arange(6)[None], ("seconds", 1), rate=4).tolist()
    [[-100, -100, -100, -100, 0, 1]]
    """
    unit, k = kind
    back = k * rate if unit == "seconds" else k
    answers = np.full_like(colours, NO_ANSWER)
    answers[:, back:] = colours[:, : max(0, colours.shape[1] - back)]
    return answers


def clock_loss(finder, rng, *, told, rates, n=50):
    """The loss of n clips at one drawn rate, of one drawn number of frames, each asked one drawn question."""
    rate, frames = int(rng.choice(rates)), int(rng.integers(*LENGTHS, endpoint=True))
    colours, start = clips(rng, n, frames)
    asked = rng.integers(len(CLOCK), size=n)
    answers = np.concatenate([ago(row[None], CLOCK[kind], rate) for row, kind in zip(colours, asked)])
    return answer_loss(clock(finder, told, colours, start, rate, asked), answers)


@torch.no_grad()
def score_clock(finder, told, rate, *, frames=20, n=200, seed=7):
    """A row for each question: {unit, k, right, guess, at_2}; a guess is the clip's commonest colour.

    `at_2` is the share of answers that would be right at 2 frames a second: 2 k frames ago for k seconds.
    """
    rng, rows = np.random.default_rng([seed, rate]), []
    for kind, (unit, k) in enumerate(CLOCK):
        colours, start = clips(rng, n, frames)
        logits = clock(finder, told, colours, start, rate, np.full(n, kind))
        answers, otherwise = (ago(colours, (unit, k), each) for each in (rate, 2))
        common = (colours[..., None] == np.arange(COLOURS)).sum(axis=1).argmax(axis=-1)[:, None]
        right = {"right": share_right(logits, answers), "guess": float((common == answers)[answers >= 0].mean())}
        right["at_2"] = share_right(logits, otherwise)
        rows.append({"unit": unit, "k": k} | {name: round(value, 4) for name, value in right.items()})
    return rows
