"""Which Python computes: one that the user chose, else Blender's own with its NumPy."""

from __future__ import annotations

import os
import sys

VARIABLE = "OTSYNTH_PYTHON"
_BLENDERS = ("OCIO", "PYTHONHOME", "PYTHONIOENCODING")


def command(preferred: str) -> list[str]:
    """How to start the Python that computes: the environment variable's, else the preference's, else Blender's own.

    Blender's own is kept apart from the user's packages, which may hold another NumPy, as Blender itself does.
    """
    chosen = os.environ.get(VARIABLE) or preferred
    if not chosen:
        return [sys.executable, "-I"]
    chosen = os.path.expanduser(chosen.strip())
    return [os.path.abspath(chosen) if os.path.dirname(chosen) else chosen]


def environment() -> dict[str, str]:
    """This process's environment without what is meant for Blender alone."""
    return {name: value for name, value in os.environ.items() if name not in _BLENDERS}
