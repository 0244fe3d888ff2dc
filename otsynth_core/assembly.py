"""Assembly: any picture that is aligned with the exemplar, put together through the field that was solved for.

Each pixel is the weighted mean of what the patches over it show, so that all maps of a material follow one field, which
is resampled to other sizes for those that have them. Of ids the one with most votes is shown.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np

from . import joints, levels, patches, pyramid, upsampling
from .kernels import Array, Kernels, Wrap
from .progress import Step, portions

BEYOND = 1e-6
"""How much votes count of patches that are taken to go on beyond an edge: within it, nothing."""
ELECTED = 8
"""Labels that are voted on at once."""


@dataclass(frozen=True)
class Solution:
    """The finest level's field and the weight of each patch's vote, as the provider's arrays; times, coarse first.

    exemplar, size: (height, width) of the exemplar and of the result; around: whether the exemplar's patches reach over
    its edges; fine: how many times as fine the
    pixels are as those it was solved at; joints are blended as much more widely.
    """

    field: Array
    weight: Array
    exemplar: tuple[int, int]
    size: tuple[int, int]
    seconds: tuple[float, ...]
    last: Step
    around: Wrap = (False, False)
    fine: float = 1.0


def jumps(u: np.ndarray, rows: slice) -> tuple[np.ndarray, np.ndarray]:
    """How much each of some rows of a picture and the one above it differ, and each column and the one before it."""
    part, above = u[rows], u[np.arange(rows.start, rows.stop) - 1]
    return np.abs(part - above).sum((1, 2)), np.abs(part - np.roll(part, 1, 1)).sum((0, 2))


def cut(down: np.ndarray, across: np.ndarray, wrap: Wrap, step: int) -> tuple[int, int]:
    """How far to turn rows and columns so that the edge does not run along a contour; axes that do not wrap stay.

    A picture that wraps has no first row: it may begin anywhere. But at its edge it is clamped, filtered and
    compressed as if it ended there, and a strong contour would suffer. If the edge is one, it is turned to the nearest
    place, in steps of so many pixels, where neighbouring rows (columns) differ no more than they do at the median, or
    else least. Steps of a coarsest pixel leave the result's levels aligned with the exemplar's. down, across: all
    `jumps`.
    """
    turns = []
    for jump, wraps in zip((down, across), wrap, strict=True):
        places = sorted(range(0, len(jump) if wraps else 1, step), key=lambda i: min(i, len(jump) - i))
        calm = max(np.median(jump), jump[places].min())
        turns.append(-next(i for i in places if jump[i] <= calm))
    return turns[0], turns[1]


def resampled(
    kernels: Kernels, solution: Solution, exemplar: tuple[int, int], size: tuple[int, int]
) -> Generator[float, None, Solution]:
    """The solution for the same exemplar and result at other sizes: what lay so far apart lies as much farther.

    Yields the share that is done after each portion.
    """
    if (exemplar, size) == (solution.exemplar, solution.size):
        return solution
    sides, axes = [], []
    for n, was, places in zip(size, solution.size, solution.field.shape[1:], strict=True):
        wraps = places == was  # it has as many patches as pixels
        sides.append(n if wraps else n - levels.SIDE + 1)
        axes.append(upsampling.Axis.of(kernels, sides[-1], places, (n, was), levels.SIDE, wraps))
    field, (down, across) = (sides[0], sides[1]), axes
    scales = (exemplar[0], solution.exemplar[0]), (exemplar[1], solution.exemplar[1])
    C = kernels.empty((2, *field), solution.field)
    weight = kernels.empty(field, solution.weight)
    for rows in portions(*field):
        C[:, rows] = upsampling.upsampled(
            solution.field, rows, (down, across), scales, exemplar, levels.SIDE, solution.around
        )
        weight[rows] = solution.weight[down.at[rows]][:, across.at]
        yield rows.stop / field[0]
    fine = solution.fine * max(n / was for n, was in zip(size, solution.size, strict=True))
    return Solution(C, weight, exemplar, size, solution.seconds, solution.last, solution.around, fine)


@dataclass(frozen=True)
class Stock:
    """Planes that are aligned with the exemplar, and what `joints` makes of them; their least and greatest values."""

    both: Array
    least: np.ndarray
    most: np.ndarray


def prepared(kernels: Kernels, solution: Solution, planes: np.ndarray) -> Generator[None, None, Stock]:
    """Planes (H, W, C) as `render` takes them. Yields on the way."""
    both = yield from joints.prepared(kernels, planes, solution.fine, _beyond(solution), solution.around)
    return Stock(both, *pyramid.bounds(planes))


def _beyond(solution: Solution) -> int:
    """How far a result's pieces go on beyond its edges, in pixels."""
    return joints.reach(solution.fine) + levels.SIDE - 1


def render(kernels: Kernels, solution: Solution, stock: Stock) -> Iterator[np.ndarray]:
    """Planes put together through the field: (h, width, C), in portions of rows.

    Their `joints` are blended. Beyond an edge of the result that does not wrap, pieces are taken to go on.
    """
    side, scale, r, more = levels.SIDE, solution.fine, joints.reach(solution.fine), _beyond(solution)
    (height, width), field = solution.size, solution.field.shape[1:]
    for rows in portions(height, width * len(stock.most), 8 * r):
        C, weight = solution.field, solution.weight
        for axis, (start, stop) in enumerate(((rows.start - more, rows.stop + r), (-more, width + r))):
            n, line = field[axis], (-1, 1) if axis == 0 else (1, -1)
            places = np.arange(start, stop)
            places = places % n if n == solution.size[axis] else places
            on = places - places.clip(0, n - 1)  # how far beyond an edge that does not wrap
            at = kernels.array(places - on)
            C, weight = (C[:, at], weight[at]) if axis == 0 else (C[:, :, at], weight[:, at])
            C[axis] += kernels.array((more + on).astype(np.int32).reshape(line))
            if on.any():
                weight = weight * kernels.array(np.where(on, BEYOND, 1).astype(np.float32).reshape(line))
        size = C.shape[1] + side - 1, C.shape[2] + side - 1
        votes = kernels.vote(stock.both, C, weight, side, size, slice(side - 1, C.shape[1]))[:, side - 1 : 1 - side]
        yield kernels.numpy(joints.blended(votes, scale)).clip(stock.least, stock.most)


def voted(kernels: Kernels, solution: Solution, planes: np.ndarray) -> Iterator[np.ndarray]:
    """The same with joints as they are: each portion of rows is what the patches vote for."""
    e = kernels.array(patches.unrolled(planes, levels.SIDE, solution.around))
    for rows in portions(*solution.size):
        yield kernels.numpy(kernels.vote(e, solution.field, solution.weight, levels.SIDE, solution.size, rows))


def elect(kernels: Kernels, solution: Solution, labels: np.ndarray) -> Generator[float, None, np.ndarray]:
    """Labels (H, W), 0 and up, aligned with the exemplar: each pixel of the result gets the one with most votes.

    Yields the share that is done after each portion.
    """
    most = np.zeros(solution.size, np.float32)
    winner = np.zeros(solution.size, np.int32)
    number = int(labels.max()) + 1
    for first in range(0, number, ELECTED):
        shares, row = voted(kernels, solution, (labels[..., None] == first + np.arange(ELECTED)).astype(np.float32)), 0
        for share in shares:
            rows = slice(row, row := row + len(share))
            best = share.argmax(2)
            votes = np.take_along_axis(share, best[..., None], 2)[..., 0]
            better = votes > most[rows]
            most[rows][better] = votes[better]
            winner[rows][better] = best[better] + first
            yield min(1.0, (first + ELECTED * rows.stop / solution.size[0]) / number)
    return winner
