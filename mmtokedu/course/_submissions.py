"""The submissions of a folder as learning platforms export them: one a student, read before any of them runs."""

import os
import re
import stat
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from mmtokedu.course import _measured, _notebook

CANVAS_NAME = re.compile(r"^(?P<who>[^_]+)(?:_LATE)?_(?P<id>\d+)_\d+_")
MOODLE_NAME = re.compile(r"^(?P<who>.+)_(?P<id>\d+)_assignsubmission_")
RESULT = re.compile(r"(?:^|_)result[-_ ()\d]*\.json$", re.I)  # platforms number what is handed in again
BESIDE = {"submission_metadata.yml", "submission_metadata.yaml"}  # what a platform writes beside the submissions
LARGEST_FILE = 64 << 20
MOST_FILES = 2000  # looked at in the folder of one student
DEEPEST = 20


@dataclass
class Submission:
    """What a student handed in: `cells` to run as (number, source), or None and the `problem` that keeps us from it."""

    student: str  # unlike any other
    name: str = ""  # as the platform writes it; two students may share one
    number: str = ""  # the student's in Canvas
    file: str = ""
    cells: list | None = None
    problem: str = ""
    notes: list = field(default_factory=list)
    kit: str = ""
    digest: str = ""
    measured: dict = field(default_factory=dict)  # question -> {result, problem, where, words}


def collected(folder, key, beside=()):
    """The `Submission` of every student, sorted. Each entry of the folder belongs to one, whatever it is.

    Left out are hidden entries, what archives and platforms add, and the paths `beside` that are the instructor's own.
    """
    beside = {os.path.realpath(path) for path in beside if path}
    groups = {}
    for path in sorted(Path(folder).iterdir()):
        if not _hidden(path.name) and path.name not in BESIDE and os.path.realpath(path) not in beside:
            groups.setdefault(_student(path), []).append(path)
    return [_submission(*student, paths, key) for student, paths in sorted(groups.items())]


def shown(name):
    """A file's name as text that can be printed and stored anywhere."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _hidden(name):
    return name.startswith(".") or name == "__MACOSX"


def _student(path):
    """Whose entry it is: (what we call the submission, the student's name, the student's number in Canvas).

    Canvas writes name and number in front, Moodle name and a number of its own; else folder or file are the name.
    """
    canvas, moodle = CANVAS_NAME.match(path.name), MOODLE_NAME.match(path.name)
    made = moodle or canvas
    if made:
        return shown(f"{made['who']}_{made['id']}"), shown(made["who"]), made["id"] if made is canvas else ""
    name = shown(path.name if path.is_dir() and not path.is_symlink() else path.stem)
    return name, name, ""


def _submission(student, name, number, paths, key):
    """Of all files of a student the notebook in which most is written; what else there is, in notes."""
    read, failed, results = [], [], []
    for path, problem in _files(paths):
        if RESULT.search(path.name):
            results.append((path, problem))
            continue
        try:
            if problem:
                raise ValueError(problem)
            data = _bytes(path)
            notebook, notes = _notebook.load(data, path.name)
            cells = _notebook.cells_of(notebook, notes)
            printed = _notebook.printed(notebook) if key.get("measured") else []
            read.append((path, cells, notes, sha256(data).hexdigest(), printed))
        except (ValueError, OSError, MemoryError) as error:
            failed.append((path, getattr(error, "strerror", None) or str(error)))
    if not read:
        told = "; ".join(f"{shown(path.name)}: {said}" for path, said in failed[:5])
        file = shown(failed[0][0].name) if failed else ""
        if results and not failed:
            told = "there is a result.json and no notebook"
        return Submission(student, name, number, file, None, told or "the folder is empty")

    def rank(found):
        path, cells, *_ = found
        return -_notebook.written(cells, key["questions"]), _notebook.kit_of(cells) != key["version"], str(path)

    (path, cells, notes, digest, printed), *others = sorted(read, key=rank)
    notes = list(notes)
    if others:
        rest = ", ".join(shown(other[0].name) for other in others[:5])
        notes.insert(0, f"{len(read)} notebooks were handed in; graded is {shown(path.name)}, not {rest}")
    notes += [f"{shown(p.name)}: {said}" for p, said in failed if p.suffix.lower() == ".ipynb"]
    kit = _notebook.kit_of(cells)
    if kit and kit != key["version"]:
        notes.insert(0, f"this notebook is of another kit ({kit}); the key is that of {key['version']}")
    code = _notebook.code(cells, set(key["demos"]))
    measured = {}
    for asked, question in key.get("measured", {}).items():
        measured[asked], said = _handed(asked, question, key, printed, results, cells)
        notes += said
    return Submission(student, name, number, shown(path.name), code, "", notes, kit, digest, measured)


def _handed(name, question, key, printed, results, cells):
    """What was handed in for a measured question, and what there is to note."""
    files = []
    for path, problem in results[:5]:
        data = None
        try:
            data = None if problem else _bytes(path, _measured.LARGEST)
        except (ValueError, OSError) as error:
            problem = getattr(error, "strerror", None) or str(error)
        files.append((shown(path.name), data, f"{shown(path.name)}: {problem}"))
    result, problem, where, notes = _measured.handed(name, question, _notebook.kit_name(key), printed, files)
    words = _notebook.words(cells, name, (set(key["texts"]), set(question["template"])))
    return {"result": result, "problem": problem, "where": where, "words": words}, notes


def _files(paths):
    """(path, problem) of the files below some entries, none of them through a link; what Jupyter keeps is not looked at."""
    waiting, found = [(path, 0) for path in reversed(paths)], []
    while waiting and len(found) < MOST_FILES:
        path, depth = waiting.pop()
        if path.is_symlink():
            found.append((path, "a symbolic link, which is not followed"))
        elif not path.is_dir():
            found.append((path, ""))
        elif RESULT.search(path.name):
            found.append((path, "a folder, not a file"))
        elif depth == DEEPEST:
            found.append((path, f"more than {DEEPEST} folders deep, not looked at"))
        else:
            try:
                inside = sorted(path.iterdir(), reverse=True)
                waiting += [(p, depth + 1) for p in inside if not _hidden(p.name)]
            except OSError as error:
                found.append((path, f"cannot be listed: {error.strerror}"))
    return found


def _bytes(path, most=LARGEST_FILE):
    """A plain file's contents; ValueError or OSError for what is none, without waiting for it."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    with open(fd, "rb") as f:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("not a file with contents")
        if about.st_size > most:
            raise ValueError(f"{_size(about.st_size)}; {_size(most)} is the most")
        return f.read(most)


def _size(count):
    return f"{count >> 20} MB" if count >> 20 else f"{count >> 10} kB"
