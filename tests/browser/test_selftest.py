"""The primer's five questions in a browser: each answer names the page to read or to skip, and nobody needs a mouse."""

import functools
import re
from pathlib import Path

import check_site
import pytest

from mmtokedu.course import quiz
from mmtokedu.explore._front import alone

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

TOPIC = "selftest"
ASKED = [quiz.draw(question) for question in quiz.load("selftest")]
BUILT = Path(__file__).parents[2] / "_build" / "html" / "book" / "primer" / "index.html"


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    @functools.cache
    def folder(topic):
        path = tmp_path_factory.mktemp(topic)
        (path / "five.html").write_text(alone(quiz.ask_all("selftest"), "five"), encoding="utf-8")
        return path

    return folder


def test_every_answer_by_keys_alone_names_the_page_and_its_minutes(visit):
    page = visit("five.html")
    for one, asked in zip(page.locator("mm-explore-ask").all(), ASKED, strict=True):
        reply, minutes = (
            one.locator(".reply"),
            rf"{quiz.load('selftest')[ASKED.index(asked)].given['minutes'][0]} minutes",
        )
        one.get_by_role("radio").first.focus()
        page.keyboard.press("Space")
        for place in range(len(asked.options)):
            page.keyboard.press("Enter")
            right = place == asked.answer
            expect(reply).to_have_text(re.compile(r"^Right\. " if right else r"^Not this\. "))
            expect(reply).to_have_text(
                re.compile(rf"ou can skip “.*” and its {minutes}" if right else rf"Read “.*”, {minutes}")
            )
            expect(one.locator("[aria-live]")).to_have_text(reply.inner_text())
            page.keyboard.press("ArrowDown")
        expect(one.get_by_text("answered")).to_be_visible()


def test_without_scripts_and_on_paper_five_plain_questions_are_there(visit):
    page = visit("five.html", java_script_enabled=False)
    page.emulate_media(media="print")
    assert page.locator(".mm-ask:visible").count() == len(ASKED) == 5
    text = page.locator("body").inner_text()
    for asked in ASKED:
        assert asked.text in text and all(option in text for option, _ in asked.options)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_answered_and_open_questions_fit_and_axe_finds_nothing(visit, width, scheme):
    page = visit("five.html", viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    for one in page.locator("mm-explore-ask").all()[:3]:
        one.get_by_role("radio").nth(1).check()
        one.get_by_role("button", name="Check").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if not (Path(check_site.__file__).parent / "node_modules").exists():
        pytest.skip("axe-core is not installed")
    page.evaluate(check_site.axe_source())
    assert page.evaluate(check_site.AXE) == []


@pytest.mark.skipif(not BUILT.exists(), reason="the book is not built (make book)")
def test_the_page_of_the_primer_holds_them_once_and_their_answers_for_print_at_its_end():
    text = BUILT.read_text(encoding="utf-8")
    assert [text.count(f"selftest/{asked.id}&quot;") for asked in ASKED] == [1] * 5
    assert text.count("Five questions") > 0 and 'id="five-questions"' in text.lower()
    assert text.count('class="mm-answers"') == 1 and text.count("/explore/ask.") == 1
