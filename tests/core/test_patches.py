"""Descriptors: the leading principal axes are found without all the others."""

from __future__ import annotations

import numpy as np
import pytest

from otsynth_core import patches

from .conftest import blobs


@pytest.mark.parametrize(("side", "channels", "k"), [(5, 1, 16), (5, 3, 16), (5, 5, 24), (13, 3, 24)])
def test_leading_axes_hold_as_much_as_there_is(side: int, channels: int, k: int) -> None:
    p = patches.windows(blobs(48, 48, channels), side).reshape(-1, side * side * channels)
    p = p - p.mean(0)
    S = np.cov(p.T.astype(np.float64), bias=True)
    values, axes = patches.leading(p, k, np.random.default_rng(0))
    wanted = np.linalg.eigvalsh(S)[::-1][:k]
    assert axes.shape == (len(S), len(values))
    np.testing.assert_allclose(axes.T @ axes, np.eye(len(values)), atol=1e-9)
    np.testing.assert_allclose(np.diag(axes.T @ S @ axes), values, atol=1e-6 * values[0])
    np.testing.assert_allclose(values[:8], wanted[:8], rtol=1e-3)
    assert values.sum() > 0.995 * wanted.sum()


def test_where_nothing_varies_axes_are_any_and_there_are_no_more_than_numbers() -> None:
    values, axes = patches.leading(np.zeros((6, 4), np.float32), 9, np.random.default_rng(0))
    np.testing.assert_allclose(values, 0, atol=1e-12)
    np.testing.assert_allclose(axes.T @ axes, np.eye(4), atol=1e-9)


def test_descriptors_with_phases_are_of_few_lengths() -> None:
    e, rng = blobs(30, 40, 3), np.random.default_rng(0)
    basis = patches.basis(e, 5, 16, rng)
    phases = rng.random((26, 2)).astype(np.float32), rng.random((36, 1)).astype(np.float32)
    d = patches.descriptor(basis, (False, False), phases)
    assert (d.k, d.rows.shape[1]) == (20, 2)
    np.testing.assert_array_equal(d.columns[:, :1], phases[1])
    assert not d.columns[:, 1:].any()
    plain = patches.descriptor(basis, (False, False), (phases[0][:, :0], phases[1][:, :0]))
    assert plain.k == 16


def test_rarity_is_how_few_patches_hold_a_pixel() -> None:
    for size in ((9, 12), (5, 7), (6, 6)):
        held = np.zeros(size)
        for y, x in np.ndindex(size[0] - 4, size[1] - 4):
            held[y : y + 5, x : x + 5] += 1
        np.testing.assert_allclose(patches.rarity(size, 5, (False, False)), held.max() / held, rtol=1e-6)
        np.testing.assert_array_equal(patches.rarity(size, 5, (True, True)), 1)
    np.testing.assert_allclose(
        patches.rarity((9, 9), 5, (True, False))[3], [5, 2.5, 5 / 3, 1.25, 1, 1.25, 5 / 3, 2.5, 5]
    )
