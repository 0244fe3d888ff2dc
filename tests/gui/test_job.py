"""A job while the user goes on: drawn, cancelled, overtaken by undo, deletion, another file, the end of Blender."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from screen import SIZE
from test_window import IMAGES, NODES, RESULTS, SCENE, TREE, results, set_options, shader_editor, show_all
from window import Window

RUNNING = "__import__('sys').modules['bl_ext.user_default.otsynth.running'].current"
LONG = {"size": "'pixels'", "width": 2048, "height": 2048, "seed": 5}
"""Settings of a job that takes long enough for what is done meanwhile."""
TIMED = """
import sys, time
running = sys.modules['bl_ext.user_default.otsynth.running']
spent = bpy.app.driver_namespace['spent'] = []
def timed(own):
    def call(*given):
        start = time.perf_counter()
        try:
            return own(*given)
        finally:
            spent.append(time.perf_counter() - start)
    call.own = own
    return call
running.Job._advanced, running._announce = timed(running.Job._advanced), timed(running._announce)
"""
"""Notes how long each of the two took that `modal` consists of."""
UNTIMED = """
import sys
running = sys.modules['bl_ext.user_default.otsynth.running']
running.Job._advanced, running._announce = running.Job._advanced.own, running._announce.own
answer = bpy.app.driver_namespace.pop('spent')
"""


def begun(window: Window, idname: str = "otsynth.synthesize", space: str = NODES, share: float = 0.02) -> None:
    """Clicks a button and waits until a share of the job is done."""
    window.click(*window.find(idname, space))
    window.wait(f"{RUNNING} is not None and {RUNNING}.fraction > {share}", 60)


def nothing_left(window: Window) -> bool:
    return not list(window.temporary.rglob("otsynth-*"))


def worker_waits(window: Window) -> bool:
    return window.run("import sys\nanswer = sys.modules['bl_ext.user_default.otsynth.jobs'].waits()")


def both_editors(window: Window, wall: Path) -> str:
    """The Image Editor left, the Shader Editor right. The image's name."""
    window.run(
        "area = max(window.screen.areas, key=lambda a: a.width * a.height)\n"
        "with bpy.context.temp_override(area=area, region=area.regions[-1]):\n"
        "    bpy.ops.screen.area_split(direction='VERTICAL', factor=0.4)\n"
        "min((a for a in window.screen.areas if a.type == 'VIEW_3D'), key=lambda a: a.x).ui_type = 'IMAGE_EDITOR'"
    )
    name = shader_editor(window, wall)
    window.run(f"area.spaces.active.image = bpy.data.images[{name!r}]", IMAGES)
    window.run("bpy.ops.image.view_all(fit_view=True)", IMAGES)
    return name


def test_the_picture_grows_while_it_computes(window: Window, wall: Path, out: Path) -> None:
    both_editors(window, wall)
    set_options(window, size="'pixels'", width=1024, height=1024, seed=3, quality="'normal'")
    begun(window, share=0.3)
    assert window.run(f"answer = {RUNNING}.preview is not None")
    window.screenshot(out / "running.png")
    window.wait(f"{RUNNING} is None", 120)
    assert results(window) == ["wall_synthesized"]


def test_blender_goes_on_while_it_computes(window: Window, wall: Path) -> None:
    """In a small window, for without a graphics card it takes a tenth of a second to draw a large one, job or not.

    The better of two runs counts: other processes on the machine hold Blender up as well.
    """
    both_editors(window, wall)
    set_options(window, seed=3, quality="'normal'")
    window.run("bpy.ops.otsynth.synthesize('INVOKE_DEFAULT', width=64, height=64)", NODES)  # compiles a shader
    window.wait(f"{RUNNING} is None", 60)
    window.resize(800, 500)
    drawn = redraws(window)
    longest = []
    for _ in (0, 1):
        window.run(TIMED)
        window.run("bpy.ops.otsynth.synthesize('INVOKE_DEFAULT', width=1024, height=1024)", NODES)
        window.gaps()  # reading the source is one
        gaps = []
        while window.run(f"answer = {RUNNING} is not None"):
            gaps.append(max(window.gaps()))
            time.sleep(0.2)
        *spent, reading, placing = sorted(window.run(UNTIMED))
        longest.append(max(gaps[:-1]))  # the last may be that of placing
        print(
            f"\nplacing the result {placing:.3f} s, reading the source {reading:.3f} s, else {max(spent):.3f} s;"
            f" longest gap {longest[-1]:.3f} s; to draw the same without a job: {max(drawn):.3f} s"
        )
        assert len(spent) > 20
        assert max(spent) < 0.05
    window.resize(*SIZE)
    assert min(longest) < 0.1
    assert len(results(window)) == 3


def redraws(window: Window) -> list[float]:
    """Gaps while what a job draws is drawn ten times a second, and nothing else goes on."""
    window.gaps()
    for _ in range(30):
        window.run(
            "for area in window.screen.areas:\n"
            "    for region in area.regions:\n"
            "        if (area.type, region.type) in {('NODE_EDITOR', 'UI'), ('IMAGE_EDITOR', 'WINDOW')}:\n"
            "            region.tag_redraw()\n"
            "window.workspace.status_text_set(str(area.x))"
        )
        time.sleep(0.1)
    window.run("window.workspace.status_text_set(None)")
    return window.gaps()


@pytest.mark.parametrize("how", ["key", "button"])
def test_cancelled_within_half_a_second(window: Window, wall: Path, how: str) -> None:
    name = shader_editor(window, wall)
    set_options(window, **LONG | {"width": 4096, "height": 4096})  # a narrow button takes long to be found
    begun(window)
    place = window.find("otsynth.cancel") if how == "button" else (400, 400)
    assert window.run(f"answer = {RUNNING} is not None"), "it has ended while its button was looked for"
    window.move(*place)
    start = time.perf_counter()
    if how == "button":
        window.click(*place)
    else:
        window.key("Escape")
    window.wait(f"{RUNNING} is None", 5)
    assert time.perf_counter() - start < 0.5 + 0.3  # of which the mouse and the asking take a part
    assert nothing_left(window)
    assert not worker_waits(window)
    assert results(window) == []
    assert window.run(
        "answer = [i.name for i in bpy.data.images if i.name not in ('Render Result', 'Viewer Node')]"
    ) == [name]


def test_a_second_job_is_refused(window: Window, wall: Path) -> None:
    shader_editor(window, wall)
    set_options(window, **LONG)
    place = window.find("otsynth.tile")
    begun(window)
    window.click(*place)
    assert window.run(f"answer = {RUNNING}.title") == "Synthesize"
    assert not window.run("answer = bpy.ops.otsynth.tile.poll()", NODES)
    window.run("bpy.ops.otsynth.cancel()")
    window.wait(f"{RUNNING} is None", 5)
    window.settle(10)
    assert results(window) == []


MEANWHILE = {
    "rename": f"bpy.data.images['wall.png'].name = 'other'; {TREE}.nodes['Source'].name = 'another'",
    "select": "empty = bpy.data.objects.new('E', None); bpy.context.scene.collection.objects.link(empty)\n"
    "bpy.context.view_layer.objects.active = empty",
    "delete": "bpy.data.images.remove(bpy.data.images['wall.png'])",
    "close": "area.ui_type = 'VIEW_3D'",
}


@pytest.mark.parametrize("what", MEANWHILE)
def test_the_result_comes_whatever_is_done(window: Window, wall: Path, what: str) -> None:
    shader_editor(window, wall)
    set_options(window, size="'pixels'", width=512, height=512, seed=3)
    begun(window)
    window.run(MEANWHILE[what], NODES if what == "close" else "")
    assert window.run(f"answer = {RUNNING} is not None"), "it was over before"
    window.wait(f"{RUNNING} is None", 120)
    [name] = results(window)
    window.run(
        f"tree = {TREE}\nassert any(n.image and n.image.name == {name!r} for n in tree.nodes if n.type == 'TEX_IMAGE')"
    )
    assert nothing_left(window)


def test_undo_meanwhile_and_the_result_is_one_step_of_it(window: Window, wall: Path) -> None:
    shader_editor(window, wall)
    set_options(window, size="'pixels'", width=512, height=512, seed=3)
    place = window.find("otsynth.synthesize")
    window.run(
        "bpy.ops.ed.undo_push(message='one')\n"
        f"{TREE}.nodes.new('ShaderNodeRGB').name = 'later'\n"
        "bpy.ops.ed.undo_push(message='two')"
    )
    window.click(*place)
    window.wait(f"{RUNNING} is not None and {RUNNING}.fraction > 0.02", 60)
    window.move(400, 500)
    window.key("ctrl+z")
    window.wait(f"'later' not in {TREE}.nodes", 10)
    window.wait(f"{RUNNING} is None", 120)
    [name] = results(window)
    pixels = window.pixels(name)
    window.move(400, 500)
    window.key("ctrl+z")
    window.wait(f"not {RESULTS}", 10)
    assert "Source" in window.run(f"answer = [n.name for n in {TREE}.nodes]")
    window.key("ctrl+shift+z")
    window.wait(RESULTS, 10)
    assert np.array_equal(window.pixels(name), pixels)


@pytest.mark.parametrize("how", ["EXEC_DEFAULT", "INVOKE_DEFAULT"])
def test_adjust_last_operation_makes_it_anew(window: Window, wall: Path, how: str) -> None:
    shader_editor(window, wall)
    window.run("bpy.ops.ed.undo_push(message='before')")
    window.run(f"bpy.ops.otsynth.tile({how!r}, True, seed=3, quality='draft')", NODES)
    window.wait(f"{RUNNING} is None and {RESULTS}", 60)
    window.run(
        "last = bpy.context.window_manager.operators[-1]\n"
        "assert last.bl_idname == 'OTSYNTH_OT_tile', last.bl_idname\n"
        "last.seed = 4\n"
        "bpy.ops.ed.undo_redo()",
        NODES,
    )
    [name] = results(window)
    assert window.run(f"import json\nanswer = json.loads(bpy.data.images[{name!r}]['otsynth'])['seed']") == 4


WINDOWS = "bpy.context.window_manager.windows"


def started_in_another_window(window: Window, call: str) -> None:
    window.run("bpy.ops.wm.window_new_main()")
    window.wait(f"len({WINDOWS}) == 2")
    window.run(
        f"other = {WINDOWS}[1]\nwith bpy.context.temp_override(window=other, area=other.screen.areas[0]):\n    {call}"
    )


def close_the_other_window(window: Window) -> None:
    window.run(f"with bpy.context.temp_override(window={WINDOWS}[1]):\n    bpy.ops.wm.window_close()")
    window.wait(f"len({WINDOWS}) == 1", 10)


def test_a_job_of_another_window_goes_on(window: Window, wall: Path) -> None:
    shader_editor(window, wall)
    started_in_another_window(window, "bpy.ops.otsynth.tile('INVOKE_DEFAULT', True, quality='draft')")
    try:
        window.wait(f"{RUNNING} is None and {RESULTS}", 60)
    finally:
        close_the_other_window(window)


def test_a_window_that_is_closed_ends_its_job(window: Window, wall: Path) -> None:
    shader_editor(window, wall)
    set_options(window, **LONG)
    started_in_another_window(window, "bpy.ops.otsynth.synthesize('INVOKE_DEFAULT', True, width=2048, height=2048)")
    window.wait(f"{RUNNING} is not None and {RUNNING}.fraction > 0.02")
    close_the_other_window(window)
    window.wait(f"{RUNNING} is None", 10)
    assert nothing_left(window)
    assert results(window) == []


def test_the_image_editor_shows_the_source_again_once_the_result_is_undone(window: Window, wall: Path) -> None:
    name = both_editors(window, wall)
    shown = "answer = area.spaces.active.image.name"
    window.run("bpy.ops.ed.undo_push(message='before')", IMAGES)
    for wanted in ("wall_tile", "wall_tile_tile"):  # the second of the first
        window.run("bpy.ops.otsynth.tile('EXEC_DEFAULT', True, quality='draft')", IMAGES)
        assert window.run(shown, IMAGES) == wanted
    for wanted in ("wall_tile", name):
        window.run("bpy.ops.ed.undo()", IMAGES)
        assert window.run(shown, IMAGES) == wanted
    window.run("bpy.ops.otsynth.tile('EXEC_DEFAULT', True, quality='draft')", IMAGES)
    window.run("bpy.context.window_manager.operators[-1].seed = 4\nbpy.ops.ed.undo_redo()", IMAGES)
    assert window.run(shown, IMAGES) == "wall_tile"
    assert window.run("import json\nanswer = json.loads(area.spaces.active.image['otsynth'])['seed']", IMAGES) == 4


def test_search_finds_the_operators(window: Window, wall: Path, out: Path) -> None:
    shader_editor(window, wall)
    window.move(500, 300)
    window.run("bpy.ops.wm.search_menu('INVOKE_DEFAULT')", NODES)  # as F3 does
    window.settle(20)
    window.type("make seamless")
    window.settle(20)
    window.screenshot(out / "search.png")
    window.key("Return")
    window.wait(RESULTS, 60)


def test_another_file_ends_the_job(window: Window, wall: Path) -> None:
    shader_editor(window, wall)
    set_options(window, **LONG)
    begun(window)
    window.run("bpy.ops.wm.read_homefile()")
    window.settle(10)
    window.wait(f"{RUNNING} is None", 5)
    assert not window.run("answer = [i.name for i in bpy.data.images if i.name.startswith('wall')]")
    time.sleep(0.5)
    assert nothing_left(window)
    window.run(SCENE.format(path=str(wall)))  # and the next goes as ever
    window.settle()
    window.sidebar(NODES)
    window.click(*window.find("otsynth.tile"))
    window.wait(RESULTS, 120)


def test_another_workspace_shows_the_job_and_none_keeps_it(window: Window, wall: Path, out: Path) -> None:
    shader_editor(window, wall)
    set_options(window, size="'pixels'", width=512, height=512, seed=3)
    before = bottom(window)
    begun(window)
    assert (bottom(window) != before).any()
    window.run("window.workspace = bpy.data.workspaces['Shading']")
    window.settle(10)
    window.wait(f"{RUNNING} is None", 120)
    window.run("window.workspace = bpy.data.workspaces['Layout']")
    window.settle(10)
    time.sleep(6)  # the report of what was made fades
    window.settle(5)
    assert (bottom(window) == before).mean() > 0.99


def bottom(window: Window) -> np.ndarray:
    """The status bar's left part."""
    window.move(400, 400)
    window.settle(5)
    return window.picture()[-22:, :300]


def test_the_extension_can_be_disabled_in_the_middle(window: Window, wall: Path) -> None:
    shader_editor(window, wall)
    set_options(window, **LONG)
    begun(window)
    window.run("bpy.ops.preferences.addon_disable(module='bl_ext.user_default.otsynth')")
    window.settle(10)
    time.sleep(0.5)
    assert nothing_left(window)
    window.run("bpy.ops.preferences.addon_enable(module='bl_ext.user_default.otsynth')")
    window.settle(10)
    assert window.alive


def test_variations_are_stepped_through_with_the_mouse(window: Window, wall: Path, out: Path) -> None:
    shader_editor(window, wall)
    set_options(window, variations=3, seed=1)
    window.click(*window.find("otsynth.tile"))
    window.wait(RESULTS, 240)
    assert results(window) == ["wall_tile"]
    window.click(*window.find("otsynth.variant", having="by=1"))
    window.wait(f"{RESULTS} == ['wall_tile.001']", 5)
    show_all(window)
    window.screenshot(out / "variations.png")
    window.click(*window.find("otsynth.keep"))
    window.wait("len([i for i in bpy.data.images if i.name.startswith('wall_tile')]) == 1", 5)
    assert results(window) == ["wall_tile.001"]


def test_blender_quits_in_the_middle_of_a_job(window: Window, wall: Path) -> None:
    shader_editor(window, wall)
    set_options(window, **LONG)
    begun(window)
    assert window.quit() == 0, window.log()
    window.close()
    time.sleep(1)
    assert not window.left()
    assert nothing_left(window)
