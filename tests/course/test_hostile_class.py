"""A folder of hostile submissions beside honest ones: each honest mark is exactly what it should be, each entry has a row."""

import csv
import io
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from classroom import QUICK, cells_of, graded, key_of, written

from mmtokedu.course import _grade, _report, _student

if os.environ.get("TRITON_INTERPRET"):
    pytest.skip("nothing here runs in the interpreter", allow_module_level=True)
pytest.importorskip("fcntl", reason="grading needs Linux or macOS")

ROOT = Path(__file__).resolve().parents[2]
FALLBACK = ("landlock", "seccomp")  # what Ubuntu and Docker often give

# ---------------------------------------------------------------- honest, and not as the grader expects it

SLOW = "import time\nuntil = time.monotonic() + 600\nwhile time.monotonic() < until:\n    pass"

# ---------------------------------------------------------------- hostile

SIGNALS = """
import fcntl, os
ends = os.pipe()
for pid in (os.getppid(), VICTIM):
    for make in (lambda: fcntl.fcntl(ends[0], fcntl.F_SETOWN, pid), lambda: fcntl.fcntl(ends[0], 10, 9)):
        try:
            make()
            fcntl.fcntl(ends[0], fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        except OSError:
            pass
    os.write(ends[1], b"x")
"""
DEEP = """
import os
for _ in range(3000):
    os.mkdir("d")
    os.chdir("d")
"""
LOCKED = 'import os\nos.mkdir("a")\nopen("a/b", "w").close()\nos.mkdir("c", 0)\nos.makedirs("d/e", 0o300)'
SHRINKS_THE_PIPE = """
import fcntl, os, threading
def shrink():
    while True:
        for fd in range(3, 9):
            for size in (4096, 1 << 20):
                try:
                    fcntl.fcntl(fd, 1031, size)
                except OSError:
                    pass
threading.Thread(target=shrink, daemon=True).start()
"""
NESTED = "def cut(image, patch):\n    return [[[[]]]] * (1 << 17)"
SPAMS = "import os, struct\nfor fd in range(3, 32):\n    try:\n        os.write(fd, struct.pack('>I', 2) + b'[]')\n    except OSError:\n        pass"
BROKEN_WORDS = (
    "class E(Exception):\n    def __str__(self): raise ValueError\ndef cut(image, patch):\n    raise E\nraise E"
)
HALF = "def cut(image, patch):\n    return '\\ud800'\nraise ValueError('\\ud800')"
NOT_CAUGHT = "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except BaseException: pass"


def the_hostile_class(kit, folder, victim):
    """Write the submissions; returns {name: (state, points)}."""
    right = cells_of(kit / "solution/example.ipynb")
    cut, waste = (next(c for c in right if f"def {name}" in c) for name in ("cut", "waste"))
    start = [c for c in right if "def " not in c and "check[" not in c]
    whole = [*start, cut, waste]
    notebooks = {
        "honest-1": (right, "pass", 6),
        "honest-magic": ([*start, "%%time\n" + cut, "%%capture out\n" + waste], "pass", 6),
        "honest-shell": ([*start, "x = !ls\n" + cut, waste + "\nwaste?\n%timeit -n1 waste([1])"], "pass", 6),
        "honest-await": ([*start, "import asyncio\nawait asyncio.sleep(0)\n" + cut, waste], "pass", 6),
        "honest-slow-before": ([SLOW, SLOW, *whole], "pass", 6),
        "honest-slow-after": ([*whole, SLOW, SLOW], "pass", 6),
        "honest-half": ([*start, cut], "fail", 4),
        "signals": ([SIGNALS.replace("VICTIM", str(victim)), *whole], "pass", 6),
        "deep": ([DEEP, *whole], "pass", 6),
        "locked": ([LOCKED, *whole], "pass", 6),
        "shrinks": ([SHRINKS_THE_PIPE, *whole], "pass", 6),
        "nested": ([*whole, NESTED], "crash or timeout", 2),
        "spams": ([SPAMS, *whole], "pass", 6),
        "words": ([*whole, BROKEN_WORDS], "crash", 2),
        "half-a-character": ([*whole, HALF], "fail", 2),
        "never-ends": ([NOT_CAUGHT, *whole], "pass", 6),
    }
    for name, (cells, *_) in notebooks.items():
        (folder / f"{name}.ipynb").write_text(written(cells))
    expected = {name: tuple(rest) for name, (_, *rest) in notebooks.items()}
    (folder / "honest-canvas_7_1_letter.pdf").write_bytes(b"%PDF-1.7")
    (folder / "honest-canvas_7_2_example.ipynb").write_text(written(whole))
    (folder / "honest-folder/.ipynb_checkpoints").mkdir(parents=True)
    (folder / "honest-folder/example.ipynb").write_text(written(whole))
    (folder / "honest-folder/.ipynb_checkpoints/example-checkpoint.ipynb").write_text(written(start))
    os.mkfifo(folder / "honest-folder/result.json")  # nothing here is measured: nobody waits for it
    (folder / "honest-mark.ipynb").write_text(written(whole), encoding="utf-8-sig")
    expected |= dict.fromkeys(("honest-canvas_7", "honest-folder", "honest-mark"), ("pass", 6))
    (folder / "link.ipynb").symlink_to(kit / "solution/example.ipynb")
    (folder / "dangling.ipynb").symlink_to("/nowhere")
    os.mkfifo(folder / "fifo.ipynb")
    (folder / "empty").mkdir()
    (folder / "folder.ipynb").mkdir()
    (folder / "nothing.ipynb").write_bytes(b"")
    (folder / "script.py").write_text("\n".join(whole))
    (folder / "zip.ipynb").write_bytes(b"PK\x03\x04")
    (folder / "list.ipynb").write_bytes(b"[" * 200_000)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.ipynb")).write_text(written(whole))
    unread = ("link", "dangling", "fifo", "empty", "folder.ipynb", "nothing", "script", "zip", "list")
    return expected | dict.fromkeys(unread, ("unread", 0)) | {r"\udcff": ("pass", 6)}


@pytest.fixture
def victim():
    """A process of this user that nobody may end."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    assert process.poll() is None, f"ended by signal {-process.returncode}"
    process.kill()
    process.wait()


def open_files():
    return sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else []


@pytest.mark.parametrize("walls", [("namespaces", "landlock", "seccomp"), FALLBACK], ids="+".join)
def test_a_hostile_class(kit, tmp_path, monkeypatch, walls, victim):
    limits = replace(QUICK, cells=6, walls=walls)
    sandbox = _grade.try_sandbox(limits)
    if not set(walls) <= set(sandbox["walls"]):
        pytest.skip(f"this system gives only {sandbox['walls']}")
    folder, scratch = tmp_path / "in", tmp_path / "scratch"
    folder.mkdir()
    scratch.mkdir()
    expected = the_hostile_class(kit, folder, victim.pid)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    before, said = open_files(), []
    key, _, results = _grade.grade(folder, kit / "autograder/key.json", tmp_path / "out", limits, 2, say=said.append)
    got = {r["student"]: r for r in results}
    assert set(got) == set(expected)
    for name, (states, points) in expected.items():
        state, told = got[name]["state"], (name, got[name]["notes"], got[name]["answers"])
        assert state in states.split(" or ") and got[name]["points"] == points, (state, told)
        assert got[name]["possible"] == 6 and got[name]["state"] in _report.LOOK
    assert open_files() == before and list(scratch.iterdir()) == []
    assert any("risk" in line.lower() for line in said)
    for name in ("honest-slow-before", "honest-slow-after"):
        assert sum("stopped after 2 s" in note for note in got[name]["notes"]) == 2, got[name]["notes"]
    assert any("!ls was not run" in note for note in got["honest-shell"]["notes"])
    assert [got[name]["notes"] for name in ("honest-magic", "honest-await", "honest-mark", "honest-folder")] == [[]] * 4
    _report.write_all(key, results, tmp_path / "out")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out/grades.csv").read_text())))
    assert {row["student"]: row["state"] for row in rows} == {name: r["state"] for name, r in got.items()}
    assert {row["kit"] for row in rows} == {f"example {key['version']}"}
    assert len(list((tmp_path / "out/feedback").iterdir())) == len(rows) == len(expected)


# ---------------------------------------------------------------- one wall each

REACHES = """
import ctypes, errno, fcntl, os
c = ctypes.CDLL(None, use_errno=True)
def reaches(what):
    ends = os.pipe()
    try:
        made = {{
            "owner": lambda: fcntl.fcntl(ends[0], 8, {pid}), "signal": lambda: fcntl.fcntl(ends[0], 10, 9),
            "owner-ex": lambda: fcntl.fcntl(ends[0], 15, b"\\1\\0\\0\\0" + ({pid}).to_bytes(4, "little")),
            "fiosetown": lambda: fcntl.ioctl(ends[0], 0x8901, ({pid}).to_bytes(4, "little")),
            "memfd": lambda: os.memfd_create("x"),
            "flags": lambda: fcntl.fcntl(ends[0], fcntl.F_GETFL), "waiting": lambda: fcntl.ioctl(ends[0], 0x541B, bytes(4)),
            "shm": lambda: c.shmget(0, 4096, 0o1600), "queue": lambda: c.msgget(0, 0o1600), "semaphore": lambda: c.semget(0, 1, 0o1600),
            "mq": lambda: c.syscall({mq}, b"x", 0o100 | 2, 0o600, None),
            "key": lambda: c.syscall({add_key}, b"user", b"x", b"y", 1, -5),
        }}[what]()
        return "refused" if made == -1 and ctypes.get_errno() == errno.EPERM else "done"
    except PermissionError:
        return "refused"
"""
OTHERS = ("owner", "signal", "owner-ex", "fiosetown", "memfd", "shm", "queue", "semaphore", "mq", "key")


@pytest.mark.parametrize("walls", [("seccomp",), FALLBACK], ids="+".join)
def test_no_call_reaches_another_process_or_outlives_its_own(walls, victim):
    limits = replace(QUICK, walls=walls)
    if set(_grade.try_sandbox(limits)["walls"]) != set(walls):
        pytest.skip("this system has no seccomp")
    mq, add_key = {"x86_64": (240, 248)}.get(os.uname().machine, (180, 217))
    student = _student.Student([(1, REACHES.format(pid=victim.pid, mq=mq, add_key=add_key))], limits)
    try:
        got = {what: student.call("reaches", (what,)) for what in (*OTHERS, "flags", "waiting")}
    finally:
        student.stop()
    assert got == dict.fromkeys(OTHERS, "refused") | {"flags": "done", "waiting": "done"}


def test_a_risk_is_named_for_each_wall_that_is_missing():
    best = {"files": "closed", "network": "none", "processes": "own", "disk": "own", "memory": True, "children": 64,
            "walls": ["namespaces", "landlock", "seccomp"]}  # fmt: skip
    assert _grade.risks(best) == ["it can start 64 processes, and each may use the whole memory limit"]
    for change, word in [({"files": "open"}, "delete your files"), ({"files": "closed but for permissions"}, "permissions"),
                         ({"network": "open"}, "network"), ({"network": "no TCP"}, "other than TCP"), ({"disk": "open"}, "disk"),
                         ({"processes": "shared"}, "end your other processes"), ({"children": 0}, "any number of processes"),
                         ({"memory": False}, "all of the memory"), ({"walls": ["landlock"]}, "leave shared memory and keys")]:  # fmt: skip
        assert word in " ".join(_grade.risks(best | change)) and word not in " ".join(_grade.risks(best))


def test_a_full_pipe_between_look_and_write_holds_nobody_up(monkeypatch):
    """A student who makes the pipe smaller after it was found free: forced here, since the race is hardly ever won."""
    select = _student.select.select
    monkeypatch.setattr(_student.select, "select", lambda r, w, x, left: (r, w, x) if w else select(r, w, x, left))
    student = _student.Student([(1, "import time\ndef f(x):\n    time.sleep(600)")], replace(QUICK, call=1))
    start = time.monotonic()
    try:
        with pytest.raises(TimeoutError):
            student.call("f", ("x" * (1 << 20),))
    finally:
        student.stop()
    assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    "data", [b"[" * 300_000 + b"]" * 300_000, b"[" + b"1," * 2_200_000 + b"1]"], ids=["deep", "long"]
)
def test_an_answer_that_costs_us_more_than_its_sender_is_not_taken_apart(data, monkeypatch):
    student = _student.Student([], QUICK)
    pieces = [len(data).to_bytes(4, "big"), data]
    monkeypatch.setattr(student, "_bytes", lambda count, until, told: pieces.pop(0))
    monkeypatch.setattr(_student.json, "loads", lambda data: pytest.fail("it was taken apart"))
    with pytest.raises(_student.Died, match="return an array"):
        student._next(0, "")


def test_stop_closes_each_file_once_and_never_raises():
    student = _student.Student([], QUICK)
    student._start()
    mine = list(student.pipes)
    student.stop()
    taken = [os.open("/dev/null", os.O_RDONLY) for _ in mine]  # the same numbers, somebody else's now
    student.stop()
    for fd in taken:
        os.close(fd)  # raises if stop closed it


LEAKS = """
seen = []
def waste(lengths):
    seen.append(list(lengths))
    return str(seen[::-1])[:800]
def cut(image, patch):
    return str(seen[::-1])[:800]
"""


def test_no_hidden_input_comes_back_on_the_students_page(kit, tmp_path):
    key = key_of(kit)
    key["questions"] = {name: key["questions"][name] for name in ("waste", "cut")}
    result = graded(tmp_path, written([LEAKS]), key)
    cases = [str(list(case[0])) for case in key["questions"]["waste"]["record"]["cases"]]
    visible = key["questions"]["waste"]["visible"]
    told = "".join(a.message for a in result.answers)
    assert len(set(cases[visible:])) > 1 and cases[visible - 1] in told
    assert not [case for case in cases[visible:] if case in told and case not in cases[:visible]]


def test_a_page_says_of_a_visible_case_what_the_students_own_check_said(kit, tmp_path):
    from mmtokedu.course import _build, load_checks, pack_checks

    key = key_of(kit)
    own = load_checks(pack_checks(_build.visible(key)))["cut"](lambda image, patch: image.reshape(-1, 3))
    result = graded(tmp_path, written(["def cut(image, patch):\n    return image.reshape(-1, 3)"]), key)
    assert own.state == "fail" and result.answers[0].message == own.message


def test_returning_an_exception_is_not_raising_it(kit, tmp_path):
    right = "\n".join(c for c in cells_of(kit / "solution/example.ipynb") if "def cut" in c)
    raises = next(line for line in right.splitlines() if "raise ValueError" in line)
    result = graded(
        tmp_path, written(["import numpy as np", right.replace(raises, raises.replace("raise", "return"))]), key_of(kit)
    )
    assert result.answers[0].points == 3, result.answers[0]


def test_a_change_in_place_is_seen_where_the_check_is(tmp_path):
    import numpy as np

    source = "def f(a, b, c):\n    a[0] = 7\n    b.append(3)\n    c = 5\n    return 1"
    student = _student.Student([(1, source)], QUICK)
    asked = _grade.Asked(student, "f")
    try:
        for _ in range(2):  # the second time out of the memory
            case = np.zeros(2), [1], 4
            assert asked(*case) == 1 and case[0].tolist() == [7, 0] and case[1] == [1, 3]
    finally:
        student.stop()


# ---------------------------------------------------------------- time, and what is kept


def test_what_ran_out_of_time_beside_others_is_graded_once_more_alone(kit, tmp_path, monkeypatch):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.ipynb").write_bytes((kit / "solution/example.ipynb").read_bytes())
    grade_submission, asked = _grade.grade_submission, []

    def busy(submission, key, limits):
        asked.append(submission.student)
        if submission.student == "b" and asked.count("b") == 1:
            limits = replace(limits, call=0)
        if submission.student == "c" and asked.count("c") == 1:
            raise _student.Fault("no process could be started")
        return grade_submission(submission, key, limits)

    monkeypatch.setattr(_grade, "grade_submission", busy)
    said = []
    results = _grade.grade(folder, kit / "autograder/key.json", tmp_path / "out", QUICK, 2, say=said.append)[2]
    assert [(r["points"], r["state"]) for r in results] == [(6, "pass")] * 3 and sorted(asked) == [
        "a",
        "b",
        "b",
        "c",
        "c",
    ]
    assert any("2 ran out of time or could not be started" in line for line in said)


@pytest.mark.parametrize("fault", [OSError(9, "Bad file descriptor"), _student.Fault("x"), MemoryError()])
def test_a_fault_of_the_grader_is_nobodys_mark(kit, tmp_path, monkeypatch, fault):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.ipynb").write_bytes((kit / "solution/example.ipynb").read_bytes())

    def fail(self, *args):
        raise fault

    monkeypatch.setattr(_student.Student, "_answered" if isinstance(fault, OSError) else "call", fail)
    if isinstance(fault, MemoryError):
        monkeypatch.setattr(_grade, "grade_question", fail)
    (result,) = _grade.grade(
        tmp_path / "in", kit / "autograder/key.json", tmp_path / "out", QUICK, 1, say=lambda text: None
    )[2]
    assert result["state"] == "ungraded" and "the grader stopped on it" in result["notes"][0]
    assert not list((tmp_path / "out/state").iterdir())


def test_results_are_kept_while_all_they_stand_on_is_the_same(kit, tmp_path, monkeypatch):
    folder, out, graded_now = tmp_path / "in", tmp_path / "out", []
    folder.mkdir()
    for name in ("done", "endless"):
        (folder / f"{name}.ipynb").write_bytes((kit / "solution/example.ipynb").read_bytes())
    sandbox = _grade.try_sandbox(QUICK)

    def quickly(submission, key, limits):
        graded_now.append(submission.student)
        return replace(_grade.unmarked(submission, key, "fail", ""), slow=submission.student == "endless")

    monkeypatch.setattr(_grade, "grade_submission", quickly)
    monkeypatch.setattr(_grade, "try_sandbox", lambda limits: sandbox)

    def now(limits=QUICK, **more):
        graded_now.clear()
        _grade.grade(folder, kit / "autograder/key.json", out, limits, 1, say=lambda text: None, **more)
        return sorted(graded_now)

    both, again = ["done", "endless"], ["endless"]  # the one that ran out of time is tried again
    assert now() == both and now() == again and now() == again
    assert now(again=True) == both
    assert now(replace(QUICK, call=3)) == both
    installed = _grade.importlib.metadata.distributions
    monkeypatch.setattr(_grade.importlib.metadata, "distributions", lambda: list(installed())[1:])
    assert now() == both and now() == again
    sandbox = sandbox | {"walls": []}
    assert now() == both and now() == again


# ---------------------------------------------------------------- the command line


def command(*arguments):
    return subprocess.run([sys.executable, "-m", "mmtokedu.course", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True,
                          env=os.environ | {"PYTHONIOENCODING": "ascii"})  # fmt: skip


@pytest.mark.parametrize(
    "files, arguments, complaint",
    [
        ({}, ["in", "--key", "KEY"], "in is not a folder"), ({"in/.x": b""}, ["in", "--key", "KEY"], "there are no submissions in"),
        ({"in/a.ipynb": b""}, ["in", "--key", "none.json"], "none.json: No such file"),
        ({"in/a.ipynb": b"", "k.json": b""}, ["in", "--key", "k.json"], "k.json is not a key"),
        ({"in/a.ipynb": b"", "k.json": b"[]"}, ["in", "--key", "k.json"], "k.json is not a key"),
        ({"in/a.ipynb": b"", "k.json": b'{"cells": []}'}, ["in", "--key", "k.json"], "k.json is not a key"),
        ({"in/a.ipynb": b""}, ["in", "--key", "KEY", "--out", "in/out"], "inside the folder of submissions"),
        ({"in/a.ipynb": b""}, ["in", "--key", "KEY", "--gradebook", "no.csv"], "No such file"),
        ({"in/a.ipynb": b"", "g.csv": b""}, ["in", "--key", "KEY", "--gradebook", "g.csv"], "g.csv is empty"),
        ({"in/a.ipynb": b"", "g.csv": b"Student,ID,x"}, ["in", "--key", "KEY", "--gradebook", "g.csv"], "name one with --column"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence_before_anything_is_graded(
    kit, tmp_path, capsys, files, arguments, complaint
):
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    words = [
        kit / "autograder/key.json" if a == "KEY" else a if a.startswith("--") else tmp_path / a for a in arguments
    ]
    done = command("grade", *words)
    assert done.returncode == 1 and complaint in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == "" and not (tmp_path / "in-graded").exists()


def test_the_command_that_build_prints_grades(tmp_path):
    import shlex

    built = command("build", ROOT / "tests/course/assignment", "--out", tmp_path / "kit", "--seed", "s")
    (line,) = (line for line in built.stdout.splitlines() if line.startswith("to grade: "))
    words = shlex.split(line.removeprefix("to grade: "))
    assert words[0] == sys.executable and "SUBMISSIONS" in words
    (tmp_path / "handed in").mkdir()
    (tmp_path / "handed in/nüñez_7_1_x.ipynb").write_bytes(
        (tmp_path / "kit/example/solution/example.ipynb").read_bytes()
    )
    (tmp_path / "handed in/letter_8_1_x.pdf").write_bytes(b"%PDF")
    (tmp_path / "g.csv").write_text("Student,ID,A test (1)\nx,7,\ny,8,5\n")
    words = [str(tmp_path / "handed in") if word == "SUBMISSIONS" else word for word in words]
    title = key_of(tmp_path / "kit/example")["title"]
    (tmp_path / "g.csv").write_text(f"Student,ID,{title} (1)\nx,7,\ny,8,5\n")
    done = command(*words[3:], "--gradebook", tmp_path / "g.csv", "--call", "5")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "handed in-graded/gradebook.csv").read_text() == f"Student,ID,{title} (1)\nx,7,6\ny,8,5\n"
    assert "look at letter_8: letter_8_1_x.pdf: this is a PDF" in done.stdout and "not filled, letter_8" in done.stdout
