"""The bars of `quality.py` on every texture beside the repository. Slow."""

from __future__ import annotations

import pytest

import otsynth_core
from tests.conftest import SHARED

pytestmark = pytest.mark.slow
TEXTURES = sorted((SHARED / "textures" / "color").glob("*.png"))


@pytest.mark.skipif(not TEXTURES, reason="there are no textures beside the repository")
@pytest.mark.parametrize("path", TEXTURES, ids=lambda path: path.stem)
def test_every_bar_holds(path) -> None:  # type: ignore[no-untyped-def]
    from tests.bench import quality

    exemplar = quality.crop(path)
    figures = quality.row(path.stem, exemplar, otsynth_core.tile(exemplar))
    assert figures["seam before"] > 1.2
    assert not quality.fails(figures), figures
