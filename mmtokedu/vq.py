"""Vectors snap to a codebook: nearest code, usage, moving averages, restarts, and codebooks that need no learning."""

from typing import NamedTuple

import numpy as np

from mmtokedu._dispatch import has_cuda_twin
from mmtokedu.arguments.common import check_codes, check_matrix, positive
from mmtokedu.arguments.vq import (
    check_bits,
    check_codebook,
    check_ema,
    check_kmeans,
    check_levels,
    check_pair,
    check_quantize,
    check_restart,
    check_usage,
)

TILE = 1024, 512  # vectors, codes scored at once: their scores stay in cache, and reading the codes is shared
SUMMED = 2**18  # numbers summed by code at once, as float64: 2 MiB, which stay in cache
PROBE = 64  # vectors of a tile that go first: when most are in doubt, float32 is not tried on the others
FLOOR = 1e-12  # least usage of a code: a quotient of two numbers that both faded to 0 would be no vector


def nearest_code_plain(vectors, codebook):
    """`nearest_code` as the definition reads: every squared distance, then the least. The version to read.

    vectors (N, D), codebook (K, D) -> codes (N,) int64. Holds N*K*D numbers at once.
    Source: VQ-VAE (arXiv 1711.00937, equation 1).

    >>> nearest_code_plain(np.array([[0.9, 0.2]]), np.array([[0.0, 0.0], [1.0, 0.0]])).tolist()
    [1]
    """
    differences = vectors[:, None, :].astype(np.float64) - codebook[None, :, :]  # (N, K, D)
    return (differences**2).sum(axis=-1).argmin(axis=-1)


@has_cuda_twin
def nearest_code(vectors, codebook):
    """The nearest code of each vector by Euclidean distance.

    vectors (N, D) and codebook (K, D), floats of any width; returns codes (N,) int64. Wherever the vectors lie and
    however the codes are spread, the squared distance of the chosen code is at most 1.00001 of the least one; of
    equal codes, and of equal distances, the lowest index wins.
    The nearest e of a z has the largest z.e - e.e/2, which one product of matrices finds for a tile of both. Where
    rounding may have decided, the product is made again in float64, and where that cannot tell either, the
    differences themselves are squared and added: see `_Search`.

    Raises ValueError for shapes that do not fit, an empty codebook, or numbers that are not finite.
    Source: VQ-VAE (arXiv 1711.00937, equation 1).

    >>> nearest_code(np.array([[0.9, 0.2], [-3.0, 0.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])).tolist()
    [1, 0]
    >>> nearest_code(np.float32([[5000.5]]), np.float32([[0], [5000], [5000.4]])).tolist()
    [2]
    """
    largest = check_quantize(vectors, codebook)
    if not len(vectors):
        return np.empty(0, np.int64)
    vectors, codebook = _computable(vectors, codebook, *largest)
    return _Search(codebook, vectors[:: len(vectors) // TILE[0] + 1])(vectors)


def _computable(vectors, codebooks, reach, largest):
    """Both in the dtype that distances are computed in, and of a magnitude that can be squared.

    reach is the largest magnitude in the vectors, largest has one for each codebook.
    """
    wide = max(vectors.itemsize, codebooks.itemsize) > 4 or not _float32_will_do(reach, largest)
    dtype = np.float64 if wide else np.float32
    vectors, codebooks = (x.astype(dtype, copy=False) for x in (vectors, codebooks))
    if exponent := _common_exponent(reach, *largest):
        vectors, codebooks = np.ldexp(vectors, -exponent), np.ldexp(codebooks, -exponent)
    return vectors, codebooks


def _float32_will_do(reach, largest):
    """Whether float32 can square numbers up to these: none overflow, none vanish. 0 is in nobody's way."""
    return max(reach, *largest) < 1e15 and min([x for x in largest if x], default=1) > 1e-15


def _common_exponent(*largest):
    """0, or the power of two to divide by where even float64 cannot square: that is exact, and the nearest stays so."""
    most = max(largest)
    return 0 if most == 0 or 1e-120 < most < 1e120 else int(np.frexp(most)[1])


class _Search:
    """A codebook (K, D) made ready for vectors like those of the sample: a call gives each its code.

    Origin is the code nearest to the middle of the sample: codes close to it have small numbers, and small errors.
    With z and e counted from there, rounding moves the score z.e - |e|^2/2 by at most g |e| (|z| + |e|), where g is
    `_rounding`. So the product of [z, 1, g|z|] with [e, g|e|^2 - |e|^2/2, |e|] is never below the true score, and above
    it by at most twice that much. What is left of the best product when that is taken off is the floor: a code whose
    product is below it cannot be the nearest. Where only the best reaches its floor, the code is found.
    """

    def __init__(self, codebook, sample):
        self.distinct = _distinct(codebook)
        self.codebook = codebook if len(self.distinct) == len(codebook) else codebook[self.distinct]
        away = self.codebook - sample.mean(axis=0, dtype=np.float64).astype(codebook.dtype)
        self.origin = self.codebook[np.vecdot(away, away).argmin()]
        self.tables = list(self._tables(codebook.dtype))

    def __call__(self, vectors):
        codes, doubt = np.empty(len(vectors), np.int64), np.ones(len(vectors), bool)
        start, step = 0, PROBE
        while start < len(vectors):
            part = slice(start, start + step)
            codes[part], doubt[part], _ = self._best(self._rows(vectors[part]), self.tables)
            most = 2 * np.count_nonzero(doubt[part]) > step
            start += step + most * TILE[0]  # then the next are in doubt without being tried
            step = PROBE if most else TILE[0]
        doubtful = np.flatnonzero(doubt)
        for start in range(0, len(doubtful), TILE[0]):
            some = doubtful[start : start + TILE[0]]
            codes[some] = self._settled(vectors[some])
        return self.distinct[codes]

    def _tables(self, dtype):
        """A tile of codes after the other: [e, g|e|^2 - |e|^2/2, |e|], a column a code."""
        g, tiny = _rounding(self.codebook.shape[1], dtype)
        for start in range(0, len(self.codebook), TILE[1]):
            e = np.subtract(self.codebook[start : start + TILE[1]], self.origin, dtype=dtype)
            square = np.vecdot(e, e)
            yield np.vstack([e.T, (g - 0.5) * square + tiny, np.sqrt(square)])

    def _rows(self, vectors, dtype=None):
        """[z, 1, g|z|], a row a vector."""
        dtype = dtype or self.codebook.dtype
        rows = np.ones((len(vectors), vectors.shape[1] + 2), dtype)
        z = np.subtract(vectors, self.origin, out=rows[:, :-2], dtype=dtype)
        rows[:, -1] = np.sqrt(np.vecdot(z, z)) * _rounding(vectors.shape[1], dtype)[0]
        return rows

    def _best(self, rows, tables):
        """For each row the code of the highest product, whether another code reaches the floor, and the floor."""
        each, scores = np.arange(len(rows)), np.empty((len(rows), TILE[1]), rows.dtype)
        codes, length = np.zeros(len(rows), np.int64), np.zeros(len(rows), rows.dtype)
        highest, second = np.full((2, len(rows)), -np.inf, rows.dtype)
        for number, table in enumerate(tables):
            found = np.matmul(rows, table, out=scores[:, : table.shape[1]])
            best = found.argmax(axis=1)
            score = found[each, best]
            found[each, best] = -np.inf
            second = np.maximum(second, np.minimum(score, highest))
            near = slice(None) if number < 2 else np.flatnonzero(score > second)  # whose second may be here
            rest = found[near]
            second[near] = np.maximum(second[near], rest[each[: len(rest)], rest.argmax(axis=1)])
            better = score > highest
            codes = np.where(better, best + number * TILE[1], codes)
            length = np.where(better, table[-1, best], length)
            highest = np.maximum(score, highest)
        g, tiny = _rounding(rows.shape[1] - 2, rows.dtype)
        floor = highest - 2.1 * length * (rows[:, -1] + g * length) - 2 * tiny
        return codes, second >= floor, floor

    def _settled(self, vectors):
        """The codes by float64 products, or by differences."""
        rows = self._rows(vectors, np.float64)
        codes, doubt, floor = self._best(rows, self._tables(np.float64))
        left = np.flatnonzero(doubt)
        codes[left] = self._compared(vectors[left], rows[left], floor[left])
        return codes

    def _compared(self, vectors, rows, floor):
        """The codes by their differences from the vectors, of the codes that reach the floor."""
        codes, least = np.zeros(len(rows), np.int64), np.full(len(rows), np.inf)
        for number, table in enumerate(self._tables(np.float64)):
            scores = rows @ table
            near = np.nonzero(scores >= floor[:, None])
            scores[:] = np.inf  # now distances
            for r, k in zip(*(np.array_split(x, 1 + x.size * rows.shape[1] // 2**20) for x in near)):
                differences = vectors[r].astype(np.float64) - self.codebook[k + number * TILE[1]]
                scores[r, k] = (differences**2).sum(axis=-1)
            best = scores.argmin(axis=1)
            distance = scores[np.arange(len(rows)), best]
            codes = np.where(distance < least, best + number * TILE[1], codes)
            least = np.minimum(distance, least)
        return codes


def _rounding(width, dtype):
    """The g of `_Search` for this many numbers, and more than is lost where products are too small for the dtype."""
    steps = (width + 16) * np.finfo(dtype).eps / 2
    return (steps / (1 - steps)).astype(dtype), np.finfo(dtype).tiny


def _distinct(codebook):
    """The codes that equal none before them, by index: equal ones could never be told apart."""
    if len(np.unique(codebook.sum(axis=1, dtype=np.float64))) == len(codebook):  # codes of other sums are not equal
        return np.arange(len(codebook))
    seen = {}  # bytes of a code -> its first index
    rows = np.ascontiguousarray(codebook + 0)  # -0.0 + 0 is 0.0
    for k, row in enumerate(rows.view((np.void, rows[0].nbytes)).ravel().tolist()):
        seen.setdefault(row, k)
    return np.array(list(seen.values()))


@has_cuda_twin
def look_up(codes, codebook):
    """The vectors that codes stand for: codes (...) int, codebook (K, D) -> (..., D).

    Raises TypeError for codes that are no integers, ValueError for one outside 0 to K-1.
    Source: VQ-VAE (arXiv 1711.00937, section 3.1).

    >>> look_up(np.array([1, 0, 1]), np.array([[0.0, 0.5], [1.0, 1.5]])).tolist()
    [[1.0, 1.5], [0.0, 0.5], [1.0, 1.5]]
    """
    check_matrix(codebook, "codebook")
    return codebook[check_codes(codes, len(codebook))]


class Usage(NamedTuple):
    """How often each code was used: counts (K,) int64, how many were used at all, and the perplexity."""

    counts: np.ndarray
    used: int
    perplexity: float


@has_cuda_twin
def codebook_usage(codes, K):
    """How a codebook of K entries is used by these codes: counts, number of used codes, perplexity.

    codes (...) int. The perplexity is exp(entropy) of the shares, between 1 (one code) and min(K, number of codes):
    as many codes, used equally often, would carry as much. No codes at all have perplexity 0.

    Raises ValueError for a code outside 0 to K-1.
    Source: the statistic that VQ-VAE training prints (arXiv 1711.00937 and its Sonnet code).

    >>> codebook_usage(np.array([3, 3, 5, 5]), 8)
    Usage(counts=array([0, 0, 0, 2, 0, 2, 0, 0]), used=2, perplexity=2.0)
    """
    K = positive(K, "K")
    counts = np.bincount(check_codes(codes, K).ravel(), minlength=K)
    shares = counts[counts > 0] / max(1, counts.sum())
    perplexity = float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else 0.0
    return Usage(counts, len(shares), perplexity)


class EmaState(NamedTuple):
    """A codebook as two moving averages: the sum of the vectors each code was given (K, D), and their number (K,).

    The codes are not stored beside them but are their quotient, so the three cannot fall out of step.
    """

    sum: np.ndarray
    usage: np.ndarray

    @property
    def embed(self):
        """The codes (K, D): sum / usage."""
        return self.sum / self.usage[:, None]


@has_cuda_twin
def ema_state(codebook, usage=None):
    """The state of a codebook (K, D) that `ema_update` goes on from; usage (K,) is 1 a code unless given.

    Usage is in vectors a batch. A code with little of it follows its next vectors at once, one with much slowly.
    The averages are float32 at least: a float16 could not count past 65504.
    Raises ValueError for a codebook that is empty or not finite, or a usage that is not K positive numbers.
    Source: VQ-VAE (arXiv 1711.00937, appendix A.1).

    >>> ema_state(np.array([[1.0, 2.0]]), np.array([4.0]))
    EmaState(sum=array([[4., 8.]]), usage=array([4.]))
    """
    codebook = check_codebook(codebook)
    usage = np.ones(len(codebook), codebook.dtype) if usage is None else check_usage(usage, codebook)
    return EmaState(codebook * usage[:, None], usage)


@has_cuda_twin
def ema_update(state, vectors, codes, decay):
    """One step of the codebook's moving averages: each code moves toward the mean of the vectors it was given.

    state of K codes, vectors (N, D), codes (N,) int, decay in [0, 1); returns a new EmaState. A code that was given
    nothing stays where it is, and its usage fades. Counts below 1e-12 are held there, the sum in proportion.

    Raises ValueError for shapes that do not fit, codes out of range, a decay outside [0, 1), non-finite vectors.
    Source: VQ-VAE (arXiv 1711.00937, appendix A.1, equations 6 to 8).

    >>> state = ema_state(np.array([[0.0], [10.0]]))
    >>> ema_update(state, np.array([[2.0], [4.0]]), np.array([0, 0]), decay=0.5).embed.tolist()
    [[2.0], [10.0]]
    """
    vectors, codes, decay = check_ema(state, vectors, codes, decay)
    sums, counts = _sum_by_code(vectors, codes, len(state.usage))
    usage = decay * state.usage + (1 - decay) * counts
    total = decay * state.sum + (1 - decay) * sums
    floor = state.usage.dtype.type(FLOOR)
    faded = usage < floor  # with a decay of 0 that is every code that was given nothing
    total[faded] = state.embed[faded] * floor
    return EmaState(total.astype(state.sum.dtype), np.maximum(usage, floor).astype(floor.dtype))


def _sum_by_code(vectors, codes, size):
    """The sum (K, D) float64 and the number (K,) int64 of the vectors of each code.

    A sum of millions in float32 would lose a little of each: it stops growing where they are less than its last digit.
    """
    dtype, step = np.result_type(vectors, np.float64), max(1, SUMMED // vectors.shape[1])
    sums = np.zeros((size, vectors.shape[1]), dtype)
    for start in range(0, len(vectors), step):
        block = codes[start : start + step]
        order = block.argsort(kind="stable")
        found, first = np.unique(block[order], return_index=True)
        sums[found] += np.add.reduceat(vectors[start : start + step][order], first, axis=0, dtype=dtype)
    return sums, np.bincount(codes, minlength=size)


@has_cuda_twin
def restart_dead_codes(state, vectors, threshold, draws):
    """Move codes that are hardly used onto vectors of the batch: a code is dead when its usage is under threshold.

    vectors (N, D); draws (N,) are random numbers, one a vector: the vectors with the smallest draws are given, in that
    order, to the dead codes in ascending order (so at most N restart, each on a vector of its own). A restarted
    code has the usage of the average code, and no less than the threshold. Returns a new EmaState.

    Raises ValueError for shapes that do not fit, a threshold that is negative or not finite, non-finite vectors.
    Source: Jukebox (arXiv 2005.00341, section 3.1); the relative usage of a restarted code as in kyutai-labs/moshi.

    >>> state = ema_state(np.array([[0.0], [10.0]]), np.array([5.0, 0.1]))
    >>> restart_dead_codes(state, np.array([[1.0], [2.0]]), 1.0, draws=np.array([0.9, 0.3])).embed.tolist()
    [[0.0], [2.0]]
    """
    vectors, draws, threshold = check_restart(state, vectors, threshold, draws)
    dead = np.flatnonzero(state.usage < threshold)[: len(vectors)]
    chosen = np.argsort(draws, kind="stable")[: len(dead)]
    given = max(state.usage.mean(), threshold)
    total, usage = state.sum.copy(), state.usage.copy()
    usage[dead] = given
    total[dead] = vectors[chosen] * usage[dead, None]
    return EmaState(total, usage)


def kmeans_init(vectors, K, draws, *, iterations=10):
    """A codebook of K means of these vectors, by Lloyd's iterations, as a state that `ema_update` goes on from.

    vectors (N, D) with N >= K; draws (N,) are random numbers, one a vector: the K vectors with the smallest draws
    are the first means. A mean that loses all its vectors stays where it was. Returns an EmaState whose usage is
    the number of vectors of each mean, so the first update weighs it as that many vectors.

    Raises ValueError for fewer vectors than K, shapes that do not fit, non-finite vectors.
    Source: Lloyd, "Least squares quantization in PCM" (1982); as in EnCodec's and vector-quantize-pytorch's start.

    >>> kmeans_init(np.array([[0.0], [1.0], [10.0], [11.0]]), 2, draws=np.array([0.1, 0.8, 0.2, 0.9])).embed.tolist()
    [[0.5], [10.5]]
    """
    K, iterations = check_kmeans(vectors, K, draws, iterations)
    state = ema_state(vectors[draws.argsort(stable=True)[:K]])
    for _ in range(iterations):  # a moving average with no memory is a mean
        state = ema_update(state, vectors, nearest_code(vectors, state.embed), 0.0)
    return state


@has_cuda_twin
def commitment_loss(vectors, quantized):
    """The mean squared difference that pulls vectors (..., D) toward their quantized versions (..., D): a number.

    On torch tensors the gradient goes to `vectors` alone. With the arguments exchanged it is the codebook loss,
    which pulls the codes toward the vectors. Float16 is squared as float32, and no vectors have loss 0.
    Raises ValueError when the shapes differ.
    Source: VQ-VAE (arXiv 1711.00937, equation 3, third term; second term when exchanged).

    >>> float(commitment_loss(np.array([[1.0, 3.0]]), np.array([[1.0, 1.0]])))
    2.0
    """
    check_pair(vectors, quantized)
    dtype = np.result_type(vectors, quantized, np.float32)
    return (np.subtract(vectors, quantized, dtype=dtype) ** 2).sum() / max(1, vectors.size)


def vq_gradients(vectors, codebook, codes, upstream, beta=0.25):
    """The three gradients of a vector quantizer, by hand.

    For the loss task(look_up(codes)) + mean (sg[z] - e)^2 + beta * mean (z - sg[e])^2, with upstream (N, D) the
    gradient of the task at the quantized vectors; sg stops a gradient. Returns (to_vectors (N, D), to_codebook (K, D)):
    the task's gradient is copied to the vectors (straight-through) and beside it only the commitment term acts on
    them; only the codebook term acts on the codes.

    Raises ValueError for shapes that do not fit.
    Source: VQ-VAE (arXiv 1711.00937, equation 3).

    >>> z, codebook = np.array([[1.0]]), np.array([[0.0], [9.0]])
    >>> to_vectors, to_codebook = vq_gradients(z, codebook, np.array([0]), np.array([[0.5]]), beta=0.25)
    >>> to_vectors.tolist(), to_codebook.tolist()
    ([[1.0]], [[-2.0], [0.0]])
    """
    quantized = look_up(codes, codebook)
    check_pair(vectors, quantized)
    check_pair(upstream, quantized)
    pull = 2 * (vectors - quantized) / vectors.size
    return upstream + beta * pull, _sum_by_code(-pull, codes, len(codebook))[0].astype(pull.dtype)


@has_cuda_twin
def straight_through(vectors, quantized):
    """The quantized vectors (..., D), through which a gradient passes as if nothing had happened to the vectors.

    On torch tensors the gradient of the result goes to `vectors` unchanged and not to `quantized`; NumPy has no
    gradients, and the result is a copy of `quantized` (`vq_gradients` writes them out).
    Raises ValueError when the shapes differ.
    Source: Bengio et al. (arXiv 1308.3432); in VQ-VAE (arXiv 1711.00937, section 3.2).

    >>> straight_through(np.array([0.4, 1.7]), np.array([0.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    check_pair(vectors, quantized)
    return quantized.copy()


@has_cuda_twin
def rotation_trick(vectors, quantized):
    """The quantized vectors (..., D), reached by turning and stretching the vectors: the gradient turns with them.

    The turn is in the plane of the two, the stretch is the ratio of their lengths. On torch tensors the gradient
    passes through that turn and stretch as through a constant, so it arrives at an angle, where straight-through
    copies it. Where one of the two is 0 there is no turn, and the result is `quantized` with the gradient copied.
    Raises ValueError when the shapes differ.
    Source: Fifty et al. (arXiv 2410.06424, section 4.2).

    >>> rotation_trick(np.array([[3.0, 0.0]]), np.array([[0.0, 1.5]])).round(12).tolist()
    [[0.0, 1.5]]
    """
    check_pair(vectors, quantized)
    z, q = vectors.astype(np.float64), quantized.astype(np.float64)
    along = lambda a, b: (a * b).sum(axis=-1, keepdims=True)
    z_norm, q_norm = np.sqrt(along(z, z)), np.sqrt(along(q, q))
    there = (z_norm > 0) & (q_norm > 0)
    u, v = z / np.where(there, z_norm, 1), q / np.where(there, q_norm, 1)
    half = u + v
    length = np.sqrt(along(half, half))
    half = np.where(length > 1e-6, half / np.maximum(length, 1e-6), 0)  # opposite: no half-way, u is mirrored
    turned = z - 2 * along(z, half) * half + 2 * along(z, u) * v
    return np.where(there, turned * (q_norm / np.where(there, z_norm, 1)), q).astype(quantized.dtype)


@has_cuda_twin
def fsq(vectors, levels):
    """Finite scalar quantization: each dimension is squashed into a few levels and rounded. No codebook to learn.

    vectors (..., D) and levels, D whole numbers from 2 to 1000; returns (codes (...) int64, quantized (..., D) in
    [-1, 1]). A code counts with the first dimension fastest, below the product of the levels. On torch tensors the
    gradient passes the rounding straight through.

    Raises ValueError when D is not the number of levels, for a level out of range or non-finite vectors.
    Source: Mentzer et al. (arXiv 2309.15505, appendix A.1).

    >>> codes, quantized = fsq(np.array([[-9.0, 0.0], [9.0, 9.0]]), [3, 5])
    >>> codes.tolist(), quantized.tolist()
    ([6, 14], [[-1.0, 0.0], [1.0, 1.0]])
    """
    levels = check_levels(vectors, levels)
    steps = np.rint(fsq_bound(vectors, levels))
    return _fsq_codes(steps, levels), steps / (levels // 2).astype(steps.dtype)


@has_cuda_twin
def fsq_bound(vectors, levels):
    """What `fsq` rounds: each dimension of vectors (..., D) squashed by tanh into the range of its levels.

    Source: Mentzer et al. (arXiv 2309.15505, appendix A.1), with its constant 0.001 and its tan.

    >>> fsq_bound(np.array([-99.0, 99.0]), [5, 5]).round(3).tolist()
    [-1.998, 1.998]
    """
    levels = check_levels(vectors, levels)
    half, offset, shift = (x.astype(np.result_type(vectors, np.float32)) for x in fsq_constants(levels))
    return np.tanh(vectors + shift) * half - offset


def fsq_constants(levels):
    """(half, offset, shift), each (D,) float64: `fsq_bound` is tanh(x + shift) * half - offset.

    Source: Mentzer et al. (arXiv 2309.15505, appendix A.1).

    >>> [x.tolist() for x in fsq_constants([5])]
    [[1.998], [0.0], [0.0]]
    """
    levels = np.asarray(levels)
    half, offset = (levels - 1) * (1 - 1e-3) / 2, np.where(levels % 2, 0.0, 0.5)
    return half, offset, np.tan(offset / half)


def _fsq_codes(steps, levels):
    return ((steps + levels // 2).astype(np.int64) * _places(levels)).sum(axis=-1)


def _places(levels):
    """What one step in each dimension is worth in a code: 1, L0, L0*L1, ..."""
    return np.concatenate([[1], np.cumprod(levels[:-1])]).astype(np.int64)


@has_cuda_twin
def fsq_look_up(codes, levels):
    """The quantized vectors (..., D) float32 of codes (...): the inverse of `fsq`'s codes.

    Raises ValueError for a code outside 0 to the product of the levels - 1.
    Source: Mentzer et al. (arXiv 2309.15505, appendix A.1).

    >>> fsq_look_up(np.array([6, 14]), [3, 5]).tolist()
    [[-1.0, 0.0], [1.0, 1.0]]
    """
    levels = check_levels(None, levels)
    codes = check_codes(codes, int(np.prod(levels)))
    steps = codes[..., None] // _places(levels) % levels - levels // 2
    return (steps / (levels // 2)).astype(np.float32)


@has_cuda_twin
def lfq(vectors):
    """Look-up-free quantization: one bit a dimension, +1 where it is positive and -1 elsewhere.

    vectors (..., D), D at most 62; returns (codes (...) int64 with bit i set where dimension i > 0, quantized
    (..., D)). On torch tensors the gradient passes straight through.
    Raises ValueError for more than 62 dimensions or non-finite vectors.
    Source: Yu et al., MAGVIT-v2 (arXiv 2310.05737, section 3.1).

    >>> codes, quantized = lfq(np.array([[0.3, -2.0, 0.1]]))
    >>> codes.tolist(), quantized.tolist()
    ([5], [[1.0, -1.0, 1.0]])
    """
    vectors = check_bits(vectors)
    bits = vectors > 0
    return (bits * (1 << np.arange(vectors.shape[-1]))).sum(axis=-1), np.where(bits, 1, -1).astype(vectors.dtype)
