"""Merging alike tokens: ours beside ToMe's steps in torch, each beside the matrix product that both need.

    python benchmarks/bench_compress.py          this machine's processor, one thread
    python benchmarks/bench_compress.py --gpu    its CUDA card; "not measured yet" where there is none

Every contender gives the same partners, and the same merged tokens to 1e-4, before any figure is written.
Merged are the odd tokens, 2/3 of those that are left: r is a quarter of the tokens.
"""

import sys

import _compress_gpu
import _timing  # before NumPy: it asks for one thread, and so does the line above
import numpy as np
from _compress_peers import HEAD, SIZES, WIDTH, drawn, matching, merging, product_alone
from _timing import SKIPPED, optional

PACKAGES = ("numpy", "torch")
NOTES = (
    "seconds are of processor time: on a shared machine it does not count the neighbours' turns",
    "the unit is the product of the even and the odd tokens alone, by NumPy, into an array that is there",
    "a quarter of the tokens merges away; they are compared themselves, or by vectors of 64 numbers where it says so",
    "ToMe's steps are written again with torch's functions: its code is on no package index",
)


def odd_ones(merged):
    """The merged odd tokens, which all have in one order; the even ones that stay may change places where two tie."""
    return np.asarray(merged)[..., -(len(merged) * 2 // 3) :, :]


def held_to(title, metrics, load, see, *, tolerance, rounds):
    calls = optional("torch", load)
    if calls is None:
        return []
    expected = see(next(iter(calls.values()))(0))
    contenders = {name: (call, see) for name, call in calls.items()}
    options = dict(tolerance=tolerance, rounds=rounds, clock=_timing.cpu_clock)
    return _timing.group(title, product_alone(metrics), contenders, expected, **options)


def both(count):
    """Who goes with whom, and their means."""
    tokens, rounds = drawn(count, WIDTH), 41 if count < 4096 else 15
    size, r = f"float32, N={count} D={WIDTH}", count // 4
    rows = held_to(f"matching, {size}", tokens, lambda: matching(tokens), np.asarray, tolerance=0, rounds=rounds)
    merge = lambda: merging(tokens, tokens, r)
    return rows + held_to(f"merging, {size}", tokens, merge, odd_ones, tolerance=1e-4, rounds=rounds)


def by_short_vectors(count):
    tokens, metrics = drawn(count, WIDTH), drawn(count, HEAD)
    title = f"merging by vectors of {HEAD}, float32, N={count} D={WIDTH}"
    merge = lambda: merging(tokens, metrics, count // 4)
    return held_to(title, metrics, merge, odd_ones, tolerance=1e-4, rounds=15)


def on_the_cpu():
    rows = [row for count in SIZES for row in both(count)] + by_short_vectors(SIZES[-1])
    options = dict(packages=PACKAGES, rows=rows, skipped=dict(SKIPPED), notes=[*NOTES, _timing.how_busy()])
    _timing.save("compress-cpu", device=_timing.cpu_name(), threads=1, **options)


def main(arguments):
    _timing.run(arguments, on_the_cpu, _compress_gpu.on_the_card)


if __name__ == "__main__":
    main(sys.argv[1:])
