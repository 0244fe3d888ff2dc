"""The only place that knows image file formats, through OpenImageIO: one library that reads and writes them all."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np

from .spec import InputError


@dataclass(frozen=True)
class Format:
    """What a kind of file holds."""

    suffixes: tuple[str, ...]
    types: tuple[str, ...]  # NumPy's names
    channels: tuple[int, ...] = (1, 2, 3, 4)
    settings: tuple[tuple[str, object], ...] = ()
    described: bool = True  # whether there is room for words


FORMATS = {
    "PNG": Format((".png",), ("uint8", "uint16")),
    # half the colour resolution would blur small coloured things
    "JPEG": Format(
        (".jpg", ".jpeg"),
        ("uint8",),
        (1, 3),
        (("Compression", "jpeg:95"), ("jpeg:subsampling", "4:4:4")),
    ),
    "TIFF": Format((".tif", ".tiff"), ("uint8", "uint16", "float32"), settings=(("tiff:write_iptc", 1),)),
    "OPENEXR": Format((".exr",), ("float16", "float32")),
    "TARGA": Format((".tga",), ("uint8",), described=False),
    "WEBP": Format((".webp",), ("uint8",), (3, 4), (("Compression", "lossless:100"),)),
    "HDR": Format((".hdr",), ("float32",), (3,)),
    "BMP": Format((".bmp",), ("uint8",), (1, 3, 4)),
}
SUFFIXES = tuple(suffix for format in FORMATS.values() for suffix in format.suffixes)
TYPES = {"uint8": "uint8", "uint16": "uint16", "half": "float16", "float": "float32"}
"""OpenImageIO's names of values and NumPy's."""
KEPT = (
    *("ICCProfile", "XResolution", "YResolution", "ResolutionUnit", "oiio:ColorSpace", "chromaticities"),
    *("Artist", "Copyright", "Keywords", "DocumentName"),
    *(f"IPTC:{name}" for name in ("Creator", "CopyrightNotice", "Credit", "Provider", "Source", "Contact")),
)
"""What a result inherits from its exemplar's file: without its profile a picture changes colour, and who made it, and
what may be done with it, is to be known on."""


@dataclass(frozen=True)
class Picture:
    """Values as the file has them, (H, W, C) of uint8, uint16, float16 or float32, and what a result inherits.

    Alpha is straight, or colour is `associated`: multiplied by it, as in OpenEXR and many a TIFF file. `linear`: not
    encoded. `alpha`: whether the last of 2 or 4 channels is that; it may be depth, or a mask that a TIFF file packs.
    """

    pixels: np.ndarray
    attributes: dict[str, object] = field(default_factory=dict)
    linear: bool = False
    associated: bool = False
    names: tuple[str, ...] = ()  # of channels, where the file has its own
    alpha: bool = True


def read(path: str | Path) -> Picture:
    """The image in a file. Raises InputError for what is not one, is broken or cannot be kept as it is."""
    oiio, path = _library(), Path(path)
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
        raise InputError(f"{path}: is not an image that can be read; one of {_endings()} is wanted")
    with contextlib.closing(source):
        spec = source.spec()
        kind = source.format_name().upper()
        if kind not in FORMATS:
            raise InputError(f"{path}: is a {kind} file; one of {_endings()} is wanted: convert it first")
        named = TYPES.get(str(spec.format))
        if named not in FORMATS[kind].types and (kind, named) != ("TIFF", "float16"):
            raise InputError(f"{path}: has {spec.format} values, which are not known: convert it to 8 or 16 bits first")
        if spec.nchannels > 4:
            raise InputError(f"{path}: has {spec.nchannels} channels; 1 to 4 are wanted")
        if "CMYK" in (spec.get_string_attribute("jpeg:ColorSpace"), spec.get_string_attribute("tiff:ColorSpace")):
            raise InputError(f"{path}: is in CMYK; convert it to RGB first")
        if spec.depth > 1 or spec.deep:
            raise InputError(f"{path}: is a volume or has deep samples; a flat image is wanted")
        with _hushed():
            pixels = source.read_image(str(spec.format))
        if pixels is None or source.has_error:
            reason = source.geterror().strip().splitlines()
            raise InputError(f"{path}: is truncated or broken ({reason[0] if reason else 'no pixels'})")
        turned = spec.get_int_attribute("Orientation", 1)
        attributes = {name: value for name in KEPT if (value := spec.getattribute(name)) is not None}
        names = tuple(spec.channelnames) if kind == "OPENEXR" else ()
        alpha = spec.alpha_channel >= 0 or kind not in ("OPENEXR", "TIFF")
        multiplied = kind == "OPENEXR" or (kind == "TIFF" and not spec.get_int_attribute("oiio:UnassociatedAlpha"))
    pixels = pixels.reshape(spec.height, spec.width, spec.nchannels)
    floats = pixels.dtype.kind == "f"
    associated = spec.nchannels in (2, 4) and alpha and multiplied
    return Picture(_upright(pixels, turned), attributes, floats, associated, names, alpha)


def _library() -> ModuleType:
    """OpenImageIO, which the worker in Blender does without. Raises InputError where it is not there."""
    try:
        import OpenImageIO
    except ImportError as error:
        raise InputError(f"files are read and written by OpenImageIO ({error}): pip install otsynth[files]") from None
    return OpenImageIO


def _endings() -> str:
    return ", ".join(format.suffixes[0] for format in FORMATS.values())


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


def check_target(path: str | Path, picture: Picture) -> None:
    """Raises InputError now if an image like this one could not be written there later."""
    path = Path(path)
    check_folder(path)
    name, kind = _format(path)
    found, channels = str(picture.pixels.dtype), picture.pixels.shape[2]
    if channels not in kind.channels:
        wanted = {2: "no grey with alpha", 4: "no alpha"}.get(channels, f"no {channels} channel image")
        wanted += " and the exemplar has it" if channels in (2, 4) else ""
        others = (
            format.suffixes[0] for format in FORMATS.values() if channels in format.channels and found in format.types
        )
        raise InputError(f"{path}: {name} holds {wanted}; name it {' or '.join(others)}")
    if found not in kind.types:
        fit = (
            format.suffixes[0] for format in FORMATS.values() if found in format.types and channels in format.channels
        )
        raise InputError(f"{path}: {name} holds no {found} values as the exemplar has; name it {' or '.join(fit)}")


def _format(path: Path) -> tuple[str, Format]:
    for name, kind in FORMATS.items():
        if path.suffix.lower() in kind.suffixes:
            return name, kind
    raise InputError(f"{path}: cannot tell the format; name it one of {_endings()}")


def check_folder(path: Path) -> None:
    """Raises InputError if no file can be put there."""
    if path.is_symlink():  # it is written to what the link names
        path = path.resolve()
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
    """The picture in the format of the name's ending: a whole new file or, on an error, what stood there before."""
    write_all({Path(path): picture})


def write_all(pictures: Mapping[Path, Picture]) -> list[Path]:
    """All of some pictures, or none: they take their places once the last is written.

    Returns those whose pixels are not the same when they are read again.
    """
    for path, picture in pictures.items():
        check_target(path, picture)
    for folder in {path.parent for path in pictures}:
        size = sum(picture.pixels.nbytes for path, picture in pictures.items() if path.parent == folder)
        if shutil.disk_usage(folder).free < size:  # asked before: the JPEG library ends the program on a full disk
            raise OSError(f"{folder}: nothing could be written there, the disk is full")
    with contextlib.ExitStack() as parts:
        return [
            path for path, picture in pictures.items() if not _write(path, parts.enter_context(replaced(path)), picture)
        ]


def _write(path: Path, part: Path, picture: Picture) -> bool:
    """Whether it is read again as it was."""
    oiio = _library()
    height, width, channels = picture.pixels.shape
    name = {ours: theirs for theirs, ours in TYPES.items()}[str(picture.pixels.dtype)]
    spec, (pixels, associated) = oiio.ImageSpec(width, height, channels, name), _held(path, picture)
    if picture.names:
        spec.channelnames = picture.names
    if channels in (2, 4):
        spec.alpha_channel = channels - 1 if picture.alpha else -1
    if not associated:
        spec.attribute("oiio:UnassociatedAlpha", 1)
    kind = _format(path)[1]
    for setting, value in (*kind.settings, *picture.attributes.items()):
        if setting == "ImageDescription" and not kind.described:
            continue
        typed = isinstance(value, (np.ndarray, tuple)) or setting == "ICCProfile"
        stored = f"{'uint8' if setting == 'ICCProfile' else 'float'}[{len(value)}]" if typed else ""  # type: ignore[arg-type]
        spec.attribute(setting, *((oiio.TypeDesc(stored), value) if typed else (value,)))
    target = oiio.ImageOutput.create(str(part))
    written = target.open(str(part), spec) and target.write_image(np.ascontiguousarray(pixels))
    if not (target.close() and written):
        raise OSError(f"{path}: could not be written ({target.geterror().strip() or 'unknown reason'})")
    try:
        again = read(part).pixels  # the PNG library says nothing of a disk that is full
    except InputError:
        raise OSError(f"{path}: could not be written whole; is the disk full?") from None
    if again.shape != pixels.shape:
        raise OSError(f"{path}: was written as {again.shape}, not {pixels.shape}")
    return again.dtype == pixels.dtype and bool((again == pixels).all())


def _held(path: Path, picture: Picture) -> tuple[np.ndarray, bool]:
    """The pixels as the file's format has them, and whether their colour is multiplied by their alpha.

    OpenEXR has it so, TIFF says how, the others have it straight.
    """
    kind, pixels = _format(path)[0], picture.pixels
    associated = kind == "OPENEXR" or (kind == "TIFF" and picture.associated)
    if pixels.shape[2] not in (2, 4) or not picture.alpha or associated == picture.associated:
        return pixels, associated
    whole, alpha = pixels.dtype.kind == "u", pixels[..., -1:].astype(np.float64)
    most = float(np.iinfo(pixels.dtype).max) if whole else 1.0
    share = np.where(alpha > 0, alpha / most, 1)
    colors = pixels[..., :-1] * share if associated else pixels[..., :-1] / share
    colors = np.rint(colors.clip(0, most)) if whole else colors
    return np.concatenate([colors.astype(pixels.dtype), pixels[..., -1:]], 2), associated


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
