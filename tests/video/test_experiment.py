"""The tables behind the chapter on video: complete, honest about what they leave out, and equal to what runs here."""

import json
import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from experiment_programs import experiment_named
from PIL import Image

from mmtokedu import measured
from mmtokedu.samples.moments import FRAMES, SIZE, moment
from mmtokedu.video import video_tokens

pytestmark = pytest.mark.apart

ROOT = Path(__file__).resolve().parents[2]
TABLE = json.loads((ROOT / "mmtokedu" / "data" / "results" / "video.json").read_text(encoding="utf-8"))
SETTINGS, UNIFORM, SYSTEMS = TABLE["settings"], TABLE["uniform"]["rows"], TABLE["systems"]["rows"]
ARMS, DECOYS, NOISE, FOUND = TABLE["arms"]["rows"], TABLE["decoys"]["rows"], TABLE["noise"]["rows"], TABLE["found"]
SECONDS, BUDGETS, CLIPS = SETTINGS["seconds"], SETTINGS["budgets"], SETTINGS["clips"]
PLACES = "twice, places, pan-tolerant"
pytest.importorskip("tqdm", reason="the experiments show their progress with tqdm")


@pytest.fixture(scope="module")
def experiment():
    with experiment_named("video") as module:
        yield module


@pytest.fixture
def formula(experiment, monkeypatch):
    """An engine that reads every number of at least 4 pixels, and what it was asked: [(seed, frame, size), ...]."""
    asked = []

    def said(drawn, i, size):
        asked.append((drawn.seed, i, size))
        return drawn.number if drawn.height * size[0] / SIZE[0] >= 4 else "0"

    monkeypatch.setattr(experiment, "said", said)
    return asked


def cells(budget, height, fps=None):
    rows = [row for row in UNIFORM if (row["budget"], row["height"]) == (budget, height)]
    return rows if fps is None else next(row for row in rows if row["fps"] == fps)


def best(rows, arm, budget):
    """An arm's row at a budget, at its best rate."""
    return max((row for row in rows if (row["arm"], row["budget"]) == (arm, budget)), key=lambda row: row["mean"])


def unpack(bits):
    return np.unpackbits(np.frombuffer(bytes.fromhex(bits), np.uint8))[:CLIPS]


# the file


def test_result_says_where_and_when_it_was_made(experiment):
    assert date.fromisoformat(TABLE["date"]) <= date.today() and "cores" in TABLE["device"]
    assert [name for name in TABLE if name in experiment.PARTS] == list(experiment.PARTS)
    for name in experiment.PARTS:
        part = TABLE[name]
        assert date.fromisoformat(part["date"]) <= date.today() and part["processor_seconds"] > 0 and part["device"]
        engine = "scenedetect" if name == "cuts" else "rapidocr models"
        assert all(part["versions"].values()) and {"python", "numpy", "pillow", engine} <= set(part["versions"])
    assert sum(TABLE[name]["processor_seconds"] for name in experiment.PARTS) < 3600


def test_result_was_made_from_the_clips_that_ship(experiment):
    assert SETTINGS["drawn"] == experiment.drawing_key(), "the clips changed: run experiments/video.py again"


def test_settings_in_the_file_are_those_of_the_program(experiment):
    assert json.loads(json.dumps(experiment.settings())) == SETTINGS
    assert SECONDS == list(experiment.SECONDS) and CLIPS == experiment.CLIPS == 40


def test_file_is_written_the_way_the_program_writes(experiment):
    assert experiment.as_text(TABLE) == experiment.RESULTS.read_text(encoding="utf-8")


def test_the_curve_is_made_of_the_rows(experiment):
    assert TABLE["curve"] == experiment.curve(UNIFORM, ARMS) == measured.curve("video")
    assert len({point["instrument"] for point in TABLE["curve"]}) == 3
    for name in {point["instrument"] for point in TABLE["curve"]}:
        quality = [point["quality"] for point in TABLE["curve"] if point["instrument"] == name]
        assert len(quality) == len(BUDGETS) and quality == sorted(quality)


# the rows


def test_every_cell_is_there_and_spends_no_more_than_its_budget(experiment):
    plan = [(b, f) for b in BUDGETS for f in SETTINGS["rates"] if experiment.fit(b, round(20 * f)) is not None]
    expected = [(budget, fps, height) for budget, fps in plan for height in SETTINGS["heights"]]
    assert [(row["budget"], row["fps"], row["height"]) for row in UNIFORM] == expected
    for row in UNIFORM:
        size, tokens = experiment.fit(row["budget"], row["frames"])
        assert (row["size"], row["tokens"]) == (list(size), tokens) and tokens <= row["budget"]
        assert tokens == math.ceil(row["frames"] / 2) * math.prod(size) / 784
        assert row["px"] == round(row["height"] * size[0] / SIZE[0], 2)
    for row in [*ARMS, *DECOYS, *NOISE]:
        assert row["tokens"] <= row["budget"]
        assert bool(row["outside"]) == row["arm"].startswith("adaptive")  # what no token paid for is said


def test_shares_are_those_of_the_clips():
    for row in [*UNIFORM, *(part for system in SYSTEMS for part in system["by_height"])]:
        bits = np.array([unpack(line) for line in row["clips"]])
        np.testing.assert_allclose(bits.mean(axis=1), row["right"], atol=1e-4)
        assert (np.diff(bits.astype(int), axis=0) >= 0).all()  # what a shorter moment shows the longer ones do
        assert all(right <= seen for right, seen in zip(row["right"], row["seen"]))
    for row in [*ARMS, *DECOYS, *NOISE]:
        bits = np.array([[unpack(bits) for bits in line] for line in row["clips"]])
        np.testing.assert_allclose(bits.mean(axis=2), row["right"], atol=1e-4)
        assert abs(bits.mean() - row["mean"]) < 1e-4


def test_predictions_are_the_formula(experiment):
    for row in UNIFORM:
        assert row["predicted"] == experiment.predicted(TABLE["stills"]["rows"], row["fps"], row["px"])
    plate = {row["px"]: row["right"] for row in TABLE["stills"]["rows"] if row["style"] == "plate"}
    assert plate[2.5] == 0 == plate[2] and list(plate) == list(experiment.READ_AT)  # so less need not be read
    for row in UNIFORM:
        if row["px"] < SETTINGS["legible"]:
            assert not any(row["right"])


def test_systems_take_what_the_catalog_says(experiment):
    assert [(row["model"], row["options"]) for row in SYSTEMS] == [tuple(system) for system in experiment.SYSTEMS]
    for row in SYSTEMS:
        indices, size, tokens = experiment.taken_by(row["model"], row["options"])
        assert (row["frames"], row["size"], row["tokens"]) == (len(indices), list(size), tokens)
        assert row["last"] == indices[-1] and tokens == video_tokens(row["model"], len(indices), *SIZE)
        assert row["last_second"] == [experiment.seen_within(indices, 570, 600, d) for d in SECONDS[:4]]
        for part in row["by_height"]:
            np.testing.assert_allclose(part["seen"], row["anywhere"], atol=0.08)


# the program


def test_a_formula_for_an_engine_is_measured_as_it_is(experiment, formula):
    """An engine that reads from 4 pixels on: what is measured is what was sampled, and close to min(1, d * f)."""
    stills = [{"style": "plate", "px": px, "right": float(px >= 4)} for px in np.arange(2, 30, 0.01)]
    rows = experiment.measure_uniform(stills, clips=40, budgets=(1024,), rates=(0.5, 2), heights=(12, 28))
    assert [(row["fps"], row["px"]) for row in rows] == [(0.5, 4.67), (0.5, 10.89), (2, 2.33), (2, 5.44)]
    for row in rows:
        assert row["right"] == (row["seen"] if row["px"] >= 4 else [0] * 5)
        np.testing.assert_allclose(row["right"], row["predicted"], atol=0.08)
    assert all(size[0] * 28 / SIZE[0] >= 4 for _, _, size in formula)  # 2.33 pixels were not even asked for


def test_frames_are_read_until_one_succeeds(experiment, formula):
    nested = experiment.moments(3, 18)
    seen, right = experiment.outcome(nested, np.arange(FRAMES), (280, 504))
    assert seen == right == [True] * 5 and len(formula) == 1
    assert nested[0].first <= formula[0][1] < nested[0].end
    formula.clear()
    seen, right = experiment.outcome(nested, np.arange(FRAMES), (112, 224))  # 2.8 pixels
    assert seen == [True] * 5 and right == [False] * 5 and len(formula) == nested[-1].end - nested[-1].first
    assert experiment.outcome(nested, [], (280, 504)) == ([False] * 5, [False] * 5)


def test_arms_are_scored_alike(experiment, formula, monkeypatch):
    """With that engine, uniform frames see what they see, and a second look at full size reads what the first missed."""
    monkeypatch.setattr(experiment, "WATCHED", np.arange(0, FRAMES, 15))
    monkeypatch.setattr(experiment, "ARM_RATES", (0.5, 2))
    monkeypatch.setattr(experiment, "COARSE", (2,))
    rows = experiment.measure_arms(clips=2, budgets=(1024,), heights=(18,), seconds=(1,))
    found = {(row["arm"], row["fps"]): row for row in rows}
    indices, drawn = experiment.evenly(0.5), [moment(seed, seconds=1) for seed in range(2)]
    sampled = [any(one.first <= i < one.end for i in indices) for one in drawn]
    assert found["uniform", 0.5]["clips"] == [[experiment.packed(sampled)]]
    assert found["uniform", 2]["mean"] == 0  # 3.5 pixels
    assert found[PLACES, 2]["mean"] == 1
    assert all(row["tokens"] <= 1024 for row in rows) and len(found) == 1 + 4 * 2 + 1 + 6


def test_a_cut_out_is_that_of_the_whole_resized_frame(experiment):
    for seed in (0, 1, 6, 7):
        drawn = moment(seed, height=28)
        for size in ((196, 364), (84, 168), (448, 448), (728, 1288)):
            y0, x0, y1, x1 = (n * size[k % 2] / SIZE[k % 2] for k, n in enumerate(drawn.box(drawn.first)))
            whole = np.asarray(Image.fromarray(drawn.frame(drawn.first)).resize(size[::-1], Image.BICUBIC)).astype(int)
            part = whole[math.floor(y0) : math.ceil(y1), math.floor(x0) : math.ceil(x1)]
            assert abs(experiment.cut_out(drawn, drawn.first, size) - part).max() <= 1


def test_what_was_read_is_kept_for_the_next_run(experiment, tmp_path):
    path = tmp_path / "build" / "reads.jsonl"
    first = experiment.Reads(path)
    assert first.get((1, "a"), lambda: "12") == "12" == first.get((1, "a"), lambda: "no")
    again = experiment.Reads(path, resume=True)
    assert again.get((1, "a"), lambda: "no") == "12" and again.fresh == 0
    assert experiment.Reads(path).get((1, "a"), lambda: "34") == "34"
    path.write_text('"other clips"\n' + path.read_text(encoding="utf-8").split("\n", 1)[1], encoding="utf-8")
    assert experiment.Reads(path, resume=True).get((1, "a"), lambda: "56") == "56"


def test_a_pan_is_no_change_to_the_tolerant_score(experiment):
    rng = np.random.default_rng(0)
    wide = np.repeat(np.repeat(rng.integers(90, 150, (18, 36)), 4, axis=0), 4, axis=1).astype(np.uint8)
    grey = np.stack([wide[:, 2 * t : 2 * t + 128] for t in range(6)])
    grey[3, 40:44, 60:68] = 255
    look = experiment.look
    assert look.differences(grey, False)[1].mean() > 5 > 1 > look.differences(grey, True)[1].mean()
    strength, middle = look.peaks(look.cells(look.differences(grey, True)))
    assert strength.argmax() == 3
    np.testing.assert_allclose(middle[3], [42 * 10, 64 * 10], atol=40)


def test_a_dropped_token_shows_what_was_last_kept(experiment):
    frames = np.random.default_rng(0).integers(0, 256, (3, 56, 84, 3)).astype(np.uint8)
    mask = np.ones((3, 6), bool)
    mask[1:, 4] = False
    shown = experiment.still.rebuilt(frames, mask)
    np.testing.assert_array_equal(shown[2, 28:, 28:56], frames[0, 28:, 28:56])
    shown[:, 28:, 28:56] = frames[:, 28:, 28:56]
    np.testing.assert_array_equal(shown, frames)
    tokens = experiment.still.tokens_of(frames)
    np.testing.assert_allclose(tokens[1, 4].reshape(28, 28, 3) * 255, frames[1, 28:, 28:56], atol=1e-3)


# the story: what the pages may say


def arm(name, rows=ARMS):
    """The mean of an arm at its best rate, by budget."""
    return {budget: best(rows, name, budget)["mean"] for budget in sorted({row["budget"] for row in rows})}


def test_a_number_that_was_sampled_large_enough_is_read():
    for row in UNIFORM:
        if row["px"] >= 4.5:
            np.testing.assert_allclose(row["right"], row["seen"], atol=0.026)  # one clip of forty


def test_the_formula_holds_but_on_the_cliff():
    off, cliff = [], []
    for row in UNIFORM:
        here = cliff if 3 <= row["px"] < 4 else off
        here += [right - said for right, said in zip(row["right"], row["predicted"])]
    assert len(off) + len(cliff) == 600 and len(cliff) == 80
    assert np.abs(off).mean() < 0.015 and np.abs(off).max() < 0.1
    assert np.mean(cliff) > 0.15  # several looks, and frames a little wider than the clip's shape: better than said


def test_a_thousand_tokens_for_digits_of_18_pixels():
    """A second long: read always at one frame a second, half as often at half the rate, never at four."""
    right = {row["fps"]: dict(zip(SECONDS, row["right"])) for row in cells(1024, 18)}
    assert right[1][1] == 1 and 0.45 <= right[0.5][1] <= 0.6 and 0.2 <= right[0.25][1] <= 0.3
    assert 0.5 < right[2][1] < 0.85 and right[4][1] == right[8][1] == 0
    assert right[0.5][2] == 1 and right[2][0.1] < 0.25


def test_the_best_rate_is_the_lowest_that_misses_nothing_unless_the_digits_get_too_small():
    losses, always_two = [], []
    for budget in BUDGETS:
        for height in SETTINGS["heights"]:
            rows = {row["fps"]: row for row in cells(budget, height)}
            large = [fps for fps, row in rows.items() if row["px"] >= 3.5]
            for n, seconds in enumerate(SECONDS):
                enough = [fps for fps in large if fps >= 1 / seconds]
                pick = min(enough) if enough else max(large, default=min(rows))
                top = max(row["right"][n] for row in rows.values())
                losses.append(top - rows[pick]["right"][n])
                always_two.append(top - rows[2]["right"][n])
    assert len(losses) == 100 and sum(loss < 0.051 for loss in losses) >= 92 and np.mean(losses) < 0.02
    assert np.mean(always_two) > 0.12 and max(always_two) == 1


def test_a_budget_spent_on_mean_change_loses_where_there_is_enough():
    uniform, change, half = arm("uniform"), arm("adaptive, by mean change"), arm("adaptive, half by mean change")
    assert change[4096] < uniform[4096] - 0.1 and change[2048] < uniform[2048] - 0.05
    assert abs(change[1024] - uniform[1024]) < 0.06
    assert change[256] > uniform[256] + 0.05  # where even frames are too few and too small anyway
    assert all(half[budget] > change[budget] + 0.02 for budget in BUDGETS)


def test_the_strongest_cell_finds_what_the_mean_does_not():
    for name in ("adaptive, strongest cell", "adaptive, strongest cell, pan-tolerant"):
        assert all(arm(name)[budget] > arm("uniform")[budget] + 0.1 for budget in BUDGETS)
        assert min(arm(name)[budget] for budget in (512, 1024, 2048, 4096)) >= 0.88


def test_looking_twice_at_places_beats_even_frames_and_at_one_window_loses():
    uniform, places, window = arm("uniform"), arm(PLACES), arm("twice, 1 whole, pan-tolerant")
    assert all(places[budget] > uniform[budget] + 0.1 for budget in BUDGETS)
    assert all(window[budget] < uniform[budget] - 0.08 for budget in BUDGETS[1:])
    assert places[1024] > uniform[4096] + 0.03 and best(ARMS, PLACES, 1024)["tokens"] < 900
    assert arm("twice, places")[1024] < places[1024] - 0.1  # a pan is change everywhere


def test_decoys_cost_one_window_more_than_several_places():
    window, places = arm("twice, 1 whole, pan-tolerant", DECOYS), arm(PLACES, DECOYS)
    for budget in (512, 1024):
        assert places[budget] > arm("uniform", DECOYS)[budget] + 0.15 > window[budget] + 0.3
    assert {row["decoys"] for row in DECOYS} == {6} and {row["decoys"] for row in ARMS} == {0}


def test_finding_takes_more_pixels_than_reading():
    stills = {row["px"]: row for row in FOUND["stills"]}
    assert stills[5]["told"] == 1 > 0.9 > stills[5]["found"] and stills[4]["found"] < stills[4]["told"] - 0.2
    assert all(row["found"] == row["told"] == 1 for px, row in stills.items() if px >= 7)
    clips = {(row["fps"], row["seconds"]): row for row in FOUND["clips"]}
    assert clips[1, 1]["told"] == 1 and clips[1, 1]["found"] < 0.75
    assert clips[0.5, 1]["found"] == clips[0.5, 1]["told"]
    assert FOUND["blank"]["a_number_read"] == 0 and FOUND["blank"]["frames"] == 40
    for row in FOUND["as_shipped"]:
        assert abs(row["found"] - stills[row["px"]]["found"]) <= 0.1


def test_near_the_limit_another_number_is_read():
    stills = {(row["style"], row["px"]): row for row in TABLE["stills"]["rows"]}
    assert stills["plate", 3.5]["other_number"] > 0.2 and 0.2 < stills["plate", 3.5]["right"] < 0.6
    assert all(stills["plate", px]["right"] >= 0.95 for px in (4.5, 5, 6, 8, 12, 24))
    assert stills["plate", 4]["right"] > stills["outlined", 4]["right"] + 0.2
    assert stills["squeezed", 4]["right"] == 0 and stills["squeezed", 7]["right"] > 0.9  # squares squeeze a wide frame
    assert stills["plate", 5]["tesseract"]["right"] < 0.8 <= stills["plate", 6]["tesseract"]["right"]


def test_most_systems_are_limited_by_frames_and_not_by_pixels():
    small = {"qwen3-vl-class-default", "video-llama-3", "muse-glimmer", "llava-onevision", "molmo2"}
    for row in SYSTEMS:
        by_height = [part["right"] for part in row["by_height"]]
        same = [np.mean(right) for right in by_height]
        assert (max(same) - min(same) < 0.001) == (row["model"] not in small)
    qwen = next(row for row in SYSTEMS if row["model"] == "qwen2.5-vl")
    two = {row["height"]: row for row in UNIFORM if (row["budget"], row["fps"]) == (4096, 2)}
    assert qwen["tokens"] > 3.5 * two[12]["tokens"]
    assert abs(qwen["right"] - np.mean([row["right"] for row in two.values()])) < 0.02


def test_some_systems_do_not_see_the_last_second():
    last = {(row["model"], row["frames"]): row["last_second"][SECONDS.index(0.5)] for row in SYSTEMS}
    assert last["internvl", 8] == last["video-llama-3", 20] == 0 < last["smolvlm2", 20] < 0.1
    assert last["qwen2.5-vl", 40] == last["glm-4.1v", 40] == 1
    assert 0.7 < last["gemma-4", 32] == last["llava-onevision", 32] < 0.8


def test_half_the_tokens_may_go_and_a_tenth_is_too_few_for_a_camera_that_pans():
    rows = {(row["way"], row["setting"], row["noise"]): row for row in TABLE["still"]["rows"]}
    for noise in (0, 2):
        assert rows["all", 0, noise]["right"] == 1
        for way in ("prune_static, pixels", "prune_static, mean colours"):
            right = {rate: rows[way, rate, noise] for rate in (0.5, 0.75, 0.9, 0.95)}
            assert right[0.5]["right"] >= 0.9 > right[0.9]["right"] > right[0.95]["right"]
            assert all(abs(row["kept"] - (1 - rate)) < 0.001 for rate, row in right.items())
            assert right[0.9]["by_kind"]["locked, standing"]["right"] == 1
            assert right[0.9]["by_kind"]["panning, moving"]["right"] < 0.5
        assert all(row["right"] == 1 for (way, *_, n), row in rows.items() if way == "difference_mask" and n == noise)


def test_a_little_noise_takes_the_saving_from_video_llama_3_at_its_own_threshold():
    rows = {(row["setting"], row["noise"]): row for row in TABLE["still"]["rows"] if row["way"] == "difference_mask"}
    assert rows[0.1, 0]["kept"] < 0.6 and rows[0.1, 2]["kept"] > 0.99 and rows[1.0, 2]["kept"] < 0.6
    kinds = rows[0.1, 0]["by_kind"]
    assert kinds["locked, standing"]["kept"] < 0.2 and kinds["panning, standing"]["kept"] > 0.9


def test_hard_cuts_are_found_and_fades_are_not():
    rows = {(row["rule"], row["noise"], row["fade"]): row for row in TABLE["cuts"]["rows"]}
    counts = lambda rule, noise, fade: [rows[rule, noise, fade][key] for key in ("found", "missed", "false")]
    for noise, fade in ((0, 0), (4, 0), (0, 16)):
        for rule in ("content", "adaptive"):
            assert counts(rule, noise, fade) == counts(f"PySceneDetect, {rule}", noise, fade)
        assert all(rows[rule, noise, fade]["cuts"] == 70 for rule in ("content", "luma"))
    for noise in (0, 4):
        assert counts("luma", noise, 0) == counts("adaptive", noise, 0) == [70, 0, 0]
        assert counts("content", noise, 0)[0] >= 63 and counts("content", noise, 0)[2] == 0
        assert 45 <= counts("key frames, x264 (encoding counted)", noise, 0)[0] < 65
    assert all(counts(rule, 0, 16)[0] <= 5 for rule in ("content", "luma", "adaptive"))
    seconds = {rule: rows[rule, 0, 0]["seconds"]["median"] for rule in ("luma", "content", "PySceneDetect, content")}
    assert 5 * seconds["luma"] < seconds["PySceneDetect, content"] < seconds["content"]


def test_noise_changes_none_of_it():
    """Noise of at most 3 of 255: the arms' order at one height and length stays."""
    plain = {(row["arm"], row["budget"], row["fps"]): row["right"][row["heights"].index(18)][1] for row in ARMS}
    top = lambda arm, budget: max(right for key, right in plain.items() if key[:2] == (arm, budget))
    for budget in (512, 1024):
        for name in ("uniform", "adaptive, strongest cell, pan-tolerant", PLACES):
            assert abs(arm(name, NOISE)[budget] - top(name, budget)) < 0.12
        assert arm(PLACES, NOISE)[budget] > arm("uniform", NOISE)[budget] + 0.2
