"""The same vectors, codebooks and streams through the real packages: codes stage by stage, vectors, delays.

A stage is judged by itself (`tests/near_ties.py`): on what the peer's own codes left for it, what would we have said?
Where that differs, the peer's code must be nearest as exactly as float32 can tell.
"""

import importlib.util

import numpy as np
import peers_rvq
import pytest
from near_ties import assert_residual, stages
from peers import needs

from mmtokedu import rvq, vq
from mmtokedu.catalog import codecs
from mmtokedu.patches import patchify
from mmtokedu.samples import photo

pytestmark = pytest.mark.filterwarnings("ignore")  # the peers' own deprecations are not ours to fail on


def patches_of_photos(rng):
    """2048 patches 8x8x3 of three photos, and four stages of 256 codes made from them by k-means."""
    pytest.importorskip("skimage")
    images = [photo(name) for name in ("astronaut", "chelsea", "coffee")]
    rows = [patchify(image[: len(image) // 8 * 8, : image.shape[1] // 8 * 8] / np.float32(255), 8) for image in images]
    left = rows = rng.permutation(np.concatenate(rows))
    codebooks = []
    for _ in range(4):
        codebooks.append(vq.kmeans_init(left, 256, rng.random(len(left)), iterations=2).embed)
        left = left - codebooks[-1][vq.nearest_code(left, codebooks[-1])]
    return rows[:2048], np.stack(codebooks)


def normal(rng, count, *shape):
    codebooks = rng.standard_normal(shape, np.float32)
    codebooks *= np.float32(0.5) ** np.arange(len(codebooks), dtype=np.float32)[:, None, None]
    return rng.standard_normal((count, shape[2]), np.float32), codebooks


DATA = {
    "photo patches, 4 x 256 x 192": patches_of_photos,
    "normal, 8 x 1024 x 128": lambda rng: normal(rng, 2048, 8, 1024, 128),
    "normal, 6 x 512 x 8": lambda rng: normal(rng, 2048, 6, 512, 8),
}


@pytest.fixture(scope="module", params=DATA)
def data(request):
    """(name, vectors, codebooks)"""
    return request.param, *DATA[request.param](np.random.default_rng(0))


@pytest.fixture
def tally_stages(tally):
    """`tally` over all stages, each on what the peer's own codes left for it; and how many whole rows are alike."""

    def count(name, vectors, codebooks, theirs):
        each = stages(theirs, vectors, codebooks)
        counts = tally(name, *((left, book, vq.nearest_code(left, book), column) for column, left, book in each))
        return *counts, int((rvq.rvq_encode(vectors, codebooks) == theirs).all(axis=1).sum())

    return count


def test_our_codes_are_nearest_in_every_stage(data):
    _, vectors, codebooks = data
    assert_residual(rvq.rvq_encode(vectors, codebooks), vectors, codebooks)


@pytest.mark.parametrize("peer", peers_rvq.ENCODE)
def test_codes_of_every_stage(tally_stages, data, peer):
    name, vectors, codebooks = data
    theirs = needs(peers_rvq.ENCODE[peer], vectors, codebooks)
    agreed, _, wrong, alike = tally_stages(f"{name} ({peer})", vectors, codebooks, theirs)
    assert wrong == 0
    assert agreed >= 0.99 * theirs.size and alike >= 0.97 * len(theirs)


def test_codes_of_the_authors_encodec(tally_stages, data):
    """Not in the peers' environment: its torchaudio asks for another torch. Where somebody has it, it is asked too."""
    if importlib.util.find_spec("encodec") is None:
        pytest.skip("encodec is not installed")
    name, vectors, codebooks = data
    theirs = peers_rvq.authors_encodec_codes(vectors, codebooks)
    agreed, _, wrong, _ = tally_stages(f"{name} (encodec)", vectors, codebooks, theirs)
    assert wrong == 0 and agreed >= 0.99 * theirs.size


@pytest.mark.parametrize("peer", peers_rvq.DECODE)
def test_vectors_of_codes(data, peer):
    _, vectors, codebooks = data
    codes = rvq.rvq_encode(vectors, codebooks)
    theirs = needs(peers_rvq.DECODE[peer], codes, codebooks)
    np.testing.assert_allclose(rvq.rvq_decode(codes, codebooks), theirs, rtol=0, atol=5e-6)


def test_equal_codes_give_the_first(data):
    """Row 3 again as row 200 in every stage: nobody ever says 200."""
    _, vectors, codebooks = data
    codebooks = codebooks.copy()
    codebooks[:, 200] = codebooks[:, 3]
    vectors = vectors[:100] * np.float32(0.01) + codebooks[0, 3]
    assert not (rvq.rvq_encode(vectors, codebooks) == 200).any()
    for peer in ("faiss-cpu, stage by stage", "transformers EnCodec"):
        codes = needs(peers_rvq.ENCODE[peer], vectors, codebooks)
        assert (codes[:, 0] == 3).mean() > 0.9 and not (codes == 200).any(), peer


# Quantizers that are built otherwise


def test_dac_looks_for_directions(tally_stages):
    """It compares vectors scaled to length 1, and takes the code off at its own length: among codes of one length that
    is the nearest, among others it is not."""
    vectors, codebooks = normal(np.random.default_rng(3), 1000, 4, 256, 8)
    unit = codebooks / np.linalg.norm(codebooks, axis=2, keepdims=True)
    same = needs(peers_rvq.dac_codes, vectors, unit)
    agreed, _, wrong, _ = tally_stages("codes of length 1 (transformers DAC)", vectors, unit, same)
    assert wrong == 0 and agreed >= 0.99 * same.size
    other = peers_rvq.dac_codes(vectors, codebooks)
    *_, wrong, alike = tally_stages("codes of any length (transformers DAC)", vectors, codebooks, other)
    assert wrong > 0.2 * other.size and alike < 0.4 * len(other)
    for column, residual, codebook in stages(other, vectors, codebooks):
        directions = residual @ (codebook / np.linalg.norm(codebook, axis=1, keepdims=True)).T
        chosen = directions[np.arange(len(residual)), column]
        np.testing.assert_allclose(chosen, directions.max(axis=1), rtol=0, atol=2e-5)


def test_mimis_first_codebook_stands_alone(data):
    """Semantic and acoustic codes are two chains that both begin at the vectors: two calls, side by side."""
    _, vectors, codebooks = data
    theirs = needs(peers_rvq.mimi_split_codes, vectors, codebooks)
    assert_residual(theirs[:, :1], vectors, codebooks[:1])
    assert_residual(theirs[:, 1:], vectors, codebooks[1:])
    with pytest.raises(AssertionError, match="stage 1"):
        assert_residual(theirs, vectors, codebooks)


# Delays


def streams(count, codebooks, seed):
    return np.random.default_rng(seed).integers(0, 2048, (count, codebooks))


@pytest.mark.parametrize("count, codebooks", [(1, 1), (1, 2), (3, 4), (8, 4), (50, 9), (7, 8)])
def test_delays_of_musicgen(count, codebooks):
    codes = streams(count, codebooks, count)
    delayed = needs(peers_rvq.musicgen_delay, codes, 2048)
    np.testing.assert_array_equal(rvq.delay_pattern(codes, 2048), delayed)
    np.testing.assert_array_equal(rvq.undelay_pattern(delayed), codes)


@pytest.mark.parametrize("count", [1, 2, 20])
def test_delays_of_moshi(count):
    codes = streams(count, 8, count)
    delayed = needs(peers_rvq.moshi_delay, codes, 2048)
    np.testing.assert_array_equal(rvq.delay_pattern(codes, 2048, [0] + [1] * 7), delayed)


DELAYS = {f"{codec}, {one.by}": one.delays for codec, row in codecs.rows().items() for one in row.delays}


@pytest.mark.parametrize("who", DELAYS)
@pytest.mark.parametrize("count", [1, 3, 40])
def test_delays_of_the_catalog_as_dia_gathers_them(who, count):
    """Dia's processor takes any list of delays; Moshi's, with the user's stream, are not sorted."""
    delays = DELAYS[who]
    codes = streams(count, len(delays), count)
    delayed = needs(peers_rvq.dia_delay, codes, 2048, delays)
    np.testing.assert_array_equal(rvq.delay_pattern(codes, 2048, delays), delayed)
    back = peers_rvq.dia_delay(delayed, 2048, delays, revert=True)
    np.testing.assert_array_equal(rvq.undelay_pattern(delayed, delays), back[:count])


# Lengths


@pytest.mark.parametrize("samples", [480, 24_000, 47_520, 47_521, 48_000, 48_321, 95_040, 95_400, 144_000])
def test_encodec_cuts_stereo_into_pieces(samples):
    codebooks, frames = needs(peers_rvq.encodec_48k_frames, samples)
    assert codebooks == codecs.row("encodec-48k").default == 4
    assert rvq.audio_tokens("encodec-48k", samples / 48_000) == frames * codebooks


def test_the_processor_of_encodec_fills_up_the_last_piece():
    """So through transformers a second of stereo is two whole pieces, where the authors' tool makes 152 frames of it."""
    extractor = needs(peers_rvq.hf, "encodec.feature_extraction_encodec").EncodecFeatureExtractor
    extractor = extractor(feature_size=2, sampling_rate=48_000, chunk_length_s=1.0, overlap=0.01)
    filled = extractor(np.zeros((2, 48_000), np.float32), sampling_rate=48_000, return_tensors="np")
    samples = filled["input_values"].shape[-1]
    assert samples == 47_520 + 48_000
    assert rvq.audio_tokens("encodec-48k", 1) == 152 * 4
