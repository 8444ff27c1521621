"""What the page of interleaving looks up: each style as data, and for each size the library's own cut.

The page lays a medium out by itself; what it is cut into stands in the tables, so no rule from pixels to tokens is
written twice.
"""

import functools
import itertools

from mmtokedu.catalog import styles
from mmtokedu.catalog.video import row as video_row
from mmtokedu.explore._interleave_asked import FPS, FRAMES, HEIGHTS, SECONDS, SIDES, part, supposed
from mmtokedu.video import timestamp_labels


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
def tables():
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
def labels(time):
    """When each span of the longest film was, in a style of `catalog.video`; a shorter one has the first of them."""
    return timestamp_labels(range(FRAMES[-1]), FPS, time)


def _sentences(system, medium):
    """What SmolVLM2 writes before a film, by the number of its spans."""
    lengths = {}
    for frames in FRAMES:
        cut = styles.video_cut(system.name, frames, 360, 640)
        cut = cut._replace(labels=tuple(labels(medium.time)[: len(cut.tokens)]), seconds=frames / FPS)
        lengths[len(cut.tokens)] = styles.laid_out(system.name, "video", cut)[0].what
    return lengths


PLAIN = (  # fields of a style, and of its media, that the page reads as they are, where they say something
    "title", "tokens", "about", "source", "verified", "turns", "shared", "spaced", "after_media", "after_prompt",
    "needs_image", "one_video", "masks",
)  # fmt: skip
PLAIN_MEDIUM = (
    "soft", "layout", "start", "end", "first", "last", "between", "several", "time", "woven", "rate", "chunk",
)  # fmt: skip


def style_row(system):
    """A style as the front-end file reads it."""
    media = {kind: _medium(system, medium) for kind, medium in system.media.items()}
    told = {name: getattr(system, name) for name in PLAIN if getattr(system, name)}
    maps = {"ids": dict(system.ids), "names": dict(system.names)}
    return {"id": system.name, **told, **maps, "media": media, "as_of": system.as_of.isoformat()}


def _medium(system, medium):
    told = {name: getattr(medium, name) for name in PLAIN_MEDIUM if getattr(medium, name)}
    told["table"] = tables()[1][system.name, medium.kind]
    told |= {"supposed": supposed(medium)} if supposed(medium) else {}
    if medium.time and video_row("time", medium.time).place == "after":
        told["after"] = True
    if medium.layout == "frames_with_a_sentence":
        told["sentences"] = _sentences(system, medium)
    return told
