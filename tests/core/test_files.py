"""Image files: what is read is what was written, to the bit, in every format that can; the rest is refused in words."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

import build
import otsynth_core
from otsynth_core import InputError, Map, cli, files, metrics

from .conftest import blobs

EXACT = [
    (name, dtype, channels)
    for name, kind in files.FORMATS.items()
    for dtype in kind.types
    for channels in kind.channels
    if name not in ("JPEG", "HDR")
]


def values(dtype: str, channels: int, side: int = 40) -> np.ndarray:
    u = blobs(side, side + 8, channels)
    if dtype.startswith("float"):
        return (u * 3 - 0.5).astype(dtype)
    return np.rint(u * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize(("name", "dtype", "channels"), EXACT)
def test_values_come_back_to_the_bit(tmp_path: Path, name: str, dtype: str, channels: int) -> None:
    path = tmp_path / f"a{files.FORMATS[name].suffixes[-1]}"
    pixels = values(dtype, channels)
    files.write(path, files.Picture(pixels, associated=name == "OPENEXR"))
    again = files.read(path)
    assert again.pixels.dtype == pixels.dtype
    np.testing.assert_array_equal(again.pixels, pixels)
    assert again.linear == dtype.startswith("float")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_tiff_whose_colour_is_multiplied_by_its_alpha_stays_so(tmp_path: Path, dtype: str) -> None:
    pixels = values(dtype, 4)
    pixels[..., 3] = pixels[..., :3].max(2)
    source, out = tmp_path / "a.tif", tmp_path / "b.tif"
    target = oiio.ImageOutput.create(str(source))
    assert target.open(str(source), oiio.ImageSpec(48, 40, 4, files_type(dtype)))  # as the library does it by itself
    assert target.write_image(np.ascontiguousarray(pixels))
    target.close()
    picture = files.read(source)
    assert picture.associated
    np.testing.assert_array_equal(picture.pixels, pixels)
    files.write(out, picture)
    seen = oiio.ImageBuf(str(out))
    assert seen.spec().get_int_attribute("oiio:UnassociatedAlpha") == 0
    np.testing.assert_array_equal(seen.get_pixels(seen.spec().format), pixels)


@pytest.mark.parametrize("ending", [".tif", ".exr"])
def test_a_fourth_channel_that_is_no_alpha_is_none_in_the_result(tmp_path: Path, ending: str) -> None:
    """A TIFF file packs a mask, OpenEXR has depth: neither hides colour."""
    pixels = np.random.default_rng(0).random((24, 32, 4)).astype(np.float32)
    pixels[..., 3] *= 0.2
    names = ("R", "G", "B", "Z") if ending == ".exr" else ()
    files.write(tmp_path / f"a{ending}", files.Picture(pixels, linear=True, names=names, alpha=False))
    assert not files.read(tmp_path / f"a{ending}").alpha
    assert (
        cli.main(["tile", str(tmp_path / f"a{ending}"), "-o", str(tmp_path / f"b{ending}"), "--device", "numpy"]) == 0
    )
    again = files.read(tmp_path / f"b{ending}")
    assert not again.alpha
    assert again.names == names
    assert set(again.pixels[..., :3].max((0, 1)) > 0.5) == {True}  # it was not multiplied


@pytest.mark.parametrize("multiplied", [True, False])
def test_a_mask_is_covered_by_its_alpha_once(tmp_path: Path, multiplied: bool) -> None:
    image = blobs(32, 40, 3)
    mask = np.full((32, 40, 2), 0.6 if multiplied else 1, np.float32)
    mask[..., 1] = 0.6
    mask[:10], mask[-10:] = 0, 0
    given, hole, out = (tmp_path / name for name in ("a.exr", "m.tif", "b.exr"))
    files.write(given, files.Picture(image, linear=True))
    files.write(hole, files.Picture(mask, associated=multiplied))
    assert cli.main(["fill", str(given), "--mask", str(hole), "-o", str(out), "--device", "numpy"]) == 0
    wanted = otsynth_core.fill(Map(image, linear=True), 0.6 * (mask[..., :1] > 0), device="numpy").image
    np.testing.assert_array_equal(files.read(out).pixels, wanted)


@pytest.mark.parametrize("ending", [".exr", ".png", ".tga", ".bmp", ".webp", ".tif"])
@pytest.mark.parametrize("multiplied", [False, True])
def test_alpha_is_held_as_the_format_has_it(tmp_path: Path, ending: str, multiplied: bool) -> None:
    straight = values("float32", 4).clip(0.2, 1)
    pixels = np.concatenate([straight[..., :3] * straight[..., 3:], straight[..., 3:]], 2) if multiplied else straight
    whole = ending not in (".exr", ".tif")
    pixels = np.rint(255 * pixels).astype(np.uint8) if whole else pixels
    path = tmp_path / f"a{ending}"
    assert files.write_all({path: files.Picture(pixels, associated=multiplied)}) == []
    again = files.read(path)
    assert again.associated == (ending == ".exr" or (ending == ".tif" and multiplied))
    seen = again.pixels.astype(np.float64) / (255 if whole else 1)
    colors = seen[..., :3] / seen[..., 3:] if again.associated else seen[..., :3]
    np.testing.assert_allclose(colors, straight[..., :3], atol=0.015 if whole else 1e-5)


def test_where_nothing_covers_colour_stays(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 4), np.float32)
    pixels[..., 0] = 0.5
    files.write(tmp_path / "a.exr", files.Picture(pixels))
    np.testing.assert_array_equal(files.read(tmp_path / "a.exr").pixels, pixels)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_to_a_folder_that_is_not_there_is_refused_before_anything(tmp_path: Path) -> None:
    link = tmp_path / "a.png"
    link.symlink_to(tmp_path / "gone" / "b.png")
    with pytest.raises(InputError, match="its folder does not exist"):
        files.check_target(link, files.Picture(values("uint8", 3)))


def files_type(dtype: str) -> str:
    return {ours: theirs for theirs, ours in files.TYPES.items()}[dtype]


def test_which_files_are_not_as_they_were_is_told(tmp_path: Path) -> None:
    colour, covered, light = values("uint8", 3), values("uint8", 4), values("float32", 3).clip(0.01)
    covered[:9, :, 3] = 0
    changed = files.write_all(
        {
            tmp_path / "a.png": files.Picture(covered),
            tmp_path / "a.jpg": files.Picture(colour),
            tmp_path / "a.webp": files.Picture(colour),
            tmp_path / "b.webp": files.Picture(covered),  # which forgets the colour of what cannot be seen
            tmp_path / "a.hdr": files.Picture(light),
            tmp_path / "a.tif": files.Picture(light),
        }
    )
    assert [path.name for path in changed] == ["a.jpg", "b.webp", "a.hdr"]


def test_hdr_keeps_what_its_eight_bits_and_exponent_can(tmp_path: Path) -> None:
    pixels = values("float32", 3).clip(0.01)
    files.write(tmp_path / "a.hdr", files.Picture(pixels))
    again = files.read(tmp_path / "a.hdr").pixels
    np.testing.assert_allclose(again, pixels, atol=pixels.max() / 128)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".exr", ".jpg"])
def test_how_it_came_about_stands_in_the_file(tmp_path: Path, suffix: str) -> None:
    dtype = "float16" if suffix == ".exr" else "uint8"
    source, out = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    files.write(source, files.Picture(values(dtype, 3)))
    assert cli.main(["tile", str(source), "-o", str(out), "--seed", "7", "--device", "numpy", "--quiet"]) == 0
    spec = oiio.ImageInput.open(str(out)).spec()
    assert spec.get_string_attribute("Software") == f"otsynth {build.version()}"
    said = json.loads(spec.get_string_attribute("ImageDescription"))
    assert (said["task"], said["seed"]) == ("tile", 7)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".exr", ".jpg"])
def test_author_and_rights_stay_and_an_exr_file_keeps_its_primaries(tmp_path: Path, suffix: str) -> None:
    source, out = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    told: dict[str, object] = {"Artist": "Nobody", "Copyright": "CC-BY Nobody", "IPTC:CopyrightNotice": "some rights"}
    if suffix == ".exr":
        told["chromaticities"] = tuple(map(float, np.float32([0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329])))
    given = values("float16" if suffix == ".exr" else "uint8", 3)
    spec = oiio.ImageSpec(given.shape[1], given.shape[0], 3, "half" if suffix == ".exr" else "uint8")
    for name, value in told.items():
        typed = (oiio.TypeDesc("float[8]"),) if name == "chromaticities" else ()
        spec.attribute(name, *typed, value)
    spec.attribute("tiff:write_iptc", 1)
    target = oiio.ImageOutput.create(str(source))
    assert target.open(str(source), spec)
    assert target.write_image(np.ascontiguousarray(given))
    target.close()
    assert cli.main(["tile", str(source), "-o", str(out), "--device", "numpy", "--quiet"]) == 0
    made = oiio.ImageInput.open(str(out)).spec()
    assert {name: made.getattribute(name) for name in told} == told


def test_without_the_library_of_files_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "a.png"
    files.write(source, files.Picture(values("uint8", 3)))
    monkeypatch.setitem(sys.modules, "OpenImageIO", None)
    assert cli.main(["tile", str(source), "-o", str(tmp_path / "b.png")]) == 2
    assert capsys.readouterr().err.endswith("pip install otsynth[files]\n")


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_exr_stays_half_and_named_and_multiplied(tmp_path: Path, channels: int) -> None:
    """Colour in an OpenEXR file is multiplied by its alpha, also where that is 0: such a glow must not go."""
    names = {2: ("Y", "A"), 3: ("B", "G", "R"), 4: ("R", "G", "B", "A")}[channels]
    pixels = (blobs(48, 48, channels) * 20).astype(np.float16)
    if channels != 3:
        pixels[..., -1] = blobs(48, 48, 1, 5)[..., 0] > 0.5
    source, out = tmp_path / "a.exr", tmp_path / "b.exr"
    spec = oiio.ImageSpec(48, 48, channels, "half")
    spec.channelnames = names
    target = oiio.ImageOutput.create(str(source))
    assert target.open(str(source), spec)
    assert target.write_image(np.ascontiguousarray(pixels))
    target.close()
    assert cli.main(["tile", str(source), "-o", str(out), "--device", "numpy", "--quiet"]) == 0
    given, made = files.read(source), files.read(out)
    assert made.names == given.names
    assert set(made.names) == set(names)
    assert made.pixels.dtype == np.float16
    assert made.pixels.max() > 10
    assert metrics.sharpness(*(p.pixels.astype(np.float32) for p in (made, given))) == pytest.approx(1, abs=0.25)


CMYK = """
/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAbEhQXFBEbFxYXHhwbIChCKyglJShROj0wQmBVZWRfVV1baniZgWpxkHNbXYW1hpCeo6utq2eAvMm6ps
eZqKuk/8AAFAgACAAIBEMRAE0RAFkRAEsRAP/EABUAAQEAAAAAAAAAAAAAAAAAAAUG/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAA4EQwBNAFkA
SwAAPwCgEnVG/9k=
"""
"""A JPEG file of 8x8 px in cyan, magenta, yellow and black, in base64."""


def test_cmyk_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "print.jpg").write_bytes(base64.b64decode(CMYK))
    with pytest.raises(InputError, match="print.jpg: is in CMYK; convert it to RGB first"):
        files.read(tmp_path / "print.jpg")


def test_a_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    """PNG: 2 colours of a palette, one of them transparent, become RGBA."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes((x + y) % 2 for x in range(16)) for y in range(16))
    parts = [
        chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 3, 0, 0, 0)),
        chunk(b"PLTE", bytes([255, 0, 0, 0, 0, 255])),
        chunk(b"tRNS", bytes([0, 255])),
        chunk(b"IDAT", zlib.compress(rows)),
        chunk(b"IEND", b""),
    ]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    pixels = files.read(tmp_path / "a.png").pixels
    assert pixels.shape == (16, 16, 4)
    assert pixels[0, 0].tolist() == [255, 0, 0, 0]
    assert pixels[0, 1].tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize(
    ("name", "dtype", "channels", "words"),
    [
        ("a.jpg", "uint16", 3, "JPEG holds no uint16 values as the exemplar has; name it .png or .tif"),
        ("a.jpg", "uint8", 4, "JPEG holds no alpha and the exemplar has it; name it .png"),
        ("a.png", "float32", 3, "PNG holds no float32 values as the exemplar has; name it .tif or .exr or .hdr"),
        ("a.webp", "uint8", 1, "WEBP holds no 1 channel image"),
        ("a.webp", "uint8", 2, "WEBP holds no grey with alpha and the exemplar has it; name it .png"),
        ("a.gif", "uint8", 3, "cannot tell the format"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_before(
    tmp_path: Path, name: str, dtype: str, channels: int, words: str
) -> None:
    with pytest.raises(InputError) as refusal:
        files.check_target(tmp_path / name, files.Picture(values(dtype, channels)))
    assert words in str(refusal.value)


def test_several_files_are_all_written_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = files.Picture(values("uint8", 3))
    (tmp_path / "a.png").write_text("old")
    write = files._write

    def failing(path: Path, part: Path, picture: files.Picture) -> bool:
        if path.name == "b.png":
            raise OSError("disk full")
        return write(path, part, picture)

    monkeypatch.setattr(files, "_write", failing)
    with pytest.raises(OSError, match="disk full"):
        files.write_all({tmp_path / name: picture for name in ("a.png", "b.png")})
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_text() == "old"


def test_a_folder_of_maps_goes_through_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rock = tmp_path / "rock"
    rock.mkdir()
    files.write(rock / "rock_color.png", files.Picture(values("uint8", 3)))
    files.write(rock / "rock_rough_1k.tif", files.Picture(values("uint16", 1, 88)[:80]))
    files.write(rock / "rock_disp.exr", files.Picture(values("float32", 1)))
    files.write(rock / "preview.png", files.Picture(values("uint8", 3)[:20]))
    (rock / "licence.txt").write_text("free")
    out, report, field = tmp_path / "out", tmp_path / "r.json", tmp_path / "f.npz"
    options = ["--device", "numpy", "--report", str(report), "--save-field", str(field), "--weight", "roughness=0"]
    assert cli.main(["tile", str(rock), "-o", str(out), "--size", "64x56", *options]) == 0
    names = ["rock_color_tile.png", "rock_disp_tile.exr", "rock_rough_1k_tile.tif"]
    assert sorted(path.name for path in out.iterdir()) == names
    made = {name: files.read(out / name).pixels for name in names}
    assert [made[name].shape[:2] for name in names] == [(56, 64), (56, 64), (112, 128)]
    assert [str(made[name].dtype) for name in names] == ["uint8", "float32", "uint16"]
    said = {Path(one["name"]).name: one for one in json.loads(report.read_text())["maps"]}
    assert said["rock_rough_1k.tif"]["weight"] == 0
    assert said["rock_disp.exr"]["role"] == "height"
    assert {"distance", "floor", "sharpness"} <= set(said["rock_disp.exr"])
    again = tmp_path / "again.png"
    means = ["--device", "numpy", "--threads", "1", "--memory", "8"]
    means += ["--report", str(report), "--quiet"]
    assert cli.main(["render", str(field), str(rock / "rock_color.png"), "-o", str(again), *means]) == 0
    said = json.loads(report.read_text())
    assert (said["task"], said["field"], said["size"]) == ("render", str(field), [64, 56])
    assert {"distance", "floor", "sharpness"} <= set(said)
    spec = oiio.ImageInput.open(str(again)).spec()
    assert json.loads(spec.get_string_attribute("ImageDescription"))["field"] == field.name
    off = np.abs(files.read(again).pixels.astype(int) - made["rock_color_tile.png"])
    assert off.max() <= 1  # providers round differently
    assert capsys.readouterr().err.count("100%") == 1
