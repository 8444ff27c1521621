"""The numbers in the questions of the primer page on attention."""

import numpy as np


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
