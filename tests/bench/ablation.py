"""What each part of the solver is worth: figures and time with it taken out or changed.

    python tests/bench/ablation.py TEXTURES [--names a,b,c] [--seeds 0,1]

256 px crops, made seamless at 512 px; printed are means over textures and seeds.
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

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from otsynth_core import graft, kernels, known, levels, lines, period, search, semidual, transport
from otsynth_core.levels import EFFORTS
from tests.bench import quality

NAMES = "brick_wall,caustics,cobble_fan,lava,starfield,stone_wall,tiles_white,basket_weave_gray"
NORMAL = EFFORTS["normal"]


def effort(**changes: Any) -> dict[str, Any]:
    return {"normal": replace(NORMAL, **changes)}


def even_votes(self: Any, cost: Any, mean: Any) -> Any:
    return 0 * cost + 1


KERNELS = kernels.load("cpu").__class__

VARIANTS: dict[str, list[tuple[Any, str, Any]]] = {
    "as it is": [],
    "no potentials at coarse levels (psi = 0)": [
        (semidual, "ascended", lambda kernels, X, Y, psi, variance: psi),
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
    "no grafts": [(graft, "possible", lambda exemplar, image: False)],
    "started from noise": [(transport, "BLOCK", 1)],
    "started from larger pieces (12 px)": [(transport, "BLOCK", 12)],
    "no planes of lines": [(lines, "FINEST", 99)],
    "no phases": [(period, "AMPLITUDE", 0.0)],
    "7 px patches, 24 components": [(levels, "SIDE", 7), (transport, "COMPONENTS", 24)],
    "draft": [(levels, "EFFORTS", {"normal": EFFORTS["draft"]})],
    "high": [(levels, "EFFORTS", {"normal": EFFORTS["high"]})],
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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("textures", type=Path)
    parser.add_argument("--names", default=NAMES)
    parser.add_argument("--seeds", default="0")
    options = parser.parse_args()
    there = quality.textures(options.textures)
    exemplars = {name: quality.crop(there[name]) for name in options.names.split(",")}
    columns = ["ratio", "sharp", "copied", "roughest", "seconds"]
    print(f"{options.names}; seeds {options.seeds}; {kernels.load('cpu').name} kernels, {datetime.date.today()}\n")
    print(f"| | {' | '.join(columns)} | worst ratio |\n|---|{'---|' * (len(columns) + 1)}")
    for variant, changes in VARIANTS.items():
        rows = []
        with changed(changes):
            for exemplar in exemplars.values():
                for seed in map(int, options.seeds.split(",")):
                    result, _ = quality.solved(exemplar, 2, device="cpu", seed=seed)
                    rows.append({**quality.row(exemplar, result.image), "seconds": sum(result.seconds)})
        means = (f"{np.mean([row[column] for row in rows]):.2f}" for column in columns)
        print(f"| {variant} | {' | '.join(means)} | {max(row['ratio'] for row in rows):.2f} |", flush=True)


if __name__ == "__main__":
    main()
