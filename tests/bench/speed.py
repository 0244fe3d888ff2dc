"""How fast, side by side: our kernels, G'MIC, a sketch of the solver, one iteration of the paper's Algorithm 1.

    python tests/bench/speed.py EXEMPLAR.png [--sizes 256,512,1024,2048] [--rounds N] [--quality Q] [--sketch FILE.py]

The exemplar (at least 512 px) is cropped to half of each size, at most 512 px. All contenders take turns, `--rounds`
times; printed are the least time of each, its ratio to that of our fastest kernels on a processor, time per pixel, and,
of ours, the longest wait between two Steps: so long it can take until a cancelled one ends.
Times hold neither the start of an interpreter nor, for G'MIC, that of a process that only reads and writes the images
(it is timed and taken off). Ours hold everything from array to array. Where torch finds a GPU it takes part, and so do
4096 and 8192 px if they are asked for.
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
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import otsynth_core
from otsynth_core import files, kernels
from otsynth_core.spec import DEVICES, InputError

Contender = Callable[[np.ndarray, int], object]
"""Makes a texture of so many pixels a side; those of ours return the longest time between two Steps."""


def devices() -> list[str]:
    """Those of ours that are there, each once, the fastest on a processor first."""
    there = {}
    for device in ("cpu", *(name for name in DEVICES if name not in ("auto", "cpu"))):
        try:
            there.setdefault(kernels.load(device).name, device)
        except InputError:
            continue
    return list(there.values())


def ours(device: str, quality: str) -> Contender:
    def run(exemplar: np.ndarray, side: int) -> float:
        times = [time.perf_counter()]
        options = {"device": device, "quality": quality, "progress": lambda step: times.append(time.perf_counter())}
        otsynth_core.tile(exemplar, size=(side, side), **options)  # type: ignore[arg-type]
        return float(np.diff([*times, time.perf_counter()]).max())

    return run


def gmic(exemplar: np.ndarray, width: int, height: int | None = None, empty: bool = False) -> np.ndarray:
    """A result of `syntexturize_matchpatch`, square unless told; empty: only started, and files read and written."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "in.png", Path(folder) / "out.png"
        files.write(source, files.Picture(exemplar))
        verb = [f"{width},{height or width}"]
        verb = ["resize", *verb] if empty else ["syntexturize_matchpatch", *verb]
        subprocess.run(["gmic", "-v", "0", str(source), *verb, "output", str(made)], check=True, capture_output=True)
        return files.read(made).pixels


def seconds(run: Callable[[], object]) -> tuple[float, object]:
    """How long it takes, and what it returns."""
    start = time.perf_counter()
    returned = run()
    return time.perf_counter() - start, returned


def sketch(path: Path) -> Contender:
    import torch

    module: ModuleType = importlib.util.module_from_spec(spec := importlib.util.spec_from_file_location("sketch", path))  # type: ignore[arg-type]
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(module)

    def run(exemplar: np.ndarray, side: int) -> None:
        planes = torch.from_numpy(exemplar.astype(np.float32) / 255).permute(2, 0, 1)[None]
        module.synthesize(planes, side, side)

    return run


def paper(exemplar: np.ndarray, side: int) -> None:
    from tests.bench import alg1

    next(alg1.iterations(exemplar.astype(np.float32) / 255, (side, side)))


def imports() -> list[str]:
    """Seconds to import the core, and to have each provider's kernels ready, each in a new interpreter."""
    rows = []
    root = str(Path(__file__).resolve().parents[2])
    for what, code in [
        ("nothing", ""),
        ("the core", "import otsynth_core"),
        *(
            (f"the core and its {device} kernels", f"from otsynth_core import kernels; kernels.load('{device}')")
            for device in devices()
        ),
    ]:
        command = [sys.executable, "-c", code]
        least = min(seconds(partial(subprocess.run, command, cwd=root, check=True))[0] for _ in range(3))
        rows.append(f"| {what} | {least:.2f} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("exemplar", type=Path)
    parser.add_argument("--sizes", default="256,512,1024,2048")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quality", default="normal")
    parser.add_argument("--sketch", type=Path)
    options = parser.parse_args()
    whole = files.read(options.exemplar).pixels[..., :3]
    contenders: dict[str, Contender] = {device: ours(device, options.quality) for device in devices()}
    first = next(iter(contenders))
    names = {device: f"otsynth ({kernels.load(device).name})" for device in contenders}
    if shutil.which("gmic"):
        contenders["gmic"] = gmic
        names["gmic"] = "G'MIC syntexturize_matchpatch"
    if options.sketch:
        contenders["sketch"] = sketch(options.sketch)
        names["sketch"] = "sketch (torch)"
    if importlib.util.find_spec("torch"):
        contenders["paper"] = paper
        names["paper"] = "Alg. 1, ONE of its 500 iterations"
    for device in devices():
        otsynth_core.tile(whole[:64, :64], size=(64, 64), device=device)  # compiles
    print(f"{options.quality}, {datetime.date.today()}, {platform.machine()}, {options.exemplar.name}\n")
    print("| from | to | who | seconds | ratio | us per px | longest wait |\n|---|---|---|---|---|---|---|")
    for side in map(int, options.sizes.split(",")):
        half = min(side // 2, 512)
        exemplar = np.ascontiguousarray(whole[:half, :half])
        least = dict.fromkeys(contenders, float("inf"))
        waits: dict[str, float] = {}
        for turn in range(options.rounds):
            for name, run in contenders.items():
                if (name == "paper" and (side > 256 or turn)) or (name == "sketch" and side > 1024):
                    continue
                took, wait = seconds(partial(run, exemplar, side))
                if name == "gmic":
                    took -= seconds(partial(gmic, exemplar, side, empty=True))[0]
                if isinstance(wait, float):  # the least of rounds, as of the seconds: in the first one may be compiled
                    waits[name] = min(waits.get(name, float("inf")), wait)
                least[name] = min(least[name], took)
        for name, took in least.items():
            if took < float("inf"):
                wait = f"{waits[name]:.2f}" if name in waits else ""
                cells = f"{took:.2f} | {took / least[first]:.2f} | {took / side**2 * 1e6:.2f} | {wait}"
                print(f"| {half} | {side} | {names[name]} | {cells} |", flush=True)
    print("\n| new interpreter that imports | seconds |\n|---|---|")
    print("\n".join(imports()))


if __name__ == "__main__":
    main()
