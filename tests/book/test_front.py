"""The front page and the primer's: sums, the first picture, the map, and what each chapter needs, as the chapters say it."""

import posixpath
import re
from pathlib import Path

import draw_map
import first_picture
import nbformat
import numpy as np
import pytest
import yaml
from PIL import Image

pytestmark = pytest.mark.apart

ROOT = Path(__file__).parents[2]
SUM = re.compile(r"(?<![\d,.])(\d+(?:\s[×/]\s\d+)+)\s=\s(\d+)")


def wrong_sums(text):
    """The sums "a × b = c" or "a / b = c" of a text that do not come out."""
    wrong = []
    for left, right in SUM.findall(text):
        number, *rest = left.split()
        result = int(number)
        for sign, factor in zip(rest[::2], rest[1::2], strict=True):
            result = result * int(factor) if sign == "×" else result / int(factor)
        if result != int(right):
            wrong.append(f"{left} = {right}")
    return wrong


def test_the_sums_on_the_front_page():
    text = (ROOT / "book" / "intro.md").read_text(encoding="utf-8")
    assert len(SUM.findall(text)) >= 7
    assert wrong_sums(text) == []


def test_a_wrong_sum_is_noticed():
    assert wrong_sums("224 / 14 = 16, 60 × 2 × 256 = 30721, 15 / 14 = 1") == ["60 × 2 × 256 = 30721", "15 / 14 = 1"]


def test_the_stored_photo_is_what_its_tool_cuts():
    pytest.importorskip("skimage")
    with Image.open(first_picture.PHOTO) as stored:
        difference = np.abs(np.asarray(stored.convert("RGB"), float) - np.asarray(first_picture.photo(), float))
    assert difference.shape == (224, 224, 3)
    assert difference.mean() < 3  # lossy, and encoders differ a little; five pixels to the side it would be 19


def test_the_pieces_lie_in_reading_order():
    pieces = re.findall(r'<i style="--x:(\d+);--y:(\d+)">', first_picture.page())
    assert [(int(x), int(y)) for x, y in pieces] == [(i % 16, i // 16) for i in range(256)]


def test_the_map_links_what_is_written_and_marks_the_rest():
    html = draw_map.page(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))
    assert html.count('<a class="mm-place"') == 2 * len(written())  # one map for wide screens, one for phones
    assert html.count("mm-coming") == 2 * (9 - len(written()))
    for stem in written():
        assert f'href="../notebooks/{stem}.html"' in html


def test_a_place_on_the_map_is_named_as_its_chapter_is():
    for stem, (name, _) in draw_map.PLACES.items():
        if stem in written():
            assert nbformat.read(ROOT / f"notebooks/{stem}.ipynb", 4).cells[0].source.splitlines()[0] == f"# {name}"


# what a chapter needs


def contents():
    return draw_map.pages(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))


def written():
    return [page.removeprefix("notebooks/") for page in contents() if re.fullmatch(r"notebooks/\w+", page)]


def primer():
    """The primer's pages in the order of the contents, their first page left out."""
    return [page for page in contents() if re.fullmatch(r"book/primer/(?!index)[\w-]+", page)]


def linked(text, folder):
    """The pages that a text links, as the contents name them."""
    return [posixpath.normpath(posixpath.join(folder, path)) for path in re.findall(r"\]\(([\w./-]+)\.ipynb\)", text)]


def asked_for(stem):
    """The pages that a chapter's "Before you start" links."""
    cells = nbformat.read(ROOT / f"notebooks/{stem}.ipynb", 4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    (before,) = re.findall(r"^\*\*Before you start\*\*(.*?)(?:\*\*Time\*\*|\n\n)", text, re.MULTILINE | re.DOTALL)
    return set(linked(before, "notebooks"))


def rows(page, head):
    """The cells of the table under this first column, row by row."""
    text = (ROOT / page).read_text(encoding="utf-8")
    (table,) = re.findall(rf"^\| {head} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table.splitlines()]


def test_the_front_page_asks_for_what_each_chapter_asks_for():
    said = {linked(chapter, "book")[0]: set(linked(" ".join(needs), "book")) for chapter, *needs in front_needs()}
    assert said == {f"notebooks/{stem}": asked_for(stem) for stem in written()}
    assert list(said) == [f"notebooks/{stem}" for stem in written()]


def front_needs():
    return rows("book/intro.md", "chapter")


def test_a_page_of_the_primer_is_offered_with_its_own_minutes():
    for page, cells in [
        ("book/intro.md", front_needs()),
        ("book/primer/index.md", rows("book/primer/index.md", "page")),
    ]:
        text = " ".join(cell for row in cells for cell in row)
        offered = [name for name in linked(text, posixpath.dirname(page)) if name in primer()]
        assert offered == re.findall("<!-- minutes (\\S+) -->", text), page


def test_the_primer_names_the_chapters_that_ask_for_a_page_and_no_others():
    said = {linked(page, "book/primer")[0]: needed for page, *_, needed in rows("book/primer/index.md", "page")}
    assert list(said) == primer()
    for page, needed in said.items():
        asking = [f"notebooks/{stem}" for stem in written() if page in asked_for(stem)]
        assert linked(needed, "book/primer") == asking, page
        if "to come" in needed:
            stems = {name: stem for stem, (name, _) in draw_map.PLACES.items()}
            assert not {stems[name] for name in re.findall(r"\*(.+?)\*", needed)} & set(written()), page


def test_the_pages_of_the_primer_stand_in_the_order_in_which_chapters_ask_for_them():
    needs = [asked_for(stem) for stem in written()]
    first = [next((i for i, pages in enumerate(needs) if page in pages), len(needs)) for page in primer()]
    assert first == sorted(first)


def test_next_on_a_page_of_the_primer_is_the_next_one():
    seen = 0
    for page, following in zip(primer(), primer()[1:] + [None]):
        text = (ROOT / f"{page}.ipynb").read_text(encoding="utf-8")
        for path in re.findall(r"Next: \[[^]]+\]\(([\w-]+)\.ipynb\)", text):
            seen += 1
            assert f"book/primer/{path}" == following, page
    assert seen >= 4


def test_the_way_from_the_front_page_is_two_steps_to_the_first_chapter():
    assert contents()[:3] == ["book/intro", "book/how-to-use", "notebooks/patches"]
