"""Filled holes on a folder of textures: figures and times beside other tools, and sheets to look at.

    python tests/bench/fill.py TEXTURES [--masks disc,scratch,blobs,part,hole] [--names a,b] [--who otsynth,gmic,...]
                                        [--quality Q] [--seed N] [--sheets FOLDER] [--large]

Masks: a disc of 64 px, a scratch and blobs over a quarter of a crop of 256 px; a part as wide and as high as a third of
the whole texture; a hole of 256 px in 1024 px, to which a smaller texture is synthesized, without repeats. The others
are G'MIC's inpaint_matchpatch (on the path), pypatchmatch with patches of 3 px and OpenCV's SHIFTMAP, those that are
there. untouched is the picture as it was before anything was covered: what is under a mask is seldom as the rest is.

rim: the mean jump between pixels of which the mask covers one, over the 95th percentile of the same along the same rim
laid elsewhere in the untouched picture. ratio: distance of the patches that touch the mask to those that do not, over
the same of the untouched picture; divergence: less the mean of what two samples of either are apart, over the same;
known: whether what the mask leaves is as it was. sharp: gradient energy under the mask over that of the rest.
--large times a hole of 64 px in 512 and 4096 px.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import otsynth_core
from otsynth_core import files
from otsynth_core.metrics import PATCH, SCALES, transported
from otsynth_core.patches import windows
from otsynth_core.pyramid import downsample
from tests.bench import quality

SAMPLES, SHIFTS = 800, 200
HEAD = " seconds | known | rim | ratio | divergence | sharp |"
Filler = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""uint8 (H, W, 3) with what a mask, bool (H, W), covers made anew."""


def mask_of(kind: str, height: int, width: int) -> np.ndarray:
    """bool (height, width)."""
    if kind == "part":
        part = np.zeros((height, width), bool)
        part[height // 3 : height * 2 // 3, width // 3 : width * 2 // 3] = True
        return part
    assert height == width
    return masks(height)[kind]


def masks(side: int) -> dict[str, np.ndarray]:
    """bool (side, side), by name."""
    y, x = np.mgrid[:side, :side]
    line = 0.6 * x - 0.75 * y - 0.045 * side + 6 * np.sin(x / 17)
    noise = np.random.default_rng(5).standard_normal((side, side))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij"))
    noise = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-((25.6 * frequency) ** 2) / 2)).real
    return {
        "disc": np.hypot(y - side / 2, x - side / 2) < 32,
        "scratch": (np.abs(line) < 2.5) & (x > 0.1 * side) & (x < 0.9 * side),
        "blobs": noise > np.quantile(noise, 0.75),
        "hole": (np.abs(y + 0.5 - side / 2) < 128) & (np.abs(x + 0.5 - side / 2) < 128),
    }


def ours(**options: object) -> Filler:
    return lambda image, mask: otsynth_core.fill(image, mask, **options).image  # type: ignore[arg-type]


def gmic(image: np.ndarray, mask: np.ndarray, verb: str = "inpaint_matchpatch[0]") -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        source, hole, made = (Path(folder) / name for name in ("in.png", "mask.png", "out.png"))
        files.write(source, files.Picture(image))
        files.write(hole, files.Picture(255 * mask[..., None].astype(np.uint8)))
        verbs = [verb, "[1]", "keep[0]"] if verb else ["keep[0]"]
        command = ["gmic", "-v", "0", str(source), str(hole), *verbs, "output", str(made)]
        subprocess.run(command, check=True, capture_output=True)
        return files.read(made).pixels[..., :3]


def patchmatch(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    import patchmatch

    return patchmatch.inpaint(image, mask.astype(np.uint8), patch_size=3)


def shiftmap(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    import cv2

    lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab)
    made = np.zeros_like(lab)
    cv2.xphoto.inpaint(lab, np.where(mask, 0, 255).astype(np.uint8), made, cv2.xphoto.INPAINT_SHIFTMAP)
    return np.where(mask[..., None], cv2.cvtColor(made, cv2.COLOR_Lab2RGB), image)


def fillers(options: argparse.Namespace) -> dict[str, Filler]:
    """Those that are there, the untouched picture and ours first."""
    found: dict[str, Filler] = {"untouched": lambda image, mask: image}
    found["otsynth"] = ours(quality=options.quality, seed=options.seed)
    if shutil.which("gmic"):
        found["gmic"] = gmic
    if importlib.util.find_spec("patchmatch"):
        found["pypatchmatch"] = patchmatch
    if importlib.util.find_spec("cv2"):
        found["shiftmap"] = shiftmap
    return {name: found[name] for name in found if not options.who or name in options.who.split(",")}


def rim(image: np.ndarray, untouched: np.ndarray, mask: np.ndarray) -> float:
    """See above. Images are float (H, W, C)."""
    rng = np.random.default_rng(0)
    own, other = [], []
    pairs = []
    for axis in (0, 1):
        edge = np.diff(mask.astype(np.int8), axis=axis) != 0
        jump, was = (np.abs(np.diff(u, axis=axis)).mean(2) for u in (image, untouched))
        own.append(jump[edge])
        pairs.append((was, np.argwhere(edge)))
    for _ in range(SHIFTS):
        shift, jumps = rng.integers(mask.shape), []
        for was, at in pairs:
            jumps.append(was[tuple(((at + shift) % was.shape).T)])
        other.append(np.concatenate(jumps).mean())
    return float(np.concatenate(own).mean() / max(np.percentile(other, 95), 1e-9))


def distances(image: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """Multi-scale transport distance of the patches that touch a mask to those that do not, with and without bias.

    See `metrics.distance` and `metrics.divergence`.
    """
    rng, costs = np.random.default_rng(0), []
    share = mask[..., None].astype(np.float32)
    for _ in range(SCALES):
        blocks = windows(image, PATCH)
        touched = windows(share, PATCH).mean((2, 3, 4)) > 0.02
        if touched.all() or not touched.any():
            break
        x, y, xx, yy = (
            blocks[tuple(at[rng.integers(len(at), size=SAMPLES)].T)].reshape(SAMPLES, -1).astype(np.float64)
            for at in 2 * (np.argwhere(touched), np.argwhere(~touched))
        )
        far = transported(x, y)
        costs.append((far, far - (transported(x, xx) + transported(y, yy)) / 2))
        image, share = downsample(image), downsample(share)
    distance, divergence = np.mean(costs, 0)
    return float(distance), float(divergence)


def energy(image: np.ndarray, mask: np.ndarray) -> float:
    """Mean square of neighbours' differences, of pairs that a mask covers."""
    found = []
    for axis in (0, 1):
        both = mask[1:] & mask[:-1] if axis == 0 else mask[:, 1:] & mask[:, :-1]
        found.append((np.diff(image, axis=axis) ** 2)[both].mean())
    return float(np.mean(found))


def figures(image: np.ndarray, untouched: np.ndarray, mask: np.ndarray, floor: float) -> dict[str, float]:
    u, was = (picture.astype(np.float32) / 255 for picture in (image, untouched))
    distance, divergence = distances(u, mask)
    return {
        "known": float((image == untouched)[~mask].all()),
        "rim": rim(u, was, mask),
        "ratio": distance / floor,
        "divergence": divergence / floor,
        "sharp": energy(u, mask) / energy(was, ~mask),
    }


def picture(path: Path, kind: str) -> np.ndarray:
    """uint8 (H, W, 3): a crop, the whole, or one that is large."""
    image = quality.crop(path, 0 if kind in ("part", "hole") else 256)
    if kind == "hole" and min(image.shape[:2]) < 1024:
        image = otsynth_core.synthesize(image, size=(1024, 1024), wrap="none").image
    image = image[..., :3] if image.shape[2] >= 3 else image[..., :1].repeat(3, 2)
    return np.ascontiguousarray(image)


def large() -> None:
    """How the time for the same hole grows with the image."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (4096, 4096, 3), np.uint8)
    mask = np.zeros((4096, 4096), bool)
    mask[200:264, 200:264] = True
    took: dict[int, list[float]] = {512: [], 4096: []}
    for _ in range(5):
        for side, times in took.items():
            start = time.perf_counter()
            otsynth_core.fill(image[:side, :side], mask[:side, :side])
            times.append(time.perf_counter() - start)
    least = {side: min(times) for side, times in took.items()}
    ratio = least[4096] / least[512]
    print(f"\n64 px in 512 px: {least[512]:.2f} s, in 4096 px: {least[4096]:.2f} s, {ratio:.2f} times as long")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("textures", type=Path)
    parser.add_argument("--masks", default="disc,scratch,blobs,part,hole")
    parser.add_argument("--names")
    parser.add_argument("--who")
    parser.add_argument("--quality", default="normal")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    names = quality.textures(options.textures)
    if options.names:
        names = {name: names[name] for name in options.names.split(",")}
    who = fillers(options)
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    for image in (noise, noise[..., :1], np.tile(noise[:32, :32], (8, 8, 1))):  # compiles, for grey and periods as well
        otsynth_core.fill(image, masks(256)["disc"])
    print(f"{options.quality}, seed {options.seed}, {datetime.date.today()}, {platform.machine()}")
    medians: list[str] = []
    for kind in options.masks.split(","):
        rows: dict[str, list[dict[str, float]]] = {name: [] for name in who}
        print(f"\n{kind}\n\n| texture | who |{HEAD}\n|---|---|---|---|---|---|---|---|")
        for name, path in names.items():
            image = picture(path, kind)
            mask = mask_of(kind, *image.shape[:2])
            pictures = [np.where(mask[..., None], np.uint8([255, 0, 255]), image)]
            floor = distances(image.astype(np.float32) / 255, mask)[0]
            for tool, filler in who.items():
                start = time.perf_counter()
                made = filler(image, mask)
                took = time.perf_counter() - start
                if tool == "gmic":
                    start = time.perf_counter()
                    gmic(image, mask, "")
                    took -= time.perf_counter() - start
                found = {"seconds": took, **figures(made, image, mask, floor)}
                rows[tool].append(found)
                pictures.append(made)
                print(f"| {name} | {tool} |{_cells(found)}", flush=True)
            if options.sheets:
                options.sheets.mkdir(parents=True, exist_ok=True)
                files.write(options.sheets / f"{name}_{kind}.png", files.Picture(np.concatenate(pictures, 1)))
        for tool, all in rows.items():
            middle = {key: float(np.median([row[key] for row in all])) for key in all[0]}
            blur = float(np.median([abs(np.log(row["sharp"])) for row in all]))
            worst = f"{max(row['rim'] for row in all):.2f} | {max(row['ratio'] for row in all):.2f} | {blur:.2f} |"
            medians.append(f"| {kind} | {tool} |{_cells(middle)} {worst}")
    print(f"\n| mask | who, median |{HEAD} rim, worst | ratio, worst | abs log sharp |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    print("\n".join(medians))
    if options.large:
        large()


def _cells(row: dict[str, float]) -> str:
    known = "yes" if row["known"] == 1 else "no"
    figures = " | ".join(f"{row[name]:.2f}" for name in ("rim", "ratio", "divergence", "sharp"))
    return f" {row['seconds']:.2f} | {known} | {figures} |"


if __name__ == "__main__":
    main()
