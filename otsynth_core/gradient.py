"""The gradient solver: the paper's own way, ascent on potentials and descent on pixels in turn, all scales at once.

What is made lower is sum_s share_s sum_k F_k(u, y^s): over exemplars s, of which the result shows so much, and over
sets of features k (`features`), each with its own loss (`losses`). One exemplar alone is Algorithm 1 of Houdard et al.
2021; several are a barycenter, or, where shares are maps, a texture that passes from one to another. From the slopes of
the losses autograd goes back through the features only, never through the comparison of all with all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from .features import BOTH, NONE, Features, features
from .kernels import Wrap
from .kernels.torch import choose, computing
from .losses import Loss, loss
from .maps import resized
from .progress import Step
from .sources import Pixels, Source, noise
from .spec import ENTROPY, Gradient, InputError

ADAM = 0.01
"""Adam's rate, for values from 0 to 1: the paper's."""
HISTORY, SEARCH = 20, 20
"""Steps that L-BFGS remembers, and how often it may look at the loss to find how far to go (strong Wolfe)."""
PACE = 1.0
"""How far descent `fixed` moves a pixel toward the mean of its patches' answers."""


@dataclass(frozen=True)
class Objective:
    """An exemplar, float32 (H, W, C) with values of about 0 to 1, and how much of the result is to be like it.

    share: at least 0, one number or a map (H', W') over the result, of any size; those of all add up to 1.
    """

    exemplar: np.ndarray
    share: float | np.ndarray = 1.0


@dataclass(frozen=True)
class Descended:
    """The picture, float32 (H, W, C), the loss before each step on it, and the time it took.

    stopped: the iteration at which the loss was no number any more, if it came to that; the picture is the last before.
    """

    planes: np.ndarray
    losses: tuple[float, ...]
    seconds: float
    device: str
    stopped: int | None = None


@dataclass(frozen=True)
class _Term:
    """A loss for one set of features: amount of it, for the image's features with shares weight (n,)."""

    set: int
    loss: Loss
    amount: float
    weight: Tensor


def solve(
    objectives: Sequence[Objective],
    size: tuple[int, int],
    wrap: Wrap,
    settings: Gradient,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
) -> Generator[Step, None, Descended]:
    """Yields a Step an iteration, returns what has come of it. size: (height, width) of the result.

    device: one of `spec.DEVICES`; auto is the first GPU that is there. Raises InputError where exemplars do not suit
    the features, and for a device that is not there.
    """
    start, where = time.perf_counter(), _chosen(device)
    generator = torch.Generator().manual_seed(seed)
    with _computing(threads):
        exemplars = [_tensor(one.exemplar, where) for one in objectives]
        what = features(settings, exemplars, size)
        source = Pixels(_begun(objectives, exemplars, size, generator))
        terms = _terms(objectives, exemplars, what, size, wrap, settings, generator)
        descent = _Descent(source, partial(what, wrap=wrap), terms, settings.descent)
    losses: list[float] = []
    good, stopped = source().detach().clone(), None
    for iteration in range(1, settings.iterations + 1):
        with _computing(threads):
            value = descent.step()
            u = source().detach()
            if not (math.isfinite(value) and bool(torch.isfinite(u).all())):
                stopped = iteration
                break
            losses.append(value)
            good = u.clone()
        yield Step(0, 1, iteration, settings.iterations, iteration / settings.iterations, partial(_planes, good))
    return Descended(_planes(good), tuple(losses), time.perf_counter() - start, where.type, stopped)


class _Descent:
    """One step on the source at a time, for a sum of terms."""

    def __init__(
        self, source: Source, sets: Callable[[Tensor], list[Tensor]], terms: Sequence[_Term], kind: str
    ) -> None:
        self.source, self.sets, self.terms, self.unit = source, sets, terms, 1.0
        self.cover: Tensor | None = None
        self.optimizer: torch.optim.Optimizer
        match kind:
            case "adam":
                self.optimizer = torch.optim.Adam(source.parameters(), lr=ADAM)
            case "lbfgs":
                self.optimizer = torch.optim.LBFGS(
                    source.parameters(),
                    max_iter=1,
                    max_eval=SEARCH,
                    history_size=HISTORY,
                    line_search_fn="strong_wolfe",
                    tolerance_grad=0,
                    tolerance_change=0,
                )
                self.unit = float(source()[0, 0].numel())  # a mean over pixels curves less than it deems no rounding
            case "fixed":
                self.optimizer = torch.optim.SGD(source.parameters(), lr=PACE)
                self.cover = self._covered()

    def step(self) -> float:
        """Potentials up, then the source down. Returns the loss between the two."""
        ascended = False

        def evaluated() -> Tensor:
            nonlocal ascended
            self.optimizer.zero_grad()
            sets = self.sets(self.source())
            if not ascended:  # a line search asks again, under the same potentials
                self._ascend(sets)
                ascended = True
            return self._descend(sets)

        return float(self.optimizer.step(evaluated)) / self.unit  # type: ignore[arg-type]

    @torch.no_grad()
    def _ascend(self, sets: Sequence[Tensor]) -> None:
        for term in self.terms:
            term.loss.ascend(sets[term.set], term.weight)

    def _descend(self, sets: Sequence[Tensor]) -> Tensor:
        """The loss in units; its slope is left with the source's parameters."""
        value, slopes = torch.zeros((), device=sets[0].device), [torch.zeros_like(x) for x in sets]
        with torch.no_grad():
            for term in self.terms:
                one, slope = term.loss(sets[term.set], term.weight)
                value += self.unit * term.amount * one
                slopes[term.set] += self.unit * term.amount * slope
        torch.autograd.backward(sets, slopes)
        if self.cover is not None:
            for u in self.source.parameters():
                assert u.grad is not None
                u.grad /= self.cover
        return value

    def _covered(self) -> Tensor:
        """2 sum_i weight_i over the patches i that cover a pixel: dF/du over it is u - the mean of their answers."""
        u = self.source().detach().requires_grad_()
        sets = self.sets(u)
        weights = [torch.zeros_like(x) for x in sets]
        for term in self.terms:
            weights[term.set] += 2 * term.amount * term.weight[:, None]
        (cover,) = torch.autograd.grad(sets, u, weights)
        return cover.clamp(min=1e-12)  # a pixel that no patch with a share covers stays as it is


def _terms(
    objectives: Sequence[Objective],
    exemplars: Sequence[Tensor],
    what: Features,
    size: tuple[int, int],
    wrap: Wrap,
    settings: Gradient,
    generator: torch.Generator,
) -> list[_Term]:
    entropy = ENTROPY if settings.entropy is None else settings.entropy
    terms = []
    for objective, exemplar in zip(objectives, exemplars, strict=True):
        with torch.no_grad():
            stock = what(exemplar, NONE)
        for k, (y, grid) in enumerate(zip(stock, what.grids(size, wrap), strict=True)):
            given = np.asarray(objective.share, np.float32)
            places = what.grids(size, BOTH)[k]
            share = _at_middles(given, places, grid, what.middles[k]) if given.ndim else np.full(grid, given)
            amount = float(share.mean(dtype=np.float64))
            if amount <= 0:
                continue
            weight = torch.from_numpy(np.ascontiguousarray(share.reshape(-1) / (amount * share.size))).to(y)
            one = loss(settings.loss, y, settings.samples, entropy, generator)
            terms.append(_Term(k, one, amount, weight))
    return terms


def _at_middles(share: np.ndarray, places: tuple[int, int], grid: tuple[int, int], middle: int) -> np.ndarray:
    """A map of shares (h, w) where features have their middles: float32 of a grid's size.

    places: how many features there are where the image wraps; where it does not, the grid lacks the last of them.
    """
    own = np.roll(resized(share[..., None], places)[..., 0], (-middle, -middle), (0, 1))
    return own[: grid[0], : grid[1]]


def _begun(
    objectives: Sequence[Objective], exemplars: Sequence[Tensor], size: tuple[int, int], generator: torch.Generator
) -> Tensor:
    """Noise around the mean of the exemplars, each as its share weighs it."""
    shares = torch.tensor([float(np.mean(one.share)) for one in objectives]).to(exemplars[0])
    means, deviations = (
        torch.stack([moment(one[0].flatten(1), 1) for one in exemplars], 1) for moment in (torch.mean, torch.std)
    )
    return noise(means @ shares, deviations @ shares, size, generator)


def _chosen(device: str) -> torch.device:
    if device == "numpy":
        raise InputError("device is numpy, and the gradient solver computes with torch alone: use auto, cpu or a GPU")
    if device == "auto":
        with suppress(InputError):
            return choose("gpu")
    return choose("cpu" if device in ("auto", "torch") else device)


@contextmanager
def _computing(threads: int | None) -> Iterator[None]:
    """So many threads, and on a GPU the same result each time; who owns the loop gets back what was set before."""
    exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False, benchmark=False, deterministic=True)
    with computing(threads), exact:
        yield


def _tensor(planes: np.ndarray, device: torch.device) -> Tensor:
    """(H, W, C) -> (1, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(planes.transpose(2, 0, 1)[None], np.float32)).to(device)


def _planes(u: Tensor) -> np.ndarray:
    """(1, C, H, W) -> (H, W, C)."""
    return np.ascontiguousarray(u[0].permute(1, 2, 0).cpu().numpy())
