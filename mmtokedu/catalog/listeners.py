"""From seconds of sound to tokens, for models that listen: one function a rule, numbers in catalog/listeners.toml.

A rule takes the number of samples at the row's sample rate and the row's parameters, and returns (heard, windows,
tokens): how many samples reach the encoder (the rest is cut off), in how many pieces that know nothing of each other,
and how many tokens come out. Rounding follows each peer's own code.
"""

import datetime
import functools
import math
from dataclasses import dataclass
from types import MappingProxyType

from mmtokedu import catalog
from mmtokedu.arguments.common import check_samples


@dataclass(frozen=True)
class ListenerRow:
    """One model's way from seconds to tokens: a rule of this module, its parameters, and who says so."""

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
def rows():
    """The models that listen, by name, in the catalog's order: a read-only mapping name -> ListenerRow.

    Source: `mmtokedu/catalog/listeners.toml`, where each row names its own.

    >>> [name for name, row in rows().items() if row.verified == "read"]
    ['ultravox', 'gemini']
    """
    return catalog.read("listeners", _listener_row)


def row(model):
    """The catalog row of one model that listens.

    Raises ValueError for a name that is not in the catalog; the message lists those that are.
    Source: `mmtokedu/catalog/listeners.toml`.

    >>> row("voxtral").parameters["per_window"]
    375
    """
    return catalog.one("listening model", model, rows())


def _listener_row(name, row):
    return ListenerRow(name=name, parameters=MappingProxyType(row.pop("parameters")), **row)


@dataclass(frozen=True)
class ListenerPlan:
    """What a listening model makes of a sound."""

    model: str
    samples: int  # at the model's own rate
    heard: int  # samples that are not cut off
    windows: int  # pieces that are encoded one by one
    tokens: int


def listener_plan(model, seconds):
    """How a model hears a sound of this length, and how many tokens it makes of it.

    seconds: of sound, before padding; becomes round(seconds * sample_rate) samples.
    Returns ListenerPlan(model, samples, heard, windows, tokens).
    Raises ValueError for an unknown model, for less than a sample, for more than 10**9 seconds and for what the model
    refuses; TypeError for seconds that are no number. Source: the model's row in `mmtokedu/catalog/listeners.toml`.

    >>> listener_plan("qwen2-audio", 61)
    ListenerPlan(model='qwen2-audio', samples=976000, heard=480000, windows=1, tokens=750)
    """
    listener = row(model)
    samples = check_samples(seconds, listener.sample_rate)
    return ListenerPlan(model, samples, *RULES[listener.rule](samples, **listener.parameters))


def listener_tokens(model, seconds):
    """The tokens that a listening model makes of a sound of this length: see `listener_plan`.

    >>> [listener_tokens(model, 3) for model in ("voxtral", "gemma-3n", "qwen2.5-omni", "phi-4-multimodal")]
    [375, 188, 75, 38]
    """
    return listener_plan(model, seconds).tokens


def padded_windows(samples, *, window, per_window, most=None):
    """Whisper, Voxtral, Gemma 3n: windows of one length, the last one filled up, and at most so many of them."""
    windows = min(math.ceil(samples / window), most or samples)
    return min(samples, windows * window), windows, windows * per_window


def halved_and_pooled(samples, *, hop, longest):
    """Qwen2-Audio, Qwen2.5-Omni: a convolution of stride 2 rounds up, the average of pairs drops an odd one."""
    heard = min(samples, longest)
    frames = math.ceil(heard / hop)
    return heard, 1, math.ceil(frames / 2) // 2


def blocks_halved(samples, *, hop, shortest, block, halvings):
    """Qwen3-Omni: blocks of frames and what is left over, each halved several times, rounding up."""
    _refuse_under(shortest, samples)
    blocks, rest = divmod(samples // hop, block)
    tokens = blocks * _halved(block, halvings) + _halved(rest, halvings)
    return samples, blocks + (rest > 0), tokens


def framed_and_halved(samples, *, hop, frame, longest, halvings):
    """Gemma 4: frames that begin half a frame before the sound and need one sample more than they hold."""
    heard = min(samples, longest)
    frames = max((heard + frame // 2 - (frame + 1)) // hop + 1, 0)
    return heard, 1, _halved(frames, halvings)


def windows_stacked(samples, *, hop, shortest, window, stack):
    """Ultravox: windows of frames, none of them filled up, each rounded up to whole stacks."""
    frames = math.ceil(max(samples, shortest) / hop)
    full, rest = divmod(frames, window)
    return samples, full + (rest > 0), full * math.ceil(window / stack) + math.ceil(rest / stack)


def framed_and_stacked(samples, *, hop, frame, stack):
    """Phi-4: only frames that the sound fills, then one token per stack, rounding up."""
    _refuse_under(frame, samples)
    return samples, 1, math.ceil(((samples - frame) // hop + 1) / stack)


def per_second(samples, *, rate, tokens):
    """Gemini: so many tokens a second."""
    return samples, 1, math.ceil(samples * tokens / rate)


RULES = {
    rule.__name__: rule
    for rule in (
        padded_windows,
        halved_and_pooled,
        blocks_halved,
        framed_and_halved,
        windows_stacked,
        framed_and_stacked,
        per_second,
    )
}


def _halved(frames, times):
    return math.ceil(frames / 2**times)


def _refuse_under(least, samples):
    if samples < least:
        raise ValueError(f"the sound has {samples} samples; the model refuses fewer than {least} (pad it with silence)")
