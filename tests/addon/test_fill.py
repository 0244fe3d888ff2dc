"""Fill in real Blender: masks of every kind, what stays to the bit, variants, and the whole material."""

from __future__ import annotations

import importlib
import json
from types import ModuleType

import numpy as np
import pytest

from .conftest import MODULE, Scene, bpy, picture, png, values

HOLE = np.s_[10:20, 14:30]
OPTIONS = {"device": "numpy", "quality": "draft"}


def core() -> ModuleType:
    return importlib.import_module(f"{MODULE}.otsynth_core")


def mask() -> np.ndarray:
    made = np.zeros((40, 48, 1), np.uint8)
    made[HOLE] = 255
    return made


def white(scene: Scene) -> str:
    """The name of a mask image, white in the hole."""
    return bpy.data.images.load(str(png(scene.folder / "hole.png", mask()))).name


def results(scene: Scene) -> list[bpy.types.Node]:
    return [n for n in scene.tree.nodes if n.type == "TEX_IMAGE" and n.name != scene.node_name]


def paint(image: bpy.types.Image, where: tuple[slice, slice], color: tuple[float, ...] = (1, 0, 1, 1)) -> None:
    width, height = image.size
    flat = np.array(image.pixels[:], np.float32).reshape(height, width, 4)
    flat[::-1][where] = color
    image.pixels.foreach_set(flat.ravel())
    image.update()


def test_fill_is_the_cores_result_and_keeps_the_known(scene: Scene) -> None:
    assert bpy.ops.otsynth.fill(mask=white(scene), seed=4, **OPTIONS) == {"FINISHED"}
    (node,) = results(scene)
    assert node.image.name == "wall_filled"
    made, given = values(node.image), values(scene.node.image)
    known = mask()[..., 0] == 0
    np.testing.assert_array_equal(made[known], given[known])
    wanted = core().fill(picture(40, 48, 3), mask(), seed=4, **OPTIONS).image
    np.testing.assert_array_equal(made[..., :3], wanted)
    assert (made != given)[HOLE].any()
    report = json.loads(node.image["otsynth"])
    assert (report["task"], report["filled"]) == ("fill", 160)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_known_is_equal_in_8_and_16_bits(scene: Scene, channels: int, depth: type) -> None:
    given = (picture(40, 48, channels).astype(np.uint16) * (257 if depth == np.uint16 else 1)).astype(depth)
    if depth == np.uint16:
        given += np.random.default_rng(0).integers(0, 99, given.shape, np.uint16) * (given < 65000)
    image = bpy.data.images.load(str(png(scene.folder / "deep.png", given)))
    image.colorspace_settings.name = "Non-Color"
    scene.node.image = image
    assert bpy.ops.otsynth.fill(mask=white(scene), **OPTIONS) == {"FINISHED"}
    pixels = importlib.import_module(f"{MODULE}.pixels")
    before, after = (pixels.read(one, "other").map.image for one in (image, results(scene)[0].image))
    assert after.dtype == before.dtype == depth
    known = mask()[..., 0] == 0
    np.testing.assert_array_equal(after[known], before[known])
    assert (after != before)[HOLE].any()


def test_a_painted_mask_is_what_was_painted(scene: Scene) -> None:
    assert bpy.ops.otsynth.mask() == {"FINISHED"}
    options = bpy.context.scene.otsynth
    image = bpy.data.images[options.mask]
    assert image.name == "wall_mask"
    np.testing.assert_array_equal(values(image)[..., :3], values(scene.node.image)[..., :3].clip(1, 254))
    paint(image, HOLE)
    assert bpy.ops.otsynth.fill(mask=options.mask, seed=4, **OPTIONS) == {"FINISHED"}
    wanted = core().fill(picture(40, 48, 3), mask(), seed=4, **OPTIONS).image
    np.testing.assert_array_equal(values(results(scene)[0].image)[..., :3], wanted)


@pytest.mark.parametrize("color", [0, 1])
def test_paint_is_found_on_what_has_its_colour(scene: Scene, color: int) -> None:
    """A highlight, or a hole, is painted over with the brush that is there: white, or black."""
    source = picture(40, 48, 3)
    source[8:30, 8:40] = 255 * color
    scene.node.image = bpy.data.images.load(str(png(scene.folder / "spot.png", source)))
    bpy.ops.otsynth.mask()
    name = bpy.context.scene.otsynth.mask
    paint(bpy.data.images[name], HOLE, (color, color, color, 1))
    assert bpy.ops.otsynth.fill(mask=name, seed=4, **OPTIONS) == {"FINISHED"}
    wanted = core().fill(source, mask(), seed=4, **OPTIONS).image
    np.testing.assert_array_equal(values(results(scene)[0].image)[..., :3], wanted)


@pytest.mark.parametrize("kind", ["float", "16 bit", "grey", "alpha"])
def test_paint_is_found_on_every_kind_of_image(scene: Scene, kind: str) -> None:
    if kind == "float":
        image = bpy.data.images.new("bright", 48, 40, float_buffer=True)
        rng = np.random.default_rng(0)
        image.pixels.foreach_set(
            np.dstack([rng.random((40, 48, 3)) * 4, np.ones((40, 48, 1))]).astype(np.float32).ravel()
        )
    else:
        channels = {"16 bit": 3, "grey": 1, "alpha": 4}[kind]
        given = picture(40, 48, channels)
        given = given.astype(np.uint16) * 250 if kind == "16 bit" else given
        image = bpy.data.images.load(str(png(scene.folder / "given.png", given)))
    scene.node.image = image
    assert bpy.ops.otsynth.mask() == {"FINISHED"}
    name = bpy.context.scene.otsynth.mask
    before = results(scene)
    assert bpy.ops.otsynth.fill(mask=name, **OPTIONS) == {"FINISHED"}  # nothing is painted yet
    assert json.loads(next(n for n in results(scene) if n not in before).image["otsynth"])["filled"] == 0
    paint(bpy.data.images[name], HOLE, (0.2, 0.9, 0.1, 0.5))
    before = results(scene)
    assert bpy.ops.otsynth.fill(mask=name, **OPTIONS) == {"FINISHED"}
    assert json.loads(next(n for n in results(scene) if n not in before).image["otsynth"])["filled"] == 160


def test_the_image_s_own_transparency(scene: Scene) -> None:
    given = picture(40, 48, 4)
    given[..., 3] = 255 - mask()[..., 0]
    scene.node.image = bpy.data.images.load(str(png(scene.folder / "cut.png", given)))
    assert bpy.ops.otsynth.fill(mask_from="alpha", **OPTIONS) == {"FINISHED"}
    made = values(results(scene)[0].image)
    assert (made[..., 3] == 255).all()
    known = mask()[..., 0] == 0
    np.testing.assert_array_equal(made[known], given[known])


def test_invert_margin_and_wrap_are_passed_on(scene: Scene) -> None:
    bpy.data.images.load(str(png(scene.folder / "black.png", 255 - mask())))
    bpy.ops.otsynth.fill(mask="black.png", invert=True, margin=3, fill_wrap="x", **OPTIONS)
    report = json.loads(results(scene)[0].image["otsynth"])
    assert (report["invert"], report["margin"], report["wrap"]) == (True, 3, "x")
    assert report["filled"] > 160


def moss(scene: Scene) -> tuple[np.ndarray, str]:
    """Another texture, and the name of an image of it."""
    made = np.rint(picture(64, 52, 3)[::-1] * (0.3, 0.8, 0.2)).astype(np.uint8)
    return made, bpy.data.images.load(str(png(scene.folder / "moss.png", made))).name


def left(scene: Scene, size: tuple[int, int]) -> tuple[np.ndarray, str]:
    """A mask whose left half is white, and the name of an image of it."""
    made = np.zeros((*size, 1), np.uint8)
    made[:, : size[1] // 2] = 255
    return made, bpy.data.images.load(str(png(scene.folder / "left.png", made))).name


@pytest.mark.parametrize("masked", [False, True])
def test_material_is_taken_from_another_image(scene: Scene, masked: bool) -> None:
    other, stock = moss(scene)
    source, name = left(scene, (64, 52)) if masked else (None, "")
    bpy.ops.otsynth.fill(mask=white(scene), stock=stock, source_mask=name, **OPTIONS)
    wanted = core().fill(picture(40, 48, 3), mask(), other=other, source_mask=source, **OPTIONS).image
    np.testing.assert_array_equal(values(results(scene)[0].image)[..., :3], wanted)


@pytest.mark.parametrize("kind", ["normal", "normal_dx"])
def test_normals_of_the_other_kind_are_turned(scene: Scene, kind: str) -> None:
    scene.node.image.otsynth_role = "normal"
    other, stock = moss(scene)
    bpy.data.images[stock].otsynth_role = kind
    bpy.ops.otsynth.fill(mask=white(scene), stock=stock, **OPTIONS)
    Map = core().Map  # noqa: N806
    wanted = core().fill(Map(picture(40, 48, 3), "normal"), mask(), other=Map(other, kind), **OPTIONS).image
    np.testing.assert_array_equal(values(results(scene)[0].image)[..., :3], wanted)


def test_an_image_that_is_grey_by_chance_is_filled_with_colour(scene: Scene) -> None:
    grey = picture(40, 48, 1)
    scene.node.image = bpy.data.images.load(str(png(scene.folder / "grey.png", grey)))
    other, stock = moss(scene)
    bpy.ops.otsynth.fill(mask=white(scene), stock=stock, **OPTIONS)
    wanted = core().fill(grey.repeat(3, 2), mask(), other=other, **OPTIONS).image
    np.testing.assert_array_equal(values(results(scene)[0].image)[..., :3], wanted)


def test_fill_in_the_image_editor_is_of_what_the_mask_was_painted_on(scene: Scene) -> None:
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "IMAGE_EDITOR"
    space = area.spaces.active
    space.image = scene.node.image
    with bpy.context.temp_override(window=window, area=area, region=area.regions[-1]):
        assert bpy.ops.otsynth.mask() == {"FINISHED"}
        name = bpy.context.scene.otsynth.mask
        assert space.image.name == name
        paint(space.image, HOLE)
        assert bpy.ops.otsynth.fill(mask=name, **OPTIONS) == {"FINISHED"}
        assert space.image.name == "wall_filled"
    assert json.loads(space.image["otsynth"])["filled"] == 160


def test_in_the_image_editor_a_result_is_made_again_of_its_source(scene: Scene) -> None:
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "IMAGE_EDITOR"
    space = area.spaces.active
    space.image = source = scene.node.image
    with bpy.context.temp_override(window=window, area=area, region=area.regions[-1]):
        bpy.ops.otsynth.mask()
        name = bpy.context.scene.otsynth.mask
        paint(space.image, HOLE)
        bpy.ops.otsynth.fill(mask=name, **OPTIONS)
        bpy.ops.otsynth.fill(mask=name, seed=1, **OPTIONS)
        assert space.image.name == "wall_filled.001"
        for seed in (2, 3):
            bpy.ops.otsynth.tile(again="replace", seed=seed, **OPTIONS)
        assert len(results(scene)) == 3
        assert json.loads(space.image["otsynth"])["seed"] == 3
        assert json.loads(space.image["otsynth"])["source"] == source.name
        shown = space.image.name
        with pytest.raises(RuntimeError, match="seed is -1"):
            bpy.ops.otsynth.tile(again="replace", seed=-1, **OPTIONS)
        assert space.image.name == shown
        bpy.ops.otsynth.tile(**OPTIONS)  # beside it, and of what is shown
        assert json.loads(space.image["otsynth"])["source"] == shown


def test_an_image_that_is_in_no_node_keeps_one_result_where_the_last_is_replaced(scene: Scene) -> None:
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "IMAGE_EDITOR"
    space = area.spaces.active
    space.image = bpy.data.images.load(str(png(scene.folder / "solo.png", picture(40, 48, 3))))
    with bpy.context.temp_override(window=window, area=area, region=area.regions[-1]):
        for seed in (1, 2, 3):
            assert bpy.ops.otsynth.tile(again="replace", seed=seed, **OPTIONS) == {"FINISHED"}
        assert [image.name for image in bpy.data.images if image.name.startswith("solo_tile")] == [space.image.name]
        assert json.loads(space.image["otsynth"])["seed"] == 3
        bpy.ops.otsynth.tile(method="heal", **OPTIONS)  # of what is shown, and beside it
        assert sum(image.name.startswith("solo_tile") for image in bpy.data.images) == 2


def test_a_mask_for_a_whole_material_is_painted_on_what_its_results_were_made_of(scene: Scene) -> None:
    bpy.ops.otsynth.tile(whole=True, use=True, **OPTIONS)
    scene.tree.nodes.active = results(scene)[0]
    bpy.context.scene.otsynth.whole = True
    bpy.ops.otsynth.mask()
    name = bpy.context.scene.otsynth.mask
    paint(bpy.data.images[name], HOLE)
    assert bpy.ops.otsynth.fill(whole=True, mask=name, **OPTIONS) == {"FINISHED"}


@pytest.mark.parametrize("painted", [False, True])
def test_material_is_taken_from_where_the_source_mask_says(scene: Scene, painted: bool) -> None:
    source, name = left(scene, (40, 48))
    if painted:
        bpy.ops.otsynth.mask()
        name = bpy.context.scene.otsynth.mask
        paint(bpy.data.images[name], np.s_[:, :24])
    bpy.ops.otsynth.fill(mask=white(scene), source_mask=name, **OPTIONS)
    wanted = core().fill(picture(40, 48, 3), mask(), source_mask=source, **OPTIONS).image
    np.testing.assert_array_equal(values(results(scene)[0].image)[..., :3], wanted)


def test_a_whole_material_is_filled_from_another(scene: Scene) -> None:
    forest = bpy.data.materials.new("Forest")
    if forest.node_tree is None:
        forest.use_nodes = True
    node = forest.node_tree.nodes.new("ShaderNodeTexImage")
    other, stock = moss(scene)
    node.image = bpy.data.images[stock]
    shader = next(n for n in forest.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    forest.node_tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
    bpy.ops.otsynth.fill(mask=white(scene), whole=True, stock_material="Forest", **OPTIONS)
    wanted = core().fill(picture(40, 48, 3), mask(), other=other, **OPTIONS).image
    np.testing.assert_array_equal(values(results(scene)[0].image)[..., :3], wanted)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stock": "nothing"}, 'There is no image "nothing": choose another'),
        ({"whole": True, "stock": "tall.png"}, 'stock is "tall.png": a whole material is filled from another material'),
        ({"stock_material": "Empty"}, 'stock_material is "Empty": an image is filled from another image; give stock'),
        ({"whole": True, "stock_material": "nothing"}, 'There is no material "nothing": choose another'),
        ({"whole": True, "stock_material": "Empty"}, 'No image feeds the output of material "Empty"'),
        ({"source_mask": "nothing"}, 'There is no image "nothing": choose another source mask, or none'),
        ({"source_mask": "black.png"}, "source mask"),
        ({"source_mask": "tall.png"}, "source mask is 9x40 px"),
    ],
)
def test_a_stock_that_cannot_be_used_is_named(scene: Scene, options: dict, words: str) -> None:
    for name, made in (("tall", picture(40, 9, 1)), ("black", 0 * mask())):
        bpy.data.images.load(str(png(scene.folder / f"{name}.png", made)))
    empty = bpy.data.materials.new("Empty")
    if empty.node_tree is None:
        empty.use_nodes = True
    name, before = white(scene), scene.state()
    with pytest.raises(RuntimeError) as refusal:
        bpy.ops.otsynth.fill(mask=name, **options, **OPTIONS)
    assert words in str(refusal.value)
    assert scene.state() == before


def test_variants_stand_beside_or_replace_the_last(scene: Scene) -> None:
    name = white(scene)
    for seed in (1, 2):
        bpy.ops.otsynth.fill(mask=name, seed=seed, **OPTIONS)
    first, second = results(scene)
    kept, gone = first.image.name, second.image.name
    assert bpy.ops.otsynth.fill(mask=name, seed=3, again="replace", **OPTIONS) == {"FINISHED"}
    assert len(results(scene)) == 2
    assert results(scene)[0].image.name == kept
    assert json.loads(results(scene)[1].image["otsynth"])["seed"] == 3
    assert sum(image.name.startswith("wall_filled") for image in bpy.data.images) == 2
    assert gone not in bpy.data.images or bpy.data.images[gone].users
    bpy.ops.otsynth.tile(again="replace", **OPTIONS)  # the last of its kind, and there is none
    assert len(results(scene)) == 3


def test_what_was_made_last_is_used_and_stepped_through(scene: Scene) -> None:
    bpy.ops.otsynth.tile(variations=2, **OPTIONS)
    bpy.ops.otsynth.fill(mask=white(scene), variations=2, **OPTIONS)
    bpy.ops.otsynth.tile(again="replace", variations=3, seed=5, use=True, **OPTIONS)
    tiled, filled = results(scene)
    assert not filled.outputs["Color"].links
    assert len(tiled.outputs["Color"].links) == 1
    bpy.ops.otsynth.keep()
    names = [image.name for image in bpy.data.images]
    assert sum(name.startswith("wall_tile") for name in names) == 1
    assert sum(name.startswith("wall_filled") for name in names) == 2


def test_the_whole_material_is_filled_in_step(scene: Scene) -> None:
    tree = scene.tree
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.load(str(png(scene.folder / "wall_rough.png", picture(80, 96, 1))))
    node.image.colorspace_settings.name = "Non-Color"
    shader = next(n for n in tree.nodes if n.type == "BSDF_PRINCIPLED")
    tree.links.new(node.outputs["Color"], shader.inputs["Roughness"])
    assert bpy.ops.otsynth.fill(mask=white(scene), whole=True, **OPTIONS) == {"FINISHED"}
    made = {n.image.name: n.image for n in results(scene)}
    assert {"wall_filled", "wall_rough_filled"} <= set(made)
    rough, given = values(made["wall_rough_filled"])[..., 0], picture(80, 96, 1)[..., 0]
    known = mask()[..., 0].repeat(2, 0).repeat(2, 1) == 0
    np.testing.assert_array_equal(rough[known], given[known])
    assert (rough != given)[~known].any()


def test_tile_heals(scene: Scene) -> None:
    assert bpy.ops.otsynth.tile(method="heal", band=5, **OPTIONS) == {"FINISHED"}
    image = results(scene)[0].image
    np.testing.assert_array_equal(values(image)[5:-5, 5:-5], values(scene.node.image)[5:-5, 5:-5])
    assert json.loads(image["otsynth"])["band"] == 5


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("none", "No mask is chosen"),
        ("gone", 'There is no image "gone.png"'),
        ("another", "painted on a copy of"),
        ("small", "has changed since"),
        ("changed", "has changed since"),
        ("square", "one proportion"),
        ("dark", "nothing was filled"),
        ("full", "covers the whole image"),
    ],
)
def test_a_mask_that_cannot_be_used_is_named(scene: Scene, how: str, words: str, capfd: pytest.CaptureFixture) -> None:
    name = {"none": "", "gone": "gone.png"}.get(how, "")
    if how in ("another", "small", "changed"):
        bpy.ops.otsynth.mask()
        name = bpy.context.scene.otsynth.mask
        other = bpy.data.images.load(str(png(scene.folder / "other.png", picture(40, 48, 3))))
        if how == "another":
            scene.node.image = other
        elif how == "changed":
            paint(scene.node.image, np.s_[:3, :3])
        else:
            scene.node.image.scale(24, 20)
    elif how in ("square", "dark", "full"):
        made = {"square": np.full((40, 40, 1), 255, np.uint8), "dark": 0 * mask(), "full": 0 * mask() + 255}[how]
        name = bpy.data.images.load(str(png(scene.folder / "mask.png", made))).name
    before = scene.state()
    if how == "dark":
        assert bpy.ops.otsynth.fill(mask=name, **OPTIONS) == {"FINISHED"}
        assert words in capfd.readouterr().out
        np.testing.assert_array_equal(values(results(scene)[0].image), values(scene.node.image))
        return
    with pytest.raises(RuntimeError, match=words):
        bpy.ops.otsynth.fill(mask=name, **OPTIONS)
    assert scene.state() == before


def test_paint_mask_says_why_it_is_grey(scene: Scene) -> None:
    scene.tree.nodes.active = next(n for n in scene.tree.nodes if n.type == "BSDF_PRINCIPLED")
    with pytest.raises(RuntimeError, match="No Image Texture node is active"):
        bpy.ops.otsynth.mask()


def test_a_mask_of_a_copy_that_is_gone_is_named(scene: Scene) -> None:
    bpy.ops.otsynth.mask()
    name = bpy.context.scene.otsynth.mask
    old = scene.node.image
    scene.node.image = bpy.data.images.load(str(png(scene.folder / "other.png", picture(40, 48, 3))))
    bpy.data.images.remove(old)
    with pytest.raises(RuntimeError, match="an image that is gone"):
        bpy.ops.otsynth.fill(mask=name, **OPTIONS)


def test_a_painted_mask_is_kept_in_the_file(scene: Scene) -> None:
    bpy.ops.otsynth.mask()
    name = bpy.context.scene.otsynth.mask
    paint(bpy.data.images[name], HOLE)
    bpy.data.images[name].pack()
    path = str(scene.folder / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    scene.tree.nodes.active = scene.node
    assert bpy.ops.otsynth.fill(mask=name, **OPTIONS) == {"FINISHED"}
    assert json.loads(results(scene)[0].image["otsynth"])["filled"] == 160
