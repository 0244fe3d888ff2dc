"""Render: maps put together through a field that is there, each at its own size. A field is solved once and kept."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar
from zipfile import BadZipFile

import numpy as np

from .. import assembly, levels, period, slopes
from ..assembly import Solution
from ..kernels import Kernels, Wrap
from ..maps import Map, MapSet, resized
from ..progress import Step, portions
from ..spec import MAX_SIDE, InputError

Made = TypeVar("Made")
Told = TypeVar("Told")
Heard = TypeVar("Heard")

LARGEST = 2 * MAX_SIDE
"""Longest side of a map that is larger than the leading one."""
ENOUGH = 2048
"""Longest side of the part of two maps by which they are compared with one another."""
FORMAT = 2
"""Version of the file of a field."""


@dataclass(frozen=True)
class Sizes:
    """How large an exemplar and a result of it are, as (height, width).

    worked: of the exemplar, not stretched, and of the result, where the field was solved; lead: of the exemplar, of the
    result as it is made and of it as it is shown, in the leading map's pixels; stretches: of the exemplar, down and
    across.
    """

    worked: tuple[tuple[int, int], tuple[int, int]]
    lead: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    stretches: tuple[float, float]

    def own(self, one: Map) -> tuple[tuple[int, int], tuple[int, int]]:
        """Of the result as it is made and as it is shown, in a map's own pixels."""
        exemplar, *results = self.lead
        made, shown = (
            tuple(max(1, round(side * n / lead)) for side, n, lead in zip(size, one.size, exemplar, strict=True))
            for size in results
        )
        return made, shown  # type: ignore[return-value]


@dataclass(frozen=True)
class Field:
    """Where every patch of a result comes from, and what it takes to put other maps of the same material together.

    field: int32 (2, fh, fw), row and column of the stretched exemplar's patch; weight: float32 (fh, fw) of its vote.
    around: whether patches reach over the exemplar's edges, down and across.
    """

    field: np.ndarray
    weight: np.ndarray
    sizes: Sizes
    around: Wrap

    def save(self, path: str | Path) -> None:
        """As an .npz file: its arrays, and a line of JSON."""
        words = json.dumps({"format": FORMAT, "around": self.around, **asdict(self.sizes)})
        with Path(path).open("wb") as file:
            np.savez_compressed(file, field=self.field.astype(np.int16), weight=self.weight, about=np.array(words))

    @classmethod
    def load(cls, path: str | Path) -> Field:
        """Raises InputError for a file that `save` did not write."""
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                field, weight = file["field"].astype(np.int32), file["weight"].astype(np.float32)
            if about["format"] != FORMAT:
                raise InputError(f"{path}: is a field of format {about['format']}, {FORMAT} is wanted: solve it again")
            sizes = {name: tuple(tuple(map(int, pair)) for pair in about[name]) for name in ("worked", "lead")}
            stretches = tuple(map(float, about["stretches"]))
            down, across = (bool(goes) for goes in about["around"])
            pairs = [*sizes["worked"], *sizes["lead"], stretches]
            fits = field.shape == (2, *weight.shape) and field.min() >= 0 and weight.min() > 0
            fits = fits and bool(np.isfinite(weight).all()) and all(len(pair) == 2 for pair in pairs)
            fits = (
                fits and (len(sizes["worked"]), len(sizes["lead"])) == (2, 3) and min(min(pair) for pair in pairs) > 0
            )
            for axis in (0, 1) if fits else ():
                result, places = sizes["worked"][1][axis], field.shape[1 + axis]
                fits = fits and places in (result, result - levels.SIDE + 1) and max(sizes["lead"][2]) <= MAX_SIDE
                fits = fits and field[axis].max() < round(sizes["worked"][0][axis] * stretches[axis])
            if not fits:
                raise ValueError("its numbers do not go together")
        except FileNotFoundError:
            raise InputError(f"{path}: there is no such file") from None
        except (OSError, KeyError, ValueError, TypeError, AttributeError, EOFError, BadZipFile, zlib.error) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path}: is not a field that --save-field wrote ({error})") from None
        found = Sizes(sizes["worked"], sizes["lead"], stretches)  # type: ignore[arg-type]
        return cls(field, weight, found, (down, across))


def steps(field: Field, maps: MapSet, kernels: Kernels) -> Generator[Step, None, dict[str, np.ndarray]]:
    """Yields Steps, returns the maps put together through a field that was solved before, by name."""
    height, width = field.sizes.lead[0]
    own = maps.lead.size
    if abs(own[0] * width - own[1] * height) > max(height, width, *own):
        raise InputError(
            f"maps are {own[1]}x{own[0]} px, the field is of {width}x{height}: they must have one proportion"
        )
    sizes = field.sizes
    check(maps, sizes)
    exemplar, result = sizes.worked
    down, across = (round(n * ratio) for n, ratio in zip(exemplar, sizes.stretches, strict=True))
    first = Step(0, 1, 1, 1, 0.0, lambda: np.zeros((1, 1, 1), np.float32))  # there is no picture to be shown
    arrays = kernels.array(field.field), kernels.array(field.weight)
    solution = Solution(*arrays, (down, across), result, (), first, field.around)
    return (yield from mapped(rendered(kernels, solution, maps, sizes), lambda done: replace(first, fraction=done)))


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
    for name in sorted(maps.maps, key=lambda name: maps.maps[name].role != "height"):  # normals are bent by heights
        one, part = maps.maps[name], between(done / whole, (done + pixels[name]) / whole)
        if one.role == "id":
            images[name] = yield from mapped(elected(kernels, solution, one, sizes), part)
        elif one.role == "height":
            surface, lean = yield from mapped(surfaced(kernels, solution, one, sizes), part)
            images[name], heights = one.restored(_finished(surface, one, sizes)), one
            del surface
        else:
            bend = None
            if one.role == "normal" and lean is not None:
                told, rises = _middles(one, heights)
                lean *= slopes.steepness(told.vectors(), rises.rendered()[..., 0], heights.size)
                bend, lean = lean, None
            images[name] = yield from mapped(averaged(kernels, solution, one, sizes, one.restored, bend), part)
        done += pixels[name]
        yield done / whole
    return {name: images[name] for name in maps.maps}


def elected(kernels: Kernels, solution: Solution, one: Map, sizes: Sizes) -> Generator[float, None, np.ndarray]:
    """A map of ids put together, every pixel with one of its values. Yields the share that is done."""
    values, labels = one.ids()
    made, shown = sizes.own(one)
    stock = labels[_nearest(one.size, sizes.stretches)]
    carried = assembly.carried(kernels, solution, (stock.shape[0], stock.shape[1]), made)
    own = yield from mapped(carried, between(0, 0.1))
    winners = yield from mapped(assembly.elect(kernels, own, stock), between(0.1, 1))
    return values[winners[_nearest(made, _ratios(made, shown))]].reshape(*shown, *one.image.shape[2:])


def averaged(
    kernels: Kernels,
    solution: Solution,
    one: Map,
    sizes: Sizes,
    restored: Callable[[np.ndarray], np.ndarray],
    bend: np.ndarray | None = None,
) -> Generator[float, None, np.ndarray]:
    """Any other map put together, `restored` from its planes, see `Map.rendered`. Yields the share that is done.

    bend: how much farther normals are to lean, see `slopes.bent`, of the whole result at any size.
    """
    if one.role == "height":
        surface, _ = yield from surfaced(kernels, solution, one, sizes)
        return restored(_finished(surface, one, sizes))
    stock, size = _stock(solution, one, sizes)
    own = yield from mapped(assembly.carried(kernels, solution, (stock.shape[0], stock.shape[1]), size), _CARRYING)
    at_once = own.size == sizes.own(one)[1]
    bend = None if bend is None else resized(bend, own.size)
    whole: np.ndarray = np.empty(0)
    row = 0
    for planes in assembly.render(kernels, own, stock):
        if bend is not None:
            vectors = slopes.bent(planes[..., :3], bend[row : row + len(planes)])
            planes = np.concatenate([vectors, planes[..., 3:]], 2)
        part = restored(planes) if at_once else planes
        if not row:
            whole = np.empty((own.size[0], *part.shape[1:]), part.dtype)
        whole[row : row + len(part)] = part
        row += len(part)
        yield 0.2 + 0.8 * row / own.size[0]
    if at_once:
        return whole
    whole = _finished(whole, one, sizes)
    return np.concatenate([restored(whole[rows]) for rows in portions(*whole.shape[:2])])


def surfaced(
    kernels: Kernels, solution: Solution, one: Map, sizes: Sizes
) -> Generator[float, None, tuple[np.ndarray, np.ndarray]]:
    """The planes of a map of heights put together by their slopes, and `slopes.leaning` of these, as it was made.

    Yields the share that is done.
    """
    stock, size = _stock(solution, one, sizes)
    exemplar = stock.shape[0], stock.shape[1]
    own = yield from mapped(assembly.carried(kernels, solution, exemplar, size), _CARRYING)
    voted, row = np.empty((*own.size, 3 * stock.shape[2]), np.float32), 0
    for part in assembly.render(kernels, own, slopes.with_differences(stock, solution.around)):
        voted[row : row + len(part)] = part
        row += len(part)
        yield 0.2 + 0.4 * row / own.size[0]
    wrap = own.field.shape[1] == own.size[0], own.field.shape[2] == own.size[1]
    reach = slopes.REACH * min(exemplar)
    surface = slopes.integrated(voted, wrap, reach)
    yield 0.8
    surface = slopes.levelled(surface, stock, wrap, reach)
    yield 0.9
    return surface, slopes.leaning(surface, voted, wrap, exemplar)


def _middles(*maps: Map) -> list[Map]:
    """The same part of several maps, no more than is enough to compare them."""
    parts = -(-max(max(one.size) for one in maps) // ENOUGH)
    found = []
    for one in maps:
        rows, columns = (slice((n - n // parts) // 2, (n + n // parts) // 2) for n in one.size)
        found.append(replace(one, image=one.image[rows, columns]))
    return found


def _stock(solution: Solution, one: Map, sizes: Sizes) -> tuple[np.ndarray, tuple[int, int]]:
    """The planes that a map's own are put together from, and at which size (height, width).

    A map of fewer pixels than the field is put together at the field's size and reduced.
    """
    (worked, _), (made, _) = sizes.worked, sizes.own(one)
    small = one.size[0] < worked[0]
    stock = period.stretched(resized(one.rendered(), worked) if small else one.rendered(), sizes.stretches)
    return stock, solution.size if small else made


def _finished(planes: np.ndarray, one: Map, sizes: Sizes) -> np.ndarray:
    """Planes as they were put together, at the size that is shown."""
    made, shown = sizes.own(one)
    if made != shown:  # an axis that is shown at another length than it was made wraps
        planes = period.stretched(planes, _ratios(made, shown), "wrap")
    return resized(planes, shown)


def mapped(part: Generator[Told, None, Made], how: Callable[[Told], Heard]) -> Generator[Heard, None, Made]:
    """The same work, what it yields told another way."""
    while True:
        try:
            told = next(part)
        except StopIteration as end:
            return end.value
        yield how(told)


def between(start: float, end: float) -> Callable[[float], float]:
    return lambda share: start + (end - start) * share


_CARRYING = between(0, 0.2)


def _nearest(size: tuple[int, int], ratios: tuple[float, float]) -> tuple[np.ndarray, ...]:
    """The index of an image of some size that stretches it."""
    return np.ix_(*(period.nearest(n, ratio) for n, ratio in zip(size, ratios, strict=True)))


def _ratios(made: tuple[int, int], shown: tuple[int, int]) -> tuple[float, float]:
    return shown[0] / made[0], shown[1] / made[1]
