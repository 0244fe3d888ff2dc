"""The Image Editor in which a button was pressed: it shows the result, and once that is undone the source again.

What editors show is no part of Blender's undo: one that shows an image which undo takes back is left empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import bpy
from bpy.app.handlers import persistent

from . import nodes

_in: dict[int, int] = {}
"""Of spaces, by their addresses, the number in this session of the result that was put there."""
_before: dict[int, int] = {}
"""Of results, by their numbers, that of the image which their space showed before."""


def show(made: Iterable[tuple[bpy.types.Image | None, bpy.types.Image]]) -> None:
    """Of sources and their results, the one whose source is shown still, or what is painted on it."""
    space = bpy.context.space_data
    if space is None or space.type != "IMAGE_EDITOR" or space.image is None:
        return
    shown = space.image.get(nodes.PAINTED) or space.image
    for source, result in made:
        if source == shown:
            _before[result.session_uid] = shown.session_uid
            _put(space, result)
            return


@contextmanager
def again(mask: bpy.types.Image | None, replace: bool) -> Iterator[int | None]:
    """The source stands in the place of its result where that is made once more, and is gone again if nothing comes.

    Yields the result's number in this session, None where the editor shows none that is made again.

    mask: what is to be filled, if it was painted on a copy of the source; replace: the result is to be replaced.
    """
    space, numbered = bpy.context.space_data, {image.session_uid: image for image in bpy.data.images}
    editor = space is not None and space.type == "IMAGE_EDITOR" and space.image is not None
    place, result = (space.as_pointer(), space.image.session_uid) if editor else (0, 0)
    source = numbered.get(_before.get(result, 0)) if _in.get(place) == result else None
    if source is None or not (replace or (mask is not None and mask.get(nodes.PAINTED) == source)):
        yield None
        return
    before = source.session_uid
    space.image = source
    try:
        yield result
    except BaseException:
        back = next((image for image in bpy.data.images if image.session_uid == result), None)
        for one in _spaces():
            if back and one.as_pointer() == place and one.image is not None and one.image.session_uid == before:
                one.image = back
        raise


def _put(space: bpy.types.Space, image: bpy.types.Image) -> None:
    space.image = image
    _in[space.as_pointer()] = image.session_uid


def _spaces() -> Iterator[bpy.types.Space]:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR":
                yield area.spaces.active


@persistent
def _undone(*_: object) -> None:
    there = {image.session_uid: image for image in bpy.data.images}
    for space in _spaces():
        number = _in.get(space.as_pointer())
        if space.image is not None or number is None or number in there:
            continue
        while number is not None and number not in there:
            number = _before.get(number)
        if number is not None:
            _put(space, there[number])


def register() -> None:
    bpy.app.handlers.undo_post.append(_undone)


def unregister() -> None:
    bpy.app.handlers.undo_post.remove(_undone)
    _in.clear()
    _before.clear()
