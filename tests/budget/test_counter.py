"""Operations against torch's own counter: decoders on the meta device, where products are counted and not made."""

import dataclasses
import math

import pytest

from mmtokedu.budget import Layers, ModelRow, dense, prefill_flops, prefill_parts
from mmtokedu.catalog import models

torch = pytest.importorskip("torch")

from torch.utils.flop_counter import FlopCounterMode

# Shapes (layers, width, ff, heads, kv_heads, head, vocabulary): rows of the catalog, and some that nobody released.
PLAIN = {  # one name a shape
    (group.count, row.width, group.ff, group.heads, group.kv_heads, group.head, row.vocabulary): name
    for name, row in models.rows().items()
    for group in row.layers
    if len(row.layers) == 1 and not (group.experts or group.gate)
}
PLAIN = {name: shape for shape, name in PLAIN.items()}
ODD = {
    "one layer": (1, 64, 100, 4, 4, 16, 97),
    "one head of keys": (3, 96, 250, 6, 1, 16, 101),
    "heads wider than the model": (2, 48, 64, 8, 2, 32, 50),
    "heads narrower": (2, 512, 777, 4, 2, 24, 1000),
    "a large vocabulary": (1, 32, 32, 2, 1, 16, 262144),
}


class Layer(torch.nn.Module):
    """Attention with grouped queries and a gated dense part, no more than is multiplied."""

    def __init__(self, width, ff, heads, kv_heads, head):
        super().__init__()
        self.heads, self.kv_heads, self.head = heads, kv_heads, head
        linear = lambda rows, out: torch.nn.Linear(rows, out, bias=False)
        self.q, self.k, self.v = (linear(width, n * head) for n in (heads, kv_heads, kv_heads))
        self.o = linear(heads * head, width)
        self.gate, self.up, self.down = linear(width, ff), linear(width, ff), linear(ff, width)

    def forward(self, x):
        q, k, v = (
            f(x).unflatten(-1, (n, self.head)).transpose(1, 2)
            for f, n in ((self.q, self.heads), (self.k, self.kv_heads), (self.v, self.kv_heads))
        )
        k, v = (each.repeat_interleave(self.heads // self.kv_heads, dim=1) for each in (k, v))
        seen = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(seen.transpose(1, 2).flatten(2))
        return x + self.down(torch.nn.functional.silu(self.gate(x)) * self.up(x))


def counted(module, *inputs):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs)
    return counter.get_total_flops()


def decoder(layers, width, ff, heads, kv_heads, head, vocabulary):
    stack = [Layer(width, ff, heads, kv_heads, head) for _ in range(layers)]
    return torch.nn.Sequential(*stack, torch.nn.Linear(width, vocabulary, bias=False))


def test_there_are_enough_shapes():
    assert len(PLAIN) >= 10
    assert {shape[3] // shape[4] for shape in PLAIN.values()} >= {1, 2, 3, 4, 7, 16}  # queries for one head of keys


@pytest.mark.parametrize("name", PLAIN)
def test_a_model_of_the_catalog_as_torch_counts_it(name):
    with torch.device("meta"):
        theirs = counted(decoder(*PLAIN[name]), torch.empty(1, 1023, PLAIN[name][1]))
    assert prefill_flops(name, 1023, scored=1023) == theirs
    assert prefill_flops(name, 300, 723, scored=1023) == theirs  # a token is a token, whatever it stands for


@pytest.mark.parametrize("name", ODD)
def test_a_decoder_as_torch_counts_it(name):
    shape = ODD[name]
    config = dense(*shape[:4], kv_heads=shape[4], head=shape[5], vocabulary=shape[6])
    with torch.device("meta"):
        model = decoder(*shape)
        for tokens in (1, 2, 63, 100, 4096):
            theirs = counted(model, torch.empty(1, tokens, shape[1]))
            assert prefill_flops(config, tokens, scored=tokens) == theirs


def test_a_batch_is_as_many_sequences():
    with torch.device("meta"):
        theirs = counted(decoder(*ODD["one head of keys"]), torch.empty(3, 65, 96))
    config = dense(3, 96, 250, 6, kv_heads=1, head=16, vocabulary=101)
    assert 3 * prefill_flops(config, 65, scored=65) == theirs


class Mixture(torch.nn.Module):
    """Experts that a fixed routing sends tokens to: token t meets the experts t, t + 1, … of all."""

    def __init__(self, width, ff, experts, active, shared_ff=0, shared_gate=False):
        super().__init__()
        part = lambda out: torch.nn.ModuleList(
            torch.nn.Linear(*sides, bias=False) for sides in ((width, out), (width, out), (out, width))
        )
        self.active, self.router = active, torch.nn.Linear(width, experts, bias=False)
        self.experts = torch.nn.ModuleList(part(ff) for _ in range(experts))
        self.shared = part(shared_ff) if shared_ff else None
        self.shared_gate = torch.nn.Linear(width, 1, bias=False) if shared_gate else None

    def forward(self, x):
        x = x.flatten(0, 1)
        weights, out = self.router(x).softmax(-1), torch.zeros_like(x)
        for e, (gate, up, down) in enumerate(self.experts):
            met = (e - torch.arange(len(x))) % len(self.experts) < self.active
            some = x[met]
            out[met] += weights[met, e, None] * down(torch.nn.functional.silu(gate(some)) * up(some))
        if self.shared is not None:
            gate, up, down = self.shared
            seen = down(torch.nn.functional.silu(gate(x)) * up(x))
            out += seen if self.shared_gate is None else self.shared_gate(x).sigmoid() * seen
        return out


@pytest.mark.parametrize("tokens", [1, 7, 64])
@pytest.mark.parametrize(
    ("experts", "active", "shared", "gate"), [(4, 1, 0, False), (8, 2, 48, False), (5, 5, 16, True)]
)
def test_a_mixture_on_the_cpu(tokens, experts, active, shared, gate):
    width, ff = 32, 24
    theirs = counted(Mixture(width, ff, experts, active, shared, gate), torch.randn(1, tokens, width))
    mixture = Layers(count=1, heads=4, kv_heads=2, head=8, experts=experts, active=active, expert_ff=ff,
                     shared_ff=shared, shared_gate=gate)  # fmt: skip
    row = ModelRow("mixture", "mixture", width, 10, (mixture,))
    bare = dataclasses.replace(row, layers=(Layers(count=1, heads=4, kv_heads=2, head=8),))
    assert prefill_flops(row, tokens, scored=0) - prefill_flops(bare, tokens, scored=0) == theirs


class Looking(torch.nn.Module):
    """A vision tower of blocks, some of which cut the picture into windows, between patches and tokens."""

    def __init__(self, tower, grid):
        super().__init__()
        self.tower, self.grid = tower, grid
        linear = lambda rows, out: torch.nn.Linear(rows, out, bias=False)
        self.embed = linear(tower.inputs, tower.width)
        inner, ups = tower.inner or tower.width, 2 if tower.gated else 1
        self.blocks = torch.nn.ModuleList(
            torch.nn.ModuleList([linear(tower.width, 3 * inner), linear(inner, tower.width)]
                                + [linear(tower.width, tower.ff) for _ in range(ups)] + [linear(tower.ff, tower.width)])
            for _ in range(tower.layers)
        )  # fmt: skip
        self.projectors = torch.nn.ModuleList(
            torch.nn.Sequential(*(linear(*sides) for sides in tower.projector)) for _ in range(tower.projectors)
        )

    def pieces(self, whole):
        """How many patches attend to each other: all, or those of each window."""
        rows, columns = self.grid
        side = self.tower.window
        if whole:
            return [rows * columns]
        high, wide = ([min(side, length - at) for at in range(0, length, side)] for length in self.grid)
        return [h * w for h in high for w in wide]

    def forward(self, patches):
        x = self.embed(patches)
        windowed = self.tower.layers - self.tower.whole if self.tower.window else 0
        for i, (qkv, out, *ups, down) in enumerate(self.blocks):
            pieces = [part.chunk(3, dim=-1) for part in qkv(x).split(self.pieces(i >= windowed), dim=1)]
            seen = [torch.nn.functional.scaled_dot_product_attention(*part) for part in pieces]
            x = x + out(torch.cat(seen, dim=1))
            x = x + down(math.prod(up(x) for up in ups))
        merged = x.unflatten(1, (-1, self.tower.merge)).flatten(2)
        return [project(merged) for project in self.projectors]


TOWERS = {"qwen2.5-vl-7b": (12, 20), "qwen3-vl-2b": (6, 4), "pixtral-12b": (5, 7), "mistral-small-3.1-24b": (4, 6)}


@pytest.mark.parametrize("name", TOWERS)
def test_a_tower_as_torch_counts_it(name):
    """At the row's own widths, in grids whose last windows are smaller."""
    tower, grid = models.row(name).vision, TOWERS[name]
    with torch.device("meta"):
        theirs = counted(Looking(tower, grid), torch.empty(1, math.prod(grid), tower.inputs))
    ours = prefill_parts(name, 0, patches=grid, scored=0)
    assert ours.total == theirs and not ours.matrices
    twice = prefill_parts(name, 0, patches=[grid, grid], scored=0)
    assert twice.total == 2 * theirs  # two pictures do not see each other
