"""A cache's folder under several processes, kills, and what a system refuses. Each part counts, and asserts as it goes.

python cache_processes.py kills 200     a writer is killed at a random moment, and the folder looked at
python cache_processes.py turns 20      who computes is killed, and who waits takes over
python cache_processes.py hammer 20     four processes read, write and compute for so many seconds, in a tight folder
python cache_processes.py once 64       so many keys, each computed once by four processes of two threads
python cache_processes.py refused       a folder that one may only read, an entry that one may not
python cache_processes.py full          a disk of 1 MiB (root alone)
python cache_processes.py many 100000   so many entries: seconds to open
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np

from mmtokedu._entries import packed
from mmtokedu.cache import TokenCache, cache_key

KEYS = [cache_key(b"", {"number": number}) for number in range(64)]
BYTES = 2**19  # of the arrays that are killed: a write takes a good part of the time


def child(work):
    """Fork a process that does `work` and ends; its pid."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def ended(pids):
    """Wait; whether all ended well."""
    return all(os.waitpid(pid, 0)[1] == 0 for pid in pids)


def files(folder):
    return [path.name for path in Path(folder).iterdir() if not path.name.endswith((".tokens", ".ledger"))]


# Kills


def write_on(folder, max_bytes, log, seed):
    """Put arrays full of their own number, round about; a byte into the log before each put and one after."""
    cache, number = TokenCache(folder, max_bytes=max_bytes, ttl=None), seed
    while True:
        number += 1
        os.write(log, b"b")
        cache.put(KEYS[number % 8], np.full(BYTES // 8, number))
        os.write(log, b"e")


def kills(count):
    """{"kills", "puts" completed before them, "in a put": killed between begin and end, "strays": temporaries left, "torn", "lost"}."""
    draw, found = random.Random(0), {"kills": 0, "puts": 0, "in a put": 0, "strays": 0, "torn": 0, "lost": 0}
    for number in range(count):
        tight = number % 2  # every other time only five of eight fit, and others go in each put
        max_bytes = (5 if tight else 100) * (BYTES + 500)
        with tempfile.TemporaryDirectory() as folder:
            reader, log = os.pipe()
            pid = child(lambda: write_on(folder, max_bytes, log, 0))  # noqa: B023
            os.close(log)
            began = b""
            while began.count(b"e") < draw.randrange(1, 20):  # some puts are complete, and then
                began += os.read(reader, 1)
            time.sleep(draw.uniform(0, 0.01))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            while more := os.read(reader, 2**16):
                began += more
            os.close(reader)
            done = began.count(b"e")
            found["kills"] += 1
            found["puts"] += done
            found["in a put"] += began.endswith(b"b")
            found["strays"] += bool(files(folder))
            looked_at(folder, max_bytes, done, 4 if tight else 8, found)
    assert not found["torn"] and not found["lost"], found
    return found


def looked_at(folder, max_bytes, done, fit, found):
    """What a new process finds after `done` puts that were completed, the last `fit` of which must be there."""
    cache = TokenCache(folder, max_bytes=max_bytes, ttl=None)
    assert not files(folder), "strays are swept at opening"
    entries, size = cache.stats()[-2:]
    assert size <= max_bytes and int((Path(folder) / ".ledger").read_bytes()) == size
    for number in range(max(1, done - fit + 1), done + 1):
        array = cache.get(KEYS[number % 8])
        if array is None:
            found["lost"] += 1
        elif len(array) != BYTES // 8 or (array != array[0]).any() or array[0] not in (number, done + 1):
            found["torn"] += 1
    found["torn"] += cache.stats().damaged


def turns(count):
    """Who computes is killed: who waits for it computes itself. {"turns": so often}."""
    for _ in range(count):
        with tempfile.TemporaryDirectory() as folder:
            reader, log = os.pipe()

            def computing():
                os.write(log, b"c")  # noqa: B023
                time.sleep(60)

            def first():
                TokenCache(folder, max_bytes=10**6, ttl=None).get_or_compute(KEYS[0], computing)

            pid = child(first)
            os.read(reader, 1)
            cache = TokenCache(folder, max_bytes=10**6, ttl=None)
            threading.Timer(0.05, os.kill, (pid, signal.SIGKILL)).start()
            answer = cache.get_or_compute(KEYS[0], lambda: np.full(3, 7))
            os.waitpid(pid, 0)
            assert (answer == 7).all() and cache.stats().computed == 1 and not files(folder)
            os.close(reader), os.close(log)
    return {"turns": count}


# Four at once


def right(number, array):
    return array.shape == (1000 + number,) and bool((array == number).all())


def one_of_four(folder, max_bytes, seconds, seed, log):
    draw, counts = random.Random(seed), {"calls": 0, "wrong": 0}
    cache = TokenCache(folder, max_bytes=max_bytes, ttl=None)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        number = draw.randrange(64)
        array, what = np.full(1000 + number, float(number)), draw.randrange(4)
        if what == 0:
            cache.put(KEYS[number], array)
        elif what == 1:
            array = cache.get_or_compute(KEYS[number], lambda: array)  # noqa: B023
        else:
            array = cache.get(KEYS[number])
        counts["calls"] += 1
        counts["wrong"] += array is not None and not right(number, array)
        if draw.randrange(500) == 0:
            cache = TokenCache(folder, max_bytes=max_bytes, ttl=None)
    stats = cache.stats()
    os.write(log, f"{counts['calls']} {counts['wrong']} {stats.damaged} {stats.not_kept}\n".encode())


def hammer(seconds, processes=4):
    """{"processes", "calls", "wrong", "damaged", "not kept", "looks", "over": looks that saw more than the limit}."""
    max_bytes = 30 * 8500
    with tempfile.TemporaryDirectory() as folder:
        reader, log = os.pipe()
        pids = [child(lambda s=s: one_of_four(folder, max_bytes, seconds, s, log)) for s in range(processes)]
        os.close(log)
        cache, end = TokenCache(folder, max_bytes=max_bytes, ttl=None), time.monotonic() + seconds
        looks = over = 0
        while time.monotonic() < end:
            with cache._store._ledger():  # nothing comes or goes meanwhile
                looks, over = looks + 1, over + (cache.stats().bytes > max_bytes)
            time.sleep(0.02)
        assert ended(pids)
        lines = os.read(reader, 2**16).decode().split("\n")[:-1]
        calls, wrong, damaged, not_kept = (sum(each) for each in zip(*(map(int, line.split()) for line in lines)))
        assert len(lines) == processes and not (wrong or damaged or not_kept or over), (lines, over)
        TokenCache(folder, max_bytes=max_bytes, ttl=None)
        assert not files(folder)
    return {"processes": processes, "calls": calls, "wrong": wrong, "damaged": damaged, "looks": looks, "over": over}


def once(count):
    """{"keys", "computed"}: four processes of two threads ask for all keys in orders of their own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "computed.log"
        log = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        keys = [cache_key(b"once", {"number": number}) for number in range(count)]

        def asks(cache, seed, wrong):
            for number in random.Random(seed).sample(range(count), count):

                def compute(number=number):
                    os.write(log, f"{number}\n".encode())
                    time.sleep(0.001)
                    return np.full(1000 + number, number)

                if not right(number, cache.get_or_compute(keys[number], compute)):
                    wrong.append(number)

        def process(seed):
            cache, wrong = TokenCache(folder, max_bytes=10**9, ttl=None), []
            threads = [threading.Thread(target=asks, args=(cache, seed + t, wrong)) for t in (0, 1)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            assert not wrong

        assert ended([child(lambda s=s: process(s)) for s in (0, 2, 4, 6)])
        os.close(log)
        computed = path.read_text().split()
        assert sorted(map(int, computed)) == list(range(count)), "a key was computed twice, or not at all"
        assert files(folder) == ["computed.log"]
    return {"keys": count, "computed": len(computed)}


# What a system refuses


def nobody():
    """From here on no rights of root: it may read and write what it likes."""
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)


def refused():
    """A folder that one may only read answers and keeps nothing new; an entry that one may not read is a miss."""
    with tempfile.TemporaryDirectory() as folder:
        cache = TokenCache(folder, max_bytes=10**6, ttl=None)
        for number in (0, 1):
            cache.put(KEYS[number], np.full(3, number))
        os.chmod(Path(folder) / f"{KEYS[1]}.tokens", 0o000)
        os.chmod(folder, 0o555)

        def process():
            nobody()
            cache = TokenCache(folder, max_bytes=10**6, ttl=None)
            assert (cache.get(KEYS[0]) == 0).all() and cache.get(KEYS[1]) is None and cache.stats().damaged == 1
            try:
                cache.put(KEYS[2], np.zeros(3))
                raise AssertionError("a folder that one may only read took an entry")
            except PermissionError as error:
                assert "Permission denied: an entry of" in str(error)
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                for _ in range(2):
                    assert (cache.get_or_compute(KEYS[2], lambda: np.full(3, 2)) == 2).all()
            assert len(said) == 1 and cache.stats().not_kept == 2 and cache.stats().entries == 2

        try:
            assert ended([child(process)])
        finally:
            os.chmod(folder, 0o755)
    return {"refused": 1}


def full():
    """A disk of 1 MiB: what does not fit is said, nothing of it stays, what is there stays."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
        try:
            cache, kept = TokenCache(folder, max_bytes=10**9, ttl=None), 0
            try:
                while kept < 64:
                    cache.put(KEYS[kept], np.full(10_000, kept))
                    kept += 1
            except OSError as error:
                assert "No space left on device: an entry of 80" in str(error)
            assert 8 < kept < 16 and not files(folder)
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                assert (cache.get_or_compute(KEYS[63], lambda: np.full(10_000, 63)) == 63).all()
            assert len(said) == 1 and not files(folder)
            assert all((TokenCache(folder, max_bytes=10**9, ttl=None).get(KEYS[n]) == n).all() for n in range(kept))
        finally:
            subprocess.run(["umount", folder], check=True)
    return {"full": 1, "kept": kept}


def many(count):
    """Seconds to open a folder of so many entries, and to put one more; median of five."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            key = cache_key(b"", {"many": number})
            (Path(folder) / f"{key}.tokens").write_bytes(b"".join(packed(key, np.zeros(16), time.time_ns())))
        opening, putting = [], []
        for number in range(5):
            begun = time.perf_counter(), time.process_time()
            cache = TokenCache(folder, max_bytes=10**12, ttl=3600)
            opening.append((round(time.perf_counter() - begun[0], 2), round(time.process_time() - begun[1], 2)))
            begun = time.perf_counter()
            cache.put(KEYS[number], np.zeros(16))
            putting.append(round((time.perf_counter() - begun) * 1e6))
        assert cache.stats().entries == count + 5
    return {"entries": count, "open, s (wall, CPU)": sorted(opening)[2], "put, µs": sorted(putting)[2]}


if __name__ == "__main__":
    name, *numbers = sys.argv[1:]
    part = {part.__name__: part for part in (kills, turns, hammer, once, refused, full, many)}[name]
    print(part(*map(int, numbers)))
