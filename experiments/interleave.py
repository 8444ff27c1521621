"""What separators, modality embeddings, labels, gaps and order teach a small model about pictures side by side.

    python experiments/interleave.py                 every part (about 25 minutes of one core); rewrites
                                                     mmtokedu/data/results/interleave.json
    python experiments/interleave.py codes order     these parts alone; keeps what else is stored
    python experiments/interleave.py --resume        goes on with the runs that a stopped one did not get to
    python experiments/interleave.py --quick         a few steps of one seed of each, printed, nothing written

Documents, questions, model and arms are those of `mmtokedu.nn.interleave`. Parts, three seeds each:

codes    (A) pictures as codes that share their ids with the words: nothing, modality, separators, both, labels 1, 2, …,
         labels that are any different numbers. Trained on one to three pictures, asked about one to four
vectors  (B) pictures as vectors through a projector, as LLaVA has them: nothing, modality, separators, both
removed  (C) trained with the separators removed and their gap in the positions kept: codes with modality embeddings,
         vectors without. Closed gaps are "modality" and "nothing". Models of all parts that have separators are asked
         with them removed too, the gap kept and closed
order    trained with the picture first, the question first, and both in turn; asked both ways; documents of one
         question and up to two pictures, the answer read at one more token at the end, the same in both orders; and how
         much keys and values of a document change with the question

Read `first` of the second and the third picture in documents of three: the first picture is found without any boundary,
and where pictures end together with the row, so is the last. By guessing: count 1/3, kind 1/2; first 1/24, and up to
about 1/3 for who knows the picture's codes. Four pictures are never trained on.

Predictions, 2026-11-30, written before the table was made. The prototype's results for codes, transfer and order had
been seen, and that its small model needs no more than the gap; of this program, one arm and seed ("both", codes) to
choose the number of steps and the mix of questions. Nothing of vectors and of removed separators had been seen.

1  codes: with separators `first` is over 0.9 for each of three pictures, on each seed. With modality embeddings alone
   it is over 0.9 for the first and under 0.7 for the second: pictures side by side fuse. With nothing all is guessing.
2  codes: with modality embeddings `kind` is over 0.95 on each seed; with separators alone it differs between seeds.
3  codes: labels change `first` by less than 0.05 where "both" has learned it.
4  four pictures: `count` is 0 in every arm. `first` of picture 3 or 4 is under 0.5 without labels; with labels in order
   picture 4 is 0, its number being new; with any labels it is over 0.5 on the seeds that have learned three pictures.
5  vectors: the projector does what a modality embedding does: `kind` is over 0.95 with nothing, and the second of three
   pictures is under 0.7 until there are separators.
6  removed: trained so, the gap does a separator's work: `first` of each picture over 0.9, vectors and codes. A model
   trained with separators and asked without them falls under 0.7 for the second picture, the gap kept or closed.
7  order: asked in the order that was not trained, `first` falls under 0.7; trained on both, it is over 0.9 in both.
8  order: with the picture first, keys and values change by exactly 0.

The part order was made again: a first version read the answer at another token in each order, so that an order never
trained was also an answering token never trained. Its results had been seen: asked in the other order, `first` was
0.00 and 0.00 for two seeds trained with the picture first, and under 0.1 for one of the two pictures in the reverse.

What came out: 1 for "both" and labels; separators alone on codes, with twice the steps, fell short on one seed. 2 for
modality embeddings; with separators alone `kind` is at guessing on all seeds. 3 but for one picture of one seed (0.08).
4 for `count` and for the third picture; the fourth, whose number is new, was right once, by chance; no seed learned any
labels in these steps. 5 for `first`; `kind` differs between seeds with or without the embedding. 6 for vectors, and on
one seed of three for codes. 7 for who learned with the question first, not for who learned with the picture first. 8.
"""

import argparse
import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from _results import as_text, head, rounded

import mmtokedu
from mmtokedu.nn import interleave as toy
from mmtokedu.nn.interleave import ARMS, LARGE, LITTLE

RESULTS = Path(mmtokedu.__file__).parent / "data" / "results" / "interleave.json"

SEEDS = 0, 1, 2
STEPS, DOCS = 500, 24  # of a run; of a step
LATER = 1000  # of "separators" on codes, which had not learned `first` on seed 0 after STEPS
ORDER_STEPS, ORDER_DOCS = 600, 48  # one question a document
TESTS, WATCHED = 300, 60  # documents for each number of pictures, at the end and on the way
EVERY = 100  # steps between two looks
ORDERS = {"picture": ("picture",), "question": ("question",), "both": ("picture", "question")}


class Run(NamedTuple):
    """One training: arm of ARMS, pictures as vectors or codes, up to so many of them, in an order of ORDERS or None."""

    part: str
    arm: str
    vectors: bool = False
    upto: int = 3
    order: str | None = None
    steps: int = STEPS


PLAN = (
    *(Run("codes", arm) for arm in ("nothing", "modality", "both", "labels", "labels_any")),
    Run("codes", "separators", steps=LATER),
    *(Run("vectors", arm, vectors=True) for arm in ("nothing", "modality", "separators", "both")),
    Run("removed", "gap, modality"),
    Run("removed", "gap", vectors=True),
    *(Run("order", "both", upto=2, order=order, steps=ORDER_STEPS) for order in ORDERS),
)
PARTS = tuple(dict.fromkeys(run.part for run in PLAN))


def train(run, seed, share=1.0):
    """The Reader, and how it went: the rows of `fit`, with scores in documents of the most pictures it was taught."""
    arm, options, told = ARMS[run.arm], {"docs": DOCS}, {}
    if run.order:
        options = {"docs": ORDER_DOCS, "world": LITTLE, "orders": ORDERS[run.order]}
        told = {"world": LITTLE, "order": ORDERS[run.order][0]}
    watch = lambda reader: {"right": toy.score(reader, arm, (run.upto,), n=WATCHED, **told)[0]}
    steps, counts = max(2, round(share * run.steps)), range(1, run.upto + 1)
    options |= {"counts": counts, "every": EVERY, "watch": watch, "vectors": run.vectors}
    return toy.train(arm, seed=seed, steps=steps, **options)


def asked(reader, run):
    """What came of it, a row for each way to ask: [{asked, rows}, ...], rows as `score` has them."""
    arm = ARMS[run.arm]
    if run.order:
        ways = {f"{order} first": {"order": order, "world": LITTLE} for order in ("picture", "question")}
        return [{"asked": way, "rows": toy.score(reader, arm, (1, 2), n=TESTS, **how)} for way, how in ways.items()]
    ways = {"as trained": arm}
    if run.arm in ("separators", "both", "gap", "gap, modality"):
        others = {"there": "", "removed, gap kept": "kept", "removed, gap closed": "closed"}
        ways |= {way: arm._replace(removed=how) for way, how in others.items() if how != arm.removed}
    return [{"asked": way, "rows": toy.score(reader, form, n=TESTS)} for way, form in ways.items()]


@torch.no_grad()
def states(reader, run, n=50):
    """How much keys and values of the documents' tokens change when another question is asked, in each order.

    `largest` is the largest change of any of them, `relative` the length of all changes over that of the states.
    """
    rng = np.random.default_rng(1)
    drawn = toy.documents(rng, n, ARMS[run.arm], (1, 2), LITTLE)
    one, other = (toy.questions(rng, drawn, kind)[0][:, None] for kind in ("first", "kind"))
    rows = []
    for order in ("picture", "question"):
        before, after = (reader.states(drawn, questions, order) for questions in (one, other))
        moved = after - before
        largest, relative = moved.abs().max().item(), (moved.norm() / before.norm()).item()
        places = (moved.square().sum(dim=(0, 1, 2, 3, 5)) / before.square().sum(dim=(0, 1, 2, 3, 5))).sqrt()
        rows.append({"order": order, "largest": largest, "relative": relative, "by_place": places.tolist()})
    return rows


def measured(run, seed, share=1.0):
    """One row of the table."""
    begin = time.process_time()
    reader, course = train(run, seed, share)
    row = {**run._asdict(), "seed": seed, "seconds": round(time.process_time() - begin, 1)}
    row["asked"] = asked(reader, run)
    if run.order:
        row["states"] = states(reader, run)
    return row | {"course": course}


def settings():
    return {
        "world": LARGE._asdict(), "order_world": LITTLE._asdict(), "ids": toy.WORDS, "palette": toy.PALETTE,
        "docs": DOCS, "order_docs": ORDER_DOCS, "each": dict(toy.EACH), "tests": TESTS, "watched": WATCHED,
        "parameters": sum(p.numel() for p in toy.Reader().parameters()),
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
    rows = {key(row): row for row in stored["rows"] if key(row) in planned and stored.get("settings") == settings()}
    if not options.resume:
        rows = {name: row for name, row in rows.items() if options.parts and row["part"] not in options.parts}
    for seed in SEEDS:  # all arms once, then again: a run that is stopped has each arm
        for run in plan:
            if (*run, seed) not in rows:
                rows[*run, seed] = rounded(measured(run, seed))
                print(run.part, run.arm, run.upto, run.order or "", seed, rows[*run, seed]["seconds"], flush=True)
                store([rows[name] for name in planned if name in rows])


def store(rows):
    what = "What separators, modality embeddings, labels, gaps and order teach about pictures side by side."
    begins = head(what, "interleave", ("numpy", "torch")) | {
        "settings": settings(),
        "processor_seconds": round(sum(row["seconds"] for row in rows)),
    }
    RESULTS.write_text(as_text(begins | {"rows": rows}), encoding="utf-8")


if __name__ == "__main__":
    main()
