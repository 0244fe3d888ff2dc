"""The Triton kernels are compiled for GPUs that need not be there. What they compute, `test_kernels` tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from typing import Any

import pytest

GPUS = {"A100": 80, "H100": 90}
"""Compute capability of each."""
FIELD = ["by", "bx", "best_to", "cy", "cx", "ny_to", "nx_to"]
REALS = ["x", "minus_two_y", "bias", "psi", "score_to", "y", "grace", "cost_to", "e", "weight", "u"]
LAUNCHES: dict[str, list[dict[str, Any]]] = {
    "_nearest": [{"BUT": but, "AROUND": (but, 0), "k": k} for but in (0, 1) for k in (16, 20)],
    "_swept": [
        {"DOWN": 1, "ACROSS": wraps, "AROUND": (1, wraps), "TRIALS": 3, "k": k, "y": y}
        for wraps, k, y in ((1, 16, "*fp32"), (0, 20, "*fp32"), (1, 16, "*i16"), (0, 20, "*i16"))
    ],
    "_voted": [{"DOWN": 1, "ACROSS": wraps, "c": 3} for wraps in (0, 1)],
}


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("name", LAUNCHES)
def test_compiles_without_spilling_registers(name: str, gpu: str) -> None:
    pytest.importorskip("triton")
    there = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    run = subprocess.run([sys.executable, "-m", __name__, name, gpu], env=there, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["0"] * len(LAUNCHES[name])


def spilled(name: str, gpu: str) -> None:
    """Writes how many bytes of the stack each variant takes."""
    from triton import compile, knobs
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from otsynth_core import levels
    from otsynth_core.kernels import NEIGHBOURS, triton

    kernel = getattr(triton, name)
    always = {"DIRECTIONS": NEIGHBOURS, "SIDE": levels.SIDE}
    always |= {key: getattr(triton, key) for key in ("ROWS", "COLUMNS", "BLOCK")}
    for given in LAUNCHES[name]:
        constants = {**always, **given, "K": triton._padded(given.get("k", 0))}
        y = {"y": constants.pop("y", "")}
        constants = {key: value for key, value in constants.items() if key in kernel.arg_names}
        types = {key: "*i32" if key in FIELD else "*fp32" if key in REALS else "i32" for key in kernel.arg_names}
        types |= ({"least": "fp32"} if "least" in types else {}) | (y if "y" in types else {})
        types |= dict.fromkeys(constants, "constexpr")
        aligned = {(n,): [["tt.divisibility", 16]] for n, kind in enumerate(types.values()) if kind.startswith("*")}
        places = {(list(types).index(key),): value for key, value in constants.items()}
        source = ASTSource(kernel, types, places, aligned)
        compiled = compile(source, target=GPUTarget("cuda", GPUS[gpu], 32))
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(compiled.asm["cubin"])
            file.flush()
            dump = [knobs.nvidia.cuobjdump.path, "--dump-resource-usage", file.name]
            usage = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
        sys.stdout.write(re.findall(r"STACK:(\d+)", usage)[-1] + "\n")


if __name__ == "__main__":
    spilled(*sys.argv[1:])
