"""What an instructor makes with Otter and nbconvert: Gradescope's zip gives the points it should; decks fetch nothing."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mmtokedu.course import _build

pytestmark = pytest.mark.apart

ROOT = Path(__file__).resolve().parents[2]
if not os.environ.get("REQUIRE_OTTER"):
    pytest.skip("runs in its own environment: .ci/legs course", allow_module_level=True)

GRADE = """
import json, sys
from otter.api import grade_submission
result = grade_submission(sys.argv[2], sys.argv[1], quiet=True)
json.dump([float(result.total), float(result.possible)], open(sys.argv[3], "w"))
"""


@pytest.fixture(scope="session")
def kit(tmp_path_factory):
    said = []
    _build.build(ROOT / "tests/course/assignment", tmp_path_factory.mktemp("kit"), "a seed", say=said.append)
    assert "Otter" not in "".join(said)
    return tmp_path_factory.getbasetemp() / "kit0/example"


def graded_by_otter(kit, notebook, folder):
    command = [
        sys.executable,
        "-c",
        GRADE,
        str(kit / "autograder/example-gradescope.zip"),
        str(notebook),
        "result.json",
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return json.loads((folder / "result.json").read_text())


def test_the_zip_holds_what_gradescope_runs(kit):
    with zipfile.ZipFile(kit / "autograder/example-gradescope.zip") as packed:
        assert {"run_autograder", "setup.sh", "tests/cut.py", "tests/waste.py"} <= set(packed.namelist())
        assert "mmtokedu[samples,media] @ git+https://" in packed.read("environment.yml").decode()
        assert packed.read("tests/cut.py").decode().count("points") >= 2


@pytest.mark.parametrize("kind, points", [("solution", 6), ("student", 0)])
def test_otter_gives_the_same_points(kit, tmp_path, kind, points):
    assert graded_by_otter(kit, kit / kind / "example.ipynb", tmp_path) == [points, 6]


def test_otter_gives_points_by_part(kit, tmp_path):
    text = (kit / "solution/example.ipynb").read_text()
    (tmp_path / "s.ipynb").write_text(text.replace("if height % patch or width % patch:", "if False:"))
    assert graded_by_otter(kit, tmp_path / "s.ipynb", tmp_path)[0] in (5, 6)  # NumPy's own refusal is a ValueError too
    (tmp_path / "s.ipynb").write_text(text.replace("return 1 - sum(lengths)", "return sum(lengths)"))
    assert graded_by_otter(kit, tmp_path / "s.ipynb", tmp_path) == [4, 6]


@pytest.mark.parametrize("notebook", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.stem)
def test_a_deck_shows_every_figure_and_fetches_nothing(notebook, tmp_path):
    sys.path.insert(0, str(ROOT / "tools"))
    import make_slides

    target, figures = make_slides.make(notebook, tmp_path)
    stored = re.findall(r"<!-- mm:(?:figure|frames|strip|table) ", notebook.read_text())
    deck = target.read_text()
    assert figures == len(stored) > 5
    assert len(re.findall(r"<!-- mm:(?:figure|frames|strip|table) ", deck)) == figures
    assert not re.findall(r"<(?:script|link|img|iframe|audio|video)[^>]+(?:src|href)=.?(?:https?:)?//", deck)
    assert "{cite" not in deck and "{term}" not in deck and "To discuss" in deck
    assert deck.count("<section") == deck.count("</section>") > figures
