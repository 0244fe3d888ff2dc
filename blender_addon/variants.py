"""Variants: several results of one press, of which a node shows one; stepped through until one is kept."""

from __future__ import annotations

from collections.abc import Iterable

import bpy

_PRESS, _MAP, _NUMBER = "otsynth_press", "otsynth_map", "otsynth_variant"
"""Custom properties of an image: by which press of the button it came, which of its maps it is, and its number
among the variants."""


def mark(image: bpy.types.Image, press: str, which: int, number: int) -> None:
    """Makes an image one of several variants; it stays in the file until another one is kept."""
    image[_PRESS], image[_MAP], image[_NUMBER] = press, which, number
    image.use_fake_user = True


def of(image: bpy.types.Image | None) -> list[bpy.types.Image]:
    """All the variants among which an image is, in their order, itself among them; none where it is not one of several.

    Of copies the first counts.
    """
    if image is None or _PRESS not in image or image.library is not None:
        return []
    found = {image[_NUMBER]: image}
    for one in _pressed(image[_PRESS]):
        if one[_MAP] == image[_MAP]:
            found.setdefault(one[_NUMBER], one)
    return [found[number] for number in sorted(found)] if len(found) > 1 else []


def _pressed(press: str) -> list[bpy.types.Image]:
    return [one for one in bpy.data.images if one.get(_PRESS) == press and one.library is None]


def show(node: bpy.types.Node, image: bpy.types.Image) -> bpy.types.Image | None:
    """Shows an image in a node, whose label follows if it was the old one's name; returns the old one."""
    before, node.image = node.image, image
    if before is None or node.label == before.name:
        node.label = image.name
    return before


def step(image: bpy.types.Image, by: int, trees: Iterable[bpy.types.NodeTree]) -> bpy.types.Image:
    """Shows the variant so many further on, of every map that came by the same press, in every node that shows one."""
    found = of(image)
    wanted = found[(found.index(image) + by) % len(found)]
    for tree in trees:
        for node in tree.nodes:
            if node.type == "TEX_IMAGE" and node.image is not None and node.image.get(_PRESS) == image[_PRESS]:
                show(node, next((one for one in of(node.image) if one[_NUMBER] == wanted[_NUMBER]), node.image))
    return wanted


def keep(image: bpy.types.Image) -> int:
    """Deletes the other variants of the press, but those that something else uses; returns how many are gone."""
    number, gone = image[_NUMBER], 0
    for one in _pressed(image[_PRESS]):
        one.use_fake_user = False
        if one[_NUMBER] != number and not one.users:
            bpy.data.images.remove(one)
            gone += 1
        else:
            one.use_fake_user = not one.users or one.asset_data is not None
            for name in (_PRESS, _MAP, _NUMBER):
                del one[name]
    return gone


def drop(image: bpy.types.Image | None, ours: bool = False) -> None:
    """Deletes an image that nothing shows any more, and the variants that could only be reached from it; no asset.

    ours: that it is kept without users is none of the user's wishes, as it is with variants.
    """
    if image is None:
        return
    found = _pressed(image[_PRESS]) if _PRESS in image else [image]
    if any(_used(one) for one in found):
        return
    for one in found:
        if (ours or _PRESS in one) and one.asset_data is None:
            one.use_fake_user = False
        if not one.use_fake_user:
            bpy.data.images.remove(one)


def _used(image: bpy.types.Image) -> bool:
    """Whether something holds it. Among the number of its users an editor stays that has shown it once."""
    return bool(bpy.data.user_map(subset={image})[image])
