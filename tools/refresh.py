"""Re-execute notebooks top to bottom and store clean outputs: `python tools/refresh.py [notebook ...]`.

The stored outputs are what the book shows and what strict nbval compares with, so this is the only tool that
writes them: no timestamps, no widget state, no version of the interpreter.

`python tools/refresh.py --front [notebook ...]` runs nothing: it gives stored explorables the front end of today
(`mmtokedu/explore/*.js`) and leaves all else as it stands, the notebooks' execution counts included.
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"  # a progress bar would store each of its steps
os.environ["PYTHONHASHSEED"] = "0"

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from mmtokedu.explore._front import with_current_front  # noqa: E402  (beside the library, installed or not)

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
    "accelerator": "GPU",
    "colab": {"provenance": [], "gpuType": "T4"},
}


def notebooks(*, drafts=False):
    """Every notebook of the book, chapters before their labs; with `drafts` also those that are not yet in the book."""
    places = ["notebooks/*.ipynb", "notebooks/lab/*.ipynb", "book/**/*.ipynb"] + ["notebooks/draft/*.ipynb"] * drafts
    return sorted(path for place in places for path in ROOT.glob(place))


def clean(notebook):
    """Drop what differs from run to run and set the metadata that Colab and Jupyter need. Changes it in place."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"c{number:03d}"
        for key in ("execution", "jp-MarkdownHeadingCollapsed", "collapsed"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
    return notebook


def joined(outputs):
    """Outputs with neighbouring pieces of one stream put together: where a print is cut depends on the machine."""
    kept = []
    for output in outputs:
        if kept and output.output_type == kept[-1].output_type == "stream" and output.name == kept[-1].name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def refresh(path):
    notebook = nbformat.read(path, 4)
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", record_timing=False, store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # a kernel on loopback warns about its transport each time
    )  # fmt: skip
    client.widget_registry = {}  # nbclient issue 312: its stand-in for Output can stall a cell until the timeout
    client.execute()
    nbformat.write(clean(notebook), path)


def renew_front(notebook):
    """Give the stored explorables of a notebook the front end of today, in place; whether anything changed."""
    changed = False
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            text = output.get("data", {}).get("text/html", "")
            if (renewed := with_current_front(text)) != text:
                output["data"]["text/html"] = renewed
                changed = True
    return changed


def refresh_fronts(paths):
    for path in paths:
        notebook = nbformat.read(path, 4)
        if renew_front(notebook):
            nbformat.write(notebook, path)
            print(f"{path.relative_to(ROOT)}: front end of today", flush=True)


def refresh_all(paths):
    failed = []
    for path in paths:
        print(f"{path.relative_to(ROOT)} ...", end="", flush=True)
        start = time.perf_counter()
        try:
            refresh(path)
            print(f" {time.perf_counter() - start:.1f} s", flush=True)
        except (CellExecutionError, CellTimeoutError) as error:
            failed.append(path)
            print(f" FAILED; nothing was stored\n{error}", flush=True)
    if failed:
        sys.exit(f"{len(failed)} failed: mend the cell named above and run `make refresh` again")


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", help="default: all of them, drafts too")
    parser.add_argument("--front", action="store_true", help="renew only the front end of stored explorables")
    given = parser.parse_args(arguments)
    paths = [Path(name).resolve() for name in given.notebooks] or notebooks(drafts=True)
    (refresh_fronts if given.front else refresh_all)(paths)


if __name__ == "__main__":
    main(sys.argv[1:])
