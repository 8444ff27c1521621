"""The explorable of fused pictures on the Python side: what a row says by hand, shares straight from the results."""

import itertools
import json
import re

import numpy as np
import pytest

from mmtokedu import explore
from mmtokedu.explore import _fuse
from mmtokedu.measured import results

ARMS = list(itertools.product(_fuse.PICTURES, _fuse.SEPARATORS, (False, True)))


def test_rows_by_hand():
    """Words CEA, pictures ACA, BCB, ADB, words DBAD."""
    letters = lambda *arm: "".join(cell[0] for cell in _fuse.received(*arm, _fuse.FIRST))
    assert letters("codes", "closed", False) == _fuse.TOKENS
    assert letters("codes", "there", False) == "CEA[ACA][BCB][ADB]DBAD"
    assert letters("codes", "kept", False) == _fuse.TOKENS
    row = _fuse.received("vectors", "kept", True, _fuse.FIRST)
    assert [cell[3] for cell in row] == [0, 1, 2, 4, 5, 6, 9, 10, 11, 14, 15, 16, 18, 19, 20, 21]
    assert [cell[2] for cell in row] == ["word"] * 3 + ["code"] * 9 + ["word"] * 4
    assert [cell[1] for cell in row] == ["id"] * 3 + ["vector"] * 9 + ["id"] * 4
    marked = _fuse.received("codes", "there", True, _fuse.FIRST)
    assert [kind for _, form, kind, _ in marked if form == "marker"] == ["word"] * 6  # as in the experiment
    assert [at for *_, at in marked] == list(range(22))


def test_every_layout_is_there_once():
    found = _fuse.layouts()
    assert len(found) == len(set(found)) and _fuse.FIRST in found
    for layout in found:
        lengths = np.diff(layout)
        assert 1 <= len(lengths) <= 3 and lengths.min() >= 2 and lengths.max() <= 5
        assert layout[0] >= 1 and layout[-1] < len(_fuse.TOKENS)
    by_hand = sum(1 for lengths in range(1, 4) for row in itertools.product(range(2, 6), repeat=lengths)
                  for start in range(1, 16) if start + sum(row) <= 15)  # fmt: skip
    assert len(found) == by_hand


def test_neither_does_the_others_work():
    """With nothing every layout is the same row; a modality embedding says what a token is and not where a picture ends;
    with separators, or their gap, the row says all."""
    same = {arm: _fuse.fitting(*arm, _fuse.FIRST) for arm in ARMS}
    whole = len(_fuse.layouts())
    for (pictures, separators, modality), fits in same.items():
        assert _fuse.FIRST in fits
        if separators != "closed":
            assert len(fits) == 1
        elif pictures == "codes" and not modality:
            assert len(fits) == whole
        else:
            assert 1 < len(fits) < whole
            told = [{_fuse.answers(layout)[i] for layout in fits} for i in range(3)]
            assert len(told[0]) > 1 and len(told[1]) > 1 and told[2] == {"word"}


@pytest.mark.parametrize("arm", ARMS)
def test_layouts_that_fit_are_those_with_the_same_row(arm):
    """The classes part all layouts among them."""
    rows = {}
    for layout in _fuse.layouts():
        rows.setdefault(tuple(_fuse.received(*arm, layout)), []).append(layout)
    for fits in list(rows.values())[::17]:
        assert _fuse.fitting(*arm, fits[0]) == fits


def test_the_letter_that_is_asked_about_stands_once():
    assert _fuse.TOKENS.count(_fuse.TOKENS[_fuse.ASKED]) == 1
    assert _fuse.answers((1, 4, 8, 12))[2] == "picture" and _fuse.answers((2, 4, 8, 12))[2] == "word"
    assert _fuse.answers((3, 6, 9)) == (2, "B", "word") and _fuse.answers((3, 6)) == (1, "", "word")


def test_shares_are_those_of_the_results():
    """Straight from the file: codes, modality alone, the second of three pictures; and what was not measured is None."""
    rows = [row for row in results("interleave")["rows"] if row["part"] == "codes" and row["arm"] == "modality"]
    asked = [row["asked"][0]["rows"] for row in rows]
    second = [one[2]["first"][1] for one in asked]
    count = [np.mean([row["count"] for row in one[:3]]) for one in asked]
    told = _fuse.share("codes", "closed", True)
    np.testing.assert_allclose(told["first"][1], [np.mean(second), min(second), max(second)], atol=1e-4)
    np.testing.assert_allclose(told["count"], [np.mean(count), min(count), max(count)], atol=1e-4)
    assert told["seeds"] == len(rows) == 3
    missing = [arm for arm in ARMS if _fuse.share(*arm) is None]
    assert missing == [("codes", "kept", False), ("vectors", "kept", True)]
    later = [row for row in _fuse.measured() if row["later"]]
    assert len(later) == 8 and all(row["separators"] == "there" for row in later)
    gone = [row for row in results("interleave")["rows"] if (row["arm"], row["vectors"]) == ("both", True)]
    first = [one["rows"][2]["first"][0] for row in gone for one in row["asked"] if one["asked"] == "removed, gap kept"]
    (kept,) = [row for row in later if (row["pictures"], row["modality"], row["later"]) == ("vectors", True, "kept")]
    assert kept["first"][0][1:] == [min(first), max(first)]


def test_the_world_is_the_experiments():
    world = results("interleave")["settings"]["world"]
    assert (_fuse.SHORTEST, _fuse.LONGEST) == (world["shortest"], world["longest"])
    assert {row["upto"] for row in results("interleave")["rows"] if not row["order"]} == {_fuse.MOST}
    limit = results("interleave")["settings"]["palette"]
    starts = zip(_fuse.FIRST, _fuse.FIRST[1:], strict=False)
    assert all(len(set(_fuse.TOKENS[start:stop])) <= limit for start, stop in starts)


def test_output_carries_arguments_and_still():
    out = explore.fuse(separators="kept", modality=False, pictures="vectors", bounds=(2, 7, 10, 15))
    head = out._repr_html_().split("</mm-explore-fuse>")[0]
    assert '<mm-explore-fuse pictures="vectors" separators="kept" modality="off" bounds="2-7-10-15"><figure' in head
    assert (
        f"<title>{out.alt}</title>" in head and f"<figcaption>{out.alt}</figcaption>" in head and 'role="img"' in head
    )
    assert out.alt.startswith("Pictures as vectors, no separators, their gap kept, no modality embedding: 1 of 462")
    assert "was not measured" in explore.fuse(separators="kept", modality=False).alt
    text = out._repr_html_()
    data = json.JSONDecoder().raw_decode(text[text.index("fuse ??= ") + len("fuse ??= ") :])[0]
    assert data["shares"] == json.loads(json.dumps(_fuse.measured())) and data["tokens"] == _fuse.TOKENS


@pytest.mark.parametrize("arm", ARMS)
def test_the_still_figure_stays_within_its_frame(arm):
    pictures, separators, modality = arm
    head = explore.fuse(pictures=pictures, separators=separators, modality=modality)._repr_html_().split("</svg>")[0]
    ends = [int(x) + int(width) for x, width in re.findall(r'<rect x="(\d+)" y="\d+" width="(\d+)"', head)]
    assert max(ends) <= 640 and len(ends) == 22 + len(_fuse.received(*arm, _fuse.FIRST))


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"pictures": "pixels"}, ValueError, "pictures is 'pixels'; choose 'codes', 'vectors'"),
        ({"separators": True}, ValueError, "separators is True; choose 'there', 'closed', 'kept'"),
        ({"modality": 1}, TypeError, "modality is 1; expected True or False"),
        ({"bounds": (3, 6, 9)}, ValueError, "bounds are (3, 6, 9); expected where the three pictures begin"),
        ({"bounds": (3, 4, 9, 12)}, ValueError, "2 to 5 tokens each, within 1 to 15"),
        ({"bounds": (3, 6, 9, 16)}, ValueError, "bounds are (3, 6, 9, 16)"),
    ],
)
def test_arguments_are_checked(arguments, error, says):
    with pytest.raises(error, match=re.escape(says)):
        explore.fuse(**arguments)


def test_golden_vectors_reach_every_arm():
    golden = explore.golden_vectors("fuse")
    assert {tuple(row[:3]) for row in golden["rows"]} == {tuple(row[:3]) for row in golden["fits"]} == set(ARMS)
    assert len(golden["answers"]) == len(_fuse.layouts()) and sum(row[3] is None for row in golden["shares"]) == 2
