"""Values as bytes that tell all of them apart, and back: what a cache's key is the digest of, and an entry's header.

A frame is a letter for the type, a count, a colon, and what was counted: bytes (`s7:bicubic`, `i3:448`), or frames
(`l2:i1:0i1:1`). The count says where a frame ends, so that no two values run into each other, and the letter tells 0
from "0". The items of a dict and of a set are sorted by their frames. The form is that of netstrings (D. J. Bernstein)
and of BitTorrent's bencoding, with more types.
"""

import re
import struct
from types import NoneType

import numpy as np

from mmtokedu.arguments.cache import DEEPEST, check_dtype, check_framed, check_no_nan, check_numbers, place

LETTERS = {
    NoneType: "n", bool: "?", int: "i", float: "f", str: "s", bytes: "b", bytearray: "b", memoryview: "b",
    list: "l", tuple: "t", dict: "d", set: "u", frozenset: "z",
}  # fmt: skip
HEAD = re.compile(rb"([n?ifsbltduza])(0|[1-9][0-9]{0,18}):")
CONTAINERS = "ltduza"


def frame(value):
    """The frame of a value, as bytes: two values have one frame only where type and contents are the same.

    Types: None, bool, int, float, str, bytes (bytearray and memoryview of bytes are the same), list, tuple, dict, set,
    frozenset, and arrays of numbers, by dtype, shape and bytes (a NumPy scalar is an array of no axes). So 0, 0.0,
    -0.0, False, "0" and None differ, [1] and (1,) too; dicts differ by what is in them, not by its order.

    Raises TypeError for other types, subclasses too, ValueError for NaN: both name the place, as value["size"][0].

    >>> frame({"size": (448, 448), "filter": "bicubic"})
    b'd2:s4:sizet2:i3:448i3:448s6:filters7:bicubic'
    """
    return b"".join(pieces(value))


def pieces(value, at=("value",), *, nan=False):
    """The frame as a list of bytes and of buffers, which are not copied.

    `at` is the place of the value, for errors: a name, and the keys and numbers that lead there. With `nan`, arrays may
    hold NaN.
    """
    letter = LETTERS.get(type(value))
    if letter is None and isinstance(value, (np.ndarray, np.generic)):
        return _of_array(value, at, nan)
    check_framed(value, at, LETTERS)
    if letter not in CONTAINERS:
        counted = _counted(value, at, letter)
        return [b"%c%d:" % (ord(letter), len(counted)), counted]
    if letter == "d":
        inside = sorted(
            b"".join(pieces(key, ("a key of", at), nan=nan) + pieces(item, (*at, key), nan=nan))
            for key, item in value.items()
        )
    elif letter in "uz":
        inside = sorted(b"".join(pieces(item, ("an item of", at), nan=nan)) for item in value)
    else:
        inside = [piece for i, item in enumerate(value) for piece in pieces(item, (*at, i), nan=nan)]
    return [b"%c%d:" % (ord(letter), len(value)), *inside]


def _of_array(x, at, nan):
    """An array is three frames: its dtype, its shape, its bytes in C order."""
    check_numbers(x, at)
    if x.dtype.kind in "fc" and not nan:
        check_no_nan(x, at)
    raw = np.ascontiguousarray(x).reshape(-1).view(np.uint8).data
    return [b"a3:", frame(x.dtype.str), frame(x.shape), b"b%d:" % len(raw), raw]


def _counted(value, at, letter):
    """The bytes of a value that holds no others."""
    if letter == "s":
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{place(at)} is {value!r}, which has no UTF-8: it holds half a character") from None
    if letter == "f":
        return struct.pack(">d", value)
    if letter == "i":
        return b"%d" % value
    if letter == "b":
        return value
    return b"" if value is None else b"%d" % value  # n, ?


def unframe(framed):
    """The value that has this frame: the inverse of `frame`.

    Raises ValueError where bytes are no frame, or one that `frame` would write otherwise (007, keys out of order).

    >>> unframe(b"d1:s4:sizel2:i3:448f8:?\\xf0\\0\\0\\0\\0\\0\\0")
    {'size': [448, 1.0]}
    """
    value, stop = read_frame(framed)
    if stop != len(framed):
        raise ValueError(f"{len(framed) - stop} bytes follow the value, which ends at byte {stop}")
    if b"".join(pieces(value, nan=True)) != bytes(framed):
        raise ValueError("this is not how frame writes the value: a number has idle digits, or keys are out of order")
    return value


def read_frame(framed, start=0, depth=0):
    """(value, the byte after it) of the frame that begins at a byte. Raises ValueError where none does."""
    head = HEAD.match(framed, start)
    if head is None or depth > DEEPEST + 3:  # an array's frames are up to 3 deep
        raise ValueError(f"no frame begins at byte {start}")
    letter, count, at = head[1].decode(), int(head[2]), head.end()
    if count > len(framed) - at:
        raise ValueError(f"the frame at byte {start} counts {count}, and {len(framed) - at} bytes are left")
    if letter not in CONTAINERS:
        return _value(letter, bytes(framed[at : at + count])), at + count
    items = []
    for _ in range(2 * count if letter == "d" else count):
        item, at = read_frame(framed, at, depth + 1)
        items.append(item)
    return _container(letter, items), at


def _value(letter, counted):
    if letter == "f" and len(counted) == 8:
        return struct.unpack(">d", counted)[0]
    if letter == "?" and counted in (b"0", b"1"):
        return counted == b"1"
    if letter == "n" and not counted:
        return None
    if letter in "isb":
        return {"i": int, "s": bytes.decode, "b": bytes}[letter](counted)
    raise ValueError(f"{counted!r} is no value of type {letter!r}")


def _container(letter, items):
    try:
        if letter == "d":
            return dict(zip(items[::2], items[1::2]))
        if letter == "a":
            dtype, shape, raw = items  # an object would be read as an address: numbers alone
            return np.ndarray(shape, check_dtype(np.dtype(dtype), ("a framed array",)), raw)
        return {"l": list, "t": tuple, "u": set, "z": frozenset}[letter](items)
    except TypeError as error:  # a list as a key, a text as a shape
        raise ValueError(f"{letter!r} cannot hold these: {error}") from None
