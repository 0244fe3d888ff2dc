"""The operators: the whole job in `execute`, so that scripts, headless runs and the interface do the same.

No postponed annotations here: Blender reads property definitions from the annotations themselves.
"""

import json
import sys
import traceback
from contextlib import closing
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import jobs, masks, nodes, pixels, properties, runtime
from .otsynth_core.spec import Fill, InputError, Size, Synthesize, Tile

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
            nodes.sources(context, whole=False)
        except InputError as error:
            try:
                nodes.sources(context, whole=True)
            except InputError:
                cls.poll_message_set(str(error))  # type: ignore[attr-defined]
                return False
        return True

    def execute(self: Any, context: bpy.types.Context) -> set[str]:
        try:
            images = self._made(context)
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
            report = json.loads(images[0][REPORT])
            size, device, seconds = Size(*report["size"]), report["device"], report["seconds"]
            what = f'"{images[0].name}"' if len(images) == 1 else f"{len(images)} maps"
            self.report({"INFO"}, f"Made {what}, {size} px on {device} in {seconds:.1f} s")
            for warning in report.get("warnings", ()):
                self.report({"WARNING"}, warning)
            return {"FINISHED"}
        return {"CANCELLED"}

    def _made(self: Any, context: bpy.types.Context) -> list[bpy.types.Image]:
        sources = nodes.sources(context, self.whole)
        request = properties.request(self.task, self)
        tiles = _tiles([source.image for source in sources])
        first = tiles[0] if self.udim == "each" or tiles == [None] else sources[0].image.tiles.active.number
        likes = [pixels.read(one.image, one.role, first) for one in sources]
        paths: list[Path | None] = []
        for one, like in zip(sources, likes, strict=True):
            taken = [path for path in paths if path]
            new = pixels.beside(one.image, self.suffix, like.ending, taken) if self.store == "beside" else None
            paths.append(new)
        command = runtime.command(context.preferences.addons[__package__].preferences.python)
        made, reports = {}, []
        for number in tiles if self.udim == "each" else [first]:
            read = likes if number == first else [pixels.read(one.image, one.role, number) for one in sources]
            maps = {one.image.name_full: picture.map for one, picture in zip(sources, read, strict=True)}
            mask = self.mask_of(sources, read, number)
            outcome = _progressed(context, jobs.run(command, runtime.environment(), request, maps, mask))
            made[number] = outcome.images
            reports.append(outcome.report)
        report = {
            **reports[0],
            "seconds": sum(report["seconds"] for report in reports),
            "warnings": sorted({words for report in reports for words in report.get("warnings", ())}),
        }
        images: list[bpy.types.Image] = []
        try:
            for one, like, path in zip(sources, likes, paths, strict=True):
                values = {
                    n: made[n][one.image.name_full] if n in made else pixels.read(one.image, one.role, n).map.image
                    for n in tiles
                }
                images.append(pixels.create(pixels.stem(one.image) + self.suffix, values, like, one.image, path))
                images[-1][REPORT] = json.dumps({"source": one.image.name, **report})
            pairs = list(zip(sources, images, strict=True))
            replaced = self.again == "replace" and nodes.replace(pairs, self.suffix)
            if not replaced and not nodes.place(pairs, self.suffix, self.bl_label if self.whole else None):
                images[0].use_fake_user = True  # nothing else keeps it
            elif self.use:
                nodes.use(context, made=True)
        except BaseException:
            for image, path in zip(images, paths, strict=False):
                if path is not None:
                    pixels.remove_files(path, pixels.numbers(image))
                bpy.data.images.remove(image)
            raise
        if context.space_data is not None and context.space_data.type == "IMAGE_EDITOR":
            for one, image in zip(sources, images, strict=True):
                if context.space_data.image == one.image:
                    context.space_data.image = image
                    break
        return images

    def mask_of(
        self: Any, sources: list[nodes.Source], read: list[pixels.Picture], number: int | None
    ) -> np.ndarray | None:
        """What is to be filled, of a fill; number: of the UDIM tile that the pictures are of."""
        return None


def _tiles(images: list[bpy.types.Image]) -> list[int] | list[None]:
    """The numbers of the UDIM tiles that images have, all the same ones; of single images None stands for the only."""
    tiles = pixels.numbers(images[0])
    for image in images:
        if pixels.numbers(image) != tiles:
            raise InputError(f'"{images[0].name}" and "{image.name}" have not the same UDIM tiles: leave one out')
    return tiles or [None]


def _progressed(context: bpy.types.Context, work: Any) -> jobs.Outcome:
    """The outcome of the work, its steps shown at the pointer or, without a window, printed a line a level."""
    window = context.window_manager
    window.progress_begin(0, 1)
    told = None
    try:
        with closing(work):
            while True:
                try:
                    step = next(work)
                except StopIteration as end:
                    return end.value
                window.progress_update(step["fraction"])
                if bpy.app.background and step["round"] == step["rounds"] and step["level"] != told:
                    told = step["level"]
                    level, levels = step["levels"] - step["level"], step["levels"]
                    sys.stdout.write(f"otsynth: level {level} of {levels} done, {step['fraction']:.0%}\n")
                    sys.stdout.flush()
    finally:
        window.progress_end()


class OTSYNTH_OT_tile(_Synthesis, properties.ForTile, bpy.types.Operator):
    """Make a seamless version of the active image texture, or of the whole material's, in new nodes beside them"""

    bl_idname = "otsynth.tile"
    bl_label = "Make Seamless"
    task = Tile.task
    suffix = "_tile"


class OTSYNTH_OT_synthesize(_Synthesis, properties.ForSynthesize, bpy.types.Operator):
    """Make a texture of any size like the active image texture, or the whole material's, in new nodes beside them"""

    bl_idname = "otsynth.synthesize"
    bl_label = "Synthesize"
    task = Synthesize.task
    suffix = "_synthesized"


class OTSYNTH_OT_fill(_Synthesis, properties.ForFill, bpy.types.Operator):
    """Make anew what a mask covers, from the rest of the image texture or of the whole material's, in new nodes"""

    bl_idname = "otsynth.fill"
    bl_label = "Fill"
    task = Fill.task
    suffix = "_filled"

    def mask_of(
        self: Any, sources: list[nodes.Source], read: list[pixels.Picture], number: int | None
    ) -> np.ndarray | None:
        if self.mask_from == "alpha":
            return masks.transparent(sources, read)
        return masks.read(self.mask, sources, read, number)


class OTSYNTH_OT_mask(bpy.types.Operator):
    """Make a copy of the image texture and open it for painting: Fill then fills what was painted on it"""

    bl_idname = "otsynth.mask"
    bl_label = "Paint Mask"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        try:
            nodes.sources(context, whole=False)
        except InputError as error:
            cls.poll_message_set(str(error))  # type: ignore[attr-defined]
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            source = nodes.sources(context, whole=False)[0]
            image = masks.create(source)
        except InputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.scene.otsynth.mask = image.name
        context.scene.otsynth.mask_from = "image"
        if not masks.show(context, image):
            self.report({"INFO"}, f'Open "{image.name}" in an Image Editor, in Paint mode, and paint on it')
        return {"FINISHED"}


class OTSYNTH_OT_use(bpy.types.Operator):
    """Link the newest results in the place of their sources in the material, or the sources again"""

    bl_idname = "otsynth.use"
    bl_label = "Use Results"
    bl_options = {"REGISTER", "UNDO"}

    result: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Results", description="Use the results; otherwise the sources", default=True
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            exchanged = nodes.use(context, self.result)
        except InputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if not exchanged:
            self.report({"INFO"}, "Nothing to exchange")
        return {"FINISHED"}


_CLASSES = (OTSYNTH_OT_tile, OTSYNTH_OT_synthesize, OTSYNTH_OT_fill, OTSYNTH_OT_mask, OTSYNTH_OT_use)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
