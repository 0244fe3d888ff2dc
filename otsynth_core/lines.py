"""Lines: two planes beside the colours of coarse levels tell where something bright or dark runs that is too thin.

Joints between stones, gaps between planks, cracks: a coarse level, which decides where they go, averages them away, and
what varies slowly speaks in their place. So the detail of each finer level is kept by its size, apart for what is
brighter and what is darker than its surroundings, and downsampled like a colour: sizes do not average to nothing. Their
root is compared, or strong lines alone would count. A guidance channel as in Kaspar et al., *Self Tuning Texture
Optimization* (2015), but without edges that would have to be decided on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial

import numpy as np

from . import pyramid

FINEST = 2
"""Of the levels that have these planes: finer ones show their lines themselves."""
WEIGHT = 0.5
"""Variance of both planes together, as a share of that of a level's colours."""
FAINT = 0.02
"""Lines whose own variance is this share of the colours' have half of that weight: a slope's banding is no line."""

Halving = Callable[[np.ndarray, int], Generator[None, None, np.ndarray]]
"""Brings planes (h, w, 2) of a level, by its index, to the next one; yields on the way."""


def build(
    u: np.ndarray, levels: int, around: tuple[bool, bool] = (False, False)
) -> Generator[None, None, list[np.ndarray]]:
    """The levels of u (H, W, C), fine first, as `pyramid.build`; from `FINEST` on (h, w, C + 2). Yields on the way."""
    stack = []
    for level in pyramid.build(u, levels, around):
        stack.append(level)
        yield
    if levels > FINEST:
        along = yield from axis(stack, around)
        own = yield from planes(stack, along, partial(halving, around=around), around)
        stack[FINEST:] = joined(stack, own, weights(stack, own))
    return stack


def halving(u: np.ndarray, level: int, around: tuple[bool, bool] = (False, False)) -> Generator[None, None, np.ndarray]:
    """The next level of a picture that is known everywhere: see `Halving`."""
    yield
    return pyramid.downsample(u, around)


def axis(stack: list[np.ndarray], around: tuple[bool, bool] = (False, False)) -> Generator[None, None, np.ndarray]:
    """float32 (C,): the direction in which pixels of details (h, w, C) vary most, all levels alike; not downwards.

    Yields on the way.
    """
    C = np.zeros((stack[0].shape[2],) * 2)
    for level in stack[FINEST - 1 : -1]:
        smooth = pyramid.smooth(level, around)
        yield
        detail = (level - smooth).reshape(-1, level.shape[2])
        yield
        C += detail.T @ detail / len(detail)
        yield
    along = np.linalg.eigh(C)[1][:, -1]
    return (along if along.sum() >= 0 else -along).astype(np.float32)


def planes(
    stack: list[np.ndarray], along: np.ndarray, halving: Halving, around: tuple[bool, bool] = (False, False)
) -> Generator[None, None, list[np.ndarray]]:
    """float32 (h, w, 2) for each level of a picture from `FINEST` on: of what is bright, what is dark along an axis.

    Yields on the way.
    """
    lines, made = np.zeros((), np.float32), []
    for level, finer in enumerate(stack[FINEST - 1 : -1], FINEST - 1):
        smooth = pyramid.smooth(finer, around)
        yield
        signed = (finer - smooth) @ along
        yield
        lines = yield from halving(lines + np.stack([signed.clip(0), (-signed).clip(0)], 2), level)
        made.append(np.sqrt(lines))
    return made


def weights(stack: list[np.ndarray], own: list[np.ndarray]) -> list[float]:
    """For each level from `FINEST` on, what its planes are multiplied by, to be compared beside its colours."""
    found = []
    for colours, shown in zip(stack[FINEST:], own, strict=True):
        among, lines, as_shown = (pyramid.variance(one).sum() for one in (colours, shown**2, shown))
        share = WEIGHT * lines / (lines + FAINT * among) if lines else 0
        found.append(float(np.sqrt(share * among / as_shown)) if lines else 0.0)
    return found


def joined(stack: list[np.ndarray], lines: list[np.ndarray], weights: list[float]) -> list[np.ndarray]:
    """float32 (h, w, C + 2): a picture's levels from `FINEST` on, their planes of lines behind their colours."""
    each = zip(stack[FINEST:], lines, weights, strict=True)
    return [np.concatenate([colours, np.float32(weight) * shown], 2) for colours, shown, weight in each]
