"""The solver and its tasks: laws that hold for any exemplar."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pytest

import otsynth_core
from otsynth_core import (
    InputError,
    assembly,
    joints,
    kernels,
    levels,
    metrics,
    progress,
    pyramid,
    semidual,
    tasks,
    transport,
)
from otsynth_core.kernels.numpy import NumpyKernels
from otsynth_core.period import Period
from otsynth_core.spec import Size

from .conftest import DEVICES, blobs, stars

NORMAL = levels.EFFORTS["normal"]


def test_schedule_is_coarse_first_and_ends_at_the_full_size() -> None:
    plan = levels.schedule([(256, 200)], (100, 301), (True, False), NORMAL)
    assert [level.index for level in plan] == [3, 2, 1, 0]
    assert plan[-1].exemplars == ((256, 200),)
    assert plan[-1].image == (100, 301)
    assert plan[-1].field == (100, 297)
    assert plan[0].image == (13, 38)
    assert [(level.ascents > 0, level.searches) for level in plan] == [(True, 3), (True, 3), (False, 10), (False, 5)]


def test_joints_of_grafts_get_as_many_rounds_however_many_levels_came_before() -> None:
    def rounds(side: int, **of: Any) -> list[int]:
        plan = levels.schedule([(side, side)], (2 * side, 2 * side), (True, True), NORMAL, **of)
        return [level.searches for level in plan if not level.ascents]

    joining = list(NORMAL.joining)
    assert rounds(256) == joining
    assert rounds(480) == [NORMAL.searches[0], *joining]
    assert rounds(1024) == [*NORMAL.searches[:2], *joining]
    assert rounds(128) == list(NORMAL.searches[:2])  # grafts are made where all pairs are compared
    windows = [(1024 >> index, 1024 >> index) for index in range(6)]
    assert rounds(512, windows=windows) == [*NORMAL.searches, NORMAL.searches[-1]]  # a hole has no grafts


@pytest.mark.parametrize(("exemplar", "size"), [(64, 2048), (250, 1280), (512, 512), (2048, 16384), (20, 16384)])
def test_composition_is_decided_at_any_size(exemplar: int, size: int) -> None:
    plan = levels.schedule([(exemplar, exemplar)], (size, size), (True, True), NORMAL)
    assert plan[0].ascents > 0
    assert plan[-1].searches > 0
    assert all(isinstance(level.work, int) and level.work > 0 for level in plan)
    for level in plan[1:]:
        n, m = (a * b for a, b in (level.field, *level.positions))
        assert (level.ascents > 0) == (n * m <= levels.EXACT and level.index > 0)


def test_a_lone_level_decides_composition_and_holds_together() -> None:
    (level,) = levels.schedule([(15, 15)], (40, 40), (True, True), NORMAL)
    assert level.ascents > 0
    assert level.searches > 0


@pytest.mark.parametrize("side", [256, 300, 511])
def test_what_is_as_large_as_a_third_of_the_exemplar_is_looked_at(side: int) -> None:
    coarsest = levels.schedule([(side, side)], (2 * side, 2 * side), (True, True), NORMAL)[0]
    assert coarsest.exemplars[0][0] <= 3 * levels.SIDE
    assert coarsest.positions[0][0] >= 4


@pytest.mark.parametrize("positions", [(4, 4), (4, 60), (11, 9), (1, 1), (1, 30)])
def test_the_coarsest_level_starts_from_pieces_of_several_places(positions: tuple[int, int]) -> None:
    field = transport.pieces((64, 48), positions, np.random.default_rng(0))
    assert field.dtype == np.int32
    for axis, side in enumerate(positions):
        counts = np.bincount(field[axis].ravel(), minlength=side)
        assert len(counts) == side
        assert (counts > 0).all()
        corners = field[0, 0] if axis == 0 else field[1, :, 0]
        assert side == 1 or len(np.unique(corners)) > 1, "pieces of one place"
    offset = field - np.indices((64, 48))
    assert (min(positions) == 1) != ((np.diff(offset, axis=2) == 0).all(0).mean() > 0.3)  # one piece, mostly


@pytest.mark.parametrize("shape", [(64, 48, 1), (33, 47, 2), (5, 5, 1)])
def test_downsample_keeps_constants_and_halves(shape: tuple[int, int, int]) -> None:
    u = pyramid.downsample(np.full(shape, 0.25, np.float32))
    assert u.shape == (shape[0] // 2, shape[1] // 2, shape[2])
    np.testing.assert_allclose(u, 0.25, rtol=1e-6)


@pytest.mark.parametrize("around", [(True, False), (False, True)])
@pytest.mark.parametrize("rows", [1, 3, 64])
def test_filters_are_sums_of_pixels_in_bands_of_any_height(
    around: tuple[bool, bool], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    u = np.random.default_rng(0).random((21, 18, 2), np.float32)
    monkeypatch.setattr(pyramid, "CACHED", rows * 18 * 2)

    def summed(taps: np.ndarray, before: int, step: int, every: int) -> np.ndarray:
        made = u
        for axis, goes in enumerate(around):
            n = made.shape[axis]
            at = np.pad(np.arange(n), 8 * step, mode="wrap" if goes else "symmetric")
            starts = 8 * step - before + every * np.arange(n // every)
            made = sum(tap * made.take(at[starts + k * step], axis) for k, tap in enumerate(taps))
        return made

    np.testing.assert_allclose(pyramid.downsample(u, around), summed(pyramid.TAPS, 1, 1, 2), rtol=1e-5)
    for step in (1, 3):
        wanted = summed(pyramid.BINOMIAL, 2 * step, step, 1)
        np.testing.assert_allclose(pyramid.smooth(u, around, step), wanted, rtol=1e-5)


def test_downsample_is_centred_between_pixels() -> None:
    ramp = np.arange(32, dtype=np.float32)[:, None, None] * np.ones((1, 32, 1), np.float32)
    np.testing.assert_allclose(pyramid.downsample(ramp)[2:-2, 4, 0], 2 * np.arange(2, 14) + 0.5, rtol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("wrap", ["both", "x", "y", "none"])
def test_any_size_and_wrap(exemplar: np.ndarray, device: str, wrap: str) -> None:
    result = otsynth_core.synthesize(exemplar, size=(61, 45), wrap=wrap, device=device)
    assert result.image.shape == (45, 61, 3)
    assert result.image.dtype == exemplar.dtype
    side = levels.SIDE - 1
    assert result.field.field.shape == (2, 45 - (wrap in "xnone") * side, 61 - (wrap in "ynone") * side)
    assert np.isfinite(result.image).all()
    assert result.image.min() >= exemplar.min() - 1e-5
    assert result.image.max() <= exemplar.max() + 1e-5


@pytest.mark.parametrize("device", DEVICES)
def test_same_seed_same_bytes(exemplar: np.ndarray, device: str) -> None:
    first, second, other = (otsynth_core.tile(exemplar, seed=seed, device=device).image for seed in (3, 3, 4))
    assert first.tobytes() == second.tobytes()
    assert first.tobytes() != other.tobytes()


@pytest.mark.parametrize("device", DEVICES)
def test_the_picture_is_the_vote_of_its_field(photo: np.ndarray, device: str) -> None:
    """Where all patches over a pixel and around it agree, the pixel is the exemplar's."""
    result = otsynth_core.tile(photo, device=device)
    rows, columns = result.field.field
    one = photo[rows, columns]
    agreeing = np.ones(rows.shape, bool)
    around = range(-joints.reach(1), levels.SIDE + joints.reach(1))
    for dy in around:
        for dx in around:
            near = np.roll(result.field.field, (dy, dx), (1, 2)) + np.array([dy, dx])[:, None, None]
            agreeing &= (near == result.field.field).all(0)
    assert agreeing.mean() > 0.05
    np.testing.assert_allclose(result.image[agreeing], one[agreeing], atol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_result_is_like_a_photo_and_tiles(photo: np.ndarray, device: str) -> None:
    result = otsynth_core.tile(photo, device=device)
    assert metrics.distance(result.image, photo) < 1.3 * metrics.floor(photo)
    assert metrics.distance(np.full_like(photo, photo.mean()), photo) > 3 * metrics.floor(photo)
    assert 0.75 < metrics.sharpness(result.image, photo) < 1.15
    assert max(metrics.seam(result.image, axis) for axis in (0, 1)) < 1.1
    assert min(metrics.seam(photo, axis) for axis in (0, 1)) > 1.2
    assert metrics.copied(result.image, photo) < 0.3


def test_an_axis_wraps_or_does_not_wherever_it_is_cut(photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "cut", lambda *_: (0, 0))  # the edge stays where the solver began
    for wrap, tiles in (("both", (True, True)), ("x", (False, True)), ("y", (True, False))):
        image = otsynth_core.synthesize(photo, size=(160, 160), wrap=wrap, device="numpy").image
        assert tuple(metrics.seam(image, axis) < 1.1 for axis in (0, 1)) == tiles


@pytest.mark.parametrize("device", DEVICES)
def test_where_it_is_cut_a_picture_is_turned(
    exemplar: np.ndarray, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {}
    for turns in ((0, 0), (-8, 24)):
        monkeypatch.setattr(assembly, "cut", lambda *_, turns=turns: turns)
        made[turns] = otsynth_core.tile(exemplar, device=device)
    whole, turned = made.values()
    np.testing.assert_array_equal(turned.field.field, np.roll(whole.field.field, (-8, 24), (1, 2)))
    np.testing.assert_allclose(turned.image, np.roll(whole.image, (-8, 24), (0, 1)), atol=1e-5)


def test_the_cut_leaves_a_contour_by_the_nearest_way() -> None:
    rows = np.array([0, 5, 9, 14, 14, 15, 15, 15, 15, 16], np.float32)  # steep from row 0 to 3, and around the end
    u = rows[:, None, None] * np.ones((1, 12, 2), np.float32)
    down, across = assembly.jumps(u, slice(0, 10))
    np.testing.assert_array_equal(down, np.abs(rows - np.roll(rows, 1)) * 24)
    assert not across.any()
    np.testing.assert_array_equal(assembly.jumps(u, slice(4, 6))[0], down[4:6])
    assert down[0] == 16 * 24  # the edge as it was
    assert assembly.cut(down, across, (True, True), 1) == (-9, 0)
    assert down[9] == 1 * 24  # the edge as it is then
    assert assembly.cut(down, across, (True, True), 4) == (-8, 0)
    assert assembly.cut(down, across, (False, True), 1) == (0, 0)
    assert assembly.cut(down, across, (True, True), 3) == (-9, 0)
    assert assembly.cut(np.array([9.0, 1, 7, 1, 8, 1]), across, (True, True), 2) == (-2, 0)  # the least of bad ones


@pytest.mark.parametrize(
    "image",
    [
        np.full((40, 40, 3), 0.3, np.float32),
        np.full((5, 5), 200, np.uint8),
        blobs(5, 64, 1)[..., 0],
        blobs(17, 31, 2),
        blobs(64, 64, 4),
    ],
    ids=["constant", "one patch", "thin", "grey and alpha", "rgba"],
)
@pytest.mark.parametrize("device", DEVICES)
def test_odd_exemplars(image: np.ndarray, device: str) -> None:
    result = otsynth_core.synthesize(image, size=(37, 26), device=device)
    assert result.image.shape == (26, 37, *image.shape[2:])
    assert result.image.dtype == image.dtype
    assert np.isfinite(result.image.astype(float)).all()
    if image.std() == 0:
        np.testing.assert_allclose(result.image, image.flat[0], atol=1e-6)


def test_alpha_is_kept_and_colour_does_not_bleed() -> None:
    """White discs on nothing, with black stored under alpha 0: no grey where the disc's edge is."""
    y, x = np.mgrid[:64, :64]
    alpha = (np.hypot((y % 16) - 8, (x % 16) - 8) < 5).astype(np.uint8) * 255
    image = np.stack([alpha // 255 * 250] * 3 + [alpha], -1)
    made = otsynth_core.tile(image, device="numpy").image
    assert abs((made[..., 3] > 127).mean() - (alpha > 127).mean()) < 0.05
    assert (made[made[..., 3] > 8][:, :3] >= 249).all()


def test_colour_under_alpha_0_is_kept() -> None:
    """Artists let colour run on under alpha 0, so that a renderer's filter finds no black there."""
    y, x = np.mgrid[:48, :48]
    alpha = (np.hypot((y % 16) - 8, (x % 16) - 8) < 5).astype(np.uint8) * 255
    image = np.stack([np.full_like(alpha, c) for c in (200, 90, 30)] + [alpha], -1)
    made = otsynth_core.tile(image, device="numpy").image
    assert (made[..., 3] == 0).any()
    assert np.abs(made[..., :3].astype(int) - (200, 90, 30)).max() <= 1


def unevenness(result: otsynth_core.Result, exemplar: np.ndarray) -> float:
    positions = (exemplar.shape[0] - levels.SIDE + 1, exemplar.shape[1] - levels.SIDE + 1)
    rows, columns = (np.bincount(np.arange(side) // semidual.CELL) for side in positions)
    use = np.zeros((len(rows), len(columns)))
    np.add.at(use, tuple(result.field.field // semidual.CELL), 1 / result.field.field[0].size)
    return float((use / np.outer(rows, columns) * np.prod(positions)).std())


@pytest.mark.parametrize("kind", ["photo", "stars", "flat", "black", "linear light"])
@pytest.mark.parametrize("length", [None, 9.0, 300.0])
def test_descriptors_fit_whole_numbers(
    provider: kernels.Kernels, photo: np.ndarray, kind: str, length: float | None
) -> None:
    planes = {
        "photo": np.float32(photo) / 255,
        "stars": stars(),
        "flat": np.full((40, 50, 3), 0.7, np.float32)
        + np.float32(1e-8) * np.arange(40, dtype=np.float32)[:, None, None],
        "black": np.zeros((40, 50, 3), np.float32),
        "linear light": 1000 * (np.float32(photo) / 255) ** 8,
    }[kind]
    repeats = None if length is None else Period(length, 0.9, True)
    size, effort = (2 * planes.shape[0], 2 * planes.shape[1]), levels.EFFORTS["draft"]
    fine = levels.schedule([planes.shape[:2]], size, (True, True), effort, None, [(False, False)])[-1]
    rng = np.random.default_rng(0)
    likeness = transport._described(
        planes, fine, 0, (True, True), (repeats, repeats), size, (0, 0), 16, rng, levels.SIDE
    )
    part = transport._Part(provider, fine, 0, likeness, 1.0, None)
    tasks.finished(part.prepare(None))
    Y, exact = provider.numpy(part.Y), NumpyKernels().project(planes, likeness.of_exemplar)
    assert Y.dtype == np.int16
    wanted = part.fineness * exact.astype(np.float64)
    assert np.abs(wanted).max() < 2**15
    np.testing.assert_allclose(Y, wanted, atol=1000 if kind == "flat" else 0.5, rtol=1e-3)  # flat is but rounding
    if kind == "photo":
        assert np.median(np.linalg.norm(Y[..., :16].astype(float), axis=2)) > 1000 / (1 + (length or 0) / 30)
    np.testing.assert_allclose(provider.numpy(part.d.axes), part.fineness * likeness.of_image.axes, rtol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("colour", [0, 200])
def test_beside_an_exemplar_of_one_colour_all_stays_finite(
    photo: np.ndarray, device: str, colour: int, kind: type
) -> None:
    image, plain = (255 * photo[:96, :96]).astype(kind), np.full((96, 96, 3), colour, kind)
    image, plain = (one / kind(255) if kind is np.float32 else one for one in (image, plain))
    mask = np.zeros((96, 96), bool)
    mask[8:88, 8:88] = True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mixed = otsynth_core.mix(plain, image, t=0.5, size=(192, 192), device=device, quality="draft").image
        filled = otsynth_core.fill(image, mask, other=plain, device=device, quality="draft").image
    assert np.isfinite(mixed).all()
    assert mixed.std() > 0.1 * image.std()
    assert np.isfinite(filled).all()
    assert abs(float(filled[30:60, 30:60].mean()) - float(plain.mean())) < 0.02 * float(image.max())


@pytest.mark.parametrize("device", DEVICES)
def test_pictures_that_are_kept_stay_as_they_were(exemplar: np.ndarray, device: str) -> None:
    kept: list[tuple[np.ndarray, np.ndarray]] = []

    def keep(step: progress.Step) -> None:
        picture = step.preview()
        kept.append((picture, picture.copy()))

    otsynth_core.tile(exemplar, device=device, progress=keep)
    for picture, copy in kept:
        np.testing.assert_array_equal(picture, copy)


def test_what_lies_along_the_edges_of_an_exemplar_is_shown_as_well() -> None:
    """Of a fair share, along all four edges: few patches hold it, and what is upsampled begins further inside."""
    exemplar = blobs(160, 160, 3)[:96, :96]  # which tiles as a whole only
    shares = np.zeros((2, 2))
    for seed in range(3):
        field = otsynth_core.tile(exemplar, size=(192, 192), seed=seed, device="numpy").field.field
        last = 96 - levels.SIDE
        shares += [[(places < 6).mean(), (places > last - 6).mean()] for places in field]
    assert (shares / 3 / (6 / (last + 1)) > 0.5).all()


def coherence(results: list[otsynth_core.Result]) -> float:
    """Share of neighbours that show neighbouring exemplar patches."""
    fields = [result.field.field for result in results]
    alike = [(np.roll(C, 1, axis + 1)[axis] + 1 == C[axis]).mean() for C in fields for axis in (0, 1)]
    return float(np.mean(alike))


def test_each_part_of_the_solver_does_its_work(photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a part taken out, what it is there for gets worse."""
    dots = stars()

    def solved(image: np.ndarray, module: object = None, name: str = "", value: object = None) -> otsynth_core.Result:
        with monkeypatch.context() as patch:
            if module is not None:
                patch.setattr(module, name, value)
            return otsynth_core.tile(image, device="numpy")

    def several(image: np.ndarray = dots) -> list[otsynth_core.Result]:
        return [otsynth_core.tile(image, seed=n, device="numpy") for n in range(8)]  # fewer may be luck

    def apart(results: list[otsynth_core.Result] | None = None, image: np.ndarray = dots) -> float:
        return sum(metrics.divergence(result.image, image) for result in results or several(image))

    whole, photos = several(), several(photo)
    as_it_is, photos_apart = apart(whole), apart(photos, photo)
    with monkeypatch.context() as no_potentials:
        no_potentials.setattr(semidual, "ascended", lambda kernels, X, Y, psi, scale, among: psi)
        assert apart() > 1.1 * as_it_is
        no_potentials.setattr(semidual, "PACES", (0.0, 0.0, 0.0))
        assert apart() > 1.3 * as_it_is
        assert apart(image=photo) > 3 * photos_apart
    with monkeypatch.context() as no_grace:
        no_grace.setattr(transport, "GRACE", 0.0)
        assert coherence(several(photo)) < coherence(photos) - 0.005
    no_balance = solved(dots, semidual.Groups, "balanced", lambda self, potentials, used, scale: potentials)
    assert unevenness(no_balance, dots) > 1.5 * unevenness(whole[0], dots)
    even = solved(photo, type(kernels.load("numpy")), "weights", lambda self, cost, mean: np.ones_like(cost))
    assert metrics.sharpness(even.image, photo) < metrics.sharpness(photos[0].image, photo) - 0.05


def test_nothing_is_tried_at_random_where_only_joints_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the two finest levels of a whole picture; in a hole that is where the last of its rim is found."""
    tried: dict[int, set[bool]] = {}
    sweep = NumpyKernels.sweep

    def seen(self: NumpyKernels, *args: Any) -> Any:
        C, candidates = args[3:5]
        tried.setdefault(C.shape[2], set()).add(len(candidates.radii) > 0)
        return sweep(self, *args)

    monkeypatch.setattr(NumpyKernels, "sweep", seen)
    image = blobs(96, 96, 3)
    otsynth_core.tile(image, size=(160, 160), device="numpy")
    assert tried == {20: {True}, 40: {True}, 80: {False}, 160: {False}}
    tried.clear()
    mask = np.zeros((96, 96), bool)
    mask[40:60, 30:60] = True
    otsynth_core.fill(image, mask, device="numpy")
    assert tried
    assert all(each == {True} for each in tried.values())


def test_what_is_busy_keeps_its_share_where_not_all_pairs_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    y, x = np.mgrid[:160, :160]
    busy = np.where(np.sin(x / 20) + np.sin(y / 17) > 0, 0.25, 0.025)
    patchy = (
        (0.5 + busy * np.random.default_rng(0).standard_normal(busy.shape)).clip(0, 1).astype(np.float32)[..., None]
    )

    def sharp() -> float:
        made = [otsynth_core.tile(patchy, size=(320, 320), seed=n, device="cpu").image for n in range(3)]
        return float(np.mean([metrics.sharpness(image, patchy) for image in made]))

    ranked = sharp()
    monkeypatch.setattr(semidual, "PACES", (*semidual.PACES[:2], 0.0))
    assert sharp() < ranked - 0.01


def test_grey_in_three_channels_is_solved_as_one() -> None:
    grey = blobs(48, 48, 1)
    one = otsynth_core.tile(grey, device="numpy").image
    three = otsynth_core.tile(np.repeat(grey, 3, 2), device="numpy").image
    np.testing.assert_array_equal(np.repeat(one, 3, 2), three)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((9, 4, 3), np.uint8), "4x9 px"),
        (np.zeros((0, 4, 3), np.uint8), "empty"),
        (np.zeros((9, 9, 5), np.uint8), "1 to 4"),
        (np.zeros(9, np.uint8), "(9,)"),
        (np.zeros((9, 9), np.int16), "int16"),
        (np.full((9, 9), np.nan, np.float32), "81 pixels"),
        ("picture.png", "str"),
    ],
)
def test_bad_images_are_refused_in_words(image: np.ndarray, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        otsynth_core.tile(image, size=(16, 16), device="numpy")
    assert words in str(refusal.value)


@pytest.mark.parametrize("size", [512, (64,), (64, 64, 64), (64.5, 64), ("64", 64), (4, 64)])
def test_bad_sizes_are_refused_in_words(exemplar: np.ndarray, size: object) -> None:
    with pytest.raises(InputError, match="size is"):
        otsynth_core.synthesize(exemplar, size=size)  # type: ignore[arg-type]
    assert otsynth_core.tile(exemplar, size=(np.int64(16), np.int32(16)), device="numpy").image.shape == (16, 16, 3)


def test_steps_tell_the_way(exemplar: np.ndarray) -> None:
    steps: list[progress.Step] = []
    result = otsynth_core.tile(exemplar, device="numpy", progress=steps.append)
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    looked = [step for step in steps if not step.levels]
    assert {(step.fraction, step.preview().shape) for step in looked} == {(0.0, exemplar.shape)}
    steps = steps[len(looked) :]
    assert [step.level for step in steps] == sorted((step.level for step in steps), reverse=True)
    assert {step.levels for step in steps} == {len(result.seconds)}
    assert steps[-1].preview().shape == exemplar.shape
    assert {step.preview().shape[2] for step in steps} == {exemplar.shape[2]}
    assert steps[0].preview().shape[0] == exemplar.shape[0] >> (len(result.seconds) - 1)
    assert steps[-1].round == steps[-1].rounds
    assert {step.round for step in steps} >= set(range(1, steps[-1].rounds + 1))


@pytest.mark.parametrize("after", [0, 1, 20])
def test_what_progress_raises_ends_the_work_there(exemplar: np.ndarray, after: int) -> None:
    """To cancel is to raise: nothing more is computed, and the caller gets what was raised."""
    told: list[progress.Step] = []

    def stop(step: progress.Step) -> None:
        told.append(step)
        if len(told) > after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        otsynth_core.tile(exemplar, device="numpy", progress=stop)
    assert len(told) == after + 1


def test_a_gpu_is_not_waited_for_within_a_level() -> None:
    """On a processor the same operations would wait for nothing, but they can be seen."""
    pytest.importorskip("torch")
    from torch.utils._python_dispatch import TorchDispatchMode

    seen: list[str] = []

    class Operations(TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            seen.append(str(operation.overloadpacket).removeprefix("aten."))
            if seen[-1].startswith("index") and isinstance(args[1], list):
                masks = [index for index in args[1] if index is not None and index.dtype.itemsize == 1]
                seen.extend("nonzero" for _ in masks)  # as they are applied
            return operation(*args, **(kwargs or {}))

    compute = kernels.load("torch")
    exemplar, size = blobs(160, 150, 3), (200, 240)
    assert any(level.grafts for level in levels.schedule([exemplar.shape[:2]], size, (True, True), NORMAL))
    steps = transport.solve(compute, [transport.Exemplar(exemplar, (None, None))], size, (True, True), 0, NORMAL)
    waits = {"_local_scalar_dense", "nonzero", "masked_select", "bincount", "unique", "equal", "allclose"}
    with Operations():
        for step in steps:
            if step.fraction == 1:
                break
    assert step.level == 0
    assert {"conv2d", "convolution"} & set(seen)
    assert not waits & set(seen)


def test_report(exemplar: np.ndarray) -> None:
    report = otsynth_core.tile(exemplar, size=Size(40, 32), seed=5, device="numpy").report()
    assert report["task"] == "tile"
    assert report["size"] == [40, 32]
    assert report["seed"] == 5
    assert report["device"] == "numpy"
    assert len(report["seconds_per_level"]) == len(
        levels.schedule([exemplar.shape[:2]], (32, 40), (True, True), NORMAL)
    )
    assert report["seconds"] == pytest.approx(sum(report["seconds_per_level"]), abs=0.01)


def test_auto_works_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "otsynth_core.kernels.torch", raising=False)
    assert kernels.load("auto").name in ("numba", "numpy")
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "otsynth_core.kernels.compiled", raising=False)
    assert kernels.load("auto").name == kernels.load("cpu").name == "numpy"
    with pytest.raises(InputError, match="torch is not there"):
        kernels.load("torch")


@pytest.mark.skipif(len(DEVICES) < 2, reason="torch is not installed")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    import torch

    absent = "cuda" if not torch.cuda.is_available() else "mps"
    with pytest.raises(InputError, match=f"device is {absent}"):
        kernels.load(absent)


class Short:
    """Kernels that run out of memory in the midst of things while they are given more than so many MiB."""

    def __init__(self, name: str, error: Exception, memory: int | None, enough: int) -> None:
        self.inner, self.name = NumpyKernels(), name
        self.error = error if memory is None or memory > enough else None

    def __getattr__(self, name: str) -> object:
        if name == "sweep" and self.error:
            raise self.error
        return getattr(self.inner, name)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
    ],
)
def test_less_memory_then_no_gpu_where_memory_runs_out(
    exemplar: np.ndarray, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    wanted = otsynth_core.tile(exemplar, device="numpy")
    asked = []

    def short(enough: int):  # type: ignore[no-untyped-def]
        def load(device: str, threads: int | None = None, memory: int | None = None) -> object:
            asked.append((device, memory))
            name = "cuda" if device == "auto" else "numpy"
            return Short(name, error, memory, enough if name == "cuda" else 4)

        return load

    monkeypatch.setattr("otsynth_core.tasks.retreat.kernels.load", short(16))
    result = otsynth_core.tile(exemplar)
    assert asked == [("auto", None), ("auto", 16)]
    np.testing.assert_array_equal(result.image, wanted.image)
    (words,) = result.report()["retreats"]
    assert words == "cuda ran out of memory: again with 16 MiB for temporary arrays"
    asked.clear()
    monkeypatch.setattr("otsynth_core.tasks.retreat.kernels.load", short(1))
    result = otsynth_core.tile(exemplar)
    assert asked == [("auto", None), ("auto", 16), ("cpu", None), ("cpu", 4)]
    assert result.device == "numpy"
    assert result.report()["retreats"][-1] == "numpy ran out of memory: again with 4 MiB for temporary arrays"
    asked.clear()
    otsynth_core.tile(exemplar, memory=8)  # which is no less than what a GPU would retreat to
    assert asked == [("auto", 8), ("cpu", 8), ("cpu", 4)]
    monkeypatch.setattr("otsynth_core.tasks.retreat.kernels.load", lambda *_: Short("numpy", error, None, 0))
    with pytest.raises(type(error)):
        otsynth_core.tile(exemplar)


def test_a_strip_that_would_be_compared_for_hours_is_refused() -> None:
    exemplar = np.zeros((2048, 2048, 1), np.float32)
    assert levels.vast([(2048, 2048)], (8, 4096), (True, True))
    assert not levels.vast([(2048, 2048)], (1024, 1024), (True, True))
    with pytest.raises(InputError, match="size is 4096x8: all of so narrow a strip"):
        otsynth_core.synthesize(exemplar, size=(4096, 8), device="numpy")


def test_threads_are_those_of_one_request(exemplar: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch has one number for the whole process: who owns the loop has their own between two Steps, and after."""
    torch = pytest.importorskip("torch")
    from otsynth_core.kernels.torch import TorchKernels

    within: set[int] = set()
    between: set[int] = set()
    sweep = TorchKernels.sweep

    def noted(*given: Any, **more: Any) -> Any:
        within.add(torch.get_num_threads())
        return sweep(*given, **more)

    monkeypatch.setattr(TorchKernels, "sweep", noted)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        for threads in (1, None, 3):
            within.clear()
            otsynth_core.tile(
                exemplar,
                device="torch",
                threads=threads,
                quality="draft",
                progress=lambda _: between.add(torch.get_num_threads()),
            )
            assert within == {threads or 2}
            assert torch.get_num_threads() == 2
        assert between == {2}
    finally:
        torch.set_num_threads(before)


def test_another_error_is_not_taken_for_a_lack_of_memory(exemplar: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Short("cuda", RuntimeError("something else"), None, 0)
    monkeypatch.setattr("otsynth_core.tasks.retreat.kernels.load", lambda *_: broken)
    with pytest.raises(RuntimeError, match="something else"):
        otsynth_core.tile(exemplar)


@pytest.mark.parametrize("device", DEVICES)
def test_portions_and_bands_change_nothing(exemplar: np.ndarray, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = otsynth_core.tile(exemplar, device=device, seed=2)
    monkeypatch.setattr(progress, "PORTION", 1000)
    steps: list[progress.Step] = []
    parts = otsynth_core.tile(exemplar, device=device, seed=2, memory=1, threads=1, progress=steps.append)
    assert len(steps) > 3 * sum(
        level.ascents + level.searches for level in levels.schedule([(72, 80)], (72, 80), (True, True), NORMAL)
    )
    # not to the byte: on some processors products of matrices round differently in parts, torch's convolutions on all
    assert (parts.field.field == whole.field.field).mean() > 0.9
    if device != "torch":
        np.testing.assert_allclose(parts.image.astype(float), whole.image, atol=1e-4 * whole.image.max())


def test_quality_is_effort(photo: np.ndarray) -> None:
    rounds = {}
    for quality in levels.EFFORTS:
        steps: list[progress.Step] = []
        otsynth_core.tile(photo[:80, :80], quality=quality, device="numpy", progress=steps.append)
        rounds[quality] = len({(step.level, step.round) for step in steps})
    assert rounds["draft"] < rounds["normal"] < rounds["high"]
