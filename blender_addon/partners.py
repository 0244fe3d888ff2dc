"""What there is beside a texture, as the user shows it: what it is mixed with or filled from, and maps of where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import bpy

from . import masks, nodes, pixels
from .jobs import Beside
from .nodes import Source
from .otsynth_core.maps import Map
from .otsynth_core.spec import InputError
from .pixels import Picture


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
    amount = None
    if options.t_map:
        amount = _active(_named(options.t_map, "share map"), "other").map.image
    return Partner(sources, Beside(other=_maps(others), amount=amount), tuple(notes))


@dataclass(frozen=True)
class Stock:
    """What a fill takes from: `others` where there is any, else the image itself; mask: of where, by name, or none."""

    others: list[Source]
    mask: str

    @classmethod
    def of(cls, context: bpy.types.Context, options: Any, sources: list[Source]) -> Stock:
        """Raises InputError where there is no image or material of the name that is given."""
        name = options.stock_material if options.whole else options.stock
        others = nodes.second(context, options.whole, name) if name else []
        if others and not options.whole:
            others = [replace(others[0], role=sources[0].role)]
        if options.source_mask:
            _named(options.source_mask, "source mask")
        return cls(others, options.source_mask)

    def beside(self, sources: list[Source], pictures: list[Picture], number: int | None) -> Beside:
        """Without the mask of what is filled; number: of the UDIM tile that the pictures are of."""
        source = None
        if self.mask and self.others:
            source = masks.read(self.mask, self.others, [_active(one.image, one.role) for one in self.others], None)
        elif self.mask:
            source = masks.read(self.mask, sources, pictures, number)
        return Beside(other=_maps(self.others), source=source)


def _named(name: str, what: str) -> bpy.types.Image:
    image = bpy.data.images.get(name)
    if image is None:
        raise InputError(f'There is no image "{name}": choose another {what}, or none')
    return image


def _maps(sources: list[Source]) -> dict[str, Map]:
    return {one.image.name_full: _active(one.image, one.role).map for one in sources}


def _active(image: bpy.types.Image, role: str) -> Picture:
    """Of a UDIM set its active tile."""
    tile = image.tiles.active.number if image.source == "TILED" else None
    return pixels.read(image, role, tile)
