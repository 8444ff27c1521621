"""The same lengths of sound through the real packages, and the catalog's numbers against their configs.

Each test is skipped when its package is not importable, unless REQUIRE_PEERS=1 (the leg that installs them), where it
fails. "Both refused" is counted as agreement: the peer crashes, we raise ValueError.
"""

import math

import numpy as np
import pytest
from peers import hf, needs
from peers_audio import (
    AGAIN,
    CODECS,
    LISTENERS,
    codec_lengths,
    drawn_samples,
    peer_codec,
    peer_listener,
    row_frames,
)

from mmtokedu.catalog import codecs
from mmtokedu.catalog.listeners import listener_tokens

LENGTHS = drawn_samples(60, seed=2)


@pytest.mark.parametrize("model", LISTENERS)
def test_tokens_of_each_listener(compare, model):
    theirs = needs(peer_listener, model)
    compare(f"{model} ({LISTENERS[model][0]})", lambda n: listener_tokens(model, n / 16_000), theirs, LENGTHS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", AGAIN)
def test_the_same_model_another_way(compare, model):
    """A counting method can disagree with the processor it speaks for; here none does."""
    what, make = AGAIN[model]
    lengths = LENGTHS[:32:3] if model == "qwen2.5-omni" else LENGTHS  # it pads everything to 300 s
    compare(f"{model}, {what}", lambda n: listener_tokens(model, n / 16_000), needs(make), lengths)


@pytest.mark.parametrize("codec", CODECS)
def test_frames_of_each_codec(compare, codec):
    row = codecs.row(codec)
    _, theirs = needs(peer_codec, codec)
    compare(f"{codec} ({CODECS[codec][0]})", lambda n: row_frames(row, n), theirs, codec_lengths(row))


# The configs.


@pytest.mark.parametrize("codec", CODECS)
def test_sizes_of_each_codec(codec):
    row, (config, _) = codecs.row(codec), needs(peer_codec, codec)
    rate = getattr(config, "sampling_rate", None) or config.sample_rate
    hop = config.frame_size if codec == "mimi" else config.hop_length
    assert (rate, hop, config.codebook_size) == (row.sample_rate, row.hop, row.codebook_size)
    if codec.startswith("encodec"):
        assert config.audio_channels == row.channels
        assert (config.chunk_length, config.chunk_stride) == (row.chunk or (None, None))


@pytest.mark.parametrize("codec", ["encodec-24k", "encodec-32k", "encodec-48k", "x-codec"])
def test_codebooks_of_each_bandwidth(codec):
    """The bandwidths that the config names, in kbit/s, are frames x codebooks x bits: no more, no less."""
    row, (config, _) = codecs.row(codec), needs(peer_codec, codec)
    bits = row.sample_rate / row.hop * math.log2(row.codebook_size)
    assert [1000 * width / bits for width in config.target_bandwidths] == list(row.codebooks)
    assert config.num_quantizers == row.codebooks[-1]
    assert [one.bits_per_second for one in row.published] == [1000 * width for width in config.target_bandwidths]


def test_a_frame_rate_in_a_config_is_rounded_up():
    """87 for DAC's 86.13, so a bitrate worked out from it is 1 % too high; Mimi's is exact, its encoder's 25 is not."""
    dac, _ = needs(peer_codec, "dac-44k")
    assert dac.frame_rate == 87 and codecs.row("dac-44k").sample_rate / dac.hop_length == pytest.approx(86.13, abs=0.01)
    mimi, _ = needs(peer_codec, "mimi")
    assert mimi.frame_rate == 12.5 and mimi.encodec_frame_rate == 25


def test_the_default_config_of_dac_is_no_released_model():
    config = needs(hf, "dac.configuration_dac").DacConfig()
    rows = {(row.sample_rate, row.hop) for name, row in codecs.rows().items() if name.startswith("dac")}
    assert (config.sampling_rate, config.hop_length) == (16_000, 512)
    assert (config.sampling_rate, config.hop_length) not in rows


def test_mimi_has_32_codebooks_and_moshi_uses_8():
    row = codecs.row("mimi")
    assert needs(hf, "mimi.configuration_mimi").MimiConfig().num_quantizers == row.codebooks[-1] == 32
    assert needs(hf, "moshi.configuration_moshi").MoshiConfig().num_codebooks == row.default == 8


def test_x_codec_2_is_four_levels_in_eight_dimensions():
    row, config = codecs.row("x-codec-2"), needs(hf, "xcodec2.configuration_xcodec2").Xcodec2Config()
    assert (config.sampling_rate, config.hop_length) == (row.sample_rate, row.hop)
    assert math.prod(config.quantization_levels) == row.codebook_size == 4**8


def test_delays():
    """MusicGen's as its own mask draws them (-1 is a place for a code), Dia's as its config lists them."""
    torch = needs(__import__, "torch")
    row = codecs.row("encodec-32k")
    module = needs(hf, "musicgen.modeling_musicgen")
    peer = type("Peer", (), {"num_codebooks": 4, "config": type("Config", (), {"audio_channels": 1})})()
    _, mask = module.MusicgenForCausalLM.build_delay_pattern_mask(peer, torch.zeros(4, 1, dtype=torch.long), 99, 12)
    first = [int(np.flatnonzero(stream == -1)[0]) for stream in mask.numpy()]
    assert [place - first[0] for place in first] == list(row.delays[0].delays)
    dia = needs(hf, "dia.configuration_dia").DiaConfig()
    assert dia.delay_pattern == list(codecs.row("dac-44k").delays[0].delays)


# A window or a stack of frames, by the models' own layers.


@pytest.mark.filterwarnings("ignore")
def test_gemma_3n_makes_at_most_188_features_of_30_seconds():
    """The extractor's frames through the two convolutions and the last stride of four: 188 places are never too few."""
    module, config = needs(hf, "gemma3n.modeling_gemma3n"), hf("gemma3n.configuration_gemma3n").Gemma3nAudioConfig()
    torch = __import__("torch")
    extractor = hf("gemma3n.feature_extraction_gemma3n").Gemma3nAudioFeatureExtractor()
    projection = module.Gemma3nAudioSubSampleConvProjection(config).eval()
    for seconds, features in ((1, 7), (10, 63), (30, 188), (61, 188)):
        frames = extractor([np.zeros(seconds * 16_000)], sampling_rate=16_000)["input_features"][0]
        with torch.no_grad():
            made = projection(torch.as_tensor(frames)[None]).shape[1]
        assert len(range(0, made, config.conf_reduction_factor)) == features


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seconds", [0.03, 1, 2, 2.5, 61])
def test_qwen_omni_encoders_make_as_many_features(seconds):
    """The audio encoders themselves, with layers of four channels."""
    torch = needs(__import__, "torch")
    frames = round(seconds * 100)
    few = {"d_model": 4, "encoder_layers": 1, "encoder_attention_heads": 1, "encoder_ffn_dim": 4, "output_dim": 4}
    module = needs(hf, "qwen2_5_omni.modeling_qwen2_5_omni")
    encoder = module.Qwen2_5OmniAudioEncoder(module.Qwen2_5OmniAudioEncoderConfig(**few)).eval()
    with torch.no_grad():
        made = encoder(torch.zeros(128, frames), feature_lens=torch.tensor([frames])).last_hidden_state
    assert len(made) == listener_tokens("qwen2.5-omni", seconds)
    module = needs(hf, "qwen3_omni_moe.modeling_qwen3_omni_moe")
    config = module.Qwen3OmniMoeAudioEncoderConfig(**few, downsample_hidden_size=2)
    encoder = module.Qwen3OmniMoeAudioEncoder(config).eval()
    with torch.no_grad():
        made = encoder(torch.zeros(128, frames), feature_lens=torch.tensor([frames])).last_hidden_state
    assert len(made) == listener_tokens("qwen3-omni", seconds)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("frames", [1, 7, 8, 9, 98, 4000, 4001])
def test_phi_4_convolutions_make_a_feature_of_eight_frames(frames):
    torch = needs(__import__, "torch")
    module = needs(hf, "phi4_multimodal.modeling_phi4_multimodal")
    config = module.Phi4MultimodalAudioConfig(nemo_conv_channels=2, hidden_size=4, num_attention_heads=1)
    layer = module.Phi4MultimodalAudioNemoConvSubsampling(config).eval()
    with torch.no_grad():
        made = layer(torch.zeros(1, frames, config.input_size), None)[0].shape[1]
    assert made == listener_tokens("phi-4-multimodal", (400 + 160 * (frames - 1)) / 16_000)
