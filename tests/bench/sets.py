"""Whole materials: how good each map of a set is, and whether the maps are in step. Prints a table.

    python tests/bench/sets.py ../shared/textures/pbr [--crop 256] [--sheets FOLDER]

A crop of each set is synthesized at twice its size, tileable. ratio, seam, sharp: of `otsynth_core/metrics.py`, of each
map by itself. off: how far, in degrees on average, the normals are from those that the heights' slopes make, in the
exemplar and in the result; unit: the farthest that the length of a normal is from 1 once it is rounded to 8 bits.
step: share of pixels, in every map but heights and their normals, whose values are those of the exemplar at the
place that two maps of coordinates, put together through the same field, tell.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import otsynth_core
from otsynth_core import files, metrics
from otsynth_core.maps import Map
from otsynth_core.roles import guessed

NEAR = 3 / 255


def slopes(normal: np.ndarray) -> np.ndarray:
    """(H, W, 2) The slopes down and across that a normal map tells, uint8 (H, W, 3)."""
    n = normal / 127.5 - 1
    return n[..., 1::-1] / np.maximum(n[..., 2:], 0.1)


def off(normal: np.ndarray, height: np.ndarray, scale: np.ndarray | None = None) -> tuple[float, np.ndarray]:
    """Mean angle in degrees between normals and those of a height map; scale: of its slopes, fitted where None."""
    h = height.reshape(height.shape[:2]).astype(float)
    of_height = np.stack(np.gradient(h), -1)
    told = slopes(normal)
    if scale is None:
        scale = (told * of_height).sum((0, 1)) / np.maximum((of_height**2).sum((0, 1)), 1e-9)
    made = np.concatenate([of_height * scale, np.ones_like(h)[..., None]], -1)
    made /= np.linalg.norm(made, axis=-1, keepdims=True)
    n = np.concatenate([told, np.ones_like(h)[..., None]], -1)
    n /= np.linalg.norm(n, axis=-1, keepdims=True)
    return float(np.degrees(np.arccos((made * n).sum(-1).clip(-1, 1))).mean()), scale


def in_step(given: dict[str, np.ndarray], made: dict[str, np.ndarray], y: np.ndarray, x: np.ndarray) -> float:
    """The least share, over maps, of the pixels between which nothing was mixed that show what stands at (y, x)."""
    whole = (abs(y - np.rint(y)) < 0.01) & (abs(x - np.rint(x)) < 0.01)
    i, k = np.rint(y[whole]).astype(int), np.rint(x[whole]).astype(int)
    shares = []
    for name, image in given.items():
        if name == "height" or (name == "normal" and "height" in given):
            continue  # a surface of its own, and its normals: `off` tells
        wrong = np.abs(made[name][whole].astype(float) - image[i, k]) / 255
        shares.append((wrong.reshape(len(i), -1).max(1) <= NEAR).mean() if len(i) else 0.0)
    return float(min(shares))


def rows(folder: Path, crop: int, sheets: Path | None) -> list[str]:
    given = {}
    for path in sorted(folder.glob("*.png")):
        pixels = files.read(path).pixels
        top, left = ((n - crop) // 3 if crop else 0 for n in pixels.shape[:2])  # as `quality.py` crops
        cropped = pixels[top : top + crop, left : left + crop] if crop else pixels
        given[guessed(path.stem, among=True) or "other"] = cropped
    height, width = next(iter(given.values())).shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    extra = {name: Map(plane, "other", weight=0) for name, plane in (("y", y), ("x", x))}
    start = time.perf_counter()
    result = otsynth_core.synthesize({**given, **extra}, size=(2 * width, 2 * height))
    seconds = time.perf_counter() - start
    made = result.images
    step = in_step(given, made, made["y"], made["x"])
    lines = []
    for name, image in given.items():
        a, b = Map(made[name]).pixels, Map(image).pixels
        ratio = metrics.distance(a, b) / metrics.floor(b)
        seam = max(metrics.seam(a, axis) for axis in (0, 1))
        cells = [f"{folder.name} {name}", f"{ratio:.2f}", f"{seam:.2f}", f"{metrics.sharpness(a, b):.2f}"]
        extra_cells = ["", "", ""]
        if name == "normal":
            rounded = abs(np.linalg.norm(made[name] / 127.5 - 1, axis=2) - 1).max()
            extra_cells[1] = f"{rounded:.4f}"
            if "height" in given:
                before, scale = off(image, given["height"])
                extra_cells[0] = f"{before:.1f} / {off(made[name], made['height'], scale)[0]:.1f}"
        if name == "color":
            extra_cells[2] = f"{step:.3f}" if result.field.sizes.stretches == (1, 1) else "stretched"
            cells[0] += f" ({seconds:.1f} s)"
        bars = [("ratio", ratio <= 1.6), ("seam", seam <= 1.1)]
        lines.append("| " + " | ".join([*cells, *extra_cells, " ".join(n for n, ok in bars if not ok)]) + " |")
        if sheets:
            sheets.mkdir(parents=True, exist_ok=True)
            files.write(sheets / f"{folder.name}_{name}.png", files.Picture(made[name]))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--crop", type=int, default=256, help="side of the exemplar, 0 for all of it")
    parser.add_argument("--sheets", type=Path)
    options = parser.parse_args()
    print(f"normal quality, seed 0, crop {options.crop}, {datetime.date.today()}\n")
    print("| map | ratio | seam | sharp | off before / after | unit | step | misses |\n" + "| --- " * 8 + "|")
    for folder in sorted(path for path in options.folder.iterdir() if path.is_dir()):
        for line in rows(folder, options.crop, options.sheets):
            print(line, flush=True)


if __name__ == "__main__":
    main()
