"""Whether an exemplar repeats, how often, and phases: what keeps a repeating structure in step all over the result.

The normalised autocorrelation of the exemplar along an axis is R(t) = <e, e shifted by t> over their overlap. A period
is a peak of it that stands high and rises well above what lies before. Patches that are to stand in the result at
position p are then compared with those of the exemplar at position q by their phases as well,

    |x_i - y_j|^2 + 4 a^2 sin^2(pi (p / T' - q / T)),

which is the squared distance of a (cos 2 pi p / T', sin 2 pi p / T') to the same of q and T: two more numbers of the
descriptor. T' is T, or near it where the result wraps and its side is no multiple of T. Where that is more than a pixel
over the side, the exemplar is stretched by T' / T before anything else: copies of a structure that does not fit tear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .spec import Size

SHORTEST = 6
"""Shortest period that is looked for, in pixels."""
HIGH, RISE = 0.35, 0.3
"""How high a peak of R must stand, and how far above the least R before it, to be taken for a period."""
AS_GOOD = 0.85
"""A shorter period is preferred whose peak is at least this share of the highest."""
MOST = 0.15
"""How much an exemplar is stretched at most, so that its periods fit."""
LOBES = 8
"""Zeros on either side of the kernel that stretches."""
AMPLITUDE = 0.4
"""a^2 as a share of the descriptors' variance."""


@dataclass(frozen=True)
class Period:
    """A period in pixels (not a whole number), and R at its peak: 1 for an exact repeat."""

    length: float
    evidence: float

    def fitting(self, side: int) -> int:
        """The multiple of the period, at least one, that is nearest to a side."""
        return round(max(1, round(side / self.length)) * self.length)


Periods = tuple[Period | None, Period | None]
"""Down and across."""


def found(exemplar: np.ndarray) -> Periods:
    """The periods of an exemplar (H, W, C), each at most half its side; None where there is none."""
    return _found(exemplar), _found(exemplar.swapaxes(0, 1))


def snapped(size: Size, periods: Periods) -> Size:
    """The size nearest to one, side by side, that holds each period a whole number of times."""
    height, width = (
        side if period is None else period.fitting(side)
        for side, period in zip((size.height, size.width), periods, strict=True)
    )
    return Size(width, height)


def lengths(periods: Periods) -> tuple[float | None, float | None]:
    """The periods' lengths."""
    down, across = (None if period is None else period.length for period in periods)
    return down, across


def scaled(periods: Periods, ratios: tuple[float, float]) -> Periods:
    """The periods of an exemplar once it is stretched."""
    down, across = (
        None if period is None else Period(period.length * ratio, period.evidence)
        for period, ratio in zip(periods, ratios, strict=True)
    )
    return down, across


def fitted(periods: Periods, size: tuple[int, int], wrap: tuple[bool, bool]) -> tuple[float | None, float | None]:
    """The lengths with which a result of size (height, width) repeats: where it wraps, a whole number of times."""
    down, across = (
        None if period is None else side / max(1, round(side / period.length)) if wraps else period.length
        for period, side, wraps in zip(periods, size, wrap, strict=True)
    )
    return down, across


def stretches(periods: Periods, size: tuple[int, int], wrap: tuple[bool, bool]) -> tuple[float, float]:
    """T' / T, down and across; 1 where T fits the side to a pixel, and where that would be more than `MOST`."""
    ratios = []
    for side, T, fit in zip(size, lengths(periods), fitted(periods, size, wrap), strict=True):
        asked = T is not None and fit is not None and abs(fit - T) * side > fit and abs(fit / T - 1) <= MOST
        ratios.append(fit / T if asked else 1.0)  # type: ignore[operator]
    return ratios[0], ratios[1]


def nearest(n: int, ratio: float) -> np.ndarray:
    """Which of n rows stands at each of the round(ratio n) that they are stretched to."""
    return ((np.arange(round(n * ratio)) + 0.5) / ratio).astype(np.int32).clip(0, n - 1)


def stretched(planes: np.ndarray, ratios: tuple[float, float]) -> np.ndarray:
    """Planes (H, W, C) resampled to round(ratio side) down and across, as sharp as they were; borders are mirrored.

    A sinc of `LOBES` lobes under the root of a parabola; values stay between the least and the greatest of a plane.
    """
    least, most = planes.min((0, 1)), planes.max((0, 1))
    for ratio in ratios:
        if ratio != 1:
            n = len(planes)
            at = (np.arange(round(n * ratio)) + 0.5) / ratio - 0.5
            taps = np.floor(at).astype(int)[:, None] + np.arange(1 - LOBES, LOBES + 1)
            t = taps - at[:, None]
            weights = np.sinc(t) * np.sqrt(1 - (t / (LOBES + 0.5)) ** 2)
            weights = (weights / weights.sum(1, keepdims=True)).astype(planes.dtype)
            rows = np.pad(np.arange(n), LOBES + 1, mode="symmetric")[taps + LOBES + 1]
            pairs = zip(weights.T, rows.T, strict=True)
            planes = sum(weight[:, None, None] * planes[row] for weight, row in pairs).clip(least, most)
        planes = planes.swapaxes(0, 1)
    return np.ascontiguousarray(planes)


def phases(
    shape: tuple[int, int], of: tuple[float | None, float | None], level: int, amplitude: float
) -> tuple[np.ndarray, np.ndarray]:
    """a (cos, sin) of the phase of each row (fh, 2) and column (fw, 2) of patches at a level; (n, 0) for no period."""
    both = []
    for side, length in zip(shape, of, strict=True):
        if length is None:
            both.append(np.zeros((side, 0), np.float32))
            continue
        angle = 2 * np.pi * (np.arange(side) + 0.5) * 2**level / length
        both.append((amplitude * np.stack([np.cos(angle), np.sin(angle)], 1)).astype(np.float32))
    return both[0], both[1]


def autocorrelation(exemplar: np.ndarray) -> np.ndarray:
    """R(t) along the rows' axis for t from 0 to a little over half of it, by FFT."""
    n = len(exemplar)
    f = (exemplar - exemplar.mean((0, 1))).reshape(n, -1).astype(np.float64)
    products = np.zeros(2 * n)
    for columns in np.array_split(f, -(-f.shape[1] // 256), 1):
        products += np.fft.irfft((np.abs(np.fft.rfft(columns, 2 * n, axis=0)) ** 2).sum(1), 2 * n)
    energy = (f * f).sum(1)
    first, last = np.cumsum(energy)[::-1], np.cumsum(energy[::-1])[::-1]  # of the n - t first and last rows
    lags = n // 2 + 2
    return products[:lags] / np.maximum(np.sqrt(first[:lags] * last[:lags]), 1e-12)


def _found(exemplar: np.ndarray) -> Period | None:
    R = autocorrelation(exemplar)
    half = len(R) - 2
    tops = [t for t in range(SHORTEST, half + 1) if R[t] == R[t - 3 : t + 4].max()]
    sure = [t for t in tops if R[t] > HIGH and R[t] - R[:t].min() > RISE]
    if not sure:
        return None
    first = next(t for t in sure if R[t] >= AS_GOOD * R[sure].max())
    length, multiple = _vertex(R, first), 1
    while True:  # a multiple of the period tells its length more finely
        near = [t for t in tops if abs(t - (multiple + 1) * length) <= 2 and R[t] > R[first] / 2]
        if not near:
            return Period(length, float(R[first]))
        multiple += 1
        length = _vertex(R, max(near, key=lambda t: R[t])) / multiple


def _vertex(R: np.ndarray, t: int) -> float:
    """Where the parabola through R(t - 1), R(t), R(t + 1) is highest."""
    before, here, after = R[t - 1 : t + 2]
    bend = before - 2 * here + after
    return t + float(0.5 * (before - after) / bend) if bend < 0 else float(t)
