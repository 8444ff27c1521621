"""What the quantizers of other packages answered once, kept as data with package and version: no peer is needed."""

import json
from pathlib import Path

import numpy as np
import pytest
from near_ties import assert_nearest

from mmtokedu import vq

GOLDEN = json.loads((Path(__file__).parent / "golden" / "vq.json").read_text())
PEERS = ["faiss-cpu", "scikit-learn", "vector-quantize-pytorch"]


def stored(key, *names):
    """Arrays of one entry: float32, or int64 where all are whole."""
    arrays = [np.array(GOLDEN[key][name]) for name in names]
    return [x if x.dtype.kind == "i" else x.astype(np.float32) for x in arrays]


@pytest.mark.parametrize("peer", PEERS)
def test_nearest_codes(peer):
    vectors, codebook, codes = stored("nearest", "vectors", "codebook", peer)
    assert_nearest(codes, vectors, codebook)  # the peer's
    np.testing.assert_array_equal(vq.nearest_code(vectors, codebook), codes)
    np.testing.assert_array_equal(vq.nearest_code_plain(vectors, codebook), codes)


def test_small_vectors_keep_their_codes_in_all_packages_but_one():
    vectors, codebook = (x * np.float32(1e-6) for x in stored("nearest", "vectors", "codebook"))
    codes = GOLDEN["nearest_scaled_by_1e-6"]
    ours = vq.nearest_code(vectors, codebook).tolist()
    assert ours == codes["faiss-cpu"] == codes["scikit-learn"] == GOLDEN["nearest"]["faiss-cpu"]
    assert set(codes["vector-quantize-pytorch"]) == {0}


def test_fsq():
    vectors, codes, quantized = stored("fsq", "vectors", "codes", "quantized")
    ours, mine = vq.fsq(vectors, GOLDEN["fsq"]["levels"])
    np.testing.assert_array_equal(ours, codes)
    np.testing.assert_allclose(mine, quantized, rtol=0, atol=1e-7)
    np.testing.assert_allclose(vq.fsq_look_up(codes, GOLDEN["fsq"]["levels"]), quantized, rtol=0, atol=1e-7)


def test_fsq_between_the_papers_thresholds_and_the_peers():
    """Four levels: the paper's two lower thresholds are at -1.1525 and -0.3466, the peer's at -1.1497 and -0.3462."""
    vectors, codes = stored("fsq_between_the_bounds", "vectors", "codes")
    assert codes.tolist() == [0, 1, 3]
    assert vq.fsq(vectors, [4])[0].tolist() == [1, 2, 2]


def test_lfq_with_the_bits_in_the_other_order():
    vectors, codes, quantized = stored("lfq", "vectors", "codes", "quantized")
    np.testing.assert_array_equal(vq.lfq(vectors[:, ::-1])[0], codes)
    np.testing.assert_array_equal(vq.lfq(vectors)[1], quantized)


def test_rotation_trick():
    vectors, quantized, result = stored("rotation_trick", "vectors", "quantized", "result")
    np.testing.assert_allclose(vq.rotation_trick(vectors, quantized), result, rtol=0, atol=1e-6)


def test_gradient_of_the_rotation_trick():
    torch = pytest.importorskip("torch")
    names = "vectors", "quantized", "upstream", "result", "gradient"
    z, q, upstream, result, gradient = map(torch.from_numpy, stored("rotation_trick", *names))
    mine = vq.rotation_trick(z.requires_grad_(), q)
    mine.backward(upstream)
    np.testing.assert_allclose(mine.detach(), result, rtol=0, atol=1e-6)
    np.testing.assert_allclose(z.grad, gradient, rtol=0, atol=2e-6)


def test_simvq():
    torch = pytest.importorskip("torch")
    from mmtokedu.nn.vq import SimVQ

    names = "frozen", "weight", "codes", "quantized", "loss", "gradient", "gradient_of_weight"
    frozen, weight, codes, *answers = map(torch.from_numpy, stored("simvq", *names))
    z, upstream = map(torch.from_numpy, stored("rotation_trick", "vectors", "upstream"))
    layer = SimVQ(*frozen.shape, commitment=0.25, through=vq.rotation_trick)
    with torch.no_grad():
        layer.sum.copy_(frozen)
        layer.map.weight.copy_(weight)
    out = layer(z.requires_grad_())
    ((out.quantized * upstream).sum() + out.loss).backward()
    np.testing.assert_array_equal(out.codes, codes)
    for ours, theirs in zip((out.quantized, out.loss, z.grad, layer.map.weight.grad), answers, strict=True):
        np.testing.assert_allclose(ours.detach(), theirs, rtol=1e-5, atol=1e-5)
