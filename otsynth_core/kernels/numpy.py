"""The primitives in NumPy: always there, so the reference that the other providers are tested against."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import numpy as np

from ..patches import Descriptor, windows
from . import LEAST, NEIGHBOURS, TINY, But, Candidates, Scalar, Wrap, bands, flat, hashed

Array = np.ndarray
T = TypeVar("T")

ARRAYS = 8
"""How many arrays as large as the largest a thread has at most at a time."""

ALONE = 2**12
"""Of an operation that has no more temporary numbers in all, one thread does everything."""

PRODUCT = 64
"""Patches that are compared in one product of matrices, fewer beside very many: fixed, whatever threads and memory
there are, for a product's last digits hang on how large it is."""
SUMS = 8
"""Parts into which sums over pairs are split: fixed, so that they do not depend on the number of threads."""


class NumpyKernels:
    """Implements `Kernels`; see there for what each operation means. A _band is what one thread does at a time."""

    name = "numpy"
    chunk = 2**19
    """Numbers in the largest temporary array of a thread, unless told: 2 MiB, what a processor's cache holds."""

    def __init__(self, threads: int | None = None, memory: int | None = None) -> None:
        self._count = threads or os.cpu_count() or 1
        self._others = ThreadPoolExecutor(max(1, self._count - 1))
        self._alone = _libraries_alone()
        self._chunk = self.chunk if memory is None else min(self.chunk, memory * 2**20 // (4 * ARRAYS * self._count))

    def computing(self) -> AbstractContextManager[None]:
        return nullcontext()  # the threads are its own

    def array(self, values: Array) -> Array:
        return np.ascontiguousarray(values)

    def numpy(self, values: Array) -> Array:
        return values

    def project(self, u: Array, d: Descriptor, rows: slice | None = None, free: Array | None = None) -> Array:
        fh, fw = d.field(*u.shape[:2])
        rows = rows or slice(0, fh)
        X = np.empty((rows.stop - rows.start, fw, d.k), np.float32)

        def band(part: slice) -> None:
            X[within(part, rows)] = self._described(u, d, part)

        self._each(rows, fw * self._numbers(d), band)
        return X

    def _numbers(self, d: Descriptor) -> int:
        """In the largest temporary array, of every patch that is described."""
        return len(d.axes)

    def _described(self, u: Array, d: Descriptor, rows: slice) -> Array:
        """x_i for some rows of patches: (rows, fw, k)."""
        p = blocks(u, d, rows)
        projected = p.reshape(*p.shape[:2], -1) @ d.axes  # a product a row: its last digits hang on how large one is
        projected -= d.offset
        k, a = d.axes.shape[1], d.rows.shape[1]
        if d.k == k:  # no phases
            return projected
        X = np.empty((*p.shape[:2], d.k), np.float32)
        X[..., :k] = projected
        X[..., k : k + a] = d.rows[rows, None]
        X[..., k + a :] = d.columns
        return X

    def assign(self, X: Array, Y: Array, psi: Array, but: But | None = None) -> Array:
        y = flat(Y)
        bias, minus_two_y = (y * y).sum(1) - psi.ravel(), -2 * y.T  # |x_i|^2 moves no minimum and is left out
        C = np.empty((2, *X.shape[:2]), np.int32)
        unit = max(1, min(PRODUCT, self.chunk // len(y)) // X.shape[1])

        def band(rows: slice) -> None:
            x = flat(X[rows])
            cost = np.empty((len(x), len(y)), np.float32)
            for part in bands(slice(0, len(x)), unit * X.shape[1]):
                np.matmul(x[part], minus_two_y, out=cost[part])
            cost += bias
            if but is not None:
                itself = cost + psi.ravel() < but.least - (x * x).sum(1, keepdims=True)
                cost[itself | _near(but, rows, psi.shape)] = np.inf
            sigma = cost.argmin(1)
            C[:, rows] = np.stack(np.divmod(sigma, Y.shape[1])).reshape(2, -1, X.shape[1])

        self._each(slice(0, len(X)), X.shape[1] * len(y), band, unit)
        return C

    def ascend(self, X: Array, Y: Array, psi: Array, lam: float, steps: int) -> Array:
        x, y, p = flat(X), flat(Y), psi.ravel()
        n, m = len(x), len(y)
        parts = [slice(n * i // SUMS, n * (i + 1) // SUMS) for i in range(SUMS)]
        K = np.empty((n, m), np.float32)
        bias, scaled = (p - (y * y).sum(1)) / np.float32(lam), (np.float32(2 / lam) * y).T

        def gibbs(rows: slice) -> None:
            k = np.matmul(x[rows], scaled, out=K[rows])
            k += bias  # -cost / lam + const_i
            np.subtract(k, k.max(1, keepdims=True, initial=-np.inf), out=k)
            np.exp(np.maximum(k, -LEAST, out=k), out=k)

        with self._alone():
            self._shared(gibbs, parts)
            b = np.ones(m, np.float32)

            def shares(rows: slice) -> Array:
                return self._shares_band(K[rows], b)

            for _ in range(steps):
                b = np.float32(n / m) / np.sum(self._shared(shares, parts), 0)
        return (p + np.float32(lam) * np.log(b)).reshape(psi.shape)

    def _shares_band(self, K: Array, b: Array) -> Array:
        """sum_i K_ij / sum_j K_ij b_j over some rows of K."""
        return (1 / (K @ b)) @ K

    def distances(self, X: Array, Y: Array, C: Array, rows: slice, free: Array | None = None) -> Array:
        cost = np.empty(X.shape[:2], np.float32)

        def band(part: slice) -> None:
            here, j = within(part, rows), (C[0, part] * Y.shape[1] + C[1, part]).ravel()
            cost[here] = _costs(flat(X[here]), flat(Y), j).reshape(-1, C.shape[2])

        self._each(rows, C.shape[2] * X.shape[2], band)
        return cost

    def sweep(
        self,
        X: Array,
        Y: Array,
        psi: Array,
        C: Array,
        candidates: Candidates,
        wrap: Wrap,
        rows: slice,
        free: Array | None = None,
    ) -> tuple[Array, Array]:
        cost, new = np.empty(X.shape[:2], np.float32), np.empty((2, *X.shape[:2]), np.int32)

        def band(part: slice) -> None:
            here = within(part, rows)
            self._sweep_band(flat(X[here]), flat(Y), psi, C, candidates, wrap, part, new[:, here], cost[here])

        self._each(rows, C.shape[2] * X.shape[2], band)
        return new, cost

    def _sweep_band(
        self,
        x: Array,
        y: Array,
        psi: Array,
        C: Array,
        candidates: Candidates,
        wrap: Wrap,
        rows: slice,
        new: Array,
        cost: Array,
    ) -> None:
        (fh, fw), (eh, ew) = C.shape[1:], psi.shape
        p = psi.ravel()
        i, k = np.arange(rows.start, rows.stop), np.arange(fw)
        own = C[:, rows].reshape(2, -1)
        j = own[0] * ew + own[1]
        own_cost = _costs(x, y, j)
        own_score = own_cost - p[j]
        best, taken, taken_cost = own_score.copy(), own.copy(), own_cost.copy()

        def consider(N: Array, there: Array, grace: float) -> None:
            for axis, side in enumerate(psi.shape):
                if candidates.around[axis]:
                    N[axis] %= side
            there = there & (N[0] >= 0) & (N[0] < eh) & (N[1] >= 0) & (N[1] < ew)
            same = (own == N).all(0)  # most are, and their cost is known
            for who, costs in ((there & same, own_cost), (there & ~same, None)):
                i = np.flatnonzero(who)
                j = N[0, i] * ew + N[1, i]
                d = _costs(x[i], y, j) if costs is None else costs[i]
                score = d - p[j] - grace
                better = score < best[i]
                i = i[better]
                best[i], taken_cost[i], taken[:, i] = score[better], d[better], N[:, i]

        for dy, dx in NEIGHBOURS:
            dy, dx = candidates.reach * dy, candidates.reach * dx
            near = C[:, (i - dy)[:, None] % fh, (k - dx) % fw].reshape(2, -1)
            inside = ((i - dy >= 0) & (i - dy < fh) | wrap[0])[:, None] & ((k - dx >= 0) & (k - dx < fw) | wrap[1])
            consider(near + np.array([[dy], [dx]], np.int32), inside.ravel(), candidates.grace)
        index = (i[:, None] * fw + k).ravel()
        for trial, r in enumerate(candidates.radii):
            offsets = np.stack(
                [hashed(index + axis * fh * fw, candidates.key + trial) % (2 * r + 1) - r for axis in (0, 1)]
            )
            consider(own + offsets.astype(np.int32), np.ones(len(index), bool), 0.0)
        new[:] = taken.reshape(2, -1, fw)
        cost[:] = taken_cost.reshape(-1, fw)

    def counts(self, labels: Array, number: int) -> Array:
        return np.bincount(labels.ravel(), minlength=number).astype(np.float32)

    def weights(self, cost: Array, mean: Scalar) -> Array:
        return np.maximum(np.exp(-cost / np.float32(mean + TINY)), np.float32(1e-4))

    def vote(
        self,
        e: Array,
        C: Array,
        weight: Array,
        side: int,
        size: tuple[int, int],
        rows: slice | None = None,
        free: Array | None = None,
    ) -> Array:
        rows = rows or slice(0, size[0])
        e, C, weight = map(np.ascontiguousarray, (e, C, weight))
        u = np.empty((rows.stop - rows.start, size[1], e.shape[2]), np.float32)
        numbers = size[1] * e.shape[2]
        self._each(
            rows, numbers, lambda part: self._vote_band(e, C, weight, side, size[0], part, u[within(part, rows)])
        )
        return u

    def _vote_band(self, e: Array, C: Array, weight: Array, side: int, height: int, rows: slice, u: Array) -> None:
        (fh, fw), width, ew = weight.shape, u.shape[1], e.shape[1]
        pixels = flat(e)
        total = np.zeros((len(u), width + side - 1, e.shape[2]), np.float32)
        votes = np.zeros((len(u), width + side - 1, 1), np.float32)
        for dy in range(side):
            i = np.arange(rows.start, rows.stop) - dy
            i, into = (i % fh, slice(None)) if fh == height else (i[(i >= 0) & (i < fh)], (i >= 0) & (i < fh))
            first, w = (C[0, i] + dy) * ew + C[1, i], weight[i][..., None]
            for dx in range(side):
                total[into, dx : dx + fw] += np.take(pixels, first + dx, 0) * w
                votes[into, dx : dx + fw] += w
        over = fw + side - 1 - width  # what hangs over the end of an axis that wraps belongs to its start
        for values in (total, votes):
            values[:, :over] += values[:, width:][:, :over]
        np.divide(total[:, :width], votes[:, :width], out=u)

    def empty(self, shape: tuple[int, ...], like: Array) -> Array:
        return np.empty(shape, like.dtype)

    def stacked(self, parts: list[Array], axis: int) -> Array:
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis)

    def mean(self, values: Array) -> float:
        return float(values.mean(dtype=np.float64))

    def _each(self, rows: slice, numbers: int, work: Callable[[slice], None], unit: int = 1) -> None:
        """Does `work` on every band of some rows, of so many temporary numbers a row, on all threads alike.

        unit: a band has a multiple of so many rows.
        """
        number = rows.stop - rows.start
        threads = self._count if number * numbers > ALONE else 1
        turns = math.ceil(number / threads / max(1, self._chunk // numbers))  # of every thread
        with self._alone():
            self._shared(work, bands(rows, math.ceil(number / threads / max(1, turns) / unit) * unit))

    def _shared(self, work: Callable[[slice], T], parts: list[slice]) -> list[T]:
        """What `work` makes of every part. This thread takes its share: to wake another takes long as well."""
        made: list[Any] = [None] * len(parts)
        left = iter(enumerate(parts))

        def some() -> None:
            for n, part in left:
                made[n] = work(part)

        others = [self._others.submit(some) for _ in range(min(self._count, len(parts)) - 1)]
        try:
            some()
        finally:
            for other in others:
                other.result()
        return made


def _libraries_alone() -> Callable[[], AbstractContextManager[object]]:
    """In its context, matrix products start no threads of their own beside those that call them."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return nullcontext
    libraries = ThreadpoolController()
    return lambda: libraries.limit(limits=1, user_api="blas")


def block(u: Array, d: Descriptor, rows: slice) -> Array:
    """What some rows of an image's patches cover (rows + s - 1, fw + s - 1, C), from the start again where it wraps."""
    s = d.side
    around = rows.stop + s - 1 - len(u)  # rows that are needed from the start again
    part = u[rows.start : rows.stop + s - 1]
    if around > 0:
        part = np.concatenate([part, u[:around]])
    if d.wrap[1]:
        part = np.concatenate([part, part[:, : s - 1]], 1)
    return part


def blocks(u: Array, d: Descriptor, rows: slice) -> Array:
    """A view (rows, fw, s, s, C) of some rows of an image's patches."""
    return windows(block(u, d, rows), d.side)


def within(part: slice, rows: slice) -> slice:
    return slice(part.start - rows.start, part.stop - rows.start)


def _near(but: But, rows: slice, shape: tuple[int, ...]) -> Array:
    """(n, eh ew) Whether a position is within radius of B(i), i in some rows; shape = (eh, ew)."""
    sides = []
    for b, side, around in zip(but.B[:, rows], shape, but.around, strict=True):
        far = np.abs(np.arange(side) - b.reshape(-1, 1))
        sides.append((np.minimum(far, side - far) if around else far) <= but.radius)
    down, across = sides
    return (down[:, :, None] & across[:, None]).reshape(len(down), -1)


def _costs(x: Array, y: Array, j: Array) -> Array:
    difference = x - np.take(y, j, 0)
    return np.einsum("ij,ij->i", difference, difference)
