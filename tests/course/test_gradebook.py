"""A Canvas gradebook: a cell gets a mark where one row and one submission fit each other, and else a sentence says why not."""

import csv
import io

import pytest

from mmtokedu.course._gradebook import Gradebook

KEY = {"name": "patches", "version": "0123456789ab", "title": "Patches", "questions": {"cut": {}}}
GRADEBOOK = """\
Student,ID,SIS User ID,SIS Login ID,Section,Other (1),Patches (77),Final
,,,,,Manual Posting,,
    Points Possible,,,,,10,4,(read only)
"Doe, Jane",501,s1,jdoe,A,7,,9
"Núñez, Ana",502,s2,anunez,A,8,1,9
"Ray, Sam",503,s3,sray,A,9,2,9
"Late, Lee",504,s4,llee,A,1,,9
"Student, Test",999,,x,A,,,
"""


def result(student, points=3, number="", name="", state="fail", kit="", notes=()):
    return {"student": student, "name": name or student, "number": number, "state": state, "points": points, "kit": kit, "by_hand": 0,
            "notes": list(notes)}  # fmt: skip


@pytest.fixture
def filled(tmp_path):
    """(text of the copy, its column by student, what is said) of a gradebook and some results."""

    def fill(data, results, column=""):
        (tmp_path / "g.csv").write_bytes(data if isinstance(data, bytes) else data.encode())
        text, said = Gradebook(tmp_path / "g.csv", KEY, column).filled(results)
        delimiter = ";" if text.count(";") > text.count(",") else ","
        rows = list(csv.reader(io.StringIO(text.lstrip("\ufeff")), delimiter=delimiter))
        return text, {row[0]: row[6] for row in rows}, said

    return fill


def test_one_column_is_filled_and_nothing_else_changes(filled):
    results = [
        result("doejane_501", number="501"),
        result("anunez", 4),
        result("leelate_504", 1.5, "504"),
        result("nobody"),
    ]
    text, marks, said = filled(GRADEBOOK, results)
    before, after = (list(csv.reader(io.StringIO(t))) for t in (GRADEBOOK, text))
    assert [r[6] for r in after] == ["Patches (77)", "", "4", "3", "4", "2", "1.5", ""]
    assert [r[:6] + r[7:] for r in after] == [r[:6] + r[7:] for r in before]
    assert said == ["no submission of: Ray, Sam", "nobody there fits the submission nobody"]


@pytest.mark.parametrize("name", ["501", "s1", "JDoe", "Jane Doe", "doe jane", "Doe, Jane", "jane_doe"])
def test_a_student_is_known_by_each_of_the_names(filled, name):
    assert filled(GRADEBOOK, [result(name)])[1]["Doe, Jane"] == "3"


def test_the_points_of_one_whose_name_starts_like_anothers_stay_where_they_belong(filled):
    book = GRADEBOOK.replace("jdoe", "li").replace("anunez", "wei").replace("sray", "li_wei")
    _, marks, said = filled(book, [result("li_wei", 4)])
    assert (marks["Doe, Jane"], marks["Núñez, Ana"], marks["Ray, Sam"]) == ("", "1", "4")
    _, marks, said = filled(book.replace("li_wei", "sray"), [result("li_wei", 4)])
    assert (marks["Doe, Jane"], marks["Núñez, Ana"], marks["Ray, Sam"]) == ("", "1", "2")
    assert "nobody there fits the submission li_wei" in said


def test_two_students_of_one_name_get_no_mark_by_name(filled):
    book = GRADEBOOK.replace("Ray, Sam", "Doe, Jane")
    _, marks, said = filled(book, [result("Jane Doe_12", name="Jane Doe")])
    assert marks["Doe, Jane"] == "2"  # the last row of that name; neither was touched
    assert [s for s in said if "fits Doe, Jane and Doe, Jane; by hand" in s] and "3" not in marks.values()
    results = [result("doejane_501", 3, "501", "doejane"), result("doejane_503", 4, "503", "doejane")]
    text = filled(book, results)[0]
    assert [row[6] for row in csv.reader(io.StringIO(text)) if row[0] == "Doe, Jane"] == ["3", "4"]


def test_two_submissions_for_one_student_fill_nothing(filled):
    _, marks, said = filled(GRADEBOOK, [result("jdoe", 3), result("Jane Doe", 4)])
    assert marks["Doe, Jane"] == "" and "not filled, the submissions jdoe and Jane Doe both fit: Doe, Jane" in said


@pytest.mark.parametrize(
    "more, why",
    [
        ({"state": "unread", "points": 0, "notes": ["a.pdf: this is a PDF"]}, "was not graded (a.pdf: this is a PDF)"),
        ({"state": "ungraded", "points": 0, "notes": ["the grader stopped on it"]}, "was not graded"),
        ({"kit": "aaaaaaaaaaaa"}, "is a notebook of another kit (aaaaaaaaaaaa)"),
    ],
)
def test_a_mark_that_is_none_is_not_written(filled, more, why):
    _, marks, said = filled(GRADEBOOK, [result("sray", **more)])
    assert marks["Ray, Sam"] == "2" and [s for s in said if why in s and "Ray, Sam" in s]
    assert filled(GRADEBOOK, [result("sray", kit=KEY["version"])])[1]["Ray, Sam"] == "3"


@pytest.mark.parametrize(
    "data",
    [
        GRADEBOOK.encode("utf-8-sig"), GRADEBOOK.encode("cp1252"), GRADEBOOK.encode("utf-16"),
        GRADEBOOK.replace('"', "").replace(", ", "\0").replace(",", ";").replace("\0", ", ").encode("cp1252"),
        GRADEBOOK.replace("\n", "\r\n").encode(), GRADEBOOK.replace("ñ", "n\u0303").replace("ú", "u\u0301").encode(),
    ],
    ids=["mark", "cp1252", "utf-16", "semicolons", "crlf", "decomposed"],
)  # fmt: skip
def test_a_gradebook_is_read_as_spreadsheets_save_it(filled, data):
    text, marks, said = filled(data, [result("Ana Núñez", 4)])
    assert [mark for name, mark in marks.items() if name.startswith("N")] == ["4"]
    assert text.startswith("\ufeff") == data.startswith(b"\xef\xbb\xbf") and (";" in text) == (b";" in data)


@pytest.mark.parametrize(
    "data, column, complaint",
    [
        (b"", "", "is empty"), (b"\n \n", "", "is empty"), (b"a,b\n1,2\n", "", "no column Student and none ID"),
        (GRADEBOOK.encode(), "Quiz", "0 columns “Quiz”; name one with --column"),
        (GRADEBOOK.replace("Other (1)", "Patches (1)").encode(), "", "2 columns “Patches”"),
        (b"%PDF-1.7", "", "no column Student"), (b'Student,ID,"' + b"x" * 200_000, "", "no table that can be read"),
    ],
)  # fmt: skip
def test_what_is_no_gradebook_is_refused_in_a_sentence(filled, data, column, complaint):
    with pytest.raises(ValueError, match="gradebook|empty|table") as caught:
        filled(data, [], column)
    assert complaint in str(caught.value) and "\n" not in str(caught.value)


def test_a_short_row_is_filled(filled):
    assert filled(GRADEBOOK.replace("sray,A,9,2,9", "sray"), [result("sray")])[1]["Ray, Sam"] == "3"
