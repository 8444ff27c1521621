"""The prior: what a position sees and what it does not, what its bits count, and that it writes what it has learned."""

import math

import numpy as np
import pytest

pytestmark = pytest.mark.trains

torch = pytest.importorskip("torch")

from mmtokedu.nn.prior import Block, CausalPrior

QUARTERS = torch.tensor([1 / 2, 1 / 4, 1 / 8, 1 / 8])  # 1, 2, 3 and 3 bits


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(params=[None, 1, 3], ids=["ids", "one stream", "three streams"])
def streams(request):
    return request.param


def draw(streams, *, B=2, N=7, vocabulary=11):
    return torch.randint(vocabulary, (B, N) if streams is None else (B, N, streams))


def lively(streams=None, **options):
    """A prior whose answers depend strongly on all it sees."""
    prior = CausalPrior(11, 7, width=32, streams=streams, **options)
    for table in (prior.embed, prior.place):
        torch.nn.init.normal_(table.weight)
    return prior.eval()


def fixed(probabilities, length, streams=None):
    """A prior that always believes the same: probabilities (vocabulary,) or (Q, vocabulary)."""
    prior = CausalPrior(probabilities.shape[-1], length, width=8, heads=2, streams=streams)
    with torch.no_grad():
        prior.heads.weight.zero_()
        prior.heads.bias.copy_(probabilities.log().flatten())
    return prior


def learn(examples, prior, steps=150, rate=3e-3):
    """The prior after its updates on what `examples` draws."""
    optimizer = torch.optim.AdamW(prior.parameters(), rate)
    for _ in range(steps):
        optimizer.zero_grad()
        prior.bits(examples(32)).mean().backward()
        optimizer.step()
    return prior.eval()


def ints(n):
    return torch.Generator().manual_seed(n)


# what a position sees


def test_shapes(streams):
    prior, ids = lively(streams), draw(streams)
    assert prior(ids).shape == (*ids.shape, 11)
    assert prior(ids[:, :1]).shape == (2, 1, *ids.shape[2:], 11) and prior(ids[:0]).shape == (0, *ids.shape[1:], 11)
    assert prior.bits(ids).shape == (2,) and prior.bits(ids[:0]).shape == (0,)
    drawn = prior.sample(ids[:, :3], 4, generator=ints(0))
    assert drawn.shape == (2, 4, *ids.shape[2:]) and drawn.dtype == torch.int64
    assert prior.sample(ids, 0).shape == (2, 0, *ids.shape[2:])


@pytest.mark.parametrize("n", range(7))
def test_later_ids_change_nothing_before_them(streams, n):
    prior, ids = lively(streams), draw(streams)
    other = ids.clone()
    other[:, n] = (ids[:, n] + 1) % 11
    before, after = prior(ids), prior(other)
    torch.testing.assert_close(after[:, :n], before[:, :n], rtol=0, atol=1e-6)
    moved = (after[:, n:] - before[:, n:]).abs().amax(dim=-1)
    assert (moved > 1e-3).all(), "every later position, in every stream, has seen the change"


@pytest.mark.parametrize("stream", range(3))
def test_a_change_in_one_stream_reaches_all_of_them_later(stream):
    prior, ids = lively(3), draw(3)
    other = ids.clone()
    other[:, 4, stream] = (ids[:, 4, stream] + 1) % 11
    moved = (prior(other) - prior(ids)).abs().amax(dim=-1)  # (B, N, Q)
    assert (moved[:, :4] < 1e-6).all() and (moved[:, 4:] > 1e-3).all()


def test_a_beginning_is_read_alike_alone_and_within_the_whole(streams):
    prior, ids = lively(streams), draw(streams)
    for n in range(1, 8):
        torch.testing.assert_close(prior(ids[:, :n]), prior(ids)[:, :n], rtol=1e-4, atol=1e-5)


def test_sequences_of_a_batch_do_not_meet(streams):
    prior, ids = lively(streams), draw(streams, B=3)
    for b in range(3):
        torch.testing.assert_close(prior(ids[b : b + 1])[0], prior(ids)[b], rtol=1e-4, atol=1e-5)


def test_positions_differ_and_order_matters():
    prior = lively()
    logits = prior(torch.full((1, 7), 4))[0]
    assert (torch.pdist(logits) > 1e-2).all(), "the same id at another place says something else"
    ids = torch.tensor([[1, 2, 3], [2, 1, 3]])
    apart = prior(ids)[:, -1]
    assert (apart[0] - apart[1]).abs().max() > 1e-3


def test_streams_are_summed_each_from_its_own_table():
    """Without layers and norm the prior is a table: two lines of it are added, and read by two heads."""
    prior = CausalPrior(2, 4, width=3, layers=0, streams=2)
    prior.norm = torch.nn.Identity()
    embed = torch.tensor([[1.0, 0, 0], [2, 0, 0], [0, 10, 0], [0, 30, 0]])  # ids 0 and 1 of stream 0, then of stream 1
    heads = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]])
    with torch.no_grad():
        prior.embed.weight.copy_(embed)
        prior.place.weight.copy_(torch.tensor([[0.0, 0, 100], [0, 0, 200], [0, 0, 300], [0, 0, 400]]))
        prior.heads.weight.copy_(heads)
        prior.heads.bias.copy_(torch.tensor([0.0, 0, 0, 5]))
    logits = prior(torch.tensor([[[0, 0], [1, 0], [0, 1]]]))
    by_hand = [[[1, 10], [100, 116]], [[2, 10], [200, 217]], [[1, 30], [300, 336]]]  # (N, Q, vocabulary)
    torch.testing.assert_close(logits, torch.tensor([by_hand], dtype=torch.float32))


def test_a_block_by_hand():
    """Attention as it is written in the paper, in a loop over positions and heads, in NumPy."""
    block, x = Block(8, 2).eval(), torch.randn(1, 5, 8)
    numbers = {name: value.numpy().astype(np.float64) for name, value in block.state_dict().items()}

    def norm(x, i):
        scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return scaled * numbers[f"norms.{i}.weight"] + numbers[f"norms.{i}.bias"]

    def linear(x, name):
        return x @ numbers[f"{name}.weight"].T + numbers[f"{name}.bias"]

    rows = x[0].numpy().astype(np.float64)
    queries, keys, values = np.split(linear(norm(rows, 0), "queries_keys_values"), 3, axis=1)
    seen = np.zeros((5, 8))
    for n in range(5):
        for head in (slice(0, 4), slice(4, 8)):
            weight = np.exp(keys[: n + 1, head] @ queries[n, head] / math.sqrt(4))
            seen[n, head] = weight / weight.sum() @ values[: n + 1, head]
    rows = rows + linear(seen, "out")
    hidden = linear(norm(rows, 1), "perceptron.0")
    hidden = hidden * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2))) / 2
    expected = rows + linear(hidden, "perceptron.2")
    np.testing.assert_allclose(block(x)[0].detach().numpy(), expected, rtol=1e-4, atol=1e-5)


# bits


def test_bits_by_hand():
    prior = fixed(QUARTERS, 5)
    ids = torch.tensor([[3, 0, 1, 2], [0, 3, 3, 3], [1, 0, 0, 0]])  # the first id of each costs nothing
    torch.testing.assert_close(prior.bits(ids), torch.tensor([1.0 + 2 + 3, 3 + 3 + 3, 1 + 1 + 1]))
    counted = torch.tensor([[True, False, True, True], [True, True, False, False], [True, False, False, False]])
    torch.testing.assert_close(prior.bits(ids, counted=counted), torch.tensor([2.0 + 3, 3, 0]))


def test_bits_of_streams_by_hand():
    prior = fixed(torch.stack([QUARTERS, QUARTERS.flip(0)]), 3, streams=2)
    ids = torch.tensor([[[3, 3], [0, 0], [2, 1]]])
    torch.testing.assert_close(prior.bits(ids), torch.tensor([1.0 + 3 + 3 + 3]))
    ids = torch.tensor([[[3, 3], [0, 3], [1, 2]]])
    torch.testing.assert_close(prior.bits(ids), torch.tensor([1.0 + 1 + 2 + 2]))
    only = torch.zeros(1, 3, 2, dtype=torch.bool)
    only[..., 1] = True
    torch.testing.assert_close(prior.bits(ids, counted=only), torch.tensor([1.0 + 2]))


def test_bits_are_the_cross_entropy_of_each_id_after_those_before(streams):
    """One position at a time, from nothing but what comes before it, in float64."""
    prior, ids = lively(streams), draw(streams)
    counted = torch.rand(ids.shape) < 0.6
    expected = np.zeros((2, 2))  # all, and those that count
    for n in range(1, 7):
        logits = prior(ids[:, :n])[:, -1].detach().numpy().astype(np.float64).reshape(2, -1, 11)
        probability = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        for b in range(2):
            following, counts = ids[b, n].reshape(-1).tolist(), counted[b, n].reshape(-1).tolist()
            for q, (wanted, count) in enumerate(zip(following, counts)):
                cost = -np.log2(probability[b, q, wanted])
                expected[:, b] += cost, cost * count
    np.testing.assert_allclose(prior.bits(ids).detach(), expected[0], rtol=1e-4)
    np.testing.assert_allclose(prior.bits(ids, counted=counted).detach(), expected[1], rtol=1e-4)


def test_probabilities_of_all_sequences_sum_to_one():
    """What bits mean: two to the minus bits, over all that may follow one id."""
    prior = CausalPrior(3, 4, width=16)
    torch.nn.init.normal_(prior.embed.weight)
    every = torch.cartesian_prod(torch.tensor([1]), *[torch.arange(3)] * 3)
    assert len(every) == 27
    assert float((2 ** -prior.bits(every).detach()).sum()) == pytest.approx(1, abs=1e-5)


def test_ids_of_one_position_do_not_see_each_other():
    prior, ids = lively(3), draw(3)
    other = ids.clone()
    other[:, -1, 0] = (ids[:, -1, 0] + 1) % 11
    for stream in range(3):
        only = torch.zeros(ids.shape, dtype=torch.bool)
        only[:, -1, stream] = True
        moved = (prior.bits(other, counted=only) - prior.bits(ids, counted=only)).abs()
        assert (moved > 1e-3).all() if stream == 0 else (moved < 1e-6).all()


def test_every_weight_learns_from_bits(streams):
    prior, ids = CausalPrior(11, 7, width=32, streams=streams), draw(streams, B=40)
    prior.bits(ids).sum().backward()
    for name, weight in prior.named_parameters():
        assert weight.grad is not None and float(weight.grad.abs().sum()) > 0, name
    assert not prior.place.weight.grad[-1].any(), "the last id is only predicted, never read"


# what it writes


def test_it_writes_the_pattern_it_has_learned():
    """Sequences that count up, around 8: after any first id one continuation is right."""
    count = lambda n: (torch.randint(8, (n, 1)) + torch.arange(10)) % 8
    prior = learn(count, CausalPrior(8, 10, width=32))
    right = (torch.arange(8)[:, None] + torch.arange(10)) % 8
    drawn = prior.sample(right[:, :1], 9, generator=ints(0), temperature=0.1)
    assert torch.equal(drawn, right[:, 1:])
    drawn = prior.sample(right[:, :4], 6, generator=ints(0), temperature=0.1)
    assert torch.equal(drawn, right[:, 4:])
    backwards = prior.bits(right.flip(1))
    assert (prior.bits(right) < 2).all() and (backwards > 9 * 3).all(), "guessing costs 3 bits an id"


def test_streams_pass_on_what_they_saw_but_not_what_stands_beside():
    """Stream 0 is noise of 2 bits. Stream 1 repeats it one position later and is free; stream 2 repeats it at once,
    and costs as much again."""

    def noise(n):
        x = torch.randint(4, (n, 9))
        return torch.stack([x[:, 1:], x[:, :-1], x[:, 1:]], dim=-1)  # (n, 8, 3)

    prior, held = learn(noise, CausalPrior(4, 8, width=32, streams=3), steps=200), noise(800)
    cost = []
    for stream in range(3):
        only = torch.zeros(held.shape, dtype=torch.bool)
        only[..., stream] = True
        cost.append(prior.bits(held, counted=only).mean().item() / 7)
    np.testing.assert_allclose(cost, [2, 0, 2], atol=0.15)
    drawn = prior.sample(held[:, :4], 1, generator=ints(0))[:, 0]  # one: after that 0 and 2 differ, which it never saw
    assert (drawn[:, 1] == held[:, 3, 0]).float().mean() > 0.99
    assert 0.2 < (drawn[:, 2] == drawn[:, 0]).float().mean() < 0.3, "drawn apart, they agree by chance"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1 / 2, 1 / 4, 1 / 8, 1 / 8]),
        ({"allowed": (1, 3)}, [0, 2 / 3, 1 / 3, 0]),
        ({"allowed": (3, 4)}, [0, 0, 0, 1]),
        ({"temperature": 0.5}, [16 / 22, 4 / 22, 1 / 22, 1 / 22]),  # squared
        ({"temperature": 1e6}, [1 / 4] * 4),
        ({"temperature": 1e-3}, [1, 0, 0, 0]),
    ],
    ids=["plain", "two allowed", "one allowed", "cold", "hot", "frozen"],
)
def test_draws_come_as_often_as_they_should(options, expected):
    drawn = fixed(QUARTERS, 4).sample(torch.zeros(2000, 1, dtype=torch.int64), 3, generator=ints(0), **options)
    for position in drawn.T:
        np.testing.assert_allclose(np.bincount(position, minlength=4) / 2000, expected, atol=0.035)


def test_streams_are_drawn_from_their_own_heads_and_apart():
    prior = fixed(torch.stack([QUARTERS, QUARTERS.flip(0)]), 3, streams=2)
    drawn = prior.sample(torch.zeros(4000, 1, 2, dtype=torch.int64), 1, generator=ints(0))[:, 0]
    together = np.bincount(drawn @ torch.tensor([4, 1]), minlength=16).reshape(4, 4) / 4000
    np.testing.assert_allclose(together, np.outer(QUARTERS, QUARTERS.flip(0)), atol=0.025)


def test_one_generator_one_sequence(streams):
    prior, prefix = lively(streams), draw(streams, N=2)
    once, again, other = (prior.sample(prefix, 5, generator=ints(seed)) for seed in (1, 1, 2))
    assert torch.equal(once, again) and not torch.equal(once, other)


@pytest.mark.parametrize("training", [False, True])
def test_drawing_leaves_the_prior_and_the_prefix_alone(training):
    prior, prefix = lively().train(training), draw(None, N=2)
    weights, given = {name: value.clone() for name, value in prior.state_dict().items()}, prefix.clone()
    drawn = prior.sample(prefix, 5)
    assert torch.equal(prefix, given) and not drawn.requires_grad and prior.training == training
    assert all(torch.equal(value, weights[name]) for name, value in prior.state_dict().items())


# what it refuses


def ids_of(*shape, value=0):
    return torch.full(shape, value, dtype=torch.int64)


READS = "forward", "bits", "sample"


@pytest.mark.parametrize("way", READS)
@pytest.mark.parametrize(
    ("streams", "ids", "says"),
    [
        (None, ids_of(3), r"shape \(3,\); this prior reads \(B, N\)"),
        (None, ids_of(2, 3, 4), r"shape \(2, 3, 4\); this prior reads \(B, N\)"),
        (4, ids_of(2, 3), r"shape \(2, 3\); this prior reads \(B, N, 4\)"),
        (4, ids_of(2, 3, 3), r"shape \(2, 3, 3\); this prior reads \(B, N, 4\)"),
        (None, ids_of(2, 9), "9 positions; this prior has 8"),
        (4, ids_of(2, 9, 4), "9 positions; this prior has 8"),
        (None, ids_of(2, 3, value=10), "10 to 10; this prior knows 0 to 9"),
        (None, ids_of(2, 3, value=-1), "-1 to -1; this prior knows 0 to 9"),
        (4, ids_of(2, 3, 4, value=10), "10 to 10; this prior knows 0 to 9"),
    ],
    ids=["1-d", "3-d", "no streams", "other streams", "long", "long streams", "large", "negative", "another table's"],
)
def test_bad_ids_are_named(way, streams, ids, says):
    prior = CausalPrior(10, 8, streams=streams)
    call = {"forward": prior, "bits": prior.bits, "sample": lambda ids: prior.sample(ids, 0)}[way]
    with pytest.raises(ValueError, match=says):
        call(ids)


def test_the_last_id_is_checked_too():
    """It is never read, only predicted."""
    with pytest.raises(ValueError, match="0 to 10"):
        CausalPrior(10, 8).bits(torch.tensor([[0, 1, 10]]))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda prior: prior.sample(ids_of(2, 3), 6), "9 positions; this prior has 8"),
        (lambda prior: prior.sample(ids_of(2, 0), 3), "prefix is empty"),
        (lambda prior: prior.sample(ids_of(2, 3), 3, temperature=0), "temperature is 0"),
        (lambda prior: prior.sample(ids_of(2, 3), 3, temperature=-1), "temperature is -1"),
        (lambda prior: prior.sample(ids_of(2, 3), 3, temperature=math.nan), "temperature is nan"),
        (lambda prior: prior.sample(ids_of(2, 3), 3, allowed=(4, 4)), "4 to 4"),
        (lambda prior: prior.sample(ids_of(2, 3), 3, allowed=(4, 11)), "4 to 11"),
        (lambda prior: prior.sample(ids_of(2, 3), 3, allowed=(-1, 4)), "-1 to 4"),
        (
            lambda prior: prior.bits(ids_of(2, 3), counted=ids_of(2, 2) == 0),
            r"counted has shape \(2, 2\), ids \(2, 3\)",
        ),
    ],
)
def test_bad_requests_are_named(call, says):
    with pytest.raises(ValueError, match=says):
        call(CausalPrior(10, 8))


def test_a_mask_without_streams_is_refused():
    """(B, N) against (B, N, Q): with 3 positions and 2 streams it would fit by accident, and count other ids."""
    prior, ids = CausalPrior(10, 8, streams=2), ids_of(2, 3, 2)
    with pytest.raises(ValueError, match=r"counted has shape \(2, 3\), ids \(2, 3, 2\)"):
        prior.bits(ids, counted=torch.ones(2, 3, dtype=torch.bool))


def test_the_longest_sequence_is_allowed():
    prior = CausalPrior(10, 8)
    assert prior(ids_of(2, 8)).shape == (2, 8, 10) and prior.bits(ids_of(2, 8)).shape == (2,)
    assert prior.sample(ids_of(2, 3), 5).shape == (2, 5)
