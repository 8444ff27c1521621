"""Interleaved timing: every contender once a round, so that a busy moment falls on all of them alike, and in an order
drawn for each round, so that nobody always runs in the cache that the same neighbour left.

Import this before NumPy and torch: they read the number of threads when they are loaded.
"""

import ctypes
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import random
import statistics
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

RESULTS = pathlib.Path(__file__).parents[1] / "mmtokedu" / "data" / "benchmarks"  # the chapters read it there
SETS = 3  # different inputs, taken in turn, so that no cache holds the next one
SKIPPED = {}  # contender -> why it is not in the table


def optional(name, load):
    """What `load` returns, or None and a line under `skipped` in the results."""
    try:
        return load()
    except (ImportError, AttributeError) as error:
        SKIPPED[name] = " ".join(str(error).split())[:160]
        print(f"  skipped {name}: {SKIPPED[name]}")


def run(arguments, on_the_cpu, on_the_card):
    """What every benchmark does with its command line: the processor, or with --gpu the card where there is one."""
    if "--gpu" not in arguments:
        return on_the_cpu()
    torch = optional("torch", lambda: __import__("torch"))
    if torch is None or not torch.cuda.is_available():
        print("not measured yet: no CUDA card here")
    else:
        on_the_card(torch, dict(SKIPPED))


def clock(call, number):
    """Seconds that one call takes on the CPU."""
    start = time.perf_counter()
    call(number)
    return time.perf_counter() - start


def cpu_clock(call, number):
    """Seconds of processor time that one call takes, all threads together: what neighbours use does not count."""
    start = time.process_time()
    call(number)
    return time.process_time() - start


def keep_memory():
    """From here on the process keeps what it frees (glibc alone); True where that worked.

    By default a large fresh array is new memory from the system, page by page, and what that costs varies from run to
    run. Kept memory spares it, which helps most those who allocate at every step.
    """
    mmap_max, trim_threshold = -4, -1  # malloc.h
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return False
    return bool(libc.mallopt(mmap_max, 0) and libc.mallopt(trim_threshold, 2**31 - 1))


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


def replayed(call, repeats=8):
    """A CUDA graph of `repeats` calls on different inputs, by the round: the card's time, not Python's."""
    import torch

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # whatever is made once, compiled code and constants, is made before
        for k in range(3):
            call(k)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for k in range(repeats):
            call(k)
    return lambda number: graph.replay()


def graph_clock(call, number, repeats=8):
    """Seconds that one of the `repeats` calls in a replayed graph takes, between two events."""
    return cuda_clock(call, number, repeats=1) / repeats


def disturbance():
    """Seconds that a fixed computation takes: more where another program is on the same core.

    Such a neighbour may double the time of what computes in the cache and leave a copy, which waits for memory, alone.
    """
    return cpu_clock(lambda _: sum(range(10_000)), 0)


def race(group, calls, *, rounds=41, warm=2, clock=clock, calmest=False):
    """Rows of a table. calls: name -> function of the round's number; the first one, mostly a copy, is the unit.

    median is in seconds. ratio is the median over rounds of time / (time of the unit in the same round), so that a
    slow round counts against nobody; spread is half the distance between the quartiles of these, over the ratio
    (for the unit itself, whose ratio is 1 by definition, of its seconds).

    With `calmest` three times as many rounds are run, and the third is kept in which `disturbance`, measured before
    each contender and after the last, was least at its worst. every_round is the median ratio over all of them.
    """
    first = next(iter(calls))
    taken = []  # (disturbance, {name: seconds}), a round each
    for number in range(-warm, rounds * 3 if calmest else rounds):
        seconds, disturbed = {}, [0.0]
        for name in random.Random(number).sample(list(calls), len(calls)):
            if calmest:
                disturbed.append(disturbance())
            seconds[name] = clock(calls[name], number)
        if calmest:
            disturbed.append(disturbance())
        if number >= 0:
            taken.append((max(disturbed), seconds))
    kept = sorted(taken, key=lambda pair: pair[0])[:rounds]
    rows = []
    for name in calls:
        times = [seconds[name] for _, seconds in kept]
        ratios = [seconds[name] / seconds[first] for _, seconds in kept]
        low, middle, high = statistics.quantiles(times if name == first else ratios, n=4)
        figures = {
            "median": statistics.median(times),
            "spread": (high - low) / 2 / middle,
            "ratio": statistics.median(ratios),
        }
        if calmest:
            figures["every_round"] = statistics.median(seconds[name] / seconds[first] for _, seconds in taken)
        rows.append({"group": group, "name": name} | {key: float(f"{value:.3g}") for key, value in figures.items()})
        print(f"  {name:46s} {figures['ratio']:7.2f} x unit  ±{figures['spread']:4.0%}", flush=True)
    return rows


def group(title, copied, contenders, expected, *, tolerance=0.0, **options):
    """Parity, then the race. contenders: name -> (function of the input's number, how to see its answer as ours).

    copied: the array whose copy is the unit, or (name, function of the input's number) for another unit.
    """
    import numpy as np

    print(title)
    for name, (call, see) in contenders.items():
        np.testing.assert_allclose(see(call(0)), expected, rtol=0, atol=tolerance, err_msg=name)
    unit = copied
    if not isinstance(copied, tuple):
        source = [np.ascontiguousarray(copied) for _ in range(SETS)]
        target = np.empty_like(source[0])
        unit = "copy of the same bytes", lambda i: np.copyto(target, source[i % SETS])
    calls = dict([unit])
    for turn, (name, (call, _)) in enumerate(contenders.items()):  # nobody is given what the last one just read
        calls[name] = lambda i, call=call, turn=turn: call((i + turn) % SETS)
    return race(title, calls, **options)


def how_busy():
    """A note on the neighbours, for the results: the load average of the last minute."""
    return f"{os.cpu_count()} cores, of which others used some: load average {os.getloadavg()[0]:.1f} at the end"


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


def save(name, *, device, threads, packages, rows, skipped, notes=()):
    """Write NAME.json into the package's data.

    Reached only after every parity check has passed: a wrong answer has no speed.
    """
    record = {
        "device": device,
        "threads": threads,
        "date": datetime.date.today().isoformat(),
        "versions": versions(*packages),
        "parity": True,
        "rows": rows,
        "skipped": skipped,
        "notes": list(notes),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"wrote {name}.json")
