"""Fields at finer pixels: around the middle of every patch stands what stood there, as far away as before.

A field tells where a patch's first pixel comes from. That one is half a patch off what the patch is about: upsampled by
first pixels, joints between pieces would move by as much at every level, away from where they showed least.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from .kernels import Array, Kernels, Wrap
from .progress import portions


@dataclass(frozen=True)
class Axis:
    """Along an axis of the finer field, in the provider's arrays, int32 (n,)."""

    own: Array  # where each patch is
    at: Array  # the coarser one's patch that it takes its answer from: the pixel in its middle has its own under it
    place: Array  # where that patch is, counted from the finer field's first in pixels of the coarser one

    @classmethod
    def of(
        cls, kernels: Kernels, patches: int, coarse: int, scale: tuple[int, int], side: int, wraps: bool, start: int = 0
    ) -> Axis:
        """Of so many patches, from so many coarse ones.

        scale: pixels of the finer image for so many of the coarser; side: of a patch; start: the coarser one's pixel,
        counted from its first, where the finer one's first is: that of a window is not 0.
        """
        many, one = scale
        own, middle = np.arange(patches), side // 2
        place = (own + middle) * one // many - middle
        if wraps:
            at = (place + start) % coarse
        else:
            at = (place + start).clip(0, coarse - 1)
            place = at - start
        return cls(*(kernels.array(values.astype(np.int32)) for values in (own, at, place)))


def upsampled(
    C: Array,
    rows: slice,
    axes: tuple[Axis, Axis],
    scales: tuple[tuple[int, int], tuple[int, int]],
    exemplar: tuple[int, int],
    side: int,
    around: Wrap,
) -> Array:
    """Some rows of a finer field, int32 (2, h, fw), from a coarser one.

    scales: down and across, pixels of the finer exemplar for so many of the coarser; exemplar: (height, width) of the
    finer one, at whose patches of this side the field points; around: whether it goes on from its start.
    """
    down, across = axes
    found = C[:, down.at[rows]][:, :, across.at]
    own = down.own[rows][:, None], across.own[None]
    place = down.place[rows][:, None], across.place[None]
    for axis, ((many, one), length) in enumerate(zip(scales, exemplar, strict=True)):
        moved = own[axis] + (2 * (found[axis] - place[axis]) * many + one) // (2 * one)
        found[axis] = moved % length if around[axis] else moved.clip(0, length - side)
    return found


def extended(
    kernels: Kernels, C: Array, positions: tuple[int, int], wrap: Wrap, around: Wrap
) -> Generator[None, None, Array]:
    """A field whose pieces go on by one patch where the exemplar ends, over its edge: to be upsampled.

    At the finer level there are patches half as far out, and the field as it is points at none of them. positions: of
    the exemplar's patches, down and across; wrap: whether the field does; around: whether the exemplar goes on from its
    start, and has no edge. Over an edge the field holds -1, or as much as there are positions. Yields on the way.
    """
    height, width = C.shape[1:]
    for axis, (field, wraps, goes) in enumerate(zip((height, width), wrap, around, strict=True)):
        for last, way in () if goes else ((0, 1), (positions[axis] - 1, -1)):
            there = np.arange(field) + way
            at = kernels.array(there % field)
            inside = kernels.array((wraps | (there == there.clip(0, field - 1))).astype(np.int32))
            reached = kernels.empty(C.shape, C)
            for rows in portions(height, width):
                own = C[:, rows]
                beside = C[:, at[rows]] if axis == 0 else own[:, :, at]
                ends = (inside[rows][:, None] if axis == 0 else inside) * (beside[axis] == last)
                reached[:, rows] = own + ends * (beside - own)
                reached[axis, rows] -= way * ends
                yield
            C = reached
    return C
