"""The tasks: each assembles maps, kernels and a solver into what a request asks for, and does no work of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator

from ..maps import Given, MapSet
from ..progress import Made, Step
from ..spec import Fill, InputError, Mix, Render, Request, Synthesize, Tile
from . import fill, mix, render, synthesize, tile
from .field import Field
from .mix import Blend
from .region import Region
from .result import Result

__all__ = ["Blend", "Field", "Region", "Result", "finished", "steps"]


def steps(
    request: Request, given: Given | MapSet, beside: Region | Blend | Field | None = None
) -> Generator[Step, None, Result]:
    """The work of a request on an image, or on the maps of a material by name: yields Steps, returns the Result.

    beside: what is to be filled, of a `Fill`; what is mixed with the maps, of a `Mix`; of a `Render`, through what they
    are put together.

    To cancel is to stop asking. Raises InputError, before anything is made, for a request that cannot be met.
    """
    maps = given if isinstance(given, MapSet) else MapSet.of(given)
    match request:
        case Tile():
            return (yield from tile.steps(request, maps))
        case Synthesize():
            return (yield from synthesize.steps(request, maps))
        case Fill():
            if not isinstance(beside, Region):
                raise InputError("no mask was given: fill needs one, white where the image is to be made anew")
            return (yield from fill.steps(request, maps, beside))
        case Mix():
            if not isinstance(beside, Blend):
                raise InputError(
                    "there is nothing to mix with: mix needs a second image, or the maps of a second material"
                )
            return (yield from mix.steps(request, maps, beside))
        case Render():
            if not isinstance(beside, Field):
                raise InputError("no field was given: render needs one that a result has, or that was saved")
            return (yield from render.steps(request, maps, beside))


def finished(work: Generator[Step, None, Made], progress: Callable[[Step], None] | None = None) -> Made:
    """What is made at the end of some work, with `progress` called at every Step on the way."""
    while True:
        try:
            step = next(work)
        except StopIteration as end:
            return end.value
        if progress is not None:
            progress(step)
