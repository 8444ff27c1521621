"""What this book adds to Jupyter Book 1, so that its pages ask nobody for anything and pass the browser check.

Each function below is one change, connected to Sphinx at the end of the file. Nothing here reads the chapters.
"""

import hashlib
import html
import pathlib
import re
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
VENDOR = HERE.parent / "vendor"
sys.path.insert(0, str(HERE.parents[1]))  # the API page reads the library beside the book, installed or not


def theme_defaults(app, config):
    """One search field (the theme would show a second one at the top) and the templates of this folder."""
    config.html_theme_options.setdefault("navbar_persistent", [])
    config.templates_path.append(str(HERE / "templates"))


def own_assets(app):
    """Load every style sheet and script of book/_static/ and of this folder, and serve book/vendor/ beside them."""
    if app.builder.format != "html":
        return
    own = [path for path in app.config.html_static_path if not pathlib.Path(path).is_absolute()]  # not the extensions'
    app.config.html_static_path.append(str(HERE / "static"))
    for folder in [pathlib.Path(app.srcdir, path) for path in own] + [HERE / "static"]:
        for path in sorted(folder.glob("*.css")):
            app.add_css_file(path.name, priority=900)  # after the theme's
        for path in sorted(folder.glob("*.js")):
            app.add_js_file(path.name)
    shutil.copytree(VENDOR, pathlib.Path(app.outdir, "vendor"), dirs_exist_ok=True)


def drop_thebe(app, pagename, templatename, context, doctree):
    """Thebe needs a kernel in the cloud; its scripts are declared twice, which is an error on every page."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in str(getattr(script, "filename", None) or "").lower()
        and "THEBE_JS_URL" not in script.attributes.get("body", "")
    ]


def mend_markup(app, pagename, templatename, context, doctree):
    """Markup of Sphinx and MyST-NB that a screen reader stumbles over."""
    mended = {
        # a folded cell: the label hides the words "Show code cell source", which say more
        '<summary aria-label="Toggle hidden content">': "<summary>",
        # a bibliography: a list has list items; the role it is given instead is deprecated
        'role="doc-biblioentry"': 'role="listitem"',
    }
    for old, new in mended.items():
        context["body"] = context.get("body", "").replace(old, new)


FRONT = re.compile(r"<!-- mm:front (\w+) --><script>(.*?)</script><!-- /front -->", re.S)


def front_ends_as_files(app, pagename, templatename, context, doctree):
    """What explorables carry in notebooks, their shared base and their scripts, become files that pages share.

    A page loads each once. A file's name holds a hash of its text, so that no browser keeps an old one.
    """
    loaded = set()

    def reference(found):
        name, text = found.groups()
        path = f"_static/explore/{name}.{hashlib.sha256(text.encode()).hexdigest()[:10]}.js"
        if path in loaded:
            return ""
        loaded.add(path)
        file = pathlib.Path(app.outdir, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return f'<script src="{html.escape(context["pathto"](path, True))}"></script>'

    context["body"] = FRONT.sub(reference, context.get("body", ""))


def name_sidebar_arrows(app, pagename, templatename, context, doctree):
    """The arrow that unfolds a chapter's sections in the sidebar is a button with no name: give it one."""
    draw = context["generate_toctree_html"]

    def drawn(*args, **kwargs):
        soup = draw(*args, **kwargs)
        for arrow in soup.select("li > a + details > summary"):
            arrow["aria-label"] = f"Sections of {arrow.find_parent('li').a.get_text(strip=True)}"
        return soup

    context["generate_toctree_html"] = drawn


def drop_source_maps(app, exception):
    """Source maps are a third of the output and serve only the theme's authors."""
    for path in pathlib.Path(app.outdir).rglob("*.map"):
        path.unlink()


def root_page(app, exception):
    """The folder's index.html sends the reader to the first page; give it what a page owes (language, title, icon)."""
    if exception or app.builder.name != "html" or app.config.root_doc == "index":
        return
    target, title = html.escape(app.config.root_doc + ".html"), html.escape(app.config.html_title or app.config.project)
    icon = html.escape("_static/" + pathlib.Path(app.config.html_favicon or "favicon.ico").name)
    pathlib.Path(app.outdir, "index.html").write_text(
        f'<!DOCTYPE html>\n<html lang="{app.config.language or "en"}"><head><meta charset="utf-8">\n'
        f'<title>{title}</title><link rel="icon" href="{icon}">\n'
        f'<meta http-equiv="refresh" content="0; url={target}"><link rel="canonical" href="{target}"></head>\n'
        f'<body><main><h1>{title}</h1><p><a href="{target}">Open the book</a></p></main></body></html>\n',
        encoding="utf-8",
    )


def setup(app):
    app.connect("config-inited", theme_defaults)
    app.connect("builder-inited", own_assets)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("html-page-context", mend_markup)
    app.connect("html-page-context", front_ends_as_files)
    app.connect("html-page-context", name_sidebar_arrows, priority=900)
    app.connect("build-finished", drop_source_maps)
    app.connect("build-finished", root_page, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
