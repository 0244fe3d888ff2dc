"""Mixed textures: figures beside the mean of two syntheses, and a sheet to look at.

    python tests/bench/mix.py TEXTURES [--seed N] [--sheet FILE.jpg]

Three pairs at five t, crops of 256 px to 256 px; below, the first pair by a map that passes from black to white and
back. With D the root of `metrics.distance`, on the way that transport takes from A to B, D(A, u) + D(u, B) = D(A, B)
and D(A, u) = t D(A, B): way is the first sum over D(A, B), 1 at best (and a little more, for D is never 0); place is
D(A, u) over the sum, t at best. colour: how far the mean colour is from what lies between, of 255. sharp: root of the
gradient energy over what lies between; seam: the larger of both axes. mean: the same of (1 - t) u_A + t u_B.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import otsynth_core
from otsynth_core import files, metrics

PAIRS = [("moss_ground", "stone_wall"), ("lava", "cracked_rock"), ("brick_wall", "wool_blue")]
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
SIDE = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("textures", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    print(f"{datetime.date.today()}, {platform.machine()}, {otsynth_core.kernels.load('auto').name}\n")
    print("| pair | t | seconds | way | place | colour | sharp | seam | mean: way | colour | sharp |")
    print("| --- |" + " --- |" * 10)
    rows = []
    for names in PAIRS:
        a, b = (files.read(options.textures / f"{name}.png").pixels[:SIDE, :SIDE, :3] for name in names)
        ends = [otsynth_core.synthesize(image, size=(SIDE, SIDE), seed=options.seed).image for image in (a, b)]
        row = []
        for t in SHARES:
            start = time.perf_counter()
            image = otsynth_core.mix(a, b, t=t, seed=options.seed).image
            seconds = time.perf_counter() - start
            own = figures(image, a, b, t)
            mean = figures((1 - t) * ends[0] + t * ends[1], a, b, t)
            cells = [f"{seconds:.1f}", *(f"{value:.2f}" for value in own)]
            cells += [f"{mean[n]:.2f}" for n in (0, 2, 3)] if 0 < t < 1 else ["", "", ""]
            print(f"| {' + '.join(names)} | {t} | {' | '.join(cells)} |", flush=True)
            row.append(image)
        rows.append(np.concatenate(row, 1))
    a, b = (files.read(options.textures / f"{name}.png").pixels[:, :, :3] for name in PAIRS[0])
    width = SIDE * len(SHARES)
    t = np.broadcast_to(0.5 - 0.5 * np.cos(np.linspace(0, 2 * np.pi, width)), (SIDE, width))
    rows.append(otsynth_core.mix(a, b, t=t, size=(width, SIDE), seed=options.seed).image)
    if options.sheet:
        files.write(options.sheet, files.Picture(np.concatenate(rows)))


def figures(image: np.ndarray, a: np.ndarray, b: np.ndarray, t: float) -> tuple[float, float, float, float, float]:
    """Way, place, colour, sharpness, seam."""
    u, a, b = (one.astype(np.float32) / 255 for one in (image, a, b))
    to_a, to_b, whole = (metrics.distance(x, y) ** 0.5 for x, y in ((u, a), (u, b), (a, b)))
    color = np.abs(u.mean((0, 1)) - (1 - t) * a.mean((0, 1)) - t * b.mean((0, 1))).max() * 255
    energy = (1 - t) + t * metrics.sharpness(b, a) ** 0.5  # of a, of b, over that of a
    sharp = metrics.sharpness(u, a) ** 0.5 / energy
    seam = max(metrics.seam(u, axis) for axis in (0, 1))
    return (to_a + to_b) / whole, to_a / (to_a + to_b), float(color), sharp, seam


if __name__ == "__main__":
    main()
