"""The primitives in NumPy: always there, so the reference that the other providers are tested against."""

from __future__ import annotations

import numpy as np

from ..patches import Basis, windows
from . import LEAST, Wrap, flat, hashed, rolled_in

Array = np.ndarray

CHUNK = 2**22
"""Numbers in a temporary matrix of costs or patches: 16 MiB."""


class NumpyKernels:
    """Implements `Kernels`; see there for what each operation means."""

    name = "numpy"

    def array(self, values: Array) -> Array:
        return np.ascontiguousarray(values)

    def numpy(self, values: Array) -> Array:
        return values

    def project(self, u: Array, basis: Basis, wrap: Wrap) -> Array:
        s = basis.side
        if any(wrap):
            u = np.pad(u, [(0, s - 1 if w else 0) for w in wrap] + [(0, 0)], mode="wrap")
        blocks = windows(u, s)
        fh, fw = blocks.shape[:2]
        offset = basis.mean @ basis.axes
        X = np.empty((fh, fw, basis.axes.shape[1]), np.float32)
        rows = max(1, CHUNK // (fw * len(basis.mean)))
        for y in range(0, fh, rows):
            p = blocks[y : y + rows].reshape(-1, len(basis.mean))
            X[y : y + rows] = (p @ basis.axes - offset).reshape(-1, fw, X.shape[2])
        return X

    def assign(self, X: Array, Y: Array, psi: Array) -> Array:
        return np.stack(np.divmod(_argmin(flat(X), flat(Y), psi.ravel()), Y.shape[1])).reshape(2, *X.shape[:2])

    def ascend(self, X: Array, Y: Array, psi: Array, lam: float, steps: int) -> Array:
        x, y, p = flat(X), flat(Y), psi.ravel()
        n, m = len(x), len(y)
        K = x @ (np.float32(2 / lam) * y).T + (p - (y * y).sum(1)) / np.float32(lam)  # -cost / lam + const_i
        np.exp(np.maximum(K - K.max(1, keepdims=True), -LEAST), out=K)
        b = np.ones(m, np.float32)
        for _ in range(steps):
            b = np.float32(n / m) / ((1 / (K @ b)) @ K)
        return (p + np.float32(lam) * np.log(b)).reshape(psi.shape)

    def distances(self, X: Array, Y: Array, C: Array) -> Array:
        difference = Y[C[0], C[1]]
        np.subtract(X, difference, out=difference)
        return np.einsum("ijk,ijk->ij", difference, difference)

    def score(self, X: Array, Y: Array, psi: Array, C: Array) -> Array:
        return self.distances(X, Y, C) - psi[C[0], C[1]]

    def offer(
        self, X: Array, Y: Array, psi: Array, C: Array, best: Array, N: Array, grace: float
    ) -> tuple[Array, Array]:
        eh, ew = psi.shape
        inside = (N[0] >= 0) & (N[0] < eh) & (N[1] >= 0) & (N[1] < ew)
        N = np.where(inside, N, 0)
        cost = self.score(X, Y, psi, N) - np.float32(grace)
        taken = inside & (cost < best)
        return np.where(taken, N, C), np.where(taken, cost, best)

    def shift(self, C: Array, dy: int, dx: int, wrap: Wrap) -> Array:
        N = np.roll(C, (dy, dx), (1, 2)) + np.array([dy, dx])[:, None, None]
        if not wrap[0]:
            N[:, rolled_in(dy)] = -1
        if not wrap[1]:
            N[:, :, rolled_in(dx)] = -1
        return N

    def scatter(self, C: Array, radius: int, key: int) -> Array:
        index = np.arange(C.size).reshape(C.shape)
        return C + hashed(index, key) % (2 * radius + 1) - radius

    def use(self, C: Array, block: int, shape: tuple[int, int]) -> Array:
        bh, bw = (-(-side // block) for side in shape)
        cells = np.bincount(((C[0] // block) * bw + C[1] // block).ravel(), minlength=bh * bw)
        return cells.reshape(bh, bw).astype(np.float32) / np.float32(C[0].size)

    def spread(self, cells: Array, block: int, shape: tuple[int, int]) -> Array:
        return cells.repeat(block, 0).repeat(block, 1)[: shape[0], : shape[1]]

    def upsample(self, C: Array, field: tuple[int, int], shape: tuple[int, int]) -> Array:
        parts = []
        for axis in (0, 1):
            i = np.arange(field[axis])
            q = np.minimum(i // 2, C.shape[1 + axis] - 1)
            parts.append((q, i - 2 * q))
        (qy, ry), (qx, rx) = parts
        coarse = C[:, qy[:, None], qx]
        rows = np.clip(2 * coarse[0] + ry[:, None], 0, shape[0] - 1)
        columns = np.clip(2 * coarse[1] + rx, 0, shape[1] - 1)
        return np.stack([rows, columns])

    def weights(self, cost: Array) -> Array:
        return np.maximum(np.exp(-cost / (cost.mean() + np.float32(1e-9))), np.float32(1e-4))

    def vote(self, e: Array, C: Array, weight: Array, side: int, size: tuple[int, int]) -> Array:
        fh, fw = weight.shape
        total = np.zeros((fh + side - 1, fw + side - 1, e.shape[2] + 1), np.float32)
        w = weight[..., None]
        for dy in range(side):
            for dx in range(side):
                part = total[dy : dy + fh, dx : dx + fw]
                part[..., :-1] += w * e[C[0] + dy, C[1] + dx]
                part[..., -1:] += w
        total = _fold(_fold(total, 0, size[0]), 1, size[1])
        return total[..., :-1] / total[..., -1:]

    def roll(self, values: Array, turn: int, axis: int) -> Array:
        return np.roll(values, turn, axis)

    def mean(self, values: Array) -> float:
        return float(values.mean(dtype=np.float64))

    def variance(self, Y: Array) -> float:
        return float(flat(Y).var(0, dtype=np.float64).sum())


def _argmin(x: Array, y: Array, psi: Array) -> Array:
    """argmin_j |x_i - y_j|^2 - psi_j for every i; |x_i|^2 moves no minimum and is left out."""
    bias = (y * y).sum(1) - psi
    sigma = np.empty(len(x), np.int64)
    rows = max(1, CHUNK // len(y))
    for i in range(0, len(x), rows):
        sigma[i : i + rows] = (bias - 2 * (x[i : i + rows] @ y.T)).argmin(1)
    return sigma


def _fold(total: Array, axis: int, side: int) -> Array:
    """Brings what hangs over the end of an axis that wraps back to its start."""
    over = total.shape[axis] - side
    head, tail = np.split(total, [side], axis)
    if over:
        (head if axis == 0 else head.swapaxes(0, 1))[:over] += tail if axis == 0 else tail.swapaxes(0, 1)
    return head
