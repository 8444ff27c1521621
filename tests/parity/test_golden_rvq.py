"""What the residual quantizers of other packages answered once, kept as data with package and version."""

import json
from pathlib import Path

import numpy as np
import pytest
from near_ties import assert_residual

from mmtokedu import rvq

GOLDEN = json.loads((Path(__file__).parent / "golden" / "rvq.json").read_text())
PEERS = [name for name in GOLDEN["encode"] if name not in ("vectors", "codebooks")]
DECODERS = [name for name in GOLDEN["decode"] if name not in ("codes", "codebooks")]


def stored(key, *names):
    """Arrays of one entry: float32, or int64 where all are whole."""
    arrays = [np.array(GOLDEN[key][name]) for name in names]
    return [x if x.dtype.kind == "i" else x.astype(np.float32) for x in arrays]


def test_who_was_asked():
    assert len(PEERS) == len(DECODERS) == 4 and set(GOLDEN["packages"]) >= {"transformers", "faiss-cpu"}


@pytest.mark.parametrize("peer", PEERS)
def test_codes(peer):
    vectors, codebooks, codes = stored("encode", "vectors", "codebooks", peer)
    assert_residual(codes, vectors, codebooks)  # the peer's
    np.testing.assert_array_equal(rvq.rvq_encode(vectors, codebooks), codes)
    np.testing.assert_array_equal(rvq.rvq_encode_plain(vectors, codebooks), codes)


@pytest.mark.parametrize("peer", DECODERS)
def test_vectors_of_codes(peer):
    codes, codebooks, vectors = stored("decode", "codes", "codebooks", peer)
    np.testing.assert_allclose(rvq.rvq_decode(codes, codebooks), vectors, rtol=0, atol=1e-6)


def test_mimis_first_codebook_stands_alone():
    """Its other codebooks are a chain that begins at the vectors again: two calls, side by side."""
    vectors, codebooks, codes = stored("split", "vectors", "codebooks", "transformers Mimi")
    chains = rvq.rvq_encode(vectors, codebooks[:1]), rvq.rvq_encode(vectors, codebooks[1:])
    np.testing.assert_array_equal(np.concatenate(chains, axis=1), codes)
    assert (rvq.rvq_encode(vectors, codebooks) != codes).any()


@pytest.mark.parametrize("key, peer", [("delay", "transformers MusicGen"), ("any delay", "transformers Dia")])
def test_delays(key, peer):
    codes, delayed = stored(key, "codes", peer)
    pad, delays = GOLDEN[key]["pad"], GOLDEN[key].get("delays")
    np.testing.assert_array_equal(rvq.delay_pattern(codes, pad, delays), delayed)
    np.testing.assert_array_equal(rvq.undelay_pattern(delayed, delays), codes)
