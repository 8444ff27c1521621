"""First uses of glossary terms that are not linked to the glossary.

    python tools/terms.py              print them for every chapter
    python tools/terms.py PAGE ...     for these pages
    python tools/terms.py --check      fail where an article (book/articles.txt) has one

A use counts in prose, open or folded, before or after a line break, in any case and as a plural; not in headings,
code, tables, links or citations. Linked is {term}`key`, {term}`keys <key>`, and a term in italics, *keys*, which the book
links by itself (book/_ext/mmpage.py) and a notebook shows as it should be.
"""

import argparse
import re
import sys
from typing import NamedTuple

import draw_map
import reading

# Where a term's word is not the term.
EVERYDAY = "code base", "line of code", "lines of code", "Python code", "source code"
GLOSSARY = reading.ROOT / "book" / "glossary.md"


class Use(NamedTuple):
    """A term's first use on a page: the words around it, and whether it is linked."""

    term: str
    said: str
    linked: bool


def terms():
    """The glossary's terms, as they are written there."""
    body = re.search(r"```\{glossary\}\n(.*?)\n```", GLOSSARY.read_text(encoding="utf-8"), re.DOTALL)[1]
    return re.findall(r"^(\S.*)$", body, re.MULTILINE)


def pattern(names):
    """One expression for all terms, the longest first, with the plurals that English makes by rule."""
    return re.compile(
        rf"(?<![\w-])({'|'.join(map(forms, sorted(names, key=len, reverse=True)))})(?![\w-])", re.IGNORECASE
    )


def forms(name):
    """A term, its plural and its line breaks: "codebook" also matches "codebooks", "entry" also "entries"."""
    text = r"\s+".join(map(re.escape, name.split()))
    return f"{text[:-1]}(?:y|ies)" if re.search("[^aeiou]y$", text) else f"{text}(?:s|es)?"


def first_uses(runs, names):
    """term -> its first Use in runs of (text, words or None): where the words of a run are a term, it is a link to that."""
    everyday = re.compile("|".join(map(forms, EVERYDAY)), re.IGNORECASE)
    search, known = pattern(names), {name.lower(): name for name in names}
    singular = [(re.compile(forms(name), re.IGNORECASE), name) for name in sorted(names, key=len, reverse=True)]
    term_of = lambda words: next((name for form, name in singular if form.fullmatch(words)), None)
    found = {}
    for text, linked in runs:
        name = known.get(linked.lower()) or term_of(linked) if linked else None
        if name:
            found.setdefault(name, Use(name, text, True))
            continue
        for use in search.finditer(everyday.sub(" \u2022 ", text)):
            name = term_of(use[1])
            around = use.string[max(0, use.start() - 30) : use.end() + 30].replace("\n", " ")
            found.setdefault(name, Use(name, around, False))
    return found


def runs(path):
    """The prose of a page as (text, None), its links to the glossary and its words in italics as (text, their words)."""
    known = {name.lower() for name in terms()}
    chapters = {name for name, _ in draw_map.PLACES.values() if name.lower() not in known}
    for kind, tokens, _ in reading.events(path):
        if kind != "prose":
            continue
        text, in_link = "", 0
        for token in tokens:
            in_link += token.nesting if token.type.startswith("link_") else 0
            if token.type.startswith("em_"):
                yield text, text if token.nesting < 0 and not in_link and text not in chapters else None
                text = ""
            elif token.type == "myst_role" and token.meta["name"] == "term":
                yield text, None
                shown, target = re.fullmatch(r"(.*?)(?:\s*<(.*)>)?", token.content, re.DOTALL).groups()
                yield shown, " ".join((target or shown).split())
                text = ""
            elif not in_link and token.type in ("text", "softbreak", "hardbreak"):
                text += token.content if token.type == "text" else " "
            elif not token.type.startswith("strong_"):
                text += " \u2022 "  # something that is no prose: a term does not run across it
        yield text, None


def unlinked(path, names=None):
    """The first uses of a page that are not linked, in the page's order."""
    return [use for use in first_uses(runs(path), names or terms()).values() if not use.linked]


def chapters():
    return [name for name in reading.names() if name.startswith("notebooks/")]


def main(argv=None):
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("pages", nargs="*", help="default: every chapter")
    options.add_argument("--check", action="store_true", help="fail where an article has one")
    given = options.parse_args(argv)
    pages = given.pages or (reading.articles() if given.check else chapters())
    found = [(name, use) for name in pages for use in unlinked(reading.path_of(name))]
    lines = [f"{name}: {use.term!r} is not linked where it is first used: …{use.said.strip()}…" for name, use in found]
    if given.check and lines:
        sys.exit("\n".join(lines))
    print("\n".join(lines) or f"every first use of a glossary term is linked on {len(pages)} pages")


if __name__ == "__main__":
    main()
