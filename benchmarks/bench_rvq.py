"""Residual quantization: ours beside what others use, all beside faiss (or, where it is not installed, the products).

    python benchmarks/bench_rvq.py          this machine's processor, one thread
    python benchmarks/bench_rvq.py --gpu    its CUDA card; "not measured yet" where there is none

Every contender's codes are judged stage by stage first. A wrong one ends the run before any figure is written.
"""

import sys

import _rvq_gpu
import _timing  # before NumPy: it asks for one thread, and so does the line above
import numpy as np
from _rvq_peers import MAKERS, NO_ANSWER, drawn, judge_stages
from _timing import SETS, SKIPPED, optional
from _vq_peers import blas_cores

SIZES = {(7500, 8, 1024, 128): 25, (30_000, 8, 1024, 128): 7}  # (N, Q, K, D) -> rounds: 100 s of EnCodec, one and four
PACKAGES = ("numpy", "torch", "faiss-cpu", "encodec", "vector-quantize-pytorch")
NOTES = (
    "seconds are of processor time: on a shared machine it does not count the neighbours' turns",
    "faiss's indexes are filled before the clock starts; rvq_encode prepares its tables in each call",
    "EnCodec: `encode` of ResidualVectorQuantization; it imports torchaudio, which nothing here calls: an empty module "
    "stood in",
    "parity: each stage is judged on what the same contender's codes left for it",
)


def residual(count, stages, size, width, rounds):
    """Rows of one table. Parity on up to 7500 rows of the first input, then the race."""
    title = f"residual quantization, float32, N={count} Q={stages} K={size} D={width}"
    print(title)
    codebooks, *inputs = drawn(count, stages, size, width, SETS)
    sample = slice(None, None, max(1, count // 7500))
    check = judge_stages(inputs[0][sample], codebooks)
    ready = {name: optional(name, lambda make=make: make(codebooks)) for name, make in MAKERS.items()}
    ready = {name: call for name, call in ready.items() if call}
    for name in [name for name in ready if name not in NO_ANSWER]:
        check(name, np.asarray(ready[name](inputs[0]))[sample])
    calls = {
        name: lambda i, call=call, turn=turn: call(inputs[(i + turn) % SETS])
        for turn, (name, call) in enumerate(ready.items())
    }
    return _timing.race(title, calls, rounds=rounds, warm=1, clock=_timing.cpu_clock)


def on_the_cpu():
    rows = [row for size, rounds in SIZES.items() for row in residual(*size, rounds)]
    notes = *NOTES, blas_cores()
    print(notes[-1])
    options = dict(packages=PACKAGES, rows=rows, skipped=dict(SKIPPED), notes=notes)
    _timing.save("rvq-cpu", device=_timing.cpu_name(), threads=1, **options)


def main(arguments):
    _timing.run(arguments, on_the_cpu, _rvq_gpu.on_the_card)


if __name__ == "__main__":
    main(sys.argv[1:])
