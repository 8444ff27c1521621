"""The tables behind the chapter on RVQ: complete, consistent in themselves, true to what is said, equal to what runs here."""

import importlib.util
import itertools
import json
import math
import statistics
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from experiment_programs import experiment_named

from mmtokedu import samples

pytestmark = pytest.mark.trains

pytest.importorskip("tqdm", reason="the experiments show their progress with tqdm")
pytest.importorskip("soundfile", reason="the speech is FLAC")

ROOT = Path(__file__).resolve().parents[2]
TABLE = json.loads((ROOT / "mmtokedu" / "data" / "results" / "rvq.json").read_text(encoding="utf-8"))
KMEANS, CODEC, STREAMS, HEARD = TABLE["kmeans"], TABLE["codec"], TABLE["streams"], TABLE["heard"]
MEASURES = "snr", "si_sdr", "log_mel", "stoi"
ROWS = [*KMEANS["rows"], *CODEC["rows"]]
needs_pystoi = pytest.mark.skipif(importlib.util.find_spec("pystoi") is None, reason="pystoi is missing")


@pytest.fixture(scope="module")
def experiment():
    with experiment_named("rvq") as module:
        yield module


@pytest.fixture(scope="module")
def measured(experiment):
    return sys.modules["_rvq_metrics"]


@pytest.fixture(scope="module")
def streams(experiment):
    pytest.importorskip("torch")
    return importlib.import_module("_rvq_streams")


@pytest.fixture(scope="module")
def shipped():
    pytest.importorskip("torch")
    from mmtokedu.nn.codec import load

    return load()


def row_of(rows, **wanted):
    found = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    assert len(found) == 1, wanted
    return found[0]


def curve(rows, measure, **wanted):
    """The mean of a measure for 1, 2, ... 8 codebooks."""
    return [row_of(rows, Q=stages, **wanted)[measure]["mean"] for stages in range(1, 9)]


# the file


def test_result_says_where_and_when_it_was_made():
    assert date.fromisoformat(TABLE["date"]) <= date.today()
    assert set(TABLE["versions"]) == {"python", "numpy", "torch", "pystoi", "soundfile"}
    assert all(TABLE["versions"].values()) and "cores" in TABLE["device"] and "one thread" in TABLE["device"]
    assert 0 < TABLE["training_seconds"] < 1500


def test_file_is_written_the_way_the_program_writes(experiment):
    assert experiment.as_text(TABLE) == experiment.RESULTS.read_text(encoding="utf-8")


def test_the_package_ships_the_results(experiment):
    """Colab has the package, not the repository: the chapter reads them there."""
    assert "results/rvq.json" in samples.ITEMS and samples.results("rvq") == TABLE


def test_settings_in_the_file_are_those_of_the_program(experiment, streams):
    as_read = lambda value: json.loads(json.dumps(value))
    assert KMEANS["settings"] == as_read(experiment.kmeans_settings())
    assert CODEC["settings"] == as_read(experiment.codec_settings())
    assert STREAMS["settings"] == as_read(experiment.stream_settings())


def test_settings_are_what_the_code_does(experiment):
    """Those that are defaults of the library and only named in the file."""
    import inspect

    pytest.importorskip("torch")
    from mmtokedu import vq
    from mmtokedu.nn import codec

    default = lambda function, name: inspect.signature(function).parameters[name].default
    said = CODEC["settings"]
    assert said["batch"] == default(codec.train, "batch") and said["warm_up"] == default(codec.train, "warm_up")
    assert said["excerpt_seconds"] == default(codec.train, "seconds")
    assert f"{default(codec.train, 'learning_rate')}" in said["optimizer"]
    for name in ("commitment", "decay", "restart_below"):
        assert said[name] == default(codec.ResidualQuantizer, name)
    for name in ("rate", "hop", "width", "hidden", "Q", "K"):
        assert said[name] == default(codec.SpeechCodec, name)
    assert KMEANS["settings"]["iterations"] == default(inspect.unwrap(vq.kmeans_init), "iterations")


def test_every_cell_that_was_planned_is_in_the_file(experiment, streams):
    stages = range(1, experiment.Q + 1)
    cells = {((r["hop"], r["restarts"]), r["split"], r["Q"]) for r in KMEANS["rows"]}
    assert cells == {(k, s, q) for k in experiment.STACKS for s in experiment.TESTS for q in stages}
    assert len(cells) == len(KMEANS["rows"])
    cells = {(r["arm"], r["split"], r["Q"]) for r in CODEC["rows"]}
    assert cells == {(a, s, q) for a in experiment.ARMS for s in experiment.TESTS for q in (*stages, None)}
    assert len(cells) == len(CODEC["rows"])
    for row in (*CODEC["rows"], *CODEC["trained"]):
        named = row["architecture"], row["steps"], row["dropout"]
        assert (*named, row["seeds"]) == (*experiment.ARMS[row["arm"]][:3], len(experiment.ARMS[row["arm"]][3]))
    assert [r["arm"] for r in CODEC["trained"]] == list(experiment.ARMS)
    assert [r["layout"] for r in STREAMS["rows"]] == list(streams.LAYOUTS)
    assert [(c["layout"], c["update"]) for c in STREAMS["curves"]] == [
        (layout, update) for layout in streams.LAYOUTS for update in streams.MARKS
    ]
    measured = ["train", *experiment.TESTS]
    planned = [(*stack, vectors) for stack in experiment.STACKS for vectors in measured]
    noise = [s for s in KMEANS["stages"] if "noise" in s["vectors"]]
    assert [(s["hop"], s["restarts"], s["vectors"]) for s in KMEANS["stages"] if s not in noise] == planned
    assert [(s["hop"], s["vectors"]) for s in noise] == [(64, "noise, learned from"), (64, "noise, new")]


# the numbers among themselves


def spreads_of(row):
    return {name: value for name, value in row.items() if isinstance(value, dict)}


def test_every_row_agrees_with_itself():
    for row in (*ROWS, *CODEC["trained"], *KMEANS["trained"], *STREAMS["rows"], *STREAMS["curves"]):
        for name, value in spreads_of(row).items():
            assert len(value["each"]) == row.get("seeds", 3), (row, name)
            assert (value["low"], value["high"]) == (min(value["each"]), max(value["each"]))
            assert value["mean"] == pytest.approx(statistics.fmean(value["each"]), abs=0.06)
            assert value["low"] - 0.06 <= value["mean"] <= value["high"] + 0.06


def test_rows_have_all_measures_and_the_right_rate():
    for row in ROWS:
        assert set(spreads_of(row)) == set(MEASURES)
        rate = row.get("frame_rate", 100)
        assert row["bits_per_second"] == (None if row["Q"] is None else rate * row["Q"] * 8)
        assert all(0 < x < 1 for x in row["stoi"]["each"]) and min(row["log_mel"]["each"]) > 0


def test_stages_say_theory_and_add_up():
    for row in KMEANS["stages"]:
        assert row["theory"] == pytest.approx(6.0206 * math.log2(256) / row["hop"], abs=2e-3)
        assert all(low <= mean <= high for low, mean, high in zip(row["low"], row["gain"], row["high"]))
    for hop in (64, 160, 320):  # SNR over all recordings together, and the mean of each: near, not equal
        gains = row_of(KMEANS["stages"], hop=hop, restarts=False, vectors="new_voice")["gain"]
        row = row_of(KMEANS["rows"], hop=hop, restarts=False, split="new_voice", Q=8)
        assert sum(gains) == pytest.approx(row["snr"]["mean"], abs=0.3)


def test_streams_add_up(streams):
    for row in STREAMS["rows"]:
        parts = [row[f"bits_{q}"]["mean"] for q in range(1, streams.STAGES + 1)]
        assert sum(parts) == pytest.approx(row["bits"]["mean"], abs=0.01)
        last = [c for c in STREAMS["curves"] if c["layout"] == row["layout"]][-1]
        assert last["bits"] == row["bits"] and last["update"] == STREAMS["settings"]["updates"]
        assert row["updates_per_second"]["mean"] == pytest.approx(last["update"] / row["seconds"]["mean"], rel=0.1)
    frames, stages = STREAMS["settings"]["window_frames"], streams.STAGES
    positions = {"flattened": frames * stages, "parallel": frames, "delayed": frames + stages - 1}
    assert {row["layout"]: row["positions"] for row in STREAMS["rows"]} == positions
    assert STREAMS["without_a_model"]["fixed_bits"] == 8 * stages
    assert STREAMS["without_a_model"]["frequencies_bits"] < 8 * stages


# what the chapter says of them


@pytest.mark.parametrize("split", ["new_sentences", "new_voice"])
def test_every_codebook_more_is_heard(split):
    stacks = [(KMEANS["rows"], {"hop": hop, "restarts": restarts}) for hop, restarts in KMEANS["settings"]["stacks"]]
    arms = [(CODEC["rows"], {"arm": row["arm"]}) for row in CODEC["trained"] if row["architecture"] == "mdct"]
    for rows, named in (*stacks, *arms):
        snr = curve(rows, "snr", split=split, **named)
        assert (np.diff(snr) > 0.1).all(), named
        long = named.get("arm", "").startswith("long")  # noise fills quiet bands until training has seen to it
        log_mel = (("log_mel", -1),) if long else ()
        for measure, sign in (("si_sdr", 1), ("stoi", 1), *log_mel):
            first, second, fourth, eighth = (curve(rows, measure, split=split, **named)[q - 1] for q in (1, 2, 4, 8))
            assert sign * first < sign * second < sign * fourth < sign * eighth, (named, measure)


def test_more_codebooks_of_kmeans_at_50_frames_do_not_help_the_log_mel_distance():
    """The signal-to-noise ratio that they minimize rises all the same."""
    log_mel = curve(KMEANS["rows"], "log_mel", hop=320, restarts=False, split="new_voice")
    assert (
        log_mel[7] > log_mel[0]
        and min(np.diff(curve(KMEANS["rows"], "snr", hop=320, restarts=False, split="new_voice"))) > 0
    )


def test_more_frames_a_second_are_better_and_cost_more():
    rows = [row_of(KMEANS["rows"], hop=hop, restarts=False, split="new_voice", Q=8) for hop in (320, 160, 64)]
    for before, after in itertools.pairwise(rows):
        assert before["bits_per_second"] < after["bits_per_second"]
        assert before["snr"]["high"] + 1 < after["snr"]["low"] and before["stoi"]["high"] < after["stoi"]["low"]


def test_noise_gains_less_than_theory_and_speech_more():
    named = {"hop": KMEANS["settings"]["noise"], "restarts": False}
    new, old, speech = (
        row_of(KMEANS["stages"], vectors=vectors, **named)
        for vectors in ("noise, new", "noise, learned from", "new_voice")
    )
    assert max(new["high"]) < min(old["low"]) and max(old["high"]) < old["theory"]
    assert np.ptp(new["gain"]) < 0.1, "each stage of noise is noise again: the gains are alike"
    assert speech["gain"][0] > 4 * speech["theory"] and speech["gain"][0] > 2 * speech["gain"][-1]
    assert min(speech["gain"]) > speech["theory"]


@pytest.mark.parametrize("split", ["new_sentences", "new_voice"])
def test_what_the_network_buys_over_kmeans_at_the_same_bits(split):
    """A good deal of log-mel distance, little signal-to-noise ratio."""
    plain = row_of(KMEANS["rows"], hop=160, restarts=True, split=split, Q=8)
    trained = row_of(CODEC["rows"], arm="long", split=split, Q=8)
    assert plain["bits_per_second"] == trained["bits_per_second"] == 6400
    assert trained["log_mel"]["high"] < plain["log_mel"]["low"] - 0.5
    assert 0 < trained["snr"]["low"] - plain["snr"]["high"] < 1


@pytest.mark.parametrize("split", ["new_sentences", "new_voice"])
def test_dropout_trades_the_sound_of_all_codebooks_for_that_of_one(split):
    arms = "long, dropout 0", "long", "long, dropout 1"
    never, half, always = (
        [row_of(CODEC["rows"], arm=arm, split=split, Q=q)["log_mel"] for q in (1, 8)] for arm in arms
    )
    assert always[0]["high"] < never[0]["low"] and never[1]["high"] + 0.1 < always[1]["low"]
    assert always[0]["mean"] < half[0]["mean"] < never[0]["mean"]
    assert never[1]["mean"] < half[1]["mean"] < always[1]["mean"]


def test_longer_training_helps():
    short, long = (row_of(CODEC["rows"], arm=arm, split="new_voice", Q=8) for arm in ("live", "long"))
    assert short["snr"]["high"] + 0.5 < long["snr"]["low"] and short["log_mel"]["low"] > long["log_mel"]["high"] + 0.5


def test_a_seanet_learns_no_waveform_in_the_time():
    """Nor does it without a quantizer: it is the network that has not arrived, not the codebooks."""
    for stages in (8, None):
        row = row_of(CODEC["rows"], arm="SEANet", split="new_voice", Q=stages)
        assert row["snr"]["high"] < 1 < 5 < row_of(CODEC["rows"], arm="live", split="new_voice", Q=stages)["snr"]["low"]
    seconds = {row["arm"]: row["seconds"]["mean"] for row in CODEC["trained"]}
    assert seconds["SEANet"] > 2 * seconds["live"]


def test_layouts_in_order():
    """Frames that are written at once ignore what their codes say about each other."""
    rows = {row["layout"]: row for row in STREAMS["rows"]}
    assert rows["delayed"]["bits"]["high"] < rows["parallel"]["bits"]["low"]
    assert rows["flattened"]["bits"]["high"] < rows["parallel"]["bits"]["low"]
    assert rows["parallel"]["updates_per_second"]["low"] > 1.5 * rows["flattened"]["updates_per_second"]["high"]
    assert max(row["bits"]["high"] for row in rows.values()) < STREAMS["without_a_model"]["frequencies_bits"]


# the measures by hand


def test_measures_by_hand(measured):
    draw = np.random.default_rng(0)
    sound, noise = draw.standard_normal((2, 16_000))
    noise -= (noise @ sound) / (sound @ sound) * sound  # nothing of the sound is in it
    noise *= np.sqrt((sound @ sound) / (noise @ noise)) / 10
    assert measured.snr(sound, sound + noise) == pytest.approx(20)
    assert measured.si_sdr(sound, 3 * (sound + noise)) == pytest.approx(20)
    assert measured.snr(sound, 0 * sound) == 0 and measured.snr(sound, 2 * sound) == 0
    assert measured.log_mel_distance(sound, -sound) == pytest.approx(0)
    assert measured.log_mel_distance(sound, 10 * sound) == pytest.approx(20)


def test_quiet_frames_and_quiet_bands_do_not_count(measured):
    draw = np.random.default_rng(0)
    sound = np.concatenate([draw.standard_normal(16_000), 1e-4 * draw.standard_normal(16_000)])
    other = sound.copy()
    other[17_024:] *= 30  # from 80 to 50 dB under the rest, and a window away from it
    assert measured.log_mel_distance(sound, other) == pytest.approx(0)
    tone = np.sin(2 * np.pi * 440 / 16_000 * np.arange(16_000))
    assert measured.log_mel_distance(tone, tone + 1e-5 * draw.standard_normal(16_000)) < 0.05


def test_mel_bands_hear_the_pitch(measured):
    power = [measured.mel_power(np.sin(2 * np.pi * hertz / 16_000 * np.arange(4096))) for hertz in (300, 1000, 5000)]
    bands = [int(p.sum(axis=0).argmax()) for p in power]
    assert bands == sorted(bands) and bands[2] - bands[1] > 10
    assert measured.mel_power(np.ones(10)).shape == (1, measured.BANDS)


@needs_pystoi
def test_stoi_falls_with_noise(measured):
    sound = samples.speech("new_voice")[0].sound
    noise = np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
    found = [measured.stoi(sound, sound + level * noise) for level in (0, 0.03, 0.3)]
    assert found[0] == pytest.approx(1) and found[0] > found[1] + 0.02 > found[2] + 0.2


# what runs here


@needs_pystoi
def test_a_cell_of_kmeans_comes_out_again(experiment):
    live = experiment.run_kmeans(320, False, seed=0)
    for split in experiment.TESTS:
        for stages in (1, 4, 8):
            stored = row_of(KMEANS["rows"], hop=320, restarts=False, split=split, Q=stages)
            for name, within in (("snr", 0.05), ("si_sdr", 0.2), ("log_mel", 0.1), ("stoi", 0.01)):
                assert live["tests"][split][str(stages)][name] == pytest.approx(stored[name]["each"][0], abs=within)
    gains = row_of(KMEANS["stages"], hop=320, restarts=False, vectors="train")
    np.testing.assert_allclose(live["gains"]["train"], gains["gain"], atol=0.1)


@needs_pystoi
def test_the_shipped_codec_is_the_one_in_the_table(experiment, shipped):
    arm, seed = experiment.SHIPS
    assert CODEC["settings"]["ships"] == {"arm": arm, "seed": seed}
    live = experiment.test("new_voice", lambda sound: experiment.rebuild_all(shipped, sound))
    for stages in (*range(1, 9), None):
        stored = row_of(CODEC["rows"], arm=arm, split="new_voice", Q=stages)
        found = live[str(stages or "unquantized")]
        for name, within in (("snr", 0.02), ("si_sdr", 0.05), ("log_mel", 0.02), ("stoi", 0.002)):
            assert found[name] == pytest.approx(stored[name]["each"][seed], abs=within), (stages, name)


def test_the_shipped_codec_is_small_and_uses_its_codes(experiment, shipped):
    from mmtokedu import vq

    assert experiment.CODEC.stat().st_size < 1_500_000 and "rvq/codec.npz" in samples.ITEMS
    import torch

    speech = [torch.from_numpy(recording.sound)[None] for recording in samples.speech("train")[:10]]
    codes = torch.cat([shipped.encode(sound)[0] for sound in speech])
    assert all(vq.codebook_usage(column, 256).used > 200 for column in codes.T)


def test_what_is_heard_is_what_the_codec_makes(experiment, shipped, measured):
    again = experiment.play(shipped) / 32768
    assert np.array_equal(again[0], samples.heard()[0])
    for stages, sound in samples.heard().items():  # another processor may take another code at a near tie
        assert np.sqrt(np.mean((again[stages] - sound) ** 2)) < 0.005, stages


def test_players_are_equally_loud_not_clipped_and_small(experiment):
    heard = samples.heard()
    assert list(heard) == list(range(experiment.Q + 1))
    said = samples.speech(experiment.PLAYED[0])[experiment.PLAYED[1]]
    np.testing.assert_allclose(heard[0], said.sound, atol=1 / 32768)
    for row, (stages, sound) in zip(HEARD, heard.items(), strict=True):
        assert row["Q"] == (stages or None) and row["clipped"] == 0 == (np.abs(sound) >= 0.99).sum()
        assert np.sqrt(np.mean(sound.astype(float) ** 2)) == pytest.approx(0.07, rel=2e-3) == row["rms"]
        assert np.abs(sound).max() == pytest.approx(row["peak"], abs=1e-3) and row["peak"] < 0.95
    as_wav = sum(2 * len(heard[q]) + 44 for q in (0, 1, 2, 4, 8)) * 4 / 3  # base64, as show.sounds writes them
    assert as_wav < 1_000_000
    heard[0][:] = 0
    assert samples.heard()[0].any(), "fresh each call"


def test_streams_are_factorisations_of_the_same_codes(streams):
    """Changing one code changes no bits of a code that its layout puts before, nor of one beside it."""
    import torch

    F, Q, K = streams.FRAMES, streams.STAGES, 8
    codes = np.random.default_rng(0).integers(0, K, (F, Q))
    turn = {"flattened": lambda t, q: t * Q + q, "parallel": lambda t, q: t, "delayed": lambda t, q: t + q}
    for layout in streams.LAYOUTS:
        torch.manual_seed(0)
        prior = streams.make_prior(layout, K)
        ids, whose = (torch.from_numpy(x)[None] for x in streams.lay_out(codes, layout, K))
        assert int((whose >= 0).sum()) == F * Q and (whose[0, 0] == -1).all()

        def bits(table, prior=prior, layout=layout):
            ids, whose = (torch.from_numpy(x)[None] for x in streams.lay_out(table, layout, K))
            with torch.no_grad():
                logits, following, owner = prior(ids[:, :-1]), ids[0, 1:], whose[0, 1:]
            cost = -logits[0].log_softmax(-1).gather(-1, following[..., None])[..., 0]
            found, seen = np.zeros((F, Q)), [0] * Q
            for where in (owner >= 0).nonzero().tolist():
                q = int(owner[tuple(where)])
                found[seen[q], q] = cost[tuple(where)]
                seen[q] += 1
            return found

        changed = codes.copy()
        changed[20, 1] = (changed[20, 1] + 1) % K
        moved = np.abs(bits(changed) - bits(codes)) > 1e-7
        when = np.array([[turn[layout](t, q) for q in range(Q)] for t in range(F)])
        assert moved[20, 1] and not moved[(when <= when[20, 1]) & (np.arange(F * Q).reshape(F, Q) != 20 * Q + 1)].any()
        assert moved[when > when[20, 1]].mean() > 0.9, "and it is seen by all that come after"


def test_bits_of_a_prior_that_knows_nothing(streams):
    import torch

    F, Q, K = streams.FRAMES, streams.STAGES, 8
    codes = np.random.default_rng(0).integers(0, K, (3, F, Q))
    for layout, ids_a_head in (("flattened", Q * K + 1), ("parallel", K + 1), ("delayed", K + 1)):
        prior = streams.make_prior(layout, K)
        for weight in prior.heads.parameters():
            torch.nn.init.zeros_(weight)
        found = streams.bits_by_codebook(prior, *streams.batch_of(codes, layout, K))
        assert found == pytest.approx([math.log2(ids_a_head)] * Q, rel=1e-5)


def test_without_context_by_hand(streams):
    clips = [np.array([[0], [0], [0], [1]])]
    held = np.array([[[0], [1]]])
    assert streams.without_context(clips, held, 2) == pytest.approx(-(math.log2(3.5 / 5) + math.log2(1.5 / 5)) / 2)


def test_a_small_seanet_has_the_codecs_frames(experiment):
    torch = pytest.importorskip("torch")
    seanet = experiment.architecture_named("seanet")(Q=2, K=16)
    for length in (1, 160, 161, 1000):
        sound = torch.randn(2, length) / 10
        assert seanet.encode(sound).shape == (2, -(-length // 160), 2)
        assert seanet(sound, quantize=False).sound.shape == sound.shape
    seanet(torch.randn(1, 4000) / 10, quantize=False).sound.square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for name, p in seanet.named_parameters() if name != "loudness")


def test_kmeans_with_restarts_uses_every_code(experiment):
    from mmtokedu import rvq, vq

    draw = np.random.default_rng(0)
    vectors = np.concatenate([draw.standard_normal((600, 4)), 1e-3 * draw.standard_normal((600, 4))])
    used = []
    for learn in (experiment.residual_kmeans, experiment.residual_kmeans_with_restarts):
        codes = rvq.rvq_encode(vectors, learn(vectors, 64, 3, np.random.default_rng(1)))
        used.append(min(vq.codebook_usage(column, 64).used for column in codes.T))
    assert used[1] >= 60 and used[1] >= used[0]


def test_tables_are_made_of_runs(experiment):
    """Two runs of one codec: rates, means and spreads by hand, and all that is stored has this form."""
    measured = lambda x: {"snr": x, "si_sdr": x - 1, "log_mel": 5.0, "stoi": 0.9}
    tests = [
        {split: {"1": measured(x), "unquantized": measured(2 * x)} for split in experiment.TESTS} for x in (3.0, 5.0)
    ]
    runs = [{"tests": t, "seconds": 7.0, "loss": 1.0, "numbers": 10, "perplexity": [9.0]} for t in tests]
    found = experiment.codec_tables({"long": runs})
    assert [row["Q"] for row in found["rows"]] == [1, None] * 2
    assert [row["bits_per_second"] for row in found["rows"]] == [800, None] * 2
    assert found["rows"][0]["snr"] == {"mean": 4.0, "low": 3.0, "high": 5.0, "each": [3.0, 5.0]}
    assert found["rows"][1]["si_sdr"]["mean"] == 7
    stored = [row for row in CODEC["rows"] if row["arm"] == "long"]
    assert all(row.keys() == stored[0].keys() for row in (*found["rows"], *stored))
    assert found["trained"][0].keys() == CODEC["trained"][0].keys() and found["trained"][0]["perplexity"] == [9.0]
    runs = [{"tests": t, "gains": {"train": [1.0, g]}, "vectors": 5, "seconds": 2.0} for t, g in zip(tests, (0.5, 0.7))]
    found = experiment.kmeans_tables({(320, False): runs})
    assert [row["bits_per_second"] for row in found["rows"]] == [400, None] * 2
    (row,) = found["stages"]
    assert (row["gain"], row["low"], row["high"], row["theory"]) == ([1, 0.6], [1, 0.5], [1, 0.7], 0.151)
    assert row.keys() == KMEANS["stages"][0].keys() and found["trained"][0].keys() == KMEANS["trained"][0].keys()


def test_finished_parts_are_found_again(experiment, tmp_path):
    calls = []
    part = lambda settings: experiment.Scratch(tmp_path).part(
        "a part, 1", settings, lambda x: calls.append(x) or {"x": x}, 5
    )
    assert part({"K": 1}) == part({"K": 1}) == {"x": 5} and calls == [5]
    part({"K": 2})
    assert calls == [5, 5], "other settings are another part"


@needs_pystoi
def test_quick_prints_and_writes_nothing(experiment, monkeypatch, capsys, tmp_path):
    pytest.importorskip("torch")
    for name in ("RESULTS", "CODEC", "HEARD"):
        monkeypatch.setattr(experiment, name, tmp_path / name)
    experiment.main(["--quick"])
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("k-means, Q = 8", "codec, 20 steps, Q = 8", "flattened", "delayed"))
    snr = {
        line.split(":")[0]: float(line.split("'snr': ")[1].split(",")[0])
        for line in printed.splitlines()
        if "snr" in line
    }
    assert snr["k-means, Q = 8"] > snr["k-means, Q = 1"] + 2
    assert snr["codec, 20 steps, Q = 8"] > snr["codec, 20 steps, Q = 1"] + 0.5
    assert not list(tmp_path.iterdir())


def test_doctests(experiment, measured):
    import doctest

    for module, least in ((experiment, 3), (measured, 4)):
        assert doctest.testmod(module).failed == 0
        assert doctest.testmod(module).attempted >= least


@pytest.mark.parametrize("name", ["_rvq_seanet", "_rvq_streams"])
def test_doctests_with_torch(experiment, name):
    import doctest

    pytest.importorskip("torch")
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0 and found.attempted >= 2
