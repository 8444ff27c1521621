import itertools
import math
import types

import numpy as np
import pytest
from families import FAMILIES, drawn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from near_ties import LIMIT, assert_nearest, coarse, ratios, regrets
from vectors import largest_tensor, normal

from mmtokedu import samples, vq
from mmtokedu.patches import patchify
from mmtokedu.vq import (
    EmaState,
    codebook_usage,
    commitment_loss,
    ema_state,
    ema_update,
    fsq,
    fsq_bound,
    fsq_look_up,
    kmeans_init,
    lfq,
    look_up,
    nearest_code,
    nearest_code_plain,
    restart_dead_codes,
    rotation_trick,
    straight_through,
    vq_gradients,
)


@pytest.fixture(params=["its own way", "tiles"])
def searcher(request, backend, monkeypatch):
    """A backend once as it searches by itself, and once by the tiles that stand in for the kernel on old cards."""
    if request.param == "tiles":
        if backend.name == "numpy":
            pytest.skip("tiles are a way for tensors")
        from mmtokedu.cuda import vq as twins

        monkeypatch.setattr(twins, "_way", lambda x: "tiles")
    return backend


def patches(count, size):
    """8 x 8 pixels of a photo as rows, all different, and a codebook of mixtures of two: codes as close as real ones."""
    pytest.importorskip("skimage")
    rows = np.unique(patchify(samples.photo("coffee").astype(np.float32) / 255, 8), axis=0)
    np.random.default_rng(0).shuffle(rows)
    codebook = rows[-size:] + np.float32(0.3) * (rows[-2 * size : -size] - rows[-size:])
    return rows[:count], codebook


# The nearest code


def test_a_hand_worked_plane(searcher):
    """Four points and three codes: (3, 1) is sqrt(2) from the second code; (2, 0) is 2 from the first two."""
    codebook = np.array([[0, 0], [4, 0], [0, 3]], np.float32)
    vectors = np.array([[1, 0.5], [3, 1], [1, 2], [2, 0], [-5, -5]], np.float32)
    codes = nearest_code(searcher.give(vectors), searcher.give(codebook))
    assert searcher.take(codes).tolist() == [0, 1, 2, 0, 0]
    assert nearest_code_plain(vectors, codebook).tolist() == [0, 1, 2, 0, 0]


SIZES = [  # N, K, D; kernels have blocks of 16 to 128 of each
    (0, 5, 3), (0, 1, 129), (1, 1, 1), (1, 257, 129), (1, 5, 64), (63, 5, 64), (63, 257, 1), (63, 1, 129),
    (100, 1, 64), (100, 257, 3), (100, 5, 129), (100, 257, 64),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
@pytest.mark.parametrize("N, K, D", SIZES)
def test_awkward_sizes(searcher, rng, N, K, D, dtype):
    vectors, codebook = normal(rng, N, D, dtype=dtype), normal(rng, K, D, dtype=dtype)
    codes = searcher.take(nearest_code(searcher.give(vectors), searcher.give(codebook)))
    assert_nearest(codes, vectors, codebook)
    np.testing.assert_array_equal(codes, nearest_code_plain(vectors.astype(float), codebook.astype(float)))


def test_two_widths_of_numbers(searcher, rng):
    vectors, codebook = normal(rng, 63, 5, dtype=np.float64), normal(rng, 40, 5, dtype=np.float16)
    codes = searcher.take(nearest_code(searcher.give(vectors), searcher.give(codebook)))
    np.testing.assert_array_equal(codes, nearest_code_plain(vectors, codebook.astype(float)))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_ties_go_to_the_lowest_index(searcher, rng, dtype):
    """Points half-way between four codes of a square lattice. All numbers are exact; K is larger than any tile."""
    lattice = np.array(list(itertools.product(range(25), repeat=2)), dtype)
    codebook = rng.permutation(lattice)
    vectors = rng.integers(0, 24, (100, 2)).astype(dtype) + dtype(0.5)
    codes = searcher.take(nearest_code(searcher.give(vectors), searcher.give(codebook)))
    distances = ((vectors[:, None] - codebook) ** 2).sum(axis=-1)
    assert ((distances == distances.min(axis=1, keepdims=True)).sum(axis=1) == 4).all()
    np.testing.assert_array_equal(codes, distances.argmin(axis=1))


@pytest.mark.parametrize("size", [5, 257, 600])
def test_of_equal_codes_the_first(searcher, rng, size):
    """A product of matrices may score equal columns unequally, in its last columns above all."""
    codebook = coarse(normal(rng, size, 64), searcher, 1 / 8)
    codebook[-1] = codebook[1]
    codebook[size // 2] = codebook[1]
    codebook[1, 5], codebook[-1, 5], codebook[size // 2, 5] = 0.0, -0.0, 0.0
    vectors = codebook[[1] * 20] + coarse(np.float32(0.01) * normal(rng, 20, 64), searcher, 1 / 64)
    codes = searcher.take(nearest_code(searcher.give(vectors), searcher.give(codebook)))
    assert codes.tolist() == [1] * 20


def test_a_codebook_of_one_point(searcher):
    """All codes collapsed into one: every vector gets code 0."""
    vectors, codebook = np.linspace(-1, 1, 60, dtype=np.float32).reshape(20, 3), np.full((70, 3), 0.3, np.float32)
    assert not searcher.take(nearest_code(searcher.give(vectors), searcher.give(codebook))).any()


@pytest.mark.parametrize("offset", [0, 100, 1000])
@pytest.mark.parametrize("kind", ["patches", "low", "wide"])
def test_near_ties(searcher, rng, kind, offset):
    """Real patches, codes of 8 numbers on a sphere, codes of 64 numbers; moved together far from the origin."""
    count, size = (150, 130) if searcher.name == "triton" else (4096, 1024)
    if kind == "patches":
        vectors, codebook = patches(min(count, 1700), size)
    else:
        codebook = normal(rng, size, 8 if kind == "low" else 64)
        codebook /= np.linalg.norm(codebook, axis=1, keepdims=True)
        vectors = codebook[rng.integers(0, size, count)] + np.float32(0.1) * normal(rng, count, codebook.shape[1])
    vectors, codebook = vectors + np.float32(offset), codebook + np.float32(offset)
    codes = searcher.take(nearest_code(searcher.give(vectors), searcher.give(codebook)))
    assert_nearest(codes, vectors, codebook)


def test_the_protocol_sees_lost_digits():
    """What the tests above must refuse: real patches rounded to half, and an offset that nobody took off."""
    vectors, codebook = patches(1700, 1024)
    rounded = nearest_code(vectors.astype(np.float16), codebook.astype(np.float16))
    with pytest.raises(AssertionError, match="of the least distance"):
        assert_nearest(rounded, vectors, codebook)
    vectors, codebook = vectors + np.float32(1000), codebook + np.float32(1000)
    squares = np.einsum("kd,kd->k", codebook, codebook)
    with pytest.raises(AssertionError, match="of the least distance"):
        assert_nearest((vectors @ codebook.T - squares / 2).argmax(axis=1), vectors, codebook)
    judged = np.zeros((2, 1)), np.array([[3.0], [5.0], [0.0]])
    assert ratios(np.array([1, 0]), judged[0], judged[1][:2]).tolist() == [25 / 9, 1]
    assert ratios(np.array([0, 2]), *judged).tolist() == [np.inf, 1]
    assert regrets(np.array([1, 0]), judged[0], judged[1][:2]).tolist() == [(25 - 9) / (2**-23 * 25), 0]


@pytest.mark.parametrize("family", FAMILIES)
def test_whatever_the_offset_and_the_spread(searcher, capsys, family):
    """The statement of `nearest_code`'s docstring, and of the plain version's, in every width of number."""
    small = searcher.name == "triton"
    sizes = [(40, 5, 66), (40, 33, 150)] if small else [(300, 3, 1300), (1500, 8, 300), (300, 64, 530)]
    rows, worst, plain = 0, 1.0, 1.0
    for seed, (N, D, K) in enumerate(sizes):
        pair = drawn(family, seed, N, D, K)
        halves = [x.astype(np.float16) for x in pair] if max(np.abs(x).max() for x in pair) < 6e4 else pair
        for vectors, codebook in (pair, halves, [x.astype(np.float64) for x in pair]):
            codes = searcher.take(nearest_code(searcher.give(vectors), searcher.give(codebook)))
            found = ratios(codes, vectors, codebook)
            assert found.max() <= LIMIT, f"vector {found.argmax()} of {vectors.dtype}: {found.max():.7g} of the least"
            rows, worst = rows + N, max(worst, found.max())
            some = nearest_code_plain(vectors[:50], codebook)
            plain = max(plain, ratios(some, vectors[:50], codebook).max())
            ties = ((vectors[:50, None].astype(float) - codebook) ** 2).sum(axis=-1)
            np.testing.assert_array_equal(codes[:50], ties.argmin(axis=1))  # of equal ones the first
    with capsys.disabled():
        print(f"\n  {family:24} {searcher.name:7} {rows:6} rows, worst ratio {worst:.7f}", end="")
    assert plain <= LIMIT


def test_a_code_far_from_the_others_costs_no_digits(searcher):
    vectors, codebook = np.float32([[5000.5], [5000.1], [-1]]), np.float32([[0], [5000], [5000.4], [0]])
    assert searcher.take(nearest_code(searcher.give(vectors), searcher.give(codebook))).tolist() == [2, 1, 0]
    assert nearest_code_plain(vectors, codebook).tolist() == [2, 1, 0]


def test_bfloat16_far_from_the_origin(tensors):
    """bfloat16 has numbers 8 apart at 1500; one code at 0 is enough to keep their offset from being taken off."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    pair = [torch.from_numpy(rng.normal(1500, 40, (count, 24))).bfloat16() for count in (60, 90)]
    pair[1][7] = 0
    vectors, codebook = (x.double().numpy() for x in pair)
    np.testing.assert_array_equal(nearest_code(*pair).numpy(), nearest_code_plain(vectors, codebook))


def test_codes_that_half_precision_cannot_tell_apart(searcher, rng):
    """Each code has a twin three thousandths longer; float16 has three digits, float32 seven."""
    codebook = np.repeat(normal(rng, 30, 16), 2, axis=0)
    codebook[1::2] *= np.float32(1.003)
    true = rng.permutation(60)
    codes = nearest_code(searcher.give(codebook[true]), searcher.give(codebook))
    np.testing.assert_array_equal(searcher.take(codes), true)


@pytest.mark.parametrize("dtype, scales", [(np.float32, (1e-36, 1e-20, 1e20, 1e37)), (np.float64, (1e-300, 1e300))])
def test_numbers_whose_squares_overflow_or_vanish(searcher, rng, dtype, scales):
    vectors, codebook = normal(rng, 20, 3, dtype=dtype), normal(rng, 7, 3, dtype=dtype)
    for scale in scales:
        codes = nearest_code(searcher.give(vectors * dtype(scale)), searcher.give(codebook * dtype(scale)))
        np.testing.assert_array_equal(searcher.take(codes), nearest_code_plain(vectors, codebook))


def test_one_outlier_does_not_spoil_the_others(searcher, rng):
    vectors, codebook = normal(rng, 50, 4), normal(rng, 20, 4)
    expected = nearest_code_plain(vectors, codebook)
    for huge in (1e6, 1e12, 1e38):
        vectors[0] = huge
        codes = searcher.take(nearest_code(searcher.give(vectors), searcher.give(codebook)))
        np.testing.assert_array_equal(codes[1:], expected[1:])
        assert codes[0] == codebook.sum(axis=1).argmax()
    codebook *= np.float32(1e-20)
    vectors = np.concatenate([codebook, np.ones((1, 4), np.float32)])
    codes = searcher.take(nearest_code(searcher.give(vectors), searcher.give(codebook)))
    np.testing.assert_array_equal(codes[:20], range(20))


def test_zeros_have_a_nearest_code_too(searcher):
    zeros = searcher.give(np.zeros((20, 3), np.float32))
    codebook = searcher.give(np.array([[3, 0, 0], [0, 1, 0], [0, 0, -1]], np.float32))
    assert searcher.take(nearest_code(zeros, codebook)).tolist() == [1] * 20
    assert searcher.take(nearest_code(codebook, zeros)).tolist() == [0] * 3


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(searcher, rng, bad):
    good, wrong = normal(rng, 20, 3), normal(rng, 20, 3)
    wrong[4, 1] = bad
    for arguments, name in (((wrong, good), "vectors"), ((good, wrong), "codebook"), ((good[:0], wrong), "codebook")):
        with pytest.raises(ValueError, match=rf"{name}\[4, 1\] is {bad}; all numbers must be finite"):
            nearest_code(*map(searcher.give, arguments))


def test_a_float16_overflow_is_named(searcher):
    with np.errstate(over="ignore"):
        vectors = np.array([[70_000.0, 1.0]]).astype(np.float16)
    with pytest.raises(ValueError, match=r"vectors\[0, 0\] is inf.*float16 overflow"):
        nearest_code(searcher.give(vectors), searcher.give(np.zeros((2, 2), np.float16)))
    far = np.full((1, 2), 65504, np.float16)  # the largest float16; its square is not one
    assert searcher.take(nearest_code(searcher.give(far), searcher.give(np.concatenate([-far, far])))).tolist() == [1]


@pytest.mark.parametrize(
    "vectors, codebook, error, message",
    [
        ((4, 3), (0, 3), ValueError, "codebook has shape .0, 3.; expected .K, D."),
        ((4, 3), (5, 0), ValueError, "at least one row and one column"),
        ((4, 3), (5,), ValueError, "expected .K, D."),
        ((4, 3), (5, 4), ValueError, r"vectors have shape .4, 3.; expected .N, 4. .reshape.-1, 4."),
        ((3,), (5, 3), ValueError, "vectors have shape"),
        ((2, 4, 3), (5, 3), ValueError, "reshape.-1, 3."),
    ],
)
def test_shapes_that_do_not_fit_are_refused(searcher, vectors, codebook, error, message):
    with pytest.raises(error, match=message):
        nearest_code(*(searcher.give(np.zeros(shape, np.float32)) for shape in (vectors, codebook)))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.bool_, np.complex64])
def test_only_floats_have_distances(searcher, dtype):
    whole, floats = searcher.give(np.zeros((2, 2), dtype)), searcher.give(np.zeros((2, 2), np.float32))
    for arguments in ((whole, floats), (floats, whole)):
        with pytest.raises(TypeError, match="expected floats"):
            nearest_code(*arguments)
    with pytest.raises(TypeError, match="vectors is list"):
        nearest_code([[0.0, 0.0]], floats)


# Looking up and counting


def test_look_up_is_row_by_row(backend):
    codebook = np.array([[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]])
    for dtype in (np.int64, np.uint8, np.int32):
        codes = np.array([[2, 0], [0, 1]], dtype)
        found = backend.take(look_up(backend.give(codes), backend.give(codebook)))
        assert found.tolist() == [[[2.0, 2.5], [0.0, 0.5]], [[0.0, 0.5], [1.0, 1.5]]]
    assert backend.take(look_up(backend.give(np.zeros((0, 3), int)), backend.give(codebook))).shape == (0, 3, 2)


def test_counts_and_perplexity_by_hand(backend):
    give = lambda x: backend.give(np.array(x, np.int64))
    usage = codebook_usage(give([[0, 0], [0, 1]]), 4)
    assert backend.take(usage.counts).tolist() == [3, 1, 0, 0] and usage.used == 2
    assert usage.perplexity == pytest.approx(4 / 3**0.75)  # exp of -(3/4 log 3/4 + 1/4 log 1/4)
    assert codebook_usage(give([0, 1, 2, 3]), 8).perplexity == pytest.approx(4)
    assert codebook_usage(give([5, 5, 5]), 8)[1:] == (1, 1.0)
    assert codebook_usage(give([]), 3)[1:] == (0, 0.0) and len(codebook_usage(give([]), 3).counts) == 3
    assert codebook_usage(give([0, 0]), 1)[1:] == (1, 1.0)
    assert codebook_usage(give(range(10)), 1000).perplexity == pytest.approx(10)  # ten codes cannot use more
    assert isinstance(usage.used, int) and isinstance(usage.perplexity, float)


@pytest.mark.parametrize(
    "codes, error, message",
    [
        ([0, 4], ValueError, "code 4 is outside 0 to 3: the codebook has 4 codes"),
        ([0, -1], ValueError, "code -1 is outside 0 to 3"),
        ([0.0, 1.0], TypeError, "codes are .*float64; expected integers"),
        ([True, False], TypeError, "codes are .*bool; expected integers"),
    ],
)
def test_codes_that_are_none_are_refused(backend, codes, error, message):
    codes = backend.give(np.array(codes))
    state = ema_state(backend.give(np.ones((4, 2))))
    for call in (
        lambda: look_up(codes, backend.give(np.ones((4, 2)))),
        lambda: codebook_usage(codes, 4),
        lambda: ema_update(state, backend.give(np.ones((2, 2))), codes, 0.9),
        lambda: fsq_look_up(codes, [4]),
    ):
        with pytest.raises(error, match=message):
            call()


def test_a_usage_of_no_codes_is_refused(backend):
    with pytest.raises(ValueError, match="K is 0; it must be at least 1"):
        codebook_usage(backend.give(np.zeros(1, int)), 0)


# Moving averages, restarts, k-means


def averages_by_hand(total, usage, vectors, codes, decay):
    """Equations 6 to 8 of the VQ-VAE paper, one vector at a time."""
    total, usage = decay * total, decay * usage
    for vector, code in zip(vectors.astype(float), codes):
        total[code] += (1 - decay) * vector
        usage[code] += 1 - decay
    return total, usage


def held(backend, state):
    """The state as arrays, after checking what always holds: codes are sums over counts, and all of it is finite."""
    assert isinstance(state, EmaState)
    total, usage, embed = (backend.take(x) for x in (state.sum, state.usage, state.embed))
    np.testing.assert_array_equal(embed, total / usage[:, None])
    assert np.isfinite(embed).all() and np.isfinite(total).all() and (usage >= np.float32(1e-12)).all()
    return total, usage, embed


def test_one_step_by_hand(backend):
    """Code 0 has usage 4 at (1, 2) and is given two vectors of sum (8, 0), at decay 1/2: usage 3, sum (6, 4)."""
    state = ema_state(backend.give(np.array([[1.0, 2.0], [7.0, 7.0]])), backend.give(np.array([4.0, 1.0])))
    vectors, codes = np.array([[3.0, -1.0], [5.0, 1.0]]), np.array([0, 0])
    total, usage, embed = held(backend, ema_update(state, backend.give(vectors), backend.give(codes), 0.5))
    assert usage.tolist() == [3.0, 0.5] and total.tolist() == [[6.0, 4.0], [3.5, 3.5]]
    assert embed.tolist() == [[2.0, 4 / 3], [7.0, 7.0]]


@pytest.mark.parametrize("N, K, D", [(0, 3, 2), (1, 1, 1), (63, 5, 3), (100, 257, 4)])
@pytest.mark.parametrize("decay", [0.0, 0.9, 0.99])
def test_updates_are_those_of_the_paper(backend, rng, N, K, D, decay):
    codebook, vectors, codes = normal(rng, K, D), normal(rng, N, D), rng.integers(0, K, N)
    total, usage, embed = held(
        backend, ema_update(ema_state(backend.give(codebook)), backend.give(vectors), backend.give(codes), decay)
    )
    expected, count = averages_by_hand(codebook.astype(float), np.ones(K), vectors, codes, decay)
    used = count > 1e-12
    np.testing.assert_allclose(usage[used], count[used], rtol=1e-5)
    np.testing.assert_allclose(total[used], expected[used], rtol=1e-4, atol=1e-5)
    idle = np.setdiff1d(np.arange(K), codes)
    np.testing.assert_allclose(embed[idle], codebook[idle], rtol=1e-6)


steps = st.lists(
    st.tuples(
        st.sampled_from(["update", "restart", "kmeans"]),
        st.integers(0, 99),
        st.sampled_from([0, 1, 2, 9]),
        st.sampled_from([0.0, 0.5, 0.99]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, size=st.sampled_from([1, 4, 7]))
def test_any_order_of_calls_keeps_codes_sums_and_counts_in_step(backend, steps, size):
    """Beside each state runs a second one in float64, one vector at a time; codes that were given nothing stay."""
    give = backend.give
    state = ema_state(give(normal(np.random.default_rng(0), size, 3)))
    for kind, seed, count, number in steps:
        rng = np.random.default_rng(seed)
        vectors, draws = normal(rng, count, 3).round(1), rng.random(count)  # rounded: some vectors are equal
        total, usage, embed = held(backend, state)
        if kind == "update":
            codes = nearest_code_plain(vectors, embed)
            state = ema_update(state, give(vectors), give(codes), number)
            moved = np.unique(codes)
            expected, seen = averages_by_hand(total.astype(float), usage.astype(float), vectors, codes, number)
            np.testing.assert_allclose(held(backend, state)[1][moved], seen[moved], rtol=1e-5)
            embed[moved] = expected[moved] / seen[moved, None]
        elif kind == "restart":
            dead = np.flatnonzero(usage < number)[:count]
            state = restart_dead_codes(state, give(vectors), number, give(draws))
            embed[dead] = vectors[np.argsort(draws)[: len(dead)]]
        elif count >= size:
            state = kmeans_init(give(vectors), size, give(draws), iterations=3)
            embed = vectors[np.argsort(draws)[:size]]
            for _ in range(3):
                codes = nearest_code_plain(vectors, embed)
                for k in np.unique(codes):
                    embed[k] = vectors[codes == k].mean(axis=0)
        np.testing.assert_allclose(held(backend, state)[2], embed, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 2e-5), (np.float64, 1e-13)])
def test_ten_thousand_idle_updates_move_nothing(backend, rng, dtype, tolerance):
    """Usage fades to its floor; the code stays, and takes the first vector that comes. Sum and count are rounded."""
    codebook = normal(rng, 20, 4, dtype=dtype)
    state = ema_state(backend.give(codebook))
    vectors, codes = backend.give(np.zeros((1, 4), dtype)), backend.give(np.zeros(1, int))
    for _ in range(10_000 if backend.name != "triton" else 3_000):  # torch's own functions there; 2,750 reach the floor
        state = ema_update(state, vectors, codes, 0.99)
    total, usage, embed = held(backend, state)
    np.testing.assert_allclose(embed[1:], codebook[1:], rtol=tolerance)
    np.testing.assert_allclose(usage, [1.0] + [1e-12] * 19, rtol=1e-4)
    woken = ema_update(state, backend.give(np.full((1, 4), 5, dtype)), backend.give(np.array([7])), 0.99)
    np.testing.assert_allclose(held(backend, woken)[2][7], 5, rtol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 3, 9])
def test_a_restarted_code_is_returned_for_its_own_vector(backend, rng, count):
    codebook, vectors, draws = normal(rng, 8, 3), normal(rng, count, 3) + 20, rng.random(count)
    usage = np.array([5, 0.1, 5, 0.2, 0.3, 5, 5, 0.4])
    state = ema_state(backend.give(codebook), backend.give(usage))
    new = restart_dead_codes(state, backend.give(vectors), 1.0, backend.give(draws))
    dead, seeds = np.array([1, 3, 4, 7])[:count], vectors[np.argsort(draws)[:4]]
    codes = nearest_code(backend.give(seeds), new.embed)
    assert backend.take(codes).tolist() == dead.tolist()
    _, after, embed = held(backend, new)
    np.testing.assert_allclose(embed[dead], seeds, rtol=1e-6)
    np.testing.assert_allclose(after[dead], 21 / 8, rtol=1e-6)  # what the average code had
    alive = np.setdiff1d(np.arange(8), dead)
    np.testing.assert_array_equal(embed[alive], held(backend, state)[2][alive])
    np.testing.assert_array_equal(after[alive], usage[alive].astype(np.float32))
    again = restart_dead_codes(new, backend.give(vectors), 1.0, backend.give(draws[::-1].copy()))
    np.testing.assert_array_equal(held(backend, again)[2][dead], embed[dead])  # it survives the next call


def test_a_restart_reaches_the_threshold_when_all_are_dead(backend):
    state = ema_state(backend.give(np.array([[1.0], [2.0]])), backend.give(np.array([0.1, 0.2])))
    new = restart_dead_codes(state, backend.give(np.array([[9.0]])), 3.0, backend.give(np.array([0.5])))
    assert held(backend, new)[1].tolist() == [3.0, 0.2]


def test_states_are_not_changed_in_place(backend, rng):
    codebook, usage = normal(rng, 5, 3), np.full(5, 0.5, np.float32)
    given, counts = backend.give(codebook.copy()), backend.give(usage.copy())
    state = ema_state(given, counts)
    before = held(backend, state)
    vectors, draws = backend.give(normal(rng, 7, 3)), backend.give(rng.random(7))
    new = ema_update(state, vectors, nearest_code(vectors, state.embed), 0.5)
    new = restart_dead_codes(new, vectors, 100.0, draws)
    new.sum[:], new.usage[:] = 0, 0
    for old, now in zip(before, held(backend, state)):
        np.testing.assert_array_equal(old, now)
    state.sum[:], state.usage[:] = 0, 0
    np.testing.assert_array_equal(backend.take(given), codebook)
    np.testing.assert_array_equal(backend.take(counts), usage)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_the_first_update_leaves_k_means_in_place(backend, rng, decay):
    """Four clouds far apart, whose means are found; the update that follows on the same data must not undo them."""
    middle = np.array([[0, 0], [9, 0], [0, 9], [9, 9]], np.float32)
    vectors = np.repeat(middle, 25, axis=0) + normal(rng, 100, 2)
    draws = rng.random(100)
    draws[[3, 30, 60, 90]] = -4, -3, -2, -1  # one first mean in each cloud, in order
    state = kmeans_init(backend.give(vectors), 4, backend.give(draws))
    total, usage, embed = held(backend, state)
    np.testing.assert_allclose(
        embed, [vectors[i : i + 25].mean(axis=0) for i in (0, 25, 50, 75)][:4], rtol=1e-4, atol=1e-4
    )
    assert usage.tolist() == [25.0] * 4
    codes = nearest_code(backend.give(vectors), state.embed)
    after = held(backend, ema_update(state, backend.give(vectors), codes, decay))
    np.testing.assert_allclose(after[2], embed, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(after[1], usage, rtol=1e-5)


def test_k_means_of_fewer_points_than_means(backend):
    """Five equal vectors have one mean; the others are given nothing and stay where they started."""
    vectors = backend.give(np.full((5, 2), 3.0, np.float32))
    _, usage, embed = held(backend, kmeans_init(vectors, 3, backend.give(np.arange(5.0))))
    assert embed == pytest.approx(3) and usage == pytest.approx([5, 1e-12, 1e-12])
    one = kmeans_init(backend.give(np.array([[1.0], [5.0]])), 1, backend.give(np.array([0.2, 0.1])))
    assert held(backend, one)[2].tolist() == [[3.0]]
    both = kmeans_init(backend.give(np.array([[1.0], [5.0]])), 2, backend.give(np.array([0.2, 0.1])))
    assert held(backend, both)[2].tolist() == [[5.0], [1.0]]


def test_equal_draws_are_taken_in_order(backend, rng):
    """Draws that are equal, as when somebody passes zeros: the first vectors are taken, on every backend."""
    vectors, zeros = normal(rng, 100, 2), backend.give(np.zeros(100))
    state = kmeans_init(backend.give(vectors), 40, zeros, iterations=0)
    np.testing.assert_allclose(held(backend, state)[2], vectors[:40])
    state = restart_dead_codes(state, backend.give(vectors[::-1].copy()), 5.0, zeros)
    np.testing.assert_allclose(held(backend, state)[2], vectors[::-1][:40], rtol=1e-6)


def test_half_precision_is_counted_in_float32(backend):
    """70,000 vectors of one code: more than float16 can count."""
    vectors = backend.give(np.full((70_000, 1), 3, np.float16))
    state = ema_state(backend.give(np.ones((2, 1), np.float16)))
    state = ema_update(state, vectors, backend.give(np.zeros(70_000, int)), 0.0)
    total, usage, embed = held(backend, state)
    assert embed.tolist() == [[3.0], [1.0]] and usage[0] == 70_000 and total.dtype == np.float32


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"decay": 1.0}, ValueError, "decay is 1.0; it must be at least 0 and below 1"),
        ({"decay": -0.1}, ValueError, "decay is -0.1"),
        ({"decay": math.nan}, ValueError, "decay is nan"),
        ({"vectors": np.ones((2, 3))}, ValueError, r"expected .N, 2."),
        ({"vectors": np.array([[1.0, 2.0], [np.nan, 0.0]])}, ValueError, r"vectors\[1, 0\] is nan"),
        ({"vectors": np.ones((2, 2), int)}, TypeError, "expected floats"),
        ({"codes": np.array([0])}, ValueError, "2 vectors and codes of shape .1,.; need one code a vector"),
        ({"codes": np.array([[0], [1]])}, ValueError, "need one code a vector"),
    ],
)
def test_ema_update_refuses(backend, change, error, message):
    good = {"vectors": np.ones((2, 2)), "codes": np.array([0, 1]), "decay": 0.9}
    arguments = {k: backend.give(v) if isinstance(v, np.ndarray) else v for k, v in {**good, **change}.items()}
    with pytest.raises(error, match=message):
        ema_update(ema_state(backend.give(np.ones((3, 2)))), **arguments)


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"threshold": -1.0}, ValueError, "threshold is -1.0; expected a usage"),
        ({"threshold": math.nan}, ValueError, "threshold is nan"),
        ({"threshold": math.inf}, ValueError, "threshold is inf"),
        ({"draws": np.ones(3)}, ValueError, "2 vectors and draws of shape .3,.; need one random number a vector"),
        ({"vectors": np.ones((2, 3))}, ValueError, r"expected .N, 2."),
        ({"vectors": np.full((2, 2), np.inf)}, ValueError, r"vectors\[0, 0\] is inf"),
    ],
)
def test_restarts_refuse(backend, change, error, message):
    good = {"vectors": np.ones((2, 2)), "threshold": 1.0, "draws": np.array([0.1, 0.2])}
    arguments = {k: backend.give(v) if isinstance(v, np.ndarray) else v for k, v in {**good, **change}.items()}
    with pytest.raises(error, match=message):
        restart_dead_codes(ema_state(backend.give(np.ones((3, 2)))), **arguments)


@pytest.mark.parametrize(
    "codebook, usage, message",
    [
        (np.ones((0, 2)), None, "at least one row"),
        (np.array([[np.nan]]), None, r"codebook\[0, 0\] is nan"),
        (np.ones((2, 2)), np.ones(3), "usage has shape .3,.; expected 2 finite numbers above 0"),
        (np.ones((2, 2)), np.array([1.0, 0.0]), "above 0"),
        (np.ones((2, 2)), np.array([1.0, np.inf]), "finite"),
        (np.ones((2, 2), np.float32), np.array([1.0, 1e-60]), "above 0"),  # 0 once it is a float32
    ],
)
def test_a_state_refuses(backend, codebook, usage, message):
    with pytest.raises(ValueError, match=message):
        ema_state(backend.give(codebook), usage if usage is None else backend.give(usage))


@pytest.mark.parametrize(
    "vectors, K, draws, error, message",
    [
        (np.ones((3, 2)), 4, np.ones(3), ValueError, "3 vectors cannot have 4 means; give at least 4 vectors"),
        (np.ones((0, 2)), 1, np.ones(0), ValueError, "0 vectors cannot have 1 means"),
        (np.ones((3, 2)), 0, np.ones(3), ValueError, "K is 0"),
        (np.ones((3, 2)), 1.5, np.ones(3), TypeError, "K is 1.5; expected a whole number"),
        (np.ones((3, 2)), 2, np.ones(2), ValueError, "3 vectors and draws of shape .2,."),
        (np.ones(3), 2, np.ones(3), ValueError, "expected .N, D."),
        (np.full((3, 2), np.nan), 2, np.ones(3), ValueError, "is nan; all numbers must be finite"),
        (np.ones((3, 2), int), 2, np.ones(3), TypeError, "expected floats"),
    ],
)
def test_k_means_refuses(backend, vectors, K, draws, error, message):
    with pytest.raises(error, match=message):
        kmeans_init(backend.give(vectors), K, backend.give(draws))


# Losses and gradients


def test_commitment_by_hand(backend):
    vectors, quantized = np.array([[1.0, 3.0], [0.0, 2.0]]), np.array([[1.0, 1.0], [0.0, -2.0]])
    assert float(commitment_loss(backend.give(vectors), backend.give(quantized))) == 5.0  # (0 + 4 + 0 + 16) / 4
    halves = backend.give(np.full((1, 3), 400, np.float16)), backend.give(np.zeros((1, 3), np.float16))
    assert float(commitment_loss(*halves)) == 160_000  # more than a float16 holds
    nothing = backend.give(np.zeros((0, 3), np.float32))
    assert float(commitment_loss(nothing, nothing)) == 0.0


@pytest.mark.parametrize("function", [straight_through, rotation_trick])
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (63, 5), (2, 7, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_the_value_that_passes_is_the_quantized_one(backend, rng, function, shape, dtype):
    vectors, quantized = normal(rng, *shape, dtype=dtype), normal(rng, *shape, dtype=dtype)
    result = backend.take(function(backend.give(vectors), backend.give(quantized)))
    assert result.dtype == dtype
    exact = function is straight_through or backend.name != "numpy"  # the turn is rounded where NumPy writes it out
    np.testing.assert_allclose(result, quantized, rtol=0, atol=0 if exact else 20 * np.finfo(dtype).eps)


def test_turns_at_their_limits(backend, rng):
    """Zero, opposite, nearly opposite and equal vectors, and numbers whose squares leave float16."""
    z = np.array([[0, 0], [3, 4], [3, 4], [0.6, 0.8], [0.6, 0.8], [300, 400]], np.float32)
    q = np.array([[1, 2], [0, 0], [-6, -8], [-0.60000014, -0.8], [0.6, 0.8], [400, 300]], np.float32)
    np.testing.assert_allclose(backend.take(rotation_trick(backend.give(z), backend.give(q))), q, rtol=1e-6)
    z, q = z.astype(np.float16), q.astype(np.float16)
    np.testing.assert_allclose(backend.take(rotation_trick(backend.give(z), backend.give(q))), q, rtol=1e-3)


@pytest.mark.parametrize("function", [commitment_loss, straight_through, rotation_trick])
def test_pairs_that_do_not_fit_are_refused(backend, function):
    give = backend.give
    with pytest.raises(ValueError, match="vectors have shape .2, 3., quantized .3,.; need the same"):
        function(give(np.ones((2, 3))), give(np.ones(3)))
    with pytest.raises(TypeError, match="expected floats"):
        function(give(np.ones((2, 3), np.uint8)), give(np.ones((2, 3), np.uint8)))


def test_gradients_by_hand():
    """One vector at 1 with code 0 at 0: the task pulls with 0.5, commitment with beta * 2, the code is pulled by -2."""
    z, codebook = np.array([[1.0]]), np.array([[0.0], [9.0]])
    to_vectors, to_codebook = vq_gradients(z, codebook, np.array([0]), np.array([[0.5]]), beta=0.25)
    assert to_vectors.tolist() == [[1.0]] and to_codebook.tolist() == [[-2.0], [0.0]]
    with pytest.raises(ValueError, match="need the same"):
        vq_gradients(z, codebook, np.array([0]), np.ones((1, 2)))


# Quantizers without a codebook


def fsq_of_the_paper(z, levels, eps=1e-3):
    """Mentzer et al. (arXiv 2309.15505), appendix A.1, in NumPy: (codes, quantized)."""
    levels = np.asarray(levels)
    half_l = (levels - 1) * (1 - eps) / 2
    offset = np.where(levels % 2 == 1, 0.0, 0.5)
    shift = np.tan(offset / half_l)
    zhat = np.round(np.tanh(z + shift) * half_l - offset)
    half_width = levels // 2
    basis = np.concatenate(([1], np.cumprod(levels[:-1])))
    return ((zhat + half_width) * basis).sum(axis=-1).astype(np.int64), zhat / half_width


LEVELS = [[2], [3], [1000], [2, 2, 2], [4, 3, 2], [8, 6, 5], [7, 5, 5, 5, 5], [8, 8, 8, 5], [5, 2, 1000]]


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_fsq_is_its_published_definition(backend, rng, levels, dtype):
    z = (3 * rng.standard_normal((200, len(levels)))).astype(dtype)
    z[0], z[1], z[2] = 0, 99, -99
    expected_codes, expected = fsq_of_the_paper(z.astype(float), levels)
    codes, quantized = (backend.take(x) for x in fsq(backend.give(z), levels))
    bound = fsq_bound(z.astype(float), levels)
    clear = (np.abs(np.abs(bound - np.floor(bound)) - 0.5) > 1e-3).all(axis=-1)  # not between two levels
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(codes[clear], expected_codes[clear])
    np.testing.assert_allclose(quantized[clear], expected[clear], rtol=1e-6)
    assert quantized.dtype == (np.float64 if dtype == np.float64 else np.float32) and codes.dtype == np.int64


@pytest.mark.parametrize("levels", [x for x in LEVELS if math.prod(x) < 20_000])
def test_fsq_returns_every_code(backend, levels):
    """Backwards through the definition: for each code a vector that rounds to it."""
    every = np.arange(math.prod(levels))
    values = fsq_look_up(backend.give(every), levels)
    steps = backend.take(values).astype(float) * (np.array(levels) // 2)
    half, offset, shift = vq.fsq_constants(levels)
    vectors = np.arctanh(np.clip((steps + offset) / half, -1 + 1e-12, 1 - 1e-12)) - shift
    codes, quantized = fsq(backend.give(vectors), levels)
    np.testing.assert_array_equal(backend.take(codes), every)
    np.testing.assert_allclose(backend.take(quantized), backend.take(values), atol=1e-6)
    assert len(np.unique(backend.take(values), axis=0)) == len(every) and np.abs(steps).max() <= max(levels) // 2


def test_every_number_of_levels_reaches_all_of_them(backend):
    """From 2 to 1000 levels the ends are reached: tanh comes no closer to 1 than float32 lets it."""
    for L in range(2, 1001):
        codes, _ = fsq(backend.give(np.array([[-50.0], [50.0]], np.float32)), [L])
        assert backend.take(codes).tolist() == [0, L - 1]


@pytest.mark.parametrize(
    "shape, levels, error, message",
    [
        ((4, 3), [8, 5], ValueError, r"2 levels need \(..., 2\)"),
        ((4, 1), [1], ValueError, "levels are .1.; expected whole numbers from 2 to 1000"),
        ((4, 1), [1001], ValueError, "2 to 1000"),
        ((4, 0), [], ValueError, "levels are"),
        ((4, 7), [1000] * 7, ValueError, "product below 2.63"),
        ((4, 1), [2.5], TypeError, "a level is 2.5; expected a whole number"),
        ((), [3], ValueError, "need"),
    ],
)
def test_fsq_refuses(backend, shape, levels, error, message):
    for function in (fsq, fsq_bound):
        with pytest.raises(error, match=message):
            function(backend.give(np.zeros(math.prod(shape))).reshape(shape), levels)


def test_lfq_by_hand_and_bit_by_bit(backend, rng):
    codes, quantized = (backend.take(x) for x in lfq(backend.give(np.array([[0.3, -2.0, 0.1], [0.0, -0.0, 1e-30]]))))
    assert codes.tolist() == [5, 4] and quantized.tolist() == [[1, -1, 1], [-1, -1, 1]]  # 0 is not positive
    vectors = normal(rng, 5, 20, 62)
    codes, quantized = (backend.take(x) for x in lfq(backend.give(vectors)))
    bits = codes[..., None] >> np.arange(62) & 1
    np.testing.assert_array_equal(bits, vectors > 0)
    np.testing.assert_array_equal(quantized, 2 * bits - 1)
    assert quantized.dtype == np.float32 and codes.shape == (5, 20)


@pytest.mark.parametrize("shape", [(2, 63), (2, 0), ()])
def test_lfq_refuses_widths(backend, shape):
    with pytest.raises(ValueError, match="a code of 64 bits holds 1 to 62 dimensions"):
        lfq(backend.give(np.zeros(math.prod(shape))).reshape(shape))


@pytest.mark.parametrize("function", [lfq, lambda x: fsq(x, [3, 3])])
def test_codeless_quantizers_refuse_what_is_no_number(backend, function):
    with pytest.raises(ValueError, match=r"vectors\[1, 0\] is nan"):
        function(backend.give(np.array([[0.0, 1.0], [np.nan, 0.0]])))
    for dtype in (np.uint8, np.int64, np.bool_):
        with pytest.raises(TypeError, match="expected floats"):
            function(backend.give(np.zeros((2, 2), dtype)))


def test_empty_batches_have_empty_codes(backend):
    for codes, quantized in (lfq(backend.give(np.zeros((0, 4)))), fsq(backend.give(np.zeros((3, 0, 2))), [3, 5])):
        assert backend.take(codes).size == 0 and backend.take(quantized).shape[-1] in (2, 4)


# Tensors alone


@pytest.fixture
def double(tensors):
    """Random float64 tensors that ask for their gradient."""
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()


def test_commitment_pulls_the_vectors_alone(double):
    torch = pytest.importorskip("torch")
    z, q = double(6, 3), double(6, 3)
    assert torch.autograd.gradcheck(lambda z: commitment_loss(z, q), z)
    commitment_loss(z, q).backward()
    assert q.grad is None
    torch.testing.assert_close(z.grad, 2 * (z - q).detach() / 18)


def test_straight_through_copies_the_gradient(double):
    torch = pytest.importorskip("torch")
    z, q, upstream = double(6, 3), double(6, 3), double(6, 3).detach()
    out = straight_through(z, q)
    assert torch.equal(out, q)
    out.backward(upstream)
    assert torch.equal(z.grad, upstream) and q.grad is None
    mixed = straight_through(z.float(), q.bfloat16())
    assert mixed.dtype == torch.bfloat16 and torch.equal(mixed, q.bfloat16())


def test_the_rotation_turns_the_gradient(double):
    """The gradient that arrives stands to the vector as the one that came stood to the code, row by row."""
    torch = pytest.importorskip("torch")
    z, q, upstream = double(50, 3), double(50, 3), double(50, 3).detach()
    out = rotation_trick(z, q)
    assert torch.equal(out, q)
    out.backward(upstream)
    assert q.grad is None
    for row, code, came, went in zip(*(x.detach().numpy() for x in (z, q, upstream, z.grad))):
        u, v = row / np.linalg.norm(row), code / np.linalg.norm(code)
        h = (u + v) / np.linalg.norm(u + v)
        turn = np.eye(3) - 2 * np.outer(h, h) + 2 * np.outer(v, u)
        stretch = np.linalg.norm(code) / np.linalg.norm(row)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(stretch * turn @ row, code, atol=1e-12)
        np.testing.assert_allclose(went, stretch * turn.T @ came, atol=1e-12)
        np.testing.assert_allclose(went @ u / np.linalg.norm(went), came @ v / np.linalg.norm(came), atol=1e-12)


def test_where_there_is_no_turn_the_gradient_is_copied(tensors):
    torch = pytest.importorskip("torch")
    z = torch.tensor([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0]], requires_grad=True)
    q = torch.tensor([[1.0, 2.0], [0.0, 0.0], [-2.0, 0.0]])
    out = rotation_trick(z, q)
    out.backward(torch.ones(3, 2))
    assert torch.equal(out, q) and torch.equal(z.grad[:2], torch.ones(2, 2))
    torch.testing.assert_close(z.grad[2], torch.tensor([-2.0, 2.0]))  # mirrored and stretched


def test_a_whole_step_has_the_gradients_written_out_by_hand(double):
    """The loss of the paper, built from the library's functions, against `vq_gradients`."""
    z, codebook, upstream = double(40, 3), double(5, 3), double(40, 3).detach()
    codes = nearest_code(z, codebook)
    assert not codes.requires_grad
    chosen = look_up(codes, codebook)
    task = (straight_through(z, chosen) * upstream).sum()
    (task + commitment_loss(chosen, z) + 0.25 * commitment_loss(z, chosen)).backward()
    arrays = [x.detach().numpy() for x in (z, codebook, codes, upstream)]
    to_vectors, to_codebook = vq_gradients(*arrays, beta=0.25)
    np.testing.assert_allclose(z.grad.numpy(), to_vectors, rtol=1e-12)
    np.testing.assert_allclose(codebook.grad.numpy(), to_codebook, rtol=1e-12, atol=1e-15)


def test_gradients_of_looking_up_and_squashing(double):
    torch = pytest.importorskip("torch")
    codes = torch.tensor([2, 0, 2])
    assert torch.autograd.gradcheck(lambda codebook: look_up(codes, codebook), double(3, 2))
    assert torch.autograd.gradcheck(lambda z: fsq_bound(z, [8, 5, 2]), double(4, 3))


def test_rounding_lets_the_gradient_through(double):
    torch = pytest.importorskip("torch")
    z, upstream, levels = double(6, 3), double(6, 3).detach(), [8, 5, 2]
    _, quantized = fsq(z, levels)
    quantized.backward(upstream)
    (expected,) = torch.autograd.grad(fsq_bound(z, levels), z, upstream / torch.tensor([4, 2, 1]))
    torch.testing.assert_close(z.grad, expected)
    z.grad = None
    codes, quantized = lfq(z)
    quantized.backward(upstream)
    assert torch.equal(z.grad, upstream) and not codes.requires_grad


def test_moving_averages_ask_for_no_gradient(double):
    torch = pytest.importorskip("torch")
    z, codebook = double(9, 3), double(4, 3)
    state = ema_state(codebook)
    codes, draws = nearest_code(z, codebook), torch.rand(9)
    for new in (
        state,
        ema_update(state, z, codes, 0.9),
        restart_dead_codes(state, z, 2.0, draws),
        kmeans_init(z, 3, draws),
    ):
        assert not (new.sum.requires_grad or new.usage.requires_grad or new.embed.requires_grad)


def test_bfloat16_is_taken_at_its_value(tensors, rng):
    torch = pytest.importorskip("torch")
    z, codebook = (torch.from_numpy(normal(rng, *shape)).bfloat16().to(tensors.device) for shape in ((63, 9), (40, 9)))
    codes = nearest_code(z, codebook)
    assert_nearest(codes.cpu().numpy(), z.cpu().double().numpy(), codebook.cpu().double().numpy())
    assert torch.equal(codes, nearest_code(z.float(), codebook.float()))
    state = ema_update(ema_state(codebook), z, codes, 0.9)
    assert state.sum.dtype == torch.float32
    expected = ema_update(ema_state(codebook.float()), z.float(), codes, 0.9)
    torch.testing.assert_close(state.embed, expected.embed)
    chosen = look_up(codes, codebook)
    assert commitment_loss(z, chosen).dtype == torch.float32
    assert torch.equal(rotation_trick(z, chosen), chosen) and chosen.dtype == torch.bfloat16
    assert fsq(z, [5] * 9)[1].dtype == torch.float32 and lfq(z)[1].dtype == torch.bfloat16
    assert torch.equal(fsq(z, [5] * 9)[0], fsq(z.float(), [5] * 9)[0])


def test_views_are_searched_as_they_look(searcher, rng):
    vectors, codebook = normal(rng, 40, 12), normal(rng, 30, 12)
    turned = searcher.give(np.ascontiguousarray(vectors.T)).T
    half, wide = searcher.give(codebook)[::2], searcher.give(np.repeat(codebook, 2, axis=1))[:, ::2]
    for z, e, expected in ((turned, half, codebook[::2]), (searcher.give(vectors), wide, codebook)):
        codes = searcher.take(nearest_code(z, e))
        np.testing.assert_array_equal(codes, nearest_code_plain(vectors, expected))


def test_arrays_and_tensors_are_not_mixed(tensors):
    array, codes = np.ones((3, 2)), np.zeros(3, int)
    tensor = tensors.give(array)
    state = ema_state(tensor)
    for call in (
        lambda: nearest_code(array, tensor),
        lambda: look_up(codes, tensor),
        lambda: ema_update(state, array, codes, 0.9),
        lambda: restart_dead_codes(state, tensor, 1.0, np.ones(3)),
        lambda: kmeans_init(array, 2, tensors.give(np.ones(3))),
        lambda: kmeans_init(tensor, 2, np.ones(3)),
        lambda: straight_through(array, tensor),
    ):
        with pytest.raises(TypeError, match="NumPy array .* and a torch tensor"):
            call()


def test_two_devices_are_not_mixed(tensors):
    torch = pytest.importorskip("torch")
    here, there = tensors.give(np.ones((3, 2), np.float32)), torch.ones(3, 2, device="meta")
    for call in (lambda: nearest_code(here, there), lambda: commitment_loss(there, here)):
        with pytest.raises(ValueError, match="on meta.*all must be on one device"):
            call()


@pytest.mark.parametrize("capability, way", [((7, 5), "tiles"), ((8, 0), "triton"), ((9, 0), "triton")])
def test_a_card_without_tensor_core_code_is_searched_in_tiles(monkeypatch, capability, way):
    """Compute capability 7.5 is Colab's T4. Where Triton is absent, every card is."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("triton")
    from mmtokedu.cuda import vq as twins

    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    card = types.SimpleNamespace(is_cuda=True, device=torch.device("cuda"))
    assert twins._way(card) == way
    monkeypatch.setattr(twins, "runs_triton", lambda x: False)
    assert twins._way(card) == "tiles" and twins._way(torch.zeros(1)) == "numpy"


def test_no_matrix_of_all_scores_is_made(searcher, rng, monkeypatch):
    """1000 vectors and 300 codes would be 300,000 scores; a tile holds 20,000 here."""
    if searcher.name == "numpy":
        pytest.skip("about tensors")
    from mmtokedu.cuda import vq as twins

    monkeypatch.setattr(twins, "SCORES", 20_000)
    vectors, codebook = normal(rng, 1000 if searcher.name != "triton" else 200, 3), normal(rng, 300, 3)
    codes = []
    most = largest_tensor(lambda: codes.append(nearest_code(searcher.give(vectors), searcher.give(codebook))))
    assert most <= 20_000
    assert_nearest(searcher.take(codes[0]), vectors, codebook)
