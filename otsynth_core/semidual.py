"""Semi-dual potentials: over all exemplar patches at coarse levels, per cell of positions at fine ones.

W(u) = max_psi F(psi), F(psi) = 1/n sum_i min_j (|x_i - y_j|^2 - psi_j) + 1/m sum_j psi_j  (Houdard et al. 2021).
At the maximum every exemplar patch is used equally often: this is what keeps the composition of the result right.
"""

from __future__ import annotations

import math

import numpy as np

from .kernels import Array, Kernels

ANNEALING = (0.06, 0.01)
"""Entropic regularisation lam, as a share of the descriptors' variance, of the first and the last steps of a round.

The last alone, started from the round before, does not keep up with an image that changes: small lam moves mass
between distant groups of patches slowly, and the composition swings from one to the other.
"""
PAIRS = 2**24
"""Most pairs of patches that are looked at in a step. Beyond, a lattice of the image's patches stands for all.

A lattice of many is safe. Where there are few it would miss some, and the potentials of rare patches would swing.
"""
STEPS = 3

CELL = 8
"""Side, in exemplar positions, of the cells that share one potential at fine levels."""
PACE = 0.3


def ascended(kernels: Kernels, X: Array, Y: Array, psi: Array, scale: float) -> Array:
    """psi near the maximum of F for these patches, started from psi: ascent on the entropic semi-dual, annealed.

    scale: variance of the exemplar's descriptors, `Basis.variance`.
    """
    if scale <= 0:  # one patch everywhere: there is nothing to choose
        return psi
    stride = math.ceil(math.sqrt(math.prod(X.shape[:2]) * math.prod(Y.shape[:2]) / PAIRS))
    lattice = X[::stride, ::stride]
    for lam in ANNEALING:
        psi = kernels.ascend(lattice, Y, psi, lam * scale, STEPS)
    return psi


def fair_use(shape: tuple[int, int]) -> np.ndarray:
    """The share of an exemplar's positions, (eh, ew) = shape, that lie in each cell: (cells down, cells across)."""
    rows, columns = (np.bincount(np.arange(side) // CELL) for side in shape)
    return (np.outer(rows, columns) / (shape[0] * shape[1])).astype(np.float32)


def balanced(kernels: Kernels, cells: Array, C: Array, fair: Array, cost: Array, shape: tuple[int, int]) -> Array:
    """psi_b + step (1 - use_b / fair use_b) for each cell b: dF/dpsi_b over the fair share, known from the field alone.

    The step is a share of the mean cost, so that potentials and costs stay comparable.
    """
    return cells + PACE * kernels.mean(cost) * (1 - kernels.use(C, CELL, shape) / fair).clip(-2, 1)
