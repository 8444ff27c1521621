"""Exercises that answer back: expected, got, and the likely cause by name."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mistake:
    """A classic wrong answer: a function that makes it, and what to say to somebody who did."""

    answer: Callable
    says: str


@dataclass(frozen=True)
class Verdict:
    """What a check found. `state` is "pass", "fail", "crash" or "not attempted"; prints as text."""

    exercise: str
    state: str
    message: str

    def __repr__(self):
        mark = {"pass": "✓", "not attempted": "·"}.get(self.state, "✗")
        return f"{mark} {self.exercise}: {self.message}"


@dataclass(frozen=True)
class Exercise:
    """One question. Call it with your function; it returns a `Verdict`.

    `answer` is a right solution, `cases` the argument tuples tried in order, `mistakes` the wrong answers it
    knows by name, `section` where the book explains it. A mistake is named when the given function agrees with it
    on every case; so a diagnosis is never a guess from one lucky number.
    """

    name: str
    answer: Callable
    cases: tuple
    mistakes: tuple = ()
    section: str = ""

    def __call__(self, function):
        for number, case in enumerate(self.cases, 1):
            expected = self.answer(*_copies(case))
            try:
                got = function(*_copies(case))
            except NotImplementedError:
                return Verdict(self.name, "not attempted", "not attempted yet")
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
                return Verdict(self.name, "crash", f"your function stopped on {_call(case)} with {said}")
            if not same(got, expected):
                lines = [
                    f"case {number} of {len(self.cases)}, {_call(case)}",
                    f"expected: {_brief(expected)}",
                    f"got:      {_brief(got)}",
                ]
                lines.append(f"likely cause: {self._cause(function, got, expected)}")
                if self.section:
                    lines.append(f"see: {self.section}")
                return Verdict(self.name, "fail", "\n    ".join(lines))
        return Verdict(self.name, "pass", f"all {len(self.cases)} cases agree")

    def _cause(self, function, got, expected):
        if got is None:
            return "the function returned nothing; is a `return` missing?"
        for mistake in self.mistakes:
            if all(same(_result(function, case), _result(mistake.answer, case)) for case in self.cases):
                return mistake.says
        if np.shape(got) != np.shape(expected):
            return f"the shape is {np.shape(got)}, it should be {np.shape(expected)}"
        return "none of the usual ones; work the smallest failing case by hand"


def same(got, expected, tolerance=1e-5):
    """Whether a result is right: integers exactly, floats within `tolerance`, the same shape, nothing missing."""
    try:
        got, expected = np.asarray(got), np.asarray(expected)
        if got.shape != expected.shape or got.dtype == object:
            return False
        if expected.dtype.kind in "biu":
            return bool((got == expected).all())
        return bool(np.allclose(got, expected, rtol=tolerance, atol=tolerance))
    except (TypeError, ValueError):
        return False


def _copies(case):
    return [a.copy() if isinstance(a, np.ndarray) else a for a in case]


def _result(function, case):
    try:
        return function(*_copies(case))
    except Exception as error:
        return f"{type(error).__name__}"


def _call(case):
    return "f(" + ", ".join(_brief(a) for a in case) + ")"


def _brief(value):
    if isinstance(value, np.ndarray) and value.size > 12:
        return f"array {value.shape} of {value.dtype}, first {value.ravel()[:6].tolist()} ..."
    return repr(value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value)
