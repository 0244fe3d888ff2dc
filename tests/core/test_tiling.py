"""Exemplars that tile are known from those that are cut off, and their patches reach over their edges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import otsynth_core
from otsynth_core import assembly, graft, kernels, levels, lines, patches, pyramid, repeats, slopes, tasks, tiling
from otsynth_core.maps import Map
from otsynth_core.spec import Size
from otsynth_core.tasks import Field

from .conftest import blobs
from .test_joints import rendered, solution

BOTH = (True, True)
WAYS = [(True, True), (True, False), (False, True), (False, False)]


def disc(side: int) -> np.ndarray:
    """float32 (side, side, 1): faint noise that tiles, and one bright disc, parted among the four corners."""
    y, x = (np.minimum(n, side - n) for n in np.indices((side, side)))
    return (0.2 * blobs(side, side, 1) + 0.8 * (np.hypot(y, x) < side / 5)[..., None]).astype(np.float32)


@pytest.mark.parametrize("ways", WAYS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_tiles_is_known_from_a_part_of_it(ways: tuple[bool, bool], seed: int) -> None:
    u = blobs(160, 192, 3, seed)  # by FFT: they tile
    part = u[: None if ways[0] else 130, : None if ways[1] else 150]
    assert tiling.found(part) == ways
    assert tiling.found(np.roll(part, (9 * ways[0], 30 * ways[1]), (0, 1))) == ways


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_tone_that_does_not_come_back_is_an_edge(seed: int) -> None:
    """As it lies every row fits the next one best, and yet a slope of light ends."""
    slope = np.linspace(0, 0.2, 128, dtype=np.float32)[:, None, None]
    assert tiling.found(0.8 * blobs(128, 128, 3, seed)) == BOTH
    assert tiling.found(0.8 * blobs(128, 128, 3, seed) + slope) == (False, True)


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_an_edge_that_hardly_shows_is_one_where_nothing_goes_on(seed: int) -> None:
    """Planks end at every eighth row: at an edge as well, but whatever row came next it would show no more."""
    rng = np.random.default_rng(seed)
    planks = np.repeat(rng.random((17, 1, 1)), 8, 0)[3:131]
    grain = np.stack([np.convolve(np.tile(rng.normal(size=128), 3), np.ones(9) / 9, "same")[128:256] for _ in planks])
    assert tiling.found((planks + 0.1 * grain[..., None]).astype(np.float32)) == (False, True)


@pytest.mark.parametrize("shape", [(1, 90, 1), (31, 90, 3), (5, 5, 3)])
def test_what_is_small_does_not_tell(shape: tuple[int, ...]) -> None:
    assert tiling.found(np.random.default_rng(0).random(shape, np.float32)) == (False, False)


def test_the_middle_of_a_large_picture_is_not_looked_at() -> None:
    u = blobs(700, 96, 3)
    kept = tiling._edges(u, 4)
    assert len(kept[0]) < 400
    for n, (level, whole) in enumerate(zip(kept, pyramid.build(u, 4, BOTH), strict=True)):
        near = tiling.NEAR + 1
        for rows in (slice(near), slice(-near, None)):
            np.testing.assert_array_equal(level[rows], whole[rows], err_msg=str(n))


def test_photographs_are_cut_off(photo: np.ndarray) -> None:
    assert tiling.found(photo) == (False, False)


@pytest.mark.parametrize("ways", WAYS)
def test_levels_know_no_edge(ways: tuple[bool, bool]) -> None:
    u, turn = blobs(64, 96, 3), [16 * goes for goes in ways]
    levels = [tasks.finished(lines.build(one, 5, ways)) for one in (u, np.roll(u, turn, (0, 1)))]
    for n, (one, turned) in enumerate(zip(*levels, strict=True)):
        moved = np.roll(one, [step >> n for step in turn], (0, 1))
        np.testing.assert_allclose(moved[..., :3], turned[..., :3], atol=1e-5)
        if n > lines.FINEST:  # their weight is of the whole level, in another order
            np.testing.assert_allclose(moved, turned, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("ways", WAYS)
def test_there_is_a_patch_for_every_pixel_of_a_circle(ways: tuple[bool, bool]) -> None:
    u = blobs(20, 24, 2)
    windows = patches.windows(patches.unrolled(u, 5, ways), 5)
    assert windows.shape[:2] == patches.count((20, 24), 5, ways)
    y, x = windows.shape[0] - 1, windows.shape[1] - 1
    np.testing.assert_array_equal(windows[y, x], np.roll(u, (-y, -x), (0, 1))[:5, :5])


def test_sides_go_around_that_are_whole_pixels_at_every_level() -> None:
    effort = levels.EFFORTS["normal"]
    plan = levels.schedule([(256, 250)], (512, 512), BOTH, effort, arounds=[BOTH])
    assert [level.arounds for level in plan] == [((True, False),)] * len(plan)
    assert [level.positions[0][0] for level in plan] == [16, 32, 64, 128, 256]
    assert plan[0].positions[0][1] == (250 >> 4) - levels.SIDE + 1
    small = levels.schedule([(256, 256)], (360, 360), BOTH, effort, arounds=[BOTH])
    assert small[0].arounds == ((False, False),)  # there is no room for two: what came would be the exemplar


def test_a_tile_is_not_laid_beside_itself() -> None:
    """To lay the exemplar out again and again would be the one result that fits everywhere."""
    for seed in (0, 1, 2):
        e = blobs(128, 128, 3, seed)
        result = otsynth_core.tile(e, size=(256, 256), device="numpy", seed=seed)
        assert result.field is not None
        assert result.field.around == BOTH
        for shift in ((128, 0), (0, 128), (128, 128)):
            again = (result.field.field == np.roll(result.field.field, shift, (1, 2))).all(0)
            assert again.mean() < 0.6


@pytest.mark.parametrize("ways", WAYS)
def test_differences_go_on(ways: tuple[bool, bool]) -> None:
    u = blobs(20, 24, 2)
    planes = tasks.finished(slopes.with_differences(u, ways))
    for axis, goes in enumerate(ways):
        last, first = np.take(u, -1, axis), np.take(u, 0 if goes else -1, axis)
        wanted = first - last if goes else last - np.take(u, -2, axis)
        np.testing.assert_allclose(np.take(planes[..., 2 + 2 * axis : 4 + 2 * axis], -1, axis), wanted)


@pytest.mark.parametrize("fine", [1.0, 3.0])
def test_a_piece_goes_on_over_the_edges(fine: float) -> None:
    compute, e = kernels.load("numpy"), blobs(64, 48, 3)
    C = (np.indices((64, 48)) + np.array([50, 17])[:, None, None]) % np.array([64, 48])[:, None, None]
    one = replace(solution(compute, C, e, (64, 48)), around=BOTH, fine=fine)
    np.testing.assert_allclose(rendered(compute, one, e), np.roll(e, (-50, -17), (0, 1)), atol=1e-5)
    voted = np.concatenate(list(assembly.voted(compute, one, e)))
    np.testing.assert_allclose(voted, np.roll(e, (-50, -17), (0, 1)), atol=1e-6)


def test_a_field_over_the_edges_is_resampled(provider: kernels.Kernels) -> None:
    C = (np.indices((16, 24)) + 11) % np.array([16, 24])[:, None, None]
    one = replace(solution(provider, C, blobs(16, 24, 1), (16, 24)), around=BOTH)
    finer = tasks.finished(assembly.resampled(provider, one, (48, 72), (48, 72)))
    assert finer.around == BOTH
    wanted = (np.indices((48, 72)) + 33) % np.array([48, 72])[:, None, None]
    np.testing.assert_array_equal(provider.numpy(finer.field), wanted)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_what_lies_over_an_edge_comes_whole(kind: type, tmp_path: Path) -> None:
    """A disc in the corners: half of it, and no quarter, would end at every straight line through its middle."""
    e = disc(64)
    given = (255 * e).astype(kind) if kind is np.uint8 else e
    places = np.stack(np.meshgrid(np.arange(64), np.arange(64), indexing="ij"), 2).astype(np.float32)
    maps = {"color": given, "place": Map(places, "other", weight=0)}
    result = otsynth_core.tile(maps, size=(128, 128), device="numpy")
    assert result.field is not None
    assert result.field.around == BOTH
    assert result.report()["tiles"] == [True, True]
    over = (result.field.field > 64 - levels.SIDE).any(0)
    assert over.mean() == pytest.approx(1 - (1 - 4 / 64) ** 2, rel=0.4)  # as many as of the exemplar's patches
    bright = result.images["color"][..., 0] > given.max() / 2
    assert bright.mean() == pytest.approx((e > 0.5).mean(), rel=0.2)
    edge = bright & ~np.roll(bright, 1, 1)  # where a row enters a disc from the left
    runs = (edge & np.roll(edge, 1, 0)).sum() / edge.sum()  # straight up and down
    whole = e[..., 0] > 0.5
    own = whole & ~np.roll(whole, 1, 1)
    assert runs == pytest.approx((own & np.roll(own, 1, 0)).sum() / own.sum(), abs=0.15)
    path = tmp_path / "field.npz"
    result.field.save(path)
    again = Field.load(path)
    assert again.around == BOTH
    np.testing.assert_array_equal(again.field, result.field.field)


def test_a_stretched_exemplar_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "ALIKE", 1)  # what is exact is stretched when it is shown, not before
    stripes = 0.6 * blobs(72, 80, 1) + 0.3 * (np.arange(80) % 16 < 8)[:, None]
    for width, stretched in ((64, False), (53, True)):  # of 3.3 periods 3 are made: 80 px become 88
        report = otsynth_core.tile(stripes.astype(np.float32), size=Size(width, 288), device="numpy").report()
        assert (report["stretch"][0] != 1) == stretched
        assert report["tiles"] == [not stretched, True]


def test_no_twin_is_taken_from_beside_the_place_itself(provider: kernels.Kernels) -> None:
    """Beyond the edge is beside it: a square from there would be the same, moved a little."""
    e = blobs(48, 48, 3)
    unrolled = patches.unrolled(e, graft.FRAME, BOTH)
    V = patches.basis(unrolled, graft.FRAME, 12, np.random.default_rng(0))
    none = [np.zeros((48, 0), np.float32)] * 2
    d = patches.descriptor(V, BOTH, (none[0], none[1])).on(provider.array)
    Y = provider.project(provider.array(e), d)
    C = np.indices((48, 48)).astype(np.int32)
    work = graft.grafted(
        provider, provider.array(e), d, Y, V.variance, provider.array(C), (48, 48), BOTH, graft.Lattice(0, 0)
    )
    field = provider.numpy(tasks.finished(work))
    off = np.abs(field - C)
    moved = (off > 0).any(0)
    assert moved.any()
    far = np.minimum(off, 48 - off).max(0)
    assert far[moved].min() > graft.SQUARE
