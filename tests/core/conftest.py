"""Small exemplars and the kernel providers that are there."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from otsynth_core import files, kernels

DEVICES = ["numpy"]
"""What a request can name here."""
INTERPRETED = []
"""What without a GPU can only be run one step at a time."""
if importlib.util.find_spec("numba"):
    DEVICES += ["cpu"]
if importlib.util.find_spec("torch"):
    import torch

    DEVICES += ["torch", *(["cuda"] if torch.cuda.is_available() else [])]
    if importlib.util.find_spec("triton") and not torch.cuda.is_available():
        os.environ["TRITON_INTERPRET"] = "1"
        INTERPRETED += ["triton"]


@pytest.fixture(params=DEVICES + INTERPRETED)
def provider(request: pytest.FixtureRequest) -> kernels.Kernels:
    if request.param == "triton":
        from otsynth_core.kernels.triton import TritonKernels

        return TritonKernels(torch.device("cpu"))
    return kernels.load(request.param)


def blobs(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    """Smooth noise with edges, float32 0..1: something between a texture and a test signal."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(rng.standard_normal((channels, height, width)))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    smooth = np.fft.irfft2(spectrum * np.exp(-((frequency / 0.08) ** 2)), s=(height, width)).transpose(1, 2, 0)
    smooth = smooth / smooth.std()
    return (0.5 + 0.35 * np.tanh(3 * smooth) + 0.05 * np.tanh(smooth[..., :1])).astype(np.float32)


def stars() -> np.ndarray:
    """A few bright dots on a dark ground that is nearly flat: what is rare is what counts."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :96]
    u = 0.1 + rng.normal(0, 0.01, (96, 96))
    for _ in range(24):
        cy, cx, r = rng.integers(96), rng.integers(96), rng.uniform(1.5, 3)
        u += 0.8 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * r * r))
    return u.clip(0, 1).astype(np.float32)[..., None]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For torch: problems are so small that threads would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def exemplar() -> np.ndarray:
    return blobs(72, 80, 3)


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A piece of a photograph that does not tile, float32."""
    whole = files.read(Path(__file__).resolve().parents[1] / "demo" / "dry_leaves.png").pixels
    return whole[100:260, 60:220].astype(np.float32) / 255


def grid(height: int, width: int, down: float | None, across: float | None, seed: int = 0) -> np.ndarray:
    """Dark lines at each period on a ground of smooth noise."""
    u = 0.3 * blobs(height, width, 1, seed)
    y, x = np.arange(height)[:, None], np.arange(width)
    for place, T in ((y, down), (x, across)):
        if T is not None:
            u = u + 0.5 * (1 - np.exp(-(((place + T / 2) % T - T / 2) ** 2) / 4))[..., None]
    return u.astype(np.float32)
