"""Whatever is put in: a right result, or a ValueError or TypeError that says what to do. Nothing else, ever.

Each test draws its arguments far beyond the sensible, says by itself whether they fit, and recomputes the result
the slow way. A function that refuses everything fails here, and so does one that takes everything.
"""

import itertools
import math
import numbers
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from mmtokedu.catalog import images as catalog
from mmtokedu.patches import (
    block_mask,
    image_tokens,
    normalize_patchify,
    pack_lengths,
    patchify,
    qwen_rows,
    smart_resize,
    tile_grid,
    unpatchify,
)

drawn = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

NOT_WHOLE = [2.0, 2.5, math.nan, math.inf, None, "2", (2,), np.float32(2), np.array([2, 2])]
WHOLE = [-2, -1, 0, 1, 2, 3, True, np.int64(2), np.uint8(2), 10**30]
numbers_of_any_kind = st.sampled_from(WHOLE + NOT_WHOLE)
small = st.one_of(st.sampled_from([1, 2, 3]), numbers_of_any_kind)  # right about half of the time
shapes = st.one_of(
    st.lists(st.sampled_from([0, 1, 2, 3, 4, 6]), max_size=5).map(tuple),
    st.sampled_from([(1, 300, 1), (300, 1, 2), (2, 6, 1, 3), (1, 1, 1), (2, 2, 2), (6, 4, 3), (2, 4, 6, 3)]),
)
dtypes = st.sampled_from([np.uint8, np.float32, np.float64, np.int16, np.bool_, np.float16, np.complex64])


def outcome(function, *args, **options):
    """The result, or None where the call was refused in the two ways allowed. Anything else stops the test."""
    try:
        return function(*args, **options)
    except (ValueError, TypeError) as error:
        assert re.search(r"\d|expected|need|must|convert|known", str(error)), (
            f"says neither a number nor a way out: {error}"
        )
        return None


def whole(*values):
    """Whether all are whole numbers of at least 1."""
    return all(isinstance(v, numbers.Integral) and v >= 1 for v in values)


def filled(shape, dtype):
    return (np.arange(math.prod(shape)) % 251).reshape(shape).astype(dtype)


def cut(images, patch):
    """Patches, one slice at a time."""
    rows, cols = images.shape[-3] // patch, images.shape[-2] // patch
    pieces = [
        images[..., r * patch : (r + 1) * patch, c * patch : (c + 1) * patch, :].reshape(*images.shape[:-3], -1)
        if images.size
        else np.empty((*images.shape[:-3], patch * patch * images.shape[-1]), images.dtype)
        for r in range(rows)
        for c in range(cols)
    ]
    return np.stack(pieces, axis=-2)


def cuts(shape, patch):
    """Whether an image of this shape can be cut."""
    fits = len(shape) >= 3 and min(shape[-3:]) >= 1 and whole(patch)
    return fits and not (shape[-3] % int(patch) or shape[-2] % int(patch))


# Arrays.


@drawn
@given(shape=shapes, dtype=dtypes, patch=small)
@example(shape=(4, 4, 3), dtype=np.uint8, patch=np.uint8(2))
@example(shape=(0, 4, 4, 3), dtype=np.float32, patch=2)
def test_patchify_and_back(backend, shape, dtype, patch):
    images = filled(shape, dtype)
    rows = outcome(patchify, backend.give(images), patch)
    assert (rows is not None) == cuts(shape, patch)
    if rows is not None:
        np.testing.assert_array_equal(backend.take(rows), cut(images, int(patch)))
        grid = shape[-3] // int(patch), shape[-2] // int(patch)
        np.testing.assert_array_equal(backend.take(unpatchify(rows, patch, grid)), images)


@drawn
@given(
    shape=st.one_of(st.sampled_from([(6, 12), (1, 4), (0, 4), (2, 6, 4), (6, 13), (0, 6, 4), (6, 0)]), shapes),
    patch=small,
    grid=st.one_of(
        st.sampled_from([(2, 3), (3, 2), (6, 1), (1, 1), [2, 3], np.array([2, 3]), (0, 0), (-2, -3), (2.0, 3.0)]),
        st.sampled_from([None, 6, (6,), (1, 2, 3), "23", (True, 6), (10**30, 1), (np.int8(2), np.int8(3)), (None, 6)]),
    ),
)
def test_unpatchify_any_grid(backend, shape, patch, grid):
    rows = filled(shape, np.float32)
    images = outcome(unpatchify, backend.give(rows), patch, tuple(grid) if isinstance(grid, np.ndarray) else grid)
    fits = isinstance(grid, (tuple, list, np.ndarray)) and len(grid) == 2 and whole(patch, *grid) and len(shape) >= 2
    fits = fits and math.prod(map(int, grid)) == shape[-2] and shape[-1] > 0 and shape[-1] % (int(patch) ** 2) == 0
    assert (images is not None) == fits
    if fits:
        assert tuple(images.shape[-3:-1]) == (grid[0] * patch, grid[1] * patch)
        np.testing.assert_array_equal(cut(backend.take(images), int(patch)), rows)


@drawn
@given(
    shape=shapes,
    dtype=st.sampled_from([np.uint8, np.uint8, np.uint8, np.float32, np.int8, np.bool_]),
    patch=small,
    mean=st.sampled_from(
        [[0.5], [0.4, 0.5, 0.6], [0.5] * 3, 0.5, [], None, ["0.5"], [math.nan] * 3, [math.inf] * 3, [1e300] * 3]
    ),
    std=st.sampled_from(
        [[0.5], [0.2, 0.3, 0.4], [0.2] * 3, 0.5, [0.0] * 3, [-1.0] * 3, [1e-45] * 3, [1e300] * 3, ["x"], [[1], [2, 3]]]
    ),
    wanted=st.sampled_from([np.float32, np.float32, np.float16, np.int8, None, "no such dtype", object]),
)
@example(shape=(1, 2, 2, 3), dtype=np.uint8, patch=2, mean=[0.5] * 3, std=[1e-6] * 3, wanted=np.float16)
@example(shape=(1, 2, 2, 3), dtype=np.uint8, patch=2, mean=[0.5] * 3, std=[1e-6] * 3, wanted=np.float32)
@example(shape=(1, 2, 2, 3), dtype=np.uint8, patch=np.uint8(2), mean=[0.5] * 3, std=[0.5] * 3, wanted=np.float32)
def test_normalize_patchify_any_numbers(backend, shape, dtype, patch, mean, std, wanted):
    images = filled(shape, dtype)
    rows = outcome(normalize_patchify, backend.give(images), patch, mean, std, dtype=wanted)
    fits = dtype == np.uint8 and len(shape) == 4 and cuts(shape, patch) and wanted in (np.float32, np.float16)
    try:
        m, s = (np.asarray(x, float).reshape(-1) for x in (mean, std))
        fits = fits and len(m) == len(s) == shape[-1] and bool((np.isfinite(m) & (s > 0)).all())
        ends = [-m / s, (1 - m) / s] if fits else []
    except ValueError:  # not numbers at all
        fits, ends = False, []
    fits = fits and bool((np.abs(ends) <= np.finfo(wanted).max).all())  # black or white would be infinite
    assert (rows is not None) == fits
    if fits:
        taken, expected = backend.take(rows), cut((images / 255 - m) / s, int(patch))
        tolerance = {np.float32: 1e-6, np.float16: 1e-3}[wanted]
        assert taken.dtype == wanted
        np.testing.assert_allclose(taken, expected, rtol=tolerance, atol=tolerance * max(1, np.abs(ends).max()))


@drawn
@given(
    shape=st.one_of(
        st.sampled_from(
            [(1, 4, 4, 3), (3, 4, 8, 2), (2, 6, 6, 1), (1, 1, 1, 1), (0, 4, 4, 3), (1, 4, 4, 0), (1, 2, 300, 1)]
        ),
        shapes,
    ),
    patch=small,
    merge=small,
    temporal=small,
)
@example(shape=(1, 4, 4, 3), patch=-2, merge=-2, temporal=2)
@example(shape=(1, 4, 4, 3), patch=2, merge=0, temporal=2)
@example(shape=(3, 4, 4, 3), patch=np.uint8(2), merge=np.uint8(2), temporal=np.uint8(2))
def test_qwen_rows_any_numbers(backend, shape, patch, merge, temporal):
    frames = filled(shape, np.float32)
    result = outcome(qwen_rows, backend.give(frames), patch=patch, merge=merge, temporal=temporal)
    fits = len(shape) == 4 and min(shape) >= 1 and whole(patch, merge, temporal) and temporal < 10**9
    fits = fits and not (shape[1] % (int(patch) * int(merge)) or shape[2] % (int(patch) * int(merge)))
    if len(shape) == 4 and whole(temporal) and temporal == 10**30:
        assert result is None  # nobody has the memory to repeat one frame so often
        return
    assert (result is not None) == fits
    if fits:
        p, m, n = int(patch), int(merge), int(temporal)
        padded = np.concatenate([frames] + [frames[-1:]] * (-len(frames) % n))
        grid = len(padded) // n, shape[1] // p, shape[2] // p
        blocks = itertools.product(range(grid[0]), range(grid[1] // m), range(grid[2] // m), range(m), range(m))
        expected = [
            padded[t * n : (t + 1) * n, (R * m + r) * p : (R * m + r + 1) * p, (S * m + s) * p : (S * m + s + 1) * p]
            .transpose(3, 0, 1, 2)
            .ravel()
            for t, R, S, r, s in blocks
        ]
        np.testing.assert_array_equal(backend.take(result[0]), expected)
        assert result[1] == grid and all(type(side) is int for side in result[1])


@pytest.mark.parametrize(
    "call",
    [
        lambda x: patchify(x, 2),
        lambda x: unpatchify(x, 2, (1, 1)),
        lambda x: normalize_patchify(x, 2, [0.5], [0.5]),
        lambda x: qwen_rows(x, patch=2, merge=1),
    ],
    ids=["patchify", "unpatchify", "normalize_patchify", "qwen_rows"],
)
@pytest.mark.parametrize(
    "images",
    [[[[1]]], [np.zeros((2, 2, 1), np.uint8)], None, 3, "photo.png", b"png", Image.new("L", (2, 2)), (4, 4, 3)],
    ids=["list", "list of arrays", "None", "3", "path", "bytes", "PIL", "shape"],
)
def test_what_is_no_array(call, images):
    with pytest.raises(TypeError, match=r"(images|rows|frames) (is|are) (\w+); expected"):
        call(images)


def test_a_list_of_tensors_is_no_tensor(tensors):
    with pytest.raises(TypeError, match="images is list; expected"):
        patchify([tensors.give(np.zeros((2, 2, 1)))], 2)


@pytest.mark.parametrize("call", [lambda x: patchify(x, 2), lambda x: qwen_rows(x[None], patch=2, merge=1)])
def test_objects_are_no_numbers(call):
    with pytest.raises(TypeError, match="object; expected numbers"):
        call(np.full((2, 2, 1), None))


@pytest.mark.parametrize("function", ["patchify", "unpatchify", "normalize_patchify"])
def test_an_out_that_is_no_place_to_write(backend, function):
    images = backend.give(np.zeros((1, 4, 4, 3), np.uint8))
    call, shape, dtype = {
        "patchify": (lambda out: patchify(images, 2, out=out), (1, 4, 12), np.uint8),
        "unpatchify": (lambda out: unpatchify(patchify(images, 2), 2, (2, 2), out=out), (1, 4, 4, 3), np.uint8),
        "normalize_patchify": (
            lambda out: normalize_patchify(images, 2, [0.5] * 3, [0.5] * 3, out=out),
            (1, 4, 12),
            np.float32,
        ),
    }[function]
    assert call(backend.empty(shape, dtype)) is not None
    wrong = [
        backend.empty(shape[:-1], dtype),
        backend.empty((*shape, 1), dtype),
        backend.empty(shape, np.int32),
        backend.empty((*shape[:-1], 2 * shape[-1]), dtype)[..., ::2],
        [[0.0] * shape[-1]] * shape[-2],
        3,
    ]
    if backend.name == "numpy":
        fixed = np.zeros(shape, dtype)
        fixed.flags.writeable = False
        wrong.append(fixed)
    for out in wrong:
        with pytest.raises((ValueError, TypeError), match=r"out is .*; need .*contiguous"):
            call(out)


def test_out_that_overlaps_the_images_is_right_or_refused(backend):
    """Rows written over the very pixels they are read from."""
    start = filled((4, 6, 3), np.uint8)
    images = backend.give(start.copy())
    rows = outcome(patchify, images, 2, out=images.reshape(6, 12))
    if rows is not None:
        np.testing.assert_array_equal(backend.take(rows), cut(start, 2))


@pytest.mark.parametrize("channels, options", [(1, {"temporal": 1}), (3, {}), (1, {"temporal": 2})])
def test_rows_never_share_memory_with_frames(backend, channels, options):
    """One frame, one patch: the layout is the image's own, and a view of it would do. It must be a copy."""
    frames = filled((1, 4, 4, channels), np.float32)
    given_frames = backend.give(frames.copy())
    rows, _ = qwen_rows(given_frames, patch=4, merge=1, **options)
    rows[...] = -1
    np.testing.assert_array_equal(backend.take(given_frames), frames)


# Sizes.

SIZES = st.one_of(
    st.integers(1, 9000),
    st.sampled_from([1, 2, 10**6, 2**31 - 1, 2**31, 10**30, 10**400, 0, -1, -(10**30)]),
    st.sampled_from([np.uint8(200), np.int16(300), np.int32(60_000), np.int64(5), True, np.array(7)]),
    st.sampled_from(
        [10.5, 10.0, math.nan, math.inf, -math.inf, None, "10", "", b"1", [10], (10, 20), np.float64(3), 1j]
    ),
)


def is_size(*sides):
    """Whole numbers from 1 to 2^31 - 1, the largest side a PNG can state."""
    return all(
        (isinstance(s, numbers.Integral) or (isinstance(s, np.ndarray) and s.ndim == 0)) and 1 <= s < 2**31
        for s in sides
    )


SIZE_FUNCTIONS = {
    "smart_resize": smart_resize,
    "smart_resize, qwen-vl-utils": lambda h, w: smart_resize(h, w, rule="qwen-vl-utils"),
    "tile_grid": tile_grid,
    "image_tokens": lambda h, w: image_tokens("qwen2.5-vl", h, w),
    "image_tokens, tiles": lambda h, w: image_tokens("internvl2.5", h, w),
}


@pytest.mark.parametrize("name", SIZE_FUNCTIONS)
@drawn
@given(height=SIZES, width=SIZES)
@example(height=np.uint8(200), width=np.uint8(200))
@example(height=np.int32(60_000), width=np.int32(60_000))
def test_sizes_of_any_kind(name, height, width):
    """What is no size is refused; a NumPy integer is the integer it holds, and no product of two overflows."""
    result = outcome(SIZE_FUNCTIONS[name], height, width)
    if not is_size(height, width):
        assert result is None
        return
    assert result == outcome(SIZE_FUNCTIONS[name], int(height), int(width))
    if result is not None:
        assert all(type(n) is int and n >= 1 for n in (result if isinstance(result, tuple) else (result,)))


@pytest.mark.parametrize("name", SIZE_FUNCTIONS)
@pytest.mark.parametrize("side", [10.5, 10.0, math.nan, math.inf, None, "10", [10], np.float32(10)])
def test_a_side_that_is_no_whole_number(name, side):
    for size, which in (((side, 10), "height"), ((10, side), "width")):
        with pytest.raises(TypeError, match=f"{which} is {re.escape(repr(side))}; expected a whole number"):
            SIZE_FUNCTIONS[name](*size)


@drawn
@given(height=st.integers(1, 9000), width=st.integers(1, 9000), rule=st.sampled_from(["transformers", "qwen-vl-utils"]))
def test_smart_resize_is_recomputed(height, width, rule):
    """One scale for both sides: without bounds in reach, each side is within half a factor of its own."""
    result = outcome(smart_resize, height, width, min_pixels=1, max_pixels=10**12, rule=rule)
    assert (result is not None) == (max(height, width) <= 200 * min(height, width))
    if result is not None:
        for side, new in zip((height, width), result):
            assert new % 28 == 0 and (abs(new - side) <= 14 or min(height, width) < 28)


@drawn
@given(
    factor=st.one_of(st.just(28), numbers_of_any_kind),
    low=st.one_of(st.just(3136), numbers_of_any_kind, st.just(10**8)),
    high=st.one_of(st.just(1003520), numbers_of_any_kind),
    rule=st.sampled_from(["transformers", "qwen-vl-utils", "torch", None, 3]),
)
@example(factor=0, low=3136, high=1003520, rule="transformers")
@example(factor=28, low=3136, high=0, rule="transformers")
@example(factor=28, low=3136, high=-1, rule="qwen-vl-utils")
@example(factor=-28, low=3136, high=1003520, rule="transformers")
def test_smart_resize_any_options(factor, low, high, rule):
    result = outcome(smart_resize, 600, 800, factor=factor, min_pixels=low, max_pixels=high, rule=rule)
    integers = all(isinstance(bound, numbers.Integral) for bound in (low, high))
    fits = whole(factor) and integers and 0 <= low <= high and high >= 1 and rule in ("transformers", "qwen-vl-utils")
    assert result is None or fits
    if fits and high == 1003520 and factor != 10**30:
        assert result is not None
    if result is not None:
        assert all(type(side) is int and side >= factor and side % factor == 0 for side in result)


@drawn
@given(
    height=st.integers(1, 9000),
    width=st.integers(1, 9000),
    tile=st.one_of(st.just(448), numbers_of_any_kind),
    low=st.one_of(st.just(1), numbers_of_any_kind),
    high=st.one_of(st.just(12), numbers_of_any_kind.filter(lambda n: not isinstance(n, int) or n < 100)),
)
def test_tile_grid_takes_the_nearest_shape(height, width, tile, low, high):
    result = outcome(tile_grid, height, width, tile=tile, min_tiles=low, max_tiles=high)
    assert (result is not None) == (whole(tile, low, high) and low <= high)
    if result is not None:
        grids = [(c, r) for c in range(1, high + 1) for r in range(1, high + 1) if low <= c * r <= high]
        assert result in grids
        assert abs(width / height - result[0] / result[1]) == min(abs(width / height - c / r) for c, r in grids)


@pytest.mark.parametrize("model", catalog.rows())
@drawn
@given(height=st.one_of(st.integers(1, 60), SIZES), width=st.one_of(st.integers(1, 9000), SIZES))
@example(height=1, width=5000)
@example(height=5000, width=1)
@example(height=1, width=1)
@example(height=2**31 - 1, width=1)
@example(height=2**31 - 1, width=2**31 - 1)
def test_every_model_counts_or_refuses(model, height, width):
    tokens = outcome(image_tokens, model, height, width)
    if not is_size(height, width):
        assert tokens is None
    elif tokens is not None:
        assert type(tokens) is int and tokens >= 1


@pytest.mark.parametrize("model", [None, "", "gpt-2", 3, ["qwen2-vl"], np.array(["qwen2-vl", "gemma-3"])])
def test_a_model_that_nobody_has(model):
    with pytest.raises((ValueError, TypeError), match="qwen2-vl.*gemma-3"):
        image_tokens(model, 10, 10)


# Packing.

COUNTS = st.one_of(
    st.lists(st.integers(0, 6), max_size=6),
    st.lists(
        st.sampled_from([0, 3, -1, 2**31 - 1, 2**31, 2**62, 2**63, 10**30, True, np.int8(100), np.uint8(200)]),
        max_size=5,
    ),
    st.sampled_from(
        [
            None,
            3,
            "34",
            [1.5, 2.7],
            [1.0],
            [math.nan],
            [math.inf],
            ["3"],
            [None],
            [[1, 2], [3]],
            [[1, 2]],
            {3},
            [1j],
            b"12",
            [2**62] * 4,
        ]
    ),
)


@drawn
@given(lengths=COUNTS)
@example(lengths=[2**62] * 4)  # the sum is 0 in int64
@example(lengths=[1.5, 2.7])  # not 1 and 2
@example(lengths=[])
@example(lengths=[np.int8(100), np.int8(100)])
def test_pack_lengths_of_anything(lengths):
    result = outcome(pack_lengths, lengths)
    fits = isinstance(lengths, list) and all(isinstance(n, numbers.Integral) and n >= 0 for n in lengths)
    fits = fits and sum(map(int, lengths)) < 2**31
    assert (result is not None) == fits
    if fits:
        assert result.dtype == np.int32
        assert result.tolist() == [0, *itertools.accumulate(map(int, lengths))]


@drawn
@given(
    ends=st.one_of(
        st.lists(st.integers(0, 5), max_size=5).map(lambda steps: [0, *itertools.accumulate(steps)]),
        st.lists(st.sampled_from([0, 1, 5, -1, 2**31 - 1, 2**62, 2**63, 10**30]), max_size=4),
        COUNTS,
    )
)
@example(ends=[0, 2**31 - 1])  # 4 exbibytes of mask
@example(ends=[0, 2**16 + 1])
@example(ends=[0.0, 1.5])
def test_block_mask_of_anything(ends):
    mask = outcome(block_mask, ends)
    fits = isinstance(ends, list) and len(ends) > 0 and all(isinstance(n, numbers.Integral) for n in ends)
    ends = list(map(int, ends)) if fits else []
    fits = fits and ends[0] == 0 and ends == sorted(ends) and ends[-1] <= 2**16
    assert (mask is not None) == fits
    if fits:
        owner = [image for image, (start, stop) in enumerate(itertools.pairwise(ends)) for _ in range(start, stop)]
        assert mask.dtype == bool and mask.tolist() == [[i == j for j in owner] for i in owner]


def test_a_mask_that_would_fill_the_memory_points_elsewhere():
    with pytest.raises(ValueError, match="100000 tokens takes 10 GB.*cu_seqlens"):
        block_mask([0, 100_000])


# Tensors that NumPy does not know.


def test_dtypes_that_numpy_lacks(tensors):
    torch = pytest.importorskip("torch")
    image = torch.arange(24).reshape(4, 6, 1)
    for dtype in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
        narrow = image.to(torch.float16).to(dtype)
        rows = patchify(narrow, 2)
        assert rows.dtype == dtype
        back = unpatchify(rows, 2, (2, 3))
        same = back.view(torch.uint8) == narrow.view(torch.uint8)
        assert bool(same.all()) and rows.data_ptr() != narrow.data_ptr()


def test_conjugate_and_negative_views(tensors):
    """A lazy conjugate has no NumPy array until it is resolved."""
    torch = pytest.importorskip("torch")
    z = torch.complex(torch.arange(4.0), torch.ones(4)).reshape(2, 2, 1)
    assert patchify(z.conj(), 2).flatten().tolist() == z.conj().resolve_conj().flatten().tolist()
    assert patchify(z.conj().imag, 2).flatten().tolist() == [-1.0] * 4


def test_a_mean_that_has_a_gradient(tensors):
    """A trained mean: its numbers are used, and no gradient is promised."""
    torch = pytest.importorskip("torch")
    images = tensors.give(np.full((1, 2, 2, 1), 255, np.uint8))
    mean = torch.tensor([0.5], requires_grad=True)
    rows = normalize_patchify(images, 2, mean, torch.tensor([0.5], dtype=torch.bfloat16))
    np.testing.assert_allclose(rows.numpy(), np.ones((1, 1, 4)), rtol=1e-6)


def test_dtype_names_of_both_libraries(tensors):
    """np.float16, "float16" and torch.float16 are one dtype to a tensor, the first two to an array."""
    torch = pytest.importorskip("torch")
    images = np.zeros((1, 2, 2, 1), np.uint8)
    for dtype in (np.float16, "float16", np.dtype(np.float16)):
        assert normalize_patchify(images, 2, [0.5], [0.5], dtype=dtype).dtype == np.float16
        assert normalize_patchify(tensors.give(images), 2, [0.5], [0.5], dtype=dtype).dtype == torch.float16
    with pytest.raises(TypeError, match="float32"):
        normalize_patchify(images, 2, [0.5], [0.5], dtype=torch.float16)


def test_one_patch_of_a_dtype_that_numpy_lacks_is_a_copy(tensors):
    torch = pytest.importorskip("torch")
    image = torch.zeros((2, 2, 1), dtype=torch.bfloat16)
    patchify(image, 2)[...] = 1
    assert not image.any()
    rows = torch.zeros((1, 4), dtype=torch.bfloat16)
    unpatchify(rows, 2, (1, 1))[...] = 1
    assert not rows.any()
