"""Asks the small reader with fewer visual tokens: some kept, dropped on the way, merged, and where questions look."""

from typing import NamedTuple

import numpy as np
import torch

from mmtokedu.arguments.common import whole
from mmtokedu.compress import (
    fastv_scores,
    merge_rest,
    merge_tokens,
    norm_scores,
    pool_tokens,
    proportional_bias,
    prune,
    prune_diverse,
    received_scores,
)
from mmtokedu.mrope import angles as pair_angles
from mmtokedu.nn.small import rms, rotate
from mmtokedu.nn.vision import Reader
from mmtokedu.samples import world
from mmtokedu.samples.items import DATA
from mmtokedu.small import PATCH

__all__ = [
    "Fewer", "Looked", "Seen", "answer", "diverse", "edges", "even", "in_stages", "load_reader", "look", "merge",
    "merge_inside", "pool", "question_attention", "right", "save_reader", "scenes", "scores", "see", "sequence",
    "with_rest",
]  # fmt: skip

PRETRAINED = DATA / "compress" / "reader.npz"
SIZE, GRID = (96, 96), (8, 8)  # pixels and patches of the pictures that the reader knows: 64 tokens
LAYERS = 2, 4  # of its eyes, of its decoder
WINDOWS = {32: (1, 2), 16: (2, 2), 8: (2, 4), 4: (4, 4), 2: (4, 8), 1: (8, 8)}  # tokens left -> (rows, columns) in one
SHARE = 1 / 8  # of the tokens that merge in one round


class Seen(NamedTuple):
    """What the eyes made of pictures: tokens and, through the projector, what the language model is given."""

    tokens: torch.Tensor  # (B, N, width)
    visual: torch.Tensor  # (B, N, width)
    attention: torch.Tensor  # (B, heads, N, N): the weights of the eyes' last layer


class Fewer(NamedTuple):
    """Tokens that stand for several: their mean places and how many each stands for."""

    tokens: torch.Tensor  # (B, n, width)
    positions: torch.Tensor  # (B, n, 3): t, h, w
    size: torch.Tensor  # (B, n) int64


class Looked(NamedTuple):
    """One layer's attention: the weights after the softmax (B, heads, N, N), and keys and values (B, heads, N, d)."""

    weights: torch.Tensor
    keys: torch.Tensor
    values: torch.Tensor


# The reader, and what it is asked


def save_reader(weights, path):
    """Write a Reader's weights {name: tensor} as float16 to an .npz file; without the tagger, which is for lessons."""
    kept = {name: weight.half().numpy() for name, weight in weights.items() if not name.startswith("tagger.")}
    np.savez_compressed(path, **kept)


def load_reader(path=None):
    """The Reader that `save_reader` wrote; without a path the one that ships with the book, in `eval` mode.

    `experiments/compress.py` trained it on pictures of 96 x 96 pixels of `samples.world`, 64 tokens each. It never
    began to read signs; every other question it answers. Its tagger is untaught. For `mmtokedu.small.ask` give it as
    {name: weight.numpy() for name, weight in reader.state_dict().items()}.

    >>> reader = load_reader()
    >>> len(reader.vision.blocks), len(reader.small.blocks)
    (2, 4)
    """
    reader = Reader(len(world.WORDS), len(world.TAGS), layers=LAYERS)
    with np.load(path or PRETRAINED, allow_pickle=False) as stored:
        weights = {name: torch.from_numpy(stored[name]).float() for name in stored.files}
    weights |= {name: part for name, part in reader.state_dict().items() if name.startswith("tagger.")}
    reader.load_state_dict(weights)
    return reader.eval().requires_grad_(False)


def scenes(count, *, start=0):
    """Scenes that the reader was not taught: pixels (count, 96, 96, 3), questions (count, 8, 2), answers (count, 8).

    They are the first of those that `experiments/compress.py` asks about. An answer of -100 is not asked.

    >>> [part.shape[1:] for part in scenes(2)]
    [torch.Size([96, 96, 3]), torch.Size([8, 2]), torch.Size([8])]
    """
    drawn = [world.scene([0, i], size=SIZE, split="test") for i in range(start, start + count)]
    pixels = np.concatenate([scene.pixels for scene in drawn])
    return tuple(map(torch.from_numpy, (pixels, *world.asked(drawn))))


def right(logits, answers):
    """The share of right answers by kind of question, of digits, and of whole numbers: {kind: share}.

    logits (B, Q, words), answers (B, Q), Q the kinds of `samples.world.KINDS`.

    >>> answers = torch.arange(8)[None]
    >>> right(torch.eye(8)[None], answers)["number"]
    1.0
    """
    hit, there = (logits.argmax(dim=-1) == answers), answers != world.NO_ANSWER
    shares = {kind: hit[there[:, k], k].double().mean().item() for k, kind in enumerate(world.KINDS)}
    digits = hit[:, [world.KINDS.index(place) for place in world.ORDINALS]]
    return shares | {"digit": digits.double().mean().item(), "number": digits.all(dim=1).double().mean().item()}


# Looking


@torch.no_grad()
def see(reader, pixels):
    """What the eyes make of pixels (B, H, W, 3) uint8, and what they look at while they do: Seen.

    >>> seen = see(load_reader(), scenes(2)[0])
    >>> seen.visual.shape, seen.attention.shape
    (torch.Size([2, 64, 64]), torch.Size([2, 2, 64, 64]))
    """
    *blocks, last = reader.vision.blocks
    x = reader.vision.embed(pixels)
    for block in blocks:
        x = block(x)
    tokens = rms(last(x)) * reader.vision.gain
    return Seen(tokens, reader.projector(tokens), look(last, x).weights)


def look(block, x, angles=None, mask=None):
    """The attention of one `nn.small.Block`, worked out again: Looked. mask is bool, or what is added to the scores.

    >>> from mmtokedu.nn.small import Block
    >>> look(Block(width=8, heads=2), torch.zeros(1, 2, 8)).weights[0, 0].tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    split = block.queries_keys_values(rms(x) * block.gains[0]).unflatten(-1, (3, len(block.sharpness), -1))
    queries, keys, values = split.permute(2, 0, 3, 1, 4)  # each (B, heads, N, d)
    queries, keys = rms(queries) * block.sharpness[:, None, None], rms(keys)
    if angles is not None:
        queries, keys = rotate(queries, angles), rotate(keys, angles)
    scores = queries @ keys.mT
    if mask is not None:
        mask = mask[:, None] if mask.ndim == 3 else mask  # the same for all heads
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    return Looked(scores.softmax(dim=-1), keys, values)


# Which tokens


@torch.no_grad()
def scores(reader, pixels, questions, seen=None, *, seed=0):
    """Ways to say which tokens to keep, the highest: {name: (B, N)}, and those that know the question (B, Q, N).

    "question 1" is what the last word of each question gives each visual token in the decoder's first layer.

    >>> found = scores(load_reader(), *scenes(2)[:2])
    >>> found["norm, low"].shape, found["question 1"].shape
    (torch.Size([2, 64]), torch.Size([2, 8, 64]))
    """
    seen = see(reader, pixels) if seen is None else seen
    norm = norm_scores(seen.tokens)
    found = {
        "random": torch.rand(norm.shape, generator=torch.Generator().manual_seed(seed)),
        "norm, high": norm,
        "norm, low": -norm,
        "received": received_scores(seen.attention),
        "edges": edges(pixels),
    }
    layers = range(1, len(reader.small.blocks) + 1)
    return found | {f"question {i}": question_attention(reader, seen.visual, questions, i) for i in layers}


def edges(pixels):
    """How much neighbouring pixels differ in each patch, in its mean: (B, H, W, 3) -> (B, N). No model is needed.

    >>> edges(torch.zeros(1, 24, 24, 3, dtype=torch.uint8)).tolist()
    [[0.0, 0.0, 0.0, 0.0]]
    """
    x = pixels.float().mean(dim=-1)
    across, down = torch.zeros_like(x), torch.zeros_like(x)
    across[:, :, :-1], down[:, :-1] = x.diff(dim=2).abs(), x.diff(dim=1).abs()
    cells = (across + down).unflatten(2, (-1, PATCH)).unflatten(1, (-1, PATCH))  # (B, rows, 12, columns, 12)
    return cells.mean(dim=(2, 4)).flatten(1)


def even(keep):
    """Scores (64,) that keep an even grid of 32, 16, 8, 4, 2 or 1 tokens: the one behind the middle of each window.

    >>> even(4).nonzero().flatten().tolist()
    [18, 22, 50, 54]
    """
    rows, columns = ([int((i + 0.5) * step) for i in range(8 // step)] for step in WINDOWS[keep])
    marks = torch.zeros(GRID)
    marks[torch.tensor(rows)[:, None], torch.tensor(columns)] = 1
    return marks.flatten()


def diverse(tokens, keep):
    """Scores (B, N) that keep what DivPrune keeps: 1 for those tokens.

    >>> diverse(torch.tensor([[[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]]), 2).tolist()
    [[1.0, 0.0, 1.0]]
    """
    return torch.zeros(tokens.shape[:2]).scatter(1, prune_diverse(tokens, keep).index, 1.0)


@torch.no_grad()
def question_attention(reader, visual, questions, layer, *, positions=None):
    """What the last word of each question gives each visual token in a decoder layer, 1 to 4: (B, Q, N).

    The mean over heads; all tokens are there until then. FastV's ranking, of whichever layer.
    ValueError for another layer.

    >>> seen, questions = see(load_reader(), scenes(2)[0]), scenes(2)[1]
    >>> question_attention(load_reader(), seen.visual, questions, 1).shape
    torch.Size([2, 8, 64])
    """
    blocks = reader.small.blocks
    layer = _at_most(layer, "layer", len(blocks), least=1)
    rows = _begin(reader, visual, questions, positions, None)
    for block in blocks[: layer - 1]:
        rows = _through(block, rows)
    return _asked(blocks[layer - 1], rows)


# Asking


@torch.no_grad()
def answer(reader, visual, questions, *, keep=None, scores=None, after=0, renumber=False, positions=None, size=None):
    """Logits (B, Q, words) when of the visual tokens `keep` go on after `after` layers of the decoder (0: before it).

    visual (B, N, width) is what the projector gave, questions (B, Q, 2) are word ids. scores (B, N), or (B, Q, N) where
    each question keeps its own; those with the highest stay, as `compress.prune` chooses them. keep=0 leaves nothing.
    Kept tokens stay at their places, and words where they were; renumber=True counts what is left and then the words
    0, 1, 2, … along all axes. positions (B, N, 3) are (t, h, w), by default those of a grid of 8 x 8; size (B, N) whole
    numbers makes merged tokens count as many (`compress.proportional_bias`).

    Raises ValueError for a keep above N, layers that are not there, or keep without scores.

    >>> reader, (pixels, questions, _) = load_reader(), scenes(2)
    >>> seen, found = see(reader, pixels), scores(reader, pixels, questions)
    >>> answer(reader, seen.visual, questions, keep=16, scores=found["question 1"]).shape
    torch.Size([2, 8, 64])
    """
    layers, N = len(reader.small.blocks), visual.shape[1]
    after, keep = _at_most(after, "after", layers), _at_most(N if keep is None else keep, "keep", N)
    if keep < N and scores is None:
        raise ValueError(f"keep is {keep} of {N} tokens, and no scores say which")
    counts = [N] * after + [keep] * (layers - after)
    rows = _walk(reader, _begin(reader, visual, questions, positions, size), counts, scores, renumber)
    return _said(reader, rows, questions.shape)


@torch.no_grad()
def in_stages(reader, visual, questions, counts, *, scores=None, positions=None):
    """Logits (B, Q, words) when each decoder layer has its count of visual tokens to do with: PyramidDrop.

    counts (layers,) as `compress.pyramid_schedule` makes them, falling from N; before a layer that has fewer, each
    question keeps what its last word looked at most in the layer before, or what scores (as in `answer`) say.

    Raises ValueError for counts that rise, or do not begin with N: the first layer has nothing to choose by.

    >>> from mmtokedu.compress import pyramid_schedule
    >>> reader, (pixels, questions, _) = load_reader(), scenes(2)
    >>> in_stages(reader, see(reader, pixels).visual, questions, pyramid_schedule(64, 4)).shape
    torch.Size([2, 8, 64])
    """
    counts = [whole(count, "counts") for count in counts]
    if len(counts) != len(reader.small.blocks) or counts[0] != visual.shape[1] or np.diff(counts).max(initial=0) > 0:
        raise ValueError(
            f"counts are {counts}; expected {len(reader.small.blocks)} that begin with {visual.shape[1]} and never rise"
        )
    rows = _walk(reader, _begin(reader, visual, questions, positions, None), counts, scores, False)
    return _said(reader, rows, questions.shape)


def sequence(reader, visual, questions, *, positions=None, size=None):
    """What the decoder is given, [visual tokens][questions]: (vectors (B, N, width), angles, mask), for `reader.small`.

    Arguments as `answer`. The logits of question q are those at n + 1 + 2 * q, n the visual tokens.

    >>> reader, (pixels, questions, _) = load_reader(), scenes(2)
    >>> visual = see(reader, pixels).visual
    >>> logits = reader.small(*sequence(reader, visual, questions))[:, 64 + 1 :: 2]
    >>> torch.equal(logits, answer(reader, visual, questions))
    True
    """
    return _sequence(_begin(reader, visual, questions, positions, size))


def _at_most(value, name, most, least=0):
    value = whole(value, name)
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}; expected {least} to {most}")
    return value


class _Rows(NamedTuple):
    """Sequences [visual tokens][questions of two words] on their way through the decoder, R of them."""

    visual: torch.Tensor  # (R, n, width)
    words: torch.Tensor  # (R, questions, 2, width)
    places: torch.Tensor  # (R, n, 3) float64
    start: int  # the place of each question's first word
    size: torch.Tensor  # (R, n) int64, or None: one each


def _begin(reader, visual, questions, positions, size):
    told = reader.small.modality.weight  # 1 is an image
    places = _grid() if positions is None else torch.as_tensor(positions, dtype=torch.float64)
    places = places.expand(*visual.shape[:2], 3)
    return _Rows(visual + told[1], reader.small.word(questions) + told[0], places, max(GRID), size)


def _grid():
    """(t, h, w) of the 64 tokens, (64, 3) float64."""
    return torch.from_numpy(np.stack(np.unravel_index(np.arange(64), (1, *GRID)), axis=1)).double()


def _walk(reader, rows, counts, scores, renumber):
    """The rows after all layers, each with its count of tokens, kept by scores or by what was looked at last."""
    last = None
    for block, count in zip(reader.small.blocks, counts):
        if count < rows.visual.shape[1]:
            rows, kept = _keep(rows, _asked(*last) if scores is None else scores, count, renumber)
            scores = None if scores is None else kept
        last, rows = (block, rows), _through(block, rows)
    return rows


def _through(block, rows):
    x, angles, mask = _sequence(rows)
    x, n = block(x, angles, mask), rows.visual.shape[1]
    return rows._replace(visual=x[:, :n], words=x[:, n:].unflatten(1, rows.words.shape[1:3]))


def _sequence(rows):
    """What a layer is given: vectors (R, N, width), angles (R, N, pairs), and the mask."""
    questions, n = rows.words.shape[1], rows.visual.shape[1]
    words = (rows.start + torch.arange(2.0, dtype=torch.float64)).repeat(questions)
    words = words[None, :, None].expand(len(rows.places), -1, 3)
    places = torch.cat([rows.places, words], dim=1).movedim(-1, 0).numpy()
    angles = torch.from_numpy(pair_angles(places, sections=(6, 5, 5), theta=100.0, layout="interleaved")).float()
    document = torch.arange(-1, questions).repeat_interleave(torch.tensor([n, *[2] * questions]))
    mask = ((document == -1) | (document[:, None] == document)).tril()
    if rows.size is not None:
        bias = torch.cat([proportional_bias(rows.size), torch.zeros(len(rows.size), 2 * questions)], dim=1)
        mask = torch.where(mask, bias[:, None], -torch.inf)
    return torch.cat([rows.visual, rows.words.flatten(1, 2)], dim=1), angles, mask


def _asked(block, rows):
    """What the last word of each question gives each visual token in a layer: (R, questions, n)."""
    n = rows.visual.shape[1]
    weights = look(block, *_sequence(rows)).weights[:, :, n + 1 :: 2, :n]  # (R, heads, questions, n)
    return fastv_scores(weights.transpose(1, 2)[..., None, :])


def _keep(rows, scores, keep, renumber):
    """(rows, scores) of `keep` visual tokens; a row for each question where each has scores of its own."""
    scores = torch.as_tensor(scores)
    if scores.ndim == 3:
        rows, scores = _apart(rows), scores.flatten(0, 1)
    scores = scores.expand(rows.visual.shape[:2])
    index = torch.zeros(len(scores), 0, dtype=torch.int64)
    if keep:
        index = prune(rows.visual, scores, keep).index
    take = lambda part: part.gather(
        1, index.reshape(*index.shape, *[1] * (part.ndim - 2)).expand(-1, -1, *part.shape[2:])
    )
    places, start = take(rows.places), rows.start
    if renumber:
        places, start = torch.arange(keep).double()[:, None].expand_as(places), keep
    size = None if rows.size is None else take(rows.size)
    return _Rows(take(rows.visual), rows.words, places, start, size), take(scores)


def _apart(rows):
    """A row for each question."""
    each = rows.words.shape[1]
    visual, places, size = (
        part if part is None else part.repeat_interleave(each, dim=0) for part in (rows.visual, rows.places, rows.size)
    )
    return _Rows(visual, rows.words.flatten(0, 1)[:, None], places, rows.start, size)


def _said(reader, rows, shape):
    """The logits after each question's last word, (B, Q, words)."""
    small = reader.small
    return small.head(rms(rows.words[:, :, 1]) * small.gain).reshape(*shape[:2], -1)


# Fewer tokens by averaging


@torch.no_grad()
def merge(tokens, keep, *, share=SHARE):
    """ToMe: rounds that merge at most a share of the tokens (B, 64, width), until `keep` are left. Fewer, in order.

    share=1/2 merges half at once, so that every even token must go, whatever it resembles.
    ValueError for a share above 1/2.

    >>> fewer = merge(torch.randn(2, 64, 8), 16)
    >>> fewer.tokens.shape, fewer.size.sum(dim=1).tolist()
    (torch.Size([2, 16, 8]), [64, 64])
    """
    return _merge(Fewer(tokens, _grid().float().expand(len(tokens), -1, -1), None), tokens, keep, share)


def _merge(fewer, metric, keep, share):
    """The same for tokens of which some may be merged already, compared by metric (B, n, d)."""
    if not 0 < share <= 0.5:
        raise ValueError(f"share is {share}; expected above 0, at most 1/2")
    tokens, positions, size = fewer
    widths = [part.shape[-1] for part in (tokens, metric, positions)]
    columns = torch.cat([tokens, metric, positions], dim=-1)  # all become weighted means
    size = torch.ones(tokens.shape[:2], dtype=torch.int64) if size is None else size
    while (n := columns.shape[1]) > keep:
        metric = columns.split(widths, dim=-1)[1].contiguous()
        columns, size, source = merge_tokens(columns, min(n - keep, max(1, int(n * share))), metric=metric, size=size)
        order = _reading_order(columns[..., -2:])
        columns, size = columns.gather(1, order[..., None].expand_as(columns)), size.gather(1, order)
    tokens, _, positions = columns.split(widths, dim=-1)
    return Fewer(tokens, positions, size)


def _reading_order(places):
    """Tokens by mean place, rows first: places (B, n, 2) -> which (B, n)."""
    return (places[..., 0] * GRID[1] + places[..., 1]).argsort(dim=-1, stable=True)


@torch.no_grad()
def with_rest(tokens, scores, keep):
    """The `keep` tokens with the highest scores (B, 64), and one that stands for all others: Fewer, keep + 1 tokens.

    >>> with_rest(torch.randn(2, 64, 8), torch.rand(2, 64), 16).size[0].tolist()[-2:]
    [1, 48]
    """
    width, columns = tokens.shape[-1], torch.cat([tokens, _grid().float().expand(len(tokens), -1, -1)], dim=-1)
    merged = merge_rest(columns, prune(tokens, scores, keep).index)
    return Fewer(merged.tokens[..., :width], merged.tokens[..., width:], merged.size)


@torch.no_grad()
def merge_inside(reader, pixels, keep, *, sizes=True, share=SHARE):
    """ToMe as it was published: in each layer of the eyes, between attention and perceptron, by the layer's keys.

    Every layer leaves the same share of the tokens before it. sizes: later layers count a merged token as many.

    >>> merge_inside(load_reader(), scenes(2)[0], 16).tokens.shape
    torch.Size([2, 16, 64])
    """
    vision = reader.vision
    x = vision.embed(pixels)
    fewer = Fewer(x, _grid().float().expand(len(x), -1, -1), None)
    for i, block in enumerate(vision.blocks, start=1):
        bias = proportional_bias(fewer.size)[:, None] if sizes and fewer.size is not None else None
        looked = look(block, fewer.tokens, mask=bias)
        x = fewer.tokens + block.out((looked.weights @ looked.values).transpose(1, 2).flatten(2))
        left = round(64 * (keep / 64) ** (i / len(vision.blocks)))
        fewer = _merge(fewer._replace(tokens=x), looked.keys.mean(dim=1), left, share)
        x = fewer.tokens
        fewer = fewer._replace(tokens=x + block.down(torch.relu(block.up(rms(x) * block.gains[1])).square()))
    return fewer._replace(tokens=rms(fewer.tokens) * vision.gain)


@torch.no_grad()
def pool(tokens, keep):
    """The mean of each window of the grid, `keep` of them as WINDOWS says: Fewer. keep=16 is 2 x 2.

    >>> pool(torch.zeros(2, 64, 8), 16).positions[0, 0].tolist()
    [0.0, 0.5, 0.5]
    """
    places = _grid().float().expand(len(tokens), -1, -1)
    tokens, positions = (pool_tokens(part, GRID, WINDOWS[keep]) for part in (tokens, places))
    return Fewer(tokens, positions, torch.full(tokens.shape[:2], 64 // keep))
