"""Fewer tokens, drawn: where they get fewer, one round of merging, folding two by two, learned queries, adapters.

The look is that of `machines`: solid frames are trained, dashed ones are fixed, 440 units wide.
"""

import numpy as np

from mmtokedu.compress import pixel_shuffle, pool_tokens, shuffle_map
from mmtokedu.show.charts import COLOR, figure, patches
from mmtokedu.show.machines import _WIDE, _arrow, _box, _scene, _words

_PLACES = (  # where tokens may get fewer, from the picture on
    "duplicates\nonce",
    "merge in the\nencoder (ToMe)",
    "fold, pool,\nor queries",
    "drop before\nthe model",
    "drop after\nlayer K",
)


def where_tokens_go(counts=(12, 10, 7, 4, 3, 1), *, alt=None, caption=None):
    """One row from picture to answer, the five places where tokens may get fewer, and how many are left behind each.

    `counts` are six numbers from 12 down: those of the patches, and those behind each place. They are an example.

    Raises ValueError for other than six, or where one is more than the one before.

    >>> where_tokens_go(alt="Five places.")
    [figure: Five places.]
    """
    counts = [int(count) for count in counts]
    if len(counts) != 6 or counts[0] > 12 or counts[-1] < 0 or sorted(counts, reverse=True) != counts:
        raise ValueError(f"counts is {counts}; expected six from 12 down: of the patches, and behind each of 5 places")
    fig, ax = _scene(284)
    y, floor, cell = 186, 6, 9.5
    _patchwork(ax, 26, y, cut=False)
    _patchwork(ax, 84, y, cut=True)
    for x, words in ((26, "picture"), (84, "patches")):
        _words(ax, x, y - 27, words, COLOR["muted"])
    for x, width, words in ((177, 84, "vision transformer"), (263, 34, "adapter"), (372, 112, "language model")):
        _box(ax, x, y, width, 40, "")
        _words(ax, x, y - 27, words, COLOR["muted"])
        if words != "adapter":
            for i in range(1, 6):
                at = x - width / 2 + width * i / 6
                ax.plot([at, at], [y - 20, y + 20], color=COLOR["rule"], lw=1, ls="-")
    for start, stop in ((44, 66), (102, 135), (219, 246), (280, 316), (428, 440)):
        _arrow(ax, (start, y), (stop, y))
    places = (116, 177, 263, 298, 353)  # where each of the five is in the row
    labels = (40, 132, 224, 312, 400)
    for number, (at, label, words) in enumerate(zip(places, labels, _PLACES), 1):
        top = y + 21 if number in (2, 3, 5) else y + 4
        ax.plot([at, at, label, label], [top, y + 32, y + 42, y + 47], color=COLOR["accent"], lw=1, ls="-")
        _words(ax, label, y + 62, words)
        _words(ax, label, y + 87, str(number), COLOR["accent"], weight="bold", fontsize=10)
        ax.plot([at, at], [floor, y - 36], color=COLOR["accent"], lw=0.8, ls=":")
    columns = (84, 143, 214, 276, 321, 391)
    for i, (x, count) in enumerate(zip(columns, counts)):
        for k in range(counts[i - 1] if i else count):
            _token(ax, x, floor + cell * (k + 0.5), cell - 1.5, dropped=k >= count)
        _words(ax, x + 9, floor + cell * (count - 0.5), str(count), ha="left", weight="bold")
    names = [place.replace("\n", " ") for place in _PLACES]
    told = (
        "A row: picture, patches, vision transformer, adapter, language model. Five places where tokens may get fewer: "
        + "; ".join(f"{i} {name}" for i, name in enumerate(names, 1))
        + f". Below it columns of tokens get shorter: {', '.join(map(str, counts[:-1]))} and {counts[-1]}."
    )
    said = "Struck out: the tokens that the place above takes away. The numbers are an example."
    return figure(fig, alt=alt or told, caption=said if caption is None else caption)


def _patchwork(ax, x, y, *, cut):
    """A small picture, whole or cut into 3 x 3 patches."""
    shades, step = (1, 0.45, 0.75, 0.3, 0.85, 0.5, 0.65, 0.35, 1), 12 if cut else 10.5
    for i, shade in enumerate(shades):
        place = (x + step * (i % 3 - 1) - 5.25, y + step * (i // 3 - 1) - 5.25)
        ax.add_patch(patches.Rectangle(place, 10.5, 10.5, fc=COLOR["image"], alpha=shade, lw=0))


def _token(ax, x, y, side, *, dropped=False, shade=1.0):
    """A token of a picture as a cell; a dropped one has the look that it has in every strip."""
    place = (x - side / 2, y - side / 2)
    if not dropped:
        ax.add_patch(patches.Rectangle(place, side, side, fc=COLOR["image"], alpha=shade, lw=0))
        return
    look = {"color": COLOR["dropped"], "lw": 0.8, "ls": (0, (2, 1.5))}
    ax.add_patch(patches.Rectangle(place, side, side, fc="none", ec=COLOR["dropped"], lw=0.8, ls=look["ls"]))
    ax.plot([place[0], place[0] + side], [place[1], place[1] + side], **look)


def merge_round(tokens, matched, merged, *, alt=None, caption=None):
    """One round of ToMe: even tokens above, odd ones below, each even one's best likeness, and what it became.

    tokens (N, 2), at most ten, are drawn as arrows, so that their angle is their likeness; `matched` and `merged` are
    what `mmtokedu.compress.match_tokens` and `merge_tokens` made of them. A thick line is one that merged.

    Raises ValueError for tokens of another shape, or results that are not of as many.

    >>> from mmtokedu.compress import match_tokens, merge_tokens
    >>> eight = np.stack([np.cos(turn := np.array([0, 0.1, 2, 1.5, 3, 3.1, 1, 4])), np.sin(turn)], axis=1)
    >>> merge_round(eight, match_tokens(eight), merge_tokens(eight, 2))
    [figure: Eight tokens, even ones above, odd ones below. ... 0 joins 1 (likeness 1.00), 4 joins 5 (1.00); ...]
    """
    tokens, source = np.asarray(tokens, np.float64), np.asarray(merged.source)
    N = len(tokens)
    if (
        tokens.shape != (N, 2)
        or not 2 <= N <= 10
        or source.shape != (N,)
        or np.shape(matched.partner) != ((N + 1) // 2,)
    ):
        raise ValueError(
            f"tokens have shape {tokens.shape}, source {source.shape}, partner {np.shape(matched.partner)}; "
            "expected (N, 2), (N,) and (⌈N / 2⌉,), N from 2 to 10"
        )
    fig, ax = _scene(304)
    top, below, result = 252, 158, 40
    step = (_WIDE - 60) / N
    at = [(64 + step * (i + 0.35), top if i % 2 == 0 else below) for i in range(N)]
    longest = np.linalg.norm(tokens, axis=1).max() or 1.0
    told = []
    for i, (similarity, partner) in enumerate(zip(np.asarray(matched.similarity).tolist(), matched.partner.tolist())):
        even, odd = 2 * i, 2 * partner + 1
        merges = bool(source[even] == source[odd])
        look = (
            {"lw": 3, "ls": "-", "color": COLOR["accent"]} if merges else {"lw": 1, "ls": ":", "color": COLOR["muted"]}
        )
        (x, y), (there, low) = at[even], at[odd]
        ax.plot([x, there], [y - 17, low + 17], solid_capstyle="butt", **look)
        share = 0.3 if i % 2 else 0.42  # lines that cross have their numbers at different heights
        place = x + (there - x) * share, y - 17 + (low - y + 34) * share
        _words(ax, *place, f"{similarity:.2f}", COLOR["ink" if merges else "muted"], patch=True)
        if merges:
            told.append(f"{even} joins {odd} ({'' if told else 'likeness '}{similarity:.2f})")
    for i, place in enumerate(at):
        _arrow_token(ax, place, tokens[i] / longest, str(i), above=i % 2 == 0)
    _words(ax, 0, top, "even\n(A)", ha="left")
    _words(ax, 0, below, "odd\n(B)", ha="left")
    _words(ax, 0, result, "after\nthe round", ha="left")
    ax.plot([0, _WIDE], [below - 46] * 2, color=COLOR["rule"], lw=1, ls="-")
    M, sizes = len(merged.tokens), np.asarray(merged.size).tolist()
    said = []
    for j in range(M):
        members = np.flatnonzero(source == j).tolist()
        x = 64 + (_WIDE - 60) / M * (j + 0.5)
        name = "+".join(map(str, members))
        _arrow_token(ax, (x, result + 14), np.asarray(merged.tokens)[j] / longest, name)
        size, color, weight = f"size {sizes[j]}", *(("ink", "bold") if sizes[j] > 1 else ("muted", "normal"))
        _words(ax, x, result - 26, size, COLOR[color], weight=weight)
        said.append(f"{name} of {size}")
    alt = alt or (
        f"{_NUMBERS.get(N, str(N))} tokens, even ones above, odd ones below. Each even one has a line to the odd one "
        f"that it resembles most: {', '.join(told) or 'none merges'}; left are {', '.join(said)}."
    )
    shown = (
        f"Each even token looks for the odd one that it resembles most (cosine). The {len(told)} best of these pairs "
        "(thick) merge into their mean; every other token goes on unchanged."
    )
    return figure(fig, alt=alt, caption=shown if caption is None else caption)


_NUMBERS = {4: "Four", 6: "Six", 8: "Eight", 10: "Ten"}


def _arrow_token(ax, middle, vector, name, *, above=False):
    """A token as a cell with its vector in it, at most of length 1, and its name below or above."""
    (x, y), (right, up) = middle, 12 * np.asarray(vector)
    look = {"ec": COLOR["image"], "lw": 1.2, "ls": "-", "fc": COLOR["paper"]}
    ax.add_patch(patches.Rectangle((x - 15, y - 15), 30, 30, zorder=3, **look))
    head = {"arrowstyle": "-|>", "mutation_scale": 8, "lw": 1.6, "color": COLOR["image"], "shrinkA": 0, "shrinkB": 0}
    ax.add_patch(patches.FancyArrowPatch((x - right, y - up), (x + right, y + up), zorder=4, **head))
    _words(ax, x, y + 24 if above else y - 24, name, COLOR["muted"])


def folded(side=4, factor=2, *, alt=None, caption=None):
    """The index map of folding: a numbered grid, its blocks laid side by side, and averaged instead.

    The numbers are `mmtokedu.compress.shuffle_map`'s. A cell is the width of one token.

    Raises ValueError for a side of more than 6, or one that the factor does not divide.

    >>> folded(alt="Sixteen tokens become four.")
    [figure: Sixteen tokens become four.]
    """
    if side > 6:
        raise ValueError(f"side is {side}; at most 6 cells can be read")
    index = shuffle_map((side, side), factor)
    blocks, wide = index.shape
    fig, ax = _scene(206)
    cell, top = 120 / side, 160
    block = np.empty(side * side, np.int64)
    block[index] = np.arange(blocks)[:, None]
    for i in range(side * side):
        row, column = divmod(i, side)
        _numbered(ax, cell * (column + 0.5) + 2, top - cell * (row + 0.5), cell, cell, str(i), block[i])
    for i in range(blocks):
        row, column = divmod(i, side // factor)
        place = (2 + column * factor * cell, top - (row + 1) * factor * cell)
        look = {"fc": "none", "ec": COLOR["ink"], "lw": 1.6}
        ax.add_patch(patches.Rectangle(place, factor * cell, factor * cell, **look))
    step, unit = 120 / blocks, 26 * 4 / max(4, wide)
    for b, members in enumerate(index.tolist()):
        y = top - step * (b + 0.5)
        for k, i in enumerate(members):
            _numbered(ax, 176 + unit * (k + 0.5), y, unit, min(step - 7, 24), str(i), b)
        look = {"fc": "none", "ec": COLOR["ink"], "lw": 1.6}
        ax.add_patch(patches.Rectangle((176, y - min(step - 7, 24) / 2), unit * wide, min(step - 7, 24), **look))
        _numbered(ax, 345 + unit / 2, y, unit, min(step - 7, 24), "", b)
        ax.add_patch(patches.Rectangle((345, y - min(step - 7, 24) / 2), unit, min(step - 7, 24), **look))
        _words(
            ax, 345 + unit + 5, y, "mean of\n" + ", ".join(map(str, members)), COLOR["muted"], ha="left", fontsize=7.5
        )
    _arrow(ax, (128, top - 60), (168, top - 60))
    for x, words in ((2, f"{side * side} tokens"), (176, "fold"), (345, "pool")):
        ax.text(x, top + 30, words, weight="bold", va="center", fontsize=10)
    for x, words in ((2, "of D numbers"), (176, f"{blocks} of {wide} × D, none lost"), (345, f"{blocks} of D")):
        _words(ax, x, top + 13, words, COLOR["muted"], ha="left")
    ax.plot([318, 318], [top - 124, top + 38], color=COLOR["rule"], lw=1, ls="-")
    _words(ax, 176 + unit * wide / 2, 22, f"← {wide} × D numbers →", COLOR["muted"])
    rows = "; ".join(", ".join(map(str, members)) for members in index.tolist())
    told = (
        f"A grid of {side} × {side} numbered tokens in blocks of {factor} × {factor}. Folding lays the tokens of a "
        f"block side by side in one vector {wide} times as long: {rows}. Pooling averages the same {wide} into a "
        "vector of the old length."
    )
    said = (
        f"Folding and pooling read the same {wide} neighbours and leave the same {blocks} tokens. Folding keeps all "
        "numbers and lets the next layer choose; pooling has averaged them already."
    )
    return figure(fig, alt=alt or told, caption=said if caption is None else caption)


def _numbered(ax, x, y, width, height, words, block):
    """A cell with a number, tinted by its block."""
    shade = (0.12, 0.5, 0.3, 0.7, 0.2, 0.6, 0.4, 0.8, 0.25)[block % 9]
    place = (x - width / 2, y - height / 2)
    ax.add_patch(patches.Rectangle(place, width, height, fc=COLOR["image"], alpha=shade, lw=0))
    ax.add_patch(patches.Rectangle(place, width, height, fc="none", ec=COLOR["image"], lw=0.8))
    if words:
        _words(ax, x, y, words, fontsize=9)


def queries_read(weights, *, alt=None, caption=None):
    """Learned queries read all tokens; and what a Perceiver resampler and a Q-Former have around that.

    weights (queries, N) are those of the cross-attention, every row adding up to 1: a line is as wide as its weight.
    At most 6 queries and 16 tokens.

    Raises ValueError for more, or weights that are no shares.
    Source: Flamingo (arXiv 2204.14198, section 3.1.1) and BLIP-2 (arXiv 2301.12597).

    >>> queries_read(np.full((4, 8), 1 / 8), alt="Four queries and eight tokens.")
    [figure: Four queries and eight tokens.]
    """
    weights = np.asarray(weights, np.float64)
    if weights.ndim != 2 or not (1 <= len(weights) <= 6 and 1 <= weights.shape[1] <= 16):
        raise ValueError(f"weights have shape {weights.shape}; expected (queries, tokens), at most (6, 16)")
    if (weights < 0).any() or not np.allclose(weights.sum(axis=1), 1, atol=1e-4):
        raise ValueError(f"weights add up to {weights.sum(axis=1).round(3).tolist()}; every row of shares adds up to 1")
    queries, N = weights.shape
    fig, ax = _scene(364)
    top, below, low = 348, 252, 224
    seen = [82 + (_WIDE - 92) * (k + 0.5) / N for k in range(N)]
    asking = [82 + (_WIDE - 92) * (k + 0.5) / queries for k in range(queries)]
    for query, token in zip(*np.nonzero(weights > 0.01)):
        ends = [asking[query], seen[token]], [below + 11, top - 9]
        ax.plot(
            *ends, color=COLOR["muted"], lw=0.3 + 6 * weights[query, token], ls="-", solid_capstyle="butt", zorder=0
        )
    for x in seen:
        _token(ax, x, top, 17)
    for k, x in enumerate(asking):
        _box(ax, x, below, 30, 22, f"q{k + 1}")
    _words(ax, 0, top, f"{N} tokens,\nhowever many", ha="left")
    _words(ax, 0, below, f"{queries} learned\nqueries", ha="left")
    ax.plot([0, _WIDE], [low, low], color=COLOR["rule"], lw=1, ls="-")
    looking, perceptron = "queries look at tokens\n", ("perceptron", 26)
    told = "taught in one go, by the loss\nof the language model"
    _layer(ax, 0, low - 18, "Perceiver resampler", [(looking + "and at themselves at once", 38), perceptron], told)
    parts = [
        ("self-attention: queries\nand the question's words", 38),
        (looking + "(in every other layer)", 38),
        perceptron,
    ]
    told = "taught in two stages: with captions\n(contrast, matching, writing), then\nin front of the language model"
    _layer(ax, 228, low - 18, "Q-Former", parts, told)
    most = [f"query {k + 1} most at token {int(row.argmax()) + 1}" for k, row in enumerate(weights)]
    told = (
        f"{queries} learned queries look at all {N} tokens, with lines as wide as the weight: {', '.join(most)}. "
        "Below, two boxes of one layer each. Perceiver resampler: queries look at tokens and at themselves at once; "
        "perceptron. Q-Former: self-attention of queries and the question's words; queries look at tokens, in every "
        "other layer; perceptron; taught in two stages."
    )
    said = f"A line is as wide as the attention. However many tokens there are, {queries} vectors come out."
    return figure(fig, alt=alt or told, caption=said if caption is None else caption)


def _layer(ax, left, y, title, parts, taught):
    """One layer of a reader of tokens, 212 wide: its parts, each (words, height), and how it is taught."""
    ax.text(left + 2, y, title, weight="bold", va="center", fontsize=10)
    y -= 18
    for i, (words, height) in enumerate(parts):
        if i:
            _arrow(ax, (left + 106, y), (left + 106, y - 12))
            y -= 12
        _box(ax, left + 106, y - height / 2, 208, height, words)
        y -= height
    _words(ax, left + 2, y - 8, taught, COLOR["muted"], ha="left", va="top")


WAYS = "as they are", "fold", "pool"  # what an adapter's tokens go through before it


def adapter_numbers(adapters, tokens=64, *, factor=2):
    """What adapters make of one picture's tokens, counted by running them: a dict of each title's numbers.

    `adapters` is {title: (way, module)} as of `adapters`; the numbers are "before" and "after", the shapes (tokens,
    width) at the module, "parameters", and "flops", a multiplication and an addition being two.

    Raises ValueError for another way, or tokens that are no square.

    >>> from mmtokedu.nn.adapters import Projector
    >>> adapter_numbers({"linear": ("as they are", Projector(8, 16))}, 4)
    {'linear': {'before': (4, 8), 'after': (4, 16), 'parameters': 144, 'flops': 1024}}
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    side, found = round(tokens**0.5), {}
    if side * side != tokens:
        raise ValueError(f"{tokens} tokens are no square grid; {side * side} would be")
    for title, (way, module) in adapters.items():
        if way not in WAYS:
            raise ValueError(f"the way of {title!r} is {way!r}; known are {', '.join(map(repr, WAYS))}")
        width = _width(module) // (factor**2 if way == "fold" else 1)
        given = torch.zeros(1, tokens, width)
        if way == "fold":
            given = pixel_shuffle(given, (side, side), factor)
        elif way == "pool":
            given = pool_tokens(given, (side, side), factor)
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            made = module(given)
        found[title] = {
            "before": tuple(given.shape[1:]),
            "after": tuple(made.shape[1:]),
            "parameters": sum(parameter.numel() for parameter in module.parameters()),
            "flops": counter.get_total_flops(),
        }
    return found


def _width(module):
    """The width that an adapter reads."""
    queries = getattr(module, "queries", None)
    return module.layers[1].in_features if queries is None else queries.shape[1]


def adapters(adapters, tokens=64, *, factor=2, alt=None, caption=None):
    """Adapters side by side, each a small machine from top to bottom, with the shape at each arrow and what it costs.

    `adapters` is {title: (way, module)}, at most four: way "as they are", "fold" or "pool" (factor x factor tokens),
    and a Projector or QueryResampler of `mmtokedu.nn.adapters` that reads what comes out. Numbers are of
    `adapter_numbers`; fold and pool themselves are not counted.

    Raises ValueError as that, and for more than four.

    >>> from mmtokedu.nn.adapters import Projector
    >>> adapters({"linear": ("as they are", Projector(64, 64))}, alt="A linear map.")
    [figure: A linear map.]
    """
    if not 1 <= len(adapters) <= 4:
        raise ValueError(f"{len(adapters)} adapters; one to four fit side by side")
    numbers = adapter_numbers(adapters, tokens, factor=factor)
    fig, ax = _scene(322)
    wide, told = (_WIDE - 4) / len(adapters), []
    for k, (title, (way, module)) in enumerate(adapters.items()):
        x, counted = 2 + wide * (k + 0.5), numbers[title]
        (before, width), (after, out) = counted["before"], counted["after"]
        ax.text(x, 308, title, ha="center", va="center", weight="bold", fontsize=9.5, linespacing=1.1)
        first = (tokens, width // factor**2) if way == "fold" else (tokens, width)
        _grid(ax, x, 262, tokens)
        _shape(ax, x, 225, first)
        y = 217
        if way != "as they are":
            _arrow(ax, (x, y), (x, y - 12))
            _box(ax, x, y - 25, 88, 26, f"{way} {factor} × {factor}", "fixed")
            _shape(ax, x, y - 48, (before, width))
            y -= 56
        _arrow(ax, (x, y), (x, 147))
        queries = getattr(module, "queries", None)
        words = "per-token\nMLP" if queries is None and len(module.layers) > 2 else "per-token\nlinear map"
        _box(ax, x, 128, 88, 38, words if queries is None else f"{len(queries)} learned\nqueries")
        _arrow(ax, (x, 109), (x, 95))
        _shape(ax, x, 86, (after, out))
        for row, said in enumerate(
            (f"{after} tokens", f"{_short(counted['parameters'])} parameters", f"{_short(counted['flops'])} FLOPs")
        ):
            _words(ax, x, 54 - 19 * row, said, weight="normal" if row else "bold")
        if k:
            ax.plot([x - wide / 2] * 2, [2, 326], color=COLOR["rule"], lw=1, ls="-")
        between = "" if way == "as they are" else f", {way} {factor} × {factor}"
        cost = f"{counted['parameters']:,} parameters, {_short(counted['flops'])} FLOPs"
        told.append(f"{title}: {tokens} tokens{between}, {after} come out of width {out}, {cost}")
    alt = alt or f"{len(adapters)} adapters side by side. {'. '.join(told)}."
    said = "Shapes are tokens × width. FLOPs are of one picture, a multiplication and an addition counted as two. " + (
        "Solid frames are trained, dashed ones fixed."
    )
    return figure(fig, alt=alt, caption=said if caption is None else caption)


def _grid(ax, x, y, tokens):
    """A square of so many tokens, 56 wide."""
    side = round(tokens**0.5)
    step = 56 / side
    for i in range(tokens):
        _token(ax, x + step * (i % side - (side - 1) / 2), y + step * (i // side - (side - 1) / 2), step * 0.82)


def _shape(ax, x, y, shape):
    _words(ax, x, y, f"{shape[0]} × {shape[1]}", COLOR["muted"])


def _short(number):
    """A count in three figures: 4,160; 36.1k; 8.53M.

    >>> _short(64), _short(9999), _short(12_345), _short(5_373_952)
    ('64', '9,999', '12.3k', '5.37M')
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            value = number / (size if unit != "k" else 1e3)
            return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f}{unit}"
    return f"{number:,}"
