"""The ledger of claims, `book/claims.toml`: what is said in the field, what the book found, and where.

python tools/claims.py             print it, chapter by chapter

[[claim]]
id = "square-of-the-side"
chapter = "patches"          # where it is tested
source = "article"           # the article the book began with, or "field": what is generally told
claim = "…"                  # in our words, so that it could be false
verdict = "holds"            # or "holds when", "not here", "not tested"
scope = "…"                  # what was looked at; for "holds when", the condition
anchor = "notebooks/patches#tokens-grow-with-the-area"   # page and heading; the page alone while not tested
"""

import functools
import re
import sys
import tomllib
from dataclasses import dataclass, fields

import reading
from docutils.nodes import make_id

LEDGER = reading.ROOT / "book" / "claims.toml"
CHAPTERS = "patches", "vq", "rvq", "video", "interleave", "mrope", "compress", "budget", "cache"
VERDICTS = "holds", "holds when", "not here", "not tested"
SOURCES = "article", "field"


@dataclass(frozen=True)
class Claim:
    id: str
    chapter: str
    source: str
    claim: str
    verdict: str
    scope: str
    anchor: str

    @property
    def tested(self):
        return self.verdict != "not tested"


def claims():
    """Every claim of the ledger, in its order.

    Raises ValueError for a ledger with faults, one line each.
    """
    rows = tomllib.loads(LEDGER.read_text(encoding="utf-8")).get("claim", [])
    if found := [line for number, row in enumerate(rows) for line in faults(row, rows[:number])]:
        raise ValueError("\n".join(found))
    return tuple(Claim(**row) for row in rows)


def faults(row, earlier=()):
    """What is wrong with a row, given those before it; one line each."""
    name = f"claim {row.get('id', '?')!r}"
    wanted = {field.name for field in fields(Claim)}
    if set(row) != wanted:
        return [f"{name}: missing {sorted(wanted - set(row))}, unknown {sorted(set(row) - wanted)}"]
    if empty := sorted(key for key in wanted if not isinstance(row[key], str) or not row[key].strip()):
        return [f"{name}: {', '.join(empty)} say nothing"]
    found = []
    for key, allowed in (("chapter", CHAPTERS), ("verdict", VERDICTS), ("source", SOURCES)):
        if row[key] not in allowed:
            found.append(f"{name}: {key} is {row[key]!r}; it is one of {', '.join(allowed)}")
    for key in ("id", "claim"):
        if same(row[key]) in [same(other.get(key, "")) for other in earlier]:
            found.append(f"{name}: this {key} is there twice")
    page, _, heading = row["anchor"].partition("#")
    if row["verdict"] == "not tested":
        if row["anchor"] != f"notebooks/{row['chapter']}":
            found.append(f"{name}: not tested, so its anchor is the chapter's page, notebooks/{row['chapter']}")
    elif page not in reading.names():
        found.append(f"{name}: there is no page {page!r} in the table of contents")
    elif heading not in headings(page):
        found.append(f"{name}: {page} has no heading (or more than one) with the anchor {heading!r}")
    return found


def same(text):
    """A text without what does not tell two claims apart: case, spaces, full stops."""
    return " ".join(re.findall(r"\w+", text.lower()))


@functools.cache
def headings(page):
    """The anchors of a page's headings, as the built page has them; those of equal headings are left out."""
    found = [make_id(value[1]) for kind, value, _ in reading.events(reading.path_of(page)) if kind == "heading"]
    return {anchor for anchor in found if found.count(anchor) == 1}


def main():
    try:
        ledger = claims()
    except ValueError as error:
        sys.exit(str(error))
    for chapter in CHAPTERS:
        print(f"\n{chapter}")
        for claim in (claim for claim in ledger if claim.chapter == chapter):
            print(f"  {claim.verdict:11} {claim.claim}\n{'':14}{claim.scope} ({claim.anchor})")
    counts = [sum(claim.verdict == verdict for claim in ledger) for verdict in VERDICTS]
    print(f"\n{len(ledger)} claims: {', '.join(f'{n} {verdict}' for n, verdict in zip(counts, VERDICTS))}")


if __name__ == "__main__":
    main()
