"""Losses on problems whose answer is known, and their slopes beside autograd's of a dense reference in float64."""

from __future__ import annotations

import math
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
ot = pytest.importorskip("ot", reason="POT is not there: exact transport to compare with")

from otsynth_core import losses  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
ROOT = Path(__file__).resolve().parents[2]
Tensor = torch.Tensor


def drawn(n: int, d: int = 6, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, d)))


def even(n: int) -> Tensor:
    return torch.full((n,), 1 / n, dtype=torch.float64)


def uneven(n: int, seed: int = 9) -> Tensor:
    weight = torch.from_numpy(np.random.default_rng(seed).random(n))
    weight[0] = 0
    return weight / weight.sum()


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def variance(y: Tensor) -> float:
    return float(y.var(0, correction=0).sum())


def loss(kind: str, y: Tensor, entropy: float = 0.05, samples: int = 10**6) -> losses.Loss:
    return losses.loss(kind, y, samples, entropy, generator())


def exact(x: Tensor, y: Tensor, weight: Tensor | None = None) -> float:
    """The cost of transport, by POT's network simplex."""
    a = even(len(x)) if weight is None else weight
    return float(ot.emd2(a.numpy(), even(len(y)).numpy(), ot.dist(x.numpy(), y.numpy())))


def costs(x: Tensor, y: Tensor) -> Tensor:
    return ((x[:, None] - y[None]) ** 2).sum(2)


def dense(kind: str, x: Tensor, y: Tensor, weight: Tensor, psi: Tensor, lam: float) -> Tensor:
    """F as its definition says, every cost held, for autograd."""
    if kind == "gram":
        return ((x.T @ (weight[:, None] * x) - y.T @ y / len(y)) ** 2).sum() / 4
    if kind == "entropic":
        transform = -lam * (torch.logsumexp((psi - costs(x, y)) / lam, 1) - math.log(len(y)))
    else:
        transform = (costs(x, y) - psi).min(1).values
    return (weight * transform).sum() + psi.mean()


@pytest.mark.parametrize("kind", ["ot", "nearest", "entropic", "gram"])
def test_value_and_slope_are_those_of_the_definition(kind: str) -> None:
    x, y, weight = drawn(50, seed=1).requires_grad_(), drawn(40), uneven(50)
    one = loss(kind, y)
    one.ascend(x.detach(), weight)
    psi = getattr(one, "psi", torch.zeros(40, dtype=torch.float64))
    wanted = dense(kind, x, y, weight, psi, 0.05 * variance(y))
    (slope,) = torch.autograd.grad(wanted, x)
    with torch.no_grad():
        value, own = one(x, weight)
        wanted = float(wanted)
    assert (kind in ("nearest", "gram")) == (not psi.any())
    assert float(value) == pytest.approx(wanted, rel=1e-9)
    torch.testing.assert_close(own, slope, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", ["ot", "entropic"])
def test_slope_of_the_potentials_is_what_is_due_less_what_comes(kind: str) -> None:
    x, y, weight, lam = drawn(50, seed=1), drawn(40), uneven(50), 0.5
    psi = (0.3 * drawn(40, 1, 2)[:, 0]).requires_grad_()
    (wanted,) = torch.autograd.grad(dense(kind, x, y, weight, psi, lam), psi)
    with torch.no_grad():
        if kind == "ot":
            share = losses.counted(losses.assigned(x, y, psi), weight, 40)
        else:
            share = losses.spread(x, weight, y, psi, lam)
    torch.testing.assert_close(1 / 40 - share, wanted, rtol=1e-7, atol=1e-10)


def test_slope_of_the_sinkhorn_divergence() -> None:
    """Where the potentials are at their optimum, of a reference that solves for them within reach of autograd."""
    x, y, weight, lam = drawn(12, 3, 1).requires_grad_(), drawn(10, 3), uneven(12), 0.5

    def regular(a: Tensor, ours: Tensor, b: Tensor, theirs: Tensor) -> Tensor:
        cost, f, g = costs(a, b), torch.zeros_like(ours), torch.zeros_like(theirs)
        for _ in range(400):
            f = -lam * torch.logsumexp((g - cost) / lam + theirs.log(), 1)
            g = -lam * torch.logsumexp((f[:, None] - cost) / lam + ours.log()[:, None], 0)
        return (ours * f).sum() + (theirs * g).sum()

    due, there = even(10), weight > 0
    a, ours = x[there], weight[there]
    wanted = regular(a, ours, y, due) - (regular(a, ours, a, ours) + regular(y, due, y, due)) / 2
    (slope,) = torch.autograd.grad(wanted, x)
    one = losses.Sinkhorn(y, lam, generator())
    with torch.no_grad():
        for _ in range(400):
            one.ascend(x, weight)
        value, own = one(x, weight)
    assert float(value) == pytest.approx(float(wanted.detach()), rel=2e-3)
    torch.testing.assert_close(own, slope, rtol=0.02, atol=2e-3)


def test_a_permutation_costs_nothing() -> None:
    y = drawn(300)
    for kind in ("ot", "nearest", "gram", "sinkhorn"):
        one, x = loss(kind, y), y[torch.randperm(300, generator=generator())]
        one.ascend(x, even(300))
        value, slope = one(x, even(300))
        assert float(value) == pytest.approx(0, abs=2e-3 if kind == "sinkhorn" else 1e-12), kind
        assert float(slope.abs().max()) < (2e-3 if kind == "sinkhorn" else 1e-12), kind


def test_a_translation_costs_its_square() -> None:
    """Under its potential, 2 <y, shift>, to rounding; by ascent, nearly and never more."""
    y, shift = drawn(200), torch.full((6,), 0.5, dtype=torch.float64)
    known = losses.SemiDual(y, generator())
    known.psi = -2 * known.y @ shift
    assert float(known(y + shift, even(200))[0]) == pytest.approx(6 * 0.25, rel=1e-9)
    found = loss("ot", y)
    for _ in range(300):
        found.ascend(y + shift, even(200))
    value = float(found(y + shift, even(200))[0])
    assert 1.45 < value <= 1.5 + 1e-9
    blurred = loss("sinkhorn", y)
    for _ in range(150):
        blurred.ascend(y + shift, even(200))
    value, slope = blurred(y + shift, even(200))
    assert float(value) == pytest.approx(1.5, rel=0.01)
    torch.testing.assert_close(slope.sum(0), 2 * shift, rtol=0.02, atol=0)  # blur does not move means


def test_on_a_line_the_sorted_go_to_the_sorted() -> None:
    x, y = drawn(100, 1, 1), 2 * drawn(100, 1, 2) + 1
    wanted = float(((x.sort(0).values - y.sort(0).values) ** 2).mean())
    assert exact(x, y) == pytest.approx(wanted)
    one = loss("ot", y)
    for _ in range(3000):
        one.ascend(x, even(100))
    assert 0.97 * wanted < float(one(x, even(100))[0]) <= wanted + 1e-9


@pytest.mark.parametrize("weighed", [False, True])
def test_ascent_comes_near_exact_transport_from_below(weighed: bool) -> None:
    x, y = 0.5 * drawn(300, seed=1), drawn(120)
    weight = uneven(300) if weighed else even(300)
    wanted, one, values = exact(x, y, weight), loss("ot", y), []
    for _ in range(300):
        values.append(float(one(x, weight)[0]))
        one.ascend(x, weight)
    assert values[0] < 0.85 * wanted  # nearest neighbours
    assert max(values) <= wanted + 1e-9  # weak duality
    assert values[-1] > 0.98 * wanted
    assert np.mean(np.diff(values) > -1e-3 * wanted) > 0.95


def test_transport_between_gaussians_is_that_of_the_closed_form() -> None:
    """|a - b|^2 + sum (s - t)^2 for independent coordinates; samples of these moments nearly."""
    s, t = torch.tensor([1.0, 0.5]).double(), torch.tensor([0.4, 1.5]).double()

    def normal(seed: int) -> Tensor:
        z = drawn(400, 2, seed)
        z = z - z.mean(0)
        return z @ torch.linalg.inv(torch.linalg.cholesky(z.T @ z / 400)).T  # mean 0 and covariance 1 exactly

    x, y = s * normal(1) + torch.tensor([0.5, 0]), t * normal(2)
    one = losses.Sinkhorn(y, 0.1, generator())
    for _ in range(150):
        one.ascend(x, even(400))
    assert float(one(x, even(400))[0]) == pytest.approx(0.25 + 0.36 + 1.0, rel=0.05)


def test_entropic_transport_is_that_of_pot() -> None:
    x, y, lam = 0.5 * drawn(80, 3, 1), drawn(60, 3), 0.4
    plan = ot.sinkhorn(even(80).numpy(), even(60).numpy(), costs(x, y).numpy(), lam, numItermax=5000, stopThr=1e-12)
    relative = plan * 80 * 60  # to the product of the shares
    wanted = float((plan * costs(x, y).numpy()).sum() + lam * (plan * np.log(relative)).sum())
    one = losses.Entropic(y, lam, generator())
    for _ in range(300):
        one.ascend(x, even(80))
    assert float(one(x, even(80))[0]) == pytest.approx(wanted, rel=1e-4)


def test_on_the_edge_of_two_cells_the_slope_is_one_of_the_answers() -> None:
    """The paper's counter-example: x halfway between two Diracs. The value is right, but has no gradient there."""
    y, x = torch.tensor([[-1.0], [1.0]]).double(), torch.zeros((1, 1)).double()
    one, weight, h = losses.Nearest(y), even(1), 1e-6
    value, slope = one(x, weight)
    left, right = (float(one(x + step, weight)[0] - value) / step for step in (-h, h))
    assert float(value) == 1
    assert (left, right) == (pytest.approx(2, abs=1e-5), pytest.approx(-2, abs=1e-5))
    assert float(slope) in (2.0, -2.0)


@pytest.mark.parametrize("tile", [(7, 11), (512, 5), (3, 2048)])
def test_tiles_change_nothing(tile: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, psi, weight = drawn(50, seed=1), drawn(40), drawn(40, 1, 3)[:, 0], uneven(50)

    def all_of_it() -> list[Tensor]:
        soft = losses.softened(x, y, psi, 0.3)
        return [losses.assigned(x, y, psi), *soft, losses.spread(x, weight, y, psi, 0.3)]

    whole = all_of_it()
    monkeypatch.setattr(losses, "TILE", tile)
    for one, other in zip(all_of_it(), whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_a_weight_stands_for_features_that_come_often() -> None:
    x, y = drawn(30, seed=1), drawn(40)
    often = torch.cat([x[:10], x[:10], x[:10], x[10:]])
    weight = torch.cat([torch.full((10,), 3.0), torch.ones(20)]).double() / 50
    for kind in ("ot", "entropic", "gram", "sinkhorn"):
        one, other = loss(kind, y), loss(kind, y)
        one.ascend(x, weight)
        other.ascend(often, even(50))
        assert float(one(x, weight)[0]) == pytest.approx(float(other(often, even(50))[0]), rel=1e-6), kind


def test_parts_of_many_features_hold_each_once() -> None:
    n = 10 * losses.BATCH
    parts = list(losses.batches(n, torch.device("cpu"), generator()))
    assert len(parts) == losses.ASCENTS
    assert torch.cat(parts).sort().values.equal(torch.arange(n))
    for few in (losses.BATCH // 2, losses.BATCH):
        assert all(part.equal(torch.arange(few)) for part in losses.batches(few, torch.device("cpu"), generator()))
    middle = list(losses.batches(2 * losses.BATCH, torch.device("cpu"), generator()))
    assert {len(part) for part in middle} == {losses.BATCH}


def test_costs_ten_times_as_large_make_potentials_ten_times_as_large() -> None:
    """So that maps of any range and layers of VGG are ascended alike."""
    x, y, psi = drawn(200, seed=1), drawn(100), []
    for scale in (1.0, 10**0.5):
        one = losses.SemiDual(scale * y, generator())
        one.ascend(scale * x, even(200))
        psi.append(one.psi)
    assert psi[0].abs().max() > 0
    torch.testing.assert_close(psi[1], 10 * psi[0])


@pytest.mark.parametrize("kind", ["ot", "entropic", "sinkhorn", "gram", "nearest"])
def test_one_feature_everywhere_harms_nothing(kind: str) -> None:
    y = torch.ones((20, 3))
    one = loss(kind, y)
    for x in (torch.ones((30, 3)), drawn(30, 3).float()):
        weight = torch.full((30,), 1 / 30)
        one.ascend(x, weight)
        value, slope = one(x, weight)
        assert math.isfinite(float(value))
        assert bool(torch.isfinite(slope).all())


def test_all_patches_of_a_large_exemplar_fit() -> None:
    """258 064 of 512 x 512 px beside 16 384 of an image: their costs alone would take 16 GiB."""
    code = """
import resource, torch
from otsynth_core import losses
y, x, weight = torch.randn(509**2, 48), torch.randn(2**14, 48), torch.full((2**14,), 2.0**-14)
one = losses.loss("ot", y, 10**9, 0.01, torch.Generator())
losses.ASCENTS, losses.BATCH = 2, 256
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
one.ascend(x[:256], weight[:256])
value, slope = one(x[:1024], weight[:1024])
soft, _ = losses.softened(x[:256], y, one.psi, 0.5)
assert slope.shape == (1024, 48) and soft.isfinite().all() and len(one.psi) == 509**2
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 2**33 or sys.platform == "darwin":
        pytest.skip("the system tells memory in other units")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1024
