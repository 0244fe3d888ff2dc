"""The shift-map of a cut: what of a zone around it stays, and which pieces of the picture take the place of the rest.

On the two sides of a cut a picture does not go on. What is made new between them need not have one width: in a zone
that is wider than it has to be, every pixel of a level takes one of a few labels. A label is a shift, (0, 0) to stay;
the pixel shows what stands so far off, and pieces with one label meet others where they agree (Pritch, Kav-Venaki and
Peleg, *Shift-Map Image Editing*, ICCV 2009). A joint costs, as in Kwatra et al., *Graphcut Textures* (2003), by how
much two pieces differ at it, over how much either changes across it. Costs are minimised by min-sum belief propagation:
messages go along rows and columns, there and back.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from . import holes, pyramid
from .holes import View
from .progress import portions

COARSE, NARROWEST, WIDEST = 2, 8, 16
"""The level at which it is decided, and the fewest and the most of its pixels that a zone is wide on each side of a
cut: a finer one is taken for what is narrower, a coarser one for what is wider."""
CELL, AROUND = 8, 8
"""Side of the cells that have labels of their own, in pixels of the level; how far around them these are to fit."""
POINTS = 64
"""Pixels that are looked at for a cell, drawn at random: another seed, another result."""
OWN, NEXT = 6, 2
"""Labels that a cell finds, and how many of each neighbour's it may take besides, so that pieces become large."""
FARTHEST, NEAREST = 64, 6
"""Longest and shortest shift along an axis, in pixels of the level; a shorter one would hardly be another piece."""
APART = 4
"""How far apart the shifts of a cell are at least."""
OUTLIER = 1.0
"""Share of the variance at which a pixel's squared difference is truncated: one half may fit well, the other not."""
SWEEPS = 6
"""How many times messages go along all rows and all columns, there and back."""
CALM = 0.6
"""In deviations, added to what changes across a joint anyway: without it any joint in flat parts would be dear."""
STEEP = 3
"""Power of a joint's cost: many that nobody sees are better than a few that leap to the eye."""
MOVED = 1e-2
"""What a pixel costs that does not stay, for a picture is to be recognised."""
BLAND = 1e-1
"""What it costs besides, the more the less detail is shown than was there: joints like best what is empty."""
NEVER, DEAREST = 1e9, 6e4
"""What a label costs that is not allowed; the most that a joint does."""


def level(width: int, short: int) -> int:
    """At which level of a picture it is decided, in a zone that is so wide, in pixels, on each side of a cut.

    short: the picture's short side, of which enough has to be left.
    """
    index = 0
    while short >> index >= 2 * holes.COARSEST and (
        (index < COARSE and width >> index >= 2 * NARROWEST) or width >> index > WIDEST
    ):
        index += 1
    return index


@dataclass(frozen=True)
class Cut:
    """Where a picture does not go on.

    torn: bool (H, W), what must not stay: `deep` pixels on each side, at least one of the level where it is decided;
    width: how many there may be made anew.
    """

    torn: np.ndarray
    deep: int
    width: int


@dataclass(frozen=True)
class ShiftMap:
    """shifts: int32 (h, w, 2) at a level: how far off stands what each pixel shows, (0, 0) where it stays."""

    shifts: np.ndarray
    level: int

    def changed(self, size: tuple[int, int]) -> np.ndarray:
        """bool (H, W): what does not stay, of a picture of this size; and one pixel of the level more, to settle in."""
        moved = np.pad(self.shifts.any(2), 1)
        near = moved[1:-1, 1:-1] | moved[:-2, 1:-1] | moved[2:, 1:-1] | moved[1:-1, :-2] | moved[1:-1, 2:]
        by = 2**self.level
        near = near.repeat(by, 0).repeat(by, 1)
        return np.pad(near, [(0, n - m) for n, m in zip(size, near.shape, strict=True)])

    def field(self, view: View, side: int) -> np.ndarray:
        """int32 (2, fh, fw): what it means for patches of some side in a view of the level."""
        own, half, C = view.own, side // 2, []
        middles = np.ix_(*(line + half for line in own))
        for axis, line in enumerate(np.meshgrid(*own, indexing="ij")):
            C.append((line + self.shifts[middles][..., axis]).clip(0, view.allowed.shape[axis] - 1))
        return np.stack(C).astype(np.int32)


def solved(
    planes: np.ndarray, torn: np.ndarray, zone: np.ndarray, index: int, side: int, seed: int
) -> Generator[None, None, ShiftMap]:
    """For a picture float32 (H, W, C), smooth where it is torn, that is put together by patches of some side.

    torn, zone: bool (H, W), what must not stay and what need not; index: the level at which it is decided. Yields on
    the way. Where no label fits, all stays.
    """
    by, corner, window = 2**index, [], []
    for axis, n in enumerate(zone.shape):  # what lies farther from the zone is not looked at
        lines, more = np.flatnonzero(zone.any(1 - axis)), by * (FARTHEST + AROUND + side)
        start = max(0, int(lines[0]) - more) // by if len(lines) else 0
        corner.append(start)
        window.append(slice(start * by, min(n, int(lines[-1]) + 1 + more) if len(lines) else n))
    whole = planes[window[0], window[1]]
    mean = whole.mean(0, np.float64).mean(0).astype(whole.dtype)
    yield
    level = np.empty_like(whole)
    for rows in portions(len(whole), whole[0].size):
        np.subtract(whole[rows], mean, out=level[rows])
        yield
    for _ in range(index):
        level = pyramid.downsample(level)
        yield
    torn, zone = (_blocks(of[window[0], window[1]], by, level) for of in (torn, zone | torn))
    torn = torn.any((1, 3))
    zone = zone.all((1, 3)) | torn
    search = _Search(level, torn, np.pad(holes.whole(~torn, side), side // 2), np.random.default_rng(seed))
    yield
    found = yield from search.cells(zone)
    shifts = np.zeros((planes.shape[0] >> index, planes.shape[1] >> index, 2), np.int32)
    if found:
        own = yield from search.decided(zone, found)
        top, left = corner
        shifts[top : top + len(own), left : left + own.shape[1]] = own
    return ShiftMap(shifts, index)


def _blocks(mask: np.ndarray, n: int, level: np.ndarray) -> np.ndarray:
    """bool (h, n, w, n): the pixels of a mask under each of a level's."""
    height, width = level.shape[:2]
    return mask[: height * n, : width * n].reshape(height, n, width, n)


Cells = dict[tuple[int, int], np.ndarray]
"""int (up to `OWN`, 2) by the row and column of a cell: its shifts, best first."""


@dataclass(frozen=True)
class _Search:
    """planes: (h, w, C) of a level; torn, allowed: bool (h, w), what must go and what may be shown; rng: for what is
    drawn."""

    planes: np.ndarray
    torn: np.ndarray
    allowed: np.ndarray
    rng: np.random.Generator

    def cells(self, zone: np.ndarray) -> Generator[None, None, Cells]:
        """The shifts that fit around each cell of the zone: at half the size, then to the pixel. Yields after each."""
        halves, reach = pyramid.downsample(self.planes), FARTHEST // 2
        most = OUTLIER * float(pyramid.variance(self.planes).sum())
        may = _blocks(self.allowed, 2, halves).all((1, 3))
        around = np.where(may, halves.transpose(2, 0, 1), np.float32(np.inf))
        around = np.pad(around, [(0, 0), (reach, reach), (reach, reach)], constant_values=np.inf)
        span, near = 2 * reach + 1, np.indices((3, 3)).reshape(2, -1).T - 1
        cells: Cells = {}
        for row, column in np.argwhere(_cells(zone).any((1, 3))).tolist():
            top, left = (max(0, CELL * at - AROUND) for at in (row, column))
            known = ~self.torn[top : CELL * (row + 1) + AROUND, left : CELL * (column + 1) + AROUND]
            points = np.argwhere(known) + (top, left)
            points = points[self.rng.permutation(len(points))[:POINTS]]
            coarse = np.minimum(points // 2, np.array(halves.shape[:2]) - 1)
            off = np.zeros((span, span), np.float32)
            for y, x in coarse.tolist():
                apart = around[:, y : y + span, x : x + span] - halves[y, x, :, None, None]
                apart *= apart
                off += np.minimum(np.add.reduce(apart, 0), most)
            off[tuple(slice(reach - NEAREST // 2, reach + NEAREST // 2 + 1) for _ in (0, 1))] = np.inf
            own = []
            for _ in range(OWN):
                y, x = np.unravel_index(off.argmin(), off.shape)
                if not off[y, x] < 0.999 * most * len(points):  # nothing may be taken there
                    break
                tried = 2 * np.array([y - reach, x - reach]) + near
                own.append(tried[self._off(points, tried, most).argmin()])
                off[tuple(slice(max(0, at - APART // 2), at + APART // 2 + 1) for at in (y, x))] = np.inf
            if own:
                cells[row, column] = np.array(own)
            yield
        return cells

    def _off(self, points: np.ndarray, shifts: np.ndarray, most: float) -> np.ndarray:
        """How much some points differ from what stands at each of some shifts from them, in all."""
        places = points[:, None] + shifts
        apart = ((self._shown(places) - self.planes[points[:, 0], points[:, 1]][:, None]) ** 2).sum(2)
        return np.where(self._may(places), np.minimum(apart, most), most).sum(0)

    def _shown(self, places: np.ndarray) -> np.ndarray:
        return _at(self.planes, places)

    def _detail(self) -> np.ndarray:
        """(h, w): how much neighbours differ around each pixel, but where it is torn."""
        squares = np.zeros(self.allowed.shape, np.float32)
        for axis in (0, 1):
            apart = (np.diff(self.planes, axis=axis) ** 2).sum(2)
            squares[(slice(1, None), slice(None))[:: 1 - 2 * axis]] += apart
        share = np.pad(~self.torn, ((1, 0), (1, 0)), mode="edge")
        share = (share[1:, 1:] & share[:-1, 1:] & share[1:, :-1]).astype(np.float32)
        both = np.stack([squares * share, share], 2)
        for step in (1, 2):
            both = pyramid.smooth(both, step=step)
        return (both[..., 0] + 1e-3 * squares.mean()) / (both[..., 1] + 1e-3)

    def _may(self, places: np.ndarray) -> np.ndarray:
        """Whether it may be shown elsewhere."""
        held = places.clip(0, np.array(self.allowed.shape) - 1)
        return self.allowed[held[..., 0], held[..., 1]] & (held == places).all(-1)

    def decided(self, zone: np.ndarray, found: Cells) -> Generator[None, None, np.ndarray]:
        """int32 (h, w, 2): the shift that each pixel takes. Yields on the way."""
        spans = []
        for axis in (0, 1):  # the zone, and a pixel around it that stays
            lines = np.flatnonzero(zone.any(1 - axis))
            spans.append(slice(max(0, lines[0] - 1), lines[-1] + 2))
        index, offered = _labels(found, _cells(zone).shape[0::2])
        rows, columns = (np.arange(n)[span] for n, span in zip(zone.shape, spans, strict=True))
        labels = offered[index[np.ix_(rows // CELL, columns // CELL)]]
        torn, free = self.torn[spans[0], spans[1]], zone[spans[0], spans[1]]
        places = np.stack(np.meshgrid(rows, columns, indexing="ij"), 2).astype(np.int32)[:, :, None]
        costs = np.empty(labels.shape[:3], np.float32)
        detail = self._detail()
        for line, own in enumerate(labels):
            there = places[line] + own
            allowed = self._may(there) & free[line][:, None]
            bland = 1 - _at(detail, there) / _at(detail, places[line])
            moved = MOVED + BLAND * bland.clip(0)
            costs[line] = np.where(own.any(2), np.where(allowed, moved, NEVER), NEVER * torn[line][:, None])
            yield
        messages = np.zeros((4, *costs.shape), np.float32)  # from above, from below, from the left, from the right
        joints = []
        for axis in (0, 1):
            joints.append((yield from self._joined(axis, places, labels, free)))
        for _ in range(SWEEPS):
            for axis in (0, 1):
                yield from _sent(axis, joints[axis], costs, messages)
        best = (costs + messages.sum(0)).argmin(2)
        shifts = np.zeros((*zone.shape, 2), np.int32)
        shifts[spans[0], spans[1]] = np.take_along_axis(labels, best[..., None, None], 2)[:, :, 0]
        return shifts

    def _joined(
        self, axis: int, places: np.ndarray, labels: np.ndarray, free: np.ndarray
    ) -> Generator[None, None, list[tuple[np.ndarray, np.ndarray]]]:
        """Of each row, or column, and the next: where either is free, and there, float16 (n, K, K), what it costs that
        the one takes a label and the other another. Yields after each.

        places: int (h, w, 1, 2); labels: int (h, w, K, 2), what they may take; free: bool (h, w).
        """
        calm = CALM * float(np.sqrt(pyramid.variance(self.planes).sum())) + float(np.finfo(np.float32).tiny)
        places, labels, free = (of.swapaxes(0, axis) for of in (places, labels, free))
        joined = []
        for line in range(len(free) - 1):
            at = np.flatnonzero(free[line] | free[line + 1])
            p, q, here, there = places[line, at], places[line + 1, at], labels[line, at], labels[line + 1, at]
            own, beyond, before, other = (self._shown(place) for place in (p + here, q + here, p + there, q + there))
            across = _distance(own, beyond)[:, :, None] + _distance(before, other)[:, None]
            costs = (_distances(own, before) + _distances(beyond, other)) / (across + calm)
            costs = np.minimum(costs**STEEP, DEAREST)
            costs[(here[:, :, None] == there[:, None]).all(3)] = 0
            joined.append((at, costs.astype(np.float16)))
            yield
        return joined


def _at(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The values at some places (..., 2), or nearest to them."""
    held = places.clip(0, np.array(values.shape[:2]) - 1)
    return values[held[..., 0], held[..., 1]]


def _cells(zone: np.ndarray) -> np.ndarray:
    """bool (down, `CELL`, across, `CELL`)."""
    zone = np.pad(zone, [(0, -n % CELL) for n in zone.shape])
    return zone.reshape(len(zone) // CELL, CELL, -1, CELL)


def _labels(found: Cells, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """int (down, across), the number of each cell, and int32 (number, 1 + `OWN` + 8 `NEXT`, 2), the labels of each.

    First to stay, then its own and its neighbours'; where there are fewer, to stay again.
    """
    index, labels = np.zeros(shape, int), [np.zeros((1 + OWN + 8 * NEXT, 2), np.int32)]
    beside = [(i, k) for i in (-1, 0, 1) for k in (-1, 0, 1) if (i, k) != (0, 0)]
    for row, column in np.ndindex(*shape):
        near = [found[row + i, column + k][:NEXT] for i, k in beside if (row + i, column + k) in found]
        own = [found[row, column]] if (row, column) in found else []
        if own or near:
            index[row, column] = len(labels)
            shifts = np.concatenate([*own, *near])
            labels.append(np.zeros_like(labels[0]))
            labels[-1][1 : 1 + len(shifts)] = shifts
    return index, np.array(labels)


def _sent(
    axis: int, joints: list[tuple[np.ndarray, np.ndarray]], costs: np.ndarray, messages: np.ndarray
) -> Generator[None, None, None]:
    """Each row, or column, tells the next what every label of that costs at best, and back. Yields after each way."""
    costs = costs.swapaxes(0, axis)
    before, after, *beside = (messages[n].swapaxes(0, axis) for n in ((0, 1, 2, 3), (2, 3, 0, 1))[axis])
    lines = list(enumerate(joints))
    for line, (at, joint) in lines:
        own = costs[line, at] + before[line, at] + beside[0][line, at] + beside[1][line, at]
        best = (own[:, :, None] + joint).min(1)
        before[line + 1, at] = best - best.min(1, keepdims=True)
    yield
    for line, (at, joint) in reversed(lines):
        own = costs[line + 1, at] + after[line + 1, at] + beside[0][line + 1, at] + beside[1][line + 1, at]
        best = (own[:, None] + joint).min(2)
        after[line, at] = best - best.min(1, keepdims=True)
    yield


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sqrt(((a - b) ** 2).sum(-1))


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, K, K): of each of a (n, K, C) from each of b."""
    squares = (a * a).sum(2)[:, :, None] + (b * b).sum(2)[:, None] - 2 * a @ b.swapaxes(1, 2)
    return np.sqrt(np.maximum(squares, 0))
