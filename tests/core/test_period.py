"""Periods of exemplars that are known to have them, or not to, and what is made of them."""

from __future__ import annotations

import numpy as np
import pytest

import otsynth_core
from otsynth_core import InputError, assembly, holes, kernels, levels, metrics, period, tasks, transport
from otsynth_core.period import Period
from otsynth_core.spec import Size

from .conftest import blobs, grid


def test_sizes_that_fit() -> None:
    assert [Period(51.2, 1).fitting(side) for side in (10, 256, 270, 512)] == [51, 256, 256, 512]
    assert period.snapped(Size(100, 100), (Period(24, 1), None)) == (100, 96)
    nearly = [Period(T, 1).fitting(256) for T in (64.13, 63.8, 64.3)]  # they are found to some 0.1 px
    assert nearly == [256, 256, 257]


@pytest.mark.parametrize("sure", [False, True])
def test_phases_repeat_with_the_period_at_every_level(sure: bool) -> None:
    """A sure period counts more, so much that a pixel off costs the same share at every level."""
    for level, length in ((0, 64.0), (1, 32.0), (2, 16.0)):
        rows, columns = period.phases((64, 10), (Period(64, 0.7, sure), None), level, 2.0)
        assert rows.shape == (64, 2)
        assert columns.shape == (10, 0)
        repeat = int(length)
        np.testing.assert_allclose(rows[repeat:], rows[:-repeat], atol=1e-5)
        if not sure:
            np.testing.assert_allclose((rows**2).sum(1), 2 * period.AMPLITUDE, rtol=1e-5)
        else:
            np.testing.assert_allclose((np.diff(rows, axis=0) ** 2).sum(1), 2 * period.STRICT, rtol=0.02)
    fit = period.fitted((Period(16, 1), Period(10, 1)), (100, 95), (True, False))
    assert [one and one.length for one in fit] == [100 / 6, 10]


def test_tile_keeps_a_grid_in_step() -> None:
    """The lines stand at whole periods all over the result, also across its edges."""
    exemplar = grid(100, 110, 24, 31)
    result = otsynth_core.tile(exemplar, device="numpy")
    assert result.image.shape[:2] == (96, 124)
    report = result.report()
    assert report["period"] == pytest.approx([31, 24], abs=0.1)
    assert report["fits"] == [124, 96]
    for axis, T in ((0, 24), (1, 31)):
        profile = result.image.mean((1 - axis, 2))
        lines = np.flatnonzero(profile < profile.min() + 0.15)
        assert len({int(round(line / T * 4)) % 4 for line in lines}) <= 2  # one phase, to a quarter
    assert max(metrics.seam(result.image, axis) for axis in (0, 1)) < 1.1


def test_a_size_that_is_given_is_kept_and_the_grid_stretched() -> None:
    """The lines stand at whole periods of a size that they did not fit."""
    exemplar = grid(100, 110, 24, 31)
    result = otsynth_core.tile(exemplar, size=(134, 104), device="numpy")
    assert result.image.shape[:2] == (104, 134)
    report = result.report()
    assert report["fits"] == [124, 96]
    assert report["stretch"] == pytest.approx([134 / 4 / 31, 104 / 4 / 24], rel=0.005)
    for axis, T in ((0, 104 / 4), (1, 134 / 4)):
        profile = result.image.mean((1 - axis, 2))
        lines = np.flatnonzero(profile < profile.min() + 0.15)
        off = np.angle(np.exp(2j * np.pi * lines / T)) / (2 * np.pi) * T
        assert len(lines) >= 4
        assert np.ptp(off) <= 3
    fh, fw = result.field.field.shape[1:]
    assert result.field.field.dtype == np.int32
    assert result.field.field.reshape(2, fh * fw).max(1) == pytest.approx([100, 110], abs=8)


def test_nothing_is_stretched_without_need() -> None:
    down, across = Period(24, 0.5), Period(30, 0.5)
    both, sure = (True, True), Period(51.2, 0.9, True)
    ratios, size = period.lattice((down, across), (104, 134), both)
    assert ratios == pytest.approx((104 / 96, 134 / 120))
    assert size == (104, 134)
    for case in (
        ((down, None), (104, 134), (False, True)),  # does not wrap; does not repeat
        ((down, across), (97, 121), both),  # within a pixel
        ((down, across), (30, 20), both),  # by more than it would stand
        ((sure, sure), (20, 31), both),
        ((Period(48, 0.9, True), Period(52, 0.9, True)), (96, 520), both),  # a lattice as it is
    ):
        assert period.lattice(*case) == ((1, 1), case[1])
    u = blobs(30, 40, 3)
    np.testing.assert_array_equal(period.stretched(u, (1, 1)), u)
    np.testing.assert_array_equal(period.nearest(5, 1), np.arange(5))
    np.testing.assert_array_equal(period.nearest(5, 1.2), [0, 1, 2, 2, 3, 4])


def test_a_sure_period_becomes_a_lattice_of_whole_pixels() -> None:
    sure = Period(51.2, 0.9, True)
    assert period.lattice((sure, sure), (512, 512), (True, False)) == ((52 / 51.2, 52 / 51.2), (520, 512))
    assert period.lattice((sure, None), (1024, 300), (True, True)) == ((52 / 51.2, 1), (1040, 300))


def tiles(cell: int, across: int) -> np.ndarray:
    """float32 (H, W, 5): square tiles, each of a tone of its own, with lines two pixels wide between, and grain."""
    rng = np.random.default_rng(0)
    tone = rng.random((across, across, 5)).repeat(cell, 0).repeat(cell, 1) / 4
    y, x = np.mgrid[: cell * across, : cell * across] % cell
    line = np.minimum(np.minimum(y, x), 2) / 2
    return ((0.5 + tone) * line[..., None] + rng.normal(0, 0.02, tone.shape)).astype(np.float32)


def test_pieces_of_a_sure_grid_are_moved_by_whole_cells() -> None:
    sure = Period(52, 0.9, True)
    work = transport.solve(
        kernels.load("numpy"),
        [transport.Exemplar(tiles(52, 5), (sure, sure))],
        (312, 364),
        (True, True),
        0,
        levels.EFFORTS["draft"],
    )
    C = tasks.finished(work)[0].field
    assert (C >= 0).all()
    assert (C.max((1, 2)) < 256).all()
    moved = C - np.stack(np.meshgrid(np.arange(312), np.arange(364), indexing="ij"))
    assert ((moved - moved[:, :1, :1]) % 52 == 0).mean() > 0.99  # the whole may be turned


def test_in_a_hole_of_a_grid_pieces_are_moved_by_cells_that_are_not_whole() -> None:
    T = 52 * 0.97
    image = period.stretched(tiles(52, 5), (0.97, 0.97))
    sure = Period(T, 0.9, True)
    mask = np.zeros(image.shape[:2], bool)
    mask[90:150, 100:170] = True
    hole = holes.Hole(image, mask, np.ones_like(mask), within=True)
    views = tasks.finished(holes.views(image, hole, levels.SIDE))
    size = (image.shape[0], image.shape[1])
    draft = levels.EFFORTS["draft"]
    work = transport.solve(
        kernels.load("numpy"), [transport.Exemplar(image, (sure, sure))], size, (False, False), 0, draft, views
    )
    own = np.stack(np.meshgrid(*views[0].own, indexing="ij"))
    moved = (tasks.finished(work)[0].field - own)[:, ~views[0].pinned]
    assert (np.abs(moved - np.rint(T * np.rint(moved / T))) == 0).mean() > 0.9


@pytest.mark.parametrize("cell", [13, 12.6])
def test_whole_cells(provider: kernels.Kernels, cell: float) -> None:
    rng = np.random.default_rng(0)
    C, own = rng.integers(0, 60, (30, 40), np.int32), rng.integers(0, 200, (30, 40), np.int32)
    made = provider.numpy(transport.whole_cells(provider.array(C), provider.array(own), cell, 59))
    number = np.rint((made - own) / cell)
    assert np.abs(made - own - cell * number).max() <= (0 if cell == 13 else 0.52)
    assert made.min() >= 0
    assert made.max() <= 59
    inner = (C > 6) & (C < 53)
    assert np.abs(made - C)[inner].max() == 6
    assert np.abs(made - C).max() <= 12


def test_cells_are_whole_pixels_of_sure_periods() -> None:
    both = Period(52, 0.9, True), Period(52, 0.5)
    assert [period.cells(both, level, whole=True) for level in range(4)] == [(52, 0), (26, 0), (13, 0), (0, 0)]
    assert period.cells((None, Period(51.2, 0.9, True)), 0, whole=True) == (0, 0)
    assert period.cells((Period(51.2, 0.7), Period(51.2, 0.9, True)), 1, whole=False) == (0, 25.6)


def test_a_grid_that_does_not_fit_is_not_forced_into_its_cells() -> None:
    sure = Period(52, 0.9, True)
    both = (True, True)
    assert period.kept((sure, None), (104, 90), both) == (sure, None)
    assert period.kept((sure, sure), (78, 104), both) == (None, sure)
    assert period.kept((sure, sure), (78, 104), (False, True)) == (sure, sure)
    e, compute = tiles(52, 4), kernels.load("numpy")
    work = transport.solve(compute, [transport.Exemplar(e, (sure, sure))], (78, 78), both, 0, levels.EFFORTS["draft"])
    (solution,) = tasks.finished(work)
    stock = tasks.finished(assembly.prepared(compute, solution, e))
    made = np.concatenate(list(assembly.render(compute, solution, stock)))
    for axis in (0, 1):
        assert made.mean((axis, 2)).min() < 0.35  # a line, not a smear of it


def test_a_circle_is_stretched_as_one() -> None:
    u = blobs(40, 44, 1)
    turned = np.roll(u, 22, 1)
    wide, wide_turned = (period.stretched(v, (1, 2.0), "wrap") for v in (u, turned))
    np.testing.assert_allclose(np.roll(wide, 44, 1), wide_turned, atol=1e-5)


@pytest.mark.parametrize("ratio", [0.9, 1.04, 1.1])
def test_stretching_keeps_waves_of_three_pixels(ratio: float) -> None:
    """A sinusoid stays one, longer by the ratio, up to near the shortest that pixels can show."""

    def wave(n: int, T: float) -> np.ndarray:
        return np.cos(2 * np.pi * (np.arange(n) + 0.5) / T).astype(np.float32)

    n = round(120 * ratio)
    got = period.stretched(wave(120, 3.3)[:, None, None] * np.ones((1, 30, 2), np.float32), (ratio, ratio))
    assert got.shape == (n, round(30 * ratio), 2)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[10:-10, 0, 1], wave(n, 3.3 * ratio)[10:-10], atol=0.05)


def test_snap_needs_a_period(exemplar: np.ndarray) -> None:
    with pytest.raises(InputError, match="repeats along neither axis"):
        otsynth_core.tile(exemplar, size="snap", device="numpy")
    assert otsynth_core.tile(grid(100, 110, 24, None), size="snap", device="numpy").image.shape[:2] == (96, 110)
    assert otsynth_core.tile(exemplar, device="numpy").image.shape == exemplar.shape
