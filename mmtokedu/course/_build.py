"""From a master notebook to what an instructor hands out: student, solution and autograder versions.

A master is an Otter notebook whose test cells hold a `Question`, or one of them a `Measured`. Only the standard library and NumPy are needed here;
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

from mmtokedu.course import Measured, Question, _measured, generator, pack_checks, recorded, replayed
from mmtokedu.course._notebook import kit_mark, kit_name, mark_of

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
    measured: dict = field(default_factory=dict)  # the same for the one question that is measured, where there is one

    @property
    def name(self):
        return self.path.stem

    @property
    def asked(self):
        """Every question by the name of its function."""
        return self.questions | self.measured

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
            if cell.role == "tests" and isinstance(names.get("question"), Question | Measured):
                question = names.pop("question")
                (master.measured if isinstance(question, Measured) else master.questions)[cell.asked] = question
    if set(master.asked) != set(points):
        raise ValueError(f"{path.name}: no `question = Question(...)` for {sorted(set(points) - set(master.asked))}")
    if len(master.measured) > 1:
        raise ValueError(f"{path.name}: {' and '.join(master.measured)} are measured; a sheet writes one result.json")
    for name, question in master.asked.items():
        if question.points != points[name]:
            raise ValueError(f"{path.name}: {name} says {points[name]:g} points, its parts add up to {question.points}")
    return master


def run(source, names, where):
    """Run the code of an instructor's own cell in a namespace."""
    exec(compile(source, where, "exec"), names)


def solutions(master, rules=None, asked=None):
    """The functions that the notebook's own solutions define under the given rules (function name -> rule).

    Those of its questions, or of the ones `asked` for.
    """
    names = {}
    for cell in master.cells:
        if cell.kind == "code" and cell.role != "tests" and "demo" not in cell.tags:
            run(_ruled(cell.source, *_rule_of(master, cell.asked, rules or {})), names, cell.asked)
    return {name: names[name] for name in (master.questions if asked is None else asked)}


def _rule_of(master, asked, rules):
    """The rule of a question: its text, and the values that it fixes."""
    known = master.asked[asked].rules if asked else {}
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
        for name, question in master.asked.items()
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
    measured = _recorded_measured(master, seed, rules)
    version = sha256(json.dumps([questions, measured] if measured else questions).encode()).hexdigest()[:12]
    demos = [mark_of(_ruled(c.source, *_rule_of(master, c.asked, rules))) for c in master.cells if "demo" in c.tags]
    demos += [
        mark_of(MEASURE.format(name=name)) for name in measured
    ]  # what it prints is handed in, and one seed run again
    key = {"name": master.name, "title": master.title, "version": version, "questions": questions, "demos": demos}
    if measured:
        key |= {"measured": measured, "texts": []}
        key["texts"] = [mark_of(source) for kind, source, *_ in student_cells(master, key) if kind == "markdown"]
    return key


def _recorded_measured(master, seed, rules):
    """The measured question as data, by name, with what its experiment gives at a number that only the seed knows."""
    if not master.measured:
        return {}
    functions, made = solutions(master, rules, master.measured), {}
    for name, question in master.measured.items():
        draw = generator(f"{seed}/{master.name}", name, "measured")
        number, secret = int(draw.integers(2**31)), draw.bytes(8).hex()
        made[name] = question.recorded(rules[name], functions[name], number, secret)
        made[name]["template"] = [line.strip() for line in discussion(question).splitlines() if line.strip()]
    return made


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


PREDICT = """\
# First the prediction: a number or an order, and one sentence why.
prediction = \"\"\"
{prediction}
\"\"\"

check.predict("{name}", prediction)"""

MEASURE = 'check.measure("{name}", {name})'

PREDICTION = """\
### Your prediction

{predict} Write a number or an order, and one sentence why, before you measure anything. Points are given for measuring
and for what you make of it; being right earns none.

The three seeds' numbers are drawn from your words. If you change the prediction later, other data are drawn, and
values that you have measured before do not fit it any more; so run both cells below again, in this order. The receipt
stands for your words as they are: your instructor may ask you for it before you measure."""

MEASUREMENT = """\
### Measure

The cell below measures both arms at three seeds: as the function stands, and with **{arm}**. It prints the values and
keeps them, in what it prints and in a file `result.json` beside the notebook: the question, the arm, your prediction
with its receipt, and `seeds`, a list of seed, `unchanged` and `value`. Leave the output in the notebook when you hand
it in; if your platform takes several files, add `result.json`. One of the three seeds is run again with your function
when this is graded, and has to give your values{tolerance}."""

DISCUSSION = "### What it says"


def discussion(question):
    """The cell in which the words are written, and how they are marked."""
    rubric = "\n".join(f"- {criterion} ({len(levels) - 1}): {levels[-1]}" for criterion, levels in question.rubric)
    return f"""\
{DISCUSSION}

Write about 150 words here. A person marks them, by these questions:

{rubric}"""


def measured_cells(name, question, arm):
    """What stands below a measured question in the sheet: prediction, measurement, words."""
    tolerance = "" if question.tolerance < 1e-6 else f" within {question.tolerance:g}"
    return [
        ("markdown", PREDICTION.format(predict=question.predict), []),
        ("code", PREDICT.format(name=name, prediction=""), []),
        ("markdown", MEASUREMENT.format(arm=arm, tolerance=tolerance), []),
        ("code", MEASURE.format(name=name), []),
        ("markdown", discussion(question), []),
    ]


def student_cells(master, key):
    """The cells that a student gets, as (kind, source, tags)."""
    rules = rules_of(key)
    measured = {name: _measured.asked(q, kit_name(key)) for name, q in key.get("measured", {}).items()}
    packed = pack_checks(visible(key), measured)
    packed = "\n".join(textwrap.wrap(packed, 100, break_long_words=True, break_on_hyphens=False))
    placed, told, cells = False, set(), []
    for cell in master.cells:
        source = _ruled(cell.source, *_rule_of(master, cell.asked, rules))
        if cell.role == "tests":
            if (cell.asked, "check") not in told:
                told.add((cell.asked, "check"))
                if cell.asked in master.measured:
                    cells += measured_cells(cell.asked, master.measured[cell.asked], rules[cell.asked])
                else:
                    cells.append(("code", f'check["{cell.asked}"]({cell.asked})', []))
            continue
        if cell.role == "solution" and cell.kind == "code":
            source = SOLUTION.sub(r"\1raise NotImplementedError\n", source).rstrip()
        elif cell.kind == "markdown" and cell.asked and cell.asked not in told:
            told.add(cell.asked)
            source = _with_facts(source, master.asked[cell.asked])
        cells.append((cell.kind, source, cell.tags))
        if not placed and cell.kind == "code":  # right after the bootstrap
            placed = True
            cells.append(
                ("code", CHECKS.format(packed=packed, mark=kit_mark(key["name"], key["version"])), ["hide-input"])
            )
    return [
        *cells,
        ("markdown", HAND_IN.format(kit=kit_name(key)), []),
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
    lines = question.lines() if isinstance(question, Measured) else [(p.name, p.points) for p in question.parts]
    rubric = "; ".join(f"{name} ({points:g})" for name, points in lines)
    return f"{head}\n\n*{' · '.join(facts)}*\n{rest}\n\nPoints: {rubric}."


def rules_of(key):
    """The rule of each question of a kit."""
    return {name: q["rule"] for name, q in (key["questions"] | key.get("measured", {})).items()}


def solution_cells(master, key):
    """The student's cells with the solutions in place, for instructors and assistants; a fourth item is what a cell printed."""
    rules = rules_of(key)
    full = [_ruled(c.source, *_rule_of(master, c.asked, rules)) for c in master.cells if c.role == "solution"]
    stubs = [SOLUTION.sub(r"\1raise NotImplementedError\n", text).rstrip() for text in full]
    swap = {stub: (text,) for stub, text in zip(stubs, full)}
    for name, function in solutions(master, rules, master.measured).items():
        swap |= _measured_answers(name, master.measured[name], key, function)
    cells = []
    for kind, source, tags in student_cells(master, key):
        new, *output = swap.get(source, (source,))
        cells.append((kind, new, tags, *output))
    return cells


def _measured_answers(name, question, key, function):
    """The sheet's cells of a measured question -> the same answered: what its solution predicts, prints and says."""
    asked = _measured.asked(key["measured"][name], kit_name(key))
    result = _measured.measured(name, asked, question.prediction, function)
    before, after = (
        [float(function(number, *asked[arm])) for number in range(_measured.SPREAD)] for arm in ("before", "after")
    )
    words = question.words.format(before=_measured.spread(before), after=_measured.spread(after), arm=asked["rule"])
    words = re.sub(r"(?<!\n)\n(?!\n)", " ", words)  # a paragraph is a line, as a student writes it
    empty, written = (PREDICT.format(name=name, prediction=text) for text in ("", question.prediction))
    return {
        empty: (written,),
        MEASURE.format(name=name): (MEASURE.format(name=name), _measured.told(result, asked) + "\n"),
        discussion(question): (f"{discussion(question)}\n\n{words}",),
    }


def otter_cells(master, key):
    """The master for Otter: this class's rule, and tests made of the key, hidden ones with their points."""
    rules = rules_of(key)
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
        # Gradescope has no card, and Otter knows nothing of a result: no question, no points there.
        left_out = cell.asked in master.measured or (cell.asked and master.questions[cell.asked].needs)
        move(*("", "") if left_out else (cell.asked, cell.role))
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
    """Cells as the JSON text of a notebook, without outputs but for what a fourth item of a cell says it printed."""
    made = []
    for number, (kind, source, tags, *printed) in enumerate(cells):
        cell = {"cell_type": kind, "id": f"c{number:03d}", "metadata": {"tags": tags} if tags else {}}
        if kind == "code":
            outputs = [
                {"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)} for text in printed
            ]
            cell |= {"execution_count": None, "outputs": outputs}
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
        for name, function in solutions(master, rules_of(key)).items():
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
        points = sum(question.points for question in master.asked.values())
        by_hand = sum(question.by_hand for question in master.measured.values())
        say(
            f"{folder}: {len(master.asked)} questions, {points:g} points"
            + (f", {by_hand} of them by hand" if by_hand else "")
            + ("" if zipped else "; no Otter zip")
        )
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
