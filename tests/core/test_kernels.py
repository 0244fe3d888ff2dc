"""Every primitive of every provider against its definition, written out plainly."""

from __future__ import annotations

import numpy as np
import pytest

from otsynth_core import kernels
from otsynth_core.kernels import Candidates
from otsynth_core.patches import Descriptor, basis, descriptor, windows

from .conftest import blobs

SIDE = 5
WRAPS = [(True, True), (True, False), (False, True), (False, False)]


@pytest.fixture
def scene() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    e, u = blobs(30, 26, 3), blobs(20, 23, 3, seed=1)
    V = basis(e, SIDE, 8, rng)
    Y = np.stack([[V.axes.T @ (p.ravel() - V.mean) for p in row] for row in windows(e, SIDE)]).astype(np.float32)
    shape = Y.shape[:2]
    X = rng.standard_normal((20, 23, 8)).astype(np.float32) * Y.std()
    C = np.stack([rng.integers(side, size=(20, 23)) for side in shape]).astype(np.int32)
    psi = (0.1 * rng.standard_normal(shape)).astype(np.float32)
    return {"e": e, "u": u, "V": V, "X": X, "Y": Y, "C": C, "psi": psi}


def arrays(provider: kernels.Kernels, scene: dict, *names: str) -> list:
    return [provider.array(scene[name]) for name in names]


def costs(scene: dict) -> np.ndarray:
    x, y = scene["X"].reshape(-1, 8), scene["Y"].reshape(-1, 8)
    return ((x[:, None].astype(float) - y[None]) ** 2).sum(2)  # (n, m)


def described(scene: dict, name: str, wrap: tuple[bool, bool], period: tuple[int, int] = (0, 0)) -> Descriptor:
    """Of the picture called `name`; with a phase for each axis whose period is not 0."""
    field = tuple(n if w else n - SIDE + 1 for n, w in zip(scene[name].shape[:2], wrap, strict=True))
    phases = [
        np.cos(2 * np.pi * np.arange(n) / T)[:, None].astype(np.float32) if T else np.zeros((n, 0), np.float32)
        for n, T in zip(field, period, strict=True)
    ]
    return descriptor(scene["V"], wrap, (phases[0], phases[1]))


@pytest.fixture(params=[5000, 2**19], ids=["many bands", "few bands"])
def banded(provider: kernels.Kernels, request: pytest.FixtureRequest) -> kernels.Kernels:
    provider._chunk = request.param  # type: ignore[attr-defined]
    return provider


@pytest.mark.parametrize("period", [(0, 0), (7, 0), (6, 9)])
@pytest.mark.parametrize("wrap", WRAPS)
def test_project(banded: kernels.Kernels, scene: dict, wrap: tuple[bool, bool], period: tuple[int, int]) -> None:
    u, V = scene["u"], scene["V"]
    d = described(scene, "u", wrap, period)
    X = banded.numpy(banded.project(banded.array(u), d.on(banded.array)))
    assert X.shape[:2] == tuple(n if w else n - SIDE + 1 for n, w in zip(u.shape[:2], wrap, strict=True))
    assert X.shape[2] == d.k
    for y, x in [(0, 0), (3, 4), (X.shape[0] - 1, X.shape[1] - 1), (X.shape[0] - 1, 2)]:
        patch = u[np.arange(y, y + SIDE) % u.shape[0]][:, np.arange(x, x + SIDE) % u.shape[1]]
        wanted = np.concatenate([V.axes.T @ (patch.ravel() - V.mean), d.rows[y], d.columns[x]])
        np.testing.assert_allclose(X[y, x], wanted, atol=1e-5)


def test_assign(banded: kernels.Kernels, scene: dict) -> None:
    C = banded.numpy(banded.assign(*arrays(banded, scene, "X", "Y", "psi")))
    assert C.dtype == np.int32
    biased = costs(scene) - scene["psi"].ravel()
    mine = C[0].ravel() * scene["Y"].shape[1] + C[1].ravel()
    np.testing.assert_allclose(biased[np.arange(len(mine)), mine], biased.min(1), atol=1e-5)


@pytest.mark.parametrize("around", WRAPS)
def test_assign_leaves_out_what_is_near_or_the_same(
    banded: kernels.Kernels, scene: dict, around: tuple[bool, bool]
) -> None:
    X, Y, psi, B = arrays(banded, scene, "X", "Y", "psi", "C")
    least = float(np.quantile(costs(scene), 0.1))
    C = banded.numpy(banded.assign(X, Y, psi, kernels.But(B, 4, least, around)))
    biased = np.where(costs(scene) < least, np.inf, costs(scene)) - scene["psi"].ravel()
    r, c = (place.ravel() for place in np.indices(scene["psi"].shape))
    b = scene["C"].reshape(2, -1, 1)
    far = [abs(r - b[0]), abs(c - b[1])]
    for axis, side in enumerate(scene["psi"].shape):
        far[axis] = np.minimum(far[axis], side - far[axis]) if around[axis] else far[axis]
    biased[(far[0] <= 4) & (far[1] <= 4)] = np.inf
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


def test_distances(banded: kernels.Kernels, scene: dict) -> None:
    d = described(scene, "u", (True, True))
    u, Y, C = arrays(banded, scene, "u", "Y", "C")
    X = banded.project(u, d.on(banded.array))
    wanted = ((banded.numpy(X) - scene["Y"][tuple(scene["C"])]) ** 2).sum(-1)
    for rows in (slice(0, 20), slice(7, 12)):
        cost = banded.numpy(banded.distances(X[rows], Y, C, rows))
        np.testing.assert_allclose(cost, wanted[rows], rtol=1e-4, atol=1e-5)


def swept(scene: dict, X: np.ndarray, wrap: tuple[bool, bool], candidates: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """The definition of `sweep`, patch by patch; also returns whether the best was clear."""
    Y, psi, C = scene["Y"], scene["psi"], scene["C"][:, : X.shape[0], : X.shape[1]]
    (fh, fw), (eh, ew) = C.shape[1:], psi.shape
    new, clear = np.empty_like(C), np.empty((fh, fw), bool)
    for y in range(fh):
        for x in range(fw):
            found = [(tuple(C[:, y, x]), 0.0)]
            for d in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                dy, dx = candidates.reach * d[0], candidates.reach * d[1]
                if (wrap[0] or 0 <= y - dy < fh) and (wrap[1] or 0 <= x - dx < fw):
                    near = C[:, (y - dy) % fh, (x - dx) % fw]
                    found.append(((near[0] + dy, near[1] + dx), candidates.grace))
            for n, r in enumerate(candidates.radii):
                i = np.array([y * fw + x, fh * fw + y * fw + x])
                offset = kernels.hashed(i, candidates.key + n) % (2 * r + 1) - r
                found.append((tuple(C[:, y, x] + offset), 0.0))
            sides = tuple(zip((eh, ew), candidates.around, strict=True))
            found = [
                (tuple(n % side if around else n for n, (side, around) in zip(N, sides, strict=True)), grace)
                for N, grace in found
            ]
            inside = [(N, grace) for N, grace in found if 0 <= N[0] < eh and 0 <= N[1] < ew]
            scores = [((X[y, x] - Y[N]) ** 2).sum() - psi[N] - grace for N, grace in inside]
            best = int(np.argmin(scores))
            others = [score for (N, _), score in zip(inside, scores, strict=True) if inside[best][0] != N]
            new[:, y, x], clear[y, x] = inside[best][0], min(others, default=np.inf) > scores[best] + 1e-4
    return new, clear


@pytest.mark.parametrize(
    "candidates",
    [
        Candidates(1, (), 0.0, 0),
        Candidates(3, (20, 4), 0.4, 11),
        Candidates(2, (9,), 2.0, 5),
        Candidates(3, (30, 4), 0.4, 11, (True, False)),
        Candidates(2, (9,), 2.0, 5, (True, True)),
    ],
    ids=str,
)
@pytest.mark.parametrize("wrap", WRAPS)
def test_sweep(banded: kernels.Kernels, scene: dict, wrap: tuple[bool, bool], candidates: Candidates) -> None:
    d = described(scene, "u", wrap).on(banded.array)
    X = banded.numpy(banded.project(banded.array(scene["u"]), d))
    fh, fw = X.shape[:2]
    scene["C"][:, :, 12:] = scene["C"][:, :1, 12:] + np.arange(20)[:, None] % 3  # some agree with their neighbours
    scene["C"] = np.clip(scene["C"], 0, np.array(scene["psi"].shape)[:, None, None] - 1).astype(np.int32)
    C = scene["C"][:, :fh, :fw]
    wanted, clear = swept(scene, X, wrap, candidates)
    assert clear.mean() > 0.9
    assert (wanted != C).any(0).mean() > 0.2
    u, Y, psi = arrays(banded, scene, "u", "Y", "psi")
    for rows in (slice(0, fh), slice(5, 9)):
        seen = banded.project(u, d, rows)
        new, cost = (banded.numpy(a) for a in banded.sweep(seen, Y, psi, banded.array(C), candidates, wrap, rows))
        assert new.dtype == np.int32
        np.testing.assert_array_equal(new[:, clear[rows]], wanted[:, rows][:, clear[rows]])
        np.testing.assert_allclose(cost, ((X[rows] - scene["Y"][tuple(new)]) ** 2).sum(-1), rtol=1e-4, atol=1e-5)


def test_descriptors_of_whole_numbers_are_compared_as_floats_are(banded: kernels.Kernels, scene: dict) -> None:
    d = described(scene, "u", (True, False)).on(banded.array)
    X = 30000 * banded.project(banded.array(scene["u"]), d) / np.abs(scene["Y"]).max()
    whole = (30000 * scene["Y"] / np.abs(scene["Y"]).max()).astype(np.int16)
    psi, C = banded.array(1e6 * scene["psi"]), banded.array(scene["C"][:, :, : X.shape[1]].copy())
    rows, candidates = slice(0, 20), Candidates(3, (20, 4), 4e5, 11, (True, False))
    found = []
    for Y in (whole, whole.astype(np.float32)):
        Y = banded.array(Y)
        cost = banded.distances(X, Y, C, rows)
        found.append([banded.numpy(a) for a in (*banded.sweep(X, Y, psi, C, candidates, (True, False), rows), cost)])
    (new, cost, own), wanted = found
    assert cost.dtype == own.dtype == np.float32
    assert (new != scene["C"][:, :, : new.shape[2]]).any(0).mean() > 0.2
    assert (new == wanted[0]).all(0).mean() > 0.99  # what is nearly as good may be taken
    np.testing.assert_allclose(cost, wanted[1], rtol=1e-4)
    np.testing.assert_allclose(own, wanted[2], rtol=1e-4)


def test_offsets_are_uniform_and_depend_on_the_key() -> None:
    index = np.arange(80000)
    offsets = kernels.hashed(index, 5) % 7
    np.testing.assert_allclose(np.bincount(offsets) / len(index), 1 / 7, rtol=0.05)
    assert abs(np.corrcoef(offsets[1:], offsets[:-1])[0, 1]) < 0.02
    assert abs(np.corrcoef(offsets, kernels.hashed(index, 6) % 7)[0, 1]) < 0.02


def test_counts(provider: kernels.Kernels, scene: dict) -> None:
    labels = scene["C"][0] % 20  # 20 is never there
    counts = provider.numpy(provider.counts(provider.array(labels), 21))
    assert counts.dtype == np.float32
    np.testing.assert_array_equal(counts, [(labels == label).sum() for label in range(21)])


@pytest.mark.parametrize("wrap", WRAPS)
def test_vote(banded: kernels.Kernels, scene: dict, wrap: tuple[bool, bool]) -> None:
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
    given = [banded.array(a) for a in (e, C, weight)]
    np.testing.assert_allclose(banded.numpy(banded.vote(*given, SIDE, size)), total / votes, atol=1e-5)
    some = banded.numpy(banded.vote(*given, SIDE, size, slice(3, 11)))
    np.testing.assert_allclose(some, (total / votes)[3:11], atol=1e-5)


@pytest.mark.parametrize("wrap", WRAPS)
def test_patches_that_do_not_matter_change_nothing_for_the_others(
    banded: kernels.Kernels, scene: dict, wrap: tuple[bool, bool]
) -> None:
    d = described(scene, "u", wrap, (7, 0)).on(banded.array)
    fh, fw = d.field(20, 23)
    C = scene["C"][:, :fh, :fw]
    own = described(scene, "e", (False, False), (7, 0)).on(banded.array)
    Y = banded.project(banded.array(scene["e"]), own)
    u, e, psi, field = (banded.array(a) for a in (scene["u"], scene["e"], scene["psi"], C))
    hole = np.zeros((20, 23), bool)
    hole[6:9, 4:20] = hole[15, 22] = hole[19, 0] = True
    places = np.stack(np.meshgrid(np.arange(fh), np.arange(fw), indexing="ij"))
    square = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"))
    covered = (places[:, :, :, None, None] + square[:, None, None]) % np.array([20, 23])[:, None, None, None, None]
    free = hole[tuple(covered)].any((2, 3))
    assert 0 < free.mean() < 0.6
    some = banded.array(free)
    candidates = Candidates(1, (9, 2), 0.05, 3)
    weight = banded.array(np.random.default_rng(0).uniform(0.1, 1, (fh, fw)).astype(np.float32))
    for rows in (slice(0, fh), slice(4, 9), slice(9, 11)):  # of the last none matter
        for name, given in (("distances", (Y, field, rows)), ("sweep", (Y, psi, field, candidates, wrap, rows))):
            alone, whole = (
                getattr(banded, name)(banded.project(u, d, rows, *more), *given, *more) for more in ((some,), ())
            )
            pairs = zip(alone, whole, strict=True) if name == "sweep" else [(alone, whole)]
            for one, other in pairs:
                one, other = (banded.numpy(a)[..., free[rows]] for a in (one, other))
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    for rows in (slice(0, 20), slice(3, 9)):
        alone, whole = (
            banded.numpy(banded.vote(e, field, weight, SIDE, (20, 23), rows, *more)) for more in ((some,), ())
        )
        np.testing.assert_allclose(alone[hole[rows]], whole[hole[rows]], rtol=1e-4)
        assert np.isfinite(alone).all()


def test_empty(provider: kernels.Kernels) -> None:
    for like in (np.zeros(2, np.float32), np.zeros((1, 2), np.int32)):
        room = provider.empty((2, 3, 4), provider.array(like))
        room[1, :2] = provider.array(np.ones((2, 4), like.dtype))
        assert provider.numpy(room).shape == (2, 3, 4)
        assert provider.numpy(room).dtype == like.dtype
        assert (provider.numpy(room)[1, :2] == 1).all()


def test_weights_and_mean(provider: kernels.Kernels, scene: dict) -> None:
    cost = np.array([[0.0, 1.0], [3.0, 1000.0]], np.float32)
    weights = [provider.numpy(provider.weights(provider.array(cost), mean)) for mean in (251.0, 1.0, 0.0)]
    np.testing.assert_allclose(weights[0], np.exp(-cost / 251), rtol=1e-4)
    assert weights[1].min() == pytest.approx(1e-4)
    assert weights[2][0, 0] == 1  # nothing costs anything
    faint = provider.numpy(provider.weights(provider.array(cost * np.float32(1e-12)), 251e-12))
    np.testing.assert_allclose(faint, weights[0], rtol=1e-4)  # whatever a cost is measured in
    assert float(provider.mean(provider.array(cost))) == pytest.approx(251)


def test_portions_are_put_together(provider: kernels.Kernels) -> None:
    whole = np.arange(24).reshape(2, 4, 3)
    parts = [provider.array(whole[:, :3]), provider.array(whole[:, 3:])]
    np.testing.assert_array_equal(provider.numpy(provider.stacked(parts, 1)), whole)
    assert provider.stacked(parts[:1], 1) is parts[0]


def test_triton_is_tried_before_it_is_relied_on(monkeypatch: pytest.MonkeyPatch) -> None:
    torch, triton = pytest.importorskip("torch"), pytest.importorskip("otsynth_core.kernels.triton")
    monkeypatch.setattr("otsynth_core.kernels.torch.choose", lambda name: torch.device("cuda"))
    tried = []
    monkeypatch.setattr(triton.TritonKernels, "tried", lambda self: tried.append(self) or self)
    assert kernels.load("cuda") is tried[0]

    def no_compiler(self: object) -> None:
        raise RuntimeError("Failed to find C compiler")

    monkeypatch.setattr(triton.TritonKernels, "tried", no_compiler)
    assert type(kernels.load("cuda")).__name__ == "TorchKernels"


def test_trying_runs_every_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    torch, triton = pytest.importorskip("torch"), pytest.importorskip("otsynth_core.kernels.triton")
    if torch.cuda.is_available():
        pytest.skip("there it is what `load` does")
    launched = []
    for name in ("_nearest", "_swept", "_voted"):
        kernel = getattr(triton, name)

        class Noted:
            def __getitem__(self, grid: tuple[int, ...], name: str = name, kernel: object = kernel) -> object:
                launched.append(name)
                return kernel[grid]  # type: ignore[index]

        monkeypatch.setattr(triton, name, Noted())
    triton.TritonKernels(torch.device("cpu")).tried()
    assert launched == ["_nearest", "_nearest", "_swept", "_swept", "_swept", "_swept", "_voted"]


def test_memory_and_threads_bound_the_temporaries() -> None:
    whole = kernels.load("numpy", threads=2)
    small = kernels.load("numpy", threads=2, memory=1)
    assert small._chunk < whole._chunk / 8  # type: ignore[attr-defined]
    assert small._others._max_workers == 1  # type: ignore[attr-defined]


def test_few_patches_beside_very_many_are_compared_in_small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    provider, heights = kernels.load("numpy", threads=1, memory=1), []
    monkeypatch.setattr(provider, "_shared", lambda work, parts: heights.extend(p.stop - p.start for p in parts))
    provider.assign(np.zeros((256, 1, 2), np.float32), np.zeros((240, 250, 2), np.float32), np.zeros((240, 250)))
    assert max(heights) * 240 * 250 <= provider.chunk


@pytest.mark.parametrize("name", ["numpy", "numba"])
@pytest.mark.parametrize("shape", [(64, 31), (500, 1), (7, 100)])
def test_the_last_digits_hang_on_no_number_of_threads_and_no_memory(name: str, shape: tuple[int, int]) -> None:
    """Costs that differ by rounding alone: whoever rounds another way answers otherwise."""
    if name == "numba":
        pytest.importorskip("numba")
    rng = np.random.default_rng(0)
    Y, X = (rng.standard_normal((*of, 16)).astype(np.float32) for of in ((60, 59), shape))
    X[:] = X[0, 0]
    psi = (Y * (Y - 2 * X[0, 0])).sum(2)
    u = blobs(80, 71, 3)
    d = descriptor(basis(u, SIDE, 16, rng), (True, False), (np.zeros((80, 0)), np.zeros((67, 0))))
    found = []
    for threads, memory in ((None, None), (1, None), (3, None), (2, 1), (5, 2)):
        provider = kernels.load("cpu" if name == "numba" else name, threads, memory)
        assert provider.name == name
        found.append((provider.assign(X, Y, psi), provider.project(u, d)))
    for C, projected in found[1:]:
        np.testing.assert_array_equal(C, found[0][0])
        np.testing.assert_array_equal(projected, found[0][1])
