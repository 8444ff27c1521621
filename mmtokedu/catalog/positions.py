"""From a sequence's segments to positions on several axes: one function a rule, systems in catalog/positions.toml.

A rule takes one picture or film, counted in tokens after the merge, and returns it as if it began at 0: its ids on each
axis, and `ahead`, where the next segment begins. Where a segment really begins is the sum of what lies before it, so
no rule has to know; a row's `begins` names the axes on which pictures begin elsewhere.
"""

import datetime
import functools
import itertools
import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from mmtokedu import catalog
from mmtokedu.arguments.mrope import check_count, check_film, check_grid, check_step, check_total

# What a sequence is made of


class Text(NamedTuple):
    """n tokens that follow each other: words, and markers too. All axes count alike."""

    n: int


class Vision(NamedTuple):
    """A picture (t = 1) or a film: t by h by w tokens after the merge, `step` ids from one frame to the next."""

    t: int
    h: int
    w: int
    step: float = 1


class Audio(NamedTuple):
    """n tokens of sound, `step` ids from one to the next. All axes count alike."""

    n: int
    step: float = 1


class Woven(NamedTuple):
    """A film and its sound on one clock, (Vision, Audio), between two markers that begin and two that end both.

    rule "chunks" takes turns: the film of two seconds, their sound, and so on; "merge" goes by the time of each token.
    """

    parts: tuple
    rule: str = "chunks"


# The catalog


@dataclass(frozen=True)
class ModelRow:
    """How one system numbers its tokens and which of its rotary pairs turn with which axis."""

    name: str
    title: str
    rule: str  # a function of this module
    sections: tuple  # pairs of each axis, in the order of `axes`
    theta: float
    about: str
    source: str
    as_of: datetime.date
    verified: str  # "run" or "read"
    axes: tuple = ("t", "h", "w")
    begins: MappingProxyType = field(default_factory=dict)  # axis -> where a picture begins: "zero", or at its "number"
    films: bool = True  # else every frame is a picture of its own
    steps: bool = False  # whether a film's `step` is heeded
    fractions: bool = False
    resumes: tuple = ("after-max",)  # where text goes on; the first is the authors'
    weave: str = ""  # how film and sound become one stream, where they do, and with what
    woven: MappingProxyType = field(default_factory=dict)
    layout: str = "blocks"
    pairing: str = "half"
    head: int = 128
    width: int = 0  # how many of the head's numbers turn, where not all do
    parameters: MappingProxyType = field(default_factory=dict)

    def __post_init__(self):
        if self.verified not in ("run", "read"):
            raise ValueError(f"catalog row {self.name!r}: verified is {self.verified!r}")
        if 2 * sum(self.sections) != (self.width or self.head):
            raise ValueError(f"catalog row {self.name!r}: sections {self.sections} fill no {self.width or self.head}")


@dataclass(frozen=True)
class TowerRow:
    """How the vision tower of one system turns the pairs of a patch at (h, w)."""

    name: str
    title: str
    order: str  # "h then w", "w then h", or "w, h in turn"
    ladder: str  # "each" axis has all speeds, or they are "shared" out between the axes
    pairing: str  # "half", "adjacent" or "quarters": half within each half
    theta: float
    about: str
    source: str
    as_of: datetime.date
    verified: str  # "run" or "read"
    first: int = 0  # the position of the first row and column

    def __post_init__(self):
        if self.verified not in ("run", "read") or self.pairing not in PAIRINGS:
            raise ValueError(f"catalog row {self.name!r}: verified is {self.verified!r}, pairing is {self.pairing!r}")


PAIRINGS = {"half": 1, "adjacent": 0, "quarters": 2}  # into how many equal groups the pairs fall; 0: a pair is a group


@functools.cache
def rows(kind):
    """The rows of one kind by name, in the catalog's order: "models" or "towers".

    Source: `mmtokedu/catalog/positions.toml`, where each row names its own.

    >>> rows("models")["qwen3-vl"].sections
    (24, 20, 20)
    """
    return catalog.one("kind of positions row", kind, catalog.read_kinds("positions", KINDS))


def row(kind, name):
    """The row of this name, or a ValueError that lists the names there are.

    Source: `mmtokedu/catalog/positions.toml`.

    >>> row("towers", "pixtral").ladder
    'shared'
    """
    return catalog.one(KINDS[kind][0], name, rows(kind))


def _model_row(name, row):
    row |= {key: tuple(row[key]) for key in ("sections", "axes", "resumes") if key in row}
    row |= {key: MappingProxyType(row.get(key, {})) for key in ("parameters", "woven", "begins")}
    return ModelRow(name=name, **row)


KINDS = {  # kind -> what a message calls it, what makes a row
    "models": ("rule", _model_row),
    "towers": ("style", lambda name, row: TowerRow(name=name, **row)),
}


# From segments to ids


FEW = 256  # tokens: shorter segments that occur again and again are written all at once


class Placed(NamedTuple):
    """A segment as if it began at 0: an array an axis, which broadcast to its shape, and where the next one begins."""

    ids: tuple
    shape: tuple
    ahead: float


def segment_ids(name, segments, resume="after-max"):
    """The positions of a sequence, (axes, N): int64, or float64 where the rule of that row has fractions.

    Raises ValueError for an unknown row or resume, and for segments that the row does not have or that hold nothing.
    Source: the row's in `mmtokedu/catalog/positions.toml`.

    >>> segment_ids("hunyuan-vl", [Text(1), Vision(1, 2, 2)]).tolist()
    [[0, 1, 2, 3, 4], [0, 0, 1, 0, 1], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]
    """
    system = row("models", name)
    if resume not in system.resumes:
        raise ValueError(f"resume is {resume!r}; {name} has {', '.join(map(repr, system.resumes))}")
    segments = _listed(segments)
    placed = {segment: _placed(system, segment, resume) for segment in dict.fromkeys(segments)}  # equal ones once
    counts = np.array([math.prod(placed[segment].shape) for segment in segments], np.int64)
    aheads = np.array([placed[segment].ahead for segment in segments], np.float64 if system.fractions else np.int64)
    check_total(total := int(counts.sum()))
    starts, firsts = (np.concatenate([[0], np.cumsum(each)])[:-1] for each in (aheads, counts))
    ids = np.empty((len(system.axes), total), starts.dtype)
    ids[:] = np.arange(total) + np.repeat(starts - firsts, counts)  # as if all were words
    kinds = {}  # segment that is no text -> where it occurs
    for i, segment in enumerate(segments):
        if not isinstance(segment, Text):
            kinds.setdefault(segment, []).append(i)
    begins = _begins(system, segments, starts)
    for segment, where in kinds.items():
        for axis, piece in enumerate(placed[segment].ids):
            _write(ids[axis], piece, placed[segment].shape, firsts[where], begins[axis][where])
    return ids


def _begins(system, segments, starts):
    """What is added to each segment's ids, an array an axis: its start, nothing, or its number among the pictures."""
    pictures = np.cumsum([isinstance(segment, Vision) for segment in segments]) - 1
    ways = {"start": starts, "zero": np.zeros_like(starts), "number": pictures}
    return [ways[system.begins.get(axis, "start")] for axis in system.axes]


def _write(ids, piece, shape, firsts, begins):
    """Write one axis of equal segments into ids (N,): piece, which broadcasts to shape, from firsts on, plus begins."""
    count = math.prod(shape)
    if count >= FEW or len(firsts) == 1:
        for first, begin in zip(firsts, begins):
            np.add(piece, begin, out=ids[first : first + count].reshape(shape))
    else:
        ids[firsts[:, None] + np.arange(count)] = np.broadcast_to(piece, shape).ravel() + begins[:, None]


def _listed(segments):
    """The segments as a list that can be looked up, or a TypeError."""
    if isinstance(segments, (Text, Vision, Audio, Woven)) or not hasattr(segments, "__iter__"):
        raise TypeError(f"segments is {segments!r}; expected a list, as [Text(3), Vision(1, 4, 6), Text(2)]")
    segments = list(segments)
    for i, segment in enumerate(segments):
        if not isinstance(segment, (Text, Vision, Audio, Woven)):
            raise TypeError(f"segment {i} is {segment!r}; expected Text, Vision, Audio or Woven")
        if isinstance(segment, Woven):
            segments[i] = Woven(_both(segment.parts), segment.rule)
        try:
            hash(segments[i])
        except TypeError:
            raise TypeError(f"segment {i} is {segment!r}; expected numbers in it") from None
    return segments


def _both(parts):
    """A woven film's two parts as a tuple, or a TypeError."""
    parts = tuple(parts) if isinstance(parts, (list, tuple)) else (parts,)
    if [type(part) for part in parts] != [Vision, Audio]:
        raise TypeError(f"a woven film's parts are {parts!r}; expected (Vision(t, h, w, step), Audio(n))")
    return parts


def _placed(system, segment, resume):
    """The segment as if it began at 0."""
    axes = len(system.axes)
    if isinstance(segment, Text):
        count = check_count(segment.n, "Text")
        return Placed((), (count,), count)
    if isinstance(segment, Audio):
        heard = _heard(system, segment)
        return Placed((heard,) * axes, heard.shape, heard[-1] + 1)
    if isinstance(segment, Vision):
        return _seen(system, segment, resume)
    if system.weave != segment.rule:
        weave = f"weaves with {system.weave!r}" if system.weave else "has no woven films"
        raise ValueError(f"a woven film's rule is {segment.rule!r}; {system.name} {weave}")
    return _woven(system, *segment.parts, resume)


def _seen(system, film, resume):
    """A picture or film, by the row's rule."""
    t, h, w = check_grid(film.t, film.h, film.w)
    check_total(t * h * w)
    step = check_film(t, film.step, system.name, system.films, system.steps)
    return RULES[system.rule](t, h, w, step, resume=resume, fractions=system.fractions, **system.parameters)


def _heard(system, sound):
    """The ids of a sound, (n,)."""
    count = check_count(sound.n, "Audio", least=1)
    return _times(count, check_step(sound.step, count, "Audio"), system.fractions)


def _times(count, step, fractions):
    """0, step, 2 step, … as float64, or with the fraction cut off as int64.

    What is a millionth short of a whole number is that number: 3 times a third of a second is a second.
    """
    if step == int(step):
        return np.arange(count) * int(step)
    times = np.arange(count) * step
    whole = np.rint(times)
    times = np.where(np.abs(times - whole) <= 1e-6 * np.maximum(1, whole), whole, times)
    return times if fractions else times.astype(np.int64)


def _grid(t, h, w):
    """0, 1, 2, … down each axis of a grid: three arrays that broadcast to (t, h, w)."""
    return np.arange(t)[:, None, None], np.arange(h)[:, None], np.arange(w)


# Rules


def along_each_axis(t, h, w, step, *, resume, fractions):
    """Qwen2-VL and most of those after it: t, h and w begin together; text goes on after the largest of the three.

    "spatial" is transformers from 5.3 on: it goes on after the largest of h and w.
    """
    times = _times(t, step, fractions)
    _, rows, columns = _grid(t, h, w)
    ahead = max(h, w) if resume == "spatial" else max(times[-1] + 1, h, w)
    return Placed((times[:, None, None], rows, columns), (t, h, w), ahead)


def around_the_diagonal(t, h, w, step, *, resume, fractions, scale=1):
    """VideoRoPE, HoPE: the middle of each frame lies at (t, t, t); text goes on after the last frame's t."""
    times = _times(t, step * scale, fractions)[:, None, None]
    _, rows, columns = _grid(t, h, w)
    middle = (h - 1) // 2, (w - 1) // 2
    return Placed((times, times + rows - middle[0], times + columns - middle[1]), (t, h, w), times.max() + 1)


def in_a_line(t, h, w, step, *, resume, fractions):
    """LLaVA, InternVL, Gemma: a picture's tokens are counted as words are."""
    count = t * h * w
    return Placed((np.arange(count),) * 3, (count,), count)


def in_small_steps(t, h, w, step, *, resume, fractions):
    """V2PE: each token is `step` after the one before it, the first after the last word; text goes on at a whole id."""
    ids = _times(t * h * w + 1, step, fractions)[1:]
    return Placed((ids - 1,) * 3, ids.shape, math.ceil(ids[-1]))


def width_height_number(t, h, w, step, *, resume, fractions):
    """HunYuan-VL: the sequence's own count, then column, row and the picture's number. A row's end is a column."""
    _, rows, columns = _grid(t, h, w)
    return Placed((np.arange(t * h * w).reshape(t, h, w), columns, rows, np.zeros(1, int)), (t, h, w), t * h * w)


def on_a_ring(t, h, w, step, *, resume, fractions):
    """Circle-RoPE: a picture's tokens on a ring around the line that words follow, all as far from it.

    As J. Huang's Multimodal-RoPEs has it, with the radius and the mix of angles that its class sets, both -1.
    """
    angle = np.arctan2(*np.indices((h, w)))
    angle = (angle - angle.min()) / np.ptp(angle) * 2 * np.pi if np.ptp(angle) else angle
    ring = 2 * np.arange(h * w).reshape(h, w) / (h * w) * 2 * np.pi - angle
    across, up = np.array([0, 1, -1]) / 2**0.5, np.array([2, -1, -1]) / 6**0.5  # with (1, 1, 1): three right angles
    times = _times(t, step, fractions)[:, None, None]
    ids = tuple(times - (a * np.cos(ring) + b * np.sin(ring)) for a, b in zip(across, up))  # t, h, w
    return Placed(ids, (t, h, w), max(each.max() for each in ids) + 1)


RULES = {rule.__name__: rule for rule in (
    along_each_axis, around_the_diagonal, in_a_line, in_small_steps, width_height_number, on_a_ring
)}  # fmt: skip


# Film and sound on one clock


def _woven(system, film, sound, resume):
    """A film woven with its sound, its four markers included.

    The two markers that begin share one id, and so do the two that end, or each has its own. "last-piece" is what
    transformers does: it goes on after the largest id of the last piece alone, whatever came before.
    """
    seen, heard = _seen(system, film, "after-max"), _heard(system, sound)
    seen = [np.broadcast_to(each, seen.shape).ravel() for each in seen.ids]
    order, last = WEAVES[system.weave](seen[0], heard, system.woven.get("chunk"))
    markers = np.array([0, 0] if system.woven["shared"] else [0, 1])
    both = np.stack([np.concatenate([each, heard])[order] for each in seen]) + markers[-1] + 1
    end = both[:, -last if resume == "last-piece" else 0 :].max() + 1
    ids = tuple(np.concatenate([markers, each, markers + end]) for each in both)
    return Placed(ids, ids[0].shape, end + markers[-1] + 1)


def by_chunks(film, sound, chunk):
    """Qwen2.5-Omni: what is seen in `chunk` ids, what is heard in them, and so on: (order, tokens of the last piece).

    order counts the film's tokens first, then the sound's.
    """
    pieces = []
    for seen, heard in itertools.zip_longest(_pieces(film, chunk), _pieces(sound, chunk)):
        pieces += [seen] if seen is not None else []
        pieces += [heard + len(film)] if heard is not None else []
    return np.concatenate(pieces), len(pieces[-1])


def _pieces(ids, chunk):
    """The tokens of each chunk. Where nothing falls into one, the next token alone takes its turn: so does the peer."""
    cuts = [0]
    while (at := max(np.searchsorted(ids, len(cuts) * chunk), cuts[-1] + 1)) < len(ids):
        cuts.append(at)
    return np.split(np.arange(len(ids)), cuts[1:])


def by_time(film, sound, chunk=None):
    """Qwen3-Omni: each token at its time, the film first where two share it: (order, tokens of the last piece)."""
    order = np.argsort(np.concatenate([film, sound]), kind="stable")
    ends = np.flatnonzero((order == len(film) - 1) | (order == len(film) + len(sound) - 1))
    return order, ends[1] - ends[0]


WEAVES = {"chunks": by_chunks, "merge": by_time}
