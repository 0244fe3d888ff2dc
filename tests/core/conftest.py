"""Small exemplars and the kernel providers that are there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from otsynth_core import files, kernels

DEVICES = ["numpy"]
if importlib.util.find_spec("numba"):
    DEVICES += ["cpu"]
if importlib.util.find_spec("torch"):
    import torch

    DEVICES += ["torch", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(params=DEVICES)
def provider(request: pytest.FixtureRequest) -> kernels.Kernels:
    return kernels.load(request.param)


def blobs(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    """Smooth noise with edges, float32 0..1: something between a texture and a test signal."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(rng.standard_normal((channels, height, width)))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    smooth = np.fft.irfft2(spectrum * np.exp(-((frequency / 0.08) ** 2)), s=(height, width)).transpose(1, 2, 0)
    smooth = smooth / smooth.std()
    return (0.5 + 0.35 * np.tanh(3 * smooth) + 0.05 * np.tanh(smooth[..., :1])).astype(np.float32)


@pytest.fixture(scope="session")
def exemplar() -> np.ndarray:
    return blobs(72, 80, 3)


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A piece of a photograph that does not tile, float32."""
    whole = files.read(Path(__file__).resolve().parents[1] / "demo" / "dry_leaves.png").pixels
    return whole[100:260, 60:220].astype(np.float32) / 255
