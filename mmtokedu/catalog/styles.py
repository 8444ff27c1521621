"""How production systems lay a medium out in a sequence: one function a layout, the tokens in catalog/styles.toml.

A layout takes the row of its medium, a Cut (what the medium was cut into) and `place`, which makes pieces of strings:
of one of the style's tokens a mark, of any other string text. It returns pieces; a "soft" one is the token that is
repeated, once for each vector.
"""

import datetime
import functools
import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from mmtokedu import catalog
from mmtokedu.arguments.common import check_seconds
from mmtokedu.arguments.interleave import check_counts, check_grid
from mmtokedu.catalog.images import image_plan
from mmtokedu.catalog.listeners import listener_tokens
from mmtokedu.catalog.resize import clip_resize
from mmtokedu.catalog.video import _slice_grid, video_plan
from mmtokedu.catalog.video import row as video_row
from mmtokedu.catalog.video import slices as sliced


@dataclass(frozen=True)
class TurnsRow:
    """How the turns of a chat are marked: {} is the role."""

    name: str
    title: str
    tokens: tuple
    begin: str
    end: str
    about: str
    source: str
    as_of: datetime.date
    verified: str  # "run" or "read"


@dataclass(frozen=True)
class MediumRow:
    """How one style lays out one kind of medium: a layout of this module and the strings that it places."""

    kind: str  # "image", "video" or "audio"
    soft: str  # the token that is repeated
    layout: str
    prompt: str  # what a chat template writes for it
    start: tuple = ()
    end: tuple = ()
    first: tuple = ()
    last: tuple = ()
    between: tuple = ()
    sizes: str = ""  # the row of another catalog that counts
    clip: MappingProxyType = None  # bounds of `clip_resize`, where a picture is resized as a clip of two frames
    grid: tuple = ()  # what it is cut into, where that is always the same
    each: int = 0  # tokens of a tile or a crop
    whole: int = 0  # tokens of the whole picture
    several: int = 0  # tokens of each picture, where there are more than one
    time: str = ""  # style of catalog.video that says when a frame was
    woven: str = ""  # how a clip's sound goes between its frames: a function of this module
    rate: float = 0  # position ids a second, by which they are woven
    chunk: float = 0  # seconds of film, then of sound


@dataclass(frozen=True)
class ModalityRow:
    """Whether a released model tells its tokens what they are, by a vector added to them where they enter."""

    adds: str  # "yes", "no" or "unknown"
    source: str
    as_of: datetime.date
    about: str = ""

    def __post_init__(self):
        if self.adds not in ("yes", "no", "unknown"):
            raise ValueError(f"modality adds {self.adds!r}; expected 'yes', 'no' or 'unknown'")


@dataclass(frozen=True)
class StyleRow:
    """One system's way to write media into text."""

    name: str
    title: str
    tokens: tuple  # its own tokens, in the order of the byte vocabulary
    media: MappingProxyType  # kind -> MediumRow
    modality: ModalityRow
    about: str
    source: str
    as_of: datetime.date
    verified: str  # "run" or "read"
    ids: MappingProxyType = field(default_factory=dict)  # of the released model, as far as they are told
    turns: str = ""
    names: MappingProxyType = field(default_factory=dict)  # kind -> label, {} is the number
    shared: str = ""
    spaced: bool = False
    after_media: str = ""
    after_prompt: str = ""
    needs_image: bool = False
    one_video: bool = False
    masks: str = "causal"

    def __post_init__(self):
        if self.verified not in ("run", "read"):
            raise ValueError(f"catalog row {self.name!r}: verified is {self.verified!r}")

    @property
    def chat_tokens(self):
        """The tokens that mark turns, or none."""
        return rows("turns")[self.turns].tokens if self.turns else ()


class Piece(NamedTuple):
    """A part of a sequence before it has ids: "text", "ids", a "mark", or a "soft" token and how often."""

    kind: str
    what: object
    count: int = 1
    medium: int = -1
    learn: bool = False


class Cut(NamedTuple):
    """What a medium was cut into."""

    grid: tuple  # as the medium's layout reads it
    tokens: tuple  # of each run of features
    number: int = 1  # among the media of its kind
    labels: tuple = ()  # of each span of a clip, when it was
    seconds: float = 0.0  # how long the clip is


@functools.cache
def rows(kind="style"):
    """The rows of one kind by name, in the catalog's order: "style" or "turns".

    Source: `mmtokedu/catalog/styles.toml`, where each row names its own.

    >>> rows()["gemma-3"].media["image"].start
    ('\\n\\n', '<start_of_image>')
    """
    return catalog.one("kind of style row", kind, catalog.read_kinds("styles", KINDS))


def row(name):
    """The style of this name, or a ValueError that lists the names there are.

    Source: `mmtokedu/catalog/styles.toml`.

    >>> row("pixtral").source
    'transformers 5.23.0 models/pixtral; mistral-common 1.13.1 tokens/tokenizers/image.py'
    """
    return catalog.one("style", name, rows())


def modality_census():
    """Who adds a modality embedding at all: {"yes": names of styles, "no": …, "unknown": …}.

    Source: each row's `modality` in `mmtokedu/catalog/styles.toml`.

    >>> {adds: len(names) for adds, names in modality_census().items()}, modality_census()["yes"]
    ({'yes': 1, 'no': 34, 'unknown': 0}, ('molmo2',))
    """
    found = {name: style.modality.adds for name, style in rows().items()}
    return {said: tuple(name for name in found if found[name] == said) for said in ("yes", "no", "unknown")}


def _turns_row(name, row):
    return TurnsRow(name=name, **(row | {"tokens": tuple(row["tokens"])}))


def _style_row(name, row):
    media = {kind: _medium_row(kind, row.pop(kind)) for kind in ("image", "video", "audio") if kind in row}
    tokens, modality = row.pop("tokens"), ModalityRow(**row.pop("modality"))
    if template := row.pop("grid_token", ""):
        tokens = tokens + [template.format(y, x) for y in range(1, 7) for x in range(1, 7)]
    frozen = {key: MappingProxyType(row.pop(key)) for key in ("ids", "names") if key in row}
    return StyleRow(name=name, tokens=tuple(tokens), media=MappingProxyType(media), modality=modality, **frozen, **row)


def _medium_row(kind, row):
    return MediumRow(kind, **{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()})


KINDS = {"style": ("style", _style_row), "turns": ("way to mark turns", _turns_row)}  # as in catalog.video


# From pixels and seconds to a Cut.


def image_cut(style, height, width, number=1, images=1):
    """What a style cuts an image of this size into, by its row of `catalog.images`; images is how many there are.

    Raises ValueError for a style that has no such row, besides what the row refuses.

    >>> image_cut("smolvlm", 480, 640)
    Cut(grid=(3, 4), tokens=(64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64), number=1, labels=(), seconds=0.0)
    """
    medium = row(style).media["image"]
    if medium.several and images > 1:
        return Cut((), (medium.several,), number)
    if medium.layout == "slices":
        return _sliced_cut(height, width, number)
    if medium.clip:
        resized = clip_resize(2, height, width, temporal=2, **medium.clip)
        return settled(medium, tuple(side // medium.clip["factor"] for side in resized), None, number)
    if not medium.sizes:
        if medium.whole and not medium.each:
            return Cut((), (medium.whole,), number)
        if medium.grid:
            return settled(medium, medium.grid, None, number)
        raise ValueError(
            f"{style} has no rule here from {height}x{width} pixels to tokens: give Image(grid=(rows, cols)) as its "
            "processor cuts it, or Image(tokens=count)"
        )
    plan = image_plan(medium.sizes, height, width)
    if medium.layout in ("run", "rows"):
        return Cut(plan.grid, (plan.tokens,) if medium.layout == "run" else (plan.grid[1],) * plan.grid[0], number)
    crops = dict(plan.parts).get("crops", dict(plan.parts).get("tiles", 0))
    return settled(medium, plan.grid if crops else (0, 0), None, number)


def _sliced_cut(height, width, number):
    """MiniCPM-V: the frame rule of `catalog.video`, for one frame."""
    _, (_, rows, cols), parts = sliced(1, height, width, side=448, cell=56, max_slices=9)
    grid = _slice_grid(height, width, 448, 9) or (0, 0)
    count = math.prod(grid)
    each = (dict(parts)["slices"] // count,) * count if count else ()
    return Cut(grid, (rows * cols, *each), number)


def video_cut(style, frames, height, width, number=1):
    """What a style cuts so many frames of this size into, by its row of `catalog.video`.

    Raises ValueError for a style that has no such row, besides what the row refuses.

    >>> video_cut("qwen3-vl", 8, 480, 640).tokens
    (300, 300, 300, 300)
    """
    medium = row(style).media["video"]
    if not medium.sizes:
        raise ValueError(
            f"{style} has no rule here from frames of {height}x{width} pixels to tokens: give "
            "Video(grid=(t, rows, cols)) in tokens, as its processor cuts them"
        )
    plan = video_plan(medium.sizes, frames, height, width)
    t, rows, cols = plan.grid
    return Cut(plan.grid, (plan.tokens,) if medium.layout == "run" else (rows * cols,) * t, number)


def audio_cut(style, seconds, tokens=None, number=1):
    """What a style makes of so many seconds of sound, by its row of `catalog.listeners`; or the tokens that are given.

    Raises ValueError for a style that has no such row, for a sound of which nothing is left, and what the row refuses.

    >>> audio_cut("qwen2-audio", 3).tokens
    (75,)
    """
    medium = row(style).media["audio"]
    if tokens is not None:
        return Cut((), check_counts(tokens, "tokens"), number)
    if seconds is None:
        raise TypeError("Audio needs seconds, or tokens")
    seconds = check_seconds(seconds, "seconds")
    if not medium.sizes:
        raise ValueError(f"{style} has no rule here from {seconds:g} seconds to tokens: give Audio(tokens=count)")
    count = listener_tokens(medium.sizes, seconds)
    if not count:
        raise ValueError(
            f"{style} makes no token of {seconds:g} seconds of sound (pad it with silence, or leave it out)"
        )
    return Cut((), (count,), number)


def settled(medium, grid, tokens, number=1):
    """The Cut of a grid or of token counts that the caller gives, as the medium's layout reads them."""
    if grid is None:
        return Cut((), tokens, number)
    layout, cells = medium.layout, math.prod(grid)
    if tokens is not None or layout == "slices":
        counted = tokens
    elif layout == "small_and_large":
        counted = (grid[1],) * grid[0] + (grid[3],) * grid[2]
    elif layout == "rows":
        counted = (grid[1],) * grid[0]
    elif layout == "run_with_newlines":
        counted = (grid[0] * (grid[1] + 1) + 2,)
    elif layout == "run_of_crops":
        counted = (medium.whole + medium.each * cells,)
    elif layout.startswith("frames"):
        counted = (math.prod(grid[1:]),) * grid[0]
    elif medium.each:
        tiles = 0 if layout == "tiles_apart" and cells == 1 else cells
        counted = (medium.each,) * tiles + (medium.whole or medium.each,)
    else:
        counted = (cells,)
    return Cut(tuple(grid), counted, number)


def given_cut(medium, grid, tokens, number=1):
    """What the caller says that the processor has cut."""
    sides = (4,) if medium.layout == "small_and_large" else (3,) if medium.kind == "video" else (2,)
    grid = None if grid is None else check_grid(grid, sides, "grid")
    some = medium.kind == "video" and medium.layout != "run"  # a frame of which nothing is kept has no tokens
    tokens = None if tokens is None else check_counts(tokens, "tokens", least=0 if some else 1)
    cut = settled(medium, grid, tokens, number)
    needs_grid = medium.layout in ("tiles_with_places", "tiles_apart", "slices", "small_and_large")
    if grid and not any(grid) and medium.layout not in UNCUT:
        raise ValueError(f"grid is {list(grid)}: a medium of no tokens (leave it out)")
    expected = settled(medium, grid, None).tokens if grid and tokens else None
    if medium.layout == "slices" and grid:
        expected = (0,) * (1 + grid[0] * grid[1])
    if cut.tokens is None or (needs_grid and grid is None and len(cut.tokens) > 1):
        raise ValueError(f"layout {medium.layout!r} needs a grid of {sides[0]} numbers and tokens of each run")
    if expected is not None and len(expected) != len(cut.tokens):
        raise ValueError(f"grid {list(grid)} has {len(expected)} runs, tokens are {len(cut.tokens)}")
    if not sum(cut.tokens):
        raise ValueError(f"grid {grid}, tokens {tokens}: a medium of no tokens (leave it out)")
    return cut


UNCUT = "tiles_with_places", "tiles_apart", "crops_in_a_sentence", "equal_runs", "run_of_crops", "slices"  # or (0, 0)


# Layouts: a medium's row and its Cut become pieces.


def _placed(strings, tokens):
    return [Piece("mark" if string in tokens else "text", string) for string in strings]


def _softs(medium, count):
    return [Piece("soft", medium.soft, count)] if count else []


def run(medium, cut, place):
    """One run between its markers: most systems."""
    return place(medium.start) + _softs(medium, sum(cut.tokens)) + place(medium.end)


run_with_newlines = run_of_crops = run  # HunYuan, DeepSeek-OCR2: the count is what differs


def equal_runs(medium, cut, place):
    """Idefics2 with splitting: each crop as if it were an image, and the image as one more."""
    return [piece for count in cut.tokens for piece in place(medium.start) + _softs(medium, count) + place(medium.end)]


def rows_of_tokens(medium, cut, place):
    """Pixtral: a break behind each row, behind the last the end instead."""
    pieces = []
    for y, count in enumerate(cut.tokens):
        pieces += _softs(medium, count) + place(medium.between if y < len(cut.tokens) - 1 else medium.last)
    return pieces


def crops_in_a_sentence(medium, cut, place):
    """Gemma 3 with pan and scan: a sentence between the image and its crops."""
    whole, *crops = ([*place(medium.start), *_softs(medium, n), *place(medium.end)] for n in cut.tokens)
    if not crops:
        return whole
    pieces = place(medium.first) + whole + place(medium.last) + crops[0]
    return pieces + [piece for crop in crops[1:] for piece in place(medium.between) + crop]


def tiles_with_places(medium, cut, place):
    """Idefics3, SmolVLM: each tile behind its row and column, a newline behind each row, the whole image last."""
    *tiles, whole = cut.tokens
    rows, cols = cut.grid or (0, 0)
    pieces = []
    for y in range(rows):
        for x in range(cols):
            pieces += place((*medium.start, f"<row_{y + 1}_col_{x + 1}>")) + _softs(medium, tiles[y * cols + x])
        pieces += place(("\n",))
    around = ("\n", *medium.start) if tiles else medium.start
    return pieces + place((*around, *medium.first)) + _softs(medium, whole) + place(medium.end)


def tiles_apart(medium, cut, place):
    """Llama 4: tiles with a separator between them and another behind each row, then the whole image."""
    *tiles, whole = cut.tokens
    cols = cut.grid[1] if tiles else 0
    pieces = place(medium.first)
    for i, count in enumerate(tiles):
        pieces += _softs(medium, count) + place(medium.start if (i + 1) % cols else medium.end)
    return pieces + place(medium.between) + _softs(medium, whole) + place(medium.last)


def in_slices(medium, cut, place):
    """MiniCPM-V: the image's number from 0, the whole, then rows of slices with a newline between the rows."""
    opening, closing = medium.first
    pieces = place((opening, str(cut.number - 1), closing))
    whole, *each = cut.tokens
    pieces += place(medium.start[:1]) + _softs(medium, whole) + place(medium.start[1:])
    for i, count in enumerate(each):
        pieces += place(medium.between) if i and i % cut.grid[1] == 0 else []
        pieces += place(medium.end[:1]) + _softs(medium, count) + place(medium.end[1:])
    return pieces


def small_and_large(medium, cut, place):
    """Molmo2: the image small, then large; grid is (rows, cols) of the one and of the other."""
    pieces = place(medium.first)
    for y, count in enumerate(cut.tokens):
        pieces += place(medium.end + medium.start) if y == cut.grid[0] else []
        pieces += _softs(medium, count) + place(medium.between)
    return pieces + place(medium.end)


def frames(medium, cut, place, after=False):
    """A span for each temporal patch, with its time before it (or after it)."""
    pieces = place(medium.first)
    for i, count in enumerate(cut.tokens):
        label = place((cut.labels[i],)) if cut.labels else []
        span = place(medium.start) + _softs(medium, count) + place(medium.end)
        pieces += (place(medium.between) if i else []) + (span + label if after else label + span)
    return pieces + place(medium.last)


def frames_with_a_sentence(medium, cut, place):
    """SmolVLM2: how many frames and how long the clip is, in words, then the frames, each on a line of its own."""
    (sentence,) = medium.first
    seconds = int(cut.seconds)
    days, clock = seconds // 86400, f"{seconds // 3600 % 24}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    length = f"{days} day{'s' if days > 1 else ''}, {clock}" if days else clock
    pieces = place((sentence.format(in_words(len(cut.tokens)), length),))
    for label, count in zip(cut.labels, cut.tokens, strict=True):
        pieces += place(("\n", label, *medium.start)) + _softs(medium, count) + place(medium.end)
    return pieces + place(medium.last)


LAYOUTS = {
    "run": run,
    "run_with_newlines": run,
    "run_of_crops": run,
    "equal_runs": equal_runs,
    "rows": rows_of_tokens,
    "crops_in_a_sentence": crops_in_a_sentence,
    "tiles_with_places": tiles_with_places,
    "tiles_apart": tiles_apart,
    "slices": in_slices,
    "small_and_large": small_and_large,
    "frames": frames,
    "frames_with_a_sentence": frames_with_a_sentence,
}


def in_words(number):
    """A number from 0 to 999 in English.

    >>> in_words(8), in_words(64), in_words(212)
    ('eight', 'sixty-four', 'two hundred and twelve')
    """
    small = (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen"
    ).split()
    tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()
    if not 0 <= number < 1000:
        raise ValueError(f"{number} frames; a sentence counts up to 999 of them")
    if number < 20:
        return small[number]
    if number < 100:
        return tens[number // 10 - 2] + (f"-{small[number % 10]}" if number % 10 else "")
    return f"{small[number // 100]} hundred" + (f" and {in_words(number % 100)}" if number % 100 else "")


# A clip's own sound between its frames. A rule takes the times of the clip's tokens and of the sound's in position ids
# and returns, token by token, True for sound.


def in_chunks(film, sound, chunk):
    """Qwen2.5-Omni: a chunk of film, a chunk of sound, and so on. The counter steps once a token, so that film with
    more than a chunk between two frames is cut inside a frame.
    """
    pieces = []
    film, sound = _chunk_lengths(film, chunk), _chunk_lengths(sound, chunk)
    for i in range(max(len(film), len(sound))):
        pieces += [np.full(n[i], kind) for n, kind in ((film, False), (sound, True)) if i < len(n)]
    return np.concatenate(pieces)


def _chunk_lengths(times, chunk):
    ends, due = [0], chunk
    for i, time in enumerate(times):
        if time >= due:
            ends.append(i)
            due += chunk
    return np.diff([*ends, len(times)])


def by_time(film, sound, chunk):
    """Qwen3-Omni: whichever is earlier; where both are, film."""
    times = np.concatenate([film, sound])
    return np.repeat([False, True], [len(film), len(sound)])[np.argsort(times, kind="stable")]


WEAVES = {"in_chunks": in_chunks, "by_time": by_time}


def woven(style, grid, seconds_per_patch, sounds):
    """Where sound goes between the frames of its clip, as pieces: grid (t, rows, cols), sounds tokens of sound.

    >>> [(piece.what, piece.count) for piece in woven("qwen2.5-omni", (3, 2, 2), 1.0, 75) if piece.kind == "soft"]
    [('<|VIDEO|>', 8), ('<|AUDIO|>', 50), ('<|VIDEO|>', 4), ('<|AUDIO|>', 25)]
    """
    system = row(style)
    video, audio = system.media["video"], system.media["audio"]
    t, rows, cols = grid
    film = np.repeat(np.arange(t), rows * cols) * seconds_per_patch * video.rate
    sound = WEAVES[video.woven](film, np.arange(sounds), int(video.rate * video.chunk))
    turns = np.flatnonzero(np.diff(sound)) + 1
    starts = [0, *turns.tolist()]
    pieces = []
    for start, count in zip(starts, np.diff([*starts, len(sound)]).tolist()):
        pieces.append(Piece("soft", audio.soft if sound[start] else video.soft, count))

    def place(strings):
        return _placed(strings, system.tokens)

    return place((*video.start, *audio.start)) + pieces + place((*audio.end, *video.end))


def laid_out(style, kind, cut):
    """The pieces of one medium in a style.

    >>> [(piece.what, piece.count) for piece in laid_out("internvl", "image", Cut((), (768,)))]
    [('<img>', 1), ('<IMG_CONTEXT>', 768), ('</img>', 1)]
    """
    system = row(style)
    medium, tokens = system.media[kind], frozenset(system.tokens)

    def place(strings):
        return _placed(strings, tokens)

    if medium.layout == "frames":
        return frames(medium, cut, place, after=video_row("time", medium.time).place == "after")
    return LAYOUTS[medium.layout](medium, cut, place)


def label(system, kind, number, named):
    """What tells a medium from the others: the style's label, or the number that it always writes."""
    if system.media[kind].layout == "slices":
        return "" if named else str(number - 1)
    if named and kind not in system.names:
        raise ValueError(f"{system.name} has no labels for {kind}s; leave out named, or write them as text")
    return system.names[kind].format(number) if named else ""


def arranged(pieces, system):
    """What a style does across parts: a shared marker, a space, what follows the last medium and the prompt."""
    shared = [piece.kind == "mark" and piece.what == system.shared for piece in pieces]
    if system.spaced:
        pieces = [_spaced(piece) if i and shared[i - 1] else piece for i, piece in enumerate(pieces)]
    pieces = [piece for i, piece in enumerate(pieces) if not (i and shared[i - 1] and shared[i])]
    if system.after_media:
        last = max(i for i, piece in enumerate(pieces) if piece.medium >= 0) + 1
        pieces = [*pieces[:last], Piece("mark", system.after_media), *pieces[last:]]
    if system.after_prompt:
        first = next((i for i, piece in enumerate(pieces) if piece.learn), len(pieces))
        pieces = [*pieces[:first], Piece("text", system.after_prompt), *pieces[first:]]
    return pieces


def _spaced(piece):
    word = piece.kind == "text" and not piece.what[0].isspace() and piece.what[0] != "<"
    return piece._replace(what=" " + piece.what) if word else piece
