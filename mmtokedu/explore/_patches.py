"""The explorable of patches on the Python side: what its page is given, its still figure, its golden vectors."""

import html
import operator

import numpy as np

from mmtokedu.catalog import images as catalog
from mmtokedu.catalog.images import image_plan
from mmtokedu.patches import smart_resize, tile_grid

MAX_SIDE = 20_000  # pixels: what the page lets a reader ask for
PICTURES = ("landscape", "page", "icon")


def parts(height, width, model, picture):
    """(attributes, data, still figure, its words) for these arguments, or the error that `explore.patches` names."""
    height, width = operator.index(height), operator.index(width)
    for name, side in (("height", height), ("width", width)):
        if not 1 <= side <= MAX_SIDE:
            raise ValueError(f"{name} is {side}; choose 1 to {MAX_SIDE} pixels")
    if picture not in PICTURES:
        raise ValueError(f"picture is {picture!r}; choose {', '.join(PICTURES)}")
    row = catalog.row(model)
    try:
        plan = image_plan(model, height, width)
    except ValueError:  # the system refuses this size: worth showing
        plan = None
    alt = _in_words(row.title, height, width, plan)
    attributes = {"height": height, "width": width, "model": model, "picture": picture}
    return attributes, _data(), _still(height, width, plan, alt), alt


def _data():
    """The catalog's image rows and the largest side, as the front-end file reads them."""
    models = [
        {
            "id": row.name,
            "title": row.title,
            "kind": row.kind,
            "rule": row.rule,
            "parameters": dict(row.parameters),
            "about": row.about,
            "source": row.source,
            "as_of": row.as_of.isoformat(),
            "verified": row.verified,
            "prices": [{**vars(price), "as_of": price.as_of.isoformat()} for price in row.prices],
        }
        for row in catalog.rows().values()
    ]
    return {"models": models, "max_side": MAX_SIDE}


def _in_words(title, height, width, plan):
    said = f"A picture of {height:,} × {width:,} pixels under {title}: "
    if plan is None:
        return said + "refused."
    rows, cols = plan.grid
    unit = {"token": "cells", "crop": "crops", "image": "picture"}.get(plan.cell)
    grid = f"{rows:,} × {cols:,} {unit}" if unit else f"{_count(rows, 'row')} of {_count(cols, 'tile')}"
    parts = "" if len(plan.parts) == 1 else f" ({', '.join(f'{n:,} {what}' for what, n in plan.parts)})"
    return f"{said}{grid}, {plan.tokens:,} tokens{parts}."


def _count(n, what):
    return f"{n:,} {what}" + ("" if n == 1 else "s")


def _still(height, width, plan, alt):
    """The picture and what the system makes of it, side by side, the grid over both; sides in SVG units."""
    shapes = [(height, width, "your picture")]
    if plan:
        shapes.append((*plan.resized, "what is cut"))
    drawn = []
    for i, (rows_px, cols_px, label) in enumerate(shapes):
        scale = min(290 / cols_px, 190 / rows_px)
        high, wide = max(rows_px * scale, 1), max(cols_px * scale, 1)
        lines = "".join(
            [f"M0 {high * r / plan.grid[0]:.1f}h{wide:.1f}" for r in range(1, plan.grid[0])]
            + [f"M{wide * c / plan.grid[1]:.1f} 0v{high:.1f}" for c in range(1, plan.grid[1])]
            if plan
            else []
        )
        drawn.append(
            f'<g transform="translate({10 + 320 * i} 34)"><text y="-12">{label}, {rows_px:,} × {cols_px:,} px</text>'
            f'<svg aria-hidden="true" width="{wide:.1f}" height="{high:.1f}" viewBox="0 0 100 100" '
            'preserveAspectRatio="none">'
            '<path d="M0 0h100v100H0z" fill="#b9d8ea"/><path d="M0 62q25-30 50-4t50-8v50H0z" fill="#7fa6a6"/>'
            '<path d="M0 84q30-16 55-4t45-2v22H0z" fill="#5d8a5f"/></svg>'
            f'<path d="{lines}" stroke="#08325a" stroke-opacity=".6" stroke-width=".6"/>'
            f'<path d="M0 0h{wide:.1f}v{high:.1f}H0z" fill="none" stroke="currentColor"/></g>'
        )
    return (
        '<figure style="margin:1em 0"><svg viewBox="0 0 640 236" role="img" style="max-width:100%;height:auto" '
        f'width="640" height="236" fill="currentColor" font-size="15"><title>{html.escape(alt)}</title>{"".join(drawn)}'
        f"</svg><figcaption>{html.escape(alt)}</figcaption></figure>"
    )


def _sizes():
    """Sizes to compare at: the corners by hand, then 240 drawn evenly in the logarithm of each side."""
    by_hand = [
        (1, 1), (1, 5000), (5000, 1), (2, 300), (200, 1), (201, 1), (1, 201), (14, 14), (28, 28), (42, 70), (70, 42),
        (10, 1500), (1500, 10), (64, 64), (100, 100), (224, 224), (239, 2167), (333, 517), (336, 336), (384, 384),
        (385, 200), (448, 448), (640, 480), (600, 400), (720, 1280), (1024, 1024), (1080, 1920), (1920, 1080),
        (2160, 3840), (2339, 1654), (900, 4800), (4000, 6000), (8192, 8192), (8192, 41), (20000, 20000), (20000, 101),
    ]  # fmt: skip
    drawn = np.exp(np.random.default_rng(1).uniform(0, np.log(MAX_SIDE), (240, 2))).astype(int)
    return by_hand + [(int(h), int(w)) for h, w in drawn]


def _answer(function, *arguments, **options):
    """What a function answers, None where it refuses."""
    try:
        return function(*arguments, **options)
    except ValueError:
        return None


def golden():
    """Tokens, grids and prices of every row of the catalog, and the two rules that choose a size, at `_sizes`."""
    sizes, models = _sizes(), catalog.rows()
    tokens, dollars = {}, {}
    for name, row in models.items():
        plans = [(*size, _answer(image_plan, name, *size)) for size in sizes]
        tokens[name] = [
            (h, w, plan.tokens, plan.grid, plan.resized, plan.parts) if plan else (h, w, None) for h, w, plan in plans
        ]
        for price in row.prices:
            rate = price.multiplier * price.usd_per_million_tokens / 1e6
            dollars[f"{name} {price.model}"] = [plan.tokens * rate for *_, plan in plans if plan]
    resize = [
        (*size, rule, bound, _answer(smart_resize, *size, rule=rule, max_pixels=bound))
        for rule in ("transformers", "qwen-vl-utils")
        for bound in (50_176, 12_845_056)
        for size in sizes
    ]
    tiles = [(*size, most, tile_grid(*size, max_tiles=most)) for most in (6, 12, 36) for size in sizes]
    return {"tokens": tokens, "dollars": dollars, "smart_resize": resize, "tile_grid": tiles}
