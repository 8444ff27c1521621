"""From objective to section, to question in the page, to graded question: `book/objectives.toml` and its tables.

    python tools/objectives.py            print the tables
    python tools/objectives.py --check    fail where a row or a lesson plan is wrong, or a table in book/instructors.md is stale
    python tools/objectives.py --write    write the tables again, between <!-- objectives STEM --> and <!-- /objectives -->

    [[objective]]
    chapter = "patches"
    says = "cut a picture into a sequence"    # a line under the chapter's "Afterwards you can"
    sections = ["Cut"]                        # headings of the chapter
    quiz = ["rows"]                           # questions of mmtokedu/course/quiz/patches.toml; [] where there is none
    assignment = ["put_back"]                 # functions that assignments/patches.ipynb asks for; [] where there is none

A chapter is its article: the draft in notebooks/draft/ while there is one. Every line of "Afterwards you can", every
question of the page and every graded question has to serve an objective.
"""

import argparse
import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIELDS = {"chapter": str, "says": str, "sections": list, "quiz": list, "assignment": list}
LESSON = re.compile(r"<!-- lesson (\w+) (\d+) -->\n(.*?)<!-- /lesson -->", re.DOTALL)
MARK = re.compile(r"(<!-- objectives (\w+) -->\n)(.*?)(<!-- /objectives -->)", re.DOTALL)


def objectives(chapter=None):
    """The rows of `book/objectives.toml`, of one chapter or of all."""
    rows = tomllib.loads((ROOT / "book/objectives.toml").read_text(encoding="utf-8"))["objective"]
    return [row for row in rows if chapter in (None, row.get("chapter"))]


def chapters():
    """The chapters that have objectives, in the order of the file."""
    return list(dict.fromkeys(row.get("chapter", "") for row in objectives()))


# What there is to point at


def cells(path):
    """(kind, source) of a notebook's cells."""
    read = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [(cell["cell_type"], "".join(cell["source"])) for cell in read]


def article(chapter):
    """The Markdown of a chapter, of its draft while there is one."""
    places = (ROOT / place / f"{chapter}.ipynb" for place in ("notebooks/draft", "notebooks"))
    path = next(path for path in places if path.is_file())
    return "\n\n".join(source for kind, source in cells(path) if kind == "markdown")


def headings(text):
    """The headings of Markdown, code left out."""
    return re.findall(r"^#+ (.+?)\s*$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)


def promised(text):
    """The lines under "Afterwards you can", without what ends them."""
    found = re.search(r"\*\*Afterwards you can\*\*\n\n((?:- .*\n?)+)", text)
    return [line.removeprefix("- ").rstrip(" ;.") for line in found[1].splitlines()] if found else []


def asked(chapter):
    """Question of the page -> "predict" or "quiz"."""
    path = ROOT / f"mmtokedu/course/quiz/{chapter}.toml"
    return {row["id"]: row["at"] for row in tomllib.loads(path.read_text(encoding="utf-8"))["question"]}


def graded(chapter):
    """Function that the assignment asks for -> the title of its question."""
    found, name = {}, ""
    for kind, source in cells(ROOT / f"assignments/{chapter}.ipynb"):
        begins = kind == "raw" and re.match(r"# BEGIN QUESTION\nname: (\w+)", source)
        if begins:
            name = begins[1]
        elif name and kind == "markdown":
            found[name], name = source.splitlines()[0].lstrip("# "), ""
    return found


# Checked, and shown


def faults():
    """What is wrong with the rows, one line each."""
    found = []
    for number, row in enumerate(objectives(), 1):
        if {name: type(value) for name, value in row.items()} != FIELDS or not row["sections"]:
            found.append(f"objective {number}: it needs {', '.join(FIELDS)}, and sections that are not empty")
    return found or [line for chapter in chapters() for line in chapter_faults(chapter)]


def chapter_faults(chapter):
    rows, text = objectives(chapter), article(chapter)
    there = {"sections": headings(text), "quiz": asked(chapter), "assignment": graded(chapter)}
    found = [
        f"{chapter}: no objective says “{line}”" for line in promised(text) if line not in [r["says"] for r in rows]
    ]
    for row in rows:
        if row["says"] not in promised(text):
            found.append(f"{chapter}: “{row['says']}” is no line under “Afterwards you can”")
        for kind, known in there.items():
            found += [f"{chapter}: “{row['says']}”: no {kind} item “{item}”" for item in row[kind] if item not in known]
        if not row["quiz"] and not row["assignment"]:
            found.append(f"{chapter}: “{row['says']}” is neither asked nor graded")
    for kind in ("quiz", "assignment"):
        serves = {item for row in rows for item in row[kind]}
        found += [f"{chapter}: {kind} item “{item}” serves no objective" for item in there[kind] if item not in serves]
    return found


def lesson_faults(text):
    """What is wrong with the lesson plans of a page: minutes with a gap, headings and questions that are not there."""
    found = []
    for chapter, minutes, plan in LESSON.findall(text):
        spans = [(int(a), int(b)) for a, b in re.findall(r"^\| (\d+) to (\d+) \|", plan, re.M)]
        ends = [0, *(end for _, end in spans)]
        if [start for start, _ in spans] != ends[:-1] or ends[-1] != int(minutes):
            found.append(f"{chapter}: the lesson's minutes are {spans}, not whole from 0 to {minutes}")
        known = headings(article(chapter))
        places = re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", plan)
        found += [f"{chapter}: the lesson names “{place}”, no heading" for place in places if place not in known]
        items = re.findall(r"`([a-z-]+)`", plan)
        found += [f"{chapter}: the lesson asks “{item}”, no question" for item in items if item not in asked(chapter)]
    return found


def table(chapter):
    """A chapter's objectives as a table in Markdown."""
    kinds, titles = asked(chapter), graded(chapter)
    lines = ["| a student can | reads | is asked in the page | is graded on |", "|---|---|---|---|"]
    for row in objectives(chapter):
        quiz = ", ".join(f"`{item}` ({kinds[item].replace('predict', 'Predict')})" for item in row["quiz"])
        assignment = ", ".join(f"`{item}` ({titles[item]})" for item in row["assignment"])
        read = ", ".join(f"*{section}*" for section in row["sections"])
        lines.append(f"| {row['says']} | {read} | {quiz or '–'} | {assignment or '–'} |")
    return "\n".join(lines) + "\n"


def filled(text):
    """A page's text with every table written anew."""
    return MARK.sub(lambda mark: mark[1] + "\n" + table(mark[2]) + "\n" + mark[4], text)


def main(argv=None):
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--check", action="store_true", help="fail on a wrong row and on a stale table")
    options.add_argument("--write", action="store_true", help="write the tables in book/instructors.md again")
    given = options.parse_args(argv)
    page = ROOT / "book/instructors.md"
    text = page.read_text(encoding="utf-8")
    if found := faults() + lesson_faults(text):
        sys.exit("\n".join(found))
    if given.write:
        page.write_text(filled(text), encoding="utf-8")
    elif given.check:
        if filled(text) != text:
            sys.exit("the tables in book/instructors.md are stale; run python tools/objectives.py --write")
        print(f"{len(objectives())} objectives in {len(chapters())} chapters, their tables up to date")
    else:
        print("\n".join(f"{chapter}\n\n{table(chapter)}" for chapter in chapters()))


if __name__ == "__main__":
    main()
