"""What topics share: arrays, whole numbers, sizes, vectors and codes. NumPy functions and torch twins ask alike."""

import math
import operator

import numpy as np

from mmtokedu._dispatch import is_tensor

MAX_SIDE = 2**31 - 1  # pixels: the largest side that a PNG can state
MAX_SECONDS = 10**9  # 32 years; at 768 kHz its samples are still counted exactly by a float


def check_array(x, name):
    """Raise TypeError unless x is an array or a tensor of numbers. What a mask hides would be computed with."""
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, {np.ma.count_masked(x)} of {x.size} numbers masked; nothing here heeds a mask: "
            f"{name}.compressed() leaves them out, {name}.filled(value) puts a number there"
        )
    if not (isinstance(x, np.ndarray) or is_tensor(x)):
        raise TypeError(
            f"{name} is {type(x).__name__}; expected a NumPy array or a torch tensor "
            "(a list of one size: np.stack; a file or PIL image: load_image)"
        )
    if getattr(x.dtype, "hasobject", False):
        raise TypeError(f"{name} has dtype object; expected numbers")


def whole(value, name):
    """`value` as an int, or a TypeError: nothing is 10.5 pixels long, and "10" is a text."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected a whole number") from None


def positive(value, name):
    """`value` as an int of at least 1, or an error."""
    value = whole(value, name)
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be at least 1")
    return value


def check_number(value, name, unit):
    """`value` as a float, or an error unless it is one real number, finite and above 0.

    Python's numbers, Fraction, Decimal, NumPy's scalars and arrays of no axes will do; a truth value, a text, a complex
    number and a date are TypeErrors.
    """
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    try:
        if isinstance(value, (str, bytes, bytearray, bool)) or kind not in "iuf":
            raise TypeError
        number = float(value)
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError, RuntimeError):  # RuntimeError: a tensor of several numbers, or a complex one
        raise TypeError(f"{name} is {value!r}; expected a number of {unit}, as 2.5") from None
    if not 0 < number < math.inf:
        raise ValueError(f"{name} is {number:g}; expected a finite number of {unit} above 0")
    return number


def check_seconds(value, name):
    """`value` as a float of seconds, or an error unless it is a number above 0, at most MAX_SECONDS."""
    number = check_number(value, name, "seconds")
    if number > MAX_SECONDS:
        raise ValueError(f"{name} is {number:g}; at most {MAX_SECONDS} seconds (32 years) are counted")
    return number


def check_samples(seconds, rate):
    """How many samples a sound of so many seconds has at `rate` Hz, or an error where that is none."""
    samples = round(check_seconds(seconds, "seconds") * rate)
    if samples < 1:
        raise ValueError(f"seconds is {float(seconds):g}; expected at least one sample at {rate} Hz")
    return samples


def check_size(height, width):
    """Both sides as ints, or an error: they are whole, at least one pixel, and within what any file can hold."""
    height, width = whole(height, "height"), whole(width, "width")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise ValueError(f"image is {height}x{width}; both sides must be at least 1 pixel, at most {MAX_SIDE}")
    return height, width


def check_floats(x, name):
    """Raise TypeError unless x is an array or a tensor of real floats."""
    check_array(x, name)
    real = x.dtype.kind == "f" if isinstance(x, np.ndarray) else x.dtype.is_floating_point
    if not real:
        raise TypeError(f"{name}: dtype is {x.dtype}; expected floats (astype(np.float32), or .float() of a tensor)")


def check_matrix(x, name):
    """x itself, or an error unless it is an array (rows, columns) of floats with at least one of each."""
    check_floats(x, name)
    if len(x.shape) != 2 or 0 in x.shape:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected (K, D), at least one row and one column")
    return x


def check_finite(x, name):
    """The largest magnitude in x (0 when it is empty), or a ValueError with the first place that is not finite."""
    low, high = (x.min(), x.max()) if x.size else (0, 0)
    if not (np.isfinite(low) and np.isfinite(high)):
        at = np.argwhere(~np.isfinite(x))[0].tolist()
        raise ValueError(
            f"{name}{at} is {x[tuple(at)]}; all numbers must be finite (a diverged run? a float16 overflow?)"
        )
    return max(-float(low), float(high))


def check_vectors(vectors, width):
    """Raise unless vectors are an array (N, width) of floats, N may be 0."""
    check_floats(vectors, "vectors")
    if len(vectors.shape) != 2 or vectors.shape[1] != width:
        raise ValueError(f"vectors have shape {tuple(vectors.shape)}; expected (N, {width}) (reshape(-1, {width})?)")


def check_codes(codes, size):
    """codes itself, or an error unless they are integers from 0 to size - 1."""
    check_array(codes, "codes")
    if codes.dtype.kind not in "iu":
        raise TypeError(f"codes are {codes.dtype}; expected integers")
    if codes.size:
        check_code_range(int(codes.min()), int(codes.max()), size)
    return codes.astype(np.int64, copy=False)


def check_code_range(low, high, size):
    """Raise unless codes from `low` to `high` are in a codebook of `size`."""
    if low < 0 or high >= size:
        wrong = low if low < 0 else high
        raise ValueError(f"code {wrong} is outside 0 to {size - 1}: the codebook has {size} codes")
