"""Joints: what is smooth goes over, what is fine stays, and within a piece the exemplar stands as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from otsynth_core import assembly, joints, kernels, progress, tasks
from otsynth_core.assembly import Solution
from otsynth_core.levels import SIDE
from otsynth_core.progress import Step

from .conftest import blobs

LAST = Step(0, 1, 1, 1, 1.0, lambda: np.zeros((1, 1, 1), np.float32))


def solution(compute: kernels.Kernels, C: np.ndarray, exemplar: np.ndarray, size: tuple[int, int]) -> Solution:
    weight = compute.array(np.ones(C.shape[1:], np.float32))
    return Solution(compute.array(C.astype(np.int32)), weight, exemplar.shape[:2], size, (), LAST)


def rendered(compute: kernels.Kernels, one: Solution, planes: np.ndarray) -> np.ndarray:
    return np.concatenate(list(assembly.render(compute, one, tasks.finished(assembly.prepared(compute, one, planes)))))


def halves(n: int) -> np.ndarray:
    """A field (2, n, n) whose left half shows the exemplar's left, the right half what lies n further right."""
    C = np.indices((n, n))
    C[1, :, n // 2 :] += n
    return C


def two_tones(n: int) -> np.ndarray:
    """(n, 2 n + SIDE, 1): grain on a darker ground at the left, on a lighter one at the right."""
    grain = 0.1 * (np.indices((n + SIDE, 2 * n + SIDE)).sum(0) % 2)
    grain[:, n + n // 4 :] += 0.4
    return (0.2 + grain).astype(np.float32)[..., None]


@pytest.mark.parametrize("fine", [1.0, 3.0])
@pytest.mark.parametrize("place", [(0, 0), (20, 9), (42, 40)])
def test_a_piece_is_the_exemplar(place: tuple[int, int], fine: float) -> None:
    """Up to the edge of a result that does not wrap, whether the exemplar ends there as well or not."""
    compute, e = kernels.load("numpy"), blobs(90, 80, 3)
    C = np.indices((44, 36)) + np.array(place)[:, None, None]
    u = rendered(compute, replace(solution(compute, C, e, (48, 40)), fine=fine), e)
    np.testing.assert_allclose(u, e[place[0] : place[0] + 48, place[1] : place[1] + 40], atol=1e-5)


@pytest.mark.parametrize("fine", [1.0, 2.0])
def test_tones_go_over_and_grain_stays(fine: float) -> None:
    compute = kernels.load("numpy")
    n, e = 64, two_tones(64)
    hard = np.where(np.arange(n) < n // 2, 1, 1e-4) * np.ones((n, 1))  # as votes are weighed: the better one wins
    one = replace(solution(compute, halves(n), e, (n, n)), fine=fine, weight=hard.astype(np.float32))
    cut, u = np.concatenate(list(assembly.voted(compute, one, e)))[..., 0], rendered(compute, one, e)[..., 0]

    def ground(u: np.ndarray) -> np.ndarray:
        """Without the grain."""
        return (u[:-1, :-1] + u[1:, :-1] + u[:-1, 1:] + u[1:, 1:]).mean(0) / 4

    steps = [np.abs(np.diff(ground(u)))[n // 4 : -n // 4].max() for u in (cut, u)]
    assert steps[1] < 0.5 / fine * steps[0]
    grain = u - (u + np.roll(u, 1, 1)) / 2
    wanted = e[:n, :n, 0] - (e[:n, :n, 0] + np.roll(e[:n, :n, 0], 1, 1)) / 2
    inner = np.s_[8 : n // 2 - 8, n // 4 : 3 * n // 4]
    assert np.abs(grain[inner]).mean() > 0.8 * np.abs(wanted[inner]).mean()
    r = joints.reach(fine)
    assert np.abs(u - cut)[:, n // 2 - r - SIDE + 1 : n // 2 + r + SIDE].max() > 0.02  # here
    assert np.abs(u - cut)[r:, n // 4 : n // 2 - r - SIDE].max() < 1e-5  # and nowhere else


def test_where_it_wraps_the_edge_is_a_joint_as_any() -> None:
    compute, e, n = kernels.load("numpy"), blobs(70, 70, 2), 48
    C = np.clip(np.indices((n, n)) + 7, 0, 65)
    turned = np.roll(C, (n // 2, n // 3), (1, 2))
    u, v = (rendered(compute, solution(compute, field, e, (n, n)), e) for field in (C, turned))
    np.testing.assert_allclose(np.roll(u, (n // 2, n // 3), (0, 1)), v, atol=1e-5)


def test_portions_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    compute, rng = kernels.load("numpy"), np.random.default_rng(0)
    e = blobs(60, 60, 3)
    for size, field in (((64, 40), (64, 40)), ((64, 40), (60, 36)), ((64, 40), (64, 36))):
        one = solution(compute, rng.integers(0, 56, (2, *field)), e, size)
        whole = rendered(compute, one, e)
        monkeypatch.setattr(progress, "PORTION", 1)
        np.testing.assert_allclose(rendered(compute, one, e), whole, atol=1e-6)
        monkeypatch.undo()


def test_what_is_left_of_a_detail_is_no_darker_than_the_darkest() -> None:
    """Half of a bright spot stands at a joint: its glow has lost the other half, and would be taken off there."""
    compute, n = kernels.load("numpy"), 64
    e = np.full((n + SIDE, 2 * n + SIDE, 1), 0.1, np.float32)
    e[30:36, n // 2 - 2 : n // 2 + 2] = 0.9
    u = rendered(compute, solution(compute, halves(n), e, (n, n)), e)
    assert np.float32(0.1) <= u.min()
    assert u.max() <= np.float32(0.9)


def test_every_provider_blends_alike(provider: kernels.Kernels) -> None:
    rng, e = np.random.default_rng(0), blobs(60, 60, 3)
    C = rng.integers(0, 56, (2, 16, 12)).repeat(2, 1)[:, :16]
    u, v = (rendered(compute, solution(compute, C, e, (16, 16)), e) for compute in (provider, kernels.load("numpy")))
    np.testing.assert_allclose(u, v, atol=1e-5)


@pytest.mark.parametrize("field", [(40, 32), (40, 36), (44, 36)])
def test_what_goes_on_beyond_an_edge_has_no_vote_within(
    field: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, rng, e, r = kernels.load("numpy"), np.random.default_rng(0), blobs(60, 60, 3), joints.reach(1)
    monkeypatch.setattr(joints, "blended", lambda votes, scale: votes[r:-r, r:-r, :3])
    one = solution(compute, rng.integers(0, 56, (2, *field)), e, (44, 36))
    cut = np.concatenate(list(assembly.voted(compute, one, e)))
    np.testing.assert_allclose(rendered(compute, one, e), cut, atol=1e-4)
