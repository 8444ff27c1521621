"""The book's figures: one style, one colour a modality, light and dark, alternative text required.

Charts need Matplotlib, which is loaded when the first one is drawn; everything else is made of HTML alone.
"""

import importlib

from mmtokedu.show.markup import PALETTE as PALETTE
from mmtokedu.show.masks import mask, masks
from mmtokedu.show.numbers import approx
from mmtokedu.show.pictures import frame_slider, images
from mmtokedu.show.players import sounds
from mmtokedu.show.quotes import source
from mmtokedu.show.sequences import sequence
from mmtokedu.show.strips import token_strip
from mmtokedu.show.tables import table

_CHARTS = "COLOR", "DPI", "STYLE", "WIDTH", "draw_grid", "figure", "subplots"
__all__ = [
    "COLOR", "DPI", "STYLE", "WIDTH", "approx", "draw_grid", "figure", "frame_slider", "images", "mask", "masks",
    "sequence", "sounds", "source", "subplots", "table", "token_strip",
]  # fmt: skip


def __getattr__(name):
    if name in _CHARTS:
        return getattr(importlib.import_module("mmtokedu.show.charts"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
