"""What the tests of explorables share: a Chromium, and pages opened over file:// in which nothing may go wrong."""

import functools
import os
import re

import pytest
from windows import PARKED, Windows, local, opening

from mmtokedu import explore

IN_BOOK = "<html data-content_root='./' "


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    import check_site  # needs Playwright

    try:
        chromium = check_site.chromium()
    except SystemExit as missing:
        if os.environ.get("CHROMIUM"):  # asked for by name
            raise
        pytest.skip(str(missing))
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """topic -> a folder with two pages: as in a notebook, and as in the book, where the fragment holds the state."""

    @functools.cache
    def folder(topic):
        path, page = tmp_path_factory.mktemp(topic), explore.page(topic)
        (path / "notebook.html").write_text(page, encoding="utf-8")
        (path / "book.html").write_text(page.replace("<html ", IN_BOOK, 1), encoding="utf-8")
        return path

    return folder


@pytest.fixture(scope="module")
def windows(browser, tmp_path_factory):
    parked = tmp_path_factory.mktemp("parked") / "parked.html"
    parked.write_text(PARKED, encoding="utf-8")
    return Windows(browser, parked.as_uri())


@pytest.fixture
def visit(request, windows, pages):
    """Open a page over file://, of the test's topic or of its module's; at the end nothing may have failed and nothing
    may have been asked of a network."""
    trouble = []
    handlers = {
        "pageerror": lambda error: trouble.append(str(error)),
        "console": lambda said: trouble.append(said.text) if said.type in ("error", "warning") else None,
        "dialog": lambda dialog: (trouble.append(dialog.message), dialog.dismiss()),
        "request": lambda asked: None if local(asked) else trouble.append(asked.url),
    }

    with opening(request, windows, handlers) as opened:

        def visit(name="notebook.html", topic=None, **options):
            if topic is None:
                topic = request.getfixturevalue("topic") if "topic" in request.fixturenames else request.module.TOPIC
            address = (pages(topic) / name.split("#")[0]).as_uri() + "".join(re.findall("#.*", name))
            return opened(address, **{"viewport": {"width": 1000, "height": 900}, **options})

        yield visit
    assert not trouble


@pytest.fixture
def put_in():
    """Put an output into a page as a notebook does: markup first, then its scripts made anew, with no currentScript."""

    def put_in(page, output):
        page.evaluate(
            """html => {
              const box = document.createElement('div');
              box.innerHTML = html;
              document.body.append(box);
              for (const old of box.querySelectorAll('script')) {
                const fresh = document.createElement('script');
                fresh.textContent = old.textContent;
                old.replaceWith(fresh);
              }
            }""",
            output._repr_html_(),
        )

    return put_in
