"""The browser check reports each kind of broken page, and nothing else about it.

A small site stands for the book: it has the theme switch, search and copy button the check looks for. One clean page
and one page for each kind of defect are served together, so that one run of the check judges them all.
"""

import asyncio
import contextlib
import pathlib
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("playwright")
HERE = pathlib.Path(__file__).resolve().parent
import check_site as checker

ROOT = HERE.parents[1]
MATHJAX = "vendor/mathjax/tex-chtml-full.js"
RED_DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO"
    "9TXL0Y4OHwAAAABJRU5ErkJggg=="
)

THEME = """<script>
  const root = document.documentElement, system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.theme = localStorage.getItem("theme") || system;
  const flip = () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  };
</script>
<style>
  body { background: #fff; color: #111; margin: 1em } a, pre { color: inherit }
  html[data-theme=dark] body { background: #111; color: #eee }
</style>"""

CELL = """<div class="highlight"><pre>print(1)
</pre><button class="copybtn" onclick="navigator.clipboard.writeText('print(1)')">Copy</button></div>"""

SEARCH = """<form class="bd-search" action="search.html"><label>Search <input name="q" type="search"></label></form>
<ul id="search-results"></ul><p id="server" hidden>Search needs a server: run make serve.</p>
<script>
  const q = new URLSearchParams(location.search).get("q");
  if (location.protocol === "file:") server.hidden = false;
  else if (q && "clean".includes(q.toLowerCase()))
    document.getElementById("search-results").innerHTML = '<li><a href="clean.html">Clean</a></li>';
</script>"""

# kind -> what is put into an otherwise clean page
BROKEN = {
    "console": "<script>undefinedFunction()</script>",
    "external": "<script async src='https://example.org/tracker.js'></script>",
    "failed": "<script>fetch('not-there.json').catch(() => {})</script>",
    "image": "<img src='data:image/png;base64,AAAA' alt='a photo cut into patches'>",
    "alt": f"<img src='{RED_DOT}'>",
    "overflow": "<div style='width: 700px'>wider than a phone</div>",
    "math": f"<script async src='{MATHJAX}'></script><p class='math notranslate'>\\(\\frac{{1}}\\)</p>",
    "explorable": "<mm-explore-nothing></mm-explore-nothing>",
    "axe": "<label>Width</label><select><option>1280</option></select>",
    "copy": CELL.replace("writeText('print(1)')", "writeText('$ print(1)')"),
    "link": "<a href='clean.html#no-such-anchor'>see the proof</a>",
    "theme": "<script>document.documentElement.dataset.theme = 'light'</script>",
    "search": SEARCH.replace('"clean".includes', '"".includes'),
}

# The same kinds, seen in another way: name -> (kind, markup)
SUBTLE = {
    "console-late": ("console", "<script>setTimeout(() => console.error('late'), 50)</script>"),
    "failed-in-folder": ("failed", "<script>if (location.protocol === 'file:') new Image().src = 'gone.png'</script>"),
    "alt-file-name": ("alt", f"<img src='{RED_DOT}' alt='../_images/3f2a.png'>"),
    "alt-canvas": ("alt", "<canvas width=20 height=20></canvas>"),
    "alt-shadow": (
        "alt",
        f"<div id=h></div><script>h.attachShadow({{mode: 'open'}}).innerHTML = `<img src='{RED_DOT}'>`</script>",
    ),
    "overflow-clipped": (
        "overflow",
        "<style>html, body { overflow-x: hidden }</style><div style='width: 700px'>cut off on a phone</div>",
    ),
    "overflow-left": ("overflow", "<div style='margin-left: -40px'>its first words are missing</div>"),
    "math-unknown": (
        "math",
        f"<script async src='{MATHJAX}'></script><p class='math notranslate'>\\(\\notAMacro\\)</p>",
    ),
    "math-not-set": ("math", "<p class='math notranslate'>\\(x\\)</p>"),
    "explorable-empty": (
        "explorable",
        "<mm-explore-empty></mm-explore-empty><script>customElements.define('mm-explore-empty',"
        " class extends HTMLElement {})</script>",
    ),
    "axe-dark-contrast": ("axe", "<style>html[data-theme=dark] p.low { color: #444 }</style><p class=low>faint</p>"),
    "axe-code": ("axe", "<pre><span>import</span> <span>numpy</span> <span style='color: #999'># faint</span></pre>"),
    "axe-folded": (
        "axe",
        "<details><summary>Hint</summary><p style='color: #777; background: #888'>grey on grey</p></details>",
    ),
    "copy-missing": ("copy", "<div class='highlight'><pre>print(1)</pre></div>"),
    "link-no-file": ("link", "<a href='gone.html'>the next chapter</a>"),
}

# What must not be reported: an explorable that lives, its state as an anchor, decoration, a scrolling table, maths.
GOOD = f"""{CELL}
<p id="here">Back to <a href="#here">here</a>, <a href="clean.html#patches:h=32,w=64">a state</a>.</p>
<mm-explore-patches></mm-explore-patches>
<script>customElements.define("mm-explore-patches", class extends HTMLElement {{
  constructor() {{ super(); this.attachShadow({{mode: "open"}}).innerHTML = "<p>alive</p>"; }} }});</script>
<img src="{RED_DOT}" alt="a red dot"><img src="{RED_DOT}" alt="" role="presentation">
<div style="overflow-x: auto" tabindex="0"><div style="width: 900px">a wide table</div></div>
<script async src="{MATHJAX}"></script><p class="math notranslate">\\(\\frac{{1}}{{2}}\\)</p>"""


def page(title: str, body: str, theme: str = THEME, switch: str = "flip()") -> str:
    return f"""<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">{theme}</head>
<body><main><h1>{title}</h1><button class="theme-switch-button" onclick="{switch}">Color mode</button>
{body}</main></body></html>"""


def write_site(folder: pathlib.Path, pages: dict[str, str]) -> pathlib.Path:
    """A site of the given pages, a clean one and a search page, unless they are given."""
    pages = {"clean": page("Clean", GOOD), "search": page("Find", SEARCH)} | pages
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "book/vendor/mathjax", folder / "vendor/mathjax")
    return folder


def quiet(text):
    pass


@pytest.fixture(scope="module")
def ask():
    """Run one of the checker's coroutines in a Chromium that all tests of this file share."""
    with asyncio.Runner() as runner:
        opened = contextlib.AsyncExitStack()
        chrome = runner.run(opened.enter_async_context(checker.browser()))
        yield lambda check, *what, **options: runner.run(check(chrome, *what, **options))
        runner.run(opened.aclose())


def parse(folder: pathlib.Path) -> dict:
    return checker.parse_pages(folder, checker.book_pages(folder))


@pytest.fixture(scope="module")
def judged(ask, tmp_path_factory):
    """The findings about a site with one page for each defect: name of the page -> set of kinds."""
    markup = BROKEN | {name: body for name, (_, body) in SUBTLE.items()}
    pages = {name: page("Broken page", body) for name, body in markup.items()}
    folder = write_site(tmp_path_factory.mktemp("site"), pages)
    findings = ask(checker.check, folder, parse(folder), progress=quiet)
    kinds = {name: set() for name in [*markup, "clean"]}
    for finding in findings:
        kinds[finding.page.removesuffix(".html")].add(finding.kind)
    return kinds, findings


@pytest.mark.parametrize(
    ("name", "kind"), [(kind, kind) for kind in BROKEN] + [(name, kind) for name, (kind, _) in SUBTLE.items()]
)
def test_a_broken_page_is_reported_by_its_kind_alone(judged, name, kind):
    kinds, findings = judged
    assert kinds[name] == {kind}, checker.report([f for f in findings if f.page == f"{name}.html"])


def test_a_clean_page_beside_them_passes(judged):
    kinds, findings = judged
    assert not kinds["clean"], checker.report(findings)


def views(judged, name):
    return {finding.view for finding in judged[1] if finding.page == f"{name}.html"}


def test_a_finding_names_the_views_it_is_seen_in(judged):
    assert views(judged, "overflow") == {"http light 375", "http dark 375"}
    assert views(judged, "axe-dark-contrast") == {"http dark 375"}
    assert views(judged, "failed-in-folder") == {"file:// light 1280"}


def test_contrast_is_judged_in_every_view_on_request(ask, tmp_path):
    pages = {"faint": page("Faint page", SUBTLE["axe-dark-contrast"][1])}
    folder = write_site(tmp_path, pages)
    findings = ask(checker.check, folder, parse(folder), only="faint*", every_view=True, progress=quiet)
    assert {finding.view for finding in findings} == {"http dark 1280", "http dark 375"}


def behaviour(ask, folder: pathlib.Path) -> set[tuple[str, str]]:
    """Kind and first word of the view of each finding about a site's theme switch and search."""
    parsed = parse(folder)
    names = [name for name in parsed if name != "search.html"]
    with checker.serve(folder) as base:
        site = checker.Site(folder, base, "", None, set())
        return {(found.kind, found.view.split()[0]) for found in ask(checker.check_behaviour, site, names, parsed)}


FORGETFUL = THEME.replace('localStorage.getItem("theme") ||', "")
SAME_COLOURS = THEME.replace("background: #111; color: #eee", "background: #fff; color: #111")
SITE_DEFECTS = {
    "no theme switch": ({"clean": page("Clean", CELL).replace("theme-switch-button", "")}, {("theme", "http")}),
    "dead theme switch": ({"clean": page("Clean", CELL, switch="")}, {("theme", "http")}),
    "dark looks like light": ({"clean": page("Clean", CELL, theme=SAME_COLOURS)}, {("theme", "http")}),
    "forgotten theme": ({"next": page("Next", "", theme=FORGETFUL)}, {("theme", "http")}),
    "dead search": ({"search": page("Find", BROKEN["search"])}, {("search", "http")}),
    "silent search in a folder": (
        {"search": page("Find", SEARCH.replace("server.hidden = false", "server.hidden = true"))},
        {("search", "file://")},
    ),
}


@pytest.mark.parametrize("defect", SITE_DEFECTS)
def test_a_broken_site_is_reported_by_its_kind_alone(ask, tmp_path, defect):
    pages, kinds = SITE_DEFECTS[defect]
    assert behaviour(ask, write_site(tmp_path, pages)) == kinds


def test_a_page_that_cannot_be_opened_is_a_finding_and_the_others_are_judged(ask, tmp_path):
    folder = write_site(tmp_path, {"bad": page("Bad", BROKEN["alt"])})
    with checker.serve(folder) as base:
        site = checker.Site(folder, base, checker.axe_source(), None, set())
        found = ask(checker.check_pages, site, ["gone.html", "bad.html"], 2, quiet)
    details = [one.detail for one in found if one.page == "gone.html" and one.view.startswith("file")]
    assert any(detail.startswith("the page could not be opened") for detail in details)
    assert {one.kind for one in found if one.page == "bad.html"} == {"alt"}


def test_findings_come_in_the_same_order_however_many_tabs(ask, judged, tmp_path):
    """One tab goes from page to page, several shared them with all other broken pages."""
    names = ["alt", "axe", "image", "explorable"]
    folder = write_site(tmp_path, {name: page("Broken page", BROKEN[name]) for name in names})
    one = ask(checker.check, folder, parse(folder), only="[aei]*", tabs=1, progress=quiet)
    several = [found for found in judged[1] if found.page.removesuffix(".html") in names]
    assert one == several == sorted(one) and {found.page for found in one} == {f"{name}.html" for name in names}


# What a page may leave behind in its tab or its profile, and what another one would show if it found it: the pages of a
# tab that is used again are judged as those of a fresh one. Only what the page keeps on purpose for the book stays.
LEAVES = """<style>body { height: 5000px }</style><script>
  sessionStorage.setItem("left", "behind"); window.name = "left behind"; globalThis.left = "behind";
  addEventListener("beforeunload", () => sessionStorage.setItem("later", "behind"));
  addEventListener("load", () => { scrollTo(0, 3000); setTimeout(() => console.error("late"), 20_000); });
</script>"""
FINDS = """<style>h1:hover { visibility: hidden } @media (max-width: 1000px) { h1 { display: none } }</style><script>
  const found = [...Object.keys(sessionStorage), window.name, globalThis.left ?? "", scrollY || ""].filter(Boolean);
  if (found.length) console.error(`found ${found}`);
</script>"""


@pytest.mark.parametrize("site_at", ["http", "file"])
def test_a_tab_that_is_used_again_remembers_nothing(ask, tmp_path, site_at):
    folder = write_site(tmp_path, {"leaves": page("Leaves", LEAVES), "finds": page("Finds", FINDS)})

    async def visits(chrome, base, root):
        tabs = await checker.Tabs(1).open(chrome, base)
        found, seen, at = [], [], (folder.as_uri() + "/" if site_at == "file" else base)

        async def leave(page):
            await checker.resize(page, 375)
            await page.hover("h1")
            await page.mouse.down()
            seen.append(page)

        async def find(page):
            assert await page.locator("h1").is_visible() and page.viewport_size["width"] == 1280
            seen.append(page)

        await checker.examine(tabs, "light", at + "leaves.html", at, found, leave)
        await checker.examine(tabs, "light", at + "finds.html", at, found, find)
        await tabs.close()
        return found, seen

    with checker.serve(folder) as base:
        found, seen = ask(visits, base, folder)
    assert found == [] and seen[0] is seen[1]


def run(*arguments):
    command = [sys.executable, str(HERE / "check_site.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_accepts_a_clean_site(tmp_path):
    done = run(write_site(tmp_path, {}))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "clean.html ok" in done.stdout


def test_the_command_fails_and_prints_what_and_where(tmp_path):
    site = write_site(tmp_path, {"bad": page("Bad", BROKEN["alt"])})
    done = run(site, "--only", "bad.html", "--json", tmp_path / "findings.json", "--shots", tmp_path / "shots")
    assert done.returncode == 1, done.stderr
    assert "bad.html\n  alt        <img" in done.stdout
    assert '"kind": "alt"' in (tmp_path / "findings.json").read_text()
    assert sorted(p.name for p in (tmp_path / "shots").iterdir()) == [
        f"bad.{mode}.{width}.png" for mode in ("dark", "light") for width in (1280, 375)
    ]


def test_it_says_what_to_install_without_chromium(monkeypatch):
    monkeypatch.setenv("CHROMIUM", "/no/such/chromium")
    with pytest.raises(SystemExit, match="apt-get install chromium"):
        checker.chromium()


def test_it_says_what_to_run_without_a_book(tmp_path):
    with pytest.raises(SystemExit, match="make book"):
        checker.check_site(tmp_path)
