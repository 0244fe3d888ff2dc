"""Presets: settings for kinds of texture, and the user's own, in the panel's header."""

from __future__ import annotations

from pathlib import Path

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

_FOLDER = "otsynth"
_HERE = str(Path(__file__).parent)
_KEPT = (
    "quality",
    "method",
    "band",
    "tile_size",
    "size",
    "factor",
    "width",
    "height",
    "wrap",
    "margin",
    "fill_wrap",
    "mix_size",
    "mix_wrap",
)
"""The options that a preset holds: what suits a texture, not what is wanted of this one."""


class OTSYNTH_PT_presets(PresetPanel, bpy.types.Panel):
    bl_label = "Texture Synthesis Presets"
    preset_subdir = _FOLDER
    preset_operator = "script.execute_preset"
    preset_add_operator = "otsynth.preset"


class OTSYNTH_OT_preset(AddPresetBase, bpy.types.Operator):
    """Keep these settings as a preset, or remove one"""

    bl_idname = "otsynth.preset"
    bl_label = "Texture Synthesis Preset"
    preset_menu = "OTSYNTH_PT_presets"
    preset_subdir = _FOLDER
    preset_defines = ["options = bpy.context.scene.otsynth"]
    preset_values = [f"options.{name}" for name in _KEPT]


_CLASSES = (OTSYNTH_PT_presets, OTSYNTH_OT_preset)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.utils.register_preset_path(_HERE)


def unregister() -> None:
    bpy.utils.unregister_preset_path(_HERE)
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
