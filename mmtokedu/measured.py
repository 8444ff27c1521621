"""Reads what the book measured: results of experiments, times of benchmarks, each with its device and date."""

import json
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
