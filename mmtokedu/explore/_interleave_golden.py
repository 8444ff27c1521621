"""Golden vectors of the explorable of interleaving: the library's sequences for drawn prompts, in every style."""

import numpy as np

from mmtokedu import interleave as library
from mmtokedu.catalog import styles
from mmtokedu.explore import _interleave_asked as page

WORDS = (
    "What is it? ", "a", " b", "\n", "<", "é", "数", "🙂", "<image>", "<|im_start|>assistant\n", "[IMG", "[img]", "IMG",
    "\u00a0x", "\u0085y", "\ufeffz", "Picture 1: ", " ",
)  # fmt: skip
SHOWN = 12  # rows of a mask


def golden():
    """Each style's sequences, with some rows of their masks, or the words of the refusal; [state, answer]."""
    rng = np.random.default_rng(21)
    return {"sequences": [_row(asked, rng) for name in styles.rows() for asked in _drawn(name, rng)]}


def _drawn(style, rng):
    """Prompts by hand, then drawn ones: any media in any order, mostly of kinds that the style has."""
    has, names = tuple(styles.row(style).media), {kind: name for name, kind in page.KINDS.items()}
    one = f"[{names[has[0]]}]"
    for prompt in (
        "",
        "text alone",
        one,
        one * 2,
        f"a{one}b{one}",
        f"{one} {one}x",
        f"{one}<image>",
        "[IMG][AUDIO][VIDEO]!",
    ):
        yield _sized(prompt, style, rng)
    if "video" in has and styles.row(style).media["video"].woven:
        for frames in page.FRAMES:
            yield page.Asked("a[VIDEO]b", style, clips=((frames, 360, True),))
    for _ in range(10):
        kinds = has if rng.random() < 0.93 else tuple(names)
        bits = [f"[{names[rng.choice(kinds)]}]" for _ in range(rng.integers(0, 6))]
        bits += [str(rng.choice(WORDS)) for _ in range(rng.integers(0, 5))]
        own = styles.row(style).tokens
        bits += [str(rng.choice(own))] * int(rng.random() < 0.3)
        prompt = "".join(rng.permutation(bits)) if bits else ""
        yield _sized(prompt if len(prompt.encode()) <= page.MOST_PROMPT else one, style, rng)


def _sized(prompt, style, rng):
    """The prompt with drawn sizes, an answer and labels or none."""
    draw = {
        "image": lambda: tuple(rng.choice(page.SIDES, 2).tolist()),
        "audio": lambda: rng.choice(page.SECONDS).item(),
        "video": lambda: (
            rng.choice(page.FRAMES).item(),
            rng.choice(list(page.HEIGHTS)).item(),
            bool(rng.random() < 0.5),
        ),
    }
    sizes = {kind: [] for kind in draw}
    for kind, _ in page.split(prompt):
        if kind:
            sizes[kind].append(draw[kind]())
    answer = (None, "", "A cat.", " <image> assistant\n数")[rng.integers(4)]
    return page.Asked(prompt, style, *map(tuple, sizes.values()), answer, bool(rng.random() < 0.4))


def _row(asked, rng):
    try:
        sequence = page.made(asked)
    except ValueError as error:
        return page.as_state(asked), str(error)
    return page.as_state(asked), told(sequence, rng)


def told(sequence, rng):
    """A sequence as data: runs of ids and of what goes with them, spans, names, and rows of masks."""
    tokens = len(sequence.ids)
    masks = []
    for rule in library.MASKS:
        window = (None, 1, 7, *page.WINDOWS)[rng.integers(6)]
        rows = np.unique(np.concatenate([sequence.spans.ravel()[:6], rng.integers(0, max(tokens, 1), SHOWN)]))
        rows = rows[rows < tokens]
        seen = library.visible(sequence, rule, window=window)[rows]
        masks.append([rule, window or 0, np.column_stack([rows, seen]).tolist()])
    return {
        "ids": runs(sequence.ids), "modality": runs(sequence.modality),
        "learned": runs((sequence.labels != library.NOT_LEARNED).astype(int)), "spans": sequence.spans.tolist(),
        "names": list(sequence.names), "media": sequence.media.tolist(), "extents": sequence.extents.tolist(),
        "naive": page.naive(sequence), "masks": masks,
    }  # fmt: skip


def runs(values):
    """[value, how often, value, how often, …].

    >>> runs(np.array([7, 7, 3]))
    [7, 2, 3, 1]
    """
    starts = np.flatnonzero(np.diff(values, prepend=-1))
    counts = np.diff([*starts, len(values)])
    return np.column_stack([values[starts], counts]).ravel().tolist()
