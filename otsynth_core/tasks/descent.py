"""Descent: a request that the gradient solver meets. It makes one image, and knows of no field and no periods."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from .. import kernels
from ..maps import Map, MapSet
from ..progress import Step, mapped
from ..roles import NORMALS
from ..spec import InputError, Mix, Request, Size, Synthesize, Tile
from .result import Result

LARGEST = 2048
"""Longest side, in pixels, of exemplars and results: the features of all scales are held at once."""

Stock = Sequence[tuple[MapSet, float | np.ndarray]]
"""Exemplars, each a map alone, and how much of the result is to be like it: one number, or a map (H, W) over it."""


def made(request: Request, stock: Stock, size: Size, wrap: tuple[bool, bool]) -> Generator[Step, None, Result]:
    """Yields Steps, returns the Result, under the first exemplar's name and of its kind.

    Raises InputError for what the solver does not make, where torch is not there, and where no step could be taken.
    """
    assert isinstance(request, Tile | Synthesize | Mix)
    assert request.gradient is not None
    (name, first), *others = (_only(maps) for maps, _ in stock)
    _check([first, *(one for _, one in others)], size)
    if request.gradient.features != "patches" and not first.opaque:
        raise InputError("image has alpha: VGG sees colour alone; compare patches, or leave alpha out")
    try:
        from .. import gradient
    except (ImportError, OSError) as error:
        told = kernels.reason(error)
        raise InputError(f"the gradient solver needs torch, which is not there ({told}): install it") from None
    planes = [one.rendered() for one in (first, *(one for _, one in others))]
    least, most = (float(pick([pick(these) for these in planes])) for pick in (np.min, np.max))
    low, high = _range(first, least, most)
    objectives = [
        gradient.Objective((these - low) / (high - low), share) for these, (_, share) in zip(planes, stock, strict=True)
    ]

    def own(values: np.ndarray) -> np.ndarray:
        """The map's planes, with no value that the exemplars could not have."""
        return (low + (high - low) * values).clip(least, most)

    solving = gradient.solve(
        objectives, (size.height, size.width), wrap, request.gradient, request.seed, request.device, request.threads
    )
    done = yield from mapped(solving, lambda step: replace(step, preview=partial(_seen, step, own)))
    notes: tuple[str, ...] = ()
    if done.stopped == 1:
        raise InputError("the loss is no number from the start: try another loss, descent, or other weights")
    if done.stopped is not None:
        at = f"the loss was no number any more at iteration {done.stopped}"
        notes = (f"{at}: the picture is the last before it; try another loss or descent",)
    return Result(
        request,
        stock[0][0],
        {name: first.restored(own(done.planes))},
        None,
        "torch" if done.device == "cpu" else done.device,
        (done.seconds,),
        (None, None),
        (),
        notes=notes,
        losses=done.losses,
    )


def _seen(step: Step, own: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return own(step.preview())


def _only(maps: MapSet) -> tuple[str, Map]:
    """The name and the map of a set of one."""
    if len(maps.maps) > 1:
        raise InputError(
            f"the gradient solver makes one image, and {len(maps.maps)} maps were given; the transport solver makes"
            " whole materials"
        )
    return next(iter(maps.maps.items()))


def _check(exemplars: Sequence[Map], size: Size) -> None:
    for one in exemplars:
        if one.role == "id":
            raise InputError(
                "a map of ids cannot be averaged, as the gradient solver does; choose the transport solver"
            )
        if one.lit:
            raise InputError(
                "image is linear (HDR): the gradient solver takes encoded colour; choose the transport solver"
            )
        if one.rendered().shape[2] != exemplars[0].rendered().shape[2]:
            raise InputError(
                f"exemplars have {exemplars[0].channels} and {one.channels} channels, or one of them is transparent:"
                " the gradient solver mixes images of one kind"
            )
    for what, (width, height) in (*(("exemplar", one.size[::-1]) for one in exemplars), ("result", size)):
        if max(width, height) > LARGEST:
            raise InputError(
                f"{what} is {Size(width, height)} px: {LARGEST} px a side are the most for the gradient solver;"
                " choose the transport solver"
            )


def _range(one: Map, least: float, most: float) -> tuple[float, float]:
    """What is 0 and what 1 to the solver: black and white, or the least and the most where values lie beyond."""
    if one.role not in NORMALS and least >= 0 and most <= 1:
        return 0.0, 1.0
    return least, most if most > least else least + 1
