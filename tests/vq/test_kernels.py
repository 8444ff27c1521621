"""The Triton kernels of `vq` and `rvq` without a card: interpreted, compiled for two generations, broken on purpose."""

import contextlib
import types

import numpy as np
import pytest

pytestmark = pytest.mark.kernel

torch = pytest.importorskip("torch")
triton = pytest.importorskip("triton")

from kernel_tools import (
    DEVICE,
    INPUT,
    INTERPRETER,
    LIST,
    OUTPUT,
    ROOM,
    SUM,
    broken,
    compiled,
    fence,
    interpreted,
    machine_code,
    resources,
    runs,
)
from near_ties import assert_nearest, assert_residual, ratios, stages
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from vectors import by_definition

from mmtokedu.cuda import rvq as residual
from mmtokedu.cuda import vq as searches
from mmtokedu.cuda.kernels import exact as exact_kernels
from mmtokedu.cuda.kernels import rvq as residual_kernels
from mmtokedu.cuda.kernels import tables as table_kernels
from mmtokedu.cuda.kernels import vq as search_kernels

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
ROLES = {
    "tables": [INPUT] * 3 + [OUTPUT] * 3 + [SUM],
    "halves": [INPUT] * 4 + [OUTPUT] * 4,
    "search": [INPUT] * 3 + [OUTPUT, INPUT, INPUT, ROOM, SUM],
    "settle": [INPUT] * 9 + [LIST, ROOM, SUM],
    "encode": [INPUT] * 8 + [OUTPUT, ROOM, SUM],
    "exact": [INPUT] * 4 + [ROOM, LIST],
}
WHOLE = table_kernels, search_kernels, residual_kernels, exact_kernels


def fenced_calls(patch, modules):
    """What the kernels' tensors hold after each launch, by the name of the launch; `modules` may be broken ones."""
    seen = {}
    for true, module in zip(WHOLE, modules):
        for name in ROLES:
            if hasattr(true, name) and getattr(true, name).__module__ == true.__name__:
                fence(patch, true, name, module, ROLES[name], seen)
        if hasattr(true, "append"):  # which other kernels call
            patch.setattr(true, "append", modules[-1].append)
    return seen


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


def ordinary(rng, N, Q, K, D):
    """Stages of falling size, vectors that are no sums of codes: hardly a row has two codes about as near."""
    sizes = np.float32(0.5) ** np.arange(Q, dtype=np.float32)
    return rng.standard_normal((N, D), np.float32), rng.standard_normal((Q, K, D), np.float32) * sizes[:, None, None]


def one_tie(rng, a, b):
    """Codes a and b of the first stage are equal and near; all other codes, and all but one of the second, are far."""
    codebooks = rng.standard_normal((2, 130, 4), np.float32) + np.float32(20)
    codebooks[0, [a, b]] = [1, 0, 0, 0]
    codebooks[1, 9] = 0
    return codebooks[0, [a] * 20] + np.float32(0.1) * rng.standard_normal((20, 4), np.float32), codebooks


def half_way(rng, Q=2, D=16, K=90, nearer=2e-5):
    """Between each code and its neighbour, a little nearer to the code: a vector of three digits would fall elsewhere."""
    codebooks = rng.standard_normal((Q, K, D), np.float32)
    first = codebooks[0].astype(np.float64)
    distances = ((first[:, None] - first) ** 2).sum(axis=-1) + np.diag(np.full(K, np.inf))
    vectors = first + (first[distances.argmin(axis=1)] - first) * (0.5 - nearer)
    return vectors.astype(np.float32), codebooks


def shorter_stage(rng, D=64):
    """Nearly half-way between two codes of a second stage, an axis each; the first has all signs, also when scaled."""
    signs, axes = 8 * rng.choice(np.float32([-1, 1]), (D, D)), np.eye(D, dtype=np.float32)
    left = axes * np.float32(0.5001) + np.roll(axes, 1, axis=1) * np.float32(0.4999)
    return signs + left, np.stack([signs, axes])


def far_apart(rng, Q=2):
    """Next to nothing beside large codes, and rows of very different length: each row is scaled by itself."""
    vectors = rng.standard_normal((40, 20), np.float32) * np.geomspace(1e-20, 1e14, 40).astype(np.float32)[:, None]
    vectors[7] = 0
    codebooks = rng.standard_normal((Q, 70, 20), np.float32) * np.float32(1e12)
    codebooks[0, 33] = 0
    return vectors, codebooks


def close(rng, N, K, D):
    """Vectors near codes of all lengths. The second half of the codebook, a stack of one, is the first made longer."""
    codebook = rng.standard_normal((K, D), np.float32) * rng.uniform(0.5, 2, (K, 1)).astype(np.float32)
    codebook[K // 2 : K // 2 * 2] = codebook[: K // 2] * np.float32(1.01)
    vectors = codebook[rng.integers(0, K, N)] + np.float32(0.1) * rng.standard_normal((N, D), np.float32)
    return vectors, codebook[None]


# The nearest code


def twins(rng):
    """The like of a code 64 places on, in the same column of the next tile, and a tile of others behind."""
    vectors, (codebook,) = close(rng, 30, 128, 16)
    return vectors, np.concatenate([codebook, rng.standard_normal((64, 16), np.float32)])[None]


def corners(rng):
    """Codes far out on all sides, vectors in the middle: every score is below 0, that of a code that is not there."""
    vectors = rng.choice(np.float32([-0.5, 0.5]), (20, 2))
    return vectors, rng.choice(np.float32([-4, 4]), (1, 70, 2))


def long_rows(rng):
    """Vectors so much longer than the codes that how long a code is decides among few."""
    vectors, codebooks = lattice(rng, 40, 1, 100)
    return vectors * np.float32(16), codebooks


def sure_first(rng):
    """Vectors that are codes, then those half-way: halves settle the first of them."""
    vectors, codebooks = half_way(rng, 1)
    return np.concatenate([codebooks[0, :50], vectors[:50]]), codebooks


def wide_and_off(rng):
    """Half-way near the last codes, a few long; the first numbers larger than the last, each about another middle."""
    vectors, codebooks = half_way(rng, 1, 200, 300)
    vectors[-4:] *= 100
    middle, size = np.linspace(200, 50, 200), np.linspace(8, 1, 200)
    return ((x * size + middle).astype(np.float32) for x in (vectors[-20:], codebooks))


def tied(rng, a, b):
    """Of 300 codes a and b are equal and near, all others are far: settling sees 256 of them, then the rest."""
    codebook = rng.standard_normal((300, 4), np.float32) + np.float32(20)
    codebook[[a, b]] = [1, 0, 0, 0]
    return codebook[[a] * 20] + np.float32(0.1) * rng.standard_normal((20, 4), np.float32), codebook[None]


def circle(rng):
    """All but one of 256 codes, on a circle: every score is below 0. Vectors that halves cannot tell, but float32 can."""
    angle = 2 * np.pi * np.arange(255) / 255
    codebook = 4 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    angle = angle[rng.integers(0, 255, 40)] + 0.19 * np.pi / 255
    return np.float32(1.9 * np.stack([np.cos(angle), np.sin(angle)], axis=1)), np.float32(codebook)[None]


def beyond_float32():
    """A code at 1 + 2^-24 and one at 1 + 2^-26 from 0, which float32 has both at 1."""
    return np.zeros((3, 2), np.float32), np.float32([[1, 2.0**-12], [1, 2.0**-13], [9, 9]])


SEARCH_CASES = {  # 64 numbers are multiplied at once, of longer vectors 32; settling takes 64 of any,
    # and 256 codes at once, of longer vectors 128
    "tied in the first tile": lambda rng: tied(rng, 3, 7),
    "tied across tiles": lambda rng: tied(rng, 3, 290),
    "circle": circle,
    "lattice": lambda rng: lattice(rng, 70, 1, 200),
    "lattice of one tile": lambda rng: lattice(rng, 20, 1, 60),
    "lattice of whole tiles": lambda rng: lattice(rng, 70, 1, 128),
    "one row, one code": lambda rng: lattice(rng, 1, 1, 1),
    "no rows": lambda rng: lattice(rng, 0, 1, 5),
    "in one part": lambda rng: close(rng, 33, 65, 16),
    "in parts": lambda rng: close(rng, 20, 130, 100),  # the like of a code is in another tile
    "far off": lambda rng: spread(rng, 40, 1, 100, 20),
    "half-way": lambda rng: half_way(rng, 1),
    "nearly half-way": lambda rng: half_way(rng, 1, nearer=5e-4),
    "nearly half-way in parts": lambda rng: half_way(rng, 1, 70, 300, nearer=5e-4),
    "half-way in parts": lambda rng: half_way(rng, 1, 70),
    "far apart": lambda rng: far_apart(rng, 1),
    "twins in one column": twins,
    "beyond float32": lambda rng: (beyond_float32()[0], beyond_float32()[1][None]),
    "lattice of many tiles": lambda rng: lattice(rng, 40, 1, 600),
    "lattice of corners": corners,
    "lattice of long rows": long_rows,
    "sure ones first": sure_first,
    "wide and far off": wide_and_off,
    "large blocks": lambda rng: lattice(rng, 130 if INTERPRETER else 8_330, 1, 130),
}
ONLY_FLOAT32 = (
    "far off",
    "nearly half-way in parts",
    "half-way in parts",
    "far apart",
    "sure ones first",
    "wide and far off",
)


def check_search(monkeypatch, modules, case, dtype="float32"):
    """One case: all codes right, none written beside them, nothing from beside the tables used; and step by step."""
    vectors, (codebook,) = SEARCH_CASES[case](np.random.default_rng(0))
    z, e = (torch.from_numpy(x).to(DEVICE, DTYPES[dtype]) for x in (vectors, codebook))
    with monkeypatch.context() as patch:
        seen = fenced_calls(patch, modules)
        codes = searches._by_kernel(z, e, searches._ends(z, e[None], ["codebook"])).cpu().numpy()
    z, e = (x.cpu().double().numpy() for x in (z, e))  # as rounded to the dtype
    assert_nearest(codes, z, e)
    if len(z):
        check_steps(seen, z, e) if "settle" in seen else check_halves(seen, z, e)
        check_doubts(seen, codes, z, e)
    if "lattice" in case or case == "large blocks":  # every score is exact
        np.testing.assert_array_equal(codes, (z @ e.T - np.square(e).sum(axis=1) / 2).argmax(axis=1))


def check_steps(seen, z, e):
    """The tables, the rows made halves, the search by them, the list of those it leaves open: each by itself."""
    _, (offset,), (scale,), high, low, (bias,), longest = (x.double().numpy() for x in seen["tables"][:7])
    moved = (e - offset) * scale
    largest = np.abs(moved).max()
    assert 2**13 * 0.99 <= largest <= 2**14 * 1.01 or largest == 0 or scale == 2.0**100
    np.testing.assert_allclose(high[0] + low[0], moved, rtol=2e-6, atol=2e-6 * largest)
    np.testing.assert_allclose(bias, -np.square(moved).sum(axis=1) / 2, rtol=1e-5, atol=1e-5 * largest**2)
    lost = np.linalg.norm(moved - high[0], axis=1).max()
    np.testing.assert_allclose(longest, [np.linalg.norm(moved, axis=1).max(), lost], rtol=1e-4, atol=1e-4)

    halves, ratios, slack = (x.double().numpy() for x in seen["halves"][4:7])
    rows = (z - offset) * (ratios * scale)[:, None]
    assert (np.abs(rows).max(axis=1) <= 2**14).all() and (ratios <= 1).all()
    assert ((np.abs(rows).max(axis=1) >= 2**13 * 0.99) | (ratios == 1)).all()
    scores, true = (a @ b.T + ratios[:, None] * bias for a, b in ((halves, high[0]), (rows, moved)))
    assert (2 * np.abs(scores - true) <= slack[:, None] * (1 + 1e-4)).all(), "halves are further off than they say"
    norms = [np.linalg.norm(x, axis=1) for x in (rows, rows - halves)]
    most = norms[1] * longest[0] + norms[0] * longest[1] + 2.0**-15 * (norms[0] + ratios * longest[0]) * longest[0]
    assert (slack <= 2.5 * most + 1e-36).all(), "too many rows are left open"

    found, listed = seen["search"][3].numpy(), marked(*seen["search"][6:8], len(z))
    ranked = np.sort(np.pad(scores, ((0, 0), (0, 1)), constant_values=-np.inf), axis=1)
    gaps = ranked[:, -1] - ranked[:, -2]
    moves = 2.0**-15 * np.abs(ranked[:, -2:].clip(-1e300)).max(axis=1)  # what the marks do to two scores, and rounding
    assert listed[gaps < slack - moves].all(), "a row that is not sure is not listed"
    assert not listed[gaps > slack + moves].any(), "a sure row is listed"
    np.testing.assert_array_equal(found[~listed], scores.argmax(axis=1)[~listed])
    finer = seen["settle"][6].double().numpy()
    settled, doubt = seen["settle"][9].numpy(), marked(*seen["settle"][10:12], len(z))
    np.testing.assert_array_equal(settled[~listed], found[~listed], "a row was settled that was sure")
    assert not doubt[~listed].any(), "a sure row is in doubt again"
    ranked = np.sort(np.pad(true, ((0, 0), (0, 1)), constant_values=-np.inf), axis=1)
    gaps = ranked[:, -1] - ranked[:, -2]
    sure = listed & ~doubt
    np.testing.assert_array_equal(settled[sure], true.argmax(axis=1)[sure], "a row is wrong that float32 was sure of")
    most = 2.0**-22 * (z.shape[1] + 40) * (norms[0] + (ratios + 2.0**-10) * longest[0]) * longest[0]
    assert (finer <= 2 * most + 1e-36).all() and not doubt[gaps > 2 * most + 1e-36].any(), "too many rows in doubt"
    assert doubt[listed & (gaps == 0)].all(), "a tie is no doubt"


def marked(rows, count, size):
    """A list of rows with its count, as True for each of `size` rows that is on it."""
    marks = np.zeros(size, bool)
    marks[rows[: int(count)].numpy()] = True
    assert marks.sum() == int(count), "a row is listed twice, or one that is not there"
    return marks


def check_halves(seen, z, e):
    """Halves are multiplied as they are: what may be off is the sums, by so much of the largest one."""
    slack, longest = seen["halves"][6].double().numpy(), np.linalg.norm(e, axis=1).max()
    assert (seen["halves"][5] == 1).all(), "a row is scaled"
    most = search_kernels.spare(*e.shape) * (np.linalg.norm(z, axis=1) + longest) * longest
    np.testing.assert_allclose(slack, 2 * most + 1e-37, rtol=1e-4)


def check_doubts(seen, codes, z, e):
    """What is in doubt is settled as float64 has it; what is not stays as the kernel before found it."""
    before = seen["settle"][9] if "settle" in seen else seen["search"][3]
    rows, count, _, found = seen["exact"][2:6]
    doubt = marked(rows, count, len(z))
    np.testing.assert_array_equal(codes[~doubt], before.numpy()[~doubt])
    np.testing.assert_array_equal(codes, found)
    assert (ratios(codes[doubt], z[doubt], e) < 1 + 1e-12).all(), "a doubt is not settled"


@runs
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", SEARCH_CASES)
def test_search_finds_every_code(monkeypatch, case, dtype):
    if dtype != "float32" and case in ONLY_FLOAT32:
        pytest.skip("not for halves")
    check_search(monkeypatch, WHOLE, case, dtype)


SEARCH_SLIPS = {
    "the tile of the code forgotten": ("tile * CODES + column[None, :], K)", "column[None, :], K)", "far apart"),
    "the column of the code forgotten": ("tile * CODES + column[None, :], K)", "tile * CODES, K)", "far apart"),
    "codes beyond the last": ("score = tl.where((k < K)[None, :], score, -1e38)", "score += 0", "one row, one code"),
    "every tile taken for whole": ('"EVEN": codes % 64 == 0', '"EVEN": True', "one row, one code"),
    "lengths added": ("score += ratio * tl.load(bias", "score -= ratio * tl.load(bias", "far apart"),
    "lengths not scaled as the rows": ("score += ratio * tl.load(bias", "score += tl.load(bias", "far apart"),
    "all codes as long as the first": ("score += ratio * tl.load(bias + k,", "score += ratio * tl.load(bias + 0 * k,", "far apart"),
    "only the first part of a vector": ("for first in range(0, D, DEPTH):\n                z = part(", "for first in range(0, 1, DEPTH):\n                z = part(", "in parts"),
    "the last part of a vector dropped": ("for first in range(0, D, DEPTH):\n                z = part(", "for first in range(0, D - DEPTH, DEPTH):\n                z = part(", "in parts"),
    "each part with the first of the code": ("part(codebook, k, K, first,", "part(codebook, k, K, 0 * first,", "in parts"),
    "every tile is the first": ("k = t * CODES + column", "k = 0 * t + column", "far apart"),
    "only the first tile of codes": ("range(0, tl.cdiv(K, CODES))", "range(0, 1)", "far apart"),
    "the last tile dropped": ("range(0, tl.cdiv(K, CODES))", "range(0, tl.maximum(1, tl.cdiv(K, CODES) - 1))", "far apart"),
    "marks: no room for all tiles": ("tiles = triton.next_power_of_2(triton.cdiv(codes, 64))", "tiles = 1", "far apart"),
    "marks: always the first tile": ("& -TILES) | t)", "& -TILES) | 0 * t)", "far apart"),
    "second best: of this tile alone": ("tl.maximum(second, tl.minimum(best, marked))", "tl.minimum(best, marked)", "twins in one column"),
    "second best: any score but this": ("tl.maximum(second, tl.minimum(best, marked))", "tl.maximum(second, marked)", "one row, one code"),
    "second best: never of another column": ("column[None, :], second, tl.maximum(best, second))", "column[None, :], second, -1e38)", "lattice of long rows"),
    "second best: never of the same column": ("column[None, :], second, tl.maximum(best, second))", "column[None, :], -1e38, tl.maximum(best, second))", "twins in one column"),
    "second best: the best itself": ("column[None, :], second, tl.maximum(best, second))", "column[None, :], best, tl.maximum(best, second))", "one row, one code"),
    "codes written beyond the last": ("tl.store(codes + n, code.to(tl.int64), mask=n < N)", "tl.store(codes + n, code.to(tl.int64), mask=n >= 0)", "one row, one code"),
    "rows beyond the last listed": ("other=0.0)) & (n < N)", "other=0.0)) & (n >= 0)", "lattice of long rows"),
    "no row is unsure": ("axis=1) <= tl.load(slack", "axis=1) < -tl.load(slack", "lattice of long rows"),
    "every row is unsure": ("axis=1) <= tl.load(slack", "axis=1) >= 0.0 * tl.load(slack", "one row, one code"),
    "the last rows dropped": ("return triton.cdiv(rows, size), constants", "return max(1, rows // size), constants", "nearly half-way"),
    "settling: nobody is": ("if tl.program_id(0) * ROWS < listed:", "if tl.program_id(0) * ROWS < 0 * listed:", "lattice of long rows"),
    "settling: the first rows, not the listed": ("n = tl.load(unsure + i, mask=i < listed, other=0)", "n = i", "lattice of long rows"),
    "settling: one program's rows alone": ("return triton.cdiv(rows, few), constants", "return 1, constants", "lattice of whole tiles"),
    "settling: the low halves of the rows forgotten": ("score = tl.dot(z_low, e_high.T, score)", "score = tl.dot(z_low * 0, e_high.T, score)", "sure ones first"),
    "settling: the low halves of the codes forgotten": ("tl.dot(z_high, part(low, k,", "tl.dot(z_high * 0, part(low, k,", "twins in one column"),
    "settling: no row is in doubt": ("close = (best - second <= tl", "close = (best - second < -tl", "lattice of long rows"),
    "settling: every row is in doubt": ("close = (best - second <= tl", "close = (best - second >= 0.0 * tl", "nearly half-way"),
    "settling: second best: of this tile alone": ("tl.maximum(second, tl.maximum(next, tl.minimum(best, top)))", "tl.maximum(next, tl.minimum(best, top))", "tied in the first tile"),
    "settling: second best: never of another tile": ("tl.maximum(second, tl.maximum(next, tl.minimum(best, top)))", "tl.maximum(second, next)", "tied across tiles"),
    "settling: second best: never of the same tile": ("tl.maximum(second, tl.maximum(next, tl.minimum(best, top)))", "tl.maximum(second, tl.minimum(best, top))", "lattice of long rows"),
    "settling: doubts of rows that are not listed": ("other=0.0)) & (i < listed)", "other=0.0)) & (i >= 0)", "lattice of long rows"),
    "settling: lengths not scaled as the rows": ("score += (scale / most)[:, None] *", "score += (scale / scale)[:, None] *", "lattice of long rows"),
    "settling: codes beyond the last": ('score = tl.where((k < K)[None, :], score, float("-inf"))', "score += 0", "circle"),
    "settling: only the first tile": ("for start in range(0, K, CODES):\n            k =", "for start in range(0, 1, CODES):\n            k =", "tied across tiles"),
    "settling: only the first part": ("for first in range(0, D, DEPTH):\n                z = shifted", "for first in range(0, 1, DEPTH):\n                z = shifted", "in parts"),
}  # fmt: skip

TABLE_SLIPS = {
    "the offset stays on": (".to(tl.float32) - shift[None, :]", ".to(tl.float32) - 0 * shift[None, :]", "one row, one code"),
    "one part's offset for all": ("tl.load(offset + d, mask=d < D, other=0.0)\n    return", "tl.load(offset + tl.arange(0, DEPTH), mask=d < D, other=0.0)\n    return", "wide and far off"),
    "rows of the matrix above": ("row.to(tl.int64)[:, None] * D", "row.to(tl.int64)[:, None] * (D + 1)", "lattice of corners"),
    "the next row's numbers at the end of a row": ("(row < rows)[:, None] & (d < D)[None, :]\n    return tl.load", "(row < rows)[:, None] & (d >= 0)[None, :]\n    return tl.load", "one row, one code"),
    "largest: of the last part": ("tl.maximum(largest, tl.max(", "tl.maximum(0 * largest, tl.max(", "wide and far off"),
    "largest: signs kept": ("tl.max(tl.abs(shifted(vectors, offset, row, rows, first, D, DEPTH)), axis=1)", "tl.max(shifted(vectors, offset, row, rows, first, D, DEPTH), axis=1)", "lattice of long rows"),
    "codes not scaled": ("(k < K)[:, None], e * scale, 0.0)", "(k < K)[:, None], e, 0.0)", "lattice of corners"),
    "codes beyond the last are long": ("e = tl.where((k < K)[:, None], e * scale, 0.0)", "e = e * scale", "one row, one code"),
    "low is high again": ("tl.store(low + at, rest.to(tl.float16)", "tl.store(low + at, e_high", "lattice of corners"),
    "tables written beyond the last": ("inside = (k < K)[:, None] & (d < D)[None, :]\n            tl.store", "inside = (k >= 0)[:, None] & (d < D)[None, :]\n            tl.store", "one row, one code"),
    "lengths not halved": ("(squares * -0.5)", "(squares * -1.0)", "lattice of corners"),
    "lengths written beyond the last": ("(squares * -0.5).to(tl.float32), mask=k < K)", "(squares * -0.5).to(tl.float32), mask=k >= 0)", "one row, one code"),
    "longest: of the last block": ("tl.atomic_max(longest + 2 * q, tl.sqrt", "tl.store(longest + 2 * q, tl.sqrt", "in parts"),
    "longest: nothing is lost": ("tl.atomic_max(longest + 2 * q + 1, tl.sqrt(tl.max(lost, axis=0)))", "pass", "in one part"),
    "rows scaled without limit": ("(tl.float32, bitcast=True), limit)", "(tl.float32, bitcast=True), 1e38)", "lattice of corners"),
    "rows not scaled": ("scale = power(largest_of(vectors, offset, n, N, D, DEPTH), most)", "scale = tl.zeros((ROWS,), tl.float32) + most", "one row, one code"),
    "slack: rows lose nothing": ("apart = tl.sqrt(lost) * e +", "apart = 0.0 * e +", "in one part"),
    "slack: codes lose nothing": ("length * e_lost +", "0.0 * e_lost +", "in one part"),
    "slack: of one score": ("2.0 * apart", "0.5 * apart", "in one part"),
    "slack: five times": ("2.0 * apart", "10.0 * apart", "in one part"),
    "slack: equal ones sure": ("+ 1e-37, mask", "- 1e-37, mask", "one row, one code"),
    "finer: nothing is lost": ("tl.store(finer + n, finest(", "tl.store(finer + n, -finest(", "lattice of corners"),
    "finer: a hundred times": ("tl.store(finer + n, finest(", "tl.store(finer + n, 100.0 * finest(", "one row, one code"),
    "finer written beyond the last": ("ratio * e, e, D), mask=n < N)", "ratio * e, e, D), mask=n >= 0)", "one row, one code"),
    "slack of halves: rounded sums forgotten": ("+ SPARE * (length", "+ 0.0 * (length", "lattice of one tile"),
    "slack of halves: the longest code forgotten": ("    tl.atomic_max(longest + 2 * q, tl.sqrt(", "    if SPLIT:\n        tl.atomic_max(longest + 2 * q, tl.sqrt(", "lattice of one tile"),
    "halves are scaled": ("    if SPLIT:\n        scale = power(", "    if SPLIT | True:\n        scale = 2.0 * power(", "lattice of one tile"),
    "slack written beyond the last": ("2.0 * apart + 1e-37, mask=n < N)", "2.0 * apart + 1e-37, mask=n >= 0)", "one row, one code"),
    "only the first part halved": ("for first in range(0, D, DEPTH):\n        z = shifted", "for first in range(0, 1, DEPTH):\n        z = shifted", "wide and far off"),
    "the last codes dropped": ("grid = triton.cdiv(K, codes), Q", "grid = max(1, K // codes), Q", "tied across tiles"),
    "the last rows dropped": ("grid = (triton.cdiv(len(vectors), rows),)", "grid = (max(1, len(vectors) // rows),)", "half-way in parts"),
}  # fmt: skip


WITH_KERNEL = [80, 90]  # A100, H200


@pytest.mark.parametrize("generation", [75, *WITH_KERNEL])
def test_a_t4_has_no_search_kernel(monkeypatch, generation):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: divmod(generation, 10))
    card = types.SimpleNamespace(is_cuda=True, device=torch.device("cuda"))
    assert (searches._way(card) == "triton") == (generation in WITH_KERNEL)


def check_code(tmp_path, kernel, generation, kinds, constants, options, product=None, shared=99):
    """Compiled for that generation: nothing on the stack, the shared memory (kB) that it has, the product named."""
    made = machine_code(kernel, generation, kinds, constants, options)
    assert product is None or (product in made.asm["ptx"] and "tf32" not in made.asm["ptx"])
    used = resources(tmp_path, made.asm["cubin"])
    assert 0 < used["REG"] <= 255 and used["STACK"] == used["LOCAL"] == 0, used
    assert made.metadata.shared <= shared * 1024


@compiled
@pytest.mark.parametrize("generation", WITH_KERNEL)
@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
@pytest.mark.parametrize("width", [8, 64, 256, 768])
@pytest.mark.parametrize("rows", [100, 100_000])
@pytest.mark.parametrize("codes", [1024, 1000])
def test_search_kernel_compiles_without_spills(tmp_path, generation, dtype, width, rows, codes):
    """Short vectors and those taken in parts, few rows and many, whole tiles of codes and not."""
    _, constants, options = search_kernels.plan(rows, codes, width, generation == 90)
    constants |= {"KIND": getattr(triton.language, {"fp16": "float16", "bf16": "bfloat16"}[dtype])}
    kinds = dict.fromkeys(("vectors", "codebook"), f"*{dtype}") | dict.fromkeys(("bias", "ratios", "slack"), "*fp32")
    kinds |= {"codes": "*i64", "unsure": "*i32", "count": "*i32", "N": "i32", "K": "i32"}
    product = "wgmma.mma_async" if generation == 90 and rows > 1000 else "mma.sync"
    check_code(tmp_path, search_kernels._search, generation, kinds, constants, options, product)


@compiled
@pytest.mark.parametrize("generation", WITH_KERNEL)
@pytest.mark.parametrize("width", [8, 64, 256, 768])
def test_the_other_kernels_compile_without_spills(tmp_path, generation, width):
    _, constants, options = search_kernels.settle_plan(100_000, width)
    whole = dict.fromkeys(("N", "K"), "i32")
    kinds = dict.fromkeys(("vectors", "offset", "bias", "limit", "finer"), "*fp32") | dict.fromkeys(
        ("high", "low"), "*fp16"
    )
    kinds |= {"unsure": "*i32", "count": "*i32", "codes": "*i64", "doubt": "*i32", "doubts": "*i32"} | whole
    check_code(tmp_path, search_kernels._settle, generation, kinds, constants, options, "mma.sync")
    constants, rows = table_kernels._blocks(width)
    for split in (True, False):  # without: for codes and vectors that are halves already
        kind, halves = "*fp32" if split else "*fp16", {"high": "*fp16", "low": "*fp16"}
        kinds = {"codebooks": kind, "K": "i32"} | dict.fromkeys(("offsets", "scales", "bias", "longest"), "*fp32")
        sizes = constants | {"CODES": rows, "SPLIT": split} | ({} if split else dict.fromkeys(halves))
        kinds |= halves if split else {}
        check_code(tmp_path, table_kernels._tables, generation, kinds, sizes, {"num_warps": 4})
        kinds = {"vectors": kind, "N": "i32"} | dict.fromkeys(
            ("offset", "limit", "longest", "ratios", "slack"), "*fp32"
        )
        sizes = constants | {"ROWS": rows, "SPARE": 2.0**-16, "SPLIT": split}
        sizes |= {} if split else {"halves": None, "finer": None}
        kinds |= {"halves": "*fp16", "finer": "*fp32"} if split else {}
        check_code(tmp_path, table_kernels._halves, generation, kinds, sizes, {"num_warps": 4})


@compiled
@pytest.mark.parametrize("generation", WITH_KERNEL)
@pytest.mark.parametrize("width", [1, 3, 8, 64, 129, 256, 768])
@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
def test_the_exact_kernel_compiles_without_spills(tmp_path, generation, width, dtype):
    """Its differences are float64, in the registers of one thread: no shared memory is read where these are added."""
    _, constants, options = exact_kernels.plan(100_000, width)
    kinds = dict.fromkeys(("vectors", "codebooks"), f"*{dtype}") | dict.fromkeys(("doubt", "doubts"), "*i32")
    kinds |= {"left": "*fp32", "codes": "*i64"} | dict.fromkeys("KQ", "i32")
    check_code(tmp_path, exact_kernels._exact, generation, kinds, constants, options)


# The way there


class OneWay(TorchFunctionMode):
    """Refuses what brings numbers back from a card."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        assert name not in ("numpy", "tolist", "item", "cpu", "__bool__", "__int__", "__float__", "__index__"), name
        return function(*args, **(kwargs or {}))


class Count(TorchDispatchMode):
    """Lists the functions of torch that start something on a card: not memory taken, not views."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.name().removeprefix("aten::")
        if not name.startswith("empty") and not function.is_view:
            self.names.append(name)
        return function(*args, **(kwargs or {}))


SINGLE, STACK = ["tables", "halves", "search", "settle", "exact"], ["tables", "encode", "exact"]


@pytest.mark.parametrize(
    "call, dtype, launches",
    [
        (searches.nearest_code, torch.float32, SINGLE),
        (searches.nearest_code, torch.bfloat16, ["tables", "halves", "search", "exact"]),
        (residual.rvq_encode, torch.float32, STACK),
    ],
)
def test_a_call_is_few_launches_and_waits_once(monkeypatch, capsys, call, dtype, launches):
    """The one trip is that of `_ends`. After it only kernels are started, but for torch's that writes zeros."""
    started, before, measure = [], [], searches._ends
    for module in WHOLE:
        for name in ROLES:
            if getattr(getattr(module, name, None), "__module__", None) == module.__name__:
                monkeypatch.setattr(module, name, lambda *given, name=name, **options: started.append(name))

    def one_way(*given):
        found = measure(*given)
        before.append(len(count.names))
        stack.enter_context(OneWay())
        return found

    for module in (searches, residual):
        monkeypatch.setattr(module, "_ends", one_way)
        monkeypatch.setattr(module, "_way", lambda x: "triton")
    vectors, book = torch.randn(50, 20).to(dtype), torch.randn(90, 20).to(dtype)
    book = torch.stack([book, book]) if call is residual.rvq_encode else book
    with Count() as count, contextlib.ExitStack() as stack:
        call(vectors, book)
    assert started == launches and len(before) == 1 and count.names[before[0] :] == ["zeros"]
    copies = 2  # what `_ends` finds comes from the card, offsets and scales go there
    with capsys.disabled():
        print(f"\n  {call.__name__} {dtype}: {', '.join(count.names)}; {', '.join(started)}; {copies} copies", end="")
    assert len(count.names) + len(started) + copies <= 12


# Residual quantization

RESIDUAL_CASES = {  # for few rows 64 short codes are a tile
    "one tie in a tile": lambda rng: one_tie(rng, 3, 5),
    "one tie across tiles": lambda rng: one_tie(rng, 3, 70),
    "ordinary": lambda rng: ordinary(rng, 40, 3, 100, 20),
    "ordinary, wide": lambda rng: ordinary(rng, 20, 2, 70, 256),
    "nearly half-way in stages": lambda rng: half_way(rng, nearer=5e-4),
    "nearly half-way, a shorter stage": shorter_stage,
    "lattice in stages": lambda rng: lattice(rng, 70, 3, 200),
    "lattice of whole tiles in stages": lambda rng: lattice(rng, 70, 2, 128),
    "one row, one code in stages": lambda rng: lattice(rng, 1, 2, 1),
    "no rows in stages": lambda rng: lattice(rng, 0, 2, 5),
    "narrow": lambda rng: spread(rng, 130, 4, 100, 3),
    "wide": lambda rng: spread(rng, 20, 2, 70, 256),
    "between": lambda rng: spread(rng, 33, 3, 65, 100),
    "half-way in stages": half_way,
    "far apart in stages": far_apart,
    "what is left is rounded": lambda rng: rounded(),
    "beyond float32 in the second stage": lambda rng: (
        np.ones((3, 2), np.float32),
        np.stack([np.float32([[1, 1], [5, 5], [5, 6]]), beyond_float32()[1]]),
    ),
}


def rounded():
    """What the first stage leaves of 1 is 1 again in float32, half-way between two codes; in float64 it were not."""
    codebooks = np.float32([[2e-8, 9], [1 + 2.0**-20, 1 - 2.0**-20]])
    return np.ones((3, 1), np.float32), codebooks[:, :, None]


def check_residual(monkeypatch, modules, case):
    """One case: all codes right, none written beside `codes`, and nothing read from beside the tables."""
    vectors, codebooks = RESIDUAL_CASES[case](np.random.default_rng(0))
    z, e = (torch.from_numpy(x).to(DEVICE) for x in (vectors, codebooks))
    with monkeypatch.context() as patch:
        seen = fenced_calls(patch, modules)
        found = residual._by_kernel(z, e, searches._ends(z, e, "abcd")).cpu().numpy()
    assert_residual(found, vectors, codebooks, flips=0.02)
    if len(vectors):
        sure = ~marked(*seen["encode"][9:11], len(vectors))
        assert_residual(seen["encode"][8].numpy()[sure], vectors[sure], codebooks)
        np.testing.assert_array_equal(found[sure], seen["encode"][8].numpy()[sure])
        for column, left, codebook in stages(found[~sure], vectors[~sure], codebooks):
            assert (ratios(column, left, codebook) < 1 + 1e-12).all(), "a doubt is not settled"
            if codebook.shape[1] == 1:
                first = np.abs(left.astype(np.float64) - codebook[:, 0]).argmin(axis=1)
                np.testing.assert_array_equal(column, first, "of equal ones not the first")
        assert not (sure.any() and case.startswith("one tie")), "a tie is no doubt"
        assert sure.mean() > 0.6 or not case.startswith(("ordinary", "nearly")), "the kernel is sure of too few rows"
    if case.startswith("lattice"):
        np.testing.assert_array_equal(found, by_definition(vectors, codebooks))


@runs
@pytest.mark.parametrize("case", RESIDUAL_CASES)
def test_every_code_of_every_stage(monkeypatch, case):
    check_residual(monkeypatch, WHOLE, case)


RESIDUAL_SLIPS = {
    "nothing is taken off": ("residual -= tl.load(", "residual -= 0 * tl.load(", "far apart in stages"),
    "no row is in doubt": ("|= best - second <= slack", "|= best - second < -slack", "beyond float32 in the second stage"),
    "every row is in doubt": ("|= best - second <= slack", "|= best - second >= 0.0 * slack", "nearly half-way, a shorter stage"),
    "only the last stage's doubts": ("unsure |= best", "unsure = best", "one tie across tiles"),
    "second best: of this tile alone": ("tl.maximum(second, tl.maximum(next, tl.minimum(best, top)))", "tl.maximum(next, tl.minimum(best, top))", "one tie across tiles"),
    "second best: never of another tile": ("tl.maximum(second, tl.maximum(next, tl.minimum(best, top)))", "tl.maximum(second, next)", "one tie across tiles"),
    "second best: never of the same tile": ("tl.maximum(second, tl.maximum(next, tl.minimum(best, top)))", "tl.maximum(second, tl.minimum(best, top))", "beyond float32 in the second stage"),
    "doubts written beyond the last": ("unsure & (n < N)", "unsure & (n >= 0)", "beyond float32 in the second stage"),
    "the longest code of the first stage": ("tl.load(longest + 2 * q)", "tl.load(longest)", "nearly half-way, a shorter stage"),
    "the lengths of the codes forgotten": ("score += (scale / limit)[:, None] *", "score += 0 * scale[:, None] *", "what is left is rounded"),
    "the lengths not scaled as the rows": ("score += (scale / limit)[:, None] *", "score += ", "far apart in stages"),
    "rows not scaled": ("scale = power(tl.max(tl.abs(z), axis=1), limit)", "scale = tl.zeros((ROWS,), tl.float32) + limit", "far apart in stages"),
    "the low halves of the rows forgotten": ("score = tl.dot(z_low, e_high.T)", "score = tl.dot(z_low * 0, e_high.T)", "nearly half-way, a shorter stage"),
    "the low halves of the codes forgotten": ("tl.dot(z_high, e_low.T, score)", "tl.dot(z_high * 0, e_low.T, score)", "ordinary"),
    "codes beyond the last": ("tl.where((k < K)[None, :], score,", "tl.where((k >= 0)[None, :], score,", "nearly half-way in stages"),
    "every tile taken for whole": ('"EVEN": codes % step == 0', '"EVEN": True', "nearly half-way in stages"),
    "rows written beyond the last": ("code.to(tl.int64), mask=n < N)", "code.to(tl.int64), mask=n >= 0)", "one row, one code in stages"),
    "all stages look in the first codebook": ("first = q * size", "first = 0 * size", "far apart in stages"),
    "all stages have the first one's offset": ("tl.load(offsets + q * D + d,", "tl.load(offsets + d,", "narrow"),
    "all stages have the first one's scale": ("tl.load(scales + q)", "tl.load(scales)", "nearly half-way, a shorter stage"),
    "codes stored stage by stage": ("codes + n * Q + q", "codes + q * N + n", "far apart in stages"),
    "only the first stage": ("for q in range(0, Q):", "for q in range(0, 1):", "one row, one code in stages"),
    "only the first tile of codes": ("for start in range(0, K, CODES):", "for start in range(0, 1, CODES):", "far apart in stages"),
    "the last rows dropped": ("triton.cdiv(rows, size)", "max(1, rows // size)", "nearly half-way in stages"),
}  # fmt: skip

EXACT_SLIPS = {
    "the count is one short": ("tl.max(place, axis=0))", "tl.maximum(tl.max(place, axis=0) - 1, 0))", "lattice of long rows"),
    "all blocks list their rows in one place": ("rows + first + place - 1", "rows + place - 1", "half-way"),
    "the first rows, not the listed": ("n = tl.load(doubt + i, mask=i < listed, other=0)", "n = i", "lattice of long rows"),
    "the last rows of the list dropped": ("tl.cdiv(listed, ROWS), tl.num", "listed // ROWS, tl.num", "lattice of long rows"),
    "one block a program": ("tl.cdiv(listed, ROWS), tl.num", "tl.minimum(tl.cdiv(listed, ROWS), 2), tl.num", "lattice of whole tiles"),
    "all programs have one room": ("(tl.program_id(0).to(tl.int64) * ROWS + row)[:, None] * D", "(tl.num_programs(0) * ROWS + row)[:, None] * D", "lattice of one tile"),
    "only the first numbers are copied": ("for first in range(0, D, PART):\n            d = first + part", "for first in range(0, 1, PART):\n            d = first + part", "in parts"),
    "only the first numbers are taken off": ("for first in range(0, D, PART):\n                d = first + part", "for first in range(0, 1, PART):\n                d = first + part", "wide"),
    "copied beyond the last number": ("tl.store(mine + d, z, mask=d < D)", "tl.store(mine + d, z, mask=d >= 0)", "lattice of one tile"),
    "differences not squared": ("tl.sum(difference * difference, axis=2)", "tl.sum(tl.abs(difference), axis=2)", "circle"),
    "only the last part counts": ("distance += tl.sum(", "distance = tl.sum(", "in parts"),
    "only the first part counts": ("for first in range(0, D, DEPTH)", "for first in range(0, 1, DEPTH)", "in parts"),
    "added in float32": ("axis=2)\n                distance", "axis=2).to(tl.float32)\n                distance", "beyond float32 in the second stage"),
    "compared in float32": ("axis=2)\n                distance =", "axis=2)\n                distance = distance.to(tl.float32).to(tl.float64)\n                distance =", "beyond float32 in the second stage"),
    "numbers of the next code": ("[None, :, None] & (d < D)", "[None, :, None] & (d >= 0)", "in parts"),
    "codes beyond the last": ('tl.where((k < K)[None, :], distance, float("inf"))', "distance", "lattice of corners"),
    "only the first tile of codes": ("range(0, K, CODES)", "range(0, 1, CODES)", "wide and far off"),
    "of the last tile": ("code = tl.where(lowest < least, at, code)", "code = at", "circle"),
    "the last of equal ones in a tile": ("tl.min(tl.where(distance == lowest[:, None], k[None, :], K), axis=1)", "tl.max(tl.where(distance == lowest[:, None], k[None, :], 0), axis=1)", "lattice of one tile"),
    "the last of equal ones across tiles": ("tl.where(lowest < least, at", "tl.where(lowest <= least, at", "large blocks"),
    "the least is forgotten": ("least = tl.minimum(lowest, least)", "least = lowest", "lattice of many tiles"),
    "all stages look in the first codebook": ("tl.full((), q, tl.int64) * K * D", "tl.full((), 0, tl.int64) * K * D", "beyond float32 in the second stage"),
    "codes stored stage by stage": ("codes + n * Q + q", "codes + n * Q", "beyond float32 in the second stage"),
    "only the first stage": ("for q in range(0, Q)", "for q in range(0, 1)", "beyond float32 in the second stage"),
    "nothing is taken off": ("rest -= tl.load(", "rest -= 0 * tl.load(", "beyond float32 in the second stage"),
    "the first code is taken off": ("chosen = book + code.to(tl.int64)[:, None] * D", "chosen = book + 0 * code.to(tl.int64)[:, None] * D", "lattice of whole tiles in stages"),
}  # fmt: skip

STACK_SLIPS = {
    "all tables of the first codebook": ("shifted(codebooks + q * K * D,", "shifted(codebooks,", "nearly half-way, a shorter stage"),
    "all tables less the first one's offset": ("offsets + q * D, k, K, first", "offsets, k, K, first", "narrow"),
    "all tables scaled as the first": ("tl.load(scales + q)", "tl.load(scales)", "ordinary"),
    "all tables in the place of the first": ("at = (q * K + k)[:, None]", "at = (0 * q + k)[:, None]", "one row, one code in stages"),
    "all lengths in the place of the first": ("tl.store(bias + q * K + k,", "tl.store(bias + k,", "one row, one code in stages"),
    "only the first codebook": ("grid = triton.cdiv(K, codes), Q", "grid = triton.cdiv(K, codes), 1", "one row, one code in stages"),
}  # fmt: skip


SLIPS = [  # the kernels that one piece of source breaks, and the tables of such pieces
    (search_kernels, SEARCH_SLIPS),
    (table_kernels, TABLE_SLIPS | STACK_SLIPS),
    (residual_kernels, RESIDUAL_SLIPS),
    (exact_kernels, EXACT_SLIPS),
]


@interpreted
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # a broken kernel overflows, and reads what is no number
@pytest.mark.parametrize("kernels, slip", [(kernels, slip) for kernels, slips in SLIPS for slip in slips])
def test_each_slip_is_caught(tmp_path, monkeypatch, kernels, slip):
    """By the case that its table names, of those that hold above."""
    old, new, case = dict(SLIPS)[kernels][slip]
    modules = [broken(tmp_path, old, new, kernels) if module is kernels else module for module in WHOLE]
    with pytest.raises(AssertionError):
        if case in RESIDUAL_CASES:
            check_residual(monkeypatch, modules, case)
        else:
            for dtype in ("float32",) if case in ONLY_FLOAT32 else ("float32", "float16"):
                check_search(monkeypatch, modules, case, dtype)


@compiled
@pytest.mark.parametrize("generation", WITH_KERNEL)
@pytest.mark.parametrize("width", [8, 64, 128, 256])
@pytest.mark.parametrize("rows", [100, 100_000])
@pytest.mark.parametrize("codes", [1024, 1000])
def test_residual_kernel_compiles_without_spills(tmp_path, generation, width, rows, codes):
    """For few rows and for many: on the tensor cores."""
    _, constants, options = residual_kernels.plan(rows, codes, width, generation == 90)
    floats = dict.fromkeys(("vectors", "codebooks", "bias", "offsets", "scales", "longest"), "*fp32")
    kinds = (
        floats
        | {"high": "*fp16", "low": "*fp16", "codes": "*i64", "doubt": "*i32", "doubts": "*i32"}
        | dict.fromkeys("NKQ", "i32")
    )
    many = generation == 90 and rows > 1000  # blocks of 64 rows or more, which a warp group takes at once
    product, shared = ("wgmma.mma_async", 227) if many else ("mma.sync", 99)
    check_code(tmp_path, residual_kernels._encode, generation, kinds, constants, options, product, shared)
