"""The maps of a material: images that lie on one another, what each is of, how it is compared and how put together.

All share one correspondence field. For it their planes are laid side by side as one picture with many channels, at the
work size, each map's spread made its weight times that of the first. Every map is then put together from its own pixels
at its own size: colour with alpha premultiplied, normals as vectors that end up with length 1, ids by most votes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real

import numpy as np

from . import pyramid
from .roles import NORMALS, ROLES, guessed
from .spec import InputError

WORK = 4096
"""Longest side, in pixels, of the exemplar at the size that the field is solved at; larger ones are halved."""
PORTION = 2**20
"""Pixels of a map that are brought to the work size at once."""
SPREAD = 1 / 64
"""Least standard deviation that a map's is taken for: the grain of a map that is nearly flat is not blown up."""
BRIGHT = 1e12
"""Largest value that is computed with: squares of it and their sums are far from overflow."""
LIGHT = 0.001
"""Least weight but none."""
FAINT = 1 / 16
"""Alpha below which colour is rather taken from what stands under it: a quotient of little is noise."""
IDS = 256
"""Most different values of a map of ids."""
NOT_UNIT = 0.1
"""How far the mean length of a normal map's vectors may be from 1."""
UNEVEN = 0.2
"""And their root mean square: a map that was saved as a poor JPEG, or halved twice, has up to 0.18."""
BEHIND, FEW = -0.05, 0.01
"""A z below points into the surface, and how large a share of these is chance."""


@dataclass(frozen=True)
class Map:
    """One image, as it is stored: straight alpha, encoded colour unless `linear`, rows from the top.

    image: (H, W) or (H, W, 1 to 4) of uint8, uint16 or finite floats. role: one of `roles.ROLES`. linear: colour is in
    light's own units, of any range. associated: colour is multiplied by its alpha, or the last channel is none that
    covers others. weight: beside other maps, 0 where it only follows; None for the role's own.
    """

    image: np.ndarray
    role: str = "color"
    linear: bool = False
    associated: bool = False
    weight: float | None = None

    @classmethod
    def of(cls, image: np.ndarray, role: str = "color") -> Map:
        """The map of an image, checked."""
        return cls(image, role).checked()

    def checked(self) -> Map:
        """The same map. Raises InputError where it is not sound."""
        image, role, weight = self.image, self.role, self.weight
        if not isinstance(image, np.ndarray) or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] > 4):
            raise InputError(f"image is {_described(image)}: an array (H, W) or (H, W, 1 to 4 channels) is wanted")
        if type(image) is not np.ndarray or not image.dtype.isnative:  # a matrix, or numbers as some files have them
            return replace(self, image=np.asarray(image, image.dtype.newbyteorder("="))).checked()
        if 0 in image.shape:
            raise InputError(f"image is empty: its shape is {image.shape}")
        if image.dtype.kind == "f":
            bad = ~np.isfinite(image)
            if bad.any():
                number = int(bad.any(axis=tuple(range(2, image.ndim))).sum())
                raise InputError(f"image has NaN or infinity in {number} pixels: replace them before synthesis")
        elif image.dtype not in (np.uint8, np.uint16):
            raise InputError(f"image has {image.dtype} values: uint8, uint16 or float ones are wanted")
        if image.dtype.kind == "f" and float(np.abs(image).max()) > BRIGHT:
            raise InputError(f"image has values up to {np.abs(image).max():.2g}: more than {BRIGHT:.0e}; scale it down")
        if not isinstance(role, str) or role not in ROLES:
            raise InputError(f"role is {role!r}: it must be one of {', '.join(ROLES)}")
        if weight is not None and not (isinstance(weight, Real) and (weight == 0 or LIGHT <= weight <= 100)):
            raise InputError(f"weight is {weight!r}: it must be 0 or a number from {LIGHT} to 100")
        if role in NORMALS and self.channels < 2:
            raise InputError("image has one channel: a normal map has three; give it another role")
        if role == "id" and len(self.ids()[0]) > IDS:
            raise InputError(f"image has more than {IDS} different values: too many for ids; give it the role other")
        return self

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def channels(self) -> int:
        """How many numbers a pixel has, alpha among them."""
        return 1 if self.image.ndim == 2 else self.image.shape[2]

    @property
    def pixels(self) -> np.ndarray:
        """float32 (H, W, C): whole numbers divided by their largest."""
        pixels = self.image.reshape(*self.size, -1).astype(np.float32)
        if self.image.dtype.kind == "u":
            pixels /= np.float32(np.iinfo(self.image.dtype).max)
        return pixels

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel covers the others: it does in colour, elsewhere it is one more."""
        return self.channels in (2, 4) and self.role in ("color", "emission") and not self.associated

    @property
    def uncovered(self) -> np.ndarray:
        """The image of a mask: alpha covers it, but not once more where it is multiplied by it already."""
        return self.image[..., :-1] if self.associated and self.channels in (2, 4) else self.image

    @cached_property
    def opaque(self) -> bool:
        """Whether no pixel is covered less than wholly: there is no alpha, or it is full everywhere."""
        full = np.iinfo(self.image.dtype).max if self.image.dtype.kind == "u" else 1
        return not self.has_alpha or bool((self.image[..., -1] == full).all())

    @property
    def transparent(self) -> bool:
        """Whether colour has alpha that is not 1 everywhere, straight or associated."""
        return not replace(self, associated=False).opaque

    def compared(self) -> np.ndarray:
        """The planes whose patches are compared: premultiplied colour and alpha, without planes that tell nothing.

        Of normals x and y, which tell z; of linear colour log (1 + |value| / mean) with the value's sign.
        """
        pixels = self.pixels
        if self.role in NORMALS:
            return self._vectors(pixels)[..., :2]
        color, alpha = self._split(pixels)
        if self.lit:
            color = np.sign(color) * np.log1p(np.abs(color) / self._brightness)
        if self._grey:
            color = color[..., :1]
        return color if self.opaque else np.concatenate([color * alpha, alpha], 2)

    def resized(self, size: tuple[int, int]) -> Iterator[tuple[slice, np.ndarray]]:
        """The planes of `compared` at another size, portion after portion: which rows these are, and they."""
        by, uneven = divmod(self.size[0], size[0])
        if uneven:  # a row of one size is made of parts of rows of the other
            yield slice(0, size[0]), resized(self.compared(), size)
            return
        height = max(1, PORTION // (by * self.size[1]))
        for top in range(0, size[0], height):
            end = min(top + height, size[0])
            yield slice(top, end), resized(self.rows(slice(by * top, by * end)).compared(), (end - top, size[1]))

    def rows(self, some: slice) -> Map:
        """Some rows of the map, seen as the whole is."""
        part = replace(self, image=self.image[some])
        for name in ("_signed",) if self.role in NORMALS else ("opaque", "_grey", *(("_brightness",) * self.lit)):
            part.__dict__[name] = getattr(self, name)
        return part

    def rendered(self) -> np.ndarray:
        """The planes to be averaged: as `compared`, all of them, and the colour that stands under alpha 0 as well.

        Of linear colour the cube root, which is how light it looks (CIE 1976): what is bright would outshine the rest.
        """
        pixels = self.pixels
        if self.role in NORMALS:
            return np.concatenate([self._vectors(pixels), pixels[..., 3:]], 2)
        color, alpha = self._split(pixels)
        if self.lit:
            color = np.cbrt(color)
        return color if self.opaque else np.concatenate([color * alpha, alpha, color], 2)

    def covered(self, planes: np.ndarray) -> np.ndarray:
        """Planes of `rendered` as a map that is not opaque has them."""
        if not self.opaque or not self.has_alpha:
            return planes
        return np.concatenate([planes, np.ones_like(planes[..., :1]), planes], 2)

    def restored(self, planes: np.ndarray) -> np.ndarray:
        """An image of the given kind from averaged planes of `rendered`; whole numbers are rounded once."""
        if self.role in NORMALS:
            pixels = self._encoded(planes)
        elif self.opaque:
            pixels = np.concatenate([planes, np.ones_like(planes[..., :1])], 2) if self.has_alpha else planes
        else:
            c = self.channels - 1
            premultiplied, alpha, straight = planes[..., :c], planes[..., c : c + 1], planes[..., c + 1 :]
            color = (alpha * premultiplied + FAINT**2 * straight) / (alpha**2 + FAINT**2)
            pixels = np.concatenate([color, np.rint(alpha) if self._cut_out else alpha], 2)
        if self.role == "alpha" and self._cut_out:
            pixels = np.rint(pixels)
        if self.lit:
            shown = self.channels - self.has_alpha
            pixels = np.concatenate([pixels[..., :shown] ** 3, pixels[..., shown:]], 2)
        return self.stored(pixels)

    def stored(self, pixels: np.ndarray) -> np.ndarray:
        """An image of the given kind from `pixels` of any size; whole numbers are rounded."""
        if self.image.dtype.kind == "u":
            pixels = np.rint(pixels.clip(0, 1) * np.iinfo(self.image.dtype).max)
        return pixels.astype(self.image.dtype).reshape(*pixels.shape[:2], *self.image.shape[2:])

    def pictured(self, planes: np.ndarray) -> np.ndarray:
        """A quick look at planes of `compared`: uint8 (H, W, 3), as a screen shows them."""
        if self.role in NORMALS:
            z = np.sqrt(np.maximum(0, 1 - (planes**2).sum(2, keepdims=True)))
            color = (np.concatenate([planes, z], 2) + 1) / 2
        else:
            color = planes if self.opaque else planes[..., :-1] / np.maximum(planes[..., -1:], FAINT)
            if self.lit:
                color = displayed(np.sign(color) * np.expm1(np.abs(color)) * self._brightness)
        color = np.broadcast_to(color[..., : 3 if color.shape[2] > 2 else 1], (*color.shape[:2], 3))
        return np.rint(255 * color.clip(0, 1)).astype(np.uint8)

    def vectors(self) -> np.ndarray:
        """The first three channels of a normal map, or two, from -1 to 1."""
        return self._vectors(self.pixels)

    def encoded(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors as this map holds them."""
        return vectors if self._signed else (vectors + 1) / 2

    def ids(self) -> tuple[np.ndarray, np.ndarray]:
        """The different values (K, C), and the number (H, W) of that which each pixel has."""
        values = np.ascontiguousarray(self.image.reshape(-1, self.channels))
        if values.dtype.kind == "u":  # up to 4 x 16 bits are one number, which is found many times as fast
            whole = np.zeros(len(values), np.uint64)
            for channel in values.T:
                whole = whole << np.uint64(8 * values.itemsize) | channel
        else:
            whole = values.view([("", values.dtype)] * self.channels)[:, 0]
        _, first, numbers = np.unique(whole, return_index=True, return_inverse=True)
        return values[first], numbers.reshape(self.size).astype(np.int32)

    def warning(self) -> str | None:
        """What is odd about the map, in words."""
        if self.role not in NORMALS or self.channels < 3:
            return None
        vectors = self._vectors(self.pixels)
        lengths, away = np.linalg.norm(vectors, axis=2), float((vectors[..., 2] < BEHIND).mean())
        mean, off = float(lengths.mean()), float(np.sqrt(((lengths - 1) ** 2).mean()))
        if abs(mean - 1) > NOT_UNIT:
            return f"its vectors are {mean:.2f} long on average, not 1: is it a normal map?"
        if away > FEW:
            return f"{away:.0%} of its vectors point into the surface: is it a normal map?"
        if off > UNEVEN:
            return f"its vectors' lengths are {off:.2f} off 1, root mean square: is it a normal map?"
        return None

    @property
    def planes(self) -> int:
        """How many planes are compared."""
        if self.role in NORMALS:
            return 2
        return (1 if self._grey else self.channels - self.has_alpha) + (not self.opaque)

    @cached_property
    def _grey(self) -> bool:
        """Whether three channels of colour tell no more than one."""
        color, _ = self._split(self.image.reshape(*self.size, -1))
        return color.shape[2] == 3 and bool((color == color[..., :1]).all())

    @cached_property
    def _cut_out(self) -> bool:
        """Whether every pixel is covered wholly or not at all: of such a map no edge is soft, nor is a result's."""
        cover = self.image if self.role == "alpha" else self.image[..., -1]
        full = np.iinfo(cover.dtype).max if cover.dtype.kind == "u" else 1
        return bool(((cover == 0) | (cover == full)).all())

    @property
    def lit(self) -> bool:
        """Whether it is colour in light's own units: of a map without light, linear says nothing."""
        return self.linear and self.role in ("color", "emission")

    @cached_property
    def _brightness(self) -> float:
        """Mean of linear colour."""
        return max(float(np.abs(self._split(self.pixels)[0]).mean()), 1e-9)

    @cached_property
    def _signed(self) -> bool:
        """Whether a float normal map holds -1 to 1, not 0 to 1: it has negative values, or is of length 1 only so."""
        if self.image.dtype.kind == "u" or self.channels < 3:
            return self.image.dtype.kind == "f" and bool((self.image < -0.01).any())
        v = self.image[..., :3].astype(np.float32)
        off = [abs(float(np.linalg.norm(u, axis=2).mean()) - 1) for u in (v, 2 * v - 1)]
        return bool((v < -0.01).any()) or (off[0] < NOT_UNIT < off[1])

    def _vectors(self, pixels: np.ndarray) -> np.ndarray:
        return pixels[..., :3] if self._signed else 2 * pixels[..., :3] - 1

    def _encoded(self, planes: np.ndarray) -> np.ndarray:
        vectors, rest = planes[..., :3], planes[..., 3:]
        if vectors.shape[2] == 3:
            vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=2, keepdims=True), 1e-6)
        return np.concatenate([self.encoded(vectors), rest], 2)

    def _split(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (pixels[..., :-1], pixels[..., -1:]) if self.has_alpha else (pixels, pixels[..., :0])


Given = np.ndarray | Map | Mapping[str, np.ndarray | Map]
"""What a material may be given as: an image of colour, or maps by name; of arrays the names tell the roles."""


@dataclass(frozen=True)
class MapSet:
    """Maps of one material by name. Sizes may differ, proportions not. The first of colour, or the first, leads."""

    maps: dict[str, Map]

    @classmethod
    def of(cls, given: Given) -> MapSet:
        """Raises InputError, with the map's name in front, for what is no map or does not go with the others."""
        if not isinstance(given, Mapping):
            given = {"": given}
        maps: dict[str, Map] = {}
        for name, one in given.items():
            if not isinstance(name, str):
                raise InputError(f"{name!r}: is no name; maps are given by names, which are texts")
            try:
                if not isinstance(one, Map):
                    one = Map(one, guessed(name, among=True) or ("other" if name else "color"))
                maps[name] = one.checked()
            except InputError as error:
                raise InputError(f"{name}: {error}" if name else str(error)) from None
        if not maps:
            raise InputError("no map was given: one image at least is wanted")
        made = cls(maps)
        roles = [one.role for one in maps.values()]
        for role in set(roles) - {"other"}:
            if roles.count(role) > 1:
                names = " and ".join(name for name, one in maps.items() if one.role == role)
                raise InputError(f"{names}: are both of role {role}; give one of them another")
        height, width = made.lead.size
        for name, one in maps.items():
            h, w = one.size
            if not same_proportion(one.size, made.lead.size):
                first = next(n for n, m in maps.items() if m is made.lead)
                raise InputError(
                    f"{name}: is {w}x{h} px, {first} {width}x{height}: the maps of a material must have one proportion;"
                    " resize it or leave it out"
                )
        return made

    @property
    def lead(self) -> Map:
        """The map in whose pixels sizes are told."""
        maps = list(self.maps.values())
        return next((one for one in maps if one.role == "color"), maps[0])

    @property
    def reduction(self) -> int:
        """How many pixels of the leading map are one, on each axis, at the work size: 1, 2, 4 ..."""
        by = 1
        while max(self.lead.size) > WORK * by:
            by *= 2
        return by

    def worked(self, size: tuple[int, int], by: int | None = None) -> tuple[int, int]:
        """A size in the leading map's pixels, at the work size; by: in the place of the set's own reduction."""
        by = by or self.reduction
        return -(-size[0] // by), -(-size[1] // by)

    def weight(self, one: Map) -> float:
        """How much a map counts where patches are compared: its own weight, or its role's.

        Of normals that are there twice, as OpenGL and DirectX have them, the second only follow, unless they lead.
        """
        if one.weight is not None:
            return one.weight
        told = [other for other in self.maps.values() if other.role == "normal" and other.weight != 0]
        return 0 if told and one.role == "normal_dx" and one is not self.lead else ROLES[one.role]

    def compared(self, by: int | None = None) -> np.ndarray:
        """The planes of all maps that weigh something, at the work size, see `worked`: float32 (H, W, C)."""
        *_, planes = self.comparing(by)
        return planes

    def comparing(self, by: int | None = None) -> Iterator[np.ndarray]:
        """The planes of `compared` as they are made: the same array after each portion, whole with the last.

        Raises InputError where no map weighs anything.
        """
        size, lead = self.worked(self.lead.size, by), self.lead
        others = [one for one in self.maps.values() if one is not lead and self.weight(one)]
        counts = self.weight(lead) > 0
        if not counts and not others:
            raise InputError("every weight is 0: nothing is left to compare")
        planes = np.empty((*size, counts * lead.planes + sum(one.planes for one in others)), np.float32)
        first, unit = 0, 1.0
        for one in (lead, *others):
            own = np.empty((*size, one.planes), np.float32)
            if one is not lead or counts:
                own, first = planes[..., first : first + one.planes], first + one.planes
            for rows, part in one.resized(size):
                own[rows] = part
                yield planes
            if not others:
                return
            spread = _spread(own)
            if one is lead:
                unit = spread / (self.weight(lead) or 1)
            else:
                own *= np.float32(self.weight(one) * unit / spread)
            yield planes

    def pictured(self, planes: np.ndarray) -> np.ndarray | None:
        """A quick look at planes of `compared`: the leading map's, uint8 (H, W, 3). None where that weighs nothing."""
        if not self.weight(self.lead):
            return None
        return self.lead.pictured(planes[..., : self.lead.planes])

    def warnings(self) -> dict[str, str]:
        """What is odd about maps, by name."""
        return {name: words for name, one in self.maps.items() if (words := one.warning())}


def same_proportion(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes (height, width) have one proportion, but for a pixel of either."""
    return abs(size[0] * other[1] - size[1] * other[0]) <= max(*size, *other)


def displayed(linear: np.ndarray) -> np.ndarray:
    """Linear light, 0 to 1, as sRGB encodes it (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


def resized(planes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Planes (H, W, C) at another size: the mean of what falls into a pixel, or linear between pixels."""
    for m in size:
        n = len(planes)
        if m < n:
            starts, parts = np.divmod(np.arange(m) * n, m)
            sums = np.add.reduceat(planes, starts, 0)
            if parts.any():  # a pixel that two share
                shared = (parts / m).astype(np.float32)[:, None, None] * planes[starts]
                sums -= shared
                sums[:-1] += shared[1:]
            planes = sums / np.float32(n / m)
        elif m > n:
            at = ((np.arange(m) + 0.5) * n / m - 0.5).clip(0, n - 1)
            i = np.minimum(at.astype(int), max(0, n - 2))
            t = (at - i)[:, None, None].astype(np.float32)
            planes = planes[i] * (1 - t) + planes[np.minimum(i + 1, n - 1)] * t
        planes = planes.swapaxes(0, 1)
    return np.ascontiguousarray(planes)


def _spread(planes: np.ndarray) -> float:
    return max(float(np.sqrt(pyramid.variance(planes).sum())), SPREAD)


def _described(image: object) -> str:
    return f"an array of shape {image.shape}" if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
