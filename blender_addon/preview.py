"""The result as it comes, drawn over its source in every Image Editor that shows it; no datablock is made of it."""

from __future__ import annotations

from typing import Any

import bpy
import gpu
import numpy as np
from gpu_extras.presets import draw_texture_2d

from . import running

_handle: Any = None
_drawn: tuple[np.ndarray, gpu.types.GPUTexture] | None = None
"""The last picture, and what the graphics card has of it."""


def _draw() -> None:
    """In the region's own units, in which the image is 1 wide and high."""
    global _drawn
    job, image = running.current, bpy.context.space_data.image
    if job is None or job.preview is None or image is None or image.session_uid != job.image or not all(image.size):
        _drawn = None if job is None else _drawn
        return
    if _drawn is None or _drawn[0] is not job.preview:
        _drawn = job.preview, _texture(job.preview)
    top, left, bottom, right = job.place
    gpu.state.blend_set("NONE")
    draw_texture_2d(_drawn[1], (left, 1 - bottom), right - left, bottom - top)


def _texture(picture: np.ndarray) -> gpu.types.GPUTexture:
    height, width = picture.shape[:2]
    values = np.ones((height, width, 4), np.float32)
    values[..., :3] = picture[::-1] / np.float32(255)
    buffer = gpu.types.Buffer("FLOAT", values.size, np.ascontiguousarray(values).ravel())
    return gpu.types.GPUTexture((width, height), format="RGBA16F", data=buffer)


def register() -> None:
    global _handle
    if not bpy.app.background:
        _handle = bpy.types.SpaceImageEditor.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")


def unregister() -> None:
    global _handle, _drawn
    if _handle is not None:
        bpy.types.SpaceImageEditor.draw_handler_remove(_handle, "WINDOW")
    _handle = _drawn = None
