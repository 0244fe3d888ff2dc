import bpy

options = bpy.context.scene.otsynth
options.quality = "draft"
options.method = "resynthesize"
options.tile_size = "source"
options.wrap = "both"
