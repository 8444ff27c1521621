"""Interleaved timing: every contender once a round, so that a busy moment falls on all of them alike.

Import this before NumPy and torch: they read the number of threads when they are loaded.
"""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

RESULTS = pathlib.Path(__file__).parent / "results"


def clock(call, number):
    """Seconds that one call takes on the CPU."""
    start = time.perf_counter()
    call(number)
    return time.perf_counter() - start


def cuda_clock(call, number, repeats=10):
    """Seconds a call takes on a card, between two events around `repeats` calls on different inputs."""
    import torch

    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for k in range(repeats):
        call(number * repeats + k)
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1000 / repeats


def race(group, calls, *, rounds=41, warm=2, clock=clock):
    """Rows of a table. calls: name -> function of the round's number; the first one, a copy, is the unit.

    median is in seconds. ratio is the median over rounds of time / (time of the copy in the same round), so that a
    slow round counts against nobody; spread is half the distance between the quartiles of these, over the ratio
    (for the copy itself, whose ratio is 1 by definition, of its seconds).
    """
    times = {name: [] for name in calls}
    for number in range(-warm, rounds):
        for name, call in calls.items():
            seconds = clock(call, number)
            if number >= 0:
                times[name].append(seconds)
    unit = times[next(iter(calls))]
    rows = []
    for name, taken in times.items():
        ratios = [t / u for t, u in zip(taken, unit)]
        low, middle, high = statistics.quantiles(taken if taken is unit else ratios, n=4)
        figures = {
            "median": statistics.median(taken),
            "spread": (high - low) / 2 / middle,
            "ratio": statistics.median(ratios),
        }
        rows.append({"group": group, "name": name} | {key: float(f"{value:.3g}") for key, value in figures.items()})
        print(f"  {name:46s} {figures['ratio']:7.2f} x copy  ±{figures['spread']:4.0%}", flush=True)
    return rows


def cpu_name():
    """What the processor calls itself."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def versions(*packages):
    """{package: version or None where it is not installed}, Python's own first."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def save(name, *, device, threads, packages, rows, skipped):
    """Write results/NAME.json. Reached only after every parity check has passed: a wrong answer has no speed."""
    record = {
        "device": device,
        "threads": threads,
        "date": datetime.date.today().isoformat(),
        "versions": versions(*packages),
        "parity": True,
        "rows": rows,
        "skipped": skipped,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"wrote benchmarks/results/{name}.json")
