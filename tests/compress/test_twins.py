"""What is torch's alone: gradients, bfloat16, and what a card does in place of NumPy, asked here of the CPU."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mmtokedu.compress import (
    Merged,
    match_tokens,
    merge_duplicates,
    merge_tokens,
    norm_scores,
    pool_tokens,
    proportional_bias,
    prune,
    prune_diverse,
    unmerge,
)
from mmtokedu.cuda import compress as twins


@pytest.mark.parametrize("scores", [4, 777, 2**22])
@pytest.mark.parametrize("N", [1, 2, 3, 63, 100])
def test_tiles_of_a_card_are_numpys_matches(monkeypatch, rng, N, scores):
    monkeypatch.setattr(twins, "SCORES", scores)
    metric = rng.standard_normal((2, N, 5)).astype(np.float32)
    metric[:, ::7] = 0
    found, expected = twins._by_tiles(torch.from_numpy(metric)), match_tokens(metric)
    np.testing.assert_allclose(found.similarity.numpy(), expected.similarity, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found.partner.numpy(), expected.partner)


@pytest.mark.parametrize("scores", [4, 777, 2**22])
@pytest.mark.parametrize("N", [1, 2, 63, 100])
def test_choosing_on_a_card_is_numpys(monkeypatch, rng, N, scores):
    monkeypatch.setattr(twins, "SCORES", scores)
    metric = rng.standard_normal((2, N, 8)).astype(np.float32)[:, rng.integers(0, N, N)]  # with duplicates
    for keep in sorted({1, N // 3 + 1, N}):
        chosen = twins._spread(twins._units(torch.from_numpy(metric)), keep).sort(dim=-1).values
        np.testing.assert_array_equal(chosen.numpy(), prune_diverse(metric, keep).index)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.int64])
def test_sorted_duplicates_are_numbered_as_numpys(rng, dtype):
    patches = torch.from_numpy(rng.integers(0, 3, (63, 3))).to(dtype)
    found, expected = twins._by_sorting(patches), merge_duplicates(patches)
    assert found.tokens.dtype == expected.tokens.dtype == dtype
    for part, whole in zip(found, expected):
        assert torch.equal(part, whole)
    assert torch.equal(unmerge(expected), patches)


def test_gradients_of_what_is_kept():
    tokens = torch.randn(2, 9, 4, dtype=torch.float64, requires_grad=True)
    scores = torch.rand(2, 9)
    merged = merge_tokens(tokens.detach(), 3)
    calls = (
        lambda x: prune(x, scores, 4).tokens,
        lambda x: prune_diverse(x, 4, metric=tokens.detach()).tokens,
        lambda x: merge_tokens(x, 4, metric=tokens.detach()).tokens,
        lambda x: unmerge(Merged(x[:, :6], merged.size, merged.source)),
        lambda x: pool_tokens(x, (3, 3), 2, rule="bilinear"),
        norm_scores,
    )
    for call in calls:
        assert torch.autograd.gradcheck(call, tokens)


def test_a_merged_token_shares_its_gradient_by_size():
    tokens = torch.tensor([[1.0, 0.0], [1.0, 0.1]], requires_grad=True)
    merge_tokens(tokens, 1, size=torch.tensor([3, 1])).tokens.sum().backward()
    assert tokens.grad.tolist() == [[0.75, 0.75], [0.25, 0.25]]


def test_bfloat16_comes_back_as_it_came():
    tokens = torch.randn(2, 16, 4).bfloat16()
    for result in (
        merge_tokens(tokens, 5).tokens,
        prune(tokens, norm_scores(tokens), 5).tokens,
        prune_diverse(tokens, 5).tokens,
        pool_tokens(tokens, (4, 4), 2),
    ):
        assert result.dtype == torch.bfloat16
    whole = merge_tokens(tokens.float(), 5)
    assert torch.equal(merge_tokens(tokens, 5).source, whole.source)
    torch.testing.assert_close(merge_tokens(tokens, 5).tokens, whole.tokens.bfloat16())


def test_the_bias_is_added_to_a_mask():
    """As attn_mask of torch's attention: the same as attention over copies."""
    queries, keys, values = torch.randn(3, 2, 4, 9, 8)
    size = torch.randint(1, 5, (2, 9))
    bias = proportional_bias(size)[:, None, None, :]
    attend = torch.nn.functional.scaled_dot_product_attention
    found = attend(queries, keys, values, attn_mask=bias)
    for b in range(2):
        copies = (x[b].repeat_interleave(size[b], dim=1) for x in (keys, values))
        torch.testing.assert_close(found[b], attend(queries[b], *copies))


def test_tensors_do_what_arrays_do(rng):
    """Indices and sizes of several rounds, to the number, where many similarities are equal."""
    tokens = rng.integers(-2, 3, (3, 100, 4)).astype(np.float32)
    ours, theirs, how, hows = tokens, torch.from_numpy(tokens), {}, {}
    for r in (10, 30, 20):
        done, did = merge_tokens(ours, r, order="place", **how), merge_tokens(theirs, r, order="place", **hows)
        np.testing.assert_array_equal(did.source.numpy(), done.source)
        np.testing.assert_array_equal(did.size.numpy(), done.size)
        np.testing.assert_allclose(did.tokens.numpy(), done.tokens, rtol=0, atol=1e-6)
        ours, theirs = done.tokens, torch.from_numpy(done.tokens)
        how, hows = {"size": done.size, "source": done.source}, {"size": did.size, "source": did.source}
