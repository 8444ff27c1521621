"""Those who keep an array under a key on this disk, each made ready: a put and a get, functions of the number of a key.

A get touches every page of what it returns, so that a map has been read. What is put has a key of its own, and is
removed when the clock stands: who renames a file over another waits for the disk on some systems.
"""

import importlib
import json
import mmap
import os
import pathlib
import sqlite3

import numpy as np
from _timing import SETS

from mmtokedu.cache import TokenCache, cache_key

KEPT = [cache_key(b"kept", {"number": number}) for number in range(SETS)]  # those that are got
HEADER = 64  # bytes: dtype and shape, for those who keep bytes


def touched(array):
    """The array, every page of it read."""
    array.reshape(-1).view(np.uint8)[::4096].sum()
    return array


def header(array):
    return json.dumps([array.dtype.str, array.shape]).encode().ljust(HEADER)


def unpacked(kept):
    dtype, shape = json.loads(bytes(kept[:HEADER]))
    return np.frombuffer(kept, dtype, offset=HEADER).reshape(shape)


class PlainFile:
    """Header and raw data, written beside and renamed: the least that anybody can do. Read into fresh memory."""

    def __init__(self, folder, array):
        self.folder = pathlib.Path(folder)

    def put(self, key, array):
        beside = self.folder / f"{key}.part"
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        for part in (header(array), memoryview(array).cast("B")):
            while len(part):
                part = part[os.write(file, part) :]
        os.close(file)
        os.replace(beside, self.folder / key)

    def get(self, key):
        return unpacked((self.folder / key).read_bytes())

    def drop(self, key):
        (self.folder / key).unlink()


class MappedFile(PlainFile):
    def get(self, key):
        with open(self.folder / key, "rb") as file:
            return unpacked(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


class NumpyFile(PlainFile):
    """np.save beside, renamed; np.load with a map."""

    def put(self, key, array):
        beside = self.folder / f"{key}.part"
        with open(beside, "wb") as file:
            np.save(file, array, allow_pickle=False)
        os.replace(beside, self.folder / key)

    def get(self, key):
        return np.load(self.folder / key, mmap_mode="r")


class Ours:
    def __init__(self, folder, array):
        self.cache = TokenCache(folder, max_bytes=100 * (array.nbytes + 1000), ttl=3600)
        self.put, self.get = self.cache.put, self.cache.get

    def drop(self, key):
        (self.cache.path / f"{key}.tokens").unlink()


class OursFirst(Ours):
    """A get as the first of a process, which makes the checksum."""

    def __init__(self, folder, array):
        super().__init__(folder, array)
        self.get = self.first

    def first(self, key):
        self.cache._store._verified.clear()
        return self.cache.get(key)


class DiskCache:
    def __init__(self, folder, array):
        self.cache = importlib.import_module("diskcache").Cache(str(folder), size_limit=100 * (array.nbytes + 1000))

    def put(self, key, array):
        self.cache.set(key, header(array) + array.tobytes())

    def get(self, key):
        return unpacked(self.cache.get(key))

    def drop(self, key):
        self.cache.delete(key)


class DiskCachePickle(DiskCache):
    """As it is used most: the array as it is, which it pickles."""

    def put(self, key, array):
        self.cache[key] = array

    def get(self, key):
        return self.cache[key]


class Sqlite:
    def __init__(self, folder, array):
        self.base = sqlite3.connect(pathlib.Path(folder) / "kept.db", isolation_level=None)
        self.base.execute("pragma journal_mode=wal")
        self.base.execute("pragma synchronous=normal")
        self.base.execute("create table kept(key text primary key, content blob)")

    def put(self, key, array):
        self.base.execute("insert or replace into kept values(?, ?)", (key, header(array) + array.tobytes()))

    def get(self, key):
        return unpacked(self.base.execute("select content from kept where key = ?", (key,)).fetchone()[0])

    def drop(self, key):
        self.base.execute("delete from kept where key = ?", (key,))


class Lmdb:
    """Without waiting for the disk, as the others; a view of its map, copied before the transaction ends."""

    def __init__(self, folder, array):
        size = 40 * (array.nbytes + 10_000) + 2**20
        self.base = importlib.import_module("lmdb").open(str(folder), map_size=size, sync=False, metasync=False)

    def put(self, key, array):
        with self.base.begin(write=True) as turn:
            turn.put(key.encode(), header(array) + array.tobytes())

    def get(self, key):
        with self.base.begin(buffers=True) as turn:
            return unpacked(bytes(turn.get(key.encode())))

    def drop(self, key):
        with self.base.begin(write=True) as turn:
            turn.delete(key.encode())


PEERS = {
    "TokenCache": Ours,
    "TokenCache, first get": OursFirst,
    "plain file, read": PlainFile,
    "plain file, mapped": MappedFile,
    "np.save and np.load, mapped": NumpyFile,
    "LMDB, sync off": Lmdb,
    "diskcache, bytes": DiskCache,
    "diskcache, pickled array": DiskCachePickle,
    "SQLite, WAL": Sqlite,
}
GETS_ONLY = "TokenCache, first get", "plain file, mapped"


class Putting:
    """Put an array under a new key; `tidy` removes it, `back` gets it."""

    def __init__(self, peer, arrays):
        self.peer, self.arrays, self.number, self.key = peer, arrays, 0, None

    def __call__(self, number):
        self.peer.put(self.key, self.arrays[number % SETS])
        return self

    def fresh(self):
        """Before the clock runs: the key."""
        self.number += 1
        self.key = cache_key(b"put", {"number": self.number})

    def tidy(self):
        self.peer.drop(self.key)


def calls(name, folder, arrays):
    """{"put", "get"}: functions of a number, of a peer with a folder of its own."""
    folder.mkdir()
    peer = PEERS[name](folder, arrays[0])
    for key, array in zip(KEPT, arrays):
        peer.put(key, array)
    found = {"put": Putting(peer, arrays), "get": lambda number: touched(peer.get(KEPT[number % SETS]))}
    if name in GETS_ONLY:
        del found["put"]
    return found


def checksum(arrays):
    """The checksum alone, as an entry's first read makes it."""
    from mmtokedu._entries import CHECKSUMS

    name, made = next(iter(CHECKSUMS.items()))
    return name.decode().strip(), lambda number: made([memoryview(arrays[number % SETS]).cast("B")])
