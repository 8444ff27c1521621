"""Cells run while a notebook is graded as they ran for the student, IPython's own lines too; what does not run is named."""

import sys

import pytest

from mmtokedu.course import _cells

pytest.importorskip("fcntl", reason="grading needs Linux or macOS")


@pytest.fixture(params=["IPython", "without IPython"])
def ran(request, monkeypatch):
    """Run cells one after the other; (names, notes). What stops a cell is raised."""
    if request.param == "without IPython":
        monkeypatch.setitem(sys.modules, "IPython.core.inputtransformer2", None)
    else:
        pytest.importorskip("IPython")

    def run(*cells):
        names, notes = {}, []
        shell = _cells.Shell(names, notes.append)
        names["get_ipython"] = lambda: shell
        for number, cell in enumerate(cells, 1):
            shell.name = f"<cell {number}>"
            try:
                shell.run_cell(cell)
            finally:
                if shell.loop:
                    shell.loop.close()
        return names, [note for note in notes if not note.startswith("IPython is not installed")]

    return run


MAGICS = [
    "%%time",
    "%%prun -s cumulative",
    "%%capture",
    "%%capture out\n%%time",
    "%%capture --no-stderr out",
    "  \n%%time",
]


@pytest.mark.parametrize("magic", MAGICS)
def test_the_body_of_a_cell_magic_is_run(ran, magic):
    names, notes = ran(f"{magic}\ndef f(x):\n    return 2 * x\nprint(f(2))")
    assert names["f"](3) == 6 and notes == []


def test_a_captured_cell_gives_what_it_printed(ran):
    assert ran("%%capture out\nprint(1)\nx = 2", "text = out.stdout")[0]["text"] == "1\n"


def test_timeit_runs_its_body_and_keeps_its_names_to_itself_as_in_ipython(ran):
    names, notes = ran("seen = []", "%%timeit -n 1 x = 3\nseen.append(x)\ny = 4")
    assert names["seen"] == [3] and "y" not in names and "x" not in names and notes == []


@pytest.mark.parametrize(
    "cell, name, value",
    [
        ("%time f = 3 + 4", "f", 7),
        ("f = %time 3 + 4", "f", 7),
        ("%prun -q f = 5", "f", 5),
        ("%timeit -n 3 -r 2 f.append(1)", "f", [1]),
        ("took = %timeit -o f.append(1)\nf = took.average >= 0", "f", True),
        ("get_ipython().run_line_magic('time', 'f = 6')", "f", 6),
        ("get_ipython().magic('matplotlib inline'); f = 7", "f", 7),
        ("get_ipython().set_next_input('x'); f = 7", "f", 7),
        ("f = 'ZMQ' in str(get_ipython())", "f", False),
        ("import asyncio\nawait asyncio.sleep(0)\nf = 8", "f", 8),
        ("async def g():\n    return 9\nf = await g()", "f", 9),
        ("%matplotlib inline\n%load_ext autoreload\n%autoreload 2\nf = 10", "f", 10),
        ("f = 11\nf?\nf??\n?f", "f", 11),
        ("!pip install -q something\nf = 12", "f", 12),
        ("if True:\n    %matplotlib inline\n    f = 13", "f", 13),
    ],
)
def test_lines_of_ipython_leave_the_rest_of_their_cell(ran, cell, name, value):
    names, notes = ran("f = []", cell)
    assert names[name] == value and notes == []


@pytest.mark.parametrize(
    "cell, note",
    [
        ("!ls -l\nf = 1", "!ls -l was not run"),
        ("files = !ls\nf = 1 + len(files)", "!ls was not run"),
        ("%run other.py\nf = 1", "%run was not run"),
        ("%cd ..\nf = 1", "%cd was not run"),
    ],
)
def test_a_line_that_cannot_be_run_is_named_and_the_rest_runs(ran, cell, note):
    names, notes = ran(cell)
    assert names["f"] == 1 and len(notes) == 1 and note in notes[0]


@pytest.mark.parametrize("magic", ["bash", "writefile helper.py", "html", "javascript"])
def test_a_cell_that_is_no_python_is_named(ran, magic):
    assert ran(f"%%{magic}\ndef f(): 1")[1] == [f"the cell starts with %%{magic.split()[0]} and was not run"]


def test_a_percent_sign_in_python_is_python():
    pytest.importorskip("IPython")
    names, notes = {}, []
    shell = _cells.Shell(names, notes.append)
    names["get_ipython"] = lambda: shell
    shell.run_cell('x = (7\n% 4)\ntext = """\n!ls\n%cd\n"""\n%matplotlib inline')
    assert names["x"] == 3 and names["text"] == "\n!ls\n%cd\n" and notes == []


def test_a_plain_reading_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython.core.inputtransformer2", None)
    notes, names = [], {}
    shell = _cells.Shell(names, notes.append)
    names["get_ipython"] = lambda: shell
    shell.run_cell("x = 1")
    assert notes == []
    shell.run_cell("%time x = 2")
    assert names["x"] == 2 and len(notes) == 1 and "IPython is not installed where this is graded" in notes[0]


def test_a_future_holds_for_the_cells_after_it(ran):
    names, _ = ran("from __future__ import annotations", "def f(x: Nowhere): return x")
    assert names["f"](1) == 1


def test_source_of_a_cell_can_be_asked_for(ran):
    names, _ = ran("import inspect\ndef f(x):\n    return x", "text = inspect.getsource(f)")
    assert names["text"].startswith("def f(x):")


def test_what_no_rule_reads_is_still_an_error(ran):
    with pytest.raises(SyntaxError):
        ran("%time x = 1\ndef broken(:")


def test_a_cell_is_interrupted_and_no_except_clause_of_it_goes_on():
    names = {}
    cell = "import time\nx = 1\ntry:\n    time.sleep(60)\nexcept Exception:\n    pass\nx = 2"
    with pytest.raises(_cells.TooSlow, match="stopped after 0.2 s"), _cells.within(0.2):
        _cells.Shell(names, None).run_cell(cell)
    assert names["x"] == 1
