"""Positions along several axes: which pair of a query or key turns with which axis, and how far."""

import numpy as np

from mmtokedu.arguments.mrope import check_positions, check_sections, check_theta


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
    axis = axis_of_pair(sections, layout=layout)
    positions = check_positions(positions, len(tuple(sections)))
    speeds = np.where(axis < 0, 0.0, check_theta(theta) ** (-np.arange(len(axis)) / len(axis)))
    return np.moveaxis(positions[axis], 0, -1) * speeds
