"""Reads what the book measured: results of experiments, times of benchmarks, each with its device and date."""

import json
import math
from pathlib import Path

_DATA = Path(__file__).parent / "data"


def results(topic):
    """The stored results of a chapter's experiment, `experiments/<topic>.py`: a dict, with device, versions and date.

    Raises ValueError for a chapter that has none.

    >>> results("patches")["made_by"]
    'experiments/patches.py'
    """
    stored = {path.stem: path for path in (_DATA / "results").glob("*.json")}
    if topic not in stored:
        raise ValueError(f"there are no results for {topic!r}; there are for {', '.join(sorted(stored))}")
    return json.loads(stored[topic].read_text(encoding="utf-8"))


def timings(topic):
    """The stored results of a chapter's benchmark, `benchmarks/bench_<topic>.py`: device -> dict, the CPU's first.

    Each says device, threads, date and versions; `rows` are dicts of group, name, median (seconds), ratio (to the first
    row of the group) and spread (of the ratio); where only the calmest rounds count, every_round is the ratio over all.
    A card is there once somebody has run `make bench-gpu` on it.

    Raises ValueError for a chapter that has none.

    >>> timings("patches")["cpu"]["threads"]
    1
    """
    named = sorted((*path.stem.split("-", 1), path) for path in (_DATA / "benchmarks").glob("*-*.json"))
    named.sort(key=lambda parts: parts[1] != "cpu")
    found = {device: json.loads(path.read_text(encoding="utf-8")) for stem, device, path in named if stem == topic}
    if not found:
        there = ", ".join(sorted({stem for stem, _, _ in named}))
        raise ValueError(f"there are no timings for {topic!r}; there are for {there}")
    return found


_POINT = "tokens", "quality", "spread", "instrument"


def curve(topic):
    """What a topic's experiment measured at each number of tokens: points {tokens, quality, spread, instrument}.

    `tokens` is what one thing costs (a page, a second, a clip), rising within an instrument. `quality` is the share of
    what was asked that the instrument still got right, `spread` the distance between its lowest and its highest run,
    `instrument` says who read. A curve holds for its instrument alone. Where letters are read, `x_height` is the height
    of a lower-case x of the smallest type, in pixels: it carries over to other pages, `tokens` do not.

    Raises ValueError for a topic without results, one whose results have no curve, and a curve that breaks its form.

    >>> curve("patches")[0]
    {'tokens': 54, 'quality': 0.0612, 'spread': 0.0, 'instrument': 'RapidOCR, page', 'x_height': 1.0}
    """
    points = results(topic).get("curve")
    if not points:
        raise ValueError(f"the results of {topic!r} have no curve; experiments/{topic}.py stores none")
    last = {}
    for number, point in enumerate(points):
        if fault := _fault(point, last):
            raise ValueError(f"the curve of {topic!r}, point {number} ({json.dumps(point)}): {fault}")
        last[point["instrument"]] = point["tokens"]
    return points


def _fault(point, last):
    """What is wrong with a point of a curve, or "". `last` holds each instrument's tokens so far."""
    if not isinstance(point, dict) or set(point) - {"x_height"} != set(_POINT):
        return f"a point has {', '.join(_POINT)}, x_height where letters are read, and nothing else"
    tokens, quality, spread, instrument = (point[name] for name in _POINT)
    if not isinstance(instrument, str) or not instrument.strip():
        return "the instrument has no name"
    for name in _POINT[:3]:
        if not _is_finite(point[name]):
            return f"{name} is no finite number"
    if tokens <= last.get(instrument, 0):
        return f"tokens rise within an instrument; {tokens} follows {last.get(instrument, 0)}"
    if not 0 <= quality <= 1 or spread < 0:
        return "quality is a share from 0 to 1, spread is not negative"
    if "x_height" in point and not (_is_finite(point["x_height"]) and point["x_height"] > 0):
        return "x_height is no positive number of pixels"
    return ""


def _is_finite(number):
    return isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
