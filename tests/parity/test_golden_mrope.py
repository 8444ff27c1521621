"""Positions computed once by the peers, kept as data with package and version: these tests need no peer."""

import json
from pathlib import Path

import numpy as np
import pytest
from peers_mrope import sound_tokens

from mmtokedu.catalog import positions as catalog
from mmtokedu.measured import results
from mmtokedu.mrope import (
    Audio,
    Text,
    Vision,
    Woven,
    axis_of_pair,
    decode_offset,
    position_ids,
    position_ids_plain,
    rotate_2d,
    turning,
)

pytestmark = pytest.mark.apart

GOLDEN = json.loads((Path(__file__).parent / "golden" / "mrope.json").read_text(encoding="utf-8"))
RULES = {  # how a row's name begins -> the rule
    "mrope/qwen3_5": "qwen3.5",
    "mrope/glm4v": "glm-4v",
    "mrope/paddleocr_vl": "paddleocr-vl",
    "mrope/qwen2_vl": "qwen2-vl",
    "mrope/qwen3_vl": "qwen3-vl",
    "mrope/ernie4_5_vl": "ernie-4.5-vl",
    "mrope/hunyuan_vl": "hunyuan-vl",
    "mrope/keye_vl_1_5": "keye-vl-1.5",
    "qwen2_vl": "qwen2-vl",
    "qwen2_5_vl": "qwen2.5-vl",
    "tmrope/qwen2_5_omni": "qwen2.5-omni",
    "tmrope/qwen3_omni": "qwen3-omni",
    "research/videorope_official": "videorope",
    "research/hope_official": "hope",
    "research/vanilla-rope": "1d",
    "research/v2pe/": "v2pe",
    "research/mrope-interleave_spatial_reset": "spatial-reset",
    "research/ilrope": "spatial-reset",
    "research/omnirope": "spatial-reset",
    "research/circlerope": "circlerope",
    "research/mmrope": "mmrope",
}
OFFICIAL_V2PE = [row for row in GOLDEN["positions"] if row["id"].startswith("research/v2pe_official")]
POSITIONS = [row for row in GOLDEN["positions"] if row not in OFFICIAL_V2PE]


def rule_of(row):
    (rule,) = (rule for begin, rule in RULES.items() if row["id"].startswith(begin))
    return rule


def segments_of_row(row):
    """A row's parts, in patches before the merge, as segments. Every picture and film stands between two markers."""
    given, segments = row["input"], []
    rule, omni = rule_of(row), "parts" in row["input"]
    a_second = given.get("position_id_per_seconds", 1)
    for kind, what, *seconds in given["parts"] if omni else given["parts_in_patches"]:
        if kind == "t":
            segments.append(Text(what))
            continue
        if kind == "a":
            segments += [Text(1), Audio(sound_tokens(rule, what, a_second)), Text(1)]
            continue
        t, h, w = what[0], what[1] // 2, what[2] // 2 + (rule == "hunyuan-vl")
        if kind == "v":
            t //= given.get("temporal_merge", 1)
        if kind == "av":
            sound = Audio(sound_tokens(rule, seconds[1], a_second))
            weave = {"qwen2.5-omni": "chunks", "qwen3-omni": "merge"}[rule]
            segments.append(Woven((Vision(t, h, w, step=seconds[0] * a_second), sound), weave))
            continue
        step = seconds[0] * a_second if seconds else given.get("step", 1) if kind == "v" else 1
        step *= float(row["id"].partition("scale")[2].partition("/")[0]) if "hope" in row["id"] else 1
        step = 16 / (h * w) if rule == "v2pe" else step
        frames, before = 1, 0
        if kind == "v" and (given.get("one_span_per_frame") or given.get("frames_as_own_spans_with_2_text")):
            frames, before, t = t, given.get("text_tokens_before_each_frame", 2), 1
        segments += [Text(before + 1), Vision(t, h, w, step), Text(1)] * frames
    return segments


@pytest.mark.parametrize("row", POSITIONS, ids=lambda row: row["id"])
def test_positions_of_each_system(row):
    segments, rule = segments_of_row(row), rule_of(row)
    for resume, said in row["output"].items():
        resume = resume if resume in catalog.row("models", rule).resumes else "after-max"
        ids = position_ids(segments, rule=rule, resume=resume)
        np.testing.assert_allclose(ids, said["positions"], atol=1e-4)
        assert ids.dtype == (np.float64 if catalog.row("models", rule).fractions else np.int64)
        np.testing.assert_allclose(decode_offset(segments, rule=rule, resume=resume), said["delta"], atol=1e-4)


def test_the_rows_are_all_there_is_to_hold_to():
    """Every rule of the catalog has rows, but for those that number exactly as another one."""
    alike = {"qwen4-exp", "cosmos3-edge", "glm-ocr"}  # live parity has them
    assert {rule_of(row) for row in POSITIONS} == set(catalog.rows("models")) - alike
    assert len(POSITIONS) == 114 and len(OFFICIAL_V2PE) == 2


def test_where_the_two_ways_to_go_on_agree():
    """For pictures and timestamped frames they do; a film of more frames than rows and columns is where they part."""
    both = [row for row in POSITIONS if {"spatial", "after-max"} <= row["output"].keys()]
    part = {row["id"] for row in both if row["output"]["spatial"] != row["output"]["after-max"]}
    assert len(both) == 37 and part == {
        "mrope/ernie4_5_vl/video_5f",
        "mrope/qwen2_vl/video_long_12f",
    }


@pytest.mark.parametrize("row", POSITIONS, ids=lambda row: row["id"])
def test_the_plain_rule_is_qwen2_vls(row):
    segments = segments_of_row(row)
    if rule_of(row) == "qwen2-vl" and "after-max" in row["output"]:
        np.testing.assert_array_equal(position_ids_plain(segments), row["output"]["after-max"]["positions"])
    elif all(isinstance(segment, (Text, Vision)) and getattr(segment, "step", 1) == 1 for segment in segments):
        np.testing.assert_array_equal(position_ids_plain(segments), position_ids(segments))


@pytest.mark.parametrize("row", OFFICIAL_V2PE, ids=lambda row: row["id"])
def test_v2pe_of_its_authors(row):
    """Two words, a marker, a tile of 256 tokens, a marker, two words."""
    segments = [Text(3), Vision(1, 16, 16, step=row["input"]["stride"] / 256), Text(3)]
    ids, said = position_ids(segments, rule="v2pe"), row["output"]
    assert ids.shape == (3, said["len"]) and (ids == ids[0]).all()
    assert (ids[0, 3:7].tolist(), ids[0, 258], ids[0, 259:].tolist()) == (
        said["first_image_ids"],
        said["last_image_id"],
        said["after"],
    )


TURNING = {
    "Qwen2-VL": "qwen2-vl", "Qwen3-VL": "qwen3-vl", "Qwen3-Omni": "qwen3-omni", "Qwen4": "qwen4-exp",
    "GLM-4V": "glm-4v", "GLM-OCR": "glm-ocr", "HunYuan-VL": "hunyuan-vl", "ERNIE 4.5 VL": "ernie-4.5-vl",
    "mmrope": "mmrope", "MRoPE-I": "spatial-reset", "VideoRoPE": "videorope", "HoPE": "hope",
}  # fmt: skip


def test_every_row_that_turns_has_its_rule():
    assert TURNING.keys() == {row["name"] for row in GOLDEN["rows"]}


@pytest.mark.parametrize("row", GOLDEN["rows"], ids=lambda row: row["name"])
def test_the_rows_that_turn_are_the_catalogs(row):
    """Sections and layout of each catalog row that has an axis map among the golden rows."""
    how = turning(TURNING[row["name"]])
    assert axis_of_pair(how["sections"], layout=how["layout"]).tolist() == row["axis_of_pair"]


def tower_of(row):
    kind = row["id"].removeprefix("vision_rope/").partition("/")[0]
    return {"qwen2vl": "qwen", "kimi_k25": "kimi-k2.5", "muse_glimmer": "muse-glimmer"}.get(kind, kind)


@pytest.mark.parametrize("row", GOLDEN["towers"], ids=lambda row: row["id"])
def test_vision_towers(row):
    """What they multiply a patch's numbers with: the first 16 of the turned ones and zeros are the cosines."""
    style = tower_of(row)
    places = np.array(row["positions"]).T
    ones = np.concatenate(
        [np.ones((len(places.T), 8)), np.zeros((len(places.T), 8))], axis=1
    )  # (first, second) = (1, 0)
    turned = rotate_2d(ones, places, style=style)
    np.testing.assert_allclose(turned[:, :8], np.array(row["output"]["cos"])[:, :8], atol=1e-6)
    if "sin" in row["output"]:
        np.testing.assert_allclose(turned[:, 8:], np.array(row["output"]["sin"])[:, :8], atol=1e-6)


# How many of all these rows agree, as chapters say


def test_how_many_rows_agree(count_rows):
    checks = [("positions", rule_of(row), test_positions_of_each_system, row) for row in POSITIONS]
    checks += [("positions", "v2pe", test_v2pe_of_its_authors, row) for row in OFFICIAL_V2PE]
    checks += [
        ("axes of pairs", TURNING[row["name"]], test_the_rows_that_turn_are_the_catalogs, row) for row in GOLDEN["rows"]
    ]
    checks += [("towers", tower_of(row), test_vision_towers, row) for row in GOLDEN["towers"]]
    count_rows(checks)


def test_every_rule_is_among_the_kept_counts():
    """Who has live rows, and that every disagreement says on what."""
    rows = results("mrope_parity")["rows"]
    asked = {name: {row["asked"] for row in rows if row["name"] == name} for name in catalog.rows("models")}
    research = {
        "1d",
        "v2pe",
        "videorope",
        "hope",
        "spatial-reset",
        "circlerope",
        "mmrope",
    }  # whose authors' code is not installed
    assert {name for name, how in asked.items() if "live" not in how} == research | {"keye-vl-1.5"}
    assert all(asked.values()) and all(row["disagreed"] == 0 or row["why"] for row in rows)
