"""Maps of one material: what each is of, how it is compared, that all come back in step and each in its own kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import otsynth_core
from otsynth_core import InputError, Map, assembly, kernels, progress, slopes, tasks
from otsynth_core.assembly import Solution
from otsynth_core.maps import MapSet, resized
from otsynth_core.progress import Step
from otsynth_core.roles import ROLES, guessed
from otsynth_core.tasks import Field, render
from tests.bench import sets

from .conftest import blobs


def normals(u: np.ndarray, strength: float = 4.0) -> np.ndarray:
    """uint8 (H, W, 3) The normal map of heights (H, W)."""
    dy, dx = np.gradient(u)
    n = np.stack([-strength * dx, strength * dy, np.ones_like(u)], 2)
    n /= np.linalg.norm(n, axis=2, keepdims=True)
    return np.rint((n + 1) / 2 * 255).astype(np.uint8)


def aligned(height: int, width: int) -> dict[str, np.ndarray]:
    """Colour of 8 bits, heights of 16, their normals, ids, and the coordinates as maps that only follow."""
    u = blobs(height, width, 4)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return {
        "color": np.rint(u[..., :3] * 255).astype(np.uint8),
        "height": np.rint(u[..., 0] * 65535).astype(np.uint16),
        "normal": normals(u[..., 0]),
        "id": np.array([3, 77, 200], np.uint8)[np.digitize(u[..., 1], [0.4, 0.6])],
        "y": y,
        "x": x,
        "level": np.rint(u[..., 0] * 65535).astype(np.uint16),
    }


def put_together(material: dict[str, np.ndarray], size: tuple[int, int], **more: np.ndarray) -> otsynth_core.Result:
    """more: further maps that only follow."""
    follow = {name: material[name] for name in ("y", "x", "level")} | more
    maps = {name: Map(image, "other", weight=0) for name, image in follow.items()}
    return otsynth_core.synthesize({**material, **maps}, size=size, device="numpy")


@pytest.fixture(scope="module")
def material() -> dict[str, np.ndarray]:
    return aligned(64, 72)


@pytest.fixture(scope="module")
def made(material: dict[str, np.ndarray]) -> otsynth_core.Result:
    return put_together(material, (96, 80))


def test_every_map_shows_what_stands_at_the_coordinates() -> None:
    material = aligned(128, 144)
    del material["height"]  # normals would be bent as its surface is
    result = put_together(material, (192, 160), y2=material["y"] ** 2, x2=material["x"] ** 2)
    y, x, y2, x2 = (result.images[name] for name in ("y", "x", "y2", "x2"))
    whole = (abs(y2 - y * y) < 0.1) & (abs(x2 - x * x) < 0.1)  # a mean of squares is no square of a mean
    assert whole.mean() > 0.3  # elsewhere pieces are mixed
    i, k = np.rint(y[whole]).astype(int), np.rint(x[whole]).astype(int)
    for name in ("color", "normal", "id"):
        off = np.abs(result.images[name][whole].astype(int) - material[name][i, k])
        assert (off.reshape(len(i), -1).max(1) <= 3).mean() > 0.99, name


def test_maps_keep_their_kind(material: dict[str, np.ndarray], made: otsynth_core.Result) -> None:
    for name, image in material.items():
        assert made.images[name].dtype == image.dtype
        assert made.images[name].shape == (80, 96, *image.shape[2:])
    assert made.image is made.images["color"]
    roles = {one["name"]: (one["role"], one["weight"]) for one in made.report()["maps"]}
    assert roles["normal"] == ("normal", ROLES["normal"])
    assert roles["y"] == ("other", 0)
    assert made.report()["warnings"] == []


@pytest.mark.parametrize("kind", ["channel", "map"])
def test_what_is_cut_out_has_no_soft_edges(kind: str) -> None:
    u = blobs(96, 80, 4)
    color, cover = np.rint(255 * u[..., :3]).astype(np.uint8), np.where(u[..., 3:] > 0.5, 255, 0).astype(np.uint8)
    given = {"color": np.concatenate([color, cover], 2)} if kind == "channel" else {"color": color, "alpha": cover}
    for soft in (False, True):
        if soft:
            given = {name: image.copy() for name, image in given.items()}
            given["alpha" if kind == "map" else "color"][0, 0, -1] = 128
        images = otsynth_core.synthesize(given, size=(128, 128), device="numpy").images
        alpha = images["alpha" if kind == "map" else "color"][..., -1]
        between = ((alpha > 0) & (alpha < 255)).mean()
        assert between > 0.01 if soft else between == 0
        assert (alpha > 127).mean() == pytest.approx((cover > 0).mean(), abs=0.1)


def test_ids_are_never_mixed(material: dict[str, np.ndarray], made: otsynth_core.Result) -> None:
    assert set(np.unique(made.images["id"])) == {3, 77, 200}


def test_normals_are_unit_vectors(material: dict[str, np.ndarray]) -> None:
    """To 1e-3 with 16 bits; 8 bits themselves leave half a step of z, 1 / 255, and a little of x and y."""
    for dtype, limit in ((np.uint8, 0.0069), (np.uint16, 1e-3), (np.float32, 1e-5)):
        values = material["normal"] / 255
        most = np.iinfo(dtype).max if dtype != np.float32 else 1
        normal = (values * most).astype(dtype)
        images = otsynth_core.tile({"color": material["color"], "normal": normal}, device="numpy").images
        length = np.linalg.norm(2 * (images["normal"].astype(float) / most) - 1, axis=2)
        assert abs(length - 1).max() <= limit


def test_heights_have_no_cliffs(material: dict[str, np.ndarray], made: otsynth_core.Result) -> None:
    """Voted values alone jump where pieces meet; the slopes of the result must stay near those of the exemplar.

    And its levels are as frequent as those of the exemplar, or more nearly so than they were voted.
    """
    maps = material["height"], made.images["height"], made.images["level"]
    given, height, voted = (image.astype(float) / 65535 for image in maps)
    steep = [np.abs(np.diff(u, axis=0)).max() for u in (given, height)]
    assert steep[1] < 1.1 * steep[0]
    levels = [np.quantile(u, [0.1, 0.5, 0.9]) for u in (given, height, voted)]
    off, before = (abs(own - levels[0]).max() for own in levels[1:])
    assert off < max(0.02, 0.8 * before)


@pytest.mark.parametrize(("n", "m"), [(96, 64), (96, 48), (1023, 512), (41, 40), (40, 41), (7, 5)])
def test_a_smaller_picture_has_the_mean_of_what_lies_under_each_pixel(n: int, m: int) -> None:
    """Of parts of pixels as well, or rows would differ in sharpness by turns, and lie beside their places."""
    middles = (np.arange(n) + 0.5) / n
    ramp = resized(np.tile(middles.astype(np.float32)[:, None, None], (1, 6, 1)), (m, 6))[:, 0, 0]
    inner = slice(2, -2) if m > n else slice(None)
    np.testing.assert_allclose(
        ramp[inner], ((np.arange(m) + 0.5) / m)[inner], atol=2e-6 if n % m == 0 or m > n else 0.2 / n
    )
    if 2 * n == 3 * m:
        u = np.random.default_rng(0).random((n, 500, 1), np.float32)
        rows = resized(u, (m, 500)).std((1, 2))
        assert rows.max() < 1.25 * rows.min()


@pytest.mark.parametrize("other", [False, True])
def test_what_is_filled_into_heights_has_no_cliffs(other: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it a pit with a rim, and normals follow it: as in what is made anew as a whole."""
    maps = {name: image for name, image in aligned(128, 144).items() if name in ("color", "normal")}
    y = np.linspace(0, 1.5, 128, dtype=np.float32)[:, None]
    height = blobs(128, 144, 4)[..., 0] + y  # what is alike lies at many levels
    maps |= {"height": height, "normal": normals(height)}
    mask = np.zeros((128, 144), bool)
    mask[40:90, 40:100] = True
    region = np.s_[38:92, 38:102]
    turned = {"color": maps["color"][::-1], "height": height[::-1], "normal": normals(height[::-1])}
    given: dict = {"other": turned} if other else {}

    def steepest(u: np.ndarray) -> float:
        return max(float(np.abs(np.diff(u[region], axis=axis)).max()) for axis in (0, 1))

    images = otsynth_core.fill(maps, mask, device="numpy", **given).images
    assert images["height"][~mask].tobytes() == height[~mask].tobytes()
    assert steepest(images["height"]) < 1.3 * steepest(height)
    _, scale = sets.off(maps["normal"], height)
    with monkeypatch.context() as patch:
        patch.setattr(slopes, "bent", lambda normals, lean: normals)
        voted = otsynth_core.fill(maps, mask, device="numpy", **given).images
    angles = [sets.off(made["normal"][region], made["height"][region], scale)[0] for made in (images, voted)]
    assert angles[0] < 0.8 * angles[1]


@pytest.mark.parametrize("wrap", [(True, True), (True, False), (False, True), (False, False)])
def test_slopes_tell_the_surface(wrap: tuple[bool, bool]) -> None:
    y, x = np.mgrid[:40, :56] * 2 * np.pi
    u = (np.sin(y / 40) + np.cos(2 * x / 56) if all(wrap) else blobs(40, 56, 1)[..., 0]).astype(np.float32)
    if wrap[0] and not wrap[1]:
        u = np.concatenate([u, u[::-1]])
    if wrap[1] and not wrap[0]:
        u = np.concatenate([u, u[:, ::-1]], 1)
    planes = tasks.finished(slopes.with_differences(u[..., None]))
    for axis, wraps in enumerate(wrap):
        if wraps:
            planes[..., 1 + axis] = np.roll(u, -1, axis) - u
    whole = tasks.finished(slopes.integrated(planes, wrap, 1e3))[..., 0]
    np.testing.assert_allclose(whole - whole.mean(), u - u.mean(), atol=0.01)
    level = planes.copy()
    level[..., 0] = 5
    flat = tasks.finished(slopes.integrated(level, wrap, 10))[..., 0]
    assert flat.mean() == pytest.approx(5, abs=0.01)  # the voted level holds
    assert flat.std() == pytest.approx(u.std(), rel=0.5)  # with the slopes on it


@pytest.mark.parametrize("kind", ["alike", "finer heights", "two channels"])
def test_normals_are_those_of_the_heights(
    material: dict[str, np.ndarray], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No surface has all the slopes that were voted; normals follow it, as nearly as the exemplar's do."""
    maps = {name: material[name] for name in ("color", "height", "normal")}
    if kind == "finer heights":
        maps["height"] = np.rint(resized(maps["height"][..., None].astype(np.float32), (128, 144)))[..., 0].astype(
            np.uint16
        )
    if kind == "two channels":
        maps["normal"] = maps["normal"][..., :2]

    def off(images: dict[str, np.ndarray], scale: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        normal, height = (images[name].astype(np.float32) for name in ("normal", "height"))
        z = 255 * (1 + np.sqrt(1 - (np.minimum(1, np.linalg.norm(normal[..., :2] / 127.5 - 1, axis=2)) ** 2))) / 2
        whole = np.concatenate([normal[..., :2], z[..., None]], 2)
        return sets.off(whole, resized(height[..., None], normal.shape[:2]), scale)

    before, scale = off(maps)
    images = otsynth_core.synthesize(maps, size=(144, 128), device="numpy").images
    assert images["normal"].shape == (128, 144, maps["normal"].shape[2])
    assert list(images) == list(maps)
    with monkeypatch.context() as patch:
        patch.setattr(slopes, "bent", lambda normals, lean: normals)
        voted = otsynth_core.synthesize(maps, size=(144, 128), device="numpy").images
        patch.undo()
        patch.setattr(render, "ENOUGH", 40)
        part = otsynth_core.synthesize(maps, size=(144, 128), device="numpy").images
    farther = [off(made, scale)[0] - before for made in (images, voted, part)]
    assert farther[0] < 0.8 * farther[1]
    assert farther[2] == pytest.approx(farther[0], abs=0.2)


def turned(normal: np.ndarray) -> np.ndarray:
    """OpenGL's normals of 8 bits as DirectX has them, and back."""
    return np.stack([normal[..., 0], 255 - normal[..., 1], normal[..., 2]], 2)


def test_normals_of_opengl_and_directx_lie_in_one_folder(material: dict[str, np.ndarray]) -> None:
    """They tell the same, so the second counts nothing beside the first; heights bend both."""
    maps = {name: material[name] for name in ("color", "height", "normal")}
    maps["wall_NormalDX"] = dx = turned(material["normal"])
    made = otsynth_core.tile(maps, device="numpy")
    off = made.images["wall_NormalDX"].astype(int) - turned(made.images["normal"])
    assert np.abs(off).max() <= 1
    weights = {one["role"]: one["weight"] for one in made.report()["maps"]}
    assert (weights["normal"], weights["normal_dx"]) == (ROLES["normal"], 0)
    for given, wanted in (
        ({"wall_NormalDX": dx, "color": maps["color"]}, ROLES["normal_dx"]),
        ({"wall_NormalDX": dx, "normal": maps["normal"]}, ROLES["normal_dx"]),  # it leads
        (
            {"color": maps["color"], "gl": Map(maps["normal"], "normal", weight=0), "wall_NormalDX": dx},
            ROLES["normal_dx"],
        ),
    ):
        together = MapSet.of(given)
        assert together.weight(together.maps["wall_NormalDX"]) == wanted


@pytest.mark.parametrize("wrap", [(True, True), (True, False), (False, False)])
def test_portions_of_rows_make_the_same_surface(wrap: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    def surface() -> list[np.ndarray]:
        voted = tasks.finished(slopes.with_differences(u, wrap))
        voted[..., 1:] *= 0.8
        heights = tasks.finished(slopes.integrated(voted, wrap, 4))
        levelled = tasks.finished(slopes.levelled(heights, u, wrap, 4))
        return [voted, heights, levelled, tasks.finished(slopes.leaning(levelled, voted, wrap, (40, 56)))]

    u = blobs(40, 56, 1)
    whole = surface()
    monkeypatch.setattr(progress, "FEW", 2)
    monkeypatch.setattr(progress, "PORTION", 200)
    for one, parts in zip(whole, surface(), strict=True):
        np.testing.assert_allclose(parts, one, atol=1e-5)


@pytest.mark.parametrize("by", [1, 2])
def test_portions_of_rows_make_the_same_planes(by: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What all of a map tells, as whether it is opaque, grey or bright, holds for each of its portions."""
    alpha = np.full((60, 80, 1), 255, np.uint8)
    alpha[40:] = 100
    tinted = np.repeat((255 * blobs(60, 80, 1)).astype(np.uint8), 3, 2)
    tinted[50:, :, 1] //= 2
    light = Map((blobs(60, 80, 3) * np.linspace(0, 50, 60)[:, None, None]).astype(np.float32), linear=True)
    normals = np.zeros((60, 80, 3), np.float32) + (0, 0, 1)
    normals[30:, :, :2] = -0.6, 0.5
    for given in (np.concatenate([tinted, alpha], 2), tinted, light, {"color": tinted, "normal": normals}):
        maps = MapSet.of(given)
        monkeypatch.setattr("otsynth_core.maps.PORTION", 2**20)
        whole = maps.compared(by)
        monkeypatch.setattr("otsynth_core.maps.PORTION", 700)
        assert len(list(maps.comparing(by))) > 6
        np.testing.assert_array_equal(maps.compared(by), whole)


def test_a_surface_as_voted_leans_no_other_way() -> None:
    u = blobs(40, 56, 1)
    for axis, name in enumerate(("down", "across")):
        voted = tasks.finished(slopes.with_differences(u))
        whole = tasks.finished(slopes.leaning(u, voted, (False, False), (40, 56)))
        np.testing.assert_allclose(whole, 0, atol=1e-4)
        voted[..., 1 + axis] -= 0.5
        lean = tasks.finished(slopes.leaning(u, voted, (False, False), (40, 56)))
        np.testing.assert_allclose(lean[..., axis], 0.5 * (40, 56)[axis], rtol=1e-3, err_msg=name)
        np.testing.assert_allclose(lean[..., 1 - axis], 0, atol=1e-4)


def test_steepness_is_what_a_normal_map_was_made_with() -> None:
    u = blobs(96, 80, 1)[..., 0]
    vectors = normals(u).astype(np.float32) / 127.5 - 1
    np.testing.assert_allclose(slopes.steepness(vectors, u, u.shape), (4 / 96, -4 / 80), rtol=0.02)
    np.testing.assert_allclose(slopes.steepness(vectors[..., :2], u, u.shape), (4 / 96, -4 / 80), rtol=0.02)
    half = resized(u[..., None], (48, 40))[..., 0]
    np.testing.assert_allclose(slopes.steepness(vectors, half, half.shape), (4 / 96, -4 / 80), rtol=0.4)  # it is calmer
    part = slopes.steepness(vectors[24:72, 20:60], u[24:72, 20:60], u.shape)
    np.testing.assert_allclose(part, (4 / 96, -4 / 80), rtol=0.02)
    flat = np.zeros((9, 9), np.float32)
    np.testing.assert_array_equal(slopes.steepness(vectors, flat, flat.shape), 0)
    np.testing.assert_allclose(slopes.bent(vectors, np.zeros((*u.shape, 2), np.float32)), vectors, atol=0.01)


def test_maps_of_other_sizes_follow_the_same_field() -> None:
    """A map with twice, half and three times the pixels shows the same as the leading one, as far as it can."""
    color = aligned(128, 144)["color"]
    given = {"color": color}
    for name, factor in (("normal", 2), ("roughness", 3)):
        given[name] = color.repeat(factor, 0).repeat(factor, 1)
    given["ao"] = np.rint(resized(color.astype(np.float32), (64, 72))).astype(np.uint8)
    maps = {name: Map(image, "color" if name == "color" else "other", weight=0) for name, image in given.items()}
    maps["color"] = Map(color)
    for size, wrap in (((160, 192), "both"), ((193, 161), "none"), ((140, 140), "x")):
        images = otsynth_core.synthesize(maps, size=size, wrap=wrap, device="numpy").images
        assert images["normal"].shape == (2 * size[1], 2 * size[0], 3)
        assert images["roughness"].shape == (3 * size[1], 3 * size[0], 3)
        assert images["ao"].shape[:2] == tuple(round(side / 2) for side in size[::-1])
        for name, factor in (("normal", 2), ("roughness", 3)):
            like = images["color"].repeat(factor, 0).repeat(factor, 1)
            off = np.abs(images[name].astype(int) - like).max(2)
            assert np.median(off) <= 2
            assert (off <= 20).mean() > 0.8  # elsewhere pieces meet, and are mixed over as many of its own pixels
        half = resized(images["color"].astype(np.float32), images["ao"].shape[:2])
        assert np.abs(images["ao"] - half).mean() < 12


def test_a_field_is_resampled_alike_by_every_provider(provider: kernels.Kernels) -> None:
    rng = np.random.default_rng(0)
    C = np.stack([rng.integers(20, size=(24, 16)), rng.integers(26, size=(24, 16))]).astype(np.int32)
    weight = rng.random((24, 16)).astype(np.float32) + 0.1
    labels = rng.integers(11, size=(60, 75))
    images = []
    for compute in (provider, kernels.load("numpy")):
        last = Step(0, 1, 1, 1, 1.0, lambda: np.zeros((1, 1, 1), np.float32))
        arrays = compute.array(C), compute.array(weight)
        solution = Solution(*arrays, (24, 30), (24, 20), (), last)  # wraps down, not across
        own = tasks.finished(assembly.resampled(compute, solution, (60, 75), (60, 50)))
        fields = compute.numpy(own.field)
        assert fields.shape == (2, 60, 46)
        assert (fields >= 0).all()
        assert (fields.max((1, 2)) <= (55, 70)).all()
        images.append((fields, tasks.finished(assembly.elect(compute, own, labels))))
    np.testing.assert_array_equal(images[0][0], images[1][0])
    assert (images[0][1] == images[1][1]).mean() > 0.99  # but for ties
    assert set(np.unique(images[0][1])) == set(range(11))


def test_fractions_grow_over_all_of_the_work(material: dict[str, np.ndarray]) -> None:
    maps = {name: np.repeat(np.repeat(image, 2, 0), 2, 1) for name, image in material.items()}
    fractions: list[float] = []
    otsynth_core.tile(maps, device="numpy", quality="draft", progress=lambda step: fractions.append(step.fraction))
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1, abs=0.05)
    assert len([share for share in fractions if 0.7 < share < 0.99]) >= len(maps)


def test_one_image_is_compared_as_it_is(material: dict[str, np.ndarray]) -> None:
    color = material["color"]
    np.testing.assert_array_equal(MapSet.of(color).compared(), (color / 255).astype(np.float32))
    alone = otsynth_core.tile(color, device="numpy").image
    np.testing.assert_array_equal(otsynth_core.tile({"color": color}, device="numpy").image, alone)
    led = {"color": color, "height": Map(material["height"], "height", weight=0)}
    np.testing.assert_array_equal(otsynth_core.tile(led, device="numpy").image, alone)


def test_maps_weigh_alike_at_any_size() -> None:
    rng = np.random.default_rng(0)
    shares = []
    for side in (256, 2048):
        color = (0.85 + 0.01 * rng.standard_normal((side, side, 3))).astype(np.float32)
        maps = {"color": color, "roughness": (0.5 + 0.1 * rng.standard_normal((side, side, 1))).astype(np.float32)}
        planes = MapSet.of(maps).compared(1)
        shares.append(planes[:256, :256, 3].std() / planes[:256, :256, 0].std())
    assert shares[1] == pytest.approx(shares[0], rel=0.05)


def test_weights_are_shares_of_the_leading_spread(material: dict[str, np.ndarray]) -> None:
    maps = MapSet.of({"height": Map(material["height"], "height", weight=0.5), "color": material["color"]})
    planes = maps.compared()
    assert planes.shape == (64, 72, 4)
    spread = [np.sqrt(part.var((0, 1)).sum()) for part in (planes[..., :3], planes[..., 3:])]
    assert spread[1] == pytest.approx(0.5 * spread[0], rel=1e-3)
    flat = MapSet.of({"color": material["color"], "metallic": np.zeros((64, 72), np.uint8)}).compared()
    assert np.isfinite(flat).all()


def test_sixteen_bits_are_sixteen_bits() -> None:
    image = np.rint(blobs(32, 40, 3) * 65535).astype(np.uint16)
    result = otsynth_core.tile(image, device="numpy").image
    assert result.dtype == np.uint16
    assert len(np.unique(result)) > 1000


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda a: {1: a}, "1: is no name"),
        (lambda a: Map(a, ["color"]), "role is ['color']"),
        (lambda a: Map(a, weight="1"), "weight is '1'"),
        (lambda a: Map(a, weight=1e-30), "weight is 1e-30"),
        (lambda a: a.astype(np.float32) * np.float32(1e30), "scale it down"),
        (lambda a: a.astype(np.float64) * 1e300, "scale it down"),
        (lambda a: {"color": a, "roughness": a[:4, :4]}, "roughness: is 4x4 px: smaller than one 5 px patch"),
    ],
)
def test_odd_maps_are_refused_in_words(material: dict[str, np.ndarray], given: Callable, words: str) -> None:
    color = material["color"][:64, :64]
    steps: list[otsynth_core.Step] = []
    with pytest.raises(InputError) as refusal:
        otsynth_core.tile(given(color), device="numpy", progress=steps.append)
    assert words in str(refusal.value)
    assert not any(step.levels for step in steps)  # nothing was made


def test_a_flat_normal_map_of_floats_is_read_as_what_it_is() -> None:
    flat = np.zeros((40, 40, 3), np.float32)
    flat[..., 2] = 1
    color = blobs(40, 40, 3)
    for given in (flat, (flat + 1) / 2):
        made = otsynth_core.tile({"color": color, "normal": given}, device="numpy")
        np.testing.assert_allclose(made.images["normal"], given, atol=1e-6)
        assert made.report()["warnings"] == []


def test_a_late_map_has_its_size_from_the_field_whatever_comes_with_it() -> None:
    made = otsynth_core.synthesize(blobs(96, 96, 3), size=(90, 60), device="numpy").field
    other = blobs(31, 31, 3)
    with pytest.raises(InputError, match="ao: is 4x4 px"):
        otsynth_core.render(made, {"ao": blobs(4, 4, 1)}, device="numpy")
    for maps in ({"height": blobs(96, 96, 1)}, {"height": blobs(96, 96, 1), "color": other}):
        images = otsynth_core.render(made, maps, device="numpy").images
        assert images["height"].shape[:2] == (60, 90)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("weight", lambda weight: weight * np.inf),
        ("weight", lambda weight: weight * 1j),
        ("field", lambda field: field + 0.5),
        ("lead", lambda sizes: [[1, 1], *sizes[1:]]),
        ("lead", lambda sizes: [sizes[0], [9000, 9000], sizes[2]]),
        ("stretches", lambda _: [1e9, 1]),
        ("field", lambda field: field[:, 1:]),
        ("field", lambda field: field + 60),
        ("stretches", lambda _: [0, 1]),
        ("stretches", lambda _: [1]),
        ("worked", lambda sizes: [sizes[0], [60, 96]]),
        ("lead", lambda sizes: [*sizes[:2], [10**9, 96]]),
        ("lead", lambda sizes: sizes[:2]),
        ("lead", lambda _: None),
    ],
)
def test_a_field_whose_numbers_do_not_go_together_is_refused(
    tmp_path: Path, made: otsynth_core.Result, name: str, change: Callable
) -> None:
    path = tmp_path / "f.npz"
    made.field.save(path)
    with np.load(path) as file:
        kept = dict(file)
    about = json.loads(str(kept["about"]))
    if name in about:
        about[name] = change(about[name])
        kept["about"] = np.array(json.dumps(about))
    else:
        kept[name] = change(kept[name])
    np.savez(path, **kept)
    with pytest.raises(InputError, match="is not a field that --save-field wrote"):
        Field.load(path)


def test_exposure_of_linear_colour_does_not_count(material: dict[str, np.ndarray]) -> None:
    light = (material["color"] / np.float32(255)) ** 2.2
    planes = [Map(light * gain, linear=True).compared() for gain in (np.float32(1), np.float32(64))]
    np.testing.assert_allclose(*planes, rtol=1e-4)
    assert planes[0].std() < light.std() / light.mean()  # highlights weigh less than they are bright


def test_associated_colour_is_not_multiplied_again(material: dict[str, np.ndarray]) -> None:
    light = (material["color"] / np.float32(255)) ** 2.2
    glow = np.concatenate([light, np.float32(0.25) * light[..., :1]], 2)  # light without a surface: more than its alpha
    one = Map(glow, linear=True, associated=True)
    np.testing.assert_allclose(one.rendered() ** 3, glow, rtol=1e-5)
    made = otsynth_core.tile(one, device="numpy").image
    np.testing.assert_allclose(made[..., 3], made[..., 0] / 4, rtol=1e-4)


def test_colour_where_alpha_is_next_to_nothing_is_what_stands_under_it() -> None:
    """Filters overshoot by a hundredth where alpha ends; a quotient of two such is any colour."""
    image = np.zeros((8, 8, 4), np.uint8)
    image[:, :4] = (200, 160, 120, 255)
    one = Map(image)
    np.testing.assert_array_equal(one.restored(one.rendered()), image)
    rung = one.rendered()
    rung[:, 4:, :3] += 0.012
    rung[:, 4:, 3] += 0.01
    assert one.restored(rung)[:, 4:, :3].max() < 16
    half = (one.rendered() + one.rendered()[:, ::-1]) / 2  # alpha 1 / 2 everywhere, of the one colour
    assert np.abs(one.restored(half)[..., :3].astype(int) - (200, 160, 120)).max() <= 2


def test_linear_colour_of_any_range_stays_so() -> None:
    image = (np.exp(8 * blobs(40, 40, 3)) - 0.9).astype(np.float32)
    result = otsynth_core.tile(Map(image, linear=True), device="numpy").image
    assert result.dtype == np.float32
    assert image.min() <= result.min() < np.median(result) < result.max() <= image.max()
    assert np.median(result) == pytest.approx(np.median(image), rel=0.3)


def test_a_field_is_kept_and_takes_a_map_that_came_later(
    tmp_path: Path, material: dict[str, np.ndarray], made: otsynth_core.Result
) -> None:
    made.field.save(tmp_path / "f.npz")
    field = Field.load(tmp_path / "f.npz")
    later = {name: material[name] for name in ("normal", "height", "id")}
    images = otsynth_core.render(field, later, device="numpy").images
    for name in ("normal", "height", "id"):
        np.testing.assert_array_equal(images[name], made.images[name])
    twice = material["color"].repeat(2, 0).repeat(2, 1)
    report = otsynth_core.render(field, twice, device="numpy").report()
    assert (report["task"], report["size"], report["device"]) == ("render", [192, 160], "numpy")
    assert {"stretch", "tiles"} <= set(report)
    assert not {"period", "fits"} & set(report)
    with pytest.raises(InputError, match="one proportion"):
        otsynth_core.render(field, twice[:64], device="numpy")
    whole = (tmp_path / "f.npz").read_bytes()
    for broken in (b"", whole[:300], b"field"):
        (tmp_path / "f.npz").write_bytes(broken)
        with pytest.raises(InputError, match="not a field"):
            Field.load(tmp_path / "f.npz")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "no map"),
        ({"color": np.zeros((40, 40), np.uint8), "normal": np.zeros((40, 44, 3), np.uint8)}, "normal: is 44x40 px"),
        ({"color": np.zeros((40, 40)), "albedo": np.zeros((40, 40))}, "color and albedo: are both of role color"),
        ({"normal": np.zeros((40, 40), np.uint8)}, "normal: image has one channel"),
        ({"id": np.arange(1600, dtype=np.uint16).reshape(40, 40)}, "more than 256"),
        ({"color": np.full((40, 40), np.inf, np.float16)}, "color: image has NaN or infinity in 1600"),
        ({"color": Map(np.zeros((40, 40)), "paint")}, "role is 'paint'"),
        ({"color": Map(np.zeros((40, 40)), weight=-1)}, "weight is -1"),
        ({"color": Map(np.zeros((40, 40)), weight=0)}, "every weight is 0"),
        ({"color": np.zeros((1, 40), np.uint8)}, "40x1 px"),
        ({"color": np.zeros((40, 40), np.uint8), "ao": np.zeros((2, 2), np.uint8)}, "ao: is 2x2 px"),
    ],
)
def test_bad_maps_are_refused_by_name(given: dict, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        otsynth_core.synthesize(given, size=(48, 48), device="numpy")
    assert words in str(refusal.value)


def test_what_is_no_normal_map_is_told(material: dict[str, np.ndarray]) -> None:
    def told(normal: np.ndarray) -> str:
        return MapSet.of({"color": material["color"], "normal": normal}).warnings().get("normal", "")

    assert "long on average" in told(255 - material["color"] // 4)
    away = np.full((64, 72, 3), (128, 128, 255), np.uint8)
    away[:2] = 128, 128, 1
    assert "3% of its vectors point into the surface: is it a normal map?" in told(away)
    uneven = np.full((64, 72, 3), (128, 128, 255), np.uint8)
    uneven[::2], uneven[1::2] = (128, 128, 225), (216, 216, 255)
    assert "lengths are 0.33 off 1" in told(uneven)
    assert told(material["normal"]) == ""
    worse = resized(material["normal"].astype(np.float32), (16, 18))
    assert told(np.rint(resized(worse, (64, 72))).astype(np.uint8)) == ""


@pytest.mark.parametrize(
    ("name", "among", "role"),
    [
        ("rock_04_nor_gl_2k.exr", False, "normal"),
        ("rock_04_diff_4k.jpg", False, "color"),
        ("rock_04_arm_1k.png", False, "packed"),
        ("rock_04_disp_4k.png", False, "height"),
        ("Rock004_4K-JPG_AmbientOcclusion.jpg", False, "ao"),
        ("Rock004_4K-PNG_NormalDX.png", False, "normal_dx"),
        ("Rock004_4K-PNG_NormalGL.png", False, "normal"),
        ("rock_04_nor_dx_4k.exr", False, "normal_dx"),
        ("Rock_NormalMap_DX.png", False, "normal_dx"),
        ("Rock_DX_Normal.png", False, "normal_dx"),
        ("T_Rock_N_DX.tga", True, "normal_dx"),
        ("T_Rock_N_GL.tga", True, "normal"),
        ("wall_detail.png", True, None),
        ("vbkbdgqs_4K_Cavity.jpg", True, "other"),
        ("vbkbdgqs_4K_Translucency.jpg", True, "other"),
        ("vbkbdgqs_4K_Cavity.jpg", False, None),
        ("T_Rock_ORM.tga", False, "packed"),
        ("T_Rock_N.tga", True, "normal"),
        ("T_Rock_N.tga", False, None),
        ("wall_Base_Color.png", False, "color"),
        ("wall_metallicSmoothness.png", False, "packed"),
        ("brushed_metal.png", False, None),
        ("metal_grate_rgba.png", True, None),
        ("wood_metalness_tile.png", True, "metallic"),
        ("wood_ao_render.png", True, "ao"),
        ("basecolor", True, "color"),
        ("M_Rock_Normal_OpenGL.png", False, "normal"),
        ("M_Rock_Normal_DirectX.png", True, "normal_dx"),
        ("Rock_AlbedoTransparency.png", True, "color"),
        ("Rock_SpecularSmoothness.png", True, "specular"),
        ("Rock_RoughnessMap_2K.png", False, "roughness"),
        ("Rock_BumpMap.png", True, "height"),
        ("T_Rock_MRO.tga", True, "packed"),
        ("T_Rock_ORDp.tga", True, "packed"),
        ("vbkbdgqs_4K_Albedo.jpg", False, "color"),
        ("vbkbdgqs_4K_Gloss.jpg", True, "roughness"),
        ("photo.jpg", True, None),
    ],
)
def test_roles_are_guessed_from_names(name: str, among: bool, role: str | None) -> None:
    assert guessed(name, among) == role


@pytest.mark.parametrize("kind", [">u2", "<u2", ">f4", "matrix"])
def test_numbers_in_another_order_of_bytes_and_matrices_are_images_as_well(kind: str) -> None:
    values = np.random.default_rng(0).integers(0, 60000, (24, 24)).astype(np.uint16)
    given = np.asmatrix(values) if kind == "matrix" else values.astype(kind)
    wanted = otsynth_core.tile(values if kind != ">f4" else values.astype(np.float32), device="numpy").image
    made = otsynth_core.tile(given, device="numpy").image
    assert made.dtype.isnative
    np.testing.assert_array_equal(made, wanted)
