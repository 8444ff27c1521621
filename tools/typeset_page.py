"""Typeset the sample page and write it to mmtokedu/data: the page, its worn copy, and the box of every character.

    python tools/typeset_page.py            set the page again and store it
    python tools/typeset_page.py --check    set it again and compare with what is stored

Letters are drawn at 800 dots per inch and averaged down to 200, so that hinting, which differs between
FreeType releases, plays no part. Kerning needs a Pillow with Raqm; the wheels have it.
"""

import io
import json
import math
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _made import run
from PIL import Image, ImageDraw, ImageFilter, ImageFont, features

DATA = Path(__file__).resolve().parent.parent / "mmtokedu" / "data"
FACES = {
    "roman": "SourceSerifPro-Regular", "italic": "SourceSerifPro-It", "bold": "SourceSerifPro-Semibold",
    "sans": "InstrumentSans-Regular", "sans bold": "InstrumentSans-Bold",  # of the invoice
}  # fmt: skip

DPI, FINE = 200, 4  # the page's resolution; how many dots, each way, are averaged into one pixel
HEIGHT, WIDTH = 2339, 1654  # A4, 297 x 210 mm, at 200 dpi
TILT, SEED = 0.7, 7  # of the worn copy: degrees counter-clockwise, random generator

TITLE = "How a page becomes tokens"
SUBTITLE = "One sheet of known words in six sizes, to be cut, shrunk and read again"
RUNNING_HEAD = ("mmtokedu", "The sample page")


class Paragraph(NamedTuple):
    points: float
    leading: float
    columns: int
    note: str  # in the margin, under the size
    text: str


PARAGRAPHS = [  # every text holds all 26 letters: a test counts them
    Paragraph(
        12,
        17,
        1,
        "the row",
        """
        You look at this page and see words. A model is given a sheet of pixels. Before it can read anything, it cuts
        the sheet into small squares, turns each square into a vector, and sets the vectors in a row, just as it does
        with the words of a sentence. Each place in that row is a token. The size of the picture decides how many
        tokens there are, and with them how much of it can be seen and what it costs to look.""",
    ),
    Paragraph(
        11,
        15.5,
        1,
        "patches",
        """
        The small squares are called patches. A patch of 14 by 14 pixels in three colours is just a list of 588
        numbers. One matrix, learned once, makes a vector of it; a vision transformer then lets the patches exchange
        what they hold. Often four neighbours are joined next, so that one token stands for a cell of 28 by 28 pixels.
        On this page a cell is a zone 3.6 millimetres wide: room for about two letters of this size, and quite often
        for a slice of the line below.""",
    ),
    Paragraph(
        10,
        14,
        1,
        "shrinking",
        """
        Shrink the page, and the letters shrink while the cells stay as they are. Halve both sides, and a quarter of
        the tokens remain. The bill is smaller, but so is every stroke of ink: somewhere in the text a comma is lost,
        an e closes to an o, or an r and an n melt into an m. What the resize removed can still be guessed from the
        words around it. It can no longer be read. So a page of fine print is a hard test, just as a photo of a cat
        asleep in the grass is an easy one, for most of a cat looks the same at half the size.""",
    ),
    Paragraph(
        9,
        12.5,
        1,
        "counting",
        """
        The table counts the tokens of an A4 sheet: both sides, in pixels, are rounded to whole cells of 28, and no
        limit is set. A scan twice as fine needs about four times the tokens. The last column is the height of
        a lower-case x of this very size, in pixels again. Judge for yourself how small it may get before you squint,
        or quit; the chapter on patches makes the experiment.""",
    ),
    Paragraph(
        8,
        11.2,
        2,
        "shapes",
        """
        Some models take squares of one size only, 224 or 448 pixels a side, and squeeze every picture to fit. An A4
        page is 1.41 times as tall as it is wide, so the squeeze takes more from its height than from its width, and a
        round o comes out flat. Keep the aspect ratio, and the same number of tokens is spread evenly over both axes.
        Cut the page into tiles, each of them seen at full size, and the small print survives, at the price of a
        longer row. None of these is right for every picture: a blue sky needs just a few tokens, a tax form or a
        railway timetable needs thousands.""",
    ),
    Paragraph(
        7,
        9.8,
        2,
        "notes",
        """
        This page was set by a short program from sentences written for the book. The typeface is Source Serif Pro,
        published by Adobe under the SIL Open Font License. Every letter was drawn at 800 dots per inch and averaged
        down to 200, much as a scanner averages the light that falls on each of its sensors, and its box was kept:
        top, left, bottom, right. With the boxes a second program can cut out a letter, ask which letter of the
        alphabet it looks like most, and count the mistakes. Their share is the character error rate. It is measured
        for each size from 7 to 12 points, on this clean page and on a worn copy: tilted by 0.7 degrees, unevenly lit,
        blurred, noisy, and saved once as a JPEG. Judge a resize by its worst line and not by its best one. A headline
        is still easy to read when a note of this size, quietly and without any warning, has become a row of grey
        smudges.""",
    ),
]
SCANS = [50, 72, 100, 150, 200, 300]  # dots per inch; a row of the table each

LEFT, TEXT, RIGHT, GUTTER = 20, 44, 186, 7  # millimetres: margin notes, text, right edge, between columns
INK, RULE = 0, 150


def mm(length):
    """Millimetres in dots."""
    return length / 25.4 * DPI * FINE


def pt(length):
    """Points in dots."""
    return length / 72 * DPI * FINE


@cache
def face(style, points, engine=ImageFont.Layout.BASIC):
    return ImageFont.truetype(DATA / "fonts" / f"{FACES[style]}.ttf", pt(points), layout_engine=engine)


@cache
def ink_box(style, points, char):
    """The ink of a character as (y0, x0, y1, x1) around its origin, in dots; getbbox would add the advance."""
    mask, (left, top) = face(style, points).getmask2(char, mode="L", anchor="ls")
    x0, y0, x1, y1 = mask.getbbox()
    return top + y0, left + x0, top + y1, left + x1


@cache
def advance(style, points, char, following):
    """From one character's origin to the next one's, kerned, in dots."""
    font = face(style, points, ImageFont.Layout.RAQM)
    plain = ["-liga", "-dlig"]
    if not following:
        return font.getlength(char, features=plain)
    return font.getlength(char + following, features=plain) - font.getlength(following, features=plain)


def width_of(text, style, points):
    return sum(advance(style, points, char, text[i + 1 : i + 2]) for i, char in enumerate(text))


def break_lines(words, style, points, width):
    """Break a paragraph where the sum of the cubed stretch of the lines' spaces is least (Knuth and Plass, 1981)."""
    space = width_of(" ", style, points)
    widths = [width_of(word, style, points) for word in words]
    best = [(0.0, 0)] + [(math.inf, 0)] * len(words)  # words set so far -> (cost, where the last line starts)
    for stop in range(1, len(words) + 1):
        for start in range(stop - 1, -1, -1):
            spaces = stop - start - 1
            slack = width - sum(widths[start:stop]) - spaces * space
            ratio = (
                slack / space / max(spaces, 1) / (0.5 if slack > 0 else 0.2)
            )  # spaces grow by half, shrink by a fifth
            if ratio < -1:
                break
            last = stop == len(words) and slack >= 0
            best[stop] = min(best[stop], (best[start][0] + (0 if last else abs(ratio) ** 3), start))
    lines, stop = [], len(words)
    while stop:
        lines.append(words[best[stop][1] : stop])
        stop = best[stop][1]
    return lines[::-1]


class Sheet:
    """A page being set: the drawing, and the lines and the boxes of the characters so far."""

    def __init__(self, paper=255, ink=INK):
        """`paper` and `ink` are grey levels, or colours (red, green, blue)."""
        self.ink = ink
        self.image = Image.new("RGB" if isinstance(paper, tuple) else "L", (WIDTH * FINE, HEIGHT * FINE), paper)
        self.draw = ImageDraw.Draw(self.image)
        self.lines, self.boxes = [], []  # {"text", "points", "style"}; (y0, x0, y1, x1) in dots

    def put(self, text, x, y, style, points, space=None):
        """Draw one run of text from (x, baseline y); `space` is the width of its spaces. Boxes are those of the ink."""
        font = face(style, points)
        for i, char in enumerate(text):
            if char == " ":
                x += space or width_of(" ", style, points)
                continue
            self.draw.text((round(x), y), char, font=font, fill=self.ink, anchor="ls")
            y0, x0, y1, x1 = ink_box(style, points, char)
            self.boxes.append((y + y0, round(x) + x0, y + y1, round(x) + x1))
            x += advance(style, points, char, text[i + 1 : i + 2].strip())

    def line(self, runs, y, style, points, space=None):
        """One line of text, made of runs (text, x), x being where a run starts or, as ("right", x), where it ends."""
        y = round(y / FINE) * FINE  # baselines fall on whole pixels
        for text, x in runs:
            self.put(text, x[1] - width_of(text, style, points) if isinstance(x, tuple) else x, y, style, points, space)
        text = " ".join(text for text, _ in runs)
        self.lines.append({"text": text, "points": points, "style": style})

    def rule(self, y, x0, x1, weight=0.5, fill=RULE):
        y, half = round(y / FINE) * FINE, pt(weight) / 2
        self.draw.rectangle((round(x0), round(y - half), round(x1), round(y + half)), fill=fill)


def set_paragraph(sheet, text, y, points, leading, columns):
    """Justify one paragraph in one or two columns below baseline y; return its last baseline."""
    width = (mm(RIGHT - TEXT) - (columns - 1) * mm(GUTTER)) / columns
    lines = break_lines(text.split(), "roman", points, width)
    rows = math.ceil(len(lines) / columns)
    for i, words in enumerate(lines):
        column, row = divmod(i, rows)
        gap = (width - sum(width_of(word, "roman", points) for word in words)) / max(len(words) - 1, 1)
        last = i == len(lines) - 1
        space = min(gap, width_of(" ", "roman", points)) if last else gap
        x = mm(TEXT) + column * (width + mm(GUTTER))
        sheet.line([(" ".join(words), x)], y + row * pt(leading), "roman", points, space)
    return y + (rows - 1) * pt(leading)


def table_rows():
    """dots per inch, height and width in pixels, tokens, x-height of 9 pt in pixels: computed, not copied."""
    x_height = -ink_box("roman", 100, "x")[0] / pt(100)
    for dpi in SCANS:
        height, width = round(297 / 25.4 * dpi), round(210 / 25.4 * dpi)
        tokens = round(height / 28) * round(width / 28)
        yield dpi, f"{dpi}", f"{height}", f"{width}", f"{tokens}", f"{9 / 72 * dpi * x_height:.1f}"


def set_table(sheet, y):
    """The table, from its top rule at y; return its bottom rule."""
    edges = [("right", mm(TEXT + at)) for at in (24, 52, 76, 104, RIGHT - TEXT - 4)]
    sheet.rule(y, mm(TEXT), mm(RIGHT), 0.9)
    y += pt(12.5)
    heads = ("dots per inch", "height", "width", "tokens", "height of an x")
    sheet.line(list(zip(heads, edges, strict=True)), y, "italic", 9)
    y += pt(5)
    sheet.rule(y, mm(TEXT), mm(RIGHT))
    y += pt(12.5)
    for dpi, *cells in table_rows():
        sheet.line(list(zip(cells, edges, strict=True)), y, "bold" if dpi == DPI else "roman", 9)
        y += pt(12.5)
    y -= pt(7)
    sheet.rule(y, mm(TEXT), mm(RIGHT), 0.9)
    return y


def typeset():
    """Set the page: (grey image, lines, boxes in pixels as floats)."""
    if not features.check("raqm"):
        sys.exit("this Pillow has no Raqm and cannot kern; install the wheel from PyPI: pip install --force pillow")
    sheet = Sheet()
    head, page = RUNNING_HEAD
    sheet.line([(head, mm(TEXT)), (page, ("right", mm(RIGHT)))], mm(17), "italic", 9)
    sheet.rule(mm(19.2), mm(TEXT), mm(RIGHT))
    sheet.line([(TITLE, mm(TEXT))], mm(34), "bold", 24)
    sheet.line([(SUBTITLE, mm(TEXT))], mm(41.5), "italic", 12)

    y = mm(54)
    for points, leading, columns, note, text in PARAGRAPHS:
        sheet.line([(f"{points} pt", mm(LEFT))], y, "bold", 9)
        sheet.line([(note, mm(LEFT))], y + pt(11.5), "italic", 9)
        y = set_paragraph(sheet, text, y, points, leading, columns)
        if note == "counting":
            y = set_table(sheet, y + pt(11))
        y += pt(25)
    sheet.line([("1", ("right", mm(RIGHT)))], mm(286.5), "roman", 9)
    return sheet.image.reduce(FINE), sheet.lines, np.array(sheet.boxes) / FINE


def wear(page, seed=SEED):
    """A worn copy: grey paper under uneven light, tilted, blurred, with Gaussian noise."""
    tilted = page.rotate(TILT, Image.Resampling.BICUBIC, fillcolor=255).filter(ImageFilter.GaussianBlur(0.7))
    y, x = np.ogrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
    light = 1 - 0.10 * x * y - 0.05 * (1 - y)
    grain = np.random.default_rng(seed).normal(0, 7, (HEIGHT, WIDTH))
    worn = (38 + np.asarray(tilted) * ((240 - 38) / 255)) * light + grain
    return Image.fromarray(np.clip(np.rint(worn), 0, 255).astype(np.uint8))


def tilt_boxes(boxes):
    """Boxes (n, 4) as (y0, x0, y1, x1) on the page -> the upright boxes around them once the page is tilted."""
    y, x = boxes[:, [0, 0, 2, 2]] - HEIGHT / 2, boxes[:, [1, 3, 1, 3]] - WIDTH / 2
    sin, cos = math.sin(math.radians(TILT)), math.cos(math.radians(TILT))
    y, x = cos * y - sin * x + HEIGHT / 2, sin * y + cos * x + WIDTH / 2
    return np.stack([y.min(1), x.min(1), y.max(1), x.max(1)], axis=1)


def whole(boxes):
    """Boxes grown to whole pixels."""
    return np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1).astype(int)


def build():
    """Everything that is stored: {file name: bytes}."""
    page, lines, boxes = typeset()
    png, jpeg = io.BytesIO(), io.BytesIO()
    page.save(png, "PNG", optimize=True)
    wear(page).save(jpeg, "JPEG", quality=60, optimize=True)
    rows = [
        ",\n".join(map(json.dumps, part)) for part in (lines, whole(boxes).tolist(), whole(tilt_boxes(boxes)).tolist())
    ]
    text = '{{"lines": [\n{}\n],\n"boxes": [\n{}\n],\n"noisy_boxes": [\n{}\n]}}\n'.format(*rows)
    return {"page.png": png.getvalue(), "page_noisy.jpg": jpeg.getvalue(), "page.json": text.encode()}


def differences(new, old):
    """Say how two builds differ by more than a FreeType or JPEG release may: one sentence each."""
    found = []
    for name in ("page.png", "page_noisy.jpg"):
        a, b = (np.asarray(Image.open(io.BytesIO(build[name])), dtype=float) for build in (new, old))
        if a.shape != b.shape:
            found.append(f"{name} is {b.shape}, typeset anew {a.shape}")
        elif (mean := np.abs(a - b).mean()) > 1:
            found.append(f"{name} differs by {mean:.2f} grey levels on average (1 allowed)")
    a, b = (json.loads(build["page.json"]) for build in (new, old))
    if a["lines"] != b["lines"]:
        found.append("the lines of page.json differ")
    else:
        for key in ("boxes", "noisy_boxes"):
            if (most := np.abs(np.array(a[key]) - np.array(b[key])).max()) > 1:
                found.append(f"{key} of page.json differ by up to {most} pixels (1 allowed)")
    return found


def main():
    run(__doc__, build, differences, DATA, "run tools/typeset_page.py and look at the page")


if __name__ == "__main__":
    main()
