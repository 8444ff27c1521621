"""Explorables on the Python side: arguments are checked, the file is filled in completely, vectors come from the library."""

import json
import re
import subprocess
import sys

import pytest

from mmtokedu import catalog, explore
from mmtokedu.patches import image_tokens


def test_output_carries_arguments_and_still():
    out = explore.patches(height=720, width=1280, model="internvl2.5", picture="page")._repr_html_()
    head = out[: out.index("</mm-explore-patches>")]
    assert '<mm-explore-patches height="720" width="1280" model="internvl2.5" picture="page"><figure' in head
    alt = "A picture of 720 × 1,280 pixels under InternVL2.5: 2 × 4 tiles, 2,304 tokens (2,048 tiles, 256 thumbnail)."
    assert f"<title>{alt}</title>" in head and f"<figcaption>{alt}</figcaption>" in head and 'role="img"' in head
    assert '"mm:data"' not in out


def test_marker_key_follows_content():
    def key(**arguments):
        out = explore.patches(**arguments)._repr_html_()
        return re.fullmatch(r"<!-- mm:explore ([0-9a-f]{12}) -->.*<!-- /mm -->", out, re.S)[1]

    assert key() == key(height=1080, width=1920, model="qwen2.5-vl") != key(width=1921)


def test_data_in_the_page_is_the_catalog():
    out = explore.patches()._repr_html_()
    data = out[out.index("const DATA = ") + len("const DATA = ") :]
    data, _ = json.JSONDecoder().raw_decode(data)
    assert [model["id"] for model in data["models"]] == list(catalog.images())
    for model in data["models"]:
        assert model["parameters"] == dict(catalog.image_row(model["id"]).parameters)


@pytest.mark.parametrize("model", catalog.images())
def test_still_says_what_the_library_says(model):
    assert f" {image_tokens(model, 600, 800):,} tokens" in repr(explore.patches(height=600, width=800, model=model))


def test_a_refused_size_is_shown_not_raised():
    assert "refused" in repr(explore.patches(height=1, width=300))


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"height": 0}, ValueError, "height is 0; choose 1 to 20000"),
        ({"width": 20_001}, ValueError, "width is 20001"),
        ({"height": 2.5}, TypeError, "integer"),
        ({"width": "640"}, TypeError, "integer"),
        ({"model": "gpt-9"}, ValueError, "qwen2.5-vl"),
        ({"picture": "<img onerror=alert(1)>"}, ValueError, "landscape, page, icon"),
    ],
)
def test_arguments_are_checked(arguments, error, says):
    with pytest.raises(error, match=re.escape(says)):
        explore.patches(**arguments)


def test_unknown_topic():
    with pytest.raises(ValueError, match="patches"):
        explore.golden_vectors("pachtes")


def test_golden_vectors_are_the_librarys():
    rows = explore.golden_vectors("patches")["tokens"]
    assert set(rows) == set(catalog.images())
    assert all(len(set(map(tuple, (row[:2] for row in some)))) >= 200 for some in rows.values())
    for h, w, tokens, *_ in rows["internvl2.5"][::40]:
        assert tokens == image_tokens("internvl2.5", h, w)
    refused = sum(row[2] is None for some in rows.values() for row in some)
    assert 100 < refused < 1000


def test_command_line_writes_a_page():
    command = [sys.executable, "-m", "mmtokedu.explore", "page", "patches"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    assert done.stdout.startswith("<!doctype html>") and "<mm-explore-patches height=" in done.stdout


def test_front_end_file_asks_for_nothing_and_writes_no_markup():
    for topic in explore.GOLDEN:
        text = (explore.resources.files(explore) / f"{topic}.html").read_text(encoding="utf-8")
        assert not re.search(r"https?:|//[a-z]+\.[a-z]|\bfetch\(|XMLHttpRequest|\bimport\(|<link|src=", text)
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|currentScript", text)


def test_a_front_end_file_without_its_slots_is_refused(monkeypatch, tmp_path):
    (tmp_path / "patches.html").write_text("<mm-explore-patches></mm-explore-patches><script></script>")
    monkeypatch.setattr(explore.resources, "files", lambda name: tmp_path)
    with pytest.raises(ValueError, match=r'"mm:data" 0 times'):
        explore._explorable("patches", {}, {}, "", "")


def test_palette_is_the_books():
    palette = pytest.importorskip("mmtokedu.show", reason="matplotlib is not installed").PALETTE
    assert explore.PALETTE == {name: palette[name] for name in explore.PALETTE}
