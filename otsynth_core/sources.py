"""What the gradient solver optimises: something that makes an image. So far pixels, which are the image."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

NOISE = 0.2
"""Deviation of the first pixels, in deviations of the exemplar: the paper's."""


class Source(Protocol):
    """Something that makes an image out of numbers that can be changed."""

    def __call__(self) -> Tensor:
        """The image, (1, C, H, W)."""

    def parameters(self) -> list[Tensor]:
        """The numbers: leaves of autograd's graph."""


class Pixels:
    """An image whose every pixel is free. u: (1, C, H, W), the first."""

    def __init__(self, u: Tensor) -> None:
        self.u = u.clone().requires_grad_()

    def __call__(self) -> Tensor:
        return self.u

    def parameters(self) -> list[Tensor]:
        return [self.u]


def noise(mean: Tensor, deviation: Tensor, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """(1, C, H, W) of noise around a mean (C,), `NOISE` of a deviation (C,) strong; size: (height, width)."""
    drawn = torch.randn((1, len(mean), *size), generator=generator).to(mean.device)
    return mean[:, None, None] + NOISE * deviation[:, None, None] * drawn
