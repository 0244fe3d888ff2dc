"""Fill: what a mask covers is made anew, from the rest or from another material; every other pixel stays as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from .. import assembly, boxes, holes, levels, pyramid, repeats, shiftmap, slopes, transport
from ..assembly import Solution
from ..boxes import OVERLAP, Box
from ..holes import Hole, View
from ..kernels import Kernels
from ..maps import Map, MapSet, resized
from ..progress import Made, Place, Step, begins, gathered, mapped, portions
from ..roles import NORMALS
from ..shiftmap import Cut, ShiftMap
from ..spec import Fill, InputError, around
from ..transport import Exemplar
from . import retreat
from .region import WHITE, Region, covered, matched, nearest, softness, stacked, times
from .render import middles
from .result import Result

REACH = 192
"""How far around a part of the hole, in pixels, material is taken from; as far as the part is long, if that is more."""
NOTHING = "mask: it covers nothing, so nothing was filled: the image is returned as it is"
PLENTY = 4096
"""So many patches near the hole are enough of those that were chosen to be taken from; or half of them."""


def steps(request: Fill, maps: MapSet, region: Region) -> Generator[Step, None, Result]:
    """Yields Steps, returns the Result; see `tasks.steps`."""
    size = maps.lead.size
    levels.check(*size)
    wrap = around(request.wrap)
    soft = covered(region, size, request.invert, request.margin, wrap)
    if region.other is None and soft.all() and not covered(region, size, request.invert, 0, wrap).all():
        raise InputError(f"margin is {request.margin}: with it the mask covers the whole image; choose less")
    other = None if region.other is None else matched(maps, region.other, opaque=region.source is None)
    source = None
    if region.source is not None:
        source = softness(region.source, (maps if other is None else other).lead.size, "source mask") >= WHITE
    yield begins(maps.compared)
    task = _Task(maps, soft, wrap, source, other, region.cut)
    computed = yield from retreat.computed(request, partial(task.run, request))
    images, seconds, count = computed.made
    retreats = computed.retreats
    notes = () if count else (NOTHING,)
    return Result(request, maps, images, None, computed.device, seconds, (None, None), retreats, count, notes=notes)


@dataclass(frozen=True)
class _Task:
    """What to fill, and from what.

    soft: float32 (H, W), how much of each of the leading map's pixels is new; wrap: axes on which the image repeats.
    source: bool, of the image or of the other material, what may be taken, all of it if None. other: a material to take
    it from, under the same names. cut: see `Region`.
    """

    maps: MapSet
    soft: np.ndarray
    wrap: tuple[bool, bool]
    source: np.ndarray | None
    other: MapSet | None
    cut: Cut | None

    def run(
        self, request: Fill, compute: Kernels
    ) -> Generator[Step, None, tuple[dict[str, np.ndarray], tuple[float, ...], int]]:
        """Yields Steps, returns the images by name, the seconds of each part of the hole, and how much of it is new."""
        images = {name: one.image.copy() for name, one in self.maps.maps.items()}
        left, seconds, size, count = self.soft > 0, [], self.maps.lead.size, 0
        due = left.copy() if self.cut is None else self.cut.torn & left  # what has to be new
        parts = boxes.boxes(left, self.wrap)
        shares = np.cumsum([0, *((box.size[0] + OVERLAP) * (box.size[1] + OVERLAP) for box in parts)])
        shares = shares / max(1, shares[-1])
        for box, before, after in zip(parts, shares, shares[1:], strict=False):
            if not due[box.index(size)].any():  # a larger box around it was before, or it goes on there
                continue
            start = time.perf_counter()
            job = yield from self._job(images, left, due, box, float(before))
            done = yield from mapped(job.run(compute, request, images, size), _between(before, after))
            count += int(done.keep.sum())
            if self.cut is not None:  # around the box what is new there is not kept: it does not go on into what was
                edge = _inside(done.crop, box.grown(self.cut.deep, size, self.wrap))
                due[done.crop.index(size)] |= done.work & edge
            left[box.index(size)] = due[box.index(size)] = False
            seconds.append(time.perf_counter() - start)
        return images, tuple(seconds), count

    def _job(
        self, images: dict[str, np.ndarray], left: np.ndarray, due: np.ndarray, box: Box, done: float
    ) -> Generator[Step, None, _Job]:
        """The job of a box; left: bool (H, W), what of the hole is not filled yet, due: what of that has to be;
        done: share of the work before it.

        Yields Steps. Raises InputError where there is nothing to take from.
        """
        begun = replace(begins(self.maps.compared), fraction=done)
        size = self.maps.lead.size
        enough = holes.ENOUGH if self.source is None else min(PLENTY, int(self.source.sum()) // 2)
        crops = [(box.grown(max(REACH, *box.size), size, self.wrap).aligned(size, self.wrap), enough)]
        crops.append((box.grown(max(size), size, self.wrap), 1))  # as far as the image goes
        if min(box.rows[0], box.columns[0]) >= 0 and box.rows[1] <= size[0] and box.columns[1] <= size[1]:
            crops.append((Box((0, size[0]), (0, size[1])), 1))  # its edge may cut less of what there is
        for crop, least in crops:
            job = yield from mapped(self._cropped(images, left, due, box, crop), lambda _: begun)
            if job.stock() >= max(1, least if self.other is None else 1):
                return job
        what = "what the mask leaves is smaller than a patch"
        if self.source is not None:
            what = "what the source mask leaves is smaller than a patch"
        elif left.all():
            what = "the mask covers the whole image"
        raise InputError(
            f"{what}: nothing of {levels.SIDE}x{levels.SIDE} px is left to take from; cover less, or name"
            " another material to take it from"
        )

    def _cropped(
        self, images: dict[str, np.ndarray], left: np.ndarray, due: np.ndarray, box: Box, crop: Box
    ) -> Generator[None, None, _Job]:
        yield
        size = self.maps.lead.size
        index = crop.index(size)
        unknown, zone = due[index], left[index]
        work, keep = (zone & _inside(crop, part) for part in (box.grown(OVERLAP, size, self.wrap), box))
        yield
        old, smooth = {}, {}
        for name, one in self.maps.maps.items():
            yield
            old[name] = replace(one, image=images[name][crop.scaled(size, one.size).index(one.size)])
            yield
            smooth[name] = yield from _smooth(old[name], crop.covering(unknown, size, one.size))
        maps, begin, taken, source = MapSet(smooth), 0, crop.size, self.source
        if self.other is not None:
            taken = self.other.lead.size
            maps, begin = stacked(maps, self.other, {name: one.size for name, one in self.maps.maps.items()}, size)
            source = np.ones(taken, bool) if source is None else source
        else:
            source = ~unknown if source is None else source[index] & ~unknown
        torn = None if self.cut is None else unknown
        width = 0 if self.cut is None else self.cut.width
        return _Job(crop, maps, old, begin, taken, self.soft[index], work, keep, source, torn, width)


@dataclass(frozen=True)
class _Job:
    """One part of the hole: the maps around it, what of them is known, and what is worked on.

    crop: in the leading map's pixels. maps: of the crop, smooth in the hole, or those above the ones of another
    material; old: of the crop as they are. begin: the row where the other material begins, 0 where there is none.
    taken: (height, width) of what is taken from; source: bool, of it. soft: float32; work, keep: bool, of the crop.
    torn: of the crop, what of the work there is no way around, if it is to be narrowed; width: see `Cut`.
    """

    crop: Box
    maps: MapSet
    old: dict[str, Map]
    begin: int
    taken: tuple[int, int]
    soft: np.ndarray
    work: np.ndarray
    keep: np.ndarray
    source: np.ndarray
    torn: np.ndarray | None
    width: int

    def stock(self) -> int:
        """How many patches there are to take from, at the work size."""
        return int(holes.whole(~_reduced(~self.source, self.maps.reduction), levels.SIDE).sum())

    def run(
        self, compute: Kernels, request: Fill, images: dict[str, np.ndarray], lead: tuple[int, int]
    ) -> Generator[Step, None, _Job]:
        """Solves for the part and writes what is kept of it into the images. Yields Steps, returns itself, narrowed.

        lead: (height, width) of the whole leading map.
        """
        job, solved = yield from self._solved(compute, request, lead)
        yield from job._written(compute, solved, images, lead)
        return job

    def _solved(
        self, compute: Kernels, request: Fill, lead: tuple[int, int]
    ) -> Generator[Step, None, tuple[_Job, _Solved]]:
        """The job, narrowed if it is to be, and what was solved for it. Yields Steps."""
        place = self._place(lead, (0, 0), self.crop.size)
        for planes in self.maps.comparing():
            begun = replace(begins(planes), place=place, maps=self.maps)
            yield begun
        job, shifts = self, None
        if self.torn is not None:
            shifts = yield from mapped(self._cut(planes, self.torn, request.seed), lambda _: begun)
        if shifts is not None:
            new = nearest(shifts.changed((planes.shape[0], planes.shape[1])), self.crop.size) | self.torn
            job = replace(self, work=self.work & new, keep=self.keep & new)
        return job, (yield from job._transported(compute, request, lead, planes, shifts, begun))

    def _cut(self, planes: np.ndarray, torn: np.ndarray, seed: int) -> Generator[None, None, ShiftMap | None]:
        """What of the work is to be new, and which pieces take its place; None if none may. Yields on the way."""
        by = self.maps.reduction
        zone, torn = ~_reduced(~self.work, by), _reduced(torn, by)
        index = shiftmap.level(self.width // by, min(planes.shape[:2]))
        shifts = yield from shiftmap.solved(planes, torn, zone, index, levels.SIDE, seed)
        return shifts if shifts.shifts.any() else None

    def _transported(
        self,
        compute: Kernels,
        request: Fill,
        lead: tuple[int, int],
        planes: np.ndarray,
        shifts: ShiftMap | None,
        begun: Step,
    ) -> Generator[Step, None, _Solved]:
        """What is solved for a job that is narrowed. planes: its maps, as they are compared; begun: the Step before."""
        by = self.maps.reduction
        work, source = _reduced(self.work, by), ~_reduced(~self.source, by)
        image, first = planes[: work.shape[0], : work.shape[1]], self.begin // by
        e = planes[first : first + source.shape[0], : source.shape[1]] if self.begin else image
        if self.torn is not None:  # what gives way may still be taken
            image = yield from mapped(holes.filled(planes, ~work), lambda _: begun)
        hole = Hole(image, work, source, within=not self.begin, reused=self.torn is not None)
        views, start = (yield from mapped(holes.views(e, hole, levels.SIDE), lambda _: begun)), None
        if shifts is not None and len(views) > shifts.level:
            views = views[: shifts.level + 1]
            start = shifts.field(views[-1], levels.SIDE)
        exemplar = Exemplar(e, repeats.found(e))
        yield begun
        solving = transport.solve(
            compute,
            [exemplar],
            (image.shape[0], image.shape[1]),
            (False, False),
            request.seed,
            levels.EFFORTS[request.quality],
            views,
            start,
        )
        (solution,) = yield from mapped(solving, partial(self._placed, views, lead))
        return _Solved(solution, views[0].origin, views[0].mask, self._placed(views, lead, solution.last))

    def _written(
        self, compute: Kernels, solved: _Solved, images: dict[str, np.ndarray], lead: tuple[int, int]
    ) -> Generator[Step, None, None]:
        """Puts the part together, map by map, and writes what is kept of it into the images. Yields Steps."""
        lean: _Lean | None = None
        for name, one in sorted(self.maps.maps.items(), key=lambda item: item[1].role != "height"):
            whole = images[name]
            size = whole.shape[0], whole.shape[1]
            index = self.crop.scaled(lead, size).index(size)
            cover = partial(self.crop.covering, size=lead, other=size)
            part, keep = whole[index], cover(self.keep)
            if one.role == "id":
                keep = keep & (cover(self.soft) >= WHITE)
            ratio = size[0] / lead[0], size[1] / lead[1]
            putting = self._put_together(compute, solved, name, cover, ratio, lean)
            made, lean = yield from mapped(putting, lambda _: solved.last)
            part[keep] = made[keep]
            whole[index] = part
            yield solved.last

    def _placed(self, views: list[View], lead: tuple[int, int], step: Step) -> Step:
        """The Step, its picture of the crop's maps, where the level's window lies in the whole leading map."""
        view, one = views[step.level], self.maps.reduction * 2**step.level
        origin, size = (tuple(one * side for side in of) for of in (view.origin, view.mask.shape))
        return replace(step, place=self._place(lead, origin, size), maps=self.maps)

    def _place(self, lead: tuple[int, int], origin: tuple[int, int], size: tuple[int, int]) -> Place:
        """Where a part of the crop lies in the whole leading map."""
        top, left = (of[0] + first for of, first in zip((self.crop.rows, self.crop.columns), origin, strict=True))
        return top / lead[0], left / lead[1], (top + size[0]) / lead[0], (left + size[1]) / lead[1]

    def _put_together(
        self,
        compute: Kernels,
        solved: _Solved,
        name: str,
        cover: Callable[[np.ndarray], np.ndarray],
        ratio: tuple[float, float],
        lean: _Lean | None,
    ) -> Generator[float, None, tuple[np.ndarray, _Lean | None]]:
        """The crop of a map with the solved part in it; one of fewer pixels is made larger on the way.

        cover: brings masks of the crop into the map's own pixels; ratio: of these to the leading map's, down and
        across; lean: of the heights that were put together before, by which normals are bent. Of heights theirs is
        returned as well. Yields after each portion.
        """
        solution, one, old = solved.solution, self.maps.maps[name], self.old[name]
        size, labelled = old.size, one.role == "id"
        values, labels = one.ids() if labelled else (None, None)
        planes = one.rendered() if labels is None else labels[..., None]
        fit = nearest if labelled else resized
        taken = planes[: size[0], : size[1]]
        if self.begin:
            height, width = times(self.taken, ratio)
            taken = planes[len(planes) - height :, :width]
        worked = _reduced(self.work, self.maps.reduction).shape
        scale = [max(1.0, n / m) for n, m in zip(size, worked, strict=True)]
        known = fit(planes[: size[0], : size[1]], times(worked, scale))
        stock = fit(taken, times(solution.exemplar, scale))
        at = tuple(
            slice(round(start * r), min(round((start + n) * r), side))
            for start, n, r, side in zip(solved.origin, solved.mask.shape, scale, known.shape, strict=False)
        )
        window = at[0].stop - at[0].start, at[1].stop - at[1].start
        own = yield from assembly.resampled(compute, solution, (stock.shape[0], stock.shape[1]), window)
        made = known.copy()
        if values is not None:
            made[at] = (yield from assembly.elect(compute, own, stock[..., 0]))[..., None]
            made = fit(made, size)
            return values[made[..., 0]].reshape(*size, *one.image.shape[2:]), lean
        mask = np.zeros(known.shape[:2], bool)
        mask[at] = cover(self.work)[at] if known.shape[:2] == size else solved.mask
        surface = one.role == "height"
        shown = (yield from _silent(slopes.with_differences(stock))) if surface else stock
        ready = yield from _silent(assembly.prepared(compute, own, shown))
        new = yield from gathered(assembly.render(compute, own, ready), window[0])
        del ready, shown
        if surface:
            whole, more = yield from _silent(_surfaced(new, known, mask, at, stock))
            new, lean = whole[at], _Lean(taken[..., 0], more)
        elif one.role in NORMALS and lean is not None:
            told, rises = middles(taken[..., :3], lean.heights)
            steep = slopes.steepness(told, rises, (lean.heights.shape[0], lean.heights.shape[1]))
            yield 0.0
            more = resized(lean.more, (known.shape[0], known.shape[1]))[at]
            for rows in portions(*window):
                new[rows, :, :3] = slopes.bent(new[rows, :, :3], steep * more[rows])
                yield 0.0
        if self.begin and not surface:  # another material keeps its colours: it is to be told from what is around it
            made[at] = np.where(mask[at][..., None], new, known[at])
        else:
            made[at] = yield from _silent(holes.stitched(new, known[at], mask[at]))
        blending = _blended(one, fit(made, size), old, cover(self.soft))
        return (yield from _silent(blending)), lean


@dataclass(frozen=True)
class _Solved:
    """The solution in a window of a crop, at the work size: the window begins at the row and column `origin`, and mask
    is bool (h, w), what of it is new. last: the Step that the solver ended with."""

    solution: Solution
    origin: tuple[int, int]
    mask: np.ndarray
    last: Step


@dataclass(frozen=True)
class _Lean:
    """heights: (h, w) that were taken from; more: (H, W, 2) of a crop, how much more the new ones rise than was voted,
    see `slopes.leaning`."""

    heights: np.ndarray
    more: np.ndarray


def _surfaced(
    voted: np.ndarray, known: np.ndarray, mask: np.ndarray, at: tuple[slice, ...], stock: np.ndarray
) -> Generator[None, None, tuple[np.ndarray, np.ndarray]]:
    """Heights (H, W, C) under a mask by the slopes that were voted for, meeting those around; and `slopes.leaning`.

    voted: (h, w, 3 C) of the window at; known: (H, W, C); stock: what they were taken from. Yields on the way.
    """
    c, ways, sides = known.shape[2], (False, False), (stock.shape[0], stock.shape[1])
    planes = yield from slopes.with_differences(known)
    touched = mask, mask | np.roll(mask, -1, 0), mask | np.roll(mask, -1, 1)  # differences lead to the next pixel
    for n, where in enumerate(touched):
        np.copyto(planes[at][..., n * c : (n + 1) * c], voted[..., n * c : (n + 1) * c], where=where[at][..., None])
        yield
    heights = yield from slopes.integrated(planes, ways, slopes.REACH * min(sides))
    heights = yield from holes.met(heights, known, mask)
    (least, most), (low, high) = pyramid.bounds(known), pyramid.bounds(stock)
    heights = np.where(mask[..., None], heights.clip(np.minimum(least, low), np.maximum(most, high)), known)
    return heights, (yield from slopes.leaning(heights, planes, ways, sides))


def _silent(work: Generator[object, None, Made]) -> Generator[float, None, Made]:
    """Work that does not tell which share of it is done."""
    return mapped(work, lambda _: 0.0)


def _blended(one: Map, made: np.ndarray, old: Map, soft: np.ndarray) -> Generator[float, None, np.ndarray]:
    """The image of made planes, with as much of the old one as a mask leaves. Yields on the way."""
    size = made.shape[0], made.shape[1]
    image = yield from gathered((one.restored(made[rows]) for rows in portions(*size)), size[0])
    grey = (soft > 0) & (soft < 1)
    if grey.any():
        was, share = old.rendered(), soft[..., None]
        if was.shape == made.shape:
            image[grey] = one.restored(was + share * (made - was))[grey]
        else:  # one of them is opaque
            pixels = replace(old, image=image).pixels
            image[grey] = old.stored(old.pixels + share * (pixels - old.pixels))[grey]
    return image


def _smooth(one: Map, mask: np.ndarray) -> Generator[None, None, Map]:
    """The map without what a mask covers: what stands there must not decide anything. Yields on the way."""
    if not mask.any() or mask.all():
        return one
    if one.role == "id":
        image = one.image.copy()
        image[mask] = image[~mask][0]  # an id that stays
        return replace(one, image=image)
    pixels = one.pixels
    yield
    smooth, image = (yield from holes.filled(pixels, ~mask)), one.image.copy()
    image[mask] = one.stored(smooth[mask][:, None])[:, 0]
    return replace(one, image=image)


def _between(before: float, after: float) -> Callable[[Step], Step]:
    return lambda step: replace(step, fraction=float(before + (after - before) * step.fraction))


def _inside(crop: Box, part: Box) -> np.ndarray:
    """bool, of a crop: what of it lies in a part of it."""
    down, across = (
        (np.arange(*whole) >= start) & (np.arange(*whole) < stop)
        for whole, (start, stop) in zip((crop.rows, crop.columns), (part.rows, part.columns), strict=True)
    )
    return down[:, None] & across


def _reduced(mask: np.ndarray, by: int) -> np.ndarray:
    """A mask as `resized` reduces planes: where it is true anywhere under a pixel."""
    for _ in (0, 1) if by > 1 else ():
        n, m = len(mask), -(-len(mask) // by)
        starts, parts = np.divmod(np.arange(m) * n, m)
        reduced = np.logical_or.reduceat(mask, starts, 0)
        reduced[:-1] |= mask[starts[1:]] & (parts[1:] > 0)[:, None]
        mask = reduced.T
    return mask
