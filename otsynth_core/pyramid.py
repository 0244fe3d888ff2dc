"""The Gaussian pyramid of the exemplar: how levels are made of one another, how many there are, and their sizes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np

COARSEST = 8
"""The pyramid ends when the next level's short side would be below this many pixels: at 8 to 15 of them.

What is larger than a patch there is decided by chance: rows of bricks, which stone is light, how much is shade.
"""

TAPS = np.exp(-((np.arange(4) - 1.5) ** 2) / 2)
TAPS /= TAPS.sum()
BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32) / 16

BAND = 64
"""Rows that are looked at together."""


def downsample(u: np.ndarray, around: tuple[bool, bool] = (False, False)) -> np.ndarray:
    """(H, W, C) -> (H // 2, W // 2, C): a 4-tap Gaussian (sigma = 1 px) on each axis, then every second pixel.

    Pixel i of the result lies between pixels 2 i and 2 i + 1. Borders are mirrored, but along an axis that goes around.
    """
    for axis in (0, 1):
        n = u.shape[axis] // 2
        mode: Literal["wrap", "symmetric"] = "wrap" if around[axis] else "symmetric"
        padded = np.pad(u, [(1, 2) if a == axis else (0, 0) for a in range(3)], mode=mode)
        u = _weighed((np.take(padded, 2 * np.arange(n) + t, axis) for t in range(len(TAPS))), TAPS)
    return u


def smooth(u: np.ndarray, around: tuple[bool, bool] = (False, False), step: int = 1) -> np.ndarray:
    """(H, W, C) by a binomial filter of 5 taps, `step` pixels apart, on each axis; borders as in `downsample`."""
    for axis in (0, 1):
        n = u.shape[axis]
        mode: Literal["wrap", "symmetric"] = "wrap" if around[axis] else "symmetric"
        padded = np.pad(u, [(2 * step, 2 * step) if a == axis else (0, 0) for a in range(3)], mode=mode)
        shifted = (slice(k * step, k * step + n) for k in range(len(BINOMIAL)))
        u = _weighed((padded[rows] if axis == 0 else padded[:, rows] for rows in shifted), BINOMIAL)
    return u


def _weighed(parts: Iterable[np.ndarray], taps: np.ndarray) -> np.ndarray:
    """The sum of parts (H, W, C), each times its tap."""
    total: np.ndarray | None = None
    for tap, part in zip(taps, parts, strict=True):
        weighed = part.dtype.type(tap) * part
        total = weighed if total is None else np.add(total, weighed, out=total)
    assert total is not None
    return total


def bounds(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value of each plane of (H, W, C). One axis after the other takes a tenth of both."""
    return u.min(0).min(0), u.max(0).max(0)


def variance(u: np.ndarray) -> np.ndarray:
    """float64 (C,): of each plane of (H, W, C). In bands of rows, for as doubles all of them would be large."""
    mean = u.mean(0, np.float64).mean(0)
    sums = (((u[top : top + BAND] - mean) ** 2).sum(0).sum(0) for top in range(0, len(u), BAND))
    return sum(sums, np.zeros(u.shape[2])) / u[..., 0].size


def depth(*sides: int) -> int:
    """How many levels there are for an exemplar and a result with these sides, the full one included."""
    short, levels = min(sides), 1
    while short // 2 >= COARSEST:
        short, levels = short // 2, levels + 1
    return levels


def build(u: np.ndarray, levels: int, around: tuple[bool, bool] = (False, False)) -> list[np.ndarray]:
    """The levels of u, fine first: ``[u, downsample(u), ...]``."""
    pyramid = [u]
    for _ in range(levels - 1):
        pyramid.append(downsample(pyramid[-1], around))
    return pyramid


def sizes(height: int, width: int, levels: int) -> list[tuple[int, int]]:
    """(height, width) of the result at each level, fine first; halves are rounded up."""
    return [(-(-height >> level), -(-width >> level)) for level in range(levels)]
