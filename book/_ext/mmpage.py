"""What a page of the book shows around its text: where it stands, what it asks, its lab, its words explained in place.

The functions above the line "Sphinx" take text and give text (tests/book/test_page.py calls them); those below are
tied to its events.
"""

import html
import itertools
import pathlib
import posixpath
import re
import sys
import tomllib

import yaml
from bs4 import BeautifulSoup

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import draw_map  # noqa: E402  (it is in tools/, put on the path above)

GLOSSARY, REFERENCES = "book/glossary", "book/references"
CHAPTERS, LABS = "notebooks/", "notebooks/lab/"


# --- chapters, questions, neighbours ----------------------------------------------------------------------------------


def questions():
    """stem -> the question its chapter answers."""
    return tomllib.loads((ROOT / "book" / "questions.toml").read_text(encoding="utf-8"))


def stem_of(page):
    """The stem of a chapter or of a lab, "" for any other page.

    >>> stem_of("notebooks/vq"), stem_of("notebooks/lab/vq"), stem_of("book/intro")
    ('vq', 'vq', '')
    """
    found = re.fullmatch(rf"{CHAPTERS}(?:lab/)?(\w+)", page)
    return found[1] if found else ""


def is_chapter(page):
    return bool(stem_of(page)) and not page.startswith(LABS)


def neighbours(order, page):
    """(page before, page after) as a reader of the story goes: from chapter to chapter, no lab on the way.

    From a lab the way back is its chapter. None where the book ends.
    """
    story = [p for p in order if not p.startswith(LABS)]
    if page.startswith(LABS):
        own = CHAPTERS + stem_of(page)
        return own, neighbours(order, own)[1]
    if page not in story:
        return None, None
    at = story.index(page)
    return (story[at - 1] if at else None), (story[at + 1] if at + 1 < len(story) else None)


def question_table(asked, links):
    """The front page's table of questions, in Markdown; `links` is stem -> address of the chapters that are written."""
    rows = ["| chapter | the question |", "|---|---|"]
    for stem, question in asked.items():
        name = draw_map.PLACES[stem][0]
        rows.append(f"| {f'[{name}]({links[stem]})' if stem in links else name} | {question} |")
    return "\n".join(rows) + "\n"


def stations(stem, links):
    """The line of chapters with this one marked; `links` as this page sees them, for the chapters that are written."""
    items = []
    for number, (other, (name, _)) in enumerate(draw_map.PLACES.items(), 1):
        label = f"<b>{number}</b> <span>{html.escape(name)}</span>"
        if other == stem:
            items.append(f'<li class="mm-here"><a href="{links.get(other, "#")}" aria-current="true">{label}</a></li>')
        elif other in links:
            items.append(f'<li><a href="{html.escape(links[other])}" title="{html.escape(name)}">{label}</a></li>')
        else:
            items.append(f'<li class="mm-later">{label} <i>coming</i></li>')
    return f"<ol>{''.join(items)}</ol>"


def around(before, after):
    """The neighbours of a chapter, for its top; each is a page's (address, title, question), or None."""
    sides = []
    for page, shown in ((before, "← <b>{}</b>"), (after, "<b>{}</b> →")):
        if page:
            link, title, question = page
            asks = f' <span class="mm-next-asks">{html.escape(question)}</span>' if question else ""
            sides.append(f'<a href="{html.escape(link)}">{shown.format(title)}{asks}</a>')
        else:
            sides.append("<i></i>")
    return f'<div class="mm-around">{"".join(sides)}</div>'


def framed(body, above, below):
    """Put `above` before the page's first section and `below` behind its title."""
    start = body.find("<section")
    return body[: max(start, 0)] + above + body[max(start, 0) :].replace("</h1>", "</h1>\n" + below, 1)


# --- links while there is no address ----------------------------------------------------------------------------------


def is_placeholder(address):
    """Whether the repository's address is the one that leads nowhere."""
    return not address or "/OWNER/" in address + "/"


def address_pattern(address):
    """Matches the start of every URL of the repository, at GitHub and in Colab, in single groups of an <a> element."""
    slug = re.escape(address.removeprefix("https://github.com/"))
    return rf"https://(?:github\.com|raw\.githubusercontent\.com|colab\.research\.google\.com/github)/{slug}(?=[/\"#?])"


def hide_dead_links(body, address):
    """Without an address, what would link to the repository is plain text."""
    return re.sub(rf'<a\b[^>]*\bhref="{address_pattern(address)}[^"]*"[^>]*>(.*?)</a>', r"\1", body, flags=re.DOTALL)


def badges(body, page, address):
    """The links under a notebook's title: Colab where there is an address, and the copy of the notebook in the book."""
    at = address_pattern(address)
    line = re.compile(
        rf'<p>(<a\b[^>]*href="{at}[^>]*>Open in Colab</a>)\s*<a\b[^>]*href="{at}[^>]*>Download</a></p>', re.DOTALL
    )
    here = posixpath.relpath(f"_sources/{page}.ipynb", posixpath.dirname(page) or ".")
    own = f'<a class="reference download" href="{here}" download>Download this notebook</a>'
    colab = "" if is_placeholder(address) else r"\1 "
    return line.sub(rf'<p class="mm-badges">{colab}{own}</p>', body, count=1)


# --- words explained in place -----------------------------------------------------------------------------------------


def mathml(tex):
    """A formula as MathML, which browsers set without a script."""
    from docutils.utils.math.latex2mathml import tex2mathml

    return re.sub(r"\s*\n\s*", "", tex2mathml(tex))


def plain(element):
    """The inner HTML of an element: no links inside the book, no citations, formulas as MathML, white space folded."""
    for citation in element.select(".bibtex-citation"):
        citation.decompose()
    for link in element.select("a.internal"):
        link.unwrap()
    for formula in element.select("span.math"):
        formula.replace_with(
            BeautifulSoup(mathml(formula.get_text().strip().removeprefix(r"\(").removesuffix(r"\)")), "html.parser")
        )
    text = re.sub(r"\s+", " ", "".join(p.decode_contents() + " " for p in element.select("p")))
    return re.sub(r" ([.,;:])", r"\1", text).strip()


def term_tips(fragment):
    """anchor -> the term and its definition, from the HTML of the glossary."""
    tips = {}
    for term in BeautifulSoup(fragment, "html.parser").select("dl.glossary > dt[id]"):
        meaning, name = term.find_next_sibling("dd"), term.find(string=True, recursive=False)
        tips[term["id"]] = f"<b>{html.escape(name.strip())}</b> {plain(meaning)}"
    return tips


def reference_tips(fragment):
    """anchor -> the reference, with its link to the paper, from the HTML of the list of references."""
    found = BeautifulSoup(fragment, "html.parser").select(".citation[id]")
    return {entry["id"]: f"<b>{entry.select_one('.label').get_text()}</b> {plain(entry)}" for entry in found}


def with_tips(body, page, tips):
    """Mark the links of a page that a tip explains, and add these tips to its end, out of sight.

    tips: page -> anchor -> HTML. A script (mm-page.js) shows them; without it the links are links.
    """
    used = {}

    def marked(match):
        path, anchor = match[2], match[3]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page + ".html"
        tip = tips.get(target.removesuffix(".html"), {}).get(anchor)
        if tip is None:
            return match[0]
        used[anchor] = tip
        return f'{match[1]} data-tip="{anchor}"'

    body = re.sub(r'(<a class="reference internal" href="([^"#]*)#([^"]+)")', marked, body)
    if not used:
        return body
    rows = "".join(f'<div data-for="{anchor}">{tip}</div>\n' for anchor, tip in used.items())
    return f'{body}<template id="mm-tips">\n{rows}</template>\n'


def term_for(words, terms):
    """The glossary's name of an emphasised word, singular or plural, or None.

    The name of a chapter is no term, unless it is one word for word.

    >>> [term_for(w, {"code", "latency", "patch", "m-rope"}) for w in ("latencies", "codex", "Patches", "M-RoPE")]
    ['latency', None, None, 'm-rope']
    """
    word = " ".join(words.split()).lower()
    if words in (name for name, _ in draw_map.PLACES.values()) and word not in terms:
        return None
    forms = [word, word.removesuffix("s"), word.removesuffix("es"), re.sub("ies$", "y", word)]
    return next((form for form in forms if form in terms), None)


# --- questions --------------------------------------------------------------------------------------------------------


def with_answers(body):
    """Number a page's questions as plain text has them, and put their answers, for print alone, at the page's end.

    The plain text is what `quiz.ask` writes between its tags (mmtokedu/course/quiz/_element.py).
    """
    numbers = itertools.count(1)
    label = re.compile(r'(<p class="mm-ask-label"><b>)(\w+)[^<]*(?=</b>)')  # "Question 2 of 5" is counted anew
    answer = re.compile(r'<details class="mm-ask-answer"><summary>.*?</summary>(.*?)</details>', re.DOTALL)
    answers = "".join(f"<li>{found}</li>\n" for found in answer.findall(body))
    if not answers:
        return body
    body = label.sub(lambda found: f"{found[1]}{next(numbers)}. {found[2]}", body)
    return f'{body}<section class="mm-answers" hidden><h2>Answers</h2><ol>\n{answers}</ol></section>\n'


# --- headings ---------------------------------------------------------------------------------------------------------


def heading_slug(title):
    """The fragment of a heading as JupyterLab has it, so that one link serves the notebook and the page.

    >>> heading_slug("From fit to weights")
    'From-fit-to-weights'
    """
    return title.replace(" ", "-")


# --- labs and folded parts --------------------------------------------------------------------------------------------


def lab_line(stem):
    """What stands under a lab's title."""
    name = html.escape(draw_map.PLACES[stem][0])
    return (
        f'<p class="mm-lab-line"><b>Lab</b> <span>of the chapter <a href="../{stem}.html">{name}</a>. '
        "Nothing in the chapter needs this page.</span></p>\n"
    )


def with_minutes(body):
    """A folded part whose classes (or a cell whose tags) hold `minutes-5` says "5 min" in its title."""
    return re.sub(
        r'(<(?:div|details|aside)\b[^>]*class="[^"]*?(?:\b|tag_)minutes-(\d+)\b[^"]*"[^>]*>(?:(?!<(?:div|details)\b[^>]*minutes-).)*?)(</p>|</summary>)',
        r'\1<span class="mm-minutes">\2 min</span>\3',
        body,
        flags=re.DOTALL,
    )


NUMBER = re.compile(r"^\s*(?:\d+\.)+\s+")  # of a page or a section
LAB = re.compile(r"^\s*Lab: (\w)")  # how a lab's title begins, which its mark says in the contents


def without_numbers(body):
    """A lab's headings, and links to them, without numbers: it is no section of its chapter.

    >>> without_numbers('<h1><span class="section-number">1.9. </span>Codebooks</h1>')
    '<h1>Codebooks</h1>'
    >>> without_numbers('<a class="reference internal" href="#play">1.9.1. Play</a>')
    '<a class="reference internal" href="#play">Play</a>'
    """
    body = re.sub(r'<span class="section-number">[^<]*</span>', "", body)
    return re.sub(r'(<a class="reference internal" href="#[^"]*">)(?:\d+\.)+\s+', r"\1", body)


def label_labs(soup, page):
    """Write "Lab" before the labs of a table of contents, in place of the number that a section would have."""
    for link in soup.select("a[href]"):
        path = link["href"].split("#")[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
        if target.startswith(LABS) and not link.select_one(".mm-lab-mark"):
            mark = soup.new_tag("span", attrs={"class": "mm-lab-mark"}) if hasattr(soup, "new_tag") else None
            mark.string = "Lab"
            for text in link.find_all(string=NUMBER):
                text.replace_with(NUMBER.sub("", text))
            for text in link.find_all(string=LAB):
                text.replace_with(LAB.sub(lambda title: title[1].upper(), text))
            link.insert(0, mark)
            mark.insert_after(" ")
    return soup


# --- Sphinx -----------------------------------------------------------------------------------------------------------


def contents():
    return yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))


def chapter_links(page):
    """stem -> address of its page as `page` sees it, for the chapters that are written."""
    written = [p for p in draw_map.pages(contents()) if is_chapter(p)]
    return {stem_of(p): posixpath.relpath(p + ".html", posixpath.dirname(page) or ".") for p in written}


def no_dead_buttons(app, config):
    """Without an address the theme shows no button that needs one; the tag `published` says that there is one."""
    options = config.html_theme_options
    config.mm_address = options.get("repository_url", "").rstrip("/")
    if is_placeholder(config.mm_address):
        for option in [o for o in options if o == "launch_buttons" or re.fullmatch("repository_.*|use_.*_button", o)]:
            del options[option]
        options["use_download_button"] = True
    else:
        app.tags.add("published")
    config.myst_heading_anchors, config.myst_heading_slug_func = 6, f"{__name__}.heading_slug"
    options["back_to_top_button"] = False  # mm-page.js brings one that stays where it is
    config.mm_questions = questions()


def write_table(app):
    """The front page includes its table of questions from here."""
    folder = ROOT / "book" / "_generated"
    folder.mkdir(exist_ok=True)
    links = {stem: f"/{CHAPTERS}{stem}.ipynb" for stem in chapter_links("book/intro")}
    table, path = question_table(questions(), links), folder / "questions.md"
    if not path.exists() or path.read_text(encoding="utf-8") != table:
        path.write_text(table, encoding="utf-8")


def link_first_uses(app, doctree, docname):
    """A term in italics, which is how a page introduces one, leads to the glossary, once a page."""
    from docutils import nodes
    from sphinx.util.nodes import make_refnode

    if docname == GLOSSARY:
        return
    objects = app.env.get_domain("std").objects
    terms = {name.lower(): place for (kind, name), place in objects.items() if kind == "term"}
    for words in list(doctree.findall(nodes.emphasis)):
        term = None if isinstance(words.parent, nodes.reference | nodes.title) else term_for(words.astext(), terms)
        if term:
            page, anchor = terms.pop(term)
            words.replace_self(make_refnode(app.builder, docname, page, anchor, words.deepcopy()))


def all_tips(app):
    """page -> anchor -> tip, made once a build."""
    if not hasattr(app, "mm_tips"):
        app.mm_tips = {}
        for page, read in ((GLOSSARY, term_tips), (REFERENCES, reference_tips)):
            if page in app.env.all_docs:
                tree = app.env.get_and_resolve_doctree(page, app.builder)
                app.mm_tips[page] = read(app.builder.render_partial(tree)["fragment"])
    return app.mm_tips


def dress(app, pagename, templatename, context, doctree):
    """Everything above, for one page."""
    if doctree is None or app.builder.format != "html":
        return
    body, stem, address = context.get("body", ""), stem_of(pagename), app.config.mm_address
    body = badges(body, pagename, address)
    if is_placeholder(address):
        body = hide_dead_links(body, address)
    body = with_minutes(with_tips(with_answers(body), pagename, all_tips(app)))
    set_neighbours(app, pagename, context)
    if stem in questions():
        lab = pagename.startswith(LABS)
        asks = f'<p class="mm-asks">{html.escape(questions()[stem])}</p>\n'
        sides = [p and (p["link"], p["title"], p["question"]) for p in (context["prev"], context["next"])]
        line = stations(stem, chapter_links(pagename)) + around(*sides)
        above = f'<nav class="mm-stations" aria-label="The chapters">{line}</nav>\n'
        body = framed(body, above, lab_line(stem) if lab else asks)
        context["page_class"] = "mm-lab" if lab else "mm-chapter"
    if pagename.startswith(LABS):
        body, context["toc"] = without_numbers(body), without_numbers(context.get("toc", ""))
        context["title"] = NUMBER.sub("", context["title"])
    context["body"] = body
    draw = context["generate_toctree_html"]
    context["generate_toctree_html"] = lambda *args, **kwargs: label_labs(draw(*args, **kwargs), pagename)


def set_neighbours(app, pagename, context):
    """Previous and next page, with what they ask."""
    order = draw_map.pages(contents())
    for side, page in zip(("prev", "next"), neighbours(order, pagename), strict=True):
        title = app.builder.render_partial(app.env.titles[page])["title"] if page in app.env.titles else ""
        context[side] = page and {
            "link": app.builder.get_relative_uri(pagename, page),
            "title": title,
            "question": questions().get(stem_of(page), "") if is_chapter(page) else "",
        }


def setup(app):
    # as values of the configuration, so that a change of either writes every page anew
    app.add_config_value("mm_address", "", "html")
    app.add_config_value("mm_questions", {}, "html")
    app.connect("config-inited", no_dead_buttons)
    app.connect("builder-inited", write_table)
    app.connect("doctree-resolved", link_first_uses)
    app.connect("html-page-context", dress, priority=901)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
