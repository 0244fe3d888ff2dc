"""What lies between exemplars: the Wasserstein barycenter of their patches, as if these were Gaussian.

T = A^(-1/2) (A^(1/2) B A^(1/2))^(1/2) A^(-1/2) carries N(0, A) to N(0, B) optimally, and (1 - t) y + t T y is the
barycenter's point for y. While two pictures a and b are searched together, each exemplar sees the other's picture
carried to its own distribution, (1 - t) a + t T b: two unlike materials are compared by what stands out in each.

Their mean in the end is parted into bands of detail, each half as fine as the one before, and what is left. Of two
bands with deviations r and s that correlate by c, (1 - t) a + t b has the energy
(1 - t)^2 r^2 + t^2 s^2 + 2 t (1 - t) c r s. Unrelated details blur one another: half the energy is lost where t = 1/2.
The barycenter of N(0, r^2) and N(0, s^2) is N(0, ((1 - t) r + t s)^2): the mean is multiplied by what makes its
deviation that one, at each pixel for its t. Where t is 0 or 1 that is 1.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import pyramid
from .kernels import Array, Kernels
from .patches import Basis, Descriptor
from .progress import portions

MOST = 2.0
"""Most that a band is multiplied by."""
GAIN = 10.0
"""Most that T makes a patch stronger in any direction: what is flat is not blown up."""
TINY = 1e-12

STRONG = 0.25
"""Power of an exemplar's variance that its share is multiplied by: a half would be what the mean of pictures shows."""
SAMPLE = 64
"""Rows and columns of patches, at most, of which it is told how much pictures agree."""
LEAST = 1e-4
"""Least variance that a direction of patches is taken to have, as a share of all directions' together."""


def transport(a: Basis, b: Basis) -> np.ndarray:
    """T (s s C, s s C), symmetric: from patches of a's exemplar, its mean taken off, to those of b's.

    Beyond the components of a basis every direction is taken to vary as much as the least of them. Nothing is made
    more than `GAIN` times stronger.
    """
    root, back = _power(*_spectrum(a), 0.5), _power(*_spectrum(a), -0.5)
    values, axes = np.linalg.eigh(root @ _power(*_spectrum(b), 1) @ root)
    gains, axes = np.linalg.eigh(back @ _power(axes, values.clip(0), 0.5) @ back)
    return _power(axes, gains.clip(0, GAIN), 1)


def _spectrum(basis: Basis) -> tuple[np.ndarray, np.ndarray]:
    """All principal axes (n, n) of patches, and their variances (n,)."""
    axes, variances = basis.axes.astype(np.float64), basis.deviations**2
    least = max(float(variances[-1]), LEAST * basis.variance, TINY)
    whole, _ = np.linalg.qr(np.concatenate([axes, np.eye(len(axes))], 1))
    whole[:, : axes.shape[1]] = axes
    return whole, np.concatenate([variances.clip(least), np.full(len(axes) - axes.shape[1], least)])


def _power(axes: np.ndarray, values: np.ndarray, exponent: float) -> np.ndarray:
    return (axes * values**exponent) @ axes.T


@dataclass(frozen=True)
class Sight:
    """How one of several exemplars sees the pictures of all: each as if it were of its own kind, by their shares.

    The pictures, their means taken off and multiplied by their shares, are laid side by side as one with all their
    planes. means: (C,) of each exemplar; axes: (s s C, k) each, from its patches to this exemplar's descriptors;
    shares: of each, a number or (H, W, 1) in the provider's arrays.
    """

    means: list[np.ndarray]
    axes: list[np.ndarray]
    shares: list[Any]

    @classmethod
    def of(cls, bases: list[Basis], number: int, shares: list[Any], held: float) -> Sight:
        """Of the number-th of the exemplars with these bases. held: from 0 to 1, how much its own picture counts more.

        What stands out in a picture of little contrast is little of the mean: shares count for more the stronger an
        exemplar is.
        """
        strong = [share * basis.variance**STRONG for basis, share in zip(bases, shares, strict=True)]
        whole = sum(strong) + TINY
        shares = [(1 - held) * share / whole + held * (n == number) for n, share in enumerate(strong)]
        own = bases[number]
        axes = [
            own.axes if n == number else (transport(basis, own) @ own.axes).astype(np.float32)
            for n, basis in enumerate(bases)
        ]
        return cls([basis.mean.reshape(-1, basis.channels).mean(0) for basis in bases], axes, shares)

    def described(self, d: Descriptor) -> Descriptor:
        """The descriptor of the pictures laid side by side; d: of this exemplar's alone."""
        s, k = d.side, d.axes.shape[1]
        axes = np.concatenate([axes.reshape(s, s, -1, k) for axes in self.axes], 2)
        return replace(d, axes=axes.reshape(-1, k), offset=np.zeros_like(d.offset))

    def seen(self, kernels: Kernels, us: list[Array], agree: np.ndarray, rows: slice) -> Array:
        """Some rows of the pictures laid side by side, as strong together as each would be alone.

        agree: of the whole pictures, see `agreement`.
        """
        shares = [share[rows] if getattr(share, "ndim", 0) else share for share in self.shares]
        energy: Any = 0
        for n, one in enumerate(shares):
            for m, other in enumerate(shares):
                energy = energy + float(agree[n, m]) * one * other
        strength = 1 / (energy + TINY) ** 0.5
        planes = [
            strength * share * (u[rows] - kernels.array(mean))
            for u, mean, share in zip(us, self.means, shares, strict=True)
        ]
        return kernels.stacked(planes, 2)

    def agreement(self, kernels: Kernels, us: list[Array]) -> np.ndarray:
        """(n, n) How much the pictures correlate as this exemplar sees them, from 0 to 1; 1 on the diagonal."""
        seen = []
        for u, mean, axes in zip(us, self.means, self.axes, strict=True):
            side = round((len(axes) / u.shape[2]) ** 0.5)
            rows, columns = (
                np.arange(0, n - side + 1, -(-(n - side + 1) // SAMPLE))[:, None] + np.arange(side) for n in u.shape[:2]
            )
            few = kernels.numpy(u[kernels.array(rows.ravel())][:, kernels.array(columns.ravel())])
            p = (few - mean).reshape(len(rows), side, len(columns), side, -1).swapaxes(1, 2)
            seen.append(p.reshape(-1, len(axes)) @ axes)
        products = np.array([[np.vdot(x, y) for y in seen] for x in seen], np.float64)
        norms = np.sqrt(products.diagonal() + TINY)
        agree = (products / norms / norms[:, None]).clip(0, 1)
        np.fill_diagonal(agree, 1)
        return agree


def mixed(
    a: np.ndarray, b: np.ndarray, t: float | np.ndarray, wrap: tuple[bool, bool]
) -> Generator[float, None, np.ndarray]:
    """float32 (H, W, C): a where t is 0, b where it is 1; between, both, as sharp as they are. Yields the share done.

    Values stay between the least and the greatest of a plane of both.

    a, b: float32 (H, W, C), both used up; t: a number or float32 (H, W, 1); wrap: whether rows and columns do.
    """
    total = np.zeros_like(a)
    levels, parts = pyramid.depth(*a.shape[:2]), portions(len(a), a[0].size)
    shares = [t[rows] if isinstance(t, np.ndarray) else t for rows in parts]
    least, most = pyramid.bounds(a)
    yield 0.0
    low, high = pyramid.bounds(b)
    least, most = np.minimum(least, low), np.maximum(most, high)
    yield 0.0
    for level in range(levels):
        low_a = yield from _smoothed(a, wrap, 2**level, parts, level / levels)
        low_b = yield from _smoothed(b, wrap, 2**level, parts, (level + 0.4) / levels)
        energies = np.zeros(3)
        for rows in parts:
            a[rows] -= low_a[rows]
            b[rows] -= low_b[rows]
            energies += _energies(a[rows], b[rows])
            yield (level + 0.8) / levels
        for rows, share in zip(parts, shares, strict=True):
            total[rows] += _gain(energies, share) * ((1 - share) * a[rows] + share * b[rows])
            yield (level + 0.9) / levels
        a, b = low_a, low_b
    for rows, share in zip(parts, shares, strict=True):
        total[rows] += (1 - share) * a[rows] + share * b[rows]
        total[rows].clip(least, most, out=total[rows])
        yield 1.0
    return total


def _smoothed(
    u: np.ndarray, wrap: tuple[bool, bool], step: int, parts: list[slice], done: float
) -> Generator[float, None, np.ndarray]:
    """See `pyramid.smooth`. Yields what is done of something larger, after each part."""
    smooth = np.empty_like(u)
    for rows in parts:
        smooth[rows] = pyramid.smooth(u, wrap, step, rows)
        yield done
    return smooth


def _energies(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """<a, a>, <b, b> and <a, b>."""
    u, v = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    return np.array([u @ u, v @ v, u @ v])


def _gain(energies: np.ndarray, t: float | np.ndarray) -> float | np.ndarray:
    aa, bb, ab = energies.tolist()
    own = (1 - t) ** 2 * aa + t**2 * bb + 2 * t * (1 - t) * ab
    wanted = ((1 - t) * aa**0.5 + t * bb**0.5) ** 2
    return np.sqrt((wanted + TINY) / (own + TINY)).clip(1, MOST)
