"""Periods and phases: what keeps a repeating structure in step all over the result.

Patches that are to stand in the result at position p are compared with those of the exemplar at position q by their
phases as well,

    |x_i - y_j|^2 + 4 a^2 sin^2(pi (p / T' - q / T)),

which is the squared distance of a (cos 2 pi p / T', sin 2 pi p / T') to the same of q and T: two more numbers of the
descriptor. T' is T, or near it where the result wraps and its side is no multiple of T. Where that is more than a pixel
over the side, the exemplar is stretched before anything else (`lattice`): copies of a structure that does not fit tear.
How T is found: see `repeats`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from .spec import Size

MOST = 0.15
"""How much an exemplar is stretched at most, so that its periods fit."""
LOBES = 8
"""Zeros on either side of the kernel that stretches."""
ROWS = 64
"""So many rows are stretched at a time."""
AMPLITUDE = 0.4
"""a^2 as a share of the descriptors' variance."""
STRICT = 0.2
"""Where an exemplar keeps to its period, a^2 is at least what makes a pixel off cost this share."""


@dataclass(frozen=True)
class Period:
    """A period in pixels (not a whole number), and R at its peak: 1 for an exact repeat.

    sure: whether the exemplar keeps to it, to a pixel or a little more, whatever its cells hold.
    """

    length: float
    evidence: float
    sure: bool = False

    def fitting(self, side: int) -> int:
        """The multiple of the period, at least one, that is nearest to a side; the side if that is within a pixel."""
        near = max(1, round(side / self.length)) * self.length
        return side if abs(near - side) < 1 else round(near)


Periods = tuple[Period | None, Period | None]
"""Down and across."""


def snapped(size: Size, periods: Periods) -> Size:
    """The size nearest to one, side by side, that holds each period a whole number of times."""
    height, width = (
        side if period is None else period.fitting(side)
        for side, period in zip((size.height, size.width), periods, strict=True)
    )
    return Size(width, height)


def scaled(periods: Periods, ratios: tuple[float, float]) -> Periods:
    """The periods of an exemplar once it is stretched."""
    down, across = (
        None if period is None else replace(period, length=period.length * ratio)
        for period, ratio in zip(periods, ratios, strict=True)
    )
    return down, across


def fitted(periods: Periods, size: tuple[int, int], wrap: tuple[bool, bool]) -> Periods:
    """The periods with which a result of size (height, width) repeats: where it wraps, a whole number of times."""
    down, across = (
        period if period is None or not wraps else replace(period, length=side / max(1, round(side / period.length)))
        for period, side, wraps in zip(periods, size, wrap, strict=True)
    )
    return down, across


def kept(periods: Periods, size: tuple[int, int], wrap: tuple[bool, bool]) -> Periods:
    """The periods that a result of some size repeats with unchanged."""
    down, across = (
        period if period is not None and fit is not None and abs(fit.length - period.length) < 1e-6 else None
        for period, fit in zip(periods, fitted(periods, size, wrap), strict=True)
    )
    return down, across


def fit(periods: Periods, size: tuple[int, int], wrap: tuple[bool, bool]) -> tuple[float, float]:
    """By how much to stretch an exemplar, down and across, so that its periods fit a result of some size as it is.

    Not where they fit to a pixel, nor where that would take more than `MOST`.
    """
    down, across = (
        own.length / period.length if period is not None and own is not None and _stretches(period, own, side) else 1.0
        for period, own, side in zip(periods, fitted(periods, size, wrap), size, strict=True)
    )
    return down, across


def lattice(
    periods: Periods, size: tuple[int, int], wrap: tuple[bool, bool]
) -> tuple[tuple[float, float], tuple[int, int]]:
    """By how much to stretch an exemplar, down and across, and the size at which to make a result of some size.

    A period that is not sure is stretched to T', unless that fits the side to a pixel. A sure one is stretched to L, a
    multiple of 4 px if one is near, and n L are made, to be shown at the side's length: copies that are whole periods
    apart are then whole pixels apart, at the next levels as well, and lines stay straight. Neither where that would
    take more than `MOST`.
    """
    ratios, sides = [], []
    for period, side, wraps, fit in zip(periods, size, wrap, fitted(periods, size, wrap), strict=True):
        ratio, made = 1.0, side
        if period is not None and fit is not None:
            T = period.length
            if period.sure:
                ratio, made = min(_lattices(T, side, wraps), default=(0.0, ratio, made))[1:]
            elif _stretches(period, fit, side):
                ratio = fit.length / T
        ratios.append(ratio)
        sides.append(made)
    return (ratios[0], ratios[1]), (sides[0], sides[1])


def _stretches(period: Period, fit: Period, side: int) -> bool:
    """Whether an exemplar of a period is stretched to one that fits a side: where it is off by more than a pixel."""
    off = abs(fit.length - period.length)
    return off * side > fit.length and off <= MOST * period.length


def _lattices(T: float, side: int, wraps: bool) -> list[tuple[float, float, int]]:
    """What each lattice costs, its stretch L / T and its side n L: for multiples of 4, 2 and 1 px beside T."""
    found = []
    for step, worse in ((4, 0.0), (2, 0.02), (1, 0.04)):
        for L in {int(T // step) * step, -int(-T // step) * step} - {0}:
            made = max(1, round(side / L)) * L if wraps else side
            if max(abs(L / T - 1), abs(made / side - 1)) <= MOST:
                found.append((worse + abs(np.log(L / T)) + abs(np.log(made / side)), L / T, made))
    return found


def nearest(n: int, ratio: float) -> np.ndarray:
    """Which of n rows stands at each of the round(ratio n) that they are stretched to."""
    return ((np.arange(round(n * ratio)) + 0.5) / ratio).astype(np.int32).clip(0, n - 1)


def stretched(
    planes: np.ndarray, ratios: tuple[float, float], border: Literal["symmetric", "wrap"] = "symmetric"
) -> np.ndarray:
    """Planes (H, W, C) resampled to round(ratio side) down and across, as sharp as they were.

    border: what lies beyond, as `numpy.pad` calls it: "symmetric" or "wrap".
    A sinc of `LOBES` lobes under the root of a parabola; values stay between the least and the greatest of a plane.
    """
    if ratios == (1, 1):
        return planes
    shape = [round(n * ratio) for n, ratio in zip(planes.shape, ratios, strict=False)]
    result = np.empty((*shape, planes.shape[2]), planes.dtype)
    for channel in range(planes.shape[2]):
        plane = planes[..., channel]
        least, most = plane.min(), plane.max()
        for ratio in ratios:
            plane = (_resampled(plane, ratio, border) if ratio != 1 else plane).T
        np.clip(plane, least, most, out=result[..., channel])
    return result


def _resampled(plane: np.ndarray, ratio: float, border: Literal["symmetric", "wrap"]) -> np.ndarray:
    """A plane (H, W) with round(ratio H) rows."""
    n = len(plane)
    at = (np.arange(round(n * ratio)) + 0.5) / ratio - 0.5
    taps = np.floor(at).astype(int)[:, None] + np.arange(1 - LOBES, LOBES + 1)
    t = taps - at[:, None]
    weights = np.sinc(t) * np.sqrt(1 - (t / (LOBES + 0.5)) ** 2)
    weights = (weights / weights.sum(1, keepdims=True)).astype(plane.dtype)
    rows = np.pad(np.arange(n), LOBES + 1, mode=border)
    result = np.empty((len(at), plane.shape[1]), plane.dtype)
    for start in range(0, len(at), ROWS):  # what a band of rows is made of is a product
        some = slice(start, start + ROWS)
        first, last = taps[some].min(), taps[some].max()
        matrix = np.zeros((len(taps[some]), last + 1 - first), plane.dtype)
        np.put_along_axis(matrix, taps[some] - first, weights[some], 1)
        np.matmul(matrix, plane[rows[first + LOBES + 1 : last + LOBES + 2]], out=result[some])
    return result


def cells(of: Periods, level: int, whole: bool) -> tuple[float, float]:
    """The sure periods in pixels of a level, 0 where there is none; whole: those alone that are whole pixels."""
    down, across = (
        period.length / 2**level
        if period is not None
        and period.sure
        and (not whole or abs(period.length / 2**level - round(period.length / 2**level)) < 1e-6)
        else 0
        for period in of
    )
    return down, across


def phases(
    shape: tuple[int, int], of: Periods, level: int, variance: float, origin: tuple[int, int] = (0, 0)
) -> tuple[np.ndarray, np.ndarray]:
    """a (cos, sin) of the phase of each row (fh, 2) and column (fw, 2) of patches at a level; (n, 0) for no period.

    origin: row and column at which these patches begin, in pixels of the level.
    """
    both = []
    for side, period, first in zip(shape, of, origin, strict=True):
        if period is None:
            both.append(np.zeros((side, 0), np.float32))
            continue
        length = period.length / 2**level
        share = max(AMPLITUDE, STRICT * (length / (2 * np.pi)) ** 2 if period.sure else 0)
        angle = 2 * np.pi * (np.arange(first, first + side) + 0.5) / length
        both.append((np.sqrt(share * variance) * np.stack([np.cos(angle), np.sin(angle)], 1)).astype(np.float32))
    return both[0], both[1]
