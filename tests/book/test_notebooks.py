"""Stored notebooks are fit to be shown: nbval passes a cell that was never run, this does not."""

import copy
from pathlib import Path

import pytest

pytestmark = pytest.mark.apart

nbformat = pytest.importorskip("nbformat")

ROOT = Path(__file__).resolve().parents[2]
from refresh import METADATA, notebooks

LIMIT = 2 * 2**20  # bytes
IGNORE = "nbval-ignore-output"


def tags(cell):
    return cell.metadata.get("tags", [])


def faults(notebook, size):
    """What is wrong with a stored notebook, one line each."""
    code = [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
    outputs = [(c, o) for c in code for o in c.outputs]
    found = []
    if size > LIMIT:
        found.append(f"{size} bytes, over {LIMIT}")
    if notebook.metadata != METADATA:
        found.append("metadata (widget state?) differs from what the refresh tool writes")
    if [c.execution_count for c in code] != list(range(1, len(code) + 1)):
        found.append("cells not run once each, top to bottom")
    if any(o.output_type == "error" and "raises-exception" not in tags(c) for c, o in outputs):
        found.append("an error is stored")
    if any("image/png" in o.get("data", {}) or "image/svg+xml" in o.get("data", {}) for _, o in outputs):
        found.append("a bare figure: use show.figure, which asks for alternative text")
    if any(o.get("name") == "stderr" for _, o in outputs):
        found.append("something was printed to stderr")
    if any(
        IGNORE in tags(c) and not any("assert " in later.source for later in code[i + 1 : i + 2])
        for i, c in enumerate(code)
    ):
        found.append("an ignored output without an asserting cell after it")
    if sum(IGNORE in tags(c) for c in code) > 2:
        found.append("more than two ignored outputs")
    return found


@pytest.mark.parametrize("path", notebooks(), ids=lambda p: p.stem)
def test_notebook(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert faults(notebook, path.stat().st_size) == []


def good():
    cells = [
        nbformat.v4.new_code_cell("x = 1", execution_count=1),
        nbformat.v4.new_code_cell("assert x", execution_count=2),
    ]
    return nbformat.v4.new_notebook(cells=cells, metadata=copy.deepcopy(METADATA))


def spoil(**change):
    notebook = good()
    cell = notebook.cells[0]
    if "count" in change:
        cell.execution_count = change["count"]
    if "output" in change:
        cell.outputs = [change["output"]]
    if "tags" in change:
        cell.metadata["tags"] = change["tags"]
        notebook.cells[1].source = "y = x"
    if "widgets" in change:
        notebook.metadata["widgets"] = {}
    return notebook


@pytest.mark.parametrize(
    "notebook, size, word",
    [
        (good(), LIMIT + 1, "over"),
        (spoil(count=None), 1, "not run"),
        (spoil(count=7), 1, "not run"),
        (spoil(output=nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])), 1, "error is stored"),
        (spoil(output=nbformat.v4.new_output("display_data", {"image/png": "x"})), 1, "bare figure"),
        (spoil(output=nbformat.v4.new_output("stream", name="stderr", text="x")), 1, "stderr"),
        (spoil(tags=[IGNORE]), 1, "ignored output"),
        (spoil(widgets=True), 1, "widget state"),
    ],
)
def test_each_fault_is_found_and_alone(notebook, size, word):
    assert faults(good(), 1) == []
    (only,) = faults(notebook, size)
    assert word in only
