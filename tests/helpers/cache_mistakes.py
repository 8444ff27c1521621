"""Keys as systems have had them, each with two requests that it takes for one, and the public thread where it was seen.

A request says all that decides the answer: data, params, and what else a client or a server knows of it. `answer` is
what an encoder, or a block of a prefix cache, would make of it: small, and another for each of the two.
"""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mmtokedu.cache import cache_key

BLOCK = 16  # positions of a prefix cache's block


class Request(NamedTuple):
    data: object  # bytes of a file, or pixels
    params: dict
    client_id: str = ""
    prompt: tuple = ()  # ids, pictures as placeholders
    offset: int = 0  # where the picture begins in a block


class Mistake(NamedTuple):
    name: str
    seen: str
    key: Callable  # request -> what was used as key
    answer: Callable  # request -> the right array
    first: Request
    second: Request


def encoded(request):
    """Four numbers that depend on all data and all params, as an encoder's do."""
    seed = hashlib.sha256(repr((np.shape(request.data), bytes(request.data), request.params)).encode()).digest()
    return np.frombuffer(seed, np.uint64).astype(np.float64)


def block(request):
    """The vectors of a block in which the picture begins at `offset`: zeros for the text before it."""
    rows = np.random.default_rng(list(request.data)).standard_normal((BLOCK, 2))
    return np.concatenate([np.zeros((request.offset, 2)), rows])[:BLOCK]


def ours(request):
    """The key of a request here: the data, and everything that decides, the place in a block too."""
    return cache_key(request.data, {"params": request.params, "offset": request.offset})


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def sixteen_bits(request):
    return sha256(request.data)[:4]


def two_of_one_short_digest():
    """Two of some hundreds of files whose digests begin with the same 16 bits."""
    seen = {}
    for number in range(10_000):
        request = Request(b"screenshot %d" % number, {})
        if (key := sixteen_bits(request)) in seen:
            return seen[key], request
        seen[key] = request


PIXELS = np.arange(24, dtype=np.uint8)
MISTAKES = [
    Mistake(
        "pixels without their shape",
        "sglang#8342, #25462, #22033: the bytes of 4 x 6 pixels are those of 6 x 4",
        lambda request: sha256(request.data.tobytes()),
        encoded,
        Request(PIXELS.reshape(4, 6), {"size": 448}),
        Request(PIXELS.reshape(6, 4), {"size": 448}),
    ),
    Mistake(
        "a part of the digest",
        "LMCache#3301, #4086, #4415: 16 bits; sglang#32404: 64 bits",
        sixteen_bits,
        encoded,
        *two_of_one_short_digest(),
    ),
    Mistake(
        "a parameter is missing",
        "smg#2371, found in its review: the longest side changes the pixels, and the key is of the file alone",
        lambda request: sha256(request.data),
        encoded,
        Request(b"JPEG", {"min_pixels": 3136, "max_pixels": 1003520}),
        Request(b"JPEG", {"min_pixels": 3136, "max_pixels": 12845056}),
    ),
    Mistake(
        "the place in the block is missing",
        "vLLM's prefix blocks have the offset in their key for this reason",
        lambda request: (request.prompt, sha256(request.data)),
        block,
        Request(b"JPEG", {}, prompt=(9,) * BLOCK, offset=0),
        Request(b"JPEG", {}, prompt=(9,) * BLOCK, offset=3),
    ),
    Mistake(
        "the client's id is the whole key",
        "vllm#55547, #53471: other bytes under an id that was used",
        lambda request: request.client_id,
        encoded,
        Request(b"JPEG of a cat", {}, client_id="6f1a9d1e-3ab5-4e0e-9a55-0d9ac3d4b2c1"),
        Request(b"JPEG of a tax return", {}, client_id="6f1a9d1e-3ab5-4e0e-9a55-0d9ac3d4b2c1"),
    ),
    Mistake(
        "placeholder ids as key",
        "sglang-omni#258, #260, LMCache#690: the second image is answered with the first",
        lambda request: request.prompt,
        encoded,
        Request(b"JPEG of a cat", {}, prompt=(1, 9, 9, 9, 9, 2)),
        Request(b"JPEG of a dog", {}, prompt=(1, 9, 9, 9, 9, 2)),
    ),
    Mistake(
        "hash() of a tuple",
        "sglang#8342, #25462, #22033: Python's hash() of -1 is that of -2, of 0 that of 2**61 - 1",
        lambda request: hash((request.data, *request.params.values())),
        encoded,
        Request(b"JPEG", {"shift": -1}),
        Request(b"JPEG", {"shift": -2}),
    ),
    Mistake(
        "0, 0.0 and False",
        "vLLM's hasher takes 0 for 0.0, bytes for text, a list for a tuple",
        lambda request: (request.data, *request.params.items()),
        encoded,
        Request(b"JPEG", {"layer": 1}),
        Request(b"JPEG", {"layer": True}),
    ),
]


class CarelessStore(dict):
    """It keeps what it is given, not a copy (react-native-executorch#1229: every image becomes the last)."""

    def get_or_compute(self, key, compute):
        if key not in self:
            self[key] = compute()
        return self[key]
