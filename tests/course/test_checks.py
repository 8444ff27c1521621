"""A check passes the right answer and names every wrong answer it claims to name."""

import importlib
import pkgutil

import numpy as np
import pytest

from mmtokedu import course
from mmtokedu.course import Exercise, Mistake, same

TOPICS = [m.name for m in pkgutil.iter_modules(course.__path__) if not m.name.startswith("_")]
EXERCISES = [
    pytest.param(e, id=f"{t}: {e.name}")
    for t in TOPICS
    for e in importlib.import_module(f"mmtokedu.course.{t}").EXERCISES
]
MISTAKES = [pytest.param(e, m, id=f"{p.id}: {m.says[:40]}") for p in EXERCISES for e in p.values for m in e.mistakes]


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_right_answer_passes_and_the_stub_does_not(exercise):
    assert exercise(exercise.answer).state == "pass"

    def stub(*args):
        raise NotImplementedError

    assert exercise(stub).state == "not attempted"
    assert exercise(lambda *args: None).state == "fail"
    assert "return" in exercise(lambda *args: None).message
    assert exercise(lambda *args: 1 / 0).state == "crash"
    assert len(exercise.mistakes) >= 2


@pytest.mark.parametrize("exercise, mistake", MISTAKES)
def test_a_classic_mistake_is_named(exercise, mistake):
    verdict = exercise(mistake.answer)
    assert verdict.state == "fail"
    assert mistake.says in verdict.message
    assert "expected" in verdict.message and "got" in verdict.message


def test_an_unknown_mistake_is_not_given_a_name():
    exercise = Exercise(
        "double",
        lambda x: 2 * x,
        ((1,), (5,)),
        (Mistake(lambda x: x, "not doubled"), Mistake(lambda x: x**2, "squared")),
    )
    assert "none of the usual" in exercise(lambda x: 2 * x + 1).message
    assert "not doubled" in exercise(lambda x: x).message


def test_a_student_cannot_spoil_the_cases():
    def destroy(array):
        array[:] = 0
        return array

    exercise = Exercise("copy", lambda a: a.copy(), ((np.array([1, 2]),),))
    assert exercise(destroy).state == "fail"
    assert exercise(lambda a: a).state == "pass"


@pytest.mark.parametrize("got", [None, "x", [1, 2, 3], np.array([1.0, np.nan]), [[1], [1, 2]], object()])
def test_odd_results_are_wrong_not_fatal(got):
    assert not same(got, np.array([1.0, 2.0]))


BY_HAND = {  # exercise -> what its cases must give, worked out on paper
    "count visual tokens": [256, 256, 39 * 69, 34 * 60],
    "round a side to whole patches": [4 * 28, 4 * 28, 39 * 28, 69 * 28, 2 * 28, 4 * 28, 28],
    "count Pixtral's tokens": [3 * 7, 63 * 5, 36 * 65, 64 * 8, 8 * 65],
    "measure what padding wastes": [0, 1 - 3011 / 8073, 9 / 20],
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_answer_itself_is_right(name):
    """`answer` is what a student is held to, so it is held to numbers that no code of ours made."""
    exercise = next(p.values[0] for p in EXERCISES if p.values[0].name == name)
    assert [exercise.answer(*case) for case in exercise.cases] == pytest.approx(BY_HAND[name])


def test_the_arrays_of_the_answers_are_right():
    cut, normalise = (next(p.values[0] for p in EXERCISES if word in p.values[0].name) for word in ("cut", "normalise"))
    image, patch = cut.cases[0]  # 4 x 6 pixels of 3 channels, numbered 0, 1, 2, ...; cut by 2
    assert cut.answer(image, patch)[4].tolist() == [42, 43, 44, 45, 46, 47, 60, 61, 62, 63, 64, 65]
    white = normalise.answer(np.full((1, 1, 3), 255, np.uint8), (0.48, 0.46, 0.41), (0.27, 0.26, 0.28))
    assert white[0, 0].tolist() == pytest.approx([0.52 / 0.27, 0.54 / 0.26, 0.59 / 0.28])
