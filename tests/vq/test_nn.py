"""Quantizers as layers: what they return, what learns and what does not, and that remedies do what they are for."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mmtokedu import vq
from mmtokedu.nn.vq import FiniteScalar, PatchAutoencoder, SimVQ, UnitQuantizer, VectorQuantizer

LAYERS = {
    "ema": lambda: VectorQuantizer(32, 4),
    "gradient": lambda: VectorQuantizer(32, 4, learn="gradient"),
    "rotation": lambda: VectorQuantizer(32, 4, through=vq.rotation_trick),
    "restarts": lambda: VectorQuantizer(32, 4, restart_below=0.1),
    "unit": lambda: UnitQuantizer(32, 4),
    "simvq": lambda: SimVQ(32, 4),
    "fsq": lambda: FiniteScalar([3, 3, 3, 3]),
}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(params=LAYERS)
def layer(request):
    return LAYERS[request.param]()


def test_shapes_codes_and_gradient(layer):
    vectors = torch.randn(3, 7, 4, requires_grad=True)
    out = layer(vectors)
    assert out.quantized.shape == vectors.shape and out.codes.shape == (3, 7) and out.loss.ndim == 0
    assert out.codes.dtype == torch.int64 and 0 <= int(out.codes.min()) and int(out.codes.max()) < layer.K
    weights = torch.randn_like(out.quantized)
    (out.quantized * weights).sum().backward()
    assert vectors.grad is not None and float(vectors.grad.abs().sum()) > 0


def test_an_empty_batch_changes_nothing(layer):
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    out = layer(torch.zeros(0, 4))
    assert out.quantized.shape == (0, 4) and float(out.loss.detach()) == 0
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_in_evaluation_nothing_learns(layer):
    layer.eval()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    layer(torch.randn(100, 4))
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_a_stored_layer_gives_the_same_codes(layer):
    for _ in range(3):
        layer(torch.randn(64, 4))
    vectors = torch.randn(50, 4)
    codes = layer.eval()(vectors).codes
    other = type(layer)(layer.levels) if isinstance(layer, FiniteScalar) else type(layer)(32, 4)
    if getattr(layer, "learn", "") == "gradient" and not isinstance(layer, SimVQ):
        other = VectorQuantizer(32, 4, learn="gradient")
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other.eval()(vectors).codes, codes)


def test_quantized_vectors_are_the_codes(layer):
    vectors, layer = torch.randn(40, 4), layer.eval()
    out = layer(vectors)
    expected = (
        torch.from_numpy(vq.fsq_look_up(out.codes.numpy(), layer.levels))
        if isinstance(layer, FiniteScalar)
        else vq.look_up(out.codes, layer.codebook)
    )
    torch.testing.assert_close(out.quantized, expected, rtol=1e-5, atol=1e-6)


def test_moving_averages_follow_the_function():
    layer, vectors = VectorQuantizer(8, 3, decay=0.9), torch.randn(100, 3)
    state = vq.EmaState(layer.sum.numpy().copy(), layer.usage.numpy().copy())
    out = layer(vectors)
    expected = vq.ema_update(state, vectors.numpy(), out.codes.numpy(), 0.9)
    np.testing.assert_allclose(layer.codebook.numpy(), expected.embed, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(layer.usage.numpy(), expected.usage, rtol=1e-5)


def test_the_losses_pull_what_they_should():
    layer, vectors = VectorQuantizer(8, 3, learn="gradient", commitment=0.25), torch.randn(50, 3, requires_grad=True)
    out = layer(vectors)
    out.loss.backward()
    codes = out.codes.numpy()
    book, none = layer.weight.detach().numpy(), np.zeros((50, 3), np.float32)
    to_vectors, to_codebook = vq.vq_gradients(vectors.detach().numpy(), book, codes, none, beta=0.25)
    np.testing.assert_allclose(vectors.grad.numpy(), to_vectors, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(layer.weight.grad.numpy(), to_codebook, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("learn", ["ema", "gradient"])
def test_a_restarted_code_stays_where_it_was_put(learn):
    far = torch.full((32, 4), 50.0) + torch.randn(32, 4)
    far[0] = 0
    layer = VectorQuantizer(32, 4, learn=learn, decay=0.5, restart_below=0.2, codebook=far)
    vectors = torch.randn(200, 4)
    for _ in range(6):
        used = vq.codebook_usage(layer(vectors).codes, 32).used
    assert used > 25
    without = VectorQuantizer(32, 4, learn=learn, decay=0.5, codebook=far)
    for _ in range(6):
        stuck = vq.codebook_usage(without(vectors).codes, 32).used
    assert stuck == 1


def test_a_restart_leaves_living_codes_alone():
    layer = VectorQuantizer(4, 2, learn="gradient", decay=0.5, restart_below=0.5, codebook=torch.eye(4, 2) * 9)
    before = layer.weight.detach().clone()
    vectors = torch.tensor([[9.0, 0.0], [0.0, 9.0]]).repeat(10, 1)
    for _ in range(8):
        layer(vectors)
    assert torch.equal(layer.weight[:2], before[:2]) and not torch.equal(layer.weight[2:], before[2:])


@pytest.mark.parametrize("learn", ["ema", "gradient"])
def test_kmeans_starts_on_the_data_and_survives_the_next_step(learn):
    layer, vectors = VectorQuantizer(16, 4, learn=learn), torch.randn(500, 4) + 20
    assert vq.codebook_usage(layer.eval()(vectors).codes, 16).used < 16
    layer.train().start_from(vectors)
    assert vq.codebook_usage(layer(vectors).codes, 16).used == 16
    assert vq.codebook_usage(layer(vectors).codes, 16).used == 16


def test_units_have_length_one_and_simvq_keeps_its_numbers():
    unit = UnitQuantizer(16, 4, restart_below=0.1)
    for _ in range(5):
        out = unit(torch.randn(64, 4))
    torch.testing.assert_close(out.quantized.norm(dim=-1), torch.ones(64))
    torch.testing.assert_close(unit.codebook.norm(dim=-1), torch.ones(16))
    simvq = SimVQ(16, 4)
    frozen, book = simvq.sum.clone(), simvq.codebook.detach().clone()
    optimizer = torch.optim.SGD(simvq.parameters(), 0.5)
    simvq(torch.randn(64, 4)).loss.backward()
    optimizer.step()
    moved = (simvq.codebook.detach() - book).abs().sum(dim=1)
    assert torch.equal(simvq.sum, frozen) and (moved > 0).all(), "one step moves every code"
    with pytest.raises(TypeError, match="frozen"):
        simvq.start_from(torch.randn(64, 4))


def test_an_autoencoder_learns_through_the_quantizer():
    model, rows = PatchAutoencoder(12, 4, VectorQuantizer(32, 4, learn="gradient")), torch.rand(256, 12)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    first = None
    for _ in range(60):
        rebuilt, codes, loss = model(rows)
        error = ((rebuilt - rows) ** 2).mean()
        first = float(error.detach()) if first is None else first
        (error + loss).backward()
        assert all(p.grad is not None for p in model.encoder.parameters())
        optimizer.step()
        optimizer.zero_grad()
    assert float(error.detach()) < 0.6 * first
    assert PatchAutoencoder(12, 4)(rows)[1] is None


@pytest.mark.parametrize(
    "call, error, says",
    [
        (lambda: VectorQuantizer(8, 3, learn="magic"), ValueError, "magic"),
        (lambda: VectorQuantizer(8, 3)(torch.zeros(5, 4)), ValueError, r"\(5, 4\); expected \(\.\.\., 3\)"),
        (lambda: VectorQuantizer(8, 3)(torch.full((5, 3), float("nan"))), ValueError, "finite"),
        (lambda: VectorQuantizer(8, 3).start_from(torch.zeros(5, 3)), ValueError, "5 vectors cannot have 8 means"),
        (lambda: FiniteScalar([8, 5])(torch.zeros(5, 3)), ValueError, "2 levels"),
    ],
)
def test_bad_input_is_named(call, error, says):
    with pytest.raises(error, match=says):
        call()
