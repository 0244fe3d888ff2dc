"""Lines: what is too thin for a coarse level is seen there."""

from __future__ import annotations

import numpy as np
import pytest

from otsynth_core import lines, pyramid, tasks


def drawn(ground: np.ndarray, value: float, channels: int = 3) -> np.ndarray:
    """(256, 256, C): a ground with one line, two pixels wide, down the middle."""
    u = np.repeat(ground.astype(np.float32)[..., None], channels, 2)
    u[:, 127:129] += value
    return u


def levels_of(u: np.ndarray, levels: int) -> list[np.ndarray]:
    return tasks.finished(lines.build(u, levels))


def uneven() -> np.ndarray:
    """Tones that vary slowly, by more than what is left of a line."""
    y, x = np.mgrid[:256, :256] / 256
    return 0.5 + 0.2 * np.sin(2 * np.pi * x) * np.sin(2 * np.pi * y)


@pytest.mark.parametrize(("value", "plane"), [(0.3, 3), (-0.3, 4)])
def test_a_line_stands_out_of_what_varies_slowly(value: float, plane: int) -> None:
    level = levels_of(drawn(uneven(), value), 4)[3]  # 32 px: the line is a quarter of a pixel
    assert set(level[..., plane].argmax(1)) <= {15, 16}
    assert level[..., plane].max() > level[..., 7 - plane].max()
    assert not set((value * level[..., 0]).argmax(1)) <= {15, 16}  # which colours alone do not show


def test_levels_that_are_fine_or_have_no_lines_are_as_they_were() -> None:
    u = drawn(uneven(), 0.3)
    built, plain = levels_of(u, 4), pyramid.build(u, 4)
    assert [level.shape[2] for level in built] == [3, 3, 5, 5]
    assert all((a[..., :3] == b).all() for a, b in zip(built, plain, strict=True))
    flat = levels_of(np.full((64, 64, 3), 0.3, np.float32), 4)[3]
    assert np.ptp(flat, (0, 1)).max() < 1e-6


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_few_levels(levels: int) -> None:
    assert [level.shape[2] for level in levels_of(drawn(uneven(), 0.3, 1), levels)] == [1, 1, 3][:levels]


def test_lines_weigh_as_a_share_of_the_colours_and_banding_does_not() -> None:
    def share(u: np.ndarray) -> float:
        level = levels_of(u.astype(np.float32), 4)[3]
        return level[..., 3:].var((0, 1)).sum() / level[..., :3].var((0, 1)).sum()

    assert 0.8 * lines.WEIGHT < share(drawn(np.full((256, 256), 0.5), 0.3)) <= 1.001 * lines.WEIGHT
    slope = np.linspace(0, 255, 256)[None, :, None] / 2
    assert share(np.broadcast_to(np.rint(slope) / 255, (256, 256, 3))) < 0.02


def test_a_line_of_another_hue_is_seen_though_it_is_as_bright() -> None:
    u = np.full((64, 64, 3), 0.5, np.float32)
    u[:, 32] += (0.2, -0.2, 0)
    level = levels_of(u, 3)[2]
    assert level[..., 3:].max() > 10 * np.median(level[..., 3:]) + 1e-3


def test_what_is_gone_after_two_levels_is_told_to_all_that_follow() -> None:
    u = drawn(0.5 + 0.1 * np.sin(2 * np.pi * np.mgrid[:256, :256][0] / 256), 0)
    u[:, :128] += 0.3 * np.sin(2 * np.pi * np.arange(128) / 6)[:, None].astype(np.float32)
    level = levels_of(u, 5)[4]
    striped, plain = level[:, 1:6, 3:], level[:, 10:15, 3:]
    assert np.ptp(level[:, 1:6, 0], 1).max() < 0.01  # nothing is left of the stripes themselves
    assert striped.min() > plain.max() + 0.3 * level[..., 0].std()


def test_a_faint_line_counts_beside_a_strong_one() -> None:
    u = np.full((256, 256, 3), 0.5, np.float32)
    u[:, 63:65] += 0.4
    u[:, 191:193] += 0.1
    strong, faint = (levels_of(u, 4)[3][:, columns, 3].max() for columns in (slice(16), slice(16, 32)))
    assert 1.8 < strong / faint < 2.2  # as the root of four
