"""Grade a folder of notebooks: `python -m mmtokedu.course grade FOLDER --key build/course/NAME/autograder/key.json`.

What a student wrote runs in a process of its own, shut in as far as the system allows. It is sent arguments and sends
results; the hidden cases, the right results and the points never leave this process.
"""

import contextlib
import json
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

from mmtokedu.course import Exercise, outcome, replayed, same
from mmtokedu.course._wire import from_json, to_json
from mmtokedu.course._worker import framed

PACKAGE = Path(__file__).resolve().parents[1]
LARGEST = 16 << 20  # bytes of one message from a stranger
RESTARTS = 4
NOTES = 20


@dataclass(frozen=True)
class Limits:
    """Seconds for one call, for running the cells, for a whole submission; bytes of memory; `walls` for tests."""

    call: float = 10
    cells: float = 60
    whole: float = 180
    memory: int = 2 << 30
    gpu: bool = False
    walls: tuple = ("namespaces", "landlock", "seccomp")


class Died(Exception):
    """The student's process ended before it answered."""


class Student:
    """A notebook's functions, callable from here: `student.call(name, case)`. Started again where it hangs or dies."""

    def __init__(self, cells, limits):
        self.cells, self.limits = list(enumerate(cells, 1)), limits
        self.until = time.monotonic() + limits.whole
        self.process, self.inner, self.sandbox, self.notes, self.starts = None, None, {}, {}, 0

    def call(self, name, case, cuda=False):
        """The result of one call. TimeoutError, Died, or what the function raised."""
        if self.process is None:
            self._start()
        try:
            until, told = min(time.monotonic() + self.limits.call, self.until), f"{self.limits.call:g} s"
            self._ask({"call": name, "case": to_json(list(case)), "cuda": cuda}, until, told)
            answer = self._next(until, told)
            return from_json(answer["result"])
        except (TimeoutError, Died):
            self.stop()
            raise
        except Exception:
            self.stop()
            raise Died("it answered with what is not a result") from None

    def _start(self):
        """Run the cells; one that hangs or ends the process is left out at the next try."""
        while True:
            if self.starts > RESTARTS or time.monotonic() > self.until:
                raise TimeoutError("the notebook's cells did not get to their end")
            self.starts += 1
            cell, told = 0, f"{self.limits.cells:g} s"
            try:
                self._launch()
                until = min(time.monotonic() + self.limits.cells, self.until)
                self._ask({"cells": self.cells}, until, told)
                while "ready" not in (message := self._next(until, told)):
                    if "cell" in message:
                        cell = int(message["cell"])
                    elif "stopped" in message and len(self.notes) < NOTES:
                        self.notes[int(message["stopped"])] = str(message["said"])[:500]
                return
            except (TimeoutError, Died) as error:
                self.stop()
                self.notes[cell] = str(error) if cell else f"before the first cell: {error}"
                self.cells = [c for c in self.cells if c[0] != cell]
            except Exception:  # a forged message
                self.stop()
                self.cells = [c for c in self.cells if c[0] != cell]

    def _launch(self):
        self.folder = tempfile.TemporaryDirectory(prefix="mmtokedu-", ignore_cleanup_errors=True)
        to_read, self.questions = os.pipe()
        self.answers, to_write = os.pipe()
        folder, limits = os.path.realpath(self.folder.name), self.limits
        given = {
            "questions": to_read,
            "answers": to_write,
            "shut_in": {
                "folder": folder, "package": str(PACKAGE), "memory": 0 if limits.gpu else limits.memory,
                "seconds": int(limits.whole) + 5, "gpu": limits.gpu, "walls": limits.walls,
            },
        }  # fmt: skip
        threads = dict.fromkeys(("OPENBLAS", "OMP", "MKL"), "1")
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(PACKAGE / "course/_sandbox.py"), json.dumps(given)],
            pass_fds=(to_read, to_write), start_new_session=True, cwd=folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={"HOME": folder, "TMPDIR": folder, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "MPLBACKEND": "agg",
                 "PYTHONHASHSEED": "0", **{f"{k}_NUM_THREADS": v for k, v in threads.items()}},
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        until = time.monotonic() + 30
        while "sandbox" not in (message := self._next(until, "30 s")):
            with contextlib.suppress(OSError, AttributeError):  # pidfd: Linux; it cannot mean another process later
                self.inner = os.pidfd_open(int(message["pid"]))
        self.sandbox = message["sandbox"]

    def _ask(self, message, until, told):
        """Write a message; one who does not read it must not hold us up."""
        data = memoryview(framed(message))
        while data:
            left = until - time.monotonic()
            if left <= 0 or not select.select([], [self.questions], [], left)[1]:
                raise TimeoutError(f"it took nothing in within {told}")
            try:
                data = data[os.write(self.questions, data[:4096]) :]  # as much as is sure not to block
            except BrokenPipeError:
                raise Died("the process ended") from None

    def _next(self, until, told):
        head = self._bytes(4, until, told)
        count = struct.unpack(">I", head)[0]
        if count > LARGEST:
            raise Died(f"an answer of {count >> 20} MB; {LARGEST >> 20} MB is the most")
        return json.loads(self._bytes(count, until, told))

    def _bytes(self, count, until, told):
        data = bytearray()
        while len(data) < count:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.answers], [], [], left)[0]:
                raise TimeoutError(f"no answer within {told}")
            piece = os.read(self.answers, min(count - len(data), 1 << 20))
            if not piece:
                raise Died("the process ended: it left by itself, or used too much memory or processor time")
            data += piece
        return bytes(data)

    def stop(self):
        """End the process and all that it started, and throw its folder away."""
        if self.process is None:
            return
        if self.inner is not None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self.inner, signal.SIGKILL)
            os.close(self.inner)
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.questions)
        os.close(self.answers)
        self.folder.cleanup()
        self.process = self.inner = None


def risks(sandbox):
    """What a submission could still do, in words; empty where nothing that we know of is left."""
    left = []
    if sandbox["files"] == "open":
        left.append("it can read, change and delete your files, the hidden cases and other submissions among them")
    elif sandbox["files"] != "closed":
        left.append("it can change permissions of your files and speak to local services whose place it guesses")
    if sandbox["network"] == "open":
        left.append("it can use the network")
    elif sandbox["network"] != "none":
        left.append("it can use the network other than TCP")
    if sandbox["processes"] == "shared":
        left.append("it can end your other processes, this one too, and leave some of its own running")
    if not sandbox["memory"]:
        left.append("it can use all of the memory")
    return left


def try_sandbox(limits):
    """Start an empty notebook and say what this system's sandbox gives."""
    student = Student([], limits)
    try:
        student._start()
    finally:
        student.stop()
    return student.sandbox


@dataclass
class Part:
    """A line of the rubric as graded."""

    name: str
    points: float
    possible: float
    state: str


@dataclass
class Answer:
    """A question as graded. `state` is pass, fail, timeout, crash or ungraded."""

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


@dataclass
class Result:
    """A submission as graded; `state` tells of the notebook as a whole."""

    student: str
    file: str
    state: str
    points: float
    possible: float
    seconds: float
    notes: list
    answers: list
    walls: list


def code_cells(data, demos):
    """The code of a submitted notebook that is worth running. ValueError: not a notebook."""
    try:
        cells = json.loads(data.decode("utf-8"))["cells"]
        found = []
        for cell in cells:
            source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
            demo = (
                "demo" in cell.get("metadata", {}).get("tags", [])
                or sha256(source.strip().encode()).hexdigest() in demos
            )
            if cell["cell_type"] == "code" and not demo:
                found.append(source)
        return found
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError("not a notebook (.ipynb) that can be read") from None


def grade_question(name, question, student, limits):
    """One question: its visible cases tell what to say, each part of its rubric has its own points."""
    exercise = replayed(question["record"])
    about = {"name": name, "title": exercise.name, "section": exercise.section, "link": exercise.link}
    possible = sum(points for _, points, _ in question["parts"])
    cuda, memory, ended = exercise.needs == "cuda", {}, []
    if cuda and not limits.gpu:
        parts = [Part(part, 0, points, "ungraded") for part, points, _ in question["parts"]]
        return Answer(**about, points=0, possible=0, state="ungraded", message="needs a CUDA card", parts=parts)

    def function(*case):
        asked = json.dumps(to_json(list(case)))
        if asked not in memory:
            if ended:  # it hung or died once: ask no more
                raise ended[0]
            memory[asked] = outcome(lambda *_: student.call(name, case, cuda), ())
            if isinstance(memory[asked], (TimeoutError, Died)):
                ended.append(memory[asked])
        if isinstance(memory[asked], Exception):
            raise memory[asked]
        return memory[asked]

    whole = Exercise(exercise.name, exercise.answer, exercise.cases, exercise.mistakes, exercise.section, exercise.link)
    verdict, parts, start = whole(function), [], question["visible"]
    for part, points, count in question["parts"]:
        cases = exercise.cases[start : start + count]
        start += count
        states = [_state(outcome(function, case), outcome(exercise.answer, case)) for case in cases]
        state = next((s for s in states if s != "pass"), "pass")
        parts.append(Part(part, points if state == "pass" else 0, points, state))
    earned = sum(part.points for part in parts)
    state = "fail" if verdict.state == "not attempted" else verdict.state
    return Answer(
        **about,
        points=earned,
        possible=possible,
        state=state,
        message=_told(verdict, question),
        cause=verdict.cause,
        parts=parts,
    )


def _state(got, expected):
    if same(got, expected):
        return "pass"
    if isinstance(got, TimeoutError):
        return "timeout"
    return "crash" if isinstance(got, Exception) and not isinstance(got, NotImplementedError) else "fail"


def _told(verdict, question):
    """What a student is told: all about a case that they can see, the likely cause alone of a hidden one."""
    if verdict.case <= question["visible"] or verdict.state == "not attempted":
        return verdict.message
    seen = "The cases that you see agree; one that you do not see "
    if verdict.state == "timeout":
        return seen + "got no answer in time."
    if verdict.state == "crash":
        return seen + "stopped your function."
    return seen + f"does not.\nlikely cause: {verdict.cause}"


def grade_submission(name, file, data, key, limits):
    """Grade the bytes of one submission. Never raises for what is in them."""
    start, questions = time.monotonic(), key["questions"]
    possible = sum(points for q in questions.values() for _, points, _ in q["parts"])
    try:
        cells = code_cells(data, set(key["demos"]))
    except ValueError as error:
        answers = [
            Answer(n, q["record"]["name"], 0, sum(p for _, p, _ in q["parts"]), "crash", str(error),
                   parts=[Part(part, 0, points, "crash") for part, points, _ in q["parts"]])
            for n, q in questions.items()
        ]  # fmt: skip
        return Result(name, file, "crash", 0, possible, 0, [str(error)], answers, [])
    student = Student(cells, limits)
    try:
        answers = [grade_question(n, q, student, limits) for n, q in questions.items()]
    finally:
        student.stop()
    states = [a.state for a in answers if a.state != "ungraded"]
    state = next((s for s in ("timeout", "crash", "fail") if s in states), "pass" if states else "ungraded")
    notes = [f"cell {number}: {said}" for number, said in sorted(student.notes.items())]
    points, possible = (sum(getattr(a, k) for a in answers) for k in ("points", "possible"))
    seconds = round(time.monotonic() - start, 1)
    return Result(name, file, state, points, possible, seconds, notes, answers, student.sandbox.get("walls", []))


def find_submissions(folder):
    """(name, path) of each submission: a file, or a folder with one notebook in it (Moodle, Gradescope)."""
    found = []
    for path in sorted(Path(folder).iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
            notebooks = [p for p in inside if p.suffix == ".ipynb"]
            found += [(path.name, p) for p in (notebooks or inside)[:1]]
        else:
            found.append((path.stem, path))
    twice = {name for name, _ in found if [n for n, _ in found].count(name) > 1}
    return [(path.name if name in twice else name, path) for name, path in found]


def grade(folder, key_file, out, limits=Limits(), jobs=None, say=print):
    """Grade all of a folder; results are kept in `out`, so that a run that was ended goes on where it was."""
    key_data = Path(key_file).read_bytes()
    key, out = json.loads(key_data), Path(out)
    (out / "state").mkdir(parents=True, exist_ok=True)
    sandbox = try_sandbox(limits)
    told = ["memory limited" if sandbox["memory"] else "memory not limited"]
    told += [f"{what}: {sandbox[what]}" for what in ("files", "network", "processes")]
    say(
        f"sandbox: {', '.join(told)} ({' and '.join(sandbox['walls']) or 'this system has no namespaces, Landlock or seccomp'})"
    )
    for risk in risks(sandbox):
        say(f"  RISK: a submission is a stranger's program; {risk}")
    for path in (Path(folder), Path(key_file), out):
        if sandbox["files"] != "open" and any(path.resolve().is_relative_to(r) for r in sandbox["readable"]):
            raise ValueError(f"{path} is in a folder that every submission may read; move it elsewhere")
    work, results = [], {}
    for name, path in find_submissions(folder):  # all are read before any of them runs
        data = path.read_bytes()
        mark = sha256(key_data + repr(limits).encode() + data).hexdigest()
        kept = out / "state" / f"{sha256(name.encode()).hexdigest()[:24]}.json"
        with contextlib.suppress(OSError, ValueError, KeyError):
            stored = json.loads(kept.read_text())
            if stored["mark"] == mark:
                results[name] = stored["result"]
                continue
        work.append((name, path, data, mark, kept))
    if results:
        say(f"{len(results)} were graded before and have not changed")
    with ThreadPoolExecutor(jobs or max(1, (os.cpu_count() or 2) // 2)) as pool:
        running = {pool.submit(_one, *w, key, limits): w[0] for w in work}
        for done in as_completed(running):
            name, result = running[done], done.result()
            results[name] = result
            say(
                f"{result['state']:9} {result['points']:5g} of {result['possible']:g}  {name}  ({result['seconds']:g} s)"
            )
    return key, sandbox, [results[name] for name in sorted(results)]


def _one(name, path, data, mark, kept, key, limits):
    try:
        result = asdict(grade_submission(name, path.name, data, key, limits))
    except Exception as error:  # a fault of ours or of the system: tell it, and go on with the others
        note = f"the grader stopped on it: {type(error).__name__}: {error}"
        possible = sum(points for q in key["questions"].values() for _, points, _ in q["parts"])
        return asdict(Result(name, path.name, "ungraded", 0, possible, 0, [note], [], []))
    scratch = kept.with_suffix(".part")
    scratch.write_text(json.dumps({"mark": mark, "result": result}))
    scratch.replace(kept)
    return result
