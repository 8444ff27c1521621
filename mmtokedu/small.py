"""The book's small model in NumPy: the same answers as `mmtokedu.nn`, from its weights, without torch.

`weights` is a dict of float32 arrays under the names that the torch modules give them, `nn.vision.Reader`'s; what the
sequence looks like (positions, mask, modality) is made here for both.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mmtokedu.mrope import angles as pair_angles

__all__ = ["Layout", "ask", "block", "decode", "lay_out", "see"]

TEXT, IMAGE, SOUND, VIDEO = range(4)  # rows of the modality table
PATCH = 12  # pixels: one token for each square of that side
PLACES = 8  # rows of each table of places


class Layout(NamedTuple):
    """What the model is told of a sequence of N tokens: angles (N, pairs) float64, mask (N, N) bool, modality (N,)."""

    angles: np.ndarray
    mask: np.ndarray
    modality: np.ndarray


def lay_out(grid, questions, *, pairs=16, theta=100.0, layout="interleaved", positions="mrope"):
    """A picture or clip, then questions of two words each that do not see one another: a Layout.

    grid (T, rows, columns) counts the visual tokens; they come first, in that order, under a causal mask, and every
    question sees them and its own words. Positions are (t, h, w) for what is seen and one number three times for
    words, which go on after the largest ("mrope"), or 0, 1, 2, … for all ("1d"); `layout` as `mrope.axis_of_pair`.

    >>> told = lay_out((1, 2, 2), questions=2)
    >>> told.angles.shape, told.modality.tolist()
    ((8, 16), [1, 1, 1, 1, 0, 0, 0, 0])
    >>> told.mask[6].astype(int).tolist()  # the first word of the second question
    [1, 1, 1, 1, 0, 0, 1, 0]
    """
    frames, rows, columns = grid
    seen = frames * rows * columns
    place = np.stack(np.unravel_index(np.arange(seen), grid))  # (3, seen): t, h, w
    if positions == "1d":
        place = np.arange(seen)[None]
    words = np.tile(np.arange(2) + place.max() + 1, questions)
    place = np.concatenate([place, np.broadcast_to(words, (len(place), 2 * questions))], axis=1)
    sections = (pairs,) if positions == "1d" else (pairs - 2 * (pairs // 3), pairs // 3, pairs // 3)
    turned = pair_angles(place, sections=sections, theta=theta, layout="blocks" if positions == "1d" else layout)
    document = np.repeat(np.arange(-1, questions), [seen, *[2] * questions])
    mask = np.tril((document == -1) | (document[:, None] == document))
    modality = np.repeat([IMAGE if frames == 1 else VIDEO, TEXT], [seen, 2 * questions])
    return Layout(turned, mask, modality)


def ask(weights, pixels, questions, told):
    """Logits (B, Q, words) float32 of each question's answer: as `nn.vision.Reader.ask`.

    pixels (B, H, W, 3) uint8, questions (B, Q, 2) ids, told a Layout.
    """
    tokens = see(weights, pixels)
    x = _linear(weights, "projector.2", gelu(_linear(weights, "projector.0", tokens)))
    words = weights["small.word.weight"][questions].reshape(len(x), -1, x.shape[-1])
    x = np.concatenate([x, words], axis=1) + weights["small.modality.weight"][told.modality]
    return decode(weights, x, told.angles, told.mask)[:, tokens.shape[1] + 1 :: 2]


def decode(weights, x, angles, mask=None, cache=None):
    """Logits (B, N, words) of vectors x (B, N, width): as `nn.small.Small`, whose names begin with "small." here.

    angles (N, pairs) or (B, N, pairs); mask bool, True = may attend, a row for each token of x and a column for each
    token so far, or such a table for each of the batch, or None for causal; cache a list, [] at first.
    """
    past = cache[0][0].shape[2] if cache else 0
    if mask is None:
        mask = np.tril(np.ones((x.shape[1], past + x.shape[1]), bool), past)
    layers = sum(name.startswith("small.") and name.endswith(".out.weight") for name in weights)
    for i in range(layers):
        kept = None if cache is None else cache[i] if i < len(cache) else ()
        x, kept = block(weights, f"small.blocks.{i}.", x, angles, mask, kept)
        if cache is not None:
            cache[i:] = [kept, *cache[i + 1 :]]
    return (rms(x) * weights["small.gain"]) @ weights["small.head.weight"].T


def see(weights, pixels):
    """Visual tokens (B, N, width) of pixels (B, H, W, 3) uint8: as `nn.vision.Vision`, whose names begin "vision."."""
    x = pixels.astype(np.float32) / np.float32(127.5) - 1
    for i, (stride, last) in enumerate(((2, False), (2, False), (3, True))):
        x = convolve(x, weights[f"vision.stem.{i}.weight"], weights[f"vision.stem.{i}.bias"], stride)
        x = x if last else gelu(x)
    rows, columns = (between(n).astype(np.float32) @ table for n, table in zip(x.shape[1:3], weights["vision.places"]))
    x = (x + rows[:, None] + columns).reshape(len(x), -1, x.shape[-1])
    layers = sum(name.startswith("vision.") and name.endswith(".out.weight") for name in weights)
    for i in range(layers):
        x, _ = block(weights, f"vision.blocks.{i}.", x)
    return rms(x) * weights["vision.gain"]


def block(weights, name, x, angles=None, mask=None, kept=None):
    """One layer of either: x (B, N, width) -> the same, and the keys and values that a cache keeps (None without)."""
    gains, sharpness = weights[name + "gains"], weights[name + "sharpness"]
    split = _linear(weights, name + "queries_keys_values", rms(x) * gains[0])
    split = split.reshape(*x.shape[:2], 3, len(sharpness), -1)  # (B, N, 3, heads, d)
    queries, keys, values = split.transpose(2, 0, 3, 1, 4)  # each (B, heads, N, d)
    queries, keys = rms(queries) * sharpness[:, None, None], rms(keys)
    if angles is not None:
        queries, keys = rotate(queries, angles), rotate(keys, angles)
    if kept:
        keys, values = (np.concatenate(pair, axis=2) for pair in zip(kept, (keys, values)))
    scores = queries @ keys.swapaxes(-1, -2)
    if mask is not None:
        scores = np.where(mask if mask.ndim == 2 else mask[:, None], scores, -np.inf)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    seen = (powers / powers.sum(axis=-1, keepdims=True)) @ values  # (B, heads, N, d)
    x = x + _linear(weights, name + "out", seen.swapaxes(1, 2).reshape(x.shape))
    hidden = np.maximum(_linear(weights, name + "up", rms(x) * gains[1]), 0) ** 2
    return x + _linear(weights, name + "down", hidden), None if kept is None else (keys, values)


def rms(x):
    """x over the root of its mean square, along the last axis."""
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(1e-6))


def rotate(x, angles):
    """Turn the pairs (i, i + d/2) of x (B, heads, N, d) by angles (N, d/2) or (B, N, d/2)."""
    angles = np.expand_dims(angles, -3)
    first, second = np.split(x, 2, axis=-1)
    cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def convolve(x, kernel, bias, stride):
    """x (B, H, W, C) with kernel (out, C, k, k), one pixel of zeros around it, each `stride`-th place."""
    side = kernel.shape[-1]
    x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = sliding_window_view(x, (side, side), axis=(1, 2))[:, ::stride, ::stride]  # (B, h, w, C, k, k)
    rows = windows.reshape(*windows.shape[:3], -1)
    return rows @ kernel.reshape(len(kernel), -1).T + bias


def between(n):
    """How n places mix the rows of a table of PLACES: (n, PLACES) float64, each row two weights that sum to 1.

    >>> between(4)[1].round(2).tolist()
    [0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0]
    """
    at = ((np.arange(n) + 0.5) * PLACES / n - 0.5).clip(0, PLACES - 1)
    return np.maximum(0, 1 - abs(at[:, None] - np.arange(PLACES)))


def gelu(x):
    """x times about the share of a normal distribution below x, by the usual formula with tanh."""
    return x * (1 + np.tanh(np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3))) / 2


def _linear(weights, name, x):
    y = x @ weights[f"{name}.weight"].T
    return y + weights[f"{name}.bias"] if f"{name}.bias" in weights else y
