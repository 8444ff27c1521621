"""Synthetic speech, and what the book's small codec makes of it."""

import json
from functools import cache
from typing import NamedTuple

import numpy as np

from mmtokedu.samples.items import DATA

SPLITS = "train", "new_sentences", "new_voice"  # of the speech


class Recording(NamedTuple):
    """One sentence of synthetic speech: what is said, by which voice, in which language ("en", "de" or "es")."""

    text: str
    voice: str
    language: str
    sound: np.ndarray  # (T,) float32, -1 to 1, RMS 0.07
    rate: int  # Hz

    @property
    def seconds(self):
        return len(self.sound) / self.rate


def speech(split="train"):
    """Synthetic speech, nobody's voice: a tuple of Recording(text, voice, language, sound, rate), fresh each call.

    "train" has 40 sentences in 8 voices, two and a half minutes; "new_sentences" 7 others, said by the same voices, the
    English ones by two each; "new_voice" 5 of those 7 in a ninth voice. All at 16 kHz, at the same RMS of 0.07.

    ValueError for another split; ModuleNotFoundError where soundfile is not installed.

    >>> recording = speech("new_voice")[2]
    >>> recording.text, recording.voice, round(recording.seconds, 1)
    ('Trust your ears first, and only then the number in the table.', 'iris', 2.8)
    """
    if split not in SPLITS:
        raise ValueError(f"there is no split {split!r}; choose one of {', '.join(SPLITS)}")
    sound, rate = _read_sound(split)
    return tuple(
        Recording(clip["text"], clip["voice"], clip["language"], sound[clip["start"] : clip["stop"]].copy(), rate)
        for clip in _read_speech()["clips"]
        if clip["split"] == split
    )


def heard():
    """A new sentence by a new voice, and what the shipped codec makes of it: {0: the sentence, 1: ... 8: rebuilt}.

    The key is the number of codebooks, the value a sound (T,) float32 at 16 kHz, fresh each call. All have an RMS of
    0.07; the rebuilt ones were made louder for that, since a codec loses level where it is unsure. The sentence is the
    third recording of `speech("new_voice")`; all are stored, so that everybody hears the same samples.

    ModuleNotFoundError where soundfile is not installed.

    >>> list(heard()), heard()[0].shape == speech("new_voice")[2].sound.shape
    ([0, 1, 2, 3, 4, 5, 6, 7, 8], True)
    """
    sound, _ = _read_flac("rvq/heard.flac")
    return dict(enumerate(sound.reshape(9, -1)))


def heard_arms():
    """The sentence of `heard`, and what three ways to make codes leave of it at the same 6.4 kbit/s: name -> sound.

    All have 8 codebooks of 256 codes and 100 frames a second: "k-means" of MDCT frames, the codec after "500 steps" and
    after "1,800 steps" (the shipped one); "as said" is the sentence. Sounds are (T,) float32, 16 kHz, fresh each call,
    with an RMS of 0.07, to which the rebuilt ones were raised.

    ModuleNotFoundError where soundfile is not installed.

    >>> list(heard_arms())
    ['as said', 'k-means', '500 steps', '1,800 steps']
    """
    sound, _ = _read_flac("rvq/heard_arms.flac")
    kmeans, few = sound.reshape(2, -1)
    shipped = heard()
    return {"as said": shipped[0], "k-means": kmeans, "500 steps": few, "1,800 steps": shipped[8]}


@cache
def _read_sound(split):
    return _read_flac(f"speech/{split}.flac")


def _read_flac(path):
    try:
        import soundfile
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the speech is FLAC, read by soundfile, missing: pip install mmtokedu[media]"
        ) from error
    return soundfile.read(DATA / path, dtype="float32")


@cache
def _read_speech():
    return json.loads((DATA / "speech" / "speech.json").read_text(encoding="utf-8"))
