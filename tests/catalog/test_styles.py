"""The catalog of styles holds what its rows promise."""

import dataclasses
import datetime
import re

import pytest

from mmtokedu.catalog import styles

pytestmark = pytest.mark.apart


@pytest.mark.parametrize("name", styles.rows())
def test_a_style_is_complete_and_dated(name):
    row = styles.row(name)
    assert row.name == name and row.title and row.about.endswith(".") and row.source and row.media
    assert datetime.date(2026, 1, 1) <= row.as_of <= datetime.date.today()
    assert {medium.soft for medium in row.media.values()} <= set(row.tokens)
    assert {medium.layout for medium in row.media.values()} <= set(styles.LAYOUTS)


@pytest.mark.parametrize("name", styles.rows())
def test_a_census_row_names_its_source(name):
    """Package, version, file and function; tests/parity/test_live_modality.py reads them."""
    said = styles.row(name).modality
    assert re.fullmatch(r"transformers 5\.23\.0 models/(\w+)/modeling_\1\.py, \w+\.\w+(, \w+\.\w+)*", said.source)
    assert said.as_of == datetime.date(2026, 11, 30) and (not said.about or said.about.endswith("."))


def test_the_census_has_every_style_once():
    census = styles.modality_census()
    names = [name for names in census.values() for name in names]
    assert sorted(names) == sorted(styles.rows()) and len(names) == 35
    with pytest.raises(ValueError, match="modality adds 'perhaps'"):
        dataclasses.replace(styles.row("molmo2").modality, adds="perhaps")


def test_rows_that_cannot_be():
    with pytest.raises(ValueError, match="verified is 'believed'"):
        dataclasses.replace(styles.row("qwen2-vl"), verified="believed")
    with pytest.raises(ValueError, match="unknown kind of style row 'planes'"):
        styles.rows("planes")
