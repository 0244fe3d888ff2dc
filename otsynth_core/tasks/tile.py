"""Tile: a seamless version of the exemplar, which is a synthesis that wraps both ways at, by default, the same size."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from .. import transport
from ..maps import Map
from ..spec import MIN_SIDE, InputError, Size, Synthesize, Tile
from ..transport import Step
from . import synthesize
from .result import Result


def steps(request: Tile, exemplar: np.ndarray) -> Generator[Step, None, Result]:
    """Yields Steps, returns the Result; see `tasks.steps`."""
    height, width = Map.of(exemplar).pixels.shape[:2]
    transport.check(height, width)
    if request.size is None and min(height, width) < MIN_SIDE:
        raise InputError(f"exemplar is {width}x{height} px: a result has {MIN_SIDE} px a side at least; give its size")
    size = request.size or Size(width, height)
    wrapped = Synthesize(size=size, wrap="both", seed=request.seed, device=request.device)
    result = yield from synthesize.steps(wrapped, exemplar)
    return replace(result, request=request)
