"""The paper's methods beside each other and beside our transport solver: figures, stability, convergence.

    python tests/bench/paper.py TEXTURES WEIGHTS [--names a,b,c,d] [--side 256] [--sheets FOLDER] [--plot FILE.png]

WEIGHTS: of VGG, as for --vgg. Crops of `side` px, made anew at the same size, wrapping both ways. Prints Markdown.
distance: `metrics.distance`, of patches at 4 scales; ratio: over its floor; divergence: `metrics.divergence`, over the
floor as well. gram: mean over five layers of VGG of |G(u) - G(e)|^2 / |G(e)|^2. frechet: the Frechet distance of
conv3_1's features in the two images, as SIFID has it for another network, features 1 long on the mean. The last two
favour what was made to please VGG.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import otsynth_core
from otsynth_core import features, files, gradient, metrics, vgg
from otsynth_core.spec import Gradient
from tests.bench import alg1, quality

NAMES = "brick_wall,cobble_fan,moss_ground,rust"
FRECHET = 2
"""The layer, of five: conv3_1."""
AUTHORS = 23.0, 500
"""Seconds that an iteration of the authors' code takes on two cores at 128 -> 256 px, and its iterations."""
SEEDS = 5


def methods(weights: str) -> dict[str, Gradient]:
    return {
        "Alg. 1: patches, ot, adam": Gradient(iterations=100),
        "Kwatra: patches, nearest, adam": Gradient(loss="nearest", iterations=40),
        "Gatys: vgg, gram, lbfgs": Gradient(
            features="vgg", loss="gram", descent="lbfgs", iterations=40, weights=weights
        ),
        "VGG and OT: vgg, ot, adam": Gradient(features="vgg", iterations=30, weights=weights),
    }


def figures(image: np.ndarray, exemplar: np.ndarray, layers: features.Layers) -> dict[str, float]:
    """Of two uint8 images."""
    made, given = (picture.astype(np.float32) / 255 for picture in (image, exemplar))
    with torch.no_grad():
        seen = [layers(torch.from_numpy(u.transpose(2, 0, 1)[None].copy()), features.NONE) for u in (made, given)]
    pairs = zip(*map(grams, seen), strict=True)
    gaps = [float(((a - b) ** 2).sum() / (b * b).sum()) for a, b in pairs]
    distance, floor = metrics.distance(made, given), metrics.floor(given)
    return {
        "distance": distance,
        "ratio": distance / floor,
        "divergence": metrics.divergence(made, given) / floor,
        "gram": float(np.mean(gaps)),
        "frechet": frechet(*(sets[FRECHET].double().numpy() for sets in seen)),
        "sharp": metrics.sharpness(made, given),
    }


def grams(sets: list[torch.Tensor]) -> list[torch.Tensor]:
    """Of features (n, d), in each layer."""
    return [x.T @ x / len(x) for x in sets]


def frechet(x: np.ndarray, y: np.ndarray) -> float:
    """|mean x - mean y|^2 + tr (S + T - 2 (S^1/2 T S^1/2)^1/2) for features (n, d) with covariances S and T."""
    S, T = np.cov(x.T), np.cov(y.T)
    values, axes = np.linalg.eigh(S)
    root = (axes * np.sqrt(values.clip(0))) @ axes.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ T @ root).clip(0)).sum()
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(S) + np.trace(T) - 2 * cross)


def plotted(curves: dict[str, tuple[float, ...]], seeds: list[tuple[float, ...]], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for name, curve in curves.items():
        left.plot(np.arange(1, len(curve) + 1), np.array(curve) / max(curve), label=name.partition(":")[0])
    for curve in seeds:
        right.plot(range(1, len(curve) + 1), curve, linewidth=0.8)
    left.set(xlabel="iteration", ylabel="loss / its largest", yscale="log", title="methods")
    right.set(xlabel="iteration", ylabel="loss", title=f"Alg. 1, {len(seeds)} seeds")
    left.legend(fontsize="small")
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("textures", type=Path)
    parser.add_argument("weights")
    parser.add_argument("--names", default=NAMES)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    names, side = options.names.split(","), options.side
    there, network = quality.textures(options.textures), vgg.load(options.weights, torch.device("cpu"))
    threads = torch.get_num_threads()
    print(f"{side} px to {side} px, {datetime.date.today()}, torch {torch.__version__}, {threads} threads\n")
    columns = ["distance", "ratio", "divergence", "gram", "frechet", "sharp", "seconds"]
    print(f"| texture | method | iterations | {' | '.join(columns)} |\n|---|---|{'---|' * (len(columns) + 1)}")
    rows: dict[str, list[dict[str, float]]] = {}
    curves: dict[str, tuple[float, ...]] = {}
    otsynth_core.tile(np.zeros((64, 64, 3), np.uint8), device="cpu")  # what is compiled, is before the first
    for name in names:
        exemplar = quality.crop(there[name], side)[..., :3]
        given = torch.from_numpy((exemplar.astype(np.float32) / 255).transpose(2, 0, 1)[None].copy())
        layers, pictures = features.Layers(network, [given]), [exemplar]
        for method, settings in {**methods(options.weights), "ours: transport": None}.items():
            start = time.perf_counter()
            result = otsynth_core.synthesize(exemplar, size=(side, side), device="cpu", gradient=settings)
            row = {"seconds": time.perf_counter() - start, **figures(result.image, exemplar, layers)}
            rows.setdefault(method, []).append(row)
            curves.setdefault(method, result.losses)
            cells = (f"{row[column]:.3g}" for column in columns)
            print(
                f"| {name} | {method} | {settings.iterations if settings else ''} | {' | '.join(cells)} |", flush=True
            )
            pictures.append(result.image)
        if options.sheets:
            options.sheets.mkdir(parents=True, exist_ok=True)
            files.write(options.sheets / f"{name}.png", files.Picture(np.concatenate(pictures, 1)))
    for method, those in rows.items():
        cells = (f"{np.mean([row[column] for row in those]):.3g}" for column in columns)
        print(f"| **mean** | {method} | | {' | '.join(cells)} |")
    told(rows, side)
    seeds = [
        otsynth_core.synthesize(
            exemplar[:128, :128], size=(128, 128), seed=seed, device="cpu", gradient=Gradient(iterations=100)
        ).losses
        for seed in range(SEEDS)
    ]
    last = np.array([curve[-1] for curve in seeds])
    print(
        f"\nAlg. 1, {SEEDS} seeds, {names[-1]}, 128 px, 100 iterations:"
        f" last loss {last.mean():.4g} +- {last.std():.2g}, {100 * last.std() / last.mean():.2g} % of it."
    )
    if options.plot:
        plotted({name: curve for name, curve in curves.items() if curve}, seeds, options.plot)


def told(rows: dict[str, list[dict[str, float]]], side: int) -> None:
    """What the figures say."""
    first, *others = (name for name in rows if not name.startswith("ours"))
    own, ours = rows[first], rows["ours: transport"]
    best = sum(all(row["distance"] < rows[other][i]["distance"] for other in others) for i, row in enumerate(own))
    print(f"\nAlg. 1 has the least patch distance of the paper's four on {best} of {len(own)} textures.")
    near, fast = (
        np.mean([a[column] / b[column] for a, b in zip(ours, own, strict=True)]) for column in ("distance", "seconds")
    )
    authors = AUTHORS[0] * AUTHORS[1] * (side / 256) ** 2
    faster = authors / np.mean([row["seconds"] for row in ours])
    print(
        f"Ours: {near:.2f} times the distance of Alg. 1 in 1/{1 / fast:.0f} of its time,"
        f" and in 1/{faster:.0f} of the {authors / 3600:.1f} h of the authors' code."
    )
    exemplar = np.random.default_rng(0).random((128, 128, 3), np.float32)
    start = time.perf_counter()
    next(alg1.iterations(exemplar, (256, 256)))
    theirs = time.perf_counter() - start
    work = gradient.solve([gradient.Objective(exemplar)], (256, 256), (True, True), Gradient())
    times = []
    for _ in range(6):
        start = time.perf_counter()
        next(work)
        times.append(time.perf_counter() - start)
    print(
        f"One iteration of Alg. 1, 128 to 256 px: {theirs:.1f} s as the authors wrote it,"
        f" {np.median(times):.2f} s here."
    )


if __name__ == "__main__":
    main()
