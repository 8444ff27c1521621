"""Golden vectors of the explorable of clips: what the library answers to drawn clips, options, sizes and styles."""

import numpy as np

from mmtokedu.catalog import video as catalog
from mmtokedu.explore._video import SIZES
from mmtokedu.video import sample_frames, timestamp_labels

RATES = (30.0, 29.97, 25.0, 24.0, 23.976, 60.0, 59.94, 50.0, 15.0, 10.0, 1.0)
CLIPS = (  # (frames, Hz) by hand: the request's, the shortest, an hour, one index too many, a tick on a whole second
    (300, 30.0), (1, 30.0), (2, 30.0), (3, 30.0), (4, 25.0), (5, 24.0), (31, 30.0), (60, 30.0), (100, 29.97),
    (47, 23.976), (1494, 25.0), (86_400, 24.0), (108_000, 30.0), (9000, 30.0), (9001, 30.0),
    (72_001, 30.0), (900, 30.0),
    (901, 30.0), (3840, 30.0), (3841, 30.0), (128 * 24, 24.0), (129 * 24, 24.0), (240, 1.0), (10, 1.0), (16, 60.0),
)  # fmt: skip
ASKED = {  # what each option may be asked for
    "fps": (0.01, 0.25, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0, 24.0, 240.0),
    "frames": (1, 2, 3, 5, 8, 16, 20, 32, 33, 64, 128, 256),
    "max_frames": (1, 3, 4, 7, 16, 32, 64, 100, 768, 2048),
}


def _answer(function, *arguments, **options):
    """What a function answers, or the words of its refusal."""
    try:
        return function(*arguments, **options)
    except ValueError as error:
        return str(error)


def _asked(row, rng):
    """Drawn options that a rule takes, never two that exclude each other."""
    names = [name for name in ASKED if name in row.options and rng.random() < 0.5]
    if sum(name in row.either for name in names) > 1:
        names.remove(str(rng.choice([name for name in names if name in row.either])))
    return {name: rng.choice(ASKED[name]).item() for name in names}


def _told(indices):
    """Indices as steps, which are small numbers and few digits."""
    return indices if isinstance(indices, str) else np.diff(indices, prepend=0).tolist()


def _samples():
    rng = np.random.default_rng(18)
    for name, row in catalog.rows("sampling").items():
        clips = [(*clip, {}) for clip in CLIPS]
        for _ in range(60):
            total = int(np.exp(rng.uniform(0, np.log(40_000))))
            clips.append((max(1, total), float(rng.choice(RATES)), _asked(row, rng)))
        for total, rate, options in clips:
            if name == "default" and not options and total > 1000:
                continue  # it keeps every frame
            yield name, total, rate, options, _told(_answer(sample_frames, total, rate, rule=name, **options))


def _plans():
    rng = np.random.default_rng(19)
    drawn = [tuple(int(side) for side in np.exp(rng.uniform(np.log(60), np.log(3000), 2))) for _ in range(40)]
    counts = (1, 2, 3, 4, 8, 20, 32, 33, 64, 180, 600, 768, 2048, 86_400)
    for name, row in catalog.rows("tokens").items():
        clips = [(n, *size) for size in SIZES for n in counts]
        clips += [(int(np.exp(rng.uniform(0, 8))), *size) for size in drawn]
        for frames, height, width in clips:
            if row.rule == "nearest_grid" and nearly_equal_grids(height, width, **row.parameters):
                continue
            plan = _answer(catalog.video_plan, name, frames, height, width)
            if isinstance(plan, str):
                yield name, frames, height, width, plan
            else:
                yield name, frames, height, width, plan.tokens, plan.resized, plan.grid, plan.parts


def nearly_equal_grids(height, width, *, cell, temporal, max_tokens):
    """Whether two of the grids that `nearest_grid` chooses from are equally near: then the order of a set decides."""
    high, wide = height / cell, width / cell
    if high * wide > max_tokens:
        high, wide = (max_tokens * height / width) ** 0.5, (max_tokens * width / height) ** 0.5
    around = {(r, c) for r in (int(high), int(np.ceil(high))) for c in (int(wide), int(np.ceil(wide)))}
    gaps = sorted(abs(r / c - height / width) for r, c in around if r and c and r * c <= max_tokens)
    return len(gaps) > 1 and gaps[1] - gaps[0] < 1e-9


def _labels():
    clips = [([0, 15, 30, 45], 30.0), ([0], 30.0), (list(range(0, 300, 15)), 30.0), ([0, 6, 12, 18, 24, 30], 24.0)]
    clips += [
        (list(range(0, 108_000, 4500)), 30.0),
        ([43_200 * 24, 86_400 * 24, 90_061 * 24 + 7], 24.0),
        ([1, 3, 3], 8.0),
    ]
    rng = np.random.default_rng(20)
    for _ in range(20):
        rate = float(rng.choice(RATES))
        clips.append((np.sort(rng.integers(0, 90_000, rng.integers(1, 9))).tolist(), rate))
    for style in catalog.rows("time"):
        for indices, rate in clips:
            yield style, indices, rate, timestamp_labels(indices, rate, style)


def golden():
    """Indices or refusals of every rule, sizes and tokens of every system, labels of every style."""
    return {"samples": list(_samples()), "plans": list(_plans()), "labels": list(_labels())}
