"""The explorable of vector quantization in Chromium: golden vectors replayed, hands and keys, acts, fragments, axe."""

import json
import math
import re

import numpy as np
import pytest
from harness import STILL, YARDSTICK, element, press
from harness import holds_vq as holds
from harness import world_vq as world

from mmtokedu import explore, vq

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
TOPIC = "vq"
ELEMENT = element(TOPIC)


def screen(page, kind, index):
    """Where code ("c") or latent ("p") number `index` is on the screen."""
    box = page.locator(".stage").bounding_box()
    left, top = page.evaluate(f"() => {{ const it = {ELEMENT}; return it.toScreen(it.spots('{kind}')[{index}]); }}")
    return box["x"] + left, box["y"] + top


def drag(page, kind, index, by):
    x, y = screen(page, kind, index)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by[0], y + by[1], steps=4)
    page.mouse.up()
    return x, y


REPLAY = """text => {
  const golden = JSON.parse(text), core = customElements.get("mm-explore-vq").core, bad = [];
  const seen = {assign: 0, update: 0, restart: 0, runs: 0, draws: 0};
  const close = (a, b) => Array.isArray(b) ? a.length === b.length && b.every((x, i) => close(a[i], x))
    : Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b)) + 1e-14;
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const note = (kind, i, ok, what) => ok || bad.push([kind, i, what]);
  const measured = (kind, i, got, row) => {
    note(kind, i, same(got.counts, row.counts) && got.used === row.used, "counts");
    note(kind, i, close(got.perplexity, row.perplexity), "perplexity");
    note(kind, i, close(got.error, row.error), "error");
  };
  const state = (kind, i, got, row) => {
    note(kind, i, close(got.sum, row.sum), "sum");
    note(kind, i, close(got.usage, row.usage), "usage");
  };
  golden.assign.forEach((row, i) => {
    seen.assign++;
    note("assign", i, same(core.nearestCode(row.points, row.codebook), row.codes), "codes");
    measured("assign", i, core.measure({points: row.points, codes: row.codes, state: core.emaState(row.codebook)}), row);
  });
  golden.update.forEach((row, i) => { seen.update++; state("update", i, core.emaUpdate(row.state, row.points, row.codes, row.decay), row.after); });
  golden.restart.forEach((row, i) => { seen.restart++; state("restart", i, core.restartDeadCodes(row.state, row.points, row.threshold, row.draws), row.after); });
  golden.draws.forEach((row, i) => { seen.draws++; note("draws", i, same(core.draws(row.seed, row.draws.length), row.draws), "draws"); });
  golden.runs.forEach((row, i) => {
    seen.runs++;
    const end = core.play(row, row.do);
    note("runs", i, same(end.codes, row.chosen), "codes");
    note("runs", i, close(end.points, row.points), "points");
    state("runs", i, end.state, row);
    measured("runs", i, core.measure(end), row);
  });
  return {bad: bad.slice(0, 10), count: bad.length, seen};
}"""


def test_golden_vectors(visit):
    golden = explore.golden_vectors("vq")
    result = visit().evaluate(REPLAY, json.dumps(golden, allow_nan=False))
    assert result["count"] == 0, result["bad"]
    assert result["seen"] == {name: len(rows) for name, rows in golden.items()}
    assert result["seen"]["runs"] == 240 and result["seen"]["update"] == 41


def test_ties_go_to_the_lowest_code_and_no_codes_have_no_perplexity(visit):
    page = visit()
    core = "customElements.get('mm-explore-vq').core"
    assert page.evaluate(f"{core}.nearestCode([[0, 0]], [[1, 0], [0, -1], [-1, 0]])") == [0]
    assert page.evaluate(f"{core}.codebookUsage([], 3)") == {"counts": [0, 0, 0], "used": 0, "perplexity": 0}


def test_regions_are_where_a_code_is_nearest(visit):
    rng = np.random.default_rng(0)
    page, places = visit(), rng.uniform(-1, 1, (9, 2))
    regions = [
        page.evaluate("([k, e]) => customElements.get('mm-explore-vq').core.region(k, e)", [k, places.tolist()])
        for k in range(9)
    ]
    cross = lambda a, b: a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    area = lambda corners: abs(cross(corners, np.roll(corners, -1, axis=0)).sum()) / 2
    assert sum(area(np.array(corners)) for corners in regions) == pytest.approx(2.12**2)
    probes = rng.uniform(-1.06, 1.06, (500, 2))
    for probe, k in zip(probes, vq.nearest_code(probes, places)):
        corners = np.array(regions[k])
        assert (cross(np.roll(corners, -1, axis=0) - corners, probe - corners) >= -1e-9).all()


def test_the_story_of_the_corner(visit):
    page = visit(**STILL)
    assert holds(page) == (2, 12, 0)
    press(page, "Run 10")
    assert holds(page) == (2, 12, 10)
    playwright.expect(page.locator(".say")).to_contain_text("Step 10")
    press(page, "Restart 10 dead")
    assert holds(page) == (12, 12, 0)
    playwright.expect(page.locator(".say")).to_contain_text("10 dead codes restarted on latents drawn at random")
    press(page, "Restart dead")
    playwright.expect(page.locator(".say")).to_have_text("No code is dead: nothing to restart.")
    press(page, "Run 10")
    assert holds(page)[0] == 12  # they stay


def test_codes_die_aloud(visit):
    page = visit(**STILL)
    press(page, *["Step"] * 7)
    playwright.expect(page.locator(".say")).to_have_text(
        "Step 7: no latent chose another code. Codes 0, 1, 4, 5, 6, 7, 8, 9, 10 and 11 died."
    )
    playwright.expect(page.locator("[aria-live]")).to_have_text(re.compile(r"^Step 7: .* 2 of 12 codes used"))


def test_update_and_assign_are_the_halves_of_a_step(visit):
    page = visit()
    press(page, "all start on data", "Update")
    points, codes, places, *_ = world(page)
    astray = int((vq.nearest_code(points, places) != codes).sum())
    assert astray > 0
    playwright.expect(page.locator(".say")).to_contain_text(f"{astray} latents now have a nearer code: assign.")
    press(page, "Assign")
    assert holds(page)
    halves = world(page)
    press(page, "reset", "all start on data", "Step")
    for half, whole in zip(halves, world(page)):
        np.testing.assert_array_equal(half, whole)


def test_the_data_move_away(visit):
    used = {}
    page = visit(**STILL)
    for decay in (0.9, 0.5):
        page.locator("#decay").fill(str(decay))
        press(page, "the data move away", "Run 10", "Run 10")
        used[decay] = holds(page)[0]
        points = world(page)[0]
    assert used[0.5] >= used[0.9] + 3
    press(page, "Run 10")
    np.testing.assert_array_equal(world(page)[0], points)  # twenty batches, then they stay


def test_a_run_can_be_watched_and_stopped(visit):
    page = visit()
    press(page, "Run 10")
    assert page.evaluate(f"({ELEMENT}).world.steps") < 10
    page.wait_for_function(f"({ELEMENT}).world.steps === 10")
    press(page, "Run 10")
    press(page, "Undo")
    steps = page.evaluate(f"({ELEMENT}).world.steps")
    page.wait_for_timeout(250)
    assert page.evaluate(f"({ELEMENT}).world.steps") == steps < 20


def test_undo_goes_back_to_the_start(visit):
    page = visit()
    first, undo = world(page), page.get_by_role("button", name="Undo")
    assert undo.get_attribute("aria-disabled") == "true"
    press(page, "Step", "Update")
    drag(page, "c", 0, (40, -40))
    assert undo.get_attribute("aria-disabled") == "false"
    press(page, *["Undo"] * 3)
    assert undo.get_attribute("aria-disabled") == "true"
    undo.click(force=True)  # once more than there is to take back
    for before, after in zip(first, world(page)):
        np.testing.assert_array_equal(before, after)


def test_dragging_a_code(visit):
    page = visit()
    press(page, "all start on data", "Step")  # from here on usage is not 1
    usage = world(page)[3]
    x, y = screen(page, "c", 3)
    page.mouse.move(x + 3, y + 2)
    page.mouse.down()
    page.mouse.move(x + 123, y - 98, steps=4)
    during = holds(page)
    where = screen(page, "c", 3)
    assert math.dist(where, (x + 120, y - 100)) < 1  # it follows the hand, by where it was taken
    page.mouse.up()
    assert holds(page) == during
    assert page.locator(".hand").nth(0).get_attribute("aria-valuenow") == "3"
    assert page.evaluate(f"({ELEMENT}).history.length") == 3  # a drag is one act
    page.mouse.move(x, y)  # nothing is held any more
    assert screen(page, "c", 3) == where
    np.testing.assert_array_equal(world(page)[3], usage)  # a code keeps its usage


def test_dragging_a_latent(visit):
    page = visit()
    before, index = world(page), 5
    drag(page, "p", index, (-60, 30))
    after = world(page)
    moved = np.abs(after[0] - before[0]).max(axis=1) > 0
    assert moved.nonzero()[0].tolist() == [index]
    holds(page)
    playwright.expect(page.locator(".say")).to_have_text(f"This latent is nearest to code {after[1][index]}.")


def test_nothing_leaves_the_plane(visit):
    page = visit()
    drag(page, "c", 2, (-900, 900))
    assert world(page)[2][2] == pytest.approx([-1, -1])
    holds(page)


def test_a_finger_moves_a_code(visit):
    page = visit(has_touch=True, viewport={"width": 375, "height": 700})
    page.locator(".stage").scroll_into_view_if_needed()
    x, y = screen(page, "c", 3)
    touch = page.context.new_cdp_session(page)
    send = lambda kind, *at: touch.send(
        "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": u, "y": v} for u, v in at]}
    )
    scrolled = page.evaluate("scrollY")
    send("touchStart", (x + 10, y))
    for i in range(1, 6):
        send("touchMove", (x + 10 + 8 * i, y - 20 * i))
    send("touchEnd")
    assert math.dist(screen(page, "c", 3), (x + 40, y - 100)) < 1 and page.evaluate("scrollY") == scrolled
    holds(page)


def test_keys_move_and_choose(visit):
    page = visit()
    code, latent = page.locator(".hand").all()
    before = world(page)
    code.focus()
    for key in ("PageDown", "PageDown", "Shift+ArrowRight", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    assert world(page)[2][2] == pytest.approx(before[2][2] + [0.1, 0.04])
    holds(page)
    assert re.fullmatch(
        r"code 2 at −?\d\.\d\d across, −?\d\.\d\d up, \d+ latents?", code.get_attribute("aria-valuetext")
    )
    page.keyboard.press("End")
    assert code.get_attribute("aria-valuenow") == "11" == code.get_attribute("aria-valuemax")
    page.keyboard.press("PageDown")
    assert code.get_attribute("aria-valuenow") == "0"
    latent.focus()
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowLeft")
    after = world(page)
    assert after[0][89] == pytest.approx(before[0][89] - [0.02, 0])
    holds(page)


def test_the_line_of_death_moves(visit):
    page = visit(**STILL)
    press(page, "Step")
    line = page.locator(".line")
    line.focus()
    page.keyboard.press("PageUp")
    assert holds(page) == (2, 12, 10) and line.inner_text() == "dead below 1.5"
    page.keyboard.press("Home")
    assert holds(page) == (2, 12, 0) and line.get_attribute("aria-valuetext") == "0.0 latents a batch"
    box = line.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] - 60, steps=3)
    middle = line.bounding_box()["y"] + 12
    assert abs(middle - (box["y"] - 60)) < 3  # under the hand, to a tenth
    page.mouse.up()
    assert holds(page)[2] == 10


def test_number_of_codes(visit):
    page = visit()
    press(page, "all start on data", "Step")
    for codes in (1, 5, 16):
        page.locator("#codes").fill(str(codes))
        assert holds(page) == (codes, codes, 0)
    assert page.locator("[aria-pressed=true]").inner_text() == "all start on data"
    press(page, "reset")
    assert holds(page) == (2, 12, 0) and page.locator("#codes").input_value() == "12"


def test_the_table_says_every_code(visit):
    page = visit(**STILL)
    press(page, "Run 10")
    page.locator("summary").click()
    _, codes, places, usage, _ = world(page)
    rows = [row.inner_text().split("\t") for row in page.locator("tbody tr").all()]
    assert len(rows) == 12
    for k, (index, across, up, count, mean, state) in enumerate(rows):
        assert int(index) == k and int(count) == (codes == k).sum()
        assert [float(x.replace("−", "-")) for x in (across, up)] == pytest.approx(places[k], abs=0.006)
        assert float(mean) == pytest.approx(usage[k], rel=0.05) and state.strip() == ("wins" if k in (2, 3) else "dead")


def test_arguments_are_the_first_state(visit, put_in):
    page = visit()
    put_in(page, explore.vq(preset="drift", codes=7, decay=0.75, threshold=1.5, steps=9))
    second = page.locator("mm-explore-vq").nth(1)
    assert page.locator("mm-explore-vq").count() == 2
    state = second.evaluate("e => e.state")
    assert state == {"preset": "drift", "codes": 7, "decay": 0.75, "threshold": 1.5, "do": ["s"] * 9}
    used = re.search(r"(\d+) of 7 codes used", repr(explore.vq(preset="drift", codes=7, decay=0.75, steps=9)))[1]
    assert second.locator(".big b").first.inner_text() == used


def test_fragment_round_trip(visit):
    page = visit("book.html", **STILL)
    page.locator("#decay").fill("0.8")
    press(page, "the data move away", "Run 10")
    page.get_by_role("button", name="Restart").click()
    press(page, "Update")
    page.wait_for_url("**#vq:preset=drift,codes=12,decay=0.8,threshold=0.5,do=s10ru")
    page.locator("#decay").fill("0.55")
    drag(page, "c", 1, (50, 20))
    drag(page, "p", 8, (-30, -44))
    press(page, "Step", "Step")
    page.wait_for_url(re.compile(r"do=s10rud55c1_-?\d+_-?\d+p8_-?\d+_-?\d+s2$"))
    before = world(page)
    page.reload()
    for one, other in zip(before, world(page)):
        np.testing.assert_array_equal(one, other)
    assert page.locator("#decay").input_value() == "0.55"
    page.evaluate("location.hash = '#vq:preset=healthy,codes=3,do=s'")
    page.wait_for_function(f"({ELEMENT}).state.preset === 'healthy'")
    assert holds(page) == (3, 3, 0) and page.evaluate(f"({ELEMENT}).world.steps") == 1


def test_a_fragment_that_names_no_such_code_or_latent_moves_nothing(visit):
    page = visit("book.html")
    page.evaluate("location.hash = '#vq:codes=4,do=c15_0_0p99_0_0s0s'")
    page.wait_for_function(f"({ELEMENT}).state.codes === 4")
    assert holds(page)[1:] == (4, 0) and page.evaluate(f"({ELEMENT}).world.steps") == 1


def test_a_drawing_takes_no_longer_than_the_yardstick_allows(visit):
    """Times a fixed computation in the same page, in turns: milliseconds alone would judge the machine."""
    ratio = visit().evaluate(
        f"""() => {{ const it = {ELEMENT}, yardstick = {YARDSTICK};
          return Array.from({{length: 20}}, (_, i) => {{
            const unit = yardstick(), from = performance.now();
            it.place("c", 3, [i / 20, i / 30]);
            it.drawPlane(); it.drawChart(); it.drawStrip();
            return (performance.now() - from) / unit;
          }}).sort((a, b) => a - b)[10]; }}"""
    )
    assert ratio < 6, ratio
