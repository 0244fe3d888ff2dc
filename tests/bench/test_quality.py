"""The bars of `quality.py` on every texture beside the repository. Slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import quality
from tests.conftest import SHARED

pytestmark = pytest.mark.slow
TEXTURES = quality.textures(SHARED / "textures") if (SHARED / "textures").exists() else {}

KNOWN = {"basket_weave_gray": ["ratio"]}
"""A weave that is stretched by 6.6 % is as far from itself as that makes it."""

MOST = {1: 106, 3: 128, 4: 200}
"""Bytes per pixel of the result on the way, of so many channels."""
ALREADY_SEAMLESS = {"tiles_white"}
"""Its crop begins and ends inside a tile: there is no jump to be mended."""


@pytest.mark.skipif(not TEXTURES, reason="there are no textures beside the repository")
@pytest.mark.parametrize("name", TEXTURES)
def test_every_bar_holds(name: str) -> None:
    exemplar = quality.crop(TEXTURES[name])
    made = quality.alone(exemplar, 2)
    figures = quality.row(exemplar, made.image)
    assert figures["seam before"] > 1.2 or name in ALREADY_SEAMLESS
    assert quality.fails(figures) == KNOWN.get(name, []), figures
    assert not made.beyond > MOST[exemplar.shape[2]]


def test_the_table_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(__file__).resolve().parents[1] / "demo"
    monkeypatch.setattr("sys.argv", ["quality.py", str(folder), "--crop", "64", "--quality", "draft"])
    quality.main()
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert [line.split(" | ")[0] for line in table[2:]] == [
        f"| {name}" for name in (*quality.textures(folder), "**median**")
    ]
