"""Open every page of the built book in Chromium and report what a reader would trip over.

    python tests/browser/check_site.py _build/html [--shots DIR] [--json FILE] [--only 'notebooks/*'] [--every-view]

Every page is opened over http in light (on a desktop, then narrowed) and in dark (on a phone, then widened), so each is
judged light and dark at 1280 and 375 px, and once more from the folder (file://). Folded parts are opened first. The
contrast of text, which takes axe longest, is judged where a mode is first seen: light on a desktop, dark on a phone
(--every-view: in all four). One browser has several tabs open at a time, the largest pages first; a tab that is done with
a page takes the next one, and remembers nothing. Findings come in order of page, view and kind. A finding has a kind, and the exit code is 1 when there is any:

    console     an error in the browser's console, or an uncaught exception
    external    a request that leaves the book
    failed      a request that is not answered (404, missing file)
    image       an image that does not decode
    alt         an image, canvas or drawing without alternative text, or with a file name for one
    overflow    the page scrolls sideways, or its text leaves the screen
    math        a formula MathJax could not set, or did not touch
    explorable  an <mm-explore-...> element that never came to life
    axe         a violation of WCAG 2.0 or 2.1, level A or AA, found by axe-core
    copy        a code cell whose copy button is missing or copies something else
    link        a link inside the book to a page or an anchor that does not exist
    theme       the light/dark switch is missing, dead, or forgotten on the next page
    search      search does not find a page by its title; from the folder: it does not say that it needs a server

It needs Playwright for Python (requirements.txt), Chromium on the PATH or in $CHROMIUM, and npm once, for axe-core.
"""

import argparse
import asyncio
import collections
import contextlib
import fnmatch
import functools
import html.parser
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
from typing import NamedTuple

from playwright.async_api import Error, TimeoutError, async_playwright

HERE = pathlib.Path(__file__).resolve().parent
MODES, WIDTHS = ("light", "dark"), (1280, 375)
HEIGHTS = {1280: 900, 375: 800}
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-proxy-server",
    # nothing but our own server has an address, so an external request fails at once instead of leaving
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

# Violations in markup that is not ours and that book/_ext/mmbook.py cannot mend: (axe rule, pattern in the element's
# HTML, reason). Keep it short; an entry that no page needs any more is reported.
ALLOWED: list[tuple[str, str, str]] = []


class Finding(NamedTuple):
    """One thing to mend: the page, how it was opened, the kind (see above), and what was seen."""

    page: str
    view: str
    kind: str
    detail: str


# --- tools ------------------------------------------------------------------------------------------------------------


def chromium() -> str:
    """Path of the system's Chromium; $CHROMIUM wins, then the shell without windows: a third of the processor time."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found or not shutil.which(found):
        sys.exit("no Chromium found: `apt-get install chromium` (or brew, dnf ...), or set CHROMIUM to its path")
    return found


def axe_source() -> str:
    """The text of axe-core, installed next to this file on first use."""
    script = HERE / "node_modules/axe-core/axe.min.js"
    pinned = json.loads((HERE / "package.json").read_text())["dependencies"]["axe-core"]
    manifest = script.with_name("package.json")
    if not manifest.exists() or json.loads(manifest.read_text())["version"] != pinned:
        npm = shutil.which("npm")
        if npm is None:
            sys.exit("axe-core is not installed and npm is missing: install Node.js")
        print(f"installing axe-core {pinned}", flush=True)
        command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(command, cwd=HERE, check=True)
    return script.read_text(encoding="utf-8")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def copyfile(self, source, outputfile):
        with contextlib.suppress(ConnectionError):  # a tab was closed before its last answer arrived
            super().copyfile(source, outputfile)


@contextlib.contextmanager
def serve(root: pathlib.Path):
    """Serve a folder on a free local port; gives the address, ending in a slash."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.asynccontextmanager
async def browser():
    async with async_playwright() as playwright:
        chrome = await playwright.chromium.launch(executable_path=chromium(), headless=True, args=CHROMIUM_FLAGS)
        try:
            yield chrome
        finally:
            await chrome.close()


def book_pages(root: pathlib.Path) -> list[str]:
    """Every page of the book, relative to its root; files under _static/ and vendor/ are not pages."""
    names = (path.relative_to(root) for path in root.rglob("*.html"))
    return sorted(name.as_posix() for name in names if name.parts[0] not in ("_static", "vendor", "_sources"))


# --- links: read from the files, no browser needed --------------------------------------------------------------------


class PageParser(html.parser.HTMLParser):
    """Collects what can be linked to (ids, names), what is linked, the title and the redirect of one page."""

    def __init__(self, text: str):
        super().__init__()
        self.anchors, self.links, self.explorables = set(), [], set()
        self.title, self.redirects, self._in_h1 = "", False, False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors.update(attrs[key] for key in ("id", "name") if attrs.get(key))
        self.links.extend(attrs[key] for key in ("href", "src", "data-src", "poster") if attrs.get(key))
        self.redirects |= tag == "meta" and (attrs.get("http-equiv") or "").lower() == "refresh"
        self._in_h1 |= tag == "h1" and not self.title
        if tag.startswith("mm-explore-"):
            self.explorables.add(tag.removeprefix("mm-explore-"))

    def handle_endtag(self, tag):
        self._in_h1 &= tag != "h1"

    def handle_data(self, data):
        self.title += data if self._in_h1 else ""


def parse_pages(root: pathlib.Path, pages: list[str]) -> dict[str, PageParser]:
    return {page: PageParser((root / page).read_text(encoding="utf-8")) for page in pages}


def anchor_exists(parsed: PageParser, fragment: str) -> bool:
    """Whether a page has the anchor; an explorable also answers to its state, `#patches:h=1080,w=1920`."""
    name = urllib.parse.unquote(fragment)
    return not name or name == "top" or name in parsed.anchors or name.split(":")[0] in parsed.explorables


def check_links(root: pathlib.Path, parsed: dict[str, PageParser]) -> list[Finding]:
    """Every link inside the book leads to a file that exists, and to an anchor that exists."""
    findings = set()
    for page, source in parsed.items():
        for link in source.links:
            url = urllib.parse.urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = os.path.normpath(os.path.join(os.path.dirname(page), urllib.parse.unquote(url.path)))
            target = page if not url.path else target
            if target.startswith("..") or not (root / target).exists():
                findings.add(Finding(page, "file", "link", f"{link}: no such file"))
            elif target in parsed and not anchor_exists(parsed[target], url.fragment):
                findings.add(Finding(page, "file", "link", f"{link}: {target} has no anchor #{url.fragment}"))
    return sorted(findings)


# --- one view: one page, in one mode, at one width --------------------------------------------------------------------

# Waits for formulas, fonts and images (lazy ones included), so that what is judged is what the reader ends up with.
SETTLE = """async () => {
  for (const img of document.images) img.loading = "eager";
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  await document.fonts.ready;
  const late = new Promise(done => setTimeout(done, 3000));
  const images = [...document.images].map(img => img.complete || new Promise(done => img.onload = img.onerror = done));
  await Promise.race([Promise.all(images), late]);
  for (let frame = 0; frame < 2; frame++) await new Promise(done => requestAnimationFrame(done));
}"""

# Waits for transitions to end; what moves for ever gets a second.
STILL = """() => Promise.race([new Promise(done => setTimeout(done, 1000)),
  Promise.allSettled(document.getAnimations().map(animation => animation.finished))])"""

# Opens everything folded: hints and solutions are read, so they are judged, two frames later (the page reacts too).
UNFOLD = """async () => {
  for (const box of document.querySelectorAll("details")) box.open = true;
  for (const box of document.querySelectorAll(".toggle-hidden")) box.classList.remove("toggle-hidden");
  for (let frame = 0; frame < 2; frame++) await new Promise(done => requestAnimationFrame(done));
}"""

# Each probe answers a list of strings, one a finding. `deep` also looks into open shadow roots.
DEEP = """const deep = (selector, root = document) => [...root.querySelectorAll("*")].flatMap(e =>
    [...(e.matches(selector) ? [e] : []), ...(e.shadowRoot ? deep(selector, e.shadowRoot) : [])]);
  const show = e => e.cloneNode(false).outerHTML.replace(/(data:[^"']{20})[^"']*/g, "$1...").slice(0, 160);"""

PROBES = {
    "image": "deep('img').filter(i => !i.complete || !i.naturalWidth).map(show)",
    "alt": r"""(() => {
      const named = e => e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.title ||
        e.querySelector("title")?.textContent.trim();
      const decoration = e => ["presentation", "none"].includes(e.getAttribute("role")) ||
        e.closest('[aria-hidden="true"]') || e.getRootNode().host?.closest('[aria-hidden="true"]');
      const picture = e => { const alt = (e.getAttribute("alt") || "").trim();
        return !alt || /\.(png|jpe?g|svg|webp|gif)$/i.test(alt); };
      return [...deep("img").filter(e => !decoration(e) && picture(e)),
        ...deep("canvas").filter(e => !decoration(e) && !named(e) && !e.textContent.trim()),
        ...deep("svg").filter(e => !decoration(e) && !named(e) && !e.parentElement?.closest("svg") &&
          !e.closest("mjx-container, :is(a, button, nav, figure, [role=img], [role=group])[aria-label]"))].map(show);
    })()""",
    "overflow": """(() => {
      const root = document.documentElement, extra = root.scrollWidth - root.clientWidth;
      const clipped = e => { for (let p = e.parentElement; p && p !== document.body; p = p.parentElement)
        if (getComputedStyle(p).overflowX !== "visible") return true; return false; };
      const out = [...document.querySelectorAll("body *")].filter(e => {
        const box = e.getBoundingClientRect(), style = getComputedStyle(e);
        const off = (box.right > root.clientWidth + 1 && box.left < root.clientWidth) || (box.left < -1 && box.right > 1);
        return off && box.width && box.height && style.position !== "fixed" && style.visibility !== "hidden" && !clipped(e); });
      const inner = out.filter(e => !out.some(o => o !== e && e.contains(o)));
      if (extra <= 0 && !inner.length) return [];
      return [`${Math.max(extra, 0)} px of sideways scroll: ${inner.slice(0, 3).map(show).join(" | ")}`];
    })()""",
    "math": """[
      ...[...document.querySelectorAll("mjx-merror")].map(e => `error: ${e.dataset.mjxError || e.textContent}`),
      ...[...document.querySelectorAll('mjx-mtext[style*="color: red"]')]
      .map(e => `unknown macro in ${e.closest("mjx-container").querySelector("mjx-assistive-mml")?.textContent}`),
      ...[...document.querySelectorAll(".math.notranslate")].filter(e => !e.querySelector("mjx-container"))
        .map(e => `not set: ${e.textContent.slice(0, 80)}`)]""",
    "explorable": """deep("*").filter(e => e.localName.startsWith("mm-explore-"))
      .filter(e => !customElements.get(e.localName) || !e.shadowRoot?.childElementCount).map(show)""",
}

# Two things axe is spared, being reported by other kinds: `alt` (which asks for more than image-alt) and MathJax's error
# boxes. And of the words of code that look alike (same colours on the same ground) it is shown the first: most of its time
# would go into thousands of them. The others are made invisible, and those that stand side by side are made one word.
AXE = """contrast => {
  const seen = new Set(), again = new Set(), grounds = new Map();
  const ground = e => { // the colours of an element and of all that it stands in, asked for once
    if (!e) return "";
    if (!grounds.has(e)) grounds.set(e, getComputedStyle(e).backgroundColor + ground(e.parentElement));
    return grounds.get(e);
  };
  for (const word of document.querySelectorAll("pre span:not(:has(*))")) {
    const {color, fontSize, fontWeight, opacity, backgroundColor} = getComputedStyle(word);
    const look = [color, fontSize, fontWeight, opacity, backgroundColor, ground(word.parentElement)].join();
    if (seen.has(look)) again.add(word);
    seen.add(look);
  }
  for (const word of again) word.style.visibility = "hidden";
  const plain = node => node.nodeType === Node.TEXT_NODE ? !node.data.trim()
    : again.has(node) && [...node.attributes].every(one => ["class", "style"].includes(one.name));
  for (const line of new Set([...again].map(word => word.parentNode))) {
    const runs = [];
    let run = null; // [the first word, what follows it]
    for (const node of line.childNodes) {
      if (!plain(node)) run = null;
      else if (run) run.push(node);
      else if (again.has(node)) runs.push(run = [node]);
    }
    for (const [word, ...rest] of runs) {
      word.textContent += rest.map(node => node.textContent).join("");
      for (const node of rest) node.remove();
    }
  }
  const reason = node => [...node.any, ...node.all, ...node.none].map(check => check.message).join("; ").slice(0, 160);
  return axe.run({exclude: ["mjx-merror"]}, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    resultTypes: ["violations"],
    rules: {"image-alt": {enabled: false}, "color-contrast": {enabled: contrast}},
  }).then(result => result.violations.flatMap(v => v.nodes.map(node => [v.id, node.html, reason(node)])));
}"""


@contextlib.contextmanager
def listening(page, inside: str, seen: list[tuple[str, str]]):
    """Add a page's console errors and stray requests to `seen`; `inside` is how every address of the book starts."""

    def on_console(message):
        # a request that fails is reported as such below; its echo in the console would say it twice
        echoes = "Failed to load resource", "Fetch API cannot load file:"
        echo = message.text.startswith(echoes) or "blocked by CORS policy" in message.text
        if message.type == "error" and not echo:
            seen.append(("console", message.text[:300]))

    def on_request(request):
        if not request.url.startswith((inside, "data:", "blob:", "about:")):
            seen.append(("external", request.url[:200]))

    def on_failure(request):
        if request.url.startswith(inside):
            seen.append(("failed", f"{request.failure} {request.url.removeprefix(inside)}"))

    def on_response(response):
        if response.status >= 400 and response.url.startswith(inside):
            seen.append(("failed", f"{response.status} {response.url.removeprefix(inside)}"))

    handlers = {
        "console": on_console,
        "request": on_request,
        "requestfailed": on_failure,
        "response": on_response,
        "pageerror": lambda error: seen.append(("console", f"uncaught: {str(error)[:300]}")),
    }
    for event, handler in handlers.items():
        page.on(event, handler)
    try:
        yield
    finally:  # before the tab closes, which aborts what is still under way
        for event, handler in handlers.items():
            page.remove_listener(event, handler)


async def run_axe(page, used: set[int], contrast: bool) -> list[str]:
    """Violations axe finds in the page, less the allowed ones (whose places in ALLOWED are added to `used`)."""
    found = []
    for rule, markup, message in await page.evaluate(AXE, contrast):
        allowed = [i for i, (r, pattern, _) in enumerate(ALLOWED) if r == rule and re.search(pattern, markup)]
        used.update(allowed)
        if not allowed:
            found.append(f"{rule}: {message} {markup[:160]}")
    return found


def runnable(text: str) -> str:
    """What copying a cell should give: all of it, or of an example with >>> only the lines behind the prompts."""
    typed = [line[4:] for line in text.splitlines() if line.startswith((">>> ", "... "))]
    return "\n".join(typed) or text


NOTHING = "nothing was copied"


async def check_copy(page, clipboard: asyncio.Lock) -> list[str]:
    """Press the copy button of the first visible code cell and compare the clipboard, one for all tabs, with the cell."""
    cells = page.locator("div.highlight:visible")
    if not await cells.count():
        return []
    cell = cells.first
    button = cell.locator("button.copybtn")
    if not await button.count():
        return ["a code cell has no copy button"]
    text = runnable(await cell.locator("pre").evaluate("pre => pre.textContent"))
    async with clipboard:
        await page.evaluate("text => navigator.clipboard.writeText(text)", NOTHING)
        await cell.hover()
        await button.click()
        copied = await page.evaluate(
            """async nothing => {
              for (const until = performance.now() + 2000; performance.now() < until; ) {
                const text = await navigator.clipboard.readText();
                if (text !== nothing) return text;
                await new Promise(done => setTimeout(done, 20));
              }
              return nothing;
            }""",
            NOTHING,
        )
    return [] if copied.strip() == text.strip() else [f"cell {text[:60]!r}, clipboard {copied[:60]!r}"]


async def probe(page) -> list[tuple[str, str]]:
    """Run every probe; (kind, detail) pairs."""
    found = {kind: await page.evaluate(f"() => {{ {DEEP} return {code}; }}") for kind, code in PROBES.items()}
    return [(kind, detail) for kind, details in found.items() for detail in details]


async def resize(page, width: int) -> None:
    """Change the width and wait until sidebars have slid to their place and scripts have answered."""
    if page.viewport_size["width"] != width:
        await page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
        await page.wait_for_timeout(350)  # the theme answers a resize after 300 ms, and says nothing when it has
        await page.evaluate(STILL)


# A tab is handed from page to page: what a page left in it is forgotten before the next one's scripts run.
FORGET = "try { sessionStorage.clear(); window.name = ''; } catch { /* a page without storage */ }"


class Tabs:
    """`count` tabs at a time, in one fresh profile a mode: light starts on a desktop, dark on a phone."""

    def __init__(self, count: int):
        self.free, self.clipboard = asyncio.Semaphore(count), asyncio.Lock()  # one clipboard for all
        self.profiles, self.idle = {}, collections.defaultdict(list)  # mode -> context, mode -> pages

    async def open(self, chrome, base: str) -> "Tabs":
        for mode, width in zip(MODES, WIDTHS, strict=True):
            viewport = {"width": width, "height": HEIGHTS[width]}
            profile = self.profiles[mode] = await chrome.new_context(viewport=viewport, color_scheme=mode)
            await profile.grant_permissions(["clipboard-read", "clipboard-write"], origin=base.rstrip("/"))
            await profile.add_init_script(FORGET)
        return self

    async def close(self) -> None:
        for profile in self.profiles.values():
            await profile.close()

    @contextlib.asynccontextmanager
    async def tab(self, mode: str):
        """A tab that shows nothing, at the mode's first width; one that could not be left empty is closed."""
        page = self.idle[mode].pop() if self.idle[mode] else await self.profiles[mode].new_page()
        try:
            yield page
            width = WIDTHS[MODES.index(mode)]
            await page.goto("about:blank")
            if page.viewport_size["width"] != width:
                await page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
            self.idle[mode].append(page)
        except Error:
            await page.close()


async def examine(tabs: Tabs, mode: str, address: str, inside: str, findings: list[tuple[str, str]], look) -> None:
    """Open an address in a tab, let it settle and `look(page)`; what it asks for and complains about is found too."""
    async with tabs.tab(mode) as page:
        try:
            with listening(page, inside, findings):
                await page.goto(address, wait_until="load", timeout=180_000)  # a busy machine is no finding
                await page.evaluate(SETTLE)
                await look(page)
        except Error as error:
            findings.append(("failed", f"the page could not be opened or examined: {str(error).splitlines()[0]}"))


class Site(NamedTuple):
    """What every check needs: the folder, its address, axe, where screenshots go, allowances used so far.

    `every_view`: contrast is judged in every view.
    """

    root: pathlib.Path
    base: str
    axe: str
    shots: pathlib.Path | None
    used: set[int]
    every_view: bool = False


async def check_mode(site: Site, tabs: Tabs, name: str, mode: str, widths: tuple[int, ...]) -> list[Finding]:
    """One page in one mode: opened at the first width, then resized to the others."""
    findings, general = [], []

    async def look(page):
        theme = await page.evaluate("document.documentElement.dataset.theme")
        if theme not in (mode, None):
            general.append(("theme", f"the browser asks for {mode}, the page is {theme}"))
        if widths[0] == WIDTHS[0]:
            general.extend([("copy", detail) for detail in await check_copy(page, tabs.clipboard)])
        for width in widths if site.shots else ():
            await resize(page, width)
            await page.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
            path = site.shots / f"{name.removesuffix('.html').replace('/', '--')}.{mode}.{width}.png"
            await page.screenshot(path=str(path), full_page=True)
        await page.evaluate(UNFOLD)
        await page.evaluate(STILL)
        await page.evaluate(site.axe)
        for width in widths:
            await resize(page, width)
            contrast = site.every_view or width == widths[0]
            found = await probe(page) + [("axe", detail) for detail in await run_axe(page, site.used, contrast)]
            findings.extend([Finding(name, f"http {mode} {width}", *pair) for pair in found])

    await examine(tabs, mode, site.base + name, site.base, general, look)
    return [Finding(name, f"http {mode} {widths[0]}", *pair) for pair in general] + findings


async def check_in_folder(site: Site, tabs: Tabs, name: str) -> list[Finding]:
    """One page opened from the folder."""
    found = []

    async def look(page):
        found.extend(await probe(page))

    await examine(tabs, "light", (site.root / name).as_uri(), site.root.as_uri(), found, look)
    return [Finding(name, "file:// light 1280", *pair) for pair in found]


async def check_pages(chrome, site: Site, names: list[str], count: int, progress) -> list[Finding]:
    """Every page in every mode and width over http and once from the folder, in `count` tabs of one browser."""
    found = {name: [] for name in names}
    left, spent = dict.fromkeys(names, 3), dict.fromkeys(names, 0.0)  # views, seconds
    tabs = await Tabs(count).open(chrome, site.base)

    async def view(name, check, *how):
        async with tabs.free:
            start = time.perf_counter()
            found[name] += await check(site, tabs, name, *how)
            spent[name] += time.perf_counter() - start
        left[name] -= 1
        if not left[name]:
            done = sum(not views for views in left.values())
            verdict = f"{len(found[name])} findings" if found[name] else "ok"
            progress(f"[{done:2}/{len(names)}] {name} {verdict} {spent[name]:.1f} s")

    size = lambda name: (site.root / name).stat().st_size if (site.root / name).exists() else 0
    views = []
    for name in sorted(names, key=size, reverse=True):  # so that no large page is left for the end
        views += [view(name, check_mode, "light", WIDTHS), view(name, check_mode, "dark", WIDTHS[::-1])]
        views.append(view(name, check_in_folder))
    try:
        await asyncio.gather(*views)
    finally:
        await tabs.close()
    return [finding for name in names for finding in found[name]]


# --- the whole site: theme switch and search --------------------------------------------------------------------------


async def theme_of(page) -> tuple[str, str]:
    """The page's theme and the colour a reader sees behind the text."""
    return tuple(
        await page.evaluate(
            "[document.documentElement.dataset.theme,"
            " [document.body, document.documentElement].map(e => getComputedStyle(e).backgroundColor).join(' ')]"
        )
    )


async def check_theme(chrome, site: Site, names: list[str], width: int) -> list[Finding]:
    """The switch reaches light and dark, they look different, and the choice holds on the next page."""
    context = await chrome.new_context(viewport={"width": width, "height": HEIGHTS[width]}, color_scheme="light")
    page, view = await context.new_page(), f"http {width}"
    report = functools.partial(Finding, names[0], view, "theme")
    try:
        await page.goto(site.base + names[0], wait_until="load")
        button = page.locator("button.theme-switch-button:visible")
        if not await button.count():
            return [report("no visible theme switch")]
        seen = dict([await theme_of(page)])
        for _ in range(3):
            await button.first.click()
            seen.update([await theme_of(page)])
            if (await theme_of(page))[0] == "dark":
                break
        if len(set(seen.values())) < 2 or "dark" not in seen:
            return [report(f"the switch reaches only {sorted(map(str, seen))}")]
        await page.goto(site.base + names[-1], wait_until="load")
        if (await theme_of(page))[0] != "dark":
            text = f"dark was chosen on {names[0]}, but this page opens {(await theme_of(page))[0]}"
            return [Finding(names[-1], view, "theme", text)]
        return []
    finally:
        await context.close()


def searchable(parsed: dict[str, PageParser]) -> tuple[str, str]:
    """A page and the longest word of its title that no other title has: searching for it must find the page."""
    words = {page: set(re.findall(r"[A-Za-z]{4,}", p.title)) for page, p in parsed.items() if not p.redirects}
    for page, own in sorted(words.items()):
        others = set().union(*(w for other, w in words.items() if other != page))
        alone = own - others
        if alone and page not in ("search.html", "genindex.html"):
            return page, max(sorted(alone), key=len)
    raise ValueError("no page has a title of its own to search for; give each page one h1")


async def check_search(chrome, site: Site, parsed: dict[str, PageParser]) -> list[Finding]:
    """Typing a title word into the search field finds the page; from the folder the search page says what it lacks."""
    wanted, word = searchable(parsed)
    report = functools.partial(Finding, "search.html")
    context, findings = await chrome.new_context(), []
    page = await context.new_page()
    try:
        await page.goto(site.base + "search.html", wait_until="load")
        try:
            await page.locator("form.bd-search input:visible").first.fill(word, timeout=3000)
            await page.keyboard.press("Enter")
            await page.locator(f"#search-results a[href*='{wanted}']").first.wait_for(timeout=6000)
        except TimeoutError:
            findings.append(report("http", "search", f"searching for {word!r} does not find {wanted}"))
        await page.goto((site.root / "search.html").as_uri() + "?q=" + word, wait_until="load")
        try:
            await page.get_by_text(re.compile("needs a server", re.IGNORECASE)).first.wait_for(timeout=3000)
        except TimeoutError:
            findings.append(report("file://", "search", "does not say that search needs a server"))
        return findings
    finally:
        await context.close()


async def check_behaviour(chrome, site: Site, names: list[str], parsed: dict[str, PageParser]) -> list[Finding]:
    findings = await check_search(chrome, site, parsed)
    for width in WIDTHS:
        findings += await check_theme(chrome, site, names, width)
    return findings


def stale_allowances(used: set[int]) -> list[Finding]:
    return [
        Finding("tests/browser/check_site.py", "ALLOWED", "axe", f"no page needs the allowance {entry[:2]} any more")
        for i, entry in enumerate(ALLOWED)
        if i not in used
    ]


# --- all of it --------------------------------------------------------------------------------------------------------


async def check(
    chrome, root, parsed, *, only="*", shots=None, tabs=3, every_view=False, progress=print
) -> list[Finding]:
    """`check_site` in a browser that is open, of pages that are parsed."""
    names = [name for name, page in parsed.items() if not page.redirects and fnmatch.fnmatch(name, only)]
    if shots:
        pathlib.Path(shots).mkdir(parents=True, exist_ok=True)
    with serve(root) as base:
        site = Site(root, base, axe_source(), shots and pathlib.Path(shots), set(), every_view)
        findings = check_links(root, parsed) + await check_pages(chrome, site, names, tabs, progress)
        if only == "*":
            findings += await check_behaviour(chrome, site, [n for n in names if n != "search.html"], parsed)
            findings += stale_allowances(site.used)
    return sorted(set(findings))


def check_site(root, **options) -> list[Finding]:
    """All findings of a built book, in order of page, view and kind.

    Options: `only` restricts the pages that are opened (links are always checked); `shots` is a folder for full-page
    pictures; `tabs` is how many pages are open at a time; `every_view` judges contrast in each of the four views, not in
    two; `progress` is told when a page is done.
    """
    root = pathlib.Path(root).resolve()
    parsed = parse_pages(root, book_pages(root))
    if not parsed:
        sys.exit(f"no pages in {root}: run `make book` first")

    async def alone():
        async with browser() as chrome:
            return await check(chrome, root, parsed, **options)

    return asyncio.run(alone())


def report(findings: list[Finding]) -> str:
    """The findings as text: grouped by page and kind, the views of the same detail on one line."""
    groups: dict[tuple[str, str, str], list[str]] = {}  # (page, kind, detail) -> views
    for page, view, kind, detail in findings:
        groups.setdefault((page, kind, detail), []).append(view)
    lines, last = [], None
    for (page, kind, detail), views in groups.items():
        if page != last:
            lines.append(f"\n{page}")
            last = page
        lines.append(f"  {kind:10} {detail}\n             in {', '.join(views)}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", help="folder of the built book, such as _build/html")
    parser.add_argument("--shots", help="save a full-page picture of every page in every view to this folder")
    parser.add_argument("--json", help="write the findings to this file")
    parser.add_argument("--only", default="*", help="open only the pages that match, such as 'notebooks/*'")
    parser.add_argument("--tabs", type=int, default=3, help="pages open at a time (default 3)")
    parser.add_argument("--every-view", action="store_true", help="judge contrast in all four views")
    args = parser.parse_args()
    start = time.perf_counter()
    progress = functools.partial(print, flush=True)
    options = dict(only=args.only, shots=args.shots, tabs=args.tabs, every_view=args.every_view)
    findings = check_site(args.root, **options, progress=progress)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps([f._asdict() for f in findings], indent=1) + "\n")
    if findings:
        print(report(findings))
    print(f"{len(findings)} findings, {time.perf_counter() - start:.0f} s")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
