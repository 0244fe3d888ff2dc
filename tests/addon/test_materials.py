"""Whole materials: which images feed the output and what they are of, results in step, in a frame, in use or not."""

from __future__ import annotations

import importlib
import json
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from .conftest import MODULE, Scene, bpy, picture, png, values

OPTIONS = {"device": "numpy", "quality": "draft"}


def nodes() -> ModuleType:
    return importlib.import_module(f"{MODULE}.nodes")


def image_node(scene: Scene, name: str, pixels: np.ndarray, tree: bpy.types.NodeTree | None = None) -> bpy.types.Node:
    tree = tree or scene.tree
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.load(str(png(scene.folder / f"{name}.png", pixels)))
    node.name, node.location = name, (-700, -300 * len(tree.nodes))
    return node


def shader(scene: Scene) -> bpy.types.Node:
    return next(node for node in scene.tree.nodes if node.type == "BSDF_PRINCIPLED")


def through(tree: bpy.types.NodeTree, kind: str, source: object, into: str | int, out: str | int = 0) -> object:
    """A new node behind a socket; returns its output."""
    node = tree.nodes.new(kind)
    tree.links.new(source, node.inputs[into])
    return node.outputs[out]


def roles() -> dict[str, str]:
    return {one.image.name: one.role for one in nodes().images(bpy.context)}


@pytest.fixture
def material(scene: Scene) -> Scene:
    """Colour, normals, a packed map split by channels, heights, alpha through a group, and one that feeds nothing."""
    tree, principled = scene.tree, shader(scene)
    y, x = np.mgrid[:40, :48]
    slope = np.stack([128 + 60 * np.sin(x / 5), 128 + 60 * np.cos(y / 4), np.full((40, 48), 220)], 2)
    normal = image_node(scene, "bumps", np.rint(slope).astype(np.uint8))
    tree.links.new(through(tree, "ShaderNodeNormalMap", normal.outputs[0], "Color"), principled.inputs["Normal"])
    orm = image_node(scene, "three", picture(40, 48, 3)[::-1].copy())
    split = through(tree, "ShaderNodeSeparateColor", orm.outputs[0], 0).node
    tree.links.new(split.outputs[1], principled.inputs["Roughness"])
    tree.links.new(split.outputs[2], principled.inputs["Metallic"])
    height = image_node(scene, "deep", picture(40, 48, 1).astype(np.uint16) * 200)
    height.image.colorspace_settings.name = "Non-Color"
    output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    lifted = through(tree, "ShaderNodeDisplacement", height.outputs[0], "Height")
    tree.links.new(lifted, output.inputs["Displacement"])
    image_node(scene, "aside", picture(40, 48, 3))
    group = bpy.data.node_groups.new("Holes", "ShaderNodeTree")
    group.interface.new_socket("Factor", in_out="OUTPUT", socket_type="NodeSocketFloat")
    end = group.nodes.new("NodeGroupOutput")
    holes = image_node(scene, "holes", picture(40, 48, 1), group)
    group.links.new(through(group, "ShaderNodeInvert", holes.outputs[0], "Color"), end.inputs[0])
    box = tree.nodes.new("ShaderNodeGroup")
    box.node_tree = group
    tree.links.new(box.outputs[0], principled.inputs["Alpha"])
    return scene


WANTED = {"wall.png": "color", "bumps.png": "normal", "three.png": "packed", "deep.png": "height", "holes.png": "alpha"}


def test_every_image_that_feeds_the_output_has_the_role_of_its_links(material: Scene) -> None:
    assert roles() == WANTED


def test_names_tell_what_links_do_not(material: Scene) -> None:
    tree, principled = material.tree, shader(material)
    ao = image_node(material, "wall_ao", picture(40, 48, 1))
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
    colours = [socket for socket in mix.inputs if socket.type == "RGBA"]
    mask = image_node(material, "where", picture(40, 48, 1))
    tree.links.new(material.node.outputs[0], colours[0])
    tree.links.new(ao.outputs[0], colours[1])
    tree.links.new(mask.outputs[0], mix.inputs[0])
    result = next(socket for socket in mix.outputs if socket.type == "RGBA")
    tree.links.new(result, principled.inputs["Base Color"])
    assert roles() == {**WANTED, "wall_ao.png": "ao", "where.png": "other"}


def test_a_picture_and_its_alpha_are_one_map(material: Scene) -> None:
    material.tree.links.new(material.node.outputs["Alpha"], shader(material).inputs["Alpha"])
    assert roles()["wall.png"] == "color"
    assert "holes.png" not in roles()


def test_a_picture_that_is_used_twice_is_of_colour(material: Scene) -> None:
    material.tree.links.new(material.node.outputs[0], shader(material).inputs["Roughness"])
    assert roles()["wall.png"] == "color"


def test_a_map_of_normals_may_be_linked_as_it_is(material: Scene) -> None:
    material.tree.links.new(material.tree.nodes["bumps"].outputs[0], shader(material).inputs["Normal"])
    assert roles()["bumps.png"] == "normal"


def test_alpha_beside_channels_is_one_more(material: Scene) -> None:
    tree = material.tree
    tree.links.remove(shader(material).inputs["Metallic"].links[0])
    assert roles()["three.png"] == "roughness"
    tree.links.new(tree.nodes["three"].outputs["Alpha"], shader(material).inputs["Alpha"])
    assert roles()["three.png"] == "packed"


def test_of_two_of_one_role_the_second_is_another(material: Scene) -> None:
    second = image_node(material, "second", picture(40, 48, 3))
    material.tree.links.new(second.outputs[0], shader(material).inputs["Emission Color"])
    bpy.data.images["second.png"].otsynth_role = "color"
    found = roles()
    assert sorted((found["wall.png"], found["second.png"])) == ["color", "other"]


def test_a_role_can_be_corrected_and_an_image_left_out(material: Scene) -> None:
    bpy.data.images["three.png"].otsynth_role = "roughness"
    bpy.data.images["holes.png"].otsynth_role = "none"
    found = {one.image.name: one.role for one in nodes().sources(bpy.context, True)}
    assert found == {**{name: role for name, role in WANTED.items() if name != "holes.png"}, "three.png": "roughness"}
    for name in WANTED:
        bpy.data.images[name].otsynth_role = "none"
    with pytest.raises(RuntimeError, match="left out"):
        bpy.ops.otsynth.tile(whole=True, device="numpy")


def made(scene: Scene, tree: bpy.types.NodeTree) -> dict[str, bpy.types.Node]:
    return {old.name: node for _, old, node in nodes().results([tree])}


def test_all_maps_are_the_cores_result_in_step(material: Scene) -> None:
    assert bpy.ops.otsynth.tile(whole=True, device="numpy", seed=3, width=56, height=44) == {"FINISHED"}
    core = importlib.import_module(f"{MODULE}.otsynth_core")
    given = {
        "wall.png": picture(40, 48, 3),
        "bumps.png": values(bpy.data.images["bumps.png"])[..., :3],
        "three.png": picture(40, 48, 3)[::-1].copy(),
        "deep.png": picture(40, 48, 1).astype(np.uint16) * 200,
        "holes.png": picture(40, 48, 1),
    }
    order = [one.image.name for one in nodes().images(bpy.context)]
    maps = {name: core.Map(given[name], WANTED[name]) for name in order}
    wanted = core.tile(maps, device="numpy", seed=3, size=(56, 44)).images
    pixels = importlib.import_module(f"{MODULE}.pixels")
    for name, image in wanted.items():
        result = bpy.data.images[name.replace(".png", "_tile")]
        assert tuple(result.size) == (56, 44)
        np.testing.assert_array_equal(pixels.read(result, WANTED[name]).map.image, image)
        assert json.loads(result["otsynth"])["source"] == name


def test_results_stand_in_a_frame_beside_the_sources(material: Scene) -> None:
    links = len(material.tree.links)
    bpy.ops.otsynth.tile(whole=True, device="numpy")
    group = bpy.data.node_groups["Holes"]
    assert set(made(material, material.tree)) == {material.node_name, "bumps", "three", "deep"}
    assert set(made(material, group)) == {"holes"}
    for tree in (material.tree, group):
        frames = {node.parent for node in made(material, tree).values()}
        assert [frame.label for frame in frames] == ["Make Seamless"]
        old = [node.location.y for node in tree.nodes if node.type == "TEX_IMAGE" and not node.parent]
        assert max(node.location.y for node in made(material, tree).values()) <= min(old) - 280
    first = made(material, material.tree)[material.node_name]
    assert first.inputs["Vector"].links[0].from_socket == material.node.inputs["Vector"].links[0].from_socket
    assert first.interpolation == material.node.interpolation
    assert len(material.tree.links) == links + 1  # that vector: the material still uses its sources
    assert material.tree.nodes.active == material.node


def feeding(scene: Scene) -> set[str]:
    """Names of the images whose links reach the output, found by what each node's outputs are linked to."""
    trees = [scene.tree, bpy.data.node_groups["Holes"]]
    shown = [node for tree in trees for node in tree.nodes if node.type == "TEX_IMAGE"]
    return {node.image.name for node in shown if any(out.is_linked for out in node.outputs)}


def test_the_material_uses_results_or_sources(material: Scene) -> None:
    bpy.ops.otsynth.tile(whole=True, device="numpy", use=True)
    results = {name.replace(".png", "_tile") for name in WANTED}
    assert feeding(material) == results
    bpy.ops.otsynth.use(result=False)
    assert feeding(material) == set(WANTED)
    bpy.ops.otsynth.use(result=True)
    assert feeding(material) == results
    bpy.ops.otsynth.use(result=False)
    bpy.ops.otsynth.tile(device="numpy", use=True, seed=1)  # of the active node alone, beside the older one
    assert feeding(material) == set(WANTED) - {"wall.png"} | {"wall_tile.001"}


def duplicate(tree: bpy.types.NodeTree, node: bpy.types.Node, image: bpy.types.Image) -> bpy.types.Node:
    """As Shift+D makes it, and another image opened in it."""
    twin = tree.nodes.new(node.bl_idname)
    for name, value in node.items():
        twin[name] = value
    twin.image = image
    return twin


@pytest.mark.parametrize("again", ["add", "replace"])
def test_a_duplicate_of_a_source_has_results_of_its_own(material: Scene, again: str) -> None:
    bpy.ops.otsynth.tile(device="numpy")
    tree = material.tree
    rough = bpy.data.images.load(str(png(material.folder / "rough.png", picture(40, 48, 1))))
    twin = duplicate(tree, material.node, rough)
    tree.links.new(twin.outputs[0], shader(material).inputs["Specular IOR Level"])
    tree.nodes.active = twin
    bpy.ops.otsynth.tile(device="numpy", use=True, again=again)
    wanted = set(WANTED) | {"rough_tile"}
    assert feeding(material) == wanted  # the colour's result was not asked for
    shown = {node.image.name for node in tree.nodes if node.type == "TEX_IMAGE"}
    assert shown >= {"wall_tile", "rough.png", "rough_tile"}
    bpy.ops.otsynth.use(result=False)
    assert feeding(material) == set(WANTED) | {"rough.png"}


def test_a_result_s_node_with_another_image_is_a_source(material: Scene) -> None:
    bpy.ops.otsynth.tile(device="numpy")
    tree = material.tree
    result = next(node for node in tree.nodes if node.type == "TEX_IMAGE" and node.image.name == "wall_tile")
    mine = bpy.data.images.load(str(png(material.folder / "mine.png", picture(40, 48, 1))))
    twin = duplicate(tree, result, mine)
    tree.links.new(twin.outputs[0], shader(material).inputs["Specular IOR Level"])
    assert roles() == {**WANTED, "mine.png": "specular"}
    bpy.ops.otsynth.use(result=False)
    assert "mine.png" in feeding(material)
    result.image = mine  # the user's own, in the place of the result
    tree.nodes.remove(twin)
    bpy.ops.otsynth.tile(device="numpy", again="replace", seed=1)
    assert result.image == mine


def test_a_second_run_begins_with_the_sources_again(material: Scene) -> None:
    for seed in (1, 2):
        bpy.ops.otsynth.tile(whole=True, device="numpy", use=True, seed=seed)
        assert roles() == WANTED
    assert feeding(material) == {name.replace(".png", "_tile.001") for name in WANTED}
    bpy.ops.otsynth.use(result=False)
    assert feeding(material) == set(WANTED)


def test_a_role_is_kept_in_files_by_the_number_it_always_had(scene: Scene) -> None:
    items = bpy.types.Image.bl_rna.properties["otsynth_role"].enum_items
    known = importlib.import_module(f"{MODULE}.otsynth_core.roles").ROLES
    assert set(items.keys()) == {"auto", "none", *known}
    kept = {"auto": 0, "color": 1, "normal": 2, "height": 3, "other": 12, "none": 13, "normal_dx": 14}
    assert {role: items[role].value for role in kept} == kept


def test_normals_as_directx_has_them(material: Scene) -> None:
    bpy.data.images["bumps.png"].otsynth_role = "normal_dx"
    assert roles() == {**WANTED, "bumps.png": "normal_dx"}
    bumps = bpy.data.images["bumps.png"]
    bumps.otsynth_role, bumps.name = "auto", "Wall_2K_NormalDX.png"
    assert roles()["Wall_2K_NormalDX.png"] == "normal_dx"  # of which kind they are no link tells
    bumps.name = "bumps.png"
    bumps.otsynth_role = "normal_dx"
    bpy.ops.otsynth.tile(whole=True, **OPTIONS)
    up = values(bpy.data.images["bumps_tile"])[..., :3] / 127.5 - 1
    assert abs(np.linalg.norm(up, axis=2) - 1).max() < 0.01


def test_a_node_that_has_the_name_of_a_source_that_is_gone_is_none(material: Scene) -> None:
    bpy.ops.otsynth.tile(device="numpy", use=True)
    name = material.node.name
    material.tree.nodes.remove(material.node)
    decal = image_node(material, "decal", picture(20, 20, 3))
    decal.name = name
    assert roles()["wall_tile"] == "color"
    bpy.ops.otsynth.use(result=False)
    assert "decal.png" not in feeding(material)


def test_a_result_of_a_result_leads_back_to_the_source(material: Scene) -> None:
    bpy.ops.otsynth.tile(device="numpy", use=True)
    material.tree.nodes.active = made(material, material.tree)[material.node_name]
    bpy.ops.otsynth.synthesize(device="numpy", use=True, width=48, height=40)
    assert "wall_tile_synthesized" in feeding(material)
    assert roles() == WANTED
    bpy.ops.otsynth.use(result=False)
    assert feeding(material) == set(WANTED)


def test_links_that_are_muted_stay_so(material: Scene) -> None:
    material.tree.nodes["bumps"].outputs[0].links[0].is_muted = True
    material.tree.nodes["bumps"].image.otsynth_role = "normal"
    material.tree.nodes.active = material.tree.nodes["bumps"]
    bpy.ops.otsynth.tile(device="numpy", use=True)
    assert [link.is_muted for link in made(material, material.tree)["bumps"].outputs[0].links] == [True]


def test_what_is_not_the_surface_of_a_relief_is_another(material: Scene) -> None:
    strength = image_node(material, "strength", picture(40, 48, 1))
    relief = next(node for node in material.tree.nodes if node.type == "NORMAL_MAP")
    material.tree.links.new(strength.outputs[0], relief.inputs["Strength"])
    assert roles() == {**WANTED, "strength.png": "other"}


def test_hidden_sockets_and_muted_nodes_give_nothing_of_their_own(material: Scene) -> None:
    tree = material.tree
    hidden, passed = (
        image_node(material, "hidden", picture(40, 48, 1)),
        image_node(material, "passed", picture(40, 48, 3)),
    )
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type = "FLOAT"
    tree.links.new(hidden.outputs[0], next(s for s in mix.inputs if s.name == "A" and s.type == "VALUE"))
    mix.data_type = "RGBA"
    first = next(s for s in mix.inputs if s.name == "A" and s.type == "RGBA")
    tree.links.new(passed.outputs[0], first)
    tree.links.new(material.node.outputs[0], next(s for s in mix.inputs if s.name == "B" and s.type == "RGBA"))
    result = next(s for s in mix.outputs if s.type == "RGBA")
    tree.links.new(result, shader(material).inputs["Base Color"])
    assert "hidden.png" not in roles()
    assert {"passed.png", "wall.png"} <= set(roles())
    mix.mute = True
    assert "passed.png" in roles()
    assert "wall.png" not in roles()


def test_one_file_with_two_uses_makes_two_files(material: Scene) -> None:
    again = bpy.data.images.load(str(material.folder / "wall.png"))
    again.colorspace_settings.name = "Non-Color"
    node = material.tree.nodes.new("ShaderNodeTexImage")
    node.image = again
    material.tree.links.new(node.outputs[0], shader(material).inputs["Roughness"])
    bpy.ops.otsynth.tile(whole=True, device="numpy", store="beside")
    assert {"wall_tile.png", "wall_tile_2.png"} <= {path.name for path in material.folder.glob("wall*")}


def test_a_group_from_another_file_is_left_out(material: Scene) -> None:
    library = material.folder / "library.blend"
    bpy.data.libraries.write(str(library), {bpy.data.node_groups["Holes"]})
    box = next(node for node in material.tree.nodes if node.type == "GROUP")
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.node_groups = ["Holes"]
    box.node_tree = wanted.node_groups[0]
    assert roles()["holes.png"] == "none"
    bpy.ops.otsynth.tile(whole=True, device="numpy", use=True)
    assert set(made(material, material.tree)) == {material.node_name, "bumps", "three", "deep"}


def test_without_a_material_there_are_no_results(scene: Scene) -> None:
    bpy.ops.object.delete()
    assert list(nodes().results(nodes().trees(bpy.context))) == []


def test_maps_of_another_proportion_are_refused_by_name(material: Scene) -> None:
    other = image_node(material, "decal", picture(40, 24, 1))
    material.tree.links.new(other.outputs[0], shader(material).inputs["Emission Strength"])
    before = material.state()
    with pytest.raises(RuntimeError, match="decal.png: is 24x40 px, wall.png 48x40.*leave it out"):
        bpy.ops.otsynth.tile(whole=True, device="numpy")
    assert material.state() == before
    other.image.otsynth_role = "none"
    assert bpy.ops.otsynth.tile(whole=True, device="numpy") == {"FINISHED"}


def test_what_cannot_be_made_leaves_nothing_behind(material: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = importlib.import_module(f"{MODULE}.pixels")
    create, calls = pixels.create, []

    def failing(*arguments: object) -> bpy.types.Image:
        calls.append(arguments)
        if len(calls) == 4:
            raise OSError(28, "No space left on device")
        return create(*arguments)

    monkeypatch.setattr(pixels, "create", failing)
    bpy.data.images["holes.png"].otsynth_role = "none"
    before = material.state()
    with pytest.raises(RuntimeError, match="No space left"):
        bpy.ops.otsynth.tile(whole=True, device="numpy", store="beside")
    assert len(calls) == 4
    assert material.state() == before


def test_beside_keeps_each_depth(material: Scene) -> None:
    bpy.ops.otsynth.tile(whole=True, device="numpy", store="beside")
    assert {path.name for path in material.folder.glob("*_tile.png")} == {n.replace(".", "_tile.") for n in WANTED}
    head = (material.folder / "deep_tile.png").read_bytes()[:26]
    assert head[24:] == bytes([16, 0])  # bits, grey


def test_no_image_feeds_the_output(material: Scene) -> None:
    material.tree.links.clear()
    with pytest.raises(RuntimeError, match="No image feeds the output"):
        bpy.ops.otsynth.tile(whole=True, device="numpy")


def test_undo_takes_the_whole_set_back(material: Scene) -> None:
    bpy.ops.ed.undo_push(message="before")
    before = material.state()
    bpy.ops.otsynth.tile("EXEC_DEFAULT", True, whole=True, use=True, device="numpy")
    assert material.state() != before
    bpy.ops.ed.undo()
    assert material.state() == before
    assert feeding(material) == set(WANTED)
    bpy.ops.ed.redo()
    assert feeding(material) == {name.replace(".png", "_tile") for name in WANTED}


def test_the_panel_draws(material: Scene) -> None:
    """Every label, property and button that it names exists; without a window only its words can be looked at."""
    panels = importlib.import_module(f"{MODULE}.panels")
    properties = importlib.import_module(f"{MODULE}.properties")
    said: list[str] = []

    class Layout:
        def __getattr__(self, name: str) -> object:
            return lambda *_, **__: self

        def panel(self, idname: str) -> tuple[Layout, Layout]:
            return self, self

        def label(self, text: str, icon: str = "NONE") -> None:
            said.append(text)

        def prop(self, owner: bpy.types.bpy_struct, name: str) -> None:
            said.append(owner.bl_rna.properties[name].name)

        def operator(self, idname: str, text: str = "", icon: str = "NONE") -> object:
            kind = getattr(bpy.types, "OTSYNTH_OT_" + idname.partition(".")[2])
            said.append(text or kind.bl_label)
            return SimpleNamespace(**dict.fromkeys(properties.names(kind)))

        def prop_menu_enum(self, owner: bpy.types.bpy_struct, name: str, text: str) -> None:
            assert name in owner.bl_rna.properties
            said.append(text)

    class Panel(panels._Panel):
        layout = Layout()

    options = bpy.context.scene.otsynth
    options.whole = True
    Panel().draw(bpy.context)
    words = " ".join(said)
    for word in ("wall.png Color", "bumps.png Normal", "three.png Packed Channels", "Whole Material", "Use the Result"):
        assert word in words


def test_results_keep_what_they_are_of(scene: Scene) -> None:
    tree = scene.tree
    bumps = image_node(scene, "stones", picture(40, 48, 3))
    tree.links.new(through(tree, "ShaderNodeNormalMap", bumps.outputs[0], "Color"), shader(scene).inputs["Normal"])
    tree.nodes.active = bumps
    assert bpy.ops.otsynth.tile(use=True, **OPTIONS) == {"FINISHED"}
    (made,) = (node for node in tree.nodes if node.type == "TEX_IMAGE" and "otsynth" in node.image)
    assert made.image.otsynth_role == "normal"
    tree.nodes.active = scene.node
    bpy.ops.otsynth.tile(**OPTIONS)
    assert bpy.data.images["wall_tile"].otsynth_role == "auto"


def test_an_image_that_is_left_out_is_what_it_is_linked_to_once_it_is_meant_alone(scene: Scene) -> None:
    tree = scene.tree
    bumps = image_node(scene, "stones", picture(40, 48, 3))
    tree.links.new(through(tree, "ShaderNodeNormalMap", bumps.outputs[0], "Color"), shader(scene).inputs["Normal"])
    bumps.image.otsynth_role = "none"
    tree.nodes.active = bumps
    assert nodes().sources(bpy.context, whole=False)[0].role == "normal"


def test_of_several_outputs_that_of_the_engine_counts(scene: Scene) -> None:
    tree = scene.tree
    first = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    first.target = "CYCLES"
    other, emission, second = (
        tree.nodes.new(f"ShaderNode{name}") for name in ("TexImage", "Emission", "OutputMaterial")
    )
    other.image = bpy.data.images.load(str(png(scene.folder / "moss.png", picture(40, 48, 3))))
    second.target = "EEVEE"
    tree.links.new(other.outputs["Color"], emission.inputs["Color"])
    tree.links.new(emission.outputs["Emission"], second.inputs["Surface"])
    engines = {item.identifier for item in bpy.types.RenderSettings.bl_rna.properties["engine"].enum_items}
    eevee = next((name for name in ("BLENDER_EEVEE", "BLENDER_EEVEE_NEXT") if name in engines), "BLENDER_EEVEE")
    for engine, name in (("CYCLES", "wall.png"), (eevee, "moss.png")):
        bpy.context.scene.render.engine = engine
        assert list(roles()) == [name]


def test_in_the_image_editor_an_image_in_a_group_gets_its_node_there(scene: Scene) -> None:
    group = bpy.data.node_groups.new("Moss", "ShaderNodeTree")
    group.interface.new_socket("Color", in_out="OUTPUT", socket_type="NodeSocketColor")
    inner = image_node(scene, "inner", picture(40, 48, 3), group)
    group.links.new(inner.outputs["Color"], group.nodes.new("NodeGroupOutput").inputs[0])
    instance = scene.tree.nodes.new("ShaderNodeGroup")
    instance.node_tree = group
    scene.tree.links.new(instance.outputs[0], shader(scene).inputs["Base Color"])
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "IMAGE_EDITOR"
    area.spaces.active.image = inner.image
    with bpy.context.temp_override(window=window, area=area, region=area.regions[-1]):
        assert bpy.ops.otsynth.tile(use=True, **OPTIONS) == {"FINISHED"}
    made = next(node for node in group.nodes if node.type == "TEX_IMAGE" and node.name != "inner")
    assert made.image.name == "inner_tile"
    assert made.outputs["Color"].links
    assert not inner.outputs["Color"].links
