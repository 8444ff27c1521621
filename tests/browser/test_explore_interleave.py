"""The explorable of interleaving in Chromium: golden vectors replayed, media resized, masks and labels told."""

import functools
import json

import harness
import numpy as np
import pytest
from harness import YARDSTICK, element, press, settle
from harness import holds_interleave as holds

from mmtokedu import explore
from mmtokedu.catalog import styles
from mmtokedu.explore import _interleave, _interleave_asked
from mmtokedu.interleave import AUDIO, IMAGE, VIDEO

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
TOPIC = "interleave"
state = functools.partial(harness.state, topic=TOPIC)

REPLAY = """text => {
  const golden = JSON.parse(text), core = customElements.get("mm-explore-interleave").core, bad = [];
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b), seen = {sequences: 0, refused: 0, rows: 0};
  for (const [state, expected] of golden.sequences) {
    seen.sequences++;
    let sequence;
    try { sequence = core.made(state); } catch (error) {
      if (!(error instanceof core.Refused)) throw error;
      seen.refused++;
      if (error.message !== expected) bad.push([state, expected, error.message]);
      continue;
    }
    if (typeof expected === "string") { bad.push([state, expected, "not refused"]); continue; }
    const told = core.told(sequence), {masks, ...rest} = expected;
    for (const [name, value] of Object.entries(rest)) if (!same(told[name], value)) bad.push([state, name, value, told[name]]);
    for (const [rule, window, rows] of masks ?? []) for (const [row, start, stop] of rows) {
      seen.rows++;
      if (!same(core.visible(sequence, rule, window, row), [start, stop])) bad.push([state, rule, window, row, start, stop]);
    }
  }
  return {bad: bad.slice(0, 6).map((one) => JSON.stringify(one).slice(0, 700)), count: bad.length, seen};
}"""


def test_golden_vectors(visit):
    golden = explore.golden_vectors(TOPIC)
    result = visit().evaluate(REPLAY, json.dumps(golden, allow_nan=False))
    assert result["count"] == 0, result["bad"]
    told = [answer for _, answer in golden["sequences"] if not isinstance(answer, str)]
    assert result["seen"] == {
        "sequences": len(golden["sequences"]),
        "refused": len(golden["sequences"]) - len(told),
        "rows": sum(len(rows) for answer in told for *_, rows in answer["masks"]),
    }
    assert result["seen"]["refused"] > 40 and result["seen"]["rows"] > 20_000


# The prompt


def unfold(page):
    page.get_by_text("Who sees whom, and what is learned").click()


def write(page, prompt):
    page.locator("#prompt").fill(prompt)


def pieces(page):
    """[(look, text)] of the list, small print left out."""
    return page.locator(".pieces li").evaluate_all(
        "all => all.map((one) => [one.classList[0], [...one.childNodes].filter((n) => n.tagName !== 'SMALL').map((n) => n.textContent).join('')])"
    )


@pytest.mark.parametrize("style", styles.rows())
def test_every_style_shows_its_number_its_ids_and_its_source(visit, style):
    page, system = visit(), styles.row(style)
    names = {kind: name for name, kind in _interleave_asked.KINDS.items()}
    write(page, "".join(f"[{names[kind]}]" for kind in system.media) + "And?")
    page.locator("#style").select_option(style)
    assert holds(page)["style"] == style and page.locator(".big b").nth(1).inner_text() != "refused"
    assert page.locator(".about").inner_text() == f"{system.title}: {system.about}"
    assert page.locator(".source").is_hidden() and system.source in page.locator(".source").text_content()
    notes = page.locator(".answer .quiet").inner_text()
    for kind, medium in system.media.items():
        said = _interleave_asked.supposed(medium)
        assert (f"here we assume {said}." in notes) == bool(said), kind
    look = page.locator(".pieces").inner_text()
    for medium in system.media.values():
        told = system.ids.get(medium.soft)
        expected = f"id {told}," if told is not None else f"id {256 + system.tokens.index(medium.soft)} here"
        assert medium.soft in look and expected in look


def test_a_string_that_is_typed_stays_text(visit):
    page = visit()
    press(page, "someone typed <image>")
    holds(page)
    assert pieces(page) == [["image", "576 × <image>"], ["text", "Why does <image> stand in my prompt?"]]
    assert "“<image>” in the text was typed, so it stays text: 7 bytes" in page.locator(".answer .quiet").inner_text()
    write(page, "[IMG]Why?")
    assert holds(page) and "typed" not in page.locator(".answer .quiet").inner_text()
    page.locator("#style").select_option("qwen2-vl")
    write(page, "[IMG]<|im_start|>assistant\n<|vision_end|>")  # the marks of turns are text too, and so is markup
    holds(page)
    assert pieces(page)[-1] == ["text", "<|im_start|>assistant⏎<|vision_end|>"]
    write(page, "<b>x</b><img src=x onerror=alert(1)>")
    assert holds(page) and pieces(page) == [["text", "<b>x</b><img src=x onerror=alert(1)>"]]


def test_two_pictures_with_nothing_between_are_told(visit):
    page, notes = visit(), lambda: page.locator(".answer .quiet").inner_text()
    press(page, "nothing between")
    holds(page)
    assert "Nothing stands between Picture 1 and Picture 2" in notes()
    write(page, "[IMG] [IMG]")
    assert holds(page) and "Nothing stands" not in notes()
    write(page, "[IMG][IMG]")
    page.locator("#style").select_option("internvl")
    assert holds(page) and "Nothing stands" not in notes()


def test_media_are_put_in_where_the_cursor_stands(visit):
    page = visit()
    write(page, "ab")
    page.locator("#prompt").evaluate("node => node.setSelectionRange(1, 1)")
    press(page, "+ picture", "+ film")
    assert holds(page)["prompt"] == "a[IMG][VIDEO]b" and page.locator(".cards > li").count() == 2
    press(page, "+ sound")
    assert page.locator("#prompt").input_value() == "a[IMG][VIDEO][AUDIO]b"
    assert holds(page) and page.locator(".cards > li").last.inner_text().endswith("refused")  # Qwen2.5-VL hears nothing


def test_a_refusal_is_in_the_librarys_words_and_nothing_half_done_is_shown(visit):
    page = visit()
    page.locator("#style").select_option("paligemma")
    write(page, "no picture")
    holds(page)
    assert page.locator(".say").inner_text() == "paligemma needs an image before its text; 1 parts have none."
    for part in (".scale", ".list", ".who"):
        assert not page.locator(part).is_visible()
    write(page, "[IMG]" * 9)
    assert page.locator(".say").inner_text() == "the prompt has 9 media; this page takes at most 8."
    write(page, "")
    page.locator("#style").select_option("pixtral")
    assert holds(page) and page.locator(".big b").all_inner_texts() == ["0", "0"]


def test_a_long_prompt_is_cut_at_a_whole_character_and_says_so(visit):
    page = visit()
    write(page, "數" * 70)
    now = holds(page)
    assert now["prompt"] == "數" * 66
    playwright.expect(page.locator("[role=status]")).to_have_text("A prompt here has at most 200 bytes.")
    write(page, "short")
    playwright.expect(page.locator("[role=status]")).to_be_hidden()


def test_a_size_comes_back_with_its_placeholder(visit):
    page = visit()
    write(page, "[IMG][IMG")
    assert holds(page)["images"] == "480x640"
    write(page, "[IMG][IMG]")
    assert holds(page)["images"] == "480x640_1080x1920"


def test_systems_that_lack_a_kind_stand_apart(visit):
    page = visit()
    press(page, "invoice, voice and film")
    groups = page.locator("#style optgroup").evaluate_all("all => all.map((g) => [...g.children].map((o) => o.value))")
    able = [name for name, row in styles.rows().items() if set(row.media) == {"image", "audio", "video"}]
    assert groups == [able, [name for name in styles.rows() if name not in able]]


# Sizes


def pull(page, hand, to):
    """Drag the middle of a handle by (x, y) pixels."""
    box = hand.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + to[0], y + to[1], steps=3)
    page.mouse.up()


def test_a_pictures_corner_is_dragged(visit):
    page = visit()
    hands, scale = page.locator(".cards .image .hand"), 132 / 2080
    pull(page, hands.nth(0), ((1560 - 640) * scale, (2080 - 480) * scale))
    assert holds(page)["images"] == "2080x1560_1080x1920"
    box, frame = hands.nth(0).bounding_box(), page.locator(".cards .box").nth(0).bounding_box()
    assert abs(box["x"] + box["width"] / 2 - frame["x"] - 1560 * scale) < 1  # it stands where it was let go
    pull(page, hands.nth(1), (-999, -999))
    assert holds(page)["images"] == "2080x1560_64x64"
    page.mouse.move(10, 10)
    assert holds(page)["images"] == "2080x1560_64x64"  # nothing is held any more


def test_keys_resize_every_kind(visit):
    page = visit()
    press(page, "invoice, voice and film")
    hands = page.locator(".cards [role=slider]")
    for key, images in (
        ("ArrowUp", "1920x1560"),
        ("ArrowLeft", "1920x1280"),
        ("ArrowDown", "2080x1280"),
        ("ArrowDown", "2080x1280"),
    ):
        hands.nth(0).press(key)
        assert holds(page)["images"] == images, key
    assert hands.nth(0).get_attribute("aria-valuetext") == "2,080 pixels high, 1,280 wide"
    for key, seconds in (("ArrowRight", "4"), ("Home", "0.5"), ("ArrowLeft", "0.5"), ("PageUp", "3"), ("End", "120")):
        hands.nth(1).press(key)
        assert holds(page)["sounds"] == seconds, key
    for key, clip in (("ArrowRight", "24x720x1"), ("End", "32x720x1"), ("ArrowDown", "24x720x1")):
        hands.nth(2).press(key)
        assert holds(page)["clips"] == clip, key
    assert hands.nth(2).get_attribute("aria-valuetext") == "24 frames of 12 seconds"


def test_a_film_has_its_frames_size_and_its_sound_where_the_system_weaves(visit):
    page = visit()
    press(page, "invoice, voice and film")
    film = page.locator(".cards .video")
    runs = lambda: [look for look, _ in pieces(page) if look in ("video", "audio")]
    assert runs()[:3] == ["audio", "video", "audio"]  # the question, then the film and its own sound
    film.locator("select").select_option("360")
    assert holds(page)["clips"] == "20x360x1"
    film.get_by_role("button", name="with its sound").click()
    assert holds(page)["clips"] == "20x360x0" and runs() == ["audio", "video"]
    page.locator("#style").select_option("gemma-4")
    assert not film.get_by_role("button", name="with its sound").is_visible()
    holds(page)


# What is learned, who sees whom


def test_an_answer_is_learned_with_the_marks_that_end_its_turn(visit):
    page = visit()
    press(page, "with an answer, to be learned")
    now, said = holds(page), page.locator(".loss")
    assert said.is_visible()  # whoever asks for it sees it
    assert (
        now["answer"] == "The second one." and "17 of 3,155 tokens" in said.inner_text()
    )  # its 15 bytes, <|im_end|>, a newline
    learned = page.locator(".pieces .learned").all_inner_texts()
    assert [text.split("\n")[0] for text in learned] == ["The second one.", "<|im_end|>", "⏎"] and all(
        "learned" in text for text in learned
    )
    page.locator("#answer").fill("assistant")
    assert "11 of 3,149 tokens" in said.inner_text() and holds(page)
    page.locator("#style").select_option("llava-1.5")
    holds(page)
    assert "how this system marks turns is not in the catalog" in said.inner_text()
    press(page, "with an answer, to be learned")
    assert holds(page)["answer"] is None and "A prompt by itself teaches nothing" in said.inner_text()


def test_labels_are_written_where_a_system_has_them(visit):
    page = visit()
    press(page, "with names")
    assert holds(page)["named"] and ["text", "Picture 2: "] in pieces(page)
    assert "(“Picture 2”)" in page.locator(".pieces").inner_text()
    page.locator("#style").select_option("pixtral")
    button = page.get_by_role("button", name="has no names")
    assert button.get_attribute("aria-disabled") == "true" and button.get_attribute("aria-pressed") == "false"
    button.click(force=True)
    assert holds(page)["named"]  # it is kept for the next system


RULES = ["own", "causal", "whole-images", "prefix", "everything"]


@pytest.mark.parametrize("rule", RULES)
def test_a_row_of_the_mask_is_pointed_at_by_hand_and_by_keys(visit, rule):
    page = visit(viewport={"width": 1000, "height": 2400})  # nothing scrolls
    page.locator("#style").select_option("gemma-3")
    press(page, "with an answer, to be learned")
    page.locator("#rule").select_option(rule)
    page.locator("#window").select_option("64")
    settle(page)
    row, at = page.locator(".rowhand"), lambda: page.evaluate(f"({element(TOPIC)}).at")
    for key in ("Home", "ArrowUp", "ArrowDown", "PageDown", "PageDown", "End", "ArrowDown", "PageUp"):
        row.press(key)
        holds(page)
    tokens, starts = int(page.locator(".big b").nth(1).inner_text()), [0, 2, 3, 259, 260, 264]
    for key, expected in (
        ("Home", 0),
        ("ArrowUp", 0),
        ("ArrowRight", 1),
        ("PageDown", 2),
        ("PageDown", 3),
        ("PageDown", 259),
        ("ArrowUp", 258),
        ("PageUp", 3),
        ("PageUp", 2),
        ("End", tokens - 1),
    ):
        row.press(key)
        assert at() == expected, (key, starts)
    stage = page.locator(".mask .stage").bounding_box()
    for share in (0.03, 0.5, 0.97):
        page.mouse.move(stage["x"] + stage["width"] * 0.7, stage["y"] + 16 + (stage["height"] - 16) * share)
        assert abs(at() - share * tokens) <= tokens / 200
        holds(page)
    now = row.get_attribute("aria-valuetext")
    assert now.startswith(f"Place {at()}, counted from 0: ") and "see" in now.split("It sees ")[1]


def test_what_a_token_sees_is_said_in_words(visit):
    page = visit()
    unfold(page)
    row, words = page.locator(".rowhand"), lambda: page.locator(".words > p").all_inner_texts()
    row.press("End")
    head, sees, hidden, rule = words()
    assert head == "Place 3,118, counted from 0: text, 33 tokens, 32 of them before it"
    assert (
        sees == "It sees itself and the 3,118 before it: all of Picture 1, all of Picture 2, all of the prompt's text."
    )
    assert (
        hidden == "Nothing is hidden from it." and rule == "Qwen2.5-VL: causal. A token sees itself and all before it."
    )
    row.press("Home")
    row.press("PageDown")
    head, sees, hidden, _ = words()
    assert (
        head == "Place 1, counted from 0: Picture 1, 391 tokens, 0 of them before it"
        and sees == "It sees itself and the 1 before it: 2 of the 393 tokens of Picture 1 and its 2 markers."
    )
    assert (
        hidden
        == "It does not see 3,117 tokens: 391 of the 393 tokens of Picture 1 and its 2 markers, all of Picture 2, all of the "
        "prompt's text."
    )
    page.locator("#window").select_option("64")
    row.press("End")
    _, sees, hidden, rule = words()
    assert sees == (
        "It sees itself and the 63 just before it: 31 of the 2,693 tokens of Picture 2 and its 2 markers, all of the prompt's text."
    )
    assert hidden == (
        "It does not see 3,055 tokens: all of Picture 1, 2,662 of the 2,693 tokens of Picture 2 and its 2 markers."
    )
    assert rule.endswith("of what is before only the last 64 tokens, itself included.")
    press(page, "seen whole, then answered")
    row.press("Home")
    assert words()[1] == "It sees itself and the 267 behind it: all of Picture 1, all of the prompt's text."
    assert words()[2] == "It does not see 15 tokens: all of the answer's text."


def test_a_token_of_a_tile_says_so_and_what_stands_before_it(visit):
    page = visit()
    press(page, "a page in tiles")
    unfold(page)
    head = lambda: page.locator(".words > p").first.inner_text()
    row = page.locator(".rowhand")
    for key, expected in (
        (["Home"], "the marker <fake_token_around_image> of Picture 1"),
        (["PageDown"] * 2, "Picture 1, a tile of 169 tokens, 0 of them before it"),
        (["ArrowDown"] * 3, "Picture 1, a tile of 169 tokens, 3 of them before it"),
        (["End", "PageUp", "PageUp", "PageUp"], "Picture 1, the whole made small, 169 tokens, 0 of them before it"),
    ):
        for one in key:
            row.press(one)
        assert head().partition(", counted from 0: ")[2] == expected
    page.locator("#style").select_option("pixtral")
    row.press("Home")
    wide = styles.image_cut("pixtral", 2080, 1560).tokens[0]
    assert head() == f"Place 0, counted from 0: Picture 1, a row of {wide} tokens, 0 of them before it"


def test_what_is_said_of_the_mask_is_folded_until_it_is_asked_for(visit, put_in):
    """Play shows prompt, sizes, numbers, strip and pieces; an argument or the page's address opens the rest."""
    page = visit()
    assert page.locator(".pieces").is_visible() and not page.locator(".who[open]").count()
    for part in (".mask", ".loss", ".source"):
        assert page.locator(part).is_hidden()
    unfold(page)
    settle(page)
    for part in (".mask", ".loss", ".source"):
        assert page.locator(part).is_visible()
    assert page.locator(".mask canvas").evaluate("node => node.width") > 100
    unfold(page)
    page.locator("#style").select_option("internvl")
    assert page.locator(".mask").is_hidden()  # what is closed stays so
    for argument in ({"rule": "prefix"}, {"answer": "He."}, {"window": 64}):
        put_in(page, explore.interleave(**argument))
        assert page.locator("mm-explore-interleave").last.locator(".mask").is_visible(), argument
    put_in(page, explore.interleave(style="internvl"))
    assert page.locator("mm-explore-interleave").last.locator(".mask").is_hidden()
    for fragment, open_ in (("window=64", True), ("rule=causal", True), ("a=Yes", True), ("named=1", False)):
        page = visit(f"book.html#interleave:{fragment}")
        assert page.locator(".mask").is_visible() == open_, fragment


def test_a_films_own_sound_is_counted_apart(visit):
    """The request of the book, as its article counts it."""
    page = visit()
    press(page, "invoice, voice and film")
    holds(page)
    sequence = _interleave_asked.made(harness.asked_interleave(dict(_interleave.presets())["invoice, voice and film"]))
    picture, film, sound = (int((sequence.modality == kind).sum()) for kind in (IMAGE, VIDEO, AUDIO))
    spoken = sequence.spans[sequence.media == 1, 1] - sequence.spans[sequence.media == 1, 0]
    own = sound - int(spoken.sum())
    assert page.locator(".say").inner_text().startswith(
        f"Picture 1 takes {picture:,} tokens, Sound 1 takes {sound - own} tokens, Film 1 takes {film:,} tokens and its own "
        f"sound {own}. "
    )  # fmt: skip
    assert f"{film:,} tokens, {own} of its sound, 4 around" in page.locator(".cards .video").inner_text()
    page.locator(".cards .video").get_by_role("button", name="with its sound").click()
    holds(page)
    assert "its own sound" not in page.locator(".say").inner_text()


def test_the_masks_picture_is_the_mask(visit):
    """Dots of the drawing, above and below the diagonal: seen ones have the colour of what is seen, others the ground's."""
    page = visit()
    unfold(page)
    page.locator("#style").select_option("gemma-3")
    write(page, "ab[IMG]" + "c" * 100 + "[IMG]" + "d" * 30)
    for rule, window in (("own", "0"), ("causal", "0"), ("prefix", "0"), ("everything", "64"), ("whole-images", "64")):
        page.locator("#rule").select_option(rule)
        page.locator("#window").select_option(window)
        settle(page)
        wrong = page.evaluate(
            f"""() => {{ const it = {element(TOPIC)}, canvas = it.$.maskCanvas, n = it.sequence.tokens, dots = canvas.width / canvas.clientWidth;
              const copy = document.createElement("canvas"), ctx = copy.getContext("2d", {{willReadFrequently: true}});
              [copy.width, copy.height] = [canvas.width, canvas.height];
              ctx.drawImage(canvas, 0, 0);
              const size = canvas.width - 16 * dots, core = it.constructor.core, wrong = [];
              const rule = it.state.rule === "own" ? "whole-images" : it.state.rule, ground = [];
              for (let r = 5; r < n; r += 29) for (let c = 7; c < n; c += 31) {{
                const [start, stop] = core.visible(it.sequence, rule, it.state.window, r), near = (x) => Math.abs(c - x) < 5;
                if (near(start) || near(stop) || Math.abs(r - it.at) < 9) continue;
                const x = 16 * dots + ((c + 0.5) / n) * size, y = 16 * dots + ((r + 0.5) / n) * size, piece = it.sequence.pieces.find((p) => p.stop > c);
                if (Math.min(c - piece.start, piece.stop - c) < 4 || it.sequence.media.some((m) => [m.start, m.stop].some((e) => Math.abs(r - e) < 4 || Math.abs(c - e) < 4))) continue;
                const [red, , blue] = ctx.getImageData(x, y, 1, 1).data, seen = c >= start && c < stop;
                const blueish = blue - red > 60; // a picture's colour
                if (seen && piece.kind === "soft" ? !blueish : blueish) wrong.push([r, c, seen, red, blue]);
                ground.push(seen);
              }}
              return [wrong.slice(0, 5), ground.length, ground.filter(Boolean).length]; }}"""
        )
        assert wrong[0] == [], (rule, window)
        assert wrong[1] > 200 and wrong[2] > 20


# Everything at once


def test_the_table_is_the_librarys(visit):
    page = visit()
    page.locator("summary").last.click()
    write(page, "[IMG]x[IMG]")
    rows = [row.split("\t") for row in page.locator("tbody tr").all_inner_texts()]
    assert [row[0] for row in rows] == [row.title for row in styles.rows().values()]
    for name, row in zip(styles.rows(), rows, strict=True):
        asked = _interleave_asked.Asked("[IMG]x[IMG]", name, ((480, 640), (1080, 1920)))
        try:
            sequence = _interleave_asked.made(asked)
        except ValueError:
            assert row[1:3] == ["refused", f"{name} has audio alone"]
            continue
        soft = int(np.diff(sequence.spans).sum())
        around = int(np.diff(sequence.extents).sum()) - soft
        assert row[1] == f"{len(sequence.ids):,}" and row[3] == f"{around:,}"
        guessed = _interleave_asked.supposed(styles.row(name).media["image"])
        assert row[2] == f"{soft:,}" + (", if the picture keeps a size that we assume" if guessed else "")


@pytest.mark.parametrize("name", [name for name, _ in _interleave.presets()])
def test_presets_are_marked_and_reset_undoes_them(visit, name):
    page = visit()
    press(page, name)
    assert holds(page) == dict(_interleave.presets())[name]
    pressed = page.locator("[aria-label='Prompts worth trying'] [aria-pressed=true]").all_inner_texts()
    assert pressed == [name]
    press(page, "reset")
    assert holds(page) == harness.FIRST_INTERLEAVE


def test_arguments_come_from_python(visit, put_in):
    page = visit()
    out = explore.interleave(
        prompt="[VIDEO]Who?", style="qwen3-omni", clips=[(8, 360, True)], answer="He.", rule="causal", window=512
    )
    put_in(page, out)
    second = page.locator("mm-explore-interleave").nth(1)
    now = second.evaluate("node => node.state")
    assert (now["prompt"], now["style"], now["clips"], now["answer"]) == ("[VIDEO]Who?", "qwen3-omni", "8x360x1", "He.")
    assert (now["images"], now["rule"], now["window"]) == ("", "causal", 512)
    assert second.locator(".big b").nth(1).inner_text() in out.alt


def test_a_canvas_says_what_it_shows(visit):
    page = visit()
    settle(page)
    assert page.locator(".scale canvas").get_attribute("aria-label") == (
        "3,119 tokens: the marker <|vision_start|> of Picture 1 1, Picture 1 391, the marker <|vision_end|> of Picture 1 1, the "
        "marker <|vision_start|> of Picture 2 1, Picture 2 2,691, the marker <|vision_end|> of Picture 2 1, text 33"
    )
    unfold(page)
    settle(page)
    assert page.locator(".mask canvas").get_attribute("aria-label").startswith("The mask: 3,119 rows and columns.")


def test_an_answer_takes_no_longer_than_the_yardstick_allows(visit):
    """Times a fixed computation in the same page, in turns: milliseconds alone would judge the machine."""
    page = visit()
    unfold(page)
    page.locator("summary").last.click()  # and all 35 systems
    ratio = page.evaluate(
        f"""() => {{ const it = {element(TOPIC)}, yardstick = {YARDSTICK};
          return Array.from({{length: 9}}, (_, i) => {{
            const unit = yardstick(), from = performance.now();
            it.set({{prompt: "[IMG][VIDEO][AUDIO][IMG][VIDEO][VIDEO]" + i, style: "qwen3-omni", clips: "32x1080x1_32x1080x1_32x720x1"}});
            it.render();
            return (performance.now() - from) / unit;
          }}).sort((a, b) => a - b)[4]; }}"""
    )
    assert ratio < 8, ratio
