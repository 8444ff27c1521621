"""The same vectors through the real packages: codes, quantized vectors and gradients.

Nearest codes are held by the near-tie protocol (`tests/near_ties.py`): where two sides answer differently, both answers
must be nearest as exactly as float32 can tell. Disagreements that are known are held by name at the end.
"""

import numpy as np
import peers_vq
import pytest
from near_ties import assert_nearest
from peers import needs

from mmtokedu import vq
from mmtokedu.patches import patchify
from mmtokedu.samples import photo

pytestmark = pytest.mark.filterwarnings("ignore")  # the peers' own deprecations are not ours to fail on


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def patches_of_photos(rng):
    """4096 patches 8x8x3 of three photos, 0 to 1, and a k-means codebook of 1024: flat sky makes near-equal codes."""
    pytest.importorskip("skimage")
    images = [photo(name) for name in ("astronaut", "chelsea", "coffee")]
    rows = [patchify(image[: len(image) // 8 * 8, : image.shape[1] // 8 * 8] / np.float32(255), 8) for image in images]
    rows = rng.permutation(np.concatenate(rows))
    return rows[:4096], vq.kmeans_init(rows, 1024, rng.random(len(rows)), iterations=2).embed


DATA = {
    "photo patches, D=192": patches_of_photos,
    "unit sphere, D=8": lambda rng: [unit(rng.standard_normal((count, 8))) for count in (4096, 1024)],
    "normal, D=64": lambda rng: [rng.standard_normal((count, 64)).astype(np.float32) for count in (4096, 1024)],
}


@pytest.fixture(scope="module", params=DATA)
def data(request):
    """(name, vectors, codebook)"""
    return request.param, *DATA[request.param](np.random.default_rng(0))


def test_our_codes_are_nearest(data):
    _, vectors, codebook = data
    assert_nearest(vq.nearest_code(vectors, codebook), vectors, codebook)


@pytest.mark.parametrize("peer", peers_vq.NEAREST)
def test_nearest_codes(tally, data, peer):
    name, vectors, codebook = data
    theirs = needs(peers_vq.NEAREST[peer], vectors, codebook)
    ours = vq.nearest_code(vectors, codebook)
    agreed, near, wrong = tally(f"{name} ({peer})", (vectors, codebook, ours, theirs))
    assert wrong == 0
    assert agreed >= 0.95 * len(vectors)  # many near-equal codes on the photos; a random answer agrees on none


@pytest.mark.parametrize("peer", peers_vq.NEAREST)
def test_equal_codes_give_the_first(peer):
    rng = np.random.default_rng(1)
    codebook = rng.standard_normal((64, 16)).astype(np.float32)
    codebook[40] = codebook[3]
    vectors = np.repeat(codebook[[40]], 50, axis=0)
    theirs = needs(peers_vq.NEAREST[peer], vectors, codebook)
    assert set(theirs.tolist()) == set(vq.nearest_code(vectors, codebook).tolist()) == {3}


# FSQ


def fsq_data(levels, count=50_000):
    return (np.random.default_rng(2).standard_normal((count, len(levels))) * 1.5).astype(np.float32)


LEVELS = [[8, 5, 5, 5], [8, 8, 8, 5, 5, 5], [4, 4], [3], [5, 7, 9], [100, 3]]


def between_the_bounds(vectors, levels):
    """(N,) True where a number lies between the threshold of the paper's bound and that of the peer's."""
    half = (np.asarray(levels) - 1) / 2
    offset = np.where(np.asarray(levels) % 2, 0.0, 0.5)
    found = np.zeros(len(vectors), bool)
    for d, level in enumerate(levels):
        steps = np.arange(-(level // 2), (level - 1) // 2) + 0.5 + offset[d]  # where tanh * half - offset is rounded up
        papers = np.arctanh(steps / (half[d] * 0.999)) - np.tan(offset[d] / (half[d] * 0.999))
        theirs = np.arctanh(steps / (half[d] * 1.001)) - np.arctanh(offset[d] / (half[d] * 1.001))
        low, high = np.minimum(papers, theirs), np.maximum(papers, theirs)
        found |= ((vectors[:, d, None] > low) & (vectors[:, d, None] < high)).any(axis=1)
    return found


@pytest.mark.parametrize("levels", LEVELS, ids=str)
def test_fsq_codes_differ_between_the_two_bounds_and_nowhere_else(capsys, levels):
    """The paper: 0.999 and tan. The peer: 1.001 and atanh. Every vector outside the gaps has one code, none inside."""
    vectors = fsq_data(levels)
    theirs, quantized = needs(peers_vq.fsq, vectors, levels)
    ours, mine = vq.fsq(vectors, levels)
    between = between_the_bounds(vectors, levels)
    with capsys.disabled():
        print(f"\n  FSQ {levels!s:58} {(ours == theirs).sum():6} agreed {between.sum():5} between the bounds", end="")
    np.testing.assert_array_equal(ours != theirs, between)
    np.testing.assert_array_equal(mine[~between], quantized[~between])
    assert 0 < between.sum() < 0.1 * len(vectors)


@pytest.mark.parametrize("levels", [[3], [5, 7, 9], [5, 5, 5, 5]], ids=str)
def test_fsq_is_the_peers_with_the_papers_constant(levels):
    """Odd levels have no shift: `bound(z, eps=-1e-3)` is the paper's, code for code, gradient for gradient."""
    vectors = fsq_data(levels)
    codes, quantized = needs(peers_vq.fsq_with_the_papers_constant, vectors, levels)
    ours, mine = vq.fsq(vectors, levels)
    np.testing.assert_array_equal(ours, codes)
    np.testing.assert_array_equal(mine, quantized)

    layer, upstream = peers_vq.load(peers_vq.VQP).FSQ(levels), fsq_data(levels)
    _, theirs = peers_vq.with_gradient(lambda z, _: layer.bound(z, eps=-1e-3), vectors, vectors, upstream)
    _, ours = peers_vq.with_gradient(lambda z, _: vq.fsq(z, levels)[1], vectors, vectors, upstream)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6)


@pytest.mark.parametrize("levels", [[8, 5, 5, 5], [4, 4], [8, 8, 8]], ids=str)
def test_fsq_of_even_levels_is_the_peers_moved_by_tan_minus_atanh(levels):
    vectors = fsq_data(levels).astype(np.float64)
    half, offset, shift = vq.fsq_constants(levels)
    codes, quantized = needs(peers_vq.fsq_with_the_papers_constant, vectors + shift - np.arctanh(offset / half), levels)
    ours, mine = vq.fsq(vectors, levels)
    np.testing.assert_array_equal(ours, codes)
    np.testing.assert_array_equal(mine, quantized)


@pytest.mark.parametrize("levels", LEVELS, ids=str)
def test_fsq_look_up(levels):
    codes = np.arange(np.prod(levels))
    vectors = needs(peers_vq.fsq_look_up, codes, levels)
    np.testing.assert_array_equal(vq.fsq_look_up(codes, levels), vectors)


# LFQ


def test_lfq_has_the_bits_in_the_other_order():
    """Both say +1 above 0 and -1 elsewhere. Our bit i is dimension i; theirs begins with the highest bit."""
    vectors = fsq_data([2] * 12)
    vectors[0], vectors[1] = 0, -0.0
    codes, quantized = needs(peers_vq.lfq, vectors)
    ours, mine = vq.lfq(vectors)
    np.testing.assert_array_equal(mine, quantized)
    np.testing.assert_array_equal(vq.lfq(vectors[:, ::-1])[0], codes)
    assert (ours == codes).mean() < 0.1  # palindromes


# Gradients


PAIRS = {
    "near": lambda z, other: z + other / 2,
    "far": lambda z, other: other,
    "equal": lambda z, other: z,
    "opposite": lambda z, other: -z,
}


@pytest.mark.parametrize("pair", PAIRS)
def test_rotation_trick(pair):
    z, other, upstream = np.random.default_rng(3).standard_normal((3, 500, 64)).astype(np.float32)
    q = PAIRS[pair](z, other)
    result, gradient = needs(peers_vq.with_gradient, peers_vq.rotation_trick, z, q, upstream)
    mine, ours = peers_vq.with_gradient(vq.rotation_trick, z, q, upstream)
    np.testing.assert_allclose(mine, result, rtol=0, atol=2e-5)
    np.testing.assert_allclose(ours, gradient, rtol=0, atol=1e-5)


@pytest.mark.parametrize("trick", [True, False])
def test_simvq(trick):
    """Codes, quantized vectors, loss, and the gradients of all of it at the vectors and at the map."""
    torch = pytest.importorskip("torch")
    from mmtokedu.nn.vq import SimVQ

    rng = np.random.default_rng(4)
    frozen, weight, z, upstream = (
        rng.standard_normal(shape).astype(np.float32) for shape in ((64, 16), (16, 16), (300, 16), (300, 16))
    )
    peer = needs(peers_vq.simvq, frozen, weight)
    peer.rotation_trick = trick
    layer = SimVQ(64, 16, commitment=0.25, through=vq.rotation_trick if trick else vq.straight_through)
    with torch.no_grad():
        layer.sum.copy_(torch.from_numpy(frozen))
        layer.map.weight.copy_(torch.from_numpy(weight))
    results = []
    for quantizer, linear in ((layer, layer.map), (peer, peer.code_transform)):
        x = torch.from_numpy(z.copy()).requires_grad_()
        quantized, codes, loss = quantizer(x)
        ((quantized * torch.from_numpy(upstream)).mean() + loss).backward()
        results.append([codes.numpy(), *(t.detach().numpy() for t in (quantized, loss, x.grad, linear.weight.grad))])
    (ours, *mine), (codes, *theirs) = results
    assert_nearest(ours, z, frozen @ weight.T)
    np.testing.assert_array_equal(ours, codes)
    for a, b in zip(mine, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-5)


# Where a peer answers otherwise, and why.


@pytest.mark.parametrize("offset", [100, 1000])
def test_a_common_offset_drowns_the_expanded_square(tally, offset):
    """|z|^2 - 2 z.e + |e|^2 in float32, beside ours, on photos moved by `offset`: judged by what the offset left.

    faiss and vector-quantize-pytorch expand the square; scikit-learn does so too, but in float64.
    """
    clean, codes = patches_of_photos(np.random.default_rng(0))
    vectors, codebook = clean[:1024] + np.float32(offset), codes + np.float32(offset)
    judged = vectors.astype(np.float64) - offset, codebook.astype(np.float64) - offset  # exact: what there is to tell
    ours = vq.nearest_code(vectors, codebook)
    assert_nearest(ours, *judged, flips=0.06)
    expanded = (vectors**2).sum(axis=1, keepdims=True) - 2 * vectors @ codebook.T + (codebook**2).sum(axis=1)
    answers = {"NumPy": expanded.argmin(axis=1)}
    answers |= {peer: needs(call, vectors, codebook) for peer, call in peers_vq.NEAREST.items()}
    lost = {name: tally(f"offset {offset} ({name})", (*judged, ours, theirs))[2] for name, theirs in answers.items()}
    assert lost.pop("scikit-learn") == 0
    assert min(lost.values()) > {100: 0.7, 1000: 0.99}[offset] * len(vectors), lost


def test_vqp_sees_no_distance_under_1e_4():
    """Its squared distances are clamped at 1e-8, so among small vectors everything is equally near: code 0."""
    rng = np.random.default_rng(5)
    codebook, vectors = (rng.standard_normal((count, 8)).astype(np.float32) for count in (32, 64))
    usual = vq.nearest_code(vectors, codebook)
    vectors, codebook = vectors * np.float32(1e-6), codebook * np.float32(1e-6)
    assert set(needs(peers_vq.vqp_codes, vectors, codebook).tolist()) == {0}
    np.testing.assert_array_equal(peers_vq.faiss_codes(vectors, codebook), usual)
    np.testing.assert_array_equal(vq.nearest_code(vectors, codebook), usual)


def test_a_square_that_overflows_is_no_answer_in_faiss():
    rng = np.random.default_rng(6)
    codebook, vectors = (rng.standard_normal((count, 8)).astype(np.float32) for count in (32, 64))
    usual = vq.nearest_code(vectors, codebook)
    vectors, codebook = vectors * np.float32(1e20), codebook * np.float32(1e20)
    assert set(needs(peers_vq.faiss_codes, vectors, codebook).tolist()) == {-1}
    np.testing.assert_array_equal(vq.nearest_code(vectors, codebook), usual)


def test_nan_is_refused_by_two_and_answered_by_two():
    codebook, vectors = np.eye(4, dtype=np.float32), np.full((30, 4), np.nan, np.float32)
    with pytest.raises(ValueError, match="finite"):
        vq.nearest_code(vectors, codebook)
    with pytest.raises(ValueError, match="NaN"):
        needs(peers_vq.scikit_learn_codes, vectors, codebook)
    assert set(peers_vq.faiss_codes(vectors, codebook).tolist()) == {-1}
    assert set(peers_vq.vqp_codes(vectors, codebook).tolist()) == {0}


def test_rotating_to_or_from_nothing():
    """A vector of zeros: theirs stays 0 and loses its code, with a gradient that blows up; ours copies, as the code."""
    z, q, upstream = np.random.default_rng(7).standard_normal((3, 40, 16)).astype(np.float32)
    nothing = np.zeros_like(z)
    result, gradient = needs(peers_vq.with_gradient, peers_vq.rotation_trick, nothing, q, upstream)
    assert not result.any() and np.abs(gradient).max() > 1e5
    result, gradient = peers_vq.with_gradient(peers_vq.rotation_trick, z, nothing, upstream)
    assert not result.any() and not gradient.any()
    for pair in ((nothing, q), (z, nothing)):
        mine, ours = peers_vq.with_gradient(vq.rotation_trick, *pair, upstream)
        np.testing.assert_array_equal(mine, pair[1])
        np.testing.assert_array_equal(ours, upstream)


def test_two_levels_are_refused_by_the_peer_and_split_far_from_zero_by_the_paper():
    """The paper's shift for two levels is tan(0.5 / 0.4995) = 1.56, so the step is at -1.56; atanh has no such value."""
    fsq = needs(peers_vq.load, peers_vq.VQP).FSQ
    with pytest.raises(AssertionError, match="preserve_symmetry"):
        fsq([2, 2])
    assert vq.fsq(np.array([[-1.57], [-1.55]]), [2])[0].tolist() == [0, 1]
