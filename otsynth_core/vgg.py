"""VGG's convolutions up to conv5_1, from a file of weights: of VGG-16 or VGG-19, by Oxford's names or torchvision's.

The names tell what the network was trained on: with Oxford's (conv1_1.weight ...) red, green and blue from 0 to 255
less a mean, with torchvision's (features.0.weight ...) from 0 to 1 less a mean, over a deviation.
"""

from __future__ import annotations

import pickle
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from .spec import InputError

DOWNLOAD = "download"
"""In the place of a file: torchvision's VGG-19, fetched from `URL` and kept where torch keeps its downloads."""
URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"

WIDTHS = (64, 128, 256, 512, 512)
"""Channels of the five blocks."""
DEPTHS = {16: (2, 2, 3, 3, 1), 19: (2, 2, 4, 4, 1)}
"""Convolutions of the five blocks, of the last only the first."""
OXFORD = (123.68, 116.779, 103.939), (1.0, 1.0, 1.0), 255.0
TORCHVISION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1.0
"""Mean, deviation, and the value of white."""


@dataclass(frozen=True)
class Network:
    """blocks: weights (out, in, 3, 3) and biases (out,) of the convolutions of each, pooled by 2 between blocks.

    mean, deviation: (3, 1, 1), of red, green and blue in units where white is `white`.
    """

    blocks: tuple[tuple[tuple[Tensor, Tensor], ...], ...]
    mean: Tensor
    deviation: Tensor
    white: float

    @property
    def reach(self) -> int:
        """Side, in pixels, of what one feature of the deepest layer sees."""
        side, step = 1, 1
        for number, block in enumerate(self.blocks):
            if number:
                side, step = side + step, 2 * step
            side += 2 * step * len(block)
        return side


def load(weights: str, device: torch.device) -> Network:
    """The network of a file of weights, .npz or a state dict, or of `DOWNLOAD`.

    Raises InputError for a file that cannot be read or holds something else, and where nothing can be fetched.
    """
    found = _fetched() if weights == DOWNLOAD else _read(Path(weights))
    oxford = "conv1_1.weight" in found
    names = _names(found, oxford)
    wanted = [f"{one}.{kind}" for block in names for one in block for kind in ("weight", "bias")]
    missing = [name for name in wanted if name not in found]
    if missing:
        lacks = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise InputError(f"{weights}: lacks {lacks}: the weights of VGG-16 or VGG-19 are wanted, without normalisation")
    blocks, before = [], 3
    for block, width in zip(names, WIDTHS, strict=True):
        layers = []
        for name in block:
            parts = []
            for kind, shape in (("weight", (width, before, 3, 3)), ("bias", (width,))):
                part = found[f"{name}.{kind}"]
                if not isinstance(part, (Tensor, np.ndarray)):
                    raise InputError(f"{weights}: {name}.{kind} is a {type(part).__name__}: a tensor is wanted")
                if tuple(part.shape) != shape:
                    came = "x".join(map(str, part.shape)) or "one number"
                    raise InputError(
                        f"{weights}: {name}.{kind} is {came}, of VGG it is {'x'.join(map(str, shape))}:"
                        " these are the weights of another network"
                    )
                parts.append(_numbers(part, f"{weights}: {name}.{kind}").to(device))
            layers.append((parts[0].contiguous(memory_format=torch.channels_last), parts[1]))
            before = width
        blocks.append(tuple(layers))
    *colors, white = OXFORD if oxford else TORCHVISION
    mean, deviation = (torch.tensor(color, device=device)[:, None, None] for color in colors)
    return Network(tuple(blocks), mean, deviation, float(white))  # type: ignore[arg-type]


def _numbers(part: Tensor | np.ndarray, what: str) -> Tensor:
    """float32, dense and finite; what: its name. Raises InputError for what is not."""
    if isinstance(part, np.ndarray) and part.dtype.kind == "f":  # of any length and order of bytes
        part = part.astype(np.float32)
    try:
        part = torch.as_tensor(part)
        numbers = part.real.to(torch.float32)
        usable = not part.is_complex() and not part.is_sparse and bool(numbers.isfinite().all())
    except (RuntimeError, TypeError, ValueError):  # no numbers, or none that are there
        usable = False
    if not usable:
        raise InputError(f"{what} holds NaN, infinity, or what are no real numbers: plain float tensors are wanted")
    return numbers


def _names(found: Mapping[str, Any], oxford: bool) -> list[list[str]]:
    """Of each block's convolutions. torchvision counts every convolution, its relu and every pooling."""
    depths = DEPTHS[19 if ("conv3_4.weight" if oxford else "features.16.weight") in found else 16]
    if oxford:
        return [[f"conv{block}_{i}" for i in range(1, depth + 1)] for block, depth in enumerate(depths, 1)]
    names, number = [], 0
    for depth in depths:
        names.append([f"features.{number + 2 * i}" for i in range(depth)])
        number += 2 * depth + 1
    return names


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        what = "is no regular file" if path.exists() else "there is no such file"
        raise InputError(f"{path}: {what}: name one of VGG's weights, or say {DOWNLOAD}")
    try:
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        with warnings.catch_warnings(action="ignore"):  # of an old pickle: it is read, or refused in our words
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        RuntimeError,
        AttributeError,
        TypeError,
        BadZipFile,
        zlib.error,
        pickle.UnpicklingError,
    ):
        raise InputError(f"{path}: cannot be read as weights: an .npz or a state dict of tensors is wanted") from None
    if not isinstance(found, Mapping):
        raise InputError(f"{path}: holds a {type(found).__name__}: a state dict is wanted, of tensors by name")
    return found


def _fetched() -> Mapping[str, Any]:
    try:
        return torch.hub.load_state_dict_from_url(
            URL, map_location="cpu", progress=False, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:  # no network, no space, another file than was asked for
        raise InputError(f"weights could not be fetched ({error}): fetch {URL} by hand and name the file") from None
