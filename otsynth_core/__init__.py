"""otsynth: textures with an exemplar's patch distribution at every scale, by optimal transport.

    result = otsynth_core.tile(image)                            # seamless, the same size
    result = otsynth_core.synthesize(image, size=(2048, 1024))   # width x height
    result.image
    result = otsynth_core.tile({"color": a, "normal": b, "roughness": c})   # the maps of one material, in step
    result.images["normal"]
    late = otsynth_core.render(result.field, {"ao": d})          # a map that came later, in step with these
    result = otsynth_core.fill(image, mask)                      # what is white in the mask is made anew
    result = otsynth_core.mix(image, other, t=0.3)               # between two, with so much of the other
    result = otsynth_core.tile(image, gradient=otsynth_core.Gradient())   # by the paper's own solver; it needs torch

An image is an array (H, W) or (H, W, C), uint8, uint16 or float; the result has the same dtype and channels. A map's
name tells its role, or `Map(array, role)` does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import tasks
from .maps import Given, Map, MapSet
from .progress import Step
from .spec import Fill, Gradient, InputError, Mix, Render, Size, Synthesize, Tile
from .tasks import Field, Result

__all__ = [
    "Field",
    "Fill",
    "Gradient",
    "InputError",
    "Map",
    "Mix",
    "Render",
    "Result",
    "Size",
    "Step",
    "Synthesize",
    "Tile",
    "fill",
    "mix",
    "render",
    "synthesize",
    "tile",
]


def tile(
    image: Given,
    *,
    size: tuple[int, int] | str | None = Tile.size,
    method: str = Tile.method,
    band: int | None = Tile.band,
    seed: int = Tile.seed,
    device: str = Tile.device,
    quality: str = Tile.quality,
    threads: int | None = Tile.threads,
    memory: int | None = Tile.memory,
    gradient: Gradient | None = Tile.gradient,
    progress: Callable[[Step], None] | None = None,
) -> Result:
    """A seamless version of an image, or of a material's maps, of `size` = (width, height) or about its own.

    See `spec.Tile`. Where the image repeats, its own size is changed to the nearest that holds whole periods; "snap"
    insists on it. With the method "heal" the picture stays but for parts of a band along its edges, `band` pixels wide.
    gradient: settings of the paper's own solver, to take it in the place of ours.
    Raises InputError for an image or a value that cannot be used.
    """
    request = Tile(
        size=size,  # type: ignore[arg-type]
        method=method,
        band=band,
        seed=seed,
        device=device,
        quality=quality,
        threads=threads,
        memory=memory,
        gradient=gradient,
    )
    return tasks.finished(tasks.steps(request, image), progress)


def fill(
    image: Given,
    mask: np.ndarray,
    *,
    source_mask: np.ndarray | None = None,
    other: Given | None = None,
    invert: bool = Fill.invert,
    margin: int = Fill.margin,
    wrap: str = Fill.wrap,
    seed: int = Fill.seed,
    device: str = Fill.device,
    quality: str = Fill.quality,
    threads: int | None = Fill.threads,
    memory: int | None = Fill.memory,
    progress: Callable[[Step], None] | None = None,
) -> Result:
    """An image, or a material's maps, with what is white in `mask` made anew; every other pixel is as it was.

    mask: (H, W) or (H, W, C) of bool, uint8, uint16 or float from 0 to 1, of the image's proportion; what is grey is
    blended. source_mask: the same; white is where material may be taken from. other: take it from there instead.
    See `spec.Fill`. Raises InputError for an image, a mask or a value that cannot be used.
    """
    request = Fill(
        invert=invert,
        margin=margin,
        wrap=wrap,
        seed=seed,
        device=device,
        quality=quality,
        threads=threads,
        memory=memory,
    )
    region = tasks.Region(mask, source_mask, None if other is None else _other(other))
    return tasks.finished(tasks.steps(request, image, region), progress)


def mix(
    image: Given,
    other: Given,
    *,
    t: float | np.ndarray = Mix.t,
    size: tuple[int, int] | None = Mix.size,
    wrap: str = Mix.wrap,
    seed: int = Mix.seed,
    device: str = Mix.device,
    quality: str = Mix.quality,
    threads: int | None = Mix.threads,
    memory: int | None = Mix.memory,
    gradient: Gradient | None = Mix.gradient,
    progress: Callable[[Step], None] | None = None,
) -> Result:
    """A texture between two images, or the maps of two materials, of `size` = (width, height) or the first's own.

    t: how much of the other there is, from 0 to 1; or of each place: (H, W) or (H, W, C) of bool, uint8, uint16 or
    float from 0 to 1, of the result's proportion. The other's maps need the same roles; the result is like the first.
    See `spec.Mix`. Raises InputError for an image or a value that cannot be used.
    """
    t = t[()] if isinstance(t, np.ndarray) and t.ndim == 0 else t
    everywhere = not isinstance(t, np.ndarray)
    request = Mix(
        t=t if everywhere else Mix.t,  # type: ignore[arg-type]
        size=size,  # type: ignore[arg-type]
        wrap=wrap,
        seed=seed,
        device=device,
        quality=quality,
        threads=threads,
        memory=memory,
        gradient=gradient,
    )
    blend = tasks.Blend(_other(other), None if everywhere else t)  # type: ignore[arg-type]
    return tasks.finished(tasks.steps(request, image, blend), progress)


def render(
    field: Field,
    image: Given,
    *,
    device: str = Render.device,
    threads: int | None = Render.threads,
    memory: int | None = Render.memory,
    progress: Callable[[Step], None] | None = None,
) -> Result:
    """An image, or a material's maps, put together through the field of a result of that material, in step with it.

    field: `Result.field`, or `Field.load(path)`; maps have the proportion of the exemplar that it was solved for, and
    any size. See `spec.Render`. Raises InputError for maps of another proportion, or a value that cannot be used.
    """
    request = Render(device=device, threads=threads, memory=memory)
    return tasks.finished(tasks.steps(request, image, field), progress)


def _other(given: Given) -> MapSet:
    """The maps of a second material. Raises InputError in its name."""
    try:
        return MapSet.of(given)
    except InputError as error:
        raise InputError(f"other: {error}") from None


def synthesize(
    image: Given,
    *,
    size: tuple[int, int],
    wrap: str = Synthesize.wrap,
    seed: int = Synthesize.seed,
    device: str = Synthesize.device,
    quality: str = Synthesize.quality,
    threads: int | None = Synthesize.threads,
    memory: int | None = Synthesize.memory,
    gradient: Gradient | None = Synthesize.gradient,
    progress: Callable[[Step], None] | None = None,
) -> Result:
    """A texture of `size` = (width, height) like an image, or a material's maps, wrapping on the axes of `wrap`.

    See `spec.Synthesize`; gradient: settings of the paper's own solver, to take it in the place of ours.
    Raises InputError for an image or a value that cannot be used.
    """
    request = Synthesize(
        size=Size.of(size),
        wrap=wrap,
        seed=seed,
        device=device,
        quality=quality,
        threads=threads,
        memory=memory,
        gradient=gradient,
    )
    return tasks.finished(tasks.steps(request, image), progress)
