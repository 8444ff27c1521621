"""The explorable of fewer tokens on the Python side: two pictures, what the model answered, what it saved."""

import base64
import functools
import html
import io
import json

import numpy as np
from PIL import Image

from mmtokedu.compress import Merged, merge_tokens, pool_weights
from mmtokedu.samples import world
from mmtokedu.samples.items import DATA
from mmtokedu.small import PATCH

STORED = DATA / "compress" / "play.json"  # made by experiments/_compress_play.py
SIZE, GRID = (96, 96), (8, 8)  # pixels; patches
ALL = GRID[0] * GRID[1]
LADDER = 64, 32, 16, 8, 4, 1  # visual tokens that may be left
LAYERS, WIDTH, QUESTION, BYTES = 4, 64, 2, 2  # of the decoder; words of a question; bytes of a number in the cache
SHARE = 8  # at most one token in so many is merged in a round
WINDOWS = {32: (1, 2), 16: (2, 2), 8: (2, 4), 4: (4, 4), 1: (8, 8)}  # patches that become one mean: (down, across)
KINDS = "number", "colour", "shape", "where", "count"  # the questions, in the page's order; a number is three questions
PICTURES = {  # id -> (name on its button, title, seed, ground)
    "scene": ("a scene on a photo", "A scene", (22, 119), "photo"),
    "page": ("a small page", "A small page", (22, 344), "flat"),
}
METHODS = {  # id -> (title, kind, whether it asks the question, what it does)
    "random": ("keep some at random", "keep", False, "One draw of many: which patches are kept is chance."),
    "grid": ("keep an even grid", "keep", False, "Patches are kept at even distances, whatever they show."),
    "edges": (
        "keep where pixels change", "keep", False,
        "A patch's score is how much neighbouring pixels differ in it. Neither a model nor a question is asked.",
    ),
    "received": (
        "keep what the encoder looks at", "keep", False,
        "A patch's score is the attention that all patches pay to it in the encoder's last layer; no question asked.",
    ),
    "diverse": (
        "keep what is unlike the rest (DivPrune)", "keep", False,
        "One after the other, the token is kept that is least like those already kept; no question asked.",
    ),
    "attention": (
        "keep what the question looks at", "keep", True,
        "Layer 1 of the decoder is run with all tokens; kept are those that the pressed question looks at most.",
    ),
    "late": (
        "keep after layer 1 (FastV)", "keep", True,
        "Layer 1 has all tokens, the three layers behind it have those that the pressed question looked at most in it.",
    ),
    "folded": (
        "keep some, the rest as one token", "fold", True,
        "All tokens but one are what the pressed question looks at most; one is the mean of all others, and attention "
        "counts it as so many.",
    ),
    "oracle": (
        "keep what is asked for (oracle)", "keep", True,
        "No method can know this: kept is what the pressed question is about. It shows what choosing can reach.",
    ),
    "merge": (
        "average what is alike (ToMe)", "merge", False,
        "Tokens that are alike become their mean, at most an eighth of them in a round. The numbers say of how many "
        "patches; attention counts each as so many.",
    ),
    "unsized": (
        "average what is alike, sizes forgotten", "merge", False,
        "The same means, but attention is not told of how many patches each is: all count as one.",
    ),
    "pool": ("average neighbours", "pool", False, "Windows of neighbours become their mean, whatever they show."),
}  # fmt: skip
FIRST = {"picture": "scene", "method": "received", "tokens": 16, "by": "number"}
PRESETS = (  # name, picture, method, tokens, question
    ("where pixels change", "scene", "edges", 16, "colour"),
    ("asked to count", "scene", "attention", 16, "count"),
    ("alike becomes one", "page", "merge", 8, "count"),
    ("a second question", "page", "attention", 8, "number"),
)
AT = 9  # the patch that is pointed at first
ABOUT = (
    "Both pictures are drawn by the program that drew what the model learned from, from seeds that it never saw: "
    "coloured shapes, a number, words. A real page would be strange to it. Two pictures show how a way forgets, not "
    "how often."
)
COUNTED = (
    f"The decoder has {LAYERS} layers of width {WIDTH}. Operations and bytes are its own with one question of "
    f"{QUESTION} words, {8 * BYTES} bits a number; the encoder always looks at all {ALL} patches. Three digits are "
    "three questions; the certainty of a number is the product of theirs."
)


def parts(picture, method, tokens, question):
    """(attributes, data, still figure, its words) for these arguments, or the error that `explore.compress` names."""
    for name, value, known in (
        ("picture", picture, PICTURES), ("method", method, METHODS), ("question", question, KINDS)
    ):  # fmt: skip
        if value not in known:
            raise ValueError(f"{name} is {value!r}; choose {', '.join(known)}")
    if tokens not in LADDER:
        raise ValueError(f"tokens is {tokens!r}; choose {', '.join(map(str, LADDER))}")
    attributes = {"picture": picture, "method": method, "tokens": tokens, "by": question}
    alt = _in_words(picture, method, tokens, question)
    return attributes, _data(), _still(picture, method, tokens, question, alt), alt


# The two pictures, and what the model answered


@functools.cache
def stored():
    """What the checkpoint said, by `experiments/_compress_play.py`."""
    return json.loads(STORED.read_text(encoding="utf-8"))


@functools.cache
def drawn(picture):
    """The Scene of a picture of the page."""
    *_, seed, ground = PICTURES[picture]
    return world.scene(seed, size=SIZE, ground=ground, split="test")


def questions(picture):
    """[(kind, its words, right answer, boxes (k, 6))] in the order of KINDS; three digits are one question."""
    by = {question.kind: question for question in drawn(picture).questions}
    digits = [by[place] for place in world.ORDINALS]
    number = "".join(digit.answer for digit in digits)
    rows = {"number": (("read?", "number"), number, np.concatenate([digit.boxes for digit in digits]))}
    rows |= {kind: (by[kind].words, by[kind].answer, by[kind].boxes) for kind in KINDS if kind != "number"}
    return [(kind, *rows[kind]) for kind in KINDS]


def covered(boxes):
    """The patches that boxes touch, ascending."""
    return np.flatnonzero(world.cover(boxes, (1, *SIZE), PATCH)).tolist()


def entry(picture, method, tokens, question):
    """What was stored of a state: {"told": [[answer, its certainty in thousandths], …], "kept" where some are}."""
    row = stored()["pictures"][picture]
    if tokens == ALL:
        return row["all"]
    some = row["runs"][method][str(tokens)]
    return some[KINDS.index(question)] if len(some) > 1 else some[0]


# What becomes one token


def rounds(tokens, target, share=SHARE):
    """How many tokens merge in each round, until `target` are left: at most one in `share`, at least one.

    >>> rounds(64, 32), rounds(5, 1)
    ([8, 7, 6, 5, 4, 2], [1, 1, 1, 1])
    """
    steps = []
    while tokens > target:
        steps.append(min(tokens - target, max(1, tokens // share)))
        tokens -= steps[-1]
    return steps


def merged(metric, target):
    """In which token each of metric (N, d) is when `target` are left: (N,) int64, by `merge_tokens` round after round.

    After each round the tokens are put in order of their mean places, as the experiment does.

    >>> merged(np.array([[3.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 2.0]]), 2).tolist()
    [0, 0, 1, 1]
    """
    now = merge_tokens(metric.astype(np.float64), 0)
    for r in rounds(len(metric), target):
        now = _by_place(merge_tokens(now.tokens, r, size=now.size, source=now.source, order="place"))
    return now.source


def _by_place(merged):
    """The same in the order of the mean places; of equal ones, of the first."""
    places = np.bincount(merged.source, weights=np.arange(len(merged.source))) / merged.size
    order = np.argsort(places, kind="stable")
    return Merged(merged.tokens[order], merged.size[order], np.argsort(order)[merged.source])


def windows(window):
    """Which patches a mean of neighbours is made of: [[patch, …], …], by the weights of `pool_weights`.

    >>> windows((4, 4))[1][:5]
    [4, 5, 6, 7, 12]
    """
    down, across = (pool_weights(side, step) for side, step in zip(GRID, window))
    return [np.flatnonzero(np.outer(row, column)).tolist() for row in down for column in across]


def metric(picture):
    """The features that are compared: (64, features) int8."""
    read = np.frombuffer(base64.b64decode(stored()["pictures"][picture]["metric"]), np.int8)
    return read.reshape(ALL, -1)


def groups(picture, method, tokens, question):
    """The patches of each token in order: [[patch, …], …]."""
    kind = METHODS[method][1]
    if tokens == ALL:
        return [[i] for i in range(ALL)]
    if kind == "keep":
        return [[i] for i in entry(picture, method, tokens, question)["kept"]]
    if kind == "pool":
        return windows(WINDOWS[tokens])
    if kind == "fold":
        kept = entry(picture, method, tokens, question)["kept"]
        rest = np.setdiff1d(np.arange(ALL), kept).tolist()
        return sorted([*([i] for i in kept), rest], key=lambda members: (sum(members) / len(members), members[0]))
    source = merged(metric(picture), tokens)
    return [np.flatnonzero(source == token).tolist() for token in range(tokens)]


# What it costs


def layers_run(method, tokens):
    """How many visual tokens each layer has that the decoder runs: one that only ranks them comes first."""
    ranking = [ALL] * (method in ("attention", "folded") and tokens < ALL)
    return ranking + layers_kept(method, tokens)


def layers_kept(method, tokens):
    """How many visual tokens each layer has whose keys and values are kept."""
    late = method == "late"
    return [ALL] * late + [tokens] * (LAYERS - late)


def flops(counts, *, words=QUESTION, width=WIDTH):
    """The operations of decoder layers with so many visual tokens each, and the question's words: an int.

    A layer multiplies each token with 12 width² numbers (queries, keys, values and out: 4; the perceptron: 8) and each
    with each other twice, over `width` numbers; a multiplication and an addition are two operations. What the mask
    hides is counted, as torch's FlopCounterMode does.

    >>> flops([64] * 4), flops([16] * 4)
    (30412800, 7409664)
    """
    return sum(24 * width**2 * (n + words) + 4 * width * (n + words) ** 2 for n in counts)


def cache_bytes(counts, *, words=QUESTION, width=WIDTH, bytes_per=BYTES):
    """The bytes of keys and values of decoder layers with so many visual tokens each, and the question's words.

    >>> cache_bytes([64] * 4), cache_bytes([16] * 4)
    (67584, 18432)
    """
    return sum(2 * width * bytes_per * (n + words) for n in counts)


# The page's data


def _data():
    """Pictures, answers and choices as the front-end file reads them."""
    model = {"layers": LAYERS, "width": WIDTH, "words": QUESTION, "bytes": BYTES}
    pictures = [{"id": name, **_picture(name)} for name in PICTURES]
    known = [
        {"id": name, "title": title, "kind": kind, "asks": asks, "says": says}
        for name, (title, kind, asks, says) in METHODS.items()
    ]
    return {
        "model": model, "grid": GRID, "pixels": SIZE[0], "ladder": LADDER, "kinds": KINDS, "share": SHARE,
        "windows": WINDOWS, "features": metric("scene").shape[1], "pictures": pictures, "methods": known,
        "presets": PRESETS, "first": FIRST, "at": AT, "about": ABOUT, "counted": COUNTED,
    }  # fmt: skip


def _picture(name):
    label, title, *_ = PICTURES[name]
    row = stored()["pictures"][name]
    asked = [
        {"about": words[1], "right": right, "boxes": [_flat(box) for box in boxes], "patches": covered(boxes)}
        for _, words, right, boxes in questions(name)
    ]
    kept = {part: row[part] for part in ("metric", "all", "runs")}
    return {"name": label, "title": title, "src": _png(name), "questions": asked} | kept


def _flat(box):
    _, y0, x0, _, y1, x1 = box.tolist()
    return y0, x0, y1, x1


@functools.cache
def _png(picture):
    buffer = io.BytesIO()
    Image.fromarray(drawn(picture).pixels[0]).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


# On paper

ASKS = {
    "number": "Which number?", "colour": "What colour is the {}?", "where": "Where is the {} one?",
    "count": "How many {}?", "shape": "What shape is the {} one?",
}  # fmt: skip


def spoken(kind, about):
    """A question in words.

    >>> spoken("count", "plus"), spoken("count", "ring"), spoken("where", "red")
    ('How many plus signs?', 'How many rings?', 'Where is the red one?')
    """
    return ASKS[kind].format({"plus": "plus signs"}.get(about, f"{about}s") if kind == "count" else about)


def _in_words(picture, method, tokens, question):
    _, title, *_ = PICTURES[picture]
    how, _, asks, *_ = METHODS[method]
    told = entry(picture, method, tokens, question)["told"]
    asked = questions(picture)
    answers = "; ".join(
        f"{spoken(kind, words[1])} {answer}, {'right' if answer == right else f'wrong, it is {right}'}"
        for (kind, words, right, _), (answer, _) in zip(asked, told, strict=True)
    )
    chosen = dict((kind, spoken(kind, words[1])) for kind, words, *_ in asked)[question]
    by = f" by “{chosen}”" if asks and tokens < ALL else ""
    return (
        f"{title} of {GRID[0]} × {GRID[1]} patches, {how}{by}: {tokens} of {ALL} tokens reach the decoder. The model "
        f"answers: {answers}."
    )


def _still(picture, method, tokens, question, alt):
    """The picture with what is dropped paled, what is averaged outlined, and the answers beside it."""
    side, lines, dims = 38, [], []
    token = np.full(ALL, -1)
    some = groups(picture, method, tokens, question)
    for k, members in enumerate(some):
        token[members] = k
    for i in np.flatnonzero(token < 0):
        dims.append(f"M{10 + i % 8 * side} {10 + i // 8 * side}h{side}v{side}h-{side}z")
    alone = METHODS[method][1] == "keep" or tokens == ALL
    cells = token.reshape(GRID) >= 0 if alone else token.reshape(GRID)
    for y, x in np.argwhere(cells[:, 1:] != cells[:, :-1]):
        lines.append(f"M{10 + (x + 1) * side} {10 + y * side}v{side}")
    for y, x in np.argwhere(cells[1:] != cells[:-1]):
        lines.append(f"M{10 + x * side} {10 + (y + 1) * side}h{side}")
    told, texts = entry(picture, method, tokens, question)["told"], []
    for k, ((kind, words, right, _), (answer, _)) in enumerate(zip(questions(picture), told, strict=True)):
        y, mark = 74 + 50 * k, "✓" if answer == right else f"✗ (right: {right})"
        texts.append(f'<text x="336" y="{y}" fill-opacity=".75">{html.escape(spoken(kind, words[1]))}</text>')
        texts.append(f'<text x="336" y="{y + 20}" font-weight="700">{html.escape(f"{answer} {mark}")}</text>')
    said = html.escape(alt)
    return (
        '<figure style="margin:1em 0"><svg viewBox="0 0 640 324" role="img" style="max-width:100%;height:auto" '
        f'width="640" height="324" fill="currentColor" font-size="15"><title>{said}</title>'
        f'<image href="{_png(picture)}" x="10" y="10" width="304" height="304" style="image-rendering:pixelated"/>'
        f'<path d="{"".join(dims)}" fill="#fbfaf6" fill-opacity=".8"/>'
        f'<path d="{"".join(lines)}" fill="none" stroke="#fbfaf6" stroke-width="4"/>'
        f'<path d="{"".join(lines)}" fill="none" stroke="#1f6cc0" stroke-width="2"/>'
        f'<text x="336" y="34" font-size="22" font-weight="700">{tokens} of {ALL} tokens</text>'
        f"{''.join(texts)}</svg><figcaption>{said}</figcaption></figure>"
    )
