"""Grafts: where the exemplar stands in the result as one large piece, squares of it give way to their twins.

A whole piece is the best match there is, so no search leaves it; but a result made of large pieces repeats many times
what the exemplar has once. A square in the middle of such a piece is cut out, and its twin takes its place: what looks
most like it, its surroundings included, in another part of the exemplar. Rounds of search then settle the joints.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from .kernels import Array, Kernels, bands
from .patches import Descriptor

LEVEL = 2
"""The level at which it is done: twins are alike as seen from there, and bring their own fine detail."""
SQUARE = 8
"""Side of a square, in patches of that level."""
FRAME = 13
"""Side of what is compared, in pixels of that level: what the square's patches cover, and one more."""
WHOLE = 5
"""A piece is large if it goes so far, in pixels of that level, from the middle of a square to all eight sides."""
TWINS = 2**16
"""Most positions of the exemplar among which a twin is sought: of a larger exemplar, a lattice of about so many."""
PORTION = 2**25
"""Pairs that are compared between two yields."""


def possible(exemplar: tuple[int, int], image: tuple[int, int]) -> bool:
    """Whether both hold a frame, and the exemplar always another one far from it; sizes (H, W) at `LEVEL`."""
    return min(image) >= FRAME and min(exemplar) - FRAME + 1 > 2 * SQUARE + 1


def grafted(
    kernels: Kernels, u: Array, d: Descriptor, Y: Array, C: Array, shape: tuple[int, int], colour: int
) -> Generator[None, None, Array]:
    """The field after grafts into the squares of one colour, 0 or 1, of a chessboard. Yields after each portion.

    d, Y: how the frames of the image u and of the exemplar are described; shape: (eh, ew), to which C refers.
    """
    down, across = (_Axis.of(n, f, w) for n, f, w in zip(u.shape, C.shape[1:], d.wrap, strict=False))
    own = _at(kernels, C, down.middle, across.middle)
    whole = kernels.array((np.arange(len(down.middle))[:, None] + np.arange(len(across.middle))) % 2 == colour)
    for a, b in itertools.product((-WHOLE, 0, WHOLE), repeat=2):
        near = _at(kernels, C, (down.middle + a) % len(down.square), (across.middle + b) % len(across.square))
        whole = whole & (near[0] - a == own[0]) & (near[1] - b == own[1])
    shift = kernels.array(np.stack(np.meshgrid(down.shift, across.shift, indexing="ij")))
    stride = math.ceil(math.sqrt(math.prod(Y.shape[:2]) / TWINS))
    stock = Y[::stride, ::stride]
    psi = kernels.array(np.zeros(stock.shape[:2], np.float32))
    parts = []
    for rows in bands(slice(0, len(down.middle)), PORTION // (len(across.middle) * math.prod(stock.shape[:2]))):
        x = _described(kernels, u, d, down.corner[rows], across.corner)
        there = (own[:, rows] - shift[:, rows]) // stride
        parts.append(kernels.assign(x, stock, psi, but=(there, -(-SQUARE // stride))))
        yield
    twin = stride * kernels.stacked(parts, 1) + shift
    placed = _at(kernels, whole[None], down.square, across.square)[0]
    moved = _at(kernels, twin, down.square, across.square)
    grafts = []
    for axis, (own_place, side) in enumerate(zip((down.place[:, None], across.place), shape, strict=True)):
        graft = (moved[axis] + kernels.array(own_place)).clip(0, side - 1)
        grafts.append((C[axis] + placed * (graft - C[axis]))[None])
    return kernels.stacked(grafts, 0)


@dataclass(frozen=True)
class _Axis:
    """Where the squares of a field lie along an axis."""

    square: np.ndarray  # of every patch, the square it belongs to
    place: np.ndarray  # and how far it lies from the middle of that
    middle: np.ndarray  # of every square, the patch in the middle
    corner: np.ndarray  # the pixel where its frame begins
    shift: np.ndarray  # from there to the middle

    @classmethod
    def of(cls, pixels: int, field: int, wraps: bool) -> _Axis:
        square = np.arange(field) // SQUARE
        middle = np.minimum(np.arange(square[-1] + 1) * SQUARE + SQUARE // 2, field - 1)
        corner = middle - SQUARE // 2
        if not wraps:
            corner = corner.clip(0, pixels - FRAME)
        place = np.arange(field) - middle[square]
        return cls(square, place.astype(np.int32), middle, corner, (middle - corner).astype(np.int32))


def _at(kernels: Kernels, values: Array, rows: np.ndarray, columns: np.ndarray) -> Array:
    """Of values (c, h, w), those at some rows and columns."""
    return values[:, kernels.array(rows)][:, :, kernels.array(columns)]


def _described(kernels: Kernels, u: Array, d: Descriptor, top: np.ndarray, left: np.ndarray) -> Array:
    """The descriptors (h, w, k) of the frames that begin at some rows and columns, in a circle where u wraps."""
    rows, columns = (
        ((corner[:, None] + np.arange(FRAME)) % side).ravel()
        for corner, side in zip((top, left), u.shape, strict=False)
    )
    p = u[kernels.array(rows)][:, kernels.array(columns)].reshape(len(top), FRAME, len(left), FRAME, -1)
    x = p.swapaxes(1, 2).reshape(len(top), len(left), -1) @ d.axes - d.offset
    phases = d.rows[kernels.array(top)][:, None], d.columns[kernels.array(left)][None]
    return kernels.stacked([x, *(0 * x[..., :1] + phase for phase in phases)], 2)
