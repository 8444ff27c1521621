"""A window that goes from test to test is, to each of them, as a fresh one: nothing of the last test is in it."""

from types import SimpleNamespace

import pytest
from windows import LOOKS, STAYS, opening

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
PLAIN = {"viewport": {"width": 1000, "height": 900}}
OTHER = {
    "viewport": {"width": 375, "height": 700},
    "color_scheme": "dark",
    "reduced_motion": "reduce",
    "forced_colors": "active",
    "contrast": "more",
}

# Everything that a page can find in its window, the hand of the last test included.
FOUND = """async () => {
  const is = query => matchMedia(query).matches, frame = () => new Promise(done => requestAnimationFrame(done));
  await frame(); await frame();
  return {
    stored: [Object.keys(localStorage), Object.keys(sessionStorage), document.cookie, name, globalThis.left ?? null],
    size: [innerWidth, innerHeight, scrollX, scrollY, devicePixelRatio, visualViewport.scale],
    media: ["(prefers-color-scheme: dark)", "(prefers-reduced-motion)", "(forced-colors: active)",
            "(prefers-contrast: more)", "print", "(hover)", "(pointer: fine)"].map(is),
    hovered: document.querySelectorAll("body *:hover").length,
    pressed: document.querySelectorAll(":active").length,
    focused: document.activeElement.localName,
  };
}"""


@pytest.fixture
def address(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        "<!DOCTYPE html><title>page</title><style>html, body { height: 3000px; margin: 0 }"
        "button { margin: 40px; width: 99px; height: 44px }</style><button>one</button>"
        "<script>addEventListener('pointermove', e => globalThis.held = [e.buttons, e.shiftKey])</script>"
        "<script>addEventListener('pagehide', () => localStorage.setItem('late', 'left'))</script>"
    )
    return page.as_uri()


def dirty(page):
    """Leave behind all that a test can."""
    page.evaluate(
        """() => { localStorage.setItem("a", 1); sessionStorage.setItem("b", 1); name = "left"; globalThis.left = 1;
          scrollTo(0, 500); setTimeout(() => console.error("late"), 0); }"""
    )
    page.emulate_media(media="print")
    page.locator("button").focus()
    page.mouse.move(60, 60)
    page.mouse.down()
    page.keyboard.down("Shift")


def test_a_window_that_is_used_again_is_as_a_fresh_one(windows, address):
    pages = [windows.take(**PLAIN, own=True), windows.take(**OTHER)]
    for page, _ in pages:
        page.goto(address)
    (fresh, own), (used, fixed) = pages
    as_fresh = fresh.evaluate(FOUND)
    dirty(used)
    assert all(used.evaluate(FOUND)[key] != told for key, told in as_fresh.items())
    windows.give(used, fixed)
    again, _ = windows.take(**PLAIN)
    heard = []
    again.on("console", lambda said: heard.append(said.text))
    again.goto(address)
    assert again is used and again.evaluate(FOUND) == as_fresh and heard == []
    again.mouse.move(6, 6)
    assert again.evaluate("held") == [0, False]
    windows.give(again, None)
    windows.give(fresh, own)


def test_a_window_with_other_fixed_options_is_another(windows):
    touched, fixed = windows.take(**PLAIN, has_touch=True)
    windows.give(touched, fixed)
    plain, key = windows.take(**PLAIN)
    other, _ = windows.take(**PLAIN)
    assert touched is not plain is not other  # nor is one lent twice at a time
    windows.give(plain, key)
    windows.give(other, None)
    again, _ = windows.take(**PLAIN, has_touch=True)
    assert again is touched


def test_what_cannot_be_taken_back_is_done_in_a_window_of_its_own(windows):
    page, fixed = windows.take(**PLAIN)
    for name in STAYS:
        with pytest.raises(RuntimeError, match=f"{name} outlives .* own=True"):
            getattr(page, name)("later")
    windows.give(page, fixed)
    own, key = windows.take(**PLAIN, own=True)
    own.add_init_script("globalThis.mine = true")
    windows.give(own, key)
    assert own.is_closed() and windows.take(**PLAIN)[0] is page
    windows.give(page, fixed)


def test_the_options_are_those_a_window_is_asked_for(windows, address):
    page, fixed = windows.take(**OTHER)
    page.goto(address)
    found = page.evaluate(FOUND)
    assert found["size"][:2] == [375, 700] and found["media"][:4] == [True] * 4 and set(LOOKS) < set(OTHER)
    windows.give(page, fixed)


def test_what_is_said_in_a_window_is_heard_by_its_own_test_alone(request, windows, address):
    heard = {"one": [], "two": []}
    for name, said in heard.items():
        with opening(request, windows, {"console": lambda message, said=said: said.append(message.text)}) as opened:
            opened(address, **PLAIN).evaluate("name => console.error(name)", name)
    assert heard == {"one": ["one"], "two": ["two"]}


def test_the_window_of_a_failed_test_is_closed(windows, address):
    session = SimpleNamespace(testsfailed=0)
    with opening(SimpleNamespace(session=session), windows, {}) as opened:
        page = opened(address, **PLAIN)
        session.testsfailed = 1
    assert page.is_closed()
