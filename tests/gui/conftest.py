"""Blender in a window, once for all tests, with a new file for each; and a texture to try it on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from window import BlenderError, Window

PLACE = Path(os.environ["OTSYNTH_GUI"])
"""Where run.sh has put the zip and, perhaps, a picture of a wall, and takes pictures of the screen from."""

_running: list[Window] = []


@pytest.fixture
def window(tmp_path_factory: pytest.TempPathFactory) -> Window:
    """Blender with Blender's own start file; started anew where a test has ended it."""
    if _running:
        with contextlib.suppress(OSError, BlenderError):  # it has ended, or hangs
            _running[-1].run("bpy.ops.wm.read_homefile()", seconds=30)
            _running[-1].settle(10)
            return _running[-1]
    stop()
    _running.append(Window(PLACE / "otsynth.zip", tmp_path_factory.mktemp("blender")))
    return _running[-1]


@pytest.fixture(scope="session", autouse=True)
def _end() -> Iterator[None]:
    yield
    stop()


def stop() -> None:
    while _running:
        _running.pop().close()


@pytest.fixture(scope="session")
def out() -> Path:
    """Where pictures of the screen go."""
    return PLACE / "out"


@pytest.fixture(scope="session")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of a brick wall: a photo, or drawn where there is none."""
    if (PLACE / "wall.png").is_file():
        return PLACE / "wall.png"
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:256, :256]
    row = y // 32
    shifted = x + 32 * (row % 2)
    shade = rng.uniform(0.7, 1, (8, 8))[row, shifted // 64 % 8]
    mortar = (y % 32 < 4) | (shifted % 64 < 4)
    red = np.where(mortar, 0.6, shade * 0.7)
    values = np.stack([red, np.where(mortar, 0.6, shade * 0.3), np.where(mortar, 0.6, shade * 0.25)], -1)
    values += rng.normal(0, 0.03, values.shape)
    path = tmp_path_factory.mktemp("pictures") / "wall.png"
    Image.fromarray(np.rint(255 * values.clip(0, 1)).astype(np.uint8)).save(path)
    return path
