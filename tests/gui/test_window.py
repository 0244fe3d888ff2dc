"""What a user does with the mouse, in a real window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from screen import SIZE
from window import Window

NODES, IMAGES = "NODE_EDITOR", "IMAGE_EDITOR"

SCENE = """
path = {path!r}
image = bpy.data.images.load(path)
material = bpy.data.materials.new("Wall")
if material.node_tree is None:
    material.use_nodes = True
cube = bpy.data.objects["Cube"]
cube.data.materials.clear()
cube.data.materials.append(material)
tree = material.node_tree
shader = next(n for n in tree.nodes if n.type == "BSDF_PRINCIPLED")
node = tree.nodes.new("ShaderNodeTexImage")
node.name, node.image = "Source", image
node.location = shader.location[0] - 400, shader.location[1]
tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
tree.nodes.active = node
bpy.context.scene.otsynth.quality = "draft"
area = max(window.screen.areas, key=lambda a: a.width * a.height)
area.ui_type = "ShaderNodeTree"
area.spaces.active.shader_type = "OBJECT"
answer = image.name
"""

TREE = "bpy.data.materials['Wall'].node_tree"
RESULTS = f"[n.image.name for n in {TREE}.nodes if n.type == 'TEX_IMAGE' and 'otsynth' in (n.image or ())]"
"""Images that were made, as the nodes hold them: there once a result is."""


def shader_editor(window: Window, wall: Path) -> str:
    """Opens a cube's material with the wall in the Shader Editor, the panel beside it. The image's name."""
    name = window.run(SCENE.format(path=str(wall)))
    window.settle()
    window.sidebar(NODES)
    show_all(window)
    return name


def set_options(window: Window, **options: object) -> None:
    """As a script would; then the panel's buttons are drawn anew, with what they now stand for."""
    code = [f"bpy.context.scene.otsynth.{name} = {value}" for name, value in options.items()]
    window.run("\n".join([*code, "for area in window.screen.areas: area.tag_redraw()"]))
    window.settle()


def show_all(window: Window) -> None:
    """All nodes, left of the sidebar."""
    window.run(
        "region = bpy.context.region\n"
        "covered = next(r.width for r in bpy.context.area.regions if r.type == 'UI')\n"
        "seen = lambda right: region.view2d.region_to_view(right, 0)[0] - region.view2d.region_to_view(0, 0)[0]\n"
        "bpy.ops.node.view_all()\n"
        "all = seen(region.width)\n"
        "for _ in range(10):\n"
        "    if seen(region.width - covered) < all:\n"
        "        bpy.ops.view2d.zoom_out()\n"
        "bpy.ops.view2d.pan(deltax=covered // 2)",
        NODES,
    )


def results(window: Window) -> list[str]:
    """The names of the images that were made, as the material's nodes hold them."""
    return window.run(f"answer = {RESULTS}")


def test_make_seamless_with_the_mouse_is_what_a_script_makes(window: Window, wall: Path, out: Path) -> None:
    shader_editor(window, wall)
    set_options(window, seed=3)
    window.screenshot(out / "panel.png")
    window.click(*window.find("otsynth.tile"))
    window.wait(RESULTS, 120)
    [clicked] = results(window)
    show_all(window)
    window.screenshot(out / "finished.png")
    window.run(
        f"tree = {TREE}\n"
        "tree.nodes.active = tree.nodes['Source']\n"
        "bpy.ops.otsynth.tile('EXEC_DEFAULT', seed=3, quality='draft')",
        NODES,
    )
    [called] = set(results(window)) - {clicked}
    assert np.array_equal(window.pixels(clicked), window.pixels(called))


def test_preferences_show(window: Window, out: Path) -> None:
    window.run("bpy.ops.preferences.addon_show(module='bl_ext.user_default.otsynth')")
    window.wait("len(bpy.context.window_manager.windows) == 2")
    window.screenshot(out / "preferences.png")
    assert window.run("answer = bpy.context.preferences.active_section") == "ADDONS"


def test_fill_makes_anew_what_was_painted_and_nothing_else(window: Window, wall: Path, out: Path) -> None:
    window.run(
        "area = max(window.screen.areas, key=lambda a: a.width * a.height)\n"
        "with bpy.context.temp_override(area=area, region=area.regions[-1]):\n"
        "    bpy.ops.screen.area_split(direction='VERTICAL', factor=0.4)\n"
        "min((a for a in window.screen.areas if a.type == 'VIEW_3D'), key=lambda a: a.width).ui_type = 'IMAGE_EDITOR'"
    )
    source = shader_editor(window, wall)
    window.click(*window.find("otsynth.mask"))
    window.wait(f"area.spaces.active.ui_mode == 'PAINT' and area.spaces.active.image.name != {source!r}", space=IMAGES)
    window.run("bpy.ops.image.view_all(fit_view=True)", IMAGES)
    if not window.run("answer = bpy.context.tool_settings.image_paint.brush is not None"):
        pytest.skip("this Blender came without brushes")
    mask, x, y, width, height = window.run(
        "area, region = bpy.context.area, bpy.context.region\n"
        "answer = [area.spaces.active.image.name, region.x, region.y, region.width, region.height]",
        IMAGES,
    )
    middle = x + width / 2, SIZE[1] - (y + height / 2)
    window.drag([(middle[0] + 6 * n, middle[1] + 3 * n) for n in range(-10, 10)])
    window.screenshot(out / "painted.png")
    window.click(*window.find("otsynth.fill"))
    window.wait(RESULTS, 120)
    [filled] = results(window)
    show_all(window)
    window.run(f"area.spaces.active.image = bpy.data.images[{filled!r}]\narea.spaces.active.ui_mode = 'VIEW'", IMAGES)
    window.screenshot(out / "filled.png")
    before, after = window.pixels(source), window.pixels(filled)
    painted = (window.pixels(mask) != before.clip(1, 254))[..., :3].any(2)
    assert 0.005 < painted.mean() < 0.5
    assert np.array_equal(after[~painted], before[~painted])
    assert (after[painted] != before[painted]).any(1).mean() > 0.5


def test_mix_takes_the_active_and_the_selected_node(window: Window, wall: Path, out: Path) -> None:
    source = shader_editor(window, wall)
    second = window.run(
        "import numpy as np\n"
        "image = bpy.data.images.new('second', 96, 64)\n"
        "values = np.random.default_rng(0).random((64, 96, 4)) * [0, 0.4, 0, 0] + [0, 0, 0, 1]\n"
        "image.pixels.foreach_set(values.astype(np.float32).ravel())\n"
        "image.pack()\n"
        f"tree = {TREE}\n"
        "node = tree.nodes.new('ShaderNodeTexImage')\n"
        "node.image, node.location = image, (-700, 0)\n"
        "tree.nodes.active, tree.nodes['Source'].select, node.select = tree.nodes['Source'], True, True\n"
        "answer = image.name"
    )
    set_options(window, t=0.25, seed=3)
    window.click(*window.find("otsynth.mix"))
    window.wait(RESULTS, 120)
    [mixed] = results(window)
    show_all(window)
    window.screenshot(out / "mixed.png")
    first, other, made = (window.pixels(name)[..., :3].mean((0, 1)) / 255 for name in (source, second, mixed))
    assert np.abs(made - 0.75 * first - 0.25 * other).max() < 0.05


def test_blender_quits_and_leaves_nothing(window: Window, wall: Path) -> None:
    shader_editor(window, wall)
    window.click(*window.find("otsynth.tile"))
    window.wait(RESULTS, 120)
    assert window.quit() == 0, window.log()
    window.close()
    assert not window.left()
    assert not list(window.temporary.rglob("otsynth-*"))
