"""Fill and heal: what is known stays to the bit, what is new fits, whatever hole, kind of image and material."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import pytest

import otsynth_core
from otsynth_core import (
    InputError,
    Map,
    assembly,
    boxes,
    holes,
    known,
    metrics,
    progress,
    semidual,
    spec,
    tasks,
    transport,
)
from otsynth_core.maps import MapSet, resized
from otsynth_core.tasks import region
from otsynth_core.tasks.region import Region
from tests.bench import fill as bench

from .conftest import DEVICES, blobs

OPTIONS = {"device": "numpy", "quality": "draft"}


def disc(height: int, width: int, radius: float, y: int | None = None, x: int | None = None) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.hypot(rows - (height // 2 if y is None else y), columns - (width // 2 if x is None else x)) < radius


def known_stays(image: np.ndarray, made: np.ndarray, mask: np.ndarray) -> None:
    assert made.dtype == image.dtype
    assert made.shape == image.shape
    assert made[~mask].tobytes() == image[~mask].tobytes()


HOLES = {
    "disc": disc(72, 80, 12),
    "pixel": disc(72, 80, 0.5),
    "border": disc(72, 80, 14, 0, 79),
    "two": disc(72, 80, 6, 10, 10) | disc(72, 80, 6, 60, 70),
    "scratch": np.abs(np.arange(72)[:, None] - 0.8 * np.arange(80)) < 1,
    "most": ~disc(72, 80, 28),
    "row": np.zeros((72, 80), bool) | (np.arange(72) == 30)[:, None],
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", HOLES)
def test_the_known_stays_and_the_hole_is_made_of_it(exemplar: np.ndarray, name: str, device: str) -> None:
    mask = HOLES[name]
    logo = np.where(mask[..., None], np.float32([9, -9, 9]), exemplar)
    result = otsynth_core.fill(logo, mask, device=device)
    known_stays(logo, result.image, mask)
    assert np.abs(result.image).max() < 1.6
    assert result.report()["filled"] == mask.sum()
    assert result.device == ("numba" if device == "cpu" else device)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4])
def test_every_kind_of_image(channels: int, dtype: type) -> None:
    image = blobs(48, 56, max(1, channels))
    if np.dtype(dtype).kind == "u":
        image = (image * np.iinfo(dtype).max).astype(dtype)
    image = image[..., 0] if channels == 0 else image
    mask = disc(48, 56, 8)
    known_stays(image, otsynth_core.fill(image, mask, **OPTIONS).image, mask)


def test_same_seed_same_bytes(exemplar: np.ndarray) -> None:
    mask = HOLES["disc"]
    first, second, other = (otsynth_core.fill(exemplar, mask, seed=seed, **OPTIONS).image for seed in (3, 3, 4))
    assert first.tobytes() == second.tobytes()
    assert first.tobytes() != other.tobytes()


def test_other_seeds_are_other_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    image = blobs(64, 64, 1).repeat(3, 0).repeat(3, 1)
    mask = disc(192, 192, 30)

    def apart() -> float:
        made = [otsynth_core.fill(image, mask, seed=seed, device="cpu").image[mask] for seed in range(4)]
        return float(np.mean([np.abs(u - v).mean() for u, v in zip(made, made[1:], strict=False)]) / image.std())

    varied = apart()
    assert varied > 0.12
    monkeypatch.setattr(known, "NOISE", 0)
    assert varied > 2 * apart()


def test_lines_of_a_grid_go_on_straight(monkeypatch: pytest.MonkeyPatch) -> None:
    y, x = np.mgrid[:200, :200].astype(np.float32)
    lines = np.minimum(*(np.abs((at + 8) % 37.3 - 18.65) for at in (y, x)))
    rng = np.random.default_rng(0)
    tone = 0.1 * rng.random((6, 6, 1))[(y // 37.3).astype(int), (x // 37.3).astype(int)]
    image = (0.6 * (lines > 1.5)[..., None] + tone + 0.02 * rng.random((200, 200, 1))).astype(np.float32)
    mask = disc(200, 200, 26)
    made = otsynth_core.fill(np.where(mask[..., None], 0, image), mask, device="cpu").image
    wrong = np.abs(made - image)[..., 0] > 0.3  # a line where none was, or none where one was
    assert wrong[mask].mean() < 0.02


def test_providers_fill_alike(photo: np.ndarray) -> None:
    mask = disc(160, 160, 24)
    floor = bench.distances(photo, mask)[0]
    for device in DEVICES:
        image = otsynth_core.fill(photo, mask, device=device).image
        assert bench.distances(image, mask)[0] < 1.6 * floor
        assert bench.rim(image, photo, mask) < 1.1
        assert 0.7 < bench.energy(image, mask) / bench.energy(photo, ~mask) < 1.3


def test_a_texture_that_repeats_is_restored() -> None:
    y, x = np.mgrid[:96, :96]
    image = (0.5 + 0.25 * np.sin(2 * np.pi * y / 12) + 0.25 * np.sign(np.sin(2 * np.pi * x / 16)))[..., None]
    image = image.astype(np.float32)
    mask = disc(96, 96, 18)
    made = otsynth_core.fill(np.where(mask[..., None], 0, image), mask, device="numpy").image
    assert np.abs(made - image).mean(where=mask[..., None]) < 0.05


def test_a_flat_image_stays_flat() -> None:
    image = np.full((40, 40, 3), 77, np.uint8)
    mask = disc(40, 40, 9)
    image[mask] = 255
    assert (otsynth_core.fill(image, mask, **OPTIONS).image == 77).all()


def test_a_hole_over_the_edge_of_an_image_that_wraps(photo: np.ndarray) -> None:
    tiled = otsynth_core.tile(photo, size=(128, 128), device="cpu").image
    mask = (
        disc(128, 128, 20, 0, 0)
        | disc(128, 128, 20, 0, 127)
        | disc(128, 128, 20, 127, 0)
        | disc(128, 128, 20, 127, 127)
    )
    before, where = (np.roll(u, (64, 64), (0, 1)) for u in (tiled, mask))
    edges: dict[str, list[float]] = {"both": [], "none": []}  # from pixel to pixel there, over what those beside are
    for wrap, seed in itertools.product(edges, range(4)):
        made = otsynth_core.fill(tiled, mask, wrap=wrap, device="cpu", seed=seed).image
        known_stays(tiled, made, mask)
        after = np.roll(made, (64, 64), (0, 1))
        assert wrap == "none" or bench.rim(after, before, where) < 1.1
        for u in (after, after.swapaxes(0, 1)):
            steps = np.abs(np.diff(u, axis=0))[54:73, 54:74].mean((1, 2))  # the tenth is over the edge
            edges[wrap].append(steps[9] / steps.mean())
    middle, torn = np.mean(edges["both"]), np.mean(edges["none"])
    assert middle < 1.3
    assert torn > 1.3 * middle


def test_every_pixel_around_an_image_that_wraps() -> None:
    image = blobs(96, 96, 1)
    mask = ~disc(96, 96, 30)
    made = otsynth_core.fill(image, mask, wrap="both", **OPTIONS).image
    known_stays(image, made, mask)
    assert max(metrics.seam(made, axis) for axis in (0, 1)) <= 1.05


def test_soft_masks_blend(exemplar: np.ndarray) -> None:
    hard = HOLES["disc"]
    soft = np.where(hard, 0.25, 0).astype(np.float32)
    soft[36, 40] = 1
    whole = otsynth_core.fill(exemplar, hard, **OPTIONS).image
    part = otsynth_core.fill(exemplar, soft, **OPTIONS).image
    wanted = 0.75 * exemplar + 0.25 * whole
    inner = hard & (soft < 1)
    np.testing.assert_allclose(part[inner], wanted[inner], atol=1e-5)
    known_stays(exemplar, part, hard)


def test_a_margin_fades_out_and_ends(exemplar: np.ndarray) -> None:
    mask = HOLES["disc"]
    bright = exemplar + 5 * (mask[..., None] > 0)
    near = disc(72, 80, 12 + 6)
    made = otsynth_core.fill(bright, mask, margin=4, **OPTIONS).image
    known_stays(bright, made, near)
    ring = near & ~mask
    changed = np.abs(made - bright).max(2) > 1e-6
    assert 0.3 < changed[ring].mean() < 1
    assert not changed[~near].any()


@pytest.mark.parametrize("edge", [1, 6, 20])
def test_a_margin_around_a_soft_mask_only_falls(edge: int) -> None:
    y, x = np.mgrid[:101, :101] - 50
    soft = ((30 - np.hypot(y, x)) / edge).clip(0, 1).astype(np.float32)
    line = region.feathered(soft, 8, (False, False))[50, 50:]
    assert (np.diff(line) <= 1e-6).all()
    assert (line >= soft[50, 50:]).all()
    assert line[39] == 0 < line[30]


def test_a_margin_goes_over_the_edge_where_the_image_does() -> None:
    soft = np.zeros((40, 60), np.float32)
    soft[1:4, 20:30] = 1
    wrapped, cut = (region.feathered(soft, 6, (wraps, False)) for wraps in (True, False))
    moved = region.feathered(np.roll(soft, 15, 0), 6, (True, False))
    np.testing.assert_array_equal(np.roll(moved, -15, 0), wrapped)
    assert wrapped[-1].any()
    assert not cut[-1].any()
    np.testing.assert_array_equal(cut[:12], wrapped[:12])


@pytest.mark.parametrize("value", [77, 1])
def test_a_mask_without_white_is_refused_whatever_its_alpha(exemplar: np.ndarray, value: int) -> None:
    mask = np.zeros((*exemplar.shape[:2], 4), np.uint8)
    mask[20:40, 20:40, :3], mask[..., 3] = value, 255
    with pytest.raises(InputError, match="has no white"):
        otsynth_core.fill(exemplar, mask, **OPTIONS)


def test_what_is_too_small_to_be_healed_is_told_so(exemplar: np.ndarray) -> None:
    with pytest.raises(InputError, match="healing wants 12 px a side"):
        otsynth_core.tile(exemplar[:9, :40], method="heal", **OPTIONS)


def test_invert_fills_what_is_black(exemplar: np.ndarray) -> None:
    mask = HOLES["disc"]
    wanted = otsynth_core.fill(exemplar, mask, **OPTIONS).image
    assert otsynth_core.fill(exemplar, ~mask, invert=True, **OPTIONS).image.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("kind", ["bool", "uint8", "uint16", "rgb", "rgba", "grey with alpha"])
def test_masks_of_every_kind(exemplar: np.ndarray, kind: str) -> None:
    mask = HOLES["disc"]
    given = {
        "bool": mask,
        "uint8": 255 * mask.astype(np.uint8),
        "uint16": 65535 * mask[..., None].astype(np.uint16),
        "rgb": 255 * mask[..., None].repeat(3, 2).astype(np.uint8),
        "rgba": np.dstack([np.full((72, 80, 3), 255, np.uint8), 255 * mask.astype(np.uint8)]),
        "grey with alpha": np.dstack([255 * mask, np.full((72, 80), 255)]).astype(np.uint8),
    }[kind]
    wanted = otsynth_core.fill(exemplar, mask, **OPTIONS).image
    assert otsynth_core.fill(exemplar, given, **OPTIONS).image.tobytes() == wanted.tobytes()


def test_a_mask_of_the_same_proportion_is_scaled(exemplar: np.ndarray) -> None:
    small = disc(36, 40, 6)
    made = otsynth_core.fill(exemplar, small, **OPTIONS)
    assert 0.8 < made.report()["filled"] / (4 * small.sum()) < 2
    far = ~disc(72, 80, 16)
    assert made.image[far].tobytes() == exemplar[far].tobytes()


def test_material_is_taken_from_where_it_may_be() -> None:
    image = blobs(64, 128, 1) * 0.4
    image[:, 64:] += 0.6
    mask = disc(64, 128, 8, 32, 40)
    source = np.zeros((64, 128), bool)
    source[:, 70:] = True
    plain = otsynth_core.fill(image, mask, **OPTIONS).image[disc(64, 128, 3, 32, 40)]
    other = otsynth_core.fill(image, mask, source_mask=source, **OPTIONS).image[disc(64, 128, 3, 32, 40)]
    assert plain.max() < 0.55
    assert other.mean() > plain.mean() + 0.1


def test_from_another_material() -> None:
    image, moss = blobs(96, 96, 3), blobs(64, 80, 3, seed=1) * np.float32([0.1, 1, 0.1])
    mask = disc(96, 96, 30)
    made = otsynth_core.fill(image, mask, other=moss, **OPTIONS).image
    known_stays(image, made, mask)
    inner = disc(96, 96, 10)
    assert made[inner][:, 1].mean() > 3 * made[inner][:, [0, 2]].mean()
    whole = otsynth_core.fill(image, np.ones((96, 96), bool), other=moss, **OPTIONS).image
    assert metrics.distance(whole, moss) < 0.3 * metrics.distance(whole, image)
    grey = otsynth_core.fill(image, mask, other=(255 * moss[..., 1]).astype(np.uint8), **OPTIONS).image
    assert np.ptp(grey[inner], axis=1).max() < 0.02


def unmoved(new: np.ndarray, old: np.ndarray, mask: np.ndarray) -> Generator[None, None, np.ndarray]:
    yield
    return 0 * new


def test_maps_of_a_material_stay_in_step(photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holes, "_off", unmoved)
    row = (np.arange(160, dtype=np.float32)[:, None, None] / 160).repeat(160, 1)
    vectors = np.dstack([photo[..., :2] - 0.5, np.ones((160, 160, 1), np.float32)]).repeat(2, 0).repeat(2, 1)
    normal = (vectors / np.linalg.norm(vectors, axis=2, keepdims=True) + 1) / 2
    ids = (row * 16).astype(np.uint8)
    maps = {
        "color": Map(photo),
        "normal": Map((65535 * normal).astype(np.uint16), "normal"),
        "id": Map(ids, "id", weight=0),
        "roughness": Map((255 * photo[::2, ::2, :1]).astype(np.uint8), "roughness"),
        "row": Map(row, "other", weight=0),
        "square": Map(row**2, "other", weight=0),
    }
    mask = disc(160, 160, 20)
    result = otsynth_core.fill(maps, mask, **OPTIONS)
    quarters = mask.reshape(80, 2, 80, 2)
    covered = {160: mask, 320: mask.repeat(2, 0).repeat(2, 1), 80: quarters.any((1, 3))}
    for name, one in maps.items():
        known_stays(one.image, result.images[name], covered[one.size[0]])
        assert (result.images[name] != one.image)[covered[one.size[0]]].any()
    made = 2 * result.images["normal"].astype(np.float32) / 65535 - 1
    np.testing.assert_allclose(np.linalg.norm(made, axis=2), 1, atol=1e-3)
    assert set(np.unique(result.images["id"])) <= set(np.unique(ids))
    mean, square = (result.images[name][..., 0] for name in ("row", "square"))
    sure = mask & (np.abs(square - mean**2) < 1e-5)  # one row stands there, not a mean of several
    assert sure.sum() > 100
    there = np.rint(mean[sure] * 160).astype(int)
    assert (result.images["id"][..., 0][sure] == ids[there, 0, 0]).mean() > 0.99


def test_alpha_of_the_image_is_a_mask_too() -> None:
    image = np.dstack([blobs(64, 64, 3), np.ones((64, 64, 1), np.float32)])
    hole = disc(64, 64, 10)
    image[hole] = 0
    made = otsynth_core.fill(image, image[..., 3], invert=True, **OPTIONS).image
    known_stays(image, made, hole)
    np.testing.assert_allclose(made[..., 3], 1, atol=1e-5)
    assert made[hole][:, :3].min() > 0.05


def test_work_grows_with_the_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    solved = []
    kept = transport.solve

    def solve(compute: object, exemplar: np.ndarray, size: tuple[int, int], *rest: object):  # type: ignore[no-untyped-def]
        views, start = rest[-2:]
        assert start is None
        solved.append((size, views[0].mask.shape))  # type: ignore[index]
        return kept(compute, exemplar, size, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(transport, "solve", solve)
    image = np.random.default_rng(0).integers(0, 255, (1024, 1024, 1), np.uint8)
    mask = disc(1024, 1024, 32)
    otsynth_core.fill(image, mask, **OPTIONS)
    ((crop, window),) = solved
    assert max(crop) <= 64 + 2 * 192
    assert max(window) <= 64 + 2 * 8


def test_putting_together_goes_by_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever fills a large hole can stop, and sees that it goes on, while the maps are made."""
    image, mask = blobs(320, 96, 3), np.zeros((320, 96), bool)
    mask[8:-8, 20:60] = True
    told, at = 0, []
    put = assembly.render

    def render(*given: Any) -> Iterator[np.ndarray]:
        for rows in put(*given):
            at.append(told)
            yield rows

    monkeypatch.setattr(assembly, "render", render)
    monkeypatch.setattr(progress, "PORTION", 2**10)
    maps, request = MapSet.of({"image": image}), spec.Fill(**OPTIONS)
    for _ in tasks.steps(request, maps, Region(mask)):
        told += 1
    assert len(at) > 1
    assert len(set(at)) == len(at)  # a Step after each


def test_it_goes_on_while_a_hole_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Step at least between any two of the levels that are made, of the patches that are sought, of the planes."""
    told, at = 0, []

    def noted(name: str, module: Any) -> None:
        work = getattr(module, name)

        def run(*given: Any, **named: Any) -> Any:
            at.append((name, told))
            return work(*given, **named)

        monkeypatch.setattr(module, name, run)

    noted("halved", holes)
    noted("nearest", holes)
    noted("groups", semidual)
    image, mask = blobs(160, 160, 3), disc(160, 160, 50)
    for _ in tasks.steps(spec.Fill(**OPTIONS), MapSet.of({"image": image}), Region(mask)):
        told += 1
    levels_made = {when for name, when in at if name == "halved"}
    assert len(levels_made) >= 3 + 3  # of the planes, and of the levels
    when = [when for name, when in at if name == "nearest"]
    assert len(when) == len(set(when)) >= 3


@pytest.mark.parametrize("device", DEVICES)
def test_descriptors_that_are_not_kept_are_the_same(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image, mask = blobs(160, 160, 3), disc(160, 160, 50)
    options = {**OPTIONS, "device": device}
    kept = otsynth_core.fill(image, mask, **options).image
    monkeypatch.setattr(transport, "MANY", 0)
    made = otsynth_core.fill(image, mask, **options).image
    np.testing.assert_allclose(made, kept, atol=1e-4)


def test_a_picture_lies_where_its_level_does() -> None:
    """Also while the next level begins, whose window is narrower."""
    image, mask = blobs(160, 160, 3), disc(160, 160, 20)
    seen = set()
    for step in tasks.steps(spec.Fill(**OPTIONS), MapSet.of({"image": image}), Region(mask)):
        if step.levels:
            top, left, bottom, right = step.place
            shown = step.preview().shape
            assert shown[0] * 2**step.level == pytest.approx(160 * (bottom - top))
            assert shown[1] * 2**step.level == pytest.approx(160 * (right - left))
            seen.add(shown)
    assert len(seen) >= 3


def test_holes_are_filled_one_after_another(exemplar: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boxes, "LARGE", 30**2)
    image = np.tile(exemplar, (2, 2, 1))
    mask = np.abs(np.arange(144)[:, None] - 0.9 * np.arange(160)) < 3
    steps = []
    result = otsynth_core.fill(image, mask, progress=steps.append, **OPTIONS)
    known_stays(image, result.image, mask)
    assert len(result.seconds) > 3
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    assert bench.rim(result.image, image, mask) < 1.3


@pytest.mark.parametrize("side", [40, 100, 101, 128])
@pytest.mark.parametrize("deep", [1, 2, 3, 4, 5, 8, 11])
def test_strips_along_every_border(side: int, deep: int) -> None:
    image = blobs(side, side, 1)
    for at in (np.s_[:deep], np.s_[-deep:], np.s_[:, :deep], np.s_[:, -deep:], np.s_[-deep:, -deep:]):
        mask = np.zeros((side, side), bool)
        mask[at] = True
        known_stays(image, otsynth_core.fill(image, mask, **OPTIONS).image, mask)


def test_a_hole_in_a_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boxes, "BLOCK", 8)
    image = blobs(128, 128, 1)
    mask = disc(128, 128, 50) & ~disc(128, 128, 40) | disc(128, 128, 6)
    result = otsynth_core.fill(image, mask, **OPTIONS)
    known_stays(image, result.image, mask)
    assert (result.image != image)[disc(128, 128, 5)].mean() > 0.9


@pytest.mark.parametrize("map_side", [220, 110, 660, 880])
@pytest.mark.parametrize("top", [203, 206, 209])
def test_maps_of_other_sizes_keep_what_the_mask_does_not_touch(map_side: int, top: int) -> None:
    lead, own = blobs(440, 440, 1), np.resize(blobs(110, 110, 1, seed=1), (map_side, map_side, 1))
    mask = np.zeros((440, 440), bool)
    mask[top : top + 7, top + 1 : top + 8] = True
    own = np.ascontiguousarray(own)
    touched = boxes.Box((0, 440), (0, 440)).covering(mask, (440, 440), (map_side, map_side))
    own[touched] = 5
    made = otsynth_core.fill({"color": lead, "roughness": own}, mask, **OPTIONS).images["roughness"]
    known_stays(own, made, touched)
    assert made[touched].max() < 1.2


def test_what_stands_in_the_hole_decides_nothing(photo: np.ndarray) -> None:
    mask = disc(160, 160, 20)
    small = mask.reshape(80, 2, 80, 2).any((1, 3))
    made = []
    for value in (0, 900):
        color, rough = photo.copy(), photo[::2, ::2, :1].copy()
        color[mask], rough[small] = value, value
        maps = {"color": Map(color, linear=True), "roughness": Map(rough, "roughness")}
        made.append(otsynth_core.fill(maps, mask, **OPTIONS).images)
    for name in ("color", "roughness"):
        np.testing.assert_allclose(made[0][name], made[1][name], atol=1e-5)


def test_other_materials_with_alpha_and_other_normals() -> None:
    mask, color = disc(64, 64, 16), blobs(64, 64, 3)
    cut = np.dstack([blobs(48, 48, 3, seed=1), np.full((48, 48, 1), 0.5, np.float32)])
    every = np.ones((48, 48), bool)
    made = otsynth_core.fill(
        Map(color, linear=True), mask, other=Map(cut, linear=True, associated=True), source_mask=every, **OPTIONS
    ).image
    known_stays(color, made, mask)
    flat = np.full((64, 64, 3), (127, 127, 255), np.uint8)
    up = np.zeros((48, 48, 3), np.float32)
    up[..., 2] = 1
    up[:, :24, 0] = -0.01
    made = otsynth_core.fill({"normal": flat}, mask, other={"normal": up}, **OPTIONS).images["normal"]
    assert np.abs(made.astype(int) - flat).max() <= 2


@pytest.mark.parametrize("among", [False, True])
@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize("own", ["normal", "normal_dx"])
@pytest.mark.parametrize("its", ["normal", "normal_dx"])
def test_normals_of_the_other_convention_are_turned(own: str, its: str, channels: int, among: bool) -> None:
    mask, flat = disc(64, 64, 16), np.full((64, 64, channels), (127, 127, 255)[:channels], np.uint8)
    up = np.full((48, 48, channels), (127, 191, 238)[:channels], np.uint8)
    maps, others = {"n": Map(flat, own)}, {"m": Map(up, its)}
    if among:
        maps["color"], others["color"] = flat[..., :1], up[..., :1]
    made = otsynth_core.fill(maps, mask, other=others, **OPTIONS).images["n"]
    wanted = (127, 191 if own == its else 64, 238)[:channels]
    assert np.abs(made[disc(64, 64, 8)].astype(int) - wanted).max() <= 1


@pytest.mark.parametrize(
    ("lead", "small", "hole", "wrap"),
    [
        ((1024, 1024), (700, 700), np.s_[400:464, 400:464], "none"),
        ((501, 501), (250, 250), np.s_[100:400, 101:401], "both"),
    ],
)
def test_another_material_in_maps_of_any_two_sizes(
    lead: tuple[int, int], small: tuple[int, int], hole: tuple[slice, slice], wrap: str
) -> None:
    mask = np.zeros(lead, bool)
    mask[hole] = True
    rows = np.linspace(0, 1, 64, dtype=np.float32)[:, None].repeat(64, 1)[..., None]  # which row is taken, in each map
    ratio = small[0] / lead[0]
    other = {"color": Map(rows, linear=True), "roughness": resized(rows, (round(64 * ratio), round(64 * ratio)))}
    maps = {
        "color": Map(np.full((*lead, 1), 0.5, np.float32), linear=True),
        "roughness": np.full((*small, 1), 0.5, np.float32),
    }
    made = otsynth_core.fill(maps, mask, other=other, wrap=wrap, **OPTIONS).images
    shown = made["color"][hole][4:-4, 4:-4]
    down, across = (slice(round(part.start * ratio), round(part.stop * ratio)) for part in hole)
    fine = resized(made["roughness"][down, across], mask[hole].shape)[4:-4, 4:-4]
    assert shown.std() > 0.1
    assert np.abs(shown - fine).mean() < 0.05  # to a pixel of the smaller map


def test_the_fourth_channel_of_another_material_s_normals_stays() -> None:
    mask, flat = disc(64, 64, 16), np.full((64, 64, 4), (127, 127, 255, 20), np.uint8)
    other = np.full((48, 48, 4), (127, 127, 255, 90), np.uint8)
    made = otsynth_core.fill({"normal": flat}, mask, other={"normal": other}, **OPTIONS).images["normal"]
    assert (made[disc(64, 64, 8), 3] == 90).all()


def test_what_is_transparent_is_not_put_into_what_has_no_alpha() -> None:
    mask, color = disc(64, 64, 16), blobs(64, 64, 3)
    for associated in (False, True):
        cut = Map(np.dstack([color[:48, :48], np.full((48, 48, 1), 0.5, np.float32)]), "color", True, associated)
        with pytest.raises(InputError, match="has no alpha, and what it is filled from is transparent"):
            otsynth_core.fill(Map(color, linear=True), mask, other=cut, **OPTIONS)
        where = np.ones((48, 48), bool)  # who says where from has seen it
        otsynth_core.fill(Map(color, linear=True), mask, other=cut, source_mask=where, **OPTIONS)


def test_previews_are_of_what_is_worked_on() -> None:
    """A part of a picture may be opaque, or grey, where the whole is not."""
    image = np.full((64, 64, 4), (200, 100, 50, 255), np.uint8)
    image[:, :8, :3] = 90
    image[28:36, 28:36, 3] = 0
    maps = MapSet.of({"": image})
    for mask in (image[..., 3] == 0, np.arange(64)[:, None] + 0 * np.arange(64) < 4):
        shown = [
            (step.maps or maps).pictured(step.preview())
            for step in tasks.steps(spec.Fill(**OPTIONS), maps, Region(mask))
        ]
        assert all(np.abs(one.astype(int) - image[60, 60, :3]).max(2).min() < 12 for one in shown)


def test_several_maps_of_one_role_are_paired_by_name() -> None:
    mask = disc(64, 64, 16)
    maps = {name: blobs(64, 64, 1) for name in ("one", "two")}
    other = {"two": np.full((48, 48, 1), 0.8, np.float32), "one": np.full((48, 48, 1), 0.2, np.float32)}
    made = otsynth_core.fill(maps, mask, other=other, **OPTIONS).images
    np.testing.assert_allclose(made["one"][disc(64, 64, 8)], 0.2, atol=1e-3)
    np.testing.assert_allclose(made["two"][disc(64, 64, 8)], 0.8, atol=1e-3)
    with pytest.raises(InputError, match="by the same name"):
        otsynth_core.fill(maps, mask, other={"three": other["one"], "four": other["two"]}, **OPTIONS)


def test_a_small_source_in_a_large_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otsynth_core.maps.WORK", 128)
    image = blobs(64, 400, 1)
    mask, source = disc(64, 400, 8, 30, 300), np.zeros((64, 400), bool)
    source[40:46, 20:26] = True
    with pytest.raises(InputError, match="what the source mask leaves"):
        otsynth_core.fill(image, mask, source_mask=source, **OPTIONS)
    source[20:60, 20:60] = True
    known_stays(image, otsynth_core.fill(image, mask, source_mask=source, **OPTIONS).image, mask)


@pytest.mark.parametrize("side", [250, 255, 300])
def test_a_reduced_image_is_reduced_with_its_mask(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otsynth_core.maps.WORK", 64)
    image = 0.5 * blobs(side, side, 1)
    mask = disc(side, side, 30)
    made = otsynth_core.fill(np.where(mask[..., None], 9, image).astype(np.float32), mask, **OPTIONS).image
    known_stays(image, made, mask)
    assert made.max() < 0.8


def test_an_edge_that_cuts_the_only_source_is_not_the_last_word() -> None:
    image, mask, source = blobs(64, 64, 1), np.zeros((64, 64), bool), np.zeros((64, 64), bool)
    mask[10:20, 10:20], source[43:51, 43:51] = True, True
    known_stays(image, otsynth_core.fill(image, mask, source_mask=source, wrap="both", **OPTIONS).image, mask)


@pytest.mark.parametrize("side", [16, 24, 31, 40])
def test_small_pictures_are_healed_or_refused_in_words(side: int) -> None:
    image = blobs(side, side, 1)
    try:
        result = otsynth_core.tile(image, method="heal", **OPTIONS)
    except InputError as error:
        assert "nothing of" in str(error)  # noqa: PT017
    else:
        width = result.report()["band"]
        assert result.image[width:-width, width:-width].tobytes() == image[width:-width, width:-width].tobytes()


def test_nothing_to_fill_is_said(exemplar: np.ndarray) -> None:
    result = otsynth_core.fill(exemplar, np.zeros((72, 80), bool))
    assert result.image.tobytes() == exemplar.tobytes()
    (words,) = result.report()["warnings"]
    assert "nothing was filled" in words
    assert not otsynth_core.fill(exemplar, HOLES["pixel"], **OPTIONS).report()["warnings"]


@pytest.mark.parametrize(
    ("mask", "options", "words"),
    [
        (np.ones((72, 80), bool), {}, "covers the whole image"),
        (~disc(72, 80, 2), {}, "smaller than a patch"),
        (HOLES["disc"], {"source_mask": np.zeros((72, 80), bool)}, "what the source mask leaves"),
        (HOLES["disc"].astype(np.uint8), {}, "mask has no white: its brightest value is 0.004"),
        (np.ones((72, 72), bool), {}, "mask is 72x72 px, the image 80x72"),
        (HOLES["disc"], {"source_mask": np.ones((80, 72), bool)}, "source mask is 72x80"),
        (np.ones((72, 80, 5), np.uint8), {}, "mask is an array of shape"),
        (np.full((72, 80), np.nan, np.float32), {}, "mask has NaN"),
        (HOLES["disc"], {"source_mask": HOLES["two"].astype(np.uint8)}, "source mask has no white"),
        (None, {}, "mask is a NoneType"),
        (HOLES["disc"], {"margin": 1000}, "margin is 1000"),
        (HOLES["disc"], {"margin": 256}, "with it the mask covers the whole image; choose less"),
        (HOLES["disc"], {"margin": -1}, "margin is -1"),
        (HOLES["disc"], {"invert": 1}, "invert is 1: it must be true or false"),
        (HOLES["disc"], {"wrap": "round"}, "wrap is 'round'"),
        (HOLES["disc"], {"other": {"normal": blobs(40, 40, 3), "roughness": blobs(40, 40, 1)}}, "has none"),
        (HOLES["disc"], {"other": blobs(4, 40, 3)}, "the other material is 40x4 px: smaller than one 5 px patch"),
        (HOLES["disc"], {"other": Map(blobs(40, 40, 3), linear=True)}, "linear light"),
    ],
)
def test_bad_input_is_one_sentence(exemplar: np.ndarray, mask: np.ndarray, options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        otsynth_core.fill(exemplar, mask, **options)


def test_fill_needs_a_mask(exemplar: np.ndarray) -> None:
    with pytest.raises(InputError, match="no mask was given"):
        next(otsynth_core.tasks.steps(otsynth_core.Fill(), exemplar))


@pytest.mark.parametrize("band", [None, 12])
def test_healing_keeps_the_picture_but_for_a_band(photo: np.ndarray, band: int | None) -> None:
    image = (255 * photo).astype(np.uint8)
    result = otsynth_core.tile(image, method="heal", band=band, device="cpu")
    report = result.report()
    assert report["method"] == "heal"
    width = report["band"]
    assert width == (band or width)
    assert 4 <= width <= 160 // 4
    inner = np.s_[width:-width, width:-width]
    assert result.image[inner].tobytes() == image[inner].tobytes()
    assert (result.image != image)[:4].mean() > 0.5
    more = [otsynth_core.tile(image, method="heal", band=band, device="cpu", seed=seed).image for seed in (1, 2)]
    for axis in (0, 1):  # one column of grain alone may differ from the next by more than most do
        seams = [metrics.seam(made / 255, axis) for made in (result.image, *more)]
        assert np.mean(seams) <= 0.95 < 1.05 < metrics.seam(photo, axis)


EDGES = ("top and bottom", "left and right")


def test_healing_what_does_not_fit_is_warned_of() -> None:
    y, x = np.mgrid[:100, :100]
    grid = ((y % 20 > 2) & (x % 20 > 2)).astype(np.float32)[..., None]
    fits, torn = (otsynth_core.tile(grid[:n, :n], method="heal", **OPTIONS).report()["warnings"] for n in (100, 90))
    assert [words.partition(":")[0] for words in fits] == [f"{edges} meet already" for edges in EDGES]
    assert len(torn) == 1
    assert "repeats every 20.0 px" in torn[0]


@pytest.mark.parametrize("kind", ["goes on", "repeats"])
def test_edges_that_meet_are_not_healed(kind: str) -> None:
    """What is there is better than what would be made; nor may it seem torn because a contour lies along its edge."""
    if kind == "goes on":
        u = blobs(96, 80, 3)
        u[:, :20] += np.linspace(0.4, 0, 20)[:, None]  # left and right do not meet
    else:
        y, x = np.mgrid[:96, :80]
        u = np.stack([(y % 24 < 10) + 0.3 * np.sin(y / 24 * 2 * np.pi) + x / 80] * 3, 2).astype(np.float32)
    result = otsynth_core.tile(u.astype(np.float32), method="heal", band=12, **OPTIONS)
    changed = (result.image != u).any(2)
    assert changed[:, [0, -1]].all()
    assert not changed[:, 12:-12].any()
    assert [words for words in result.report()["warnings"] if words.startswith("top and bottom meet already")]
    whole = blobs(96, 80, 3)
    both = otsynth_core.tile(whole, method="heal", **OPTIONS)
    assert both.image.tobytes() == whole.tobytes()
    assert both.report()["filled"] == 0


def test_a_band_is_wider_where_the_grain_is_coarse(photo: np.ndarray) -> None:
    from otsynth_core.tasks import tile

    fine, coarse = blobs(400, 400, 1)[:256, :256], blobs(64, 64, 1).repeat(4, 0).repeat(4, 1)
    assert tile.band(fine) < tile.band(coarse) <= 64
    assert tile.band(np.random.default_rng(0).random((256, 256, 1))) == tile.NARROW


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "heal", "size": (64, 64)}, "keeps the picture's own"),
        ({"band": 8}, "only method heal"),
        ({"method": "heal", "band": 34}, "of 72 px only 4 would be kept"),
        ({"method": "cure"}, "method is 'cure'"),
    ],
)
def test_what_cannot_be_healed_is_said(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        otsynth_core.tile(np.random.default_rng(0).random((72, 80, 3), np.float32), **options)


def test_what_jpeg_leaves_of_a_mask_changes_no_pixel(exemplar: np.ndarray) -> None:
    mask = HOLES["disc"]
    noisy = (255 * mask + np.where(mask, -6, 6)).astype(np.uint8)
    wanted = otsynth_core.fill(exemplar, mask, **OPTIONS).image
    assert otsynth_core.fill(exemplar, noisy, **OPTIONS).image.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("seed", range(16))
def test_sets_of_any_size_with_holes_anywhere(seed: int) -> None:
    """All that the mask touches is new, in every map, and nothing else."""
    rng = np.random.default_rng(seed)
    height, width = (int(4 * rng.integers(6, 40)) for _ in (0, 1))
    ratio = (0.25, 0.5, 0.75, 1.25, 1.5, 2, 3, 4)[seed % 8]
    own = round(height * ratio), round(width * ratio)
    color = rng.integers(50, 150, (height, width, 3)).astype(np.uint8)
    rough = rng.integers(50, 150, own).astype(np.uint8)
    mask = np.zeros((height, width), bool)
    for _ in range(2):
        top, left, side = rng.integers(height), rng.integers(width), rng.integers(1, min(height, width) // 3)
        mask[top : top + side, left : left + side] = True
    touched = boxes.Box((0, height), (0, width)).covering(mask, (height, width), own)
    color[mask], rough[touched] = 255, 255
    wrap = ("none", "both", "x", "y")[seed // 4]
    images = otsynth_core.fill({"color": color, "roughness": rough}, mask, wrap=wrap, **OPTIONS).images
    known_stays(color, images["color"], mask)
    known_stays(rough, images["roughness"], touched)
    assert images["color"][mask].max() < 200
    assert images["roughness"][touched].max() < 200


def test_ids_at_another_size_are_those_under_the_middles_of_their_pixels() -> None:
    assert region.nearest(np.arange(6)[:, None].repeat(2, 1), (2, 4)).tolist() == [[1] * 4, [4] * 4]
    assert region.nearest(np.arange(2)[:, None], (5, 1))[:, 0].tolist() == [0, 0, 1, 1, 1]
