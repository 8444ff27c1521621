"""The house stands as designed: a chapter has all its files, arrows point down, and no circle, also inside functions."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.apart

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mmtokedu"
CHAPTERS = re.findall(r"file: notebooks/(\w+)$", (ROOT / "_toc.yml").read_text(), re.MULTILINE)
LABS = re.findall(r"file: notebooks/lab/(\w+)", (ROOT / "_toc.yml").read_text())
ORDER = ["patches", "vq", "rvq", "video", "interleave", "mrope", "compress", "budget", "cache"]
# The rooms, from the ground up. Whoever stands in one may use what is in its own room and in those below.
FLOORS = [
    ["_dispatch", "_say", "_version"],
    ["arguments"],
    ["media", "catalog", "measured"],
    ["_framing", "_locks"],
    ["_entries"],
    ["_folder"],
    *([stem] for stem in ORDER),
    ["small"],
    ["cuda", "_doctor"],
    ["samples"],
    ["nn"],
    ["show"],
    ["explore"],
    ["course"],
    ["corpus", "__main__", "__init__"],
]
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {module_of(path): path for path in sorted(PACKAGE.glob("**/*.py"))}
DRAWN = {  # these need Matplotlib
    f"mmtokedu.show.{room}" for room in ("charts", "curves", "fewer", "frames", "machines")
}
TOPICS = sorted(set(ORDER) & {path.stem for path in PACKAGE.glob("*.py")})


def room_of(module):
    """The room a module stands in: the name after `mmtokedu.`; the package's own file is the roof."""
    return (module.split(".") + ["__init__"])[1]


def imports(source, module, files):
    """The modules of the package that a module's source imports, anywhere in it, functions' bodies too.

    `from mmtokedu.vq import look_up` is an arrow to mmtokedu.vq, `from mmtokedu import vq` one to mmtokedu.vq as well.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import; name the module"
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in inside if name in files} or {node.module}
    return {name for name in found if name in files and name != module}


def graph(files=FILES):
    """module -> the modules it imports."""
    return {module: imports(path.read_text(encoding="utf-8"), module, files) for module, path in files.items()}


def upward(arrows):
    """The arrows that point up, as (from, to), and those between two rooms of one floor."""
    wrong = []
    for module, targets in arrows.items():
        for target in sorted(targets):
            here, there = room_of(module), room_of(target)
            if here != there and FLOOR[there] >= FLOOR[here]:
                wrong.append((module, target))
    return wrong


def circle(arrows):
    """The modules of one circle of imports, in order, or []."""
    done, path = set(), []

    def walk(module):
        if module in path:
            return path[path.index(module) :]
        if module in done:
            return []
        path.append(module)
        for target in sorted(arrows[module]):
            if found := walk(target):
                return found
        path.pop()
        done.add(module)
        return []

    return next((found for module in arrows if (found := walk(module))), [])


def test_every_room_has_a_floor():
    assert {room_of(module) for module in FILES} <= set(FLOOR)


def test_no_arrow_points_up():
    assert upward(graph()) == []


def test_no_circle():
    assert circle(graph()) == []


def test_an_arrow_up_and_a_circle_are_noticed():
    files = dict.fromkeys(["mmtokedu.catalog.images", "mmtokedu.patches", "mmtokedu.media.images"])
    hidden = "def f():\n    from mmtokedu import patches\n"
    assert imports(hidden, "mmtokedu.catalog.images", files) == {"mmtokedu.patches"}
    arrows = {
        "mmtokedu.catalog.images": {"mmtokedu.patches"},
        "mmtokedu.patches": {"mmtokedu.catalog.images"},
        "mmtokedu.media.images": {"mmtokedu.catalog.images"},
    }
    assert upward(arrows) == [
        ("mmtokedu.catalog.images", "mmtokedu.patches"),
        ("mmtokedu.media.images", "mmtokedu.catalog.images"),
    ]
    assert set(circle(arrows)) == {"mmtokedu.catalog.images", "mmtokedu.patches"}


def test_the_graph_as_text(capsys):
    """What `pytest -s` prints: each room and the rooms it uses."""
    rooms = {}
    for module, targets in graph().items():
        rooms.setdefault(room_of(module), set()).update(room_of(target) for target in targets)
    for room in sorted(rooms, key=FLOOR.get):
        print(f"{room:10} -> {', '.join(sorted(rooms[room] - {room}, key=FLOOR.get)) or '-'}")
    assert "patches    -> _dispatch, arguments" in capsys.readouterr().out


def test_there_are_chapters_in_the_agreed_order():
    assert CHAPTERS and CHAPTERS == [stem for stem in ORDER if stem in CHAPTERS]
    assert LABS == [stem for stem in ORDER if stem in LABS] and set(LABS) <= set(CHAPTERS)


@pytest.mark.parametrize("stem", CHAPTERS)
def test_a_chapter_is_complete(stem):
    for name in (
        f"mmtokedu/{stem}.py",
        f"mmtokedu/arguments/{stem}.py",
        f"notebooks/{stem}.ipynb",
        f"tests/{stem}/test_{stem}.py",
        f"mmtokedu/course/{stem}.py",
    ):
        assert (ROOT / name).exists(), f"{stem} is in _toc.yml but {name} is missing"


def test_no_notebook_or_topic_outside_the_table_of_contents():
    """Drafts (`notebooks/draft/`) are outside on purpose: chapters whose library does not stand yet."""
    assert {p.stem for p in ROOT.glob("notebooks/*.ipynb")} == set(CHAPTERS)
    assert {p.stem for p in ROOT.glob("notebooks/lab/*.ipynb")} == set(LABS)
    assert {p.stem for p in ROOT.glob("notebooks/draft/*.ipynb")} <= set(ORDER)
    assert set(CHAPTERS) <= set(TOPICS)
    ahead = set(TOPICS) - set(CHAPTERS)
    assert ahead <= set(ORDER[len(CHAPTERS) : len(CHAPTERS) + 2]), (
        "only the next two chapters' libraries may come before them"
    )


@pytest.mark.parametrize("module", [name for name in FILES if not name.endswith("__main__")])
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
    elif module in DRAWN:
        assert "pip install 'mmtokedu[show]'" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
