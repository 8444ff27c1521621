"""Quantizers as layers: what they return, what learns and what does not, and that remedies do what they are for."""

import numpy as np
import pytest

pytestmark = pytest.mark.kernel

torch = pytest.importorskip("torch")

import io
import subprocess
import sys

from no_float64 import NoFloat64

from mmtokedu import vq
from mmtokedu.nn.codec import ResidualQuantizer
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
        (lambda: VectorQuantizer(8, 3)(torch.zeros(2, 5, 4)), ValueError, r"\(2, 5, 4\); expected \(\.\.\., 3\)"),
        (lambda: VectorQuantizer(8, 3)(torch.zeros(())), ValueError, r"\(\); expected"),
        (lambda: UnitQuantizer(8, 3)(torch.zeros(5, 4)), ValueError, r"\(5, 4\); expected"),
        (lambda: VectorQuantizer(8, 3)(torch.zeros(5, 3, dtype=torch.int64)), TypeError, "int64"),
        (lambda: VectorQuantizer(8, 3).start_from(torch.zeros(9, 1)), ValueError, r"\(9, 1\); expected \(N, 3\)"),
        (lambda: VectorQuantizer(0, 4), ValueError, "K is 0"),
        (lambda: VectorQuantizer(4, -1), ValueError, "D is -1"),
        (lambda: SimVQ(4, 0), ValueError, "D is 0"),
        (lambda: VectorQuantizer(2.5, 4), TypeError, "K is 2.5"),
        (lambda: VectorQuantizer(2**62, 4), ValueError, "codebook of 4611686018427387904x4"),
        (lambda: VectorQuantizer(4, 4, decay=1.0), ValueError, "decay is 1.0"),
        (lambda: VectorQuantizer(4, 4, decay=float("nan")), ValueError, "decay is nan"),
        (lambda: VectorQuantizer(4, 4, restart_below=-0.1), ValueError, "restart_below is -0.1"),
        (lambda: VectorQuantizer(4, 4, restart_below=2), ValueError, "restart_below is 2; .* 0 to 1"),
        (lambda: VectorQuantizer(4, 4, commitment=float("inf")), ValueError, "commitment is inf"),
        (lambda: SimVQ(4, 4, commitment=-1), ValueError, "commitment is -1"),
        (
            lambda: VectorQuantizer(16, 4, codebook=torch.zeros(8, 3)),
            ValueError,
            r"\(8, 3\); a layer of K=16, D=4 needs \(16, 4\)",
        ),
        (lambda: VectorQuantizer(2, 1, codebook=torch.tensor([[1.0], [torch.nan]])), ValueError, "codebook.*finite"),
        (lambda: VectorQuantizer(1, 1, codebook=np.array([[1e300]])), ValueError, "codebook.*finite"),
        (lambda: VectorQuantizer(1, 1, codebook=np.array([[1]])), TypeError, "codebook: dtype is int64"),
        (lambda: VectorQuantizer(1, 1, codebook=[[1.0]]), TypeError, "codebook is list"),
        (lambda: FiniteScalar([1000] * 8), ValueError, "product below 2.63"),
        (lambda: FiniteScalar([]), ValueError, r"levels are \[\]"),
        (lambda: FiniteScalar([1]), ValueError, r"levels are \[1\]"),
        (lambda: FiniteScalar([2.5]), TypeError, "a level is 2.5"),
    ],
)
def test_bad_input_is_named(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_a_codebook_may_come_from_numpy_and_is_copied():
    given = np.eye(3, 2)
    for learn in ("ema", "gradient"):
        layer = VectorQuantizer(3, 2, learn=learn, codebook=given)
        assert layer.codebook.dtype == torch.float32 and layer.codebook.tolist() == given.tolist()
    start = torch.eye(3, 2)
    layer = VectorQuantizer(3, 2, learn="gradient", codebook=start)
    with torch.no_grad():
        layer.weight.zero_()
    assert float(start.sum()) == 2 and (given == np.eye(3, 2)).all()


def test_the_number_of_codes_of_many_levels_is_exact():
    assert FiniteScalar([1000] * 6 + [9]).K == 9 * 10**18


# the formats people train in

FORMATS = [torch.float16, torch.bfloat16, torch.float64]


@pytest.mark.parametrize("dtype", FORMATS)
def test_a_cast_layer_gives_its_codes_in_the_format_of_its_input(layer, dtype):
    for _ in range(3):
        layer(torch.randn(64, 4))
    vectors = torch.randn(50, 4).to(dtype)
    expected = layer.eval()(vectors.float()).codes
    layer.to(dtype).train()
    given = vectors.clone().requires_grad_()
    out = layer(given)
    (out.quantized.sum() + out.loss).backward()
    assert out.quantized.dtype == given.grad.dtype == dtype and torch.isfinite(given.grad).all()
    rounded = isinstance(layer, SimVQ) or getattr(layer, "learn", "") == "gradient"  # weights are in that format
    same = (out.codes == expected).double().mean()
    assert same == 1 or (rounded and same > 0.9)


def faded(dtype):
    """A layer whose codes but one have had nothing for so long that their usage is no float16."""
    layer = VectorQuantizer(16, 4)
    vectors = 0.01 * torch.randn(64, 4) + layer.codebook[3]
    layer.usage.mul_(1e-10), layer.sum.mul_(1e-10)
    layer(vectors)
    return layer, vectors.to(dtype)


@pytest.mark.parametrize("dtype", FORMATS)
def test_dead_codes_survive_a_cast(dtype):
    layer, vectors = faded(dtype)
    before = layer.codebook.clone()
    expected = torch.float64 if dtype == torch.float64 else torch.float32
    layer.to(dtype)
    assert layer.usage.dtype == layer.sum.dtype == expected
    assert torch.equal(layer.codebook.float(), before)
    assert layer.eval()(vectors).codes.unique().tolist() == [3]
    layer.train()(vectors)
    assert torch.isfinite(layer.codebook).all()
    layer.to(dtype).half()
    assert layer.usage.dtype == torch.float32, "from float64 down as well"
    assert [layer.to("meta").usage.is_meta, layer.usage.dtype] == [True, torch.float32]


def test_only_the_averages_resist_a_cast():
    unit, simvq = UnitQuantizer(8, 4).half(), SimVQ(8, 4).half()
    assert VectorQuantizer(8, 4, learn="gradient").half().weight.dtype == torch.float16
    assert simvq.map.weight.dtype == torch.float16 and simvq.sum.dtype == torch.float32
    assert unit.codebook.dtype == torch.float32
    none = unit(torch.zeros(3, 4, dtype=torch.float16))
    assert torch.isfinite(none.quantized).all(), "a vector without a direction"


@pytest.mark.parametrize("assign", [False, True])
def test_a_state_goes_from_one_format_to_another(assign):
    layer, vectors = faded(torch.float32)
    stored = io.BytesIO()
    torch.save(layer.half().state_dict(), stored)
    stored.seek(0)
    for other in (VectorQuantizer(16, 4), VectorQuantizer(16, 4).double(), VectorQuantizer(16, 4).bfloat16()):
        other.load_state_dict(torch.load(stored, weights_only=True), assign=assign)
        assert torch.equal(other.codebook.float(), layer.codebook)
        stored.seek(0)
    shrunk = {name: value.half() for name, value in layer.state_dict().items()}
    with pytest.raises(RuntimeError, match="usage is 0 for 15 of 16 codes.*float16"):
        VectorQuantizer(16, 4).load_state_dict(shrunk, assign=assign)
    alive = {name: value.half() for name, value in VectorQuantizer(16, 4).state_dict().items()}
    other.load_state_dict(alive, assign=assign)
    assert other.usage.dtype == torch.float32


def test_a_codebook_that_is_a_weight_needs_no_usage():
    layer = VectorQuantizer(4, 2, learn="gradient")
    layer.load_state_dict({"weight": torch.eye(4, 2).half(), "usage": torch.zeros(4).half()})
    layer(torch.randn(9, 2))
    assert torch.equal(layer.weight.detach(), torch.eye(4, 2)) and float(layer.usage.min()) > 0


@pytest.mark.parametrize("quantizer", LAYERS)
def test_an_autoencoder_in_bfloat16_and_under_autocast(quantizer):
    rows = torch.randn(5, 12)
    model = PatchAutoencoder(12, 4, LAYERS[quantizer](), hidden=8)
    with torch.autocast("cpu", torch.bfloat16):
        rebuilt, codes, loss = model(rows)
    rebuilt.float().square().mean().add(loss).backward()
    assert rebuilt.dtype == torch.bfloat16 and codes.shape == (5,)
    assert model.bfloat16()(rows.bfloat16())[0].dtype == torch.bfloat16


def test_autocast_does_not_round_the_codes():
    layer, vectors = SimVQ(64, 4), torch.randn(500, 4)
    expected = layer(vectors)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(vectors)
    assert torch.equal(found.codes, expected.codes) and torch.equal(found.quantized, expected.quantized)


def test_fsq_of_a_bfloat16_has_all_its_codes():
    """Of 8 significant bits 1000 levels are not to be told apart; the code is that of the number as it is."""
    layer, vectors = FiniteScalar([1000, 8]), torch.linspace(-3, 3, 4002).view(-1, 2).bfloat16()
    expected, _ = vq.fsq(vectors.float().numpy(), [1000, 8])
    assert layer.bfloat16()(vectors).codes.tolist() == expected.tolist()
    assert len(np.unique(expected % 1000)) > 300


def test_layers_need_no_float64(layer):
    stages = ResidualQuantizer(2, 8, 4)
    with NoFloat64():
        for _ in range(2):
            out = layer(torch.randn(40, 4))
            stages(torch.randn(3, 5, 4))
        if isinstance(layer, VectorQuantizer) and not isinstance(layer, SimVQ):
            layer.start_from(torch.randn(40, 4))
        layer.bfloat16()(torch.randn(40, 4).bfloat16())
    assert torch.isfinite(out.quantized).all()


COMPILED = """
import sys, warnings, torch
from mmtokedu.nn.vq import FiniteScalar, VectorQuantizer
assert "torch._dynamo" not in sys.modules, "the compiler is loaded for nothing"
for make in (lambda: FiniteScalar([5] * 4), lambda: VectorQuantizer(8, 4, restart_below=0.5)):
    found = []
    for backend in (None, "eager"):
        torch.manual_seed(0)
        layer, vectors = make(), torch.randn(6, 5, 4, requires_grad=True)
        call = torch.compile(layer, backend=backend) if backend else layer
        for _ in range(2):
            out = call(vectors)
        (out.quantized.square().sum() + out.loss).backward()
        found.append([*out, vectors.grad, *layer.state_dict().values()])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)
assert torch._dynamo.utils.counters["stats"]["unique_graphs"] < 40, torch._dynamo.utils.counters["stats"]
"""


def test_a_compiled_layer_is_the_same_layer():
    """In a process of its own: the compiler takes seconds to load, and no function may load it for nothing."""
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
