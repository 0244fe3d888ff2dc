"""Synthesize: a texture of any size with the exemplar's character; each axis wraps or does not."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from .. import kernels, period, transport
from ..maps import Map
from ..period import Periods
from ..spec import Synthesize
from ..transport import Step
from .result import Result

LITTLE = 16
"""MiB for temporary arrays when memory has run out once."""


def steps(request: Synthesize, exemplar: np.ndarray) -> Generator[Step, None, Result]:
    """Yields Steps, returns the Result; see `tasks.steps`."""
    source = Map.of(exemplar)
    transport.check(*source.pixels.shape[:2])
    planes = source.compared()
    return (yield from solved(request, source, planes, period.found(planes)))


def solved(request: Synthesize, source: Map, planes: np.ndarray, periods: Periods) -> Generator[Step, None, Result]:
    """The work once the exemplar is known; where memory runs out, again with less of it, then without a GPU."""
    wrap = (request.wrap in ("both", "y"), request.wrap in ("both", "x"))
    size = (request.size.height, request.size.width)
    ratios = period.stretches(periods, size, wrap)
    rows, columns = (period.nearest(*pair) for pair in zip(source.pixels.shape, ratios, strict=False))
    planes, fit = period.stretched(planes, ratios), period.scaled(periods, ratios)
    effort = transport.EFFORTS[request.quality]
    retreats: list[str] = []
    device, memory = request.device, request.memory
    while True:
        compute = kernels.load(device, request.threads, memory)
        try:
            solution = yield from transport.solve(compute, planes, size, wrap, request.seed, effort, fit)
            parts = []
            for planes_of_rows in transport.render(compute, solution, source.rendered()[np.ix_(rows, columns)]):
                parts.append(source.restored(planes_of_rows))
                yield solution.last
            image, field = np.concatenate(parts), compute.numpy(solution.field)
            field = np.stack([rows[field[0]], columns[field[1]]])
        except (MemoryError, RuntimeError) as error:
            if not kernels.ran_out(error):
                raise
            if memory != LITTLE:
                retreats.append(f"{compute.name} ran out of memory: again with {LITTLE} MiB for temporary arrays")
                memory = LITTLE
            elif compute.name in kernels.GPUS:
                retreats.append(f"{compute.name} ran out of memory again: without it")
                device = "cpu"
            else:
                raise
        else:
            return Result(request, image, field, compute.name, solution.seconds, periods, ratios, tuple(retreats))
