"""Where a picture or a recording comes from: a path, its bytes, or a file that is open."""

import contextlib
import io
import os

BEGINNING = 1024  # bytes: enough to see what a file is


@contextlib.contextmanager
def opened(source, thing, *, loader, expected):
    """Any source as (file, name, start): a binary file that can be moved in, its name in messages, its first bytes.

    source: a path, bytes or a binary file. A file is read from its start and left open; one that cannot go back (a
    pipe, a response) is read into memory. What its `seek` returns does not count: some return nothing.

    Raises FileNotFoundError; TypeError for another kind of source, or a file of text; ValueError for what is no file,
    and for no bytes.
    """
    with contextlib.ExitStack() as stack:
        name = f"the {thing}"
        if isinstance(source, (str, os.PathLike)):
            name = repr(os.fspath(source)[:200])
            if not os.path.exists(source):
                raise FileNotFoundError(f"no file {name} (a URL is not fetched: download it, or pass the bytes)")
            if not os.path.isfile(source):
                raise ValueError(f"{name} is not a file; {loader} reads one {thing} (of a folder: each file in turn)")
            source = stack.enter_context(open(source, "rb"))
        elif isinstance(source, (bytes, bytearray, memoryview)):
            source = io.BytesIO(source)
        if isinstance(source, io.TextIOBase) or not callable(getattr(source, "read", None)):
            raise TypeError(f"source is {type(source).__name__}; expected {expected}")
        file, start = _movable(source)
        if not isinstance(start, bytes):
            raise TypeError(f"source is a file of {type(start).__name__}; expected {expected}")
        if not start:
            raise ValueError(f"{name} is empty: 0 bytes (copy it again)")
        yield file, name, start


def _movable(file):
    """(file, its first bytes), the file at its start and able to go anywhere."""
    try:
        file.seek(0)
        start = file.read(BEGINNING)
        file.seek(0)
        if file.tell() == 0:
            return file, start
    except (AttributeError, OSError):  # a pipe, a response: nothing has been read, for its seek failed first
        pass
    data = file.read()
    return (io.BytesIO(data), data[:BEGINNING]) if isinstance(data, bytes) else (file, data)
