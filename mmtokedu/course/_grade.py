"""Grade a folder of notebooks: `python -m mmtokedu.course grade FOLDER --key build/course/NAME/autograder/key.json`.

What a student wrote runs in a process of its own, shut in as far as the system allows. It is sent arguments and sends
results; the hidden cases, the right results and the points never leave this process.
"""

import contextlib
import copy
import importlib.metadata
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

from mmtokedu.course import Exercise, _measured, generator, outcome, replayed, same
from mmtokedu.course._compare import attempt, brief
from mmtokedu.course._student import PACKAGE, Died, Fault, Limits, Student, change, risks, try_sandbox
from mmtokedu.course._submissions import collected
from mmtokedu.course._wire import to_json

LIMITS = Limits()
NOT_MARKED = ("ungraded", "unread")  # states of which no mark may be made


@dataclass
class Part:
    """A line of the rubric as graded."""

    name: str
    points: float
    possible: float
    state: str


@dataclass
class Answer:
    """A question as graded. `state` is pass, fail, timeout, crash, ungraded, or unread where nothing could be read."""

    name: str
    title: str
    points: float
    possible: float
    state: str
    message: str
    cause: str = ""
    section: str = ""
    link: str = ""
    parts: list = field(default_factory=list)
    hand: dict = field(default_factory=dict)  # what a person marks: points to give, rubric, words, prediction, receipt


@dataclass
class Result:
    """A submission as graded; `state` tells of it as a whole, `kit` of which kit its notebook says it is."""

    student: str
    name: str
    number: str
    file: str
    state: str
    points: float
    possible: float
    seconds: float
    notes: list
    answers: list
    walls: list = field(default_factory=list)
    kit: str = ""
    slow: bool = False  # points are missing and time ran out somewhere, so another run may give more
    by_hand: float = 0  # points that a person has to give; neither in `points` nor in `possible`


class Asked:
    """A student's function as the checks call it. Each case is asked once, and none after it hung or died."""

    def __init__(self, student, name, cuda=False):
        self.student, self.name, self.cuda, self.memory, self.ended = student, name, cuda, {}, None

    def __call__(self, *case):
        key = json.dumps(to_json(list(case)))
        if key not in self.memory:
            if self.ended:
                raise self.ended
            got = outcome(lambda *_: self.student.call(self.name, case, self.cuda), ())
            self.memory[key] = got, copy.deepcopy(case)
            if isinstance(got, (TimeoutError, Died)):
                self.ended = got
        got, after = self.memory[key]
        change(case, after)
        if isinstance(got, Exception):
            raise got
        return got


def grade_question(name, question, function, gpu=False):
    """One question: its visible cases tell what to say, each part of its rubric has its own points."""
    exercise = replayed(question["record"])
    about = {"name": name, "title": exercise.name, "section": exercise.section, "link": exercise.link}
    if exercise.needs == "cuda" and not gpu:
        return Answer(**about, points=0, possible=0, state="ungraded", message="needs a CUDA card",
                      parts=_parts(question, "ungraded"))  # fmt: skip
    start = question["visible"]
    verdict = _judged(exercise, exercise.cases[:start], function)  # word for word what the student's own check says
    hidden = bool(verdict)
    if hidden:
        verdict = _judged(exercise, exercise.cases, function)
    parts = []
    for part, points, count in question["parts"]:
        cases = exercise.cases[start : start + count]
        start += count
        states = [_state(attempt(function, case), outcome(exercise.answer, case)) for case in cases]
        state = next((s for s in states if s != "pass"), "pass")
        parts.append(Part(part, points if state == "pass" else 0, points, state))
    return Answer(
        **about,
        points=sum(part.points for part in parts),
        possible=sum(part.possible for part in parts),
        state="fail" if verdict.state == "not attempted" else verdict.state,
        message=_told(verdict) if hidden else verdict.message,
        cause=verdict.cause,
        parts=parts,
    )


def _judged(exercise, cases, function):
    """The verdict on some of the cases. Where the function runs is the student's process; here it is a plain function."""
    about = exercise.section, exercise.link
    return Exercise(exercise.name, exercise.answer, cases, exercise.mistakes, *about)(function)


def seed_again(question, student, result):
    """Which seed of a result is run again: nothing in the sheet tells, and with another value in it, it may be another."""
    draw = generator(question["secret"], student, json.dumps(result))
    return _measured.SEEDS[draw.integers(len(_measured.SEEDS))]


def cases_again(question, result, seed):
    """The calls that give a seed's two values: before the change and after it."""
    number = _measured.number(result["receipt"], seed)
    return [(number, *question[arm]) for arm in ("before", "after")]


def cases_unseen(question):
    """The same two calls at the number that students do not see."""
    return [(question["probe"][0], *question[arm]) for arm in ("before", "after")]


def grade_measured(name, question, handed, function, seed):
    """A measured question: is its result whole, does one of its seeds give the same again, is the experiment the right one."""
    result, possible = handed["result"], sum(points for points, _ in _measured.PARTS)
    about = {"name": name, "title": question["title"], "section": question["section"], "link": question["link"]}
    about |= {"possible": possible, "hand": _by_hand(question, handed)}
    by_hand = Part(
        f"{_measured.WORDS}: {len(handed['words'].split())} of about 150", 0, about["hand"]["possible"], "by hand"
    )
    if not result:
        parts = [Part(part, 0, points, "fail") for points, part in _measured.PARTS]
        return Answer(**about, points=0, state="fail", message="", cause=handed["problem"], parts=[*parts, by_hand])
    given = next(row[1:] for row in result["seeds"] if row[0] == seed)
    again, causes = [attempt(function, case).result for case in cases_again(question, result, seed)], []
    states = ["pass", _number_state(again, given, question["tolerance"])]
    if states[1] != "pass":
        causes.append(
            f"seed {seed}, run again with your function, gives {_pair(again)}; your result says {_pair(given)}. The values "
            "are not of this function and this prediction: measure again after the last change of either"
        )
    unseen = [attempt(function, case).result for case in cases_unseen(question)]
    states.append(_number_state(unseen, question["probe"][1:], question["tolerance"]))
    if states[2] != "pass":
        causes.append(
            "at a number that you do not see your experiment gives something else than it should: a function that it "
            "uses is not right yet, or its cells were changed"
        )
    parts = [
        Part(part, points if state == "pass" else 0, points, state)
        for (points, part), state in zip(_measured.PARTS, states)
    ]
    rows = [f"seed {row[0]}: unchanged {row[1]:.4g}, changed {row[2]:.4g}" for row in result["seeds"]]
    return Answer(
        **about,
        points=sum(part.points for part in parts),
        state=next((s for s in states if s != "pass"), "pass"),
        message="\n".join([f"{question['value']}; the arm: {question['rule']}", *rows]),
        cause="; ".join(causes),
        parts=[*parts, by_hand],
    )


def _by_hand(question, handed):
    """What a person needs to mark the words."""
    result = handed["result"] or {"prediction": "", "receipt": ""}
    return {
        "possible": sum(len(levels) - 1 for _, levels in question["rubric"]),
        "rubric": question["rubric"],
        "words": handed["words"],
        "prediction": result["prediction"],
        "receipt": result["receipt"],
    }


def _number_state(got, expected, tolerance):
    """The state of some results that should be some numbers."""
    for value, wanted in zip(got, expected):
        if not same(value, float(wanted), tolerance):
            return _wrong(value)
    return "pass"


def _pair(values):
    return " and ".join(f"{v:.6g}" if isinstance(v, float) else brief(v)[:120] for v in values)


def _parts(question, state):
    return [Part(part, 0, points, state) for part, points, _ in question["parts"]]


def _state(tried, expected):
    if same(tried.result, expected):
        return "fail" if tried.changed else "pass"
    return _wrong(tried.result)


def _wrong(got):
    """The state of a result that is not what it should be."""
    if isinstance(got, TimeoutError):
        return "timeout"
    return "crash" if isinstance(got, Exception) and not isinstance(got, NotImplementedError) else "fail"


def _told(verdict):
    """What a student is told of a case that they do not see: the likely cause alone."""
    if verdict.state in ("pass", "not attempted"):
        return verdict.message
    seen = "The cases that you see agree; one that you do not see "
    if verdict.state == "timeout":
        return seen + "got no answer in time."
    if verdict.state == "crash":
        return seen + "stopped your function."
    return seen + f"does not.\nlikely cause: {verdict.cause}"


def grade_submission(submission, key, limits):
    """Grade one submission. Never raises for what is in it."""
    start, questions, measured = time.monotonic(), key["questions"], key.get("measured", {})
    if submission.cells is None:
        return unmarked(submission, key, "unread", submission.problem)
    student = Student(submission.cells, limits)
    asked = {n: Asked(student, n, q["record"]["needs"] == "cuda") for n, q in questions.items()}
    asked |= {n: Asked(student, n) for n in measured}
    seeds = {n: seed_again(q, submission.student, submission.measured[n]["result"]) for n, q in measured.items()}
    try:
        # Every case that the student knows is asked before any that is hidden: a page shows answers to those, and
        # by then the process has seen nothing that it could answer with.
        for name, question in questions.items():
            exercise = replayed(question["record"])
            if limits.gpu or exercise.needs != "cuda":
                for case in exercise.cases[: question["visible"]]:
                    outcome(asked[name], case)
        for name, question in measured.items():
            if result := submission.measured[name]["result"]:
                for case in cases_again(question, result, seeds[name]):
                    outcome(asked[name], case)
        answers = [grade_question(n, q, asked[n], limits.gpu) for n, q in questions.items()]
        answers += [grade_measured(n, q, submission.measured[n], asked[n], seeds[n]) for n, q in measured.items()]
    finally:
        student.stop()
    states = [a.state for a in answers if a.state != "ungraded"]
    state = next((s for s in ("timeout", "crash", "fail") if s in states), "pass" if states else "ungraded")
    notes = submission.notes + [
        f"cell {number}: {said}" if number else f"before the first cell: {said}"
        for number, told in sorted(student.notes.items())
        for said in told
    ]
    points, possible = (sum(getattr(a, k) for a in answers) for k in ("points", "possible"))
    seconds = round(time.monotonic() - start, 1)
    walls = student.sandbox.get("walls", [])
    about = submission.student, submission.name, submission.number, submission.file
    slow = student.slow and points < possible
    by_hand = sum(a.hand.get("possible", 0) for a in answers)
    return Result(*about, state, points, possible, seconds, notes, answers, walls, submission.kit, slow, by_hand)


def unmarked(submission, key, state, why):
    """The result of a submission that was not graded: a person has to look at it."""
    answers = []
    for name, q in key["questions"].items():
        parts = _parts(q, state)
        answers.append(Answer(name, q["record"]["name"], 0, sum(p.possible for p in parts), state, why, parts=parts))
    for name, q in key.get("measured", {}).items():
        parts = [Part(part, 0, points, state) for points, part in _measured.PARTS]
        answers.append(Answer(name, q["title"], 0, sum(p.possible for p in parts), state, why, parts=parts))
    possible = sum(answer.possible for answer in answers)
    about = submission.student, submission.name, submission.number, submission.file
    return Result(*about, state, 0, possible, 0, [why, *submission.notes], answers, kit=submission.kit)


def read_key(path):
    """The key that `build` wrote. ValueError says in a sentence what else the file is."""
    try:
        key = json.loads(Path(path).read_bytes())
        if not ({"name", "title", "version", "questions", "demos"} <= set(key) and key["questions"]):
            raise ValueError
        for question in key["questions"].values():
            replayed(question["record"]), question["visible"], question["parts"]
    except OSError as error:
        raise ValueError(f"no key can be read from {path}: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(f"{path} is not a key; it is NAME/autograder/key.json of what `build` made") from None
    return key


def grade(folder, key_file, out, limits=LIMITS, jobs=None, say=print, again=False, beside=()):
    """Grade all of a folder; results are kept in `out`, so that a run that was ended goes on where it was.

    `again` grades what was kept too; `beside` are files that may lie in the folder and are no submissions.
    """
    key, out, folder = read_key(key_file), Path(out), Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; grading takes a folder of submissions")
    if out.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{out} is inside the folder of submissions; name another place with --out")
    submissions = collected(folder, key, (key_file, *beside))  # all are read before any of them runs
    if not submissions:
        raise ValueError(f"there are no submissions in {folder}")
    (out / "state").mkdir(parents=True, exist_ok=True)
    sandbox = try_sandbox(limits)
    announce(sandbox, say)
    for path in (folder, Path(key_file), out):
        if sandbox["files"] != "open" and any(path.resolve().is_relative_to(r) for r in sandbox["readable"]):
            raise ValueError(f"{path} is in a folder that every submission may read; move it elsewhere")
    work, results, ground = [], {}, _ground(key, limits, sandbox)
    for submission in submissions:
        mark = sha256(json.dumps([ground, asdict(submission)]).encode()).hexdigest()
        kept = out / "state" / f"{sha256(submission.student.encode()).hexdigest()[:24]}.json"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            stored = json.loads(kept.read_text())
            if stored["mark"] == mark and not again:
                results[submission.student] = stored["result"]
                continue
        work.append((submission, mark, kept))
    if results:
        say(f"{len(results)} were graded before and have not changed")
    jobs = jobs or max(1, (os.cpu_count() or 2) // 2)
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(_one, *w, key, limits): w for w in work}
        for done in as_completed(running):
            submission, result = running[done][0], done.result()
            results[submission.student] = result
            say(_line(result))
    if jobs > 1 and len(work) > 1:
        _alone([w for w in work if results[w[0].student]["slow"]], results, key, limits, say)
    return key, sandbox, [results[name] for name in sorted(results)]


def announce(sandbox, say):
    """Say what the sandbox gives, and each risk that it leaves."""
    told = ["memory of a process limited" if sandbox["memory"] else "memory not limited"]
    told += [f"{what}: {sandbox[what]}" for what in ("files", "network", "processes")]
    walls = " and ".join(sandbox["walls"]) or "this system has no namespaces, Landlock or seccomp"
    say(f"sandbox: {', '.join(told)} ({walls})")
    for risk in risks(sandbox):
        say(f"  RISK: a submission is a stranger's program; {risk}")


def _ground(key, limits, sandbox):
    """All that a result stands on but the submission: when one of it changes, nothing that was kept holds."""
    installed = sorted(f"{d.name} {d.version}" for d in importlib.metadata.distributions())
    ours = [path.read_bytes() for path in sorted(PACKAGE.glob("course/*.py"))]
    return [
        key,
        repr(limits),
        sys.version,
        installed,
        sha256(b"".join(ours)).hexdigest(),
        sandbox["walls"],
        sandbox["memory"],
    ]


def _alone(work, results, key, limits, say):
    """Grade again, one at a time, what ran out of time beside others; the better of two results counts."""
    if work:
        say(f"{len(work)} ran out of time or could not be started; they are graded once more, one at a time")
    for submission, mark, kept in work:
        before, result = results[submission.student], _one(submission, mark, kept, key, limits)
        if before["state"] in NOT_MARKED or (
            result["state"] not in NOT_MARKED and result["points"] >= before["points"]
        ):
            results[submission.student] = result
        say(_line(results[submission.student]))


def _line(result):
    return f"{result['state']:9} {result['points']:5g} of {result['possible']:g}  {result['student']}  ({result['seconds']:g} s)"


def _one(submission, mark, kept, key, limits):
    try:
        result = asdict(grade_submission(submission, key, limits))
    except (Exception, Fault) as error:  # a fault of ours or of the system: tell it, and go on with the others
        why = f"the grader stopped on it: {type(error).__name__}: {error}"
        return asdict(unmarked(submission, key, "ungraded", why)) | {"slow": True}
    if not result["slow"]:  # another run, on a machine with less to do, may say something else
        scratch = kept.with_suffix(".part")
        scratch.write_text(json.dumps({"mark": mark, "result": result}))
        scratch.replace(kept)
    return result
