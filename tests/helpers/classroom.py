"""What tests of the grader share: notebooks made of cells, and a class of one."""

import json
from pathlib import Path

from mmtokedu.course import _build, _grade, _submissions

QUICK = _grade.Limits(call=2, cells=9, whole=20, memory=1 << 30)


def cells_of(path):
    """The sources of a notebook's code cells."""
    return [source for kind, source, _ in _build.read_cells(path) if kind == "code"]


def written(cells):
    """Code cells as the text of a notebook."""
    return _build.notebook([("code", source, []) for source in cells])


def key_of(kit):
    return json.loads((kit / "autograder/key.json").read_text())


def graded(folder, data, key, limits=QUICK):
    """The result of one file, as a class of one."""
    folder = Path(folder)
    (folder / "one").mkdir(exist_ok=True)
    (folder / "one/s.ipynb").write_bytes(data if isinstance(data, bytes) else data.encode())
    (submission,) = _submissions.collected(folder / "one", key)
    return _grade.grade_submission(submission, key, limits)
