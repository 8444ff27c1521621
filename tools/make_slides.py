"""One deck a chapter from the chapter's own figures: `python tools/make_slides.py [notebook ...]` into build/slides/.

A slide is a figure, strip, table or animation that the notebook stores, under its heading; the prose that leads to it
is in the speaker's notes (key S). Each deck is one HTML file that fetches nothing. Needs nbconvert (`make slides`
sets it up); reveal.js is in tools/slides/reveal, unchanged, with its licence.
"""

import base64
import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbconvert.exporters import SlidesExporter

from mmtokedu.show.markup import PALETTE

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "tools/slides"
OUT = ROOT / "build/slides"
SHOWN = re.compile(r"<!-- mm:(figure|frames|strip|table) ")
FONTS = {
    "Literata": ("literata/literata-latin-wght-normal.woff2", "200 900"),
    "Instrument Sans": ("instrument-sans/instrument-sans-latin-wght-normal.woff2", "400 700"),
}


def plain(text):
    """The book's Markdown without what only the book can resolve: roles, citations, directives, links between pages."""
    text = re.sub(r"^(:{3,}|`{3,})\{.*?^\1\s*$", "", text, flags=re.M | re.S)
    text = re.sub(r"\s*\{cite(:\w+)?\}`[^`]*`", "", text)
    text = re.sub(r"\{\w+\}`([^`<]*?)\s*(<[^`]*>)?`", r"\1", text)
    return re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", text).strip()


def section(notebook, heading):
    """The text under a heading of the second level, up to the next one; empty where there is none."""
    text = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return found[1] if found else ""


def slides(notebook):
    """The cells of the deck, each marked for reveal: across from part to part, down inside one."""
    cells = []

    def slide(kind, *made):
        for number, cell in enumerate(made):
            cell.metadata["slideshow"] = {"slide_type": kind if not number else cell.metadata.pop("as", "-")}
            cells.append(cell)

    def text(source, **metadata):
        return nbformat.v4.new_markdown_cell(source, metadata=metadata)

    first = plain("\n".join(c.source for c in notebook.cells[:4] if c.cell_type == "markdown"))
    title = re.search(r"^# (.+)$", first, re.M)[1]
    promise = re.search(r"^\*\*Afterwards you can\*\*\n+((?:- .+\n?)+)", first, re.M)
    slide("slide", text(f"# {title}\n\nMultimodal tokenization, the book whose every claim runs"))
    if promise:
        slide("slide", text(f"## Afterwards you can\n\n{promise[1]}"))

    part, heading, said, opened = title, title, [], set()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in plain(cell.source).splitlines():
                if head := re.match(r"(##|###) (.+)", line):
                    part, heading = (head[2], head[2]) if head[1] == "##" else (part, head[2])
                    said = []
                elif line.strip() and not line.startswith(("# ", "[Open in Colab]")):
                    said.append(line)
            continue
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            if SHOWN.search(html):
                head = f"#### {part}\n\n## {heading}" if heading != part else f"## {heading}"
                shown = nbformat.v4.new_code_cell("", outputs=[output])
                made = [text(head), shown, *([text("\n\n".join(said), **{"as": "notes"})] if said else [])]
                slide("subslide" if part in opened else "slide", *made)
                opened.add(part)
                said = []
    last = next((h for h in ("To keep", "In one paragraph") if section(notebook, h)), None)
    closing = plain(section(notebook, last)) if last else ""
    if closing:
        summary, _, questions = closing.partition("**To discuss**")
        slide("slide", text(f"## {last}\n\n" + summary.split("**Further reading**")[0].strip()))
        if questions:
            slide("slide", text("## To discuss\n\n" + questions.strip()))
    return cells, title


def resources(mathjax):
    """What the template writes into the deck."""
    faces = []
    for family, (name, weights) in FONTS.items():
        data = base64.b64encode((ROOT / "book/vendor/fonts" / name).read_bytes()).decode()
        face = f'font-family:"{family}";font-weight:{weights};src:url(data:font/woff2;base64,{data}) format("woff2")'
        faces.append(f"@font-face{{{face}}}")
    read = {
        name.replace(".", "_"): (HERE / "reveal" / name).read_text() for name in ("reveal.js", "reveal.css", "notes.js")
    }
    colours = ";".join(f"--{name}:{light}" for name, (light, _) in PALETTE.items())
    return {"deck": {**read, "fonts": "\n".join(faces), "colours": colours, "mathjax": mathjax}}


def make(path, out=OUT):
    """Write one deck; returns its path and how many figures it shows."""
    cells, title = slides(nbformat.read(path, 4))
    deck = nbformat.v4.new_notebook(cells=cells, metadata={"title": title})
    out.mkdir(parents=True, exist_ok=True)
    mathjax = ""
    if any("$" in c.source for c in cells):
        shutil.copytree(ROOT / "book/vendor/mathjax", out / "mathjax", dirs_exist_ok=True)
        mathjax = "mathjax/tex-chtml-full.js"
    exporter = SlidesExporter(
        template_name="slides", extra_template_basedirs=[str(HERE.parent)], exclude_input=True, embed_images=True
    )
    html, _ = exporter.from_notebook_node(deck, resources=resources(mathjax))
    target = out / f"{path.stem}.html"
    target.write_text(html, encoding="utf-8")
    return target, sum(c.cell_type == "code" for c in cells)


def main(names):
    for path in [Path(n).resolve() for n in names] or sorted(ROOT.glob("notebooks/*.ipynb")):
        target, figures = make(path)
        print(f"{target.relative_to(ROOT)}: {figures} figures, {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
