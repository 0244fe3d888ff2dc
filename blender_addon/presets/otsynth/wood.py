import bpy

options = bpy.context.scene.otsynth
options.quality = "high"
options.method = "heal"
options.band = 0
options.wrap = "both"
