"""Exercises of the M-RoPE chapter."""

import cmath
import math

from mmtokedu.course import Exercise, Mistake, slip

_SECTION = "M-RoPE, "


def _angles(position, pairs, theta, power=lambda i, pairs: -i / pairs, order=1, per=1):
    return [per * position * theta ** power(i, pairs) for i in range(pairs)][::order]


angles = Exercise(
    name="turn the clocks of one token",
    answer=lambda position, pairs, theta: _angles(position, pairs, theta),
    cases=((3, 4, 10000.0), (1, 2, 100.0), (50, 8, 1e6), (7, 3, 20.0), (0, 2, 100.0)),
    mistakes=(
        slip(_angles, "the exponent runs to -2: theta ** (-2 * i / D) counts numbers, and D numbers are only D / 2 pairs",
             power=lambda i, pairs: -2 * i / pairs),
        slip(_angles, "the exponent runs to -1/2: a pair is two numbers, but here pairs are counted. Pair i turns by theta ** (-i / pairs)",
             power=lambda i, pairs: -i / (2 * pairs)),
        slip(_angles, "the first pair is already slowed down; it is pair 0, and turns by 1 a step", power=lambda i, pairs: -(i + 1) / pairs),
        slip(_angles, "theta ** (+ i / pairs): the pairs become faster. Each is slower than the one before", power=lambda i, pairs: i / pairs),
        slip(_angles, "the slowest pair came first; pair 0 is the fastest", order=-1),
        slip(_angles, "degrees; angles are in radians here", per=180 / math.pi),
    ),
    section=_SECTION + "“A clock for each pair”",
)  # fmt: skip


def _halves(x):
    return [complex(a, b) for a, b in zip(x[: len(x) // 2], x[len(x) // 2 :])]


def _neighbours(x):
    return [complex(a, b) for a, b in zip(x[::2], x[1::2])]


def _score(query, key, m, n, theta, pairs=_halves, turn=lambda m, n: m - n):
    both = list(zip(pairs(query), pairs(key)))
    speeds = _angles(1, len(both), theta)
    return sum((q * k.conjugate() * cmath.exp(1j * turn(m, n) * speed)).real for (q, k), speed in zip(both, speeds))


score = Exercise(
    name="score a query against a key",
    answer=lambda query, key, m, n, theta: _score(query, key, m, n, theta),
    cases=(
        ([1.0, 2.0, 0.5, -1.0], [0.5, 1.0, 2.0, 0.0], 5, 3, 100.0),
        ([1.0, 2.0, 0.5, -1.0], [0.5, 1.0, 2.0, 0.0], 105, 103, 100.0),
        ([1.0, 0.0, 2.0, 1.0, 3.0, -1.0], [2.0, 1.0, 0.0, 0.5, -2.0, 1.0], 2, 9, 10000.0),
        ([1.0, 0.5], [0.25, 2.0], 4, 0, 10000.0),
    ),
    mistakes=(
        slip(_score, "the wrong way round: turned by n - m. A query at m after a key at n turns ahead by m - n", turn=lambda m, n: n - m),
        slip(_score, "both were turned the same way and then added, as if the score knew where they stand. It knows how far apart they are: m - n",
             turn=lambda m, n: m + n),
        slip(_score, "the query alone was turned; the key turns by its own place", turn=lambda m, n: m),
        slip(_score, "nothing was turned: this is the plain product", turn=lambda m, n: 0),
        slip(_score, "neighbouring numbers were taken for a pair; here pair i is number i and number i + D / 2", pairs=_neighbours),
    ),
    section=_SECTION + "“A clock for each pair”",
)  # fmt: skip


def _positions(segments, after=max, more=1, cell=lambda start, i, j, k: (start + i, start + j, start + k)):
    ids, start = [], 0
    for kind, *shape in segments:
        if kind == "text":
            new = [(start + n,) * 3 for n in range(shape[0])]
            start += shape[0]
        else:
            t, h, w = [1, *shape][-3:]
            new = [cell(start, i, j, k) for i in range(t) for j in range(h) for k in range(w)]
            start += after((t, h, w)) + more - 1
        ids += new
    return ids


_ROWS = (
    [("text", 2), ("picture", 2, 3), ("text", 2)],
    [("picture", 3, 2), ("picture", 1, 4), ("text", 1)],
    [("text", 1), ("film", 4, 2, 3), ("text", 2), ("film", 2, 2, 5), ("text", 1)],
    [("film", 6, 2, 2), ("text", 3), ("picture", 4, 2), ("text", 1)],
)

positions = Exercise(
    name="give every token its three numbers",
    answer=lambda segments: _positions(segments),
    cases=tuple((row,) for row in _ROWS),
    mistakes=(
        slip(_positions, "text goes on after as many places as the picture has tokens; it goes on after the largest of the three numbers",
             after=math.prod),
        slip(_positions, "text goes on at the largest number itself, which a token of the picture has; it goes on one after it", more=0),
        slip(_positions, "text goes on after the larger of height and width, so that it lands inside a long film's own time", after=lambda g: max(g[1:])),
        slip(_positions, "text goes on after the last frame's time; rows and columns may have gone further", after=lambda g: g[0]),
        slip(_positions, "h and w were swapped: the second number counts rows, the third columns", cell=lambda s, i, j, k: (s + i, s + k, s + j)),
        slip(_positions, "rows and columns were counted from 0; all three numbers of a picture begin where it begins", cell=lambda s, i, j, k: (s + i, j, k)),
        slip(_positions, "time stands still: each frame is one later than the frame before", cell=lambda s, i, j, k: (s, s + j, s + k)),
    ),
    section=_SECTION + "“Three coordinates”",
)  # fmt: skip


def _resume(start, grid, after=max, more=0):
    return start + after(grid) + more


resume = Exercise(
    name="say where the next word stands",
    answer=lambda start, grid: _resume(start, grid),
    cases=((4, (1, 3, 5)), (0, (1, 7, 2)), (10, (12, 4, 6)), (2, (5, 5, 5))),
    mistakes=(
        slip(_resume, "that counts all tokens, as for words; three numbers count along a grid, and the longest side decides", after=math.prod),
        slip(_resume, "that is the largest number of the picture itself; the next word stands one after it", more=-1),
        slip(_resume, "one too far: the largest number is one less than the longest side, since each axis counts from 0", more=1),
        slip(_resume, "the larger of height and width: inside the film's own time where it has more frames than rows and columns",
             after=lambda grid: max(grid[1:])),
        slip(_resume, "the number of frames; a picture has one, and its rows and columns have gone further", after=lambda grid: grid[0]),
        slip(_resume, "the sides were added; each axis counts on its own", after=sum),
    ),
    section=_SECTION + "“Where the next word stands”",
)  # fmt: skip


def _blocks(sections, names="thw"):
    return [name for name, count in zip(names, sections) for _ in range(count)]


def _axes(sections, layout, turns=lambda i: i % 3, rest="t", blocks=_blocks, taking=True):
    if layout == "blocks" or not taking:
        return blocks(sections)
    axis = [(i // 3, turns(i)) for i in range(sum(sections))]
    return ["thw"[a] if turn < sections[a] else rest for turn, a in axis]


axes = Exercise(
    name="say which axis turns a pair",
    answer=lambda sections, layout: _axes(sections, layout),
    cases=(
        ((2, 3, 3), "blocks"),
        ((4, 2, 2), "interleaved"),
        ((16, 24, 24), "blocks"),
        ((24, 20, 20), "interleaved"),
        ((5, 3, 2), "interleaved"),
        ((3, 2, 2), "interleaved"),
    ),
    mistakes=(
        slip(_axes, "one axis after the other, also where they take turns: then time has all the fast pairs", taking=False),
        slip(_axes, "the turns go w, h, t; the first pair, the fastest, is time's", turns=lambda i: 2 - i % 3),
        slip(_axes, "what is left at the end went to the width; it is time that has more pairs", rest="w"),
        slip(_axes, "the blocks stand in the order h, w, t; time has the first ones, the fast pairs",
             blocks=lambda sections: _blocks((*sections[1:], sections[0]), "hwt")),
        Mistake(lambda sections, layout: [name for name in _axes(sections, layout) for _ in range(2)],
                "an axis for each number; asked is one for each pair"),
        Mistake(lambda sections, layout: _axes(sections, "interleaved"), "they take turns, also where the layout says blocks"),
    ),
    section=_SECTION + "“Which pair turns fast”",
)  # fmt: skip


def _rotate(vector, angles, adjacent, swap=False, way=1, sines=math.sin):
    neighbours = adjacent != swap
    pairs = _neighbours(vector) if neighbours else _halves(vector)
    turned = [z * complex(math.cos(a), way * sines(a)) for z, a in zip(pairs, angles)]
    if neighbours:
        return [part for z in turned for part in (z.real, z.imag)]
    return [z.real for z in turned] + [z.imag for z in turned]


def _both_products(vector, angles, adjacent):
    """Where the second number of a pair is worked out from the first one's new value."""
    pairs = _neighbours(vector) if adjacent else _halves(vector)
    firsts = [z.real * math.cos(a) - z.imag * math.sin(a) for z, a in zip(pairs, angles)]
    seconds = [z.imag * math.cos(a) + first * math.sin(a) for z, a, first in zip(pairs, angles, firsts)]
    return [part for both in zip(firsts, seconds) for part in both] if adjacent else firsts + seconds


rotate = Exercise(
    name="turn a vector",
    answer=lambda vector, angles, adjacent: _rotate(vector, angles, adjacent),
    cases=(
        ([1.0, 2.0, 3.0, 4.0], [math.pi / 2, 0.0], False),
        ([1.0, 2.0, 3.0, 4.0], [math.pi / 2, 0.0], True),
        ([1.0, -2.0, 0.5, 4.0, 3.0, 1.0], [0.3, 1.2, 2.5], False),
        ([1.0, -2.0, 0.5, 4.0, 3.0, 1.0], [0.3, 1.2, 2.5], True),
    ),
    mistakes=(
        slip(_rotate, "the other pairing: with `adjacent` pair i is (2 i, 2 i + 1), without it (i, i + D / 2)", swap=True),
        Mistake(lambda vector, angles, adjacent: _rotate(vector, angles, False),
                "pair i is (i, i + D / 2) in both; with `adjacent` it is (2 i, 2 i + 1)"),
        Mistake(lambda vector, angles, adjacent: _rotate(vector, angles, True),
                "neighbouring numbers are a pair in both; without `adjacent` pair i is (i, i + D / 2)"),
        slip(_rotate, "turned backwards: the first number becomes x cos - y sin, the second y cos + x sin", way=-1),
        slip(_rotate, "multiplied by the cosines alone, so lengths shrink; a turn mixes the two numbers of a pair", sines=lambda a: 0.0),
        Mistake(_both_products, "the second number was worked out from the first one's new value; keep the old one until both are done"),
    ),
    section=_SECTION + "“A clock for each pair”",
)  # fmt: skip


def _offset(segments, last=lambda ids: max(map(max, ids)), more=1, tokens=len):
    ids = _positions(segments)
    return last(ids) + more - tokens(ids)


offset = Exercise(
    name="go on where the prompt ends",
    answer=lambda segments: _offset(segments),
    cases=(
        ([("text", 2), ("picture", 2, 3), ("text", 1)],),
        ([("text", 5)],),
        ([("text", 1), ("film", 4, 2, 3), ("text", 2)],),
        ([("text", 1), ("picture", 3, 4)],),
        ([("picture", 3, 6), ("text", 2), ("picture", 2, 2)],),
    ),
    mistakes=(
        Mistake(lambda segments: 0, "no offset: what is generated stands at its index, far behind the prompt's own last number"),
        slip(_offset, "one too small: the first new token stands one after the largest number of the prompt", more=0),
        Mistake(lambda segments: -_offset(segments), "the sign: a picture has fewer places than tokens, so the offset takes something away"),
        Mistake(lambda segments: _offset(segments, tokens=lambda ids: 0), "that is the next token's place; the offset is what to add to its index to get there"),
        slip(_offset, "the last token's row was taken for the largest number: where a prompt ends with a picture, its columns may have gone further",
             last=lambda ids: ids[-1][1]),
    ),
    section=_SECTION + "“Where the next word stands”",
)  # fmt: skip

EXERCISES = (angles, score, positions, resume, axes, rotate, offset)
