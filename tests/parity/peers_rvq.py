"""Residual quantizers and delay patterns of other packages as functions of NumPy arrays.

Nothing here computes: each peer is given the codebooks (Q, K, D) and asked for the codes (N, Q) of vectors (N, D), or
for the vectors of codes. A peer that is not installed raises ImportError.
`python tests/parity/peers_rvq.py` writes golden/rvq.json anew.
"""

import json
import sys
import types
from importlib.metadata import version

import numpy as np
from peers import GOLDEN, hf, load
from peers_vq import VQP, as_list, faiss_codes, quiet, rounded, tensor


def faiss_stages(vectors, codebooks):
    """faiss has no residual search of ours (its ResidualQuantizer keeps a beam), so its flat index is asked each time."""
    residual, codes = vectors, []
    for codebook in codebooks:
        codes.append(faiss_codes(residual, codebook))
        residual = residual - codebook[codes[-1]]
    return np.stack(codes, axis=1)


def sizes(codebooks):
    """What the quantizers of transformers read of their config."""
    Q, size, width = codebooks.shape
    widths = dict.fromkeys(("codebook_dim", "hidden_size", "vector_quantization_hidden_dimension"), width)
    few = {"quantizer_dropout": 0.0, "num_semantic_quantizers": 1, "frame_rate": 75}
    return types.SimpleNamespace(codebook_size=size, num_quantizers=Q, n_codebooks=Q, **widths, **few)


def fill(layers, codebooks, name):
    """Copy the codebooks into the buffers of this name."""
    for layer, codebook in zip(layers, codebooks, strict=True):
        getattr(layer.codebook, name).copy_(tensor(codebook))


def encodec(codebooks):
    peer = hf("encodec.modeling_encodec").EncodecResidualVectorQuantizer(sizes(codebooks)).eval()
    fill(peer.layers, codebooks, "embed")
    return peer


def mimi(codebooks):
    """One of the two chains that Mimi has; what is stored is a sum over counts, and the counts are 1."""
    peer = hf("mimi.modeling_mimi").MimiResidualVectorQuantizer(sizes(codebooks)).eval()
    fill(peer.layers, codebooks, "embed_sum")
    return peer


def mimi_split(codebooks):
    """The whole of Mimi's quantizer: the first codebook for itself, the others a chain for themselves."""
    peer = hf("mimi.modeling_mimi").MimiSplitResidualVectorQuantizer(sizes(codebooks)).eval()
    fill(peer.semantic_residual_vector_quantizer.layers, codebooks[:1], "embed_sum")
    fill(peer.acoustic_residual_vector_quantizer.layers, codebooks[1:], "embed_sum")
    return peer


def dac(codebooks):
    """With projections that change nothing. It looks for the code of the nearest direction."""
    torch = load("torch")
    peer = hf("dac.modeling_dac").DacResidualVectorQuantizer(sizes(codebooks)).eval()
    for layer, codebook in zip(peer.quantizers, codebooks, strict=True):
        layer.codebook.weight.data.copy_(tensor(codebook))
        for projection in (layer.in_proj, layer.out_proj):
            projection.weight.data.copy_(torch.eye(codebook.shape[1])[:, :, None])
            projection.bias.data.zero_()
    return peer


def vqp(codebooks):
    Q, size, width = codebooks.shape
    peer = quiet(load(VQP).ResidualVQ, dim=width, num_quantizers=Q, codebook_size=size).eval()
    for layer, codebook in zip(peer.layers, codebooks, strict=True):
        layer.codebook = tensor(codebook)
    return peer


def columns(vectors):
    return tensor(np.asarray(vectors).T)[None]  # (N, D) -> (1, D, N)


def no_grad(function):
    """Asked without gradients, and quietly."""

    def call(vectors, codebooks):
        with load("torch").no_grad():
            return quiet(function, vectors, codebooks).numpy()

    return call


ENCODE = {  # peer -> function (vectors, codebooks) -> codes
    "faiss-cpu, stage by stage": faiss_stages,
    "transformers EnCodec": no_grad(lambda z, e: encodec(e).encode(columns(z))[:, 0].T),
    "transformers Mimi, one chain": no_grad(lambda z, e: mimi(e).encode(columns(z))[:, 0].T),
    "vector-quantize-pytorch ResidualVQ": no_grad(lambda z, e: vqp(e)(tensor(z)[None])[1][0]),
}
DECODE = {  # peer -> function (codes, codebooks) -> vectors
    "transformers EnCodec": no_grad(lambda codes, e: encodec(e).decode(tensor(codes.T)[:, None])[0].T),
    "transformers Mimi, one chain": no_grad(lambda codes, e: mimi(e).decode(tensor(codes.T)[None])[0].T),
    "transformers DAC": no_grad(lambda codes, e: dac(e).from_codes(tensor(codes.T)[None])[0][0].T),
    "vector-quantize-pytorch ResidualVQ": no_grad(
        lambda codes, e: vqp(e).get_output_from_indices(tensor(codes)[None])[0]
    ),
}
dac_codes = no_grad(lambda z, e: dac(e)(columns(z))[1][0].T)
mimi_split_codes = no_grad(lambda z, e: mimi_split(e).encode(columns(z))[:, 0].T)


def authors_encodec_codes(vectors, codebooks):
    """facebookresearch/encodec itself. It imports torchaudio, which nothing here calls: an empty module stands in."""
    try:
        load("torchaudio")
    except (ImportError, OSError):
        sys.modules["torchaudio"] = types.ModuleType("torchaudio")
    Q, size, width = codebooks.shape
    module = load("encodec.quantization.core_vq")
    peer = module.ResidualVectorQuantization(num_quantizers=Q, dim=width, codebook_size=size, kmeans_init=False).eval()
    for layer, codebook in zip(peer.layers, codebooks, strict=True):
        layer._codebook.embed.copy_(tensor(codebook))
    with load("torch").no_grad():
        return peer.encode(columns(vectors))[:, 0].T.numpy()


def musicgen_delay(codes, pad):
    """The mask of MusicGen with all codes in the prompt; it begins with a column of pads, which is left out."""
    torch = load("torch")
    frames, codebooks = codes.shape
    peer = types.SimpleNamespace(num_codebooks=codebooks, config=types.SimpleNamespace(audio_channels=1))
    prompt = torch.cat([torch.full((codebooks, 1), pad), tensor(codes.T)], dim=1)
    build = hf("musicgen.modeling_musicgen").MusicgenForCausalLM.build_delay_pattern_mask
    return build(peer, prompt, pad, frames + codebooks)[1][:, 1:].T.numpy()


def moshi_delay(codes, pad):
    """Moshi's mask: the first codebook not delayed, all others by one."""
    build = hf("moshi.modeling_moshi").MoshiForConditionalGeneration.build_delay_pattern_mask
    prompt = np.concatenate([codes, np.full((1, codes.shape[1]), pad)])  # room for the last codes
    return build(None, tensor(prompt.T)[None], pad, pad, len(prompt))[1][0].T.numpy()


def dia_delay(codes, pad, delays, revert=False):
    """Dia's own gather, which takes any delays; as many rows of pads as the largest are given to be filled."""
    processor = hf("dia.processing_dia").DiaProcessor
    rows = codes if revert else np.concatenate([codes, np.full((max(delays), codes.shape[1]), pad)])
    where = processor.build_indices(1, len(rows), len(delays), list(delays), revert=revert)
    return processor.apply_audio_delay(tensor(rows)[None], pad, pad, where)[0].numpy()


def encodec_48k_frames(samples):
    """Frames that transformers' EnCodec makes of a stereo sound at 48 kHz, piece by piece, without what it fills up."""
    torch, module = load("torch"), hf("encodec.modeling_encodec")
    few = {"num_filters": 4, "hidden_size": 4, "codebook_dim": 4, "num_lstm_layers": 1}
    rates = {"sampling_rate": 48_000, "upsampling_ratios": [8, 5, 4, 2], "target_bandwidths": [3.0, 6.0, 12.0, 24.0]}
    stereo = {"audio_channels": 2, "use_causal_conv": False, "norm_type": "time_group_norm", "normalize": True}
    config = module.EncodecConfig(**few, **rates, **stereo, chunk_length_s=1.0, overlap=0.01)
    with torch.no_grad():
        out = module.EncodecModel(config).eval().encode(torch.zeros(1, 2, samples), bandwidth=6.0)
    pieces, _, codebooks, frames = out.audio_codes.shape
    return codebooks, pieces * frames - out.last_frame_pad_length


# Golden values: small inputs, and what the peers said.


def write_golden():
    vectors, codebooks = rounded((40, 4), 0), rounded((3, 16, 4), 1) * np.float32([1, 0.5, 0.25])[:, None, None]
    codes = ENCODE["transformers EnCodec"](vectors, codebooks)
    delays = [0, 0, 1, 2, 1, 0]  # not sorted
    streams = np.random.default_rng(2).integers(0, 50, (5, 6))
    golden = {
        "packages": {
            name: version(name) for name in ("faiss-cpu", "numpy", "torch", "transformers", "vector-quantize-pytorch")
        },
        "about": "computed by running the packages on CPU",
        "encode": {"vectors": vectors, "codebooks": codebooks}
        | {name: peer(vectors, codebooks) for name, peer in ENCODE.items()},
        "decode": {"codes": codes, "codebooks": codebooks}
        | {name: peer(codes, codebooks) for name, peer in DECODE.items()},
        "split": {
            "vectors": vectors,
            "codebooks": codebooks,
            "transformers Mimi": mimi_split_codes(vectors, codebooks),
        },
        "delay": {"codes": streams, "pad": 50, "transformers MusicGen": musicgen_delay(streams, 50)},
        "any delay": {
            "codes": streams,
            "pad": 50,
            "delays": delays,
            "transformers Dia": dia_delay(streams, 50, delays),
        },
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value, default=as_list)}" for key, value in golden.items()]
    (GOLDEN / "rvq.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    write_golden()
