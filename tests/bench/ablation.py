"""What each part of the solver is worth: figures and time with it taken out or changed.

    python tests/bench/ablation.py TEXTURES WEIGHTS [--names a,b,c] [--seeds 0,1]

256 px crops, made seamless at 512 px; printed are means over textures and seeds. WEIGHTS: of VGG, as for --vgg. gram:
how far the Gram matrices of its five layers are from the exemplar's, of the picture and of its half and quarter size,
over the same of the solver as it is: the geometric mean.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from otsynth_core import features, graft, kernels, known, levels, lines, period, search, semidual, transport, vgg
from otsynth_core.levels import EFFORTS
from tests.bench import paper, quality

NAMES = "brick_wall,caustics,cobble_fan,lava,starfield,stone_wall,tiles_white,basket_weave_gray"
SCALES = 3
NORMAL = EFFORTS["normal"]


def effort(**changes: Any) -> dict[str, Any]:
    return {**EFFORTS, "normal": replace(NORMAL, **changes)}


def even_votes(self: Any, cost: Any, mean: Any) -> Any:
    return 0 * cost + 1


KERNELS = kernels.load("cpu").__class__

VARIANTS: dict[str, list[tuple[Any, str, Any]]] = {
    "as it is": [],
    "no potentials at coarse levels (psi = 0)": [
        (semidual, "ascended", lambda kernels, X, Y, psi, variance, among: psi),
    ],
    "no potentials at fine levels": [(semidual, "PACES", (0.0, 0.0, 0.0))],
    "none of ranks": [(semidual, "PACES", (*semidual.PACES[:2], 0.0))],
    "none of classes": [(semidual, "PACES", (semidual.PACES[0], 0.0, semidual.PACES[2]))],
    "none of cells": [(semidual, "PACES", (0.0, *semidual.PACES[1:]))],
    "only the coarsest level compared exhaustively": [(levels, "EXACT", 0)],
    "one round of ascent a level": [(levels, "EFFORTS", effort(ascents=(1, 1)))],
    "no rounds of search after ascent": [(levels, "EFFORTS", effort(settling=0))],
    "no grace for neighbours' answers": [(transport, "GRACE", 0.0)],
    "no neighbours' answers beyond the next": [(search, "REACH", (1,))],
    "votes all alike": [(KERNELS, "weights", even_votes)],
    "votes at the end weighed as before": [(known, "FINAL", 1)],
    "twins as the nearest are": [(graft, "CONTRAST", 0.0)],
    "twins however far off": [(graft, "TYPICAL", 1e9)],
    "half as many grafts": [(graft, "FIRST", graft.FIRST[:1]), (graft, "LAST", graft.LAST[:1])],
    "no grafts": [(graft, "possible", lambda exemplar, image: False)],
    "started from noise": [(transport, "BLOCK", 1)],
    "started from larger pieces (12 px)": [(transport, "BLOCK", 12)],
    "no planes of lines": [(lines, "FINEST", 99)],
    "no phases": [(period, "AMPLITUDE", 0.0)],
    "7 px patches, 24 components": [(levels, "SIDE", 7), (transport, "COMPONENTS", 24)],
    "draft": [(levels, "EFFORTS", {**EFFORTS, "normal": EFFORTS["draft"]})],
    "high": [(levels, "EFFORTS", {**EFFORTS, "normal": EFFORTS["high"]})],
}


@contextmanager
def changed(changes: list[tuple[Any, str, Any]]) -> Iterator[None]:
    before = [(where, name, getattr(where, name)) for where, name, _ in changes]
    for where, name, value in changes:
        setattr(where, name, value)
    try:
        yield
    finally:
        for where, name, value in before:
            setattr(where, name, value)


def grams(image: np.ndarray, layers: features.Layers) -> list[torch.Tensor]:
    """Of each layer, of a uint8 image at each of three scales."""
    u, found = coloured(image), []
    for _ in range(SCALES):
        with torch.no_grad():
            sets = layers(u, features.NONE)
        found += paper.grams(sets)
        u = features.downsampled(u, features.NONE)
    return found


def coloured(image: np.ndarray) -> torch.Tensor:
    """float32 (1, 3, H, W) of a uint8 image of any channels."""
    colours = image[..., :3] if image.shape[2] >= 3 else image[..., :1].repeat(3, 2)
    return torch.from_numpy(colours.transpose(2, 0, 1)[None].astype(np.float32) / 255)


def apart(these: list[torch.Tensor], those: list[torch.Tensor]) -> np.ndarray:
    """float64 (SCALES,): mean over layers of |G - G'| / |G'|."""
    gaps = [float((a - b).norm() / b.norm()) for a, b in zip(these, those, strict=True)]
    return np.reshape(gaps, (SCALES, -1)).mean(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("textures", type=Path)
    parser.add_argument("weights")
    parser.add_argument("--names", default=NAMES)
    parser.add_argument("--seeds", default="0")
    options = parser.parse_args()
    there = quality.textures(options.textures)
    exemplars = {name: quality.crop(there[name]) for name in options.names.split(",")}
    network = vgg.load(options.weights, torch.device("cpu"))
    layers = features.Layers(network, [coloured(exemplar) for exemplar in exemplars.values()])
    targets = {name: grams(exemplar, layers) for name, exemplar in exemplars.items()}
    columns, usual = ["ratio", "sharp", "copied", "roughest", "seconds"], None
    print(f"{options.names}; seeds {options.seeds}; {kernels.load('cpu').name} kernels, {datetime.date.today()}\n")
    print(f"| | {' | '.join(columns)} | worst ratio | gram |\n|---|{'---|' * (len(columns) + 2)}")
    for variant, changes in VARIANTS.items():
        rows, off = [], []
        with changed(changes):
            for name, exemplar in exemplars.items():
                for seed in map(int, options.seeds.split(",")):
                    result, _ = quality.solved(exemplar, 2, device="cpu", seed=seed)
                    rows.append({**quality.row(exemplar, result.image), "seconds": sum(result.seconds)})
                    off.append(np.log(apart(grams(result.image, layers), targets[name])))
        usual = np.array(off) if usual is None else usual
        gram = np.exp((np.array(off) - usual).mean())
        means = (f"{np.mean([row[column] for row in rows]):.2f}" for column in columns)
        print(f"| {variant} | {' | '.join(means)} | {max(row['ratio'] for row in rows):.2f} | {gram:.2f} |", flush=True)


if __name__ == "__main__":
    main()
