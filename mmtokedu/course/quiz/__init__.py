"""Questions of the book: what a page asks as Predict and as quiz, and an exam sheet from a seed.

A page shows one with `quiz.ask("attention", "shuffle")`, and its quiz with `quiz.ask_all("attention")`.

The questions of a page are in `<stem>.toml`. Every number in an answer is computed: `answer` names a function of
`<stem>.py` beside it (a hyphen of the page's name is an underscore there), and so does a known wrong number, the
mistake's own formula with its likely cause.

    [[question]]
    id = "rows"                 # lower-case letters, digits, hyphens; once in a file
    at = "predict"              # or "quiz"
    section = "Cut"             # the heading it stands under
    kind = "number"             # or "choice"
    text = "A photo of {side} × {side} pixels is cut into patches of {patch}. How many rows?"
    given = {side = [224, 448], patch = 14}    # a list is drawn from, its first is what the page shows
    answer = "rows"             # a function of what it needs from `given`
    unit = "rows"
    tolerance = 0               # how far an answer may be off, in the unit; 0 if left out
    hint = "How many squares fit along one side?"
    why = "16 fit along one side, and there are as many lines."    # said with the right answer; may be left out
    wrong = [{is = "one_side", cause = "one side alone"}, {is = 1, cause = "one placeholder"}]

A choice has, in place of answer, unit, tolerance, why and wrong, `options = [{text, says, right = true}, …]`: each says
what is true about it, one is right. Texts are plain; `{side}`, `{side:,}` and `{size[0]}` stand for what is given.
"""

import argparse
import hashlib
import importlib
import inspect
import itertools
import math
import re
import sys
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

FOLDER = Path(__file__).parent
PLACES = "predict", "quiz"
COMMON = {"id", "at", "section", "kind", "text", "hint"}
FIELDS = {"number": COMMON | {"answer", "unit", "wrong"}, "choice": COMMON | {"options"}}
OPTIONAL = {"number": {"given", "tolerance", "why"}, "choice": {"given"}}


@dataclass(frozen=True)
class Question:
    """A question as its file has it, functions looked up; `draw` makes one that can be asked."""

    stem: str
    id: str
    at: str
    section: str
    kind: str
    text: str
    hint: str
    given: dict
    answer: object = None  # a function
    unit: str = ""
    tolerance: float = 0
    why: str = ""
    wrong: tuple = ()  # ((a function or a number, cause), ...)
    options: tuple = ()  # ((text, says, right), ...)


@dataclass(frozen=True)
class Asked:
    """A question with its numbers drawn: texts filled in, answers computed.

    `answer` is a number, or the right option's place from 0. `wrong` is ((number, cause), ...), `options` is
    ((text, says), ...).
    """

    stem: str
    id: str
    at: str
    kind: str
    text: str
    hint: str
    answer: float
    unit: str = ""
    tolerance: float = 0
    why: str = ""
    wrong: tuple = ()
    options: tuple = ()

    @property
    def said(self):
        """The right answer in words.

        >>> draw(load("patches")[0]).said
        '256 rows'
        """
        return self.options[self.answer][0] if self.kind == "choice" else self.write(self.answer)

    def write(self, number):
        """A number as the page prints it: with its unit, and to as many decimals as the tolerance can tell apart."""
        decimals = max(0, -Decimal(repr(self.tolerance)).normalize().as_tuple().exponent)
        exact = isinstance(number, int) or not self.tolerance
        return f"{number:,} {self.unit}".rstrip() if exact else f"{number:,.{decimals}f} {self.unit}".rstrip()

    def reply(self, said):
        """What to say to a number, or to the place of an option: (right, why).

        >>> draw(load("patches")[0]).reply(16)
        (False, 'That is one side of the grid. It has as many rows as columns: multiply.')
        """
        if self.kind == "choice":
            return said == self.answer, self.options[said][1]
        if near(said, self.answer, self.tolerance):
            return True, self.why
        return False, next((cause for number, cause in self.wrong if near(said, number, self.tolerance)), self.hint)


def ask(stem, id):
    """One question of a page as an output: answered at once, in a notebook and in the book, with neither kernel nor network.

    Raises ValueError for a page without questions and for an id that it has not, naming those that it has.

    >>> ask("attention", "shuffle")
    [predict: You shuffle the six words, and there is no mask. How do the six outputs change?]
    """
    from mmtokedu.course.quiz import _element

    questions = {question.id: question for question in load(stem)}
    if id not in questions:
        raise ValueError(f"{stem} has no question {id!r}; it has {', '.join(questions)}")
    return _element.output([draw(questions[id])])


def ask_all(stem):
    """The quiz of a page as one output: its questions that are marked `at = "quiz"`, in the file's order.

    Raises ValueError for a page without questions, and for one whose questions are all Predicts.

    >>> ask_all("attention").kind
    'quiz'
    """
    from mmtokedu.course.quiz import _element

    asked = [draw(question) for question in load(stem) if question.at == "quiz"]
    if not asked:
        raise ValueError(f'no question of {stem} is marked at = "quiz"')
    return _element.output(asked)


def near(a, b, tolerance):
    """Whether two numbers are at most the tolerance apart; rounding in the last digits of a float does not count."""
    return abs(a - b) <= tolerance + 1e-9 * max(abs(a), abs(b))


def stems():
    """The pages that have questions."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(stem):
    """The questions of a page, in the file's order.

    Raises ValueError for a page without questions, and for a file that breaks the form, naming file and question.

    >>> [question.id for question in load("attention") if question.at == "predict"]
    ['add-100', 'shuffle', 'table-draws-level']
    """
    if stem not in stems():
        raise ValueError(f"there are no questions for {stem!r}; there are for {', '.join(stems())}")
    path = FOLDER / f"{stem}.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name}: {error}") from error
    if set(found) != {"question"} or not found["question"]:
        raise ValueError(f"{path.name}: it holds [[question]] tables and nothing else")
    questions, names = [], set()
    for number, fields in enumerate(found["question"], 1):
        where = f"{path.name}, question {fields.get('id', number)!r}"
        try:
            questions.append(_question(stem, fields))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        if fields["id"] in names:
            raise ValueError(f"{where}: this id is there twice")
        names.add(fields["id"])
    return tuple(questions)


def _question(stem, fields):
    kind = fields.get("kind")
    if kind not in FIELDS:
        raise ValueError(f"kind is {kind!r}; it is {' or '.join(FIELDS)}")
    missing, unknown = FIELDS[kind] - set(fields), set(fields) - FIELDS[kind] - OPTIONAL[kind]
    if missing or unknown:
        raise ValueError(f"missing {sorted(missing)}, unknown {sorted(unknown)}")
    for name in FIELDS[kind] - {"wrong", "options"}:
        if not isinstance(fields[name], str) or (not fields[name].strip() and name != "unit"):
            raise ValueError(f"{name} is {fields[name]!r}; write a text")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", fields["id"]):
        raise ValueError("an id is made of lower-case letters, digits and hyphens")
    if fields["at"] not in PLACES:
        raise ValueError(f"at is {fields['at']!r}; it is {' or '.join(PLACES)}")
    given = _given(fields.get("given", {}))
    special = _number(stem, fields, given) if kind == "number" else {"options": _options(fields["options"])}
    question = Question(stem, **{name: fields[name] for name in COMMON}, given=given, **special)
    for parameters in drawings(question):
        _fill(question, parameters)
    return question


def _given(given):
    """Every parameter as the tuple of its values."""
    values = {name: tuple(value) if isinstance(value, list) else (value,) for name, value in given.items()}
    if empty := [name for name, value in values.items() if not value]:
        raise ValueError(f"given has nothing to draw {empty[0]} from")
    return values


def _number(stem, fields, given):
    tolerance = fields.get("tolerance", 0)
    if not _is_number(tolerance) or tolerance < 0:
        raise ValueError(f"tolerance is {tolerance!r}; it is a number from 0 on")
    wrong = []
    for mistake in fields["wrong"]:
        if set(mistake) != {"is", "cause"} or not mistake["cause"].strip():
            raise ValueError(f"a wrong answer has `is` and `cause`, not {sorted(mistake)}")
        known = mistake["is"]
        if not _is_number(known):
            known = _function(stem, known, given)
        wrong.append((known, mistake["cause"]))
    why = fields.get("why", "")
    if not isinstance(why, str) or ("why" in fields and not why.strip()):
        raise ValueError(f"why is {why!r}; write a text")
    answer = _function(stem, fields["answer"], given)
    return {"answer": answer, "unit": fields["unit"], "tolerance": tolerance, "why": why, "wrong": tuple(wrong)}


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _function(stem, name, given):
    """The function of this name in the page's module; its parameters are names in `given`."""
    module = importlib.import_module(f"{__name__}.{stem.replace('-', '_')}")
    function = vars(module).get(name) if isinstance(name, str) and not name.startswith("_") else None
    if not inspect.isfunction(function) or function.__module__ != module.__name__:
        raise ValueError(f"{name!r} is no function of {module.__name__.rpartition('.')[2]}.py")
    if unknown := sorted(set(inspect.signature(function).parameters) - set(given)):
        raise ValueError(f"{name}() needs {', '.join(unknown)}, which `given` does not have")
    return function


def _options(options):
    for option in options:
        if not {"text", "says"} <= set(option) <= {"text", "says", "right"} or not option["says"].strip():
            raise ValueError(f"an option has `text` and `says`, one has `right`; this has {sorted(option)}")
    if len(options) < 2 or [option.get("right", False) for option in options].count(True) != 1:
        raise ValueError("a choice has two options or more, and exactly one is right")
    return tuple((option["text"], option["says"], option.get("right", False)) for option in options)


def drawings(question):
    """Every set of parameters that can be drawn, as dicts; the first is the page's own."""
    for values in itertools.product(*question.given.values()):
        yield dict(zip(question.given, values))


def draw(question, seed=None):
    """The question with the parameters that the seed (any text or number) chooses; without one, the page's own.

    A seed also shuffles the options of a choice. The same seed draws the same on every machine.
    Raises ValueError where a known wrong number is the right one, or two of them are the same number.

    >>> asked = draw(load("patches")[0])
    >>> asked.text, asked.answer
    ('A photo of 224 × 224 pixels is cut into patches of 14 × 14. How many rows does the sequence have?', 256)
    """
    every = list(drawings(question))
    if seed is None:
        return filled(question, every[0])
    chance = _Chance(f"{seed}/{question.stem}/{question.id}")
    return filled(question, every[chance("given") % len(every)], chance)


def filled(question, parameters, chance=None):
    """The question with these parameters, answers computed. See `draw`."""
    fill = _fill(question, parameters)
    base = {name: getattr(question, name) for name in ("stem", "id", "at", "kind", "unit", "tolerance")}
    base |= {"text": fill(question.text), "hint": fill(question.hint), "why": fill(question.why)}
    if question.kind == "choice":
        options = sorted(question.options, key=lambda option: chance(option[0])) if chance else question.options
        right = [option[2] for option in options].index(True)
        return Asked(**base, answer=right, options=tuple((fill(text), fill(says)) for text, says, _ in options))
    answer = _value(question.answer, parameters)
    wrong = tuple((_value(known, parameters), fill(cause)) for known, cause in question.wrong)
    for place, (number, cause) in enumerate(wrong):
        others = [answer, *(other for other, _ in wrong[:place])]
        if any(near(number, other, question.tolerance) for other in others):
            where = f"{question.stem}.toml, question {question.id!r}"
            raise ValueError(
                f"{where}: with {parameters} the wrong answer {number} ({cause}) stands for another one too"
            )
    return Asked(**base, answer=answer, wrong=wrong)


def _value(known, parameters):
    if not inspect.isfunction(known):
        return known
    value = known(**{name: parameters[name] for name in inspect.signature(known).parameters})
    value = value.item() if hasattr(value, "item") else value
    if not _is_number(value):
        raise ValueError(f"{known.__name__}() gave {value!r} for {parameters}; an answer is a finite number")
    return value


def _fill(question, parameters):
    """A function that puts the parameters into a text; every text of the question has been tried."""

    def fill(text):
        try:
            return text.format_map(parameters)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{text!r} cannot be filled from {parameters} ({error!r})") from error

    for text in (question.text, question.hint, question.why, *(cause for _, cause in question.wrong)):
        fill(text)
    for text, says, _ in question.options:
        fill(text), fill(says)
    return fill


class _Chance:
    """Numbers from a seed and a name, the same on every machine and Python."""

    def __init__(self, seed):
        self.seed = seed

    def __call__(self, name):
        return int.from_bytes(hashlib.sha256(f"{self.seed}/{name}".encode()).digest()[:8])


def sheet(stem, seed):
    """An exam sheet and its key as text: the page's questions with the seed's numbers."""
    asked = [draw(question, seed) for question in load(stem)]
    questions, key = [f"{stem}: questions (seed {seed})"], [f"{stem}: key (seed {seed})"]
    for number, question in enumerate(asked, 1):
        lines = [f"{number}. {question.text}"]
        if question.kind == "choice":
            lines += [f"   {letter}) {text}" for letter, (text, _) in zip("abcdefgh", question.options)]
            key.append(f"{number}. {'abcdefgh'[question.answer]}) {question.options[question.answer][1]}")
        else:
            lines.append(f"   ______ {question.unit}".rstrip())
            about = f" ± {question.tolerance:g}" if question.tolerance else ""
            key.append(f"{number}. {question.said}{about}")
            key += [f"   {question.write(wrong)}: {cause}" for wrong, cause in question.wrong]
        questions.append("\n".join(lines))
    return "\n\n".join(questions), "\n".join(key)


def main(argv=None):
    """Print exam sheets, then their keys: `quiz --seed S [STEM ...]`."""
    parser = argparse.ArgumentParser(prog="python -m mmtokedu.course quiz", description=main.__doc__)
    parser.add_argument("stems", nargs="*", metavar="STEM", help=f"default: all ({', '.join(stems())})")
    parser.add_argument("--seed", required=True, help="any text; another seed, other numbers")
    given = parser.parse_args(argv)
    try:
        sheets, keys = zip(*(sheet(stem, given.seed) for stem in given.stems or stems()))
    except ValueError as error:
        sys.exit(str(error))
    print("\n\n".join([*sheets, "-" * 72, *keys]))
