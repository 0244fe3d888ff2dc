"""Patch descriptors: the principal components of an exemplar's patches, so that a patch is k numbers, not s s C."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

SAMPLE = 3 * 2**19
"""Numbers in the sample of patches whose principal axes are taken: some 20000 patches of 5 px, colour."""
SQUARED = 256
"""Most numbers of a vector of whose covariance all entries are found: of more, it is only multiplied by."""
SPARE = 8
"""How many more axes are iterated on than are wanted, so that the last of these converge as well."""
ITERATIONS = 4
LANES = 4
"""Numbers in a descriptor are a multiple of so many: processors work on as many at once, and compilers are asked for
few lengths."""


@dataclass(frozen=True)
class Basis:
    """x = V^T (p - mu) for a patch p, an s x s x C block read as one vector in (row, column, channel) order."""

    side: int
    mean: np.ndarray  # (s s C,) mu
    axes: np.ndarray  # (s s C, k) V, orthonormal columns
    deviations: np.ndarray  # (k,) of the components

    @property
    def channels(self) -> int:
        """Of the image whose patches are described."""
        return len(self.mean) // self.side**2

    @property
    def variance(self) -> float:
        """Of all components together: the scale of |x_i - y_j|^2."""
        return float((self.deviations**2).sum())


@dataclass(frozen=True)
class Descriptor:
    """How the patches of one image are described: by a basis, and by where they stand in a period if there is one.

    x = (V^T p - V^T mu, rows of i's row, columns of i's column). An axis that wraps is read in a circle.
    """

    side: int
    wrap: tuple[bool, bool]
    axes: Any  # (s s C, k) V
    offset: Any  # (k,) V^T mu
    rows: Any  # (fh, a) phase of each row of patches, a = 0 where there is no period
    columns: Any  # (fw, b) phase of each column, and zeros

    @property
    def k(self) -> int:
        """Numbers in a descriptor."""
        return self.axes.shape[1] + self.rows.shape[1] + self.columns.shape[1]

    def field(self, height: int, width: int) -> tuple[int, int]:
        """Patches of an image of this size, down and across."""
        return count((height, width), self.side, self.wrap)

    def times(self, factor: float) -> Descriptor:
        """The same, but that descriptors are so many times as large."""
        return replace(self, **{name: factor * getattr(self, name) for name in ("axes", "offset", "rows", "columns")})

    def on(self, array: Callable[[np.ndarray], Any]) -> Descriptor:
        """The same in a provider's arrays."""
        names = ("axes", "offset", "rows", "columns")
        return replace(self, **{name: array(getattr(self, name)) for name in names})


def count(size: tuple[int, int], side: int, wrap: tuple[bool, bool] = (False, False)) -> tuple[int, int]:
    """How many patches an image of size (height, width) has, down and across; an axis that wraps is a circle."""
    down, across = (n if wraps else n - side + 1 for n, wraps in zip(size, wrap, strict=True))
    return down, across


def unrolled(image: np.ndarray, side: int, around: tuple[bool, bool]) -> np.ndarray:
    """(H, W, C) and, along an axis that goes around, its first side - 1 rows or columns again: one patch a pixel."""
    more = [(0, (side - 1) * goes) for goes in around]
    return np.pad(image, [*more, (0, 0)], mode="wrap") if any(around) else image


def rarity(size: tuple[int, int], side: int, around: tuple[bool, bool]) -> np.ndarray:
    """float32 (H, W): of how many patches a pixel would be, in the middle of an image, over those that it is of."""
    lines = []
    for n, goes in zip(size, around, strict=True):
        i, most = np.arange(n), min(side, n - side + 1)
        own = np.minimum(np.minimum(i + 1, n - i), most)
        lines.append(np.ones(n) if goes else most / own)
    return np.outer(*lines).astype(np.float32)


def descriptor(basis: Basis, wrap: tuple[bool, bool], phases: tuple[np.ndarray, np.ndarray]) -> Descriptor:
    """The descriptor by a basis and the phases of rows (fh, a) and columns (fw, b) of patches, filled up with zeros."""
    rows, columns = phases
    spare = -(basis.axes.shape[1] + rows.shape[1] + columns.shape[1]) % LANES
    columns = np.pad(columns, [(0, 0), (0, spare)])
    return Descriptor(basis.side, wrap, basis.axes, basis.mean @ basis.axes, rows, columns)


def windows(image: np.ndarray, side: int) -> np.ndarray:
    """A view (H - side + 1, W - side + 1, side, side, C) of every `side` x `side` block of an image (H, W, C)."""
    height, width, channels = image.shape
    shape = (height - side + 1, width - side + 1, side, side, channels)
    return as_strided(image, shape, (*image.strides[:2], *image.strides), writeable=False)


def basis(exemplar: np.ndarray, side: int, components: int, rng: np.random.Generator) -> Basis:
    """The `components` leading principal axes of the exemplar's patches (fewer if a patch has fewer numbers)."""
    blocks = windows(exemplar, side)
    eh, ew = blocks.shape[:2]
    numbers = side * side * exemplar.shape[2]
    most = SAMPLE // numbers
    sample = blocks if eh * ew <= most else blocks[rng.integers(eh, size=most), rng.integers(ew, size=most)]
    p = sample.reshape(-1, numbers)
    mean = p.mean(0, np.float64).astype(np.float32)
    values, axes = leading(p - mean, components, rng)
    deviations = np.sqrt(values.clip(0))  # rounding makes a variance of nothing negative
    return Basis(side, mean, np.ascontiguousarray(axes, np.float32), deviations)


def leading(p: np.ndarray, k: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The k largest variances, descending, and axes, in columns, of float32 vectors p (m, n) of mean 0; at most n.

    By subspace iteration (Halko et al., *Finding Structure with Randomness*, 2011, algorithm 4.4), for of the frames
    of grafts, n = 845, a few are wanted of many. Where variances hardly differ it finds others as good.
    """
    n, S = p.shape[1], p.T @ p if p.shape[1] <= SQUARED else None

    def times(Q: np.ndarray) -> np.ndarray:
        """p^T p Q / m, multiplied from the left, which is faster."""
        R = Q.T.astype(np.float32)
        product = R @ p.T @ p if S is None else R @ S
        return product.T.astype(np.float64) / len(p)

    Q = rng.standard_normal((n, min(n, k + SPARE)))
    for _ in range(ITERATIONS):
        Q = np.linalg.qr(times(Q))[0]
    values, V = np.linalg.eigh(Q.T @ times(Q))  # ascending
    return values[::-1][:k], (Q @ V)[:, ::-1][:, :k]
