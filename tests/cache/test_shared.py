"""A folder that processes share: kills, hammering, once over all, what a system refuses. More of each: `make weekly`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fcntl")
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "part, said",
    [
        (["kills", "10"], "{'kills': 10, "),
        (["turns", "2"], "{'turns': 2}"),
        (["hammer", "2"], "'wrong': 0, 'damaged': 0, "),
        (["once", "32"], "{'keys': 32, 'computed': 32}"),
        (["refused"], "{'refused': 1}"),
        (["many", "300"], "{'entries': 300, "),
    ],
    ids=lambda x: x[0] if isinstance(x, list) else "",
)
def test_processes(part, said):
    """In a process of its own, which forks: no threads of the test's are in the way."""
    program = ROOT / "tests" / "helpers" / "cache_processes.py"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, program, *part], capture_output=True, text=True, timeout=300, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
