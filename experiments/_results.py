"""What every experiment's results begin with, and how they are written."""

import datetime
import json
import os
import platform
from importlib import metadata
from pathlib import Path


def head(what, experiment, packages, *, ran_on=None):
    """What was asked, by which program, when, on what and with which versions: the first keys of a results file.

    experiment names the file of `experiments/`; ran_on says on what, where it is not this machine with one thread.
    """
    return {
        "what": what,
        "made_by": f"experiments/{experiment}.py",
        "date": str(datetime.date.today()),
        "device": ran_on or f"{device()}, one thread",
        "versions": versions(*packages),
    }


def versions(*packages):
    """{package: version}, Python's own first."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in packages}


def device():
    """The processor that ran this, in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, no GPU"


def as_text(value, indent=""):
    """JSON with one row a line, so that a difference can be read.

    >>> print(as_text({"seeds": [0, 1], "rows": [{"a": 1}, {"a": 2}]}))
    {
     "seeds": [0, 1],
     "rows": [
      {"a": 1},
      {"a": 2}
     ]
    }
    <BLANKLINE>
    """
    rows = isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value)
    if isinstance(value, dict) and len(indent) < 3 and (not indent or len(json.dumps(value)) > 110):
        items = [f"{indent} {json.dumps(k)}: {as_text(v, indent + ' ')}" for k, v in value.items()]
        body = "{\n" + ",\n".join(items) + f"\n{indent}}}"
    elif rows:
        body = "[\n" + ",\n".join(f"{indent} {json.dumps(row, ensure_ascii=False)}" for row in value) + f"\n{indent}]"
    else:
        body = json.dumps(value, ensure_ascii=False)
    return body if indent else body + "\n"


def rounded(value):
    """Rows with their floats to four places, so that a difference shows what changed.

    >>> rounded({"seeds": [0], "rows": [{"right": 0.123456}]})
    {'seeds': [0], 'rows': [{'right': 0.1235}]}
    """
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value
