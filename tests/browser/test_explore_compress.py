"""The figure of fewer tokens in Chromium: golden vectors replayed, hands and keys, what is drawn, what its words claim."""

import functools
import json

import harness
import numpy as np
import pytest
from harness import FIRST_COMPRESS, YARDSTICK, core, element, press
from harness import holds_compress as holds

from mmtokedu import explore
from mmtokedu.explore import _compress

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
TOPIC = "compress"
ELEMENT, CORE = element(TOPIC), core(TOPIC)
state = functools.partial(harness.state, topic=TOPIC)

REPLAY = """text => {
  const golden = JSON.parse(text), core = customElements.get("mm-explore-compress").core, bad = [], seen = {};
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const near = (a, b) => b === null ? a === -Infinity : Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));
  const check = (name, test) => golden[name].forEach((row) => {
    seen[name] = (seen[name] ?? 0) + 1;
    if (!test(row)) bad.push([name, row]);
  });
  check("blocks", ([grid, window, places]) => same(core.blocks(grid, window), places));
  check("matched", ([rows, likeness, partner]) => {
    const got = core.match(rows);
    return same(got.map((one) => one.partner), partner) && got.length === likeness.length && got.every((one, i) => near(one.likeness, likeness[i]));
  });
  check("merged", ([rows, target, source]) => {
    const got = core.mergeTo(rows, target), told = rows.map((_, i) => got.findIndex((members) => members.includes(i)));
    return same(told, source) && got.length === target;
  });
  check("rounds", ([tokens, target, share, steps]) => same(core.rounds(tokens, target, share), steps));
  check("costs", ([counts, sizes, flops, bytes]) => core.flops(counts, sizes) === flops && core.cacheBytes(counts, sizes) === bytes);
  check("states", ([picture, method, tokens, by, groups, run, kept]) =>
    same(core.groupsOf({picture, method, tokens, by}), groups) && same(core.run(method, tokens), run) && same(core.cached(method, tokens), kept));
  return {bad: bad.slice(0, 3).map((one) => JSON.stringify(one).slice(0, 300)), count: bad.length, seen};
}"""


def test_golden_vectors(visit):
    golden = explore.golden_vectors(TOPIC)
    result = visit().evaluate(REPLAY, json.dumps(golden, allow_nan=False))
    assert result["count"] == 0, result["bad"]
    assert result["seen"] == {name: len(rows) for name, rows in golden.items()}
    states = 2 * 5 * len(_compress.METHODS) * len(_compress.LADDER)
    assert result["seen"] == {
        "blocks": 12, "matched": 67, "merged": len(golden["merged"]), "rounds": 60, "costs": 15, "states": states,
    }  # fmt: skip
    assert len(golden["merged"]) > 400


def test_every_state_shows_what_was_stored(visit):
    page = visit()
    for picture in _compress.PICTURES:
        for method in _compress.METHODS:
            for k, tokens in enumerate(_compress.LADDER):
                by = _compress.KINDS[k % len(_compress.KINDS)]
                wanted = {"picture": picture, "method": method, "tokens": tokens, "by": by}
                page.evaluate(f"state => ({ELEMENT}).set(state)", wanted)
                assert holds(page) == wanted


# Hands and keys


def cell(page, patch):
    """The middle of a patch in the window."""
    box = page.locator(".stage").bounding_box()
    y, x = divmod(patch, 8)
    return box["x"] + (x + 0.5) * box["width"] / 8, box["y"] + (y + 0.5) * box["height"] / 8


@pytest.mark.parametrize("width", [375, 1000])
def test_a_patch_is_pointed_at(visit, width):
    page = visit(viewport={"width": width, "height": 900})
    page.locator("#method").select_option("merge")
    source = _compress.merged(_compress.metric("scene"), 16)
    page.locator(".stage").scroll_into_view_if_needed()
    for patch in (0, 27, 63):
        page.mouse.move(*cell(page, patch))
        others = int((source == source[patch]).sum()) - 1
        fate = (
            "a token of its own"
            if not others
            else f"one token with {others} other patch{'es' * (others > 1)}, their mean"
        )
        y, x = divmod(patch, 8)
        assert page.locator(".cell").inner_text() == f"Row {y + 1}, column {x + 1}: {fate}."
        assert page.locator(".hand").get_attribute("aria-valuenow") == str(patch)
    assert state(page) == {**FIRST_COMPRESS, "method": "merge"}


def test_keys_go_from_patch_to_patch(visit):
    page = visit()
    press(page, "a small page")
    page.locator("#method").select_option("random")
    hand, kept = page.locator(".hand"), _compress.entry("page", "random", 16, "number")["kept"]
    for key, patch in (
        ("Home", 0), ("ArrowLeft", 0), ("ArrowUp", 0), ("ArrowRight", 1), ("ArrowDown", 9), ("End", 63), ("ArrowDown", 63),
        ("ArrowRight", 63), ("ArrowUp", 55),
    ):  # fmt: skip
        hand.press(key)
        assert hand.get_attribute("aria-valuenow") == str(patch), key
        fate = "a token of its own" if patch in kept else "dropped: the decoder never sees it"
        assert hand.get_attribute("aria-valuetext").endswith(fate)


def test_the_count_is_slid_by_keys(visit):
    page = visit()
    budget = page.locator("#tokens")
    for key, tokens in (("ArrowRight", 8), ("ArrowRight", 4), ("End", 1), ("Home", 64), ("ArrowRight", 32)):
        budget.press(key)
        assert holds(page)["tokens"] == tokens, key
        assert budget.get_attribute("aria-valuetext") == f"{tokens} token{'s' * (tokens > 1)}"


def test_all_tokens_are_the_same_whatever_the_method(visit):
    page = visit()
    page.locator("#tokens").press("Home")
    told = lambda: page.locator(".asks").inner_text()
    first = told()
    assert page.locator(".saved b").all_inner_texts() == ["all", "all"]
    for method in _compress.METHODS:
        page.locator("#method").select_option(method)
        assert holds(page)["tokens"] == 64 and told() == first
    assert "All tokens reach the decoder" in page.locator(".answer > .quiet").inner_text()


# What is drawn


def colours(page):
    """The mean colour of each patch in the picture that is drawn: (64, 3)."""
    harness.settle(page)
    page.wait_for_function(f"({ELEMENT}).pixels")
    harness.settle(page)
    flat = page.evaluate(
        f"""() => {{ const {{canvas}} = ({ELEMENT}).$, copy = new OffscreenCanvas(canvas.width, canvas.height);
          const ctx = copy.getContext("2d", {{willReadFrequently: true}}), w = canvas.width / 8, h = canvas.height / 8;
          ctx.drawImage(canvas, 0, 0);
          return Array.from({{length: 64}}, (_, i) => {{
            const [x, y] = [i % 8 * w + w * 0.25, Math.floor(i / 8) * h + h * 0.25];
            const {{data}} = ctx.getImageData(x, y, w / 2, h / 2), sum = [0, 0, 0];
            data.forEach((value, p) => {{ if (p % 4 < 3) sum[p % 4] += value; }});
            return sum.map((value) => 4 * value / data.length);
          }}); }}"""
    )
    return np.array(flat)


def test_what_is_dropped_is_paled_and_what_is_kept_is_not(visit):
    page = visit(color_scheme="dark")
    page.locator("#method").select_option("random")
    page.locator("#tokens").press("Home")
    before = colours(page)
    page.evaluate(f"({ELEMENT}).set({{tokens: 16}})")
    after = colours(page)
    kept = _compress.entry("scene", "random", 16, "number")["kept"]
    moved = np.abs(after - before).mean(axis=1)
    dropped = np.setdiff1d(np.arange(64), kept)
    bright = dropped[before[dropped].mean(axis=1) > 80]
    assert (moved[bright] > 30).all() and np.median(moved[kept]) < 1


def test_what_is_merged_has_one_colour(visit):
    page = visit()
    page.evaluate(f"({ELEMENT}).set({{method: 'pool', tokens: 4, by: 'count'}})")
    seen = colours(page)
    pixels = _compress.drawn("scene").pixels[0].reshape(8, 12, 8, 12, 3).mean(axis=(1, 3)).reshape(64, 3)
    for members in _compress.windows((4, 4)):
        mean = pixels[members].mean(axis=0)
        flat = [i for i in members if np.abs(pixels[i] - mean).max() < 60]
        assert np.abs(seen[flat] - mean).mean() < np.abs(pixels[flat] - mean).mean() * 0.5 + 6


def test_the_boxes_of_the_pressed_question_are_outlined(visit):
    page = visit()
    before = colours(page)
    row = page.locator(".asks button").nth(_compress.KINDS.index("where"))
    row.click()
    assert holds(page)["by"] == "where" and np.abs(colours(page) - before).max() > 1


# What it claims


def test_a_question_chooses_where_a_method_asks(visit):
    page = visit()
    page.evaluate(f"({ELEMENT}).set({{method: 'oracle', tokens: 8}})")
    kept = {}
    for k, kind in enumerate(_compress.KINDS):
        page.locator(".asks button").nth(k).click()
        assert holds(page)["by"] == kind
        assert (
            page.locator(".asks")
            .locator("xpath=preceding-sibling::p")
            .inner_text()
            .endswith("the pressed question chooses the patches")
        )
        kept[kind] = page.evaluate(f"({ELEMENT}).groups.flat()")
    about = {tuple(_compress.covered(boxes)) for *_, boxes in _compress.questions("scene")}
    assert len({tuple(some) for some in kept.values()}) == len(about) == 4  # shape and place are asked of the same
    page.locator("#method").select_option("merge")
    assert page.locator(".asks").locator("xpath=preceding-sibling::p").inner_text().endswith("and how sure it is")


def test_what_became_of_the_patches_that_are_asked_for(visit):
    page = visit()
    for picture, method, tokens in (
        ("scene", "random", 16),
        ("page", "grid", 4),
        ("page", "oracle", 1),
        ("scene", "merge", 8),
        ("scene", "folded", 16),
    ):
        page.evaluate(f"state => ({ELEMENT}).set(state)", {"picture": picture, "method": method, "tokens": tokens})
        some = _compress.groups(picture, method, tokens, state(page)["by"])
        for row, (*_, boxes) in zip(page.locator(".asks .why").all(), _compress.questions(picture), strict=True):
            asked, said = set(_compress.covered(boxes)), row.inner_text().split("; ")[-1]
            inside = [group for group in some if asked & set(group)]
            kept = sum(len(asked & set(group)) for group in inside)
            others = sum(map(len, inside)) - kept
            many = lambda n, other="": f"{n} {other}patch{'es' * (n != 1)}"
            if kept < len(asked):
                told = f"{kept} of {many(len(asked))} kept." if kept else f"{many(len(asked))} dropped."
            elif method in ("merge", "folded"):
                told = f"{many(len(asked))} in {len(inside)} token{'s' * (len(inside) > 1)}"
                told += f", with {many(others, 'other ')}." if others else "."
            else:
                told = f"{many(len(asked))} kept."
            assert said == told


def test_the_table_has_every_method_and_count(visit):
    page = visit()
    page.locator("summary").click()
    for by in ("count", "number"):
        page.locator(".asks button").nth(_compress.KINDS.index(by)).click()
        k = _compress.KINDS.index(by)
        right = _compress.questions("scene")[k][2]
        rows = [row.split("\t") for row in page.locator("tbody tr").all_inner_texts()]
        for row, method in zip(rows, _compress.METHODS, strict=True):
            told = [_compress.entry("scene", method, n, by)["told"][k][0] for n in _compress.LADDER]
            marked = [f"{'✓' if answer == right else '✗'} {answer}" for answer in told]
            assert row == [_compress.METHODS[method][0], *marked]
        assert page.locator("td[aria-current]").count() == 1
    assert "from seeds that it never saw" in page.locator(".strip .about").inner_text()


def test_presets_are_states_of_the_page(visit):
    page = visit()
    for name, *wanted in _compress.PRESETS:
        press(page, name)
        assert list(holds(page).values()) == wanted
        assert page.locator(".top > .row [aria-pressed=true]").all_inner_texts() == [name]
    press(page, "reset")
    assert holds(page) == FIRST_COMPRESS


def test_arguments_are_the_first_state(visit, put_in):
    page = visit()
    put_in(page, explore.compress(picture="page", method="oracle", tokens=4, question="shape"))
    second = page.locator("mm-explore-compress").nth(1)
    assert second.evaluate("e => e.state") == {"picture": "page", "method": "oracle", "tokens": 4, "by": "shape"}
    assert second.locator(".big b").inner_text() == "4"


def test_an_answer_takes_no_longer_than_the_yardstick_allows(visit):
    ratio = visit().evaluate(
        f"""() => {{ const it = {ELEMENT}, yardstick = {YARDSTICK};
          return Array.from({{length: 9}}, (_, i) => {{ // merged to the last token, anew for each picture
            const unit = yardstick(), from = performance.now();
            it.set({{picture: i % 2 ? "scene" : "page", method: "merge", tokens: 1}});
            it.set({{tokens: 32}});
            it.render();
            return (performance.now() - from) / unit;
          }}).sort((a, b) => a - b)[4]; }}"""
    )
    assert ratio < 3, ratio


def test_a_question_that_chooses_its_own_patches_counts_too_many_until_the_rest_is_one_token(visit):
    page = visit()
    said = lambda: page.locator(".asks button").nth(_compress.KINDS.index("count")).inner_text().split("\n")
    for picture, right in (("scene", "2"), ("page", "2")):
        for method, answer in (("attention", "✗ 3"), ("oracle", "✗ 3"), ("folded", "✓ 2"), ("merge", "✓ 2")):
            wanted = {"picture": picture, "method": method, "tokens": 16, "by": "count"}
            page.evaluate(f"state => ({ELEMENT}).set(state)", wanted)
            assert holds(page) == wanted and answer in said()
            assert (f"Right: {right}; " in said()[-1]) == answer.startswith("✗")


def test_one_score_keeps_the_number_and_drops_the_things_and_the_other_way_round(visit):
    page = visit()
    marks = lambda: [text[0] for text in page.locator(".asks .told").all_inner_texts()]
    page.evaluate(f"({ELEMENT}).set({{picture: 'scene', method: 'edges', tokens: 16}})")
    assert marks() == ["✓", "✗", "✗", "✗", "✗"]
    page.evaluate(f"({ELEMENT}).set({{method: 'received'}})")
    assert marks() == ["✗", "✓", "✓", "✓", "✗"]
