"""Torch twins of `mmtokedu.compress`; the docstrings are there."""

import torch

from mmtokedu import compress
from mmtokedu.arguments.common import check_array, check_finite
from mmtokedu.arguments.compress import (
    check_index,
    check_keep,
    check_merge,
    check_order,
    check_positions,
    check_r,
    check_scores,
    check_size,
    check_source,
    check_tokens,
)
from mmtokedu.compress import ALIKE, Distinct, Kept, Matched, Merged, _items
from mmtokedu.cuda import runs_triton
from mmtokedu.cuda._eager import eagerly
from mmtokedu.cuda.vq import SCORES, _check_device


def prune(tokens, scores, keep):
    """See `mmtokedu.compress.prune`. Gradients go to the tokens that are kept."""
    check_scores(scores, tokens)
    _check_device(tokens=tokens, scores=scores)
    keep = check_keep(keep, tokens.shape[-2])
    return _kept(tokens, scores.argsort(dim=-1, descending=True, stable=True)[..., :keep])


def _kept(tokens, chosen):
    index = chosen.sort(dim=-1).values
    return Kept(_taken(tokens, index), index)


def _taken(tokens, index):
    """The tokens (..., N, D) at an index (..., M)."""
    return tokens.gather(-2, index[..., None].expand(*index.shape, tokens.shape[-1]))


def norm_scores(tokens):
    """See `mmtokedu.compress.norm_scores`."""
    check_tokens(tokens)
    return torch.linalg.vector_norm(_wide(tokens), dim=-1)


def _wide(x):
    return x.to(torch.promote_types(x.dtype, torch.float32))


@eagerly
def prune_diverse(tokens, keep, *, metric=None):
    """See `mmtokedu.compress.prune_diverse`. Gradients go to the tokens that are kept."""
    check_merge(tokens, metric, None, None)
    keep = check_keep(keep, tokens.shape[-2])
    metric = tokens if metric is None else metric
    _check_device(tokens=tokens, metric=metric)
    if tokens.is_cuda:
        chosen = _spread(_units(metric.detach()), keep)
    else:
        chosen = torch.from_numpy(compress.prune_diverse(_array(metric), keep).index)
    return _kept(tokens, chosen.to(tokens.device))


def _array(x):
    """The numbers of x, also of bfloat16, as an array."""
    return (x.float() if x.dtype == torch.bfloat16 else x).numpy(force=True)


def _units(x):
    """x (..., N, d) with each row divided by its length, float32 or wider; zeros stay."""
    x = _scaled(_wide(x))
    return x * _inverses(x)


def _spread(units, keep):
    """The tokens chosen by greatest distance to those before: units (..., N, d) -> (..., keep), in order."""
    *lead, N, _ = units.shape
    units = _items(units, 2)
    nearest = units.new_empty(units.shape[:2])
    step = max(1, SCORES // max(1, len(units) * N))
    for start in range(0, N, step):
        rows = 1 - units[:, start : start + step] @ units.mT
        rows.diagonal(start, dim1=1, dim2=2).fill_(torch.inf)  # none is its own neighbour
        nearest[:, start : start + step] = rows.amin(dim=2)
    chosen, left = [], torch.full_like(nearest, torch.inf)
    for _ in range(keep):
        last = torch.where(nearest.abs() < ALIKE, 0, nearest).argmax(dim=1, keepdim=True)
        chosen.append(last)
        left = torch.minimum(left, 1 - (units * _taken(units, last)).sum(dim=2)).scatter(1, last, -torch.inf)
        nearest = left
    return torch.cat(chosen, dim=1).reshape(*lead, keep)


@eagerly
@torch.no_grad()
def match_tokens(metric):
    """See `mmtokedu.compress.match_tokens`. On the CPU NumPy does it, on the same memory.

    A card's kernel takes cosines that are less than 2.4e-7 apart for equal. On a card numbers are not read back: what
    is not finite resembles nothing in particular, and a token that is 1e-19 times as long as the longest counts as
    zeros.
    """
    check_tokens(metric, "metric")
    if _takes_kernel(metric):
        return _by_kernel(metric)
    if metric.is_cuda:
        return _by_tiles(metric)
    return Matched(*(torch.from_numpy(each).to(metric.device) for each in compress.match_tokens(_array(metric))))


def _takes_kernel(metric):
    """Whether the kernel does it: floats of 16 or 32 bits, at least two tokens.

    Before compute capability 8 (a T4 has 7.5) torch's product of tiles is the faster one.
    """
    if not runs_triton(metric) or metric.dtype == torch.float64 or not metric.numel() or metric.shape[-2] < 2:
        return False
    return not metric.is_cuda or torch.cuda.get_device_capability(metric.device) >= (8, 0)


def _by_kernel(metric):
    """One launch for all items; their similarities stay in registers."""
    from mmtokedu.cuda.kernels import compress as kernels

    if not metric.is_cuda:
        check_finite(_array(metric), "metric")
    *lead, N, _ = metric.shape
    metric = _items(_scaled(metric), 2).contiguous()
    similarity = metric.new_empty((len(metric), (N + 1) // 2), dtype=torch.float32)
    partner = torch.empty_like(similarity, dtype=torch.int64)
    kernels.match_tokens(metric, _inverses(metric)[..., 0].contiguous(), similarity, partner)
    return Matched(*(each.reshape(*lead, (N + 1) // 2) for each in (similarity, partner)))


def _scaled(x):
    """x (..., N, d) times a power of two for each item, with which lengths can be squared; float16 can as it is."""
    if x.dtype == torch.float16 or not x.numel():
        return x
    exponent = torch.frexp(_wide(x).abs().amax(dim=(-2, -1), keepdim=True)).exponent
    return torch.ldexp(_wide(x), -exponent).to(x.dtype)


def _inverses(x):
    """1 over each length (..., N, 1), float32 or wider, 0 for the length 0."""
    lengths = torch.linalg.vector_norm(_wide(x), dim=-1, keepdim=True)
    return torch.where(lengths > 0, 1 / lengths, 0)


def _by_tiles(metric):
    """A tile of similarities at a time, so that a card never holds N/2 x N/2 of them."""
    *lead, N, _ = metric.shape
    units = _units(_items(metric, 2))
    a, b = units[:, ::2], units[:, 1::2]
    similarity = a.new_full(a.shape[:2], -torch.inf)
    partner = torch.full(a.shape[:2], -1, dtype=torch.int64, device=a.device)
    step = max(1, SCORES // max(1, len(units) * b.shape[1]))
    for start in range(0, a.shape[1] if b.shape[1] else 0, step):
        best = (a[:, start : start + step] @ b.mT).max(dim=2)
        similarity[:, start : start + step], partner[:, start : start + step] = best
    return Matched(*(each.reshape(*lead, (N + 1) // 2) for each in (similarity, partner)))


def merge_tokens(tokens, r, *, metric=None, size=None, source=None, class_token=False, order="tome"):
    """See `mmtokedu.compress.merge_tokens`. Gradients go to the tokens; who merges with whom has none."""
    check_merge(tokens, metric, size, source)
    others = {"metric": metric, "size": size, "source": source}
    _check_device(tokens=tokens, **{name: x for name, x in others.items() if x is not None})
    N = tokens.shape[-2]
    r = check_r(r, N, class_token)
    if r == 0:
        step = torch.arange(N, device=tokens.device).expand(tokens.shape[:-1]).contiguous()
    else:
        step = _step((tokens if metric is None else metric).detach(), r, class_token)
    step = _ordered(step, order, source, N - r)
    merged, sizes = _means(tokens, size, step, N - r)
    return Merged(merged, sizes, step if source is None else step.gather(-1, source.long()))


def _step(metric, r, class_token):
    """Where each token is after one round, in the official order: metric (..., N, d) -> (..., N)."""
    similarity, partner = match_tokens(metric)
    if class_token:
        similarity[..., 0] = -torch.inf
    ranked = similarity.argsort(dim=-1, descending=True, stable=True)
    gone, stay = ranked[..., :r], ranked[..., r:]
    if class_token:
        stay = stay.sort(dim=-1).values
    staying = stay.shape[-1]
    places = torch.arange(metric.shape[-2] - r, device=metric.device)
    step = torch.empty(metric.shape[:-1], dtype=torch.int64, device=metric.device)
    step[..., 1::2] = places[staying:]
    step.scatter_(-1, 2 * stay, places[:staying].expand_as(stay))
    step.scatter_(-1, 2 * gone, staying + partner.gather(-1, gone))
    return step


def _ordered(step, order, source, count):
    """step (..., N), the new place of each token, with the places numbered as `order` says."""
    check_order(order, compress.ORDERS)
    if order == "tome" or not step.numel():
        return step
    whole = step if source is None else step.gather(-1, source.long())
    seen = torch.arange(whole.shape[-1], device=step.device).expand_as(whole)
    first = whole.new_full((*whole.shape[:-1], count), whole.shape[-1]).scatter_reduce(-1, whole, seen, "amin")
    return first.argsort(dim=-1).argsort(dim=-1).gather(-1, step)


def _means(tokens, size, step, count):
    """(means, sizes) of `count` groups of tokens (..., N, D), weighted by size: those alike in step (..., N)."""
    *lead, N, D = tokens.shape
    weights = torch.ones_like(step) if size is None else size.long()
    x = _wide(tokens) if size is None else _wide(tokens) * weights[..., None]
    sums = x.new_zeros(*lead, count, D).scatter_add(-2, step[..., None].expand(*step.shape, D), x)
    sizes = torch.zeros(*lead, count, dtype=torch.int64, device=x.device).scatter_add(-1, step, weights)
    return (sums / sizes[..., None]).to(tokens.dtype), sizes


def unmerge(merged):
    """See `mmtokedu.compress.unmerge`. Gradients go to the merged tokens."""
    check_array(merged.tokens, "tokens")
    check_size(merged.size, tuple(merged.tokens.shape[:-1]))
    check_source(merged.source, merged.size)
    _check_device(tokens=merged.tokens, size=merged.size, source=merged.source)
    return _taken(merged.tokens, merged.source.long())


def merge_rest(tokens, index):
    """See `mmtokedu.compress.merge_rest`. Gradients go to all tokens."""
    check_tokens(tokens)
    _check_device(tokens=tokens, index=index)
    keep, N = check_index(index, tokens), tokens.shape[-2]
    count = min(keep + 1, N)
    places = torch.arange(keep, device=tokens.device).expand(index.shape)
    source = torch.full(tokens.shape[:-1], count - 1, device=tokens.device).scatter(-1, index.long(), places)
    return Merged(*_means(tokens, None, source, count), source)


def proportional_bias(size):
    """See `mmtokedu.compress.proportional_bias`."""
    check_size(size)
    return size.float().log()


@eagerly
def merge_duplicates(patches):
    """See `mmtokedu.compress.merge_duplicates`. On a card the rows are sorted by their bytes."""
    check_array(patches, "patches")
    if not patches.is_cuda or patches.ndim != 2 or not patches.numel():
        bits = patches.contiguous().view(torch.uint8) if patches.ndim == 2 and patches.numel() else patches
        found = compress.merge_duplicates(_array(bits))
        index, size, source = (torch.from_numpy(each).to(patches.device) for each in found[1:])
        return Distinct(patches[index], index, size, source)
    return _by_sorting(patches)


def _by_sorting(patches):
    """The same from sorted rows, numbered again by where each was first."""
    rows = patches.contiguous().view(torch.uint8)
    _, source, size = rows.unique(dim=0, return_inverse=True, return_counts=True)
    seen = torch.arange(len(rows), device=rows.device)
    first = seen.new_full((len(size),), len(rows)).scatter_reduce(0, source, seen, "amin")
    index, order = first.sort()
    return Distinct(patches[index], index, size[order], order.argsort()[source])


def pool_tokens(tokens, grid, window, *, rule="average", positions=None):
    """See `mmtokedu.compress.pool_tokens`."""
    x = _wide(tokens) if isinstance(tokens, torch.Tensor) and tokens.is_floating_point() else tokens
    down, across = (torch.from_numpy(each).to(x) for each in compress._pooling(tokens, grid, window, rule))
    if positions is not None:
        order = check_positions(_array(positions) if isinstance(positions, torch.Tensor) else positions, grid)
        x = x[..., torch.from_numpy(order).to(x.device), :]
    return compress._pooled(x, down, across).to(tokens.dtype)
