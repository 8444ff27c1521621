"""Two OCR engines, the pages they are asked to read, and how their answers are scored.

An engine gets a resized page as a picture and nothing else: it finds the lines itself, reads them, and says where they
stood. Its pieces of text are carried back to the typeset page, each to the row that it covers most; a row's pieces are
joined from left to right and aligned with what is printed there. A character is wrong when the alignment with the
fewest changes (Levenshtein, 1966) replaces it, or leaves it out; a character too many is one more error. Spaces do not
count, and full-width, curly and long signs are read as their plain twins. What stands where nothing is printed counts
as too many. So a line that the engine does not find costs all its characters, and a merged table row costs none.
"""

import csv
import functools
import hashlib
import importlib.util
import io
import json
import subprocess
import sys
import unicodedata
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFont

import mmtokedu
from mmtokedu import samples

FONTS = Path(mmtokedu.__file__).parent / "data" / "fonts"
TOOLS = Path(__file__).resolve().parents[1] / "tools"
DOTS_PER_POINT = 200 / 72
PAGES = "page", "worn page", "invoice", "photographed invoice"
STRETCH = 8  # wrong characters one after the other: no longer letters that were mistaken for others
FACES = {"page": "SourceSerifPro-Regular.ttf", "invoice": "InstrumentSans-Regular.ttf"}


# What is printed


class Printed(NamedTuple):
    """What stands on a page: n characters, in m boxes, in rows; places are those of the typeset page, in pixels."""

    text: np.ndarray  # (n,) str, rows from left to right, no spaces
    points: np.ndarray  # (n,) type size
    row: np.ndarray  # (n,) int
    boxes: np.ndarray  # (m, 4) float, y0, x0, y1, x1
    row_of_box: np.ndarray  # (m,) int
    box: np.ndarray  # (n,) int, the box of each character
    to_picture: np.ndarray  # (3, 3): a point (x, y, 1) of the typeset page in the picture that is resized


@functools.cache
def printed(name):
    """What stands on one of PAGES.

    >>> found = printed("page")
    >>> len(found.text), "".join(found.text[found.row == 2])[:9]
    (2875, 'Onesheeto')
    """
    flat, pictured, texts, points, rows = _document(name) if "page" in name else _invoice(name)
    order = sorted(range(len(texts)), key=lambda i: (rows[i], flat[i][1]))
    text = [(character, points[i], rows[i], i) for i in order for character in plain(texts[i])]
    characters, sizes, row, box = map(np.array, zip(*text))
    return Printed(characters, sizes, row, np.float64(flat), np.array(rows), box, _fit_homography(flat, pictured))


def _invoice(name):
    flat, pieces = samples.invoice_pieces(photographed=False), samples.invoice_pieces("photographed" in name)
    columns = [(piece.text, piece.points, piece.row) for piece in pieces]
    return [piece.box for piece in flat], [piece.box for piece in pieces], *map(list, zip(*columns))


def _document(name):
    """The page's lines; those on one baseline, in two columns or in the margin, are one row."""
    flat, seen, lines = samples.document_boxes(), samples.document_boxes("worn" in name), samples.document_lines()
    around = lambda box: (*box[:, :2].min(axis=0), *box[:, 2:].max(axis=0))
    each = [np.flatnonzero(flat.line == i) for i in range(len(lines))]
    stands = np.isin(flat.text, list("abcdefhiklmnorstuvwxz0123456789"))
    baseline = [round(float(np.median(flat.box[here[stands[here]], 2])) / 4) for here in each]
    return (
        [around(flat.box[here]) for here in each], [around(seen.box[here]) for here in each],
        [line.text for line in lines], [line.points for line in lines],
        np.unique(baseline, return_inverse=True)[1].tolist(),
    )  # fmt: skip


def _fit_homography(flat, pictured):
    """The projective map between two sets of boxes' centres, (m, 4) each, by least squares."""
    if np.array_equal(flat, pictured):
        return np.eye(3)
    (y, x), (v, u) = (((box[:, :2] + box[:, 2:]) / 2000).T for box in map(np.float64, (flat, pictured)))
    one, zero = np.ones_like(x), np.zeros_like(x)
    rows = np.r_[np.c_[x, y, one, zero, zero, zero, -u * x, -u * y], np.c_[zero, zero, zero, x, y, one, -v * x, -v * y]]
    matrix = np.append(np.linalg.lstsq(rows, np.r_[u, v], rcond=None)[0], 1).reshape(3, 3)
    return np.diag([1000, 1000, 1]) @ matrix @ np.diag([1e-3, 1e-3, 1])


def through(matrix, points):
    """Points (..., 2) as (x, y) through a 3 x 3 projective map.

    >>> through(np.diag([2, 3, 1]), [[1, 1]]).tolist()
    [[2.0, 3.0]]
    """
    points = np.float64(points)
    u, v, w = np.moveaxis(points @ matrix[:, :2].T + matrix[:, 2], -1, 0)
    return np.stack([u / w, v / w], axis=-1)


def x_heights(name, size):
    """The height of a lower-case x of each type size on a page resized to `size`, in pixels: {points: pixels}.

    >>> {points: round(pixels, 1) for points, pixels in x_heights("page", (1170, 827)).items()}[7]
    4.6
    """
    found = printed(name)
    font = ImageFont.truetype(str(FONTS / FACES["page" if "page" in name else "invoice"]), 2000)
    _, top, _, bottom = font.getbbox("x", anchor="ls")
    centers = ((found.boxes[:, :2] + found.boxes[:, 2:]) / 2)[:, ::-1]
    steps = through(found.to_picture, centers + [0, 0.5]) - through(found.to_picture, centers - [0, 0.5])
    scale = steps[:, 1].mean() * size[0] / picture(name).shape[0]
    return {int(p): float((bottom - top) / 2000 * p * DOTS_PER_POINT * scale) for p in np.unique(found.points)}


# The pictures, and further copies of them


@functools.cache
def picture(name, copy=0):
    """One of PAGES as (H, W) or (H, W, 3) uint8. Copy 0 is the one that ships; a further copy has other chance in it:
    a typeset page is moved by up to 13 pixels each way, so that its letters fall otherwise on the pixels of the
    resized page (`moved` says by how much); a worn or photographed one is worn or photographed again, with other noise.
    """
    shown = {
        "page": samples.document, "worn page": lambda: samples.document(noisy=True),
        "invoice": lambda: samples.invoice(photographed=False), "photographed invoice": samples.invoice,
    }[name]  # fmt: skip
    if copy == 0:
        return shown()
    if name == "worn page":
        return _jpeg(_tool("typeset_page").wear(Image.fromarray(samples.document()), seed=copy), quality=60)
    if name == "photographed invoice":
        flat = Image.fromarray(samples.invoice(photographed=False))
        return _decoded(_tool("make_invoice").as_jpeg(_tool("make_invoice").photograph(flat, seed=copy)))
    return np.roll(shown(), moved(name, copy), axis=(0, 1))


def moved(name, copy):
    """By how many pixels, (down, right), a copy of a typeset page is moved."""
    if copy == 0 or name not in ("page", "invoice"):
        return 0, 0
    return tuple(np.random.default_rng(copy).integers(-13, 14, size=2).tolist())


def _jpeg(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, optimize=True)
    return _decoded(file.getvalue())


def _decoded(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@functools.cache
def _tool(name):
    sys.path.insert(0, str(TOOLS))
    try:
        spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(TOOLS))


# Engines: a picture (H, W) or (H, W, 3) uint8 -> [(text, (4, 2) corners as (x, y))]


@functools.cache
def _rapidocr(turning):
    from rapidocr import RapidOCR

    options = {
        "Global.max_side_len": 4000,  # it would shrink a page of 2,339 pixels to 2,000 by itself
        "Global.use_cls": turning,
        "Global.log_level": "error",
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    return RapidOCR(params=options)


def rapidocr(seen, turning=False):
    """RapidOCR with the models that its wheel ships (PP-OCRv6 small), nothing downloaded: lines of text.

    As shipped it asks a classifier of each line whether that stands on its head, which gives up some slanted lines. No
    line of these pages does, so the question is asked only where `turning`.
    """
    seen = np.repeat(seen[..., None], 3, axis=2) if seen.ndim == 2 else seen[..., ::-1]
    result = _rapidocr(turning)(np.ascontiguousarray(seen))
    return [] if result.txts is None else list(zip(result.txts, np.float64(result.boxes)))


def tesseract(seen):
    """Tesseract, its English model and automatic layout, the picture as it is: words."""
    file = io.BytesIO()
    Image.fromarray(seen).save(file, "PNG")
    command = ["tesseract", "stdin", "stdout", "-l", "eng", "tsv"]
    made = subprocess.run(command, input=file.getvalue(), capture_output=True, check=True)
    words = []
    for row in csv.DictReader(io.StringIO(made.stdout.decode()), delimiter="\t", quoting=csv.QUOTE_NONE):
        if row["level"] == "5" and row["text"].strip():
            x, y, w, h = (int(row[key]) for key in ("left", "top", "width", "height"))
            words.append((row["text"], np.float64([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])))
    return words


ENGINES = {"rapidocr": rapidocr, "tesseract": tesseract, "as_shipped": functools.partial(rapidocr, turning=True)}


def versions():
    """The engines' versions, and the models that RapidOCR's wheel ships."""
    import rapidocr as package

    models = sorted(path.name for path in (Path(package.__file__).parent / "models").glob("*.onnx"))
    said = subprocess.run(["tesseract", "--version"], capture_output=True, text=True, check=True)
    return {
        **{name: metadata.version(name) for name in ("rapidocr", "onnxruntime", "opencv-python-headless")},
        "rapidocr models": ", ".join(models),
        "tesseract": (said.stdout or said.stderr).split()[1],
    }


# Scores


_PLAIN = str.maketrans("’‘“”—–−、。", "''\"\"---,.")


def plain(text):
    """Text as it is compared: no spaces, and plain twins for full-width, curly and long signs.

    >>> plain("“Wide”， f – 1")
    '"Wide",f-1'
    """
    return "".join(unicodedata.normalize("NFKC", text).translate(_PLAIN).split())


def align(true, said):
    """Which characters of `true` are wrong in `said`, and how many of `said` are too many: ((n,) bool, int).

    The alignment with the fewest changes; where several are as good, a replaced character comes before a left one.

    >>> wrong, extra = align("modern", "modem")
    >>> wrong.astype(int).tolist(), extra
    ([0, 0, 0, 0, 1, 1], 0)
    """
    cost = np.zeros((len(true) + 1, len(said) + 1), np.int64)
    cost[:, 0], cost[0] = np.arange(len(true) + 1), np.arange(len(said) + 1)
    across = np.arange(len(said) + 1)
    other = np.array(list(said)) != np.array(list(true))[:, None] if said and true else np.zeros((len(true), len(said)))
    for i in range(1, len(true) + 1):
        best = np.minimum(cost[i - 1, :-1] + other[i - 1], cost[i - 1, 1:] + 1)
        best = np.concatenate([[i], best]) - across  # a step to the right costs one: a running minimum takes them all
        cost[i] = np.minimum.accumulate(best) + across
    wrong, extra, i, j = np.zeros(len(true), bool), 0, len(true), len(said)
    while i or j:
        if i and j and cost[i, j] == cost[i - 1, j - 1] + other[i - 1, j - 1]:
            i, j = i - 1, j - 1
            wrong[i] = other[i, j]
        elif i and cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
            wrong[i] = True
        else:
            j, extra = j - 1, extra + 1
    return wrong, extra


class Score(NamedTuple):
    """What an engine made of a page."""

    wrong: np.ndarray  # (n,) bool, the characters of Printed that it did not read
    extra: np.ndarray  # (n,) int, characters too many, laid to the row's first character
    beside: int  # characters read where nothing is printed
    said: list  # one str a row, as it was compared
    lost: np.ndarray  # (n,) bool, wrong, and in a stretch of STRETCH wrong ones or a whole box: not found, or given up

    def rate(self, here=None):
        """Errors a printed character, at most 1: over `here`, (n,) bool, or over the page with those beside it."""
        errors = (self.wrong + self.extra)[... if here is None else here]
        return min(1.0, float(errors.sum() + (self.beside if here is None else 0)) / errors.size)


def score(name, found, size, copy=0):
    """Score what an engine found, [(text, corners)], on a page resized to `size`."""
    known, (height, width) = printed(name), picture(name, copy).shape[:2]
    down, right = moved(name, copy)
    back = np.linalg.inv(known.to_picture)
    rows, beside = {}, 0
    for text, corners in found:
        corners = through(back, corners * [width / size[1], height / size[0]] - [right, down])
        row = _row(known, corners)
        if row is None:
            beside += len(plain(text))
        else:
            rows.setdefault(row, []).append((corners[:, 0].mean(), plain(text)))
    wrong, extra = np.zeros(len(known.text), bool), np.zeros(len(known.text), int)
    said = ["".join(text for _, text in sorted(rows.get(row, []))) for row in range(known.row.max() + 1)]
    for row, text in enumerate(said):
        here = np.flatnonzero(known.row == row)
        wrong[here], extra[here[0]] = align("".join(known.text[here]), text)
    return Score(wrong, extra, beside, said, stretches(wrong, known.box))


def stretches(wrong, box, least=STRETCH):
    """Which wrong characters stand in a row of at least `least` wrong ones of one box, or fill it: (n,) bool.

    >>> wrong, box = np.array([True, True, False, True, True]), np.array([0, 0, 0, 0, 1])
    >>> stretches(wrong, box, least=2).astype(int).tolist()
    [1, 1, 0, 0, 1]
    """
    found, start = np.zeros(len(wrong), bool), 0
    for stop in range(1, len(wrong) + 1):
        if stop == len(wrong) or wrong[stop] != wrong[start] or box[stop] != box[start]:
            found[start:stop] = wrong[start] and stop - start >= min(least, (box == box[start]).sum())
            start = stop
    return found


def _row(known, corners):
    """The row whose boxes four corners cover most, None where they cover nothing."""
    (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
    high = np.minimum(known.boxes[:, 2], y1) - np.maximum(known.boxes[:, 0], y0)
    wide = np.minimum(known.boxes[:, 3], x1) - np.maximum(known.boxes[:, 1], x0)
    area = np.maximum(high, 0) * np.maximum(wide, 0)
    return int(known.row_of_box[area.argmax()]) if area.max() > 0 else None


def read(name, engine, seen, copy=0):
    """One engine on one resized page: the error rate and the share of characters in long wrong stretches, over the page
    and per type size; whether an invoice's total was read without a mistake; and what was read, row by row."""
    result, known = score(name, ENGINES[engine](seen), seen.shape[:2], copy), printed(name)
    found = {
        "error": result.rate(),
        "lost": float(result.lost.mean()),
        "by_points": {
            int(p): (result.rate(known.points == p), float(result.lost[known.points == p].mean()))
            for p in np.unique(known.points)
        },
        "said": result.said,
    }
    return found | ({"total": total_row(name)[1] in result.said[total_row(name)[0]]} if "invoice" in name else {})


def total_row(name):
    """The row of an invoice in which the total stands, and the total as it is compared.

    >>> total_row("invoice")[1]
    'EUR1,208.15'
    """
    total = f"EUR {samples.invoice_facts().total / 100:,.2f}"
    piece = next(piece for piece in samples.invoice_pieces() if piece.text == total)
    return piece.row, plain(total)


def page_key(name):
    """The first 12 hex digits of the SHA-256 of a page's pixels and of what is printed on it."""
    known = printed(name)
    text = json.dumps(["".join(known.text), known.points.tolist()])
    return hashlib.sha256(picture(name).tobytes() + text.encode()).hexdigest()[:12]
