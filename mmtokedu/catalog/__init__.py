"""Production systems as dated data: one TOML file a kind, each number with its source and its day.

Beside each file stand its rows and its systems' variants of the rules, in a module of the same name: `catalog.images`,
`catalog.codecs`, `catalog.listeners`, `catalog.video`, `catalog.styles`, `catalog.positions`, `catalog.compressors`,
`catalog.models`, `catalog.prices`. `catalog.resize` has what rules and topics share.
"""

import difflib
import tomllib
from importlib import resources
from types import MappingProxyType


def read(kind, make):
    """The rows of `<kind>.toml`, in its order: a read-only mapping name -> make(name, row).

    >>> list(read("listeners", lambda name, row: row["title"]).items())[0]
    ('whisper', 'Whisper (the encoder)')
    """
    text = resources.files(__name__).joinpath(f"{kind}.toml").read_text(encoding="utf-8")
    return MappingProxyType({name: make(name, row) for name, row in tomllib.loads(text).items()})


def read_kinds(file, kinds):
    """The rows of `<file>.toml` that has several kinds of them: a read-only mapping kind -> name -> row.

    kinds: kind -> (what a message calls such a row, what makes one of its name and its table).

    >>> list(read_kinds("styles", {kind: ("row", lambda name, row: name) for kind in ("style", "turns")})["turns"])
    ['chatml']
    """

    def rows_of(kind, table):
        make = kinds[kind][1]
        return MappingProxyType({name: make(name, dict(row)) for name, row in table.items()})

    return read(file, rows_of)


def one(what, name, rows):
    """The row of this name, or a ValueError that lists the names there are.

    >>> one("codec", "mimi", {"mimi": 1})
    1
    """
    if not isinstance(name, str) or name not in rows:
        raise ValueError(f"unknown {what} {name!r}; the catalog has {', '.join(rows)}")
    return rows[name]


def one_of_many(what, name, rows):
    """The row of this name, or a ValueError that names the nearest of many.

    >>> one_of_many("model", "qwen3vl-8b", {"qwen3-vl-8b": 1, "gemma-3-4b": 2})
    Traceback (most recent call last):
    ValueError: unknown model 'qwen3vl-8b' (of 2); the nearest name is qwen3-vl-8b
    """
    if isinstance(name, str) and name in rows:
        return rows[name]
    near = difflib.get_close_matches(name.lower(), rows, n=3, cutoff=0.5) if isinstance(name, str) else []
    if not near:
        return one(what, name, rows)
    names = f"the nearest {'names are' if len(near) > 1 else 'name is'} {', '.join(near)}"
    raise ValueError(f"unknown {what} {name!r} (of {len(rows)}); {names}")
