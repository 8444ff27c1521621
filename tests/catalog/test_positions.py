"""The catalog of positions holds what its rows promise."""

import dataclasses
import datetime

import pytest

from mmtokedu.catalog import positions as catalog
from mmtokedu.mrope import axis_of_pair, turning

pytestmark = pytest.mark.apart


def test_every_rule_and_weave_is_used():
    models = catalog.rows("models").values()
    assert {row.rule for row in models} == set(catalog.RULES)
    assert {row.weave for row in models} - {""} == set(catalog.WEAVES)


@pytest.mark.parametrize("name", catalog.rows("models"))
def test_a_model_can_turn_what_it_numbers(name):
    row = catalog.row("models", name)
    axis = axis_of_pair(row.sections, layout=row.layout)
    assert len(row.axes) == len(row.sections) and 2 * len(axis) == (row.width or row.head)
    assert set(row.begins) <= set(row.axes) and set(row.begins.values()) <= {"zero", "number"}
    assert row.resumes[0] == "after-max" and bool(row.weave) == bool(row.woven)
    assert turning(name)["width"] == (row.width or None)


@pytest.mark.parametrize("kind", ["models", "towers"])
def test_sources_and_dates(kind):
    for row in catalog.rows(kind).values():
        assert row.source and row.about.endswith(".") and isinstance(row.as_of, datetime.date)


def test_rows_that_cannot_be():
    row = catalog.row("models", "qwen2-vl")
    with pytest.raises(ValueError, match="verified is 'believed'"):
        dataclasses.replace(row, verified="believed")
    with pytest.raises(ValueError, match=r"sections \(1, 2, 3\) fill no 128"):
        dataclasses.replace(row, sections=(1, 2, 3))
    with pytest.raises(ValueError, match="pairing is 'thirds'"):
        dataclasses.replace(catalog.row("towers", "qwen"), pairing="thirds")
    with pytest.raises(ValueError, match="unknown kind of positions row 'planes'"):
        catalog.rows("planes")
