"""Golden vectors of the explorable of vector quantization: what the library answers, in float64, far from any tie."""

import numpy as np

from mmtokedu import vq
from mmtokedu.explore._vq import MAX_CODES, STARTS, draws, play


def _drawn():
    """40 configurations: latents, a codebook, its usage, and 1 to 16 codes (one of them 1, some more than latents)."""
    rng = np.random.default_rng(4)
    for i in range(40):
        count, size = int(rng.integers(1, 60)), 1 if i == 0 else int(rng.integers(2, MAX_CODES + 1))
        points, codebook = rng.normal(0, 0.4, (count, 2)), rng.normal(0, 0.4, (size, 2))
        yield points, codebook, rng.uniform(0.01, 3, size), rng


def _measured(points, codes, embed):
    """What the page shows in numbers: counts, used, perplexity, the mean squared distance of a latent to its code."""
    usage = vq.codebook_usage(codes, len(embed))
    distance = ((points - vq.look_up(codes, embed)) ** 2).sum(axis=1).mean()
    return {"counts": usage.counts.tolist(), "used": usage.used, "perplexity": usage.perplexity, "error": distance}


def _told(state):
    return {"sum": state.sum.tolist(), "usage": state.usage.tolist()}


def golden():
    """Assignments, single updates and restarts on drawn configurations, and whole runs of every preset."""
    assign, update, restart, runs = [], [], [], []
    for points, codebook, usage, rng in _drawn():
        state = vq.ema_state(codebook, usage)
        codes = vq.nearest_code(points, codebook)
        given = {"points": points.tolist(), "codes": codes.tolist()}
        assign.append({**given, "codebook": codebook.tolist(), **_measured(points, codes, codebook)})
        decay, threshold, numbers = (rng.choice([0.0, 0.1, 0.5, 0.9, 0.99]), rng.uniform(0, 2), rng.random(len(points)))
        after = vq.ema_update(state, points, codes, decay)
        update.append({**given, "state": _told(state), "decay": decay, "after": _told(after)})
        after = vq.restart_dead_codes(state, points, threshold, numbers)
        asked = {"threshold": threshold, "draws": numbers.tolist()}
        restart.append({"points": points.tolist(), "state": _told(state), **asked, "after": _told(after)})
    faded = vq.ema_state(np.array([[0.5, -0.5], [0.0, 0.25]]), np.array([1e-12, 1e-12]))  # held at the floor
    given = {"points": [[0.25, 0.0]], "codes": [1], "state": _told(faded), "decay": 0.5}
    update.append({**given, "after": _told(vq.ema_update(faded, np.array([[0.25, 0.0]]), np.array([1]), 0.5))})
    for preset in STARTS:
        for size in (1, 5, 12, 16):
            for decay, threshold in ((0.5, 2.0), (0.9, 0.5)):
                for do in ("", "s", "s3", "ua", "u2a", "s10", "s10r", "s10rs5", "rs25rs2", "s8us2ar"):
                    end = play(preset, size, decay, threshold, do)
                    asked = {"preset": preset, "codes": size, "decay": decay, "threshold": threshold, "do": do}
                    found = {"points": end.points.tolist(), "chosen": end.codes.tolist(), **_told(end.state)}
                    runs.append({**asked, **found, **_measured(end.points, end.codes, end.state.embed)})
    numbers = [{"seed": seed, "draws": draws(seed, 90).tolist()} for seed in (0, 1, 2, 2**31, 2**32 - 1)]
    return {"assign": assign, "update": update, "restart": restart, "runs": runs, "draws": numbers}
