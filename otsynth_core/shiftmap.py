"""The shift-map of a cut: what of a zone around it stays, and which pieces of the picture take the place of the rest.

On the two sides of a cut a picture does not go on. What is made new between them need not have one width: in a zone
that is wider than it has to be, every pixel of a coarse level takes one of a few shifts, to stay among them, and shows
what stands so far from it, so that pieces meet where they agree (Pritch, Kav-Venaki and Peleg, *Shift-Map Image
Editing*, ICCV 2009). A seam costs, as in Kwatra et al., *Graphcut Textures*
(2003), by how much two pieces differ at it, beside how much either changes across it. Costs are minimised by min-sum
belief propagation, in sweeps over rows and columns.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from . import holes, pyramid
from .holes import View

COARSE, NARROWEST, WIDEST = 2, 8, 16
"""The level at which it is decided, and the fewest and the most of its pixels that a zone is wide on each side of a
cut: a finer one is taken for what is narrower, a coarser one for what is wider."""
CELL, AROUND = 8, 8
"""Side of the cells that have shifts of their own, in pixels of the level; how far around them it is to fit."""
POINTS = 64
"""Pixels that are looked at for a cell, drawn at random: another seed, another result."""
OWN, NEXT = 6, 2
"""Shifts that a cell finds, and how many of each neighbour's it may take besides, so that pieces become large."""
FARTHEST, NEAREST = 64, 6
"""How far from itself, in pixels along each axis, a piece may come; at least so far, or it is no other."""
APART = 4
"""How far apart the shifts of a cell are at least."""
OUTLIER = 1.0
"""Share of the variance of which no pixel is thought farther off: one half may fit well where the other is another."""
SWEEPS = 6
"""Times that costs are told to all neighbours."""
CALM = 0.6
"""In deviations, added to what changes across a seam anyway: without it any seam in flat parts would be dear."""
STEEP = 3
"""Power of a seam's cost: many that nobody sees are better than a few that leap to the eye."""
STAYS = 1e-2
"""What a pixel costs that does not stay: a picture is to be recognised, and seams like best what is empty."""
FAR = np.float32(1e6)
"""What is taken to stand where nothing may be taken."""
NEVER, DEAREST = 1e9, 6e4
"""What a shift costs that is not allowed; the most that a seam does."""


def level(width: int) -> int:
    """At which level of a picture it is decided, in a zone that is so wide, in pixels, on each side of a cut."""
    index = 0
    while (index < COARSE and width >> index >= 2 * NARROWEST) or width >> index > WIDEST:
        index += 1
    return index


@dataclass(frozen=True)
class Cut:
    """seam: bool (H, W), what must not stay, at least a pixel of the level wide on both sides of a cut, or more of what
    goes on in nothing; zone: bool (H, W), all that may be made new; level: at which it is decided."""

    seam: np.ndarray
    zone: np.ndarray
    level: int


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


def solved(planes: np.ndarray, cut: Cut, side: int, seed: int) -> Generator[None, None, ShiftMap]:
    """For a picture float32 (H, W, C), smooth along the seam, that is put together by patches of some side.

    Yields on the way.
    """
    rng = np.random.default_rng(seed)
    for _ in range(cut.level):
        planes = pyramid.downsample(planes)
        yield
    seam = _blocks(cut.seam, cut.level, planes).any((1, 3))
    zone = _blocks(cut.zone | cut.seam, cut.level, planes).all((1, 3)) | seam
    allowed = np.pad(holes.whole(~seam, side), side // 2)
    found = yield from _found(planes, seam, zone, allowed, rng)
    shifts = np.zeros((*seam.shape, 2), np.int32)
    if found:
        yield from _decide(planes, seam, zone, allowed, found, shifts)
    return ShiftMap(shifts, cut.level)


def _blocks(mask: np.ndarray, index: int, planes: np.ndarray) -> np.ndarray:
    """bool (h, n, w, n): the pixels of a mask under each of a level's."""
    height, width, n = *planes.shape[:2], 2**index
    return mask[: height * n, : width * n].reshape(height, n, width, n)


Cells = dict[tuple[int, int], np.ndarray]
"""int (`OWN`, 2) by the row and column of a cell: its shifts, best first."""


def _found(
    planes: np.ndarray, seam: np.ndarray, zone: np.ndarray, allowed: np.ndarray, rng: np.random.Generator
) -> Generator[None, None, Cells]:
    """The shifts that fit around each cell of the zone: at half the size, then to the pixel. Yields after each."""
    halves, reach = pyramid.downsample(planes), FARTHEST // 2
    most = OUTLIER * pyramid.variance(planes).sum()
    may = _blocks(allowed, 1, halves).all((1, 3))
    around = np.where(may, halves.transpose(2, 0, 1), FAR)
    around = np.pad(around, [(0, 0), (reach, reach), (reach, reach)], constant_values=FAR)
    span, near = 2 * reach + 1, np.indices((3, 3)).reshape(2, -1).T - 1
    cells: Cells = {}
    for row, column in np.argwhere(_cells(zone).any((1, 3))).tolist():
        top, left = (max(0, CELL * at - AROUND) for at in (row, column))
        known = ~seam[top : CELL * (row + 1) + AROUND, left : CELL * (column + 1) + AROUND]
        points = np.argwhere(known) + (top, left)
        points = points[rng.permutation(len(points))[:POINTS]]
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
            if not off[y, x] < most * len(points):
                break
            tried = 2 * np.array([y - reach, x - reach]) + near
            own.append(tried[_off(planes, allowed, points, tried, most).argmin()])
            off[tuple(slice(max(0, at - APART // 2), at + APART // 2 + 1) for at in (y, x))] = np.inf
        if own:
            cells[row, column] = np.array(own)
        yield
    return cells


def _cells(zone: np.ndarray) -> np.ndarray:
    """bool (down, `CELL`, across, `CELL`)."""
    zone = np.pad(zone, [(0, -n % CELL) for n in zone.shape])
    return zone.reshape(len(zone) // CELL, CELL, -1, CELL)


def _off(planes: np.ndarray, allowed: np.ndarray, points: np.ndarray, shifts: np.ndarray, most: float) -> np.ndarray:
    """How much some points differ from what stands at each of some shifts from them, in all."""
    values, may = _shown(planes, allowed, points[:, None] + shifts)
    apart = ((values - planes[points[:, 0], points[:, 1]][:, None]) ** 2).sum(2)
    return np.where(may, np.minimum(apart, most), most).sum(0)


def _shown(planes: np.ndarray, allowed: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What stands at some places (..., 2), and whether it may be taken."""
    held = places.clip(0, np.array(allowed.shape) - 1)
    may = allowed[held[..., 0], held[..., 1]] & (held == places).all(-1)
    return planes[held[..., 0], held[..., 1]], may


def _decide(
    planes: np.ndarray, seam: np.ndarray, zone: np.ndarray, allowed: np.ndarray, found: Cells, shifts: np.ndarray
) -> Generator[None, None, None]:
    """Writes the shift that each pixel of the zone takes. Yields after each sweep over rows or columns."""
    spans = []
    for axis in (0, 1):  # the zone, and a pixel around it that stays
        lines = np.flatnonzero(zone.any(1 - axis))
        spans.append(slice(max(0, lines[0] - 1), lines[-1] + 2))
    index, own = _labels(found, _cells(zone).shape[0::2])
    rows, columns = (np.arange(n)[span] for n, span in zip(zone.shape, spans, strict=True))
    labels = own[index[np.ix_(rows // CELL, columns // CELL)]]
    places = np.stack(np.meshgrid(rows, columns, indexing="ij"), 2)[:, :, None]
    values, may = _shown(planes, allowed, places + labels)
    stays, free = ~labels.any(3), zone[spans[0], spans[1]][..., None]
    costs = np.where(stays, NEVER * seam[spans[0], spans[1]][..., None], np.where(may & free, STAYS, NEVER))
    lattice = _Lattice(planes, places, labels, values.astype(np.float32), free[..., 0])
    told = np.zeros((4, *costs.shape), np.float32)  # from above, from below, from the left, from the right
    costs = costs.astype(np.float32)
    yield
    for axis in (0, 1):
        yield from lattice.join(axis)
    for _ in range(SWEEPS):
        for axis in (0, 1):
            lattice.sweep(axis, costs, told)
            yield
    best = (costs + told.sum(0)).argmin(2)
    shifts[spans[0], spans[1]] = np.take_along_axis(labels, best[..., None, None], 2)[:, :, 0]


def _labels(found: Cells, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """int (down, across), the number of each cell, and int32 (cells, `OWN` + 8 `NEXT` + 1, 2): the shifts that each
    may take, its own first."""
    index, labels = np.zeros(shape, int), [np.zeros((1 + OWN + 8 * NEXT, 2), np.int32)]
    beside = [(i, k) for i in (-1, 0, 1) for k in (-1, 0, 1) if (i, k) != (0, 0)]
    for row, column in np.ndindex(*shape):
        near = [found[row + i, column + k][:NEXT] for i, k in beside if (row + i, column + k) in found]
        own = [found[row, column]] if (row, column) in found else []
        if own or near:
            index[row, column] = len(labels)
            all = np.concatenate([*own, *near])
            labels.append(np.zeros_like(labels[0]))
            labels[-1][1 : 1 + len(all)] = all
    return index, np.array(labels)


class _Lattice:
    """The pixels of a zone, and what it costs that neighbours take two of their shifts.

    places: int (h, w, 1, 2); labels: int (h, w, K, 2); values: (h, w, K, C), what each shift shows; free: bool (h, w).
    """

    def __init__(
        self, planes: np.ndarray, places: np.ndarray, labels: np.ndarray, values: np.ndarray, free: np.ndarray
    ) -> None:
        self._planes, self._places, self._labels, self._values, self._free = planes, places, labels, values, free
        self._calm = CALM * float(np.sqrt(pyramid.variance(planes).sum())) + np.finfo(np.float32).tiny
        self._lines: tuple[list[tuple[np.ndarray, np.ndarray]], ...] = ([], [])

    def join(self, axis: int) -> Generator[None, None, None]:
        """Finds what seams cost between lines along an axis: rows, or columns. Yields after each."""
        places, labels, values, free = (
            of.swapaxes(0, axis) for of in (self._places, self._labels, self._values, self._free)
        )
        everywhere = np.ones(self._planes.shape[:2], bool)
        for line in range(len(free) - 1):
            at = np.flatnonzero(free[line] | free[line + 1])
            here, there = labels[line, at], labels[line + 1, at]
            own, other = values[line, at], values[line + 1, at]
            beyond, _ = _shown(self._planes, everywhere, places[line + 1, at] + here)
            before, _ = _shown(self._planes, everywhere, places[line, at] + there)
            across = (_distance(own, beyond)[:, :, None], _distance(before, other)[:, None])
            seams = (_distances(own, before) + _distances(beyond, other)) / (across[0] + across[1] + self._calm)
            seams = np.minimum(seams**STEEP, DEAREST)
            seams[(here[:, :, None] == there[:, None]).all(3)] = 0
            self._lines[axis].append((at, seams.astype(np.float16)))
            yield

    def sweep(self, axis: int, costs: np.ndarray, told: np.ndarray) -> None:
        """Tells from each line to the next what each of its shifts would cost, and back again."""
        costs, (before, after, *beside) = costs.swapaxes(0, axis), self._turned(axis, told)
        lines = list(enumerate(self._lines[axis]))
        for line, (at, seams) in lines:
            own = costs[line, at] + before[line, at] + beside[0][line, at] + beside[1][line, at]
            best = (own[:, :, None] + seams).min(1)
            before[line + 1, at] = best - best.min(1, keepdims=True)
        for line, (at, seams) in reversed(lines):
            own = costs[line + 1, at] + after[line + 1, at] + beside[0][line + 1, at] + beside[1][line + 1, at]
            best = (own[:, None] + seams).min(2)
            after[line, at] = best - best.min(1, keepdims=True)

    @staticmethod
    def _turned(axis: int, told: np.ndarray) -> list[np.ndarray]:
        """What was told along an axis, forward and back, and along the other, by lines of that axis."""
        return [told[n].swapaxes(0, axis) for n in ((0, 1, 2, 3), (2, 3, 0, 1))[axis]]


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sqrt(((a - b) ** 2).sum(-1))


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, K, K): of each of a (n, K, C) from each of b."""
    squares = (a * a).sum(2)[:, :, None] + (b * b).sum(2)[:, None] - 2 * a @ b.swapaxes(1, 2)
    return np.sqrt(np.maximum(squares, 0))
