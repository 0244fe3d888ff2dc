"""Patch descriptors: the principal components of an exemplar's patches, so that a patch is k numbers, not s s C."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided

SAMPLES = 20000


@dataclass(frozen=True)
class Basis:
    """x = V^T (p - mu) for a patch p, an s x s x C block read as one vector in (row, column, channel) order."""

    side: int
    mean: np.ndarray  # (s s C,) mu
    axes: np.ndarray  # (s s C, k) V, orthonormal columns


def windows(image: np.ndarray, side: int) -> np.ndarray:
    """A view (H - side + 1, W - side + 1, side, side, C) of every `side` x `side` block of an image (H, W, C)."""
    height, width, channels = image.shape
    shape = (height - side + 1, width - side + 1, side, side, channels)
    return as_strided(image, shape, (*image.strides[:2], *image.strides), writeable=False)


def basis(exemplar: np.ndarray, side: int, components: int, rng: np.random.Generator) -> Basis:
    """The `components` leading principal axes of the exemplar's patches (fewer if a patch has fewer numbers)."""
    blocks = windows(exemplar, side)
    eh, ew = blocks.shape[:2]
    few = eh * ew <= SAMPLES
    sample = blocks if few else blocks[rng.integers(eh, size=SAMPLES), rng.integers(ew, size=SAMPLES)]
    p = sample.reshape(-1, side * side * exemplar.shape[2]).astype(np.float64)
    mean = p.mean(0)
    _, axes = np.linalg.eigh((p - mean).T @ (p - mean))  # ascending
    axes = axes[:, ::-1][:, :components]
    return Basis(side, mean.astype(np.float32), np.ascontiguousarray(axes, np.float32))
