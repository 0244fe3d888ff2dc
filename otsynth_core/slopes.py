"""Heights put together from their slopes: the surface whose differences are the voted ones, by Poisson's equation.

Two pieces of a height map may fit in shape and stand at different levels; side by side they make a cliff. So the
differences down and across are voted beside the heights v, and h is what minimises

    |D_y h - g_y|^2 + |D_x h - g_x|^2 + |h - v|^2 / L^2,

found in the Fourier domain: h follows g over distances below L and v, whose levels are the exemplar's, beyond.
Perez, Gangnet, Blake, Poisson image editing, 2003, with the last term of Bhat et al., Fourier analysis of the 2D
screened Poisson equation, 2008.
"""

from __future__ import annotations

import numpy as np

REACH = 1 / 16
"""L as a share of the exemplar's shorter side."""
LEVELS = 65


def with_differences(planes: np.ndarray) -> np.ndarray:
    """Planes (H, W, C) and, after them, the differences to the next row and to the next column: (H, W, 3 C)."""
    parts = [planes]
    for axis in (0, 1):
        difference = np.diff(planes, axis=axis)
        last = [slice(None)] * 3
        last[axis] = slice(-1, None)
        parts.append(
            np.concatenate([difference, difference[tuple(last)]], axis) if planes.shape[axis] > 1 else planes * 0
        )
    return np.concatenate(parts, 2)


def integrated(planes: np.ndarray, wrap: tuple[bool, bool], reach: float) -> np.ndarray:
    """The heights (H, W, C) of voted planes, as `with_differences` orders them; reach: L in pixels."""
    c = planes.shape[2] // 3
    v, down, across = (np.moveaxis(planes[..., i * c : (i + 1) * c], 2, 0) for i in range(3))
    return np.stack([_solved(v[k], down[k], across[k], wrap, reach) for k in range(c)], 2)


def levelled(heights: np.ndarray, exemplar: np.ndarray) -> np.ndarray:
    """Heights (H, W, C) with as much of every level as the exemplar has: what joins pieces takes from the extremes.

    The optimal transport of values, each plane's by itself, between `LEVELS` quantiles of both.
    """
    shares = np.linspace(0, 1, LEVELS)
    planes = [
        np.interp(h, *(np.quantile(plane, shares) for plane in (h, e)))
        for h, e in zip(np.moveaxis(heights, 2, 0), np.moveaxis(exemplar, 2, 0), strict=True)
    ]
    return np.stack(planes, 2).astype(np.float32)


def _solved(v: np.ndarray, down: np.ndarray, across: np.ndarray, wrap: tuple[bool, bool], reach: float) -> np.ndarray:
    height, width = v.shape
    for axis, wraps in enumerate(wrap):
        if not wraps:  # a mirrored copy behind the end makes a circle of it
            v = np.concatenate([v, np.flip(v, axis)], axis)
            g, other = (down, across) if axis == 0 else (across, down)
            inner = g[:-1] if axis == 0 else g[:, :-1]
            none = np.zeros_like(g[:1] if axis == 0 else g[:, :1])
            g = np.concatenate([inner, none, -np.flip(inner, axis), none], axis)
            other = np.concatenate([other, np.flip(other, axis)], axis)
            down, across = (g, other) if axis == 0 else (other, g)
    dy = np.exp(2j * np.pi * np.fft.fftfreq(v.shape[0]))[:, None] - 1
    dx = np.exp(2j * np.pi * np.fft.rfftfreq(v.shape[1])) - 1
    found = np.fft.rfft2(v) / reach**2
    found += dy.conj() * np.fft.rfft2(down)
    found += dx.conj() * np.fft.rfft2(across)
    found /= 1 / reach**2 + np.abs(dy) ** 2 + np.abs(dx) ** 2
    return np.fft.irfft2(found, v.shape)[:height, :width].astype(np.float32)
