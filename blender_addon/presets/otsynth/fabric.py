import bpy

options = bpy.context.scene.otsynth
options.quality = "normal"
options.method = "resynthesize"
options.tile_size = "source"
options.wrap = "both"
