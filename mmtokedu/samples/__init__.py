"""Inputs for every chapter: photos, a typeset page, speech and a request. Nothing downloads; each item has its licence.

The photos lie inside scikit-image's wheel (0.24 to current); they are read from there, byte for byte. The page is
ours: `tools/typeset_page.py` sets it, and knows the box of every character. The speech is synthetic: espeak-ng reads
our own sentences in `tools/make_speech.py`. The request, an invoice, a spoken question and a clip, is made by
`tools/make_invoice.py`, `tools/make_question.py` and `tools/make_film.py`. Scenes and clips with known answers are
drawn by `samples.world`, clips with a number that is shown for a moment by `samples.moments`.
"""

from mmtokedu.measured import results, timings
from mmtokedu.samples.film import Film, film_facts, film_frames, film_path, film_sound, film_still
from mmtokedu.samples.items import ITEMS as ITEMS
from mmtokedu.samples.items import Item
from mmtokedu.samples.pages import Characters, Line, document, document_boxes, document_lines, document_text
from mmtokedu.samples.photos import PHOTOS as PHOTOS
from mmtokedu.samples.photos import photo
from mmtokedu.samples.request import (
    Article,
    Facts,
    Piece,
    invoice,
    invoice_facts,
    invoice_pieces,
    question,
    request_text,
)
from mmtokedu.samples.voices import SPLITS as SPLITS
from mmtokedu.samples.voices import Recording, heard, heard_arms, speech

__all__ = [
    "Article", "Characters", "Facts", "Film", "Item", "Line", "Piece", "Recording", "document", "document_boxes",
    "document_lines", "document_text", "film_facts", "film_frames", "film_path", "film_sound",
    "film_still", "heard", "heard_arms", "invoice",
    "invoice_facts", "invoice_pieces", "photo", "question", "request_text", "results", "speech", "timings",
]  # fmt: skip
