"""The figure of eight tokens that merge in Chromium: golden vectors replayed, tokens dragged, rounds, words, keys."""

import functools
import itertools
import json
import math
import re

import harness
import numpy as np
import pytest
from harness import FIRST_MATCHING, YARDSTICK, core, element, press, settle, world_matching
from harness import holds_matching as holds

from mmtokedu import explore
from mmtokedu.explore import _matching

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
TOPIC = "matching"
state = functools.partial(harness.state, topic=TOPIC)

REPLAY = """text => {
  const golden = JSON.parse(text), core = customElements.get("mm-explore-matching").core, bad = [], seen = {};
  const close = (a, b) => Array.isArray(b) ? a.length === b.length && b.every((x, i) => close(a[i], x))
    : Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b)) + 1e-14;
  for (const name of Object.keys(golden)) for (const [thousandths, r, sizes, told] of golden[name]) {
    seen[name] = (seen[name] ?? 0) + 1;
    const first = thousandths.map((at) => at.map((x) => x / 1000)), got = core.play(first, {r, rounds: told.length, sizes});
    told.forEach(([similarity, partner, merged, tokens, size, source, off], i) => {
      const one = got[i], found = first.map((_, n) => one.members.findIndex((members) => members.includes(n)));
      const whole = String(one.partner) === String(partner) && String(found) === String(source) &&
        String(one.members.map((members) => members.length)) === String(size);
      if (!whole || !close([one.similarity, core.alikes(one), one.tokens, core.drift(first, one)], [similarity, merged, tokens, off]))
        bad.push([name, seen[name], i, one.partner, found, one.similarity]);
    });
  }
  return {bad: bad.slice(0, 3).map((one) => JSON.stringify(one).slice(0, 400)), count: bad.length, seen};
}"""


def test_golden_vectors(visit):
    golden = explore.golden_vectors(TOPIC)
    result = visit().evaluate(REPLAY, json.dumps(golden, allow_nan=False))
    assert result["count"] == 0, result["bad"]
    assert result["seen"] == {name: len(rows) for name, rows in golden.items()}
    assert result["seen"]["rounds"] > 150 and result["seen"]["ties"] == 25


def test_ties_go_to_the_lowest_index(visit):
    """Two equal partners, then two equal pairs of which one goes."""
    ask = f"([tokens, r]) => {core(TOPIC)}.mergeTokens(tokens, r, tokens.map(() => 1))"
    told = visit().evaluate(ask, [[[1, 0], [2, 0], [3, 0], [1, 0], [0, 1], [0, 2]], 2])
    assert told["partner"] == [0, 0, 2] and told["gone"] == [0, 1] and told["step"] == [1, 1, 1, 2, 0, 3]


# Hands and keys


def screen(page, i):
    """Where token i is, in pixels of the window."""
    settle(page)
    return tuple(
        page.evaluate(
            f"""i => {{ const it = {element(TOPIC)}, box = it.$.stage.getBoundingClientRect(), [x, y] = it.toScreen(it.first8[i]);
              return [box.left + x, box.top + y]; }}""",
            i,
        )
    )


def pull(page, i, by, off=(0, 0)):
    """Drag a token by so many pixels, taken beside its middle."""
    x, y = np.add(screen(page, i), off)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by[0], y + by[1], steps=4)
    page.mouse.up()


def say(page):
    return page.locator(".say p:visible").all_inner_texts()


def numbers(now):
    return np.array(now["t"].split("_"), int).reshape(-1, 2)


@pytest.mark.parametrize("width", [375, 1000])
def test_each_token_is_dragged_and_follows_the_hand(visit, width):
    page = visit(viewport={"width": width, "height": 900})
    for i in range(8):
        before, at = state(page), screen(page, i)
        by = (-30 if i < 3 else 30, 25 if i < 3 else -25)
        pull(page, i, by, off=(4, 3))
        assert math.dist(screen(page, i), np.add(at, by)) < 1
        now = holds(page)
        assert np.flatnonzero((numbers(now) != numbers(before)).any(axis=1)).tolist() == [i]
    page.mouse.move(5, 5)
    assert state(page) == now  # nothing is held any more
    assert not page.locator(".hint").is_visible()
    pull(page, 3, (-900, 2000))
    assert numbers(holds(page))[3].tolist() == [-1000, -1000]  # as far as the plane goes
    press(page, "reset")
    assert holds(page) == FIRST_MATCHING


def test_a_finger_moves_a_token_and_beside_them_scrolls(visit):
    page = visit(has_touch=True, viewport={"width": 375, "height": 600})
    page.locator(".stage").scroll_into_view_if_needed()
    x, y = screen(page, 3)
    touch, scrolled = page.context.new_cdp_session(page), page.evaluate("scrollY")
    send = lambda kind, *at: touch.send(
        "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": u, "y": v} for u, v in at]}
    )
    send("touchStart", (x + 15, y))
    for i in range(1, 6):
        send("touchMove", (x + 15 + 3 * i, y + 14 * i))
    send("touchEnd")
    assert math.dist(screen(page, 3), (x + 15, y + 70)) < 1 and page.evaluate("scrollY") == scrolled
    holds(page)
    prevented = lambda x, y: page.evaluate(
        f"""([x, y]) => {{ const stage = ({element(TOPIC)}).$.stage, touch = new Touch({{identifier: 1, target: stage, clientX: x, clientY: y}});
          return !stage.dispatchEvent(new TouchEvent("touchstart", {{touches: [touch], cancelable: true}})); }}""",
        [x, y],
    )
    box = page.locator(".stage").bounding_box()
    assert prevented(*screen(page, 6)) and not prevented(box["x"] + 20, box["y"] + 20)


def test_keys_move_each_token_and_say_its_fate(visit):
    page = visit()
    hands = page.locator(".hand").all()
    fates = [hand.get_attribute("aria-valuetext").split("; ", 1)[1] for hand in hands]
    assert fates[:4] == ["A, most like 1, 0.956, merges", "B, receives 0 and 2", "A, most like 1, 0.966, merges", "B, receives none"]  # fmt: skip
    assert fates[4] == "A, most like 5, 0.906, stays"
    for i, hand in enumerate(hands):
        assert hand.get_attribute("aria-label").startswith(f"Token {i}:")
        before = numbers(holds(page))
        for key in ("ArrowDown", "ArrowRight", "Shift+ArrowUp", "Shift+ArrowLeft"):
            hand.press(key)
        by = numbers(holds(page)) - before
        assert by[i].tolist() == [-80, 80] and not np.delete(by, i, axis=0).any()
    press(page, "reset", "Next round")
    assert hands[1].get_attribute("aria-valuetext").endswith("; in 0+1+2; A, most like 3, 0.781, merges")
    assert hands[3].get_attribute("aria-valuetext").endswith("up; B, receives 0+1+2")


# Rounds


def test_rounds_go_on_and_back_and_end(visit):
    page = visit()
    following, back = (page.get_by_role("button", name=name, exact=True) for name in ("Next round", "Back"))
    disabled = lambda: [node.get_attribute("aria-disabled") for node in (following, back)]
    assert disabled() == ["false", "true"]
    for rounds in (2, 3):
        following.click()
        assert holds(page)["rounds"] == rounds
        assert page.locator(".strip .head").inner_text().endswith(f"as round {rounds - 1} left them")
    assert disabled() == ["true", "false"]
    following.dispatch_event("click")
    assert holds(page)["rounds"] == 3
    press(page, "Back", "Back")
    back.dispatch_event("click")
    assert holds(page) == FIRST_MATCHING


def test_every_setting_is_the_librarys(visit):
    page = visit()
    for name, r, rounds, sizes in itertools.product(("two", "twins", "half"), range(5), (1, 2, 3), (True, False)):
        t = "_".join(map(str, np.ravel(_matching.PRESETS[name][0])))
        asked = {"t": t, "r": r, "rounds": rounds, "sizes": sizes}
        page.evaluate(f"asked => ({element(TOPIC)}).set(asked)", asked)
        assert holds(page) == asked
        if not r:
            assert say(page)[0] == f"Round {rounds}: Nothing merges: r is 0." and "Nothing moved." in page.locator(".strip").inner_text()  # fmt: skip


def test_a_row_after_is_the_row_before_of_the_next_round(visit):
    page = visit()
    rows = lambda which: page.locator(f".cells.{which} b").all_inner_texts()
    for preset in ("half in one step", "twins in one set", "sizes forgotten"):
        press(page, preset)
        for _ in range(3 - state(page)["rounds"]):
            after = rows("after")
            press(page, "Next round")
            assert rows("before") == after
            sets = [text.split("\n")[0] for text in page.locator(".cells.before li").all_inner_texts()]
            assert sets == [("A", "B")[i % 2] for i in range(len(after))]


# What it claims


def test_two_go_into_one(visit):
    page = visit()
    assert say(page) == ["Round 1: 0 and 2 both merge into 1."]
    cells = page.locator(".cells.after li").all_inner_texts()
    assert cells[2].split("\n") == ["0 1 2", "size 3"]


def test_half_in_one_step_leaves_no_choice(visit):
    page = visit()
    press(page, "half in one step")
    tokens, made = world_matching(holds(page))
    slower = min(x for one in _matching.played(tokens, 2, 2, True) for x in one.merged)
    assert made[0].merged[-1] < 0 < 0.9 < slower
    assert say(page)[1] == (
        f"Every A has to go, alike or not: 2 goes into 1 at −{-made[0].merged[-1]:.3f}. Two rounds of 2 also leave "
        f"4 tokens, and the least alike pair that they merge has {slower:.3f}."
    )
    page.locator("#r").fill("3")
    assert not any("has to go" in text for text in say(page)) and holds(page)["r"] == 3
    page.locator("#r").fill("4")
    press(page, "Next round")
    assert say(page)[2].startswith("Of 4 tokens only 2 can go, so r is cut to 2 in this round. Every A has to go, ")
    holds(page)


def test_twins_in_one_set_are_never_compared(visit):
    page = visit()
    press(page, "twins in one set")
    tokens, made = world_matching(holds(page))
    cosine = lambda i, j: tokens[i] @ tokens[j] / np.linalg.norm(tokens[i]) / np.linalg.norm(tokens[j])
    alike = {(i, j): cosine(i, j) for i, j in itertools.combinations(range(8), 2)}
    assert max(alike, key=alike.get) == (2, 6)
    assert say(page)[1] == (
        f"2 and 6 are more alike ({alike[2, 6]:.3f}) than 4 and 5 ({made[0].merged[-1]:.3f}), yet both are A: nobody "
        "compares them in this round."
    )
    heads = page.locator(".cosines th").all_inner_texts()
    assert heads == ["B 1", "B 3", "B 5", "B 7", "A 0", "A 2", "A 4", "A 6"]
    press(page, "Next round")  # one of them stands at an odd place now
    assert say(page)[0].startswith("Round 2: 2 merges into 6")
    holds(page)


@pytest.mark.parametrize("r", [1, 2, 3, 4])
def test_whoever_is_named_as_never_compared_is(visit, r):
    """On drawn tokens: the sentence is there exactly when a pair of one set beats a pair that merges, and stays two."""
    page, rng = visit(), np.random.default_rng(r)
    named = 0
    for places in rng.integers(-1000, 1001, (12, 8, 2)):
        page.evaluate(f"([t, r]) => ({element(TOPIC)}).set({{t, r}})", ["_".join(map(str, places.ravel())), r])
        tokens, made = world_matching(holds(page))
        units = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
        alike = {
            (i, j): units[i] @ units[j]
            for i, j in itertools.combinations(range(8), 2)
            if i % 2 == j % 2 and made[0].source[i] != made[0].source[j] and units[i] @ units[j] > made[0].merged[-1]
        }
        said = [text for text in say(page) if "nobody compares them" in text]
        assert len(said) == bool(alike)
        if alike:
            i, j = max(alike, key=alike.get)
            assert said[0].startswith(f"{i} and {j} are more alike ({alike[i, j]:.3f}) than ".replace("(-", "(−"))
            assert f"yet both are {'AB'[i % 2]}" in said[0]
            named += 1
    assert named > 2


def test_sizes_forgotten_and_remembered(visit):
    page = visit()
    press(page, "sizes forgotten")
    tokens, made = world_matching(holds(page))
    off = _matching.drift(tokens, made[-1])
    assert off.max() > 0.15  # a distance that can be seen
    assert say(page)[1] == (
        f"Sizes are forgotten, so each token counts as one: 0+1+2+3 ends {off.max():.3f} from the mean of the 4 tokens "
        "that it stands for."
    )
    keys = page.locator(".keys")
    assert "the true mean" in keys.inner_text()
    counts = page.locator(".cells.before li").all_inner_texts()
    assert counts[2].split("\n") == ["A", "size 3", "as 1", "0 1 2"]
    press(page, "weigh by size")
    assert page.locator(".big b").last.inner_text() == "0.000" and holds(page)["sizes"]
    assert say(page)[1] == "Weighed by size, each token is the mean of all that it stands for."
    assert "the true mean" not in keys.inner_text()
    press(page, "Back", "weigh by size")
    assert say(page)[1].startswith("In the first round all sizes are 1") and holds(page)["rounds"] == 1


def test_a_chain_cannot_form(visit):
    """No token receives and goes in one round, wherever tokens stand."""
    page, rng = visit(), np.random.default_rng(3)
    for places in rng.integers(-1000, 1001, (20, 8, 2)):
        told = page.evaluate(
            f"tokens => {core(TOPIC)}.mergeTokens(tokens, 4, tokens.map(() => 1))", (places / 1000).tolist()
        )
        gone, receive = {2 * i for i in told["gone"]}, {2 * told["partner"][i] + 1 for i in told["gone"]}
        assert len(gone) == 4 and not gone & receive


def test_length_does_not_matter_to_a_cosine(visit):
    page = visit()
    before = page.locator(".cosines").inner_text()
    t = numbers(state(page))
    t[[3, 7]] = t[[3, 7]] * [[2], [-0]] + [[0, 0], [-106, -292]]  # twice as far, and half as far
    page.evaluate(f"t => ({element(TOPIC)}).set({{t}})", "_".join(map(str, t.ravel())))
    pairs = zip(re.findall(r"−?\d\.\d\d", before), re.findall(r"−?\d\.\d\d", page.locator(".cosines").inner_text()))
    read = lambda text: float(text.replace("−", "-"))
    assert all(abs(read(a) - read(b)) < 0.0101 for a, b in pairs) and holds(page)["t"] != FIRST_MATCHING["t"]


def test_tokens_upon_one_place_and_in_the_middle_are_drawn(visit):
    for t in ("_".join(["0"] * 16), "_".join(["500"] * 16)):
        page = visit(f"book.html#matching:t={t},r=4,rounds=3")
        settle(page)
        holds(page)


def test_arguments_are_the_first_state(visit, put_in):
    page = visit()
    put_in(page, explore.matching(preset="twins", r=3, rounds=2, sizes=False))
    second = page.locator("mm-explore-matching").nth(1)
    t = "_".join(map(str, np.ravel(_matching.PRESETS["twins"][0])))
    assert second.evaluate("it => it.state") == {"t": t, "r": 3, "rounds": 2, "sizes": False}
    put_in(page, explore.matching(preset="sizes"))
    third = page.locator("mm-explore-matching").nth(2).evaluate("it => it.state")
    assert third == {**FIRST_MATCHING, "rounds": 2, "sizes": False}


def test_an_answer_takes_no_longer_than_the_yardstick_allows(visit):
    ratio = visit().evaluate(
        f"""() => {{ const it = {element(TOPIC)}, yardstick = {YARDSTICK};
          it.set({{rounds: 3, sizes: false}});
          return Array.from({{length: 9}}, (_, i) => {{
            const unit = yardstick(), from = performance.now();
            it.move(3, [i / 10, -i / 10]);
            it.render();
            return (performance.now() - from) / unit;
          }}).sort((a, b) => a - b)[4]; }}"""
    )
    assert ratio < 1, ratio
