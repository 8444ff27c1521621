"""The catalog of tariffs holds what its rows promise, and nobody reads a clock."""

import dataclasses
import datetime
import re
from fractions import Fraction

import pytest

from mmtokedu.catalog import images, listeners, prices
from mmtokedu.catalog.prices import Tariff

pytestmark = pytest.mark.apart

ROWS = prices.rows()


@pytest.mark.parametrize("name", ROWS)
def test_a_tariff(name):
    row = ROWS[name]
    assert row.source and isinstance(row.as_of, datetime.date) and row.verified in prices.HOW
    for tariff in filter(None, (row.tariff, row.long)):
        assert 0 < tariff.input < tariff.output
        assert tariff.cached is None or tariff.cached < tariff.input
        assert tariff.written is None or tariff.input < tariff.written < tariff.output
    if row.long:
        assert row.long.input > row.tariff.input
        assert row.above > 0 and (not row.context or row.above <= row.context)
    assert not row.until or row.until >= row.as_of
    assert not row.images or (
        row.images in images.rows() and set(row.parameters) <= set(images.row(row.images).parameters)
    )
    assert not row.sounds or row.sounds in listeners.rows()


def test_none_was_read_on_a_vendors_page_and_each_says_so():
    assert {row.verified for row in ROWS.values()} == {"package"}


def test_the_same_prices_stand_with_the_image_rules():
    """Two files name a price of the same model; they may not disagree on the same day's package."""
    met = 0
    for rule in images.rows().values():
        for price in rule.prices:
            if price.model in ROWS and "package" in ROWS[price.model].verified:
                row = ROWS[price.model]
                assert row.tariff.input == price.usd_per_million_tokens, price.model
                assert row.multiplier == price.multiplier, price.model
                met += 1
    assert met >= 5


def test_prices_are_exact_as_written():
    tariff = Tariff(0.1, 0.3)
    assert tariff.of("input") == Fraction(1, 10_000_000) and tariff.of("cached") is None
    assert 3 * tariff.of("input") == tariff.of("output")  # floats would not


def test_the_step_is_a_cliff():
    row = prices.row("gpt-6-sol")
    assert prices.tariff_of(row, row.above) == row.tariff and prices.tariff_of(row, row.above + 1) == row.long
    assert prices.tariff_of(prices.row("gpt-4o"), 10**9) == prices.row("gpt-4o").tariff


def test_age_is_asked_of_a_day_that_is_given():
    newest = max(row.as_of for row in ROWS.values())
    assert prices.older_than(120, newest) == [n for n, row in ROWS.items() if (newest - row.as_of).days > 120]
    assert prices.older_than(120, newest + datetime.timedelta(days=10_000)) == list(ROWS)
    assert prices.older_than(0, newest) == [n for n, row in ROWS.items() if row.as_of < newest]


def test_pictures_and_sounds_on_a_bill():
    assert prices.image_tokens_billed("gpt-4o-mini", 1024, 1024) == 2833 + 4 * 5667  # 33 times gpt-4o's 765
    assert prices.image_tokens_billed("gpt-4.1-mini", 2400, 1800) == 2353  # 1.62 * 1452 = 2352.24, rounded up
    assert prices.image_tokens_billed("claude-haiku-4-5", 1080, 1920) == 1560
    assert prices.image_tokens_billed("gemini-3.6-flash", 1, 1) == 1120
    with pytest.raises(ValueError, match=re.escape("does not know how gpt-5.4 counts pictures")):
        prices.image_tokens_billed("gpt-5.4", 10, 10)
    with pytest.raises(ValueError, match="does not know how gpt-4o counts sounds"):
        prices.sound_tokens_billed("gpt-4o", 10)
    with pytest.raises(ValueError, match="image is 0x10"):
        prices.image_tokens_billed("gpt-4o", 0, 10)


def test_rows_that_cannot_be():
    row = prices.row("gpt-6-sol")
    with pytest.raises(ValueError, match="verified is 'believed'; known are package, third-party, vendor"):
        dataclasses.replace(row, verified="believed")
    with pytest.raises(ValueError, match="above 0 tokens the price is Tariff"):
        dataclasses.replace(row, above=0)
    with pytest.raises(ValueError, match="it counts pictures, and says not how that was verified"):
        dataclasses.replace(row, counted="")
    for wrong in (-1, float("nan"), float("inf"), 10_000, "2"):
        with pytest.raises(ValueError, match="input is .*; expected US dollars"):
            Tariff(wrong, 1)


def test_an_unknown_name_is_answered_with_near_ones():
    with pytest.raises(ValueError, match=re.escape("unknown tariff 'GPT-6 Sol' (of 34); the nearest name")):
        prices.row("GPT-6 Sol")
    with pytest.raises(ValueError, match="unknown tariff 7; the catalog has gpt-4o, "):
        prices.row(7)
