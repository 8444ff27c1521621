"""Panel two: adapters from new, trained at a count of tokens on a reader whose eyes stay as they are (mostly)."""

import time
from typing import NamedTuple

import numpy as np
import torch
from _compress_free import in_place, own_grid, smaller
from _compress_train import BATCH, BUILD, new_reader, pools, rows_of, score
from torch import nn
from torch.nn import functional as F

from mmtokedu.compress import pixel_shuffle, pool_tokens, pool_weights
from mmtokedu.nn import compress as probe
from mmtokedu.nn.adapters import LearnedScore, Projector, QueryResampler
from mmtokedu.nn.small import fit
from mmtokedu.nn.vision import answer_loss
from mmtokedu.samples import world

WIDTH, HIDDEN = 64, 128
SCENES, TESTS = 9000, 400  # of the pools: learned from, asked about
MUON, ADAM, EVERY = 0.01, 2e-3, 100  # rates of the decoder's matrices and of all else; steps between two looks
TEMPER, TAUGHT = 2.0, 0.7  # of the teacher's answers, and their share of the loss
SHOWN = "colour", "where", "count", "digit"  # as it learns


class Arm(NamedTuple):
    """An adapter, how many tokens it lets through, how many steps it has, and the side of the picture in pixels."""

    name: str
    tokens: int
    steps: int
    side: int = 96


PLAN = (  # what the article claims comes first
    *(Arm(name, 16, 300) for name in ("mean", "shuffle", "resampler", "resampler, pooling", "resampler, taught")),
    Arm("learned score", 16, 300), Arm("smaller picture", 16, 300, 48), Arm("random", 16, 300),
    *(Arm(name, 16, 900) for name in ("resampler", "resampler, pooling", "shuffle")),
    Arm("smaller picture", 36, 300, 72), Arm("smaller picture", 64, 300, 96),
    *(Arm(name, 4, 300) for name in ("mean", "shuffle", "resampler", "resampler, pooling")),
)  # fmt: skip


class Adapter(nn.Module):
    """Tokens (B, 64, width) -> what the decoder is given, (B, n, width), and where that is, (B or 1, n, 3)."""

    def __init__(self, arm):
        super().__init__()
        self.arm, n = arm, arm.tokens
        self.window = 8 // round(n**0.5) if arm.side == 96 and n < 64 else 1
        self.places = in_place(arm.side) if arm.side < 96 else windows(n)
        if arm.name.startswith("resampler"):
            starts = starts_of(self.window) if arm.name == "resampler, pooling" else None
            self.net = QueryResampler(WIDTH, WIDTH, queries=n, starts=starts)
        else:
            wide = WIDTH * self.window**2 if arm.name == "shuffle" else WIDTH
            self.net = Projector(wide, WIDTH, hidden=HIDDEN)
        self.choose = LearnedScore(WIDTH, keep=n) if arm.name == "learned score" else None

    def forward(self, tokens):
        name = self.arm.name
        if name == "mean":
            return self.net(pool_tokens(tokens, probe.GRID, self.window)), self.places
        if name == "shuffle":
            return self.net(pixel_shuffle(tokens, probe.GRID, self.window)), self.places
        if name == "learned score":
            kept = self.choose(tokens)
        elif name == "random":
            index = torch.rand(tokens.shape[:2]).topk(self.arm.tokens).indices.sort(dim=-1).values
            return self.net(tokens.gather(1, index[..., None].expand(-1, -1, WIDTH))), windows(64)[0][index]
        else:
            return self.net(tokens), self.places
        return self.net(kept.tokens), windows(64)[0][kept.index]


def windows(n):
    """The mean (t, h, w) of each of n windows of the grid, (1, n, 3)."""
    if n == 64:
        return own_grid(64)
    return probe.pool(torch.zeros(1, 64, 1), n).positions


def starts_of(window):
    """Where each query begins to look: (queries, 64), a window each."""
    return np.kron(pool_weights(8, window), pool_weights(8, window))


class Pupil:
    """A trained reader with what its eyes made of the scenes, and its answers: what all its arms learn from."""

    def __init__(self, seed, scenes=SCENES, tests=TESTS, reader=None):
        self.seed, self.reader = seed, new_reader() if reader is None else reader
        if reader is None:
            self.reader.load_state_dict(torch.load(BUILD / f"tags{seed}.pt"))
        _, learn, test = pools()
        self.scenes, self.tests = rows_of(learn, slice(scenes)), rows_of(test, slice(tests))
        path = BUILD / f"looked{seed}.pt"
        if reader is None and path.exists():
            self.tokens, self.answers = torch.load(path)
        else:
            self.tokens, self.answers = self.look(self.scenes)
            if reader is None:
                torch.save((self.tokens, self.answers), path)
        self.test_tokens = self.look(self.tests)[0]

    @torch.no_grad()
    def look(self, drawn):
        """Tokens and answers' logits of scenes, float16."""
        tokens, answers = [], []
        for pixels, questions in zip(drawn["pixels"].split(100), drawn["questions"].split(100)):
            seen = probe.see(self.reader, pixels)
            tokens.append(seen.tokens.half())
            answers.append(probe.answer(self.reader, seen.visual, questions).half())
        return torch.cat(tokens), torch.cat(answers)


def train(arm, pupil, part=1.0):
    """One row: an adapter trained from new, with the decoder of the pupil, and how it went."""
    begin, seed = time.process_time(), pupil.seed
    torch.manual_seed(100 + seed)
    reader = new_reader()
    adapter = Adapter(arm)
    reader.load_state_dict(pupil.reader.state_dict())
    reader.train()
    eyes = arm.name == "smaller picture"
    small = lambda drawn: smaller(drawn["pixels"], arm.side) if arm.side < 96 else drawn["pixels"]
    pixels, test_pixels = (small(pupil.scenes), small(pupil.tests)) if eyes else (None, None)

    def ask(tokens, questions):
        visual, places = adapter(tokens)
        return reader.small(*probe.sequence(reader, visual, questions, positions=places))[:, visual.shape[1] + 1 :: 2]

    def draw(rng):
        rows = torch.from_numpy(rng.integers(len(pupil.tokens), size=BATCH))
        tokens = reader.vision(pixels[rows]) if eyes else pupil.tokens[rows].float()
        logits, wanted = ask(tokens, pupil.scenes["questions"][rows]), pupil.scenes["answers"][rows]
        loss = answer_loss(logits, wanted)
        if arm.name == "resampler, taught":
            loss = (1 - TAUGHT) * loss + TAUGHT * teaching(logits, pupil.answers[rows].float(), wanted)
        return loss, 1

    @torch.no_grad()
    def told():
        adapter.eval()
        torch_state, found = torch.get_rng_state(), []
        torch.manual_seed(seed)
        for start in range(0, len(pupil.test_tokens), 100):
            some = slice(start, start + 100)
            tokens = reader.vision(test_pixels[some]) if eyes else pupil.test_tokens[some].float()
            found.append(ask(tokens, pupil.tests["questions"][some]).argmax(dim=-1))
        torch.set_rng_state(torch_state)
        adapter.train()
        return score(torch.cat(found), pupil.tests)

    watch = lambda: {"right": told()}
    modules = [*([reader.vision] if eyes else []), adapter, reader.small]
    steps = max(2, round(part * arm.steps))
    course = fit(modules, draw, tokens=steps, seed=seed, muon=MUON, adam=ADAM, every=EVERY, watch=watch)
    right = course[-1]["right"]
    course = [
        {"step": row["step"], "loss": row["loss"]} | {kind: row["right"][kind] for kind in SHOWN} for row in course
    ]
    parameters = sum(p.numel() for p in adapter.parameters())
    row = {**arm._asdict(), "seed": seed, "parameters": parameters, "seconds": round(time.process_time() - begin, 1)}
    return row | {"right": right, "course": course}


def teaching(logits, wanted, answers):
    """How far answers are from the full model's, softened: Kullback-Leibler, where something is asked."""
    asked = answers != world.NO_ANSWER
    told, full = (x[asked] / TEMPER for x in (logits, wanted))
    goal = full.log_softmax(dim=-1)
    return TEMPER**2 * F.kl_div(told.log_softmax(dim=-1), goal, log_target=True, reduction="batchmean")
