"""The front end of explorables as an output carries it: each file between markers, so that it can be exchanged.

An output works alone, in a notebook, on Colab and offline, so it holds the whole front end: `base.js`, which all topics
share, then the topic's own file. In the page they are defined once, however many outputs carry them. A stored output
takes a newer front end without being run again (`with_current_front`, `tools/refresh.py --front`), and the built book
replaces what stands between the markers by links to files that its pages share (`book/_ext/mmbook.py`).
"""

import json
import re
from importlib import resources

from mmtokedu.show import markup

SLOT = '"mm:palette"'  # where base.js takes the book's colours
MARKED = re.compile(r"<!-- mm:front (\w+) -->.*?<!-- /front -->", re.S)


def script(name):
    """The JavaScript of `mmtokedu/explore/NAME.js`, the base with the palette written into it.

    Raises ValueError where there is no such file, where the base has not one slot for the palette, and where a file
    holds what would end its script or its marker.
    """
    folder = resources.files(__package__)
    names = sorted(path.name.removesuffix(".js") for path in folder.iterdir() if path.name.endswith(".js"))
    if name not in names:
        raise ValueError(f"no front end {name!r}; there are {', '.join(names)}")
    text = folder.joinpath(f"{name}.js").read_text(encoding="utf-8")
    if text.count(SLOT) != (name == "base"):
        raise ValueError(f"{name}.js holds {SLOT} {text.count(SLOT)} times; the base holds it once, a topic never")
    if found := re.search(r"</script|<!--|-->", text):
        raise ValueError(f"{name}.js holds {found[0]!r}, which would end its script in the page")
    return text.replace(SLOT, json.dumps(markup.PALETTE)).strip()


def marked(name):
    """One file of the front end between its markers."""
    return f"<!-- mm:front {name} --><script>\n{script(name)}\n</script><!-- /front -->"


def front(topic):
    """What an output of a topic carries: the base, then the topic's file."""
    return marked("base") + marked(topic)


def alone(output, title):
    """An output as a page of its own, a string of HTML."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>body{{font:17px/1.5 system-ui,sans-serif;max-width:56rem;margin:1rem auto;"
        "padding:0 1rem}:root{color-scheme:light dark;background:light-dark(#fbfaf6,#14171b)}"
        f"[data-theme=light]{{color-scheme:light}}[data-theme=dark]{{color-scheme:dark}}</style>{output._repr_html_()}</html>"
    )


def with_current_front(text):
    """Text in which each file of a front end is today's; what stands around it stays.

    >>> old = "<p>kept</p><!-- mm:front base --><script>…</script><!-- /front -->"
    >>> with_current_front(old) == "<p>kept</p>" + marked("base")
    True
    """
    return MARKED.sub(lambda found: marked(found[1]), text)
