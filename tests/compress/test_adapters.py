"""What stands between eyes and language model: how many tokens come out, what a gradient reaches, what is refused."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mmtokedu.compress import pixel_shuffle, pool_tokens, pool_weights
from mmtokedu.nn.adapters import LearnedScore, Projector, QueryResampler


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def windows(grid, window):
    """The starts of queries that begin as the means over windows, and as many as these."""
    return np.kron(*(pool_weights(side, window) for side in grid))


def test_a_projector_looks_at_each_token_alone():
    tokens = torch.randn(2, 9, 8)
    for projector in (Projector(8, 5), Projector(8, 5, hidden=16), Projector(8, 5, hidden=16, norm=True)):
        whole = projector(tokens)
        assert whole.shape == (2, 9, 5)
        torch.testing.assert_close(projector(tokens[:, 4:6]), whole[:, 4:6])
    linear = Projector(8, 5)
    both = linear(tokens) + linear(2 * tokens)
    torch.testing.assert_close(both, linear(3 * tokens) + linear(0 * tokens))
    assert sum(p.numel() for p in Projector(8, 5, hidden=16).parameters()) == 8 * 16 + 16 + 16 * 5 + 5


def test_a_projector_behind_a_shuffle_makes_a_quarter():
    shuffled = pixel_shuffle(torch.randn(2, 24, 8), (4, 6), 2)
    assert Projector(32, 5, hidden=16, norm=True)(shuffled).shape == (2, 6, 5)


@pytest.mark.parametrize("starts", [None, windows((4, 6), 2)])
def test_a_resampler_gives_its_queries(starts):
    resampler = QueryResampler(8, 5, queries=6, heads=4, starts=starts)
    tokens = torch.randn(3, 24, 8, requires_grad=True)
    found = resampler(tokens)
    assert found.shape == (3, 6, 5)
    torch.testing.assert_close(found[1:2], resampler(tokens[1:2]))  # a batch's items do not see each other
    found.square().sum().backward()
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in resampler.parameters())
    assert float(tokens.grad.abs().sum()) > 0


def test_without_starts_tokens_are_a_set():
    """As many as there are, in any order: so a place that is not in the tokens is lost."""
    resampler = QueryResampler(8, 5, queries=3)
    tokens = torch.randn(1, 50, 8)
    torch.testing.assert_close(resampler(tokens[:, torch.randperm(50)]), resampler(tokens))
    assert resampler(tokens[:, :1]).shape == (1, 3, 5)


@torch.no_grad()
def test_with_starts_a_query_begins_as_its_window():
    """Where the layers add nothing it is the mean of its window; where they add, its window moves it most."""
    resampler = QueryResampler(8, 8, queries=2, starts=windows((4, 2), 2))
    tokens = torch.randn(64, 8, 8)
    other = torch.cat([tokens[:, :4], torch.randn(64, 4, 8)], dim=1)
    moved = (resampler(other) - resampler(tokens)).abs().mean(dim=(0, 2))
    assert float(moved[1]) > 2 * float(moved[0])
    for layer in resampler.layers:
        for last in (layer["found"], layer["think"][-1]):
            last.weight.zero_()
            last.bias.zero_()
    resampler.norm = resampler.out = torch.nn.Identity()
    means = resampler(tokens) - resampler.queries
    torch.testing.assert_close(means, pool_tokens(tokens, (4, 2), 2), atol=0.05, rtol=0)


@torch.no_grad()
def test_starts_lean_every_look():
    """Where all scores are equal, a window of four of eight tokens counts 1.99 each, the others 0.01, a query 1."""
    resampler = QueryResampler(8, 8, queries=2, layers=1, starts=windows((4, 2), 2))
    (layer,) = resampler.layers
    for part in (layer["asking"], layer["think"][-1]):
        part.weight.zero_()
        part.bias.zero_()
    layer["found"].weight.copy_(torch.eye(8))
    layer["found"].bias.zero_()
    resampler.norm = resampler.out = torch.nn.Identity()
    tokens = torch.randn(3, 8, 8)
    before = resampler.queries + resampler.bias.softmax(dim=-1) @ tokens
    seen = torch.cat([layer["tokens"](tokens), layer["queries"](before)], dim=1)
    values = layer["keys_values"](seen)[..., 8:]
    weights = torch.tensor([[1.99] * 4 + [0.01] * 4 + [1, 1], [0.01] * 4 + [1.99] * 4 + [1, 1]]) / 10
    torch.testing.assert_close(resampler(tokens), before + weights @ values)


def test_a_learned_score_keeps_tokens_as_they_are():
    layer = LearnedScore(8, keep=3)
    tokens = torch.randn(2, 9, 8, requires_grad=True)
    for mode in (layer.train(), layer.eval()):
        kept = mode(tokens)
        assert kept.index.shape == (2, 3) and bool((kept.index.diff(dim=-1) > 0).all())
        expected = tokens.gather(1, kept.index[..., None].expand(-1, -1, 8))
        assert torch.equal(kept.tokens, expected)  # the factor is exactly 1
    kept.tokens.sum().backward()
    assert all(p.grad is not None for p in layer.parameters()) and float(layer.score[0].weight.grad.abs().sum()) > 0


def test_noise_is_for_training_alone():
    layer, tokens = LearnedScore(8, keep=3), torch.randn(1, 40, 8)
    layer.eval()
    assert torch.equal(layer(tokens).index, layer(tokens).index)
    layer.train()
    assert len({tuple(layer(tokens).index[0].tolist()) for _ in range(20)}) > 5


@pytest.mark.trains
def test_a_score_learns_which_token_is_asked_for():
    """One token in eight has a mark, and its number is asked for: kept at first by chance, soon nearly always."""
    generator = torch.Generator().manual_seed(0)
    layer, head = LearnedScore(4, keep=2), torch.nn.Linear(4, 1)
    optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()], 0.02)

    def drawn():
        tokens = torch.randn(64, 8, 4, generator=generator)
        tokens[..., 0] = 0
        where = torch.randint(8, (64,), generator=generator)
        tokens[torch.arange(64), where, 0] = 3.0
        return tokens, where

    def found():
        tokens, where = drawn()
        return float((layer.eval()(tokens).index == where[:, None]).any(dim=1).float().mean())

    for _ in range(300):
        tokens, where = drawn()
        kept = layer.train()(tokens)
        answer = tokens[torch.arange(64), where, 1]
        loss = ((head(kept.tokens * kept.tokens[..., :1])[..., 0].sum(dim=1) - 3 * answer) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert found() > 0.9


def test_what_is_refused():
    tokens = torch.zeros(1, 9, 8)
    starts = torch.full((2, 9), 1 / 9)
    for call, said in [
        (lambda: Projector(0, 5), "width is 0; it must be at least 1"),
        (lambda: QueryResampler(8, 5, queries=0), "queries is 0; it must be at least 1"),
        (
            lambda: QueryResampler(8, 5, queries=2, heads=3),
            r"width is 8; 3 heads cannot share it evenly \(say 9\)",
        ),
        (lambda: QueryResampler(8, 5, queries=3, starts=starts), r"starts have shape \(2, 9\); expected \(3, N\)"),
        (lambda: QueryResampler(8, 5, queries=2, starts=2 * starts), "starts must be weights: none negative"),
        (lambda: QueryResampler(8, 5, queries=2, starts=starts * float("nan")), "starts must be weights"),
        (lambda: QueryResampler(8, 5, queries=2, starts=starts)(tokens[:, :4]), "4 tokens came, and starts speak of 9"),
        (lambda: LearnedScore(8, keep=0), "keep is 0; it must be at least 1"),
        (lambda: LearnedScore(8, keep=10)(tokens), "keep is 10; expected 1 to 9"),
    ]:
        with pytest.raises(ValueError, match=said):
            call()
    with pytest.raises(TypeError, match="tokens is list"):
        Projector(8, 5)([[0.0] * 8])
