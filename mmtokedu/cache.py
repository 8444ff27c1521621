"""Never pay twice, never answer with another's picture: a key that says everything, and a store that keeps it."""

import functools
import hashlib
import threading
import warnings
from typing import NamedTuple

from mmtokedu import _entries
from mmtokedu._entries import Found, Memory, Tally, _own
from mmtokedu._folder import Folder
from mmtokedu._framing import frame, pieces, unframe
from mmtokedu.arguments.cache import (
    check_algorithm,
    check_behind,
    check_data,
    check_entry,
    check_folder,
    check_key,
    check_limit,
    check_params,
    check_ttl,
)

__all__ = ["Stats", "TokenCache", "cache_key", "frame", "key_frame", "unframe"]

FORM = "mmtokedu key 1"  # in front of every key: another form of frame gets another name


# The key


def cache_key(data, params, *, algorithm="sha256"):
    """The name of what comes out when `data` are processed with `params`: 64 hexadecimal digits.

    data: the bytes of a file (best: a few MB instead of the pixels), an array, or a list of these. params: a dict of
    everything that changes the result: sizes, filter, mean and deviation, the model and its revision, the version of
    the code, the tenant. Both are framed (`frame`), so that no two can have one key by their types, shapes or order;
    what remains is a collision of the digest, 2**-128 by chance for SHA-256. algorithm "blake3" is for whoever hashes
    gigabytes (pip install blake3); its keys are others.

    Raises TypeError and ValueError, naming the place, for what no key can be made of: NaN, objects, tensors, images,
    subclasses.

    Source: content addressing as in Git; the parts that a key needs are those of vLLM's multimodal hasher.

    >>> photo = b"the bytes of a file"
    >>> cache_key(photo, {"size": 448, "filter": "bicubic"}) == cache_key(photo, {"filter": "bicubic", "size": 448})
    True
    >>> [cache_key(photo, {"size": size})[:8] for size in (448, 448.0, "448")]
    ['6256ec27', '23a1b16b', '1d3ede25']
    """
    digest = _digest(algorithm)
    for piece in _key_pieces(data, params):
        digest.update(piece)
    return digest.hexdigest()


def key_frame(data, params):
    """What `cache_key` digests, as bytes; `unframe` reads it.

    >>> key_frame(b"JPEG", {"size": 448})
    b't3:s14:mmtokedu key 1b4:JPEGd1:s4:sizei3:448'
    >>> unframe(key_frame(b"JPEG", {"size": 448}))
    ('mmtokedu key 1', b'JPEG', {'size': 448})
    """
    return b"".join(_key_pieces(data, params))


def _key_pieces(data, params):
    check_data(data)
    check_params(params)
    return [b"t3:", frame(FORM), *pieces(data, ("data",), nan=True), *pieces(params, ("params",))]


def _digest(algorithm):
    check_algorithm(algorithm)
    if algorithm == "sha256":
        return hashlib.sha256()
    try:
        from blake3 import blake3
    except ImportError:
        raise ImportError('algorithm "blake3" needs its package: pip install blake3 (or take "sha256")') from None
    return blake3()


# The store


class Stats(NamedTuple):
    """What a cache did since it was opened in this process, and what it holds now."""

    hits: int
    misses: int
    expired: int  # of the misses: too old, or made in the future
    damaged: int  # of the misses: not what was written, or not to be read
    behind: int  # found in the cache behind this one
    computed: int
    waited: int  # misses that somebody else computed meanwhile
    kept: int
    not_kept: int  # computed, but larger than max_bytes, or the disk refused
    evicted: int
    entries: int
    bytes: int  # of all entries, headers included


class TokenCache:
    """Arrays under the keys of `cache_key`, in a folder that processes share, or in memory (path None).

    max_bytes bounds all entries together, headers included; what was used longest ago goes first. ttl is how many
    seconds an entry counts from when it was made, None for ever. behind is a slower cache that is asked at a miss and
    given what is put: another TokenCache, or anything with get(key) and put(key, array). So memory before a folder
    before a network is TokenCache(None, …, behind=TokenCache(folder, …, behind=yours)).

    What comes back is read-only, and in a folder mapped: pages are read when they are touched, and shared by processes.
    An entry is checked at its first read in a process; a damaged one is a miss. A kill at any moment loses no entry
    that was complete (a power cut may: nobody waits for the disk). Two caches on one folder with different limits: each
    keeps its own when it puts or opens. A folder that one may only read answers, and keeps nothing new. Files that are
    not the cache's are left alone. Locks are flock's, on Windows locking's; a disk without locks refuses a put.

    Whoever can write to the folder can answer for you, and whoever cuts short a file that is mapped ends the process
    that reads it: give the folder the permissions of what it holds.

    Raises ValueError for limits below 1, a ttl that is not positive, a path that is a file.

    >>> import numpy as np
    >>> cache = TokenCache(None, max_bytes=2**20, ttl=None)
    >>> key = cache_key(b"the bytes of a file", {"size": 448})
    >>> cache.get_or_compute(key, lambda: np.arange(3)).tolist(), cache.get(key).tolist()
    ([0, 1, 2], [0, 1, 2])
    >>> cache.stats().computed, cache.stats().hits
    (1, 1)
    """

    def __init__(self, path, *, max_bytes, ttl, behind=None):
        self.path = None if path is None else check_folder(path)
        self.max_bytes, self.ttl, self.behind = check_limit(max_bytes), check_ttl(ttl), behind
        check_behind(behind)
        self._tally, self._computing, self._warned = Tally(), set(), False
        store = (self.max_bytes, self.ttl, self._tally)
        self._store = Memory(*store) if path is None else Folder(self.path, *store)

    def __reduce__(self):
        """To another process goes how to open it, not what it holds."""
        given = {"max_bytes": self.max_bytes, "ttl": self.ttl, "behind": self.behind}
        return functools.partial(TokenCache, self.path, **given), ()

    def get(self, key):
        """The array that was put under a key, read-only; None where there is none, or none that may be trusted."""
        found = self._asked(check_key(key))
        return found and found.array

    def put(self, key, array):
        """Keep a copy of an array of numbers under a key, here and behind.

        Raises ValueError for one larger than max_bytes, unless there is a cache behind, and OSError where the disk
        refuses; no part of it stays.
        """
        check_key(key)
        check_entry(array)
        try:
            self._keep(key, array, _entries.clock())
        except ValueError:
            if self.behind is None:
                raise
            self._tally("not_kept")
        if self.behind is not None:
            self.behind.put(key, array)

    def get_or_compute(self, key, compute):
        """The array under a key; where there is none, that of compute(), which is called once however many ask.

        Threads and processes that ask meanwhile wait; if the one that computes fails or is killed, the next one does.
        An answer that cannot be kept is given all the same, and computed for each who asks (larger than max_bytes:
        counted; a disk that refuses: warned of once).
        """
        found = self._asked(check_key(key))
        if found:
            return found.array
        me = threading.get_ident(), key
        if me in self._computing:
            raise RuntimeError(f"compute for key {key[:8]}… asks for the same key: it would wait for itself")
        with self._store.turn(key):
            found, why = self._find(key)
            if found:  # somebody was quicker
                self._tally("waited")
                return found.array
            self._computing.add(me)
            try:
                return self._computed(key, compute, ask_behind=why != "expired behind")
            finally:
                self._computing.discard(me)

    def stats(self):
        """Counts since this cache was opened in this process, and what is kept now, whoever put it: Stats."""
        entries, size = self._store.held()
        return Stats(*(self._tally.counts[name] for name in Stats._fields[:-2]), entries, size)

    def _asked(self, key):
        """What is found under a key, counted: Found or None."""
        found, why = self._find(key)
        self._tally("hits" if found else "misses")
        if not found and why != "absent":
            self._tally(why.removesuffix(" behind"))
        return found

    def _find(self, key):
        """(Found, "") here or behind, or (None, why not here)."""
        found, why = self._store.get(key)
        if found or self.behind is None:
            return found, why
        if isinstance(self.behind, TokenCache):
            found, _ = self.behind._find(key)  # with its age
        else:
            array = self.behind.get(key)
            found = None if array is None else Found(_own(array, "what behind.get gave"), _entries.clock())
        if found is None:
            return None, why
        if not _entries.is_fresh(found.made, self.ttl):
            return None, "expired behind"  # where it may count for longer
        self._tally("behind")
        self._try(self._keep, key, *found)
        return found, ""

    def _computed(self, key, compute, ask_behind):
        """What compute() gives, kept here and behind: as `get` would give it, or a copy where nothing could be kept."""
        if ask_behind and hasattr(self.behind, "get_or_compute"):
            array = self.behind.get_or_compute(key, compute)
        else:
            array = compute()
            check_entry(array, "what compute gave")
            self._tally("computed")
            if self.behind is not None:
                self._try(self.behind.put, key, array)
        check_entry(array, "what compute gave")
        kept = self._try(self._keep, key, array, _entries.clock()) and self._store.get(key)[0]
        return kept.array if kept else _own(array)

    def _keep(self, key, array, made):
        self._store.put(key, array, made)
        self._tally("kept")

    def _try(self, put, *given):
        """Whether something could be kept."""
        try:
            put(*given)
            return True
        except ValueError:
            pass
        except OSError as error:
            if not self._warned:
                self._warned = True
                warnings.warn(f"answers are not kept: {error}", RuntimeWarning, stacklevel=4)
        self._tally("not_kept")
        return False
