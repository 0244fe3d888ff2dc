"""What the user sets, made from the fields of `spec`, and its way back to a request.

No postponed annotations here: Blender reads property definitions from the annotations themselves.
"""

import inspect
from dataclasses import fields
from typing import Any

import bpy

from .nodes import LEFT_OUT
from .otsynth_core.roles import ROLES
from .otsynth_core.spec import MAX_SIDE, MIN_SIDE, Fill, InputError, Mix, Request, Size, Synthesize, Tile

_FIELDS = {option.name: option for kind in (Tile, Fill, Mix, Synthesize) for option in fields(kind)}
MANY = 16
"""Most variations of one press."""
_WRAPS = {"both": "Both Ways", "x": "Left to Right", "y": "Top to Bottom", "none": "Not at All"}
_LABELS = {
    "method": {"resynthesize": "Resynthesize", "heal": "Heal the Edges"},
    "quality": {"draft": "Draft", "normal": "Normal", "high": "High"},
    "wrap": _WRAPS,
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
    "normal_dx": "Normal (DirectX)",
    "ao": "Ambient Occlusion",
    "packed": "Packed Channels",
    "id": "ID",
    LEFT_OUT: "Left Out",
}
"""What roles are called on the screen."""
_LATER = ("normal_dx",)
"""Roles that came after the others: a .blend file keeps a role by its number, which must not change."""


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _number(name: str, default: int, description: str, least: int, most: int) -> Any:
    # Soft limits: a script's value that is out of range reaches the spec and is refused in words, not clamped.
    return bpy.props.IntProperty(name=name, default=default, description=description, soft_min=least, soft_max=most)


def _whole(name: str) -> Any:
    field: Any = _FIELDS[name]
    limits = field.metadata
    return _number(name.title(), field.default, _sentence(limits["help"]), limits["min"], limits["max"])


def _choice(name: str, kind: type = Synthesize) -> Any:
    field = next((option for option in fields(kind) if option.name == name), _FIELDS[name])
    return bpy.props.EnumProperty(
        name=name.title(),
        description=_sentence(field.metadata["help"]),
        items=[(value, _LABELS[name][value], "") for value in field.metadata["choices"]],
        default=field.default,
    )


_SIZES = [
    ("factor", "Factor", "So many times the source's sides"),
    ("pixels", "Pixels", "The width and height that are given"),
]


class Common:
    """Options of every operator."""

    seed: _whole("seed")  # type: ignore[valid-type]
    quality: _choice("quality")  # type: ignore[valid-type]
    device: _choice("device")  # type: ignore[valid-type]
    whole: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Whole Material",
        description="Work on every image that feeds the material's output, all in step",
    )
    variations: _number(  # type: ignore[valid-type]
        "Variations", 1, "How many results with seeds in a row are made, to step through and keep one", 1, MANY
    )
    preview: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Live Preview",
        description="Draw the result as it comes over its source in the Image Editor",
        default=True,
    )
    asset: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Mark as Asset", description="Offer the new images in the Asset Browser"
    )
    use: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Use the Result",
        description="Link the result in the place of its source; the source's node stays",
    )
    again: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Done Again",
        description="What becomes of the last result of the same kind",
        items=[
            ("add", "Add a Variant", "Put the new result into a node of its own, beside the last"),
            (
                "replace",
                "Replace the Last",
                "Show the new result in the node of the last, which goes if nothing uses it; its file stays",
            ),
        ],
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


class Sized(Common):
    """Options of every operator whose result may have another size."""

    factor: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Factor", description="Sides of the result over the source's", default=2, soft_min=0.25, soft_max=16
    )
    width: _number("Width", 1024, "Width of the result in pixels", MIN_SIDE, MAX_SIDE)  # type: ignore[valid-type]
    height: _number("Height", 1024, "Height of the result in pixels", MIN_SIDE, MAX_SIDE)  # type: ignore[valid-type]


class ForTile(Sized):
    """Options of `otsynth.tile`."""

    tile_size: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Size",
        description="What tells the size of the result",
        items=[
            ("source", "Source", "As large as the source, or near it so that a structure that repeats fits"),
            *_SIZES,
        ],
    )
    method: _choice("method")  # type: ignore[valid-type]
    band: _number(  # type: ignore[valid-type]
        "Band", 0, "Pixels on either side of an edge that healing may make anew; 0: found from the picture", 0, 1024
    )


class ForFill(Common):
    """Options of `otsynth.fill`."""

    mask_from: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Mask",
        description="What tells what is to be filled",
        items=[
            (
                "image",
                "Image",
                "Another image, where it is white, or one that Paint Mask has made, where it is painted",
            ),
            ("alpha", "Alpha", "The image itself, where it is transparent"),
        ],
    )
    mask: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Mask Image", description="Image that is white, or was painted on, where the texture is to be filled"
    )
    invert: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Invert", description=_sentence(_FIELDS["invert"].metadata["help"])
    )
    margin: _whole("margin")  # type: ignore[valid-type]
    stock: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Take From", description="Image to take material from; without one, the rest of the image that is filled"
    )
    stock_material: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Take From", description="Material to take from; without one, the rest of the images that are filled"
    )
    source_mask: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Source Mask", description="Image that is white, or was painted on, where material may be taken from"
    )
    fill_wrap: _choice("wrap", Fill)  # type: ignore[valid-type]


class ForSynthesize(Sized):
    """Options of `otsynth.synthesize`."""

    size: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Size", description="What tells the size of the result", items=_SIZES
    )
    wrap: _choice("wrap")  # type: ignore[valid-type]


class ForMix(Sized):
    """Options of `otsynth.mix`."""

    other: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="With", description="Image to mix with; without one, that of the other Image Texture node that is selected"
    )
    material: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="With",
        description="Material to mix with; without one, that of the other object that is selected",
    )
    t: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Share",
        description=_sentence(_FIELDS["t"].metadata["help"]),
        default=Mix.t,
        soft_min=0,
        soft_max=1,
        subtype="FACTOR",
    )
    t_map: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Share Map", description="Image that tells where how much is of the second: white is all; instead of Share"
    )
    mix_size: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Size",
        description="What tells the size of the result",
        items=[("source", "Source", "As large as the source"), *_SIZES],
    )
    mix_wrap: _choice("wrap", Mix)  # type: ignore[valid-type]


class OTSYNTH_PG_options(ForTile, ForSynthesize, ForFill, ForMix, bpy.types.PropertyGroup):
    """What the panel keeps in the scene."""


def names(kind: type) -> list[str]:
    """The properties that an operator's options consist of."""
    return [name for cls in kind.__mro__ if cls is not object for name in inspect.get_annotations(cls)]


def request(task: str, options: Any, size: tuple[int, int]) -> Request:
    """The request for a task from an operator's options. Raises InputError for values out of range.

    size: (height, width) of the leading image, of which a factor is. Who gives a width, height or factor, and says
    nothing else of the size, wants that; of a width or a height alone the other is in the source's proportion.
    """
    if not 1 <= options.variations <= MANY:
        raise InputError(f"variations is {options.variations}: it must be a whole number from 1 to {MANY}")
    common = {name: getattr(options, name) for name in ("seed", "quality", "device")}
    if task == Tile.task:
        heal = options.method == "heal"  # which keeps the source's size, whatever else is set
        wanted = None if heal else _size(options, "tile_size", size)
        return Tile(size=wanted, method=options.method, band=options.band or None if heal else None, **common)
    if task == Fill.task:
        return Fill(invert=options.invert, margin=options.margin, wrap=options.fill_wrap, **common)
    if task == Mix.task:
        return Mix(t=round(options.t, 6), size=_size(options, "mix_size", size), wrap=options.mix_wrap, **common)
    return Synthesize(size=_size(options, "size", size), wrap=options.wrap, **common)


def _size(options: Any, by: str, source: tuple[int, int]) -> Size | None:
    """What a size is given by says, or else what is given of it; None for the source's own."""
    way, given = getattr(options, by), options.properties.is_property_set
    if not given(by):
        way = "pixels" if given("width") or given("height") else "factor" if given("factor") else way
    match way:
        case "source":
            return None
        case "factor":
            if not 0 < options.factor <= MAX_SIDE:
                raise InputError(f"factor is {options.factor:g}: it must be more than 0, and {MAX_SIDE} at most")
            return Size(*(round(options.factor * side) for side in reversed(source)))
    width, height = options.width, options.height
    if given("width") != given("height"):  # the other in the source's proportion
        across, down = round(height * source[1] / source[0]), round(width * source[0] / source[1])
        width, height = (width, down) if given("width") else (across, height)
    return Size(width, height)


def register() -> None:
    bpy.utils.register_class(OTSYNTH_PG_options)
    bpy.types.Scene.otsynth = bpy.props.PointerProperty(type=OTSYNTH_PG_options)
    kept = ["auto", *(role for role in ROLE_NAMES if role not in _LATER), *_LATER]
    bpy.types.Image.otsynth_role = bpy.props.EnumProperty(
        name="Role",
        description="What the image is of: how it is compared and put together",
        items=[("auto", "Automatic", "By what it is linked to, or its name", "NONE", kept.index("auto"))]
        + [(role, name, "", "NONE", kept.index(role)) for role, name in ROLE_NAMES.items()],
    )


def unregister() -> None:
    del bpy.types.Image.otsynth_role
    del bpy.types.Scene.otsynth
    bpy.utils.unregister_class(OTSYNTH_PG_options)
