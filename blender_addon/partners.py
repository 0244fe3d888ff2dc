"""What there is beside a texture, as the user shows it: what it is mixed with or filled from, and maps of where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np

from . import masks, nodes, pixels
from .jobs import Beside
from .nodes import Source
from .otsynth_core.maps import Map
from .otsynth_core.roles import kin
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
    _check_applies(options.whole, "mixed with", other=options.other, material=options.material)
    others = nodes.second(context, options.whole, options.material if options.whole else options.other)
    notes: list[str] = []
    if options.whole:
        both = [
            [one for one in of if any(kin(one.role, like.role) for like in beside)]
            for of, beside in ((sources, others), (others, sources))
        ]
        if not both[0]:
            raise InputError("The materials have no image of the same role: correct their roles in the panel")
        alone = [one.image.name for one in (*sources, *others) if one not in (*both[0], *both[1])]
        notes = [f'"{name}": one of the materials alone has such an image, so it was left out' for name in alone]
        sources, others = both
    else:
        others = [_of_its_role(others[0], sources[0])]
    amount = None
    if options.t_map:
        amount = _active(_named(options.t_map, "share map"), "other").map.uncovered
    return Partner(sources, Beside(other=_maps(others), amount=amount), tuple(notes))


@dataclass(frozen=True)
class Stock:
    """What a fill takes from: other maps, and where of them; or the image itself, and the mask's name of where."""

    others: dict[str, Map]
    where: np.ndarray | None
    mask: str

    @classmethod
    def of(cls, context: bpy.types.Context, options: Any, sources: list[Source]) -> Stock:
        """Raises InputError where there is no image or material of the name that is given."""
        _check_applies(options.whole, "filled from", stock=options.stock, stock_material=options.stock_material)
        name = options.stock_material if options.whole else options.stock
        others = nodes.second(context, options.whole, name) if name else []
        if others and not options.whole:
            others = [_of_its_role(others[0], sources[0])]
        if options.source_mask:
            _named(options.source_mask, "source mask")
        where = None
        if others and options.source_mask:
            pictures = [_active(one.image, one.role) for one in others]
            where = masks.read(options.source_mask, others, pictures, _number(others[0].image))
        return cls(_maps(others), where, "" if others else options.source_mask)

    def beside(self, sources: list[Source], pictures: list[Picture], number: int | None) -> Beside:
        """Without the mask of what is filled; number: of the UDIM tile that the pictures are of."""
        where = masks.read(self.mask, sources, pictures, number) if self.mask else self.where
        return Beside(other=self.others, source=where)


def _of_its_role(other: Source, source: Source) -> Source:
    """An image that a single one is mixed with or filled from: of that one's role, but for normals of another kind."""
    return other if kin(other.role, source.role) else replace(other, role=source.role)


def alike(maps: dict[str, Map], others: Mapping[str, Map]) -> tuple[dict[str, Map], dict[str, Map]]:
    """Maps and others of the same roles with as many channels: one may be grey, or opaque, by chance alone."""
    both = [*maps.values(), *others.values()]

    def widened(one: Map) -> Map:
        counts = [other.channels for other in both if kin(other.role, one.role)]
        return _widened(one, max(n - (n in (2, 4)) for n in counts), any(n in (2, 4) for n in counts))

    mine, theirs = ({key: widened(one) for key, one in of.items()} for of in (maps, others))
    return mine, theirs


def _widened(one: Map, colours: int, alpha: bool) -> Map:
    """With so many channels of colour, of grey all alike, and with alpha where that is wanted."""
    values = one.image
    own = one.channels - (one.channels in (2, 4))
    parts = [np.repeat(values[..., :1], colours, 2) if own < colours else values[..., :own]]
    if alpha:
        full = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1
        parts.append(values[..., own:] if own < one.channels else np.full_like(values[..., :1], full))
    return replace(one, image=np.concatenate(parts, 2))


def _check_applies(whole: bool, what: str, **names: str) -> None:
    """Raises InputError where the other one of two options is given: an image's name first, then a material's."""
    (image, _), (material, _) = names.items()
    given, wanted, kind = (image, material, "material") if whole else (material, image, "image")
    if names[given]:
        raise InputError(
            f'{given} is "{names[given]}": {"a whole material" if whole else "an image"} is {what} another {kind}; give'
            f" {wanted} instead"
        )


def _named(name: str, what: str) -> bpy.types.Image:
    image = bpy.data.images.get(name)
    if image is None:
        raise InputError(f'There is no image "{name}": choose another {what}, or none')
    return image


def _maps(sources: list[Source]) -> dict[str, Map]:
    return {one.image.name_full: _active(one.image, one.role).map for one in sources}


def _active(image: bpy.types.Image, role: str) -> Picture:
    """Of a UDIM set its active tile."""
    return pixels.read(image, role, _number(image))


def _number(image: bpy.types.Image) -> int | None:
    """Of the active tile of a UDIM set."""
    return image.tiles.active.number if image.source == "TILED" else None
