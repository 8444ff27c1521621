"""What every explorable does, whatever its topic: it lives, follows its host, keeps its address, prints, fits, is read."""

import pathlib
import re
import shutil

import check_site
import pytest
from harness import STILL, TOPICS, core, element, press, settle, state

from mmtokedu import explore

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(params=TOPICS)
def topic(request):
    return request.param


@pytest.fixture
def known(topic):
    return TOPICS[topic]


def test_every_topic_is_here():
    assert set(TOPICS) == set(explore.GOLDEN)


def test_the_first_state_is_shown_and_said(visit, topic, known):
    page = visit()
    assert known.holds(page) == known.held and state(page, topic) == known.first
    playwright.expect(page.locator("[aria-live]")).to_have_text(re.compile(known.spoken))


# Its address


def test_fragment_round_trip(visit, topic, known):
    page = visit("book.html")
    name, fragment = known.change
    press(page, name)
    page.wait_for_url(f"**#{topic}:{fragment}")
    before, held = state(page, topic), known.holds(page)
    page.reload()
    assert state(page, topic) == before != known.first and known.holds(page) == held
    text, asked = known.fragment
    page.evaluate("hash => location.hash = hash", f"#{topic}:{text}")
    key, value = next(iter(asked.items()))
    page.wait_for_function(f"({element(topic)}).state.{key} === {value!r}")
    assert {key: state(page, topic)[key] for key in asked} == asked
    assert {**known.first, **asked} == state(page, topic)  # what it leaves out is as at first


def test_a_notebook_keeps_its_address(visit, topic, known):
    text, _ = known.fragment
    page = visit(f"notebook.html#{topic}:{text}")
    assert state(page, topic) == known.first
    press(page, known.change[0])
    page.wait_for_timeout(400)
    assert page.evaluate("location.hash") == f"#{topic}:{text}" and state(page, topic) != known.first


def test_hostile_fragments_are_harmless(visit, topic, known):
    page = visit(f"book.html#{topic}:{known.hostile[0]}")
    assert known.holds(page) == known.held
    read = f"fragment => {core(topic)}.readFragment(fragment)"
    for bad in known.hostile:
        assert page.evaluate(read, f"#{topic}:{bad}") is None, bad
        page.evaluate("hash => location.hash = hash", f"#{topic}:{bad}")
    page.wait_for_timeout(50)
    assert known.holds(page) == known.held
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert page.evaluate("document.querySelectorAll('script').length") == 3  # its own: data, base, topic
    text, asked = known.fragment
    assert page.evaluate(read, f"#{topic}:{text}") == asked
    assert page.evaluate(read, f"#other:{text}") is None and page.evaluate(read, f"#{topic}:{text}," * 100) is None


@pytest.mark.parametrize("case", [(topic, bad) for topic, known in TOPICS.items() for bad in known.bad])
def test_bad_attributes_fall_back(visit, case):
    topic, attributes = case
    page = visit(topic=topic)
    page.evaluate("html => document.body.insertAdjacentHTML('afterbegin', html)", f"<mm-explore-{topic} {attributes}>")
    assert page.locator(f"mm-explore-{topic}").count() == 2
    assert state(page, topic) == TOPICS[topic].first


# Its host


def test_outputs_put_in_as_a_notebook_does(visit, put_in, topic):
    page = visit()
    for _ in range(2):
        put_in(page, getattr(explore, topic)())
    alive = page.locator(f"mm-explore-{topic}").evaluate_all(
        "all => all.map((one) => one.shadowRoot.childElementCount)"
    )
    assert alive == [3, 3, 3]


def test_all_topics_in_one_page_and_one_base(visit, put_in, topic, known):
    page = visit()
    page.evaluate("globalThis.before = mmExplore")
    for other in TOPICS:
        put_in(page, getattr(explore, other)())
    assert page.evaluate("before === mmExplore")  # the base was defined once
    for other in TOPICS:
        assert page.evaluate(f"({element(other)}).shadowRoot.childElementCount") == 3
    press_first = page.locator(f"mm-explore-{topic}").first.get_by_role("button", name=known.change[0], exact=True)
    press_first.click()
    assert state(page, topic) != known.first
    for other in set(TOPICS) - {topic}:
        assert state(page, other) == TOPICS[other].first


def test_an_older_base_is_replaced_and_a_newer_one_stays(visit, put_in, topic):
    page = visit()
    other = next(one for one in TOPICS if one != topic)
    for edition, replaced in ((0, True), (99, False)):
        page.evaluate("edition => { globalThis.mmExplore = {edition, define: () => {}, here: true}; }", edition)
        put_in(page, getattr(explore, other)())
        assert page.evaluate("!mmExplore.here") == replaced


def test_an_element_that_is_moved_keeps_its_state_and_its_address(visit, topic, known):
    page = visit("book.html")
    name, fragment = known.change
    hash_then = page.evaluate(
        f"""name => {{ const it = {element(topic)}, parent = it.parentNode;
          [...it.shadowRoot.querySelectorAll("button")].find((one) => one.textContent === name).click();
          it.remove(); parent.append(it);
          return location.hash; }}""",
        name,
    )
    assert state(page, topic) != known.first and hash_then == ""  # it left before its address was written
    press(page, "reset", name)
    page.wait_for_url(f"**#{topic}:{fragment}")


HOSTS = [
    ("document.documentElement.dataset.theme = 'dark'", True),
    ("document.documentElement.dataset.theme = 'light'", False),
    ("document.body.dataset.jpThemeLight = 'false'", True),
    ("document.body.dataset.jpThemeLight = 'true'", False),
    ("document.documentElement.setAttribute('theme', 'dark')", True),
    ("document.body.dataset.vscodeThemeKind = 'vscode-dark'", True),
]


def test_theme_follows_the_host_not_the_system(visit, topic):
    page = visit()
    app = page.locator(".app")
    for set_it, dark in HOSTS:
        page.evaluate(
            """() => [document.documentElement, document.body].forEach((node) =>
              ["data-theme", "theme", "data-jp-theme-light", "data-vscode-theme-kind"].forEach((name) => node.removeAttribute(name)))"""
        )
        page.emulate_media(color_scheme="light" if dark else "dark")
        playwright.expect(app).to_have_class("app" if dark else "app dark")
        page.evaluate(set_it)
        playwright.expect(app).to_have_class("app dark" if dark else "app")


def test_keys_stay_inside(visit, topic):
    page = visit()
    page.evaluate("document.body.addEventListener('keydown', (event) => (globalThis.heard ??= []).push(event.key))")
    page.locator("[role=slider]").first.focus()
    for key in ("x", "ArrowRight", "Control+a"):
        page.keyboard.press(key)
    assert page.evaluate("globalThis.heard") == ["Control", "a"]
    assert page.evaluate(f"({element(topic)}).dataset.lmSuppressShortcuts") == "true"


def test_everything_is_reached_by_the_keyboard(visit, topic):
    page = visit()
    for folded in page.locator("summary").all():
        folded.click()
    page.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
    wanted = f"""() => [...({element(topic)}).shadowRoot.querySelectorAll(
        "button, select, input, textarea, summary, [role=slider], .scroll")]
        .filter((e) => e.checkVisibility() && !e.disabled).length"""
    seen = f"""() => {{ const at = ({element(topic)}).shadowRoot.activeElement;
        if (at) at.dataset.seen = ""; return Boolean(at); }}"""
    count = page.evaluate(wanted)
    for _ in range(count + 2):
        page.keyboard.press("Tab")
        page.evaluate(seen)
    assert count > 8
    assert page.evaluate(f"({element(topic)}).shadowRoot.querySelectorAll('[data-seen]').length") == count


# Paper, no JavaScript, no motion


def test_paper_shows_the_still_figure(visit, topic):
    page = visit()
    still, app = page.locator(f"mm-explore-{topic} svg[role=img]"), page.locator(".app")
    assert app.is_visible() and not still.is_visible()
    page.emulate_media(media="print")
    assert still.is_visible() and not app.is_visible()


def test_no_javascript_shows_the_still_figure(visit, topic, known):
    page = visit(java_script_enabled=False)
    assert page.locator(f"mm-explore-{topic} svg[role=img]").is_visible()
    assert known.still in page.locator(f"mm-explore-{topic} figcaption").inner_text()


def test_nothing_moves_for_a_reader_who_asks_for_no_motion(visit, topic, known):
    page = visit(**STILL)
    known.busy(page)
    before = state(page, topic)
    assert page.evaluate("document.getAnimations({subtree: true}).length") == 0
    page.wait_for_timeout(250)
    assert state(page, topic) == before != known.first


# Its place


@pytest.mark.parametrize("width", [320, 375, 900, 1280])
def test_fits_its_place(visit, topic, known, width):
    page = visit(viewport={"width": width, "height": 800}, **STILL)
    for folded in page.locator("summary").all():
        folded.click()
    for act in known.wide:
        act(page)
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    over = page.evaluate(
        f"""([selector, slack]) => [...({element(topic)}).shadowRoot.querySelectorAll(selector)]
        .filter((e) => e.clientWidth && e.getBoundingClientRect().right > innerWidth + slack).map((e) => e.outerHTML)""",
        [known.inside, known.slack],
    )
    assert over == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_nothing(visit, topic, known, width, scheme):
    if shutil.which("npm") is None and not (pathlib.Path(check_site.__file__).parent / "node_modules").exists():
        pytest.skip("npm is missing: axe-core cannot be installed")
    page = visit(viewport={"width": width, "height": 900}, color_scheme=scheme, **STILL)
    for folded in page.locator("summary").all():
        folded.click()
    known.busy(page)
    page.evaluate(check_site.axe_source())
    assert page.evaluate(check_site.AXE, True) == []
