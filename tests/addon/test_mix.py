"""Mix in real Blender: what it is mixed with, by name or by selection, maps of how much, and whole materials."""

from __future__ import annotations

import importlib
import json
from types import ModuleType

import numpy as np
import pytest

from .conftest import MODULE, Scene, bpy, picture, png, values

OPTIONS = {"device": "numpy", "quality": "draft"}


def core() -> ModuleType:
    return importlib.import_module(f"{MODULE}.otsynth_core")


def moss() -> np.ndarray:
    return np.rint(picture(36, 44, 3)[::-1] * (0.3, 0.8, 0.2)).astype(np.uint8)


def second(scene: Scene) -> bpy.types.Image:
    return bpy.data.images.load(str(png(scene.folder / "moss.png", moss())))


def results(scene: Scene, *given: str) -> list[bpy.types.Node]:
    return [n for n in scene.tree.nodes if n.type == "TEX_IMAGE" and n.name not in (scene.node_name, *given)]


def beside(scene: Scene) -> bpy.types.Node:
    """A selected node with the second image, beside the active one."""
    node = scene.tree.nodes.new("ShaderNodeTexImage")
    node.image, node.select = second(scene), True
    scene.tree.nodes.active = scene.node
    return node


def material(scene: Scene, name: str = "Forest") -> bpy.types.Material:
    """Another, with colour and roughness; the first gets a roughness and normals."""
    made = bpy.data.materials.new(name)
    if made.node_tree is None:
        made.use_nodes = True
    inputs = {"Base Color": moss(), "Roughness": moss()[..., 1:2]}
    for tree, maps in ((made.node_tree, inputs), (scene.tree, {"Roughness": picture(40, 48, 1)})):
        shader = next(n for n in tree.nodes if n.type == "BSDF_PRINCIPLED")
        for socket, pixels in maps.items():
            node = tree.nodes.new("ShaderNodeTexImage")
            node.image = bpy.data.images.load(str(png(scene.folder / f"{len(bpy.data.images)}.png", pixels)))
            node.image.colorspace_settings.name = "sRGB" if socket == "Base Color" else "Non-Color"
            tree.links.new(node.outputs["Color"], shader.inputs[socket])
    tree = scene.tree
    bump = tree.nodes.new("ShaderNodeBump")
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.load(str(png(scene.folder / "bumps.png", picture(40, 48, 1))))
    node.image.colorspace_settings.name = "Non-Color"
    tree.links.new(node.outputs["Color"], bump.inputs["Height"])
    shader = next(n for n in tree.nodes if n.type == "BSDF_PRINCIPLED")
    tree.links.new(bump.outputs["Normal"], shader.inputs["Normal"])
    tree.nodes.active = scene.node
    return made


@pytest.mark.parametrize("by", ["name", "selection"])
def test_mix_is_the_cores_result(scene: Scene, by: str) -> None:
    other = {"other": second(scene).name} if by == "name" else {}
    given = () if by == "name" else (beside(scene).name,)
    assert bpy.ops.otsynth.mix(t=0.3, seed=4, **other, **OPTIONS) == {"FINISHED"}
    (node,) = results(scene, *given)
    assert node.image.name == "wall_mix"
    wanted = core().mix(picture(40, 48, 3), moss(), t=0.3, seed=4, **OPTIONS).image
    np.testing.assert_array_equal(values(node.image)[..., :3], wanted)
    report = json.loads(node.image["otsynth"])
    assert (report["task"], report["t"], report["size"]) == ("mix", 0.3, [48, 40])


@pytest.mark.parametrize("opaque", [False, True])
def test_what_is_grey_or_opaque_by_chance_is_mixed_with_what_is_not(scene: Scene, opaque: bool) -> None:
    other, like = picture(36, 44, 1), picture(40, 48, 3)
    if opaque:
        other = picture(36, 44, 4)
        like = np.concatenate([like, np.full_like(like[..., :1], 255)], 2)
    name = bpy.data.images.load(str(png(scene.folder / "plain.png", other))).name
    assert bpy.ops.otsynth.mix(other=name, **OPTIONS) == {"FINISHED"}
    (node,) = results(scene)
    wanted = core().mix(like, other if opaque else other.repeat(3, 2), t=0.5, **OPTIONS).image
    np.testing.assert_array_equal(values(node.image)[..., : wanted.shape[2]], wanted)


def test_a_map_tells_how_much_and_a_size_how_large(scene: Scene) -> None:
    share = np.zeros((32, 64, 1), np.uint8)
    share[:, 32:] = 255
    name = bpy.data.images.load(str(png(scene.folder / "share.png", share))).name
    common = {"other": second(scene).name, "t_map": name, "mix_wrap": "y", **OPTIONS}
    assert bpy.ops.otsynth.mix(width=96, height=48, **common) == {"FINISHED"}
    (node,) = results(scene)
    wanted = core().mix(picture(40, 48, 3), moss(), t=share, size=(96, 48), wrap="y", **OPTIONS).image
    np.testing.assert_array_equal(values(node.image)[..., :3], wanted)


@pytest.mark.parametrize("by", ["name", "selection"])
def test_whole_materials_are_mixed_by_their_roles(scene: Scene, by: str) -> None:
    other = material(scene)
    if by == "selection":
        first = bpy.context.object
        bpy.ops.mesh.primitive_plane_add()
        bpy.context.object.data.materials.append(other)
        first.select_set(True)
        bpy.context.view_layer.objects.active = first
    named = {"material": other.name} if by == "name" else {}
    before = {node.name for node in scene.tree.nodes}
    assert bpy.ops.otsynth.mix(whole=True, use=True, **named, **OPTIONS) == {"FINISHED"}
    made = [node for node in scene.tree.nodes if node.name not in before and node.type == "TEX_IMAGE"]
    assert len(made) == 2  # the bumps have nothing to be mixed with
    report = json.loads(made[0].image["otsynth"])
    assert [one["role"] for one in report["maps"]] == ["color", "roughness"]
    assert report["warnings"] == ['"bumps.png": one of the materials alone has such an image, so it was left out']
    shader = next(n for n in scene.tree.nodes if n.type == "BSDF_PRINCIPLED")
    assert {shader.inputs[name].links[0].from_node.name for name in ("Base Color", "Roughness")} == {
        node.name for node in made
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"other": "nothing"}, 'There is no image "nothing": choose another'),
        ({}, "0 other images are selected"),
        ({"whole": True}, "0 other materials are selected"),
        ({"whole": True, "material": "nothing"}, 'There is no material "nothing": choose another'),
        ({"whole": True, "material": "Empty"}, "there is nothing to mix with"),
        ({"other": "moss.png", "t": 1.5}, "t is 1.5: it must be a number from 0.0 to 1.0"),
        ({"other": "moss.png", "t_map": "nothing"}, 'There is no image "nothing": choose another share map'),
        ({"other": "moss.png", "t_map": "tall.png"}, "they must have one proportion"),
        ({"other": "moss.png", "material": "Empty"}, 'material is "Empty": an image is mixed with another image'),
        ({"whole": True, "other": "moss.png"}, 'other is "moss.png": a whole material is mixed with another material'),
        ({"other": "moss.png", "width": 4, "height": 40}, "size is 4x40"),
    ],
)
def test_refused_in_words_and_nothing_changed(scene: Scene, options: dict, words: str) -> None:
    second(scene)
    for name, made in (("tall", picture(40, 9, 1)), ("grey", picture(20, 20, 1))):
        bpy.data.images.load(str(png(scene.folder / f"{name}.png", made)))
    bpy.data.images["grey.png"].colorspace_settings.name = "Non-Color"
    empty = bpy.data.materials.new("Empty")
    if empty.node_tree is None:
        empty.use_nodes = True
    before = scene.state()
    with pytest.raises(RuntimeError) as refusal:
        bpy.ops.otsynth.mix(**{**OPTIONS, **options})
    assert words in str(refusal.value)
    assert scene.state() == before


def test_the_panel_and_the_menu_offer_it(scene: Scene) -> None:
    options = bpy.context.scene.otsynth
    assert (options.t, options.mix_size, options.mix_wrap) == (0.5, "source", "both")
    assert bpy.ops.otsynth.mix.poll()
    assert bpy.ops.otsynth.mix.get_rna_type().name == "Mix Textures"
