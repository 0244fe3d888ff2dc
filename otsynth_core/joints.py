"""Joints: where pieces of the exemplar meet, what is fine changes at once, what is smooth goes over slowly.

Put together by votes, a picture is cut hard along joints, and a cut shows wherever what is around it is smoother. As
in Burt and Adelson, *A Multiresolution Spline* (1983), fine bands are left so and smooth ones blended as widely as
they are coarse. No masks are needed: with G a smoothing and V the votes, u = V(e) - V(G e) + G V(e). Within a piece
both commute, V(G e) = G V(e), and u = V(e) is the exemplar but for rounding.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from .kernels import Array, Kernels, Wrap
from .progress import portions

WIDTH = 4
"""G is a box of so many pixels, twice along each axis: a triangle whose deviation is 1.6 px."""


def reach(scale: float) -> int:
    """How many pixels around it a pixel of G u is made from, where pixels are `scale` times as fine as `WIDTH`'s."""
    return _width(scale) - 1


def prepared(
    kernels: Kernels, planes: np.ndarray, scale: float, more: int, around: Wrap
) -> Generator[None, None, Array]:
    """e and G e (H + 2 more, W + 2 more, 2 C), to be voted on together; e is mirrored where it does not go around.

    Yields on the way.
    """
    r, whole = reach(scale), kernels.array(planes)
    down, across = (
        kernels.array(np.pad(np.arange(n), more + r, mode="wrap" if goes else "symmetric"))
        for n, goes in zip(planes.shape, around, strict=False)
    )
    both = kernels.empty((len(down) - 2 * r, len(across) - 2 * r, 2 * planes.shape[2]), whole)
    for rows in portions(len(both), len(across) * both.shape[2], 8 * r):
        e = whole[down[rows.start : rows.stop + 2 * r]][:, across]
        both[rows] = kernels.stacked([e[r:-r, r:-r], _smoothed(e, scale)], 2)
        yield
    return both


def blended(votes: Array, scale: float) -> Array:
    """u (h - 2 r, w - 2 r, C) from V(e) and V(G e) side by side (h, w, 2 C), with r = `reach` more on every side."""
    r, planes = reach(scale), votes.shape[2] // 2
    whole = votes[..., :planes]
    return (whole - votes[..., planes:])[r:-r, r:-r] + _smoothed(whole, scale)


def _width(scale: float) -> int:
    return max(WIDTH, round(WIDTH * scale))


def _smoothed(u: Array, scale: float) -> Array:
    """G u (h - 2 r, w - 2 r, C) of (h, w, C)."""
    width = _width(scale)
    for _ in (0, 1):
        u = _sums(u, width)
    u = u.swapaxes(0, 1)
    for _ in (0, 1):
        u = _sums(u, width)
    return u.swapaxes(0, 1) * width**-4.0


def _sums(u: Array, width: int) -> Array:
    """Of every so many rows that follow one another: in as many steps as the number has binary digits, or twice."""
    if width == 1:
        return u
    half = _sums(u, width // 2)
    sums = half[: len(half) - width // 2] + half[width // 2 :]
    return sums if width % 2 == 0 else sums[: len(u) - width + 1] + u[width - 1 :]
