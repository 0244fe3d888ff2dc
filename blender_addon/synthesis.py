"""A synthesis from the press of a button to the new nodes: what is read, what the worker is asked, what is placed.

Between the first of these and the last the user may do anything: what was meant is found again by its `nodes.Trace`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import jobs, masks, nodes, partners, pixels, preferences, properties, running, variants
from .background import aside
from .nodes import Source, Trace
from .otsynth_core.spec import MAX_SEED, Fill, InputError, Mix
from .pixels import Beside, Picture, Ready
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
    """An image that is worked on: what finds it again, names, role and values, and where its results' files go.

    key: its full name, which no other has.
    """

    trace: Trace
    key: str
    stem: str
    role: str
    like: Picture
    beside: Beside | None

    def source(self) -> Source:
        """Raises InputError where the image is not there any more."""
        image = self.trace.found()
        if image is None:
            raise InputError(f'Image "{self.key}" was deleted while it was worked on: undo that, and press again')
        return Source(image, self.role, ())


@dataclass(frozen=True)
class _Made:
    """What the worker has made of a request: the values by the images' keys, and its report."""

    values: dict[str, Ready]
    report: dict[str, Any]


def work(
    context: bpy.types.Context, options: Any, kind: Kind, wait: Aside
) -> Generator[Update | None, None, list[bpy.types.Image]]:
    """Yields Updates, returns the images of the first variant. Raises InputError before anything is changed.

    options: those of the operator, see `properties`. wait: how the worker is waited for; headless nobody sees previews.
    """
    sources, beside = nodes.sources(context, options.whole), jobs.Beside()
    notes: tuple[str, ...] = ()
    stock = None
    if kind.task == Mix.task:
        partner = partners.read(context, options, sources)
        sources, beside, notes = partner.sources, partner.beside, partner.notes
    if kind.task == Fill.task:
        stock = partners.Stock.of(context, options, sources)
    request = properties.request(kind.task, options, lead(sources))
    requests = [replace(request, seed=(request.seed + n) % (MAX_SEED + 1)) for n in range(options.variations)]
    tiles = _tiles([source.image for source in sources])
    first = tiles[0] if options.udim == "each" or tiles == [None] else sources[0].image.tiles.active.number
    likes = [pixels.read(one.image, one.role, first) for one in sources]
    ones = [
        _One(
            Trace.of(source),
            source.image.name_full,
            pixels.stem(source.image),
            source.role,
            like,
            pixels.beside(source.image, kind.suffix, like.ending) if options.store == "beside" else None,
        )
        for source, like in zip(sources, likes, strict=True)
    ]
    owner = nodes.owner(context)
    python = preferences.of(context).chosen()
    made: list[dict[int | None, _Made]] = [{} for _ in requests]
    numbers = tiles if options.udim == "each" else [first]
    for i, number in enumerate(numbers):
        if made[0] and _gone(ones):
            break
        sources = [one.source() for one in ones]
        read = likes if number == first else [pixels.read(one.image, one.role, number) for one in sources]
        if stock is not None:
            beside = replace(stock.beside(sources, read, number), mask=_mask(options, sources, read, number))
        maps = {one.key: picture.map for one, picture in zip(ones, read, strict=True)}
        del sources, read
        for n, asked in enumerate(requests):
            steps = _ready(jobs.run(python, asked, maps, beside, options.preview and wait is aside), ones, notes)
            share = i * len(requests) + n, len(numbers) * len(requests)
            made[n][number] = yield from running.mapped(wait(steps), _updates(*share, number))
    there = [number for number in tiles if number in made[0]]
    if (gone := _gone(ones)) and there != tiles:
        words = f'"{gone}" was deleted meanwhile: of its tiles the result has {", ".join(map(str, there))}'
        for one in (one for variant in made for one in variant.values()):
            one.report["warnings"] = [*one.report["warnings"], words]
    return _placed(ones, there if gone else tiles, made, kind, options, owner)


def _gone(ones: list[_One]) -> str:
    """The name of an image that was deleted while it was worked on; empty if all are there."""
    return next((one.key for one in ones if one.trace.found() is None), "")


def _ready(
    work: Generator[jobs.Step | None, None, jobs.Outcome], ones: list[_One], notes: tuple[str, ...]
) -> Generator[jobs.Step | None, None, _Made]:
    """The job, and after it what takes time and needs no Blender. notes: what else there is to be told."""
    outcome = yield from work
    values = {}
    for one in ones:
        values[one.key] = Ready.of(outcome.images.pop(one.key), one.like.ending)
        yield None
    return _Made(values, {**outcome.report, "warnings": [*outcome.report.get("warnings", ()), *notes]})


def _updates(done: int, total: int, number: int | None) -> Callable[[jobs.Step], Update]:
    """What makes Updates of the worker's steps on one of several requests; number: of the UDIM tile that it is of."""
    which = f"result {done + 1} of {total}, " if total > 1 else ""
    down, across = (0, 0) if number is None else (-((number - 1001) // 10), (number - 1001) % 10)

    def update(step: jobs.Step) -> Update:
        words = f"{which}level {step.levels - step.level} of {step.levels}"
        top, left, bottom, right = step.place
        place = top + down, left + across, bottom + down, right + across
        return Update((done + step.fraction) / total, words, step.preview, place)

    return update


def _tiles(images: list[bpy.types.Image]) -> list[int] | list[None]:
    """The numbers of the UDIM tiles that images have, all the same ones; of single images None stands for the only."""
    tiles = pixels.numbers(images[0])
    for image in images:
        if pixels.numbers(image) != tiles:
            raise InputError(f'"{images[0].name}" and "{image.name}" have not the same UDIM tiles: leave one out')
    return tiles or [None]


def _mask(options: Any, sources: list[Source], read: list[Picture], number: int | None) -> np.ndarray:
    """What is to be filled; number: of the UDIM tile that the pictures are of."""
    if options.mask_from == "alpha":
        return masks.transparent(sources, read)
    return masks.read(options.mask, sources, read, number)


def _placed(
    ones: list[_One],
    tiles: Sequence[int | None],
    made: list[dict[int | None, _Made]],
    kind: Kind,
    options: Any,
    owner: int | None,
) -> list[bpy.types.Image]:
    """New images, in nodes as far as those of the sources are there; nothing is left of any of them if it fails."""
    images: list[list[bpy.types.Image]] = []
    files: list[tuple[Beside, Path]] = []
    placed: nodes.Places = ()
    try:
        for variant in _variants(ones, tiles, made):
            images.append([])
            for one, values in zip(ones, variant, strict=True):
                path = None
                if one.beside is not None:
                    path = one.beside.free()
                    files.append((one.beside, path))
                images[-1].append(pixels.create(one.stem + kind.suffix, values, one.like, path))
        _mark(images, ones, made, options.asset)
        pairs = [(one.trace.nodes(), image) for one, image in zip(ones, images[0], strict=True)]
        if options.again != "replace" or not nodes.replace(pairs, kind.suffix):
            placed = nodes.place(pairs, kind.suffix, kind.label if options.whole else None)
        if options.use:
            nodes.use(nodes.reached(owner), made=True)
    except BaseException:
        for tree, node in reversed(placed):
            tree.nodes.remove(node)
        for image in sum(images, []):
            bpy.data.images.remove(image)
        for beside, path in files:
            beside.remove(path)
        raise
    for image in images[0]:
        image.use_fake_user |= not image.users  # nothing else keeps it
    _show(ones, images[0])
    return images[0]


def _variants(
    ones: list[_One], tiles: Sequence[int | None], made: list[dict[int | None, _Made]]
) -> Generator[list[dict[int | None, Ready]], None, None]:
    """Of each variant the values of every image, by tile: those that were made, and those that are taken over."""
    over = {
        number: [Ready.of(pixels.read(one.source().image, one.role, number).map.image, one.like.ending) for one in ones]
        for number in tiles
        if number not in made[0]
    }
    for variant in made:
        yield [
            {number: variant[number].values[one.key] if number in variant else over[number][n] for number in tiles}
            for n, one in enumerate(ones)
        ]


def _mark(
    images: list[list[bpy.types.Image]], ones: list[_One], made: list[dict[int | None, _Made]], asset: bool
) -> None:
    """Writes into the images how they came about and which belong together."""
    press = uuid.uuid4().hex
    for number, (variant, of_variant) in enumerate(zip(made, images, strict=True)):
        reports = [one.report for one in variant.values()]
        report = {
            **reports[0],
            "seconds": sum(report["seconds"] for report in reports),
            "warnings": sorted({words for report in reports for words in report.get("warnings", ())}),
        }
        for n, (one, image) in enumerate(zip(ones, of_variant, strict=True)):
            image[REPORT] = json.dumps({"source": one.key, **report})
            if len(made) > 1:
                variants.mark(image, press, n, number)
            if asset:
                image.asset_mark()


def _show(ones: list[_One], images: list[bpy.types.Image]) -> None:
    """In the Image Editor that the button was pressed in, if it shows the source still."""
    space = bpy.context.space_data
    if space is not None and space.type == "IMAGE_EDITOR" and space.image is not None:
        for one, image in zip(ones, images, strict=True):
            if space.image == one.trace.found():
                space.image = image
                return


def lead(sources: list[Source]) -> Source:
    """The one in whose pixels sizes are told: of colour, or the first."""
    return next((source for source in sources if source.role == "color"), sources[0])
