"""The explorable of sound codes in Chromium: golden vectors replayed, sound, hands and keys, fragments, axe."""

import functools
import json
import re

import harness
import numpy as np
import pytest
from harness import TOPICS, YARDSTICK, element, press
from harness import holds_rvq as holds

from mmtokedu import explore, rvq
from mmtokedu.catalog import codecs
from mmtokedu.explore import _rvq

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
TOPIC = "rvq"
ELEMENT = element(TOPIC)
FIRST = TOPICS[TOPIC].first
state = functools.partial(harness.state, topic=TOPIC)


REPLAY = """text => {
  const golden = JSON.parse(text), core = customElements.get("mm-explore-rvq").core, bad = [], seen = {};
  const close = (a, b) => b?.length === undefined ? Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b))
    : a.length === b.length && b.every((x, i) => close(a[i], x));
  const check = (name, test) => golden[name].forEach((row, i) => {
    seen[name] = (seen[name] ?? 0) + 1;
    if (!test(row, i)) bad.push([name, i, row]);
  });
  check("rates", ([codec, count, tokens, bits]) => close(core.tokensPerSecond(codec, count), tokens) && close(core.bitsPerSecond(codec, count), bits));
  check("tokens", ([codec, count, seconds, tokens]) => core.audioTokens(codec, count, seconds) === tokens);
  check("holds", ([codec, count, context, seconds]) => close(context / core.tokensPerSecond(codec, count), seconds));
  const table = core.fromMuLaw(Array.from({length: 256}, (_, i) => i));
  check("mu_law", (x, i) => close(table[i], x));
  check("levels", ({codes, levels}) => close(core.spectrogram(core.fromMuLaw(codes)), levels));
  check("heard", ({frames, levels}, i) => {
    const found = core.heard(i).levels;
    return found.length === frames && close(found.filter((_, k) => k % 60 === 0), levels);
  });
  check("durations", ([x, text]) => core.duration(x) === text);
  check("shorts", ([x, text]) => core.short(x) === text);
  return {bad: bad.slice(0, 5).map((one) => JSON.stringify(one).slice(0, 200)), count: bad.length, seen};
}"""


def test_golden_vectors(visit):
    golden = explore.golden_vectors("rvq")
    result = visit().evaluate(REPLAY, json.dumps(golden, allow_nan=False))
    assert result["count"] == 0, result["bad"]
    assert result["seen"] == {name: len(rows) for name, rows in golden.items()}
    assert result["seen"]["tokens"] == 1629 and result["seen"]["heard"] == 9


def test_the_strip_shows_what_a_moment_becomes(visit):
    page = visit()
    cells = lambda *what: page.evaluate("a => customElements.get('mm-explore-rvq').core.cells(...a)", list(what))
    assert len(cells("encodec-24k", 8, 0.32)) == 0.32 * 600 == rvq.audio_tokens("encodec-24k", 0.32)
    assert len(cells("mimi", 32, 0.32)) == 4 * 32
    snac = np.array(cells("snac-24k", 3, 4 * 512 / 24000))
    assert np.bincount(snac[:, 0].astype(int)).tolist() == [1, 2, 4] and snac[:, 2].max() == pytest.approx(
        4 * 512 / 24000
    )


def test_the_first_state(visit):
    page = visit()
    assert holds(page) == FIRST
    playwright.expect(page.locator(".now")).to_have_text("You hear 2 of 8 codebooks, as loud as the original.")
    playwright.expect(page.locator("[aria-live]")).to_have_text(
        re.compile(
            r"2 of 8 .* 1.6 kilobits and 200 tokens a second\. Read: EnCodec 24 kHz with 8 codebooks, 6 kilobits"
        )
    )


def test_what_is_heard_and_what_is_read_cannot_be_mistaken(visit):
    """Whatever plays stands in the panel of the book's own codec; no number, no name of another codec does."""
    page = visit()
    hear, read = page.locator(".panel.hear"), page.locator(".panel.read")
    titles = [row["title"] for name, row in _rvq.codecs().items() if name != "ours"]
    buttons = lambda panel: panel.get_by_role("button").all_inner_texts()
    assert buttons(hear) == ["Play", "Original", "1 codebook", "all 8"]
    assert buttons(read) == ["Mimi, for Moshi", "Mimi, all 32", "EnCodec"]
    assert read.locator("audio, .stage, .bars, [role=slider]").count() == 0
    assert page.locator(".panel").count() == 2 and page.locator(".big").count() == 2
    assert page.locator("#codec option").evaluate_all("all => all.map((one) => one.value)") == list(codecs.rows())
    box = lambda panel: panel.bounding_box()
    assert box(hear)["y"] + box(hear)["height"] < box(read)["y"]  # nowhere side by side
    numbers = hear.inner_text()
    for name in codecs.rows():
        page.locator("#codec").select_option(name)
        assert hear.inner_text() == numbers and not any(title in numbers for title in titles)
        assert read.locator(".name").inner_text().startswith(f"{codecs.row(name).title} with ")
    read_before = read.inner_text()
    for stages in range(1, 9):
        page.evaluate(f"({ELEMENT}).set({{stages: {stages}}})")
        assert holds(page)["stages"] == stages and read.inner_text() == read_before


def test_the_original_has_its_own_numbers(visit):
    page = visit()
    press(page, "Original")
    assert holds(page)["original"]
    assert page.locator(".panel.hear .big b").all_inner_texts() == ["256", "16,000"]
    playwright.expect(page.locator(".now")).to_have_text("You hear the original, which no codec touched.")
    playwright.expect(page.locator("[aria-live]")).to_have_text(
        re.compile(r"^You hear the original, .*touched\. Read: ")
    )


def test_bars_are_dragged_and_stepped(visit):
    page, bars = (page := visit()), page.locator(".bars [role=slider]")
    box = bars.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 4.5 / 8, box["y"] + 100)
    page.mouse.down()
    assert holds(page)["stages"] == 5
    page.mouse.move(box["x"] + box["width"] * 6.5 / 8, box["y"] + 100, steps=3)
    assert holds(page)["stages"] == 7
    page.mouse.move(box["x"] + box["width"] * 3, box["y"] + 100)
    page.mouse.up()
    assert holds(page)["stages"] == 8
    page.mouse.move(box["x"] + 5, box["y"] + 100)  # nothing is held any more
    assert holds(page)["stages"] == 8
    for key, stages in (("ArrowLeft", 7), ("PageDown", 5), ("ArrowUp", 6), ("Home", 1), ("ArrowLeft", 1), ("End", 8)):
        page.keyboard.press(key)
        assert holds(page)["stages"] == stages
    assert bars.get_attribute("aria-valuetext") == f"8 of 8, {_rvq.players().snr[7]:.1f} decibels"


@pytest.mark.parametrize("codec", codecs.rows())
def test_every_codec_shows_the_librarys_numbers(visit, codec):
    page, row = visit(), codecs.row(codec)
    page.locator("#codec").select_option(codec)
    assert holds(page)["codebooks"] == row.default
    for count in row.codebooks if len(row.codebooks) > 1 else ():
        page.locator("#count").select_option(str(count))
        assert holds(page)["codebooks"] == count
    assert page.locator("#count").is_disabled() == (len(row.codebooks) == 1)
    said = page.locator(".read > .quiet").inner_text()
    long = len(_rvq.players().sounds[0]) / 16_000
    if row.codebooks == (row.default,):
        assert f"would make {rvq.audio_tokens(codec, long):,} tokens of the sentence" in said
    assert said.startswith(f"{row.title} with ")
    assert row.source in page.locator(".strip .quiet").inner_text()


def test_a_real_codec_keeps_its_numbers_while_other_stages_are_heard(visit):
    page = visit()
    press(page, "Mimi, all 32")
    before = page.locator(".read .big").inner_text()
    page.locator(".bars [role=slider]").press("End")
    assert holds(page) == {**FIRST, "stages": 8, "codec": "mimi", "codebooks": 32}
    assert page.locator(".read .big").inner_text() == before
    assert page.locator("[aria-pressed=true]").all_inner_texts() == ["all 8", "Mimi, all 32"]  # each panel's
    press(page, "reset")
    assert holds(page) == FIRST


def test_the_context_moves(visit):
    page, context = (page := visit()), page.locator("#context")
    context.press("End")
    assert holds(page)["context"] == 2**20
    context.press("Home")
    assert holds(page)["context"] == 1024 and context.get_attribute("aria-valuetext") == "1,024 tokens"


def test_a_and_b(visit):
    page = visit()
    picture = lambda: page.evaluate(
        f"""() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {{
          done(({ELEMENT}).$.canvas.toDataURL());
        }})))"""
    )
    two = picture()
    press(page, "Original")
    original = picture()
    assert page.locator(".now").inner_text() == "You hear the original, which no codec touched." and original != two
    assert holds(page)["stages"] == 2
    press(page, "Original")
    assert picture() == two
    press(page, "Original")
    page.locator(".bars [role=slider]").press("ArrowRight")
    assert not state(page)["original"] and picture() not in (two, original)


PLAYER = f"({ELEMENT}).player"


def test_it_plays_switches_in_place_and_ends(visit):
    page = visit()
    press(page, "Play")
    page.wait_for_function(f"{PLAYER}.position > 0.3")
    assert page.evaluate(f"{PLAYER}.playing.index") == 2 and page.get_by_role("button", name="Stop").is_visible()
    before = page.evaluate(f"{PLAYER}.position")
    press(page, "Original")
    after, index = page.evaluate(f"[{PLAYER}.position, {PLAYER}.playing.index]")
    assert index == 0 and before <= after < before + 1  # it goes on from where it was
    page.locator(".bars [role=slider]").press("End")
    assert page.evaluate(f"{PLAYER}.playing.index") == 8
    page.wait_for_function(f"Number(({ELEMENT}).$.hand.getAttribute('aria-valuenow')) > {after}")
    page.wait_for_function(f"!{PLAYER}.playing")  # the end
    assert page.evaluate(f"{PLAYER}.position") == 0 and page.get_by_role("button", name="Play").is_visible()


def test_stop_stays_and_play_goes_on(visit):
    page = visit()
    press(page, "Play")
    page.wait_for_function(f"{PLAYER}.position > 0.2")
    press(page, "Stop")
    at = page.evaluate(f"{PLAYER}.position")
    page.wait_for_timeout(150)
    assert page.evaluate(f"{PLAYER}.position") == at > 0.2
    press(page, "Play")
    assert page.evaluate(f"{PLAYER}.position") >= at - 0.01


def test_what_plays_is_the_stored_sound(visit):
    page = visit()
    press(page, "Play")
    for index in (0, 1, 8):
        played = page.evaluate(f"[...{PLAYER}.buffer({index}).getChannelData(0)]")
        stored = _rvq.from_mu_law(_rvq.mu_law(_rvq.players().sounds[index]))
        np.testing.assert_allclose(played, stored, atol=1e-7)
    assert page.evaluate(f"{PLAYER}.buffer(1).sampleRate") == 16_000


def test_the_line_is_moved_by_hand_and_by_keys(visit):
    page, hand = (page := visit()), page.locator(".hand")
    box = page.locator(".stage").bounding_box()
    long = len(_rvq.players().sounds[0]) / 16_000
    page.mouse.click(box["x"] + 34 + (box["width"] - 34) / 2, box["y"] + 50)
    assert page.evaluate(f"{PLAYER}.position") == pytest.approx(long / 2, abs=0.01)
    line = hand.bounding_box()
    assert line["x"] + 12 == pytest.approx(box["x"] + 34 + (box["width"] - 34) / 2, abs=1.5)
    for key, by in (("ArrowRight", 0.1), ("PageDown", -0.5), ("ArrowLeft", -0.1)):
        at = page.evaluate(f"{PLAYER}.position")
        page.keyboard.press(key)
        assert page.evaluate(f"{PLAYER}.position") == pytest.approx(at + by)
    page.keyboard.press("Home")
    assert hand.get_attribute("aria-valuetext") == f"0.0 of {long:.1f} seconds"
    page.keyboard.press("End")
    press(page, "Play")  # from the end it starts again
    assert page.evaluate(f"{PLAYER}.position") < 1


def test_a_page_that_is_left_falls_silent(visit):
    page = visit()
    press(page, "Play")
    silent = page.evaluate(
        f"() => {{ const it = {ELEMENT}, parent = it.parentNode; it.remove(); const was = it.player.playing; parent.prepend(it); return was; }}"
    )
    assert silent is None
    press(page, "Play")
    page.wait_for_function(f"{PLAYER}.position > 0.1")


def test_the_table_says_every_codec(visit):
    page = visit()
    press(page, "Mimi, all 32")
    page.locator("summary").click()
    playwright.expect(page.locator("tbody tr")).to_have_count(1 + len(codecs.rows()))
    rows = [row.inner_text().split("\t") for row in page.locator("tbody tr").all()]
    for (title, count, bits, tokens, sentence, long), (name, row) in zip(rows, _rvq.codecs().items()):
        used = {"ours": 2, "mimi": 32}.get(name, row["default"])
        rate, bit_rate = _rvq.rates(name, used)
        assert (title, count, bits, tokens) == (row["title"], str(used), f"{bit_rate / 1000:.3g}", _rvq.short(rate))
        assert long == _rvq.duration(32768 / rate) and int(sentence.replace(",", "")) > 2 * rate
    assert page.locator("tr.chosen").inner_text().startswith("Mimi")


def test_arguments_are_the_first_state(visit, put_in):
    page = visit()
    put_in(page, explore.rvq(stages=7, codec="encodec-24k", codebooks=32, context=4096))
    second = page.locator("mm-explore-rvq").nth(1)
    assert page.locator("mm-explore-rvq").count() == 2
    asked = {"stages": 7, "codec": "encodec-24k", "codebooks": 32, "context": 4096, "original": False}
    assert second.evaluate("e => e.state") == asked
    assert second.locator(".read .big b").all_inner_texts() == ["24", "2,400", "1.7 s"]
    second.evaluate("e => e.setAttribute('stages', '3')")
    assert second.evaluate("e => e.state") == asked | {"stages": 3}


def test_fragment_round_trip(visit):
    page = visit("book.html")
    page.locator(".bars [role=slider]").press("End")
    page.wait_for_url("**#rvq:stages=8,codec=encodec-24k,codebooks=8,context=32768")
    press(page, "Mimi, all 32")
    page.locator("#context").press("ArrowRight")
    page.wait_for_url("**#rvq:stages=8,codec=mimi,codebooks=32,context=65536")
    before = holds(page)
    page.reload()
    assert holds(page) == before
    page.evaluate("location.hash = '#rvq:codec=snac-24k'")
    page.wait_for_function(f"({ELEMENT}).state.codec === 'snac-24k'")
    assert holds(page) == {**FIRST, "codec": "snac-24k", "codebooks": 3}


def test_a_drawing_takes_no_longer_than_the_yardstick_allows(visit):
    """Times a fixed computation in the same page, in turns: milliseconds alone would judge the machine."""
    ratio = visit().evaluate(
        f"""() => {{ const it = {ELEMENT}, yardstick = {YARDSTICK};
          return Array.from({{length: 8}}, (_, i) => {{ // each of the eight for the first time
            const unit = yardstick(), from = performance.now();
            it.set({{stages: i + 1}});
            it.drawSpectrogram(); it.drawBars(); it.drawStrip();
            return (performance.now() - from) / unit;
          }}).sort((a, b) => a - b)[4]; }}"""
    )
    assert ratio < 6, ratio
