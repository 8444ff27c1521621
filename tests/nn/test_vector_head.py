"""Three heads in the plane: a squared error lands between two answers, codes and a flow that takes its time do not."""

import pytest

pytestmark = pytest.mark.apart

torch = pytest.importorskip("torch")

from mmtokedu.nn import vector_head as heads
from mmtokedu.vq import nearest_code


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_what_comes_lies_on_one_of_two_ways_and_both_are_equally_likely():
    drawn = heads.draw_nexts(4000, generator())
    hits = heads.measure(drawn.nexts, drawn.ways)
    assert hits.share > 0.98 and abs(hits.left - 0.5) < 0.04
    between = drawn.ways.mean(dim=1)  # half the context: a turn by 60 degrees either way
    torch.testing.assert_close(between, drawn.contexts / 2)
    assert heads.measure(between, drawn.ways).share == 0
    torch.testing.assert_close(drawn.ways.norm(dim=2), torch.ones(4000, 2))


def test_a_draw_is_its_generators_alone():
    first, again, other = (heads.draw_nexts(9, generator(seed)).nexts for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    there = heads.draw_nexts(9, generator(), angle=0)
    torch.testing.assert_close(there.contexts, torch.tensor([[1.0, 0.0]]).expand(9, 2))


def test_a_perfect_flow_in_one_step_lands_between_and_in_many_steps_on_a_way():
    """Beside anything trained: the best velocity for these ways is known, since each is a cloud round a point."""
    drawn = heads.draw_nexts(1000, generator())

    class Best(torch.nn.Module):
        def forward(self, x):
            x, t, _ = x.split((2, 1, 2), dim=1)
            spread = (1 - t) ** 2 + (t * heads.NOISE) ** 2
            apart = ((x[:, None] - t[:, None] * drawn.ways) ** 2).sum(dim=2)  # (N, 2)
            chances = (-apart / (2 * spread)).softmax(dim=1)[..., None]
            per_way = t[:, None] * heads.NOISE**2 - (1 - t[:, None])
            moves = drawn.ways + per_way / spread[:, None] * (x[:, None] - t[:, None] * drawn.ways)
            return (chances * moves).sum(dim=1)

    head = heads.FlowHead()
    head.net = Best()
    one, many = (head.sample(drawn.contexts, generator(1), steps=steps) for steps in (1, 64))
    torch.testing.assert_close(one, drawn.contexts / 2, atol=1e-5, rtol=0)
    hits = heads.measure(many, drawn.ways)
    assert hits.share > 0.95 and abs(hits.left - 0.5) < 0.06


def test_a_code_is_drawn_as_often_as_its_head_says():
    head = heads.CodeHead(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    with torch.no_grad():
        head.net[-1].weight.zero_()
        head.net[-1].bias.copy_(torch.tensor([0.5, 0.3, 0.2]).log())
    samples = head.sample(torch.zeros(20_000, 2), generator())
    shares = torch.bincount(nearest_code(samples, head.codebook), minlength=3) / 20_000
    torch.testing.assert_close(shares, torch.tensor([0.5, 0.3, 0.2]), atol=0.02, rtol=0)


@pytest.fixture(scope="module")
def rows():
    return heads.compare(seeds=(0,), count=400, updates={"mean": 150, "codes": 200, "flow": 500})


def test_a_squared_error_lands_between_and_the_others_on_a_way(rows):
    (mean,), (codes,), (flow,), (one,) = (rows[name] for name in ("mean", "codes", "flow, 8 steps", "flow, 1 step"))
    assert mean.share == 0 and 0.7 < mean.distance < 1
    assert codes.share > 0.8 and 0.35 < codes.left < 0.65
    assert flow.share > 0.5 and 0.35 < flow.left < 0.65
    assert one.share < 0.05 and one.distance > 2 * flow.distance


def test_more_steps_bring_more_samples_home_and_a_codebook_has_a_bound(rows):
    shares = [rows[f"flow, {n} step{'s' if n > 1 else ''}"][0].share for n in (1, 2, 4, 8)]
    assert shares[0] + 0.3 < shares[1] < min(shares[2:])
    assert rows["codes, the best"][0].share <= rows["what comes"][0].share
    assert rows["codes"][0].share <= rows["codes, the best"][0].share + 0.03


def test_a_seed_is_one_run():
    few = {"mean": 2, "codes": 2, "flow": 2}
    first, again, other = (heads.compare(seeds=(seed,), count=50, updates=few) for seed in (0, 0, 1))
    assert [row[0].distance for row in first.values()] == [row[0].distance for row in again.values()]
    assert first["mean"] != other["mean"]
