"""Long sound goes to a codec and to a listener in chunks: what becomes of a word that lies across a border.

A voice says words one after the other. One of them is put across the end of the first chunk, so that a share of it
lies before. The listener is told where the middle of the word is, and hears

whole   the sound in one piece
joined  the chunks, each through the codec alone, put together again in the middle of their overlap
apart   one chunk alone, the one in which the word's middle is farthest from an end of the chunk; of two that are
        equal the first
surest  both chunks alone, and the answer of the surer one counts
"""

import itertools

import numpy as np
from _rvq_listener import GAP, RATE, WINDOW, window_of

from mmtokedu.interleave import chunk

SIZE, LENGTH = 3 * RATE, round(5.5 * RATE)  # samples of a chunk, of a sound
OVERLAPS = 0.0, 0.5, 1.0  # seconds
SHARES = 0.1, 0.25, 0.5, 0.75, 0.9  # of the word before the first chunk's end
WAYS = "whole", "joined", "apart", "surest"


def utterance(word, others, share, draw):
    """A sound (LENGTH,) with a word (T,) across SIZE, other words around it; and the sample where the word begins."""
    begins = SIZE - round(share * len(word))
    sound = np.zeros(LENGTH, np.float32)
    sound[begins : begins + len(word)] = word

    def gap():
        return round(draw.uniform(*GAP) * RATE)

    def other():
        return others[draw.integers(len(others))]

    end = begins - gap()
    while end > 0:
        said = other()[-end:]
        sound[end - len(said) : end] = said
        end -= len(said) + gap()
    start = begins + len(word) + gap()
    while start < LENGTH:
        said = other()[: LENGTH - start]
        sound[start : start + len(said)] = said
        start += len(said) + gap()
    return sound, begins


def inside(middle, span):
    """How far a sample is from the nearer end of a chunk, negative outside.

    >>> inside(30, (0, 40)), inside(45, (0, 40))
    (10, -5)
    """
    return min(middle - span[0], span[1] - middle)


def join(pieces, spans):
    """The sound of chunks that overlap: from the middle of each overlap on, the later chunk's.

    >>> join([np.zeros(4), np.ones(4)], np.array([[0, 4], [2, 6]])).tolist()
    [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    """
    whole = np.zeros(spans[-1][1], pieces[0].dtype)
    for number, (piece, (start, stop)) in enumerate(zip(pieces, spans)):
        first = 0 if number == 0 else (spans[number - 1][1] - start) // 2
        whole[start + first : stop] = piece[first:]
    return whole


def heard(sound, middle, overlap, rebuild):
    """The windows that a listener hears of the word whose middle is there: a dict way -> its windows, best first."""
    spans = chunk(len(sound), SIZE, round(overlap * RATE))
    pieces = [rebuild(sound[start:stop]) for start, stop in spans]
    order = sorted(range(len(spans)), key=lambda i: -inside(middle, spans[i]))[:2]  # sorted keeps the first of equals
    alone = [window_of(pieces[i], middle - spans[i][0]) for i in order]
    return {"joined": [window_of(join(pieces, spans), middle)], "apart": alone[:1], "surest": alone}


def windows(words, rebuild, seed=0):
    """Everything that is asked: a list of (way, overlap, share, word's place, windows (1 or 2, WINDOW)).

    words: a list of Word, each of which is put across a border at each of SHARES, among words of its own voice.
    """
    draw, found = np.random.default_rng(seed), []
    for word in words:
        others = [one.sound for one in words if one.voice == word.voice]
        for share in SHARES:
            sound, begins = utterance(word.sound, others, share, draw)
            middle = begins + len(word.sound) // 2
            asked = [("whole", None, [window_of(rebuild(sound), middle)])]
            for overlap in OVERLAPS:
                asked += [(way, overlap, seen) for way, seen in heard(sound, middle, overlap, rebuild).items()]
            found += [
                (way, overlap, share, word.which, len(word.sound), np.stack(seen)) for way, overlap, seen in asked
            ]
    return found


def answers(listen, asked):
    """Whether each recogniser read each of what `windows` gave right (models, N): the surer of two windows counts."""
    counts = np.cumsum([0] + [len(one[-1]) for one in asked])
    read, sure = listen(np.concatenate([one[-1] for one in asked]).astype(np.float32).reshape(-1, WINDOW))
    best = np.stack([a + sure[:, a:b].argmax(axis=1) for a, b in itertools.pairwise(counts)], axis=1)
    return np.take_along_axis(read, best, axis=1) == [one[3] for one in asked]


def tallied(asked, right):
    """The share of right answers by way, overlap and share: {(way, overlap, share or None for all): number}."""
    found = {}
    for (way, overlap, share, *_), yes in zip(asked, right):
        for key in ((way, overlap, share), (way, overlap, None)):
            found.setdefault(key, []).append(yes)
    return {key: float(np.mean(each)) for key, each in found.items()}


def settings():
    return {"size": SIZE, "length": LENGTH, "overlaps": OVERLAPS, "shares": SHARES, "ways": WAYS}
