"""Requests: what is refused, in which words, and the way through JSON."""

from __future__ import annotations

import json

import pytest

from otsynth_core.spec import InputError, Size, Synthesize, Tile, from_json, to_json


@pytest.mark.parametrize("request_", [Tile(), Tile(size=Size(64, 32), seed=7), Synthesize(size=Size(64, 8), wrap="x")])
def test_json_there_and_back(request_: Tile | Synthesize) -> None:
    assert from_json(json.loads(json.dumps(to_json(request_)))) == request_


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"task": "paint"}, "task"),
        ({"task": "tile", "colour": 1}, "colour"),
        ({"task": "tile", "size": [0, 64]}, "0x64"),
        ({"task": "tile", "size": [-5, 64]}, "-5x64"),
        ({"task": "tile", "size": [64, 16385]}, "16384"),
        ({"task": "tile", "size": [64]}, "(width, height)"),
        ({"task": "tile", "size": [64.5, 64]}, "64.5"),
        ({"task": "tile", "seed": -1}, "seed"),
        ({"task": "tile", "seed": 2**31}, "seed"),
        ({"task": "tile", "device": "abacus"}, "abacus"),
        ({"task": "synthesize", "size": [64, 64], "wrap": "z"}, "both, x, y, none"),
        ({"task": "synthesize"}, "size"),
        ({"task": []}, "task must be one of"),
        ({"task": "tile", "quality": ["draft"]}, "quality is ['draft']"),
        ({"task": "tile", "gradient": {"iterations": 2, "loss": {}}}, "loss is {}"),
    ],
)
def test_refused_in_words(values: dict, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        from_json(values)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_size_is_width_by_height() -> None:
    assert Size.parse("512x256") == (512, 256)
    assert str(Size(512, 256)) == "512x256"
    assert Size.parse("512") == (512, 512)
    for text in ("512x", "x", "ax4", "4x4x4", ""):
        with pytest.raises(InputError, match="WxH"):
            Size.parse(text)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"quality": "best"}, "quality is 'best': it must be one of draft, normal, high"),
        ({"threads": 0}, "threads is 0: it must be a whole number from 1 to 1024"),
        ({"threads": 1.5}, "threads is 1.5"),
        ({"memory": "much"}, "memory is 'much'"),
        ({"memory": -1}, "memory is -1"),
        ({"seed": None}, "seed is None"),
        ({"size": "snip"}, "size is 'snip'"),
    ],
)
def test_options_out_of_range_are_refused_in_words(options: dict, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        Tile(**options)
    assert words in str(refusal.value)
    Tile(threads=2, memory=64, quality="draft", size="snap")
