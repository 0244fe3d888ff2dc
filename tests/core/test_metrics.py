"""Each figure on pictures whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from otsynth_core import metrics


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(0).random((96, 96, 3))


def test_distance_of_constant_images_is_the_difference_of_their_patches() -> None:
    black, grey = np.zeros((64, 64, 3)), np.full((64, 64, 3), 0.5)
    assert metrics.distance(black, grey) == pytest.approx(metrics.PATCH**2 * 3 * 0.25)
    assert metrics.distance(grey, grey) == 0


def test_distance_does_not_depend_on_where_things_stand(noise: np.ndarray) -> None:
    y, x = np.mgrid[:96, :96]
    squares = ((y // 8 + x // 8) % 2)[..., None].astype(float)
    assert metrics.distance(squares, np.roll(squares, 8, 0)) < 1.3 * metrics.floor(squares)
    assert metrics.distance(squares, 0.5 * squares) > 10 * metrics.floor(squares)


def test_distance_is_exact_transport() -> None:
    """White and black in shares 1/2, 1/2 against 1/4, 3/4: a quarter of the patches turn; any other plan costs more.

    At random 1/2 * 3/4 + 1/2 * 1/4 = 1/2 of them would.
    """
    half, quarter = np.zeros((4, 40000, 1)), np.zeros((4, 40000, 1))
    half[:, :20000] = 1
    quarter[:, :10000] = 1
    assert metrics.distance(half, quarter) == pytest.approx(metrics.PATCH**2 / 4, rel=0.15)


def test_floor_is_that_of_two_samples(noise: np.ndarray) -> None:
    assert 0 < metrics.floor(noise) < metrics.distance(noise, np.zeros_like(noise))


def test_divergence_is_nothing_for_the_same_patches_and_sees_what_is_fainter() -> None:
    """Noise of less contrast is nearer to the noise than that is to itself; its distribution is another."""
    noise = np.random.default_rng(1).random((128, 128, 1))
    moved = np.roll(noise, (20, 50), (0, 1))
    fainter, floor = 0.5 + 0.7 * (noise - 0.5), metrics.floor(noise)
    assert metrics.distance(fainter, noise) < 0.9 * floor
    assert metrics.divergence(fainter, noise) > 0.1 * floor
    assert abs(metrics.divergence(moved, noise)) < 0.05 * floor
    assert metrics.divergence(noise, noise) == 0


def test_divergence_of_constant_images_is_their_distance() -> None:
    """Nothing is apart within either; at the size of the smaller one, which has fewer scales."""
    black, grey = np.zeros((20, 64, 3)), np.full((64, 64, 3), 0.5)
    assert metrics.divergence(black, grey) == pytest.approx(metrics.distance(black, grey)) == pytest.approx(12)


def test_seam_of_a_ramp_and_of_a_wave() -> None:
    ramp = np.linspace(0, 1, 101)[:, None, None] * np.ones((1, 50, 1))
    assert metrics.seam(ramp, 0) == pytest.approx(100)
    assert metrics.seam(ramp, 1) == 0
    wave = np.sin(2 * np.pi * np.arange(100) / 100)[None, :, None] * np.ones((20, 1, 1))
    assert metrics.seam(wave, 1) == pytest.approx(1, abs=0.05)
    assert metrics.seam(np.zeros((10, 10, 1)), 0) == 0
    assert metrics.seam(np.concatenate([np.zeros((50, 9, 1)), np.ones((1, 9, 1))]), 0) == float("inf")


def test_roughest_sees_an_edge_wherever_it_is(noise: np.ndarray) -> None:
    ramp = np.linspace(0, 1, 101)[:, None, None] * np.ones((1, 50, 1))
    assert metrics.roughest(ramp, ramp) == pytest.approx(100)
    assert metrics.roughest(np.roll(ramp, 30, 0), ramp) == pytest.approx(100)
    assert metrics.seam(np.roll(ramp, 30, 0), 0) == pytest.approx(1)
    assert 0.8 < metrics.roughest(noise, noise) < 1.2
    flat = np.ones((8, 8, 3))
    assert metrics.roughest(flat, flat) == 0
    assert metrics.roughest(noise, flat) == float("inf")


def test_sharpness_is_the_square_of_contrast(noise: np.ndarray) -> None:
    assert metrics.sharpness(noise, noise) == 1
    assert metrics.sharpness(noise / 2, noise) == pytest.approx(0.25)
    assert metrics.sharpness(np.ones((8, 8, 3)), np.zeros((8, 8, 3))) == 1


def test_copied_share(noise: np.ndarray) -> None:
    fresh = np.random.default_rng(1).random(noise.shape)
    assert metrics.copied(np.roll(noise, (5, 9), (0, 1))[10:, 10:], noise) == 1
    assert metrics.copied(fresh, noise) == 0
    both = np.concatenate([noise, fresh], 1)  # windows 0..48 lie in the copy, 96..144 in the rest, 13 in each row
    assert metrics.copied(both, noise) == pytest.approx(7 / 19, abs=1e-6)
    assert metrics.copied(noise[:40, :40], noise) == 0  # smaller than a window


def test_a_copy_is_seen_though_its_middle_looks_more_like_another_place() -> None:
    rng = np.random.default_rng(0)
    exemplar = rng.random((60, 150, 1))
    image = exemplar[:48, :48].copy()
    image[20:28, 20:28] += 0.02 * rng.standard_normal((8, 8, 1))
    exemplar[30:38, 100:108] = image[20:28, 20:28]
    assert metrics.copied(image, exemplar) == 1


@pytest.mark.parametrize("contrast", [1, 1e-3, 1e-4])
def test_copies_are_seen_at_any_contrast(noise: np.ndarray, contrast: float) -> None:
    faint = (0.5 + contrast * noise).astype(np.float32)
    assert metrics.copied(faint, faint) == 1


def test_measure_says_what_each_figure_says_alone(noise: np.ndarray) -> None:
    small = noise[:29, :40]  # one scale fewer
    for image, exemplar in ((noise, small), (small, noise)):
        figures = metrics.measure(image, exemplar)
        assert figures["distance"] == metrics.distance(image, exemplar)
        assert figures["floor"] == metrics.floor(exemplar)
        assert figures["divergence"] == metrics.divergence(image, exemplar)


def test_measure_offers_every_figure(noise: np.ndarray) -> None:
    figures = metrics.measure(noise, noise)
    assert figures["distance"] == figures["floor"]
    assert figures["sharpness"] == figures["copied"] == 1
    assert figures["seam_y"] == metrics.seam(noise, 0)
    assert figures["roughest"] == metrics.roughest(noise, noise)
    assert figures["seam_x"] == metrics.seam(noise, 1)
