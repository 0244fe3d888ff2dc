"""Whether an exemplar repeats, along which axis, and how often.

The normalised autocorrelation along an axis is R(t) = <e, e shifted by t> over their overlap. A period is a peak of it
that stands high and rises well above what lies before. Courses of bricks of many colours, or a net of soiled hexagons,
repeat in their contours alone: where no peak of e is high, R is taken of these as well, at three scales, and a lower
one will do, if no other rises between its multiples, and if what repeats is in step: as boards and courses are, all
along the other axis, or as a lattice, that repeats along both.

How high a peak is tells how alike cells are. How exactly they lie it tells only if they are very much so: the joints of
many-coloured tiles may be drawn with a ruler. So cells of contours are laid over those a period before, and a period is
sure as well if they keep to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from . import pyramid
from .period import Period, Periods

SHORTEST = 6
"""Shortest period that is looked for, in pixels."""
LINES = 1024
"""Most columns of numbers that the autocorrelation of an exemplar is taken of: more tell nothing new."""
FEWER = 256
"""And that of contours."""
HIGH, RISE = 0.5, 0.3
"""How high a peak of R must stand, and how far above the least R before it, to be taken for a period."""
LOW, RISEN = 0.3, 0.25
"""And one of contours, or of an exemplar where no peak is so high."""
LEAST = 64
"""Rows of which a low peak is believed: of fewer it is chance."""
AS_GOOD = 0.85
"""A shorter period is preferred whose peak is at least this share of the highest."""
RIVAL, OFF = 0.6, 0.15
"""A low peak is none beside another of at least this share that stands this share of a period off all multiples."""
CLOSE = 0.05
"""By what share of a period the side of an exemplar that tiles may seem to be off a whole number of them."""
TINY = 1e-12
"""More than nothing: of what is flat."""
STRIPS, IN_STEP = 6, 0.9
"""In so many strips side by side the phases of a low peak are compared; 1: all are the same."""
DOUBT = 0.75
"""Most evidence that a low peak gives: what lies between contours need not repeat."""
CONTOURS, SCALES = 512, 3
"""Longest side, in pixels, at which contours are looked at first, and at how many scales, each half the one before."""
SURE = 0.8
"""So high a peak tells a period that is sure; and else:"""
SHARE, STRAY, FINE, ALIKE = 0.025, 1.5, 0.5, 0.3
"""How far off its place three quarters of what repeats may lie: by this share of the period, at most by so many pixels,
but by so many of the finest contours in any case; and how well half of all cells must agree with those a period before,
as a correlation."""
REACH, CELL, ACROSS = 8, 16, 16
"""How far off, in pixels, cells are looked for; their least width, and how many lie side by side at most."""


def found(exemplar: np.ndarray, tiles: tuple[bool, bool] = (False, False)) -> Periods:
    """The periods of an exemplar (H, W, C), each at most half its side, sure or not; None where there is none.

    tiles: whether it goes on, down and across, where it ends: it holds a whole number of periods then.
    """
    axes = [_Seen.of(planes) for planes in (exemplar, exemplar.swapaxes(0, 1))]
    periods = [_peak(one.R, HIGH, RISE) for one in axes]
    plain = all(one and one.evidence >= SURE for one in periods)
    contours = [] if plain else _contours(exemplar)
    if None in periods:
        seen = [[axis, *(_Seen.of(c.swapaxes(0, n), by, FEWER) for by, c in contours)] for n, axis in enumerate(axes)]
        told = [None if period else _told(each) for period, each in zip(periods, seen, strict=True)]
        lattice = all(period or low for period, low in zip(periods, told, strict=True))
        periods = [
            period or (low[0] if low and (lattice or low[1]) else None)
            for period, low in zip(periods, told, strict=True)
        ]
    down, across = (
        one and _judged(_closed(one, side) if goes_on else one, [(by, c.swapaxes(0, n)) for by, c in contours])
        for n, (one, side, goes_on) in enumerate(zip(periods, exemplar.shape, tiles, strict=False))
    )
    return down, across


def autocorrelation(exemplar: np.ndarray, columns: int = LINES) -> np.ndarray:
    """R(t) along the rows' axis for t from 0 to a little over half of it, of so many columns of numbers, by FFT."""
    n = len(exemplar)
    f = exemplar[:, :: -(-exemplar[0].size // columns)]
    f = (f - f.mean((0, 1), np.float64)).reshape(n, -1)  # in float32 a sum of millions is off by percents
    products = np.zeros(2 * n)
    for some in np.array_split(f, -(-f.shape[1] // 256), 1):
        products += np.fft.irfft((np.abs(np.fft.rfft(some, 2 * n, axis=0)) ** 2).sum(1), 2 * n)
    energy = (f * f).sum(1)
    first, last = np.cumsum(energy)[::-1], np.cumsum(energy[::-1])[::-1]  # of the n - t first and last rows
    lags = n // 2 + 2
    return products[:lags] / np.maximum(np.sqrt(first[:lags] * last[:lags]), TINY)


@dataclass(frozen=True)
class _Seen:
    """Planes (h, w, c) whose rows may repeat, R of them, and how many pixels of the exemplar one of theirs is."""

    planes: np.ndarray
    R: np.ndarray
    by: int

    @classmethod
    def of(cls, planes: np.ndarray, by: int = 1, columns: int = LINES) -> _Seen:
        return cls(planes, autocorrelation(planes, columns), by)


def _contours(exemplar: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Planes (h, w, 2) of what is bright, what is dark among fine detail, and how many pixels one of theirs is."""
    channels = exemplar.shape[2]
    grey, by = exemplar @ np.full((channels, 1), 1 / channels, exemplar.dtype), 1  # their mean, in a tenth of the time
    found: list[tuple[int, np.ndarray]] = []
    while len(found) < SCALES and min(grey.shape[:2]) > 2 * SHORTEST:
        if max(grey.shape[:2]) <= CONTOURS:
            detail = grey - pyramid.smooth(pyramid.smooth(grey))
            found.append((by, pyramid.smooth(np.concatenate([detail.clip(0), (-detail).clip(0)], 2))))
        grey, by = pyramid.downsample(grey), 2 * by
    return found


def _told(seen: list[_Seen]) -> tuple[Period, bool] | None:
    """The period that an exemplar or its contours tell best, by the finest that show it; and whether it is in step."""
    low = [(one, _peak(one.R, LOW, RISEN)) for one in seen if len(one.planes) >= LEAST]
    peaks = [(one, peak) for one, peak in low if peak and not _rivalled(one.R, peak)]
    if not peaks:
        return None
    best, peak = max(peaks, key=lambda told: told[1].evidence)
    by, length = best.by, best.by * peak.length
    for one in reversed(seen):
        near = [t for t in _tops(one.R) if 2 * abs(one.by * t - length) <= by] if one.by < by else []
        if near:
            by, length = one.by, one.by * _length(one.R, max(near, key=lambda t: one.R[t]))
    return Period(length, min(peak.evidence, DOUBT)), _step(best.planes, length / best.by) > IN_STEP


def _step(planes: np.ndarray, length: float) -> float:
    """From 0 to 1, how much of what repeats in the rows of strips side by side does so with one phase."""
    whole = planes[: int(len(planes) // length * length)]
    wave = np.exp(-2j * np.pi * np.arange(len(whole)) / length)
    whole = whole - whole.mean((0, 1), np.float64)
    strips = np.array_split(whole, min(STRIPS, whole.shape[1]), 1)
    z = np.stack([np.tensordot(wave, strip.mean(1), 1) for strip in strips])
    return float(np.abs(z.sum(0)).sum() / max(np.abs(z).sum(), TINY))


def _judged(period: Period, contours: list[tuple[int, np.ndarray]]) -> Period:
    """The period, sure or not: by its evidence, or by the finest contours, whose rows may repeat."""
    if period.evidence >= SURE or not contours:
        return replace(period, sure=period.evidence >= SURE)
    by, finest = contours[0]
    return replace(period, sure=_exact(finest, period.length / by, max(FINE, min(SHARE * period.length, STRAY) / by)))


def _closed(period: Period, side: int) -> Period:
    """The period of an exemplar that goes on where it ends: a whole number of them, if what was found is nearly so."""
    many = round(side / period.length)
    return replace(period, length=side / many) if abs(side / period.length - many) <= CLOSE else period


def _exact(planes: np.ndarray, length: float, limit: float) -> bool:
    """Whether what repeats in the rows of contours lies where a period tells, to so many of their pixels.

    Cells of a period, side by side and half overlapping along the axis, are each laid over the rows a period later: the
    place where they agree best counts by how well it stands out. Two periods have no room for that: they are not exact.
    """
    n, width, _ = planes.shape
    rows, lag, reach = int(length), round(length), min(REACH, int(max(2, length / 6)))
    first = np.arange(0, n - lag - reach - rows + 1, length / 2).astype(int)
    if length < SHORTEST or not len(first):
        return False
    planes = planes / max(float(planes.std()), TINY)
    R: list[np.ndarray] = []
    for strip in np.array_split(planes, max(1, min(ACROSS, round(width / max(length, CELL)))), 1):
        strip = strip.reshape(n, -1)
        mean, square = (
            _over(rows, sums) / strip.shape[1] / rows for sums in (strip.sum(1), np.einsum("rk,rk->r", strip, strip))
        )
        spread = np.sqrt((square - mean * mean).clip(TINY))
        agreed = []
        for far in range(lag - reach, lag + reach + 1):
            both = _over(rows, np.einsum("rk,rk->r", strip[:-far], strip[far:]))[first] / strip.shape[1] / rows
            agreed.append((both - mean[first] * mean[first + far]) / (spread[first] * spread[first + far]))
        R.extend(np.array(agreed).T)
    best = [1 + int(r[1:-1].argmax()) for r in R]
    off = np.array([abs(lag - reach + _vertex(r, at) - length) for r, at in zip(R, best, strict=True)])
    agreement = np.array([r[at] for r, at in zip(R, best, strict=True)])
    order = np.argsort(off)
    share = np.cumsum((agreement - np.median(R, 1))[order])
    strays = off[order[np.searchsorted(share, 0.75 * share[-1])]]
    return bool(strays <= limit and np.median(agreement) > ALIKE)


def _over(rows: int, values: np.ndarray) -> np.ndarray:
    """Sums over so many rows, for each that they may begin at."""
    sums = np.append(0, values.cumsum(dtype=np.float64))
    return sums[rows:] - sums[:-rows]


def _tops(R: np.ndarray) -> list[int]:
    """Where R is highest among what is near, from `SHORTEST` to half the side."""
    near = np.lib.stride_tricks.sliding_window_view(np.pad(R, 3, constant_values=-np.inf), 7)
    return [t for t in np.flatnonzero(near.max(1) == R).tolist() if SHORTEST <= t < len(R) - 1]


def _peak(R: np.ndarray, high: float, rise: float) -> Period | None:
    tops = _tops(R)
    sure = [t for t in tops if R[t] > high and R[t] - R[:t].min() > rise]
    if not sure:
        return None
    first = next(t for t in sure if R[t] >= AS_GOOD * R[sure].max())
    return Period(_length(R, first), float(R[first]))


def _length(R: np.ndarray, first: int) -> float:
    """The period whose peak is at t = first, told more finely by peaks at its multiples as long as there are any."""
    tops, length, multiple = _tops(R), _vertex(R, first), 1
    while near := [t for t in tops if abs(t - (multiple + 1) * length) <= 2 and R[t] > R[first] / 2]:
        multiple += 1
        length = _vertex(R, max(near, key=lambda t: R[t])) / multiple
    return length


def _rivalled(R: np.ndarray, peak: Period) -> bool:
    """Whether something else repeats nearly as well, as boards of many widths do: then nothing is in step."""
    return any(
        t > peak.length
        and abs(t / peak.length - round(t / peak.length)) > OFF
        and R[t] > RIVAL * peak.evidence
        and R[t] - R[:t].min() > RISEN / 2
        for t in _tops(R)
    )


def _vertex(R: np.ndarray, t: int) -> float:
    """Where the parabola through R(t - 1), R(t), R(t + 1) is highest."""
    before, here, after = R[t - 1 : t + 2]
    bend = before - 2 * here + after
    return t + float(0.5 * (before - after) / bend) if bend < 0 else float(t)
