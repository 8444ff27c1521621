"""Sums and counts of very many vectors, on every device: what float32 forgets, and what a mask hides."""

import numpy as np
import pytest

from mmtokedu import vq
from mmtokedu.arguments.common import check_array

MANY = 3_000_000


def given(backend, number, N, D=1):
    return backend.give(np.full((N, D), number, np.float32)), backend.give(np.zeros(N, np.int64))


def test_millions_of_equal_vectors_are_their_own_mean(backend):
    """A float32 that has grown to 2^18 adds 0.1 as 0.09375 or 0.125: the mean was 3 % off."""
    vectors, codes = given(backend, 0.1, MANY, D=2)
    state = vq.ema_update(vq.ema_state(backend.give(np.zeros((2, 2), np.float32))), vectors, codes, 0.0)
    assert backend.take(state.embed)[0].tolist() == [np.float32(0.1)] * 2
    assert backend.take(state.usage)[0] == MANY and state.sum.dtype == state.usage.dtype == vectors.dtype
    assert vq.codebook_usage(codes, 2).counts[0] == MANY


def test_more_vectors_than_float32_can_count(backend):
    N = 2**24 + 3
    vectors, codes = given(backend, 1.0, N)
    state = vq.ema_update(vq.ema_state(backend.give(np.zeros((1, 1)))), vectors, codes, 0.0)
    assert float(state.usage[0]) == N and float(state.sum[0, 0]) == N
    half = vq.ema_update(vq.ema_state(backend.give(np.zeros((1, 1), np.float32))), vectors, codes, 0.5)
    assert float(half.usage[0]) == np.float32(N / 2 + 0.5)


def test_k_means_and_losses_of_millions(backend):
    few = MANY // 1000 if backend.name == "triton" else MANY  # the interpreter searches 64 rows at a time
    vectors, _ = given(backend, 0.1, MANY)
    state = vq.kmeans_init(vectors[:few], 1, backend.give(np.zeros(few)), iterations=1)
    assert float(state.embed[0, 0]) == np.float32(0.1)
    assert float(vq.commitment_loss(vectors, 0 * vectors)) == pytest.approx(0.01, rel=1e-6)


@pytest.mark.parametrize("N, D, K", [(0, 3, 4), (1, 1, 1), (7, 5, 3), (5000, 3, 2), (700, 1000, 40)])
def test_sums_by_code_in_blocks(backend, rng, N, D, K, monkeypatch):
    """Blocks that end in the middle of a code's vectors, codes that no block holds."""
    monkeypatch.setattr(vq, "SUMMED", 1000)
    vectors, codes = rng.standard_normal((N, D)).astype(np.float32), rng.integers(0, K, N)
    expected = np.zeros((K, D))
    np.add.at(expected, codes, vectors.astype(float))
    old = vq.ema_state(backend.give(np.ones((K, D), np.float32)))
    new = vq.ema_update(old, backend.give(vectors), backend.give(codes), 0.5)
    counts = np.bincount(codes, minlength=K)
    np.testing.assert_allclose(backend.take(new.sum), 0.5 + 0.5 * expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(backend.take(new.usage), (0.5 + 0.5 * counts).astype(np.float32))


def test_restarts_have_the_mean_of_a_million_usages(backend):
    state = vq.ema_state(*(backend.give(np.full(shape, 0.1, np.float32)) for shape in ((1_000_001, 1), 1_000_001)))
    state.usage[0] = 1e-9
    new = vq.restart_dead_codes(state, backend.give(np.ones((1, 1), np.float32)), 0.05, backend.give(np.zeros(1)))
    assert float(new.usage[0]) == pytest.approx(0.1, rel=2e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: vq.nearest_code(x, np.eye(2)),
        lambda x: vq.nearest_code(np.eye(2), x),
        lambda x: vq.ema_state(x),
        lambda x: vq.fsq(x, [3, 3]),
        lambda x: vq.commitment_loss(x, np.eye(2)),
    ],
)
def test_masked_arrays_are_refused(call):
    with pytest.raises(TypeError, match=r"masked array, 1 of 4 numbers masked.*\.filled\(value\)"):
        call(np.ma.masked_invalid([[1.0, np.nan], [0.0, 1.0]]))


def test_a_mask_that_hides_nothing_is_refused_too():
    with pytest.raises(TypeError, match="x is a masked array, 0 of 2 numbers masked"):
        check_array(np.ma.array([1.0, 2.0]), "x")


# without float64


@pytest.fixture
def no_float64():
    pytest.importorskip("torch")
    from no_float64 import NoFloat64

    return NoFloat64()


def test_the_device_without_float64_has_none(no_float64):
    import torch

    with no_float64:
        for call in (lambda: torch.ones(2).double(), lambda: torch.zeros((), dtype=torch.float64)):
            with pytest.raises(TypeError, match="no float64"):
                call()


def test_sums_without_float64_are_as_good(no_float64, rng):
    import torch

    numbers, codes = rng.random((100_000, 3)).astype(np.float32), rng.integers(0, 5, 100_000)
    codes[codes == 3] = 4  # one code has nothing
    codes[0] = 2
    numbers[codes == 2] *= 1e-6
    vectors, given, start = torch.from_numpy(numbers), torch.from_numpy(codes), vq.ema_state(torch.zeros(5, 3))
    exact = vq.ema_update(start, vectors, given, 0.0)
    with no_float64:
        state = vq.ema_update(start, vectors, given, 0.0)
        nothing = vq.ema_update(start, vectors[:0], given[:0], 0.5)
        many = vq.ema_update(start, torch.full((10**6, 3), 0.1), torch.zeros(10**6, dtype=torch.long), 0.0)
    torch.testing.assert_close(state.embed, exact.embed, rtol=1e-6, atol=1e-9)
    assert torch.equal(state.usage, exact.usage) and torch.equal(nothing.usage, start.usage / 2)
    assert torch.equal(nothing.sum, start.sum / 2)
    torch.testing.assert_close(many.embed[0], torch.full((3,), 0.1), rtol=5e-7, atol=0)


def test_functions_need_no_float64(no_float64, rng):
    import torch

    vectors = torch.from_numpy(rng.standard_normal((40, 3)).astype(np.float32))
    codebook, levels = vectors[:9].clone(), [8, 5, 5]

    def everything():
        codes = vq.nearest_code(vectors, codebook)
        chosen, usage = vq.look_up(codes, codebook), vq.codebook_usage(codes, 9)
        state = vq.kmeans_init(vectors, 4, vectors[:, 0])
        yield from vq.restart_dead_codes(state, vectors, 5.0, vectors[:, 0])
        for function in (vq.commitment_loss, vq.straight_through, vq.rotation_trick):
            yield function(vectors, chosen)
        yield from (usage.counts, torch.tensor(usage.perplexity, dtype=torch.float32), chosen)
        yield from (*vq.lfq(vectors), *vq.fsq(vectors, levels), vq.fsq_bound(vectors, levels))
        yield vq.fsq_look_up(codes, levels)

    expected = list(everything())
    with no_float64:
        found = list(everything())
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
