"""What the explorable of interleaving may be asked for: sizes, prompts, and what the library makes of them."""

import itertools
import re
from typing import NamedTuple

from mmtokedu import interleave as library
from mmtokedu.catalog import styles
from mmtokedu.interleave import Audio, Image, Text, Video
from mmtokedu.video import timestamp_labels

SIDES = 64, 112, 224, 336, 448, 480, 640, 720, 896, 1080, 1280, 1560, 1920, 2080  # of a picture, in pixels
SECONDS = 0.5, 1, 2, 3, 3.6, 4, 5, 6, 8, 10, 12, 16, 20, 30, 45, 60, 120  # of a sound; each film's and the request's
FRAMES = 4, 8, 12, 16, 20, 24, 32  # of a film: multiples of every style's group of frames
HEIGHTS = {360: 640, 720: 1280, 1080: 1920}  # of a frame: height -> width
FPS = 2.0  # frames taken a second of film
MOST_PROMPT, MOST_ANSWER, MOST_MEDIA = 200, 60, 8  # bytes, bytes, media
WINDOWS = 64, 512, 1024
KINDS = {"IMG": "image", "AUDIO": "audio", "VIDEO": "video"}
CELL, TILE, FRAME_CELL, RATE, SMALL = 28, 640, 56, 25, 14  # what is supposed where the catalog has no rule
USUAL = {"image": (480, 640), "audio": 3, "video": (20, 720, False)}  # what the size of a medium is at first
FIRST = "[IMG][IMG]Which of the two was taken first?"
FIRST_IMAGES = (480, 640), (1080, 1920)


class Asked(NamedTuple):
    """What the page's state asks for."""

    prompt: str
    style: str
    images: tuple = ()  # (height, width) of each
    sounds: tuple = ()  # seconds of each
    clips: tuple = ()  # (frames, height, whether its sound is woven in) of each
    answer: str = None
    named: bool = False


def checked(prompt, style, images, sounds, clips, answer, named):
    """The arguments, each checked, with a size for each medium of the prompt."""
    for name, text, most in (("prompt", prompt, MOST_PROMPT), ("answer", answer or "", MOST_ANSWER)):
        if not isinstance(text, str):
            raise TypeError(f"{name} is {type(text).__name__}; expected a string")
        if len(text.encode()) > most:
            raise ValueError(f"{name} has {len(text.encode())} bytes; the page takes at most {most}")
    kinds = [kind for kind, _ in split(prompt) if kind]
    if len(kinds) > MOST_MEDIA:
        raise ValueError(f"prompt has {len(kinds)} media; the page takes at most {MOST_MEDIA}")
    given = {
        "image": FIRST_IMAGES if images is None else [tuple(size) for size in images],
        "audio": sounds or (),
        "video": [(*size, False)[:3] for size in clips or ()],
    }
    known = {
        "image": lambda size: len(size) == 2 and set(size) <= set(SIDES),
        "audio": lambda size: size in SECONDS,
        "video": lambda size: len(size) == 3 and size[0] in FRAMES and size[1] in HEIGHTS,
    }
    choose = {
        "image": f"sides among {', '.join(map(str, SIDES))}",
        "audio": f"seconds among {', '.join(map(str, SECONDS))}",
        "video": f"frames among {', '.join(map(str, FRAMES))} and a height among {', '.join(map(str, HEIGHTS))}",
    }
    for kind, sizes in given.items():
        for size in sizes:
            if not known[kind](size):
                raise ValueError(f"{kind} of size {size}; choose {choose[kind]}")
    sized = [
        tuple(itertools.islice(itertools.chain(given[kind], itertools.repeat(USUAL[kind])), kinds.count(kind)))
        for kind in USUAL
    ]
    return Asked(prompt, style, *sized, answer, bool(named))


def joined(sizes):
    """Sizes as the page's address has them.

    >>> joined([(480, 640), (64, 64)]), joined([0.5]), joined([(20, 720, True)])
    ('480x640_64x64', '0.5', '20x720x1')
    """
    text = lambda size: "x".join(f"{number:g}" for number in size) if isinstance(size, tuple) else f"{size:g}"
    return "_".join(map(text, sizes))


def as_state(asked):
    sizes = {name: joined(getattr(asked, name)) for name in ("images", "sounds", "clips")}
    rest = {"answer": asked.answer, "named": asked.named, "rule": "own", "window": 0}
    return {"prompt": asked.prompt, "style": asked.style, **sizes, **rest}


def split(prompt):
    """[(kind of medium, "") or ("", text)], in their order.

    >>> split("[IMG]a [VIDEO")
    [('image', ''), ('', 'a [VIDEO')]
    """
    bits = re.split(r"\[(IMG|AUDIO|VIDEO)\]", prompt)  # in turns: text, name, text, …
    return [(KINDS[bit], "") if i % 2 else ("", bit) for i, bit in enumerate(bits) if bit]


def made(asked):
    """The library's sequence for what the page asks for, or its ValueError."""
    system = styles.row(asked.style)
    sizes = {"image": iter(asked.images), "audio": iter(asked.sounds), "video": iter(asked.clips)}
    content = []
    for kind, text in split(asked.prompt):
        content.append(part(system, kind, next(sizes[kind])) if kind else text)
    if asked.answer is not None and system.turns:
        content = library.chat([("user", content), ("assistant", asked.answer)], style=system.name)
    elif asked.answer is not None:
        content = [*content, Text(asked.answer, learn=True)]
    return library.interleave(content, style=system.name, named=asked.named and bool(system.names))


def naive(sequence):
    """The tokens there would be, were each medium, with all that is written around it, a single one."""
    inside = sequence.extents[:, 1] - sequence.extents[:, 0]
    return len(sequence.ids) - int(inside.sum()) + len(inside)


def part(system, kind, size):
    """A medium of the page as a part for `interleave`: by the catalog's rule, else with what is supposed."""
    medium = system.media.get(kind)
    lacks = medium is not None and supposed(medium)
    if kind == "image":
        return Image(grid=_supposed_grid(medium, *size)) if lacks else Image(*size)
    if kind == "audio":
        return Audio(tokens=int(size * RATE)) if lacks else Audio(size)
    frames, height, sound = size
    if not lacks:
        woven = Audio(frames / FPS) if sound and medium and medium.woven else None
        return Video(tuple(range(frames)), FPS, height, HEIGHTS[height], sound=woven, seconds=frames / FPS)
    spans = len(timestamp_labels(range(frames), FPS, medium.time))
    grid = (spans, -(-height // FRAME_CELL), -(-HEIGHTS[height] // FRAME_CELL))
    return Video(tuple(range(frames)), FPS, grid=grid, seconds=frames / FPS)


def supposed(medium):
    """What the page supposes, in words, where the catalog has no rule from a medium's size to its tokens; or "".

    >>> supposed(styles.row("llama-4").media["image"]), supposed(styles.row("pixtral").media["image"])
    ('a tile for every 640 × 640 px begun', '')
    """
    if medium.sizes or medium.clip or medium.grid or (medium.whole and not medium.each):
        return ""
    if medium.kind == "audio":
        return f"{RATE} tokens a second"
    if medium.kind == "video":
        return f"a cell for every {FRAME_CELL} × {FRAME_CELL} px of a frame begun"
    return f"a tile for every {TILE} × {TILE} px begun" if medium.each else f"a cell for every {CELL} × {CELL} px begun"


def _supposed_grid(medium, height, width):
    side = TILE if medium.each else CELL
    grid = -(-height // side), -(-width // side)
    return (SMALL, SMALL, *grid) if medium.layout == "small_and_large" else grid
