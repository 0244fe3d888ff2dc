"""Synthesize: a texture of any size with the exemplar's character; each axis wraps or does not."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

import numpy as np

from .. import levels, period, repeats, tiling, transport
from ..assembly import Solution
from ..kernels import Kernels
from ..maps import MapSet
from ..period import Periods
from ..progress import Step, begins, mapped
from ..spec import InputError, Size, Synthesize, around
from ..transport import Exemplar
from . import descent, retreat
from .field import Field, Sizes
from .render import check, pixels_of, rendered
from .result import Result

RENDERED = 1 / 16
"""About how long it takes to put a pixel of a map together, where to solve for one takes 1: for progress only."""


def steps(request: Synthesize, maps: MapSet) -> Generator[Step, None, Result]:
    """Yields Steps, returns the Result; see `tasks.steps`."""
    if request.gradient is not None:
        return (yield from descent.made(request, [(maps, 1.0)], request.size, around(request.wrap)))
    return (yield from made(maps, lambda _: request))


@dataclass(frozen=True)
class Pattern:
    """The planes (H, W, C) of maps that are compared, whether they go on where they end, and their periods."""

    planes: np.ndarray
    tiles: tuple[bool, bool]
    periods: Periods


def pattern(maps: MapSet) -> Generator[Step, None, Pattern]:
    """Yields Steps. Raises InputError for maps that are too small."""
    levels.check(*maps.lead.size)
    if min(maps.worked(maps.lead.size)) < levels.SIDE:
        given, by = Size(*maps.lead.size[::-1]), maps.reduction
        raise InputError(
            f"exemplar is {given} px: at 1/{by} of its size, as it is compared, too narrow; crop it along its length"
        )
    for planes in maps.comparing():
        yield begins(planes)
    tiles = tiling.found(planes)
    yield begins(planes)
    periods = repeats.found(planes, tiles)
    yield begins(planes)
    return Pattern(planes, tiles, periods)


def made(maps: MapSet, asked: Callable[[Periods], Synthesize]) -> Generator[Step, None, Result]:
    """What is asked for once the periods are known; where memory runs out, again with less of it, then without a GPU.

    Yields Steps. Raises InputError for maps that are too small, or too narrow for their size.
    """
    found = yield from pattern(maps)
    planes, tiles, periods = found.planes, found.tiles, found.periods
    request = asked(periods)
    wrap = around(request.wrap)
    lead = (request.size.height, request.size.width)
    size, worked = maps.worked(lead), maps.worked(maps.lead.size)
    if min(size) < levels.SIDE:
        given = Size(*maps.lead.size[::-1])
        raise InputError(f"size is {request.size}: too small beside an exemplar of {given} px; ask for a larger one")
    ratios, solved = period.lattice(periods, size, wrap)
    by = maps.reduction
    whole = (lead[0] if solved[0] == size[0] else by * solved[0], lead[1] if solved[1] == size[1] else by * solved[1])
    unstretched = ratios[0] == 1, ratios[1] == 1
    exemplar = Exemplar(
        period.stretched(planes, ratios),
        period.scaled(periods, ratios),
        around=(tiles[0] and unstretched[0], tiles[1] and unstretched[1]),
    )
    del planes, found  # if they were stretched, they are not needed any more
    yield begins(exemplar.planes)
    if levels.vast([exemplar.size], solved, wrap, [exemplar.around]):
        given = Size(*maps.lead.size[::-1])
        raise InputError(
            f"size is {request.size}: all of so narrow a strip would be compared with all of an exemplar of {given} px;"
            " ask for a wider one, or crop the exemplar"
        )
    sizes = Sizes((worked, solved), (maps.lead.size, whole, lead), ratios)
    check(maps, sizes)
    effort = levels.EFFORTS[request.quality]

    def work(compute: Kernels) -> Generator[Step, None, tuple[Solution, dict[str, np.ndarray], Field]]:
        solving = transport.solve(compute, [exemplar], solved, wrap, request.seed, effort)
        solution, images = yield from _put_together(compute, solving, maps, sizes)
        arrays = compute.numpy(solution.field), compute.numpy(solution.weight)
        return solution, images, Field(*arrays, sizes, solution.around)

    computed = yield from retreat.computed(request, work)
    solution, images, field = computed.made
    scaled = period.scaled(periods, (by, by))
    return Result(request, maps, images, field, computed.device, solution.seconds, scaled, computed.retreats)


def _put_together(
    compute: Kernels, work: Generator[Step, None, list[Solution]], maps: MapSet, sizes: Sizes
) -> Generator[Step, None, tuple[Solution, dict[str, np.ndarray]]]:
    """The solution and the maps through it, fractions told of both."""
    pixels = sum(pixels_of(maps, sizes).values())
    share = 1 / (1 + RENDERED * pixels / math.prod(sizes.worked[1]))
    (solution,) = yield from mapped(work, lambda step: replace(step, fraction=share * step.fraction))
    rest = rendered(compute, solution, maps, sizes)
    images = yield from mapped(rest, lambda done: replace(solution.last, fraction=share + (1 - share) * done))
    return solution, images
