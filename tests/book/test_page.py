"""What the build adds around a page's text (book/_ext/mmpage.py): its place, its question, its tips, its links."""

import importlib.util
import re
from pathlib import Path

import pytest

pytest.importorskip("bs4", reason="the book is built elsewhere")
yaml = pytest.importorskip("yaml")
import draw_map

from mmtokedu.course import quiz

pytestmark = pytest.mark.apart

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("mmpage", ROOT / "book" / "_ext" / "mmpage.py")
mmpage = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mmpage)

NOWHERE, SOMEWHERE = "https://github.com/OWNER/book", "https://github.com/someone/book"
ORDER = ["book/intro", "book/notation", "notebooks/patches", "notebooks/lab/patches", "notebooks/vq", "book/glossary"]
BADGES = (
    '<h1>Title</h1>\n<p><a class="reference external" href="https://colab.research.google.com/github/someone/book/'
    'blob/main/notebooks/vq.ipynb">Open in Colab</a> <a class="reference external" href="https://github.com/someone/'
    'book/raw/main/notebooks/vq.ipynb">Download</a></p>\n<p>The hook.</p>'
)


def links(html):
    return re.findall(r'href="([^"]*)"', html)


# --- chapters, questions, neighbours ----------------------------------------------------------------------------------


def test_every_place_on_the_map_asks_its_question_and_in_the_same_order():
    asked = mmpage.questions()
    assert list(asked) == list(draw_map.PLACES)
    assert len(set(asked.values())) == len(asked)
    for question in asked.values():
        assert question.rstrip().endswith("?") and "?" in question


def test_the_front_page_takes_its_questions_from_the_one_place():
    front = (ROOT / "book" / "intro.md").read_text(encoding="utf-8")
    assert "_generated/questions.md" in front
    assert [q for q in mmpage.questions().values() if q in front] == []


def test_the_table_links_what_is_written():
    table = mmpage.question_table({"vq": "Why?", "cache": "When?"}, {"vq": "/notebooks/vq.ipynb"})
    assert table.splitlines()[2:] == ["| [Codebooks](/notebooks/vq.ipynb) | Why? |", "| Cache | When? |"]


@pytest.mark.parametrize(
    ("page", "before", "after"),
    [
        ("book/intro", None, "book/notation"),
        ("book/notation", "book/intro", "notebooks/patches"),
        ("notebooks/patches", "book/notation", "notebooks/vq"),  # its lab lies beside the way
        ("notebooks/lab/patches", "notebooks/patches", "notebooks/vq"),
        ("notebooks/vq", "notebooks/patches", "book/glossary"),
        ("book/glossary", "notebooks/vq", None),
        ("genindex", None, None),
    ],
)
def test_the_way_leads_from_chapter_to_chapter(page, before, after):
    assert mmpage.neighbours(ORDER, page) == (before, after)


def test_the_line_of_chapters_marks_this_one_and_links_only_what_is_written():
    line = mmpage.stations("vq", {"patches": "patches.html", "vq": "vq.html"})
    assert line.count("<li") == len(draw_map.PLACES)
    assert links(line) == ["patches.html", "vq.html"]
    assert re.findall(r'aria-current="true"><b>(\d)</b> <span>(\w+)', line) == [("2", "Codebooks")]
    assert line.count("coming") == len(draw_map.PLACES) - 2


def test_neighbours_are_shown_with_what_they_ask():
    shown = mmpage.around(None, ("vq.html", "2. Codebooks", 'Which "ones"?'))
    assert links(shown) == ["vq.html"]
    assert "2. Codebooks" in shown and "Which &quot;ones&quot;?" in shown


def test_the_frame_is_put_above_the_section_and_below_the_title_once():
    body = "<p>first</p><section><h1>A</h1><section><h1>B</h1></section></section>"
    expected = "<p>first</p>[up]<section><h1>A</h1>\n[down]<section><h1>B</h1></section></section>"
    assert mmpage.framed(body, "[up]", "[down]") == expected


# --- links while there is no address ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "nowhere"),
    [(NOWHERE, True), (NOWHERE + "/", True), ("", True), (SOMEWHERE, False), ("https://github.com/OWNERS/mm", False)],
)
def test_the_placeholder_is_known(address, nowhere):
    assert mmpage.is_placeholder(address) is nowhere


@pytest.mark.parametrize(
    "link",
    [
        NOWHERE,
        NOWHERE + "/issues",
        NOWHERE + "/edit/main/book/intro.md",
        NOWHERE + "#readme",
        "https://raw.githubusercontent.com/OWNER/book/main/a.py",
        "https://colab.research.google.com/github/OWNER/book/blob/main/notebooks/vq.ipynb",
    ],
)
def test_without_an_address_a_link_to_the_repository_is_its_text(link):
    body = f'<p>See <a class="x" href="{link}">the\n<em>place</em></a>, or <a href="https://github.com/other/book">that</a>.</p>'
    shown = mmpage.hide_dead_links(body, NOWHERE)
    assert shown == '<p>See the\n<em>place</em>, or <a href="https://github.com/other/book">that</a>.</p>'
    assert mmpage.hide_dead_links(body, SOMEWHERE) == body


def test_a_longer_name_is_another_repository():
    body = f'<a href="{NOWHERE}-extras/issues">there</a>'
    assert mmpage.hide_dead_links(body, NOWHERE) == body


def test_the_notebook_is_always_in_the_book_and_colab_where_there_is_an_address():
    shown = mmpage.badges(BADGES, "notebooks/vq", SOMEWHERE)
    colab = "https://colab.research.google.com/github/someone/book/blob/main/notebooks/vq.ipynb"
    assert links(shown) == [colab, "../_sources/notebooks/vq.ipynb"]
    nowhere = mmpage.badges(BADGES.replace("someone", "OWNER"), "book/primer/rope", NOWHERE)
    assert links(nowhere) == ["../../_sources/book/primer/rope.ipynb"]
    assert "Colab" not in nowhere and '<p class="mm-badges">' in nowhere and "<p>The hook.</p>" in nowhere


def test_every_notebook_has_the_badges_that_are_recognised():
    """`tools/links.py` writes the line that `badges` looks for."""
    links_tool = pytest.importorskip("links")
    pattern = re.compile(r"\[([^]]*)\]\(([^)]*)\)")
    html = " ".join(
        f'<a href="{url}">{text}</a>' for text, url in pattern.findall(links_tool.badges(SOMEWHERE, "a.ipynb"))
    )
    assert links(mmpage.badges(f"<p>{html}</p>", "a", SOMEWHERE))[-1] == "_sources/a.ipynb"


# --- words explained in place -----------------------------------------------------------------------------------------

GLOSSARY = """<dl class="simple glossary"><dt id="term-code">code<a class="headerlink" href="#term-code">#</a></dt>
<dd><p>The number of an <a class="reference internal" href="#term-entry"><span>entry</span></a>
<span class="bibtex-citation">[<a class="reference internal" href="references.html#id9">35</a>]</span>, of
<span class="math notranslate">\\(\\log_2 K\\)</span> bits.</p></dd></dl>"""
LIST = """<div class="citation" id="id9" role="listitem"><span class="label"><span>[</span>35<span>]</span></span>
<p>A. Author. Title. 2017. <a class="reference external" href="https://arxiv.org/abs/1711.00937">arXiv:1711.00937</a>.</p></div>"""


def test_a_definition_becomes_a_tip_without_links_and_with_its_formula():
    tip = mmpage.term_tips(GLOSSARY)["term-code"]
    assert tip.startswith("<b>code</b> The number of an <span>entry</span>, of <math")
    assert "<a" not in tip and "35" not in tip and "\\" not in tip
    assert "<msub><mi>log</mi><mn>2</mn></msub><mi>K</mi></math> bits." in tip


def test_a_reference_keeps_the_link_to_the_paper():
    assert mmpage.reference_tips(LIST) == {
        "id9": '<b>[35]</b> A. Author. Title. 2017. <a class="reference external" '
        'href="https://arxiv.org/abs/1711.00937">arXiv:1711.00937</a>.'
    }


def test_every_formula_of_the_glossary_can_be_set():
    formulas = re.findall(r"\$([^$]+)\$", (ROOT / "book" / "glossary.md").read_text(encoding="utf-8"))
    assert len(formulas) > 10
    for formula in formulas:
        assert "\\" not in re.sub("<[^>]*>", "", mmpage.mathml(formula)), formula


def test_only_what_a_page_links_is_added_to_it_once():
    tips = {
        "book/glossary": {"term-code": "<b>code</b> A number.", "term-other": "…"},
        "book/references": {"id9": "[35]"},
    }
    link = '<a class="reference internal" href="{}">x</a>'
    body = "".join(
        link.format(href)
        for href in ("../book/glossary.html#term-code", "../book/glossary.html#term-code", "../book/references.html#id9",
                     "vq.html#term-code", "#id9")
    )  # fmt: skip
    shown = mmpage.with_tips(body, "notebooks/patches", tips)
    assert re.findall(r'data-tip="([^"]*)"', shown) == ["term-code", "term-code", "id9"]
    assert re.findall(r'data-for="([^"]*)"', shown) == ["term-code", "id9"]
    assert mmpage.with_tips(link.format("#play"), "notebooks/patches", tips) == link.format("#play")


@pytest.mark.parametrize(
    ("words", "term"),
    [
        ("Codes", "code"),
        ("patches", "patch"),
        ("Patches", None),
        ("vector\nquantization", "vector quantization"),
        ("latencies", "latency"),
        ("decode", None),
    ],
)
def test_an_emphasised_word_is_found_in_the_glossary(words, term):
    assert mmpage.term_for(words, {"code", "patch", "vector quantization", "latency"}) == term


# --- labs and folded parts --------------------------------------------------------------------------------------------


def test_folded_parts_say_their_minutes():
    boxes = {
        '<div class="dropdown minutes-6 admonition"><p class="admonition-title">Arms</p><p>Text</p></div>': "Arms",
        '<details class="sd-dropdown minutes-6"><summary>Arms</summary><p>Text</p></details>': "Arms",
        '<div class="cell tag_hide-input tag_minutes-6"><details><summary><p>Show</p><p>Hide</p></summary></details></div>': "Show",
    }
    for box, title in boxes.items():
        assert f'{title}<span class="mm-minutes">6 min</span></' in mmpage.with_minutes(box)
        assert mmpage.with_minutes(box + box).count("6 min") == 2
        assert mmpage.with_minutes(box.replace("minutes-6", "toggle")).count("min<") == 0


def test_a_lab_is_marked_in_the_contents_once():
    soup = mmpage.BeautifulSoup('<a href="patches.html">Patches</a><a href="lab/patches.html">Arms</a>', "html.parser")
    for _ in range(2):
        assert mmpage.label_labs(soup, "notebooks/vq").get_text() == "PatchesLab Arms"
    own = mmpage.BeautifulSoup('<a href="#">Arms</a>', "html.parser")
    assert mmpage.label_labs(own, "notebooks/lab/patches").get_text() == "Lab Arms"
    assert mmpage.label_labs(mmpage.BeautifulSoup('<a href="#">A</a>', "html.parser"), "notebooks/vq").get_text() == "A"


def test_a_labs_title_says_lab_and_its_line_in_the_contents_says_it_once():
    contents = '<a href="patches.html">1. Patches</a><a href="lab/patches.html">1.1. Lab: patches</a>'
    soup = mmpage.label_labs(mmpage.BeautifulSoup(contents, "html.parser"), "notebooks/vq")
    assert [link.get_text() for link in soup.select("a")] == ["1. Patches", "Lab Patches"]


def test_a_lab_has_no_number():
    contents = (
        '<a href="vq.html">2. Codebooks</a><a href="lab/vq.html">2.9. Codebooks</a><a href="rvq.html">3. Sound</a>'
    )
    soup = mmpage.label_labs(mmpage.BeautifulSoup(contents, "html.parser"), "notebooks/vq")
    assert [link.get_text() for link in soup.select("a")] == ["2. Codebooks", "Lab Codebooks", "3. Sound"]
    page = (
        '<h1><span class="section-number">2.9. </span>Codebooks</h1><a class="reference internal" href="#snap">2.9.1. Snap</a>'
        '<p>2.9. stays, <a href="x.html">2.9. too</a></p>'
    )
    assert mmpage.without_numbers(page) == (
        '<h1>Codebooks</h1><a class="reference internal" href="#snap">Snap</a>'
        '<p>2.9. stays, <a href="x.html">2.9. too</a></p>'
    )


# --- questions and headings -------------------------------------------------------------------------------------------


def test_answers_stand_at_the_end_in_the_order_of_the_questions():
    asked = [quiz.ask("attention", "shuffle"), quiz.ask_all("patches"), quiz.ask("patches", "rows")]
    body = "".join(f"<p>{place}</p>{output._repr_html_()}" for place, output in enumerate(asked))
    shown = mmpage.with_answers(body)
    soup = mmpage.BeautifulSoup(shown, "html.parser")
    labels = [label.get_text() for label in soup.select(".mm-ask-label")]
    assert labels == ["1. Predict", *(f"{number}. Question" for number in range(2, 7)), "7. Predict"]
    answers = [item.b.get_text() for item in soup.select(".mm-answers[hidden] > ol > li")]
    quizzed = [quiz.draw(question) for question in quiz.load("patches") if question.at == "quiz"]
    assert answers[1:5] == [f"{question.said}." for question in quizzed[:4]] and answers[6] == "256 rows."
    assert answers[0] == "B. They are shuffled in the same way." and len(answers) == 7
    assert shown.startswith("<p>0</p>") and shown.count("<details") == body.count("<details")


def test_a_page_without_questions_stays_as_it_is():
    assert mmpage.with_answers("<p>Answer</p>") == "<p>Answer</p>"


def test_a_headings_fragment_is_jupyterlabs():
    # @jupyterlab/rendermime 4.6.6, renderers.ts, createHeaderId: textContent.replace(/ /g, '-')
    assert mmpage.heading_slug("Every token asks, every token answers") == "Every-token-asks,-every-token-answers"


def test_a_lab_says_whose_it_is():
    assert links(mmpage.lab_line("vq")) == ["../vq.html"]
    assert "Codebooks" in mmpage.lab_line("vq")
