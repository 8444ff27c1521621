"""The store: what goes in comes out or nothing does, in memory and in a folder; limits, clocks, damage, refusals."""

import errno
import os
import pickle
import stat
import threading
import time

import numpy as np
import pytest

from mmtokedu import _entries, _folder, _locks
from mmtokedu.cache import TokenCache, cache_key, frame

DAY = 24 * 3600 * 10**9  # ns
HEADER = 320  # bytes that the header of an entry here takes at most


def key(number):
    return cache_key(b"", {"number": number})


def picture(number, tokens=100):
    """An array that says in each of its numbers whose it is: tokens * 8 bytes."""
    return np.full(tokens, float(number))


@pytest.fixture(params=["memory", "folder"])
def make(request, tmp_path):
    """A cache in memory or in a folder; the same folder each time."""

    def made(max_bytes=10**6, ttl=None, **how):
        return TokenCache(None if request.param == "memory" else tmp_path / "kept", max_bytes=max_bytes, ttl=ttl, **how)

    return made


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "kept"


@pytest.fixture
def now(monkeypatch):
    """A clock that one sets: now[0], in ns."""
    time = [10**18]
    monkeypatch.setattr(_entries, "clock", lambda: time[0])
    return time


def opened(folder, max_bytes=10**6, ttl=None, **how):
    return TokenCache(folder, max_bytes=max_bytes, ttl=ttl, **how)


def holds(cache, *numbers):
    """Which of the numbers are kept; each that is must be its own picture."""
    found = {number: cache.get(key(number)) for number in numbers}
    for number, array in found.items():
        assert array is None or (array == number).all(), f"under {number} stands {array}"
    return [number for number, array in found.items() if array is not None]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# What goes in comes out


@pytest.mark.parametrize("dtype", ["|u1", "|b1", "<i8", ">u2", "<f2", ">f4", "<f8", "<c16"])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (63,), (3, 0, 2), (100, 7), (2, 3, 4, 5)])
def test_arrays_come_back_as_they_were(make, dtype, shape, rng):
    cache = make()
    array = rng.integers(0, 2, shape).astype(dtype)
    cache.put(key(1), array)
    back = cache.get(key(1))
    assert (back.dtype, back.shape, type(back)) == (array.dtype, array.shape, np.ndarray)
    np.testing.assert_array_equal(back, array)


def test_arrays_that_lie_otherwise_in_memory(make):
    plain = np.arange(24).reshape(2, 3, 4)
    for array in (plain.T, plain[:, ::2, ::-1], np.asfortranarray(plain), np.broadcast_to(plain[0], (5, 3, 4))):
        cache = make()
        cache.put(key(1), array)
        back = cache.get(key(1))
        np.testing.assert_array_equal(back, array)
        assert back.flags.c_contiguous


def test_nan_is_a_content_like_others(make):
    cache = make()
    cache.put(key(1), np.array([np.nan, -0.0]))
    assert cache.get(key(1)).tobytes() == np.array([np.nan, -0.0]).tobytes()


def test_a_buffer_may_be_used_again(make):
    """A view of a buffer that the next picture overwrites: what was kept stays what it was."""
    cache, buffer = make(), np.zeros(100)
    for number in (1, 2, 3):
        buffer[:] = number
        answer = cache.get_or_compute(key(number), lambda: buffer[:50])
        assert (answer == number).all()
    buffer[:] = 9
    cache.put(key(4), buffer)
    buffer[:] = 8
    assert holds(cache, 1, 2, 3) == [1, 2, 3] and (cache.get(key(4)) == 9).all() and (answer == 3).all()


def test_what_comes_out_is_read_only(make):
    cache = make()
    first = cache.get_or_compute(key(1), lambda: picture(1))
    for array in (first, cache.get(key(1))):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True


def test_a_folder_is_opened_again(folder):
    opened(folder).put(key(1), picture(1))
    cache = opened(folder)
    assert holds(cache, 1, 2) == [1]
    assert cache.stats()._asdict() | {"bytes": 0} == {
        "hits": 1, "misses": 1, "expired": 0, "damaged": 0, "behind": 0, "computed": 0, "waited": 0, "kept": 0,
        "not_kept": 0, "evicted": 0, "entries": 1, "bytes": 0,
    }  # fmt: skip


def test_a_file_is_a_header_and_raw_data(folder):
    opened(folder).put(key(1), picture(1))
    path = folder / f"{key(1)}.tokens"
    content = path.read_bytes()
    assert content.startswith(b"mmtok 1\n") and content.endswith(picture(1).tobytes())
    assert (len(content) - 800) % 64 == 0 and b"s3:<f8" in content and key(1).encode() in content
    assert opened(folder).stats().bytes == len(content)
    assert names(folder) == [".ledger", path.name]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_who_may_read_an_entry_says_the_umask(folder, umask):
    before = os.umask(umask)
    try:
        opened(folder).put(key(1), picture(1))
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o666 & ~umask} and stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~umask


# Limits


def test_the_longest_unused_goes_first(make):
    cache = make(max_bytes=3 * (800 + HEADER) - 1)
    cache.put(key(1), picture(1))
    cache.put(key(2), picture(2))
    assert holds(cache, 1) == [1]  # used
    cache.put(key(3), picture(3, 150))
    assert holds(cache, 1, 2, 3) == [1, 3]
    cache.put(key(3), picture(3, 150))  # replaced, not added
    assert holds(cache, 1, 3) == [1, 3] and cache.stats().evicted == 1
    cache.put(key(4), picture(4, 300))
    assert holds(cache, 1, 2, 3, 4) == [4]
    assert cache.stats().bytes <= cache.max_bytes


def test_a_million_empty_entries_are_not_free(make):
    cache = make(max_bytes=2000)
    for number in range(20):
        cache.put(key(number), np.zeros(0))
    assert 5 <= cache.stats().entries <= 10 and cache.stats().bytes <= 2000


def test_an_entry_over_the_limit(make):
    cache = make(max_bytes=2000)
    cache.put(key(1), picture(1))
    with pytest.raises(
        ValueError, match=r"the entry has 24\d\d\d bytes with its header, max_bytes is 2000; raise max_bytes"
    ):
        cache.put(key(2), picture(2, 3000))
    answer = cache.get_or_compute(key(2), lambda: picture(2, 3000))
    assert (answer == 2).all() and not answer.flags.writeable
    assert holds(cache, 1, 2) == [1]
    assert cache.stats().not_kept == 1 and cache.stats().computed == 1


def test_a_full_folder_is_not_listed_at_every_put(folder, monkeypatch):
    cache = opened(folder, max_bytes=64 * (800 + HEADER))
    for number in range(64):
        cache.put(key(number), picture(number))
    listings, listed = [], _folder.Folder._listed
    monkeypatch.setattr(_folder.Folder, "_listed", lambda self: listings.append(1) or listed(self))
    for number in range(64, 264):
        cache.put(key(number), picture(number))
    assert len(listings) <= 60
    assert opened(folder, max_bytes=10**9).stats().bytes <= cache.max_bytes


def test_two_caches_with_different_limits_share_a_folder(folder):
    """Each keeps its own limit when it writes or opens; the larger one fills up again between."""
    wide, narrow = opened(folder, 10**6), opened(folder, 3000)
    for number in range(8):
        wide.put(key(number), picture(number))
    assert wide.stats().bytes > 3000
    narrow.put(key(8), picture(8))
    assert narrow.stats().bytes <= 3000 and holds(wide, 7, 8) == [7, 8]
    wide.put(key(9), picture(9))
    wide.put(key(10), picture(10))
    assert wide.stats().bytes > 3000
    assert opened(folder, 3000).stats().bytes <= 3000
    assert holds(wide, 10) == [10]


# Time


def test_entries_expire(make, now):
    cache = make(ttl=60)
    cache.put(key(1), picture(1))
    now[0] += 59 * 10**9
    assert holds(cache, 1) == [1]  # a use does not make it younger
    now[0] += 2 * 10**9
    assert holds(cache, 1) == [] and cache.stats().expired == 1
    assert (cache.get_or_compute(key(1), lambda: picture(1)) == 1).all()
    assert cache.stats().expired == 2 and holds(cache, 1) == [1]


def test_a_clock_that_goes_back(make, now):
    """What was made in the future has no age that anybody knows: a miss. Two seconds are what clocks differ by."""
    cache = make(ttl=3600)
    cache.put(key(1), picture(1))
    now[0] -= 10**9
    assert holds(cache, 1) == [1]
    now[0] -= DAY
    assert holds(cache, 1) == []
    cache.put(key(1), picture(1))
    assert holds(cache, 1) == [1]
    now[0] += 2 * DAY
    assert holds(cache, 1) == []
    assert make(ttl=None).ttl is None


def test_without_a_ttl_no_clock_matters(make, now):
    cache = make()
    cache.put(key(1), picture(1))
    for jump in (-100 * DAY, 5000 * DAY):
        now[0] += jump
        assert holds(cache, 1) == [1]


def test_the_order_of_use_outlives_a_clock_that_goes_back(make, now):
    room = 3 * (800 + HEADER) - 1
    cache = make(max_bytes=room)
    cache.put(key(1), picture(1))
    cache.put(key(2), picture(2))
    now[0] -= DAY
    assert holds(cache, 1) == [1]
    if cache.path is not None:
        cache = make(max_bytes=room)  # another process knows it from the files
    cache.put(key(3), picture(3, 150))
    assert holds(cache, 1, 2, 3) == [1, 3]


def test_opening_removes_what_must_have_expired(folder, now):
    cache = opened(folder, ttl=60)
    cache.put(key(1), picture(1))
    now[0] += 50 * 10**9
    cache.put(key(2), picture(2))
    now[0] += 20 * 10**9
    assert opened(folder).stats().entries == 2
    assert opened(folder, ttl=60).stats().entries == 1
    assert holds(cache, 1, 2) == [2]


# Computed once


def test_threads_compute_once(make):
    cache, calls, start = make(), [], threading.Barrier(8)
    answers = [None] * 8

    def compute():
        calls.append(1)
        time.sleep(0.05)  # the others come meanwhile
        return picture(1)

    def ask(number):
        start.wait()
        answers[number] = cache.get_or_compute(key(1), compute)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1 and all((answer == 1).all() for answer in answers)
    stats = cache.stats()
    assert stats.hits + stats.misses == 8 and stats.computed == 1 and stats.waited == stats.misses - 1


def test_after_a_failure_the_next_one_computes(make):
    cache = make()
    with pytest.raises(ZeroDivisionError):
        cache.get_or_compute(key(1), lambda: 1 / 0)
    assert (cache.get_or_compute(key(1), lambda: picture(1)) == 1).all()
    if cache.path is not None:
        assert not list(cache.path.glob("*.turn"))


def test_compute_may_ask_for_another_key_but_not_for_its_own(make):
    cache = make()
    answer = cache.get_or_compute(key(1), lambda: cache.get_or_compute(key(2), lambda: picture(1)))
    assert (answer == 1).all()
    with pytest.raises(RuntimeError, match=f"compute for key {key(3)[:8]}… asks for the same key: it would wait"):
        cache.get_or_compute(key(3), lambda: cache.get_or_compute(key(3), lambda: picture(3)))
    assert (cache.get_or_compute(key(3), lambda: picture(3)) == 3).all()


def test_compute_must_give_an_array_of_numbers(make):
    for wrong, said in (
        ([1.0], "what compute gave is list"),
        (np.array([None]), "has dtype object"),
        (None, "NoneType"),
    ):
        with pytest.raises(TypeError, match=said):
            make().get_or_compute(key(1), lambda wrong=wrong: wrong)


# One cache behind another


def test_what_is_found_behind_comes_to_the_front(folder):
    behind = opened(folder)
    front = opened(None, behind=behind)
    behind.put(key(1), picture(1))
    assert holds(front, 1, 2) == [1]
    assert (front.stats().behind, front.stats().hits, front.stats().misses, front.stats().entries) == (1, 1, 1, 1)
    (folder / f"{key(1)}.tokens").unlink()
    assert holds(front, 1) == [1]
    front.put(key(3), picture(3))
    assert holds(behind, 3) == [3]
    assert (front.get_or_compute(key(4), lambda: picture(4)) == 4).all()
    assert holds(behind, 4) == [4] and behind.stats().computed == 1 and front.stats().entries == 3


def test_an_entry_is_as_old_in_front_as_behind(now):
    behind = TokenCache(None, max_bytes=10**6, ttl=60)
    front = TokenCache(None, max_bytes=10**6, ttl=60, behind=behind)
    behind.put(key(1), picture(1))
    now[0] += 50 * 10**9
    assert holds(front, 1) == [1]
    now[0] += 20 * 10**9
    assert holds(front, 1) == []


def test_what_counts_for_longer_behind_does_not_in_front(now):
    behind = TokenCache(None, max_bytes=10**6, ttl=None)
    front = TokenCache(None, max_bytes=10**6, ttl=60, behind=behind)
    behind.put(key(1), picture(1))
    now[0] += 61 * 10**9
    assert holds(front, 1) == [] and holds(behind, 1) == [1] and front.stats().expired == 1
    assert (front.get_or_compute(key(1), lambda: picture(5)) == 5).all()  # not the old one
    assert (behind.get(key(1)) == 5).all()


def test_what_is_too_large_in_front_goes_behind(folder):
    front = opened(None, max_bytes=2000, behind=opened(folder))
    front.put(key(1), picture(1, 1000))
    assert (front.get_or_compute(key(2), lambda: picture(2, 1000)) == 2).all()
    assert holds(front, 1, 2) == [1, 2] and front.stats().entries == 0 and front.stats().not_kept == 4


def test_behind_may_be_anything_that_gets_and_puts(make):
    class Elsewhere(dict):
        def put(self, key, array):
            self[key] = array

    elsewhere = Elsewhere()
    cache = make(behind=elsewhere)
    assert (cache.get_or_compute(key(1), lambda: picture(1)) == 1).all()
    cache.put(key(2), picture(2))
    assert set(elsewhere) == {key(1), key(2)}
    elsewhere[key(3)] = picture(3)
    assert (cache.get_or_compute(key(3), lambda: picture(0)) == 3).all()
    elsewhere[key(4)] = "a text"
    with pytest.raises(TypeError, match="what behind.get gave is str"):
        cache.get(key(4))


# Damage


def test_no_byte_of_an_entry_can_change_unnoticed(folder):
    """Each byte flipped, the file cut at each place, a byte more: a miss, or the right array; never another."""
    opened(folder).put(key(1), picture(1, 5))
    path = folder / f"{key(1)}.tokens"
    good = path.read_bytes()
    bad = [good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :] for at in range(len(good))]
    bad += [good[:at] for at in range(len(good))] + [good + b"\0", good[64:], b"", good + good]
    cache = opened(folder)
    for content in bad:
        path.unlink()
        path.write_bytes(content)
        assert cache.get(key(1)) is None
        cache._store._verified.clear()
    assert cache.stats().damaged == len(bad) > 400
    assert (cache.get_or_compute(key(1), lambda: picture(1, 5)) == 1).all()
    assert holds(cache, 1) == [1]


def test_an_entry_under_another_name_is_a_miss(folder):
    cache = opened(folder)
    cache.put(key(1), picture(1))
    (folder / f"{key(1)}.tokens").rename(folder / f"{key(2)}.tokens")
    assert holds(cache, 1, 2) == [] and cache.stats().damaged == 1


def written(header):
    """A file with this header, whatever it says, and the right checksum."""
    head = header + bytes(-(24 + len(header)) % 64)
    raw = picture(1, 5).tobytes()
    return b"mmtok 1\ncrc32   " + _entries._crc32([head + raw]).to_bytes(8, "big") + head + raw


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "|O"}, {"dtype": "<f8,|O"}, {"dtype": "nonesuch"}, {"dtype": None}, {"shape": (6,)}, {"shape": (4,)},
        {"shape": (-1,)}, {"shape": 5.0}, {"shape": (2**62, 2**62)}, {"shape": ("5",)}, {"made": "now"}, {"key": key(2)}, {"more": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_header_with_the_right_checksum_is_still_looked_at(folder, change):
    """Whoever writes a file by hand gets no memory of ours to see: no objects, no shape beyond the file."""
    cache = opened(folder)
    path = folder / f"{key(1)}.tokens"
    honest = {"dtype": "<f8", "shape": (5,), "key": key(1), "made": 0}
    path.write_bytes(written(frame(honest | change)))
    assert cache.get(key(1)) is None
    path.write_bytes(written(frame(honest)))
    assert (cache.get(key(1)) == 1).all()
    path.write_bytes(written(b"l1:" * 500))
    assert opened(folder).get(key(1)) is None


def test_an_entry_is_verified_once_in_a_process(folder, monkeypatch):
    made, (name, checksum) = [], next(iter(_entries.CHECKSUMS.items()))
    opened(folder).put(key(1), picture(1))
    monkeypatch.setitem(_entries.CHECKSUMS, name, lambda parts: made.append(1) or checksum(parts))
    cache = opened(folder)
    for _ in range(3):
        assert holds(cache, 1) == [1]
    assert len(made) == 1
    cache.put(key(1), picture(1))  # another file: once to write it, once to read it
    holds(cache, 1, 1)
    assert len(made) == 3


def test_a_checksum_that_cannot_be_computed_here_is_a_miss(folder, monkeypatch):
    """Written where xxhash is installed, read where it is not."""
    monkeypatch.setattr(_entries, "CHECKSUMS", {b"xxh3    ": lambda parts: 7})
    opened(folder).put(key(1), picture(1))
    assert holds(opened(folder), 1) == [1]
    monkeypatch.setattr(_entries, "CHECKSUMS", {b"crc32   ": _entries._crc32})
    cache = opened(folder)
    assert holds(cache, 1) == [] and cache.stats().damaged == 1
    cache.put(key(1), picture(1))
    assert holds(cache, 1) == [1]


# The folder


def test_files_of_others_are_left_alone(folder):
    folder.mkdir()
    foreign = [
        "notes.txt",
        "f" * 64,
        f"{key(1)}.tokens.bak",
        f"{key(1)[:-1]}.tokens",
        f"{key(2).upper()}.tokens",
        f"{key(1)}.part",
    ]
    for name in foreign:
        (folder / name).write_bytes(b"x" * 5000)
    (folder / "sub").mkdir()
    cache = opened(folder, max_bytes=3000)
    for number in range(5):
        cache.put(key(number), picture(number))
    assert set(foreign) | {"sub"} < set(names(folder))
    assert cache.stats().entries == 3


def test_a_file_of_an_entrys_name_that_is_none(folder):
    cache = opened(folder)
    path = folder / f"{key(1)}.tokens"
    path.write_bytes(b"somebody's text" * 100)
    assert holds(cache, 1) == [] and cache.stats().damaged == 1
    cache.put(key(1), picture(1))
    assert holds(cache, 1) == [1]
    path.unlink()
    path.mkdir()
    assert holds(cache, 1) == []
    with pytest.raises(OSError, match="an entry of .* bytes is not kept"):
        cache.put(key(1), picture(1))
    assert names(folder) == [".ledger", path.name]


def test_strays_of_the_killed_are_swept(folder):
    """What somebody still writes is locked, and stays; so does the turn of somebody who computes."""
    cache = opened(folder)
    living, file = cache._store._beside(key(1))
    with cache._store.turn(key(2)):
        for stray in (f"{key(1)}.{'0' * 16}.part", f"{key(1)}.turn"):
            (folder / stray).write_bytes(b"half")
        opened(folder)
        assert names(folder) == sorted([".ledger", os.path.basename(living), f"{key(2)}.turn"])
    os.close(file)
    opened(folder)
    assert names(folder) == [".ledger"]


def test_who_waits_for_a_name_that_goes_gets_the_new_one(tmp_path):
    """Or two would be inside: one with the file that is gone, one with the next of its name."""
    path, got = tmp_path / "turn", []
    file = _locks.locked(path)
    waits = threading.Thread(target=lambda: got.append(_locks.locked(path)))
    waits.start()
    waits.join(0.1)
    assert not got
    _locks.remove(file, path)
    waits.join()
    assert os.path.samestat(os.fstat(got[0]), os.stat(path))
    _locks.release(got[0])


@pytest.mark.parametrize("content", [b"", b"garbage", b"-0000000000000000005", b"0" * 19, b"9" * 40, None])
def test_a_ledger_that_is_wrong_is_made_anew(folder, content):
    cache = opened(folder, max_bytes=3000)
    for number in range(2):
        cache.put(key(number), picture(number))
    (folder / ".ledger").unlink()
    if content is not None:
        (folder / ".ledger").write_bytes(content)
    for number in range(2, 6):
        cache.put(key(number), picture(number))
    assert cache.stats().bytes <= 3000 and holds(cache, 5) == [5]


def test_a_ledger_that_says_too_much_costs_a_listing_and_no_entry(folder):
    """As after a kill between the sum and the entry."""
    cache = opened(folder, max_bytes=3000)
    cache.put(key(1), picture(1))
    (folder / ".ledger").write_bytes(b"%020d" % 2999)
    cache.put(key(2), picture(2))
    assert holds(cache, 1, 2) == [1, 2]
    assert int((folder / ".ledger").read_bytes()) == cache.stats().bytes


def test_a_folder_that_is_gone_is_made_again(folder):
    cache = opened(folder)
    cache.put(key(1), picture(1))
    kept = cache.get(key(1))
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert holds(cache, 1) == [] and (kept == 1).all()  # what is mapped stays
    assert (cache.get_or_compute(key(1), lambda: picture(1)) == 1).all()
    assert holds(cache, 1) == [1]


def test_opening_reads_no_entry(folder, monkeypatch):
    cache = opened(folder)
    for number in range(50):
        cache.put(key(number), picture(number))
    monkeypatch.setattr(_entries.mmap, "mmap", None)
    assert opened(folder, ttl=60).stats().entries == 50


# What the system refuses


def test_a_full_disk(folder, monkeypatch):
    """Half of an entry is written, then there is no room: it is said, no part of it stays, and what was kept is there."""
    cache = opened(folder)
    cache.put(key(1), picture(1))
    write = os.write

    def full(file, part):
        if len(part) > 500:
            return write(file, part[:500])
        if len(part) == 300:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, part)

    monkeypatch.setattr(_entries.os, "write", full)
    with pytest.raises(OSError, match=r"No space left on device: an entry of 992 bytes is not kept") as caught:
        cache.put(key(2), picture(2))
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(folder)
    with pytest.warns(RuntimeWarning, match="answers are not kept: .*No space left"):
        assert (cache.get_or_compute(key(2), lambda: picture(2)) == 2).all()
    assert (cache.get_or_compute(key(3), lambda: picture(3)) == 3).all()  # warned of once
    assert names(folder) == [".ledger", f"{key(1)}.tokens"] and cache.stats().not_kept == 2
    monkeypatch.undo()
    assert holds(cache, 1, 2) == [1]
    cache.put(key(2), picture(2))
    assert holds(cache, 1, 2) == [1, 2]


def test_too_many_open_files_is_no_fault_of_an_entry(folder, monkeypatch):
    cache = opened(folder)
    cache.put(key(1), picture(1))

    def refused(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(_entries.os, "open", refused)
    with pytest.raises(OSError, match="Too many open files"):
        cache.get(key(1))


def test_a_system_without_locks(folder, monkeypatch):
    """Python in a browser: one process, and everything else as usual."""
    monkeypatch.setattr(_locks, "fcntl", None)
    cache = opened(folder, max_bytes=3000)
    for number in range(5):
        assert (cache.get_or_compute(key(number), lambda n=number: picture(n)) == number).all()
    assert cache.stats().entries == 3 and holds(cache, 4) == [4]
    (folder / f"{key(1)}.{'0' * 16}.part").write_bytes(b"half")
    opened(folder)
    assert not [name for name in names(folder) if not name.endswith("tokens") and name != ".ledger"]


def test_windows_replaces_no_file_that_is_mapped(folder, monkeypatch):
    """It says so by a PermissionError; the file that is there has the same key."""
    monkeypatch.setattr(_locks, "fcntl", None)
    cache = opened(folder)
    cache.put(key(1), picture(1))

    def refused(*_):
        raise PermissionError(errno.EACCES, "Access is denied")

    monkeypatch.setattr(_folder.os, "replace", refused)
    cache.put(key(1), picture(1))
    assert holds(cache, 1) == [1] and names(folder) == [".ledger", f"{key(1)}.tokens"]
    with pytest.raises(PermissionError, match="Access is denied: an entry"):
        cache.put(key(2), picture(2))
    assert names(folder) == [".ledger", f"{key(1)}.tokens"]


def test_a_cache_goes_to_another_process_by_its_address(make):
    cache = make(ttl=60, behind=TokenCache(None, max_bytes=5000, ttl=None))
    cache.put(key(1), picture(1))
    again = pickle.loads(pickle.dumps(cache))
    assert (again.path, again.max_bytes, again.ttl, again.behind.max_bytes) == (cache.path, 10**6, 60, 5000)
    assert again.stats().entries == (cache.path is not None)


# What is refused


@pytest.mark.parametrize(
    "name, error, said",
    [
        ("photo.jpg", ValueError, "key is 'photo.jpg'; expected the 64 hexadecimal digits that cache_key gives"),
        ("../../etc/passwd", ValueError, "no keys: let them enter cache_key as params"),
        ("/" * 64, ValueError, "expected the 64 hexadecimal digits"),
        ("a/b" + "0" * 61, ValueError, "expected the 64 hexadecimal digits"),
        ("A" * 64, ValueError, "expected the 64 hexadecimal digits"),
        ("a" * 64 + "\n", ValueError, "expected the 64 hexadecimal digits"),
        ("", ValueError, "expected the 64 hexadecimal digits"),
        ("6f1a9d1e-3ab5-4e0e-9a55-0d9ac3d4b2c1", ValueError, "somebody's id"),
        ("0123456789abcdef", ValueError, "a part of a digest"),
        (hash((-1,)), TypeError, "key is int; expected the text that cache_key gives"),
        (b"a" * 64, TypeError, "key is bytes"),
    ],
)
def test_names_that_are_no_keys(make, name, error, said):
    cache = make()
    for call in (
        lambda: cache.get(name),
        lambda: cache.put(name, picture(1)),
        lambda: cache.get_or_compute(name, list),
    ):
        with pytest.raises(error, match=said):
            call()


@pytest.mark.parametrize(
    "array, said",
    [
        ([1.0], "array is list; expected a NumPy array"),
        (np.float64(1), "array is float64; expected a NumPy array"),
        (np.array([{}]), "array has dtype object"),
        (np.zeros(2, "i4,f4"), "expected numbers"),
        (np.array(["a"]), "array has dtype <U1"),
        (np.zeros(2, np.longdouble), "unused bytes"),
        (np.ma.masked_equal([1, 2], 2), "array is a masked array"),
    ],
)
def test_what_cannot_be_kept(make, array, said):
    with pytest.raises(TypeError, match=said):
        make().put(key(1), array)


@pytest.mark.parametrize(
    "how, error, said",
    [
        ({"max_bytes": 0}, ValueError, "max_bytes is 0; it must be at least 1"),
        ({"max_bytes": -1}, ValueError, "max_bytes is -1; it must be at least 1"),
        ({"max_bytes": 1e9}, TypeError, r"max_bytes is 1000000000.0; expected a whole number of bytes \(4 GiB: 4"),
        ({"max_bytes": True}, TypeError, "max_bytes is True"),
        ({"max_bytes": "4G"}, TypeError, "max_bytes is '4G'; expected a whole number"),
        ({"ttl": -5}, ValueError, "ttl is -5; expected a finite number of seconds"),
        ({"ttl": 0}, ValueError, "ttl is 0; expected"),
        ({"ttl": float("nan")}, ValueError, "ttl is nan; expected"),
        ({"ttl": float("inf")}, ValueError, r"ttl is inf; .*\(None: entries do not expire\)"),
        ({"ttl": "1h"}, TypeError, "ttl is '1h'; expected a number of seconds"),
        ({"behind": "s3://bucket"}, TypeError, "behind is str; expected another TokenCache, or what has get and put"),
        ({"behind": {}}, TypeError, "behind is dict"),
    ],
)
def test_limits_that_are_none(make, how, error, said):
    with pytest.raises(error, match=said):
        make(**how)


def test_places_that_are_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="path '.*file' is a file; entries need a folder of their own"):
        opened(tmp_path / "file")
    for path in ("", 7, b"bytes"):
        with pytest.raises(TypeError, match="expected a folder, or None to keep entries in this process's memory"):
            opened(path)
    with pytest.raises(OSError):
        opened(tmp_path / "file" / "below")
