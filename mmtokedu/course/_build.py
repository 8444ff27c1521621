"""From a master notebook to what an instructor hands out: student, solution and autograder versions.

A master is an Otter notebook whose test cells hold a `Question`. Only the standard library and NumPy are needed here;
Otter itself, where it is installed, makes the Gradescope zip.
"""

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from mmtokedu.course import Question, generator, pack_checks, recorded, replayed
from mmtokedu.course._notebook import kit_mark, mark_of

MARK = re.compile(r"#\s*(BEGIN|END) (QUESTION|SOLUTION|TESTS)|#\s*ASSIGNMENT CONFIG")
SOLUTION = re.compile(r"^([ \t]*)# BEGIN SOLUTION\n.*?^[ \t]*# END SOLUTION\n?", re.M | re.S)
RULE = re.compile(r"^(\s*)(\w+) = .*  # RULE$", re.M)
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
    "accelerator": "GPU",
    "colab": {"provenance": [], "gpuType": "T4"},
}


@dataclass
class Cell:
    """A cell of a master: kind "markdown", "code" or "raw", and what it is for: "", "solution" or "tests"."""

    kind: str
    source: str
    tags: list
    role: str = ""
    asked: str = ""  # the question that it belongs to: the name of its function


@dataclass
class Master:
    """A master that has been read and run once."""

    path: Path
    cells: list
    config: str
    questions: dict = field(default_factory=dict)  # name of the function -> Question

    @property
    def name(self):
        return self.path.stem

    @property
    def title(self):
        return next(c.source for c in self.cells if c.kind == "markdown").splitlines()[0].lstrip("# ")


def read_cells(path):
    """The cells of a notebook file, with the sources as text."""
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    return [(c["cell_type"], "".join(c["source"]), c.get("metadata", {}).get("tags", [])) for c in cells]


def read_master(path):
    """Read a master and run it, for the `Question` in each block of tests. ValueError says what is out of place."""
    path, inside, asked, config, cells, points = Path(path), "", "", "", [], {}
    for kind, source, tags in read_cells(path):
        mark = MARK.match(source) if kind == "raw" else None
        if not mark:
            cells.append(Cell(kind, source, tags, inside, asked))
        elif not mark[1]:
            config = source
        elif mark[2] == "QUESTION":
            given = dict(re.findall(r"^(\w+): *(.+)$", source, re.M))
            asked = given["name"].strip() if mark[1] == "BEGIN" else ""
            if asked:
                points[asked] = float(given["points"])
        else:
            inside = mark[2].lower() if mark[1] == "BEGIN" else ""
    master = Master(path, cells, config)
    names = {}
    for cell in cells:
        if cell.kind == "code" and "demo" not in cell.tags:
            run(cell.source, names, f"{path.name}, {cell.asked or 'a cell'}")
            if cell.role == "tests" and isinstance(names.get("question"), Question):
                master.questions[cell.asked] = names.pop("question")
    if set(master.questions) != set(points):
        raise ValueError(
            f"{path.name}: no `question = Question(...)` for {sorted(set(points) - set(master.questions))}"
        )
    for name, question in master.questions.items():
        if question.points != points[name]:
            raise ValueError(f"{path.name}: {name} says {points[name]:g} points, its parts add up to {question.points}")
    return master


def run(source, names, where):
    """Run the code of an instructor's own cell in a namespace."""
    exec(compile(source, where, "exec"), names)


def solutions(master, rules=None):
    """The functions that the notebook's own solutions define under the given rules (function name -> rule)."""
    names = {}
    for cell in master.cells:
        if cell.kind == "code" and cell.role != "tests" and "demo" not in cell.tags:
            run(_ruled(cell.source, *_rule_of(master, cell.asked, rules or {})), names, cell.asked)
    return {name: names[name] for name in master.questions}


def _rule_of(master, asked, rules):
    """The rule of a question: its text, and the values that it fixes."""
    known = master.questions[asked].rules if asked else {}
    text = rules.get(asked, next(iter(known), ""))
    return text, known.get(text, {})


def _ruled(source, text, values):
    """A cell with the rule written in: `{{rule}}` in text, the value after `name = ` on lines marked RULE."""

    def assign(match):
        if match[2] not in values:
            raise ValueError(f"`{match[0].strip()}`: no rule fixes {match[2]}; there are {sorted(values)}")
        return f"{match[1]}{match[2]} = {values[match[2]]!r}"

    return RULE.sub(assign, source).replace("{{rule}}", text)


def choose_rules(master, seed):
    """One rule a question, drawn from the seed (a text that only the instructor knows)."""
    return {
        name: list(question.rules)[generator(seed, name, "rule").integers(len(question.rules))]
        for name, question in master.questions.items()
        if question.rules
    }


def make_key(master, seed):
    """What grading needs, as data: cases, right results, what each wrong answer gives, the rubric. No code."""
    rules, questions = choose_rules(master, seed), {}
    for name, question in master.questions.items():
        drawn = question.drawn(f"{seed}/{master.name}")
        exercise = question.under(rules.get(name, ""), [case for cases in drawn for case in cases])
        questions[name] = {
            "record": recorded(exercise),
            "visible": len(question.cases),
            "parts": [[part.name, part.points, len(cases)] for part, cases in zip(question.parts, drawn)],
            "rule": rules.get(name, ""),
        }
    version = sha256(json.dumps(questions).encode()).hexdigest()[:12]
    demos = [mark_of(_ruled(c.source, *_rule_of(master, c.asked, rules))) for c in master.cells if "demo" in c.tags]
    return {"name": master.name, "title": master.title, "version": version, "questions": questions, "demos": demos}


def visible(key):
    """The records of a key cut to the cases that students see."""
    records = {}
    for name, question in key["questions"].items():
        record, n = question["record"], question["visible"]
        records[name] = {
            **record,
            "cases": record["cases"][:n],
            "right": record["right"][:n],
            "mistakes": [[says, results[:n]] for says, results in record["mistakes"]],
        }
    return records


CHECKS = '''\
#@title Checks: run this cell, then go on  (packed, so that reading it spoils nothing)
{mark}
from mmtokedu.course import load_checks

check = load_checks("""
{packed}
""")'''

HAND_IN = """\
## Hand in

Run everything from the top once more (Runtime > Restart and run all). Then download the notebook as `.ipynb`
(File > Download) and hand that file in. The cell below is your receipt. Points are given for other cases than the ones
you see, so a function made for these alone earns none.

This sheet is of the kit `{kit}`."""


def student_cells(master, key):
    """The cells that a student gets, as (kind, source, tags)."""
    rules = {name: q["rule"] for name, q in key["questions"].items()}
    packed = "\n".join(textwrap.wrap(pack_checks(visible(key)), 100, break_long_words=True, break_on_hyphens=False))
    placed, told, cells = False, set(), []
    for cell in master.cells:
        source = _ruled(cell.source, *_rule_of(master, cell.asked, rules))
        if cell.role == "tests":
            if (cell.asked, "check") not in told:
                told.add((cell.asked, "check"))
                cells.append(("code", f'check["{cell.asked}"]({cell.asked})', []))
            continue
        if cell.role == "solution" and cell.kind == "code":
            source = SOLUTION.sub(r"\1raise NotImplementedError\n", source).rstrip()
        elif cell.kind == "markdown" and cell.asked and cell.asked not in told:
            told.add(cell.asked)
            source = _with_facts(source, master.questions[cell.asked])
        cells.append((cell.kind, source, cell.tags))
        if not placed and cell.kind == "code":  # right after the bootstrap
            placed = True
            cells.append(
                ("code", CHECKS.format(packed=packed, mark=kit_mark(key["name"], key["version"])), ["hide-input"])
            )
    return [
        *cells,
        ("markdown", HAND_IN.format(kit=f"{key['name']} {key['version']}"), []),
        ("code", "check.receipt()", []),
    ]


def _with_facts(source, question):
    """The text of a question with a line of facts under its heading."""
    head, _, rest = source.partition("\n")
    points = f"{question.points:g} point" + "s" * (question.points != 1)
    facts = [question.difficulty, f"{question.minutes} minutes", points]
    if question.section:
        facts.append(f"see {question.section}")
    if question.needs:
        facts.append("needs a CUDA card; without one it is not graded")
    rubric = "; ".join(f"{part.name} ({part.points:g})" for part in question.parts)
    return f"{head}\n\n*{' · '.join(facts)}*\n{rest}\n\nPoints: {rubric}."


def solution_cells(master, key):
    """The student's cells with the solutions in place, for instructors and assistants."""
    rules = {name: q["rule"] for name, q in key["questions"].items()}
    full = [_ruled(c.source, *_rule_of(master, c.asked, rules)) for c in master.cells if c.role == "solution"]
    stubs = [SOLUTION.sub(r"\1raise NotImplementedError\n", text).rstrip() for text in full]
    swap = dict(zip(stubs, full))
    return [(kind, swap.get(source, source), tags) for kind, source, tags in student_cells(master, key)]


def otter_cells(master, key):
    """The master for Otter: this class's rule, and tests made of the key, hidden ones with their points."""
    rules = {name: q["rule"] for name, q in key["questions"].items()}
    config = master.config.rstrip() + "\nrequirements: requirements.txt"
    cells, asked, role = [("raw", config, [])], "", ""

    def move(to_asked, to_role):
        nonlocal asked, role
        if role and (to_role, to_asked) != (role, asked):
            cells.append(("raw", f"# END {role.upper()}", []))
            role = ""
        if asked and to_asked != asked:
            cells.append(("raw", "# END QUESTION", []))
        if to_asked and to_asked != asked:
            cells.append(("raw", _otter_question(to_asked, master.questions[to_asked]), []))
        if to_role and to_role != role:
            cells.append(("raw", f"# BEGIN {to_role.upper()}", []))
            if to_role == "tests":
                cells.extend(("code", test, []) for test in _otter_tests(to_asked, key["questions"][to_asked]))
        asked, role = to_asked, to_role

    for cell in master.cells:
        card = cell.asked and master.questions[cell.asked].needs  # Gradescope has none: no question, no points there
        move(*("", "") if card else (cell.asked, cell.role))
        if cell.role != "tests" and "demo" not in cell.tags:
            cells.append((cell.kind, _ruled(cell.source, *_rule_of(master, cell.asked, rules)), []))
    move("", "")
    return cells


def _otter_question(name, question):
    return f"# BEGIN QUESTION\nname: {name}\npoints: {question.points:g}\ncheck_cell: false"


def _otter_tests(name, question):
    """One test cell a part. Otter runs it in the student's kernel, which is why it is the weaker sandbox."""
    record, start = question["record"], question["visible"]
    for number, (_, points, count) in enumerate(question["parts"]):
        window = slice(start, start + count)
        part = {
            **record,
            "cases": record["cases"][window],
            "right": record["right"][window],
            "mistakes": [[says, results[window]] for says, results in record["mistakes"]],
        }
        start += count
        packed = pack_checks({name: part})
        yield (
            f'""" # BEGIN TEST CONFIG\nname: {name} {number + 1}\npoints: {points:g}\nhidden: true\n'
            f'""" # END TEST CONFIG\nfrom mmtokedu.course import load_checks\n'
            f"verdict = load_checks({packed!r})[{name!r}]({name})\nassert verdict.state == 'pass', verdict.cause"
        )


def notebook(cells):
    """Cells as the JSON text of a notebook, without outputs."""
    made = []
    for number, (kind, source, tags) in enumerate(cells):
        cell = {"cell_type": kind, "id": f"c{number:03d}", "metadata": {"tags": tags} if tags else {}}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
            if "hide-input" in tags:
                cell["metadata"]["cellView"] = "form"  # Colab folds it
        made.append(cell | {"source": source.splitlines(keepends=True)})
    whole = {"cells": made, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def build(masters, out, seed="", say=print):
    """Build every master of a folder into `out/NAME/{student,solution,autograder}`; returns the folders."""
    masters, out = Path(masters), Path(out)
    paths = [masters] if masters.is_file() else sorted(masters.glob("*.ipynb"))
    if not paths:
        raise ValueError(f"no notebooks in {masters}")
    if not seed and (masters / "seed.txt").is_file():
        seed = (masters / "seed.txt").read_text().strip()
    if not seed:
        say("no seed: the rules and hidden cases are those of the public example. For a class: SEED=..., or seed.txt")
    made = []
    for path in paths:
        master = read_master(path)
        key = make_key(master, seed or "public example")
        for name, function in solutions(master, {n: q["rule"] for n, q in key["questions"].items()}).items():
            verdict = replayed(key["questions"][name]["record"])(function)
            if verdict.state not in ("pass", "ungraded"):
                raise ValueError(f"{path.name}: the solution of {name} does not pass: {verdict}")
        folder = out / master.name
        _make_room(folder, key["version"], say)
        for kind in ("student", "solution", "autograder"):
            (folder / kind).mkdir(parents=True)
        sheet = notebook(student_cells(master, key))
        (folder / f"student/{path.name}").write_text(sheet, encoding="utf-8")
        if "github.com/OWNER/" in sheet:
            say(
                f"{path.name} installs from github.com/OWNER, which is nobody: `make links URL=...` before copying masters"
            )
        shutil.copy(Path(__file__).with_name("AGENTS.md"), folder / "student/AGENTS.md")
        shutil.make_archive(str(folder / f"{master.name}-student"), "zip", folder / "student")
        (folder / f"solution/{path.name}").write_text(notebook(solution_cells(master, key)), encoding="utf-8")
        (folder / "autograder/key.json").write_text(json.dumps(key))
        zipped = _gradescope(master, key, folder / "autograder")
        made.append(folder)
        points = sum(question.points for question in master.questions.values())
        say(f"{folder}: {len(master.questions)} questions, {points:g} points" + ("" if zipped else "; no Otter zip"))
    say(
        f"to grade: {shlex.quote(sys.executable)} -m mmtokedu.course grade SUBMISSIONS --key {made[0]}/autograder/key.json"
    )
    if not _has_otter():
        say("otter-grader is not installed here, so no zip for Gradescope was made (make course sets it up)")
    return made


def _make_room(folder, version, say):
    """Remove the kit in a folder if it is the same one; another one, whose key is needed to grade its class, is kept."""
    try:
        other = json.loads((folder / "autograder/key.json").read_text())["version"]
    except (OSError, ValueError, KeyError, TypeError):
        other = version
    if other != version:
        kept = folder.with_name(f"{folder.name}-" + re.sub(r"\W", "-", str(other)))
        shutil.rmtree(kept, ignore_errors=True)
        folder.rename(kept)
        say(f"{folder} held another kit; it is now {kept}, and its key grades the notebooks that say {other}")
    shutil.rmtree(folder, ignore_errors=True)


def _has_otter():
    found = importlib.util.find_spec("otter")
    return found is not None and found.origin is not None  # a folder of that name is not it


def _gradescope(master, key, folder):
    """Let Otter, if it is there, make its zip. It runs the solution on the way."""
    (folder / f"otter-{master.name}.ipynb").write_text(notebook(otter_cells(master, key)), encoding="utf-8")
    if not _has_otter():
        return False
    source = next(re.findall(r'SOURCE = "(.+)"', c.source) for c in master.cells if c.kind == "code")
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copy(folder / f"otter-{master.name}.ipynb", scratch)
        needs = Path(scratch) / "requirements.txt"
        needs.write_text(
            "\n".join(["numpy", "pillow", *(f"mmtokedu[samples,media] @ {address}" for address in source)]) + "\n"
        )
        command = [sys.executable, "-m", "otter", "assign", f"otter-{master.name}.ipynb", "out"]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
        zips = list(Path(scratch).glob("out/autograder/*.zip"))
        if done.returncode or not zips:
            raise RuntimeError(f"otter assign failed on {master.name}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        shutil.copy(zips[0], folder / f"{master.name}-gradescope.zip")
    return True
