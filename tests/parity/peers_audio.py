"""The peers' own counts of sound: for each listening model (samples) -> tokens, for each codec (samples) -> frames.

Nothing here computes: each peer is set up with the sizes of its released checkpoint and asked. A listener's processor
is given silence; a codec is built with its strides and a few random channels, for weights do not change lengths.
A peer that is not installed raises ImportError. `python tests/parity/peers_audio.py` writes golden/audio.json anew.
"""

import functools
import json
import random
import types
import warnings
from importlib.metadata import version

import numpy as np
from peers import GOLDEN, ask, hf, load, processor

RATE = 16_000


def drawn_samples(count, seed=0):
    """Lengths in samples at 16 kHz: the awkward ones (0.01 s, 29.99, 30, 30.01, 61 s, one more, one less), then drawn."""
    draw = random.Random(seed)
    lengths = [1, 159, 160, 161, 200, 201, 319, 320, 321, 399, 400, 401, 480, 560, 640, 641, 1599, 1600, 8000, 16000]
    lengths += [16001, 31999, 32000, 479_839, 479_840, 479_841, 480_000, 480_001, 480_160, 960_000, 960_001, 976_000]
    while len(lengths) < count:
        lengths += [int(2 ** draw.uniform(4, 17)), draw.randint(16_000, 1_200_000)]
    return lengths[:count]


def silence(samples):
    return np.zeros(samples, np.float32)


@functools.cache
def mel(bins=128, seconds=30):
    extractor = hf("whisper.feature_extraction_whisper").WhisperFeatureExtractor
    return extractor(feature_size=bins, chunk_length=seconds)


# Models that listen.


def whisper():
    """The extractor, then the encoder's own two convolutions."""
    module = hf("whisper.modeling_whisper")
    sizes = {"d_model": 4, "encoder_layers": 1, "encoder_attention_heads": 1, "encoder_ffn_dim": 4, "num_mel_bins": 80}
    encoder = module.WhisperEncoder(module.WhisperConfig(**sizes)).eval()
    extractor = mel(80)

    def tokens(samples):
        features = extractor(silence(samples), sampling_rate=RATE, return_tensors="pt").input_features
        with load("torch").no_grad():
            return encoder.conv2(encoder.conv1(features)).shape[-1]

    return tokens


def qwen2_audio():
    peer = processor(
        "qwen2_audio.processing_qwen2_audio", "Qwen2AudioProcessor", feature_extractor=mel(), audio_token="a"
    )
    return lambda n: peer._process_audio([silence(n)], sampling_rate=RATE)[0]["num_audio_tokens"][0]


def qwen25_omni(whole=False):
    name = "qwen2_5_omni.processing_qwen2_5_omni"
    peer = processor(name, "Qwen2_5OmniProcessor", feature_extractor=mel(128, 300), audio_token="a")
    wanted = {"sampling_rate": RATE, "return_attention_mask": True}
    if whole:
        return lambda n: int(peer._process_audio([silence(n)], **wanted)[0]["num_audio_tokens"][0])
    return peer._get_num_audio_tokens


def qwen3_omni():
    name = "qwen3_omni_moe.processing_qwen3_omni_moe"
    peer = processor(name, "Qwen3OmniMoeProcessor", feature_extractor=mel(128, 300), audio_token="a")
    wanted = {"sampling_rate": RATE, "return_attention_mask": True, "padding": True, "truncation": False}
    return lambda n: int(peer._process_audio([silence(n)], **wanted)[0]["num_audio_tokens"][0])


def gemma_3n():
    peer = processor("gemma3n.processing_gemma3n", "Gemma3nProcessor", audio_seq_length=188)
    return lambda n: peer._get_num_multimodal_tokens(audio_lengths=[n]).num_audio_tokens[0]


def gemma_4(whole=False):
    extractor = hf("gemma4.feature_extraction_gemma4").Gemma4AudioFeatureExtractor()
    wanted = {"audio_seq_length": 750, "audio_token": "a", "boa_token": "", "eoa_token": ""}
    peer = processor("gemma4.processing_gemma4", "Gemma4Processor", feature_extractor=extractor, **wanted)
    if whole:
        return lambda n: len(peer.replace_audio_token(extractor([silence(n)], sampling_rate=RATE), 0))
    return lambda n: peer._compute_audio_num_tokens(silence(n), RATE)


def voxtral():
    """As many windows as transformers makes, each through Whisper's convolutions and the projector's stack of four."""
    module = hf("voxtral.modeling_voxtral")
    peer = processor("voxtral.processing_voxtral", "VoxtralProcessor", feature_extractor=mel())
    config = module.VoxtralConfig()
    stacked = config.audio_config.intermediate_size // config.audio_config.hidden_size
    wanted = peer.audio_kwargs | {"max_source_positions": 3000}

    def tokens(samples):
        windows, _, frames = peer._retrieve_input_features([silence(samples)], **wanted).shape
        return windows * (frames // 2) // stacked

    return tokens


def voxtral_mistral():
    module = load("mistral_common.tokens.tokenizers.audio")
    config = module.AudioConfig(RATE, 12.5, module.AudioSpectrogramConfig(128, 160, 400), chunk_length_s=30.0)
    peer = module.AudioEncoder(config, module.SpecialAudioIDs(1, 2, None, None, None))
    return lambda n: config.num_audio_tokens(len(peer.pad(silence(n), RATE)))


def phi_4():
    peer = hf("phi4_multimodal.feature_extraction_phi4_multimodal").Phi4MultimodalFeatureExtractor()
    return lambda n: int(peer(silence(n), sampling_rate=RATE)["audio_embed_sizes"][0])


LISTENERS = {  # model -> (package, a function that makes its count)
    "whisper": ("transformers", whisper),
    "qwen2-audio": ("transformers", qwen2_audio),
    "qwen2.5-omni": ("transformers", qwen25_omni),
    "qwen3-omni": ("transformers", qwen3_omni),
    "gemma-3n": ("transformers", gemma_3n),
    "gemma-4": ("transformers", gemma_4),
    "voxtral": ("transformers", voxtral),
    "phi-4-multimodal": ("transformers", phi_4),
}
AGAIN = {  # another way through the same model, or another package
    "qwen2.5-omni": ("the whole processor", lambda: qwen25_omni(whole=True)),
    "gemma-4": ("the whole processor", lambda: gemma_4(whole=True)),
    "voxtral": ("mistral-common", voxtral_mistral),
}


# Codecs. A peer is (its config, the frames of a sound of so many samples).


def encodec(rate, ratios, bandwidths, size, **options):
    module = hf("encodec.modeling_encodec")
    few = {"num_filters": 2, "hidden_size": 4, "num_lstm_layers": 1}
    sizes = {"sampling_rate": rate, "upsampling_ratios": ratios, "target_bandwidths": bandwidths, "codebook_size": size}
    config = module.EncodecConfig(**sizes, **few, **options)
    encoder = module.EncodecModel(config).eval().encoder
    return config, lambda x: encoder(x.expand(1, config.audio_channels, -1))


def dac(rate, ratios, codebooks):
    """transformers leaves filling up the last hop to its feature extractor; the authors' model does it itself."""
    module = hf("dac.modeling_dac")
    few = {"encoder_hidden_size": 2, "decoder_hidden_size": 16}
    config = module.DacConfig(sampling_rate=rate, downsampling_ratios=ratios, n_codebooks=codebooks, **few)
    encoder = module.DacModel(config).eval().encoder
    fill_up = hf("dac.feature_extraction_dac").DacFeatureExtractor(sampling_rate=rate, hop_length=config.hop_length)
    return config, lambda x: encoder(fill_up(x[0, 0].numpy(), sampling_rate=rate, return_tensors="pt")["input_values"])


def mimi():
    module = hf("mimi.modeling_mimi")
    few = {"num_filters": 2, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "head_dim": 16}
    few |= {"num_key_value_heads": 2, "intermediate_size": 32, "upsample_groups": 32, "codebook_dim": 8}
    few |= {"vector_quantization_hidden_dimension": 8}
    config = module.MimiConfig(**few)
    model = module.MimiModel(config).eval()
    return config, lambda x: model.encode(x).audio_codes


def x_codec():
    module = hf("xcodec.modeling_xcodec")
    hubert = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    hubert |= {"conv_dim": (8,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}
    acoustic = {"model_type": "dac", "encoder_hidden_size": 2, "decoder_hidden_size": 32, "hidden_size": 16}
    acoustic |= {"downsampling_ratios": [8, 5, 4, 2], "upsampling_ratios": [8, 5, 4, 2]}
    config = module.XcodecConfig(
        acoustic_model_config=acoustic, semantic_model_config=hubert | {"model_type": "hubert"}
    )
    model = module.XcodecModel(config).eval()
    return config, lambda x: model.encode(x, bandwidth=4).audio_codes


def snac(rate, ratios, strides, attention):
    sizes = {"sampling_rate": rate, "encoder_rates": ratios, "vq_strides": strides, "attn_window_size": attention}
    few = {"encoder_dim": 4, "decoder_dim": 64, "decoder_rates": ratios[::-1]}
    model = load("snac").SNAC(**sizes, **few).eval()
    config = types.SimpleNamespace(**sizes, hop_length=int(model.hop_length), codebook_size=model.codebook_size)
    return config, lambda x: model.encode(x)[-1]  # the finest stage has a code a frame


CODECS = {  # codec -> (package, a function that makes (config, encode))
    "encodec-24k": ("transformers", lambda: encodec(24_000, [8, 5, 4, 2], [1.5, 3.0, 6.0, 12.0, 24.0], 1024)),
    "encodec-32k": ("transformers", lambda: encodec(32_000, [8, 5, 4, 4], [2.2], 2048)),
    "encodec-48k": (
        "transformers",
        lambda: encodec(
            48_000, [8, 5, 4, 2], [3.0, 6.0, 12.0, 24.0], 1024, audio_channels=2, use_causal_conv=False,
            norm_type="time_group_norm", normalize=True, chunk_length_s=1.0, overlap=0.01,
        ),
    ),
    "dac-16k": ("transformers", lambda: dac(16_000, [2, 4, 5, 8], 12)),
    "dac-24k": ("transformers", lambda: dac(24_000, [2, 4, 5, 8], 32)),
    "dac-44k": ("transformers", lambda: dac(44_100, [2, 4, 8, 8], 9)),
    "mimi": ("transformers", mimi),
    "x-codec": ("transformers", x_codec),
    "snac-24k": ("snac", lambda: snac(24_000, [2, 4, 8, 8], [4, 2, 1], None)),
    "snac-32k": ("snac", lambda: snac(32_000, [2, 3, 8, 8], [8, 4, 2, 1], 32)),
    "snac-44k": ("snac", lambda: snac(44_100, [2, 3, 8, 8], [8, 4, 2, 1], 32)),
}  # fmt: skip


def codec_lengths(row):
    """Samples around whole hops and whole seconds; what a codec encodes in chunks is asked about one chunk."""
    hop, rate, most = row.hop, row.sample_rate, row.frame_multiple * row.hop
    lengths = [rate // 100, hop - 1, hop, hop + 1, 2 * hop + 81, 3 * hop + 7, most, most + 1, rate]
    return sorted(set(lengths + ([] if row.chunk else [rate + 1])))


def row_frames(row, samples):
    """The frames that a codec's row promises for one piece of sound."""
    frames = -(-(samples + row.extra_samples) // row.hop)
    return -(-frames // row.frame_multiple) * row.frame_multiple


@functools.cache
def peer_listener(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return LISTENERS[model][1]()


@functools.cache
def peer_codec(codec):
    """(config, a function samples -> frames) of one codec."""
    torch = load("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config, encode = CODECS[codec][1]()

    def frames(samples):
        with torch.no_grad():
            return int(encode(torch.zeros(1, 1, samples)).shape[-1])

    return config, frames


def write_golden(count=70):
    """Ask every peer and store the answers; null is a refusal."""
    from mmtokedu.catalog import codecs

    lengths = drawn_samples(count, seed=1)
    packages = sorted({package for package, _ in [*LISTENERS.values(), *CODECS.values()]} | {"numpy", "torch"})
    tokens = {model: [ask(peer_listener(model), n)[0] for n in lengths] for model in LISTENERS}
    frames = {
        codec: {str(n): ask(peer_codec(codec)[1], n)[0] for n in codec_lengths(codecs.row(codec))} for codec in CODECS
    }
    golden = {"packages": {name: version(name) for name in packages}, "samples_16k": lengths}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in golden.items()]
    for name, rows in (("tokens", tokens), ("frames", frames)):
        lines.append(
            f'"{name}": {{\n' + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in rows.items()) + "\n}"
        )
    (GOLDEN / "audio.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    write_golden()
