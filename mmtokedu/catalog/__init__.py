"""Production systems as dated data: one TOML file a subject, each number with its source and its day."""

import datetime
import functools
import tomllib
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType


@dataclass(frozen=True)
class Price:
    """What a vendor's model asks for a million input tokens, in US dollars; image tokens are multiplied first."""

    model: str
    usd_per_million_tokens: float
    source: str
    as_of: datetime.date
    multiplier: float = 1.0


@dataclass(frozen=True)
class ImageRow:
    """One system's way from pixels to tokens: a rule of `mmtokedu._image_rules`, its parameters, and who says so."""

    name: str
    title: str
    kind: str  # "vision" or "billing"
    rule: str
    parameters: MappingProxyType
    about: str
    source: str
    as_of: datetime.date
    verified: str  # "run" or "read"
    prices: tuple = ()

    def __post_init__(self):
        if self.kind not in ("vision", "billing") or self.verified not in ("run", "read"):
            raise ValueError(f"catalog row {self.name!r}: kind is {self.kind!r}, verified is {self.verified!r}")


@functools.cache
def images():
    """The image rules by name, in the catalog's order: a read-only mapping name -> ImageRow.

    Source: `mmtokedu/catalog/images.toml`, where each row names its own.

    >>> len([row for row in images().values() if row.kind == "vision"]), images()["pixtral"].parameters["longest"]
    (18, 1024)
    """
    text = resources.files(__name__).joinpath("images.toml").read_text(encoding="utf-8")
    return MappingProxyType({name: _image_row(name, row) for name, row in tomllib.loads(text).items()})


def image_row(model):
    """The catalog row of one model.

    Raises ValueError for a name that is not in the catalog; the message lists those that are.
    Source: `mmtokedu/catalog/images.toml`.

    >>> image_row("gemma-3").source
    'arXiv 2503.19786; transformers 5.23.0 models/gemma3'
    """
    rows = images()
    if not isinstance(model, str) or model not in rows:
        raise ValueError(f"unknown model {model!r}; the catalog has {', '.join(rows)}")
    return rows[model]


def _image_row(name, row):
    prices = tuple(Price(**price) for price in row.pop("prices", ()))
    return ImageRow(name=name, prices=prices, parameters=MappingProxyType(row.pop("parameters")), **row)
