"""Vectors and codebooks that a search by float32 products gets wrong: far off, close together, of all sizes."""

import numpy as np

FAMILIES = {  # name -> (rng, N, D, K) -> vectors, codebook; a plain float32 product gets most of them wrong
    "late training": lambda n, N, D, K: near(n, n(K, D), N, 0.02),
    "early training": lambda n, N, D, K: (n(N, D), n.uniform(-1, 1, (K, D)) / K),
    "ball at 0, vectors far": lambda n, N, D, K: (n(N, D) + 5, n(K, D) / K),
    "far offset": lambda n, N, D, K: (n(N, D) + 1e5, n(K, D) + 1e5),
    "two far clusters": lambda n, N, D, K: (n(N, D) + n.choice([3e4, -3e4], (N, 1)), n(K, D) + n.choice([3e4, -3e4], (K, 1))),
    "ten far clusters": lambda n, N, D, K: clusters(n, N, D, K),
    "one dead code at zero": lambda n, N, D, K: (n(N, D) + 1000, np.concatenate([n(K - 1, D) + 1000, np.zeros((1, D))])),
    "half dead": lambda n, N, D, K: (n(N, D) + 1000, np.concatenate([n(K - K // 2, D) + 1000, 1e-3 * n(K // 2, D)])),
    "unscaled audio": lambda n, N, D, K: (audio(n, N, D), audio(n, K, D)),
    "geographic": lambda n, N, D, K: (places(n, N), np.concatenate([places(n, K - 1), np.zeros((1, 2))])),
    "duplicates": lambda n, N, D, K: near(n, np.tile(n(K // 4 + 1, D), (4, 1)), N, 0.1),
    "twins": lambda n, N, D, K: near(n, twins(n, K, D), N, 1e-3),
    "subnormals": lambda n, N, D, K: (1e-41 * n(N, D), np.concatenate([1e-41 * n(K - 1, D), np.ones((1, D))])),
    "mixed magnitudes": lambda n, N, D, K: (n(N, D) * np.geomspace(1e-6, 1e6, D), n(K, D) * np.geomspace(1e-6, 1e6, D)),
    "one wide dimension": lambda n, N, D, K: (wide(n, N, D), wide(n, K, D)),
    "whole numbers": lambda n, N, D, K: (n.integers(0, 9, (N, 3)) + 0.5, n.integers(0, 9, (K, 3))),
}  # fmt: skip


class Draws:
    """Normal numbers by a call; a Generator's other ways by their names."""

    def __init__(self, rng):
        self.rng = rng

    def __call__(self, *shape):
        return self.rng.standard_normal(shape)

    def __getattr__(self, name):
        return getattr(self.rng, name)


def near(n, codebook, N, sigma):
    return codebook[n.integers(0, len(codebook), N)] + sigma * n(N, codebook.shape[1]), codebook


def clusters(n, N, D, K):
    middles = 1e4 * n(10, D)
    return (n(count, D) + middles[n.integers(0, 10, count)] for count in (N, K))


def audio(n, count, D):
    return np.round(9000 * np.tanh(n(count, D)) * n.uniform(0.01, 1, (count, 1))) + 20_000


def places(n, count):
    return n.uniform(0, 300, (count, 2)) + [5.1e6, 4e5]  # metres within a town: northing, easting


def twins(n, K, D):
    codebook = np.repeat(n(K // 2 + 1, D), 2, axis=0)
    codebook[1::2] += 1e-6 * n(K // 2 + 1, D)
    return codebook


def wide(n, count, D):
    return np.c_[n(count, D - 1), 1e5 * n(count)]


def drawn(family, seed, N, D, K):
    """[vectors, codebook] of a family in float32; two of them have widths of their own."""
    return [np.asarray(x, np.float32) for x in FAMILIES[family](Draws(np.random.default_rng(seed)), N, D, K)]
