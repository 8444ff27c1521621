"""What `mmtokedu/data/benchmarks/` says is complete, and the clock behind it is right about calls of known length."""

import datetime
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.apart

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"
RESULTS = sorted((BENCHMARKS.parent / "mmtokedu/data/benchmarks").glob("*.json"))


@pytest.fixture
def timing(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # the module sets them too; this puts them back afterwards
    spec = importlib.util.spec_from_file_location("_timing", BENCHMARKS / "_timing.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_results_for_this_kind_of_machine():
    assert "patches-cpu" in {path.stem for path in RESULTS}


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_result_says_where_when_and_with_what(path):
    record = json.loads(path.read_text())
    assert record["device"] and record["threads"] >= 1
    assert record["versions"]["python"] and record["versions"]["numpy"]
    assert datetime.date.fromisoformat(record["date"]) > datetime.date(2026, 1, 1)
    assert record["parity"] is True
    groups = {row["group"]: [] for row in record["rows"]}
    for row in record["rows"]:
        assert row["median"] > 0 and row["ratio"] > 0 and 0 <= row["spread"] < 1, row
        groups[row["group"]].append(row)
    for title, rows in groups.items():
        assert len(rows) > 1, f"{title}: nothing but the unit"
        assert len({row["name"] for row in rows}) == len(rows), f"{title}: two rows of one name"
        units = ("copy", "matrix product alone", "faiss", "decoding everything")
        assert rows[0]["name"].startswith(units) and rows[0]["ratio"] == 1, title
    assert all(record["skipped"].values()), "a contender left out without a reason"


def test_save_writes_where_the_chapters_read(timing, monkeypatch, tmp_path):
    assert sorted(timing.RESULTS.glob("*.json")) == RESULTS
    monkeypatch.setattr(timing, "RESULTS", tmp_path / "data" / "benchmarks")
    about = dict(device="a card", threads=1, packages=("numpy", "nonesuch"), rows=[], skipped={}, notes=["loaded so"])
    timing.save("topic-a-card", **about)
    written = json.loads((tmp_path / "data" / "benchmarks" / "topic-a-card.json").read_text())
    assert written["notes"] == ["loaded so"] and written["versions"]["nonesuch"] is None


def test_no_contender_follows_another_on_the_same_input(timing, monkeypatch):
    """Each starts at another of the inputs, and goes through all of them."""
    np = pytest.importorskip("numpy")
    seen = {name: [] for name in "ab"}
    calls = {name: (lambda i, name=name: seen[name].append(i) or np.ones(1), np.asarray) for name in "ab"}
    timing.group("turns", np.ones(1), calls, np.ones(1), rounds=6, warm=0)
    assert seen["a"][1:] == [0, 1, 2, 0, 1, 2] and seen["b"][1:] == [1, 2, 0, 1, 2, 0]  # after the parity check's 0


def test_the_clock_measures_and_the_first_call_is_the_unit(timing):
    calls = {"copy": lambda i: time.sleep(0.005), "three times": lambda i: time.sleep(0.015)}
    unit, slow = timing.race("sleep", calls, rounds=5)
    assert unit["ratio"] == 1 and unit["median"] >= 0.005
    assert slow["median"] >= 0.015 and slow["ratio"] > 1.2  # a busy machine adds to both


def test_the_calmest_third_of_the_rounds_counts(timing, monkeypatch):
    """A neighbour anywhere in a round spoils it: three of nine are calm, with ratios of 3, 4 and 5."""
    seconds = {"copy": [1] * 9, "other": [9, 3, 9, 9, 9, 4, 5, 9, 9]}
    calls = {name: lambda i, name=name: seconds[name][i] for name in seconds}
    before_between_after = [999, 111, 911, 191, 119, 112, 131, 999, 999]
    noise = iter("".join(map(str, before_between_after)))
    monkeypatch.setattr(timing, "disturbance", lambda: float(next(noise)))
    options = dict(rounds=3, warm=0, clock=lambda call, i: call(i), calmest=True)
    unit, other = timing.race("made up", calls, **options)
    assert (unit["ratio"], unit["every_round"]) == (1, 1)
    assert (other["ratio"], other["every_round"]) == (4, 9)


def test_every_contender_runs_once_a_round(timing):
    order = []
    timing.race("order", {name: lambda i, name=name: order.append((i, name)) for name in "ab"}, rounds=3, warm=1)
    assert sorted(order) == [(i, name) for i in (-1, 0, 1, 2) for name in "ab"]
    assert [i for i, _ in order] == sorted(i for i, _ in order)  # a round ends before the next begins


def test_the_order_changes_from_round_to_round_and_repeats_from_run_to_run(timing):
    def firsts():
        order = []
        timing.race("order", {name: lambda i, name=name: order.append(name) for name in "abc"}, rounds=12, warm=0)
        return order[::3]

    assert set(firsts()) == set("abc") and firsts() == firsts()


BENCHES = sorted(path.stem for path in BENCHMARKS.glob("bench_*.py"))


@pytest.fixture(scope="module")
def without_card():
    """What each benchmark says on a machine without a card: one process, in which the card is made invisible, for all."""
    code = """
import importlib, os, sys
os.environ["CUDA_VISIBLE_DEVICES"] = ""
folders, names = sys.argv[1:3], sys.argv[3:]
sys.path[:0] = folders
for name in names:
    print("==", name)
    bench = importlib.import_module(name)
    bench._timing.save = lambda *args, **kwargs: print("saved")
    try:
        bench.main(["--gpu"])
    except (Exception, SystemExit) as end:
        print("ended", repr(end), file=sys.stderr)"""
    command = [sys.executable, "-c", code, str(BENCHMARKS), str(BENCHMARKS.parent), *BENCHES]
    done = subprocess.run(command, capture_output=True, text=True)
    said = dict(part.split("\n", 1) for part in done.stdout.split("== ")[1:])
    return said, done.stderr


@pytest.mark.parametrize("bench", BENCHES)
def test_without_a_card_nothing_is_measured(without_card, bench):
    said, error = without_card
    assert "not measured yet" in said[bench] and "saved" not in said[bench], error


def test_a_wrong_answer_gets_no_figure():
    code = """
import sys
sys.path[:0] = sys.argv[1:]
import bench_patches as bench, numpy as np
right = np.ones(4)
bench._timing.race = lambda *args, **kwargs: print("timed")
bench.group("right", right, {"x": (lambda i: right, np.asarray)}, right)
bench.group("wrong", right, {"broken one": (lambda i: right + 1, np.asarray)}, right)"""
    command = [sys.executable, "-c", code, str(BENCHMARKS), str(BENCHMARKS.parent)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and "broken one" in done.stderr and done.stdout.count("timed") == 1, done.stderr


def test_a_wrong_code_of_a_late_stage_gets_no_figure():
    """Right codes pass; one changed code of stage 2 is named; so is a contender that forgets to pass on what is left."""
    code = """
import sys
sys.path[:0] = sys.argv[1:]
import numpy as np
from _rvq_peers import drawn, judge_stages
from mmtokedu import rvq, vq
codebooks, rows = drawn(500, 3, 40, 8, 1)
check, codes = judge_stages(rows, codebooks), rvq.rvq_encode(rows, codebooks)
check("right", codes)
wrong = codes.copy()
wrong[7, 2] = (wrong[7, 2] + 1) % 40
forgetful = np.stack([vq.nearest_code(rows, codebook) for codebook in codebooks], axis=1)
for name, answer in (("changed", wrong), ("forgetful", forgetful)):
    try:
        check(name, answer)
    except SystemExit as end:
        print(end)"""
    command = [sys.executable, "-c", code, str(BENCHMARKS), str(BENCHMARKS.parent)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("changed, stage 2: of 500 codes 1 are not the nearest")
    assert second.startswith("forgetful, stage 1:")


def test_ours_is_held_to_what_its_docstring_says():
    """One code of 2000 at 1.01 of the least distance, far from the origin: float32 may say so, `nearest_code` not."""
    code = """
import sys
sys.path[:0] = sys.argv[1:]
import numpy as np
from _vq_peers import blas_cores, judge
check = judge(np.full((2000, 1), 100.0), np.array([[101.0], [98.995]]))
codes = np.zeros(2000, int)
check("nearest_code, NumPy", codes)
codes[7] = 1
check("another", codes)
print(blas_cores())
check("nearest_code, NumPy", codes)"""
    command = [sys.executable, "-c", code, str(BENCHMARKS), str(BENCHMARKS.parent)]
    environment = os.environ | {"OPENBLAS_CORETYPE": "Haswell"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout.endswith("OPENBLAS_CORETYPE Haswell\n"), done.stderr  # the first two passed
    assert done.stderr.startswith("nearest_code, NumPy: of 2000 codes 1 are not the nearest"), done.stderr
