"""What the book measured is found by its topic's name, and a curve that breaks its form is refused by name."""

import json

import pytest

from mmtokedu import measured

pytestmark = pytest.mark.apart

POINT = {"tokens": 64, "quality": 0.5, "spread": 0.1, "instrument": "eye"}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A data folder of the test's own: `write(curve)` stores the results of a topic named `made`."""
    monkeypatch.setattr(measured, "_DATA", tmp_path)
    (tmp_path / "results").mkdir()

    def write(curve):
        text = json.dumps({"made_by": "experiments/made.py"} | ({} if curve is None else {"curve": curve}))
        (tmp_path / "results" / "made.json").write_text(text)

    return write


def test_a_curve_comes_back_as_it_is_stored(write):
    points = [POINT, POINT | {"tokens": 65}, POINT | {"instrument": "ear", "tokens": 2.5, "quality": 1, "spread": 0}]
    write(points)
    assert measured.curve("made") == points


def test_a_point_may_say_how_high_its_letters_are(write):
    write([POINT | {"x_height": 4.5}])
    assert measured.curve("made") == [POINT | {"x_height": 4.5}]


@pytest.mark.parametrize("curve", [None, []])
def test_a_topic_without_a_curve_is_refused_by_name(write, curve):
    write(curve)
    with pytest.raises(ValueError, match=r"'made' have no curve; experiments/made\.py"):
        measured.curve("made")


def test_a_topic_without_results_lists_those_that_have(write):
    write([POINT])
    with pytest.raises(ValueError, match="no results for 'vdeo'; there are for made"):
        measured.curve("vdeo")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": 0}, "nothing else"),
        ({"tokens": float("nan")}, "tokens is no finite number"),
        ({"tokens": True}, "tokens is no finite number"),
        ({"tokens": 0}, "0 follows 0"),
        ({"quality": float("inf")}, "quality is no finite number"),
        ({"quality": "0.5"}, "quality is no finite number"),
        ({"quality": 1.01}, "a share from 0 to 1"),
        ({"quality": -0.01}, "a share from 0 to 1"),
        ({"spread": None}, "spread is no finite number"),
        ({"spread": -0.1}, "spread is not negative"),
        ({"instrument": " "}, "no name"),
        ({"instrument": 3}, "no name"),
        ({"x_height": 0}, "x_height is no positive number"),
        ({"x_height": "7"}, "x_height is no positive number"),
        ({"x_height": float("inf")}, "x_height is no positive number"),
    ],
)
def test_a_point_that_breaks_the_form_is_named(write, change, says):
    write([POINT, {"instrument": "ear"} | {k: v for k, v in POINT.items() if k != "instrument"} | change])
    with pytest.raises(ValueError, match=f"the curve of 'made', point 1 .*{says}"):
        measured.curve("made")


@pytest.mark.parametrize("field", POINT)
def test_a_missing_field_is_named(write, field):
    write([{name: value for name, value in POINT.items() if name != field}])
    with pytest.raises(ValueError, match="point 0 .*tokens, quality, spread, instrument"):
        measured.curve("made")


def test_tokens_rise_within_an_instrument(write):
    write([POINT, POINT | {"instrument": "ear", "tokens": 1}, POINT])
    with pytest.raises(ValueError, match=r"point 2 .*64 follows 64"):
        measured.curve("made")
