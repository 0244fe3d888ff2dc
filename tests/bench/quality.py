"""Quality on a folder of textures: a 256 px crop of each, made seamless at its own size.

    python tests/bench/quality.py TEXTURES [--size WxH] [--device D] [--seed N] [--sheets FOLDER]

Prints a Markdown table; `--sheets` writes exemplar and result, each repeated 2x2, side by side. Files deeper than 8
bits are rounded to 8 here, since otsynth does not read them yet.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path

import numpy as np
import OpenImageIO as oiio

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import otsynth_core
from otsynth_core import files, metrics
from otsynth_core.maps import Map
from otsynth_core.spec import Size

CROP = 256
BARS = {"ratio": 2.0, "seam": 1.1, "sharp": (0.75, 1.15), "copied": 0.3}


def crop(path: Path) -> np.ndarray:
    """uint8 (256, 256, C), a third of the way into the picture, so that it does not tile even where that does."""
    straight = oiio.ImageSpec()
    straight.attribute("oiio:UnassociatedAlpha", 1)
    pixels = oiio.ImageBuf(str(path), 0, 0, straight).get_pixels(oiio.UINT8)
    y, x = ((side - CROP) // 3 for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[y : y + CROP, x : x + CROP])


def row(name: str, exemplar: np.ndarray, result: otsynth_core.Result) -> dict:
    given, made = (Map.of(image).compared() for image in (exemplar, result.image))
    if given.shape[2] != made.shape[2]:  # alpha or colour that only one of them has
        given, made = (Map.of(image).pixels for image in (exemplar, result.image))
    figures = metrics.measure(made, given)
    return {
        "texture": name,
        "seconds": sum(result.seconds),
        "distance": figures["distance"],
        "floor": figures["floor"],
        "ratio": figures["distance"] / figures["floor"],
        "seam": max(figures["seam_y"], figures["seam_x"]),
        "seam before": max(metrics.seam(given, axis) for axis in (0, 1)),
        "roughest": figures["roughest"],
        "sharp": figures["sharpness"],
        "copied": figures["copied"],
    }


def sheet(exemplar: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Exemplar and result, each repeated 2x2, side by side on white; RGB, alpha laid over a checkerboard."""
    pair = [np.tile(shown(picture), (2, 2, 1)) for picture in (exemplar, image)]
    height = max(len(picture) for picture in pair)
    pads = [np.pad(p, ((0, height - len(p)), (0, 16), (0, 0)), constant_values=255) for p in pair]
    return np.concatenate(pads, 1)


def shown(image: np.ndarray) -> np.ndarray:
    colour, alpha = (image[..., :-1], image[..., -1:] / 255) if image.shape[2] in (2, 4) else (image, 1)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    squares = np.where((y // 8 + x // 8) % 2, 160, 96)[..., None]
    return np.rint(np.broadcast_to(colour * alpha + squares * (1 - alpha), (*image.shape[:2], 3))).astype(np.uint8)


def fails(figures: dict) -> bool:
    low, high = BARS["sharp"]
    too_much = any(figures[name] > BARS[name] for name in ("ratio", "seam", "copied"))
    return too_much or not low <= figures["sharp"] <= high


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("textures", type=Path)
    parser.add_argument("--size", type=Size.parse, default=Size(CROP, CROP))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheets", type=Path)
    options = parser.parse_args()
    rows = []
    names = ["seconds", "distance", "floor", "ratio", "seam", "seam before", "roughest", "sharp", "copied"]
    print(f"{CROP}x{CROP} crops to {options.size}, seed {options.seed}, {datetime.date.today()}\n")
    print(f"| texture | {' | '.join(names)} | |\n|---|{'---|' * (len(names) + 1)}")
    for path in sorted(options.textures.glob("*.png")):
        exemplar = crop(path)
        result = otsynth_core.tile(exemplar, size=options.size, seed=options.seed, device=options.device)
        rows.append(row(path.stem, exemplar, result))
        cells = (
            f"{rows[-1][name]:.4f}" if name in ("distance", "floor") else f"{rows[-1][name]:.2f}" for name in names
        )
        print(f"| {path.stem} | {' | '.join(cells)} | {'FAILS' if fails(rows[-1]) else ''} |", flush=True)
        if options.sheets:
            options.sheets.mkdir(parents=True, exist_ok=True)
            files.write(options.sheets / f"{path.stem}.png", files.Picture(sheet(exemplar, result.image)))
    ratios = [figures["ratio"] for figures in rows]
    print(f"\nRatio of distance to floor: median {np.median(ratios):.2f}, worst {max(ratios):.2f}. On {result.device}.")
    print(f"{sum(map(fails, rows))} of {len(rows)} miss a bar: {BARS}.")


if __name__ == "__main__":
    main()
