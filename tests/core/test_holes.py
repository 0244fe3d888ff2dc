"""What is known at every level, windows, and what is drawn into them before and after."""

from __future__ import annotations

import numpy as np
import pytest

from otsynth_core import holes, kernels, lines, pyramid, tasks
from otsynth_core.holes import Hole
from otsynth_core.known import Known

SIDE = 5


def viewed(exemplar: np.ndarray, mask: np.ndarray, within: bool = True) -> list[holes.View]:
    source = np.ones(exemplar.shape[:2], bool)
    return tasks.finished(holes.views(exemplar, Hole(exemplar, mask, source, within), SIDE))


@pytest.fixture
def disc() -> np.ndarray:
    y, x = np.mgrid[:96, :128]
    return np.hypot(y - 40, x - 70) < 16


def test_a_thin_hole_closes_and_a_wide_one_stays(exemplar: np.ndarray, disc: np.ndarray) -> None:
    picture = np.resize(exemplar, (96, 128, 3))
    thin = np.zeros((96, 128), bool)
    thin[30, 40] = True
    assert len(viewed(picture, thin)) == 1
    levels = viewed(picture, disc)
    assert len(levels) == 3
    for index, view in enumerate(levels):
        assert view.mask.any()
        width = view.mask.any(0).sum()
        assert abs(width - 31 / 2**index) <= 2


def test_what_touches_the_hole_is_neither_taken_nor_pinned(exemplar: np.ndarray, disc: np.ndarray) -> None:
    picture = np.resize(exemplar, (96, 128, 3))
    view = viewed(picture, disc)[0]
    for y, x in np.argwhere(view.allowed):
        assert not disc[y : y + SIDE, x : x + SIDE].any()
    top, left = view.origin
    for y, x in np.argwhere(view.pinned):
        assert view.allowed[top + y, left + x]
    touched = ~view.pinned
    assert touched.sum() == (~view.allowed).sum()
    assert not touched[0].any() and not touched[:, 0].any()  # noqa: PT018


def test_windows_lie_in_one_another_and_hold_the_hole(exemplar: np.ndarray, disc: np.ndarray) -> None:
    picture = np.resize(exemplar, (96, 128, 3))
    levels = viewed(picture, disc)
    for fine, coarse in zip(levels, levels[1:], strict=False):
        for axis in (0, 1):
            assert fine.origin[axis] % 2 == 0
            assert coarse.origin[axis] <= fine.origin[axis] // 2
            end = fine.origin[axis] + fine.mask.shape[axis]
            assert coarse.origin[axis] + coarse.mask.shape[axis] >= min(-(-end // 2), picture.shape[axis] >> 1)
    view = levels[0]
    top, left = view.origin
    assert view.mask.sum() == disc.sum()
    assert disc[top : top + view.mask.shape[0], left : left + view.mask.shape[1]].sum() == disc.sum()


def test_of_another_exemplar_nothing_is_pinned(exemplar: np.ndarray, disc: np.ndarray) -> None:
    picture = np.resize(exemplar, (96, 128, 3))
    hole = Hole(picture, disc, np.ones(exemplar.shape[:2], bool), within=False)
    for view in tasks.finished(holes.views(exemplar, hole, SIDE)):
        assert not view.pinned.any()
        assert view.allowed.all()


def test_halves_are_of_the_known_alone() -> None:
    u = np.full((16, 16, 1), 0.25, np.float32)
    known = np.ones((16, 16), bool)
    known[4:8, 4:8] = False
    u[~known] = 1e6
    coarse, still = tasks.finished(holes.halved(u, known))
    np.testing.assert_allclose(coarse[still], 0.25, rtol=1e-5)
    assert (~still).sum() == 4


def test_filled_is_smooth_and_leaves_the_known() -> None:
    y, x = np.mgrid[:40, :50].astype(np.float32)
    u = (0.01 * y + 0.02 * x)[..., None]
    known = np.hypot(y - 20, x - 25) > 8
    made = tasks.finished(holes.filled(np.where(known[..., None], u, 99), known))
    np.testing.assert_array_equal(made[known], u[known])
    assert np.abs(made - u).max() < 0.08


def test_nothing_known_is_filled_with_nothing() -> None:
    assert (tasks.finished(holes.filled(np.ones((8, 9, 2), np.float32), np.zeros((8, 9), bool))) == 0).all()


def test_nearest_is_allowed_and_itself_where_it_may_be() -> None:
    allowed = np.ones((30, 20), bool)
    allowed[5:20, 3:15] = False
    to = tasks.finished(holes.nearest(allowed))
    assert allowed[to[0], to[1]].all()
    here = np.indices(allowed.shape)
    np.testing.assert_array_equal(to[:, allowed], here[:, allowed])
    assert np.abs(to - here).max() <= 12
    lone = np.zeros((9, 9), bool)
    lone[8, 1] = True
    assert (tasks.finished(holes.nearest(lone)) == np.array([8, 1])[:, None, None]).all()


def stitched(new: np.ndarray, old: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return tasks.finished(holes.stitched(new, old, mask))


def test_stitched_meets_what_is_around_and_keeps_its_detail() -> None:
    rng = np.random.default_rng(0)
    old = rng.random((60, 60, 2)).astype(np.float32)
    mask = np.zeros((60, 60), bool)
    mask[10:50, 10:50] = True
    assert stitched(old, old, mask).tobytes() == old.tobytes()
    made = stitched(old + 0.5, old, mask)
    np.testing.assert_array_equal(made[~mask], old[~mask])
    off = made - old
    assert made.min() >= old.min()
    assert made.max() <= old.max() + 0.5
    np.testing.assert_allclose(off[10, 10:50], 0, atol=1e-6)
    assert 0 < off[14, 30, 0] < off[20, 30, 0] < 0.5
    np.testing.assert_allclose(off[30, 30], 0.5, atol=1e-6)


def test_grain_is_not_drawn_into_streaks() -> None:
    old = np.random.default_rng(0).random((60, 60, 1)).astype(np.float32)
    mask = np.zeros((60, 60), bool)
    mask[10:50, 10:50] = True
    rough = np.diff(stitched(np.full_like(old, 0.5), old, mask)[:, 15:45, 0]).std(1)
    assert rough[10] > 0.7 * rough[5]  # as around it
    assert rough[14:26].max() < 0.05 * rough[5]


def test_a_large_hole_is_stitched_in_blocks_that_nobody_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    old = pyramid.smooth(np.random.default_rng(0).random((1200, 1200, 1)).astype(np.float32))
    mask = np.zeros((1200, 1200), bool)
    mask[100:1100, 100:1100] = True
    new = np.full_like(old, 0.5)
    off, looked = holes._off, []
    monkeypatch.setattr(holes, "_off", lambda *given: looked.append(given) or off(*given))
    made = stitched(new, old, mask)
    assert len(looked) == 8  # of nine, the one in the middle is left as it is
    monkeypatch.setattr(holes, "BLOCK", 1200)
    np.testing.assert_allclose(made, stitched(new, old, mask), atol=1e-4)


def test_a_line_along_the_hole_is_not_drawn_into_a_haze() -> None:
    old = np.full((60, 60, 1), 0.5, np.float32)
    old[9] = 0.9
    mask = np.zeros((60, 60), bool)
    mask[10:50, 10:50] = True
    made = stitched(np.full_like(old, 0.5), old, mask)
    np.testing.assert_allclose(made[10, 30], 0.9, atol=1e-6)  # it does not end at once
    np.testing.assert_allclose(made[14:, 10:50], 0.5, atol=0.01)
    np.testing.assert_allclose(stitched(old - 0.2, old, mask)[10, 10:50], old[10, 10:50], atol=1e-6)


def test_coarse_levels_have_lines_of_what_is_known_alone(disc: np.ndarray) -> None:
    picture = np.full((96, 128, 1), 0.5, np.float32)
    picture[:, 20::24] = 0.9  # one pixel wide
    built = tasks.finished(lines.build(picture, 3))
    levels = viewed(picture, disc)
    assert [view.exemplar.shape[2] for view in levels] == [view.image.shape[2] for view in levels] == [1, 1, 3]
    far = np.s_[:, :10]  # of the hole, which lies in columns 13 to 22
    np.testing.assert_allclose(levels[2].exemplar[far], built[2][far], rtol=0.2, atol=0.01)
    other = viewed(picture, disc, within=False)[2]
    np.testing.assert_array_equal(other.exemplar, built[2])
    top, left = other.origin
    shown = other.image[~other.mask]
    whole = built[2][top : top + len(other.mask), left : left + other.mask.shape[1]][~other.mask]
    assert np.abs(shown - whole)[:, 1:].mean() < 0.1 * whole[:, 1:].max()
    smooth = other.image[other.mask][:, 1]
    assert np.ptp(smooth) < 0.7 * np.ptp(built[2][..., 1])
    assert smooth.mean() > 0.8 * built[2][..., 1].mean()  # the hole does not count as ground without lines


def test_depth_counts_from_outside() -> None:
    mask = np.zeros((9, 12), bool)
    mask[2:7, 6:] = True
    deep = holes.depth(mask, 2)
    assert deep.max() == 2
    np.testing.assert_array_equal(deep[4], [0] * 6 + [1] + [2] * 5)


def test_potentials_are_eased_the_more_the_smaller_the_hole_is(disc: np.ndarray) -> None:
    picture = np.random.default_rng(0).random((*disc.shape, 1)).astype(np.float32)
    shares = []
    for mask in (disc, disc & (np.indices(disc.shape)[1] < np.flatnonzero(disc.any(0))[6])):
        view = viewed(picture, mask)[0]
        own = Known(kernels.load("numpy"), view)
        shares.append(float(own.eased(np.float32(2), np.float32(3))) - 2)
        n, m = (~view.pinned).sum(), view.allowed.sum()
        assert shares[-1] == pytest.approx((n / (n + m)) ** 0.5, rel=1e-5)
    assert shares[1] < shares[0] < 1
