"""The explorables of positions on the Python side: arguments are checked, still figures say what the library says."""

import json
import math
import re

import numpy as np
import pytest

from mmtokedu import explore
from mmtokedu.catalog import positions as catalog
from mmtokedu.explore import _dials, _mrope
from mmtokedu.mrope import Text, Vision, axis_of_pair, decode_offset, position_ids, rotate, turning
from mmtokedu.show.markup import PALETTE


def data_of(out, topic):
    """What Python writes for the topic's elements."""
    text, start = out._repr_html_(), f"{topic} ??= "
    return json.JSONDecoder().raw_decode(text[text.index(start) + len(start) :])[0]


# The sequence


def test_a_sequence_by_hand():
    ids = _mrope.sequence("qwen2-vl", "after-max", 2, 3, 1)
    assert list(ids.items()) == [
        *((f"a{i}", (i, i, i)) for i in range(4)),
        ("p0_0", (4, 4, 4)), ("p0_1", (4, 4, 5)), ("p0_2", (4, 4, 6)),
        ("p1_0", (4, 5, 4)), ("p1_1", (4, 5, 5)), ("p1_2", (4, 5, 6)),
        *((f"b{i}", (7 + i,) * 3) for i in range(4)),
        ("f0_0_0", (11, 11, 11)), ("f0_0_1", (11, 11, 12)), ("f0_0_2", (11, 11, 13)),
        ("f0_1_0", (11, 12, 11)), ("f0_1_1", (11, 12, 12)), ("f0_1_2", (11, 12, 13)),
        ("f1_0_0", (12, 11, 11)), ("f1_0_1", (12, 11, 12)), ("f1_0_2", (12, 11, 13)),
        ("f1_1_0", (12, 12, 11)), ("f1_1_1", (12, 12, 12)), ("f1_1_2", (12, 12, 13)),
        *((f"c{i}", (14 + i,) * 3) for i in range(5)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "resume", "fps", "behind"),
    [
        ("qwen2-vl", "after-max", 4, 1), ("qwen2-vl", "spatial", 4, -4), ("qwen2-vl", "spatial", 8, -12),
        ("qwen2.5-vl", "after-max", 1, 1), ("qwen2.5-vl", "spatial", 1, -1), ("qwen2.5-vl", "spatial", 8, -4),
        ("qwen3-vl", "after-max", 8, 3), ("qwen3-vl", "spatial", 8, 3), ("1d", "spatial", 8, 1),
        ("qwen2-vl", "after-max", 1, 2),
    ],
)  # fmt: skip
def test_where_the_first_word_after_the_film_stands(rule, resume, fps, behind):
    assert _mrope.landing(_mrope.sequence(rule, resume, 4, 6, fps)) == behind


def test_the_next_token_goes_on_where_the_library_says():
    segments = [segment for _, segment in _mrope.segments("qwen2-vl", 4, 6, 4)]
    ids = _mrope.sequence("qwen2-vl", "after-max", 4, 6, 4)
    assert ids["c4"][0] + 1 == len(ids) + decode_offset(segments)


def test_the_clock_gives_a_film_the_same_time_at_every_rate():
    told = {1: [14, 18], 2: [14, 16, 18, 20], 4: list(range(14, 22)), 8: list(range(14, 22))}  # 2 ids a second, of two
    for fps, times in told.items():
        ids = _mrope.sequence("qwen2.5-vl", "after-max", 4, 6, fps)
        assert sorted({place[0] for name, place in ids.items() if name[0] == "f"}) == times
        assert sum(name[0] == "f" for name in ids) == 12 * fps  # at 8 frames a second two share an id


# Its page


def test_output_carries_arguments_and_still():
    out = explore.mrope(
        rule="qwen2.5-vl", layout="blocks", resume="spatial", height=3, width=12, fps=8, query="c0", token="f15_1_2"
    )
    head = out._repr_html_().split("</mm-explore-mrope>")[0]
    attributes = (
        'rule="qwen2.5-vl" layout="blocks" resume="spatial" height="3" width="12" fps="8" query="c0" token="f15_1_2"'
    )
    assert f"<mm-explore-mrope {attributes}><figure" in head and 'role="img"' in head
    ids = _mrope.sequence("qwen2.5-vl", "spatial", 3, 12, 8)
    assert f"frame 16, row 2, column 3 at {ids['f15_1_2']}" in out.alt and "4 before it" in out.alt
    said = out.alt.replace("'", "&#x27;")
    assert f"<title>{said}</title>" in head and f"<figcaption>{said}</figcaption>" in head


@pytest.mark.parametrize("rule", _mrope.RULES)
def test_the_still_figure_has_a_mark_where_tokens_stand(rule):
    ids = _mrope.sequence(rule, "after-max", 4, 6, 4)
    head = explore.mrope(rule=rule)._repr_html_().split("</mm-explore-mrope>")[0]
    marks = {
        (name[0] if name[0] in "pf" else "a", axis, at) for name, place in ids.items() for axis, at in enumerate(place)
    }
    assert head.count("<rect ") == len(marks)
    for kind, color in (("p", "#1f6cc0"), ("f", "#08553a"), ("a", "#59626f")):
        assert head.count(f'fill="{color}"') == sum(mark[0] == kind for mark in marks)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"rule": "qwen"}, ValueError, "rule is 'qwen'; choose qwen2-vl, qwen2.5-vl, qwen3-vl, 1d"),
        ({"layout": "hope"}, ValueError, "layout is 'hope'; choose blocks, interleaved"),
        ({"resume": "last-piece"}, ValueError, "resume is 'last-piece'; choose after-max, spatial"),
        ({"fps": 3}, ValueError, "fps is 3; choose 1, 2, 4, 8"),
        ({"height": 9}, ValueError, "height is 9; choose 1 to 8 tokens"),
        ({"width": 0}, ValueError, "width is 0; choose 1 to 12 tokens"),
        ({"width": 6.5}, TypeError, "integer"),
        ({"query": "p4_0"}, ValueError, "query is 'p4_0'; this sequence has a3 (a word), p3_5 (picture, row_column)"),
        ({"token": "f8_0_0"}, ValueError, "f7_1_2 (frame_row_column)"),
        ({"token": "s0"}, ValueError, "token is 's0'"),
    ],
)  # fmt: skip
def test_arguments_are_checked(arguments, error, says):
    with pytest.raises(error, match=re.escape(says)):
        explore.mrope(**arguments)


def test_a_frames_time_can_be_the_query_where_there_is_one():
    assert "the time of frame 8; “What” at" in explore.mrope(rule="qwen3-vl", query="s7").alt


def test_data_in_the_page_is_the_catalog():
    data = data_of(explore.mrope(), "mrope")
    assert [row["id"] for row in data["rules"]] == list(_mrope.RULES)
    for told in data["rules"]:
        row = catalog.row("models", told["id"])
        for name in ("rule", "films", "steps", "title", "about", "source", "verified"):
            assert told[name] == getattr(row, name)
        assert told["resumes"] == list(row.resumes) and told["as_of"] == row.as_of.isoformat()
    for told, system in zip(data["layouts"], ("qwen2-vl", "qwen3-vl"), strict=True):
        turns = turning(system)
        assert (told["sections"], told["theta"], told["layout"]) == (
            list(turns["sections"]),
            turns["theta"],
            turns["layout"],
        )
        assert 2 * sum(told["sections"]) == catalog.row("models", system).head == 128 and turns["pairing"] == "half"


def test_attention_is_that_of_vectors_of_ones():
    for layout, system in (("blocks", "qwen2-vl"), ("interleaved", "qwen3-vl")):
        turns = {name: value for name, value in turning(system).items() if name != "width"}
        q, k = rotate(np.ones((2, 128)), np.array([[3, 9], [5, 2], [7, 7]]), **turns)
        weights = np.exp(np.array([q @ k, q @ q]) / 128**0.5 - q @ q / 128**0.5)
        assert _mrope.attention(layout, (3, 5, 7), (9, 2, 7)) == pytest.approx(weights[0] / weights[1], rel=1e-12)
        assert _mrope.attention(layout, (4, 4, 4), (4, 4, 4)) == 1


def test_qwen2_vls_blocks_hardly_tell_columns_apart_and_interleaved_pairs_do():
    far = [_mrope.attention(layout, (4, 4, 4), (4, 4, 15)) for layout in ("blocks", "interleaved")]
    assert far[0] > 0.999 and far[1] < 0.6


def test_axes_can_be_read_on_both_papers():
    def light(color):
        parts = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    for mode in (0, 1):
        for color in _mrope.AXES.values():
            low, high = sorted([light(color[mode]), light(PALETTE["paper"][mode])])
            assert (high + 0.05) / (low + 0.05) >= 4.5
            assert color[mode] not in [pair[mode] for pair in PALETTE.values()]


def test_golden_vectors_are_the_librarys():
    golden = explore.golden_vectors("mrope")
    assert {row[0] for row in golden["ids"]} == set(_mrope.RULES)
    assert {row[1] for row in golden["ids"]} == set(_mrope.RESUMES)
    kinds = {"text": Text, "vision": Vision}
    for rule, resume, segments, told in golden["ids"][::7]:
        ids = position_ids([kinds[kind](*sizes) for kind, *sizes in segments], rule=rule, resume=resume)
        assert ids.tolist() == told
    fractions = {size[-1] for row in golden["ids"] for kind, *size in row[2] if kind == "vision"}
    assert {0, 0.5, 1 / 3, 12.5} <= fractions
    assert {row[1:5] for row in map(tuple, golden["sequences"]) if row[0] == "1d"} >= {("spatial", 8, 12, 8)}
    assert min(row[-1] for row in golden["sequences"]) == -12
    for layout, sections, told in golden["axes"]:
        assert told == axis_of_pair(sections, layout=layout).tolist()
    shares = [row[-1] for row in golden["attention"]]
    assert len(shares) == 126 and shares.count(1) == 2 and min(shares) < 0.1 and all(map(math.isfinite, shares))


# One dial a pair


def test_dials_output_carries_arguments_and_still():
    out = explore.dials(layout="blocks", theta=10_000, numbers="drawn", query="2_3_3", key="2_3_2")
    head = out._repr_html_().split("</mm-explore-dials>")[0]
    assert '<mm-explore-dials layout="blocks" theta="10000" numbers="drawn" query="2_3_3" key="2_3_2"><figure' in head
    assert f"<title>{out.alt.replace(chr(39), '&#x27;')}</title>" in head and head.count("<circle ") == 8
    assert re.findall(r">([thw])</text>", head) == list("tthhhwww")
    assert "offset (0, 0, +1)" in out.alt


def test_the_product_follows_the_offset_alone():
    for layout in _dials.LAYOUTS:
        for numbers in _dials.WORDS:
            here = _dials.product(layout, 20, numbers, (0, 1, 0), (1, 0, 2))
            assert here == pytest.approx(_dials.product(layout, 20, numbers, (1, 3, 1), (2, 2, 3)), abs=1e-12)
            assert abs(here - _dials.product(layout, 20, numbers, (0, 1, 0), (1, 0, 1))) > 0.1
    assert _dials.product("blocks", 20, "ones", (1, 1, 1), (1, 1, 1)) == pytest.approx(16)


def test_the_pairs_of_the_dials_are_the_layouts():
    data = data_of(explore.dials(), "dials")
    for name, sections in _dials.LAYOUTS.items():
        assert data["axes"][name] == axis_of_pair(sections, layout=name).tolist()
    assert data["vectors"]["ones"] == [[1.0] * 16] * 2
    assert [np.linalg.norm(each).round(2) for each in data["vectors"]["drawn"]] == [4.0, 4.0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"layout": "hope"}, "layout is 'hope'; choose blocks, interleaved"),
        ({"theta": 50}, "theta is 50; choose 20, 100, 10000"),
        ({"numbers": "zeros"}, "numbers is 'zeros'; choose ones, drawn"),
        ({"query": "3_0_0"}, "query is '3_0_0'; expected frame_row_column from 0_0_0 to 2_3_3"),
        ({"key": (0, 0, 0)}, "key is (0, 0, 0); expected frame_row_column"),
        ({"key": "0_0"}, "key is '0_0'"),
    ],
)
def test_dials_arguments_are_checked(arguments, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        explore.dials(**arguments)


def test_dials_golden_vectors_are_the_librarys():
    golden = explore.golden_vectors("dials")
    assert {tuple(row[:3]) for row in golden["products"]} == {
        (layout, theta, numbers) for layout in _dials.LAYOUTS for theta in _dials.THETAS for numbers in _dials.WORDS
    }
    for sections, layout, theta, x, place, y in golden["turned"]:
        again = rotate(np.array([x]), np.array(place)[:, None], sections=sections, theta=theta, layout=layout)[0]
        np.testing.assert_array_equal(again, y)
        assert np.abs(np.subtract(x, y)).max() > 0.1 or not any(place)
    for *_, q, k, made, product in golden["products"][::17]:
        assert np.dot(*made) == product and (q != k or product > 0)
