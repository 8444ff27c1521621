"""The explorables in Chromium: golden vectors replayed, hands and keys, fragments, paper, no JavaScript, themes."""

import json
import re

import pytest
from harness import holds_patches as holds
from harness import shown_patches as shown
from PIL import Image

from mmtokedu import explore
from mmtokedu.catalog import images as catalog
from mmtokedu.patches import image_tokens

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
TOPIC = "patches"


REPLAY = """text => {
  const golden = JSON.parse(text);
  const core = customElements.get("mm-explore-patches").core, bad = [], seen = {plans: 0, refused: 0, sizes: 0};
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const ask = (act) => { try { return act(); } catch (error) { if (error instanceof core.Refused) return null; throw error; } };
  for (const [model, rows] of Object.entries(golden.tokens)) for (const [h, w, ...expected] of rows) {
    const made = ask(() => core.layout(model, h, w)), plan = made?.plan;
    const got = made ? [plan.tokens, plan.grid, plan.resized, plan.parts] : [null];
    if (!same(got, expected)) bad.push([model, h, w, expected, got]);
    if (core.tokens(model, h, w) !== expected[0]) bad.push([model, h, w, "tokens"]);
    seen.plans++;
    if (!made) { seen.refused++; continue; }
    // what is drawn adds up to what is counted, without a gap, and lies on the canvas
    let next = 0;
    for (const part of made.parts) next += part.count;
    if (next !== plan.tokens || made.spans.reduce((n, s) => n + s.to - s.from, 0) > next) bad.push([model, h, w, "parts"]);
    for (const g of made.grids) {
      const [H, W] = g.view === "main" ? made.canvas : [made.overview, made.overview];
      if (g.top < 0 || g.left < 0 || g.top + g.height > H + 1e-6 || g.left + g.width > W + 1e-6) bad.push([model, h, w, "grid", g]);
      if (g.start + g.rows * (g.cols + g.breaks) > plan.tokens) bad.push([model, h, w, "start", g]);
    }
  }
  for (const [h, w, rule, max_pixels, expected] of golden.smart_resize) {
    seen.sizes++;
    const got = ask(() => core.smartResize(h, w, {rule, max_pixels}));
    if (!same(got, expected)) bad.push(["smart_resize", h, w, rule, max_pixels, expected, got]);
  }
  for (const [h, w, max_tiles, expected] of golden.tile_grid) {
    seen.sizes++;
    if (!same(core.tileGrid(h, w, {max_tiles}), expected)) bad.push(["tile_grid", h, w, max_tiles, expected]);
  }
  const price = {}; // "model vendor-model" -> dollars, for the sizes that are not refused
  for (const model of core.models()) for (const row of core.prices(model))
    price[`${model} ${row.model}`] = golden.tokens[model].filter((r) => r[2] !== null).map((r) => core.dollars(core.tokens(model, r[0], r[1]), row));
  return {bad: bad.slice(0, 10), count: bad.length, seen, price};
}"""


def test_golden_vectors(visit):
    golden = explore.golden_vectors("patches")
    result = visit().evaluate(REPLAY, json.dumps(golden, allow_nan=False))
    assert result["count"] == 0, result["bad"]
    assert result["seen"]["plans"] == sum(map(len, golden["tokens"].values())) > 23 * 200
    assert result["seen"]["refused"] == sum(row[2] is None for rows in golden["tokens"].values() for row in rows)
    assert set(result["price"]) == set(golden["dollars"])
    for name, expected in golden["dollars"].items():
        assert result["price"][name] == pytest.approx(expected, rel=1e-9)


def test_not_whole_sizes_are_refused_on_both_sides(visit):
    page = visit()
    for bad in ("0", "-3", "1.5", "NaN", "1e99", "'64'", "undefined"):
        assert page.evaluate(f"customElements.get('mm-explore-patches').core.tokens('llava-1.5', {bad}, 64)") is None
    for bad in (0, -3):
        with pytest.raises(ValueError):
            image_tokens("llava-1.5", bad, 64)


def test_arrow_keys_move_the_corner(visit):
    page = visit()
    first = shown(page)
    page.locator(".handle").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowUp")
    assert holds(page) == ("qwen2.5-vl", 1070, 2020) and shown(page)[3] != first[3]
    assert page.locator(".handle").get_attribute("aria-valuetext") == "1,070 high, 2,020 wide"
    # said aloud, once, when the hands rest
    said = page.locator("[aria-live]")
    playwright.expect(said).to_have_text(re.compile(f"^{shown(page)[3]} tokens: "))


def test_dragging_the_corner(visit):
    page = visit()
    box = page.locator(".handle").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y + 30, steps=4)
    during = holds(page)
    after_move = page.locator(".handle").bounding_box()
    assert abs(after_move["x"] - box["x"] + 60) < 3 and abs(after_move["y"] - box["y"] - 30) < 3  # it follows the hand
    page.mouse.up()
    assert during == holds(page) and during[1] > 1080 and during[2] < 1920


def test_fields_presets_and_reset(visit):
    page = visit()
    page.locator("#model").select_option("pixtral")
    page.get_by_role("button", name="a scanned page").click()
    assert holds(page) == ("pixtral", 2339, 1654)
    assert page.locator("#picture").input_value() == "page"
    page.get_by_role("button", name="turn it").click()
    assert holds(page) == ("pixtral", 1654, 2339)
    page.locator("#height").fill("0")
    assert page.locator("#height").get_attribute("aria-invalid") == "true"
    page.locator("#height").fill("77")
    assert holds(page) == ("pixtral", 77, 2339)
    page.get_by_role("button", name="reset").click()
    assert holds(page) == ("qwen2.5-vl", 1080, 1920)


def test_text_has_its_size_however_the_page_is_reached(visit):
    """The first drawing of the page, when no word has been measured yet, is the drawing of every later one."""
    page = visit()
    drawn = """async () => {
      const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      const app = document.querySelector('mm-explore-patches'), source = app.$.source;
      await frames();
      const seen = source.toDataURL(), width = source.width;
      app.draw();
      await frames();
      return [seen === source.toDataURL(), width];
    }"""
    page.evaluate("document.querySelector('mm-explore-patches').sizes.disconnect()")  # no second drawing by chance
    page.locator("#height").fill("448")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="a scanned page").click()
    same, width = page.evaluate(drawn)
    assert same and width > 300


@pytest.mark.parametrize("bad", ["0", "99999", ""])
def test_a_size_that_cannot_be_is_said_and_put_back(visit, bad):
    page = visit()
    page.locator("#height").fill("448")
    page.locator("#height").fill(bad)
    page.keyboard.press("Enter")
    said = page.locator("[role=status]")
    playwright.expect(said).to_have_text("The height must be a whole number of pixels, 1 to 20,000; it is 448 again.")
    assert page.locator("#height").get_attribute("aria-invalid") == "false"
    assert holds(page) == ("qwen2.5-vl", 448, 1920)
    page.locator("#height").fill("449")
    playwright.expect(said).to_be_hidden()
    assert holds(page) == ("qwen2.5-vl", 449, 1920)


def test_a_small_price_is_not_nothing(visit):
    page = visit()
    page.locator("#model").select_option("openai-patches")
    page.get_by_role("button", name="an icon").click()
    prices = page.locator(".answer span").all_inner_texts()
    amounts = [re.search(r"cost \$(\S+) of input", price)[1] for price in prices]
    assert amounts and all(float(amount) > 0 for amount in amounts)
    tokens, rate = 4, catalog.rows()["openai-patches"].prices[0]
    expected = 1000 * tokens * rate.multiplier * rate.usd_per_million_tokens / 1e6
    assert float(amounts[0]) == pytest.approx(expected, rel=0.05)


def test_a_square_that_pads_keeps_the_shape(visit):
    page = visit()
    shape, say = page.locator(".answer .quiet").first, page.locator(".say")
    page.locator("#model").select_option("llava-1.5")
    playwright.expect(shape).to_contain_text("The shape is kept.")
    playwright.expect(say).to_contain_text("padded to a square here")
    assert "padding" in page.locator(".keys").inner_text()
    page.locator("#model").select_option("gemma-3")
    playwright.expect(shape).to_contain_text("a circle comes out 1.78 times as tall as wide")
    assert "padding" not in page.locator(".keys").inner_text()


def test_every_system_draws_and_can_be_chosen_from_the_bars(visit):
    page = visit()
    page.locator("summary").click()
    for bar in page.locator(".bars button").all():
        bar.click()
        holds(page)
        assert page.locator(".bars [aria-pressed=true] .n").inner_text() == shown(page)[3]


def test_refusal_is_said(visit):
    page = visit()
    page.locator("#height").fill("2")
    playwright.expect(page.locator(".big b")).to_have_text("refused")
    playwright.expect(page.locator(".say")).to_contain_text("960 times the other, and 200 is the limit")


def test_fragment_round_trip(visit):
    page = visit("book.html")
    page.locator("#model").select_option("internvl2.5")
    page.get_by_role("button", name="a panorama").click()
    page.wait_for_url("**#patches:h=900,w=4800,m=internvl2.5")
    page.get_by_role("button", name="an icon").click()
    page.wait_for_url("**#patches:h=64,w=64,m=internvl2.5,p=icon")
    page.reload()
    assert holds(page) == ("internvl2.5", 64, 64) and page.locator("#picture").input_value() == "icon"
    page.evaluate("location.hash = '#patches:h=500,w=400,m=gemma-3'")
    page.wait_for_function("document.querySelector('mm-explore-patches').state.model === 'gemma-3'")
    assert holds(page) == ("gemma-3", 500, 400)


def test_two_outputs_put_in_as_a_notebook_does(visit, put_in):
    page = visit()
    for _ in range(2):
        put_in(page, explore.patches(height=336, width=336, model="llava-1.5"))
    assert page.locator("mm-explore-patches").count() == 3
    assert page.locator("mm-explore-patches").nth(2).locator(".big b").inner_text() == "576"


def test_a_file_of_the_readers_own(visit, tmp_path):
    path = tmp_path / "photo.png"
    Image.effect_noise((123, 45), 60).save(path)
    page = visit()
    page.locator("input[type=file]").set_input_files(path)
    page.wait_for_function("document.querySelector('mm-explore-patches').state.picture === 'file'")
    assert holds(page) == ("qwen2.5-vl", 45, 123)
    (tmp_path / "broken.png").write_bytes(path.read_bytes()[:60])
    page.locator("input[type=file]").set_input_files(tmp_path / "broken.png")
    playwright.expect(page.locator("[role=status]")).to_contain_text("could not be read")
    assert holds(page) == ("qwen2.5-vl", 45, 123)


def test_pointing_names_the_token(visit):
    page = visit()
    page.locator("#model").select_option("pixtral")
    page.locator("#height").fill("64")
    page.locator("#width").fill("64")
    cut = page.locator(".cut canvas").bounding_box()
    page.mouse.move(cut["x"] + 8, cut["y"] + 8)
    playwright.expect(page.locator(".lens figcaption")).to_contain_text("Token 1 of 20 ")
    page.wait_for_timeout(50)
    size = page.evaluate("document.querySelector('mm-explore-patches').cutView.side")
    page.mouse.move(cut["x"] + size - 2, cut["y"] + size - 2)
    playwright.expect(page.locator(".lens figcaption")).to_contain_text(
        "Token 19 of 20 "
    )  # 16 cells, 3 breaks before it
