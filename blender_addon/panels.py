"""The panel in the sidebars of the Shader Editor and the Image Editor. It draws only."""

from __future__ import annotations

from typing import Any

import bpy

from . import nodes
from .operators import OTSYNTH_OT_fill, OTSYNTH_OT_mask, OTSYNTH_OT_synthesize, OTSYNTH_OT_tile, OTSYNTH_OT_use
from .otsynth_core.spec import InputError
from .properties import ROLE_NAMES, ForFill, ForSynthesize, ForTile, names


class _Panel:
    bl_label = "Texture Synthesis"
    bl_category = "Texture Synthesis"
    bl_region_type = "UI"

    def draw(self: Any, context: bpy.types.Context) -> None:
        layout, options = self.layout, context.scene.otsynth
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(options, "whole")
        try:
            _sources(layout, context, options.whole)
        except InputError as error:
            for line in str(error).split(": "):
                layout.label(text=line)
        common = layout.column()
        common.prop(options, "seed")
        common.prop(options, "quality")
        common.prop(options, "device")
        common.prop(options, "store")
        common.prop(options, "use")
        common.prop(options, "again")
        tile = layout.column(align=True)
        tile.prop(options, "method")
        if options.method == "heal":
            tile.prop(options, "band")
        else:
            tile.prop(options, "use_source_size")
        _button(tile, OTSYNTH_OT_tile, ForTile, options)
        free = layout.column(align=True)
        free.prop(options, "width")
        free.prop(options, "height")
        free.prop(options, "wrap")
        _button(free, OTSYNTH_OT_synthesize, ForSynthesize, options)
        fill = layout.column(align=True)
        fill.prop(options, "mask_from")
        if options.mask_from == "image":
            fill.prop_search(options, "mask", bpy.data, "images")
            fill.operator(OTSYNTH_OT_mask.bl_idname, icon="BRUSH_DATA")
        fill.prop(options, "invert")
        fill.prop(options, "margin")
        fill.prop(options, "fill_wrap")
        _button(fill, OTSYNTH_OT_fill, ForFill, options)


def _sources(layout: Any, context: bpy.types.Context, whole: bool) -> None:
    """The images that will be worked on, each with its role, which can be corrected."""
    found = nodes.images(context) if whole else nodes.sources(context, whole=False)
    rows = layout.column(align=True)
    for source in found:
        row = rows.row(align=True)
        row.label(text=source.image.name, icon="IMAGE_DATA")
        row.prop_menu_enum(source.image, "otsynth_role", text=ROLE_NAMES[source.role])
    if any(source.image.source == "TILED" for source in found):
        layout.prop(context.scene.otsynth, "udim")
    if any(nodes.results(context)):
        row = layout.row(align=True)
        row.operator(OTSYNTH_OT_use.bl_idname, text="Use Results").result = True
        row.operator(OTSYNTH_OT_use.bl_idname, text="Use Sources").result = False


def _button(layout: Any, operator: Any, kind: type, options: Any) -> None:
    button = layout.operator(operator.bl_idname)
    for name in names(kind):
        setattr(button, name, getattr(options, name))


class OTSYNTH_PT_nodes(_Panel, bpy.types.Panel):
    bl_space_type = "NODE_EDITOR"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.space_data.tree_type == "ShaderNodeTree"


class OTSYNTH_PT_image(_Panel, bpy.types.Panel):
    bl_space_type = "IMAGE_EDITOR"


_CLASSES = (OTSYNTH_PT_nodes, OTSYNTH_PT_image)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
