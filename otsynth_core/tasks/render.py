"""Render: maps put together through a field that is there, each at its own size. A field is solved once and kept."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from .. import period, slopes, transport
from ..kernels import Kernels
from ..maps import Map, MapSet, resized
from ..spec import InputError
from ..transport import Solution, Step

FORMAT = 1
"""Version of the file of a field."""


@dataclass(frozen=True)
class Field:
    """Where every patch of a result comes from, and what it takes to put other maps of the same material together.

    field: int32 (2, fh, fw), row and column of the stretched exemplar's patch; weight: float32 (fh, fw) of its vote;
    worked: (height, width) of the exemplar, not stretched, and of the result, where the field was solved; lead: of
    the exemplar, of the result as it is made and of it as it is shown, in the leading map's pixels; stretches: of the
    exemplar, down and across.
    """

    field: np.ndarray
    weight: np.ndarray
    worked: tuple[tuple[int, int], tuple[int, int]]
    lead: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    stretches: tuple[float, float]

    def save(self, path: Path) -> None:
        """As an .npz file: its arrays, and a line of JSON."""
        words = json.dumps({"format": FORMAT, "worked": self.worked, "lead": self.lead, "stretches": self.stretches})
        with path.open("wb") as file:
            np.savez_compressed(file, field=self.field.astype(np.int16), weight=self.weight, about=np.array(words))

    @classmethod
    def load(cls, path: Path) -> Field:
        """Raises InputError for a file that `save` did not write."""
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                field, weight = file["field"].astype(np.int32), file["weight"].astype(np.float32)
            if about["format"] != FORMAT:
                raise InputError(f"{path}: is a field of format {about['format']}, {FORMAT} is wanted: solve it again")
            sizes = {name: tuple(tuple(map(int, pair)) for pair in about[name]) for name in ("worked", "lead")}
            stretches = tuple(map(float, about["stretches"]))
            fits = field.shape == (2, *weight.shape) and field.min() >= 0 and weight.min() > 0
            if not fits or any(field[axis].max() >= 2 * sizes["worked"][0][axis] for axis in (0, 1)):
                raise ValueError("its arrays do not go together")
        except (OSError, KeyError, ValueError, TypeError, EOFError, BadZipFile) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path}: is not a field that --save-field wrote ({error})") from None
        return cls(field, weight, sizes["worked"], sizes["lead"], stretches)  # type: ignore[arg-type]


def steps(field: Field, maps: MapSet, kernels: Kernels) -> Generator[Step, None, dict[str, np.ndarray]]:
    """Yields Steps, returns the maps put together through a field that was solved before, by name."""
    (height, width), *results = field.lead
    own = maps.lead.size
    if abs(own[0] * width - own[1] * height) > max(height, width, *own):
        raise InputError(
            f"maps are {own[1]}x{own[0]} px, the field is of {width}x{height}: they must have one proportion"
        )
    whole, lead = ((round(h * own[0] / height), round(w * own[1] / width)) for h, w in results)
    down, across = (round(n * ratio) for n, ratio in zip(field.worked[0], field.stretches, strict=True))
    last = Step(0, 1, 1, 1, 1.0, lambda: np.zeros((1, 1, 1), np.float32))
    arrays = kernels.array(field.field), kernels.array(field.weight)
    solution = Solution(*arrays, (down, across), field.worked[1], (), last)
    return (yield from rendered(kernels, solution, maps, field.stretches, field.worked[0], (whole, lead)))


def rendered(
    kernels: Kernels,
    solution: Solution,
    maps: MapSet,
    stretches: tuple[float, float],
    worked: tuple[int, int],
    lead: tuple[tuple[int, int], tuple[int, int]],
) -> Generator[Step, None, dict[str, np.ndarray]]:
    """The maps put together through a solution, by name.

    stretches, worked: of the exemplar, its (height, width) where the field was solved before it was stretched. lead:
    (height, width) of the result in the leading map's pixels, as it is made and as it is shown.
    """
    images = {}
    for name, one in maps.maps.items():
        size, shown = (maps.own(one, size) for size in lead)
        if min(*size, *one.size) < transport.SIDE:
            raise InputError(f"{name}: would be {size[1]}x{size[0]} px: smaller than one {transport.SIDE} px patch")
        put = _elected if one.role == "id" else _averaged
        images[name] = yield from put(kernels, solution, one, stretches, worked, size, shown)
    return images


def _elected(
    kernels: Kernels,
    solution: Solution,
    one: Map,
    stretches: tuple[float, float],
    worked: tuple[int, int],
    size: tuple[int, int],
    shown: tuple[int, int],
) -> Generator[Step, None, np.ndarray]:
    """A map of ids: every pixel has one of its values."""
    values, labels = one.ids()
    stock = labels[_nearest(one.size, stretches)]
    own = yield from transport.carried(kernels, solution, (stock.shape[0], stock.shape[1]), size)
    winners = yield from transport.elect(kernels, own, stock)
    winners = winners[_nearest(size, _ratios(size, shown))]
    return values[winners].reshape(*shown, *one.image.shape[2:])


def _averaged(
    kernels: Kernels,
    solution: Solution,
    one: Map,
    stretches: tuple[float, float],
    worked: tuple[int, int],
    size: tuple[int, int],
    shown: tuple[int, int],
) -> Generator[Step, None, np.ndarray]:
    """Any other map; one of fewer pixels than the field is put together at the field's size and reduced."""
    small, heights = one.size[0] < worked[0], one.role == "height"
    stock = resized(one.rendered(), worked) if small else one.rendered()
    stock = period.stretched(stock, stretches)
    exemplar = (stock.shape[0], stock.shape[1])
    own = yield from transport.carried(kernels, solution, exemplar, solution.size if small else size)
    at_once = own.size == shown and not heights
    whole: np.ndarray = np.empty(0)
    row = 0
    for planes in transport.render(kernels, own, slopes.with_differences(stock) if heights else stock):
        part = one.restored(planes) if at_once else planes
        if not row:
            whole = np.empty((own.size[0], *part.shape[1:]), part.dtype)
        whole[row : row + len(part)] = part
        row += len(part)
        yield solution.last
    if heights:
        wrap = own.field.shape[1] == own.size[0], own.field.shape[2] == own.size[1]
        surface = whole[..., : stock.shape[2]]
        if slopes.has_cliffs(surface, stock):
            surface = slopes.integrated(whole, wrap, slopes.REACH * min(exemplar))
        whole = slopes.levelled(surface, stock)
    if size != shown:  # an axis that is shown at another length than it was made wraps
        whole = period.stretched(whole, _ratios(size, shown), "wrap")
    return whole if at_once else one.restored(resized(whole, shown))


def _nearest(size: tuple[int, int], ratios: tuple[float, float]) -> tuple[np.ndarray, ...]:
    """The index of an image of some size that stretches it."""
    return np.ix_(*(period.nearest(n, ratio) for n, ratio in zip(size, ratios, strict=True)))


def _ratios(size: tuple[int, int], shown: tuple[int, int]) -> tuple[float, float]:
    return shown[0] / size[0], shown[1] / size[1]
