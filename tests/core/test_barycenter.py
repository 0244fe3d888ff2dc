"""Gaussian transport between exemplars, and averages that keep the strength of details."""

from __future__ import annotations

import numpy as np
import pytest

from otsynth_core import barycenter, patches
from otsynth_core.barycenter import Sight
from otsynth_core.kernels import load
from otsynth_core.patches import Basis

from .conftest import blobs

NOISE = np.random.default_rng(0).standard_normal((2, 64, 80, 3)).astype(np.float32)


def mixed(a: np.ndarray, b: np.ndarray, t: float | np.ndarray, wrap: tuple[bool, bool]) -> np.ndarray:
    """`barycenter.mixed` to its end, of copies, which it uses up."""
    shares: list[float] = []
    work = barycenter.mixed(a.copy(), b.copy(), t, wrap)
    while True:
        try:
            shares.append(next(work))
        except StopIteration as end:
            assert shares == sorted(shares)
            assert shares[-1] == 1
            return end.value


def basis(covariance: np.ndarray) -> Basis:
    """Of patches of 2 x 2 px, one channel, with all their components."""
    values, axes = np.linalg.eigh(covariance)
    return Basis(2, np.zeros(4, np.float32), axes[:, ::-1].astype(np.float32), np.sqrt(values[::-1]))


def covariance(seed: int) -> np.ndarray:
    m = np.random.default_rng(seed).standard_normal((4, 4))
    return m @ m.T + 0.1 * np.eye(4)


def test_transport_carries_one_covariance_to_the_other() -> None:
    a, b = covariance(1), covariance(2)
    T = barycenter.transport(basis(a), basis(b))
    np.testing.assert_allclose(T @ a @ T.T, b, atol=1e-4)
    np.testing.assert_allclose(T, T.T, atol=1e-6)
    assert np.linalg.eigvalsh(T).min() > 0  # so it is the gradient of a convex function, and optimal (Brenier)


def test_transport_costs_what_gaussians_are_apart() -> None:
    """|x - T x|^2 on average is the Bures distance, tr(a + b - 2 (a^1/2 b a^1/2)^1/2)."""
    a, b = covariance(3), covariance(4)
    moved = np.eye(4) - barycenter.transport(basis(a), basis(b))
    values, axes = np.linalg.eigh(a)
    root = (axes * values**0.5) @ axes.T
    bures = np.trace(a + b) - 2 * np.sqrt(np.linalg.eigvalsh(root @ b @ root)).sum()
    assert np.trace(moved @ a @ moved.T) == pytest.approx(bures, rel=1e-3)


def test_transport_to_stronger_patches_makes_them_stronger() -> None:
    a = covariance(5)
    np.testing.assert_allclose(barycenter.transport(basis(a), basis(9 * a)), 3 * np.eye(4), atol=1e-4)


def test_an_exemplar_without_contrast_is_not_blown_up() -> None:
    for variance in (0, 1e-20, 1e-4):
        T = barycenter.transport(basis(variance * np.eye(4)), basis(covariance(6)))
        assert np.linalg.eigvalsh(T).max() == pytest.approx(barycenter.GAIN, rel=1e-4)


@pytest.mark.parametrize("t", [0.0, 1.0])
def test_at_the_ends_a_picture_is_itself(t: float) -> None:
    a, b = NOISE
    made = mixed(a, b, t, (True, True))
    np.testing.assert_allclose(made, b if t else a, atol=1e-5)


@pytest.mark.parametrize("t", [0.25, 0.5])
def test_unrelated_details_keep_their_strength(t: float) -> None:
    a, b = NOISE[0], 3 * NOISE[1]
    wanted = (1 - t) * a.std() + t * b.std()
    made = mixed(a, b, t, (True, True))
    assert made.std() == pytest.approx(wanted, rel=0.03)
    assert ((1 - t) * a + t * b).std() < 0.9 * wanted  # what a mean alone would be


def test_what_agrees_is_averaged() -> None:
    a = NOISE[0]
    np.testing.assert_allclose(mixed(a, a, 0.3, (True, True)), a, atol=1e-5)
    np.testing.assert_allclose(mixed(a, 3 * a, 0.5, (True, True)), 2 * a, atol=1e-4)


def test_a_constant_stays() -> None:
    a, b = np.full((40, 40, 2), 0.2, np.float32), np.full((40, 40, 2), 0.6, np.float32)
    np.testing.assert_allclose(mixed(a, b, 0.5, (False, True)), 0.4, atol=1e-6)


def test_where_a_map_is_black_or_white_a_picture_is_itself() -> None:
    a, b = NOISE
    t = np.zeros((64, 80, 1), np.float32)
    t[:, 40:], t[:, 38:40] = 1, 0.5
    made = mixed(a, b, t, (True, True))
    np.testing.assert_allclose(made[:, :38], a[:, :38], atol=1e-5)
    np.testing.assert_allclose(made[:, 40:], b[:, 40:], atol=1e-5)


def test_a_mean_that_wraps_may_begin_anywhere() -> None:
    a, b = NOISE
    made = mixed(a, b, 0.5, (True, True))
    rolled = mixed(np.roll(a, 9, 1), np.roll(b, 9, 1), 0.5, (True, True))
    np.testing.assert_allclose(np.roll(made, 9, 1), rolled, atol=1e-5)
    mirrored = mixed(np.roll(a, 9, 1), np.roll(b, 9, 1), 0.5, (True, False))
    assert np.abs(np.roll(made, 9, 1) - mirrored).max() > 1e-3


def sight(first: np.ndarray, second: np.ndarray, t: float, held: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors of both as the first sees them together, and of the first alone; (H, W, k)."""
    compute, rng = load("numpy"), np.random.default_rng(0)
    bases = [patches.basis(image, 3, 8, rng) for image in (first, second)]
    none = np.zeros((62, 0), np.float32), np.zeros((78, 0), np.float32)
    alone = patches.descriptor(bases[0], (False, False), none)
    one = Sight.of(bases, 0, [1 - t, t], held)
    us = [first, second]
    both = one.seen(compute, us, one.agreement(compute, us), slice(0, 64))
    seen = compute.project(both, one.described(alone))
    return seen, compute.project(first, alone)


def test_alone_an_exemplar_sees_its_own_picture() -> None:
    first, second = blobs(64, 80, 3), 0.2 * blobs(64, 80, 3, seed=1)
    seen, alone = sight(first, second, t=0.0)
    np.testing.assert_allclose(seen, alone, atol=0.01)  # the mean of patches varies a little within one
    seen, alone = sight(first, second, t=0.9, held=1.0)
    np.testing.assert_allclose(seen, alone, atol=0.01)  # the mean of patches varies a little within one


@pytest.mark.parametrize("t", [0.5, 1.0])
def test_another_picture_is_seen_with_ones_own_contrasts(t: float) -> None:
    first = blobs(64, 80, 3)
    for contrast in (0.1, 1.0):
        seen, alone = sight(first, 0.5 + contrast * blobs(64, 80, 3, seed=1), t)
        np.testing.assert_allclose(seen.std((0, 1)), alone.std((0, 1)), rtol=0.25)
        assert np.abs(seen.mean((0, 1))).max() < 0.3 * alone.std((0, 1)).max()
