"""The numbers in the questions of the primer page on attention."""

import math

import numpy as np

from mmtokedu import patches


def may_attend(N):
    """True entries of a causal mask."""
    return int(np.tril(np.ones((N, N), bool)).sum())


def without_itself(N):
    return int(np.tril(np.ones((N, N), bool), -1).sum())


def all_pairs(N):
    return N * N


def draws_level(D):
    """The first length at which the two products of the table cost as much as the three projections."""
    N = np.arange(1, 4 * D)
    return int(N[2 * N**2 * D >= 3 * N * D**2][0])


def one_product(D):
    """Where the table is taken for one product."""
    return 3 * D


def one_projection(D):
    """Where the projections are taken for one product."""
    return D // 2


def sides_alike(D):
    return D


def scores(side, patch):
    """Entries of the table of a photo: every patch asks every patch."""
    return patch_count(side, patch) ** 2


def patch_count(side, patch):
    return len(patches.patchify(np.zeros((side, side, 3), np.uint8), patch))


def along_one_side(side, patch):
    return side // patch


def half_the_table(side, patch):
    return may_attend(patch_count(side, patch))


def spread(d):
    """Of the dot product of two vectors of d independent numbers with mean 0 and spread 1."""
    return math.isqrt(d)


def entries(d):
    return d


def larger_share(gap):
    """In percent, of two scores that differ by so much: e to one, divided by the sum."""
    powers = np.exp([gap, 0.0])
    return 100 * powers[0] / powers.sum()


def smaller_share(gap):
    return 100 - larger_share(gap)


def ratio(gap):
    """The smaller share as a percentage of the larger."""
    return 100 * math.exp(-gap)
