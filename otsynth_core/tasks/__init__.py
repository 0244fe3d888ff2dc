"""The tasks: each assembles maps, kernels and a solver into what a request asks for, and does no work of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np

from ..spec import Request, Synthesize, Tile
from ..transport import Step
from . import synthesize, tile
from .result import Result

__all__ = ["Result", "finished", "steps"]


def steps(request: Request, exemplar: np.ndarray) -> Generator[Step, None, Result]:
    """The work of a request on an exemplar, an array as `maps.Map.of` takes it: yields Steps, returns the Result.

    To cancel is to stop asking. Raises InputError, at the first step, for a request that cannot be met.
    """
    match request:
        case Tile():
            return (yield from tile.steps(request, exemplar))
        case Synthesize():
            return (yield from synthesize.steps(request, exemplar))


def finished(work: Generator[Step, None, Result], progress: Callable[[Step], None] | None = None) -> Result:
    """The Result at the end of some work, with `progress` called at every Step on the way."""
    while True:
        try:
            step = next(work)
        except StopIteration as end:
            return end.value
        if progress is not None:
            progress(step)
