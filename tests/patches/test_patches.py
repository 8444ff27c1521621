import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmtokedu import patches
from mmtokedu.patches import (
    block_mask,
    image_tokens,
    normalize_patchify,
    normalize_qwen_rows,
    pack_lengths,
    patchify,
    patchify_plain,
    qwen_rows,
    smart_resize,
    tile_grid,
    unpatchify,
)

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def test_a_hand_worked_cut(backend):
    """A 4x6 image of two channels, cut by 2: the second patch starts at column 2 and reads row by row."""
    image = np.arange(4 * 6 * 2).reshape(4, 6, 2)
    rows = backend.take(patchify(backend.give(image), 2))
    assert rows.shape == (6, 8)
    assert rows[1].tolist() == [4, 5, 6, 7, 16, 17, 18, 19]
    assert rows[3].tolist() == [24, 25, 26, 27, 36, 37, 38, 39]  # second row of the grid


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int64, np.float16])
@pytest.mark.parametrize(
    "shape, patch", [((14, 14, 3), 14), ((2, 28, 42, 3), 14), ((2, 3, 6, 4, 1), 2), ((63, 9, 4), 1), ((0, 8, 8, 3), 4)]
)
def test_equals_the_plain_version_and_comes_back(backend, rng, dtype, shape, patch):
    images = rng.integers(0, 255, shape).astype(dtype)
    rows = patchify(backend.give(images), patch)
    np.testing.assert_array_equal(backend.take(rows), patchify_plain(images, patch))
    grid = shape[-3] // patch, shape[-2] // patch
    np.testing.assert_array_equal(backend.take(unpatchify(rows, patch, grid)), images)


def test_writes_every_number_of_out(backend, rng):
    images = rng.random((2, 28, 42, 3), np.float32)
    out = backend.empty((2, 6, 588), np.float32)
    assert patchify(backend.give(images), 14, out=out) is out
    np.testing.assert_array_equal(backend.take(out), patchify_plain(images, 14))
    back = backend.empty(images.shape, np.float32)
    assert unpatchify(out, 14, (2, 3), out=back) is back
    np.testing.assert_array_equal(backend.take(back), images)


def test_views_are_cut_as_they_look(backend, rng):
    """Cropped, strided and transposed views are not contiguous; the result must not depend on that."""
    image = rng.integers(0, 255, (30, 34, 3), dtype=np.uint8)
    whole = backend.give(image)
    turned = whole.transpose(1, 0, 2) if backend.name == "numpy" else whole.permute(1, 0, 2)
    views = [
        (whole[:28, :28], image[:28, :28]),
        (whole[::2, ::2][:14, :14], image[::2, ::2][:14, :14]),
        (turned[:28, :28], image.transpose(1, 0, 2)[:28, :28]),
    ]
    if backend.name == "numpy":  # torch has no negative strides
        views.append((image[::-1, ::-1][:28, :28], image[::-1, ::-1][:28, :28]))
    for view, expected in views:
        rows = patchify(view, 14)
        np.testing.assert_array_equal(backend.take(rows), patchify_plain(np.array(expected), 14))
        rebuilt = unpatchify(rows, 14, (view.shape[0] // 14, view.shape[1] // 14))
        np.testing.assert_array_equal(backend.take(rebuilt), expected)


@pytest.mark.parametrize(
    "shape, patch, message",
    [
        ((30, 40, 3), 16, "image is 30x40; patch 16 divides neither side .pad to 32x48"),
        ((32, 40, 3), 16, "divides only the height"),
        ((40, 32, 3), 16, "divides only the width"),
        ((0, 16, 3), 16, "at least 1 pixel"),
        ((16, 16, 0), 16, "no channels"),
        ((16, 16), 16, "expected"),
        ((16, 16, 3), 0, "patch is 0"),
    ],
)
def test_patchify_refuses(backend, shape, patch, message):
    with pytest.raises(ValueError, match=message):
        patchify(backend.give(np.zeros(shape, np.uint8)), patch)


@pytest.mark.parametrize(
    "grid, message", [((2, 2), "holds 4 patches; rows have 6"), ((6, 0), "holds 0"), ((6,), "expected")]
)
def test_unpatchify_refuses_a_wrong_grid(backend, grid, message):
    with pytest.raises(ValueError, match=message):
        unpatchify(backend.give(np.zeros((6, 12))), 2, grid)


def test_unpatchify_refuses_a_wrong_length(backend):
    with pytest.raises(ValueError, match="rows are 13 long; patch 2 needs a multiple of 4"):
        unpatchify(backend.give(np.zeros((6, 13))), 2, (2, 3))


@pytest.mark.parametrize("shape, dtype", [((2, 5, 588), np.float32), ((2, 6, 588), np.float64)])
def test_out_that_does_not_fit_is_refused(backend, shape, dtype):
    images = backend.give(np.zeros((2, 28, 42, 3), np.float32))
    with pytest.raises(ValueError, match="out is .*need contiguous"):
        patchify(images, 14, out=backend.empty(shape, dtype))


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-6), (np.float16, 2e-3)])
@pytest.mark.parametrize(
    "shape, patch", [((1, 14, 14, 3), 14), ((3, 28, 42, 3), 14), ((2, 8, 6, 1), 2), ((0, 14, 14, 3), 14)]
)
def test_normalize_patchify_is_normalise_then_patchify(backend, rng, shape, patch, dtype, tolerance):
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    mean, std = MEAN[: shape[-1]], STD[: shape[-1]]
    expected = patchify_plain((images / 255 - mean) / std, patch)
    out = backend.empty(expected.shape, dtype)
    for rows in (
        normalize_patchify(backend.give(images), patch, mean, std, dtype=dtype),
        normalize_patchify(backend.give(images), patch, mean, std, dtype=dtype, out=out),
    ):
        taken = backend.take(rows)
        assert taken.dtype == dtype
        np.testing.assert_allclose(taken, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"images": np.zeros((1, 14, 14, 3), np.float32)}, TypeError, "expected uint8"),
        ({"images": np.zeros((14, 14, 3), np.uint8)}, ValueError, "images\\[None\\]"),
        ({"mean": [0.5]}, ValueError, "mean has 1 numbers"),
        ({"std": [0.5, 0.0, 0.5]}, ValueError, "std > 0"),
        ({"mean": [0.5, np.nan, 0.5]}, ValueError, "finite"),
        ({"dtype": np.int32}, TypeError, "writes float32"),
    ],
)
def test_normalize_patchify_refuses(backend, change, error, message):
    call = {"images": np.zeros((1, 14, 14, 3), np.uint8), "patch": 14, "mean": MEAN, "std": STD, **change}
    call["images"] = backend.give(call["images"])
    with pytest.raises(error, match=message):
        normalize_patchify(**call)


def test_qwen_rows_against_a_loop(backend, rng):
    """Every row written out by hand: which block, which cell of it, which channel, frame, y and x."""
    frames = rng.random((3, 8, 12, 2), np.float32)  # odd: the last frame is repeated
    rows, grid_thw = qwen_rows(backend.give(frames), patch=2, merge=2, temporal=2)
    assert grid_thw == (2, 4, 6)
    padded = np.concatenate([frames, frames[-1:]])
    expected = []
    for t in range(2):
        for block_row in range(2):
            for block_col in range(3):
                for r in range(2):
                    for c in range(2):
                        y, x = (block_row * 2 + r) * 2, (block_col * 2 + c) * 2
                        cell = padded[2 * t : 2 * t + 2, y : y + 2, x : x + 2]  # (frame, y, x, C)
                        expected.append(cell.transpose(3, 0, 1, 2).ravel())
    np.testing.assert_array_equal(backend.take(rows), expected)


@pytest.mark.parametrize(
    "shape, message", [((28, 28, 3), "image\\[None\\]"), ((0, 28, 28, 3), "0 frames"), ((1, 28, 30, 3), "pad to 28x56")]
)
def test_qwen_rows_refuses(backend, shape, message):
    with pytest.raises(ValueError, match=message):
        qwen_rows(backend.give(np.zeros(shape, np.float32)))


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-6), (np.float16, 2e-3)])
@pytest.mark.parametrize(
    "shape, options",
    [
        ((2, 28, 56, 3), {}),
        ((1, 6, 12, 1), {"patch": 3, "merge": 1}),
        ((3, 18, 9, 4), {"patch": 3, "merge": 3, "temporal": 1}),
        ((2, 4, 10, 2), {"patch": 1, "temporal": 3}),
        ((0, 28, 28, 3), {}),
    ],
)
def test_normalize_qwen_rows_is_normalise_then_qwen_rows(backend, rng, shape, options, dtype, tolerance):
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    mean, std = (*MEAN, 0.1)[: shape[-1]], (*STD, 1.5)[: shape[-1]]
    options = {"patch": 14, "merge": 2, "temporal": 2, **options}
    rows = [qwen_rows(image[None], **options)[0] for image in (images / 255 - mean) / std]
    patch, temporal = options["patch"], options["temporal"]
    size = (shape[0], shape[1] // patch * (shape[2] // patch), patch * patch * temporal * shape[3])
    expected = np.array(rows).reshape(size)
    out = backend.empty(size, dtype)
    assert normalize_qwen_rows(backend.give(images), mean, std, dtype=dtype, out=out, **options) is out
    for answer in (out, normalize_qwen_rows(backend.give(images), mean, std, dtype=dtype, **options)):
        taken = backend.take(answer)
        assert taken.dtype == dtype
        np.testing.assert_allclose(taken, expected, rtol=tolerance, atol=tolerance)


def test_normalize_qwen_rows_reads_views_as_they_look(rng):
    image = rng.integers(0, 256, (1, 56, 60, 3), dtype=np.uint8)
    view = image[:, ::-1, 2:58]
    np.testing.assert_array_equal(normalize_qwen_rows(view, MEAN, STD), normalize_qwen_rows(view.copy(), MEAN, STD))


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"images": np.zeros((1, 28, 28, 3), np.float32)}, TypeError, "expected uint8"),
        ({"images": np.zeros((28, 28, 3), np.uint8)}, ValueError, "images\\[None\\]"),
        ({"images": np.zeros((1, 14, 28, 3), np.uint8)}, ValueError, "patch\\*merge 28 divides only the width"),
        ({"temporal": 0}, ValueError, "temporal=0"),
        ({"mean": [0.5]}, ValueError, "mean has 1 numbers"),
        ({"std": [0.5, 0.0, 0.5]}, ValueError, "std > 0"),
        ({"dtype": np.int32}, TypeError, "writes float32"),
    ],
)
def test_normalize_qwen_rows_refuses(backend, change, error, message):
    call = {"images": np.zeros((1, 28, 28, 3), np.uint8), "mean": MEAN, "std": STD, **change}
    call["images"] = backend.give(call["images"])
    with pytest.raises(error, match=message):
        normalize_qwen_rows(**call)


def test_gradients_go_through_the_twins(tensors, rng):
    torch = pytest.importorskip("torch")
    image = torch.from_numpy(rng.random((4, 6, 3))).requires_grad_()
    weights = torch.from_numpy(rng.random((6, 12)))
    (patchify(image, 2) * weights).sum().backward()
    np.testing.assert_array_equal(image.grad.numpy(), unpatchify(weights, 2, (2, 3)).numpy())


def test_bfloat16_passes_through(tensors, rng):
    torch = pytest.importorskip("torch")
    image = torch.from_numpy(rng.random((4, 6, 3))).to(torch.bfloat16)
    rows = patchify(image, 2)
    assert rows.dtype == torch.bfloat16
    np.testing.assert_array_equal(rows.float().numpy(), patchify_plain(image.float().numpy(), 2))


@pytest.mark.parametrize(
    "size, options, expected",
    [
        ((1080, 1920), {}, (728, 1316)),  # the worked sizes of both peers, with the bounds named
        ((1080, 1920), {"max_pixels": 12_845_056}, (1092, 1932)),
        ((1080, 1920), {"factor": 32, "min_pixels": 65_536, "max_pixels": 16_777_216}, (1088, 1920)),
        ((1, 1), {}, (56, 56)),
        ((10, 1500), {"max_pixels": 12_845_056}, (28, 700)),
        ((10, 1500), {"max_pixels": 12_845_056, "rule": "qwen-vl-utils"}, (28, 1512)),
        ((70, 98), {"min_pixels": 1}, (56, 112)),  # 2.5 rounds down to 2, 3.5 up to 4: half to even
    ],
)
def test_smart_resize_worked_sizes(size, options, expected):
    assert smart_resize(*size, **options) == expected


@pytest.mark.parametrize(
    "size, options, message",
    [
        ((0, 10), {}, "at least 1 pixel"),
        ((1, 201), {}, "aspect ratio 201.0 is over 200"),
        ((30, 5999), {"max_pixels": 50_176, "rule": "qwen-vl-utils"}, "would become 0x"),
        ((10, 10), {"rule": "pytorch"}, "known rules"),
    ],
)
def test_smart_resize_refuses(size, options, message):
    with pytest.raises(ValueError, match=message):
        smart_resize(*size, **options)


@given(st.integers(1, 6000), st.integers(1, 6000))
def test_smart_resize_keeps_its_promises(height, width):
    if max(height, width) / min(height, width) > 200:
        with pytest.raises(ValueError):
            smart_resize(height, width)
        return
    new = smart_resize(height, width)
    assert all(side % 28 == 0 and side > 0 for side in new)
    assert new[0] * new[1] >= 3136
    if min(height, width) > 60:  # a thin image may have to leave the bound: one side is lifted to the factor
        assert new[0] * new[1] <= 1003520


@pytest.mark.parametrize(
    "size, expected", [((1080, 1920), (4, 2)), ((1, 1), (1, 1)), ((1500, 10), (1, 12)), ((448, 896), (2, 1))]
)
def test_tile_grid_worked_sizes(size, expected):
    assert tile_grid(*size) == expected


def test_tile_grid_tie_takes_the_larger_grid_only_for_a_large_image():
    """1:1 fits 1x1, 2x2 and 3x3 equally; more than half of a grid's pixels must be there to take it."""
    assert tile_grid(400, 400) == (1, 1)
    assert tile_grid(700, 700) == (2, 2)
    assert tile_grid(1000, 1000) == (3, 3)


def test_tile_grid_refuses():
    with pytest.raises(ValueError, match="min_tiles=5, max_tiles=4"):
        tile_grid(10, 10, min_tiles=5, max_tiles=4)


def test_image_tokens_worked_sizes():
    assert image_tokens("llava-1.5", 1080, 1920) == 576
    assert image_tokens("qwen2.5-vl", 1080, 1920) == 2691
    assert image_tokens("llava-next", 672, 672) == 2928
    assert image_tokens("internvl2.5", 1080, 1920) == 2304
    with pytest.raises(ValueError, match="qwen2.5-vl"):
        image_tokens("gpt-2", 10, 10)


def test_packing():
    assert pack_lengths([]).tolist() == [0]
    assert pack_lengths([3, 0, 2]).dtype == np.int32
    mask = block_mask(pack_lengths([3, 0, 2]))
    assert mask.dtype == bool and mask.sum() == 9 + 4
    assert not mask[2, 3] and mask[3, 4]
    assert block_mask([0]).shape == (0, 0)
    for bad in ([-1], [[1]], [2**31]):
        with pytest.raises(ValueError):
            pack_lengths(bad)
    for bad in ([1, 2], [0, 3, 2], []):
        with pytest.raises(ValueError, match="cu_seqlens"):
            block_mask(bad)


def test_nothing_is_shared_with_the_input(backend, rng):
    """Writing into the rows must not write into the image, also for a patch as large as the image."""
    image = rng.integers(0, 200, (4, 4, 3), dtype=np.uint8)
    given_image = backend.give(image.copy())
    rows = patchify(given_image, 4)
    rows[...] = 255
    np.testing.assert_array_equal(backend.take(given_image), image)


def test_channel_order_is_kept():
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 255
    assert patches.patchify(red, 2)[0].tolist() == [255, 0, 0] * 4
