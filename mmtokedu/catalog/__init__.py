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


@dataclass(frozen=True)
class Published:
    """A bitrate as its makers publish it, in bit/s, for so many codebooks."""

    codebooks: int
    bits_per_second: int


@dataclass(frozen=True)
class Delays:
    """By how many frames a language model delays each stream of codes."""

    by: str
    delays: tuple
    source: str


@dataclass(frozen=True)
class CodecRow:
    """One audio codec in numbers: from them follow frames, tokens a second and bitrate."""

    name: str
    title: str
    sample_rate: int  # Hz
    hop: int  # samples
    codebooks: tuple  # the counts that are used, rising
    default: int  # one of them
    codebook_size: int
    about: str
    source: str
    as_of: datetime.date
    verified: str  # "run" or "read"
    channels: int = 1
    strides: tuple = ()  # frames per code, a stage each; () is 1 for all
    extra_samples: int = 0
    frame_multiple: int = 1
    chunk: tuple = ()  # (length, step) in samples, or ()
    published: tuple = ()
    delays: tuple = ()

    def __post_init__(self):
        if self.verified not in ("run", "read") or self.default not in self.codebooks:
            raise ValueError(f"catalog row {self.name!r}: verified is {self.verified!r}, default is {self.default}")


@dataclass(frozen=True)
class ListenerRow:
    """One model's way from seconds to tokens: a rule of `mmtokedu._audio_rules`, its parameters, and who says so."""

    name: str
    title: str
    kind: str  # "encoder" or "billing"
    sample_rate: int  # Hz
    rule: str
    parameters: MappingProxyType
    about: str
    source: str
    as_of: datetime.date
    verified: str  # "run" or "read"
    hop: int = 0  # samples; 0 where nobody says
    downsampling: int = 0  # mel frames per token; 0 where nobody says

    def __post_init__(self):
        if self.kind not in ("encoder", "billing") or self.verified not in ("run", "read"):
            raise ValueError(f"catalog row {self.name!r}: kind is {self.kind!r}, verified is {self.verified!r}")


@functools.cache
def images():
    """The image rules by name, in the catalog's order: a read-only mapping name -> ImageRow.

    Source: `mmtokedu/catalog/images.toml`, where each row names its own.

    >>> len([row for row in images().values() if row.kind == "vision"]), images()["pixtral"].parameters["longest"]
    (18, 1024)
    """
    return _read("images.toml", _image_row)


def image_row(model):
    """The catalog row of one model.

    Raises ValueError for a name that is not in the catalog; the message lists those that are.
    Source: `mmtokedu/catalog/images.toml`.

    >>> image_row("gemma-3").source
    'arXiv 2503.19786; transformers 5.23.0 models/gemma3'
    """
    return _one("model", model, images())


@functools.cache
def codecs():
    """The audio codecs by name, in the catalog's order: a read-only mapping name -> CodecRow.

    Source: `mmtokedu/catalog/codecs.toml`, where each row names its own.

    >>> codecs()["snac-24k"].strides, codecs()["dac-44k"].published[0]
    ((4, 2, 1), Published(codebooks=9, bits_per_second=8000))
    """
    return _read("codecs.toml", _codec_row)


def codec_row(codec):
    """The catalog row of one codec.

    Raises ValueError for a name that is not in the catalog; the message lists those that are.
    Source: `mmtokedu/catalog/codecs.toml`.

    >>> codec_row("mimi").codebooks, codec_row("mimi").sample_rate / codec_row("mimi").hop
    ((8, 32), 12.5)
    """
    return _one("codec", codec, codecs())


@functools.cache
def listeners():
    """The models that listen, by name, in the catalog's order: a read-only mapping name -> ListenerRow.

    Source: `mmtokedu/catalog/listeners.toml`, where each row names its own.

    >>> [name for name, row in listeners().items() if row.verified == "read"]
    ['ultravox', 'gemini']
    """
    return _read("listeners.toml", _listener_row)


def listener_row(model):
    """The catalog row of one model that listens.

    Raises ValueError for a name that is not in the catalog; the message lists those that are.
    Source: `mmtokedu/catalog/listeners.toml`.

    >>> listener_row("voxtral").parameters["per_window"]
    375
    """
    return _one("listening model", model, listeners())


def _read(file, make):
    text = resources.files(__name__).joinpath(file).read_text(encoding="utf-8")
    return MappingProxyType({name: make(name, row) for name, row in tomllib.loads(text).items()})


def _one(what, name, rows):
    if not isinstance(name, str) or name not in rows:
        raise ValueError(f"unknown {what} {name!r}; the catalog has {', '.join(rows)}")
    return rows[name]


def _image_row(name, row):
    prices = tuple(Price(**price) for price in row.pop("prices", ()))
    return ImageRow(name=name, prices=prices, parameters=MappingProxyType(row.pop("parameters")), **row)


def _codec_row(name, row):
    published = tuple(Published(**one) for one in row.pop("published", ()))
    delays = tuple(Delays(one["by"], tuple(one["delays"]), one["source"]) for one in row.pop("delays", ()))
    row = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return CodecRow(name=name, published=published, delays=delays, **row)


def _listener_row(name, row):
    return ListenerRow(name=name, parameters=MappingProxyType(row.pop("parameters")), **row)
