"""Exercises of the vector quantization chapter."""

import math

import numpy as np

from mmtokedu import vq
from mmtokedu.course import Exercise, Mistake, slip

_SECTION = "Codebooks, "

_CODEBOOK = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 3.0], [9.0, 2.0]])
_VECTORS = np.array([[1.0, 1.0], [1.0, 2.0], [6.0, 2.0], [8.0, 3.0], [2.0, 0.0]])  # the last is a tie of codes 0 and 1


def _squares(vectors, codebook):
    return ((vectors[:, None] - codebook[None]) ** 2).sum(axis=-1)


def _nearest(vectors, codebook, measure=_squares, pick=np.argmin, axis=1):
    return pick(measure(vectors, codebook), axis=axis)


nearest = Exercise(
    name="find the nearest code",
    answer=vq.nearest_code_plain,
    cases=((_VECTORS, _CODEBOOK), (_VECTORS[:2] - 1, _CODEBOOK), (_VECTORS, _CODEBOOK[::-1])),
    mistakes=(
        slip(_nearest, "argmax for argmin: these are the codes furthest away. The largest wins only of a similarity; of a distance it is "
                       "the smallest: argmin", pick=np.argmax),
        slip(_nearest, "the largest dot product, which prefers long codes: -|e|²/2 is missing. The largest z·e - |e|²/2 is the smallest "
                       "|z - e|²", measure=lambda z, e: -(z @ e.T)),
        slip(_nearest, "absolute differences summed instead of squares: that is another distance, with other nearest codes",
             measure=lambda z, e: np.abs(z[:, None] - e[None]).sum(axis=-1)),
        slip(_nearest, "the nearest vector of each code: the minimum was taken over the vectors. Distances are (N, K), and each of the N "
                       "rows wants one code: axis 1", axis=0),
    ),
    section=_SECTION + "“A list of little pictures”",
)  # fmt: skip


def _shares(codes, K):
    shares = np.bincount(codes, minlength=K) / len(codes)
    return shares[shares > 0]


@np.errstate(all="ignore")
def _perplexity(codes, K, shares=_shares, log=np.log, power=np.exp, sign=-1):
    p = shares(codes, K)
    return float(power(sign * (p * log(p)).sum()))


def _entropy_in_python(codes, K):
    shares = np.bincount(codes, minlength=K) / len(codes)
    return -sum(share * math.log(share) for share in shares)


_ZERO = (
    "0 times log 0: NumPy makes nan of it, for log 0 is -inf. Codes that do not occur count for nothing: keep the shares above 0 "
    "before you take the logarithm"
)

perplexity = Exercise(
    name="measure the perplexity of codes",
    answer=lambda codes, K: vq.codebook_usage(codes, K).perplexity,
    cases=((np.array([3, 3, 5, 5]), 8), (np.array([0, 0, 0, 1]), 4), (np.array([1, 2, 3, 4, 5, 6, 7, 0]), 8)),
    mistakes=(
        slip(_perplexity, "the entropy itself, in nats: the perplexity is exp of it, a number of codes", power=lambda entropy: entropy),
        Mistake(lambda c, K: _perplexity(c, K, log=np.log2, power=lambda entropy: entropy), "the entropy in bits; the perplexity is a number of "
                "codes, so take 2 to that power (or exp of the entropy in nats: the same number)"),
        slip(_perplexity, "two bases mixed: exp undoes np.log, 2** undoes np.log2. With log2 inside and exp outside the result passes the "
                          "number of codes there are", log=np.log2),
        slip(_perplexity, "two bases mixed: 2** undoes np.log2, exp undoes np.log; this is too small", power=np.exp2),
        Mistake(lambda c, K: len(np.unique(c)), "codes that occur at all: one used once counts like one used always. Weigh them: exp of the entropy"),
        slip(_perplexity, "a sign lost: the logarithms of shares are negative, the entropy is minus their mean", sign=1),
        slip(_perplexity, _ZERO, shares=lambda codes, K: np.bincount(codes, minlength=K) / len(codes)),
        slip(_perplexity, f"{_ZERO} (here only where a larger code occurs: np.bincount without minlength ends at the largest)",
             shares=lambda codes, K: np.bincount(codes) / len(codes)),
        Mistake(lambda c, K: math.exp(_entropy_in_python(c, K)), "0 times log 0: math.log(0) stops. Codes that do not occur count for "
                "nothing: leave out the shares that are 0"),
    ),
    section=_SECTION + "“Collapse”",
)  # fmt: skip


def _to_vectors(vectors, codebook, upstream, beta):
    codes = vq.nearest_code_plain(vectors, codebook)
    return vq.vq_gradients(vectors, codebook, codes, upstream, beta)[0]


def _gradient(vectors, codebook, upstream, beta, passed=1, square=2, over=np.size, weight=lambda beta: beta):
    apart = vectors - codebook[vq.nearest_code_plain(vectors, codebook)]
    return passed * upstream + weight(beta) * square * apart / over(vectors)


gradient = Exercise(
    name="write the gradient that reaches the encoder",
    answer=_to_vectors,
    cases=(
        (np.array([[1.0, 0.0]]), np.array([[0.0, 0.0], [9.0, 9.0]]), np.array([[0.5, -0.5]]), 0.25),
        (_VECTORS[:2], _CODEBOOK, np.array([[0.1, 0.2], [-0.3, 0.0]]), 1.0),
        (np.array([[1.0, 0.0, -2.0]]), np.array([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]]), np.array([[0.3, 0.0, 0.0]]), 0.75),
    ),
    mistakes=(
        slip(_gradient, "missing straight-through: only the commitment reaches the encoder, so nothing tells it what the decoder needs. "
                        "Add `upstream`, as if quantizing had done nothing", passed=0),
        slip(_gradient, "the commitment is missing: nothing keeps the vectors near their codes, and they can outrun them. "
                        "Add beta * 2 * (z - e) / size", weight=lambda beta: 0),
        slip(_gradient, "the commitment pushes away: the gradient of (z - e)² is 2 (z - e), and the step goes against it",
             weight=lambda beta: -beta),
        slip(_gradient, "the 2 of the square's derivative is missing", square=1),
        slip(_gradient, "summed, not averaged: the loss is a mean over all numbers of all vectors, so divide by vectors.size",
             over=lambda vectors: 1),
        slip(_gradient, "divided by the number of vectors alone: the mean runs over their dimensions too", over=len),
        slip(_gradient, "the codebook loss pulls the vectors as well: its gradient is stopped there, it moves the codes only",
             weight=lambda beta: 1 + beta),
        slip(_gradient, "beta is missing: it is what the commitment loss weighs", weight=lambda beta: 1),
    ),
    section=_SECTION + "“A gradient through a staircase”",
)  # fmt: skip


def _follow(sums, usage, vectors, codes, decay):
    return vq.ema_update(vq.EmaState(sums, usage), vectors, codes, decay).embed


def _sum_of(vectors, codes, K):
    """Sum of the vectors of each code."""
    return (np.arange(K)[:, None] == codes) @ vectors


def _last_of(vectors, codes, K):
    total = np.zeros((K, vectors.shape[1]))
    total[codes] += vectors
    return total


def _number_of(codes, K):
    """Number of the vectors of each code."""
    return (np.arange(K)[:, None] == codes).sum(axis=1)


def _one_of(codes, K):
    count = np.zeros(K)
    count[codes] += 1
    return count


def _followed(
    sums,
    usage,
    vectors,
    codes,
    decay,
    total=_sum_of,
    count=_number_of,
    over=lambda new, old: new,
    stays=lambda decay: decay,
):
    kept, K = stays(decay), len(usage)
    new = kept * usage + (1 - kept) * count(codes, K)
    return (kept * sums + (1 - kept) * total(vectors, codes, K)) / over(new, usage)[:, None]


def _without_counts(sums, usage, vectors, codes, decay, idle=lambda old: old):
    old, count = sums / usage[:, None], _number_of(codes, len(usage))[:, None]
    mean = _sum_of(vectors, codes, len(usage)) / np.maximum(count, 1)
    return decay * old + (1 - decay) * np.where(count > 0, mean, idle(old))


_OUTRIGHT = (
    "a moving average of the codes, without the counts: a batch with one vector then moves a code as far as one with a hundred. "
    "Average the sums and the counts, each on its own, and divide at the end"
)

_SUMS, _USAGE = np.array([[8.0, 0.0], [1.0, 2.0], [30.0, 30.0]]), np.array([4.0, 1.0, 10.0])

follow = Exercise(
    name="let the codebook follow",
    answer=_follow,
    cases=(
        (_SUMS, _USAGE, np.array([[4.0, 2.0], [6.0, 2.0], [3.0, 3.0]]), np.array([0, 0, 1]), 0.5),
        (_SUMS, _USAGE, np.array([[0.0, 8.0]]), np.array([2]), 0.9),
    ),
    mistakes=(
        slip(_without_counts, _OUTRIGHT),
        slip(_without_counts, "a code that was given nothing was averaged with 0 and drifts to the origin. With counts this cannot happen: "
                              "its sum and its count fade alike, and the quotient stays", idle=np.zeros_like),
        slip(_without_counts, "nan for a code that was given nothing: the mean of no vectors is 0 / 0. With counts this cannot happen: its "
                              "sum and its count fade alike, and the quotient stays", idle=lambda old: old + np.nan),
        slip(_followed, "only the last vector of each code was counted: where an index repeats, `total[codes] += vectors` adds once. "
                        "NumPy reads the rows, adds, and writes them back; use np.add.at(total, codes, vectors)", total=_last_of),
        slip(_followed, "each code was counted once, however many vectors it was given: where an index repeats, `count[codes] += 1` adds "
                        "once. Use np.bincount(codes, minlength=K)", count=_one_of),
        slip(_followed, "np.bincount without minlength ends at the largest code that occurs, and later codes have no count: "
                        "np.bincount(codes, minlength=K)", count=lambda codes, K: np.bincount(codes)),
        slip(_followed, "divided by the old counts: the counts move too, by the same rule as the sums", over=lambda new, old: old),
        slip(_followed, "that is the new sum of each code; the code is the sum over the count", over=lambda new, old: np.ones_like(new)),
        slip(_followed, "decay is what stays of the old (0.99 in most configurations); 1 - decay is what the new gets",
             stays=lambda decay: 1 - decay),
    ),
    section=_SECTION + "“Codes that follow”",
)  # fmt: skip


def _restart(sums, usage, vectors, threshold):
    draws = np.arange(len(vectors), dtype=float)  # the vectors in the order they come
    return np.column_stack(vq.restart_dead_codes(vq.EmaState(sums, usage), vectors, threshold, draws))


def _restarted(sums, usage, vectors, threshold, count=None, total=None):
    """A wrong restart: what it writes as a dead code's usage and as its sum, from (vectors, old usage, mean usage)."""
    sums, usage = sums.copy(), usage.copy()
    dead = np.flatnonzero(usage < threshold)[: len(vectors)]
    given = vectors[: len(dead)], usage[dead], usage.mean()
    if total:
        sums[dead] = total(*given)
    if count:
        usage[dead] = count(*given)
    return np.column_stack([sums, usage])


def _mean_taken_again(sums, usage, vectors, threshold, after_each=False):
    """The mean of the usage once more when some of it was written: after each dead code, or before the sums."""
    sums, usage = sums.copy(), usage.copy()
    dead = np.flatnonzero(usage < threshold)
    if after_each:
        for vector, code in zip(vectors, dead):
            usage[code] = usage.mean()
            sums[code] = vector * usage[code]
    else:
        usage[dead] = usage.mean()
        sums[dead] = vectors[: len(dead)] * usage.mean()
    return np.column_stack([sums, usage])


restart = Exercise(
    name="restart a dead code",
    answer=_restart,
    cases=(
        (_SUMS, np.array([4.0, 0.1, 10.0]), np.array([[5.0, 1.0], [2.0, 2.0]]), 0.5),
        (_SUMS, np.array([0.2, 0.1, 8.7]), np.array([[5.0, 1.0], [2.0, 2.0], [7.0, 7.0]]), 0.5),
    ),
    mistakes=(
        slip(_restarted, "nothing survives: the codebook is sums / usage, and neither was changed. A new code written beside them is "
                         "overwritten by the next average; write it into both"),
        slip(_restarted, "the vector became the sum; the sum is the vector times its usage, else the code lies at the vector divided by it",
             count=lambda z, old, mean: mean, total=lambda z, old, mean: z),
        slip(_restarted, "the code has moved, its usage has not: it is still under the threshold, and moves again in the next batch before "
                         "it can win a vector", total=lambda z, old, mean: z * old[:, None]),
        slip(_restarted, "the usage was raised, the sum was not: the code is now the old sum over a larger number, closer to the origin and "
                         "not at the vector", count=lambda z, old, mean: mean),
        slip(_restarted, "a count of 0 makes the code 0 / 0. Give it the usage of the average code",
             count=lambda z, old, mean: 0 * old, total=lambda z, old, mean: 0 * z),
        slip(_restarted, "a usage of 1 is right in one batch size only: where the average code has 40 it is dead again soon, where it has 0.1 "
                         "it hardly moves. Give it the average", count=lambda z, old, mean: 0 * old + 1, total=lambda z, old, mean: z),
        slip(_mean_taken_again, "the mean was taken again after the usage was written: the sum holds another mean than the usage, so the code "
                                "does not lie on its vector. Take it once, before anything is changed"),
        slip(_mean_taken_again, "the mean was taken again for each dead code: the second one averages in the first one's new usage. Take it "
                                "once, before anything is changed", after_each=True),
    ),
    section=_SECTION + "“Collapse”",
)  # fmt: skip


def _used(counts):
    return (counts > 0).sum()


def _effective(counts):
    return vq.codebook_usage(np.repeat(np.arange(len(counts)), counts), len(counts)).perplexity


def _with_the_unused(counts):
    with np.errstate(all="ignore"):
        shares = counts / counts.sum()
        return np.exp(-(shares * np.log(shares)).sum())


def _grown(
    counts, K, effective=_effective, every=lambda counts, K: K, waste=lambda K, told: math.log2(K) - np.log2(told)
):
    told = effective(counts)
    return np.array([_used(counts) / every(counts, K), told, waste(K, told)])


grow = Exercise(
    name="grow a collapsed codebook",
    answer=lambda counts, K: _grown(counts, K),
    cases=((np.array([50, 50, 0, 0]), 8), (np.array([25, 25, 25, 25] + [0] * 12), 1024), (np.array([90, 10]), 4)),
    mistakes=(
        Mistake(lambda n, K: np.array([_used(n) / K, _effective(n) * K / len(n), math.log2(len(n) / _effective(n))]), "collapse “fixed” by a larger K: "
                "the perplexity does not grow with it. Codes that are nearest to nothing are never chosen, however many there are; put them "
                "where the vectors are (restarts), not beside the dead ones"),
        Mistake(lambda n, K: np.array([_used(n) / len(n), _effective(n), math.log2(len(n) / _effective(n))]), "the codebook as it was: its size is K now, "
                "and every id costs log2(K) bits whether its codes are used or not"),
        slip(_grown, "the share is of all codes there are now: K, not the number before", every=lambda counts, K: len(counts)),
        slip(_grown, "that is what an id tells, log2 of the perplexity; the question is what it costs beyond that: log2(K) less it",
             waste=lambda K, told: np.log2(told)),
        slip(_grown, "nats: an id in binary costs log2(K) bits", waste=lambda K, told: math.log(K) - np.log(told)),
        slip(_grown, _ZERO, effective=_with_the_unused),
    ),
    section=_SECTION + "“Collapse”",
)  # fmt: skip


def _image_bits(height, width, cell, K, codes=lambda h, w, cell: (h // cell) * (w // cell), each=math.log2):
    return codes(height, width, cell) * each(K)


bits = Exercise(
    name="count the bits of an image's codes",
    answer=lambda height, width, cell, K: _image_bits(height, width, cell, K),
    cases=((256, 256, 16, 1024), (512, 512, 16, 8192), (480, 640, 8, 16384)),
    mistakes=(
        slip(_image_bits, "tokens, not bits: each of them names one of K codes, which takes log2(K) bits", each=lambda K: 1),
        slip(_image_bits, "the natural logarithm gives nats; bits are log2", each=math.log),
        slip(_image_bits, "K is how many codes there are to choose from; naming one of them takes log2(K) bits", each=lambda K: K),
        slip(_image_bits, "one code a pixel: a code stands for a square of cell x cell pixels", codes=lambda h, w, cell: h * w),
        slip(_image_bits, "only one side divided: a cell is `cell` pixels high and wide", codes=lambda h, w, cell: h * w // cell),
    ),
    section=_SECTION + "“A picture becomes integers”",
)  # fmt: skip


def _to_ids(codes, text, specials, first=lambda text, specials: text + specials, read=np.ravel):
    return read(codes) + first(text, specials)


vocabulary = Exercise(
    name="put image codes into a vocabulary",
    answer=lambda codes, text, specials: _to_ids(codes, text, specials),
    cases=((np.array([[0, 7, 2], [5, 0, 1]]), 100, 2), (np.array([[3, 1], [0, 8191]]), 65536, 4)),
    mistakes=(
        slip(_to_ids, "not shifted: code 0 and the first piece of text are the same id now, and the model cannot tell them apart",
             first=lambda text, specials: 0),
        slip(_to_ids, "the special tokens stand between: the first codes got the ids of begin and end of image",
             first=lambda text, specials: text),
        slip(_to_ids, "off by one: ids start at 0, so `text` pieces fill 0 to text - 1, and the next free id is `text`",
             first=lambda text, specials: text + specials - 1),
        slip(_to_ids, "off by one: the first id after text and specials is text + specials itself, for ids start at 0",
             first=lambda text, specials: text + specials + 1),
        slip(_to_ids, "read column by column; the grid is read like a page, row by row", read=lambda codes: codes.T.ravel()),
        slip(_to_ids, "still a grid: a language model reads one sequence; ravel it row by row", read=lambda codes: codes),
        Mistake(lambda c, t, s: np.concatenate([[t], c.ravel() + t + s, [t + 1]]), "begin and end of image were added; "
                "the ids of the codes alone are asked for"),
    ),
    section=_SECTION + "“Codes are words”",
)  # fmt: skip


def _places(levels):
    return np.cumprod([1, *levels[:-1]])


def _fsq(vectors, levels, squash=np.tanh, nearest=np.rint, places=_places, start=1):
    half = (np.asarray(levels) - 1) / 2
    digits = nearest(squash(vectors) * half) + start * half
    return (digits * places(levels)).sum(axis=-1).astype(int)


scalar = Exercise(
    name="quantize without a codebook",
    answer=_fsq,
    cases=(
        (np.array([[0.0, 0.0], [9.0, -9.0], [-9.0, 9.0], [0.4, 1.2]]), [3, 5]),
        (np.array([[0.8, -0.3, 9.0], [-0.7, 0.6, 0.3]]), [5, 3, 7]),
    ),
    mistakes=(
        slip(_fsq, "floor for round: every level now reaches only upwards, and 0 is no longer in the middle of its level", nearest=np.floor),
        slip(_fsq, "cut towards 0 for round: `int` and `astype(int)` drop the fraction, so the middle level is twice as wide as it should be. "
                   "Round first", nearest=np.trunc),
        slip(_fsq, "clipped, not squashed: tanh bends smoothly into -1 to 1, so that a gradient is left everywhere",
             squash=lambda x: np.clip(x, -1, 1)),
        slip(_fsq, "the last dimension counts fastest here; in this book (and in FSQ's own code) the first does: 1, L0, L0·L1, ...",
             places=lambda L: np.cumprod([1, *L[:0:-1]])[::-1]),
        slip(_fsq, "the digits were added up: two vectors with the same sum get one code. Digit i is worth the product of the levels before it",
             places=np.ones_like),
        slip(_fsq, "the steps run from -(L-1)/2 to (L-1)/2: shift them to start at 0, or codes are negative", start=0),
    ),
    section=_SECTION + "“No codebook to lose”",
)  # fmt: skip

EXERCISES = (nearest, perplexity, gradient, follow, restart, grow, bits, vocabulary, scalar)
