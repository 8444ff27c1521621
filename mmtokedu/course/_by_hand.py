"""What a person marks: a sheet to fill, the page to read beside it, and its marks put to the grader's.

`by-hand.csv` has a row a student, a column a line of the rubric. The grader writes it, and at its next run reads it: a row
in which every line has its points counts, one that is begun or empty waits. Marks stay with the words they were given for.
"""

import csv
import io
import json
from hashlib import sha256
from pathlib import Path

from mmtokedu.course._gradebook import table

SHEET = "by-hand.csv"


def lines(question):
    """The rubric's lines as columns of the sheet: (its head, the most that can be given)."""
    return [(f"{criterion} (0 to {len(levels) - 1})", len(levels) - 1) for criterion, levels in question["rubric"]]


def mark_of(answer):
    """Eight letters and digits of what is marked: other words, another prediction or other values have others."""
    told = json.dumps([answer["hand"]["words"], answer["hand"]["prediction"], answer["message"]])
    return sha256(told.encode()).hexdigest()[:8]


def waiting(results):
    """(result, answer) of all that a person marks."""
    return [(r, a) for r in results for a in r["answers"] if a["hand"]]


def sheet(key, results, given):
    """The sheet as rows: what was filled in before, `given`, stands where it stood."""
    rows = []
    for name, question in key.get("measured", {}).items():
        columns = lines(question)
        rows.append(["student", "question", "words", "receipt", "for", *(head for head, _ in columns)])
        for result, answer in waiting(results):
            if answer["name"] == name:
                about = [result["student"], name, len(answer["hand"]["words"].split()), answer["hand"]["receipt"]]
                marks = given.get((result["student"], name), {}).get("marks", [""] * len(columns))
                rows.append([*about, mark_of(answer), *marks])
    return rows


def read(folder, key):
    """(student, question) -> {for, marks as they stand} of the sheet in a folder; {} where there is none.

    ValueError for a file that is not the sheet any more.
    """
    path = Path(folder) / SHEET
    if not path.is_file():
        return {}
    rows, *_ = table(path.read_bytes(), path)
    found = {}
    for name, question in key.get("measured", {}).items():
        heads = [head for head, _ in lines(question)]
        if missing := [head for head in ("student", "question", "for", *heads) if head not in rows[0]]:
            raise ValueError(
                f"{path} has no column {' and none '.join(missing)}; move it away, and a new one is written"
            )
        for row in rows[1:]:
            about = dict(zip(rows[0], row))
            if about.get("question") == name:
                marks = [about.get(head, "").strip() for head in heads]
                found[_plain(about["student"]), name] = {"for": about.get("for", ""), "marks": marks}
    return found


def _plain(name):
    """A student's name without the quote that keeps a spreadsheet from taking it for a formula."""
    return name[1:] if name.startswith("'") and name[1:2] in ("=", "+", "-", "@", "\t", "\r") else name


def applied(key, results, given):
    """Put the marks of the sheet to the results, in place; returns what there is to say."""
    said, left = [], 0
    for result, answer in waiting(results):
        marked = given.get((result["student"], answer["name"]), {"for": "", "marks": [""]})
        columns = lines(key["measured"][answer["name"]])
        filled = [mark for mark in marked["marks"] if mark]
        if filled and marked["for"] != mark_of(answer):
            said.append(f"{SHEET}: {result['student']} was marked for other words than are there now; look again")
        elif len(filled) == len(columns):
            points = [_points(mark, most) for mark, (_, most) in zip(marked["marks"], columns)]
            if None not in points:
                _put(result, answer, points)
                continue
            wrong = marked["marks"][points.index(None)]
            said.append(f"{SHEET}: {result['student']} has “{wrong}” under {columns[points.index(None)][0]}")
        left += 1
    if left:
        said.append(f"{left} to be marked by hand: read by-hand.html, fill {SHEET}, and grade again")
    return said


def _points(mark, most):
    """A mark as a number, or None where it is none of this line's; a decimal comma will do."""
    try:
        points = float(mark.replace(",", "."))
    except ValueError:
        return None
    return points if 0 <= points <= most else None


def _put(result, answer, points):
    (part,) = (part for part in answer["parts"] if part["state"] == "by hand")
    part |= {"points": sum(points), "state": "marked"}
    answer["hand"]["marks"] = points
    for of in (answer, result):
        of["points"] += part["points"]
        of["possible"] += part["possible"]
    result["by_hand"] -= part["possible"]


def as_csv(rows, cell):
    """Rows as CSV; `cell` keeps a spreadsheet from taking text for a formula."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([cell(v) for v in row] for row in rows)
    return text.getvalue()
