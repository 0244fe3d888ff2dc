"""The curve: the gradient solver's loss over its iterations, as a picture. Drawn with Matplotlib."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from .spec import InputError


def check(path: Path) -> None:
    """Raises InputError where no picture of this name can be drawn."""
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: the curve is a picture; name it .png")
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError(
            f"{path}: to draw it Matplotlib is needed, which is not there; install it or leave --curve out"
        )


def draw(losses: Sequence[float], path: Path) -> None:
    """Writes a PNG of 800 x 500 px; the loss on a logarithmic scale where all of it is above 0."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(range(1, len(losses) + 1), losses)
    axes.set(xlabel="iteration", ylabel="loss", yscale="log" if min(losses, default=0) > 0 else "linear")
    axes.grid(alpha=0.3)
    figure.savefig(path, format="png")
