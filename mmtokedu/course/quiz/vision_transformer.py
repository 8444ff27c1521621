"""The numbers in the questions of the primer page on the vision transformer."""

import math

from mmtokedu.catalog import images


def at_the_start(N):
    """The contrastive loss of N pairs where all similarities are equal: every right share is 1 / N."""
    return math.log(N)


def in_bits(N):
    return math.log2(N)


def of_three():
    return math.log(3)


def _weights():
    """Of LLaVA-1.5 with seven billion weights, its matrices: (vision transformer, projector, language model)."""
    llava = images.rows()["llava-1.5"].parameters
    grid, numbers = (llava["side"] // llava["cell"]) ** 2, llava["cell"] ** 2 * 3
    vision = 24 * (4 * 1024**2 + 2 * 1024 * 4096) + (numbers + grid + 1) * 1024
    language = 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 2 * 32000 * 4096
    return vision, 1024 * 4096 + 4096**2, language


def projectors_share():
    """In percent of all weights."""
    return 100 * _weights()[1] / sum(_weights())


def visions_share():
    return 100 * _weights()[0] / sum(_weights())


def one_matrix_share():
    return 100 * 1024 * 4096 / sum(_weights())


def pair_ratio(merge):
    """Pairs of patches over pairs of what is left when merge x merge patches become one row."""
    return merge**4


def row_ratio(merge):
    return merge**2


def side_ratio(merge):
    return merge


def rows_out(side, patch):
    """The patches, and the class token."""
    return (side // patch) ** 2 + 1


def patch_count(side, patch):
    return (side // patch) ** 2


def one_side_out(side, patch):
    return side // patch + 1
