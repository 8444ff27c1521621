"""Positions and rotation: ours beside transformers', each beside a copy of what it writes.

    python benchmarks/bench_mrope.py          this machine's processor, one thread
    python benchmarks/bench_mrope.py --gpu    its CUDA card; "not measured yet" where there is none

Every contender gives the same ids, and turned queries and keys to 2e-3 (transformers' angles are float32), before any
figure is written.
"""

import sys

import _mrope_gpu
import _timing  # before NumPy: it asks for one thread, and so does the line above
from _mrope_peers import HEADS, LAYOUTS, NUMBERING, TOKENS, TURNING, WIDTH, as_array, drawn, turned
from _timing import SKIPPED, optional

PACKAGES = ("numpy", "torch", "transformers")
NOTES = (
    "seconds are of processor time: on a shared machine it does not count the neighbours' turns",
    "numbering: from ready segments, and from a sequence with its spans and grids; transformers gets the kind of each "
    "token and the grids, as its processor makes them, before the clock starts",
    "turning: cosines and sines are worked out in each call, by everybody",
)


def ready(table, *given):
    """name -> function, of those whose packages are there."""
    made = {name: optional(name, lambda make=make: make(*given)) for name, make in table.items()}
    return {name: call for name, call in made.items() if call}


def numbering(title, rule, segments):
    calls = ready(NUMBERING, rule, segments)
    expected = as_array(next(iter(calls.values()))(0))
    contenders = {name: (call, as_array) for name, call in calls.items()}
    name = f"positions, {title}, N={expected.shape[1]}"
    return _timing.group(name, expected, contenders, expected, rounds=21, clock=_timing.cpu_clock)


def rotation():
    inputs, ids = drawn()
    calls = ready(TURNING, inputs, ids)
    expected = turned(next(iter(calls.values()))(0))
    contenders = {name: (call, turned) for name, call in calls.items()}
    name = f"rotation, float32, {HEADS[0]}+{HEADS[1]} heads, N={TOKENS}, D={WIDTH}"
    options = dict(tolerance=2e-3, rounds=11, warm=1, clock=_timing.cpu_clock)
    return _timing.group(name, expected, contenders, expected, **options)


def on_the_cpu():
    rows = [row for title, (rule, segments) in LAYOUTS.items() for row in numbering(title, rule, segments)]
    rows += rotation()
    options = dict(packages=PACKAGES, rows=rows, skipped=dict(SKIPPED), notes=[*NOTES, _timing.how_busy()])
    _timing.save("mrope-cpu", device=_timing.cpu_name(), threads=1, **options)


def main(arguments):
    _timing.run(arguments, on_the_cpu, _mrope_gpu.on_the_card)


if __name__ == "__main__":
    main(sys.argv[1:])
