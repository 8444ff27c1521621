"""What each way of having fewer visual tokens forgets: a small reader asked with fewer, and adapters trained anew.

    python experiments/compress.py                  everything (about 2 hours of one core); rewrites
                                                    mmtokedu/data/compress/reader.npz (the reader of seed SHIPPED) and
                                                    mmtokedu/data/results/compress.json
    python experiments/compress.py readers|free|arms [SEED ...]
                                                    one part alone, of these seeds; keeps what `build/compress` has
    python experiments/compress.py store            writes the table again from what `build/compress` has
    python experiments/compress.py --resume         goes on with what a stopped run did not get to
    python experiments/compress.py --quick          a few steps and pictures of each part, printed, nothing written

The reader is `mmtokedu.nn.vision.Reader` with two layers of eyes and four of a decoder, pictures of 96 x 96 pixels, 64
tokens, eight questions a scene of `samples.world`. `_compress_train.py` trains it: eyes on crowded pictures first,
taught what has its middle in each patch, then everything on the questions. Three seeds, and a control whose eyes were
taught what covers each patch, so that no token is the one that holds a thing.

free   Panel one, `_compress_free.py`: each reader is asked with 32, 16, 8, 4 and 1 tokens, without training
arms   Panel two, `_compress_arms.py`: adapters from new and the decoder are trained at 16 and 4 tokens; seed s is that
       of reader, adapter and batches

Predictions and what came of each are data, `predictions` in the table: `_compress_predicted.py`. One token for all that
was dropped (`one_for_the_rest`) was added once the first reader had been asked: even the oracle lost counts, and the
question was whether tokens are missing or their share of the attention.

Each of the three readers never learned one kind of looking up: seed 0 what is named by its colour (shape, where), seed
1 the sign, seed 2 the colour. What is said of a kind holds for the seeds that learned it. The control learned all.
"""

import argparse
import itertools
import json
import time

import _compress_arms as arms
import _compress_free as free
import _compress_train as taught
import numpy as np
import torch
from _compress_predicted import Table, judged, told
from _results import as_text, head, rounded
from small import share

from mmtokedu.nn import compress as probe
from mmtokedu.samples import world
from mmtokedu.samples.items import DATA

RESULTS, WEIGHTS = DATA / "results" / "compress.json", DATA / "compress" / "reader.npz"
BUILD = taught.BUILD
SEEDS = 0, 1, 2
SHIPPED = (
    1  # the reader that answers colour, where, count and digits; seed 0 did not learn to say where, seed 1 no signs
)
MODELS = *(("tags", seed) for seed in SEEDS), ("spread", 0)
PART = {"tags": 1.0, "spread": 0.65}  # of the steps: the control has fewer
TESTS = 400  # scenes that every way is asked about
SHIPPED = 1  # the seed whose reader the book has: the one that answers all but the sign
QUICK = 40  # pictures of a quick look


def reader_of(tags, seed):
    reader = taught.new_reader()
    reader.load_state_dict(torch.load(BUILD / f"{tags}{seed}.pt"))
    return reader.eval().requires_grad_(False)


def train_reader(tags, seed):
    begin = time.process_time()
    reader, course = taught.train(seed, tags=tags, part=PART[tags])
    tests = taught.pools()[2]
    right = taught.score(taught.answers(reader, tests), tests)
    torch.save(reader.state_dict(), BUILD / f"{tags}{seed}.pt")
    row = {"seed": seed, "tags": tags, "right": right, "course": course}
    write(f"{tags}{seed}", row | {"seconds": round(time.process_time() - begin)})


def ask_freely(asking, group, counts=free.KEEP):
    """Rows of panel one: {way, keep, tokens, ..., right}; of several random draws the mean."""
    rows, drawn = [], asking.drawn
    for row, answers in free.ways(asking, group, counts):
        if "turn" in row:
            rows.append(row | {"right": right_after(answers, drawn["answers"], row["turn"])})
            continue
        several = [taught.score(found, drawn) for found in (answers if isinstance(answers, list) else [answers])]
        rows.append(row | {"right": {kind: mean([one[kind] for one in several]) for kind in several[0]}})
    return rows


def mean(values):
    return None if None in values else sum(values) / len(values)


def right_after(found, wanted, turn):
    """The share of right answers by kind, in scenes where the question `turn` kinds before was asked too."""
    asked = (wanted != world.NO_ANSWER) & (wanted.roll(turn, 1) != world.NO_ANSWER)
    return {kind: share((found == wanted)[asked[:, k], k].numpy()) for k, kind in enumerate(world.KINDS)}


def write(name, value):
    path = BUILD / f"{name}.json"
    path.with_suffix(".new").write_text(json.dumps(value))
    path.with_suffix(".new").rename(path)


def read(name):
    path = BUILD / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


# The parts


def readers(seeds, fresh):
    for tags, seed in MODELS:
        if seed in seeds and (fresh or not (BUILD / f"{tags}{seed}.json").exists()):
            train_reader(tags, seed)


def ask_all(seeds, fresh):
    tests = taught.rows_of(taught.pools()[2], slice(TESTS))
    for tags, seed in MODELS:
        todo = [group for group in groups_of(tags) if fresh or not read(free_name(tags, seed, group))]
        if seed not in seeds or not (BUILD / f"{tags}{seed}.json").exists() or not todo:
            continue
        asking = free.Asking(reader_of(tags, seed), tests)
        for group in todo:
            begin = time.process_time()
            rows = ask_freely(asking, group, free.FEW if tags == "spread" else free.KEEP)
            seconds = round(time.process_time() - begin)
            write(free_name(tags, seed, group), {"rows": rows, "seconds": seconds})
            print(f"free, {tags} {seed}, {group.__name__}: {seconds} CPU s", flush=True)


def groups_of(tags):
    return free.CONTROL if tags == "spread" else free.GROUPS


def free_name(tags, seed, group):
    return f"free-{tags}{seed}-{group.__name__}"


def train_arms(seeds, fresh):
    pupils = {}
    for arm in arms.PLAN:
        for seed in seeds:
            name = name_of(arm, seed)
            if (BUILD / f"tags{seed}.json").exists() and (fresh or not read(name)):
                pupils[seed] = pupils.get(seed) or arms.Pupil(seed)
                row = rounded(arms.train(arm, pupils[seed]))
                write(name, row)
                shown = {kind: row["right"][kind] for kind in ("digit", "number", "colour", "where", "count")}
                print(*arm, "seed", seed, f"{row['seconds']} CPU s", shown, flush=True)


def name_of(arm, seed):
    return f"arm-{arm.name.replace(', ', '-').replace(' ', '-')}-{arm.tokens}-{arm.steps}-{arm.side}-{seed}"


# The table


def together(rows_of_seeds):
    """Rows of several readers as one: each share a list, one a reader, to three places."""
    found = []
    for rows in zip(*rows_of_seeds):
        assert len({json.dumps(told(row), sort_keys=True) for row in rows}) == 1
        kinds = rows[0]["right"]
        listed = {kind: [None if (x := row["right"][kind]) is None else round(x, 3) for row in rows] for kind in kinds}
        found.append({name: value for name, value in rows[0].items() if name != "right"} | {"right": listed})
    return found


def stored():
    """What goes into the table, of the parts that are there."""
    models = [row for tags, seed in MODELS if (row := read(f"{tags}{seed}"))]
    parts = {"tags": [], "spread": []}
    for tags, seed in MODELS:
        found = [read(free_name(tags, seed, group)) for group in groups_of(tags)]
        if all(found):
            parts[tags].append(
                {name: sum((one[name] for one in found), 0 if name == "seconds" else []) for name in found[0]}
            )
    asked = {tags: together([part["rows"] for part in found]) for tags, found in parts.items() if found}
    trained = [row for arm in arms.PLAN for seed in SEEDS if (row := read(name_of(arm, seed)))]
    seconds = sum(row.get("seconds", seconds_of(row)) for row in models)
    seconds += sum(part["seconds"] for found in parts.values() for part in found)
    seconds += sum(row["seconds"] for row in trained)
    return {
        "settings": settings(),
        "processor_seconds": round(seconds),
        "models": [brief(row) for row in models],
        "predictions": judged(asked | {"spread": asked.get("spread", [])}, trained) if asked else [],
        "curve": curve(asked, trained) if asked else [],
        "free": asked,
        "arms": trained,
    }


def seconds_of(row):
    return sum(course[-1]["seconds"] for course in row["course"].values())


def brief(row):
    """A reader's row: its course of answering by kind, and how well its eyes had learned before."""
    look = [{"step": one["step"], "loss": one["loss"]} for one in row["course"]["look"]]
    answer = [{"step": one["step"], "loss": one["loss"]} | one["right"] for one in row["course"]["answer"]]
    seconds = row.get("seconds", seconds_of(row))
    return {"seed": row["seed"], "tags": row["tags"], "seconds": round(seconds), "right": row["right"],
            "course": {"look": look, "answer": answer}}  # fmt: skip


def curve(asked, trained):
    """Digits against tokens, in the measuring thread's form: an instrument for each way."""
    table, points = Table(asked, trained), []
    merged = {"sizes": False, "projector": "after"}
    for instrument, way, options in (
        ("small reader, digits, random tokens", "random", {}),
        ("small reader, digits, merged tokens", "tome", merged),
        ("small reader, count, merged tokens", "tome", merged | {"sizes": True}),
    ):
        kind = "count" if "count" in instrument else "digit"
        for keep in (*sorted(free.KEEP), 64):
            shares = table.of(kind, "full", 64) if keep == 64 else table.of(kind, way, keep, **options)
            points.append(point(keep, shares, instrument))
    for side in (48, 60, 72, 84, 96):
        shares = [
            row["right"]["digit"]
            for row in trained
            if (row["name"], row["side"], row["steps"]) == ("smaller picture", side, 300)
        ]
        if shares:
            points.append(point((side // 12) ** 2, shares, "small reader, digits, smaller picture, trained"))
    return points


def point(tokens, shares, instrument):
    quality, spread = float(np.mean(shares)), max(shares) - min(shares)
    return {"tokens": tokens, "quality": round(quality, 4), "spread": round(spread, 4), "instrument": instrument}


def settings():
    return {
        "size": taught.SIZE, "grid": taught.GRID, "layers": taught.LAYERS, "batch": taught.BATCH,
        "crowds": taught.CROWDS, "scenes": taught.SCENES, "tests": {"readers": taught.TESTS, "ways": TESTS},
        "steps": {"look": taught.LOOK, "answer": taught.ANSWER}, "part": PART, "kinds": world.KINDS, "keep": free.KEEP,
        "shipped": SHIPPED,
        "draws": free.DRAWS, "arms": {"scenes": arms.SCENES, "tests": arms.TESTS, "muon": arms.MUON, "adam": arms.ADAM},
        "parameters": {
            name: sum(p.numel() for p in part.parameters())
            for name, part in taught.new_reader().named_children()
        },
    }  # fmt: skip


def store():
    what = "What each way of having fewer visual tokens forgets, without training and with adapters trained anew."
    begins = head(what, "compress", ("numpy", "pillow", "torch"))
    RESULTS.write_text(as_text(rounded(begins | json.loads(json.dumps(stored())))), encoding="utf-8")
    if (path := BUILD / f"tags{SHIPPED}.pt").exists():
        WEIGHTS.parent.mkdir(exist_ok=True)
        probe.save_reader(torch.load(path), WEIGHTS)


def quick():
    """A few steps and pictures of each part, in memory."""
    crowds, scenes, tests = (
        taught.pool(make, QUICK, split)
        for make, split in ((world.crowd, "train"), (world.scene, "train"), (world.scene, "test"))
    )
    taught.pools = arms.pools = lambda: (crowds, scenes, tests)
    reader, course = taught.train(0, part=0.001)
    print(course["answer"][-1])
    asking = free.Asking(reader.requires_grad_(False), tests)
    for row in itertools.chain(*(ask_freely(asking, group) for group in free.GROUPS)):
        print({name: value for name, value in row.items() if name != "right"}, row["right"]["count"])
    pupil = arms.Pupil(0, QUICK, QUICK, reader)
    for arm in arms.PLAN[:9]:
        print(*arm, arms.train(arm, pupil, part=0.01)["right"])


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="?", choices=["readers", "free", "arms", "store"])
    parser.add_argument("seeds", nargs="*", type=int, help="of the part; all unless told")
    parser.add_argument("--quick", action="store_true", help="a few steps and pictures; nothing is written")
    parser.add_argument("--resume", action="store_true", help="keep what a stopped run has made")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    if options.quick:
        return quick()
    fresh = not options.resume and options.part is None
    for name, part in {"readers": readers, "free": ask_all, "arms": train_arms}.items():
        if options.part in (None, name):
            part(options.seeds or SEEDS, fresh)
    store()


if __name__ == "__main__":
    main()
