"""Positions along several axes: where each token of a sequence is, which of its pairs turn with which axis, how far."""

import numpy as np

from mmtokedu._dispatch import has_cuda_twin
from mmtokedu.arguments.mrope import (
    check_out,
    check_pairing,
    check_places,
    check_positions,
    check_quarters,
    check_rotation,
    check_sections,
    check_spans,
    check_theta,
)
from mmtokedu.catalog import positions as catalog
from mmtokedu.catalog.positions import PAIRINGS
from mmtokedu.catalog.positions import Audio as Audio
from mmtokedu.catalog.positions import Text as Text
from mmtokedu.catalog.positions import Vision as Vision
from mmtokedu.catalog.positions import Woven as Woven

BLOCK = 2**16  # numbers that are turned at a time: with what is worked out for them they stay in the cache

# Where each token is


def position_ids_plain(segments):
    """The (t, h, w) of each token as Qwen2-VL counts: the version to read, and what the other is held to. (3, N) int64.

    Words count up on all three axes at once. A picture or film begins one after what came before, counts along each
    axis of its grid, and what follows begins one after its largest id. Text has at least one token here.

    Source: Qwen2-VL (arXiv 2409.12191).

    >>> position_ids_plain([Text(2), Vision(1, 2, 2), Text(1)]).tolist()
    [[0, 1, 2, 2, 2, 2, 4], [0, 1, 2, 2, 3, 3, 4], [0, 1, 2, 3, 2, 3, 4]]
    """
    ids, start = [], 0
    for segment in segments:
        if isinstance(segment, Text):
            t = h = w = np.arange(segment.n)
        else:
            t, h, w = (axis.ravel() for axis in np.indices(segment[:3]))
        ids.append(np.stack([t, h, w]) + start)
        start = ids[-1].max() + 1
    return np.concatenate(ids, axis=1)


def position_ids(segments, *, rule="qwen2-vl", resume="after-max"):
    """The position of each token on each axis: (A, N), int64, or float64 where the rule has fractions.

    segments is a list of Text(n), Vision(t, h, w, step=1), Audio(n, step=1) and Woven((Vision, Audio), rule), counted
    in tokens: the grid is the one after the merge, a row's end is a column where the system has one (HunYuan-VL). A is
    3, (t, h, w); 4 for HunYuan-VL. A frame's t is start + int(i * step), with its fraction where the rule keeps it.
    `rule` is a model of the catalog. `resume` says where text goes on after a film: "after-max" is every authors' own
    way, "spatial" that of transformers from 5.3 on, "last-piece" its way after a film woven with sound.

    Raises ValueError for an unknown rule or resume, empty grids, counts and steps that are negative or not finite, a
    step, film or woven film that the rule does not have; TypeError for what is no segment or no number.
    Source: each rule's row in `mmtokedu/catalog/positions.toml`.

    >>> position_ids([Text(1), Vision(3, 1, 2), Text(2)]).tolist()[0]
    [0, 1, 1, 2, 2, 3, 3, 4, 5]
    >>> position_ids([Text(1), Vision(3, 1, 2), Text(2)], resume="spatial").tolist()[0]  # inside the film
    [0, 1, 1, 2, 2, 3, 3, 3, 4]
    >>> position_ids([Text(1), Vision(3, 1, 1, step=2.5)], rule="qwen2.5-vl").tolist()[0]
    [0, 1, 3, 6]
    """
    return catalog.segment_ids(rule, segments, resume)


def decode_offset(segments, *, rule="qwen2-vl", resume="after-max"):
    """What to add to a token's index after these segments to have its position: the largest id, plus 1, minus N.

    A prompt with pictures has smaller ids than tokens, so generation must not go on at N. It is an int, or a float
    where the rule has fractions; of no segments it is 0. Where text goes on inside a film ("spatial", VideoRoPE), what
    is generated may jump ahead of where the same words in the prompt would be: so it is in production.

    Raises as `position_ids`.
    Source: transformers 5.23.0, `mrope_position_deltas` of `get_rope_index`.

    >>> prompt = [Text(2), Vision(1, 2, 3), Text(1)]
    >>> decode_offset(prompt), position_ids([*prompt, Text(1)])[:, -1].tolist()  # token 9 is at 9 - 3
    (-3, [6, 6, 6])
    """
    ids = position_ids(segments, rule=rule, resume=resume)
    return (ids.max() + 1 - ids.shape[1]).item() if ids.size else 0


def segments_of(sequence, grids):
    """The segments of a sequence that `interleave` made: its spans as pictures, films and sounds, all else as text.

    grids has one entry a span, in order: (t, h, w) or (t, h, w, step) in tokens for a picture or film, None or a step
    for a sound. What lies between spans, markers included, is text; neighbours join.

    Raises ValueError for another number of grids than of spans, and for a grid that does not fill its span.

    >>> from types import SimpleNamespace
    >>> segments_of(SimpleNamespace(ids=range(9), spans=[[2, 8]]), [(1, 2, 3)])
    [Text(n=2), Vision(t=1, h=2, w=3, step=1), Text(n=1)]
    """
    segments, done = [], 0
    for start, stop, grid in check_spans(sequence.spans, len(sequence.ids), grids):
        segments += [Text(start - done)] if start > done else []
        segments.append(Vision(*grid) if isinstance(grid, tuple) else Audio(stop - start, 1 if grid is None else grid))
        done = stop
    return segments + ([Text(len(sequence.ids) - done)] if len(sequence.ids) > done else [])


# Which pair turns with which axis, and how far


def axis_of_pair(sections, *, layout="blocks"):
    """The axis that turns each rotary pair: (pairs,) int64, fastest pair first; 0 is t, 1 h, 2 w, 3 a fourth.

    sections says how many pairs each axis has. Layouts: "blocks", one axis after the other (Qwen2-VL, GLM-4V,
    HunYuan); "interleaved", the axes take turns and what is left is t's (Qwen3-VL); "videorope", h and w take turns,
    then t has the slowest (also ERNIE 4.5); "hope", the same but what would be t's does not turn, -1; "mmrope",
    t t h w h w h w over and over.

    Raises ValueError for another layout, and for sections that the layout cannot hold.
    Source: Qwen2-VL (arXiv 2409.12191), Qwen3-VL (arXiv 2511.21631), VideoRoPE (arXiv 2502.05173), HoPE (arXiv
    2505.20444), and transformers 5.23.0.

    >>> axis_of_pair((2, 3, 3)).tolist()
    [0, 0, 1, 1, 1, 2, 2, 2]
    >>> axis_of_pair((4, 2, 2), layout="interleaved").tolist()
    [0, 1, 2, 0, 1, 2, 0, 0]
    """
    sections = check_sections(sections, layout)
    pairs, axes = sum(sections), np.arange(len(sections))
    if layout == "blocks":
        return np.repeat(axes, sections)
    if layout == "interleaved":
        turn, axis = np.divmod(np.arange(pairs), len(sections))
        return np.where(turn < np.asarray(sections)[axis], axis, 0)
    t, h, _ = sections
    if layout == "mmrope":
        return np.tile([0, 0, 1, 2, 1, 2, 1, 2], t // 2)
    return np.concatenate([np.tile([1, 2], h), np.full(t, 0 if layout == "videorope" else -1)])


def angles(positions, *, sections, theta=10000.0, layout="blocks"):
    """How far each token's pairs turn: positions (A, ...) along the A axes -> (..., pairs) float64, in radians.

    Pair i turns by theta ** (-i / pairs) for each step along its axis; a pair of no axis (-1) never turns. With one
    section the positions may be (N,): rotary positions in one dimension.

    Raises ValueError for positions of another number of axes, besides what `axis_of_pair` refuses.
    Source: RoFormer (arXiv 2104.09864), and as `axis_of_pair`.

    >>> angles([0, 1, 2], sections=(2,), theta=100).round(2).tolist()
    [[0.0, 0.0], [1.0, 0.1], [2.0, 0.2]]
    >>> angles([[5], [1], [2]], sections=(1, 1, 1), theta=1000).round(2).tolist()
    [[5.0, 0.1, 0.02]]
    """
    axis, speeds = _ladder(sections, theta, layout)
    return _angles(check_positions(positions, len(tuple(sections))), axis, speeds)


def _ladder(sections, theta, layout):
    """(axis, speed) of each pair, fastest first: a speed is in radians a step, 0 where no axis turns it."""
    axis = axis_of_pair(sections, layout=layout)
    speeds = check_theta(theta) ** (-np.arange(len(axis)) / len(axis))
    return np.maximum(axis, 0), np.where(axis < 0, 0.0, speeds)


def _angles(positions, axis, speeds):
    """positions (A, ...) -> (..., pairs): one angle for each token and pair."""
    return np.moveaxis(positions[axis], 0, -1) * speeds


# Turning


@has_cuda_twin
def rotate(x, positions, *, sections, theta=10000.0, layout="blocks", pairing="half", width=None, out=None):
    """Turn the pairs of queries or keys by their tokens' positions: (..., N, D) -> the same.

    x is an array of floats (..., N, D), or (queries, keys), which come back as a pair; positions (A, N), or (A, ..., N)
    with an axis for each axis of x that has positions of its own. Pair i is (i, i + D/2), or (2i, 2i + 1) with
    pairing="adjacent"; `width` is how many of D turn, where not all do. Angles are worked out in float64 and cast once.
    `out` takes the result, and may be x: then it is turned in place.

    Raises ValueError for sections that do not add up to D or `width`, positions of another shape, negative or not
    finite (tensors on a graphics card are not read back: there such a position turns as far as it says, NaN to NaN);
    TypeError for other than floats.
    Source: RoFormer (arXiv 2104.09864), Qwen2-VL (arXiv 2409.12191).

    >>> quarter = np.pi / 2  # positions may be fractions: here the first pair turns by a quarter
    >>> rotate(np.array([[1.0, 2.0, 3.0, 4.0]]), [[quarter], [0]], sections=(1, 1)).round(6).tolist()
    [[-3.0, 2.0, 1.0, 4.0]]
    """
    axis, speeds = _ladder(sections, theta, layout)
    positions = check_positions(positions, len(tuple(sections)))
    check_pairing(pairing, ("half", "adjacent"))
    return _turned(x, positions, axis, speeds, pairing, width, out)


@has_cuda_twin
def rotate_2d(x, positions, *, style="qwen", theta=None):
    """Turn the pairs of a vision tower's queries or keys: x (..., N, D) or (queries, keys), positions (2, N) as (h, w).

    The styles are those of the catalog: which half of the pairs turns with rows and which with columns, how fast, and
    which numbers make a pair. theta is the style's own unless given.

    Raises ValueError for an unknown style, a D that is no multiple of 4, and positions as `rotate`.
    Source: each style's row in `mmtokedu/catalog/positions.toml`.

    >>> x = np.array([[1.0, 0.0, 0.0, 0.0]])
    >>> [rotate_2d(x, [[1], [0]], style=style).round(2).tolist()[0] for style in ("qwen", "gemma-4")]
    [[0.54, 0.0, 0.84, 0.0], [1.0, 0.0, 0.0, 0.0]]
    """
    tower, axis, speeds = _tower(x, style, theta)
    return _turned(x, check_positions(positions, 2) + tower.first, axis, speeds, tower.pairing, None, None)


def _tower(x, style, theta):
    """The style's row, and (axis, speed) of each pair of a head as wide as x."""
    tower = catalog.row("towers", style)
    quarter = check_quarters(x[0] if isinstance(x, (tuple, list)) else x)
    theta = tower.theta if theta is None else check_theta(theta)
    steps = np.arange(quarter)
    rows, columns = (steps, steps) if tower.ladder == "each" else (steps, steps + 0.5)
    both = np.array([np.zeros(quarter), np.ones(quarter)]), np.array([rows, columns])  # of the axes h and w
    if tower.order.startswith("w"):
        both = [each[::-1] for each in both]
    axis, steps = (each.ravel("F" if tower.order.endswith("in turn") else "C") for each in both)
    return tower, axis.astype(np.int64), theta ** (-steps / quarter)


def turning(model):
    """How a model turns its pairs: the keywords of `rotate`, as its catalog row has them.

    Raises ValueError for a model that is not in the catalog; the message lists those that are.
    Source: the model's row in `mmtokedu/catalog/positions.toml`.

    >>> turning("glm-4v")
    {'sections': (8, 12, 12), 'theta': 10000.0, 'layout': 'blocks', 'pairing': 'adjacent', 'width': 64}
    """
    row = catalog.row("models", model)
    names = "sections", "theta", "layout", "pairing"
    return {name: getattr(row, name) for name in names} | {"width": row.width or None}


def _turned(x, positions, axis, speeds, pairing, width, out):
    """`rotate` once every pair has its axis and its speed; positions (A, ..., N) float64."""
    arrays, targets = check_out(x, out)
    check_rotation(arrays, positions, len(axis), width)
    if positions.size:
        check_places(positions.min(), positions.max())
    angles = _angles(positions, axis, speeds)
    cos, sin = np.cos(angles), np.sin(angles)
    done = []
    for array, target in zip(arrays.values(), targets):
        target = np.empty(array.shape, array.dtype) if target is None else target
        if target is not array and np.may_share_memory(array, target):
            array = array.copy()
        _turn(array, cos, sin, pairing, target)
        done.append(target)
    return tuple(done) if len(done) > 1 else done[0]


def _turn(x, cos, sin, pairing, out):
    """Write x (..., N, D), turned, into out, which may be x; numbers beyond the pairs stay. Some tokens at a time."""
    pairs, tokens = cos.shape[-1], x.shape[-2]
    work = np.result_type(x.dtype, np.float32)
    cos, sin = (_grouped(each.astype(work), pairing) for each in (cos, sin))
    step = max(1, BLOCK * tokens // max(1, x.size))
    for n in range(0, tokens, step):
        some = np.s_[..., n : n + step, :]
        inside = np.s_[..., n : n + step, :, :]
        pieces = x[some].astype(work, copy=False), out[some]
        (first, second), into = (_pairs_of(piece[..., : 2 * pairs], pairing) for piece in pieces)
        turned = first * cos[inside] - second * sin[inside]
        into[1][...] = second * cos[inside] + first * sin[inside]
        into[0][...] = turned
        if out is not x:
            out[some][..., 2 * pairs :] = x[some][..., 2 * pairs :]


def _grouped(each, pairing):
    """(..., pairs) -> (..., groups, pairs in a group): a group's first numbers lie before all its second ones."""
    groups = PAIRINGS[pairing] or each.shape[-1]
    return each.reshape(*each.shape[:-1], groups, each.shape[-1] // groups)


def _pairs_of(x, pairing):
    """The first and the second numbers of each pair of x (..., 2 * pairs): two views, grouped."""
    groups = PAIRINGS[pairing] or x.shape[-1] // 2
    split = x.reshape(*x.shape[:-1], groups, 2, x.shape[-1] // 2 // groups)
    return split[..., 0, :], split[..., 1, :]
