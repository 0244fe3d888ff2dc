"""A whole material made seamless by the installed extension, and a picture of it: ``material.py ZIP MAPS OUT.png``.

MAPS is a folder with maps of one material: basecolor.png, and normal.png (OpenGL), roughness.png, height.png where they
are. A part of them, which does not tile, is laid 3x3 on a plane, the result on another; Cycles renders both.
BLENDER_USER_RESOURCES names the Blender user folder, which should be empty.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import bpy
import numpy as np

SIDE = 320
INPUTS = {"basecolor": "Base Color", "roughness": "Roughness", "normal": "Normal", "height": "Displacement"}


def main(archive: Path, maps: Path, out: Path) -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.extensions.package_install_files(filepath=str(archive), repo="user_default", enable_on_install=True)
    plane(-1.55, material(maps))
    plane(1.55, material(maps))
    bpy.ops.otsynth.tile(whole=True, use=True)
    to_scale(bpy.context.object.active_material)
    render(out)
    print(f"demo: see {out}")


def material(maps: Path) -> bpy.types.Material:
    """A Principled BSDF with a part of each map, repeated three times."""
    made = bpy.data.materials.new(maps.name)
    if made.node_tree is None:
        made.use_nodes = True
    tree = made.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    place = tree.nodes.new("ShaderNodeTexCoord")
    mapping = tree.nodes.new("ShaderNodeMapping")
    mapping.inputs["Scale"].default_value = (3, 3, 3)
    tree.links.new(place.outputs["UV"], mapping.inputs["Vector"])
    for name, wanted in INPUTS.items():
        if not (maps / f"{name}.png").is_file():
            continue
        node = tree.nodes.new("ShaderNodeTexImage")
        node.image = part(maps / f"{name}.png")
        tree.links.new(mapping.outputs["Vector"], node.inputs["Vector"])
        if name == "normal":
            between = tree.nodes.new("ShaderNodeNormalMap")
            tree.links.new(node.outputs["Color"], between.inputs["Color"])
            tree.links.new(between.outputs["Normal"], shader.inputs[wanted])
        elif name == "height":
            between = tree.nodes.new("ShaderNodeDisplacement")
            between.inputs["Scale"].default_value = 0.05
            tree.links.new(node.outputs["Color"], between.inputs["Height"])
            tree.links.new(between.outputs["Displacement"], output.inputs[wanted])
        else:
            tree.links.new(node.outputs["Color"], shader.inputs[wanted])
    return made


def to_scale(shown: bpy.types.Material) -> None:
    """Repeats what a material shows now, of whatever size, as often as keeps its pixels as large as those of a part."""
    shader = next(node for node in shown.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    made = shader.inputs["Base Color"].links[0].from_node
    mapping = made.inputs["Vector"].links[0].from_node
    mapping.inputs["Scale"].default_value = (*(3 * SIDE / side for side in made.image.size), 3)
    print(f"demo: {made.image.name} is {tuple(made.image.size)}")


def part(path: Path) -> bpy.types.Image:
    """The lower left of a map."""
    whole = bpy.data.images.load(str(path))
    if path.stem != "basecolor":
        whole.colorspace_settings.name = "Non-Color"
    width, height = whole.size
    values = np.empty(width * height * 4, np.float32)
    whole.pixels.foreach_get(values)
    cut = bpy.data.images.new(f"{path.stem}.png", SIDE, SIDE)
    cut.colorspace_settings.name = whole.colorspace_settings.name
    cut.pixels.foreach_set(np.ascontiguousarray(values.reshape(height, width, 4)[:SIDE, :SIDE]).ravel())
    cut.pack()
    bpy.data.images.remove(whole)
    return cut


def plane(x: float, shown: bpy.types.Material) -> None:
    """A plane of 3x3 units, which is active."""
    bpy.ops.mesh.primitive_plane_add(size=3, location=(x, 0, 0))
    bpy.context.object.data.materials.append(shown)


def render(out: Path) -> None:
    scene = bpy.context.scene
    bpy.ops.object.light_add(type="SUN", rotation=(math.radians(62), 0, math.radians(-50)))
    bpy.context.object.data.energy = 8
    scene.world = bpy.data.worlds.new("Sky")
    if scene.world.node_tree is None:
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.35
    bpy.ops.object.camera_add(location=(0, 0, 10))
    scene.camera = bpy.context.object
    scene.camera.data.type, scene.camera.data.ortho_scale = "ORTHO", 6.15
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 24, False
    scene.render.resolution_x, scene.render.resolution_y = 1230, 615
    scene.view_settings.view_transform = "Standard"
    scene.render.filepath = str(out)
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    main(*(Path(argument).resolve() for argument in sys.argv[1:4]))
