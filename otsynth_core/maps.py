"""A map: one image of a material, how it is encoded for comparing patches, and how it is put together again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .spec import InputError


@dataclass(frozen=True)
class Map:
    """Pixels as they are stored (straight alpha, encoded colour), and what the caller's array looked like.

    pixels: float32 (H, W, C), 8-bit values divided by 255. C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
    """

    pixels: np.ndarray
    dtype: np.dtype
    shape: tuple[int, ...]

    @classmethod
    def of(cls, image: np.ndarray) -> Map:
        """The map for an array (H, W) or (H, W, C) of uint8 or finite floats. Raises InputError for any other."""
        if not isinstance(image, np.ndarray) or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] > 4):
            raise InputError(f"image is {_described(image)}: an array (H, W) or (H, W, 1 to 4 channels) is wanted")
        if 0 in image.shape:
            raise InputError(f"image is empty: its shape is {image.shape}")
        if image.dtype == np.uint8:
            pixels = image.astype(np.float32) / np.float32(255)
        elif image.dtype.kind == "f":
            pixels = image.astype(np.float32)
            if not np.isfinite(pixels).all():
                bad = int((~np.isfinite(pixels)).any(axis=tuple(range(2, pixels.ndim))).sum())
                raise InputError(f"image has NaN or infinity in {bad} pixels: replace them before synthesis")
        else:
            raise InputError(f"image has {image.dtype} values: 8-bit (uint8) or float ones are wanted")
        return cls(pixels.reshape(*image.shape[:2], -1), image.dtype, image.shape)

    @property
    def has_alpha(self) -> bool:
        return self.pixels.shape[2] in (2, 4)

    @property
    def opaque(self) -> bool:
        return not self.has_alpha or bool((self.pixels[..., -1] == 1).all())

    def compared(self) -> np.ndarray:
        """The planes whose patches are compared: premultiplied colour and alpha, without planes that tell nothing."""
        color, alpha = self._split()
        if color.shape[2] == 3 and (color == color[..., :1]).all():
            color = color[..., :1]
        return color if self.opaque else np.concatenate([color * alpha, alpha], 2)

    def rendered(self) -> np.ndarray:
        """The planes to be averaged: as `compared`, all of them, and the colour that stands under alpha 0 as well."""
        color, alpha = self._split()
        return color if self.opaque else np.concatenate([color * alpha, alpha, color], 2)

    def restored(self, planes: np.ndarray) -> np.ndarray:
        """An image of the caller's kind from averaged planes of `rendered`; 8-bit values are rounded once."""
        c = self._split()[0].shape[2]
        if self.opaque:
            color, alpha = planes, np.ones_like(planes[..., :1])
        else:
            premultiplied, alpha, straight = planes[..., :c], planes[..., c : c + 1], planes[..., c + 1 :]
            color = np.where(alpha > 1e-4, premultiplied / np.maximum(alpha, 1e-4), straight)
        pixels = np.concatenate([color, alpha], 2) if self.has_alpha else color
        if self.dtype == np.uint8:
            pixels = np.rint(pixels.clip(0, 1) * 255)
        return pixels.astype(self.dtype).reshape(*pixels.shape[:2], *self.shape[2:])

    def _split(self) -> tuple[np.ndarray, np.ndarray]:
        return (self.pixels[..., :-1], self.pixels[..., -1:]) if self.has_alpha else (self.pixels, self.pixels[..., :0])


def _described(image: object) -> str:
    return f"an array of shape {image.shape}" if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
