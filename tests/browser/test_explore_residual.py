"""The figure of residual stages in Chromium: golden vectors replayed, hands and keys, what its sentences claim."""

import functools
import json

import harness
import numpy as np
import pytest
from harness import FIRST_RESIDUAL, YARDSTICK, core, element, press
from harness import holds_residual as holds

from mmtokedu import explore
from mmtokedu.explore import _residual

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
TOPIC = "residual"
ELEMENT, CORE = element(TOPIC), core(TOPIC)
state = functools.partial(harness.state, topic=TOPIC)

REPLAY = """text => {
  const golden = JSON.parse(text), core = customElements.get("mm-explore-residual").core, bad = [], seen = {};
  const near = (a, b) => a.length === b.length && a.every((x, i) => Math.abs(x - b[i]) <= 1e-9 * Math.max(1, Math.abs(b[i])));
  const check = (name, test) => golden[name].forEach((row) => {
    seen[name] = (seen[name] ?? 0) + 1;
    if (!test(row)) bad.push([name, row]);
  });
  const chain = (books, vector, codes, left, other, least) => {
    const got = core.encode(vector, books), best = core.best(vector, books);
    return String(got.codes) === String(codes) && near(got.left.map(([x, y]) => Math.hypot(x, y)), left) &&
      String(best.codes) === String(other) && near([best.rest], [least]);
  };
  check("chains", ([books, vector, codes, left, total, other, least]) =>
    chain(books, vector, codes, left, other, least) && near(core.decode(codes, books), total));
  check("page", ([x, y, stages, moved, ...told]) => chain(core.booksOf({stages, moved}), [x / 1000, y / 1000], ...told));
  check("grids", ([stages, moved, count]) => core.elsewhere(core.booksOf({stages, moved})).length === count);
  return {bad: bad.slice(0, 3).map((one) => JSON.stringify(one).slice(0, 300)), count: bad.length, seen};
}"""


def test_golden_vectors(visit):
    golden = explore.golden_vectors(TOPIC)
    result = visit().evaluate(REPLAY, json.dumps(golden, allow_nan=False))
    assert result["count"] == 0, result["bad"]
    assert result["seen"] == {name: len(rows) for name, rows in golden.items()}
    assert result["seen"] == {"chains": 360, "page": 144, "grids": 8}


def test_ties_go_to_the_lowest_code(visit):
    told = visit().evaluate(f"{CORE}.encode([0, 0], [[[1, 0], [0, -1], [-1, 0]], [[2, 0], [-1, 0], [0, 0]]])")
    assert told["codes"] == [0, 1] and told["left"][-1] == [0, 0]


# Hands and keys


def spot(page, place):
    """Where a place of the plane is in the window."""
    box = page.locator(".stage").bounding_box()
    left, top = page.evaluate(f"place => ({ELEMENT}).toScreen(place)", list(place))
    return box["x"] + left, box["y"] + top


def pull(page, start, stop):
    page.mouse.move(*spot(page, start))
    page.mouse.down()
    page.mouse.move(*spot(page, stop), steps=4)
    page.mouse.up()


@pytest.mark.parametrize("width", [375, 1000])
def test_the_vector_is_dragged(visit, width):
    page = visit(viewport={"width": width, "height": 900})
    pull(page, (0.16, 0.68), (-0.5, -0.25))
    now = holds(page)
    assert (now["x"], now["y"]) == pytest.approx((-500, -250), abs=3) and not page.locator(".hint").is_visible()
    page.mouse.move(*spot(page, (0.5, 0.5)))  # nothing is held any more
    assert state(page) == now
    pull(page, (now["x"] / 1000, now["y"] / 1000), (9, -9))  # as far as the plane goes
    assert (holds(page)["x"], holds(page)["y"]) == (1000, -1000)


def test_a_code_of_the_first_stage_takes_its_surroundings_along(visit):
    page = visit()
    sums = lambda: np.array(page.evaluate(f"({ELEMENT}).sums"))
    before = sums()
    pull(page, (-0.41, -0.4), (-0.61, -0.5))  # code 2
    now = holds(page)
    at = np.array(list(map(int, now["moved"].removeprefix("a2_").split("_")))) / 1000
    assert at == pytest.approx([-0.61, -0.5], abs=0.003)
    by = (sums() - before).reshape(4, 16, 2)
    np.testing.assert_allclose(by[2], np.tile(at - [-0.41, -0.4], (16, 1)), atol=1e-12)
    assert not by[[0, 1, 3]].any()
    press(page, "reset")
    assert holds(page) == FIRST_RESIDUAL


def test_a_code_of_the_second_stage_moves_around_every_code_of_the_first(visit):
    page = visit()
    sums = lambda: np.array(page.evaluate(f"({ELEMENT}).sums")).reshape(4, 4, 4, 2)
    before = sums()
    pull(page, (0.46 + 0.34, 0.43 - 0.03), (0.9, 0.2))  # its code 0, where it stands around code 0 of stage 1
    assert holds(page)["moved"].startswith("b0_")
    by = sums() - before
    np.testing.assert_allclose(by[:, 0], np.broadcast_to(by[0, 0, 0], (4, 4, 2)), atol=1e-12)
    assert np.abs(by[0, 0, 0] - [0.1, -0.2]).max() < 0.004 and not by[:, 1:].any()


def test_a_finger_beside_everything_scrolls_and_on_the_vector_does_not(visit):
    page = visit(viewport={"width": 375, "height": 900}, has_touch=True)
    prevented = lambda place: page.evaluate(
        f"""([x, y]) => {{ const stage = ({ELEMENT}).$.stage, touch = new Touch({{identifier: 1, target: stage, clientX: x, clientY: y}});
          return !stage.dispatchEvent(new TouchEvent("touchstart", {{touches: [touch], cancelable: true}})); }}""",
        list(spot(page, place)),
    )
    assert prevented((0.16, 0.68)) and prevented((-0.45, 0.46)) and not prevented((-0.9, -0.9))


def test_keys_move_the_vector_and_codes(visit):
    page = visit()
    vector, code = page.locator(".hand").all()
    for key, place in (
        ("ArrowRight", (180, 680)), ("ArrowUp", (180, 700)), ("Shift+ArrowLeft", (80, 700)), ("Shift+ArrowDown", (80, 600)),
    ):  # fmt: skip
        vector.press(key)
        assert (holds(page)["x"], holds(page)["y"]) == place, key
    assert vector.get_attribute("aria-valuetext").startswith("0.08 across, 0.60 up; codes ")
    for key, name in (
        ("PageDown", "code 1 of stage 1"), ("PageUp", "code 0 of stage 1"), ("PageUp", "code 3 of stage 3"),
        ("Home", "code 0 of stage 1"), ("End", "code 3 of stage 3"),
    ):  # fmt: skip
        code.press(key)
        assert code.get_attribute("aria-valuetext").startswith(name), key
    code.press("ArrowLeft")
    assert holds(page)["moved"] == "c3_100_-60"
    code.press("Home")
    code.press("Shift+ArrowUp")
    assert holds(page)["moved"] == "a0_460_530.c3_100_-60"
    page.locator("#stages").press("Home")  # a code that is no longer there is not held
    assert holds(page)["stages"] == 1
    code.press("End")
    assert code.get_attribute("aria-valuetext").startswith("code 3 of stage 1")


# What it claims


def test_presets_show_what_they_promise(visit):
    page = visit()
    say = lambda: page.locator(".say").inner_text()
    press(page, "all four stages")
    now = holds(page)
    assert now["stages"] == 4 and "here the choice stage by stage is the best" in say()
    bits = page.locator(".answer .quiet").inner_text()
    assert bits.startswith("4 stages × 2 bits = 8 bits.") and "4⁴ = 256 codes; these 4 codebooks hold 16." in bits
    press(page, "on a code")
    holds(page)
    assert say().startswith("Stage 2 makes it worse, from 0.000 to 0.252: it must write a code")
    assert page.locator(".bars .worse").count() == 1
    press(page, "far outside")
    holds(page)
    assert "lies outside all of them" in say()
    press(page, "near a border")
    holds(page)
    assert say() == (
        "Not the best: of all 64 sums, 2 1 1 leaves 0.081. Stage 1 took the code nearest to what it was given, "
        "and no later stage can take that back."
    )
    assert page.locator("[aria-pressed=true]").all_inner_texts() == ["near a border"]
    press(page, "reset")
    assert holds(page) == FIRST_RESIDUAL


def test_outside_means_that_the_sums_do_not_surround_it(visit):
    page, rng = visit(), np.random.default_rng(5)
    _, sums = _residual.all_sums(_residual.codebooks(3))
    turns = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    ways = np.stack([np.cos(turns), np.sin(turns)])
    for vector in rng.uniform(-1, 1, (60, 2)):
        reach = ((vector - sums) @ ways).min(axis=0).max()  # how far it is beyond all sums, in the best direction
        if abs(reach) > 0.01:
            told = page.evaluate(f"([v, s]) => {CORE}.outside(v, s)", [vector.tolist(), sums.tolist()])
            assert told == bool(reach > 0), vector


def test_the_shaded_parts_are_where_the_codes_are_chosen(visit):
    page, rng = visit(), np.random.default_rng(6)
    for x, y in rng.integers(-1000, 1001, (20, 2)).tolist():
        page.evaluate(f"([x, y]) => ({ELEMENT}).set({{x, y}})", [x, y])
        corners = page.evaluate(
            f"""() => {{ const it = {ELEMENT}, core = it.constructor.core; let part = [[-2, -2], [2, -2], [2, 2], [-2, 2]];
              it.books.forEach((book, q) => {{
                const [x, y] = it.base(q);
                part = core.region(it.made.codes[q], book.map(([u, v]) => [x + u, y + v]), part);
              }});
              return part; }}"""
        )
        corners = np.array(corners)
        probes = rng.uniform(0.01, 1, (20, len(corners)))
        probes = (probes / probes.sum(axis=1, keepdims=True)) @ corners
        books = _residual.codebooks(3)
        told = [_residual.stage_by_stage(probe, books)[0] for probe in probes]
        assert told == [page.evaluate(f"({ELEMENT}).made.codes")] * 20


def test_the_map_shows_where_another_sum_is_nearer(visit):
    page = visit()
    picture = lambda: (harness.settle(page), page.evaluate(f"({ELEMENT}).$.canvas.toDataURL()"))[1]
    plain = picture()
    page.get_by_role("button", name="show where").click()
    assert holds(page)["map"] and picture() != plain
    others = {tuple(v) for v in page.evaluate(f"({ELEMENT}).others")}
    told = _residual.elsewhere(_residual.codebooks(3))
    assert others == {tuple(v) for v in _residual.grid()[told].tolist()}


def test_the_table_says_every_stage(visit):
    page = visit()
    page.locator("summary").click()
    rows = [row.replace("−", "-").split("\t") for row in page.locator("tbody tr").all_inner_texts()]
    books, left, total = _residual.codebooks(3), np.array([0.16, 0.68]), np.zeros(2)
    for q, (row, code) in enumerate(zip(rows, (0, 1, 1), strict=True)):
        pair = lambda text: [float(x) for x in text.split(", ")]
        assert (row[0], row[2]) == (str(q + 1), str(code))
        after, total = left - books[q, code], total + books[q, code]
        for text, right in zip((row[1], row[3], row[4], row[5]), (left, books[q, code], total, after), strict=True):
            assert pair(text) == pytest.approx(right, abs=0.0051)
        left = after


def test_arguments_are_the_first_state(visit, put_in):
    page = visit()
    put_in(page, explore.residual(vector=(-0.5, 0.123), stages=1))
    second = page.locator("mm-explore-residual").nth(1)
    assert second.evaluate("e => e.state") == {**FIRST_RESIDUAL, "x": -500, "y": 123, "stages": 1}
    assert second.locator(".tokens span").all_inner_texts() == ["1"]
    assert "another stage multiplies what can be said by 4" in second.locator(".answer .quiet").inner_text()


def test_an_answer_takes_no_longer_than_the_yardstick_allows(visit):
    ratio = visit().evaluate(
        f"""() => {{ const it = {ELEMENT}, yardstick = {YARDSTICK};
          return Array.from({{length: 9}}, (_, i) => {{ // all four stages, a code moved each time: the plane is asked anew
            const unit = yardstick(), from = performance.now();
            it.set({{stages: 4, moved: `b0_${{300 + i}}_0`, map: true}});
            it.render();
            return (performance.now() - from) / unit;
          }}).sort((a, b) => a - b)[4]; }}"""
    )
    assert ratio < 3, ratio
