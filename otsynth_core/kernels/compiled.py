"""The primitives that take the time, compiled by Numba: one pass over the field each, with no temporaries."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..patches import Descriptor
from . import NEIGHBOURS, Offers, Wrap, flat, salted
from .numpy import NumpyKernels, blocks, within

Array = np.ndarray

LANES = 16
"""Descriptors are compared in pieces of this many numbers: one or two registers."""

ALL = np.ones((0, 0), bool)
"""In the place of which patches are loose: none is left out."""

_compiled = njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz", "arcp"}, error_model="numpy")


class CompiledKernels(NumpyKernels):
    """Implements `Kernels`; see there for what each operation means."""

    name = "numba"

    def _shares_band(self, K: Array, b: Array) -> Array:
        return _shares(K, b)

    def distances(self, u: Array, d: Descriptor, Y: Array, C: Array, rows: slice, free: Array | None = None) -> Array:
        if free is None:
            return super().distances(u, d, Y, C, rows)
        cost = np.zeros((rows.stop - rows.start, C.shape[2]), np.float32)
        y, j = flat(Y), C[0] * Y.shape[1] + C[1]

        def band(part: slice) -> None:
            loose = free[part] > 0
            difference = _loose(u, d, part, loose) - y[j[part][loose]]
            cost[within(part, rows)][loose] = np.einsum("ij,ij->i", difference, difference)

        self._each(rows, _numbers(d, free), band)
        return cost

    def sweep(
        self,
        u: Array,
        d: Descriptor,
        Y: Array,
        psi: Array,
        C: Array,
        offers: Offers,
        rows: slice,
        free: Array | None = None,
    ) -> tuple[Array, Array]:
        if free is None:
            return super().sweep(u, d, Y, psi, C, offers, rows)
        cost, new = np.zeros((rows.stop - rows.start, C.shape[2]), np.float32), C[:, rows].copy()

        def band(part: slice) -> None:
            loose, here = free[part] > 0, within(part, rows)
            x = _loose(u, d, part, loose)
            self._swept(x, flat(Y), psi, C, offers, d.wrap, part, loose, new[:, here], cost[here])

        self._each(rows, _numbers(d, free), band)
        return new, cost

    def _sweep_band(
        self,
        x: Array,
        y: Array,
        psi: Array,
        C: Array,
        offers: Offers,
        wrap: Wrap,
        rows: slice,
        new: Array,
        cost: Array,
    ) -> None:
        self._swept(x, y, psi, C, offers, wrap, rows, ALL, new, cost)

    def _swept(
        self,
        x: Array,
        y: Array,
        psi: Array,
        C: Array,
        offers: Offers,
        wrap: Wrap,
        rows: slice,
        loose: Array,
        new: Array,
        cost: Array,
    ) -> None:
        """x: of those patches alone that are loose, bool (rows, fw), or `ALL`."""
        salts = np.array([salted(offers.key + trial) for trial in range(len(offers.radii))], np.uint32)
        radii, grace = np.array(offers.radii, np.int32), np.float32(offers.grace)
        _sweep(x, y, psi, C, offers.reach, radii, salts, grace, wrap[0], wrap[1], rows.start, loose, new, cost)

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
        u, loose = np.empty((rows.stop - rows.start, size[1], e.shape[2]), np.float32), free > 0

        def band(part: slice) -> None:
            _vote(e, C, weight, side, size[0], part.start, loose, u[within(part, rows)])

        self._each(rows, size[1] * e.shape[2], band)
        return u

    def _vote_band(self, e: Array, C: Array, weight: Array, side: int, height: int, rows: slice, u: Array) -> None:
        _vote(e, C, weight, side, height, rows.start, ALL, u)


def _loose(u: Array, d: Descriptor, rows: slice, loose: Array) -> Array:
    """x_i of those patches in some rows that are loose, bool (rows, fw), one after another: (n, k)."""
    i, k = np.nonzero(loose)
    p = blocks(u, d, rows)[i, k].reshape(len(i), len(d.axes))
    return np.concatenate([p @ d.axes - d.offset, d.rows[rows][i], d.columns[k]], 1, dtype=np.float32)


def _numbers(d: Descriptor, free: Array) -> int:
    """Of the temporary arrays in a row of patches, where some are left out."""
    return int(free.mean() * free.shape[1] * len(d.axes)) + 1


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
def _cost(X, i, Y, j):  # type: ignore[no-untyped-def]
    total, k = np.float32(0), X.shape[1]
    whole = k - k % LANES
    for part in range(0, whole, LANES):
        for t in range(LANES):
            d = X[i, part + t] - Y[j, part + t]
            total += d * d
    for t in range(whole, k):
        d = X[i, t] - Y[j, t]
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
def _sweep(X, Y, psi, C, reach, radii, salts, grace, wrap_y, wrap_x, top, loose, new, cost):  # type: ignore[no-untyped-def]
    fh, fw, eh, ew = C.shape[1], C.shape[2], psi.shape[0], psi.shape[1]
    some, i = loose.shape[0] > 0, -1
    for row in range(cost.shape[0]):
        y = top + row
        for x in range(fw):
            if some and not loose[row, x]:
                continue
            i += 1
            own_r, own_c = C[0, y, x], C[1, y, x]
            own_cost = _cost(X, i, Y, own_r * ew + own_c)
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
                if to_r == own_r and to_c == own_c:  # most are: coherent
                    d, score = own_cost, own_score - grace
                elif to_r < 0 or to_r >= eh or to_c < 0 or to_c >= ew:
                    continue
                else:
                    d = _cost(X, i, Y, to_r * ew + to_c)
                    score = d - psi[to_r, to_c] - grace
                if score < best:
                    r, c, best, best_cost = to_r, to_c, score, d
            index = np.uint32(y * fw + x)
            other = np.uint32(fh * fw + y * fw + x)
            for trial in range(len(radii)):
                span = np.uint32(2 * radii[trial] + 1)
                to_r = own_r + np.int32(_hashed(index + salts[trial]) % span) - radii[trial]
                to_c = own_c + np.int32(_hashed(other + salts[trial]) % span) - radii[trial]
                if to_r < 0 or to_r >= eh or to_c < 0 or to_c >= ew:
                    continue
                d = _cost(X, i, Y, to_r * ew + to_c)
                score = d - psi[to_r, to_c]
                if score < best:
                    r, c, best, best_cost = to_r, to_c, score, d
            new[0, row, x], new[1, row, x], cost[row, x] = r, c, best_cost


@_compiled
def _vote(e, C, weight, side, height, top, loose, u):  # type: ignore[no-untyped-def]
    fh, fw, width, channels = weight.shape[0], weight.shape[1], u.shape[1], u.shape[2]
    some = loose.shape[0] > 0
    sums = np.empty((width, channels), np.float32)
    votes = np.empty(width, np.float32)
    for row in range(u.shape[0]):
        sums[:] = 0
        votes[:] = 0
        for dy in range(side):
            i = top + row - dy
            if i < 0 or i >= fh:
                if fh < height:
                    continue
                i %= fh
            for x in range(fw):
                if some and not loose[i, x]:
                    continue
                r, c, w = C[0, i, x] + dy, C[1, i, x], weight[i, x]
                for dx in range(side):
                    to = x + dx
                    if to >= width:
                        to -= width
                    votes[to] += w
                    for channel in range(channels):
                        sums[to, channel] += w * e[r, c + dx, channel]
        for x in range(width):
            factor = np.float32(1) / max(votes[x], np.float32(1e-30))
            for channel in range(channels):
                u[row, x, channel] = sums[x, channel] * factor
