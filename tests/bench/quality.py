"""Quality on a folder of textures, made seamless at twice their size: figures, time, memory, contact sheets.

    python tests/bench/quality.py TEXTURES [--crop 256] [--factor 2] [--quality normal] [--device D] [--seed N]
                                           [--sheets FOLDER] [--contact FILE.jpg] [--gmic]

TEXTURES is searched for *.png, of a material's maps only basecolor.png is taken. `--crop 0` takes them whole. Prints a
Markdown table; `--sheets` writes exemplar and result, each repeated 2x2, side by side; `--contact` all exemplars and
results on one sheet, halved. With `--gmic` G'MIC makes the pictures instead. Files deeper than 8 bits are rounded to 8
here, so that all are measured alike.
"""

from __future__ import annotations

import argparse
import ctypes
import datetime
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import OpenImageIO as oiio

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import otsynth_core
from otsynth_core import files, metrics
from otsynth_core.maps import Map
from otsynth_core.spec import Size
from tests.bench import speed

BARS = {"ratio": 1.6, "seam": 1.05, "sharp": (0.9, 1.1), "copied": 0.25}
COLUMNS = [
    "seconds",
    "B/px",
    "distance",
    "floor",
    "ratio",
    "divergence",
    "whole's",
    "seam",
    "seam before",
    "roughest",
    "sharp",
    "copied",
    "itself",
]


def textures(folder: Path) -> dict[str, Path]:
    """Files by the names under which they appear, in order."""
    found = {}
    for path in sorted(folder.rglob("*.png")):
        if path.parent == folder or path.parent.name == "color":
            found[path.stem] = path
        elif path.stem == "basecolor":
            found[path.parent.name] = path
    return found


def crop(path: Path, side: int = 256) -> np.ndarray:
    """uint8 (side, side, C), a third of the way into the picture, so that it does not tile even where that does."""
    straight = oiio.ImageSpec()
    straight.attribute("oiio:UnassociatedAlpha", 1)
    pixels = oiio.ImageBuf(str(path), 0, 0, straight).get_pixels(oiio.UINT8)
    if not side:
        return pixels
    y, x = ((n - side) // 3 for n in pixels.shape[:2])
    return np.ascontiguousarray(pixels[y : y + side, x : x + side])


def resident(peak: bool) -> float:
    """MiB that this process holds, or has held at most since `forget_peak`; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM" if peak else "VmRSS"))


def forget_peak() -> None:
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # what the C library keeps of freed memory would hide what is taken anew
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def solved(exemplar: np.ndarray, factor: float, **options: object) -> tuple[otsynth_core.Result, float]:
    """The result at so many times the size, and the most memory on the way beyond it, in bytes per output pixel."""
    height, width = exemplar.shape[:2]
    linux = Path("/proc/self/clear_refs").exists()
    if linux:
        forget_peak()
    before = resident(peak=False)
    size = Size(round(width * factor), round(height * factor))
    result = otsynth_core.tile(exemplar, size=size, **options)  # type: ignore[arg-type]
    beyond = (resident(peak=True) - before) * 2**20 - result.image.nbytes
    return result, beyond / (size.width * size.height) if linux else float("nan")


@dataclass(frozen=True)
class Made:
    """A result, the seconds that it took and the memory on the way, see `solved`; by what."""

    image: np.ndarray
    seconds: float
    beyond: float
    device: str


def alone(exemplar: np.ndarray, factor: float, **options: object) -> Made:
    """`solved` in a process of its own: what the C library keeps of memory from one picture to the next is not counted.

    What is compiled for it, is before.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_alone, exemplar, factor, options).result()


def _alone(exemplar: np.ndarray, factor: float, options: dict[str, object]) -> Made:
    solved(exemplar, 1, **{**options, "quality": "draft"})
    result, beyond = solved(exemplar, factor, **options)
    return Made(result.image, sum(result.seconds), beyond, result.device)


def row(exemplar: np.ndarray, image: np.ndarray) -> dict:
    given, made = (Map.of(picture).compared() for picture in (exemplar, image))
    if given.shape[2] != made.shape[2]:  # alpha or colour that only one of them has
        given, made = (Map.of(picture).pixels for picture in (exemplar, image))
    figures = metrics.measure(made, given)
    return {
        "distance": figures["distance"],
        "floor": figures["floor"],
        "ratio": figures["distance"] / figures["floor"],
        "divergence": figures["divergence"] / figures["floor"],
        "seam": max(figures["seam_y"], figures["seam_x"]),
        "seam before": max(metrics.seam(given, axis) for axis in (0, 1)),
        "roughest": figures["roughest"],
        "sharp": figures["sharpness"],
        "copied": figures["copied"],
    }


def beside(crop: np.ndarray, whole: np.ndarray) -> float:
    """The ratio that the picture has from which a crop is taken: what is like the crop by nature is so far from it."""
    given, made = (Map.of(picture).compared() for picture in (crop, whole))
    if given.shape[2] != made.shape[2]:  # a crop without a hole has no alpha to compare
        given, made = (Map.of(picture).pixels for picture in (crop, whole))
    return metrics.distance(made, given) / metrics.floor(given)


def repeats(exemplar: np.ndarray) -> float:
    """What one half of an exemplar has copied of the other, the larger of both ways to halve it."""
    given = Map.of(exemplar).compared()
    return max(metrics.copied(*np.array_split(given, 2, axis)) for axis in (0, 1))


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


def contact(pairs: list[tuple[np.ndarray, np.ndarray]], across: int = 5) -> np.ndarray:
    """Exemplars and results side by side at half their size, so many pairs in a row."""
    tiles = []
    for exemplar, image in pairs:
        halves = [halved(shown(picture)) for picture in (exemplar, image)]
        height, width = 260, 400
        tile = np.full((height, width, 3), 255, np.uint8)
        left = 0
        for half in halves:
            part = half[:height, : max(0, width - left)]
            tile[: part.shape[0], left : left + part.shape[1]] = part
            left += half.shape[1] + 4
        tiles.append(tile)
    while len(tiles) % across:
        tiles.append(np.full_like(tiles[0], 255))
    rows = [np.concatenate(tiles[i : i + across], 1) for i in range(0, len(tiles), across)]
    return np.concatenate(rows)


def halved(image: np.ndarray) -> np.ndarray:
    height, width = (side // 2 for side in image.shape[:2])
    return image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3).mean((1, 3)).astype(np.uint8)


def fails(figures: dict) -> list[str]:
    """The bars that are missed."""
    low, high = BARS["sharp"]  # type: ignore[misc]
    missed = [name for name in ("ratio", "seam", "copied") if figures[name] > BARS[name]]  # type: ignore[operator]
    return missed + ([] if low <= figures["sharp"] <= high else ["sharp"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("textures", type=Path)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--factor", type=float, default=2)
    parser.add_argument("--quality", default="normal")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--contact", type=Path)
    parser.add_argument("--gmic", action="store_true", help="made by G'MIC")
    options = parser.parse_args()
    rows, pairs = [], []
    chosen = {"quality": options.quality, "device": options.device, "seed": options.seed}
    whole = f"{options.crop} px crops" if options.crop else "whole pictures"
    print(
        f"{options.quality}: {whole}, {options.factor:g} times the size, seed {options.seed}, {datetime.date.today()}\n"
    )
    print(f"| texture | {' | '.join(COLUMNS)} | misses |\n|---|{'---|' * (len(COLUMNS) + 1)}")
    for name, path in textures(options.textures).items():
        exemplar = crop(path, options.crop)
        if options.gmic:
            height, width = (round(side * options.factor) for side in exemplar.shape[:2])
            start, maker = time.perf_counter(), "G'MIC syntexturize_matchpatch"
            image = speed.gmic(exemplar, width, height)
            seconds, beyond = time.perf_counter() - start, float("nan")
        else:
            made = alone(exemplar, options.factor, **chosen)
            image, seconds, beyond, maker = made.image, made.seconds, made.beyond, f"otsynth, {made.device} kernels"
        figures = {**row(exemplar, image), "itself": repeats(exemplar), "B/px": beyond, "seconds": seconds}
        figures["whole's"] = beside(exemplar, crop(path, 0)) if options.crop else float("nan")
        rows.append(figures)
        digits = {"distance": 4, "floor": 4, "B/px": 0}
        cells = (f"{figures[column]:.{digits.get(column, 2)}f}".replace("nan", "") for column in COLUMNS)
        print(f"| {name} | {' | '.join(cells)} | {', '.join(fails(figures))} |", flush=True)
        pairs.append((exemplar, image))
        if options.sheets:
            options.sheets.mkdir(parents=True, exist_ok=True)
            files.write(options.sheets / f"{name}.png", files.Picture(sheet(exemplar, image)))
    medians = (f"{np.median([figures[column] for figures in rows]):.2f}".replace("nan", "") for column in COLUMNS)
    print(f"| **median** | {' | '.join(medians)} | {sum(bool(fails(figures)) for figures in rows)} of {len(rows)} |")
    print(f"\nWorst ratio {max(figures['ratio'] for figures in rows):.2f}. Made by {maker}. Bars: {BARS}.")
    if options.contact:
        files.write(options.contact, files.Picture(contact(pairs)))


if __name__ == "__main__":
    main()
