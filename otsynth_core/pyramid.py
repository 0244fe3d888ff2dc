"""The Gaussian pyramid of the exemplar: how levels are made of one another, how many there are, and their sizes."""

from __future__ import annotations

from typing import Literal

import numpy as np

COARSEST = 8
"""The pyramid ends when the next level's short side would be below this many pixels: at 8 to 15 of them.

What is larger than a patch there is decided by chance: rows of bricks, which stone is light, how much is shade.
"""

TAPS = np.exp(-((np.arange(4) - 1.5) ** 2) / 2)
TAPS /= TAPS.sum()
BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32) / 16


def downsample(u: np.ndarray, around: tuple[bool, bool] = (False, False)) -> np.ndarray:
    """(H, W, C) -> (H // 2, W // 2, C): a 4-tap Gaussian (sigma = 1 px) on each axis, then every second pixel.

    Pixel i of the result lies between pixels 2 i and 2 i + 1. Borders are mirrored, but along an axis that goes around.
    """
    for axis in (0, 1):
        n = u.shape[axis] // 2
        mode: Literal["wrap", "symmetric"] = "wrap" if around[axis] else "symmetric"
        padded = np.pad(u, [(1, 2) if a == axis else (0, 0) for a in range(3)], mode=mode)
        taps = (np.take(padded, 2 * np.arange(n) + t, axis) * TAPS[t].astype(u.dtype) for t in range(4))
        u = sum(taps)  # type: ignore[assignment]
    return u


def smooth(u: np.ndarray, around: tuple[bool, bool] = (False, False), step: int = 1) -> np.ndarray:
    """(H, W, C) by a binomial filter of 5 taps, `step` pixels apart, on each axis; borders as in `downsample`."""
    for axis in (0, 1):
        n = u.shape[axis]
        mode: Literal["wrap", "symmetric"] = "wrap" if around[axis] else "symmetric"
        padded = np.pad(u, [(2 * step, 2 * step) if a == axis else (0, 0) for a in range(3)], mode=mode)
        shifted = (slice(k * step, k * step + n) for k in range(len(BINOMIAL)))
        first, *others = (padded[rows] if axis == 0 else padded[:, rows] for rows in shifted)
        u = BINOMIAL[0] * first
        for tap, part in zip(BINOMIAL[1:], others, strict=True):
            u += tap * part
    return u


def bounds(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value of each plane of (H, W, C). One axis after the other takes a tenth of both."""
    return u.min(0).min(0), u.max(0).max(0)


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
