"""Holes: a picture that is known in part, at every level, and the window around what is not.

A pixel of a coarser level is the mean of the known ones under it, and is known if these have half of the weight: thin
holes close after a few levels, wide ones keep their width. Patches that are known and may be taken stand for
themselves; of the others, those that touch the hole are to be found. Patches that touch it are never taken from.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from . import lines, pyramid
from .kernels import bands
from .progress import portions

COARSEST = 11
"""No level's short side is below this many pixels."""
MARGIN = 6
"""Pixels around the hole that are looked at, at every level: patches that touch it, and their neighbours."""
ENOUGH = 64
"""Fewest patches that a level must have to be taken from; the finest does with one."""
MOST = 0.5 - 1e-6
"""Share of what lies under a pixel that is most of it, half and half included whatever it is rounded to."""
STITCHED, RIM = 16, 2
"""How many pixels deep the new is drawn to the old around it, less and less; so many around it they are compared in."""
BLOCK, AROUND = 512, 64
"""Side of the blocks in which that is done, and how far around them the rim is looked at; even halved many times."""
AT_ONCE = 2**17
"""Numbers that are worked on at once where they are read more than once: they stay in the processor's cache."""
SHARP = (1.0, 0.5, 0.25)
"""How much of what is not smooth a pixel takes from its neighbours, the first, second and third deep."""


@dataclass(frozen=True)
class Hole:
    """What is known of a result: `image` where `mask` is not.

    image: float32 (H, W, C), smooth in the hole; mask: bool (H, W); source: bool (eh, ew), the pixels of the exemplar
    that may be taken; within: the exemplar is the image itself, pixel for pixel. reused: it still has what stood in the
    hole, which may be taken as well.
    """

    image: np.ndarray
    mask: np.ndarray
    source: np.ndarray
    within: bool
    reused: bool = False


@dataclass(frozen=True)
class View:
    """A level of it.

    exemplar: float32 (eh, ew, C); allowed: bool, of its patches, which may be taken. origin: first row and column of
    the window; image: float32 (h, w, C) in the window, smooth in the hole; mask: bool (h, w). pinned: bool, of the
    window's patches, which stand for themselves.
    """

    exemplar: np.ndarray
    allowed: np.ndarray
    origin: tuple[int, int]
    image: np.ndarray
    mask: np.ndarray
    pinned: np.ndarray

    @property
    def positions(self) -> np.ndarray:
        """int32 (2, M): the patches that may be taken."""
        return np.argwhere(self.allowed).T.astype(np.int32)

    @property
    def own(self) -> tuple[np.ndarray, np.ndarray]:
        """int32 (fh,) and (fw,): the row and the column of the image where each of the window's patches stands."""
        down, across = (
            np.arange(first, first + n, dtype=np.int32) for first, n in zip(self.origin, self.pinned.shape, strict=True)
        )
        return down, across


def views(exemplar: np.ndarray, hole: Hole, side: int) -> Generator[None, None, list[View]]:
    """The levels, fine first, for patches of some side: as many as the hole has, and as can be taken from.

    Yields on the way.
    """
    shared = hole.within and not hole.reused
    known, own = ~hole.mask, ~hole.mask if shared else np.ones(exemplar.shape[:2], bool)
    stack = [(exemplar, hole.source & own, hole.image, known)]
    while True:
        e, source, image, known = stack[-1]
        coarse, known = yield from halved(image, known)
        coarse = yield from filled(coarse, known)
        e = coarse if shared else pyramid.downsample(e)
        yield
        source = pyramid.downsample(source[..., None].astype(np.float32))[..., 0] > MOST
        if shared:
            source = source & known
        short = min(coarse.shape[:2] + e.shape[:2])
        if short < COARSEST or known.all() or whole(source, side).sum() < ENOUGH:
            break
        stack.append((e, source, coarse, known))
    sources, knowns = [level[1] for level in stack], [level[3] for level in stack]
    pictures = [level[0] for level in stack], [level[2] for level in stack]
    exemplars, images = yield from _lined(*pictures, knowns, shared)
    made: list[View] = []
    inner = None
    for e, source, image, known in zip(exemplars, sources, images, knowns, strict=True):
        window = _window(~known, inner, side)
        made.append(_view(e, whole(source, side), image, known, window, side, hole.within))
        inner = window
        yield
    return made


def _lined(
    exemplars: list[np.ndarray], images: list[np.ndarray], knowns: list[np.ndarray], shared: bool
) -> Generator[None, None, tuple[list[np.ndarray], list[np.ndarray]]]:
    """The levels with planes of lines behind the colours of coarse ones; as in the exemplar, and smooth in the hole.

    shared: the exemplars are the images. Yields on the way.
    """
    if len(exemplars) <= lines.FINEST:
        return exemplars, images

    def halving(u: np.ndarray, level: int) -> Generator[None, None, np.ndarray]:
        coarse, _ = yield from halved(u, knowns[level])
        return (yield from filled(coarse, knowns[level + 1]))

    along = yield from lines.axis(exemplars)
    shown = yield from lines.planes(images, along, halving)
    own = shown if shared else (yield from lines.planes(exemplars, along, lines.halving))
    weights = lines.weights(exemplars, own)
    fine = lines.FINEST
    images = images[:fine] + lines.joined(images, shown, weights)
    return images if shared else exemplars[:fine] + lines.joined(exemplars, own, weights), images


def halved(
    u: np.ndarray, known: np.ndarray, most: float = MOST
) -> Generator[None, None, tuple[np.ndarray, np.ndarray]]:
    """The next level of a picture (H, W, C) of which some pixels are known, and which of that are.

    most: the share of what lies under a pixel of which more has to be known. Yields on the way.
    """
    share = pyramid.downsample(known[..., None].astype(np.float32))
    yield
    shown = np.empty(u.shape, np.float32)
    for rows in portions(len(u), u[0].size):
        part = u[rows].astype(np.float32)
        part[~known[rows]] = 0
        shown[rows] = part
        yield
    coarse = pyramid.downsample(shown)
    yield
    coarse /= np.maximum(share, 1e-6)
    return coarse, share[..., 0] > most


def whole(pixels: np.ndarray, side: int) -> np.ndarray:
    """bool (h - side + 1, w - side + 1): of which patches every pixel is true."""
    height, width = (n - side + 1 for n in pixels.shape)
    down = pixels[:height].copy()
    for t in range(1, side):
        down &= pixels[t : t + height]
    across = down[:, :width].copy()
    for t in range(1, side):
        across &= down[:, t : t + width]
    return across


def filled(u: np.ndarray, known: np.ndarray, most: float = MOST) -> Generator[None, None, np.ndarray]:
    """A picture whose unknown pixels are smooth between the known ones: pulled from coarser levels, see `halved`.

    Yields on the way.
    """
    if known.all() or min(known.shape) < 2:
        mean = u[known].mean(0) if known.any() else np.zeros(u.shape[2], u.dtype)
        return np.where(known[..., None], u, mean)
    coarse, still = yield from halved(u, known, most)
    coarse = yield from filled(coarse, still, most)
    made = np.empty(u.shape, np.result_type(u, coarse))
    (top, bottom, down), (left, right, across) = (
        _between(n, m) for n, m in zip(u.shape, coarse.shape[:2], strict=False)
    )
    for rows in portions(len(u), u[0].size):
        for part in bands(rows, AT_ONCE // u[0].size):
            t = down[part, None, None]
            line = coarse[top[part]] * (1 - t) + coarse[bottom[part]] * t
            t = across[:, None]
            line = line[:, left] * (1 - t) + line[:, right] * t
            line[known[part]] = u[part][known[part]]
            made[part] = line
        yield
    return made


def _between(n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of n pixels of a line, between which two of the m of the next level each lies, and how near to the second."""
    at = ((np.arange(n) - 0.5) / 2).clip(0, m - 1)
    i = np.minimum(at.astype(int), max(0, m - 2))
    return i, np.minimum(i + 1, m - 1), (at - i).astype(np.float32)


def stitched(new: np.ndarray, old: np.ndarray, mask: np.ndarray) -> Generator[None, None, np.ndarray]:
    """The new picture under a mask, moved so that it meets the old one around it; both (H, W, C).

    Made in blocks, of which only those are looked at that the mask's rim is near to; yields after each.
    """
    made = np.empty_like(old)
    for rows in portions(len(old), old[0].size):
        part, here = old[rows].copy(), mask[rows]
        part[here] = new[rows][here]
        made[rows] = part
        yield
    (low, high), (least, most) = pyramid.bounds(new), pyramid.bounds(old)
    low, high = np.minimum(low, least), np.maximum(high, most)
    for corner in itertools.product(*(range(0, side, BLOCK) for side in mask.shape)):
        block = tuple(slice(start, start + BLOCK) for start in corner)
        near = tuple(slice(max(0, start - AROUND), start + BLOCK + AROUND) for start in corner)
        if mask[block].any() and not mask[near].all():
            moved = yield from _off(new[near], old[near], mask[near])
            moved += new[near]
            moved.clip(low, high, out=moved)
            within = tuple(
                slice(start - by.start, start - by.start + BLOCK) for start, by in zip(corner, near, strict=True)
            )
            np.copyto(made[block], moved[within], where=mask[block][..., None])
            yield
    return made


def met(new: np.ndarray, old: np.ndarray, mask: np.ndarray) -> Generator[None, None, np.ndarray]:
    """The new picture, all of it moved by what lies between its differences from the old one along the mask's rim.

    Yields on the way.
    """
    near = depth(~mask, RIM + 1)
    rim = (near > 0) & (near <= RIM)
    return new + (yield from filled(old - new, rim, most=0))


def _off(new: np.ndarray, old: np.ndarray, mask: np.ndarray) -> Generator[None, None, np.ndarray]:
    """How far the new picture is moved under a mask, and what it is anywhere outside. Yields on the way.

    By as much as the new is off the old along the mask's rim, so that neighbours there differ as they do in the
    exemplar; further in by what is smooth of it, or what differs from pixel to pixel would be drawn into streaks, and
    by what a second rim around the first agrees on, the less of two to the same side: or a line along the mask would
    be drawn into a haze.
    """
    near, off = depth(~mask, 2 * RIM + 1), old - new
    first, second = ((near > start) & (near <= start + RIM) for start in (0, RIM))
    agreed = yield from filled(off, first, most=0)
    other = yield from filled(off, second, most=0)
    apart = agreed * other <= 0
    np.copyto(agreed, other, where=np.abs(other) < np.abs(agreed))
    agreed[apart] = 0
    np.copyto(agreed, off, where=first[..., None])
    off, reached = agreed, ~mask
    height, width, planes = off.shape
    for share in SHARP:
        p = np.zeros((height + 2, width + 2, planes + 1), off.dtype)
        np.multiply(off, reached[..., None], out=p[1:-1, 1:-1, :-1])
        p[1:-1, 1:-1, -1] = reached
        for rows in bands(slice(0, height), AT_ONCE // p[0].size):
            part, beside = off[rows], p[rows.start + 1 : rows.stop + 1]
            sums = p[rows, 1:-1] + p[rows.start + 2 : rows.stop + 2, 1:-1] + beside[:, :-2] + beside[:, 2:]
            here = ~reached[rows] & (sums[..., -1] > 0)
            part[here] += share * (sums[here, :-1] / sums[here, -1:] - part[here])
            reached[rows] |= here
    off *= 1 - np.maximum(depth(mask, STITCHED + 1) - 1, 0)[..., None].astype(new.dtype) / STITCHED
    return off


def nearest(allowed: np.ndarray) -> Generator[None, None, np.ndarray]:
    """int32 (2, eh, ew): of every patch of an exemplar one that may be taken, itself if so, or one that is not far.

    Neighbours are moved together as far as it goes, so that what they show still fits. Yields on the way.
    """
    found, shape = allowed.copy(), allowed.shape
    moved, moves = np.zeros(shape, np.uint16), [(0, 0)]  # which of these brings each patch to one that may be taken
    lines = [np.flatnonzero(~allowed.all(1 - axis)) for axis in (0, 1)]
    reach = 1
    while not found.all() and reach < 2 * max(shape):
        for way in ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)):
            here, there = [], []
            for step, n, at in zip(way, shape, lines, strict=True):
                d = reach * step
                start = max(int(at[0]), -d)
                stop = max(start, min(int(at[-1]) + 1, n - d))
                here.append(slice(start, stop))
                there.append(slice(start + d, stop + d))
            found_here = found[here[0], here[1]]
            new = allowed[there[0], there[1]] & ~found_here
            np.copyto(moved[here[0], here[1]], len(moves), where=new)
            moves.append((reach * way[0], reach * way[1]))
            found_here |= new
        reach += 1 + reach // 4
        yield
    to = np.empty((2, *shape), np.int32)
    for rows in portions(*shape):
        for own, along, here in zip(np.ogrid[rows, : shape[1]], np.array(moves, np.int32).T, to, strict=True):
            here[rows] = own + along[moved[rows]]
        yield
    left = np.argwhere(~found)
    if len(left):
        any = np.argwhere(allowed)
        to[:, left[:, 0], left[:, 1]] = any[np.arange(len(left)) * len(any) // len(left)].T
    return to


def depth(mask: np.ndarray, most: int) -> np.ndarray:
    """int8 (H, W): how many pixels deep each lies in a mask, 0 outside, so many at most; the border is no way out."""
    deep, inside = np.zeros(mask.shape, np.int8), mask
    for _ in range(most):
        deep += inside
        p = np.pad(inside, 1, constant_values=True)
        inside = inside & p[:-2, 1:-1] & p[2:, 1:-1] & p[1:-1, :-2] & p[1:-1, 2:]
    return deep


def _window(mask: np.ndarray, inner: tuple[slice, slice] | None, side: int) -> tuple[slice, slice]:
    """Around a level's hole and the finer level's window; it begins at an even row and column.

    And not so near the end that the next coarser level has no patch that begins there.
    """
    sides = []
    for axis in (0, 1):
        lines = np.flatnonzero(mask.any(1 - axis))
        start, stop = (lines[0] - MARGIN, lines[-1] + 1 + MARGIN) if len(lines) else (mask.shape[axis], 0)
        if inner is not None:
            start, stop = min(start, inner[axis].start // 2), max(stop, -(-inner[axis].stop // 2))
        start = max(0, min(int(start), 2 * (mask.shape[axis] // 2 - side))) // 2 * 2
        sides.append(slice(start, min(mask.shape[axis], int(stop))))
    return sides[0], sides[1]


def _view(
    e: np.ndarray,
    allowed: np.ndarray,
    image: np.ndarray,
    known: np.ndarray,
    window: tuple[slice, slice],
    side: int,
    within: bool,
) -> View:
    shown, mask = image[window], ~known[window]
    origin = window[0].start, window[1].start
    pinned = whole(~mask, side)
    if within:
        down, across = pinned.shape
        pinned &= allowed[origin[0] : origin[0] + down, origin[1] : origin[1] + across]
    else:
        pinned = np.zeros_like(pinned)
    return View(e, allowed, origin, shown, mask, pinned)
