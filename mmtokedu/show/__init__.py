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
_FRAMES = "give_backs", "layouts", "mdct_mirror", "mdct_overlap", "mdct_sum", "streaming_delay"
_MACHINES = "codebook_machines", "codec_machine", "next_vectors", "three_roads"
__all__ = [
    "COLOR", "DPI", "STYLE", "WIDTH", "approx", "codebook_machines", "codec_machine", "draw_grid", "figure",
    "frame_slider", "give_backs", "images", "layouts", "mask", "masks", "mdct_mirror", "mdct_overlap", "mdct_sum",
    "next_vectors", "sequence", "sounds", "source", "streaming_delay", "subplots", "table", "three_roads",
    "token_strip",
]  # fmt: skip


def __getattr__(name):
    for module, names in (("charts", _CHARTS), ("frames", _FRAMES), ("machines", _MACHINES)):
        if name in names:
            return getattr(importlib.import_module(f"mmtokedu.show.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
