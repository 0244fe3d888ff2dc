"""Tile: a seamless version of the exemplar, of about its size: a synthesis that wraps, or a picture with healed edges.

To heal is to fill what does not go on at the edges of a picture that wraps, in a band along them that is cut where
pieces of the picture meet; all else keeps every pixel.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np

from .. import levels, period, repeats, shiftmap, tiling
from ..maps import MapSet
from ..period import Periods
from ..progress import Step, begins
from ..shiftmap import Cut
from ..spec import MIN_SIDE, SNAP, Fill, InputError, Size, Synthesize, Tile
from . import fill, synthesize
from .result import Result

GRAIN, GRAINS = 0.2, 6
"""Rows are of one grain as long as their autocorrelation is above; so many grains is a band wide on either side."""
NARROW, WIDE = 32, 1 / 4
"""Least width of a band in pixels, and most as a share of the side; half of it is kept, and two patches at least."""


def steps(request: Tile, maps: MapSet) -> Generator[Step, None, Result]:
    """Yields Steps, returns the Result; see `tasks.steps`."""
    if request.method == "heal":
        return (yield from _healed(request, maps))
    own = Size(*maps.lead.size[::-1])
    if not isinstance(request.size, Size) and min(own) < MIN_SIDE:
        raise InputError(f"exemplar is {own} px: a result has {MIN_SIDE} px a side at least; give its size")

    def wrapped(periods: Periods) -> Synthesize:
        size = request.size if isinstance(request.size, Size) else _fitting(request, own, periods, maps.reduction)
        return Synthesize(size=size, wrap="both", gradient=request.gradient, **_shared(request))

    if request.gradient is None:
        result = yield from synthesize.made(maps, wrapped)
    else:  # that solver keeps nothing in step
        periods = (yield from synthesize.pattern(maps)).periods if request.size == SNAP else (None, None)
        result = yield from synthesize.steps(wrapped(periods), maps)
    return replace(result, request=request)


def _fitting(request: Tile, own: Size, periods: Periods, reduction: int) -> Size:
    """The size nearest to the exemplar's that holds whole periods, or of plain ones alone unless it is asked for.

    Periods of which joints alone tell do not change it, even sure ones: the exemplar is stretched to it.
    """
    if request.size == SNAP and periods == (None, None):
        raise InputError(f"size is {SNAP} but the exemplar repeats along neither axis: give a size, or none")
    doubt = 0 if request.size == SNAP else repeats.HIGH
    down, across = (one if one and one.evidence > doubt else None for one in periods)
    return period.snapped(own, period.scaled((down, across), (reduction, reduction)))


def _healed(request: Tile, maps: MapSet) -> Generator[Step, None, Result]:
    size = maps.lead.size
    least = 2 + 2 * levels.SIDE
    if min(size) < least:
        raise InputError(f"exemplar is {Size(*size[::-1])} px: healing wants {least} px a side; resynthesize it")
    for planes in maps.comparing():
        yield begins(planes)
    width = request.band or band(planes) * maps.reduction
    yield begins(planes)
    tiles = tiling.found(planes)
    yield begins(planes)
    periods = repeats.found(planes, tiles)
    yield begins(planes)
    mask, torn, notes = np.zeros(size, bool), np.zeros(size, bool), []
    deep = min(width, maps.reduction * 2 ** shiftmap.level(width // maps.reduction, min(planes.shape[:2])))
    for axis, (side, goes_on, own) in enumerate(zip(size, tiles, periods, strict=True)):
        edges = ("top and bottom", "left and right")[axis]
        if goes_on or (own is not None and own.sure and tiling.in_step(planes.swapaxes(0, axis), own.length)):
            notes.append(f"{edges} meet already: nothing was healed there; resynthesize makes them new")
        elif side - 2 * width < 2 * levels.SIDE:
            raise InputError(
                f"band is {width} px: of {side} px only {max(0, side - 2 * width)} would be kept; choose a narrower one"
            )
        else:
            for of, many in ((mask, width), (torn, deep)):
                np.moveaxis(of, axis, 0)[np.r_[:many, -many:0]] = True
    notes += [
        f"the picture repeats every {found.length * maps.reduction:.1f} px, and {side} px hold no whole number of them:"
        " lines break in the band; resynthesize makes them fit"
        for found, side, n in zip(periods, size, planes.shape, strict=False)
        if found is not None and found.sure and abs(found.fitting(n) - n) > 1
    ]
    yield begins(planes)
    del planes  # a large array, and not needed any more
    wrapped = Fill(wrap="both", **_shared(request))
    result = yield from fill.steps(wrapped, maps, fill.Region(mask, cut=Cut(torn, deep, width)))
    return replace(result, request=replace(request, band=width), notes=tuple(dict.fromkeys(notes)))


def band(planes: np.ndarray) -> int:
    """How wide a band along the edges of planes (H, W, C) should be: a few grains, within limits."""
    short, grain = min(planes.shape[:2]), 1
    most = min(int(WIDE * short), short // 2 - levels.SIDE)
    for along in (planes, planes.swapaxes(0, 1)):
        R = repeats.autocorrelation(along)
        low = np.flatnonzero(R < GRAIN)
        grain = max(grain, int(low[0]) if len(low) else len(R))
    return max(1, min(max(NARROW, GRAINS * grain), most))


def _shared(request: Tile) -> dict[str, Any]:
    """What every request has, under the names of its options."""
    return {name: getattr(request, name) for name in ("seed", "device", "quality", "threads", "memory")}
