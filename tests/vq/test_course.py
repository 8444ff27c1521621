"""What the exercises of the vector quantization chapter hold a student to, held to numbers worked on paper."""

import numpy as np
import pytest
from worked_answers import assert_as_worked

from mmtokedu import vq
from mmtokedu.course import vq as course

BY_HAND = {  # exercise -> what each of its cases must give
    # squared distances of the second vector, (1, 2): 5, 13, 2 and 64; of the third, (6, 2): 40, 8, 37 and 9; the
    # fifth, (2, 0), is as far from the first code as from the second, and the lower index wins
    "nearest": [[0, 2, 1, 3, 0], [0, 0], [3, 1, 2, 0, 2]],
    "perplexity": [2, 4 / 3**0.75, 8],  # shares 3/4 and 1/4: (4/3)^(3/4) * 4^(1/4)
    # (1, 1) from (0, 0): 2 * (1, 1) / 4 beside (0.1, 0.2); (1, 2) from (0, 3): 2 * (1, -1) / 4 beside (-0.3, 0)
    # (1, 0, -2) from the origin: 0.75 * 2 / 3 of it
    "gradient": [[[0.5 + 0.25, -0.5]], [[0.6, 0.7], [0.2, -0.5]], [[0.3 + 0.5, 0, -1]]],
    # code 0: half of (8, 0) and half of (10, 4) over half of 4 and half of 2
    "follow": [[[9 / 3, 2 / 3], [2, 2.5], [3, 3]], [[2, 0], [1, 2], [27 / 9.1, 27.8 / 9.1]]],
    "restart": [  # the average usage is 14.1 / 3 = 4.7, then 9 / 3 = 3
        [[8, 0, 4], [5 * 4.7, 1 * 4.7, 4.7], [30, 30, 10]],
        [[15, 3, 3], [6, 6, 3], [30, 30, 8.7]],
    ],
    # 90 and 10 of 100: 0.9 log2(10/9) + 0.1 log2(10) = 0.468996 bits of the 2 that a code of 4 costs
    "grow": [[2 / 8, 2, 3 - 1], [4 / 1024, 4, 10 - 2], [2 / 4, 1.384145, 2 - 0.468996]],
    "bits": [256 * 10, 1024 * 13, 4800 * 14],
    "vocabulary": [[102, 109, 104, 107, 102, 103], [65543, 65541, 65540, 73731]],
    # digits (1, 2), (2, 0), (0, 4), (1, 4) of levels 3, 5; then (3, 1, 6) and (1, 2, 4) of levels 5, 3, 7
    "scalar": [[1 + 6, 2, 12, 1 + 12], [3 + 5 + 90, 1 + 10 + 60]],
}


def test_every_exercise_has_numbers_worked_by_hand():
    assert [getattr(course, name) for name in BY_HAND] == list(course.EXERCISES)


@pytest.mark.parametrize("name", BY_HAND)
def test_the_answer_itself_is_right(name):
    assert_as_worked(getattr(course, name), BY_HAND[name], rtol=1e-6)


def test_the_exercise_without_a_codebook_is_the_librarys_fsq_where_levels_are_odd():
    for vectors, levels in course.scalar.cases:
        assert vq.fsq(vectors, levels)[0].tolist() == course.scalar.answer(vectors, levels).tolist()


@pytest.mark.parametrize("case", course.restart.cases)
def test_the_restart_of_the_exercise_survives_the_next_batch(case):
    sums, usage, vectors, threshold = case
    state = course.restart.answer(*case)
    state = vq.EmaState(state[:, :2], state[:, 2])
    restarted = np.flatnonzero(usage < threshold)
    assert vq.nearest_code(vectors[: len(restarted)], state.embed).tolist() == restarted.tolist()
    after = vq.ema_update(state, vectors, vq.nearest_code(vectors, state.embed), 0.9)
    assert (after.usage >= threshold).all()
