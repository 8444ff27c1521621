"""What was predicted of `experiments/compress.py`, and what came of each: computed from its table.

Written 2026-11-30 before any asking and any adapter; a prototype's results had been seen (another small reader, one
seed of it in most tables), and of these readers the course of the first 400 steps of answering. No prediction was
changed afterwards. Three checks were: "norm, control" asked for low norm, where its words ask for the readers' sign;
"shuffle" and "resolution" are judged by what there was time to train, 300 steps, and pictures of 48, 72 and 96 pixels.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

SCENE = "colour", "shape", "where", "count"


class Table:
    """Shares by seed out of the rows of both panels."""

    def __init__(self, free, arms):
        self.free, self.arms = free, arms

    def of(self, kind, way, keep, model="tags", **options):
        """A list, a share a seed. Options that a row has must all be named."""
        wanted = {"way": way, "keep": keep} | options
        rows = [row for row in self.free[model] if told(row) == wanted]
        if len(rows) != 1:
            raise KeyError(f"{len(rows)} rows of {model} have {wanted}")
        return rows[0]["right"][kind]

    def arm(self, kind, name, tokens, steps, **options):
        wanted = {"name": name, "tokens": tokens, "steps": steps} | options
        rows = [row for row in self.arms if wanted.items() <= row.items()]
        if [row["seed"] for row in rows] != list(range(len(rows))) or not rows:
            raise KeyError(f"seeds {[row['seed'] for row in rows]} have {wanted}")
        return [row["right"][kind] for row in rows]


def told(row):
    """What names a row of panel one."""
    return {name: value for name, value in row.items() if name not in ("right", "tokens")}


class Prediction(NamedTuple):
    id: str
    says: str
    held: Callable  # of a Table: a list of truths, one a seed, or one for all


def each(truth, *lists):
    return [bool(truth(*row)) for row in zip(*lists)]


def spread(values):
    return max(values) - min(values)


PREDICTIONS = (
    Prediction(
        "nothing left",
        "With no visual token after layer 2, digits lose less than 0.05; count loses more than 0.2.",
        lambda t: each(
            lambda full, none, counted, left: full - none < 0.05 and counted - left > 0.2,
            t.of("digit", "full", 64), t.of("digit", "nothing", 0, after=2),
            t.of("count", "full", 64), t.of("count", "nothing", 0, after=2),
        ),
    ),
    Prediction(
        "ranking, layer 1",
        "16 tokens chosen before the decoder by the question's attention in layer 1: digits within 0.05 of the oracle.",
        lambda t: each(lambda a, b: b - a < 0.05, t.of("digit", "question 1", 16), t.of("digit", "oracle", 16)),
    ),
    Prediction(
        "ranking, layer 3",
        "The attention of layer 3 chooses no better than random: digits within 0.15 of it, at 16 tokens.",
        lambda t: each(lambda a, b: abs(a - b) < 0.15, t.of("digit", "question 3", 16), t.of("digit", "random", 16)),
    ),
    Prediction(
        "fastv, digits",
        "After layer 2, FastV and a random choice of 16 read digits alike, within 0.03.",
        lambda t: each(
            lambda a, b: abs(a - b) < 0.03,
            t.of("digit", "fastv", 16, after=2), t.of("digit", "random", 16, after=2),
        ),
    ),
    Prediction(
        "fastv, count",
        "After layer 1 the choice matters to count: FastV is ahead of random by more than 0.05, at 16.",
        lambda t: each(
            lambda a, b: a - b > 0.05, t.of("count", "fastv", 16, after=1), t.of("count", "random", 16, after=1)
        ),
    ),
    Prediction(
        "pooling",
        "2 x 2 means, without training, read fewer than 0.7 of the digits.",
        lambda t: each(lambda a: a < 0.7, t.of("digit", "pool", 16, projector="after")),
    ),
    Prediction(
        "tome",
        "ToMe down to 16 tokens, an eighth a round, reads digits within 0.05 of all 64.",
        lambda t: each(
            lambda a, b: b - a < 0.05,
            t.of("digit", "tome", 16, sizes=False, projector="after"), t.of("digit", "full", 64),
        ),
    ),
    Prediction(
        "tome, halves",
        "Half the tokens a round cost ToMe more than 0.15 of the digits at 16.",
        lambda t: each(
            lambda a, b: b - a > 0.15,
            t.of("digit", "tome rounds", 16, share="1/2"), t.of("digit", "tome rounds", 16, share="1/8"),
        ),
    ),
    Prediction(
        "count",
        "No choice or merging that ignores the question keeps more than 0.65 of the counts at 16 tokens.",
        lambda t: each(
            lambda *shares: max(shares) < 0.65,
            *(t.of("count", way, 16) for way in ("random", "even", "norm, low", "received", "edges", "diverse")),
            t.of("count", "tome", 16, sizes=True, projector="after"), t.of("count", "pool", 16, projector="after"),
        ),
    ),
    Prediction(
        "sizes",
        "Proportional attention helps ToMe count: by more than 0.05 at 16 tokens.",
        lambda t: each(
            lambda a, b: a - b > 0.05,
            t.of("count", "tome", 16, sizes=True, projector="after"),
            t.of("count", "tome", 16, sizes=False, projector="after"),
        ),
    ),
    Prediction(
        "norm",
        "Short tokens are the ones to keep: digits at 16 by low norm are 0.3 and more above high norm.",
        lambda t: each(lambda a, b: a - b > 0.3, t.of("digit", "norm, low", 16), t.of("digit", "norm, high", 16)),
    ),
    Prediction(
        "norm, control",
        "The control, whose eyes were taught tags in all patches that a thing covers, has the same sign.",
        lambda t: each(
            lambda low, high: (t.of("digit", "norm, low", 16, "spread") > t.of("digit", "norm, high", 16, "spread"))
            == (low > high),
            t.of("digit", "norm, low", 16), t.of("digit", "norm, high", 16),
        ),
    ),
    Prediction(
        "edges",
        "Edges of the pixels keep digits within 0.05 of all 64 tokens at 16, and lose more than 0.2 of the colours.",
        lambda t: each(
            lambda digit, all_digits, colour, colours: all_digits - digit < 0.05 and colours - colour > 0.2,
            t.of("digit", "edges", 16), t.of("digit", "full", 64),
            t.of("colour", "edges", 16), t.of("colour", "full", 64),
        ),
    ),
    Prediction(
        "counted anew",
        "The oracle's 16 tokens with positions counted anew: where falls under 0.3, digits lose less than 0.05.",
        lambda t: each(
            lambda where, digit, kept: where < 0.3 and kept - digit < 0.05,
            t.of("where", "oracle", 16, renumber=True), t.of("digit", "oracle", 16, renumber=True),
            t.of("digit", "oracle", 16),
        ),
    ),
    Prediction(
        "blurred",
        "A picture blurred to half its resolution, all 64 tokens kept: digits under 0.5, colour over 0.8.",
        lambda t: each(
            lambda digit, colour: digit < 0.5 and colour > 0.8,
            t.of("digit", "blurred picture", 64, side=48), t.of("colour", "blurred picture", 64, side=48),
        ),
    ),
    Prediction(
        "second question",
        "16 tokens chosen for the question before are no better for this one than random ones: means within 0.1.",
        lambda t: each(
            lambda *shares: sum(shares[:3]) / 3 - sum(shares[3:]) / 3 < 0.1,
            *(t.of(kind, "second question", 16, after=0, turn=1) for kind in ("shape", "where", "count")),
            *(t.of(kind, "random", 16) for kind in ("shape", "where", "count")),
        ),
    ),
    Prediction(
        "control, one token",
        "One token of the oracle reads over 0.6 of the digits, and at least 0.1 less in the control.",
        lambda t: [
            min(t.of("digit", "oracle", 1)) > 0.6
            and sum(t.of("digit", "oracle", 1)) / 3 - t.of("digit", "oracle", 1, "spread")[0] > 0.1
        ],
    ),
    Prediction(
        "stages",
        "PyramidDrop is no better than FastV after layer 1 at the same mean of 30 tokens: count within 0.05 or below.",
        lambda t: each(
            lambda a, b: a - b < 0.05,
            t.of("count", "stages", 8, ratio=0.5), t.of("count", "stages: fastv", 19, ratio=0.5, after=1),
        ),
    ),
    Prediction(
        "diverse",
        "Diversity at 16 tokens counts better than low norm and reads worse.",
        lambda t: each(
            lambda count, low, digit, low_digit: count > low and digit < low_digit,
            t.of("count", "diverse", 16), t.of("count", "norm, low", 16),
            t.of("digit", "diverse", 16), t.of("digit", "norm, low", 16),
        ),
    ),
    Prediction(
        "sentence, averaging",
        "Averaging loses small print: at 16 tokens 2 x 2 means lose more digits of 7 pixels than of 14.",
        lambda t: each(
            lambda small, all_small, large, all_large: all_small - small > all_large - large,
            t.of("digit, 7 px", "pool", 16, projector="after"), t.of("digit, 7 px", "full", 64),
            t.of("digit, 14 px", "pool", 16, projector="after"), t.of("digit, 14 px", "full", 64),
        ),
    ),
    Prediction(
        "sentence, dropping",
        "Dropping loses counts: at 16 tokens by low norm, count loses more than digits, by 0.2.",
        lambda t: each(
            lambda count, counts, digit, digits: (counts - count) - (digits - digit) > 0.2,
            t.of("count", "norm, low", 16), t.of("count", "full", 64),
            t.of("digit", "norm, low", 16), t.of("digit", "full", 64),
        ),
    ),
    Prediction(
        "resampler, seeds",
        "Plain queries after 300 steps are a matter of luck: seeds differ by more than 0.2 in digits.",
        lambda t: [spread(t.arm("digit", "resampler", 16, 300)) > 0.2],
    ),
    Prediction(
        "resampler, where",
        "Plain queries lose the place: where under 0.3 after 300 steps; queries that start from pooling have 0.2 more.",
        lambda t: each(
            lambda plain, pooled: plain < 0.3 and pooled - plain > 0.2,
            t.arm("where", "resampler", 16, 300), t.arm("where", "resampler, pooling", 16, 300),
        ),
    ),
    Prediction(
        "resampler, pooling",
        "Started from pooling, seeds differ by less than 0.15 in digits.",
        lambda t: [spread(t.arm("digit", "resampler, pooling", 16, 300)) < 0.15],
    ),
    Prediction(
        "resampler, steps",
        "With three times the steps, plain queries read digits within 0.05 of the full model.",
        lambda t: each(
            lambda a, b: b - a < 0.05, t.arm("digit", "resampler", 16, 900), t.of("digit", "full", 64)
        ),
    ),
    Prediction(
        "shuffle",
        "Side by side reads better than the mean: digits at 16 tokens, after 300 and 900 steps.",
        lambda t: each(
            lambda a, b: a > b, t.arm("digit", "shuffle", 16, 300), t.arm("digit", "mean", 16, 300)
        ),
    ),
    Prediction(
        "smaller picture",
        "16 tokens of the large picture, mean or shuffle, read 0.15 more than all 16 of a small one, trained alike.",
        lambda t: each(
            lambda small, *large: min(large) - small > 0.15,
            t.arm("digit", "smaller picture", 16, 300, side=48),
            *(t.arm("digit", name, 16, 300) for name in ("mean", "shuffle")),
        ),
    ),
    Prediction(
        "resolution",
        "A plain MLP reads more with every larger picture, 48 to 96 pixels a side, and 0.3 more from end to end.",
        lambda t: each(
            lambda *shares: all(a < b for a, b in itertools.pairwise(shares)) and shares[-1] - shares[0] > 0.3,
            *(
                t.arm("digit", "smaller picture", (side // 12) ** 2, 300, side=side)
                for side in (48, 72, 96)
            ),
        ),
    ),
    Prediction(
        "four tokens",
        "At 4 tokens, after 300 steps, queries that start from pooling read most and pixel shuffle least of mean, "
        "shuffle and queries.",
        lambda t: each(
            lambda pooled, plain, mean, shuffle: pooled == max(pooled, plain, mean, shuffle)
            and shuffle == min(pooled, plain, mean, shuffle),
            *(t.arm("digit", name, 4, 300) for name in ("resampler, pooling", "resampler", "mean", "shuffle")),
        ),
    ),
    Prediction(
        "learned score",
        "A learned choice differs by seed by more than 0.2 in digits and is never ahead of low norm without training.",
        lambda t: [
            spread(t.arm("digit", "learned score", 16, 300)) > 0.2
            and all(each(lambda a, b: a <= b, t.arm("digit", "learned score", 16, 300), t.of("digit", "norm, low", 16)))
        ],
    ),
    Prediction(
        "adapters against none",
        "No adapter trained for 300 steps reads digits better at 16 tokens than ToMe without training.",
        lambda t: each(
            lambda tome, *arms: max(arms) <= tome,
            t.of("digit", "tome", 16, sizes=False, projector="after"),
            *(
                t.arm("digit", name, 16, 300)
                for name in ("mean", "shuffle", "resampler", "resampler, pooling", "resampler, taught", "learned score")
            ),
        ),
    ),
)  # fmt: skip


def judged(free, arms):
    """[{id, says, seeds: [held, ...], held}, ...], without those whose rows are not there yet."""
    table, found = Table(free, arms), []
    for prediction in PREDICTIONS:
        try:
            seeds = prediction.held(table)
        except (KeyError, IndexError):
            continue
        found.append({"id": prediction.id, "says": prediction.says, "seeds": seeds, "held": all(seeds)})
    return found
