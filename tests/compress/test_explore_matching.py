"""The figure of eight tokens that merge on the Python side: rounds by hand, what presets promise, its golden vectors."""

import json
import re

import numpy as np
import pytest

from mmtokedu import explore
from mmtokedu.compress import merge_tokens
from mmtokedu.explore import _matching


def cosines(tokens):
    units = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
    return units @ units.T


def test_two_rounds_by_hand():
    """0 joins 1, of the same direction; then 3 joins their mean, which counts as two unless sizes are forgotten."""
    tokens = np.array([[1.0, 0.0], [0.6, 0.0], [0.0, 1.0], [0.1, -1.0]])
    first, second = _matching.played(tokens, 1, 2, True)
    assert first.partner.tolist() == [0, 0] and first.source.tolist() == [1, 1, 0, 2] and first.merged == [1.0]
    np.testing.assert_allclose(first.tokens, [[0.0, 1.0], [0.8, 0.0], [0.1, -1.0]])
    assert first.size.tolist() == [1, 2, 1]
    # three are left: A are (0, 1) and (0.1, -1), B is the mean, to which (0.1, -1) is nearer
    assert second.partner.tolist() == [0, 0] and second.source.tolist() == [1, 1, 0, 1]
    np.testing.assert_allclose(second.tokens, [[0.0, 1.0], [(1 + 0.6 + 0.1) / 3, -1 / 3]])
    _, forgot = _matching.played(tokens, 1, 2, False)
    np.testing.assert_allclose(forgot.tokens, [[0.0, 1.0], [(0.8 + 0.1) / 2, -1 / 2]])
    np.testing.assert_allclose(_matching.drift(tokens, forgot), [0, np.hypot(1.7 / 3 - 0.45, 1 / 2 - 1 / 3)])


@pytest.mark.parametrize("r", range(5))
def test_rounds_are_the_librarys_with_sizes_and_sources_handed_on(r):
    rng = np.random.default_rng(r)
    for tokens in rng.uniform(-1, 1, (10, 8, 2)):
        made, size, source, now = _matching.played(tokens, r, 3, True), None, None, tokens
        for one in made:
            told = merge_tokens(now, min(r, len(now) // 2), size=size, source=source)
            now, size, source = told
            np.testing.assert_array_equal(one.source, source)
            np.testing.assert_array_equal(one.size, size)
            np.testing.assert_allclose(one.tokens, now, rtol=1e-12)
        assert np.max(_matching.drift(tokens, made[-1])) < 1e-12  # weighed by size, a token is the mean of all in it


def test_presets_show_what_they_promise():
    rounds = {name: _matching.played(_matching.places(name), *rest) for name, (_, *rest) in _matching.PRESETS.items()}
    assert rounds["two"][0].source.tolist() == [2, 2, 2, 3, 0, 4, 1, 5]  # 0 and 2 in 1
    twins = cosines(_matching.places("twins"))
    np.fill_diagonal(twins, -1)
    assert (
        twins.max() == twins[2, 6] > rounds["twins"][0].merged[0] and len(set(rounds["twins"][0].source[[2, 6]])) == 2
    )
    half = _matching.places("half")
    slower = min(x for one in _matching.played(half, 2, 2, True) for x in one.merged)
    assert rounds["half"][0].merged[-1] < -0.1 and slower > 0.95
    sizes = _matching.places("sizes")
    assert _matching.drift(sizes, rounds["sizes"][1]).max() == pytest.approx(0.176, abs=0.001)


def test_output_carries_arguments_and_still():
    out = explore.matching(preset="half", r=3, rounds=2, sizes=False)
    head = out._repr_html_().split("</mm-explore-matching>")[0]
    assert '<mm-explore-matching preset="half" r="3" rounds="2" sizes="off"><figure' in head
    assert f"<title>{out.alt}</title>" in head and f"<figcaption>{out.alt} Round marks" in head and 'role="img"' in head
    text = out._repr_html_()
    data = json.JSONDecoder().raw_decode(text[text.index("matching ??= ") + len("matching ??= ") :])[0]
    assert data == {"presets": json.loads(json.dumps(_matching.PRESETS)), "rounds": _matching.MOST_ROUNDS}


def test_words_name_every_pair():
    assert explore.matching().alt == (
        "Round 1 of ToMe: 8 tokens become 6; 0 merges into 1, 2 merges into 1. The least alike of these pairs has the "
        "cosine 0.956."
    )
    said = explore.matching(preset="sizes").alt
    assert "6 tokens become 4; 0+1+2 merges into 3, 5 merges into 6." in said
    assert "sizes are forgotten, and a token lies up to 0.176 from the mean" in said
    assert "sizes are counted, and a token lies up to 0.000" in explore.matching(preset="sizes", sizes=True).alt
    assert explore.matching(r=0).alt == "Round 1 of ToMe: 8 tokens become 8."


@pytest.mark.parametrize("preset", _matching.PRESETS)
def test_the_still_figure_has_every_token_and_stays_within_its_frame(preset):
    for rounds in (1, 2, 3):
        head = explore.matching(preset=preset, rounds=rounds)._repr_html_().split("</svg>")[0]
        _, r, _, sizes = _matching.PRESETS[preset]
        made = _matching.played(_matching.places(preset), r, rounds, sizes)
        before = _matching.names(np.arange(8) if rounds == 1 else made[-2].source)
        assert re.findall(r">([\d+]+)</text>", head) == before
        boxes = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="(\d+)" height="22" rx="(\d+)"', head)
        assert [rx == "11" for *_, rx in boxes] == [i % 2 == 0 for i in range(len(before))]
        assert all(0 <= float(x) and float(x) + int(w) <= 420 and 0 <= float(y) <= 398 for x, y, w, _ in boxes)
        joined = {k for k in made[-1].source if len({before_ for before_ in before if made[-1].source[int(before_[0])] == k}) > 1}  # fmt: skip
        assert head.count('z" fill="#a07a2c"') == len(joined)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"preset": "three"}, ValueError, "preset is 'three'; choose two, twins, half, sizes"),
        ({"r": 5}, ValueError, "r is 5; choose 0 to 4, half of 8 tokens"),
        ({"r": -1}, ValueError, "r is -1"),
        ({"r": 1.5}, TypeError, "'float' object cannot be interpreted as an integer"),
        ({"rounds": 0}, ValueError, "rounds is 0; choose 1 to 3"),
        ({"rounds": 4}, ValueError, "rounds is 4; choose 1 to 3"),
        ({"sizes": 1}, TypeError, "sizes is 1; expected True or False"),
    ],
)
def test_arguments_are_checked(arguments, error, says):
    with pytest.raises(error, match=re.escape(says)):
        explore.matching(**arguments)


def test_golden_vectors_reach_every_r_and_both_kinds_of_sizes():
    golden = explore.golden_vectors("matching")
    assert {(r, sizes) for _, r, sizes, _ in golden["rounds"]} == {(r, s) for r in range(5) for s in (True, False)}
    assert any(max(told[-1][-1]) > 0.1 for _, _, sizes, told in golden["rounds"] if not sizes)
    tied = golden["ties"]
    assert len(tied) == 5 * len(_matching.TIES) and tied[2][3][0][1] == [0] * 4  # of eight equal ones the first B
