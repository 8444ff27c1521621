"""Pictures side by side in one sequence: documents with known answers, and the small model that learns to answer.

A document is a beginning and 34 tokens: words, one to four pictures of two to five tokens each with nothing between
them, words again. All is drawn from the same 24 ids, words and the codes of pictures alike; a picture draws from three
of them. Separators and labels count among the 34, so neither the length nor the place of a question tells how many
pictures there are. Questions are two tokens and are answered at the second; none sees another.
"""

import itertools
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from mmtokedu.mrope import angles
from mmtokedu.nn.small import Small, fit

__all__ = [
    "ARMS", "LARGE", "LITTLE", "Arm", "Documents", "Reader", "World", "batch_loss", "documents", "live", "questions",
    "score", "train",
]  # fmt: skip

WORDS, NUMBERS, PALETTE = 24, 6, 3  # ids shared by words and codes; ids of the numbers 1 to 6; codes of one picture
BEGIN, OPEN, CLOSE = range(WORDS + NUMBERS, WORDS + NUMBERS + 3)
KINDS = "count", "first", "kind"  # of questions
COUNT, FIRST, KIND = range(CLOSE + 1, CLOSE + 4)
A_WORD, A_CODE = KIND + 1, KIND + 2
IDS = A_CODE + 1
NO_ANSWER = -100  # this document cannot be asked that
EACH = ("count", 1), ("first", 4), ("kind", 2)  # how often each is asked of a document in training
FEATURES = 32  # numbers of a vector that stands for a code


class World(NamedTuple):
    """How long a document is, how many pictures it has at most, and how long they are."""

    tokens: int
    most: int
    shortest: int
    longest: int


LARGE, LITTLE = World(34, 4, 2, 5), World(18, 2, 2, 4)


class Arm(NamedTuple):
    """What a sequence says of its pictures: begin and end, kind, number; and whether begin and end are then removed.

    labels: "" for none, "in order" for 1, 2, …, "any" for different numbers up to 6. removed: "" for no, "kept" where
    the other tokens keep their positions, "closed" where they move up. What is removed nobody sees.
    """

    separators: bool = False
    modality: bool = False
    labels: str = ""
    removed: str = ""


ARMS = {
    "nothing": Arm(),
    "modality": Arm(modality=True),
    "separators": Arm(separators=True),
    "both": Arm(separators=True, modality=True),
    "labels": Arm(separators=True, modality=True, labels="in order"),
    "labels_any": Arm(separators=True, modality=True, labels="any"),
    "gap": Arm(separators=True, removed="kept"),
    "gap, modality": Arm(separators=True, modality=True, removed="kept"),
}


class Documents(NamedTuple):
    """n documents: what is in them, and what the questions need. All arrays but `world` and `arm`."""

    ids: np.ndarray  # (n, tokens)
    code: np.ndarray  # (n, tokens) bool: a picture's token
    count: np.ndarray  # (n,) pictures
    has: np.ndarray  # (n, most + 1, WORDS) bool: the ids in each picture, and last in the words
    first: np.ndarray  # (n, most) the first code of each picture
    number: np.ndarray  # (n, most) the number of each picture, from 0
    arm: Arm
    world: World


def documents(rng, n, arm, counts=(1, 2, 3, 4), world=LARGE):
    """Draw n documents in an arm's form, with as many pictures as one of `counts` says: Documents.

    Raises ValueError for more pictures than the world has.

    >>> drawn = documents(np.random.default_rng(2), 1, ARMS["both"], counts=[2])
    >>> tokens = [{BEGIN: "-", OPEN: "[", CLOSE: "]"}.get(i, str(i)) for i in drawn.ids[0]]
    >>> " ".join(tokens[:18]), drawn.first[0, :2].tolist()
    ('19 10 2 8 14 19 17 23 4 [ 4 7 8 7 8 ] [ 12', [4, 12])
    """
    left, right = arm.separators + bool(arm.labels), int(arm.separators)
    count = rng.choice(counts, n)
    if count.max() > world.most:
        raise ValueError(
            f"a document is to have {count.max()} pictures; this world's documents have up to {world.most}"
        )
    real = np.arange(world.most) < count[:, None]
    whole = (rng.integers(world.shortest, world.longest + 1, real.shape) + left + right) * real
    before = rng.integers(world.tokens - whole.sum(axis=1) + 1)
    ends = before[:, None] + whole.cumsum(axis=1)
    starts = ends - whole
    place = np.arange(world.tokens)
    within = (starts[..., None] <= place) & (place < ends[..., None])  # (n, most, tokens)
    code = (starts[..., None] + left <= place) & (place < ends[..., None] - right)
    ids = rng.integers(WORDS, size=(n, world.tokens))
    palette = rng.integers(WORDS, size=(*real.shape, PALETTE))
    drawn = np.take_along_axis(palette, rng.integers(PALETTE, size=within.shape), axis=2)
    ids = np.where(code.any(axis=1), (drawn * code).sum(axis=1), ids)
    number = np.broadcast_to(np.arange(world.most), real.shape)
    if arm.labels == "any":
        number = rng.random((n, NUMBERS)).argsort(axis=1)[:, : world.most]
    row, k = real.nonzero()
    if arm.labels:
        ids[row, starts[row, k]] = WORDS + number[row, k]
    if arm.separators:
        ids[row, starts[row, k] + left - 1] = OPEN
        ids[row, ends[row, k] - 1] = CLOSE
    is_id = ids[..., None] == np.arange(WORDS)  # (n, tokens, WORDS)
    parts = np.concatenate([code, ~within.any(axis=1, keepdims=True)], axis=1)
    has = np.einsum("nkt,ntw->nkw", parts.astype(np.float32), is_id.astype(np.float32)) > 0
    first = np.take_along_axis(ids, np.minimum(starts + left, world.tokens - 1), axis=1)
    return Documents(ids, code.any(axis=1), count, has, first, number, arm, world)


def questions(rng, drawn, kind, about=None):
    """One question of a kind to each document: (asked (n, 2), answers (n,), the picture asked about (n,)).

    "count": how many pictures; "first": the first code of picture k; "kind": whether X stands among the words or in a
    picture, where it is one of the two. `about` says which picture, from 0, or for "kind" whether X is to be a code;
    without it the rng chooses. NO_ANSWER where it cannot be asked.

    >>> rng = np.random.default_rng(0)
    >>> drawn = documents(rng, 3, ARMS["both"], counts=[2])
    >>> asked, answers, _ = questions(rng, drawn, "first", about=1)
    >>> (asked[:, 0] == FIRST).all(), (asked[:, 1] == WORDS + 1).all(), (answers == drawn.first[:, 1]).all()
    (np.True_, np.True_, np.True_)
    """
    n, row = len(drawn.count), np.arange(len(drawn.count))
    k = rng.integers(drawn.count) if about is None else np.full(n, min(about, drawn.world.most - 1))
    there = k < drawn.count
    if kind == "count":
        return np.full((n, 2), COUNT), WORDS + drawn.count - 1, k
    if kind == "first":
        asked = np.stack([np.full(n, FIRST), WORDS + drawn.number[row, k]], axis=1)
        return asked, np.where(there, drawn.first[row, k], NO_ANSWER), k
    code = rng.random(n) < 0.5 if about is None else np.full(n, bool(about))
    words, inside = drawn.has[:, -1], drawn.has[:, :-1].any(axis=1)
    x, found = _one_of(rng, np.where(code[:, None], inside & ~words, words & ~inside))
    return np.stack([np.full(n, KIND), x], axis=1), np.where(found, np.where(code, A_CODE, A_WORD), NO_ANSWER), k


def _one_of(rng, mask):
    """One of the True of each row, and whether there is any."""
    return (rng.random(mask.shape) * mask).argmax(axis=1), mask.any(axis=1)


class Reader(nn.Module):
    """The small model over documents and questions: two layers of four heads, half of whose pairs turn.

    Half of the heads begin with queries and keys from the same map: an id first looks at its equals, and `kind` is
    learned sooner.

    With `vectors` a picture's token is no id but a vector, as an encoder gives it: fixed numbers for each code, and
    noise. A projector, two layers as LLaVA-1.5's (arXiv 2310.03744), brings it to the model's width.

    `ask(drawn, asked)`: Documents and questions (n, Q, 2) -> logits (n, Q, IDS). Without `order` the questions stand
    side by side behind the document. With "picture" or "question", what comes first, there is one question, behind or
    before it, and the answer is read at one more token at the end, the same in both orders: BEGIN again.

    >>> rng = np.random.default_rng(0)
    >>> drawn = documents(rng, 5, ARMS["both"])
    >>> Reader().ask(drawn, questions(rng, drawn, "count")[0][:, None]).shape
    torch.Size([5, 1, 38])
    """

    def __init__(self, *, vectors=False, width=64, layers=2, heads=4, theta=50.0, noise=0.3):
        super().__init__()
        self.small = Small(IDS, width=width, layers=layers, heads=heads, modalities=2)
        for block in self.small.blocks:
            with torch.no_grad():
                queries, keys, _ = block.queries_keys_values.weight.chunk(3)
                queries[: width // 2] = keys[: width // 2]
        self.pairs, self.theta, self.noise = width // heads // 2, theta, noise
        self.projector = None
        if vectors:
            tower = np.random.default_rng(0).standard_normal((WORDS, FEATURES))  # the same for every model
            self.register_buffer("tower", torch.from_numpy(tower).float())
            self.projector = nn.Sequential(nn.Linear(FEATURES, width), nn.GELU(), nn.Linear(width, width))

    def ask(self, drawn, asked, order=None, rng=None):
        ids, code, place, mask, read = _lay_out(drawn, asked, order)
        logits = self.small(self._vectors(ids, code, drawn.arm, rng), self._angles(place), mask)
        return logits[:, read]

    def states(self, drawn, asked, order):
        """Keys and values of each layer at the document's tokens: (layers, 2, n, heads, tokens, d). No noise."""
        ids, code, place, mask, read = _lay_out(drawn, asked, order)
        cache, begin = [], 3 if order == "question" else 1
        self.small(self._vectors(ids, code, drawn.arm, None), self._angles(place), mask, cache)
        return torch.stack([torch.stack(layer) for layer in cache])[..., begin : begin + drawn.world.tokens, :]

    def _vectors(self, ids, code, arm, rng):
        modality = torch.from_numpy(code * arm.modality).long()
        x = self.small.embed(torch.from_numpy(ids), modality)
        if self.projector is None:
            return x
        seen = self.tower[torch.from_numpy(ids[code])]
        if rng is not None:
            seen = seen + self.noise * torch.from_numpy(rng.standard_normal(seen.shape, np.float32))
        marked = self.projector(seen) + self.small.modality(modality[torch.from_numpy(code)])
        return x.masked_scatter(torch.from_numpy(code)[..., None], marked)

    def _angles(self, place):
        turning = self.pairs // 2
        turned = angles(place, sections=(turning,), theta=self.theta)
        return F.pad(torch.from_numpy(turned).float(), (0, self.pairs - turning))


def _lay_out(drawn, asked, order):
    """ids and code (n, N), place (N,) or (n, N), mask (N, N) or (n, N, N) tensor, and where the answers are read."""
    n, many, _ = asked.shape
    begin, tokens = np.full((n, 1), BEGIN), drawn.world.tokens
    if order is None:
        ids = np.concatenate([begin, drawn.ids, asked.reshape(n, -1)], axis=1)
        before, place = 1, np.concatenate([np.arange(tokens + 1), np.tile([tokens + 1, tokens + 2], many)])
        block = np.repeat(np.arange(-1, many), [tokens + 1] + [2] * many)
        read = tokens + 2 + 2 * np.arange(many)
    else:
        parts = [drawn.ids, asked[:, 0]] if order == "picture" else [asked[:, 0], drawn.ids]
        ids = np.concatenate([begin, *parts, begin], axis=1)
        before, place = (1 if order == "picture" else 3), np.arange(tokens + 4)
        block, read = np.full(tokens + 4, -1), np.array([tokens + 3])
    code = np.pad(drawn.code, ((0, 0), (before, ids.shape[1] - before - tokens)))
    mask = np.tril((block == -1) | (block[:, None] == block))
    if drawn.arm.removed:
        gone = (ids == OPEN) | (ids == CLOSE)
        mask = (mask & ~gone[:, None]) | np.eye(len(mask), dtype=bool)
        if drawn.arm.removed == "closed":
            place = place - gone.cumsum(axis=1)
    return ids, code, place, torch.from_numpy(mask), read


def batch_loss(reader, rng, arm, *, counts=(1, 2, 3), world=LARGE, docs=24, order=None):
    """The loss of one batch, and how many tokens it had.

    Without `order` all questions of EACH are asked of a document; with "picture" or "question", what comes first, one.

    >>> loss, tokens = batch_loss(Reader(), np.random.default_rng(0), ARMS["both"], docs=2)
    >>> loss.shape, tokens
    (torch.Size([]), 98)
    """
    drawn = documents(rng, docs, arm, counts, world)
    asked, answers, _ = map(np.stack, zip(*(questions(rng, drawn, kind) for kind, times in EACH for _ in range(times))))
    asked, answers = asked.swapaxes(0, 1), answers.T  # (docs, Q, 2), (docs, Q)
    if order:
        chosen = np.arange(docs), rng.integers(answers.shape[1], size=docs)
        asked, answers = asked[chosen][:, None], answers[chosen][:, None]
    logits = reader.ask(drawn, asked, order, rng)
    loss = F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(answers).flatten(), ignore_index=NO_ANSWER)
    return loss, docs * _length(world, order)


def _length(world, order):
    return 1 + world.tokens + (3 if order else 2 * sum(times for _, times in EACH))


def train(arm, *, seed, steps, orders=(None,), every=100, watch=None, vectors=False, docs=24, world=LARGE, **options):
    """A Reader after so many batches of `batch_loss`, and the rows of `fit`. The batches take turns in `orders`.

    >>> reader, rows = train(ARMS["both"], seed=0, steps=2, docs=2)
    >>> rows[0]["step"], rows[0]["tokens"]
    (2, 196)
    """
    torch.manual_seed(seed)
    reader, turns = Reader(vectors=vectors), itertools.cycle(orders)
    draw = lambda rng: batch_loss(reader, rng, arm, order=next(turns), docs=docs, world=world, **options)
    tokens = steps * docs * _length(world, orders[0])
    return reader, fit(
        [reader], draw, tokens=tokens, seed=seed, every=every, watch=lambda: watch(reader) if watch else {}
    )


@torch.no_grad()
def score(reader, arm, counts=(1, 2, 3, 4), *, n=400, world=LARGE, order=None, seed=7):
    """The share of right answers: a row for each number of pictures, {pictures, count, kind, first}.

    `first` is a list, a share for each picture asked about. Labels that may be any are 1, 2, … here.

    >>> [sorted(row) for row in score(Reader(), ARMS["both"], counts=[3], n=2)]
    [['count', 'first', 'kind', 'pictures']]
    """
    if arm.labels == "any":
        arm = arm._replace(labels="in order")
    rows = []
    for pictures in counts:
        rng = np.random.default_rng([seed, pictures])
        drawn = documents(rng, n, arm, [pictures], world)
        plan = [("count", None), ("kind", 0), ("kind", 1), *(("first", k) for k in range(pictures))]
        asked, answers, _ = map(np.stack, zip(*(questions(rng, drawn, kind, about) for kind, about in plan)))
        if order is None:
            told = reader.ask(drawn, asked.swapaxes(0, 1), rng=rng).argmax(dim=-1).T.numpy()
        else:
            told = np.stack([reader.ask(drawn, one[:, None], order, rng).argmax(dim=-1)[:, 0].numpy() for one in asked])
        right = [round(float((t == a)[a != NO_ANSWER].mean()), 4) for t, a in zip(told, answers)]
        row = {"pictures": pictures, "count": right[0], "kind": round((right[1] + right[2]) / 2, 4)}
        rows.append(row | {"first": right[3:]})
    return rows


def live(arm="separators", *, vectors=True, seed=0, steps=200, every=50):
    """Train one of ARMS and print how often `count` and `first` are right where three pictures are: (Reader, rows).

    Vectors learn quickest: 200 steps, 10 to 15 CPU seconds, part the pictures with separators and not without. Codes
    with "both" need 500. The rows are those of `fit`, each with one of `score`.

    Raises ValueError for an arm that there is not.

    >>> reader, rows = live(steps=1)  # doctest: +ELLIPSIS
    step    1   count ...   first code of picture 1, 2, 3: ...
    """
    if arm not in ARMS:
        raise ValueError(f"there is no arm {arm!r}; there are {', '.join(ARMS)}")

    step = itertools.count(every, every)

    def watch(reader):
        row = score(reader, ARMS[arm], (3,), n=100)[0]
        first = "  ".join(f"{share:.2f}" for share in row["first"])
        print(
            f"step {min(next(step), steps):4}   count {row['count']:.2f}   first code of picture 1, 2, 3: {first}",
            flush=True,
        )
        return row

    reader, rows = train(ARMS[arm], seed=seed, steps=steps, every=every, watch=watch, vectors=vectors)
    return reader, rows
