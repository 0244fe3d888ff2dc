"""Semi-dual potentials: one for every exemplar patch at coarse levels, shared by groups of them at fine ones.

W(u) = max_psi F(psi), F(psi) = 1/n sum_i min_j (|x_i - y_j|^2 - psi_j) + 1/m sum_j psi_j  (Houdard et al. 2021).
At the maximum every exemplar patch is used equally often: this is what keeps the composition of the result right.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from .kernels import GPUS, Array, Kernels, Scalar, bands

ANNEALING = (0.06, 0.01)
"""Entropic regularisation lam, as a share of the descriptors' variance, of the first and the last steps of a round.

The last alone, started from the round before, does not keep up with an image that changes: small lam moves mass
between distant groups of patches slowly, and the composition swings from one to the other.
"""
PAIRS = 2**21
"""About the most pairs of patches that are looked at in a step, and kept: beyond, a lattice of the image's patches
stands for all. On real textures the result is as near to the exemplar with a fourth, and with eight times as many."""
STEPS = 3
"""Of the ascent, under each lam of `ANNEALING`."""

CELL = 8
"""Side, in exemplar positions, of the cells that share one potential at fine levels."""
CLASSED = 4
"""Leading principal components by which patches are classed, in four ranges each."""
RANKS = 16
"""Ranks of busyness, as many patches in each."""
RANKED = 2**16
"""About how many patches the bounds of the ranks are taken from, at most."""
GROUPED, ON_GPU = 2**15, 2**22
"""About so many patches are grouped at a time: on a processor, what is read of them is near then."""
PACES = (1.1, 3.0, 3.0)
"""How fast the potentials of cells, classes and ranks rise, in costs of a typical patch a round."""


def ascended(kernels: Kernels, X: Array, Y: Array, psi: Array, scale: float, among: Array | None = None) -> Array:
    """psi near the maximum of F for these patches, started from psi: ascent on the entropic semi-dual, annealed.

    scale: variance of the exemplar's descriptors, `Basis.variance`. among: (h, w) above 0 for the patches that count.
    """
    if scale <= 0:  # one patch everywhere: there is nothing to choose
        return psi
    at = kernels.array(_lattice((X.shape[0], X.shape[1]), math.prod(X.shape[:2]) * math.prod(Y.shape[:2]) / PAIRS))
    lattice = X.reshape(-1, X.shape[2])[at]
    if among is not None:
        there = among.reshape(-1)[at] > 0
        lattice = lattice[there] if there.any() else X[among > 0]
    for lam in ANNEALING:
        psi = kernels.ascend(lattice[:, None], Y, psi, lam * scale, STEPS)
    return psi


def _lattice(shape: tuple[int, int], thinner: float) -> np.ndarray:
    """int (n): patches (rows, columns), read as one vector, that lie on a Fibonacci lattice which is so many times as
    thin, or a little more: a row or column of it misses none of the phases of what repeats."""
    shift, every = 1, 1
    while every < thinner:
        shift, every = every, shift + every
    rows, columns = np.indices(shape, sparse=True)
    return np.flatnonzero((shift * rows + columns) % every == 0)


@dataclass(frozen=True)
class Groups:
    """A partition of the exemplar's positions. Those of a group share one potential, their part of psi."""

    of: Array  # int32 (eh, ew), the group of each position
    fair: Array  # float32 (groups,), the share of all positions that are in it
    pace: float

    def used(self, kernels: Kernels, C: Array) -> Array:
        """How many patches of a field, or of some of its rows, show each group: float32 (groups,)."""
        return kernels.counts(self.of.reshape(-1)[C[0] * self.of.shape[1] + C[1]], len(self.fair))

    def balanced(self, potentials: Array, used: Array, scale: Scalar) -> Array:
        """Of each group b, potential + step (1 - use_b / fair use_b): dF/dpsi_b over the fair share, bounded below.

        used: by the whole field. scale: the cost of a typical patch, so that potentials and costs stay comparable; the
        square of the mean root, for a few patches that match nothing would lift the mean above all the others.
        """
        fair = self.fair.clip(1e-9)  # of an empty group any potential is right
        return potentials + self.pace * scale * (1 - used / used.sum() / fair).clip(-2)


def groups(kernels: Kernels, Y: Array, deviations: np.ndarray) -> Generator[None, None, tuple[Groups, Groups, Groups]]:
    """By where patches stand, in cells of `CELL` x `CELL` positions, by what they show, in classes, and by how busy.

    Cells keep every place in use, but a cell that holds something rare is served by whatever stands around it: classes
    keep kinds in use. deviations: of the components of Y; a class is a range of each of the first `CLASSED`, parted at
    -1, 0 and 1 deviation. Ranks are by the energy beyond the first component: votes are means, so what is
    smooth is always near, and would win everywhere by a little. A rank means the same at every level: its potential, in
    costs of a typical patch as a level begins, is taken up to the next. Yields on the way.
    """
    shape = Y.shape[:2]
    down, across = (np.arange(side, dtype=np.int32) // CELL for side in shape)
    cells = kernels.array(down[:, None] * (across[-1] + 1) + across)
    one = kernels.array(np.ones(Y.shape[2], np.float32))
    classes, busy = kernels.empty(shape, cells), kernels.empty(shape, one)
    height = (ON_GPU if kernels.name in GPUS else GROUPED) // shape[1]
    for rows in bands(slice(0, shape[0]), height):
        of, y = 0 * cells[rows], one * Y[rows]  # floats, where descriptors are whole numbers
        for k, deviation in enumerate(deviations[:CLASSED].tolist()):
            of = 4 * of + (y[..., k] > -deviation) + (y[..., k] > 0) + (y[..., k] > deviation)
        classes[rows], busy[rows] = of, (y[..., 1:] ** 2).sum(2)
        yield
    stride = math.ceil(math.sqrt(math.prod(shape) / RANKED))
    bounds = np.quantile(kernels.numpy(busy[::stride, ::stride]), np.arange(1, RANKS) / RANKS)
    ranks = 0 * cells
    for bound in bounds.tolist():
        ranks += busy > bound
        yield
    numbers = int(down[-1] + 1) * int(across[-1] + 1), 4 ** len(deviations[:CLASSED]), RANKS
    made = []
    for of, number, pace in zip((cells, classes, ranks), numbers, PACES, strict=True):
        used = 0
        for rows in bands(slice(0, shape[0]), height):
            used = used + kernels.counts(of[rows], number)
            yield
        made.append(Groups(of, used / math.prod(shape), pace))
    return made[0], made[1], made[2]
