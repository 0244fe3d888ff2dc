"""The operators of the installed zip in real Blender: what they make, what they refuse, what they leave behind."""

from __future__ import annotations

import importlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from .conftest import MODULE, Scene, bpy, picture, png, values


def core() -> ModuleType:
    return importlib.import_module(f"{MODULE}.otsynth_core")


def new_node(scene: Scene) -> bpy.types.Node:
    return next(n for n in scene.tree.nodes if n.type == "TEX_IMAGE" and n.name != scene.node_name)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tile_is_the_cores_result_in_a_new_node(scene: Scene, channels: int) -> None:
    source = picture(40, 48, channels)
    scene.node.image = bpy.data.images.load(str(png(scene.folder / f"map{channels}.png", source)))
    assert bpy.ops.otsynth.tile(seed=5, device="numpy") == {"FINISHED"}
    image = new_node(scene).image
    assert image.name == f"map{channels}_tile"
    assert tuple(image.size) == (48, 40)
    wanted = core().tile(source, seed=5, device="numpy").image
    made = values(image)
    colour = slice(0, 3) if channels > 1 else slice(0, 1)
    np.testing.assert_array_equal(made[..., colour], wanted[..., colour])
    if channels == 4:
        np.testing.assert_array_equal(made[..., 3], wanted[..., 3])
    else:
        assert (made[..., 3] == 255).all()


@pytest.mark.parametrize("muted", [False, True])
def test_the_node_is_like_its_source(scene: Scene, muted: bool) -> None:
    old = scene.node
    old.mute = old.inputs["Vector"].links[0].is_muted = muted
    old.texture_mapping.scale, old.texture_mapping.mapping_x = (4, 3, 2), "Z"
    old.color_mapping.brightness, old.color_mapping.blend_type = 0.5, "ADD"
    bpy.ops.otsynth.tile(device="numpy")
    new = new_node(scene)
    for name in ("projection", "projection_blend", "interpolation", "extension", "parent", "width", "mute"):
        assert getattr(new, name) == getattr(old, name)
    assert tuple(new.texture_mapping.scale) == (4, 3, 2)
    assert new.texture_mapping.mapping_x == "Z"
    assert (new.color_mapping.brightness, new.color_mapping.blend_type) == (0.5, "ADD")
    assert new.inputs["Vector"].links[0].is_muted == muted
    assert new.inputs["Vector"].links[0].from_socket == old.inputs["Vector"].links[0].from_socket
    assert new.location.x == old.location.x
    assert new.location.y <= old.location.y - 280  # an Image Texture node is drawn about so high
    bpy.ops.otsynth.tile(device="numpy", seed=1)
    third = next(n for n in scene.tree.nodes if n.type == "TEX_IMAGE" and n not in (old, new))
    assert third.location.y <= new.location.y - 280
    assert scene.tree.nodes.active == old
    assert not new.outputs["Color"].is_linked
    assert old.outputs["Color"].is_linked
    assert json.loads(new.image["otsynth"])["device"] == "numpy"


@pytest.mark.parametrize("store", ["pack", "beside"])
@pytest.mark.parametrize("space", ["sRGB", "Non-Color", "Linear Rec.709"])
def test_colour_space_goes_along_and_pixels_stay_raw(scene: Scene, space: str, store: str) -> None:
    scene.node.image.colorspace_settings.name = space
    scene.node.image.alpha_mode = "CHANNEL_PACKED"
    bpy.ops.otsynth.tile(device="numpy", store=store)
    image = new_node(scene).image
    assert image.colorspace_settings.name == space
    assert image.alpha_mode == "CHANNEL_PACKED"
    wanted = core().tile(picture(40, 48, 3), device="numpy").image
    np.testing.assert_array_equal(values(image)[..., :3], wanted)


def test_synthesize_has_size_and_wrap(scene: Scene) -> None:
    assert bpy.ops.otsynth.synthesize(width=70, height=36, wrap="x", seed=2, device="numpy") == {"FINISHED"}
    image = new_node(scene).image
    assert image.name == "wall_synthesized"
    wanted = core().synthesize(picture(40, 48, 3), size=(70, 36), wrap="x", seed=2, device="numpy").image
    np.testing.assert_array_equal(values(image)[..., :3], wanted)


@pytest.mark.parametrize("mode", ["STRAIGHT", "PREMUL", "CHANNEL_PACKED", "NONE"])
@pytest.mark.parametrize("store", ["pack", "beside"])
def test_alpha_is_the_same_after_saving(scene: Scene, mode: str, store: str) -> None:
    image = bpy.data.images.load(str(png(scene.folder / "alpha.png", picture(40, 48, 4))))
    image.alpha_mode = mode
    scene.node.image = image
    bpy.ops.otsynth.tile(device="numpy", store=store)
    made = values(new_node(scene).image)
    bpy.ops.wm.save_as_mainfile(filepath=str(scene.folder / "test.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(scene.folder / "test.blend"))
    np.testing.assert_array_equal(values(new_node(scene).image), made)


def test_only_the_ending_of_a_file_is_cut_from_the_name(scene: Scene) -> None:
    scene.node.image.name = "rock.v1.2 final"
    bpy.ops.otsynth.tile(device="numpy")
    assert new_node(scene).image.name == "rock.v1.2 final_tile"


@pytest.mark.parametrize(("given", "size"), [({"width": 96}, (96, 80)), ({"height": 20}, (24, 20))])
def test_a_side_alone_keeps_the_proportion(scene: Scene, given: dict, size: tuple[int, int]) -> None:
    bpy.ops.otsynth.synthesize(**given, device="numpy", quality="draft")
    (made,) = (node.image for node in scene.tree.nodes if node.type == "TEX_IMAGE" and node.name != scene.node_name)
    assert tuple(made.size) == size


def test_the_number_of_a_second_image_of_a_name_is_no_part_of_it(scene: Scene) -> None:
    scene.node.image = bpy.data.images.load(scene.node.image.filepath, check_existing=False)
    assert scene.node.image.name == "wall.png.001"
    bpy.ops.otsynth.tile(device="numpy", quality="draft")
    assert "wall_tile" in bpy.data.images


def test_a_size_that_is_given_counts(scene: Scene) -> None:
    bpy.ops.otsynth.tile(width=32, height=24, device="numpy")
    assert tuple(new_node(scene).image.size) == (32, 24)


def test_a_source_beside_the_blend_file_stays_relative(scene: Scene) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(scene.folder / "test.blend"))
    scene.node.image.filepath = "//wall.png"
    bpy.ops.otsynth.tile(device="numpy", store="beside")
    assert new_node(scene).image.filepath == "//wall_tile.png"


def test_the_buttons_hand_on_every_option(extension: ModuleType) -> None:
    properties = importlib.import_module(f"{MODULE}.properties")
    common = {"seed", "quality", "device", "whole", "use", "again", "udim", "store", "variations", "preview", "asset"}
    sized = common | {"width", "height", "factor"}
    assert set(properties.names(properties.ForTile)) == sized | {"tile_size", "method", "band"}
    masks = {"mask_from", "mask", "invert", "margin", "stock", "stock_material", "source_mask"}
    assert set(properties.names(properties.ForFill)) == common | masks | {"fill_wrap"}
    assert set(properties.names(properties.ForSynthesize)) == sized | {"wrap", "size"}
    assert common <= set(bpy.context.scene.otsynth.bl_rna.properties.keys())


def test_quality_reaches_the_core(scene: Scene) -> None:
    bpy.ops.otsynth.tile(device="numpy", quality="draft")
    source = picture(40, 48, 3)
    made = values(new_node(scene).image)[..., :3]
    np.testing.assert_array_equal(made, core().tile(source, device="numpy", quality="draft").image)
    assert (made != core().tile(source, device="numpy").image).any()


def test_result_survives_saving_and_the_source_is_not_touched(scene: Scene) -> None:
    before, file = values(scene.node.image), (scene.folder / "wall.png").read_bytes()
    bpy.ops.otsynth.tile(device="numpy")
    made = values(new_node(scene).image)
    assert new_node(scene).image.packed_file
    np.testing.assert_array_equal(values(scene.node.image), before)
    assert (scene.folder / "wall.png").read_bytes() == file
    blend = scene.folder / "test.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    np.testing.assert_array_equal(values(new_node(scene).image), made)


def test_store_beside_the_source(scene: Scene) -> None:
    for name in ("wall_tile.png", "wall_tile_2.png"):
        assert bpy.ops.otsynth.tile(device="numpy", store="beside") == {"FINISHED"}
        assert (scene.folder / name).is_file()
    saved = bpy.data.images.load(str(scene.folder / "wall_tile.png"))
    wanted = core().tile(picture(40, 48, 3), device="numpy").image
    np.testing.assert_array_equal(values(saved)[..., :3], wanted)
    assert not new_node(scene).image.packed_file


def test_undo_takes_it_all_back_and_redo_brings_it_again(scene: Scene) -> None:
    bpy.ops.ed.undo_push(message="before")
    before = scene.state()
    assert bpy.ops.otsynth.tile("EXEC_DEFAULT", True, device="numpy") == {"FINISHED"}
    made, after = values(new_node(scene).image), scene.state()
    assert before != after
    bpy.ops.ed.undo()
    assert scene.state() == before
    bpy.ops.ed.redo()
    assert scene.state() == after
    np.testing.assert_array_equal(values(new_node(scene).image), made)


def test_an_untouched_generated_image_works(scene: Scene) -> None:
    image = bpy.data.images.new("grid", 32, 32)
    image.generated_type = "COLOR_GRID"
    scene.node.image = image
    assert bpy.ops.otsynth.tile(device="numpy") == {"FINISHED"}
    assert tuple(new_node(scene).image.size) == (32, 32)


def refusal(scene: Scene, **options: object) -> str:
    """The words of a refusal; the scene and the folder are as before, and so is the temporary folder."""
    before = scene.state()
    with pytest.raises(RuntimeError) as error:
        bpy.ops.otsynth.tile(**{"device": "numpy", **options})
    assert scene.state() == before
    assert not list(Path(bpy.app.tempdir).glob("otsynth-*"))
    return str(error.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tile_size": "pixels", "width": 0, "height": 64}, "0x64"),
        ({"tile_size": "pixels", "width": 64, "height": -3}, "64x-3"),
        ({"tile_size": "pixels", "width": 64, "height": 16385}, "16384"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_bad_options(scene: Scene, options: dict, words: str) -> None:
    assert words in refusal(scene, **options)


def test_no_object_and_no_material(scene: Scene) -> None:
    bpy.context.object.data.materials.clear()
    assert "No material is active" in refusal(scene)
    bpy.ops.object.delete()
    assert "No material is active" in refusal(scene)


def test_no_image_node_active(scene: Scene) -> None:
    scene.tree.nodes.active = next(n for n in scene.tree.nodes if n.type == "BSDF_PRINCIPLED")
    assert "No Image Texture node is active" in refusal(scene)
    scene.tree.nodes.active = None
    assert "No Image Texture node is active" in refusal(scene)
    scene.tree.nodes.active = scene.node
    scene.node.image = None
    assert "has no image" in refusal(scene)


def test_missing_and_broken_files(scene: Scene) -> None:
    path = png(scene.folder / "gone.png", picture(40, 48, 3))
    image = bpy.data.images.load(str(path))
    path.unlink()
    scene.node.image = image
    image.reload()
    assert "there is no file" in refusal(scene)
    (scene.folder / "broken.png").write_text("no picture")
    scene.node.image = bpy.data.images.load(str(scene.folder / "broken.png"))
    assert "broken or not an image" in refusal(scene)


def test_a_deep_file_that_is_gone_since_it_was_opened(scene: Scene) -> None:
    path = png(scene.folder / "deep.png", picture(40, 48, 3).astype(np.uint16) * 200)
    image = bpy.data.images.load(str(path))
    assert tuple(image.size) == (48, 40)
    np.array(image.pixels[:4])
    scene.node.image = image
    path.unlink()
    words = refusal(scene)
    assert "there is no file" in words
    assert "deep.png" in words


def test_too_small(scene: Scene) -> None:
    scene.node.image = bpy.data.images.load(str(png(scene.folder / "small.png", picture(9, 4, 3))))
    assert "4x9 px" in refusal(scene)
    assert "wall" not in refusal(scene)


@pytest.mark.parametrize(("source", "words"), [("MOVIE", "a movie"), ("SEQUENCE", "an image sequence")])
def test_sources_without_single_pixels(scene: Scene, source: str, words: str) -> None:
    scene.node.image.source = source
    assert words in refusal(scene)


def test_render_result(scene: Scene) -> None:
    render = bpy.context.scene.render
    render.engine, render.resolution_x, render.resolution_y = "CYCLES", 8, 8
    bpy.context.scene.cycles.samples = 1
    bpy.ops.object.camera_add()
    bpy.context.scene.camera = bpy.context.object
    bpy.ops.render.render()
    bpy.context.view_layer.objects.active = bpy.data.objects["Plane"]
    scene.node.image = bpy.data.images["Render Result"]
    assert "render result" in refusal(scene)


def test_beside_needs_a_file(scene: Scene) -> None:
    scene.node.image.pack()
    assert "not in a file" in refusal(scene, store="beside")


def test_linked_material(scene: Scene) -> None:
    library = scene.folder / "library.blend"
    bpy.data.libraries.write(str(library), {bpy.data.materials[scene.material_name]})
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.materials = [scene.material_name]
    bpy.context.object.data.materials[0] = wanted.materials[0]
    assert "linked" in refusal(scene)


def program(scene: Scene, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the chosen Python a program that does something else."""
    path = scene.folder / "python"
    path.write_text(f"#!{sys.executable}\nimport json, os, signal, sys, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("OTSYNTH_PYTHON", str(path))


READY = 'print(json.dumps({"is": "ready", "protocol": 6}), flush=True); sys.stdin.readline()'


@pytest.mark.skipif(os.name == "nt", reason="a script cannot stand for an executable")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            f"{READY}\nos.kill(os.getpid(), signal.SIGKILL)",
            "was killed, by the system or by someone. Nothing was changed. If memory",
        ),
        ("sys.exit('No module named numpy')", "No module named numpy"),
        (f"{READY}\nprint('hello', flush=True)", "'hello\\n', which is no message"),
        (f"{READY}\nprint('[1]', flush=True)", "which is no message"),
        ('print(json.dumps({"is": "ready", "protocol": 99}), flush=True)', "protocol 99"),
        (
            f"{READY}\n"
            'print(json.dumps({"is": "error", "code": "memory", "message": "It is full", "hint": "Go smaller"}))',
            "It is full. Go smaller.",
        ),
        (f"{READY}\nos.write(1, bytes([255, 254, 10]))", "which is no message"),
        (f"{READY}\nprint(json.dumps({{'is': 'error'}}))", "cannot be used (KeyError"),
        (f"{READY}\nprint(json.dumps({{'is': 'done', 'report': {{}}}}))", "cannot be used (FileNotFoundError"),
    ],
    ids=["killed", "broken", "chatty", "list", "protocol", "memory", "bytes", "empty error", "no result"],
)
def test_a_worker_that_fails(scene: Scene, monkeypatch: pytest.MonkeyPatch, body: str, words: str) -> None:
    program(scene, body, monkeypatch)
    assert words in refusal(scene)


@pytest.mark.skipif(os.name == "nt", reason="a script cannot stand for an executable")
def test_a_program_that_says_nothing_is_not_waited_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[f"{MODULE}.jobs"], "_GREETING_SECONDS", 1)
    program(scene, "time.sleep(600)", monkeypatch)
    assert "did not answer in 1 seconds" in refusal(scene)


def test_a_disk_that_is_full(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    assert "is full. Free some space" in refusal(scene)


def test_a_python_that_is_not_there(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTSYNTH_PYTHON", str(scene.folder / "absent"))
    assert "cannot be started" in refusal(scene)
    assert "preferences" in refusal(scene)


def test_the_preference_chooses_the_python(scene: Scene) -> None:
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.python = str(scene.folder / "absent")
    try:
        assert "absent" in refusal(scene)
    finally:
        preferences.python = ""
    assert bpy.ops.otsynth.tile(device="numpy") == {"FINISHED"}


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_ends_the_worker_and_changes_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    note = scene.folder / "pid"
    program(scene, f"open({str(note)!r}, 'w').write(str(os.getpid()))\n{READY}\ntime.sleep(600)", monkeypatch)
    before = scene.state()

    def interrupt() -> None:
        while not (note.exists() and note.read_text()):
            time.sleep(0.05)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    assert bpy.ops.otsynth.tile() == {"CANCELLED"}
    pid = int(note.read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    note.unlink()
    assert scene.state() == before


def test_register_unregister_register_leaves_nothing_behind(extension: ModuleType) -> None:
    def ours() -> list[str]:
        classes = [name for name in dir(bpy.types) if "otsynth" in name.lower()]
        operators = [f"ops.{name}" for name in dir(bpy.ops.otsynth)]
        return classes + operators + (["Scene"] if hasattr(bpy.types.Scene, "otsynth") else [])

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    before = ours()
    assert before
    extension.unregister()
    assert ours() == []
    extension.register()
    assert ours() == before


def test_disable_and_enable(extension: ModuleType) -> None:
    bpy.ops.preferences.addon_disable(module=MODULE)
    assert not hasattr(bpy.types.Scene, "otsynth")
    bpy.ops.preferences.addon_enable(module=MODULE)
    assert hasattr(bpy.types.Scene, "otsynth")


def test_headless_run_prints_progress_and_exits_cleanly(scene: Scene) -> None:
    """A script as a pipeline would run it: another process, the whole job in one call, exit code 0."""
    code = (
        "import bpy, sys\n"
        f"bpy.ops.preferences.addon_enable(module={MODULE!r})\n"
        f"bpy.ops.wm.open_mainfile(filepath={str(scene.folder / 'job.blend')!r})\n"
        "bpy.ops.otsynth.tile(device='numpy')\n"
        "bpy.ops.wm.save_mainfile()\n"
        "print(sorted(i.name for i in bpy.data.images))\n"
    )
    bpy.ops.wm.save_as_mainfile(filepath=str(scene.folder / "job.blend"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "level 1 of" in done.stdout
    assert "'wall_tile'" in done.stdout
