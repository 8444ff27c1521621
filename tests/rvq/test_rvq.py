import functools
import itertools
import math
import tracemalloc
import types

import numpy as np
import pytest
from families import FAMILIES, drawn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from near_ties import LIMIT, assert_residual, coarse, ratios, stages
from vectors import by_definition, largest_tensor, normal

from mmtokedu import rvq, samples, vq
from mmtokedu.arguments.rvq import LONGEST_DELAY, LONGEST_HOP
from mmtokedu.catalog import codecs
from mmtokedu.rvq import (
    audio_tokens,
    bitrate,
    delay_pattern,
    draw_stages,
    flatten_codes,
    imdct,
    mdct,
    mdct_basis,
    rvq_decode,
    rvq_encode,
    rvq_encode_plain,
    tokens_per_second,
    undelay_pattern,
    unflatten_codes,
)

FEW = 0.02  # of some hundred rows one or two may be near ties that another processor decides otherwise
house = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["its own way", "stages"])
def encoder(request, backend, monkeypatch):
    """A backend once as it goes by itself, and once stage by stage in tiles, as on a card for which Triton will not do."""
    if request.param == "stages":
        if backend.name == "numpy":
            pytest.skip("a way for tensors")
        on_a_card(monkeypatch, lambda x: "tiles")
    return backend


def on_a_card(monkeypatch, way):
    """Both twin modules ask `way` how a tensor is searched."""
    from mmtokedu.cuda import rvq as twins
    from mmtokedu.cuda import vq as searches

    for module in (twins, searches):
        monkeypatch.setattr(module, "_way", way)


def encode(backend, vectors, codebooks):
    return backend.take(rvq_encode(backend.give(vectors), backend.give(codebooks)))


@functools.cache
def speech(size, stages, count):
    """Frames of speech and codebooks made from other frames, stage by stage by k-means: what a codec without a net is.

    The quiet ones lie close together in the late stages, so near ties are many.
    """
    pytest.importorskip("soundfile")
    rng, frames = np.random.default_rng(0), []
    for recording in samples.speech("new_voice"):
        frames.append(mdct(recording.sound, 160))
    frames = rng.permutation(np.concatenate(frames))
    left, codebooks = frames[count:], []
    for _ in range(stages):
        codebooks.append(vq.kmeans_init(left, size, rng.random(len(left)), iterations=3).embed)
        left = left - codebooks[-1][vq.nearest_code(left, codebooks[-1])]
    return frames[:count], np.stack(codebooks)


# Encoding


def test_a_hand_worked_pair_of_stages(encoder):
    """(3, 1) is nearest to (4, 0) and leaves (-1, 1), which is code 2 of the second stage; (0, 0) leaves nothing."""
    codebooks = np.array([[[0, 0], [4, 0], [0, 3]], [[0, 0], [1, 0], [-1, 1]]], np.float32)
    vectors = np.array([[3, 1], [0, 0], [1, 0], [5, 0.25], [-1, 4]], np.float32)
    expected = [[1, 2], [0, 0], [0, 1], [1, 1], [2, 2]]
    assert encode(encoder, vectors, codebooks).tolist() == expected
    assert rvq_encode_plain(vectors, codebooks).tolist() == by_definition(vectors, codebooks).tolist() == expected


SIZES = [  # N, Q, K, D; the kernel has blocks of 16 to 64 rows and 32, 64 or 128 codes, and takes up to 256 numbers
    (0, 1, 5, 3), (0, 3, 1, 129), (1, 1, 1, 1), (1, 4, 257, 5), (1, 9, 1, 64), (63, 8, 5, 3), (63, 3, 64, 16),
    (63, 2, 33, 257), (100, 2, 257, 64), (100, 3, 65, 129), (17, 2, 33, 256), (130, 1, 64, 17),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
@pytest.mark.parametrize("N, Q, K, D", SIZES)
def test_awkward_sizes(encoder, rng, N, Q, K, D, dtype):
    vectors, codebooks = normal(rng, N, D, dtype=dtype), normal(rng, Q, K, D, dtype=dtype)
    codes = encode(encoder, vectors, codebooks)
    assert_residual(codes, vectors, codebooks)
    np.testing.assert_array_equal(codes, by_definition(vectors, codebooks))


def test_two_widths_of_numbers(encoder, rng):
    vectors, codebooks = normal(rng, 63, 5, dtype=np.float64), normal(rng, 3, 40, 5, dtype=np.float16)
    np.testing.assert_array_equal(encode(encoder, vectors, codebooks), by_definition(vectors, codebooks))


def test_fused_is_plain_over_several_blocks(rng):
    """NumPy alone: the same products on the same blocks, so the same digits, near ties and all."""
    vectors, codebooks = normal(rng, 2 * vq.TILE[0] + 5, 8), normal(rng, 4, 1030, 8) * np.float32(0.3)
    codes = rvq_encode(vectors, codebooks)
    np.testing.assert_array_equal(codes, rvq_encode_plain(vectors, codebooks))
    assert_residual(codes, vectors, codebooks)


@pytest.mark.parametrize("offset", [0, 100, 1000])
@pytest.mark.parametrize("kind", ["speech", "low", "wide"])
def test_near_ties_stage_by_stage(encoder, rng, kind, offset):
    """Speech with codes made from speech, codes of 8 numbers, codes of 64 that shrink; moved far from the origin."""
    small = encoder.name == "triton"
    count, size, stages = (100, 64, 3) if small else (1024, 256, 6)
    if kind == "speech":
        vectors, codebooks = speech(size, stages, min(count, 600))
    else:
        codebooks = normal(rng, stages, size, 8 if kind == "low" else 64)
        codebooks *= np.float32(0.5) ** np.arange(stages, dtype=np.float32)[:, None, None]
        vectors = normal(rng, count, codebooks.shape[2])
    vectors = vectors + np.float32(offset)
    codebooks = np.concatenate([codebooks[:1] + np.float32(offset), codebooks[1:]])  # the first stage takes it off
    assert_residual(encode(encoder, vectors, codebooks), vectors, codebooks, flips=FEW)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "subnormals"])  # all in float64: see test_vq
def test_whatever_the_offset_and_the_spread(encoder, family):
    """Every stage holds what `nearest_code` promises, for what the codes before it left in float32; so does the plain one."""
    N, D, K = (30, 5, 66) if encoder.name == "triton" else (300, 8, 300)
    vectors, first = drawn(family, 0, N, D, K)
    codebooks = np.stack([first, drawn(family, 1, N, D, K)[1], first - first.mean(axis=0)])
    for codes in (encode(encoder, vectors, codebooks), rvq_encode_plain(vectors, codebooks)):
        for stage in stages(codes, vectors, codebooks):
            assert ratios(*stage).max() <= LIMIT


def test_the_protocol_sees_a_wrong_stage():
    """What the tests above must refuse: one late code changed, a residual not passed on, and lost digits."""
    vectors, codebooks = speech(256, 6, 600)
    codes = rvq_encode(vectors, codebooks)
    codes[7, 4] = (codes[7, 4] + 1) % 256
    with pytest.raises(AssertionError, match="stage 4: .*vector 7"):
        assert_residual(codes, vectors, codebooks)
    parallel = np.stack([vq.nearest_code(vectors, codebook) for codebook in codebooks], axis=1)
    with pytest.raises(AssertionError, match="stage 1"):
        assert_residual(parallel, vectors, codebooks)
    rounded = rvq_encode(*(np.round(x * 64) / np.float32(64) for x in (vectors, codebooks)))
    with pytest.raises(AssertionError, match="of the least distance"):
        assert_residual(rounded, vectors, codebooks)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_ties_go_to_the_lowest_index_in_every_stage(encoder, rng, dtype):
    """Points half-way between four codes of a lattice, whatever is left again half-way between four. All exact."""
    lattice = np.array(list(itertools.product(range(12), repeat=2)), dtype)
    codebooks = np.stack([rng.permutation(lattice), rng.permutation(lattice - 6), rng.permutation(lattice - 6)])
    vectors = rng.integers(0, 11, (100, 2)).astype(dtype) + dtype(0.5)
    np.testing.assert_array_equal(encode(encoder, vectors, codebooks), by_definition(vectors, codebooks))


@pytest.mark.parametrize("size", [5, 257, 600])
def test_of_equal_codes_the_first(encoder, rng, size):
    codebooks = coarse(normal(rng, 2, size, 64), encoder, 1 / 8)
    codebooks[:, -1] = codebooks[:, 1]
    codebooks[:, size // 2] = codebooks[:, 1]
    codebooks[:, 1, 5], codebooks[:, -1, 5], codebooks[:, size // 2, 5] = 0.0, -0.0, 0.0
    vectors = (codebooks[0] + codebooks[1])[[1] * 20] + coarse(np.float32(0.01) * normal(rng, 20, 64), encoder, 1 / 64)
    codes = encode(encoder, vectors, codebooks)
    assert codes[:, 0].tolist() == codes[:, 1].tolist() == [1] * 20


@pytest.mark.parametrize("stage", [0, 1])
def test_codes_that_half_precision_cannot_tell_apart(encoder, rng, stage):
    """Each code has a twin one in a thousand longer; float16 has three digits, float32 seven."""
    twins = np.repeat(normal(rng, 30, 16), 2, axis=0)
    twins[1::2] *= np.float32(1.001)
    codebooks = np.zeros((2, 60, 16), np.float32)
    codebooks[stage] = twins
    true = rng.permutation(60)
    codes = encode(encoder, twins[true], codebooks)
    np.testing.assert_array_equal(codes[:, stage], true)
    assert not codes[:, 1 - stage].any()


def test_stages_of_very_different_size(encoder, rng):
    """Each stage's codes a thousandth of the last one's, in every order: each is scaled by itself."""
    vectors, codebooks = normal(rng, 60, 12), normal(rng, 4, 70, 12)
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)):
        sizes = np.float32(10.0) ** (-3 * np.array(order, np.float32))
        scaled = codebooks * sizes[:, None, None]
        scaled[:, 5] = 0  # a code that leaves the vector alone
        assert_residual(encode(encoder, vectors, scaled), vectors, scaled, flips=FEW)


@pytest.mark.parametrize("dtype, scales", [(np.float32, (1e-36, 1e-20, 1e20, 1e37)), (np.float64, (1e-300, 1e300))])
def test_numbers_whose_squares_overflow_or_vanish(encoder, rng, dtype, scales):
    vectors, codebooks = normal(rng, 20, 3, dtype=dtype), normal(rng, 3, 7, 3, dtype=dtype)
    expected = by_definition(vectors, codebooks)
    for scale in scales:
        codes = encode(encoder, vectors * dtype(scale), codebooks * dtype(scale))
        np.testing.assert_array_equal(codes, expected)


def test_one_stage_alone_is_too_small_to_be_squared(encoder, rng):
    """The first stage has codes of usual size and one of zeros, the second codes whose squares vanish in float32."""
    codebooks = normal(rng, 2, 20, 4)
    codebooks[0, 7] = 0
    codebooks[1] *= np.float32(1e-25)
    codes = encode(encoder, codebooks[1], codebooks)
    assert codes[:, 0].tolist() == [7] * 20 and codes[:, 1].tolist() == list(range(20))


def test_one_outlier_does_not_spoil_the_others(encoder, rng):
    vectors, codebooks = normal(rng, 50, 4), normal(rng, 3, 20, 4)
    expected = by_definition(vectors, codebooks)
    for huge in (1e6, 1e12, 1e38):
        vectors[0] = huge
        codes = encode(encoder, vectors, codebooks)
        np.testing.assert_array_equal(codes[1:], expected[1:])
        assert codes[0].tolist() == codebooks.sum(axis=2).argmax(axis=1).tolist()


def test_what_is_already_zero_stays_so(encoder):
    zeros = np.zeros((20, 3), np.float32)
    codebooks = np.array([[[3, 0, 0], [0, 0, 0], [0, 0, 0]], [[1, 0, 0], [0, 1, 0], [0, 0, 0]]], np.float32)
    assert encode(encoder, zeros, codebooks).tolist() == [[1, 2]] * 20
    assert not encode(encoder, zeros, np.zeros((2, 3, 3), np.float32)).any()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(N=st.integers(0, 40), Q=st.integers(1, 5), K=st.integers(1, 70), D=st.integers(1, 20), seed=st.integers(0, 999))
def test_whole_numbers_of_any_shape(backend, N, Q, K, D, seed):
    """Small whole numbers: everything is exact and ties are everywhere."""
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-4, 5, (N, D)).astype(np.float32)
    codebooks = rng.integers(-4, 5, (Q, K, D)).astype(np.float32)
    codes = encode(backend, vectors, codebooks)
    np.testing.assert_array_equal(codes, by_definition(vectors, codebooks))
    left = vectors - backend.take(rvq_decode(backend.give(codes), backend.give(codebooks)))
    for column, codebook in zip(codes.T, codebooks):
        vectors = vectors - codebook[column]
    np.testing.assert_array_equal(left, vectors)


def test_twins_equal_the_reference(encoder):
    """Codes of real speech: all that are no near ties, and there are few of those."""
    vectors, codebooks = speech(64, 4, 200)
    ours, reference = encode(encoder, vectors, codebooks), rvq_encode(vectors, codebooks)
    assert_residual(ours, vectors, codebooks, flips=FEW)
    assert (ours == reference).all(axis=1).mean() > 0.98
    decoded = encoder.take(rvq_decode(encoder.give(reference), encoder.give(codebooks)))
    np.testing.assert_array_equal(decoded, rvq_decode(reference, codebooks))


def test_nothing_given_is_changed(encoder, rng):
    vectors, codebooks = normal(rng, 30, 5), normal(rng, 2, 9, 5)
    given_vectors, given_codebooks = encoder.give(vectors.copy()), encoder.give(codebooks.copy())
    rvq_encode(given_vectors, given_codebooks)
    np.testing.assert_array_equal(encoder.take(given_vectors), vectors)
    np.testing.assert_array_equal(encoder.take(given_codebooks), codebooks)


def test_views_are_encoded_as_they_look(encoder, rng):
    vectors, codebooks = normal(rng, 40, 12), normal(rng, 4, 30, 12)
    turned = encoder.give(np.ascontiguousarray(vectors.T)).T
    every_second = encoder.give(codebooks)[::2, ::3]
    codes = encoder.take(rvq_encode(turned, every_second))
    np.testing.assert_array_equal(codes, by_definition(vectors, codebooks[::2, ::3]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(encoder, rng, bad):
    vectors, codebooks = normal(rng, 20, 3), normal(rng, 2, 20, 3)
    wrong, wrong_codes = vectors.copy(), codebooks.copy()
    wrong[4, 1] = wrong_codes[1, 6, 2] = bad
    with pytest.raises(ValueError, match=rf"vectors\[4, 1\] is {bad}; all numbers must be finite"):
        encode(encoder, wrong, codebooks)
    for rows in (vectors, vectors[:0]):
        with pytest.raises(ValueError, match=rf"codebooks\[1\]\[6, 2\] is {bad}; all numbers must be finite"):
            encode(encoder, rows, wrong_codes)


def test_a_float16_overflow_is_named(encoder):
    with np.errstate(over="ignore"):
        vectors = np.array([[70_000.0, 1.0]]).astype(np.float16)
    with pytest.raises(ValueError, match=r"vectors\[0, 0\] is inf.*float16 overflow"):
        encode(encoder, vectors, np.zeros((1, 2, 2), np.float16))
    far = np.full((1, 2), 65504, np.float16)  # the largest float16; what two stages take off it is none in between
    codebooks = np.stack([np.concatenate([far, -far]), np.concatenate([0 * far, far])])
    assert encode(encoder, -far, codebooks).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    "vectors, codebooks, message",
    [
        ((4, 3), (5, 3), r"codebooks have shape .5, 3.; expected .Q, K, D.*codebook.None."),
        ((4, 3), (0, 5, 3), r"codebooks have shape .0, 5, 3.; .*at least one of each"),
        ((4, 3), (2, 0, 3), "at least one of each"),
        ((4, 0), (2, 5, 0), "at least one of each"),
        ((4, 3), (2, 5, 4), r"vectors have shape .4, 3.; expected .N, 4."),
        ((3,), (2, 5, 3), "vectors have shape"),
        ((2, 4, 3), (2, 5, 3), "reshape.-1, 3."),
    ],
)
def test_shapes_that_do_not_fit_are_refused(encoder, vectors, codebooks, message):
    with pytest.raises(ValueError, match=message):
        encode(encoder, np.zeros(vectors, np.float32), np.zeros(codebooks, np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.bool_, np.complex64])
def test_only_floats_have_distances(encoder, dtype):
    rows, stack = np.zeros((2, 2)), np.zeros((1, 2, 2))
    for arguments in ((rows.astype(dtype), stack), (rows, stack.astype(dtype))):
        with pytest.raises(TypeError, match="expected floats"):
            encode(encoder, *arguments)
    with pytest.raises(TypeError, match="vectors is list"):
        rvq_encode([[0.0, 0.0]], encoder.give(stack))


def test_no_matrix_of_all_scores_is_made(encoder, monkeypatch):
    """N x K numbers would be 32 MiB; a block of NumPy's has 2 MiB, and tensors are told to hold 20,000 at most."""
    rng = np.random.default_rng(0)
    if encoder.name == "numpy":
        vectors, codebooks = normal(rng, 16384, 3), normal(rng, 2, 512, 3)
        tracemalloc.start()
        codes = rvq_encode(vectors, codebooks)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 8 * 2**20
    else:
        from mmtokedu.cuda import vq as searches

        monkeypatch.setattr(searches, "SCORES", 20_000)
        vectors, codebooks = normal(rng, 1000 if encoder.name != "triton" else 200, 3), normal(rng, 2, 300, 3)
        found = []
        most = largest_tensor(lambda: found.append(rvq_encode(encoder.give(vectors), encoder.give(codebooks))))
        codes = encoder.take(found[0])
        assert most <= 20_000
    assert_residual(codes, vectors, codebooks, flips=FEW)


# Decoding


def test_decoding_by_hand(backend):
    codebooks = np.array([[[0, 1], [2, 3]], [[10, 20], [30, 40]]], np.float32)
    for dtype in (np.int64, np.uint8, np.int32):
        codes = backend.give(np.array([[0, 1], [1, 0], [1, 1]], dtype))
        assert backend.take(rvq_decode(codes, backend.give(codebooks))).tolist() == [[30, 41], [12, 23], [32, 43]]
    first = backend.give(np.array([[1], [0]]))
    assert backend.take(rvq_decode(first, backend.give(codebooks))).tolist() == [[2, 3], [0, 1]]  # coarser
    empty = backend.take(rvq_decode(backend.give(np.zeros((0, 2), int)), backend.give(codebooks)))
    assert empty.shape == (0, 2) and empty.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_more_stages_come_closer(backend, dtype):
    vectors, codebooks = speech(64, 4, 200)
    codes = backend.give(rvq_encode(vectors, codebooks))
    errors = []
    for q in range(1, 5):
        decoded = backend.take(rvq_decode(codes[:, :q], backend.give(codebooks.astype(dtype))))
        assert decoded.dtype == dtype
        errors.append(np.square(decoded.astype(float) - vectors).sum())
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.7 * errors[0]


def test_halves_are_added_as_float32(backend):
    """2048 + 1 + 1 is 2050, a float16; added one by one in float16 it stays 2048."""
    codebooks = np.array([[[2048.0]], [[1.0]], [[1.0]]], np.float16)
    decoded = backend.take(rvq_decode(backend.give(np.zeros((1, 3), int)), backend.give(codebooks)))
    assert decoded.dtype == np.float16 and decoded.tolist() == [[2050.0]]


@pytest.mark.parametrize(
    "codes, error, message",
    [
        ([[0, 4]], ValueError, "code 4 is outside 0 to 3: the codebook has 4 codes"),
        ([[0, -1]], ValueError, "code -1 is outside 0 to 3"),
        ([[0.0, 1.0]], TypeError, "codes are .*float64; expected integers"),
        ([[True, False]], TypeError, "codes are .*bool; expected integers"),
        ([[0, 1, 2]], ValueError, "codes have 3 columns; there are 2 codebooks"),
        ([0, 1], ValueError, r"codes have shape .2,.; expected .N, Q."),
        ([[]], TypeError, "expected integers"),
        (np.zeros((3, 0), int), ValueError, r"codes have shape .3, 0."),
    ],
)
def test_codes_that_are_none_are_refused(backend, codes, error, message):
    with pytest.raises(error, match=message):
        rvq_decode(backend.give(np.array(codes)), backend.give(np.ones((2, 4, 3))))


# Quantizer dropout


@pytest.mark.parametrize("Q", [1, 2, 8, 9, 32])
def test_every_number_of_stages_is_drawn_equally_often_the_last_too(backend, Q):
    draws = (np.arange(Q * 50) + 0.5) / (Q * 50)
    stages = backend.take(draw_stages(backend.give(draws), Q))
    assert np.bincount(stages, minlength=Q + 1).tolist() == [0] + [50] * Q and stages.dtype == np.int64


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_the_ends_of_the_draws(backend, dtype):
    """The largest number below 1 still is a stage that exists, for every Q."""
    draws = np.array([[0.0, np.nextafter(dtype(1), dtype(0))]], dtype)
    for Q in [*range(1, 70), 1023, 1024, 1025]:
        assert backend.take(draw_stages(backend.give(draws), Q)).tolist() == [[1, Q]]
    assert backend.take(draw_stages(backend.give(draws[:0]), 4)).shape == (0, 2)


def test_draws_that_are_none_are_refused(backend):
    for draws, Q, error, message in (
        ([0.5, 1.0], 4, ValueError, r"draws reach from 0.5 to 1.0; expected numbers in .0, 1."),
        ([-0.1, 0.5], 4, ValueError, r"expected numbers in .0, 1."),
        ([np.nan, 0.5], 4, ValueError, r"expected numbers in .0, 1."),
        ([0, 1], 4, TypeError, "expected floats"),
        ([0.5], 0, ValueError, "Q is 0; it must be at least 1"),
        ([0.5], 2.5, TypeError, "Q is 2.5; expected a whole number"),
    ):
        with pytest.raises(error, match=message):
            draw_stages(backend.give(np.array(draws)), Q)


# Rates


def test_bitrates_by_hand():
    """Of the makers' own tables: EnCodec at 6 kbit/s, DAC's "8 kbit/s", Mimi's 1.1, X-Codec-2's 0.8."""
    assert bitrate(75, 8, 1024) == 6000.0 and isinstance(bitrate(75, 8, 1024), float)
    assert bitrate(44_100 / 512, 9, 1024) == pytest.approx(7751.95, abs=0.01)  # so it is no 8000
    assert bitrate(12.5, 8, 2048) == 1100.0 and bitrate(12.5, 32, 2048) == 4400.0 and bitrate(50, 1, 65536) == 800.0
    assert bitrate(50, 4, 1) == 0.0  # one code says nothing
    assert bitrate(1, 1, 2**80) == 80.0
    for wrong, error, message in (
        ((0, 8, 1024), ValueError, "frame_rate is 0"),
        ((math.nan, 8, 1024), ValueError, "frame_rate is nan"),
        (("75", 8, 1024), TypeError, "frame_rate is '75'"),
        ((75, 0, 1024), ValueError, "codebooks is 0"),
        ((75, 8, 0), ValueError, "codebook_size is 0"),
        ((75, 8, 1024.5), TypeError, "codebook_size is 1024.5"),
    ):
        with pytest.raises(error, match=message):
            bitrate(*wrong)


@pytest.mark.parametrize(
    "codec, codebooks, tokens",
    [
        ("soundstream", None, 600), ("encodec-24k", 2, 150), ("encodec-24k", 32, 2400), ("encodec-32k", None, 200),
        ("dac-44k", None, 9 * 44_100 / 512), ("dac-24k", None, 2400), ("dac-16k", None, 600), ("mimi", None, 100),
        ("mimi", 32, 400), ("snac-24k", None, 46.875 * 1.75), ("wavtokenizer-40", None, 40),
        ("wavtokenizer-75", None, 75), ("speechtokenizer", None, 400), ("x-codec", 1, 50), ("x-codec-2", None, 50),
        ("encodec-48k", 4, 4 * 150 / 0.99),
    ],
)  # fmt: skip
def test_tokens_a_second(codec, codebooks, tokens):
    assert tokens_per_second(codec, codebooks) == pytest.approx(tokens, rel=1e-12)


@pytest.mark.parametrize("codec", codecs.rows())
def test_a_long_sound_has_that_many_tokens_a_second(codec):
    assert audio_tokens(codec, 3600) / 3600 == pytest.approx(tokens_per_second(codec), rel=2e-4)


@pytest.mark.parametrize(
    "model, seconds, tokens",
    [
        ("mimi", 3, 38 * 8),  # 37.5 frames, the last filled up
        ("mimi", 0.08, 8),
        ("mimi", 0.0801, 16),
        ("dac-44k", 1, 87 * 9),  # 86.13 frames
        ("snac-24k", 0.01, 4 + 2 + 1),  # one coarse code holds four frames, so there are four
        ("snac-24k", 1, 48 + 24 + 12),  # 46.9 frames
        ("encodec-48k", 0.5, 75 * 4),
        ("encodec-48k", 0.99, 149 * 4),  # 148.5 frames, and nothing is left behind the first piece
        ("encodec-48k", 1, (150 + 2) * 4),  # the second piece begins after 0.99 s and has 480 samples
        ("encodec-48k", 1.5, (150 + 77) * 4),  # 24,480 samples
        ("encodec-48k", 3, (150 + 150 + 150 + 5) * 4),  # 1,440 samples
        ("whisper", 3, 1500),
        ("qwen2-audio", 3, 75),
    ],
)
def test_audio_tokens_by_hand(model, seconds, tokens):
    assert audio_tokens(model, seconds) == tokens


def test_names_and_lengths_that_are_none_are_refused():
    for call, error, message in (
        (lambda: audio_tokens("mp3", 1), ValueError, "unknown model 'mp3'; known are whisper, .*mimi"),
        (lambda: audio_tokens(None, 1), ValueError, "unknown model None"),
        (lambda: audio_tokens(["mimi"], 1), ValueError, "unknown model"),
        (lambda: audio_tokens("mimi", 0), ValueError, "seconds is 0; expected a finite number"),
        (lambda: audio_tokens("mimi", 1e-9), ValueError, "seconds is 1e-09; expected at least one sample at 24000 Hz"),
        (lambda: audio_tokens("mimi", math.inf), ValueError, "seconds is inf"),
        (lambda: audio_tokens("mimi", "3"), TypeError, "seconds is '3'; expected a number"),
        (lambda: audio_tokens("whisper", "3"), TypeError, "seconds is '3'; expected a number"),
        (lambda: tokens_per_second("mp3"), ValueError, "unknown codec 'mp3'; the catalog has soundstream"),
        (lambda: tokens_per_second("mimi", 9), ValueError, "mimi has no 9 codebooks; it is used with 8, 32"),
        (lambda: tokens_per_second("mimi", 0), ValueError, "codebooks is 0"),
    ):
        with pytest.raises(error, match=message):
            call()


# Layouts

tables = st.tuples(st.integers(0, 20), st.integers(1, 8), st.integers(0, 2**32 - 1))


def table(shape):
    N, Q, seed = shape
    return np.random.default_rng(seed).integers(0, 1000, (N, Q))


@house
@given(shape=tables)
def test_flattening_is_frame_by_frame_and_comes_back(backend, shape):
    codes = table(shape)
    ids = flatten_codes(backend.give(codes))
    assert backend.take(ids).tolist() == [int(code) for frame in codes for code in frame]
    again = backend.take(unflatten_codes(ids, shape[1]))
    np.testing.assert_array_equal(again, codes)
    assert again.dtype == backend.take(ids).dtype == np.int64


def test_a_delay_by_hand(backend):
    """MusicGen's figure, three codebooks and two frames; and unsorted delays, the first stream not first."""
    codes = backend.give(np.array([[1, 2, 3], [4, 5, 6]]))
    assert backend.take(delay_pattern(codes, 99)).tolist() == [[1, 99, 99], [4, 2, 99], [99, 5, 3], [99, 99, 6]]
    unsorted = backend.take(delay_pattern(codes, 99, [2, 0, 1]))
    assert unsorted.tolist() == [[99, 2, 99], [99, 5, 3], [1, 99, 6], [4, 99, 99]]
    assert backend.take(delay_pattern(codes, -1, (0, 0, 0))).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert backend.take(delay_pattern(codes, 99, [1, 1, 1])).tolist() == [[99] * 3, [1, 2, 3], [4, 5, 6]]


MOSHI = codecs.row("mimi").delays[0].delays  # of text, its own eight codebooks, the user's eight


def test_moshis_delays_are_not_sorted(backend, rng):
    """A semantic codebook without delay stands behind acoustic ones with 1: they rise, fall and rise again."""
    assert MOSHI == (0, *(0, 1, 1, 1, 1, 1, 1, 1), *(0, 1, 1, 1, 1, 1, 1, 1)) and MOSHI != tuple(sorted(MOSHI))
    codes = rng.integers(0, 2048, (5, 17))
    delayed = backend.take(delay_pattern(backend.give(codes), 2048, MOSHI))
    assert delayed.shape == (6, 17) and (delayed == 2048).sum() == 17
    np.testing.assert_array_equal(delayed[:5, [0, 1, 9]], codes[:, [0, 1, 9]])
    np.testing.assert_array_equal(delayed[1:, 2:9], codes[:, 2:9])
    np.testing.assert_array_equal(backend.take(undelay_pattern(backend.give(delayed), MOSHI)), codes)


@house
@given(data=st.data(), shape=tables)
def test_any_delays_come_back(backend, data, shape):
    """Where code (n, q) stands is said by the definition alone; everywhere else there is the pad."""
    codes, (N, Q, _) = table(shape), shape
    delays = data.draw(st.none() | st.lists(st.integers(0, 9), min_size=Q, max_size=Q))
    pad = data.draw(st.sampled_from([-1, 1000, 2**62]))
    delayed = backend.take(delay_pattern(backend.give(codes), pad, delays))
    steps = list(range(Q)) if delays is None else delays
    expected = np.full((N + max(steps), Q), pad)
    for n in range(N):
        for q in range(Q):
            expected[n + steps[q], q] = codes[n, q]
    np.testing.assert_array_equal(delayed, expected)
    assert delayed.dtype == np.int64
    delayed[delayed == pad] = 7  # what stands in the corners does not matter
    np.testing.assert_array_equal(backend.take(undelay_pattern(backend.give(delayed), delays)), codes)


def test_layouts_that_cannot_be_are_refused(backend):
    codes, ids = backend.give(np.array([[1, 2], [3, 4]])), backend.give(np.arange(6))
    floats, flags = backend.give(np.ones((2, 2))), backend.give(np.ones((2, 2), bool))
    for call, error, message in (
        (lambda: flatten_codes(ids), ValueError, r"codes have shape .6,.; expected .N, Q."),
        (lambda: flatten_codes(floats), TypeError, "codes are .*float64; expected integers"),
        (lambda: flatten_codes(flags), TypeError, "codes are .*bool; expected integers"),
        (lambda: flatten_codes([[1, 2]]), TypeError, "codes is list"),
        (lambda: unflatten_codes(ids, 4), ValueError, r"ids have shape .6,.; 4 codebooks need .N\*4,.*cut inside one"),
        (lambda: unflatten_codes(codes, 2), ValueError, r"ids have shape .2, 2."),
        (lambda: unflatten_codes(ids, 0), ValueError, "codebooks is 0"),
        (lambda: unflatten_codes(ids, 1.5), TypeError, "codebooks is 1.5"),
        (lambda: delay_pattern(codes, 3), ValueError, "pad 3 is also a code; give it an id of its own"),
        (lambda: delay_pattern(codes, 2**63), ValueError, "pad is 9223372036854775808; expected an int64"),
        (lambda: delay_pattern(codes, 0.5), TypeError, "pad is 0.5"),
        (lambda: delay_pattern(codes, 9, [0]), ValueError, r"delays are .0.; expected 2 whole numbers from 0"),
        (lambda: delay_pattern(codes, 9, [0, -1]), ValueError, r"delays are .0, -1."),
        (lambda: delay_pattern(codes, 9, [0, 10**9]), ValueError, "from 0 to 1000000"),
        (lambda: delay_pattern(codes, 9, [0, 0.5]), TypeError, "a delay is 0.5"),
        (lambda: delay_pattern(codes, 9, 1), TypeError, r"delays is 1; expected 2 whole numbers, as .0, 1."),
        (lambda: delay_pattern(floats, 9), TypeError, "expected integers"),
        (lambda: undelay_pattern(codes, [0, 3]), ValueError, "2 rows are fewer than the largest delay, 3"),
        (lambda: undelay_pattern(ids), ValueError, "codes have shape"),
    ):
        with pytest.raises(error, match=message):
            call()


# The transform


def transform_by_definition(sound, hop):
    """The sum of Princen, Johnson and Bradley, one number at a time, on a sound with a hop of silence on both sides."""
    count = -(-len(sound) // hop) + 1
    padded = np.zeros((count + 1) * hop)
    padded[hop : hop + len(sound)] = sound
    frames = np.zeros((count, hop))
    for m, k in itertools.product(range(count), range(hop)):
        for n in range(2 * hop):
            angle = math.pi / hop * (n + 0.5 + hop / 2) * (k + 0.5)
            window = math.sin(math.pi * (n + 0.5) / (2 * hop))
            frames[m, k] += math.sqrt(2 / hop) * window * padded[m * hop + n] * math.cos(angle)
    return frames


@pytest.mark.parametrize("T, hop", [(1, 1), (1, 4), (7, 1), (16, 4), (17, 4), (23, 5), (9, 20)])
def test_the_transform_is_its_definition(backend, rng, T, hop):
    sound = normal(rng, T, dtype=np.float64)
    frames = backend.take(mdct(backend.give(sound), hop))
    np.testing.assert_allclose(frames, transform_by_definition(sound, hop), rtol=0, atol=1e-12)


LENGTHS = [(1, 1), (1, 160), (63, 64), (64, 64), (65, 64), (1000, 160), (4001, 37), (5000, 2048)]


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 2e-6), (np.float64, 2e-12), (np.float16, 2e-6)])
@pytest.mark.parametrize("T, hop", LENGTHS)
def test_the_sound_comes_back_and_its_energy_stays(backend, rng, T, hop, dtype, tolerance):
    sound = rng.uniform(-1, 1, T).astype(dtype)
    frames = mdct(backend.give(sound), hop)
    back, frames = backend.take(imdct(frames, T)), backend.take(frames)
    assert frames.shape == (math.ceil(T / hop) + 1, hop) and back.shape == (T,)
    assert frames.dtype == back.dtype == np.result_type(dtype, np.float32)
    np.testing.assert_allclose(back, sound, rtol=0, atol=tolerance)
    energy = np.square(sound.astype(float)).sum()
    np.testing.assert_allclose(np.square(frames.astype(float)).sum(), energy, rtol=10 * tolerance)


def test_speech_comes_back(backend):
    pytest.importorskip("soundfile")
    sound = samples.speech("new_voice")[0].sound
    back = backend.take(imdct(mdct(backend.give(sound), 160), len(sound)))
    np.testing.assert_allclose(back, sound, rtol=0, atol=1e-6)


def test_a_tone_lands_on_its_frequency(backend):
    """Row k is (k + 1/2) / (2 hop) of the rate: at 16 kHz and hop 160, 1025 Hz is row 20."""
    sound = np.sin(2 * np.pi * 1025 / 16_000 * np.arange(16_000))
    frames = backend.take(mdct(backend.give(sound), 160))
    assert np.square(frames).sum(axis=0).argmax() == 20


@pytest.mark.parametrize("hop", [1, 2, 5, 64])
def test_rows_and_overlapping_frames_are_orthonormal(hop):
    basis = mdct_basis(hop)
    np.testing.assert_allclose(basis @ basis.T, np.eye(hop), atol=1e-12)
    np.testing.assert_allclose(basis[:, hop:] @ basis[:, :hop].T, 0, atol=1e-12)  # with the frame after it
    with pytest.raises(ValueError, match="read-only"):
        basis[0, 0] = 1


def test_a_changed_frame_is_heard_for_two_hops_only(backend, rng):
    frames = normal(rng, 9, 16, dtype=np.float64)
    before = backend.take(imdct(backend.give(frames), 120))
    frames[4] += 1
    changed = np.flatnonzero(backend.take(imdct(backend.give(frames), 120)) != before)
    assert changed.min() >= 3 * 16 and changed.max() < 5 * 16 and len(changed) > 16


def test_sounds_that_are_none_are_refused(backend, rng):
    sound, frames = normal(rng, 20), normal(rng, 5, 5)
    nan, nan_frames = sound.copy(), frames.copy()
    nan[3] = nan_frames[2, 1] = np.nan
    give = backend.give
    for call, error, message in (
        (lambda: mdct(give(nan), 5), ValueError, r"sound\[3\] is nan; all numbers must be finite"),
        (lambda: mdct(give(sound[:0]), 5), ValueError, r"sound has shape .0,.; expected .T,., one channel"),
        (lambda: mdct(give(sound.reshape(10, 2)), 5), ValueError, "one channel of at least one sample"),
        (lambda: mdct(give((sound * 99).astype(np.int16)), 5), TypeError, "sound: dtype is .*int16; expected floats"),
        (lambda: mdct(list(sound), 5), TypeError, "sound is list"),
        (lambda: mdct(give(sound), 0), ValueError, "hop is 0"),
        (lambda: mdct(give(sound), 2049), ValueError, "hop is 2049; expected 1 to 2048 samples"),
        (lambda: mdct(give(sound), 2.5), TypeError, "hop is 2.5; expected a whole number"),
        (lambda: mdct(give(sound * np.float32(1e31)), 5), ValueError, "sound reaches .*; a sound's full scale is 1"),
        (lambda: imdct(give(nan_frames), 20), ValueError, r"frames\[2, 1\] is nan"),
        (lambda: imdct(give(frames), 21), ValueError, "5 frames of 5 are no sound of 21 samples: that has 6 frames"),
        (lambda: imdct(give(frames), 0), ValueError, "length is 0"),
        (lambda: imdct(give(frames[0]), 20), ValueError, "frames has shape"),
        (lambda: imdct(give(np.zeros((5, 5), int)), 20), TypeError, "expected floats"),
        (lambda: imdct(give(frames * np.float32(1e31)), 20), ValueError, "frames reaches"),
    ):
        with pytest.raises(error, match=message):
            call()


# Tensors alone


@pytest.fixture
def double(tensors):
    """Random float64 tensors that ask for their gradient."""
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("T, hop", [(1, 3), (23, 5), (40, 8)])
def test_gradients_of_the_transform(double, T, hop):
    """It keeps lengths and angles, so its gradient is its inverse: that of u . mdct(x) at x is imdct(u), and back."""
    torch = pytest.importorskip("torch")
    sound, frames = double(T), double(math.ceil(T / hop) + 1, hop)
    assert torch.autograd.gradcheck(lambda x: mdct(x, hop), sound)
    assert torch.autograd.gradcheck(lambda x: imdct(x, T), frames)
    mdct(sound, hop).backward(frames.detach())
    torch.testing.assert_close(sound.grad, imdct(frames, T).detach())
    imdct(frames, T).backward(sound.detach())
    torch.testing.assert_close(frames.grad, mdct(sound, hop).detach())


def test_a_basis_made_without_gradients_serves_those_who_want_them(tensors):
    torch = pytest.importorskip("torch")
    with torch.inference_mode():
        mdct(torch.ones(50), 11)
    sound = torch.ones(50, requires_grad=True)
    mdct(sound, 11).sum().backward()
    assert sound.grad.isfinite().all()


def test_gradients_of_decoding_go_to_the_codes_used(double):
    torch = pytest.importorskip("torch")
    codebooks, codes, upstream = double(3, 5, 2), torch.tensor([[0, 1], [0, 4], [2, 4]]), double(3, 2).detach()
    assert torch.autograd.gradcheck(lambda x: rvq_decode(codes, x), codebooks)
    rvq_decode(codes, codebooks).backward(upstream)
    expected = torch.zeros(3, 5, 2, dtype=torch.float64)
    for row, (first, second) in zip(upstream, codes.tolist()):
        expected[0, first] += row
        expected[1, second] += row
    torch.testing.assert_close(codebooks.grad, expected)


def test_codes_ask_for_no_gradient(double, monkeypatch):
    z, codebooks = double(30, 4), double(2, 9, 4)
    arrays = [x.detach().numpy() for x in (z, codebooks)]
    for way in ("numpy", "tiles"):
        on_a_card(monkeypatch, lambda x, way=way: way)
        codes = rvq_encode(z, codebooks)
        assert not codes.requires_grad and codes.tolist() == by_definition(*arrays).tolist()


def test_bfloat16_is_taken_at_its_value(tensors, rng):
    torch = pytest.importorskip("torch")
    shapes = (63, 9), (3, 40, 9)
    z, codebooks = (torch.from_numpy(normal(rng, *shape)).bfloat16().to(tensors.device) for shape in shapes)
    codes = rvq_encode(z, codebooks)
    assert torch.equal(codes, rvq_encode(z.float(), codebooks.float()))
    assert_residual(codes.cpu().numpy(), *(x.cpu().float().numpy() for x in (z, codebooks)))
    decoded = rvq_decode(codes, codebooks)
    assert decoded.dtype == torch.bfloat16
    assert torch.equal(decoded, rvq_decode(codes, codebooks.float()).bfloat16())
    assert mdct(z[:, 0], 5).dtype == torch.float32
    assert torch.equal(draw_stages(torch.tensor([0.0, 0.99]).bfloat16(), 8), torch.tensor([1, 8]))


def test_arrays_and_tensors_are_not_mixed(tensors):
    vectors, codebooks, codes = np.ones((3, 2)), np.ones((2, 4, 2)), np.zeros((3, 2), int)
    for call in (
        lambda: rvq_encode(vectors, tensors.give(codebooks)),
        lambda: rvq_encode(tensors.give(vectors), codebooks),
        lambda: rvq_decode(codes, tensors.give(codebooks)),
        lambda: rvq_decode(tensors.give(codes), codebooks),
    ):
        with pytest.raises(TypeError, match="NumPy array .* and a torch tensor"):
            call()


def test_two_devices_are_not_mixed(tensors):
    torch = pytest.importorskip("torch")
    here, there = tensors.give(np.ones((3, 2), np.float32)), torch.ones(2, 4, 2, device="meta")
    with pytest.raises(ValueError, match="vectors on cpu, codebooks on meta; all must be on one device"):
        rvq_encode(here, there)
    with pytest.raises(ValueError, match="codebooks on meta; all must be on one device"):
        rvq_decode(tensors.give(np.zeros((3, 2), int)), there)


@pytest.mark.parametrize("capability, kernel", [((7, 5), False), ((8, 0), True), ((9, 0), True)])
@pytest.mark.parametrize("width, dtype", [(8, np.float32), (300, np.float32), (8, np.float64)])
def test_who_takes_the_kernel(tensors, rng, monkeypatch, capability, kernel, width, dtype):
    """Compute capability 7.5, Colab's T4, goes stage by stage; so do vectors over 256 numbers and float64 on any card."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("triton")
    from mmtokedu.cuda import rvq as twins
    from mmtokedu.cuda import vq as searches

    true_way, ways, launched = searches._way, [], []
    card = types.SimpleNamespace(is_cuda=True, device=torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    monkeypatch.setattr(searches, "runs_triton", lambda x: True)
    on_a_card(monkeypatch, lambda x: ways.append(true_way(card)) or ways[-1])
    monkeypatch.setattr(
        searches, "_by_kernel", lambda *args: searches._by_tiles(*args[:2])
    )  # no kernel of ours to test
    monkeypatch.setattr(twins, "_by_kernel", lambda *args: launched.append(1) or twins._by_stages(*args[:2]))
    vectors, codebooks = normal(rng, 40, width, dtype=dtype), normal(rng, 3, 20, width, dtype=dtype)
    codes = encode(tensors, vectors, codebooks)
    assert bool(launched) == (kernel and width <= 256 and dtype == np.float32)
    assert set(ways) == {"triton" if kernel else "tiles"}
    np.testing.assert_array_equal(codes, by_definition(vectors, codebooks))


def test_limits_are_as_stated():
    assert (LONGEST_HOP, LONGEST_DELAY) == (2048, 1_000_000)
    assert rvq.load_sound.__module__ == "mmtokedu.media.sound"
