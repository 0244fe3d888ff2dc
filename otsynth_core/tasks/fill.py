"""Fill: what a mask covers is made anew, from the rest or from another material; every other pixel stays as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from .. import boxes, holes, period, transport
from ..boxes import OVERLAP, Box
from ..holes import Hole, View
from ..kernels import Kernels
from ..maps import Map, MapSet, resized
from ..spec import Fill, InputError, Size
from ..transport import Solution, Step
from . import retreat
from .render import Made, mapped
from .result import Result

REACH = 192
"""How far around a part of the hole, in pixels, material is taken from; as far as the part is long, if that is more."""
ALIGNED = 64
"""Another material begins at a multiple of so many rows, whatever maps are reduced by."""
FAINT = 1 / 32
"""Less grey than this is black, and as near to white white: what JPEG leaves around edges changes no pixel."""
WHITE = 0.5
"""What a mask must reach somewhere: one that does not is a mistake."""


@dataclass(frozen=True)
class Region:
    """What a fill is told beside the maps.

    mask: (H, W) or (H, W, 1 to 4), white is filled, grey is blended; its alpha, if any, covers it. source: the same,
    white is where material may be taken from. other: a material to take it from instead.
    """

    mask: np.ndarray
    source: np.ndarray | None = None
    other: MapSet | None = None


def steps(request: Fill, maps: MapSet, region: Region) -> Generator[Step, None, Result]:
    """Yields Steps, returns the Result; see `tasks.steps`."""
    size = maps.lead.size
    transport.check(*size)
    soft = softness(region.mask, size, "mask")
    soft = 1 - soft if request.invert else soft
    if 0 < soft.max() < WHITE:
        raise InputError(
            f"mask has no white: its brightest pixel is {soft.max():.3f} of 1; white is filled, and a mask of 0 and 1"
            " must be made one of 0 and 255"
        )
    soft[soft < FAINT] = 0
    soft[soft > 1 - FAINT] = 1
    wrap = (request.wrap in ("both", "y"), request.wrap in ("both", "x"))
    other = None if region.other is None else matched(maps, region.other)
    taken_from = maps if other is None else other
    transport.check(*taken_from.lead.size)
    source = None
    if region.source is not None:
        source = softness(region.source, taken_from.lead.size, "source mask") >= WHITE
    task = _Task(maps, feathered(soft, request.margin, wrap), wrap, source, other)
    computed = yield from retreat.computed(request, partial(task.run, request))
    images, seconds = computed.made
    filled = int((task.soft > 0).sum())
    return Result(request, maps, images, None, computed.device, seconds, (None, None), computed.retreats, filled=filled)


@dataclass(frozen=True)
class _Task:
    """What to fill, and from what.

    soft: float32 (H, W), how much of each of the leading map's pixels is new; wrap: axes on which the image repeats.
    source: bool, of the image or of the other material, what may be taken, all of it if None. other: a material to take
    it from, under the same names.
    """

    maps: MapSet
    soft: np.ndarray
    wrap: tuple[bool, bool]
    source: np.ndarray | None
    other: MapSet | None

    def run(
        self, request: Fill, compute: Kernels
    ) -> Generator[Step, None, tuple[dict[str, np.ndarray], tuple[float, ...]]]:
        """Yields Steps, returns the images by name, and the seconds that each part of the hole took."""
        images = {name: one.image.copy() for name, one in self.maps.maps.items()}
        left, seconds = self.soft > 0, []
        parts = boxes.boxes(left, self.wrap)
        shares = np.cumsum([0, *((box.size[0] + OVERLAP) * (box.size[1] + OVERLAP) for box in parts)])
        shares = shares / max(1, shares[-1])
        for box, before, after in zip(parts, shares, shares[1:], strict=False):
            start = time.perf_counter()
            steps = self.job(images, left, box).run(compute, request, images, self.maps.lead.size)
            yield from mapped(steps, _between(before, after))
            left[box.index(self.maps.lead.size)] = False
            seconds.append(time.perf_counter() - start)
        return images, tuple(seconds)

    def job(self, images: dict[str, np.ndarray], left: np.ndarray, box: Box) -> _Job:
        """The job of a box; left: bool (H, W), what of the hole is not filled yet.

        Raises InputError where there is nothing to take from.
        """
        size = self.maps.lead.size
        crop = box.grown(max(REACH, *box.size), size, self.wrap)
        near = self._stock(left, crop)
        if self.other is None and (self.source is not None or near.sum() < holes.ENOUGH):
            crop = box.grown(max(size), size, self.wrap)  # as far as the image goes
            near = self._stock(left, crop)
        if not near.any():
            what = "what the mask leaves is smaller than a patch"
            if self.source is not None:
                what = "what the source mask leaves is smaller than a patch"
            elif left.all():
                what = "the mask covers the whole image"
            raise InputError(
                f"{what}: nothing of {transport.SIDE}x{transport.SIDE} px is left to take from; cover less, or name"
                " another material to take it from"
            )
        index = crop.index(size)
        unknown = left[index]
        work, keep = (unknown & _inside(crop, part) for part in (box.grown(OVERLAP, size, self.wrap), box))
        around = {}
        for name, one in self.maps.maps.items():
            ratios = one.size[0] / size[0], one.size[1] / size[1]
            around[name] = replace(one, image=images[name][crop.scaled(ratios).index(one.size)])
        cropped, begin, stock, source = MapSet(around), 0, crop.size, self.source
        if self.other is not None:
            stock = self.other.lead.size
            cropped, begin = _stacked(cropped, self.other)
        elif source is not None:
            source = source[index]
        source = np.ones(stock, bool) if source is None else source
        return _Job(crop, cropped, begin, crop.size, stock, self.soft[index], unknown, work, keep, source)

    def _stock(self, left: np.ndarray, crop: Box) -> np.ndarray:
        """bool, of patches: which of them may be taken."""
        if self.other is not None:
            free = np.ones(self.other.lead.size, bool) if self.source is None else self.source
        else:
            index = crop.index(self.maps.lead.size)
            free = ~left[index] if self.source is None else self.source[index] & ~left[index]
        return holes.whole(free, transport.SIDE)


def _between(before: float, after: float) -> Callable[[Step], Step]:
    return lambda step: replace(step, fraction=float(before + (after - before) * step.fraction))


def softness(mask: np.ndarray, size: tuple[int, int], what: str) -> np.ndarray:
    """float32 (H, W), 0 to 1, of a mask image; what: its name. Raises InputError where it does not lie on the image."""
    if isinstance(mask, np.ndarray) and mask.dtype == bool:
        mask = mask.view(np.uint8) * np.uint8(255)
    try:
        pixels = Map.of(mask, "other").pixels
    except InputError as error:
        raise InputError(f"{what}: {error}") from None
    colors = pixels.shape[2] - (pixels.shape[2] in (2, 4))
    soft = pixels[..., 0] if colors == 1 else pixels[..., :colors].mean(2)
    if colors < pixels.shape[2]:
        soft = soft * pixels[..., -1]
    if mask.dtype.kind == "f":
        soft = soft.clip(0, 1)
    (h, w), (height, width) = soft.shape, size
    if abs(h * width - w * height) > max(h, w, height, width):
        raise InputError(
            f"{what} is {Size(w, h)} px, the image {Size(width, height)}: they must have one proportion; draw it on"
            " the image's size"
        )
    return resized(soft[..., None], size)[..., 0] if (h, w) != size else soft


def feathered(soft: np.ndarray, margin: int, wrap: tuple[bool, bool]) -> np.ndarray:
    """A mask that fades out within so many pixels around what it was."""
    if not margin or not soft.any():
        return soft
    pads = [(1, 1), (1, 1)]
    inside, soft = soft > 0, soft.copy()
    for step in range(1, margin + 1):
        p = inside
        for axis in (0, 1):
            p = np.pad(p, [pads[a] if a == axis else (0, 0) for a in (0, 1)], mode="wrap" if wrap[axis] else "edge")
        near = p[:-2, 1:-1] | p[2:, 1:-1] | p[1:-1, :-2] | p[1:-1, 2:]
        if step % 2 == 0:  # now a square, now a diamond: nearly a circle
            near |= p[:-2, :-2] | p[2:, 2:] | p[:-2, 2:] | p[2:, :-2]
        soft[near & ~inside] = 1 - step / (margin + 1)
        inside = inside | near
    return soft


def matched(maps: MapSet, other: MapSet) -> MapSet:
    """Another material's maps under the names of a material's, of the same kind of numbers. Raises InputError."""
    found = {}
    for name, one in maps.maps.items():
        twins = [twin for twin in other.maps.values() if twin.role == one.role]
        if len(maps.maps) == 1 and len(other.maps) == 1:
            twins = list(other.maps.values())
        if not twins:
            raise InputError(f"{name}: is a map of {one.role}, and the other material has none; leave it out or add it")
        found[name] = _like(name, one, twins[0])
    return MapSet(found)


def _like(name: str, one: Map, twin: Map) -> Map:
    """Another map with the channels and the kind of numbers of one."""
    if (one.linear, one.associated) != (twin.linear, twin.associated):
        raise InputError(f"{name}: one is of linear light, the other is not; save both in one kind of file")
    pixels, n = twin.pixels, twin.channels
    colors, alpha = (pixels[..., :-1], pixels[..., -1:]) if n in (2, 4) else (pixels, np.ones_like(pixels[..., :1]))
    wanted = one.channels - (one.channels in (2, 4))
    if colors.shape[2] != wanted:
        colors = np.broadcast_to(colors.mean(2, keepdims=True), (*colors.shape[:2], wanted))
    pixels = np.concatenate([colors, alpha], 2)[..., : one.channels]
    if one.image.dtype.kind == "u":
        pixels = np.rint(pixels.clip(0, 1) * np.iinfo(one.image.dtype).max)
    return replace(one, image=pixels.astype(one.image.dtype).reshape(*pixels.shape[:2], *one.image.shape[2:]))


@dataclass(frozen=True)
class _Job:
    """One part of the hole: the maps around it, what of them is known, and what is worked on.

    crop: in the leading map's pixels. maps: of the crop or, above those of the other material. begin: the row where
    that begins, 0 where there is none. size, stock: (height, width) of the crop, and of what is taken from. soft:
    float32; unknown, work, keep: bool, of the crop; source: bool, of what is taken from.
    """

    crop: Box
    maps: MapSet
    begin: int
    size: tuple[int, int]
    stock: tuple[int, int]
    soft: np.ndarray
    unknown: np.ndarray
    work: np.ndarray
    keep: np.ndarray
    source: np.ndarray

    def run(
        self, compute: Kernels, request: Fill, images: dict[str, np.ndarray], lead: tuple[int, int]
    ) -> Generator[Step, None, None]:
        """Solves for the part and writes what is kept of it into the images. Yields Steps.

        lead: (height, width) of the whole leading map.
        """
        by, within = self.maps.reduction, self.begin == 0
        planes = self.maps.compared()
        work, unknown, source = (_reduced(mask, by) for mask in (self.work, self.unknown, self.source))
        image = holes.filled(planes[: work.shape[0], : work.shape[1]], ~unknown)
        first = self.begin // by
        e = image if within else planes[first : first + source.shape[0], : source.shape[1]]
        hole = Hole(image, work, source & ~unknown if within else source, within)
        views = holes.views(e, hole, transport.SIDE)
        solution = yield from transport.solve(
            compute,
            e,
            (image.shape[0], image.shape[1]),
            (False, False),
            request.seed,
            transport.EFFORTS[request.quality],
            period.found(e),
            views,
        )
        for name, one in self.maps.maps.items():
            ratios = images[name].shape[0] / lead[0], images[name].shape[1] / lead[1]
            box = self.crop.scaled(ratios)
            new = self._put_together(compute, solution, views[0], one, box.size, ratios)
            keep = _covering(self.keep, box.size)
            if one.role == "id":
                keep &= _covering(self.soft, box.size) >= WHITE
            index = box.index((images[name].shape[0], images[name].shape[1]))
            whole = images[name][index]
            whole[keep] = new[keep]
            images[name][index] = whole
            yield solution.last

    def _put_together(
        self,
        compute: Kernels,
        solution: Solution,
        view: View,
        one: Map,
        size: tuple[int, int],
        ratios: tuple[float, float],
    ) -> np.ndarray:
        """The crop of a map, of some size, with the solved part in it; a small one is made larger on the way."""
        labelled = one.role == "id"
        values, labels = one.ids() if labelled else (None, None)
        planes = one.rendered() if labels is None else labels[..., None]
        fit = _nearest if labelled else resized
        begin, (down, across) = round(self.begin * ratios[0]), _times(self.stock, ratios)
        worked = _reduced(self.work, self.maps.reduction).shape
        scale = [max(1.0, n / m) for n, m in zip(size, worked, strict=True)]
        old = fit(planes[: size[0], : size[1]], _times(worked, scale))
        stock = fit(planes[begin : begin + down, :across], _times(solution.exemplar, scale))
        window = _times(solution.size, scale)
        first = _times(view.origin, scale)
        at = tuple(slice(start, start + n) for start, n in zip(first, window, strict=True))
        own = _last(transport.carried(compute, solution, (stock.shape[0], stock.shape[1]), window))
        made = old.copy()
        if labels is None:
            new = np.concatenate(list(transport.render(compute, own, stock)))
            mask = _covering(view.mask, window)
            # another material keeps its colours: it is to be told from what is around it
            made[at] = np.where(mask[..., None], new, old[at]) if self.begin else holes.stitched(new, old[at], mask)
        else:
            made[at] = _last(transport.elect(compute, own, stock[..., 0]))[..., None]
        made = fit(made, size)
        if values is not None:
            return values[made[..., 0]].reshape(*size, *one.image.shape[2:])
        soft, old = _covering(self.soft, size)[..., None], planes[: size[0], : size[1]]
        return one.restored(old + soft * (made - old) if (soft < 1).any() else made)


def _stacked(above: MapSet, below: MapSet) -> tuple[MapSet, int]:
    """Two materials as one, one above the other, so that both are compared alike; and where the second begins.

    The narrower is repeated to the same width. Maps keep the proportions that the first material's have.
    """
    lead, other = above.lead, below.lead
    begin = -(-lead.size[0] // ALIGNED) * ALIGNED
    width = max(lead.size[1], other.size[1])
    joint = {}
    for name, one in above.maps.items():
        ratio = one.size[0] / lead.size[0], one.size[1] / lead.size[1]
        wanted = _times(other.size, ratio)
        twin = below.maps[name]
        image = twin.image.reshape(*twin.size, -1)
        if twin.size != wanted:
            image = _nearest(image, wanted) if one.role == "id" else resized(image.astype(np.float32), wanted)
            image = image.astype(one.image.dtype)
        rows, columns = round(begin * ratio[0]), round(width * ratio[1])
        own = one.image.reshape(*one.size, -1)
        own = np.pad(own, [(0, rows - own.shape[0]), (0, columns - own.shape[1]), (0, 0)], mode="wrap")
        image = np.pad(image, [(0, 0), (0, columns - image.shape[1]), (0, 0)], mode="wrap")
        both = np.concatenate([own, image])
        joint[name] = replace(one, image=both.reshape(*both.shape[:2], *one.image.shape[2:]))
    return MapSet(joint), begin


def _inside(crop: Box, part: Box) -> np.ndarray:
    """bool, of a crop: what of it lies in a part of it."""
    down, across = (
        (np.arange(*whole) >= start) & (np.arange(*whole) < stop)
        for whole, (start, stop) in zip((crop.rows, crop.columns), (part.rows, part.columns), strict=True)
    )
    return down[:, None] & across


def _reduced(mask: np.ndarray, by: int) -> np.ndarray:
    """A mask at the work size: where it is true anywhere."""
    if by == 1:
        return mask
    padded = np.pad(mask, [(0, -n % by) for n in mask.shape])
    return padded.reshape(padded.shape[0] // by, by, padded.shape[1] // by, by).any((1, 3))


def _nearest(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image at another size, every pixel one of its own."""
    return image[np.ix_(*(np.arange(m) * n // m for n, m in zip(image.shape, size, strict=False)))]


def _covering(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask (H, W) at another size, every pixel the most of what lies under it."""
    for m in size:
        edges = np.arange(m) * len(mask) // m
        mask = (np.maximum.reduceat(mask, edges, 0) if m < len(mask) else mask[edges]).T
    return mask


def _times(size: Sequence[int], ratios: Sequence[float]) -> tuple[int, int]:
    return round(size[0] * ratios[0]), round(size[1] * ratios[1])


def _last(work: Generator[float, None, Made]) -> Made:
    """What comes of some work, however far it is."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value
