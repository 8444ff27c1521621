"""Those who merge, each made ready: functions of the number of an input.

The authors' code of ToMe is on no package index and its licence is none to copy under, so that its steps are written
again here with torch's own functions, one for one: normalise all, multiply, sort, gather, scatter. What it answers is
held to the library's, which agrees with rows that the authors' code made (tests/parity/golden/compress.json).
"""

import importlib

import numpy as np
from _timing import SETS

from mmtokedu.compress import match_tokens, merge_tokens

SIZES, WIDTH = (196, 576, 1024, 4096), 1024  # tokens; of a layer of ViT-L
HEAD = 64  # the mean over the heads of a layer's keys, by which ToMe's own vision transformers compare


def torch():
    module = importlib.import_module("torch")
    module.set_num_threads(1)
    return module


def drawn(tokens, width):
    """SETS arrays (tokens, width) of float32 that resemble each other somewhat, as a layer's tokens do."""
    rng = np.random.default_rng(0)
    kinds = rng.standard_normal((tokens // 8 + 1, width))
    members = rng.integers(0, len(kinds), (SETS, tokens))
    return [(kinds[each] + 0.7 * rng.standard_normal((tokens, width))).astype(np.float32) for each in members]


def product_alone(metrics):
    """What nobody who compares all pairs can leave out: evens times odds."""
    tokens, width = metrics[0].shape
    pairs = [(np.ascontiguousarray(x[::2]), np.ascontiguousarray(x[1::2])) for x in metrics]
    scores = np.empty((len(pairs[0][0]), len(pairs[0][1])), np.float32)
    return "matrix product alone", lambda i: np.matmul(pairs[i % SETS][0], pairs[i % SETS][1].T, out=scores)


# Who goes with whom


def tome_matching(t, metric):
    """(similarity, partner) of the even tokens of metric (..., N, d), as the authors' code works them out."""
    metric = metric / metric.norm(dim=-1, keepdim=True)
    return (metric[..., ::2, :] @ metric[..., 1::2, :].transpose(-1, -2)).max(dim=-1)


def matching(metrics):
    """name -> function that gives each even token's partner."""
    t = torch()
    tensors = [t.from_numpy(x) for x in metrics]
    return {
        "match_tokens, NumPy": lambda i: match_tokens(metrics[i % SETS]).partner,
        "match_tokens, torch tensors": lambda i: match_tokens(tensors[i % SETS]).partner,
        "ToMe, written again": lambda i: tome_matching(t, tensors[i % SETS])[1],
    }


# And their means


def tome(t, metric, tokens, r):
    """(merged, sizes) of tokens (..., N, D), r of them gone, as the authors' code works them out."""
    similarity, partner = tome_matching(t, metric)
    edges = similarity.argsort(dim=-1, descending=True)[..., None]
    gone, stay = edges[..., :r, :], edges[..., r:, :]
    into = partner[..., None].gather(-2, gone)

    def merged(x):
        even, odd = x[..., ::2, :], x[..., 1::2, :]
        width = x.shape[-1]
        kept = even.gather(-2, stay.expand(*stay.shape[:-1], width))
        moved = even.gather(-2, gone.expand(*gone.shape[:-1], width))
        return t.cat([kept, odd.scatter_reduce(-2, into.expand(*into.shape[:-1], width), moved, reduce="sum")], dim=-2)

    size = t.ones_like(tokens[..., :1])
    sums, size = merged(tokens * size), merged(size)
    return sums / size, size


def merging(tokens, metrics, r):
    """name -> function that gives the merged tokens in the official order."""
    t = torch()
    given = [(t.from_numpy(x), t.from_numpy(m)) for x, m in zip(tokens, metrics, strict=True)]
    return {
        "merge_tokens, NumPy": lambda i: merge_tokens(tokens[i % SETS], r, metric=metrics[i % SETS]).tokens,
        "merge_tokens, torch tensors": lambda i: merge_tokens(given[i % SETS][0], r, metric=given[i % SETS][1]).tokens,
        "ToMe, written again": lambda i: tome(t, given[i % SETS][1], given[i % SETS][0], r)[0],
    }
