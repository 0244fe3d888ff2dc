"""What repeats is found, how often, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

import otsynth_core
from otsynth_core import repeats

from .conftest import blobs, grid


@pytest.mark.parametrize(("down", "across"), [(24, 31), (20.5, None), (None, 17.3), (None, None)])
def test_periods_are_found_to_a_fraction_of_a_pixel(down: float | None, across: float | None) -> None:
    for found, T in zip(repeats.found(grid(150, 170, down, across)), (down, across), strict=True):
        assert (found is None) == (T is None)
        if found is not None and T is not None:
            assert found.length == pytest.approx(T, abs=0.1)
            assert repeats.HIGH < found.evidence <= 1


@pytest.mark.parametrize(
    "u", [np.full((64, 64, 3), 0.5, np.float32), blobs(64, 80, 3), np.zeros((5, 7, 1), np.float32)]
)
def test_what_does_not_repeat_has_no_period(u: np.ndarray) -> None:
    assert repeats.found(u) == (None, None)


@pytest.mark.parametrize("again", [True, False])
def test_large_bright_pictures_of_low_contrast_are_seen_as_they_are(again: bool) -> None:
    u = np.random.default_rng(0).standard_normal((64 if again else 2048, 2048, 3)).astype(np.float32)
    u = 0.85 + 0.012 * (np.tile(u, (32, 1, 1)) if again else u)
    R = repeats.autocorrelation(u)
    assert R[64] == pytest.approx(1 if again else 0, abs=0.02)
    assert R[200:230].max() < 0.05


def test_a_photo_has_no_period(photo: np.ndarray) -> None:
    assert repeats.found(photo) == (None, None)


def courses(bend: float, boards: bool = False) -> np.ndarray:
    """(260, 260, 3) Bricks of many lengths and colours in courses of 37 px, that rise and fall; or of two heights."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:260, :260].astype(np.float64)
    heights = np.random.default_rng(1).choice([22, 34], 20) if boards else np.full(20, 37)
    line = y + bend * (1 + np.sin(2 * np.pi * x / 173))
    row = np.searchsorted(np.cumsum(heights), line)
    u = 0.4 + 0.6 * rng.random((20, 20, 3))[row, np.searchsorted(np.cumsum(rng.integers(30, 90, 19)), x)]
    u[line - np.concatenate([[0], np.cumsum(heights)])[row] < 4] = 0.2
    return (u + 0.05 * rng.standard_normal(u.shape)).astype(np.float32)


def test_courses_repeat_in_their_contours() -> None:
    """Of bricks of many colours only the joints are alike: their length is found, not that of some chance likeness."""
    u = courses(0)
    down, across = repeats.found(u)
    assert down is not None
    assert down.length == pytest.approx(37, abs=0.2)
    assert repeats.LOW < down.evidence <= repeats.DOUBT < repeats.SURE
    assert across is None
    assert repeats._peak(repeats.autocorrelation(u), repeats.HIGH, repeats.RISE) is None


@pytest.mark.parametrize(("bend", "boards"), [(14, False), (0, True)])
def test_what_is_not_in_step_has_no_period(bend: float, boards: bool) -> None:
    """Courses that rise and fall by a course are in step nowhere; courses of two heights have no length."""
    assert repeats.found(courses(bend, boards)) == (None, None)


def test_a_low_peak_of_few_rows_is_no_period(monkeypatch: pytest.MonkeyPatch) -> None:
    u = courses(0)[: 2 * repeats.LEAST - 8 : 2, ::2]
    assert repeats.found(u) == (None, None)
    monkeypatch.setattr(repeats, "LEAST", len(u))
    assert repeats.found(u)[0] is not None


def test_narrow_strips_are_asked_as_well() -> None:
    """Of fewer columns than there are strips."""
    u = courses(0)[:, 100:105]
    assert repeats._step(u, 37.0) > 0
    assert repeats.found(u)[1] is None


def test_a_net_is_in_step_as_a_lattice() -> None:
    """Of hexagons every second column is half a period lower: alone, neither axis would be in step."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:260, :260].astype(np.float64)
    at = np.array([(58 * (i + 0.5 * (k % 2)), 50 * k) for i in range(-1, 6) for k in range(-1, 7)])
    far = np.sort(np.hypot(y[..., None] - at[:, 0], x[..., None] - at[:, 1]), 2)
    soil = rng.standard_normal((13, 13, 3)).repeat(20, 0).repeat(20, 1)
    u = (0.6 + 0.2 * soil - 0.4 * (far[..., 1] - far[..., 0] < 4)[..., None]).astype(np.float32)
    down, across = repeats.found(u)
    assert down is not None
    assert across is not None
    assert down.length == pytest.approx(58, abs=1)
    assert across.length == pytest.approx(100, abs=1)
    assert repeats._step(u, down.length) < repeats.IN_STEP


def drawn(down: int, across: int, by: int = 1) -> np.ndarray:
    """(300, 300, 3) Tiles of 30 and 25 px and many colours, their lines up to so many pixels off; by times as large."""
    rng = np.random.default_rng(0)
    u = 0.6 + 0.3 * rng.random((10, 12, 3)).repeat(30, 0).repeat(25, 1)
    for turned, (cell, own), loose in ((u, (30, 25), down), (u.swapaxes(0, 1), (25, 30), across)):
        for line, k in np.argwhere(np.ones((300 // cell, 300 // own))):
            middle = cell * line + rng.integers(-loose, loose + 1)
            turned[max(0, middle - 1) : middle + 2, own * k : own * k + own] = 0.1
    u = (u + 0.2 * rng.standard_normal(u.shape)).repeat(by, 0).repeat(by, 1)
    return u.astype(np.float32)


@pytest.mark.parametrize("loose", [(0, 0), (1, 1), (0, 3)])
@pytest.mark.parametrize("by", [1, 2])
def test_what_is_drawn_with_a_ruler_has_sure_periods(loose: tuple[int, int], by: int) -> None:
    """However different its cells are; laid by hand they are as alike, and have none. In units of any size."""
    for unit in (1, 1e-6):
        for found, T, off in zip(repeats.found(drawn(*loose, by) * np.float32(unit)), (30, 25), loose, strict=True):
            assert found is not None
            assert found.length == pytest.approx(by * T, abs=0.5 * by)
            assert found.evidence < repeats.SURE
            assert found.sure == (off == 0)


def test_what_tiles_holds_whole_periods() -> None:
    """What is found is off by a little."""
    u = drawn(1, 1)
    for tiles in (True, False):
        for found, T in zip(repeats.found(u, (tiles, tiles)), (30, 25), strict=True):
            assert found is not None
            assert (found.length == T) == tiles
    stripes = (0.6 * blobs(72, 80, 1) + 0.3 * (np.arange(80) % 16 < 8)[:, None]).astype(np.float32)
    found = repeats.found(stripes)[1]
    assert found is not None
    assert found.length != 16
    report = otsynth_core.synthesize(stripes, size=(160, 144), device="numpy", quality="draft").report()
    assert (report["tiles"], report["period"], report["stretch"]) == ([True, True], [16, None], [1, 1])


def test_where_cells_cannot_be_compared_their_likeness_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contours are looked at in at most 64 px here: of 256 px at a quarter, where 8 px are 2."""
    monkeypatch.setattr(repeats, "CONTOURS", 64)
    u = grid(256, 256, 8, 8)
    for noise, sure in ((0.0, True), (0.12, False)):
        noisy = u + noise * np.random.default_rng(0).standard_normal(u.shape)
        for found in repeats.found(noisy.astype(np.float32)):
            assert found is not None
            assert found.sure == (found.evidence >= repeats.SURE) == sure
    for found in repeats.found(grid(256, 256, 127, 127)):  # does not stand there twice
        assert found is not None
        assert not found.sure


def test_the_lines_of_many_coloured_tiles_stay_straight() -> None:
    """Three of four rows and columns have them where all others do, to 0.6 px; 400 px hold 13.3 and 16 tiles."""
    made = otsynth_core.tile(drawn(0, 0), size=(400, 400), device="numpy", quality="draft").image
    for grey, tiles in ((made.mean(2), 13), (made.mean(2).T, 16)):
        z = np.exp(-2j * np.pi * tiles * np.arange(400) / 400) @ (1 - grey)
        off = np.abs(np.angle(z / z.sum())) * (400 / tiles) / (2 * np.pi)
        assert np.quantile(off, 0.75) < 0.6


def test_autocorrelation_is_what_it_says() -> None:
    u = blobs(40, 12, 2)
    f = u - u.mean((0, 1))
    R = repeats.autocorrelation(u)
    for t in (0, 1, 7, 20):
        a, b = f[t:], f[: 40 - t]
        assert R[t] == pytest.approx(float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())), abs=1e-5)


def test_a_size_is_kept_where_a_period_is_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stretched to, unless the fitting one is asked for."""
    u = courses(0)[:150, :120]
    monkeypatch.setattr(repeats, "ALIKE", 1)  # nothing is exact
    sizes = []
    for high, size in ((0.7, None), (0.8, None), (0.8, "snap")):
        monkeypatch.setattr(repeats, "HIGH", high)
        made = otsynth_core.tile(u, size=size, device="numpy", quality="draft")
        sizes.append((made.image.shape[:2], made.report()["stretch"][1] > 1))
    assert sizes == [((148, 120), False), ((150, 120), True), ((148, 120), False)]
