"""The second figure of positions on the Python side: one dial a pair, and the product of a query and a key."""

import html
import itertools
import math
import re

import numpy as np

from mmtokedu.explore import _mrope, _mrope_golden
from mmtokedu.mrope import Vision, axis_of_pair, position_ids, rotate

GRID = 3, 4, 4  # frames, rows, columns
LAYOUTS = {"blocks": (2, 3, 3), "interleaved": (3, 3, 2)}  # pairs of t, h, w
THETAS = 20, 100, 10_000
PLACE = re.compile(r"(\d)_(\d)_(\d)")
WORDS = {"ones": "all of their numbers are 1", "drawn": "their numbers are drawn"}


def parts(layout, theta, numbers, query, key):
    """(attributes, data, still figure, its words) for these arguments, or the error that `explore.dials` names."""
    for name, value, known in (
        ("layout", layout, tuple(LAYOUTS)), ("theta", theta, THETAS), ("numbers", numbers, tuple(WORDS))
    ):  # fmt: skip
        if value not in known:
            raise ValueError(f"{name} is {value!r}; choose {', '.join(map(str, known))}")
    places = _place("query", query), _place("key", key)
    alt = _in_words(layout, theta, numbers, *places)
    attributes = {
        "layout": layout,
        "theta": THETAS[THETAS.index(theta)],
        "numbers": numbers,
        "query": query,
        "key": key,
    }
    return attributes, _data(), _still(layout, theta, numbers, *places, alt), alt


def _place(name, text):
    found = PLACE.fullmatch(text) if isinstance(text, str) else None
    place = tuple(map(int, found.groups())) if found else ()
    if not place or any(at >= size for at, size in zip(place, GRID, strict=True)):
        raise ValueError(
            f"{name} is {text!r}; expected frame_row_column from 0_0_0 to {'_'.join(str(n - 1) for n in GRID)}"
        )
    return place


def vectors(numbers):
    """(query, key), float64 (D,) each: ones, or drawn ones of the same length.

    >>> [float(np.linalg.norm(each).round(2)) for each in vectors("drawn")]
    [4.0, 4.0]
    """
    D = 2 * sum(LAYOUTS["blocks"])
    if numbers == "ones":
        return np.ones(D), np.ones(D)
    drawn = np.random.default_rng(4).standard_normal((2, D))
    drawn[1] = 0.7 * drawn[0] + 0.7 * drawn[1]  # alike, so that their product is not near 0
    return tuple((drawn * D**0.5 / np.linalg.norm(drawn, axis=1, keepdims=True)).round(3))


def turned(layout, theta, numbers, query, key):
    """(query, key) at their places: both vectors (D,) after the rotation."""
    ids = position_ids([Vision(*GRID)], rule="qwen2-vl")
    places = [np.ravel_multi_index(place, GRID) for place in (query, key)]
    return rotate(np.stack(vectors(numbers)), ids[:, places], sections=LAYOUTS[layout], theta=theta, layout=layout)


def product(layout, theta, numbers, query, key):
    """The product of query and key at their places.

    >>> here, elsewhere = ((0, 1, 1), (0, 2, 3)), ((2, 0, 0), (2, 1, 2))  # the same offset
    >>> [round(product("blocks", 100, "drawn", *places), 9) for places in (here, elsewhere)]
    [10.309310347, 10.309310347]
    """
    q, k = turned(layout, theta, numbers, query, key)
    return float(q @ k)


def _data():
    axes = {name: axis_of_pair(sections, layout=name).tolist() for name, sections in LAYOUTS.items()}
    return {
        "grid": GRID, "axes": axes, "thetas": THETAS, "colors": list(_mrope.AXES.values()),
        "vectors": {name: [each.tolist() for each in vectors(name)] for name in WORDS},
    }  # fmt: skip


def _in_words(layout, theta, numbers, query, key):
    offset = ", ".join(f"{q - k:+d}" if q != k else "0" for q, k in zip(query, key, strict=True)).replace("-", "−")
    pairs = sum(LAYOUTS[layout])
    most = math.prod(np.linalg.norm(each) for each in vectors(numbers))
    return (
        f"{pairs} pairs, {layout}, theta {theta:,}, of a query at (t, h, w) = {query} and a key at {key}, offset "
        f"({offset}); {WORDS[numbers]}: their product is {product(layout, theta, numbers, query, key):.2f} of at most "
        f"{most:.2f}."
    )


def _still(layout, theta, numbers, query, key, alt):
    """A dial a pair, with the hands of query (thick) and key (thin), and the letter of its axis."""
    q, k = (each.reshape(2, -1) for each in turned(layout, theta, numbers, query, key))  # (first, second) of each pair
    longest = max(np.hypot(*q).max(), np.hypot(*k).max())
    drawn, axis = "", axis_of_pair(LAYOUTS[layout], layout=layout)
    for i, a in enumerate(axis):
        x, color = 42 + 79 * i, list(_mrope.AXES.values())[a][0]
        drawn += f'<circle cx="{x}" cy="64" r="32" fill="none" stroke="#8f897a"/>'
        for hand, look in ((k, 'stroke="#8f897a" stroke-width="3"'), (q, f'stroke="{color}" stroke-width="4"')):
            drawn += f'<path d="M{x} 64l{30 * hand[1, i] / longest:.1f} {-30 * hand[0, i] / longest:.1f}" {look}/>'
        drawn += f'<text x="{x}" y="120" text-anchor="middle" font-weight="700" fill="{color}">{"thw"[a]}</text>'
    said = html.escape(alt)
    return (
        '<figure style="margin:1em 0"><svg viewBox="0 0 640 132" role="img" style="max-width:100%;height:auto" '
        f'width="640" height="132" fill="currentColor" font-size="17"><title>{said}</title><text x="10" y="20" '
        f'font-size="15">the fastest pair first; the coloured hand is the query\'s</text>{drawn}</svg>'
        f"<figcaption>{said}</figcaption></figure>"
    )


def golden():
    """Products at drawn places, and what `rotate` makes of drawn vectors."""
    rng = np.random.default_rng(24)
    choices = list(itertools.product(LAYOUTS, THETAS, WORDS))
    products = []
    for layout, theta, numbers in choices:
        for _ in range(25):
            query, key = (tuple(int(rng.integers(n)) for n in GRID) for _ in range(2))
            made = turned(layout, theta, numbers, query, key)
            told = product(layout, theta, numbers, query, key)
            products.append((layout, theta, numbers, query, key, made.tolist(), told))
    return {"products": products, "turned": list(_mrope_golden.turned())}
