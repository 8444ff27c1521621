"""Two pictures fuse when the separator is removed, on the Python side: what a row says, and what was learned of it.

A document is TOKENS: words, up to three pictures side by side, words, all of the same letters. A layout says where the
pictures begin and the last one ends. What a model receives of it is a row of cells (what, form, kind, position); two
layouts with the same row are the same to every model.
"""

import functools
import html

import numpy as np

from mmtokedu.measured import results

TOKENS = "CEAACABCBADBDBAD"
FIRST = 3, 6, 9, 12  # where the boundaries stand at first
SHORTEST, LONGEST, MOST = 2, 5, 3  # tokens of a picture; pictures of the documents that were trained on
ASKED = 1  # the token of which is asked whether it is a word: no other is the same letter
PICTURES, SEPARATORS = ("codes", "vectors"), ("there", "closed", "kept")
QUESTIONS = "count", "first", "kind"
ARMS = {  # of experiments/interleave.py -> (separators, modality)
    "nothing": ("closed", False),
    "modality": ("closed", True),
    "separators": ("there", False),
    "both": ("there", True),
    "gap": ("kept", False),
    "gap, modality": ("kept", True),
}
LATER = {"removed, gap closed": "closed", "removed, gap kept": "kept"}  # taken from a model that was trained with them


def parts(pictures, separators, modality, bounds):
    """(attributes, data, still figure, its words) for these arguments, or the error of `explore.fuse`."""
    for name, value, known in (("pictures", pictures, PICTURES), ("separators", separators, SEPARATORS)):
        if value not in known:
            raise ValueError(f"{name} is {value!r}; choose {', '.join(map(repr, known))}")
    if not isinstance(modality, bool):
        raise TypeError(f"modality is {modality!r}; expected True or False")
    bounds = FIRST if bounds is None else tuple(bounds)
    if len(bounds) != MOST + 1 or bounds not in layouts():
        raise ValueError(
            f"bounds are {bounds}; expected where the three pictures begin and the last ends, {SHORTEST} to {LONGEST} "
            f"tokens each, within 1 to {len(TOKENS) - 1}"
        )
    attributes = {
        "pictures": pictures,
        "separators": separators,
        "modality": "on" if modality else "off",
        "bounds": "-".join(map(str, bounds)),
    }
    alt = _in_words(pictures, separators, modality, bounds)
    return attributes, _data(), _still(pictures, separators, modality, bounds, alt), alt


# What a row says


@functools.cache
def layouts():
    """Every layout of one to three pictures in TOKENS, with a word at least before and behind them."""
    found = []
    for start in range(1, len(TOKENS)):
        rows = [(start,)]
        for _ in range(MOST):
            rows = [(*row, row[-1] + long) for row in rows for long in range(SHORTEST, LONGEST + 1)]
            rows = [row for row in rows if row[-1] < len(TOKENS)]
            found += rows
    return tuple(sorted(found, key=lambda row: (len(row), row)))


def received(pictures, separators, modality, layout):
    """What a model is given, cell for cell: (what, form, kind, position), form "id", "vector" or "marker".

    >>> received("codes", "closed", False, (3, 6, 9, 12)) == received("codes", "closed", False, (2, 7, 9))
    True
    """
    cells, at = [], 0
    for i, letter in enumerate(TOKENS):
        for marker, places in (("]", layout[1:]), ("[", layout[:-1])):
            if i in places:
                if separators == "there":
                    cells.append((marker, "marker", "word" if modality else "", at))
                at += separators != "closed"
        code = layout[0] <= i < layout[-1]
        kind = ("code" if code else "word") if modality else ""
        cells.append((letter, "vector" if code and pictures == "vectors" else "id", kind, at))
        at += 1
    return cells


def fitting(pictures, separators, modality, layout):
    """The layouts of which a model receives the same row: it can tell none of them from another."""
    row = received(pictures, separators, modality, layout)
    return [other for other in layouts() if received(pictures, separators, modality, other) == row]


def answers(layout):
    """What is right of a layout: (pictures, the first token of the second one or "", "word" or "picture")."""
    inside = layout[0] <= ASKED < layout[-1]
    return len(layout) - 1, TOKENS[layout[1]] if len(layout) > 2 else "", "picture" if inside else "word"


# What was learned


@functools.cache
def measured():
    """The share of right answers of each arm, [mean, least, most] over the seeds: a list of rows.

    "count" and "kind" are of documents of one, two and three pictures alike, "first" of the first, second and third
    picture in documents of three. `later` is how separators were removed from a model that was trained with them.
    """
    found = {}
    for row in results("interleave")["rows"]:
        for asked in row["asked"] if row["arm"] in ARMS and not row["order"] else ():
            later = LATER.get(asked["asked"], "") if ARMS[row["arm"]][0] == "there" else ""
            if asked["asked"] != "as trained" and not later:
                continue
            found.setdefault((row["vectors"], *ARMS[row["arm"]], later), []).append(asked["rows"][:MOST])
    return [
        {"pictures": PICTURES[vectors], "separators": there, "modality": modality, "later": later, **_shares(seeds)}
        for (vectors, there, modality, later), seeds in found.items()
    ]


def _shares(seeds):
    """[mean, least, most] of each question over the seeds, each a list of rows of `score`."""
    spread = lambda values: [round(float(value), 4) for value in (np.mean(values), min(values), max(values))]
    alike = {name: spread([np.mean([row[name] for row in one]) for one in seeds]) for name in ("count", "kind")}
    first = [spread([one[-1]["first"][k] for one in seeds]) for k in range(MOST)]
    return {**alike, "first": first, "seeds": len(seeds)}


def share(pictures, separators, modality):
    """The row of an arm that was trained as it is asked, or None where it was not measured."""
    arm = {"pictures": pictures, "separators": separators, "modality": modality, "later": ""}
    return next((row for row in measured() if arm.items() <= row.items()), None)


def _data():
    settings = results("interleave")["settings"]
    return {
        "tokens": TOKENS, "start": FIRST, "shortest": SHORTEST, "longest": LONGEST, "most": MOST, "asked": ASKED,
        "shares": measured(), "ids": settings["ids"], "palette": settings["palette"], "tests": settings["tests"],
        "longer": max(row["steps"] for row in results("interleave")["rows"] if row["part"] == "codes"),
        "steps": min(row["steps"] for row in results("interleave")["rows"] if row["part"] == "codes"),
    }  # fmt: skip


# In words, and on paper


def named(pictures, separators, modality):
    """The arm in words."""
    how = {"there": "separators", "closed": "no separators", "kept": "no separators, their gap kept"}[separators]
    return f"Pictures as {pictures}, {how}, {'a' if modality else 'no'} modality embedding"


def percent(share):
    return f"{round(100 * share)} %"


def _in_words(pictures, separators, modality, bounds):
    same, row = fitting(pictures, separators, modality, bounds), share(pictures, separators, modality)
    told = f"{named(pictures, separators, modality)}: {len(same)} of {len(layouts())} layouts give this same row"
    if row is None:
        return f"{told}; what a model learns of it was not measured."
    count, first, kind = (percent(value[0]) for value in (row["count"], row["first"][1], row["kind"]))
    return f"{told}; right answers: how many pictures {count}, how the second begins {first}, word or picture {kind}."


def _still(pictures, separators, modality, bounds, alt):
    """The row as one knows it, and as a model receives it."""
    colours = {"word": "#59626f", "code": "#1f6cc0", "marker": "#7c1f70", "": "#8f897a"}
    known, lines = received("codes", "there", True, bounds), []
    given = received(pictures, separators, modality, bounds)
    for y, cells, label in ((34, known, "What you know"), (106, given, "What the model receives")):
        lines.append(f'<text x="4" y="{y - 10}">{label}</text>')
        for i, (what, form, kind, at) in enumerate(cells):
            x = 4 + 28 * (i if label.startswith("What you") else at)
            colour = colours["marker" if form == "marker" else "code" if form == "vector" else kind]
            fill = colour if form == "vector" else "none"
            lines.append(f'<rect x="{x}" y="{y}" width="25" height="32" rx="3" fill="{fill}" fill-opacity=".25" ')
            lines.append(f'stroke="{colour}" stroke-width="1.6"/><text x="{x + 12}" y="{y + 22}" ')
            lines.append(f'text-anchor="middle">{what}</text>')
    said = html.escape(alt)
    return (
        '<figure style="margin:1em 0"><svg viewBox="0 0 640 146" role="img" style="max-width:100%;height:auto" '
        f'width="640" height="146" fill="currentColor" font-size="15"><title>{said}</title>{"".join(lines)}</svg>'
        f"<figcaption>{said}</figcaption></figure>"
    )


def golden():
    """Rows, the layouts that fit and the answers: of every arm, for many layouts; and the share of every arm."""
    arms = [(p, s, m) for p in PICTURES for s in SEPARATORS for m in (False, True)]
    whole = [layout for layout in layouts() if len(layout) == MOST + 1]
    rows = [(*arm, layout, received(*arm, layout)) for arm in arms for layout in (FIRST, *whole[::23])]
    fits = [(*arm, layout, fitting(*arm, layout)) for arm in arms for layout in (FIRST, *whole[::61])]
    right = [(layout, answers(layout)) for layout in layouts()]
    return {"rows": rows, "fits": fits, "answers": right, "shares": [(*arm, share(*arm)) for arm in arms]}
