"""A synthesis from the press of a button to the new nodes: what is read, what the worker is asked, what is placed.

Between the first of these and the last the user may do anything: what was meant is found again by its `nodes.Trace`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import jobs, masks, nodes, pixels, preferences, properties, running, variants
from .nodes import Source, Trace
from .otsynth_core.spec import MAX_SEED, Fill, InputError
from .pixels import Picture
from .running import Aside, Update

REPORT = "otsynth"
"""Custom property of a result: how it was made, as JSON."""


@dataclass(frozen=True)
class Kind:
    """Of synthesis: its name on the screen, its task, what is put behind the names of results."""

    label: str
    task: str
    suffix: str


@dataclass(frozen=True)
class _One:
    """An image that is worked on: what finds it again, names, role and values, and where its results' files go."""

    trace: Trace
    name: str
    stem: str
    role: str
    like: Picture
    paths: tuple[Path | None, ...]

    def source(self) -> Source:
        """Raises InputError where the image is not there any more."""
        image = self.trace.found()
        if image is None:
            raise InputError(f'Image "{self.name}" was deleted while it was worked on: undo that, and press again')
        return Source(image, self.role, ())


def work(
    context: bpy.types.Context, options: Any, kind: Kind, wait: Aside
) -> Generator[Update | None, None, list[bpy.types.Image]]:
    """Yields Updates, returns the images of the first variant. Raises InputError before anything is changed.

    options: those of the operator, see `properties`.
    """
    sources = nodes.sources(context, options.whole)
    request = properties.request(kind.task, options, lead(sources))
    requests = [replace(request, seed=(request.seed + n) % (MAX_SEED + 1)) for n in range(options.variations)]
    tiles = _tiles([source.image for source in sources])
    first = tiles[0] if options.udim == "each" or tiles == [None] else sources[0].image.tiles.active.number
    likes = [pixels.read(one.image, one.role, first) for one in sources]
    paths = _paths(sources, likes, kind.suffix, len(requests)) if options.store == "beside" else None
    ones = [
        _One(
            Trace.of(source),
            source.image.name,
            pixels.stem(source.image),
            source.role,
            like,
            paths[n] if paths else (None,) * len(requests),
        )
        for n, (source, like) in enumerate(zip(sources, likes, strict=True))
    ]
    owner = nodes.owner(context)
    python = preferences.of(context).chosen()
    made: list[dict[int | None, jobs.Outcome]] = [{} for _ in requests]
    numbers = tiles if options.udim == "each" else [first]
    for i, number in enumerate(numbers):
        sources = [one.source() for one in ones]
        read = likes if number == first else [pixels.read(one.image, one.role, number) for one in sources]
        mask = _mask(options, sources, read, number) if kind.task == Fill.task else None
        maps = {one.name: picture.map for one, picture in zip(ones, read, strict=True)}
        del sources, read
        for n, asked in enumerate(requests):
            steps = jobs.run(python, asked, maps, mask, preview=options.preview)
            done, total = i * len(requests) + n, len(numbers) * len(requests)
            made[n][number] = yield from running.mapped(wait(steps), _Words(done, total))
    return _placed(ones, tiles, made, kind, options, owner)


class _Words:
    """The worker's steps on one of several requests as Updates."""

    def __init__(self, done: int, total: int) -> None:
        self.done, self.total, self.last = done, total, ""

    def __call__(self, step: jobs.Step) -> Update:
        which = f"result {self.done + 1} of {self.total}, " if self.total > 1 else ""
        words = f"{which}level {step.levels - step.level} of {step.levels}"
        new = words if step.round == step.rounds and words != self.last else None
        self.last = new or self.last
        fraction = (self.done + step.fraction) / self.total
        return Update(fraction, words, new and f"{new} done", step.preview, step.place)


def _tiles(images: list[bpy.types.Image]) -> list[int] | list[None]:
    """The numbers of the UDIM tiles that images have, all the same ones; of single images None stands for the only."""
    tiles = pixels.numbers(images[0])
    for image in images:
        if pixels.numbers(image) != tiles:
            raise InputError(f'"{images[0].name}" and "{image.name}" have not the same UDIM tiles: leave one out')
    return tiles or [None]


def _paths(sources: list[Source], likes: list[Picture], suffix: str, number: int) -> list[tuple[Path, ...]]:
    """Free names for the files of so many results of each source."""
    taken: list[Path] = []
    for source, like in zip(sources, likes, strict=True):
        for _ in range(number):
            taken.append(pixels.beside(source.image, suffix, like.ending, taken))
    return [tuple(taken[n : n + number]) for n in range(0, len(taken), number)]


def _mask(options: Any, sources: list[Source], read: list[Picture], number: int | None) -> np.ndarray:
    """What is to be filled; number: of the UDIM tile that the pictures are of."""
    if options.mask_from == "alpha":
        return masks.transparent(sources, read)
    return masks.read(options.mask, sources, read, number)


def _placed(
    ones: list[_One],
    tiles: list[int] | list[None],
    made: list[dict[int | None, jobs.Outcome]],
    kind: Kind,
    options: Any,
    owner: int | None,
) -> list[bpy.types.Image]:
    """New images, in nodes as far as those of the sources are there. Nothing is left of them if it fails."""
    images: list[list[bpy.types.Image]] = []
    press = uuid.uuid4().hex
    try:
        for n, outcomes in enumerate(made):
            images.append([])
            report = _summed([outcome.report for outcome in outcomes.values()])
            for one in ones:
                values = {
                    number: outcomes[number].images[one.name]
                    if number in outcomes
                    else pixels.read(one.source().image, one.role, number).map.image
                    for number in tiles
                }
                image = pixels.create(one.stem + kind.suffix, values, one.like, one.paths[n])
                images[-1].append(image)
                image[REPORT] = json.dumps({"source": one.name, **report})
                if len(made) > 1:
                    variants.mark(image, press, one.name, n)
                if options.asset:
                    image.asset_mark()
        pairs = [(one.trace.nodes(), image) for one, image in zip(ones, images[0], strict=True)]
        replaced = options.again == "replace" and nodes.replace(pairs, kind.suffix)
        if not replaced and not nodes.place(pairs, kind.suffix, kind.label if options.whole else None):
            images[0][0].use_fake_user = True  # nothing else keeps it
        elif options.use:
            nodes.use(nodes.reached(owner), made=True)
    except BaseException:
        for outcome_images in images:
            for one, image in zip(ones, outcome_images, strict=False):
                path = one.paths[images.index(outcome_images)]
                if path is not None:
                    pixels.remove_files(path, pixels.numbers(image))
                bpy.data.images.remove(image)
        raise
    space = bpy.context.space_data
    if space is not None and space.type == "IMAGE_EDITOR":
        for one, image in zip(ones, images[0], strict=True):
            if space.image is not None and space.image == one.trace.found():
                space.image = image
                break
    return images[0]


def _summed(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """The report on all tiles of a set."""
    return {
        **reports[0],
        "seconds": sum(report["seconds"] for report in reports),
        "warnings": sorted({words for report in reports for words in report.get("warnings", ())}),
    }


def lead(sources: list[Source]) -> Source:
    """The one in whose pixels sizes are told: of colour, or the first."""
    return next((source for source in sources if source.role == "color"), sources[0])
