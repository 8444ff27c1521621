"""The front page: its sums are right, and its picture is what the tool draws."""

import importlib
import re
import sys
from pathlib import Path

import pytest

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


def test_the_first_picture_is_what_its_tool_draws(monkeypatch):
    pytest.importorskip("skimage")
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    first_picture = importlib.import_module("first_picture")
    stored = first_picture.PAGE.read_text(encoding="utf-8")
    assert first_picture.without_photo(stored) == first_picture.without_photo(first_picture.page())
    assert first_picture.without_photo(stored) != stored  # pixels are in it
    sys.modules.pop("first_picture", None)


def test_the_pieces_lie_in_reading_order():
    html = (ROOT / "book" / "_first.html").read_text(encoding="utf-8")
    pieces = [(int(x), int(y)) for x, y in re.findall(r'<i style="--x:(\d+);--y:(\d+)">', html)]
    assert pieces == [(i % 16, i // 16) for i in range(256)]
