"""Mixing: what lies between two exemplars, everywhere or by a map, one image or all maps of two materials."""

from __future__ import annotations

import numpy as np
import pytest

import otsynth_core
from otsynth_core import InputError, Map, metrics

from .conftest import DEVICES, blobs

QUICK = {"device": "numpy", "quality": "draft"}


@pytest.fixture(scope="module")
def dark() -> np.ndarray:
    """Fine red grain, (80, 72, 3)."""
    return (blobs(160, 144, 3, seed=5)[::2, ::2] * (0.7, 0.2, 0.1)).astype(np.float32)


def energy(image: np.ndarray) -> float:
    """Root of the gradients' mean square."""
    return float(np.sqrt(np.mean([(np.diff(image, axis=axis) ** 2).mean() for axis in (0, 1)])))


@pytest.mark.parametrize("t", [0, 1])
def test_the_ends_are_plain_synthesis(exemplar: np.ndarray, dark: np.ndarray, t: int) -> None:
    made = otsynth_core.mix(exemplar, dark, t=t, size=(64, 48), seed=2, **QUICK)
    plain = otsynth_core.synthesize(dark if t else exemplar, size=(64, 48), seed=2, **QUICK)
    assert made.image.tobytes() == plain.image.tobytes()
    white = otsynth_core.mix(exemplar, dark, t=np.full((6, 8), bool(t)), size=(64, 48), seed=2, **QUICK)
    assert white.image.tobytes() == plain.image.tobytes()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("t", [0.25, 0.5, 0.75])
def test_between_colour_is_between_and_details_are_as_strong(
    exemplar: np.ndarray, dark: np.ndarray, t: float, device: str
) -> None:
    made = otsynth_core.mix(exemplar, dark, t=t, size=(96, 96), seed=1, device=device).image
    np.testing.assert_allclose(made.mean((0, 1)), (1 - t) * exemplar.mean((0, 1)) + t * dark.mean((0, 1)), atol=0.05)
    wanted = (1 - t) * energy(exemplar) + t * energy(dark)
    assert 0.75 * wanted < energy(made) < 1.2 * wanted
    assert max(metrics.seam(made, 0), metrics.seam(made, 1)) <= 1.1


def test_unlike_textures_do_not_blur_one_another(photo: np.ndarray, exemplar: np.ndarray) -> None:
    made = otsynth_core.mix(photo, exemplar, size=(96, 96), seed=1, device="numpy").image
    assert energy(made) > 0.8 * (energy(photo) + energy(exemplar)) / 2


def test_an_exemplar_with_itself_is_itself(exemplar: np.ndarray) -> None:
    made = otsynth_core.mix(exemplar, exemplar, size=(96, 96), device="numpy").image
    other = otsynth_core.synthesize(exemplar, size=(96, 96), device="numpy").image
    assert metrics.distance(made, exemplar) < 1.5 * metrics.distance(other, exemplar)
    assert energy(made) > 0.8 * energy(exemplar)


def test_a_map_tells_where(exemplar: np.ndarray, dark: np.ndarray) -> None:
    where = np.zeros((64, 128), np.float32)
    where[:, 64:] = 1
    grey = np.round(255 * where[::2, ::2]).astype(np.uint8)  # of another size, as a file has it
    for t in (where, grey):
        made = otsynth_core.mix(exemplar, dark, t=t, size=(128, 64), wrap="y", device="numpy").image
        for half, own, other in ((made[:, :60], exemplar, dark), (made[:, 68:], dark, exemplar)):
            assert metrics.distance(half, own) < 0.2 * metrics.distance(half, other)
            assert energy(half) > 0.8 * energy(own)


def test_what_a_map_shows_of_a_texture_has_its_composition(exemplar: np.ndarray) -> None:
    """Not that which the texture has together with what is covered by the other."""
    white = np.where(blobs(96, 96, 1, seed=4) > 0.5, 0.9, 0.1) + 0.02 * blobs(96, 96, 1, seed=9)
    spots = np.repeat(white, 3, 2).astype(np.float32)
    where = np.zeros((96, 192), np.float32)
    where[:, 150:] = 1
    off = []
    for seed in range(3):
        made = otsynth_core.mix(
            0.3 * exemplar, spots, t=where, size=(192, 96), wrap="y", seed=seed, device="numpy"
        ).image
        off.append(abs((made[:, 154:] > 0.5).mean() - (spots > 0.5).mean()))
    assert np.mean(off) < 0.03


def test_a_map_is_not_turned() -> None:
    """A picture that wraps may begin anywhere, but not what a map has placed."""
    black, white = np.zeros((40, 40, 1), np.float32), np.ones((40, 40, 1), np.float32)
    black[::9], white[::9] = 0.1, 0.9
    where = np.zeros((64, 64), np.float32)
    where[:, :30] = 1  # so that the edge runs along a contour
    made = otsynth_core.mix(black, white, t=where, **QUICK, size=(64, 64)).image
    assert made[:, 1:29].min() > 0.8
    assert made[:, 31:63].max() < 0.2


def test_all_maps_are_in_step(exemplar: np.ndarray, dark: np.ndarray) -> None:
    """Each material has its colour twice: the copies must come out alike, whatever the mean makes of them."""

    def material(image: np.ndarray) -> dict[str, Map]:
        return {"color": Map(image), "copy": Map(np.repeat(np.repeat(image, 2, 0), 2, 1), "other", weight=0)}

    made = otsynth_core.mix(material(exemplar), material(dark), t=0.4, size=(64, 64), **QUICK)
    assert made.images["copy"].shape == (128, 128, 3)
    copy = made.images["copy"].reshape(64, 2, 64, 2, 3).mean((1, 3))
    color = made.images["color"]
    correlation = np.corrcoef(copy.ravel() - copy.mean(), color.ravel() - color.mean())[0, 1]
    assert correlation > 0.97


def test_normals_stay_vectors_and_ids_stay_ids(exemplar: np.ndarray, dark: np.ndarray) -> None:
    def material(image: np.ndarray) -> dict[str, Map]:
        slopes = image[..., :2] - 0.5
        normal = np.concatenate([slopes, np.sqrt(1 - (slopes**2).sum(2, keepdims=True))], 2)
        bits = np.rint(255 * (normal + 1) / 2).astype(np.uint8)
        return {
            "c": Map(image),
            "n": Map(bits, "normal"),
            "i": Map((image[..., 0] > 0.5).astype(np.uint8) * 7, "id"),
        }

    made = otsynth_core.mix(material(exemplar), material(dark), size=(64, 64), **QUICK).images
    length = np.linalg.norm(made["n"] / 127.5 - 1, axis=2)
    assert np.abs(length - 1).max() < 0.02
    assert set(np.unique(made["i"])) <= {0, 7}
    assert made["n"].dtype == made["i"].dtype == np.uint8


def test_normals_of_opengl_and_directx_are_mixed_as_one(exemplar: np.ndarray) -> None:
    slopes = exemplar[..., :2] - 0.5
    up = np.concatenate([slopes, np.sqrt(1 - (slopes**2).sum(2, keepdims=True))], 2).astype(np.float32)
    one, down = Map(up, "normal"), up * np.float32([1, -1, 1])
    both = (otsynth_core.mix(one, other, **QUICK).image for other in (one, Map(down, "normal_dx")))
    np.testing.assert_array_equal(*both)
    sets = ({"c": exemplar, "n": one}, {"c": exemplar, "m": Map(down, "normal_dx")})
    mixed = otsynth_core.mix(*sets, **QUICK)
    np.testing.assert_array_equal(mixed.images["n"], otsynth_core.mix(sets[0], sets[0], **QUICK).images["n"])
    assert mixed.notes == ()
    with pytest.raises(InputError, match="one image is of normal_dx, the other of color"):
        otsynth_core.mix(Map(down, "normal_dx"), Map(exemplar), **QUICK)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_ids_of_other_depths_are_the_same_ids(exemplar: np.ndarray, dark: np.ndarray, dtype: type) -> None:
    ids = (np.arange(72 * 80).reshape(72, 80) // 700).astype(np.uint8)
    first, second = (
        {"c": Map(image), "i": Map(values, "id")}
        for image, values in ((exemplar, ids), (exemplar, (ids + 20).astype(dtype)))
    )
    made = otsynth_core.mix(first, second, t=0.7, size=(48, 48), **QUICK).images["i"]
    assert made.dtype == np.uint8
    assert made.min() >= 20
    assert made.max() <= 28
    second["i"] = Map((ids.astype(np.float32) + 300), "id")
    with pytest.raises(InputError, match="i: ids of the other material do not fit into its uint8 values"):
        otsynth_core.mix(first, second, t=0.7, size=(48, 48), **QUICK)


def test_values_stay_within_those_of_both(exemplar: np.ndarray) -> None:
    first, second = (exemplar > 0.5).astype(np.float32), 0.2 + 2 * (exemplar[::-1, ::-1] > 0.6).astype(np.float32)
    made = otsynth_core.mix(first, second, size=(64, 64), **QUICK).image
    assert made.min() >= 0
    assert made.max() <= 2.2 + 1e-6


@pytest.mark.parametrize("covered", ["first", "second", "both"])
def test_alpha_is_averaged(exemplar: np.ndarray, dark: np.ndarray, covered: str) -> None:
    def with_alpha(image: np.ndarray, alpha: float) -> np.ndarray:
        return np.concatenate([image, np.full((*image.shape[:2], 1), alpha, np.float32)], 2)

    first = with_alpha(exemplar, 1.0 if covered == "second" else 0.5)
    second = with_alpha(dark, 1.0 if covered == "first" else 0.5)
    made = otsynth_core.mix(first, second, size=(48, 48), **QUICK).image
    np.testing.assert_allclose(made[..., 3], 0.5 if covered == "both" else 0.75, atol=0.03)
    opaque = with_alpha(dark, 1.0)  # which has nothing to tell
    assert otsynth_core.mix(exemplar, opaque, size=(48, 48), **QUICK).image.shape == (48, 48, 3)


def test_sixteen_bits_stay(exemplar: np.ndarray, dark: np.ndarray) -> None:
    first = np.rint(exemplar * 65535).astype(np.uint16)
    made = otsynth_core.mix(first, np.rint(dark * 255).astype(np.uint8), size=(48, 48), **QUICK).image
    assert made.dtype == np.uint16
    assert len(np.unique(made)) > 256


def test_the_larger_exemplar_may_be_either(exemplar: np.ndarray, dark: np.ndarray) -> None:
    for first, second in ((exemplar[:40, :30], dark), (exemplar, dark[:30, :40])):
        made = otsynth_core.mix(first, second, **QUICK)
        assert made.image.shape == first.shape
        assert made.report()["size"] == [first.shape[1], first.shape[0]]


def test_same_seed_same_picture_another_seed_another(exemplar: np.ndarray, dark: np.ndarray) -> None:
    one, two, other = (otsynth_core.mix(exemplar, dark, size=(48, 48), seed=n, **QUICK).image for n in (3, 3, 4))
    assert one.tobytes() == two.tobytes()
    assert np.abs(one - other).mean() > 0.01


def test_what_repeats_repeats_in_step(dark: np.ndarray) -> None:
    image = np.broadcast_to(np.where(np.arange(80) % 10 < 3, 0.9, 0.3)[None, :, None], (72, 80, 3)).astype(np.float32)
    made = otsynth_core.mix(image, dark, t=0.2, size=(104, 64), device="numpy").image
    lines = made.mean((0, 2)) > made.mean()
    starts = np.flatnonzero(lines & ~np.roll(lines, 1))
    assert len(starts) in (10, 11)  # 104 px hold 10.4 periods: they are stretched a little
    assert np.ptp(np.diff([*starts, starts[0] + 104])) <= 1


def test_steps_tell_the_way(exemplar: np.ndarray, dark: np.ndarray) -> None:
    steps: list[otsynth_core.Step] = []
    result = otsynth_core.mix(exemplar, dark, size=(64, 64), progress=steps.append, **QUICK)
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    assert steps[-1].preview().shape == (64, 64, 3)
    assert np.abs(steps[-1].preview().mean((0, 1)) - result.image.mean((0, 1))).max() < 0.05
    report = result.report()
    assert (report["task"], report["t"], report["size"]) == ("mix", 0.5, [64, 64])
    assert result.field is None


@pytest.mark.parametrize("t", [0, 0.5, 1])
def test_maps_have_the_first_materials_sizes_whatever_the_share(
    exemplar: np.ndarray, dark: np.ndarray, t: float
) -> None:
    ids = np.indices((32, 36)).sum(0).astype(np.uint8)[..., None] // 24
    first = {"color": exemplar[:64, :72], "height": exemplar[:32, :36, :1], "id": ids}
    second = {"color": dark[:64, :72], "height": dark[:64, :72, :1], "id": 7 + ids.repeat(2, 0).repeat(2, 1)}
    maps, other = ({role: Map(image, role) for role, image in of.items()} for of in (first, second))
    images = otsynth_core.mix(maps, other, t=t, size=(54, 48), device="numpy", quality="draft").images
    assert [image.shape[:2] for image in images.values()] == [(48, 54), (24, 27), (24, 27)]
    assert t < 1 or set(np.unique(images["id"])) <= set(np.unique(second["id"]))


def test_a_small_exemplar_wants_a_size(exemplar: np.ndarray) -> None:
    with pytest.raises(InputError, match="give its size"):
        otsynth_core.mix(exemplar[:6, :6], exemplar, device="numpy")


def test_maps_that_one_material_has_alone_are_left_out_and_told(exemplar: np.ndarray, dark: np.ndarray) -> None:
    for t in (0.5, 1):
        made = otsynth_core.mix(
            {"color": exemplar, "ao": exemplar[..., :1]},
            {"color": dark, "height": dark[..., 0]},
            t=t,
            size=(48, 48),
            **QUICK,
        )
        assert list(made.images) == ["color"]
        words = made.report()["warnings"]
        assert [name.split(":")[0] for name in words] == ["ao", "height"]


@pytest.mark.parametrize(
    ("second", "options", "words"),
    [
        (np.zeros((40, 40, 1), np.uint8), {}, "has 3 colour channels, what it is mixed with 1"),
        (np.zeros((40, 40, 3), np.uint8), {"t": 1.2}, "t is 1.2: it must be a number from 0.0 to 1.0"),
        (np.zeros((40, 40, 3), np.uint8), {"t": float("nan")}, "t is nan"),
        (np.zeros((40, 40, 3), np.uint8), {"t": "half"}, "t is 'half'"),
        (np.zeros((40, 40, 3), np.uint8), {"t": np.zeros((9, 40))}, "t map is 40x9 px, the result 80x72"),
        (np.zeros((40, 40, 3), np.uint8), {"t": np.full((9, 10), np.nan)}, "t map has NaN"),
        (np.zeros((4, 40, 3), np.uint8), {}, "40x4 px: smaller than one 5 px patch"),
        ("moss.png", {}, "other: image is a str"),
        (np.dstack([np.full((40, 40, 3), 90, np.uint8), np.eye(40, dtype=np.uint8)]), {}, "is transparent; save both"),
        (np.full((40, 40, 3), 7, np.uint8), {"t": np.eye(8, dtype=np.uint8)}, "t map is nearly black.* 1 of 255"),
        (np.zeros((8, 8, 3), np.uint8), {"size": (600, 600)}, "differ too much in size: enlarge the smallest"),
        (Map(np.zeros((40, 40, 3), np.uint8), "normal"), {}, "one image is of color, the other of normal"),
        (np.zeros((40, 40, 3), np.uint8), {"size": (4, 9)}, "size is 4x9"),
    ],
)
def test_bad_input_is_refused_in_words(exemplar: np.ndarray, second: object, options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words) as refusal:
        otsynth_core.mix(exemplar, second, **{**QUICK, **options})  # type: ignore[arg-type]
    assert "\n" not in str(refusal.value)


def test_weights_of_the_common_maps_alone_count(exemplar: np.ndarray) -> None:
    first = {"color": Map(exemplar, weight=0), "ao": Map(exemplar, "ao")}
    with pytest.raises(InputError, match="every weight is 0"):
        otsynth_core.mix(first, {"color": exemplar, "height": exemplar}, **QUICK)


def test_alpha_that_is_multiplied_in_counts_as_well(exemplar: np.ndarray) -> None:
    cut = np.dstack([exemplar, np.full((*exemplar.shape[:2], 1), 0.5, np.float32)])
    with pytest.raises(InputError, match="has no alpha, and what it is mixed with is transparent"):
        otsynth_core.mix(Map(exemplar, "color", True), Map(cut, "color", True, True), t=0.5, **QUICK)


def test_a_share_may_be_an_array_of_one_number(exemplar: np.ndarray, dark: np.ndarray) -> None:
    made, wanted = (otsynth_core.mix(exemplar, dark, t=t, size=(32, 32), **QUICK) for t in (np.array(0.25), 0.25))
    assert made.image.tobytes() == wanted.image.tobytes()
    assert made.report()["t"] == 0.25
    half = otsynth_core.mix(exemplar, dark, t=np.eye(2), size=(32, 32), **QUICK)
    assert half.report()["t"] == pytest.approx(0.5, abs=0.01)


def test_materials_without_a_common_map_are_refused(exemplar: np.ndarray) -> None:
    with pytest.raises(InputError, match="no map of the same role"):
        otsynth_core.mix({"color": exemplar, "ao": exemplar}, {"normal": exemplar}, **QUICK)


def test_a_request_without_a_second_is_refused(exemplar: np.ndarray) -> None:
    with pytest.raises(InputError, match="nothing to mix with"):
        next(otsynth_core.tasks.steps(otsynth_core.Mix(), exemplar))


def test_a_map_of_t_that_does_not_tile_is_told(exemplar: np.ndarray, dark: np.ndarray) -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(64, 0)
    notes = {
        wrap: otsynth_core.mix(
            exemplar[:64, :64], dark[:64, :64], t=t, size=(64, 64), wrap=wrap, quality="draft"
        ).report()["warnings"]
        for wrap, t in (("both", ramp), ("y", ramp), ("x", abs(2 * ramp - 1)))
    }
    assert notes["both"] == [
        "the t map is 1.00 off where left and right meet: the mixture changes there at once; make the map tile, or do"
        " not wrap"
    ]
    assert notes["y"] == notes["x"] == []
