"""Triton kernels without a card: run by the interpreter, compiled for three generations, broken on purpose."""

import importlib.util
import os
import pathlib
import re
import subprocess

import numpy as np
import pytest

torch = pytest.importorskip("torch")
triton = pytest.importorskip("triton")

from mmtokedu.cuda.kernels import patches as kernels
from mmtokedu.patches import patchify_plain, qwen_rows

INTERPRETER = os.environ.get("TRITON_INTERPRET") == "1"
CARD = torch.cuda.is_available() and not INTERPRETER
runs = pytest.mark.skipif(not (INTERPRETER or CARD), reason="runs with TRITON_INTERPRET=1 or on a card")
interpreted = pytest.mark.skipif(not INTERPRETER, reason="runs with TRITON_INTERPRET=1")
compiled = pytest.mark.skipif(INTERPRETER, reason="the interpreter compiles nothing")
DEVICE = "cuda" if CARD else "cpu"

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
    "all channels take the first scale": ("tl.load(scale + c,", "tl.load(scale + 0 * c,"),
    "the shift is forgotten": ("* a[None, :] + b[None, :]", "* a[None, :]"),
    "plain: channels taken as outermost": ("c = e % C\n", "c = e // (P * P)\n"),
    "plain: pitch without channels": ("e // (P * C) * pitch", "e // (P * C) * width"),
    "Qwen: x and y swapped": ("e % (P * P) // P * pitch + e % P * C + c", "e % P * pitch + e % (P * P) // P * C + c"),
    "Qwen: frames outside channels": ("target = c * (T * P * P) + e % (P * P)", "target = e"),
    "Qwen: second frame never written": ("tl.static_range(T)", "tl.static_range(1)"),
    "merge blocks read down first": ("down = n // MERGE % MERGE", "down = n % MERGE"),
    "merge blocks ignored": ("n // (MERGE * MERGE) * MERGE + n % MERGE", "n // MERGE"),
    "rows of the strip above": ("images + strip * MERGE * P * pitch", "images + strip * P * pitch"),
    "every strip written to the first": ("out + strip * count", "out + 0 * strip * count"),
    "no mask inside a row": ("(n < count)[:, None] & (e < FRAME)[None, :]", "(n < count)[:, None] & (e >= 0)[None, :]"),
    "no mask over rows": ("(n < count)[:, None] & (e < FRAME)[None, :]", "(n >= 0)[:, None] & (e < FRAME)[None, :]"),
    "the last rows of a strip dropped": ("triton.cdiv(count, rows)", "max(1, count // rows)"),
    "the end of a long row dropped": ("triton.cdiv(frame, block)", "max(1, frame // block)"),
    "only the first launch": ("range(0, len(images), step)", "range(0, min(1, len(images)), step)"),
}


def broken(folder, old, new):
    source = pathlib.Path(kernels.__file__).read_text()
    assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in the kernel; mend the table"
    path = folder / "broken.py"
    path.write_text(source.replace(old, new))
    spec = importlib.util.spec_from_file_location("broken", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@interpreted
@pytest.mark.parametrize("slip", SLIPS)
def test_each_slip_is_caught(tmp_path, slip):
    module = broken(tmp_path, *SLIPS[slip])
    module.MAX_PROGRAMS = 7
    module.TILE = 256  # several groups of rows already in small images
    with pytest.raises(AssertionError):
        for case in CASES:
            check(module, *case)


@interpreted
def test_the_unbroken_kernel_passes_what_the_slips_fail(tmp_path):
    module = broken(tmp_path, "TILE = 4096", "TILE = 256")
    module.MAX_PROGRAMS = 7
    for case in CASES:
        check(module, *case)


@compiled
@pytest.mark.parametrize("generation", [75, 80, 90])  # T4, A100, H200
@pytest.mark.parametrize("dtype", ["fp16", "bf16", "fp32"])
@pytest.mark.parametrize("order", [{}, {"merge": 2, "temporal": 2, "qwen": True}], ids=["plain", "qwen"])
def test_compiles_without_spills(tmp_path, generation, dtype, order):
    """The common case (448 x 448, patch 14) as machine code, without a card: no spills, wide stores, registers to spare.

    The T4 (sm_75) has no bfloat16 instructions. Triton converts with integer operations there, which takes more
    registers: that one case, in Qwen order, keeps up to 128 bytes a thread on the stack. On a T4, ask for float16.
    """
    _, _, constants = kernels.plan((448, 448, 3), 14, **order)
    pointers = {"images": "*u8", "scale": "*fp32", "shift": "*fp32", "out": f"*{dtype}"}
    signature = {**pointers, "width": "i32", "count": "i32", "groups": "i32", **dict.fromkeys(constants, "constexpr")}
    aligned = {(i,): [["tt.divisibility", 16]] for i in range(len(pointers))}  # as torch allocates
    source = triton.compiler.ASTSource(fn=kernels._cut, signature=signature, constexprs=constants, attrs=aligned)
    target = triton.backends.compiler.GPUTarget("cuda", generation, 32)
    asm = triton.compile(source, target=target, options={"num_warps": 4}).asm
    assert re.search(r"st\.global\.v[24]", asm["ptx"]), "numbers are stored one by one"

    (tmp_path / "kernel.cubin").write_bytes(asm["cubin"])
    cuobjdump = pathlib.Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    command = [cuobjdump, "--dump-resource-usage", tmp_path / "kernel.cubin"]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = {name: int(number) for name, number in re.findall(r"(REG|STACK|LOCAL):(\d+)", report)}
    stack = 128 if (generation, dtype) == (75, "bf16") else 0  # a spill lies on the stack
    assert 0 < used["REG"] < 128 and used["STACK"] <= stack and used["LOCAL"] == 0, report
