"""What the book serves of others is byte for byte what was fetched, with a licence beside it."""

import importlib.util
import pathlib
import shutil

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("vendor", ROOT / "tools/vendor.py")
vendor = importlib.util.module_from_spec(spec)
spec.loader.exec_module(vendor)


def test_the_committed_files_are_those_that_were_fetched():
    assert vendor.check() == 0


@pytest.mark.parametrize("package", [vendor.MATHJAX, *vendor.FONTS], ids=lambda package: package.name)
def test_every_package_is_there_with_its_licence_and_is_listed(package):
    assert (vendor.VENDOR / package.folder / "LICENSE").stat().st_size > 1000
    row = f"| `{package.folder}/` | {package.name} {package.version} | {package.licence} |"
    assert row in (vendor.VENDOR / "README.md").read_text()


@pytest.mark.parametrize("change", ["edit", "delete", "add"])
def test_a_changed_file_is_named(tmp_path, capsys, change):
    copy = shutil.copytree(vendor.VENDOR, tmp_path / "vendor")
    name = "mathjax/extra.js" if change == "add" else "mathjax/tex-chtml-full.js"
    (copy / name).unlink() if change == "delete" else (copy / name).write_text("// not MathJax")
    assert vendor.check(copy) == 1
    assert name in capsys.readouterr().out


def test_a_pattern_that_names_no_file_is_an_error(tmp_path):
    (tmp_path / "LICENSE").write_text("...")
    package = vendor.Package("mathjax", "3.2.1", "Apache-2.0", "mathjax", "", ("LICENSE", "gone.js"))
    with pytest.raises(SystemExit, match="has no file gone.js"):
        vendor.copy(package, tmp_path, tmp_path / "vendor")
