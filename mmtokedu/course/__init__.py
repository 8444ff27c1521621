"""Exercises that answer back: expected, got, and the likely cause by name."""

import base64
import copy
import hashlib
import json
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from mmtokedu._version import __version__
from mmtokedu.course._wire import from_json, to_json

WHOLE = 30  # the most numbers of an array that are printed one by one
RAGGED = "ragged"


@dataclass(frozen=True)
class Mistake:
    """A classic wrong answer: a function that makes it, and what to say to somebody who did."""

    answer: Callable
    says: str


@dataclass(frozen=True)
class Verdict:
    """What a check found. `state` is "pass", "fail", "crash", "timeout", "ungraded" or "not attempted".

    Prints as text, is true when it passed; `cause` is the likely cause alone, `case` the number of the first case
    that did not agree.
    """

    exercise: str
    state: str
    message: str
    cause: str = ""
    case: int = 0

    def __repr__(self):
        mark = {"pass": "✓", "not attempted": "·", "ungraded": "·"}.get(self.state, "✗")
        return f"{mark} {self.exercise}: {self.message}"

    def __bool__(self):
        return self.state == "pass"


@dataclass(frozen=True)
class Exercise:
    """One question. Call it with your function; it returns a `Verdict`.

    `answer` is a right solution, `cases` the argument tuples tried in order, `mistakes` the wrong answers it
    knows by name, `section` where the book explains it. Where `answer` raises, the given function must raise the
    same. A mistake is named when the given function agrees with it on every case; so a diagnosis is never a guess
    from one lucky number. `needs="cuda"`: arrays arrive as CUDA tensors, and without a card nothing is judged.
    """

    name: str
    answer: Callable
    cases: tuple
    mistakes: tuple = ()
    section: str = ""
    link: str = ""
    needs: str = ""

    def __call__(self, function):
        if self.needs == "cuda":
            if not _has_cuda():
                return Verdict(self.name, "ungraded", "not graded here: it needs a CUDA device")
            function = on_cuda(function)
        for number, case in enumerate(self.cases, 1):
            expected, got = outcome(self.answer, case), outcome(function, case)
            if same(got, expected):
                continue
            if isinstance(got, NotImplementedError):
                return Verdict(self.name, "not attempted", "not attempted yet", case=number)
            if isinstance(got, TimeoutError):
                return Verdict(self.name, "timeout", f"{_call(case)}: {got}", case=number)
            cause = self._named(function)
            if isinstance(got, Exception) and not isinstance(expected, Exception) and not cause:
                said = f"your function stopped on {_call(case)} with {_brief(got)}"
                return Verdict(self.name, "crash", said, case=number)
            cause = cause or _shape_of_it(got, expected)
            lines = [
                f"case {number} of {len(self.cases)}, {_call(case)}",
                f"expected: {_brief(expected)}",
                f"got:      {_brief(got)}",
                *_first_difference(got, expected),
                f"likely cause: {cause}",
            ]
            if self.section:
                lines.append(f"see: {self.section}" + (f" ({self.link})" if self.link else ""))
            return Verdict(self.name, "fail", "\n    ".join(lines), cause, number)
        return Verdict(self.name, "pass", f"all {len(self.cases)} cases agree")

    def _named(self, function):
        for mistake in self.mistakes:
            made = [outcome(mistake.answer, case) for case in self.cases]
            if all(isinstance(m, Exception) for m in made):  # everything that is broken would agree with it
                continue
            if all(same(outcome(function, case), m, equal_nan=True) for case, m in zip(self.cases, made)):
                return mistake.says


def _shape_of_it(got, expected):
    if got is None:
        return "the function returned nothing; is a `return` missing?"
    if isinstance(expected, Exception):
        return f"this input must be refused with a {type(expected).__name__}"
    if _shape(expected) == RAGGED:
        if not isinstance(got, (tuple, list)):
            return f"you returned one {type(got).__name__}, it should be a {type(expected).__name__} of {len(expected)}"
        if len(got) != len(expected):
            items = "1 item" if len(got) == 1 else f"{len(got)} items"
            return f"you returned {items}, there {'is' if len(expected) == 1 else 'are'} {len(expected)}"
        for number, (g, e) in enumerate(zip(got, expected), 1):
            if not same(g, e):
                return f"item {number} of {len(expected)}: {_shape_of_it(g, e)}"
    if _shape(expected) != _shape(got):
        return f"the shape is {_shape(got)}, it should be {_shape(expected)}"
    return "none of the usual ones; work the smallest failing case by hand"


def _first_difference(got, expected):
    """Where two arrays that are too large to compare at a glance first differ: a line, or none."""
    if not isinstance(expected, np.ndarray) or expected.size <= 12 or _shape(got) != expected.shape:
        return
    got = np.asarray(got)
    for place in np.ndindex(expected.shape):
        if not same(got[place], expected[place]):
            yield f"first difference at {list(place)}: {_brief(expected[place])} expected, {_brief(got[place])} got"
            return


def _shape(value):
    try:
        return np.shape(value)
    except ValueError:
        return RAGGED


@dataclass(frozen=True)
class Part:
    """A line of a question's rubric: its points are given when every case that `draw(generator)` returns agrees."""

    name: str
    points: int
    draw: Callable


@dataclass(frozen=True)
class Question(Exercise):
    """A question of an assignment: an `Exercise` whose points are earned on cases drawn from a private seed.

    `rules` are its variants: the text that a student reads -> the values it fixes, which `answer` and every mistake
    take as keyword arguments. Called directly it checks the first rule on the visible cases.
    """

    parts: tuple = ()
    rules: dict = field(default_factory=dict)
    difficulty: str = "easy"
    minutes: int = 10

    @property
    def points(self):
        return sum(part.points for part in self.parts)

    def __call__(self, function):
        return self.under(next(iter(self.rules), ""))(function)

    def under(self, rule, drawn=()):
        """The exercise under one rule: the visible cases, smallest first, then `drawn`. Other rules are mistakes of it."""

        def bound(answer, to=rule):
            return partial(answer, **self.rules.get(to, {}))

        mistakes = [Mistake(bound(m.answer), m.says) for m in self.mistakes]
        for other in self.rules:
            if other != rule:
                says = f"that is the rule of another version of this assignment (“{other}”); yours asks: “{rule}”"
                mistakes.append(Mistake(bound(self.answer, other), says))
        cases = (*sorted(self.cases, key=_size), *drawn)
        return Exercise(self.name, bound(self.answer), cases, tuple(mistakes), self.section, self.link, self.needs)

    def drawn(self, seed):
        """The hidden cases: a list a part, the same for the same seed."""
        return [list(part.draw(generator(seed, self.name, part.name))) for part in self.parts]


def generator(seed, *names):
    """A generator of its own for each seed (a text) and name, so that one question does not move another."""
    digest = hashlib.sha256("\0".join([seed, *names]).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def recorded(exercise):
    """An exercise as JSON data: cases, right results, and what each mistake gives. No code is left in it."""

    def results(answer):
        return [to_json(outcome(answer, case)) for case in exercise.cases]

    return {
        "name": exercise.name,
        "cases": [to_json(list(case)) for case in exercise.cases],
        "right": results(exercise.answer),
        "mistakes": [[m.says, results(m.answer)] for m in exercise.mistakes],
        "section": exercise.section,
        "link": exercise.link,
        "needs": exercise.needs,
    }


def replayed(record):
    """The `Exercise` of a `recorded` one: its functions look their results up."""
    keys = [json.dumps(case) for case in record["cases"]]

    def play(results):
        table = dict(zip(keys, results))

        def answer(*case):
            found = from_json(table[json.dumps(to_json(list(case)))])
            if isinstance(found, Exception):
                raise found
            return found

        return answer

    cases = tuple(tuple(from_json(case)) for case in record["cases"])
    mistakes = tuple(Mistake(play(results), says) for says, results in record["mistakes"])
    about = {k: record[k] for k in ("section", "link", "needs")}
    return Exercise(record["name"], play(record["right"]), cases, mistakes, **about)


class Checks(dict):
    """The checks of an assignment: `check["cut"](cut)`; `check.receipt()` sums up what they said last."""

    def __init__(self, records):
        super().__init__()
        self.said = {}
        for function, record in records.items():
            self[function] = partial(self._judge, function, replayed(record))

    def _judge(self, name, exercise, function):
        self.said[name] = exercise(function)
        return self.said[name]

    def receipt(self):
        """Print what each check said last, and the versions it ran on."""

        for name in self:
            print(f"{name:24} {self.said[name].state if name in self.said else 'not run'}")
        python = ".".join(map(str, sys.version_info[:3]))
        print(f"\nmmtokedu {__version__}, NumPy {np.__version__}, Python {python}")


def pack_checks(records):
    """Records by name of the function, as one line of text: packed, so that reading it spoils nothing."""
    return base64.b85encode(zlib.compress(json.dumps(records).encode(), 9)).decode()


def load_checks(packed):
    """The `Checks` that `pack_checks` made text of."""
    return Checks(json.loads(zlib.decompress(base64.b85decode("".join(packed.split())))))


def outcome(function, case):
    """What a function makes of a case: its result, or the exception that it raised. The case stays as it was."""
    try:
        return function(*_copies(case))
    except Exception as error:
        return error


def same(got, expected, tolerance=1e-5, equal_nan=False):
    """Whether a result is right: integers and text exactly, floats within `tolerance`, the same shape, nothing missing.

    A tuple, and a list of arrays of different shapes, is compared one by one; an exception is right when it is of the
    same kind. A NaN equals nothing, or with `equal_nan` another NaN.
    """
    if isinstance(got, Exception) or isinstance(expected, Exception):
        return isinstance(expected, Exception) and type(got).__name__ == type(expected).__name__
    try:
        if (isinstance(expected, tuple) or _shape(expected) == RAGGED) and not np.isscalar(got):
            pairs = zip(got, expected)
            return len(got) == len(expected) and all(same(g, e, tolerance, equal_nan) for g, e in pairs)
        got, expected = np.asarray(got), np.asarray(expected)
        if got.shape != expected.shape or got.dtype == object:
            return False
        if expected.dtype.kind in "biuU":
            return bool((got == expected).all())
        return bool(np.allclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=equal_nan))
    except (TypeError, ValueError):
        return False


def on_cuda(function):
    """The function, handed CUDA tensors for arrays; its tensors come back as arrays."""
    import torch

    def across(value):
        if isinstance(value, np.ndarray):
            return torch.from_numpy(value).cuda()
        if isinstance(value, torch.Tensor):
            return value.cpu().numpy()
        return type(value)(map(across, value)) if type(value) in (tuple, list) else value

    return lambda *case: across(function(*map(across, case)))


def _has_cuda():
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


def _size(case):
    """How much there is to read in a case: all numbers of its arrays, and one for anything else."""
    if type(case) in (tuple, list):
        return sum(map(_size, case))
    return case.size if isinstance(case, np.ndarray) else 1


def _copies(case):
    return copy.deepcopy(list(case))


def _call(case):
    return "f(" + ", ".join(_brief(a) for a in case) + ")"


def _brief(value):
    if isinstance(value, Exception):
        said = str(value)
        return f"{type(value).__name__}: {said}" if said else type(value).__name__
    if isinstance(value, np.ndarray) and value.size > WHOLE:
        return f"array {value.shape} of {value.dtype}, first {value.ravel()[:6].tolist()} ..."
    if type(value) in (tuple, list) and any(isinstance(v, np.ndarray) for v in value):
        return type(value).__name__ + " of " + ", ".join(map(_brief, value))
    text = repr(value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value)
    return text if len(text) <= 900 else text[:900] + " ..."
