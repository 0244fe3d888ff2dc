"""VGG: weights from files in both conventions, what is wrong with a file, and layers beside plain torch."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

from otsynth_core import features, vgg  # noqa: E402
from otsynth_core.spec import InputError  # noqa: E402

from ..conftest import SHARED  # noqa: E402
from .conftest import blobs  # noqa: E402

WEIGHTS = SHARED / "weights" / "vgg16_imagenet_caffe_fp16.npz"
CPU = torch.device("cpu")
Tensor = torch.Tensor


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A network with few channels, but where the real one is read."""
    if "real" not in request.node.name:
        monkeypatch.setattr(vgg, "WIDTHS", (2, 3, 4, 5, 6))


def weights(depth: int, names: str) -> dict[str, Tensor]:
    """A file's contents: convolutions up to conv5_1, and of torchvision's names what else such a file holds."""
    generator, found, before, number = torch.Generator().manual_seed(depth), {}, 3, 0
    for block, (width, layers) in enumerate(zip(vgg.WIDTHS, vgg.DEPTHS[depth], strict=True), 1):
        for i in range(1, layers + 1):
            name = f"conv{block}_{i}" if names == "oxford" else f"features.{number}"
            found[f"{name}.weight"] = torch.randn((width, before, 3, 3), generator=generator)
            found[f"{name}.bias"] = torch.randn(width, generator=generator)
            before, number = width, number + 2
        number += 1
    return found if names == "oxford" else {**found, "classifier.0.weight": torch.zeros(2, 2)}


@pytest.mark.parametrize("depth", [16, 19])
@pytest.mark.parametrize(("names", "suffix"), [("oxford", ".npz"), ("torchvision", ".pth")])
def test_both_networks_in_both_conventions(tmp_path: Path, depth: int, names: str, suffix: str) -> None:
    path, given = tmp_path / f"w{suffix}", weights(depth, names)
    if suffix == ".npz":
        np.savez(path, **{name: part.numpy() for name, part in given.items()})
    else:
        torch.save(given, path)
    network = vgg.load(str(path), CPU)
    convolutions = [part for block in network.blocks for pair in block for part in pair]
    assert len(network.blocks) == 5
    for own, wanted in zip(convolutions, given.values(), strict=False):
        torch.testing.assert_close(own, wanted)
    assert network.white == (255 if names == "oxford" else 1)
    assert network.reach == {16: 132, 19: 156}[depth]


def test_download_is_torchvisions_file_checked_by_its_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def fetch(url: str, **options: object) -> dict[str, Tensor]:
        asked.update(options, url=url)
        return weights(19, "torchvision")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fetch)
    assert len(vgg.load("download", CPU).blocks[2]) == 4
    assert asked["url"] == "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
    assert (asked["check_hash"], asked["progress"], asked["weights_only"]) == (True, False, True)

    def fails(url: str, **options: object) -> None:
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fails)
    with pytest.raises(InputError, match=r"could not be fetched .*no route.*: fetch https.* by hand and name the file"):
        vgg.load("download", CPU)


def test_what_is_wrong_with_a_file_is_told(tmp_path: Path) -> None:
    path, given = tmp_path / "w.npz", {name: part.numpy() for name, part in weights(16, "oxford").items()}

    def refusal() -> str:
        with pytest.raises(InputError) as raised:
            vgg.load(str(path), CPU)
        assert "\n" not in str(raised.value)
        return str(raised.value)

    assert "there is no such file: name one of VGG's weights, or say download" in refusal()
    path.write_bytes(b"no weights")
    assert "cannot be read as weights" in refusal()
    np.savez(path, **{name: part for name, part in given.items() if not name.startswith("conv4")})
    assert "lacks conv4_1.weight, conv4_1.bias, conv4_2.weight and 3 more" in refusal()
    np.savez(path, **{**given, "conv2_1.weight": np.zeros((3, 2, 5, 5), np.float32)})
    assert "conv2_1.weight is 3x2x5x5, of VGG it is 3x2x3x3: these are the weights of another network" in refusal()
    for bias in (np.full(3, np.nan, np.float32), np.full(3, 1j), np.full(3, "a")):
        np.savez(path, **{**given, "conv2_1.bias": bias})
        assert "conv2_1.bias holds NaN, infinity, or what are no real numbers" in refusal()
    np.savez(path, **{name: part.astype(">f8") for name, part in given.items()})
    assert vgg.load(str(path), CPU)
    np.save(path.with_suffix(".npy"), np.zeros(3))
    path.with_suffix(".npy").rename(path)
    assert "cannot be read as weights" in refusal()
    path = tmp_path / "w.pth"
    torch.save({**{name: torch.as_tensor(part) for name, part in given.items()}, "conv3_1.weight": "none"}, path)
    assert "conv3_1.weight is a str: a tensor is wanted" in refusal()
    plain = {name: torch.as_tensor(part) for name, part in given.items()}
    bias = plain["conv3_1.bias"]
    quantized = torch.quantize_per_tensor(bias, 1.0, 0, torch.qint8)
    for odd in (bias.to("meta"), bias.to_sparse(), bias.to(torch.complex64), quantized):
        torch.save({**plain, "conv3_1.bias": odd}, path)
        assert "conv3_1.bias holds NaN, infinity, or what are no real numbers" in refusal()
    path.with_suffix(".d").mkdir()
    with pytest.raises(InputError, match="is no regular file"):
        vgg.load(str(path.with_suffix(".d")), CPU)
    path.write_bytes(b"no weights")
    assert "cannot be read as weights" in refusal()
    torch.save([1, 2], path)
    assert "holds a list: a state dict is wanted" in refusal()
    torch.save(Path, path)  # what would be run on reading
    assert "cannot be read as weights" in refusal()


@pytest.mark.skipif(not WEIGHTS.exists(), reason="the weights lie beside the checkout, in shared/weights: not there")
@pytest.mark.parametrize("wrap", [(True, True), (False, False)])
def test_layers_of_the_real_network_beside_plain_torch(wrap: tuple[bool, bool]) -> None:
    u = torch.from_numpy(blobs(160, 144, 3).transpose(2, 0, 1)[None].copy())
    layers = features.Layers(vgg.load(str(WEIGHTS), CPU), [u])
    given, planes, wanted = np.load(WEIGHTS), 255 * u, []
    planes = planes - torch.tensor([123.68, 116.779, 103.939])[:, None, None]
    for block, depth in enumerate((2, 2, 3, 3, 1), 1):
        for i in range(1, depth + 1):
            kernel, bias = (torch.from_numpy(given[f"conv{block}_{i}.{kind}"].astype(np.float32)) for kind in _KINDS)
            mode = "circular" if wrap[0] else "reflect"
            planes = F.conv2d(F.pad(planes, (1, 1, 1, 1), mode=mode), kernel, bias).relu()
            wanted += [planes[0].flatten(1).T] if i == 1 else []
        planes = F.avg_pool2d(planes, 2)
    for own, layer, unit in zip(layers(u, wrap), wanted, layers.units, strict=True):
        assert unit > 10  # this network's features are not of 0 to 1
        torch.testing.assert_close(own * unit, layer, rtol=1e-3, atol=1e-3 * unit)


_KINDS = ("weight", "bias")
