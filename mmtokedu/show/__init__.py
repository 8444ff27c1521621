"""The book's figures: one style, one colour a modality, light and dark, alternative text required.

Charts need Matplotlib, which is loaded when the first one is drawn; everything else is made of HTML alone.
"""

import importlib

from mmtokedu.show.kept import groups, kept_patches
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
_CURVES = "course_rows", "layers_chart", "page_as_picture", "panels", "seed_curves", "seed_rows"
_FEWER = "adapter_numbers", "adapters", "folded", "merge_round", "queries_read", "where_tokens_go"
_FRAMES = "give_backs", "layouts", "mdct_mirror", "mdct_overlap", "mdct_sum", "streaming_delay"
_MACHINES = "codebook_machines", "codec_machine", "next_vectors", "three_roads"
__all__ = [
    "COLOR", "DPI", "STYLE", "WIDTH", "adapter_numbers", "adapters", "approx", "codebook_machines", "codec_machine",
    "course_rows", "draw_grid", "figure", "folded", "frame_slider", "give_backs", "groups", "images",
    "kept_patches", "layers_chart", "layouts", "mask", "masks", "mdct_mirror", "mdct_overlap", "mdct_sum",
    "merge_round", "next_vectors", "page_as_picture", "panels", "queries_read", "seed_curves", "seed_rows",
    "sequence", "sounds", "source", "streaming_delay", "subplots", "table", "three_roads", "token_strip",
    "where_tokens_go",
]  # fmt: skip
_ROOMS = {"charts": _CHARTS, "curves": _CURVES, "fewer": _FEWER, "frames": _FRAMES, "machines": _MACHINES}


def __getattr__(name):
    for module, names in _ROOMS.items():
        if name in names:
            return getattr(importlib.import_module(f"mmtokedu.show.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
