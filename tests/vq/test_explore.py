"""The explorable of the three gradients on the Python side: its places, its numbers against autograd, its output."""

import html
import itertools
import json
import re

import numpy as np
import pytest

from mmtokedu import explore, vq
from mmtokedu.explore import _gradients
from mmtokedu.explore._gradients import PRESETS, RATE, outcome, places, stepped


def walk(preset, beta, steps):
    """[(code, loss, distance of z to t)] before each step, places rounded to thousandths as in the page."""
    (z, t, codes), found = places(preset), []
    for _ in range(steps):
        here = outcome(z, t, codes, beta, True)
        found.append((here.code, here.loss, float(np.hypot(*(z - t)))))
        z, codes = (each.round(3) for each in stepped(z, t, codes, beta, True))
    return found


def test_gradients_by_hand():
    """z = (1, 2), its code (0, 0), the task wants (1, 0): a mean over two numbers makes every gradient a difference."""
    z, t, codes = np.array([1.0, 2.0]), np.array([1.0, 0.0]), np.array([[0.0, 0.0], [5.0, 5.0]])
    found = outcome(z, t, codes, 0.5, True)
    assert (found.code, found.loss) == (0, 0.5)
    assert found.task.tolist() == [-1, 0]  # e - t
    assert found.to_latent.tolist() == [-1 + 0.5 * 1, 0.5 * 2]  # and beta (z - e)
    assert found.to_codebook.tolist() == [[-1, -2], [0, 0]]  # e - z
    after = stepped(z, t, codes, 0.5, True)
    assert [each.tolist() for each in after] == [[1.25, 1.5], [[0.5, 1.0], [5.0, 5.0]]]
    assert outcome(z, t, codes, 0.5, False).to_latent.tolist() == [0.5, 1.0]  # the commitment alone
    assert not outcome(z, t, codes, 0, False).to_latent.any()  # nothing


@pytest.mark.parametrize("through", [True, False])
@pytest.mark.parametrize("preset", PRESETS)
def test_the_figures_gradients_are_those_of_autograd(preset, through):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    arrays, beta = places(preset), 0.7
    z, t, codes = (torch.tensor(each, requires_grad=True) for each in arrays)
    e = vq.look_up(vq.nearest_code(z[None], codes), codes)
    seen = vq.straight_through(z[None], e) if through else e.detach()
    loss = (seen - t).square().mean() + vq.commitment_loss(e, z[None]) + beta * vq.commitment_loss(z[None], e)
    loss.backward()
    found = outcome(*arrays, beta, through)
    np.testing.assert_allclose(found.to_latent, z.grad.numpy(), rtol=1e-12)
    np.testing.assert_allclose(found.to_codebook, codes.grad.numpy(), rtol=1e-12)


# What the presets promise


def test_the_arrow_helps():
    (first, before, _), (then, after, _) = walk("ahead", 0.25, 2)
    assert (first, then) == (0, 1) and after < before / 30


def test_the_arrow_misleads_and_with_beta_1_it_cannot():
    away = [distance for *_, distance in walk("beyond", 0.25, 2)]
    assert away[1] > 1.2 * away[0]
    z, t, codes = places("beyond")
    found = outcome(z, t, codes, 0.25, True)
    assert -found.task @ (t - z) < 0  # the copied arrow, against the way to t
    np.testing.assert_allclose(outcome(z, t, codes, 1, True).to_latent, z - t, atol=1e-12)


def test_without_commitment_z_wanders():
    crossed = {}
    for beta in (0, 0.25, 1):
        codes = [code for code, *_ in walk("wander", beta, 20)]
        crossed[beta] = sum(a != b for a, b in itertools.pairwise(codes))
    assert crossed == {0: 5, 0.25: 0, 1: 0}


def test_a_code_that_is_never_chosen_dies_though_it_is_nearest_to_the_target():
    z, t, codes = places("dead")
    assert vq.nearest_code(t[None], codes).tolist() == [1]
    path = walk("dead", 0.25, 20)
    assert {code for code, *_ in path} == {0} and path[-1][1] < 1e-3


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("beta", [None, 0.25, 1])
def test_no_preset_leaves_the_plane_or_meets_a_tie(preset, beta):
    z, t, codes = places(preset)
    for _ in range(20):
        away = np.sort(np.hypot(*(codes - z).T))
        assert away[1] - away[0] > 0.01
        assert max(np.abs(z).max(), np.abs(codes).max()) < 1
        z, codes = stepped(z, t, codes, PRESETS[preset][3] if beta is None else beta, True)


# The output


def test_gradients_output_carries_arguments_and_still():
    out = explore.gradients(preset="beyond", beta=1, straight_through=False)
    head = out._repr_html_().split("</mm-explore-gradients>")[0]
    assert '<mm-explore-gradients preset="beyond" beta="1.0" through="off"><figure' in head
    assert f"<title>{html.escape(out.alt)}</title>" in head and head.count("<circle ") == 1
    assert re.findall(r">(\w)</text>", head) == ["0", "1", "2", "3", "z", "t"]
    assert "(0.75, 0.30) of length 0.81" in out.alt and "Without straight-through and with beta 1 " in out.alt
    text = out._repr_html_()
    data, _ = json.JSONDecoder().raw_decode(text[text.index("gradients ??= ") + len("gradients ??= ") :])
    assert data == {"presets": json.loads(json.dumps(PRESETS)), "rate": RATE, "most": 2}


def test_beta_is_the_presets_unless_given():
    assert 'preset="wander" beta="0.0"' in explore.gradients(preset="wander").body
    assert 'preset="wander" beta="0.5"' in explore.gradients(preset="wander", beta=0.5).body


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"preset": "astray"}, ValueError, "preset is 'astray'; choose ahead, beyond, wander, dead"),
        ({"preset": ["ahead"]}, ValueError, "preset is ['ahead']; choose ahead"),
        ({"beta": 2.5}, ValueError, "beta is 2.5; choose 0 to 2"),
        ({"beta": -0.1}, ValueError, "beta is -0.1; choose 0 to 2"),
        ({"beta": float("nan")}, ValueError, "beta is nan; choose 0 to 2"),
        ({"straight_through": "off"}, TypeError, "straight_through is 'off'; expected True or False"),
    ],
)
def test_gradients_arguments_are_checked(arguments, error, says):
    with pytest.raises(error, match=re.escape(says)):
        explore.gradients(**arguments)


def test_gradients_golden_vectors_are_the_librarys_and_far_from_ties():
    golden = explore.golden_vectors("gradients")
    assert len(golden["gradients"]) == 40 and len(golden["outcomes"]) >= 160
    for z, codes, chosen, upstream, beta, told in golden["gradients"]:
        again = vq.vq_gradients(*(np.array(each) for each in (z, codes, chosen, upstream)), beta)
        for one, other in zip(again, told, strict=True):
            np.testing.assert_array_equal(one, other)
    assert max(len(z) for z, *_ in golden["gradients"]) > 4  # means over N * D, not over D alone
    for asked, (code, *_), (z, codes) in golden["outcomes"]:
        away = np.hypot(*(np.array(asked["codes"]) - asked["z"]).T)
        assert away.argmin() == code and (np.delete(away, code) > away[code] + 1e-4).all()
        still = np.delete(np.arange(len(codes)), code)
        np.testing.assert_array_equal(np.array(codes)[still], np.array(asked["codes"])[still])
        assert codes[code] != asked["codes"][code] and (z != asked["z"] or not (asked["through"] or asked["beta"]))
    assert _gradients.RATE == 0.5
