"""Language models and their vision towers in numbers, and the devices they run on; the numbers are in models.toml.

A model is a list of groups of equal layers. A group says how its layers attend, what they keep of a token, and what
stands behind the attention; `matrices` lists what a layer multiplies by, `kept` what it keeps.
"""

import datetime
import functools
from dataclasses import dataclass
from typing import NamedTuple

from mmtokedu import catalog
from mmtokedu.arguments.budget import check_group, check_row_numbers, check_tower

KINDS = "full", "sliding", "chunked", "linear", "latent", "cross"


class Matrix(NamedTuple):
    """A matrix of one layer: how many numbers a token is multiplied by, how many are stored, and which tokens go in."""

    name: str
    numbers: int
    stored: int  # of a mixture all experts, though a token meets a few
    tokens: str = "all"  # "all", "text" or "vision"


@dataclass(frozen=True)
class Layers:
    """`count` equal layers of a decoder. Widths are counted in numbers, `window` in tokens.

    kind "full" attends to all tokens before, "sliding" to the last `window`, "chunked" to those of its own chunk of
    `window`, "linear" to a state of fixed size (a gated delta rule), "latent" to keys and values made of one narrow
    vector a token, "cross" from text to vision tokens, which are in no other layer.
    """

    count: int
    kind: str = "full"
    heads: int = 0  # of queries
    kv_heads: int = 0
    head: int = 0
    window: int = 0
    borrows: bool = False  # keys and values are those of an earlier layer: none are made, none kept
    one_projection: bool = False  # keys and values are made by one matrix (both are kept)
    gate: bool = False  # as many gates as queries
    q_rank: int = 0  # "latent": queries go through so many numbers, 0 for straight
    kv_rank: int = 0
    rope: int = 0
    nope: int = 0
    value: int = 0
    key_heads: int = 0  # "linear"
    value_heads: int = 0
    key_head: int = 0
    value_head: int = 0
    kernel: int = 0  # of the convolution before it, in tokens
    ff: int = 0  # of the dense part
    gated: bool = True  # three matrices, not two
    experts: int = 0
    active: int = 0  # experts that a token meets
    expert_ff: int = 0
    shared_ff: int = 0  # of the experts that every token meets, together
    shared_gate: bool = False
    beside: int = 0  # numbers a token brings along for this layer, besides its vector

    def __post_init__(self):
        check_group(self, KINDS)

    @property
    def channels(self):
        """Of a "linear" layer, the numbers that go through its convolution: queries, keys and values."""
        return 2 * self.key_heads * self.key_head + self.value_heads * self.value_head

    @property
    def entry(self):
        """Multiplications that one pair of a query and a key costs, over all heads: keys' width plus values' width."""
        if self.kind == "latent":
            return self.heads * (self.nope + self.rope + self.value)
        return 2 * self.heads * self.head

    def matrices(self, width):
        """The matrices of one layer of a model of this width: a tuple of Matrix."""
        return tuple(Matrix(*each) for each in (*self._attention(width), *self._behind(width)))

    def _attention(self, width):
        if self.kind == "linear":
            values = self.value_heads * self.value_head
            yield from _dense(width, queries_keys_values=self.channels, gates=values, rates=2 * self.value_heads)
            yield "convolution", self.channels * self.kernel, self.channels * self.kernel
            yield "out", values * width, values * width
        elif self.kind == "latent":
            key = self.nope + self.rope
            narrow = self.q_rank or width
            yield from _dense(width, queries_down=self.q_rank)
            yield from _dense(narrow, queries=self.heads * key)
            yield from _dense(width, down=self.kv_rank + self.rope)
            yield from _dense(self.kv_rank, up=self.heads * (self.nope + self.value))
            yield from _dense(self.heads * self.value, out=width)
        else:
            of_text, of_vision = ("text", "vision") if self.kind == "cross" else ("all", "all")
            queries, pairs = self.heads * self.head, self.kv_heads * self.head
            for name, out in (("queries", queries), ("gates", queries * self.gate)):
                yield from _dense(width, of_text, **{name: out})
            if not self.borrows:
                yield from _dense(width, of_vision, keys=pairs, values=0 if self.one_projection else pairs)
            yield from _dense(queries, of_text, out=width)

    def _behind(self, width):
        tokens = "text" if self.kind == "cross" else "all"
        times = 3 if self.gated else 2
        yield from _dense(width, tokens, dense=times * self.ff, router=self.experts)
        expert = times * width * self.expert_ff
        if self.experts:
            yield "experts", self.active * expert, self.experts * expert, tokens
        yield from _dense(width, tokens, shared=times * self.shared_ff, shared_gate=int(self.shared_gate))
        yield from _dense(width, tokens, beside=3 * self.beside)


def _dense(width, tokens="all", **outs):
    """The rows of matrices of (width, out), those that have an out."""
    for name, out in outs.items():
        if out:
            yield name, width * out, width * out, tokens


@dataclass(frozen=True)
class Tower:
    """A vision transformer and what stands between it and the language model. Widths in numbers, counts in patches."""

    layers: int
    width: int
    ff: int
    gated: bool = False
    whole: int = 0  # layers that attend to the whole picture, where the others have windows; 0: all do
    window: int = 0  # side of a window
    inner: int = 0  # numbers of all heads together, where that is not the width
    inputs: int = 0  # numbers of one patch
    extra: int = 0  # class tokens of a picture
    merge: int = 1  # patches that become one token
    tile: int = 0  # side in patches, where a picture is cut into tiles of one size
    projector: tuple = ()  # (in, out) of each matrix behind the tower, for each token
    projectors: int = 1  # how many such stacks

    def __post_init__(self):
        check_tower(self)

    @property
    def block(self):
        """Numbers of the matrices of one layer."""
        return 4 * self.width * (self.inner or self.width) + (3 if self.gated else 2) * self.width * self.ff


@dataclass(frozen=True)
class ModelRow:
    """One model in numbers: from them follow operations, bytes and seconds."""

    name: str
    title: str
    width: int
    vocabulary: int
    layers: tuple  # of Layers
    context: int = 0  # tokens that its configuration has positions for, 0 where nobody told
    about: str = ""
    source: str = ""
    as_of: datetime.date | None = None
    verified: str = "yours"  # "run", "read", "told", or "yours": built by a caller
    vision: Tower | None = None
    images: str = ""  # names in the catalogs of images, clips, listeners and styles
    videos: str = ""
    sounds: str = ""
    style: str = ""

    def __post_init__(self):
        check_row_numbers(self, ("run", "read", "told", "yours"))


@dataclass(frozen=True)
class DeviceRow:
    """What a device does at its best, and the share of it that is reached."""

    name: str
    title: str
    flops_per_second: float
    bytes_per_second: float
    about: str = ""
    source: str = ""
    as_of: datetime.date | None = None
    verified: str = "yours"
    efficiency: float = 1.0

    def __post_init__(self):
        check_row_numbers(self, ("read", "yours"))


@functools.cache
def rows(kind="models"):
    """The rows of one kind by name, in the catalog's order: "models" or "devices".

    Source: `mmtokedu/catalog/models.toml`, where each row names its own.

    >>> rows()["qwen3-vl-8b"].layers[0].kv_heads, len(rows()) >= 20
    (8, True)
    """
    return catalog.one("kind of models row", kind, catalog.read_kinds("models", ROWS))


def row(name, kind="models"):
    """The row of this name, or a ValueError that says which names are near.

    Source: `mmtokedu/catalog/models.toml`.

    >>> row("gemma-3-12b").layers[1].window
    1024
    """
    return catalog.one_of_many(ROWS[kind][0], name, rows(kind))


def _model_row(name, row):
    row["layers"] = tuple(Layers(**group) for group in row["layers"])
    if "vision" in row:
        tower = row["vision"]
        row["vision"] = Tower(**tower | {"projector": tuple(map(tuple, tower.get("projector", ())))})
    return ModelRow(name=name, **row)


ROWS = {
    "models": ("model", _model_row),
    "devices": ("device", lambda name, row: DeviceRow(name=name, **row)),
}
