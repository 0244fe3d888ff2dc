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


def steps(request: Synthesize, exemplar: np.ndarray) -> Generator[Step, None, Result]:
    """Yields Steps, returns the Result; see `tasks.steps`."""
    source = Map.of(exemplar)
    transport.check(*source.pixels.shape[:2])
    planes = source.compared()
    return (yield from solved(request, source, planes, period.found(planes)))


def solved(request: Synthesize, source: Map, planes: np.ndarray, periods: Periods) -> Generator[Step, None, Result]:
    """The work when the exemplar has been looked at."""
    compute = kernels.load(request.device, request.threads, request.memory)
    wrap = (request.wrap in ("both", "y"), request.wrap in ("both", "x"))
    size = (request.size.height, request.size.width)
    effort = transport.EFFORTS[request.quality]
    solution = yield from transport.solve(compute, planes, size, wrap, request.seed, effort, periods)
    image = source.restored(transport.render(compute, solution, source.rendered()))
    field = compute.numpy(solution.field)
    return Result(request, image, field, compute.name, solution.seconds, periods)
