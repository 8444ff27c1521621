"""The explorable of clips in Chromium: golden vectors replayed, the moment dragged, every rule and system shown."""

import functools
import json
import re

import harness
import numpy as np
import pytest
from harness import YARDSTICK, core, element, press, taken_video
from harness import holds_video as holds

from mmtokedu import explore
from mmtokedu.catalog import video as clips
from mmtokedu.explore import _video, _video_budget
from mmtokedu.video import sample_frames, timestamp_labels

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
TOPIC = "video"
state = functools.partial(harness.state, topic=TOPIC)


REPLAY = """text => {
  const golden = JSON.parse(text), core = customElements.get("mm-explore-video").core, bad = [], seen = {}, refused = {};
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const ask = (act) => { try { return act(); } catch (error) { if (error instanceof core.Refused) return error.message; throw error; } };
  const check = (name, answer) => golden[name].forEach((row) => {
    const [got, expected] = answer(row);
    seen[name] = (seen[name] ?? 0) + 1;
    refused[name] = (refused[name] ?? 0) + (typeof got === "string");
    if (!same(got, expected)) bad.push([name, row, got]);
  });
  const steps = (indices) => typeof indices === "string" ? indices : indices.map((x, i) => x - (indices[i - 1] ?? 0));
  check("samples", ([rule, total, rate, options, expected]) => [steps(ask(() => core.sample(rule, total, rate, options))), expected]);
  check("plans", ([model, frames, h, w, ...expected]) => {
    const plan = ask(() => core.plan(model, frames, h, w));
    return typeof plan === "string" ? [plan, expected[0]] : [[plan.tokens, plan.resized, plan.grid, plan.parts], expected];
  });
  check("labels", ([style, indices, rate, expected]) => [core.labels(style, indices, rate), expected]);
  return {bad: bad.slice(0, 8).map((one) => JSON.stringify(one).slice(0, 500)), count: bad.length, seen, refused};
}"""


def test_golden_vectors(visit):
    golden = explore.golden_vectors("video")
    result = visit().evaluate(REPLAY, json.dumps(golden, allow_nan=False))
    assert result["count"] == 0, result["bad"]
    assert result["seen"] == {name: len(rows) for name, rows in golden.items()}
    assert result["refused"] == {
        "samples": sum(isinstance(row[4], str) for row in golden["samples"]),
        "plans": sum(isinstance(row[4], str) for row in golden["plans"]),
        "labels": 0,
    }
    assert result["refused"]["samples"] > 100 and result["refused"]["plans"] > 20


@pytest.mark.parametrize("rule", clips.rows("sampling"))
def test_the_system_that_goes_with_a_rule_is_the_same_on_both_sides(visit, rule):
    assert visit().evaluate(f"{core(TOPIC)}.own({rule!r})") == _video.own(rule)


# The moment


def place(page, what=".moment"):
    """The middle of a handle, in pixels of the window."""
    box = page.locator(what).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def pull(page, x, y, to):
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + to, y, steps=3)
    page.mouse.up()


def test_the_moment_is_dragged_and_the_frames_that_catch_it_are_the_librarys(visit):
    page = visit()
    width = page.locator(".film .stage").bounding_box()["width"]
    x, y = place(page)
    pull(page, x, y + 25, width * 8 / 300)  # past frame 220
    now = holds(page)
    assert (now["first"], now["last"]) == (215, 226) and page.locator(".big b").nth(1).inner_text() == "caught"
    after = place(page)
    assert abs(after[0] - x - width * 8 / 300) < 2  # it follows the hand
    x, y = place(page, ".long")
    pull(page, x, y, width * 10 / 300)
    assert (holds(page)["first"], holds(page)["last"]) == (215, 236)
    pull(page, *place(page, ".long"), -width)
    assert holds(page)["last"] == 217  # a tenth of a second is the least
    stage = page.locator(".film .stage").bounding_box()
    page.mouse.click(stage["x"] + stage["width"] * 0.5, stage["y"] + 70)  # anywhere on the line: the moment goes there
    assert abs(holds(page)["first"] - 149) <= 1
    pull(page, *place(page), 5000)
    assert holds(page)["last"] == 299
    page.mouse.move(10, 10)  # nothing is held any more
    assert holds(page)["last"] == 299


def test_keys_move_the_moment(visit):
    page = visit()
    moment, long = page.locator(".moment"), page.locator(".long")
    for key, first in (
        ("ArrowRight", 208), ("ArrowLeft", 207), ("Shift+ArrowRight", 217), ("PageUp", 247), ("PageDown", 217), ("End", 288),
        ("ArrowRight", 288), ("Home", 0), ("ArrowLeft", 0),
    ):  # fmt: skip
        moment.press(key)
        assert (state(page)["first"], state(page)["last"]) == (first, first + 11), key
    assert moment.get_attribute("aria-valuetext") == "0.00 s, frames 0 to 11: caught"
    for key, last in (
        ("ArrowRight", 12),
        ("PageUp", 17),
        ("Home", 2),
        ("ArrowLeft", 2),
        ("End", 59),
        ("ArrowRight", 59),
    ):
        long.press(key)
        assert (state(page)["first"], state(page)["last"]) == (0, last), key
    assert long.get_attribute("aria-valuetext") == "2.00 seconds, 60 frames"
    holds(page)


def test_by_how_much_it_was_missed(visit):
    page = visit()
    by = page.locator(".big").nth(1)
    playwright.expect(by).to_contain_text("by 2 frames")  # 205 and 220 of 207 to 218
    page.get_by_role("button", name=re.compile("^internvl ")).click()
    playwright.expect(by).to_contain_text("by 1 frame")  # 206
    page.get_by_role("button", name=re.compile("^transformers-qwen2 ")).click()
    playwright.expect(by).to_contain_text("in 1 frame")  # 210
    holds(page)
    assert page.locator(".near ol li").all_inner_texts() == ["195\ntaken", "210\ncaught", "225\ntaken"]


# Rules, systems, options


@pytest.mark.parametrize("rule", clips.rows("sampling"))
def test_every_rule_shows_what_it_takes_and_what_it_never_sees(visit, rule):
    page, indices = visit(), sample_frames(300, 30.0, rule=rule)
    page.locator("#rule").select_option(rule)
    now = holds(page)
    assert now["model"] == _video.own(rule)
    never = page.locator(".answer .quiet").first.inner_text()
    for where, count in (("first", indices.min()), ("last", 299 - indices.max())):
        said = f"The {where} {count} frames, {count / 30:.2f} s, are never seen." if count > 1 else ""
        said = f"The {where} frame is never seen." if count == 1 else said
        assert said in never and (f"The {where} frames" not in never or count)
    assert ("The last frame is seen." in never) == (indices.max() == 299)
    if len(indices) > 1:
        longest = np.diff(np.sort(indices)).max()
        assert longest == 1 or f"{longest / 30:.2f} s" in never
    shown = [int(text.split("\n")[0]) for text in page.locator(".kept li:not(.gap)").all_inner_texts()]
    assert shown == indices.tolist() if len(indices) <= 24 else set(shown) <= set(indices.tolist()) and len(shown) <= 24
    assert clips.row("sampling", rule).source in page.locator(".about").inner_text()


@pytest.mark.parametrize("model", clips.rows("tokens"))
def test_every_system_shows_its_size_and_its_first_labels(visit, model):
    page = visit()
    page.locator("#model").select_option(model)
    holds(page)
    plan, style = clips.video_plan(model, 20, 720, 1280), clips.row("tokens", model).time
    assert f"becomes {plan.resized[0]:,} × {plan.resized[1]:,}" in page.locator(".sized").inner_text()
    labels = timestamp_labels(sample_frames(300, 30.0), 30.0, style) if style else []
    place = clips.row("time", style).place if style else ""
    shown = page.locator(".sequence .text").all_text_contents()
    assert shown == (labels[:3] if place in ("before", "after") else [])
    told = page.locator(".told .quiet").first.inner_text()
    if place == "in the pixels":
        assert f"“{labels[0]}”" in told
    assert ("no time" in told) == (not style or style == "internvl")


def test_options_that_a_rule_lacks_cannot_be_chosen_and_say_why(visit):
    page = visit()
    chosen = lambda name: page.locator(f"#{name} option:checked").inner_text()
    for rule, row in clips.rows("sampling").items():
        page.locator("#rule").select_option(rule)
        for name, option in (("fps", "fps"), ("frames", "frames"), ("max", "max_frames")):
            assert page.locator(f"#{name}").is_disabled() == (option not in row.options), (rule, name)
            usual = row.defaults.get(option)
            if option not in row.options:
                assert chosen(name) == (f"{usual}, fixed" if usual else "has none"), (rule, name)
    page.locator("#rule").select_option("molmo2")
    page.locator("#fps").select_option("1")
    assert page.locator("#max").is_disabled() and chosen("max") == "not both"
    assert holds(page)["fps"] == 1


def test_options_reach_the_rules(visit):
    page = visit()
    page.locator("#fps").select_option("4")
    assert holds(page)["fps"] == 4 and "40 frames" in page.locator(".big").first.inner_text()
    page.locator("#frames").select_option("8")
    now = holds(page)
    assert (now["fps"], now["frames"]) == (None, 8) and "8 frames" in page.locator(".big").first.inner_text()
    page.locator("#frames").select_option("")
    page.locator("#max").select_option("16")
    assert holds(page)["max"] == 16 and "16 frames" in page.locator(".big").first.inner_text()
    page.locator("#rule").select_option("glm46v")  # it heeds none of them, and the others still do
    assert holds(page)["max"] == 16 and "60 frames" in page.locator(".big").first.inner_text()


def test_a_value_from_python_can_be_chosen_again(visit, put_in):
    page = visit()
    put_in(page, explore.video(frames=13, rule="transformers-qwen3"))
    second = page.locator("mm-explore-video").nth(1)
    assert second.locator("#frames").input_value() == "13"
    assert "13 frames" in second.locator(".big").first.inner_text()


# Other clips, refusals


def test_a_refusal_is_said_in_the_rules_words(visit):
    page = visit()
    press(page, "one frame")
    holds(page)
    with pytest.raises(ValueError) as refused:
        sample_frames(1, 30)
    assert page.locator(".say").inner_text() == f"{refused.value}."
    assert "What the system itself does: A clip of one frame: ValueError" in page.locator(".answer").inner_text()
    playwright.expect(page.locator(".told .quiet").first).to_have_text("Nothing: the clip is refused.")
    page.locator("#rule").select_option("transformers-qwen3")  # the rule takes it, the system does not
    holds(page)
    assert "1 frames are no temporal patch of 2" in page.locator(".say").inner_text()
    page.locator("#rule").select_option("cosmos3-edge")
    assert holds(page) and page.locator(".big b").first.inner_text() != "refused"


def test_one_index_too_many_is_shown_as_a_refusal(visit):
    page = visit("book.html#video:rule=transformers-qwen2,total=1494,rate=25")
    assert page.locator(".big b").first.inner_text() == "refused"
    assert "1 of the 119 indices are beyond the end" in page.locator(".say").inner_text()
    assert "the moment is missed" not in page.locator(".never, .say").inner_text()


def test_an_hour_of_film(visit):
    page = visit()
    press(page, "an hour of film")
    now = holds(page)
    assert (now["total"], now["rate"]) == (86_400, 24)
    shown = page.locator(".kept li").all_inner_texts()
    assert shown.count("…") == 2 and len(shown) == 26
    assert page.locator(".kept i.pictured").count() == 0 and not page.locator(".near ol").is_visible()
    # the frames that are shown: the first, those around the moment, the last
    numbers = [int(text.split("\n")[0].replace(",", "")) for text in shown if text != "…"]
    taken = taken_video(now)
    assert numbers[:8] == taken[:8] and numbers[-8:] == taken[-8:]
    assert numbers[8] < now["first"] < numbers[15] and numbers == sorted(numbers)


def test_another_clip_by_its_numbers(visit):
    page = visit()
    page.locator("summary").click()
    page.locator("#total").fill("1000")
    page.locator("#rate").fill("29.97")
    page.locator("#height").select_option("2160")
    now = holds(page)
    assert (now["total"], now["rate"], now["height"]) == (1000, 29.97, 2160)
    said = page.locator("[role=status]")
    for name, bad, words in (
        ("total", "0", "A clip here has 1 to 1,000,000 whole frames; it is 1,000 again."),
        ("total", "2.5", "A clip here has 1 to 1,000,000 whole frames; it is 1,000 again."),
        ("rate", "999", "A clip here has 1 to 240 frames a second; it is 29.97 again."),
        ("rate", "", "A clip here has 1 to 240 frames a second; it is 29.97 again."),
    ):
        field = page.locator(f"#{name}")
        field.fill(bad)
        assert field.get_attribute("aria-invalid") == "true" and holds(page) == now
        field.press("Enter")
        playwright.expect(said).to_have_text(words)
        assert field.get_attribute("aria-invalid") == "false" and float(field.input_value()) == now[name]
    page.locator("#total").fill("20")  # the moment stays within the clip
    playwright.expect(said).to_be_hidden()
    now = holds(page)
    assert 0 <= now["first"] <= now["last"] == 19


def test_the_pictures_are_of_the_frames_they_stand_for(visit):
    page = visit()
    where = page.locator(".kept li:has(b:text-is('205')) i").evaluate("(node) => node.style.backgroundPosition")
    sheet, k = _video._sheet(), _video.pictured().index(204)
    row, col = divmod(k, sheet["cols"])
    across, down = (float(text.rstrip("%")) for text in where.split())
    assert across == pytest.approx(100 * col / (sheet["cols"] - 1), abs=0.01)
    assert down == pytest.approx(100 * row / (sheet["rows"] - 1), abs=0.01)
    assert page.locator(".kept u").count() == 0  # nobody has seen the ball
    page.locator("#rule").select_option("transformers-qwen2")
    assert page.locator(".kept u").count() == 1


def test_an_answer_takes_no_longer_than_the_yardstick_allows(visit):
    """Times a fixed computation in the same page, in turns: milliseconds alone would judge the machine."""
    ratio = visit().evaluate(
        f"""() => {{ const it = {element(TOPIC)}, yardstick = {YARDSTICK};
          return Array.from({{length: 9}}, (_, i) => {{ // an hour of film, another length each time: all rules anew
            const unit = yardstick(), from = performance.now();
            it.set({{total: 86400 - i, rate: 24, first: 500 * i, last: 500 * i + 11}});
            it.render();
            return (performance.now() - from) / unit;
          }}).sort((a, b) => a - b)[4]; }}"""
    )
    assert ratio < 8, ratio


# One budget, spent on frames or on pixels

REPLAY_BUDGET = """text => {
  const golden = JSON.parse(text), core = customElements.get("mm-explore-video_budget").core, bad = [], seen = {spent: 0, outcomes: 0};
  const close = (a, b) => Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));
  for (const [budget, fps, size, tokens] of golden.spent) {
    const got = core.spent(budget, fps);
    seen.spent++;
    if (JSON.stringify([got.size, got.tokens]) !== JSON.stringify([size, tokens])) bad.push([budget, fps, size, tokens, got]);
  }
  for (const [fps, budget, digits, moment, tall, caught, both] of golden.outcomes) {
    const got = core.outcome({fps, budget, digits, moment});
    seen.outcomes++;
    if (!close(got.tall, tall) || !close(got.caught, caught) || !close(got.both, both)) bad.push([fps, budget, digits, moment, got]);
  }
  return {bad: bad.slice(0, 5), seen};
}"""


def budget_of(page):
    return harness.state(page, "video_budget")


def test_budget_golden_vectors(visit):
    golden = explore.golden_vectors("video_budget")
    result = visit(topic="video_budget").evaluate(REPLAY_BUDGET, json.dumps(golden, allow_nan=False))
    assert result == {"bad": [], "seen": {name: len(rows) for name, rows in golden.items()}}
    assert result["seen"]["outcomes"] == 2400


def test_budget_is_spent_by_hand_and_by_keys(visit):
    page = visit(topic="video_budget")
    harness.settle(page)
    across = lambda fps: page.evaluate(f"{element('video_budget')}.across({fps})")
    stage = page.locator(".stage").bounding_box()
    x, y = place(page, ".handle")
    assert abs(x - stage["x"] - across(1)) < 1
    pull(page, x, y, across(2) - across(1))
    now = harness.holds_video_budget(page)
    assert now["fps"] == 2 and page.locator(".big b").inner_text() == "100 %"
    handle = page.locator(".handle")
    for key, fps in (
        ("ArrowRight", 2.5), ("PageDown", 1.0), ("Home", 0.1), ("ArrowLeft", 0.1), ("End", 30), ("ArrowUp", 30), ("ArrowDown", 20),
    ):  # fmt: skip
        handle.press(key)
        assert harness.holds_video_budget(page)["fps"] == fps, key
    assert handle.get_attribute("aria-valuetext") == "20 frames a second, digits of 0.7 pixels, 0 % caught and readable"
    page.mouse.click(stage["x"] + across(0.5), stage["y"] + 40)
    assert harness.holds_video_budget(page)["fps"] == 0.5


def test_budget_choices_and_presets(visit):
    page = visit(topic="video_budget")
    for name, value in (("budget", "256"), ("digits", "48"), ("moment", "0.1")):
        page.locator(f"#{name}").select_option(value)
        assert budget_of(page)[name] == float(value)
        harness.holds_video_budget(page)
    for name in ("a blink", "small print", "four times the tokens", "reset"):
        press(page, name)
        harness.holds_video_budget(page)
    assert budget_of(page) == harness.FIRST_VIDEO_BUDGET


def test_budget_table_is_the_librarys(visit):
    page = visit(topic="video_budget")
    page.locator("summary").click()
    rows = [row.split("\t") for row in page.locator("tbody tr").all_inner_texts()]
    assert len(rows) == len(_video_budget.RATES)
    for row, fps in zip(rows, _video_budget.RATES, strict=True):
        (height, width), tokens = _video_budget.spent(1024, fps)
        tall, _, both = _video_budget.outcome(fps, 1024, 18, 0.5, 3.5)
        assert row == [
            f"{fps:g}",
            f"{height} × {width}",
            f"{tall:.1f}",
            f"{tokens:,}",
            f"{both:.0%}".replace("%", " %"),
        ]


def test_budget_limit_comes_from_python(visit, put_in):
    page = visit("notebook.html")
    put_in(page, explore.video_budget(fps=2, limit=4.2))
    app = page.locator("mm-explore-video_budget")
    assert app.locator(".big b").inner_text() == "0 %" and "under 4.2 px" in app.locator(".answer").inner_text()


def test_budget_pictures_have_the_pixels_that_are_left(visit):
    """The right picture is made of as many different cells as the shrunk frame has pixels there, the left is smooth."""
    page = visit(topic="video_budget")
    harness.settle(page)
    steps = f"""name => {{ const canvas = {element("video_budget")}.$[name], {{width, height}} = canvas;
      const row = canvas.getContext("2d").getImageData(0, Math.floor(height / 2), width, 1).data, found = new Set([0]);
      for (let x = 1; x < width; x++) if ([0, 1, 2].some((c) => row[4 * x + c] !== row[4 * (x - 1) + c])) found.add(x);
      return found.size; }}"""
    assert page.evaluate(steps, "after") <= round(8 * 18 * 364 / 1280) < page.evaluate(steps, "before")
