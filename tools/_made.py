"""The command line of a script that makes package data: make the files and write them, or hold the stored ones to them."""

import argparse
import sys


def run(doc, build, differences, folder, advice):
    """Files made by build() go to `folder` and are returned; with --check nothing is written, and the script ends.

    build() gives {name: bytes}; differences(new, old) lists what a reader would call another file, `advice` follows it.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the stored files, write nothing")
    check = parser.parse_args().check
    new = build()
    if check:
        found = differences(new, {name: (folder / name).read_bytes() for name in new})
        sys.exit("\n".join([*found, advice]) if found else 0)
    folder.mkdir(exist_ok=True)
    for name, data in new.items():
        (folder / name).write_bytes(data)
        print(f"{name}: {len(data) / 1e3:.0f} kB")
    return new
