"""What the chapter on caches refuses: values without a name, keys that name nothing, limits that hold nothing."""

import enum
import os
import pathlib
import re
import reprlib
from collections.abc import Mapping

import numpy as np

from mmtokedu._dispatch import is_tensor
from mmtokedu.arguments.common import check_array, check_number, positive

KEY = re.compile(r"[0-9a-f]{64}")
LONGEST = 4096  # bits of a whole number; beyond some thousands of digits Python itself refuses to write it out
DEEPEST = 100  # values inside values; more is a value that holds itself
TAKEN = "None, bool, int, float, str, bytes, list, tuple, dict, set, frozenset and arrays of numbers"


# What a key is made of


def check_dtype(dtype, at):
    """`dtype` itself, or a TypeError unless its bytes say all: real or complex numbers, truth values."""
    if dtype.kind not in "biufc":
        raise TypeError(f"{place(at)} has dtype {dtype}; expected numbers (bfloat16: view(np.uint16))")
    if dtype.kind in "fc" and dtype.itemsize > (8 if dtype.kind == "f" else 16):
        raise TypeError(f"{place(at)} has dtype {dtype}, which has unused bytes with anything in them (to double?)")
    return dtype


def check_numbers(x, at):
    """Raise TypeError unless x is an array or a NumPy scalar of numbers or truth values."""
    if isinstance(x, np.ma.MaskedArray):
        check_array(x, place(at))  # says what is wrong
    check_dtype(x.dtype, at)


def check_no_nan(x, at):
    """Raise where there is a NaN in an array or a float."""
    if np.isnan(x).any():
        raise ValueError(f"{place(at)} is NaN or has one; a NaN equals nothing, itself neither, so no key can name it")


def place(at):
    """A place in words: ("params", "size", 0) is params['size'][0], ("a key of", ("params",)) a key of params."""
    if at[0] in ("a key of", "an item of"):
        at = f"{at[0]} {place(at[1])}", *at[2:]
    return at[0] + "".join(f"[{step!r}]" for step in at[1:])


def check_framed(value, at, kinds):
    """Raise unless the type of a value is one of `kinds`, and the value is one that can be written out."""
    if len(at) > DEEPEST:
        raise ValueError(f"{at[0]} holds a value {DEEPEST} values deep inside others; does one of them hold itself?")
    if type(value) not in kinds:
        raise TypeError(f"{place(at)} is {type(value).__name__}; a key is made of {TAKEN}{_way_out(value)}")
    if isinstance(value, int) and value.bit_length() > LONGEST:
        raise ValueError(f"{place(at)} is a whole number of {value.bit_length()} bits; at most {LONGEST} are written")
    if value != value:
        check_no_nan(value, at)
    if isinstance(value, memoryview) and (value.ndim, value.format) != (1, "B"):
        raise TypeError(
            f"{place(at)} is a memoryview of shape {value.shape}, format {value.format!r}; its bytes alone would drop "
            "both (pass the array itself)"
        )


def _way_out(value):
    """What to pass instead of a value that no key is made of."""
    if isinstance(value, enum.Enum):
        return f" (pass its name, {value.name!r})"
    if is_tensor(value):
        return " (pass tensor.numpy())"
    if isinstance(value, os.PathLike):
        return " (pass the bytes of the file, path.read_bytes(), as data; a name says nothing about them)"
    if hasattr(value, "getpixel"):
        return ' (an image: pass the bytes of its file, or np.asarray(image.convert("RGB")))'
    if isinstance(value, Mapping):
        return " (pass dict(it))"
    if isinstance(value, (int, float, str, tuple)):
        plain = next(kind for kind in (int, float, str, tuple) if isinstance(value, kind))
        return f" itself, not of its subclasses (pass {plain.__name__}(it))"
    return " (say in these what of it changes the result)"


def check_data(data):
    """Raise unless data are bytes, an array, or a list or tuple of these."""
    for x in data if isinstance(data, (list, tuple)) else [data]:
        if not isinstance(x, (bytes, bytearray, memoryview, np.ndarray)):
            raise TypeError(
                f"data {'are' if x is data else 'hold'} a {type(x).__name__}; expected the bytes of a file, an array, "
                f"or a list of these{' (a text: .encode())' if isinstance(x, str) else _way_out(x)}"
            )


def check_params(params):
    """Raise unless params is a dict; what is in it is looked at when it is framed."""
    if type(params) is not dict:
        raise TypeError(
            f"params is {type(params).__name__}; expected a dict of everything that changes the result "
            "({} where the bytes alone decide)"
        )


def check_algorithm(algorithm):
    """Raise unless the algorithm is one that is offered."""
    if algorithm not in ("sha256", "blake3"):
        raise ValueError(f'algorithm is {algorithm!r}; choose "sha256" or "blake3"')


# What is kept


def check_key(key):
    """`key` itself, or an error unless it is what `cache_key` gives: 64 hexadecimal digits."""
    if not isinstance(key, str):
        raise TypeError(f"key is {type(key).__name__}; expected the text that cache_key gives")
    if not KEY.fullmatch(key):
        raise ValueError(
            f"key is {reprlib.repr(key)}; expected the 64 hexadecimal digits that cache_key gives (somebody's id, the "
            "name of a file, a part of a digest are no keys: let them enter cache_key as params)"
        )
    return key


def check_entry(array, name="array"):
    """Raise TypeError unless an entry is an array of numbers."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is {type(array).__name__}; expected a NumPy array{_way_out(array)}")
    check_numbers(array, (name,))


def check_fits(size, max_bytes):
    """Raise ValueError where an entry is larger than everything that may be kept."""
    if size > max_bytes:
        raise ValueError(
            f"the entry has {size} bytes with its header, max_bytes is {max_bytes}; raise max_bytes "
            "(get_or_compute answers without keeping it)"
        )


def check_folder(path):
    """`path` as a Path, or an error where no folder can be."""
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise TypeError(f"path is {path!r}; expected a folder, or None to keep entries in this process's memory alone")
    path = pathlib.Path(path)
    if path.exists() and not path.is_dir():
        raise ValueError(f"path {str(path)!r} is a file; entries need a folder of their own")
    return path.absolute()


def check_limit(max_bytes):
    """`max_bytes` as an int of at least 1, or an error."""
    if isinstance(max_bytes, (bool, np.bool_, float)):
        raise TypeError(f"max_bytes is {max_bytes}; expected a whole number of bytes (4 GiB: 4 * 2**30)")
    return positive(max_bytes, "max_bytes")


def check_ttl(ttl):
    """`ttl` as a float of seconds, or None; or an error."""
    return None if ttl is None else check_number(ttl, "ttl", "seconds (None: entries do not expire)")


def check_behind(behind):
    """Raise TypeError unless what stands behind a cache is None or can be asked."""
    if behind is not None and not all(callable(getattr(behind, name, None)) for name in ("get", "put")):
        raise TypeError(f"behind is {type(behind).__name__}; expected another TokenCache, or what has get and put")
