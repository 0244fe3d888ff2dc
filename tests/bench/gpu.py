"""What there is to know about a GPU, in one call: whether it is right, how near its ceilings, how fast.

    python tests/bench/gpu.py EXEMPLAR [--device cuda] [--field 1024] [--sizes 1024:2048,2048:8192]

The operations of the kernels beside NumPy's; the rates of the exhaustive and the candidate search beside those of a
large matrix product and a large copy; both with Triton and with torch alone. How often a solve waits for the device;
seconds and peak memory at large sizes.
An exemplar smaller than asked for is repeated: that costs the same. `--device torch` tries the script without a GPU.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import otsynth_core
from otsynth_core import files, kernels, levels, patches, transport
from otsynth_core.kernels import Candidates
from otsynth_core.kernels.torch import TorchKernels, choose
from otsynth_core.maps import Map

Scene = dict[str, Any]


def scene(exemplar: np.ndarray, field: int) -> Scene:
    """An exemplar and an image of side `field` (float32), how their patches are described, and a random field."""
    rng = np.random.default_rng(0)
    e = repeated(exemplar, field // 2)
    u = repeated(exemplar[::-1], field)
    V = patches.basis(e, levels.SIDE, transport.COMPONENTS, rng)
    shape = patches.count((e.shape[0], e.shape[1]), levels.SIDE)
    C = np.stack([rng.integers(side, size=u.shape[:2]) for side in shape]).astype(np.int32)
    C[:, :, field // 2 :] = (C[:, :1, :1] + np.indices((field, field - field // 2))) % np.array(shape)[:, None, None]
    descriptors = []
    for image, wrap in ((e, (False, False)), (u, (True, True))):
        down, across = (
            np.zeros((n, 0), np.float32) for n in patches.count((image.shape[0], image.shape[1]), levels.SIDE, wrap)
        )
        descriptors.append(patches.descriptor(V, wrap, (down, across)))
    psi = (0.1 * V.variance * rng.standard_normal(shape)).astype(np.float32)
    return {"e": e, "u": u, "of_e": descriptors[0], "of_u": descriptors[1], "C": C, "psi": psi, "scale": V.variance}


def repeated(image: np.ndarray, side: int) -> np.ndarray:
    height, width = image.shape[:2]
    return np.ascontiguousarray(np.tile(image, (-(-side // height), -(-side // width), 1))[:side, :side])


def operations(compute: kernels.Kernels, at: Scene) -> dict[str, Callable[[], Any]]:
    """Each of the kernels' operations, on arrays that are there already."""
    e, u, C, psi = (compute.array(at[name]) for name in ("e", "u", "C", "psi"))
    d, shape = at["of_u"].on(compute.array), at["psi"].shape
    Y, X = compute.project(e, at["of_e"].on(compute.array)), compute.project(u, d)
    few, rows = X[::16, ::16], slice(0, len(at["u"]))
    cost = compute.distances(X, Y, C, rows)
    mean, candidates = compute.mean(cost), Candidates(2, (max(shape), 9, 2), 0.1 * at["scale"], 7)
    fine = transport.WHOLE / float(abs(Y).max())  # the solver keeps Y so at the finest level
    whole = compute.array(compute.numpy(fine * Y).round().astype(np.int16))
    finer = replace(candidates, grace=fine**2 * candidates.grace)
    labels, but = C[0] % 256, kernels.But(C[:, ::16, ::16], 8, 1e-5 * at["scale"])
    return {
        "project": lambda: compute.project(u, d),
        "assign": lambda: compute.assign(few, Y, psi),
        "assign, but": lambda: compute.assign(few, Y, psi, but),
        "ascend": lambda: compute.ascend(few, Y[::4, ::4], psi[::4, ::4], 0.05 * at["scale"], 3),
        "distances": lambda: compute.distances(X, Y, C, rows),
        "sweep": lambda: compute.sweep(X, Y, psi, C, candidates, d.wrap, rows)[0],
        "sweep, 16 bit": lambda: compute.sweep(fine * X, whole, fine**2 * psi, C, finer, d.wrap, rows)[0],
        "counts": lambda: compute.counts(labels, 256),
        "weights": lambda: compute.weights(cost, mean),
        "vote": lambda: compute.vote(e, C, compute.weights(cost, mean), levels.SIDE, (rows.stop, rows.stop)),
    }


def wait(device: str) -> None:
    if device in kernels.GPUS:
        getattr(torch, device).synchronize()


def seconds(run: Callable[[], Any], device: str, times: int = 5) -> float:
    """The least of several, the first left out."""
    least = float("inf")
    for turn in range(times + 1):
        wait(device)
        start = time.perf_counter()
        run()
        wait(device)
        least = min(least, time.perf_counter() - start) if turn else least
    return least


def differences(mine: np.ndarray, wanted: np.ndarray) -> str:
    if mine.dtype.kind == "i":
        return f"{(mine != wanted).any(0).mean():.2e} of the answers differ"
    return f"{np.abs(mine - wanted).max() / max(np.abs(wanted).max(), 1e-9):.1e} of the largest"


def providers(device: str) -> list[kernels.Kernels]:
    """What `kernels.load` takes, and torch alone where that is another."""
    taken = kernels.load(device)
    return [taken] if type(taken) is TorchKernels else [taken, TorchKernels(choose(device))]


def compared(exemplar: np.ndarray, field: int, device: str) -> None:
    at = scene(exemplar, field)
    each = providers(device)
    mine, reference = [operations(compute, at) for compute in each], operations(kernels.load("numpy"), at)
    named = " | ".join(f"{type(compute).__name__}: seconds | differs by" for compute in each)
    print(f"| operation, field of {field}x{field} | NumPy's seconds | {named} |\n|---|---|{'---|---|' * len(each)}")
    for name in reference:
        start = time.perf_counter()
        wanted = reference[name]()
        row = [f"{time.perf_counter() - start:.4f}"]
        for compute, run in zip(each, mine, strict=True):
            row += [f"{seconds(run[name], device):.5f}", differences(compute.numpy(run[name]()), wanted)]
        print(f"| {name} | {' | '.join(row)} |", flush=True)


def ceilings(compute: kernels.Kernels, exemplar: np.ndarray, field: int, device: str) -> None:
    """Rates of the two searches, over what the device does at best."""
    at = scene(exemplar, field)
    run = operations(compute, at)
    side = 8192 if device in kernels.GPUS else 1024
    a = compute.array(np.ones((side, side), np.float32))
    matrix = 2 * side**3 / seconds(lambda: a @ a, device)
    block = compute.array(np.ones((4 * side, side), np.float32))
    copy = 2 * 4 * block.numel() / seconds(block.clone, device)
    k, m, n = transport.COMPONENTS, at["psi"].size, field**2
    few = (field + 15) // 16  # patches on a side that are assigned
    exact = 2 * k * m * few**2 / seconds(run["assign"], device)
    beside = 4 * n * (k + 2 * 5 + 3)  # the patch itself, field and potentials, the answer
    rates = {
        what: (beside + size * n * 8 * k) / seconds(run[what], device)  # eight candidates
        for what, size in (("sweep", 4), ("sweep, 16 bit", 2))
    }
    print(f"\n| {type(compute).__name__} | rate | ceiling | ratio |\n|---|---|---|---|")
    print(f"| exhaustive search, Tflop/s | {exact / 1e12:.3f} | {matrix / 1e12:.3f} | {exact / matrix:.2f} |")
    for what, rate in rates.items():
        print(f"| candidate search ({what}), GB/s | {rate / 1e9:.1f} | {copy / 1e9:.1f} | {rate / copy:.2f} |")


def waits(exemplar: np.ndarray, device: str) -> None:
    """How often the host waited for the device in a solve; torch tells for CUDA only."""
    if device != "cuda":
        return
    compute = kernels.load(device)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        steps = 0
        none = (None, None)
        try:
            for _ in transport.solve(
                compute, [transport.Exemplar(exemplar, none)], (512, 512), (True, True), 0, levels.EFFORTS["normal"]
            ):
                steps += 1
        finally:
            torch.cuda.set_sync_debug_mode("default")
    print(f"\nWaited for the device {len(caught)} times in {steps} steps of a solve: {', '.join(places(caught))}.")


def places(caught: list[warnings.WarningMessage]) -> list[str]:
    return sorted({f"{Path(warning.filename).name}:{warning.lineno}" for warning in caught})


def large(exemplar: np.ndarray, sizes: str, device: str) -> None:
    print("\n| from | to | seconds | first time | MiB at most |\n|---|---|---|---|---|")
    for pair in sizes.split(","):
        given, wanted = map(int, pair.split(":"))
        image = repeated(exemplar, given)
        took = []
        for _ in range(2):
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            start = time.perf_counter()
            otsynth_core.synthesize(image, size=(wanted, wanted), device=device)
            took.append(time.perf_counter() - start)
        peak = f"{torch.cuda.max_memory_allocated() / 2**20:.0f}" if device == "cuda" else "-"
        print(f"| {given} | {wanted} | {took[1]:.2f} | {took[0]:.2f} | {peak} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("exemplar", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--field", type=int, default=1024)
    parser.add_argument("--sizes", default="1024:2048,2048:8192")
    options = parser.parse_args()
    planes = Map.of(files.read(options.exemplar).pixels).compared()
    name = torch.cuda.get_device_name() if options.device == "cuda" else platform.machine()
    print(f"{name}, torch {torch.__version__}, {datetime.date.today()}, {options.exemplar.name}\n")
    compared(planes, options.field, options.device)
    for compute in providers(options.device):
        ceilings(compute, planes, options.field, options.device)
    waits(planes, options.device)
    large(planes, options.sizes, options.device)


if __name__ == "__main__":
    main()
