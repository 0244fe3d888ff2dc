"""Cuts: what stays, what is covered by which piece, and where the seams between them run."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import otsynth_core
from otsynth_core import holes, kernels, maps, shiftmap, tasks, transport
from otsynth_core.holes import Hole
from otsynth_core.levels import EFFORTS
from otsynth_core.maps import MapSet
from otsynth_core.shiftmap import ShiftMap
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


def solved(u: np.ndarray, index: int = 0, wide: int = 16, seed: int = 0) -> tuple[ShiftMap, np.ndarray, np.ndarray]:
    """The picture is torn in the middle. Returns what must not stay and what need not as well."""
    gone, zone = (middle(*u.shape[:2], deep << index) for deep in (1, wide))
    return tasks.finished(shiftmap.solved(u, gone, zone, index, SIDE, seed)), gone, zone


def torn(height: int, width: int) -> np.ndarray:
    """A picture with its edges in the middle."""
    return np.roll(coins(height, width), (0, width // 2), (0, 1))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_what_is_torn_gives_way_and_what_is_outside_the_zone_stays(index: int) -> None:
    by = 2**index
    u = torn(96 * by, 97 * by + 1)
    found, gone, zone = solved(u, index)
    assert found.level == index
    assert found.shifts.shape == (96, 97 + (by == 1), 2)
    size = found.shifts.shape[:2]
    blocks = [of[: size[0] * by, : size[1] * by].reshape(size[0], by, size[1], by) for of in (gone, zone)]
    moved = found.shifts.any(2)
    assert moved[blocks[0].any((1, 3))].all()
    assert not moved[~blocks[1].any((1, 3))].any()
    assert 0.1 < moved[blocks[1].all((1, 3))].mean() < 0.8
    assert np.abs(found.shifts[moved]).max(1).min() >= shiftmap.NEAREST
    places = np.argwhere(moved) + found.shifts[moved]
    whole = holes.whole(~blocks[0].any((1, 3)), SIDE)
    top, left = (places - SIDE // 2).T
    assert whole[top, left].all()  # the patch around it exists, and it is not torn
    changed = found.changed((u.shape[0], u.shape[1]))
    assert changed[::by, ::by][: size[0], : size[1]][moved].all()
    joints = sum((np.diff(found.shifts, axis=axis) != 0).any(2).sum() for axis in (0, 1))
    assert changed.sum() <= (moved.sum() + joints) * by**2


@pytest.mark.parametrize("across", [False, True])
def test_costs_of_a_chain_are_least(across: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a tree belief propagation is exact."""
    monkeypatch.setattr(shiftmap, "BLAND", 0)
    rng = np.random.default_rng(0)
    for _ in range(10):
        u = rng.random((11, 30, 2)).astype(np.float32)
        zone, gone = np.zeros((11, 30), bool), np.zeros((11, 30), bool)
        zone[5, 14:18] = gone[5, 15] = True
        offers = np.array([[2, 6], [-3, 7], [1, -9]])
        if across:
            u, zone, gone, offers = u.swapaxes(0, 1), zone.T, gone.T, offers[:, ::-1]
        search = shiftmap._Search(u, gone, np.ones(zone.shape, bool), rng)  # noqa: SLF001
        cells = {(k, 0) if across else (0, k): offers for k in range(4)}
        shifts = tasks.finished(search.decided(zone, cells))
        labels = [(0, 0), *map(tuple, offers.tolist())]
        best = min(itertools.product(labels, repeat=4), key=lambda own: cost(u, zone, gone, own))
        assert not shifts[~zone].any()
        assert cost(u, zone, gone, shifts[zone]) == pytest.approx(cost(u, zone, gone, best), rel=1e-2)


def cost(u: np.ndarray, zone: np.ndarray, gone: np.ndarray, own: tuple | np.ndarray) -> float:
    """Of the shifts of the zone's pixels, in turn, written down pair by pair."""
    shifts = np.zeros((*zone.shape, 2), int)
    shifts[zone] = own
    total = shiftmap.MOVED * shifts.any(2).sum() + shiftmap.NEVER * (gone & ~shifts.any(2)).sum()
    calm = shiftmap.CALM * np.sqrt(u.reshape(-1, u.shape[2]).var(0).sum())
    for axis in (0, 1):
        for p in np.argwhere((np.diff(shifts, axis=axis) != 0).any(2)):
            q = p + np.eye(2, dtype=int)[axis]
            a, b = shifts[tuple(p)], shifts[tuple(q)]
            pa, pb, qa, qb = (u[tuple(at + shift)] for at in (p, q) for shift in (a, b))
            apart = np.linalg.norm(pa - pb) + np.linalg.norm(qa - qb)
            total += min((apart / (np.linalg.norm(pa - qa) + np.linalg.norm(pb - qb) + calm)) ** shiftmap.STEEP, 6e4)
    return float(total)


def test_what_is_shown_is_not_emptier_than_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    u = (0.02 * rng.standard_normal((128, 128, 1))).astype(np.float32)
    u[rng.random((128, 128)) < 0.02] = 1  # stars

    def stars() -> float:
        shares = []
        for seed in range(3):
            moved = (shifts := solved(u, seed=seed)[0].shifts).any(2)
            y, x = np.argwhere(moved).T
            shares.append(u[y + shifts[y, x, 0], x + shifts[y, x, 1]].mean() / u[moved].mean())
        return float(np.mean(shares))

    shown = stars()
    monkeypatch.setattr(shiftmap, "BLAND", 0)
    assert shown > 1.2 * stars()


def test_same_seed_same_pieces() -> None:
    u = torn(96, 96)
    first, second, other = (solved(u, seed=seed)[0].shifts for seed in (3, 3, 4))
    assert first.tobytes() == second.tobytes()
    assert first.tobytes() != other.tobytes()


def test_light_does_not_matter() -> None:
    """Nor is anything lost to rounding where all values are large."""
    u = torn(96, 96)
    dim, bright = (solved(one)[0].shifts for one in (u, u + 4096))
    assert (dim == bright).all(2).mean() > 0.99


@pytest.mark.parametrize("width", [1, 7, 15, 16, 31, 32, 63, 64, 65, 200, 1024])
def test_a_zone_is_a_few_pixels_of_its_level_wide(width: int) -> None:
    index = shiftmap.level(width, 4 * width)
    assert index == 0 or 8 <= width >> index <= 16
    assert 60 >> shiftmap.level(width, 60) >= 11


@pytest.mark.parametrize("height", [12, 13, 15, 40])
@pytest.mark.parametrize("kind", ["flat", "coins", "strip", "one spot"])
def test_whatever_cannot_be_matched_is_made_new_all_the_same(kind: str, height: int) -> None:
    u, band = np.full((height, 24, 1), 0.5, np.float32), 1
    if kind == "coins":
        u = coins(height, 24)
    elif kind == "strip":  # whose top and bottom meet
        u, band = np.concatenate([half := coins(height + 8, 400), half[::-1]]), 150
    elif kind == "one spot":
        u[height // 2, 0] = 1.0
    made = otsynth_core.tile(u, method="heal", band=band, device="numpy", quality="draft").image
    assert np.isfinite(made).all()
    torn = np.abs(np.roll(u, 1, 1) - u)[:, 0, 0] > 0.1
    assert (made != u).any(2)[:, [0, -1]].any(1)[torn].all()


def test_where_no_piece_fits_all_of_the_band_is_made_new(monkeypatch: pytest.MonkeyPatch) -> None:
    def solved(planes: np.ndarray, *rest: object):  # type: ignore[no-untyped-def]
        yield
        return ShiftMap(np.zeros((*planes.shape[:2], 2), np.int32), 0)

    monkeypatch.setattr(shiftmap, "solved", solved)
    u = coins(64, 64)
    result = otsynth_core.tile(u, method="heal", band=8, device="numpy", quality="draft")
    assert result.report()["filled"] == 64**2 - 48**2
    assert (result.image != u).any(2)[:8].mean() > 0.9


def test_what_the_mask_of_a_large_picture_is_reduced_to_is_torn_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels are those of the pixels that a part is worked on at."""
    monkeypatch.setattr(maps, "WORK", 64)
    seen, kept = [], shiftmap.solved

    def solved(planes: np.ndarray, gone: np.ndarray, zone: np.ndarray, index: int, *rest: int):  # type: ignore[no-untyped-def]
        seen.append((planes.shape[:2], index, gone.any()))
        return kept(planes, gone, zone, index, *rest)

    monkeypatch.setattr(shiftmap, "solved", solved)
    u = coins(192, 192)
    result = otsynth_core.tile(u, method="heal", band=48, device="numpy", quality="draft")
    assert max(max(size) for size, _, _ in seen) <= 64
    assert all(index <= 1 for _, index, _ in seen)  # 16 pixels or fewer are left of the band
    for line in (result.image[0] != u[0], result.image[:, 0] != u[:, 0]):
        assert line.mean() > 0.9


def test_the_field_says_the_same() -> None:
    u = torn(96, 96)
    found, gone, zone = solved(u, 1)
    mask = zone & found.changed((96, 96))
    image = tasks.finished(holes.filled(u, ~mask))
    view = tasks.finished(holes.views(u, Hole(image, mask, ~gone, within=True, reused=True), SIDE))[1]
    C = found.field(view, SIDE)
    down, across = view.own
    there = np.stack(np.meshgrid(down, across, indexing="ij"))
    wanted = there + found.shifts[np.ix_(down + SIDE // 2, across + SIDE // 2)].transpose(2, 0, 1)
    last = np.array(view.allowed.shape)[:, None, None] - 1
    np.testing.assert_array_equal(C, wanted.clip(0, last))
    assert found.shifts.any()


def test_the_solver_starts_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And compares no pairs: where nothing is searched the field comes back, but for what stands for itself."""
    monkeypatch.setattr(transport._Part, "search", lambda self, u, key: iter([1.0]))  # noqa: SLF001
    u = torn(96, 96)
    found, gone, zone = solved(u, 1)
    mask = zone & found.changed((96, 96))
    image = tasks.finished(holes.filled(u, ~mask))
    views = tasks.finished(holes.views(u, Hole(image, mask, ~gone, within=True, reused=True), SIDE))[1:2]
    start, effort = found.field(views[0], SIDE), EFFORTS["normal"]
    compute, exemplar = kernels.load("numpy"), transport.Exemplar(views[0].exemplar, (None, None))
    size = (views[0].exemplar.shape[0], views[0].exemplar.shape[1])
    solving = transport.solve(compute, [exemplar], size, (False, False), 0, effort, views, start)
    (solution,) = tasks.finished(solving)
    down, across = views[0].own
    own = np.stack(np.meshgrid(down, across, indexing="ij"))
    free = ~views[0].pinned & views[0].allowed[start[0], start[1]]
    np.testing.assert_array_equal(solution.field[:, free], start[:, free])
    np.testing.assert_array_equal(solution.field[:, views[0].pinned], own[:, views[0].pinned])


def test_what_gives_way_may_be_taken_elsewhere() -> None:
    u = torn(96, 96)
    mask, gone = middle(96, 96, 12), middle(96, 96, 2)
    image = tasks.finished(holes.filled(u, ~mask))
    for view in tasks.finished(holes.views(u, Hole(image, mask, ~gone, within=True, reused=True), SIDE)):
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
