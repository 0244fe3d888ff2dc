"""The transport solver: patch distributions matched by optimal transport, coarse to fine, as a correspondence field.

At every level the patches x_i of the image u are assigned to exemplar patches y_j by the biased nearest neighbour
C(i) = argmin_j |x_i - y_j|^2 - psi_j, and u becomes the weighted mean of the assigned patches that overlap. At coarse
levels, where all pairs can be compared, psi is ascended until every exemplar patch is used equally often: the
composition is decided there. At fine levels the field C is carried up, refined by search and balanced per cell, and
what agrees with its neighbours holds together: this is what makes the picture sharp.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import patches, pyramid, search, semidual
from .kernels import Array, Kernels, Wrap
from .spec import InputError

SIDE = 5
"""Side of a patch, in pixels of its level."""
COMPONENTS = 16
EXACT = semidual.PAIRS
"""Most pairs of patches (n m) that are compared exhaustively; at the coarsest level they are, however many."""
ASCENTS = 8
"""Rounds of a level whose pairs are all compared."""
SEARCHES = (10, 5, 4)
"""Rounds at the first, the second and further levels that search; the finest always does."""
SEARCHED = 330
"""Pairs whose comparison takes as long as one patch in one round of search: for progress only."""
BLOCK = 8
"""Side of the pieces of the exemplar from which the coarsest level starts: structure holds better than from noise."""
GRACE = 1.0
"""What a neighbour's answer may cost more than the best, in mean costs."""


@dataclass(frozen=True)
class Step:
    """One round is done: `fraction` of the whole work, and the planes so far as the provider's array (H, W, C)."""

    level: int  # 0 is the finest
    levels: int
    round: int
    rounds: int
    fraction: float
    image: Any


@dataclass(frozen=True)
class Solution:
    """The finest level's field and the weight of each patch's vote, as the provider's arrays; times, coarse first."""

    field: Array
    weight: Array
    size: tuple[int, int]
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Level:
    """What is done at one level. Sizes are (height, width): of the exemplar, the image and the field."""

    index: int
    exemplar: tuple[int, int]
    image: tuple[int, int]
    field: tuple[int, int]
    ascents: int
    searches: int

    @property
    def positions(self) -> tuple[int, int]:
        """Patches of the exemplar, down and across."""
        return _positions(self.exemplar)

    @property
    def work(self) -> int:
        n, m = math.prod(self.field), math.prod(self.positions)
        return n * (self.ascents * m + self.searches * SEARCHED)


def check(height: int, width: int) -> None:
    """Raises InputError for an exemplar that holds no patch."""
    if min(height, width) < SIDE:
        raise InputError(f"exemplar is {width}x{height} px: smaller than one {SIDE} px patch; use a larger image")


def schedule(exemplar: tuple[int, int], size: tuple[int, int], wrap: Wrap) -> list[Level]:
    """The levels, coarse first, for an exemplar and a result of these sizes (height, width)."""
    levels = pyramid.depth(*exemplar, *size)
    sizes = pyramid.sizes(*size, levels)
    plan: list[Level] = []
    for index in reversed(range(levels)):
        own = (exemplar[0] >> index, exemplar[1] >> index)
        height, width = sizes[index]
        field = (height if wrap[0] else height - SIDE + 1, width if wrap[1] else width - SIDE + 1)
        small = math.prod(field) * math.prod(_positions(own)) <= EXACT
        ascents = ASCENTS if not plan or (small and index) else 0
        before = sum(level.searches > 0 for level in plan)
        searches = 0 if small and index else SEARCHES[min(before, len(SEARCHES) - 1)]
        plan.append(Level(index, own, sizes[index], field, ascents, searches))
    return plan


def solve(
    kernels: Kernels, exemplar: np.ndarray, size: tuple[int, int], wrap: Wrap, seed: int
) -> Generator[Step, None, Solution]:
    """Yields a Step a round; returns the Solution.

    exemplar: float32 (H, W, C), at least one patch on each side; size: (height, width) of the result.
    """
    rng = np.random.default_rng(seed)
    plan = schedule((exemplar.shape[0], exemplar.shape[1]), size, wrap)
    stack = pyramid.build(exemplar, len(plan))
    total, done = sum(level.work for level in plan), 0
    seconds: list[float] = []
    C = weight = None
    for level in plan:
        start = time.perf_counter()
        basis = patches.basis(stack[level.index], SIDE, COMPONENTS, rng)
        key = int(rng.integers(2**31))
        e = kernels.array(stack[level.index])
        Y = kernels.project(e, basis, (False, False))
        if C is None:
            C = kernels.array(pieces(level.field, level.positions, rng))
        else:
            C = kernels.upsample(C, level.field, level.positions)
        even = weight = kernels.array(np.ones(level.field, np.float32))
        u = kernels.vote(e, C, even, SIDE, level.image)
        psi = kernels.array(np.zeros(level.positions, np.float32))
        fair = kernels.array(semidual.fair_use(level.positions))
        cells = 0 * fair
        rounds = level.ascents + level.searches
        for round in range(rounds):
            X = kernels.project(u, basis, wrap)
            key += 100
            if round < level.ascents:
                psi = semidual.ascended(kernels, X, Y, psi)
                C = kernels.assign(X, Y, psi)
            else:
                bias = psi + kernels.spread(cells, semidual.CELL, level.positions)
                grace = GRACE * kernels.mean(kernels.distances(X, Y, C))
                C = search.refined(kernels, X, Y, bias, C, grace, wrap, key)
                cost = kernels.distances(X, Y, C)
                cells = semidual.balanced(kernels, cells, C, fair, cost, level.positions)
                weight = kernels.weights(cost)
            u = kernels.vote(e, C, weight, SIDE, level.image)
            yield Step(level.index, len(plan), round, rounds, (done + level.work * (round + 1) / rounds) / total, u)
        done += level.work
        seconds.append(time.perf_counter() - start)
    for axis, turn in enumerate(cut(kernels.numpy(u), wrap, 2 ** (len(plan) - 1))):
        C, weight = kernels.roll(C, turn, 1 + axis), kernels.roll(weight, turn, axis)
    return Solution(C, weight, size, tuple(seconds))


def cut(u: np.ndarray, wrap: Wrap, step: int) -> tuple[int, int]:
    """How far to turn rows and columns so that the edge does not run along a contour; axes that do not wrap stay.

    A picture that wraps has no first row: it may begin anywhere. But at its edge it is clamped, filtered and
    compressed as if it ended there, and a strong contour would suffer. If the edge is one, it is turned to the nearest
    place, in steps of so many pixels, where neighbouring rows (columns) differ no more than they do at the median.
    Steps of a coarsest pixel leave the result's levels aligned with the exemplar's.
    """
    turns = []
    for axis in (0, 1):
        side = u.shape[axis]
        if not wrap[axis]:
            turns.append(0)
            continue
        jumps = np.abs(u - np.roll(u, 1, axis)).mean(axis=(1 - axis, 2))  # jumps[i]: between i - 1 and i
        places = sorted(range(0, side, step), key=lambda i: min(i, side - i))
        turns.append(-next((i for i in places if jumps[i] <= np.median(jumps)), 0))
    return turns[0], turns[1]


def render(kernels: Kernels, solution: Solution, planes: np.ndarray) -> np.ndarray:
    """Any planes (H, W, C) aligned with the exemplar, put together through the field at the result's size."""
    e = kernels.array(planes)
    return kernels.numpy(kernels.vote(e, solution.field, solution.weight, SIDE, solution.size))


def pieces(field: tuple[int, int], positions: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A field (2, fh, fw) that shows `BLOCK` x `BLOCK` pieces of the exemplar, each from a random place."""
    down, across = (-(-side // BLOCK) for side in field)
    axes = []
    for axis, inner in enumerate(np.meshgrid(*(np.arange(side) % BLOCK for side in field), indexing="ij")):
        corner = rng.integers(max(1, positions[axis] - BLOCK + 1), size=(down, across))
        corner = corner.repeat(BLOCK, 0).repeat(BLOCK, 1)[: field[0], : field[1]]
        axes.append(np.minimum(corner + inner, positions[axis] - 1))
    return np.stack(axes)


def _positions(exemplar: tuple[int, int]) -> tuple[int, int]:
    return exemplar[0] - SIDE + 1, exemplar[1] - SIDE + 1
