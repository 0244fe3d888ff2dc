"""UDIM sets: the active tile or each by itself, the others as they were, packed or in files, to the bit."""

from __future__ import annotations

import importlib
import json
from types import ModuleType

import numpy as np
import pytest

from .conftest import MODULE, Scene, bpy, picture, png
from .test_running import finished, started

NUMBERS = (1001, 1002, 1011)


def tile(number: int, dtype: str = "uint8") -> np.ndarray:
    pixels = np.roll(picture(40, 48, 3), number, 1)
    return pixels if dtype == "uint8" else pixels.astype(np.uint16) * 257


def tiled(scene: Scene, name: str, dtype: str = "uint8") -> bpy.types.Image:
    for number in NUMBERS:
        png(scene.folder / f"{name}.{number}.png", tile(number, dtype))
    image = bpy.data.images.load(str(scene.folder / f"{name}.1001.png"))
    image.source = "TILED"
    image.filepath = str(scene.folder / f"{name}.<UDIM>.png")
    for number in NUMBERS[1:]:
        image.tiles.new(number)
    return image


@pytest.fixture
def pixels(scene: Scene) -> ModuleType:
    scene.node.image = tiled(scene, "skin")
    return importlib.import_module(f"{MODULE}.pixels")


def wanted(number: int, dtype: str = "uint8") -> np.ndarray:
    core = importlib.import_module(f"{MODULE}.otsynth_core")
    return core.tile(tile(number, dtype), device="numpy").image


@pytest.mark.parametrize("store", ["pack", "beside"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("udim", ["active", "each"])
def test_tiles_that_are_asked_for_are_made_and_others_kept(
    pixels: ModuleType, scene: Scene, store: str, dtype: str, udim: str
) -> None:
    scene.node.image = tiled(scene, "coat", dtype)
    scene.node.image.tiles.active_index = 1
    bpy.ops.otsynth.tile(device="numpy", store=store, udim=udim)
    assert sorted(path.name for path in scene.folder.glob("coat_tile*")) == (
        [f"coat_tile.{number}.png" for number in NUMBERS] if store == "beside" else []
    )
    bpy.ops.wm.save_as_mainfile(filepath=str(scene.folder / "test.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(scene.folder / "test.blend"))
    image = bpy.data.images["coat_tile"]
    assert image.source == "TILED"
    assert pixels.numbers(image) == list(NUMBERS)
    for number in NUMBERS:
        anew = udim == "each" or number == 1002
        np.testing.assert_array_equal(
            pixels.read(image, "color", number).map.image, wanted(number, dtype) if anew else tile(number, dtype)
        )


@pytest.mark.parametrize("udim", ["active", "each"])
def test_a_set_that_is_deleted_meanwhile_has_the_tiles_that_were_made(
    pixels: ModuleType, scene: Scene, udim: str
) -> None:
    source = scene.node.image
    source.tiles.active_index = 1
    work = started(udim=udim)
    while udim == "each" and ((update := next(work)) is None or update.fraction < 0.4):  # in the second of three
        pass
    bpy.data.images.remove(source)
    (image,) = finished(work)
    there = [1002] if udim == "active" else [1001, 1002]
    assert pixels.numbers(image) == there
    for number in there:
        np.testing.assert_array_equal(pixels.read(image, "color", number).map.image, wanted(number))
    words = f'"skin.1001.png" was deleted meanwhile. Of its tiles the result has {", ".join(map(str, there))}'
    assert words in json.loads(image["otsynth"])["warnings"]


def test_a_packed_set_needs_no_files(pixels: ModuleType, scene: Scene) -> None:
    scene.node.image.pack()
    for path in scene.folder.glob("skin*"):
        path.unlink()
    bpy.ops.otsynth.tile(device="numpy", udim="each")
    made = pixels.read(bpy.data.images["skin_tile"], "color", 1011).map.image
    np.testing.assert_array_equal(made, wanted(1011))


def test_a_second_result_has_a_name_of_its_own(pixels: ModuleType, scene: Scene) -> None:
    for _ in range(2):
        bpy.ops.otsynth.tile(device="numpy", store="beside")
    assert len(list(scene.folder.glob("skin_tile.????.png"))) == 3
    assert len(list(scene.folder.glob("skin_tile_2.????.png"))) == 3


def refusal(scene: Scene, **options: object) -> str:
    before = scene.state()
    with pytest.raises(RuntimeError) as error:
        bpy.ops.otsynth.tile(device="numpy", **options)
    assert scene.state() == before
    return str(error.value)


def test_a_tile_without_a_file(pixels: ModuleType, scene: Scene) -> None:
    (scene.folder / "skin.1002.png").unlink()
    assert "has no tile 1002" in refusal(scene)


def test_a_tile_without_a_file_is_told_of_before_anything_is_made(pixels: ModuleType, scene: Scene) -> None:
    (scene.folder / "skin.1011.png").unlink()
    with pytest.raises(ValueError, match="has no tile 1011"):
        started()


def test_a_tile_that_is_painted_meanwhile_costs_nothing_that_was_made(pixels: ModuleType, scene: Scene) -> None:
    work = started(udim="each")
    while (update := next(work)) is None or update.fraction < 0.4:  # in the second of three
        pass
    source = scene.node.image
    source.pixels.foreach_set(np.zeros(len(source.pixels), np.float32))
    source.update()
    (image,) = finished(work)
    assert pixels.numbers(image) == [1001, 1002]
    np.testing.assert_array_equal(pixels.read(image, "color", 1001).map.image, wanted(1001))
    (words,) = json.loads(image["otsynth"])["warnings"]
    assert words.endswith("save or pack it first. Of its tiles the result has 1001, 1002")


def test_a_factor_is_of_each_tile_s_own_sides(pixels: ModuleType, scene: Scene) -> None:
    png(scene.folder / "skin.1002.png", picture(24, 32, 3))
    scene.node.image.tiles.active_index = 1
    bpy.ops.otsynth.synthesize(device="numpy", quality="draft", factor=1.5)
    assert pixels.read(bpy.data.images["skin_synthesized"], "color", 1002).map.size == (36, 48)
    bpy.ops.otsynth.synthesize(device="numpy", quality="draft", factor=1.5, udim="each")
    sizes = [pixels.read(bpy.data.images["skin_synthesized.001"], "color", number).map.size for number in NUMBERS]
    assert sizes == [(60, 72), (36, 48), (60, 72)]


def test_a_painted_tile_is_saved_first(pixels: ModuleType, scene: Scene) -> None:
    image = scene.node.image
    values = np.zeros(len(image.pixels), np.float32)
    image.pixels.foreach_set(values)
    image.update()
    assert "save or pack it first" in refusal(scene)


def test_maps_with_other_tiles_are_refused_by_name(pixels: ModuleType, scene: Scene) -> None:
    other = scene.tree.nodes.new("ShaderNodeTexImage")
    other.image = bpy.data.images.load(str(png(scene.folder / "rough.png", picture(40, 48, 1))))
    shader = next(n for n in scene.tree.nodes if n.type == "BSDF_PRINCIPLED")
    scene.tree.links.new(other.outputs[0], shader.inputs["Roughness"])
    assert '"rough.png" have not the same UDIM tiles' in refusal(scene, whole=True)


def test_what_fails_leaves_no_tile_behind(pixels: ModuleType, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        if (scene.folder / "skin_tile.1002.png").exists():
            raise OSError(28, "No space left on device")
        written(*_)

    written = pixels._fill_whole
    monkeypatch.setattr(pixels, "_fill_whole", full)
    assert "No space left" in refusal(scene, store="beside")


def test_a_painted_mask_is_of_its_tile(pixels: ModuleType, scene: Scene) -> None:
    source = scene.node.image
    source.tiles.active_index = 1
    bpy.ops.otsynth.mask()
    name = bpy.context.scene.otsynth.mask
    mask = bpy.data.images[name]
    values = np.array(mask.pixels[:], np.float32).reshape(40, 48, 4)
    values[::-1][10:20, 14:30] = (1, 0, 1, 1)
    mask.pixels.foreach_set(values.ravel())
    options = {"mask": name, "device": "numpy", "quality": "draft"}
    with pytest.raises(RuntimeError, match="is of tile 1002, not 1001"):
        bpy.ops.otsynth.fill(udim="each", **options)
    source.tiles.active_index = 0
    with pytest.raises(RuntimeError, match="is of tile 1002, not 1001"):
        bpy.ops.otsynth.fill(**options)
    source.tiles.active_index = 1
    assert bpy.ops.otsynth.fill(udim="active", **options) == {"FINISHED"}
    image = bpy.data.images["skin_filled"]
    for number in NUMBERS:
        same = (pixels.read(image, "color", number).map.image == tile(number)).all(2)
        assert same[:10].all()
        assert same.all() == (number != 1002)


def test_a_source_mask_is_of_the_stock_s_active_tile(pixels: ModuleType, scene: Scene) -> None:
    stock = scene.node.image
    stock.tiles.active_index = 1
    bpy.ops.otsynth.mask()
    name = bpy.context.scene.otsynth.mask
    values = np.array(bpy.data.images[name].pixels[:], np.float32).reshape(40, 48, 4)
    values[:, :24] = (1, 0, 1, 1)
    bpy.data.images[name].pixels.foreach_set(values.ravel())
    scene.node.image = bpy.data.images["wall.png"]
    hole = np.zeros((40, 48, 1), np.uint8)
    hole[10:20, 14:30] = 255
    mask = bpy.data.images.load(str(png(scene.folder / "hole.png", hole))).name
    bpy.ops.otsynth.fill(mask=mask, stock=stock.name, source_mask=name, device="numpy", quality="draft")
    report = json.loads(bpy.data.images["wall_filled"]["otsynth"])
    assert report["filled"] == 160
    shown = importlib.import_module(f"{MODULE}.otsynth_core")
    where = np.zeros((40, 48), np.uint8)
    where[:, :24] = 255
    made = shown.fill(
        picture(40, 48, 3), hole, other=tile(1002), source_mask=where, device="numpy", quality="draft"
    ).image
    np.testing.assert_array_equal(pixels.read(bpy.data.images["wall_filled"], "color").map.image, made)


def test_a_mask_that_lacks_a_tile_is_refused_before_anything_is_made(pixels: ModuleType, scene: Scene) -> None:
    png(scene.folder / "hole.1001.png", np.full((40, 48, 1), 255, np.uint8))
    mask = bpy.data.images.load(str(scene.folder / "hole.1001.png"))
    mask.source, mask.filepath = "TILED", str(scene.folder / "hole.<UDIM>.png")
    before = len(bpy.data.images)
    with pytest.raises(RuntimeError, match=f"has no tile {NUMBERS[1]}"):
        bpy.ops.otsynth.fill(mask=mask.name, udim="each", device="numpy", quality="draft")
    assert len(bpy.data.images) == before


def test_a_mask_with_tiles_is_read_tile_by_tile(pixels: ModuleType, scene: Scene) -> None:
    for number in NUMBERS:
        hole = np.zeros((40, 48, 1), np.uint8)
        hole[5 * (number % 5) : 5 * (number % 5) + 5, 10:20] = 255
        png(scene.folder / f"hole.{number}.png", hole)
    mask = bpy.data.images.load(str(scene.folder / "hole.1001.png"))
    mask.source, mask.filepath = "TILED", str(scene.folder / "hole.<UDIM>.png")
    for number in NUMBERS[1:]:
        mask.tiles.new(number)
    assert bpy.ops.otsynth.fill(mask=mask.name, udim="each", device="numpy", quality="draft") == {"FINISHED"}
    for number in NUMBERS:
        same = (pixels.read(bpy.data.images["skin_filled"], "color", number).map.image == tile(number)).all(2)
        top = 5 * (number % 5)
        assert not same[top : top + 5, 10:20].all()
        same[top : top + 5, 10:20] = True
        assert same.all()
