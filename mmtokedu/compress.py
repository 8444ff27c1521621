"""Fewer tokens: keep some (prune), average alike ones (merge), put neighbours side by side (shuffle) or pool them."""

import itertools
import math
from typing import NamedTuple

import numpy as np

from mmtokedu._dispatch import has_cuda_twin
from mmtokedu.arguments.common import check_array, check_finite, positive
from mmtokedu.arguments.compress import (
    check_at,
    check_attention,
    check_blocks,
    check_fill,
    check_grid,
    check_index,
    check_keep,
    check_merge,
    check_order,
    check_pool,
    check_positions,
    check_r,
    check_ratio,
    check_scores,
    check_size,
    check_source,
    check_span,
    check_stages,
    check_tokens,
    check_window,
)
from mmtokedu.vq import _distinct

TILE = 2**22  # similarities made at a time: 16 MiB of float32; the search for the largest finds them in a large cache
SUMMED = 2**17  # numbers that are added up at a time: half a MiB of float32
FEW = 8  # tokens whose sum float32 can hold; of more the mean is made in float64
ALIKE = 2.0**-20  # a distance that rounding alone can make: tokens so near count as equal
POOLS = "average", "adaptive", "bilinear"
ORDERS = "tome", "place"


class Kept(NamedTuple):
    """Tokens that were kept, and which they were: their positions, which they should keep too."""

    tokens: np.ndarray  # (..., keep, D)
    index: np.ndarray  # (..., keep) int64, ascending


class Merged(NamedTuple):
    """Tokens that stand for one or several of those before."""

    tokens: np.ndarray  # (..., M, D), the mean of those that it stands for
    size: np.ndarray  # (..., M) int64, how many those are
    source: np.ndarray  # (..., N) int64, in which token each of those before is now


class Distinct(NamedTuple):
    """Tokens that differ, where each was seen first, how often, and which of them each of those before is."""

    tokens: np.ndarray  # (M, D)
    index: np.ndarray  # (M,) int64, ascending: the positions
    size: np.ndarray  # (M,) int64
    source: np.ndarray  # (N,) int64


class Matched(NamedTuple):
    """For each even token the odd one that it resembles most."""

    similarity: np.ndarray  # (..., evens), the cosine, -inf where there is no odd token
    partner: np.ndarray  # (..., evens) int64: i stands for token 2 * i + 1


# Keep some


@has_cuda_twin
def prune(tokens, scores, keep):
    """Keep the tokens with the highest scores, in their order: Kept(tokens (..., keep, D), index (..., keep)).

    tokens (..., N, D), scores (..., N) real numbers, keep a count from 1 to N; of equal scores the lowest index is
    kept. The index is ascending and says where the kept tokens were: give a model these positions and not 0 … keep - 1,
    or it looks for things in the wrong place. To keep the lowest, prune with -scores.

    Raises ValueError for a keep of 0 or more than N, scores that are NaN or of another shape; TypeError for a share.

    >>> kept = prune(np.eye(4), np.array([0.1, 0.9, 0.4, 0.9]), 2)
    >>> kept.index.tolist(), kept.tokens.tolist()
    ([1, 3], [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    """
    check_scores(scores, tokens)
    keep = check_keep(keep, tokens.shape[-2])
    return _kept(tokens, np.argsort(-scores.astype(np.float64), axis=-1, kind="stable")[..., :keep])


def _items(x, axes):
    """x (..., the last axes) -> (items, the last axes), also where there are none. Arrays and tensors."""
    lead = len(x.shape) - axes
    return x.reshape(math.prod(x.shape[:lead]), *x.shape[lead:])


def _kept(tokens, chosen):
    index = np.sort(chosen, axis=-1)
    return Kept(np.take_along_axis(tokens, index[..., None], axis=-2), index)


def received_scores(attention):
    """How much attention each token gets: the mean over heads and queries, attention (..., heads, Q, N) -> (..., N).

    For an encoder without a [CLS] token. The weights are those after the softmax.
    Source: VisionZip (arXiv 2412.04467), for encoders without [CLS].

    >>> received_scores(np.array([[[0.5, 0.5], [0.0, 1.0]]])).tolist()
    [0.25, 0.75]
    """
    check_attention(attention)
    return attention.mean(-2).mean(-2)


def cls_scores(attention, *, at=0):
    """How much attention [CLS] pays to each other token, the mean over heads: (..., heads, N + 1, N + 1) -> (..., N).

    `at` is the place of [CLS], whose own weight is left out. The weights are those of one layer of the encoder, after
    the softmax; VisionZip takes the last layer but one of CLIP's.

    Raises ValueError where there is no such token, TypeError where there are no weights.
    Source: VisionZip (arXiv 2412.04467), FasterVLM (arXiv 2412.01818).

    >>> attention = np.array([[[0.5, 0.25, 0.25], [0, 1, 0], [0, 0, 1]], [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]]])
    >>> cls_scores(attention).tolist()
    [0.375, 0.125]
    """
    check_attention(attention)
    at = check_at(at, attention.shape[-1])
    scores = attention[..., at, :].mean(-2)
    others = [i for i in range(scores.shape[-1]) if i != at]
    return scores[..., others]


def fastv_scores(attention, span=None, *, query="last"):
    """FastV: how much attention the text pays to each visual token, in one layer, the mean over heads.

    attention (..., heads, Q, N) are the weights of a layer of the language model; span (start, stop) says which keys
    are visual tokens, all where None -> (..., stop - start). query="last" asks the last token alone, as the authors'
    code does; "mean" asks all queries, as their paper's words are. FlashAttention has no weights to give: those of one
    layer are worked out again.

    Raises ValueError for a span outside the keys or another query, TypeError where there are no weights.
    Source: FastV (arXiv 2403.06764).

    >>> attention = np.array([[[1, 0, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5]], [[1, 0, 0], [0, 1, 0], [0.4, 0.1, 0.5]]])
    >>> fastv_scores(attention, (0, 2)).round(2).tolist()
    [0.3, 0.2]
    """
    check_attention(attention)
    start, stop = check_span(span, attention.shape[-1])
    if query not in ("last", "mean"):
        raise ValueError(f'query is {query!r}; choose "last" or "mean"')
    if query == "mean":
        return received_scores(attention)[..., start:stop]
    return attention[..., -1, start:stop].mean(-2)


@has_cuda_twin
def norm_scores(tokens):
    """The length of each token: (..., N, D) -> (..., N), float32 or wider.

    Look at which end to keep on a validation set: the sign differs between models, layers, and sides of a
    normalisation.
    Raises TypeError for other than floats.

    >>> norm_scores(np.array([[3.0, 4.0], [0.0, 1.0]])).tolist()
    [5.0, 1.0]
    """
    check_tokens(tokens)
    wide = tokens.astype(np.result_type(tokens.dtype, np.float32), copy=False)
    return np.sqrt(np.vecdot(wide, wide))


@has_cuda_twin
def prune_diverse(tokens, keep, *, metric=None):
    """DivPrune: keep tokens that are far from each other, by cosine. Kept as of `prune`; no question is looked at.

    The first is the token whose nearest neighbour is farthest; then, over and over, the one farthest from its nearest
    among those chosen. Of equal distances the lowest index; distances under 1e-6 are 0, so that duplicates come last.
    metric (..., N, d) is what is compared, the tokens unless given.

    Raises ValueError for a keep of 0 or more than N, or a metric that is not finite or of another shape.
    Source: DivPrune (arXiv 2503.02175): the max-min diversity problem, solved greedily.

    >>> prune_diverse(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [-1.0, 0.0]]), 3).index.tolist()
    [0, 2, 3]
    """
    check_merge(tokens, metric, None, None)
    keep = check_keep(keep, tokens.shape[-2])
    metric = tokens if metric is None else metric
    chosen = [_spread(_units(x), keep) for x in _items(metric, 2)]
    return _kept(tokens, np.array(chosen, np.int64).reshape(*tokens.shape[:-2], keep))


def _units(metric):
    """metric (N, d) with each row divided by its length; zeros stay."""
    metric, squares = _computable(metric)
    return metric * _inverses(squares)[:, None]


def _spread(units, keep):
    """The tokens chosen by greatest distance to those before: units (N, d) of length 1 -> keep indices, in order."""
    nearest = np.full(len(units), np.inf, units.dtype)
    step = max(1, TILE // len(units))
    for start in range(0, len(units), step):
        rows = 1 - units[start : start + step] @ units.T
        each = np.arange(len(rows))
        rows[each, start + each] = np.inf  # none is its own neighbour
        nearest[start : start + step] = rows.min(axis=1)
    chosen = [int(_told_apart(nearest).argmax())]
    nearest = np.full(len(units), np.inf, units.dtype)
    while len(chosen) < keep:
        nearest = np.minimum(nearest, 1 - units @ units[chosen[-1]])
        nearest[chosen[-1]] = -np.inf
        chosen.append(int(_told_apart(nearest).argmax()))
    return chosen


def _told_apart(distances):
    return np.where(np.abs(distances) < ALIKE, 0, distances)


def pyramid_schedule(tokens, layers, *, at=None, ratio=0.5):
    """PyramidDrop: how many visual tokens each layer of the language model has to do with, (layers,) int64.

    Before each of the layers `at` all but a share `ratio` is dropped, counted from the first: int(tokens *
    ratio**stage), at least 1. `at` None is a quarter, a half and three quarters of the way, as its authors have it (8,
    16 and 24 of 32). With one stage it is FastV. The mean over the layers is what a plot should have as its axis:
    tokens were paid until they were dropped.

    Raises ValueError for layers outside the model or a ratio above 1.
    Source: PyramidDrop (arXiv 2410.17247).

    >>> pyramid_schedule(576, 32)[[0, 8, 16, 24]].tolist(), float(pyramid_schedule(576, 32).mean())
    ([576, 288, 144, 72], 270.0)
    >>> float(pyramid_schedule(576, 32, at=[2], ratio=1 / 3).mean())
    216.0
    """
    tokens, layers = positive(tokens, "tokens"), positive(layers, "layers")
    at = [layers * quarter // 4 for quarter in (1, 2, 3)] if at is None else at
    ratio, stages = check_ratio(ratio), check_stages(at, layers)
    stage = np.searchsorted(stages, np.arange(layers), side="right")
    return np.array([max(1, int(tokens * ratio**s)) for s in stage.tolist()], np.int64)


# Average alike ones


@has_cuda_twin
def match_tokens(metric):
    """Which odd token each even one resembles most: metric (..., N, d) floats -> Matched(similarity, partner).

    Similarity is the cosine; a token of zeros has 0 with any. Of equal partners the lowest index is chosen.
    Similarities are made a tile at a time, so that memory does not grow with their number, (N / 2)².

    Raises ValueError for numbers that are not finite (tensors on a graphics card are not read back).
    Source: ToMe (arXiv 2210.09461), bipartite soft matching.

    >>> matched = match_tokens(np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0], [3.0, 0.0]]))
    >>> matched.similarity.tolist(), matched.partner.tolist()
    ([1.0, 1.0], [1, 0])
    """
    check_tokens(metric, "metric")
    *lead, N, _ = metric.shape
    found = [_matched(x) for x in _items(metric, 2)]
    pairs = (np.array([row[i] for row in found], t) for i, t in enumerate((np.float64, np.int64)))
    return Matched(*(each.reshape(*lead, (N + 1) // 2) for each in pairs))


def _matched(metric):
    """(similarity, partner) of the even tokens of metric (N, d)."""
    metric, squares = _computable(metric)
    a, b = metric[::2], metric[1::2]
    if not len(b):
        return np.full(len(a), -np.inf), np.full(len(a), -1)
    distinct = _firsts(b, squares[1::2])
    b = b if len(distinct) == len(b) else b[distinct]
    scale = _inverses(squares[1::2][distinct])
    partner, dots, rows = np.empty(len(a), np.int64), np.empty(len(a), a.dtype), max(1, TILE // len(b))
    scores = np.empty((min(rows, len(a)), len(b)), a.dtype)
    for start in range(0, len(a), rows):
        some = a[start : start + rows]
        tile, best = scores[: len(some)], partner[start : start + rows]
        np.matmul(some, b.T, out=tile)
        np.multiply(tile, scale, out=tile)  # the length of some[i] changes no row's largest
        tile.argmax(axis=1, out=best)
        dots[start : start + rows] = np.vecdot(some, b[best])
    partner = distinct[partner]
    both = np.sqrt(squares[::2].astype(np.float64) * squares[1::2][partner])  # of equal ones exactly their square
    return np.divide(dots, both, where=both > 0, out=np.zeros(len(a))), partner


def _computable(metric):
    """(metric, squares): metric (N, d) in a dtype and of a magnitude whose squared lengths (N,) can be computed with.

    That is float32 or wider; float64, and divided by a power of two, where there are lengths beyond float32's squares.
    Raises ValueError where a number is not finite.
    """
    metric = metric.astype(np.result_type(metric.dtype, np.float32), copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.vecdot(metric, metric)
    if np.isfinite(squares).all() and not metric[squares < 1e-30].any():
        return metric, squares
    exponent = int(np.frexp(check_finite(metric, "metric"))[1])
    metric = np.ldexp(metric.astype(np.float64), -exponent)
    return metric, np.vecdot(metric, metric)


def _firsts(rows, squares):
    """The rows that equal none before them, by index: only rows of one length can be equal."""
    _, which, counts = np.unique(squares, return_inverse=True, return_counts=True)
    doubt = np.flatnonzero(counts[which] > 1)
    first = counts[which] == 1
    first[doubt[_distinct(rows[doubt])]] = True
    return np.flatnonzero(first)


def _inverses(squares):
    """1 over each length, 0 for the length 0."""
    lengths = np.sqrt(squares)
    return np.divide(1, lengths, where=lengths > 0, out=np.zeros_like(lengths))


@has_cuda_twin
def merge_tokens(tokens, r, *, metric=None, size=None, source=None, class_token=False, order="tome"):
    """ToMe: r of the even tokens join the odd ones that they resemble most. Merged(tokens, size, source), N - r tokens.

    tokens (..., N, D) floats, r from 0 to half of them. metric (..., N, d) is what is compared, by cosine, the tokens
    unless given (ToMe: the keys of the layer, their mean over heads). The r even tokens go whose likeness to their
    partner is largest, of equals the lower index; what merges becomes the mean, weighted by `size`. With class_token
    the first token stays by itself. `order` "tome" is the official one: even tokens that stay, least likely to merge
    last (in their own order with class_token), then odd ones; "place" is by the first token that each stands for.

    For another round give merged.size and merged.source, so that means stay those of the first tokens, and source
    speaks of these. Columns of positions, put beside the tokens with a metric of their own, come out as mean positions.
    Half the tokens at once leave no choice of who merges: several rounds of an eighth do.

    Raises ValueError for an r larger than half, shapes that do not fit, sizes that do not add up to the tokens in
    source, a metric that is not finite; TypeError for sizes that are no whole numbers.
    Source: ToMe (arXiv 2210.09461), `tome/merge.py`; there a too large r is cut to half without a word.

    >>> merged = merge_tokens(np.array([[4.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 0.0]]), 1)
    >>> merged.tokens.tolist(), merged.size.tolist(), merged.source.tolist()
    ([[1.0, 1.0], [0.0, 1.0], [3.0, 0.0]], [1, 1, 2], [2, 1, 0, 2])
    """
    check_merge(tokens, metric, size, source)
    r = check_r(r, tokens.shape[-2], class_token)
    if r == 0:  # all stay, and where they are
        step = np.broadcast_to(np.arange(tokens.shape[-2]), tokens.shape[:-1]).copy()
    else:
        step = _step(tokens if metric is None else metric, r, class_token)
    step = _ordered(step, order, source)
    merged, sizes = _means(tokens, size, step, tokens.shape[-2] - r)
    return Merged(merged, sizes, step if source is None else np.take_along_axis(step, source, axis=-1))


def _step(metric, r, class_token):
    """Where each token is after one round, in the official order: metric (..., N, d) -> (..., N) int64."""
    similarity, partner = match_tokens(metric)
    if class_token:
        similarity[..., 0] = -np.inf
    ranked = np.argsort(-similarity, axis=-1, kind="stable")
    gone, stay = ranked[..., :r], ranked[..., r:]
    if class_token:
        stay = np.sort(stay, axis=-1)
    N, staying = metric.shape[-2], stay.shape[-1]
    step = np.empty(metric.shape[:-1], np.int64)
    step[..., 1::2] = np.arange(staying, N - r)
    np.put_along_axis(step, 2 * stay, np.arange(staying), axis=-1)
    np.put_along_axis(step, 2 * gone, staying + np.take_along_axis(partner, gone, axis=-1), axis=-1)
    return step


def _ordered(step, order, source):
    """step (..., N), the new place of each token, with the places numbered as `order` says."""
    check_order(order, ORDERS)
    if order == "tome" or not step.size:
        return step
    out = step.copy()
    for row, new, before in zip(_items(step, 1), _items(out, 1), _rows(source)):
        whole = row if before is None else row[before]
        first = np.unique(whole, return_index=True)[1]
        place = np.empty(len(first), np.int64)
        place[np.argsort(first)] = np.arange(len(first))
        new[:] = place[row]
    return out


def _rows(source):
    """The rows of source (..., N), or None over and over."""
    return itertools.repeat(None) if source is None else _items(source, 1)


def _means(tokens, size, step, count):
    """(means, sizes) of `count` groups of tokens (..., N, D), weighted by size: those alike in step (..., N)."""
    *lead, _, D = tokens.shape
    step = _items(step, 1)
    size = np.ones(step.shape, np.int64) if size is None else _items(size, 1).astype(np.int64)
    out, sizes = np.empty((len(step), count, D), tokens.dtype), np.empty((len(step), count), np.int64)
    for x, weight, group, means, sums in zip(_items(tokens, 2), size, step, out, sizes):
        _mean(x, weight, group, means)
        sums[:] = np.bincount(group, weights=weight, minlength=count)
    return out.reshape(*lead, count, D), sizes.reshape(*lead, count)


def _mean(x, weight, group, out):
    """Write the mean of each group of x (N, D) to out: the first of each, to which the others are added one by one."""
    members = np.argsort(group, kind="stable")
    counts = np.bincount(group, minlength=len(out))
    starts = np.cumsum(counts) - counts
    np.take(x, members[starts], axis=0, out=out, mode="clip")
    many, step = np.flatnonzero(counts > 1), max(1, SUMMED // x.shape[-1])
    work = np.float64 if counts.max(initial=0) > FEW else np.result_type(x.dtype, np.float32)
    weight = None if (weight == 1).all() else weight[:, None].astype(work)
    for some in (many[i : i + step] for i in range(0, len(many), step)):
        sums, sizes = out[some].astype(work), counts[some, None].astype(work)
        if weight is not None:
            sizes = weight[members[starts[some]]]
            sums *= sizes
        for k in range(1, counts[some].max()):
            more = np.flatnonzero(counts[some] > k)
            more = slice(None) if len(more) == len(some) else more  # then nothing has to be looked up
            nth = members[starts[some[more]] + k]
            sums[more] += x[nth] if weight is None else x[nth] * weight[nth]
            if weight is not None:
                sizes[more] += weight[nth]
        out[some] = sums / sizes


@has_cuda_twin
def unmerge(merged):
    """Give each of the tokens before the one that it is in now: (..., N, D), N as many as merged.source has.

    `merged` is a Merged or a Distinct. What was averaged stays averaged; of a Distinct everything comes back.
    Raises ValueError for sizes that do not add up to N, or a source that names no token.

    >>> unmerge(merge_tokens(np.array([[4.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 0.0]]), 1)).tolist()
    [[3.0, 0.0], [0.0, 1.0], [1.0, 1.0], [3.0, 0.0]]
    """
    check_array(merged.tokens, "tokens")
    check_size(merged.size, tuple(merged.tokens.shape[:-1]))
    check_source(merged.source, merged.size)
    return np.take_along_axis(merged.tokens, merged.source[..., None], axis=-2)


@has_cuda_twin
def merge_rest(tokens, index):
    """Keep the tokens at `index` (..., keep), ascending, and merge all others into one: Merged, that one at the end.

    Pruned tokens are missing twice: what they said, and their weight in every softmax that they would have been in.
    The last token stands for them with its size; give it to the scores by `proportional_bias`. Where all are kept,
    nothing is added. Columns of positions, put beside the tokens, come out with the mean position of the rest.

    Raises ValueError for an index that is not ascending, or names a token that is not there.
    Source: the one token for all inattentive ones is EViT's (arXiv 2202.07800), there weighted by attention; sizes are
    ToMe's (arXiv 2210.09461).

    >>> merged = merge_rest(np.array([[1.0], [2.0], [6.0], [4.0]]), np.array([1]))
    >>> merged.tokens.ravel().round(2).tolist(), merged.size.tolist(), merged.source.tolist()
    ([2.0, 3.67], [1, 3], [1, 0, 1, 1])
    """
    check_tokens(tokens)
    keep, N = check_index(index, tokens), tokens.shape[-2]
    count = min(keep + 1, N)
    source = np.full(tokens.shape[:-1], count - 1, np.int64)
    np.put_along_axis(source, np.asarray(index), np.arange(keep), axis=-1)
    return Merged(*_means(tokens, None, source, count), source)


@has_cuda_twin
def proportional_bias(size):
    """What to add to scores of attention, before the softmax, so that a merged token counts as those it stands for.

    size (..., N) -> its logarithm, float32. Add it along the keys: scores (..., heads, Q, N) + bias[..., None, None,
    :].

    Raises TypeError for sizes that are no whole numbers, ValueError for one under 1.
    Source: ToMe (arXiv 2210.09461, section 3), proportional attention.

    >>> weights = np.exp(np.array([0.5, 0.1]) + proportional_bias(np.array([1, 3])))
    >>> alone = np.exp([0.5, 0.1, 0.1, 0.1])
    >>> bool(np.allclose(weights / weights.sum(), [alone[0] / alone.sum(), alone[1:].sum() / alone.sum()]))
    True
    """
    check_size(size)
    return np.log(size, dtype=np.float32)


@has_cuda_twin
def merge_duplicates(patches):
    """Before an encoder: which patches are there, and where each was first. Distinct(tokens, index, size, source).

    patches (N, D) of any numbers; two are the same where every bit is (0.0 and -0.0 are not). The index is ascending:
    the encoder is to be given these positions. unmerge puts every patch back, so nothing is lost before it looks; but
    an encoder whose tokens know their place makes different tokens of equal patches, and the copies are then gone.

    Raises TypeError for other than numbers, ValueError for another shape.
    Source: PixelPrune (arXiv 2604.00886), at a threshold of 0.

    >>> distinct = merge_duplicates(np.array([[7, 7], [1, 2], [7, 7], [7, 7]], np.uint8))
    >>> distinct.index.tolist(), distinct.size.tolist(), distinct.source.tolist()
    ([0, 1], [3, 1], [0, 1, 0, 0])
    """
    check_array(patches, "patches")
    if len(patches.shape) != 2 or not patches.shape[1]:
        raise ValueError(f"patches have shape {tuple(patches.shape)}; expected (N, D), one image's patches")
    rows = np.ascontiguousarray(patches).view((np.void, patches.shape[1] * patches.itemsize)).ravel()
    seen = {}  # bytes of a patch -> which of the distinct ones it is
    source = np.array([seen.setdefault(row, len(seen)) for row in rows.tolist()], np.int64)
    index = np.unique(source, return_index=True)[1]
    return Distinct(patches[index], index, np.bincount(source, minlength=len(index)), source)


# Neighbours


def shuffle_map(grid, factor):
    """Which tokens a block puts side by side: (blocks, factor * factor) int64, places in a grid read row by row.

    grid (rows, columns), or (frames, rows, columns); blocks go row by row, and so do the tokens inside a block. It is
    the one map of InternVL, Idefics3, SmolVLM, Llama 4, LFM2-VL and Qwen's merger, whose processor has already laid out
    the patches in this order, so that merging is a reshape there.

    Raises ValueError for a grid that the factor does not divide.
    Source: transformers 5.23.0, `pixel_shuffle` of `models/internvl`, `idefics3`, `llama4`; `pixel_unshuffle` of
    `lfm2_vl`.

    >>> shuffle_map((2, 4), 2).tolist()
    [[0, 1, 4, 5], [2, 3, 6, 7]]
    """
    frames, rows, columns, factor = check_blocks(grid, factor)
    return pixel_shuffle(np.arange(float(frames * rows * columns))[:, None], grid, factor).astype(np.int64)


def pixel_shuffle(tokens, grid, factor):
    """Put the tokens of a block of factor x factor side by side: (..., N, D) -> (..., N / factor², factor² * D).

    grid (rows, columns), or (frames, rows, columns), has N places, row by row; `shuffle_map` says what goes where. No
    number is lost or changed: tokens get fewer and wider, and what follows (an MLP) chooses what stays. Arrays and
    tensors.

    Raises ValueError for a grid that the factor does not divide, or another number of tokens.
    Source: InternVL 1.5 (arXiv 2404.16821). torch calls this direction pixel_unshuffle.

    >>> pixel_shuffle(np.arange(8.0).reshape(8, 1), (2, 4), 2).tolist()
    [[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]]
    """
    frames, rows, columns, f = check_blocks(grid, factor)
    check_fill(tokens, frames * rows * columns, check_grid(grid))
    *lead, N, D = tokens.shape
    cells = tokens.reshape(*lead, frames * (rows // f), f, columns // f, f, D)
    return cells.swapaxes(-4, -3).reshape(*lead, N // f**2, f * f * D)


def pixel_unshuffle(tokens, grid, factor):
    """Undo `pixel_shuffle`: (..., N / factor², factor² * D) -> (..., N, D); the grid is the one of the N tokens.

    Raises ValueError for a grid that the factor does not divide, or tokens of another number or width.

    >>> pixel_unshuffle(np.array([[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]]), (2, 4), 2).ravel().tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    """
    frames, rows, columns, f = check_blocks(grid, factor)
    coarse = frames, rows // f, columns // f
    check_fill(tokens, coarse[0] * coarse[1] * coarse[2], coarse)
    *lead, _, wide = tokens.shape
    if wide % (f * f):
        raise ValueError(f"tokens have {wide} numbers each; {f * f} side by side would be a multiple of {f * f}")
    cells = tokens.reshape(*lead, frames * (rows // f), columns // f, f, f, wide // f**2)
    return cells.swapaxes(-4, -3).reshape(*lead, frames * rows * columns, wide // f**2)


def temporal_pairs(frames, tokens):
    """Which tokens of two frames ERNIE 4.5 VL puts side by side: (pairs, 2) int64, frame after frame of `tokens` each.

    A still picture stands for both frames; of an odd number of frames the last is left out.
    Source: transformers 5.23.0 `models/ernie4_5_vl_moe`, `_temporal_slicing`.

    >>> temporal_pairs(2, 2).tolist(), temporal_pairs(1, 2).tolist()
    ([[0, 2], [1, 3]], [[0, 0], [1, 1]])
    """
    frames, tokens = positive(frames, "frames"), positive(tokens, "tokens")
    first = np.arange(0, max(1, frames - 1), 2)
    pairs = np.stack([first, np.minimum(first + 1, frames - 1)], axis=1)  # (pairs of frames, 2)
    return (pairs[:, None] * tokens + np.arange(tokens)[:, None]).reshape(-1, 2)


def pool_weights(places, window, *, rule="average"):
    """How much each place of one axis counts in each pooled one: (pooled, places) float64, every row adds up to 1.

    "average": windows side by side, which must fill the axis. "adaptive": places // window of them, as even as can be,
    where need be with a place in two. "bilinear": ⌈places / window⌉ points, each read between its two neighbours.
    weights @ np.arange(places) is where each pooled token is.

    Raises ValueError for windows that do not fill the axis, or another rule.
    Source: torch's `avg_pool2d`, `adaptive_avg_pool2d`, `interpolate` (align_corners=False, no antialiasing).

    >>> pool_weights(5, 2, rule="adaptive").round(2).tolist()
    [[0.33, 0.33, 0.33, 0.0, 0.0], [0.0, 0.0, 0.33, 0.33, 0.33]]
    >>> pool_weights(3, 2, rule="bilinear").tolist()
    [[0.75, 0.25, 0.0], [0.0, 0.25, 0.75]]
    """
    places, window = positive(places, "places"), positive(window, "window")
    check_pool(places, window, rule, POOLS)
    if rule == "bilinear":
        pooled = -(-places // window)
        at = np.clip((np.arange(pooled) + 0.5) * (places / pooled) - 0.5, 0, places - 1)
        return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(places)))
    pooled = places // window
    i, place = np.arange(pooled)[:, None], np.arange(places)
    inside = (place >= i * places // pooled) & (place < -(-(i + 1) * places // pooled))
    return inside / inside.sum(axis=1, keepdims=True)


@has_cuda_twin
def pool_tokens(tokens, grid, window, *, rule="average", positions=None):
    """Average neighbours: tokens (..., N, D) of a grid (rows, columns) -> (..., fewer, D), row by row.

    window is a number or (rows, columns); `pool_weights` has the rules: "average" (Gemma 3: 4 x 4, Gemma 4: 3 x 3),
    "adaptive" (Perception-LM: 2), "bilinear" (LLaVA-OneVision: 2, ⌈n / 2⌉ a side). Sums are float32 at least. Tokens in
    another order, as Qwen's processor lays them out, have their positions (N, 2), (row, column), told.

    Raises ValueError for windows that do not fill a side, another number of tokens, another rule, or positions that do
    not name every place once.
    Source: transformers 5.23.0, `models/gemma3`, `gemma4`, `perception_lm`, `llava_onevision`.

    >>> pool_tokens(np.arange(8.0).reshape(8, 1), (2, 4), 2).tolist()
    [[2.5], [4.5]]
    """
    down, across = _pooling(tokens, grid, window, rule)
    if positions is not None:
        tokens = tokens[..., check_positions(positions, grid), :]
    wide = np.result_type(tokens.dtype, np.float32)
    return _pooled(tokens.astype(wide, copy=False), down.astype(wide), across.astype(wide)).astype(tokens.dtype)


def _pooling(tokens, grid, window, rule):
    """The weights along rows and along columns, (pooled, places) each, once everything fits."""
    rows, columns = check_grid(grid)[-2:]
    if len(grid) == 3:
        raise ValueError(f"grid is {tuple(grid)}; expected (rows, columns), a frame at a time")
    check_fill(tokens, rows * columns, (rows, columns))
    return (pool_weights(side, step, rule=rule) for side, step in zip((rows, columns), check_window(window)))


def _pooled(tokens, down, across):
    """tokens (..., rows * columns, D) -> (..., M, D): along the columns, then along the rows. Arrays and tensors."""
    *lead, _, D = tokens.shape
    x = across @ tokens.reshape(*lead, down.shape[1], across.shape[1], D)  # (..., rows, pooled columns, D)
    x = down @ x.reshape(*lead, down.shape[1], across.shape[0] * D)
    return x.reshape(*lead, down.shape[0] * across.shape[0], D)
