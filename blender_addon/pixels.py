"""Blender images <-> arrays, bit for bit. Arrays are uint8 (H, W, C), top row first, straight alpha.

Image.pixels is float32 RGBA, bottom row first; for 8-bit images it is byte / 255, encoded, with straight alpha.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from .otsynth_core.spec import InputError

_WITHOUT_PIXELS = {
    "MOVIE": "a movie",
    "SEQUENCE": "an image sequence",
    "VIEWER": "a render result or viewer",
    "TILED": "a UDIM set",
}


def read(image: bpy.types.Image) -> np.ndarray:
    """The pixels of an 8-bit image; without alpha if that is 1 everywhere. Raises InputError for any other image."""
    kind = _WITHOUT_PIXELS.get(image.source)
    if kind:
        raise InputError(f'Image "{image.name}" is {kind}: choose a single image')
    width, height = image.size  # loads the file if that has not happened yet
    if not image.has_data or not width or not height:
        raise InputError(f'Image "{image.name}" has no pixels: {_why(image)}')
    if image.is_float:
        raise InputError(f'Image "{image.name}" has 16-bit or float pixels: convert it to 8 bits a channel')
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    values *= 255
    rgba = np.rint(values, out=values).astype(np.uint8).reshape(height, width, 4)[::-1]
    opaque = image.alpha_mode == "NONE" or (rgba[..., 3] == 255).all()
    return np.ascontiguousarray(rgba[..., :3] if opaque else rgba)


def _why(image: bpy.types.Image) -> str:
    if image.source == "GENERATED" or image.packed_file:
        return "it is empty or broken"
    path = Path(bpy.path.abspath(image.filepath, library=image.library))
    return f"{path} is broken or not an image" if path.is_file() else f"there is no file {path}; find it first"


def beside(image: bpy.types.Image, suffix: str) -> Path:
    """A free name for a PNG next to the image's file. Raises InputError if it has none or the folder is read-only."""
    path = Path(bpy.path.abspath(image.filepath, library=image.library))
    if not image.filepath or image.packed_file or not path.is_file():
        raise InputError(f'Image "{image.name}" is not in a file of its own: store the result in the blend file')
    names = (path.with_name(f"{path.stem}{suffix}{number}.png") for number in ["", *(f"_{n}" for n in range(2, 1000))])
    free = next((name for name in names if not name.exists()), None)
    if free is None:
        raise InputError(f"{path.parent}: has too many results of {path.name}; move some of them away")
    try:
        free.touch()
        free.unlink()
    except OSError as error:
        raise InputError(f"{free}: cannot be written ({error.strerror}); store the result in the blend file") from None
    return free


def _alike(image: bpy.types.Image, like: bpy.types.Image) -> None:
    if image.colorspace_settings.name != like.colorspace_settings.name:
        image.colorspace_settings.name = like.colorspace_settings.name
    # Our pixels are straight: an 8-bit file that is called premultiplied would be divided by alpha when it is read.
    image.alpha_mode = "STRAIGHT" if like.alpha_mode == "PREMUL" else like.alpha_mode


def create(name: str, pixels: np.ndarray, like: bpy.types.Image, path: Path | None) -> bpy.types.Image:
    """A new image with these pixels and the colour space and alpha mode of `like`, packed or saved as PNG at `path`.

    It is written whole before this returns, so that undo and redo keep it.
    """
    height, width, channels = pixels.shape
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :channels] = pixels[::-1].astype(np.float32) / np.float32(255)
    image = bpy.data.images.new(name, width, height, alpha=channels == 4)
    try:
        if tuple(image.size) != (width, height):
            raise MemoryError(f"Blender could not make an image of {width}x{height} px")
        _alike(image, like)
        image.pixels.foreach_set(rgba.ravel())
        image.update()
        if path is None:
            image.pack()
        else:
            relative = like.filepath.startswith("//") and like.library is None
            image.file_format = "PNG"
            image.filepath_raw = bpy.path.relpath(str(path)) if relative else str(path)
            image.colorspace_settings.name = "Non-Color"  # or saving converts from linear spaces
            image.pixels.foreach_set(rgba.ravel())
            image.save()
            _alike(image, like)
    except BaseException:
        bpy.data.images.remove(image)
        raise
    return image
