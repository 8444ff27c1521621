"""One document as strips under one another: what was sent, its ids, where the vectors come from, what each token is."""

import html
import itertools
import math
import re
from typing import NamedTuple

import numpy as np

from mmtokedu.interleave import AUDIO, IMAGE, NOT_LEARNED, TEXT, VIDEO, runs
from mmtokedu.show.markup import alt_text, caption_tag, output
from mmtokedu.show.strips import CELLS, cells_svg

MODALITIES = {TEXT: "text", IMAGE: "image", VIDEO: "video", AUDIO: "audio"}
SENT = {IMAGE: "picture", VIDEO: "clip", AUDIO: "sound"}
_MOST = 9  # columns of one medium; of more, the first four and the last four are drawn
_CELLS = range(
    12, 7, -1
)  # characters of one text, as few as save a line; of more, the last two and the first are drawn
_WIDE = 680  # pixels of a figure from which lines are broken by us, all about as long; below, where they are full
_NAMES = 92  # pixels of the names at the left


class Column(NamedTuple):
    """Tokens side by side that every strip treats alike: [start, stop) of the sequence."""

    start: int
    stop: int
    kind: str  # "text", "special", "gap" or a modality
    medium: int  # or -1
    span: int  # or -1
    document: int
    learned: bool
    letters: int = 0  # boxes of its text


class Cell(NamedTuple):
    """What one strip writes over one column."""

    kind: str  # a colour of the palette, or "none"
    label: str
    on: bool = False  # goes on from the cell before
    drawn: str = ""  # SVG above the label
    said: str = None  # the label for who cannot see, where it differs


def columns(sequence, marks):
    """The columns of a sequence; marks (N,) bool says which tokens are markers, each a column of its own."""
    tokens = len(sequence.ids)
    span, medium = np.full(tokens, -1), np.full(tokens, -1)
    for owner, stretches in ((span, sequence.spans), (medium, sequence.extents)):
        for i, (start, stop) in enumerate(stretches.tolist()):
            owner[start:stop] = i
    document = np.cumsum(sequence.positions == 0) - 1
    learned = sequence.labels != NOT_LEARNED
    keys = np.stack([span, medium, document, learned, np.where(marks, np.arange(tokens), -1)])
    starts = np.flatnonzero((np.diff(keys, prepend=np.full((5, 1), -2)) != 0).any(axis=0)).tolist()
    found = []
    for start, stop in zip(starts, [*starts[1:], tokens]):
        kind = "special" if marks[start] else MODALITIES[int(sequence.modality[start])]
        of = (int(x[start]) for x in (medium, span, document))
        found.append(Column(start, stop, kind, *of, bool(learned[start])))
    return found


def _shortened(found):
    """The columns with the middle of a medium that has many as one "gap"."""
    kept = []
    for medium in dict.fromkeys((column.document, column.medium) for column in found):
        own = [column for column in found if (column.document, column.medium) == medium]
        if medium[1] >= 0 and len(own) > _MOST:
            gap = own[4]._replace(stop=own[-5].stop, kind="gap", span=-1)
            own = [*own[:4], gap, *own[-4:]]
        kept += own
    return sorted(kept)


def stretch(start, stop):
    """Whole numbers from start up to stop, for people: 7, or 0…12."""
    return f"{start:,}" if stop - start == 1 else f"{start:,}…{stop - 1:,}"


def _lettered(found, said):
    """The columns with the number of letters that each text shows."""
    best, fewest = [], len(found) + 1
    for most in _CELLS:
        some = [c._replace(letters=min(len(said[c.start]), most)) if c.kind == "text" else c for c in found]
        lines = len(_lines([_width(column) for column in some]))
        if lines < fewest:
            best, fewest = some, lines
    return best


def _lines(widths, room=_WIDE - _NAMES):
    """Columns as [start, stop) of lines: as few as there is room for, the widest as narrow as can be.

    >>> _lines([66, 90, 66, 66, 90, 66, 196, 66])
    [(0, 5), (5, 8)]
    """

    def broken(most):
        starts, left = [], 0
        for i, width in enumerate(widths):
            if not starts or left + width > most:
                starts, left = [*starts, i], 0
            left += width
        return starts

    fewest = len(broken(room))
    starts = next(found for most in range(max(widths, default=0), room + 1) if len(found := broken(most)) == fewest)
    return list(itertools.pairwise([*starts, len(widths)]))


# Strips: the drawn columns, the sequence and the string of each token's run become cells.


def medium_names(sequence):
    """What each medium is, with its number where its document has several of its kind: ["picture 1", "picture 2"]."""
    document = np.cumsum(sequence.positions == 0)
    kinds = []  # (document, what it is)
    for m, (start, _) in enumerate(sequence.extents.tolist()):
        found = sequence.modality[sequence.spans[sequence.media == m, 0]].tolist()
        kinds.append((int(document[start]), SENT[VIDEO if VIDEO in found else found[0]]))
    return [
        f"{kind[1]} {kinds[: i + 1].count(kind)}" if kinds.count(kind) > 1 else kind[1] for i, kind in enumerate(kinds)
    ]


def _sent(found, sequence, said):
    names, cells, before = medium_names(sequence), [], None
    kinds = {"picture": "image", "clip": "video", "sound": "audio", "text": "text"}
    for column in found:
        name = names[column.medium] if column.medium >= 0 else "text"
        part = (column.document, column.medium)
        cells.append(Cell(kinds[name.split()[0]], name if part != before else "", part == before))
        before = part
    return cells, _counted(sum(not cell.on for cell in cells), "part")


def _ids(found, sequence, said):
    cells, fused = [], [_fused(left, right, sequence) for left, right in itertools.pairwise(found)]
    for column, before, after in zip(found, [False, *fused], [*fused, False]):
        count = column.stop - column.start
        if column.kind == "text":
            cells.append(_characters(said[column.start], count, column.letters))
        elif column.kind == "special":
            cells.append(Cell("special", said[column.start], drawn=cells_svg("special", 1)))
        elif column.kind == "gap":
            cells.append(Cell("none", f"… {count:,} more …"))
        else:
            label = "" if before else f"{_run_length(column, sequence):,} × {said[column.start]}"
            cells.append(Cell(column.kind, label, before, _run(column.kind, count, before, after)))
    return cells, _counted(len(sequence.ids), "token")


def _fused(left, right, sequence):
    """Whether two columns are one run of ids: no id says where the one medium ends."""
    return min(left.span, right.span) >= 0 and sequence.ids[left.start] == sequence.ids[right.start]


def _run_length(column, sequence):
    """How many tokens of one id stand from the column's first one on."""
    other = np.flatnonzero(sequence.ids[column.start :] != sequence.ids[column.start])
    return int(other[0]) if len(other) else len(sequence.ids) - column.start


def _run(kind, count, before, after):
    """Cells over a bracket, which is open where the run goes on."""
    ends = "".join(f";border-{side}:0" for side, open_ in (("left", before), ("right", after)) if open_)
    style = f' style="{ends[1:]}"' if ends else ""
    return f'{cells_svg(kind, count, most=5, bracket=False)}<i class="mm-brace"{style}></i>'


def _characters(text, count, letters):
    """A text as so many boxes of 16 x 24 with a character each."""
    shown = list(text) if len(text) <= letters else [*text[: letters - 3], None, *text[-2:]]
    box = '<rect x="1" y="1" width="14" height="22" rx="2" fill="none" stroke="var(--mm-text)"/>'
    drawn = []
    for i, character in enumerate(shown):
        seen = {"\n": "↵", "\t": "⇥", None: "…"}.get(character, character)
        seen = html.escape(seen if seen.isprintable() else "�", quote=False)
        letter = f'<text x="8" y="16.5" text-anchor="middle">{seen}</text>'
        drawn.append(f'<g transform="translate({16 * i})">{"" if character is None else box}{letter}</g>')
    width = 16 * len(shown)
    bracket = f'<path d="M1.5 28v6H{width - 1.5}v-6" fill="none" stroke="var(--mm-text)" stroke-width="1.5"/>'
    inside = "".join(drawn) + bracket
    svg = f'<svg viewBox="0 0 {width} 37" width="{width}" height="37" aria-hidden="true">{inside}</svg>'
    told = text if len(text) <= 60 else f"{text[:45]} … {text[-12:]}"
    return Cell("text", f"{count:,}", drawn=svg, said=f"{told!r} ({_counted(count, 'token')})")


def _vectors(found, sequence, said):
    lengths = sequence.spans[:, 1] - sequence.spans[:, 0]
    ends = np.cumsum(lengths)
    cells = []
    for column in found:
        if column.kind in ("text", "special"):
            on = bool(cells) and cells[-1].kind == "text"
            cells.append(Cell("text", "table", on))
            continue
        inside = np.flatnonzero((sequence.spans[:, 0] >= column.start) & (sequence.spans[:, 1] <= column.stop))
        if len(inside):
            rows = stretch(int((ends - lengths)[inside[0]]), int(ends[inside[-1]]))
            cells.append(Cell(_modality(column, sequence), f"features {rows}"))
        else:
            cells.append(Cell("none", "…"))
    return cells, _counted(int(lengths.sum()), "feature")


def _modality(column, sequence):
    """The modality of a column; of a gap the one of its features."""
    return MODALITIES[int(sequence.modality[column.start : column.stop].max())]


def _modalities(found, sequence, said):
    cells = []
    for column in found:
        kind = _modality(column, sequence)
        on = bool(cells) and cells[-1].kind == kind
        letter = kind[0].upper()
        cells.append(Cell(kind, letter if on else f"{letter} {kind}", on, said=kind))
    return cells, ""


def _positions(found, sequence, said):
    at = sequence.positions
    return [Cell("none", stretch(int(at[c.start]), int(at[c.stop - 1]) + 1)) for c in found], ""


def _learned(found, sequence, said):
    cells = [Cell("accent", "learned") if column.learned else Cell("none", "–", said="not") for column in found]
    return cells, _counted(int((sequence.labels != NOT_LEARNED).sum()), "token")


def _counted(count, noun):
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


STRIPS = {  # name -> (what stands beside it, how it is made, its height in pixels without the lines under a drawing)
    "sent": ("What is sent", _sent, 32),
    "ids": ("Ids", _ids, 39),
    "vectors": ("Vectors from", _vectors, 34),
    "modality": ("Modality", _modalities, 26),
    "positions": ("Position", _positions, 20),
    "learned": ("Learned", _learned, 32),
}

_STYLE = (
    f"<style>:where(.mm-lines){{position:relative;padding-left:{_NAMES}px;line-height:1.2;font-size:12px;"
    "container-type:inline-size}"
    f":where(.mm-names){{position:absolute;inset:0 auto 0 0;width:{_NAMES}px;overflow:hidden;white-space:nowrap;"
    "display:grid;row-gap:18px;align-content:start}"
    ":where(.mm-columns){display:flex;flex-wrap:wrap;row-gap:18px;clip-path:inset(-9px -9px -9px 2px)}"
    ":where(.mm-together){display:contents}"
    ":where(.mm-line){display:grid;row-gap:4px;grid-template-rows:var(--mm-narrow)}"
    f"@container (min-width:{_WIDE - _NAMES}px){{:where(.mm-columns){{display:grid}}"
    ":where(.mm-together){display:flex}"
    ":where(.mm-together:not(:only-child) .mm-line){flex-grow:1}"
    ":where(.mm-line){grid-template-rows:var(--mm-wide)}}"
    ":where(.mm-names b){font-weight:600;display:block}.mm-names small{color:var(--mm-muted);"
    "font-size:11.5px;display:block}"
    ":where(.mm-over){display:flex;flex-direction:column;justify-content:center;align-items:center;text-align:center;"
    "min-width:0;box-sizing:border-box;margin-left:2px;padding:0 2px;border:1px solid var(--mm-c);border-radius:3px;"
    "background:color-mix(in srgb,var(--mm-c) 15%,transparent);overflow-wrap:anywhere;"
    "font-variant-numeric:tabular-nums}"
    ":where(.mm-over.mm-left){align-items:flex-start;padding:0 0 0 5px;white-space:nowrap}"
    ":where(.mm-over.mm-none){border-color:transparent;background:none;color:var(--mm-muted)}"
    ":where(.mm-over.mm-drawn){border:0;background:none;justify-content:flex-start;padding:0;font-size:11.5px;line-height:1.1}"
    ":where(.mm-over.mm-on){margin-left:-1px;border-left-color:transparent;border-radius:0 3px 3px 0}"
    ":where(.mm-brace){box-sizing:border-box;width:100%;height:7px;margin:3px 0;"
    "border:1.5px solid var(--mm-c);border-top:0}"
    ":where(.mm-over svg){display:block;flex:none}:where(.mm-over svg text){font-size:12px;fill:var(--mm-ink)}</style>"
)


def sequence(sequence, *, style, strips=tuple(STRIPS), alt=None, caption=None):
    """Draw one document as strips under one another, each over the same tokens.

    `sequence` is a `mmtokedu.interleave.Sequence` of the byte vocabulary, `style` the row of the catalog that it was
    written in, `strips` which strips are drawn, of "sent" (one cell a part), "ids", "vectors" (a row of the table, or
    of the features), "modality", "positions" and "learned". A run is drawn once with its count; of a medium of many
    runs the first and the last are drawn. `alt` is written from the strips where it is not given.

    Raises ValueError for a strip that is none of these, and for ids that are not of the style's byte vocabulary.

    >>> from mmtokedu.interleave import Image, interleave
    >>> made = interleave(["A", Image(64, 96)], style="qwen2-vl")
    >>> sequence(made, style="qwen2-vl", strips=("sent", "positions"))
    [strip: 2 parts become 9 tokens. What is sent: text, picture. Position: 0, 1, 2…7, 8.]
    """
    strips = [strips] if isinstance(strips, str) else list(strips)
    if unknown := [name for name in strips if name not in STRIPS]:
        raise ValueError(f"strips holds {unknown[0]!r}; known are {', '.join(map(repr, STRIPS))}")
    if not strips:
        raise ValueError(f"strips is empty; give at least one of {', '.join(map(repr, STRIPS))}")
    found, said = _told(sequence, style)
    made = {name: STRIPS[name][1](found, sequence, said) for name in STRIPS}
    drawn = {name: made[name] for name in strips}
    alt = _alternative(drawn, made["sent"][1], len(sequence.ids)) if alt is None else alt_text(alt)
    heights = ";".join(
        f"--mm-{which}:" + " ".join(f"{STRIPS[name][2] + (under if name == 'ids' else 0)}px" for name in strips)
        for which, under in _under(made["ids"][0], found).items()
    )
    opening = f'<div class="mm-lines" role="img" aria-label="{html.escape(alt)}" style="{heights}">'
    figure = f'<figure class="mm-strip mm-score">{opening}{_body(drawn, found)}</div>{caption_tag(caption)}</figure>'
    return output("strip", _STYLE + figure, alt)


def _told(sequence, style):
    """(columns, {start of a column: its text or its token})."""
    runs(sequence.ids, style=style)  # refuses ids of another vocabulary
    inside = np.zeros(len(sequence.ids), bool)
    for start, stop in sequence.spans.tolist():
        inside[start:stop] = True
    found = _shortened(columns(sequence, (sequence.ids >= 256) & ~inside))
    said = {c.start: runs(sequence.ids[c.start : c.stop], style=style)[0][0] for c in found if c.kind != "gap"}
    return _lettered(found, said), said


_LETTER, _LINE = 6.3, 12.7  # pixels of a letter, and of a line, under a drawing


def _under(cells, found):
    """Pixels that the labels of the ids need under their drawings, in a narrow figure and in a wide one."""
    widths = [_width(column) for column in found]
    lines, grown = _lines(widths), list(widths)
    for start, stop in lines if len(lines) > 1 else []:
        spare = _WIDE - _NAMES - sum(widths[start:stop])
        grown[start:stop] = [width + spare / (stop - start) for width in widths[start:stop]]
    tallest = lambda some: max((_label_lines(cell.label, width) for cell, width in zip(cells, some)), default=0)
    return {"narrow": round(_LINE * tallest(widths)), "wide": round(_LINE * tallest(grown))}


def _label_lines(label, width):
    """How many lines a label takes: it breaks at spaces, behind "_" and ">", and else where a line is full.

    >>> _label_lines("1,152 × <image>", 90), _label_lines("<|vision_start|>", 66), _label_lines("", 66)
    (2, 2, 0)
    """
    most, lines, left = (width - 2) / _LETTER, 0, 0
    wide = lambda bit: len(bit) + 0.3 * sum(map(str.isupper, bit))
    for bit in re.findall(r"[^ _>]*[ _>]|[^ _>]+", label):
        long = wide(bit.rstrip())
        if not lines or left + long > most:
            lines, left = lines + max(1, math.ceil(long / most)), 0
        left += wide(bit)
    return lines


def _alternative(drawn, parts, tokens):
    """What the strips show, one sentence each."""
    if not tokens:
        return "An empty document: no part, no token."
    sentences = [f"{parts} become{'s' if parts == '1 part' else ''} {_counted(tokens, 'token')}."]
    for name, (cells, _) in drawn.items():
        told = [cell.label if cell.said is None else cell.said for cell in cells if not cell.on]
        sentences.append(f"{STRIPS[name][0]}: {', '.join(told)}.")
    return " ".join(sentences)


def _body(drawn, found):
    """The names at the left, once for each line that a narrow page may need, totals at the first; and the columns."""
    if not found:
        return "<i>empty: no part, no token</i>"
    totals = {name: f"<small>{total}</small>" if total else "" for name, (_, total) in drawn.items()}
    named = lambda totals: "".join(f"<div><b>{STRIPS[name][0]}</b>{totals.get(name, '')}</div>" for name in drawn)
    widths = [_width(column) for column in found]
    lines = min(len(found), -(-sum(widths) // 100))
    names = f"<div class=mm-line>{named(totals)}</div>" + f"<div class=mm-line>{named({})}</div>" * (lines - 1)
    out = [f'<div class="mm-names" aria-hidden="true">{names}</div><div class="mm-columns" aria-hidden="true">']
    for start, stop in _lines(widths):
        out.append('<div class="mm-together">')
        for i in range(start, stop):
            stacked = "".join(_over(cells[i], name) for name, (cells, _) in drawn.items())
            out.append(f'<div class="mm-line" style="width:{widths[i]}px">{stacked}</div>')
        out.append("</div>")
    return "".join(out) + "</div>"


def _width(column):
    """Pixels of a column."""
    if column.kind in CELLS and column.kind not in ("text", "special"):
        return 90
    if column.kind != "text":
        return 66
    return max(56, 16 * column.letters + 4)


def _over(cell, name):
    names = ["mm-over", *(["mm-none"] if cell.kind == "none" else []), *(["mm-on"] if cell.on else [])]
    names += (["mm-drawn"] if name == "ids" else []) + (["mm-left"] if name in ("sent", "modality", "learned") else [])
    colour = "" if cell.kind == "none" else f' style="--mm-c:var(--mm-{cell.kind})"'
    label = html.escape(cell.label, quote=False)
    label = re.sub("(_|&gt;)(?=.)", r"\1<wbr>", label)  # long tokens break there, numbers nowhere
    label = re.sub("[0-9,]+(…[0-9,]+)?$", r'<span style="white-space:nowrap">\g<0></span>', label)
    return f'<div class="{" ".join(names)}"{colour}>{cell.drawn}<span>{label}</span></div>'
