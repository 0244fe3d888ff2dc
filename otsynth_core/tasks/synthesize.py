"""Synthesize: a texture of any size with the exemplar's character; each axis wraps or does not."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from .. import kernels, transport
from ..maps import Map
from ..spec import Synthesize
from ..transport import Step
from .result import Result


def steps(request: Synthesize, exemplar: np.ndarray) -> Generator[Step, None, Result]:
    """Yields Steps, returns the Result; see `tasks.steps`."""
    source = Map.of(exemplar)
    transport.check(*source.pixels.shape[:2])
    compute = kernels.load(request.device)
    wrap = (request.wrap in ("both", "y"), request.wrap in ("both", "x"))
    size = (request.size.height, request.size.width)
    solution = yield from transport.solve(compute, source.compared(), size, wrap, request.seed)
    image = source.restored(transport.render(compute, solution, source.rendered()))
    field = compute.numpy(solution.field).astype(np.int32)
    return Result(request, image, field, compute.name, solution.seconds)
