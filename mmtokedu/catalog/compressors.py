"""Who has fewer tokens and how: systems and methods, and what is published. The data are in catalog/compressors.toml.

A rule takes its row's parameters and returns Counts(before, after), in visual tokens: of one picture, or of one clip.
"""

import datetime
import functools
import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from mmtokedu import catalog

PLACES = "pixels", "encoder", "adapter", "before LLM", "in LLM", "video"
READ = "code", "README", "table", "abstract", "page", "thread", "notes"  # notes: others' words about the paper


class Counts(NamedTuple):
    """Visual tokens before and after; of stages, what the last layer still has."""

    before: int
    after: int


@dataclass(frozen=True)
class MethodRow:
    """One way to have fewer tokens: where it works, what it does there, and from how many to how many."""

    name: str
    title: str
    where: str  # one of PLACES
    how: str  # in a word or two: "2 x 2 side by side", "pooled", "queries", "merged", "kept by attention"
    training: str  # "trained", "none" or "either"
    about: str
    source: str
    as_of: datetime.date
    verified: str  # "run" or "read"
    rule: str = ""  # a function of this module, where the count is exact
    parameters: MappingProxyType = field(default_factory=dict)
    sizes: str = ""  # the row of catalog.images that counts its pictures

    def __post_init__(self):
        told = {"where": PLACES, "training": ("trained", "none", "either"), "verified": ("run", "read")}
        told["rule"] = ("", *RULES)
        _among(self, told)


@dataclass(frozen=True)
class ResultRow:
    """What somebody published: a sentence, its numbers, and what of the publication was read."""

    name: str
    says: str
    read: str  # one of READ
    source: str
    as_of: datetime.date
    methods: tuple = ()  # names of MethodRows that it is about
    values: MappingProxyType = field(default_factory=dict)  # what was done -> the number, in the order of telling
    unit: str = ""
    model: str = ""
    benchmark: str = ""
    cite: str = ""  # a key of book/references.bib, where a page cites it

    def __post_init__(self):
        _among(self, {"read": READ})
        if bool(self.values) != bool(self.unit):
            raise ValueError(f"catalog row {self.name!r}: {len(self.values)} values of the unit {self.unit!r}")


def _among(row, told):
    for name, allowed in told.items():
        if getattr(row, name) not in allowed:
            raise ValueError(f"catalog row {row.name!r}: {name} is {getattr(row, name)!r}; expected one of {allowed}")


@functools.cache
def rows(kind):
    """The rows of one kind by name, in the catalog's order: "methods" or "results".

    Source: `mmtokedu/catalog/compressors.toml`, where each row names its own.

    >>> [name for name, row in rows("methods").items() if row.where == "pixels"]
    ['downsampling', 'pixelprune']
    """
    return catalog.one("kind of compressors row", kind, catalog.read_kinds("compressors", KINDS))


def row(kind, name):
    """The row of this name, or a ValueError that lists the names there are.

    Source: `mmtokedu/catalog/compressors.toml`.

    >>> dict(row("results", "grounding").values)
    {'all tokens': 56.14, 'pruned': 15.34, 'pruned, positions kept': 51.42}
    """
    return catalog.one(f"compressors row of {kind}", name, rows(kind))


def _frozen(row):
    tables = {key: MappingProxyType(value) for key, value in row.items() if isinstance(value, dict)}
    return row | tables | {key: tuple(value) for key, value in row.items() if isinstance(value, list)}


KINDS = {
    "methods": ("method", lambda name, row: MethodRow(name=name, **_frozen(row))),
    "results": ("result", lambda name, row: ResultRow(name=name, **_frozen(row))),
}


def counts(method):
    """From how many tokens to how many a method goes: Counts(before, after), or None where no number is fixed.

    Raises ValueError for a name that is not in the catalog. Source: the method's row in
    `mmtokedu/catalog/compressors.toml`.

    >>> counts("internvl"), counts("minicpm-v-4.5"), counts("sparsevlm")
    (Counts(before=1024, after=256), Counts(before=6144, after=64), None)
    """
    found = row("methods", method)
    return Counts(*RULES[found.rule](**found.parameters)) if found.rule else None


def fold(grid, factor):
    """Blocks side by side, or made one by a convolution of that stride; the factor is that of each side of the grid."""
    return math.prod(grid), math.prod(side // factor for side in grid)


def pool(grid, window, rule="average"):
    """Windows averaged; "bilinear" has ⌈side / window⌉ a side, the others as many whole windows as fit."""
    return math.prod(grid), math.prod(-(-side // window) if rule == "bilinear" else side // window for side in grid)


def queries(places, queries):
    """As many as there are learned queries, whatever comes in."""
    return places, queries


def keep(places, keep):
    """A fixed number of those there are."""
    return places, keep


def merge(tokens, layers, r):
    """r merged away in every layer; no more than half of what is there."""
    left = tokens
    for _ in range(layers):
        left -= min(r, left // 2)
    return tokens, left


def stages(tokens, layers, at, ratio):
    """A share kept before each of the layers `at`, counted from the first."""
    return tokens, max(1, int(tokens * ratio ** sum(layer < layers for layer in at)))


def retain(tokens, frames, rate, least):
    """A share of a clip kept, at least so many of its tokens."""
    return tokens * frames, max(least, int(tokens * frames * (1 - rate)))


RULES = {rule.__name__: rule for rule in (fold, pool, queries, keep, merge, stages, retain)}
