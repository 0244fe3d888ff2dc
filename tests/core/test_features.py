"""Features: patches beside NumPy's, their adjoint, what wraps."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from otsynth_core import features, patches, pyramid, vgg  # noqa: E402
from otsynth_core.spec import Gradient, InputError  # noqa: E402

from .conftest import blobs  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
Tensor = torch.Tensor
WRAPS = [(True, True), (True, False), (False, True), (False, False)]


def tensor(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float64))


def network() -> vgg.Network:
    """VGG's form with a few random channels: deep enough to pool four times."""
    generator = torch.Generator().manual_seed(0)
    blocks, before = [], 3
    for width in (4, 5, 6, 7, 8):
        weight = torch.randn((width, before, 3, 3), generator=generator).double() / (3 * before**0.5)
        blocks.append(((weight, torch.full((width,), 0.1).double()),))
        before = width
    mean = torch.full((3, 1, 1), 0.4).double()
    return vgg.Network(tuple(blocks), mean, 2 * mean, 1.0)


def kinds() -> list[features.Features]:
    layers = features.Layers(network(), [tensor(blobs(80, 72, 3))])
    return [features.Patches(3), layers, features.Both([features.Patches(2), layers])]


def test_patches_are_those_of_the_pyramid() -> None:
    image = blobs(37, 42, 2)
    sets = features.Patches(3)(tensor(image), features.NONE)
    for x, level in zip(sets, pyramid.build(image.astype(np.float64), 3), strict=True):
        wanted = patches.windows(level, 4)  # (rows, columns, 4, 4, C)
        own = x.numpy().reshape(*wanted.shape[:2], 2, 4, 4).transpose(0, 1, 3, 4, 2)
        np.testing.assert_allclose(own, wanted.reshape(own.shape), atol=1e-6)


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_grids_tell_how_many_there_are(kind: int, wrap: tuple[bool, bool]) -> None:
    what, size = kinds()[kind], (48, 50)
    sets = what(tensor(blobs(*size, 3)), wrap)
    assert [len(x) for x in sets] == [height * width for height, width in what.grids(size, wrap)]


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_features_of_what_is_rolled_are_rolled(kind: int, wrap: tuple[bool, bool]) -> None:
    """By a multiple of the coarsest pixel, along an axis that wraps; along another they change."""
    what, size = kinds()[kind], (48, 64)
    u = tensor(blobs(*size, 3))
    for axis in (0, 1):
        moved = what(u.roll(16, 2 + axis), wrap)
        same = []
        for x, y, grid in zip(what(u, wrap), moved, what.grids(size, wrap), strict=True):
            step = 16 * round(grid[axis] / size[axis] * 64) // 64  # of this set's grid
            same.append(torch.allclose(x.reshape(*grid, -1).roll(step, axis), y.reshape(*grid, -1), atol=1e-12))
        assert all(same) == wrap[axis]


@pytest.mark.parametrize("kind", [0, 1])
def test_slopes_go_back_as_autograd_has_it(kind: int) -> None:
    what, u = kinds()[kind], tensor(blobs(32, 36, 3)).requires_grad_()
    slopes = [torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).double() for x in what(u, (True, False))]
    (back,) = torch.autograd.grad(what(u, (True, False)), u, slopes)
    v = torch.randn(u.shape, generator=torch.Generator().manual_seed(2)).double()
    with torch.no_grad():
        ahead = [what(u + h * v, (True, False)) for h in (1e-6, -1e-6)]
        along = sum(((a - b) / 2e-6 * s).sum() for a, b, s in zip(*ahead, slopes, strict=True))
    assert float((back * v).sum()) == pytest.approx(float(along), rel=1e-5)


def test_layers_are_one_long_over_the_exemplar() -> None:
    exemplar = tensor(blobs(80, 72, 3))
    layers = features.Layers(network(), [exemplar])
    for x in layers(exemplar, features.NONE):
        assert float((x * x).sum(1).mean()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("settings", "exemplar", "size", "words"),
    [
        ({}, (40, 31), (64, 64), "exemplar is 31x40 px: smaller than one 4 px patch at 4 scales; use a larger one"),
        ({"scales": 1}, (3, 9), (64, 64), "exemplar is 9x3 px: smaller than one 4 px patch"),
        ({}, (40, 40), (64, 24), "result is 24x64 px"),
    ],
)
def test_what_is_too_small_is_told(
    settings: dict, exemplar: tuple[int, int], size: tuple[int, int], words: str
) -> None:
    with pytest.raises(InputError) as refusal:
        features.features(Gradient(**settings), [tensor(blobs(*exemplar, 3))], size)
    assert words in str(refusal.value)


def test_what_vgg_cannot_see_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vgg, "load", lambda weights, device: network())
    settings = Gradient(features="vgg", weights="w.npz")
    assert network().reach == 78  # five convolutions of 3 px and four means of 2 px between them
    with pytest.raises(InputError, match="exemplar is 90x77 px: VGG's deepest layer needs 78 px a side; use a larger"):
        features.features(settings, [tensor(blobs(77, 90, 3))], (64, 64))
    with pytest.raises(InputError, match="result is 64x16 px: VGG's deepest layer needs 32 px"):
        features.features(settings, [tensor(blobs(80, 80, 3))], (16, 64))
    with pytest.raises(InputError, match="image has 2 planes: VGG sees grey or three colours; compare patches"):
        features.features(settings, [tensor(blobs(80, 80, 2))], (64, 64))
    grey = features.features(settings, [tensor(blobs(80, 80, 1))], (64, 64))
    assert len(grey(tensor(blobs(64, 64, 1)), features.NONE)) == 5
