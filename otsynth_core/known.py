"""What a stage of the solver knows of its image: nothing, or all but a hole. What is known stays as it is.

In a hole the marginal is eased: with n patches to be found beside m that stand for themselves, psi goes the share
sqrt(n / (n + m)) of the way to the maximum of F. A large hole has to hold what the rest holds, a small one need not.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from functools import cached_property

import numpy as np

from . import holes
from .holes import View
from .kernels import Array, Kernels
from .progress import portions

FINAL, FINAL_KNOWN = 5, 3
"""Powers to which the weights of votes are raised when the result is put together: joints are less blurred. In a hole
they tell good from bad more as they are."""
TOLERANCE = 0.1
"""Of votes in a hole, see `Nothing`. It is small: a mean of what fits badly is no structure, and the next round would
look for what is like it."""
TRUST, DEEP = 1.5, 6
"""How much more a vote counts for every pixel that its patch lies nearer to what is known; so many pixels at most."""
NOISE = 1.0
"""Deviations of the exemplar, of the noise over what is smooth in the hole at first: another seed, another result."""
NEVER = -1e30
"""Potential of a patch that must not be taken."""
LEAST = 1e-20
"""Weight of the votes of what is known, where others have one."""


class Nothing:
    """An image that is made anew: every patch is to be found, among all of the exemplar's.

    tolerance: the cost, in mean costs, with which a vote counts 1/e; wary: of votes where all pairs are compared, too.
    """

    share = 1.0
    tolerance, wary = 1.0, False
    origin = 0, 0
    free: Array = None

    def begun(self, C: Array) -> Generator[None, None, Array]:
        """A field to start from. Yields on the way."""
        yield
        return C

    def potentials(self, kernels: Kernels, positions: tuple[int, int]) -> Array:
        """Those of the exemplar's patches to start from."""
        return kernels.array(np.zeros(positions, np.float32))

    def drawn(self, rng: np.random.Generator) -> Array | None:
        """An image to start from, if there is one."""
        return None

    def sought(self, X: Array, Y: Array, psi: Array) -> tuple[Array, Array, Array]:
        """The descriptors of what is to be found, of what may be taken, and its potentials."""
        return X, Y, psi

    def eased(self, psi: Array, ascended: Array) -> Array:
        """The potentials after ascent."""
        return ascended

    def spread(self, psi: Array, whole: Array) -> Array:
        """The potentials of all patches from those of what may be taken."""
        return psi

    def take(self, found: Array, C: Array, rows: slice) -> None:
        """Writes into a field what was found for some rows of what was sought."""
        C[:, rows] = found

    def hold(self, C: Array, cost: Array, rows: slice) -> None:
        """Undoes, in some rows of a field and its costs, what must not have changed."""

    def trusted(self, weight: Array, rows: slice) -> Array:
        """The weights of some rows' votes."""
        return weight

    def shown(self, u: Array, rows: slice) -> Array:
        """Some rows of the image from what was voted."""
        return u

    def final(self, weight: Array, rows: slice) -> Array:
        """The weights with which some rows are put together at the end."""
        return weight**FINAL


class Known(Nothing):
    """An image that is known but for a hole: see `holes.View`. Patches that are not pinned are to be found.

    share: of patches that are to be found; free: bool, which are.
    """

    tolerance, wary = TOLERANCE, True

    def __init__(self, kernels: Kernels, view: View) -> None:
        array, free = kernels.array, ~view.pinned
        self._kernels, self._view = kernels, view
        self.share, self.origin = float(free.mean()), view.origin
        self._own = [array(own) for own in view.own]
        self.free, self._image, self._hole = array(free), array(view.image), array(view.mask[..., None])
        side = view.mask.shape[0] - free.shape[0] + 1
        depth = holes.depth(view.mask, DEEP)[side // 2 :, side // 2 :][: free.shape[0], : free.shape[1]]
        self._trust = array((1 / TRUST ** np.arange(DEEP + 1)).astype(np.float32)[depth])

    @cached_property
    def _sought(self) -> Array:
        """Which patches are to be found, read as one vector. It and the next are large and not always needed."""
        return self._kernels.array(np.flatnonzero(~self._view.pinned))

    @cached_property
    def _stock(self) -> Array:
        return self._kernels.array(self._view.positions)

    def begun(self, C: Array) -> Generator[None, None, Array]:
        down, across = (self._kernels.array(line) for line in (yield from holes.nearest(self._view.allowed)))
        begun = self._kernels.empty(C.shape, C)
        for rows in portions(*self.free.shape):
            i, k = C[:, rows]
            begun[0, rows], begun[1, rows] = down[i, k], across[i, k]
            self._keep(begun, rows)
            yield
        return begun

    def _keep(self, C: Array, rows: slice) -> None:
        """In some rows of a field, patches that are not to be found stand for themselves."""
        down, across = self._own
        for line, own in zip(C, (down[rows, None], across), strict=True):
            line[rows] = own + self.free[rows] * (line[rows] - own)

    def potentials(self, kernels: Kernels, positions: tuple[int, int]) -> Array:
        """So low that it keeps what may not be taken from being taken."""
        return kernels.array(np.where(self._view.allowed, np.float32(0), np.float32(NEVER)))

    def drawn(self, rng: np.random.Generator) -> Array | None:
        deviations = self._view.mask[..., None] * (NOISE * self._view.exemplar.std((0, 1)))
        return self._image + self._kernels.array(rng.standard_normal(deviations.shape).astype(np.float32) * deviations)

    def sought(self, X: Array, Y: Array, psi: Array) -> tuple[Array, Array, Array]:
        x = X.reshape(-1, 1, X.shape[2])[self._sought]
        i, j = self._stock
        return x, Y[i, j][:, None], psi[i, j][:, None]

    def eased(self, psi: Array, ascended: Array) -> Array:
        n, m = len(self._sought), self._stock.shape[1]
        return psi + math.sqrt(n / (n + m)) * (ascended - psi)

    def spread(self, psi: Array, whole: Array) -> Array:
        whole[self._stock[0], self._stock[1]] = psi[:, 0]
        return whole

    def take(self, found: Array, C: Array, rows: slice) -> None:
        C.reshape(2, -1)[:, self._sought[rows]] = self._stock[:, found[0, :, 0]]

    def hold(self, C: Array, cost: Array, rows: slice) -> None:
        self._keep(C, rows)
        cost[rows] *= self.free[rows]

    def trusted(self, weight: Array, rows: slice) -> Array:
        return weight * self._trust[rows]

    def shown(self, u: Array, rows: slice) -> Array:
        return self._image[rows] + self._hole[rows] * (u - self._image[rows])

    def final(self, weight: Array, rows: slice) -> Array:
        return (weight**FINAL_KNOWN * self.free[rows]).clip(LEAST)
