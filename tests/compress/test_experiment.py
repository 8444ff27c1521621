"""The experiment on fewer tokens: its parts by hand, and the table it wrote."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from experiment_programs import experiment_named

pytestmark = pytest.mark.trains

torch = pytest.importorskip("torch")
pytest.importorskip("tqdm", reason="the experiments show their progress with tqdm")

from mmtokedu import measured
from mmtokedu.nn import compress as probe
from mmtokedu.samples import world


@pytest.fixture(scope="module")
def experiment():
    with experiment_named("compress") as module:
        yield module


# the program


def test_tags_of_the_control_are_in_every_patch_that_a_thing_covers(experiment):
    drawn = world.scene(3, size=(96, 96))
    spread, middles = experiment.taught.spread_tags(drawn), world.tags(drawn, 12)
    assert (spread | middles == spread).all() and spread.sum() > 1.5 * middles.sum()
    for thing in drawn.things:
        covered = world.cover(np.array([thing.box]), (1, 96, 96), 12) > 0
        for tag in thing.tags:
            marks = spread[..., world.TAGS.index(tag)]
            assert (marks & covered).sum() == covered.sum()


def test_a_pool_knows_where_what_is_asked_for_lies(experiment):
    pool = experiment.taught.pool(world.scene, 6, "test")
    for i in range(6):
        drawn = world.scene([0, i], size=(96, 96), split="test")
        assert (pool["pixels"][i].numpy() == drawn.pixels[0]).all()
        for k, kind in enumerate(world.KINDS):
            boxes = [question.boxes for question in drawn.questions if question.kind == kind]
            area = sum((y1 - y0) * (x1 - x0) for _, y0, x0, _, y1, x1 in boxes[0].tolist()) if boxes else 0
            assert int(pool["cover"][i, k].sum()) == area


def test_places_of_a_smaller_picture_are_where_its_patches_lie(experiment):
    places = experiment.free.in_place(48)[0]
    assert places.shape == (16, 3) and places[0].tolist() == [0, 0.5, 0.5] and places[-1].tolist() == [0, 6.5, 6.5]
    assert experiment.free.in_place(96)[0].tolist() == experiment.free.own_grid(64)[0].tolist()
    assert experiment.free.own_grid(8)[0].tolist() == [[0, row, column] for row in range(4) for column in range(2)]


def test_a_smaller_picture_is_its_means(experiment):
    pixels = torch.randint(256, (1, 96, 96, 3), dtype=torch.uint8)
    found = experiment.free.smaller(pixels, 48)
    assert found.shape == (1, 48, 48, 3) and found.dtype == torch.uint8
    flat = torch.full((1, 96, 96, 3), 77, dtype=torch.uint8)
    assert (experiment.free.smaller(flat, 12) == 77).all()
    assert abs(found.float().mean() - pixels.float().mean()) < 1


def test_the_axis_is_the_mean_over_layers(experiment):
    assert [experiment.free.mean_tokens(16, after) for after in (0, 1, 4)] == [16, 28, 64]


def test_second_questions_count_where_both_were_asked(experiment):
    wanted = torch.tensor([[1, 2, 3, 4, 5, 6, 7, -100], [1, -100, 3, 4, 5, 6, 7, 8]])
    found = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 0], [9, 2, 9, 4, 5, 6, 7, 8]])
    own, turned = experiment.right_after(found, wanted, 0), experiment.right_after(found, wanted, 1)
    assert (own["colour"], own["shape"], own["where"], own["sign"]) == (0.5, 1, 0.5, 1)
    assert (turned["colour"], turned["shape"], turned["where"], turned["sign"]) == (0, 1, 1, 1)


def test_rows_of_readers_become_one(experiment):
    rows = [[{"way": "even", "keep": 4, "tokens": 4.0, "right": {"digit": share}}] for share in (0.12345, 0.5, None)]
    assert experiment.together(rows) == [
        {"way": "even", "keep": 4, "tokens": 4.0, "right": {"digit": [0.123, 0.5, None]}}
    ]
    with pytest.raises(AssertionError):
        experiment.together([rows[0], [{**rows[1][0], "keep": 8}]])


def test_every_adapter_gives_its_count_of_tokens_and_places(experiment):
    torch.manual_seed(0)
    for arm in experiment.arms.PLAN:
        seen = torch.randn(2, arm.tokens if arm.side < 96 else 64, 64)
        tokens, places = experiment.arms.Adapter(arm)(seen)
        assert tokens.shape == (2, arm.tokens, 64) and places.shape[1:] == (arm.tokens, 3)
        if arm.side == 96:
            assert abs(float(places.mean(dim=1)[0, 1:].mean()) - 3.5) < (
                3 if arm.name in ("random", "learned score") else 1e-6
            )


def test_queries_begin_with_a_window_each(experiment):
    starts = experiment.arms.starts_of(4)
    assert starts.shape == (4, 64)
    assert np.flatnonzero(starts[1]).tolist() == [8 * row + column for row in range(4) for column in range(4, 8)]
    np.testing.assert_allclose(starts.sum(axis=1), 1)


def test_a_teacher_that_agrees_teaches_nothing(experiment):
    logits, answers = torch.randn(3, 8, 20), torch.randint(20, (3, 8))
    answers[0, 7] = world.NO_ANSWER
    assert float(experiment.arms.teaching(logits, logits + 5, answers)) == pytest.approx(0, abs=1e-5)
    other = logits.clone()
    other[0, 7] += torch.randn(20)  # not asked
    assert float(experiment.arms.teaching(other, logits, answers)) == pytest.approx(0, abs=1e-5)
    assert float(experiment.arms.teaching(-logits, logits, answers)) > 0.1


def test_it_runs(experiment, capsys, monkeypatch):
    for module in (experiment.taught, experiment.arms):
        monkeypatch.setattr(module, "pools", None)  # it puts its own few pictures there
    for module, name, value in (
        (experiment, "QUICK", 8), (experiment.free, "KEEP", (16,)), (experiment.free, "SIDES", (48,)),
        (experiment.free, "SHARES", {"1/2": 1 / 2}), (experiment.free, "BLURRED", (48,)),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    experiment.main(["--quick"])
    said = capsys.readouterr().out
    assert all(name in said for name in ("tome inside", "stages: fastv", "second question", "resampler, pooling"))


# the table

TABLE = json.loads((Path(__file__).resolve().parents[2] / "mmtokedu/data/results/compress.json").read_text("utf-8"))
LEARNED = {  # the seeds whose reader answers it with all tokens
    kind: [i for i, row in enumerate(TABLE["models"][:3]) if row["right"][kind] > 0.9]
    for kind in TABLE["models"][0]["right"]
}


@pytest.fixture(scope="module")
def table(experiment):
    return experiment.Table(TABLE["free"], TABLE["arms"])


def test_every_reader_way_and_seed_is_there(experiment):
    assert [(row["tags"], row["seed"]) for row in TABLE["models"]] == list(experiment.MODELS)
    assert TABLE["settings"] == json.loads(json.dumps(experiment.settings()))
    assert TABLE["made_by"] == "experiments/compress.py" and date.fromisoformat(TABLE["date"])
    assert TABLE["device"] and TABLE["versions"]["torch"] and TABLE["processor_seconds"] > 0
    for tags, seeds in (("tags", 3), ("spread", 1)):
        rows = TABLE["free"][tags]
        assert all(len(shares) == seeds for row in rows for shares in row["right"].values())
        names = [json.dumps(experiment.told(row), sort_keys=True) for row in rows]
        assert len(set(names)) == len(names)
    planned = [(*arm, seed) for arm in experiment.arms.PLAN for seed in experiment.SEEDS]
    done = [(row["name"], row["tokens"], row["steps"], row["side"], row["seed"]) for row in TABLE["arms"]]
    assert done == [one for one in planned if one in done]


def test_shares_are_shares():
    rows = [*TABLE["free"]["tags"], *TABLE["free"]["spread"]]
    shares = [share for row in rows for one in row["right"].values() for share in one if share is not None]
    shares += [
        share for row in (*TABLE["models"], *TABLE["arms"]) for share in row["right"].values() if share is not None
    ]
    assert len(shares) > 3000 and all(0 <= share <= 1 for share in shares)
    for row in rows:
        if "number" in row["right"]:
            assert all(a <= b + 0.002 for a, b in zip(row["right"]["number"], row["right"]["digit"]))
        assert 0 <= row["tokens"] <= 64


def test_what_came_of_the_predictions_is_computed_from_the_table(experiment):
    found = experiment.judged(TABLE["free"], TABLE["arms"])
    assert found == TABLE["predictions"] and len(found) > 15
    assert any(row["held"] for row in found) and any(not row["held"] for row in found)


def test_the_curve_is_in_the_measuring_threads_form():
    points = measured.curve("compress")
    assert {"small reader, digits, random tokens", "small reader, digits, merged tokens"} <= {
        p["instrument"] for p in points
    }
    assert max(point["tokens"] for point in points) == 64


def test_the_reader_that_ships_is_one_of_the_table(experiment, table):
    """It answers live what the table says of it, half precision included."""
    pixels, questions, answers = probe.scenes(120)
    reader = probe.load_reader()
    seen = probe.see(reader, pixels)
    at = TABLE["settings"]["shipped"]
    full = probe.right(probe.answer(reader, seen.visual, questions), answers)
    kept = probe.scores(reader, pixels, questions, seen)["edges"]
    edges = probe.right(probe.answer(reader, seen.visual, questions, keep=16, scores=kept), answers)
    for kind in ("digit", "colour", "where", "count"):
        assert abs(full[kind] - table.of(kind, "full", 64)[at]) < 0.06
        assert abs(edges[kind] - table.of(kind, "edges", 16)[at]) < 0.13


def of(table, kind, way, keep, **options):
    """The shares of those seeds that know the answer with all tokens."""
    return np.array(table.of(kind, way, keep, **options))[LEARNED.get(kind, [0, 1, 2])]


def test_readers_answer_with_all_tokens():
    right = [row["right"] for row in TABLE["models"][:3]]
    assert all(row["digit"] > 0.95 and row["count"] > 0.95 for row in right)
    assert all(len(LEARNED[kind]) == 2 for kind in ("colour", "where", "shape", "sign")), "each has missed something"
    assert {"colour", "where", "shape"} <= {
        kind for kind, seeds in LEARNED.items() if TABLE["settings"]["shipped"] in seeds
    }


def test_merging_alike_tokens_loses_nothing_where_sizes_count(table):
    for kind in ("digit", "colour", "where", "count"):
        full = of(table, kind, "full", 64)
        assert (full - of(table, kind, "tome", 16, sizes=True, projector="after") < 0.05).all(), kind
    without = of(table, "count", "tome", 16, sizes=False, projector="after")
    assert (of(table, "count", "full", 64) - without > 0.2).all()


def test_half_a_round_and_means_of_neighbours_lose_digits(table):
    full = of(table, "digit", "full", 64)
    assert (full - of(table, "digit", "tome rounds", 16, share="1/2") > 0.25).all()
    assert (full - of(table, "digit", "pool", 16, projector="after") > 0.4).all()


def test_dropping_loses_counts_because_a_share_of_attention_is_gone(table):
    oracle = of(table, "count", "oracle of all", 16)
    assert (of(table, "count", "full", 64) - oracle > 0.25).all()
    assert (of(table, "count", "rest: oracle of all", 16, sizes=True) - oracle > 0.25).all()
    assert (np.abs(of(table, "count", "rest: oracle of all", 16, sizes=False) - oracle) < 0.15).all()


def test_after_the_first_layer_nothing_left_reads_as_well(table):
    for way in ("fastv", "random"):
        assert (of(table, "digit", "full", 64) - of(table, "digit", way, 1, after=1) < 0.02).all()
    assert (of(table, "digit", "full", 64) - of(table, "digit", "nothing", 0, after=1) < 0.02).all()
    assert (of(table, "count", "full", 64) - of(table, "count", "nothing", 0, after=1) > 0.1).all()


def test_small_print_dies_with_the_pixels(table):
    blurred = {"side": 48}
    assert (of(table, "digit", "blurred picture", 64, **blurred) < 0.25).all()
    assert (of(table, "colour", "blurred picture", 64, **blurred) > 0.85).all()


def test_a_second_question_finds_its_tokens_gone(table):
    own, other = (of(table, "first", "second question", 16, after=0, turn=turn) for turn in (0, 1))
    assert (own - other > 0.4).all()
    late = of(table, "first", "second question", 16, after=1, turn=1)
    assert (own - late < 0.03).all(), "by then it has been read"


# the table: adapters


@pytest.mark.parametrize("name", ["mean", "shuffle", "resampler", "resampler, pooling"])
def test_no_adapter_of_300_steps_reads_more_than_merging_without_training(table, name):
    found, merged = (np.array(part) for part in (
        table.arm("digit", name, 16, 300), table.of("digit", "tome", 16, sizes=True, projector="after")))  # fmt: skip
    assert len(found) == 3 and (found < merged).all() and (found > 0.7).all()


def test_a_smaller_picture_trained_alike_reads_nothing(table):
    small, means = (np.array(table.arm("digit", *arm)) for arm in (("smaller picture", 16, 300), ("mean", 16, 300)))
    assert (small < 0.2).all() and (means - small > 0.5).all()


def test_queries_without_a_place_lose_it_with_one_seed_and_not_with_another(table):
    plain, pooled = (table.arm("where", name, 16, 300) for name in ("resampler", "resampler, pooling"))
    at = LEARNED["where"]
    assert min(plain[i] for i in at) < 0.6 < 0.8 < max(plain[i] for i in at)
    assert min(pooled[i] for i in at) > 0.95


def test_what_luck_decides(table):
    for name in ("resampler, taught", "learned score"):
        found = table.arm("digit", name, 16, 300)
        assert min(found) < 0.2 and max(found) > 0.85


def test_a_course_leads_to_its_end():
    for row in TABLE["arms"]:
        assert [point["step"] for point in row["course"]] == list(range(100, row["steps"] + 1, 100))
        assert all(row["course"][-1][kind] == row["right"][kind] for kind in ("colour", "where", "count", "digit"))


def test_the_control_knows_why_random_is_weak(table):
    """Where tags are taught in every patch that a thing covers, an even grid still finds it."""
    for kind in ("colour", "where", "shape"):
        assert table.of(kind, "even", 16, "spread")[0] > 0.9
        assert max(of(table, kind, "even", 16)) < 0.6
    assert table.of("digit", "oracle", 1, "spread")[0] < min(of(table, "digit", "oracle", 1)) - 0.1
