"""A measured question: what was predicted, measured and said is found and held to itself; what a person marks stays theirs."""

import csv
import io
import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from classroom import QUICK, key_of

from mmtokedu.course import _build, _by_hand, _grade, _measured, _report, _submissions, load_checks, pack_checks
from mmtokedu.course._gradebook import Gradebook

pytestmark = pytest.mark.apart

if os.environ.get("TRITON_INTERPRET"):
    pytest.skip("nothing here runs in the interpreter", allow_module_level=True)
pytest.importorskip("fcntl", reason="grading needs Linux or macOS")

ROOT = Path(__file__).resolve().parents[2]
MASTER = ROOT / "tests/course/measured/measured.ipynb"
PREDICTION = "More is empty, because one long picture decides for more others."


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    _build.build(MASTER, folder, "a seed of this test", say=lambda text: None)
    return folder / "measured"


@pytest.fixture(scope="module")
def key(kit):
    return key_of(kit)


@pytest.fixture(scope="module")
def asked(key):
    """The measured question as a sheet knows it."""
    return _measured.asked(key["measured"]["waste"], f"measured {key['version']}")


@pytest.fixture(scope="module")
def done(kit):
    """The solution's notebook, to be changed."""
    return json.loads((kit / "solution/measured.ipynb").read_text())


def cell(notebook, start):
    """The cell of a notebook whose source has `start` in its first two lines."""
    return next(c for c in notebook["cells"] if start in "".join("".join(c["source"]).splitlines(keepends=True)[:2]))


def result_in(notebook):
    """The result that a notebook has printed."""
    text = "".join(cell(notebook, "check.measure(")["outputs"][0]["text"])
    return json.loads(text.rpartition(_measured.PRINTED)[2])


def changed(notebook, result=None, source=None):
    """A copy of a notebook with another result printed (None: none at all), and texts of its cells replaced."""
    copy = json.loads(json.dumps(notebook))
    told = [] if result is None else [{"output_type": "stream", "name": "stdout", "text": [_measured.PRINTED + result]}]
    cell(copy, "check.measure(")["outputs"] = told
    for old, new in (source or {}).items():
        for c in copy["cells"]:
            c["source"] = "".join(c["source"]).replace(old, new)
    return copy


def graded(folder, key, notebook, student="s", files=None, limits=QUICK):
    """The result of one student, with files beside the notebook."""
    place = Path(folder) / student
    place.mkdir()
    (place / "measured.ipynb").write_text(json.dumps(notebook))
    for name, data in (files or {}).items():
        (place / name).write_bytes(data)
    (submission,) = _submissions.collected(folder, key)
    return _grade.grade_submission(submission, key, limits)


def measured_of(result):
    return next(a for a in result.answers if a.name == "waste")


def of_another_prediction(result, kit, prediction="Less is empty."):
    """A result whose prediction was changed after the values were drawn, by somebody who writes the receipt anew too."""
    mark = _measured.receipt(kit, result["question"], prediction)
    return result | {"prediction": prediction, "receipt": mark}


# ---------------------------------------------------------------- the sheet


@pytest.fixture
def sheet(kit, tmp_path, monkeypatch):
    """The names of a student's sheet, run up to the first question, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    names = {}
    for kind, source, _ in _build.read_cells(kit / "student/measured.ipynb"):
        if kind == "code" and "check[" not in source and "check." not in source:
            exec(source, names)
    return names


def test_nothing_is_measured_without_a_prediction_and_no_seed_is_drawn(sheet, tmp_path, capsys):
    numbers = []
    for given in ("", " \n", "x" * 3000):
        sheet["check"].predict("waste", given)
        sheet["check"].measure("waste", lambda number, pictures: numbers.append(number) or 0)
    said = capsys.readouterr().out
    assert said.count("First the prediction") == 3 and "no prediction yet" in said and "3000 characters" in said
    assert numbers == [] and not (tmp_path / "result.json").exists()


def test_a_stub_is_not_measured_and_a_prediction_taken_back_is_gone(sheet, tmp_path, capsys):
    sheet["check"].predict("waste", PREDICTION)
    sheet["check"].measure("waste", sheet["waste"])  # `longest` is not written
    assert "is not written" in capsys.readouterr().out and not (tmp_path / "result.json").exists()
    sheet["check"].predict("waste", "")
    sheet["check"].measure("waste", lambda *a: 0)
    assert "First the prediction" in capsys.readouterr().out


def test_what_is_printed_is_what_is_written_and_the_numbers_come_from_the_prediction(sheet, tmp_path, asked, capsys):
    def draws(prediction):
        drawn = []
        sheet["check"].predict("waste", f"\n{prediction}\n")
        sheet["check"].measure("waste", lambda number, pictures: drawn.append((number, pictures)) or number % 7)
        return drawn

    drawn, more = draws(PREDICTION), asked["after"][0]
    assert [pictures for _, pictures in drawn] == [4, more] * 3 and len({number for number, _ in drawn}) == 3
    printed = capsys.readouterr().out
    written = json.loads((tmp_path / "result.json").read_text())
    assert written == json.loads(printed.rpartition(_measured.PRINTED)[2])
    assert written["prediction"] == PREDICTION and [row["seed"] for row in written["seeds"]] == [1, 2, 3]
    assert written["receipt"] in printed and written["seeds"][0]["value"] == drawn[0][0] % 7
    assert draws(PREDICTION) == drawn and not set(draws(PREDICTION + "!")) & set(drawn)
    sheet["check"].receipt()
    receipt = _measured.receipt(asked["kit"], "waste", PREDICTION + "!")
    assert f"prediction {receipt}" in capsys.readouterr().out and receipt != written["receipt"]


def test_a_folder_that_cannot_be_written_to_stops_nothing(sheet, tmp_path, capsys):
    (tmp_path / "result.json").mkdir()
    sheet["check"].predict("waste", PREDICTION)
    sheet["check"].measure("waste", lambda *a: 0.5)
    said = capsys.readouterr().out
    assert "could not be written" in said and _measured.PRINTED in said


def test_a_sheet_tells_how_to_measure_and_nothing_of_what_comes_out(kit, key):
    text = (kit / "student/measured.ipynb").read_text()
    check = load_checks(pack_checks(_build.visible(key), {"waste": _measured.asked(key["measured"]["waste"], "k")}))
    assert set(check.measured["waste"]) == {"rule", "before", "after", "value", "kit"} and set(check) == {"longest"}
    hidden = key["measured"]["waste"]
    assert hidden["secret"] not in text and str(hidden["probe"][0]) not in text and "More is empty" not in text
    cells = [c for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
    assert not [c for c in cells if c["outputs"]] and sum("check.measure(" in "".join(c["source"]) for c in cells) == 1


def test_two_measured_questions_in_a_sheet_and_wrong_points_are_refused(tmp_path):
    text = MASTER.read_text()
    (tmp_path / "points.ipynb").write_text(text.replace("points: 7", "points: 4"))
    with pytest.raises(ValueError, match="waste says 4 points, its parts add up to 7"):
        _build.read_master(tmp_path / "points.ipynb")
    notebook = json.loads(text)
    at = next(i for i, c in enumerate(notebook["cells"]) if "name: waste" in "".join(c["source"]))
    again = json.loads(json.dumps(notebook["cells"][at:]).replace("name: waste", "name: waste_again"))
    (tmp_path / "two.ipynb").write_text(json.dumps(notebook | {"cells": notebook["cells"] + again}))
    with pytest.raises(ValueError, match=r"waste and waste_again are measured; a sheet writes one result\.json"):
        _build.read_master(tmp_path / "two.ipynb")


def test_the_seed_draws_the_arm_and_what_students_do_not_see():
    master = _build.read_master(MASTER)
    keys = [_build.make_key(master, seed)["measured"]["waste"] for seed in "abcdefghijkl"]
    assert {k["rule"] for k in keys} == set(master.measured["waste"].arms)
    assert len({k["probe"][0] for k in keys}) == len({k["secret"] for k in keys}) == len(keys)
    assert _build.make_key(master, "a")["measured"]["waste"] == keys[0]


# ---------------------------------------------------------------- graded


def test_the_solution_gets_all_automatic_points_and_the_stub_none(kit, key, done, tmp_path):
    right = graded(tmp_path, key, done)
    assert (right.state, right.points, right.possible, right.by_hand) == ("pass", 5, 5, 3), measured_of(right)
    assert [p.state for p in measured_of(right).parts] == ["pass"] * 3 + ["by hand"]
    assert measured_of(right).hand["prediction"] == PREDICTION and "With 4 pictures" in measured_of(right).hand["words"]
    (tmp_path / "stub").mkdir()
    stub = graded(tmp_path / "stub", key, json.loads((kit / "student/measured.ipynb").read_text()))
    assert (stub.state, stub.points, stub.possible, stub.by_hand) == ("fail", 0, 5, 3)
    assert measured_of(stub).cause.startswith("no result was handed in") and measured_of(stub).hand["words"] == ""


def test_every_seed_is_run_again_for_some_student_and_the_sheet_does_not_tell_which(key):
    question = key["measured"]["waste"]
    students = [f"student {n}" for n in range(40)]
    result = {"seeds": [[1, 0.1, 0.2], [2, 0.1, 0.2], [3, 0.1, 0.2]]}
    chosen = [_grade.seed_again(question, student, result) for student in students]
    assert set(chosen) == {1, 2, 3} and chosen == [_grade.seed_again(question, s, result) for s in students]
    assert chosen != [_grade.seed_again(question | {"secret": "0"}, student, result) for student in students]
    other = {"seeds": [[1, 0.1, 0.3], *result["seeds"][1:]]}  # who has seen which seed it was cannot change the others
    assert chosen != [_grade.seed_again(question, student, other) for student in students]


def forged(result, question, at):
    """A result with one value changed: of the seed that is run again, or of another one."""
    for seed in _measured.SEEDS:
        for more in (0.01, 0.02, 0.03, 0.04, 0.05):
            other = json.loads(json.dumps(result))
            other["seeds"][seed - 1]["value"] += more
            kept, _ = _measured.read(json.dumps(other), "waste", question, result["kit"])
            if (_grade.seed_again(question, "s", kept) == seed) == at:
                return other, seed


def test_a_value_that_the_function_does_not_give_is_found_at_the_seed_that_is_run_again(key, done, tmp_path):
    for at, points in ((True, 3), (False, 5)):
        result, seed = forged(result_in(done), key["measured"]["waste"], at)
        (tmp_path / str(at)).mkdir()
        got = graded(tmp_path / str(at), key, changed(done, json.dumps(result)))
        assert got.points == points, measured_of(got)
        assert (f"seed {seed}, run again with your function, gives" in measured_of(got).cause) == at


def test_a_prediction_that_was_changed_afterwards_is_named_with_or_without_a_new_receipt(key, done, tmp_path):
    result, kit = result_in(done), f"measured {key['version']}"
    plain = result | {"prediction": "Less is empty."}
    careful = of_another_prediction(result, kit)
    for number, (other, points, word) in enumerate(
        [
            (plain, 1, "the prediction was changed after the values were drawn"),
            (careful, 3, "not of this function and this"),
        ]
    ):
        (tmp_path / str(number)).mkdir()
        got = graded(tmp_path / str(number), key, changed(done, json.dumps(other)))
        assert got.points == points and word in measured_of(got).cause, measured_of(got)


def test_a_function_that_is_not_right_is_measured_honestly_and_only_that_costs(key, done, tmp_path, monkeypatch):
    """The values are those of the student's own function, so they fit; the number that nobody sees tells the difference."""
    wrong = {"return int(max(lengths))": "return int(max(lengths)) + 1"}
    notebook = changed(done, None, wrong)
    names = {}
    for c in notebook["cells"]:
        if c["cell_type"] == "code" and "def " in "".join(c["source"]):
            exec("import numpy as np\n" + "".join(c["source"]), names)
    asked = _measured.asked(key["measured"]["waste"], f"measured {key['version']}")
    result = _measured.measured("waste", asked, PREDICTION, names["waste"])
    answer = measured_of(graded(tmp_path, key, changed(done, json.dumps(result), wrong)))
    assert [p.state for p in answer.parts] == ["pass", "pass", "fail", "by hand"] and answer.points == 3
    assert "at a number that you do not see" in answer.cause and "run again" not in answer.cause


def test_an_experiment_that_hangs_stops_or_is_no_number_has_a_state(key, done, tmp_path):
    for number, (body, state) in enumerate(
        [
            ("import time; time.sleep(60)", "timeout"),
            ("raise KeyError", "crash"),
            ("return 'x'", "fail"),
            ("return float('nan')", "fail"),
        ]
    ):
        (tmp_path / str(number)).mkdir()
        line = "return float(1 - lengths.sum() / (longest(lengths) * pictures))"
        notebook = changed(done, json.dumps(result_in(done)), {line: body})
        got = graded(tmp_path / str(number), key, notebook, limits=replace(QUICK, call=1))
        assert measured_of(got).state == state and got.points == 2, measured_of(got)


LEAKS = """
seen = []
def longest(lengths):
    seen.append(int(max(lengths)))
    return seen[-1]
def waste(number, pictures):
    return float(seen[-1]) if seen else 0.0
"""


def test_a_page_says_of_the_second_run_nothing_of_what_is_hidden(key, done, tmp_path):
    notebook = changed(done, json.dumps(result_in(done)))
    notebook["cells"].append({"cell_type": "code", "metadata": {}, "source": LEAKS, "outputs": []})
    answer = measured_of(graded(tmp_path, key, notebook))
    record = key["questions"]["longest"]["record"]["right"]
    visible = key["questions"]["longest"]["visible"]
    assert f"gives {record[visible - 1]} and {record[visible - 1]};" in answer.cause  # what it had seen last by then
    assert record[-1] not in record[:visible] and f"gives {record[-1]}" not in answer.cause


# ---------------------------------------------------------------- what is handed in


def variants(result, kit):
    """name -> (text of a result, a word of what is said of it)."""

    def rows(*seeds, **more):
        return json.dumps(result | {"seeds": [{"seed": s, "unchanged": 0.1, "value": 0.2} | more for s in seeds]})

    def told(**more):
        return json.dumps(result | more)

    bare = json.dumps({k: v for k, v in result.items() if k != "prediction"})
    return {
        "no JSON": ("{", "no JSON that can be read"), "empty": ("", "no JSON"), "a list": ("[1]", "a JSON list, not an object"),
        "nested": ("[" * 50_000, "no JSON"), "many digits": (f'{{"seeds": {"9" * 5000}}}', "no JSON"),
        "huge": (json.dumps({"x": "y" * 70_000}), "68 kB; 64 kB is the most"),
        "another question": (told(question="cut"), "question is “cut”; asked is “waste”"),
        "no question": (told(question=None), "question is missing"), "a dict": (told(question={}), "question is a dict"),
        "another kit": (told(kit="measured 0"), "kit is “measured 0”"), "another arm": (told(arm="4"), "arm is “4”"),
        "no prediction": (bare, "has no prediction"), "empty prediction": (told(prediction=" "), "has no prediction"),
        "a number": (told(prediction=3), "has no prediction"), "long": (told(prediction="x" * 3000), "3000 characters"),
        "changed": (told(prediction="x"), "changed after the values were drawn"), "receipt": (told(receipt=7), "the result says 7"),
        "no seeds": (told(seeds=None), "no list of seeds"), "numbers": (told(seeds=[1, 2, 3]), "no list of seeds"),
        "two seeds": (rows(1, 2), "the seeds are 1, 2; asked are 1, 2, 3"), "twice": (rows(1, 2, 2), "the seeds are 1, 2, 2;"),
        "four": (rows(1, 2, 3, 4), "the seeds are 1, 2, 3, 4;"), "true": (rows(True, 2, 3), "the seeds are true, 2, 3;"),
        "float": (rows(1.0, 2, 3), "the seeds are 1.0, 2, 3;"), "none": (rows(), "the seeds are none;"),
        "nan": (rows(1, 2, 3, value=float("nan")), "at seed 1 `value` is NaN, not a finite number"),
        "infinite": (rows(1, 2, 3, unchanged=float("inf")), "`unchanged` is Infinity"),
        "text": (rows(1, 2, 3, value="0.2"), "`value` is “0.2”"), "bool": (rows(1, 2, 3, value=True), "`value` is true"),
        "large": (rows(1, 2, 3, value=10**400), "more than 15 digits"), "missing": (rows(1, 2, 3, value=None), "`value` is missing"),
    }  # fmt: skip


def test_whatever_is_wrong_with_a_result_is_named(key, done):
    kit = f"measured {key['version']}"
    question = key["measured"]["waste"]
    for name, (text, word) in variants(result_in(done), kit).items():
        for data in (text, text.encode()):
            result, problem = _measured.read(data, "waste", question, kit)
            assert result is None and word in problem and "\n" not in problem, (name, problem)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_result_may_be_written_in_any_unicode(key, done, encoding):
    kit, question = f"measured {key['version']}", key["measured"]["waste"]
    text = json.dumps(of_another_prediction(result_in(done), kit, "Más, \ud83d\ude00 half a character: \ud800"))
    result, problem = _measured.read(text.encode(encoding), "waste", question, kit)
    assert problem == "" and result["prediction"].startswith("Más, ") and len(result["seeds"]) == 3
    assert _measured.read(b"\xff\xfe\xff", "waste", question, kit)[1].startswith("the result is no JSON")


def collected(folder, key, notebook, files):
    """The submission of one student whose folder holds these files: bytes, or a function that makes one of a path."""
    (folder / "s").mkdir(parents=True)
    if notebook:
        (folder / "s/measured.ipynb").write_text(json.dumps(notebook))
    for name, data in files.items():
        path = folder / "s" / name
        path.write_bytes(data) if isinstance(data, bytes) else data(path)
    (submission,) = _submissions.collected(folder, key)
    return submission


def test_the_result_is_looked_for_in_the_notebook_then_in_a_file_beside_it(key, done, tmp_path):
    good = json.dumps(result_in(done))
    other = good.replace('"value": 0.', '"value": 0.0')
    bare, odd = changed(done), {"result.json": good.encode("utf-16")}

    def found(number, notebook, files):
        submission = collected(tmp_path / str(number), key, notebook, files)
        handed = submission.measured["waste"]
        return handed["result"], handed["where"], handed["problem"], " ".join(submission.notes)

    kept = found(0, done, {})
    assert kept[0] and kept[1:] == ("the notebook", "", "")
    assert found(1, bare, odd)[:2] == (kept[0], "result.json")
    assert found(2, bare, {"jane_501_9_result-1.json": good.encode()})[1] == "jane_501_9_result-1.json"
    assert found(3, done, odd) == kept
    both = found(4, done, {"result.json": other.encode()})
    assert both[0] == kept[0] and "result.json is not what the notebook printed" in both[3]
    twice = changed(done, other)
    twice["cells"].append(cell(done, "check.measure("))
    assert found(5, twice, {})[0] == kept[0]  # what was printed last
    assert "no result was handed in" in found(6, bare, {})[2]
    assert "no result was handed in" in found(7, bare, {"my result.txt": good.encode(), "x.json": good.encode()})[2]
    assert "result.json: a symbolic link" in found(8, bare, {"result.json": lambda path: path.symlink_to(MASTER)})[2]
    assert "result.json: a folder, not a file" in found(9, bare, {"result.json": lambda path: path.mkdir()})[2]
    assert "not a file with contents" in found(10, bare, {"result.json": os.mkfifo})[2]
    assert "result.json: 1 MB; 64 kB is the most" in found(11, bare, {"result.json": b" " * (1 << 20)})[2]
    alone = collected(tmp_path / "alone", key, None, {"result.json": good.encode()})
    assert alone.cells is None and alone.problem == "there is a result.json and no notebook"


@pytest.mark.parametrize(
    "outputs",
    [None, 3, [3], [{"text": 3}], [{"text": [3]}], [{"data": {}}], [{"text": "result.json {"}], {"text": "x"}],
    ids=repr,
)
def test_outputs_that_are_none_are_passed_over(key, done, tmp_path, outputs):
    notebook = changed(done)
    cell(notebook, "check.measure(")["outputs"] = outputs
    handed = collected(tmp_path / "x", key, notebook, {}).measured["waste"]
    assert handed["result"] is None and handed["problem"].startswith("no result")


def test_words_are_what_a_student_wrote_below_the_measurement(key, done, kit, tmp_path):
    def found(name, notebook):
        return collected(tmp_path / name, key, notebook, {}).measured["waste"]["words"]

    assert found("stub", json.loads((kit / "student/measured.ipynb").read_text())) == ""
    own = found("own", done)
    assert own.startswith("With 4 pictures") and "marks them" not in own
    more = changed(done, "{}", {'check.measure("waste", waste)': "check.measure( 'waste',waste)"})
    at = more["cells"].index(cell(more, "### What it says"))
    more["cells"][at]["source"] = "my own heading"
    more["cells"].insert(at + 1, {"cell_type": "code", "metadata": {}, "source": "1", "outputs": []})
    more["cells"].append({"cell_type": "markdown", "metadata": {}, "source": ["and ", "more\n", "words"]})
    assert found("more", more) == "my own heading\nand more\nwords"
    assert found("gone", changed(done, None, {"check.measure": "print"})) == ""
    assert len(found("long", changed(done, "{}", {"With 4 pictures": "w " * 9000}))) == 6000


# ---------------------------------------------------------------- what a person marks, and the reports


@pytest.fixture(scope="module")
def class_of_four(key, done, kit, tmp_path_factory):
    """Folder and results: two right ones (one in whose words is markup), one without a result, one unread."""
    folder = tmp_path_factory.mktemp("class")
    markup = changed(done, json.dumps(result_in(done)), {"With 4 pictures": "<script>x</script> = 4"})
    stub = json.loads((kit / "student/measured.ipynb").read_text())
    for name, notebook in {"=right": done, "markup": markup, "stub": stub}.items():
        (folder / f"{name}.ipynb").write_text(json.dumps(notebook))
    (folder / "letter.pdf").write_bytes(b"%PDF")
    submissions = _submissions.collected(folder, key)
    return [asdict(_grade.grade_submission(submission, key, QUICK)) for submission in submissions]


@pytest.fixture
def results(class_of_four):
    return json.loads(json.dumps(class_of_four))  # as it is kept, and each test its own


def table_of(path):
    return list(csv.DictReader(io.StringIO(path.read_text())))


def fill(path, marks, **change):
    """Write marks of students into the sheet: student -> one mark a line of the rubric."""
    rows = list(csv.reader(io.StringIO(path.read_text())))
    for row in rows[1:]:
        if row[0] in marks:
            row[-2:] = marks[row[0]]
    text = io.StringIO()
    csv.writer(text, delimiter=change.get("delimiter", ",")).writerows(rows)
    path.write_text(text.getvalue(), encoding=change.get("encoding", "utf-8"))


def test_until_a_person_has_marked_points_by_hand_are_neither_given_nor_taken(key, results, tmp_path):
    said = _report.write_all(key, results, tmp_path)
    assert said == ["3 to be marked by hand: read by-hand.html, fill by-hand.csv, and grade again"]
    rows = {row["student"]: row for row in table_of(tmp_path / "grades.csv")}
    assert [(rows[n]["points"], rows[n]["possible"], rows[n]["by hand"]) for n in ("'=right", "stub", "letter")] == [
        ("5", "5", "3"), ("0", "5", "3"), ("0", "5", "0")]  # fmt: skip
    assert rows["stub"]["waste state"] == "fail" and "no result was handed in" in rows["stub"]["causes"]
    (one,) = json.loads((tmp_path / "gradescope/right/results.json").read_text())["tests"][-1:]
    assert (one["score"], one["max_score"]) == (0, 0) and "to be marked by hand" in one["output"]
    assert 'skipped="1"' in (tmp_path / "junit.xml").read_text()
    page = (tmp_path / "feedback/right.html").read_text()
    assert (
        "<b>5</b> of 5 points, and 3 more to be given by hand" in page
        and "0: nothing; 1: one arm; 2: both arms" in page
    )
    assert "5 / 5 + 3 by hand" in (tmp_path / "class.html").read_text()
    read = (tmp_path / "by-hand.html").read_text()
    assert read.count("0: nothing; 1: one arm; 2: both arms") == 1 and read.count("to be marked by hand</p>") == 3
    assert "&lt;script&gt;x" in read and "<script" not in read and PREDICTION in read and "No words were found" in read
    assert {r["student"]: (r["words"] > "20", r["What came out (0 to 2)"]) for r in table_of(tmp_path / "by-hand.csv")} == {
        "'=right": (True, ""), "markup": (True, ""), "stub": (False, "")}  # fmt: skip


@pytest.mark.parametrize("form", [{}, {"delimiter": ";", "encoding": "utf-8-sig"}, {"encoding": "utf-16"}], ids=str)
def test_marks_by_hand_are_added_once_and_stay(key, class_of_four, tmp_path, form):
    def again():
        results = json.loads(json.dumps(class_of_four))
        return {r["student"]: r for r in results}, _report.write_all(key, results, tmp_path)

    again()
    comma = "0,5" if form else "0.5"
    fill(tmp_path / "by-hand.csv", {"'=right": ["2", comma], "markup": ["1", ""], "stub": ["0", "0"]}, **form)
    for _ in range(2):
        got, said = again()
        assert [(got[n]["points"], got[n]["possible"], got[n]["by_hand"]) for n in ("=right", "markup", "stub")] == [
            (7.5, 8, 0), (5, 5, 3), (0, 8, 0)]  # fmt: skip
        assert said == ["1 to be marked by hand: read by-hand.html, fill by-hand.csv, and grade again"]
    rows = {row["student"]: row for row in table_of(tmp_path / "by-hand.csv")}
    assert rows["markup"]["What came out (0 to 2)"] == "1" and rows["'=right"]["Why (0 to 1)"] == comma
    assert "marked by hand: 2.5 of 3 (2, 0.5)" in (tmp_path / "by-hand.html").read_text()
    page = (tmp_path / "feedback/right.html").read_text()
    assert "by hand</p>" in page and "0.5 / 1" in page and "to be marked" not in page
    one = json.loads((tmp_path / "gradescope/right/results.json").read_text())
    assert one["score"] == 7.5 == sum(test["score"] for test in one["tests"])


def test_a_mark_that_is_none_and_one_for_other_words_are_said(key, results, tmp_path):
    _report.write_all(key, json.loads(json.dumps(results)), tmp_path)
    fill(tmp_path / "by-hand.csv", {"'=right": ["3", "1"], "markup": ["good", "1"], "stub": ["0", "0"]})
    stub = next(a for r in results if r["student"] == "stub" for a in r["answers"] if a["hand"])
    stub["hand"]["words"] = "handed in again"
    said = "\n".join(_report.write_all(key, results, tmp_path))
    assert "=right has “3” under What came out (0 to 2)" in said and "markup has “good” under" in said
    assert "stub was marked for other words than are there now" in said and "3 to be marked by hand" in said
    assert not [r for r in results if r["possible"] == 8]


def test_a_sheet_that_is_none_any_more_is_said_in_a_sentence(key, results, tmp_path):
    (tmp_path / "by-hand.csv").write_text("student,points\ns,3\n")
    with pytest.raises(ValueError, match="has no column question and none for and none What came out"):
        _report.write_all(key, results, tmp_path)


def test_a_gradebook_says_whose_mark_is_a_part(key, results, tmp_path):
    (tmp_path / "g.csv").write_text(f"Student,ID,{key['title']} (1)\nx,=right,\ny,stub,\n")
    book = Gradebook(tmp_path / "g.csv", key)
    text, said = book.filled(results)
    assert text == f"Student,ID,{key['title']} (1)\nx,=right,5\ny,stub,0\n"
    assert said[-1] == (
        "the automatic part alone, points by hand are still to be given: x (of 5, and 3 by hand); y (of 5, and 3 by hand)"
    )
    _report.write_all(key, json.loads(json.dumps(results)), tmp_path)
    fill(tmp_path / "by-hand.csv", {"'=right": ["2", "1"], "stub": ["0", "0"]})
    _report.write_all(key, results, tmp_path)
    text, said = book.filled(results)
    assert text.splitlines()[1:] == ["x,=right,8", "y,stub,0"] and "automatic part" not in " ".join(said)


def test_a_key_without_a_measured_question_makes_no_sheet(results, tmp_path):
    key = {"name": "p", "version": "0", "title": "P", "questions": {"longest": {}}}
    plain = [r | {"answers": [a for a in r["answers"] if not a["hand"]], "by_hand": 0} for r in results]
    assert _report.write_all(key, plain, tmp_path) == [] and not list(tmp_path.glob("by-hand*"))
    assert _by_hand.read(tmp_path, key) == {}


# ---------------------------------------------------------------- the measured questions of the book


@pytest.mark.parametrize(("stem", "grows"), [("patches", False), ("video", True)])
def test_what_an_answer_sheet_says_of_the_arms_holds(stem, grows):
    """ "The ranges do not meet", whichever arm a class has, and the value goes the way that the sheet tells."""
    master = _build.read_master(ROOT / f"assignments/{stem}.ipynb")
    (name,) = master.measured
    function = _build.solutions(master, None, [name])[name]
    for before, after in master.measured[name].arms.values():
        arms = [[function(n, *arm) for n in range(_measured.SPREAD)] for arm in (before, after)]
        low, high = arms if grows else reversed(arms)
        assert max(low) < min(high)


@pytest.mark.parametrize(("stem", "asked"), [("vq", "revive"), ("rvq", "train_stages")])
def test_number_by_number_the_arm_is_worse_under_each_rule(stem, asked):
    """What the answer sheets of both say; ranges may meet there."""
    master = _build.read_master(ROOT / f"assignments/{stem}.ipynb")
    (name,) = master.measured
    (before, *_), *_ = master.measured[name].arms.values()
    for rule in master.questions[asked].rules:
        function = _build.solutions(master, {asked: rule}, [name])[name]
        unchanged = function(3, *before)
        assert all(function(3, *after) < unchanged for _, after in master.measured[name].arms.values())


def test_the_share_that_noise_keeps_jumps_under_each_rule_of_the_assignment_on_video():
    """The sheet's words: few without noise, nearly all with it, a threshold at 1.1 standard deviations."""
    master = _build.read_master(ROOT / "assignments/video.ipynb")
    question, asked = master.questions["moved"], master.measured["kept_share"]
    for rule in question.rules:
        share = _build.solutions(master, {"moved": rule}, ["kept_share"])["kept_share"]
        without, *arms = (share(5, noise) for noise in (0.0, *(after[0] for _, after in asked.arms.values())))
        assert without < 0.3 and min(arms) > 0.95
        assert share(5, 0.6) < 0.4 < 0.95 < share(5, 1.0)
    noise = np.random.default_rng(0).normal(size=(2, 100_000))
    assert np.abs(noise[1] - noise[0]).mean() == pytest.approx(1.1, abs=0.05)
