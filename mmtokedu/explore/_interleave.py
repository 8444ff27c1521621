"""The explorable of interleaving on the Python side: its arguments, what its page is given, its still figure."""

import functools
import html

from mmtokedu import interleave as library
from mmtokedu.catalog import styles
from mmtokedu.explore import _interleave_asked as page
from mmtokedu.explore._interleave_asked import FIRST, FIRST_IMAGES, Asked, as_state, joined, made, naive, split
from mmtokedu.explore._interleave_tables import labels, style_row, tables
from mmtokedu.samples.film import film_facts
from mmtokedu.samples.request import request_text
from mmtokedu.show.markup import PALETTE

VOICE = 3.6  # seconds: of those that can be chosen the nearest to the request's question


def parts(prompt, style, images, sounds, clips, answer, named, rule, window):
    """(attributes, data, still figure, its words) for these arguments, or the error `explore.interleave` names."""
    system = styles.row(style)
    asked = page.checked(prompt, style, images, sounds, clips, answer, named)
    if rule not in (None, *library.MASKS):
        raise ValueError(
            f"rule is {rule!r}; choose {', '.join(map(repr, library.MASKS))}, or None for the system's own"
        )
    if window not in (None, *page.WINDOWS):
        raise ValueError(f"window is {window!r}; choose None, {', '.join(map(str, page.WINDOWS))}")
    try:
        sequence = made(asked)
    except ValueError:  # the system refuses this prompt: worth showing
        sequence = None
    alt = _in_words(system, asked, sequence)
    attributes = {"prompt": prompt, "style": style, "images": joined(asked.images), "sounds": joined(asked.sounds)}
    attributes |= {"clips": joined(asked.clips)} | ({} if answer is None else {"answer": answer})
    attributes |= {"named": int(asked.named), "rule": rule or "own", "window": window or 0}
    return attributes, _data(), _still(system, asked, sequence, alt), alt


@functools.cache
def _data():
    """The styles and tables, as the front-end file reads them."""
    times = {medium.time for system in styles.rows().values() for medium in system.media.values() if medium.time}
    turns = {
        name: {key: getattr(row, key) for key in ("tokens", "begin", "end")}
        for name, row in styles.rows("turns").items()
    }
    return {
        "styles": [style_row(system) for system in styles.rows().values()],
        "turns": turns,
        "tables": tables()[0],
        "labels": {time: labels(time) for time in sorted(times)},
        "sides": page.SIDES,
        "seconds": page.SECONDS,
        "frames": page.FRAMES,
        "heights": [list(size) for size in page.HEIGHTS.items()],
        "fps": page.FPS,
        "usual": {kind: joined([size]) for kind, size in page.USUAL.items()},
        "windows": page.WINDOWS,
        "masks": list(library.MASKS),
        "most": {"prompt": page.MOST_PROMPT, "answer": page.MOST_ANSWER, "media": page.MOST_MEDIA},
        "presets": presets(),
        "answer": "The second one.",
    }


def presets():
    """Prompts worth trying: [name, state]."""
    film = film_facts()
    frames = min(page.FRAMES, key=lambda some: abs(some - film.frames / film.fps * page.FPS))
    asks = "Why does <image> stand in my prompt?"
    some = [
        ("two photos, one question", Asked(FIRST, "qwen2.5-vl", FIRST_IMAGES)),
        (
            "invoice, voice and film",
            Asked(
                f"[IMG][AUDIO][VIDEO]{request_text()}",
                "qwen2.5-omni",
                ((2080, 1560),),
                (VOICE,),
                ((frames, film.height, True),),
            ),
        ),
        ("someone typed <image>", Asked(f"[IMG]{asks}", "llava-1.5", ((480, 640),))),
        ("nothing between", Asked("[IMG][IMG]Which is the cat?", "llava-1.5", ((480, 640), (480, 640)))),
        ("a page in tiles", Asked("[IMG]What is the total?", "idefics3", ((2080, 1560),))),
        ("seen whole, then answered", Asked("[IMG]caption en", "paligemma", ((480, 640),), answer="A cat on a mat.")),
    ]
    return [[name, as_state(asked)] for name, asked in some]


# ------------------------------------------------------------------------------------------------------- on paper

LOOKS = "text", "image", "video", "audio"  # by the library's numbers of modalities
WORDS = {"image": "Picture", "audio": "Sound", "video": "Film"}


def _in_words(system, asked, sequence):
    said = f"“{asked.prompt}” as {system.title} has it: "
    if sequence is None:
        return said + "refused."
    learned = int((sequence.labels != library.NOT_LEARNED).sum())
    return (
        f"{said}{len(sequence.ids):,} tokens, where {naive(sequence):,} would do {if_one(len(sequence.extents))}; "
        f"{learned or 'none'} of them learned."
    )


def if_one(placeholders):
    """What the smaller number of the page supposes, in words.

    >>> if_one(1), if_one(2)
    ('if the placeholder were one token', 'if each of 2 placeholders were one token')
    """
    few = {0: "without a medium", 1: "if the placeholder were one token"}
    return few.get(placeholders, f"if each of {placeholders} placeholders were one token")


def media_words(asked):
    """What the page calls each medium of a prompt.

    >>> media_words(Asked("[IMG][AUDIO][IMG]", "pixtral"))
    ['Picture 1', 'Sound 1', 'Picture 2']
    """
    kinds = [kind for kind, _ in split(asked.prompt) if kind]
    return [f"{WORDS[kind]} {kinds[: i + 1].count(kind)}" for i, kind in enumerate(kinds)]


def _still(system, asked, sequence, alt):
    """The sequence as a strip to scale: media filled, text and markers in outline, a bracket with a count for each."""
    said = html.escape(alt)
    drawn, head = "", "refused"
    if sequence is not None:
        tokens = len(sequence.ids)
        head = f"{naive(sequence):,} tokens {if_one(len(sequence.extents))}; {tokens:,} in truth"
        x = lambda token: 10 + 620 * token / tokens
        for start, stop in sequence.spans.tolist():
            color = PALETTE[LOOKS[sequence.modality[start]]][0]
            wide = max(x(stop) - x(start) - 0.6, 0.6)
            drawn += f'<path d="M{x(start):.1f} 34h{wide:.1f}v30h-{wide:.1f}z" fill="{color}"/>'
        for (start, stop), word in zip(sequence.extents.tolist(), media_words(asked)):
            drawn += f'<path d="M{x(start) + 1:.1f} 70v5H{x(stop) - 1:.1f}v-5" fill="none" stroke="currentColor"/>'
            if stop - start > tokens / 8:
                middle = (x(start) + x(stop)) / 2
                drawn += f'<text x="{middle:.1f}" y="94" text-anchor="middle">{word}: {stop - start:,}</text>'
        drawn += '<path d="M10 34h620v30H10z" fill="none" stroke="currentColor" stroke-opacity=".5"/>'
    return (
        '<figure style="margin:1em 0"><svg viewBox="0 0 640 104" role="img" style="max-width:100%;height:auto" '
        f'width="640" height="104" fill="currentColor" font-size="15"><title>{said}</title>'
        f'<text x="10" y="20">{head}</text>{drawn}</svg><figcaption>{said}</figcaption></figure>'
    )
