"""Drawings of fewer tokens: their numbers are the library's, and what they say holds."""

import numpy as np
import pytest

pytestmark = pytest.mark.apart

pytest.importorskip("matplotlib")

from matplotlib.colors import to_hex

from mmtokedu import show
from mmtokedu.compress import match_tokens, merge_tokens, shuffle_map
from mmtokedu.show import fewer

TURNS = np.radians([10, 200, 25, 18, 120, 135, 95, 30])
EIGHT = np.stack([np.cos(TURNS), np.sin(TURNS)], axis=1) * np.linspace(0.6, 1, 8)[:, None]


@pytest.fixture
def drawn(monkeypatch):
    """Call a drawing and get (its one pair of axes, its alt and caption)."""

    def draw(function, *arguments, **more):
        kept = []
        monkeypatch.setattr(fewer, "figure", lambda fig, **said: kept.append((fig.axes[0], said)))
        function(*arguments, **more)
        return kept[0]

    return draw


def words(ax):
    return [text.get_text() for text in ax.texts]


def cells(ax, color):
    """The filled rectangles of one colour."""
    return [p for p in ax.patches if hasattr(p, "get_xy") and p.get_fill() and to_hex(p.get_facecolor()) == color]


def lines(ax, color):
    return [line for line in ax.get_lines() if to_hex(line.get_color()) == show.COLOR[color]]


def test_each_place_takes_away_what_the_numbers_say(drawn):
    counts = (9, 8, 8, 3, 2, 0)
    ax, said = drawn(show.where_tokens_go, counts)
    pictures = 18  # two of nine patches
    assert len(cells(ax, show.COLOR["image"])) == sum(counts) + pictures
    struck = [line for line in lines(ax, "dropped")]
    assert len(struck) == counts[0] - counts[-1]
    assert [word for word in words(ax) if word in map(str, range(1, 6))][:5] == ["1", "2", "3", "4", "5"]
    assert "shorter: 9, 8, 8, 3, 2 and 0." in said["alt"] and "example" in said["caption"]
    for place in ("duplicates once", "merge in the encoder (ToMe)", "fold, pool, or queries", "drop after layer K"):
        assert place in said["alt"] and place.replace(" ", "") in "".join(words(ax)).replace(" ", "").replace("\n", "")


@pytest.mark.parametrize("r", [0, 1, 2, 4])
def test_thick_lines_are_those_that_merge(drawn, r):
    matched, merged = match_tokens(EIGHT), merge_tokens(EIGHT, r, order="place")
    ax, said = drawn(show.merge_round, EIGHT, matched, merged)
    thick = lines(ax, "accent")
    assert len(thick) == r and all(line.get_linewidth() == 3 for line in thick)
    for likeness in matched.similarity:
        assert f"{likeness:.2f}" in words(ax)
    best = np.sort(matched.similarity)[::-1][:r]
    assert all(f"{likeness:.2f})" in said["alt"] for likeness in best)
    assert said["alt"].count("joins") == r and ("none merges" in said["alt"]) == (r == 0)
    assert sum(int(word.split()[1]) for word in words(ax) if word.startswith("size")) == 8
    assert [word for word in words(ax) if word.startswith("size")] == [f"size {n}" for n in merged.size]
    members = ["+".join(map(str, np.flatnonzero(merged.source == j))) for j in range(8 - r)]
    assert [word for word in words(ax) if "+" in word] == [name for name in members if "+" in name]


def test_a_token_into_which_two_merge_is_told_once(drawn):
    four = np.array([[1, 0.0], [1, 0.1], [1, 0.2], [0, 1.0]])
    ax, said = drawn(show.merge_round, four, match_tokens(four), merge_tokens(four, 2, order="place"))
    assert "0+1+2" in words(ax) and "size 3" in words(ax) and "left are 0+1+2 of size 3, 3 of size 1" in said["alt"]


def test_an_arrow_is_the_mean_of_what_merged(drawn):
    merged = merge_tokens(EIGHT, 2, order="place")
    ax, _ = drawn(show.merge_round, EIGHT, match_tokens(EIGHT), merged)
    arrows = [p._posA_posB for p in ax.patches if hasattr(p, "_posA_posB")]
    vectors = np.array([np.subtract(stop, start) for start, stop in arrows])
    expected = np.concatenate([EIGHT, merged.tokens]) * 24 / np.linalg.norm(EIGHT, axis=1).max()
    np.testing.assert_allclose(vectors, expected, atol=1e-9)


@pytest.mark.parametrize("side, factor", [(4, 2), (6, 3), (6, 2), (2, 1)])
def test_folding_is_the_librarys_map(drawn, side, factor):
    ax, said = drawn(show.folded, side, factor)
    index = shuffle_map((side, side), factor)
    numbers = [int(word) for word in words(ax) if word.isdigit()]
    assert numbers == [*range(side * side), *index.ravel().tolist()]
    means = [word for word in words(ax) if word.startswith("mean of")]
    assert means == ["mean of\n" + ", ".join(map(str, row)) for row in index.tolist()]
    assert f"{len(index)} of {factor**2} × D, none lost" in words(ax)
    assert "; ".join(", ".join(map(str, row)) for row in index.tolist()) in said["alt"]


def test_a_line_is_as_wide_as_its_weight(drawn):
    weights = np.random.default_rng(3).dirichlet(np.ones(7), 4)
    ax, said = drawn(show.queries_read, weights)
    seen = weights[weights > 0.01]
    wide = np.array([line.get_linewidth() for line in lines(ax, "muted")])
    assert len(wide) == len(seen)
    np.testing.assert_allclose(np.diff(wide), 6 * np.diff(seen), atol=1e-9)
    for query, row in enumerate(weights, 1):
        assert f"query {query} most at token {row.argmax() + 1}" in said["alt"]
    assert {"q1", "q2", "q3", "q4", "Perceiver resampler", "Q-Former"} <= set(words(ax)) and "q5" not in words(ax)
    assert len(cells(ax, show.COLOR["image"])) == 7


def four(nn, tokens=64):
    return {
        "one by one": ("as they are", nn.Projector(24, 40)),
        "fold": ("fold", nn.Projector(4 * 24, 40, hidden=32)),
        "pool": ("pool", nn.Projector(24, 40, hidden=32)),
        "queries": ("as they are", nn.QueryResampler(24, 40, queries=10, layers=3)),
    }


def test_what_adapters_cost_is_counted():
    """By hand: a linear map of n tokens costs 2 n (width in) (width out); attention as much twice over."""
    pytest.importorskip("torch")
    from mmtokedu.nn import adapters as nn

    numbers = show.adapter_numbers(four(nn))
    shapes = {title: (row["before"], row["after"]) for title, row in numbers.items()}
    assert shapes == {
        "one by one": ((64, 24), (64, 40)),
        "fold": ((16, 96), (16, 40)),
        "pool": ((16, 24), (16, 40)),
        "queries": ((64, 24), (10, 40)),
    }
    flops = {title: row["flops"] for title, row in numbers.items()}
    assert flops["one by one"] == 2 * 64 * 24 * 40
    assert flops["fold"] == 2 * 16 * (96 * 32 + 32 * 40)
    assert flops["pool"] == 2 * 16 * (24 * 32 + 32 * 40)
    layer = (
        10 * 24 * 24 * 2 + 74 * 24 * 48 + 2 * 10 * 74 * 24 + 2 * 10 * 24 * 96
    )  # asking, found; keys, values; looking
    assert flops["queries"] == 2 * (3 * layer + 10 * 24 * 40)
    assert numbers["one by one"]["parameters"] == 24 * 40 + 40
    assert numbers["fold"]["parameters"] == 96 * 32 + 32 + 32 * 40 + 40


def test_adapters_are_drawn_with_their_numbers(drawn):
    pytest.importorskip("torch")
    from mmtokedu.nn import adapters as nn

    ax, said = drawn(show.adapters, four(nn))
    numbers, told = show.adapter_numbers(four(nn)), words(ax)
    for title, row in numbers.items():
        assert title in told and f"{row['after'][0]} × {row['after'][1]}" in told
        assert f"{row['parameters']:,} parameters" in said["alt"]
    assert told.count("64 × 24") == 4 and "16 × 96" in told and told.count("16 × 40") == 2
    assert told.count("64 tokens") == 1 and told.count("16 tokens") == 2 and told.count("10 tokens") == 1
    assert {"fold 2 × 2", "pool 2 × 2", "10 learned\nqueries", "per-token\nMLP", "per-token\nlinear map"} <= set(told)


def test_drawings_speak_for_themselves():
    weights = np.full((4, 8), 1 / 8)
    for draw in (
        lambda **said: show.where_tokens_go(**said),
        lambda **said: show.merge_round(EIGHT, match_tokens(EIGHT), merge_tokens(EIGHT, 2), **said),
        lambda **said: show.folded(**said),
        lambda **said: show.queries_read(weights, **said),
    ):
        assert len(draw().alt) > 100 and "<figcaption>" in draw()._repr_html_()
        assert draw(alt="Mine.").alt == "Mine." and "<figcaption>" not in draw(caption="")._repr_html_()


def shape_error(tokens, source=8):
    matched, merged = match_tokens(EIGHT), merge_tokens(EIGHT, 2)
    return lambda: show.merge_round(tokens, matched, merged._replace(source=merged.source[:source]))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: show.where_tokens_go((12, 10, 7)), r"counts is \[12, 10, 7\]; expected six"),
        (lambda: show.where_tokens_go((6, 5, 4, 5, 2, 1)), "expected six from 12 down"),
        (lambda: show.where_tokens_go((13, 5, 4, 3, 2, 1)), "expected six from 12 down"),
        (shape_error(EIGHT[:6]), r"tokens have shape \(6, 2\), source \(8,\)"),
        (shape_error(EIGHT[:, :1]), r"tokens have shape \(8, 1\)"),
        (shape_error(EIGHT, 7), r"source \(7,\)"),
        (lambda: show.folded(8), "side is 8; at most 6"),
        (lambda: show.folded(4, 3), "3"),
        (lambda: show.queries_read(np.full((4, 8), 0.25)), r"add up to \[2.0, 2.0, 2.0, 2.0\]"),
        (lambda: show.queries_read(np.full((7, 4), 0.25)), r"shape \(7, 4\)"),
        (lambda: show.adapters({}), "0 adapters; one to four"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_adapters_refuse_what_they_cannot_run():
    pytest.importorskip("torch")
    from mmtokedu.nn import adapters as nn

    with pytest.raises(ValueError, match="the way of 'a' is 'shrink'; known are 'as they are', 'fold', 'pool'"):
        show.adapters({"a": ("shrink", nn.Projector(8, 8))})
    with pytest.raises(ValueError, match="60 tokens are no square grid; 64 would be"):
        show.adapters({"a": ("pool", nn.Projector(8, 8))}, 60)
