"""Exercises of the chapter on fewer tokens."""

import math

import numpy as np

from mmtokedu.course import Exercise, Mistake, slip

_SECTION = "Compression, "


def _keep(scores, keep, best=-1, tie=1, order=sorted):
    ranked = sorted(range(len(scores)), key=lambda i: (best * scores[i], tie * i))
    return order(ranked[:keep])


def _by_threshold(scores, keep):
    """All that score at least as much as the last one kept."""
    least = sorted(scores)[-keep]
    return [i for i, score in enumerate(scores) if score >= least]


keep = Exercise(
    name="keep the highest scores",
    answer=lambda scores, keep: _keep(scores, keep),
    cases=(
        ([0.1, 0.9, 0.4, 0.6], 2),
        ([3, 1, 3, 2, 3], 2),
        ([-1.0, -0.5, -2.0, -0.5, -3.0, 0.25], 4),
        ([5, 5, 5], 3),
    ),
    mistakes=(
        slip(_keep, "the best one first: a model is given tokens in the order in which they stood, so the index has to ascend", order=list),
        slip(_keep, "of equal scores the later one was kept; it is the earlier one", tie=-1),
        slip(_keep, "the lowest scores were kept", best=1),
        slip(_keep, "counted anew from 0: the index says where the tokens were, and that is also their position",
             order=lambda kept: list(range(len(kept)))),
        Mistake(_by_threshold, "every score at least as high as a threshold: where scores are equal, more tokens stay than asked"),
        Mistake(lambda scores, keep: [int(i in _keep(scores, keep)) for i in range(len(scores))],
                "a mask with a 1 for each token that stays; asked is where they stand"),
    ),
    section=_SECTION + "“Drop the dull ones”",
)  # fmt: skip


def _stages(stages, before, first=0, start=1, compose=True, anew=False):
    index = stages[first]
    for stage in stages[first + 1 :]:
        index = [index[i] for i in stage] if compose else stage
    return [(place if anew else i) + start * before for place, i in enumerate(index)]


def _those_in_all(stages, before):
    """Every stage read as if it spoke of the first tokens."""
    return [before + i for i in stages[0] if all(i in stage for stage in stages)]


places = Exercise(
    name="say where the survivors stand",
    answer=lambda stages, before: _stages(stages, before),
    cases=(
        ([[1, 4, 5, 7], [0, 2, 3]], 3),
        ([[0, 2, 3, 6, 8, 9], [1, 2, 4, 5], [0, 3]], 0),
        ([[2, 3, 4, 9, 11], [1, 3, 4], [1, 2]], 5),
        ([[6, 8]], 2),
    ),
    mistakes=(
        slip(_stages, "the last stage's own numbers: they count what the stage before it left, not the tokens of the picture", compose=False),
        slip(_stages, "counted anew behind the words; the position of a token is the one it had when all were there", anew=True),
        slip(_stages, "the words before the picture are missing: its first token stands behind them", start=0),
        Mistake(lambda stages, before: [i + 1 for i in _stages(stages, before)],
                "one too far: positions count from 0, so the picture's first token stands at `before`"),
        Mistake(_those_in_all, "each stage was read as if it spoke of the picture's tokens; its numbers count what the stage before it left"),
        Mistake(lambda stages, before: _stages(stages[:1], before), "the first stage's survivors; later stages drop some of these"),
    ),
    section=_SECTION + "“Drop the dull ones”",
)  # fmt: skip


def _mean(stages, tokens, layers, shift=0, of_all=True):
    total, seen, done = 0, tokens, 0
    for layer, left in stages:
        layer = min(max(layer + shift, done), layers)
        total, seen, done = total + seen * (layer - done), left if of_all else seen - left, layer
    return (total + seen * (layers - done)) / layers


mean = Exercise(
    name="average the tokens over all layers",
    answer=lambda stages, tokens, layers: _mean(stages, tokens, layers),
    cases=(
        ([(1, 16)], 64, 4),
        ([(2, 144)], 576, 32),
        ([(8, 288), (16, 144), (24, 72)], 576, 32),
        ([(0, 32), (3, 0)], 64, 4),
    ),
    mistakes=(
        slip(_mean, "a layer too late: `layer` counts from 0, and this layer has the fewer tokens already", shift=1),
        slip(_mean, "a layer too early: the layers before `layer` still have all tokens", shift=-1),
        slip(_mean, "`left` was taken for the number of tokens that are dropped; it is how many are left", of_all=False),
        Mistake(lambda stages, tokens, layers: float(stages[-1][1]),
                "so many are left at the end; the layers before had more, and did their work"),
        Mistake(lambda stages, tokens, layers: (tokens + sum(left for _, left in stages)) / (1 + len(stages)),
                "the mean of the counts: each counts as often as there are layers that have it"),
        Mistake(lambda stages, tokens, layers: layers * _mean(stages, tokens, layers), "that is the sum over all layers; divide by their number"),
    ),
    section=_SECTION + "“Let the question choose”",
)  # fmt: skip


def _match(
    similarity, r, partner=lambda row: row.index(max(row)), best=-1, tie=1, number=lambda i, j: (2 * i, 2 * j + 1)
):
    pairs = [(best * max(row), tie * i, partner(row)) for i, row in enumerate(similarity)]
    return sorted(number(abs(i), j) for _, i, j in sorted(pairs)[:r])


def _largest_entries(similarity, r):
    """The r largest of the whole table, where an even token may go twice."""
    entries = [(-likeness, i, j) for i, row in enumerate(similarity) for j, likeness in enumerate(row)]
    return sorted((2 * i, 2 * j + 1) for _, i, j in sorted(entries)[:r])


def _each_partner_once(similarity, r):
    """The largest entry first, then the largest in other rows and columns."""
    entries = sorted((-likeness, i, j) for i, row in enumerate(similarity) for j, likeness in enumerate(row))
    found = []
    for _, i, j in entries:
        if len(found) < r and all(i != a and j != b for a, b in found):
            found.append((i, j))
    return sorted((2 * i, 2 * j + 1) for i, j in found)


match = Exercise(
    name="match one round",
    answer=lambda similarity, r: _match(similarity, r),
    cases=(
        ([[9, 2, 4], [1, 8, 3], [7, 6, 5]], 1),
        ([[9, 8, 4], [1, 8, 3], [7, 6, 5]], 2),
        ([[3, 5, 5, 1], [6, 2, 6, 6], [4, 5, 1, 2], [6, 1, 0, 3]], 2),
        ([[2, 7], [1, 7], [3, 7]], 2),
        ([[1, 2], [4, 3]], 2),
    ),
    mistakes=(
        slip(_match, "the pairs that are least alike were merged", best=1),
        slip(_match, "of equal likeness, the later even token went; it is the earlier one", tie=-1),
        slip(_match, "of equally alike partners the last one was chosen; it is the first one",
             partner=lambda row: len(row) - 1 - row[::-1].index(max(row))),
        slip(_match, "rows and columns of the table are not the tokens' numbers: row i is token 2 i, column j is token 2 j + 1",
             number=lambda i, j: (i, j)),
        Mistake(_largest_entries, "the largest entries of the whole table: a token then goes to two partners. Each even token has one, "
                "its best, and the r best of these pairs are merged"),
        Mistake(_each_partner_once, "each partner was taken once; several even tokens may join the same odd one"),
        Mistake(lambda similarity, r: _match(similarity, len(similarity)), "all even tokens were merged; r of them are"),
    ),
    section=_SECTION + "“Merge what is alike”",
)  # fmt: skip


def _join(values, sizes, pairs, weight=lambda size: size, together=True, keep=False):
    values, sizes = list(values), list(sizes)
    sums = [v * weight(n) for v, n in zip(values, sizes)]
    weights = [weight(n) for n in sizes]
    for gone, partner in pairs:
        if together:
            sums[partner] += sums[gone]
            weights[partner] += weights[gone]
        else:  # a mean of means
            sums[partner], weights[partner] = (sums[partner] / weights[partner] + sums[gone] / weights[gone]) / 2, 1
        sizes[partner] += sizes[gone]
    gone = set() if keep else {gone for gone, _ in pairs}
    stay = [i for i in range(len(values)) if i not in gone]
    return [sums[i] / weights[i] for i in stay], [sizes[i] for i in stay]


join = Exercise(
    name="average what was matched",
    answer=lambda values, sizes, pairs: _join(values, sizes, pairs),
    cases=(
        ([2.0, 6.0, 1.0], [3, 1, 1], [(0, 1)]),
        ([4.0, 0.0, 8.0, 1.0, 7.0], [1, 2, 1, 1, 3], [(0, 3), (2, 3)]),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 1, 1, 1, 2, 2], [(0, 5), (2, 5), (4, 5)]),
        ([1.0, 9.0, 4.0], [1, 4, 2], [(2, 1)]),
    ),
    mistakes=(
        slip(_join, "every token counted once; one that stands for three counts three times", weight=lambda size: 1),
        slip(_join, "where several join one partner, the mean of the mean was taken, so the last one counts most; add all up, then divide",
             together=False),
        slip(_join, "the tokens that joined a partner are still there", keep=True),
        Mistake(lambda values, sizes, pairs: (_join(values, sizes, pairs)[0], [n for i, n in enumerate(sizes) if i not in dict(pairs)]),
                "the partners kept their old sizes; they stand for more tokens now, and the next round and the attention need to know"),
        Mistake(lambda values, sizes, pairs: ([v for i, v in enumerate(values) if i not in dict(pairs)], _join(values, sizes, pairs)[1]),
                "the tokens that went were dropped; their values go into the mean"),
    ),
    section=_SECTION + "“Merge what is alike”",
)  # fmt: skip


def _shares(scores, sizes, bias=math.log):
    weights = [math.exp(score + bias(size)) for score, size in zip(scores, sizes)]
    return [weight / sum(weights) for weight in weights]


def _normalised(weights):
    return [weight / sum(weights) for weight in weights]


shares = Exercise(
    name="give merged tokens their share",
    answer=lambda scores, sizes: _shares(scores, sizes),
    cases=(
        ([0.0, 0.0], [3, 1]),
        ([1.5, -0.5, 0.25], [1, 4, 2]),
        ([2.0, 2.0, 2.0, 2.0], [1, 1, 1, 1]),
        ([0.0, 1.0, -2.0], [12, 1, 50]),
    ),
    mistakes=(
        slip(_shares, "the sizes were left out: a token that stands for three is one key among others, and they are counted as one", bias=lambda size: 0),
        slip(_shares, "the size itself was added to the score; its logarithm makes the weight as many times as large", bias=lambda size: size),
        slip(_shares, "the logarithm to the base 2: the softmax raises e to the scores, so it has to be the natural one", bias=math.log2),
        slip(_shares, "the logarithm was taken away from the score, so that a larger token counts less", bias=lambda size: -math.log(size)),
        Mistake(lambda scores, sizes: _shares([score * size for score, size in zip(scores, sizes)], sizes, lambda size: 0),
                "the scores were multiplied by the sizes; a score of 0 stays 0 then, whatever it stands for"),
        Mistake(lambda scores, sizes: [w * n for w, n in zip(_shares(scores, sizes, lambda size: 0), sizes)],
                "the weights were multiplied by the sizes behind the softmax, and no longer add up to 1"),
    ),
    section=_SECTION + "“Merged without sizes”",
)  # fmt: skip


def _fold(rows, columns, factor, down=False, across=False, width=lambda rows, columns: columns):
    step = width(rows, columns)
    blocks = [(y, x) for y in range(0, rows, factor) for x in range(0, columns, factor)]
    inside = [(i, j) for i in range(factor) for j in range(factor)]
    blocks = sorted(blocks, key=lambda block: block[::-1]) if down else blocks
    inside = sorted(inside, key=lambda cell: cell[::-1]) if across else inside
    return [[(y + i) * step + x + j for i, j in inside] for y, x in blocks]


def _far_apart(rows, columns, factor):
    """As a picture is made smaller by taking every second token: the blocks' tokens lie a whole grid apart."""
    down, over = rows // factor, columns // factor
    return [
        [(y + i * down) * columns + x + j * over for i in range(factor) for j in range(factor)]
        for y in range(down)
        for x in range(over)
    ]


fold = Exercise(
    name="say which tokens a fold puts side by side",
    answer=lambda rows, columns, factor: _fold(rows, columns, factor),
    cases=((2, 4, 2), (4, 6, 2), (6, 4, 2), (3, 6, 3)),
    mistakes=(
        Mistake(lambda rows, columns, factor: np.arange(rows * columns).reshape(-1, factor**2).tolist(),
                "tokens that follow each other in the row were put together; a block takes some of one row of the grid and those below them"),
        slip(_fold, "the tokens of a block were read down its columns; they stand as one reads", across=True),
        slip(_fold, "the blocks were counted down the columns; they follow each other as one reads", down=True),
        slip(_fold, "a row has as many tokens as the grid has columns", width=lambda rows, columns: rows),
        Mistake(_far_apart, "tokens that lie far apart were put together; a block's tokens are neighbours"),
    ),
    section=_SECTION + "“Fold two by two into one”",
)  # fmt: skip


def _pool(places, windows, start=math.floor, stop=math.ceil, total=None):
    rows = []
    for i in range(windows):
        first, last = start(i * places / windows), stop((i + 1) * places / windows)
        inside = [1.0 if first <= place < last else 0.0 for place in range(places)]
        rows.append([weight / (total or sum(inside)) for weight in inside])
    return rows


def _equal_windows(places, windows, size, last):
    """Windows of one size, the last one as long as `last` says."""
    rows = [[0.0] * places for _ in range(windows)]
    for i, row in enumerate(rows):
        stop = last if i == windows - 1 else min(places, (i + 1) * size)
        for place in range(min(i * size, places - 1), stop):
            row[place] = 1.0
    return [[weight / sum(row) for weight in row] for row in rows]


pool = Exercise(
    name="pool an odd side",
    answer=lambda places, windows: _pool(places, windows),
    cases=((5, 2), (7, 3), (6, 3), (11, 3), (3, 3), (27, 13)),
    mistakes=(
        slip(_pool, "windows end where the next one begins; each ends at the next whole place, so that two share a place", stop=math.floor),
        slip(_pool, "windows begin at the next whole place; each begins at the last one before, so that two share a place", start=math.ceil),
        slip(_pool, "rounded: starts are rounded down and ends up", start=round, stop=round),
        Mistake(lambda places, windows: _equal_windows(places, windows, places // windows, places // windows * windows),
                "the places that are left over were dropped; every place is in a window"),
        Mistake(lambda places, windows: _equal_windows(places, windows, places // windows, places),
                "the last window took all that was left over; windows are as even as can be"),
        slip(_pool, "every window was divided by the same number; each is divided by how many places it has", total=2.0),
    ),
    section=_SECTION + "“Fold two by two into one”",
)  # fmt: skip


def _latest(
    tokens, layers, left, budget, whole=math.floor, full=lambda tokens, left: tokens - left, rest=lambda left: left
):
    if left > budget:
        raise ValueError(f"{left} tokens in every layer are more than {budget}")
    if budget >= tokens:
        return layers
    return whole(layers * (budget - rest(left)) / full(tokens, left))


latest = Exercise(
    name="drop as late as the budget allows",
    answer=lambda tokens, layers, left, budget: _latest(tokens, layers, left, budget),
    cases=(
        (576, 32, 64, 192),
        (64, 4, 16, 40),
        (576, 32, 144, 171),
        (100, 10, 0, 37),
        (100, 10, 0, 33),
        (576, 32, 64, 50),
        (576, 28, 64, 600),
        (64, 4, 16, 16),
    ),
    mistakes=(
        slip(_latest, "rounded up: with one layer more in full, the mean is over the budget", whole=math.ceil),
        slip(_latest, "rounded to the nearest layer, which may be over the budget", whole=round),
        slip(_latest, "what is left behind the drop was paid for by no layer; every layer pays at least that", full=lambda tokens, left: tokens,
             rest=lambda left: 0),
        Mistake(lambda tokens, layers, left, budget: min(layers, max(0, _latest(tokens, layers, min(left, budget), budget))),
                "a budget that cannot be kept was let through; refuse it"),
        Mistake(lambda tokens, layers, left, budget: layers - _latest(tokens, layers, left, budget),
                "those are the layers behind the drop; asked are the ones before it"),
    ),
    section=_SECTION + "“Let the question choose”",
)  # fmt: skip

EXERCISES = (keep, places, mean, match, join, shares, fold, pool, latest)
