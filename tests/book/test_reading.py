"""What a page asks of its reader is counted: each thing on a page made by hand, limits, and the printed minutes."""

import numpy as np
import pytest

pytestmark = pytest.mark.apart

pytest.importorskip("myst_parser")
nbformat = pytest.importorskip("nbformat")
import reading

from mmtokedu import show
from mmtokedu.course import quiz

MARKDOWN = """\
# Title of three words

Two words, {term}`keys <key>` and a citation {cite:p}`someone2020`, $x + 1$ and `code`. [A link](https://example.org).

- An item
- and ![a picture](a.png) another

| a | b |
|---|---|
| 1 | 2 |
| 3 | 4 |

```python
x = 1

y = 2
```

:::{admonition} Predict
:class: mm-predict
How many?
:::

:::{admonition} Answer
:class: mm-predict dropdown
Three words here, folded, and a table.

| a |
|---|
| 1 |
:::

```{figure} b.png
:name: fig-b
A caption of five words.
```

```{raw} html
<p>not counted</p>
```

<details><summary>More</summary>

Folded as well.

</details>

After the fold.

$$
e = m c^2
$$
"""


def page_of(tmp_path, *cells):
    path = tmp_path / "page.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)
    return reading.count("page", path)


def markdown(text):
    return nbformat.v4.new_markdown_cell(text)


def code(source, *outputs, tags=()):
    shown = [nbformat.v4.new_output("display_data", {"text/html": output}) for output in outputs]
    return nbformat.v4.new_code_cell(source, outputs=shown, metadata={"tags": list(tags)})


# one page of Markdown, counted by hand


@pytest.fixture
def page(tmp_path):
    (tmp_path / "page.md").write_text(MARKDOWN)
    return reading.count("page", tmp_path / "page.md")


def test_words_are_those_of_visible_prose(page):
    first = len("Two words keys and a citation x and code A link".split())
    rest = len("An item and another How many A caption of five words After the fold".split())
    assert page.before.words == first + rest
    assert page.folded.words == len("Three words here folded and a table Folded as well".split())


def test_tables_code_drawings_and_predicts(page):
    assert (page.before.tables, page.before.rows) == (1, 2)
    assert (page.folded.tables, page.folded.rows) == (1, 1)
    assert (page.before.code, page.before.longest) == (2, 2)
    assert page.before.drawings == 2 and page.before.predicts == 1 and page.folded.predicts == 0
    assert page.before == page.whole and page.folded == page.whole_folded


# cells and outputs


def test_code_is_open_folded_or_gone_as_its_tags_say(tmp_path):
    four = "a = 1\nb = 2\n\n# c\nd = 4"
    page = page_of(tmp_path, code(four), code("e = 5"), code(four, tags=["hide-input"]), code(four, tags=["hide-cell"]),
                   code(four, tags=["remove-cell"]), code(four, tags=["remove-input"]), code(" \n"))  # fmt: skip
    assert (page.before.code, page.before.longest) == (5, 4)
    assert (page.folded.code, page.folded.longest) == (8, 4)


def test_what_the_library_shows_is_counted_and_folded_as_its_tags_say(tmp_path):
    html = [
        show.table(["a", "b"], ["a title", ["x", 1], ["y", 2], "another", ["z", 3]], caption="c")._repr_html_(),
        show.images(np.zeros((4, 4, 3), np.uint8), alt="a")._repr_html_(),
        show.token_strip([("text", 3, "three")], alt="a")._repr_html_(),
        show.frame_slider([np.zeros((4, 4, 3), np.uint8)] * 2, ["a", "b"], alt="a")._repr_html_(),
        show.sounds([np.zeros(16_000), np.zeros(8_000)], 16_000, titles=["a", "b"], alt="a")._repr_html_(),
        show.source(reading.lines_in)._repr_html_(),
        "<!-- mm:explore 0f0f --><mm-explore-vq></mm-explore-vq><!-- /mm -->",
        quiz.ask("patches", "rows")._repr_html_(),
        quiz.ask_all("attention")._repr_html_(),
    ]
    shown = dict(tables=1, rows=3, drawings=2, interactive=2, play=1, predicts=1, quiz=5, sound=1.5, code=2, longest=2)
    page = page_of(tmp_path, code("", *html))
    assert page.before == reading.Count(**shown) and page.folded == reading.Count()
    for tag in ("hide-output", "hide-cell"):
        page = page_of(tmp_path, code("", *html, tags=[tag]))
        assert page.folded == reading.Count(**shown) and page.before == reading.Count()
    page = page_of(tmp_path, code("", *html, tags=["remove-output"]))
    assert page.whole == page.whole_folded == reading.Count()


def test_a_table_under_a_line_is_folded_and_its_neighbour_is_not(tmp_path):
    opened, folded = (
        show.table(["a", "b"], [["x", 1]] * rows, caption="c", folded=line)._repr_html_()
        for rows, line in ((1, None), (3, "All rows"))
    )
    page = page_of(tmp_path, code("", folded, opened))
    assert page.before == reading.Count(tables=1, rows=1) and page.folded == reading.Count(tables=1, rows=3)


YOUR_TURN = """\
### Your turn: four words

Three open words.

<details class="mm-hint">
<summary>Hint 1</summary>

First hint, folded.

<details class="mm-hint">
<summary>Hint 2</summary>

Second hint, folded too.

</details>
</details>

<details class="mm-solution">
<summary>Solution</summary>

```python
x = 1
y = 2
```

</details>

**Stretch goal.** Open again.
"""


def test_hints_and_solution_are_folded_however_deep_and_what_follows_is_open(tmp_path):
    page = page_of(tmp_path, markdown(YOUR_TURN))
    assert page.before.words == len("Three open words Stretch goal Open again".split()) and page.before.code == 0
    assert page.folded.words == len("First hint folded Second hint folded too".split()) and page.folded.code == 2


@pytest.mark.parametrize("heading", ["Practice", "Exercises"])
def test_practice_ends_the_article(tmp_path, heading):
    page = page_of(tmp_path, markdown("One two.\n\n### Practice\n\nThree."), markdown(f"Four.\n\n## {heading}\n\nFive."),
                   code("x = 1"), markdown("Six."))  # fmt: skip
    assert page.before.words == 4 and page.whole.words == 6
    assert page.before.code == 0 and page.whole.code == 1


def test_minutes_are_the_formula():
    minutes = lambda **counts: reading.Count(**counts).minutes
    assert minutes(words=2000) == 10 and minutes(words=2001) == 11
    assert minutes(code=150) == 10
    assert minutes(rows=100) == 10
    assert minutes(predicts=8) == minutes(quiz=8) == minutes(predicts=3, quiz=5) == 6
    assert minutes(sound=120.0) == 2
    assert minutes(play=1) == minutes(play=3) == 3
    assert minutes(tables=9, drawings=9, interactive=9, longest=99) == 0
    assert minutes(words=100, code=3, rows=1, predicts=1, sound=3.0, play=1) == 5  # 0.5 + 0.2 + 0.1 + 0.75 + 0.05 + 3


# limits

FITS = dict(words=2400, code=120, longest=15, tables=4, rows=24, drawings=4, predicts=5, interactive=2, play=1)


def test_a_page_within_its_limits():
    assert reading.over(reading.Page("p", before=reading.Count(**FITS))) == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("words", 2401, "2401, an article has at most 2400 words"),
        ("code", 121, "at most 120 code"),
        ("longest", 16, "at most 15 longest"),
        ("tables", 5, "at most 4 tables"),
        ("rows", 25, "at most 24 rows"),
        ("sound", 60.0, "31, an article has at most 30 minutes"),
        ("drawings", 3, "at least 4 drawings"),
        ("predicts", 4, "at least 5 predicts"),
        ("interactive", 1, "at least 2 interactive"),
    ],
)
def test_each_limit_is_noticed_alone(name, value, says):
    (only,) = reading.over(reading.Page("p", before=reading.Count(**FITS | {name: value})))
    assert says in only


def test_an_article_over_its_limits_fails_the_check(tmp_path, monkeypatch):
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text("root: book/long\nparts:\n  - chapters:\n      - file: book/other\n")
    (tmp_path / "book" / "long.md").write_text("# Long\n\n" + "word " * 2401)
    (tmp_path / "book" / "other.md").write_text("# Other\n\n" + "word " * 9999)
    (tmp_path / "articles.txt").write_text("# comment\n\nbook/long\n")
    monkeypatch.setattr(reading, "ROOT", tmp_path)
    monkeypatch.setattr(reading, "ARTICLES", tmp_path / "articles.txt")
    with pytest.raises(SystemExit) as failed:
        reading.main(["--check"])
    assert "book/long: 2401, an article has at most 2400 words" in str(failed.value) and "other" not in str(
        failed.value
    )
    (tmp_path / "articles.txt").write_text("")
    reading.main(["--check"])
    (tmp_path / "articles.txt").write_text("book/lnog\n")
    with pytest.raises(ValueError, match="no page 'book/lnog'"):
        reading.main(["--check"])


# the book


def test_the_articles_of_the_book_keep_their_limits():
    assert [line for name in reading.articles() for line in reading.over(reading.count(name))] == []


def test_every_printed_number_of_minutes_is_the_counted_one():
    assert reading.stale() == [], "run: python tools/reading.py --write"


def test_every_page_is_counted(capsys):
    reading.main([])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == reading.names()
    assert {"book/intro", "notebooks/patches", "book/primer/sound", "book/glossary"} <= set(reading.names())


def test_minutes_are_written_where_a_page_asks_for_them(tmp_path, monkeypatch, capsys):
    (tmp_path / "_toc.yml").write_text("root: a\nparts:\n  - chapters:\n      - file: n\n")
    text = (
        "# A\n\nIn <!-- minutes -->9 minutes<!-- /minutes -->; <!-- minutes n -->?<!-- /minutes -->. " + "word " * 300
    )
    (tmp_path / "a.md").write_text(text)
    cells = [
        markdown("# N\n\n*<!-- minutes -->?<!-- /minutes -->.* " + "word " * 999),
        code("'<!-- minutes -->?<!-- /minutes -->'"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    monkeypatch.setattr(reading, "ROOT", tmp_path)
    monkeypatch.setattr(reading, "ARTICLES", tmp_path / "articles.txt")
    (tmp_path / "articles.txt").write_text("")
    with pytest.raises(SystemExit, match="a: its minutes are not the counted ones"):
        reading.main(["--check"])
    reading.main(["--write"])
    assert capsys.readouterr().out == "written again: a, n\n"
    assert (
        "In <!-- minutes -->2 minutes<!-- /minutes -->; <!-- minutes n -->6 minutes<!-- /minutes -->."
        in (tmp_path / "a.md").read_text()
    )
    stored = nbformat.read(tmp_path / "n.ipynb", 4).cells
    assert stored[0].source.startswith("# N\n\n*<!-- minutes -->6 minutes<!-- /minutes -->.*")
    assert stored[1].source == cells[1].source
    reading.main(["--write"])
    assert capsys.readouterr().out == "written again: nothing\n"


def test_a_question_that_names_the_minutes_of_a_page_has_the_counted_ones(tmp_path, monkeypatch, capsys):
    (tmp_path / "_toc.yml").write_text("root: a\n")
    (tmp_path / "a.md").write_text("# A\n\n" + "word " * 999)
    file = tmp_path / "mmtokedu" / "course" / "quiz" / "own.toml"
    file.parent.mkdir(parents=True)
    file.write_text("given = {minutes = 9}  # a\ngiven = {minutes = 9}\n")
    monkeypatch.setattr(reading, "ROOT", tmp_path)
    assert reading.stale() == ["mmtokedu/course/quiz/own"]
    reading.main(["--write"])
    assert file.read_text() == "given = {minutes = 5}  # a\ngiven = {minutes = 9}\n" and reading.stale() == []
