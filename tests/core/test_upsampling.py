"""What stood around a patch's middle stands there at the finer level as well."""

from __future__ import annotations

import numpy as np
import pytest

from otsynth_core import kernels, tasks, upsampling

SIDE, MIDDLE = 5, 2
DOUBLE = (2, 1), (2, 1)


def upsampled(
    compute: kernels.Kernels,
    C: np.ndarray,
    field: tuple[int, int],
    exemplar: tuple[int, int],
    wrap: tuple[bool, bool],
    around: tuple[bool, bool] = (False, False),
    starts: tuple[int, int] = (0, 0),
    rows: slice = slice(None),
) -> np.ndarray:
    each = zip(field, C.shape[1:], wrap, starts, strict=True)
    down, across = (upsampling.Axis.of(compute, n, m, (2, 1), SIDE, wraps, start) for n, m, wraps, start in each)
    rows = slice(*rows.indices(field[0]))
    return compute.numpy(upsampling.upsampled(compute.array(C), rows, (down, across), DOUBLE, exemplar, SIDE, around))


def reached(compute: kernels.Kernels, C: np.ndarray, wrap: tuple[bool, bool], around: tuple[bool, bool]) -> np.ndarray:
    return compute.numpy(tasks.finished(upsampling.extended(compute, compute.array(C), (20, 20), wrap, around)))


def scattered(shape: tuple[int, int], positions: tuple[int, int]) -> np.ndarray:
    rng = np.random.default_rng(2)
    return np.stack([rng.integers(many, size=shape) for many in positions]).astype(np.int32)


@pytest.mark.parametrize("wrap", [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize("around", [(False, False), (True, False)])
def test_the_middle_keeps_what_was_under_it(
    provider: kernels.Kernels, wrap: tuple[bool, bool], around: tuple[bool, bool]
) -> None:
    """Two pixels stand for one: the pixel in the middle of every patch is of the coarse one's middle, left or right."""
    coarse, exemplar = (14, 17), (2 * 12, 2 * 15 + 1)
    places = [n if w else n - SIDE + 1 for n, w in zip(coarse, wrap, strict=True)]
    C = scattered(
        tuple(places), tuple(n // 2 - (0 if goes else SIDE - 1) for n, goes in zip(exemplar, around, strict=True))
    )
    field = tuple(2 * n if w else 2 * n - SIDE + 1 for n, w in zip(coarse, wrap, strict=True))
    found = upsampled(provider, C, field, exemplar, wrap, around)
    assert found.shape == (2, *field)
    for y, x in np.ndindex(*field):
        under = [(i + MIDDLE) // 2 - MIDDLE for i in (y, x)]
        at = [q % m if w else min(max(q, 0), m - 1) for q, m, w in zip(under, places, wrap, strict=True)]
        for axis, i in enumerate((y, x)):
            q = under[axis] if wrap[axis] else at[axis]
            wanted = i + 2 * (C[axis, at[0], at[1]] - q)
            length = exemplar[axis]
            wanted = wanted % length if around[axis] else min(max(wanted, 0), length - SIDE)
            assert found[axis, y, x] == wanted
    np.testing.assert_array_equal(
        upsampled(provider, C, field, exemplar, wrap, around, rows=slice(5, 9)), found[:, 5:9]
    )


def test_a_joint_stays_where_it_was() -> None:
    """Patches with their middle left of column 8 are of one piece, the others of another."""
    compute = kernels.load("numpy")
    C = np.indices((12, 16)).astype(np.int32)
    C[1] += np.where(np.arange(16) + MIDDLE < 8, 4, 20)  # which piece the pixel in a patch's middle is of
    finer = upsampled(compute, C, (24, 32), (96, 96), (False, False))
    off = finer[1] - np.arange(32)
    middles = np.arange(32) + MIDDLE
    np.testing.assert_array_equal(off, np.broadcast_to(np.where(middles < 16, 8, 40), off.shape))


def test_a_window_is_upsampled_as_the_whole() -> None:
    compute = kernels.load("numpy")
    C = scattered((20, 20), (30, 30))
    whole = upsampled(compute, C, (36, 36), (68, 68), (False, False))
    window = upsampled(compute, C[:, 2:, 3:], (14, 12), (68, 68), (False, False), starts=(3, 4))
    own = 2 * (2 + 3), 2 * (3 + 4)  # the window's first pixel, in the whole
    there = whole[:, own[0] : own[0] + 14, own[1] : own[1] + 12]
    np.testing.assert_array_equal(window, there)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_piece_that_ends_at_an_edge_goes_on_over_it(provider: kernels.Kernels, axis: int) -> None:
    """One begins at the exemplar's first patch, one ends at its last: upsampled, they hold the finer first and last."""
    C = np.full((2, 12, 12), 5, np.int32)
    places = np.arange(12)
    along = np.where(places < 4, 3, np.where(places < 8, places - 4, places - 8 + 2))  # 0 to 3, from 4 on; 2 to 5
    C[axis] = along[:, None] if axis == 0 else along
    found = reached(provider, C, (False, False), (False, False))
    line = found[axis][:, 0] if axis == 0 else found[axis][0]
    assert line.tolist() == [3, 3, 3, -1, 0, 1, 2, 3, 2, 3, 4, 5]
    np.testing.assert_array_equal(found[1 - axis], 5)
    circle = reached(provider, C, (False, False), (True, True))
    np.testing.assert_array_equal(circle, C)
    C[axis] = 14 + along[:, None] if axis == 0 else 14 + along  # now the last is 19
    found = reached(provider, C, (True, True), (False, False))
    line = found[axis][:, 0] if axis == 0 else found[axis][0]
    assert line.tolist() == [20, 17, 17, 17, 14, 15, 16, 17, 16, 17, 18, 19]  # the field wraps: 19 goes on at its start
