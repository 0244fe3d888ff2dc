"""A job between its first step and its last, a step a tick as in the window: whatever the user does meanwhile."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from .conftest import MODULE, Scene, bpy, picture, png, values


def module(name: str) -> ModuleType:
    return importlib.import_module(f"{MODULE}.{name}")


def exchanged() -> list[Path]:
    """What jobs have left of their files."""
    return list(Path(bpy.app.tempdir).glob("otsynth-*"))


class Options(SimpleNamespace):
    """An operator's options, apart from an operator: Blender makes these only for its own calls."""

    def __init__(self, **given: object) -> None:
        kind = bpy.types.OTSYNTH_OT_tile
        defaults = {name: bpy.ops.otsynth.tile.get_rna_type().properties[name].default for name in given_names(kind)}
        super().__init__(**{**defaults, "device": "numpy", **given})
        self.properties = SimpleNamespace(is_property_set=lambda name: name in given)


def given_names(kind: type) -> list[str]:
    return module("properties").names(module("properties").ForTile)


def started(**given: object) -> Generator:
    """A job as `invoke` starts it, a thread listening to the worker; it has read its input."""
    synthesis = module("synthesis")
    kind = synthesis.Kind("Make Seamless", "tile", "_tile")
    work = synthesis.work(bpy.context, Options(**given), kind, module("background").aside)
    next(work)
    return work


def finished(work: Generator) -> list[bpy.types.Image]:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def result(scene: Scene) -> np.ndarray:
    """What a script gets."""
    assert bpy.ops.otsynth.tile(device="numpy", seed=2) == {"FINISHED"}
    node = next(n for n in scene.tree.nodes if n.type == "TEX_IMAGE" and n.name != scene.node_name)
    pixels = values(node.image)
    bpy.data.images.remove(node.image)
    scene.tree.nodes.remove(node)
    return pixels


def made_node(scene: Scene, image: bpy.types.Image) -> bpy.types.Node:
    return next(n for n in scene.tree.nodes if n.type == "TEX_IMAGE" and n.image == image)


def rename(scene: Scene) -> None:
    scene.node.image.name = "another"
    bpy.data.materials[scene.material_name].name = scene.material_name = "Other"
    scene.node.name = scene.node_name = "elsewhere"


def select_another(scene: Scene) -> None:
    bpy.ops.mesh.primitive_cube_add()
    bpy.context.object.data.materials.append(bpy.data.materials.new("empty"))


def another_active_node(scene: Scene) -> None:
    scene.tree.nodes.active = next(n for n in scene.tree.nodes if n.type == "BSDF_PRINCIPLED")


def undo(scene: Scene) -> None:
    bpy.ops.ed.undo_push(message="one")
    scene.tree.nodes.new("ShaderNodeRGB")
    bpy.ops.ed.undo_push(message="two")
    bpy.ops.ed.undo()


@pytest.mark.parametrize("meanwhile", [rename, select_another, another_active_node, undo])
@pytest.mark.parametrize("when", ["early", "late"])
def test_the_result_arrives_whatever_was_done(scene: Scene, meanwhile: Callable[[Scene], None], when: str) -> None:
    wanted = result(scene)
    work = started(seed=2)
    if when == "late":
        while (update := next(work)) is None or update.fraction < 0.5:
            pass
    meanwhile(scene)
    (image,) = finished(work)
    np.testing.assert_array_equal(values(image), wanted)
    new = made_node(scene, image)
    assert new.location.x == scene.node.location.x
    assert new.inputs["Vector"].links[0].from_socket == scene.node.inputs["Vector"].links[0].from_socket


def test_a_source_that_is_deleted_has_its_result_all_the_same(scene: Scene) -> None:
    wanted = result(scene)
    work = started(seed=2)
    bpy.data.images.remove(scene.node.image)
    (image,) = finished(work)
    np.testing.assert_array_equal(values(image), wanted)
    assert made_node(scene, image)


def test_without_the_node_the_image_is_kept(scene: Scene) -> None:
    work = started()
    scene.tree.nodes.remove(scene.node)
    (image,) = finished(work)
    assert image.use_fake_user
    assert not [n for n in scene.tree.nodes if n.type == "TEX_IMAGE"]


def test_without_the_material_the_image_is_kept(scene: Scene) -> None:
    work = started(use=True)
    bpy.data.materials.remove(bpy.data.materials[scene.material_name])
    (image,) = finished(work)
    assert image.use_fake_user


def test_another_file_gets_no_strangers(scene: Scene) -> None:
    """Blender then calls `cancel`, which closes the work."""
    work = started()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    work.close()
    assert not [image for image in bpy.data.images if image.name.endswith("_tile")]
    assert not exchanged()


def test_cancelled_it_leaves_no_trace(scene: Scene) -> None:
    before = scene.state()
    work = started(store="beside")
    while next(work) is None:
        pass
    work.close()
    assert scene.state() == before
    assert not exchanged()


def test_use_the_result_is_of_the_material_that_was_meant(scene: Scene) -> None:
    work = started(use=True)
    select_another(scene)
    (image,) = finished(work)
    shader = next(n for n in scene.tree.nodes if n.type == "BSDF_PRINCIPLED")
    assert shader.inputs["Base Color"].links[0].from_node.image == image


def test_steps_are_told_in_words_and_pictures(scene: Scene) -> None:
    scene.node.image = bpy.data.images.load(str(png(scene.folder / "large.png", picture(160, 150, 3))))
    work = started(width=256, height=256)
    updates = [update for update in work if update is not None]
    words = list(dict.fromkeys(update.words for update in updates))
    assert words[:2] == ["looking at it", "level 1 of 5"]
    assert [update.fraction for update in updates] == sorted(update.fraction for update in updates)
    assert updates[-1].words == "level 5 of 5"
    assert any(update.preview is not None for update in updates)


def test_the_preview_can_be_turned_off(scene: Scene) -> None:
    assert all(update is None or update.preview is None for update in started(preview=False))


def test_what_is_running_is_put_in_words() -> None:
    running = module("running")
    job = running.Running("Fill", iter(()), 0, None, 0.0)
    assert str(job) == "Starting, 0%"
    job.start = running.time.monotonic() - 10
    job.take(running.Update(0.25, "level 2 of 5"))
    assert str(job) == "level 2 of 5, 25%, 30 s left"
    job.start -= 90
    assert str(job) == "level 2 of 5, 25%, 5 min left"


def test_a_second_job_is_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    running = module("running")
    monkeypatch.setattr(running, "current", running.Running("Fill", iter(()), 0, None, 0.0))
    for verb in (bpy.ops.otsynth.tile, bpy.ops.otsynth.synthesize, bpy.ops.otsynth.fill):
        assert not verb.poll()
        with pytest.raises(RuntimeError, match="Fill is running: wait for it, or cancel it"):
            verb()


def test_cancel_is_for_a_job_that_runs(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    running = module("running")
    with pytest.raises(RuntimeError, match="No job is running"):
        bpy.ops.otsynth.cancel()
    monkeypatch.setattr(running, "current", running.Running("Fill", iter(()), 0, None, 0.0))
    assert bpy.ops.otsynth.cancel() == {"FINISHED"}
    assert running.current.cancelled


def test_memory_is_released(scene: Scene) -> None:
    jobs = module("jobs")
    bpy.ops.otsynth.tile(device="numpy")
    assert jobs.waits()
    assert bpy.ops.otsynth.release() == {"FINISHED"}
    assert not jobs.waits()
    with pytest.raises(RuntimeError, match="nothing to release"):
        bpy.ops.otsynth.release()


def test_the_preference_says_how_long_a_worker_waits(scene: Scene) -> None:
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.idle = 0
    try:
        bpy.ops.otsynth.tile(device="numpy")
        assert not module("jobs").waits()
    finally:
        preferences.idle = 60


def variations(scene: Scene, number: int, **options: object) -> list[bpy.types.Image]:
    assert bpy.ops.otsynth.tile(device="numpy", seed=4, variations=number, **options) == {"FINISHED"}
    image = next(n.image for n in scene.tree.nodes if n.type == "TEX_IMAGE" and n.name != scene.node_name)
    return module("variants").of(image)


def test_variations_have_seeds_in_a_row_and_one_node(scene: Scene) -> None:
    made = variations(scene, 3)
    assert [json.loads(image["otsynth"])["seed"] for image in made] == [4, 5, 6]
    textures = [n.image for n in scene.tree.nodes if n.type == "TEX_IMAGE"]
    assert textures == [scene.node.image, made[0]]
    pixels = [values(image) for image in made]
    assert (pixels[0] != pixels[1]).any()
    bpy.ops.wm.save_as_mainfile(filepath=str(scene.folder / "test.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(scene.folder / "test.blend"))
    assert all(image.name in bpy.data.images for image in bpy.data.images)
    assert len([i for i in bpy.data.images if i.name.startswith("wall_tile")]) == 3


def test_variations_are_stepped_through_and_one_is_kept(scene: Scene) -> None:
    names = [image.name for image in variations(scene, 3)]
    new = next(n.name for n in scene.tree.nodes if n.type == "TEX_IMAGE" and n.name != scene.node_name)
    for by, shown in ((1, 1), (1, 2), (1, 0), (-1, 2), (-1, 1)):
        assert bpy.ops.otsynth.variant(by=by) == {"FINISHED"}
        assert scene.tree.nodes[new].image.name == scene.tree.nodes[new].label == names[shown]
    assert bpy.ops.otsynth.keep() == {"FINISHED"}
    assert scene.tree.nodes[new].image.name == names[1]
    assert [image.name for image in bpy.data.images if image.name in names] == [names[1]]
    assert not scene.tree.nodes[new].image.use_fake_user
    with pytest.raises(RuntimeError, match="There are no variations"):
        bpy.ops.otsynth.variant()


def test_variations_of_a_material_go_in_step(scene: Scene) -> None:
    rough = scene.tree.nodes.new("ShaderNodeTexImage")
    rough.image = bpy.data.images.load(str(png(scene.folder / "rough.png", picture(40, 48, 1))))
    shader = next(n for n in scene.tree.nodes if n.type == "BSDF_PRINCIPLED")
    scene.tree.links.new(rough.outputs["Color"], shader.inputs["Roughness"])
    assert bpy.ops.otsynth.tile(device="numpy", variations=2, whole=True) == {"FINISHED"}
    bpy.ops.otsynth.variant()
    shown = sorted(n.image.name for n in scene.tree.nodes if n.type == "TEX_IMAGE" and "otsynth_source" in n)
    assert shown == ["rough_tile.001", "wall_tile.001"]
    bpy.ops.otsynth.keep()
    assert sorted(i.name for i in bpy.data.images if "_tile" in i.name) == shown


@pytest.mark.parametrize("number", [0, -2, 17, 2**31 - 1])
def test_no_variation_is_refused(scene: Scene, number: int) -> None:
    with pytest.raises(RuntimeError, match=f"variations is {number}: it must be a whole number from 1 to 16"):
        bpy.ops.otsynth.tile(device="numpy", variations=number)


def test_variations_are_files_of_their_own(scene: Scene) -> None:
    bpy.ops.otsynth.tile(device="numpy", variations=2, store="beside")
    assert sorted(path.name for path in scene.folder.glob("wall_*.png")) == ["wall_tile.png", "wall_tile_2.png"]


def test_a_result_is_an_asset_on_demand(scene: Scene) -> None:
    assert variations(scene, 2, asset=True)[0].asset_data is not None
    assert scene.node.image.asset_data is None


def test_a_factor_is_of_the_sources_size(scene: Scene) -> None:
    assert bpy.ops.otsynth.synthesize(size="factor", factor=1.5, device="numpy") == {"FINISHED"}
    made = next(n.image for n in scene.tree.nodes if n.type == "TEX_IMAGE" and n.name != scene.node_name)
    assert tuple(made.size) == (72, 60)
    assert bpy.ops.otsynth.tile(tile_size="factor", factor=0.5, device="numpy") == {"FINISHED"}
    assert (24, 20) in [tuple(n.image.size) for n in scene.tree.nodes if n.type == "TEX_IMAGE"]


def test_dice_and_sizes(scene: Scene) -> None:
    options = bpy.context.scene.otsynth
    seeds = set()
    for _ in range(4):
        bpy.ops.otsynth.dice()
        seeds.add(options.seed)
    assert len(seeds) > 1
    bpy.ops.otsynth.size(side=2048)
    assert (options.width, options.height) == (2048, 2048)


def test_presets_set_what_they_say_and_own_ones_can_be_added(scene: Scene) -> None:
    found = {Path(path).stem: path for path in preset_files()}
    assert set(found) >= {"ground", "bricks", "fabric", "wood", "noise-like"}
    options = bpy.context.scene.otsynth
    for path in found.values():
        assert bpy.ops.script.execute_preset(filepath=path, menu_idname="OTSYNTH_PT_presets") == {"FINISHED"}
    bpy.ops.script.execute_preset(filepath=found["bricks"], menu_idname="OTSYNTH_PT_presets")
    assert options.quality == "high"
    options.quality, options.margin = "draft", 7
    assert bpy.ops.otsynth.preset(name="mine") == {"FINISHED"}
    options.quality, options.margin = "normal", 0
    mine = next(path for path in preset_files() if Path(path).stem == "mine")
    bpy.ops.script.execute_preset(filepath=mine, menu_idname="OTSYNTH_PT_presets")
    assert (options.quality, options.margin) == ("draft", 7)
    assert bpy.ops.otsynth.preset(name="mine", remove_active=True) == {"FINISHED"}


def preset_files() -> list[str]:
    return [str(path) for folder in bpy.utils.preset_paths("otsynth") for path in Path(folder).glob("*.py")]


def test_library_overrides_are_refused_in_words(scene: Scene) -> None:
    library = scene.folder / "library.blend"
    bpy.data.libraries.write(str(library), {bpy.data.materials[scene.material_name]})
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.materials = [scene.material_name]
    override = wanted.materials[0].override_create()
    bpy.context.object.data.materials[0] = override
    override.node_tree.nodes.active = override.node_tree.nodes[scene.node_name]
    nodes = len(override.node_tree.nodes)
    with pytest.raises(RuntimeError, match="is a library override, which takes no new nodes: make it local"):
        bpy.ops.otsynth.tile(device="numpy")
    assert len(override.node_tree.nodes) == nodes


def test_menus_have_the_operators(extension: ModuleType) -> None:
    panels = module("panels")
    for menu in ("NODE_MT_node", "IMAGE_MT_image"):
        assert panels._in_menu in getattr(bpy.types, menu).draw._draw_funcs
    extension.unregister()
    try:
        for menu in ("NODE_MT_node", "IMAGE_MT_image"):
            assert panels._in_menu not in getattr(bpy.types, menu).draw._draw_funcs
    finally:
        extension.register()


def test_every_translated_label_is_one_that_is_shown(extension: ModuleType) -> None:
    """Blender's module brings no languages, so that it can only be seen that the table would be asked."""
    sources = {path.name: path.read_text() for path in Path(extension.__file__).parent.glob("*.py")}
    shown = "".join(text for name, text in sources.items() if name != "translations.py")
    made = {"Seed", "Band", "Margin", "Quality", "Device", "Method", "Wrap"}  # of the names of fields
    for (context, said), german in module("translations").TABLES["de_DE"].items():
        assert f'"{said}"' in shown or said in made, said
        assert context in ("*", "Operator")
        assert german != said


def with_roughness(scene: Scene) -> bpy.types.Node:
    rough = scene.tree.nodes.new("ShaderNodeTexImage")
    rough.image = bpy.data.images.load(str(png(scene.folder / "rough.png", 255 - picture(40, 48, 1))))
    shader = next(n for n in scene.tree.nodes if n.type == "BSDF_PRINCIPLED")
    scene.tree.links.new(rough.outputs["Color"], shader.inputs["Roughness"])
    return rough


def test_two_images_of_one_name_are_two(scene: Scene) -> None:
    """One of them from a library, which may have the same names."""
    rough = with_roughness(scene)
    rough.image.name = "wall.png"
    library = scene.folder / "library.blend"
    rough.image.name = "twin"
    scene.node.image.name = "other"
    rough.image.name = "wall.png"
    bpy.data.libraries.write(str(library), {rough.image})
    rough.image.name = "twin"
    scene.node.image.name = "wall.png"
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.images = ["wall.png"]
    rough.image = wanted.images[0]
    assert rough.image.name == scene.node.image.name
    assert bpy.ops.otsynth.tile(device="numpy", whole=True) == {"FINISHED"}
    made = [n.image for n in scene.tree.nodes if n.type == "TEX_IMAGE" and "otsynth_source" in n]
    assert len(made) == 2
    colourful = [bool((values(image)[..., 0] != values(image)[..., 1]).any()) for image in made]
    assert sorted(colourful) == [False, True]


def test_every_map_without_a_node_is_kept(scene: Scene) -> None:
    rough = with_roughness(scene)
    work = started(whole=True)
    scene.tree.nodes.remove(rough)
    wall, other = sorted(finished(work), key=lambda image: image.name, reverse=True)
    assert wall.name == "wall_tile"
    assert not wall.use_fake_user
    assert other.use_fake_user


def test_a_file_that_came_meanwhile_stays(scene: Scene) -> None:
    work = started(store="beside")
    (scene.folder / "wall_tile.png").write_text("mine")
    (image,) = finished(work)
    assert (scene.folder / "wall_tile.png").read_text() == "mine"
    assert Path(image.filepath).name == "wall_tile_2.png"


@pytest.mark.parametrize("store", ["pack", "beside"])
def test_what_fails_at_the_end_leaves_nothing(scene: Scene, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(module("nodes"), "use", broken)
    before = scene.state()
    with pytest.raises(RuntimeError, match="Nothing was changed"):
        bpy.ops.otsynth.tile(device="numpy", use=True, whole=True, variations=2, store=store)
    assert scene.state() == before


def test_replacing_a_variant_takes_the_others_along(scene: Scene) -> None:
    variations(scene, 3)
    for number in (3, 1):
        bpy.ops.otsynth.tile(device="numpy", variations=number, again="replace")
    assert len([image for image in bpy.data.images if "_tile" in image.name]) == 1


def test_variants_that_are_assets_stay_when_another_takes_their_place(scene: Scene) -> None:
    made = {image.name for image in variations(scene, 3, asset=True)}
    bpy.ops.otsynth.tile(device="numpy", again="replace")
    assert made <= {image.name for image in bpy.data.images}


def test_a_variant_that_is_used_elsewhere_is_neither_replaced_away_nor_deleted(scene: Scene) -> None:
    made = variations(scene, 3)
    scene.tree.nodes.new("ShaderNodeTexImage").image = made[1]
    names = [image.name for image in made]
    bpy.ops.otsynth.tile(device="numpy", again="replace")
    assert set(names) <= {image.name for image in bpy.data.images}
    scene.tree.nodes.active = next(n for n in scene.tree.nodes if n.type == "TEX_IMAGE" and n.image.name == names[1])
    bpy.ops.otsynth.variant()
    scene.tree.nodes.new("ShaderNodeTexImage").image = bpy.data.images[names[0]]
    bpy.ops.otsynth.keep()
    assert {name for name in names if name in bpy.data.images} == {names[0], names[2]}


def test_of_two_nodes_with_the_image_the_active_one_is_meant(scene: Scene) -> None:
    second = scene.tree.nodes.new("ShaderNodeTexImage")
    second.image, second.location = scene.node.image, (700, 50)
    scene.tree.nodes.active = second
    (image,) = finished(started())
    assert made_node(scene, image).location.x == 700


def test_of_two_nodes_without_an_image_the_one_that_lost_it_is_meant(scene: Scene) -> None:
    empty = scene.tree.nodes.new("ShaderNodeTexImage")
    scene.tree.nodes.active = scene.node
    second = scene.tree.nodes.new("ShaderNodeTexImage")
    second.image, second.location = scene.node.image, (700, 50)
    scene.tree.nodes.active = second
    work = started()
    bpy.data.images.remove(scene.node.image)
    (image,) = finished(work)
    assert empty.location.x != 700
    assert made_node(scene, image).location.x == 700


def test_copies_of_a_variant_do_not_hold_up_the_steps(scene: Scene) -> None:
    made = variations(scene, 3)
    made[0].copy()
    names, shown = [image.name for image in made], []
    new = next(n.name for n in scene.tree.nodes if n.type == "TEX_IMAGE" and n.name != scene.node_name)
    for _ in range(3):
        bpy.ops.otsynth.variant()
        shown.append(scene.tree.nodes[new].image.name)
    assert shown[:2] == names[1:]


def test_a_label_of_ones_own_stays(scene: Scene) -> None:
    variations(scene, 2)
    new = next(n for n in scene.tree.nodes if n.type == "TEX_IMAGE" and n.name != scene.node_name)
    new.label = "mine"
    bpy.ops.otsynth.variant()
    assert new.label == "mine"


def test_an_asset_that_is_kept_stays_one(scene: Scene) -> None:
    variations(scene, 2, asset=True)
    bpy.ops.otsynth.keep()
    (kept,) = [image for image in bpy.data.images if "_tile" in image.name]
    assert kept.asset_data is not None
    assert kept.use_fake_user


def test_a_node_that_shows_another_image_now_is_not_the_source(scene: Scene) -> None:
    work = started()
    scene.node.image = bpy.data.images.load(str(png(scene.folder / "other.png", picture(40, 48, 3))))
    (image,) = finished(work)
    assert image.use_fake_user
    assert len([n for n in scene.tree.nodes if n.type == "TEX_IMAGE"]) == 1


def test_two_nodes_of_one_image_have_a_result_each(scene: Scene) -> None:
    second = scene.tree.nodes.new("ShaderNodeTexImage")
    second.image = scene.node.image
    second.location = 700, 0
    shader = next(n for n in scene.tree.nodes if n.type == "BSDF_PRINCIPLED")
    scene.tree.links.new(second.outputs["Color"], shader.inputs["Emission Color"])
    work = started(whole=True)
    second.name = "renamed"
    finished(work)
    sources = [old.name for _, old, _ in module("nodes").results([scene.tree])]
    assert sorted(sources) == sorted([scene.node_name, "renamed"])


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf"), 1e30])
def test_a_factor_that_is_none_is_refused(scene: Scene, factor: float) -> None:
    with pytest.raises(RuntimeError, match="factor is .*: it must be more than 0"):
        bpy.ops.otsynth.synthesize(size="factor", factor=factor, device="numpy")


def test_a_factor_alone_counts(scene: Scene) -> None:
    bpy.ops.otsynth.tile(factor=2, device="numpy")
    assert (96, 80) in [tuple(image.size) for image in bpy.data.images]


def test_seeds_go_round_at_their_limit(scene: Scene) -> None:
    bpy.ops.otsynth.tile(device="numpy", seed=2**31 - 1, variations=2)
    seeds = [json.loads(image["otsynth"])["seed"] for image in bpy.data.images if "otsynth" in image]
    assert sorted(seeds) == [0, 2**31 - 1]


def test_previews_of_a_fill_lie_where_the_hole_is(scene: Scene) -> None:
    mask = np.zeros((160, 150, 1), np.uint8)
    mask[20:52, 90:122] = 255
    scene.node.image = bpy.data.images.load(str(png(scene.folder / "large.png", picture(160, 150, 3))))
    bpy.data.images.load(str(png(scene.folder / "hole.png", mask)))
    synthesis = module("synthesis")
    nothing = {"stock": "", "stock_material": "", "source_mask": ""}
    options = Options(mask_from="image", mask="hole.png", invert=False, margin=0, fill_wrap="none", **nothing)
    work = synthesis.work(bpy.context, options, synthesis.Kind("Fill", "fill", "_filled"), module("background").aside)
    shown = [update for update in work if update is not None and update.preview is not None]
    assert shown
    for update in shown:
        top, left, bottom, right = update.place
        assert top <= 20 / 160
        assert left <= 90 / 150
        assert bottom >= 52 / 160
        assert right >= 122 / 150
        height, width = update.preview.shape[:2]
        assert abs((right - left) * 150 / width - (bottom - top) * 160 / height) < 0.5  # square pixels


class Pretender:
    """What a modal operator is made of, apart from Blender's window."""

    bl_label = "Pretend"

    def __new__(cls, work: Generator, told: Callable[[object], None] = lambda made: None) -> object:
        running = module("running")
        kind = type("Pretend", (running.Job,), {"bl_label": cls.bl_label})
        operator = kind()
        operator._work, operator.said = work, []
        operator.report = lambda level, words: operator.said.append(words)
        operator.told = told
        window = bpy.context.window_manager
        timer = window.event_timer_add(10, window=bpy.context.window)
        running.current = running.Running("Pretend", work, 0, timer, 0.0)
        return operator


def tick(operator: object, kind: str = "TIMER", value: str = "NOTHING") -> set[str]:
    return operator.modal(bpy.context, SimpleNamespace(type=kind, value=value))  # type: ignore[attr-defined]


def steps(*told: object, end: object = None) -> Generator:
    yield from told
    return end


def test_a_tick_takes_what_is_new_and_goes_on(scene: Scene) -> None:
    running = module("running")
    picture = np.zeros((2, 2, 3), np.uint8)
    new = running.Update(0.2, "one"), running.Update(0.4, "two", picture, (0, 0, 0.5, 0.5))
    operator = Pretender(steps(*new, None, end="made"), told=lambda made: operator.said.append(made))
    assert tick(operator, "MOUSEMOVE") == {"PASS_THROUGH"}
    assert running.current.words == "Starting"
    assert tick(operator) == {"PASS_THROUGH"}
    assert (running.current.words, running.current.preview, running.current.place) == ("two", picture, (0, 0, 0.5, 0.5))
    assert tick(operator) == {"FINISHED"}
    assert operator.said == ["made"]
    assert running.current is None


def test_words_and_pictures_are_drawn_by_turns(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where every tick brings both; and what comes alone is drawn at once."""
    running, drawn = module("running"), []
    monkeypatch.setattr(running, "_announce", drawn.append)
    pictures = [np.full((2, 2, 3), n, np.uint8) for n in range(4)]
    both = [running.Update(0.1 * n, str(n), picture) for n, picture in enumerate(pictures)]
    alone = [running.Update(0.5, "alone"), running.Update(0.5, "alone", pictures[0]), running.Update(0.5, "alone")]
    told = [one for update in (*both, *alone) for one in (update, None)]
    operator = Pretender(steps(*told))
    for _ in (*both, *alone):
        tick(operator)
    words, picture = running._SHOWN_IN, running._PICTURED_IN
    assert drawn == [picture, words, picture, words, picture, words, picture]


@pytest.mark.parametrize("how", ["key", "button", "unregister", "blender"])
def test_a_job_is_ended(scene: Scene, extension: ModuleType, how: str) -> None:
    running, closed = module("running"), []

    def work() -> Generator:
        try:
            while True:
                yield None
        finally:
            closed.append(True)

    operator = Pretender(work())
    tick(operator)
    assert not closed
    match how:
        case "key":
            assert tick(operator, "ESC", "RELEASE") == {"PASS_THROUGH"}
            assert tick(operator, "ESC", "PRESS") == {"CANCELLED"}
        case "button":
            bpy.ops.otsynth.cancel()
            assert tick(operator) == {"CANCELLED"}
        case "unregister":
            extension.unregister()
            extension.register()
            assert tick(operator) == {"CANCELLED"}
        case "blender":
            operator.cancel(bpy.context)
    assert closed
    assert running.current is None


@pytest.mark.parametrize("where", ["work", "told"])
def test_an_error_of_our_own_does_not_lock_the_extension(scene: Scene, where: str) -> None:
    def broken(*_: object) -> None:
        raise KeyError("oops")

    def work() -> Generator:
        yield None
        if where == "work":
            broken()

    operator = Pretender(work(), told=broken)
    assert tick(operator) == {"PASS_THROUGH"}
    assert tick(operator) == {"CANCELLED"}
    assert "KeyError: 'oops'. Nothing was changed" in operator.said[0]
    assert module("running").current is None
    assert bpy.ops.otsynth.tile.poll()
