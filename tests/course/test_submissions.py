"""Which file of a student is graded, and how a file is read: every entry of a folder is somebody's, and none stops a class."""

import json
import os
import re
import zipfile
from pathlib import Path

import pytest
from classroom import cells_of, key_of, written

from mmtokedu.course import _build, _notebook, _submissions

pytest.importorskip("fcntl", reason="grading needs Linux or macOS")


@pytest.fixture(scope="module")
def key(kit):
    return key_of(kit)


@pytest.fixture(scope="module")
def done(kit):
    return (kit / "solution/example.ipynb").read_bytes()


@pytest.fixture(scope="module")
def stub(kit):
    return (kit / "student/example.ipynb").read_bytes()


def put(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def by_student(folder, key, **more):
    found = _submissions.collected(folder, key, **more)
    assert len({s.student for s in found}) == len(found)
    return {s.student: s for s in found}


def is_solution(submission):
    return "return 1 - sum" in "\n".join(source for _, source in submission.cells)


# ---------------------------------------------------------------- which file


@pytest.mark.parametrize(
    "copy",
    [".ipynb_checkpoints/example-checkpoint.ipynb", "__MACOSX/._example.ipynb", "__MACOSX/example.ipynb", ".git/a.ipynb",
     "deep/.ipynb_checkpoints/a.ipynb", "._example.ipynb"],
)  # fmt: skip
@pytest.mark.parametrize("notebook", ["example.ipynb", "work/example.ipynb", "Zz.ipynb"])
def test_copies_that_programs_keep_are_not_handed_in(tmp_path, key, done, stub, copy, notebook):
    put(tmp_path, {f"jane/{copy}": stub, f"jane/{notebook}": done})
    jane = by_student(tmp_path, key)["jane"]
    assert is_solution(jane) and jane.file == Path(notebook).name and jane.notes == []


def test_hidden_entries_beside_the_submissions_are_nobodys(tmp_path, key, done):
    put(tmp_path, {"a.ipynb": done, ".ipynb_checkpoints/a-checkpoint.ipynb": done, "__MACOSX/._a.ipynb": done,
                   ".DS_Store": b"x", "submission_metadata.yml": b":x: 1", "export.csv": b"x"})  # fmt: skip
    assert list(by_student(tmp_path, key, beside=(None, tmp_path / "export.csv"))) == ["a"]


def test_the_files_that_canvas_exports_are_grouped_by_student(tmp_path, key, done):
    put(tmp_path, {"doejane_501_9001_cover_letter.pdf": b"%PDF-1.7", "doejane_501_9002_example.ipynb": done,
                   "doejane_LATE_502_9003_example.ipynb": done, "ray_503_9004_only.pdf": b"%PDF"})  # fmt: skip
    found = by_student(tmp_path, key)
    assert {n: (s.name, s.number, s.file) for n, s in found.items()} == {
        "doejane_501": ("doejane", "501", "doejane_501_9002_example.ipynb"),
        "doejane_502": ("doejane", "502", "doejane_LATE_502_9003_example.ipynb"),
        "ray_503": ("ray", "503", "ray_503_9004_only.pdf"),
    }
    assert is_solution(found["doejane_501"]) and found["doejane_501"].notes == []
    assert found["ray_503"].cells is None and "a PDF, not a notebook" in found["ray_503"].problem


def test_the_folders_and_files_that_moodle_exports_are_grouped_by_student(tmp_path, key, done):
    put(tmp_path, {"Jane Doe_12_assignsubmission_file/p.ipynb": done, "Jane Doe_12_assignsubmission_onlinetext/o.html": b"<p>",
                   "Jane Doe_13_assignsubmission_file_p.ipynb": done, "li_wei.ipynb": done})  # fmt: skip
    found = by_student(tmp_path, key)
    assert {n: s.name for n, s in found.items()} == {
        "Jane Doe_12": "Jane Doe", "Jane Doe_13": "Jane Doe", "li_wei": "li_wei",
    }  # fmt: skip
    assert all(is_solution(s) for s in found.values())


@pytest.mark.parametrize(
    "names", [("A.ipynb", "z.ipynb"), ("z.ipynb", "A.ipynb"), ("example.ipynb", "example-2.ipynb")]
)
def test_of_two_notebooks_the_one_with_more_in_it_is_graded_and_both_are_named(tmp_path, key, done, stub, names):
    put(tmp_path, {f"jane/{names[0]}": stub, f"jane/{names[1]}": done, "bob/Untitled.ipynb": written(["1"]).encode(),
                   f"bob/{names[0]}": stub})  # fmt: skip
    found = by_student(tmp_path, key)
    assert is_solution(found["jane"])
    assert found["jane"].notes == [f"2 notebooks were handed in; graded is {names[1]}, not {names[0]}"]
    assert found["bob"].file in (names[0], "Untitled.ipynb") and "2 notebooks" in found["bob"].notes[0]


def test_a_notebook_and_a_paper_of_one_name_are_one_students(tmp_path, key, done):
    put(tmp_path, {"a.ipynb": done, "a.pdf": b"%PDF", "b/b.ipynb": done, "b/notes.txt": b"x"})
    found = by_student(tmp_path, key)
    assert {n: (s.file, s.notes) for n, s in found.items()} == {"a": ("a.ipynb", []), "b": ("b.ipynb", [])}


def test_every_entry_gets_a_row(tmp_path, key, done):
    put(tmp_path, {"in/honest.ipynb": done, "elsewhere/solution.ipynb": done, "elsewhere/folder/solution.ipynb": done,
                   "in/checkpoints/.ipynb_checkpoints/x-checkpoint.ipynb": done, "in/large.ipynb": b""})  # fmt: skip
    folder = tmp_path / "in"
    (folder / "dangling.ipynb").symlink_to("/nowhere")
    (folder / "linked.ipynb").symlink_to(tmp_path / "elsewhere/solution.ipynb")
    (folder / "linked-folder").symlink_to(tmp_path / "elsewhere/folder")
    (folder / "mal").mkdir()
    (folder / "mal/example.ipynb").symlink_to(tmp_path / "elsewhere/solution.ipynb")
    (folder / "empty").mkdir()
    (folder / "empty-too.ipynb").mkdir()
    os.mkfifo(folder / "waits.ipynb")
    os.truncate(folder / "large.ipynb", _submissions.LARGEST_FILE + 1)
    deep = folder / "deep"
    for _ in range(100):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "x.ipynb").write_bytes(done)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.ipynb")).write_bytes(done)
    (folder / "new\nline\x1b[31m.ipynb").write_bytes(done)
    found = by_student(folder, key)
    assert {n: s.problem and s.problem.split(": ")[-1] for n, s in found.items()} == {
        "honest": "", r"\udcff\udcfe": "", r"new\nline\x1b[31m": "",
        "dangling": "a symbolic link, which is not followed", "linked": "a symbolic link, which is not followed",
        "linked-folder": "a symbolic link, which is not followed", "mal": "a symbolic link, which is not followed",
        "empty": "the folder is empty", "empty-too.ipynb": "the folder is empty", "checkpoints": "the folder is empty",
        "waits": "not a file with contents", "large": "64 MB; 64 MB is the most",
        "deep": "more than 20 folders deep, not looked at",
    }  # fmt: skip
    assert all(name.isprintable() and name.encode() for name in found)


# ---------------------------------------------------------------- how it is read

CELLS = ["# ä", "x = 1"]


def as_version_3(cells):
    worksheet = {
        "cells": [
            {"cell_type": "code", "input": c.splitlines(True), "outputs": [], "language": "python"} for c in cells
        ]
    }
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [worksheet]}


def encoded(encoding):
    notebook = json.loads(written(CELLS))
    return json.dumps(notebook, ensure_ascii=False).encode(encoding)


def broken(**cell):
    notebook = json.loads(written(CELLS))
    notebook["cells"].insert(0, cell)
    return json.dumps(notebook).encode()


def nothing_but(**notebook):
    return json.dumps(json.loads(written(CELLS)) | notebook).encode()


@pytest.mark.parametrize(
    "data, note",
    [
        (encoded("utf-8"), ""), (encoded("utf-8-sig"), ""), (encoded("utf-16"), ""), (encoded("utf-16-le"), ""),
        (encoded("utf-32"), ""), (encoded("cp1252"), "read as Windows-1252"),
        (json.dumps(as_version_3(CELLS)).encode(), ""), (nothing_but(metadata=None), ""),
        (nothing_but(cells=[c | {"metadata": None} for c in json.loads(written(CELLS))["cells"]]), ""),
        (nothing_but(cells=[c | {"metadata": {"tags": None}} for c in json.loads(written(CELLS))["cells"]]), ""),
        (broken(cell_type="code", source=None), "item 1 of the file is not a cell"),
        (broken(source="x"), "item 1 of the file is not a cell"),
        (broken(cell_type="code", source=[1]), "item 1 of the file is not a cell"),
        (broken(), "item 1 of the file is not a cell"),
        (broken(cell_type="markdown", source="", attachments={"a": float("nan")}), ""),
    ],
)  # fmt: skip
def test_a_notebook_is_read_however_it_was_saved(data, note):
    cells, notes = _notebook.read(data)
    assert [source for _, kind, source in cells if kind == "code"] == CELLS
    assert note in "".join(notes) and len(notes) == bool(note)
    assert [number for number, source in _notebook.code(cells, set())] == [1, 2]


def test_half_a_character_costs_nothing_else():
    cells, _ = _notebook.read(
        rb'{"cells": [{"cell_type": "code", "source": ["x = \"\ud800\"\n", "y = \"\ud83d\ude00\""]}]}'
    )
    assert cells == [(1, "code", 'x = "\ufffd"\ny = "😀"')]
    assert len(_notebook.mark_of(cells[0][2])) == 64


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.ipynb", "{}")
    return path.read_bytes()


@pytest.mark.parametrize(
    "name, data, problem",
    [
        ("a.ipynb", b"", "the file is empty"), ("a.ipynb", b"\0" * 100, "the file is empty"),
        ("a.ipynb", b"[" * 200_000, "not a notebook (.ipynb) that can be read"), ("a.ipynb", b"3", "there are no cells in it"),
        ("a.ipynb", b"null", "there are no cells"), ("a.ipynb", b'{"cells": 3}', "there are no cells"),
        ("a.ipynb", b'{"worksheets": [3]}', "there are no cells"), ("a.ipynb", bytes(range(256)) * 9, "not a notebook"),
        ("a.ipynb", b"1" * 6000, "not a notebook"), ("a.py", b"def cut(x): pass", "a Python file; ask for the .ipynb file"),
        ("a.zip", None, "a zip archive: unpack it"), ("a.ipynb", None, "a zip archive"), ("a.pdf", b"%PDF", "a PDF"),
    ],
)  # fmt: skip
def test_what_is_no_notebook_is_refused_by_its_kind(tmp_path, key, name, data, problem):
    put(tmp_path, {f"in/{name}": zipped(tmp_path / "z") if data is None else data})
    (submission,) = _submissions.collected(tmp_path / "in", key)
    assert submission.cells is None and problem in submission.problem and submission.file == name


def test_a_cell_that_only_shows_is_left_out_until_it_is_changed():
    text = _build.notebook([("code", "show(1)", ["demo"]), ("code", "x = 1", []), ("code", "show(2)", ["demo"])])
    cells, _ = _notebook.read(text.encode())
    assert _notebook.code(cells, {_notebook.mark_of("show(1)\n")}) == [(2, "x = 1"), (3, "show(2)")]


def test_a_notebook_of_another_kit_is_noticed(kit, tmp_path, key, done):
    _build.build(Path(__file__).parent / "assignment", tmp_path / "kits", "another seed", say=lambda text: None)
    other = key_of(tmp_path / "kits/example")
    assert other["version"] != key["version"]
    put(tmp_path, {"in/mine.ipynb": done, "in/theirs.ipynb": (tmp_path / "kits/example/student/example.ipynb").read_bytes(),
                   "in/unknown.ipynb": written(cells_of(kit / "solution/example.ipynb")[-1:]).encode()})  # fmt: skip
    found = by_student(tmp_path / "in", key)
    assert {n: s.kit for n, s in found.items()} == {"mine": key["version"], "theirs": other["version"], "unknown": ""}
    assert found["mine"].notes == found["unknown"].notes == []
    assert found["theirs"].notes == [
        f"this notebook is of another kit ({other['version']}); the key is that of {key['version']}"
    ]


def test_the_sheet_says_which_kit_it_is(kit, key):
    assert f"`example {key['version']}`" in (kit / "student/example.ipynb").read_text()


def test_a_kit_of_another_seed_is_kept_with_its_key(tmp_path):
    master, said = Path(__file__).parent / "assignment", []
    _build.build(master, tmp_path, "group a", say=said.append)
    first = key_of(tmp_path / "example")
    (tmp_path / "example/student/example.ipynb").write_text("old")
    _build.build(master, tmp_path, "group a", say=said.append)
    assert [p.name for p in tmp_path.iterdir()] == ["example"] and "held another kit" not in "".join(said)
    assert (tmp_path / "example/student/example.ipynb").read_text() != "old"
    _build.build(master, tmp_path, "group b", say=said.append)
    assert key_of(tmp_path / f"example-{first['version']}") == first != key_of(tmp_path / "example")
    assert "held another kit" in "".join(said)


@pytest.mark.parametrize("owner, told", [("OWNER", True), ("somebody", False)])
def test_a_sheet_that_installs_from_nowhere_is_told(tmp_path, owner, told):
    text = (Path(__file__).parent / "assignment/example.ipynb").read_text()
    text, count = re.subn(r"github\.com/[\w-]+/", f"github.com/{owner}/", text)
    (tmp_path / "m.ipynb").write_text(text)
    said = []
    _build.build(tmp_path / "m.ipynb", tmp_path / "out", "s", say=said.append)
    assert count and any("make links" in line for line in said) == told
