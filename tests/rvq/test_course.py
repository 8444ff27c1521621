"""What the exercises of the residual quantization chapter hold a student to, held to numbers worked on paper."""

import math

import pytest
from worked_answers import assert_as_worked

from mmtokedu import rvq
from mmtokedu.course import rvq as course

BY_HAND = {  # exercise -> what each of its cases must give
    # 5.2 is nearest to 4, leaves 1.2; nearest to 1, leaves 0.2; nearest to 0.3. 3.1 leaves -0.9, then 0.6.
    # 8.4 leaves 0.4, nearer to 0 than to 1. -1 leaves itself, then 0.5. 2.6 leaves -1.4, then 0.1. 4.7: 0.7, then -0.3.
    # (3, 1) leaves (-1, 1); (0, -2) leaves itself; (2.5, -1) leaves (-1.5, -1): squares 3.25 and 4.25
    "encode": [
        [[1, 2, 2], [1, 0, 2], [2, 1, 2], [0, 0, 2], [1, 0, 1], [1, 2, 0]],
        [[1, 1], [0, 0], [1, 0]],
    ],
    "decode": [[[4 + 1 - 0.4], [0 - 1.5 + 0.3]], [[5], [-1.5]], [[4 - 1, 0 + 1], [-1, 1]]],
    # 4 over 0.04; 25 over 1 + 4; 0.5 over 1
    "snr": [20, 10 * math.log10(5), -10 * math.log10(2)],
    "bits": [75 * 80, 44100 / 512 * 90, 12.5 * 88],
    # 4096 frames; 32268 / 8 is 4033 and a half; 3996 / 8 is 499 and a half
    "context": [4096 / 75, 4033 / 12.5, 499 / 75],
    "delay": [
        [[1, 9, 9], [4, 2, 9], [9, 5, 3], [9, 9, 6]],
        [[7, 2048], [2048, 8]],
        [[0, 2], [1, 1], [1, 0], [2, 1]],
    ],
    "undelay": [[[1, 2, 3], [4, 5, 6]], [[7, 8]], [[0, 1], [1, 0], [1, 1]]],
    "flatten": [[1, 12, 3, 10], [5, 8, 23, 1, 9, 17, 0, 14, 18]],
    "dropout": [[1, 1, 2, 3, 4], [1, 1, 2, 8]],
    "listen": [1500, 1500, 3 * 375],
}


def test_every_exercise_has_numbers_worked_by_hand():
    assert [getattr(course, name) for name in BY_HAND] == list(course.EXERCISES)


@pytest.mark.parametrize("name", BY_HAND)
def test_the_answer_itself_is_right(name):
    assert_as_worked(getattr(course, name), BY_HAND[name], rtol=1e-12)


def test_a_delay_undone_is_what_was_delayed():
    for (codes, pad), (delayed,) in zip(course.delay.cases, course.undelay.cases):
        assert course.delay.answer(codes, pad).tolist() == delayed.tolist()
        assert course.undelay.answer(delayed).tolist() == codes.tolist()


def test_ids_of_the_flattened_row_tell_codebook_and_code():
    codes, K = course.flatten.cases[1]
    ids = course.flatten.answer(codes, K)
    assert (ids % K).tolist() == rvq.flatten_codes(codes).tolist()
    assert (ids // K).tolist() == [0, 1, 2] * 3


def test_what_a_listener_reads_is_the_catalogs():
    assert course.listen.answer(3, 30, 1500) == rvq.audio_tokens("whisper", 3)
    assert course.listen.answer(61, 30, 375) == rvq.audio_tokens("voxtral", 61)


@pytest.mark.parametrize("exercise", course.EXERCISES, ids=lambda exercise: exercise.name)
def test_every_wrong_answer_is_wrong_in_its_own_way(exercise):
    said = [mistake.says for mistake in exercise.mistakes]
    assert len(set(said)) == len(said) >= 4
    for mistake in exercise.mistakes:
        message = exercise(mistake.answer).message
        assert [says for says in said if f"likely cause: {says}" in message] == [mistake.says]
        assert course._SECTION in message
