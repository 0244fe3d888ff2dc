import bpy

options = bpy.context.scene.otsynth
options.quality = "high"
options.method = "resynthesize"
options.tile_size = "source"
options.wrap = "both"
