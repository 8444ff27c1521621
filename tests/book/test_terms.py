"""A glossary term is linked where a chapter first uses it: what counts as a use, and that articles keep to it."""

import pytest

pytestmark = pytest.mark.apart

pytest.importorskip("myst_parser")
import reading
import terms

NAMES = ["attention", "attention mask", "codebook", "entry", "key", "KV cache", "patch"]


def uses(tmp_path, text, names=NAMES):
    path = tmp_path / "page.md"
    path.write_text(text)
    return [(use.term, use.linked) for use in terms.first_uses(terms.runs(path), names).values()]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A patch.", [("patch", False)]),
        ("Patches, codebooks and\nentries.", [("patch", False), ("codebook", False), ("entry", False)]),
        ("A *patch*, two *codebooks*, *KV\ncaches*.", [("patch", True), ("codebook", True), ("KV cache", True)]),
        ("A patch, then a *patch*.", [("patch", False)]),
        ("*A patch* and the chapter *Patches*.", [("patch", False)]),
        ("The chapter *Patches* is about patches.", [("patch", False)]),
        ("The chapter [*patch*](p.md), *everything*.", []),
        ("The {term}`patch` is a patch.", [("patch", True)]),
        ("The patch is a {term}`patch`.", [("patch", False)]),
        ("Some {term}`patches <patch>` are patches.", [("patch", True)]),
        ("{term}`Attention` and attention.", [("attention", True)]),
        ("An attention mask, then attention.", [("attention mask", False), ("attention", False)]),
        ("An attention\nmask.", [("attention mask", False)]),
        ("An {term}`attention mask`, then attention.", [("attention mask", True), ("attention", False)]),
        ("Many keys.", [("key", False)]),
        ("The kv caches.", [("KV cache", False)]),
        ("- a patch in a list", [("patch", False)]),
        (":::{note}\nA patch.\n:::", [("patch", False)]),
        (
            "# A patch\n\n`patch` [a patch](p.md) $patch$ {cite:p}`patch`\n\n| patch |\n|---|\n| patch |\n\n```\npatch\n```",
            [],
        ),
        ("Patchify, despatch, patch-wise, patched.", []),
        ("Attention `x` mask.", [("attention", False)]),
    ],
)
def test_what_counts_as_a_use(tmp_path, text, found):
    assert uses(tmp_path, text) == found


def test_a_words_everyday_sense_is_no_use(tmp_path):
    assert uses(tmp_path, "Many code bases, three lines of code.", ["code"]) == []
    assert uses(tmp_path, "Many code bases, three codes.", ["code"]) == [("code", False)]


def test_the_glossary_is_read():
    names = terms.terms()
    assert {"acoustic token", "attention", "codebook", "visual token"} <= set(names)
    assert len(names) == len(set(names)) > 80 and not any(name.startswith(" ") for name in names)


def test_the_report_names_page_term_and_place(tmp_path, capsys, monkeypatch):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "page.md").write_text("# A\n\nSo this is how a codebook is made, and {term}`patches <patch>`.")
    (tmp_path / "articles.txt").write_text("book/page\n")
    monkeypatch.setattr(reading, "ROOT", tmp_path)
    monkeypatch.setattr(reading, "ARTICLES", tmp_path / "articles.txt")
    monkeypatch.setattr(terms, "terms", lambda: NAMES)
    terms.main(["book/page"])
    line = "book/page: 'codebook' is not linked where it is first used: …So this is how a codebook is made, and…"
    assert capsys.readouterr().out.strip() == line
    with pytest.raises(SystemExit, match="'codebook' is not linked"):
        terms.main(["--check"])
    (tmp_path / "articles.txt").write_text("")
    terms.main(["--check"])


def test_articles_link_each_term_at_its_first_use():
    found = [(name, use.term) for name in reading.articles() for use in terms.unlinked(reading.path_of(name))]
    assert found == []
