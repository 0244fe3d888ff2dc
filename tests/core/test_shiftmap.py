"""Cuts: what stays, what is covered by which piece, and where the seams between them run."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import otsynth_core
from otsynth_core import holes, kernels, shiftmap, tasks
from otsynth_core.holes import Hole
from otsynth_core.maps import MapSet
from otsynth_core.shiftmap import Cut, ShiftMap
from otsynth_core.tasks import fill
from otsynth_core.tasks.region import Region

SIDE = 5


def coins(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Discs of some tones that do not touch, on dark ground, with a little grain."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    u, free = np.full((height, width), 0.1), np.ones((height, width), bool)
    for _ in range(4000):
        top, left, radius = rng.integers(height), rng.integers(width), rng.integers(7, 12)
        off = np.hypot(y - top, x - left)
        if free[off < radius + 2].all():
            u[off < radius], free[off < radius + 1] = rng.uniform(0.5, 0.8), False
    return (u + 0.02 * rng.standard_normal(u.shape)).astype(np.float32)[..., None]


def middle(height: int, width: int, deep: int) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[:, width // 2 - deep : width // 2 + deep] = True
    return mask


def solved(u: np.ndarray, level: int = 0, wide: int = 16, seed: int = 0) -> tuple[ShiftMap, Cut]:
    """The picture is cut in the middle."""
    seam, zone = (middle(*u.shape[:2], deep << level) for deep in (1, wide))
    cut = Cut(seam, zone, level)
    return tasks.finished(shiftmap.solved(u, cut, SIDE, seed)), cut


def torn(height: int, width: int) -> np.ndarray:
    """A picture with its edges in the middle."""
    return np.roll(coins(height, width), (0, width // 2), (0, 1))


def joints(shifts: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of neighbours with unlike shifts, down and across, where each of the two stands."""
    found = []
    for axis in (0, 1):
        off = (np.diff(shifts, axis=axis) != 0).any(2)
        first = np.argwhere(off)
        found.append((first, first + np.eye(2, dtype=int)[axis]))
    return found


@pytest.mark.parametrize("level", [0, 1, 2])
def test_what_lies_at_the_cut_gives_way_and_what_is_outside_the_zone_stays(level: int) -> None:
    u = torn(96 << level, 96 << level)
    found, cut = solved(u, level)
    assert found.level == level
    by = 2**level
    seam, zone = (of[::by, ::by] for of in (cut.seam, cut.zone))
    moved = found.shifts.any(2)
    assert moved[seam].all()
    assert not moved[~zone].any()
    assert 0.1 < moved[zone].mean() < 0.8
    far = np.abs(found.shifts[moved]).max(1)
    assert far.min() >= shiftmap.NEAREST - 2  # to the pixel after half the size
    y, x = np.argwhere(moved).T
    source = np.array([y, x]).T + found.shifts[moved]
    whole = holes.whole(~seam, SIDE)
    top, left = (source - SIDE // 2).T
    assert whole[top, left].all()  # the patch around it exists, and the cut is not in it
    changed = found.changed((u.shape[0], u.shape[1]))
    assert changed[::by, ::by][moved].all()
    seams = sum(len(first) for first, _ in joints(found.shifts))
    assert changed.sum() <= (moved.sum() + seams) * by**2


def test_costs_of_a_chain_are_least() -> None:
    """On a tree belief propagation is exact."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        u = rng.random((11, 30, 2)).astype(np.float32)
        zone = np.zeros((11, 30), bool)
        zone[5, 14:18] = True
        everywhere = np.ones(zone.shape, bool)
        found = {(0, k): np.array([[2, 6], [-3, 7], [1, -9]]) for k in range(4)}
        shifts = np.zeros((11, 30, 2), np.int32)
        seam = np.zeros_like(zone)
        seam[5, 15] = True
        tasks.finished(shiftmap._decide(u, seam, zone, everywhere, found, shifts))  # noqa: SLF001
        offers = [(0, 0), (2, 6), (-3, 7), (1, -9)]
        best = min(itertools.product(offers, repeat=4), key=lambda own: cost(u, zone, seam, own))
        assert cost(u, zone, seam, [tuple(s) for s in shifts[5, 14:18].tolist()]) == pytest.approx(
            cost(u, zone, seam, best), rel=1e-2
        )


def cost(u: np.ndarray, zone: np.ndarray, seam: np.ndarray, own: tuple | list) -> float:
    """Of the shifts of the zone's pixels, in turn, written down pair by pair."""
    shifts = np.zeros((*zone.shape, 2), int)
    shifts[zone] = own
    total = shiftmap.STAYS * shifts.any(2).sum() + shiftmap.NEVER * (seam & ~shifts.any(2)).sum()
    calm = shiftmap.CALM * np.sqrt(u.reshape(-1, u.shape[2]).var(0).sum())
    for first, second in joints(shifts):
        for p, q in zip(first, second, strict=True):
            a, b = shifts[tuple(p)], shifts[tuple(q)]
            pa, pb, qa, qb = (u[tuple(at + shift)] for at in (p, q) for shift in (a, b))
            apart = np.linalg.norm(pa - pb) + np.linalg.norm(qa - qb)
            total += min((apart / (np.linalg.norm(pa - qa) + np.linalg.norm(pb - qb) + calm)) ** shiftmap.STEEP, 6e4)
    return float(total)


def test_same_seed_same_pieces() -> None:
    u = torn(96, 96)
    first, second, other = (solved(u, seed=seed)[0].shifts for seed in (3, 3, 4))
    assert first.tobytes() == second.tobytes()
    assert first.tobytes() != other.tobytes()


@pytest.mark.parametrize(("width", "level"), [(1, 0), (15, 0), (16, 1), (31, 1), (32, 2), (64, 2), (68, 3), (1024, 6)])
def test_a_zone_is_a_few_pixels_of_its_level_wide(width: int, level: int) -> None:
    assert shiftmap.level(width) == level


@pytest.mark.parametrize("u", [np.zeros((40, 44, 1), np.float32), np.eye(40, dtype=np.float32)[..., None]])
def test_what_is_flat_or_cannot_be_matched_is_no_trouble(u: np.ndarray) -> None:
    found, _ = solved(u, wide=8)
    assert found.shifts.shape == (*u.shape[:2], 2)


def test_where_nothing_may_be_taken_all_stays() -> None:
    u = torn(16, 12)
    assert not solved(u, wide=3)[0].shifts.any()  # what lies beside the cut is narrower than a patch and a shift


def test_the_field_says_the_same() -> None:
    u = torn(96, 96)
    found, cut = solved(u, level=1)
    mask = cut.zone & found.changed((96, 96))
    image = holes.filled(u, ~mask)
    view = tasks.finished(holes.views(u, Hole(image, mask, ~cut.seam, within=True), SIDE))[1]
    C = found.field(view, SIDE)
    assert C.shape == (2, *view.pinned.shape)
    for y, x in ((3, 2), (20, view.pinned.shape[1] // 2 - 2)):
        there = np.array([line[at] for line, at in zip(view.own, (y, x), strict=True)])
        assert (C[:, y, x] - there == found.shifts[tuple(there + SIDE // 2)]).all()
    kernel = kernels.load("numpy")
    assert kernel.numpy(kernel.array(C)).dtype == np.int32


def test_what_gives_way_may_be_taken_elsewhere() -> None:
    u = torn(96, 96)
    mask, seam = middle(96, 96, 12), middle(96, 96, 2)
    image = holes.filled(u, ~mask)
    for view in tasks.finished(holes.views(u, Hole(image, mask, ~seam, within=True), SIDE)):
        narrow = view.allowed.sum(1)
        assert (narrow >= view.allowed.shape[1] - 2 * SIDE).all()
        assert not view.pinned[:, view.mask.any(0)[: view.pinned.shape[1]]].any()
        assert view.pinned.any()


def test_pieces_keep_coins_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a band as wide is filled, there are more places that the picture has nothing like."""
    u = coins(128, 128)

    def strange(made: np.ndarray) -> float:
        near = np.roll(made, (64, 64), (0, 1))[::2, ::2, 0]
        band = middle(64, 64, 16) | middle(64, 64, 16).T
        windows = np.lib.stride_tricks.sliding_window_view
        new = windows(near, (9, 9))[band[4:-4, 4:-4]].reshape(-1, 81)
        old = windows(u[::2, ::2, 0], (9, 9)).reshape(-1, 81)
        apart = (new * new).sum(1)[:, None] + (old * old).sum(1) - 2 * new @ old.T
        return float(np.sqrt(np.maximum(apart.min(1), 0)).mean())

    options = {"device": "cpu", "seed": 1}
    cut = otsynth_core.tile(u, method="heal", band=32, **options)
    kept = fill.steps
    monkeypatch.setattr(fill, "steps", lambda request, maps, region: kept(request, maps, Region(region.mask)))
    whole = otsynth_core.tile(u, method="heal", band=32, **options)
    assert strange(cut.image) < 0.8 * strange(whole.image)
    assert cut.report()["filled"] < 0.8 * whole.report()["filled"]


def test_what_is_new_is_counted_and_lies_in_the_band() -> None:
    u = (255 * coins(112, 144)).astype(np.uint8)
    result = otsynth_core.tile({"color": u.repeat(3, 2), "roughness": u[::2, ::2]}, method="heal", band=20)
    assert isinstance(result.maps, MapSet)
    changed = (result.images["color"] != u).any(2)
    assert not changed[20:-20, 20:-20].any()
    assert 0.75 * result.report()["filled"] <= changed.sum() <= result.report()["filled"]
