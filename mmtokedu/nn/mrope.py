"""A film of random colours whose cells are asked about each other, and the small model that finds them by positions.

Each cell answers which colour is k cells further along an axis, so that a film gives as many answers as it has cells,
and nothing but a position says which cell is meant. The other tasks of `experiments/mrope.py` stand beside it.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from mmtokedu.mrope import Text, Vision, angles, position_ids
from mmtokedu.nn.small import Small, fit, rms, rotate

__all__ = [
    "ASKED", "MIRRORED", "TRAINED", "WAYS", "Finder", "Way", "answer_loss", "grid", "grid_loss", "live", "neighbours",
    "places", "score_grid", "scores_by_offset", "share_right", "strengths", "train",
]  # fmt: skip

COLOURS, PAIRS, HEADS = 8, 16, 2  # a head is 32 numbers wide: Qwen's sections of 64 pairs, divided by 4
NO_ANSWER = -100
AXES = "thw"


class Way(NamedTuple):
    """How a model is told where a token is.

    Pairs are turned as `layout` and `sections` say. `line`: cells are counted as words are; `breaks`: with a token
    after each row, as Pixtral's. `table` in place of turning: learned vectors for each t, h and w are added, "rows" by
    index, or "stretched" from those of a grid of 3 x 5 x 5, linearly.
    """

    layout: str = "interleaved"
    sections: tuple = (6, 5, 5)
    line: bool = False
    breaks: bool = False
    table: str = ""


WAYS = {
    "line": Way(line=True),
    "line, breaks": Way(line=True, breaks=True),
    "table": Way(table="rows"),
    "stretched": Way(table="stretched"),
    "blocks": Way("blocks", (4, 6, 6)),  # t has the fastest pairs: Qwen2-VL
    "interleaved": Way(),  # Qwen3-VL
    "slow t": Way("videorope", (4, 6, 6)),
}
KEPT, ROWS = (3, 5, 5), 64  # rows of a table for each axis: stretched, and by index


class Finder(nn.Module):
    """The small model with a way to tell positions: two heads; ids (n, N), kinds (n, N) or (n, 1) -> logits.

    `kinds` adds a learned vector to each token: what is asked, or what the token is. positions are (3, N); without a
    `mask` a token sees what came before it.

    >>> finder = Finder(WAYS["interleaved"], words=8, kinds=2)
    >>> ids, kinds = np.zeros((1, 5), int), np.zeros((1, 1), int)
    >>> finder(ids, kinds, position_ids([Text(5)])).shape
    torch.Size([1, 5, 8])
    """

    def __init__(self, way, *, words, kinds, layers=2, theta=20.0, width=32 * HEADS, alike=False):
        super().__init__()
        self.way, self.theta = way, theta
        self.small = Small(words, width=width, layers=layers, heads=HEADS, modalities=kinds)
        nn.init.normal_(self.small.modality.weight, std=0.5)
        if way.table:
            sizes = KEPT if way.table == "stretched" else (ROWS,) * 3
            self.tables = nn.ParameterList(0.3 * torch.randn(size, width) for size in sizes)
        if alike:  # one head begins with queries and keys from the same map: an id first looks at its equals
            for block in self.small.blocks:
                with torch.no_grad():
                    queries, keys, _ = block.queries_keys_values.weight.chunk(3)
                    queries[: width // HEADS] = keys[: width // HEADS]

    def forward(self, ids, kinds, positions, mask=None):
        x = self.small.embed(torch.from_numpy(ids), torch.from_numpy(kinds))
        if self.way.table:
            return self.small(x + sum(map(self._rows, self.tables, positions)), None, mask)
        return self.small(x, self.angles(positions), mask)

    def angles(self, positions):
        """How far each pair turns: (N, 16)."""
        way = self.way
        turned = angles(positions, sections=way.sections, theta=self.theta, layout=way.layout)
        return torch.from_numpy(turned).float()

    def _rows(self, table, positions):
        if self.way.table == "stretched":
            table = F.interpolate(table.T[None], int(positions.max()) + 1, mode="linear", align_corners=True)[0].T
        return table[torch.from_numpy(positions)]


def train(draw, *, seed, steps, every=100, watch=None, adam=2e-3, **options):
    """A Finder after so many batches, and the rows of `fit`: {step, loss, seconds, ...}.

    draw(finder, rng) gives a batch's loss; `watch(finder)` adds to the rows; `adam` is the rate of all that is no
    matrix of a layer; all else is the Finder's.

    >>> finder, rows = train(lambda finder, rng: grid_loss(finder, rng, cells=50), **GRID, seed=0, steps=2)
    >>> rows[0]["step"]
    2
    """
    torch.manual_seed(seed)
    finder = Finder(**options)
    look = lambda: watch(finder) if watch else {}
    draw_one = lambda rng: (draw(finder, rng), 1)
    return finder, fit([finder], draw_one, tokens=steps, seed=seed, every=every, watch=look, adam=adam)


def answer_loss(logits, answers):
    """Cross-entropy of logits (..., words) over the answers (...) that are no NO_ANSWER."""
    return F.cross_entropy(logits.flatten(0, -2), torch.from_numpy(answers).flatten(), ignore_index=NO_ANSWER)


def share_right(logits, answers):
    """How many of the answers that there are the largest logit names, as a share."""
    return float((logits.argmax(dim=-1).numpy() == answers)[answers >= 0].mean())


# Grid

ASKED = tuple((axis, k) for axis, steps in zip(AXES, (2, 3, 3)) for k in range(1, steps + 1))
MIRRORED = tuple((axis, 0) for axis in AXES)  # the cell as far from the other edge
KINDS = ASKED + MIRRORED
BREAK, END = COLOURS, COLOURS + 1  # after a row, and after a frame's last row
GRID = {"way": WAYS["interleaved"], "words": COLOURS + 2, "kinds": len(KINDS)}
SHARPLY = 3e-2  # adam's rate on grids: where slow pairs tell neighbours apart, a layer's scores have to become large
TRAINED = {  # on which grids: least and most of t, h, w
    "one": ((3, 5, 5), (3, 5, 5)),
    "mixed": ((2, 3, 4), (4, 6, 6)),
    "wide": ((2, 3, 4), (6, 10, 10)),
}


def neighbours(cells, shape, axis, k):
    """What is k further along an axis of a grid, or with k = 0 mirrored along it: cells (n, t * h * w) -> the same.

    NO_ANSWER where that is outside.

    >>> [neighbours(np.arange(6)[None], (1, 2, 3), *kind).tolist()[0] for kind in (("w", 1), ("h", 0))]
    [[1, 2, -100, 4, 5, -100], [3, 4, 5, 0, 1, 2]]
    """
    along = 1 + AXES.index(axis)
    cells = np.moveaxis(cells.reshape(-1, *shape), along, -1)
    if k == 0:
        found = cells[..., ::-1]
    else:
        found = np.full_like(cells, NO_ANSWER)
        found[..., :-k] = cells[..., k:]
    return np.moveaxis(found, -1, along).reshape(len(cells), -1)


def askable(shape, kinds=ASKED):
    """The kinds of question that some cell of the grid can answer, as indices of KINDS."""
    return [KINDS.index(kind) for kind in kinds if kind[1] < shape[AXES.index(kind[0])]]


def places(way, shape):
    """The positions of a grid's cells, and of the breaks among them: (3, N).

    >>> places(WAYS["line"], (1, 2, 2)).tolist() == position_ids([Text(4)]).tolist()
    True
    """
    t, h, w = shape
    return position_ids([Text(t * h * (w + way.breaks))] if way.line else [Vision(t, h, w)])


def grid(finder, colours, asked, shape, mask=None):
    """The answers of all cells of n films: colours (n, cells), asked (n,) of KINDS -> logits (n, cells, words).

    All cells see each other, unless the mask (cells, cells) says less.
    """
    ids = colours
    if finder.way.breaks:
        ids = np.full((len(colours), *shape[:2], shape[2] + 1), BREAK)
        ids[..., -1, -1], ids[..., :-1] = END, colours.reshape(-1, *shape)
        ids = ids.reshape(len(colours), -1)
    if mask is None:
        mask = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool)
    logits = finder(ids, asked[:, None], places(finder.way, shape), mask)
    if finder.way.breaks:
        logits = logits.unflatten(1, (shape[0] * shape[1], -1))[:, :, :-1].flatten(1, 2)
    return logits


def grid_loss(finder, rng, *, trained="mixed", kinds=ASKED, cells=600):
    """The loss of films of one drawn shape, `cells` in all, each asked one drawn question."""
    shape = tuple(rng.integers(*TRAINED[trained], endpoint=True).tolist())
    size = shape[0] * shape[1] * shape[2]
    colours = rng.integers(COLOURS, size=(max(1, cells // size), size))
    asked = rng.choice(askable(shape, kinds), len(colours))
    answers = np.stack([neighbours(row[None], shape, *KINDS[kind])[0] for row, kind in zip(colours, asked)])
    return answer_loss(grid(finder, colours, asked, shape), answers)


@torch.no_grad()
def score_grid(finder, shape, *, kinds=ASKED, keys="all", reach=(3, 5, 5), cells=1500, seed=7):
    """The share of right answers along each axis, and of guesses: {"t", "h", "w", "guess"}.

    A guess is the commonest colour of the film. keys: "all"; "seen", those within `reach` along every axis; "as many":
    as many as within reach, but drawn from all, the asked cell among them.

    >>> sorted(score_grid(Finder(**GRID), (2, 2, 2), cells=8))
    ['guess', 'h', 't', 'w']
    """
    rng, size = np.random.default_rng([seed, *shape]), shape[0] * shape[1] * shape[2]
    right, guessed = {axis: [] for axis in AXES}, []
    for kind in askable(shape, kinds):
        axis, k = KINDS[kind]
        colours = rng.integers(COLOURS, size=(max(1, cells // size), size))
        answers, asked = neighbours(colours, shape, axis, k), np.full(len(colours), kind)
        target = neighbours(np.arange(size)[None], shape, axis, k)[0]
        logits = grid(finder, colours, asked, shape, _keys(rng, shape, target, keys, reach))
        there = answers >= 0
        right[axis].append((logits.argmax(dim=-1).numpy() == answers)[there])
        common = (colours[..., None] == np.arange(COLOURS)).sum(axis=1).argmax(axis=-1)
        guessed.append((common[:, None] == answers)[there])
    mean = lambda parts: round(float(np.concatenate(parts).mean()), 4)
    return {axis: mean(parts) for axis, parts in right.items() if parts} | {"guess": mean(guessed)}


def _keys(rng, shape, target, keys, reach):
    """The mask of `score_grid`, (cells, cells), or None. A cell's target is always among its keys."""
    if keys == "all":
        return None
    where = np.indices(shape).reshape(3, -1)
    near = (abs(where[:, :, None] - where[:, None]) <= np.reshape(reach, (3, 1, 1))).all(axis=0)
    if keys == "as many":
        drawn, asks = rng.random(near.shape), target >= 0
        drawn[asks, target[asks]] = -1
        near = drawn.argsort(axis=1).argsort(axis=1) < near.sum(axis=1, keepdims=True)
    return torch.from_numpy(near)


@torch.no_grad()
def _parts(finder, kind):
    """Queries and keys of each head in the first layer, the mean over colours: two of (heads, 1, d)."""
    block = finder.small.blocks[0]
    x = rms(finder.small.embed(torch.arange(COLOURS), kind)) * block.gains[0]
    queries, keys, _ = block.queries_keys_values(x).unflatten(-1, (3, HEADS, -1)).permute(1, 2, 0, 3)
    queries, keys = rms(queries) * block.sharpness[:, None, None], rms(keys)
    return queries.mean(dim=1, keepdim=True), keys.mean(dim=1, keepdim=True)


def scores_by_offset(finder, kind, offsets):
    """The score that a cell asked `kind` gives to a cell at each offset (3, n), in the first layer: (heads, n).

    The mean over colours. In a model of one layer that is all that tells places apart.
    """
    queries, keys = _parts(finder, kind)
    turned = rotate(keys.expand(-1, offsets.shape[1], -1)[None], finder.angles(offsets))[0]
    return (queries * turned).sum(dim=-1).numpy()


def strengths(finder, kind):
    """By how much each pair can raise or lower that score, fastest pair first: (heads, 16)."""
    queries, keys = (part.unflatten(-1, (2, PAIRS)).norm(dim=-2)[:, 0] for part in _parts(finder, kind))
    return (queries * keys).numpy()


def live(way="interleaved", *, seed=0, steps=200, every=50, shape=(3, 20, 20)):
    """Train one layer on grids of up to 4 x 6 x 6 and print how it answers on a larger one: (Finder, rows).

    Each line has the share of right answers along t, h and w, with all cells to be seen, and with those alone whose
    offset occurred in training. About 10 CPU seconds.

    Raises ValueError for a way that there is not.

    >>> finder, rows = live(steps=1, shape=(2, 7, 7))  # doctest: +ELLIPSIS
    step    1   all cells: t ... h ... w ...   trained offsets alone: t ...
    """
    if way not in WAYS:
        raise ValueError(f"there is no way {way!r}; there are {', '.join(WAYS)}")
    looks = iter([*range(every, steps, every), steps])

    def watch(finder):
        rows = {keys: score_grid(finder, shape, keys=keys) for keys in ("all", "seen")}
        told = ["  ".join(f"{axis} {row[axis]:.2f}" for axis in AXES) for row in rows.values()]
        print(f"step {next(looks):4}   all cells: {told[0]}   trained offsets alone: {told[1]}", flush=True)
        return rows

    options = GRID | {"way": WAYS[way], "layers": 1, "adam": SHARPLY}
    return train(grid_loss, seed=seed, steps=steps, every=every, watch=watch, **options)
