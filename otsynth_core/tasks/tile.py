"""Tile: a seamless version of the exemplar, a synthesis that wraps both ways at, unless told, about the same size."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from .. import period
from ..maps import MapSet
from ..spec import MIN_SIDE, SNAP, InputError, Size, Synthesize, Tile
from ..transport import Step
from . import synthesize
from .result import Result


def steps(request: Tile, maps: MapSet) -> Generator[Step, None, Result]:
    """Yields Steps, returns the Result; see `tasks.steps`."""
    planes, periods = synthesize.prepared(maps)
    if request.size == SNAP and periods == (None, None):
        raise InputError(f"size is {SNAP} but the exemplar repeats along neither axis: give a size, or none")
    height, width = maps.lead.size
    if isinstance(request.size, Size):
        size = request.size
    elif min(height, width) < MIN_SIDE:
        raise InputError(f"exemplar is {width}x{height} px: a result has {MIN_SIDE} px a side at least; give its size")
    else:
        size = period.snapped(Size(width, height), period.scaled(periods, (maps.reduction, maps.reduction)))
    options = {name: getattr(request, name) for name in ("seed", "device", "quality", "threads", "memory")}
    wrapped = Synthesize(size=size, wrap="both", **options)
    result = yield from synthesize.made(wrapped, maps, planes, periods)
    return replace(result, request=request)
