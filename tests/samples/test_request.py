"""The book's request: the invoice's sums, its boxes in both pictures, the question's sound, and the scripts that made it."""

import contextlib
import hashlib
import importlib.util
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from mmtokedu import samples

pytestmark = pytest.mark.apart

ROOT = Path(__file__).parents[2]
FOLDER = samples.items.DATA / "request"
both_pictures = pytest.mark.parametrize("photographed", [False, True], ids=["typeset", "photographed"])
needs_soundfile = pytest.mark.skipif(importlib.util.find_spec("soundfile") is None, reason="soundfile is missing")


@contextlib.contextmanager
def program(name):
    """`tools/<name>.py` as a module; afterwards it and the neighbours that it imports are forgotten again."""
    before, path = set(sys.modules), list(sys.path)
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path[:] = path
        for loaded in set(sys.modules) - before:
            if str(getattr(sys.modules[loaded], "__file__", "")).startswith(str(ROOT / "tools")):
                del sys.modules[loaded]


@pytest.fixture(scope="module")
def make_invoice():
    with program("make_invoice") as module:
        yield module


@pytest.fixture(scope="module")
def make_question():
    with program("make_question") as module:
        yield module


def stored(*names):
    return {name: (FOLDER / name).read_bytes() for name in names}


# what the invoice says


def test_the_sums_add_up_to_the_cent():
    facts = samples.invoice_facts()
    assert len(facts.articles) == 12
    assert facts.net == sum(article.count * article.price for article in facts.articles)
    assert abs(facts.tax - facts.net * facts.tax_per_cent / 100) <= 0.5
    assert facts.total == facts.net + facts.tax


def test_every_fact_is_printed():
    """A pupil who looks for an answer on the page finds it as the facts say it."""
    facts, texts = samples.invoice_facts(), [piece.text for piece in samples.invoice_pieces()]
    for said in (facts.seller, facts.customer, facts.number, facts.order, facts.date, facts.due):
        assert said in texts
    for cents, before in ((facts.net, ""), (facts.tax, ""), (facts.total, "EUR ")):
        assert f"{before}{cents / 100:,.2f}" in texts
    assert f"VAT {facts.tax_per_cent} %" in texts


def test_each_row_of_the_table_multiplies_out():
    rows = {}
    for piece in samples.invoice_pieces(photographed=False):
        rows.setdefault(piece.row, []).append((piece.box[1], piece.text))
    found = []
    for row in rows.values():
        cells = [text for _, text in sorted(row)]
        if len(cells) == 6 and cells[0].isdigit():
            found.append(cells)
            assert round(int(cells[3]) * float(cells[4]) * 100) == round(float(cells[5]) * 100)
    articles = samples.invoice_facts().articles
    assert [cells[:4] for cells in found] == [
        [f"{i + 1}", article.code, article.what, f"{article.count}"] for i, article in enumerate(articles)
    ]


def test_type_is_as_small_as_on_real_invoices():
    points = [piece.points for piece in samples.invoice_pieces() for _ in piece.text.replace(" ", "")]
    assert min(points) == 6 and {6, 7, 8} < set(points)
    assert 1500 < len(points) < 2500
    assert np.mean(np.array(points) <= 8) > 0.7


# its pictures


@both_pictures
def test_picture_is_fresh_and_in_colour(photographed):
    picture = samples.invoice(photographed)
    assert picture.dtype == np.uint8 and picture.shape == ((2080, 1560, 3) if photographed else (2339, 1654, 3))
    assert np.ptp(picture.astype(int), axis=2).max() > 60  # the letterhead is blue
    kept = picture.copy()
    picture[:] = 0
    np.testing.assert_array_equal(samples.invoice(photographed), kept)


def test_photograph_decodes_to_the_same_pixels_everywhere():
    assert hashlib.sha256(samples.invoice().tobytes()).hexdigest()[:16] == "eb25b2111348043b"
    assert hashlib.sha256(samples.invoice(photographed=False).tobytes()).hexdigest()[:16] == "36d87772fe590c0f"


def test_typeset_boxes_are_tight_and_hold_all_the_ink():
    page = samples.invoice(photographed=False)
    dark = page.sum(axis=2) < 300
    for piece in samples.invoice_pieces(photographed=False):
        y0, x0, y1, x1 = piece.box
        ink = page[y0:y1, x0:x1].min(axis=2)
        for edge in (ink[:2], ink[-2:], ink[:, :2], ink[:, -2:]):
            assert edge.min() < 250, piece
        dark[y0:y1, x0:x1] = False
    logo, rules = dark[100:260, 140:290], dark.sum(axis=1) > 300
    assert logo.any() and dark.sum() - logo.sum() == dark[rules].sum()  # the drawn mark and the blue lines are left


def test_photographed_boxes_hold_the_ink_and_little_else():
    """In each box stand letters darker than the paper around it; outside all boxes, the paper has none."""
    photo = samples.invoice().astype(float).mean(axis=2)
    for piece in samples.invoice_pieces():
        y0, x0, y1, x1 = piece.box
        around = np.median(photo[y0 - 12 : y1 + 12, x0 - 12 : x1 + 12])
        assert photo[y0:y1, x0:x1].min() < around - 45, piece
    for piece in samples.invoice_pieces():
        y0, x0, y1, x1 = piece.box
        photo[y0 - 2 : y1 + 2, x0 - 2 : x1 + 2] = 200
    small_print = [piece.box for piece in samples.invoice_pieces() if piece.points == 6][1:-1]
    top, bottom = min(box[0] for box in small_print), max(box[2] for box in small_print)
    left, right = max(box[1] for box in small_print) + 40, min(box[3] for box in small_print) - 40
    assert photo[top + 8 : bottom, left:right].min() > 90  # ink is below 60 there


def test_the_photograph_is_seen_from_one_side():
    """Lines of equal height on the page are not parallel in the photo: the page's left edge is the longer one."""
    flat, seen = (samples.invoice_pieces(photographed) for photographed in (False, True))
    assert [piece._replace(box=None) for piece in flat] == [piece._replace(box=None) for piece in seen]
    middle = lambda piece: (piece.box[0] + piece.box[2]) / 2
    by_text = {piece.text: piece for piece in seen}
    left = middle(by_text["Give the number QO-2026-0417 with your payment."]) - middle(by_text["4427 Fennimore"])
    flat_text = {piece.text: piece for piece in flat}
    flat_left = middle(flat_text["Give the number QO-2026-0417 with your payment."]) - middle(
        flat_text["4427 Fennimore"]
    )
    assert 0.7 < left / flat_left < 0.95
    assert by_text["Amount"].box[0] - by_text["No."].box[0] > 10  # a level row falls to the right


def test_the_files_are_small():
    assert (FOLDER / "invoice.jpg").stat().st_size < 400e3 and (FOLDER / "invoice.png").stat().st_size < 400e3


# the question


@needs_soundfile
def test_question_is_as_loud_as_the_other_speech():
    question = samples.question()
    assert question.text.endswith("?") and "total" in question.text and "small red ball" in question.text
    assert (question.rate, question.language) == (16_000, "en") and question.sound.dtype == np.float32
    assert np.sqrt(np.mean(question.sound.astype(float) ** 2)) == pytest.approx(0.07, rel=1e-3)
    assert 3 < question.seconds < 5 and 0.3 < np.abs(question.sound).max() < 0.9
    question.sound[:] = 0
    assert np.abs(samples.question().sound).max() > 0.3


def test_the_line_of_text():
    assert samples.request_text() == "Answer with the amount and the second."


def test_missing_soundfile_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install mmtokedu\[media\]"):
        samples.question()


# the scripts that made them


@pytest.mark.skipif(not features.check("raqm"), reason="this Pillow cannot kern")
def test_the_script_makes_the_stored_invoice_again(make_invoice):
    names = "invoice.png", "invoice.jpg", "invoice.json"
    assert make_invoice.differences(make_invoice.build(), stored(*names)) == []


def test_invoice_check_sees_a_moved_page_a_moved_box_and_another_price(make_invoice):
    old = stored("invoice.png", "invoice.jpg", "invoice.json")
    file = io.BytesIO()
    Image.fromarray(np.roll(samples.invoice(photographed=False), 3, axis=0)).save(file, "PNG")
    found = make_invoice.differences(old, old | {"invoice.png": file.getvalue()})
    assert len(found) == 1 and "invoice.png differs" in found[0]

    layout = json.loads(old["invoice.json"])
    layout["pieces"][7]["photo_box"][1] += 3
    found = make_invoice.differences(old, old | {"invoice.json": json.dumps(layout).encode()})
    assert found == ["boxes of invoice.json differ by up to 3 pixels (1 allowed)"]
    layout["items"][0]["price"] += 1
    found = make_invoice.differences(old, old | {"invoice.json": json.dumps(layout).encode()})
    assert found == ["the text of invoice.json differs"]


def test_another_seed_is_another_photograph_of_the_same_page(make_invoice):
    page = Image.fromarray(samples.invoice(photographed=False))
    other = np.asarray(make_invoice.photograph(page, seed=1), float)
    difference = np.abs(other - samples.invoice())
    assert difference[300:1800, 200:1400].mean() < 15  # the same letters in the same places, other grain
    assert difference.mean() > 2


def test_homography_takes_the_corners_where_they_are_said_to_fall(make_invoice):
    page = np.array([[0, 0, 0, 0], [0, 1654, 0, 1654], [2339, 1654, 2339, 1654], [2339, 0, 2339, 0]], float)
    corners = np.array(make_invoice.CORNERS, float)
    np.testing.assert_allclose(make_invoice.carry(page), np.c_[corners, corners], atol=1e-6)


@needs_soundfile
def test_the_script_says_the_stored_question_again(make_question):
    pytest.importorskip("soxr")
    if not shutil.which("espeak-ng") or "1.51 " not in subprocess.getoutput("espeak-ng --version"):
        pytest.skip("needs espeak-ng 1.51")
    assert make_question.differences(make_question.build(), stored("question.flac", "question.json")) == []


@needs_soundfile
def test_question_check_sees_another_word_and_another_sample(make_question):
    import soundfile

    old = stored("question.flac", "question.json")
    other = old["question.json"].replace(b"small red ball", b"large red ball")
    assert "question.json differs" in make_question.differences(old, old | {"question.json": other})[0]
    file = io.BytesIO()
    soundfile.write(file, samples.question().sound[:-1], 16_000, format="FLAC", subtype="PCM_16")
    assert "question.flac differs" in make_question.differences(old, old | {"question.flac": file.getvalue()})[0]


# the front page's copies


def test_the_front_page_shows_and_plays_the_request(make_invoice, make_question):
    text = (ROOT / "book" / "intro.md").read_text(encoding="utf-8")
    for path in (make_invoice.PREVIEW, make_question.PLAYED):
        assert f'src="../_static/{path.name}"' in text
    assert make_question.PLAYED.read_bytes() == (FOLDER / "question.flac").read_bytes()
    with Image.open(make_invoice.PREVIEW) as small, Image.open(FOLDER / "invoice.jpg") as photo:
        difference = np.abs(np.asarray(small.convert("RGB"), float) - np.asarray(make_invoice.preview(photo), float))
    assert difference.mean() < 3  # lossy, and encoders differ a little; a photo of another seed is 4 away
    assert make_question.QUESTION in text and make_question.TEXT in text
