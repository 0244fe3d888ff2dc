"""Whether an exemplar tiles already: then it goes on beyond its edges, and holds as many patches as pixels.

A picture to be enlarged is often a tile, and most of its coarse patches reach over an edge: where the shorter side has
8 pixels, three quarters of them. Two things show that a picture goes on from its last row to its first. They differ no
more than rows near them do; and they differ less than if either was turned against the other. Neither is enough: rows
along a plank are alike whatever lies between them, and a turned row may stand beside others that differ as much.
"""

from __future__ import annotations

import numpy as np

from . import pyramid

NEAR = 8
"""So many rows on either side of the edge should differ as much as those at it."""
JUMP = 1.25
"""How much more those at the edge may differ than the most of them."""
TURNED = 0.6
"""How much less the rows at the edge must differ than when one is turned, as a share of squares."""
LEAST = 32
"""Turned by less than one part in so many of their length, rows are not yet different; nor by less than 3 px."""
LEVELS = 4
"""The picture and its coarser levels at which the edge must not show."""
FINE = 2
"""At one of so many of them, the two rows must fit as they lie: what is fine alone may not go on to the next row."""
SHORT = 32
"""Fewest rows and columns of a level that are looked at."""
MARGIN = 4
"""Rows of a coarsest level, beyond these, that what is looked at may be made from."""


def found(exemplar: np.ndarray) -> tuple[bool, bool]:
    """Whether the rows, and the columns, of an exemplar (H, W, C) go on from the start where they end."""
    short = min(exemplar.shape[:2])
    if short < SHORT:
        return False, False
    many = min(LEVELS, pyramid.depth(short, least=SHORT))
    down, across = (_goes_on(_edges(exemplar.swapaxes(0, axis), many)) for axis in (0, 1))
    return down, across


def in_step(u: np.ndarray, length: float) -> bool:
    """Whether rows that repeat every `length`, of u (H, W, C), go on from the last to the first as within.

    The edge may lie along a strong contour then, as `found` does not allow: it has to be as strong a period further in.
    """
    whole = round(len(u) / length)
    if whole < 2 or abs(len(u) / length - whole) * length > 1:
        return False
    places = np.rint(np.arange(whole) * len(u) / whole).astype(int)
    for rows in (1, NEAR):
        before, after = (u[(places[:, None] + np.arange(rows) - back) % len(u)].mean(1) for back in (rows, 0))
        jumps = np.abs(after - before).mean((1, 2))
        if jumps[0] > JUMP * jumps[1:].max():
            return False
    return True


def _edges(u: np.ndarray, many: int) -> list[np.ndarray]:
    """So many levels of u (H, W, C), fine first; without what lies between its first rows and its last, if that is
    farther away than anything that is looked at."""
    cell = 2 ** (many - 1)
    kept = cell * (NEAR + 1 + MARGIN)
    skipped = (len(u) - 2 * kept) // cell * cell
    if skipped > 0:
        u = np.concatenate([u[:kept], u[kept + skipped :]])
    return list(pyramid.build(u, many, (True, True)))


def _goes_on(levels: list[np.ndarray]) -> bool:
    return all(_even(u) for u in levels) and any(_fits(u) for u in levels[:FINE])


def _even(u: np.ndarray) -> bool:
    """Whether the last row and the first differ no more than rows near them."""
    rows = np.arange(-NEAR - 1, NEAR + 1)
    jumps = np.abs(np.diff(u.take(rows, 0, mode="wrap"), axis=0)).mean((1, 2))
    edge = jumps[NEAR]
    return bool(edge <= JUMP * np.delete(jumps, NEAR).max())


def _fits(u: np.ndarray) -> bool:
    """Whether the last row and the first differ less than when one is turned: all turns are found by one FFT."""
    mean = u.mean(0).mean(0)
    last, first = (row.astype(np.float64) - mean for row in (u[-1], u[0]))
    n = len(first)
    products = np.fft.irfft((np.fft.rfft(last, axis=0) * np.fft.rfft(first, axis=0).conj()).sum(1), n)
    energy = (last**2).sum() + (first**2).sum()
    off = energy - 2 * products
    least = max(3, n // LEAST)
    return bool(off[0] <= TURNED * off[least : n - least + 1].min() + 1e-9 * energy)
