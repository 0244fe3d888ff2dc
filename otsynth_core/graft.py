"""Grafts: where the exemplar stands in the result as one large piece, squares of it give way to their twins.

A whole piece is the best match there is, so no search leaves it; but a result made of large pieces repeats many times
what the exemplar has once. A square that is verbatim, its surroundings included, is cut out, and its twin takes its
place: what looks most like it in another part of the exemplar. Rounds of search then settle the joints.

A graft is never as good as what it replaces, so there are no more than it takes: every other square of every other row,
and between these where the twin is so like that nobody would know. And a square stays that has no twin as the others
have: where most is smooth, it holds the contour, and what came in its place would break it.

Streaks are cut out as well: where votes have smeared what is smooth along an axis, nearest to it are the same few
places over and over, and they smear it again.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from .kernels import Array, But, Kernels, Wrap, bands
from .patches import Descriptor

LEVEL = 2
"""The level at which it is done: twins are alike as seen from there, and bring their own fine detail."""
SQUARE = 8
"""Side of a square, in patches of that level."""
FRAME = 13
"""Side of what is compared, in pixels of that level: what the square's patches cover, and one more."""
VERBATIM = 0.1
"""Share of the variance below which a frame is taken to be the one that it comes from, even with a joint in it."""
CONTRAST = 0.5
"""Share of its own |y_j|^2 that a twin is let off: the nearest would be blander than what it replaces."""
SAME = 1e-5
"""Share of the variance below which a frame differs by rounding only: an exemplar may hold the same piece twice."""
TYPICAL = 2.0
"""How far off a twin may be, in what those of all verbatim squares are in the mean."""
TWINS = 2**16
"""Most positions of the exemplar among which a twin is sought: of a larger exemplar, a lattice of about so many."""
PORTION = 2**25
"""Pairs that are compared between two yields."""
SETTLING = 2
"""Most rounds of search after the last graft: joints have settled then, and in more, pieces grow together again."""
LATTICE = 2
"""Along each axis, one square in so many is grafted at a time."""
ALIKE = 0.4
"""Share of the variance that a twin may be off between the squares of a first lattice: it settles without a joint."""

NEAR = 4
"""How far apart, in patches, two answers are compared that should lie as far apart in the exemplar."""
STANDS = 2
"""And if they do by at most so many pixels, and on the other side as well, the field stands, instead of going on."""
STREAK = 0.1
"""Share of a square's patches that stand, from which on it is a streak."""


@dataclass(frozen=True)
class Lattice:
    """Squares that are grafted at a time: which along each axis, 0 or 1, and how far off a twin may be, see `ALIKE`."""

    down: int
    across: int
    most: float = math.inf


FIRST = Lattice(0, 0), Lattice(0, 1, ALIKE)
LAST = Lattice(1, 1), Lattice(1, 0, ALIKE), Lattice(0, 1, ALIKE)


def last(searches: int) -> int:
    """Before which of so many rounds of search the squares of `LAST` are grafted; those of `FIRST` are before any."""
    return searches - min(SETTLING, searches // 2)


def possible(exemplar: tuple[int, int], image: tuple[int, int]) -> bool:
    """Whether both hold a frame, and the exemplar always another one far from it; sizes (H, W) at `LEVEL`."""
    return min(image) >= FRAME and min(exemplar) - FRAME + 1 > 2 * SQUARE + 1


def grafted(
    kernels: Kernels,
    u: Array,
    d: Descriptor,
    Y: Array,
    variance: float,
    C: Array,
    shape: tuple[int, int],
    around: Wrap,
    lattice: Lattice,
) -> Generator[float, None, Array]:
    """The field after grafts into the squares of one lattice.

    d, Y: how the frames of the image u and of the exemplar are described; variance: of the latter, `Basis.variance`;
    shape: (eh, ew), to which C refers; around: whether the exemplar's rows and columns go on from the start. Yields,
    after each portion, how much of the round to follow is done: 0.
    """
    turns = lattice.down, lattice.across
    down, across = (
        _Axis.of(kernels, n, f, w, turn) for n, f, w, turn in zip(u.shape, C.shape[1:], d.wrap, turns, strict=False)
    )
    own = _at(C, down.middle, across.middle)
    stride = math.ceil(math.sqrt(math.prod(Y.shape[:2]) / TWINS))
    stock = Y[::stride, ::stride]
    psi = CONTRAST * (stock * stock).sum(2)
    frame = kernels.array(np.arange(FRAME))
    twins, offs, verbatim = [], [], []
    for rows in bands(slice(0, own.shape[1]), PORTION // (own.shape[2] * math.prod(stock.shape[:2]))):
        x = _described(kernels, u, d, down.corner[rows], across.corner, frame)
        corners = own[0, rows] - down.shift[rows, None], own[1, rows] - across.shift
        top, left = (_held(*of) for of in zip(corners, Y.shape, around, strict=False))
        source = Y[top, left]  # whose twin is sought: what stands in the image is a vote, and a little off it
        near = kernels.stacked([(axis // stride).reshape(1, -1, 1) for axis in (top, left)], 0)
        but = But(near, -(-SQUARE // stride), SAME * variance, around)
        twin = kernels.assign(source.reshape(-1, 1, x.shape[2]), stock, psi, but).reshape(2, *x.shape[:2])
        twins.append(twin)
        offs.append(((stock[twin[0], twin[1]] - source) ** 2).sum(2))
        verbatim.append(((x - source) ** 2).sum(2) < VERBATIM * variance)
        yield 0.0
    off, whole = kernels.stacked(offs, 0), kernels.stacked(verbatim, 0)
    share, typical = kernels.mean(1.0 * whole), kernels.mean(off * whole)
    replaced = whole & (share * off <= TYPICAL * typical) & (off < lattice.most * variance)
    placed = _at(replaced[None], down.square, across.square)[0]
    placed = placed & (down.within[:, None] & across.within)
    moved = stride * _at(kernels.stacked(twins, 1), down.square, across.square)
    grafts = []
    for axis, offset in enumerate((down.offset[:, None], across.offset)):
        graft = _held(moved[axis] + offset, shape[axis], around[axis])
        grafts.append((C[axis] + placed * (graft - C[axis]))[None])
    return kernels.stacked(grafts, 0)


def straightened(kernels: Kernels, C: Array, shape: tuple[int, int], wrap: Wrap) -> Array:
    """The field with one piece of the exemplar in every square that is a streak: what stands in its middle goes on.

    shape: (eh, ew), to which C refers, at least a square on each side.
    """
    sides, standing = [], []
    for axis, (field, wraps) in enumerate(zip(C.shape[1:], wrap, strict=True)):
        own = np.arange(field, dtype=np.int32)
        first = own // SQUARE * SQUARE
        sides.append([kernels.array(i) for i in (first, np.minimum(first + SQUARE // 2, field - 1), own - first)])
        near = []
        for there in (own - NEAR, own + NEAR):
            at = kernels.array(there % field if wraps else there.clip(0, field - 1))
            off = (C[:, at] if axis == 0 else C[:, :, at]) - C
            near.append((off[0] ** 2 <= STANDS**2) & (off[1] ** 2 <= STANDS**2))
        standing.append(near[0] & near[1])
    (top, down, under), (left, across, beside) = sides
    columns = math.ceil(C.shape[2] / SQUARE)
    squares = math.ceil(C.shape[1] / SQUARE) * columns
    square = top[:, None] // SQUARE * columns + left // SQUARE
    counted = kernels.counts(squares + (square - squares) * (standing[0] | standing[1]), squares + 1)
    streak = counted[square] >= STREAK * SQUARE**2
    middle, pieces = _at(C, down, across), []
    for axis, (back, on) in enumerate((((down - top)[:, None], under[:, None]), (across - left, beside))):
        piece = (middle[axis] - back).clip(0, shape[axis] - SQUARE) + on
        pieces.append((C[axis] + streak * (piece - C[axis]))[None])
    return kernels.stacked(pieces, 0)


@dataclass(frozen=True)
class _Axis:
    """Where the squares of a lattice lie along an axis of a field, in the provider's arrays."""

    middle: Array  # of every square, the patch in its middle
    corner: Array  # the pixel where its frame begins
    shift: Array  # from there to the middle
    square: Array  # of every patch, its square, or another one if it lies between two
    within: Array  # whether it lies in it
    offset: Array  # and how far from where that one's frame begins

    @classmethod
    def of(cls, kernels: Kernels, pixels: int, field: int, wraps: bool, turn: int) -> _Axis:
        number, rest = np.divmod(np.arange(field) // SQUARE, LATTICE)
        within = rest == turn
        last = number[within].max()
        square = np.minimum(number, last)
        middle = np.minimum((np.arange(last + 1) * LATTICE + turn) * SQUARE + SQUARE // 2, field - 1)
        corner = middle - SQUARE // 2
        if not wraps:
            corner = corner.clip(0, pixels - FRAME)
        shift, offset = (middle - corner).astype(np.int32), (np.arange(field) - corner[square]).astype(np.int32)
        return cls(*(kernels.array(values) for values in (middle, corner, shift, square, within, offset)))


def _held(places: Array, side: int, around: bool) -> Array:
    """Rows or columns within a side: what lies beyond is the first again where that goes around, or else the last."""
    return places % side if around else places.clip(0, side - 1)


def _at(values: Array, rows: Array, columns: Array) -> Array:
    """Of values (c, h, w), those at some rows and columns."""
    return values[:, rows][:, :, columns]


def _described(kernels: Kernels, u: Array, d: Descriptor, top: Array, left: Array, frame: Array) -> Array:
    """The descriptors (h, w, k) of the frames that begin at some rows and columns, in a circle where u wraps."""
    rows, columns = (
        ((corner[:, None] + frame) % side).reshape(-1) for corner, side in zip((top, left), u.shape, strict=False)
    )
    p = u[rows][:, columns].reshape(len(top), FRAME, len(left), FRAME, -1)
    x = p.swapaxes(1, 2).reshape(len(top), len(left), -1) @ d.axes - d.offset
    phases = d.rows[top][:, None], d.columns[left][None]
    return kernels.stacked([x, *(0 * x[..., :1] + phase for phase in phases)], 2)
