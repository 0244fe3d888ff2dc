"""The harness itself: what it must find, measure and notice, so that the other tests can be believed."""

from __future__ import annotations

import os
import signal

import pytest
from window import BlenderError, Window

PANEL = """
class OTSYNTH_PT_trial(bpy.types.Panel):
    bl_space_type, bl_region_type, bl_category, bl_label = "VIEW_3D", "UI", "Trial", "Trial"

    def draw(self, context):
        self.layout.operator("mesh.primitive_cube_add")
        for line in range(60):
            self.layout.label(text=str(line))
        row = self.layout.row()
        row.label(text="At the end")
        row.operator("mesh.primitive_monkey_add", text="", icon="MONKEY").size = 3
        row.operator("mesh.primitive_monkey_add", text="", icon="MONKEY").size = 4

bpy.utils.register_class(OTSYNTH_PT_trial)
"""


def test_buttons_are_found_and_pressed_wherever_they_are(window: Window) -> None:
    window.run(PANEL)
    window.sidebar("VIEW_3D", "Trial")
    window.click(*window.find("mesh.primitive_monkey_add", "VIEW_3D", "size=3"))
    window.wait("'Suzanne' in bpy.data.objects", 10)
    assert window.run("answer = bpy.data.objects['Suzanne'].dimensions[0]") == pytest.approx(3 * 1.3671875)
    window.click(*window.find("mesh.primitive_cube_add", "VIEW_3D"))
    window.wait("'Cube.001' in bpy.data.objects", 10)
    window.find("mesh.primitive_monkey_add", "VIEW_3D", "size=4")
    window.run("bpy.utils.unregister_class(bpy.types.OTSYNTH_PT_trial)")


def test_standing_still_is_measured(window: Window) -> None:
    window.gaps()
    window.settle(50)
    assert max(window.gaps()) < 0.5
    window.run("import time; time.sleep(1)")
    assert 1 <= max(window.gaps()) < 2


def test_errors_arrive(window: Window) -> None:
    with pytest.raises(BlenderError, match="ZeroDivisionError"):
        window.run("1 / 0")
    with pytest.raises(TimeoutError):
        window.wait("False", 0.5)
    window.key("a")
    assert window.alive


def test_a_process_that_is_left_is_noticed(window: Window) -> None:
    process = window.run("import subprocess; answer = subprocess.Popen(['sleep', '100'], start_new_session=True).pid")
    window.quit()
    window.close()
    assert window.left()
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    assert not window.left()
