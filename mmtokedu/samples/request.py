"""The request that runs through the book: an invoice, typeset and photographed, a spoken question, a line of text."""

import json
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image

from mmtokedu.samples.items import DATA
from mmtokedu.samples.voices import Recording, _read_flac


class Article(NamedTuple):
    """One row of the invoice's table; prices are in cents."""

    code: str
    what: str
    detail: str
    count: int
    price: int  # of one


class Facts(NamedTuple):
    """What the invoice says, so that an answer can be checked; amounts are in cents."""

    seller: str
    customer: str
    number: str
    order: str
    date: str
    due: str
    currency: str
    articles: tuple  # of Article
    net: int
    tax_per_cent: int
    tax: int
    total: int


class Piece(NamedTuple):
    """A piece of text on the invoice: a line, or one cell of a row."""

    text: str
    points: int
    style: str  # "sans" or "sans bold"
    row: int  # pieces on one baseline share it
    box: tuple  # (y0, x0, y1, x1) in pixels; [y0:y1, x0:x1] holds all the ink


def invoice(photographed=True):
    """The invoice: (2080, 1560, 3) uint8, or the typeset original at 200 dpi, (2339, 1654, 3); fresh each call.

    The photograph is computed from the original, by `tools/make_invoice.py`: folded, seen from one side, unevenly lit,
    blurred, with noise, saved as a JPEG. Firm, customer and numbers are invented.

    >>> invoice().shape, invoice(photographed=False).shape
    ((2080, 1560, 3), (2339, 1654, 3))
    """
    return _read_picture("invoice.jpg" if photographed else "invoice.png").copy()


def invoice_facts():
    """What the invoice says: Facts(seller, customer, number, ..., articles, net, tax_per_cent, tax, total).

    >>> facts = invoice_facts()
    >>> facts.currency, facts.total / 100, len(facts.articles)
    ('EUR', 1208.15, 12)
    """
    stored = _read_invoice()
    return Facts(articles=tuple(Article(**item) for item in stored["items"]), **stored["facts"])


def invoice_pieces(photographed=True):
    """What is printed on the invoice, in reading order: a tuple of Piece(text, points, style, row, box).

    In the photograph a box is the upright rectangle around the piece.

    >>> total = next(piece for piece in invoice_pieces() if piece.text.startswith("EUR"))
    >>> total.text, total.points
    ('EUR 1,208.15', 12)
    """
    key = "photo_box" if photographed else "box"
    return tuple(
        Piece(piece["text"], piece["points"], piece["style"], piece["row"], tuple(piece[key]))
        for piece in _read_invoice()["pieces"]
    )


def question():
    """The spoken question of the request: a Recording(text, voice, language, sound, rate) at 16 kHz, fresh each call.

    Synthetic, like `speech`, and as loud. ModuleNotFoundError where soundfile is not installed.

    >>> question().text
    'What is the total, and when does the small red ball cross the picture?'
    """
    words = _read_words()
    (voice, how), *_ = words["voice"].items()
    sound, rate = _read_flac("request/question.flac")
    return Recording(words["question"], voice, how["language"], sound, rate)


def request_text():
    """The request's line of text.

    >>> request_text()
    'Answer with the amount and the second.'
    """
    return _read_words()["text"]


@cache
def _read_picture(name):
    with Image.open(DATA / "request" / name) as image:
        return np.asarray(image.convert("RGB"))


@cache
def _read_invoice():
    return json.loads((DATA / "request" / "invoice.json").read_text(encoding="utf-8"))


@cache
def _read_words():
    return json.loads((DATA / "request" / "question.json").read_text(encoding="utf-8"))
