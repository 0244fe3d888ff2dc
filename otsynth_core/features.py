"""What is compared of two images: patches at several scales, layers of VGG. Each scale and each layer is a set.

An image u is a tensor (1, C, H, W), a set of its features (n, d), row by row of a grid of places. Where the image
wraps, it is read in a circle, so that to roll it by whole pixels of the coarsest scale changes nothing; of an odd side
the last row is left out at each halving. All of it is operations whose adjoint autograd knows: from slopes of features
(n, d) it finds that of u.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from . import pyramid, vgg
from .kernels import Wrap
from .spec import Gradient, InputError, Size

SIDE = 4
"""Side of a patch, in pixels of its scale."""
NONE: Wrap = (False, False)
BOTH: Wrap = (True, True)


class Features(Protocol):
    """Something that can be compared."""

    def __call__(self, u: Tensor, wrap: Wrap) -> list[Tensor]:
        """The sets of an image (1, C, H, W), each (n, d)."""

    def grids(self, size: tuple[int, int], wrap: Wrap) -> list[tuple[int, int]]:
        """Of each set how many features there are, down and across, in an image of this size (height, width)."""

    @property
    def middles(self) -> list[int]:
        """Of each set how far, in its grid, a feature's middle is from the place that it is told by."""


def features(settings: Gradient, exemplars: Sequence[Tensor], size: tuple[int, int]) -> Features:
    """What settings ask for, to compare exemplars, (1, C, H, W) with values from 0 to 1, with an image of some size.

    Raises InputError where an image is too small for it, or VGG cannot be loaded or cannot see so many planes.
    """
    kinds: list[Features] = []
    if settings.features != "vgg":
        for what, (height, width) in (*(("exemplar", one.shape[2:]) for one in exemplars), ("result", size)):
            if min(height, width) >> (settings.scales - 1) < SIDE:
                scales = f" at {settings.scales} scales" if settings.scales > 1 else ""
                out = "use a larger one, or fewer scales" if settings.scales > 1 else "use a larger one"
                raise InputError(f"{what} is {Size(width, height)} px: smaller than one {SIDE} px patch{scales}; {out}")
        kinds.append(Patches(settings.scales))
    if settings.features != "patches":
        planes = exemplars[0].shape[1]
        if planes not in (1, 3):
            raise InputError(f"image has {planes} planes: VGG sees grey or three colours; compare patches instead")
        assert settings.weights is not None
        network = vgg.load(settings.weights, exemplars[0].device)
        least = 2 ** len(network.blocks)
        for what, (height, width), wanted in (
            *(("exemplar", one.shape[2:], network.reach) for one in exemplars),
            ("result", size, least),
        ):
            if min(height, width) < wanted:
                raise InputError(
                    f"{what} is {Size(width, height)} px: VGG's deepest layer needs {wanted} px a side;"
                    " use a larger one, or compare patches instead"
                )
        kinds.append(Layers(network, exemplars))
    return kinds[0] if len(kinds) == 1 else Both(kinds)


class Patches:
    """All `SIDE` x `SIDE` patches P_i u of every scale: the image's own, then half of it, half of that ..."""

    def __init__(self, scales: int) -> None:
        self.scales = scales

    def __call__(self, u: Tensor, wrap: Wrap) -> list[Tensor]:
        sets = []
        for scale in range(self.scales):
            u = downsampled(u, wrap) if scale else u
            around = u
            for axis in (0, 1):
                if wrap[axis]:
                    around = torch.cat([around, around.narrow(2 + axis, 0, SIDE - 1)], 2 + axis)
            sets.append(F.unfold(around, SIDE)[0].T)
        return sets

    def grids(self, size: tuple[int, int], wrap: Wrap) -> list[tuple[int, int]]:
        beyond = [0 if around else SIDE - 1 for around in wrap]
        halves = ((size[0] >> scale, size[1] >> scale) for scale in range(self.scales))
        return [(height - beyond[0], width - beyond[1]) for height, width in halves]

    @property
    def middles(self) -> list[int]:
        return self.scales * [SIDE // 2]


class Layers:
    """VGG after the relu of conv1_1, conv2_1 ... conv5_1, pooled by means: the layers of Gatys et al. 2015.

    Features of a layer are divided by one number, so that over the exemplars the mean of their squared length is 1.
    """

    def __init__(self, network: vgg.Network, exemplars: Sequence[Tensor]) -> None:
        self.network = network
        self.units = [1.0] * len(network.blocks)
        with torch.no_grad():
            squares = [[float((x * x).sum(1).mean()) for x in self(one, NONE)] for one in exemplars]
        self.units = [max(sum(layer) / len(layer), 1e-12) ** 0.5 for layer in zip(*squares, strict=True)]

    def __call__(self, u: Tensor, wrap: Wrap) -> list[Tensor]:
        seen = (self.network.white * u - self.network.mean) / self.network.deviation
        planes = seen.contiguous(memory_format=torch.channels_last)
        sets = []
        for number, (block, unit) in enumerate(zip(self.network.blocks, self.units, strict=True)):
            planes = F.avg_pool2d(planes, 2) if number else planes
            last = number + 1 == len(self.network.blocks)
            for i, (weight, bias) in enumerate(block[:1] if last else block):
                planes = F.relu(F.conv2d(padded(planes, wrap, inner=1), weight.to(planes.dtype), bias.to(planes.dtype)))
                if i == 0:
                    sets.append(planes[0].permute(1, 2, 0).reshape(-1, planes.shape[1]) / unit)
        return sets

    def grids(self, size: tuple[int, int], wrap: Wrap) -> list[tuple[int, int]]:
        return [(size[0] >> number, size[1] >> number) for number in range(len(self.network.blocks))]

    @property
    def middles(self) -> list[int]:
        return [0 for _ in self.network.blocks]


class Both:
    """Several kinds, their sets one after another."""

    def __init__(self, kinds: Sequence[Features]) -> None:
        self.kinds = kinds

    def __call__(self, u: Tensor, wrap: Wrap) -> list[Tensor]:
        return [one for kind in self.kinds for one in kind(u, wrap)]

    def grids(self, size: tuple[int, int], wrap: Wrap) -> list[tuple[int, int]]:
        return [one for kind in self.kinds for one in kind.grids(size, wrap)]

    @property
    def middles(self) -> list[int]:
        return [one for kind in self.kinds for one in kind.middles]


def downsampled(u: Tensor, wrap: Wrap) -> Tensor:
    """`pyramid.downsample` of (1, C, H, W), where it wraps in a circle."""
    u = padded(u, wrap, inner=0)
    for axis in (2, 3):
        n = (u.shape[axis] - 2) // 2
        every = [u.narrow(axis, t, min(2 * n, u.shape[axis] - t)) for t in range(4)]
        halves = [part[:, :, ::2] if axis == 2 else part[..., ::2] for part in every]
        u = sum(float(tap) * half for tap, half in zip(pyramid.TAPS, halves, strict=True))  # type: ignore[assignment]
    return u


def padded(u: Tensor, wrap: Wrap, inner: int) -> Tensor:
    """(1, C, H, W) with one more pixel on every side: from the other end of an axis that wraps, else mirrored.

    inner: 0 to mirror at the edge of the last pixel, 1 at its middle.
    """
    for axis in (0, 1):
        n = u.shape[2 + axis]
        first, last = (n - 1, 0) if wrap[axis] else (inner, n - 1 - inner)
        u = torch.cat([u.narrow(2 + axis, first, 1), u, u.narrow(2 + axis, last, 1)], 2 + axis)
    return u
