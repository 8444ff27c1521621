"""The notation page against the library: every shape letter of a docstring is defined, and the conventions hold."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.apart

ROOT = Path(__file__).parents[2]
NOTATION = ROOT / "book" / "notation.md"
ROOMS = "", "catalog/", "media/", "samples/", "show/"
TOPICS = sorted(path for room in ROOMS for path in ROOT.glob(f"mmtokedu/{room}[!_]*.py"))

LETTERS = r"(?:[A-Z]|\d+)(?:\s*[-+*/]\s*(?:[A-Z]|\d+))*"  # H, 3, P*P*C, S + 1
AXIS = rf"(?:{LETTERS}|\.\.\.|…|[a-z_]+)"
SHAPE = re.compile(rf"\(({AXIS}(?:,\s*{AXIS})+|{AXIS},)\)")  # (..., H, W, C) or (N,)


def defined_letters(page):
    """The letters in the first column of the notation table, in order."""
    return re.findall(r"^\| `([A-Z])` \|", page, re.MULTILINE)


def shape_letters(docstring):
    """The shape letters of all tuples in a docstring that look like shapes; examples are left out."""
    prose = re.sub(r"^\s*(>>>|\.\.\. ).*$", "", docstring, flags=re.MULTILINE)
    return {letter for shape in SHAPE.findall(prose) for letter in re.findall(r"\b[A-Z]\b", shape)}


def public_docstrings(source):
    """name -> docstring of the public functions and classes at the top level of a module's source."""
    nodes = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef))
    return {node.name: ast.get_docstring(node) or "" for node in nodes if not node.name.startswith("_")}


def undefined(sources, page):
    """(function, letter) for every shape letter that the page does not define."""
    known = set(defined_letters(page))
    return [
        (name, letter)
        for source in sources
        for name, docstring in public_docstrings(source).items()
        for letter in sorted(shape_letters(docstring) - known)
    ]


def test_every_shape_letter_is_defined():
    assert undefined((path.read_text() for path in TOPICS), NOTATION.read_text()) == []


def test_each_letter_is_defined_once():
    letters = defined_letters(NOTATION.read_text())
    assert len(letters) == len(set(letters)) >= 11


def test_an_undefined_letter_is_found():
    source = 'def f(x):\n    """Rows (..., N, P*P*C) and (Z + 1,) of (B, Y, 3).\n\n    >>> (X, 1)\n    """\n'
    assert undefined([source], NOTATION.read_text()) == [("f", "Y"), ("f", "Z")]
    without_patch_side = re.sub(r"^\| `P` .*\n", "", NOTATION.read_text(), flags=re.MULTILINE)
    assert ("patchify", "P") in undefined((path.read_text() for path in TOPICS), without_patch_side)


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("(..., H, W, C) -> (..., N, P*P*C)", "HWCNP"),
        ("(N,)", "N"),
        ("(S + 1,), then (S, 2)", "S"),
        ("(rows, C*temporal*P*P) has words", ""),  # a product with a word in it is not a pure shape
        ("(height, width), (a sentence, with a comma) or (T)", ""),
    ],
)
def test_what_counts_as_a_shape(text, letters):
    assert shape_letters(text) == set(letters)


def test_the_conventions_hold_in_patches():
    from mmtokedu.patches import block_mask, pack_lengths, smart_resize

    cu_seqlens = pack_lengths([2, 3])
    assert cu_seqlens.dtype == np.int32 and cu_seqlens[0] == 0
    mask = block_mask(cu_seqlens)
    assert mask.dtype == bool and mask[0, 1] and not mask[0, 2]  # True = may attend
    height, width = smart_resize(500, 1000)
    assert height < width
