"""Levels: for an exemplar and a result of some sizes, what the transport solver does at each, coarse to fine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from . import graft, patches, pyramid
from .kernels import Wrap
from .spec import InputError

SIDE = 5
"""Side of a patch, in pixels of its level."""
EXACT = 2**24
"""Most pairs of patches (n m) that are compared exhaustively; at the coarsest level they are, however many."""
VAST = 2**30
"""And of those that are compared so at all, some seconds on two cores: where there are more, the request is refused."""
SEARCHED = 330
"""Pairs whose comparison takes as long as one patch in one round of search: for progress only."""
ROOM = 2
"""Least area of a result, in the exemplar's, for which it goes around: a smaller one would mostly be the exemplar."""
CALM = 2
"""Most ascents at the coarsest level of an exemplar that goes around: one piece fits itself there best, and in more
rounds it grows over all of the result, which then repeats."""


@dataclass(frozen=True)
class Effort:
    """How many rounds a level gets."""

    ascents: tuple[int, int]  # at the coarsest level; at others whose pairs are all compared
    settling: int  # rounds of search after these, so that pieces hold together before they are upsampled
    searches: tuple[int, int, int]  # at the first, the second and further levels that only search
    joining: tuple[int, int, int]  # instead, at the level where grafts leave joints, and the two finer ones


EFFORTS = {
    "draft": Effort((6, 2), 2, (4, 2, 1), (6, 2, 1)),
    "normal": Effort((8, 4), 3, (10, 5, 2), (12, 3, 1)),
    "high": Effort((16, 8), 6, (20, 10, 4), (24, 6, 2)),
}
"""For each of `spec.QUALITIES`."""


@dataclass(frozen=True)
class Level:
    """What is done at one level. Sizes are (height, width): of the exemplars, the image and the field.

    arounds: whether each exemplar's rows and columns go on from the start.
    """

    index: int
    exemplars: tuple[tuple[int, int], ...]
    arounds: tuple[Wrap, ...]
    image: tuple[int, int]
    field: tuple[int, int]
    ascents: int
    searches: int
    grafts: bool

    @property
    def positions(self) -> list[tuple[int, int]]:
        """Patches of each exemplar, down and across."""
        pairs = zip(self.exemplars, self.arounds, strict=True)
        return [patches.count(exemplar, SIDE, around) for exemplar, around in pairs]

    @property
    def work(self) -> int:
        """About how long it takes, in comparisons of two patches."""
        n = math.prod(self.field)
        return sum(n * (self.ascents * math.prod(many) + self.searches * SEARCHED) for many in self.positions)


def check(height: int, width: int, what: str = "exemplar") -> None:
    """Raises InputError for an exemplar that holds no patch."""
    if min(height, width) < SIDE:
        raise InputError(f"{what} is {width}x{height} px: smaller than one {SIDE} px patch; use a larger image")


def vast(exemplars: Sequence[tuple[int, int]], size: tuple[int, int], wrap: Wrap, arounds: Sequence[Wrap] = ()) -> bool:
    """Whether the first level, which the shortest side decides, would compare too many pairs of patches: of strips."""
    level = schedule(exemplars, size, wrap, EFFORTS["draft"], arounds=arounds)[0]
    return max(math.prod(level.field) * math.prod(many) for many in level.positions) > VAST


def schedule(
    exemplars: Sequence[tuple[int, int]],
    size: tuple[int, int],
    wrap: Wrap,
    effort: Effort,
    windows: list[tuple[int, int]] | None = None,
    arounds: Sequence[Wrap] = (),
    started: bool = False,
) -> list[Level]:
    """The levels, coarse first, for exemplars and a result of these sizes (height, width).

    windows: of a picture that is known but for a hole, what is worked on at each level, fine first. arounds: whether
    each exemplar's rows and columns go on from the start, if any do. started: there is a field to start from, so
    that no pairs are compared to find one.
    """
    sides = [side for exemplar in exemplars for side in exemplar]
    sizes = windows or pyramid.sizes(*size, pyramid.depth(*sides, *size))
    cell = 2 ** (len(sizes) - 1)  # of the coarsest level: to go around at all, a side must be whole ones
    circles = []
    for exemplar, around in zip(exemplars, arounds or [(False, False)] * len(exemplars), strict=True):
        room = math.prod(size) >= ROOM * math.prod(exemplar)
        down, across = (room and goes and side % cell == 0 for side, goes in zip(exemplar, around, strict=True))
        circles.append((down, across))
    plan: list[Level] = []
    for index in reversed(range(len(sizes))):
        own = tuple((height >> index, width >> index) for height, width in exemplars)
        field = patches.count(sizes[index], SIDE, wrap)
        stocks = [patches.count(one, SIDE, around) for one, around in zip(own, circles, strict=True)]
        few = not started and all(math.prod(field) * math.prod(stock) <= EXACT for stock in stocks)
        small = few and (index > 0 or windows is not None)
        first = not plan and (few or windows is None)  # a hole that is thin but long has one level, and a large window
        ascents = effort.ascents[0] if first else effort.ascents[1] if small else 0
        if not plan and any(map(any, circles)):
            ascents = min(ascents, CALM)
        alone = bool(plan) and not windows and len(own) == 1  # what is mixed is no copy
        grafts = alone and index == graft.LEVEL and graft.possible(own[0], sizes[index])
        searched = [level for level in plan if not level.ascents]
        if small:
            searches = effort.settling
        elif grafts or any(level.grafts for level in searched):
            searches = effort.joining[graft.LEVEL - index]
        else:
            searches = effort.searches[min(len(searched), len(effort.searches) - 1)]
        plan.append(Level(index, own, tuple(circles), sizes[index], field, ascents, searches, grafts))
    return plan
