"""How far an image's features are from an exemplar's: losses with potentials, and with slopes that are written out.

x_i are the n features of the image, weight_i their shares of a whole, y_j the m of the exemplar, all alike in share;
psi_j is the potential of y_j (Houdard et al. 2021):

    F(psi, x) = sum_i weight_i psi^c(x_i) + 1/m sum_j psi_j
    psi^c(x)  = min_j |x - y_j|^2 - psi_j,              or, entropic,
    psi^c(x)  = -lam log 1/m sum_j exp((psi_j - |x - y_j|^2) / lam)

F is concave in psi and its maximum is the cost of transport. By the envelope theorem
dF/dx_i = 2 weight_i (x_i - T(x_i)), where T(x) is the y_j at which the minimum is, or the mean of y under the soft
minimum's shares; dF/dpsi_j = 1/m - the share of the image that T sends to y_j. The matrix (n, m) of costs is never
held: it is worked through in tiles, with a running minimum or a running log-sum-exp, so that m may be all patches of a
large exemplar.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import torch
from torch import Tensor

TILE = 512, 2048
"""Features of the image and of the exemplar whose costs are looked at together: 4 MiB, what a cache holds."""
ASCENTS = 10
"""Steps on psi before one on the image; their mean is kept."""
RATE = 2e-3
"""Of the steps on psi, in m variances of the exemplar. About four times the authors' 1 for 2000 patches of 4x4 px with
much contrast: on two textures patches are 1.85 floors away after 150 iterations, not 2.1; five times more adds nothing.
"""
BATCH = 1024
"""Least features of the image that a step on psi looks at, if there are so many, when it takes a tenth of them."""
CLOUD = 2048
"""Most features that stand for all where features are transported to themselves."""
SOFT = 0.2
"""Least rate of entropic steps, in m lam: the larger lam is, the larger are the steps that are safe."""
UNITS = 2**40
"""Parts of a whole in which shares are counted."""
SETTLING, COLD = 4, 100
"""Symmetric Sinkhorn steps after which features' transport to themselves is taken for solved: from the potential of
the iteration before, and from none.
"""


class Loss(Protocol):
    """What is made lower."""

    def __call__(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The value, (), and its slope dF/dx, (n, d), for features x (n, d) with shares weight (n,)."""

    def ascend(self, x: Tensor, weight: Tensor) -> None:
        """Improves the potentials for these features."""


def loss(kind: str, y: Tensor, samples: int, entropy: float, generator: torch.Generator) -> Loss:
    """The loss of `spec.LOSSES` that is called so, toward features y (m, d) of an exemplar.

    At most `samples` of them are taken, drawn at random, but by gram, which takes the mean over all. entropy: lam in
    variances of y. generator: on the CPU, for all that is random.
    """
    if kind == "gram":
        return Gram(y)
    few = y[torch.randperm(len(y), generator=generator)[:samples].sort().values.to(y.device)]
    match kind:
        case "nearest":
            return Nearest(few)
        case "ot":
            return SemiDual(few, generator)
        case "entropic":
            return Entropic(few, entropy * _variance(few), generator)
    assert kind == "sinkhorn", kind
    return Sinkhorn(few, entropy * _variance(few), generator)


class Nearest:
    """psi = 0: every feature to its nearest, however often that is used (Kwatra 2005)."""

    def __init__(self, y: Tensor) -> None:
        self.center = y.mean(0)  # numbers near 0 lose least in |x|^2 + |y|^2 - 2 <x, y>
        self.y = y - self.center
        self.psi = torch.zeros_like(y[:, 0])

    def __call__(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        x = x - self.center
        sigma = assigned(x, self.y, self.psi)
        away = x - self.y[sigma]  # (n, d) x_i - T(x_i)
        value = (weight * ((away * away).sum(1) - self.psi[sigma])).sum() + self.psi.mean()
        return value, 2 * weight[:, None] * away

    def ascend(self, x: Tensor, weight: Tensor) -> None:
        pass


class SemiDual(Nearest):
    """Optimal transport: psi makes the use of all y_j even, by averaged stochastic ascent."""

    def __init__(self, y: Tensor, generator: torch.Generator) -> None:
        super().__init__(y)
        self.generator = generator
        self.rate = RATE * len(y) * _variance(y)

    def ascend(self, x: Tensor, weight: Tensor) -> None:
        x, m = x - self.center, len(self.y)

        def share(part: Tensor, psi: Tensor) -> Tensor:
            return counted(assigned(x[part], self.y, psi), weight[part], m)

        self.psi = averaged(self.psi, 1 / m, share, self.rate, batches(len(x), x.device, self.generator))


class Entropic:
    """Entropic optimal transport: a feature is shared out among all y_j, so that F has a slope everywhere.

    due: (m,) what share of the image each y_j is to have, 1 / m unless told.
    """

    def __init__(self, y: Tensor, lam: float, generator: torch.Generator, due: Tensor | None = None) -> None:
        self.center = y.mean(0)
        self.y = y - self.center
        self.lam = max(lam, 1e-12)  # of an exemplar whose features are all one
        self.generator = generator
        self.rate = len(y) * max(RATE * _variance(y), SOFT * self.lam)
        self.due = torch.full_like(y[:, 0], 1 / len(y)) if due is None else due
        self.psi = torch.zeros_like(y[:, 0])

    @property
    def raised(self) -> Tensor:
        """psi_j + lam log due_j: with these the soft minimum is a sum without weights."""
        return self.psi + self.lam * self.due.log()

    def __call__(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        x = x - self.center
        transform, mean = softened(x, self.y, self.raised, self.lam)
        return (weight * transform).sum() + (self.due * self.psi).sum(), 2 * weight[:, None] * (x - mean)

    def transform(self, x: Tensor) -> Tensor:
        """psi^c(x_i), (n,)."""
        return softened(x - self.center, self.y, self.raised, self.lam)[0]

    def ascend(self, x: Tensor, weight: Tensor) -> None:
        x = x - self.center

        def share(part: Tensor, psi: Tensor) -> Tensor:
            weighs = weight[part] / weight[part].sum().clamp(min=1e-30)
            return spread(x[part], weighs, self.y, psi + self.lam * self.due.log(), self.lam)

        self.psi = averaged(self.psi, self.due, share, self.rate, batches(len(x), x.device, self.generator))


class Sinkhorn:
    """The Sinkhorn divergence OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2, of entropic OT: 0 where x and y are the same.

    Of x and of y as goals of their own transport `CLOUD` features at most stand for all, those of x drawn anew each
    time; their potential is carried over, for at the optimum it is its own transform and so known everywhere. Half the
    slope of OT(x, x) is that of its first argument alone, for both arguments have the same: but between two ascents
    the value moves by half of it, for the cloud stays, so no line search can be made by it.
    """

    def __init__(self, y: Tensor, lam: float, generator: torch.Generator) -> None:
        self.toward = Entropic(y, lam, generator)
        self.generator = generator
        self.own: Entropic | None = None
        few, due = self._few(y, self.toward.due)
        own = _settled(Entropic(few, lam, generator, due), COLD)
        self.constant = (own.due * own.psi).sum()  # OT(y, y) / 2: both of its potentials are psi

    def __call__(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        if self.own is None:
            self.ascend(x, weight)
        assert self.own is not None
        cost, slope = self.toward(x, weight)
        itself, away = self.own(x, weight)
        return cost - itself / 2 - self.constant, slope - away

    def ascend(self, x: Tensor, weight: Tensor) -> None:
        self.toward.ascend(x, weight)
        few, due = self._few(x, weight)
        own = Entropic(few, self.toward.lam, self.generator, due)
        if self.own is not None:
            own.psi = self.own.transform(few)
        self.own = _settled(own, SETTLING if self.own else COLD)

    def _few(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """All features that weigh something and their weights, or `CLOUD` of them drawn by these, then all alike."""
        if len(x) <= CLOUD:
            there = weight > 0
            return x[there], weight[there] / weight.sum()
        chances = weight.cumsum(0).cpu()  # multinomial takes no more than 2^24
        drawn = torch.rand(CLOUD, generator=self.generator, dtype=chances.dtype) * chances[-1]
        index = torch.searchsorted(chances, drawn).clamp(max=len(x) - 1).to(x.device)
        return x[index], torch.full_like(weight[:CLOUD], 1 / CLOUD)


class Gram:
    """|G(x) - G(y)|^2 / 4, G(x) = sum_i weight_i x_i x_i^T, (d, d): Gatys et al. 2015.

    They divide by d^2 as well, for features whose every number is about 1; layers of VGG are here 1 long in the mean.
    """

    def __init__(self, y: Tensor) -> None:
        self.goal = y.T @ y / len(y)

    def __call__(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        weighed = weight[:, None] * x
        gap = weighed.T @ x - self.goal
        return (gap * gap).sum() / 4, weighed @ gap  # the gap is symmetric

    def ascend(self, x: Tensor, weight: Tensor) -> None:
        pass


def assigned(x: Tensor, y: Tensor, psi: Tensor) -> Tensor:
    """sigma(i) = argmin_j |x_i - y_j|^2 - psi_j: int64 (n,), the biased nearest neighbour."""
    x, y = _lifted(x), _lifted(-2 * y, (y * y).sum(1) - psi)  # |x_i|^2 moves no minimum and is left out
    sigma = []
    for rows in tiles(len(x), TILE[0]):
        best = torch.full((len(rows),), torch.inf, dtype=x.dtype, device=x.device)
        index = torch.zeros(len(rows), dtype=torch.int64, device=x.device)
        for columns in tiles(len(y), TILE[1]):
            least, j = (_of(x, rows) @ _of(y, columns).T).min(1)
            better = least < best
            best, index = torch.where(better, least, best), torch.where(better, j + columns.start, index)
        sigma.append(index)
    return torch.cat(sigma)


def softened(x: Tensor, y: Tensor, psi: Tensor, lam: float) -> tuple[Tensor, Tensor]:
    """-lam log sum_j exp((psi_j - |x_i - y_j|^2) / lam), (n,), and the mean of y under these shares, (n, d).

    One pass: sum and mean so far are scaled down where a tile has a larger exponent.
    """
    lifted, powers = _lifted(x), _lifted(2 / lam * y, (psi - (y * y).sum(1)) / lam)
    values, means = [], []
    for rows in tiles(len(x), TILE[0]):
        part = _of(x, rows)
        most = torch.full((len(rows), 1), -torch.inf, dtype=x.dtype, device=x.device)
        total, mean = torch.zeros_like(most), torch.zeros_like(part)
        for columns in tiles(len(y), TILE[1]):
            power = _of(lifted, rows) @ _of(powers, columns).T
            larger = torch.maximum(most, power.amax(1, keepdim=True))
            share, scale = power.sub_(larger).exp_(), (most - larger).exp()
            total = total * scale + share.sum(1, keepdim=True)
            mean = torch.addmm(mean * scale, share, _of(y, columns))
            most = larger
        values.append((part * part).sum(1) - lam * (most + total.log())[:, 0])
        means.append(mean / total)
    return torch.cat(values), torch.cat(means)


def spread(x: Tensor, weight: Tensor, y: Tensor, psi: Tensor, lam: float) -> Tensor:
    """The share of each y_j, (m,): sum_i weight_i softmax_j((psi_j - |x_i - y_j|^2) / lam)."""
    x, y = _lifted(x), _lifted(2 / lam * y, (psi - (y * y).sum(1)) / lam)
    shares = torch.zeros_like(psi)
    for rows in tiles(len(x), TILE[0]):
        totals = torch.full((len(rows), 1), -torch.inf, dtype=x.dtype, device=x.device)
        power = None
        for columns in tiles(len(y), TILE[1]):
            power = _of(x, rows) @ _of(y, columns).T
            totals = torch.logaddexp(totals, power.logsumexp(1, keepdim=True))
        for columns in tiles(len(y), TILE[1]):
            if len(y) > TILE[1] or power is None:
                power = _of(x, rows) @ _of(y, columns).T
            shares[columns.start : columns.stop] += _of(weight, rows) @ power.sub_(totals).exp_()
    return shares


def tiles(number: int, side: int) -> list[range]:
    """0 to number in ranges of so many; the last may be shorter."""
    return [range(first, min(first + side, number)) for first in range(0, number, side)]


def averaged(
    psi: Tensor,
    due: Tensor | float,
    share: Callable[[Tensor, Tensor], Tensor],
    rate: float,
    parts: Iterable[Tensor],
) -> Tensor:
    """The mean of stochastic ascents: psi_j += rate / sqrt(t) (due_j - share_j), the share of part t under psi."""
    mean = torch.zeros_like(psi)
    for t, part in enumerate(parts, 1):
        psi = psi + rate / math.sqrt(t) * (due - share(part, psi))
        mean += (psi - mean) / t
    return mean


def batches(n: int, device: torch.device, generator: torch.Generator) -> Iterator[Tensor]:
    """For each of the steps on psi, which of n features it looks at: all of few, parts of many that are drawn anew.

    Together the parts of very many hold each feature once, so that all steps cost one transform of the whole.
    """
    size = max(-(-n // ASCENTS), min(n, BATCH))
    if size == n:
        yield from ASCENTS * [torch.arange(n, device=device)]
        return
    rounds = -(-ASCENTS * size // n)
    order = torch.cat([torch.randperm(n, generator=generator) for _ in range(rounds)]).to(device)
    for step in range(ASCENTS):
        yield order[step * size : (step + 1) * size]


def counted(sigma: Tensor, weight: Tensor, m: int) -> Tensor:
    """How much of the weight (n,) goes to each of m features, as a share of it all: (m,).

    Added up in whole numbers, so that a GPU, which adds in any order, comes to the same each time.
    """
    whole = (weight / weight.sum().clamp(min=1e-30) * UNITS).round().long()
    return (
        torch.zeros(m, dtype=torch.int64, device=weight.device).scatter_add_(0, sigma, whole).to(weight.dtype) / UNITS
    )


def _settled(own: Entropic, steps: int) -> Entropic:
    """The transport of features to themselves, psi <- (psi + psi^c) / 2 until both are one."""
    for _ in range(steps):
        own.psi = (own.psi + own.transform(own.y + own.center)) / 2
    return own


def _variance(y: Tensor) -> float:
    """Of features (m, d), summed over their d numbers."""
    return float(y.var(0, correction=0).sum())


def _lifted(x: Tensor, last: Tensor | None = None) -> Tensor:
    """Features with one number more, 1 unless told, so that their product has a bias without a matrix of it."""
    return torch.cat([x, torch.ones_like(x[:, :1]) if last is None else last[:, None]], 1)


def _of(values: Tensor, part: range) -> Tensor:
    return values[part.start : part.stop]
