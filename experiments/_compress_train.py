"""Trains the model that `experiments/compress.py` asks: eyes, projector and a decoder of four layers, on 64 tokens."""

import time
from pathlib import Path

import numpy as np
import torch
from small import score as score_by_size
from tqdm import tqdm

from mmtokedu.nn.compress import GRID, LAYERS, SIZE
from mmtokedu.nn.small import fit
from mmtokedu.nn.vision import Reader, answer_loss
from mmtokedu.samples import world
from mmtokedu.small import PATCH, lay_out

CROWDS, SCENES, TESTS = 9000, 15000, 1200  # pictures drawn
BATCH = 32
LOOK, ANSWER = 2600, 2200  # steps: of crowds, and of scenes with their questions
WATCHED = 240  # test pictures, while it learns
TAG_WEIGHT = 0.5  # of the tag loss beside the answers'
BUILD = Path("build") / "compress"


def new_reader():
    return Reader(len(world.WORDS), len(world.TAGS), layers=LAYERS)


def layout():
    return lay_out((1, *GRID), len(world.KINDS))


def spread_tags(drawn):
    """The names of each thing in every patch that it covers, where `world.tags` has them in its middle's alone."""
    marks = np.zeros((1, *GRID, len(world.TAGS)), bool)
    for thing in drawn.things:
        covered = world.cover(np.array([thing.box]), (1, *SIZE), PATCH) > 0
        for tag in thing.tags:
            marks[..., world.TAGS.index(tag)] |= covered
    return marks


def pool(make, count, split, seed=0):
    """Pictures with all that is known of them: {pixels, questions, answers, tags, spread, height, photo, cover}.

    cover (n, kinds, 64) counts the pixels of each patch that what is asked for covers.
    """
    scenes = [make([seed, i], size=SIZE, split=split) for i in tqdm(range(count), desc=f"{make.__name__}, {split}")]
    questions, answers = world.asked(scenes)
    cover = np.zeros((count, len(world.KINDS), 64), np.int16)
    for i, drawn in enumerate(scenes):
        for question in drawn.questions:
            cells = world.cover(question.boxes, (1, *SIZE), PATCH)
            cover[i, world.KINDS.index(question.kind)] = cells.reshape(64)
    return {
        "pixels": torch.from_numpy(np.concatenate([scene.pixels for scene in scenes])),
        "questions": torch.from_numpy(questions),
        "answers": torch.from_numpy(answers),
        "tags": torch.from_numpy(np.concatenate([world.tags(scene, PATCH) for scene in scenes])).flatten(1, 2),
        "spread": torch.from_numpy(np.concatenate([spread_tags(scene) for scene in scenes])).flatten(1, 2),
        "height": torch.tensor([scene.height for scene in scenes]),
        "photo": torch.tensor([scene.ground == "photo" for scene in scenes]),
        "cover": torch.from_numpy(cover),
    }


def pools():
    """Crowds, scenes to learn from and scenes to be tested on; drawn once, kept below `build/`."""
    path = BUILD / "pools.pt"
    if not path.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        drawn = pool(world.crowd, CROWDS, "train"), pool(world.scene, SCENES, "train"), pool(world.scene, TESTS, "test")
        torch.save(drawn, path.with_suffix(".new"))
        path.with_suffix(".new").rename(path)
    return torch.load(path, mmap=True)


def rows_of(drawn, rows):
    return {name: part[rows] for name, part in drawn.items()}


def train(seed, *, tags="tags", part=1.0):
    """A Reader after its training, and the rows of how it went; tags "spread" is the control. `part` of the steps."""
    crowds, scenes, tests = pools()
    few = rows_of(tests, slice(WATCHED))
    torch.manual_seed(seed)
    reader, told = new_reader(), layout()

    def look(rng):
        drawn = rows_of(crowds, torch.from_numpy(rng.integers(len(crowds["pixels"]), size=BATCH)))
        return reader.tag_loss(reader.vision(drawn["pixels"]), drawn[tags]), 1

    def answer(rng):
        drawn = rows_of(scenes, torch.from_numpy(rng.integers(len(scenes["pixels"]), size=BATCH)))
        tokens = reader.vision(drawn["pixels"])
        loss = answer_loss(reader.answer(tokens, drawn["questions"], told), drawn["answers"])
        return loss + TAG_WEIGHT * reader.tag_loss(tokens, drawn[tags]), 1

    def watch():
        found = score(answers(reader, few), few)
        row = {name: found[name] for name in ("colour", "shape", "where", "count", "sign", "digit")}
        print(f"seed {seed}, {tags}, {time.process_time():.0f} CPU s", row, flush=True)
        return {"right": row}

    rows = {"look": fit([reader.vision, reader.tagger], look, tokens=part * LOOK, seed=seed, every=200)}
    print(f"seed {seed}, {tags}, {time.process_time():.0f} CPU s", rows["look"][-1], flush=True)
    rows["answer"] = fit([reader], answer, tokens=part * ANSWER, seed=1000 + seed, every=200, watch=watch)
    return reader.eval(), rows


@torch.no_grad()
def answers(reader, drawn, batch=240):
    """The word ids that the reader answers with all tokens: (n, kinds)."""
    told, found = layout(), []
    for pixels, questions in zip(drawn["pixels"].split(batch), drawn["questions"].split(batch)):
        found.append(reader.ask(pixels, questions, told).argmax(dim=-1))
    return torch.cat(found)


def score(told, drawn):
    """The share of right answers by kind, of digits by their height, of numbers, over flat and photo grounds."""
    return score_by_size({SIZE: told.numpy()}, {SIZE: drawn | {k: drawn[k].numpy() for k in ("height", "photo")}})


if __name__ == "__main__":
    import json
    import sys

    torch.set_num_threads(1)
    seed, tags = int(sys.argv[1]), sys.argv[2]
    part = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
    reader, course = train(seed, tags=tags, part=part)
    tests = pools()[2]
    right = score(answers(reader, tests), tests)
    print(right)
    torch.save(reader.state_dict(), BUILD / f"{tags}{seed}.pt")
    (BUILD / f"{tags}{seed}.json").write_text(
        json.dumps({"seed": seed, "tags": tags, "right": right, "course": course})
    )
