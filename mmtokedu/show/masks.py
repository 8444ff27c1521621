"""Who sees whom, as a square: a row for each token that looks, a column for each token that it may look at."""

import html
import itertools

import numpy as np

from mmtokedu.show.markup import alt_text, caption_tag, output
from mmtokedu.show.sequences import columns, medium_names, stretch

_SIDE, _LEFT, _TOP = 246, 76, 40  # of the square, and what its labels need, in a drawing 326 wide
_RUN, _TEXT = 6, 8  # cells of one run and of one text at most
_STYLE = (
    "<style>:where(.mm-masks){display:grid;grid-template-columns:repeat(auto-fit,minmax(min(290px,100%),1fr));gap:16px;"
    "max-width:720px}:where(.mm-masks>div){max-width:360px}:where(.mm-masks svg){display:block;width:100%;height:auto}"
    ":where(.mm-masks svg text){font-size:12px;fill:var(--mm-ink)}:where(.mm-masks .mm-axis){fill:var(--mm-muted)}"
    "</style>"
)


def mask(seen, sequence, *, title="", alt=None, caption=None):
    """Draw who sees whom in one sequence: `masks` of one.

    >>> from mmtokedu.interleave import Image, interleave, visible
    >>> made = interleave(["a", Image(tokens=3)], style="llava-1.5")
    >>> mask(visible(made, "whole-images"), made, title="Whole images")
    [strip: Who sees whom. Whole images: token 0 (text) sees up to itself; tokens 1…3 (picture) see 0…3.]
    """
    return masks({title: (seen, sequence)}, alt=alt, caption=caption)


def masks(drawn, *, alt=None, caption=None):
    """Draw who sees whom as squares side by side, on a narrow page under one another.

    `drawn` is {title: (seen, sequence)}, seen (N, 2) as of `mmtokedu.interleave.visible`. A token of text is one cell
    (a long text has eight), a run at most six; a cell is full where every token of its row sees every one of its
    column, pale where some do. A row has the colour of its modality. `alt` is written from the stretches if not given.

    Raises ValueError where `seen` is not one stretch of the sequence a token, or nothing is drawn.

    >>> from mmtokedu.interleave import Image, interleave, visible
    >>> made = interleave(["ab", Image(tokens=3)], style="llava-1.5")
    >>> masks({rule: (visible(made, rule), made) for rule in ("causal", "everything")})
    [strip: Who sees whom. causal: tokens 0…1 (text) see up to themselves; ... tokens 2…4 (picture) see 0…4.]
    """
    if not drawn:
        raise ValueError("masks() got nothing to draw; give {title: (seen, sequence)}")
    bodies, told = [], []
    for title, (seen, sequence) in drawn.items():
        seen = _checked(seen, len(sequence.ids), title)
        found = columns(sequence, np.zeros(len(seen), bool))
        names = _names(found, sequence)
        heading = f'<div class="mm-title">{html.escape(title, quote=False)}</div>' if title else ""
        bodies.append(f"<div>{heading}{_square(seen, found, names)}</div>")
        told.append((f"{title}: " if title else "") + (_sentence(seen, found, names) or "nothing, it is empty") + ".")
    alt = "Who sees whom. " + " ".join(told) if alt is None else alt_text(alt)
    body = f'<div class="mm-masks" role="img" aria-label="{html.escape(alt)}">{"".join(bodies)}</div>'
    return output("strip", f'{_STYLE}<figure class="mm-strip">{body}{caption_tag(caption)}</figure>', alt)


def _checked(seen, tokens, title):
    """`seen` as int64 (N, 2) of stretches within the sequence, or a ValueError."""
    rows, where = np.asarray(seen), f" of {title!r}" if title else ""
    if rows.shape != (tokens, 2) or (tokens and rows.dtype.kind not in "iu"):
        raise ValueError(f"seen{where} is {rows.dtype} {rows.shape}; this sequence needs whole numbers ({tokens}, 2)")
    wrong = np.flatnonzero((rows[:, 0] < 0) | (rows[:, 0] > rows[:, 1]) | (rows[:, 1] > tokens))
    if len(wrong):
        raise ValueError(f"seen{where} says that token {wrong[0]} sees {rows[wrong[0]].tolist()} of {tokens} tokens")
    return rows.astype(np.int64)


def _names(found, sequence):
    """What each column is called: its medium, or text, and which text a model learns."""
    media = medium_names(sequence)
    names = [media[c.medium] if c.span >= 0 else "answer" if c.learned else "text" for c in found]
    for i, column in enumerate(found):
        if column.span >= 0 and column.kind == "audio" and names[i].startswith("clip"):
            names[i] = "its sound"
    return names


def _bounds(found):
    """Where the drawn cells begin, in tokens, and the end: (C + 1,) int64; and which column each is of, (C,)."""
    bounds, owner = [0], []
    for i, column in enumerate(found):
        count = column.stop - column.start
        cells = min(count, _TEXT if column.span < 0 else _RUN)
        bounds += [column.start + count * (k + 1) // cells for k in range(cells)]
        owner += [i] * cells
    return np.array(bounds), np.array(owner, np.int64)


def share(seen, bounds):
    """How much of each cell is seen, 0 to 1: bounds (C + 1,) of the cells in tokens -> (C, C) float64."""
    starts, stops = bounds[:-1], bounds[1:]
    inside = np.minimum(seen[:, 1:], stops) - np.maximum(seen[:, :1], starts)  # (N, C) tokens of each column's cell
    sums = np.add.reduceat(np.maximum(inside, 0), starts, axis=0) if len(seen) else inside
    return sums / np.outer(stops - starts, stops - starts)


def _square(seen, found, names):
    bounds, owner = _bounds(found)
    if not len(owner):
        return "<i>empty: no token</i>"
    cell = _SIDE / len(owner)
    shares, out = share(seen, bounds), []
    for row, column in zip(*np.nonzero(shares)):
        part = "" if shares[row, column] == 1 else ' opacity=".5"'
        x, y = _LEFT + column * cell, _TOP + row * cell
        out.append(_rect(x, y, cell * 0.92, cell * 0.92, found[owner[row]].kind, part))
    at = np.searchsorted(owner, np.arange(len(found) + 1)) * cell
    for (low, high), column, name in zip(itertools.pairwise(at), found, names):
        out.append(_rect(_LEFT - 6, _TOP + low, 4, high - low - 0.08 * cell, column.kind))
        out.append(_rect(_LEFT + low, _TOP - 6, high - low - 0.08 * cell, 4, column.kind))
        if high - low >= 13:
            out.append(f'<text x="{_LEFT - 10}" y="{_TOP + (low + high) / 2 + 4:.1f}" text-anchor="end">{name}</text>')
    for (low, high), name in zip(itertools.pairwise(at), names):
        if high - low >= 6.4 * len(name):
            out.append(f'<text x="{_LEFT + low:.1f}" y="{_TOP - 10}">{name}</text>')
    frame = f'<rect x="{_LEFT}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="var(--mm-rule)"/>'
    axes = '<text class="mm-axis" x="0" y="12">who looks ↓</text>'
    axes += f'<text class="mm-axis" x="{_LEFT + _SIDE}" y="12" text-anchor="end">what it may look at →</text>'
    return f'<svg viewBox="0 0 326 {_TOP + _SIDE + 4}" aria-hidden="true">{frame}{"".join(out)}{axes}</svg>'


def _rect(x, y, width, height, kind, more=""):
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.2f}" height="{height:.2f}"'
    return f'<rect {place} fill="var(--mm-{kind})"{more}/>'


def _sentence(seen, found, names):
    """What the tokens of each column see, in words."""
    said = []
    for column, name in zip(found, names):
        rows, several = seen[column.start : column.stop], column.stop - column.start > 1
        if (rows[:, 1] == np.arange(column.start, column.stop) + 1).all():
            saw = _up_to("themselves" if several else "itself", rows[:, 0])
        else:
            saw = stretch(int(rows[0, 0]), int(rows[-1, 1]))
        which = stretch(column.start, column.stop)
        said.append(f"token{'s' if several else ''} {which} ({name}) see{'' if several else 's'} {saw}")
    return "; ".join(said)


def _up_to(itself, starts):
    """That a token sees up to itself, and from where, unless it is from the beginning."""
    if starts.min() == starts.max():
        return (f"from {starts[0]:,} " if starts[0] else "") + f"up to {itself}"
    return f"up to {itself}, as far back as the window reaches"
