"""The Triton kernel of `patches` without a card: run by the interpreter, compiled for three generations, broken on purpose."""

import re

import numpy as np
import pytest

pytestmark = pytest.mark.kernel

torch = pytest.importorskip("torch")
triton = pytest.importorskip("triton")

from kernel_tools import CARD, DEVICE, broken, compiled, interpreted, machine_code, resources, runs

from mmtokedu.cuda.kernels import patches as kernels
from mmtokedu.patches import patchify_plain, qwen_rows

MEAN, STD = np.array([0.48, 0.46, 0.41, 0.5, 0.1]), np.array([0.27, 0.26, 0.28, 0.5, 1.0])
QWEN = {"merge": 2, "temporal": 2}
DTYPES = {"float32": (torch.float32, 1e-6), "float16": (torch.float16, 2e-3), "bfloat16": (torch.bfloat16, 1e-2)}

CASES = [  # (images, patch, merge and temporal for Qwen order or None for the plain grid); sizes that fill no block
    ((2, 8, 12, 3), 4, None),
    ((2, 8, 16, 3), 4, QWEN),
    ((2, 3, 100, 1), 1, None),  # rows of one number
    ((1, 1, 63, 2), 1, None),
    ((2, 15, 15, 5), 15, None),  # one patch an image, a row longer than a block
    ((1, 6, 100, 4), 2, None),
    ((2, 18, 9, 3), 3, {"merge": 3, "temporal": 1}),
    ((2, 4, 10, 1), 1, {"merge": 2, "temporal": 3}),
    ((1, 10, 10, 5), 5, {"merge": 1, "temporal": 2}),
]


def affine(channels):
    """(x/255 - mean)/std as x*scale + shift."""
    mean, std = MEAN[:channels], STD[:channels]
    return [torch.from_numpy(x.astype(np.float32)).to(DEVICE) for x in (1 / (255 * std), -mean / std)]


def textbook(images, patch, order):
    """Normalise in float64, then cut with the plain references."""
    channels = images.shape[-1]
    numbers = (images / 255 - MEAN[:channels]) / STD[:channels]
    if order is None:
        return patchify_plain(numbers, patch)
    temporal = order["temporal"]
    frames = [np.repeat(image[None], temporal, axis=0) for image in numbers]
    rows = [qwen_rows(f, patch=patch, **order)[0] for f in frames]
    count = images.shape[1] // patch * (images.shape[2] // patch)
    return np.array(rows).reshape(len(images), count, temporal * patch * patch * channels)


def check(module, shape, patch, order, dtype="float32", margin=5000):
    """One case: every number right, and none written outside `out`, which lies between two margins of poison."""
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    expected = textbook(images, patch, order)
    kind, tolerance = DTYPES[dtype]
    room = torch.full((expected.size + 2 * margin,), float("nan"), dtype=kind, device=DEVICE)
    out = room[margin : margin + expected.size].view(expected.shape)
    # The pixels lie in a larger piece of memory too: a broken kernel may read beside them.
    pixels = torch.full((images.size + 2 * margin,), 255, dtype=torch.uint8, device=DEVICE)[
        margin : margin + images.size
    ]
    pixels = pixels.copy_(torch.from_numpy(images.ravel())).view(shape)
    scale, shift = affine(shape[-1])
    if order is None:
        module.normalize_patchify(pixels, patch, scale, shift, out)
    else:
        module.normalize_qwen_rows(pixels, patch, order["merge"], order["temporal"], scale, shift, out)
    np.testing.assert_allclose(out.float().cpu().numpy(), expected, rtol=tolerance, atol=tolerance)
    beside = torch.cat([room[:margin], room[margin + expected.size :]])
    assert torch.isnan(beside).all(), "numbers were written outside `out`"


@runs
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape, patch, order", CASES)
def test_every_number_and_nothing_beside_it(shape, patch, order, dtype):
    check(kernels, shape, patch, order, dtype)


@runs
@pytest.mark.parametrize("order", [None, QWEN])
def test_an_empty_batch_launches_nothing(order):
    check(kernels, (0, 28, 28, 3), 14, order)


@runs
@pytest.mark.parametrize("order", [None, QWEN])
def test_more_programs_than_one_grid_holds(monkeypatch, order):
    """The batch is launched in pieces once a grid would pass CUDA's limit; here the limit is 5 programs."""
    monkeypatch.setattr(kernels, "MAX_PROGRAMS", 5)
    check(kernels, (7, 8, 8, 3), 4, order)


@runs
@pytest.mark.parametrize("order", [None, QWEN])
def test_wide_offsets_give_the_same_rows(monkeypatch, order):
    plan = kernels.plan

    def wide(*args, **kwargs):
        programs, arguments, constants = plan(*args, **kwargs)
        return programs, arguments, {**constants, "INDEX": triton.language.int64}

    monkeypatch.setattr(kernels, "plan", wide)
    check(kernels, (2, 8, 16, 3), 4, order)


def test_offsets_widen_before_they_overflow():
    assert kernels.plan((448, 448, 3), 14)[2]["INDEX"] == triton.language.int32
    assert kernels.plan((50_000, 50_000, 1), 50_000)[2]["INDEX"] == triton.language.int64  # one strip of 2.5e9 bytes
    assert kernels.plan((28, 10_000_000, 3), 14, temporal=2, merge=2, qwen=True)[2]["INDEX"] == triton.language.int64


@pytest.mark.skipif(not CARD, reason="needs a card: the batch is larger than 2^31 bytes")
@pytest.mark.parametrize("order", [None, QWEN])
def test_a_batch_beyond_two_to_the_31(order):
    """The last image of 3,600 must be cut as if it were alone."""
    one = torch.randint(0, 256, (1, 448, 448, 3), dtype=torch.uint8, device="cuda")
    many = torch.zeros((3_600, 448, 448, 3), dtype=torch.uint8, device="cuda")
    many[-1] = one[0]
    scale, shift = affine(3)
    alone, rows = (
        torch.empty((len(x), 1024, 588 * (2 if order else 1)), dtype=torch.float16, device="cuda") for x in (one, many)
    )
    for images, out in ((one, alone), (many, rows)):
        if order is None:
            kernels.normalize_patchify(images, 14, scale, shift, out)
        else:
            kernels.normalize_qwen_rows(images, 14, 2, 2, scale, shift, out)
    assert torch.equal(rows[-1], alone[0])


# Broken on purpose. Each line is one plausible slip; the tests above are worth something only if they see it.
SLIPS = {
    "plain: all channels take the first scale": ("tl.load(scale + c)[None, :]", "tl.load(scale + 0 * c)[None, :]"),
    "Qwen: all channels take the first scale": ("* tl.load(scale + c) +", "* tl.load(scale) +"),
    "plain: the shift is forgotten": ("pixels * a + b", "pixels * a"),
    "Qwen: the shift is forgotten": ("* tl.load(scale + c) + tl.load(shift + c))", "* tl.load(scale + c))"),
    "plain: channels taken as outermost": ("c = e % C\n", "c = e // (P * P)\n"),
    "pitch without channels": ("pitch = width * C", "pitch = width"),
    "Qwen: x and y swapped": (
        "source = e // across * pitch + e % across * STEP",
        "source = (e % across * pitch + e // across * STEP) if QWEN else (e // across * pitch + e % across)",
    ),
    "Qwen: every colour is the first": ("tl.load(source + c, mask", "tl.load(source + 0 * c, mask"),
    "Qwen: frames outside channels": ("(c * T + t) * SPAN", "(t * C + c) * SPAN"),
    "Qwen: second frame never written": ("tl.static_range(T)", "tl.static_range(1)"),
    "merge blocks read down first": ("down = n // MERGE % MERGE", "down = n % MERGE"),
    "merge blocks ignored": ("n // (MERGE * MERGE) * MERGE + n % MERGE", "n // MERGE"),
    "rows of the strip above": ("images + strip * MERGE * P * pitch", "images + strip * P * pitch"),
    "every strip written to the first": ("out + strip * count", "out + 0 * strip * count"),
    "no mask inside a row": ("(n < count)[:, None] & (e < SPAN)[None, :]", "(n < count)[:, None] & (e >= 0)[None, :]"),
    "no mask over rows": ("(n < count)[:, None] & (e < SPAN)[None, :]", "(n >= 0)[:, None] & (e < SPAN)[None, :]"),
    "the last rows of a strip dropped": ("triton.cdiv(count, rows)", "max(1, count // rows)"),
    "the end of a long row dropped": ("triton.cdiv(span, block)", "max(1, span // block)"),
    "only the first launch": ("range(0, len(images), step)", "range(0, min(1, len(images)), step)"),
}


@interpreted
@pytest.mark.parametrize("slip", SLIPS)
def test_each_slip_is_caught(tmp_path, slip):
    module = broken(tmp_path, *SLIPS[slip], kernels)
    module.MAX_PROGRAMS = 7
    module.TILE = 256, 256  # several groups of rows already in small images
    with pytest.raises(AssertionError):
        for case in CASES:
            check(module, *case)


@interpreted
def test_the_unbroken_kernel_passes_what_the_slips_fail(tmp_path):
    module = broken(tmp_path, "TILE = 4096, 512", "TILE = 256, 256", kernels)
    module.MAX_PROGRAMS = 7
    for case in CASES:
        check(module, *case)


@compiled
@pytest.mark.parametrize("generation", [75, 80, 90])  # T4, A100, H200
@pytest.mark.parametrize("dtype", ["fp16", "bf16", "fp32"])
@pytest.mark.parametrize("order", [{}, {"merge": 2, "temporal": 2, "qwen": True}], ids=["plain", "qwen"])
def test_compiles_without_spills(tmp_path, generation, dtype, order):
    """The common case (448 x 448, patch 14) as machine code, without a card: no spills, wide stores, registers to spare."""
    _, _, constants = kernels.plan((448, 448, 3), 14, **order)
    kinds = {"images": "*u8", "scale": "*fp32", "shift": "*fp32", "out": f"*{dtype}"}
    kinds |= dict.fromkeys(("width", "count", "groups"), "i32")
    asm = machine_code(kernels._cut, generation, kinds, constants, {"num_warps": 4}).asm
    assert re.search(r"st\.global\.v[24]", asm["ptx"]), "numbers are stored one by one"

    used = resources(tmp_path, asm["cubin"])
    assert 0 < used["REG"] < 128 and used["STACK"] == used["LOCAL"] == 0, used
