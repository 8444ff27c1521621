"""What the book's small model learns of the book's small world: three seeds, blind baselines, and eyes never taught.

    python experiments/small.py           everything (about 18 minutes of one core); rewrites data/results/small.json
    python experiments/small.py --resume  goes on with the arms that a stopped run did not get to
    python experiments/small.py --after   adds to it what is made of its first model: examples; and tokens a CPU second
    python experiments/small.py --quick   a few steps of one seed, printed, nothing written

Arms: "taught first", eyes that first learn on crowds what stands in each patch, then eyes and words together on the
questions, with the same lessons beside; "never taught", the questions alone, for about as many CPU seconds. Blind: the
most frequent answer to a question's words in the training scenes, and the taught model asked about another picture.
"""

import argparse
import datetime
import json
import time
from pathlib import Path

import numpy as np
import torch
from _results import device, head, rounded
from tqdm import tqdm

import mmtokedu
from mmtokedu.mrope import angles
from mmtokedu.nn.small import fit
from mmtokedu.nn.vision import Reader, answer_loss
from mmtokedu.samples import world
from mmtokedu.small import PATCH, decode, lay_out

RESULTS = Path(mmtokedu.__file__).parent / "data" / "results" / "small.json"
WEIGHTS = Path("build") / "small.pt"  # of the first model, for --after

SEEDS = 0, 1, 2
SIZES = [(height, width) for height in (60, 72, 84) for width in (60, 72, 84)]
CROWDS, SCENES, TESTS = 3600, 7200, 1440  # pictures drawn, the same number of each size
BATCH = 16
LOOK, ANSWER = 900_000, 1_000_000  # tokens: of crowds, and of scenes with their questions
NEVER = 1_450_000  # of the arm without crowds: about the same CPU seconds
WATCHED = "colour", "where", "count", "digit"  # while it learns
TAG_WEIGHT = 0.5  # of the tag loss beside the answers'
ARMS = ("taught first", 0), ("never taught", 0), ("taught first", 1), ("taught first", 2)


def draw_pool(make, count, split):
    """Pictures by size: {(height, width): {pixels, questions, answers, tags, height, photo}}, tensors and arrays."""
    pool = {}
    for s, size in enumerate(tqdm(SIZES, desc=f"{make.__name__}, {split}", leave=False)):
        scenes = [make([s, i], size=size, split=split) for i in range(count // len(SIZES))]
        questions, answers = world.asked(scenes)
        pool[size] = {
            "pixels": torch.from_numpy(np.concatenate([scene.pixels for scene in scenes])),
            "questions": torch.from_numpy(questions),
            "answers": torch.from_numpy(answers),
            "tags": torch.from_numpy(np.concatenate([world.tags(scene, PATCH) for scene in scenes])).flatten(1, 2),
            "height": np.array([scene.height for scene in scenes]),
            "photo": np.array([scene.ground == "photo" for scene in scenes]),
        }
    return pool


def layout(size):
    return lay_out((1, size[0] // PATCH, size[1] // PATCH), len(world.KINDS))


def batch(pool, rng):
    """A size, and BATCH pictures of it."""
    size = SIZES[rng.integers(len(SIZES))]
    rows = torch.from_numpy(rng.integers(len(pool[size]["pixels"]), size=BATCH))
    return size, {name: part[rows] for name, part in pool[size].items() if torch.is_tensor(part)}


def train(arm, seed, learn, few, part=1.0):
    """A Reader after its training, and the rows of how it went, scored on a few test pictures; `part` of the tokens.

    learn and few are (crowds, scenes).
    """
    torch.manual_seed(seed)
    reader, rows = Reader(len(world.WORDS), len(world.TAGS)), {}

    def look(rng):
        _, drawn = batch(learn[0], rng)
        tokens = reader.vision(drawn["pixels"])
        return reader.tag_loss(tokens, drawn["tags"]), tokens.shape[0] * tokens.shape[1]

    def answer(rng):
        size, drawn = batch(learn[1], rng)
        tokens = reader.vision(drawn["pixels"])
        loss = answer_loss(reader.answer(tokens, drawn["questions"], layout(size)), drawn["answers"])
        if arm != "never taught":
            loss = loss + TAG_WEIGHT * reader.tag_loss(tokens, drawn["tags"])
        return loss, len(tokens) * (tokens.shape[1] + drawn["questions"][0].numel())

    if arm == "taught first":
        rows["look"] = fit(
            [reader.vision, reader.tagger], look, tokens=part * LOOK, seed=seed, watch=lambda: named(reader, few[0])
        )
    tokens = ANSWER if arm == "taught first" else NEVER
    watch = lambda: watched(reader, few[1])
    rows["answer"] = fit([reader], answer, tokens=part * tokens, seed=1000 + seed, watch=watch)
    return reader.eval(), rows


@torch.no_grad()
def named(reader, crowds):
    """Of the patches with one digit in their middle, the share whose digit and place are told right."""
    first, right = world.TAGS.index("first 0"), []
    for drawn in crowds.values():
        told, there = (
            part[..., first : first + 30] for part in (reader.tagger(reader.vision(drawn["pixels"])), drawn["tags"])
        )
        one = there.sum(dim=-1) == 1
        right.append((told.argmax(dim=-1) == there.int().argmax(dim=-1))[one])
    return shown({"digits named": share(torch.cat(right).numpy())})


def watched(reader, scenes):
    found = score(answers(reader, scenes), scenes)
    return shown({"right": {name: found[name] for name in WATCHED}})


def shown(row):
    print(f"{time.process_time():.0f} CPU s", row, flush=True)
    return row


@torch.no_grad()
def answers(reader, pool, other=False):
    """What the reader answers in each size: {size: (n, kinds)}; with `other` it looks at the picture before instead."""
    return {
        size: reader.ask(drawn["pixels"].roll(int(other), 0), drawn["questions"], layout(size)).argmax(dim=-1).numpy()
        for size, drawn in pool.items()
    }


def most_frequent(train_pool, pool):
    """The likeliest answer to each question's words in the training scenes: {size: (n, kinds)}."""
    counts = {}
    for drawn in train_pool.values():
        for words, answer in zip(drawn["questions"].flatten(0, 1).tolist(), drawn["answers"].flatten().tolist()):
            if answer != world.NO_ANSWER:
                counts.setdefault(tuple(words), np.zeros(len(world.WORDS), int))[answer] += 1
    guess = lambda words: counts[tuple(words)].argmax() if tuple(words) in counts else 0
    return {
        size: np.array([[guess(w) for w in row] for row in drawn["questions"].tolist()]) for size, drawn in pool.items()
    }


def score(told, pool):
    """The share of right answers: by kind, of digits and whole numbers by their height in pixels and ground."""
    right, there, height, photo = [], [], [], []
    for size, drawn in pool.items():
        wanted = drawn["answers"].numpy()
        right.append(told[size] == wanted)
        there.append(wanted != world.NO_ANSWER)
        height.append(drawn["height"])
        photo.append(drawn["photo"])
    right, there, height, photo = map(np.concatenate, (right, there, height, photo))
    row = {kind: share(right[there[:, k], k]) for k, kind in enumerate(world.KINDS)}
    digits = right[:, [world.KINDS.index(place) for place in world.ORDINALS]]
    row |= {"digit": share(digits), "number": share(digits.all(axis=1))}
    row |= {f"digit, {pixels} px": share(digits[height == pixels]) for pixels in world.HEIGHTS}
    row |= {"digit, flat": share(digits[~photo]), "digit, photo": share(digits[photo])}
    return {name: row[name] for name in row if name not in world.ORDINALS}


def share(right):
    return round(float(np.mean(right)), 4) if right.size else None  # None: nobody was asked


def experiment(quick=False, resume=False):
    """What goes into the table after each arm, and again after the last."""
    counts = (64, 64, 64) if quick else (CROWDS, SCENES, TESTS)
    learn = draw_pool(world.crowd, counts[0], "train"), draw_pool(world.scene, counts[1], "train")
    tests = draw_pool(world.scene, counts[2], "test")
    few = draw_pool(world.crowd, 64, "test"), {size: first(drawn, 20) for size, drawn in tests.items()}
    settings = {"patch": PATCH, "batch": BATCH, "crowds": counts[0], "scenes": counts[1], "tests": counts[2]}
    settings |= {"tokens": {"look": LOOK, "answer": ANSWER, "never": NEVER}, "parameters": parameters(untrained())}
    settings["drawing_seconds"] = round(time.process_time())
    blind = {
        "most frequent": score(most_frequent(learn[1], tests), tests),
        "untrained": score(answers(untrained(), tests), tests),
    }
    rows, before = [], json.loads(RESULTS.read_text(encoding="utf-8")) if resume and RESULTS.exists() else {}
    if before.get("settings") == {**settings, "drawing_seconds": before.get("settings", {}).get("drawing_seconds")}:
        rows, blind = before["rows"], before["blind"]  # it was stopped: go on with the arms that are missing
    done = {(row["arm"], row["seed"]) for row in rows}
    for arm, seed in ARMS[:2] if quick else [arm for arm in ARMS if arm not in done]:
        begin = time.process_time()
        reader, course = train(arm, seed, learn, few, 0.002 if quick else 1.0)
        seconds = round(time.process_time() - begin)
        rows.append({"arm": arm, "seed": seed, "seconds": seconds, "right": score(answers(reader, tests), tests)})
        rows[-1]["course"] = course
        print(arm, seed, f"{seconds} CPU s", rows[-1]["right"], flush=True)
        if (arm, seed) == ARMS[0]:
            blind["another picture"] = score(answers(reader, tests, other=True), tests)
            WEIGHTS.parent.mkdir(exist_ok=True)
            torch.save(reader.state_dict(), WEIGHTS)
        yield {"settings": settings, "rows": rows, "blind": blind}


def first(drawn, count):
    return {name: part[:count] for name, part in drawn.items()}


def parameters(module):
    """How many numbers it has to learn: all, and those that only the lessons need."""
    return {
        "all": sum(p.numel() for p in module.parameters()),
        "tagger": sum(p.numel() for p in module.tagger.parameters()),
    }


@torch.no_grad()
def examples():
    """What the model of seed 0 says to some test scenes: [{seed, size, said: {kind: word}}, ...]."""
    reader, size, found = untrained(), (72, 84), []
    reader.load_state_dict(torch.load(WEIGHTS))
    for seed in range(12):
        scene = world.scene([99, seed], size=size, split="test")
        questions, wanted = world.asked([scene])
        logits = reader.ask(torch.from_numpy(scene.pixels), torch.from_numpy(questions), layout(size))[0]
        words = [world.WORDS[word] for word in logits.argmax(dim=-1)]
        said = {kind: words[k] for k, kind in enumerate(world.KINDS) if wanted[0, k] != world.NO_ANSWER}
        found.append({"seed": [99, seed], "size": size, "said": said})
    return found


# Speed

ROUNDS, LENGTH = 7, 64  # times each is measured, taking turns; tokens of a sequence


class Plain(torch.nn.Module):
    """A decoder of the same size out of torch.nn. Its layers also look at a memory: here one vector."""

    def __init__(self, words, width=64, layers=3, heads=2):
        super().__init__()
        layer = torch.nn.TransformerDecoderLayer(
            width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = torch.nn.TransformerDecoder(layer, layers)
        self.head = torch.nn.Linear(width, words)

    def forward(self, x):
        mask = torch.nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        memory = x.new_zeros(len(x), 1, x.shape[2])
        return self.head(self.layers(x, memory, tgt_mask=mask, tgt_is_causal=True))


def speed():
    """Tokens a CPU second: [{name, parameters, learning, reading, writing}, ...], each the median and the range."""
    words, x = len(world.WORDS), torch.randn(BATCH, LENGTH, 64)
    turned = torch.from_numpy(angles(np.arange(LENGTH), sections=(16,), theta=100)).float()
    ours, plain = untrained().small, Plain(words)
    named = {f"small.{name}": value.numpy() for name, value in ours.state_dict().items()}

    def step_by_step(read):
        cache = []
        for n in range(LENGTH):
            read(x[:1, n : n + 1], turned[n : n + 1], cache)

    no_grad = torch.no_grad()
    calls = {
        ("small", "learning"): lambda: ours(x, turned).sum().backward(),
        ("torch.nn.TransformerDecoder", "learning"): lambda: plain(x).sum().backward(),
        ("small", "reading"): no_grad(lambda: ours(x, turned)),
        ("torch.nn.TransformerDecoder", "reading"): no_grad(lambda: plain(x)),
        ("small in NumPy", "reading"): lambda: decode(named, x.numpy(), turned.numpy()),
        ("small", "writing"): no_grad(lambda: step_by_step(lambda x, a, c: ours(x, a, cache=c))),
        ("small in NumPy", "writing"): lambda: step_by_step(
            lambda x, a, c: decode(named, x.numpy(), a.numpy(), cache=c)
        ),
        ("torch.nn.TransformerDecoder", "writing"): no_grad(lambda: [plain(x[:1, : n + 1]) for n in range(LENGTH)]),
    }
    seconds = {key: [] for key in calls}
    for _ in range(ROUNDS + 1):  # the first warms up
        for key, call in calls.items():
            begin = time.process_time()
            call()
            seconds[key].append(time.process_time() - begin)
    rows = {}
    for (name, what), spent in seconds.items():
        tokens = LENGTH * (1 if what == "writing" else BATCH)
        rates = sorted(round(tokens / one) for one in spent[1:])
        rows.setdefault(name, {"name": name})[what] = {"median": rates[ROUNDS // 2], "low": rates[0], "high": rates[-1]}
    for name, model in (("small", ours), ("torch.nn.TransformerDecoder", plain)):
        rows[name]["parameters"] = sum(p.numel() for block in layers_of(model) for p in block.parameters())
    return list(rows.values())


def layers_of(model):
    return model.blocks if hasattr(model, "blocks") else model.layers.layers


def untrained():
    torch.manual_seed(0)
    return Reader(len(world.WORDS), len(world.TAGS)).eval()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few steps of one seed, printed; nothing is written")
    parser.add_argument("--after", action="store_true", help="only speed and examples, added to the file that is there")
    parser.add_argument("--resume", action="store_true", help="keep the arms of a run that was stopped")
    torch.set_num_threads(1)
    asked = parser.parse_args(argv)
    if asked.quick:
        list(experiment(quick=True))
        return
    if asked.after:
        result = json.loads(RESULTS.read_text(encoding="utf-8"))
        result["speed"] = {"date": str(datetime.date.today()), "device": f"{device()}, one thread", "rows": speed()}
        result["examples"] = examples()
        write(result)
        return
    what = "Answers of the book's small model in the book's small world, beside blind ones and untaught eyes."
    begins = head(what, "small", ("numpy", "pillow", "torch"))
    for found in experiment(resume=asked.resume):
        spent = found["settings"]["drawing_seconds"] + sum(row["seconds"] for row in found["rows"])
        write(rounded(begins | found | {"processor_seconds": spent}))


def write(result):
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
