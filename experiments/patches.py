"""What a resize destroys on a page of text, and what padding wastes: the tables behind the chapter on patches.

    python experiments/patches.py           letters and padding; rewrites mmtokedu/data/results/patches.json
    python experiments/patches.py --padding padding alone, after a change of the catalog; keeps what else is stored
    python experiments/patches.py --ocr     the OCR engines alone; keeps what else is stored. Needs mmtokedu[measure]
                                            and Tesseract (apt-get install tesseract-ocr)
    python experiments/patches.py --fine    the engines' finer steps alone; keeps what else is stored
    python experiments/patches.py --quick   a few cells of each, printed, nothing written; with --ocr, of the engines

OCR. Four pages, the typeset page and the book's invoice, each clean and worn or photographed, are resized three ways to
the same budgets of visual tokens (28 x 28 pixels each), and two engines read them: RapidOCR, whose error rate is the
chapter's measure, and Tesseract beside it. `_patches_ocr.py` says how their answers are scored. An engine is
deterministic: the same picture gives the same text. Chance enters with the picture, so where reading breaks, three
copies of each page are read.

Letters. The typeset page is resized in the same ways, and two simple readers are asked for every character. A reader
is told the typeface, the type size, where the character stands and what its line is; it has learned the alphabet from
other characters of the same resized page. So no error comes from finding the text, and at full size hardly one is left
(`full_size`). A reader knows no words: what is measured is what these two can still see in the pixels.

Padding. A thousand images of stated sizes, turned into tokens by every rule of the catalog, then batched.
"""

import argparse
import datetime
import hashlib
import json
import math
import time
from pathlib import Path
from typing import NamedTuple

import _patches_ocr as ocr
import numpy as np
from _results import as_text, device, head
from PIL import Image, ImageFont
from tqdm import tqdm

import mmtokedu
from mmtokedu import samples
from mmtokedu.catalog import images as catalog
from mmtokedu.patches import image_tokens, smart_resize, tile_grid

RESULTS = Path(mmtokedu.__file__).parent / "data" / "results" / "patches.json"
FONT = Path(mmtokedu.__file__).parent / "data" / "fonts" / "SourceSerifPro-Regular.ttf"

TOKEN = 28  # pixels along one visual token: patches of 14, merged 2 x 2
TILE = 448  # 16 x 16 tokens
DOTS_PER_POINT = 200 / 72
BUDGETS = 64, 144, 256, 576, 768, 1024, 1792, 4096
WAYS = "square", "aspect", "tiles"
PAGES = {"clean": False, "noisy": True}
POINTS = 7, 8, 9, 10, 11, 12
SEEDS = 0, 1, 2, 3, 4
AT_LEAST = 6  # occurrences of a character in its type size, so that each half of the page has three
FAILS_AT = 0.10  # character error rate
OCR_BUDGETS = 64, 144, 256, 400, 576, 1024, 2048
COPIED = 144, 256, 400  # the budgets at which COPIES of each page are read, its aspect kept
COPIES = 0, 1, 2
BOTH = "rapidocr", "tesseract"  # RapidOCR is told that no line stands on its head
FINE_BUDGETS = 576, 768, 880, 1024, 1152, 1280, 1536  # around where the photograph's small print is lost
LOST_AT = 256, 400, 576  # the budgets at which lines that are gone are told from letters that were misread


# Ways to fit a page into a budget


def fit(way, budget, height, width):
    """The size a page is resized to, and the tokens it then costs: ((height, width), tokens), or None.

    "square" is the largest square of whole tokens, "aspect" is `smart_resize` under the budget, "tiles" InternVL's
    grid of 448 px tiles; a thumbnail of one tile comes on top when there is more than one tile. None: no tile fits.

    >>> fit("tiles", 1024, 2339, 1654), fit("square", 1024, 2339, 1654), fit("aspect", 1024, 2339, 1654)
    (((896, 448), 768), ((896, 896), 1024), ((1064, 728), 988))
    """
    if way == "square":
        side = math.isqrt(budget)
        return (side * TOKEN, side * TOKEN), side * side
    if way == "aspect":
        size = smart_resize(height, width, factor=TOKEN, max_pixels=budget * TOKEN**2)
        return size, math.prod(size) // TOKEN**2
    per_tile = (TILE // TOKEN) ** 2
    most = budget // per_tile
    if most < 1:
        return None
    cols, rows = tile_grid(height, width, tile=TILE, max_tiles=max(1, most - 1))
    tiles = cols * rows
    return (rows * TILE, cols * TILE), per_tile * (tiles + (tiles > 1))


def resize(page, size):
    """(H, W, ...) uint8 -> `size` uint8, bicubic with Pillow's low-pass filter, as the models' processors do."""
    return np.asarray(Image.fromarray(page).resize(size[::-1], Image.BICUBIC))


# Readers


class Glyphs(NamedTuple):
    """The n characters of one type size that are read, and where a reader looks for them on the full-size page."""

    text: np.ndarray  # (n,) str
    line: np.ndarray  # (n,) int
    where: np.ndarray  # (n, F, 2) float, (y, x) of the F points of each one's window, in page pixels


# The window in ems: from the height of a "d" to the depth of a "p" around the baseline, and 0.4 em across, narrower
# than most letters, so that a letter is read by its own middle and not by its neighbours. It is the same for an "i" and
# an "m": a box that fits the character would give the answer away.
_DOWN, _ACROSS = np.arange(-0.80, 0.31, 0.05), np.arange(-0.20, 0.21, 0.05)
WINDOW = len(_DOWN), len(_ACROSS)


def glyphs(points, noisy=False):
    """The roman characters of one size that occur at least AT_LEAST times, with their windows on either page.

    >>> glyphs(7).where.shape
    (658, 207, 2)
    """
    known = samples.document_boxes()
    center = _centers(known.box)
    rows = known.line[(known.points == points) & (known.style == "roman")]
    stands = np.isin(known.text, list("abcdefhiklmnorstuvwxz0123456789"))  # on the baseline
    baseline = {i: np.median(known.box[(known.line == i) & stands, 2]) for i in np.unique(rows)}
    here = (known.points == points) & (known.style == "roman")
    characters, counts = np.unique(known.text[here], return_counts=True)
    here &= np.isin(known.text, characters[counts >= AT_LEAST])

    em = points * DOTS_PER_POINT
    y = np.array([baseline[i] for i in known.line[here]])[:, None] + np.repeat(_DOWN, len(_ACROSS)) * em
    x = center[here, 1:] + np.tile(_ACROSS, len(_DOWN)) * em
    where = np.stack([y, x], axis=-1)
    if noisy:  # the worn page is turned: carry the windows over by the affine map between the two sets of boxes
        columns = np.c_[center, np.ones(len(center))]
        turn = np.linalg.lstsq(columns, _centers(samples.document_boxes(noisy=True).box), rcond=None)[0]
        where = where @ turn[:2] + turn[2]
    return Glyphs(known.text[here], known.line[here], where)


def _centers(box):
    return (box[:, :2] + box[:, 2:]) / 2


def look(seen, page_shape, where):
    """The values of a resized page at points of the full-size page, bilinear: (n, F, 2) -> (n, F) float32."""
    last = np.array(seen.shape) - 1.001
    at = np.clip((where + 0.5) * (np.array(seen.shape) / page_shape) - 0.5, 0, last)
    corner = at.astype(np.int64)
    below, right = np.moveaxis((at - corner).astype(np.float32), -1, 0)
    flat, index = seen.astype(np.float32).ravel(), corner[..., 0] * seen.shape[1] + corner[..., 1]
    upper = flat[index] * (1 - right) + flat[index + 1] * right
    index += seen.shape[1]
    lower = flat[index] * (1 - right) + flat[index + 1] * right
    return upper * (1 - below) + lower * below


def template(learn, names, ask):
    """Read by normalised cross-correlation with the mean look of each character.

    learn (n, F) with its names (n,), ask (m, F); returns (m,) names.
    """
    learn, ask = _unit(_centered(learn)), _unit(_centered(ask))
    characters, means = _means(learn, names)
    return characters[(ask @ _unit(means).T).argmax(axis=1)]


def whitened(learn, names, ask, ridge=0.05):
    """Read by the same means, but weigh each direction by how little it varies inside a character (Fisher, 1936).

    What neighbours, noise and the position on the pixel grid change is discounted; what tells two characters apart
    is amplified, which undoes some of the blur. Shapes as in `template`.
    """
    learn, ask = _centered(learn), _centered(ask)
    characters, means = _means(learn, names)
    rest = learn - means[np.searchsorted(characters, names)]
    spread = rest.T @ rest / len(rest)
    spread += (ridge * np.trace(spread) / len(spread) + 1e-6) * np.eye(len(spread), dtype=spread.dtype)
    weights = np.linalg.solve(spread, means.T)  # (F, characters)
    return characters[(ask @ weights - 0.5 * (means.T * weights).sum(axis=0)).argmax(axis=1)]


READERS = {"template": template, "whitened": whitened}


def _means(rows, names):
    characters = np.unique(names)
    return characters, np.stack([rows[names == c].mean(axis=0) for c in characters])


def _centered(rows):
    return rows - rows.mean(axis=1, keepdims=True)


def _unit(rows):
    return rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9)


def halves(text, seed):
    """Deal the occurrences of every character into two halves: (n,) of 0 and 1."""
    draw = np.random.default_rng(seed)
    half = np.empty(len(text), np.int64)
    for character in np.unique(text):
        half[draw.permutation(np.flatnonzero(text == character))] = np.arange((text == character).sum()) % 2
    return half


def read(reader, looks, text, half, seed=None):
    """What a reader makes of every character, having learned from the other half. With a seed, its lessons are false:
    the names are shuffled, and what it still gets right is luck."""
    names = text if seed is None else np.random.default_rng(seed).permutation(text)
    said = np.empty_like(text)
    for h in (0, 1):
        said[half == h] = READERS[reader](looks[half != h], names[half != h], looks[half == h])
    return said


def error_rates(seen, page_shape, glyphs, seeds=SEEDS):
    """Character error rate of each reader on a resized page: {reader: [one a seed]}."""
    looks = look(seen, page_shape, glyphs.where)
    return {
        name: [float((read(name, looks, glyphs.text, halves(glyphs.text, s)) != glyphs.text).mean()) for s in seeds]
        for name in READERS
    }


# Letters


def measure_page(page_name, size, seeds=SEEDS, points=POINTS, likeness=True):
    """One resize of one page: SSIM after resizing back, the error rates per type size, and over all of them."""
    page = samples.document(noisy=PAGES[page_name])
    seen = resize(page, size)
    by_points, wrong, total = [], dict.fromkeys(READERS, 0), 0
    for p in points:
        found = glyphs(p, PAGES[page_name])
        rates = error_rates(seen, page.shape, found, seeds)
        by_points.append({"points": p, "x_height": round(x_height(p) * size[0] / page.shape[0], 2)})
        by_points[-1] |= {reader: _summary(values) for reader, values in rates.items()}
        wrong = {reader: wrong[reader] + np.array(rates[reader]) * len(found.text) for reader in READERS}
        total += len(found.text)
    row = {"height": size[0], "width": size[1]}
    if likeness:
        row["ssim"] = round(ssim(page, resize(seen, page.shape)), 3)
    return row | {reader: _summary(wrong[reader] / total) for reader in READERS} | {"by_points": by_points}


def page_key(page_name):
    """The first 12 hex digits of the SHA-256 of a page's pixels: another page, another table."""
    return hashlib.sha256(samples.document(noisy=PAGES[page_name]).tobytes()).hexdigest()[:12]


def x_height(points):
    """Height of a lower-case x on the full-size page, in pixels, from the font's outline.

    >>> round(x_height(9), 1)
    11.9
    """
    _, top, _, bottom = ImageFont.truetype(str(FONT), 2000).getbbox("x", anchor="ls")
    return (bottom - top) / 2000 * points * DOTS_PER_POINT


def ssim(a, b):
    from skimage.metrics import structural_similarity

    return float(structural_similarity(a.astype(np.float32), b.astype(np.float32), data_range=255))


def cut_by_tiles(size, page_shape):
    """How many of the page's characters a border between two tiles goes through."""
    box = samples.document_boxes().box * np.tile(np.array(size) / page_shape, 2)
    first, last = box[:, :2] // TILE, (box[:, 2:] - 1e-6) // TILE
    return int((first != last).any(axis=1).sum())


def where_reading_fails(rows):
    """The x-height at which the error rate passes FAILS_AT, from the aspect-kept rows: per page, reader and size.

    Between two budgets the rate is interpolated over the logarithm of the x-height. None: never within the budgets.
    """
    found = []
    for page in PAGES:
        kept = [row["by_points"] for row in rows if row["page"] == page and row["way"] == "aspect"]
        for reader in READERS:
            at = {}
            for i, p in enumerate(POINTS):
                curve = sorted((row[i]["x_height"], row[i][reader]["mean"]) for row in kept)
                at[str(p)] = crossing(*zip(*curve))
            known = [x for x in at.values() if x]
            median = float(np.median(known)) if known else None
            found.append({"page": page, "reader": reader, "x_height": at, "median": median})
            if known:
                found[-1] |= {"median": round(median, 2), "of_a_patch": round(median / (TOKEN // 2), 2)}
    return found


def crossing(x, rate, level=FAILS_AT):
    """The largest x at which a rate that falls with x passes the level, log-interpolated; None when it never does.

    >>> crossing([1, 2, 4], [0.9, 0.2, 0.0], level=0.1)
    2.83
    """
    for i in range(len(x) - 1, 0, -1):
        if rate[i] <= level < rate[i - 1]:
            part = (rate[i - 1] - level) / (rate[i - 1] - rate[i])
            return round(math.exp(math.log(x[i - 1]) + part * math.log(x[i] / x[i - 1])), 2)
    return None


def confusions(page_name, size, points, reader, most=6):
    """What is taken for what, most often first: [[printed, read, how often, of how many], ...]."""
    page = samples.document(noisy=PAGES[page_name])
    found = glyphs(points, PAGES[page_name])
    looks = look(resize(page, size), page.shape, found.where)
    said = read(reader, looks, found.text, halves(found.text, 0))
    pairs, counts = np.unique(np.c_[found.text, said][said != found.text], axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    return [[*map(str, pairs[i]), int(counts[i]), int((found.text == pairs[i][0]).sum())] for i in order]


def checks(points=7):
    """Does the measurement measure? Full size, a page of 32 px, false lessons, and halves made of whole lines."""
    page, found = samples.document(), glyphs(points)
    full, tiny = (look(resize(page, size), page.shape, found.where) for size in (page.shape, (32, 32)))
    small = look(resize(page, fit("aspect", 256, *page.shape)[0]), page.shape, found.where)
    by_line = found.line % 2
    both = [set(found.text[by_line == h]) for h in (0, 1)]
    fair = np.isin(found.text, list(both[0] & both[1]))
    result = {"points": points, "characters": len(found.text), "classes": len(np.unique(found.text))}
    half = halves(found.text, 0)
    for reader in READERS:
        said = {
            "full_size": read(reader, full, found.text, half),
            "page_of_32_px": read(reader, tiny, found.text, half),
            "false_lessons": read(reader, full, found.text, half, seed=0),
            "budget_256_by_occurrence": read(reader, small, found.text, half),
        }
        result[reader] = {name: round(float((text != found.text).mean()), 4) for name, text in said.items()}
        lines = read(reader, small[fair], found.text[fair], by_line[fair])
        result[reader]["budget_256_by_line"] = round(float((lines != found.text[fair]).mean()), 4)
    return result


def experiment_letters():
    page = samples.document()
    plan = [(name, way, budget) for name in PAGES for budget in BUDGETS for way in WAYS]
    rows, done = [], {}
    for name, way, budget in tqdm(plan, desc="reading"):
        fitted = fit(way, budget, *page.shape)
        if fitted is None:
            continue
        size, tokens = fitted
        if (name, size) not in done:
            done[name, size] = measure_page(name, size)
        row = {"page": name, "way": way, "budget": budget, "tokens": tokens} | done[name, size]
        rows.append(row | ({"cut_by_tiles": cut_by_tiles(size, page.shape)} if way == "tiles" else {}))
    chars = {p: np.unique(glyphs(p).text, return_counts=True) for p in POINTS}
    return {
        "settings": {
            "token_px": TOKEN, "tile_px": TILE, "budgets": BUDGETS, "ways": WAYS, "points": POINTS, "seeds": SEEDS,
            "at_least": AT_LEAST, "fails_at": FAILS_AT, "page": page.shape, "resize": "Pillow bicubic, antialiased",
            "thumbnail_counted": True,
            "pages": {name: page_key(name) for name in PAGES},
        },
        "characters": [
            {
                "points": p, "x_height": round(x_height(p), 2), "characters": int(n.sum()), "classes": len(n),
                "class_set": "".join(c), "chance": round(1 - 1 / len(n), 3),
                "always_the_commonest": round(1 - float(n.max() / n.sum()), 3),
            }
            for p, (c, n) in chars.items()
        ],
        "full_size": {name: measure_page(name, page.shape) for name in PAGES},
        "rows": rows,
        "fails": where_reading_fails(rows),
        "confusions": [
            {
                "page": name, "way": "aspect", "budget": budget, "points": 7, "reader": reader,
                "pairs": confusions(name, fit("aspect", budget, *page.shape)[0], 7, reader),
            }
            for name, budget, reader in [("clean", 256, "template"), ("noisy", 64, "whitened")]
        ],
        "checks": checks(),
    }  # fmt: skip


def _summary(values):
    values = [float(v) for v in values]
    return {"mean": round(sum(values) / len(values), 4), "low": round(min(values), 4), "high": round(max(values), 4)}


# Engines


def measure_copies(name, size, copies=(0,), engines=BOTH):
    """One resize of one page: each engine's error rate over the page and per type size, over the copies.

    Of an invoice, also how many of the copies' totals were read without a mistake.
    """
    found = {e: [ocr.read(name, e, resize(ocr.picture(name, copy), size), copy) for copy in copies] for e in engines}
    row = {"height": size[0], "width": size[1], "copies": len(copies)}
    row |= {e: _summary([one["error"] for one in runs]) for e, runs in found.items()}
    if "invoice" in name:
        row["totals_read"] = {e: sum(one["total"] for one in runs) for e, runs in found.items()}
    heights = ocr.x_heights(name, size)
    row["by_points"] = [
        {"points": p, "x_height": round(x, 2)}
        | {e: _summary([one["by_points"][p][0] for one in runs]) for e, runs in found.items()}
        for p, x in heights.items()
    ]
    return row, found


def measure_photograph(cells, engine, desc):
    """One engine on the photographed invoice: a row for each (way, budget, copies)."""
    name, rows = "photographed invoice", []
    for way, budget, copies in tqdm(cells, desc=desc):
        size, tokens = fit(way, budget, *ocr.picture(name).shape[:2])
        row, _ = measure_copies(name, size, copies, engines=[engine])
        rows.append({"page": name, "way": way, "budget": budget, "tokens": tokens} | row)
    return rows


def copies_at(way, budget):
    return COPIES if way == "aspect" and budget in COPIED else COPIES[:1]


def experiment_as_shipped():
    """RapidOCR as shipped on the photographed invoice, beside the table: each line is asked if it stands on its head.

    The classifier that answers turns some of the long, thin, slanted lines of the small print, which are then given up.
    """
    cells = [(way, budget, copies_at(way, budget)) for budget in OCR_BUDGETS for way in ("square", "aspect")]
    return measure_photograph(cells, "as_shipped", "as shipped")


def experiment_fine():
    """RapidOCR on all copies of the photograph at finer steps, its aspect kept, and on a square as high as one of them.

    In OCR_BUDGETS the photograph's smallest print is lost somewhere between 972 and 2,028 tokens: too wide a step.
    """
    cells = [*(("aspect", budget, COPIES) for budget in FINE_BUDGETS), ("square", 1024, COPIES)]
    return measure_photograph(cells, "rapidocr", "fine")


def lost_lines(name, budget, found):
    """How much of RapidOCR's error is text that it did not find, or threw away as unreadable: per type size, copy 0.

    `lost` is the share of all characters that are wrong in long stretches (`_patches_ocr.stretches`); the rest of
    `error` is letters taken for others, left out one by one, or too many.
    """
    sizes = found["rapidocr"][0]["by_points"].items()
    rates = [{"points": p, "error": round(error, 4), "lost": round(lost, 4)} for p, (error, lost) in sizes]
    return {"page": name, "budget": budget, "by_points": rates}


def quoted(name, found, engine="rapidocr"):
    """What the engine read in the rows of the invoice that a picture shows: its articles, its sums, its small print."""
    facts, pieces = samples.invoice_facts(), samples.invoice_pieces()
    starts = [facts.articles[2].code, "Net amount", "Total", "Goods remain"]
    rows = [next(piece.row for piece in pieces if piece.text.startswith(start)) for start in starts]
    return [{"printed": _printed_row(pieces, row), "read": found[engine][0]["said"][row]} for row in rows]


def _printed_row(pieces, row):
    return ocr.plain("".join(p.text for p in sorted(pieces, key=lambda p: p.box[1]) if p.row == row))


def experiment_ocr():
    started, rows, done, quotes, lost = time.time(), [], {}, [], []
    as_shipped = experiment_as_shipped()
    plan = [(name, way, budget) for name in ocr.PAGES for budget in OCR_BUDGETS for way in WAYS]
    for name, way, budget in tqdm(plan, desc="engines"):
        fitted = fit(way, budget, *ocr.picture(name).shape[:2])
        if fitted is None:
            continue
        size, tokens = fitted
        copies = copies_at(way, budget)
        if (name, size, copies) not in done:
            done[name, size, copies] = measure_copies(name, size, copies)
        row, found = done[name, size, copies]
        rows.append({"page": name, "way": way, "budget": budget, "tokens": tokens} | row)
        tqdm.write(json.dumps(rows[-1]))
        if way == "aspect" and budget in LOST_AT:
            lost.append(lost_lines(name, budget, found))
        if (name, way) == ("photographed invoice", "aspect"):
            quotes += [{"budget": budget, "tokens": tokens, "rows": quoted(name, found)}]
    return {
        "date": str(datetime.date.today()),
        "device": device(),
        "versions": ocr.versions(),
        "settings": {
            "token_px": TOKEN, "tile_px": TILE, "budgets": OCR_BUDGETS, "ways": WAYS, "fails_at": FAILS_AT,
            "copied": COPIED, "copies": COPIES, "pages": {name: ocr.page_key(name) for name in ocr.PAGES},
        },
        "characters": {
            name: {str(p): int((ocr.printed(name).points == p).sum()) for p in ocr.x_heights(name, (1, 1))}
            for name in ocr.PAGES
        },
        "full_size": {name: measure_copies(name, ocr.picture(name).shape[:2])[0] for name in ocr.PAGES},
        "rows": rows,
        "fails": where_engines_fail(rows),
        "fine": experiment_fine(),
        "as_shipped": as_shipped,
        "as_shipped_fails": where_engines_fail(as_shipped, "as_shipped"),
        "lost": lost,
        "quotes": quotes,
        "seconds": round(time.time() - started),
        "processor_seconds": round(time.process_time()),
    }  # fmt: skip


def where_engines_fail(rows, engine="rapidocr", least=100):
    """The height of an x at which an engine's error rate passes FAILS_AT: per page, way and type size.

    Of the sizes with at least `least` characters on the page; over the budgets, log-interpolated as `crossing` does.
    """
    found = []
    for page in dict.fromkeys(row["page"] for row in rows):
        printed = ocr.printed(page).points
        for way in ("square", "aspect"):
            kept = [row["by_points"] for row in rows if row["page"] == page and row["way"] == way]
            at = {}
            for parts in zip(*kept):  # of one type size
                if (printed == parts[0]["points"]).sum() >= least:
                    points = sorted((part["x_height"], part[engine]["mean"]) for part in parts)
                    at[str(parts[0]["points"])] = crossing(*zip(*points))
            known = [x for x in at.values() if x]
            found.append({"page": page, "way": way, "x_height": at, "median": round(float(np.median(known)), 2)})
    return found


# Padding

IMAGES = 1000
BATCHES = 8, 32
PACKS = 8192, 16384
# kind -> (share, sizes): the shares are an assumption, not a survey. (height, width) in pixels; a range is drawn from.
MIXTURE = {
    "phone photo": (0.35, [(4032, 3024), (3024, 4032), (4000, 3000), (1600, 1200), (1200, 1600)]),
    "screenshot": (0.25, [(1080, 1920), (1440, 2560), (2532, 1170), (2400, 1080), (1964, 3024)]),
    "scanned page": (0.15, [(1754, 1240), (2339, 1654), (3508, 2480), (2200, 1700)]),
    "web picture": (0.10, "area of 300 to 1600 px squared, aspect 1:2 to 2:1"),
    "icon": (0.10, "square of 16 to 256 px"),
    "panorama": (0.05, "1000 to 2500 px high, 3 to 6 times as wide"),
}


def draw_sizes(seed, n=IMAGES):
    """n image sizes (height, width) from MIXTURE; what is a range is drawn evenly on a logarithmic scale.

    >>> draw_sizes(0, n=2)
    [(2339, 1654), (4032, 3024)]
    """
    draw = np.random.default_rng(seed)
    between = lambda low, high: math.exp(draw.uniform(math.log(low), math.log(high)))
    kinds, sizes = list(MIXTURE), []
    for kind in draw.choice(kinds, size=n, p=[share for share, _ in MIXTURE.values()]):
        if kind == "web picture":
            side, aspect = between(300, 1600), between(0.5, 2)
            size = side / math.sqrt(aspect), side * math.sqrt(aspect)
        elif kind == "icon":
            size = [between(16, 256)] * 2
        elif kind == "panorama":
            height = between(1000, 2500)
            size = height, height * between(3, 6)
        else:
            size = MIXTURE[kind][1][draw.integers(len(MIXTURE[kind][1]))]
        sizes.append((round(size[0]), round(size[1])))
    return sizes


def padding_waste(lengths, batch):
    """The share of positions that are padding when batches, in this order, are padded to their longest.

    >>> padding_waste([3, 1, 1, 1], 2)
    0.25
    """
    padded = sum(max(lengths[i : i + batch]) * len(lengths[i : i + batch]) for i in range(0, len(lengths), batch))
    return 1 - sum(lengths) / padded


def packing_waste(lengths, room):
    """The share of positions left empty when each image goes into the first sequence of `room` with space for it.

    An image longer than `room` fits nowhere and is left out; count those beside it.

    >>> packing_waste([4, 2, 3, 7], 6)
    0.25
    """
    free, lengths = [], [length for length in lengths if length <= room]
    for length in lengths:
        for i, space in enumerate(free):
            if length <= space:
                free[i] -= length
                break
        else:
            free.append(room - length)
    return sum(free) / (room * len(free)) if free else 0.0


def measure_padding(model, seeds=SEEDS, n=IMAGES):
    """One system's tokens on the mixture, and what batching them wastes: mean, low, high over the seeds."""
    parts = {}  # measured quantity -> [one a seed]
    for seed in seeds:
        lengths = [image_tokens(model, h, w) for h, w in draw_sizes(seed, n)]
        found = {"mean": np.mean(lengths), "max": max(lengths)}
        found |= {f"p{q}": np.percentile(lengths, q, method="lower") for q in (50, 99)}
        if catalog.row(model).kind == "vision":
            ordered = {"random": lengths, "sorted": sorted(lengths)}
            found |= {f"padded_{b}_{o}": padding_waste(ordered[o], b) for b in BATCHES for o in ordered}
            found |= {f"packed_{room}": packing_waste(lengths, room) for room in PACKS}
            found |= {f"over_{room}": sum(length > room for length in lengths) for room in PACKS}
        for name, value in found.items():
            parts.setdefault(name, []).append(value)
    row = {"model": model, "kind": catalog.row(model).kind}
    return row | {name: _summary(values) for name, values in parts.items()}


def experiment_padding():
    return {
        "date": str(datetime.date.today()),
        "settings": {
            "images": IMAGES, "seeds": SEEDS, "batches": BATCHES, "packs": PACKS, "packing": "first-fit, drawn order",
            "mixture": {kind: {"share": share, "sizes": sizes} for kind, (share, sizes) in MIXTURE.items()},
            "shares": "an assumption",
        },
        "rows": [measure_padding(model) for model in tqdm(catalog.rows(), desc="padding")],
    }  # fmt: skip


# Together


def quick():
    page = samples.document()
    for way in WAYS:
        size, tokens = fit(way, 256, *page.shape)
        row = measure_page("clean", size, seeds=SEEDS[:1], points=(7, 12), likeness=False)
        print(f"{way:8}{size!s:14}{tokens:5} tokens", {r: row[r]["mean"] for r in READERS})
    for model in ("qwen2.5-vl", "internvl2.5"):
        row = measure_padding(model, seeds=SEEDS[:1])
        print(model, {name: value["mean"] for name, value in row.items() if name not in ("model", "kind")})


def quick_ocr():
    name = "photographed invoice"
    for budget in (256, 1024):
        size, tokens = fit("aspect", budget, *ocr.picture(name).shape[:2])
        row, found = measure_copies(name, size)
        print(f"{name}: {size} {tokens} tokens", {e: row[e]["mean"] for e in BOTH}, row["totals_read"])
        print(*quoted(name, found), sep="\n")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few cells, printed; nothing is written")
    parser.add_argument("--padding", action="store_true", help="padding alone; keeps what else is stored")
    parser.add_argument("--ocr", action="store_true", help="the OCR engines alone; keeps what else is stored")
    parser.add_argument("--fine", action="store_true", help="the engines' finer steps alone; keeps what else is stored")
    options = parser.parse_args(argv)
    if options.quick:
        (quick_ocr if options.ocr else quick)()
        return
    if options.fine:
        stored = json.loads(RESULTS.read_text(encoding="utf-8"))
        store(stored | {"ocr": stored["ocr"] | {"fine": experiment_fine()}})
        return
    if options.padding or options.ocr:
        stored = json.loads(RESULTS.read_text(encoding="utf-8"))
        store(stored | ({"padding": experiment_padding()} if options.padding else {"ocr": experiment_ocr()}))
        return
    started = time.time()
    what = "What a resize destroys on the typeset page, and what padding wastes on mixed sizes."
    result = head(what, "patches", ("numpy", "pillow", "scikit-image"), ran_on=device()) | {
        "reading": experiment_letters(),
        "padding": experiment_padding(),
        "ocr": json.loads(RESULTS.read_text(encoding="utf-8"))["ocr"],
    }
    result["seconds"], result["processor_seconds"] = round(time.time() - started), round(time.process_time())
    store(result)
    print(f"wrote {RESULTS.name} after {result['seconds']} s")


def curve(rows):
    """RapidOCR on two pages with their aspect kept, in the form of `measured.curve`: the share of characters read.

    `x_height` is that of the page's smallest type, in pixels after the resize: the height carries over to other pages,
    the tokens do not.

    >>> part = {"points": 7, "x_height": 0.98}
    >>> error = {"mean": 0.25, "low": 0.2, "high": 0.3}
    >>> curve([{"page": "page", "way": "aspect", "tokens": 54, "rapidocr": error, "by_points": [part]}])[0]
    {'tokens': 54, 'quality': 0.75, 'spread': 0.1, 'instrument': 'RapidOCR, page', 'x_height': 0.98}
    """
    return [
        {
            "tokens": row["tokens"],
            "quality": round(1 - row["rapidocr"]["mean"], 4),
            "spread": round(row["rapidocr"]["high"] - row["rapidocr"]["low"], 4),
            "instrument": f"RapidOCR, {page}",
            "x_height": row["by_points"][0]["x_height"],
        }
        for page in ("page", "photographed invoice")
        for row in sorted(rows, key=lambda row: row["tokens"])
        if (row["page"], row["way"]) == (page, "aspect")
    ]


def store(result):
    result = result | {"curve": curve(result["ocr"]["rows"])}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(as_text(result), encoding="utf-8")


if __name__ == "__main__":
    main()
