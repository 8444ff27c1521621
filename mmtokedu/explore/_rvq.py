"""The explorable of sound codes on the Python side: its sounds, its codecs, its still figure."""

import base64
import functools
import html
import operator
from typing import NamedTuple

import numpy as np

from mmtokedu import rvq, samples
from mmtokedu.catalog import codecs as catalog

HOP, K = 160, 256  # of the codec that is heard, as `mmtokedu/nn/codec.py` loads it
OURS = "ours"  # the name, beside the catalog's, of the codec that is heard
CONTEXTS = tuple(2**n for n in range(10, 21))  # tokens
WINDOW, STEP, FLOOR = 512, 128, 1e-8  # of the spectrogram: samples, samples, and a power that counts as silence


def parts(stages, codec, codebooks, context):
    """(attributes, data, still figure, its words) for these arguments, or the error that `explore.rvq` names."""
    heard, known = players(), codecs()
    stages, context = operator.index(stages), operator.index(context)
    if not 1 <= stages < len(heard.sounds):
        raise ValueError(f"stages is {stages}; choose 1 to {len(heard.sounds) - 1}")
    others = [name for name in known if name != OURS]  # whose numbers are read; ours is heard, with its own
    if not isinstance(codec, str) or codec not in others:
        raise ValueError(f"codec is {codec!r}; choose {', '.join(others)}")
    if context not in CONTEXTS:
        raise ValueError(f"context is {context}; choose a power of two from {CONTEXTS[0]} to {CONTEXTS[-1]}")
    used = known[codec]["default"] if codebooks is None else operator.index(codebooks)
    if used not in known[codec]["codebooks"]:
        counts = ", ".join(map(str, known[codec]["codebooks"]))
        raise ValueError(f"codebooks is {used}; {codec} is used with {counts}")
    attributes = {"stages": stages, "codec": codec, "codebooks": used, "context": context}
    alt = _in_words(stages, codec, used, context)
    return attributes, _data(), _still(stages, alt), alt


class Players(NamedTuple):
    """What is heard: the sentence, then rebuilt from 1, 2, ... Q codebooks, all equally loud."""

    sounds: np.ndarray  # (1 + Q, T) int16
    snr: np.ndarray  # (Q,) dB, each at the loudness that is best for it
    rate: int
    text: str


@functools.cache
def players():
    """The sounds of the page: a `Players`."""
    sounds = np.rint(32768 * np.stack(list(samples.heard().values())).astype(np.float64)).astype(np.int16)
    said = samples.speech("new_voice")[2]
    original, rebuilt = sounds[0] / 32768, sounds[1:] / 32768
    alike = (rebuilt @ original) ** 2 / ((original @ original) * (rebuilt**2).sum(axis=1))
    return Players(sounds, (-10 * np.log10(1 - alike)).round(3), said.rate, said.text)


@functools.cache
def codecs():
    """Name -> what the page must know of a codec: the one that is heard, then the catalog's."""
    heard = players()
    most = len(heard.snr)
    ours = {
        "id": OURS, "title": "the book’s own small codec", "sample_rate": heard.rate, "channels": 1, "hop": HOP,
        "codebooks": list(range(1, most + 1)), "default": most, "codebook_size": K, "strides": [],
        "extra_samples": HOP,  # an MDCT has one frame more
        "frame_multiple": 1, "chunk": [],
    }  # fmt: skip
    rows = {OURS: ours}
    for name, row in catalog.rows().items():
        numbers = {key: getattr(row, key) for key in ours if key != "id"}
        said = {"about": row.about, "source": row.source, "as_of": row.as_of.isoformat(), "verified": row.verified}
        rows[name] = {"id": name, **numbers, **said}
    return rows


def rates(codec, codebooks):
    """(tokens a second, bits a second) of a codec of `codecs` with so many codebooks, by the library."""
    row = codecs()[codec]
    if codec == OURS:
        frames = row["sample_rate"] / row["hop"]
        return frames * codebooks, rvq.bitrate(frames, codebooks, row["codebook_size"])
    tokens = rvq.tokens_per_second(codec, codebooks)
    return tokens, rvq.bitrate(tokens, 1, row["codebook_size"])


def mu_law(sound):
    """int16 as 8 bits, finer where it is quiet: uint8, 0 to 255. Source: ITU-T G.711, in its continuous form."""
    x = sound / 32768
    return np.rint(127.5 * (1 + np.sign(x) * np.log1p(255 * np.abs(x)) / np.log(256))).astype(np.uint8)


def from_mu_law(codes):
    """What the page plays: the sound (T,) in -1 ... 1 that `mu_law` codes stand for."""
    y = codes / 127.5 - 1
    return np.sign(y) * np.expm1(np.abs(y) * np.log(256)) / 255


def spectrogram(sound):
    """Levels (N, WINDOW/2) in dB of a sound (T,), 0 dB a sine of full scale: a row a window, a column a frequency."""
    shape = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    windows = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::STEP] * shape
    power = np.abs(np.fft.rfft(windows)[:, : WINDOW // 2] / (WINDOW / 4)) ** 2
    return 10 * np.log10(power + FLOOR)


def _data():
    """The sounds, the codecs and the constants, as the front-end file reads them."""
    heard = players()
    return {
        "sounds": [base64.b64encode(mu_law(sound).tobytes()).decode() for sound in heard.sounds],
        "rate": heard.rate,
        "text": heard.text,
        "snr": heard.snr.tolist(),
        "codecs": list(codecs().values()),
        "contexts": CONTEXTS,
        "window": WINDOW,
        "step": STEP,
        "floor": FLOOR,
    }


def duration(seconds):
    """Seconds as people say them, as the page does."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def short(x):
    """A number a second as the page writes it: 82, 12.5, 1,200."""
    return f"{x:,.0f}" if x >= 100 else f"{x:.1f}".removesuffix(".0")


def _in_words(stages, codec, used, context):
    heard, (own_tokens, own_bits), (tokens, bits) = players(), rates(OURS, stages), rates(codec, used)
    said = f"One sentence from {stages} of {len(heard.snr)} codebooks of the book's own small codec, "
    said += f"{heard.snr[stages - 1]:.1f} dB, {own_bits / 1000:.3g} kbit/s, {short(own_tokens)} tokens a second. "
    said += f"Another, not heard: {codecs()[codec]['title']} with {used} codebook{'s' * (used > 1)} takes "
    said += f"{bits / 1000:.3g} kbit/s, {short(tokens)} tokens a second; "
    return f"{said}{context:,} tokens hold {duration(context / tokens)}."


def _still(stages, alt):
    """The spectrograms of the original and of what is heard, in three shades, in SVG."""
    drawn = []
    for i, (index, label) in enumerate(((0, "the original"), (stages, f"{stages} of 8 codebooks"))):
        levels = spectrogram(from_mu_law(mu_law(players().sounds[index])))
        levels = levels[: len(levels) // 3 * 3, : WINDOW // 2 // 6 * 6]
        levels = levels.reshape(len(levels) // 3, 3, -1, 6).max(axis=(1, 3))  # cells of 3 windows, 6 frequencies
        wide, high = 300 / len(levels), 170 / levels.shape[1]
        shades = ""
        for opacity, least in ((0.25, -58), (0.55, -46), (1.0, -34)):
            lines = "".join(_runs(levels[:, f] >= least, 170 - (f + 0.5) * high, wide) for f in range(levels.shape[1]))
            shades += f'<path d="{lines}" stroke-opacity="{opacity}"/>' if lines else ""
        drawn.append(
            f'<g transform="translate({10 + 320 * i} 34)"><text y="-12">{label}</text>'
            f'<g stroke="#b44808" stroke-width="{high:.2f}">{shades}</g>'
            '<path d="M0 0v170h300" fill="none" stroke="currentColor" stroke-opacity=".5"/></g>'
        )
    said = html.escape(alt)
    return (
        '<figure style="margin:1em 0"><svg viewBox="0 0 640 216" role="img" style="max-width:100%;height:auto" '
        f'width="640" height="216" fill="currentColor" font-size="15"><title>{said}</title>{"".join(drawn)}</svg>'
        f"<figcaption>{said} Time runs to the right, frequency up to 8 kHz; darker is louder.</figcaption></figure>"
    )


def _runs(on, y, wide):
    """A row of cells as strokes, one for each run of them."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], on.astype(int), [0]])))
    return "".join(f"M{a * wide:.1f} {y:.1f}h{(b - a) * wide:.1f}" for a, b in zip(edges[::2], edges[1::2]))
