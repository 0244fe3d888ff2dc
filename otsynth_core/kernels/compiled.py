"""The primitives that take the time, compiled by Numba: one pass over the field each, with no temporaries."""

from __future__ import annotations

import numpy as np
from numba import njit

from . import NEIGHBOURS, Offers, Wrap, salted
from .numpy import NumpyKernels

Array = np.ndarray

LANES = 16
"""Descriptors are compared in pieces of this many numbers: one or two registers."""

_compiled = njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz", "arcp"}, error_model="numpy")


class CompiledKernels(NumpyKernels):
    """Implements `Kernels`; see there for what each operation means."""

    name = "numba"

    def _shares_band(self, K: Array, b: Array) -> Array:
        return _shares(K, b)

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
        salts = np.array([salted(offers.key + trial) for trial in range(len(offers.radii))], np.uint32)
        radii, grace = np.array(offers.radii, np.int32), np.float32(offers.grace)
        _sweep(x, y, psi, C, offers.reach, radii, salts, grace, wrap[0], wrap[1], rows.start, new, cost)

    def _vote_band(self, e: Array, C: Array, weight: Array, side: int, height: int, rows: slice, u: Array) -> None:
        _vote(e, C, weight, side, height, rows.start, u)


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
def _sweep(X, Y, psi, C, reach, radii, salts, grace, wrap_y, wrap_x, top, new, cost):  # type: ignore[no-untyped-def]
    fh, fw, eh, ew = C.shape[1], C.shape[2], psi.shape[0], psi.shape[1]
    for row in range(cost.shape[0]):
        y = top + row
        for x in range(fw):
            i = row * fw + x
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
def _vote(e, C, weight, side, height, top, u):  # type: ignore[no-untyped-def]
    fh, fw, width, channels = weight.shape[0], weight.shape[1], u.shape[1], u.shape[2]
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
                r, c, w = C[0, i, x] + dy, C[1, i, x], weight[i, x]
                for dx in range(side):
                    to = x + dx
                    if to >= width:
                        to -= width
                    votes[to] += w
                    for channel in range(channels):
                        sums[to, channel] += w * e[r, c + dx, channel]
        for x in range(width):
            factor = np.float32(1) / votes[x]
            for channel in range(channels):
                u[row, x, channel] = sums[x, channel] * factor
