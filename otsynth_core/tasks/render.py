"""Render: maps put together through a field that is there, each at its own size. A field is solved once and kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace

import numpy as np

from .. import assembly, levels, period, slopes
from ..assembly import Solution, Stock
from ..kernels import Kernels
from ..maps import Map, MapSet, resized, same_proportion
from ..progress import Step, between, gathered, mapped, portions
from ..roles import NORMALS
from ..spec import MAX_SIDE, InputError, Render
from . import retreat
from .field import Field, Sizes
from .result import Result

LARGEST = 2 * MAX_SIDE
"""Longest side of a map that is larger than the leading one."""
ENOUGH = 2048
"""Longest side of the part of two maps by which they are compared with one another."""


def steps(request: Render, maps: MapSet, field: Field) -> Generator[Step, None, Result]:
    """Yields Steps, returns the Result; see `tasks.steps`."""
    height, width = field.sizes.lead[0]
    own = maps.lead.size
    if not same_proportion(own, field.sizes.lead[0]):
        raise InputError(
            f"maps are {own[1]}x{own[0]} px, the field is of {width}x{height}: they must have one proportion"
        )
    sizes, start = field.sizes, time.perf_counter()
    check(maps, sizes)
    exemplar, result = sizes.worked
    down, across = (round(n * ratio) for n, ratio in zip(exemplar, sizes.stretches, strict=True))
    first = Step(0, 1, 1, 1, 0.0, lambda: np.zeros((1, 1, 1), np.float32))  # there is no picture to be shown

    def work(compute: Kernels) -> Generator[Step, None, dict[str, np.ndarray]]:
        arrays = compute.array(field.field), compute.array(field.weight)
        solution = Solution(*arrays, (down, across), result, (), first, field.around)
        putting = rendered(compute, solution, maps, sizes)
        return (yield from mapped(putting, lambda done: replace(first, fraction=done)))

    computed = yield from retreat.computed(request, work)
    seconds = (time.perf_counter() - start,)
    return Result(request, maps, computed.made, field, computed.device, seconds, (None, None), computed.retreats)


def pixels_of(maps: MapSet, sizes: Sizes) -> dict[str, int]:
    """The pixels that are put together of each map."""
    return {name: math.prod(sizes.own(one)[0]) for name, one in maps.maps.items()}


def check(maps: MapSet, sizes: Sizes) -> None:
    """Raises InputError where a map, or what would be made of it, is smaller than a patch or too large."""
    for name, one in maps.maps.items():
        for what, size in (("is", one.size), ("would be", sizes.own(one)[0])):
            if min(size) < levels.SIDE:
                raise InputError(
                    f"{name or 'exemplar'}: {what} {size[1]}x{size[0]} px: smaller than one {levels.SIDE} px patch;"
                    " ask for a larger size, or leave it out"
                )
            if max(size) > LARGEST:
                raise InputError(f"{name}: {what} {size[1]}x{size[0]} px: {LARGEST} px a side are the most")


def rendered(
    kernels: Kernels, solution: Solution, maps: MapSet, sizes: Sizes
) -> Generator[float, None, dict[str, np.ndarray]]:
    """The maps put together through a solution, by name. Yields the share that is done."""
    images, lean = {}, None
    pixels = pixels_of(maps, sizes)
    whole, done = sum(pixels.values()), 0
    order = sorted(maps.maps.items(), key=lambda item: (item[1].role != "height", item[1].role not in NORMALS))
    for name, one in order:  # heights come first, and bend normals
        part, bend = between(done / whole, (done + pixels[name]) / whole), None
        lean = lean if one.role in NORMALS else None
        if one.role == "id":
            images[name] = yield from mapped(elected(kernels, solution, one, sizes), part)
        elif one.role == "height":
            surfacing = mapped(surfaced(kernels, solution, one, sizes), _SURFACING)
            surface, lean = yield from mapped(surfacing, part)
            finishing, heights = _finished(surface, one, sizes, one.restored), one
            del surface
            images[name] = yield from mapped(mapped(finishing, _FINISHING), part)
        else:
            if lean is not None:
                both = zip((one, heights), middles(one.image, heights.image), strict=True)
                told, rises = (replace(of, image=part) for of, part in both)
                bend = lean, slopes.steepness(told.vectors(), rises.rendered()[..., 0], heights.size)
            images[name] = yield from mapped(averaged(kernels, solution, one, sizes, one.restored, bend), part)
        done += pixels[name]
        yield done / whole
    return {name: images[name] for name in maps.maps}


def elected(kernels: Kernels, solution: Solution, one: Map, sizes: Sizes) -> Generator[float, None, np.ndarray]:
    """A map of ids put together, every pixel with one of its values. Yields the share that is done."""
    values, labels = one.ids()
    made, shown = sizes.own(one)
    stock = labels[_nearest(one.size, sizes.stretches)]
    resampling = assembly.resampled(kernels, solution, (stock.shape[0], stock.shape[1]), made)
    own = yield from mapped(resampling, between(0, 0.1))
    winners = yield from mapped(assembly.elect(kernels, own, stock), between(0.1, 1))
    return values[winners[_nearest(made, _ratios(made, shown))]].reshape(*shown, *one.image.shape[2:])


def averaged(
    kernels: Kernels,
    solution: Solution,
    one: Map,
    sizes: Sizes,
    restored: Callable[[np.ndarray], np.ndarray],
    bend: tuple[np.ndarray, np.ndarray] | None = None,
) -> Generator[float, None, np.ndarray]:
    """Any other map put together, `restored` from its planes, see `Map.rendered`. Yields the share that is done.

    bend: how much more heights rise, see `slopes.leaning`, of the whole result at any size; and `slopes.steepness`.
    """
    if one.role == "height":
        surface, _ = yield from mapped(surfaced(kernels, solution, one, sizes), _SURFACING)
        return (yield from mapped(_finished(surface, one, sizes, restored), _FINISHING))
    own, stock = yield from mapped(_prepared(kernels, solution, one, sizes), between(0, 0.2))
    parts: Iterable[np.ndarray] = assembly.render(kernels, own, stock)
    if bend is not None:
        parts = _bent(parts, resized(bend[0], own.size), bend[1])
    if own.size == sizes.own(one)[1]:
        return (yield from mapped(gathered(map(restored, parts), own.size[0]), between(0.2, 1)))
    whole = yield from mapped(gathered(parts, own.size[0]), between(0.2, 0.8))
    return (yield from mapped(_finished(whole, one, sizes, restored), _FINISHING))


def surfaced(
    kernels: Kernels, solution: Solution, one: Map, sizes: Sizes
) -> Generator[float, None, tuple[np.ndarray, np.ndarray]]:
    """The planes of a map of heights put together by their slopes, and `slopes.leaning` of these, as it was made.

    Yields the share that is done.
    """
    planes, size = _planes(solution, one, sizes)
    yield 0.0
    exemplar = planes.shape[0], planes.shape[1]
    steep = yield from mapped(slopes.with_differences(planes, solution.around), lambda _: 0.0)
    own, stock = yield from mapped(_resampled(kernels, solution, steep, size), between(0, 0.2))
    del steep
    voted = yield from mapped(gathered(assembly.render(kernels, own, stock), own.size[0]), between(0.2, 0.6))
    wrap = own.field.shape[1] == own.size[0], own.field.shape[2] == own.size[1]
    reach = slopes.REACH * min(exemplar)
    surface = yield from mapped(slopes.integrated(voted, wrap, reach), lambda _: 0.7)
    surface = yield from mapped(slopes.levelled(surface, planes, wrap, reach), lambda _: 0.8)
    return surface, (yield from mapped(slopes.leaning(surface, voted, wrap, exemplar), lambda _: 0.9))


def _bent(parts: Iterable[np.ndarray], lean: np.ndarray, steep: np.ndarray) -> Iterator[np.ndarray]:
    """Portions of rows of normals, bent; lean: (H, W, 2), `slopes.leaning`; steep: (2,), `slopes.steepness`."""
    row = 0
    for planes in parts:
        vectors = slopes.bent(planes[..., :3], steep * lean[row : row + len(planes)])
        row += len(planes)
        yield np.concatenate([vectors, planes[..., 3:]], 2)


def middles(*images: np.ndarray) -> list[np.ndarray]:
    """The same part of several images (H, W, ...), no more than is enough to compare them."""
    parts = -(-max(max(one.shape[:2]) for one in images) // ENOUGH)
    found = []
    for one in images:
        rows, columns = (slice((n - n // parts) // 2, (n + n // parts) // 2) for n in one.shape[:2])
        found.append(one[rows, columns])
    return found


def _prepared(
    kernels: Kernels, solution: Solution, one: Map, sizes: Sizes
) -> Generator[float, None, tuple[Solution, Stock]]:
    """The solution at a map's own size, and what this is put together from. Yields the share that is done."""
    planes, size = _planes(solution, one, sizes)
    yield 0.0
    return (yield from _resampled(kernels, solution, planes, size))


def _resampled(
    kernels: Kernels, solution: Solution, planes: np.ndarray, size: tuple[int, int]
) -> Generator[float, None, tuple[Solution, Stock]]:
    """The solution at a size, and some planes as they are put together through it. Yields the share that is done."""
    resampling = assembly.resampled(kernels, solution, (planes.shape[0], planes.shape[1]), size)
    own = yield from mapped(resampling, between(0, 0.5))
    return own, (yield from mapped(assembly.prepared(kernels, own, planes), lambda _: 0.5))


def _planes(solution: Solution, one: Map, sizes: Sizes) -> tuple[np.ndarray, tuple[int, int]]:
    """The planes that a map's own are put together from, and at which size (height, width).

    A map of fewer pixels than the field is put together at the field's size and reduced.
    """
    (worked, _), (made, _) = sizes.worked, sizes.own(one)
    small = one.size[0] < worked[0]
    planes = period.stretched(resized(one.rendered(), worked) if small else one.rendered(), sizes.stretches)
    return planes, solution.size if small else made


def _finished(
    planes: np.ndarray, one: Map, sizes: Sizes, restored: Callable[[np.ndarray], np.ndarray]
) -> Generator[float, None, np.ndarray]:
    """What is `restored` from planes as they were put together, at the size that is shown. Yields the share done."""
    made, shown = sizes.own(one)
    if made != shown:  # an axis that is shown at another length than it was made wraps
        planes = period.stretched(planes, _ratios(made, shown), "wrap")
    yield 0.0
    planes = resized(planes, shown)
    yield 0.0
    return (yield from gathered((restored(planes[rows]) for rows in portions(*shown)), shown[0]))


_SURFACING, _FINISHING = between(0, 0.9), between(0.9, 1)


def _nearest(size: tuple[int, int], ratios: tuple[float, float]) -> tuple[np.ndarray, ...]:
    """The index of an image of some size that stretches it."""
    return np.ix_(*(period.nearest(n, ratio) for n, ratio in zip(size, ratios, strict=True)))


def _ratios(made: tuple[int, int], shown: tuple[int, int]) -> tuple[float, float]:
    return shown[0] / made[0], shown[1] / made[1]
