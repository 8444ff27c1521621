import hashlib
import importlib.util
import io
import itertools
import json
import shutil
import string
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from mmtokedu import measured, samples

pytestmark = pytest.mark.apart

ROOT = Path(__file__).parents[2]
SIZES = [7, 8, 9, 10, 11, 12]
needs_scikit_image = pytest.mark.skipif(importlib.util.find_spec("skimage") is None, reason="scikit-image is missing")
needs_soundfile = pytest.mark.skipif(importlib.util.find_spec("soundfile") is None, reason="soundfile is missing")
both_pages = pytest.mark.parametrize("noisy", [False, True], ids=["clean", "noisy"])


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]


@pytest.fixture(scope="module")
def typeset_page():
    yield from tool("typeset_page")


@pytest.fixture(scope="module")
def make_speech():
    yield from tool("make_speech")


# photos


@needs_scikit_image
@pytest.mark.parametrize("name", samples.PHOTOS)
def test_photo_is_the_one_scikit_image_shows(name):
    from skimage import data

    photo = samples.photo(name)
    assert photo.dtype == np.uint8
    assert photo.ndim == 3 and photo.shape[2] == 3
    assert "{} x {}".format(*photo.shape[:2]) in samples.PHOTOS[name].what
    np.testing.assert_array_equal(photo, getattr(data, name)())


@needs_scikit_image
@pytest.mark.parametrize("name", samples.PHOTOS)
def test_licence_is_quoted_from_scikit_image(name):
    from skimage import data

    assert samples.PHOTOS[name].licence in " ".join(getattr(data, name).__doc__.replace("`", "").split())


@needs_scikit_image
def test_photo_survives_a_caller_who_writes_into_it():
    first = samples.photo()
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(samples.photo(), kept)


def test_unknown_photo_lists_the_names():
    with pytest.raises(ValueError, match="no photo 'astronot'") as error:
        samples.photo("astronot")
    assert all(name in str(error.value) for name in samples.PHOTOS)


def test_missing_scikit_image_says_what_to_install(monkeypatch):
    samples.photos._read_photo.cache_clear()
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install mmtokedu\[samples\]"):
        samples.photo()


def test_a_scikit_image_without_its_images_says_so(monkeypatch, tmp_path):
    samples.photos._read_photo.cache_clear()
    (tmp_path / "skimage").mkdir()
    (tmp_path / "skimage" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "skimage", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FileNotFoundError, match="holds no rocket"):
        samples.photo("rocket")


def test_import_needs_only_the_core():
    others = "{'skimage', 'torch', 'matplotlib', 'soundfile'}"
    code = f"import sys, mmtokedu.samples; print(sorted({others} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT) == "[]\n"


# the page


@both_pages
def test_page_is_a4_at_200_dpi(noisy):
    page = samples.document(noisy)
    assert page.dtype == np.uint8
    assert page.shape == (round(297 / 25.4 * 200), round(210 / 25.4 * 200)) == (2339, 1654)
    kept = page.copy()
    page[:] = 0
    np.testing.assert_array_equal(samples.document(noisy), kept)


def test_noisy_page_decodes_to_the_same_pixels_everywhere():
    page = samples.document(noisy=True)
    assert hashlib.sha256(page.tobytes()).hexdigest()[:16] == "a43fd1663e5c8fc0"


def test_every_size_has_every_letter_and_a_few_hundred_characters():
    characters = samples.document_boxes()
    for points in SIZES:
        here = characters.text[(characters.points == points) & (characters.style == "roman")]
        assert len(here) >= 280, points
        assert set(string.ascii_lowercase) <= set("".join(here).lower()), points
    assert {f"{points} pt" for points in SIZES} <= {line.text for line in samples.document_lines()}


def test_text_lines_and_characters_agree():
    lines, characters = samples.document_lines(), samples.document_boxes()
    assert samples.document_text().split("\n") == [line.text for line in lines]
    for i, line in enumerate(lines):
        here = characters.line == i
        assert "".join(characters.text[here]) == line.text.replace(" ", "")
        assert set(characters.points[here]) == {line.points}
        assert set(characters.style[here]) == {line.style}


@both_pages
def test_each_box_belongs_to_its_character(noisy):
    """Along a line boxes go from left to right, and a character of one size and style is as large wherever it stands."""
    characters = samples.document_boxes(noisy)
    y0, x0, y1, x1 = characters.box.T
    same_line = np.diff(characters.line) == 0
    assert (np.diff(x0 + x1)[same_line] > 0).all()
    kind = np.stack([characters.text, characters.points.astype(str), characters.style])
    _, kind = np.unique(kind, axis=1, return_inverse=True)
    for size in (y1 - y0, x1 - x0):
        assert max(np.ptp(size[kind == k]) for k in range(kind.max() + 1)) <= 2


@both_pages
def test_boxes_lie_on_the_page_and_a_caller_may_write_into_them(noisy):
    characters = samples.document_boxes(noisy)
    assert characters.box.shape == (len(characters.text), 4)
    y0, x0, y1, x1 = characters.box.T
    assert (y0 >= 0).all() and (x0 >= 0).all() and (y1 <= 2339).all() and (x1 <= 1654).all()
    assert (y1 > y0).all() and (x1 > x0).all()
    kept = characters.box.copy()
    characters.box[:] = 0
    np.testing.assert_array_equal(samples.document_boxes(noisy).box, kept)


def test_boxes_are_tight_and_hold_all_the_ink():
    page, outside = samples.document(), samples.document()
    for y0, x0, y1, x1 in samples.document_boxes().box:
        ink = page[y0:y1, x0:x1]
        edges = ink[:2], ink[-2:], ink[:, :2], ink[:, -2:]  # an edge touched by a sixteenth of a pixel may stay white
        assert max(edge.min() for edge in edges) < 250, (y0, x0, y1, x1)
        outside[y0:y1, x0:x1] = 255
    assert outside.min() > 140  # the table's grey rules are left


def test_noisy_boxes_hold_all_the_ink():
    page = samples.document(noisy=True)
    for y0, x0, y1, x1 in samples.document_boxes(noisy=True).box:
        assert page[y0:y1, x0:x1].min() < 150, (y0, x0, y1, x1)
        page[y0:y1, x0:x1] = 255
    assert (page < 110).sum() == 0


def test_noisy_page_is_the_page_turned():
    """The columns of ink at the left and right end of a long line show the angle."""
    clean, noisy = samples.document_boxes(), samples.document_boxes(noisy=True)
    ends = np.flatnonzero(clean.line == next(i for i, line in enumerate(samples.document_lines()) if line.points == 11))
    (y0, x0, y1, _), (y2, x2, y3, _) = noisy.box[ends[[0, -1]]]
    rise = (y0 + y1 - y2 - y3) / 2 - np.subtract(*clean.box[ends[[0, -1]]][:, [0, 2]].mean(1))
    assert np.degrees(np.arctan2(rise, x2 - x0)) == pytest.approx(0.7, abs=0.05)


def test_table_is_computed_from_the_paper():
    rows = [line.text.split() for line in samples.document_lines() if line.points == 9 and line.text[0].isdigit()]
    rows = [list(map(float, row)) for row in rows if len(row) == 5]
    assert [row[0] for row in rows] == [50, 72, 100, 150, 200, 300]
    for dpi, height, width, tokens, _ in rows:
        assert (height, width) == (round(297 / 25.4 * dpi), round(210 / 25.4 * dpi))
        assert tokens == round(height / 28) * round(width / 28)


def test_x_height_in_the_table_is_the_one_on_the_page():
    characters = samples.document_boxes()
    x = characters.box[(characters.text == "x") & (characters.points == 9) & (characters.style == "roman")]
    stated = float(next(line for line in samples.document_lines() if line.text.startswith("200 ")).text.split()[-1])
    assert np.median(x[:, 2] - x[:, 0]) == pytest.approx(stated, abs=1)


# the speech


@needs_soundfile
@pytest.mark.parametrize(
    "split, count, low, high", [("train", 40, 150, 170), ("new_sentences", 12, 40, 45), ("new_voice", 5, 13, 15)]
)
def test_speech_is_as_long_and_as_loud_as_promised(split, count, low, high):
    recordings = samples.speech(split)
    assert len(recordings) == count and low < sum(recording.seconds for recording in recordings) < high
    for recording in recordings:
        assert recording.rate == 16_000 and recording.sound.dtype == np.float32 and recording.sound.ndim == 1
        assert np.sqrt(np.mean(recording.sound.astype(float) ** 2)) == pytest.approx(0.07, rel=1e-3)
        assert 0.3 < np.abs(recording.sound).max() < 0.9
        assert 2 < recording.seconds < 6 and recording.seconds == len(recording.sound) / 16_000


@needs_soundfile
def test_speech_is_cut_to_the_speech_and_fades():
    """50 ms around it, which begin and end in silence; a cut in the middle of a word would be a step."""
    for split in samples.SPLITS:
        for recording in samples.speech(split):
            head, tail = recording.sound[:800], recording.sound[::-1][:800]
            assert max(abs(head[0]), abs(tail[0])) < 1e-3
            assert max(np.abs(head).max(), np.abs(tail).max()) < 0.1 * np.abs(recording.sound).max()
            assert np.abs(recording.sound[800:1200]).max() > 1e-3


@needs_soundfile
def test_nothing_of_the_held_out_speech_is_heard_in_training():
    train, sentences, voice = (samples.speech(split) for split in samples.SPLITS)
    assert {recording.text for recording in train}.isdisjoint(recording.text for recording in sentences + voice)
    assert {recording.voice for recording in sentences} == {recording.voice for recording in train}
    assert {recording.voice for recording in voice}.isdisjoint(recording.voice for recording in train)
    assert {recording.text for recording in voice} <= {recording.text for recording in sentences}
    assert [len({recording.voice for recording in part}) for part in (train, sentences, voice)] == [8, 8, 1]
    assert {recording.language for recording in train} == {"en", "de", "es"}


@needs_soundfile
def test_each_voice_sounds_its_own_way():
    """espeak-ng ignores an unknown variant: two voices would say the same sentence with the same samples."""
    said = {}
    for split in ("new_sentences", "new_voice"):
        for recording in samples.speech(split):
            said.setdefault(recording.text, []).append(recording)
    for recordings in said.values():
        spectra = [np.abs(np.fft.rfft(recording.sound, 2**17))[:65_536] for recording in recordings]
        bands = [np.log(spectrum.reshape(64, -1).mean(axis=1)) for spectrum in spectra]
        for i in range(len(bands)):
            for j in range(i):
                assert np.abs(bands[i] - bands[j]).mean() > 0.2, (recordings[i].voice, recordings[j].voice)


@needs_soundfile
def test_speech_survives_a_caller_who_writes_into_it():
    first = samples.speech("new_voice")[0].sound
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(samples.speech("new_voice")[0].sound, kept)


def test_unknown_split_lists_the_splits():
    with pytest.raises(ValueError, match="no split 'test'.*train, new_sentences, new_voice"):
        samples.speech("test")


def test_missing_soundfile_says_what_to_install(monkeypatch):
    samples.voices._read_sound.cache_clear()
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install mmtokedu\[media\]"):
        samples.speech()


@needs_soundfile
def test_speech_json_describes_the_files_to_the_sample():
    stored = json.loads((samples.items.DATA / "speech" / "speech.json").read_text(encoding="utf-8"))
    for split in samples.SPLITS:
        sound, rate = samples.voices._read_sound(split)
        clips = [clip for clip in stored["clips"] if clip["split"] == split]
        assert rate == stored["rate"] and clips[0]["start"] == 0 and clips[-1]["stop"] == len(sound)
        assert all(before["stop"] == after["start"] for before, after in itertools.pairwise(clips))
        assert all(clip["seconds"] == round((clip["stop"] - clip["start"]) / rate, 2) for clip in clips)
        assert all(clip["language"] == stored["voices"][clip["voice"]]["language"] for clip in clips)


def stored_speech():
    return {path.name: path.read_bytes() for path in (samples.items.DATA / "speech").iterdir()}


@needs_soundfile
def test_the_script_says_the_stored_speech_again(make_speech):
    stored = stored_speech()
    pytest.importorskip("soxr")
    if not shutil.which("espeak-ng") or "1.51 " not in subprocess.getoutput("espeak-ng --version"):
        pytest.skip("needs espeak-ng 1.51")
    assert make_speech.differences(make_speech.build(), stored) == []


@needs_soundfile
def test_speech_check_sees_another_word_and_another_sample(make_speech):
    import soundfile

    stored = stored_speech()
    sound = soundfile.read(io.BytesIO(stored["new_voice.flac"]), dtype="int16")[0]
    for change, said in (
        (lambda x: x[:-1], "all of 32768"),
        (lambda x: x + 3 * (np.arange(len(x)) == 9), "up to 3 of"),
    ):
        file = io.BytesIO()
        soundfile.write(file, change(sound).astype(np.int16), 16_000, format="FLAC", subtype="PCM_16")
        found = make_speech.differences(stored, stored | {"new_voice.flac": file.getvalue()})
        assert len(found) == 1 and "new_voice.flac differs" in found[0] and said in found[0]
    other = stored["speech.json"].replace(b"Trust your ears", b"Trust your eyes")
    assert "speech.json differs" in make_speech.differences(stored, stored | {"speech.json": other})[0]


def test_without_espeak_the_script_says_so(make_speech, monkeypatch):
    pytest.importorskip("soundfile")
    monkeypatch.setattr(make_speech.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="espeak-ng is missing"):
        make_speech.build()


# results


def test_timings_are_found_by_topic_and_device(monkeypatch, tmp_path):
    """A later chapter's file, or a card's, needs no change here; the CPU comes first."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    for name in ("vq-amd-card", "vq-cpu", "rvq-cpu", "vq-nvidia-h200"):
        (folder / f"{name}.json").write_text(json.dumps({"device": name}))
    monkeypatch.setattr(measured, "_DATA", tmp_path)
    assert list(samples.timings("vq")) == ["cpu", "amd-card", "nvidia-h200"]
    assert samples.timings("vq")["nvidia-h200"] == {"device": "vq-nvidia-h200"}
    assert samples.timings("rvq") == {"cpu": {"device": "rvq-cpu"}}
    with pytest.raises(ValueError, match=r"no timings for 'q'; there are for rvq, vq$"):
        samples.timings("q")


# what ships


def test_every_data_file_names_its_origin_and_licence():
    files = {
        path.relative_to(samples.items.DATA).as_posix(): path
        for path in samples.items.DATA.rglob("*")
        if path.is_file()
    }
    assert set(files) == set(samples.ITEMS)
    assert sum(path.stat().st_size for path in files.values()) < 12e6
    assert (samples.items.DATA / "page_noisy.jpg").stat().st_size < 600e3
    for item in [*samples.ITEMS.values(), *samples.PHOTOS.values()]:
        assert all(item), item


# the script that set it


@pytest.mark.skipif(not features.check("raqm"), reason="this Pillow cannot kern")
def test_the_script_sets_the_stored_page_again(typeset_page):
    stored = {name: (samples.items.DATA / name).read_bytes() for name in ("page.png", "page_noisy.jpg", "page.json")}
    assert typeset_page.differences(typeset_page.build(), stored) == []


def test_check_sees_a_moved_line_a_moved_box_and_another_word(typeset_page, tmp_path):
    stored = {name: (samples.items.DATA / name).read_bytes() for name in ("page.png", "page_noisy.jpg", "page.json")}
    page = samples.document()
    page[1000:] = np.roll(page[1000:], 2, axis=0)
    Image.fromarray(page).save(tmp_path / "page.png")
    found = typeset_page.differences(stored, stored | {"page.png": (tmp_path / "page.png").read_bytes()})
    assert len(found) == 1 and "page.png differs" in found[0]

    layout = json.loads(stored["page.json"])
    layout["boxes"][100][0] += 2
    found = typeset_page.differences(stored, stored | {"page.json": json.dumps(layout).encode()})
    assert found == ["boxes of page.json differ by up to 2 pixels (1 allowed)"]
    layout["lines"][5]["text"] += "s"
    found = typeset_page.differences(stored, stored | {"page.json": json.dumps(layout).encode()})
    assert found == ["the lines of page.json differ"]


def test_lines_end_inside_the_page(typeset_page):
    """An f may hang over the edge by a hair; anything more is an overfull line."""
    right = typeset_page.RIGHT / 25.4 * 200
    assert samples.document_boxes().box[:, 3].max() <= right + 3
