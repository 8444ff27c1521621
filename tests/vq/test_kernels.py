"""The Triton kernels of `vq` and `rvq` without a card: interpreted, compiled for two generations, broken on purpose."""

import types

import numpy as np
import pytest

pytestmark = pytest.mark.kernel

torch = pytest.importorskip("torch")
triton = pytest.importorskip("triton")

from kernel_tools import (
    DEVICE,
    INPUT,
    LIST,
    OUTPUT,
    SUM,
    broken,
    compiled,
    fence,
    interpreted,
    machine_code,
    resources,
    runs,
)
from near_ties import assert_nearest, assert_residual
from vectors import by_definition

from mmtokedu.cuda import rvq as residual
from mmtokedu.cuda import vq as searches
from mmtokedu.cuda.kernels import rvq as residual_kernels
from mmtokedu.cuda.kernels import tables as table_kernels
from mmtokedu.cuda.kernels import vq as search_kernels

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
ROLES = {
    "tables": [INPUT] * 3 + [OUTPUT] * 3 + [SUM],
    "halves": [INPUT] * 4 + [OUTPUT] * 4,
    "search": [INPUT] * 3 + [OUTPUT, INPUT, INPUT, LIST, SUM],
    "settle": [INPUT] * 9 + [LIST, LIST],
    "encode": [INPUT] * 8 + [OUTPUT] * 2,
}


def fenced_calls(patch, modules):
    """What the kernels' tensors hold after each launch, by the name of the launch; `modules` may be broken ones."""
    seen = {}
    for true, module in zip((table_kernels, search_kernels, residual_kernels), modules):
        for name in ROLES:
            if hasattr(true, name) and getattr(true, name).__module__ == true.__name__:
                fence(patch, true, name, module, ROLES[name], seen)
    return seen


WHOLE = table_kernels, search_kernels, residual_kernels


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
    "lattice of many tiles": lambda rng: lattice(rng, 40, 1, 600),
    "lattice of corners": corners,
    "lattice of long rows": long_rows,
    "sure ones first": sure_first,
    "wide and far off": wide_and_off,
    "large blocks": lambda rng: lattice(rng, 8_330, 1, 130),
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
    if dtype == "float32" and len(z):
        check_steps(seen, z, e)
    assert_nearest(codes, z, e)
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

    found, unsure, count = seen["search"][3].numpy(), seen["search"][6].numpy(), int(seen["search"][7])
    listed = np.zeros(len(z), bool)
    listed[unsure[:count]] = True
    assert listed.sum() == count, "a row is listed twice, or one that is not there"
    ranked = np.sort(np.pad(scores, ((0, 0), (0, 1)), constant_values=-np.inf), axis=1)
    gaps = ranked[:, -1] - ranked[:, -2]
    moves = 2.0**-15 * np.abs(ranked[:, -2:].clip(-1e300)).max(axis=1)  # what the marks do to two scores, and rounding
    assert listed[gaps < slack - moves].all(), "a row that is not sure is not listed"
    assert not listed[gaps > slack + moves].any(), "a sure row is listed"
    np.testing.assert_array_equal(found[~listed], scores.argmax(axis=1)[~listed])
    finer = seen["settle"][6].double().numpy()
    settled, doubt = (x.numpy() for x in seen["settle"][9:11])
    np.testing.assert_array_equal(settled[~listed], found[~listed], "a row was settled that was sure")
    assert not doubt[~listed].any(), "a sure row is in doubt again"
    ranked = np.sort(np.pad(true, ((0, 0), (0, 1)), constant_values=-np.inf), axis=1)
    gaps = ranked[:, -1] - ranked[:, -2]
    sure = listed & (doubt == 0)
    np.testing.assert_array_equal(settled[sure], true.argmax(axis=1)[sure], "a row is wrong that float32 was sure of")
    most = 2.0**-22 * (z.shape[1] + 40) * (norms[0] + (ratios + 2.0**-10) * longest[0]) * longest[0]
    assert (finer <= 2 * most + 1e-36).all() and not doubt[gaps > 2 * most + 1e-36].any(), "too many rows in doubt"
    assert doubt[listed & (gaps == 0)].all(), "a tie is no doubt"


@runs
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", SEARCH_CASES)
def test_search_finds_every_code(monkeypatch, case, dtype):
    if dtype != "float32" and case in ONLY_FLOAT32:
        pytest.skip("not for halves")
    check_search(monkeypatch, WHOLE, case, dtype)


SEARCH_SLIPS = {
    "the tile of the code forgotten": ("tile * CODES + column[None, :], K)", "column[None, :], K)"),
    "the column of the code forgotten": ("tile * CODES + column[None, :], K)", "tile * CODES, K)"),
    "codes beyond the last": ("score = tl.where((k < K)[None, :], score, -1e38)", "score += 0"),
    "every tile taken for whole": ('"EVEN": codes % 64 == 0', '"EVEN": True'),
    "lengths added": ("score += ratio * tl.load(bias", "score -= ratio * tl.load(bias"),
    "lengths not scaled as the rows": ("score += ratio * tl.load(bias", "score += tl.load(bias"),
    "all codes as long as the first": ("score += ratio * tl.load(bias + k,", "score += ratio * tl.load(bias + 0 * k,"),
    "only the first part of a vector": (
        "for first in range(0, D, DEPTH):\n                z = part(", "for first in range(0, 1, DEPTH):\n                z = part("),
    "the last part of a vector dropped": (
        "for first in range(0, D, DEPTH):\n                z = part(", "for first in range(0, D - DEPTH, DEPTH):\n                z = part("),
    "each part with the first of the code": ("part(codebook, k, K, first,", "part(codebook, k, K, 0 * first,"),
    "every tile is the first": ("k = t * CODES + column", "k = 0 * t + column"),
    "only the first tile of codes": ("range(0, tl.cdiv(K, CODES))", "range(0, 1)"),
    "the last tile dropped": ("range(0, tl.cdiv(K, CODES))", "range(0, tl.maximum(1, tl.cdiv(K, CODES) - 1))"),
    "marks: no room for all tiles": ("tiles = triton.next_power_of_2(triton.cdiv(codes, 64))", "tiles = 1"),
    "marks: always the first tile": ("& -TILES) | t)", "& -TILES) | 0 * t)"),
    "second best: of this tile alone": ("tl.maximum(second, tl.minimum(best, marked))", "tl.minimum(best, marked)"),
    "second best: any score but this": ("tl.maximum(second, tl.minimum(best, marked))", "tl.maximum(second, marked)"),
    "second best: never of another column": ("column[None, :], second, tl.maximum(best, second))", "column[None, :], second, -1e38)"),
    "second best: never of the same column": ("column[None, :], second, tl.maximum(best, second))", "column[None, :], -1e38, tl.maximum(best, second))"),
    "second best: the best itself": ("column[None, :], second, tl.maximum(best, second))", "column[None, :], best, tl.maximum(best, second))"),
    "codes written beyond the last": (
        "tl.store(codes + n, code.to(tl.int64), mask=n < N)", "tl.store(codes + n, code.to(tl.int64), mask=n >= 0)"),
    "rows beyond the last listed": ("other=0.0)) & (n < N)", "other=0.0)) & (n >= 0)"),
    "no row is unsure": ("axis=1) <= tl.load(slack", "axis=1) < -tl.load(slack"),
    "every row is unsure": ("axis=1) <= tl.load(slack", "axis=1) >= 0.0 * tl.load(slack"),
    "the count is one short": ("tl.max(place, axis=0))", "tl.maximum(tl.max(place, axis=0) - 1, 0))"),
    "the last rows dropped": ("return triton.cdiv(rows, size), constants", "return max(1, rows // size), constants"),
    "settling: nobody is": ("if tl.program_id(0) * ROWS < listed:", "if tl.program_id(0) * ROWS < 0 * listed:"),
    "settling: the first rows, not the listed": ("n = tl.load(unsure + i, mask=i < listed, other=0)", "n = i"),
    "settling: one program's rows alone": ("return triton.cdiv(rows, 16), constants", "return 1, constants"),
    "settling: the low halves of the rows forgotten": ("score = tl.dot(z_low, e_high.T, score)", "score = tl.dot(z_low * 0, e_high.T, score)"),
    "settling: the low halves of the codes forgotten": ("tl.dot(z_high, part(low, k,", "tl.dot(z_high * 0, part(low, k,"),
    "settling: no row is in doubt": ("close = best - second <= tl", "close = best - second < -tl"),
    "settling: every row is in doubt": ("close = best - second <= tl", "close = best - second >= 0.0 * tl"),
    "settling: second best: of this tile alone": (
        "tl.maximum(second, tl.maximum(next, tl.minimum(best, top)))", "tl.maximum(next, tl.minimum(best, top))"),
    "settling: second best: never of another tile": (
        "tl.maximum(second, tl.maximum(next, tl.minimum(best, top)))", "tl.maximum(second, next)"),
    "settling: second best: never of the same tile": (
        "tl.maximum(second, tl.maximum(next, tl.minimum(best, top)))", "tl.maximum(second, tl.minimum(best, top))"),
    "settling: doubts of rows that are not listed": ("tl.store(doubt + n, close.to(tl.int8), mask=i < listed)", "tl.store(doubt + n, close.to(tl.int8) + 1, mask=i >= 0)"),
    "settling: lengths not scaled as the rows": ("score += (scale / most)[:, None] *", "score += (scale / scale)[:, None] *"),
    "settling: codes beyond the last": (
        'score = tl.where((k < K)[None, :], score, float("-inf"))', "score += 0"),
    "settling: only the first tile": (
        "for start in range(0, K, CODES):\n            k =", "for start in range(0, 1, CODES):\n            k ="),
    "settling: only the first part": (
        "for first in range(0, D, DEPTH):\n                z = shifted", "for first in range(0, 1, DEPTH):\n                z = shifted"),
}  # fmt: skip

TABLE_SLIPS = {
    "the offset stays on": (".to(tl.float32) - shift[None, :]", ".to(tl.float32) - 0 * shift[None, :]"),
    "one part's offset for all": ("tl.load(offset + d, mask=d < D, other=0.0)\n    return", "tl.load(offset + tl.arange(0, DEPTH), mask=d < D, other=0.0)\n    return"),
    "rows of the matrix above": ("row.to(tl.int64)[:, None] * D", "row.to(tl.int64)[:, None] * (D + 1)"),
    "the next row's numbers at the end of a row": ("(row < rows)[:, None] & (d < D)[None, :]\n    return tl.load", "(row < rows)[:, None] & (d >= 0)[None, :]\n    return tl.load"),
    "largest: of the last part": ("tl.maximum(largest, tl.max(", "tl.maximum(0 * largest, tl.max("),
    "largest: signs kept": ("tl.max(tl.abs(shifted(vectors, offset, row, rows, first, D, DEPTH)), axis=1)", "tl.max(shifted(vectors, offset, row, rows, first, D, DEPTH), axis=1)"),
    "codes not scaled": ("(k < K)[:, None], e * scale, 0.0)", "(k < K)[:, None], e, 0.0)"),
    "codes beyond the last are long": ("e = tl.where((k < K)[:, None], e * scale, 0.0)", "e = e * scale"),
    "low is high again": ("tl.store(low + at, rest.to(tl.float16)", "tl.store(low + at, e_high"),
    "tables written beyond the last": ("inside = (k < K)[:, None] & (d < D)[None, :]\n            tl.store", "inside = (k >= 0)[:, None] & (d < D)[None, :]\n            tl.store"),
    "lengths not halved": ("(squares * -0.5)", "(squares * -1.0)"),
    "lengths written beyond the last": ("(squares * -0.5).to(tl.float32), mask=k < K)", "(squares * -0.5).to(tl.float32), mask=k >= 0)"),
    "longest: of the last block": ("tl.atomic_max(longest + 2 * q, tl.sqrt", "tl.store(longest + 2 * q, tl.sqrt"),
    "longest: nothing is lost": ("tl.atomic_max(longest + 2 * q + 1, tl.sqrt(tl.max(lost, axis=0)))", "pass"),
    "rows scaled without limit": ("(tl.float32, bitcast=True), limit)", "(tl.float32, bitcast=True), 1e38)"),
    "rows not scaled": ("scale = power(largest_of(vectors, offset, n, N, D, DEPTH), most)", "scale = tl.zeros((ROWS,), tl.float32) + most"),
    "slack: rows lose nothing": ("apart = tl.sqrt(lost) * e +", "apart = 0.0 * e +"),
    "slack: codes lose nothing": ("length * e_lost +", "0.0 * e_lost +"),
    "slack: of one score": ("2.0 * apart", "0.5 * apart"),
    "slack: five times": ("2.0 * apart", "10.0 * apart"),
    "slack: equal ones sure": ("+ 1e-37, mask", "- 1e-37, mask"),
    "finer: nothing is lost": ("tl.store(finer + n, finest(", "tl.store(finer + n, -finest("),
    "finer: a hundred times": ("tl.store(finer + n, finest(", "tl.store(finer + n, 100.0 * finest("),
    "finer written beyond the last": ("ratio * e, e, D), mask=n < N)", "ratio * e, e, D), mask=n >= 0)"),
    "slack written beyond the last": ("2.0 * apart + 1e-37, mask=n < N)", "2.0 * apart + 1e-37, mask=n >= 0)"),
    "only the first part halved": ("for first in range(0, D, DEPTH):\n        z = shifted", "for first in range(0, 1, DEPTH):\n        z = shifted"),
    "the last codes dropped": ("grid = triton.cdiv(K, codes), Q", "grid = max(1, K // codes), Q"),
    "the last rows dropped": ("grid = (triton.cdiv(len(vectors), rows),)", "grid = (max(1, len(vectors) // rows),)"),
}  # fmt: skip


def slips_are_caught(monkeypatch, modules, cases, dtypes=("float32",)):
    """Whether the tests above fail for these modules, one of which is broken."""
    with pytest.raises(AssertionError):
        for case in cases:
            for dtype in dtypes if case not in ONLY_FLOAT32 else ("float32",):
                check_search(monkeypatch, modules, case, dtype)


@interpreted
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # a broken kernel reads what is no number
@pytest.mark.parametrize("slip", SEARCH_SLIPS)
def test_each_slip_of_the_search_is_caught(tmp_path, monkeypatch, slip):
    module = broken(tmp_path, *SEARCH_SLIPS[slip], search_kernels)
    slips_are_caught(monkeypatch, (table_kernels, module, residual_kernels), SEARCH_CASES, ("float32", "float16"))


@interpreted
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("slip", TABLE_SLIPS)
def test_each_slip_of_the_tables_is_caught(tmp_path, monkeypatch, slip):
    module = broken(tmp_path, *TABLE_SLIPS[slip], table_kernels)
    slips_are_caught(monkeypatch, (module, search_kernels, residual_kernels), SEARCH_CASES)


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
    _, constants, options = search_kernels.plan(rows, codes, width)
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
    kinds |= {"unsure": "*i32", "count": "*i32", "codes": "*i64", "doubt": "*i8"} | whole
    check_code(tmp_path, search_kernels._settle, generation, kinds, constants, options, "mma.sync")
    constants, rows = table_kernels._blocks(width)
    kinds = dict.fromkeys(("codebooks", "offsets", "scales", "bias", "longest"), "*fp32")
    kinds |= {"high": "*fp16", "low": "*fp16", "K": "i32"}
    sizes = {"CODES": rows, "SPLIT": True}
    check_code(tmp_path, table_kernels._tables, generation, kinds, constants | sizes, {"num_warps": 4})
    kinds = dict.fromkeys(("vectors", "offset", "limit", "longest", "ratios", "slack", "finer"), "*fp32")
    kinds |= {"halves": "*fp16", "N": "i32"}
    sizes = {"ROWS": rows, "SPARE": 2.0**-16}
    check_code(tmp_path, table_kernels._halves, generation, kinds, constants | sizes, {"num_warps": 4})


# Residual quantization

RESIDUAL_CASES = {  # for few rows 64 short codes are a tile
    "one tie in a tile": lambda rng: one_tie(rng, 3, 5),
    "one tie across tiles": lambda rng: one_tie(rng, 3, 70),
    "ordinary": lambda rng: ordinary(rng, 40, 3, 100, 20),
    "ordinary, wide": lambda rng: ordinary(rng, 20, 2, 70, 256),
    "nearly half-way": lambda rng: half_way(rng, nearer=5e-4),
    "nearly half-way, a shorter stage": shorter_stage,
    "lattice": lambda rng: lattice(rng, 70, 3, 200),
    "lattice of whole tiles": lambda rng: lattice(rng, 70, 2, 128),
    "one row, one code": lambda rng: lattice(rng, 1, 2, 1),
    "no rows": lambda rng: lattice(rng, 0, 2, 5),
    "narrow": lambda rng: spread(rng, 130, 4, 100, 3),
    "wide": lambda rng: spread(rng, 20, 2, 70, 256),
    "between": lambda rng: spread(rng, 33, 3, 65, 100),
    "half-way": half_way,
    "far apart": far_apart,
}


def check_residual(monkeypatch, modules, case):
    """One case: all codes right, none written beside `codes`, and nothing read from beside the tables."""
    vectors, codebooks = RESIDUAL_CASES[case](np.random.default_rng(0))
    z, e = (torch.from_numpy(x).to(DEVICE) for x in (vectors, codebooks))
    with monkeypatch.context() as patch:
        seen = fenced_calls(patch, modules)
        found = residual._by_kernel(z, e, searches._ends(z, e, "abcd")).cpu().numpy()
    if len(vectors):
        sure = seen["encode"][9].numpy() == 0
        assert_residual(seen["encode"][8].numpy()[sure], vectors[sure], codebooks)
        assert not (sure.any() and case.startswith("one tie")), "a tie is no doubt"
        assert sure.mean() > 0.6 or not case.startswith(("ordinary", "nearly")), "the kernel is sure of too few rows"
    assert_residual(found, vectors, codebooks, flips=0.02)
    if case.startswith("lattice"):
        np.testing.assert_array_equal(found, by_definition(vectors, codebooks))


@runs
@pytest.mark.parametrize("case", RESIDUAL_CASES)
def test_every_code_of_every_stage(monkeypatch, case):
    check_residual(monkeypatch, WHOLE, case)


RESIDUAL_SLIPS = {
    "nothing is taken off": ("residual -= tl.load(", "residual -= 0 * tl.load("),
    "no row is in doubt": ("(best - second <= slack)", "(best - second < -slack)"),
    "every row is in doubt": ("(best - second <= slack)", "(best - second >= 0.0 * slack)"),
    "only the last stage's doubts": ("unsure |= (best", "unsure = (best"),
    "second best: of this tile alone": ("tl.maximum(second, tl.maximum(next, tl.minimum(best, top)))", "tl.maximum(next, tl.minimum(best, top))"),
    "second best: never of another tile": ("tl.maximum(second, tl.maximum(next, tl.minimum(best, top)))", "tl.maximum(second, next)"),
    "second best: never of the same tile": ("tl.maximum(second, tl.maximum(next, tl.minimum(best, top)))", "tl.maximum(second, tl.minimum(best, top))"),
    "doubts written beyond the last": ("unsure.to(tl.int8), mask=n < N)", "unsure.to(tl.int8), mask=n >= 0)"),
    "the longest code of the first stage": ("tl.load(longest + 2 * q)", "tl.load(longest)"),
    "the lengths of the codes forgotten": ("score += (scale / limit)[:, None] *", "score += 0 * scale[:, None] *"),
    "the lengths not scaled as the rows": ("score += (scale / limit)[:, None] *", "score += "),
    "rows not scaled": ("scale = power(tl.max(tl.abs(z), axis=1), limit)", "scale = tl.zeros((ROWS,), tl.float32) + limit"),
    "the low halves of the rows forgotten": ("score = tl.dot(z_low, e_high.T)", "score = tl.dot(z_low * 0, e_high.T)"),
    "the low halves of the codes forgotten": ("tl.dot(z_high, e_low.T, score)", "tl.dot(z_high * 0, e_low.T, score)"),
    "codes beyond the last": ("tl.where((k < K)[None, :], score,", "tl.where((k >= 0)[None, :], score,"),
    "every tile taken for whole": ('"EVEN": codes % step == 0', '"EVEN": True'),
    "rows written beyond the last": ("code.to(tl.int64), mask=n < N)", "code.to(tl.int64), mask=n >= 0)"),
    "all stages look in the first codebook": ("first = q * size", "first = 0 * size"),
    "all stages have the first one's offset": ("tl.load(offsets + q * D + d,", "tl.load(offsets + d,"),
    "all stages have the first one's scale": ("tl.load(scales + q)", "tl.load(scales)"),
    "codes stored stage by stage": ("codes + n * Q + q", "codes + q * N + n"),
    "only the first stage": ("for q in range(0, Q):", "for q in range(0, 1):"),
    "only the first tile of codes": ("for start in range(0, K, CODES):", "for start in range(0, 1, CODES):"),
    "the last rows dropped": ("triton.cdiv(rows, size)", "max(1, rows // size)"),
}  # fmt: skip

STACK_SLIPS = {
    "all tables of the first codebook": ("shifted(codebooks + q * K * D,", "shifted(codebooks,"),
    "all tables less the first one's offset": ("offsets + q * D, k, K, first", "offsets, k, K, first"),
    "all tables scaled as the first": ("tl.load(scales + q)", "tl.load(scales)"),
    "all tables in the place of the first": ("at = (q * K + k)[:, None]", "at = (0 * q + k)[:, None]"),
    "all lengths in the place of the first": ("tl.store(bias + q * K + k,", "tl.store(bias + k,"),
    "only the first codebook": ("grid = triton.cdiv(K, codes), Q", "grid = triton.cdiv(K, codes), 1"),
}


@interpreted
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # a broken kernel overflows
@pytest.mark.parametrize("slip", [*RESIDUAL_SLIPS, *STACK_SLIPS])
def test_each_slip_of_a_stage_is_caught(tmp_path, monkeypatch, slip):
    modules = list(WHOLE)
    place = 2 if slip in RESIDUAL_SLIPS else 0
    modules[place] = broken(tmp_path, *(RESIDUAL_SLIPS | STACK_SLIPS)[slip], WHOLE[place])
    with pytest.raises(AssertionError):
        for case in RESIDUAL_CASES:
            check_residual(monkeypatch, modules, case)


@compiled
@pytest.mark.parametrize("generation", WITH_KERNEL)
@pytest.mark.parametrize("width", [8, 64, 128, 256])
@pytest.mark.parametrize("rows", [100, 100_000])
@pytest.mark.parametrize("codes", [1024, 1000])
def test_residual_kernel_compiles_without_spills(tmp_path, generation, width, rows, codes):
    """For few rows and for many: on the tensor cores."""
    _, constants, options = residual_kernels.plan(rows, codes, width, generation == 90)
    floats = dict.fromkeys(("vectors", "codebooks", "bias", "offsets", "scales", "longest"), "*fp32")
    kinds = floats | {"high": "*fp16", "low": "*fp16", "codes": "*i64", "doubt": "*i8"} | dict.fromkeys("NKQ", "i32")
    many = generation == 90 and rows > 1000  # blocks of 64 rows or more, which a warp group takes at once
    product, shared = ("wgmma.mma_async", 227) if many else ("mma.sync", 99)
    check_code(tmp_path, residual_kernels._encode, generation, kinds, constants, options, product, shared)
