"""The primitives in PyTorch: the CPU with threads, and GPUs."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..patches import Basis
from ..spec import InputError
from . import LEAST, Wrap, flat, hashed, rolled_in

Array = torch.Tensor

CHUNK = 2**22
"""Numbers in a temporary matrix of costs: 16 MiB."""


def choose(device: str) -> torch.device:
    """The torch device for a name of `spec.DEVICES`; auto prefers a GPU. Raises InputError if it is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        device = next(name for name in there if there[name])
    if not there[device]:
        raise InputError(f"device is {device} but this computer's torch has none: use --device auto, cpu or numpy")
    return torch.device(device)


class TorchKernels:
    """Implements `Kernels`; see there for what each operation means."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.name = device.type

    def array(self, values: np.ndarray) -> Array:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def numpy(self, values: Array) -> np.ndarray:
        return values.cpu().numpy()

    def project(self, u: Array, basis: Basis, wrap: Wrap) -> Array:
        s, c = basis.side, u.shape[2]
        planes = u.permute(2, 0, 1)[None]
        if any(wrap):
            rows, columns = (
                torch.arange(side + (s - 1 if w else 0), device=self.device) % side
                for side, w in zip(u.shape[:2], wrap, strict=True)
            )
            planes = planes[:, :, rows][:, :, :, columns]
        V = self.array(basis.axes)
        kernel = V.T.reshape(-1, s, s, c).permute(0, 3, 1, 2)
        offset = self.array(basis.mean) @ V
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False, deterministic=True):
            X = F.conv2d(planes.contiguous(memory_format=torch.channels_last), kernel, -offset)
        return X[0].permute(1, 2, 0).contiguous()

    def assign(self, X: Array, Y: Array, psi: Array) -> Array:
        sigma = self._argmin(flat(X), flat(Y), psi.reshape(-1)).reshape(X.shape[:2])
        return torch.stack([sigma // Y.shape[1], sigma % Y.shape[1]])

    def ascend(self, X: Array, Y: Array, psi: Array, lam: float, steps: int) -> Array:
        x, y, p = flat(X), flat(Y), psi.reshape(-1)
        n, m = len(x), len(y)
        K = torch.addmm((p - (y * y).sum(1)) / lam, x, (2 / lam * y).T)  # (n, m) -cost / lam + const_i
        K.sub_(K.max(1, keepdim=True).values).clamp_(min=-LEAST).exp_()
        b = torch.ones_like(p)
        for _ in range(steps):
            b = n / m / ((1 / (K @ b)) @ K)
        return (p + lam * b.log()).reshape(psi.shape)

    def distances(self, X: Array, Y: Array, C: Array) -> Array:
        return self._distances(X, Y, (C[0] * Y.shape[1] + C[1]).reshape(-1))

    def score(self, X: Array, Y: Array, psi: Array, C: Array) -> Array:
        j = (C[0] * Y.shape[1] + C[1]).reshape(-1)
        return self._distances(X, Y, j) - psi.reshape(-1).index_select(0, j).reshape(X.shape[:2])

    def offer(
        self, X: Array, Y: Array, psi: Array, C: Array, best: Array, N: Array, grace: float
    ) -> tuple[Array, Array]:
        eh, ew = psi.shape
        inside = (N[0] >= 0) & (N[0] < eh) & (N[1] >= 0) & (N[1] < ew)
        N = torch.where(inside, N, 0)
        cost = self.score(X, Y, psi, N) - grace
        taken = inside & (cost < best)
        return torch.where(taken, N, C), torch.where(taken, cost, best)

    def shift(self, C: Array, dy: int, dx: int, wrap: Wrap) -> Array:
        N = torch.roll(C, (dy, dx), (1, 2))
        N[0] += dy
        N[1] += dx
        if not wrap[0]:
            N[:, rolled_in(dy)] = -1
        if not wrap[1]:
            N[:, :, rolled_in(dx)] = -1
        return N

    def scatter(self, C: Array, radius: int, key: int) -> Array:
        index = torch.arange(C.numel(), device=self.device).reshape(C.shape)
        return C + hashed(index, key) % (2 * radius + 1) - radius

    def use(self, C: Array, block: int, shape: tuple[int, int]) -> Array:
        bh, bw = (-(-side // block) for side in shape)
        cells = torch.bincount(((C[0] // block) * bw + C[1] // block).reshape(-1), minlength=bh * bw)
        return cells.reshape(bh, bw).to(torch.float32) / C[0].numel()

    def spread(self, cells: Array, block: int, shape: tuple[int, int]) -> Array:
        return cells.repeat_interleave(block, 0).repeat_interleave(block, 1)[: shape[0], : shape[1]].contiguous()

    def upsample(self, C: Array, field: tuple[int, int], shape: tuple[int, int]) -> Array:
        i, j = (torch.arange(side, device=self.device) for side in field)
        qy, qx = (i // 2).clamp(max=C.shape[1] - 1), (j // 2).clamp(max=C.shape[2] - 1)
        coarse = C[:, qy[:, None], qx]
        rows = (2 * coarse[0] + (i - 2 * qy)[:, None]).clamp(0, shape[0] - 1)
        columns = (2 * coarse[1] + (j - 2 * qx)).clamp(0, shape[1] - 1)
        return torch.stack([rows, columns])

    def weights(self, cost: Array) -> Array:
        return torch.exp(-cost / (cost.mean() + 1e-9)).clamp_(min=1e-4)

    def vote(self, e: Array, C: Array, weight: Array, side: int, size: tuple[int, int]) -> Array:
        fh, fw = weight.shape
        ew, c = e.shape[1], e.shape[2]
        stock = torch.cat([e, torch.ones_like(e[..., :1])], -1).reshape(-1, c + 1)
        first = (C[0] * ew + C[1]).reshape(-1)
        total = torch.zeros((fh + side - 1, fw + side - 1, c + 1), device=self.device)
        w = weight.reshape(-1, 1)
        for dy in range(side):
            for dx in range(side):
                part = stock.index_select(0, first + (dy * ew + dx)).mul_(w)
                total[dy : dy + fh, dx : dx + fw] += part.reshape(fh, fw, c + 1)
        total = _fold(_fold(total, 0, size[0]), 1, size[1])
        return total[..., :-1] / total[..., -1:]

    def roll(self, values: Array, turn: int, axis: int) -> Array:
        return torch.roll(values, turn, axis)

    def mean(self, values: Array) -> float:
        return float(values.mean())

    def variance(self, Y: Array) -> float:
        return float(flat(Y).var(0, correction=0).sum())

    def _distances(self, X: Array, Y: Array, j: Array) -> Array:
        return (X - flat(Y).index_select(0, j).reshape(X.shape)).square_().sum(-1)

    def _argmin(self, x: Array, y: Array, psi: Array) -> Array:
        """argmin_j |x_i - y_j|^2 - psi_j for every i; |x_i|^2 moves no minimum and is left out."""
        bias = (y * y).sum(1) - psi
        minus_two_y = (-2 * y).T
        rows = max(1, CHUNK // len(y))
        return torch.cat([torch.addmm(bias, part, minus_two_y).argmin(1) for part in x.split(rows)])


def _fold(total: Array, axis: int, side: int) -> Array:
    """Brings what hangs over the end of an axis that wraps back to its start."""
    head, tail = total.narrow(axis, 0, side), total.narrow(axis, side, total.shape[axis] - side)
    head.narrow(axis, 0, tail.shape[axis]).add_(tail)
    return head
