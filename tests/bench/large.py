"""Large sets: seconds and peak memory of four maps at 2048 px and more. Prints a table; each size in a process.

    python tests/bench/large.py ../shared/textures/pbr/rock_face [--sizes 2048,4096,8192] [--quality draft]

The maps are enlarged to the size that is asked for, and a set of that size is made of them. Peak: the most memory that
the process held, the maps and the results among it; B/px: beyond these, per pixel and map.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import otsynth_core
from otsynth_core import files
from otsynth_core.maps import resized
from otsynth_core.roles import guessed

ROLES = ("color", "normal", "height", "roughness")


def row(folder: Path, side: int, quality: str) -> str:
    paths = {guessed(path.stem, among=True): path for path in sorted(folder.glob("*.png"))}
    given = {}
    for role in ROLES:
        pixels = files.read(paths[role]).pixels
        planes = [resized(pixels[..., c : c + 1].astype(np.float32), (side, side)) for c in range(pixels.shape[2])]
        given[role] = np.concatenate([np.rint(plane).astype(np.uint8) for plane in planes], 2)
    otsynth_core.tile({role: image[:64, :64] for role, image in given.items()})  # compiles
    start = time.perf_counter()
    last, longest = start, 0.0

    def heard(_: otsynth_core.Step) -> None:
        nonlocal last, longest
        now = time.perf_counter()
        last, longest = now, max(longest, now - last)

    result = otsynth_core.tile(given, size=(side, side), quality=quality, progress=heard)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    known = sum(image.nbytes for image in (*given.values(), *result.images.values()))
    micro = seconds / side**2 / len(ROLES) * 1e6
    beyond = (peak - known) / side**2 / len(ROLES)
    return f"| {side} | {seconds:.0f} | {micro:.2f} | {peak / 2**30:.1f} | {beyond:.0f} | {longest:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", default="2048,4096,8192")
    parser.add_argument("--quality", default="draft")
    options = parser.parse_args()
    sizes = options.sizes.split(",")
    if len(sizes) == 1:
        print(row(options.folder, int(sizes[0]), options.quality), flush=True)
        return
    print(f"{platform.machine()}, {options.folder.name}, {options.quality} quality, {datetime.date.today()}\n")
    print("| px | seconds | microseconds a pixel and map | peak GiB | B/px | longest wait s |\n" + "| --- " * 6 + "|")
    for size in sizes:
        command = [sys.executable, __file__, str(options.folder), "--sizes", size, "--quality", options.quality]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
