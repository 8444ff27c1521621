"""Keep the repository's address in one place: `_config.yml`, repository.url.

`python tools/links.py` writes it into every badge, bootstrap cell and link.
`python tools/links.py https://github.com/you/fork` changes it there and everywhere.
"""

import re
import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "_config.yml"

BOOTSTRAP = """\
# Colab bootstrap: installs nothing where the library imports, and never
# touches the versions that are there.
import importlib.util
import os
import subprocess
import sys

SOURCE = "git+{url}@main"
if importlib.util.find_spec("mmtokedu") is None:
    tops = [up for up in ("..", "../..") if os.path.isdir(f"{{up}}/mmtokedu")]
    if tops:
        sys.path.insert(0, os.path.abspath(tops[0]))
    else:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
        subprocess.check_call([*pip, SOURCE])
        importlib.invalidate_caches()"""


def address():
    """The repository's address, without a slash at the end."""
    return re.search(r"^repository:\s*\n\s+url:\s*(\S+)", CONFIG.read_text(), re.M).group(1).rstrip("/")


def badges(url, path):
    slug = url.removeprefix("https://github.com/")
    return (
        f"[Open in Colab](https://colab.research.google.com/github/{slug}/blob/main/{path}) "
        f"[Download]({url}/raw/main/{path})"
    )


def tracked():
    """Text files of the repository, as git knows them (untracked ones that are not ignored count)."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    kinds = (".md", ".ipynb", ".toml", ".yml", ".yaml", ".py", ".html", ".cff", ".cfg", ".txt", ".bib")
    return [ROOT / n for n in names if n.endswith(kinds) and (ROOT / n).is_file() and "vendor/" not in n]


def notebooks():
    """Every notebook that somebody may open from its badge: chapters, labs, primer, masters; a draft has none yet."""
    return [p for p in tracked() if p.suffix == ".ipynb" and p.parent != ROOT / "notebooks" / "draft"]


def _with_links(notebook, url, path):
    """Rewrite the bootstrap cell and the badge line of a notebook in place."""
    first = next((c for c in notebook.cells if c.cell_type == "code"), None)
    if first is None or not first.source.startswith("# Colab bootstrap"):
        raise ValueError(f"{path}: the first code cell must be the bootstrap (starts with '# Colab bootstrap')")
    first.source = BOOTSTRAP.format(url=url)
    first.metadata["tags"] = ["remove-cell"]
    if any(c.cell_type == "raw" and c.source.startswith("# ASSIGNMENT CONFIG") for c in notebook.cells):
        return notebook  # a master holds the solutions: no badge leads to it
    title = next((c for c in notebook.cells if c.cell_type == "markdown" and c.source.startswith("# ")), None)
    if title is None:
        raise ValueError(f"{path}: no Markdown cell starts with '# ' and the title")
    heading, _, rest = title.source.partition("\n")
    rest = re.sub(r"^\[Open in Colab\]\(.*\n?", "", rest, flags=re.M).strip()
    title.source = f"{heading}\n\n{badges(url, path)}" + (f"\n\n{rest}" if rest else "")
    return notebook


def problems(url):
    """What does not agree with the address, one line each."""
    found = []
    for path in notebooks():
        name = path.relative_to(ROOT).as_posix()
        stored = nbformat.read(path, 4)
        try:
            if _with_links(nbformat.read(path, 4), url, name) != stored:
                found.append(f"{name}: badge or bootstrap cell differs (run `make links`)")
        except ValueError as error:
            found.append(str(error))
    pattern = re.compile(r"(?:github\.com|githubusercontent\.com|research\.google\.com/github)/([\w.-]+/mmtokedu)\b")
    for path in tracked():
        for slug in set(pattern.findall(path.read_text(errors="ignore"))) - {url.removeprefix("https://github.com/")}:
            if path.name not in ("links.py", "test_links.py"):
                found.append(f"{path.relative_to(ROOT)}: names {slug}, not {url}")
    return found


def main(arguments):
    old = address()
    new = arguments[0].rstrip("/") if arguments else old
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", new):
        sys.exit(f"{new} is no address of the form https://github.com/owner/name")
    for path in tracked():
        if path.suffix != ".ipynb" and path.name not in ("links.py", "test_links.py"):
            text = path.read_text()
            changed = text.replace(old.removeprefix("https://github.com/"), new.removeprefix("https://github.com/"))
            if changed != text:
                path.write_text(changed)
    for path in notebooks():
        notebook = nbformat.read(path, 4)
        changed = _with_links(nbformat.read(path, 4), new, path.relative_to(ROOT).as_posix())
        for cell in changed.cells:
            if cell.cell_type == "markdown":
                cell.source = cell.source.replace(old, new)
        if changed != notebook:
            nbformat.write(changed, path)
    print(f"every link says {new}" + (f" (was {old})" if new != old else ""))


if __name__ == "__main__":
    main(sys.argv[1:])
