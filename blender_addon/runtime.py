"""Which Python computes: one that the user chose, else Blender's own with its NumPy."""

from __future__ import annotations

import os
import sys

VARIABLE = "OTSYNTH_PYTHON"


def python(preferred: str) -> str:
    """The executable: environment variable OTSYNTH_PYTHON, else the preference, else Blender's own Python."""
    return os.environ.get(VARIABLE) or preferred or sys.executable


def environment() -> dict[str, str]:
    """This process's environment without what is meant for Blender alone."""
    return {name: value for name, value in os.environ.items() if name not in ("OCIO", "PYTHONHOME")}
