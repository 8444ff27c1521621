"""The explorable of clips on the Python side: the clip's thumbnails, the catalog, its still figure."""

import base64
import functools
import html
import io
import math
import operator

import numpy as np
from PIL import Image

from mmtokedu.arguments.common import check_number
from mmtokedu.arguments.video import MAX_KEPT
from mmtokedu.catalog import video as catalog
from mmtokedu.samples.film import film_facts, film_frames
from mmtokedu.video import sample_frames

MAX_TOTAL, MAX_RATE, MAX_COUNT = (
    1_000_000,
    240,
    4096,
)  # frames, Hz, frames asked for: what the page lets a reader ask for
SIZES = ((360, 640), (720, 1280), (1080, 1920), (2160, 3840))  # (height, width) in pixels
THUMB = 54, 96  # (height, width) of a thumbnail
LENGTHS = 0.1, 2  # seconds that a moment may last
COLS = 10  # thumbnails a row of the sheet
ANY = "qwen2.5-vl"  # the system whose tokens are shown where a rule belongs to none


def parts(rule, model, total, video_fps, fps, frames, max_frames, event, height):
    """(attributes, data, still figure, its words) for these arguments, or the error that `explore.video` names."""
    known = _clip()
    row, model = catalog.row("sampling", rule), own(rule) if model is None else catalog.row("tokens", model).name
    total = known["total"] if total is None else _whole("total", total, 1, MAX_TOTAL)
    video_fps = float(known["rate"] if video_fps is None else _number("video_fps", video_fps, 1, MAX_RATE))
    height = _whole("height", height, 1, max(high for high, _ in SIZES))
    if height not in dict(SIZES):
        raise ValueError(f"height is {height}; choose {', '.join(str(high) for high, _ in SIZES)}")
    asked = {
        "fps": None if fps is None else float(_number("fps", fps, 0.01, MAX_RATE)),
        "frames": None if frames is None else _whole("frames", frames, 1, MAX_COUNT),
        "max_frames": None if max_frames is None else _whole("max_frames", max_frames, 1, MAX_COUNT),
    }
    if fps is not None and frames is not None:
        raise ValueError(f"fps={fps} and frames={frames} both say how many frames to take; give one of them")
    first, last = _event(event, total, video_fps)
    asked = {name: value for name, value in asked.items() if value is not None}
    try:
        indices = sample_frames(total, video_fps, rule=rule, **heeded(row, asked)).tolist()
        tokens = catalog.video_plan(model, len(indices), height, dict(SIZES)[height]).tokens
    except ValueError:  # the system refuses this clip: worth showing
        indices, tokens = [], None
    alt = _in_words(row.title, total, video_fps, indices, tokens, first, last)
    attributes = {"rule": rule, "model": model, "total": total, "rate": _short(video_fps), "height": height}
    attributes |= {{"max_frames": "max"}.get(name, name): _short(value) for name, value in asked.items()}
    attributes |= {"first": first, "last": last}
    return attributes, _data(), _still(total, video_fps, indices, first, last, alt), alt


def own(rule):
    """The system that goes with a rule: of those that name it the first that tells the time, else the first.

    Where none names it, one that the rule is named after, else ANY.

    >>> own("qwen-vl-utils"), own("minicpm-v-4.6-stack-2"), own("pe-video")
    ('qwen3-vl-qwen-vl-utils', 'minicpm-v-4.6', 'qwen2.5-vl')
    """
    systems = catalog.rows("tokens").values()
    some = [row for row in systems if row.sampling == rule]
    timed = [row for row in some if row.time]
    alike = [row for row in systems if rule.startswith(row.name)]
    return (timed or some or alike or [catalog.row("tokens", ANY)])[0].name


def heeded(row, asked):
    """What a rule takes of what is asked; of two options that exclude each other the first in this order."""
    found = {}
    for name, value in asked.items():
        if name in row.options and not (name in row.either and found.keys() & set(row.either)):
            found[name] = value
    return found


def _whole(name, value, least, most):
    value = operator.index(value)
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}; choose {least} to {most}")
    return value


def _number(name, value, least, most):
    number = check_number(value, name, "frames a second")
    if not least <= number <= most:
        raise ValueError(f"{name} is {number:g}; choose {least} to {most} frames a second")
    return number


def _event(event, total, rate):
    """The first and last frame of the moment, by default the ball's; where the clip is shorter, as long at its end."""
    least = min(total, max(1, math.floor(LENGTHS[0] * rate + 0.5)))
    most = max(least, min(total, math.floor(LENGTHS[1] * rate)))
    if event is None:
        first, last = film_facts().ball
        count = min(max(last - first + 1, least), most)
        first = min(first, total - count)
        return first, first + count - 1
    first, last = map(operator.index, event)
    if not 0 <= first <= last < total:
        raise ValueError(f"event is ({first}, {last}); expected its first and last frame, 0 to {total - 1}")
    if not least <= last - first + 1 <= most:
        between = f"{LENGTHS[0]} to {LENGTHS[1]} s at {rate:g} Hz"
        raise ValueError(f"event is ({first}, {last}); choose {least} to {most} frames, {between}")
    return first, last


def _short(x):
    return int(x) if x == int(x) else x


# ------------------------------------------------------------------------------------------------- the clip


def _clip():
    """What the page must know of the clip that there are pictures of."""
    film = film_facts()
    return {
        "total": film.frames, "rate": film.fps, "height": film.height, "first": film.ball[0], "last": film.ball[1],
        "ball": [(round(y / film.height, 4), round(x / film.width, 4)) for y, x in film.ball_at],
        "name": "The clip of the request", "event": "The small red ball is seen in these frames and in no others.",
    }  # fmt: skip


def pictured():
    """The frames that have a thumbnail: one in six, the first of each shot, those with the ball, the first without."""
    film = film_facts()
    return sorted({*range(0, film.frames, 6), *film.cuts, *range(film.ball[0], film.ball[1] + 2)})


@functools.cache
def _sheet():
    """Thumbnails of `pictured` in one JPEG, row by row."""
    frames, chosen = film_frames(), pictured()
    rows = -(-len(chosen) // COLS)
    sheet = Image.new("RGB", (COLS * THUMB[1], rows * THUMB[0]))
    for k, i in enumerate(chosen):
        small = Image.fromarray(frames[i]).resize(THUMB[::-1], Image.Resampling.LANCZOS)
        sheet.paste(small, (k % COLS * THUMB[1], k // COLS * THUMB[0]))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=70, optimize=True)
    source = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
    return {"src": source, "cols": COLS, "rows": rows, "height": THUMB[0], "width": THUMB[1], "frames": chosen}


def _data():
    """The catalog's rows, the clip and its thumbnails, as the front-end file reads them."""
    sampling = _rows("sampling", "rule", "options", "defaults", "parameters", "either", "fails")
    time = _rows("time", "text", "merge", "at", "place", "clock")
    tokens = _rows("tokens", "kind", "rule", "parameters", "sampling", "time")
    limits = {"kept": MAX_KEPT, "total": MAX_TOTAL, "rate": MAX_RATE, "count": MAX_COUNT, "shown": 24}
    rows = {"sampling": sampling, "time": time, "tokens": tokens, "sizes": SIZES, "lengths": LENGTHS, "any": ANY}
    return rows | {"clip": _clip(), "sheet": _sheet(), "most": limits}


def _rows(kind, *fields):
    """The catalog's rows of one kind: these fields, and who says so."""
    rows = catalog.rows(kind).values()
    names = ("title", *fields, "about", "source", "verified")
    plain = lambda value: value if isinstance(value, (str, int, tuple)) else dict(value)
    return [
        {"id": row.name, **{name: plain(getattr(row, name)) for name in names}, "as_of": row.as_of.isoformat()}
        for row in rows
    ]


# ------------------------------------------------------------------------------------------------- on paper


def _in_words(title, total, rate, indices, tokens, first, last):
    clip = f"A clip of {total:,} frame{'s' * (total > 1)} at {rate:g} a second under {title}: "
    if tokens is None:
        return clip + "refused."
    caught = sum(first <= i <= last for i in indices)
    where = f"frame {first:,}" if first == last else f"frames {first:,} to {last:,}"
    after = total - 1 - max(indices)
    end = f"the last {after / rate:.2f} s are never seen" if after else "the last frame is seen"
    return (
        f"{clip}{len(indices):,} frame{'s' * (len(indices) > 1)}, {tokens:,} tokens; the moment in {where} is "
        f"{'caught' if caught else 'missed'}, {end}."
    )


def _still(total, rate, indices, first, last, alt):
    """The clip as a line of time: ticks where frames are taken, a box over the moment, what is never seen hatched."""
    x = lambda frame: 10 + 620 * frame / total
    ticks = "".join(f"M{x(i + 0.5):.1f} 40v34" for i in dict.fromkeys(indices[:: -(-len(indices) // 620) or 1]))
    after = max(indices) + 1 if indices else 0
    lost = "".join(f"M{at:.1f} 74l8-34" for at in np.arange(x(after), 622, 6)) if after < total else ""
    wide = max(620 * (last + 1 - first) / total, 2)
    box = f"M{x(first):.1f} 32h{wide:.1f}v50h-{wide:.1f}z"
    said = html.escape(alt)
    marks = "".join(
        f'<text x="{x(share * total):.0f}" y="104" text-anchor="{anchor}">{share * total / rate:.1f} s</text>'
        for share, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))
    )
    return (
        '<figure style="margin:1em 0"><svg viewBox="0 0 640 116" role="img" style="max-width:100%;height:auto" '
        f'width="640" height="116" fill="currentColor" font-size="15"><title>{said}</title><text x="10" y="18">'
        f'{len(indices):,} of {total:,} frames; the box is the moment</text><path d="{lost}" stroke="#8f897a"/>'
        f'<path d="{ticks}" stroke="#08553a" stroke-width="2.5"/><path d="M10 40h620v34H10z" fill="none" '
        f'stroke="currentColor" stroke-opacity=".4"/><path d="{box}" fill="none" stroke="#75561a" stroke-width="3"/>'
        f"{marks}</svg><figcaption>{said}</figcaption></figure>"
    )
