"""Mix: a texture between two exemplars, a barycenter of their patches, with so much of the second here and there."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from .. import barycenter, levels, period, repeats, transport
from ..assembly import Solution
from ..kernels import Kernels
from ..maps import Map, MapSet, resized
from ..progress import Step, begins, between, gathered, mapped, portions
from ..roles import NORMALS, kin
from ..spec import MIN_SIDE, InputError, Mix, Size, Synthesize, around
from ..transport import Exemplar
from . import descent, retreat, synthesize
from .field import Sizes
from .region import check_alpha, grey, matched, nearest, proportioned, stacked, twins_of
from .render import averaged, check, elected
from .result import Result

RENDERED = 1 / 8
"""About how long it takes to put a pixel of a map together, where to solve for one takes 1: for progress only."""
TORN = 0.1
"""How far apart opposite edges of a map of t may be, where the result wraps, before it is told."""
HALF = 0.5
"""From so much of the second on, ids are the second's."""


@dataclass(frozen=True)
class Blend:
    """What is mixed with the maps of a material.

    other: the maps of another, of the same roles. amount: (H, W) or (H, W, 1 to 4) of the result's proportion, white is
    where the other stands, grey where both do; None for the request's t everywhere.
    """

    other: MapSet
    amount: np.ndarray | None = None


def steps(request: Mix, maps: MapSet, blend: Blend) -> Generator[Step, None, Result]:
    """Yields Steps, returns the Result; see `tasks.steps`."""
    maps, other, notes = _shared(maps, blend.other)
    height, width = maps.lead.size
    if request.size is None and min(height, width) < MIN_SIDE:
        raise InputError(f"exemplar is {width}x{height} px: a result has {MIN_SIDE} px a side at least; give its size")
    asked = request.size or Size.of((width, height))
    size = asked.height, asked.width
    t: float | np.ndarray = request.t if blend.amount is None else grey(blend.amount, size, "t map")
    if np.min(t) == np.max(t):
        t = float(np.min(t))
    request = replace(request, size=asked, t=float(np.mean(t)))  # of a map what is told of it
    if isinstance(t, float) and t in (0, 1):
        given = ("seed", "device", "quality", "threads", "memory", "wrap", "size", "gradient")
        plain = Synthesize(**{name: getattr(request, name) for name in given})
        alone = proportioned(other, {n: m.size for n, m in maps.maps.items()}, maps.lead.size) if t else maps
        result = yield from mapped(synthesize.steps(plain, alone), lambda step: replace(step, maps=alone))
        return replace(result, request=request, maps=maps, field=None, notes=(*notes, *result.notes))
    wrap = around(request.wrap)
    notes = (*notes, *_torn(t, wrap))
    if request.gradient is not None:
        result = yield from descent.made(request, [(maps, 1 - t), (other, t)], asked, wrap)
        return replace(result, notes=(*notes, *result.notes))
    task = yield from _Task.of(maps, other, t, size, wrap)
    computed = yield from retreat.computed(request, partial(task.run, request))
    images, seconds = computed.made
    return Result(request, maps, images, None, computed.device, seconds, (None, None), computed.retreats, notes=notes)


def _torn(t: float | np.ndarray, wrap: tuple[bool, bool]) -> list[str]:
    """Words about a map of t whose edges do not meet where the result wraps."""
    if not isinstance(t, np.ndarray):
        return []
    meet = [float(np.abs(one[0] - one[-1]).mean()) for one in (t, t.T)]
    return [
        f"the t map is {off:.2f} off where {edges} meet: the mixture changes there at once;"
        " make the map tile, or do not wrap"
        for off, wraps, edges in zip(meet, wrap, ("top and bottom", "left and right"), strict=True)
        if wraps and off > TORN
    ]


def _shared(maps: MapSet, other: MapSet) -> tuple[MapSet, MapSet, tuple[str, ...]]:
    """The maps that both materials have, under the first's names; and words about those that one alone has.

    Raises InputError where there are none, or they cannot be averaged.
    """
    if len(maps.maps) == len(other.maps) == 1:
        both, notes = maps, []
        one_of, other_of = maps.lead.role, other.lead.role
        if not kin(one_of, other_of) and {one_of, other_of} & {*NORMALS, "id"}:
            raise InputError(f"one image is of {one_of}, the other of {other_of}: mix two of one role")
    else:
        common = {name: one for name, one in maps.maps.items() if twins_of(one, other)}
        if not common:
            raise InputError("the materials have no map of the same role: give both one of color, or name their roles")
        both = MapSet.of(common)
        pairs = (maps, other), (other, maps)
        alone = [name for of, beside in pairs for name, one in of.maps.items() if not twins_of(one, beside)]
        notes = [f"{name}: one of the materials alone has such a map, so it was left out" for name in alone]
    found = matched(both, other)
    for name, one in both.maps.items():
        like = twins_of(one, other) or other.maps
        twin = like.get(name) or next(iter(like.values()))
        own, its = (of.channels - (of.channels in (2, 4)) for of in (one, twin))
        what = name or "the image"
        if own != its:
            raise InputError(f"{what}: has {own} colour channels, what it is mixed with {its}; save both with as many")
        check_alpha(name, one, twin, "mixed with")
    return both, found, tuple(notes)


@dataclass(frozen=True)
class _Task:
    """Two materials, how much of the second there is in each pixel of the leading map, and the planes to be solved on.

    sides: of each the maps, the planes that are compared and the sizes; t: a number or float32 (H, W); solved: (height,
    width) at which the fields are solved.
    """

    sides: list[tuple[MapSet, Exemplar, Sizes]]
    t: float | np.ndarray
    solved: tuple[int, int]
    wrap: tuple[bool, bool]

    @classmethod
    def of(
        cls, maps: MapSet, other: MapSet, t: float | np.ndarray, size: tuple[int, int], wrap: tuple[bool, bool]
    ) -> Generator[Step, None, _Task]:
        """Yields Steps. Raises InputError for maps that are too small."""
        joint, begin = stacked(maps, other, {name: one.size for name, one in maps.maps.items()}, maps.lead.size)
        by = max(maps.reduction, other.reduction)
        solved = maps.worked(size, by)
        if min(solved) < levels.SIDE:
            raise InputError(f"size is {Size(*size[::-1])}: too small beside the exemplars; ask for a larger one")
        for one, what in ((maps, "exemplar"), (other, "the other material")):
            levels.check(*one.worked(one.lead.size, by), what)
        worked = [one.worked(one.lead.size, by) for one in (maps, other)]
        if levels.vast(worked, solved, wrap):
            given = [Size(*one[::-1]) for one in (maps.lead.size, other.lead.size, size)]
            raise InputError(
                f"exemplars of {given[0]} and {given[1]} px, for {given[2]} px, differ too much in size: enlarge the"
                " smallest of these, or crop the others"
            )
        amount = t if isinstance(t, float) else resized(t[..., None], solved)[..., 0]
        sides, shown = [], _most(maps, other)
        for whole in joint.comparing(by):
            planes = whole
            yield replace(begins(shown.compared), maps=shown)
        for one, first, share in ((maps, 0, 1 - amount), (other, begin // by, amount)):
            height, width = one.worked(one.lead.size, by)
            own = np.ascontiguousarray(planes[first : first + height, :width])
            yield replace(begins(own), maps=shown)
            periods = repeats.found(own)
            yield replace(begins(own), maps=shown)
            ratios = period.fit(periods, solved, wrap)
            exemplar = Exemplar(period.stretched(own, ratios), period.scaled(periods, ratios), share)
            sizes = Sizes(((height, width), solved), (one.lead.size, size, size), ratios)
            check(one, sizes)
            sides.append((one, exemplar, sizes))
        return cls(sides, t, solved, wrap)

    def run(
        self, request: Mix, compute: Kernels
    ) -> Generator[Step, None, tuple[dict[str, np.ndarray], tuple[float, ...]]]:
        """Yields Steps, returns the images by name, and the seconds of each level."""
        first = self.sides[0][0]
        share = 1 / (1 + RENDERED * len(first.maps))
        exemplars = [exemplar for _, exemplar, _ in self.sides]
        effort = levels.EFFORTS[request.quality]
        solving = transport.solve(compute, exemplars, self.solved, self.wrap, request.seed, effort)
        shown = _most(*(maps for maps, _, _ in self.sides))
        solutions = yield from mapped(solving, lambda step: replace(step, fraction=share * step.fraction, maps=shown))
        images, last = {}, replace(solutions[0].last, maps=shown)
        for n, name in enumerate(first.maps):
            start, part = share + (1 - share) * n / len(first.maps), (1 - share) / len(first.maps)
            images[name] = yield from mapped(
                mapped(self._put_together(compute, solutions, name), between(start, start + part)),
                lambda fraction: replace(last, fraction=fraction),
            )
        return images, solutions[0].seconds

    def _put_together(
        self, compute: Kernels, solutions: list[Solution], name: str
    ) -> Generator[float, None, np.ndarray]:
        """A map of both materials, each through its field. Yields the share that is done."""
        one, twin = (maps.maps[name] for maps, _, _ in self.sides)
        shown = self.sides[0][2].own(one)[1]
        t = self.t if isinstance(self.t, float) else resized(self.t[..., None], shown)
        if one.role == "id":
            ids = []
            for n, ((maps, _, sizes), solution) in enumerate(zip(self.sides, solutions, strict=True)):
                found = yield from mapped(
                    elected(compute, solution, maps.maps[name], sizes), between(0.4 * n, 0.4 * n + 0.4)
                )
                ids.append(nearest(found.reshape(*found.shape[:2], -1), shown))
            return np.where(t >= HALF, ids[1], ids[0]).reshape(*shown, *one.image.shape[2:])
        pictures = []
        for n, ((maps, _, sizes), solution) in enumerate(zip(self.sides, solutions, strict=True)):
            own: Map = maps.maps[name]
            keep = partial(_planes, own, cover=not (one.opaque and twin.opaque))
            put = averaged(compute, solution, own, sizes, keep)
            pictures.append(resized((yield from mapped(put, between(0.4 * n, 0.4 * n + 0.4))), shown))
        mixing = barycenter.mixed(pictures.pop(0), pictures.pop(), t, self.wrap)
        planes, like = (yield from mapped(mixing, between(0.8, 1))), twin if one.opaque else one
        restored = (like.restored(planes[rows]) for rows in portions(*shown))
        return (yield from mapped(gathered(restored, shown[0]), lambda _: 1.0))


def _most(*materials: MapSet) -> MapSet:
    """The one whose leading map has the most planes: as many as are compared of both."""
    return max(materials, key=lambda maps: maps.lead.planes)


def _planes(one: Map, planes: np.ndarray, cover: bool) -> np.ndarray:
    """The planes of a map, with alpha if they are to be averaged with what has some."""
    return one.covered(planes) if cover else planes.astype(np.float32)
