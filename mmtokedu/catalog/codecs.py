"""Audio codecs in numbers, and how many frames they make of a sound; the numbers are in codecs.toml."""

import datetime
import functools
from dataclasses import dataclass

from mmtokedu import catalog


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


@functools.cache
def rows():
    """The audio codecs by name, in the catalog's order: a read-only mapping name -> CodecRow.

    Source: `mmtokedu/catalog/codecs.toml`, where each row names its own.

    >>> rows()["snac-24k"].strides, rows()["dac-44k"].published[0]
    ((4, 2, 1), Published(codebooks=9, bits_per_second=8000))
    """
    return catalog.read("codecs", _codec_row)


def row(codec):
    """The catalog row of one codec.

    Raises ValueError for a name that is not in the catalog; the message lists those that are.
    Source: `mmtokedu/catalog/codecs.toml`.

    >>> row("mimi").codebooks, row("mimi").sample_rate / row("mimi").hop
    ((8, 32), 12.5)
    """
    return catalog.one("codec", codec, rows())


def _codec_row(name, row):
    published = tuple(Published(**one) for one in row.pop("published", ()))
    delays = tuple(Delays(one["by"], tuple(one["delays"]), one["source"]) for one in row.pop("delays", ()))
    row = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return CodecRow(name=name, published=published, delays=delays, **row)


def frames_of(row, samples):
    """Frames of one piece of sound; whole groups of frames where the codec works by groups."""
    frames = max(0, -(-(samples + row.extra_samples) // row.hop))
    return -(-frames // row.frame_multiple) * row.frame_multiple


def pieces_of(row, samples):
    """How a codec cuts the sound: [(length, how many of them), ...], in samples."""
    if not row.chunk:
        return [(samples, 1)]
    length, step = row.chunk
    full = max(0, (samples - length) // step + 1)
    return [(length, full), *((samples - start, 1) for start in range(full * step, samples, step))]
