"""What a task is told beside the maps, brought into their terms: masks as shares, another material as like maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .. import levels
from ..maps import Map, MapSet, resized, same_proportion
from ..roles import NORMALS, kin
from ..shiftmap import Cut
from ..spec import InputError, Size

FAINT = 1 / 32
"""Less grey than this is black, and as near to white white: what JPEG leaves around edges changes no pixel."""
BELOW = 64
"""Another material begins at a multiple of so many rows, whatever maps are reduced by."""
WHITE = 0.5
"""What a mask must reach somewhere: one that does not is a mistake."""


@dataclass(frozen=True)
class Region:
    """What is filled, and from what.

    mask: (H, W) or (H, W, 1 to 4), white is filled, grey is blended; its alpha, if any, covers it. source: the same,
    white is where material may be taken from. other: a material to take it from instead. cut: of what the mask covers,
    no more is made new than it takes for the two sides of this to meet.
    """

    mask: np.ndarray
    source: np.ndarray | None = None
    other: MapSet | None = None
    cut: Cut | None = None


def softness(mask: np.ndarray, size: tuple[int, int], what: str) -> np.ndarray:
    """As `grey`, of a mask image. Raises InputError also where it has no white."""
    soft, brightest = _grey(mask, size, what, "image")
    if 0 < brightest < WHITE:
        raise InputError(
            f"{what} has no white: its brightest value is {brightest:.3f} of 1, the mean of colours; draw in white, and"
            " make a mask of 0 and 1 one of 0 and 255"
        )
    return soft


def grey(image: np.ndarray, size: tuple[int, int], what: str) -> np.ndarray:
    """float32 (H, W), 0 to 1, of an image that tells shares of each pixel of the result; what: its name.

    Raises InputError where it has another proportion than the result, or is nearly black.
    """
    soft, brightest = _grey(image, size, what, "result")
    if image.dtype.kind == "u" and round(brightest * np.iinfo(image.dtype).max) == 1:
        raise InputError(f"{what} is nearly black: its brightest value is 1 of {1 / brightest:.0f}; white is the most")
    return soft


def _grey(image: np.ndarray, size: tuple[int, int], what: str, under: str) -> tuple[np.ndarray, float]:
    """And its brightest value; under: what it lies on."""
    if isinstance(image, np.ndarray) and image.dtype == bool:
        image = image.view(np.uint8) * np.uint8(255)
    try:
        pixels = Map.of(image, "other").pixels
    except InputError as error:
        raise InputError(f"{what} {str(error).removeprefix('image ')}") from None
    colors = pixels.shape[2] - (pixels.shape[2] in (2, 4))
    soft = pixels[..., 0] if colors == 1 else pixels[..., :colors].mean(2)
    if colors < pixels.shape[2]:
        soft = soft * pixels[..., -1]
    if image.dtype.kind == "f":
        soft = soft.clip(0, 1)
    (h, w), (height, width) = soft.shape, size
    if not same_proportion((h, w), size):
        raise InputError(
            f"{what} is {Size(w, h)} px, the {under} {Size(width, height)}: they must have one proportion; draw it on"
            f" the {under}'s size"
        )
    brightest = float(soft.max())
    return resized(soft[..., None], size)[..., 0] if (h, w) != size else soft, brightest


def covered(region: Region, size: tuple[int, int], invert: bool, margin: int, wrap: tuple[bool, bool]) -> np.ndarray:
    """float32 (H, W): how much of each pixel is to be new."""
    soft = softness(region.mask, size, "mask")
    soft = 1 - soft if invert else soft
    soft[soft < FAINT] = 0
    soft[soft > 1 - FAINT] = 1
    return feathered(soft, margin, wrap)


def feathered(soft: np.ndarray, margin: int, wrap: tuple[bool, bool]) -> np.ndarray:
    """A mask that fades out within so many pixels around what it was."""
    if not margin or not soft.any():
        return soft
    soft, box = soft.copy(), []
    for axis in (0, 1):  # no more is looked at than what it reaches
        lines = np.flatnonzero(soft.any(1 - axis))
        start, stop, side = int(lines[0]) - margin, int(lines[-1]) + 1 + margin, soft.shape[axis]
        over = wrap[axis] and (start < 0 or stop > side)
        box.append(slice(0, side) if over else slice(max(0, start), stop))
    part = soft[box[0], box[1]]
    near = part.copy()
    for step in range(1, margin + 1):
        p = near
        for axis in (0, 1):
            p = np.pad(p, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="wrap" if wrap[axis] else "edge")
        around = [p[:-2, 1:-1], p[2:, 1:-1], p[1:-1, :-2], p[1:-1, 2:]]
        if step % 2 == 0:  # now a square, now a diamond: nearly a circle
            around += [p[:-2, :-2], p[2:, 2:], p[:-2, 2:], p[2:, :-2]]
        for one in around:
            np.maximum(near, one, out=near)
        np.maximum(part, near * np.float32(1 - step / (margin + 1)), out=part)
    return soft


def twins_of(one: Map, other: MapSet) -> dict[str, Map]:
    """The maps of another material that can stand for one: of its role, or else of its kin."""
    same = {name: twin for name, twin in other.maps.items() if twin.role == one.role}
    return same or {name: twin for name, twin in other.maps.items() if kin(twin.role, one.role)}


def matched(maps: MapSet, other: MapSet, opaque: bool = False) -> MapSet:
    """Another material's maps under the names of a material's, of the same kind of numbers. Raises InputError.

    opaque: whether those may not be transparent that come to stand in maps without alpha.
    """
    height, width = other.lead.size
    if min(height, width) < levels.SIDE:
        raise InputError(f"the other material is {width}x{height} px: smaller than one {levels.SIDE} px patch")
    found = {}
    for name, one in maps.maps.items():
        twins = other.maps if len(maps.maps) == 1 and len(other.maps) == 1 else twins_of(one, other)
        alike = sum(twin.role == one.role for twin in maps.maps.values())
        if name in twins:
            twins = {name: twins[name]}
        if len(twins) != 1 or (alike > 1 and name not in twins):
            what = f"{len(twins)} of them" if twins else "none"
            raise InputError(
                f"{name or 'the image'}: is a map of {one.role}, and the other material has {what}; leave it out or add"
                " it, by the same name where there are several"
            )
        twin = next(iter(twins.values()))
        if opaque:
            check_alpha(name, one, twin, "filled from")
        found[name] = _like(name, one, twin)
    return MapSet(found)


def check_alpha(name: str, one: Map, twin: Map, what: str) -> None:
    """Raises InputError where a map has no room for the alpha of another material's."""
    if twin.transparent and one.channels not in (2, 4):
        shown = name or "the image"
        raise InputError(f"{shown}: has no alpha, and what it is {what} is transparent; save both with alpha")


def _like(name: str, one: Map, twin: Map) -> Map:
    """Another map with the channels and the kind of numbers of one. Raises InputError where these cannot hold it."""
    name = name or "the image"
    if one.role == "id":
        values = twin.image.astype(one.image.dtype)
        if (values != twin.image).any() or one.channels != twin.channels:
            raise InputError(f"{name}: ids of the other material do not fit into its {one.image.dtype} values")
        return replace(one, image=values.reshape(*twin.size, *one.image.shape[2:]))
    whole = one.image.dtype.kind == "u" and twin.image.dtype.kind == "f" and one.role not in NORMALS
    if whole and (twin.image.min() < 0 or twin.image.max() > 1):
        raise InputError(
            f"{name}: is of whole numbers, and the other material's reaches from {twin.image.min():.3g} to"
            f" {twin.image.max():.3g}; save both as floats"
        )
    if one.lit != twin.lit:
        raise InputError(f"{name}: one is of linear light, the other is not; save both in one kind of file")
    kinds = [(of.image.dtype, of.image.shape[2:], of.associated) for of in (one, twin)]
    if one.role not in NORMALS and kinds[0] == kinds[1]:
        return replace(one, image=twin.image)
    if one.role in NORMALS:
        if min(one.channels, 3) != min(twin.channels, 3):
            raise InputError(f"{name}: has {one.channels} channels, the other {twin.channels}; save both alike")
        more = twin.pixels[..., 3:4] if twin.channels == 4 else np.ones((*twin.size, 1), np.float32)
        vectors = twin.vectors()
        if twin.role in NORMALS and twin.role != one.role:
            vectors = vectors * np.array([1, -1, 1], np.float32)[: vectors.shape[2]]
        pixels = np.concatenate([one.encoded(vectors), more], 2)[..., : one.channels]
    else:
        pixels, n = twin.pixels, twin.channels
        alpha = pixels[..., -1:] if n in (2, 4) else np.ones_like(pixels[..., :1])
        colors = pixels[..., :-1] if n in (2, 4) else pixels
        wanted = one.channels - (one.channels in (2, 4))
        if colors.shape[2] != wanted:
            colors = np.broadcast_to(colors.mean(2, keepdims=True), (*colors.shape[:2], wanted))
        if twin.associated != one.associated:
            colors = colors * alpha if one.associated else colors / np.maximum(alpha, 1e-6)
        pixels = np.concatenate([colors, alpha], 2)[..., : one.channels]
    return replace(one, image=one.stored(pixels))


def stacked(
    above: MapSet, below: MapSet, sizes: dict[str, tuple[int, int]], lead: tuple[int, int]
) -> tuple[MapSet, int]:
    """Two materials as one, one above the other, so that both are compared alike; and where the second begins.

    The narrower is repeated to the same width. sizes: of the whole maps that the first are cut from, the leading one's
    is lead: the second's maps get the same proportions, and begin behind the first's, which a crop has cut outwards.
    """
    begin = -(-above.lead.size[0] // BELOW) * BELOW
    width = max(above.lead.size[1], below.lead.size[1])
    joint, below = {}, proportioned(below, sizes, lead)
    for name, one in above.maps.items():
        ratio = sizes[name][0] / lead[0], sizes[name][1] / lead[1]
        wanted, other = below.maps[name].size, below.maps[name].image
        other = other.reshape(*wanted, -1)
        own = one.image.reshape(*one.size, -1)
        rows, columns = (max(n, m) for n, m in zip(times((begin, width), ratio), own.shape, strict=False))
        columns = max(columns, wanted[1])
        own = np.pad(own, [(0, rows - own.shape[0]), (0, columns - own.shape[1]), (0, 0)], mode="wrap")
        other = np.pad(other, [(0, 0), (0, columns - other.shape[1]), (0, 0)], mode="wrap")
        both = np.concatenate([own, other])
        joint[name] = replace(one, image=both.reshape(*both.shape[:2], *one.image.shape[2:]))
    return MapSet(joint), begin


def proportioned(maps: MapSet, sizes: dict[str, tuple[int, int]], lead: tuple[int, int]) -> MapSet:
    """A material's maps, as large beside its leading one as those of some sizes beside one of the size lead."""
    found = {}
    for name, one in maps.maps.items():
        wanted = times(maps.lead.size, (sizes[name][0] / lead[0], sizes[name][1] / lead[1]))
        if one.size == wanted:
            image = one.image
        elif one.role == "id":
            image = nearest(one.image, wanted)
        else:
            image = one.stored(resized(one.pixels, wanted))
        found[name] = replace(one, image=image)
    return MapSet(found)


def nearest(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image at another size, every pixel the one of its own that lies under its middle."""
    middles = ((2 * np.arange(m) + 1) * n // (2 * m) for n, m in zip(image.shape, size, strict=False))
    return image[np.ix_(*middles)]


def times(size: Sequence[int], ratios: Sequence[float]) -> tuple[int, int]:
    """A size (height, width) stretched along each axis."""
    return round(size[0] * ratios[0]), round(size[1] * ratios[1])
