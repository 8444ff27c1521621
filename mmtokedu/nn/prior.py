"""A small causal transformer over codes: how likely a sequence is, in bits, and what it writes by itself."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class CausalPrior(nn.Module):
    """A decoder-only transformer over ids below `vocabulary`, in sequences of at most `length` positions.

    ids (B, N) -> logits (B, N, vocabulary): those at position n speak of the id at n + 1 and have seen ids 0 to n.
    With `streams` = Q every position holds Q ids, (B, N, Q) -> (B, N, Q, vocabulary): their embeddings, a table
    each, are summed into one vector, and Q heads read it. The Q ids of one position are predicted side by side from
    the positions before; none of them sees another.

    Raises ValueError for ids of another shape, longer than `length`, or out of range.
    Source: the decoder of GPT-2 (Radford et al., 2019), norms first; summed embeddings and a head a stream as in
    MusicGen (arXiv 2306.05284, section 2.2). Embeddings and heads are not tied.

    >>> CausalPrior(vocabulary=10, length=8)(torch.zeros(2, 5, dtype=torch.int64)).shape
    torch.Size([2, 5, 10])
    >>> CausalPrior(vocabulary=10, length=8, streams=4)(torch.zeros(2, 5, 4, dtype=torch.int64)).shape
    torch.Size([2, 5, 4, 10])
    """

    def __init__(self, vocabulary, length, *, width=128, layers=2, heads=4, streams=None):
        super().__init__()
        self.vocabulary, self.length = vocabulary, length
        self.streams = () if streams is None else (streams,)  # what follows (B, N) in the shape of ids
        tables = streams or 1
        self.embed = nn.Embedding(tables * vocabulary, width)
        self.place = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.heads = nn.Linear(width, tables * vocabulary)
        for table in (self.embed, self.place):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, ids):
        self._check(ids)
        if self.streams:
            ids = ids + self.vocabulary * torch.arange(*self.streams, device=ids.device)  # each into its own table
            x = self.embed(ids).sum(dim=-2)  # (B, N, Q, width) -> (B, N, width)
        else:
            x = self.embed(ids)
        x = x + self.place.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.heads(self.norm(x)).unflatten(-1, (*self.streams, self.vocabulary))

    def bits(self, ids, counted=None):
        """How many bits each sequence costs: minus log2 of the probability of its ids, each given those before it.

        ids as in `forward`, N >= 2; returns (B,) float. The first position is given and costs nothing. `counted`, a
        bool mask of the shape of ids, says whose bits count (True) and what is only given, as a caption is.

        Raises ValueError for a mask of another shape, besides what the class refuses.

        >>> prior, ids = CausalPrior(vocabulary=4, length=3), torch.tensor([[0, 2, 3]])
        >>> for head in prior.heads.parameters():  # no preference: log2(4) bits an id
        ...     _ = nn.init.zeros_(head)
        >>> prior.bits(ids).tolist(), prior.bits(ids, counted=ids >= 3).tolist()
        ([4.0], [2.0])
        """
        self._check(ids)
        if counted is not None and counted.shape != ids.shape:
            raise ValueError(f"counted has shape {tuple(counted.shape)}, ids {tuple(ids.shape)}; they must be alike")
        logits, following = self(ids[:, :-1]), ids[:, 1:]
        nats = F.cross_entropy(logits.flatten(0, -2), following.flatten(), reduction="none").view(following.shape)
        if counted is not None:
            nats = nats * counted[:, 1:]
        return nats.flatten(1).sum(dim=1) / math.log(2)

    @torch.no_grad()
    def sample(self, prefix, length, *, generator=None, temperature=1.0, allowed=None):
        """Draw `length` positions, one after the other, each after the prefix and what was drawn before.

        prefix ids (B, n) or (B, n, Q), n >= 1; returns the drawn ids (B, length) or (B, length, Q). `allowed` =
        (start, stop) keeps to ids start to stop - 1; the probabilities of all others are given to these. Temperature
        divides the logits. Everything is recomputed for every position: fine for the length of a code grid.

        Raises ValueError for an empty prefix or range, a temperature that is not positive, or too long a sequence.

        >>> prior, prefix = CausalPrior(vocabulary=10, length=8), torch.tensor([[1], [2]])
        >>> drawn = prior.sample(prefix, 5, generator=torch.Generator().manual_seed(0), allowed=(4, 10))
        >>> drawn.shape, bool((drawn >= 4).all())
        (torch.Size([2, 5]), True)
        """
        start, stop = allowed or (0, self.vocabulary)
        if not 0 <= start < stop <= self.vocabulary:
            raise ValueError(f"allowed is {start} to {stop}; it must hold at least one of ids 0 to {self.vocabulary}")
        if not temperature > 0:
            raise ValueError(f"temperature is {temperature}; it must be positive (near 0 takes the likeliest id)")
        self._check(prefix, more=length)
        if prefix.shape[1] < 1:
            raise ValueError("the prefix is empty; begin with at least one id, such as a caption")
        ids = prefix
        for _ in range(length):
            logits = self(ids)[:, -1, ..., start:stop] / temperature  # (B, allowed) or (B, Q, allowed)
            drawn = torch.multinomial(logits.softmax(dim=-1).flatten(0, -2), 1, generator=generator)
            ids = torch.cat([ids, start + drawn.view(len(ids), 1, *self.streams)], dim=1)
        return ids[:, prefix.shape[1] :]

    def _check(self, ids, more=0):
        if ids.ndim < 2 or ids.shape[2:] != self.streams:
            wanted = "(B, N)" if not self.streams else f"(B, N, {self.streams[0]})"
            raise ValueError(f"ids have shape {tuple(ids.shape)}; this prior reads {wanted}")
        if ids.shape[1] + more > self.length:
            raise ValueError(f"{ids.shape[1] + more} positions; this prior has {self.length} (make it with length=...)")
        if ids.numel() and not 0 <= ids.min() <= ids.max() < self.vocabulary:
            raise ValueError(f"ids run from {ids.min()} to {ids.max()}; this prior knows 0 to {self.vocabulary - 1}")


class Block(nn.Module):
    """One layer: every position looks at itself and those before, then a perceptron; each is added to its input.

    x (B, N, width) -> (B, N, width). Source: GPT-2 (Radford et al., 2019).

    >>> Block(width=8, heads=2)(torch.zeros(1, 5, 8)).shape
    torch.Size([1, 5, 8])
    """

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.queries_keys_values, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self._look_back(self.norms[0](x))
        return x + self.perceptron(self.norms[1](x))

    def _look_back(self, x):
        split = self.queries_keys_values(x).unflatten(-1, (3, self.heads, -1))  # (B, N, 3, heads, width / heads)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)  # each (B, heads, N, width / heads)
        seen = F.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        return self.out(seen.transpose(1, 2).flatten(2))  # (B, N, width)
