"""Arrays on disk: ours beside plain files, LMDB, diskcache and SQLite, each beside the write of a plain file.

    python benchmarks/bench_cache.py             this machine's processor and disk (the page cache of it), one thread
    python benchmarks/bench_cache.py --wall      seconds of the clock instead of processor time: on a quiet machine
    python benchmarks/bench_cache.py --look      print, store nothing; with --short a third of the rounds, up to 4 MB

Every contender gives back the array that was put before any figure is written. Install xxhash for the checksum that a
put and a first get make, diskcache and lmdb for the peers.
"""

import pathlib
import sys
import tempfile

import _timing  # before NumPy: it asks for one thread
import numpy as np
from _cache_peers import PEERS, calls, checksum
from _timing import SETS, SKIPPED, optional

SIZES = {"0.5 MB": (256, 1024), "4 MB": (1024, 2048), "32 MB": (4096, 4096)}  # tokens, width, as float16
ROUNDS = {"0.5 MB": 61, "4 MB": 41, "32 MB": 15}
PACKAGES = ("numpy", "xxhash", "diskcache", "lmdb")
NOTES = (
    "nobody waits for the disk (no fsync); what is read was written or read before, so it is in the page cache",
    "a get touches every page; what is put has a new key, and is removed while the clock stands",
)


def drawn(shape):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape, np.float32).astype(np.float16) for _ in range(SETS)]


def tidily(clock):
    """A clock that stands while a put gets its key, and while what was put is removed."""

    def timed(call, number):
        putting = getattr(call, "putting", None)
        if putting is None:
            return clock(call, number)
        putting.fresh()
        seconds = clock(call, number)
        putting.tidy()
        return seconds

    return timed


def as_call(putting):
    """A put as a function of a number, which the clock knows again."""

    def call(number):
        if putting.key is None:
            putting.fresh()
        return putting(number)

    call.putting = putting
    return call


def put_and_got(putting):
    array = putting.peer.get(putting.key)
    putting.tidy()
    return np.array(array)


def one_size(title, clock, part=1):
    arrays = drawn(SIZES[title])
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        contenders = {}
        for name in PEERS:
            made = optional(name, lambda name=name: calls(name, folder / name.replace(" ", "_"), arrays))
            if made and "put" in made:
                contenders[f"put: {name}"] = as_call(made["put"]), put_and_got
            if made:
                contenders[f"get: {name}"] = made["get"], np.asarray
        kind, made = checksum(arrays)
        contenders[f"checksum alone, {kind}"] = made, lambda _: arrays[0]
        unit = as_call(calls("plain file, read", folder / "unit", arrays)["put"])
        options = dict(rounds=ROUNDS[title] // part, warm=3, clock=tidily(clock))
        return race(
            f"one array of {title}, float16", ("copy to a plain file, renamed", unit), contenders, arrays[0], options
        )


def race(title, unit, contenders, expected, options):
    """Parity, then the race; as `_timing.group`, whose calls nobody tidies up after."""
    print(title)
    for name, (call, see) in contenders.items():
        np.testing.assert_array_equal(see(call(0)), expected, err_msg=name)
    return _timing.race(title, unit | {name: call for name, (call, _) in contenders.items()}, **options)


def main(arguments):
    if "--gpu" in arguments:
        print("not measured yet: nothing here runs on a card")
        return
    clock = _timing.clock if "--wall" in arguments else _timing.cpu_clock
    said = "seconds are of the clock" if "--wall" in arguments else "seconds are of processor time, the system's too"
    sizes = list(SIZES)[:2] if "--short" in arguments else SIZES
    rows = [row for title in sizes for row in one_size(title, clock, 3 if "--short" in arguments else 1)]
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
