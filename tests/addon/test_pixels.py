"""Every kind of image comes out of Blender and goes back with the same bits, packed or in a file."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from .conftest import MODULE, Scene, bpy, png

SIZE = (16, 24)


@pytest.fixture
def pixels(scene: Scene) -> ModuleType:
    return importlib.import_module(f"{MODULE}.pixels")


def stored(channels: int, dtype: str) -> np.ndarray:
    """Noise with alpha 0 over colour, alpha 1 and all between."""
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (*SIZE, channels), dtype, endpoint=True)
    if channels in (2, 4):
        values[:4, :, -1], values[4:8, :, -1] = 0, np.iinfo(dtype).max
    return values


def shown(image: bpy.types.Image) -> np.ndarray:
    flat = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(flat)
    return flat.reshape(image.size[1], image.size[0], 4)


def there_and_back(
    pixels: ModuleType, folder: Path, image: bpy.types.Image, store: str, role: str = "color"
) -> np.ndarray:
    """Reads an image, makes one of the same values, saves, opens: the values that were read."""
    want = shown(image).copy()
    picture = pixels.read(image, role)
    values = picture.map.image
    path = folder / f"copy{picture.ending}" if store == "beside" else None
    made = pixels.create("copy", {None: pixels.Ready.of(values, picture.ending)}, picture, path)
    np.testing.assert_array_equal(shown(made), want)
    np.testing.assert_array_equal(pixels.read(made, role).map.image, values)
    made.use_fake_user = True
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "test.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(folder / "test.blend"))
    np.testing.assert_array_equal(shown(bpy.data.images["copy"]), want)
    return values


STORES = pytest.mark.parametrize("store", ["pack", "beside"])
SPACES = pytest.mark.parametrize("space", ["sRGB", "Non-Color", "Linear Rec.709"])


@STORES
@SPACES
@pytest.mark.parametrize("mode", ["STRAIGHT", "PREMUL", "CHANNEL_PACKED", "NONE"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_files_with_alpha(pixels: ModuleType, scene: Scene, dtype: str, space: str, mode: str, store: str) -> None:
    given = stored(4, dtype)
    image = bpy.data.images.load(str(png(scene.folder / "a.png", given)))
    image.colorspace_settings.name, image.alpha_mode = space, mode
    values = there_and_back(pixels, scene.folder, image, store)
    assert values.dtype == dtype
    if mode != "PREMUL" or dtype == "uint16":  # Blender divides 8 bits by alpha when it loads them
        hidden = dtype == "uint8" and mode == "NONE" and space != "Non-Color"
        np.testing.assert_array_equal(values, given[..., : 3 if hidden else 4])


@STORES
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_files_of_fewer_channels(pixels: ModuleType, scene: Scene, channels: int, dtype: str, store: str) -> None:
    given = stored(channels, dtype)
    image = bpy.data.images.load(str(png(scene.folder / "a.png", given)))
    image.colorspace_settings.name = "Non-Color"
    np.testing.assert_array_equal(there_and_back(pixels, scene.folder, image, store), given)


def test_a_normal_map_has_three_channels_even_where_it_is_grey(pixels: ModuleType, scene: Scene) -> None:
    image = bpy.data.images.load(str(png(scene.folder / "a.png", stored(1, "uint8"))))
    assert pixels.read(image, "normal").map.image.shape == (*SIZE, 3)


def floats(scale: float = 3) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((*SIZE, 4)).astype(np.float32) * np.float32(scale)


def exr(path: Path, values: np.ndarray) -> bpy.types.Image:
    image = bpy.data.images.new("source", SIZE[1], SIZE[0], alpha=True, float_buffer=True)
    image.colorspace_settings.name, image.alpha_mode = "Non-Color", "CHANNEL_PACKED"
    image.pixels.foreach_set(np.ascontiguousarray(values[::-1]).ravel())
    image.filepath_raw, image.file_format = str(path), "OPEN_EXR"
    image.save()
    bpy.data.images.remove(image)
    return bpy.data.images.load(str(path))


@STORES
@SPACES
@pytest.mark.parametrize("mode", ["STRAIGHT", "PREMUL", "CHANNEL_PACKED"])
def test_floats(pixels: ModuleType, scene: Scene, space: str, mode: str, store: str) -> None:
    image = exr(scene.folder / "a.exr", floats())
    image.colorspace_settings.name, image.alpha_mode = space, mode
    values = there_and_back(pixels, scene.folder, image, store)
    np.testing.assert_array_equal(values, floats())


def test_light_is_put_together_by_the_core_as_it_is(pixels: ModuleType, scene: Scene) -> None:
    """Linear, multiplied by alpha, of any range: the operator's result is the core's."""
    core = importlib.import_module(f"{MODULE}.otsynth_core")
    scene.node.image = exr(scene.folder / "a.exr", np.abs(floats()))
    bpy.ops.otsynth.tile(device="numpy")
    made = pixels.read(bpy.data.images["a_tile"], "color").map.image
    wanted = core.tile(core.Map(np.abs(floats()), linear=True, associated=True), device="numpy").image
    np.testing.assert_array_equal(made, wanted)


def test_a_float_file_of_few_values_stays_float(pixels: ModuleType, scene: Scene) -> None:
    image = exr(scene.folder / "a.exr", (floats() > 0).astype(np.float32))
    assert there_and_back(pixels, scene.folder, image, "pack").dtype == np.float32


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_packed(pixels: ModuleType, scene: Scene, dtype: str) -> None:
    image = bpy.data.images.load(str(png(scene.folder / "a.png", stored(4, dtype))))
    image.pack()
    (scene.folder / "a.png").unlink()
    np.testing.assert_array_equal(there_and_back(pixels, scene.folder, image, "pack"), stored(4, dtype))


def painted(image: bpy.types.Image) -> None:
    rows = np.random.default_rng(1).random(len(image.pixels)).astype(np.float32)
    image.pixels.foreach_set(rows)
    image.update()


def eight(folder: Path) -> bpy.types.Image:
    return bpy.data.images.load(str(png(folder / "a.png", stored(4, "uint8"))))


def sixteen(folder: Path) -> bpy.types.Image:
    return bpy.data.images.load(str(png(folder / "a.png", stored(4, "uint16"))))


def generated(folder: Path) -> bpy.types.Image:
    return bpy.data.images.new("paint", SIZE[1], SIZE[0], alpha=True)


def generated_floats(folder: Path) -> bpy.types.Image:
    return bpy.data.images.new("paint", SIZE[1], SIZE[0], alpha=True, float_buffer=True)


@pytest.mark.parametrize("kind", [eight, sixteen, generated, generated_floats])
@pytest.mark.parametrize("space", ["sRGB", "Non-Color"])
def test_what_was_painted_and_not_saved(
    pixels: ModuleType, scene: Scene, kind: Callable[[Path], bpy.types.Image], space: str
) -> None:
    image = kind(scene.folder)
    image.colorspace_settings.name = space
    assert len(image.pixels)
    painted(image)
    there_and_back(pixels, scene.folder, image, "pack")


def test_nothing_is_left_behind_by_reading(pixels: ModuleType, scene: Scene) -> None:
    image = sixteen(scene.folder)
    before = scene.state()
    pixels.read(image, "color")
    assert scene.state() == before
    assert not image.is_dirty


@pytest.mark.skipif(not hasattr(bpy.data, "colorspace"), reason="Blender 5.0 and newer")
def test_a_file_with_another_working_space(pixels: ModuleType, scene: Scene) -> None:
    bpy.ops.wm.set_working_color_space(working_space="Linear Rec.2020")
    assert bpy.data.colorspace.working_space == "Linear Rec.2020"
    image = generated_floats(scene.folder)
    painted(image)
    there_and_back(pixels, scene.folder, image, "pack")
