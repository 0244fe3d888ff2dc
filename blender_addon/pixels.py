"""Blender images <-> maps, bit for bit: values as the file has them, top row first.

Image.pixels is float32 RGBA, bottom row first. Of 8-bit images it is byte / 255, encoded, with straight alpha. Of
others it is what Blender makes of the file: linear and premultiplied, so that 16 bits cannot be told from it; a copy
that is called Non-Color data shows the file's own values. Where there is no file, or it is behind what was painted,
the values are taken as they stand.
"""

from __future__ import annotations

import re
import struct
import tempfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np

from .otsynth_core.maps import Map
from .otsynth_core.roles import NORMALS
from .otsynth_core.spec import InputError

_WITHOUT_PIXELS = {
    "MOVIE": "a movie",
    "SEQUENCE": "an image sequence",
    "VIEWER": "a render result or viewer",
}
_WHOLE = ("PNG", "TIFF", "JPEG2000", "DPX", "CINEON")
"""Formats of files that may hold 16-bit numbers."""
_DIRECT = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's colour type of so many channels."""


@dataclass(frozen=True)
class Picture:
    """An image's values as a map, and what a new image must be called so that such values mean the same in it.

    relative: whether the path of its file is told from the blend file's.
    """

    map: Map
    space: str
    alpha_mode: str
    relative: bool

    @property
    def ending(self) -> str:
        """Of the files that hold its like."""
        return ".exr" if self.map.image.dtype.kind == "f" else ".png"


def numbers(image: bpy.types.Image) -> list[int]:
    """Of the tiles of a UDIM set; none of any other image."""
    return [tile.number for tile in image.tiles] if image.source == "TILED" else []


def read(image: bpy.types.Image, role: str, number: int | None = None) -> Picture:
    """The values of an image: uint8, uint16 or float32 (H, W, 1 to 4), without alpha that is 1 everywhere.

    number: of the tile that is read of a UDIM set. Raises InputError for an image that has none.
    """
    if number is not None:
        tile = _tile(image, number)
        try:
            return replace(read(tile, role), relative=image.filepath.startswith("//") and image.library is None)
        finally:
            bpy.data.images.remove(tile)
    kind = _WITHOUT_PIXELS.get(image.source)
    if kind:
        raise InputError(f'Image "{image.name}" is {kind}: choose a single image')
    width, height = image.size  # loads the file if that has not happened yet
    if image.type == "MULTILAYER":
        raise InputError(f'Image "{image.name}" is a multi-layer EXR: save one layer as an image of its own')
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
        space = space if image.colorspace_settings.is_data else _working_space()
        mode = mode if mode in ("CHANNEL_PACKED", "NONE") else "PREMUL"
    else:
        pixels = _stored(image)
        associated = mode != "STRAIGHT"
    if (pixels[..., 3] == (np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1)).all():
        pixels = pixels[..., :3]
    if (pixels[..., :3] == pixels[..., :1]).all() and role not in NORMALS:
        pixels = pixels[..., [0, 3][: pixels.shape[2] - 2]]
    linear = pixels.dtype.kind == "f"
    relative = image.filepath.startswith("//") and image.library is None
    return Picture(Map(np.ascontiguousarray(pixels), role, linear, associated), space, mode, relative)


def _working_space() -> str:
    """What the pixels of a float image are in once Blender has them; up to 4.5 it is always the same."""
    return bpy.data.colorspace.working_space if hasattr(bpy.data, "colorspace") else "Linear Rec.709"


def _tile(image: bpy.types.Image, number: int) -> bpy.types.Image:
    """A tile of a UDIM set as an image of its own: Image.pixels is the first one's, whichever is active."""
    check(image, number)
    packed = _packed(image, number)
    tile = bpy.data.images.new(f"{image.name} {number}", 1, 1, alpha=True)
    try:
        if packed is not None:
            tile.pack(data=packed.data, data_len=packed.size)
        else:
            tile.filepath = str(_file(image, number))
        tile.source = "FILE"
        tile.colorspace_settings.name = image.colorspace_settings.name
        tile.alpha_mode = image.alpha_mode
    except BaseException:
        bpy.data.images.remove(tile)
        raise
    return tile


def check(image: bpy.types.Image, number: int) -> None:
    """Raises InputError where a tile of a UDIM set cannot be read."""
    if image.is_dirty:
        raise InputError(f'Image "{image.name}" has tiles that were painted and not saved: save or pack it first')
    path = _file(image, number)
    if _packed(image, number) is None and not path.is_file():
        raise InputError(f'Image "{image.name}" has no tile {number}: there is no file {path}; find it first')


def _packed(image: bpy.types.Image, number: int) -> bpy.types.PackedFile | None:
    return next((one.packed_file for one in image.packed_files if one.tile_number == number), None)


def _file(image: bpy.types.Image, number: int) -> Path:
    return Path(_numbered(bpy.path.abspath(image.filepath, library=image.library), number))


def _numbered(path: str, number: int) -> str:
    """The file of a UDIM set's tile."""
    u, v = (number - 1001) % 10 + 1, (number - 1001) // 10 + 1
    return path.replace("<UDIM>", str(number)).replace("<UVTILE>", f"u{u}_v{v}")


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
        if tuple(twin.size) != tuple(image.size):  # it is read anew, and may be gone
            raise InputError(f'Image "{image.name}" can not be read exactly any more: {_why(image)}')
        values = _values(twin)
    finally:
        bpy.data.images.remove(twin)
    if image.file_format in _WHOLE and values.min() >= 0 and values.max() <= 1:
        whole = np.empty(values.shape, np.uint16)
        for row, given in enumerate(values):
            scaled = given * np.float32(65535)
            whole[row] = np.rint(scaled)
            if np.abs(scaled - whole[row]).max() > 0.02:
                return values
        return whole
    return values


def _why(image: bpy.types.Image) -> str:
    if image.source == "GENERATED" or image.packed_file:
        return "it is empty or broken"
    if not image.filepath:
        return "it names no file; choose one"
    path = Path(bpy.path.abspath(image.filepath, library=image.library))
    return f"{path} is broken or not an image" if path.is_file() else f"there is no file {path}; find it first"


def stem(image: bpy.types.Image) -> str:
    """An image's name without the ending of an image file and the number of a tile; other dots belong to the name.

    And without the number that Blender puts behind the ending of a second one.
    """
    whole = re.sub(r"\.\d{3}$", "", image.name)
    name, dot, ending = whole.rpartition(".")
    if dot + ending.lower() not in bpy.path.extensions_image:
        name = image.name
    return re.sub(r"[._](<UDIM>|<UVTILE>|[12]\d{3})$", "", name) if image.source == "TILED" else name


@dataclass(frozen=True)
class Beside:
    """Files next to a source's: what their names begin with, their ending, numbers of the tiles that they are of."""

    stem: Path
    ending: str
    tiles: tuple[int, ...]

    def free(self) -> Path:
        """A path where nothing is yet, with <UDIM> for a tile's number. Raises InputError where none can be had."""
        ending = (".<UDIM>" if self.tiles else "") + self.ending
        names = (Path(f"{self.stem}{n}{ending}") for n in ["", *(f"_{n}" for n in range(2, 1000))])
        free = self.stem
        try:
            found = next((one for one in names if not any(file.exists() for file in self.files(one))), None)
            if found is None:
                raise InputError(f"{self.stem.parent}: has too many files {self.stem.name}; move some of them away")
            free = found
            for file in self.files(free):
                file.touch()
                file.unlink()
        except OSError as error:
            words = f"{free}: cannot be written ({error.strerror}); store the result in the blend file"
            raise InputError(words) from None
        return free

    def files(self, path: Path) -> list[Path]:
        """Those that a path with <UDIM> stands for."""
        return [Path(_numbered(str(path), number)) for number in self.tiles] or [path]

    def remove(self, path: Path) -> None:
        """Takes back what was written at a free path."""
        for file in self.files(path):
            file.unlink(missing_ok=True)


def beside(image: bpy.types.Image, suffix: str, ending: str) -> Beside:
    """Files next to the image's, the suffix behind its name. Raises InputError where none can be written."""
    tiles = numbers(image)
    path = Path(_numbered(bpy.path.abspath(image.filepath, library=image.library), tiles[0] if tiles else 0))
    if not image.filepath or image.packed_file or not path.is_file():
        raise InputError(f'Image "{image.name}" is not in a file of its own: store the result in the blend file')
    name = re.sub(rf"[._]?{tiles[0]}$", "", path.stem) if tiles else path.stem
    found = Beside(path.with_name(name + suffix), ending, tuple(tiles))
    found.free()
    return found


@dataclass(frozen=True)
class Ready:
    """Values as Blender takes them, made where nobody waits: a PNG file, or float32 RGBA, flat, bottom row first."""

    size: tuple[int, int]
    data: bytes | np.ndarray

    @classmethod
    def of(cls, pixels: np.ndarray, ending: str) -> Ready:
        """pixels: (H, W, 1 to 4); where a file of floats is wanted, whole numbers become shares of their largest."""
        height, width, channels = pixels.shape
        if pixels.dtype.kind == "u" and ending == ".png":
            return cls((width, height), encoded(pixels))
        if pixels.dtype.kind == "u":
            pixels = pixels / np.float32(np.iinfo(pixels.dtype).max)
        rgba = np.ones((height, width, 4), np.float32)
        rgba[..., :3] = pixels[::-1, :, : 3 if channels > 2 else 1]
        if channels in (2, 4):
            rgba[..., 3] = pixels[::-1, :, -1]
        return cls((width, height), rgba.ravel())


def create(name: str, values: dict[int | None, Ready], like: Picture, path: Path | None) -> bpy.types.Image:
    """A new image called what `like` is, packed or in a file at `path`; values: of tiles by number, or of None.

    It is written whole before this returns, so that undo and redo keep it. Of a packed one nothing is left if it fails.
    """
    tiles = {number: ready for number, ready in values.items() if number is not None}
    return _tiled(name, tiles, like, path) if tiles else _single(name, values[None], like, path)


def _tiled(name: str, tiles: dict[int, Ready], like: Picture, path: Path | None) -> bpy.types.Image:
    with tempfile.TemporaryDirectory(prefix="otsynth-", dir=bpy.app.tempdir) as folder:
        where = path or Path(folder) / f"tile.<UDIM>{like.ending}"  # a name may be longer than a file's
        files = [Path(_numbered(str(where), number)) for number in tiles]
        for file, ready in zip(files, tiles.values(), strict=True):
            bpy.data.images.remove(_single(name, ready, like, file))
        image = bpy.data.images.load(str(files[0]))
        try:
            image.name, image.source = name, "TILED"
            image.filepath = str(where) if path is None else _shown(where, like)
            for number in tiles:
                if number not in numbers(image):
                    image.tiles.new(number)
            if path is None:
                image.pack()
            image.colorspace_settings.name, image.alpha_mode = like.space, like.alpha_mode
        except BaseException:
            bpy.data.images.remove(image)
            raise
    return image


def _shown(path: Path, like: Picture) -> str:
    """A path as the source's is: relative to the blend file or not."""
    return bpy.path.relpath(str(path)) if like.relative else str(path)


def _single(name: str, ready: Ready, like: Picture, path: Path | None) -> bpy.types.Image:
    whole = isinstance(ready.data, bytes)
    image = bpy.data.images.new(name, *((1, 1) if whole else ready.size), alpha=True, float_buffer=not whole)
    try:
        if isinstance(ready.data, bytes):
            _fill_whole(image, ready.data, path)
        else:
            _fill_float(image, ready.data, path)
        if path is not None:
            image.filepath_raw = _shown(path, like)
        image.colorspace_settings.name = like.space
        image.alpha_mode = like.alpha_mode
        if tuple(image.size) != ready.size:
            raise MemoryError(f"Blender could not make an image of {ready.size[0]}x{ready.size[1]} px")
    except BaseException:
        bpy.data.images.remove(image)
        raise
    return image


def _fill_whole(image: bpy.types.Image, data: bytes, path: Path | None) -> None:
    if path is None:
        image.pack(data=data, data_len=len(data))
    else:
        path.write_bytes(data)
        image.filepath = str(path)
    image.source = "FILE"


def _fill_float(image: bpy.types.Image, rgba: np.ndarray, path: Path | None) -> None:
    """Blender itself writes OpenEXR; as Non-Color data it leaves the values alone."""
    image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set(rgba)
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
