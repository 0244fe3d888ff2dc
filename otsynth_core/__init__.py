"""otsynth: textures with an exemplar's patch distribution at every scale, by optimal transport.

    result = otsynth_core.tile(image)                            # seamless, the same size
    result = otsynth_core.synthesize(image, size=(2048, 1024))   # width x height
    result.image
    result = otsynth_core.tile({"color": a, "normal": b, "roughness": c})   # the maps of one material, in step
    result.images["normal"]

An image is an array (H, W) or (H, W, C), uint8, uint16 or float; the result has the same dtype and channels. A map's
name tells its role, or `Map(array, role)` does.
"""

from __future__ import annotations

from collections.abc import Callable

from . import tasks
from .maps import Given, Map
from .spec import InputError, Size, Synthesize, Tile
from .tasks import Field, Result
from .transport import Step

__all__ = ["Field", "InputError", "Map", "Result", "Size", "Step", "Synthesize", "Tile", "synthesize", "tile"]


def tile(
    image: Given,
    *,
    size: tuple[int, int] | str | None = Tile.size,
    seed: int = Tile.seed,
    device: str = Tile.device,
    quality: str = Tile.quality,
    threads: int | None = Tile.threads,
    memory: int | None = Tile.memory,
    progress: Callable[[Step], None] | None = None,
) -> Result:
    """A seamless version of an image, or of a material's maps, of `size` = (width, height) or about its own.

    See `spec.Tile`. Where the image repeats, its own size is changed to the nearest that holds whole periods; "snap"
    insists on it.
    Raises InputError for an image or a value that cannot be used.
    """
    request = Tile(size=size, seed=seed, device=device, quality=quality, threads=threads, memory=memory)  # type: ignore[arg-type]
    return tasks.finished(tasks.steps(request, image), progress)


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
    progress: Callable[[Step], None] | None = None,
) -> Result:
    """A texture of `size` = (width, height) like an image, or a material's maps, wrapping on the axes of `wrap`.

    See `spec.Synthesize`. Raises InputError for an image or a value that cannot be used.
    """
    request = Synthesize(
        size=Size.of(size), wrap=wrap, seed=seed, device=device, quality=quality, threads=threads, memory=memory
    )
    return tasks.finished(tasks.steps(request, image), progress)
