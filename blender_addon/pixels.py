"""Blender images <-> maps, bit for bit: values as the file has them, top row first.

Image.pixels is float32 RGBA, bottom row first. Of 8-bit images it is byte / 255, encoded, with straight alpha. Of
others it is what Blender makes of the file: linear and premultiplied, so that 16 bits cannot be told from it; a copy
that is called Non-Color data shows the file's own values. Where there is no file, or it is behind what was painted,
the values are taken as they stand.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from .otsynth_core.maps import Map
from .otsynth_core.spec import InputError

_WITHOUT_PIXELS = {
    "MOVIE": "a movie",
    "SEQUENCE": "an image sequence",
    "VIEWER": "a render result or viewer",
    "TILED": "a UDIM set",
}
_WHOLE = ("PNG", "TIFF", "JPEG2000", "DPX", "CINEON")
"""Formats of files that may hold 16-bit numbers."""
_DIRECT = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's colour type of so many channels."""


@dataclass(frozen=True)
class Picture:
    """An image's values as a map, and what a new image must be called so that such values mean the same in it."""

    map: Map
    space: str
    alpha_mode: str

    @property
    def ending(self) -> str:
        """Of the files that hold its like."""
        return ".exr" if self.map.image.dtype.kind == "f" else ".png"


def read(image: bpy.types.Image, role: str) -> Picture:
    """The values of an image: uint8, uint16 or float32 (H, W, 1 to 4), without alpha that is 1 everywhere.

    Raises InputError for an image that has none.
    """
    kind = _WITHOUT_PIXELS.get(image.source)
    if kind:
        raise InputError(f'Image "{image.name}" is {kind}: choose a single image')
    width, height = image.size  # loads the file if that has not happened yet
    if not image.has_data or not width or not height:
        raise InputError(f'Image "{image.name}" has no pixels: {_why(image)}')
    space, mode = image.colorspace_settings.name, image.alpha_mode
    if not image.is_float:
        values = _values(image)
        values *= 255
        pixels = np.rint(values, out=values).astype(np.uint8)
        # What Blender holds is straight: a file that is called premultiplied would be divided by its alpha again.
        mode = "STRAIGHT" if mode == "PREMUL" else mode
        associated = mode != "STRAIGHT"
    elif image.source == "GENERATED" or image.is_dirty:
        pixels, associated = _values(image), True
        space = space if image.colorspace_settings.is_data else "Linear Rec.709"
        mode = mode if mode in ("CHANNEL_PACKED", "NONE") else "PREMUL"
    else:
        pixels = _stored(image)
        associated = mode != "STRAIGHT"
    if (pixels[..., 3] == (np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1)).all():
        pixels = pixels[..., :3]
    if (pixels[..., :3] == pixels[..., :1]).all() and role != "normal":
        pixels = pixels[..., [0, 3][: pixels.shape[2] - 2]]
    linear = pixels.dtype.kind == "f"
    return Picture(Map(np.ascontiguousarray(pixels), role, linear, associated), space, mode)


def _values(image: bpy.types.Image) -> np.ndarray:
    """Image.pixels, float32 (H, W, 4), top row first."""
    width, height = image.size
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(height, width, 4)[::-1]


def _stored(image: bpy.types.Image) -> np.ndarray:
    """The values in the file of an image that Blender holds as floats: uint16 where they are of 16 bits."""
    twin = image.copy()
    try:
        twin.colorspace_settings.name = "Non-Color"
        values = _values(twin)
    finally:
        bpy.data.images.remove(twin)
    if image.file_format in _WHOLE and values.min() >= 0 and values.max() <= 1:
        whole = np.rint(values * np.float32(65535))
        if np.abs(values * np.float32(65535) - whole).max() < 0.02:
            return whole.astype(np.uint16)
    return values


def _why(image: bpy.types.Image) -> str:
    if image.source == "GENERATED" or image.packed_file:
        return "it is empty or broken"
    path = Path(bpy.path.abspath(image.filepath, library=image.library))
    return f"{path} is broken or not an image" if path.is_file() else f"there is no file {path}; find it first"


def beside(image: bpy.types.Image, suffix: str, ending: str) -> Path:
    """A free name for a file next to the image's. Raises InputError if it has none or the folder is read-only."""
    path = Path(bpy.path.abspath(image.filepath, library=image.library))
    if not image.filepath or image.packed_file or not path.is_file():
        raise InputError(f'Image "{image.name}" is not in a file of its own: store the result in the blend file')
    numbers = ["", *(f"_{n}" for n in range(2, 1000))]
    names = (path.with_name(f"{path.stem}{suffix}{number}{ending}") for number in numbers)
    free = next((name for name in names if not name.exists()), None)
    if free is None:
        raise InputError(f"{path.parent}: has too many results of {path.name}; move some of them away")
    try:
        free.touch()
        free.unlink()
    except OSError as error:
        raise InputError(f"{free}: cannot be written ({error.strerror}); store the result in the blend file") from None
    return free


def create(name: str, pixels: np.ndarray, like: Picture, source: bpy.types.Image, path: Path | None) -> bpy.types.Image:
    """A new image with these values, called what those of `like` are, packed or in a file at `path`.

    It is written whole before this returns, so that undo and redo keep it.
    """
    height, width = pixels.shape[:2]
    whole = pixels.dtype.kind == "u"
    image = bpy.data.images.new(name, *((1, 1) if whole else (width, height)), alpha=True, float_buffer=not whole)
    try:
        if whole:
            _fill_whole(image, pixels, path)
        else:
            _fill_float(image, pixels, path)
        if path is not None and source.filepath.startswith("//") and source.library is None:
            image.filepath_raw = bpy.path.relpath(str(path))
        image.colorspace_settings.name = like.space
        image.alpha_mode = like.alpha_mode
        if tuple(image.size) != (width, height):
            raise MemoryError(f"Blender could not make an image of {width}x{height} px")
    except BaseException:
        bpy.data.images.remove(image)
        if path is not None:
            path.unlink(missing_ok=True)
        raise
    return image


def _fill_whole(image: bpy.types.Image, pixels: np.ndarray, path: Path | None) -> None:
    data = encoded(pixels)
    if path is None:
        image.pack(data=data, data_len=len(data))
    else:
        path.write_bytes(data)
        image.filepath = str(path)
    image.source = "FILE"


def _fill_float(image: bpy.types.Image, pixels: np.ndarray, path: Path | None) -> None:
    """Blender itself writes OpenEXR; as Non-Color data it leaves the values alone."""
    height, width, channels = pixels.shape
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = pixels[::-1, :, : 3 if channels > 2 else 1]
    if channels in (2, 4):
        rgba[..., 3] = pixels[::-1, :, -1]
    image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set(rgba.ravel())
    image.update()
    if path is None:
        image.pack()
    else:
        image.file_format = "OPEN_EXR"
        image.filepath_raw = str(path)
        image.save()


def encoded(pixels: np.ndarray) -> bytes:
    """A PNG file of uint8 or uint16 (H, W, 1 to 4): Blender's own writer has no 16 bits that come back the same."""
    height, width, channels = pixels.shape
    depth = pixels.dtype.itemsize
    rows = np.frombuffer(pixels.astype(pixels.dtype.newbyteorder(">")).tobytes(), np.uint8).reshape(height, -1)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 2  # each byte less that above it
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    head = struct.pack(">IIBBBBB", width, height, 8 * depth, _DIRECT[channels], 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(filtered.tobytes(), 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
