"""A page of the built book, from its folder: tips by mouse, keys and finger, ticks, margins, no request, no dead link."""

import re
from pathlib import Path

import pytest
from windows import local, opening

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

BUILT = Path(__file__).parents[2] / "_build" / "html"
CHAPTER, PRIMER = "notebooks/vq.html", "book/primer/straight-through.html"
LAB = "notebooks/lab/vq.html"  # with tables that the library shows, some wider than the column
ASKING = "book/primer/attention.html"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (BUILT / CHAPTER).exists(), reason="the book is not built (make book)"),
]


@pytest.fixture
def read(request, windows):
    """Open a built page over file://; at the end nothing may have failed, and nothing may have left the folder."""
    trouble = []
    handlers = {
        "pageerror": lambda error: trouble.append(str(error)),
        "request": lambda asked: None if local(asked) else trouble.append(asked.url),
    }
    with opening(request, windows, handlers) as opened:

        def read(name=CHAPTER, width=1280, **options):
            viewport = {"width": width, "height": 850}
            return opened((BUILT / name).as_uri(), "domcontentloaded", viewport=viewport, **options)

        yield read
    assert not trouble


def term(page):
    """The first link to the glossary in the text."""
    link = page.locator('article p a[data-tip^="term-"]').first
    link.scroll_into_view_if_needed()
    return link


def test_the_focus_shows_a_definition_and_escape_closes_it(read):
    page = read()
    link, tip = term(page), page.locator(".mm-tip")
    page.keyboard.press("Tab")  # the keyboard is in use
    link.focus()
    assert tip.is_visible() and link.get_attribute("aria-describedby") == tip.locator("span").first.get_attribute("id")
    assert len(tip.inner_text()) > 60
    page.keyboard.press("Tab")  # into the tip, which stays
    assert tip.locator("a").last.evaluate("a => a === document.activeElement") and tip.is_visible()
    page.keyboard.press("Escape")
    assert tip.count() == 0 and link.get_attribute("aria-describedby") is None
    assert link.evaluate("a => a === document.activeElement")
    link.blur()
    link.focus()
    assert tip.is_visible()
    page.keyboard.press("Shift+Tab")
    assert tip.count() == 0 or tip.locator("a").last.get_attribute("href") != link.get_attribute("href")


def test_the_pointer_may_travel_into_the_tip(read):
    page = read()
    link, tip = term(page), page.locator(".mm-tip")
    link.hover()
    tip.wait_for()
    tip.hover()
    page.wait_for_timeout(400)
    assert tip.is_visible()
    page.mouse.move(2, 2)
    tip.wait_for(state="detached", timeout=3000)


def test_the_first_tap_shows_and_the_link_inside_goes_there(read):
    page = read(width=375, has_touch=True)
    link, tip = term(page), page.locator(".mm-tip")
    link.tap()
    tip.wait_for()
    assert page.url.endswith(CHAPTER)
    box = tip.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 375
    tip.locator("a").last.tap()
    page.wait_for_url(re.compile(r"glossary\.html#term-"), wait_until="commit")


def test_a_second_tap_goes_there_and_a_tap_elsewhere_closes(read):
    page = read(width=375, has_touch=True)
    link, tip = term(page), page.locator(".mm-tip")
    link.tap()
    tip.wait_for()
    page.locator("article h1").first.dispatch_event("pointerdown", {"pointerType": "touch", "bubbles": True})
    assert tip.count() == 0
    link.tap()
    tip.wait_for()
    link.tap()
    page.wait_for_url(re.compile(r"glossary\.html#term-"), wait_until="commit")


def test_a_citation_shows_the_reference_with_its_link(read):
    page = read()
    link = page.locator('a[data-tip^="id"]').first
    link.scroll_into_view_if_needed()
    link.hover()
    tip = page.locator(".mm-tip")
    tip.wait_for()
    assert f"[{link.inner_text()}]" in tip.inner_text()
    assert tip.locator('a[href^="https://"]').count() == 1


def test_a_formula_in_a_tip_is_set(read):
    page = read()
    link = page.locator('a[data-tip="term-codebook"]').first
    link.scroll_into_view_if_needed()
    link.hover()
    page.locator(".mm-tip").wait_for()
    assert page.locator(".mm-tip math mi").first.text_content() == "K"
    assert "\\(" not in page.locator(".mm-tip").inner_text()


def test_a_tick_stays_and_shows_in_the_sidebar_of_another_page(read):
    page = read(PRIMER)
    page.locator("button.mm-read").click()
    assert page.locator("button.mm-read").get_attribute("aria-pressed") == "true"
    page.goto((BUILT / CHAPTER).as_uri(), wait_until="domcontentloaded", timeout=90_000)
    ticked = page.locator(".bd-sidebar-primary nav a:has(.mm-tick)")
    assert ticked.count() == 1 and ticked.get_attribute("href").endswith("straight-through.html")
    assert page.locator("button.mm-read").get_attribute("aria-pressed") == "false"


def test_where_nothing_can_be_kept_nothing_is_offered(browser):
    context = browser.new_context()
    page, errors = context.new_page(), []
    page.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new Error('private'); }})")
    page.on("pageerror", lambda error: errors.append(error.stack or str(error)))  # the theme's own are not ours
    page.goto((BUILT / PRIMER).as_uri(), wait_until="domcontentloaded", timeout=90_000)
    assert page.locator("button.mm-read").count() == 0 and page.locator("button.mm-top").count() == 1
    assert [error for error in errors if "mm-page" in error] == []
    context.close()


def test_the_way_back_up_appears_below_and_moves_at_once(read):
    page = read(PRIMER)
    assert page.locator(".mm-top").is_hidden()
    page.evaluate("scrollTo({top: 4000, behavior: 'instant'})")
    page.locator(".mm-top").wait_for()
    assert 0 < page.evaluate("new DOMMatrix(getComputedStyle(document.querySelector('.mm-progress')).transform).a") <= 1
    page.locator(".mm-top").click()
    assert page.evaluate("scrollY") == 0
    page.locator(".mm-top").wait_for(state="hidden")


@pytest.mark.parametrize("width", [1280, 375])
def test_nothing_is_wider_than_the_page_and_code_uses_the_margin(read, width):
    page = read(LAB, width=width)
    page.wait_for_load_state("load", timeout=90_000)
    page.wait_for_timeout(300)
    wide = page.evaluate("""() => {
      const column = document.querySelector("article h1").getBoundingClientRect();
      const beyond = shown => Math.max(...[...document.querySelectorAll(shown)].filter(e => e.checkVisibility())
        .map(e => e.getBoundingClientRect().right - column.right));
      return {code: beyond(".cell_input, figure.mm-source"), tables: beyond(".mm-table"),
              page: document.documentElement.scrollWidth};
    }""")
    assert wide["page"] == width
    for kind in ("code", "tables"):
        assert wide[kind] > 32 if width == 1280 else wide[kind] <= 0, kind


def test_the_first_column_of_a_scrolled_table_stays(read):
    page = read(LAB, width=375)
    page.wait_for_load_state("load", timeout=90_000)
    moved = page.evaluate("""async () => {
      const box = [...document.querySelectorAll(".mm-table")].filter(e => e.checkVisibility())
        .sort((a, b) => b.scrollWidth - a.scrollWidth)[0];
      await new Promise(done => setTimeout(done, 300));
      const row = [...box.querySelectorAll("tbody tr")].find(r => r.cells.length > 2);
      const left = () => [0, 1].map(i => row.cells[i].getBoundingClientRect().left);
      const before = left();
      box.scrollLeft = 80;
      await new Promise(done => requestAnimationFrame(done));
      return left().map((x, i) => Math.round(before[i] - x));
    }""")
    assert moved == [0, 80]


def test_without_scripts_links_are_links_and_nothing_of_ours_is_in_the_way(read):
    page = read(java_script_enabled=False)
    assert page.locator(".mm-tip, .mm-top, .mm-progress, .mm-read").count() == 0
    assert page.locator(".mm-stations li").count() == 9
    href = page.locator('article p a[data-tip^="term-"]').first.get_attribute("href")
    assert re.fullmatch(r"\.\./book/glossary\.html#term-[\w-]+", href)


def test_a_chapter_says_what_it_asks_and_where_it_stands(read):
    page = read()
    assert page.locator(".mm-asks").inner_text().strip().endswith("?")
    assert page.locator('.mm-stations [aria-current="true"]').get_attribute("href") == "vq.html"
    for place in (".mm-around", ".prev-next-area"):
        hrefs = page.locator(f"{place} a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
        assert hrefs == ["patches.html", "rvq.html"]
        assert page.locator(f"{place} .mm-next-asks").count() == 2


# questions of a page


def answered(page, *numbers):
    """Answer these questions of the attention page right, by their place on the page."""
    right = {0: 0, 1: 1, 2: "1536", 3: "21", 4: "73", 5: "8", 6: 1, 7: "65,536"}
    for place in numbers:
        one = page.locator("mm-explore-ask").nth(place)
        if isinstance(right[place], str):
            one.get_by_role("textbox").fill(right[place])
        else:
            one.get_by_role("radio").nth(right[place]).check()
        one.get_by_role("button", name="Check").click()


def counted(page):
    """section -> what its line of the page's contents says of its questions."""
    return page.evaluate("""Object.fromEntries([...document.querySelectorAll(".bd-sidebar-secondary .mm-asked")]
      .map(seen => [seen.parentNode.hash, seen.textContent.trim()]))""")


def test_questions_are_counted_by_section_kept_and_forgotten(read):
    page = read(ASKING)
    forget = page.get_by_role("button", name="Forget my answers on this page")
    none = counted(page)
    assert none == {
        "#from-fit-to-weights": "(0 of 1 questions answered)0/1",
        "#attention-does-not-know-the-order": "(0 of 1 questions answered)0/1",
        "#what-it-costs": "(0 of 1 questions answered)0/1",
        "#practice": "(0 of 5 questions answered)0/5",
    }
    assert forget.is_hidden()
    answered(page, 0, 3, 5)
    some = counted(page)
    assert some["#from-fit-to-weights"] == "(1 of 1 questions answered)"  # and a tick
    assert some["#practice"] == "(2 of 5 questions answered)2/5" and some["#what-it-costs"].endswith("0/1")
    page.reload(wait_until="domcontentloaded")
    assert counted(page) == some
    page.goto((BUILT / PRIMER).as_uri(), wait_until="domcontentloaded", timeout=90_000)
    assert counted(page) == {}
    page.go_back(wait_until="domcontentloaded")
    forget.click()
    assert counted(page) == none and forget.is_hidden()
    assert page.evaluate("document.activeElement.className") == "mm-read"
    page.reload(wait_until="domcontentloaded")
    assert counted(page) == none


def test_all_questions_of_a_section_answered_are_a_tick(read):
    page = read(ASKING)
    answered(page, *range(8))
    assert page.locator(".bd-sidebar-secondary .mm-asked .mm-tick").count() == 4
    assert {said.split(")")[1] for said in counted(page).values()} == {""}


def test_answers_are_printed_at_the_end_and_nowhere_else(read):
    page = read(ASKING)
    answers = page.locator(".mm-answers")
    assert answers.is_hidden() and page.locator(".mm-ask:visible").count() == 0
    page.emulate_media(media="print")
    assert answers.is_visible() and answers.locator("li > p:visible").count() == 8
    assert page.locator("mm-explore-ask details:visible").count() == 0
    labels = page.locator(".mm-ask-label").all_inner_texts()
    assert labels == [f"{number}. {'Predict' if number < 4 else 'Question'}" for number in range(1, 9)]
    below = page.evaluate("""() => { const bottom = e => e.getBoundingClientRect().bottom + scrollY;
      return bottom(document.querySelector(".mm-answers")) > Math.max(...[...document.querySelectorAll("article h2, article h3, .mm-ask")]
        .filter(e => !e.closest(".mm-answers")).map(bottom)); }""")
    assert below


def test_hints_open_one_by_one(read):
    page = read(ASKING)
    first, second = page.get_by_text("Hint 1", exact=True), page.get_by_text("Hint 2", exact=True)
    assert first.is_visible() and second.is_hidden()
    first.focus()
    page.keyboard.press("Enter")
    assert second.is_visible() and page.get_by_text("Two tokens may meet").is_hidden()
    second.click()
    assert page.get_by_text("Two tokens may meet").is_visible() and page.get_by_text("np.tril(same)").is_hidden()
    page.get_by_text("Solution", exact=True).click()
    assert page.locator(".mm-solution pre").is_visible()


def test_a_link_to_a_heading_in_jupyterlabs_form_arrives(read):
    page = read(ASKING)
    page.locator('article p a[href="#every-token-asks-every-token-answers"]').click()
    page.wait_for_url("**#every-token-asks-every-token-answers")
    assert page.locator("#every-token-asks-every-token-answers > h2").count() == 1


def test_no_page_links_to_a_repository_without_an_address():
    dead, downloads = [], 0
    for file in BUILT.rglob("*.html"):
        for link in re.findall(r'(?:href|action)="([^"]*)"', file.read_text(encoding="utf-8")):
            if "/OWNER/" in link:
                dead.append(f"{file.relative_to(BUILT)}: {link}")
            if link.endswith(".ipynb") and "//" not in link:
                downloads += 1
                assert (file.parent / link).is_file(), f"{file.relative_to(BUILT)}: {link}"
    assert dead == []
    assert downloads > 0


def test_what_the_front_page_includes_is_no_page_of_its_own():
    assert [file.name for file in BUILT.glob("book/_generated/*.html")] == []
