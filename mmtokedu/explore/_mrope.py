"""The explorable of positions on the Python side: one sequence, its positions under a rule, what a query attends to."""

import html
import operator
import re

import numpy as np

from mmtokedu.catalog import positions as catalog
from mmtokedu.mrope import Text, Vision, axis_of_pair, position_ids, rotate, turning

RULES = "qwen2-vl", "qwen2.5-vl", "qwen3-vl", "1d"  # rows of the catalog: how the sequence is numbered
LAYOUTS = {"blocks": "qwen2-vl", "interleaved": "qwen3-vl"}  # and whose pairs turn
RESUMES = "after-max", "spatial"
FPS, SECONDS, MERGED, PER_SECOND = (1, 2, 4, 8), 4, 2, 2  # a film of 4 s; two frames are one; Qwen2.5-VL's ids a second
MOST = 8, 12  # rows and columns of the picture
FRAME = 2, 3  # tokens of a frame: rows and columns
WORDS = {
    "a": ("Here", "is", "a", "picture"),
    "b": ("and", "here", "a", "film"),
    "c": ("What", "happens", "at", "the", "end?"),
}
AXES = {"t": ("#a1342d", "#ff9a8f"), "h": ("#665c00", "#d9ce5f"), "w": ("#5a48b0", "#b6a8ff")}  # in light, in dark
NAME = re.compile(r"(?:([abc])(\d)|(p)(\d)_(\d\d?)|(f)(\d\d?)_(\d)_(\d)|(s)(\d\d?))")


def parts(rule, layout, resume, height, width, fps, query, token):
    """(attributes, data, still figure, its words) for these arguments, or the error that `explore.mrope` names."""
    for name, value, known in (
        ("rule", rule, RULES), ("layout", layout, tuple(LAYOUTS)), ("resume", resume, RESUMES), ("fps", fps, FPS)
    ):  # fmt: skip
        if value not in known:
            raise ValueError(f"{name} is {value!r}; choose {', '.join(map(str, known))}")
    for name, value, most in (("height", height, MOST[0]), ("width", width, MOST[1])):
        if not 1 <= operator.index(value) <= most:
            raise ValueError(f"{name} is {value}; choose 1 to {most} tokens")
    ids = sequence(rule, resume, height, width, fps)
    for name, value in (("query", query), ("token", token)):
        if value not in ids:
            raise ValueError(f"{name} is {value!r}; this sequence has {_examples(ids)}")
    alt = _in_words(rule, layout, height, width, fps, ids, query, token)
    attributes = {"rule": rule, "layout": layout, "resume": resume, "height": height, "width": width, "fps": fps}
    attributes |= {"query": query, "token": token}
    return attributes, _data(), _still(ids, alt), alt


def _examples(ids):
    """One token of each kind, for a message."""
    some = {name[0]: name for name in ids}
    return ", ".join(f"{name} ({WHAT[kind]})" for kind, name in some.items())


WHAT = {
    "a": "a word", "p": "picture, row_column", "b": "a word", "s": "a frame's time", "f": "frame_row_column",
    "c": "a word",
}  # fmt: skip


# ------------------------------------------------------------------------------------------------- the sequence


def segments(rule, height, width, fps):
    """[(what its tokens' names begin with, segment), …]: words, a picture, words, a film, words.

    Where a rule takes no films, each frame is a picture of its own after its time, which is one word here.
    """
    row, frames = catalog.row("models", rule), SECONDS * fps // MERGED
    words = {part: (part, Text(len(some))) for part, some in WORDS.items()}
    step = PER_SECOND * MERGED / fps if row.steps else 1
    film = [("f", Vision(frames, *FRAME, step))]
    if not row.films:
        film = [each for i in range(frames) for each in ((f"s{i}", Text(1)), (f"f{i}_", Vision(1, *FRAME)))]
    return [words["a"], ("p", Vision(1, height, width)), words["b"], *film, words["c"]]


def sequence(rule, resume, height, width, fps):
    """The position (t, h, w) of each token by its name, in order: a0 is a word, p1_2 the picture's row 1, column 2.

    `resume` is heeded where the rule has it, else its own way is taken.

    >>> ids = sequence("qwen2-vl", "spatial", 2, 3, 4)
    >>> ids["p1_2"], ids["f7_0_0"], ids["c0"]
    ((4, 5, 6), (18, 11, 11), (14, 14, 14))
    """
    row, named = catalog.row("models", rule), segments(rule, height, width, fps)
    way = resume if resume in row.resumes else row.resumes[0]
    ids = position_ids([segment for _, segment in named], rule=rule, resume=way)
    names = [name for part, segment in named for name in _names(part, segment)]
    return dict(zip(names, map(tuple, ids.T.tolist()), strict=True))


def _names(part, segment):
    if isinstance(segment, Text):
        return [part] if part[0] == "s" else [f"{part}{i}" for i in range(segment.n)]
    grid = segment[:3] if part == "f" else segment[1:3]
    return [part + "_".join(map(str, place)) for place in np.ndindex(*grid)]


def landing(ids):
    """How far behind the film's last frame the first word after it stands, in t: 1 at once, below 1 inside the film.

    >>> landing(sequence("qwen2-vl", "after-max", 4, 6, 4)), landing(sequence("qwen2-vl", "spatial", 4, 6, 4))
    (1, -4)
    """
    return ids["c0"][0] - max(t for name, (t, _, _) in ids.items() if name[0] == "f")


def attention(layout, query, key):
    """What a key at one place gets of the attention that one at the query's own place would get, 0 to 1 and a little.

    Every number of both is 1, so that the rotation alone decides: exp((q k - q q) / sqrt(D)).

    >>> round(attention("blocks", (9, 9, 9), (9, 9, 15)), 3), round(attention("interleaved", (9, 9, 9), (9, 9, 15)), 3)
    (1.0, 0.535)
    """
    turns = turns_of(layout)
    D = 2 * sum(turns["sections"])
    turned = rotate(np.ones((2, D)), np.transpose([query, key]), **turns)
    return float(np.exp((turned[0] @ turned[1] - D) / D**0.5))


def turns_of(layout):
    """The keywords of `rotate` for a layout, as the system that goes with it has them."""
    return {name: value for name, value in turning(LAYOUTS[layout]).items() if name in ("sections", "theta", "layout")}


# ------------------------------------------------------------------------------------------------- the page's data


def _data():
    """Rules, pairs and words as the front-end file reads them."""
    told = lambda name: (row := catalog.row("models", name)) and {
        "id": name, "title": row.title, "about": row.about, "source": row.source, "as_of": row.as_of.isoformat(),
        "verified": row.verified,
    }  # fmt: skip
    rules = [
        told(name) | {key: getattr(catalog.row("models", name), key) for key in ("rule", "films", "steps", "resumes")}
        for name in RULES
    ]
    layouts = [told(system) | turns_of(layout) | {"id": layout} for layout, system in LAYOUTS.items()]
    return {
        "rules": rules, "layouts": layouts, "resumes": RESUMES, "fps": FPS, "seconds": SECONDS, "merged": MERGED,
        "per_second": PER_SECOND, "most": MOST, "frame": FRAME, "words": WORDS, "axes": list(AXES.values()),
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------- on paper


def _in_words(rule, layout, height, width, fps, ids, query, token):
    last, first, behind = max(t for name, (t, _, _) in ids.items() if name[0] == "f"), ids["c0"][0], landing(ids)
    where = f"{behind} behind" if behind > 0 else "at" if behind == 0 else f"{-behind} before"
    share = attention(layout, ids[query], ids[token])
    return (
        f"Words, a picture of {height} × {width} tokens, words, a film of {SECONDS} s at {fps} "
        f"frame{'s' * (fps > 1)} a second and words, numbered by the rule of {catalog.row('models', rule).title}: the "
        f"film's last frame stands at t = {last}, the first word after it at t = {first}, {where} it. The query "
        f"stands at {ids[query]}, {spoken(query)}; {spoken(token)} at {ids[token]} gets {100 * share:.0f} % of the "
        "attention of the query's own place."
    )


def spoken(name):
    """A token's name in words, counted from 1.

    >>> spoken("c0"), spoken("p1_2"), spoken("f7_0_1"), spoken("s3")
    ('“What”', 'the picture, row 2, column 3', 'frame 8, row 1, column 2', 'the time of frame 4')
    """
    kind, *places = (part for part in NAME.fullmatch(name).groups() if part)
    places = list(map(int, places))
    if kind in WORDS:
        return f"“{WORDS[kind][places[0]]}”"
    if kind == "s":
        return f"the time of frame {places[0] + 1}"
    where = "the picture" if kind == "p" else f"frame {places[0] + 1}"
    return f"{where}, row {places[-2] + 1}, column {places[-1] + 1}"


def _still(ids, alt):
    """Three rulers, an axis each: where the tokens of the picture and film stand above the line, where words below."""
    most = max(max(place) for place in ids.values())
    x = lambda position: 40 + 590 * (position + 0.5) / (most + 1)
    wide = min(9.0, 0.7 * 590 / (most + 1))
    drawn, kinds = "", {"p": "#1f6cc0", "f": "#08553a"}
    for axis, letter in enumerate(AXES):
        y = 44 + 52 * axis
        drawn += f'<text x="12" y="{y + 5}" font-weight="700">{letter}</text><path d="M40 {y}h590" stroke="#8f897a"/>'
        marks = sorted({(name[0] if name[0] in "pf" else "a", place[axis]) for name, place in ids.items()})
        for kind, at in marks:
            top, color = (y - 15, kinds[kind]) if kind in kinds else (y + 2, "#59626f")
            drawn += f'<rect x="{x(at) - wide / 2:.1f}" y="{top}" width="{wide:.1f}" height="13" fill="{color}"/>'
    said = html.escape(alt)
    return (
        '<figure style="margin:1em 0"><svg viewBox="0 0 640 196" role="img" style="max-width:100%;height:auto" '
        f'width="640" height="196" fill="currentColor" font-size="15"><title>{said}</title><text x="40" y="18">'
        f"picture (blue) and film (green) above each line, words below</text>{drawn}"
        f'<text x="40" y="184">0</text><text x="{x(most):.0f}" y="184" text-anchor="middle">{most}</text></svg>'
        f"<figcaption>{said}</figcaption></figure>"
    )


def axes_of(layout):
    """The letter of each pair, fastest first: "ttt…" or "thwthw…".

    >>> axes_of("blocks")[14:18], axes_of("interleaved")[:6]
    ('tthh', 'thwthw')
    """
    turns = turns_of(layout)
    return "".join("thw"[axis] for axis in axis_of_pair(turns["sections"], layout=turns["layout"]))
