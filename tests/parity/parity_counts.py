"""How often the library agrees with the peers, as data that chapters read: what parity tests count is kept here.

    python tests/parity/parity_counts.py interleave     with the peers: asks them all, writes results/interleave_parity.json
    python tests/parity/parity_counts.py mrope
    python tests/parity/parity_counts.py compress

Every other run of these tests holds what it counts to what is kept. Golden rows need no peer, live ones do.
"""

import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from peers import write_counts

from mmtokedu.measured import results

RESULTS = Path(__file__).parents[2] / "mmtokedu" / "data" / "results"
TOPICS = {  # topic -> what its rows count
    "interleave": "How often the library writes a prompt, a mask or labels as the system's own code does.",
    "mrope": "How often the library gives tokens the positions, and turns pairs, as the system's own code does.",
    "compress": "How often the library puts tokens side by side, pools and merges them as the system's own code does.",
}


def row(kind, name, asked, agreed, refused, disagreed, why=""):
    """A row of counts; why says on what the two disagree.

    asked is "golden" (of answers that are kept), "live", or "read" (a peer's rule written down again, its code not run).
    """
    counts = {"agreed": agreed, "both_refused": refused, "disagreed": disagreed}
    return {"kind": kind, "name": name, "asked": asked} | counts | ({"why": why} if why else {})


class Keeper:
    """A pytest plugin that collects rows in place of holding them to the kept ones."""

    __name__ = "keeper"

    def __init__(self):
        self.rows = []


def held(config, topic, found):
    """Collect the row where this run writes; else it must be among the kept ones."""
    if keeper := config.pluginmanager.get_plugin("keeper"):
        keeper.rows.append(found)
    else:
        kept = [
            one
            for one in results(f"{topic}_parity")["rows"]
            if (one["kind"], one["name"], one["asked"]) == (found["kind"], found["name"], found["asked"])
        ]
        assert kept == [found], f"counted {found}; kept is {kept} (if that is right: parity_counts.py {topic})"


def main(topic):
    keeper, here = Keeper(), Path(__file__).parent
    files = [str(here / f"test_{asked}_{topic}.py") for asked in ("golden", "live")]
    if pytest.main([*files, "-k", "not among_the_kept"], plugins=[keeper]):
        raise SystemExit("not written: a test failed")
    packages = {name: version(name) for name in ("transformers", "torch", "tokenizers", "numpy")}
    counts = {"what": TOPICS[topic], "made_by": "tests/parity/parity_counts.py", "packages": packages}
    write_counts(counts | {"rows": keeper.rows}, RESULTS / f"{topic}_parity.json")


if __name__ == "__main__":
    main(*sys.argv[1:])
