"""The transport solver: patch distributions matched by optimal transport, coarse to fine, as a correspondence field.

At every level the patches x_i of the image u are assigned to exemplar patches y_j by the biased nearest neighbour
C(i) = argmin_j |x_i - y_j|^2 - psi_j, and u becomes the weighted mean of the assigned patches that overlap. At coarse
levels, where all pairs can be compared, psi is ascended until every exemplar patch is used equally often: the
composition is decided there. At fine levels the field C is upsampled, refined by search and balanced by places and
kinds, and what agrees with its neighbours holds together: this is what makes the picture sharp. Where a part of the
picture is known already (`holes`), it is put back after every vote, and its patches stand for themselves.

Of several exemplars each has a field, potentials and a picture of its own. What a patch of it is compared by is the
mean of all pictures' patches there, each carried to the exemplar's distribution and weighted by its share: at a fixed
point they lie on one another as in the Wasserstein barycenter. `tasks.mix` averages what is put together.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from . import assembly, graft, levels, lines, patches, period, pyramid, search, semidual, upsampling
from .assembly import Solution
from .barycenter import Sight
from .holes import View
from .kernels import TINY, Array, Kernels, Wrap, bands
from .known import Known, Nothing
from .levels import Effort, Level
from .maps import resized
from .patches import Basis, Descriptor
from .period import Periods
from .progress import Step, begins, mapped, portions

HALF = 2, 1
"""Pixels of a level for so many of the next coarser one."""
COMPONENTS = 16
"""Principal components by which patches are compared."""
LINED = 24
"""And of patches that have planes of lines beside their colours."""
TRIED = 2
"""Finest level at which answers are tried at random, of a field that was upsampled; in a hole, at every level."""
BLOCK = 6
"""Side of the pieces of the exemplar from which the coarsest level starts: structure holds better than from noise.

Of an exemplar that holds no larger one, half: pieces come from several places.
"""
EDGES = 0.5
"""Power of how rare a pixel of the exemplar is in its patches, with which it votes: in full, what the exemplar's edges
cut through would be shown as often as what is whole."""
GRACE = 1.0
"""What a neighbour's answer may cost more than the best, in mean costs."""
SHOWN = 0.5
"""Of an exemplar's largest share of a pixel: where it has less, what is there does not count as its patches."""
HELD = 0.8
"""Of several exemplars, how much each keeps to its own picture where not all pairs are compared any more. How they lie
on one another is decided by then; what is fine in unlike pictures never agrees, and would blur them."""
APART = 50
"""How far apart the keys are by which two exemplars' random tries are hashed."""
WHOLE = 32000
"""Largest number of 16 bits that a descriptor is rounded to."""
FLAT, FAINT = 1e-4, 1e-6
"""What the largest difference of a patch from the mean is taken to be at least, as a share of what a patch holds, and
alone: less is rounding, and what is compared with an exemplar of one colour stays finite."""
MANY = 2**17
"""Where more patches are to be found in a hole, their descriptors are not kept."""
VOTED = 0.9
"""Share of a round that is done before the vote: for progress only."""
DESCRIBED = 4
"""Parts of a quarter that is worked on at the finest level: of an image, descriptors are made for every sweep there."""


@dataclass(frozen=True)
class Exemplar:
    """What a result is made like.

    planes: float32 (H, W, C), at least one patch on each side; periods: its own, by which the result is kept in step.
    share: how much of the result it makes up, from 0 to 1: of all, or float32 (H, W) of each pixel. around: whether its
    rows and columns go on from the start, see `tiling`: this is made use of where every level has whole pixels of it,
    for a result that has room for more than one.
    """

    planes: np.ndarray
    periods: Periods
    share: float | np.ndarray = 1.0
    around: Wrap = (False, False)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.planes.shape[0], self.planes.shape[1]


def solve(
    kernels: Kernels,
    exemplars: Sequence[Exemplar],
    size: tuple[int, int],
    wrap: Wrap,
    seed: int,
    effort: Effort,
    views: list[View] | None = None,
    start: np.ndarray | None = None,
) -> Generator[Step, None, list[Solution]]:
    """Yields a Step a portion of a round; returns the Solution for each exemplar.

    exemplars: one, or several, all of as many planes, that are mixed by their shares; size: (height, width) of the
    result. views: of a hole, fine first, where the result of the only exemplar is known but for it; the Solution is
    then of the finest one's window. start: int32 (2, fh, fw), the field that the coarsest of these starts from, if
    it is not to be found there.
    """
    rng = np.random.default_rng(seed)
    windows = [(view.mask.shape[0], view.mask.shape[1]) for view in views or []]
    arounds = [one.around for one in exemplars]
    sizes, started = [one.size for one in exemplars], start is not None
    plan = levels.schedule(sizes, size, wrap, effort, windows or None, arounds, started)
    arounds = list(plan[0].arounds)
    stood = begins(views[0].image if views else exemplars[0].planes)  # how the level before ended
    stacks = [] if views is None else [[view.exemplar for view in views]]
    for one, around in zip(exemplars, arounds, strict=True) if views is None else ():
        stacks.append((yield from mapped(lines.build(one.planes, len(plan), around), _told(stood))))
    kept = [period.kept(one.periods, size, wrap) for one in exemplars]
    total, done = sum(level.work for level in plan), 0
    seconds: list[float] = []
    colours = exemplars[0].planes.shape[2]
    stage: _Stage | None = None
    for level in plan:
        began = time.perf_counter()
        view = views[level.index] if views else None
        rounds = level.ascents + level.searches
        components = LINED if level.index >= lines.FINEST else COMPONENTS
        origin, starts = view.origin if view else (0, 0), None
        before = None
        if stage is not None:
            before = yield from mapped(stage.left(over=views is None), _told(stood))
        firsts, parts, stage, part = [] if before is None else before.fields, [], None, None  # the rest of it may go
        if before is not None:  # a finer window lies within the coarser one
            down, across = (here // 2 - there for here, there in zip(origin, before.origin, strict=True))
            starts = down, across
        for n, one in enumerate(exemplars):
            e = stacks[n].pop()
            described = partial(_described, e, level, n, wrap, one.periods, size, origin, components, rng)
            frames = described(graft.FRAME) if level.grafts else None
            part = _Part(kernels, level, n, described(levels.SIDE), one.share, view)
            yield from mapped(part.prepare(frames), _told(stood))
            if before is None:
                first = pieces(level.field, level.positions[n], rng) if start is None else start
                firsts.append(kernels.array(first))
            else:
                part.potentials[2:] = before.ranks[n] or part.potentials[2:]
            parts.append(part)
        stage = _Stage(kernels, level, parts)
        key = int(rng.integers(2**31))
        cells = [period.cells(of, level.index, whole=view is None or level.index > 0) for of in kept]
        yield from mapped(stage.begin(firsts, starts, cells, rng), _told(stood))
        before, firsts = None, []  # these arrays are not needed any more
        for round in range(rounds):
            key += 100
            for share in stage.round(round, key):
                fraction = (done + level.work * (round + share) / rounds) / total
                rounds_done = round + (share == 1)
                yield Step(level.index, len(plan), rounds_done, rounds, fraction, partial(stage.shown, colours))
        done += level.work
        u = stage.u
        stood = Step(level.index, len(plan), rounds, rounds, done / total, partial(_shown, kernels, u, colours))
        seconds.append(time.perf_counter() - began)
    assert stage is not None
    u, found = kernels.numpy(u), []
    for rows in portions(*plan[-1].image):
        found.append(assembly.jumps(u, rows))
        yield stood
    down, across = np.concatenate([down for down, _ in found]), np.sum([across for _, across in found], 0)
    fixed = any(isinstance(one.share, np.ndarray) for one in exemplars)  # a map of shares lies where it lies
    turns = (0, 0) if fixed else assembly.cut(down, across, wrap, 2 ** (len(plan) - 1))
    i, k = (kernels.array((np.arange(n) - turn) % n) for n, turn in zip(level.field, turns, strict=True))
    solutions, made = [], [(part.C, part.weight, part.known) for part in stage.parts]
    del stage, parts, part  # what they hold beside is not needed any more
    for one, around, (own, trust, known) in zip(exemplars, arounds, made, strict=True):
        C, weight = kernels.empty(own.shape, own), kernels.empty(level.field, trust)
        for rows in portions(*level.field):
            C[:, rows] = own[:, i[rows]][:, :, k]
            weight[rows] = known.final(trust[i[rows]][:, k], rows)
            yield stood
        solutions.append(Solution(C, weight, one.size, plan[-1].image, tuple(seconds), stood, around))
    return solutions


@dataclass(frozen=True)
class _Likeness:
    """How the patches of the exemplar and those of the image are described, to be compared.

    exemplar: the planes that hold all of its patches, see `patches.unrolled`.
    """

    exemplar: np.ndarray
    of_exemplar: Descriptor
    of_image: Descriptor
    basis: Basis  # of both

    def fineness(self) -> float:
        """By what the exemplar's descriptors are multiplied so that they are kept well as whole numbers of 16 bits."""
        mean = self.basis.mean.reshape(-1, self.basis.channels)
        least, most = pyramid.bounds(self.exemplar)
        far = np.sqrt((np.maximum(most - mean, mean - least) ** 2).sum())  # no component of a patch is larger
        phases = [np.abs(of).max(initial=0) for of in (self.of_exemplar.rows, self.of_exemplar.columns)]
        return float(WHOLE / max(far, *phases, FLAT * np.linalg.norm(mean), FAINT))


def _described(
    exemplar: np.ndarray,
    level: Level,
    number: int,
    wrap: Wrap,
    periods: Periods,
    size: tuple[int, int],
    origin: tuple[int, int],
    components: int,
    rng: np.random.Generator,
    side: int,
) -> _Likeness:
    """For patches with this side, of one of a level's exemplars, the number-th, and the image.

    size: of the result that is to be in step; origin: where the image begins, in pixels of the level: that of a window
    is not 0.
    """
    circle = level.arounds[number]
    exemplar = patches.unrolled(exemplar, side, circle)
    basis = patches.basis(exemplar, side, components, rng)
    own, shown = (
        period.phases(patches.count(of, side, around), those, level.index, basis.variance, first)
        for of, around, those, first in (
            (level.exemplars[number], circle, periods, (0, 0)),
            (level.image, wrap, period.fitted(periods, size, wrap), origin),
        )
    )
    of_exemplar, of_image = patches.descriptor(basis, (False, False), own), patches.descriptor(basis, wrap, shown)
    return _Likeness(exemplar, of_exemplar, of_image, basis)


class _Part:
    """What changes of one exemplar while a level is worked on, and what is done in a round.

    C: the field; weight: of each patch's vote; psi: potentials of the exemplar's patches, and those of groups of them
    on top, in costs of a typical patch as the level begins. share: how much of each pixel, (H, W, 1), or of all is made
    like this exemplar; among: (fh, fw), 1 for the patches whose distribution is to be the exemplar's, None for all.
    It is looked at in parts, see `prepare`, before it takes a field.
    known: what of the image is known; groups are left alone then, for a hole that is small beside what is known need
    not hold all of it.
    """

    def __init__(
        self,
        kernels: Kernels,
        level: Level,
        number: int,
        likeness: _Likeness,
        share: float | np.ndarray,
        view: View | None,
    ) -> None:
        self.kernels, self.level, self.view = kernels, level, view
        self.likeness, self.variance = likeness, likeness.basis.variance
        self.exemplar, self.positions = level.exemplars[number], level.positions[number]
        self.around = level.arounds[number]
        self.e = kernels.array(likeness.exemplar)
        self.even: Array | None = None  # e, so that all of its pixels are shown alike, and by how much each votes more
        if level.index and view is None and not all(self.around):
            height, width = likeness.exemplar.shape[:2]
            more = kernels.array(patches.rarity((height, width), levels.SIDE, self.around)[..., None] ** EDGES)
            self.even = kernels.stacked([self.e * more, more], 2)
        self.known = Nothing()
        self.psi: Array = None
        self.typical: Any = None
        self.cost: Array | None = None
        self.far = 0  # to where there are random tries
        found = math.prod(level.field) if view is None else int((~view.pinned).sum())
        self.fine = level.index == 0 and (view is None or found > MANY)  # a level of many patches
        self.whole = level.index == 0 and not level.ascents  # its descriptors are the most that is kept
        self.fineness = likeness.fineness() if self.whole else 1.0
        self.placed = level.index < TRIED and view is None  # where only the joints of what is upsampled are left
        self.portions = portions(*level.field, parts=DESCRIBED if self.fine else 1)
        self.C: Array = None
        self.share: Any = share
        self.among: Array | None = None
        if isinstance(share, np.ndarray):
            own = resized(share[..., None], level.image)
            half = levels.SIDE // 2
            middle = np.roll(own[..., 0], (-half, -half), (0, 1))[: level.field[0], : level.field[1]]
            self.share = kernels.array(own)
            self.among = kernels.array((middle >= SHOWN * middle.max()).astype(np.float32))

    def prepare(self, frames: _Likeness | None) -> Generator[None, None, None]:
        """Looks at the exemplar and at what is known; yields after each. frames: see `graft`."""
        if self.view is not None:
            self.known = Known(self.kernels, self.view)
            yield
        self.psi = self.known.potentials(self.kernels, self.positions)
        self.weight = self.known.trusted(
            self.kernels.array(np.ones(self.level.field, np.float32)), slice(0, self.level.field[0])
        )
        self.d, self.Y = yield from self._compared(self.likeness, self.e, self.whole)
        self.frames: tuple[Descriptor, Array, float] | None = None
        if frames is not None:
            d, Y = yield from self._compared(frames, self.kernels.array(frames.exemplar), whole=False)
            self.frames = d, Y, frames.basis.variance
        deviations = self.fineness * self.likeness.basis.deviations
        groups = () if self.view else (yield from semidual.groups(self.kernels, self.Y, deviations))
        exact, mixed = self.level.ascents > 0, len(self.level.exemplars) > 1  # psi does it; a mix is calmer than either
        self.groups = groups[:2] if exact or mixed else groups
        self.potentials = [0 * group.fair for group in self.groups]
        yield

    def begin(self, C: Array) -> Generator[None, None, None]:
        """Takes a field of this level. Yields on the way."""
        self.far = max(self.positions)
        self.C = yield from self.known.begun(C)

    def upsample(self, C: Array, starts: tuple[int, int], cells: tuple[float, float]) -> Generator[None, None, None]:
        """Takes the coarser level's field; yields after each portion.

        starts: where in that one's image this one's begins. cells: of a grid, where pieces may only be moved by whole
        ones; 0: there is none.
        """
        self.far = 0 if self.placed else max(self.positions)
        self.C = self.kernels.empty((2, *self.level.field), C)
        down, across = (
            upsampling.Axis.of(self.kernels, n, m, HALF, levels.SIDE, wraps, start)
            for n, m, wraps, start in zip(self.level.field, C.shape[1:], self.d.wrap, starts, strict=True)
        )
        for rows in self.portions:
            finer = upsampling.upsampled(C, rows, (down, across), (HALF, HALF), self.exemplar, levels.SIDE, self.around)
            for axis, cell in enumerate(cells):
                if cell:
                    own = (rows.start, 0)[axis] + np.indices(finer[axis].shape, np.int32)[axis]
                    own += self.known.origin[axis]
                    last = self.positions[axis] - 1
                    finer[axis] = whole_cells(finer[axis], self.kernels.array(own), cell, last)
            self.C[:, rows] = finer
            yield
        self.C = yield from self.known.begun(self.C)

    def extended(self) -> Generator[None, None, Array]:
        """The field with its pieces on over the exemplar's edges, to be upsampled. Yields on the way."""
        return upsampling.extended(self.kernels, self.C, self.positions, self.d.wrap, self.around)

    def _compared(self, likeness: _Likeness, e: Array, whole: bool) -> Generator[None, None, tuple[Descriptor, Array]]:
        """How the image's patches are described, and the exemplar's descriptors, if need be rounded to whole numbers.

        Yields on the way.
        """
        fineness = self.fineness if whole else 1.0
        d = likeness.of_exemplar.times(fineness).on(self.kernels.array)
        if not whole:
            Y = self.kernels.project(e, d)
            yield
        else:
            Y = self.kernels.empty((*self.positions, d.k), self.kernels.array(np.zeros(0, np.int16)))
            for rows in portions(*self.positions, parts=DESCRIBED):
                Y[rows] = self.kernels.project(e, d, rows).round()
                yield
        return likeness.of_image.times(fineness).on(self.kernels.array), Y

    def ascent(self, u: Array) -> Generator[float, None, None]:
        """Every patch takes the biased nearest of all, under potentials that make the use of all even."""
        X, Y, psi = self.known.sought(self.kernels.project(u, self.d), self.Y, self.psi)
        ascended = semidual.ascended(self.kernels, X, Y, psi, self.variance, self.among)
        psi = self.known.eased(psi, ascended)
        self.psi = self.known.spread(psi, self.psi)
        for rows in bands(slice(0, len(X)), graft.PORTION // (X.shape[1] * math.prod(Y.shape[:2]))):
            self.known.take(self.kernels.assign(X[rows], Y, psi), self.C, rows)
            yield rows.stop / len(X)
        if self.known.wary:
            for work in (self._priced(u, {}), self._weighed()):
                for _ in work:
                    yield 1.0
            self.cost = None  # the image will be another

    def straighten(self) -> None:
        """Streaks give way to a piece."""
        self.C = graft.straightened(self.kernels, self.C, self.positions, self.d.wrap)

    def graft(self, u: Array, lattice: graft.Lattice) -> Generator[float, None, None]:
        """Squares that are verbatim give way to their twins."""
        assert self.frames is not None
        d, Y, variance = self.frames
        over = self.positions, self.around
        self.C = yield from graft.grafted(self.kernels, u, d, Y, variance, self.C, *over, lattice)
        self.cost = None

    def search(self, u: Array, key: int) -> Generator[float, None, None]:
        """The use of groups is balanced, and every patch takes the best of its candidates."""
        kernels, free, ticks = self.kernels, self.known.free, 0
        every = (len(search.reaches(self.far)) + 2 + (self.cost is None)) * len(self.portions)
        kept: dict[int, Array] = {}
        for _ in self._priced(u, kept) if self.cost is None else ():
            yield (ticks := ticks + 1) / every
        assert self.cost is not None
        used, roots = [0 * group.fair for group in self.groups], 0.0
        for rows in self.portions:
            C = self._counted(rows)
            used = [n + group.used(kernels, C) for n, group in zip(used, self.groups, strict=True)]
            roots = roots + kernels.mean(self.cost[rows] ** 0.5) * (rows.stop - rows.start)
            yield (ticks := ticks + 1) / every
        scale, bias = (roots / len(self.cost)) ** 2, 1 * self.psi if self.groups else self.psi
        if self.typical is None:
            self.typical = scale + TINY
        for n, group in enumerate(self.groups):
            self.potentials[n] = group.balanced(self.potentials[n], used[n], scale / self.typical)
            bias += (self.typical * self.potentials[n])[group.of]
            yield ticks / every
        grace = GRACE * kernels.mean(self.cost) / self.known.share
        for candidates in search.sweeps(self.far, grace, key, self.around):
            C = kernels.empty(self.C.shape, self.C)
            for rows in self.portions:
                X = self._patches(u, rows, kept)
                C[:, rows], self.cost[rows] = kernels.sweep(
                    X, self.Y, bias, self.C, candidates, self.d.wrap, rows, free
                )
                self.known.hold(C, self.cost, rows)
                yield (ticks := ticks + 1) / every
            self.C = C
        for _ in self._weighed():
            yield (ticks := ticks + 1) / every

    def _patches(self, u: Array, rows: slice, kept: dict[int, Array]) -> Array:
        """The descriptors of the image's patches in some rows, from those that the round has made if they are kept."""
        X = kept.get(rows.start)
        if X is None:
            X = self.kernels.project(u, self.d, rows, self.known.free)
            if not self.fine:  # there they would be the most that is kept
                kept[rows.start] = X
        return X

    def _priced(self, u: Array, kept: dict[int, Array]) -> Generator[None, None, None]:
        """Finds what each patch's answer costs; yields after each portion."""
        self.cost = self.kernels.empty(self.level.field, self.weight)
        for rows in self.portions:
            X = self._patches(u, rows, kept)
            self.cost[rows] = self.kernels.distances(X, self.Y, self.C, rows, self.known.free)
            self.known.hold(self.C, self.cost, rows)
            yield

    def _weighed(self) -> Generator[None, None, None]:
        """Weighs the votes by what they cost; yields after each portion."""
        assert self.cost is not None
        mean = self.known.tolerance * self.kernels.mean(self.cost) / self.known.share
        for rows in self.portions:
            self.weight[rows] = self.known.trusted(self.kernels.weights(self.cost[rows], mean), rows)
            yield

    def _counted(self, rows: slice) -> Array:
        """The field of those patches in some rows whose distribution is to be the exemplar's."""
        C = self.C[:, rows]
        return C if self.among is None else C[:, self.among[rows] > 0]

    def vote(self, rows: slice) -> Array:
        """Some rows of the image as this exemplar would have them.

        Near an edge of the exemplar a pixel is of fewer patches, down to one, and would hardly ever be shown: there
        each of them votes more, but at the finest level, where that is two pixels.
        """
        e = self.e if self.even is None else self.even
        voted = self.kernels.vote(e, self.C, self.weight, levels.SIDE, self.level.image, rows, self.known.free)
        return self.known.shown(voted if self.even is None else voted[..., :-1] / voted[..., -1:], rows)


@dataclass(frozen=True)
class _Left:
    """What a level leaves: where in the whole it begins, and of each part its field and its ranks' potentials."""

    origin: tuple[int, int]
    fields: list[Array]
    ranks: list[list[Array]]


class _Stage:
    """A level while it is worked on: the parts that exemplars have in it, the image u, and the kinds of round.

    A round yields the share of it that is done. Of several exemplars each keeps a picture of its own, us, and sees all
    of them as its own patches would be: see `barycenter.Sight`.
    """

    def __init__(self, kernels: Kernels, level: Level, parts: list[_Part]) -> None:
        self.kernels, self.level, self.parts = kernels, level, parts
        self.known = parts[0].known
        self.portions = parts[0].portions
        self.pixels = portions(*level.image)
        self.us: list[Array] = []
        self.sights: list[Sight] = []
        if len(parts) > 1:
            bases = [part.likeness.basis for part in parts]
            shares, held = [part.share for part in parts], 0 if level.ascents else HELD
            self.sights = [Sight.of(bases, n, shares, held) for n in range(len(parts))]
            for part, sight in zip(parts, self.sights, strict=True):
                part.d = sight.described(part.likeness.of_image).times(part.fineness).on(kernels.array)

    def begin(
        self,
        fields: list[Array],
        starts: tuple[int, int] | None,
        cells: list[tuple[float, float]],
        rng: np.random.Generator,
    ) -> Generator[None, None, None]:
        """Takes each part's field, see `_Part`: where there is a coarser level, that one's. Votes.

        rng: for what is random of it.
        """
        for part, C, grid in zip(self.parts, fields, cells, strict=True):
            yield from part.begin(C) if starts is None else part.upsample(C, starts, grid)
        drawn = self.known.drawn(rng) if self.level.ascents and starts is None else None
        if drawn is None:
            yield from self._voted()
        else:
            self.us = [drawn]

    @property
    def u(self) -> Array:
        """The image: of several pictures their mean, made anew."""
        if len(self.us) == 1:
            return self.us[0]
        return sum(part.share * u for u, part in zip(self.us, self.parts, strict=True))

    def shown(self, colours: int) -> np.ndarray:
        """Its colours, without the planes of lines that may follow them."""
        return _shown(self.kernels, self.u, colours)

    def left(self, over: bool) -> Generator[None, None, _Left]:
        """What the next finer level takes up; over: see `_Part.extended`. Yields on the way."""
        fields = []
        for part in self.parts:
            fields.append((yield from part.extended()) if over else part.C)
        return _Left(self.known.origin, fields, [part.potentials[2:] for part in self.parts])

    def round(self, number: int, key: int) -> Generator[float, None, None]:
        """One of the level's: first the ascents, then the searches, with grafts before some of these."""
        number -= self.level.ascents
        if number >= 0 and self.level.grafts and number in (0, graft.last(self.level.searches)):
            for part in self.parts:
                if number:
                    part.straighten()
                for lattice in graft.LAST if number else graft.FIRST:
                    yield from part.graft(self.u, lattice)
            for _ in self._voted():
                yield 0.0
        for n in range(len(self.parts)):
            yield from self._worked(n, number < 0, key + n * APART)
        for _ in self._voted():
            yield VOTED
        yield 1.0

    def _worked(self, n: int, ascending: bool, key: int) -> Generator[float, None, None]:
        """A round of the n-th part. Yields the share of all parts' that is done."""
        part, done = self.parts[n], VOTED * n / len(self.parts)
        u = self.u if not self.sights else (yield from self._seen(self.sights[n], done))
        for share in part.ascent(u) if ascending else part.search(u, key):
            yield done + VOTED * share / len(self.parts)

    def _seen(self, sight: Sight, done: float) -> Generator[float, None, Array]:
        """All parts' pictures as one of the exemplars sees them. Yields what is done of the round."""
        agree = sight.agreement(self.kernels, self.us)
        planes = len(self.us) * self.us[0].shape[2]
        u = self.kernels.empty((*self.level.image, planes), self.us[0])
        for rows in self.pixels:
            u[rows] = sight.seen(self.kernels, self.us, agree, rows)
            yield done
        return u

    def _voted(self) -> Generator[None, None, None]:
        """Puts the image together from the fields, in portions; yields after each."""
        us = self.us or [self.kernels.empty((*self.level.image, part.e.shape[2]), part.e) for part in self.parts]
        for rows in self.pixels:
            for u, part in zip(us, self.parts, strict=True):
                u[rows] = part.vote(rows)
            if rows.stop == self.level.image[0]:
                self.us = us
            yield


def _told(step: Step) -> Callable[[object], Step]:
    """A Step for whatever is done."""
    return lambda _: step


def _shown(kernels: Kernels, u: Array, colours: int) -> np.ndarray:
    """See `_Stage.shown`."""
    return kernels.numpy(u)[..., :colours].copy()  # u is voted anew in its place


def whole_cells(C: Array, own: Array, cell: float, last: int) -> Array:
    """Rows or columns of the exemplar, each moved to the nearest, 0 to last, that is whole cells away from its own.

    To the pixel, where cells are none of whole pixels. Pieces come to lie a little off a grid at levels that have no
    whole pixels of it.
    """
    fine = round(256 * cell)  # in whole numbers, so that every provider rounds alike
    number = (512 * (C - own) + fine) // (2 * fine)
    for _ in (0, 1):  # once more for what came to lie outside
        C = own + (2 * number * fine + 256) // 512
        number = number + 1 * (C < 0) - 1 * (last < C)
    return C


def pieces(field: tuple[int, int], positions: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A field (2, fh, fw) that shows `BLOCK` x `BLOCK` pieces of the exemplar, each from a random place."""
    least = min(positions)
    block = BLOCK if least > BLOCK else max(1, least // 2)
    down, across = (-(-side // block) for side in field)
    axes = []
    for axis, inner in enumerate(np.meshgrid(*(np.arange(side) % block for side in field), indexing="ij")):
        corner = rng.integers(positions[axis] - block + 1, size=(down, across))
        axes.append(corner.repeat(block, 0).repeat(block, 1)[: field[0], : field[1]] + inner)
    return np.stack(axes).astype(np.int32)
