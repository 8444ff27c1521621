"""What a student can do after a chapter is read, asked and graded where the guide for instructors says, and its lesson adds up."""

import re

import objectives
import pytest

pytestmark = pytest.mark.apart

GUIDE = objectives.ROOT / "book/instructors.md"


def test_every_objective_points_at_what_is_there_and_everything_serves_one():
    assert objectives.faults() == [] and "patches" in objectives.chapters()


def test_the_guides_tables_are_those_of_the_file_and_every_chapter_with_objectives_has_one():
    text = GUIDE.read_text(encoding="utf-8")
    assert objectives.filled(text) == text, "run python tools/objectives.py --write"
    assert [mark[1] for mark in objectives.MARK.findall(text)] == objectives.chapters()


def test_the_lessons_minutes_add_up_and_what_it_names_is_there():
    text = GUIDE.read_text(encoding="utf-8")
    assert objectives.lesson_faults(text) == []
    assert [(chapter, minutes) for chapter, minutes, _ in objectives.LESSON.findall(text)] == [
        ("patches", "50"),
        ("vq", "50"),
        ("rvq", "50"),
        ("interleave", "50"),
        ("mrope", "50"),
        ("compress", "50"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("| 4 to 10 |", "| 4 to 9 |", "not whole from 0 to 50"),
        ("| 48 to 50 |", "| 48 to 55 |", "not whole from 0 to 50"),
        ("| *Play* |", "| *Plays* |", "names “Plays”, no heading"),
        ("Predict `pairs`", "Predict `pears`", "asks “pears”, no question"),
    ],
)
def test_a_lesson_that_does_not_fit_its_chapter_is_found(old, new, says):
    text = GUIDE.read_text(encoding="utf-8")
    assert text.count(old) == 1
    (fault,) = objectives.lesson_faults(text.replace(old, new))
    assert says in fault


FIRST, *OTHERS = objectives.objectives("patches")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"says": "cut a picture"}, ["no objective says “cut a picture into", "“cut a picture” is no line under"]),
        ({"sections": ["Cut"]}, ["no sections item “Cut”"]),
        ({"quiz": ["row", "rows", "numbers-in-a-row"]}, ["no quiz item “row”"]),
        ({"quiz": ["rows"]}, ["quiz item “numbers-in-a-row” serves no objective"]),
        ({"assignment": ["put_back"]}, ["assignment item “block_order” serves no objective"]),
        ({"assignment": ["put_back", "block_order", "cut"]}, ["no assignment item “cut”"]),
        ({"sections": []}, ["sections that are not empty"]),
        ({"quiz": "rows"}, ["it needs chapter, says, sections, quiz, assignment"]),
        ({"minutes": 3}, ["it needs chapter"]),
    ],
)
def test_each_fault_of_a_row_is_found_and_alone(monkeypatch, change, says):
    rows = [FIRST | change, *OTHERS]
    monkeypatch.setattr(objectives, "objectives", lambda chapter=None: rows)
    found = objectives.faults()
    assert len(found) == len(says) and all(word in line for word, line in zip(says, found)), found


def test_an_objective_that_is_neither_asked_nor_graded_is_found(monkeypatch):
    bare = {"chapter": "patches", "says": FIRST["says"], "sections": FIRST["sections"], "quiz": [], "assignment": []}
    monkeypatch.setattr(objectives, "objectives", lambda chapter=None: [FIRST, bare, *OTHERS])
    assert objectives.faults() == [f"patches: “{FIRST['says']}” is neither asked nor graded"]


def test_headings_are_read_outside_code_and_promises_without_their_ends():
    text = (
        "# A\n\n```python\n# no heading\n```\n\n**Afterwards you can**\n\n- do one; \n- do two.\n\n#### Your turn: B\n"
    )
    assert objectives.headings(text) == ["A", "Your turn: B"]
    assert objectives.promised(text) == ["do one", "do two"] and objectives.promised("# A") == []


def test_a_graded_question_is_found_by_its_function_and_its_title():
    found = objectives.graded("patches")
    assert found["put_back"] == "Put the page back" and len(found) == 7
    text = (objectives.ROOT / "assignments/patches.ipynb").read_text(encoding="utf-8")
    assert len(re.findall("# BEGIN QUESTION", text)) == len(found)
