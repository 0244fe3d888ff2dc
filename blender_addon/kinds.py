"""What can be installed in the managed runtime, on which computers. No bpy.

Each kind has a list in `requirements/`, which names every wheel by its hash, for Python 3.11 to 3.14 on every system of
the kind. The public registry has no wheels of torch for ROCm, XPU or CUDA on Windows, and none of Numba for Intel's
Macs: who has one of these chooses a Python of their own in the preferences.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

LISTS = Path(__file__).parent / "requirements"


@dataclass(frozen=True)
class Kind:
    """What can be installed.

    download, disk: MB, of the largest of its systems. systems: pairs of sys.platform and platform.machine().
    trial: Python that must run in it. driver: CUDA's version that NVIDIA's driver must offer, as it says it.
    """

    name: str
    label: str
    download: int
    disk: int
    systems: tuple[tuple[str, str], ...]
    trial: str
    driver: int = 0

    @property
    def pins(self) -> Path:
        """Its list of wheels."""
        return LISTS / f"{self.name}.txt"


_LINUX = (("linux", "x86_64"), ("linux", "aarch64"))
_METAL = (("darwin", "arm64"),)
_NUMBA = """
import numba, numpy, threadpoolctl
assert numba.njit(lambda x: x + x)(numpy.arange(3.0)).sum() == 6
"""
_TORCH = """
import torch
assert (torch.ones(8, device="{}") * 2).sum().item() == 16
"""

KINDS = (
    Kind("cpu", "Processor", 100, 290, (*_LINUX, *_METAL, ("win32", "amd64"), ("win32", "arm64")), _NUMBA),
    Kind("cuda", "NVIDIA GPU", 2970, 5100, _LINUX, _NUMBA + _TORCH.format("cuda") + "import triton\n", 13000),
    Kind("mps", "Apple GPU", 200, 870, _METAL, _NUMBA + _TORCH.format("mps")),
)
"""Downloads are added up from the registry's sizes; disk is measured, of cuda added up from a torch with CUDA."""


def kinds() -> list[Kind]:
    """What is offered on this system."""
    return [kind for kind in KINDS if (sys.platform, platform.machine().lower()) in kind.systems]


def obstacle(kind: Kind) -> str:
    """Why this computer cannot use it, so that gigabytes are not downloaded in vain; empty if nothing is known."""
    if kind.driver:
        offered = ctypes.c_int()
        try:
            ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(offered))
        except (OSError, AttributeError):
            return "There is no NVIDIA driver"
        if offered.value < kind.driver:
            return f"NVIDIA's driver offers CUDA {_dotted(offered.value)}, not {_dotted(kind.driver)}: update it"
    return ""


def _dotted(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"
