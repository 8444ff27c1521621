"""The house stands as designed: a chapter has its library file, notebook and tests, and arrows point one way."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = re.findall(r"file: notebooks/(\w+)", (ROOT / "_toc.yml").read_text())
ORDER = ["patches", "vq", "rvq", "video", "interleave", "mrope", "compress", "budget", "cache"]
ON_TOP = {"samples", "show", "explore", "course"}
TOPICS = sorted({p.stem for p in ROOT.glob("mmtokedu/[!_]*.py")} - ON_TOP)
MODULES = sorted(
    ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for p in ROOT.glob("mmtokedu/**/*.py")
    if p.name != "__main__.py"
)


def test_there_are_chapters_in_the_agreed_order():
    assert CHAPTERS and CHAPTERS == [stem for stem in ORDER if stem in CHAPTERS]


@pytest.mark.parametrize("stem", CHAPTERS)
def test_a_chapter_is_complete(stem):
    for name in (
        f"mmtokedu/{stem}.py",
        f"notebooks/{stem}.ipynb",
        f"tests/test_{stem}.py",
        f"mmtokedu/course/{stem}.py",
    ):
        assert (ROOT / name).exists(), f"{stem} is in _toc.yml but {name} is missing"


def test_no_notebook_or_topic_outside_the_table_of_contents():
    assert {p.stem for p in ROOT.glob("notebooks/*.ipynb")} == set(CHAPTERS)
    assert set(CHAPTERS) <= set(TOPICS)
    ahead = set(TOPICS) - set(CHAPTERS)
    assert ahead <= set(ORDER[len(CHAPTERS) : len(CHAPTERS) + 1]), "only the next chapter's library may come before it"


def imports(path):
    """The mmtokedu modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mmtokedu"):
            found |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
    return {name.split(".")[1] for name in found if name.startswith("mmtokedu.")}


@pytest.mark.parametrize("stem", TOPICS)
def test_topics_use_earlier_topics_only(stem):
    forbidden = ON_TOP | {"cuda", "nn"} | set(ORDER[ORDER.index(stem) + 1 :])
    assert not imports(ROOT / f"mmtokedu/{stem}.py") & forbidden


def test_the_reference_never_imports_its_twin():
    for path in ROOT.glob("mmtokedu/cuda/**/*.py"):
        assert not imports(path) & ON_TOP
    for path in ROOT.glob("mmtokedu/*.py"):
        assert "cuda" not in imports(path), f"{path.name} imports mmtokedu.cuda (dispatch does that)"


@pytest.mark.parametrize("module", MODULES)
def test_imports_with_only_the_core_installed(module):
    """With NumPy, Pillow and the standard library alone, a module imports or says which extra it needs."""
    code = f"""
import sys
allowed = set(sys.stdlib_module_names) | {{"numpy", "PIL", "mmtokedu"}}
class OnlyTheCore:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in allowed:
            raise ImportError("not installed: " + name)
sys.meta_path.insert(0, OnlyTheCore())
try:
    import {module}
except ImportError as error:
    sys.exit(str(error))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    if module.startswith(("mmtokedu.cuda", "mmtokedu.nn")):
        assert "pip install 'mmtokedu[torch]'" in done.stderr
    elif module in ("mmtokedu.show",):
        assert "pip install 'mmtokedu[show]'" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
