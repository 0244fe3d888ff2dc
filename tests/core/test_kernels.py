"""Every primitive of every provider against its definition, written out plainly."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from otsynth_core import kernels
from otsynth_core.patches import basis, windows

from .conftest import DEVICES, blobs

SIDE = 5
WRAPS = [(True, True), (True, False), (False, True), (False, False)]


@pytest.fixture
def scene() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    e, u = blobs(30, 26, 3), blobs(20, 23, 3, seed=1)
    V = basis(e, SIDE, 7, rng)
    Y = np.stack([[V.axes.T @ (p.ravel() - V.mean) for p in row] for row in windows(e, SIDE)]).astype(np.float32)
    shape = Y.shape[:2]
    X = rng.standard_normal((20, 23, 7)).astype(np.float32) * Y.std()
    C = np.stack([rng.integers(side, size=(20, 23)) for side in shape])
    psi = (0.1 * rng.standard_normal(shape)).astype(np.float32)
    return {"e": e, "u": u, "V": V, "X": X, "Y": Y, "C": C, "psi": psi}


def arrays(provider: kernels.Kernels, scene: dict, *names: str) -> list:
    return [provider.array(scene[name]) for name in names]


def costs(scene: dict) -> np.ndarray:
    x, y = scene["X"].reshape(-1, 7), scene["Y"].reshape(-1, 7)
    return ((x[:, None].astype(float) - y[None]) ** 2).sum(2)  # (n, m)


@pytest.mark.parametrize("wrap", WRAPS)
def test_project(
    provider: kernels.Kernels, scene: dict, wrap: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspect.getmodule(type(provider)), "CHUNK", 5000)
    u, V = scene["u"], scene["V"]
    X = provider.numpy(provider.project(provider.array(u), V, wrap))
    assert X.shape[:2] == tuple(n if w else n - SIDE + 1 for n, w in zip(u.shape[:2], wrap, strict=True))
    for y, x in [(0, 0), (3, 4), (X.shape[0] - 1, X.shape[1] - 1), (X.shape[0] - 1, 2)]:
        patch = u[np.arange(y, y + SIDE) % u.shape[0]][:, np.arange(x, x + SIDE) % u.shape[1]]
        np.testing.assert_allclose(X[y, x], V.axes.T @ (patch.ravel() - V.mean), atol=1e-5)


@pytest.mark.parametrize("chunk", [2**22, 1000])
def test_assign(provider: kernels.Kernels, scene: dict, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect.getmodule(type(provider)), "CHUNK", chunk)
    C = provider.numpy(provider.assign(*arrays(provider, scene, "X", "Y", "psi")))
    biased = costs(scene) - scene["psi"].ravel()
    mine = C[0].ravel() * scene["Y"].shape[1] + C[1].ravel()
    np.testing.assert_allclose(biased[np.arange(len(mine)), mine], biased.min(1), atol=1e-5)


@pytest.mark.parametrize("steps", [1, 4])
def test_ascend(provider: kernels.Kernels, scene: dict, steps: int) -> None:
    lam = 0.2 * float(costs(scene).mean())
    psi = provider.ascend(*arrays(provider, scene, "X", "Y", "psi"), lam, steps)
    wanted = scene["psi"].ravel().astype(float)
    for _ in range(steps):
        K = np.exp((wanted - costs(scene)) / lam)
        share = (K / K.sum(1, keepdims=True)).mean(0)
        wanted = wanted + lam * np.log(1 / len(share) / share)
    np.testing.assert_allclose(provider.numpy(psi).ravel(), wanted, atol=2e-3 * lam * steps)


def test_distances_and_score(provider: kernels.Kernels, scene: dict) -> None:
    X, Y, C, psi = arrays(provider, scene, "X", "Y", "C", "psi")
    rows, columns = scene["C"]
    wanted = ((scene["X"] - scene["Y"][rows, columns]) ** 2).sum(-1)
    np.testing.assert_allclose(provider.numpy(provider.distances(X, Y, C)), wanted, rtol=1e-4, atol=1e-5)
    score = provider.numpy(provider.score(X, Y, psi, C))
    np.testing.assert_allclose(score, wanted - scene["psi"][rows, columns], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("grace", [0.0, 0.5])
def test_offer(provider: kernels.Kernels, scene: dict, grace: float) -> None:
    X, Y, psi, C = arrays(provider, scene, "X", "Y", "psi", "C")
    best = provider.score(X, Y, psi, C)
    N = scene["C"][:, ::-1] + np.array([9, -9])[:, None, None]  # many of them outside
    new, now = (provider.numpy(a) for a in provider.offer(X, Y, psi, C, best, provider.array(N), grace))
    inside = (N >= 0).all(0) & (N[0] < psi.shape[0]) & (N[1] < psi.shape[1])
    held = np.where(inside, N, 0)
    cost = provider.numpy(provider.score(X, Y, psi, provider.array(held))) - grace
    taken = inside & (cost < provider.numpy(best))
    assert 0 < taken.sum() < inside.sum() < taken.size
    np.testing.assert_array_equal(new, np.where(taken, N, scene["C"]))
    np.testing.assert_allclose(now, np.where(taken, cost, provider.numpy(best)), rtol=1e-5)


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("d", [(0, 1), (2, 0), (0, -2), (-1, 0)])
def test_shift(provider: kernels.Kernels, scene: dict, wrap: tuple[bool, bool], d: tuple[int, int]) -> None:
    C = scene["C"]
    N = provider.numpy(provider.shift(provider.array(C), *d, wrap))
    for i in [(0, 0), (5, 6), (19, 22), (1, 21)]:
        near = [i[axis] - d[axis] for axis in (0, 1)]
        there = all(wrap[axis] or 0 <= near[axis] < C.shape[1 + axis] for axis in (0, 1))
        if there:
            wanted = C[:, near[0] % C.shape[1], near[1] % C.shape[2]] + d
            np.testing.assert_array_equal(N[:, i[0], i[1]], wanted)
        else:
            assert (N[:, i[0], i[1]] < 0).any()
    np.testing.assert_array_equal(C, scene["C"])


def test_scatter_is_uniform_and_depends_on_the_key(provider: kernels.Kernels) -> None:
    C = provider.array(np.zeros((2, 200, 200), np.int64))
    offsets = provider.numpy(provider.scatter(C, 3, key=5))
    counts = np.bincount(offsets.ravel() + 3)
    assert len(counts) == 7
    np.testing.assert_allclose(counts / offsets.size, 1 / 7, rtol=0.05)
    assert abs(np.corrcoef(offsets[0].ravel(), offsets[1].ravel())[0, 1]) < 0.02
    other = provider.numpy(provider.scatter(C, 3, key=6))
    assert abs(np.corrcoef(offsets.ravel(), other.ravel())[0, 1]) < 0.02


def test_use_and_spread(provider: kernels.Kernels, scene: dict) -> None:
    shape = scene["psi"].shape  # (26, 22): the last cells are cut off
    cells = provider.use(provider.array(scene["C"]), 8, shape)
    wanted = np.zeros((4, 3))
    np.add.at(wanted, tuple(scene["C"] // 8), 1 / scene["C"][0].size)
    np.testing.assert_allclose(provider.numpy(cells), wanted, rtol=1e-5)
    field = provider.numpy(provider.spread(cells, 8, shape))
    assert field.shape == shape
    assert field[25, 21] == provider.numpy(cells)[3, 2]
    assert field[7, 8] == provider.numpy(cells)[0, 1]


def test_upsample(provider: kernels.Kernels, scene: dict) -> None:
    N = provider.numpy(provider.upsample(provider.array(scene["C"]), (43, 46), (50, 40)))
    for y, x in [(0, 0), (1, 0), (7, 10), (39, 45), (42, 45)]:
        qy, qx = min(y // 2, 19), min(x // 2, 22)
        rows, columns = 2 * scene["C"][:, qy, qx] + (y - 2 * qy, x - 2 * qx)
        assert tuple(N[:, y, x]) == (min(rows, 49), min(columns, 39))


@pytest.mark.parametrize("wrap", WRAPS)
def test_vote(provider: kernels.Kernels, scene: dict, wrap: tuple[bool, bool]) -> None:
    e, C = scene["e"], scene["C"]
    fh, fw = C.shape[1:]
    size = tuple(n if w else n + SIDE - 1 for n, w in zip((fh, fw), wrap, strict=True))
    weight = np.random.default_rng(0).random((fh, fw)).astype(np.float32) + 0.1
    total, votes = np.zeros((*size, 3)), np.zeros((*size, 1))
    for y in range(fh):
        for x in range(fw):
            rows, columns = np.ix_((np.arange(SIDE) + y) % size[0], (np.arange(SIDE) + x) % size[1])
            cy, cx = C[:, y, x]
            total[rows, columns] += weight[y, x] * e[cy : cy + SIDE, cx : cx + SIDE]
            votes[rows, columns] += weight[y, x]
    u = provider.vote(*(provider.array(a) for a in (e, C, weight)), SIDE, size)
    np.testing.assert_allclose(provider.numpy(u), total / votes, atol=1e-5)


def test_roll(provider: kernels.Kernels) -> None:
    values = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(provider.numpy(provider.roll(provider.array(values), -1, 1))[0], [1, 2, 3, 0])


def test_weights_mean_variance(provider: kernels.Kernels, scene: dict) -> None:
    cost = np.array([[0.0, 1.0], [3.0, 1000.0]], np.float32)
    given = provider.numpy(provider.weights(provider.array(cost)))
    np.testing.assert_allclose(given, np.exp(-cost / 251), rtol=1e-4)
    far = np.concatenate([np.zeros(99, np.float32), [1000]])[None].astype(np.float32)  # 100 times the mean
    assert provider.numpy(provider.weights(provider.array(far))).min() == pytest.approx(1e-4)
    assert provider.numpy(provider.weights(provider.array(np.zeros((2, 2), np.float32)))).min() == 1
    assert provider.mean(provider.array(cost)) == pytest.approx(251)
    assert provider.variance(provider.array(scene["Y"])) == pytest.approx(
        scene["Y"].reshape(-1, 7).var(0).sum(), rel=1e-4
    )


@pytest.mark.skipif(len(DEVICES) < 2, reason="torch is not installed")
def test_random_numbers_are_the_same_everywhere() -> None:
    C = np.zeros((2, 50, 60), np.int64)
    scattered = [p.numpy(p.scatter(p.array(C), 1000, key=2**31 - 2)) for p in map(kernels.load, DEVICES)]
    for other in scattered[1:]:
        np.testing.assert_array_equal(other, scattered[0])
