"""Triton kernels without a card: run by the interpreter, compiled for three generations, broken on purpose."""

import importlib.util
import os
import pathlib
import re
import subprocess
import types

import numpy as np
import pytest

torch = pytest.importorskip("torch")
triton = pytest.importorskip("triton")

from near_ties import assert_nearest, assert_residual
from test_rvq import by_definition

from mmtokedu.cuda import rvq as twins
from mmtokedu.cuda import vq as searches
from mmtokedu.cuda.kernels import patches as kernels
from mmtokedu.cuda.kernels import rvq as residual_kernels
from mmtokedu.cuda.kernels import vq as search_kernels
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


def broken(folder, old, new, kernels=kernels):
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
    kinds = {"images": "*u8", "scale": "*fp32", "shift": "*fp32", "out": f"*{dtype}"}
    kinds |= dict.fromkeys(("width", "count", "groups"), "i32")
    asm = machine_code(kernels._cut, generation, kinds, constants, {"num_warps": 4}).asm
    assert re.search(r"st\.global\.v[24]", asm["ptx"]), "numbers are stored one by one"

    used = resources(tmp_path, asm["cubin"])
    stack = 128 if (generation, dtype) == (75, "bf16") else 0  # a spill lies on the stack
    assert 0 < used["REG"] < 128 and used["STACK"] <= stack and used["LOCAL"] == 0, used


def machine_code(kernel, generation, kinds, constants, options):
    """A kernel compiled without a card. `kinds` are the types of its pointers and whole numbers.

    Pointers are multiples of 16 bytes, as torch allocates. The number of codes K is a multiple of 16 too, as it is in
    practice: Triton compiles that case for itself.
    """
    names = kernel.arg_names
    assert kinds.keys().isdisjoint(constants) and kinds.keys() | constants.keys() == set(names)
    signature = {name: kinds.get(name, "constexpr") for name in names}
    even = [i for i, name in enumerate(names) if signature[name].startswith("*") or name == "K"]
    aligned = {(i,): [["tt.divisibility", 16]] for i in even}
    source = triton.compiler.ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=aligned)
    return triton.compile(source, target=triton.backends.compiler.GPUTarget("cuda", generation, 32), options=options)


def resources(folder, cubin):
    """Registers and bytes of stack and local memory of a thread: {"REG": n, "STACK": n, "LOCAL": n}."""
    (folder / "kernel.cubin").write_bytes(cubin)
    cuobjdump = pathlib.Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    command = [cuobjdump, "--dump-resource-usage", folder / "kernel.cubin"]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {name: int(number) for name, number in re.findall(r"(REG|STACK|LOCAL):(\d+)", report)}


# Residual quantization


def lattice(rng, N, Q, K):
    """Whole numbers and halves in two dimensions: every product is exact, ties are everywhere, within tiles and across."""
    vectors = rng.integers(-4, 5, (N, 2)).astype(np.float32) + np.float32(0.5)
    return vectors, rng.integers(-4, 5, (Q, K, 2)).astype(np.float32)


def spread(rng, N, Q, K, D):
    """Stages of falling size, the first far from the origin, the last larger than what is left; twins close together."""
    codebooks = rng.standard_normal((Q, K, D), np.float32)
    codebooks[:, 1::2] = codebooks[:, : K - 1 : 2] * np.float32(1.001)
    codebooks *= np.geomspace(1, 0.03, Q).astype(np.float32)[:, None, None]
    codebooks[0] += 100
    true = rng.integers(0, K, (N, Q))
    vectors = sum(codebook[column].astype(np.float64) for codebook, column in zip(codebooks, true.T))
    codebooks[-1] *= 5
    return vectors.astype(np.float32), codebooks


def half_way(rng):
    """Between each code and its neighbour, a little nearer to the code: a vector of three digits would fall elsewhere."""
    codebooks = rng.standard_normal((2, 90, 16), np.float32)
    first = codebooks[0].astype(np.float64)
    distances = ((first[:, None] - first) ** 2).sum(axis=-1) + np.diag(np.full(90, np.inf))
    vectors = first + (first[distances.argmin(axis=1)] - first) * (0.5 - 2e-5)
    return vectors.astype(np.float32), codebooks


def far_apart(rng):
    """Next to nothing beside large codes, and rows of very different length: each row is scaled by itself."""
    vectors = rng.standard_normal((40, 20), np.float32) * np.geomspace(1e-20, 1e14, 40).astype(np.float32)[:, None]
    vectors[7] = 0
    codebooks = rng.standard_normal((2, 70, 20), np.float32) * np.float32(1e12)
    codebooks[0, 33] = 0
    return vectors, codebooks


RESIDUAL_CASES = {
    "lattice": lambda rng: lattice(rng, 70, 3, 200),
    "one row, one code": lambda rng: lattice(rng, 1, 2, 1),
    "no rows": lambda rng: lattice(rng, 0, 2, 5),
    "narrow": lambda rng: spread(rng, 130, 4, 100, 3),
    "wide": lambda rng: spread(rng, 20, 2, 70, 256),
    "between": lambda rng: spread(rng, 33, 3, 65, 100),
    "half-way": half_way,
    "far apart": far_apart,
}


def fenced(x, value, margin=600):
    """A copy of x between two margins of `value`, and the whole memory."""
    room = torch.full((x.numel() + 2 * margin,), value, dtype=x.dtype, device=x.device)
    inside = room[margin : margin + x.numel()].view(x.shape)
    return inside.copy_(x), room


def fence(patch, kernels, name, module, outputs):
    """Have calls of `kernels.name` go to the same name of `module`, every tensor between margins.

    The last `outputs` tensors must be written wholly and not beside. Beside the others lies NaN, which spoils a result.
    """
    launch = getattr(module, name)

    def between_margins(*tensors, **options):
        tables = [fenced(x, float("nan"))[0] for x in tensors[:-outputs]]
        given = tensors[-outputs:]
        rooms = [(None, None) if x is None else fenced(x.fill_(-9), -9) for x in given]
        launch(*tables, *(inside for inside, _ in rooms), **options)
        for x, (inside, room) in zip(given, rooms):
            if x is None:
                continue
            assert (room == -9).sum() == room.numel() - x.numel(), "a row was not written, or one beside the output"
            x.copy_(inside)

    patch.setattr(kernels, name, between_margins)


def check_residual(monkeypatch, module, case):
    """One case: all codes right, none written beside `codes`, and nothing read from beside the tables."""
    vectors, codebooks = RESIDUAL_CASES[case](np.random.default_rng(0))
    with monkeypatch.context() as patch:
        fence(patch, residual_kernels, "encode", module, outputs=1)
        found = twins._by_kernel(*(torch.from_numpy(x).to(DEVICE) for x in (vectors, codebooks))).cpu().numpy()
    assert_residual(found, vectors, codebooks, flips=0.02)
    if case == "lattice":
        np.testing.assert_array_equal(found, by_definition(vectors, codebooks))


@runs
@pytest.mark.parametrize("case", RESIDUAL_CASES)
def test_every_code_of_every_stage(monkeypatch, case):
    check_residual(monkeypatch, residual_kernels, case)


RESIDUAL_SLIPS = {
    "nothing is taken off": ("residual -= tl.load(", "residual -= 0 * tl.load("),
    "the last of equals wins": ("tl.where(top > best, found, code)", "tl.where(top >= best, found, code)"),
    "the last of equals in a tile wins": (
        "tl.min(tl.where(score == top[:, None], k[None, :], K), axis=1)",
        "tl.max(tl.where(score == top[:, None], k[None, :], 0), axis=1)",
    ),
    "the lengths of the codes forgotten": ("score += (scale / limit)[:, None] *", "score += 0 * scale[:, None] *"),
    "the lengths not scaled as the rows": ("score += (scale / limit)[:, None] *", "score += "),
    "rows scaled without limit": ("(tl.float32, bitcast=True), limit)", "(tl.float32, bitcast=True), 1e38)"),
    "rows not scaled": ("scale = _power(tl.max(tl.abs(z), axis=1), limit)", "scale = tl.zeros((ROWS,), tl.float32) + limit"),
    "the low halves of the rows forgotten": ("score = tl.dot(z_low, e_high.T)", "score = tl.dot(z_low * 0, e_high.T)"),
    "the low halves of the codes forgotten": ("tl.dot(z_high, e_low.T, score)", "tl.dot(z_high * 0, e_low.T, score)"),
    "codes beyond the last": ("tl.where((k < K)[None, :], score,", "tl.where((k >= 0)[None, :], score,"),
    "rows written beyond the last": ("code.to(tl.int64), mask=n < N)", "code.to(tl.int64), mask=n >= 0)"),
    "all stages look in the first codebook": ("first = q * size", "first = 0 * size"),
    "all stages have the first one's offset": ("tl.load(offsets + q * D + d,", "tl.load(offsets + d,"),
    "all stages have the first one's scale": ("tl.load(scales + q)", "tl.load(scales)"),
    "codes stored stage by stage": ("codes + n * Q + q", "codes + q * N + n"),
    "only the first stage": ("for q in range(0, Q):", "for q in range(0, 1):"),
    "only the first tile of codes": ("for start in range(0, K, CODES):", "for start in range(0, 1, CODES):"),
    "the last rows dropped": ("triton.cdiv(rows, size)", "max(1, rows // size)"),
}  # fmt: skip


@interpreted
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # a broken kernel overflows
@pytest.mark.parametrize("slip", RESIDUAL_SLIPS)
def test_each_slip_of_a_stage_is_caught(tmp_path, monkeypatch, slip):
    module = broken(tmp_path, *RESIDUAL_SLIPS[slip], residual_kernels)
    with pytest.raises(AssertionError):
        for case in RESIDUAL_CASES:
            check_residual(monkeypatch, module, case)


@compiled
@pytest.mark.parametrize("generation", [80, 90])  # A100, H200; a T4 goes stage by stage
@pytest.mark.parametrize("width", [8, 64, 128, 256])
@pytest.mark.parametrize("rows", [100, 100_000])
def test_residual_kernel_compiles_without_spills(tmp_path, generation, width, rows):
    """For few rows and for many: on the tensor cores, nothing on the stack, shared memory that a small card has too."""
    _, constants, options = residual_kernels.plan(rows, width)
    floats = dict.fromkeys(("vectors", "codebooks", "bias", "offsets", "scales"), "*fp32")
    kinds = floats | {"high": "*fp16", "low": "*fp16", "codes": "*i64"} | dict.fromkeys("NKQ", "i32")
    made = machine_code(residual_kernels._encode, generation, kinds, constants, options)
    many = generation == 90 and rows > 1000 and width <= 128  # blocks of 64 rows, which a warp group takes at once
    assert ("wgmma.mma_async" if many else "mma.sync") in made.asm["ptx"]
    used = resources(tmp_path, made.asm["cubin"])
    assert 0 < used["REG"] <= 255 and used["STACK"] == used["LOCAL"] == 0, used
    assert made.metadata.shared <= 99 * 1024


# The nearest code


def close(rng, N, K, D):
    """Vectors near codes of all lengths. The second half of the codebook, a stack of one, is the first made longer."""
    codebook = rng.standard_normal((K, D), np.float32) * rng.uniform(0.5, 2, (K, 1)).astype(np.float32)
    codebook[K // 2 : K // 2 * 2] = codebook[: K // 2] * np.float32(1.01)
    vectors = codebook[rng.integers(0, K, N)] + np.float32(0.1) * rng.standard_normal((N, D), np.float32)
    return vectors, codebook[None]


SEARCH_CASES = {  # 64 numbers of float16 and 16 of float32 are multiplied at once, of longer vectors 32 and 16
    "lattice": lambda rng: lattice(rng, 70, 1, 200),
    "lattice of one tile": lambda rng: lattice(rng, 20, 1, 60),
    "one row, one code": lambda rng: lattice(rng, 1, 1, 1),
    "no rows": lambda rng: lattice(rng, 0, 1, 5),
    "in one part": lambda rng: close(rng, 33, 65, 16),
    "in parts": lambda rng: close(rng, 20, 130, 100),  # the like of a code is in another tile
    "large blocks": lambda rng: lattice(rng, 8_330, 1, 130),
}


def check_search(monkeypatch, module, case, dtype="float32"):
    """One case: all codes and gaps right, none written beside them, and nothing from beside the tables used."""
    vectors, (codebook,) = SEARCH_CASES[case](np.random.default_rng(0))
    z, e = (torch.from_numpy(x).to(DEVICE, DTYPES[dtype][0]) for x in (vectors, codebook))
    bias = (e.double().square().sum(dim=1) * -0.5).float()
    with monkeypatch.context() as patch:
        fence(patch, search_kernels, "search", module, outputs=2)
        codes, gaps = (x.cpu().numpy() for x in searches._by_kernel(z, e, bias, gaps=True))
        alone, none = searches._by_kernel(z, e, bias)
    assert none is None
    np.testing.assert_array_equal(alone.cpu().numpy(), codes)
    z, e = (x.cpu().double().numpy() for x in (z, e))  # as rounded to the dtype
    assert_nearest(codes, z, e)
    scores = np.pad(z @ e.T - np.square(e).sum(axis=1) / 2, ((0, 0), (0, 1)), constant_values=-np.inf)
    second, best = np.sort(scores, axis=1)[:, -2:].T
    np.testing.assert_allclose(gaps, best - second, rtol=0, atol=1e-6 * np.square(e).sum(axis=1).max())
    if not case.startswith("in "):  # on a lattice every score is exact
        np.testing.assert_array_equal(codes, scores.argmax(axis=1))


@runs
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", SEARCH_CASES)
def test_search_finds_every_code_and_gap(monkeypatch, case, dtype):
    check_search(monkeypatch, search_kernels, case, dtype)


SEARCH_SLIPS = {
    "the last of equals wins": ("tl.where(top > best, at, code)", "tl.where(top >= best, at, code)"),
    "the last of equals in a tile wins": (
        "tl.min(tl.where(score == top[:, None], k[None, :], K), axis=1)",
        "tl.max(tl.where(score == top[:, None], k[None, :], 0), axis=1)",
    ),
    "codes beyond the last": ('mask=k < K, other=float("-inf"))', "mask=k < K, other=0.0)"),
    "lengths added": (
        'score += tl.load(bias + k, mask=k < K, other=float("-inf"))',
        'score -= tl.load(bias + k, mask=k < K, other=float("inf"))',
    ),
    "all codes as long as the first": ("tl.load(bias + k,", "tl.load(bias + 0 * k,"),
    "only the first part of a vector": ("for first in range(0, D, DEPTH):", "for first in range(0, 1, DEPTH):"),
    "the last part of a vector dropped": ("for first in range(0, D, DEPTH):", "for first in range(0, D - DEPTH, DEPTH):"),
    "each part with the first of the code": ("_tile(codebook, k, K, first,", "_tile(codebook, k, K, 0 * first,"),
    "the next row's numbers at the end of a row": ("(d < D)[None, :]", "(d >= 0)[None, :]"),
    "every tile is the first": ("k = start + tl.arange(0, CODES)", "k = 0 * start + tl.arange(0, CODES)"),
    "only the first tile of codes": ("for start in range(0, K, CODES):", "for start in range(0, 1, CODES):"),
    "second best: of this tile alone": ("tl.maximum(second, tl.maximum(other,", "tl.maximum(other, tl.maximum(other,"),
    "second best: an earlier best forgotten": ("tl.maximum(other, tl.minimum(best, top))", "other"),
    "second best: never of the same tile": ("tl.maximum(other, tl.minimum(best, top))", "tl.minimum(best, top)"),
    "second best: equals set aside": ("tl.where(k[None, :] == at[:, None],", "tl.where(score == top[:, None],"),
    "codes written beyond the last": ("code.to(tl.int64), mask=n < N)", "code.to(tl.int64), mask=n >= 0)"),
    "gaps written beyond the last": ("best - second, mask=n < N)", "best - second, mask=n >= 0)"),
    "the last rows dropped": ("triton.cdiv(rows, size)", "max(1, rows // size)"),
}  # fmt: skip


@interpreted
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # a broken kernel reads what is no number
@pytest.mark.parametrize("slip", SEARCH_SLIPS)
def test_each_slip_of_the_search_is_caught(tmp_path, monkeypatch, slip):
    module = broken(tmp_path, *SEARCH_SLIPS[slip], search_kernels)
    with pytest.raises(AssertionError):
        for case in SEARCH_CASES:
            check_search(monkeypatch, module, case)


SEARCHED_BY_KERNEL = [80, 90]  # A100, H200


@pytest.mark.parametrize("generation", [75, *SEARCHED_BY_KERNEL])
def test_a_t4_has_no_search_kernel(monkeypatch, generation):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: divmod(generation, 10))
    card = types.SimpleNamespace(is_cuda=True, device=torch.device("cuda"))
    assert (searches._way(card) == "triton") == (generation in SEARCHED_BY_KERNEL)


@compiled
@pytest.mark.parametrize("generation", SEARCHED_BY_KERNEL)
@pytest.mark.parametrize("dtype", ["fp16", "bf16", "fp32"])
@pytest.mark.parametrize("width", [8, 64, 256, 768])
@pytest.mark.parametrize("rows", [100, 100_000])
@pytest.mark.parametrize("gaps", [False, True], ids=["codes", "gaps"])
def test_search_kernel_compiles_without_spills(tmp_path, generation, dtype, width, rows, gaps):
    """Short vectors and those taken in parts, few rows and many: nothing on the stack, shared memory of a small card."""
    _, constants, options = search_kernels.plan(rows, width, dtype != "fp32")
    kind = {"fp16": triton.language.float16, "bf16": triton.language.bfloat16, "fp32": triton.language.float32}[dtype]
    constants |= {"KIND": kind, "GAPS": gaps} | ({} if gaps else {"gaps": None})
    kinds = {"vectors": f"*{dtype}", "codebook": f"*{dtype}", "bias": "*fp32", "codes": "*i64", "N": "i32", "K": "i32"}
    kinds |= {"gaps": "*fp32"} if gaps else {}
    made = machine_code(search_kernels._search, generation, kinds, constants, options)
    product = "fma.rn.f32" if dtype == "fp32" else "wgmma.mma_async" if generation == 90 and rows > 1000 else "mma.sync"
    assert product in made.asm["ptx"] and "tf32" not in made.asm["ptx"]  # float32 keeps all its digits
    used = resources(tmp_path, made.asm["cubin"])
    assert 0 < used["REG"] <= 255 and used["STACK"] == used["LOCAL"] == 0, used
    assert made.metadata.shared <= 99 * 1024
