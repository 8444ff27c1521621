import hashlib
import importlib.util
import json
import string
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from mmtokedu import samples

ROOT = Path(__file__).parent.parent
SIZES = [7, 8, 9, 10, 11, 12]
needs_scikit_image = pytest.mark.skipif(importlib.util.find_spec("skimage") is None, reason="scikit-image is missing")
both_pages = pytest.mark.parametrize("noisy", [False, True], ids=["clean", "noisy"])


@pytest.fixture(scope="module")
def typeset_page():
    spec = importlib.util.spec_from_file_location("typeset_page", ROOT / "tools" / "typeset_page.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


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
    samples._read_photo.cache_clear()
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install mmtokedu\[samples\]"):
        samples.photo()


def test_a_scikit_image_without_its_images_says_so(monkeypatch, tmp_path):
    samples._read_photo.cache_clear()
    (tmp_path / "skimage").mkdir()
    (tmp_path / "skimage" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "skimage", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FileNotFoundError, match="holds no rocket"):
        samples.photo("rocket")


def test_import_needs_only_the_core():
    code = "import sys, mmtokedu.samples; print(sorted({'skimage', 'torch', 'matplotlib'} & set(sys.modules)))"
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


# what ships


def test_every_data_file_names_its_origin_and_licence():
    files = {path.relative_to(samples._DATA).as_posix(): path for path in samples._DATA.rglob("*") if path.is_file()}
    assert set(files) == set(samples.ITEMS)
    assert sum(path.stat().st_size for path in files.values()) < 12e6
    assert (samples._DATA / "page_noisy.jpg").stat().st_size < 600e3
    for item in [*samples.ITEMS.values(), *samples.PHOTOS.values()]:
        assert all(item), item


# the script that set it


@pytest.mark.skipif(not features.check("raqm"), reason="this Pillow cannot kern")
def test_the_script_sets_the_stored_page_again(typeset_page):
    stored = {name: (samples._DATA / name).read_bytes() for name in ("page.png", "page_noisy.jpg", "page.json")}
    assert typeset_page.differences(typeset_page.build(), stored) == []


def test_check_sees_a_moved_line_a_moved_box_and_another_word(typeset_page, tmp_path):
    stored = {name: (samples._DATA / name).read_bytes() for name in ("page.png", "page_noisy.jpg", "page.json")}
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
