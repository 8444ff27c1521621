"""The listener, long sound and the arms to hear: who is taught and who asks, what is stored, and what a border does."""

import doctest
import importlib
import itertools
import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from experiment_programs import experiment_named

from mmtokedu import measured, samples

pytestmark = pytest.mark.trains

pytest.importorskip("tqdm", reason="the experiments show their progress with tqdm")
pytest.importorskip("soundfile", reason="the speech is FLAC")
torch = pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[2]
TABLE = json.loads((ROOT / "mmtokedu" / "data" / "results" / "rvq.json").read_text(encoding="utf-8"))
OTHERS, LISTENER, LONG, ARMS = (TABLE[part] for part in ("recognisers", "listener", "long", "arms"))
CODECS = "1,800 steps", "k-means", "500 steps"


@pytest.fixture(scope="module")
def experiment():
    with experiment_named("rvq") as module:
        yield module


@pytest.fixture(scope="module")
def ear(experiment):
    return importlib.import_module("_rvq_listener")


@pytest.fixture(scope="module")
def long(experiment):
    return importlib.import_module("_rvq_long")


def row_of(rows, **wanted):
    found = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    assert len(found) == 1, wanted
    return found[0]


# who is taught, who asks


def test_no_voice_that_asks_has_taught_and_none_has_taught_the_codec(ear):
    speech = json.loads((samples.items.DATA / "speech" / "speech.json").read_text(encoding="utf-8"))
    voices = {name: voice["espeak_ng"] for name, voice in speech["voices"].items()}
    learned = {voices[clip["voice"]] for clip in speech["clips"] if clip["split"] == "train"}
    assert len(learned) == 8 and not learned & {*ear.TEACH, *ear.ASK} and not {*ear.TEACH} & {*ear.ASK}
    assert voices["iris"] == ear.ASK[-1], "the book's new voice asks too"
    variants = lambda names: {name.partition("+")[2] for name in names}
    assert not variants(ear.ASK) & (variants(ear.TEACH) | variants(learned)), "nor a variant in another accent"
    assert len(set(ear.TEACH)) == len(ear.TEACH) and len(set(ear.ASK)) == len(ear.ASK)
    assert not {*ear.TEACH_AS} & {*ear.ASK_AS}


def test_every_voice_is_one_of_its_own(ear):
    """espeak-ng ignores a variant that it does not know: two voices would be one."""
    try:
        version = ear.espeak_version()
    except FileNotFoundError:
        pytest.skip("needs espeak-ng")
    bases = {name.partition("+")[0] for name in (*ear.TEACH, *ear.ASK)}
    say = lambda name: (
        subprocess.run(["espeak-ng", "-v", name, "--stdout", "four bad cats"], capture_output=True).stdout
    )
    said = [say(name) for name in (*sorted(bases), *ear.TEACH, *ear.ASK)]
    assert len(set(said)) == len(said), version


def test_words_are_a_closed_set_without_doubles(ear):
    assert len(set(ear.WORDS)) == ear.COUNT == 40 and {"zero", "nine"} <= set(ear.WORDS)


# what is stored


def test_parts_say_when_on_what_and_with_which_versions(experiment, ear, long):
    for part in (OTHERS, LISTENER, LONG, ARMS):
        assert date.fromisoformat(part["date"]) <= date.today() and "one thread" in part["device"]
        assert {"python", "numpy", "torch", "espeak-ng"} <= part["versions"].keys()
    as_read = lambda value: json.loads(json.dumps(value))
    assert LISTENER["settings"] == as_read(ear.settings() | {"seeds": experiment.LISTENERS})
    assert as_read(long.settings()).items() <= LONG["settings"].items()
    assert list(experiment.COMPARED) == list(CODECS)
    assert experiment.COMPARED["1,800 steps"] == experiment.SHIPS[0]


def test_no_recogniser_that_was_tried_is_good_enough_and_ours_is(ear):
    """On sentences: a rate over the limit, so that nothing is measured with it."""
    tried = {(row["recogniser"], row["how"]) for row in OTHERS["rows"]}
    assert OTHERS["limit"] == ear.LIMIT == 0.15 and len(tried) >= 2
    for row in OTHERS["rows"]:
        assert row["rate"] == pytest.approx(row["errors"] / row["words"], abs=6e-4) and " " in row["package"]
        assert row["rate"] > OTHERS["limit"]
    assert LISTENER["clean_errors"]["high"] <= ear.LIMIT and len(LISTENER["clean_errors"]["each"]) == 3
    clean = row_of(LISTENER["rows"], codec="clean")["right"]
    assert clean["mean"] == pytest.approx(1 - LISTENER["clean_errors"]["mean"], abs=2e-3)
    voices = [row["right"]["mean"] for row in LISTENER["voices"]]
    assert [row["voice"] for row in LISTENER["voices"]] == list(ear.ASK)
    assert np.mean(voices) == pytest.approx(clean["mean"], abs=2e-3)
    assert LISTENER["asked"] == len(ear.ASK) * len(ear.ASK_AS) * ear.COUNT and LISTENER["guess"] == 1 / ear.COUNT


def test_each_codec_was_heard_at_each_number_of_codebooks():
    shipped, *others = CODECS
    assert [(row["codec"], row["Q"]) for row in LISTENER["rows"]] == [
        *((how, None) for how in ("clean", "noise", "no highs", f"{shipped}, unquantized")), *((shipped, Q) for Q in range(1, 9)), *itertools.product(others, (1, 2, 4, 8))
    ]  # fmt: skip
    for row in LISTENER["rows"]:
        right, Q = row["right"], row["Q"]
        assert len(right["each"]) == 3 and right["low"] <= right["mean"] <= right["high"] <= 1
        assert (row["tokens"], row["bits_per_second"]) == ((None, None) if Q is None else (100 * Q, 800.0 * Q))
        if row["codec"] == "1,800 steps":
            (stored,) = (
                r for r in TABLE["codec"]["rows"] if (r["arm"], r["split"], r["Q"]) == ("long", "new_voice", Q)
            )
            assert row["stoi"] == stored["stoi"]["each"][0]


def test_the_curve_is_found_and_names_its_instrument(experiment):
    assert TABLE["curve"] == experiment.curve(LISTENER["rows"]) == measured.curve("rvq")
    words, stoi = experiment.INSTRUMENTS
    assert [point["instrument"] for point in TABLE["curve"]] == [words] * 8 + [stoi] * 8
    assert [point["tokens"] for point in TABLE["curve"]] == 2 * [100 * Q for Q in range(1, 9)]
    assert all(
        row_of(LISTENER["rows"], codec="1,800 steps", Q=Q)["right"]["mean"] == TABLE["curve"][Q - 1]["quality"]
        for Q in range(1, 9)
    )


def test_long_sound_was_asked_in_every_way(long):
    ways = [("whole", None), *itertools.product(long.WAYS[1:], long.OVERLAPS)]
    asked = {(row["sound"], row["read"], row["overlap"], row["share"]) for row in LONG["rows"]}
    assert len(asked) == len(LONG["rows"]) == 2 * len(ways) * (1 + len(long.SHARES))
    assert asked == {
        (sound, *way, share) for sound in ("clean", "8 codebooks") for way in ways for share in (None, *long.SHARES)
    }
    for sound, way, overlap in itertools.product(("clean", "8 codebooks"), long.WAYS, long.OVERLAPS):
        named = {"sound": sound, "read": way, "overlap": None if way == "whole" else overlap}
        each = [row_of(LONG["rows"], share=share, **named)["right"]["mean"] for share in long.SHARES]
        assert np.mean(each) == pytest.approx(row_of(LONG["rows"], share=None, **named)["right"]["mean"], abs=2e-3)
    assert row_of(LONG["tokens"], overlap=1.0)["times"] == 1.5


# what is said of it


def test_words_stop_rising_where_stoi_goes_on():
    """And the network without its quantizer is read better than any number of codebooks."""
    right = {row["Q"]: row["right"] for row in LISTENER["rows"] if row["codec"] == "1,800 steps"}
    stoi = [row["stoi"] for row in LISTENER["rows"] if row["codec"] == "1,800 steps"]
    assert right[1]["high"] < right[3]["low"] and abs(right[8]["mean"] - right[3]["mean"]) < 0.05
    assert stoi == sorted(stoi) and stoi[-1] > stoi[2] + 0.05
    unquantized = row_of(LISTENER["rows"], codec="1,800 steps, unquantized")["right"]
    assert max(each["high"] for each in right.values()) < unquantized["low"]
    assert unquantized["high"] < row_of(LISTENER["rows"], codec="clean")["right"]["low"] - 0.2


def test_words_tell_codecs_apart_that_stoi_does_not():
    rows = [row_of(LISTENER["rows"], codec=codec, Q=8) for codec in ("k-means", "500 steps", "1,800 steps")]
    assert max(row["stoi"] for row in rows) - min(row["stoi"] for row in rows) < 0.01
    means = [row["right"]["mean"] for row in rows]
    assert means == sorted(means) and means[2] > means[0] + 0.1
    for seed in range(3):  # the same listeners: each of them
        each = [row["right"]["each"][seed] for row in rows]
        assert each[2] > max(each[:2])


def test_half_a_second_of_overlap_mends_what_a_border_cuts():
    right = lambda way, overlap, share=None, sound="clean": row_of(
        LONG["rows"], sound=sound, read=way, overlap=overlap, share=share
    )["right"]
    for sound in ("clean", "8 codebooks"):
        whole = right("whole", None, None, sound)
        assert right("apart", 0.0, None, sound)["high"] < whole["low"] - 0.05
        for overlap in (0.5, 1.0):
            assert abs(right("apart", overlap, None, sound)["mean"] - whole["mean"]) < 0.02
        assert abs(right("joined", 0.0, None, sound)["mean"] - whole["mean"]) < 0.02
    assert right("apart", 0.0, 0.5)["high"] < 0.5 and right("apart", 0.0, 0.1)["mean"] > 0.9
    assert right("surest", 0.0)["mean"] < right("apart", 0.0)["mean"], "a piece of a word can be sure and wrong"
    assert LONG["word_seconds"]["longest"] < 0.6


# what a border does


def test_without_a_codec_joined_chunks_are_the_sound(long):
    draw = np.random.default_rng(0)
    sound = draw.standard_normal(long.LENGTH).astype(np.float32)
    for overlap in long.OVERLAPS:
        found = long.heard(sound, long.SIZE, overlap, lambda piece: piece)
        np.testing.assert_array_equal(found["joined"][0], long.window_of(sound, long.SIZE))
        assert found["apart"][0] is found["surest"][0] and len(found["surest"]) == 2


def test_a_chunk_hears_nothing_of_the_other(long):
    """A word from 0.3 s before the border to 0.1 s after it: without overlap the first chunk counts, and is silent
    after the border; with half a second the second chunk has all of it."""
    sound = np.ones(long.LENGTH, np.float32)
    middle, half, rate = long.SIZE - 1600, long.WINDOW // 2, long.RATE
    (apart,) = long.heard(sound, middle, 0.0, lambda piece: piece)["apart"]
    assert apart[: half + 1600].all() and not apart[half + 1600 :].any()
    (apart,) = long.heard(sound, middle, 0.5, lambda piece: piece)["apart"]
    assert not apart[: half + 1600 - rate // 2].any() and apart[half + 1600 - rate // 2 :].all()
    (apart,) = long.heard(sound, middle, 1.0, lambda piece: piece)["apart"]
    assert apart[half - 6400 :].all(), "all that was said from 0.4 s before its middle on"


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_word_lies_across_the_border_as_asked(long, share):
    word, other = np.full(4000, 2.0, np.float32), np.full(3000, 1.0, np.float32)
    sound, begins = long.utterance(word, [other], share, np.random.default_rng(0))
    place = np.flatnonzero(sound == 2)
    assert len(sound) == long.LENGTH and (place[0], place[-1]) == (begins, begins + 3999)
    assert (place < long.SIZE).mean() == share
    assert not sound[begins - 1000 : begins].any() and not sound[begins + 4000 : begins + 5000].any()
    assert (sound[:begins] == 1).sum() > 4 * 3000 and (sound[begins + 4000 :] == 1).sum() > 3 * 3000


def test_the_surer_of_two_answers_counts(long):
    asked = [("surest", 0.0, 0.5, 3, np.zeros((2, long.WINDOW))), ("whole", None, 0.5, 1, np.zeros((1, long.WINDOW)))]
    listen = lambda windows: (np.array([[7, 3, 2], [7, 3, 1]]), np.array([[0.4, 0.5, 0.9], [0.5, 0.4, 0.1]]))
    right = long.answers(listen, asked)
    assert right.tolist() == [[True, False], [False, True]]
    assert long.tallied(asked, right[0]) == {
        ("surest", 0.0, 0.5): 1, ("surest", 0.0, None): 1, ("whole", None, 0.5): 0, ("whole", None, None): 0
    }  # fmt: skip


# the listener


def tones(ear, voices):
    """Words that are tones, a pitch each, from lower and higher voices: a list of Word."""
    times = np.arange(6400) / ear.RATE
    return [
        ear.Word(which, str(voice), ear.cut_to_speech(np.sin(2 * np.pi * 500 * voice * 2**which * times)))
        for voice in voices
        for which in range(3)
    ]


def test_a_listener_learns_three_tones_in_seconds(ear):
    torch.manual_seed(0)
    bands, asked = ear.bank(tones(ear, (0.9, 1.0, 1.1)), size=96)
    model, losses = ear.train(bands, asked, seed=0, steps=15, count=3)
    others = tones(ear, (0.95, 1.05))
    assert losses[-1] < losses[0] / 2 and not model.training
    assert ear.shares_right([model, model], ear.middles(others), others) == [1, 1]
    assert ear.shares_right([model], ear.middles(others), others[1:] + others[:1]) == [0]


def test_a_listener_does_not_hear_how_loud_it_is(ear):
    torch.manual_seed(0)
    sound = torch.randn(2, ear.WINDOW)
    model = ear.Recogniser().eval()
    torch.testing.assert_close(model(sound), model(0.01 * sound), atol=1e-4, rtol=1e-3)


def test_an_excerpt_has_its_word_in_the_middle(ear):
    words = tones(ear, (1.0,))
    for seed in range(8):
        sound, which = ear.excerpt(words, np.random.default_rng(seed))
        assert sound.shape == (ear.WINDOW,) and sound.dtype == np.float32
        middle = sound[ear.WINDOW // 2 - 2000 : ear.WINDOW // 2 + 2000]
        found = np.abs(np.fft.rfft(middle)).argmax() * ear.RATE / 4000
        assert 0.8 < found / (500 * 2**which) < 1.25


def test_what_is_hidden_is_few_bands_and_few_frames(ear):
    torch.manual_seed(0)
    gone = ear.hidden(torch.ones(64, ear.BANDS, 101)) == 0
    bands, frames = gone.all(2).sum(1), gone.all(1).sum(1)
    assert bands.max() == ear.HIDDEN[0] and frames.max() == ear.HIDDEN[1] and bands.min() == frames.min() == 0


def test_finished_voices_and_listeners_are_found_again(experiment, ear, tmp_path, monkeypatch):
    monkeypatch.setattr(ear, "WORDS", ("a", "b", "c"))
    monkeypatch.setattr(ear, "COUNT", 3)
    calls = []

    def say(voices, manners):
        calls.append(voices)
        return tones(ear, (1.0,))

    monkeypatch.setattr(ear, "vocabulary", say)
    scratch = experiment.Scratch(tmp_path)
    first, again = (experiment.words_said(["x"], [(1, 2)], scratch) for _ in range(2))
    assert calls == [["x"]] and [word.which for word in again] == [0, 1, 2]
    assert all(np.array_equal(a.sound, b.sound) and a.voice == b.voice == "x" for a, b in zip(first, again))


def test_parts_keep_what_else_is_stored(experiment, monkeypatch, tmp_path, capsys):
    path = tmp_path / "rvq.json"
    path.write_text(json.dumps({"kmeans": {"rows": [1]}, "long": "old"}), encoding="utf-8")
    monkeypatch.setattr(experiment, "RESULTS", path)
    monkeypatch.setattr(experiment, "part_head", lambda name: {"date": "today"})
    monkeypatch.setitem(experiment.PARTS, "long", lambda scratch, stored: [{"rows": [stored["kmeans"]["rows"]]}])
    experiment.main(["long"])
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert list(stored) == ["kmeans", "long"] and stored["kmeans"] == {"rows": [1]}
    assert stored["long"] == {"date": "today", "rows": [[1]]}


# what is heard


def test_arms_to_hear_are_equally_loud_not_clipped_and_small():
    heard, size = samples.heard_arms(), (samples.items.DATA / "rvq" / "heard_arms.flac").stat().st_size
    assert (
        list(heard) == ["as said", "k-means", "500 steps", "1,800 steps"]
        and size < 400_000
        and "rvq/heard_arms.flac" in samples.ITEMS
    )
    shipped = samples.heard()
    assert np.array_equal(heard["as said"], shipped[0]) and np.array_equal(heard["1,800 steps"], shipped[8])
    for row in ARMS["rows"]:
        sound = heard[row["codec"]]
        assert sound.shape == shipped[0].shape and sound.dtype == np.float32
        assert np.sqrt(np.mean(sound.astype(float) ** 2)) == pytest.approx(0.07, rel=2e-3) == row["rms"]
        assert np.abs(sound).max() == pytest.approx(row["peak"], abs=1e-3) and row["peak"] < 1
    heard["k-means"][:] = 0
    assert samples.heard_arms()["k-means"].any(), "fresh each call"


def test_kmeans_to_hear_is_what_kmeans_makes(experiment, tmp_path):
    split, which = experiment.PLAYED
    sound = samples.speech(split)[which].sound
    again = experiment.rebuilder("k-means", experiment.Scratch(tmp_path), [8])(sound)[8]
    again *= np.sqrt(np.mean(sound**2) / np.mean(again**2))
    assert np.sqrt(np.mean((again - samples.heard_arms()["k-means"]) ** 2)) < 0.005


@pytest.mark.parametrize(("name", "least"), [("_rvq_listener", 3), ("_rvq_long", 2), ("_rvq_recognisers", 2)])
def test_doctests(experiment, name, least):
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0 and found.attempted >= least


def test_the_recognisers_are_not_needed_to_read_their_module(experiment):
    importlib.import_module("_rvq_recognisers")
    assert "faster_whisper" not in sys.modules and "pocketsphinx" not in sys.modules
