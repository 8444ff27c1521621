"""The speech codec: what its quantizer learns and draws, shapes both ways, padding, storage, and bad input."""

import numpy as np
import pytest

pytestmark = pytest.mark.trains

torch = pytest.importorskip("torch")

from mmtokedu import vq
from mmtokedu.nn import codec as codecs
from mmtokedu.nn.codec import FrameNetwork, ResidualQuantizer, SpeechCodec, rebuilding_loss, train
from mmtokedu.rvq import imdct, mdct, rvq_decode, rvq_encode

SMALL = {"Q": 4, "K": 16, "width": 8, "hidden": 8}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def shaken(**settings):
    """A codec whose corrections are not 0 as in a new one, and whose codebooks lie where its latents do."""
    codec = SpeechCodec(**(SMALL | settings))
    with torch.no_grad():
        for weight in codec.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
        codec.quantizer.start_from(codec.latents(speechlike(4, 16_000)))
    return codec.eval()


def speechlike(items, length):
    """Noise with a slow envelope."""
    envelope = 1 + torch.sin(torch.arange(length) / 900)
    return 0.07 * envelope * torch.randn(items, length)


# the quantizer


def test_stages_quantize_what_is_left():
    layer, vectors = ResidualQuantizer(4, 16, 8).eval(), torch.randn(3, 50, 8)
    layer.start_from(vectors)
    out = layer(vectors)
    flat, books = vectors.reshape(-1, 8).numpy(), layer.codebooks.numpy()
    np.testing.assert_array_equal(out.codes.reshape(-1, 4).numpy(), rvq_encode(flat, books))
    expected = rvq_decode(out.codes.reshape(-1, 4).numpy(), books)
    np.testing.assert_allclose(out.quantized.reshape(-1, 8).numpy(), expected, rtol=1e-5, atol=1e-6)
    left = [float(((vectors - sum_of(layer, out.codes[..., :q])) ** 2).mean()) for q in range(1, 5)]
    assert left == sorted(left, reverse=True) and left[3] < 0.7 * left[0]


def sum_of(layer, codes):
    return rvq_decode(codes.flatten(0, 1), layer.codebooks).unflatten(0, codes.shape[:2])


def test_the_task_gradient_passes_around_all_stages_unchanged():
    layer, vectors = ResidualQuantizer(4, 16, 8, commitment=0.0), torch.randn(2, 9, 8, requires_grad=True)
    weights = torch.randn(2, 9, 8)
    (layer(vectors).quantized * weights).sum().backward()
    torch.testing.assert_close(vectors.grad, weights)


@pytest.mark.parametrize("stage", range(4))
def test_each_stage_has_a_commitment_gradient_of_its_own(stage):
    """The bug: a residual that is not detached from what was chosen makes all gradients but the first exactly 0."""
    layer, vectors = ResidualQuantizer(4, 16, 8, commitment=0.25, dropout=0.0).eval(), torch.randn(2, 50, 8)
    layer.start_from(vectors)
    for q, quantizer in enumerate(layer.stages):
        quantizer.commitment = 0.25 * (q == stage)
    vectors.requires_grad_()
    out = layer(vectors)
    out.loss.backward()
    kept = sum_of(layer, out.codes[..., : stage + 1])  # the gradient leads to the partial sum of the stages so far
    expected = 2 * 0.25 * (vectors.detach() - kept) / vectors.numel() / 4
    assert float(vectors.grad.abs().sum()) > 0
    torch.testing.assert_close(vectors.grad, expected)


def test_dropout_keeps_first_stages_and_can_draw_every_number_of_them():
    layer = ResidualQuantizer(4, 16, 8, dropout=1.0)
    codes = layer(torch.randn(2000, 1, 8)).codes[:, 0]
    kept = (codes >= 0).sum(dim=1)
    assert torch.equal(codes >= 0, torch.arange(4) < kept[:, None]), "what is kept comes first"
    shares = torch.bincount(kept, minlength=5) / 2000
    assert shares[0] == 0
    torch.testing.assert_close(shares[1:], torch.full((4,), 0.25), atol=0.05, rtol=0)


@pytest.mark.parametrize(("dropout", "whole"), [(0.0, 1.0), (0.5, 0.5 + 0.5 / 4), (1.0, 1 / 4)])
def test_dropout_is_the_share_of_items_that_may_lose_stages(dropout, whole):
    layer = ResidualQuantizer(4, 16, 8, dropout=dropout)
    codes = layer(torch.randn(3000, 1, 8)).codes
    assert float((codes[:, 0, -1] >= 0).float().mean()) == pytest.approx(whole, abs=0.04)
    assert (layer.eval()(torch.randn(3000, 1, 8)).codes >= 0).all(), "outside training nothing is dropped"


def test_a_dropped_stage_learns_nothing_and_rebuilds_nothing():
    layer, vectors = ResidualQuantizer(3, 16, 8, dropout=1.0), torch.randn(5, 40, 8)
    layer.start_from(vectors)
    layer._draw = lambda items: torch.ones(items, dtype=torch.int64)
    before = [stage.sum.clone() for stage in layer.stages]
    first = layer.stages[0].codebook.clone()
    out = layer(vectors + 0.5)  # the vectors themselves would move nothing: their k-means is where it stays
    assert not torch.equal(layer.stages[0].sum, before[0])
    assert all(torch.equal(stage.sum, old) for stage, old in zip(layer.stages[1:], before[1:]))
    torch.testing.assert_close(out.quantized, first[out.codes[..., 0]])


@pytest.mark.parametrize("shape", [(0, 5, 8), (2, 0, 8)])
def test_an_empty_batch_changes_nothing(shape):
    layer = ResidualQuantizer(3, 16, 8)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    out = layer(torch.zeros(shape))
    assert out.quantized.shape == shape and out.codes.shape == (*shape[:2], 3) and float(out.loss) == 0
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_a_restarted_code_of_a_late_stage_is_returned_for_its_own_residual():
    layer, vectors = ResidualQuantizer(2, 16, 4, dropout=0.0, decay=0.5), torch.randn(10, 20, 4)
    layer.start_from(vectors)
    with torch.no_grad():
        layer.stages[1].sum.fill_(50.0).mul_(torch.arange(1, 17)[:, None])
        layer.stages[1].usage.fill_(1.0)
    for _ in range(8):
        used = vq.codebook_usage(layer(vectors).codes[..., 1].flatten(), 16).used
    assert used > 12
    stage = layer.stages[1]
    torch.testing.assert_close(stage.codebook, stage.sum / stage.usage[:, None])


def test_kmeans_starts_every_stage_on_what_the_stages_before_leave():
    layer, vectors = ResidualQuantizer(4, 16, 8).eval(), torch.randn(400, 8) + 10
    layer.start_from(vectors)
    codes = layer(vectors[None]).codes[0]
    assert all(vq.codebook_usage(column, 16).used == 16 for column in codes.T)
    sizes = layer.codebooks.norm(dim=2).mean(dim=1)
    assert sizes[0] > 20 and sizes[1] < 5, "the offset is in the first codebook alone"


# the codec


@pytest.mark.parametrize("length", [1, 159, 160, 161, 4000])
def test_shapes_both_ways(length):
    codec, sound = shaken(), speechlike(2, length)
    frames = -(-length // 160) + 1
    codes = codec.encode(sound)
    assert codes.shape == (2, frames, 4) and codes.dtype == torch.int64
    assert 0 <= int(codes.min()) and int(codes.max()) < 16
    for stages in range(1, 5):
        assert codec.decode(codes[..., :stages], length).shape == (2, length)
    coded = codec(sound)
    assert coded.sound.shape == sound.shape and torch.equal(coded.codes, codes)
    torch.testing.assert_close(codec.decode(codes, length), coded.sound, rtol=1e-4, atol=1e-5)


def test_first_stages_alone_are_the_same_sound_coarser():
    codec, sound = shaken(), speechlike(1, 8000)
    latents, codes = codec.latents(sound).detach(), codec.encode(sound)
    assert torch.equal(codec.encode(sound)[..., :2], codes[..., :2])
    with torch.no_grad():
        coarse = codec._sound(sum_of(codec.quantizer, codes[..., :2]), 8000)
    torch.testing.assert_close(codec.decode(codes[..., :2], 8000), coarse, rtol=1e-4, atol=1e-5)
    errors = [float((sum_of(codec.quantizer, codes[..., :q]) - latents).square().mean()) for q in (1, 2, 4)]
    assert errors[0] > errors[1] > errors[2]


def test_without_a_quantizer_numbers_pass_and_gradients_reach_everything():
    codec, sound = shaken().train(), speechlike(2, 3000)
    coded = codec(sound, quantize=False)
    assert coded.codes is None and float(coded.loss) == 0
    coded.sound.square().sum().backward()
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in codec.parameters())


def test_an_untrained_codec_is_a_low_pass_filter():
    codec, sound = SpeechCodec(width=40), speechlike(1, 16_000)
    frames = mdct(sound[0].numpy(), 160)
    frames[:, 40:] = 0
    with torch.no_grad():
        out = codec(sound, quantize=False).sound[0].numpy()
    np.testing.assert_allclose(out, imdct(frames, 16_000), atol=1e-5)


def test_a_batch_differs_from_a_sound_alone_only_where_the_padding_reaches():
    """Three convolutions of three frames see the padding after the first one has met it: three frames, 30 ms."""
    codec, sound = shaken().double(), speechlike(1, 16_000).double()
    padded = torch.nn.functional.pad(sound, (0, 8000))
    alone, together = codec.latents(sound).detach(), codec.latents(padded)[:, : 16_000 // 160 + 1].detach()
    same = lambda x, y: torch.testing.assert_close(x, y, rtol=0, atol=1e-12)
    same(alone[:, : -codecs.REACH], together[:, : -codecs.REACH])
    for frame in range(1, codecs.REACH + 1):
        assert float((alone[:, -frame] - together[:, -frame]).abs().max()) > 1e-6, frame
    same(codec.latents(torch.cat([padded, speechlike(1, 24_000)]))[:1], codec.latents(padded))  # no neighbour is seen


def test_silence_and_very_short_sounds_work():
    codec = shaken()
    for sound in (torch.zeros(1, 16_000), speechlike(1, 160), torch.ones(1, 1)):
        rebuilt = codec.decode(codec.encode(sound), sound.shape[1])
        assert rebuilt.shape == sound.shape and torch.isfinite(rebuilt).all()
    middle = codec.encode(torch.zeros(1, 16_000))[0, 5:-5]
    assert (middle == middle[0]).all(), "all of a silence has one code"


def test_frame_rate_and_settings():
    codec = SpeechCodec(rate=8000, hop=80, **SMALL)
    assert codec.frame_rate == 100
    assert codec.encode(torch.zeros(1, 8000)).shape == (1, 101, 4)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda c: c.encode(torch.zeros(1000)), ValueError, r"\(1000,\); expected \(B, T\).*sound\[None\]"),
        (lambda c: c.encode(torch.zeros(1, 2, 1000)), ValueError, r"\(1, 2, 1000\); expected \(B, T\)"),
        (lambda c: c.encode(torch.zeros(1, 0)), ValueError, r"\(1, 0\)"),
        (lambda c: c.encode(torch.zeros(0, 100)), ValueError, r"\(0, 100\)"),
        (lambda c: c.encode(torch.full((1, 900), torch.nan)), ValueError, "sound.*finite"),
        (lambda c: c.encode(torch.full((1, 900), torch.inf)), ValueError, "sound.*finite"),
        (lambda c: c.encode(torch.zeros(1, 900, dtype=torch.int16)), TypeError, "sound.*int16"),
        (lambda c: c.decode(torch.zeros(8, 4, dtype=torch.int64), 1000), ValueError, r"\(8, 4\); expected \(B, F, Q\)"),
        (lambda c: c.decode(torch.zeros(1, 8, 5, dtype=torch.int64), 1000), ValueError, "5 columns.*4 codebooks"),
        (lambda c: c.decode(torch.zeros(1, 8, 4, dtype=torch.int64), 2000), ValueError, "8 frames.*2000 samples"),
        (lambda c: c.decode(torch.full((1, 8, 4), 16), 1000), ValueError, "16"),
        (lambda c: c.decode(torch.full((1, 8, 4), codecs.DROPPED), 1000), ValueError, "-1"),
        (lambda c: c.decode(torch.zeros(1, 8, 4), 1000), TypeError, "integers"),
        (lambda c: c.quantizer(torch.zeros(5, 8)), ValueError, r"\(B, N, 8\)"),
        (lambda c: c.quantizer(torch.zeros(2, 5, 9)), ValueError, r"\(B, N, 8\)"),
        (lambda c: ResidualQuantizer(4, 16, 8, dropout=1.5), ValueError, "1.5"),
        (lambda c: train(c, [torch.zeros(100)], 1), ValueError, "100 samples.*12800"),
    ],
)
def test_bad_input_is_named(call, error, says):
    with pytest.raises(error, match=says):
        call(shaken())


# learning


def test_loss_counts_level_and_spectrum_and_is_finite_on_silence():
    sound = speechlike(2, 4000)
    assert float(rebuilding_loss(sound, sound)) == 0
    by_level = [float(rebuilding_loss(gain * sound, sound)) for gain in (0.9, 0.5, 0.0)]
    assert by_level == sorted(by_level)
    assert float(rebuilding_loss(-sound, sound)) > 0.5, "the sign is in the samples alone"
    quiet = torch.zeros(1, 4000, requires_grad=True)
    loss = rebuilding_loss(quiet, torch.zeros(1, 4000))
    loss.backward()
    assert float(loss.detach()) == 0 and torch.isfinite(quiet.grad).all()
    assert torch.isfinite(rebuilding_loss(torch.zeros(1, 100), torch.ones(1, 100)))


def test_training_learns_and_uses_its_codebooks():
    codec, sound = SpeechCodec(**SMALL), speechlike(1, 40_000)[0]
    losses = train(codec, [sound[:20_000], sound[20_000:]], 30, seconds=0.4)
    assert len(losses) == 30 and not codec.training
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:3])
    codes = codec.encode(sound[None])[0]
    assert all(vq.codebook_usage(column, 16).used > 10 for column in codes.T)


def test_nothing_is_quantized_in_the_warm_up():
    codec = SpeechCodec(**SMALL)
    before = codec.quantizer.codebooks.clone()
    train(codec, [speechlike(1, 20_000)[0]], 3, warm_up=1.0)
    assert torch.equal(codec.quantizer.codebooks, before)


def test_a_seed_gives_the_same_codec_again():
    found = []
    for _ in range(2):
        torch.manual_seed(7)
        codec = SpeechCodec(**SMALL)
        found.append((train(codec, [speechlike(1, 20_000)[0]], 3, warm_up=0.4, seconds=0.4), codec.quantizer.codebooks))
    assert found[0][0] == found[1][0] and torch.equal(found[0][1], found[1][1])


# storage


def test_a_stored_codec_is_the_same_up_to_float16(tmp_path):
    codec, sound = shaken(), speechlike(1, 8000)
    codecs.save(codec, tmp_path / "codec.npz")
    again = codecs.load(tmp_path / "codec.npz")
    assert again.settings == codec.settings and not again.training
    for (name, ours), (_, theirs) in zip(codec.named_parameters(), again.named_parameters()):
        torch.testing.assert_close(theirs, ours.half().float(), rtol=0, atol=0, msg=name)
    torch.testing.assert_close(again.quantizer.codebooks, codec.quantizer.codebooks.half().float(), rtol=0, atol=0)
    torch.testing.assert_close(again.latents(sound), codec.latents(sound), rtol=1e-2, atol=1e-2)
    codecs.save(again, tmp_path / "second.npz")
    twice = codecs.load(tmp_path / "second.npz")
    assert torch.equal(twice.encode(sound), again.encode(sound)), "rounding twice changes nothing more"


def test_a_network_starts_as_keeping_what_both_sides_have():
    frames = torch.randn(2, 7, 12)
    with torch.no_grad():
        torch.testing.assert_close(FrameNetwork(12, 5, 8)(frames), frames[..., :5])
        torch.testing.assert_close(FrameNetwork(12, 16, 8)(frames), torch.nn.functional.pad(frames, (0, 4)))


# the formats people train in


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_cast_codec_learns_codes_and_decodes(dtype):
    codec, sound = SpeechCodec(**SMALL).to(dtype), speechlike(2, 2000).to(dtype)
    coded = codec(sound)
    loss = rebuilding_loss(coded.sound, sound) + coded.loss
    loss.backward()
    assert coded.sound.dtype == dtype and loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert all(torch.isfinite(p.grad).all() for p in codec.parameters())
    assert codec.decode(codec.encode(sound), 2000).dtype == dtype
    assert codec.quantizer.codebooks.itemsize >= 4


def test_stages_of_half_precision_leave_what_float32_leaves():
    """A residual that is rounded at each stage would have nothing but that rounding for the last ones."""
    layer, vectors = ResidualQuantizer(6, 16, 4).eval(), torch.randn(1, 400, 4).bfloat16()
    layer.start_from(vectors[0].float())
    expected = layer(vectors.float())
    found = layer.bfloat16()(vectors)
    assert torch.equal(found.codes, expected.codes) and found.quantized.dtype == torch.bfloat16
    torch.testing.assert_close(found.loss, expected.loss)


@pytest.mark.parametrize(("Q", "K", "D", "says"), [(0, 4, 4, "Q is 0"), (1, 0, 4, "K is 0"), (1, 4, 0, "D is 0")])
def test_sizes_of_nothing_are_refused(Q, K, D, says):
    with pytest.raises(ValueError, match=says):
        ResidualQuantizer(Q, K, D)
