"""The third road in the plane: three heads that predict a vector where two next ones are equally likely."""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from mmtokedu.vq import kmeans_init, nearest_code

TURN, NOISE = np.pi / 3, 0.1  # the next vector lies 60 degrees to one side, about this far off
NEAR = 3 * NOISE  # a sample within this distance of a possible next vector is one of them

STEPS = 1, 2, 4, 8, 16  # of the flow head, when it is measured
UPDATES = {"mean": 300, "codes": 300, "flow": 1200}


class Drawn(NamedTuple):
    """Where a vector may go next: contexts (N, 2) on the circle, both ways (N, 2, 2), and which came, nexts (N, 2)."""

    contexts: torch.Tensor
    ways: torch.Tensor
    nexts: torch.Tensor


def draw_nexts(count, generator, angle=None):
    """`count` vectors on the unit circle, and for each a turn by 60 degrees left or right, with a little noise.

    With an `angle` in radians the vectors are all the one at that angle.

    >>> draw_nexts(5, torch.Generator().manual_seed(0)).ways.shape
    torch.Size([5, 2, 2])
    """
    angles = 2 * np.pi * torch.rand(count, generator=generator)
    if angle is not None:
        angles = torch.full((count,), float(angle))
    turned = torch.stack([angles, angles + TURN, angles - TURN], dim=1)
    contexts, *ways = torch.stack([turned.cos(), turned.sin()], dim=-1).unbind(1)  # each (N, 2)
    ways, side = torch.stack(ways, dim=1), torch.randint(2, (count,), generator=generator)
    nexts = ways[torch.arange(count), side] + NOISE * torch.randn(count, 2, generator=generator)
    return Drawn(contexts, ways, nexts)


def network(inputs, outputs, width=64):
    """Two hidden layers: the same body for all three heads."""
    return nn.Sequential(
        nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, outputs)
    )


class MeanHead(nn.Module):
    """Says one vector for each context, and learns by squared error. Where two answers are right, it lands between."""

    def __init__(self):
        super().__init__()
        self.net = network(2, 2)

    def loss(self, contexts, nexts, generator):
        return F.mse_loss(self.net(contexts), nexts)

    def sample(self, contexts, generator):
        return self.net(contexts)


class CodeHead(nn.Module):
    """Says how likely each code of a codebook (K, 2) is, and draws one of them."""

    def __init__(self, codebook):
        super().__init__()
        self.register_buffer("codebook", codebook)
        self.net = network(2, len(codebook))

    def loss(self, contexts, nexts, generator):
        return F.cross_entropy(self.net(contexts), nearest_code(nexts, self.codebook))

    def sample(self, contexts, generator):
        chances = self.net(contexts).softmax(dim=1)
        return self.codebook[torch.multinomial(chances, 1, generator=generator)[:, 0]]


class FlowHead(nn.Module):
    """Moves noise to a vector: at a time t between 0 and 1 it says which way a point at x, half noise, should go.

    It learns from straight lines: x = (1 - t) noise + t next goes on by next - noise. Source: Lipman et al., "Flow
    Matching for Generative Modeling" (arXiv 2210.02747); straight lines as in rectified flow (arXiv 2209.03003).
    """

    def __init__(self):
        super().__init__()
        self.net = network(2 + 2 + 1, 2)

    def loss(self, contexts, nexts, generator):
        noise = torch.randn(nexts.shape, generator=generator)
        t = torch.rand(len(nexts), 1, generator=generator)
        x = (1 - t) * noise + t * nexts
        return F.mse_loss(self.net(torch.cat([x, t, contexts], dim=1)), nexts - noise)

    def sample(self, contexts, generator, steps=16):
        x = torch.randn(contexts.shape, generator=generator)
        for i in range(steps):
            t = torch.full((len(x), 1), i / steps)
            x = x + self.net(torch.cat([x, t, contexts], dim=1)) / steps
        return x


def train(head, generator, *, updates, batch=256, rate=1e-2):
    """Train a head on fresh draws, in place; the rate falls to 0. Returns the head."""
    optimizer = torch.optim.Adam(head.parameters(), rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    for _ in range(updates):
        drawn = draw_nexts(batch, generator)
        optimizer.zero_grad()
        head.loss(drawn.contexts, drawn.nexts, generator).backward()
        optimizer.step()
        schedule.step()
    return head


class Hits(NamedTuple):
    """Of samples: the share within NEAR of a possible next vector, the share left of these, and the mean distance."""

    share: float
    left: float
    distance: float


def measure(samples, ways):
    """How samples (N, 2) lie to the two possible next vectors of each, ways (N, 2, 2).

    >>> ways = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]] * 2)
    >>> measure(torch.tensor([[1.0, 0.1], [0.0, 0.0]]), ways)
    Hits(share=0.5, left=1.0, distance=0.55)
    """
    apart = (samples[:, None] - ways).norm(dim=2)  # (N, 2)
    distance, side = apart.min(dim=1)
    near = distance <= NEAR
    left = (side[near] == 0).float().mean().item() if near.any() else float("nan")
    return Hits(near.float().mean().item(), left, round(distance.mean().item(), 6))


def learned_heads(seed, *, K=32, updates=UPDATES):
    """The three heads, trained from one seed: {"mean": ..., "codes": ..., "flow": ...}. The codes are K means.

    `updates` says how many for each; the flow head learns more slowly, so it is given more.
    """
    generator = torch.Generator().manual_seed(seed)
    vectors = draw_nexts(2000, generator).nexts
    book = kmeans_init(vectors, K, torch.rand(len(vectors), generator=generator)).embed
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        heads = {"mean": MeanHead(), "codes": CodeHead(book), "flow": FlowHead()}
    return {name: train(head, generator, updates=updates[name]) for name, head in heads.items()}


@torch.no_grad()
def sampled(heads, drawn, seed, steps=STEPS):
    """What the heads answer to the contexts of `drawn`: {"mean": (N, 2), "codes": ..., "flow, 1 step": ..., ...}."""
    generator = torch.Generator().manual_seed(seed)
    samples = {name: heads[name].sample(drawn.contexts, generator) for name in ("mean", "codes")}
    for n in steps:
        name = f"flow, {n} step{'s' if n > 1 else ''}"
        samples[name] = heads["flow"].sample(drawn.contexts, generator, steps=n)
    return samples


def compare(seeds=(0, 1, 2), *, count=500, K=32, updates=UPDATES):
    """Train the heads from each seed and measure `count` samples of each: {name: [Hits, one a seed]}.

    "what comes" are the true next vectors; "codes, the best" are those rounded to their nearest codes, the most a
    codebook allows.
    """
    rows = {}
    for seed in seeds:
        heads = learned_heads(seed, K=K, updates=updates)
        drawn = draw_nexts(count, torch.Generator().manual_seed(1000 + seed))
        book = heads["codes"].codebook
        best = book[nearest_code(drawn.nexts, book)]
        for name, samples in {
            "what comes": drawn.nexts,
            "codes, the best": best,
            **sampled(heads, drawn, seed),
        }.items():
            rows.setdefault(name, []).append(measure(samples, drawn.ways))
    return rows
