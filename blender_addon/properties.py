"""What the user sets, made from the fields of `spec`, and its way back to a request.

No postponed annotations here: Blender reads property definitions from the annotations themselves.
"""

import inspect
from dataclasses import fields
from typing import Any

import bpy

from .nodes import LEFT_OUT
from .otsynth_core.roles import ROLES
from .otsynth_core.spec import MAX_SIDE, MIN_SIDE, Request, Size, Synthesize, Tile

_FIELDS = {option.name: option for option in fields(Synthesize)}
_LABELS = {
    "quality": {"draft": "Draft", "normal": "Normal", "high": "High"},
    "wrap": {"both": "Both Ways", "x": "Left to Right", "y": "Top to Bottom", "none": "Not at All"},
    "device": {
        "auto": "Automatic",
        "cpu": "CPU",
        "cuda": "CUDA",
        "mps": "Metal",
        "torch": "CPU, PyTorch",
        "numpy": "NumPy",
    },
}


ROLE_NAMES = {
    **{role: role.title() for role in ROLES},
    "ao": "Ambient Occlusion",
    "packed": "Packed Channels",
    "id": "ID",
    LEFT_OUT: "Left Out",
}
"""What roles are called on the screen."""


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _number(name: str, default: int, description: str, least: int, most: int) -> Any:
    # Soft limits: a script's value that is out of range reaches the spec and is refused in words, not clamped.
    return bpy.props.IntProperty(name=name, default=default, description=description, soft_min=least, soft_max=most)


def _choice(name: str) -> Any:
    field = _FIELDS[name]
    return bpy.props.EnumProperty(
        name=name.title(),
        description=_sentence(field.metadata["help"]),
        items=[(value, _LABELS[name][value], "") for value in field.metadata["choices"]],
        default=field.default,
    )


class Common:
    """Options of every operator."""

    width: _number("Width", 1024, "Width of the result in pixels", MIN_SIDE, MAX_SIDE)  # type: ignore[valid-type]
    height: _number("Height", 1024, "Height of the result in pixels", MIN_SIDE, MAX_SIDE)  # type: ignore[valid-type]
    seed: _number(  # type: ignore[valid-type]
        "Seed",
        _FIELDS["seed"].default,
        _sentence(_FIELDS["seed"].metadata["help"]),
        _FIELDS["seed"].metadata["min"],
        _FIELDS["seed"].metadata["max"],
    )
    quality: _choice("quality")  # type: ignore[valid-type]
    device: _choice("device")  # type: ignore[valid-type]
    whole: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Whole Material",
        description="Work on every image that feeds the material's output, all in step",
    )
    use: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Use the Result",
        description="Link the result in the place of its source; the source's node stays",
    )
    udim: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="UDIM Tiles",
        description="Which tiles of a UDIM set are made anew, each by itself; the others are taken over",
        items=[("active", "Active", "The active tile"), ("each", "Each", "Every tile")],
    )
    store: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Store",
        description="Where the new image is kept",
        items=[
            ("pack", "In the Blend File", "Pack the new image into the .blend file"),
            ("beside", "Beside the Source", "Save the new image next to the source's file: PNG, or OpenEXR for floats"),
        ],
        default="pack",
    )


class ForTile(Common):
    """Options of `otsynth.tile`."""

    use_source_size: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Source Size",
        description="Make the result as large as its source, or near it so that a structure that repeats fits",
        default=True,
    )


class ForSynthesize(Common):
    """Options of `otsynth.synthesize`."""

    wrap: _choice("wrap")  # type: ignore[valid-type]


class OTSYNTH_PG_options(ForTile, ForSynthesize, bpy.types.PropertyGroup):
    """What the panel keeps in the scene."""


class OTSYNTH_AP_preferences(bpy.types.AddonPreferences):
    """What belongs to this computer."""

    bl_idname = __package__

    python: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Python",
        description="Python that computes, for example one with PyTorch; empty: Blender's own",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.prop(self, "python")


def names(kind: type) -> list[str]:
    """The properties that an operator's options consist of."""
    return [name for cls in kind.__mro__ if cls is not object for name in inspect.get_annotations(cls)]


def request(task: str, options: Any) -> Request:
    """The request for a task from an operator's options. Raises InputError for values out of range.

    Who gives a width or height to tile, and says nothing of the source's size, wants that width and height.
    """
    size = Size(options.width, options.height)
    common = {name: getattr(options, name) for name in ("seed", "quality", "device")}
    if task == Tile.task:
        given = any(map(options.properties.is_property_set, ("width", "height")))
        own = options.use_source_size and (options.properties.is_property_set("use_source_size") or not given)
        return Tile(size=None if own else size, **common)
    return Synthesize(size=size, wrap=options.wrap, **common)


def register() -> None:
    bpy.utils.register_class(OTSYNTH_PG_options)
    bpy.utils.register_class(OTSYNTH_AP_preferences)
    bpy.types.Scene.otsynth = bpy.props.PointerProperty(type=OTSYNTH_PG_options)
    bpy.types.Image.otsynth_role = bpy.props.EnumProperty(
        name="Role",
        description="What the image is of: how it is compared and put together",
        items=[("auto", "Automatic", "By what it is linked to, or its name")]
        + [(role, name, "") for role, name in ROLE_NAMES.items()],
    )


def unregister() -> None:
    del bpy.types.Image.otsynth_role
    del bpy.types.Scene.otsynth
    bpy.utils.unregister_class(OTSYNTH_AP_preferences)
    bpy.utils.unregister_class(OTSYNTH_PG_options)
