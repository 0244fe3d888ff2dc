"""Lines: two planes beside the colours of coarse levels tell where something bright or dark runs that is too thin.

Joints between stones, gaps between planks, cracks: a coarse level, which decides where they go, averages them away, and
what varies slowly speaks in their place. So the detail of each finer level is kept by its size, apart for what is
brighter and what is darker than its surroundings, and downsampled like a colour: sizes do not average to nothing. Their
root is compared, or strong lines alone would count. A guidance channel as in Kaspar et al., *Self Tuning Texture
Optimization* (2015), but without edges that would have to be decided on.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import pyramid

FINEST = 2
"""Of the levels that have these planes: finer ones show their lines themselves."""
WEIGHT = 0.5
"""Variance of both planes together, as a share of that of a level's colours."""
FAINT = 0.01
"""Lines whose own variance is this share of the colours' have half of that weight: a slope's banding is no line."""
TAPS = np.array([1, 4, 6, 4, 1], np.float32) / 16


def build(u: np.ndarray, levels: int) -> list[np.ndarray]:
    """The levels of u (H, W, C), fine first, as `pyramid.build`; from `FINEST` on (h, w, C + 2)."""
    stack = pyramid.build(u, levels)
    if levels <= FINEST:
        return stack
    return stack[:FINEST] + [np.concatenate(pair, 2) for pair in zip(stack[FINEST:], planes(stack), strict=True)]


def planes(stack: list[np.ndarray]) -> Iterator[np.ndarray]:
    """float32 (h, w, 2) for each level of a picture from `FINEST` on, one at least: of what is bright, what is dark."""
    details = [level - smooth(level) for level in stack[FINEST - 1 : -1]]
    along, lines = axis(details), np.zeros((*stack[FINEST - 1].shape[:2], 2), np.float32)
    for detail, colours in zip(details, stack[FINEST:], strict=True):
        signed = detail @ along
        lines = pyramid.downsample(lines + np.stack([signed.clip(0), (-signed).clip(0)], 2))
        shown = np.sqrt(lines)
        own, among, as_shown = (one.var((0, 1), np.float64).sum() for one in (lines, colours, shown))
        share = WEIGHT * own / (own + FAINT * among) if own else 0
        yield shown * np.float32(np.sqrt(share * among / as_shown) if own else 0)


def axis(details: list[np.ndarray]) -> np.ndarray:
    """float32 (C,): the direction in which pixels of details (h, w, C) vary most, all levels alike; not downwards."""
    C = sum(np.tensordot(one, one, ((0, 1), (0, 1))) / one[..., 0].size for one in details)
    along = np.linalg.eigh(C)[1][:, -1]
    return (along if along.sum() >= 0 else -along).astype(np.float32)


def smooth(u: np.ndarray) -> np.ndarray:
    """(H, W, C) by a binomial filter of 5 taps along each axis; borders are mirrored."""
    for along in (0, 1):
        n = u.shape[along]
        padded = np.pad(u, [(2, 2) if a == along else (0, 0) for a in range(3)], mode="symmetric")
        u = sum(tap * padded.take(range(t, t + n), along) for t, tap in enumerate(TAPS))
    return u
