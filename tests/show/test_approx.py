"""Numbers with a tolerance: how they read, and that strict nbval holds them to it (a tiny notebook, run for real)."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.apart

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbval")
pytest.importorskip("ipykernel")
from nbval_approx import MARK, agree

from mmtokedu import show

ROOT = Path(__file__).resolve().parents[2]


# as it reads


@pytest.mark.parametrize(
    ("value", "tolerance", "text"),
    [
        (26.4312, 0.05, "≈26.43 ±0.05"),
        (-3, 0.5, "≈-3.0 ±0.5"),
        (1234567.8, 1000, "≈1,234,568 ±1,000"),
        (0.00012345, 1e-6, "≈0.000123 ±0.000001"),
        (np.float32(0.1), 0.025, "≈0.100 ±0.025"),
        (7, 1e20, "≈7 ±100,000,000,000,000,000,000"),
    ],
)
def test_the_text_and_what_it_holds(value, tolerance, text):
    number = show.approx(value, tolerance)
    assert f"{number} dB" == f"{text} dB" and str(number) == text
    assert (number.value, number.tolerance) == (float(value), float(tolerance))
    assert MARK.fullmatch(text)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match=r"the value -?(nan|inf)"):
        show.approx(value, 0.1)


@pytest.mark.parametrize("tolerance", [0, -0.1, np.nan, np.inf])
def test_a_tolerance_is_positive_and_finite(tolerance):
    with pytest.raises(ValueError, match="the tolerance"):
        show.approx(1.0, tolerance)


def test_in_a_table_it_stands_right_and_on_one_line():
    shown = show.table(["", "dB"], [["a", show.approx(26.4312, 0.05)]], caption="c")._repr_html_()
    assert '<td style="text-align:right;white-space:nowrap">≈26.43 ±0.05</td>' in shown


# what the comparison makes of it


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.floats(-3, 3))
def test_a_number_agrees_as_far_as_its_tolerance(value, tolerance, times):
    a, b = show.approx(value, tolerance), show.approx(value + times * tolerance, tolerance)
    if abs(times) < 0.49:  # half is for the rounding of both
        assert agree(f"{a} dB", f"{b} dB")
    if abs(times) > 2.01:
        assert not agree(f"{a} dB", f"{b} dB")


@pytest.mark.parametrize(
    ("computed", "agrees"),
    [
        ("snr ≈26.43 ±0.05 dB, 8 codebooks", True),
        ("snr ≈26.48 ±0.05 dB, 8 codebooks", True),
        ("snr ≈26.38 ±0.05 dB, 8 codebooks", True),
        ("snr ≈26.49 ±0.05 dB, 8 codebooks", False),
        ("snr ≈26.43 ±0.06 dB, 8 codebooks", False),
        ("snr ≈26.43 ±0.05 dB, 9 codebooks", False),
        ("snr ≈26.43 ±0.05 dB, 8 codebooks, ≈1.0 ±0.1", False),
        ("snr 26.43 dB, 8 codebooks", False),
        ("snr ≈nan ±0.05 dB, 8 codebooks", False),
    ],
)
def test_text_exactly_numbers_within(computed, agrees):
    assert agree("snr ≈26.43 ±0.05 dB, 8 codebooks", computed) == agrees


def test_nan_does_not_even_agree_with_nan():
    assert not agree("≈nan ±0.05", "≈nan ±0.05")


def test_a_full_stop_a_comma_and_a_tag_end_a_number():
    for end in (".", ", ", "</td>", ")"):
        assert agree(f"≈1,000 ±5{end}", f"≈1,005 ±5{end}")


# nbval itself


def nbval(folder, *sources, stored):
    """Run strict nbval on a notebook of these cells with these stored outputs: (exit code, what it said)."""
    notebook = nbformat.v4.new_notebook()
    for number, (source, output) in enumerate(zip(sources, stored, strict=True), 1):
        notebook.cells.append(nbformat.v4.new_code_cell(source, outputs=[output], execution_count=number))
    nbformat.write(notebook, folder / "tiny.ipynb")
    (folder / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "nbval_approx", "-p", "no:cacheprovider",
         "-W", "default", "-q", "tiny.ipynb"],
        cwd=folder, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'tests' / 'helpers'}{os.pathsep}{ROOT}"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


PRINT = "from mmtokedu import show\nprint('snr', show.approx(26.4312, 0.05), 'dB')"
TABLE = "show.table(['', 'dB'], [['a', show.approx(26.4312, 0.05)]], caption='c')"


def printed(text):
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def tabled(number):
    html = show.table(["", "dB"], [["a", show.approx(number, 0.05)]], caption="c")._repr_html_()
    return nbformat.v4.new_output("execute_result", {"text/plain": "[table: c]", "text/html": html}, execution_count=2)


def test_nbval_passes_what_is_within_in_a_print_and_in_a_table(tmp_path):
    code, said = nbval(tmp_path, PRINT, TABLE, stored=[printed("snr ≈26.40 ±0.05 dB\n"), tabled(26.46)])
    assert code == 0 and "2 passed" in said, said


def test_nbval_fails_what_is_beyond_in_a_print_and_in_a_table(tmp_path):
    code, said = nbval(tmp_path, PRINT, TABLE, stored=[printed("snr ≈26.37 ±0.05 dB\n"), tabled(26.5)])
    assert code == 1 and "2 failed" in said, said
    assert "≈26.37 ±0.05" in said and "≈26.43 ±0.05" in said
