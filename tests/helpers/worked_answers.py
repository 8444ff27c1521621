"""An exercise's own answer beside numbers worked on paper."""

import numpy as np


def assert_as_worked(exercise, expected, rtol):
    """The answer to each case of this exercise is the number worked for it, within rtol."""
    assert len(exercise.cases) == len(expected)
    for case, number in zip(exercise.cases, expected):
        np.testing.assert_allclose(exercise.answer(*case), number, rtol=rtol)
