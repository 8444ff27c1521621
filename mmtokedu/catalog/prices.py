"""What vendors ask for tokens, and how they count pictures and sounds for the bill; the numbers are in prices.toml."""

import datetime
import functools
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType

from mmtokedu import catalog
from mmtokedu.arguments.common import check_size
from mmtokedu.catalog import images, listeners

HOW = {  # what the word in `verified` says
    "package": "read in the prices that a package brings along",
    "third-party": "read on a page that is not the vendor's",
    "vendor": "read on the vendor's own page",
}


@dataclass(frozen=True)
class Tariff:
    """US dollars for a million tokens. What a vendor does not offer is None."""

    input: float
    output: float
    cached: float | None = None  # input read from the vendor's cache
    written: float | None = None  # input written to it, for its shorter term
    written_long: float | None = None  # for its longer term
    audio: float | None = None  # input that is sound, where it has a price of its own
    audio_cached: float | None = None

    def __post_init__(self):
        for name, value in vars(self).items():
            if value is not None and not (isinstance(value, (int, float)) and 0 <= value < 10_000):
                raise ValueError(f"{name} is {value!r}; expected US dollars for a million tokens")

    def of(self, name):
        """The price `name` for one token, exactly as it is written, or None."""
        value = getattr(self, name)
        return None if value is None else Fraction(str(value)) / 1_000_000


@dataclass(frozen=True)
class PriceRow:
    """What one model asks, since when and till when, and how it counts pictures and sounds."""

    name: str
    title: str
    vendor: str
    tariff: Tariff
    source: str
    as_of: datetime.date
    verified: str  # a key of HOW
    about: str = ""
    context: int = 0
    until: datetime.date | None = None  # the last day of this tariff, where that is known
    above: int = 0  # input tokens from which on `long` is asked for all of them
    long: Tariff | None = None
    images: str = ""  # a row of images.toml
    multiplier: float = 1.0  # of image tokens, before they are billed
    parameters: MappingProxyType = field(default_factory=dict)  # that this model's rule has other than its row
    sounds: str = ""  # a row of listeners.toml
    counted: str = ""  # how its way to count pictures was verified

    def __post_init__(self):
        if self.verified not in HOW:
            raise ValueError(f"catalog row {self.name!r}: verified is {self.verified!r}; known are {', '.join(HOW)}")
        if bool(self.above) != bool(self.long):
            raise ValueError(f"catalog row {self.name!r}: above {self.above} tokens the price is {self.long}")
        if self.images and not self.counted:
            raise ValueError(f"catalog row {self.name!r}: it counts pictures, and says not how that was verified")


@functools.cache
def rows():
    """The tariffs by name, in the catalog's order: a read-only mapping name -> PriceRow.

    Source: `mmtokedu/catalog/prices.toml`, where each row names its own.

    >>> rows()["gpt-6-sol"].tariff.input, rows()["gpt-6-sol"].above
    (2, 272000)
    """
    return catalog.read("prices", _price_row)


def row(model):
    """The tariff of one model, or a ValueError that says which names are near.

    Source: `mmtokedu/catalog/prices.toml`.

    >>> row("claude-opus-5-5").tariff.cached
    0.2
    """
    return catalog.one_of_many("tariff", model, rows())


def _price_row(name, row):
    tariffs = {key: Tariff(**row.pop(key)) for key in ("tariff", "long") if key in row}
    return PriceRow(name=name, parameters=MappingProxyType(row.pop("parameters", {})), **tariffs, **row)


def tariff_of(row, tokens_in):
    """The tariff for a request of so many input tokens: past `above` all its tokens cost more.

    >>> tariff_of(row("gpt-6-sol"), 272_001).input
    4
    """
    return row.long if row.above and tokens_in > row.above else row.tariff


def image_tokens_billed(model, height, width):
    """Tokens that a picture of this size adds to a bill: the vendor's rule, times the model's multiplier, rounded up.

    Raises ValueError for an unknown name, and for a model of which the catalog has no such rule.
    Source: the row's in `mmtokedu/catalog/prices.toml`.

    >>> image_tokens_billed("gpt-6-sol", 3024, 4032), image_tokens_billed("gpt-4o", 1024, 1024)
    (14364, 765)
    """
    system = row(model)
    if not system.images:
        raise ValueError(f"the catalog does not know how {model} counts pictures (it has a tariff for it alone)")
    rule = images.row(system.images)
    height, width = check_size(height, width)
    _, _, _, parts = images.RULES[rule.rule](height, width, **{**rule.parameters, **system.parameters})
    exact = sum(count for _, count in parts) * Fraction(str(system.multiplier))
    return -int(-exact // 1)


def sound_tokens_billed(model, seconds):
    """Tokens that a sound of this length adds to a bill.

    Raises ValueError for an unknown name, and for a model of which the catalog has no such rule.
    Source: the row's in `mmtokedu/catalog/prices.toml`.

    >>> sound_tokens_billed("gemini-2.5-flash", 60)
    1920
    """
    system = row(model)
    if not system.sounds:
        raise ValueError(f"the catalog does not know how {model} counts sounds (it has a tariff for it alone)")
    return listeners.listener_tokens(system.sounds, seconds)


def older_than(days, today):
    """The names of tariffs that were read more than `days` before `today`, a datetime.date: nobody here reads a clock.

    >>> older_than(120, datetime.date(2026, 12, 1))
    []
    """
    return [name for name, row in rows().items() if (today - row.as_of).days > days]
