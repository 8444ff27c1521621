"""A Canvas gradebook with one column filled. A cell gets a mark only where one row and one submission fit each other."""

import csv
import io
import re
import unicodedata
from pathlib import Path

from mmtokedu.course._grade import NOT_MARKED


class Gradebook:
    """An exported gradebook that was found to be one, with the column that is to be filled. ValueError: what is wrong."""

    def __init__(self, path, key, column=""):
        self.key, data = key, Path(path).read_bytes()
        self.rows, self.delimiter, self.bom = table(data, path)
        head, wanted = self.rows[0], column or key["title"]
        missing = [name for name in ("Student", "ID") if name not in head]
        if missing:
            raise ValueError(
                f"{path} is no gradebook exported from Canvas: it has no column {' and none '.join(missing)}"
            )
        fits = [i for i, name in enumerate(head) if name == wanted or name.startswith(wanted + " (")]
        if len(fits) != 1:
            raise ValueError(f"the gradebook has {len(fits)} columns “{wanted}”; name one with --column: {head[5:]}")
        self.column = fits[0]

    def students(self):
        """(number of the row, name, ID, {what the student may be called}) of each student."""
        for number, row in enumerate(self.rows[1:], 1):
            about = dict(zip(self.rows[0], row))
            student = about.get("Student", "").strip()
            if student in ("", "Points Possible", "Student, Test") or not about.get("ID", "").strip():
                continue
            last, _, first = student.partition(",")
            names = [about.get(k, "") for k in ("SIS User ID", "SIS Login ID")] + [last + first, first + last]
            yield number, student, about["ID"].strip(), {_plain(name) for name in (about["ID"], *names) if _plain(name)}

    def filled(self, results):
        """The gradebook's text with the marks in it, and what there is to say: who got none or only a part, and why."""
        students = list(self.students())
        fits = {r["student"]: [s for s in students if _fit(r, *s[2:])] for r in results}
        rows, said, in_part = [list(row) for row in self.rows], [], []
        for number, student, *_ in students:
            mine = [r for r in results if any(s[0] == number for s in fits[r["student"]])]
            why = self._doubt(mine, fits)
            if why:
                said.append(f"{why}: {student}")
                continue
            row = rows[number]
            row += [""] * (self.column + 1 - len(row))
            row[self.column] = f"{mine[0]['points']:g}"
            if mine[0]["by_hand"]:
                in_part.append(f"{student} (of {mine[0]['possible']:g}, and {mine[0]['by_hand']:g} by hand)")
        said += [f"nobody there fits the submission {r['student']}" for r in results if not fits[r["student"]]]
        if in_part:
            said.append(f"the automatic part alone, points by hand are still to be given: {'; '.join(in_part)}")
        text = io.StringIO()
        csv.writer(text, delimiter=self.delimiter, lineterminator="\n").writerows(rows)
        return self.bom + text.getvalue(), said

    def _doubt(self, mine, fits):
        """Why a student gets no mark here, or nothing."""
        if not mine:
            return "no submission of"
        if len(mine) > 1:
            return f"not filled, the submissions {' and '.join(r['student'] for r in mine)} both fit"
        result, where = mine[0], fits[mine[0]["student"]]
        if len(where) > 1:
            return f"not filled, {result['student']} fits {' and '.join(name for _, name, *_ in where)}; by hand, then"
        if result["state"] in NOT_MARKED:
            return f"not filled, {result['student']} was not graded ({result['notes'][0] if result['notes'] else 'no card'})"
        if result["kit"] not in ("", self.key["version"]):
            return f"not filled, {result['student']} is a notebook of another kit ({result['kit']})"
        return ""


def _fit(result, number, names):
    """Whether a submission is a student's: by the number that Canvas gave its file, else by the whole of its name."""
    if result["number"]:
        return result["number"] == number
    return _plain(result["name"]) in names


def _plain(name):
    """A name without case, spaces, points and the ways to write one accent."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold())


def table(data, path):
    """Rows, delimiter and byte order mark of a CSV file in UTF-8, UTF-16 or, from a spreadsheet, Windows-1252."""
    if not data.strip():
        raise ValueError(f"{path} is empty; export the gradebook from Canvas again")
    bom = "\ufeff" if data.startswith(b"\xef\xbb\xbf") else ""
    try:
        text = data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)]
    except csv.Error as error:
        raise ValueError(f"{path} is no table that can be read: {error}") from None
    return [row for row in rows if row] or [[]], delimiter, bom
