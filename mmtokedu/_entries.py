"""What a cache keeps: an array as one file, header and raw data, that is known again or not read; entries in memory.

A file is MAGIC, the name of its checksum, the checksum (8 bytes each), a framed dict (dtype, shape, key, made), zeros
up to a multiple of 64, the raw data in C order. The checksum is of all that follows it, the header too: with a damaged
shape it would be another picture.
"""

import collections
import contextlib
import mmap
import os
import sys
import threading
import time
import zlib
from typing import NamedTuple

import numpy as np

from mmtokedu._framing import frame, read_frame
from mmtokedu.arguments.cache import check_dtype, check_entry, check_fits

try:
    import xxhash
except ImportError:  # pip install xxhash: its checksum takes a fifth of zlib's time
    xxhash = None

MAGIC = b"mmtok 1\n"
START = 24  # where the header begins
ALIGNED = 64  # bytes; what reads an array's rows with wide instructions likes them to begin so
SKEW = 2 * 10**9  # ns that two machines' clocks, or a clock that is being set right, may be apart
FIELDS = {"dtype", "shape", "key", "made"}
MAPPED = {"trackfd": False} if sys.version_info >= (3, 13) else {}  # before, each map holds a file handle

clock = time.time_ns


class Found(NamedTuple):
    """An array that was kept, read-only, and when it was made: nanoseconds since 1970."""

    array: np.ndarray
    made: int


class Damaged(ValueError):
    """A file that is not what was written under its name."""


class Tally:
    """Counts what happened, in any thread."""

    def __init__(self):
        self._lock, self.counts = threading.Lock(), collections.Counter()

    def __call__(self, name, many=1):
        with self._lock:
            self.counts[name] += many


def is_fresh(made, ttl):
    """Whether what was made then still counts: its age is from 0 to ttl seconds. In doubt it does not.

    A clock may have gone back since; what was made in the future has no age that anybody knows.
    """
    return ttl is None or -SKEW <= clock() - made < ttl * 1e9


# An array as a file


def _crc32(parts):
    value = 0
    for part in parts:
        value = zlib.crc32(part, value)
    return value


def _xxh3(parts):
    state = xxhash.xxh3_64()
    for part in parts:
        state.update(part)
    return state.intdigest()


CHECKSUMS = {b"xxh3    ": _xxh3, b"crc32   ": _crc32}  # eight letters each
if xxhash is None:
    del CHECKSUMS[b"xxh3    "]


def packed(key, array, made):
    """[header, raw data] of an entry: what its file holds."""
    raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    header = frame({"dtype": array.dtype.str, "shape": array.shape, "key": key, "made": made})
    header += bytes(-(START + len(header)) % ALIGNED)
    name, checksum = next(iter(CHECKSUMS.items()))
    return [MAGIC + name + checksum([header, raw]).to_bytes(8, "big") + header, raw]


def write_all(file, parts):
    """Write buffers to an open file, all of each: the system may take a part at a time."""
    for part in parts:
        part = memoryview(part)
        while len(part):
            part = part[os.write(file, part) :]


def read_entry(path, key, verified):
    """The entry of a key from its file, mapped: Found. What was read once, `verified` says and need not be read again.

    verified: {key: (which file, how its numbers lie)}. Raises OSError where there is no file, or none that may be read,
    Damaged where it is not what was written.
    """
    file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        number = os.fstat(file).st_ino
        content = mmap.mmap(file, 0, access=mmap.ACCESS_READ, **MAPPED)
    except ValueError:  # mmap's word for an empty file
        raise Damaged("it is empty") from None
    finally:
        os.close(file)
    which = number, len(content), content[:START]  # the number alone may have been a file's that is gone
    known, lies = verified.get(key, (None, None))
    if known != which:
        lies = _parsed(content, key)
        _verify(content)
        verified[key] = which, lies
    shape, dtype, at, made = lies
    return Found(np.ndarray(shape, dtype, content, at), made)


def _verify(content):
    checksum = CHECKSUMS.get(content[8:16])
    if content[:8] != MAGIC or checksum is None:
        raise Damaged("it begins like no entry, or has a checksum that cannot be computed here")
    view = memoryview(content)[START:]
    if checksum([view]) != int.from_bytes(content[16:START], "big"):
        raise Damaged("its checksum is another")


def _parsed(content, key):
    """(shape, dtype, where the numbers begin, made) as the header says, if that may be so."""
    try:
        header, stop = read_frame(content, START)
        if set(header) != FIELDS or header["key"] != key:
            raise ValueError("a header of something else")
        dtype, at = check_dtype(np.dtype(header["dtype"]), ("an entry",)), stop + -stop % ALIGNED
        array = np.ndarray(header["shape"], dtype, content, at)
        if (dtype.str, array.shape) != (header["dtype"], header["shape"]) or at + array.nbytes != len(content):
            raise ValueError("another shape or size than its header says")  # NumPy takes -1, and None for a dtype
        return array.shape, dtype, at, int(header["made"])
    except (TypeError, ValueError) as error:
        raise Damaged(str(error)) from error


# Entries in memory


class Memory:
    """Entries of this process, copied in: the store of a cache without a folder."""

    def __init__(self, max_bytes, ttl, tally):
        self.max_bytes, self.ttl, self.tally = max_bytes, ttl, tally
        self._entries = collections.OrderedDict()  # key -> Found, the longest unused first
        self._bytes, self._guard, self._turns = 0, threading.RLock(), {}

    def get(self, key):
        """(Found, "") or (None, why not)."""
        with self._guard:
            found = self._entries.get(key)
            if found is None:
                return None, "absent"
            if not is_fresh(found.made, self.ttl):
                return None, "expired"
            self._entries.move_to_end(key)
            return found, ""

    def put(self, key, array, made):
        size = _weight(array)
        check_fits(size, self.max_bytes)
        kept = Found(_own(array), made)
        with self._guard:
            if key in self._entries:
                self._drop(key)
            while self._bytes + size > self.max_bytes:
                self._drop(next(iter(self._entries)))
                self.tally("evicted")
            self._entries[key] = kept
            self._bytes += size

    def _drop(self, key):
        self._bytes -= _weight(self._entries.pop(key).array)

    def held(self):
        """(entries, bytes) that are kept now."""
        with self._guard:
            return len(self._entries), self._bytes

    @contextlib.contextmanager
    def turn(self, key):
        """One thread at a time is inside with a key."""
        with self._guard:
            turn = self._turns.setdefault(key, [threading.Lock(), 0])
            turn[1] += 1
        try:
            with turn[0]:
                yield
        finally:
            with self._guard:
                turn[1] -= 1
                if not turn[1]:
                    del self._turns[key]


def _weight(array):
    """Bytes that an entry counts: its own, and as many as a header has, so that a million empty ones are not free."""
    return array.nbytes + 4 * ALIGNED


def _own(array, name="array"):
    """A copy that nobody else writes to, in C order, read-only; or a TypeError where it is no array of numbers."""
    check_entry(array, name)
    kept = np.array(array, order="C", subok=False)
    kept.flags.writeable = False
    return kept.view()  # of an array that owns its memory anybody could lift the flag
