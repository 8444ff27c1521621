"""The Triton kernel of `mrope` without a card: run by the interpreter, compiled for three generations, broken on purpose."""

import math
import re

import numpy as np
import pytest

pytestmark = pytest.mark.kernel

torch = pytest.importorskip("torch")
triton = pytest.importorskip("triton")

from kernel_tools import CARD, DEVICE, broken, compiled, interpreted, machine_code, resources, runs

from mmtokedu.catalog.positions import PAIRINGS
from mmtokedu.cuda import mrope as twins
from mmtokedu.cuda.kernels import mrope as kernels

DTYPES = {"float32": (torch.float32, 3e-6), "float16": (torch.float16, 4e-3), "bfloat16": (torch.bfloat16, 3e-2)}
# (batch, heads of queries and of keys, tokens, pairs, numbers beyond the pairs, pairing); sizes that fill no block
CASES = [
    (1, (1, 0), 1, 1, 0, "half"),
    (2, (3, 1), 5, 6, 0, "half"),
    (2, (3, 1), 5, 6, 0, "adjacent"),
    (1, (2, 2), 9, 3, 5, "half"),
    (1, (2, 1), 9, 3, 4, "adjacent"),
    (2, (1, 2), 7, 6, 0, "quarters"),
]


def textbook(x, positions, axis, speeds, pairing, sign):
    """Each pair as a complex number, in float64. x (B, heads, N, D), positions (A, B, N)."""
    pairs, out = len(axis), x.astype(np.float64)
    group = pairs // (PAIRINGS[pairing] or pairs)
    for i in range(pairs):
        first = i // group * 2 * group + i % group
        angle = sign * 2 * math.pi * positions[axis[i]] * speeds[i]  # (B, N)
        turned = (x[..., first] + 1j * x[..., first + group]) * np.exp(1j * angle)[:, None]
        out[..., first], out[..., first + group] = turned.real, turned.imag
    return out


def check(module, batch, heads, tokens, pairs, rest, pairing, *, dtype="float32", own=False, in_place=False, sign=1.0):
    """One case: every number right, inputs as they were, none written beside an out, which lies between poison."""
    rng = np.random.default_rng(0)
    kind, tolerance = DTYPES[dtype]
    width, margin = 2 * pairs + rest, 300
    xs, rooms, outs, expected = [], [], [], []
    axis = np.arange(pairs) % 3
    speeds = 100.0 ** (-np.arange(pairs) / pairs) / (2 * math.pi)
    places = rng.integers(0, 4000, (3, batch if own else 1, tokens))
    for count in [n for n in heads if n]:
        shape = batch, count, tokens, width
        x = torch.from_numpy(rng.standard_normal(shape)).to(kind).to(DEVICE)
        room = torch.full((x.numel() + 2 * margin,), float("nan"), dtype=kind, device=DEVICE)
        out = room[margin : margin + x.numel()].view(shape)
        everywhere = np.broadcast_to(places, (3, batch, tokens))
        expected.append(textbook(x.double().cpu().numpy(), everywhere, axis, speeds, pairing, sign))
        if in_place:
            out.copy_(x)
        xs.append(out if in_place else x), rooms.append(room), outs.append(out)
    before = [x.clone() for x in xs]
    at = torch.from_numpy(places[:, :, None] if own else places[:, 0]).to(DEVICE)
    given = torch.tensor(axis, dtype=torch.int32, device=DEVICE), torch.tensor(speeds, device=DEVICE)
    module.turn(xs, at, *given, pairing, sign, outs)
    for x, old, room, out, right in zip(xs, before, rooms, outs, expected, strict=True):
        np.testing.assert_allclose(out.double().cpu().numpy(), right, atol=tolerance, rtol=tolerance)
        assert in_place or torch.equal(x, old), "an input was written"
        beside = torch.cat([room[:margin], room[margin + out.numel() :]])
        assert torch.isnan(beside).all(), "numbers were written beside an out"


@runs
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_number_and_nothing_beside_it(case, dtype):
    check(kernels, *case, dtype=dtype)


@runs
@pytest.mark.parametrize("case", CASES, ids=str)
def test_in_place_back_and_with_positions_of_their_own(case):
    check(kernels, *case, in_place=True, sign=-1.0, own=True)


@runs
@pytest.mark.parametrize("programs", [1, 3, 1000])
def test_heads_are_shared_out(monkeypatch, programs):
    """By one program, by several, or a head each: never twice, never left out."""
    kernels.plan.cache_clear()
    monkeypatch.setattr(kernels, "PROGRAMS", programs)
    check(kernels, 1, (5, 3), 4, 3, 0, "half")
    kernels.plan.cache_clear()


@runs
def test_more_programs_than_one_grid_holds(monkeypatch):
    """The batch is launched in pieces once a grid would pass CUDA's limit; here the limit is 2 programs."""
    monkeypatch.setattr(kernels, "MAX_PROGRAMS", 2)
    check(kernels, 3, (1, 1), 2, 3, 0, "half", own=True)


@runs
@pytest.mark.parametrize("turns", [0.0, 0.125, 0.5, -0.25, 3.875, 1e6 + 1 / 3, 2.0**40 + 0.375])
def test_cosines_of_any_angle(turns):
    """One pair (1, 0), turned: whole turns are taken off exactly, and an eighth is within a float32's last bits."""
    x = torch.tensor([[[[1.0, 0.0]]]], device=DEVICE)
    out = torch.empty_like(x)
    one = torch.ones(1, dtype=torch.float64, device=DEVICE)
    axis = torch.zeros(1, dtype=torch.int32, device=DEVICE)
    kernels.turn([x], torch.tensor([[turns]], dtype=torch.float64, device=DEVICE), axis, one, "half", 1.0, [out])
    angle = 2 * math.pi * (turns - math.floor(turns))
    np.testing.assert_allclose(out.cpu().numpy().ravel(), [math.cos(angle), math.sin(angle)], atol=1.5e-7)


def test_plans_fill_the_card_and_no_more():
    assert kernels.plan(1, 4096, 36, 64, 64, (0, 0))[:2] == (256, 2)  # 512 programs for 132 multiprocessors
    assert kernels.plan(1, 32_768, 36, 64, 64, (0, 0))[:2] == (2048, 1)
    assert kernels.plan(64, 1, 36, 64, 64, (0, 0))[:2] == (1, 8)  # decoding
    assert kernels.plan(1, 1, 3, 64, 64, (0, 0))[:2] == (1, 3)  # no more shares than heads
    assert kernels.plan(1, 5, 3, 6, 6, (0, 3))[2] == {
        "P": 6, "BLOCK": 8, "TOKENS": 8, "GROUP": 6, "REST_Q": 0, "REST_K": 3, "ROOM_Q": 1, "ROOM_K": 4
    }  # fmt: skip


# Broken on purpose. Each line is one plausible slip; the tests above are worth something only if they see it.
SLIPS = {
    "every pair on the first axis": ("which[None, :] * axis_p", "0 * which[None, :] * axis_p"),
    "every document at the first one's positions": ("batch * batch_p", "0 * batch * batch_p"),
    "every block at the first tokens": ("(start + n)[:, None] * token_p", "n[:, None] * token_p"),
    "whole turns stay": ("turns - quarters / 4", "turns - 0 * quarters"),
    "sine and cosine never swapped": ("first = tl.where((q & 1) == 1, sin, cos)", "first = cos"),
    "the cosine's sign": ("((q + 1) & 2) == 2", "(q & 2) == 2"),
    "the sine's sign": ("tl.where((q & 2) == 2, -second, second)", "second"),
    "a series too short": ("(1 - z / 20 * (1 - z / 42 * (1 - z / 72)))", "1"),
    "turned the other way": ("sin *= sign", "sin *= -sign"),
    "never back": ("sin *= sign", "sin *= 1"),
    "half: the second number is not turned": (
        "tl.store(out + GROUP + first[None, :], (b * cos + a * sin)",
        "tl.store(out + GROUP + first[None, :], (b)",
    ),
    "half: a sign": ("(a * cos - b * sin).to", "(a * cos + b * sin).to"),
    "adjacent: a sign": ("tl.join(a * cos - b * sin", "tl.join(a * cos + b * sin"),
    "groups taken as one": ("pair // GROUP * (2 * GROUP) + pair % GROUP", "pair"),
    "what does not turn is not copied": ("if REST > 0:", "if REST > 1000:"),
    "the rest from the pairs": ("tl.load(x + rest[None, :], mask=beyond", "tl.load(x + rest[None, :] - P, mask=beyond"),
    "no mask over tokens": ("fits = start + n < tokens", "fits = n >= 0"),
    "no mask over pairs": (
        "inside = fits[:, None] & (pair < P)[None, :]\n    wide",
        "inside = fits[:, None] & (pair >= 0)[None, :]\n    wide",
    ),
    "adjacent: no mask over numbers": ("(wide < 2 * P)[None, :]", "(wide >= 0)[None, :]"),
    "one head only": ("        x += head_x\n", "        x += 0 * head_x\n"),
    "keys begin where queries do": ("low_k = tl.maximum(low - heads_q, 0)", "low_k = low"),
    "the last share dropped": (
        "each = (heads_q + heads_k + shares - 1) // shares",
        "each = tl.maximum((heads_q + heads_k) // shares, 1)",
    ),
    "only the first launch": ("range(0, batch, step)", "range(0, min(1, batch), step)"),
}


def cases(module):
    module.PROGRAMS, module.ELEMENTS = 3, 16
    for number, case in enumerate(CASES):
        check(module, *case, own=number % 2 == 1)
    check(module, 1, (5, 3), 2, 3, 0, "half")  # three programs share out the heads
    module.MAX_PROGRAMS = 1
    check(module, 2, (2, 2), 3, 2, 1, "half", own=True, sign=-1.0)


@interpreted
@pytest.mark.parametrize("slip", SLIPS)
def test_each_slip_is_caught(tmp_path, slip):
    module = broken(tmp_path, *SLIPS[slip], kernels)
    with pytest.raises(AssertionError):
        cases(module)


@interpreted
def test_the_unbroken_kernel_passes_what_the_slips_fail(tmp_path):
    cases(broken(tmp_path, "ELEMENTS = 1024", "ELEMENTS = 32", kernels))


HALF, ADJACENT, NARROW = (64, (0, 0)), (1, (0, 0)), (32, (64, 64))  # pairs side by side, numbers that do not turn
BUILDS = [(75, "fp16", HALF), (75, "fp32", ADJACENT), (80, "bf16", HALF), (80, "fp16", ADJACENT), (80, "fp32", NARROW)]
BUILDS += [(90, "bf16", HALF), (90, "fp32", HALF), (90, "bf16", ADJACENT), (90, "fp16", NARROW)]  # T4, A100, H200


@compiled
@pytest.mark.parametrize("generation, dtype, turning", BUILDS)
def test_compiles_without_spills(tmp_path, generation, dtype, turning):
    """32 + 4 heads of 128 as machine code, without a card: no memory of a thread's own, wide loads and stores."""
    group, rests = turning
    pairs = 32 if rests[0] else 64
    *_, constants = kernels.plan(1, 4096, 36, pairs, group, rests)
    kinds = dict.fromkeys(("queries", "keys", "queries_out", "keys_out"), f"*{dtype}")
    kinds |= {"positions": "*i64", "axis": "*i32", "speeds": "*fp64", "sign": "fp32"}
    kinds |= {name: "i32" for name in kernels._turn.arg_names if name not in kinds | constants}
    strides = [f"{what}_{of}" for what in ("batch", "head", "token") for of in ("q", "k", "qo", "ko")]
    asm = machine_code(kernels._turn, generation, kinds, constants, {"num_warps": 4}, strides).asm
    assert re.search(r"ld\.global\.v4", asm["ptx"]) and re.search(r"st\.global\.v4", asm["ptx"])
    used = resources(tmp_path, asm["cubin"])
    assert 0 < used["REG"] < 168 and used["STACK"] == used["LOCAL"] == 0, used


@pytest.mark.parametrize("capability, kernel", [((7, 5), False), ((8, 0), True), ((9, 0), True)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_who_takes_the_kernel(monkeypatch, capability, kernel, dtype):
    """Compute capability 7.5, Colab's T4, leaves bfloat16 to torch; float64 and other shapes are torch's everywhere."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    monkeypatch.setattr(twins, "runs_triton", lambda x: True)

    class OnACard:
        is_cuda, device = True, "cuda"

        def __init__(self, shape):
            self.shape, self.ndim, self.dtype = shape, len(shape), dtype

        def numel(self):
            return math.prod(self.shape)

        def __len__(self):
            return self.shape[0]

    def takes(shape, places):
        return twins._takes_kernel(torch.zeros(3, *places), (OnACard(shape), OnACard(shape)))

    wanted = dtype != torch.float64 and (kernel or dtype != torch.bfloat16)
    for shape, places in [((2, 3, 5, 16), (5,)), ((2, 3, 5, 16), (2, 1, 5)), ((3, 5, 16), (1, 5)), ((5, 16), (5,))]:
        assert takes(shape, places) == wanted, (shape, places)
    for shape, places in [
        ((2, 3, 5, 16), (2, 3, 5)),
        ((3, 5, 16), (3, 5)),
        ((1, 2, 3, 5, 16), (5,)),
        ((0, 5, 16), (5,)),
    ]:
        assert not takes(shape, places), (shape, places)


@pytest.mark.skipif(not CARD, reason="needs a card")
def test_on_a_card_in_a_graph():
    """Nothing is read back: a CUDA graph holds the call, and plays it on other positions."""
    from mmtokedu.mrope import rotate

    how = {"sections": (16, 24, 24), "theta": 1e6}
    x = torch.randn(1, 8, 64, 128, device="cuda", dtype=torch.float16)
    ids = torch.randint(0, 100, (3, 64), device="cuda")
    rotate(x, ids, **how)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = rotate(x, ids, **how)
    ids.copy_(torch.randint(0, 4000, (3, 64)))
    graph.replay()
    assert torch.equal(out, rotate(x, ids, **how))
