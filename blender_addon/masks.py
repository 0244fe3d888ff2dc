"""What is to be filled, as the user shows it: a white mask, paint on a copy of the texture, or its own transparency."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import bpy
import numpy as np

from . import pixels
from .nodes import PAINTED, Source
from .otsynth_core.maps import displayed
from .otsynth_core.spec import InputError

TILE, CLEAN = "otsynth_tile", "otsynth_clean"
"""Custom properties of a copy that is painted on: of which tile of the image it is, 0 if that has none, and a checksum
of what the copy was before."""


def transparent(sources: list[Source], read: list[pixels.Picture]) -> np.ndarray:
    """How transparent an image is, the colour's before others that have alpha: (H, W), white where it is wholly.

    Black where none has alpha.
    """
    for _, picture in sorted(zip(sources, read, strict=True), key=lambda pair: pair[0].role != "color"):
        values = picture.map.image
        if picture.map.channels in (2, 4):
            full = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1
            return full - values[..., -1]
    return np.zeros(read[0].map.size, np.uint8)


def check(names: Iterable[str], numbers: Sequence[int | None]) -> None:
    """Raises InputError, before anything is read, where a mask among images of these names is not of these tiles."""
    for name in names:
        image = bpy.data.images.get(name) if name else None
        for number in numbers if image is not None else ():
            _check_tile(image, number)


def _check_tile(image: bpy.types.Image, number: int | None) -> None:
    if PAINTED in image and (number or 0) != image[TILE]:
        raise InputError(
            f'Mask "{image.name}" is of tile {image[TILE]}, not {number}: fill the active tile, or press Paint Mask'
        )
    tiles = pixels.numbers(image)
    if number is not None and tiles and number not in tiles:
        raise InputError(f'Mask "{image.name}" has no tile {number}: add it, or choose an image without tiles')


def read(name: str, sources: list[Source], pictures: list[pixels.Picture], number: int | None) -> np.ndarray:
    """The mask of an image by name: (H, W, 1 to 4), white is filled; of a copy that was painted on, where it was.

    number: of the UDIM tile that the pictures are of. Raises InputError where there is no such image, or it is none of
    a mask for these.
    """
    image = bpy.data.images.get(name) if name else None
    if image is None:
        what = f'There is no image "{name}"' if name else "No mask is chosen"
        raise InputError(f"{what}: choose an image that is white where to fill, or press Paint Mask")
    _check_tile(image, number)
    if PAINTED not in image:
        tile = None if image.source != "TILED" else number or image.tiles.active.number
        return pixels.read(image, "other", tile).map.uncovered
    original = image[PAINTED]  # nothing, once that image is gone
    of = next((i for i, source in enumerate(sources) if source.image == original), None)
    if of is None:
        owner = f'"{original.name}"' if isinstance(original, bpy.types.Image) else "an image that is gone"
        raise InputError(f'Mask "{name}" was painted on a copy of {owner}: press Paint Mask for this image')
    shown, now = copied(pictures[of]), _bytes(image)
    if now.shape != shown.shape or _checksum(shown) != image[CLEAN]:
        changed = f'"{sources[of].image.name}" has changed since mask "{name}" was made of it'
        raise InputError(f"{changed}: press Paint Mask again")
    return (now != shown).any(2)


def create(source: Source) -> bpy.types.Image:
    """A copy of an image to be painted on, packed."""
    number = source.image.tiles.active.number if source.image.source == "TILED" else None
    shown = copied(pixels.read(source.image, source.role, number))
    height, width = shown.shape[:2]
    image = bpy.data.images.new(pixels.stem(source.image) + "_mask", width, height, alpha=False)
    data = pixels.encoded(shown[..., :3])
    image.pack(data=data, data_len=len(data))
    image.source = "FILE"
    image[PAINTED], image[TILE], image[CLEAN] = source.image, number or 0, _checksum(shown)
    image.use_fake_user = True
    return image


def copied(picture: pixels.Picture) -> np.ndarray:
    """uint8 (H, W, 4): what a copy shows before it is painted on; light as the screen shows it.

    Nothing is quite white or black: paint that is shows on it, were it a highlight that is painted over.
    """
    values = picture.map.pixels[..., : 3 if picture.map.channels > 2 else 1].clip(0, 1)
    if picture.map.linear:
        values = displayed(values)
    whole = np.rint(255 * np.broadcast_to(values, (*values.shape[:2], 3))).clip(1, 254).astype(np.uint8)
    return np.concatenate([whole, np.full_like(whole[..., :1], 255)], 2)


def show(context: bpy.types.Context, image: bpy.types.Image) -> bool:
    """Opens an image for painting in the Image Editor that is there. False where none is."""
    spaces = [context.space_data] if context.space_data is not None else []
    if context.window is not None:
        spaces += [area.spaces.active for area in context.window.screen.areas]
    for space in spaces:
        if space.type == "IMAGE_EDITOR":
            space.image = image
            space.ui_mode = "PAINT"
            return True
    return False


def _checksum(shown: np.ndarray) -> str:
    return f"{zlib.crc32(shown.tobytes()):08x}"


def _bytes(image: bpy.types.Image) -> np.ndarray:
    """uint8 (H, W, 4), top row first."""
    width, height = image.size
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    return np.rint(255 * values).astype(np.uint8).reshape(height, width, 4)[::-1]
