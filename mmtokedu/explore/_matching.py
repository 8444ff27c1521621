"""The second figure of fewer tokens on the Python side: eight tokens in the plane, matched and merged as ToMe does.

Tokens after a round stand in the official order, A that stay and then B (`order="tome"`), so that the next round makes
other tokens A and B. Sizes that are forgotten are 1 in every round.
"""

import html
import operator
from typing import NamedTuple

import numpy as np

from mmtokedu.compress import match_tokens, merge_tokens

COUNT = 8
MOST_ROUNDS = 3
TWO = ((921, 335), (495, 373), (603, 772), (47, 174), (-705, 257), (-847, -74), (-614, -430), (-212, -583))
# (places of the tokens, r, rounds, whether sizes count): thousandths, so that every machine writes the same page
PRESETS = {
    "two": (TWO, 2, 1, True),
    "twins": (
        ((705, 257), (746, 466), (-431, 552), (207, 773), (-655, -459), (-435, -483), (-604, 694), (350, -606)),
        2,
        1,
        True,
    ),
    "half": (
        ((-232, 575), (538, 114), (-266, 818), (709, -125), (920, 0), (274, -752), (-696, -488), (-562, -262)),
        4,
        1,
        True,
    ),
    "sizes": (TWO, 2, 2, False),
}


class Round(NamedTuple):
    """What was matched in a round, and what is there after it."""

    similarity: np.ndarray  # (A,) of each even token with its partner
    partner: np.ndarray  # (A,) among the odd ones
    merged: list  # similarities of the pairs that merged, the most alike first
    tokens: np.ndarray  # (M, 2) after the round
    size: np.ndarray  # (M,) how many of the first tokens each stands for
    source: np.ndarray  # (8,) in which each of the first tokens is


def played(tokens, r, rounds, sizes):
    """The Rounds for tokens (N, 2), by the library; r is cut to half of the tokens that are left, as ToMe does it.

    >>> [one.source.tolist() for one in played(places("two"), 2, 2, True)]
    [[2, 2, 2, 3, 0, 4, 1, 5], [2, 2, 2, 2, 0, 1, 1, 3]]
    """
    made, size, source = [], None, np.arange(len(tokens))
    for _ in range(rounds):
        found, most = match_tokens(tokens), min(r, len(tokens) // 2)
        after = merge_tokens(tokens, most, size=size if sizes else None)
        source = after.source[source]
        merged = np.sort(found.similarity)[::-1][:most].tolist()
        tokens, size = after.tokens, after.size if sizes else np.bincount(source)
        made.append(Round(found.similarity, found.partner, merged, tokens, size, source))
    return made


def drift(tokens, after):
    """How far each token of a Round is from the mean of the first tokens (N, 2) that it stands for: (M,)."""
    means = np.array([tokens[after.source == k].mean(axis=0) for k in range(len(after.tokens))])
    return np.linalg.norm(after.tokens - means, axis=1)


def names(source):
    """What each token is called: "0+1+2", the first tokens that it stands for.

    >>> names(np.array([1, 0, 1]))
    ['1', '0+2']
    """
    return ["+".join(map(str, np.flatnonzero(source == k))) for k in range(source.max() + 1)]


def pairs(before, found, r):
    """(A, B) of the pairs that merge, by the names of the tokens before, in the order of A."""
    gone = np.sort(np.argsort(-found.similarity, kind="stable")[:r])
    return [(before[2 * i], before[2 * found.partner[i] + 1]) for i in gone]


def places(preset):
    """A preset's tokens (8, 2)."""
    return np.array(PRESETS[preset][0]) / 1000


def parts(preset, r, rounds, sizes):
    """(attributes, data, still figure, its words) for these arguments, or the error that `explore.matching` names."""
    if preset not in tuple(PRESETS):
        raise ValueError(f"preset is {preset!r}; choose {', '.join(PRESETS)}")
    given = (r, rounds, sizes)
    r, rounds, sizes = (own if it is None else it for it, own in zip(given, PRESETS[preset][1:], strict=True))
    r, rounds = operator.index(r), operator.index(rounds)
    if not 0 <= r <= COUNT // 2:
        raise ValueError(f"r is {r}; choose 0 to {COUNT // 2}, half of {COUNT} tokens")
    if not 1 <= rounds <= MOST_ROUNDS:
        raise ValueError(f"rounds is {rounds}; choose 1 to {MOST_ROUNDS}")
    if not isinstance(sizes, bool):
        raise TypeError(f"sizes is {sizes!r}; expected True or False")
    tokens = places(preset)
    made = played(tokens, r, rounds, sizes)
    before = np.arange(COUNT) if rounds == 1 else made[-2].source
    alt = _in_words(tokens, made, names(before), sizes)
    attributes = {"preset": preset, "r": r, "rounds": rounds, "sizes": "on" if sizes else "off"}
    return attributes, {"presets": PRESETS, "rounds": MOST_ROUNDS}, _still(tokens, made, names(before), alt), alt


def _in_words(tokens, made, before, sizes):
    last = made[-1]
    merged = pairs(before, last, len(last.merged))
    said = f"Round {len(made)} of ToMe: {len(before)} tokens become {len(last.tokens)}"
    if merged:
        said += f"; {', '.join(f'{a} merges into {b}' for a, b in merged)}. The least alike of these pairs has the "
        said += f"cosine {last.merged[-1]:.3f}"
    if len(made) > 1:
        said += f"; sizes are {'counted' if sizes else 'forgotten'}, and a token lies up to "
        said += f"{drift(tokens, last).max():.3f} from the mean of those that it stands for"
    return said.replace("-", "−") + "."


def _still(tokens, made, before, alt):
    """The plane in SVG: a circle for each A, a square for each B, a line to each A's nearest B, a diamond a mean."""
    last = made[-1]
    start = tokens if len(made) == 1 else made[-2].tokens
    gone = pairs(before, last, len(last.merged))
    drawn, marks = "", ""
    for i, j in enumerate(last.partner.tolist()):
        merges = (before[2 * i], before[2 * j + 1]) in gone
        look = 'stroke="#a07a2c" stroke-width="4"' if merges else 'stroke="currentColor" stroke-dasharray="3 5"'
        drawn += f'<path d="M{_at(start[2 * i])}L{_at(start[2 * j + 1])}" {look}/>'
    for k, (x, y) in enumerate(start):
        left, top, wide = 210 + 190 * x, 210 - 190 * y, 14 + 8 * len(before[k])
        round_ = 11 if k % 2 == 0 else 2
        marks += f'<rect x="{left - wide / 2:.1f}" y="{top - 11:.1f}" width="{wide}" height="22" rx="{round_}" '
        marks += 'fill="#1f6cc0" stroke="none"/>'
        marks += f'<text x="{left:.1f}" y="{top + 5:.1f}" fill="#fff" text-anchor="middle">{before[k]}</text>'
    joined = np.bincount([last.source[int(name.split("+")[0])] for name in before])  # tokens of before in each of after
    for place, count in zip(last.tokens, joined):
        if count > 1:
            marks += f'<path d="M{_at(place)}m0-8l8 8l-8 8l-8-8z" fill="#a07a2c" stroke="#fff" stroke-width="1.5"/>'
    said = html.escape(alt)
    return (
        '<figure style="margin:1em 0"><svg viewBox="0 0 420 420" role="img" style="max-width:100%;height:auto" '
        f'width="420" height="420" fill="none" stroke-width="1.5" font-size="14"><title>{said}</title>'
        f'<path d="M6 6h408v408H6z" stroke="currentColor" stroke-opacity=".4"/>{drawn}{marks}</svg>'
        f"<figcaption>{said} Round marks are A, the even places of the row; square marks are B, the odd ones. A line "
        "leads from each A to the B that it resembles most, thick where the two merge; a diamond is their mean."
        "</figcaption></figure>"
    )


def _at(place):
    return f"{210 + 190 * place[0]:.1f} {210 - 190 * place[1]:.1f}"


def _is_clear(tokens, made):
    """Whether no round had two partners, or two pairs, of nearly one similarity, nor a token near the middle."""
    for one in made:
        lengths = np.linalg.norm(tokens, axis=1)
        if lengths.min() < 0.02:
            return False
        cosines = np.sort((tokens[::2] @ tokens[1::2].T) / np.outer(lengths[::2], lengths[1::2]), axis=1)
        gaps = np.diff(np.sort(one.similarity))
        if min(gaps.min(initial=1), (np.diff(cosines, axis=1)[:, -1:]).min(initial=1)) < 1e-6:
            return False
        tokens = one.tokens
    return True


def golden():
    """Rounds of drawn tokens and of each preset, far from any tie, and of tokens that tie exactly."""
    rng = np.random.default_rng(22)
    drawn = [rng.integers(-1000, 1001, (int(rng.integers(5, 17)), 2)) for _ in range(60)]
    drawn += [rng.integers(-1000, 1001, (COUNT, 2)) for _ in range(120)]
    drawn += [np.array(preset[0]) for preset in PRESETS.values()]
    rounds = []
    for i, thousandths in enumerate(drawn):
        tokens, r, sizes = thousandths / 1000, i % 5, bool(i // 5 % 2)
        made = played(tokens, r, MOST_ROUNDS, sizes)
        if _is_clear(tokens, made):
            rounds.append((thousandths.tolist(), r, sizes, _told(tokens, made)))
    ties = []
    for thousandths in TIES:
        tokens = np.array(thousandths) / 1000
        ties += [(thousandths, r, True, _told(tokens, played(tokens, r, 1, True))) for r in range(5)]
    return {"rounds": rounds, "ties": ties}


def _told(tokens, made):
    return [[*(np.asarray(each).tolist() for each in one), drift(tokens, one).tolist()] for one in made]


TIES = (  # of equal ones the lowest index: partners, pairs, tokens without a direction
    [[500, 0]] * 8,
    [[0, 0]] * 8,
    [[300, 400], [0, 500], [300, 400], [300, 400], [0, 500], [300, 400], [0, -500], [0, 500]],
    [[500, 0], [0, 500], [0, 250], [250, 0], [0, 1000], [1000, 0], [-500, 0], [0, -500]],
    [[0, 0], [100, 0], [0, 100], [0, 0], [-100, 0], [0, -100], [0, 0], [0, 0]],
)
