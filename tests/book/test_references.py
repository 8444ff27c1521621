"""The reference pages: every citation exists, every entry is cited and complete, every public function is listed."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.apart

ROOT = Path(__file__).parents[2]
BIBLIOGRAPHY = ROOT / "book" / "references.bib"
API = ROOT / "book" / "api.md"
PAGES = sorted(
    p for folder in ("book", "notebooks") for p in (ROOT / folder).rglob("*") if p.suffix in (".md", ".ipynb")
)
# Documented modules, and where their source is.
MODULES = {
    "mmtokedu": "__init__.py",
    **{f"mmtokedu.{p.stem}": p.name for p in (ROOT / "mmtokedu").glob("*.py") if not p.name.startswith("_")},
    **{f"mmtokedu.nn.{p.stem}": f"nn/{p.name}" for p in (ROOT / "mmtokedu/nn").glob("[!_]*.py")},
    **{f"mmtokedu.{name}": f"{name}/__init__.py" for name in ("samples", "show", "explore")},
    **{f"mmtokedu.samples.{name}": f"samples/{name}.py" for name in ("moments", "world")},
}
BRACED = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"  # a BibTeX value, braces nested up to twice


def entries(bibliography):
    """key -> {field: value} of a BibTeX file whose entries start in column 0."""
    found = {}
    for kind, key, body in re.findall(r"^@(\w+)\{([^,\s]+),\n(.*?)^\}", bibliography, re.MULTILINE | re.DOTALL):
        found[key] = {"kind": kind} | dict(re.findall(r"(\w+)\s*=\s*" + BRACED, body))
    return found


def prose(path):
    """The text of a page: a Markdown file, or a notebook's Markdown cells."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def cited(text):
    """The keys of all {cite}, {cite:p}, {cite:t}, … roles in a text."""
    return {key.strip() for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text) for key in keys.split(",")}


def test_citations_and_entries_match():
    keys = set(entries(BIBLIOGRAPHY.read_text(encoding="utf-8")))
    in_text = {key for path in PAGES for key in cited(prose(path))}
    assert in_text - keys == set(), "cited, but not in references.bib"
    assert keys - in_text == set(), "in references.bib, but cited nowhere"


def test_every_entry_is_complete():
    found = entries(BIBLIOGRAPHY.read_text(encoding="utf-8"))
    assert len(found) == BIBLIOGRAPHY.read_text(encoding="utf-8").count("\n@") + 1
    for key, entry in found.items():
        assert entry.keys() >= {"title", "author", "year"}, key
        assert entry.keys() & {"eprint", "doi", "url"}, f"{key} has no address"
        assert re.fullmatch(r"(19|20)\d\d", entry["year"]) and entry["year"] in key, key
        if "eprint" in entry:
            assert re.fullmatch(r"\d{4}\.\d{4,5}", entry["eprint"]), key
            assert entry["eprint"][:2] == entry["year"][2:], f"{key}: an arXiv number starts with its year"


def test_the_reader_of_the_bibliography_sees_what_is_wrong():
    found = entries("@misc{a2020b,\n  title = {{A} b}, year = {2020},\n  author = {C, D. and {\\'E}, F.}\n}\n")
    assert found == {"a2020b": {"kind": "misc", "title": "{A} b", "year": "2020", "author": "C, D. and {\\'E}, F."}}
    assert cited("as in {cite:p}`a2020b, c2021d` and {cite:t}`e2022f`") == {"a2020b", "c2021d", "e2022f"}


def public_names(source):
    """What a module offers: its `__all__`, or else the public functions and classes at its top level."""
    body = ast.parse(source).body
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return {name for name in ast.literal_eval(node.value) if not name.startswith("_") and not name.isupper()}
    names = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names |= {a.name for node in body if isinstance(node, ast.ImportFrom) for a in node.names if a.asname == a.name}
    return {name for name in names if not name.startswith("_")}


def listed(page):
    """The full names that the API page documents: each under the module named last before it."""
    names, module = set(), None
    for directive, name in re.findall(r"^\.\. (\w+):: (\S+)$", page, re.MULTILINE):
        if directive in ("automodule", "currentmodule"):
            module = name
        elif directive in ("autofunction", "autoclass"):
            names.add(f"{module}.{name}")
    return names


@pytest.mark.parametrize("module", MODULES)
def test_every_public_function_is_on_the_api_page(module):
    source = (ROOT / "mmtokedu" / MODULES[module]).read_text(encoding="utf-8")
    assert {f"{module}.{name}" for name in public_names(source)} - listed(API.read_text(encoding="utf-8")) == set()


def test_the_api_page_lists_nothing_that_is_gone():
    exist = {
        f"{module}.{name}"
        for module, path in MODULES.items()
        for name in public_names((ROOT / "mmtokedu" / path).read_text(encoding="utf-8"))
    }
    page = API.read_text(encoding="utf-8")
    assert listed(page) - exist == set()
    in_tables = re.findall(r"^   (\w+)$", page, re.MULTILINE)
    assert in_tables == re.findall(r"^\.\. auto(?:function|class):: (\w+)$", page, re.MULTILINE)


def test_the_api_page_can_be_made_where_nothing_but_rendering_is_installed():
    """Sphinx puts stand-ins for these packages; what is done with them while a module loads must work with stand-ins."""
    mocked = re.search(r"autodoc_mock_imports: \[(.*)\]", (ROOT / "_config.yml").read_text(encoding="utf-8"))[1]
    code = f"""
import importlib
from sphinx.ext.autodoc.mock import mock
with mock({mocked.split(", ")!r}):
    import torch
    assert type(torch).__name__ == "_MockModule", "the real one came first"
    for module in {list(MODULES)!r}:
        importlib.import_module(module)
"""
    pytest.importorskip("sphinx", reason="the book is built elsewhere")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-1500:]


def test_a_missing_function_is_noticed():
    source = "def new(): ...\ndef _private(): ...\nclass Kept: ...\n"
    assert public_names(source) == {"new", "Kept"}
    assert public_names(source + '__all__ = ["new", "__version__"]') == {"new"}
    page = ".. automodule:: mmtokedu.vq\n.. autofunction:: fsq\n\n.. currentmodule:: mmtokedu\n.. autoclass:: Report\n   :x:\n"
    assert listed(page) == {"mmtokedu.vq.fsq", "mmtokedu.Report"}
