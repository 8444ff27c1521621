"""The explorable of interleaving on the Python side: tables from sizes to cuts, the catalog's styles, its still figure.

The page lays a medium out by itself; what a medium is cut into it looks up. For each style and each size that can be
chosen the tables hold the library's own answer, so no rule from pixels to tokens is written twice.
"""

import functools
import html
import itertools
import re
from typing import NamedTuple

import numpy as np

from mmtokedu import interleave as library
from mmtokedu.catalog import styles
from mmtokedu.catalog.video import row as video_row
from mmtokedu.interleave import Audio, Image, Text, Video
from mmtokedu.samples.film import film_facts
from mmtokedu.samples.request import request_text
from mmtokedu.video import timestamp_labels

SIDES = 64, 112, 224, 336, 448, 480, 640, 720, 896, 1080, 1280, 1560, 1920, 2080  # of a picture, in pixels
SECONDS = 0.5, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 30, 45, 60, 120  # of a sound, that of each film among them
FRAMES = 4, 8, 12, 16, 20, 24, 32  # of a film: multiples of every style's group of frames
HEIGHTS = {360: 640, 720: 1280, 1080: 1920}  # of a frame: height -> width
FPS = 2.0  # frames taken a second of film
MOST_PROMPT, MOST_ANSWER, MOST_MEDIA = 200, 60, 8  # bytes, bytes, media
WINDOWS = 64, 512, 1024
KINDS = {"IMG": "image", "AUDIO": "audio", "VIDEO": "video"}
CELL, TILE, FRAME_CELL, RATE, SMALL = 28, 640, 56, 25, 14  # what is supposed where the catalog has no rule
USUAL = {"image": (480, 640), "audio": 3, "video": (20, 720, False)}  # what the size of a medium is at first
VOICE = 4  # seconds: of those above the nearest to the request's question
FIRST = "[IMG][IMG]Which of the two was taken first?"
FIRST_IMAGES = (480, 640), (1080, 1920)


class Asked(NamedTuple):
    """What the page's state asks for."""

    prompt: str
    style: str
    images: tuple = ()  # (height, width) of each
    sounds: tuple = ()  # seconds of each
    clips: tuple = ()  # (frames, height, whether its sound is woven in) of each
    answer: str = None
    named: bool = False


def parts(prompt, style, images, sounds, clips, answer, named, rule, window):
    """(attributes, data, still figure, its words) for these arguments, or the error `explore.interleave` names."""
    system = styles.row(style)
    asked = _asked(prompt, style, images, sounds, clips, answer, named)
    if rule not in (None, *library.MASKS):
        raise ValueError(
            f"rule is {rule!r}; choose {', '.join(map(repr, library.MASKS))}, or None for the system's own"
        )
    if window not in (None, *WINDOWS):
        raise ValueError(f"window is {window!r}; choose None, {', '.join(map(str, WINDOWS))}")
    try:
        sequence = made(asked)
    except ValueError:  # the system refuses this prompt: worth showing
        sequence = None
    alt = _in_words(system, asked, sequence)
    attributes = {"prompt": prompt, "style": style, "images": _joined(asked.images), "sounds": _joined(asked.sounds)}
    attributes |= {"clips": _joined(asked.clips)} | ({} if answer is None else {"answer": answer})
    attributes |= {"named": int(asked.named), "rule": rule or "own", "window": window or 0}
    return attributes, _data(), _still(system, asked, sequence, alt), alt


def _asked(prompt, style, images, sounds, clips, answer, named):
    """The arguments, each checked, with a size for each medium of the prompt."""
    for name, text, most in (("prompt", prompt, MOST_PROMPT), ("answer", answer or "", MOST_ANSWER)):
        if not isinstance(text, str):
            raise TypeError(f"{name} is {type(text).__name__}; expected a string")
        if len(text.encode()) > most:
            raise ValueError(f"{name} has {len(text.encode())} bytes; the page takes at most {most}")
    kinds = [kind for kind, _ in split(prompt) if kind]
    if len(kinds) > MOST_MEDIA:
        raise ValueError(f"prompt has {len(kinds)} media; the page takes at most {MOST_MEDIA}")
    given = {
        "image": FIRST_IMAGES if images is None else [tuple(size) for size in images],
        "audio": sounds or (),
        "video": [(*size, False)[:3] for size in clips or ()],
    }
    known = {
        "image": lambda size: len(size) == 2 and set(size) <= set(SIDES),
        "audio": lambda size: size in SECONDS,
        "video": lambda size: len(size) == 3 and size[0] in FRAMES and size[1] in HEIGHTS,
    }
    choose = {
        "image": f"sides among {', '.join(map(str, SIDES))}",
        "audio": f"seconds among {', '.join(map(str, SECONDS))}",
        "video": f"frames among {', '.join(map(str, FRAMES))} and a height among {', '.join(map(str, HEIGHTS))}",
    }
    for kind, sizes in given.items():
        for size in sizes:
            if not known[kind](size):
                raise ValueError(f"{kind} of size {size}; choose {choose[kind]}")
    sized = [
        tuple(itertools.islice(itertools.chain(given[kind], itertools.repeat(USUAL[kind])), kinds.count(kind)))
        for kind in USUAL
    ]
    return Asked(prompt, style, *sized, answer, bool(named))


def _joined(sizes):
    """Sizes as the page's address has them.

    >>> _joined([(480, 640), (64, 64)]), _joined([0.5]), _joined([(20, 720, True)])
    ('480x640_64x64', '0.5', '20x720x1')
    """
    text = lambda size: "x".join(f"{number:g}" for number in size) if isinstance(size, tuple) else f"{size:g}"
    return "_".join(map(text, sizes))


# ------------------------------------------------------------------------------------------- as the library has it


def split(prompt):
    """[(kind of medium, "") or ("", text)], in their order.

    >>> split("[IMG]a [VIDEO")
    [('image', ''), ('', 'a [VIDEO')]
    """
    bits = re.split(r"\[(IMG|AUDIO|VIDEO)\]", prompt)  # in turns: text, name, text, …
    return [(KINDS[bit], "") if i % 2 else ("", bit) for i, bit in enumerate(bits) if bit]


def made(asked):
    """The library's sequence for what the page asks for, or its ValueError."""
    system = styles.row(asked.style)
    sizes = {"image": iter(asked.images), "audio": iter(asked.sounds), "video": iter(asked.clips)}
    content = []
    for kind, text in split(asked.prompt):
        content.append(part(system, kind, next(sizes[kind])) if kind else text)
    if asked.answer is not None and system.turns:
        content = library.chat([("user", content), ("assistant", asked.answer)], style=system.name)
    elif asked.answer is not None:
        content = [*content, Text(asked.answer, learn=True)]
    return library.interleave(content, style=system.name, named=asked.named and bool(system.names))


def naive(sequence):
    """The tokens there would be, were each medium, with all that is written around it, a single one."""
    inside = sequence.extents[:, 1] - sequence.extents[:, 0]
    return len(sequence.ids) - int(inside.sum()) + len(inside)


def part(system, kind, size):
    """A medium of the page as a part for `interleave`: by the catalog's rule, else with what is supposed."""
    medium = system.media.get(kind)
    lacks = medium is not None and supposed(medium)
    if kind == "image":
        return Image(grid=_supposed_grid(medium, *size)) if lacks else Image(*size)
    if kind == "audio":
        return Audio(tokens=int(size * RATE)) if lacks else Audio(size)
    frames, height, sound = size
    if not lacks:
        woven = Audio(frames / FPS) if sound and medium and medium.woven else None
        return Video(tuple(range(frames)), FPS, height, HEIGHTS[height], sound=woven, seconds=frames / FPS)
    spans = len(timestamp_labels(range(frames), FPS, medium.time))
    grid = (spans, -(-height // FRAME_CELL), -(-HEIGHTS[height] // FRAME_CELL))
    return Video(tuple(range(frames)), FPS, grid=grid, seconds=frames / FPS)


def supposed(medium):
    """What the page supposes, in words, where the catalog has no rule from a medium's size to its tokens; or "".

    >>> supposed(styles.row("llama-4").media["image"]), supposed(styles.row("pixtral").media["image"])
    ('a tile for every 640 × 640 px begun', '')
    """
    if medium.sizes or medium.clip or medium.grid or (medium.whole and not medium.each):
        return ""
    if medium.kind == "audio":
        return f"{RATE} tokens a second"
    if medium.kind == "video":
        return f"a cell for every {FRAME_CELL} × {FRAME_CELL} px of a frame begun"
    return f"a tile for every {TILE} × {TILE} px begun" if medium.each else f"a cell for every {CELL} × {CELL} px begun"


def _supposed_grid(medium, height, width):
    side = TILE if medium.each else CELL
    grid = -(-height // side), -(-width // side)
    return (SMALL, SMALL, *grid) if medium.layout == "small_and_large" else grid


# ------------------------------------------------------------------------------------------------- tables of cuts


def _coded(cut):
    """A Cut as data: a count, or [grid, [tokens, runs, tokens, runs, …]].

    >>> _coded(styles.Cut((3, 4), (64,) * 13)), _coded(styles.Cut((2, 2), (4,)))
    ([[3, 4], [64, 13]], [[2, 2], [4, 1]])
    """
    if not cut.grid and len(cut.tokens) == 1:
        return cut.tokens[0]
    runs = [(tokens, len(list(some))) for tokens, some in itertools.groupby(cut.tokens)]
    return [list(cut.grid), [number for run in runs for number in run]]


GRIDLESS = "run", "run_with_newlines", "run_of_crops"  # layouts that read no grid


def _cuts(system, medium):
    """The cut of each size that can be chosen, coded, in the order of SIDES x SIDES, SECONDS or FRAMES x HEIGHTS."""
    name, kind = system.name, medium.kind
    if kind == "image":
        sizes = itertools.product(SIDES, SIDES)
        ask = lambda size: styles.image_cut(name, *size)
    elif kind == "audio":
        sizes = SECONDS
        ask = lambda seconds: styles.audio_cut(name, seconds)
    else:
        sizes = itertools.product(FRAMES, HEIGHTS, (False,))
        ask = lambda size: styles.video_cut(name, size[0], size[1], HEIGHTS[size[1]])
    if supposed(medium):
        given = lambda one: (one.grid, None) if kind != "audio" else (None, one.tokens)
        ask = lambda size: styles.given_cut(medium, *given(part(system, kind, size)))
    cuts = [ask(size) for size in sizes]
    if medium.layout in GRIDLESS and not medium.woven:
        cuts = [cut._replace(grid=()) for cut in cuts]
    return [_coded(cut) for cut in cuts]


@functools.cache
def _tables():
    """(tables, {(style, kind): number of its table}): equal ones are there once, those of one value have that alone."""
    tables, where = [], {}
    for name, system in styles.rows().items():
        for kind, medium in system.media.items():
            table = _cuts(system, medium)
            table = table[:1] if all(cut == table[0] for cut in table) else table
            if table not in tables:
                tables.append(table)
            where[name, kind] = tables.index(table)
    return tables, where


@functools.cache
def _labels(time):
    """When each span of the longest film was, in a style of `catalog.video`; a shorter one has the first of them."""
    return timestamp_labels(range(FRAMES[-1]), FPS, time)


def _sentences(system, medium):
    """What SmolVLM2 writes before a film, by the number of its spans."""
    lengths = {}
    for frames in FRAMES:
        cut = styles.video_cut(system.name, frames, 360, 640)
        cut = cut._replace(labels=tuple(_labels(medium.time)[: len(cut.tokens)]), seconds=frames / FPS)
        lengths[len(cut.tokens)] = styles.laid_out(system.name, "video", cut)[0].what
    return lengths


@functools.cache
def _data():
    """The styles and tables, as the front-end file reads them."""
    tables, _ = _tables()
    times = {medium.time for system in styles.rows().values() for medium in system.media.values() if medium.time}
    turns = {
        name: {key: getattr(row, key) for key in ("tokens", "begin", "end")}
        for name, row in styles.rows("turns").items()
    }
    some = presets()
    return {
        "styles": [_style(system) for system in styles.rows().values()], "turns": turns, "tables": tables,
        "labels": {time: _labels(time) for time in sorted(times)}, "sides": SIDES, "seconds": SECONDS, "frames": FRAMES,
        "heights": [list(size) for size in HEIGHTS.items()], "fps": FPS, "windows": WINDOWS, "masks": list(library.MASKS),
        "most": {"prompt": MOST_PROMPT, "answer": MOST_ANSWER, "media": MOST_MEDIA}, "presets": some,
        "usual": {kind: _joined([size]) for kind, size in USUAL.items()}, "answer": "The second one.",
    }  # fmt: skip


def _style(system):
    plain = (
        "title",
        "tokens",
        "about",
        "source",
        "verified",
        "turns",
        "shared",
        "spaced",
        "after_media",
        "after_prompt",
    )
    plain += ("needs_image", "one_video", "masks")
    media = {kind: _medium(system, medium) for kind, medium in system.media.items()}
    told = {name: getattr(system, name) for name in plain if getattr(system, name)}
    maps = {"ids": dict(system.ids), "names": dict(system.names)}
    return {"id": system.name, **told, **maps, "media": media, "as_of": system.as_of.isoformat()}


def _medium(system, medium):
    plain = "soft", "layout", "start", "end", "first", "last", "between", "several", "time", "woven", "rate", "chunk"
    told = {name: getattr(medium, name) for name in plain if getattr(medium, name)}
    told["table"] = _tables()[1][system.name, medium.kind]
    told |= {"supposed": supposed(medium)} if supposed(medium) else {}
    if medium.time and video_row("time", medium.time).place == "after":
        told["after"] = True
    if medium.layout == "frames_with_a_sentence":
        told["sentences"] = _sentences(system, medium)
    return told


def presets():
    """Prompts worth trying: [name, state]."""
    film = film_facts()
    frames = min(FRAMES, key=lambda some: abs(some - film.frames / film.fps * FPS))
    asks = "Why does <image> stand in my prompt?"
    some = [
        ("two photos, one question", Asked(FIRST, "qwen2.5-vl", FIRST_IMAGES)),
        (
            "invoice, voice and film",
            Asked(
                f"[IMG][AUDIO][VIDEO]{request_text()}",
                "qwen2.5-omni",
                ((2080, 1560),),
                (VOICE,),
                ((frames, film.height, True),),
            ),
        ),
        ("someone typed <image>", Asked(f"[IMG]{asks}", "llava-1.5", ((480, 640),))),
        ("nothing between", Asked("[IMG][IMG]Which is the cat?", "llava-1.5", ((480, 640), (480, 640)))),
        ("a page in tiles", Asked("[IMG]What is the total?", "idefics3", ((2080, 1560),))),
        ("seen whole, then answered", Asked("[IMG]caption en", "paligemma", ((480, 640),), answer="A cat on a mat.")),
    ]
    return [[name, as_state(asked)] for name, asked in some]


def as_state(asked):
    sizes = {name: _joined(getattr(asked, name)) for name in ("images", "sounds", "clips")}
    rest = {"answer": asked.answer, "named": asked.named, "rule": "own", "window": 0}
    return {"prompt": asked.prompt, "style": asked.style, **sizes, **rest}


# ------------------------------------------------------------------------------------------------------- on paper

LOOKS = {library.TEXT: "#59626f", library.IMAGE: "#1f6cc0", library.VIDEO: "#08553a", library.AUDIO: "#b44808"}
WORDS = {"image": "Picture", "audio": "Sound", "video": "Film"}


def _in_words(system, asked, sequence):
    said = f"“{asked.prompt}” as {system.title} has it: "
    if sequence is None:
        return said + "refused."
    total, placeholders = len(sequence.ids), len(sequence.extents)
    learned = int((sequence.labels != library.NOT_LEARNED).sum())
    one = "1 placeholder" if placeholders == 1 else f"{placeholders} placeholders"
    return (
        f"{said}{total:,} tokens, where {naive(sequence):,} would do if each of {one} were one token; "
        f"{learned or 'none'} of them learned."
    )


def media_words(asked):
    """What the page calls each medium of a prompt.

    >>> media_words(Asked("[IMG][AUDIO][IMG]", "pixtral"))
    ['Picture 1', 'Sound 1', 'Picture 2']
    """
    kinds = [kind for kind, _ in split(asked.prompt) if kind]
    return [f"{WORDS[kind]} {kinds[: i + 1].count(kind)}" for i, kind in enumerate(kinds)]


def _still(system, asked, sequence, alt):
    """The sequence as a strip to scale: media filled, text and markers in outline, a bracket with a count for each."""
    said = html.escape(alt)
    drawn = ""
    if sequence is not None and len(sequence.ids):
        x = lambda token: 10 + 620 * token / len(sequence.ids)
        for (start, stop), medium in zip(sequence.spans.tolist(), sequence.modality[sequence.spans[:, 0]].tolist()):
            drawn += f'<path d="M{x(start):.1f} 34h{max(x(stop) - x(start) - 0.6, 0.6):.1f}v30H{x(start):.1f}z" fill="{LOOKS[medium]}"/>'
        for (start, stop), word in zip(sequence.extents.tolist(), media_words(asked)):
            drawn += f'<path d="M{x(start) + 1:.1f} 70v5H{x(stop) - 1:.1f}v-5" fill="none" stroke="currentColor"/>'
            if stop - start > len(sequence.ids) / 8:
                middle = (x(start) + x(stop)) / 2
                drawn += f'<text x="{middle:.1f}" y="94" text-anchor="middle">{word}: {stop - start:,}</text>'
        drawn += '<path d="M10 34h620v30H10z" fill="none" stroke="currentColor" stroke-opacity=".5"/>'
    head = (
        "refused"
        if sequence is None
        else f"{naive(sequence):,} tokens if a placeholder were one token; {len(sequence.ids):,} in truth"
    )
    return (
        '<figure style="margin:1em 0"><svg viewBox="0 0 640 104" role="img" style="max-width:100%;height:auto" '
        f'width="640" height="104" fill="currentColor" font-size="15"><title>{said}</title><text x="10" y="20">{head}</text>'
        f"{drawn}</svg><figcaption>{said}</figcaption></figure>"
    )
