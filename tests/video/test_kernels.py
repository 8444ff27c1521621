"""The Triton kernel of `video` without a card: run by the interpreter, compiled for three generations, broken on purpose."""

import numpy as np
import pytest

pytestmark = pytest.mark.kernel

torch = pytest.importorskip("torch")
triton = pytest.importorskip("triton")

import triton.language as tl
from kernel_tools import DEVICE, broken, compiled, interpreted, machine_code, resources, runs

from mmtokedu import video
from mmtokedu.cuda.kernels import video as kernels

MARGIN = 3000
POISON = -(2**30)  # of a sum: two of them, or one among millions of differences, still show

CASES = [  # (T, H, W): tiles of 256 pixels and stretches of 16 frames, filled and not
    (1, 1, 1),
    (2, 1, 63),
    (35, 3, 5),
    (17, 16, 32),
    (3, 10, 100),
    (2, 63, 61),  # 16 by 16 of them are looked at for the brightness
]


def drawn(shape, seed=0):
    """Frames of all colours, of greys, of few bright values that are often equal, and of what stands still."""
    draw = np.random.default_rng(seed)
    frames = draw.integers(0, 256, (*shape, 3), dtype=np.uint8)
    frames[1::4] = draw.choice(np.array([0, 1, 2, 127, 254, 255], np.uint8), frames[1::4].shape)
    frames[2::4] = frames[2::4, ..., :1]
    frames[3::4, : shape[1] // 2] = frames[2::4, : shape[1] // 2][: len(frames[3::4])]
    return frames


def textbook(frames, luma):
    """The sums (T, channels) of the differences, by the reference's own colours."""
    colours = [np.stack(video._luma(f) if luma else video._hsv(f)).astype(np.int64) for f in frames]
    return np.array([np.abs(a - b).sum(axis=(1, 2)) for a, b in zip(colours, colours[:1] + colours[:-1])])


def check(module, shape, luma):
    """One case: every sum right, and nothing written beside `sums`, nor read of what lies beside the frames."""
    frames = drawn(shape)
    *_, tiles = module.looked_at(frames.shape, luma)
    channels = 1 if luma else 3
    size = len(frames) * channels * tiles
    room = torch.full((size + 2 * MARGIN,), POISON, dtype=torch.int32, device=DEVICE)
    sums = room[MARGIN : MARGIN + size].view(len(frames), channels, tiles)
    beside = torch.randint(0, 256, (frames.size + 2 * MARGIN,), dtype=torch.uint8, device=DEVICE)
    pixels = beside[MARGIN : MARGIN + frames.size].copy_(torch.from_numpy(frames.ravel())).view(frames.shape)
    module.differences(pixels, luma, sums)
    np.testing.assert_array_equal(sums.sum(dim=2).cpu().numpy(), textbook(frames, luma))
    assert (room[:MARGIN] == POISON).all() and (room[MARGIN + size :] == POISON).all(), "written outside `sums`"


@runs
@pytest.mark.parametrize("luma", [False, True], ids=["content", "luma"])
@pytest.mark.parametrize("shape", CASES)
def test_every_sum_and_nothing_beside_it(shape, luma):
    check(kernels, shape, luma)


@triton.jit
def _tell(pixels, out, N, BLOCK: tl.constexpr, APPROXIMATE: tl.constexpr):
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    h, s, v = kernels._colours(pixels, n * 3, n < N, False, False, APPROXIMATE)
    tl.store(out + n, h - kernels.WHOLE, mask=n < N)
    tl.store(out + N + n, s - kernels.WHOLE, mask=n < N)
    tl.store(out + 2 * N + n, v, mask=n < N)


@runs
def test_every_hue_and_every_saturation():
    """A hue hangs on the spread and on the place between two corners: all of both. A saturation on spread and value."""
    high, low, middle = (x.ravel() for x in np.indices((256, 256, 256), np.uint8)[:, :, :, ::5])
    kept = (low <= middle) & (middle <= high) & ((high == 255) | (middle == low) | (low == 0))
    shades = np.stack([high, middle, low])[:, kept]
    ends = np.stack(np.meshgrid(255, np.arange(256), np.arange(256)), 0).reshape(3, -1)
    shades = np.concatenate([shades, np.sort(ends, axis=0)[::-1]], axis=1)
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    pixels = np.ascontiguousarray(np.concatenate([shades[list(order)] for order in orders], axis=1).T.astype(np.uint8))
    out = torch.full((3, len(pixels)), float("nan"), device=DEVICE)
    block = 2**16
    programs = triton.cdiv(len(pixels), block)
    there = torch.from_numpy(pixels).to(DEVICE)
    _tell[(programs,)](there, out, len(pixels), BLOCK=block, APPROXIMATE=there.is_cuda)
    np.testing.assert_array_equal(out.cpu().numpy(), np.stack(video._hsv(pixels)))


def test_a_reciprocal_need_not_be_exact():
    """A card's own is right to the last bit of a float32; the tables come out if it is two off."""
    for top, table in ((kernels.HUE.value, video._HUE), (kernels.SATURATION.value, video._SATURATION)):
        n = np.arange(1, 256).astype(np.float32)
        for bits in range(-2, 3):
            near = (1 / n).view(np.int32) + np.int32(bits)
            whole = np.float32(kernels.WHOLE.value)
            np.testing.assert_array_equal(np.float32(top) * near.view(np.float32) + whole - whole, table[1:])


@runs
def test_sums_beyond_two_to_the_31(monkeypatch):
    """Four tiles of 2^30 are 2^32, as of a frame of 17 million pixels: they are added as int64."""
    monkeypatch.setattr(kernels, "differences", lambda frames, luma, sums: sums.fill_(2**30))
    frames = torch.zeros((2, 32, 32, 3), dtype=torch.uint8, device=DEVICE)
    assert video.scene_scores(frames).tolist() == [2**32 / 32**2] * 2


# Broken on purpose. Each line is one plausible slip; the tests above are worth something only if they see it.
SLIPS = {
    "hues below red stay below 0": ("tl.where(hue < WHOLE, hue + 180, hue)", "hue"),
    "hues are cut, not rounded": ("(around * entry + 0.5)", "(around * entry - 2047.5)"),
    "half a hue goes to the even one": ("(around * entry + 0.5)", "(around * entry)"),
    "saturations are cut, not rounded": ("(spread * entry + 0.5)", "(spread * entry - 2047.5)"),
    "half a saturation goes to the even one": ("(spread * entry + 0.5)", "(spread * entry)"),
    "hue: the table is not rounded": (
        "tl.maximum(spread, 1), APPROXIMATE) + WHOLE - WHOLE",
        "tl.maximum(spread, 1), 0)",
    ),
    "saturation: the table is not rounded": (
        "tl.maximum(value, 1), APPROXIMATE) + WHOLE - WHOLE",
        "tl.maximum(value, 1), 0)",
    ),
    "the saturation's table by the spread": ("tl.maximum(value, 1)", "tl.maximum(spread, 1)"),
    "green begins at 30": ("2 * spread", "spread"),
    "blue is red": ("frame + pixel + 2", "frame + pixel"),
    "green is red": ("frame + pixel + 1", "frame + pixel"),
    "luma: weights of BGR": ("r * 77 + g * 150 + b * 29", "b * 77 + g * 150 + r * 29"),
    "luma is not cut": ("tl.floor((r * 77 + g * 150 + b * 29) * (1 / 256))", "(r * 77 + g * 150 + b * 29) * (1 / 256)"),
    "differences have signs": ("tl.abs(now - before)", "(now - before)"),
    "a stretch begins with itself": ("tl.maximum(first - 1, 0)", "first"),
    "all frames against the stretch's first": (
        "        h0, s0, v0 = h, s, v\n",
        "        h0, s0, v0 = _colours(frames + tl.maximum(first - 1, 0).to(tl.int64) * pitch, pixel, inside, LUMA, EVEN, 0)\n",
    ),
    "the last stretch runs on": ("min(first + FRAMES, T)", "first + FRAMES"),
    "the same frame again": ("        frame += pitch\n", ""),
    "each frame's sums over the last one's": ("here += CHANNELS * tiles", "here += 0"),
    "saturation for value": ("_total(v, v0)", "_total(s, s0)"),
    "value into saturation's place": ("here + 2 * tiles", "here + tiles"),
    "no mask": ("inside = n < count", "inside = n >= 0"),
    "every size is even": ('"EVEN": even', '"EVEN": True'),
    "luma: columns side by side": ("n % cols * (3 * STEP)", "n % cols * 3"),
    "luma: rows one after the other": ("step * width * channels, rows * cols", "width * channels, rows * cols"),
    "the last rows and columns dropped": ("triton.cdiv(side, 4 if luma else 1)", "max(1, side // (4 if luma else 1))"),
    "the last tile dropped": ("triton.cdiv(rows * cols, TILE[0] * TILE[1])", "max(1, rows * cols // 256)"),
    "the last stretch dropped": ("triton.cdiv(length, FRAMES) * tiles", "max(1, length // FRAMES) * tiles"),
}


@interpreted
@pytest.mark.parametrize("slip", SLIPS)
def test_each_slip_is_caught(tmp_path, slip):
    module = broken(tmp_path, *SLIPS[slip], kernels)
    with pytest.raises(AssertionError):
        for shape in CASES:
            for luma in (False, True):
                check(module, shape, luma)


@compiled
@pytest.mark.parametrize("generation", [75, 80, 90])  # T4, A100, H200
@pytest.mark.parametrize("luma", [False, True], ids=["content", "luma"])
@pytest.mark.parametrize("width", [1280, 1281], ids=["even", "odd"])
def test_compiles_without_spills(tmp_path, generation, luma, width):
    """Frames of 720 lines as machine code, without a card: no spills, no division, registers for 24 warps."""
    _, _, constants = kernels.plan((300, 720, width, 3), luma)
    kinds = {"frames": "*u8", "sums": "*i32"} | dict.fromkeys(("T", "pitch", "across", "count", "cols", "tiles"), "i32")
    constants |= {"APPROXIMATE": True}
    asm = machine_code(kernels._differences, generation, kinds, constants, {"num_warps": 1}).asm
    assert asm["ptx"].count("rcp.approx") == (0 if luma else 2 * 2 * kernels.TILE[0]) and "div.full" not in asm["ptx"]
    used = resources(tmp_path, asm["cubin"])
    assert 0 < used["REG"] <= 84 and used["STACK"] == used["LOCAL"] == 0, used
