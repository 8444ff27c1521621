"""What the tests of codebooks share: vectors to draw, answers by definition, and how much memory a call takes."""

import numpy as np


def normal(rng, *shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


def by_definition(vectors, codebooks):
    """Every squared distance of every stage in float64, the first of the least."""
    residual, codes = vectors.astype(np.float64), []
    for codebook in codebooks.astype(np.float64):
        codes.append(((residual[:, None] - codebook) ** 2).sum(axis=-1).argmin(axis=1))
        residual = residual - codebook[codes[-1]]
    return np.stack(codes, axis=1)


def largest_tensor(call):
    """The number of elements of the largest tensor that torch makes during a call."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Watch(TorchDispatchMode):
        most = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            Watch.most = max([Watch.most] + [x.numel() for x in tree_leaves(result) if hasattr(x, "numel")])
            return result

    with Watch():
        call()
    return Watch.most
