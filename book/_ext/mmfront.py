"""Makes the HTML that pages include: the front page's first picture and its map, the primer's five questions.

It is made before the pages are read, and not committed.
"""

import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]


def drawn():
    """file name -> HTML of what a page includes."""
    import draw_map
    import first_picture

    from mmtokedu.course import quiz

    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    selftest = quiz.ask_all("selftest")._repr_html_()
    return {"first.html": first_picture.page(), "map.html": draw_map.page(toc), "selftest.html": selftest}


def write(app):
    folder = ROOT / "book" / "_generated"
    folder.mkdir(exist_ok=True)
    for name, html in drawn().items():
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != html:
            (folder / name).write_text(html, encoding="utf-8")


def setup(app):
    app.connect("builder-inited", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
