"""Numbers that another processor may compute slightly differently, shown all the same."""

import math
from decimal import Decimal


class Approx(str):
    """The text of a number with its tolerance, `≈26.43 ±0.05`, and both as floats. See `show.approx`."""

    value: float
    tolerance: float


def approx(value, tolerance):
    """A number and how far it may be off elsewhere: text, for a print, an f-string or a cell of `show.table`.

    `value` is a number, `tolerance` what another machine's result may differ by, in the same unit. The number is
    written with as many decimals as the tolerance has. The check of stored outputs (tests/helpers/nbval_approx.py)
    reads the text back: a number further off than the tolerance fails, and so does another tolerance.

    Raises ValueError for a value that is not finite, and a tolerance that is not positive and finite.

    >>> print("rebuilt at", approx(26.4312, 0.05), "dB, in", approx(12345.6, 50), "steps")
    rebuilt at ≈26.43 ±0.05 dB, in ≈12,346 ±50 steps
    """
    value, tolerance = float(value), float(tolerance)
    if not math.isfinite(value):
        raise ValueError(f"approx() got the value {value}; a number that is not finite agrees with nothing")
    if not 0 < tolerance < math.inf:
        raise ValueError(f"approx() got the tolerance {tolerance}; pass how far the value may be off, above 0")
    exact = Decimal(repr(tolerance)).normalize()
    decimals = max(0, -exact.as_tuple().exponent)
    text = Approx(f"≈{value:,.{decimals}f} ±{exact:,f}")
    text.value, text.tolerance = value, tolerance
    return text
