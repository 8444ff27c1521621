"""How far positions carry: other widths, larger grids, another rule after a film, other frame rates.

    python experiments/mrope.py                 every part (about 30 minutes of one core); rewrites
                                                mmtokedu/data/results/mrope.json
    python experiments/mrope.py grid clock      these parts alone; keeps what else is stored
    python experiments/mrope.py --resume        goes on with the runs that a stopped one did not get to
    python experiments/mrope.py --quick         a few steps of one seed of each, printed, nothing written

The model and the ways to tell it positions are those of `mmtokedu.nn.mrope`, and so is the grid; the other tasks are in
`_mrope_story.py`, `_mrope_clock.py` and `_mrope_tags.py`. Parts, three seeds each:

grid    (A) each cell of a film of random colours is asked which colour is k cells further along t, h or w. Told by one
        axis in reading order, by a learned table, by a table that is stretched, by M-RoPE, interleaved. Trained on
        films of 3 x 5 x 5 alone or of mixed shapes up to 4 x 6 x 6. Asked on the trained width, another width, twice,
        four times
offset  (B) the same for M-RoPE, interleaved and in blocks, with one layer, in which the score of a cell depends on its
        offset alone: score against offset, and larger grids with all cells to be seen, with those alone whose offset
        was trained, with as many drawn from all
resume  (C) words, a film, words; asked for the word after X, for a cell of the last and of the first frame. Trained
        with one rule for where text goes on after the film, served with each
clock   (D) frames at 1, 2, 4 and 8 a second, told by index, by positions in time, by time as text; asked what was k
        seconds ago and k frames ago. Trained at 2 a second or at 1, 2 and 4. The number of frames is drawn alike at all
        rates: where short clips mean low rates, an index tells the rate after all
more    (E) one axis with a token after each row; one layer, interleaved, trained on shapes up to 6 x 10 x 10
tags    (E) each frame is asked for the latest earlier frame with its tag; trained on 32 frames, asked on 128, and
        lured by a decoy further back. t on the fastest pairs, in turns, on the slowest
theta   (E) that with theta = 1,000,000: the wavelengths of a trained Qwen2-VL where one axis gives way to the next
mirror  (E) the grid asked for the mirrored cell: a place in the picture in place of a distance

By guessing: 1/8, and about 0.2 for who always says a small film's commonest colour; `guess` says what that has.

Predictions, 2026-11-30, written before any run of this program. The prototype's results for grid, offset, clock
(without text), tags and theta had been seen; nothing of resume, of time as text, of row breaks, of mirrored places, nor
of the control "as many". Afterwards one seed each of blocks and interleaved (grid), "after-max", "ids" and "text" at
three rates and interleaved (tags) was looked at as it was trained, to choose the numbers of steps. A first table was
stopped after its first seed's grids: blocks and tables stood at 0.4 to 0.8 on what they were taught, because the
sharpness of a layer grows at adam's rate, and slow pairs need large scores. So grids are trained at other rates, one
for one layer and, since at that one two layers stayed at 0.5 to 0.9 on one seed of two, another for two. Time as text
got twice the steps, its seconds were still rising. What these tables said had been seen; no prediction was changed.

1  grid: "line" trained on one shape is over 0.95 along all axes at its width, also on a taller film, and under 0.25
   along t and h at another width. Trained on mixed shapes it is under 0.7 along h at any. Along w it is over 0.95 on
   every film, four times as large too.
2  grid: tokens after each row help "line" on mixed shapes, by 0.2 or more along h on trained shapes.
3  grid: tables are over 0.9 on trained shapes and under 0.3 on four times; stretched ones fail at another width (under
   0.5 along w), because a step in them is no longer the same.
4  grid, offset: blocks and interleaved, trained on one shape alone, are over 0.95 at another width and over 0.9 on
   twice. On four times they are under 0.9 along one axis at least. So mixed shapes help them by less than 0.1 on twice
   and within the spread of seeds on four times.
5  offset: on four times, with trained offsets alone every axis and seed is over 0.99; with all cells one axis at least
   is under 0.95; with as many drawn from all, it stays under 0.98.
6  resume: served as trained, all rules have word and last over 0.9. Trained with "after-max" and served with
   "spatial", last is under 0.5 on films of eight frames, and word loses less than 0.05; a film of two frames is the
   same under both. Trained with "spatial" and served with "after-max", first falls more than last.
7  resume: served with "count", the words too are hurt: by more than 0.1 on films of eight frames.
8  clock: index has frames over 0.95 at all rates, and seconds under 0.7 when trained on three rates; trained at 2 it
   answers 2 k frames ago for k seconds.
9  clock: ids have seconds over 0.95 at 1, 2 and 4 and less at 8; frames under 0.7. With the fractions cut off, frames
   share an id from 4 a second on: under 0.6 at 4, under 0.4 at 8.
10 clock: time as text has seconds over 0.9 and frames over 0.9 at all rates, 8 too.
11 tags: 128 frames: interleaved is over blocks on each seed; a decoy 39 or 40 back lures blocks most. Which of the
   three layouts is best is within the spread of seeds, so that "time owns the fastest pairs" is neither good nor bad
   as such.
12 theta: blocks learn no axis (under 0.4), interleaved all (over 0.95).
13 mirror: stretched tables carry over to twice and four times (over 0.8 along each axis), M-RoPE does not (under 0.5).

What came out: 1, but along w on four times "line" has 0.84 to 1.00. 3 beyond the trained shapes; on them two tables of
three and two stretched ones of three had not learned everything. 4 at another width; twice is 0.77 to 0.96 for
interleaved, so not over 0.9, and on four times blocks hold 0.84 to 1.00: along w their score has one hill, along h it
comes back about every 13 cells, so there are fewer rivals. 5 with trained offsets alone, but for one axis of one seed
(0.97, trained on mixed shapes), and for the control; for all cells where pairs are interleaved. 6 for the last frame
(0.12); the word loses up to 0.054, and the first frame is found or not by seed. The other way round the first frame
falls to 0.16 or less, the last to 0.30 or less, and the word to 0.56 to 0.63. 7, and more; who was trained with "count"
did not learn the word in these steps. 8 but for one of the three rates. 9 for seconds; the frame before is found (0.98
and over at 1 to 4), farther ones are not; cut off, 0.56 to 0.58 at 4 and up to 0.43 at 8. 10 at trained rates; at 8
seconds are guessed (0.11 to 0.13), and trained at 2 alone the time is not read at all. 2 for one seed of three (0.71;
the others 0.49 where it was 0.38 to 0.48), after twice as many steps, so it may be the steps. 11 for interleaved over
blocks and for the decoys (39 or 40 back they take 0.33 to 0.79 of the answers of blocks, of others 0.17 at most), but
the layouts differ beyond their seeds: 0.87, slow t 0.81 to 0.83, blocks 0.73 to 0.76, and the other way round for
frames that lie far back. 12 for blocks, and for two seeds of interleaved. 13 fails: stretched 0.61 to 0.79 on twice and
under 0.32 on four times; M-RoPE along h and w; time is kept on twice (0.79 to 0.92) only because the film still has
three frames.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import _mrope_clock as clock
import _mrope_story as story
import _mrope_tags as tags
import numpy as np
import torch
from _results import as_text, head, rounded

import mmtokedu
from mmtokedu.nn import mrope as toy

RESULTS = Path(mmtokedu.__file__).parent / "data" / "results" / "mrope.json"

SEEDS = 0, 1, 2
EVERY = 50  # steps between two looks
CELLS = {1: 900, 2: 600}  # of a batch of grids, by layers
ADAM = {1: toy.SHARPLY, 2: 1e-2}  # adam's rate on grids, by layers
GRIDS = {  # what is asked: name -> (t, h, w)
    "trained width": (3, 5, 5), "taller": (3, 8, 5), "other width": (3, 5, 8), "twice": (3, 10, 10),
    "four times": (3, 20, 20), "longer": (12, 5, 5),
}  # fmt: skip
FAR = "twice", "four times", "longer"  # asked again with trained offsets alone
LINE = 40  # score against offset from -40 to 40
RULES = "after-max", "spatial", "count"
RATES = 1, 2, 4, 8
TAG_FRAMES = 32, 64, 128
FURTHER = tuple(range(1, 121))  # a decoy's distance behind its target


class Run(NamedTuple):
    """One training: told in a way of WAYS, or of TOLD in the part clock; trained on the named grids, rule or rates."""

    part: str
    way: str
    trained: str
    steps: int
    layers: int = 2
    theta: float = 20.0


PLAN = (
    *(Run("grid", "line", trained, 200) for trained in ("one", "mixed")),
    *(Run("grid", "interleaved", trained, 300) for trained in ("one", "mixed")),
    Run("grid", "table", "mixed", 500),
    Run("grid", "stretched", "one", 500),
    *(Run("offset", "interleaved", trained, 200, layers=1) for trained in ("mixed", "one")),
    *(Run("offset", "blocks", trained, 300, layers=1) for trained in ("mixed", "one")),
    *(Run("resume", "interleaved", rule, 300) for rule in RULES),
    *(Run("clock", told, rates, 250) for told in ("index", "ids") for rates in ("2", "1 2 4")),
    *(Run("clock", "text", rates, steps) for rates, steps in (("2", 250), ("1 2 4", 1000))),
    Run("more", "line, breaks", "mixed", 400),
    Run("more", "interleaved", "wide", 300, layers=1),
    *(Run("tags", way, "32", 250) for way in ("blocks", "interleaved", "slow t")),
    *(Run("theta", way, "mixed", steps, layers=1, theta=1e6) for way, steps in (("interleaved", 200), ("blocks", 300))),
    *(Run("mirror", way, "mixed", 300) for way in ("stretched", "interleaved")),
)
PARTS = tuple(dict.fromkeys(run.part for run in PLAN))
LAB = "more", "tags", "theta", "mirror"  # made after all others


def train(run, seed, share=1.0):
    """The Finder, and how it went: the rows of `fit`, each with a small score of what it is taught."""
    way = toy.WAYS.get(run.way, toy.WAYS["interleaved"])
    rates = [int(rate) for rate in run.trained.split()] if run.part == "clock" else ()
    kinds = toy.MIRRORED if run.part == "mirror" else toy.ASKED
    options, draw, watch = {
        "resume": (
            story.STORY, partial(story.story_loss, resume=run.trained),
            lambda finder: story.score_story(finder, run.trained, 6, n=60),
        ),
        "clock": (
            clock.CLOCKS | {"way": way}, partial(clock.clock_loss, told=run.way, rates=rates),
            lambda finder: [row["right"] for row in clock.score_clock(finder, run.way, 2, n=40)],
        ),
        "tags": (tags.TAG | {"way": way}, tags.tag_loss, lambda finder: tags.score_tags(finder, 32, n=40)["right"]),
    }.get(run.part, (
        toy.GRID | {"way": way, "adam": ADAM[run.layers]},
        partial(toy.grid_loss, trained=run.trained, kinds=kinds, cells=CELLS[run.layers]),
        lambda finder: toy.score_grid(finder, GRIDS["trained width"], kinds=kinds, cells=600),
    ))  # fmt: skip
    steps = max(2, round(share * run.steps))
    options |= {"layers": run.layers, "theta": run.theta}
    return toy.train(
        draw, seed=seed, steps=steps, every=EVERY, watch=lambda finder: {"right": watch(finder)}, **options
    )


def asked(finder, run):
    """What came of it: {"asked": a row for each thing that was asked, ...}."""
    if run.part == "resume":
        told = [(rule, frames) for rule in RULES for frames in (2, 4, 8)]
        rows = [{"served": rule, "frames": frames} | story.score_story(finder, rule, frames) for rule, frames in told]
    elif run.part == "clock":
        ways = ("ids", "whole ids") if run.way == "ids" else (run.way,)
        told = [({"served": way, "rate": rate}, way, rate) for way in ways for rate in RATES]
        rows = [row | right for row, way, rate in told for right in clock.score_clock(finder, way, rate)]
    elif run.part == "tags":
        rows = [{"frames": frames} | tags.score_tags(finder, frames) for frames in TAG_FRAMES]
        return {"asked": rows, "lured": tags.lured(finder, FURTHER)}
    elif run.part == "mirror":
        rows = [{"grid": name} | toy.score_grid(finder, shape, kinds=toy.MIRRORED) for name, shape in GRIDS.items()]
    else:
        rows = [{"grid": name, "keys": "all"} | toy.score_grid(finder, shape) for name, shape in GRIDS.items()]
        if finder.way.table or finder.way.line:
            return {"asked": rows}
        seen = ("seen", "as many") if run.part == "offset" else ("seen",)
        reach = np.array(toy.TRAINED[run.trained][1]) - 1
        for name, keys in [(name, keys) for name in FAR for keys in seen]:
            rows.append({"grid": name, "keys": keys} | toy.score_grid(finder, GRIDS[name], keys=keys, reach=reach))
        if run.part == "offset":
            return {"asked": rows} | profiles(finder)
    return {"asked": rows}


def profiles(finder):
    """For each question, score against offset along its axis and the strengths of the pairs: [[one head], [other]]."""
    scores, strong = {}, {}
    for kind, (axis, k) in enumerate(toy.ASKED):
        offsets = np.zeros((3, 2 * LINE + 1), int)
        offsets[toy.AXES.index(axis)] = np.arange(-LINE, LINE + 1)
        scores[f"{axis}{k}"] = toy.scores_by_offset(finder, kind, offsets).astype(float).round(2).tolist()
        strong[f"{axis}{k}"] = toy.strengths(finder, kind).astype(float).round(2).tolist()
    return {"scores": scores, "strengths": strong}


def measured(run, seed, share=1.0):
    """One row of the table."""
    begin = time.process_time()
    finder, course = train(run, seed, share)
    found = asked(finder.eval(), run)
    course = [{name: row[name] for name in ("step", "loss", "right")} for row in course]
    row = {**run._asdict(), "seed": seed, "seconds": round(time.process_time() - begin, 1)}
    return row | found | {"course": course}


def settings():
    return {
        "grids": GRIDS, "trained": toy.TRAINED, "rates": RATES, "lengths": clock.LENGTHS, "tag_frames": TAG_FRAMES,
        "further": [FURTHER[0], FURTHER[-1]], "line": LINE, "colours": toy.COLOURS, "film_frames": story.FRAMES,
        "cells": CELLS, "adam": ADAM, "before": story.BEFORE, "after": story.AFTER, "each": story.EACH,
        "ways": {name: way._asdict() for name, way in toy.WAYS.items()},
        "parameters": sum(p.numel() for p in toy.Finder(**toy.GRID).parameters()),
    }  # fmt: skip


def key(row):
    return tuple(row[name] for name in Run._fields) + (row["seed"],)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="these alone; keeps what else is stored")
    parser.add_argument("--quick", action="store_true", help="a few steps of one seed; nothing is written")
    parser.add_argument("--resume", action="store_true", help="keep the runs of one that was stopped")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    plan = [run for run in PLAN if run.part in (options.parts or PARTS)]
    if options.quick:
        for run in plan:
            print(json.dumps(rounded(measured(run, 0, share=0.005))))
        return
    stored = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"rows": []}
    planned = [(*run, seed) for run in PLAN for seed in SEEDS]
    same = stored.get("settings") == json.loads(json.dumps(settings()))
    rows = {key(row): row for row in stored["rows"] if key(row) in planned and same}
    if not options.resume:
        rows = {name: row for name, row in rows.items() if options.parts and row["part"] not in options.parts}
    todo = [(run, seed) for seed in SEEDS for run in plan]  # all once, then again: a run that is stopped has each
    for run, seed in sorted(todo, key=lambda one: one[0].part in LAB):
        if (*run, seed) not in rows:
            rows[*run, seed] = rounded(measured(run, seed))
            print(*run, seed, rows[*run, seed]["seconds"], flush=True)
            store([rows[name] for name in planned if name in rows])


def store(rows):
    what = "How far positions carry: other widths, larger grids, another rule after a film, other frame rates."
    begins = head(what, "mrope", ("numpy", "torch")) | {
        "settings": settings(),
        "processor_seconds": round(sum(row["seconds"] for row in rows)),
    }
    RESULTS.write_text(as_text(begins | {"rows": rows}), encoding="utf-8")


if __name__ == "__main__":
    main()
