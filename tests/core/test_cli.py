"""The command line as a shell sees it: exit codes, one line on stderr, nothing half written."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import build
import otsynth_core
from otsynth_core import cli, files, metrics
from otsynth_core.progress import Step
from otsynth_core.tasks.field import Field, Sizes

from .conftest import blobs

ROOT = Path(__file__).resolve().parents[2]


def pixels(*shape: int) -> np.ndarray:
    return np.rint(blobs(*shape) * 255).astype(np.uint8)


def hole() -> np.ndarray:
    """uint8 (48, 56, 1), white in the middle."""
    made = np.zeros((48, 56, 1), np.uint8)
    made[20:30, 22:36] = 255
    return made


@pytest.fixture
def exemplar(tmp_path: Path) -> Path:
    path = tmp_path / "exemplar.png"
    files.write(path, files.Picture(pixels(48, 56, 3)))
    return path


@pytest.mark.parametrize("name", ["made.png", "made.jpg"])
def test_tile_writes_what_the_function_makes(exemplar: Path, name: str) -> None:
    out = exemplar.with_name(name)
    assert cli.main(["tile", str(exemplar), "-o", str(out), "--seed", "3", "--device", "numpy", "--quiet"]) == 0
    wanted = otsynth_core.tile(files.read(exemplar).pixels, seed=3, device="numpy").image
    made = files.read(out).pixels
    assert made.shape == wanted.shape
    assert np.abs(made.astype(int) - wanted).max() <= (0 if name.endswith("png") else 30)
    assert np.abs(made.astype(int) - wanted).mean() < 3
    assert sorted(p.name for p in exemplar.parent.iterdir()) == ["exemplar.png", name]


def test_a_size_that_was_changed_to_fit_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "lines.png", tmp_path / "made.png"
    image = pixels(90, 60, 1) // 2
    image[::20] = 255
    files.write(source, files.Picture(image))
    common = ["tile", str(source), "-o", str(out), "--device", "numpy", "--quality", "draft"]
    assert cli.main([*common, "--report", str(tmp_path / "r.json")]) == 0
    assert "made.png: 60x80, 60x90 changed so that whole periods fit, on numpy" in capsys.readouterr().out
    said = json.loads((tmp_path / "r.json").read_text())
    assert said["period"][0] is None
    assert said["period"][1] == pytest.approx(20, abs=0.1)
    assert (said["size"], said["fits"], said["quality"]) == ([60, 80], [60, 80], "draft")
    assert cli.main([*common, "--size", "snap", "--threads", "1", "--memory", "8"]) == 0
    assert cli.main([*common, "--size", "60x90"]) == 0
    assert "made.png: 60x90, on numpy" in capsys.readouterr().out


def test_synthesize_and_report(exemplar: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, report = exemplar.with_name("made.png"), exemplar.with_name("report.json")
    options = ["--size", "70x40", "--wrap", "x", "--device", "numpy", "--report", str(report)]
    assert cli.main(["synthesize", str(exemplar), "-o", str(out), *options]) == 0
    made, said = files.read(out).pixels / 255, json.loads(report.read_text())
    assert made.shape == (40, 70, 3)
    assert said["size"] == [70, 40]
    assert said["wrap"] == "x"
    assert said["device"] == "numpy"
    assert said["seam_x"] == pytest.approx(metrics.seam(made, 1), rel=1e-4)
    assert {"distance", "floor", "seam_y", "sharpness", "copied", "seconds_per_level"} <= set(said)
    told = capsys.readouterr()
    assert "70x40" in told.out
    assert "100%" in told.err


def test_fill_keeps_what_is_black_in_the_mask(exemplar: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask, out, report = (exemplar.with_name(name) for name in ("mask.png", "made.png", "report.json"))
    files.write(mask, files.Picture(hole()))
    options = ["--mask", str(mask), "--device", "numpy", "--seed", "2"]
    assert cli.main(["fill", str(exemplar), "-o", str(out), "--report", str(report), *options]) == 0
    given, made = files.read(exemplar).pixels, files.read(out).pixels
    wanted = otsynth_core.fill(given, hole(), device="numpy", seed=2).image
    assert made.tobytes() == wanted.tobytes()
    black = hole()[..., 0] == 0
    assert made[black].tobytes() == given[black].tobytes()
    said = json.loads(report.read_text())
    assert (said["task"], said["filled"]) == ("fill", 140)
    assert "140 pixels made anew on numpy" in capsys.readouterr().out
    assert cli.main(["fill", str(exemplar), "-o", str(exemplar.with_name("made.jpg")), *options]) == 0
    assert "made.jpg: its format changes pixels that were to stay as they are; .png keeps them" in (
        capsys.readouterr().err
    )
    assert cli.main(["fill", str(exemplar), "-o", str(exemplar.with_name("made.webp")), *options]) == 0
    assert "its format" not in capsys.readouterr().err


def test_fill_takes_masks_and_other_materials_by_file(exemplar: Path) -> None:
    folder = exemplar.parent
    files.write(folder / "mask.png", files.Picture(255 - hole()))
    files.write(folder / "moss_color.png", files.Picture(pixels(40, 40, 3) // 8))
    files.write(folder / "moss_rough.png", files.Picture(pixels(40, 40, 1)))
    options = ["--mask", str(folder / "mask.png"), "--invert", "--quiet", "--device", "numpy"]
    assert (
        cli.main(["fill", str(exemplar), "-o", f"{folder}/out/", *options, "--from", f"{folder}/moss_color.png"]) == 0
    )
    made = files.read(folder / "out" / "exemplar_fill.png").pixels
    assert made[23:27, 26:32].max() <= 64
    source = np.zeros((48, 56, 1), np.uint8)
    source[:, :16] = 255
    files.write(folder / "source.png", files.Picture(source))
    chosen = [*options, "--source-mask", f"{folder}/source.png"]
    assert cli.main(["fill", str(exemplar), "-o", f"{folder}/a.png", *chosen]) == 0
    assert cli.main(["fill", str(exemplar), "-o", f"{folder}/b.png", *options]) == 0
    assert files.read(folder / "a.png").pixels.tobytes() != files.read(folder / "b.png").pixels.tobytes()


def test_a_mask_in_the_folder_is_no_map(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    files.write(folder / "s_color.png", files.Picture(pixels(48, 56, 3)))
    files.write(folder / "s_mask.png", files.Picture(hole()))
    options = ["--mask", str(folder / "s_mask.png"), "--quiet", "--device", "numpy"]
    assert cli.main(["fill", str(folder), "-o", f"{tmp_path}/out/", *options]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["s_color_fill.png"]
    (folder / "s_color.png").rename(folder / "photo.png")  # whose name tells nothing, beside a mask's that does
    assert cli.main(["fill", str(folder), "-o", f"{tmp_path}/out/", *options]) == 0
    assert (tmp_path / "out" / "photo_fill.png").exists()


def test_an_empty_mask_is_told_and_the_image_written(exemplar: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask, out = exemplar.with_name("mask.png"), exemplar.with_name("made.png")
    files.write(mask, files.Picture(0 * hole()))
    assert cli.main(["fill", str(exemplar), "-o", str(out), "--mask", str(mask), "--quiet"]) == 0
    assert "nothing was filled" in capsys.readouterr().err
    assert files.read(out).pixels.tobytes() == files.read(exemplar).pixels.tobytes()


def test_what_lies_in_a_folder_and_tells_no_role_is_named(
    exemplar: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rock = tmp_path / "rock"
    rock.mkdir()
    for name in ("rock_color", "rock_roughness", "preview", "rock_color_tile"):
        files.write(rock / f"{name}.png", files.Picture(pixels(48, 56, 3)))
    assert cli.main(["tile", str(rock), "-o", str(tmp_path / "out"), *MIX]) == 0
    assert capsys.readouterr().err == f"otsynth: {rock}: left out, for no name tells a role: preview.png\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "rock_color_tile.png",
        "rock_roughness_tile.png",
    ]


def test_a_folder_as_it_is_downloaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Normals of both kinds, what describes the material to programs, and a preview."""
    rock, out = tmp_path / "Rock049", tmp_path / "out"
    rock.mkdir()
    parts = {f"Rock049_1K-PNG_{name}.png" for name in ("Color", "NormalGL", "NormalDX", "Displacement", "Roughness")}
    for name in (*parts, "Rock049.png"):
        normal = np.full((48, 56, 3), (127, 127, 255), np.uint8)
        files.write(rock / name, files.Picture(normal if "Normal" in name else pixels(48, 56, 3)))
    for name in ("Rock049_1K-PNG.blend", "Rock049_1K-PNG.usdc", "Rock049_1K-PNG.mtlx", "Rock049_1K-PNG.tres"):
        (rock / name).write_bytes(b"no picture")
    assert cli.main(["tile", str(rock), "-o", str(out), *MIX]) == 0
    assert capsys.readouterr().err == f"otsynth: {rock}: left out, for no name tells a role: Rock049.png\n"
    assert {path.name for path in out.iterdir()} == {name.replace(".png", "_tile.png") for name in parts}


def test_files_tell_what_was_read_beside(exemplar: Path, second: Path) -> None:
    import OpenImageIO as oiio

    out, report = exemplar.with_name("made.png"), exemplar.with_name("report.json")
    assert cli.main(["mix", str(exemplar), str(second), "-o", str(out), "--report", str(report), *MIX]) == 0
    said = json.loads(oiio.ImageInput.open(str(out)).spec().get_string_attribute("ImageDescription"))
    assert (said["other"], json.loads(report.read_text())["other"]) == ([second.name], [str(second)])
    mask = exemplar.with_name("mask.png")
    files.write(mask, files.Picture(hole()))
    fill = ["fill", str(exemplar), "--mask", str(mask), "-o", str(out), *MIX]
    assert cli.main(fill) == 0
    said = json.loads(oiio.ImageInput.open(str(out)).spec().get_string_attribute("ImageDescription"))
    assert (said["task"], said["mask"]) == ("fill", mask.name)


def test_the_version_is_the_manifest_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"otsynth {build.version()}\n")


def test_tile_heals(exemplar: Path) -> None:
    out, report = exemplar.with_name("made.png"), exemplar.with_name("report.json")
    options = ["--method", "heal", "--band", "6", "--report", str(report), "--quiet"]
    assert cli.main(["tile", str(exemplar), "-o", str(out), *options]) == 0
    given, made, said = files.read(exemplar).pixels, files.read(out).pixels, json.loads(report.read_text())
    assert made[6:-6, 6:-6].tobytes() == given[6:-6, 6:-6].tobytes()
    assert (said["method"], said["band"]) == ("heal", 6)


@pytest.fixture
def second(exemplar: Path) -> Path:
    path = exemplar.with_name("second.png")
    files.write(path, files.Picture(pixels(40, 60, 3) // 4))
    return path


MIX = ["--device", "numpy", "--quality", "draft", "--quiet"]


def test_mix_writes_what_the_function_makes(exemplar: Path, second: Path) -> None:
    out, where = exemplar.with_name("made.png"), exemplar.with_name("where.png")
    assert cli.main(["mix", str(exemplar), str(second), "-o", str(out), "--t", "0.3", *MIX]) == 0
    images = [files.read(path).pixels for path in (exemplar, second)]
    wanted = otsynth_core.mix(*images, t=0.3, device="numpy", quality="draft").image
    np.testing.assert_array_equal(files.read(out).pixels, wanted)
    t = np.linspace(0, 255, 48 * 56).reshape(48, 56, 1).astype(np.uint8)
    files.write(where, files.Picture(t))
    assert cli.main(["mix", str(exemplar), str(second), "-o", str(out), "--t-map", str(where), *MIX]) == 0
    wanted = otsynth_core.mix(*images, t=t, device="numpy", quality="draft").image
    np.testing.assert_array_equal(files.read(out).pixels, wanted)


def test_mix_makes_a_row(exemplar: Path, second: Path) -> None:
    row = exemplar.with_name("row")
    report = ["--report", str(exemplar.with_name("r.json"))]
    assert cli.main(["mix", str(exemplar), str(second), "-o", f"{row}/", "--steps", "3", *report, *MIX]) == 0
    names = [f"exemplar_mix_t{percent}.png" for percent in ("000", "050", "100")]
    assert sorted(path.name for path in row.iterdir()) == names
    dark = [files.read(row / name).pixels.mean() for name in names]
    assert dark[0] > dark[1] > dark[2]
    told = [json.loads(exemplar.with_name(f"r_t{percent}.json").read_text()) for percent in ("000", "050", "100")]
    assert [one["t"] for one in told] == [0, 0.5, 1]
    assert told[1]["other"] == [str(second)]


def test_a_row_is_written_whole_or_not_at_all(
    exemplar: Path, second: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, write = sorted(exemplar.parent.iterdir()), files._write

    def full(path: Path, *given: Any) -> bool:
        if path.name.endswith("_t100.png"):
            raise OSError("disk full")
        return write(path, *given)

    monkeypatch.setattr(files, "_write", full)
    report = ["--report", str(exemplar.with_name("r.json"))]
    row = f"{exemplar.with_name('row')}/"
    assert cli.main(["mix", str(exemplar), str(second), "-o", row, "--steps", "3", *report, *MIX]) == 1
    assert "disk full" in capsys.readouterr().err
    assert sorted(exemplar.parent.iterdir()) == before


def test_a_report_goes_into_the_folder_that_is_made_for_the_result(exemplar: Path) -> None:
    new = exemplar.with_name("new")
    common = ["tile", str(exemplar), "-o", f"{new}/", "--device", "numpy", "--quality", "draft", "--quiet"]
    assert cli.main([*common, "--report", str(new / "r.json")]) == 0
    assert sorted(path.name for path in new.iterdir()) == ["exemplar_tile.png", "r.json"]


def test_an_empty_name_is_refused(exemplar: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tile", str(exemplar), "-o", "", "--device", "numpy"]) == 2
    assert "OUT is empty" in capsys.readouterr().err


def test_a_name_that_the_stream_cannot_say_is_told_all_the_same(exemplar: Path) -> None:
    out = exemplar.with_name("m\u00fc\u82d4.png")
    command = [sys.executable, "-m", "otsynth_core", "tile", str(exemplar), "-o", str(out), "--device", "numpy"]
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert "m\\xfc\\u82d4.png" in done.stdout


def test_a_stream_that_is_no_file_is_told_as_well(exemplar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert cli.main(["tile", str(exemplar), "-o", str(exemplar.with_name("made.png")), "--device", "numpy"]) == 0
    assert "made.png" in sys.stdout.getvalue()


def test_mix_takes_folders_of_maps(tmp_path: Path) -> None:
    for name, scale in (("stone", 1), ("moss", 2)):
        (tmp_path / name).mkdir()
        for role, channels in (("color", 3), ("roughness", 1)):
            files.write(tmp_path / name / f"{name}_{role}.png", files.Picture(pixels(40, 48, channels) // scale))
    out = tmp_path / "out"
    assert cli.main(["mix", str(tmp_path / "stone"), str(tmp_path / "moss"), "-o", str(out), *MIX]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["stone_color_mix.png", "stone_roughness_mix.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["exemplar.png"], "mix takes two, each an image or a material's folder, and 1 were given"),
        (["exemplar.png", "second.png", "second.png"], "and 3 were given"),
        (["exemplar.png", "missing.png"], "missing.png"),
        (["exemplar.png", "second.png", "--t", "2"], "t is 2.0: it must be a number from 0.0 to 1.0"),
        (["exemplar.png", "second.png", "--t", "much"], "t is 'much': a number is wanted"),
        (["exemplar.png", "second.png", "--t", "0.5", "--steps", "3"], "--t and --steps each say"),
        (["exemplar.png", "second.png", "--steps", "1"], "steps is 1: it must be a whole number from 2 to 101"),
        (["exemplar.png", "second.png", "--t-map", "made.png"], "would overwrite"),
        (["exemplar.png", "made_t100.png", "--steps", "3"], "made_t100.png: would overwrite"),
        (["exemplar.png", "second.png", "--t-map", "wide.png"], "t map is 20x2 px"),
    ],
)
@pytest.mark.usefixtures("second")
def test_mix_refuses_in_one_line(
    exemplar: Path,
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(exemplar.parent)
    files.write(Path("made.png"), files.Picture(pixels(48, 56, 1)))
    files.write(Path("wide.png"), files.Picture(pixels(2, 20, 1)))
    files.write(Path("made_t100.png"), files.Picture(pixels(48, 56, 3)))
    before = {path: path.read_bytes() for path in Path().iterdir()}
    assert cli.main(["mix", *arguments, "-o", "made.png", *MIX]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


def test_quiet_is_quiet(exemplar: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["tile", str(exemplar), "-o", str(exemplar.with_name("made.png")), "--device", "numpy", "--quiet"])
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_channels_come_back(tmp_path: Path, channels: int) -> None:
    source, out = tmp_path / "a.png", tmp_path / "b.png"
    files.write(source, files.Picture(pixels(32, 32, channels)))
    assert cli.main(["tile", str(source), "-o", str(out), "--device", "numpy", "--quiet"]) == 0
    assert files.read(out).pixels.shape == (32, 32, channels)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tile"], "required"),
        (["paint", "EXEMPLAR", "-o", "OUT"], "paint"),
        (["tile", "EXEMPLAR", "-o", "OUT", "--size", "0x64"], "8 to 16384"),
        (["tile", "EXEMPLAR", "-o", "OUT", "--size", "-4x64"], "--size"),
        (["tile", "EXEMPLAR", "-o", "OUT", "--size", "64x20000"], "64x20000"),
        (["tile", "EXEMPLAR", "-o", "OUT", "--size", "large"], "WxH"),
        (["tile", "EXEMPLAR", "-o", "OUT", "--seed", "x"], "seed"),
        (["tile", "EXEMPLAR", "-o", "OUT", "--device", "abacus"], "abacus"),
        (["synthesize", "EXEMPLAR", "-o", "OUT"], "--size"),
        (["tile", "absent.png", "-o", "OUT"], "no such file"),
        (["tile", "EXEMPLAR", "-o", "absent/made.png"], "does not exist"),
        (["tile", "EXEMPLAR", "-o", "made.xyz"], "one of .png, .jpg"),
        (["tile", "EXEMPLAR", "-o", "EXEMPLAR"], "overwrite"),
        (["tile", "EXEMPLAR", "-o", "OUT", "--report", "EXEMPLAR"], "overwrite"),
        (["tile", "EXEMPLAR", "-o", "OUT", "--report", "OUT"], "another for the report"),
        (["tile", "EXEMPLAR", "-o", "OUT", "--save-field", "whole.jpg"], "is where images go"),
        (["tile", "EXEMPLAR", "-o", "new/", "--report", "new"], "is where images go"),
        (["tile", "--maps", "color=exemplar.png,normal=exemplar.png", "-o", "OUT"], "name it once"),
        (["tile", "EXEMPLAR", "-o", "OUT", "--weight", "color=1", "--weight", "color=2"], "color twice"),
        (["render", "absent.npz", "EXEMPLAR", "-o", "OUT"], "absent.npz: there is no such file"),
        (["render", "field.jpg", "EXEMPLAR", "-o", "field.jpg"], "overwrite an exemplar"),
        (["tile", ".", "-o", "OUT"], "no name tells a role"),
        (["tile", "whole.jpg", "see.png", "-o", "EXEMPLAR"], "into a folder"),
        (["tile", "EXEMPLAR", "small.png", "-o", "made"], "one proportion"),
        (["tile", "-o", "OUT"], "no exemplar"),
        (["tile", "", "-o", "OUT"], "EXEMPLAR: a name is empty"),
        (["tile", "--maps", "color=", "-o", "OUT"], "--maps: a name is empty"),
        (["tile", "--maps", "color=EXEMPLAR", "-o", "OUT"], "no such file"),
        (["tile", "--maps", "paint=a.png", "-o", "OUT"], "paint=a.png"),
        (["tile", "--maps", "color=exemplar.png,colour=whole.jpg", "-o", "made"], "role color"),
        (["tile", "EXEMPLAR", "-o", "OUT", "--weight", "normal=1"], "no map has that role"),
        (["tile", "EXEMPLAR", "-o", "OUT", "--weight", "color=x"], "number"),
        (["render", "text.png", "EXEMPLAR", "-o", "OUT"], "not a field"),
        (["tile", "text.png", "-o", "OUT"], "not an image"),
        (["tile", "truncated.png", "-o", "OUT"], "truncated"),
        (["tile", "truncated.jpg", "-o", "OUT"], "truncated"),
        (["tile", "deep.png", "-o", "made.jpg"], "uint16"),
        (["tile", "float.exr", "-o", "OUT"], "float16"),
        (["tile", "see.png", "-o", "made.jpg"], "alpha"),
        (["tile", "small.png", "-o", "OUT"], "small.png: exemplar is 4x9 px"),
        (["mix", "EXEMPLAR", "small.png", "-o", "OUT"], "small.png: the other material is 4x9 px"),
        (["mix", "EXEMPLAR", "whole.jpg", "-o", "OUT", "--t-map", "small.png"], "small.png: t map is 4x9 px"),
        (["fill", "EXEMPLAR", "-o", "OUT"], "--mask"),
        (["fill", "EXEMPLAR", "-o", "OUT", "--mask", "hole.png", "--from", "see.png", "whole.jpg"], "2 other images"),
        (["fill", "EXEMPLAR", "-o", "OUT", "--mask", "absent.png"], "absent.png: there is no such file"),
        (["fill", "EXEMPLAR", "-o", "OUT", "--mask", "small.png"], "small.png: mask is 4x9 px, the image 56x48"),
        (["fill", "EXEMPLAR", "-o", "OUT", "--mask", "hole.png", "--margin", "x"], "margin is 'x'"),
        (["fill", "EXEMPLAR", "-o", "hole.png", "--mask", "hole.png"], "overwrite an exemplar, a mask"),
        (["fill", "EXEMPLAR", "-o", "see.png", "--mask", "hole.png", "--from", "see.png"], "overwrite an exemplar"),
        (["fill", "EXEMPLAR", "-o", "OUT", "--mask", "hole.png", "--from", "absent.png"], "absent.png"),
        (["fill", "EXEMPLAR", "-o", "OUT", "--mask", "hole.png", "--source-mask", "dark.png"], "smaller than a patch"),
        (["fill", "EXEMPLAR", "-o", "OUT", "--mask", "dark.png", "--invert"], "covers the whole image"),
        (["tile", "EXEMPLAR", "-o", "OUT", "--method", "heal", "--size", "64x64"], "picture's own"),
        (["tile", "EXEMPLAR", "-o", "OUT", "--band", "8"], "only method heal"),
        (["tile", "EXEMPLAR", "-o", "OUT", "--method", "heal", "--save-field", "f.npz"], "no field to keep"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    exemplar: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    import OpenImageIO as oiio

    folder = exemplar.parent
    monkeypatch.chdir(folder)
    (folder / "text.png").write_text("not a picture")
    (folder / "truncated.png").write_bytes(exemplar.read_bytes()[:-2000])
    files.write(folder / "whole.jpg", files.Picture(pixels(64, 64, 3)))
    (folder / "truncated.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:-1500])
    side = (64, 64)
    places = np.indices(side, np.int32) * 60 // 64
    Field(places, np.ones(side, np.float32), Sizes((side, side), (side, side, side), (1, 1)), (False, False)).save(
        folder / "field.jpg"
    )
    files.write(folder / "see.png", files.Picture(pixels(32, 32, 4)))
    files.write(folder / "small.png", files.Picture(np.zeros((9, 4, 3), np.uint8)))
    files.write(folder / "hole.png", files.Picture(hole()))
    files.write(folder / "dark.png", files.Picture(0 * hole()))
    for name, kind in (("deep.png", "uint16"), ("float.exr", "half")):
        buffer = oiio.ImageBuf(oiio.ImageSpec(16, 16, 3, kind))
        assert buffer.write(str(folder / name))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    named = {"EXEMPLAR": "exemplar.png", "OUT": "made.png"}
    assert cli.main([named.get(a, a) for a in arguments]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.startswith("otsynth: ")
    assert told.count("\n") == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_failure_is_one_line_and_code_1_and_keeps_the_old_file(
    exemplar: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = exemplar.with_name("made.png")
    out.write_text("old")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    assert cli.main(["tile", str(exemplar), "-o", str(out), "--device", "numpy", "--quiet"]) == 1
    told = capsys.readouterr().err
    assert "disk full" in told
    assert told.count("\n") == 1
    assert out.read_text() == "old"
    assert len(list(out.parent.iterdir())) == 2


def test_a_folder_that_could_not_be_filled_is_not_left_behind(
    exemplar: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    second = exemplar.with_name("wall_rough.png")
    second.write_bytes(exemplar.read_bytes())
    before = sorted(exemplar.parent.iterdir())
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    out = exemplar.with_name("new")
    assert cli.main(["tile", str(exemplar), str(second), "-o", str(out), "--device", "numpy", "--quiet"]) == 1
    assert "disk full" in capsys.readouterr().err
    assert sorted(exemplar.parent.iterdir()) == before


def test_maps_may_be_told_one_by_one_and_results_stand_beside_them(
    exemplar: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = exemplar.parent
    exemplar.rename(folder / "wall_color.png")
    files.write(folder / "wall_rough.png", files.Picture(pixels(48, 56, 1)))
    for _ in range(2):  # the second run does not take the first one's results for maps
        assert cli.main(["tile", str(folder), "-o", str(folder), "--device", "numpy"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert len(told) == len(set(told[: len(told) // 2])) * 2  # a line a level and one at the end
    assert "100%" in told[-1]
    made = {"wall_color_tile.png", "wall_rough_tile.png"}
    assert {path.name for path in folder.iterdir()} == {"wall_color.png", "wall_rough.png", *made}
    one_by_one = [
        f"--maps={role}={folder / f'wall_{name}.png'}" for role, name in (("color", "color"), ("ao", "rough"))
    ]
    assert cli.main(["tile", *one_by_one, "-o", str(folder / "new"), "--device", "numpy", "--quiet"]) == 0
    assert {path.name for path in (folder / "new").iterdir()} == made
    report, single = folder / "r.json", f"--maps=color={folder / 'wall_color.png'}"
    alone = ["tile", single, "-o", str(folder / "one.png"), "--report", str(report)]
    assert cli.main([*alone, "--device", "numpy", "--quiet"]) == 0
    assert json.loads(report.read_text())["exemplar"] == str(folder / "wall_color.png")


@pytest.mark.parametrize("note", ["--save-field", "--report"])
def test_notes_and_images_are_all_written_or_none(
    exemplar: Path, note: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(exemplar.parent.iterdir())

    def full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", full)
    monkeypatch.setattr(Path, "write_text", full)
    out, told = (str(exemplar.with_name(name)) for name in ("made.png", "note"))
    assert cli.main(["tile", str(exemplar), "-o", out, note, told, "--device", "numpy", "--quiet"]) == 1
    assert "disk full" in capsys.readouterr().err
    assert sorted(exemplar.parent.iterdir()) == before


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
@pytest.mark.parametrize("name", ["made.png", "made.jpg"])
def test_a_full_disk_keeps_the_old_file(exemplar: Path, name: str) -> None:
    """A limit on file sizes stands for the disk."""
    out = exemplar.with_name(name)
    out.write_text("old")
    command = f"ulimit -f 1; {sys.executable} -m otsynth_core tile {exemplar} -o {out} --device numpy --quiet"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stderr
    assert out.read_text() == "old"


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_special_files_and_links(exemplar: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe, link, real = (exemplar.with_name(name) for name in ("pipe.png", "link.png", "real.png"))
    os.mkfifo(pipe)
    link.symlink_to(real)
    real.write_text("old")
    options = ["--device", "numpy", "--quiet"]
    assert cli.main(["tile", str(exemplar), "-o", str(pipe), *options]) == 2
    assert cli.main(["tile", str(pipe), "-o", str(real), *options]) == 2
    assert capsys.readouterr().err.count("not a regular file") == 2
    assert pipe.is_fifo()
    assert cli.main(["tile", str(exemplar), "-o", str(link), *options]) == 0
    assert link.is_symlink()
    assert files.read(real).pixels.shape == (48, 56, 3)


@pytest.mark.skipif(os.name == "nt", reason="POSIX shell")
def test_a_broken_png_is_one_line_and_a_closed_stream_no_failure(exemplar: Path) -> None:
    broken, out = exemplar.with_name("broken.png"), exemplar.with_name("made.png")
    broken.write_bytes(exemplar.read_bytes()[:2000])
    command = [sys.executable, "-m", "otsynth_core", "tile"]
    done = subprocess.run([*command, broken, "-o", out], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    shell = f"{sys.executable} -m otsynth_core tile {exemplar} -o {out} --device numpy"
    for closed in (">&-", "2>&-", "| true; exit ${PIPESTATUS[0]}"):
        out.unlink(missing_ok=True)
        done = subprocess.run(["bash", "-c", f"{shell} {closed}"], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, (closed, done.stderr)
        assert files.read(out).pixels.shape == (48, 56, 3)


def test_ctrl_c_leaves_nothing(exemplar: Path) -> None:
    out = exemplar.with_name("made.png")
    command = [sys.executable, "-m", "otsynth_core", "tile", str(exemplar), "-o", str(out), "--size", "900x900"]
    process = subprocess.Popen([*command, "--device", "numpy"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    process.stderr.readline()  # the first level is done: it is at work
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert told.splitlines()[-1] == "otsynth: cancelled: nothing was written"
    assert [path.name for path in exemplar.parent.iterdir()] == ["exemplar.png"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_taken_sideways_is_read_upright(tmp_path: Path, orientation: int) -> None:
    import OpenImageIO as oiio

    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = 250  # bright at the top left
    buffer = oiio.ImageBuf(oiio.ImageSpec(32, 16, 3, "uint8"))
    buffer.set_pixels(oiio.ROI(), upright)
    for turn in {1: [], 2: ["flop"], 3: ["rotate180"], 4: ["flip"], 5: ["transpose"], 6: ["rotate270"],
                 7: ["transpose", "rotate180"], 8: ["rotate90"]}[orientation]:  # fmt: skip
        buffer = getattr(oiio.ImageBufAlgo, turn)(buffer)
    buffer.specmod().attribute("Orientation", orientation)
    assert buffer.write(str(tmp_path / "a.jpg"))
    read = files.read(tmp_path / "a.jpg").pixels
    assert read.shape == upright.shape
    np.testing.assert_allclose(read, upright, atol=12)


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_straight_in_files(tmp_path: Path, channels: int) -> None:
    pixels = np.full((16, 16, channels), 200, np.uint8)
    pixels[..., -1] = np.arange(0, 256, 16)
    files.write(tmp_path / "a.png", files.Picture(pixels))
    np.testing.assert_array_equal(files.read(tmp_path / "a.png").pixels, pixels)


def test_the_colour_profile_goes_along(tmp_path: Path) -> None:
    source, out = tmp_path / "a.png", tmp_path / "b.png"
    profile = np.frombuffer(ICC, np.uint8)
    files.write(source, files.Picture(pixels(32, 32, 3), {"ICCProfile": profile}))
    assert cli.main(["tile", str(source), "-o", str(out), "--device", "numpy", "--quiet"]) == 0
    assert np.asarray(files.read(out).attributes["ICCProfile"], np.uint8).tobytes() == ICC


def _icc() -> bytes:
    """The smallest RGB profile that readers accept: a header and a description."""
    text = b"test profile"
    tag = b"desc" + bytes(4) + len(text + b"\0").to_bytes(4, "big") + text + bytes(1) + bytes(78)
    table = (1).to_bytes(4, "big") + b"desc" + (144).to_bytes(4, "big") + len(tag).to_bytes(4, "big")
    size = 128 + len(table) + len(tag)
    head = size.to_bytes(4, "big") + bytes(4) + bytes([2, 16, 0, 0]) + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    head += bytes(28) + bytes.fromhex("0000f6d6000100000000d32d")
    return head + bytes(128 - len(head)) + table + tag


ICC = _icc()


GRADIENT = ["--solver", "gradient", "--iterations", "3", "--samples", "100", "--scales", "2", "--device", "cpu"]


@pytest.mark.parametrize("verb", [["tile"], ["synthesize", "--size", "40x32"]])
def test_the_gradient_solver_with_report_and_curve(exemplar: Path, verb: list[str]) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    out, curve, report = (exemplar.with_name(name) for name in ("made.png", "c.png", "r.json"))
    more = ["--curve", str(curve), "--report", str(report), "--quiet", "--loss", "entropic", "--entropy", "0.05"]
    assert cli.main([*verb, str(exemplar), "-o", str(out), *GRADIENT, *more]) == 0
    settings = otsynth_core.Gradient(iterations=3, samples=100, scales=2, loss="entropic", entropy=0.05)
    size = (40, 32) if "--size" in verb else (56, 48)
    wanted = otsynth_core.synthesize(files.read(exemplar).pixels, size=size, device="cpu", gradient=settings)
    assert files.read(out).pixels.tobytes() == wanted.image.tobytes()
    said = json.loads(report.read_text())
    assert said["loss"] == list(wanted.losses)
    assert said["gradient"]["loss"] == "entropic"
    assert files.read(curve).pixels.shape[:2] == (500, 800)
    assert files.read(curve).pixels.std() > 1


def test_weights_are_not_overwritten(exemplar: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = exemplar.with_name("vgg.npz")
    weights.write_bytes(b"weights")
    given = ["tile", str(exemplar), "-o", str(exemplar.with_name("made.png")), *GRADIENT]
    assert cli.main([*given, "--features", "vgg", "--vgg", str(weights), "--report", str(weights)]) == 2
    assert "vgg.npz: would overwrite an exemplar, a mask, a field or weights" in capsys.readouterr().err
    assert weights.read_bytes() == b"weights"


def test_memory_that_torch_lacks_is_told_as_such(
    exemplar: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(cli, "_run", fails)
    assert cli.main(["tile", str(exemplar), "-o", "made.png"]) == 1
    assert capsys.readouterr().err == "otsynth: out of memory: ask for a smaller --size, or give smaller images\n"


def test_what_takes_long_is_told_on_the_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(cli.time, "monotonic", lambda: now[0])
    bar = cli._Bar()
    for iteration in range(1, 101):
        now[0] += 1
        bar(Step(0, 1, iteration, 100, iteration / 100, lambda: np.zeros((1, 1, 3))))
    bar.end()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0].endswith(" 11% round 11/100")
    assert lines[-1].endswith("100% round 100/100")


def test_what_is_said_after_a_bar_has_its_own_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.sys.stderr, "isatty", lambda: True, raising=False)
    bar = cli._Bar()
    bar(Step(2, 3, 1, 4, 0.1, lambda: np.zeros((1, 1, 3))))
    bar.end()
    assert capsys.readouterr().err.endswith("10% level 1/3\n")
    bar.end()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--iterations", "5"], "--iterations is the gradient solver's: add --solver gradient"),
        (["--vgg", "w.npz"], "--vgg is the gradient solver's"),
        (["--curve", "c.png"], "--curve is the gradient solver's"),
        ([*GRADIENT, "--save-field", "f.npz"], "the gradient solver has no field to keep; leave --save-field out"),
        ([*GRADIENT, "--curve", "c.txt"], "the curve is a picture; name it .png"),
        ([*GRADIENT, "--curve", "made.png"], "would be written twice; choose another for the curve"),
        ([*GRADIENT, "--curve", "exemplar.png"], "would overwrite an exemplar"),
        ([*GRADIENT, "--entropy", "much"], "entropy is 'much': a number is wanted"),
        ([*GRADIENT, "--iterations", "0"], "iterations is 0"),
        ([*GRADIENT, "--method", "heal"], "method is heal: the gradient solver makes all of a picture anew"),
        ([*GRADIENT, "--features", "vgg"], "no weights were given"),
    ],
)
def test_flags_of_a_solver_that_do_not_go_together(
    exemplar: Path, options: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(exemplar.parent)
    assert cli.main(["tile", "exemplar.png", "-o", "made.png", *options]) == 2
    assert words in capsys.readouterr().err
    assert [path.name for path in exemplar.parent.iterdir()] == ["exemplar.png"]


def test_a_curve_without_matplotlib(
    exemplar: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    out = exemplar.with_name("made.png")
    assert (
        cli.main(["tile", str(exemplar), "-o", str(out), *GRADIENT, "--curve", str(exemplar.with_name("c.png"))]) == 2
    )
    assert "Matplotlib is needed, which is not there" in capsys.readouterr().err
    assert not out.exists()
