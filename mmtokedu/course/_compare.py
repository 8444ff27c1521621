"""What a function made of a case, against what it should have made: the same or not, and what is odd about it."""

import copy
from typing import NamedTuple

import numpy as np

WHOLE = 30  # the most numbers of an array that are printed one by one
RAGGED = "ragged"
FITS = {"b": "biu", "i": "biu", "u": "biu", "f": "biuf", "c": "biufc", "U": "U"}  # kind asked for -> kinds that will do


class Returned(NamedTuple):
    """An exception that was returned instead of raised: no refusal, and no result."""

    error: object

    def __repr__(self):
        return f"{self.error!r}, returned"


class Attempt(NamedTuple):
    """What a function made of a case: its result (or the exception it raised), and which arguments it changed (from 1)."""

    result: object
    changed: tuple


def attempt(function, case):
    """Call a function with copies of a case's arguments. The case stays as it was."""
    given = copy.deepcopy(list(case))
    try:
        result = function(*given)
    except Exception as error:
        result = error
    else:
        if isinstance(result, BaseException):
            result = Returned(result)
    return Attempt(result, tuple(n for n, (was, now) in enumerate(zip(case, given), 1) if not _alike(was, now)))


def outcome(function, case):
    """What a function makes of a case: its result, or the exception that it raised. The case stays as it was.

    An exception that is returned counts as raised, for so does one who asks another process hand it on; `attempt` tells.
    """
    result = attempt(function, case).result
    return result.error if isinstance(result, Returned) else result


def _alike(was, now):
    """Whether an argument is still what it was."""
    if isinstance(was, np.ndarray):
        same_form = was.shape == now.shape and was.dtype == now.dtype
        return same_form and np.array_equal(was, now, equal_nan=was.dtype.kind in "fc")
    if type(was) in (list, tuple):
        return len(was) == len(now) and all(map(_alike, was, now))
    return bool(was == now) or was != was


def same(got, expected, tolerance=1e-5, equal_nan=False, values_alone=False):
    """Whether a result is right: integers and text exactly, floats within `tolerance`, the same shape, nothing missing.

    A tuple, and a list of arrays of different shapes, is compared one by one; an exception is right when one of the
    same kind was raised. A NaN equals nothing, or with `equal_nan` another NaN. Where an integer is expected 2.0 is
    wrong, where a tuple is expected a list is; with `values_alone` both will do.
    """
    if isinstance(got, Exception) or isinstance(expected, Exception):
        return isinstance(expected, Exception) and type(got).__name__ == type(expected).__name__
    if not values_alone and kind_of_it(got, expected):
        return False
    try:
        got = _detached(got)
        if (isinstance(expected, tuple) or shape(expected) == RAGGED) and not np.isscalar(got):
            pairs = list(zip(got, expected))
            return len(got) == len(expected) and all(same(g, e, tolerance, equal_nan, values_alone) for g, e in pairs)
        got, expected = np.asarray(got), np.asarray(expected)
        if got.shape != expected.shape or got.dtype == object:
            return False
        if expected.dtype.kind in "biuU":
            return bool((got == expected).all())
        return bool(np.allclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=equal_nan))
    except (TypeError, ValueError, RuntimeError):  # what is no numbers; a tensor among other things
        return False


def kind_of_it(got, expected):
    """What is wrong with the kind of a result, whatever its numbers are; None where nothing is."""
    if isinstance(got, Returned):
        return "the exception was returned; `raise` it, as the caller would take it for a result"
    if getattr(got, "requires_grad", False):
        return "a tensor that still carries a gradient was returned: end it with `.detach()`"
    if isinstance(got, np.ma.MaskedArray):
        return "a masked array was returned: what is under its mask is no answer. Return a plain array (`.filled(...)`)"
    if isinstance(expected, tuple) and isinstance(got, (list, np.ndarray)):
        return f"you returned one {type(got).__name__}, it should be a tuple of {len(expected)}"
    if isinstance(expected, tuple) or shape(expected) == RAGGED:
        if isinstance(got, (tuple, list)) and len(got) == len(expected):
            found = ((number, kind_of_it(g, e)) for number, (g, e) in enumerate(zip(got, expected), 1))
            return next((f"item {number} of {len(expected)}: {said}" for number, said in found if said), None)
        return
    asked, made = _array(expected), _array(got)
    if asked is None or made is None or asked.shape != made.shape:  # the shape is to be said first
        return
    if made.dtype.kind in FITS.get(asked.dtype.kind, made.dtype.kind):
        return
    if made.dtype.kind == "c":
        return "complex numbers were returned; the answer has no imaginary part"
    if made.dtype.kind == "f" and asked.dtype.kind in "iu":
        if asked.ndim:
            return f"{made.dtype} numbers were returned, whole ones are asked for: codes, ids and counts are integers"
        return "a float was returned; a count is an int: divide with //, or make it one with int(...)"


def nan_in_it(got, expected):
    """Where a result has a NaN that should not be there, and what usually makes one; None where it has none."""
    if isinstance(got, (tuple, list)) and shape(got) == RAGGED:
        items = expected if isinstance(expected, (tuple, list)) and len(expected) == len(got) else [0] * len(got)
        return next((said for g, e in zip(got, items) if (said := nan_in_it(g, e))), None)
    made, asked = _array(got), _array(expected)
    if made is None or made.dtype.kind not in "fc" or not np.isnan(made).any():
        return
    if asked is not None and asked.dtype.kind in "fc" and np.isnan(asked).any():
        return
    place = f" at {np.argwhere(np.isnan(made))[0].tolist()}" if made.ndim else ""
    return f"nan{place}: 0 / 0 makes one, 0 times the log of 0, and the mean of nothing (an empty slice)"


def changed_in_it(changed):
    """What to say of arguments (numbers from 1) that a function changed; None where it left them alone."""
    if changed:
        which = " and ".join(map(str, changed))
        return (
            f"argument {which} was changed in place, and whoever called has nothing else. Do not change the input: "
            "`x = x - y` makes a new array, `x -= y` writes into theirs; or begin with `x = x.copy()`"
        )


def plainly_wrong(got, expected):
    """A cause that needs no look at the numbers: nothing returned, or a bad input that was not refused."""
    if got is None:
        return "the function returned nothing; is a `return` missing?"
    if isinstance(expected, Exception) and not isinstance(got, Returned):
        return f"this input must be refused with a {type(expected).__name__}"


def shape_of_it(got, expected):
    """What is wrong with the shape of a result, or that nothing usual is."""
    if said := plainly_wrong(got, expected) or kind_of_it(got, expected):
        return said
    if shape(expected) == RAGGED:
        if not isinstance(got, (tuple, list)):
            return f"you returned one {type(got).__name__}, it should be a {type(expected).__name__} of {len(expected)}"
        if len(got) != len(expected):
            items = "1 item" if len(got) == 1 else f"{len(got)} items"
            return f"you returned {items}, there {'is' if len(expected) == 1 else 'are'} {len(expected)}"
        for number, (g, e) in enumerate(zip(got, expected), 1):
            if not same(g, e):
                return f"item {number} of {len(expected)}: {shape_of_it(g, e)}"
    if shape(expected) != shape(got):
        return f"the shape is {shape(got)}, it should be {shape(expected)}"
    return "none of the usual ones; work the smallest failing case by hand"


def first_difference(got, expected):
    """Where two arrays that are too large to compare at a glance first differ: a line, or none."""
    if not isinstance(expected, np.ndarray) or expected.size <= 12 or shape(got) != expected.shape:
        return
    got = _array(got)
    for place in np.ndindex(expected.shape):
        if not same(got[place], expected[place], values_alone=True):
            yield f"first difference at {list(place)}: {brief(expected[place])} expected, {brief(got[place])} got"
            return


def shape(value):
    """The shape of a value; RAGGED where it has none."""
    try:
        return tuple(np.shape(_detached(value)))
    except (TypeError, ValueError, RuntimeError):
        return RAGGED


def _array(value):
    """A value as an array, or None where it is none."""
    try:
        return None if value is None or isinstance(value, Exception) else np.asarray(_detached(value))
    except (TypeError, ValueError, RuntimeError):
        return None


def _detached(value):
    return value.detach() if getattr(value, "requires_grad", False) else value


def size(case):
    """How much there is to read in a case: all numbers of its arrays, and one for anything else."""
    if type(case) in (tuple, list):
        return sum(map(size, case))
    return case.size if isinstance(case, np.ndarray) else 1


def call(case):
    """A case as the call that it is."""
    return "f(" + ", ".join(brief(a) for a in case) + ")"


def brief(value):
    """A value in few words."""
    if isinstance(value, Exception):
        told = str(value)
        return f"{type(value).__name__}: {told}" if told else type(value).__name__
    if isinstance(value, np.ndarray) and value.size > WHOLE:
        return f"array {value.shape} of {value.dtype}, first {value.ravel()[:6].tolist()} ..."
    if type(value) in (tuple, list) and any(isinstance(v, np.ndarray) for v in value):
        return type(value).__name__ + " of " + ", ".join(map(brief, value))
    text = repr(value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value)
    return text if len(text) <= 900 else text[:900] + " ..."
