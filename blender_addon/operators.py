"""The operators: what can be pressed, and what can be called from a script.

No postponed annotations here: Blender reads property definitions from the annotations themselves.
"""

import json
import random
from collections.abc import Generator
from typing import Any

import bpy

from . import masks, nodes, properties, running, synthesis, variants
from .otsynth_core.spec import MAX_SEED, Fill, InputError, Mix, Size, Synthesize, Tile
from .running import Aside, Job, Update
from .synthesis import Kind


class _Synthesis(Job):
    """What tile, synthesize, fill and mix share."""

    bl_options = {"REGISTER", "UNDO"}
    task: str
    suffix: str

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if busy := running.busy():
            cls.poll_message_set(busy)  # type: ignore[attr-defined]
            return False
        try:
            nodes.sources(context, whole=False)
        except InputError as error:
            try:
                nodes.sources(context, whole=True)
            except InputError:
                cls.poll_message_set(str(error))  # type: ignore[attr-defined]
                return False
        return True

    def work(
        self: Any, context: bpy.types.Context, wait: Aside
    ) -> Generator[Update | None, None, list[bpy.types.Image]]:
        return synthesis.work(context, self, Kind(self.bl_label, self.task, self.suffix), wait)

    def of(self: Any, context: bpy.types.Context) -> int:
        return synthesis.lead(nodes.sources(context, self.whole)).image.session_uid

    def told(self: Any, images: list[bpy.types.Image]) -> None:
        reports = [json.loads(one[nodes.REPORT]) for one in variants.of(images[0]) or images[:1]]
        size, device = Size(*reports[0]["size"]), reports[0]["device"]
        seconds = sum(report["seconds"] for report in reports)
        what = f'"{images[0].name}"' if len(images) == 1 else f"{len(images)} maps"
        if self.variations > 1:
            what += f" in {self.variations} variations"
        self.report({"INFO"}, f"Made {what}, {size} px on {device} in {seconds:.1f} s")
        for warning in dict.fromkeys(warning for report in reports for warning in report["warnings"]):
            self.report({"WARNING"}, warning)


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


class OTSYNTH_OT_mix(_Synthesis, properties.ForMix, bpy.types.Operator):
    """Make a texture between the active image texture and another one, or between two whole materials, in new nodes"""

    bl_idname = "otsynth.mix"
    bl_label = "Mix Textures"
    task = Mix.task
    suffix = "_mix"


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
            image = masks.create(nodes.original(source) if context.scene.otsynth.whole else source)
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
        trees = nodes.trees(context)
        if not trees:
            self.report({"ERROR"}, "No material is active: select an object that has one")
            return {"CANCELLED"}
        if not nodes.use(trees, self.result):
            self.report({"INFO"}, "Nothing to exchange")
        return {"FINISHED"}


def varied(context: bpy.types.Context) -> bpy.types.Image | None:
    """The image, one of several variants, that the editor or the active node shows, or that was made of it."""
    try:
        shown = nodes.sources(context, whole=False)[0]
    except InputError:
        return None
    places = [node for _, node in shown.places]
    made = [new.image for _, old, new in nodes.results(nodes.trees(context)) if old in places]
    return next((image for image in [shown.image, *reversed(made)] if variants.of(image)), None)


class _OfVariants:
    """What operators on variants share."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if varied(context) is None:
            cls.poll_message_set("There are no variations of this image: set Variations before making a result")  # type: ignore[attr-defined]
            return False
        return True


class OTSYNTH_OT_variant(_OfVariants, bpy.types.Operator):
    """Show the next of several results, or the one before"""

    bl_idname = "otsynth.variant"
    bl_label = "Next Variation"

    by: bpy.props.IntProperty(name="By", description="How many further on", default=1)  # type: ignore[valid-type]

    def execute(self, context: bpy.types.Context) -> set[str]:
        image = varied(context)
        assert image is not None
        now = variants.step(image, self.by, nodes.trees(context))
        space = context.space_data
        if space is not None and space.type == "IMAGE_EDITOR" and space.image == image:
            space.image = now
        return {"FINISHED"}


class OTSYNTH_OT_keep(_OfVariants, bpy.types.Operator):
    """Keep the result that is shown and delete its other variations; files beside the source stay"""

    bl_idname = "otsynth.keep"
    bl_label = "Keep This Variation"

    def execute(self, context: bpy.types.Context) -> set[str]:
        image = varied(context)
        assert image is not None
        gone = variants.keep(image)
        self.report({"INFO"}, f'Kept "{image.name}", deleted {gone} other images')
        return {"FINISHED"}


class OTSYNTH_OT_dice(bpy.types.Operator):
    """Throw another seed: the next result is another one"""

    bl_idname = "otsynth.dice"
    bl_label = "Another Seed"
    bl_options = {"INTERNAL", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.otsynth.seed = random.randint(0, MAX_SEED)
        return {"FINISHED"}


class OTSYNTH_OT_size(bpy.types.Operator):
    """Make results so many pixels wide and high"""

    bl_idname = "otsynth.size"
    bl_label = "Size"
    bl_options = {"INTERNAL", "UNDO"}

    side: bpy.props.IntProperty(name="Side")  # type: ignore[valid-type]

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.otsynth.width = context.scene.otsynth.height = self.side
        return {"FINISHED"}


_CLASSES = (
    OTSYNTH_OT_tile,
    OTSYNTH_OT_synthesize,
    OTSYNTH_OT_fill,
    OTSYNTH_OT_mix,
    OTSYNTH_OT_mask,
    OTSYNTH_OT_use,
    OTSYNTH_OT_variant,
    OTSYNTH_OT_keep,
    OTSYNTH_OT_dice,
    OTSYNTH_OT_size,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
