"""The only place that knows image file formats, through OpenImageIO. For now: PNG and JPEG with 8 bits a channel."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .spec import InputError

WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
KEPT = ("ICCProfile", "XResolution", "YResolution", "ResolutionUnit")
"""What a result inherits from its exemplar's file: without its profile a picture changes colour."""


@dataclass(frozen=True)
class Picture:
    """uint8 (H, W, C) with straight alpha, and the file's attributes that a result inherits."""

    pixels: np.ndarray
    attributes: dict[str, object] = field(default_factory=dict)


def read(path: str | Path) -> Picture:
    """The image in a PNG or JPEG file. Raises InputError for what is not one, is broken or has other depths."""
    import OpenImageIO as oiio

    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name one image in it")
    if not path.is_file():
        raise InputError(f"{path}: is not a regular file; name an image file")
    straight = oiio.ImageSpec()
    straight.attribute("oiio:UnassociatedAlpha", 1)
    with _hushed():
        source = oiio.ImageInput.open(os.fsencode(path).decode("utf-8", "replace"), straight)
    if source is None:
        oiio.geterror()
        raise InputError(f"{path}: is not an image that can be read; PNG or JPEG is wanted")
    with contextlib.closing(source):
        spec = source.spec()
        kind = source.format_name().upper()
        if kind not in WRITABLE.values():
            raise InputError(f"{path}: is a {kind} file; PNG or JPEG is wanted: convert it first")
        if spec.format != "uint8":
            raise InputError(f"{path}: has {spec.format} values; 8 bits a channel are wanted: convert it first")
        if spec.nchannels > 4:
            raise InputError(f"{path}: has {spec.nchannels} channels; 1 to 4 are wanted")
        with _hushed():
            pixels = source.read_image("uint8")
        if pixels is None or source.has_error:
            reason = source.geterror().strip().splitlines()
            raise InputError(f"{path}: is truncated or broken ({reason[0] if reason else 'no pixels'})")
        turned = spec.get_int_attribute("Orientation", 1)
        attributes = {name: value for name in KEPT if (value := spec.getattribute(name)) is not None}
    pixels = pixels.reshape(spec.height, spec.width, spec.nchannels)
    return Picture(_upright(pixels, turned), attributes)


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Format libraries write their own words to the error stream; ours say the same in one line."""
    if sys.stderr is None:  # it was closed from the start, and 2 may be any file by now
        yield
        return
    kept = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The picture as its Exif orientation (1 to 8) means it to be seen: a camera held sideways only notes that."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    down = orientation in (3, 4, 7, 8)
    right = orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(pixels[:: -1 if down else 1, :: -1 if right else 1])


def check_target(path: str | Path, channels: int) -> None:
    """Raises InputError now if an image of so many channels could not be written there later."""
    path = Path(path)
    check_folder(path)
    kind = WRITABLE.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"{path}: cannot tell the format; name it .png or .jpg")
    if kind == "JPEG" and channels in (2, 4):
        raise InputError(f"{path}: JPEG holds no alpha and the exemplar has it; name it .png")


def check_folder(path: Path) -> None:
    """Raises InputError if no file can be put there."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it")
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is not a regular file; choose another name")
    if not path.parent.is_dir():
        raise InputError(f"{path}: its folder does not exist; make {path.parent} first")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another place") from None


def write(path: str | Path, picture: Picture) -> None:
    """The picture as PNG or JPEG, by the name's ending: a whole new file or, on an error, what stood there before."""
    import OpenImageIO as oiio

    path = Path(path)
    check_target(path, picture.pixels.shape[2])
    height, width, channels = picture.pixels.shape
    spec = oiio.ImageSpec(width, height, channels, "uint8")
    if channels in (2, 4):
        spec.alpha_channel = channels - 1
    spec.attribute("oiio:UnassociatedAlpha", 1)
    if WRITABLE[path.suffix.lower()] == "JPEG":
        spec.attribute("Compression", "jpeg:95")
        spec.attribute("jpeg:subsampling", "4:4:4")  # half the colour resolution would blur small coloured things
    for name, value in picture.attributes.items():
        spec.attribute(name, *((oiio.TypeDesc(f"uint8[{len(value)}]"), value) if name == "ICCProfile" else (value,)))  # type: ignore[arg-type]
    free = shutil.disk_usage(path.parent).free
    if free < picture.pixels.nbytes:  # asked before, since the JPEG library ends the program on a full disk
        raise OSError(f"{path}: could not be written, the disk is full")
    with replaced(path) as part:
        target = oiio.ImageOutput.create(str(part))
        written = target.open(str(part), spec) and target.write_image(np.ascontiguousarray(picture.pixels))
        if not (target.close() and written):
            raise OSError(f"{path}: could not be written ({target.geterror().strip() or 'unknown reason'})")
        try:
            again = read(part).pixels  # the PNG library says nothing of a disk that is full
        except InputError:
            raise OSError(f"{path}: could not be written whole; is the disk full?") from None
        if again.shape != picture.pixels.shape:
            raise OSError(f"{path}: was written as {again.shape}, not {picture.pixels.shape}")


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; it takes the place of `path` when the block ends well, and goes when not."""
    path = path.resolve()  # through a link, to what it names
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".otsynth-", suffix=path.suffix)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
