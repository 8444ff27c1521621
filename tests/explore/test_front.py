"""The front end of explorables: it asks for nothing, changes no key, is of today in every notebook, once in a page."""

import importlib.util
import json
import re
import types
from pathlib import Path

import pytest

from mmtokedu import explore
from mmtokedu.explore import _front
from mmtokedu.show.markup import PALETTE

nbformat = pytest.importorskip("nbformat")
import refresh

ROOT = Path(__file__).resolve().parents[2]
TOPICS = sorted(explore.GOLDEN)


def changed(monkeypatch, name="base"):
    """From here on the file of that name has a comment more."""
    script = _front.script
    monkeypatch.setattr(_front, "script", lambda one: script(one) + "\n// a comment more" * (one == name))


@pytest.mark.parametrize("name", ["ask", "base", *TOPICS])
def test_a_file_asks_for_nothing_and_writes_no_markup(name):
    text = _front.script(name)
    assert not re.search(r"https?:|//[a-z]+\.[a-z]|\bfetch\(|XMLHttpRequest|\bimport\(|<link|src=", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|currentScript", text)


def test_the_palette_is_the_books():
    text = _front.script("base")
    written, _ = json.JSONDecoder().raw_decode(text[text.index("const PALETTE = ") + len("const PALETTE = ") :])
    assert written == json.loads(json.dumps(PALETTE))


def test_a_file_that_cannot_stand_in_a_page_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(_front.resources, "files", lambda name: tmp_path)
    for name, text, says in (
        ("base", "// no slot", 'base.js holds "mm:palette" 0 times'),
        ("vq", 'const PALETTE = "mm:palette";', 'vq.js holds "mm:palette" 1 times'),
        ("rvq", "const text = '</script>';", "rvq.js holds '</script'"),
    ):
        (tmp_path / f"{name}.js").write_text(text)
        with pytest.raises(ValueError, match=re.escape(says)):
            _front.script(name)
    with pytest.raises(ValueError, match="no front end 'pachtes'; there are base, rvq, vq"):
        _front.script("pachtes")


@pytest.mark.parametrize("topic", TOPICS)
def test_an_edit_of_the_front_end_changes_no_key(monkeypatch, topic):
    before = getattr(explore, topic)()
    changed(monkeypatch)
    after = getattr(explore, topic)()
    assert after.key == before.key and after.body != before.body


def masked(text):
    """An output as strict nbval compares it."""
    rules = (ROOT / "tests" / "nbval_sanitize.cfg").read_text(encoding="utf-8")
    for pattern, put in re.findall(r"^regex: (.*)\nreplace: (.*)", rules, re.M):
        text = re.sub(pattern, put, text)
    return text


def test_the_comparison_of_outputs_sees_data_and_arguments_not_the_front_end(monkeypatch):
    outputs = [explore.vq(), explore.vq(codes=5)]
    changed(monkeypatch)
    outputs.append(explore.vq())
    first, other, edited = (masked(f"before {out._repr_html_()} after") for out in outputs)
    assert first == edited != other
    assert len(first) < 100 and first.endswith("MASKED<!-- /mm --> after")


# What notebooks hold


@pytest.mark.parametrize("path", refresh.notebooks(drafts=True), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_stored_explorables_have_the_front_end_of_today(path):
    notebook = nbformat.read(path, 4)
    assert not refresh.renew_front(notebook), "make it so: python tools/refresh.py --front"


def test_each_chapter_stores_its_explorable():
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    chapters = {
        topic: {
            "dials": "mrope",
            "fuse": "interleave",
            "gradients": "vq",
            "matching": "compress",
            "residual": "rvq",
        }.get(topic, topic.partition("_")[0])
        for topic in TOPICS
    }  # second figures
    stored = [topic for topic in TOPICS if f"notebooks/{chapters[topic]}\n" in contents]
    assert {"patches", "vq", "rvq", "video", "video_budget", "interleave", "fuse"} <= set(
        stored
    )  # others may be there before their chapter
    for topic in stored:
        chapter = chapters[topic]
        text = (ROOT / "notebooks" / f"{chapter}.ipynb").read_text(encoding="utf-8")
        assert "<!-- mm:front base --><script>" in text and f"<!-- mm:front {topic} --><script>" in text


def test_the_primer_page_stores_its_questions():
    text = (ROOT / "book/primer/attention.ipynb").read_text(encoding="utf-8")
    assert text.count("<!-- mm:predict ") == 3 and text.count("<!-- mm:quiz ") == 1
    assert text.count("<!-- mm:front ask --><script>") == 4


def one_cell(out, count=3):
    """A notebook that stores one output."""
    output = nbformat.v4.new_output("display_data", {"text/html": out._repr_html_(), "text/plain": repr(out)})
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", execution_count=count, outputs=[output])])


def test_a_stale_front_end_is_noticed_and_renewed_and_all_else_stays(monkeypatch):
    notebook, fresh = one_cell(explore.vq(codes=5, steps=3)), one_cell(explore.vq(codes=5, steps=3))
    assert not refresh.renew_front(notebook)
    changed(monkeypatch, "vq")
    assert refresh.renew_front(notebook)
    html = notebook.cells[0].outputs[0]["data"]["text/html"]
    assert html == explore.vq(codes=5, steps=3)._repr_html_() and html.count("// a comment more") == 1
    assert not refresh.renew_front(notebook)
    notebook.cells[0].outputs[0]["data"]["text/html"] = fresh.cells[0].outputs[0]["data"]["text/html"]
    fresh.cells[0].id = notebook.cells[0].id
    assert notebook == fresh  # nothing but that text was touched


def test_the_tool_writes_only_what_changes(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(refresh, "ROOT", tmp_path)
    paths = [tmp_path / "with.ipynb", tmp_path / "without.ipynb"]
    nbformat.write(one_cell(explore.vq()), paths[0])
    paths[1].write_text(json.dumps(nbformat.v4.new_notebook(), indent=7))  # not as nbformat writes it
    changed(monkeypatch)
    before = paths[1].read_text()
    refresh.main(["--front", *map(str, paths)])
    assert "a comment more" in paths[0].read_text() and paths[1].read_text() == before
    assert capsys.readouterr().out == "with.ipynb: front end of today\n"
    assert nbformat.read(paths[0], 4).cells[0].execution_count == 3


def test_labs_are_notebooks_of_the_book_and_drafts_are_not_yet(monkeypatch, tmp_path):
    names = ["book/primer/a.ipynb", "notebooks/b.ipynb", "notebooks/draft/c.ipynb", "notebooks/lab/b.ipynb"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    monkeypatch.setattr(refresh, "ROOT", tmp_path)
    found = lambda **which: [path.relative_to(tmp_path).as_posix() for path in refresh.notebooks(**which)]
    assert found() == [name for name in names if "draft" not in name] and found(drafts=True) == names


# What the built book makes of it


@pytest.fixture
def built(tmp_path):
    """A function: a page's body as the book has it, and the files beside it."""
    source = ROOT / "book" / "_ext" / "mmbook.py"
    spec = importlib.util.spec_from_file_location("mmbook", source)
    mmbook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mmbook)

    def built(*outputs):
        context = {"body": "".join(out._repr_html_() for out in outputs), "pathto": lambda path, _: f"../{path}"}
        app = types.SimpleNamespace(outdir=tmp_path)
        mmbook.front_ends_as_files(app, "page", "page.html", context, None)
        return context["body"], {path.name: path.read_text() for path in (tmp_path / "_static/explore").iterdir()}

    return built


def test_a_page_of_the_book_loads_each_file_once(built):
    body, files = built(explore.vq(), explore.patches(), explore.vq(codes=3))
    assert body.count("<mm-explore-vq ") == 2 and body.count("<mm-explore-patches ") == 1 and "mm:front" not in body
    names = re.findall(r'<script src="\.\./_static/explore/(\w+)\.[0-9a-f]{10}\.js"></script>', body)
    assert names == ["base", "vq", "patches"] and len(files) == 3
    for name, text in files.items():
        assert text.strip() == _front.script(name.split(".")[0])
    assert len(body) < len(explore.patches().body) * 2


def test_a_file_that_changes_changes_its_name(built, monkeypatch):
    _, before = built(explore.vq())
    changed(monkeypatch)
    _, after = built(explore.vq())
    assert len(set(after) - set(before)) == 1
