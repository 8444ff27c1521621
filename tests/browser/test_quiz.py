"""A question in the page: reached by keys, marked as the library marks it, kept over a visit, printed, read aloud."""

import functools
import json
import pathlib
import re
import shutil

import check_site
import pytest

from mmtokedu.course import quiz
from mmtokedu.explore._front import alone
from mmtokedu.show.markup import Html

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

TOPIC = "ask"
CORE = "customElements.get('mm-explore-ask').core"
NUMBER, CHOICE = ("attention", "table-draws-level"), ("attention", "shuffle")
QUESTIONS = [question for stem in quiz.stems() for question in quiz.load(stem)]


def together(*outputs):
    return Html("test", "".join(output._repr_html_() for output in outputs), "")


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """A folder with a number and a choice on one page, the same number twice, a quiz, and every question of the book."""

    @functools.cache
    def folder(topic):
        path, ask = tmp_path_factory.mktemp(topic), quiz.ask
        outputs = {
            "two": together(ask(*NUMBER), ask(*CHOICE)),
            "quiz": quiz.ask_all("attention"),
            "all": together(*(ask(question.stem, question.id) for question in QUESTIONS)),
        }
        for name, output in outputs.items():
            (path / f"{name}.html").write_text(alone(output, name), encoding="utf-8")
        return path

    return folder


def ask(page, place=0):
    return page.locator("mm-explore-ask").nth(place)


def say(one, number):
    one.get_by_role("textbox").fill(number)
    one.get_by_role("button", name="Check").click()


def choose(one, place):
    one.get_by_role("radio").nth(place).check()
    one.get_by_role("button", name="Check").click()


def kept(page):
    return json.loads(page.evaluate("localStorage.getItem('mm-right')") or "[]")


# Marking


def test_the_page_marks_as_the_library_does(visit):
    page = visit("all.html")
    for question in QUESTIONS:
        asked = quiz.draw(question)
        shown = page.locator(f"mm-explore-ask[question*='\"{asked.stem}/{asked.id}\"']")
        replies = functools.partial(shown.evaluate, f"(one, said) => {CORE}.reply(one.asked, said)")
        sayings = range(len(asked.options)) if asked.options else [asked.answer, *(number for number, _ in asked.wrong)]
        for said in sayings:
            right, why = asked.reply(said)
            found = replies(said)
            assert (found["right"], found["says"].endswith(why)) == (right, True), (asked.id, said)
        if asked.kind == "number":
            lower = min(asked.answer, *(number for number, _ in asked.wrong)) - 1 - asked.tolerance
            higher = max(asked.answer, *(number for number, _ in asked.wrong)) + 1 + asked.tolerance
            for said, says in ((lower, "Too low."), (higher, "Too high.")):
                assert replies(said) == {"right": False, "says": says, "known": False}
            assert replies(asked.answer + asked.tolerance)["right"]


READ = {
    "1024": 1024, " 1,024 ": 1024, "1 024": 1024, "1\u202f024": 1024, "1'024": 1024, "1_024": 1024, "1,024,000": 1_024_000,
    "1,024.5": 1024.5, "0.5": 0.5, "0,5": 0.5, "1,02": 1.02, ".5": 0.5, "-3": -3, "\u22123": -3, "+3": 3, "1e3": 1000, "2^10": 1024,
    "39 × 69": 2691, "39x69": 2691, "39*69": 2691, "3 · 2^4": 48, "256 rows": 256, "256 ROWS": 256, "256rows": 256,
}  # fmt: skip
REFUSED = [
    "",
    " ",
    "rows",
    "many",
    "12 34",
    "1..2",
    "1e",
    "2^2^2",
    "16x",
    "0xff",
    "1e999",
    "NaN",
    "Infinity",
    "9" * 61,
    "1;2",
]


def test_numbers_are_read_as_people_write_them(visit):
    page = visit("two.html")
    read = f"text => {CORE}.read(text, 'rows')"
    assert {text: page.evaluate(read, text) for text in READ} == READ
    assert [text for text in REFUSED if page.evaluate(read, text) is not None] == []


def test_a_wrong_number_is_told_its_cause_and_any_other_only_its_side(visit):
    page = visit("two.html")
    one, reply = ask(page), ask(page).locator(".reply")
    asked = quiz.draw(next(question for question in quiz.load(NUMBER[0]) if question.id == NUMBER[1]))
    for number, cause in asked.wrong:
        say(one, f"{number:,}")
        expect(reply).to_have_text(f"Not this. {cause}")
        expect(one.locator("[aria-live]")).to_have_text(f"Not this. {cause}")
    say(one, "1535")
    expect(reply).to_have_text("Not this. Too low.")
    expect(one.locator("[aria-live]")).to_have_text("Not this. Too low. There is a hint.")
    one.get_by_role("button", name="Show the hint").click()
    expect(one.locator("#hint")).to_have_text(f"Hint. {asked.hint}")
    say(one, "1537")
    expect(reply).to_have_text("Not this. Too high.")
    expect(one.locator("[aria-live]")).to_have_text("Not this. Too high.")
    say(one, "about half")
    expect(reply).to_have_text("Type a number, such as 1,024.")
    assert kept(page) == [] and one.get_attribute("data-right") is None
    say(one, "1 536")
    expect(reply).to_have_text(f"Right. 1,536 tokens. {asked.why}")
    expect(one.get_by_text("answered")).to_be_visible()
    assert kept(page) == ["attention/table-draws-level"]


def test_each_option_has_its_own_answer(visit):
    page = visit("two.html")
    one, reply = ask(page, 1), ask(page, 1).locator(".reply")
    asked = quiz.draw(next(question for question in quiz.load(CHOICE[0]) if question.id == CHOICE[1]))
    one.get_by_role("button", name="Check").click()
    expect(reply).to_have_text("Choose one first.")
    for place, (_, says) in enumerate(asked.options):
        choose(one, place)
        expect(reply).to_have_text(f"{'Right' if place == asked.answer else 'Not this'}. {says}")
        one.get_by_role("radio").nth((place + 1) % len(asked.options)).check()
        expect(reply).to_be_hidden()  # it was about another option
    assert kept(page) == ["attention/shuffle"]  # once right, a look at the others takes nothing back
    assert one.get_attribute("data-right") == ""


def test_the_answer_can_always_be_seen_and_is_no_tick(visit):
    page = visit("two.html")
    for place, words in ((0, "1,536 tokens"), (1, "They are shuffled in the same way.")):
        one = ask(page, place)
        shower = one.get_by_role("button", name="Show the answer")
        assert shower.get_attribute("aria-expanded") == "false"
        shower.click()
        expect(one.locator("#answer")).to_contain_text(words)
        expect(one.locator("[aria-live]")).to_contain_text(words)
        hider = one.get_by_role("button", name="Hide the answer")
        assert hider.get_attribute("aria-expanded") == "true"
        hider.click()
        expect(one.locator("#answer")).to_be_hidden()
    assert kept(page) == []


# Hands and ears


def test_a_number_and_a_choice_by_keys_alone(visit):
    page = visit("two.html")
    page.keyboard.press("Tab")
    page.keyboard.type("3072")
    page.keyboard.press("Enter")
    expect(ask(page).locator(".reply")).to_contain_text("used twice")
    page.keyboard.press("Tab")  # Check
    page.keyboard.press("Tab")  # the hint
    page.keyboard.press("Space")
    expect(ask(page).locator("#hint")).to_be_visible()
    page.keyboard.press("Tab")  # the answer
    page.keyboard.press("Enter")
    expect(ask(page).locator("#answer")).to_be_visible()
    page.keyboard.press("Tab")  # the other question
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    expect(ask(page, 1).locator(".reply")).to_be_hidden()  # an arrow chooses, and gives nothing away
    page.keyboard.press("Enter")
    expect(ask(page, 1).locator(".reply")).to_contain_text("Right. No position")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # Ask again
    assert kept(page) == []
    assert ask(page, 1).evaluate("one => one.shadowRoot.activeElement.matches('input[type=radio]')")


def test_every_control_has_a_name_and_says_what_it_belongs_to(visit):
    page = visit("two.html")
    expect(page.get_by_role("group", name="Predict")).to_have_count(2)
    expect(page.get_by_role("textbox", name=re.compile("From how many tokens N on"))).to_have_accessible_description(
        "tokens"
    )
    expect(page.get_by_role("group", name=re.compile("^You shuffle the six words"))).to_have_count(1)
    expect(page.get_by_role("radio", name="Each is another vector.")).to_have_count(1)
    assert page.locator("[aria-live]").all_inner_texts() == ["", ""]  # nothing is said that nobody asked for


# What stays


def test_a_tick_is_kept_over_a_visit_and_taken_back(visit):
    page = visit("quiz.html")
    say(ask(page), "21")
    say(ask(page, 2), "8")
    page.reload()
    ticked = lambda: [one.get_attribute("data-right") for one in page.locator("mm-explore-ask").all()]
    assert ticked() == ["", None, "", None, None]
    expect(ask(page).get_by_text("answered")).to_be_visible()
    expect(ask(page).get_by_role("textbox")).to_have_value("")
    ask(page).get_by_role("button", name="Ask again").click()
    assert ticked() == [None, None, "", None, None] and kept(page) == ["attention/spread"]
    page.reload()
    assert ticked() == [None, None, "", None, None]


def test_what_is_kept_by_others_or_spoilt_does_no_harm(visit):
    page = visit("quiz.html")
    for spoilt in ("{", "{}", "7", "null", '["attention/spread", 3, null]', '"attention/spread"'):
        page.evaluate("text => localStorage.setItem('mm-right', text)", spoilt)
        page.reload()
        say(ask(page), "21")
        assert "attention/may-attend" in kept(page)


@pytest.mark.parametrize(
    "refuse",
    ["get() { throw new Error('private'); }", "value: {getItem: () => null, setItem() { throw new Error('full'); }}"],
)
def test_where_nothing_can_be_kept_a_tick_lasts_as_long_as_the_page(visit, refuse):
    page = visit("two.html", own=True)
    page.add_init_script(f"Object.defineProperty(window, 'localStorage', {{{refuse}}})")
    page.reload()
    say(ask(page), "1536")
    expect(ask(page).get_by_text("answered")).to_be_visible()
    page.reload()
    expect(ask(page).get_by_text("answered")).to_be_hidden()


def test_two_on_a_page_do_not_disturb_each_other(visit, put_in):
    page = visit("two.html")
    put_in(page, quiz.ask("attention", "add-100"))  # a third one, as a notebook adds it
    say(ask(page), "3072")
    choose(ask(page, 2), 1)
    choose(ask(page, 1), 0)
    assert [one.get_by_role("radio", checked=True).count() for one in (ask(page, 1), ask(page, 2))] == [1, 1]
    replies = page.locator(".reply").all_inner_texts()
    assert ["used twice" in replies[0], "stand elsewhere" in replies[1], "only at their differences" in replies[2]] == [
        True
    ] * 3
    ask(page, 1).get_by_role("button", name="Show the hint").click()
    assert [page.locator("#hint").nth(place).is_visible() for place in range(3)] == [False, True, False]


def test_the_page_hears_of_every_tick(visit):
    page = visit("two.html")
    page.evaluate(
        "document.addEventListener('mm-ask', event => (globalThis.heard ??= []).push(event.target.dataset.right))"
    )
    say(ask(page), "1537")
    say(ask(page), "1536")
    say(ask(page), "1537")
    page.evaluate("document.querySelector('mm-explore-ask').forget()")
    assert page.evaluate("heard") == ["", None]


# Paper, no JavaScript, spoilt data


def test_paper_shows_the_plain_question(visit):
    page = visit("two.html")
    say(ask(page), "1536")
    page.emulate_media(media="print")
    assert page.locator(".app:visible").count() == 0
    expect(ask(page).locator(".mm-ask")).to_contain_text("________ tokens")
    assert page.locator(".mm-ask:visible").count() == 2


def test_without_scripts_the_question_is_there_and_its_answer_folded(visit):
    page = visit("two.html", java_script_enabled=False)
    for place, answer in ((0, "1,536 tokens"), (1, "B. They are shuffled in the same way.")):
        assert ask(page, place).locator("b", has_text="Predict").is_visible()
        shown = ask(page, place).locator(".mm-ask-answer b")
        assert not shown.is_visible()
        ask(page, place).locator(".mm-ask-answer summary").click()
        assert shown.is_visible() and answer in shown.inner_text()


@pytest.mark.parametrize("question", ["", "{", "<img src=x onerror=alert(1)>"])
def test_data_that_cannot_be_read_leaves_the_plain_text(visit, question):
    page = visit("two.html")
    page.evaluate(
        """question => { const one = document.createElement("mm-explore-ask");
          one.textContent = "as text";
          one.setAttribute("question", question);
          document.body.append(one);
          one.remove();
          document.body.append(one); }""",
        question,
    )
    assert ask(page, 2).inner_text() == "as text" and ask(page, 2).is_visible()


# Its place


def busy(page):
    say(ask(page), "5")
    say(ask(page, 1), "27")
    ask(page, 1).get_by_role("button", name="Show the hint").click()
    say(ask(page, 2), "8")
    choose(ask(page, 3), 2)
    ask(page, 4).get_by_role("button", name="Show the answer").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_nothing_and_nothing_is_too_wide(visit, width, scheme):
    page = visit("quiz.html", viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    busy(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.getAnimations({subtree: true}).length") == 0
    if shutil.which("npm") is None and not (pathlib.Path(check_site.__file__).parent / "node_modules").exists():
        pytest.skip("npm is missing: axe-core cannot be installed")
    page.evaluate(check_site.axe_source())
    assert page.evaluate(check_site.AXE) == []


@pytest.mark.parametrize("width", [375, 1280])
def test_a_box_is_whole_before_and_after_it_is_answered(visit, width):
    page = visit("two.html", viewport={"width": width, "height": 900})
    box = ask(page).locator(".app")
    edges = lambda: box.evaluate(
        """node => ["Top", "Right", "Bottom", "Left"].map((side) => {
          const style = getComputedStyle(node);
          return [style[`border${side}Style`], parseFloat(style[`border${side}Width`]) > 0, style[`border${side}Color`]];
        })"""
    )
    for style in ("dashed", "solid"):
        top, *others = edges()
        assert top[:2] == [style, True] and others == [top] * 3
        assert box.evaluate("node => node.getBoundingClientRect().right <= innerWidth - 8")
        say(ask(page), "1536")


def test_a_finger_finds_room(visit):
    page = visit("quiz.html", viewport={"width": 375, "height": 900}, has_touch=True, is_mobile=True)
    sizes = page.evaluate("""[...document.querySelectorAll('mm-explore-ask')].flatMap(one =>
      [...one.shadowRoot.querySelectorAll('button, input:not([type=radio]), .option')].filter(e => e.checkVisibility())
        .map(e => e.getBoundingClientRect().height))""")
    assert len(sizes) > 15 and min(sizes) >= 44


def test_keys_stay_inside(visit):
    page = visit("two.html")
    page.evaluate("document.body.addEventListener('keydown', (event) => (globalThis.heard ??= []).push(event.key))")
    ask(page).get_by_role("textbox").press("x")
    assert page.evaluate("globalThis.heard ?? []") == []
