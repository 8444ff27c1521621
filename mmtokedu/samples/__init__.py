"""Inputs for every chapter: photos, a typeset page and speech. Nothing downloads, and every item names its licence.

The photos lie inside scikit-image's wheel (0.24 to current); they are read from there, byte for byte. The page is
ours: `tools/typeset_page.py` sets it, and knows the box of every character. The speech is synthetic: espeak-ng reads
our own sentences in `tools/make_speech.py`.
"""

import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

_DATA = Path(__file__).parent / "data"


class Item(NamedTuple):
    """What a sample shows, where it comes from, and the licence in its owner's words."""

    what: str
    origin: str
    licence: str


class Line(NamedTuple):
    """One line of the document page: its text, its size in points, "roman", "italic" or "bold"."""

    text: str
    points: int
    style: str


class Characters(NamedTuple):
    """The n printed characters of the document page, in reading order (a space leaves no ink and has no entry)."""

    text: np.ndarray  # (n,) str, one character each
    box: np.ndarray  # (n, 4) int64, y0, x0, y1, x1 in pixels; [y0:y1, x0:x1] holds all the ink
    points: np.ndarray  # (n,) int64, type size
    style: np.ndarray  # (n,) str, "roman", "italic" or "bold"
    line: np.ndarray  # (n,) int64, index into document_lines()


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


PHOTOS = {  # licence: as the docstring of skimage.data.<name> states it; images without a statement are left out
    "astronaut": Item(
        "the astronaut Eileen Collins, 512 x 512",
        "NASA Great Images database, https://flic.kr/p/r9qvLn",
        "No known copyright restrictions, released into the public domain.",
    ),
    "chelsea": Item(
        "Chelsea the cat, 300 x 451",
        "photograph by Stefan van der Walt",
        "No copyright restrictions. CC0 by the photographer (Stefan van der Walt).",
    ),
    "coffee": Item(
        "a cup of coffee on a wooden table, 400 x 600",
        "photograph by Rachel Michetti, courtesy of Pikolo Espresso Bar",
        "No copyright restrictions. CC0 by the photographer (Rachel Michetti).",
    ),
    "hubble_deep_field": Item(
        "the Hubble eXtreme Deep Field, 872 x 1000",
        "NASA, http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/",
        "may be freely used in the public domain",
    ),
    "retina": Item(
        "a human retina, 1411 x 1411",
        "https://commons.wikimedia.org/wiki/File:Fundus_photograph_of_normal_left_eye.jpg, by Mikael Häggström",
        "made available under the Creative Commons CC0 1.0 Universal Public Domain Dedication",
    ),
    "rocket": Item(
        "launch of DSCOVR on a Falcon 9, 427 x 640",
        "SpaceX Photos, https://www.flickr.com/photos/spacexphotos/16511594820/in/photostream/",
        "released in the public domain",
    ),
}

SPLITS = "train", "new_sentences", "new_voice"  # of the speech
_PAGE = "typeset for this book by tools/typeset_page.py", "CC BY 4.0"
_FONT = "Source Serif Pro 2.007 (italic 1.007) by Adobe, from the PyPI package font-source-serif-pro 0.0.1, unchanged"
_SANS = "Instrument Sans 1.000 by The Instrument Sans Project Authors, https://github.com/Instrument/instrument-sans"
_OFL = "SIL Open Font License 1.1, text beside it"
_SPEECH = "our sentences read by espeak-ng 1.51, in tools/make_speech.py", "CC BY 4.0"
_CODEC = "trained on speech/train.flac by experiments/rvq.py", "CC BY 4.0"
ITEMS = {  # path below mmtokedu/data -> Item: every file that ships
    "page.png": Item("an A4 page at 200 dpi, type from 7 to 12 points", *_PAGE),
    "page_noisy.jpg": Item("the same page worn: tilted, unevenly lit, blurred, noisy, saved as a JPEG", *_PAGE),
    "page.json": Item("the page's lines, and the box of every character on both", *_PAGE),
    "fonts/SourceSerifPro-Regular.ttf": Item("the page's roman", _FONT, _OFL),
    "fonts/SourceSerifPro-It.ttf": Item("the page's italic", _FONT, _OFL),
    "fonts/SourceSerifPro-Semibold.ttf": Item("the page's bold", _FONT, _OFL),
    "fonts/SourceSerifPro-LICENSE.txt": Item("the licence of the three fonts", _FONT, "verbatim copies allowed"),
    "fonts/InstrumentSans-Regular.ttf": Item("the figures' regular", _SANS, _OFL),
    "fonts/InstrumentSans-Bold.ttf": Item("the figures' bold", _SANS, _OFL),
    "results/patches.json": Item(
        "what a resize destroys on the page, and what padding wastes", "experiments/patches.py", "MIT, as the code"
    ),
    "results/vq.json": Item(
        "how codebooks collapse, what helps, and what codes cost", "experiments/vq.py", "MIT, as the code"
    ),
    "results/vq_generation.json": Item(
        "what a codebook does to a generator", "experiments/vq_generation.py", "MIT, as the code"
    ),
    "speech/train.flac": Item("synthetic speech to learn from: 40 sentences, 8 voices", *_SPEECH),
    "speech/new_sentences.flac": Item("synthetic speech to test on: 7 other sentences, the same voices", *_SPEECH),
    "speech/new_voice.flac": Item("synthetic speech to test on: 5 of the other sentences, another voice", *_SPEECH),
    "speech/speech.json": Item("who says what in the three files, from where to where", *_SPEECH),
    "results/rvq.json": Item(
        "speech through stacks of codebooks, and the streams of their codes", "experiments/rvq.py", "MIT, as the code"
    ),
    "rvq/codec.npz": Item("the weights of the speech codec, 8 codebooks of 256", *_CODEC),
    "rvq/heard.flac": Item("a new sentence in a new voice, and the codec's 1 to 8 codebooks of it", *_CODEC),
    "fonts/InstrumentSans-LICENSE.txt": Item("the licence of the two fonts", _SANS, "verbatim copies allowed"),
}
for _path in sorted((_DATA / "benchmarks").glob("*.json")):  # one a topic and device; a test holds each to its original
    _what = "times of what the chapter does, beside its peers"
    ITEMS[f"benchmarks/{_path.name}"] = Item(_what, f"benchmarks/results/{_path.name}", "MIT, as the code")


def photo(name="astronaut"):
    """A photo from scikit-image's wheel: (H, W, 3) uint8, a fresh array each call.

    ValueError for a name that is not in PHOTOS; ModuleNotFoundError where scikit-image is not installed.

    >>> photo("coffee").shape
    (400, 600, 3)
    """
    if name not in PHOTOS:
        raise ValueError(f"there is no photo {name!r}; choose one of {', '.join(PHOTOS)}")
    return _read_photo(name).copy()


def document(noisy=False):
    """An A4 page at 200 dots per inch: (2339, 1654) uint8, 0 ink to 255 paper, a fresh array each call.

    `noisy` gives a worn copy: turned counter-clockwise by 0.7 degrees, on grey paper under uneven light, blurred,
    with Gaussian noise, saved once as a JPEG. It is stored, not computed, so that everybody measures the same pixels.

    >>> document().shape
    (2339, 1654)
    """
    return _read_page("page_noisy.jpg" if noisy else "page.png").copy()


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


def results(topic):
    """The stored results of a chapter's experiment, `experiments/<topic>.py`: a dict, with device, versions and date.

    Raises ValueError for a chapter that has none.

    >>> results("patches")["made_by"]
    'experiments/patches.py'
    """
    stored = {path.stem: path for path in (_DATA / "results").glob("*.json")}
    if topic not in stored:
        raise ValueError(f"there are no results for {topic!r}; there are for {', '.join(sorted(stored))}")
    return json.loads(stored[topic].read_text(encoding="utf-8"))


def timings(topic):
    """The stored results of a chapter's benchmark, `benchmarks/bench_<topic>.py`: device -> dict, the CPU's first.

    Each says device, threads, date and versions; `rows` are dicts of group, name, median (seconds), ratio (to the first
    row of the group) and spread (of the ratio); where only the calmest rounds count, every_round is the ratio over all.
    A card is there once somebody has run `make bench-gpu` on it.

    Raises ValueError for a chapter that has none.

    >>> timings("patches")["cpu"]["threads"]
    1
    """
    named = sorted((*path.stem.split("-", 1), path) for path in (_DATA / "benchmarks").glob("*-*.json"))
    named.sort(key=lambda parts: parts[1] != "cpu")
    found = {device: json.loads(path.read_text(encoding="utf-8")) for stem, device, path in named if stem == topic}
    if not found:
        there = ", ".join(sorted({stem for stem, _, _ in named}))
        raise ValueError(f"there are no timings for {topic!r}; there are for {there}")
    return found


def document_lines():
    """The page's lines in reading order, columns one after the other: a tuple of Line(text, points, style).

    The cells of a table row are joined by a space.

    >>> document_lines()[1]
    Line(text='How a page becomes tokens', points=24, style='bold')
    """
    return tuple(Line(**line) for line in _read_layout()["lines"])


def document_text():
    r"""The page's text, one printed line a line.

    >>> document_text().split("\n")[1]
    'How a page becomes tokens'
    """
    return "\n".join(line.text for line in document_lines())


def document_boxes(noisy=False):
    """Where each character is printed: Characters(text, box, points, style, line), fresh arrays each call.

    Boxes are tight around the ink and may overlap by a pixel, or more in the italic. With `noisy` they are
    those of the worn copy: the upright rectangles around the turned boxes.

    >>> page, characters = document(), document_boxes()
    >>> y0, x0, y1, x1 = characters.box[characters.text == "x"][0]
    >>> page[y0:y1, x0:x1].min() < 50
    np.True_
    >>> str(np.unique(characters.points[characters.style == "roman"]))
    '[ 7  8  9 10 11 12]'
    """
    layout = _read_layout()
    printed = [
        (char, line["points"], line["style"], i)
        for i, line in enumerate(layout["lines"])
        for char in line["text"].replace(" ", "")
    ]
    text, points, style, line = map(np.array, zip(*printed, strict=True))
    return Characters(text, np.array(layout["noisy_boxes" if noisy else "boxes"]), points, style, line)


@cache
def _read_photo(name):
    scikit_image = importlib.util.find_spec("skimage")
    if scikit_image is None:
        raise ModuleNotFoundError("the photos lie in scikit-image, which is missing: pip install mmtokedu[samples]")
    folder = Path(scikit_image.origin).parent / "data"  # read the file ourselves: skimage.data may go and download
    for path in (folder / f"{name}.png", folder / f"{name}.jpg"):
        if path.exists():
            with Image.open(path) as image:
                return np.asarray(image.convert("RGB"))
    raise FileNotFoundError(f"{folder} holds no {name}; scikit-image's wheel does: pip install mmtokedu[samples]")


@cache
def _read_page(name):
    with Image.open(_DATA / name) as image:
        return np.asarray(image)


@cache
def _read_layout():
    return json.loads((_DATA / "page.json").read_text(encoding="utf-8"))


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
    return soundfile.read(_DATA / path, dtype="float32")


@cache
def _read_speech():
    return json.loads((_DATA / "speech" / "speech.json").read_text(encoding="utf-8"))
