"""The gradient solver: what it makes beside what the paper says of it, and what it does when told nonsense."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import otsynth_core  # noqa: E402
from otsynth_core import Gradient, InputError, Map, gradient, losses, metrics, patches, tasks  # noqa: E402
from otsynth_core.features import features  # noqa: E402
from otsynth_core.gradient import Descended, Objective, solve  # noqa: E402
from otsynth_core.kernels import Wrap  # noqa: E402
from otsynth_core.maps import MapSet  # noqa: E402
from otsynth_core.progress import Step  # noqa: E402
from otsynth_core.spec import Size, Synthesize, Tile, from_json, to_json  # noqa: E402
from otsynth_core.tasks import descent, finished  # noqa: E402

from .conftest import blobs  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
QUICK = Gradient(iterations=4, samples=200)


def made(settings: Gradient, *exemplars: np.ndarray, size: tuple[int, int] = (32, 32), **options: object) -> Descended:
    exemplars = exemplars or (blobs(40, 40, 3),)
    objectives = [Objective(one, 1 / len(exemplars)) for one in exemplars]
    return finished(solve(objectives, size, (True, True), settings, **options))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Distances of fewer patches: they are found sooner."""
    monkeypatch.setattr(metrics, "SAMPLES", 300)


def test_patches_come_nearer_and_nearer_as_the_potentials_do_their_part() -> None:
    """Algorithm 1 against psi = 0 from the same noise: what the paper is about."""
    e = blobs(48, 48, 3)
    settings = Gradient(iterations=80, samples=600, scales=3)
    own = made(settings, e, size=(48, 48))
    nearest = made(replace(settings, loss="nearest"), e, size=(48, 48))
    far = metrics.distance(made(replace(settings, iterations=1), e, size=(48, 48)).planes, e)
    distances = [metrics.distance(result.planes, e) for result in (own, nearest)]
    assert distances[0] < 0.65 * far
    assert distances[0] < 0.5 * distances[1]
    assert len(own.losses) == 80
    assert own.losses[-1] < 0.5 * max(own.losses)


def test_fixed_descent_is_the_mean_of_the_patches_that_overlap() -> None:
    """One step with psi = 0 by hand: every patch of the noise to its nearest, pixels to the mean of those over them."""
    e = blobs(20, 20, 1)
    settings = Gradient(descent="fixed", loss="nearest", scales=1, iterations=1)
    start = gradient._planes(  # the noise
        gradient._begun(
            [Objective(e)], [gradient._tensor(e, torch.device("cpu"))], (16, 18), torch.Generator().manual_seed(5)
        )
    )
    around = np.concatenate([start, start[:, :3]], 1)  # wraps across only
    own, stock = patches.windows(around, 4), patches.windows(e, 4).reshape(-1, 16)
    total, count = np.zeros_like(around), np.zeros_like(around)
    for i in range(own.shape[0]):
        for j in range(own.shape[1]):
            answer = stock[((own[i, j].reshape(16) - stock) ** 2).sum(1).argmin()]
            total[i : i + 4, j : j + 4, 0] += answer.reshape(4, 4)
            count[i : i + 4, j : j + 4] += 1
    total[:, :3], count[:, :3] = total[:, :3] + total[:, 18:], count[:, :3] + count[:, 18:]
    result = finished(solve([Objective(e)], (16, 18), (False, True), settings, seed=5))
    np.testing.assert_allclose(result.planes, (total / count)[:, :18], atol=1e-5)


@pytest.mark.parametrize(
    ("descent", "loss"),
    [(descent, loss) for descent in ("adam", "fixed") for loss in ("ot", "entropic", "sinkhorn")]
    + [("lbfgs", "ot"), ("lbfgs", "entropic")],
)
def test_every_descent_lowers_every_loss(descent: str, loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "SCALES", 1)
    settings = Gradient(descent=descent, loss=loss, iterations=25, scales=1, samples=300)
    e = blobs(40, 40, 3)
    result = made(settings, e)
    noise = made(replace(settings, iterations=1, descent="adam"), e)
    assert result.stopped is None
    assert metrics.distance(result.planes, e) < 0.88 * metrics.distance(noise.planes, e)
    assert result.losses[-1] < 0.7 * result.losses[0]


def test_lbfgs_on_gram_goes_down_at_every_step() -> None:
    result = made(Gradient(loss="gram", descent="lbfgs", iterations=10, scales=2), blobs(40, 40, 3))
    assert np.all(np.diff(result.losses) < 0)
    assert result.losses[-1] < 0.8 * result.losses[0]


@pytest.mark.parametrize("loss", ["ot", "sinkhorn"])
def test_same_seed_same_picture(loss: str) -> None:
    settings = replace(QUICK, loss=loss)
    one, again, other = (made(settings, size=(72, 48), seed=seed) for seed in (1, 1, 2))
    assert one.planes.tobytes() == again.planes.tobytes()
    assert one.losses == again.losses
    assert np.abs(one.planes - other.planes).mean() > 0.01


def test_where_it_wraps_to_roll_changes_no_loss() -> None:
    e = blobs(40, 40, 3)
    u = torch.from_numpy(blobs(32, 32, 3, seed=1).transpose(2, 0, 1)[None].copy())
    values = []
    for wrap in ((True, True), (False, True)):
        what = gradient.features(QUICK, [gradient._tensor(e, u.device)], (32, 32))
        terms = gradient._terms(
            [Objective(e)], [gradient._tensor(e, u.device)], what, (32, 32), wrap, QUICK, torch.Generator()
        )
        for moved in (u, u.roll(8, 2), u.roll(16, 3)):
            values.append(sum(float(term.loss(what(moved, wrap)[term.set], term.weight)[0]) for term in terms))
    both, across = values[:3], values[3:]
    assert both[1:] == pytest.approx([both[0]] * 2, rel=1e-5)
    assert across[2] == pytest.approx(across[0], rel=1e-5)
    assert across[1] != pytest.approx(across[0], rel=1e-4)


def test_shares_that_are_maps_tell_where_each_exemplar_shows() -> None:
    dark, bright = 0.3 * blobs(40, 40, 3), 0.7 + 0.3 * blobs(40, 40, 3, seed=1)
    t = np.repeat(np.linspace(0, 1, 24) > 0.5, 2)[None].repeat(32, 0).astype(np.float32)
    objectives = [Objective(dark, 1 - t), Objective(bright, t)]
    settings = Gradient(iterations=60, samples=300, scales=2)
    planes = finished(solve(objectives, (32, 48), (True, False), settings)).planes
    assert planes[:, 2:20].mean() == pytest.approx(dark.mean(), abs=0.1)
    assert planes[:, 28:46].mean() == pytest.approx(bright.mean(), abs=0.1)
    even = finished(solve([Objective(dark, 0.5), Objective(bright, 0.5)], (32, 48), (True, False), settings)).planes
    assert even.mean() == pytest.approx((dark.mean() + bright.mean()) / 2, abs=0.06)
    alone = [Objective(dark, 0.0), Objective(bright, 1.0)]
    assert finished(solve(alone, (32, 48), (True, False), settings)).planes.mean() > 0.75


@pytest.mark.parametrize("wrap", [(True, True), (False, True), (False, False)])
def test_a_share_is_that_of_the_middle_of_a_patch(wrap: Wrap) -> None:
    share = np.zeros((64, 64), np.float32)
    share[30:34, 34:38] = 1  # around (31.5, 35.5)
    e = gradient._tensor(blobs(40, 40, 3), torch.device("cpu"))
    what, objective = features(Gradient(), [e], (64, 64)), Objective(blobs(40, 40, 3), share)
    terms = gradient._terms([objective], [e], what, (64, 64), wrap, Gradient(), torch.Generator())
    for scale, (term, grid) in enumerate(zip(terms, what.grids((64, 64), wrap), strict=True)):
        weight = term.weight.reshape(grid)
        for axis, wanted in ((0, 31.5), (1, 35.5)):
            first = float((weight.sum(1 - axis) * torch.arange(grid[axis])).sum())
            assert (first + 2) * 2**scale == pytest.approx(wanted, abs=0.5 * 2**scale)


def test_it_stops_where_the_loss_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, calls = losses.SemiDual.__call__, []

    def fails(self: losses.SemiDual, x: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        value, slope = whole(self, x, weight)
        calls.append(1)
        return (value * math.nan, slope * math.nan) if len(calls) > 3 else (value, slope)

    image = np.rint(255 * blobs(40, 40, 3)).astype(np.uint8)
    kept = made(replace(QUICK, iterations=3, scales=1), image.astype(np.float32) / 255).planes
    monkeypatch.setattr(losses.SemiDual, "__call__", fails)
    result = otsynth_core.synthesize(image, size=(32, 32), gradient=replace(QUICK, iterations=9, scales=1))
    assert len(result.losses) == 3
    assert result.report()["loss"] == list(result.losses)
    assert "the loss was no number any more at iteration 4: the picture is the last" in result.report()["warnings"][0]
    assert np.abs(result.image / 255 - kept.clip(0, 1)).max() < 0.003
    with pytest.raises(otsynth_core.InputError, match="no number from the start"):
        otsynth_core.synthesize(image, size=(32, 32), gradient=replace(QUICK, iterations=9, scales=1))


def test_steps_tell_of_iterations_and_show_the_map_itself() -> None:
    """Of a normal map: its vectors, which the solver sees in another range."""
    normals = np.dstack([blobs(40, 40, 2), np.ones((40, 40, 1))]).astype(np.float32)
    request = Synthesize(size=Size(36, 32), gradient=QUICK)
    steps: list[Step] = []
    result = finished(tasks.steps(request, {"normal": normals}), steps.append)
    assert [(step.level, step.levels, step.round, step.rounds) for step in steps] == [(0, 1, i, 4) for i in range(1, 5)]
    assert [step.fraction for step in steps] == [0.25, 0.5, 0.75, 1]
    seen = steps[-1].preview()
    assert seen.shape == (32, 36, 3)
    assert seen.min() < 0
    assert MapSet.of({"normal": normals}).pictured(seen).dtype == np.uint8  # type: ignore[union-attr]
    vectors = result.maps.lead.vectors(), 2 * result.image - 1
    assert np.linalg.norm(vectors[1], axis=2) == pytest.approx(1, abs=1e-5)
    assert result.field is None
    assert result.filled is None


def test_what_a_function_makes_the_worker_makes() -> None:
    image = np.rint(255 * blobs(40, 44, 3)).astype(np.uint8)
    direct = otsynth_core.tile(image, gradient=QUICK, seed=3)
    assert direct.image.shape == image.shape
    assert direct.image.dtype == np.uint8
    request = from_json(to_json(Tile(gradient=QUICK, seed=3)))
    assert request == Tile(gradient=QUICK, seed=3)
    assert finished(tasks.steps(request, image)).image.tobytes() == direct.image.tobytes()
    report = direct.report()
    assert report["gradient"]["samples"] == 200
    assert (report["size"], report["device"], len(report["loss"])) == ([44, 40], "torch", 4)
    assert "period" not in report
    assert "filled" not in report


@pytest.mark.parametrize("image", [blobs(40, 40, 1)[..., 0], 500 * blobs(40, 40, 1) - 90, blobs(40, 40, 4)])
def test_any_range_and_channels(image: np.ndarray) -> None:
    """What is left of noise after some steps lies in the exemplar's range, whatever that is."""
    result = otsynth_core.synthesize({"other": image}, size=(32, 40), gradient=replace(QUICK, iterations=20))
    assert result.image.shape == (40, 32, *image.shape[2:])
    assert image.min() <= result.image.min() <= result.image.max() <= image.max()
    assert result.image.std() > 0.3 * image.std()


def test_a_picture_of_floats_is_that_of_bytes() -> None:
    """Values are taken as they are where they lie between black and white, in whatever numbers they come."""
    image = (90 + 40 * blobs(40, 40, 3)).astype(np.uint8)
    made = [
        otsynth_core.synthesize(one, size=(32, 40), gradient=QUICK).image.astype(np.float32)
        for one in (image, image.astype(np.float32) / 255)
    ]
    assert made[1] * 255 == pytest.approx(made[0], abs=0.51)


def test_heights_of_linear_files_are_no_light() -> None:
    height = blobs(40, 40, 1)
    made = [otsynth_core.tile({"height": Map(height, "height", linear=one)}, gradient=QUICK).image for one in (0, 1)]
    assert np.array_equal(*made)
    assert np.array_equal(*(Map(height, "height", linear=one).compared() for one in (False, True)))
    with pytest.raises(InputError, match=r"image is linear \(HDR\)"):
        otsynth_core.tile({"color": Map(height, "color", linear=True)}, gradient=QUICK)


def test_a_tile_keeps_the_exemplars_size_whatever_repeats() -> None:
    """And is no smaller than its own patches ask for."""
    image = np.tile(blobs(9, 9, 3), (5, 5, 1))[:40, :43]
    assert otsynth_core.tile(image).image.shape[:2] != (40, 43)
    assert otsynth_core.tile(image, gradient=QUICK).image.shape[:2] == (40, 43)
    small = otsynth_core.synthesize(image[:4, :4], size=(16, 16), gradient=replace(QUICK, scales=1))
    assert small.image.shape == (16, 16, 3)


def test_threads_that_one_solver_was_told_are_not_the_others() -> None:
    before, image = torch.get_num_threads(), blobs(32, 32, 3)
    torch.set_num_threads(2)
    try:
        otsynth_core.synthesize(image, size=(32, 32), device="torch", threads=1)
        with gradient._computing(None):
            assert torch.get_num_threads() == 2
        otsynth_core.synthesize(image, size=(32, 32), device="torch")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_threads_are_as_before_and_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    before, told = torch.get_num_threads(), []
    whole = losses.SemiDual.ascend
    monkeypatch.setattr(
        losses.SemiDual, "ascend", lambda self, *given: (told.append(torch.get_num_threads()), whole(self, *given))
    )
    work = solve([Objective(blobs(40, 40, 3))], (32, 32), (True, True), QUICK, threads=2)
    next(work)
    assert set(told) == {2}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        ({"color": blobs(40, 40, 3), "height": blobs(40, 40, 1)}, {}, "makes one image, and 2 maps were given"),
        (np.zeros((40, 40, 3)), {"device": "numpy"}, "device is numpy, and the gradient solver computes with torch"),
        (Map(np.zeros((40, 40, 3), np.float32), linear=True), {}, "image is linear (HDR)"),
        (Map(np.zeros((40, 40), np.uint8), "id"), {}, "a map of ids cannot be averaged"),
        (np.zeros((40, 40, 3)), {"size": (4096, 64)}, "result is 4096x64 px: 2048 px a side are the most"),
        (np.zeros((40, 40, 3)), {"quality": "high"}, "quality is high: the gradient solver's work is told in iterat"),
        (np.zeros((40, 40, 3)), {"memory": 9}, "memory is 9: the gradient solver has no use for it"),
        (np.zeros((40, 40, 3)), {"size": (24, 64)}, "result is 24x64 px: smaller than one 4 px patch at 4 scales"),
        (
            np.random.default_rng(0).random((140, 140, 4)),
            {"gradient": Gradient(features="vgg", weights="x.npz")},
            "image has alpha: VGG sees colour alone",
        ),
    ],
)
def test_what_it_does_not_make_is_refused_in_words(given: object, options: dict, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        otsynth_core.synthesize(given, **{"size": (64, 64), "gradient": QUICK, **options})  # type: ignore[arg-type]
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_exemplars_of_two_kinds_are_refused_in_words() -> None:
    request = Synthesize(size=Size(64, 64), gradient=QUICK)
    stock = [(MapSet.of(blobs(40, 40, channels)), 0.5) for channels in (3, 1)]
    with pytest.raises(InputError, match="exemplars have 3 and 1 channels"):
        finished(descent.made(request, stock, Size(64, 64), (True, True)))


def test_without_torch_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "otsynth_core.gradient")
    monkeypatch.delattr(otsynth_core, "gradient")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match="the gradient solver needs torch, which is not there"):
        otsynth_core.tile(blobs(40, 40, 3), gradient=QUICK)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"features": "vgg"}, "features is vgg, but no weights were given: name VGG's file, or say download"),
        ({"weights": "w.npz"}, "weights is 'w.npz': features patches need none"),
        ({"entropy": 0.1}, "entropy is 0.1: loss ot has none"),
        ({"entropy": 0.0, "loss": "entropic"}, "entropy is 0.0: it must be a number from 1e-06 to 10.0"),
        ({"descent": "fixed"}, "descent fixed moves pixels by patches of one scale"),
        ({"descent": "fixed", "scales": 1, "loss": "gram"}, "loss gram has none"),
        ({"samples": 3}, "samples is 3: it must be a whole number from 16"),
        ({"loss": "sinkhorn", "descent": "lbfgs"}, "loss sinkhorn is no guide for; choose adam"),
        ({"features": "vgg", "weights": 5}, "weights is 5: a file's name is wanted, or download"),
        ({"loss": "l2"}, "loss is 'l2': it must be one of ot, entropic, sinkhorn, gram, nearest"),
    ],
)
def test_settings_that_do_not_go_together(settings: dict, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        Gradient(**settings)
    assert words in str(refusal.value)
