"""What a texture is mixed with, as the user shows it: another image or material, and a map of how much where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import bpy

from . import nodes, pixels
from .jobs import Beside
from .nodes import Source
from .otsynth_core.spec import InputError


@dataclass(frozen=True)
class Partner:
    """sources: those that there is something to mix with; notes: words about what one of the materials alone has."""

    sources: list[Source]
    beside: Beside
    notes: tuple[str, ...]


def read(context: bpy.types.Context, options: Any, sources: list[Source]) -> Partner:
    """Raises InputError where there is nothing to mix with, or no such map."""
    others = nodes.second(context, options.whole, options.material if options.whole else options.other)
    notes: list[str] = []
    if options.whole:
        roles = {one.role for one in sources} & {one.role for one in others}
        if not roles:
            raise InputError("The materials have no image of the same role: correct their roles in the panel")
        alone = [one.image.name for one in (*sources, *others) if one.role not in roles]
        notes = [f'"{name}": one of the materials alone has such an image, so it was left out' for name in alone]
        sources, others = ([one for one in of if one.role in roles] for of in (sources, others))
    else:
        others = [replace(others[0], role=sources[0].role)]
    maps = {one.image.name_full: _map(one.image, one.role) for one in others}
    amount = None
    if options.t_map:
        image = bpy.data.images.get(options.t_map)
        if image is None:
            raise InputError(f'There is no image "{options.t_map}": choose another share map, or none')
        amount = _map(image, "other").image
    return Partner(sources, Beside(other=maps, amount=amount), tuple(notes))


def _map(image: bpy.types.Image, role: str) -> Any:
    """Of a UDIM set its active tile."""
    tile = image.tiles.active.number if image.source == "TILED" else None
    return pixels.read(image, role, tile).map
