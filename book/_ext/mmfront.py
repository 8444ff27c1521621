"""Draws what the front page shows, the first picture and the map, before the pages are read: neither is committed."""

import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]


def drawn():
    """file name -> HTML of what the front page includes."""
    import draw_map
    import first_picture

    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return {"first.html": first_picture.page(), "map.html": draw_map.page(toc)}


def write(app):
    folder = ROOT / "book" / "_generated"
    folder.mkdir(exist_ok=True)
    for name, html in drawn().items():
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != html:
            (folder / name).write_text(html, encoding="utf-8")


def setup(app):
    app.connect("builder-inited", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
