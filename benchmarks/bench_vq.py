"""The nearest code: ours beside what others use, all beside faiss (or, where it is not installed, the matrix product).

    python benchmarks/bench_vq.py          this machine's processor, one thread
    python benchmarks/bench_vq.py --gpu    its CUDA card; "not measured yet" where there is none

Every contender's codes are judged by exact distances first. A wrong one ends the run before any figure is written.
"""

import json
import pathlib
import subprocess
import sys

import _timing  # before NumPy: it asks for one thread
import _vq_gpu
import numpy as np
from _timing import SETS, SKIPPED, optional
from _vq_peers import MAKERS, NO_ANSWER, blas_cores, drawn, judge

SIZES = {(4096, 64, 1024): 41, (65536, 64, 8192): 5, (16384, 256, 16384): 5}  # (N, D, K) -> rounds
MEMORY_AT = (65536, 64, 8192)
PACKAGES = ("numpy", "torch", "faiss-cpu", "scikit-learn", "encodec", "vector-quantize-pytorch")
NOTES = (
    "seconds are of processor time: on a shared machine it does not count the neighbours' turns",
    "faiss's index is filled before the clock starts; nearest_code prepares its table in each call",
    "EnCodec: `encode` of EuclideanCodebook; it imports torchaudio, which nothing here calls: an empty module stood in",
    "peak_bytes: VmHWM after one call minus VmRSS before it, in a process of its own, the mark reset in between",
)


def nearest(count, width, size, rounds):
    """Rows of one table. Parity on up to 4096 rows of the first input, then the race."""
    title = f"nearest code, float32, N={count} D={width} K={size}"
    print(title)
    codebook, *inputs = drawn(count, width, size, SETS)
    sample = slice(None, None, max(1, count // 4096))
    check = judge(inputs[0][sample], codebook)
    ready = {name: optional(name, lambda make=make: make(codebook)) for name, make in MAKERS.items()}
    ready = {name: call for name, call in ready.items() if call}
    for name in ready.keys() - NO_ANSWER:
        check(name, np.asarray(ready[name](inputs[0]))[sample])
    calls = {
        name: lambda i, call=call, turn=turn: call(inputs[(i + turn) % SETS])
        for turn, (name, call) in enumerate(ready.items())
    }
    return _timing.race(title, calls, rounds=rounds, warm=1, clock=_timing.cpu_clock)


def peak_bytes(name, count, width, size):
    """Bytes that one call of this contender needs beside its input, codebook and libraries: asked of a new process."""
    command = [sys.executable, __file__, "--peak", name, *map(str, (count, width, size))]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def print_peak(name, *shape):
    """The new process: a call on next to nothing loads what is loaded late, then the mark is reset."""
    count, width, size = map(int, shape)
    codebook, rows = drawn(count, width, size, 1)
    MAKERS[name](codebook[:8])(rows[:16])
    call = MAKERS[name](codebook)
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # Linux: VmHWM starts again from what is resident now
    before = status("VmRSS")
    call(rows)
    print(json.dumps(status("VmHWM") - before))


def status(field):
    """A line of /proc/self/status in bytes."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def on_the_cpu():
    rows = []
    for size, rounds in SIZES.items():
        table = nearest(*size, rounds)
        if size == MEMORY_AT and pathlib.Path("/proc/self/clear_refs").exists():
            for row in table:
                row["peak_bytes"] = peak_bytes(row["name"], *size)
                print(f"  {row['name']:46s} {row['peak_bytes'] / 2**20:7.1f} MiB", flush=True)
        rows += table
    notes = *NOTES, blas_cores()
    print(notes[-1])
    options = dict(packages=PACKAGES, rows=rows, skipped=dict(SKIPPED), notes=notes)
    _timing.save("vq-cpu", device=_timing.cpu_name(), threads=1, **options)


def main(arguments):
    if arguments[:1] == ["--peak"]:
        return print_peak(*arguments[1:])
    _timing.run(arguments, on_the_cpu, _vq_gpu.on_the_card)


if __name__ == "__main__":
    main(sys.argv[1:])
