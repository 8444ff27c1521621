"""The typeset page: its pixels, its text, and where each character stands."""

import json
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image

from mmtokedu.samples.items import DATA


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


def document(noisy=False):
    """An A4 page at 200 dots per inch: (2339, 1654) uint8, 0 ink to 255 paper, a fresh array each call.

    `noisy` gives a worn copy: turned counter-clockwise by 0.7 degrees, on grey paper under uneven light, blurred,
    with Gaussian noise, saved once as a JPEG. It is stored, not computed, so that everybody measures the same pixels.

    >>> document().shape
    (2339, 1654)
    """
    return _read_page("page_noisy.jpg" if noisy else "page.png").copy()


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
def _read_page(name):
    with Image.open(DATA / name) as image:
        return np.asarray(image)


@cache
def _read_layout():
    return json.loads((DATA / "page.json").read_text(encoding="utf-8"))
