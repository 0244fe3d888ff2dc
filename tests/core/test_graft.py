"""Grafts against what they promise: large pieces are cut, small ones left, and twins are found."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest

import otsynth_core
from otsynth_core import graft
from otsynth_core.graft import Lattice
from otsynth_core.kernels import Kernels
from otsynth_core.patches import basis, count, descriptor

from .conftest import blobs

SIDE = 5


def grafted(
    kernels: Kernels, e: np.ndarray, u: np.ndarray, C: np.ndarray, wrap: tuple[bool, bool], lattice: Lattice
) -> np.ndarray:
    V = basis(e, graft.FRAME, 12, np.random.default_rng(0))
    described = []
    for image, around in ((e, (False, False)), (u, wrap)):
        none = [np.zeros((n, 0), np.float32) for n in count(image.shape[:2], graft.FRAME, around)]
        described.append(descriptor(V, around, (none[0], none[1])).on(kernels.array))
    Y = kernels.project(kernels.array(e), described[0])
    shape = count(e.shape[:2], SIDE)
    cut = (False, False)
    work = graft.grafted(kernels, kernels.array(u), described[1], Y, V.variance, kernels.array(C), shape, cut, lattice)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return kernels.numpy(end.value)


def squares(shape: tuple[int, ...], lattice: Lattice) -> np.ndarray:
    """Every other one of every other row: which patches lie in them."""
    y, x = np.indices(shape) // graft.SQUARE % 2
    return (y == lattice.down) & (x == lattice.across)


def twice(height: int, width: int, unlike: float) -> tuple[np.ndarray, np.ndarray]:
    """Blobs, and an exemplar where they stand twice, side by side, the second time with a little noise."""
    half = blobs(height, width, 3)
    noise = np.random.default_rng(5).normal(0, unlike, half.shape).astype(np.float32)
    return half, np.concatenate([half, half + noise], 1)


@pytest.mark.parametrize("turns", [(0, 0), (0, 1), (1, 1), (1, 0)])
def test_the_squares_of_a_lattice_take_twins_from_elsewhere(
    provider: Kernels, turns: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graft, "CONTRAST", 0.0)
    monkeypatch.setattr(graft, "TYPICAL", 100.0)
    u, e = twice(32, 40, 0.05)
    C = np.indices((32 - SIDE + 1, 40 - SIDE + 1)).astype(np.int32)
    for most, takes in ((np.inf, True), (0.5, True), (1e-4, False)):
        lattice = Lattice(*turns, most)
        new = grafted(provider, e, u, C, (False, False), lattice)
        moved = (new != C).any(0)
        np.testing.assert_array_equal(moved, squares(moved.shape, lattice) & takes)
        assert (new[:, moved] - C[:, moved] == [[0], [40]]).all()


def test_a_square_stays_whose_twin_is_further_off_than_others_are(
    provider: Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone it would give way: how far off a twin may be is told by the others."""
    monkeypatch.setattr(graft, "CONTRAST", 0.0)
    width = 200
    u, e = twice(32, width, 0.05)
    e[:, width : width + 13] += np.random.default_rng(1).normal(0, 0.5, (32, 13, 1)).astype(np.float32)
    C = np.indices((32 - SIDE + 1, width - SIDE + 1)).astype(np.int32)
    inside = squares(C.shape[1:], Lattice(0, 0))
    for typical, stays in ((100.0, False), (graft.TYPICAL, True)):
        monkeypatch.setattr(graft, "TYPICAL", typical)
        new = grafted(provider, e, u, C, (False, False), Lattice(0, 0))
        moved = (new != C).any(0)
        assert (moved[:, :16] == inside[:, :16] & (not stays)).all()
        assert moved[:, 32:][inside[:, 32:]].mean() > 0.7


@pytest.mark.parametrize("voted", [0.0, 0.02])
def test_the_same_in_another_place_is_no_twin(provider: Kernels, voted: float) -> None:
    """Even where the image is a little off what it comes from."""
    u, e = twice(32, 40, 0.0)
    u = u + np.random.default_rng(6).normal(0, voted, u.shape).astype(np.float32)
    C = np.indices((32 - SIDE + 1, 40 - SIDE + 1)).astype(np.int32)
    new = grafted(provider, e, u, C, (False, False), Lattice(0, 0))
    moved = (new != C).any(0)
    assert moved.any()
    assert not (new[:, moved] - C[:, moved] == [[0], [40]]).all(0).any()


def test_twins_are_no_blander_than_what_they_replace(provider: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    e = np.random.default_rng(0).standard_normal((80, 80, 1)).astype(np.float32)
    e[:, 40:] *= 0.3
    C = np.indices((64, 28)).astype(np.int32)
    share = []
    for contrast in (0.0, graft.CONTRAST):
        monkeypatch.setattr(graft, "CONTRAST", contrast)
        new = grafted(provider, e, e[: 64 + SIDE - 1, : 28 + SIDE - 1], C, (False, False), Lattice(0, 0))
        share.append((new[1][(new != C).any(0)] < 36).mean())  # taken from where there is contrast
    assert share[1] > share[0] + 0.2, share


def test_what_is_not_verbatim_is_left(provider: Kernels) -> None:
    e = blobs(40, 44, 3)
    C = np.indices((40, 48)).astype(np.int32)
    C[0], C[1] = C[0] % 10 + 3, C[1] % 10 + 7
    u = blobs(40, 48, 3, seed=2)
    np.testing.assert_array_equal(grafted(provider, e, u, C, (True, True), Lattice(0, 0)), C)


@pytest.mark.parametrize("wrap", [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize("size", [(37, 45), (29, 13)])
def test_every_answer_lies_inside(provider: Kernels, wrap: tuple[bool, bool], size: tuple[int, int]) -> None:
    e, u = blobs(31, 38, 3), blobs(*size, 3, seed=4)
    shape, field = count(e.shape[:2], SIDE), count(size, SIDE, wrap)
    C = np.full((2, *field), 0, np.int32) + np.array([[[20]], [[3]]], np.int32)
    C = (C + np.indices(field)) % np.array(shape)[:, None, None]
    new = grafted(provider, e, u, C.astype(np.int32), wrap, Lattice(1, 1))
    assert new.dtype == np.int32
    assert new.shape == C.shape
    assert (new >= 0).all()
    assert (new < np.array(shape)[:, None, None]).all()


def test_a_lattice_of_twins_stands_for_all(provider: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graft, "TWINS", 300)  # every third position, down and across
    monkeypatch.setattr(graft, "CONTRAST", 0.0)
    u, e = twice(32, 42, 0.05)
    C = np.indices((32 - SIDE + 1, 42 - SIDE + 1)).astype(np.int32)
    new = grafted(provider, e, u, C, (False, False), Lattice(0, 0))
    moved = (new != C).any(0)
    assert moved.any()
    assert (np.abs(new[:, moved] - C[:, moved] - [[0], [42]]).max(1) <= 3).all()


def test_a_result_has_few_large_pieces() -> None:
    exemplar = blobs(192, 192, 1) / 2 + np.random.default_rng(0).normal(0, 0.1, (192, 192, 1))
    share = {True: 0.0, False: 0.0}
    for possible in share:
        with patch.object(graft, "possible", lambda *_, possible=possible: possible):
            for seed in range(3):
                share[possible] += large(
                    otsynth_core.tile(exemplar, size=(256, 256), device="numpy", seed=seed).field.field
                )
    assert share[True] < 0.7 * share[False], share


def large(field: np.ndarray) -> float:
    """Share of a field in the middle of pieces that go 20 px to all sides."""
    offset, reach = field - np.indices(field.shape[1:]), 20
    near = [np.roll(offset, (dy, dx), (1, 2)) for dy in (-reach, 0, reach) for dx in (-reach, 0, reach)]
    return float(np.all([(other == offset).all(0) for other in near], 0).mean())


def test_joints_settle_after_the_last_graft_but_pieces_do_not_grow_together_again() -> None:
    for searches in (2, 4, 5, 10, 20):
        left = searches - graft.last(searches)
        assert 0 < left <= graft.SETTLING
        assert left in (searches // 2, graft.SETTLING)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("wrap", [(True, True), (False, False)])
def test_a_streak_becomes_a_piece(provider: Kernels, axis: int, wrap: tuple[bool, bool]) -> None:
    """What goes on is left alone, at edges too, and where pieces meet."""
    field, shape = (44, 52), (60, 70)
    C = (np.indices(field) + 5).astype(np.int32)
    C[:, :, 30:] -= 4
    streak = C.copy()
    streak[axis, 16:32, 8:24] = 9 + np.random.default_rng(0).integers(2, size=(16, 16))
    straight = straightened(provider, streak, shape, wrap)
    inside = straight[axis, 16:32, 8:24]
    assert (np.diff(inside.reshape(2, 8, 2, 8), axis=1 + 2 * axis) == 1).all()
    inside[...] = streak[axis, 16:32, 8:24]
    np.testing.assert_array_equal(straight, streak)
    np.testing.assert_array_equal(straightened(provider, C, shape, wrap), C)


def test_a_piece_that_takes_the_place_of_a_streak_lies_within_the_exemplar(provider: Kernels) -> None:
    C = np.full((2, 24, 24), 40, np.int32)
    C[:, 12:] = 0
    straight = straightened(provider, C, (41, 41), (True, True))
    assert straight.min() == 0
    assert straight.max() == 40
    assert (np.diff(straight[0].reshape(3, 8, 24), axis=1) == 1).all()


def test_streaks_are_taken_out_of_a_result_but_of_no_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the solver goes on with is what came of it: with a piece in every square, all of the field is pieces."""
    image = blobs(128, 128, 3)
    plain = otsynth_core.tile(image, device="numpy").image
    monkeypatch.setattr(graft, "STREAK", 0.0)
    assert (otsynth_core.tile(image, device="numpy").image != plain).any()
    mask = np.zeros((128, 128), bool)
    mask[40:80, 30:90] = True
    filled = otsynth_core.fill(image, mask, device="numpy").image
    monkeypatch.undo()
    np.testing.assert_array_equal(otsynth_core.fill(image, mask, device="numpy").image, filled)


def straightened(kernels: Kernels, C: np.ndarray, shape: tuple[int, int], wrap: tuple[bool, bool]) -> np.ndarray:
    return kernels.numpy(graft.straightened(kernels, kernels.array(C), shape, wrap))
