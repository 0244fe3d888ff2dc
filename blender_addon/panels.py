"""The panel in the sidebars of the Shader Editor and the Image Editor, and entries in their menus. It draws only."""

from __future__ import annotations

from typing import Any

import bpy

from . import nodes, operators, preset, running, variants
from .operators import (
    OTSYNTH_OT_fill,
    OTSYNTH_OT_mask,
    OTSYNTH_OT_mix,
    OTSYNTH_OT_synthesize,
    OTSYNTH_OT_tile,
    OTSYNTH_OT_use,
)
from .otsynth_core.spec import InputError
from .properties import ROLE_NAMES, ForFill, ForMix, ForSynthesize, ForTile, names

_SIDES = (512, 1024, 2048, 4096)


class _Panel:
    bl_label = "Texture Synthesis"
    bl_category = "Texture Synthesis"
    bl_region_type = "UI"

    def draw_header_preset(self: Any, context: bpy.types.Context) -> None:
        self.layout.emboss = "NONE"
        self.layout.popover(preset.OTSYNTH_PT_presets.__name__, icon="PRESET", text="")

    def draw(self: Any, context: bpy.types.Context) -> None:
        layout, options = self.layout, context.scene.otsynth
        layout.use_property_split = True
        layout.use_property_decorate = False
        if running.current is not None:
            running.draw(layout, running.current)
        _sources(layout, context, options)
        _variations(layout, context)
        for part in _PARTS:
            header, body = layout.panel(f"otsynth{part.__name__}")
            header.label(text=_PARTS[part])
            if body is not None:
                part(body, options)


def _sources(layout: Any, context: bpy.types.Context, options: Any) -> None:
    """The images that will be worked on, each with its role, which can be corrected."""
    layout.prop(options, "whole")
    try:
        found = nodes.images(context) if options.whole else nodes.sources(context, whole=False)
    except InputError as error:
        for line in str(error).split(": "):
            layout.label(text=line)
        return
    rows = layout.column(align=True)
    for source in found:
        row = rows.row(align=True)
        row.label(text=source.image.name, icon="IMAGE_DATA")
        row.prop_menu_enum(source.image, "otsynth_role", text=ROLE_NAMES[source.role])
    if any(source.image.source == "TILED" for source in found):
        layout.prop(options, "udim")
    if any(nodes.results(nodes.trees(context))):
        row = layout.row(align=True)
        row.operator(OTSYNTH_OT_use.bl_idname, text="Use Results").result = True
        row.operator(OTSYNTH_OT_use.bl_idname, text="Use Sources").result = False


def _variations(layout: Any, context: bpy.types.Context) -> None:
    """To step through the last results of one press, as long as none was kept."""
    image = operators.varied(context)
    if image is None:
        return
    found = variants.of(image)
    row = layout.row(align=True)
    row.operator(operators.OTSYNTH_OT_variant.bl_idname, text="", icon="TRIA_LEFT").by = -1
    row.operator(operators.OTSYNTH_OT_keep.bl_idname, text=f"Keep {found.index(image) + 1} of {len(found)}")
    row.operator(operators.OTSYNTH_OT_variant.bl_idname, text="", icon="TRIA_RIGHT").by = 1


def _tile(layout: Any, options: Any) -> None:
    layout.prop(options, "method")
    if options.method == "heal":
        layout.prop(options, "band")
    else:
        _size(layout, options, "tile_size")
    _button(layout, OTSYNTH_OT_tile, ForTile, options, "MESH_GRID")


def _synthesize(layout: Any, options: Any) -> None:
    _size(layout, options, "size")
    layout.prop(options, "wrap")
    _button(layout, OTSYNTH_OT_synthesize, ForSynthesize, options, "FULLSCREEN_ENTER")


def _fill(layout: Any, options: Any) -> None:
    layout.prop(options, "mask_from")
    if options.mask_from == "image":
        layout.prop_search(options, "mask", bpy.data, "images")
        layout.operator(OTSYNTH_OT_mask.bl_idname, icon="BRUSH_DATA")
    for name in ("invert", "margin", "fill_wrap"):
        layout.prop(options, name)
    layout.prop_search(
        options, *(("stock_material", bpy.data, "materials") if options.whole else ("stock", bpy.data, "images"))
    )
    layout.prop_search(options, "source_mask", bpy.data, "images")
    _button(layout, OTSYNTH_OT_fill, ForFill, options, "SELECT_SUBTRACT")


def _mix(layout: Any, options: Any) -> None:
    layout.prop_search(
        options, *(("material", bpy.data, "materials") if options.whole else ("other", bpy.data, "images"))
    )
    layout.prop_search(options, "t_map", bpy.data, "images")
    if not options.t_map:
        layout.prop(options, "t")
    _size(layout, options, "mix_size")
    layout.prop(options, "mix_wrap")
    _button(layout, OTSYNTH_OT_mix, ForMix, options, "NODE_COMPOSITING")


def _common(layout: Any, options: Any) -> None:
    row = layout.row(align=True)
    row.prop(options, "seed")
    row.operator(operators.OTSYNTH_OT_dice.bl_idname, text="", icon="FILE_REFRESH")
    for name in ("variations", "quality", "device", "store", "again", "use", "asset", "preview"):
        layout.prop(options, name)


_PARTS = {_tile: "Seamless", _synthesize: "Any Size", _fill: "Holes", _mix: "Mixture", _common: "Options"}
"""What the panel consists of, and how it is headed."""


def _size(layout: Any, options: Any, by: str) -> None:
    layout.prop(options, by)
    match getattr(options, by):
        case "factor":
            layout.prop(options, "factor")
        case "pixels":
            layout.prop(options, "width")
            layout.prop(options, "height")
            row = layout.row(align=True)
            for side in _SIDES:
                row.operator(operators.OTSYNTH_OT_size.bl_idname, text=str(side)).side = side


def _button(layout: Any, operator: Any, kind: type, options: Any, icon: str) -> None:
    button = layout.operator(operator.bl_idname, icon=icon)
    unused = ("stock", "other") if options.whole else ("stock_material", "material")
    for name in names(kind):
        setattr(button, name, "" if name in unused else getattr(options, name))


class OTSYNTH_PT_nodes(_Panel, bpy.types.Panel):
    bl_space_type = "NODE_EDITOR"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.space_data.tree_type == "ShaderNodeTree"


class OTSYNTH_PT_image(_Panel, bpy.types.Panel):
    bl_space_type = "IMAGE_EDITOR"


class OTSYNTH_MT_menu(bpy.types.Menu):
    bl_label = "Texture Synthesis"

    def draw(self, context: bpy.types.Context) -> None:
        options = context.scene.otsynth
        _button(self.layout, OTSYNTH_OT_tile, ForTile, options, "MESH_GRID")
        _button(self.layout, OTSYNTH_OT_synthesize, ForSynthesize, options, "FULLSCREEN_ENTER")
        _button(self.layout, OTSYNTH_OT_fill, ForFill, options, "SELECT_SUBTRACT")
        _button(self.layout, OTSYNTH_OT_mix, ForMix, options, "NODE_COMPOSITING")
        self.layout.separator()
        self.layout.operator(OTSYNTH_OT_mask.bl_idname, icon="BRUSH_DATA")
        self.layout.operator(running.OTSYNTH_OT_cancel.bl_idname, icon="X")
        self.layout.operator(running.OTSYNTH_OT_release.bl_idname)


def _in_menu(self: Any, context: bpy.types.Context) -> None:
    space = context.space_data
    if space.type == "IMAGE_EDITOR" or space.tree_type == "ShaderNodeTree":
        self.layout.separator()
        self.layout.menu(OTSYNTH_MT_menu.__name__)


_CLASSES = (OTSYNTH_PT_nodes, OTSYNTH_PT_image, OTSYNTH_MT_menu)
_MENUS = ("NODE_MT_node", "IMAGE_MT_image")


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    for menu in _MENUS:
        getattr(bpy.types, menu).append(_in_menu)


def unregister() -> None:
    for menu in _MENUS:
        getattr(bpy.types, menu).remove(_in_menu)
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
