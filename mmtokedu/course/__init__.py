"""Exercises that answer back: expected, got, and the likely cause by name."""

import base64
import hashlib
import json
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np

from mmtokedu._say import said
from mmtokedu._version import __version__
from mmtokedu.course import _measured
from mmtokedu.course._compare import (
    attempt,
    brief,
    call,
    changed_in_it,
    first_difference,
    kind_of_it,
    nan_in_it,
    outcome,
    plainly_wrong,
    same,
    shape_of_it,
    size,
)
from mmtokedu.course._measured import Measured
from mmtokedu.course._wire import from_json, to_json

__all__ = ["Exercise", "Measured", "Mistake", "Part", "Question", "Verdict", "load_checks", "outcome", "same", "slip"]


@dataclass(frozen=True)
class Mistake:
    """A classic wrong answer: a function that makes it, and what to say to somebody who did."""

    answer: Callable
    says: str


def slip(function, says, **ways):
    """A mistake that is one way to go wrong in `function`, a solution with switches; `ways` sets them.

    Two slips of one function that set different switches can be made at once, and a check knows the two together.

    >>> def area(height, width, count=lambda side: side, unit=1):
    ...     return count(height) * count(width) * unit
    >>> rounded, doubled = slip(area, "sides rounded", count=round), slip(area, "twice as much", unit=2)
    >>> Exercise("area", area, ((1.6, 2.0),), (rounded, doubled)).judge(lambda h, w: 2 * round(h) * round(w)).cause
    'two mistakes at once: (1) sides rounded; (2) twice as much'
    """
    return Mistake(partial(function, **ways), says)


def _both(one, two):
    """Two mistakes made at once, or None where they do not compose."""
    a, b = one.answer, two.answer
    if not (isinstance(a, partial) and isinstance(b, partial) and (a.func, a.args) == (b.func, b.args)):
        return
    ways = {**a.keywords, **b.keywords}
    if any(ways[k] is not v for k, v in a.keywords.items()) or ways.keys() in (a.keywords.keys(), b.keywords.keys()):
        return
    return Mistake(
        partial(a.func, *a.args, **ways), f"two mistakes at once: (1) {one.says.rstrip('.')}; (2) {two.says}"
    )


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
    from one lucky number. Two `slip`s at once are known too. `needs="cuda"`: arrays arrive as CUDA tensors, and without
    a card nothing is judged. `visible`: how many of the cases, the first ones, a student sees (0: all).
    """

    name: str
    answer: Callable
    cases: tuple
    mistakes: tuple = ()
    section: str = ""
    link: str = ""
    needs: str = ""
    visible: int = 0

    def __call__(self, function):
        return said(self.judge(function))

    def judge(self, function):
        """The `Verdict` on a function, and nothing printed."""
        if self.needs == "cuda":
            if not _has_cuda():
                return Verdict(self.name, "ungraded", "not graded here: it needs a CUDA device")
            function = on_cuda(function)
        for number, case in enumerate(self.cases, 1):
            expected, tried = outcome(self.answer, case), attempt(function, case)
            if tried.changed or not same(tried.result, expected):
                return self._verdict(function, number, case, expected, tried)
        return Verdict(self.name, "pass", f"all {len(self.cases)} cases agree")

    def _verdict(self, function, number, case, expected, tried):
        """What to say of the first case that does not agree."""
        got = tried.result
        if isinstance(got, NotImplementedError):
            return Verdict(self.name, "not attempted", "not attempted yet", case=number)
        if isinstance(got, TimeoutError):
            return Verdict(self.name, "timeout", f"{call(case)}: {got}", case=number)
        named = self._named(function)
        if isinstance(got, Exception) and not isinstance(expected, Exception) and not named:
            stopped = f"your function stopped on {call(case)} with {brief(got)}"
            return Verdict(self.name, "crash", stopped, case=number)
        remarks = [changed_in_it(tried.changed), kind_of_it(got, expected), nan_in_it(got, expected)]
        causes = [c for c in (named or plainly_wrong(got, expected), *remarks) if c]
        cause, *others = causes or [shape_of_it(got, expected)]
        lines = [
            f"case {number} of {self.visible or len(self.cases)}, {call(case)}",
            f"expected: {brief(expected)}",
            f"got:      {brief(got)}",
            *first_difference(got, expected),
            f"likely cause: {cause}",
            *(f"also: {other}" for other in others),
        ]
        if self.section:
            lines.append(f"see: {self.section}" + (f" ({self.link})" if self.link else ""))
        return Verdict(self.name, "fail", "\n    ".join(lines), cause, number)

    def known(self):
        """The mistakes that it names: each alone, then each two that can be made at once."""
        return *self.mistakes, *filter(None, (_both(*two) for two in combinations(self.mistakes, 2)))

    def _named(self, function):
        got = [attempt(function, case).result for case in self.cases]

        def gives(answer):
            made = (outcome(answer, case) for case in self.cases)
            return all(same(g, m, equal_nan=True, values_alone=True) for g, m in zip(got, made))

        if gives(self.answer) or all(isinstance(g, Exception) for g in got):  # right; or broken, as anything can be
            return
        with np.errstate(all="ignore"):  # a mistake may divide by 0 as often as it likes
            return next((mistake.says for mistake in self.known() if gives(mistake.answer)), None)


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

    def judge(self, function):
        """The `Verdict` on a function under the first rule."""
        return self.under(next(iter(self.rules), "")).judge(function)

    def under(self, rule, drawn=()):
        """The exercise under one rule: the visible cases, smallest first, then `drawn`. Other rules are mistakes of it."""

        def bound(answer, to=rule):
            return partial(answer, **self.rules.get(to, {}))

        mistakes = [Mistake(bound(m.answer), m.says) for m in self.mistakes]
        for other in self.rules:
            if other != rule:
                says = f"that is the rule of another version of this assignment (“{other}”); yours asks: “{rule}”"
                mistakes.append(Mistake(bound(self.answer, other), says))
        cases = (*sorted(self.cases, key=size), *drawn)
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
        "mistakes": [[m.says, results(m.answer)] for m in exercise.known()],
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
    """The checks of an assignment: `check["cut"](cut)`; `check.receipt()` sums up what they said last.

    For a measured question, `check.predict("misread", prediction)` and then `check.measure("misread", misread)`.
    """

    def __init__(self, records, measured=None):
        super().__init__()
        self.said, self.measured, self.predicted = {}, measured or {}, {}
        for function, record in records.items():
            self[function] = partial(self._judge, function, replayed(record))

    def _judge(self, name, exercise, function):
        self.said.pop(name, None)  # a check that is interrupted has said nothing
        self.said[name] = exercise.judge(function)
        return said(self.said[name])

    def predict(self, name, prediction):
        """Keep a prediction and print its receipt. The numbers of the three seeds are drawn from its words."""
        self.predicted.pop(name, None)
        prediction = str(prediction).strip()
        if not prediction:
            print("There is no prediction yet: write it between the quotes, and run this cell again.")
            return
        if len(prediction) > _measured.LONGEST:
            print(f"That is too long for a prediction: {len(prediction)} characters, {_measured.LONGEST} at most.")
            return
        self.predicted[name] = prediction
        mark = _measured.receipt(self.measured[name]["kit"], name, prediction)
        print(f"receipt {mark} for: {prediction}")

    def measure(self, name, function):
        """Measure both arms at the three seeds of the prediction, print what comes out, and write it to result.json."""
        if name not in self.predicted:
            print("First the prediction: run its cell above. Without it no seeds are drawn.")
            return
        try:
            result = _measured.measured(name, self.measured[name], self.predicted[name], function)
        except NotImplementedError:
            print("Nothing can be measured yet: a function above is not written.")
            return
        try:
            Path("result.json").write_text(json.dumps(result, indent=1) + "\n")
        except OSError as error:
            print(f"result.json could not be written here ({error.strerror}); what is printed below counts as well.")
        print(_measured.told(result, self.measured[name]))

    def receipt(self):
        """Print what each check said last, the receipt of each prediction, and the versions it all ran on."""

        for name in self:
            print(f"{name:24} {self.said[name].state if name in self.said else 'not run'}")
        for name, asked in self.measured.items():
            mark = name in self.predicted and _measured.receipt(asked["kit"], name, self.predicted[name])
            print(f"{name:24} {f'prediction {mark}' if mark else 'no prediction'}")
        python = ".".join(map(str, sys.version_info[:3]))
        print(f"\nmmtokedu {__version__}, NumPy {np.__version__}, Python {python}")


def pack_checks(records, measured=None):
    """Records by name of the function, as one line of text: packed, so that reading it spoils nothing.

    `measured` are the measured questions by name; they stand under the name "", which no function has.
    """
    packed = json.dumps(records | ({"": measured} if measured else {}))
    return base64.b85encode(zlib.compress(packed.encode(), 9)).decode()


def load_checks(packed):
    """The `Checks` that `pack_checks` made text of."""
    records = json.loads(zlib.decompress(base64.b85decode("".join(packed.split()))))
    measured = records.pop("", {})
    return Checks(records, measured)


def on_cuda(function):
    """The function, handed CUDA tensors for arrays; its tensors come back as arrays."""
    import torch

    def across(value):
        if isinstance(value, np.ndarray):
            return torch.from_numpy(value).cuda()
        if isinstance(value, torch.Tensor):
            return value.cpu().numpy()
        return type(value)(map(across, value)) if type(value) in (tuple, list) else value

    def called(*case):
        given = [across(value) for value in case]
        result = across(function(*given))
        for value, tensor in zip(case, given):  # so that what it changed in place is seen
            if isinstance(value, np.ndarray):
                value[...] = across(tensor)
        return result

    return called


def _has_cuda():
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()
