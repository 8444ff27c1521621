"""The Triton kernel of `compress` without a card: run by the interpreter, compiled for two generations, broken on purpose."""

import numpy as np
import pytest

pytestmark = pytest.mark.kernel

torch = pytest.importorskip("torch")
triton = pytest.importorskip("triton")

from kernel_tools import DEVICE, INPUT, OUTPUT, broken, compiled, fence, interpreted, machine_code, resources, runs

from mmtokedu.cuda import compress as twins
from mmtokedu.cuda.kernels import compress as kernels

ROLES = INPUT, INPUT, OUTPUT, OUTPUT
CASES = [  # (B, N, D): tiles of 64 evens and of 64 or 128 odds, 16 to 64 numbers at a time, filled and not
    (1, 2, 1),
    (2, 3, 5),
    (1, 257, 70),
    (3, 130, 32),
    (1, 600, 16),
]


def drawn(shape, seed=0):
    """Tokens of unlike lengths, with zeros and with copies of odd ones far apart."""
    draw = np.random.default_rng(seed)
    tokens = draw.standard_normal(shape).astype(np.float32) * np.exp2(draw.integers(-6, 7, (*shape[:2], 1)))
    tokens[:, 5::11] = 0
    tokens[:, 3::8] = tokens[:, 1:2]
    return tokens.astype(np.float32)


def check(monkeypatch, module, shape, dtype):
    """One case: no partner that is less alike than the best, the first of equal ones, and nothing beside the tensors."""
    metric = torch.from_numpy(drawn(shape)).to(dtype)
    with monkeypatch.context() as patch:
        fence(patch, kernels, "match_tokens", module, ROLES)
        found = twins._by_kernel(metric.to(DEVICE))
    numbers = metric.double().numpy()
    lengths = np.linalg.norm(numbers, axis=-1, keepdims=True)
    units = np.divide(numbers, lengths, where=lengths > 0, out=np.zeros_like(numbers))
    cosines = units[:, ::2] @ units[:, 1::2].swapaxes(1, 2)
    best, partner = cosines.max(axis=2), found.partner.cpu().numpy()
    assert ((0 <= partner) & (partner < shape[1] // 2)).all()
    np.testing.assert_allclose(found.similarity.cpu().numpy(), best, rtol=0, atol=1e-6)
    chosen = np.take_along_axis(cosines, partner[..., None], axis=2)[..., 0]
    np.testing.assert_allclose(chosen, best, rtol=0, atol=1e-6)
    first = (cosines > best[..., None] - 1e-9).argmax(axis=2)
    assert (partner <= first).all()  # copies are equal to the bit, so of these the first is found


@runs
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", CASES)
def test_the_best_partner_and_nothing_beside_it(monkeypatch, shape, dtype):
    check(monkeypatch, kernels, shape, dtype)


@runs
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # what NumPy says of NaN in the interpreter
def test_numbers_that_are_not_finite_name_a_partner_that_there_is(monkeypatch):
    """A card does not read them back: what it answers must at least be the place of a token."""
    metric = torch.from_numpy(drawn((1, 200, 8)))
    metric[0, 7], metric[0, 10] = float("nan"), float("inf")
    monkeypatch.setattr(twins, "check_finite", lambda x, name: None)
    partner = twins._by_kernel(metric.to(DEVICE)).partner
    assert 0 <= int(partner.min()) and int(partner.max()) < 100


SLIPS = {
    "evens among evens": ("metric, 2 * col + 1, N", "metric, 2 * col, N"),
    "odds look for odds": ("metric, 2 * row, N", "metric, 2 * row + 1, N"),
    "lengths of odds left out": (
        "ours[:, None] * tl.load(inverses + 2 * col + 1, mask=col < N // 2, other=0.0)[None, :]",
        "ours[:, None]",
    ),
    "lengths of evens left out": (
        "score *= ours[:, None] * tl.load",
        "score *= tl.load",
    ),
    "columns beyond the last": ('tl.where((col < N // 2)[None, :], score, float("-inf"))', "score"),
    "the last of equal ones in a tile": (
        "tl.min(tl.where(score >= top[:, None] - 1 / STEPS, col[None, :], N), axis=1)",
        "tl.max(tl.where(score >= top[:, None] - 1 / STEPS, col[None, :], 0), axis=1)",
    ),
    "the last tile of equal ones": ("top > best + 1 / STEPS", "top >= best - 1 / STEPS"),
    "the last tile's best": ("at = tl.where(above, lowest, at)", "at = lowest"),
    "the first tile's best": ("        best = tl.where(above, top, best)\n", ""),
    "one stretch of numbers alone": ("range(0, D, DEPTH)", "range(0, DEPTH, DEPTH)"),
    "one item for all": ("    metric += item * N * D\n", ""),
    "one item's lengths for all": ("    inverses += item * N\n", ""),
    "all into one item": ("partner + item * A", "partner + 0 * A"),
    "the last rows dropped": ("triton.cdiv((tokens + 1) // 2, 64)", "max(1, tokens // 128)"),
    "no mask": ("at.to(tl.int64), mask=row < A", "at.to(tl.int64), mask=row >= 0"),
    "cosines are cut": ("best * STEPS + 0.5", "best * STEPS - 10"),
}


@interpreted
@pytest.mark.parametrize("slip", SLIPS)
def test_each_slip_is_caught(monkeypatch, tmp_path, slip):
    module = broken(tmp_path, *SLIPS[slip], kernels)
    with pytest.raises(AssertionError):
        for shape in CASES:
            check(monkeypatch, module, shape, torch.float32)


@compiled
@pytest.mark.parametrize("generation", [80, 90])  # A100, H200
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_compiles_without_spills(tmp_path, generation, dtype):
    """4,096 tokens of 1,024 numbers as machine code, without a card: halves on the tensor cores, and no spills."""
    _, constants, options = kernels.plan(4096, 1024, dtype != torch.float32)
    constants |= {"KIND": kernels.KINDS[dtype]}
    kinds = {"metric": f"*{kernels.KINDS[dtype]}", "inverses": "*fp32", "similarity": "*fp32", "partner": "*i64"}
    asm = machine_code(kernels._match, generation, kinds | {"N": "i32", "A": "i32"}, constants, options, ("N", "A")).asm
    assert (dtype == torch.float32) != ("mma" in asm["ptx"])
    used = resources(tmp_path, asm["cubin"])
    assert 0 < used["REG"] <= 255 and used["STACK"] == used["LOCAL"] == 0, used


@pytest.mark.parametrize("capability, kernel", [((7, 5), False), ((8, 0), True), ((9, 0), True)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_who_takes_the_kernel(monkeypatch, capability, kernel, dtype):
    """Compute capability 7.5, Colab's T4, is left to torch; float64 and a single token are torch's everywhere."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    monkeypatch.setattr(twins, "runs_triton", lambda x: True)

    class OnACard:
        is_cuda, device = True, "cuda"

        def __init__(self, *shape):
            self.shape, self.dtype = shape, dtype

        def numel(self):
            return int(np.prod(self.shape))

    assert twins._takes_kernel(OnACard(3, 9, 4)) == (kernel and dtype != torch.float64)
    assert not twins._takes_kernel(OnACard(3, 1, 4)) and not twins._takes_kernel(OnACard(0, 9, 4))
