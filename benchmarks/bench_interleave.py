"""Media written into a prompt: ours beside a transformers processor's own expansion, all beside a copy of the ids.

    python benchmarks/bench_interleave.py     this machine's processor, one thread

Tokenizer and image work are excluded: everybody gets images that are cut, ours gets ids, the processor text, which it
also answers with. What a tokenizer then takes for that text is a row of its own. Every contender's ids are compared
before any figure is written.
"""

import sys

import _timing  # before NumPy: it asks for one thread
import numpy as np
from _interleave_peers import SIDE, STYLES, WORDS, by_expand, by_interleave, by_transformers, tokenizer
from _timing import SKIPPED, optional

MEDIA = {"1k": 6, "4k": 25, "16k": 100, "32k": 200, "128k": 800}
NOTES = (
    "seconds are of processor time: on a shared machine it does not count the neighbours' turns",
    f"each image is {SIDE * SIDE} tokens, behind {WORDS} bytes of text; three prompts in turn",
    "expand answers with ids and spans, interleave with modality, positions, labels, names and extents too; the "
    "processor's answer is text, of which its tokenizer makes ids",
    "freed memory is kept, so that nobody waits for new pages",
    "the tokenizer is one of 256 bytes and the style's tokens; a released one has merges to do as well",
)


def contenders(style, media, tokenized):
    """name -> (function of the input's number, how to see its answer as ids)."""
    found = {"expand": (by_expand(style, media), np.asarray), "interleave": (by_interleave(style, media), np.asarray)}
    name = f"transformers {STYLES[style][1]}, text alone"
    peer = optional(name, lambda: by_transformers(style, media))
    ids_of = optional("tokenizers", lambda: tokenizer(style))
    if peer and ids_of:
        found[name] = peer, ids_of
        if tokenized:
            found["the same, and its tokenizer"] = lambda i: ids_of(peer(i)), np.asarray
    return found


def measured(style, title, media):
    calls = contenders(style, media, tokenized=title == "32k")
    expected = calls["expand"][0](0)
    name = f"{style}, {title} tokens, {media} images, N={len(expected)}"
    return _timing.group(name, expected, calls, expected, rounds=31, clock=_timing.cpu_clock)


def on_the_cpu():
    _timing.keep_memory()
    rows = [row for style in STYLES for title, media in MEDIA.items() for row in measured(style, title, media)]
    packages = ("numpy", "transformers", "tokenizers")
    options = dict(packages=packages, rows=rows, skipped=dict(SKIPPED), notes=[*NOTES, _timing.how_busy()])
    _timing.save("interleave-cpu", device=_timing.cpu_name(), threads=1, **options)


def on_the_card(torch, skipped):
    print("not measured yet: ids are made on the processor; what a card does with them, embed, is a copy")


def main(arguments):
    _timing.run(arguments, on_the_cpu, on_the_card)


if __name__ == "__main__":
    main(sys.argv[1:])
