"""What a page asks of its reader: words, code, tables, drawings, questions, minutes.

    python tools/reading.py            print it for every page of the book
    python tools/reading.py --check    fail where an article passes its limits, or printed minutes are not the counted
    python tools/reading.py --write    write the minutes again, wherever a page prints them

Minutes are never typed. A page has `<!-- minutes -->10 minutes<!-- /minutes -->` where its own are to stand, or
`<!-- minutes book/primer/sound -->` for another page's; the comments show nowhere, not on Colab either.
A question that names minutes has them in `given = {minutes = 15}  # book/primer/sound`.

The pages that are held to the limits are those of `book/articles.txt`.
"""

import argparse
import base64
import html
import io
import math
import re
import sys
import wave
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

ROOT = Path(__file__).resolve().parents[1]
ARTICLES = ROOT / "book" / "articles.txt"
GIVEN = re.compile(r"(\{minutes = )\d+(\}  # ([\w/-]+))")  # in a file of questions
MARK = re.compile(r"(<!-- minutes(?: ([\w/-]+))? -->)(.*?)(<!-- /minutes -->)", re.DOTALL)

WORDS_A_MINUTE, LINES_A_MINUTE, SECONDS_A_ROW, SECONDS_A_PREDICT, MINUTES_OF_PLAY = 200, 15, 6, 45, 3
PRACTICE = "Practice", "Exercises"  # the heading where the article ends
MOST = {"words": 2400, "code": 120, "longest": 15, "tables": 4, "rows": 24, "minutes": 30}
LEAST = {"drawings": 4, "predicts": 5, "interactive": 2}

# What the library wraps between <!-- mm:kind key --> and <!-- /mm -->, and as what it counts.
OUTPUT = re.compile(r"<!-- mm:(\w+)[^>]*-->(.*?)<!-- /mm -->", re.DOTALL)
DRAWINGS, INTERACTIVE = {"figure", "strip"}, {"explore", "frames"}
ASKED = {"predict": "predicts", "quiz": "quiz"}  # what mmtokedu.course.quiz shows, and as what each question counts
FOLDED = '<details class="mm-fold">'  # a table that waits under a line
# Directives of which nothing is read as prose.
SILENT = {"bibliography", "contents", "eval-rst", "include", "math", "raw", "tableofcontents", "toctree"}


@dataclass
class Count:
    """What is in a stretch of a page. `longest` is the longest block of code, `sound` is in seconds.

    A question counts as many seconds in the text (a Predict) as in a quiz.
    """

    words: int = 0
    code: int = 0
    longest: int = 0
    tables: int = 0
    rows: int = 0
    drawings: int = 0
    predicts: int = 0
    quiz: int = 0
    interactive: int = 0
    play: int = 0
    sound: float = 0.0

    @property
    def minutes(self):
        asked = self.predicts + self.quiz
        seconds = SECONDS_A_ROW * self.rows + SECONDS_A_PREDICT * asked + self.sound
        play = MINUTES_OF_PLAY * (self.play > 0)  # the other explorables of a page are looked at like drawings
        return math.ceil(self.words / WORDS_A_MINUTE + self.code / LINES_A_MINUTE + seconds / 60 + play)

    def add(self, kind, value):
        if kind == "prose":
            self.words += words(value)
        elif kind == "code":
            self.code += value
            self.longest = max(self.longest, value)
        elif kind == "table":
            self.tables += 1
            self.rows += value
        elif kind == "sound":
            self.sound += value
        elif kind in ("drawings", "predicts", "quiz", "interactive", "play"):
            setattr(self, kind, getattr(self, kind) + 1)


@dataclass
class Page:
    """What is open and what is folded, before Practice and on the whole page."""

    name: str
    before: Count = field(default_factory=Count)
    folded: Count = field(default_factory=Count)  # before Practice
    whole: Count = field(default_factory=Count)
    whole_folded: Count = field(default_factory=Count)


# Markdown and notebooks to events: (kind, value, folded), in reading order


def parser():
    extensions = {
        "amsmath",
        "attrs_block",
        "attrs_inline",
        "colon_fence",
        "deflist",
        "dollarmath",
        "substitution",
        "tasklist",
    }
    return create_md_parser(MdParserConfig(enable_extensions=extensions), RendererHTML)


def markdown_events(text, folded=False):
    """Events of Markdown: heading (level, text), prose (inline tokens), code (lines), table (rows), drawings, predicts."""
    tokens, opened, rows, in_body = parser().parse(text), 0, None, False
    for before, token in zip([None, *tokens], tokens):
        hidden = folded or opened > 0
        if token.type == "html_block":
            opened += len(re.findall(r"<details\b", token.content)) - token.content.count("</details>")
        elif token.type in ("fence", "colon_fence"):
            yield from fence_events(token, hidden)
        elif token.type == "table_open":
            rows = 0
        elif token.type == "table_close":
            yield "table", rows, hidden
            rows = None
        elif token.type in ("tbody_open", "tbody_close"):
            in_body = token.type == "tbody_open"
        elif token.type == "tr_open":
            rows += in_body
        elif token.type == "inline" and before.type == "heading_open":
            yield "heading", (int(before.tag[1]), plain(token.children)), hidden
        elif token.type == "inline":
            yield from (("drawings", 1, hidden) for child in token.children if child.type == "image")
            if rows is None:
                yield "prose", token.children, hidden


def fence_events(token, folded):
    """Events of a directive, or of code in the page's text."""
    directive = re.match(r"\{([\w:-]+)\}", token.info)
    if not directive:
        yield "code", lines_in(token.content), folded
        return
    name = directive[1]
    options = re.match(r"(?:\s*:[\w-]+:.*\n?)*", token.content)[0]
    if name in ("figure", "image"):
        yield "drawings", 1, folded
    elif name.startswith("code"):
        yield "code", lines_in(token.content[len(options) :]), folded
        return
    if name in SILENT or name == "image":
        return
    classes = re.findall(r":class:(.*)", options)
    folds = name in ("dropdown", "toggle") or any({"dropdown", "toggle"} & set(c.split()) for c in classes)
    if any("mm-predict" in c.split() for c in classes) and not folds:
        yield "predicts", 1, folded
    yield from markdown_events(token.content[len(options) :], folded or folds)


def cell_events(cell):
    """Events of a notebook's cell: its code and its outputs, open or folded as its tags say."""
    if cell.cell_type == "markdown":
        yield from markdown_events(cell.source)
        return
    tags = set(cell.metadata.get("tags", ()))
    if cell.cell_type != "code" or "remove-cell" in tags:
        return
    if "remove-input" not in tags and lines_in(cell.source):
        yield "code", lines_in(cell.source), bool(tags & {"hide-input", "hide-cell"})
    if "remove-output" not in tags:
        for output in cell.outputs:
            for kind, body in OUTPUT.findall(output.get("data", {}).get("text/html", "")):
                hidden = bool(tags & {"hide-output", "hide-cell"}) or FOLDED in body
                yield from ((*event, hidden) for event in output_events(kind, body))


def output_events(kind, body):
    """(kind, value) of what the library showed."""
    if kind in DRAWINGS:
        yield "drawings", 1
    elif kind in INTERACTIVE:
        yield "interactive", 1
        if kind == "explore":
            yield "play", 1
    elif kind in ASKED:
        yield from [(ASKED[kind], 1)] * body.count("<mm-explore-ask ")
    elif kind == "table":
        rows = re.findall(r"<tr.*?</tr>", body.partition("</thead>")[2], re.DOTALL)
        yield "table", sum('scope="rowgroup"' not in row for row in rows)
    elif kind == "source":
        listing = re.search(r"<pre.*?</pre>", body, re.DOTALL)
        yield "code", lines_in(html.unescape(re.sub(r"<[^>]+>", "", listing[0] if listing else "")))
    elif kind == "audio":
        for sound in re.findall(r"data:audio/wav;base64,([^\"]+)", body):
            with wave.open(io.BytesIO(base64.b64decode(sound))) as file:
                yield "sound", file.getnframes() / file.getframerate()


def events(path):
    """Events of a page, Markdown or notebook."""
    if path.suffix == ".md":
        yield from markdown_events(path.read_text(encoding="utf-8"))
    else:
        for cell in nbformat.read(path, 4).cells:
            yield from cell_events(cell)


def lines_in(text):
    return sum(bool(line.strip()) for line in text.splitlines())


def plain(children):
    """The text of inline tokens as a reader sees it; a formula is one word, a citation none."""
    said = []
    for child in children:
        if child.type in ("text", "code_inline"):
            said.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            said.append(" ")
        elif child.type == "math_inline":
            said.append("x")
        elif child.type == "myst_role" and not child.meta["name"].startswith("cite"):
            said.append(re.sub(r"\s*<[^>]*>$", "", child.content))
    return "".join(said)


def words(children):
    return sum(any(c.isalnum() for c in word) for word in plain(children).split())


# Pages


def names():
    """Every page of the table of contents, in its order: its path without the suffix."""
    return re.findall(r"^[ -]*(?:root|file): (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"), re.MULTILINE)


def path_of(name):
    """The file of a page.

    Raises ValueError for a name that is no page.
    """
    for suffix in (".ipynb", ".md"):
        if (path := ROOT / f"{name}{suffix}").exists():
            return path
    raise ValueError(f"there is no page {name!r}; name it as in _toc.yml")


def count(name, path=None):
    """A page's `Page`: its counts before Practice and on the whole, open and folded."""
    page, practice = Page(name), False
    for kind, value, folded in events(path or path_of(name)):
        if kind == "heading":
            practice = practice or (value[0] == 2 and value[1] in PRACTICE)
            continue
        (page.whole_folded if folded else page.whole).add(kind, value)
        if not practice:
            (page.folded if folded else page.before).add(kind, value)
    return page


def articles():
    """The pages that are held to the limits."""
    lines = ARTICLES.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def over(page):
    """Where a page passes the limits of an article, one line each."""
    most = [
        (f"at most {limit} {name}", getattr(page.before, name))
        for name, limit in MOST.items()
        if getattr(page.before, name) > limit
    ]
    least = [
        (f"at least {limit} {name}", getattr(page.before, name))
        for name, limit in LEAST.items()
        if getattr(page.before, name) < limit
    ]
    return [f"{page.name}: {has}, an article has {limit}" for limit, has in most + least]


# Minutes on the pages


def filled(text, name):
    """A page's text with the minutes of every mark counted."""

    def minutes(mark):
        return f"{mark[1]}{count(mark[2] or name).before.minutes} minutes{mark[4]}"

    return MARK.sub(minutes, text)


def rewritten(path):
    """A file with its minutes counted, as text; of a notebook the Markdown cells alone are touched."""
    if path.suffix == ".toml":
        return GIVEN.sub(lambda line: f"{line[1]}{count(line[3]).before.minutes}{line[2]}", path.read_text("utf-8"))
    text, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT).with_suffix("").as_posix()
    if path.suffix == ".md":
        return filled(text, name)
    notebook = nbformat.reads(text, 4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and MARK.search(cell.source):
            cell.source = filled(cell.source, name)
    return nbformat.writes(notebook) + "\n" if MARK.search(text) else text


def stale(write=False):
    """The pages and questions whose minutes are not the counted ones; with `write`, they are written again."""
    found = []
    for path in [*map(path_of, names()), *sorted(ROOT.glob("mmtokedu/course/quiz/*.toml"))]:
        if (new := rewritten(path)) != path.read_text(encoding="utf-8"):
            found.append(path.relative_to(ROOT).with_suffix("").as_posix())
            if write:
                path.write_text(new, encoding="utf-8")
    return found


def table(pages):
    """The counts of pages as lines of text."""
    head = (
        "before Practice",
        "words",
        "code",
        "block",
        "tables",
        "rows",
        "drawn",
        "predict",
        "play",
        "min",
        "folded",
        "whole",
        "folded",
    )
    shape = "{:28}" + "{:>8}" * (len(head) - 1)
    yield shape.format(*head)
    for page in pages:
        b = page.before
        numbers = (b.words, b.code, b.longest, b.tables, b.rows, b.drawings, b.predicts, b.interactive, b.minutes)
        yield shape.format(page.name, *numbers, page.folded.minutes, page.whole.minutes, page.whole_folded.minutes)


def main(argv=None):
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--check", action="store_true", help="fail on an article over its limits and on stale minutes")
    options.add_argument("--write", action="store_true", help="write the minutes that pages print")
    given = options.parse_args(argv)
    if given.write:
        found = stale(write=True)
        stale(write=True)  # what was written is two words more where nothing stood
        print("written again:", ", ".join(found) or "nothing")
        return
    if not given.check:
        print("\n".join(table(count(name) for name in names())))
        return
    problems = [line for name in articles() for line in over(count(name))]
    problems += [
        f"{name}: its minutes are not the counted ones; run python tools/reading.py --write" for name in stale()
    ]
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(articles())} articles within their limits; every printed number of minutes is the counted one")


if __name__ == "__main__":
    main()
