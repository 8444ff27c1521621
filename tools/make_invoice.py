"""Make the invoice of the book's request: typeset, photographed, and what is printed where.

    python tools/make_invoice.py            make the three files again, mmtokedu/data/request/invoice.{png,jpg,json},
                                            and the front page's small picture, book/_static/invoice.webp
    python tools/make_invoice.py --check    make them again and compare with what is stored

The firm, the customer and every number on it are invented. The page is set as tools/typeset_page.py sets its own, then
laid on a table and photographed: folded in three, seen a little from one side, lit from a corner with the shadow of a
hand, out of focus by a hair, with a sensor's noise, saved as a JPEG.
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, features

sys.path.insert(0, str(Path(__file__).parent))

from _made import run
from typeset_page import FINE, HEIGHT, WIDTH, Sheet, break_lines, mm, pt, whole

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "mmtokedu" / "data" / "request"
PREVIEW = ROOT / "book" / "_static" / "invoice.webp"  # the photo small, for the front page

INK, QUIET, BLUE = (22, 24, 30), (168, 172, 180), (24, 82, 140)
LEFT, RIGHT = 20, 190  # millimetres: the text's edges

ITEMS = [  # code, what, detail, how many, price of one in cents
    ("OB-1140", "Optical rail, anodised", "length 1140 mm, with two end feet", 1, 18650),
    ("LH-50", "Lens holder", "for lenses of 50 mm, spring clamp", 6, 2475),
    ("CV-080", "Convex lens, f = 80 mm", "crown glass, coated on both faces", 4, 1990),
    ("CC-120", "Concave lens, f = -120 mm", "crown glass, not coated", 2, 1840),
    ("PR-60", "Equilateral prism", "flint glass, edge 30 mm", 2, 3315),
    ("PF-2", "Polarising filter", "a pair, in rotating mounts", 3, 4260),
    ("SL-9", "Slit, adjustable", "0.05 to 3 mm, knurled screw", 2, 5725),
    ("LD-650", "Diode lamp, red", "650 nm, under 1 mW, with power supply", 1, 7980),
    ("SC-A4", "Screen, frosted", "one ruled side, one plain", 2, 1265),
    ("DG-300", "Diffraction grating", "300 lines a millimetre, film on glass", 5, 1135),
    ("BX-L", "Storage box, foam lined", "cut to the set above, with lid and lock", 1, 6490),
    ("FR-02", "Freight and packing", "insured, by road, 11.4 kg", 1, 2850),
]
TAX = 19  # per cent
FACTS = {
    "seller": "Quayside Optics", "customer": "Fennimore School", "number": "QO-2026-0417", "order": "FS-7731",
    "date": "14 October 2026", "due": "13 November 2026", "currency": "EUR",
}  # fmt: skip
TERMS = """
    Goods remain the property of Quayside Optics until they have been paid for in full. Please check the parcel on
    arrival: breakage is replaced free of charge when it is reported within eight days, with a photograph of the box.
    Payments that reach us before 24 October 2026 may be reduced by two per cent of the net amount; after the due date
    we add one per cent a month. Lenses and prisms are exchanged within thirty days if their faces are without
    scratches. The diode lamp is of class 2: never look into the beam, and never leave it with pupils unattended.
    Returns are accepted only with a number that our office gives by telephone or by letter. Quayside Optics, its
    address and this invoice are invented for a book on tokens; nothing on this page can be ordered or paid."""


def money(cents):
    """1234567 -> "12,345.67"."""
    return f"{cents // 100:,}.{cents % 100:02}"


def sums():
    """Net, tax and total in cents; the tax is rounded to the nearest cent."""
    net = sum(count * price for *_, count, price in ITEMS)
    tax = round(net * TAX / 100)
    return {"net": net, "tax": tax, "total": net + tax}


class Invoice(Sheet):
    """A sheet that keeps a box for every piece of text, and the row it stands in, instead of one a character."""

    def __init__(self):
        super().__init__(paper=(255, 255, 255), ink=INK)
        self.pieces, self.row = [], -1

    def row_of(self, runs, y, points, style="sans"):
        """One row of text: runs of (text, x) or (text, x, style), x in mm, or ("right", mm) for where it ends."""
        self.row += 1
        for text, x, *own in runs:
            first, own_style = len(self.boxes), own[0] if own else style
            x = ("right", mm(x[1])) if isinstance(x, tuple) else mm(x)
            self.line([(text, x)], y, own_style, points)
            box = np.array(self.boxes[first:])
            box = [*box[:, :2].min(axis=0), *box[:, 2:].max(axis=0)]
            self.pieces.append({"text": text, "points": points, "style": own_style, "row": self.row, "box": box})


def set_head(page):
    page.draw.ellipse([round(mm(length)) for length in (20, 16, 34, 30)], outline=BLUE, width=round(pt(2.2)))
    page.draw.polygon([(mm(x), mm(y)) for x, y in ((27, 17.6), (32.6, 28), (21.4, 28))], fill=BLUE)
    page.draw.polygon([(mm(x), mm(y)) for x, y in ((27, 21.4), (30, 26.6), (24, 26.6))], fill=(255, 255, 255))
    page.ink = BLUE
    page.row_of([("Quayside Optics", 38)], mm(24), 20, "sans bold")
    page.ink = INK
    page.row_of([("benches, lenses and light for classrooms", 38)], mm(29.5), 8)
    for i, text in enumerate(("Lantern Quay 14", "4410 Harrow Vale", "office 0555 010 417")):
        page.row_of([(text, ("right", RIGHT))], mm(20) + i * pt(11), 8)
    page.rule(mm(35), mm(LEFT), mm(RIGHT), 1.2, BLUE)

    page.row_of([("Quayside Optics, Lantern Quay 14, 4410 Harrow Vale", LEFT)], mm(48), 6)
    for i, text in enumerate(("Fennimore School", "Science department, room 206", "Chestnut Row 3", "4427 Fennimore")):
        page.row_of([(text, LEFT)], mm(54) + i * pt(13), 10)
    rows = ("Invoice", FACTS["number"]), ("Date", FACTS["date"]), ("Your order", FACTS["order"]), ("Due", FACTS["due"])
    for i, (name, value) in enumerate(rows):
        page.row_of([(name, 130), (value, ("right", RIGHT), "sans bold")], mm(54) + i * pt(13), 9)
    page.row_of([("Invoice", LEFT)], mm(88), 22, "sans bold")
    page.row_of([("for the optics set delivered on 9 October 2026", LEFT)], mm(94.5), 9)


COLUMNS = 20, 27, 46, ("right", 142), ("right", 165), ("right", 190)


def set_items(page, y):
    """The table below y; returns where it ends."""
    page.draw.rectangle([round(v) for v in (mm(LEFT), y, mm(RIGHT), y + pt(16))], fill=(228, 236, 245))
    heads = ("No.", "Code", "Article", "Quantity", "Price", "Amount")
    page.row_of([(head, x) for head, x in zip(heads, COLUMNS, strict=True)], y + pt(11), 7, "sans bold")
    y += pt(16)
    for i, (code, what, detail, count, price) in enumerate(ITEMS):
        x = COLUMNS
        cells = [(f"{i + 1}", x[0]), (code, x[1]), (what, x[2]), (f"{count}", x[3])]
        page.row_of([*cells, (money(price), x[4]), (money(count * price), x[5])], y + pt(11), 8)
        page.row_of([(detail, x[2])], y + pt(20), 7)
        y += pt(25)
        page.rule(y, mm(LEFT), mm(RIGHT), 0.4, QUIET)
    return y


def set_sums(page, y):
    amounts = sums()
    rows = ("Net amount", amounts["net"]), (f"VAT {TAX} %", amounts["tax"])
    for i, (name, cents) in enumerate(rows):
        page.row_of([(name, 130), (money(cents), ("right", RIGHT))], y + pt(15) + i * pt(13), 9)
    y += pt(35)
    page.rule(y, mm(130), mm(RIGHT), 1.2, BLUE)
    page.row_of([("Total", 130), (f"EUR {money(amounts['total'])}", ("right", RIGHT))], y + pt(16), 12, "sans bold")
    page.rule(y + pt(22), mm(130), mm(RIGHT), 1.2, BLUE)


def set_foot(page, y):
    page.row_of([("Please pay by", LEFT), (f"{FACTS['due']}.", 41.5, "sans bold")], y + pt(15), 9)
    page.row_of([(f"Give the number {FACTS['number']} with your payment.", LEFT)], y + pt(28), 9)
    y = mm(266)
    page.rule(y - pt(10), mm(LEFT), mm(RIGHT), 0.4, QUIET)
    for i, words in enumerate(break_lines(TERMS.split(), "sans", 6, mm(RIGHT - LEFT - 3))):
        page.row_of([(" ".join(words), LEFT)], y + i * pt(8.4), 6)
    page.row_of([("page 1 of 1", ("right", RIGHT))], mm(289), 6)


def typeset():
    """Set the invoice: (image, pieces with boxes in pixels as floats)."""
    if not features.check("raqm"):
        sys.exit("this Pillow has no Raqm and cannot kern; install the wheel from PyPI: pip install --force pillow")
    page = Invoice()
    set_head(page)
    y = set_items(page, mm(101))
    set_sums(page, y)
    set_foot(page, y)
    boxes = np.array([piece["box"] for piece in page.pieces]) / FINE
    return page.image.reduce(FINE), page.pieces, boxes


# The photograph

PHOTO = 2080, 1560  # height and width of the picture, 4 to 3 as a phone takes it
CORNERS = (72, 128), (108, 1478), (2040, 1516), (2004, 46)  # where the page's corners fall, (y, x), from the top left
SEED = 23


def homography(corners=CORNERS):
    """The 3 x 3 matrix that takes a point of the page, (x, y, 1), into the photo."""
    ends = [(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)]
    rows = []
    for (x, y), (v, u) in zip(ends, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    right = [c for v, u in corners for c in (u, v)]
    return np.append(np.linalg.solve(np.array(rows, float), right), 1).reshape(3, 3)


def carry(boxes):
    """Boxes (n, 4) as (y0, x0, y1, x1) on the page -> the upright boxes around them in the photo."""
    x, y = boxes[:, [1, 3, 3, 1]], boxes[:, [0, 0, 2, 2]]
    u, v, w = np.moveaxis(np.stack([x, y, np.ones_like(x)], axis=-1) @ homography().T, -1, 0)
    u, v = u / w, v / w
    return np.stack([v.min(1), u.min(1), v.max(1), u.max(1)], axis=1)


def smooth(draw, shape, blur):
    """Noise of one size of grain, (H, W) float with standard deviation 1."""
    small = draw.normal(size=[max(2, round(side / step)) for side, step in zip(shape, blur, strict=True)])
    large = np.asarray(Image.fromarray(small.astype(np.float32)).resize(shape[::-1], Image.Resampling.BICUBIC))
    return large / large.std()


def table(draw):
    """A table top of dark wood: grain along the width."""
    grain = smooth(draw, PHOTO, (3, 400)) * 5 + smooth(draw, PHOTO, (26, 700)) * 9 + smooth(draw, PHOTO, (2, 40)) * 2
    return np.array([104, 74, 52]) + grain[..., None] * [1, 0.85, 0.7]


def light(draw):
    """How bright each place of the photo is lit, (H, W): from the upper left, with the shadow of a hand below."""
    y, x = np.ogrid[0 : 1 : PHOTO[0] * 1j, 0 : 1 : PHOTO[1] * 1j]
    even = 1.03 - 0.20 * (0.45 * x + 0.55 * y) - 0.06 * (x - 0.3) ** 2
    hand = Image.new("L", (156, 208))
    ImageDraw.Draw(hand).polygon([(160, 95), (118, 118), (82, 150), (70, 176), (96, 215), (160, 215)], fill=255)
    hand = hand.filter(ImageFilter.GaussianBlur(13)).resize(PHOTO[::-1], Image.Resampling.BICUBIC)
    return even - 0.17 * np.asarray(hand, np.float32) / 255 + 0.008 * smooth(draw, PHOTO, (500, 400))


def folds():
    """A letter's two folds, (H, 1): each third of the page leans another way, and a crease catches the light."""
    y = np.arange(HEIGHT)[:, None] / HEIGHT
    lean = 1 - 0.035 * np.abs((y * 3) % 1 - 0.5) * np.where((y > 1 / 3) & (y < 2 / 3), -1, 1)
    crease = sum(np.exp(-(((y - at) * HEIGHT / 3) ** 2)) for at in (1 / 3, 2 / 3))
    return lean - 0.07 * crease


def photograph(page, seed=SEED):
    """The page on a table, as a picture of PHOTO pixels; `seed` draws the wood, the shade and the noise."""
    draw = np.random.default_rng(seed)
    paper = Image.fromarray(np.uint8(np.clip(np.asarray(page) * folds()[..., None], 0, 255)))
    matrix = np.linalg.inv(homography())
    onto = (PHOTO[::-1], Image.Transform.PERSPECTIVE, (matrix / matrix[2, 2]).ravel()[:8], Image.Resampling.BICUBIC)
    shape = Image.new("L", page.size, 255).transform(*onto).filter(ImageFilter.GaussianBlur(0.7))
    shadow = Image.new("L", PHOTO[::-1])
    shadow.paste(shape, (9, 14))
    under = table(draw) * (1 - 0.55 * np.asarray(shadow.filter(ImageFilter.GaussianBlur(11)), float)[..., None] / 255)
    over = np.asarray(shape, float)[..., None] / 255
    seen = 34 + np.asarray(paper.transform(*onto), float) * ((228 - 34) / 255) * [1, 0.985, 0.94]
    lit = (over * seen + (1 - over) * under) * light(draw)[..., None]
    blurred = Image.fromarray(np.uint8(np.clip(lit, 0, 255))).filter(ImageFilter.GaussianBlur(0.75))
    noise = draw.normal(0, 4.5, (*PHOTO, 1)) + draw.normal(0, 1.5, (*PHOTO, 3))
    return Image.fromarray(np.uint8(np.clip(np.rint(np.asarray(blurred) + noise), 0, 255)))


def as_jpeg(photo):
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=62, optimize=True)
    return file.getvalue()


def build():
    """Everything that is stored: {file name: bytes}."""
    page, pieces, boxes = typeset()
    png = io.BytesIO()
    page.quantize(64, dither=Image.Dither.NONE).save(png, "PNG", optimize=True)
    for piece, box, seen in zip(pieces, whole(boxes).tolist(), whole(carry(boxes)).tolist(), strict=True):
        piece |= {"box": box, "photo_box": seen}
    items = [
        {"code": code, "what": what, "detail": detail, "count": count, "price": price}
        for code, what, detail, count, price in ITEMS
    ]
    head = FACTS | {"tax_per_cent": TAX} | sums()
    rows = [",\n".join(json.dumps(row, ensure_ascii=False) for row in part) for part in (items, pieces)]
    text = '{{"facts": {},\n"items": [\n{}\n],\n"pieces": [\n{}\n]}}\n'.format(json.dumps(head), *rows)
    return {"invoice.png": png.getvalue(), "invoice.jpg": as_jpeg(photograph(page)), "invoice.json": text.encode()}


def preview(photo):
    """The photo as the front page shows it, a third of its side."""
    return photo.resize((PHOTO[1] // 3, PHOTO[0] // 3), Image.Resampling.LANCZOS)


def differences(new, old):
    """Say how two builds differ by more than a FreeType or JPEG release may: one sentence each."""
    found = []
    for name in ("invoice.png", "invoice.jpg"):
        a, b = (np.asarray(Image.open(io.BytesIO(build[name])).convert("RGB"), dtype=float) for build in (new, old))
        if a.shape != b.shape:
            found.append(f"{name} is {b.shape}, made anew {a.shape}")
        elif (mean := np.abs(a - b).mean()) > 1:
            found.append(f"{name} differs by {mean:.2f} levels on average (1 allowed)")
    a, b = (json.loads(build["invoice.json"]) for build in (new, old))
    places = [[[piece.pop(key) for key in ("box", "photo_box")] for piece in made["pieces"]] for made in (a, b)]
    if a != b:
        found.append("the text of invoice.json differs")
    elif (most := np.abs(np.array(places[0]) - np.array(places[1])).max()) > 1:
        found.append(f"boxes of invoice.json differ by up to {most} pixels (1 allowed)")
    return found


def main():
    new = run(__doc__, build, differences, FOLDER, "run tools/make_invoice.py and look at the pictures")
    preview(Image.open(io.BytesIO(new["invoice.jpg"]))).save(PREVIEW, "WEBP", quality=80)


if __name__ == "__main__":
    main()
