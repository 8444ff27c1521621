"""The course kit: every question of every master can be failed and passed, and a class of 13 is graded fairly."""

import csv
import functools
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import objectives
import pytest
from classroom import QUICK, cells_of, graded, key_of, written

from mmtokedu import course
from mmtokedu.course import _build, _grade, _report, _student, _wire, load_checks, replayed

pytestmark = pytest.mark.apart

if os.environ.get("TRITON_INTERPRET"):
    pytest.skip("nothing here runs in the interpreter", allow_module_level=True)
pytest.importorskip("fcntl", reason="grading needs Linux or macOS")

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "tests/course/assignment/example.ipynb"
GUIDE = ROOT / "book/instructors.md"
MASTERS = {p.stem: _build.read_master(p) for p in [EXAMPLE, *sorted(ROOT.glob("assignments/*.ipynb"))]}
QUESTIONS = [
    pytest.param(master, name, rule, id=f"{stem}-{name}-{number}")
    for stem, master in MASTERS.items()
    for name, question in master.questions.items()
    for number, rule in enumerate(question.rules or [""])
]
ALL_WALLS = [("namespaces", "landlock", "seccomp"), ("landlock", "seccomp")]  # Ubuntu and Docker often give the second


@functools.cache
def made_key(stem):
    """A master's key. The largest takes seconds, so all tests share one."""
    return _build.make_key(MASTERS[stem], "a seed of this test")


def not_here(*args):
    raise NotImplementedError


def refuse(*args):
    raise ValueError


# ---------------------------------------------------------------- every question of every master


@pytest.mark.parametrize("master, name, rule", QUESTIONS)
def test_mutation(master, name, rule):
    """The stub fails, the notebook's own solution gets full marks, each wrong answer fails under its own name."""
    question = master.questions[name]
    drawn = question.drawn("a seed of this test")
    assert len(drawn) == len(question.parts) >= 1 and all(drawn), "every part draws at least one case"
    for part, cases in zip(question.parts, drawn):
        for nothing in (refuse, lambda *args: None):
            right = [course.outcome(question.under(rule).answer, case) for case in cases]
            made = [course.outcome(nothing, case) for case in cases]
            assert not all(map(course.same, made, right)), f"{part.name}: points for nothing"
    for cases in (question.under(rule), question.under(rule, [case for part in drawn for case in part])):
        exercise = replayed(json.loads(json.dumps(course.recorded(cases))))  # what a student and the grader really get
        if exercise.needs and exercise(not_here).state == "ungraded":
            pytest.skip("needs a CUDA device")
        assert exercise(not_here).state == "not attempted"
        assert exercise(lambda *args: None).state == "fail"
        assert exercise(refuse).state != "pass"
        verdict = exercise(_build.solutions(master, {name: rule})[name])
        assert verdict, verdict
        said = [mistake.says for mistake in exercise.mistakes]
        assert len(set(said)) == len(said) >= 2
        for mistake in exercise.mistakes:
            verdict = exercise(mistake.answer)
            assert (verdict.state, verdict.cause) == ("fail", mistake.says), verdict


@pytest.mark.parametrize("master", MASTERS.values(), ids=MASTERS)
def test_a_master_says_what_an_instructor_needs(master):
    for name, question in master.asked.items():
        assert question.minutes > 0 and question.section and question.link.startswith("notebooks/"), name
        assert question.difficulty in ("easy", "medium", "hard"), name
    key = made_key(master.name)
    assert len(course.pack_checks(_build.visible(key))) < 300_000, "the visible cases are too large for a notebook"
    sizes = [len(json.dumps(case)) for q in key["questions"].values() for case in q["record"]["cases"]]
    assert max(sizes) < _student.LARGEST / 4


@pytest.mark.parametrize("stem", [stem for stem in MASTERS if stem != "example"])
def test_a_question_points_to_a_heading_of_its_chapter(stem):
    headings = objectives.headings(objectives.article(stem))
    for name, question in MASTERS[stem].asked.items():
        heading = re.search("“(.+)”", question.section)[1]
        anchor = re.sub("[^a-z0-9]+", "-", heading.lower()).strip("-")
        assert heading in headings and question.link == f"notebooks/{stem}.html#{anchor}", name


def test_the_guides_table_of_assignments_says_their_minutes_and_points():
    rows = re.findall(r"^\| (\w+) \| [^|]+ \| ([\d ()]+) \| ([\d ()]+) \|$", GUIDE.read_text(encoding="utf-8"), re.M)
    told = {name: [list(map(int, re.findall(r"\d+", cell))) for cell in cells] for name, *cells in rows}
    assert told == {
        name: [
            sorted(
                {
                    sum(getattr(q, what) for q in master.asked.values() if q.needs in needs)
                    for needs in ([""], ["", "cuda"])
                }
            )
            for what in ("minutes", "points")
        ]
        for name, master in MASTERS.items()
        if name != "example"
    }


@pytest.mark.parametrize("master", MASTERS.values(), ids=MASTERS)
def test_a_student_version_holds_no_solution(master):
    key = made_key(master.name)
    text = _build.notebook(_build.student_cells(master, key))
    assert "# BEGIN" not in text and "{{rule}}" not in text and "# RULE" not in text and "otter" not in text.lower()
    assert text.count("raise NotImplementedError") >= len(master.questions)
    assert "Question(" not in text and "# HIDDEN" not in text
    for cell in master.cells:
        for body in _build.SOLUTION.finditer(cell.source if cell.role == "solution" else ""):
            lines = [line.strip() for line in body[0].splitlines()[1:-1]]
            assert not [line for line in lines if len(line) > 25 and json.dumps(line)[1:-1] in text]
    for name, record in _build.visible(key).items():
        seen = key["questions"][name]["visible"]
        assert {len(record["cases"]), len(record["right"]), *(len(made) for _, made in record["mistakes"])} == {seen}
    for name, question in key["questions"].items():
        assert question["rule"] in text
        assert f'check[\\"{name}\\"]({name})' in text
    code = ["".join(c["source"]) for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
    for source in code:
        compile(source, "a cell", "exec")
    packed = next(c for c in code if "load_checks" in c)
    names = {}
    exec(packed, names)
    for name, function in _build.solutions(master, {n: q["rule"] for n, q in key["questions"].items()}).items():
        assert names["check"][name](function).state in ("pass", "ungraded")
        assert len(names["check"][name].args[1].cases) == key["questions"][name]["visible"]


def test_the_seed_draws_rules_and_hidden_cases_and_is_not_told():
    keys = {seed: _build.make_key(MASTERS["example"], seed) for seed in ("a", "b", "c", "d", "e", "f")}
    assert len({k["questions"]["cut"]["rule"] for k in keys.values()}) == 2
    assert len({k["version"] for k in keys.values()}) == len(keys)
    assert _build.make_key(MASTERS["example"], "a") == keys["a"]
    hidden = [k["questions"]["cut"]["record"]["cases"][-1] for k in keys.values()]
    assert len({json.dumps(case) for case in hidden}) == len(keys)
    secret = "the cat sat on the seed"
    assert secret not in json.dumps(_build.make_key(MASTERS["example"], secret))


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("points: 4", "points: 5", "5 points, its parts add up to 4"),
        ("question = Question(\n", "query = Question(\n", "no `question = "),
        ("axes = (0, 2, 1, 3, 4)  # RULE", "axis = (0, 2, 1, 3, 4)  # RULE", "no rule fixes axis"),
        (" - sum(lengths)", " + sum(lengths)", "AssertionError"),
    ],
)
def test_a_master_that_is_wrong_is_refused(tmp_path, old, new, complaint):
    notebook = json.loads(EXAMPLE.read_text())
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).replace(old, new)
    (tmp_path / "m.ipynb").write_text(json.dumps(notebook))
    with pytest.raises((ValueError, AssertionError, NameError)) as caught:
        _build.build(tmp_path / "m.ipynb", tmp_path / "out", "s", say=lambda text: None)
    assert complaint in f"{caught.typename}: {caught.value}" or caught.type in (AssertionError, NameError)


@pytest.mark.parametrize("master", MASTERS.values(), ids=MASTERS)
def test_a_master_from_seed_to_points(master, tmp_path):
    """As a class would: the solution in its own process gets all, an empty notebook nothing, a neighbour's what is equal."""
    mine = made_key(master.name)
    rules = _build.rules_of(mine)
    drawn = {seed: _build.choose_rules(master, seed) for seed in map(str, range(20))}
    other = max(drawn, key=lambda seed: sum(rule != rules[name] for name, rule in drawn[seed].items()))
    other = _build.make_key(master, other)
    limits = _grade.Limits(call=5, cells=30, whole=60)

    def result(cells):
        return graded(tmp_path, _build.notebook(cells), mine, limits)

    right = result(_build.solution_cells(master, mine))
    assert right.points == right.possible and right.state in ("pass", "ungraded"), told(asdict(right))
    assert right.possible or not any(a.state != "ungraded" for a in right.answers)
    assert result(_build.student_cells(master, mine)).points == 0
    for answer in result(_build.solution_cells(master, other)).answers:
        if answer.name in master.measured:  # another kit draws other numbers from the same words
            assert answer.state == "fail" and answer.points == 0 and "result's kit is" in answer.cause, answer
        elif other["questions"][answer.name]["rule"] != rules[answer.name]:
            assert answer.state == "fail" and "the rule of another version" in answer.cause, answer
        else:
            assert answer.state in ("pass", "ungraded"), answer


# ---------------------------------------------------------------- what goes through the pipe


VALUES = [
    None, True, 3, -2.5, "día", [1, [2, "x"]], (1, (2.0,)), {"a": [1], 2: None}, np.arange(6).reshape(2, 3),
    np.zeros((0, 4), np.float32), np.array(7, np.uint8), np.array(["ab", "c"]), np.array([True]), np.array([1 + 2j]),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back_as_they_went(value):
    back = _wire.from_json(json.loads(json.dumps(_wire.to_json(value))))
    assert type(back) is type(value)
    if isinstance(value, np.ndarray):
        assert back.dtype == value.dtype and back.shape == value.shape
    np.testing.assert_equal(back, value)


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array([None]), lambda: 1, np.zeros(1, "V4")])
def test_other_values_are_refused(value):
    with pytest.raises(TypeError, match="cannot be handed over"):
        _wire.to_json(value)


@pytest.mark.parametrize(
    "sent",
    [
        {"array": "AAAA", "dtype": "|O", "shape": [1]},
        {"array": "AAAA", "dtype": "<i8", "shape": [10**12]},
        {"array": "AAAA", "dtype": "i4,i4", "shape": [1]},
        {"array": 3, "dtype": "<i8", "shape": []},
        {"unknown": 1},
    ],
)
def test_a_forged_value_is_an_error_and_no_more(sent):
    with pytest.raises((ValueError, TypeError)):
        _wire.from_json(sent)


def test_a_forged_error_gets_no_class_of_ours():
    error = _wire.from_json({"error": "__import__('os')", "said": "boo"})
    assert type(error).__name__ == "Exception" and isinstance(error, Exception)
    assert not isinstance(_wire.from_json({"error": "TimeoutError", "said": ""}), TimeoutError)


def test_a_mistake_that_always_stops_is_nobodys_diagnosis():
    exercise = course.Exercise("double", lambda x: 2 * x, ((1,),), (course.Mistake(lambda x: x / 0, "divided by 0"),))
    assert exercise(lambda x: 1 // 0).state == "crash"


GRIDS = np.ones((2, 3)), np.arange(4)


@pytest.mark.parametrize("kind", [tuple, list])
@pytest.mark.parametrize(
    "got, cause",
    [
        (GRIDS[:1], "you returned 1 item, there are 2"),
        ((*GRIDS, GRIDS[0]), "you returned 3 items, there are 2"),
        (GRIDS[0], "you returned one ndarray"),
        (GRIDS[::-1], "item 1 of 2: the shape is (4,), it should be (2, 3)"),
        ((GRIDS[0], GRIDS[1] + 1), "item 2 of 2: none of the usual ones"),
    ],
)
def test_grids_of_different_shapes_are_told_apart(kind, got, cause):
    exercise = course.Exercise("grids", lambda: kind(GRIDS), ((),))
    assert exercise(lambda: kind(GRIDS))
    verdict = exercise(lambda: got)
    assert verdict.state == "fail" and verdict.cause.startswith(cause), verdict


def test_a_mistake_that_gives_nan_is_named_and_nan_is_never_right():
    mistake = course.Mistake(lambda x: np.array([x, np.nan]), "0 / 0")
    exercise = course.Exercise("share", lambda x: np.array([x, 0.0]), ((1.0,), (2.0,)), (mistake,))
    assert exercise(mistake.answer).cause == "0 / 0"
    assert exercise(lambda x: np.array([x, 1.0])).cause != "0 / 0"
    assert not course.Exercise("nan", lambda: np.nan, ((),))(lambda: np.nan)


def test_a_case_of_thirty_numbers_is_printed_whole_and_the_smallest_comes_first():
    cases = (np.arange(31) / 7,), (np.arange(30) / 7,)
    question = course.Question("double", lambda x: 2 * x, cases)
    assert str((cases[1][0] * 2).tolist()) in question(lambda x: x).message
    assert "case 2 of 2" in question(lambda x: 2 * x + (x.size > 30)).message
    assert "first difference at [0]" in question(lambda x: 2 * x + (x.size > 30)).message


def test_a_refusal_is_a_result():
    def root(x):
        if x < 0:
            raise ValueError(f"{x} has no root")
        return x**0.5

    exercise = course.Exercise("root", root, ((4.0,), (-1.0,)), (course.Mistake(lambda x: abs(x) ** 0.5, "abs"),))
    assert exercise(root)
    assert exercise(lambda x: abs(x) ** 0.5).cause == "abs"
    assert "must be refused with a ValueError" in exercise(lambda x: 2.0).message
    assert exercise(lambda x: x**0.5 if x > 0 else 1 / 0).state == "fail"


def test_otter_is_asked_for_no_gpu_question():
    master = _build.read_master(EXAMPLE)
    master.questions["waste"] = replace(master.questions["waste"], needs="cuda")
    text = _build.notebook(_build.otter_cells(master, _build.make_key(master, "x")))
    assert "name: cut" in text and "name: waste" not in text and "def waste" in text
    for mark in ("QUESTION", "SOLUTION", "TESTS"):
        assert text.count(f"# BEGIN {mark}") - text.count(f"    # BEGIN {mark}") == 1
        assert text.count(f"# END {mark}") - text.count(f"    # END {mark}") == 1


def test_large_arrays_are_told_apart():
    right = np.arange(24).reshape(4, 6)
    exercise = course.Exercise("count", lambda: right, ((),))
    assert (
        "first difference at [2, 1]: 13 expected, -1 got" in exercise(lambda: np.where(right == 13, -1, right)).message
    )
    assert "first difference" not in exercise(lambda: right.T).message


def test_a_gpu_question_is_skipped_without_a_card(monkeypatch):
    monkeypatch.setattr(course, "_has_cuda", lambda: False)
    exercise = course.Exercise("on a card", lambda x: x, ((np.ones(2),),), needs="cuda")
    assert exercise(lambda x: x).state == "ungraded"
    key = {"record": course.recorded(exercise), "visible": 0, "parts": [["all", 3, 1]], "rule": ""}
    answer = _grade.grade_question("f", key, None)  # no process is asked
    assert (answer.state, answer.points, answer.possible) == ("ungraded", 0, 0)


# ---------------------------------------------------------------- the class of 13


FAKE_SCORE = """
import json, os, struct, sys
fake = {"score": 6, "points": 6, "tests": [], "result": [1], "ready": True, "sandbox": {}}
print(json.dumps(fake)); print(json.dumps(fake), file=sys.stderr)
for name in ("results.json", "../results.json", "grades.csv"):
    try:
        open(name, "w").write(json.dumps(fake))
    except OSError:
        pass
data = json.dumps(fake).encode()
for fd in range(3, 32):
    try:
        os.write(fd, struct.pack(">I", len(data)) + data)
    except OSError:
        pass
"""
EDITS_THE_CHECK = """
import mmtokedu.course, mmtokedu.course._wire, mmtokedu.course._worker, builtins
class Right:
    def __eq__(self, other): return True
    def __array__(self, *a, **k): return self
mmtokedu.course.same = lambda *a, **k: True
mmtokedu.course.Exercise.__call__ = lambda self, f: mmtokedu.course.Verdict(self.name, "pass", "all agree")
mmtokedu.course._wire.to_json = mmtokedu.course._worker.to_json = lambda value: True
check["cut"] = check["waste"] = lambda f: True
def cut(image, patch): return Right()
def waste(lengths): return Right()
"""
READS_THE_KEY = """
import glob, json, os, socket
found, KEY = "", {key!r}
places = [KEY, "/proc/self/root" + KEY, *glob.glob(os.path.dirname(os.getcwd()) + "/*/key.json")]
for pid in (os.getppid(), 1):
    places += glob.glob(f"/proc/{{pid}}/fd/*") + [f"/proc/{{pid}}/cwd/key.json"]
for place in places:
    try:
        text = open(place).read(1 << 24)
        if '"questions"' in text:
            found = text
            break
    except (OSError, ValueError):
        pass
def answered(name, *case):
    from mmtokedu.course import replayed
    return replayed(json.loads(found)["questions"][name]["record"]).answer(*case)
def cut(image, patch): return answered("cut", image, patch)
def waste(lengths): return answered("waste", lengths)
"""
DELETES_FILES = """
import os, shutil, signal
for place in {places!r}:
    shutil.rmtree(place, ignore_errors=True)
    for act in (os.remove, lambda p: os.chmod(p, 0), lambda p: open(p, "w").close()):
        try:
            act(place)
        except OSError:
            pass
for pid in (os.getppid(), {pid}):
    try:
        if pid > 1:
            os.kill(pid, signal.SIGTERM)
    except OSError:
        pass
"""


def the_class(kit, folder, places=()):
    """Write the 13 submissions; returns {name: what each must get: (state, points, a word of what it is told)}."""
    right = cells_of(kit / "solution/example.ipynb")
    cut, waste = (next(c for c in right if f"def {name}" in c) for name in ("cut", "waste"))
    start = [c for c in right if "def " not in c and "check[" not in c]
    rows, columns = "(0, 2, 1, 3, 4)", "(2, 0, 1, 3, 4)"
    other = cut.replace(*(rows, columns) if rows in cut else (columns, rows))
    assert other != cut
    key = str(kit / "autograder/key.json")
    submissions = {
        "perfect": (right, "pass", 6, ""),
        "half": ([*start, cut], "fail", 4, "not attempted"),
        "classic": (
            [*start, "def cut(image, patch):\n    return image.reshape(-1, patch**2 * image.shape[2])", waste],
            "fail", 2, "a reshape alone",
        ),
        "other-variant": ([*start, other, waste], "fail", 2, "the rule of another version"),
        "crash": (["1 / 0", *start, "def cut(image, patch):\n    return image[99]", waste], "crash", 2, "IndexError"),
        "endless": ([*start, cut, "def waste(lengths):\n    while True:\n        pass"], "timeout", 4, "no answer"),
        "hog": (
            [*start, "def cut(image, patch):\n    return len(np.ones(3 << 30, np.uint8))", waste],
            "crash", 2, "MemoryError",
        ),
        "fake-score": ([FAKE_SCORE, *start, "def cut(image, patch):\n    return 6"], "crash", 0, "not a result"),
        "edits-check": ([*right, EDITS_THE_CHECK], "fail", 0, ""),
        "reads-key": ([*start, READS_THE_KEY.format(key=key)], "crash", 0, ""),
        "deletes": ([DELETES_FILES.format(places=[*map(str, places), key], pid=os.getpid()), *right], "pass", 6, ""),
        "out-of-order": ([waste, "out = cut(np.zeros((4, 4, 3)), 2)", "%matplotlib inline", cut, *start], "pass", 6, ""),
    }  # fmt: skip
    for name, (cells, *_) in submissions.items():
        (folder / f"{name}.ipynb").write_text(written(cells))
    (folder / "not-a-notebook.ipynb").write_bytes(b"%PDF-1.7 \xff\xfe my homework")
    return {name: tuple(rest) for name, (_, *rest) in submissions.items()} | {
        "not-a-notebook": ("unread", 0, "a PDF, not a notebook")
    }


def needs_walls(walls):
    limits = _grade.Limits(walls=walls)
    sandbox = _grade.try_sandbox(limits)
    if sandbox["files"] == "open":
        pytest.skip(f"this system gives no {' or '.join(walls)}")
    return sandbox


def told(result):
    return "\n".join([*result["notes"], *(a["message"] + a["cause"] for a in result["answers"])])


@pytest.mark.parametrize("walls", ALL_WALLS, ids="+".join)
def test_the_class_of_thirteen(kit, tmp_path, walls):
    needs_walls(walls)
    folder, out = tmp_path / "handed in", tmp_path / "out"
    folder.mkdir()
    victim = tmp_path / "thesis.txt"
    victim.write_text("three years")
    expected = the_class(kit, folder, [folder, victim, out, tmp_path])
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    limits = replace(QUICK, walls=walls)
    key, sandbox, results = _grade.grade(folder, kit / "autograder/key.json", out, limits, 2, say=lambda text: None)
    got = {r["student"]: r for r in results}
    assert set(got) == set(expected) and len(got) == 13
    for name, (state, points, word) in expected.items():
        assert (got[name]["state"], got[name]["points"]) == (state, points), (name, told(got[name]))
        assert word in told(got[name]), (name, told(got[name]))
        assert got[name]["possible"] == 6
    assert any("ZeroDivisionError" in note for note in got["crash"]["notes"])
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert victim.read_text() == "three years" and (kit / "autograder/key.json").stat().st_size
    if "namespaces" in walls and "namespaces" in sandbox["walls"]:
        assert victim.stat().st_mode & 0o400
        assert [risk for risk in _grade.risks(sandbox) if "memory limit" not in risk] == []
    _report.write_all(key, results, out)
    assert len(list(csv.reader(io.StringIO((out / "grades.csv").read_text())))) == 14


def test_without_walls_the_same_attack_succeeds_and_the_risk_is_named(kit, tmp_path):
    """So the two walls above are what stops it, and the test can see a difference."""
    cells = ["import numpy as np", READS_THE_KEY.format(key=str(kit / "autograder/key.json"))]
    key = json.loads((kit / "autograder/key.json").read_text())
    limits = replace(QUICK, walls=())
    result = graded(tmp_path, written(cells), key, limits)
    assert (result.state, result.points) == ("pass", 6)
    assert any("hidden cases" in risk for risk in _grade.risks(_grade.try_sandbox(limits)))


PROBE = """
import os, socket
def probe(what):
    try:
        if what == "tcp":
            socket.create_connection(("127.0.0.1", {port}), 2)
        elif what == "udp":
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", {port}))
        elif what == "unix":
            socket.socket(socket.AF_UNIX).connect({unix!r})
        elif what == "kill":
            os.kill({pid}, 0)
        elif what == "home":
            return os.listdir(os.path.expanduser("~")) + [os.environ["HOME"]]
        elif what == "list":
            os.listdir({home!r})
        elif what == "write":
            open({home!r} + "/left-here", "w").close()
        elif what == "library":
            open({library!r}, "a").close()
        elif what == "chmod":
            os.chmod({home!r}, 0o755)
        elif what == "leave":
            pid = os.fork()
            if not pid:
                try:
                    os.setsid()
                finally:
                    os._exit(os.getsid(0) == os.getpid())
            return "done" if os.waitpid(pid, 0)[1] else "refused"
        elif what == "regain":
            import ctypes
            c = ctypes.CDLL(None, use_errno=True)
            os.makedirs("inner", exist_ok=True)
            c.unshare(0x10000000 | 0x20000)
            if not c.chroot(b"inner"):  # with the right to it, the way out of another chroot
                for _ in range(20):
                    os.chdir("..")
            os.listdir("." + {home!r})
        elif what == "environment":
            return sorted(os.environ)
    except OSError as error:
        return "refused"
    return "done"
"""


@pytest.mark.parametrize("walls", [*ALL_WALLS, ("namespaces",), ("landlock",), ("seccomp",)], ids="+".join)
def test_what_the_walls_hold(tmp_path, walls):
    import socket

    sandbox = _grade.try_sandbox(_grade.Limits(walls=walls))
    if not set(walls) <= set(sandbox["walls"]):
        pytest.skip(f"this system gives only {sandbox['walls']}")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(tmp_path / "s"))
        local.listen()
        source = PROBE.format(
            port=server.getsockname()[1],
            unix=str(tmp_path / "s"),
            pid=os.getpid(),
            home=str(tmp_path),
            library=course.__file__,
        )
        student = _grade.Student([(1, source)], _grade.Limits(walls=walls))
        try:
            got = {what: student.call("probe", (what,)) for what in PROBES}
        finally:
            student.stop()
    whole = "namespaces" in walls or "seccomp" in walls
    refused = [] if walls == ("seccomp",) else ["list", "write", "library", "regain"]
    refused += ["tcp", "udp", "unix", "kill", "chmod"] if whole else []
    refused += ["leave"] if "seccomp" in walls else []
    assert {what: got[what] for what in refused} == dict.fromkeys(refused, "refused")
    if sandbox["network"] != "open":
        assert got["tcp"] == "refused"
    assert got["home"][:-1] in ([], ["root"]) and got["home"][-1].startswith(os.path.realpath(tempfile.gettempdir()))
    assert not [name for name in got["environment"] if name not in KNOWN_ENVIRONMENT]
    assert (tmp_path / "left-here").exists() == (walls == ("seccomp",))


PROBES = ("tcp", "udp", "unix", "kill", "home", "list", "write", "library", "chmod", "leave", "regain", "environment")
KNOWN_ENVIRONMENT = {
    "HOME", "LANG", "LC_CTYPE", "MKL_NUM_THREADS", "MPLBACKEND", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PATH", "PYTHONHASHSEED",
    "TMPDIR",
}  # fmt: skip


@pytest.fixture
def one(kit, tmp_path_factory):
    """Grade one notebook of these cells."""
    return lambda cells, **limits: graded(
        tmp_path_factory.mktemp("one"), written(["import numpy as np", *cells]), key_of(kit), replace(QUICK, **limits)
    )


RIGHT_WASTE = "def waste(lengths):\n    return 1 - sum(lengths) / (max(lengths) * len(lengths))"


@pytest.mark.parametrize(
    "cell, note",
    [
        ("while True: pass", "stopped after 3 s"),
        (
            "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except BaseException: pass",
            "no answer within 3 s",
        ),
        ("import os; os._exit(0)", "the process ended"),
        ("raise SystemExit", "SystemExit"),
        ("input('name? ')", "EOFError"),
        ("def broken(:", "SyntaxError"),
        ("!pip install something\n%%time", ""),
        ("import os, signal; os.kill(os.getpid(), 9)", ""),
    ],
)
def test_a_cell_that_stops_leaves_the_others(one, cell, note):
    result = one([cell, RIGHT_WASTE])
    assert result.points == 2, result
    assert note in "\n".join(result.notes)


@pytest.mark.parametrize(
    "body",
    [
        "return object()",
        "return 'x' * (64 << 20)",
        "import os; os._exit(3)",
        "x = []; x.append(x); return x",
        "raise KeyboardInterrupt",
        "import sys; sys.setrecursionlimit(10**9)\n    def f(): return f()\n    f()",
        "import threading; threading.Event().wait()",
        "return [[[]]] * (1 << 22)",
    ],
)
def test_an_answer_that_is_none_costs_that_question_alone(one, body):
    result = one([f"def cut(image, patch):\n    {body}", RIGHT_WASTE])
    answers = {a.name: a for a in result.answers}
    assert answers["cut"].points == 0 and answers["cut"].state in ("crash", "fail", "timeout")
    assert answers["waste"].state == "pass" and result.points == 2


DEAF = """
import json, os, struct, time
def f(array):
    data = json.dumps({"result": 1}).encode()
    for fd in range(3, 32):
        try:
            os.write(fd, struct.pack(">I", len(data)) + data)
        except OSError:
            pass
    time.sleep(987)
"""


def test_a_process_that_forges_answers_and_stops_reading_holds_nobody_up():
    student = _grade.Student([(1, DEAF)], QUICK)
    start = time.monotonic()
    try:
        assert student.call("f", (0,)) == 1  # as wrong as any other answer
        with pytest.raises(TimeoutError, match="took nothing in"):
            student.call("f", (np.zeros(1 << 20),))
        assert student.process is None and time.monotonic() - start < 15
    finally:
        student.stop()


def test_an_answer_that_is_too_large_is_not_read(one):
    result = one(["def cut(image, patch):\n    return 'x' * (20 << 20)", RIGHT_WASTE])
    assert "an answer of 20 MB; 16 MB is the most" in result.answers[0].message and result.points == 2


def sandboxed(folder):
    """How many processes run a submission whose own folder is in `folder`."""
    found = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            given = (path / "cmdline").read_text()
            found += (
                "_sandbox.py" in given and str(folder) in given and "State:\tZ" not in (path / "status").read_text()
            )
        except OSError:
            pass
    return found


def gone(folder):
    until = time.monotonic() + 5
    while sandboxed(folder) and time.monotonic() < until:
        time.sleep(0.05)
    return not sandboxed(folder)


FORKS = """
import ctypes, os, time
def cut(image, patch):
    ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)  # stay when the one that waits is gone
    try:
        os.setsid()
    except OSError:
        pass
    for _ in range(5):
        if not os.fork():
            try:
                os.setsid()
            except OSError:
                pass
            time.sleep(987)
    time.sleep(987)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("walls", [*ALL_WALLS, ("namespaces",)], ids="+".join)
def test_nothing_runs_on_after_a_submission(one, tmp_path, monkeypatch, walls):
    if needs_walls(walls)["processes"] == "shared":
        pytest.skip("this system gives a submission no processes of its own")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []
    stop = _grade.Student.stop
    monkeypatch.setattr(_grade.Student, "stop", lambda self: (seen.append(sandboxed(tmp_path)), stop(self)))
    assert one([FORKS, RIGHT_WASTE], walls=walls).answers[0].state == "timeout"
    assert max(seen) >= 6 and gone(tmp_path)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_nothing_runs_on_after_a_grader_that_was_killed(kit, tmp_path):
    if not needs_walls(ALL_WALLS[0])["walls"]:
        pytest.skip("Linux only")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/sleeps.ipynb").write_text(written(["import time; time.sleep(987)"]))
    command = [
        sys.executable,
        "-m",
        "mmtokedu.course",
        "grade",
        str(tmp_path / "in"),
        "--key",
        str(kit / "autograder/key.json"),
    ]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)
    assert "sandbox" in run.stdout.readline()  # said after the trial, so what starts from here on is the submission
    until = time.monotonic() + 20
    while not sandboxed(tmp_path) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    assert sandboxed(tmp_path)
    run.kill()
    run.wait()
    run.stdout.close()
    assert gone(tmp_path)


def test_a_function_made_for_the_visible_cases_earns_nothing(kit, one):
    key = json.loads((kit / "autograder/key.json").read_text())
    packed = course.pack_checks(_build.visible(key))
    cells = [f"from mmtokedu.course import load_checks\ncheck = load_checks({packed!r})"]
    cells += [f"def {n}(*case):\n    return check[{n!r}].args[1].answer(*case)" for n in key["questions"]]
    result = one(cells)
    assert result.points == 0
    assert "one that you do not see" in result.answers[0].message
    hidden = np.asarray(_wire.from_json(key["questions"]["cut"]["record"]["right"][-2]))
    assert str(hidden.ravel()[:6].tolist()) not in json.dumps([a.message for a in result.answers])


def test_a_key_where_submissions_can_read_is_refused(kit, tmp_path, monkeypatch):
    seen = needs_walls(ALL_WALLS[0])
    assert not any(Path(tempfile.gettempdir()).is_relative_to(folder) for folder in seen["readable"])
    monkeypatch.setattr(_grade, "try_sandbox", lambda limits: {**seen, "readable": [str(kit.parent)]})
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.ipynb").write_text(written([]))
    with pytest.raises(ValueError, match="move it elsewhere"):
        _grade.grade(tmp_path / "in", kit / "autograder/key.json", tmp_path / "out", QUICK, say=lambda text: None)


def test_a_killed_run_goes_on_where_it_was(kit, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    the_class(kit, folder)
    for path in folder.iterdir():
        if path.stem not in ("classic", "crash", "endless", "half", "out-of-order", "perfect"):
            path.unlink()
    command = [sys.executable, "-m", "mmtokedu.course", "grade", str(folder), "--key", str(kit / "autograder/key.json"),
               "--out", str(out), "--jobs", "1", "--call", "2", "--cells", "9", "--whole", "20", "--memory", "1024"]  # fmt: skip
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while len(list(out.glob("state/*.json"))) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    kept = {p.name: p.stat().st_mtime_ns for p in out.glob("state/*.json")}
    assert 2 <= len(kept) < 5 and not (out / "grades.csv").exists()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"{len(kept)} were graded before" in done.stdout
    assert kept.items() <= {p.name: p.stat().st_mtime_ns for p in out.glob("state/*.json")}.items()
    rows = list(csv.DictReader(io.StringIO((out / "grades.csv").read_text())))
    assert len(rows) == 6 and {r["student"]: r["points"] for r in rows}["perfect"] == "6"
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "5 were graded before" in again.stdout  # the one that ran out of time is tried again
    (folder / "half.ipynb").write_bytes((folder / "perfect.ipynb").read_bytes())  # handed in again
    third = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "4 were graded before" in third.stdout


# ---------------------------------------------------------------- reports


def result_of(student, file, points=3, **more):
    answer = {
        "name": "cut", "title": "Cut <b>", "points": points, "possible": 4, "state": "fail", "cause": "a & b <script>",
        "hand": {}, "message": "case 1\n    expected: \x00 1\n    likely cause: a & b <script>\n    see: here", "section": "Patches", "link": "n.html#cut",
        "parts": [{"name": "fits", "points": points, "possible": 3, "state": "pass"},
                  {"name": "refused", "points": 0, "possible": 1, "state": "timeout"}],
    }  # fmt: skip
    gpu = {**answer, "name": "gpu", "points": 0, "possible": 0, "state": "ungraded", "cause": "", "message": "needs a CUDA card",
           "parts": [{"name": "all", "points": 0, "possible": 2, "state": "ungraded"}]}  # fmt: skip
    made = {
        "student": student,
        "name": student,
        "number": "",
        "kit": "",
        "by_hand": 0,
        "file": file,
        "state": "fail",
        "points": points,
        "possible": 4,
        "seconds": 1.5,
    }
    return made | {"notes": ["cell 1: Oh & no"], "answers": [answer, gpu], "walls": []} | more


KEY = {"name": "patches", "version": "0123456789ab", "title": "Patches", "questions": {"cut": {}, "gpu": {}}}


def test_reports_are_valid_and_carry_no_markup_of_a_student(tmp_path):
    results = [
        result_of("=cmd|' /C calc'!A0", "a.ipynb"),
        result_of("../../etc/<x>", "b"),
        result_of("../../etc/<x>", "c"),
    ]
    _report.write_all(KEY, results, tmp_path, book="https://book.example/")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "grades.csv").read_text())))
    assert rows[0]["student"].startswith("'=") and rows[0]["cut"] == "3" and rows[0]["gpu state"] == "ungraded"
    suites = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert [s.get("tests") + s.get("errors") + s.get("skipped") for s in suites] == ["311"] * 3
    pages = sorted((tmp_path / "feedback").iterdir())
    assert len(pages) == 3 and all(p.parent == tmp_path / "feedback" for p in pages)
    for page in (p.read_text() for p in [*pages, tmp_path / "class.html"]):
        assert "<script" not in page and "<x>" not in page and "<b>Cut" not in page and "Cut <b>" not in page
    page = pages[0].read_text()
    assert 'href="https://book.example/n.html#cut"' in page
    assert page.count("Likely cause: a &amp; b &lt;script&gt;") == 1 and "prefers-color-scheme:dark" in page
    for path in tmp_path.glob("gradescope/*/results.json"):
        made = json.loads(path.read_text())
        assert made["score"] == 3 == sum(t["score"] for t in made["tests"])
        assert {t["visibility"] for t in made["tests"]} == {"after_published"}
        assert [t["max_score"] for t in made["tests"]] == [3, 1, 0]


def test_the_receipt_sums_up(capsys):
    key = _build.make_key(MASTERS["example"], "x")
    check = load_checks(course.pack_checks(_build.visible(key)))
    check["cut"](not_here)
    check.receipt()
    said = capsys.readouterr().out
    assert "not attempted" in said and "not run" in said and "mmtokedu" in said
