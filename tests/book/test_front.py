"""The front page: its sums are right, its picture is what the tool draws, its map fits the table of contents."""

import re
from pathlib import Path

import draw_map
import first_picture
import numpy as np
import pytest
import yaml
from PIL import Image

pytestmark = pytest.mark.apart

ROOT = Path(__file__).parents[2]
SUM = re.compile(r"(?<![\d,.])(\d+(?:\s[×/]\s\d+)+)\s=\s(\d+)")


def wrong_sums(text):
    """The sums "a × b = c" or "a / b = c" of a text that do not come out."""
    wrong = []
    for left, right in SUM.findall(text):
        number, *rest = left.split()
        result = int(number)
        for sign, factor in zip(rest[::2], rest[1::2], strict=True):
            result = result * int(factor) if sign == "×" else result / int(factor)
        if result != int(right):
            wrong.append(f"{left} = {right}")
    return wrong


def test_the_sums_on_the_front_page():
    text = (ROOT / "book" / "intro.md").read_text(encoding="utf-8")
    assert len(SUM.findall(text)) >= 7
    assert wrong_sums(text) == []


def test_a_wrong_sum_is_noticed():
    assert wrong_sums("224 / 14 = 16, 60 × 2 × 256 = 30721, 15 / 14 = 1") == ["60 × 2 × 256 = 30721", "15 / 14 = 1"]


def test_the_stored_photo_is_what_its_tool_cuts():
    pytest.importorskip("skimage")
    with Image.open(first_picture.PHOTO) as stored:
        difference = np.abs(np.asarray(stored.convert("RGB"), float) - np.asarray(first_picture.photo(), float))
    assert difference.shape == (224, 224, 3)
    assert difference.mean() < 3  # lossy, and encoders differ a little; five pixels to the side it would be 19


def test_the_pieces_lie_in_reading_order():
    pieces = re.findall(r'<i style="--x:(\d+);--y:(\d+)">', first_picture.page())
    assert [(int(x), int(y)) for x, y in pieces] == [(i % 16, i // 16) for i in range(256)]


def test_the_map_links_what_is_written_and_marks_the_rest():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    written = [page.removeprefix("notebooks/") for page in draw_map.pages(toc) if re.fullmatch(r"notebooks/\w+", page)]
    html = draw_map.page(toc)
    assert html.count('<a class="mm-place"') == 2 * len(written)  # one map for wide screens, one for phones
    assert html.count("mm-coming") == 2 * (9 - len(written))
    for stem in written:
        assert f'href="../notebooks/{stem}.html"' in html
