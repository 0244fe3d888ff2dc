"""Photographs whose edges are healed: figures beside the usual blend of a picture with itself, and a sheet to look at.

    python tests/bench/heal.py TEXTURES [--quality Q] [--seed N] [--sheet FILE.jpg] [--large]

Crops of 256 px, of all textures. new: share of the pixels that did not stay; seam: the larger of both axes, of the crop
and of the result. divergence: of the result's patches from the crop's, over the crop's floor, see `metrics`; sharp:
gradient energy of what is new, over the crop's. blend: the same of the crop faded into itself, turned by half its size,
toward its edges; all of it is new. With --large, seconds and bytes per pixel, beyond the picture and the result, of
textures mirrored to larger sizes instead, a slope of light over them.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import otsynth_core
from otsynth_core import files, metrics
from tests.bench import fill, quality

SIDE, COLUMNS = 256, 5
HEAD = ("seconds", "new", "seam before", "seam", "divergence", "sharp", "blend: divergence", "sharp")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("textures", type=Path)
    parser.add_argument("--quality", default="normal")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    fixed = {"quality": options.quality, "seed": options.seed}
    otsynth_core.tile(np.random.default_rng(0).random((64, 64, 3), np.float32), method="heal", **fixed)  # compiles
    device = otsynth_core.kernels.load("auto").name
    print(f"{options.quality}, seed {options.seed}, {datetime.date.today()}, {platform.machine()}, {device}\n")
    print(f"| texture | {' | '.join(HEAD)} |\n" + "| --- " * (1 + len(HEAD)) + "|")
    if options.large:
        large(quality.textures(options.textures), fixed)
        return
    rows, pairs = [], []
    for name, path in quality.textures(options.textures).items():
        image = quality.crop(path, SIDE)
        image = image[..., :3] if image.shape[2] >= 3 else image[..., :1].repeat(3, 2)
        start = time.perf_counter()
        result = otsynth_core.tile(image, method="heal", **fixed)
        seconds, report = time.perf_counter() - start, result.report()
        row = [seconds, report["filled"] / SIDE**2, seam(image), seam(result.image)]
        row += beside(image, result.image) + beside(image, blended(image))
        rows.append(row)
        pairs.append(np.concatenate([turned(image), turned(result.image)], 1))
        print(f"| {name} |{cells(row)}", flush=True)
    dullest = np.where(np.char.endswith(HEAD, "sharp"), np.min(rows, 0), np.max(rows, 0))
    print(f"| median |{cells(list(np.median(rows, 0)))}\n| worst |{cells(list(dullest))}")
    if options.sheet:
        pairs += [np.zeros_like(pairs[0])] * (-len(pairs) % COLUMNS)
        lines = [np.concatenate(pairs[at : at + COLUMNS], 1) for at in range(0, len(pairs), COLUMNS)]
        sheet = np.concatenate(lines).astype(np.float32)
        half = sheet.reshape(sheet.shape[0] // 2, 2, sheet.shape[1] // 2, 2, 3).mean((1, 3))
        files.write(options.sheet, files.Picture(half.round().astype(np.uint8)))


def cells(row: list[float]) -> str:
    return "".join(f" {value:.2f} |" for value in row)


def turned(image: np.ndarray) -> np.ndarray:
    return np.roll(image, (SIDE // 2, SIDE // 2), (0, 1))


def seam(image: np.ndarray) -> float:
    return max(metrics.seam(image.astype(np.float32) / 255, axis) for axis in (0, 1))


def blended(image: np.ndarray) -> np.ndarray:
    """uint8: the image where it is far from its edges, itself turned by half its size near them."""
    share = 1.001 - np.abs(np.linspace(-1, 1, SIDE))  # and the turned one's where this is least
    share = np.minimum.outer(share, share)[..., None]
    other = turned(share)
    return ((share * image + other * turned(image)) / (share + other)).round().astype(np.uint8)


def beside(image: np.ndarray, made: np.ndarray) -> list[float]:
    """Divergence and sharpness, see above."""
    was, u = (picture.astype(np.float32) / 255 for picture in (image, made))
    new = (made != image).any(2)
    sharp = fill.energy(u, new) / fill.energy(was, np.ones_like(new))
    return [metrics.divergence(u, was) / metrics.floor(was), sharp]


def large(textures: dict[str, Path], options: dict[str, Any]) -> None:
    print("| texture | px | band | new | seconds | B/px |\n" + "| --- " * 6 + "|")
    for name in ("cobble_fan", "lava"):
        whole = quality.crop(textures[name], 0)[..., :3]
        for side in (512, 1024, 2048):
            more = [(0, max(0, side - n)) for n in whole.shape[:2]]
            image = np.pad(whole, [*more, (0, 0)], mode="symmetric")[:side, :side]
            image = (image * np.linspace(0.7, 1, side)[:, None, None]).astype(np.uint8)  # top and bottom do not meet
            quality.forget_peak()
            before, start = quality.resident(peak=False), time.perf_counter()
            result = otsynth_core.tile(image, method="heal", **options)
            seconds = time.perf_counter() - start
            beyond = (quality.resident(peak=True) - before) * 2**20 - result.image.nbytes
            report = result.report()
            figures = f"{report['filled'] / side**2:.2f} | {seconds:.1f} | {beyond / side**2:.0f}"
            print(f"| {name} | {side} | {report['band']} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
