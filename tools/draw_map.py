"""The map of the book, the first thing a visitor sees. The build asks for `page(toc)`.

A place is a link when its chapter stands in _toc.yml; until then it is drawn, marked "coming", and leads nowhere.
Two drawings, one for wide screens and one for phones, from the same places. Colours come from the page's CSS.
"""

import html
import os
import re

from mmtokedu.show.strips import CELLS

PLACES = {  # stem -> (name, what happens there), in the order of the book
    "patches": ("Patches", "a picture, cut"),
    "vq": ("Codebooks", "a vector, snapped"),
    "rvq": ("Sound codes", "a voice, in layers"),
    "video": ("Video", "a clip, sampled"),
    "interleave": ("Interleaving", "everything in one row"),
    "mrope": ("M-RoPE", "where is each token?"),
    "compress": ("Compression", "which ones can go?"),
    "budget": ("Budget", "what do they cost?"),
    "cache": ("Cache", "which are paid for?"),
}
STRIP = [("text", 5), ("special", 1), ("image", 12), ("special", 1), ("text", 3), ("special", 1), ("audio", 7),
         ("special", 1), ("text", 2), ("special", 1), ("video", 6)]  # fmt: skip
SHORT = [("text", 3), ("special", 1), ("image", 5), ("special", 1), ("audio", 4), ("special", 1), ("video", 4)]

WIDE = {
    "size": (720, 546),
    "left": 13,
    "sources": {"clip": (100, 50), "photo": (360, 50), "voice": (620, 50)},
    "roads": {"continuous": (14, 158, 340, 120), "discrete": (366, 158, 340, 120)},
    "places": {"video": (24, 194), "patches": (192, 194), "vq": (376, 194), "rvq": (544, 194), "interleave": (14, 336),
               "mrope": (14, 478), "compress": (194, 478), "budget": (374, 478), "cache": (554, 478)},
    "card": 152,
    "raw": [("video", "M100 92C100 130 100 140 100 190"), ("image", "M340 92C340 142 268 132 268 190"),
            ("image", "M380 92C380 142 452 132 452 190"), ("audio", "M620 92C620 130 620 140 620 190")],
    "flow": [("video", "M100 264C100 300 130 300 130 332"), ("image", "M268 264C268 300 290 300 290 332")],
    "cells": [("image", "M452 264C452 300 430 300 430 332"), ("audio", "M620 264C620 300 590 300 590 332")],
    "after": ["M90 428V474", "M167 510H193", "M347 510H373", "M527 510H553"],
    "strip": STRIP,
}  # fmt: skip
TALL = {
    "size": (340, 862),
    "left": -9,
    "sources": {"clip": (58, 50), "photo": (170, 50), "voice": (282, 50)},
    "roads": {"continuous": (2, 158, 164, 196), "discrete": (174, 158, 164, 196)},
    "places": {"patches": (8, 194), "video": (8, 278), "vq": (196, 194), "rvq": (196, 278), "interleave": (2, 412),
               "mrope": (2, 556), "compress": (2, 636), "budget": (2, 716), "cache": (2, 796)},
    "card": 136,
    "raw": [("image", "M156 92C156 142 76 132 76 190"), ("image", "M184 92C184 142 264 132 264 190"),
            ("video", "M58 92C58 130 -4 110 -4 200V298Q-4 310 4 310"),
            ("audio", "M282 92C282 130 344 110 344 200V298Q344 310 336 310")],
    "flow": [("image", "M146 226H149Q155 226 155 232V408"), ("video", "M76 346V408")],
    "cells": [("image", "M194 226H191Q185 226 185 232V408"), ("audio", "M264 346V408")],
    "after": ["M86 504V552", "M86 624V632", "M86 704V712", "M86 784V792"],
    "strip": SHORT,
}  # fmt: skip


def pages(toc):
    """Every file that a table of contents names, in order."""
    if isinstance(toc, dict):
        own = [toc[key] for key in ("root", "file") if key in toc]
        return own + [page for value in toc.values() for page in pages(value)]
    return [page for item in toc for page in pages(item)] if isinstance(toc, list) else []


def chapter_links(toc):
    """stem -> address of its page as the front page sees it, for the chapters that are written."""
    here = os.path.dirname(toc["root"])
    found = {os.path.basename(page): page for page in pages(toc) if re.fullmatch(r"notebooks/\w+", page)}
    return {stem: os.path.relpath(found[stem] + ".html", here or ".") for stem in PLACES if stem in found}


def place(stem, at, width, link):
    """One card: number, name, what happens there; a link, or a dashed card marked "coming"."""
    x, y = at
    number, (name, what) = list(PLACES).index(stem) + 1, PLACES[stem]
    body = (
        f'<rect class="mm-card" width="{width}" height="{64 if stem != "interleave" else 90}" rx="3"/>'
        f'<text class="mm-number" x="12" y="27">{number}</text> <text class="mm-name" x="30" y="27">{name}</text>'
    )
    if stem != "interleave":
        body += f' <text class="mm-what" x="12" y="49">{what}</text>'
    else:
        body += f' <text class="mm-what" x="{30 + 8.2 * len(name):.0f}" y="27">{what}</text>'
    if link:
        return f'<a class="mm-place" href="{html.escape(link)}" transform="translate({x} {y})">{body}</a>'
    coming = f'<text class="mm-coming" x="{width - 12}" y="4" text-anchor="end">coming</text>'
    return f'<g class="mm-place mm-later" transform="translate({x} {y})">{body}{coming}</g>'


def cells(parts, x, y):
    """The token strip of the book, in cells of 16 x 24."""
    kinds = [kind for kind, count in parts for _ in range(count)]
    drawn = "".join(
        f'<g transform="translate({16 * i})">'
        + CELLS[kind].replace('"F"', f'"var(--mm-{kind})"').replace('"P"', '"var(--mm-paper)"')
        + "</g>"
        for i, kind in enumerate(kinds)
    )
    return f'<g transform="translate({x} {y})" aria-hidden="true">{drawn}</g>'


def source(kind, at):
    """The picture of a photo, a clip or a voice, 88 wide, centred at `at`."""
    x, y = at
    if kind == "photo":  # a sun over hills, in 8 x 5 patches
        shades = ["11111111", "11111661", "11311661", "13541133", "57665567"]
        drawn = "".join(
            f'<rect x="{11 * i}" y="{11 * j}" width="10" height="10" opacity="{0.1 + 0.13 * int(s):.2f}"/>'
            for j, row in enumerate(shades) for i, s in enumerate(row)
        )  # fmt: skip
    elif kind == "clip":  # three frames; a ball falls
        drawn = "".join(
            f'<g transform="translate({30 * i})"><rect width="28" height="54" opacity=".16"/>'
            + "".join(f'<rect x="{3 + 8 * k}" y="{v}" width="5" height="5"/>' for k in range(3) for v in (2, 47))
            + f'<rect x="{4 + 6 * i}" y="{12 + 10 * i}" width="9" height="9"/></g>'
            for i in range(3)
        )
    else:  # a wave
        heights = [6, 12, 22, 36, 48, 30, 14, 24, 44, 54, 34, 18, 8, 16, 26, 12]
        drawn = "".join(
            f'<rect x="{5.5 * i:g}" y="{27 - h / 2:g}" width="3.5" height="{h}"/>' for i, h in enumerate(heights)
        )
    color = {"photo": "image", "clip": "video", "voice": "audio"}[kind]
    label = f'<text class="mm-source" x="44" y="-10" text-anchor="middle">a {kind}</text>'
    return f'<g transform="translate({x - 44} {y - 20})">{label}<g fill="var(--mm-{color})">{drawn}</g></g>'


def drawing(layout, links, name):
    """One of the two maps as SVG."""
    width, height = layout["size"]
    left = layout["left"]
    out = [f'<svg class="mm-{name}" viewBox="{left} 0 {width - 2 * left} {height}">']
    labels = []
    for road, (x, y, w, h) in layout["roads"].items():
        says = {"continuous": "features, in every shade", "discrete": "codes, from a list"}[road]
        if name == "tall":
            says = {"continuous": "features", "discrete": "codes"}[road]
        out.append(f'<rect class="mm-road" x="{x}" y="{y}" width="{w}" height="{h}" rx="3"/>')
        labels.append(
            f'<text class="mm-source mm-halo" x="{x + 10}" y="{y + 23}"><tspan class="mm-name">{road}</tspan> '
            f'<tspan dx="4">{says}</tspan></text>'  # dx: the halo of the second ends before the first
        )
    trails = [(kind, path, "mm-raw") for kind, path in layout["raw"]]
    trails += [(kind, path, "mm-flow") for kind, path in layout["flow"]]
    trails += [(kind, path, "mm-cells") for kind, path in layout["cells"]]
    trails += [("muted", path, "mm-after") for path in layout["after"]]
    lines = "".join(f'<path class="{cls}" d="{path}" stroke="var(--mm-{kind})"/>' for kind, path, cls in trails)
    out.append(f'<g fill="none" aria-hidden="true">{lines}</g>')
    out += labels
    out += [source(kind, at) for kind, at in layout["sources"].items()]
    for stem in PLACES:
        card = layout["card"] if stem != "interleave" else width - 2 * layout["places"][stem][0]
        if name == "tall" and stem in ("mrope", "compress", "budget", "cache"):
            card = 336
        out.append(place(stem, layout["places"][stem], card, links.get(stem)))
    x, y = layout["places"]["interleave"]
    long = 16 * sum(count for _, count in layout["strip"])
    out.append(f'<g pointer-events="none">{cells(layout["strip"], (width - long) / 2, y + 48)}</g></svg>')
    return "\n".join(out)


def page(toc):
    """The whole include: both drawings inside one labelled landmark."""
    links = chapter_links(toc)
    maps = "\n".join(drawing(layout, links, name) for layout, name in ((WIDE, "wide"), (TALL, "tall")))
    return f'<nav class="mm-map" aria-label="Map of the book">\n{maps}\n</nav>\n'
