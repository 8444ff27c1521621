"""A plug-in for nbval: numbers written by `show.approx` (`≈26.43 ±0.05`) are compared within their tolerance.

Loaded with `-p nbval_approx` and this folder on PYTHONPATH, beside `--nbval`. The text around a number is compared to
the letter, and so is the tolerance. It needs nothing but nbval.
"""

import re
from decimal import Decimal

from nbval.plugin import IPyNbCell

NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
MARK = re.compile(rf"≈(-?(?:{NUMBER}|nan|inf)) ±({NUMBER})")


def agree(stored, computed):
    """Whether two outputs say the same: their text exactly, each marked number within the tolerance of both."""
    ours, theirs = MARK.split(stored), MARK.split(computed)  # text, number, tolerance, text, number, ...
    return len(ours) == len(theirs) and all(
        near(a, b, ours[i + 1]) if i % 3 == 1 else a == b for i, (a, b) in enumerate(zip(ours, theirs))
    )


def near(a, b, tolerance):
    """Whether two written numbers are at most the written tolerance apart, as decimals: what is shown counts."""
    a, b, tolerance = (Decimal(number.replace(",", "")) for number in (a, b, tolerance))
    return a.is_finite() and b.is_finite() and abs(a - b) <= tolerance


class Output(str):
    """An output's text; two are equal when they agree."""

    def __eq__(self, other):
        return agree(self, other)

    def __ne__(self, other):
        return not agree(self, other)

    __hash__ = str.__hash__


exactly = IPyNbCell.sanitize


def sanitize(cell, value):
    """What nbval compares: both outputs go through here, and are then compared by `!=`."""
    value = exactly(cell, value)
    return Output(value) if isinstance(value, str) else value


IPyNbCell.sanitize = sanitize
