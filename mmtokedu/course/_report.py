"""What graded results are written to: CSV, Gradescope, JUnit, and a page for each student."""

import html
import json
import re
from pathlib import Path
from xml.etree import ElementTree

from mmtokedu.course import _by_hand
from mmtokedu.course._notebook import kit_name
from mmtokedu.show.markup import PALETTE

LOOK = {  # state -> mark, word, colour of the palette
    "pass": ("✓", "right", "video"),
    "fail": ("✗", "not right yet", "accent"),
    "timeout": ("◷", "no answer in time", "accent"),
    "crash": ("!", "stopped", "accent"),
    "ungraded": ("·", "not graded here", "muted"),
    "unread": ("?", "could not be read", "accent"),
    "by hand": ("✎", "to be marked by hand", "muted"),
    "marked": ("✎", "marked by hand", "video"),
}
WAITS = "ungraded", "by hand"  # states of a part of which no mark is made here
NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")


def write_all(key, results, out, book=""):
    """Write every report into the folder `out`, in the place of earlier ones; returns what there is to say.

    `book` is the built book's address, for links. Marks that a person gave are read from the sheet in `out`.
    """
    out = Path(out)
    given = _by_hand.read(out, key)
    said = _by_hand.applied(key, results, given)
    (out / "feedback").mkdir(parents=True, exist_ok=True)
    _write(out / "grades.csv", grades_csv(key, results))
    _write(out / "junit.xml", junit(key, results))
    for old in (*out.glob("feedback/*.html"), *out.glob("gradescope/*/results.json")):
        old.unlink()
    names = file_names(results)
    for name, result in zip(names, results):
        _write(out / f"feedback/{name}.html", feedback(key, result, book))
        (out / f"gradescope/{name}").mkdir(parents=True, exist_ok=True)
        _write(out / f"gradescope/{name}/results.json", json.dumps(gradescope(result), indent=1))
    _write(out / "class.html", overview(key, results, names))
    if key.get("measured"):
        _write(out / _by_hand.SHEET, _by_hand.as_csv(_by_hand.sheet(key, results, given), _cell))
        _write(out / "by-hand.html", to_mark(key, results))
    return said


def _write(path, text):
    """Text as UTF-8; half a character, which a stranger's text may hold, becomes its escape."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def file_names(results):
    """A plain file name for each result, no two alike."""
    names = []
    for result in results:
        stem = re.sub(r"[^\w.-]+", "-", result["student"]).strip("-.")[:80] or "submission"
        name, again = stem, 2
        while name.lower() in (n.lower() for n in names):
            name, again = f"{stem}-{again}", again + 1
        names.append(name)
    return names


def _cell(value):
    """Text that a spreadsheet does not take for a formula."""
    return "'" + value if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def grades_csv(key, results):
    """A row a student: points, state, then points and state of each question, then the likely causes."""
    names = asked(key)
    rows = [["student", "file", "points", "possible", "by hand", "state", "seconds"]]
    rows[0] += [f"{name}{what}" for name in names for what in ("", " state")] + ["causes", "notes", "kit"]
    for r in results:
        answers = {a["name"]: a for a in r["answers"]}
        row = [r["student"], r["file"], r["points"], r["possible"], r["by_hand"], r["state"], r["seconds"]]
        for name in names:
            a = answers.get(name)
            row += [a["points"], a["state"]] if a else ["", ""]
        causes = "; ".join(f"{a['name']}: {a['cause']}" for a in r["answers"] if a["cause"])
        rows.append([*row, causes, "; ".join(r["notes"]), kit_name(key)])
    return _by_hand.as_csv(rows, _cell)


def asked(key):
    """The names of all questions of a key."""
    return [*key["questions"], *key.get("measured", {})]


def gradescope(result):
    """Gradescope's results.json: a test a part of the rubric, shown when the grades are published."""
    tests = []
    for a in result["answers"]:
        for number, part in enumerate(a["parts"]):
            test = {
                "name": f"{a['name']}: {part['name']}",
                "max_score": part["possible"],
                "visibility": "after_published",
            }
            if part["state"] in WAITS:
                word = LOOK[part["state"]][1]
                tests.append(test | {"score": 0, "max_score": 0, "output": f"{word}: {a['message']}"})
                continue
            full = part["points"] == part["possible"]
            test |= {"score": part["points"], "status": "passed" if full else "failed"}
            tests.append(test | {"output": a["message"] if number == 0 else part["state"]})
    return {
        "score": result["points"],
        "execution_time": result["seconds"],
        "output": "\n".join(result["notes"]),
        "visibility": "after_published",
        "stdout_visibility": "hidden",
        "tests": tests,
    }


def junit(key, results):
    """JUnit XML: a suite a student, a case a part of the rubric."""
    root = ElementTree.Element("testsuites", name=_xml(key["title"]))
    for r in results:
        parts = [(a, part) for a in r["answers"] for part in a["parts"]]
        count = {s: sum(part["state"] == s for _, part in parts) for s in LOOK}
        suite = ElementTree.SubElement(
            root, "testsuite", name=_xml(r["student"]), tests=str(len(parts)), failures=str(count["fail"]),
            errors=str(count["crash"] + count["timeout"] + count["unread"]), skipped=str(sum(count[s] for s in WAITS)), time=str(r["seconds"]),
        )  # fmt: skip
        for a, part in parts:
            case = ElementTree.SubElement(suite, "testcase", classname=_xml(a["name"]), name=_xml(part["name"]))
            tag = {"fail": "failure", "ungraded": "skipped", "by hand": "skipped", "pass": "", "marked": ""}
            tag = tag.get(part["state"], "error")
            if tag:
                ElementTree.SubElement(case, tag, message=_xml(a["cause"] or part["state"])).text = _xml(a["message"])
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text):
    return NOT_IN_XML.sub("?", text)


def _colours(column):
    return ";".join(f"--{name}:{pair[column]}" for name, pair in PALETTE.items())


STYLE = (
    f":root{{{_colours(0)};color-scheme:light dark}}@media(prefers-color-scheme:dark){{:root{{{_colours(1)}}}}}"
    + """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);line-height:1.55;
  font-family:Literata,Georgia,"Noto Serif",serif;font-size:1.05rem}
main{max-width:43rem}main.whole{max-width:none}main{margin:0 auto;padding:2.5rem 1.2rem 4rem}
h1,h2,summary,.facts,.score,table{font-family:"Instrument Sans",system-ui,"Segoe UI","Noto Sans",sans-serif}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .2rem}
.who{color:var(--muted);margin:0 0 1.8rem;overflow-wrap:anywhere}
.score{display:flex;align-items:baseline;gap:.6rem;font-size:1.1rem;margin:0 0 .5rem}
.score b{font-size:3rem;line-height:1;font-weight:650;font-variant-numeric:tabular-nums}
.strip{display:flex;gap:3px;height:16px;margin:0 0 2.4rem}
.strip i{flex:1;border:1.5px solid var(--c);border-radius:2px}
.strip i.full{background:var(--c)}
.strip i.half{background:linear-gradient(90deg,var(--c) 50%,transparent 0)}
section{border-top:1px solid var(--rule);padding:1.3rem 0 1.1rem}
h2{font-size:1.15rem;margin:0;display:flex;gap:.6rem;align-items:baseline}
h2 span{flex:1}
h2 .points{flex:none;font-weight:500;font-variant-numeric:tabular-nums}
.mark{flex:none;width:1.2em;text-align:center;color:var(--c);font-weight:700}
.facts{color:var(--muted);font-size:.9rem;margin:.15rem 0 .7rem 1.8em}
.cause{border-left:3px solid var(--c);padding:.1rem 0 .1rem .9rem;margin:.8rem 0 .8rem 1.8em}
pre{margin:.6rem 0 .6rem 1.8em;padding:.7rem .9rem;border:1px solid var(--rule);border-radius:4px;white-space:pre-wrap;
  overflow-wrap:anywhere;font:.86rem/1.5 "IBM Plex Mono",ui-monospace,Menlo,Consolas,monospace}
ul{list-style:none;margin:.4rem 0 .2rem 1.8em;padding:0;font-size:.95rem}
li{display:flex;gap:.6rem}li span{flex:1}li .points{flex:none;font-variant-numeric:tabular-nums;color:var(--muted)}
a{color:inherit;text-underline-offset:.2em}
.words{white-space:pre-wrap;overflow-wrap:anywhere;margin:.8rem 0 .8rem 1.8em}
.notes{color:var(--muted);font-size:.95rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.95rem;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:.4rem .6rem;border-bottom:1px solid var(--rule);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
@media(max-width:480px){main{padding:1.5rem 1rem 3rem}pre,ul,.cause,.facts{margin-left:0}}
@media print{.strip i{print-color-adjust:exact}}
"""
)


def _page(title, body, width="column"):
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<style>{STYLE}</style></head>\n<body><main class="{width}">\n{body}\n</main></body></html>\n'
    )


def _colour(state):
    return f"--c:var(--{LOOK[state][2]})"


def feedback(key, result, book=""):
    """A student's page: points, a cell a question, and for each what was found. One file, no script, no network."""
    text = html.escape
    cells, sections = [], []
    for a in result["answers"]:
        mark, word, _ = LOOK[a["state"]]
        fill = "full" if a["points"] and a["points"] == a["possible"] else "half" if a["points"] else ""
        cells.append(f'<i class="{fill}" style="{_colour(a["state"])}" title="{text(a["title"])}: {word}"></i>')
        parts = "".join(
            f'<li style="{_colour(p["state"])}"><b class="mark" aria-hidden="true">{LOOK[p["state"]][0]}</b>'
            f"<span>{text(p['name'])}: {LOOK[p['state']][1]}</span>"
            f'<span class="points">{_given(p)} / {p["possible"]:g}</span></li>'
            for p in a["parts"]
        )
        sections.append(
            f'<section style="{_colour(a["state"])}"><h2><b class="mark" aria-hidden="true">{mark}</b>'
            f'<span>{text(a["title"])}</span><span class="points">{a["points"]:g} / {a["possible"]:g}</span></h2>'
            f'<p class="facts">{word}</p>{_said(a, book)}<ul>{parts}</ul>{_rubric(a)}</section>'
        )
    notes = "".join(f"<li><span>{text(note)}</span></li>" for note in result["notes"])
    if notes:
        notes = f'<section class="notes"><h2><span>About your file and its cells</span></h2><ul>{notes}</ul></section>'
    body = (
        f'<h1>{text(key["title"])}</h1><p class="who">{text(result["student"])} · kit {text(kit_name(key))}</p>'
        f'<p class="score"><b>{result["points"]:g}</b> of {result["possible"]:g} points{_and_by_hand(result)}</p>'
        f'<div class="strip" role="img" aria-label="{len(cells)} questions">{"".join(cells)}</div>'
        + "".join(sections)
        + notes
    )
    return _page(f"{text(key['title'])}: {text(result['student'])}", body)


def _given(part):
    return "–" if part["state"] == "by hand" else f"{part['points']:g}"


def _and_by_hand(result):
    return f", and {result['by_hand']:g} more to be given by hand" if result["by_hand"] else ""


def _rubric(answer):
    """How a person marks a student's words, and the points given where they are."""
    if not answer["hand"]:
        return ""
    marks = answer["hand"].get("marks")
    word = LOOK["marked" if marks else "by hand"][1]
    return f'<p class="facts">The words: {word}</p>{_levels(answer["hand"]["rubric"], marks)}'


def _levels(rubric, marks=None):
    """A rubric as a list: each line with its levels, and the points given where they are."""
    text, items = html.escape, []
    for number, (criterion, levels) in enumerate(rubric):
        told = "; ".join(f"{points}: {level}" for points, level in enumerate(levels))
        given = f"{marks[number]:g}" if marks else "–"
        items.append(
            f"<li><span><b>{text(criterion)}.</b> {text(told)}</span>"
            f'<span class="points">{given} / {len(levels) - 1}</span></li>'
        )
    return f"<ul>{''.join(items)}</ul>"


def _marks(answer):
    """The marks that a person gave for a student's words, in few words."""
    if not (marks := answer["hand"].get("marks")):
        return LOOK["by hand"][1]
    each = ", ".join(f"{mark:g}" for mark in marks)
    return f"{LOOK['marked'][1]}: {sum(marks):g} of {answer['hand']['possible']} ({each})"


def _predicted(answer):
    """A prediction with its receipt."""
    if not answer["hand"].get("receipt"):
        return ""
    prediction, receipt = html.escape(answer["hand"]["prediction"]), html.escape(answer["hand"]["receipt"])
    return f'<p class="facts">Prediction (receipt {receipt}): {prediction}</p>'


def to_mark(key, results):
    """What a person marks, on one page: the rubric, then prediction, values and words of each student."""
    text = html.escape
    sections = [
        f"<section><h2><span>{text(q['title'])}</span></h2>{_levels(q['rubric'])}</section>"
        for q in key["measured"].values()
    ]
    for result, a in _by_hand.waiting(results):
        words = text(a["hand"]["words"]) or "No words were found below the cell that measures."
        cause = f'<p class="cause">{text(a["cause"])}</p>' if a["cause"] else ""
        values = f"<pre>{text(a['message'])}</pre>" if a["message"] else ""
        sections.append(
            f'<section style="{_colour(a["state"])}"><h2><span>{text(result["student"])}</span>'
            f'<span class="points">{a["points"]:g} / {a["possible"]:g}</span></h2>'
            f'{_predicted(a)}{values}{cause}<p class="words">{words}</p><p class="facts">{_marks(a)}</p></section>'
        )
    title = f"{text(key['title'])}: to be marked by hand"
    return _page(title, f'<h1>{title}</h1><p class="who">kit {text(kit_name(key))}</p>{"".join(sections)}')


def _said(answer, book):
    """What the check said, its likely cause set apart, and where to read on."""
    if answer["state"] in ("pass", "ungraded", "unread") and not answer["hand"]:
        return ""
    kept = [line.strip() for line in answer["message"].split("\n")]
    kept = [line for line in kept if not line.startswith(("likely cause: ", "see: "))]
    said = _predicted(answer)
    said += f"<pre>{html.escape(chr(10).join(kept))}</pre>" if any(kept) else ""
    if answer["cause"]:
        said += f'<p class="cause">Likely cause: {html.escape(answer["cause"])}</p>'
    if answer["section"] and answer["state"] != "pass":
        place, link = html.escape(answer["section"]), answer["link"]
        if book and link:
            place = f'<a href="{html.escape(book.rstrip("/") + "/" + link)}">{place}</a>'
        said += f'<p class="facts">Read again: {place}</p>'
    return said


def overview(key, results, names):
    """The class as one table, for the instructor."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in asked(key))
    rows = []
    for name, r in zip(names, results):
        cells = "".join(
            f'<td style="color:var(--{LOOK[a["state"]][2]})" title="{html.escape(a["cause"] or LOOK[a["state"]][1])}">'
            f"{LOOK[a['state']][0]} {a['points']:g}{' ✎' * any(p['state'] == 'by hand' for p in a['parts'])}</td>"
            for a in r["answers"]
        )
        link = f'<a href="feedback/{html.escape(name)}.html">{html.escape(r["student"])}</a>'
        by_hand = f" + {r['by_hand']:g} by hand" if r["by_hand"] else ""
        rows.append(
            f"<tr><td>{link}</td><td>{r['points']:g} / {r['possible']:g}{by_hand}</td><td>{r['state']}</td>{cells}</tr>"
        )
    table = f"<tr><th>student</th><th>points</th><th>state</th>{head}</tr>{''.join(rows)}"
    title = html.escape(key["title"])
    body = (
        f'<h1>{title}</h1><p class="who">{len(results)} submissions · kit {html.escape(kit_name(key))}</p>'
        f'<div class="wide"><table>{table}</table></div>'
    )
    return _page(title, body, "whole")
