"""The explorable of vector quantization on the Python side: its presets, what happens in its page, its still figure."""

import html
import math
import operator
import re
from typing import NamedTuple

import numpy as np

from mmtokedu import vq

MAX_CODES, MAX_STEPS = 16, 99
DRIFT = (0.06, 0.0), 20  # how far the latents of "drift" move with each batch, and for how many batches
# (draws, how many, where x, y, how wide): the clusters that the latents are drawn from
CLUSTERS = [
    (11, 20, 0.55, 0.5, 0.13), (12, 18, -0.1, 0.62, 0.12), (13, 16, 0.62, -0.18, 0.11), (14, 14, 0.1, 0.1, 0.12),
    (15, 12, -0.55, 0.3, 0.1), (16, 10, 0.15, -0.6, 0.1),
]  # fmt: skip
MOVING = [(41, 45, -0.6, 0.25, 0.17), (42, 45, -0.6, -0.3, 0.17)]
STARTS = {"corner": "start in one corner", "healthy": "start on latents", "drift": "start on latents that move away"}


def parts(preset, codes, decay, threshold, steps):
    """(attributes, data, still figure, its words) for these arguments, or the error that `explore.vq` names."""
    if preset not in tuple(STARTS):
        raise ValueError(f"preset is {preset!r}; choose {', '.join(STARTS)}")
    codes, steps = operator.index(codes), operator.index(steps)
    for name, value, low, high in (
        ("codes", codes, 1, MAX_CODES),
        ("decay", decay, 0.1, 0.99),
        ("threshold", threshold, 0, 9.9),
        ("steps", steps, 0, MAX_STEPS),
    ):
        if not low <= value <= high:
            raise ValueError(f"{name} is {value}; choose {low} to {high}")
    decay, threshold = round(float(decay), 2), round(float(threshold), 1)  # what the page's handles can show
    world = play(preset, codes, decay, threshold, f"s{steps}" if steps else "")
    usage = vq.codebook_usage(world.codes, codes)
    alt = f"{len(world.points)} latents and {codes} code{'s' * (codes > 1)} that {STARTS[preset]}"
    alt += f", after {steps} step{'s' * (steps > 1)}" if steps else ""
    alt += f": {usage.used} of {codes} code{'s' * (codes > 1)} used, perplexity {usage.perplexity:.1f}."
    attributes = {"preset": preset, "codes": codes, "decay": decay, "threshold": threshold, "steps": steps}
    return attributes, _data(), _still(world, usage.counts, threshold, alt), alt


def draws(seed, count):
    """`count` numbers in [0, 1) that the page draws too: Tommy Ettinger's mulberry32, all in 32-bit whole numbers."""
    word, numbers = 0xFFFFFFFF, np.empty(count)
    for i in range(count):
        seed = (seed + 0x6D2B79F5) & word
        t = (seed ^ (seed >> 15)) * (seed | 1) & word
        t ^= (t + ((t ^ (t >> 7)) * (t | 61) & word)) & word
        numbers[i] = (t ^ (t >> 14)) / 2**32
    return numbers


# A preset's latents and codes: rounded, so that every machine writes the same page.


def _cloud(clusters, order):
    """Latents (N, 2) around the centres of clusters, each coordinate the sum of four draws, in a drawn order."""
    bells = [
        (x, y) + spread * math.sqrt(3) * (draws(seed, 8 * count).reshape(count, 2, 4).sum(axis=2) - 2)
        for seed, count, x, y, spread in clusters
    ]
    points = np.concatenate(bells)
    return points[draws(order, len(points)).argsort()].round(3).clip(-0.97, 0.97)


def _presets():
    """Name -> latents (90, 2) and the starts (16, 2) of as many codes as a reader can ask for."""
    still, moving = _cloud(CLUSTERS, 17), _cloud(MOVING, 43)
    disc = 2 * draws(21, 80).reshape(-1, 2) - 1
    disc = disc[(disc**2).sum(axis=1) < 1][:MAX_CODES]
    some = lambda points, seed: points[draws(seed, len(points)).argsort()[:MAX_CODES]]
    return {
        "corner": (still, (0.17 * disc - 0.76).round(3)),
        "healthy": (still, some(still, 31)),
        "drift": (moving, some(moving, 44)),
    }


def _data():
    """The presets, as the front-end file reads them."""
    presets = {
        name: {"points": points.tolist(), "codes": codes.tolist(), "drift": DRIFT if name == "drift" else [[0, 0], 0]}
        for name, (points, codes) in _presets().items()
    }
    return {"presets": presets, "max_codes": MAX_CODES, "max_steps": MAX_STEPS}


# What happens in the page, by the library's functions.


class World(NamedTuple):
    """The plane at one moment: latents, the code each one chose, the codebook's averages, and what is still to come."""

    points: np.ndarray
    codes: np.ndarray
    state: vq.EmaState
    drift: tuple  # how far the latents move with a new batch, for how many batches more
    updated: bool = False  # since the last batch
    restarts: int = 0


def play(preset, codes, decay, threshold, do):
    """The World after `do`: u update, a assign, s both, r restart the dead codes; a number repeats the letter."""
    points, starts = _presets()[preset]
    state = vq.ema_state(starts[:codes])
    drift = DRIFT if preset == "drift" else ((0.0, 0.0), 0)
    world = World(points, vq.nearest_code(points, state.embed), state, drift)
    for letter, times in re.findall(r"([suar])(\d*)", do):
        for one in (letter if letter != "s" else "ua") * int(times or 1):
            world = _act(world, one, decay, threshold)
    return world


def _act(world, one, decay, threshold):
    points, codes, state, (by, left), updated, restarts = world
    if one == "u":
        return world._replace(state=vq.ema_update(state, points, codes, decay), updated=True)
    if one == "r":
        restarts += 1
        state = vq.restart_dead_codes(state, points, threshold, draws(restarts, len(points)))
    elif updated:  # a new batch
        points = points + by if left else points
        left, updated = max(0, left - 1), False
    return World(points, vq.nearest_code(points, state.embed), state, (by, left), updated, restarts)


def _still(world, counts, threshold, alt):
    """The plane in SVG: latents as dots, codes as diamonds, hollow when unused, a cross when dead."""
    at = lambda spots: np.column_stack([210 + 200 * spots[:, 0], 210 - 200 * spots[:, 1]])
    points, codes = at(world.points), at(world.state.embed)
    lines = "".join(f"M{x:.1f} {y:.1f}L{u:.1f} {v:.1f}" for (x, y), (u, v) in zip(points, codes[world.codes]))
    dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)
    marks = {"won": "", "unused": "", "dead": ""}
    for (x, y), count, usage in zip(codes, counts, world.state.usage):
        kind = "dead" if usage < threshold else "won" if count else "unused"
        marks[kind] += f"M{x:.1f} {y:.1f}" + ("m-5-5l10 10m0-10l-10 10" if kind == "dead" else "m0-8l7 8l-7 8l-7-8z")
    style = {"won": 'fill="currentColor"', "unused": 'fill="none"', "dead": 'fill="none" stroke-opacity=".65"'}
    drawn = "".join(f'<path d="{d}" stroke="currentColor" {style[kind]}/>' for kind, d in marks.items() if d)
    said = html.escape(alt)
    return (
        '<figure style="margin:1em 0"><svg viewBox="0 0 420 420" role="img" style="max-width:100%;height:auto" '
        f'width="420" height="420" fill="none" stroke-width="1.5"><title>{said}</title>'
        '<path d="M6 6h408v408H6z" stroke="currentColor" stroke-opacity=".4"/>'
        f'<path d="{lines}" stroke="#3b85dc" stroke-opacity=".4" stroke-width="1"/>'
        f'<path d="{dots}" stroke="#3b85dc" stroke-width="6" stroke-linecap="round"/>{drawn}</svg>'
        f"<figcaption>{said} Dots are latents, each with a line to its code; diamonds are codes, hollow where "
        "no latent chose them; a cross is a dead code.</figcaption></figure>"
    )
