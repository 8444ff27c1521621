"""Between the eyes and the language model: a projector, learned queries, a learned choice of tokens."""

import torch
from torch import nn
from torch.nn import functional as F

from mmtokedu.arguments.common import positive
from mmtokedu.arguments.compress import check_as_many, check_heads, check_keep, check_starts, check_tokens
from mmtokedu.compress import Kept, prune

__all__ = ["LearnedScore", "Projector", "QueryResampler"]


class Projector(nn.Module):
    """Each token by itself into the language model's width: (..., N, width) -> (..., N, out). As many tokens as before.

    hidden=None is one linear map (LLaVA); a number is a perceptron with one hidden layer of that width (LLaVA-1.5,
    there as wide as the model). It makes no token fewer: put `pixel_shuffle` before it (InternVL, Qwen: width is then
    factor² * width), or `pool_tokens` (Gemma 3). norm=True normalises what comes in, as InternVL does (Qwen normalises
    tokens before they are put side by side).

    Source: LLaVA (arXiv 2304.08485), LLaVA-1.5 (arXiv 2310.03744), InternVL 1.5 (arXiv 2404.16821).

    >>> Projector(4 * 8, 16, hidden=16)(torch.zeros(2, 9, 32)).shape
    torch.Size([2, 9, 16])
    """

    def __init__(self, width, out, *, hidden=None, norm=False):
        super().__init__()
        width, out = positive(width, "width"), positive(out, "out")
        wide = out if hidden is None else positive(hidden, "hidden")
        first = nn.Linear(width, wide)
        layers = [first] if hidden is None else [first, nn.GELU(), nn.Linear(wide, out)]
        self.layers = nn.Sequential(nn.LayerNorm(width) if norm else nn.Identity(), *layers)

    def forward(self, tokens):
        check_tokens(tokens)
        return self.layers(tokens)


class QueryResampler(nn.Module):
    """Learned queries read the tokens, however many: (B, N, width) -> (B, queries, out). A Perceiver resampler.

    In each layer the queries look at the tokens and at themselves, all keys in one softmax, then a perceptron; each is
    added to the queries. At last a linear map to the language model's width. `starts` (queries, N) says where each
    query looks at first, as weights that add up to 1 (rows of `pool_weights` make windows): it then begins as that
    mean, and every layer adds a learned bias to its scores, at first log(N * weight). The number of tokens is
    then fixed. Without it no query has a place of its own, and places have to be in the tokens.

    BLIP-2's Q-Former has more: it is a BERT whose queries look at each other in a self-attention of its own, and at the
    picture in every other layer; a question's words may go through the same layers, so that queries are read with the
    question in mind; and it is taught in two stages, first with a caption, by contrast, matching and writing.

    Raises ValueError for starts that are no weights of the queries, or tokens that are not as many as they have.
    Source: Flamingo (arXiv 2204.14198, section 3.1.1), Perceiver (arXiv 2103.03206); BLIP-2 (arXiv 2301.12597).

    >>> resampler = QueryResampler(8, 16, queries=4)
    >>> [resampler(torch.zeros(2, N, 8)).shape[1] for N in (9, 100)]
    [4, 4]
    """

    def __init__(self, width, out, *, queries, layers=2, heads=2, starts=None):
        super().__init__()
        queries, layers = positive(queries, "queries"), positive(layers, "layers")
        self.heads = check_heads(width, heads)
        self.queries = nn.Parameter(0.02 * torch.randn(queries, width))
        self.bias = None if starts is None else nn.Parameter(_logarithms(starts, queries))
        self.layers = nn.ModuleList(nn.ModuleDict(_looking(width)) for _ in range(layers))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, out)

    def forward(self, tokens):
        check_tokens(tokens)
        queries, bias = self.queries.expand(len(tokens), -1, -1), None
        if self.bias is not None:
            check_as_many(tokens.shape[1], self.bias.shape[1])
            queries = queries + self.bias.softmax(dim=-1) @ tokens
            bias = F.pad(self.bias, (0, self.bias.shape[0]))  # none towards the queries themselves
        for layer in self.layers:
            seen = torch.cat([layer["tokens"](tokens), layer["queries"](queries)], dim=1)
            keys, values = (self._split(x) for x in layer["keys_values"](seen).chunk(2, dim=-1))
            asking = self._split(layer["asking"](layer["queries"](queries)))
            found = F.scaled_dot_product_attention(asking, keys, values, attn_mask=bias)
            queries = queries + layer["found"](found.transpose(1, 2).flatten(2))
            queries = queries + layer["think"](queries)
        return self.out(self.norm(queries))

    def _split(self, x):
        """(B, n, width) -> (B, heads, n, d)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _looking(width):
    """The parts of one layer of a QueryResampler."""
    think = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
    norms = {"tokens": nn.LayerNorm(width), "queries": nn.LayerNorm(width)}
    maps = {"asking": nn.Linear(width, width), "keys_values": nn.Linear(width, 2 * width)}
    return norms | maps | {"found": nn.Linear(width, width), "think": think}


def _logarithms(starts, queries):
    """Biases (queries, N) whose softmax is the weights, mixed with a little of everywhere; equal weights have 0."""
    starts = torch.as_tensor(starts, dtype=torch.float32)
    check_starts(starts, queries)
    return (0.99 * starts * starts.shape[1] + 0.01).log()


class LearnedScore(nn.Module):
    """A learned choice: every token gets a score, the `keep` highest go on. (B, N, width) -> Kept, positions included.

    A token is scored by itself beside the mean of all. Which tokens are kept has no gradient, so each kept one is
    multiplied by 1 + (p - p.detach()), p the sigmoid of its score: 1 on the way in, and on the way back the score moves
    as the token was useful (straight-through). In training Gumbel noise is added to the scores, so that others are
    tried too; in evaluation none. The gradient reaches kept tokens alone, and seeds differ widely: draw every one.

    Raises ValueError for a keep of 0 or more than N.
    Source: straight-through estimator (arXiv 1308.3432), Gumbel top-k (arXiv 1903.06059).

    >>> LearnedScore(8, keep=3).eval()(torch.randn(2, 9, 8)).index.shape
    torch.Size([2, 3])
    """

    def __init__(self, width, *, keep):
        super().__init__()
        self.keep = positive(keep, "keep")
        self.score = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, 1))

    def forward(self, tokens):
        check_tokens(tokens)
        keep = check_keep(self.keep, tokens.shape[-2])
        beside = tokens.mean(dim=-2, keepdim=True).expand_as(tokens)
        scores = self.score(torch.cat([tokens, beside], dim=-1))[..., 0]
        noise = -torch.empty_like(scores).exponential_().log() if self.training else 0.0
        kept = prune(tokens, scores.detach() + noise, keep)
        p = scores.sigmoid().gather(-1, kept.index)
        return Kept(kept.tokens * (1 + (p - p.detach()))[..., None], kept.index)
