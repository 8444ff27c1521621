"""Processes that train one model together: what they add up, and what they choose alike. Alone, nothing is sent."""

import torch
from torch import distributed


def several():
    """Whether there is a process group of more than one."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def total(x):
    """The sum of a tensor over all processes, bit by bit the same in each. It may be written over x."""
    if several():
        distributed.all_reduce(x)
    return x


def smallest(vectors, draws, count):
    """Of the vectors (N, D) of all processes the `count` with the smallest draws (N,), in that order, or all there are.

    Returns them with draws that keep the order; alone, both as they came. Every process gets the same, and sends no
    more than what is chosen: the draws first, then each those of its own vectors that are among the smallest of all.
    """
    if not several():
        return vectors, draws
    order = draws.argsort(stable=True)[:count]
    own = draws.new_full((count,), torch.inf)  # where it has fewer vectors than that
    own[: len(order)] = draws[order]
    everyone = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
    distributed.all_gather(everyone, own)
    everyone = torch.cat(everyone)
    best = everyone.argsort(stable=True)[:count]
    best = best[everyone[best] < torch.inf]
    mine = best // count == distributed.get_rank()
    dtype = torch.promote_types(vectors.dtype, torch.float32)  # not every backend can add bfloat16
    chosen = torch.zeros(len(best), vectors.shape[1], dtype=dtype, device=vectors.device)
    chosen[mine] = vectors[order[best[mine] % count]].to(dtype)
    return total(chosen), torch.arange(len(best), dtype=draws.dtype, device=draws.device)
