"""Which pair turns with which axis, as production has it, and how far."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmtokedu.mrope import angles, axis_of_pair

GOLDEN = json.loads((Path(__file__).parents[1] / "parity" / "golden" / "mrope.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", GOLDEN["rows"], ids=lambda row: row["name"])
def test_the_axis_of_each_pair_is_productions(row):
    axis = axis_of_pair(row["sections"], layout=row["layout"])
    assert axis.tolist() == row["axis_of_pair"] and axis.dtype == np.int64


@pytest.mark.parametrize("row", GOLDEN["turns"], ids=lambda row: row["layout"])
def test_the_turns_at_one_position_are_productions(row):
    turned = angles(
        np.array(row["position"])[:, None], sections=row["sections"], theta=row["theta"], layout=row["layout"]
    )
    np.testing.assert_allclose(np.cos(turned[0]), row["cos"], atol=1e-6)
    np.testing.assert_allclose(np.sin(turned[0]), row["sin"], atol=1e-6)


@pytest.mark.parametrize(
    ("layout", "sections"),
    [
        ("blocks", (3, 0, 2)),
        ("interleaved", (6, 5, 5)),
        ("videorope", (1, 2, 2)),
        ("mmrope", (4, 6, 6)),
        ("blocks", (5,)),
    ],
)
def test_every_axis_has_its_pairs(layout, sections):
    counted = np.bincount(axis_of_pair(sections, layout=layout), minlength=len(sections))
    assert counted.tolist() == list(sections)


def test_what_does_not_turn_stays():
    assert axis_of_pair((2, 1, 1), layout="hope").tolist() == [1, 2, -1, -1]
    assert angles([[9], [1], [1]], sections=(2, 1, 1), theta=1, layout="hope").tolist() == [[1, 1, 0, 0]]


def test_angles_by_hand():
    """Three pairs of theta 1000: speeds 1, 0.1, 0.01."""
    places = [[0, 4], [1, 5], [2, 6]]  # (A, N): two tokens at (0, 1, 2) and (4, 5, 6)
    turned = angles(places, sections=(1, 1, 1), theta=1000)
    np.testing.assert_allclose(turned, [[0, 0.1, 0.02], [4, 0.5, 0.06]], rtol=1e-12)
    assert turned.dtype == np.float64


def test_one_axis_is_plain_rope_with_or_without_its_axis():
    plain = np.arange(5)[:, None] * 10000.0 ** (-np.arange(4) / 4)
    for positions in (np.arange(5), np.arange(5)[None]):
        np.testing.assert_allclose(angles(positions, sections=(4,)), plain)
    assert angles(np.zeros((1, 1)), sections=(4,)).shape == (1, 4)


def test_axes_that_agree_are_one_axis():
    same = np.broadcast_to(np.arange(7), (3, 7))
    np.testing.assert_array_equal(
        angles(same, sections=(6, 5, 5), layout="interleaved"), angles(same[0], sections=(16,))
    )


@pytest.mark.parametrize("shape", [(0,), (1,), (63,), (2, 5)])
def test_shapes(shape):
    assert angles(np.zeros((3, *shape)), sections=(2, 3, 3)).shape == (*shape, 8)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: axis_of_pair((1, 1, 1), layout="spiral"), "layout is 'spiral'; choose one of blocks, interleaved"),
        (lambda: axis_of_pair(()), r"sections are \(\)"),
        (lambda: axis_of_pair((4, -1)), r"sections are \(4, -1\)"),
        (lambda: axis_of_pair((0, 0)), r"sections are \(0, 0\)"),
        (lambda: axis_of_pair((4, 6, 6), layout="interleaved"), "axis 1 has only 5 turns for its 6 pairs"),
        (lambda: axis_of_pair((2, 1, 2), layout="videorope"), "h and w take turns in videorope"),
        (lambda: axis_of_pair((2, 2), layout="hope"), "hope has three axes"),
        (lambda: axis_of_pair((2, 2, 2), layout="mmrope"), "as 2 to 3 to 3"),
        (lambda: angles(np.zeros((2, 5)), sections=(1, 1, 1)), r"shape \(2, 5\); the sections name 3 axes"),
        (lambda: angles(np.zeros(5), sections=(1, 1, 1)), r"shape \(5,\); the sections name 3 axes"),
        (lambda: angles([0, 1], sections=(2,), theta=0), "theta is 0"),
    ],
)
def test_what_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_a_section_is_a_whole_number():
    with pytest.raises(TypeError, match="a section is 1.5"):
        axis_of_pair((1.5, 2))
