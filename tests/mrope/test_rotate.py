"""Turning pairs: against complex numbers, on every backend, with the gradient as the turn back."""

import numpy as np
import pytest

from mmtokedu.catalog import positions as catalog
from mmtokedu.mrope import BLOCK, angles, axis_of_pair, position_ids, rotate, rotate_2d, turning

HOWS = {
    "blocks": {"sections": (2, 3, 3)},
    "interleaved": {"sections": (4, 2, 2), "layout": "interleaved", "theta": 5e6},
    "adjacent": {"sections": (2, 3, 3), "pairing": "adjacent"},
    "narrow": {"sections": (1, 2, 2), "width": 10},
    "narrow, adjacent": {"sections": (1, 2, 2), "width": 10, "pairing": "adjacent"},
    "three pairs": {"sections": (1, 1, 1)},
    "hope": {"sections": (2, 3, 3), "layout": "hope"},
    "four axes": {"sections": (2, 2, 2, 2)},
    "one axis": {"sections": (8,)},
}


def textbook(x, positions, *, sections, theta=10000.0, layout="blocks", pairing="half", width=None):
    """Each pair as one complex number, times e to the i times its angle, a token and a pair at a time."""
    axis, pairs = axis_of_pair(sections, layout=layout), sum(sections)
    out = x.astype(np.float64)
    for n in range(x.shape[-2]):
        for i in range(pairs):
            place = positions[axis[i]][..., n].astype(float) if axis[i] >= 0 else 0.0
            first, second = (i, i + pairs) if pairing == "half" else (2 * i, 2 * i + 1)
            turned = (x[..., n, first] + 1j * x[..., n, second]) * np.exp(1j * place * theta ** (-i / pairs))
            out[..., n, first], out[..., n, second] = turned.real, turned.imag
    return out


def drawn(rng, how, lead=(2, 3), tokens=5, more=6, dtype=np.float32):
    width = 2 * sum(how["sections"]) + (more if "width" in how else 0)
    x = rng.standard_normal((*lead, tokens, width)).astype(dtype)
    return x, rng.integers(0, 3000, (len(how["sections"]), tokens))


@pytest.mark.parametrize("name", HOWS)
@pytest.mark.parametrize("lead, tokens", [((), 1), ((3,), 7), ((2, 3), 5), ((1, 2, 2), 3)])
def test_every_pair_turns_as_a_complex_number(backend, rng, name, lead, tokens):
    x, positions = drawn(rng, HOWS[name], lead, tokens)
    result = rotate(backend.give(x), backend.give(positions), **HOWS[name])
    assert result.shape == x.shape and backend.take(result).dtype == np.float32
    np.testing.assert_allclose(backend.take(result), textbook(x, positions, **HOWS[name]), atol=2e-6)


@pytest.mark.parametrize("name", HOWS)
def test_queries_and_keys_at_once(backend, rng, name):
    queries, positions = drawn(rng, HOWS[name], (2, 4))
    keys = drawn(rng, HOWS[name], (2, 1))[0]
    both = rotate((backend.give(queries), backend.give(keys)), backend.give(positions), **HOWS[name])
    for given, result in zip((queries, keys), both, strict=True):
        alone = rotate(backend.give(given), backend.give(positions), **HOWS[name])
        np.testing.assert_array_equal(backend.take(result), backend.take(alone))


@pytest.mark.parametrize("name", HOWS)
def test_out_and_in_place(backend, rng, name):
    x, positions = drawn(rng, HOWS[name])
    expected = backend.take(rotate(backend.give(x), backend.give(positions), **HOWS[name]))
    poisoned, itself = backend.empty(x.shape, np.float32), backend.give(x.copy())
    assert rotate(backend.give(x), backend.give(positions), **HOWS[name], out=poisoned) is poisoned
    assert rotate(itself, backend.give(positions), **HOWS[name], out=itself) is itself
    for result in (poisoned, itself):
        np.testing.assert_array_equal(backend.take(result), expected)
    pair = backend.give(x.copy()), backend.give(x.copy())
    assert rotate(pair, backend.give(positions), **HOWS[name], out=pair)[1] is pair[1]
    np.testing.assert_array_equal(backend.take(pair[1]), expected)


def test_out_that_overlaps_its_source(backend, rng):
    """Written a token further on in the same memory: what is read must not have been written yet."""
    how = HOWS["blocks"]
    x, positions = drawn(rng, how, (), 9)
    room = backend.give(np.concatenate([x, x[:1]]))
    rotate(room[:-1], backend.give(positions), **how, out=room[1:])
    np.testing.assert_allclose(backend.take(room)[1:], textbook(x, positions, **how), atol=2e-6)


@pytest.mark.parametrize("name", ["blocks", "adjacent", "narrow"])
def test_arrays_that_lie_otherwise_in_memory(backend, rng, name):
    """Heads behind tokens, as a projection leaves them; every second number; an out of either kind."""
    x, positions = drawn(rng, HOWS[name], (2, 3), 7)
    expected = textbook(x, positions, **HOWS[name])
    swapped = backend.give(x.swapaxes(1, 2).copy()).swapaxes(1, 2)
    strided = backend.give(np.repeat(x, 2, axis=-1))[..., ::2]
    for given in (swapped, strided):
        np.testing.assert_allclose(
            backend.take(rotate(given, backend.give(positions), **HOWS[name])), expected, atol=2e-6
        )
        room = backend.give(np.zeros((2, 7, 3, 2 * x.shape[-1]), np.float32)).swapaxes(1, 2)[..., ::2]
        rotate(given, backend.give(positions), **HOWS[name], out=room)
        np.testing.assert_allclose(backend.take(room), expected, atol=2e-6)
        rotate(given, backend.give(positions), **HOWS[name], out=given)
        np.testing.assert_allclose(backend.take(given), expected, atol=2e-6)


@pytest.mark.parametrize("places", [(2, 1, 5), (1, 1, 5), (2, 3, 5), (3, 5), (1, 5)])
def test_positions_of_their_own(backend, rng, places):
    """(B, heads, N): each document its own, or each head, or all the same."""
    how = HOWS["interleaved"]
    x, _ = drawn(rng, how)
    positions = rng.integers(0, 500, (3, *places))
    result = backend.take(rotate(backend.give(x), backend.give(positions), **how))
    everywhere = np.broadcast_to(positions.reshape(3, *(1,) * (3 - len(places)), *places), (3, 2, 3, 5))
    for b, h in np.ndindex(2, 3):
        np.testing.assert_allclose(result[b, h], textbook(x[b, h], everywhere[:, b, h], **how), atol=2e-6)


@pytest.mark.parametrize("shape", [(0, 16), (2, 0, 16), (0, 3, 16), (2, 0, 5, 16)])
def test_nothing_to_turn(backend, shape):
    x = backend.give(np.zeros(shape, np.float32))
    assert rotate(x, backend.give(np.zeros((3, shape[-2]), int)), sections=(2, 3, 3)).shape == shape


def test_more_tokens_than_one_block(backend, rng):
    how = {"sections": (8, 12, 12), "theta": 1e6}
    tokens = BLOCK // (2 * 64) + 37  # of two heads
    x, positions = drawn(rng, how, (2,), tokens)
    result = backend.take(rotate(backend.give(x), backend.give(positions), **how))
    turned = angles(positions, **how)
    pairs = (x[..., :32] + 1j * x[..., 32:]) * np.exp(1j * turned)
    np.testing.assert_allclose(result, np.concatenate([pairs.real, pairs.imag], axis=-1), atol=2e-6)


@pytest.mark.parametrize("kind", ["int32", "int64", "float32", "float64"])
def test_positions_of_any_kind(backend, rng, kind):
    how = HOWS["blocks"]
    x, positions = drawn(rng, how)
    positions = positions.astype(kind) + (0.25 if kind.startswith("float") else 0)
    result = rotate(backend.give(x), backend.give(positions), **how)
    np.testing.assert_allclose(backend.take(result), textbook(x, positions, **how), atol=2e-6)


@pytest.mark.parametrize("place", [10**5, 10**7 + 1, 2**31 + 5])
def test_far_positions_turn_exactly(backend, rng, place):
    """A float32 angle would be off by half a turn at ten million; these are worked out in float64."""
    how = HOWS["blocks"]
    x, positions = drawn(rng, how)
    positions = positions % 7 + place
    result = rotate(backend.give(x), backend.give(positions), **how)
    np.testing.assert_allclose(backend.take(result), textbook(x, positions, **how), atol=4e-6)


@pytest.mark.parametrize("dtype, tolerance", [(np.float16, 4e-3), (np.float32, 2e-6), (np.float64, 1e-12)])
@pytest.mark.parametrize("name", ["blocks", "narrow, adjacent"])
def test_dtypes(backend, rng, dtype, tolerance, name):
    x, positions = drawn(rng, HOWS[name], dtype=dtype)
    result = backend.take(rotate(backend.give(x), backend.give(positions), **HOWS[name]))
    assert result.dtype == dtype
    np.testing.assert_allclose(result, textbook(x, positions, **HOWS[name]), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("name", ["blocks", "adjacent"])
def test_bfloat16(tensors, rng, name):
    torch = pytest.importorskip("torch")
    x, positions = drawn(rng, HOWS[name])
    given = tensors.give(x).bfloat16()
    result = rotate(given, tensors.give(positions), **HOWS[name])
    assert result.dtype == torch.bfloat16
    expected = textbook(given.float().numpy(), positions, **HOWS[name])
    np.testing.assert_allclose(result.float().numpy(), expected, atol=0.02)


def test_lengths_stay_and_scores_see_differences_only(rng):
    how = turning("qwen3-vl")
    queries, keys = rng.standard_normal((2, 6, 128))
    ids = position_ids([catalog.Text(2), catalog.Vision(1, 2, 2)])
    turned = rotate((queries, keys), ids, **how)
    np.testing.assert_allclose(np.linalg.norm(turned[0], axis=1), np.linalg.norm(queries, axis=1))
    further = rotate((queries, keys), ids + np.array([[5], [70], [900]]), **how)
    np.testing.assert_allclose(further[0] @ further[1].T, turned[0] @ turned[1].T, atol=1e-10)


# The gradient


@pytest.mark.parametrize("name", HOWS)
def test_the_gradient_is_the_turn_back(tensors, rng, name):
    torch = pytest.importorskip("torch")
    queries, positions = drawn(rng, HOWS[name])
    keys = drawn(rng, HOWS[name], (2, 1))[0]
    given = [tensors.give(x).requires_grad_() for x in (queries, keys)]
    weights = [rng.standard_normal(x.shape).astype(np.float32) for x in (queries, keys)]
    results = rotate(tuple(given), tensors.give(positions), **HOWS[name])
    loss = sum((result * tensors.give(weight)).sum() for result, weight in zip(results, weights))
    gradients = torch.autograd.grad(loss, given)
    for gradient, weight in zip(gradients, weights):
        np.testing.assert_allclose(gradient.numpy(), textbook(weight, -positions, **HOWS[name]), atol=2e-6)


@pytest.mark.parametrize("name", ["blocks", "narrow, adjacent", "hope"])
def test_gradients_of_both_orders(tensors, rng, name):
    torch = pytest.importorskip("torch")
    x, positions = drawn(rng, HOWS[name], (1, 2), 3, dtype=np.float64)
    given, places = tensors.give(x).requires_grad_(), tensors.give(positions)
    assert torch.autograd.gradcheck(lambda x: rotate(x, places, **HOWS[name]), (given,))
    assert torch.autograd.gradgradcheck(lambda x: rotate(x, places, **HOWS[name]), (given,))


def test_one_of_two_asks_for_a_gradient(tensors, rng):
    queries, positions = drawn(rng, HOWS["blocks"])
    given = tensors.give(queries), tensors.give(queries.copy()).requires_grad_()
    results = rotate(given, tensors.give(positions), **HOWS["blocks"])
    results[1].sum().backward()
    expected = textbook(np.ones_like(queries), -positions, **HOWS["blocks"])
    np.testing.assert_allclose(given[1].grad.numpy(), expected, atol=2e-6)


# Vision towers


def tower_by_definition(x, h, w, style):
    """Each style's pairs, one by one, as its source lists them."""
    quarter, out = x.shape[-1] // 4, x.astype(np.float64)
    each = [(10000.0 if style != "gemma-4" else 100.0) ** (-i / quarter) for i in range(quarter)]
    shared = [10000.0 ** (-i / (2 * quarter)) for i in range(2 * quarter)]
    half, D = 2 * quarter, x.shape[-1]
    pairs = {  # (first number, second number, angle)
        "qwen": [(i, i + half, h * each[i]) for i in range(quarter)]
        + [(i + quarter, i + quarter + half, w * each[i]) for i in range(quarter)],
        "pixtral": [(i, i + half, h * shared[2 * i]) for i in range(quarter)]
        + [(i + quarter, i + quarter + half, w * shared[2 * i + 1]) for i in range(quarter)],
        "gemma-4": [(i, i + quarter, w * each[i]) for i in range(quarter)]
        + [(half + i, half + quarter + i, h * each[i]) for i in range(quarter)],
        "kimi-k2.5": [(i, i + half, (w, h)[i % 2] * each[i // 2]) for i in range(half)],
        "llama-4": [(2 * i, 2 * i + 1, ((w + 1) if i < quarter else (h + 1)) * each[i % quarter]) for i in range(half)],
    }
    pairs["muse-glimmer"] = pairs["qwen"]
    assert sorted(n for first, second, _ in pairs[style] for n in (first, second)) == list(range(D))
    for first, second, angle in pairs[style]:
        turned = (x[..., first] + 1j * x[..., second]) * np.exp(1j * angle)
        out[..., first], out[..., second] = turned.real, turned.imag
    return out


@pytest.mark.parametrize("style", catalog.rows("towers"))
@pytest.mark.parametrize("width", [4, 16, 80])
def test_every_tower(backend, rng, style, width):
    x = rng.standard_normal((2, 6, width)).astype(np.float32)
    places = rng.integers(0, 60, (2, 6))
    result = backend.take(rotate_2d(backend.give(x), backend.give(places), style=style))
    expected = np.stack([tower_by_definition(x[:, n], *places[:, n], style) for n in range(6)], axis=1)
    np.testing.assert_allclose(result, expected, atol=2e-6)
    both = rotate_2d((backend.give(x), backend.give(x[:1].copy())), backend.give(places), style=style)
    np.testing.assert_array_equal(backend.take(both[1]), backend.take(both[0])[:1])


def test_another_theta(rng):
    x = rng.standard_normal((3, 8))
    places = np.array([[1, 2, 3], [4, 5, 6]])
    np.testing.assert_allclose(rotate_2d(x, places, theta=100.0), rotate_2d(x, places, style="qwen", theta=100))
    assert np.abs(rotate_2d(x, places, theta=100.0) - rotate_2d(x, places)).max() > 0.01


# What is refused

X = np.zeros((2, 5, 16), np.float32)
IDS = np.zeros((3, 5), int)


def with_positions(value):
    ids = IDS.astype(float)
    ids[1, 2] = value
    return ids


@pytest.mark.parametrize(
    ("x", "positions", "options", "says"),
    [
        (X, IDS, {"sections": (2, 3, 4)}, r"x has 16 numbers a token; the sections name 9 pairs, 18 \(name fewer pairs\)"),
        (X, IDS, {"sections": (2, 3, 2)}, r"7 pairs, 14 \(width=14 turns those and leaves 2\)"),
        (X, IDS, {"sections": (2, 3, 2), "width": 16}, "width is 16 and x has 16 numbers a token; the sections name 7 pairs"),
        (X, IDS, {"sections": (5, 5, 5), "width": 30}, "width is 30 and x has 16 numbers a token"),
        (X[..., :15], IDS, {"sections": (2, 3, 3)}, "x has 15 numbers a token; the sections name 8 pairs"),
        (X, IDS, {"sections": (4, 4)}, r"positions have shape \(3, 5\); the sections name 2 axes"),
        (X, IDS[:, :4], {}, r"positions have shape \(3, 4\) and x \(2, 5, 16\); expected \(axes, ..., N\) with N = 5"),
        (X, IDS[:, :1], {}, r"positions have shape \(3, 1\) and x"),
        (X, np.zeros((3, 3, 5), int), {}, r"positions have shape \(3, 3, 5\) and x"),
        (X, np.zeros((3, 1, 2, 5), int), {}, r"positions have shape \(3, 1, 2, 5\) and x"),
        (X, np.zeros(3, int), {}, r"positions have shape \(3,\); the sections name 3 axes"),
        (X[0, 0], IDS, {}, r"x has shape \(16,\); expected \(..., N, D\)"),
        (X, with_positions(-1), {}, "positions reach from -1 to 0; expected finite numbers from 0 up"),
        (X, with_positions(np.nan), {}, "positions reach from nan to nan"),
        (X, with_positions(np.inf), {}, "positions reach from 0 to inf"),
        (X, with_positions(1e300), {}, r"positions reach from 0 to 1e\+300"),
        (X, IDS, {"pairing": "quarters"}, "pairing is 'quarters'; choose one of half, adjacent"),
        (X, IDS, {"layout": "spiral"}, "layout is 'spiral'"),
        (X, IDS, {"theta": -1}, "theta is -1"),
        ((X, X, X), IDS, {}, r"x has 3 arrays; expected one, or a pair \(queries, keys\)"),
        ((X, X[:, :4]), IDS, {}, r"positions have shape \(3, 5\) and keys \(2, 4, 16\)"),
    ],
)  # fmt: skip
def test_values_that_are_refused(backend, x, positions, options, says):
    given = tuple(map(backend.give, x)) if isinstance(x, tuple) else backend.give(x)
    with pytest.raises(ValueError, match=says):
        rotate(given, backend.give(positions), **{"sections": (2, 3, 3)} | options)


@pytest.mark.parametrize(
    ("x", "positions", "options", "says"),
    [
        (X.astype(int), IDS, {}, "x: dtype is .*int64; expected floats"),
        (X, IDS.astype(bool), {}, "positions are .*bool; expected numbers"),
        (X.astype(complex), IDS, {}, "x: dtype is .*complex128; expected floats"),
        (X, IDS, {"width": 16.0}, "width is 16.0; expected a whole number"),
        (X, IDS, {"sections": (2.5, 3, 3)}, "a section is 2.5"),
        (X, IDS, {"sections": 8}, "sections is 8; expected how many pairs each axis has"),
    ],
)
def test_kinds_that_are_refused(backend, x, positions, options, says):
    with pytest.raises(TypeError, match=says):
        rotate(backend.give(x), backend.give(positions), **{"sections": (2, 3, 3)} | options)


@pytest.mark.parametrize(
    ("out", "error", "says"),
    [
        (np.zeros((2, 5, 15), np.float32), ValueError, r"out is .*float32 \(2, 5, 15\); need .*float32 \(2, 5, 16\), as x"),
        (np.zeros((2, 5, 16), np.float64), ValueError, r"out is .*float64 \(2, 5, 16\); need .*float32"),
    ],
)  # fmt: skip
def test_an_out_that_does_not_fit(backend, out, error, says):
    with pytest.raises(error, match=says):
        rotate(backend.give(X), backend.give(IDS), sections=(2, 3, 3), out=backend.give(out))
    same = backend.give(X.copy())
    with pytest.raises(ValueError, match="out is one array for queries and keys"):
        rotate((same, same), backend.give(IDS), sections=(2, 3, 3), out=(same, same))
    with pytest.raises(ValueError, match="out has 1 arrays for 2"):
        rotate((backend.give(X), backend.give(X)), backend.give(IDS), sections=(2, 3, 3), out=backend.give(X))


def test_a_mask_is_not_lost():
    with pytest.raises(TypeError, match="positions is a masked array, 1 of 15 numbers masked"):
        rotate(X, np.ma.masked_array(IDS, np.arange(15).reshape(3, 5) == 3), sections=(2, 3, 3))


def test_a_list_is_no_array(backend):
    with pytest.raises(TypeError, match="x is int; expected a NumPy array or a torch tensor"):
        rotate(3, backend.give(IDS), sections=(2, 3, 3))
    with pytest.raises(TypeError, match="out is list for x|out is str for x"):
        rotate(X, IDS, sections=(2, 3, 3), out="x")


@pytest.mark.parametrize("width", [6, 0])
def test_a_tower_of_half_pairs(backend, width):
    with pytest.raises(ValueError, match=rf"x has shape \(2, 5, {width}\); expected \(..., N, D\), D a multiple of 4"):
        rotate_2d(backend.give(np.zeros((2, 5, width), np.float32)), backend.give(IDS[:2]))


def test_what_a_tower_refuses(backend):
    x = backend.give(X)
    with pytest.raises(ValueError, match="unknown style 'qwen9'; the catalog has qwen, pixtral"):
        rotate_2d(x, backend.give(IDS[:2]), style="qwen9")
    with pytest.raises(ValueError, match=r"positions have shape \(3, 5\); the sections name 2 axes"):
        rotate_2d(x, backend.give(IDS))
    with pytest.raises(ValueError, match="positions reach from -1"):
        rotate_2d(x, backend.give(IDS[:2] - 1))


def test_numpy_and_torch_are_not_mixed(tensors):
    x, ids = tensors.give(X), tensors.give(IDS)
    for call in (
        lambda: rotate(x, IDS, sections=(2, 3, 3)),
        lambda: rotate(X, ids, sections=(2, 3, 3)),
        lambda: rotate((x, X), ids, sections=(2, 3, 3)),
        lambda: rotate(x, ids, sections=(2, 3, 3), out=X.copy()),
        lambda: rotate_2d(x, IDS[:2]),
    ):
        with pytest.raises(TypeError, match="NumPy array .* and a torch tensor"):
            call()


def test_what_only_tensors_can_get_wrong(tensors):
    torch = pytest.importorskip("torch")
    x, ids = tensors.give(X.copy()), tensors.give(IDS)
    with pytest.raises(ValueError, match="on meta, x on cpu; all must be on one device"):
        rotate(x, ids.to("meta"), sections=(2, 3, 3))
    with pytest.raises(ValueError, match="keys on meta, positions on cpu"):
        rotate((x, x.to("meta")), ids, sections=(2, 3, 3))
    with pytest.raises(ValueError, match="out is given and a gradient asked for"):
        rotate(x.clone().requires_grad_(), ids, sections=(2, 3, 3), out=x)
    with torch.no_grad():
        rotate(x.clone().requires_grad_(), ids, sections=(2, 3, 3), out=x)


def test_a_device_without_float64(tensors, rng, monkeypatch):
    """Such as Apple's: the angles are worked out on the CPU, and only cosines and sines travel."""
    pytest.importorskip("torch")
    from mmtokedu.cuda import mrope as twins

    x, positions = drawn(rng, HOWS["blocks"])
    asked = []
    true = twins._angles
    monkeypatch.setattr(
        twins, "_angles", lambda positions, *rest: asked.append(positions.device) or true(positions, *rest)
    )
    monkeypatch.setattr(twins, "_takes_kernel", lambda *_: False)
    result = rotate(tensors.give(x), tensors.give(positions), **HOWS["blocks"])
    np.testing.assert_allclose(result.numpy(), textbook(x, positions, **HOWS["blocks"]), atol=2e-6)
    assert [device.type for device in asked] == ["cpu"]
