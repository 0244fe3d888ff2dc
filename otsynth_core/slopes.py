"""Heights put together from their slopes: the surface whose differences are the voted ones, by Poisson's equation.

Two pieces of a height map may fit in shape and stand at different levels; side by side they make a cliff. So the
differences down and across are voted beside the heights v, and h is what minimises

    |D_y h - g_y|^2 + |D_x h - g_x|^2 + |h - v|^2 / L^2,

found in the Fourier domain: h follows g over distances below L and v, whose levels are the exemplar's, beyond.
Perez, Gangnet, Blake, Poisson image editing, 2003, with the last term of Bhat et al., Fourier analysis of the 2D
screened Poisson equation, 2008.

No surface has all of the slopes that were voted: where pieces meet, h leans otherwise. A normal map that is voted
beside it is bent by as much, so that both tell of one surface.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from .maps import resized
from .progress import portions

REACH = 1 / 16
"""L as a share of the exemplar's shorter side."""
LEVELS = 65
SAMPLES = 2**20
"""Most pixels that quantiles are taken of."""
FLAT = 0.1
"""Least z of a normal: what leans farther is taken to lean so far."""


def with_differences(
    planes: np.ndarray, around: tuple[bool, bool] = (False, False)
) -> Generator[None, None, np.ndarray]:
    """Planes (H, W, C) and, after them, the differences to the next row and to the next column: (H, W, 3 C).

    The last one's is that of the one before, or to the first along an axis that goes around. Yields on the way.
    """
    height, width, c = planes.shape
    made = np.empty((height, width, 3 * c), planes.dtype)
    down, across = (
        np.arange(n) if goes else np.minimum(np.arange(n), max(0, n - 2))
        for n, goes in zip((height, width), around, strict=True)
    )
    for rows in portions(height, width):
        own, first = planes[rows], down[rows]
        made[rows, :, :c] = own
        made[rows, :, c : 2 * c] = planes[(first + 1) % height] - planes[first]
        made[rows, :, 2 * c :] = own[:, (across + 1) % width] - own[:, across]
        yield
    return made


def integrated(planes: np.ndarray, wrap: tuple[bool, bool], reach: float) -> Generator[None, None, np.ndarray]:
    """The heights (H, W, C) of voted planes, as `with_differences` orders them; reach: L in pixels.

    Yields on the way.
    """
    height, width, c = planes.shape[0], planes.shape[1], planes.shape[2] // 3
    heights = []
    for v, down, across in (planes[..., k::c].transpose(2, 0, 1) for k in range(c)):
        f = np.empty((height, width), np.float32)
        for rows in portions(height, width):
            at = np.arange(rows.start - 1, rows.stop) % height  # a row more, for what ends in the first
            down_here, across_here = down[at], across[rows].copy()
            if not wrap[0]:  # nothing leads over an edge
                down_here[at == height - 1] = 0
            if not wrap[1]:
                across_here[:, -1] = 0
            f[rows] = v[rows] / reach**2 + (down_here[:-1] - down_here[1:])
            f[rows] += np.roll(across_here, 1, 1) - across_here
            yield
        heights.append((yield from _solved(f, wrap, reach)))
    return np.stack(heights, 2)


def levelled(
    heights: np.ndarray, exemplar: np.ndarray, wrap: tuple[bool, bool], reach: float
) -> Generator[None, None, np.ndarray]:
    """Heights (H, W, C) with as much of every level as the exemplar has: what joins pieces takes from the extremes.

    The optimal transport of values, each plane's by itself, between `LEVELS` quantiles of both, tells how far each
    place is from its level; it is moved by what is smooth of that, over distances beyond L = `reach` pixels: slopes
    stay. Yields on the way.
    """
    planes = []
    for h, e in zip(np.moveaxis(heights, 2, 0), np.moveaxis(exemplar, 2, 0), strict=True):
        own, wanted = _quantiles(h), _quantiles(e)
        yield
        f = np.empty(h.shape, np.float32)
        for rows in portions(*h.shape):
            f[rows] = (np.interp(h[rows], own, wanted) - h[rows]) / reach**2
            yield
        moved = yield from _solved(f, wrap, reach)
        for rows in portions(*h.shape):
            moved[rows] = (h[rows] + moved[rows]).clip(wanted[0], wanted[-1])
            yield
        planes.append(moved)
    return np.stack(planes, 2)


def leaning(
    heights: np.ndarray, voted: np.ndarray, wrap: tuple[bool, bool], sides: tuple[int, int]
) -> Generator[None, None, np.ndarray]:
    """How much more heights (H, W, C) rise than was voted, down and across: (H, W, 2), of the first plane.

    voted: as `with_differences` orders planes; sides: (height, width) of the exemplar, over which rises are told.
    Yields on the way.
    """
    h, c, lean = heights[..., 0], voted.shape[2] // 3, np.empty((*heights.shape[:2], 2), np.float32)
    for rows in portions(*h.shape):
        here = np.arange(rows.start - 1, rows.stop)  # a row more, for what ends in the first
        for axis, (wraps, side) in enumerate(zip(wrap, sides, strict=True)):
            own = (here if axis == 0 else here[1:]) % len(h)
            beside = h[(own + 1) % len(h)] if axis == 0 else np.roll(h[own], -1, 1)
            more = beside - h[own] - voted[own, :, (1 + axis) * c]
            if not wraps:
                more[own == len(h) - 1 if axis == 0 else np.s_[:, -1:]] = 0
            lean[rows, :, axis] = more[1:] + more[:-1] if axis == 0 else more + np.roll(more, 1, 1)
            lean[rows, :, axis] *= np.float32(side / 2)
        yield
    for axis, wraps in enumerate(wrap):
        if not wraps:  # at an edge there is one of the two differences
            np.moveaxis(lean[..., axis], axis, 0)[[0, -1]] *= 2
    return lean


def steepness(normals: np.ndarray, heights: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
    """(2,) How far normals lean, y and x over z, where heights rise by 1 down and across the exemplar.

    normals: vectors (H, W, 2 or 3); heights: (H, W) of the same part of the exemplar at any size; sides: (height,
    width) of all of it, in pixels of the heights. By least squares, so normals that know nothing of the heights have a
    steepness of about 0; y up or down is a matter of its sign.
    """
    told = normals[..., 1::-1] / _z(normals)
    rises = np.stack([side * np.gradient(heights, axis=axis) for axis, side in enumerate(sides)], 2)
    rises = resized(rises, told.shape[:2])
    return (told * rises).sum((0, 1)) / np.maximum((rises**2).sum((0, 1)), np.finfo(np.float32).tiny)


def bent(normals: np.ndarray, lean: np.ndarray) -> np.ndarray:
    """Normals, vectors (H, W, 2 or 3), that lean by (H, W, 2), y and x over z, farther: of length 1."""
    z = _z(normals)
    vectors = np.concatenate([normals[..., :2] + z * lean[..., ::-1], z], 2)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    return vectors[..., : normals.shape[2]]


def _z(normals: np.ndarray) -> np.ndarray:
    """(H, W, 1) The third component, that of what leans too far made larger."""
    if normals.shape[2] > 2:
        return np.maximum(normals[..., 2:], FLAT)
    return np.sqrt(np.maximum(1 - (normals**2).sum(2, keepdims=True), FLAT**2))


def _quantiles(plane: np.ndarray) -> np.ndarray:
    """float64 (`LEVELS`,): of a plane (H, W), the least and the greatest exactly, the others of `SAMPLES` pixels."""
    some = plane.reshape(-1)
    if some.size > SAMPLES:
        some = some[np.random.default_rng(0).integers(some.size, size=SAMPLES)]
    found = np.quantile(some, np.linspace(0, 1, LEVELS))
    found[0], found[-1] = plane.min(), plane.max()
    return found


def _solved(f: np.ndarray, wrap: tuple[bool, bool], reach: float) -> Generator[None, None, np.ndarray]:
    """h (H, W) with (1 / L^2 + D^T D) h = f, float32; no difference D leads over an edge that does not wrap: f is
    mirrored behind it, which makes a circle of it. Yields on the way."""
    height, width = f.shape
    down, across = (
        np.pad(np.arange(n), (0, 0 if wraps else n), mode="symmetric") for n, wraps in zip(f.shape, wrap, strict=True)
    )
    waves = np.empty((len(down), len(across) // 2 + 1), np.complex64)
    for rows in portions(len(down), len(across)):
        waves[rows] = np.fft.rfft(f[down[rows]][:, across], axis=1)
        yield
    sines = (
        np.sin(np.pi * frequency(n)) for frequency, n in ((np.fft.fftfreq, len(down)), (np.fft.rfftfreq, len(across)))
    )
    rising, running = (np.float32(4) * sine.astype(np.float32) ** 2 for sine in sines)  # |exp(i w) - 1|^2
    for columns in portions(waves.shape[1], len(down)):
        part = np.fft.fft(waves[:, columns], axis=0)
        part /= rising[:, None] + (running[columns] + np.float32(reach**-2))
        waves[:, columns] = np.fft.ifft(part, axis=0)
        yield
    h = np.empty((height, width), np.float32)
    for rows in portions(height, len(across)):
        h[rows] = np.fft.irfft(waves[rows], len(across), axis=1)[:, :width]
        yield
    return h
