"""The Gaussian pyramid of the exemplar: how levels are made of one another, how many there are, and their sizes."""

from __future__ import annotations

from collections.abc import Iterator

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
CACHED = 2**17
"""Numbers that are filtered together."""


def downsample(u: np.ndarray, around: tuple[bool, bool] = (False, False)) -> np.ndarray:
    """(H, W, C) -> (H // 2, W // 2, C): a 4-tap Gaussian (sigma = 1 px) on each axis, then every second pixel.

    Pixel i of the result lies between pixels 2 i and 2 i + 1. Borders are mirrored, but along an axis that goes around.
    """
    return _filtered(u, TAPS, around, before=1, every=2)


def smooth(
    u: np.ndarray, around: tuple[bool, bool] = (False, False), step: int = 1, rows: slice | None = None
) -> np.ndarray:
    """(H, W, C), or some rows, by a binomial filter of 5 taps, `step` pixels apart, on each axis; borders as in
    `downsample`."""
    return _filtered(u, BINOMIAL, around, before=2 * step, step=step, some=rows)


def _filtered(
    u: np.ndarray,
    taps: np.ndarray,
    around: tuple[bool, bool],
    before: int,
    step: int = 1,
    every: int = 1,
    some: slice | None = None,
) -> np.ndarray:
    """(H, W, C), or some rows of it, along both axes: pixel i is the sum of pixels every i - before + k step, each
    times taps[k].

    In bands of rows that stay in the processor's cache: that takes a tenth of the time.
    """
    after = (len(taps) - 1) * step - before
    down, across = (
        np.pad(np.arange(n), (before, after), mode="wrap" if goes else "symmetric")
        for n, goes in zip(u.shape, around, strict=False)
    )
    (height, width), weights = u.shape[:2], taps.astype(u.dtype)
    start, stop, _ = (some or slice(None)).indices(height // every)
    made = np.empty((stop - start, width // every, u.shape[2]), u.dtype)
    rows = max(1, CACHED // max(1, u[:1].size))
    for top in range(start, stop, rows):
        at = every * np.arange(top, min(top + rows, stop))
        own = _summed([u[down[at + k * step]] for k in range(len(taps))], weights)
        part = np.concatenate([own[:, across[:before]], own, own[:, across[before + width :]]], 1)
        phases = [np.ascontiguousarray(part[:, first::every]) for first in range(every)]
        shifted = [phases[k * step % every][:, k * step // every :] for k in range(len(taps))]
        made[at // every - start] = _summed([one[:, : made.shape[1]] for one in shifted], weights)
    return made


def _summed(parts: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    total = weights[0] * parts[0]
    for weight, part in zip(weights[1:], parts[1:], strict=True):
        total += weight * part
    return total


def bounds(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value of each plane of (H, W, C). One axis after the other takes a tenth of both."""
    return u.min(0).min(0), u.max(0).max(0)


def variance(u: np.ndarray) -> np.ndarray:
    """float64 (C,): of each plane of (H, W, C). In bands of rows, for as doubles all of them would be large."""
    mean = u.mean(0, np.float64).mean(0)
    sums = (((u[top : top + BAND] - mean) ** 2).sum(0).sum(0) for top in range(0, len(u), BAND))
    return sum(sums, np.zeros(u.shape[2])) / u[..., 0].size


def depth(*sides: int, least: int = COARSEST) -> int:
    """How many levels there are for an exemplar and a result with these sides, the full one included.

    least: the short side has so many pixels at the last one, or there is but one level.
    """
    short, levels = min(sides), 1
    while short // 2 >= least:
        short, levels = short // 2, levels + 1
    return levels


def build(u: np.ndarray, levels: int, around: tuple[bool, bool] = (False, False)) -> Iterator[np.ndarray]:
    """The levels of u, fine first: u, downsample(u) ..."""
    for level in range(levels):
        u = downsample(u, around) if level else u
        yield u


def sizes(height: int, width: int, levels: int) -> list[tuple[int, int]]:
    """(height, width) of the result at each level, fine first; halves are rounded up."""
    return [(-(-height >> level), -(-width >> level)) for level in range(levels)]
