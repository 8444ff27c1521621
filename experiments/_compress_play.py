"""What the explorable of fewer tokens stores: the shipped reader's answers about two pictures, each way and count.

    python experiments/_compress_play.py            a second; rewrites mmtokedu/data/compress/play.json

Run it again when `experiments/compress.py` has written another reader. Two pictures show how a way forgets, not how
often: that is in `mmtokedu/data/results/compress.json`.
"""

import base64
import json

import numpy as np
import torch

from mmtokedu.explore import _compress as page
from mmtokedu.nn import compress as probe
from mmtokedu.samples import world

SEED = 22  # of what is drawn at random: which tokens, and which the oracle takes besides
FEATURES = 127  # the largest of the whole numbers that stand for a feature


class Asked:
    """One picture of the page, looked at once, and asked in every way."""

    def __init__(self, reader, picture):
        scene = page.drawn(picture)
        pixels, questions = torch.from_numpy(scene.pixels), torch.from_numpy(world.asked([scene])[0])
        self.reader, self.questions, self.asked = reader, questions, page.questions(picture)
        seen = probe.see(reader, pixels)
        self.tokens, self.visual = seen.tokens, seen.visual
        self.scores = probe.scores(reader, pixels, questions, seen, seed=SEED)
        self.noise = torch.rand(64, generator=torch.Generator().manual_seed(SEED))

    def told(self, visual=None, **options):
        """[[answer, certainty in thousandths], …] in the page's order; of a number, its digits and their product."""
        logits = probe.answer(self.reader, self.visual if visual is None else visual, self.questions, **options)[0]
        sure, word = logits.double().softmax(dim=-1).max(dim=-1)
        rows = []
        for kind, *_ in self.asked:
            places = [world.KINDS.index(one) for one in (world.ORDINALS if kind == "number" else (kind,))]
            answer = ("" if kind == "number" else " ").join(world.WORDS[word[k]] for k in places)
            rows.append([answer, round(1000 * sure[places].prod().item())])
        return rows

    def kept(self, scores, keep, after=0):
        """The patches that scores (64,) keep, and what is answered then."""
        index = probe.prune(self.visual, scores[None], keep).index[0].tolist()
        return {"kept": index, "told": self.told(keep=keep, scores=scores[None], after=after)}

    def by_question(self, name):
        """Scores (64,) for each question of the page; a number's are the sum of its digits'."""
        for kind, *_, boxes in self.asked:
            places = [world.KINDS.index(one) for one in (world.ORDINALS if kind == "number" else (kind,))]
            if name == "oracle":
                covered = world.cover(boxes, (1, *page.SIZE), page.PATCH).reshape(64)
                yield torch.from_numpy(covered) + self.noise / 2
            else:
                yield self.scores["question 1"][0, places].sum(dim=0)

    def folded(self, scores, keep):
        """What scores (64,) keep, one fewer than `keep`, and one token that is the mean of all others."""
        index = scores.argsort(descending=True, stable=True)[: keep - 1].sort().values
        source = torch.full((64,), keep - 1)
        source[index] = torch.arange(keep - 1)
        return {"kept": index.tolist(), **self.averaged(source, keep)}

    def averaged(self, source, keep, sizes=True):
        """Asked with the means of those that are alike in source (64,), at their mean places, with their sizes."""
        groups = torch.nn.functional.one_hot(source, keep).T.float()  # (keep, 64)
        size = groups.sum(dim=1)
        places = torch.stack(torch.meshgrid(*map(torch.arange, (1, *page.GRID)), indexing="ij"), dim=-1).reshape(64, 3)
        visual, positions = ((groups @ part) / size[:, None] for part in (self.visual[0], places.float()))
        told = self.told(visual[None], positions=positions[None], size=size.long()[None] if sizes else None)
        return {"told": told}

    def pooled(self, keep):
        fewer = probe.pool(self.visual, keep)
        return {"told": self.told(fewer.tokens, positions=fewer.positions)}


def features(visual):
    """The tokens that are compared in whole numbers, (64, features) int8: the page merges them as they are here."""
    return (visual[0] / visual.abs().max() * FEATURES).round().to(torch.int8).numpy()


def play(reader, picture):
    """All that is stored of a picture: {"metric", "all", "runs": {way: {tokens: [entry, or one a question]}}}."""
    asked = Asked(reader, picture)
    metric = features(asked.visual)
    merged = lambda keep: torch.from_numpy(page.merged(metric, keep))  # the groups that the page makes of the features
    ways = {
        "random": lambda keep: [asked.kept(asked.scores["random"][0], keep)],
        "grid": lambda keep: [asked.kept(probe.even(keep), keep)],
        "edges": lambda keep: [asked.kept(asked.scores["edges"][0], keep)],
        "received": lambda keep: [asked.kept(asked.scores["received"][0], keep)],
        "diverse": lambda keep: [asked.kept(probe.diverse(asked.tokens, keep)[0], keep)],
        "attention": lambda keep: [asked.kept(scores, keep) for scores in asked.by_question("question 1")],
        "late": lambda keep: [asked.kept(scores, keep, after=1) for scores in asked.by_question("question 1")],
        "folded": lambda keep: [asked.folded(scores, keep) for scores in asked.by_question("question 1")],
        "oracle": lambda keep: [asked.kept(scores, keep) for scores in asked.by_question("oracle")],
        "merge": lambda keep: [asked.averaged(merged(keep), keep)],
        "unsized": lambda keep: [asked.averaged(merged(keep), keep, sizes=False)],
        "pool": lambda keep: [asked.pooled(keep)],
    }
    runs = {name: {str(keep): way(keep) for keep in page.LADDER[1:]} for name, way in ways.items()}
    return {
        "metric": base64.b64encode(np.ascontiguousarray(metric).tobytes()).decode(),
        "all": {"told": asked.told()},
        "runs": runs,
    }


def main():
    torch.set_num_threads(1)
    reader = probe.load_reader()
    pictures = {name: play(reader, name) for name in page.PICTURES}
    made = {"made_by": "experiments/_compress_play.py", "pictures": pictures}
    page.STORED.write_text(json.dumps(made, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{page.STORED.name}: {page.STORED.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
