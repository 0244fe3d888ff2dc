"""Boxes: a hole cut into parts that are worked on one after another, so that work grows with the hole, not the image.

Parts that lie far from each other are apart from the beginning. One that is thin for the box around it is cut in two
where least of it is cut; one that goes all the way round an axis that wraps, where it ends at itself. Boxes may begin
before an image that wraps, or end behind it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

BLOCK = 64
"""Side of the blocks by which parts are told apart: an empty one between them, and they have nothing in common."""
THIN, LARGE = 1 / 8, 256**2
"""Share of a box that a part must fill at least, if the box is larger than so many pixels."""
ALIGNED = 16
"""What a box around a part begins and ends at a multiple of."""
OVERLAP = 48
"""How far beyond its box, in pixels, a hole is worked on: what comes out there is not kept."""

Span = tuple[int, int]


@dataclass(frozen=True)
class Box:
    """Rows and columns, from and to."""

    rows: Span
    columns: Span

    def grown(self, by: int, size: tuple[int, int], wrap: tuple[bool, bool]) -> Box:
        """The box with more around it, as far as the image goes; around an axis that wraps no farther than once."""
        spans = []
        for (start, stop), side, wraps in zip((self.rows, self.columns), size, wrap, strict=True):
            if wraps:
                more = min(by, (side - (stop - start)) // 2)
                spans.append((start - more, stop + more))
            else:
                spans.append((max(0, start - by), min(side, stop + by)))
        return Box(spans[0], spans[1])

    def aligned(self, size: tuple[int, int], wrap: tuple[bool, bool]) -> Box:
        """The box from and to multiples of `ALIGNED`, as far as the image goes: in smaller maps too to whole pixels.

        Around an axis that wraps it stays as it is where it would meet itself.
        """
        spans = []
        for span, side, wraps in zip((self.rows, self.columns), size, wrap, strict=True):
            start, stop = span[0] // ALIGNED * ALIGNED, -(-span[1] // ALIGNED) * ALIGNED
            around = span if stop - start > side else (start, stop)
            spans.append(around if wraps else (max(0, start), min(side, stop)))
        return Box(spans[0], spans[1])

    def scaled(self, size: tuple[int, int], other: tuple[int, int]) -> Box:
        """The pixels of a map of another size that lie under the box, wholly or in part; size: of the leading map."""
        spans = [
            (start * m // n, -(-stop * m // n))
            for (start, stop), n, m in zip((self.rows, self.columns), size, other, strict=True)
        ]
        return Box(spans[0], spans[1])

    def covering(self, mask: np.ndarray, size: tuple[int, int], other: tuple[int, int]) -> np.ndarray:
        """A mask of this box in the pixels of `scaled`, each the most of what it lies under."""
        if size == other:
            return mask
        scaled = self.scaled(size, other)
        for (start, stop), span, n, m in zip(
            (self.rows, self.columns), (scaled.rows, scaled.columns), size, other, strict=True
        ):
            pixels = np.arange(*span)
            first, last = pixels * n // m, -(-(pixels + 1) * n // m) - 1
            lines = [np.minimum(first + t, last) for t in range(int((last - first).max()) + 1)]
            inside = [line.clip(start, stop - 1) - start for line in lines]
            mask = np.maximum.reduce([mask[line] for line in inside]).T
        return mask

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]

    def index(self, size: tuple[int, int]) -> tuple[np.ndarray, ...]:
        """What reads it out of an image of some size, or writes it there."""
        return np.ix_(*(np.arange(*span) % side for span, side in zip((self.rows, self.columns), size, strict=True)))


def boxes(hole: np.ndarray, wrap: tuple[bool, bool]) -> list[Box]:
    """The boxes around the parts of a hole (H, W); in each, what no box before it has covers a part of the hole."""
    found = []
    for part in _parts(hole, wrap):
        found += _cut(hole, _around(hole, part, wrap), wrap)
    return found


def _parts(hole: np.ndarray, wrap: tuple[bool, bool]) -> list[Box]:
    """Boxes, in whole blocks, around groups of blocks that touch each other."""
    padded = np.pad(hole, [(0, -side % BLOCK) for side in hole.shape])
    down, across = (side // BLOCK for side in padded.shape)
    left = {(int(y), int(x)) for y, x in np.argwhere(padded.reshape(down, BLOCK, across, BLOCK).any((1, 3)))}
    parts = []
    while left:
        group, front = [], [left.pop()]
        while front:
            y, x = front.pop()
            group.append((y, x))
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    there = ((y + dy) % down if wrap[0] else y + dy, (x + dx) % across if wrap[1] else x + dx)
                    if there in left:
                        left.remove(there)
                        front.append(there)
        occupied = np.zeros((down, across), bool)
        occupied[tuple(np.array(group).T)] = True
        spans = []
        for axis in (0, 1):
            lines = occupied.any(1 - axis).repeat(BLOCK)[: hole.shape[axis]]
            spans.append(_span(lines, wrap[axis]))
        parts.append(Box(spans[0], spans[1]))
    return sorted(parts, key=lambda part: (part.rows, part.columns))


def _span(lines: np.ndarray, wraps: bool) -> Span:
    """From the first to the last of some lines; on a circle the shortest way round."""
    at, n = np.flatnonzero(lines), len(lines)
    if not wraps:
        return int(at[0]), int(at[-1]) + 1
    gaps = np.diff(np.append(at, at[0] + n))
    widest = int(gaps.argmax())
    start = int(at[(widest + 1) % len(at)])
    return start, start + n - int(gaps[widest]) + 1


def _around(hole: np.ndarray, box: Box, wrap: tuple[bool, bool]) -> Box:
    """A box shrunk to what it holds of the hole."""
    inside = hole[box.index((hole.shape[0], hole.shape[1]))]
    spans = []
    for axis, (start, stop) in enumerate((box.rows, box.columns)):
        lines = inside.any(1 - axis)
        round = wrap[axis] and stop - start == hole.shape[axis]
        first, last = _span(lines, round)
        spans.append((start + first, start + last))
    return Box(spans[0], spans[1])


def _cut(hole: np.ndarray, box: Box, wrap: tuple[bool, bool]) -> list[Box]:
    """A box, or those that it is cut into."""
    size = (hole.shape[0], hole.shape[1])
    inside = hole[box.index(size)]
    for axis, (start, stop) in enumerate((box.rows, box.columns)):
        side = size[axis]
        reach = min(OVERLAP, side // 8)
        if wrap[axis] and stop - start + 2 * reach > side:
            counts = inside.sum(1 - axis)
            counts = np.append(counts, np.zeros(side - len(counts), counts.dtype))
            joint = start + _calm(counts) - reach
            spans = (joint + 2 * reach, joint + side), (joint, joint + 2 * reach)
            return _halves(hole, box, axis, spans, wrap)
    if math.prod(box.size) > LARGE and inside.mean() < THIN:
        axis = int(inside.shape[1] > inside.shape[0])
        counts = inside.sum(1 - axis)
        third = len(counts) // 3
        start, stop = (box.rows, box.columns)[axis]
        at = start + third + int(counts[third : 2 * third].argmin())
        return _halves(hole, box, axis, ((start, at), (at, stop)), wrap)
    return [box]


def _calm(counts: np.ndarray) -> int:
    """The middle of the longest run, on a circle, of lines that hold the fewest."""
    n, least = len(counts), counts == counts.min()
    if least.all():
        return 0
    first = int(np.flatnonzero(~least)[0])
    turned, best, run = np.roll(least, -first), (0, 0), 0
    for at, here in enumerate([*turned.tolist(), False]):
        if not here:
            best = max(best, (run, at - run))
        run = run + 1 if here else 0
    return (first + best[1] + best[0] // 2) % n


def _halves(hole: np.ndarray, box: Box, axis: int, spans: tuple[Span, Span], wrap: tuple[bool, bool]) -> list[Box]:
    """What comes of both parts of a box that is cut across an axis."""
    found = []
    for span in spans:
        half = Box(span, box.columns) if axis == 0 else Box(box.rows, span)
        if hole[half.index((hole.shape[0], hole.shape[1]))].any():
            within = (wrap[0] and axis != 0, wrap[1] and axis != 1)  # it ends where it was cut
            found += _cut(hole, _around(hole, half, within), within)
    return found
