"""A folder of entries that several processes share: written beside and renamed, bounded together, the longest unused
out first, locked so that a kill at any moment leaves nothing that others would wait for.

Files: KEY.tokens is an entry, its time of modification the last use; KEY.DRAWN.part one that is being written; KEY.turn
is there while somebody computes; .ledger is locked while entries come and go, and holds the sum of their sizes. Any
other file is somebody's own: it is neither counted nor touched.
"""

import contextlib
import errno
import os
import re

from mmtokedu import _entries, _locks
from mmtokedu._entries import Damaged, is_fresh, packed, read_entry, write_all
from mmtokedu.arguments.cache import check_fits

ENTRY = re.compile(r"[0-9a-f]{64}\.tokens")
STRAY = re.compile(r"[0-9a-f]{64}\.([0-9a-f]{16}\.part|turn)")
LEDGER = ".ledger"
HANDLES = errno.EMFILE, errno.ENFILE  # this process holds too many files: no fault of an entry
SPARE = 16  # a full folder loses this part of its entries more, so that it is not listed at every put


def _place(beside, path):
    """Give a complete file its name. Windows replaces none that is mapped: what has the same key is left there."""
    try:
        os.replace(beside, path)
    except PermissionError:
        if _locks.fcntl or not os.path.exists(path):
            raise
        os.unlink(beside)


class Folder:
    """Entries in a folder, of all processes together at most max_bytes."""

    def __init__(self, path, max_bytes, ttl, tally):
        self.path, self.max_bytes, self.ttl, self.tally = str(path), max_bytes, ttl, tally
        self._verified, self._latest = {}, 0
        os.makedirs(path, exist_ok=True)
        with contextlib.suppress(OSError), self._ledger() as ledger:
            self._sweep()
            self._make_room(ledger)

    def get(self, key):
        """(Found, "") or (None, why not)."""
        path = self._file(key)
        try:
            found = read_entry(path, key, self._verified)
        except FileNotFoundError:
            self._verified.pop(key, None)
            return None, "absent"
        except (OSError, Damaged) as error:
            if getattr(error, "errno", None) in HANDLES:
                raise
            return None, "damaged"
        if not is_fresh(found.made, self.ttl):
            return None, "expired"
        with contextlib.suppress(OSError):  # a folder that one may only read; an entry that has just been removed
            os.utime(path, ns=self._used())
        return found, ""

    def put(self, key, array, made):
        parts = packed(key, array, made)
        size = sum(len(part) for part in parts)
        check_fits(size, self.max_bytes)
        try:
            self._write(key, parts, size)
        except OSError as error:
            why = f"{error.strerror}: an entry of {size} bytes is not kept (free space, or allow writing in the folder)"
            raise OSError(error.errno, why, self.path) from error

    def held(self):
        """(entries, bytes) that are kept now."""
        found = list(self._listed())
        return len(found), sum(size for _, size, _ in found)

    @contextlib.contextmanager
    def turn(self, key):
        """One thread of one process at a time is inside with a key. Where nothing can be written, everybody is."""
        path = self._file(key, "turn")
        try:
            file = _locks.locked(path)
        except OSError:
            file = None
        try:
            yield
        finally:
            if file is not None:
                _locks.remove(file, path)

    # Writing

    def _write(self, key, parts, size):
        """Beside first, then, with the ledger in hand, in place: whoever reads sees all of it or nothing."""
        beside, file = self._beside(key)
        try:
            try:
                write_all(file, parts)
                os.utime(beside, ns=self._used())
                with self._ledger() as ledger:
                    self._make_room(ledger, key, size)
                    file = os.close(file)
                    _place(beside, self._file(key))
            finally:
                if file is not None:
                    os.close(file)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise

    def _beside(self, key):
        """(path, open file) to write to, locked, so that a sweep tells it from one whose writer was killed."""
        path = self._file(key, f"{os.urandom(8).hex()}.part")
        try:
            return path, _locks.locked(path)
        except FileNotFoundError:  # somebody removed the folder
            os.makedirs(self.path, exist_ok=True)
            return path, _locks.locked(path)

    def _used(self):
        """(access, modification) for a file that is used now: later than any seen, also if the clock went back."""
        self._latest = max(_entries.clock(), self._latest + 1)
        return self._latest, self._latest

    def _file(self, key, kind="tokens"):
        return f"{self.path}{os.sep}{key}.{kind}"

    # Room. Whoever calls these has the ledger.

    @contextlib.contextmanager
    def _ledger(self):
        file = _locks.locked(f"{self.path}{os.sep}{LEDGER}")
        try:
            yield file
        finally:
            _locks.release(file)

    def _make_room(self, ledger, key=None, size=0):
        """Write down the sum with an entry of `size` bytes that comes now, after others went where they must.

        The sum is written before the entry is there: a kill in between leaves it too large, which costs a listing.
        """
        total = self._total(ledger) if key else None
        if total is not None:
            total -= self._size(key)  # it will be replaced
        if total is None or total + size > self.max_bytes:
            total = self._evict(key, size)
        os.lseek(ledger, 0, os.SEEK_SET)
        os.write(ledger, b"%020d" % (total + size))

    def _total(self, ledger):
        os.lseek(ledger, 0, os.SEEK_SET)
        written = os.read(ledger, 21)
        return int(written) if len(written) == 20 and written.isdigit() else None

    def _size(self, key):
        try:
            return os.stat(self._file(key), follow_symlinks=False).st_size
        except FileNotFoundError:
            return 0

    def _evict(self, key, size):
        """Remove what was used longest ago until `size` bytes fit; -> the sum of what stays, without the key's own."""
        found = sorted(entry for entry in self._listed() if entry[2] != f"{key}.tokens")
        self._latest = max([self._latest, *(used for used, _, _ in found[-1:])])
        total, gone = sum(size for _, size, _ in found), 0
        if total + size > self.max_bytes:
            for _, bytes_, name in found:
                if total + size <= self.max_bytes and gone >= len(found) // SPARE:
                    break
                with contextlib.suppress(OSError):  # Windows keeps what somebody has mapped
                    os.unlink(f"{self.path}{os.sep}{name}")
                    total, gone = total - bytes_, gone + 1
            self.tally("evicted", gone)
        return total

    def _listed(self):
        """(last use in ns, size, name) of each entry."""
        with os.scandir(self.path) as items:
            for item in items:
                if ENTRY.fullmatch(item.name):
                    with contextlib.suppress(FileNotFoundError):
                        about = item.stat(follow_symlinks=False)
                        yield about.st_mtime_ns, about.st_size, item.name

    def _sweep(self):
        """Remove what killed processes left, and entries whose last use, and so their making, is past the ttl."""
        with os.scandir(self.path) as items:
            for item in items:
                if STRAY.fullmatch(item.name):
                    _locks.sweep(item.path)
                elif self.ttl is not None and ENTRY.fullmatch(item.name):
                    with contextlib.suppress(OSError):
                        if _entries.clock() - item.stat(follow_symlinks=False).st_mtime_ns > self.ttl * 1e9:
                            os.unlink(item.path)
