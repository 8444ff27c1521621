"""Exercises of the vector quantization chapter."""

import math

import numpy as np

from mmtokedu import vq
from mmtokedu.course import Exercise, Mistake

_SECTION = "Codebooks, "

_CODEBOOK = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 3.0], [9.0, 2.0]])
_VECTORS = np.array([[1.0, 1.0], [1.0, 2.0], [6.0, 2.0], [8.0, 3.0], [2.0, 0.0]])  # the last is a tie of codes 0 and 1


def _squares(vectors, codebook):
    return ((vectors[:, None] - codebook[None]) ** 2).sum(axis=-1)


nearest = Exercise(
    name="find the nearest code",
    answer=vq.nearest_code_plain,
    cases=((_VECTORS, _CODEBOOK), (_VECTORS[:2] - 1, _CODEBOOK), (_VECTORS, _CODEBOOK[::-1])),
    mistakes=(
        Mistake(lambda z, e: _squares(z, e).argmax(axis=1), "argmax for argmin: these are the codes furthest away. The largest wins "
                                                            "only of a similarity; of a distance it is the smallest: argmin"),
        Mistake(lambda z, e: (z @ e.T).argmax(axis=1), "the largest dot product, which prefers long codes: -|e|²/2 is missing. "
                                                       "The largest z·e - |e|²/2 is the smallest |z - e|²"),
        Mistake(lambda z, e: np.abs(z[:, None] - e[None]).sum(axis=-1).argmin(axis=1), "absolute differences summed instead of squares: "
                                                                                      "that is another distance, with other nearest codes"),
        Mistake(lambda z, e: _squares(z, e).argmin(axis=0), "the nearest vector of each code: the minimum was taken over the vectors. "
                                                            "Distances are (N, K), and each of the N rows wants one code: axis 1"),
    ),
    section=_SECTION + "“Snap”",
)  # fmt: skip


def _entropy(codes, K, log=np.log):
    shares = np.bincount(codes, minlength=K) / len(codes)
    shares = shares[shares > 0]
    return float(-(shares * log(shares)).sum())


perplexity = Exercise(
    name="measure the perplexity of codes",
    answer=lambda codes, K: vq.codebook_usage(codes, K).perplexity,
    cases=((np.array([3, 3, 5, 5]), 8), (np.array([0, 0, 0, 1]), 4), (np.array([1, 2, 3, 4, 5, 6, 7, 0]), 8)),
    mistakes=(
        Mistake(lambda c, K: _entropy(c, K), "the entropy itself, in nats: the perplexity is exp of it, a number of codes"),
        Mistake(lambda c, K: _entropy(c, K, np.log2), "the entropy in bits; the perplexity is a number of codes, so take 2 to that power "
                                                      "(or exp of the entropy in nats: the same number)"),
        Mistake(lambda c, K: math.exp(_entropy(c, K, np.log2)), "two bases mixed: exp undoes np.log, 2** undoes np.log2. With log2 inside and "
                                                                "exp outside the result passes the number of codes there are"),
        Mistake(lambda c, K: 2 ** _entropy(c, K), "two bases mixed: 2** undoes np.log2, exp undoes np.log; this is too small"),
        Mistake(lambda c, K: len(np.unique(c)), "codes that occur at all: one used once counts like one used always. Weigh them: exp of the entropy"),
        Mistake(lambda c, K: math.exp(-_entropy(c, K)), "a sign lost: the logarithms of shares are negative, the entropy is minus their mean"),
    ),
    section=_SECTION + "“Collapse”",
)  # fmt: skip


def _to_vectors(vectors, codebook, upstream, beta):
    codes = vq.nearest_code_plain(vectors, codebook)
    return vq.vq_gradients(vectors, codebook, codes, upstream, beta)[0]


def _pull(vectors, codebook):
    return 2 * (vectors - codebook[vq.nearest_code_plain(vectors, codebook)]) / vectors.size


gradient = Exercise(
    name="write the gradient that reaches the encoder",
    answer=_to_vectors,
    cases=(
        (np.array([[1.0, 0.0]]), np.array([[0.0, 0.0], [9.0, 9.0]]), np.array([[0.5, -0.5]]), 0.25),
        (_VECTORS[:2], _CODEBOOK, np.array([[0.1, 0.2], [-0.3, 0.0]]), 1.0),
    ),
    mistakes=(
        Mistake(lambda z, e, u, b: b * _pull(z, e), "missing straight-through: only the commitment reaches the encoder, so nothing tells it "
                                                    "what the decoder needs. Add `upstream`, as if quantizing had done nothing"),
        Mistake(lambda z, e, u, b: u, "the commitment is missing: nothing keeps the vectors near their codes, and they can outrun them. "
                                      "Add beta * 2 * (z - e) / size"),
        Mistake(lambda z, e, u, b: u - b * _pull(z, e), "the commitment pushes away: the gradient of (z - e)² is 2 (z - e), "
                                                        "and the step goes against it"),
        Mistake(lambda z, e, u, b: u + b * _pull(z, e) / 2, "the 2 of the square's derivative is missing"),
        Mistake(lambda z, e, u, b: u + b * _pull(z, e) * z.size, "summed, not averaged: the loss is a mean over all numbers of all vectors, "
                                                                 "so divide by vectors.size"),
        Mistake(lambda z, e, u, b: u + b * _pull(z, e) * z.shape[1], "divided by the number of vectors alone: the mean runs over their dimensions too"),
        Mistake(lambda z, e, u, b: u + (1 + b) * _pull(z, e), "the codebook loss pulls the vectors as well: its gradient is stopped there, "
                                                              "it moves the codes only"),
    ),
    section=_SECTION + "“Three gradients”",
)  # fmt: skip


def _follow(sums, usage, vectors, codes, decay):
    return vq.ema_update(vq.EmaState(sums, usage), vectors, codes, decay).embed


def _batch(vectors, codes, K):
    """Sum and number of the vectors of each code."""
    given = np.arange(K)[:, None] == codes  # (K, N)
    return given @ vectors, given.sum(axis=1)


def _without_counts(sums, usage, vectors, codes, decay):
    total, count = _batch(vectors, codes, len(usage))
    old = sums / usage[:, None]
    mean = total / np.maximum(count, 1)[:, None]
    return np.where(count[:, None] > 0, decay * old + (1 - decay) * mean, old)


def _undivided(sums, usage, vectors, codes, decay):
    return decay * sums + (1 - decay) * _batch(vectors, codes, len(usage))[0]


def _old_counts(sums, usage, vectors, codes, decay):
    return _undivided(sums, usage, vectors, codes, decay) / usage[:, None]


def _to_zero(sums, usage, vectors, codes, decay):
    total, count = _batch(vectors, codes, len(usage))
    return decay * sums / usage[:, None] + (1 - decay) * total / np.maximum(count, 1)[:, None]


_SUMS, _USAGE = np.array([[8.0, 0.0], [1.0, 2.0], [30.0, 30.0]]), np.array([4.0, 1.0, 10.0])

follow = Exercise(
    name="let the codebook follow",
    answer=_follow,
    cases=(
        (_SUMS, _USAGE, np.array([[4.0, 2.0], [6.0, 2.0], [3.0, 3.0]]), np.array([0, 0, 1]), 0.5),
        (_SUMS, _USAGE, np.array([[0.0, 8.0]]), np.array([2]), 0.9),
    ),
    mistakes=(
        Mistake(_without_counts, "a moving average of the codes, without the counts: a batch with one vector then moves a code as far as one "
                                 "with a hundred. Average the sums and the counts, each on its own, and divide at the end"),
        Mistake(_to_zero, "a code that was given nothing was averaged with 0 and drifts to the origin. With counts this cannot happen: its sum "
                          "and its count fade alike, and the quotient stays"),
        Mistake(_old_counts, "divided by the old counts: the counts move too, by the same rule as the sums"),
        Mistake(_undivided, "that is the new sum of each code; the code is the sum over the count"),
        Mistake(lambda s, n, z, c, d: _follow(s, n, z, c, 1 - d), "decay is what stays of the old (0.99 in most configurations); 1 - decay is what the new gets"),
    ),
    section=_SECTION + "“Averages instead of a loss”",
)  # fmt: skip


def _restart(sums, usage, vectors, threshold):
    draws = np.arange(len(vectors), dtype=float)  # the vectors in the order they come
    return np.column_stack(vq.restart_dead_codes(vq.EmaState(sums, usage), vectors, threshold, draws))


def _restarted(count=None, total=None):
    """A wrong restart: what it writes as a dead code's usage and as its sum, from (vectors, old usage, mean usage)."""

    def answer(sums, usage, vectors, threshold):
        sums, usage = sums.copy(), usage.copy()
        dead = np.flatnonzero(usage < threshold)[: len(vectors)]
        given = vectors[: len(dead)], usage[dead], usage.mean()
        if total:
            sums[dead] = total(*given)
        if count:
            usage[dead] = count(*given)
        return np.column_stack([sums, usage])

    return answer


restart = Exercise(
    name="restart a dead code",
    answer=_restart,
    cases=(
        (_SUMS, np.array([4.0, 0.1, 10.0]), np.array([[5.0, 1.0], [2.0, 2.0]]), 0.5),
        (_SUMS, np.array([0.2, 0.1, 8.7]), np.array([[5.0, 1.0], [2.0, 2.0], [7.0, 7.0]]), 0.5),
    ),
    mistakes=(
        Mistake(_restarted(), "nothing survives: the codebook is sums / usage, and neither was changed. A new code written beside them is "
                              "overwritten by the next average; write it into both"),
        Mistake(_restarted(lambda z, old, mean: mean, lambda z, old, mean: z), "the vector became the sum; the sum is the vector times its usage, "
                                                                               "else the code lies at the vector divided by it"),
        Mistake(_restarted(None, lambda z, old, mean: z * old[:, None]), "the code has moved, its usage has not: it is still under the threshold, "
                                                                         "and moves again in the next batch before it can win a vector"),
        Mistake(_restarted(lambda z, old, mean: mean), "the usage was raised, the sum was not: the code is now the old sum over a larger number, "
                                                       "closer to the origin and not at the vector"),
        Mistake(_restarted(lambda z, old, mean: 0 * old, lambda z, old, mean: 0 * z), "a count of 0 makes the code 0 / 0. "
                                                                                      "Give it the usage of the average code"),
        Mistake(_restarted(lambda z, old, mean: 0 * old + 1, lambda z, old, mean: z), "a usage of 1 is right in one batch size only: where the "
                "average code has 40 it is dead again soon, where it has 0.1 it hardly moves. Give it the average"),
    ),
    section=_SECTION + "“Collapse”",
)  # fmt: skip


def _used(counts):
    return (counts > 0).sum()


def _effective(counts):
    return vq.codebook_usage(np.repeat(np.arange(len(counts)), counts), len(counts)).perplexity


grow = Exercise(
    name="grow a collapsed codebook",
    answer=lambda n, K: np.array([_used(n) / K, _effective(n), math.log2(K / _effective(n))]),
    cases=((np.array([50, 50, 0, 0]), 8), (np.array([25, 25, 25, 25] + [0] * 12), 1024), (np.array([90, 10]), 4)),
    mistakes=(
        Mistake(lambda n, K: np.array([_used(n) / K, _effective(n) * K / len(n), math.log2(len(n) / _effective(n))]), "collapse “fixed” by a larger K: "
                "the perplexity does not grow with it. Codes that are nearest to nothing are never chosen, however many there are; put them "
                "where the vectors are (restarts), not beside the dead ones"),
        Mistake(lambda n, K: np.array([_used(n) / len(n), _effective(n), math.log2(len(n) / _effective(n))]), "the codebook as it was: its size is K now, "
                "and every id costs log2(K) bits whether its codes are used or not"),
        Mistake(lambda n, K: np.array([_used(n) / len(n), _effective(n), math.log2(K / _effective(n))]), "the share is of all codes there are now: "
                "K, not the number before"),
        Mistake(lambda n, K: np.array([_used(n) / K, _effective(n), math.log2(_effective(n))]), "that is what an id tells, log2 of the perplexity; "
                "the question is what it costs beyond that: log2(K) less it"),
        Mistake(lambda n, K: np.array([_used(n) / K, _effective(n), math.log(K / _effective(n))]), "nats: an id in binary costs log2(K) bits"),
    ),
    section=_SECTION + "“Collapse”",
)  # fmt: skip


def _image_bits(height, width, cell, K):
    return (height // cell) * (width // cell) * math.log2(K)


bits = Exercise(
    name="count the bits of an image's codes",
    answer=_image_bits,
    cases=((256, 256, 16, 1024), (512, 512, 16, 8192), (480, 640, 8, 16384)),
    mistakes=(
        Mistake(lambda h, w, c, K: (h // c) * (w // c), "tokens, not bits: each of them names one of K codes, which takes log2(K) bits"),
        Mistake(lambda h, w, c, K: (h // c) * (w // c) * math.log(K), "the natural logarithm gives nats; bits are log2"),
        Mistake(lambda h, w, c, K: (h // c) * (w // c) * K, "K is how many codes there are to choose from; naming one of them takes log2(K) bits"),
        Mistake(lambda h, w, c, K: h * w * math.log2(K), "one code a pixel: a code stands for a square of cell x cell pixels"),
        Mistake(lambda h, w, c, K: h * w // c * math.log2(K), "only one side divided: a cell is `cell` pixels high and wide"),
    ),
    section=_SECTION + "“A picture becomes integers”",
)  # fmt: skip


def _to_ids(codes, text, specials):
    return codes.ravel() + text + specials


vocabulary = Exercise(
    name="put image codes into a vocabulary",
    answer=_to_ids,
    cases=((np.array([[0, 7, 2], [5, 0, 1]]), 100, 2), (np.array([[3, 1], [0, 8191]]), 65536, 4)),
    mistakes=(
        Mistake(lambda c, t, s: c.ravel(), "not shifted: code 0 and the first piece of text are the same id now, and the model cannot tell them apart"),
        Mistake(lambda c, t, s: c.ravel() + t, "the special tokens stand between: the first codes got the ids of begin and end of image"),
        Mistake(lambda c, t, s: c.ravel() + t + s - 1, "off by one: ids start at 0, so `text` pieces fill 0 to text - 1, and the next free id is `text`"),
        Mistake(lambda c, t, s: c.T.ravel() + t + s, "read column by column; the grid is read like a page, row by row"),
        Mistake(lambda c, t, s: np.concatenate([[t], c.ravel() + t + s, [t + 1]]), "begin and end of image were added; "
                "the ids of the codes alone are asked for"),
        Mistake(lambda c, t, s: c + t + s, "still a grid: a language model reads one sequence; ravel it row by row"),
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
        Mistake(lambda x, L: _fsq(x, L, nearest=np.floor), "floor for round: every level now reaches only upwards, and 0 is no longer in the middle of its level"),
        Mistake(lambda x, L: _fsq(x, L, squash=lambda x: np.clip(x, -1, 1)), "clipped, not squashed: tanh bends smoothly into -1 to 1, "
                "so that a gradient is left everywhere"),
        Mistake(lambda x, L: _fsq(x, L, places=lambda L: np.cumprod([1, *L[:0:-1]])[::-1]), "the last dimension counts fastest here; in this book "
                "(and in FSQ's own code) the first does: 1, L0, L0·L1, ..."),
        Mistake(lambda x, L: _fsq(x, L, places=np.ones_like), "the digits were added up: two vectors with the same sum get one code. "
                "Digit i is worth the product of the levels before it"),
        Mistake(lambda x, L: _fsq(x, L, start=0), "the steps run from -(L-1)/2 to (L-1)/2: shift them to start at 0, or codes are negative"),
    ),
    section=_SECTION + "“Codebooks without learning”",
)  # fmt: skip

EXERCISES = (nearest, perplexity, gradient, follow, restart, grow, bits, vocabulary, scalar)
