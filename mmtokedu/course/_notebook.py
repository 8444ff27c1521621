"""A notebook file as the code worth running. Made for files from strangers: whatever is in them, no more than ValueError."""

import json
import re
from hashlib import sha256

from mmtokedu.course import _measured

KIT = re.compile(r"^# kit: \S+ ([0-9a-f]{12})$", re.M)  # `_build` writes it into the cell of checks
OTHER = {  # how files start that people hand in for a notebook
    b"PK\x03\x04": "a zip archive: unpack it into a folder of its name, and grade again",
    b"%PDF": "a PDF, not a notebook (.ipynb)",
    b"\x1f\x8b": "a gzip archive: unpack it into a folder of its name, and grade again",
}


def kit_name(key):
    """A kit in words: its name and its version."""
    return f"{key['name']} {key['version']}"


def kit_mark(name, version):
    """The line by which a notebook can be told from one of another kit."""
    return f"# kit: {name} {version}"


MOST_WORDS = 6000  # characters of a student's words that are kept for whoever marks them


def read(data, name=""):
    """((number, kind, source) of each cell, what there is to say) of the bytes of a notebook. ValueError says what is wrong."""
    notebook, notes = load(data, name)
    return cells_of(notebook, notes), notes


def load(data, name=""):
    """(A notebook as its JSON, what there is to say) of its bytes. ValueError says what is wrong.

    Read are nbformat 3 and 4, in UTF-8 with or without a mark, UTF-16 and UTF-32; what is no Unicode as Windows-1252.
    """
    for start, what in OTHER.items():
        if data.startswith(start):
            raise ValueError(f"this is {what}")
    if not data.strip(b" \r\n\t\0"):
        raise ValueError("the file is empty")
    notes = []
    try:
        try:
            notebook = json.loads(data)  # finds out which Unicode it is
        except UnicodeDecodeError:
            notebook = json.loads(data.decode("cp1252", "replace"))
            notes.append("the file is not Unicode; it was read as Windows-1252")
    except (ValueError, RecursionError):
        what = "a Python file" if name.lower().endswith(".py") else "not a notebook (.ipynb) that can be read"
        raise ValueError(f"this is {what}; ask for the .ipynb file") from None
    _listed(notebook)
    return notebook, notes


def cells_of(notebook, notes):
    """(number, kind, source) of each cell of a notebook; what is left out is added to `notes`."""
    cells, number = [], 0
    for place, cell in enumerate(_listed(notebook), 1):
        try:
            kind = cell["cell_type"]
            source = _text(cell["source"] if "source" in cell else cell["input"])  # nbformat 3 says input
        except (TypeError, KeyError):
            notes.append(f"item {place} of the file is not a cell and was left out")
            continue
        number += kind == "code"
        cells.append((number, kind, source))
    return cells


def printed(notebook):
    """The results of a measured question that a notebook's cells have printed, in their order, each as text."""
    found = []
    for cell in _listed(notebook):
        outputs = cell.get("outputs") if isinstance(cell, dict) else None
        for output in outputs if isinstance(outputs, list) else ():
            try:
                found += _measured.printed(_text(output["text"]))
            except (TypeError, KeyError):
                continue
    return found


def words(cells, name, handed_out):
    """What was written in Markdown below the cell that measures `name`, less what was handed out.

    `handed_out` are the marks of the sheet's own Markdown cells, and lines that stand in the cell for the words.
    """
    texts, lines = handed_out
    call = re.compile(rf"""\.measure\(\s*["']{name}["']""")
    places = [place for place, (_, kind, source) in enumerate(cells) if kind == "code" and call.search(source)]
    written = []
    for _, kind, source in cells[places[-1] + 1 :] if places else ():
        if kind == "markdown" and mark_of(source) not in texts:
            written += [line for line in source.splitlines() if line.strip() not in lines]
    return "\n".join(written).strip()[:MOST_WORDS]


def _listed(notebook):
    """The cells as they stand in the file: in nbformat 3 they are in worksheets."""
    if isinstance(notebook, dict):
        if isinstance(notebook.get("cells"), list):
            return notebook["cells"]
        sheets = notebook.get("worksheets")
        if isinstance(sheets, list) and all(isinstance(s, dict) and isinstance(s.get("cells"), list) for s in sheets):
            return [cell for sheet in sheets for cell in sheet["cells"]]
    raise ValueError(
        "this is not a notebook (.ipynb) that can be read: there are no cells in it; ask for the .ipynb file"
    )


def _text(source):
    """Text of a cell, of one string or of lines; half a character of UTF-16, which is none, becomes �."""
    text = source if isinstance(source, str) else "".join(source)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def mark_of(source):
    """What tells an unchanged cell of the kit from a changed one."""
    return sha256(source.strip().encode()).hexdigest()


def code(cells, demos):
    """(number, source) of the code cells but those that stand as they were handed out and only show something."""
    return [(number, source) for number, kind, source in cells if kind == "code" and mark_of(source) not in demos]


def kit_of(cells):
    """The version of the kit that a notebook was handed out with, or "" where nothing says it."""
    return next((found[1] for _, kind, source in cells if kind == "code" and (found := KIT.search(source))), "")


def written(cells, names):
    """How many of the functions called `names` a notebook defines, less those that it only starts."""
    text = "\n".join(source for _, kind, source in cells if kind == "code")
    defined = sum(bool(re.search(rf"^\s*(?:def {name}\b|{name}\s*=)", text, re.M)) for name in names)
    return defined - len(re.findall(r"^\s*raise NotImplementedError\s*$", text, re.M))
