"""The book's small model: a decoder-only transformer that is told everything as data, and how it is trained."""

import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["Block", "Muon", "Small", "fit", "orthogonal", "share_of_rate"]


class Small(nn.Module):
    """A causal transformer over vectors: x (B, N, width) -> logits (B, N, words), those at n speak of what follows n.

    Positions are no business of its own: `angles` (N, pairs) or (B, N, pairs) says how far each token's rotary pairs
    turn, `mmtokedu.mrope.angles` makes them for any layout. `mask` bool, True = may attend, takes the place of the
    causal one: a row for each token of x, a column for each token so far, or such a table for each of the batch. A
    `cache`, [] at first, keeps keys and values: what is given later sees what was given earlier. Rows that are no words
    (patches, sounds) come in as vectors; `embed` makes those of words.

    Source: GPT-2 with RMSNorm (arXiv 1910.07467) and no biases, rotary positions (arXiv 2104.09864), normalised queries
    and keys with a learned sharpness (arXiv 2010.04245), squared ReLU (arXiv 2109.08668).

    >>> model = Small(words=10, width=32, layers=2, heads=2)
    >>> model(model.embed(torch.tensor([[3, 1, 4]])), torch.zeros(3, 8)).shape
    torch.Size([1, 3, 10])
    """

    def __init__(self, words, *, width=64, layers=3, heads=2, modalities=4):
        super().__init__()
        self.word, self.modality = nn.Embedding(words, width), nn.Embedding(modalities, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.gain, self.head = nn.Parameter(torch.ones(width)), nn.Linear(width, words, bias=False)
        for weight, std in ((self.word.weight, 0.5), (self.modality.weight, 0.1), (self.head.weight, 0.02)):
            nn.init.normal_(weight, std=std)

    def embed(self, ids, modality=0):
        """The vectors of words (B, N) ids, with a modality's vector added; modality is an int or ids (B, N)."""
        return self.word(ids) + self.modality(torch.as_tensor(modality, device=ids.device))

    def forward(self, x, angles, mask=None, cache=None):
        past = cache[0][0].shape[2] if cache else 0
        if mask is None:
            mask = torch.ones(x.shape[1], past + x.shape[1], dtype=torch.bool, device=x.device).tril(past)
        for i, block in enumerate(self.blocks):
            if cache is not None and len(cache) == i:
                cache.append(None)
            x = block(x, angles, mask, cache, i)
        return self.head(rms(x) * self.gain)


class Block(nn.Module):
    """One layer: tokens look at each other, then a perceptron; each is added to its input. x (B, N, width) -> same.

    `angles` (N, pairs), (B, N, pairs) or None turns queries and keys; `mask` as in Small, None hides nothing.

    >>> Block(width=8, heads=2)(torch.zeros(1, 5, 8)).shape
    torch.Size([1, 5, 8])
    """

    def __init__(self, width, heads):
        super().__init__()
        self.gains = nn.Parameter(torch.ones(2, width))
        self.sharpness = nn.Parameter(torch.full((heads,), 8 * heads / width))  # the largest score is 8 at first
        self.queries_keys_values = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)
        for last in (self.out, self.down):  # a layer begins by adding nothing
            nn.init.zeros_(last.weight)

    def forward(self, x, angles=None, mask=None, cache=None, i=0):
        x = x + self.out(self._look(rms(x) * self.gains[0], angles, mask, cache, i))
        return x + self.down(F.relu(self.up(rms(x) * self.gains[1])).square())

    def _look(self, x, angles, mask, cache, i):
        split = self.queries_keys_values(x).unflatten(-1, (3, len(self.sharpness), -1))  # (B, N, 3, heads, d)
        queries, keys, values = split.permute(2, 0, 3, 1, 4).contiguous()  # each (B, heads, N, d)
        queries, keys = rms(queries) * self.sharpness[:, None, None], rms(keys)
        if angles is not None:
            queries, keys = rotate(queries, angles), rotate(keys, angles)
        if cache is not None:
            if cache[i] is not None:
                keys, values = torch.cat([cache[i][0], keys], dim=2), torch.cat([cache[i][1], values], dim=2)
            cache[i] = keys, values
        if mask is not None and mask.ndim == 3:
            mask = mask[:, None]  # the same for all heads
        seen = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, scale=1.0)
        return seen.transpose(1, 2).flatten(2)


def rms(x):
    """x over the root of its mean square, along the last axis."""
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + 1e-6)


def rotate(x, angles):
    """Turn the pairs (i, i + d/2) of x (B, heads, N, d) by angles (N, d/2) or (B, N, d/2)."""
    angles = angles.to(x.dtype).unsqueeze(-3)  # the same for all heads
    first, second = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


# Training


class Muon(torch.optim.Optimizer):
    """For matrices: the step is the momentum, made orthogonal. All matrices of a shape are treated in one product.

    Source: K. Jordan, https://kellerjordan.github.io/posts/muon (2024): momentum after Nesterov, five Newton-Schulz
    steps, and a step times the root of rows over columns where that is more than 1.
    """

    def __init__(self, matrices, rate=0.02, momentum=0.95, decay=0.0):
        super().__init__(matrices, {"lr": rate, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = {}
            for matrix in group["params"]:
                if matrix.grad is not None:
                    shapes.setdefault(matrix.shape, []).append(matrix)
            for shape, matrices in shapes.items():
                updates = torch.stack([self._momentum(matrix, group["momentum"]) for matrix in matrices])
                length = group["lr"] * max(1, shape[0] / shape[1]) ** 0.5
                for matrix, update in zip(matrices, orthogonal(updates)):
                    matrix.mul_(1 - group["lr"] * group["decay"]).sub_(length * update)

    def _momentum(self, matrix, momentum):
        kept = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
        kept.lerp_(matrix.grad, 1 - momentum)
        return matrix.grad.lerp(kept, momentum)


def orthogonal(matrices):
    """Matrices (..., m, n) with all their singular values pushed to about 1: five Newton-Schulz steps.

    >>> [round(value, 1) for value in orthogonal(torch.tensor([[3.0, 0], [0, 0.5]])).diagonal().tolist()]
    [0.7, 1.0]
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.mT if tall else x


def fit(modules, draw, *, tokens, seed=0, muon=0.02, adam=2e-3, every=100, watch=dict):
    """Train until `tokens` tokens were seen: [{step, tokens, loss, seconds, seed}, ...], a row each `every` steps.

    `draw(rng)` gives the next batch's loss and how many tokens it had; rng, a NumPy Generator from the seed, is all
    that chance may use, so one seed is one run. Matrices inside Blocks are Muon's, all else AdamW's. Both rates rise
    over the first 2 % of the tokens, stay, and fall straight to 0 over the last 60 %. `loss` is the mean since the row
    before, `seconds` are those of the CPU, of this process; `watch()`, called for each row, may add more to it.
    """
    rng, begin = np.random.default_rng(seed), time.process_time()
    blocks = [block for module in modules for block in module.modules() if isinstance(block, Block)]
    matrices = [layer.weight for block in blocks for layer in block.children()]
    parameters, inside = [p for m in modules for p in m.parameters()], set(map(id, matrices))
    others = [p for p in parameters if id(p) not in inside]
    optimizers = Muon(matrices, muon, decay=0.02), torch.optim.AdamW(others, adam, betas=(0.9, 0.98), weight_decay=0)
    rows, losses, seen, step = [], [], 0, 0
    while seen < tokens:
        for optimizer, rate in zip(optimizers, (muon, adam)):
            optimizer.param_groups[0]["lr"] = rate * share_of_rate(seen / tokens)
            optimizer.zero_grad(set_to_none=True)
        loss, more = draw(rng)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimizer in optimizers:
            optimizer.step()
        seen, step = seen + more, step + 1
        losses.append(loss.detach())
        if step % every == 0 or seen >= tokens:
            mean, seconds = torch.stack(losses).mean().item(), time.process_time() - begin
            rows.append({"step": step, "tokens": seen, "loss": mean, "seconds": seconds, "seed": seed} | watch())
            losses = []
    return rows


def share_of_rate(part):
    """The share of the rate once a `part` of all tokens, 0 to 1, was seen.

    >>> [round(share_of_rate(part), 2) for part in (0, 0.01, 0.02, 0.4, 0.7, 1)]
    [0.05, 0.5, 1.0, 1.0, 0.5, 0.0]
    """
    return min(1.0, max(0.05, part / 0.02), (1 - part) / 0.6)
