"""The request's clip: what film.json says is what its pictures show and its voice speaks, decoded and in the small array."""

import importlib.util
import io
import json
import shutil
import subprocess
import sys
from typing import NamedTuple

import make_film
import numpy as np
import pytest
from PIL import Image

from mmtokedu import samples, video
from mmtokedu.media.sound import sound_levels

pytestmark = pytest.mark.apart

FOLDER = samples.items.DATA / "request"
FACTS = samples.film_facts()
SHOWN = np.arange(FACTS.ball[0], FACTS.ball[1] + 1)
LOCKED = np.r_[FACTS.cuts[1] + 1 : FACTS.ball[0], FACTS.ball[1] + 2 : FACTS.fade[0]]  # frames that nothing moved before
needs_soundfile = pytest.mark.skipif(importlib.util.find_spec("soundfile") is None, reason="soundfile is missing")


def redness(frame):
    """How far red is above green and blue, (H, W) int16."""
    red, green, blue = np.moveaxis(frame.astype(np.int16), -1, 0)
    return red - np.maximum(green, blue)


class Decoded(NamedTuple):
    red: np.ndarray  # (T,) how many pixels are clearly red
    red_at: np.ndarray  # (T, 2) their mean (y, x)
    change: np.ndarray  # (T,) mean difference in luma to the frame before, every fourth pixel of both sides
    small_error: np.ndarray  # (T,) mean difference of the small array to the frame at an eighth of its side
    seconds: np.ndarray  # (T,)
    keys: list
    shapes: set


@pytest.fixture(scope="module")
def decoded():
    av = pytest.importorskip("av")
    rows, before, shapes = [], None, set()
    with av.open(str(samples.film_path())) as film:
        for frame, small in zip(film.decode(video=0), samples.film_frames(), strict=True):
            picture = frame.to_ndarray(format="rgb24")
            red = np.argwhere(redness(picture) > 130)
            luma = picture[::4, ::4] @ np.array([0.299, 0.587, 0.114])
            error = np.abs(np.subtract(Image.fromarray(picture).reduce(8), small, dtype=np.int16)).mean()
            at = red.mean(axis=0) if len(red) else (np.nan, np.nan)
            change = 0 if before is None else np.abs(luma - before).mean()
            rows.append((len(red), at, change, error, frame.time))
            shapes.add(picture.shape)
            before = luma
        film.seek(0)
        keys = [i for i, frame in enumerate(film.decode(video=0)) if frame.key_frame]
    return Decoded(*(np.array(column) for column in zip(*rows, strict=True)), keys, shapes)


# the film


def test_the_film_is_as_long_and_as_large_as_its_facts(decoded):
    assert len(decoded.seconds) == FACTS.frames == 300 and FACTS.seconds == 10
    np.testing.assert_allclose(decoded.seconds, np.arange(300) / FACTS.fps, atol=1e-6)
    assert decoded.shapes == {(FACTS.height, FACTS.width, 3)} == {(720, 1280, 3)}
    assert tuple(decoded.keys) == FACTS.key_frames and set(FACTS.cuts) < set(decoded.keys)
    assert max(np.diff([*decoded.keys, 300])) <= 60  # two seconds


def test_the_file_is_small_and_starts_with_its_index():
    film = samples.film_path().read_bytes()
    assert len(film) < 1_000_000 and film.index(b"moov") < film.index(b"mdat")
    assert (FOLDER / "film_small.jpg").stat().st_size < 1_000_000


def test_the_ball_is_red_in_its_twelve_frames_and_nothing_is_in_the_others(decoded):
    assert len(SHOWN) == len(FACTS.ball_at) == 12
    assert decoded.red[SHOWN].min() > 100
    assert np.delete(decoded.red, SHOWN).max() < 20
    np.testing.assert_allclose(decoded.red_at[SHOWN], FACTS.ball_at, atol=5)  # it is lit from above, from the left
    assert decoded.red[SHOWN].max() < np.pi / 4 * FACTS.ball_diameter**2


def test_the_ball_enters_at_one_side_and_leaves_at_the_other():
    x = np.array(FACTS.ball_at)[:, 1]
    reach = FACTS.ball_diameter
    assert 0 < x[0] <= reach and 0 < FACTS.width - x[-1] <= reach
    steps = np.diff(x)
    np.testing.assert_allclose(steps, steps.mean(), atol=0.02)
    assert x[0] - steps[0] < -reach and x[-1] + steps[0] > FACTS.width + reach  # a frame earlier and later: outside


def test_the_cuts_are_the_largest_changes_by_far(decoded):
    others = np.delete(decoded.change, FACTS.cuts)
    assert decoded.change[list(FACTS.cuts)].min() > 3 * others.max()


def test_the_locked_off_shot_stands_still_and_the_fade_is_gradual(decoded):
    moves = decoded.change[1 : FACTS.cuts[0]]
    calm = [i for i in LOCKED if i not in FACTS.key_frames]  # a key frame is encoded anew, and differs a little
    assert decoded.change[calm].max() < 0.1 < decoded.change[LOCKED].max() < 3
    assert moves.min() > 5
    first, last = FACTS.fade
    fade = decoded.change[first : last + 2]
    assert fade.min() > 1 and fade.max() < 0.2 * decoded.change[list(FACTS.cuts)].min()


def test_the_sound_track_is_as_long_as_the_film_and_says_what_the_flac_says():
    av, soxr = pytest.importorskip("av"), pytest.importorskip("soxr")
    pytest.importorskip("soundfile")
    with av.open(str(samples.film_path())) as film:
        stream = film.streams.audio[0]
        rate, seconds = stream.rate, float(stream.duration * stream.time_base)
        track = np.concatenate([frame.to_ndarray()[0] for frame in film.decode(audio=0)])
    assert (rate, seconds) == (48_000, pytest.approx(FACTS.seconds, abs=0.05))
    recording = samples.film_sound()
    heard = soxr.resample(track, rate, recording.rate)[: len(recording.sound)]
    assert np.corrcoef(heard, recording.sound[: len(heard)])[0, 1] > 0.9  # a millisecond late would be 0.8
    assert sound_levels(track).clipped == 0


# the small array


def test_small_frames_are_those_of_the_film(decoded):
    assert decoded.small_error.max() < 6
    frames = samples.film_frames()
    pan = np.abs(np.subtract(frames[1:96], frames[:95], dtype=np.int16)).mean(axis=(1, 2, 3))
    assert pan.min() > 1.5 * decoded.small_error.max()  # so a neighbour would have been noticed


def test_small_frames_show_the_ball_where_it_is():
    red = redness(samples.film_frames())
    count = (red > 100).sum(axis=(1, 2))
    assert count[SHOWN].min() >= 2 and np.delete(count, SHOWN).max() == 0
    at = [np.argwhere(red[i] > 100).mean(axis=0) * 8 + 3.5 for i in SHOWN]
    np.testing.assert_allclose(at, FACTS.ball_at, atol=8)


@pytest.mark.parametrize("rule", ["content", "luma"])
def test_the_library_finds_the_two_cuts_in_the_small_frames(rule):
    scores = video.scene_scores(samples.film_frames(), rule)
    assert video.scene_cuts(scores).tolist() == video.adaptive_cuts(scores).tolist() == list(FACTS.cuts)
    assert scores[list(FACTS.cuts)].min() > 3 * np.delete(scores, FACTS.cuts).max()
    assert scores[LOCKED].max() < 0.06 * scores[list(FACTS.cuts)].min()
    assert scores[SHOWN].max() < 1  # the ball is too small for it


def test_small_frames_are_fresh_each_call():
    first = samples.film_frames()
    assert first.shape == (300, 90, 160, 3) and first.dtype == np.uint8
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(samples.film_frames(), kept)


def test_facts_cannot_be_changed_by_a_caller():
    assert all(isinstance(getattr(FACTS, name), (int, str, tuple)) for name in FACTS._fields)
    assert hash(FACTS) == hash(samples.film_facts())
    assert set(FACTS.photos) <= set(samples.PHOTOS)


# the voice


@needs_soundfile
def test_the_voice_speaks_when_the_facts_say_and_before_the_ball():
    recording = samples.film_sound()
    assert (recording.text, recording.rate, recording.seconds) == (FACTS.sentence, 16_000, FACTS.seconds)
    assert "small red ball" in recording.text and not any(character.isdigit() for character in recording.text)
    loud = np.flatnonzero(np.abs(recording.sound) > 0.01 * np.abs(recording.sound).max()) / recording.rate
    np.testing.assert_allclose((loud[0], loud[-1]), FACTS.spoken, atol=0.01)
    assert FACTS.spoken[1] < FACTS.ball[0] / FACTS.fps
    speech = recording.sound[int(FACTS.spoken[0] * 16_000) : int(FACTS.spoken[1] * 16_000)]
    assert np.sqrt(np.mean(speech.astype(float) ** 2)) == pytest.approx(0.07, rel=0.02)
    recording.sound[:] = 0
    assert np.abs(samples.film_sound().sound).max() > 0.3


def test_missing_soundfile_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install mmtokedu\[media\]"):
        samples.film_sound()


# the script that made it


def stored():
    return {path.name: path.read_bytes() for path in FOLDER.glob("film*")}


@pytest.mark.parametrize("frame", [0, 150, 212, 262])
def test_the_script_draws_what_the_film_shows(frame):
    """A frame of each shot and of the fade; encoding all 300 takes minutes, as --check does."""
    pytest.importorskip("skimage")
    drawn = Image.fromarray(make_film.picture(frame)).reduce(8)
    assert np.abs(np.subtract(drawn, samples.film_frames()[frame], dtype=np.int16)).mean() < 6


@needs_soundfile
def test_the_script_says_the_stored_sentence_again():
    import soundfile

    pytest.importorskip("soxr")
    if not shutil.which("espeak-ng") or "1.51 " not in subprocess.getoutput("espeak-ng --version"):
        pytest.skip("needs espeak-ng 1.51")
    track, spoken = make_film.narrate()
    file = io.BytesIO()
    soundfile.write(file, track, 16_000, format="FLAC", subtype="PCM_16")
    assert make_film._sound_differs(file.getvalue(), stored()["film.flac"]) == []
    assert tuple(spoken) == FACTS.spoken


@needs_soundfile
def test_check_sees_another_fact_another_sample_and_another_picture():
    import soundfile

    old = stored()
    assert set(old) == {"film.mp4", "film.json", "film.flac", "film_small.jpg", "film_stills.jpg"}
    words = json.loads(old["film.json"])
    words["ball"][0] -= 1
    assert make_film.differences(old, old | {"film.json": json.dumps(words).encode()}) == ["film.json differs"]
    file = io.BytesIO()
    soundfile.write(file, samples.film_sound().sound[:-1], 16_000, format="FLAC", subtype="PCM_16")
    assert "film.flac differs" in make_film.differences(old, old | {"film.flac": file.getvalue()})[0]
    file = io.BytesIO()
    sheet = np.asarray(Image.open(FOLDER / "film_small.jpg"))
    Image.fromarray(np.roll(sheet, 160, axis=1)).save(file, "JPEG", quality=90)  # all frames one later
    other = file.getvalue()
    assert "film_small.jpg differs" in make_film.differences(old, old | {"film_small.jpg": other})[0]


@needs_soundfile
def test_check_asks_for_the_same_bytes_only_of_the_same_encoder(monkeypatch, capsys):
    """The two decoded films are stood in for by a grey frame each, as bright as the file's last byte says."""
    monkeypatch.setattr(make_film, "decode", lambda film: iter([(np.full((4, 4, 3), film[-1], np.uint8), True)]))
    old = stored()
    near, far = (old | {"film.mp4": bytes([value])} for value in (2, 9))
    old["film.mp4"] = bytes([0])
    assert make_film.differences(near, old) == ["film.mp4 differs, in a frame by 2.00 of 255 on average"]
    words = json.loads(old["film.json"])
    words["versions"]["x264_core"] = "1"
    old["film.json"] = json.dumps(words).encode()
    assert make_film.differences(near, old) == []
    assert make_film.differences(far, old) == ["film.mp4 differs, in a frame by 9.00 of 255 on average"]
    assert "pictures are compared, not bytes" in capsys.readouterr().out
