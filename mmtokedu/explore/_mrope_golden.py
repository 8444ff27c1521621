"""Golden vectors of the explorables of positions: what the library answers to drawn sequences, sections and vectors."""

import itertools

import numpy as np

from mmtokedu.catalog import positions as catalog
from mmtokedu.explore import _mrope
from mmtokedu.explore._mrope import FPS, LAYOUTS, MOST, RESUMES, RULES
from mmtokedu.mrope import Text, Vision, axis_of_pair, position_ids, rotate

STEPS = 0, 0.5, 1 / 3, 1, 4 / 3, 15 / 11, 2, 2.5, 4, 13 / 3, 12.5, 25  # 11 times 15 / 11 is not 15 in floats
BY_HAND = (
    [Text(1)], [Vision(1, 1, 1)], [Text(2), Vision(1, 2, 3), Text(1)], [Vision(3, 1, 2), Text(2)],
    [Vision(5, 1, 1), Vision(1, 4, 1), Text(3)], [Text(0), Vision(2, 3, 3), Text(0), Vision(2, 3, 3), Text(4)],
)  # fmt: skip


def _told(segment):
    return ["text", segment.n] if isinstance(segment, Text) else ["vision", *segment]


def _drawn(row, rng):
    """A drawn sequence that a rule takes."""
    some = []
    for _ in range(rng.integers(1, 7)):
        if rng.random() < 0.5:
            some.append(Text(int(rng.integers(0, 9))))
        else:
            t = int(rng.integers(1, 9)) if row.films else 1
            step = float(rng.choice(STEPS)) if row.steps else 1
            some.append(Vision(t, *rng.integers(1, 7, 2).tolist(), step))
    return some


def _ids():
    rng = np.random.default_rng(20)
    for rule in RULES:
        row = catalog.row("models", rule)
        some = [each for each in BY_HAND if row.films or all(s.t == 1 for s in each if isinstance(s, Vision))]
        some = [*some, *(_drawn(row, rng) for _ in range(60))]
        if row.steps:
            some += [[Text(1), Vision(30, 1, 2, step), Text(2)] for step in STEPS]
        for segments in some:
            for resume in row.resumes:
                ids = position_ids(segments, rule=rule, resume=resume)
                yield rule, resume, [_told(segment) for segment in segments], ids.tolist()


def _sequences():
    rng = np.random.default_rng(21)
    sizes = [(1, 1), (4, 6), MOST, (1, MOST[1]), (MOST[0], 1), *(rng.integers(1, MOST[0] + 1, (4, 2)).tolist())]
    for rule, resume, fps in itertools.product(RULES, RESUMES, FPS):
        for height, width in sizes:
            ids = _mrope.sequence(rule, resume, height, width, fps)
            yield rule, resume, height, width, fps, list(ids.items()), _mrope.landing(ids)


def _axes():
    some = [("blocks", (16, 24, 24)), ("interleaved", (24, 20, 20)), ("blocks", (2, 3, 3)), ("interleaved", (4, 2, 2))]
    some += [("blocks", (5,)), ("interleaved", (5,)), ("blocks", (0, 1, 2)), ("interleaved", (3, 3, 2))]
    some += [("interleaved", (11, 11, 10)), ("interleaved", (8, 0, 1)), ("blocks", (16, 16, 16, 16))]
    for layout, sections in some:
        yield layout, sections, axis_of_pair(sections, layout=layout).tolist()


def _attention():
    rng = np.random.default_rng(22)
    for layout in LAYOUTS:
        places = [((3, 4, 5), (3, 4, 5)), ((0, 0, 0), (0, 0, 11)), ((30, 12, 12), (0, 0, 0))]
        places += [tuple(map(tuple, rng.integers(0, 60, (2, 3)).tolist())) for _ in range(60)]
        for query, key in places:
            yield layout, query, key, _mrope.attention(layout, query, key)


def turned(count=40):
    """Drawn vectors of several widths, places and turnings, and what `rotate` makes of them."""
    rng = np.random.default_rng(23)
    choices = [((2, 3, 3), "blocks"), ((3, 3, 2), "interleaved"), ((4, 6, 6), "blocks"), ((6, 5, 5), "interleaved")]
    for i in range(count):
        sections, layout = choices[i % len(choices)]
        theta = float(rng.choice([20.0, 100.0, 1e4, 5e6]))
        x, place = rng.standard_normal(2 * sum(sections)).round(3), rng.integers(0, 40, 3)
        y = rotate(x[None], place[:, None], sections=sections, theta=theta, layout=layout)[0]
        yield sections, layout, theta, x.tolist(), place.tolist(), y.tolist()


def golden():
    """Positions of drawn sequences and of the page's, axes of pairs, attention from place to place."""
    return {
        "ids": list(_ids()),
        "sequences": list(_sequences()),
        "axes": list(_axes()),
        "attention": list(_attention()),
    }
