"""The catalog of compressors holds what its rows promise, and its counts are the library's."""

import dataclasses
import datetime
import math
import re
from pathlib import Path

import numpy as np
import pytest

from mmtokedu.catalog import compressors as catalog
from mmtokedu.catalog import images
from mmtokedu.compress import merge_tokens, pool_tokens, pyramid_schedule, shuffle_map
from mmtokedu.video import retained_tokens

pytestmark = pytest.mark.apart

METHODS, RESULTS = catalog.rows("methods"), catalog.rows("results")
COUNTED = [name for name in METHODS if catalog.counts(name)]


def ruled(rule):
    return [name for name, row in METHODS.items() if row.rule == rule]


@pytest.mark.parametrize("row", [*METHODS.values(), *RESULTS.values()], ids=lambda row: row.name)
def test_a_row_is_complete_and_dated(row):
    told = row.says if isinstance(row, catalog.ResultRow) else row.about
    assert row.source and told.endswith(".") and datetime.date(2026, 11, 29) <= row.as_of <= datetime.date(2026, 11, 30)
    if isinstance(row, catalog.ResultRow):
        assert set(row.methods) <= set(METHODS)
        assert all(math.isfinite(value) for value in row.values.values())
        assert row.source.startswith("https://github.com/") == (row.read == "thread")


def test_every_place_rule_and_reading_is_used():
    assert {row.where for row in METHODS.values()} == set(catalog.PLACES)
    assert {row.rule for row in METHODS.values()} - {""} == set(catalog.RULES)
    assert {row.read for row in RESULTS.values()} == set(catalog.READ) - {"code"}


def test_what_a_row_cites_is_in_the_bibliography():
    text = (Path(__file__).parents[2] / "book" / "references.bib").read_text(encoding="utf-8")
    entries = set(re.findall(r"^@\w+\{(\w+),", text, re.M))
    cited = {row.cite for row in RESULTS.values() if row.cite}
    assert len(cited) > 5 and cited <= entries, cited - entries


def test_an_abstract_is_cited_by_number():
    for row in RESULTS.values():
        if row.read in ("abstract", "table"):
            assert re.search(r"arXiv \d{4}\.\d{5}", row.source), row.name


@pytest.mark.parametrize("name", ruled("fold"))
def test_folds_are_the_librarys(name):
    grid, factor = catalog.row("methods", name).parameters.values()
    blocks = len(shuffle_map(grid, factor))
    pairs = 2 if name == "ernie-4.5-vl" else 1
    before, after = catalog.counts(name)
    assert before == math.prod(grid) and after * pairs == blocks


@pytest.mark.parametrize("name", ruled("pool"))
def test_pools_are_the_librarys(name):
    how = dict(catalog.row("methods", name).parameters)
    grid = how.pop("grid")
    tokens = np.zeros((math.prod(grid), 1), np.float32)
    assert catalog.counts(name) == (len(tokens), len(pool_tokens(tokens, grid, **how)))


@pytest.mark.parametrize("name", ruled("merge"))
def test_merges_are_the_librarys(rng, name):
    tokens, layers, r = catalog.row("methods", name).parameters.values()
    x = rng.standard_normal((tokens, 4))
    for _ in range(layers):
        x = merge_tokens(x, r, class_token=True).tokens
    assert catalog.counts(name) == (tokens, len(x)) == (197, 41)


@pytest.mark.parametrize("name", ruled("stages"))
def test_stages_are_the_librarys(name):
    tokens, layers, at, ratio = catalog.row("methods", name).parameters.values()
    schedule = pyramid_schedule(tokens, layers, at=at, ratio=ratio)
    assert catalog.counts(name) == (schedule[0], schedule[-1])


def test_frames_kept():
    tokens, frames, rate, _ = catalog.row("methods", "evs").parameters.values()
    assert catalog.counts("evs") == (512, retained_tokens(tokens, frames, rate)) == (512, 64)
    assert catalog.counts("vidcom2") == (512, 25)


@pytest.mark.parametrize("name", [name for name, row in METHODS.items() if row.sizes])
def test_counts_are_those_of_the_catalog_of_images(name):
    """Of a tile where a picture is cut into tiles, else of a picture that has just this grid."""
    system, (_, after) = images.row(METHODS[name].sizes), catalog.counts(name)
    if each := system.parameters.get("per_tile"):
        assert each == after
    else:
        patch = 16 if name == "gemma-4" else 14
        height, width = (side * patch for side in METHODS[name].parameters["grid"])
        assert images.image_tokens(system.name, height, width) == after


def test_the_numbers_agree_with_each_other():
    """What one row says and another implies."""
    values = {name: row.values for name, row in RESULTS.items()}
    grounding = list(values["grounding"].values())
    assert grounding[2] / grounding[0] == pytest.approx(0.9, abs=0.02)  # "90 %", says the abstract
    for side, tokens in zip((512, 640, 1024, 1280), values["deepseek-ocr-modes"].values(), strict=True):
        assert tokens == (side // 64) ** 2
    assert values["deepseek-ocr-modes"]["1024 pixels"] == catalog.counts("deepseek-ocr").after
    left = pyramid_schedule(576, 32).mean() / 576
    done = values["pyramiddrop"]["TFLOP, dropped"] / values["pyramiddrop"]["TFLOP, all tokens"]
    assert done == pytest.approx(left, abs=0.01)  # computation falls as tokens over the layers do
    assert 1 - pyramid_schedule(576, 40, at=[2], ratio=0.5).mean() / 576 == pytest.approx(0.45, abs=0.03)  # FastV
    speed = values["tome-speed"]
    assert speed["L, merged"] / speed["L, all tokens"] == pytest.approx(2.05, abs=0.01)
    before, after = catalog.counts("minicpm-v-4.5")
    assert before / after == 96
    assert 1 - catalog.counts("cdpruner").after / 576 == pytest.approx(0.95, abs=0.01)


def test_rows_that_cannot_be():
    row = catalog.row("methods", "fastv")
    for change in ({"where": "attic"}, {"training": "some"}, {"verified": "believed"}, {"rule": "wish"}):
        with pytest.raises(ValueError, match=f"{next(iter(change))} is '{next(iter(change.values()))}'; expected one"):
            dataclasses.replace(row, **change)
    with pytest.raises(ValueError, match="read is 'heard'"):
        dataclasses.replace(catalog.row("results", "grounding"), read="heard")
    with pytest.raises(ValueError, match="3 values of the unit ''"):
        dataclasses.replace(catalog.row("results", "grounding"), unit="")
    with pytest.raises(ValueError, match="unknown kind of compressors row 'planes'"):
        catalog.rows("planes")
    with pytest.raises(ValueError, match="unknown compressors row of methods 'fastw'; the catalog has downsampling, "):
        catalog.counts("fastw")
