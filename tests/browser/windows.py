"""Windows of one Chromium that tests hand on to each other, and what is heard in them."""

import collections
import contextlib
import functools

PARKED = "<!DOCTYPE html><html lang=en><title>parked</title></html>"
LOOKS = {
    "color_scheme": "light",
    "reduced_motion": "no-preference",
    "forced_colors": "none",
    "contrast": "no-preference",
}
STAYS = ("add_init_script", "expose_binding", "expose_function", "route")  # what a page cannot be asked to forget


class Windows:
    """Opened windows of one browser, handed from test to test.

    A window costs more than most tests do in it. So one that a test is done with is parked at an empty page beside the
    others, where nothing is stored and nothing held, and taken again for the same `fixed` options; size and media are
    set anew each time. What cannot be taken back, a test does in a window of its own (`own=True`), which is closed.
    """

    def __init__(self, browser, parked):
        self.browser, self.parked = browser, parked
        self.free = collections.defaultdict(list)  # fixed options -> pages

    def take(self, viewport, own=False, **options):
        """(page, its key in `free`, None for a window of the test's own)."""
        looks = {name: options.pop(name, usual) for name, usual in LOOKS.items()}
        fixed = None if own else tuple(sorted(options.items()))
        if self.free[fixed]:
            page = self.free[fixed].pop()
        else:
            page = self.browser.new_context(viewport=viewport, **options).new_page()
            for name in () if own else STAYS:
                setattr(page, name, functools.partial(self.refuse, name))
        if page.viewport_size != viewport:
            page.set_viewport_size(viewport)
        page.emulate_media(media="null", **looks)
        return page, fixed

    def give(self, page, fixed):
        """Forget what the test left behind; `fixed` is None for a window that is not used again."""
        if fixed is None:
            return page.context.close()
        page.goto(self.parked)
        page.mouse.up()
        for key in ("Shift", "Control", "Alt", "Meta"):
            page.keyboard.up(key)
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); window.name = ''; }")
        self.free[fixed].append(page)

    @staticmethod
    def refuse(name, *arguments, **options):
        raise RuntimeError(f"{name} outlives the test in a window that others use: open the page with own=True")


@contextlib.contextmanager
def opening(request, windows, handlers):
    """Open addresses in windows, with handlers (event -> function) until the windows are parked or closed."""
    taken, failed = [], request.session.testsfailed

    def opened(address, wait_until="load", **options):
        page, fixed = windows.take(**options)
        taken.append((page, fixed))
        for event, handler in handlers.items():
            page.on(event, handler)
        page.goto(address, wait_until=wait_until, timeout=90_000)
        return page

    yield opened
    for page, fixed in taken:
        windows.give(page, fixed if request.session.testsfailed == failed else None)
        for event, handler in handlers.items():
            page.remove_listener(event, handler)


def local(request):
    return request.url.startswith(("file:", "data:", "blob:"))
