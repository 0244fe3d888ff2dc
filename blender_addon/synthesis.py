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

from . import jobs, masks, nodes, partners, pixels, preferences, properties, running, shown, variants
from .background import aside
from .nodes import Source, Trace
from .otsynth_core.spec import MAX_SEED, Fill, InputError, Mix, Request
from .pixels import Beside, Picture, Ready
from .running import Aside, Update

_UNTOLD = "color", "other"
"""Roles that an image has for want of another; what it is linked to later may tell."""


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
            raise InputError(f'"{self.key}" was deleted meanwhile')
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
    mask = bpy.data.images.get(options.mask) if kind.task == Fill.task and options.mask_from == "image" else None
    with shown.again(mask, options.again == "replace") as last:
        images = yield from _work(context, options, kind, wait)
    if options.again == "replace":
        _cleared(last, kind, images)
    return images


def _work(
    context: bpy.types.Context, options: Any, kind: Kind, wait: Aside
) -> Generator[Update | None, None, list[bpy.types.Image]]:
    sources, beside = nodes.sources(context, options.whole), jobs.Beside()
    notes: tuple[str, ...] = ()
    stock = None
    if kind.task == Mix.task:
        partner = partners.read(context, options, sources)
        sources, beside, notes = partner.sources, partner.beside, partner.notes
    tiles = _tiles([source.image for source in sources])
    numbers = tiles if options.udim == "each" or tiles == [None] else [sources[0].image.tiles.active.number]
    if kind.task == Fill.task:
        stock = partners.Stock.of(context, options, sources)
        masks.check([options.mask if options.mask_from == "image" else "", stock.mask], numbers)
    likes = [pixels.read(one.image, one.role, numbers[0]) for one in sources]
    leading = sources.index(lead(sources))
    requests = _requests(kind.task, options, likes[leading].map.size)
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
    over: dict[int | None, dict[str, Ready]] = {}
    trouble = ""
    try:
        for i, number in enumerate(numbers):
            sources = [one.source() for one in ones]
            read = likes if i == 0 else [pixels.read(one.image, one.role, number) for one in sources]
            if stock is not None:
                beside = replace(stock.beside(sources, read, number), mask=_mask(options, sources, read, number))
            maps = {one.key: picture.map for one, picture in zip(ones, read, strict=True)}
            if beside.other:
                maps, other = partners.alike(maps, beside.other)
                beside = replace(beside, other=other)
            size = read[leading].map.size  # tiles may be of several
            requests = _requests(kind.task, options, size)
            scale = [wanted / own for wanted, own in zip(_asked(requests[0], size), size, strict=True)]
            del sources, read
            for n, asked in enumerate(requests):
                steps = _ready(jobs.run(python, asked, maps, beside, options.preview and wait is aside), ones, notes)
                share = i * len(requests) + n, len(numbers) * len(requests)
                made[n][number] = yield from running.mapped(wait(steps), _updates(*share, number, scale))
        for number in [number for number in tiles if number not in made[0]]:
            values = {one.key: pixels.read(one.source().image, one.role, number).map.image for one in ones}
            over[number] = yield from wait(_encoded(values, ones))
    except InputError as error:
        if not made[-1]:
            raise
        trouble = str(error)  # what was done meanwhile is no reason to lose what was made
    if trouble:
        tiles = [number for number in tiles if number in made[-1]]
        words = f"{trouble}. Of its tiles the result has {', '.join(map(str, tiles))}"
        for one in (one for variant in made for one in variant.values()):
            one.report["warnings"] = [*one.report["warnings"], words]
    return _placed(ones, tiles, made, over, kind, options, owner)


def _requests(task: str, options: Any, size: tuple[int, int]) -> list[Request]:
    """Of each variant, for a leading image of a size (height, width)."""
    request = properties.request(task, options, size)
    return [replace(request, seed=(request.seed + n) % (MAX_SEED + 1)) for n in range(options.variations)]


def _asked(request: Request, size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of a request's result, of an image of a size."""
    asked = getattr(request, "size", None)
    return (asked.height, asked.width) if asked is not None else size


def _encoded(images: dict[str, np.ndarray], ones: list[_One]) -> Generator[None, None, dict[str, Ready]]:
    """The values of images by their keys, as Blender takes them."""
    values = {}
    for one in ones:
        values[one.key] = Ready.of(images.pop(one.key), one.like.ending)
        yield None
    return values


def _ready(
    work: Generator[jobs.Step | None, None, jobs.Outcome], ones: list[_One], notes: tuple[str, ...]
) -> Generator[jobs.Step | None, None, _Made]:
    """The job, and after it what takes time and needs no Blender. notes: what else there is to be told."""
    outcome = yield from work
    values = yield from _encoded(outcome.images, ones)
    return _Made(values, {**outcome.report, "warnings": [*outcome.report.get("warnings", ()), *notes]})


def _updates(done: int, total: int, number: int | None, scale: Sequence[float]) -> Callable[[jobs.Step], Update]:
    """What makes Updates of the worker's steps on one of several requests.

    number: of the UDIM tile that it is of; scale: of its sides, down and across, over the source's.
    """
    which = f"result {done + 1} of {total}, " if total > 1 else ""
    down, across = (0, 0) if number is None else (-((number - 1001) // 10), (number - 1001) % 10)

    def update(step: jobs.Step) -> Update:
        words = which + (f"level {step.levels - step.level} of {step.levels}" if step.levels else "looking at it")
        (top, left, bottom, right), (high, wide) = step.place, scale
        place = top * high + down, left * wide + across, bottom * high + down, right * wide + across
        return Update((done + step.fraction) / total, words, step.preview, place)

    return update


def _tiles(images: list[bpy.types.Image]) -> Sequence[int | None]:
    """The numbers of the UDIM tiles that images have, all the same ones; of single images None stands for the only.

    Raises InputError where they have not the same ones, or one of these cannot be read.
    """
    tiles = pixels.numbers(images[0])
    for image in images:
        if pixels.numbers(image) != tiles:
            raise InputError(f'"{images[0].name}" and "{image.name}" have not the same UDIM tiles: leave one out')
        for number in tiles:
            pixels.check(image, number)
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
    over: dict[int | None, dict[str, Ready]],
    kind: Kind,
    options: Any,
    owner: int | None,
) -> list[bpy.types.Image]:
    """New images, in nodes as far as those of the sources are there; nothing is left of any of them if it fails.

    over: the values of those tiles that are taken over as they are.
    """
    images: list[list[bpy.types.Image]] = []
    files: list[tuple[Beside, Path]] = []
    placed: nodes.Places = ()
    try:
        for variant in made:
            images.append([])
            for one in ones:
                values = {n: (variant[n].values if n in variant else over[n])[one.key] for n in tiles}
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
            nodes.use(nodes.reached(owner), made=True, of=sum((places for places, _ in pairs), ()))
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
    shown.show([(one.trace.found(), image) for one, image in zip(ones, images[0], strict=True)])
    return images[0]


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
            image[nodes.REPORT] = json.dumps({"source": one.key, **report})
            if len(made) > 1:
                variants.mark(image, press, n, number)
            if asset:
                image.asset_mark()
            if one.role not in _UNTOLD:
                image.otsynth_role = one.role  # which its place in the material need not tell


def _cleared(last: int | None, kind: Kind, images: list[bpy.types.Image]) -> None:
    """Deletes a result that was kept by nothing but us, now that another one of its kind is there in its place."""
    image = next((one for one in bpy.data.images if one.session_uid == last), None)
    if image is not None and image not in images and json.loads(image[nodes.REPORT])["task"] == kind.task:
        variants.drop(image, ours=True)


def lead(sources: list[Source]) -> Source:
    """The one in whose pixels sizes are told: of colour, or the first."""
    return next((source for source in sources if source.role == "color"), sources[0])
