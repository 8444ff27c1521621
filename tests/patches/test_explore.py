"""Explorables on the Python side: arguments are checked, the file is filled in completely, vectors come from the library."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from mmtokedu import explore, vq
from mmtokedu.catalog import images as catalog
from mmtokedu.explore import _vq
from mmtokedu.patches import image_tokens


def data_of(out, topic):
    """What Python writes for the topic's elements."""
    text, start = out._repr_html_(), f"{topic} ??= "
    return json.JSONDecoder().raw_decode(text[text.index(start) + len(start) :])[0]


def test_output_carries_arguments_and_still():
    out = explore.patches(height=720, width=1280, model="internvl2.5", picture="page")._repr_html_()
    head = out[: out.index("</mm-explore-patches>")]
    assert '<mm-explore-patches height="720" width="1280" model="internvl2.5" picture="page"><figure' in head
    alt = "A picture of 720 × 1,280 pixels under InternVL2.5: 2 rows of 4 tiles, 2,304 tokens (2,048 tiles, 256 thumbnail)."
    assert f"<title>{alt}</title>" in head and f"<figcaption>{alt}</figcaption>" in head and 'role="img"' in head
    assert '"mm:palette"' not in out


def test_marker_key_follows_content():
    def key(**arguments):
        out = explore.patches(**arguments)._repr_html_()
        return re.fullmatch(r"<!-- mm:explore ([0-9a-f]{12}) -->.*<!-- /mm -->", out, re.S)[1]

    assert key() == key(height=1080, width=1920, model="qwen2.5-vl") != key(width=1921)


def test_data_in_the_page_is_the_catalog():
    data = data_of(explore.patches(), "patches")
    assert [model["id"] for model in data["models"]] == list(catalog.rows())
    for model in data["models"]:
        assert model["parameters"] == dict(catalog.row(model["id"]).parameters)


@pytest.mark.parametrize("model", catalog.rows())
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
    assert set(rows) == set(catalog.rows())
    assert all(len(set(map(tuple, (row[:2] for row in some)))) >= 200 for some in rows.values())
    for h, w, tokens, *_ in rows["internvl2.5"][::40]:
        assert tokens == image_tokens("internvl2.5", h, w)
    refused = sum(row[2] is None for some in rows.values() for row in some)
    assert 100 < refused < 1000


def test_command_line_writes_a_page():
    command = [sys.executable, "-m", "mmtokedu.explore", "page", "patches"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    assert done.stdout.startswith("<!doctype html>") and "<mm-explore-patches height=" in done.stdout


# vq


def test_vq_output_carries_arguments_and_still():
    out = explore.vq(preset="drift", codes=5, decay=0.5, threshold=2, steps=3)._repr_html_()
    head = out[: out.index("</mm-explore-vq>")]
    assert '<mm-explore-vq preset="drift" codes="5" decay="0.5" threshold="2.0" steps="3"><figure' in head
    alt = "90 latents and 5 codes that start on latents that move away, after 3 steps: "
    assert f"<title>{alt}" in head and f"<figcaption>{alt}" in head and 'role="img"' in head
    assert repr(explore.vq(codes=1)) == (
        "[explore: 90 latents and 1 code that start in one corner: 1 of 1 code used, perplexity 1.0.]"
    )


def test_vq_data_in_the_page():
    data = data_of(explore.vq(), "vq")
    assert list(data["presets"]) == ["corner", "healthy", "drift"]
    for preset in data["presets"].values():
        points, codes, ((dx, dy), batches) = np.array(preset["points"]), np.array(preset["codes"]), preset["drift"]
        assert points.shape == (90, 2) and codes.shape == (16, 2)
        assert len(np.unique(points, axis=0)) == 90 and len(np.unique(codes, axis=0)) == 16  # nothing lies on another
        end = points + np.array([dx, dy]) * batches
        assert max(np.abs(points).max(), np.abs(codes).max(), np.abs(end).max()) <= 1  # all of it is in the plane


def test_vq_still_shows_each_code_by_its_shape():
    marks = lambda **arguments: explore.vq(**arguments)._repr_html_().split("</figure>")[0]
    first, later = marks(), marks(steps=20)
    assert first.count("l7 8l-7 8l-7-8z") == 12 and first.count('fill="none"/>') == 1 and "m-5-5l10" not in first
    assert later.count("l7 8l-7 8l-7-8z") == 2 and later.count("m-5-5l10 10m0-10l-10 10") == 10
    assert first.count("h0") == 90


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"preset": "dead"}, ValueError, "corner, healthy, drift"),
        ({"preset": ["corner"]}, ValueError, "corner, healthy, drift"),
        ({"codes": 0}, ValueError, "codes is 0; choose 1 to 16"),
        ({"codes": 17}, ValueError, "codes is 17"),
        ({"codes": 4.0}, TypeError, "integer"),
        ({"steps": "3"}, TypeError, "integer"),
        ({"steps": 100}, ValueError, "steps is 100; choose 0 to 99"),
        ({"decay": 1.0}, ValueError, "decay is 1.0; choose 0.1 to 0.99"),
        ({"decay": float("nan")}, ValueError, "decay is nan"),
        ({"threshold": -0.1}, ValueError, "threshold is -0.1; choose 0 to 9.9"),
    ],
)
def test_vq_arguments_are_checked(arguments, error, says):
    with pytest.raises(error, match=re.escape(says)):
        explore.vq(**arguments)


def used(preset, codes, decay, do):
    return set(_vq.play(preset, codes, decay, 0.5, do).codes.tolist())


@pytest.mark.parametrize("codes", [4, 8, 12, 16])
def test_what_the_page_says_of_the_corner(codes):
    first = used("corner", codes, 0.9, "")
    assert len(first) <= max(2, codes // 4)
    for do in ("s", "s10", "s60"):
        assert used("corner", codes, 0.9, do) == first  # the rest are left behind
    assert used("corner", codes, 0.9, "s10rs10") == set(range(codes))  # unless they are restarted


def test_what_the_page_says_of_the_other_presets():
    for codes in (2, 8, 12, 16):
        assert used("healthy", codes, 0.9, "s20") == set(range(codes))
    assert len(used("drift", 12, 0.5, "s20")) > 2 * len(used("drift", 12, 0.9, "s20"))


def test_draws_are_mulberry32():
    # what its C and JavaScript forms give for seeds 0 and 1
    assert (_vq.draws(0, 3) * 2**32).astype(np.int64).tolist() == [1144304738, 1416247, 958946056]
    assert (_vq.draws(1, 3) * 2**32).astype(np.int64).tolist() == [2693262067, 11749833, 2265367787]


def test_vq_golden_vectors_are_the_librarys_and_far_from_ties():
    golden = explore.golden_vectors("vq")
    assert {name: len(rows) for name, rows in golden.items()} == (
        {"assign": 40, "update": 41, "restart": 40, "runs": 240, "draws": 5}
    )
    rows = [(row["points"], row["codebook"], row["codes"]) for row in golden["assign"]]
    rows += [
        (row["points"], np.divide(row["sum"], np.array(row["usage"])[:, None]), row["chosen"]) for row in golden["runs"]
    ]
    for points, codebook, chosen in rows:
        away = ((np.array(points)[:, None] - np.array(codebook)) ** 2).sum(axis=2)
        assert away.argmin(axis=1).tolist() == chosen
        if len(codebook) > 1:
            least, second = np.partition(away, 1, axis=1)[:, :2].T
            assert (second - least).min() > 1e-7
    for row in golden["restart"]:
        state = vq.EmaState(np.array(row["state"]["sum"]), np.array(row["state"]["usage"]))
        after = vq.restart_dead_codes(state, np.array(row["points"]), row["threshold"], np.array(row["draws"]))
        assert after.sum.tolist() == row["after"]["sum"] and after.usage.tolist() == row["after"]["usage"]
    assert sum(row["after"] != row["state"] for row in golden["restart"]) > 20
    assert any(len(row["points"]) < len(row["codebook"]) for row in golden["assign"])
