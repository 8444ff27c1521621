"""The explorables of positions in Chromium: golden vectors replayed, tokens pointed at, query and corner dragged."""

import functools
import json
import re

import harness
import pytest
from harness import YARDSTICK, element, holds_dials, ids_mrope, press, settle, share_of
from harness import holds_mrope as holds

from mmtokedu import explore
from mmtokedu.explore import _dials, _mrope

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
TOPIC = "mrope"
state = functools.partial(harness.state, topic=TOPIC)


REPLAY = """text => {
  const golden = JSON.parse(text), core = customElements.get("mm-explore-mrope").core, bad = [], seen = {};
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b), close = (a, b) => Math.abs(a - b) <= 1e-9 * Math.abs(b);
  const check = (name, answer) => golden[name].forEach((row) => {
    seen[name] = (seen[name] ?? 0) + 1;
    const [got, right] = answer(row);
    if (!right) bad.push([name, row, got]);
  });
  const across = (rows) => [0, 1, 2].map((axis) => rows.map((place) => place[axis]));
  check("ids", ([rule, resume, segments, told]) => {
    const got = across(core.positionIds(segments, rule, resume));
    return [got, same(got, told)];
  });
  check("sequences", ([rule, resume, h, w, fps, told, behind]) => {
    const ids = core.sequence({rule, resume, h, w, fps});
    return [[...ids], same([...ids], told) && core.landing(ids) === behind];
  });
  check("axes", ([layout, sections, told]) => {
    const got = core.axisOfPair(sections, layout);
    return [got, same(got, told)];
  });
  check("attention", ([layout, query, key, told]) => {
    const got = core.attention(layout, query, key);
    return [got, close(got, told)];
  });
  return {bad: bad.slice(0, 5).map((one) => JSON.stringify(one).slice(0, 400)), count: bad.length, seen};
}"""


def test_golden_vectors(visit):
    golden = explore.golden_vectors("mrope")
    result = visit().evaluate(REPLAY, json.dumps(golden, allow_nan=False))
    assert result["count"] == 0, result["bad"]
    assert result["seen"] == {name: len(rows) for name, rows in golden.items()}


# Tokens that are pointed at, the query that is dragged


def middle(page, name):
    """The middle of a token, in pixels of the window."""
    settle(page)
    box = page.evaluate(
        f"""name => {{ const it = {element(TOPIC)}, box = it.$.stage.getBoundingClientRect();
          const [x, y, wide, high] = it.laid.boxes.get(name); return [box.left + x + wide / 2, box.top + y + high / 2]; }}""",
        name,
    )
    return tuple(box)


def pull(page, start, stop):
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*stop, steps=4)
    page.mouse.up()


@pytest.mark.parametrize("name", ["a0", "p3_5", "p0_0", "b3", "f0_0_0", "f7_1_2", "c4"])
def test_a_token_under_the_pointer_tells_its_place(visit, name):
    page = visit()
    page.mouse.move(*middle(page, name))
    now = holds(page)
    assert now["k"] == name
    settle(page)
    hand, box = middle(page, name), page.locator(".hand.k").bounding_box()
    assert abs(box["x"] + box["width"] / 2 - hand[0]) < 2 and abs(box["y"] + box["height"] / 2 - hand[1]) < 2


def test_who_only_passes_by_keeps_the_pages_address(visit):
    page = visit("book.html")
    page.mouse.move(*middle(page, "p2_2"))
    page.wait_for_timeout(400)
    assert holds(page)["k"] == "p2_2" and page.evaluate("location.hash") == ""
    page.locator(".hand.k").press("ArrowRight")
    page.wait_for_url("**#mrope:*k=p2_3")


def test_the_query_is_dragged_over_the_picture_and_beyond(visit):
    page = visit()
    for name in ("p3_5", "p0_0", "f4_1_1", "c2"):
        box = page.locator(".hand.q").bounding_box()
        pull(page, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), middle(page, name))
        now = holds(page)
        assert (now["q"], now["k"]) == (name, "c0")  # what is looked at stays
    page.mouse.move(5, 5)
    assert holds(page)["q"] == "c2"


def test_attention_is_drawn_over_every_token(visit):
    page = visit()
    for button in ("a wide picture", "text after a film", "blocks: Qwen2-VL"):
        press(page, button)
        now = holds(page)
        ids = ids_mrope(now)
        shares = dict(page.evaluate(f"[...({element(TOPIC)}).shares]"))
        told = {name: _mrope.attention(now["layout"], ids[now["q"]], place) for name, place in ids.items()}
        assert shares == pytest.approx(told, rel=1e-9)
        some = [share for name, share in told.items() if name[0] == "p"]
        text = page.locator(".answer .quiet").inner_text()
        flat = max(some) < 1.05 * min(some)
        ends = [f"{100 * x:.1f} %" if flat else share_of(x) for x in (min(some), max(some))]
        assert f"from {ends[0]} to {ends[1]}" in text and ("hardly tell" in text) == flat


def test_a_cell_is_the_darker_the_more_attention_it_gets(visit):
    page = visit()
    settle(page)
    paints = f"""names => {{ const it = {element(TOPIC)}, canvas = it.$.seqCanvas, ratio = canvas.width / canvas.clientWidth;
      const all = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      return names.map((name) => {{ const [x, y, wide] = it.laid.boxes.get(name), at = Math.round((y + 4) * ratio) * canvas.width;
        return all[4 * (at + Math.round((x + wide / 2) * ratio)) + 3]; }}); }}"""
    names = ["p1_2", "p1_3", "p1_5", "p3_5"]  # ever farther from the query
    alphas = page.evaluate(paints, names)
    assert alphas == sorted(alphas, reverse=True) and alphas[0] > 245 and alphas[-1] < 200


def test_keys_go_along_the_sequence(visit):
    page = visit()
    for name, start in (("k", "c0"), ("q", "p1_2")):
        hand = page.locator(f".hand.{name}")
        assert state(page)[name] == start
        for key, there in (
            ("Home", "a0"), ("ArrowLeft", "a0"), ("ArrowRight", "a1"), ("ArrowDown", "a2"), ("PageDown", "p0_0"), ("ArrowUp", "p0_0"),
            ("ArrowDown", "p1_0"), ("ArrowRight", "p1_1"), ("PageUp", "p0_0"), ("PageUp", "a0"), ("PageDown", "p0_0"),
            ("PageDown", "b0"), ("PageDown", "f0_0_0"), ("ArrowDown", "f0_1_0"), ("ArrowDown", "f0_1_0"), ("PageDown", "f1_0_0"),
            ("ArrowLeft", "f0_1_2"), ("End", "c4"), ("ArrowRight", "c4"), ("PageUp", "c0"), ("PageUp", "f7_0_0"),
        ):  # fmt: skip
            hand.press(key)
            assert state(page)[name] == there, key
        holds(page)
    text = page.locator(".hand.k").get_attribute("aria-valuetext")
    assert text == "frame 8, row 1, column 1: t 21, h 14, w 14; 100 % of the attention of q's own place"


# The picture's corner, the film


def test_the_corner_changes_rows_and_columns_and_all_that_follows(visit):
    page = visit(viewport={"width": 1000, "height": 1400})
    settle(page)
    box, cell = page.locator(".corner").bounding_box(), page.evaluate(f"({element(TOPIC)}).laid.cell")
    start = box["x"] + 8, box["y"] + 8
    pull(page, start, (start[0] + 4 * cell, start[1] - 2 * cell))
    now = holds(page)
    assert (now["h"], now["w"], now["q"]) == (2, 10, "p1_2") and ids_mrope(now)["b0"] == (14, 14, 14)
    settle(page)
    box = page.locator(".corner").bounding_box()
    pull(page, (box["x"] + 8, box["y"] + 8), (box["x"] - 900, box["y"] - 900))
    now = holds(page)
    assert (now["h"], now["w"], now["q"]) == (1, 1, "p0_0")  # the query stays in the picture
    corner = page.locator(".corner")
    for key, size in (
        ("ArrowRight", (1, 2)),
        ("ArrowDown", (2, 2)),
        ("ArrowUp", (1, 2)),
        ("ArrowUp", (1, 2)),
        ("ArrowLeft", (1, 1)),
    ):
        corner.press(key)
        now = holds(page)
        assert (now["h"], now["w"]) == size, key
    for _ in range(15):
        corner.press("ArrowRight")
        corner.press("ArrowDown")
    assert (holds(page)["h"], holds(page)["w"]) == _mrope.MOST
    assert corner.get_attribute("aria-valuetext") == "8 rows by 12 columns"


@pytest.mark.parametrize("rule", _mrope.RULES)
def test_every_rule_rate_and_way_to_go_on(visit, rule):
    page = visit()
    page.locator("#rule").select_option(rule)
    row = _mrope.catalog.row("models", rule)
    assert page.get_by_role("button", name="after height or width", exact=True).is_disabled() == (
        "spatial" not in row.resumes
    )
    for fps in _mrope.FPS:
        page.locator("#fps").select_option(str(fps))
        for way in row.resumes:
            press(page, {"spatial": "after height or width", "after-max": "after the largest id"}[way])
            now = holds(page)
            ids = ids_mrope(now)
            times = {place[0] for name, place in ids.items() if name[0] == "f"}
            shared = f"{2 * fps} frames share {len(times)} values of t"
            say = page.locator(".say").inner_text()
            assert (shared in say) == (rule == "qwen2.5-vl" and fps == 8), say
            assert ("picture of its own" in say) == (rule == "qwen3-vl")


def test_the_same_words_land_inside_the_films_time_and_behind_it(visit):
    page = visit()
    lands = page.locator(".lands b")
    press(page, "text after a film")
    assert holds(page)["resume"] == "spatial" and lands.inner_text() == "12 before"
    press(page, "after the largest id")
    assert holds(page)["resume"] == "after-max" and lands.inner_text() == "1 behind"
    inside = f"""() => {{ const it = {element(TOPIC)}, canvas = it.$.rulers, ratio = canvas.width / canvas.clientWidth;
      const copy = Object.assign(document.createElement("canvas"), {{width: canvas.width, height: canvas.height}});
      copy.getContext("2d").drawImage(canvas, 0, 0);
      const row = copy.getContext("2d").getImageData(0, 37 * ratio, canvas.width, 1).data;
      return Array.from({{length: canvas.width}}, (_, x) => row[4 * x + 3]).filter((alpha) => alpha > 28 && alpha < 38).length; }}"""
    settle(page)
    assert page.evaluate(inside) == 0
    press(page, "after height or width")
    settle(page)
    assert page.evaluate(inside) > 100  # the shade over the film's time that words share


def test_a_frames_time_is_a_token_where_frames_are_pictures(visit):
    page = visit()
    page.locator("#rule").select_option("qwen3-vl")
    page.mouse.move(*middle(page, "s3"))
    now = holds(page)
    assert now["k"] == "s3" and "the time of frame 4" in page.locator(".place").inner_text()
    page.locator("#rule").select_option("qwen2-vl")
    assert holds(page)["k"] == "f3_0_0"
    page.locator("#fps").select_option("1")
    assert holds(page)["k"] == "f1_0_0"


def test_presets_and_reset(visit):
    page = visit()
    for name, fact in (
        ("a wide picture", {"h": 3, "w": 12}), ("a film at 8 frames a second", {"rule": "qwen2.5-vl", "fps": 8}),
        ("text after a film", {"resume": "spatial", "q": "c0"}), ("a picture in one line", {"rule": "1d", "k": "p2_2"}),
    ):  # fmt: skip
        press(page, name)
        now = holds(page)
        assert {key: now[key] for key in fact} == fact
        assert page.get_by_role("button", name=name, exact=True).get_attribute("aria-pressed") == "true"
    press(page, "reset")
    assert holds(page) == harness.FIRST_MROPE


# Dials, curve, numbers


def test_the_dials_have_the_layouts_letters_and_the_mean_is_the_librarys(visit):
    page = visit()
    for button, said in (("blocks: Qwen2-VL", "16 t, 24 h, 24 w"), ("interleaved: Qwen3-VL", "24 t, 20 h, 20 w")):
        press(page, button)
        now = holds(page)
        axes = page.evaluate(f"layout => ({element(TOPIC)}).constructor.core.axisOfPair(...layout)", [
            list(_mrope.turns_of(now["layout"])["sections"]), now["layout"],
        ])  # fmt: skip
        assert "".join("thw"[a] for a in axes) == _mrope.axes_of(now["layout"])
        ids = ids_mrope(now)
        share = _mrope.attention(now["layout"], ids[now["q"]], ids[now["k"]])
        text = page.locator(".dials .quiet").inner_text()
        assert said in text
        mean = float(re.search(r"hands: ([\d.]+)\.", text)[1])
        assert abs(2.718281828459045 ** ((mean - 1) * 128**0.5) / share - 1) < 0.006  # three digits


def test_the_table_is_the_librarys(visit):
    page = visit()
    page.locator("summary").click()
    page.locator("#rule").select_option("qwen3-vl")
    ids = ids_mrope(holds(page))
    rows = [row.split("\t") for row in page.locator("tbody tr").all_inner_texts()]
    for row, kind in zip(rows, "apbfsc", strict=True):
        some = [place for name, place in ids.items() if name[0] == kind]
        spans = [(min(each), max(each)) for each in zip(*some, strict=True)]
        assert row[1:] == [str(len(some)), *(str(low) if low == high else f"{low}–{high}" for low, high in spans)]
    about = page.locator(".about").inner_text()
    for rule in ("qwen3-vl", "qwen2-vl"):
        page.locator("#rule").select_option(rule)
        assert _mrope.catalog.row("models", rule).source in page.locator(".about").inner_text()
    assert "theta 5,000,000" in about


def test_an_answer_takes_no_longer_than_the_yardstick_allows(visit):
    """Times a fixed computation in the same page, in turns: milliseconds alone would judge the machine."""
    ratio = visit().evaluate(
        f"""() => {{ const it = {element(TOPIC)}, yardstick = {YARDSTICK};
          return Array.from({{length: 9}}, (_, i) => {{ // the longest sequence, another query each time
            const unit = yardstick(), from = performance.now();
            it.set({{rule: "qwen3-vl", h: 8, w: 12, fps: 8, q: `p${{i % 8}}_${{i}}`, k: `f${{i}}_0_0`}});
            it.render();
            return (performance.now() - from) / unit;
          }}).sort((a, b) => a - b)[4]; }}"""
    )
    assert ratio < 2, ratio


# One dial a pair

REPLAY_DIALS = """text => {
  const golden = JSON.parse(text), core = customElements.get("mm-explore-dials").core, bad = [], seen = {products: 0, turned: 0};
  const close = (a, b) => a.length === b.length && a.every((x, i) => Math.abs(x - b[i]) <= 1e-9 * Math.max(1, Math.abs(b[i])));
  const axisOf = (sections, layout) => customElements.get("mm-explore-mrope").core.axisOfPair(sections, layout);
  for (const [layout, theta, numbers, q, k, made, product] of golden.products) {
    const got = core.outcome({layout, theta, numbers, q: q.join("_"), k: k.join("_")});
    seen.products++;
    const right = close(got.turnedQ, made[0]) && close(got.turnedK, made[1]) && close([got.product], [product]) &&
      close([got.shares.reduce((a, b) => a + b)], [product]);
    if (!right) bad.push([layout, theta, numbers, q, k, got, product]);
  }
  for (const [sections, layout, theta, x, place, y] of golden.turned) {
    seen.turned++;
    const got = core.rotate(x, place, axisOf(sections, layout), theta);
    if (!close(got, y)) bad.push([sections, layout, theta, place, got, y]);
  }
  return {bad: bad.slice(0, 3).map((one) => JSON.stringify(one).slice(0, 400)), count: bad.length, seen};
}"""


def dials_of(page):
    return harness.state(page, "dials")


def test_dials_golden_vectors(visit, put_in):
    golden, page = explore.golden_vectors("dials"), visit(topic="dials")
    put_in(page, explore.mrope())
    result = page.evaluate(REPLAY_DIALS, json.dumps(golden, allow_nan=False))
    assert result["count"] == 0, result["bad"]
    assert result["seen"] == {name: len(rows) for name, rows in golden.items()} == {"products": 300, "turned": 40}


def spot(page, place):
    """The middle of a token of the three frames, in pixels of the window."""
    settle(page)
    return tuple(
        page.evaluate(
            f"""place => {{ const it = {element("dials")}, box = it.$.stage.getBoundingClientRect(), [x, y] = it.spot(place);
              return [box.left + x, box.top + y]; }}""",
            place,
        )
    )


@pytest.mark.parametrize("width", [375, 1000])
def test_dials_query_and_key_are_dragged(visit, width):
    page = visit(topic="dials", viewport={"width": width, "height": 900})
    pull(page, spot(page, "1_1_2"), spot(page, "2_3_0"))
    now = holds_dials(page)
    assert (now["q"], now["k"]) == ("2_3_0", "0_2_1")
    assert re.match(
        r"One moved: \d of 8 pairs turned, the product goes from 14.21 to ", page.locator(".say").inner_text()
    )
    pull(page, spot(page, "0_2_1"), spot(page, "1_0_3"))
    now = holds_dials(page)
    assert (now["q"], now["k"]) == ("2_3_0", "1_0_3")
    x, y = spot(page, "1_0_3")
    pull(page, (x, y), (-500, 5000))  # as far as the grid goes
    assert holds_dials(page)["k"] == "0_3_0"


def test_dials_move_together_and_the_product_stays(visit):
    page = visit(topic="dials")
    press(page, "move both together")
    before = page.locator(".big b").all_inner_texts()
    pull(page, spot(page, "1_1_2"), spot(page, "2_0_1"))
    now = holds_dials(page)
    assert (now["q"], now["k"]) == ("2_0_1", "1_1_0")
    assert page.locator(".big b").all_inner_texts() == before
    assert (
        page.locator(".say").inner_text() == "Both moved by +1, −1, −1: 8 of 8 pairs turned, the product stays 14.21."
    )
    page.locator(".hand.k").press("ArrowRight")
    now = holds_dials(page)
    assert (now["q"], now["k"]) == ("2_0_2", "1_1_1")
    said = page.locator(".say").inner_text()
    assert said == "Both moved by 0, 0, +1: 2 of 8 pairs turned, the product stays 14.21."
    for key in ("ArrowUp", "PageUp", "ArrowUp"):  # one of both is at an edge: neither moves
        page.locator(".hand.k").press(key)
        assert (dials_of(page)["q"], dials_of(page)["k"]) == ("2_0_2", "1_1_1"), key
    page.locator(".hand.q").press("End")  # as far as both can
    assert (dials_of(page)["q"], dials_of(page)["k"]) == ("2_2_3", "1_3_2")
    assert page.locator(".big b").all_inner_texts() == before
    press(page, "move both together")
    page.locator(".hand.q").press("ArrowDown")
    assert (holds_dials(page)["q"], holds_dials(page)["k"]) == ("2_3_3", "1_3_2")
    assert page.locator(".big b").all_inner_texts() != before


def test_dials_keys(visit):
    page = visit(topic="dials")
    for name, places in (
        ("q", ["1_1_3", "1_1_3", "1_2_3", "0_2_3", "0_2_3", "1_2_3", "1_1_3", "0_0_0", "2_3_3"]),
        ("k", ["0_2_2", "0_2_3", "0_3_3", "0_3_3", "0_3_3", "1_3_3", "1_2_3", "0_0_0", "2_3_3"]),
    ):
        hand = page.locator(f".hand.{name}")
        acts = ("ArrowRight", "ArrowRight", "ArrowDown", "PageDown", "PageDown", "PageUp", "ArrowUp", "Home", "End")
        for key, place in zip(acts, places, strict=True):
            hand.press(key)
            assert holds_dials(page)[name] == place, (name, key)
    assert page.locator(".hand.q").get_attribute("aria-valuetext") == "t 2, h 3, w 3; query times key 16.00"


def test_dials_choices_and_presets(visit):
    page = visit(topic="dials")
    for layout in _dials.LAYOUTS:
        for theta in _dials.THETAS:
            for numbers in _dials.WORDS:
                harness.chosen(layout=layout, theta=str(theta), numbers=numbers)(page)
                now = holds_dials(page)
                assert (now["layout"], now["theta"], now["numbers"]) == (layout, theta, numbers)
    products = []
    for name in ("neighbours", "neighbours elsewhere", "the next frame", "far apart"):
        press(page, name)
        holds_dials(page)
        products.append(page.locator(".big b").first.inner_text())
    assert products[0] == products[1] and len(set(products)) == 3
    press(page, "reset")
    assert holds_dials(page) == harness.FIRST_DIALS


def test_dials_say_which_axis_and_how_fast(visit):
    page = visit(topic="dials")
    label = page.locator(".dials canvas").get_attribute("aria-label")
    speeds = [20 ** (-i / 8) for i in range(8)]
    told = [re.match(r"([thw]), a turn in ([\d.]+) steps", one).groups() for one in label.split(": ")[1].split("; ")]
    assert "".join(axis for axis, _ in told) == "thwthwth"
    assert [float(steps) for _, steps in told] == pytest.approx([6.283185307 / speed for speed in speeds], rel=0.03)
    page.locator("summary").click()
    rows = [row.split("\t") for row in page.locator("tbody tr").all_inner_texts()]
    assert [row[1] for row in rows] == list("thwthwth") and [row[2] for row in rows] == [steps for _, steps in told]
    added = [float(row[5].replace("−", "-")) for row in rows]
    assert sum(added) == pytest.approx(14.21, abs=0.04)


def test_dials_answer_takes_no_longer_than_the_yardstick_allows(visit):
    ratio = visit(topic="dials").evaluate(
        f"""() => {{ const it = {element("dials")}, yardstick = {YARDSTICK};
          return Array.from({{length: 9}}, (_, i) => {{
            const unit = yardstick(), from = performance.now();
            it.set({{q: `${{i % 3}}_${{i % 4}}_1`}});
            it.render();
            return (performance.now() - from) / unit;
          }}).sort((a, b) => a - b)[4]; }}"""
    )
    assert ratio < 1, ratio
