"""Arrays on disk: ours beside plain files, LMDB, diskcache and SQLite, each beside the write of a plain file.

    python benchmarks/bench_cache.py             this machine's processor and disk (the page cache of it), one thread
    python benchmarks/bench_cache.py --wall      seconds of the clock instead of processor time: on a quiet machine
    python benchmarks/bench_cache.py --look      print and store nothing

Every contender gives back the array that was put before any figure is written. Install xxhash for the checksum that a
put and a first get make, diskcache and lmdb for the peers.
"""

import pathlib
import sys
import tempfile

import _timing  # before NumPy: it asks for one thread
import numpy as np
from _cache_peers import PEERS, PlainFile, calls, checksum
from _timing import SETS, SKIPPED, optional

SIZES = {"0.5 MB": (256, 1024), "4 MB": (1024, 2048), "32 MB": (4096, 4096)}  # tokens, width, as float16
ROUNDS = {"0.5 MB": 61, "4 MB": 41, "32 MB": 15}
PACKAGES = ("numpy", "xxhash", "diskcache", "lmdb")
NOTES = (
    "nobody waits for the disk (no fsync); what is read was written or read before, so it is in the page cache",
    "a get touches every page; what is put goes over one of eight keys",
)


def drawn(shape):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape, np.float32).astype(np.float16) for _ in range(SETS)]


def one_size(title, clock):
    arrays = drawn(SIZES[title])
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "unit").mkdir()
        unit, number = PlainFile(folder / "unit", arrays[0]), iter(range(10**9))
        contenders = {}
        for name in PEERS:
            made = optional(name, lambda name=name: calls(name, folder / name.replace(" ", "_"), arrays))
            if made and "put" in made:
                contenders[f"put: {name}"] = made["put"], lambda back: back()
            if made:
                contenders[f"get: {name}"] = made["get"], np.asarray
        kind, made = checksum(arrays)
        contenders[f"checksum alone, {kind}"] = made, lambda _: arrays[0]
        copied = "copy to a plain file, renamed", lambda i: unit.put(str(next(number) % 8), arrays[i % SETS])
        options = dict(rounds=ROUNDS[title], warm=8, clock=clock)
        return _timing.group(f"one array of {title}, float16", copied, contenders, arrays[0], **options)


def main(arguments):
    if "--gpu" in arguments:
        print("not measured: nothing here runs on a card")
        return
    clock = _timing.clock if "--wall" in arguments else _timing.cpu_clock
    said = "seconds are of the clock" if "--wall" in arguments else "seconds are of processor time, the system's too"
    rows = [row for title in SIZES for row in one_size(title, clock)]
    if "--look" not in arguments:
        notes = [*NOTES, said, _timing.how_busy()]
        _timing.save(
            "cache-cpu",
            device=_timing.cpu_name(),
            threads=1,
            packages=PACKAGES,
            rows=rows,
            skipped=dict(SKIPPED),
            notes=notes,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
