"""Charts of what fewer tokens cost: medians and ranges of the rows, lines that need no colour."""

import itertools

import numpy as np
import pytest

pytestmark = pytest.mark.apart

pytest.importorskip("matplotlib")

from mmtokedu import show
from mmtokedu.show import curves

TASKS = {"read": "read", "colour": "colour", "where": "where", "count": "count"}
CHANCE = {"read": 0.1, "colour": 1 / 6, "where": 1 / 9, "count": 0.25}
METHODS = {name: name.title() for name in ("random", "norm", "tome", "fold", "queries", "oracle")}
STEPS = 32, 16, 8, 4, 1


def table(axis, places, methods=METHODS, seeds=(0, 1, 2)):
    """Made-up rows, in no order, with the full model's."""
    rng, rows = np.random.default_rng(0), []
    for method, place, seed in itertools.product(methods, places, seeds):
        rows.append({"method": method, axis: place, "seed": seed} | dict(zip(TASKS, rng.random(4).tolist())))
    full = [{"method": "full", axis: 64, "seed": s} | dict.fromkeys(TASKS, 0.9 + 0.01 * s) for s in seeds]
    return [rows[i] for i in rng.permutation(len(rows))] + full


@pytest.fixture
def drawn(monkeypatch):
    """Call a chart and get (its axes, its alt and caption, the figure)."""

    def draw(function, *arguments, **more):
        kept = []
        monkeypatch.setattr(curves, "figure", lambda fig, **said: kept.append((fig.axes, said, fig)))
        function(*arguments, **more)
        return kept[0]

    return draw


def shares(rows, task, **want):
    return [row[task] for row in rows if all(row[key] == value for key, value in want.items())]


def test_marks_are_medians_and_bars_the_range(drawn):
    rows = table("tokens", STEPS)
    axes, said, fig = drawn(show.panels, rows, TASKS, METHODS, chance=CHANCE)
    assert [ax.get_title(loc="left") for ax in axes] == list(TASKS.values())
    for ax, task in zip(axes, TASKS):
        named = {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}
        assert list(named) == list(METHODS.values())
        for (method, label), bars in zip(METHODS.items(), ax.collections, strict=True):
            found = [shares(rows, task, method=method, tokens=n) for n in STEPS]
            np.testing.assert_allclose(named[label].get_ydata(), [100 * np.median(v) for v in found])
            ends = [segment[:, 1] for segment in bars.get_segments()]
            np.testing.assert_allclose(ends, [[100 * min(v), 100 * max(v)] for v in found])
            assert np.abs(np.log2(named[label].get_xdata() / np.array(STEPS))).max() < 0.15  # beside each other
            for n, v in zip(STEPS, found):
                assert f"{100 * np.median(v):.0f} % at {n}" in said["alt"]
        dotted = [line.get_ydata()[0] for line in ax.get_lines() if line.get_label().startswith("_")]
        np.testing.assert_allclose(dotted, [91, 100 * CHANCE[task]])
        assert ax.get_xlim()[0] > 32 and ax.get_xlim()[1] < 1
    assert [text.get_text() for text in fig.legends[0].get_texts()] == list(METHODS.values())
    assert "medians of 3 models" in said["caption"]


def test_no_colour_is_needed_to_tell_lines_apart(drawn):
    axes, *_ = drawn(show.panels, table("tokens", STEPS), TASKS, METHODS, chance=CHANCE)
    lines = [line for line in axes[0].get_lines() if not line.get_label().startswith("_")]
    assert len({line.get_marker() for line in lines}) == len(METHODS)
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == len(METHODS)


def stored():
    """Rows as the experiment writes them: a list a seed, options beside; and adapters, a row a seed."""
    row = lambda way, keep, shares, **options: {"way": way, "keep": keep, "right": {"digit": shares}} | options
    free = [
        row("full", 64, [0.9, 0.8], tokens=64.0),
        row("random", 16, [0.4, 0.3], tokens=16.0),
        row("random", 16, [0.1, 0.2], tokens=16.0, renumber=True),
        row("random", 16, [0.7, 0.6], tokens=28.0, after=1),
        row("random", 16, [0.8, 0.5], tokens=40.0, after=2),
    ]
    arms = [
        {"name": "mean", "tokens": n, "steps": steps, "side": 96, "seed": s, "right": {"digit": n / 20 + s / 10},
         "course": [{"step": k, "digit": k / steps} for k in (1, 2)], "parameters": 9, "seconds": 1.5}
        for n in (16, 4) for steps in (300, 900) for s in (0, 1)
    ]  # fmt: skip
    return free, arms


def test_rows_of_results_are_told_apart_by_their_options():
    free, arms = stored()
    told = lambda rows: [(r["method"], r["seed"], r["tokens"], r["layer"], r["digit"]) for r in rows]
    assert told(curves.seed_rows(free, {"full": {"way": "full"}, "any": {"way": "random"}})) == [
        ("full", 0, 64.0, None, 0.9), ("full", 1, 64.0, None, 0.8),
        ("any", 0, 16.0, None, 0.4), ("any", 1, 16.0, None, 0.3),
    ]  # fmt: skip
    late = curves.seed_rows(free, {"late": {"way": "random", "after": None}, "second": {"way": "random", "after": 2}})
    assert [(*row[:1], row[3], row[4]) for row in told(late)] == [
        ("late", 1, 0.7), ("late", 1, 0.6), ("late", 2, 0.8), ("late", 2, 0.5), ("second", 2, 0.8), ("second", 2, 0.5),
    ]  # fmt: skip
    mean = {"name": "mean", "steps": 300, "side": 96}
    assert [row[:3] for row in told(curves.seed_rows(arms, {"mean": mean}))] == [
        ("mean", 0, 16), ("mean", 1, 16), ("mean", 0, 4), ("mean", 1, 4),
    ]  # fmt: skip
    course = curves.course_rows(arms, {"mean": mean | {"tokens": 4}})
    assert [(row["seed"], row["step"], row["digit"]) for row in course] == [
        (s, k, k / 300) for s in (0, 1) for k in (1, 2)
    ]
    for rows, way in ((free, {"way": "ranodm"}), (free, {"after": None}), (arms, {"name": "mean"})):
        with pytest.raises(ValueError, match=r"no row is of 'x': .*, and no other options"):
            curves.seed_rows(rows, {"x": way})


def test_results_are_drawn_as_they_are_stored(drawn):
    free, arms = stored()
    ways = {"full": {"way": "full"}, "late": {"way": "random", "after": None}}
    rows = curves.seed_rows(free, ways)
    _, said, _ = drawn(show.layers_chart, rows, {"digit": "a digit"}, {"late": "random"}, chance={"digit": 0.1})
    assert "full 85 %; random 65 % at 1, 65 % at 2" in said["alt"]


def test_two_panels_will_do(drawn):
    two = {"read": "a digit", "count": "a count"}
    axes, said, _ = drawn(show.panels, table("tokens", STEPS), two, {"tome": "ToMe"}, chance=CHANCE)
    assert len(axes) == 2 and "Share right in 2 panels" in said["alt"]


def test_layers_are_named_where_the_lines_are_apart(drawn):
    rows = table("layer", (1, 2, 3, 4), ("fastv", "random", "none"))
    rows = [row | {"read": 0.9 if row["method"] != "full" else 0.91} for row in rows]
    apart = {"fastv": 0.8, "random": 0.5, "none": 0.2}
    rows = [row | {"count": apart[row["method"]]} if row.get("layer") == 1 else row for row in rows]
    methods = {"fastv": "FastV", "random": "random", "none": "nothing left"}
    axes, said, _ = drawn(show.layers_chart, rows, {"read": "a digit", "count": "a count"}, methods, chance=CHANCE)
    assert [[text.get_text() for text in ax.texts] for ax in axes] == [[], list(methods.values())]
    assert [text.get_position()[1] for text in axes[1].texts] == pytest.approx([80, 50, 20])
    for ax, task in zip(axes, ("read", "count")):
        for line, method in zip([line for line in ax.get_lines() if line.get_label() in methods.values()], methods):
            medians = [100 * np.median(shares(rows, task, method=method, layer=k)) for k in (1, 2, 3, 4)]
            np.testing.assert_allclose(line.get_ydata(), medians)
            assert ", ".join(f"{m:.0f} % at {k}" for k, m in zip((1, 2, 3, 4), medians)) in said["alt"]
    assert axes[0].get_xlim()[0] > 0 > axes[1].get_xlim()[0]  # room for names in one alone


def test_every_seed_is_a_line(drawn):
    rows = table("step", (300, 100, 200), ("plain", "pool", "taught", "fold"))
    arms = {"plain": "plain queries", "pool": "from pooling", "fold": "fold"}
    axes, said, _ = drawn(show.seed_curves, rows, arms, "read", chance=0.1, full=0.93, budget=200)
    assert [ax.get_title(loc="left") for ax in axes if ax.axison] == list(arms.values())
    for ax, arm in zip(axes, arms):
        full, chance, budget, *seeds = ax.get_lines()
        assert (full.get_ydata()[0], chance.get_ydata()[0], budget.get_xdata()[0]) == (93, 10, 200)
        assert len(seeds) == 3 and len({str(line._unscaled_dash_pattern) for line in seeds}) == 3
        for seed, line in enumerate(seeds):
            found = [shares(rows, "read", method=arm, seed=seed, step=n)[0] for n in (100, 200, 300)]
            np.testing.assert_allclose(line.get_xydata(), np.stack([(100, 200, 300), 100 * np.array(found)], axis=1))
    last = [f"{100 * shares(rows, 'read', method='pool', seed=s, step=300)[0]:.0f}" for s in range(3)]
    assert f"from pooling: {', '.join(last)} % after 300 steps" in said["alt"] and "Ochre: step 200." in said["caption"]


def test_bars_are_as_long_as_their_tokens(drawn):
    rows = [("Tiny", 64, ""), ("Small", 100, "97 % of the characters"), ("Large", 1200, "")]
    (ax,), said, _ = drawn(show.page_as_picture, 1000, rows)
    assert [bar.get_width() for bar in ax.patches] == [1000, 64, 100, 1200]
    told = [text.get_text() for text in ax.texts]
    assert told == [
        "1,000 tokens",
        "64 · 15.6× fewer",
        "100 · 10.0× fewer · 97 % of the characters",
        "1,200 · 1.2× more",
    ]
    assert "Tiny 64, 15.6 times fewer; Small 100, 10.0 times fewer, 97 % of the characters; Large 1,200" in said["alt"]


@pytest.mark.parametrize("values, gap", [([50, 51, 90], 10), ([1, 1, 1, 1], 5), ([3], 4), ([9, 0, 5, 4.9, 30], 3)])
def test_labels_are_moved_apart_and_no_farther(values, gap):
    moved, order = curves.spread(values, gap), np.argsort(values, kind="stable")
    assert (np.diff(moved[order]) >= gap - 1e-9).all()
    assert moved.mean() == pytest.approx(np.mean(values))
    far = np.abs(np.subtract.outer(values, values)) + np.eye(len(values)) * 1e9
    alone = far.min(axis=1) >= gap * len(values)
    np.testing.assert_allclose(moved[alone], np.array(values, float)[alone])


def test_charts_speak_for_themselves():
    rows, two = table("tokens", STEPS), {"read": "read", "count": "count"}
    layers, steps = table("layer", (1, 2)), table("step", (1, 2))
    for draw in (
        lambda **said: show.panels(rows, two, {"tome": "ToMe"}, chance=CHANCE, **said),
        lambda **said: show.layers_chart(layers, two, {"tome": "ToMe"}, chance=CHANCE, **said),
        lambda **said: show.seed_curves(steps, {"tome": "ToMe"}, "read", chance=0.1, full=0.9, **said),
        lambda **said: show.page_as_picture(1000, [("Tiny", 64, "")], **said),
    ):
        assert len(draw().alt) > 50 and "<figcaption>" in draw()._repr_html_()
        assert draw(alt="Mine.").alt == "Mine." and "<figcaption>" not in draw(caption="")._repr_html_()


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda rows: show.panels(rows, TASKS, {"x": "X"}, chance=CHANCE),
            "no row has the method 'x'; known are 'fold'",
        ),
        (lambda rows: show.panels(rows, {"read": "read"}, METHODS, chance=CHANCE), "6 methods and 1 tasks"),
        (lambda rows: show.panels(rows, TASKS, METHODS | {"full": "Full"}, chance=CHANCE), "7 methods and 4 tasks"),
        (lambda rows: show.layers_chart(rows, TASKS, METHODS, chance=CHANCE), "6 methods and 4 tasks"),
        (lambda rows: show.seed_curves(rows, {"x": ""}, "read", chance=0, full=1), "no row has the method 'x'"),
        (lambda rows: show.seed_curves(rows, METHODS | {"full": ""}, "read", chance=0, full=1), "7 arms"),
        (lambda rows: show.page_as_picture(0, [("a", 3, "")]), r"0 text tokens against \[3\]"),
        (lambda rows: show.page_as_picture(9, []), r"9 text tokens against \[\]"),
        (lambda rows: show.page_as_picture(9, [("a", 3, "")], alt=" "), "alt is empty"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(table("tokens", STEPS))
