"""Variants: several results of one press, of which a node shows one; stepped through until one is kept."""

from __future__ import annotations

from collections.abc import Iterable

import bpy

_PRESS, _SOURCE, _NUMBER = "otsynth_press", "otsynth_of", "otsynth_variant"
"""Custom properties of an image: by which press it came, of which source, and as the how-manieth."""


def mark(image: bpy.types.Image, press: str, source: str, number: int) -> None:
    """Makes an image one of several variants; it stays in the file until another one is kept."""
    image[_PRESS], image[_SOURCE], image[_NUMBER] = press, source, number
    image.use_fake_user = True


def of(image: bpy.types.Image | None) -> list[bpy.types.Image]:
    """All the variants among which an image is, in their order; none where it is not one of several."""
    if image is None or _PRESS not in image:
        return []
    alike = [one for one in bpy.data.images if all(one.get(name) == image[name] for name in (_PRESS, _SOURCE))]
    return sorted(alike, key=lambda one: one[_NUMBER]) if len(alike) > 1 else []


def step(image: bpy.types.Image, by: int, trees: Iterable[bpy.types.NodeTree]) -> bpy.types.Image:
    """Shows the variant so many further on, of every map that came by the same press, in every node that shows one."""
    found = of(image)
    wanted = found[(found.index(image) + by) % len(found)]
    for tree in trees:
        for node in tree.nodes:
            if node.type == "TEX_IMAGE" and node.image is not None and node.image.get(_PRESS) == image[_PRESS]:
                shown = next((one for one in of(node.image) if one[_NUMBER] == wanted[_NUMBER]), node.image)
                node.image, node.label = shown, shown.name
    return wanted


def keep(image: bpy.types.Image) -> int:
    """Deletes the other variants of the press, but those that something else uses; returns how many are gone."""
    press, number, gone = image[_PRESS], image[_NUMBER], 0
    for one in [one for one in bpy.data.images if one.get(_PRESS) == press]:
        one.use_fake_user = False
        if one[_NUMBER] != number and not one.users:
            bpy.data.images.remove(one)
            gone += 1
        else:
            one.use_fake_user = not one.users
            for name in (_PRESS, _SOURCE, _NUMBER):
                del one[name]
    return gone
