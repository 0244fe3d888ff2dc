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

import numpy as np

from .maps import resized

REACH = 1 / 16
"""L as a share of the exemplar's shorter side."""
LEVELS = 65
FLAT = 0.1
"""Least z of a normal: what leans farther is taken to lean so far."""


def with_differences(planes: np.ndarray, around: tuple[bool, bool] = (False, False)) -> np.ndarray:
    """Planes (H, W, C) and, after them, the differences to the next row and to the next column: (H, W, 3 C).

    The last one's is that of the one before, or to the first along an axis that goes around.
    """
    parts = [planes]
    for axis in (0, 1):
        difference = np.roll(planes, -1, axis) - planes
        if not around[axis]:
            ends = np.moveaxis(difference, axis, 0)
            ends[-1] = ends[-2] if len(ends) > 1 else 0
        parts.append(difference)
    return np.concatenate(parts, 2)


def integrated(planes: np.ndarray, wrap: tuple[bool, bool], reach: float) -> np.ndarray:
    """The heights (H, W, C) of voted planes, as `with_differences` orders them; reach: L in pixels."""
    c = planes.shape[2] // 3
    v, down, across = (np.moveaxis(planes[..., i * c : (i + 1) * c], 2, 0) for i in range(3))
    return np.stack([_solved(v[k], (down[k], across[k]), wrap, reach) for k in range(c)], 2)


def levelled(heights: np.ndarray, exemplar: np.ndarray, wrap: tuple[bool, bool], reach: float) -> np.ndarray:
    """Heights (H, W, C) with as much of every level as the exemplar has: what joins pieces takes from the extremes.

    The optimal transport of values, each plane's by itself, between `LEVELS` quantiles of both, tells how far each
    place is from its level; it is moved by what is smooth of that, over distances beyond L = `reach` pixels: slopes
    stay.
    """
    shares = np.linspace(0, 1, LEVELS)
    planes = []
    for h, e in zip(np.moveaxis(heights, 2, 0), np.moveaxis(exemplar, 2, 0), strict=True):
        off = np.interp(h, *(np.quantile(plane, shares) for plane in (h, e))).astype(np.float32) - h
        planes.append((h + _solved(off, None, wrap, reach)).clip(e.min(), e.max()))
    return np.stack(planes, 2)


def leaning(heights: np.ndarray, voted: np.ndarray, wrap: tuple[bool, bool], sides: tuple[int, int]) -> np.ndarray:
    """How much more heights (H, W, C) rise than was voted, down and across: (H, W, 2), of the first plane.

    voted: as `with_differences` orders planes; sides: (height, width) of the exemplar, over which rises are told.
    """
    c, lean = voted.shape[2] // 3, np.empty((*heights.shape[:2], 2), np.float32)
    for axis, (wraps, side) in enumerate(zip(wrap, sides, strict=True)):
        more = np.roll(heights[..., 0], -1, axis) - heights[..., 0] - voted[..., (1 + axis) * c]
        if not wraps:
            more[(slice(None),) * axis + (-1,)] = 0
        lean[..., axis] = (more + np.roll(more, 1, axis)) * np.float32(side / 2)
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


def _solved(
    v: np.ndarray, differences: tuple[np.ndarray, np.ndarray] | None, wrap: tuple[bool, bool], reach: float
) -> np.ndarray:
    """h of one plane; differences: down and across, 0 where None: h is then v, smoothed."""
    height, width = v.shape
    parts = [v, *(differences or ())]
    for axis, wraps in enumerate(wrap):
        if not wraps:  # a mirrored copy behind the end makes a circle of it
            for n, part in enumerate(parts):
                if n == 1 + axis:  # differences along the axis change their sign there
                    inner = np.moveaxis(np.moveaxis(part, axis, 0)[:-1], 0, axis)
                    none = np.zeros_like(np.moveaxis(np.moveaxis(part, axis, 0)[:1], 0, axis))
                    parts[n] = np.concatenate([inner, none, -np.flip(inner, axis), none], axis)
                else:
                    parts[n] = np.concatenate([part, np.flip(part, axis)], axis)
    size = parts[0].shape
    dy = np.exp(2j * np.pi * np.fft.fftfreq(size[0]))[:, None] - 1
    dx = np.exp(2j * np.pi * np.fft.rfftfreq(size[1])) - 1
    found = np.fft.rfft2(parts[0]) / reach**2
    for step, part in zip((dy, dx), parts[1:], strict=False):
        found += step.conj() * np.fft.rfft2(part)
    found /= 1 / reach**2 + np.abs(dy) ** 2 + np.abs(dx) ** 2
    return np.fft.irfft2(found, size)[:height, :width].astype(np.float32)
