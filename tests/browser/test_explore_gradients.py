"""The explorable of the three gradients in Chromium: golden vectors replayed, things dragged, steps, words, keys."""

import functools
import json
import math
import re

import harness
import numpy as np
import pytest
from harness import FIRST_GRADIENTS, YARDSTICK, element, press, settle, world_gradients
from harness import holds_gradients as holds

from mmtokedu import explore, vq
from mmtokedu.explore import _gradients

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
TOPIC = "gradients"
state = functools.partial(harness.state, topic=TOPIC)

REPLAY = """text => {
  const golden = JSON.parse(text), core = customElements.get("mm-explore-gradients").core, bad = [], seen = {gradients: 0, outcomes: 0};
  const close = (a, b) => Array.isArray(b) ? a.length === b.length && b.every((x, i) => close(a[i], x))
    : Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b)) + 1e-15;
  for (const [z, codes, chosen, upstream, beta, told] of golden.gradients) {
    seen.gradients++;
    const got = core.vqGradients(z, codes, chosen, upstream, beta);
    if (!close(got, told) || String(core.nearestCode(z, codes)) !== String(chosen)) bad.push(["gradients", seen.gradients, got, told]);
  }
  for (const [asked, [code, loss, task, toLatent, toCodebook], after] of golden.outcomes) {
    seen.outcomes++;
    const got = core.outcome(asked), end = core.stepped(asked);
    const right = got.code === code && close([got.loss, got.task, got.toLatent, got.toCodebook, end.z, end.codes], [loss, task, toLatent, toCodebook, ...after]);
    if (!right) bad.push(["outcomes", seen.outcomes, got, end]);
  }
  return {bad: bad.slice(0, 3).map((one) => JSON.stringify(one).slice(0, 400)), count: bad.length, seen};
}"""


def test_golden_vectors(visit):
    golden = explore.golden_vectors(TOPIC)
    result = visit().evaluate(REPLAY, json.dumps(golden, allow_nan=False))
    assert result["count"] == 0, result["bad"]
    assert result["seen"] == {name: len(rows) for name, rows in golden.items()}


def test_ties_go_to_the_lowest_code(visit):
    core = harness.core(TOPIC)
    assert visit().evaluate(f"{core}.nearestCode([[0, 0], [2, 0]], [[1, 0], [0, -1], [-1, 0]])") == [0, 0]


def test_regions_are_where_a_code_is_nearest(visit):
    rng = np.random.default_rng(0)
    page, places = visit(), rng.uniform(-1, 1, (6, 2))
    ask = f"([k, codes]) => {harness.core(TOPIC)}.region(k, codes)"
    regions = [np.array(page.evaluate(ask, [k, places.tolist()])) for k in range(6)]
    cross = lambda a, b: a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    area = lambda corners: abs(cross(corners, np.roll(corners, -1, axis=0)).sum()) / 2
    assert sum(map(area, regions)) == pytest.approx(2.12**2)
    probes = rng.uniform(-1.06, 1.06, (300, 2))
    for probe, k in zip(probes, vq.nearest_code(probes, places), strict=True):
        corners = regions[k]
        assert (cross(np.roll(corners, -1, axis=0) - corners, probe - corners) >= -1e-9).all()


# Hands


def screen(page, name):
    """Where z, t or a code ("c0") is, in pixels of the window."""
    settle(page)
    return tuple(
        page.evaluate(
            f"""name => {{ const it = {element(TOPIC)}, box = it.$.stage.getBoundingClientRect(), [x, y] = it.toScreen(it.spot(name));
              return [box.left + x, box.top + y]; }}""",
            name,
        )
    )


def pull(page, name, by, off=(0, 0)):
    """Drag a thing by so many pixels, taken beside its middle."""
    x, y = np.add(screen(page, name), off)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by[0], y + by[1], steps=4)
    page.mouse.up()


def say(page):
    return page.locator(".say p").all_inner_texts()


@pytest.mark.parametrize("width", [375, 1000])
def test_each_thing_is_dragged_and_follows_the_hand(visit, width):
    page = visit(viewport={"width": width, "height": 900})
    for name, key in (("z", "z"), ("t", "t"), ("c0", "codes"), ("c3", "codes")):
        before, at = state(page), screen(page, name)
        pull(page, name, (30, -40), off=(4, 3))
        assert math.dist(screen(page, name), np.add(at, (30, -40))) < 1
        now = holds(page)
        assert {one for one in now if now[one] != before[one]} == {key}
        moved = np.array(now[key].split("_"), int) != np.array(before[key].split("_"), int)
        assert moved.sum() == 2  # its two numbers, and nobody else's
    page.mouse.move(5, 5)
    assert state(page) == now  # nothing is held any more
    pull(page, "z", (-900, 2000))
    assert holds(page)["z"] == "-1000_-1000"  # as far as the plane goes


def test_the_nearest_thing_is_taken_and_z_from_above(visit):
    page = visit("book.html#gradients:z=0_0,t=5_0,codes=0_5_900_900_-900_900_900_-900")
    pull(page, "z", (60, 0))
    assert holds(page)["t"] == "5_0" and world_gradients(state(page))[0][0] > 0.2
    pull(page, "t", (-60, 0), off=(3, 0))
    assert world_gradients(holds(page))[1][0] < -0.2
    x, y = screen(page, "c0")
    before = state(page)
    page.mouse.move(x + 40, y + 60)  # on nothing
    page.mouse.down()
    page.mouse.move(x + 80, y + 60)
    page.mouse.up()
    assert state(page) == before


def test_a_finger_moves_z_and_does_not_scroll(visit):
    page = visit(has_touch=True, viewport={"width": 375, "height": 600})
    page.locator(".stage").scroll_into_view_if_needed()
    x, y = screen(page, "z")
    touch, scrolled = page.context.new_cdp_session(page), page.evaluate("scrollY")
    send = lambda kind, *at: touch.send(
        "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": u, "y": v} for u, v in at]}
    )
    send("touchStart", (x - 20, y))
    for i in range(1, 6):
        send("touchMove", (x - 20 + 8 * i, y - 12 * i))
    send("touchEnd")
    assert math.dist(screen(page, "z"), (x + 40, y - 60)) < 1 and page.evaluate("scrollY") == scrolled
    holds(page)


def test_keys_move_each_thing(visit):
    page = visit()
    names = [hand.get_attribute("aria-label").split(":")[0] for hand in page.locator(".hand").all()]
    assert names == ["z, the latent", "t, what the task wants", "Code 0", "Code 1", "Code 2", "Code 3"]
    z, _, code = page.locator(".hand").all()[:3]
    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown"):
        z.press(key)
    assert holds(page)["z"] == "-440_-130"
    assert z.get_attribute("aria-valuetext") == "−0.44 across, −0.13 up, snaps to code 0"
    code.press("Shift+ArrowLeft")
    assert holds(page)["codes"].startswith("-750_-500_650_150_")
    assert code.get_attribute("aria-valuetext") == "−0.75 across, −0.50 up, the code of z"
    other = page.locator(".hand").nth(4)
    other.press("ArrowDown")
    assert other.get_attribute("aria-valuetext") == "0.25 across, −0.72 up, gets no gradient"
    holds(page)


# What it says


def test_inside_a_cell_nothing_changes_and_a_border_is_a_jump(visit):
    page = visit()
    before = page.locator(".big.loss b").inner_text()
    pull(page, "z", (-20, 15))
    assert say(page)[0] == (
        f"z moved inside the cell of code 0: the task's loss stays {before}. Snapping has slope 0 here, and the copied "
        "arrow stays as it was."
    )
    x, y = np.subtract(screen(page, "c1"), screen(page, "z"))
    pull(page, "z", (x - 25, y))
    after = holds(page) and page.locator(".big.loss b").inner_text()
    assert (
        say(page)[0]
        == f"z crossed a border: it snaps to code 1 now, and the task's loss went from {before} to {after}."
    )


def test_a_step_is_the_librarys(visit):
    page = visit()
    for preset in ("the arrow helps", "the arrow misleads", "beta 0: z wanders", "a dead code"):
        press(page, preset)
        for count in range(1, 9):
            now = holds(page)
            z, t, codes = world_gradients(now)
            here = _gradients.outcome(z, t, codes, now["beta"], now["through"])
            z, codes = _gradients.stepped(z, t, codes, now["beta"], now["through"])
            next_code = int(vq.nearest_code(z[None], codes)[0])
            ahead = "across a border" in say(page)[1]
            assert ahead == (next_code != here.code)
            assert ("leads z away from t" in say(page)[1]) == bool(-here.task @ (t - world_gradients(now)[0]) < -1e-4)
            press(page, "Step")
            after = world_gradients(holds(page))
            np.testing.assert_allclose(after[0], z, atol=0.000501)
            np.testing.assert_allclose(after[2], codes, atol=0.000501)
            crossed = f"z crossed a border, to code {next_code}" if ahead else f"z stays with code {next_code}"
            loss = ((codes[next_code] - t) ** 2).mean()
            told = re.fullmatch(
                rf"Step {count}: {crossed}; the task's loss (?:went from .* to|stays) (\d\.\d+)\.", say(page)[0]
            )
            assert float(told[1]) == pytest.approx(loss, abs=0.0016)


def test_straight_through_off_and_the_encoder_hears_nothing(visit):
    page = visit()
    press(page, "straight-through")
    assert say(page)[0].endswith("the encoder hears nothing from the decoder. Only the commitment reaches z.")
    before = holds(page)
    pull(page, "t", (-50, 20))
    assert say(page)[0] == "The task wants another place: its arrow at code 0 changed, but z hears nothing of it."
    page.locator("#beta").fill("0")
    assert page.locator(".big b").first.inner_text() == "0.00"
    press(page, "Step")
    assert holds(page)["z"] == before["z"]  # z stays, its code comes
    press(page, "straight-through")
    assert say(page)[0].endswith("is copied to z, as if snapping had done nothing.")
    press(page, "straight-through")
    assert say(page)[0].endswith("With beta 0 nothing reaches z.")


def test_with_beta_1_the_sum_points_at_t(visit):
    page = visit()
    press(page, "the arrow misleads")
    page.locator("#beta").fill("1")
    assert "with 1 times their difference. With beta 1 the two arrows at z add up to one" in say(page)[0]
    z, t, _ = world_gradients(holds(page))
    press(page, "Step")
    np.testing.assert_allclose(world_gradients(holds(page))[0], (z + t) / 2, atol=0.000501)
    page.locator("#beta").fill("0")
    assert say(page)[0] == "Without commitment nothing keeps z near code 0."


def test_a_code_that_z_did_not_choose(visit):
    page = visit()
    pull(page, "c2", (20, 10))
    assert say(page)[0] == "Code 2 is not nearest to z: no arrow and no loss changed."
    x, y = np.subtract(screen(page, "z"), screen(page, "c2"))
    pull(page, "c2", (x + 20, y))
    assert say(page)[0].startswith("The borders moved: z snaps to code 2 now, and the task's loss went from ")
    pull(page, "c2", (10, 10))
    assert say(page)[0].startswith("Code 2 moved, and the task's loss ")
    press(page, "a dead code")
    codes = world_gradients(holds(page))[2]
    press(page, *["Step"] * 6)
    now = world_gradients(holds(page))[2]
    np.testing.assert_array_equal(now[1:], codes[1:])
    assert say(page)[2] == "Codes 1, 2 and 3 are not nearest to z: they get no gradient."  # code 0 came to t instead


def test_the_way_of_z_is_kept_until_something_else_is_done(visit):
    page, count = visit(), f"({element(TOPIC)}).trail.length"
    press(page, "beta 0: z wanders", "Step", "Step", "Step")
    page.locator("#beta").fill("0.5")
    press(page, "straight-through")
    assert page.evaluate(count) == 3
    page.locator(".hand").first.press("ArrowUp")
    assert page.evaluate(count) == 0
    press(page, "Step", "reset")
    assert page.evaluate(count) == 0 and holds(page) == FIRST_GRADIENTS


def test_the_table_has_every_gradient(visit):
    page = visit()
    page.locator("summary").click()
    for acts in ((), ("straight-through",)):
        press(page, *acts)
        now = holds(page)
        found = _gradients.outcome(*world_gradients(now), now["beta"], now["through"])
        rows = [row.replace("−", "-").split("\t") for row in page.locator("tbody tr").all_inner_texts()]
        copied = found.task if now["through"] else 0 * found.task
        want = [found.task, copied, found.to_latent - copied, found.to_latent, *found.to_codebook]
        assert [name for name, *_ in rows][:4] == [
            "task, at code 0",
            "task, copied to z",
            "commitment, at z",
            "together, at z",
        ]
        for (_, *numbers), gradient in zip(rows, want, strict=True):
            assert [float(n) for n in numbers] == pytest.approx([*gradient, np.hypot(*gradient)], abs=0.00501)


def test_arguments_are_the_first_state(visit, put_in):
    page = visit()
    put_in(page, explore.gradients(preset="wander", beta=0.75, straight_through=False))
    second = page.locator("mm-explore-gradients").nth(1).evaluate("it => it.state")
    z, t, codes, _ = _gradients.PRESETS["wander"]
    text = lambda numbers: "_".join(map(str, np.ravel(numbers)))
    assert second == {"z": text(z), "t": text(t), "codes": text(codes), "beta": 0.75, "through": False}


def test_everything_upon_one_place_is_drawn(visit):
    page = visit("book.html#gradients:z=0_0,t=0_0,codes=0_0_0_0_0_0_0_0,beta=0")
    settle(page)
    assert holds(page)["z"] == "0_0" and page.locator(".big b").first.inner_text() == "0.00"
    assert say(page)[2] == "Codes 1, 2 and 3 are not nearest to z: they get no gradient."


def test_an_answer_takes_no_longer_than_the_yardstick_allows(visit):
    ratio = visit().evaluate(
        f"""() => {{ const it = {element(TOPIC)}, yardstick = {YARDSTICK};
          return Array.from({{length: 9}}, (_, i) => {{
            const unit = yardstick(), from = performance.now();
            it.move("z", [i / 10, -i / 10]);
            it.render();
            return (performance.now() - from) / unit;
          }}).sort((a, b) => a - b)[4]; }}"""
    )
    assert ratio < 1, ratio
