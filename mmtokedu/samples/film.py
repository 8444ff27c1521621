"""The clip of the request: ten seconds of film with a spoken track, and what is true of every frame."""

import json
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image

from mmtokedu.samples.items import DATA
from mmtokedu.samples.voices import Recording, _read_flac


class Film(NamedTuple):
    """What is true of the clip, so that an answer about it can be checked. Frames count from 0."""

    frames: int
    fps: int
    height: int
    width: int
    cuts: tuple  # the first frame after each hard cut
    fade: tuple  # the first and last frame in which two shots are mixed
    ball: tuple  # the first and last frame that shows the small red ball
    ball_at: tuple  # its centre (y, x) in each of these frames, in pixels
    ball_diameter: int
    key_frames: tuple  # frames that the file stores without reference to others
    sentence: str  # what the voice says
    spoken: tuple  # from which second to which it speaks
    photos: tuple  # names in PHOTOS: what lies on the table

    @property
    def seconds(self):
        return self.frames / self.fps


def film_path():
    """Where the clip lies, an MP4 (H.264, AAC): 300 frames of 1280 x 720, 30 a second.

    Made by `tools/make_film.py` of three photos, computed wood, a drawn ball and a synthetic voice.

    >>> film_path().name
    'film.mp4'
    """
    return DATA / "request" / "film.mp4"


def film_facts():
    """What is true of the clip: Film(frames, fps, height, width, cuts, fade, ball, ...).

    >>> facts = film_facts()
    >>> facts.frames, facts.seconds, facts.cuts, facts.ball
    (300, 10.0, (96, 180), (207, 218))
    """
    stored = _read_facts()
    return Film(**{name: _frozen(stored[name]) for name in Film._fields})


def film_frames():
    """All frames of the clip at an eighth of their side: (300, 90, 160, 3) uint8, fresh each call.

    Stored as one JPEG, so no decoder of films is needed; each pixel was the mean of 8 x 8 pixels of the decoded film.

    >>> film_frames().shape
    (300, 90, 160, 3)
    """
    return _read_frames().copy()


def film_sound():
    """The clip's sound track: a Recording(text, voice, language, sound, rate) at 16 kHz, as long as the clip.

    Fresh each call. It is what was encoded into the MP4, without that loss. `film_facts().spoken` says when the voice
    speaks; the rest is digital silence. ModuleNotFoundError where soundfile is not installed.

    >>> film_sound().seconds
    10.0
    """
    stored = _read_facts()
    return Recording(stored["sentence"], stored["voice"], stored["language"], *_read_flac("request/film.flac"))


def _frozen(value):
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


@cache
def _read_facts():
    return json.loads((DATA / "request" / "film.json").read_text(encoding="utf-8"))


@cache
def _read_frames():
    facts = film_facts()
    with Image.open(DATA / "request" / "film_small.jpg") as image:
        sheet = np.asarray(image.convert("RGB"))
    rows, columns, tile = 15, 20, 96  # a tile's rows 90 to 95 repeat row 89, so that no block of the JPEG holds two
    tiles = sheet.reshape(rows, tile, columns, facts.width // 8, 3).swapaxes(1, 2)  # row, column, y, x, channel
    return tiles[:, :, : facts.height // 8].reshape(facts.frames, facts.height // 8, facts.width // 8, 3)
