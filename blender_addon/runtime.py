"""Which Python computes: one that the user chose, else the managed runtime, else Blender's own with its NumPy."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from . import managed

VARIABLE = "OTSYNTH_PYTHON"


@dataclass(frozen=True)
class Provider:
    """Who computes: how to start its Python, and its name for the screen."""

    command: tuple[str, ...]
    words: str


def provider(preferred: str, place: Path | None = None) -> Provider:
    """The environment variable's Python, else the preference's, else the one managed in a place, else Blender's own.

    The managed one is taken when outdated as well: an update of the extension shall not take the GPU away. It and
    Blender's own are kept apart from the user's packages, which may hold another NumPy, as Blender itself is.
    """
    if chosen := (os.environ.get(VARIABLE) or preferred).strip().strip('"'):  # as Windows copies paths
        chosen = os.path.expanduser(chosen)
        path = os.path.abspath(chosen) if os.path.dirname(chosen) else chosen
        return Provider((path,), path)
    if place is not None:
        state = managed.state(place)
        if state.python:
            kind = f", {state.kind.label}" if state.kind is not None else ""
            return Provider((str(state.python), "-I"), f"the runtime below{kind}")
    return Provider((sys.executable, "-I"), "Blender's own Python with NumPy")
