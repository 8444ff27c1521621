"""Files that one thread of one process has to itself. The lock is the system's and ends with the process that has it:
flock, on Windows locking. Where there is neither (Python in a browser) there is one process, and nobody to wait for.
"""

import contextlib
import os
import time

try:
    import fcntl
except ImportError:
    fcntl = None
try:
    import msvcrt
except ImportError:
    msvcrt = None

FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
FAR = 2**30  # Windows keeps others from reading what is locked: a byte that nobody reads


def lock(file, wait=True):
    """Have an open file to oneself: True, or False where somebody has it and one does not wait."""
    if fcntl:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
    while msvcrt and not _lock_byte(file):
        if not wait:
            return False
        time.sleep(0.01)
    return True


def _lock_byte(file):
    os.lseek(file, FAR, os.SEEK_SET)
    try:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    except PermissionError:
        return False
    return True


def release(file):
    """End a lock and close; said outright, since a process forked meanwhile has the file open too."""
    if fcntl:
        fcntl.flock(file, fcntl.LOCK_UN)
    os.close(file)


def locked(path, flags=FLAGS):
    """An open file of this name that this thread has to itself; whoever has it now is waited for."""
    while True:
        file = os.open(path, flags, 0o666)
        lock(file)
        if os.fstat(file).st_nlink:
            return file
        release(file)  # its name was removed while one waited: another file has it, or none


def remove(file, path):
    """Remove a locked file and let go of it. Those who wait for it see that its name is gone, and begin anew."""
    with contextlib.suppress(OSError):
        os.unlink(path)
    release(file)
    if not fcntl:  # Windows removes nothing that is open, and nothing that somebody else has opened
        with contextlib.suppress(OSError):
            os.unlink(path)


def sweep(path):
    """Remove a file that nobody has locked: whoever made it was killed."""
    with contextlib.suppress(OSError):
        if not fcntl:
            os.unlink(path)  # Windows refuses while somebody has it open
            return
        file = os.open(path, os.O_RDWR)
        try:
            if lock(file, wait=False):
                os.unlink(path)
        finally:
            os.close(file)
