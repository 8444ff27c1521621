"""Pruning, merging, shuffling, pooling: worked by hand, against plain versions, on every backend; what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmtokedu import compress
from mmtokedu.compress import (
    Merged,
    cls_scores,
    fastv_scores,
    match_tokens,
    merge_duplicates,
    merge_rest,
    merge_tokens,
    norm_scores,
    pixel_shuffle,
    pixel_unshuffle,
    pool_tokens,
    pool_weights,
    proportional_bias,
    prune,
    prune_diverse,
    pyramid_schedule,
    received_scores,
    shuffle_map,
    temporal_pairs,
    unmerge,
)

SIZES = [1, 2, 63, 100]  # of tokens


def drawn(rng, *shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


def taken(backend, result):
    """A named result with each part as an array."""
    return type(result)(*(backend.take(part) for part in result))


# Keep some


@pytest.mark.parametrize("N", SIZES)
@pytest.mark.parametrize("lead", [(), (3,), (2, 2)])
def test_the_highest_scores_are_kept_in_their_order(backend, rng, lead, N):
    tokens, scores = drawn(rng, *lead, N, 5), drawn(rng, *lead, N).round(1)  # with ties
    for keep in sorted({1, N // 2 + 1, N}):
        kept = taken(backend, prune(backend.give(tokens), backend.give(scores), keep))
        assert kept.index.shape == (*lead, keep) and kept.index.dtype == np.int64
        for place in np.ndindex(*lead):
            best = sorted(range(N), key=lambda n: (-scores[place][n], n))[:keep]
            assert kept.index[place].tolist() == sorted(best)
            np.testing.assert_array_equal(kept.tokens[place], tokens[place][sorted(best)])


def test_of_equal_scores_the_lowest_index_is_kept(backend):
    tokens = backend.give(np.eye(100, dtype=np.float32))
    assert backend.take(prune(tokens, backend.give(np.zeros(100, np.int64)), 7).index).tolist() == list(range(7))


def test_infinite_scores_have_an_order(backend):
    scores = np.array([-np.inf, 0.0, np.inf, -1.0])
    assert backend.take(prune(backend.give(np.eye(4)), backend.give(scores), 3).index).tolist() == [1, 2, 3]


def test_scores_of_attention_worked_by_hand(backend):
    """Two heads, three tokens: [CLS] or a text token asks."""
    attention = np.array(
        [[[0.5, 0.3, 0.2], [0.0, 1.0, 0.0], [0.2, 0.2, 0.6]], [[0.1, 0.1, 0.8], [0.5, 0.5, 0.0], [0.6, 0.4, 0.0]]]
    )
    given = backend.give(attention)
    np.testing.assert_allclose(backend.take(cls_scores(given)), [0.2, 0.5])
    np.testing.assert_allclose(backend.take(cls_scores(given, at=2)), [0.4, 0.3])
    np.testing.assert_allclose(backend.take(received_scores(given)), [1.9 / 6, 2.5 / 6, 1.6 / 6])
    np.testing.assert_allclose(backend.take(fastv_scores(given)), [0.4, 0.3, 0.3])
    np.testing.assert_allclose(backend.take(fastv_scores(given, (1, 3))), [0.3, 0.3])
    np.testing.assert_allclose(backend.take(fastv_scores(given, (1, 3), query="mean")), [2.5 / 6, 1.6 / 6])
    batch = backend.give(np.stack([attention, attention[::-1, ::-1]]))
    np.testing.assert_allclose(backend.take(fastv_scores(batch)), [[0.4, 0.3, 0.3], [0.3, 0.2, 0.5]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_lengths(backend, rng, dtype):
    tokens = drawn(rng, 2, 63, 7, dtype=dtype) * dtype(100)  # their squares are beyond float16
    lengths = backend.take(norm_scores(backend.give(tokens)))
    np.testing.assert_allclose(lengths, np.sqrt((tokens.astype(float) ** 2).sum(axis=-1)), rtol=1e-6)
    assert lengths.dtype == (np.float64 if dtype == np.float64 else np.float32)


def spread_plain(tokens, keep):
    """DivPrune as its definition reads, with the whole matrix of distances."""
    units = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
    distances = 1 - units @ units.T
    apart = distances + np.where(np.eye(len(tokens)), np.inf, 0)
    chosen = [int(apart.min(axis=1).argmax())]
    while len(chosen) < keep:
        nearest = distances[:, chosen].min(axis=1)
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
    return sorted(chosen)


@pytest.mark.parametrize("N", SIZES)
def test_tokens_far_from_each_other(backend, rng, N):
    tokens = drawn(rng, 2, N, 8, dtype=np.float64)
    for keep in sorted({1, N // 3 + 1, N}):
        kept = taken(backend, prune_diverse(backend.give(tokens), keep))
        for b in range(2):
            assert kept.index[b].tolist() == spread_plain(tokens[b], keep)
            np.testing.assert_array_equal(kept.tokens[b], tokens[b][kept.index[b]])


@pytest.mark.parametrize("width", [3, 16, 64, 129])
def test_duplicates_are_the_last_to_be_kept(backend, rng, width):
    """Seven kinds, each ten times, in any order: the first of each kind is kept, then what is left from the lowest."""
    kinds = rng.permutation(np.repeat(np.arange(7), 10))
    tokens = backend.give(drawn(rng, 7, width)[kinds])
    firsts = [kinds.tolist().index(kind) for kind in range(7)]
    for more in (0, 1, 13, 63):
        left = [n for n in range(70) if n not in firsts][:more]
        assert backend.take(prune_diverse(tokens, 7 + more).index).tolist() == sorted(firsts + left)


def test_what_is_compared_may_be_something_else(backend, rng):
    tokens, metric = drawn(rng, 63, 5), drawn(rng, 63, 3)
    kept = taken(backend, prune_diverse(backend.give(tokens), 9, metric=backend.give(metric)))
    assert kept.index.tolist() == spread_plain(metric.astype(float), 9)
    np.testing.assert_array_equal(kept.tokens, tokens[kept.index])


def test_stages_worked_by_hand():
    assert pyramid_schedule(100, 8).tolist() == [100, 100, 50, 50, 25, 25, 12, 12]
    assert pyramid_schedule(576, 4, at=[2], ratio=1 / 3).tolist() == [576, 576, 192, 192]
    assert pyramid_schedule(3, 3, at=[0, 1, 2], ratio=0.1).tolist() == [1, 1, 1]  # one is always left
    assert pyramid_schedule(10, 2, at=[]).tolist() == [10, 10]
    assert pyramid_schedule(5, 1, at=[0], ratio=1).tolist() == [5]


# Average alike ones


def tome_plain(tokens, r, class_token=False):
    """ToMe as its code reads, a token at a time: (merged, sizes, source) of tokens (N, D) float64."""
    N, evens, odds = len(tokens), range(0, len(tokens), 2), range(1, len(tokens), 2)
    if r == 0:
        return tokens, [1] * N, list(range(N))
    length = np.linalg.norm(tokens, axis=1)
    cosine = lambda i, j: float(tokens[i] @ tokens[j] / (length[i] * length[j]))
    best = {i: max(odds, key=lambda j: (cosine(i, j), -j)) for i in evens}
    likeness = {i: -np.inf if class_token and i == 0 else cosine(i, j) for i, j in best.items()}
    ranked = sorted(likeness, key=lambda i: (-likeness[i], i))
    stay = sorted(ranked[r:]) if class_token else ranked[r:]
    new = {n: m for m, n in enumerate([*stay, *odds])}
    source = [new[n] if n in new else new[best[n]] for n in range(N)]
    groups = [[n for n in range(N) if source[n] == m] for m in range(N - r)]
    return np.array([tokens[group].mean(axis=0) for group in groups]), [len(group) for group in groups], source


@pytest.mark.parametrize("class_token", [False, True])
@pytest.mark.parametrize("N", SIZES)
def test_merging_is_tome(backend, rng, N, class_token):
    tokens = drawn(rng, N, 8, dtype=np.float64)
    for r in sorted({0, (N - class_token) // 4, (N - class_token) // 2}):
        merged = taken(backend, merge_tokens(backend.give(tokens), r, class_token=class_token))
        means, sizes, source = tome_plain(tokens, r, class_token)
        np.testing.assert_allclose(merged.tokens, means, rtol=0, atol=1e-12)
        assert merged.size.tolist() == sizes and merged.source.tolist() == source
        assert merged.size.dtype == merged.source.dtype == np.int64


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("lead", [(), (3,), (2, 2)])
def test_what_merging_keeps(backend, rng, lead, dtype):
    """Counts, sizes and sums; in every item of a batch what it does alone."""
    tokens = drawn(rng, *lead, 63, 6, dtype=dtype)
    merged = taken(backend, merge_tokens(backend.give(tokens), 20))
    assert merged.tokens.shape == (*lead, 43, 6) and merged.tokens.dtype == dtype
    assert (merged.size.sum(axis=-1) == 63).all() and merged.source.shape == (*lead, 63)
    weighted = (merged.tokens.astype(float) * merged.size[..., None]).sum(axis=-2)
    np.testing.assert_allclose(weighted, tokens.astype(float).sum(axis=-2), atol=0.05 if dtype == np.float16 else 1e-4)
    for place in np.ndindex(*lead):
        alone = taken(backend, merge_tokens(backend.give(tokens[place]), 20))
        for part, whole in zip(alone, merged):
            np.testing.assert_array_equal(part, whole[place])


@pytest.mark.parametrize("order", ["tome", "place"])
def test_several_rounds_are_means_of_the_first_tokens(backend, rng, order):
    """Sizes and source carried on: at the end each token is the mean of those that source names, and counts them."""
    tokens = drawn(rng, 2, 100, 5)
    merged, how = backend.give(tokens), {}
    for r in (12, 30, 20):
        done = merge_tokens(merged, r, order=order, class_token=True, **how)
        merged, how = done.tokens, {"size": done.size, "source": done.source}
    means, size, source = taken(backend, done)
    assert means.shape == (2, 38, 5) and source.shape == (2, 100)
    for b in range(2):
        assert np.bincount(source[b], minlength=38).tolist() == size[b].tolist()
        assert source[b, 0] == 0 and size[b, 0] == 1  # [CLS] stays by itself
        for m in range(38):
            np.testing.assert_allclose(means[b, m], tokens[b, source[b] == m].mean(axis=0), atol=1e-5)
        if order == "place":
            first = np.unique(source[b], return_index=True)[1]
            assert (np.diff(first) > 0).all()
    back = backend.take(unmerge(done))
    np.testing.assert_array_equal(back, np.take_along_axis(means, source[..., None], axis=1))


def test_without_sizes_a_second_round_is_no_mean_of_the_first_tokens(backend):
    """Three alike tokens in two rounds: (0 + 6) / 2 and 9 make 6 without sizes, and 5 with them."""
    tokens = np.array([[0.0, 1.0], [6.0, 1.0]]), np.array([[3.0, 1.0], [9.0, 1.0]])
    first = merge_tokens(backend.give(tokens[0]), 1)
    assert backend.take(first.tokens).tolist() == [[3.0, 1.0]] and backend.take(first.size).tolist() == [2]
    second, size = backend.give(tokens[1]), backend.give(np.array([2, 1]))
    assert backend.take(merge_tokens(second, 1).tokens).tolist() == [[6.0, 1.0]]
    assert backend.take(merge_tokens(second, 1, size=size).tokens).tolist() == [[5.0, 1.0]]


def test_positions_beside_the_tokens_become_mean_positions(backend, rng):
    tokens = drawn(rng, 63, 4, dtype=np.float64)
    beside = np.concatenate([tokens, np.arange(63.0)[:, None]], axis=1)
    merged = taken(backend, merge_tokens(backend.give(beside), 30, metric=backend.give(tokens)))
    for m in range(33):
        np.testing.assert_allclose(merged.tokens[m, -1], np.flatnonzero(merged.source == m).mean())


@pytest.mark.parametrize("width", [3, 64, 129])
def test_equal_tokens_match_the_first_and_merge_in_order(backend, rng, width):
    """All alike: every cosine is exactly 1, each even token goes to token 1, and the earliest ones merge."""
    tokens = np.tile(drawn(rng, width), (101, 1))
    matched = taken(backend, match_tokens(backend.give(tokens)))
    assert (matched.similarity == 1).all() and (matched.partner == 0).all() and len(matched.partner) == 51
    merged = taken(backend, merge_tokens(backend.give(tokens), 30, order="place"))
    assert merged.size.tolist() == [31] + [1] * 70
    assert np.flatnonzero(merged.source == 0).tolist() == sorted([1, *range(0, 60, 2)])
    np.testing.assert_allclose(merged.tokens, tokens[:71], rtol=1e-6)


@pytest.mark.parametrize("width", [3, 64, 129])
def test_of_equal_partners_the_lowest_wins(backend, rng, width):
    """Odd tokens that are copies of seven, in an order that puts copies at every column of a tile."""
    kinds = rng.integers(0, 7, 300)
    tokens = np.empty((600, width), np.float32)
    tokens[::2], tokens[1::2] = drawn(rng, 300, width), drawn(rng, 7, width)[kinds]
    partner = backend.take(match_tokens(backend.give(tokens)).partner)
    first = {kind: kinds.tolist().index(kind) for kind in range(7)}
    assert all(p == first[kinds[p]] for p in partner.tolist())


def test_a_token_of_zeros_resembles_none(backend):
    tokens = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.1], [0.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    matched = taken(backend, match_tokens(backend.give(tokens)))
    np.testing.assert_allclose(matched.similarity, [0, 0, 0.5**0.5])
    assert matched.partner.tolist() == [0, 1, 0]


@pytest.mark.parametrize("scale", [1e-25, 1e-12, 1e12, 1e25])
def test_tokens_of_any_magnitude(backend, rng, scale):
    tokens = drawn(rng, 100, 9)
    expected = taken(backend, match_tokens(backend.give(tokens)))
    matched = taken(backend, match_tokens(backend.give(tokens * np.float32(scale))))
    np.testing.assert_allclose(matched.similarity, expected.similarity, rtol=1e-5)
    np.testing.assert_array_equal(matched.partner, expected.partner)


def test_more_tokens_than_a_tile(monkeypatch, rng):
    tokens = drawn(rng, 201, 16)
    expected = match_tokens(tokens)
    monkeypatch.setattr(compress, "TILE", 777)  # 7 rows of 100
    for part, whole in zip(match_tokens(tokens), expected):
        np.testing.assert_allclose(part, whole, rtol=1e-6)


def test_means_of_more_than_a_block(monkeypatch, rng):
    tokens, size = drawn(rng, 401, 16), rng.integers(1, 9, 401)
    expected = merge_tokens(tokens, 200, size=size)
    monkeypatch.setattr(compress, "SUMMED", 50)  # 3 tokens
    for part, whole in zip(merge_tokens(tokens, 200, size=size), expected):
        np.testing.assert_array_equal(part, whole)


def test_nothing_to_merge(backend):
    for shape in ((0, 4), (2, 0, 4), (1, 4), (0, 5, 4)):
        tokens = np.ones(shape, np.float32)
        merged = taken(backend, merge_tokens(backend.give(tokens), 0))
        np.testing.assert_array_equal(merged.tokens, tokens)
        assert merged.size.shape == merged.source.shape == shape[:-1] and (merged.size == 1).all()
        assert backend.take(unmerge(merge_tokens(backend.give(tokens), 0, order="place"))).shape == shape
    matched = taken(backend, match_tokens(backend.give(np.ones((1, 4), np.float32))))
    assert matched.similarity.tolist() == [-np.inf] and matched.partner.tolist() == [-1]


@given(st.integers(2, 40), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_unmerged_tokens_are_the_means_of_their_groups(N, r, seed):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(-2, 3, (N, 2)).astype(float)  # many equal ones
    merged = merge_tokens(tokens, min(r, N // 2), order="place")
    back = unmerge(merged)
    assert len(merged.tokens) == N - min(r, N // 2) and merged.size.sum() == N
    for m in range(len(merged.tokens)):
        members = merged.source == m
        np.testing.assert_allclose(back[members] - tokens[members].mean(axis=0), 0, atol=1e-12)


def test_a_merged_token_counts_as_many(backend, rng):
    """Attention over merged tokens with the bias is attention over copies of them."""
    tokens, query, size = drawn(rng, 9, 4), drawn(rng, 4), rng.integers(1, 6, 9)
    scores = tokens @ query
    weights = np.exp(scores + backend.take(proportional_bias(backend.give(size))))
    copies = np.exp(np.repeat(scores, size))
    expected = (copies[:, None] * np.repeat(tokens, size, axis=0)).sum(axis=0) / copies.sum()
    np.testing.assert_allclose(weights @ tokens / weights.sum(), expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.int64])
@pytest.mark.parametrize("N", [0, *SIZES])
def test_equal_patches_are_kept_once(backend, rng, N, dtype):
    patches = rng.integers(0, 3, (N, 3)).astype(dtype)
    distinct = taken(backend, merge_duplicates(backend.give(patches)))
    seen = list(dict.fromkeys(map(tuple, patches.tolist())))  # in the order of the first
    assert list(map(tuple, distinct.tokens.tolist())) == seen and distinct.tokens.dtype == dtype
    assert distinct.index.tolist() == [list(map(tuple, patches.tolist())).index(patch) for patch in seen]
    assert distinct.size.tolist() == [list(map(tuple, patches.tolist())).count(patch) for patch in seen]
    assert {part.dtype for part in distinct[1:]} == {np.dtype(np.int64)}
    np.testing.assert_array_equal(backend.take(unmerge(merge_duplicates(backend.give(patches)))), patches)


def test_equal_is_to_the_bit(backend):
    patches = np.array([[0.0, 1.0], [-0.0, 1.0], [np.nan, 1.0], [np.nan, 1.0]], np.float32)
    assert backend.take(merge_duplicates(backend.give(patches)).source).tolist() == [0, 1, 2, 2]


# Neighbours


@pytest.mark.parametrize("grid, factor", [((4, 6), 2), ((3, 9), 3), ((1, 1), 1), ((8, 4), 4), ((3, 2, 4), 2)])
@pytest.mark.parametrize("lead", [(), (2, 3)])
def test_shuffled_tokens_are_those_of_the_map(backend, rng, grid, factor, lead):
    tokens = drawn(rng, *lead, int(np.prod(grid)), 5)
    shuffled = pixel_shuffle(backend.give(tokens), grid, factor)
    where = shuffle_map(grid, factor)
    assert sorted(where.ravel().tolist()) == list(range(int(np.prod(grid))))
    np.testing.assert_array_equal(backend.take(shuffled), tokens[..., where, :].reshape(*lead, len(where), -1))
    np.testing.assert_array_equal(backend.take(pixel_unshuffle(shuffled, grid, factor)), tokens)


def test_pairs_of_frames_worked_by_hand():
    assert temporal_pairs(5, 2).tolist() == [[0, 2], [1, 3], [4, 6], [5, 7]]
    assert temporal_pairs(1, 3).tolist() == [[0, 0], [1, 1], [2, 2]]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("rule", ["average", "adaptive", "bilinear"])
@pytest.mark.parametrize("grid, window", [((6, 4), 2), ((6, 9), 3), ((8, 4), (4, 2)), ((5, 5), 5), ((3, 2), 1)])
def test_pools_are_their_weights(backend, rng, grid, window, rule, dtype):
    tokens = drawn(rng, 2, grid[0] * grid[1], 7, dtype=dtype)
    down, across = window if isinstance(window, tuple) else (window, window)
    pooled = pool_tokens(backend.give(tokens), grid, window, rule=rule)
    rows, columns = pool_weights(grid[0], down, rule=rule), pool_weights(grid[1], across, rule=rule)
    expected = np.einsum("ir,jc,brcd->bijd", rows, columns, tokens.reshape(2, *grid, 7).astype(float))
    tolerance = {np.float16: 2e-3, np.float32: 1e-6, np.float64: 1e-12}[dtype]
    np.testing.assert_allclose(backend.take(pooled), expected.reshape(2, -1, 7), rtol=0, atol=tolerance)
    assert backend.take(pooled).dtype == dtype


def test_average_windows_worked_by_hand(backend):
    tokens = backend.give(np.arange(12.0)[:, None])
    for window, means in (((2, 3), [4, 7]), ((1, 6), [2.5, 8.5])):
        np.testing.assert_allclose(backend.take(pool_tokens(tokens, (2, 6), window))[:, 0], means)


def test_pools_by_position(backend, rng):
    """Tokens in any order, and in Qwen's, whose windows of two are its rows."""
    grid, tokens = (4, 6), drawn(rng, 2, 24, 3)
    expected = backend.take(pool_tokens(backend.give(tokens), grid, 2))
    for order in (rng.permutation(24), shuffle_map(grid, 2).ravel()):
        positions = np.stack(np.divmod(order, 6), axis=1)
        given = backend.give(tokens[:, order])
        for told in (backend.give(positions), positions.tolist()):
            np.testing.assert_array_equal(backend.take(pool_tokens(given, grid, 2, positions=told)), expected)
    np.testing.assert_allclose(tokens[:, order].reshape(2, 6, 4, 3).mean(axis=2), expected, atol=1e-6)
    for wrong, said in (
        (positions[:-1], r"positions are int64 \(23, 2\); expected whole numbers \(24, 2\), \(row, column\)"),
        (positions * 1.0, "positions are float64"),
        (positions + 1, "positions must name every place of a grid of 4x6 once"),
        (positions - 1, "positions must name every place"),
        (positions[:, ::-1], "positions must name every place"),
        (np.repeat(positions[:12], 2, axis=0), r"every place of a grid of 4x6 once \(is padding among them"),
    ):
        with pytest.raises(ValueError, match=said):
            pool_tokens(given, grid, 2, positions=backend.give(wrong))


@pytest.mark.parametrize("places", range(1, 30))
@pytest.mark.parametrize("window", [1, 2, 3, 7])
def test_pools_are_torchs(places, window):
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    if window > places:
        return
    eye = torch.eye(places, dtype=torch.float64)[None]
    theirs = {
        "adaptive": F.adaptive_avg_pool1d(eye, places // window),
        "bilinear": F.interpolate(eye, size=-(-places // window), mode="linear", align_corners=False),
    }
    if places % window == 0:
        theirs["average"] = F.avg_pool1d(eye, window)
    for rule, weights in theirs.items():
        np.testing.assert_allclose(pool_weights(places, window, rule=rule), weights[0].T, rtol=0, atol=1e-12)


# What is refused


GOOD = np.arange(20.0).reshape(5, 4) % 7 + 1


@pytest.mark.parametrize(
    "call, error, said",
    [
        (lambda x: prune(x, x[:, 0], 0), ValueError, "keep is 0; expected 1 to 5, as many as there are tokens"),
        (lambda x: prune(x, x[:, 0], 6), ValueError, "keep is 6; expected 1 to 5"),
        (lambda x: prune(x, x[:, 0], 0.5), TypeError, r"keep is 0.5; expected a count of tokens \(of a share: round"),
        (lambda x: prune(x, x[:, 0], True), TypeError, "keep is True; expected a count"),
        (lambda x: prune(x[:0], x[:0, 0], 1), ValueError, "keep is 1; expected 1 to 0"),
        (
            lambda x: prune(x, x[:4, 0], 1),
            ValueError,
            r"scores have shape \(4,\); tokens \(5, 4\) need one each: \(5,\)",
        ),
        (lambda x: prune(x, x[:, 0] / 0 * 0, 1), ValueError, "5 of 5 scores are NaN; they have no order"),
        (lambda x: prune(x, x[:, 0] > 2, 1), TypeError, "scores are .*bool; expected real numbers"),
        (lambda x: prune(x[0], x[0], 1), ValueError, r"tokens have shape \(4,\); expected"),
        (lambda x: prune_diverse(x, 0), ValueError, "keep is 0; expected 1 to 5"),
        (lambda x: prune_diverse(x, 9), ValueError, "keep is 9; expected 1 to 5"),
        (lambda x: prune_diverse(x * float("nan"), 1), ValueError, "metric.* is nan; all numbers must be finite"),
        (lambda x: prune_diverse(x, 1, metric=x[:3]), ValueError, r"metric has shape \(3, 4\); tokens \(5, 4\) need"),
        (lambda x: fastv_scores(None), TypeError, "attention is None: FlashAttention and scaled_dot_product_attention"),
        (
            lambda x: fastv_scores(x),
            ValueError,
            r"attention has shape \(5, 4\); expected \(..., heads, queries, keys\)",
        ),
        (lambda x: fastv_scores(x[None], (1, 5)), ValueError, r"span is \[1, 5\); expected one within 4 keys"),
        (
            lambda x: fastv_scores(x[None], (2, 2)),
            ValueError,
            r"span is \[2, 2\); expected one within 4 keys, not empty",
        ),
        (lambda x: fastv_scores(x[None], (1,)), ValueError, r"span is \[1\]; expected \(start, stop\)"),
        (lambda x: fastv_scores(x[None], query="first"), ValueError, 'query is \'first\'; choose "last" or "mean"'),
        (lambda x: cls_scores(x[None], at=4), ValueError, r"at is 4; expected the place of \[CLS\] among at least 2"),
        (lambda x: cls_scores(x[None, :, :1]), ValueError, "at is 0; expected .* here there are 1"),
        (lambda x: received_scores(x[None, :0]), ValueError, "attention has shape"),
        (lambda x: norm_scores(x[0]), ValueError, r"tokens have shape \(4,\); expected \(..., N, D\)"),
        (lambda x: merge_tokens(x, 3), ValueError, "r is 3; of 5 tokens at most 2 can merge in one round"),
        (
            lambda x: merge_tokens(x[:4], 2, class_token=True),
            ValueError,
            "of 4 tokens, the first of which stays, at most 1",
        ),
        (lambda x: merge_tokens(x[:1], 1), ValueError, "r is 1; of 1 tokens at most 0 can merge"),
        (lambda x: merge_tokens(x, -1), ValueError, "r is -1; of 5 tokens at most 2"),
        (lambda x: merge_tokens(x, 0.25), TypeError, "r is 0.25; expected a count of tokens to merge away"),
        (lambda x: merge_tokens(x * float("nan"), 1), ValueError, "is nan; all numbers must be finite"),
        (lambda x: merge_tokens(x / 0, 1), ValueError, "is inf; all numbers must be finite"),
        (
            lambda x: merge_tokens(x[..., :0], 1),
            ValueError,
            r"tokens have shape \(5, 0\); expected \(..., N, D\), D at",
        ),
        (lambda x: merge_tokens(x, 1, order="best"), ValueError, "order is 'best'; choose one of tome, place"),
        (lambda x: merge_tokens(x, 1, metric=x[1:]), ValueError, r"metric has shape \(4, 4\); tokens \(5, 4\) need"),
        (lambda x: merge_tokens(x, 1, size=x[:, 0]), TypeError, "size is .*float64; expected whole numbers"),
        (lambda x: pool_tokens(x[:4], (2, 3), 1), ValueError, r"tokens have shape \(4, 4\); grid 2x3 has 6 places"),
        (
            lambda x: pool_tokens(x, (1, 5), 1, rule="max"),
            ValueError,
            "rule is 'max'; choose one of average, adaptive,",
        ),
        (lambda x: pool_tokens(x, (1, 5), 2), ValueError, "window is 2 and a side has 1 places"),
        (lambda x: pool_tokens(x, (5, 1), (2, 1)), ValueError, "a side has 5 places, and windows of 2 leave 1 over"),
        (lambda x: pool_tokens(x, (5, 1), (2,)), ValueError, r"window is \(2,\); expected one number, or \(rows"),
        (lambda x: pool_tokens(x, (1, 5, 1), 1), ValueError, r"grid is \(1, 5, 1\); expected \(rows, columns\)"),
        (lambda x: pixel_shuffle(x, (1, 5), 2), ValueError, r"grid is 1x5; .* \(pad to 2x6, or resize"),
        (lambda x: pixel_shuffle(x, (2, 2), 2), ValueError, r"grid 2x2 has 4 places: .*is a \[CLS\] token among them"),
        (lambda x: pixel_shuffle(x, (5,), 1), ValueError, r"grid is \(5,\); expected \(rows, columns\) or \(frames"),
        (lambda x: pixel_shuffle(x, (1, 5), 0), ValueError, "factor is 0; it must be at least 1"),
        (lambda x: pixel_unshuffle(x[:1, :3], (2, 2), 2), ValueError, "tokens have 3 numbers each; 4 side by side"),
        (lambda x: merge_duplicates(x[0]), ValueError, r"patches have shape \(4,\); expected \(N, D\)"),
        (lambda x: merge_duplicates(x[:, :0]), ValueError, r"patches have shape \(5, 0\); expected \(N, D\)"),
    ],
)
def test_bad_input_is_refused(backend, call, error, said):
    with np.errstate(all="ignore"), pytest.raises(error, match=said):
        call(backend.give(GOOD))


def test_sizes_and_sources_that_do_not_fit(backend):
    x, ones = backend.give(GOOD), np.ones(5, np.int64)
    cases = [
        ({"size": ones[:4]}, r"size has shape \(4,\); expected \(5,\), one a token"),
        ({"size": 0 * ones}, "size holds 0; every token stands for at least one, itself"),
        ({"source": ones}, "source is given without size; pass both of the round before"),
        ({"size": ones, "source": np.arange(6) % 5}, "sizes add up to 5, and source names the place of 6 tokens"),
        ({"size": 2 * ones, "source": np.arange(5)}, "sizes add up to 10, and source names the place of 5 tokens"),
        ({"size": ones, "source": np.arange(5) + 1}, "source holds 5; expected 0 to 4"),
        ({"size": ones, "source": np.arange(5) - 1}, "source holds -1; expected 0 to 4"),
        (
            {"size": ones, "source": np.arange(5)[None]},
            r"source has shape \(1, 5\); size \(5,\) needs \(tokens before\)",
        ),
    ]
    for how, said in cases:
        with pytest.raises(ValueError, match=said):
            merge_tokens(x, 1, **{name: backend.give(value) for name, value in how.items()})
    with pytest.raises(TypeError, match="source is .*float64; expected whole numbers"):
        merge_tokens(x, 1, size=backend.give(ones), source=backend.give(np.arange(5.0)))
    twice = merge_tokens(x, 1, size=backend.give(2 * ones))
    with pytest.raises(
        ValueError, match=r"sizes add up to 10, .* counts once \(after a second round pass source as well as size"
    ):
        unmerge(twice)
    with pytest.raises(TypeError, match="size is .*float64"):
        unmerge(Merged(x, backend.give(np.ones(5)), backend.give(np.arange(5))))


def test_stages_and_axes_that_are_none():
    for call, said in [
        (lambda: pyramid_schedule(0, 4), "tokens is 0; it must be at least 1"),
        (lambda: pyramid_schedule(4, 4, at=[4]), r"at is \[4\]; expected ascending layers from 0 to 3"),
        (lambda: pyramid_schedule(4, 4, at=[2, 2]), r"at is \[2, 2\]; expected ascending"),
        (lambda: pyramid_schedule(4, 4, ratio=2), "ratio is 2; a stage keeps at most all"),
        (lambda: pyramid_schedule(4, 4, ratio=0), "ratio is 0; expected a finite number"),
        (lambda: pool_weights(0, 1), "places is 0"),
        (lambda: temporal_pairs(0, 1), "frames is 0"),
    ]:
        with pytest.raises(ValueError, match=said):
            call()


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda x, y: prune(x, y[..., 0], 1), "prune"),
        (lambda x, y: prune_diverse(x, 1, metric=y), "prune_diverse"),
        (lambda x, y: merge_tokens(x, 1, metric=y), "merge_tokens"),
        (lambda x, y: unmerge(Merged(x, y[:, 0], y[:, 0])), "unmerge"),
    ],
)
def test_mixed_backends_are_refused(tensors, call, name):
    array = np.ones((4, 3))
    for pair in ((array, tensors.give(array)), (tensors.give(array), array)):
        with pytest.raises(TypeError, match=f"{name} got a NumPy array .* and a torch tensor"):
            call(*pair)


def test_lists_are_refused():
    for call in (prune_diverse, merge_tokens):
        with pytest.raises(TypeError, match="tokens is list; expected a NumPy array or a torch tensor"):
            call([[1.0, 2.0]], 1)


def test_what_comes_back_may_be_written(backend):
    """Also where nothing merged: no part is a view of another's memory."""
    tokens = backend.give(np.ones((3, 4, 2)))
    merged = merge_tokens(tokens, 0)
    merged.source[0, 0] = 3
    merged.tokens[0, 0] = 7
    assert backend.take(merged.source)[1:].tolist() == [[0, 1, 2, 3]] * 2 and backend.take(tokens).max() == 1


@pytest.mark.parametrize("shape, keep", [((1, 3), 1), ((5, 2), 2), ((64, 4), 16), ((2, 3, 10, 4), 7), ((2, 6, 1), 6)])
def test_the_rest_is_one_token_that_stands_for_all_dropped(backend, shape, keep):
    rng = np.random.default_rng(keep)
    tokens = rng.standard_normal(shape)
    index = np.sort(rng.permuted(np.broadcast_to(np.arange(shape[-2]), shape[:-1]).copy(), axis=-1)[..., :keep])
    merged = taken(backend, merge_rest(backend.give(tokens), backend.give(index)))
    rest = shape[-2] - keep
    assert merged.tokens.shape == (*shape[:-2], keep + (rest > 0), shape[-1])
    np.testing.assert_allclose(merged.tokens[..., :keep, :], np.take_along_axis(tokens, index[..., None], -2))
    np.testing.assert_array_equal(merged.size.sum(axis=-1), shape[-2])
    np.testing.assert_array_equal(merged.size[..., :keep], 1)
    whole = (merged.tokens * merged.size[..., None]).sum(axis=-2)
    np.testing.assert_allclose(whole, tokens.sum(axis=-2), atol=1e-9)
    np.testing.assert_allclose(
        np.take_along_axis(merged.source, index, -1), np.broadcast_to(np.arange(keep), index.shape)
    )


@pytest.mark.parametrize(
    "index, error, words",
    [
        ([2, 1], ValueError, "ascending"),
        ([1, 1], ValueError, "ascending"),
        ([0, 5], ValueError, "0 to 4"),
        ([-1, 2], ValueError, "0 to 4"),
        ([0.0, 1.0], TypeError, "whole"),
        ([[0, 1]], ValueError, "shape"),
        ([], ValueError, "shape"),
    ],
)
def test_an_index_that_names_no_tokens_is_refused(backend, index, error, words):
    with pytest.raises(error, match=words):
        merge_rest(backend.give(np.eye(5)), backend.give(np.array(index)))
