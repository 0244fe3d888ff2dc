"""The operators: the whole job in `execute`, so that scripts, headless runs and the interface do the same.

No postponed annotations here: Blender reads property definitions from the annotations themselves.
"""

import json
import sys
import traceback
from contextlib import closing
from typing import Any

import bpy

from . import jobs, nodes, pixels, properties, runtime
from .otsynth_core.spec import InputError, Size, Synthesize, Tile

REPORT = "otsynth"
"""Custom property of a result: how it was made, as JSON."""


class _Synthesis:
    """What tile and synthesize share: find the source, ask the worker, bring the result back."""

    bl_options = {"REGISTER", "UNDO"}
    task: str
    suffix: str

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        try:
            nodes.source(context)
        except InputError as error:
            cls.poll_message_set(str(error))  # type: ignore[attr-defined]
            return False
        return True

    def execute(self: Any, context: bpy.types.Context) -> set[str]:
        try:
            image = self._made(context)
        except InputError as error:
            self.report({"ERROR"}, str(error))
        except jobs.JobError as error:
            sys.stderr.write(error.log)
            self.report({"ERROR"}, str(error))
        except MemoryError as error:
            self.report({"ERROR"}, f"Out of memory: {error}. Choose a smaller size.")
        except KeyboardInterrupt:
            self.report({"WARNING"}, "Cancelled: nothing was changed")
        except Exception as error:
            traceback.print_exc()
            self.report({"ERROR"}, f"{type(error).__name__}: {error}. Nothing was changed; the console has more.")
        else:
            report = json.loads(image[REPORT])
            size, device, seconds = Size(*report["size"]), report["device"], report["seconds"]
            self.report({"INFO"}, f'Made "{image.name}", {size} px on {device} in {seconds:.1f} s')
            return {"FINISHED"}
        return {"CANCELLED"}

    def _made(self: Any, context: bpy.types.Context) -> bpy.types.Image:
        source = nodes.source(context)
        request = properties.request(self.task, self)
        path = pixels.beside(source.image, self.suffix) if self.store == "beside" else None
        exemplar = pixels.read(source.image)
        command = runtime.command(context.preferences.addons[__package__].preferences.python)
        outcome = _progressed(context, jobs.run(command, runtime.environment(), request, exemplar))
        image = pixels.create(_stem(source.image.name) + self.suffix, outcome.image, source.image, path)
        image[REPORT] = json.dumps({"source": source.image.name, **outcome.report})
        if nodes.place(source, image) is None:
            image.use_fake_user = True  # nothing else keeps it
        if context.space_data is not None and context.space_data.type == "IMAGE_EDITOR":
            context.space_data.image = image
        return image


def _stem(name: str) -> str:
    """An image's name without the ending of an image file; other dots belong to the name."""
    stem, dot, ending = name.rpartition(".")
    return stem if dot + ending.lower() in bpy.path.extensions_image else name


def _progressed(context: bpy.types.Context, work: Any) -> jobs.Outcome:
    """The outcome of the work, its steps shown at the pointer or, without a window, printed a line a level."""
    window = context.window_manager
    window.progress_begin(0, 1)
    try:
        with closing(work):
            while True:
                try:
                    step = next(work)
                except StopIteration as end:
                    return end.value
                window.progress_update(step["fraction"])
                if bpy.app.background and step["round"] == step["rounds"]:
                    level, levels = step["levels"] - step["level"], step["levels"]
                    sys.stdout.write(f"otsynth: level {level} of {levels} done, {step['fraction']:.0%}\n")
                    sys.stdout.flush()
    finally:
        window.progress_end()


class OTSYNTH_OT_tile(_Synthesis, properties.ForTile, bpy.types.Operator):
    """Make a seamless version of the active image texture, as a new image in a new node beside it"""

    bl_idname = "otsynth.tile"
    bl_label = "Make Seamless"
    task = Tile.task
    suffix = "_tile"


class OTSYNTH_OT_synthesize(_Synthesis, properties.ForSynthesize, bpy.types.Operator):
    """Make a texture of any size like the active image texture, as a new image in a new node beside it"""

    bl_idname = "otsynth.synthesize"
    bl_label = "Synthesize"
    task = Synthesize.task
    suffix = "_synthesized"


_CLASSES = (OTSYNTH_OT_tile, OTSYNTH_OT_synthesize)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
