"""The table behind the page on the small model: complete, consistent, and scored as its program scores."""

import itertools
import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from experiment_programs import experiment_named

from mmtokedu.samples import world

pytestmark = pytest.mark.trains

torch = pytest.importorskip("torch")
pytest.importorskip("tqdm", reason="the experiments show their progress with tqdm")

ROOT = Path(__file__).resolve().parents[2]
TABLE = json.loads((ROOT / "mmtokedu" / "data" / "results" / "small.json").read_text(encoding="utf-8"))
ROWS = TABLE["rows"]
ASKED = {"colour", "shape", "where", "count", "sign", "digit", "number"}
SPLIT = {f"digit, {part}" for part in ("7 px", "10 px", "14 px", "flat", "photo")}
TAUGHT = [row for row in ROWS if row["arm"] == "taught first"]
NEVER = [row for row in ROWS if row["arm"] == "never taught"]


@pytest.fixture(scope="module")
def experiment():
    with experiment_named("small") as module:
        yield module


def test_every_arm_and_seed_is_there(experiment):
    assert [(row["arm"], row["seed"]) for row in ROWS] == list(experiment.ARMS)
    assert len(TAUGHT) == 3 and len(NEVER) == 1
    settings = {"patch": 12, "batch": experiment.BATCH, "crowds": experiment.CROWDS, "scenes": experiment.SCENES}
    assert settings.items() <= TABLE["settings"].items() and TABLE["settings"]["tests"] == experiment.TESTS
    assert TABLE["settings"]["parameters"] == experiment.parameters(experiment.untrained())
    assert date.fromisoformat(TABLE["date"]) and TABLE["device"] and TABLE["versions"]["torch"]


@pytest.mark.parametrize("right", [row["right"] for row in ROWS] + list(TABLE["blind"].values()))
def test_shares_are_shares_of_the_same_answers(right):
    assert set(right) == ASKED | SPLIT and all(0 <= share <= 1 for share in right.values())
    assert right["number"] <= right["digit"] + 1e-9
    for names in (("7 px", "10 px", "14 px"), ("flat", "photo")):
        parts = [right[f"digit, {name}"] for name in names]
        assert min(parts) - 1e-4 <= right["digit"] <= max(parts) + 1e-4


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['arm']} {row['seed']}")
def test_the_course_is_counted_in_tokens(row):
    parts = {"taught first": ["look", "answer"], "never taught": ["answer"]}[row["arm"]]
    budget = TABLE["settings"]["tokens"]
    assert list(row["course"]) == parts
    for name in parts:
        course = row["course"][name]
        wanted = budget["never"] if row["arm"] == "never taught" else budget[name]
        assert wanted <= course[-1]["tokens"] < 1.01 * wanted
        assert all(a["tokens"] < b["tokens"] and a["seconds"] <= b["seconds"] for a, b in itertools.pairwise(course))
        assert all(point["loss"] > 0 for point in course)


def test_guessing_gets_what_the_number_of_answers_says():
    guessed = TABLE["blind"]["most frequent"]
    for kind, answers in (("colour", 8), ("where", 9), ("digit", 10), ("sign", 12)):
        assert abs(guessed[kind] - 1 / answers) < 0.05
    assert guessed["number"] < 0.02


def guessing(kind):
    return max(TABLE["blind"][way][kind] for way in ("most frequent", "another picture"))


@pytest.mark.parametrize("row", TAUGHT, ids=lambda row: f"seed {row['seed']}")
def test_taught_eyes_do_what_the_page_says(row):
    right = row["right"]
    assert right["digit"] > 0.75 and right["digit, 14 px"] > right["digit, 7 px"] + 0.05 and right["shape"] > 0.6
    assert all(right[kind] > guessing(kind) + 0.1 for kind in ("where", "count", "number"))
    assert right["sign"] < guessing("sign") + 0.05, "the page says that it had not begun to read words"


def test_the_seeds_differ_as_the_page_says():
    where, colour = (sorted(row["right"][kind] for row in TAUGHT) for kind in ("where", "colour"))
    assert 1 / 3 < where[0] < 0.45 and where[1] > 0.95
    assert colour[1] < guessing("colour") + 0.05 < colour[2] - 0.1


def test_untaught_eyes_do_no_better_than_guessing():
    assert all(NEVER[0]["right"][kind] < guessing(kind) + 0.05 for kind in ASKED)
    spent = [row["seconds"] for row in TAUGHT]
    assert 0.75 * min(spent) < NEVER[0]["seconds"]


def test_a_number_is_read_about_as_often_as_three_digits_apart():
    for row in TAUGHT:
        assert abs(row["right"]["number"] - row["right"]["digit"] ** 3) < 0.1


def test_the_examples_are_test_scenes_and_their_answers():
    for example in TABLE["examples"]:
        scene = world.scene(example["seed"], size=example["size"], split="test")
        assert set(example["said"]) == {question.kind for question in scene.questions} <= set(world.KINDS)
        assert set(example["said"].values()) <= set(world.WORDS)
    assert len(TABLE["examples"]) == 12


def test_speed_is_counted_in_tokens_a_cpu_second(experiment):
    rows = {row["name"]: row for row in TABLE["speed"]["rows"]}
    assert set(rows) == {"small", "small in NumPy", "torch.nn.TransformerDecoder"}
    for row in rows.values():
        for what in {"learning", "reading", "writing"} & set(row):
            assert 0 < row[what]["low"] <= row[what]["median"] <= row[what]["high"]
    ours, plain = experiment.untrained().small, experiment.Plain(len(world.WORDS))
    for name, model in (("small", ours), ("torch.nn.TransformerDecoder", plain)):
        counted = sum(p.numel() for layer in experiment.layers_of(model) for p in layer.parameters())
        assert rows[name]["parameters"] == counted


# the program


def pool_of(questions, answers, height=(7, 14), photo=(False, True)):
    return {
        (60, 60): {
            "questions": torch.tensor(questions),
            "answers": torch.tensor(answers),
            "height": np.array(height),
            "photo": np.array(photo),
        }
    }


def test_scores_by_hand(experiment):
    """Two scenes: all eight kinds in the first; no colour and no sign in the second."""
    wanted = [[1, 2, 3, 4, 5, 6, 7, 8], [-100, 2, 3, 4, 5, 6, 7, -100]]
    told = np.array([[1, 0, 3, 4, 5, 6, 7, 0], [1, 2, 0, 4, 5, 0, 0, 8]])
    found = experiment.score({(60, 60): told}, pool_of([[[0, 0]] * 8] * 2, wanted))
    expected = {"colour": 1, "shape": 0.5, "where": 0.5, "count": 1, "sign": 0, "digit": 4 / 6, "number": 0.5}
    expected |= {"digit, 7 px": 1, "digit, 14 px": 1 / 3, "digit, flat": 1, "digit, photo": 1 / 3}
    assert {name: found[name] for name in expected} == {name: round(value, 4) for name, value in expected.items()}


def test_the_most_frequent_answer_is_that_of_the_words(experiment):
    learn = pool_of([[[3, 1]], [[3, 1]], [[3, 1]], [[3, 2]]], [[7], [8], [8], [9]])
    guess = experiment.most_frequent(learn, pool_of([[[3, 2]], [[3, 1]], [[4, 4]]], [[0], [0], [0]]))
    assert guess[60, 60].tolist() == [[9], [8], [0]]


def test_one_seed_is_one_run(experiment, monkeypatch):
    monkeypatch.setattr(experiment, "SIZES", [(48, 48)])
    pool = lambda make: experiment.draw_pool(make, 16, "train")
    learn = pool(world.crowd), pool(world.scene)
    runs = [experiment.train("taught first", 0, learn, learn, part=2e-4)[0].state_dict() for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(*(run.values() for run in runs)))
