"""The legs of CI: each has a budget of CPU seconds, and a leg that passes it, fails or does not exist is noticed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.apart
ROOT = Path(__file__).resolve().parents[2]
LEGS = ROOT / ".ci" / "legs"


def run(folder, leg, budget):
    """`.ci/legs` with one leg, named by a script of its own, and one budget line."""
    script = folder / ".ci" / "legs"
    script.parent.mkdir()
    burn = f"{sys.executable} -c 'import time; end = time.process_time() + .6\nwhile time.process_time() < end: pass'"
    added = f"leg_burn() {{ {burn}; }}\nleg_break() {{ return 3; }}\n"
    text = LEGS.read_text().replace("leg_lint()", added + "leg_lint()", 1)
    script.write_text(text)
    (folder / "budgets").write_text(budget)
    environ = {**os.environ, "BIN": str(Path(sys.executable).parent), "BUDGETS": str(folder / "budgets")}
    return subprocess.run(["bash", str(script), leg], cwd=folder, env=environ, capture_output=True, text=True)


def test_every_leg_of_the_run_has_a_budget():
    (line,) = re.findall(r"\.ci/legs (.*)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    budgets = dict(re.findall(r"^(\w+) +(\d+)$", (ROOT / ".ci" / "budgets").read_text(), re.MULTILINE))
    assert set(line.split()) == set(budgets)
    assert set(line.split()) <= set(re.findall(r"^leg_(\w+)\(\)", LEGS.read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    "leg, budget, result",
    [("burn", "burn 5", "ok"), ("burn", "burn 0", "SLOW"), ("burn", "", "SLOW"), ("break", "break 5", "FAILED")],
)
def test_a_leg_over_its_budget_fails(tmp_path, leg, budget, result):
    done = run(tmp_path, leg, budget)
    assert re.search(rf"^{leg} +{result} +\d+ s +\d+ CPU s$", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert (done.returncode == 0) == (result == "ok")


def test_no_leg_chooses_files_by_name():
    """Files are chosen by markers, not by their names: a new file is in every leg until it says what it needs."""
    assert not re.findall(r"--ignore-glob|--deselect", LEGS.read_text())


def test_the_first_two_legs_share_all_tests():
    """What one leaves out the other runs: the same markers, once denied."""
    chosen = dict(
        re.findall(r'^leg_(\w+)\(\) \{.*"\$\{tests\[@\]\}" -m "([^"]+)"; \}$', LEGS.read_text(), re.MULTILINE)
    )
    assert chosen["numpy"] == f"not ({chosen['torch']})"
