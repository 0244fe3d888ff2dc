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
) -> Generator[float, None, Array]:
    """The field after grafts into the squares of one colour, 0 or 1, of a chessboard.

    d, Y: how the frames of the image u and of the exemplar are described; shape: (eh, ew), to which C refers. Yields
    after each portion, of the round that is to follow, the share that is done: 0.
    """
    down, across = (_Axis.of(kernels, n, f, w) for n, f, w in zip(u.shape, C.shape[1:], d.wrap, strict=False))
    height, width = C.shape[1:]
    own = _at(C, down.middle, across.middle)
    whole = (down.number[:, None] + across.number) % 2 == colour
    for a, b in itertools.product((-WHOLE, 0, WHOLE), repeat=2):
        near = _at(C, (down.middle + a) % height, (across.middle + b) % width)
        whole = whole & (near[0] - a == own[0]) & (near[1] - b == own[1])
    stride = math.ceil(math.sqrt(math.prod(Y.shape[:2]) / TWINS))
    stock = Y[::stride, ::stride]
    psi = kernels.array(np.zeros(stock.shape[:2], np.float32))
    frame = kernels.array(np.arange(FRAME))
    parts = []
    for rows in bands(slice(0, len(whole)), PORTION // (whole.shape[1] * math.prod(stock.shape[:2]))):
        x = _described(kernels, u, d, down.corner[rows], across.corner, frame)
        there = (own[0, rows] - down.shift[rows, None]) // stride, (own[1, rows] - across.shift) // stride
        near = kernels.stacked([axis.reshape(1, -1, 1) for axis in there], 0)
        found = kernels.assign(x.reshape(-1, 1, x.shape[2]), stock, psi, but=(near, -(-SQUARE // stride)))
        parts.append(found.reshape(2, *x.shape[:2]))
        yield 0.0
    twin = stride * kernels.stacked(parts, 1)
    placed = _at(whole[None], down.square, across.square)[0]
    moved = _at(twin, down.square, across.square)
    grafts = []
    for axis, (offset, side) in enumerate(zip((down.offset[:, None], across.offset), shape, strict=True)):
        graft = (moved[axis] + offset).clip(0, side - 1)
        grafts.append((C[axis] + placed * (graft - C[axis]))[None])
    return kernels.stacked(grafts, 0)


@dataclass(frozen=True)
class _Axis:
    """Where the squares of a field lie along an axis, in the provider's arrays."""

    number: Array  # of every square
    middle: Array  # the patch in its middle
    corner: Array  # the pixel where its frame begins
    shift: Array  # from there to the middle
    square: Array  # of every patch, the number of its square
    offset: Array  # and how far it lies from where that one's frame begins

    @classmethod
    def of(cls, kernels: Kernels, pixels: int, field: int, wraps: bool) -> _Axis:
        square = np.arange(field) // SQUARE
        number = np.arange(square[-1] + 1)
        middle = np.minimum(number * SQUARE + SQUARE // 2, field - 1)
        corner = middle - SQUARE // 2
        if not wraps:
            corner = corner.clip(0, pixels - FRAME)
        shift, offset = (middle - corner).astype(np.int32), (np.arange(field) - corner[square]).astype(np.int32)
        return cls(*(kernels.array(values) for values in (number, middle, corner, shift, square, offset)))


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
