"""Quantizers of other packages as functions of NumPy arrays: vectors and a codebook go in, their codes come out.

Nothing here computes: each peer is given the codebook and asked. A peer that is not installed raises ImportError.
`python tests/parity/peers_vq.py` writes golden/vq.json anew.
"""

import json
import warnings
from importlib.metadata import version

import numpy as np
from peers import GOLDEN, load

VQP = "vector_quantize_pytorch"


def quiet(function, *args, **kwargs):
    """Call a peer without its warnings: vector-quantize-pytorch asks for CUDA's autocast wherever it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def tensor(array):
    return load("torch").from_numpy(np.ascontiguousarray(array))


def faiss_codes(vectors, codebook):
    index = load("faiss").IndexFlatL2(codebook.shape[1])
    index.add(codebook)
    return index.search(vectors, 1)[1][:, 0]


def scikit_learn_codes(vectors, codebook):
    return load("sklearn.metrics").pairwise_distances_argmin(vectors, codebook)


def vqp_codes(vectors, codebook):
    """The eval forward of VectorQuantize; its quantized vectors must be the codes' own, so they are left out here."""
    layer = quiet(load(VQP).VectorQuantize, codebook.shape[1], len(codebook)).eval()
    layer.codebook = tensor(codebook)
    with load("torch").no_grad():
        return quiet(layer, tensor(vectors))[1].numpy()


NEAREST = {"faiss-cpu": faiss_codes, "scikit-learn": scikit_learn_codes, "vector-quantize-pytorch": vqp_codes}


def fsq(vectors, levels):
    """(codes, quantized) of FSQ with its own bound: half the range times 1.001, and atanh."""
    quantized, codes = quiet(load(VQP).FSQ(list(levels)), tensor(vectors)[None])
    return codes[0].numpy(), quantized[0].numpy()


def fsq_with_the_papers_constant(vectors, levels):
    """The same with its `bound` asked for the paper's 0.999: what is left is atanh where the paper has tan."""
    layer = load(VQP).FSQ(list(levels))
    quantized = layer.bound(tensor(vectors), eps=-1e-3)
    return layer.codes_to_indices(quantized).numpy(), quantized.numpy()


def fsq_look_up(codes, levels):
    return load(VQP).FSQ(list(levels)).indices_to_codes(tensor(codes)[None])[0].numpy()


def lfq(vectors):
    """(codes, quantized) of LFQ in eval mode."""
    with load("torch").no_grad():
        quantized, codes, _ = quiet(load(VQP).LFQ(dim=vectors.shape[-1]).eval(), tensor(vectors)[None])
    return codes[0].numpy(), quantized[0].numpy()


def rotation_trick(vectors, quantized):
    return load(VQP + ".vector_quantize_pytorch").rotate_to(vectors, quantized)


def simvq(frozen, weight):
    """SimVQ with this frozen codebook (K, D) behind this linear map (D, D)."""
    layer = load(VQP).SimVQ(dim=frozen.shape[1], codebook_size=len(frozen))
    layer.frozen_codebook.copy_(tensor(frozen))
    layer.code_transform.weight.data.copy_(tensor(weight))
    return layer


def with_gradient(function, vectors, quantized, upstream):
    """(result, gradient at the vectors) of a torch function of two tensors, as arrays."""
    z = tensor(vectors.copy()).requires_grad_()
    result = function(z, tensor(quantized))
    result.backward(tensor(upstream))
    return result.detach().numpy(), z.grad.numpy()


# Golden values: small inputs, and what the peers said.


def rounded(shape, seed, decimals=2):
    return np.random.default_rng(seed).standard_normal(shape).round(decimals).astype(np.float32)


def write_golden():
    vectors, codebook = rounded((40, 4), 0), rounded((16, 4), 1)
    bounds = rounded((24, 4), 2) * 2
    z, q, upstream = rounded((6, 3), 3), rounded((6, 3), 4), rounded((6, 3), 5)
    frozen, weight = rounded((8, 3), 6), rounded((3, 3), 7)
    between = np.float32([[-1.1511], [-0.3464], [0.4583]])  # each between the paper's threshold and the peer's
    turned, gradient = with_gradient(rotation_trick, z, q, upstream)
    layer, x = simvq(frozen, weight), tensor(z.copy()).requires_grad_()
    quantized, codes, loss = layer(x)
    ((quantized * tensor(upstream)).sum() + loss).backward()
    packages = ["faiss-cpu", "numpy", "scikit-learn", "torch", "vector-quantize-pytorch"]
    golden = {
        "packages": {name: version(name) for name in packages},
        "about": "computed by running the packages on CPU",
        "nearest": {"vectors": vectors, "codebook": codebook}
        | {name: peer(vectors, codebook) for name, peer in NEAREST.items()},
        "nearest_scaled_by_1e-6": {
            name: peer(vectors * np.float32(1e-6), codebook * np.float32(1e-6)) for name, peer in NEAREST.items()
        },
        "fsq": {"levels": [8, 5, 5, 5], "vectors": bounds}
        | dict(zip(("codes", "quantized"), fsq(bounds, [8, 5, 5, 5]))),
        "fsq_between_the_bounds": {"levels": [4], "vectors": between, "codes": fsq(between, [4])[0]},
        "lfq": {"vectors": vectors, "codes": lfq(vectors)[0], "quantized": lfq(vectors)[1]},
        "rotation_trick": {"vectors": z, "quantized": q, "upstream": upstream, "result": turned, "gradient": gradient},
        "simvq": {"frozen": frozen, "weight": weight, "codes": codes, "quantized": quantized, "loss": loss}
        | {"gradient": x.grad, "gradient_of_weight": layer.code_transform.weight.grad},
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value, default=as_list)}" for key, value in golden.items()]
    (GOLDEN / "vq.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def as_list(array):
    """Integers, or floats as short as they read back to the same float32."""
    array = np.asarray(array.detach() if hasattr(array, "detach") else array)
    if array.ndim:
        return [as_list(row) for row in array]
    return float(str(np.float32(array))) if array.dtype.kind == "f" else int(array)


if __name__ == "__main__":
    write_golden()
