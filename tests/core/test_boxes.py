"""Holes cut into boxes: every pixel of a hole in one, none larger than it need be, none that goes round."""

from __future__ import annotations

import numpy as np
import pytest

from otsynth_core.boxes import OVERLAP, Box, boxes


def covered(shape: tuple[int, int], *places: tuple[slice, slice]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for place in places:
        mask[place] = True
    return mask


def filled(hole: np.ndarray, found: list[Box]) -> np.ndarray:
    left = hole.copy()
    for box in found:
        left[box.index(hole.shape)] = False  # type: ignore[arg-type]
    return left


def test_holes_that_lie_apart_have_boxes_of_their_own() -> None:
    hole = covered((512, 2048), np.s_[10:40, 20:70], np.s_[300:301, 1900:1901])
    assert boxes(hole, (False, False)) == [Box((10, 40), (20, 70)), Box((300, 301), (1900, 1901))]


def test_a_hole_over_the_edge_is_one_where_it_wraps() -> None:
    hole = covered((512, 512), np.s_[100:120, :30], np.s_[100:120, -20:])
    assert boxes(hole, (False, True)) == [Box((100, 120), (492, 542))]
    assert len(boxes(hole, (False, False))) == 2


def test_a_long_scratch_is_cut_and_a_disc_is_not() -> None:
    y, x = np.mgrid[:1024, :1024]
    scratch = np.abs(y - x) < 3
    found = boxes(scratch, (False, False))
    assert len(found) > 4
    assert sum(box.size[0] * box.size[1] for box in found) < scratch.size / 4
    assert not filled(scratch, found).any()
    assert len(boxes(np.hypot(y - 500, x - 500) < 300, (False, False))) == 1


@pytest.mark.parametrize("wrap", [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize("shape", [(512, 512), (96, 130), (40, 700)])
def test_what_goes_round_ends_somewhere(shape: tuple[int, int], wrap: tuple[bool, bool]) -> None:
    hole = np.ones(shape, bool)
    hole[10:-10, 10:-10] = False
    found = boxes(hole, wrap)
    assert not filled(hole, found).any()
    for box in found:
        for axis in (0, 1):
            if wrap[axis]:
                assert box.grown(OVERLAP, shape, wrap).size[axis] <= shape[axis]
                assert (
                    box.size[axis] + 2 * (shape[axis] // 8) <= shape[axis]
                    or box.size[axis] + 2 * OVERLAP <= shape[axis]
                )

    def joins(box: Box, axis: int) -> bool:
        start, stop = (box.rows, box.columns)[axis]
        return not wrap[axis] or start < shape[axis] < stop

    assert any(joins(box, 0) and joins(box, 1) for box in found)  # edges meet inside a box, not where two of them do


def test_a_grown_box_never_meets_itself() -> None:
    box = Box((0, 100), (0, 100)).grown(500, (128, 300), (True, False))
    assert box == Box((-14, 114), (0, 300))
    assert box.scaled((128, 300), (256, 150)) == Box((-28, 228), (0, 150))
    assert Box((3, 5), (0, 7)).scaled((8, 8), (4, 12)) == Box((1, 3), (0, 11))


def test_a_mask_covers_whatever_pixel_of_a_map_it_touches() -> None:
    rng = np.random.default_rng(0)
    for other in (4, 6, 8, 12, 16, 24, 9):
        mask = rng.random((8, 8)) < 0.2
        wanted = np.zeros((other, other), bool)
        for y, x in np.argwhere(mask):
            rows, columns = (
                np.flatnonzero((np.arange(1, other + 1) * 8 > at * other) & (np.arange(other) * 8 < (at + 1) * other))
                for at in (y, x)
            )
            wanted[np.ix_(rows, columns)] = True
        np.testing.assert_array_equal(Box((0, 8), (0, 8)).covering(mask, (8, 8), (other, other)), wanted)


def test_aligned_boxes_stay_in_the_image() -> None:
    assert Box((3, 30), (17, 100)).aligned((200, 105), (False, False)) == Box((0, 32), (16, 105))
    assert Box((-3, 30), (0, 100)).aligned((40, 105), (True, False)) == Box((-3, 30), (0, 105))
    assert Box((-3, 30), (0, 100)).aligned((50, 105), (True, False)) == Box((-16, 32), (0, 105))


def test_index_reads_and_writes_around_the_edge() -> None:
    image = np.arange(12).reshape(3, 4)
    at = Box((2, 4), (3, 5)).index((3, 4))
    np.testing.assert_array_equal(image[at], [[11, 8], [3, 0]])
