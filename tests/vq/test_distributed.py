"""Two processes, each with its part of every batch, learn the codebook that one process learns from the whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
    pytest.skip("this torch has no gloo", allow_module_level=True)

import two_processes

from mmtokedu.nn import _processes as processes

ROOT = Path(__file__).resolve().parents[2]
NAMES = [scenario.__name__ for scenario in two_processes.SCENARIOS]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each of two processes is left with: scenario -> name -> tensor."""
    folder = tmp_path_factory.mktemp("processes")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo"}
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", two_processes.__file__, str(rank), "2", str(folder)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=300)[1] for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0, 0], said
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("name", [*NAMES, "own_draws"])
def test_all_processes_hold_the_same_bits(found, name):
    first, second = (each[name] for each in found)
    assert first.keys() == second.keys() and len(first)
    for key in first:
        assert torch.equal(first[key], second[key]), key


@pytest.mark.parametrize("scenario", two_processes.SCENARIOS, ids=NAMES)
def test_they_learn_what_one_process_learns_from_all(found, scenario):
    alone = two_processes.played(scenario, 0, 1)
    for key, value in alone.items():
        torch.testing.assert_close(found[0][scenario.__name__][key], value, rtol=1e-4, atol=1e-5, msg=key)


def test_the_scenarios_restart_codes(found):
    """Or the comparisons above would say nothing of restarts: codes lie where no batch alone would have moved them."""
    for name in ("dead_codes_restart", "units", "residual_stages", "gradient"):
        state = found[0][name]
        usage = torch.cat([value for key, value in state.items() if key.endswith("usage")])
        assert float(usage.min()) > 1e-3, name


def test_a_process_alone_sends_nothing(monkeypatch):
    for name in ("all_reduce", "all_gather"):
        monkeypatch.setattr(torch.distributed, name, lambda *_, name=name: pytest.fail(f"{name} was called"))
    assert not processes.several()
    vectors, draws = torch.randn(5, 2), torch.rand(5)
    assert processes.total(vectors) is vectors
    assert all(x is y for x, y in zip(processes.smallest(vectors, draws, 2), (vectors, draws)))
