"""The primitives that take the time, compiled by Numba: one pass over the field each, with no temporaries."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..patches import Descriptor
from . import NEIGHBOURS, Candidates, Wrap, flat, salted
from .numpy import NumpyKernels, block, within

Array = np.ndarray

ALL = np.ones((0, 0), bool)
"""In the place of which patches are loose: none is left out."""

LANES = 16
"""Numbers that a processor works on at once, at most: vectors are filled up with zeros to a multiple."""

_compiled = njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz", "arcp"}, error_model="numpy")


class CompiledKernels(NumpyKernels):
    """Implements `Kernels`; see there for what each operation means."""

    name = "numba"
    chunk = 2**18

    def project(self, u: Array, d: Descriptor, rows: slice | None = None, free: Array | None = None) -> Array:
        """Where free leaves patches out: x_i of the others, one after another, (n, k)."""
        if free is None:
            return super().project(u, d, rows)
        rows = rows or slice(0, len(free))
        loose = free[rows]
        first = _firsts(loose)
        X = np.empty((first[-1], d.k), np.float32)

        def band(part: slice) -> None:
            here = within(part, rows)
            _loose(u, d, part, loose[here], X[first[here.start] : first[here.stop]])

        self._each(rows, _some(X, rows), band)
        return X

    def _numbers(self, d: Descriptor) -> int:
        return d.k

    def _described(self, u: Array, d: Descriptor, rows: slice) -> Array:
        k, c, s = d.axes.shape[1], u.shape[2], d.side
        p = block(u, d, rows)
        X = np.empty((p.shape[0] - s + 1, p.shape[1] - s + 1, d.k), np.float32)
        axes = np.ascontiguousarray(d.axes.T.reshape(k, s, s, c).transpose(0, 1, 3, 2))
        _project(np.ascontiguousarray(p.transpose(2, 0, 1)), axes, d.offset, _known(s), X)
        X[..., k : k + d.rows.shape[1]] = d.rows[rows, None]
        X[..., k + d.rows.shape[1] :] = d.columns
        return X

    def _shares_band(self, K: Array, b: Array) -> Array:
        return _shares(K, b)

    def distances(self, X: Array, Y: Array, C: Array, rows: slice, free: Array | None = None) -> Array:
        if free is None:
            return super().distances(X, Y, C, rows)
        cost = np.zeros((rows.stop - rows.start, C.shape[2]), np.float32)
        y, loose = flat(Y), free[rows]
        first = _firsts(loose)

        def band(part: slice) -> None:
            here = within(part, rows)
            (i, k), x = np.nonzero(loose[here]), X[first[here.start] : first[here.stop]]
            difference = x - y[C[0, part][i, k] * Y.shape[1] + C[1, part][i, k]]
            cost[here][i, k] = np.einsum("ij,ij->i", difference, difference)

        self._each(rows, _some(X, rows), band)
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
        if free is None:
            return super().sweep(X, Y, psi, C, candidates, wrap, rows)
        cost, new = np.zeros((rows.stop - rows.start, C.shape[2]), np.float32), C[:, rows].copy()
        loose = free[rows]
        first = _firsts(loose)

        def band(part: slice) -> None:
            here = within(part, rows)
            x = X[first[here.start] : first[here.stop]]
            self._swept(x, flat(Y), psi, C, candidates, wrap, part, loose[here], new[:, here], cost[here])

        self._each(rows, _some(X, rows), band)
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
        self._swept(x, y, psi, C, candidates, wrap, rows, ALL, new, cost)

    def _swept(
        self,
        x: Array,
        y: Array,
        psi: Array,
        C: Array,
        candidates: Candidates,
        wrap: Wrap,
        rows: slice,
        loose: Array,
        new: Array,
        cost: Array,
    ) -> None:
        """x: of those patches alone that are loose, bool (rows, fw), or `ALL`."""
        salts = np.array([salted(candidates.key + trial) for trial in range(len(candidates.radii))], np.uint32)
        radii, grace = np.array(candidates.radii, np.int32), np.float32(candidates.grace)
        every = _known(x.shape[1])
        top, (down, across) = rows.start, new  # two arrays: all bands of one are laid out alike
        sides = *wrap, *candidates.around
        _sweep(x, y, every, psi, C, candidates.reach, radii, salts, grace, *sides, top, loose, down, across, cost)

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
        if free is None:
            return super().vote(e, C, weight, side, size, rows)
        rows = rows or slice(0, size[0])
        u, loose = np.empty((rows.stop - rows.start, size[1], e.shape[2]), np.float32), free

        def band(part: slice) -> None:
            self._voted(e, C, weight, side, size[0], part.start, loose, u[within(part, rows)])

        self._each(rows, size[1] * e.shape[2], band)
        return u

    def _vote_band(self, e: Array, C: Array, weight: Array, side: int, height: int, rows: slice, u: Array) -> None:
        self._voted(e, C, weight, side, height, rows.start, ALL, u)

    def _voted(
        self, e: Array, C: Array, weight: Array, side: int, height: int, top: int, loose: Array, u: Array
    ) -> None:
        line, planes = _known(side * e.shape[2]), _known(e.shape[2])
        _vote(e.reshape(-1), e.shape[1], C, weight, side, line, planes, height, top, loose, u)


def _loose(u: Array, d: Descriptor, rows: slice, loose: Array, X: Array) -> None:
    """x_i of those patches in some rows that are loose, bool (rows, fw), one after another, into X (n, k)."""
    i, k = np.nonzero(loose)
    numbers, K = d.axes.shape
    axes = np.zeros((K, -(-numbers // LANES) * LANES), np.float32)
    axes[:, :numbers] = d.axes.T
    p = np.ascontiguousarray(block(u, d, rows))
    side, line = _known(d.side), _known(d.side * u.shape[2])
    _picked(p.reshape(len(p), -1), i, k, axes, d.offset, side, line, _known(axes.shape[1]), X)
    X[:, K : K + d.rows.shape[1]] = d.rows[rows][i]
    X[:, K + d.rows.shape[1] :] = d.columns[k]


def _firsts(loose: Array) -> Array:
    """Of every row, and what would be the next one, how many loose patches come before it."""
    return np.concatenate([[0], loose.sum(1).cumsum()])


def _known(number: int) -> tuple[int, ...]:
    """A number as the length of a tuple: that is of its type, so loops of so many are compiled for just this number."""
    return (0,) * number


def _some(X: Array, rows: slice) -> int:
    """Numbers in the descriptors of a row of patches, of which some are left out."""
    return X.size // (rows.stop - rows.start) + 1


@_compiled
def _project(p, axes, offset, side, X):  # type: ignore[no-untyped-def]
    """p: planes (C, rows, columns); axes: (k, side, C, side), so that what lies in one row of a plane comes last."""
    h, w, k, c = X.shape[0], X.shape[1], axes.shape[0], p.shape[0]
    line = np.empty((k, w), np.float32)
    for y in range(h):
        for t in range(0, k, 2):  # two at a time, so that every number of the image is read half as often
            v = min(t + 1, k - 1)
            x_t, x_v = line[t], line[v]
            x_t[:], x_v[:] = -offset[t], -offset[v]
            for dy in range(len(side)):
                for channel in range(c):
                    a_t, a_v, row = axes[t, dy, channel], axes[v, dy, channel], p[channel, y + dy]
                    for x in range(w):
                        total_t, total_v = x_t[x], x_v[x]
                        for dx in range(len(side)):
                            total_t += a_t[dx] * row[x + dx]
                            total_v += a_v[dx] * row[x + dx]
                        x_t[x], x_v[x] = total_t, total_v
        for x in range(w):
            for t in range(k):
                X[y, x, t] = line[t, x]


@_compiled
def _picked(p, i, j, axes, offset, side, line, numbers, X):  # type: ignore[no-untyped-def]
    """Those that begin in rows i, columns j. p: (rows, columns C); axes: (k, numbers), zeros beyond side side C."""
    q, planes = np.zeros(len(numbers), np.float32), len(line) // len(side)
    for n in range(len(i)):
        for dy in range(len(side)):
            row, first = p[i[n] + dy], j[n] * planes
            for t in range(len(line)):
                q[dy * len(line) + t] = row[first + t]
        for k in range(len(axes)):
            axis, total = axes[k], -offset[k]
            for t in range(len(numbers)):
                total += axis[t] * q[t]
            X[n, k] = total


@_compiled
def _shares(K, b):  # type: ignore[no-untyped-def]
    """A row stays in the cache between its two uses, so K is read once."""
    n, m = K.shape
    shares = np.zeros(m, np.float32)
    for i in range(n):
        row = K[i]
        total = np.float32(0)
        for j in range(m):
            total += row[j] * b[j]
        factor = np.float32(1) / total
        for j in range(m):
            shares[j] += factor * row[j]
    return shares


@_compiled
def _cost(X, i, Y, j, every):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for t in range(len(every)):
        d = X[i, t] - np.float32(Y[j, t])
        total += d * d
    return total


@_compiled
def _hashed(v):  # type: ignore[no-untyped-def]
    """`kernels.hashed` of one index that the salt has been added to."""
    v = np.uint32(v)
    v = np.uint32((v ^ (v >> np.uint32(16))) * np.uint32(0x7FEB352D))
    v = np.uint32((v ^ (v >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(v ^ (v >> np.uint32(16)))


@_compiled
def _around(place, side, around):  # type: ignore[no-untyped-def]
    """A row or column of the exemplar, from its start again if it goes around."""
    return np.int32(place % side) if around and (place < 0 or place >= side) else place


@_compiled
def _sweep(  # type: ignore[no-untyped-def]
    X, Y, every, psi, C, reach, radii, salts, grace, wrap_y, wrap_x, around_y, around_x, top, loose, down, across, cost
):  # fmt: skip
    fh, fw, eh, ew = C.shape[1], C.shape[2], psi.shape[0], psi.shape[1]
    some, i = loose.shape[0] > 0, -1
    for row in range(cost.shape[0]):
        y = top + row
        for x in range(fw):
            if some and not loose[row, x]:
                continue
            i += 1
            own_r, own_c = C[0, y, x], C[1, y, x]
            own_cost = _cost(X, i, Y, own_r * ew + own_c, every)
            own_score = own_cost - psi[own_r, own_c]
            r, c, best, best_cost = own_r, own_c, own_score, own_cost
            for dy, dx in NEIGHBOURS:
                near_y, near_x = y - reach * dy, x - reach * dx
                if near_y < 0 or near_y >= fh:
                    if not wrap_y:
                        continue
                    near_y %= fh
                if near_x < 0 or near_x >= fw:
                    if not wrap_x:
                        continue
                    near_x %= fw
                to_r, to_c = C[0, near_y, near_x] + np.int32(reach * dy), C[1, near_y, near_x] + np.int32(reach * dx)
                to_r, to_c = _around(to_r, eh, around_y), _around(to_c, ew, around_x)
                if to_r == own_r and to_c == own_c:  # most are: coherent
                    d, score = own_cost, own_score - grace
                elif to_r < 0 or to_r >= eh or to_c < 0 or to_c >= ew:
                    continue
                else:
                    d = _cost(X, i, Y, to_r * ew + to_c, every)
                    score = d - psi[to_r, to_c] - grace
                if score < best:
                    r, c, best, best_cost = to_r, to_c, score, d
            index = np.uint32(y * fw + x)
            other = np.uint32(fh * fw + y * fw + x)
            for trial in range(len(radii)):
                span = np.uint32(2 * radii[trial] + 1)
                to_r = own_r + np.int32(_hashed(index + salts[trial]) % span) - radii[trial]
                to_c = own_c + np.int32(_hashed(other + salts[trial]) % span) - radii[trial]
                to_r, to_c = _around(to_r, eh, around_y), _around(to_c, ew, around_x)
                if to_r < 0 or to_r >= eh or to_c < 0 or to_c >= ew:
                    continue
                d = _cost(X, i, Y, to_r * ew + to_c, every)
                score = d - psi[to_r, to_c]
                if score < best:
                    r, c, best, best_cost = to_r, to_c, score, d
            down[row, x], across[row, x], cost[row, x] = r, c, best_cost


@_compiled
def _vote(e, ew, C, weight, side, line, planes, height, top, loose, u):  # type: ignore[no-untyped-def]
    """Of the exemplar, read as one vector, a patch shows a line of so many numbers in every row of the image."""
    fh, fw, width, c = weight.shape[0], weight.shape[1], u.shape[1], len(planes)
    over = fw + side - 1 - width  # what hangs over the end of an axis that wraps belongs to its start
    some = loose.shape[0] > 0
    begun = np.empty(fw, np.float32)  # weights of the patches that begin in each column
    sums = np.empty((width + over) * c, np.float32)
    votes = np.empty(width + over, np.float32)
    for row in range(u.shape[0]):
        begun[:] = 0
        sums[:] = 0
        votes[:] = np.float32(1e-30)
        for dy in range(side):
            i = top + row - dy
            if i < 0 or i >= fh:
                if fh < height:
                    continue
                i %= fh
            for x in range(fw):
                if some and not loose[i, x]:
                    continue
                w, first, to = weight[i, x], ((C[0, i, x] + dy) * ew + C[1, i, x]) * c, x * c
                begun[x] += w
                for t in range(len(line)):
                    sums[to + t] += w * e[first + t]
        for dx in range(side):
            for x in range(fw):
                votes[x + dx] += begun[x]
        for t in range(over * c):
            sums[t] += sums[width * c + t]
        for x in range(over):
            votes[x] += votes[width + x]
        for x in range(width):
            factor = np.float32(1) / votes[x]
            for t in range(c):
                u[row, x, t] = sums[x * c + t] * factor
