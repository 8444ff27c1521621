"""A lab's table of parts: every part is in it, and the minutes that it promises are the counted ones."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.apart

pytest.importorskip("myst_parser")
nbformat = pytest.importorskip("nbformat")
import reading

LABS = sorted((Path(__file__).parents[2] / "notebooks" / "lab").glob("*.ipynb"))
ROW = re.compile(r"^\| \[(.+?)\]\(#(\S+)\) \| .+ \| (\d+) \|$", re.M)


def promised(cells):
    """{part: minutes} of the table of parts; empty where a lab has none with minutes."""
    found = ROW.findall(cells[0].source)
    assert all(anchor == title.replace(" ", "-") for title, anchor, _ in found)
    return {title: int(minutes) for title, _, minutes in found}


def counted(cells):
    """{part: minutes}: to read it, and for a part of exercises what these say of themselves."""
    parts, part = {}, None
    for cell in cells:
        for kind, value, folded in reading.cell_events(cell):
            if kind == "heading":
                part = value[1] if value[0] == 2 else part
            elif part and not folded:
                parts.setdefault(part, reading.Count()).add(kind, value)
    minutes = {title: count.minutes for title, count in parts.items()}
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    exercises = sum(map(int, re.findall(r"^### Your turn: .*, (\d+) minutes\)$", text, re.M)))
    return minutes | {title: exercises for title in reading.PRACTICE if title in minutes}


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_the_minutes_of_each_part_are_the_counted_ones(path):
    cells = nbformat.read(path, 4).cells
    if table := promised(cells):
        assert table == counted(cells)


def test_there_is_such_a_table():
    assert any(promised(nbformat.read(path, 4).cells) for path in LABS)


def test_a_wrong_minute_and_a_missing_part_are_noticed():
    table = "# Lab\n\n| [One](#One) | what? | 2 |\n| [Exercises](#Exercises) | how? | 5 |\n"
    texts = [table, "## One\n\n" + "word " * 300, "## Exercises\n\n### Your turn: add (easy, 5 minutes)\n\nAdd."]
    cells = [nbformat.v4.new_markdown_cell(text) for text in texts]
    assert promised(cells) == counted(cells) == {"One": 2, "Exercises": 5}
    more = [*cells, nbformat.v4.new_markdown_cell("## Two\n\nA word. " + "word " * 200)]
    assert counted(more) == promised(cells) | {"Two": 2}
    cells[1].source += "word " * 200
    assert counted(cells)["One"] == 3
