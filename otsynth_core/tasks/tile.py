"""Tile: a seamless version of the exemplar, which is a synthesis that wraps both ways at, by default, the same size."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from .. import transport
from ..maps import Map
from ..spec import Size, Synthesize, Tile
from ..transport import Step
from . import synthesize
from .result import Result


def steps(request: Tile, exemplar: np.ndarray) -> Generator[Step, None, Result]:
    """Yields Steps, returns the Result; see `tasks.steps`."""
    height, width = Map.of(exemplar).pixels.shape[:2]
    transport.check(height, width)
    size = request.size or Size(width, height).checked()
    wrapped = Synthesize(size=size, wrap="both", seed=request.seed, device=request.device)
    result = yield from synthesize.steps(wrapped, exemplar)
    return replace(result, request=request)
