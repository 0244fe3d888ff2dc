"""Potentials on transport problems whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from otsynth_core import kernels, semidual, tasks


def problem(points: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((points, 1, 6)).astype(np.float32)


def scale(Y: np.ndarray) -> float:
    return float(Y.reshape(-1, Y.shape[2]).var(0).sum())


def solved(provider: kernels.Kernels, X: np.ndarray, Y: np.ndarray, rounds: int = 6) -> tuple[np.ndarray, float]:
    """The assignment and the semi-dual's value F(psi) after some rounds of ascent on a fixed problem."""
    x, y = provider.array(X), provider.array(Y)
    psi = provider.array(np.zeros(Y.shape[:2], np.float32))
    for _ in range(rounds):
        psi = semidual.ascended(provider, x, y, psi, scale(Y))
    C = provider.assign(x, y, psi)
    sigma, p = provider.numpy(C)[0].ravel(), provider.numpy(psi).ravel()
    value = (((X - Y[sigma]) ** 2).sum((1, 2)) - p[sigma]).mean() + p.mean()
    return sigma, float(value)


def test_a_permutation_is_found(provider: kernels.Kernels) -> None:
    Y = problem(200, 0)
    order = np.random.default_rng(1).permutation(200)
    sigma, value = solved(provider, Y[order], Y)
    np.testing.assert_array_equal(sigma, order)
    assert abs(value) < 0.01 * 6


def test_a_translation_costs_its_square(provider: kernels.Kernels) -> None:
    Y = problem(200, 0)
    sigma, value = solved(provider, Y + np.float32(0.5), Y)
    assert value == pytest.approx(6 * 0.25, rel=0.05)
    assert (sigma == np.arange(200)).mean() > 0.9


def test_value_is_that_of_exact_transport(provider: kernels.Kernels) -> None:
    X, Y = problem(300, 2), problem(300, 3)
    cost = ((X - Y[:, 0][None]) ** 2).sum(2)
    exact = cost[linear_sum_assignment(cost)].mean()
    _, value = solved(provider, X, Y)
    assert value <= exact * 1.0001  # weak duality
    assert value == pytest.approx(exact, rel=0.02)


def test_use_is_even_where_nearest_neighbours_are_not(provider: kernels.Kernels) -> None:
    X, Y = 0.3 * problem(1024, 4), problem(128, 5)
    psi = provider.array(np.zeros((128, 1), np.float32))
    nearest = np.bincount(provider.numpy(provider.assign(provider.array(X), provider.array(Y), psi))[0].ravel())
    sigma, _ = solved(provider, X, Y)
    even = np.bincount(sigma, minlength=128)
    assert nearest.max() > 50
    assert even.max() <= 16
    assert even.min() >= 3


def test_ties_share(provider: kernels.Kernels) -> None:
    """A flat exemplar with a few patches of another kind: the flat ones tie, and the others still get their share."""
    Y = np.zeros((64, 1, 6), np.float32)
    Y[40:48] = 1
    X = 0.05 * problem(640, 6)
    X[:100] += 0.3
    sigma, _ = solved(provider, X, Y)
    other = (sigma >= 40) & (sigma < 48)
    assert 60 <= other.sum() <= 100  # 640 / 8 = 80 is fair, nearest neighbours would give 0
    assert other[:100].sum() == other.sum()


def test_a_lattice_stands_for_very_many_patches(provider: kernels.Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    Y = problem(64, 5)
    X = np.random.default_rng(4).standard_normal((60, 60, 6)).astype(np.float32) * np.float32(0.3)
    x, y, psi = provider.array(X), provider.array(Y), provider.array(np.zeros((64, 1), np.float32))
    whole = provider.numpy(semidual.ascended(provider, x, y, psi, scale(Y)))
    monkeypatch.setattr(semidual, "PAIRS", 3600 * 64 // 4)
    part = provider.numpy(semidual.ascended(provider, x, y, psi, scale(Y)))
    assert not np.array_equal(part, whole)
    assert np.corrcoef(part.ravel(), whole.ravel())[0, 1] > 0.95


def parted(provider: kernels.Kernels, Y: np.ndarray) -> tuple[semidual.Groups, ...]:
    return tasks.finished(semidual.groups(provider, provider.array(Y), Y.reshape(-1, Y.shape[2]).std(0)))


def test_cells_part_the_exemplar_by_place(provider: kernels.Kernels) -> None:
    cells = parted(provider, problem(20 * 22, 0).reshape(20, 22, 6))[0]
    of, fair = provider.numpy(cells.of), provider.numpy(cells.fair)
    rows, columns = np.indices((20, 22)) // semidual.CELL
    np.testing.assert_array_equal(of, 3 * rows + columns)
    np.testing.assert_allclose(fair.reshape(3, 3), np.outer([8, 8, 4], [8, 8, 6]) / 440)


def test_classes_part_the_exemplar_by_what_is_there(provider: kernels.Kernels) -> None:
    Y = problem(400, 0).reshape(20, 20, 6)
    classes = parted(provider, Y)[1]
    of, fair = provider.numpy(classes.of), provider.numpy(classes.fair)
    z = Y[..., : semidual.CLASSED] / Y.reshape(-1, 6).std(0)[: semidual.CLASSED]
    ranges = np.searchsorted([-1, 0, 1], z)  # as many of the bounds as lie below
    np.testing.assert_array_equal(of, ranges @ [64, 16, 4, 1])
    assert fair.shape == (256,)
    np.testing.assert_allclose(fair, np.bincount(of.ravel(), minlength=256) / 400)


def test_ranks_part_the_exemplar_by_how_busy_it_is(provider: kernels.Kernels) -> None:
    Y = problem(400, 0).reshape(20, 20, 6)
    ranks = parted(provider, Y)[2]
    of, fair = provider.numpy(ranks.of), provider.numpy(ranks.fair)
    np.testing.assert_allclose(fair, 1 / semidual.RANKS, atol=1 / 400)
    order = np.argsort((Y[..., 1:] ** 2).sum(2), axis=None)
    assert (np.diff(of.ravel()[order]) >= 0).all()


def test_groups_that_are_used_too_much_become_dearer(provider: kernels.Kernels) -> None:
    cells = parted(provider, problem(16 * 24, 0).reshape(16, 24, 6))[0]  # 2 x 3 of them
    C = provider.array(np.zeros((2, 10, 10), np.int32))
    used = cells.used(provider, C)
    np.testing.assert_array_equal(provider.numpy(used), [100, 0, 0, 0, 0, 0])
    new = provider.numpy(cells.balanced(0 * cells.fair, used, 2.0))
    assert new[0] == pytest.approx(-2 * cells.pace * 2)
    assert np.allclose(new[1:], cells.pace * 2)


def test_an_empty_group_harms_nothing(provider: kernels.Kernels) -> None:
    flat = np.zeros((9, 9, 6), np.float32)
    classes = tasks.finished(semidual.groups(provider, provider.array(flat), np.zeros(6)))[1]
    C = provider.array(np.zeros((2, 4, 4), np.int32))
    new = provider.numpy(classes.balanced(0 * classes.fair, classes.used(provider, C), 1.0))
    assert np.isfinite(new).all()
    assert new[0] == 0  # the only one there is, used as it should be


def test_of_the_patches_that_count_no_more_pairs_are_looked_at_than_of_all(
    provider: kernels.Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lattice of the image first, then of it what counts; all that counts where the lattice has none of it."""
    looked: list[int] = []
    ascend = type(provider).ascend

    def noted(self: kernels.Kernels, X: np.ndarray, *rest: object) -> np.ndarray:
        looked.append(X.shape[0] * X.shape[1])
        return ascend(self, X, *rest)

    monkeypatch.setattr(type(provider), "ascend", noted)
    monkeypatch.setattr(semidual, "PAIRS", 40 * 30 * 20 // 8)
    X, Y = (provider.array(problem(n, 7).reshape(h, w, 6)) for n, h, w in ((1200, 40, 30), (20, 5, 4)))
    psi = provider.array(np.zeros((5, 4), np.float32))
    rows, columns = np.indices((40, 30))
    for among, many in ((np.ones((40, 30)), 150), ((5 * rows + columns) % 8 == 1, 150)):
        looked.clear()
        semidual.ascended(provider, X, Y, psi, scale(problem(20, 7)), provider.array(among.astype(np.float32)))
        assert looked == [many, many]


@pytest.mark.parametrize("thinner", [1, 1.5, 3, 7, 40])
def test_a_lattice_misses_no_phase_of_a_pattern(thinner: float) -> None:
    """Else what stands at the others would be used by nobody, and its potentials would rise without end."""
    at = semidual._lattice((60, 60), thinner)
    assert 0.6 / thinner <= len(at) / 3600 <= 1.02 / thinner
    rows, columns = np.divmod(at, 60)
    for period in range(2, 9):
        for line in (rows, columns):
            counts = np.bincount(line % period, minlength=period)
            assert counts.min() > 0.6 * counts.max()


def test_a_column_is_thinned_as_well() -> None:
    np.testing.assert_array_equal(semidual._lattice((20, 1), 7), [0, 8, 16])
