"""The primitives in PyTorch: the CPU with threads, and GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import torch
import torch.nn.functional as F

from ..patches import Descriptor
from ..spec import InputError
from . import LEAST, NEIGHBOURS, TINY, But, Candidates, Scalar, Wrap, bands, flat, hashed

Array = torch.Tensor

CHUNK = {"cpu": 2**19, "cuda": 2**26, "mps": 2**24}
"""Numbers in the largest temporary array: what a processor's cache holds, or enough to keep a GPU busy."""

ARRAYS = 8
"""How many such arrays there are at most at a time."""


def choose(device: str) -> torch.device:
    """The torch device called cpu, cuda or mps, or for gpu the first that is one. Raises InputError for none."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "gpu":
        device = next((name for name in ("cuda", "mps") if there[name]), device)
    if not there.get(device):
        raise InputError(f"device is {device} but this computer's torch has none: choose auto, cpu or numpy")
    return torch.device(device)


def described() -> list[tuple[str, str, int | None]]:
    """The GPUs that torch has: kernels' name, device's name, bytes that are free."""
    there: list[tuple[str, str, int | None]] = []
    if torch.cuda.is_available():
        there.append(("cuda", torch.cuda.get_device_name(), torch.cuda.mem_get_info()[0]))
    if torch.backends.mps.is_available():
        there.append(("mps", "Apple", None))
    return there


@contextmanager
def computing(threads: int | None) -> Iterator[None]:
    """So many threads, where told: torch has one number for the whole process, which gets back what was set before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class TorchKernels:
    """Implements `Kernels`; see there for what each operation means."""

    def __init__(self, device: torch.device, threads: int | None = None, memory: int | None = None) -> None:
        self.device = device
        self.name = "torch" if device.type == "cpu" else device.type
        self._chunk = CHUNK[device.type]
        if memory is not None:
            self._chunk = min(self._chunk, memory * 2**20 // (4 * ARRAYS))
        self._threads = threads

    def computing(self) -> AbstractContextManager[None]:
        return computing(self._threads)

    def array(self, values: np.ndarray) -> Array:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def numpy(self, values: Array) -> np.ndarray:
        return values.cpu().numpy()

    def project(self, u: Array, d: Descriptor, rows: slice | None = None, free: Array | None = None) -> Array:
        fh, fw = d.field(*u.shape[:2])
        parts = bands(rows or slice(0, fh), self._chunk // (fw * d.k))
        return self.stacked([self._described(u, d, part) for part in parts], 0)

    def _described(self, u: Array, d: Descriptor, rows: slice) -> Array:
        """x_i for some rows of patches: (rows, fw, k)."""
        s, c, fw = d.side, u.shape[2], d.field(*u.shape[:2])[1]
        i = torch.arange(rows.start, rows.stop + s - 1, device=self.device) % u.shape[0]
        k = torch.arange(fw + s - 1, device=self.device) % u.shape[1]
        planes = u[i][:, k].permute(2, 0, 1)[None]
        kernel = d.axes.T.reshape(-1, s, s, c).permute(0, 3, 1, 2)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False, deterministic=True):
            X = F.conv2d(planes.contiguous(memory_format=torch.channels_last), kernel, -d.offset)
        X = X[0].permute(1, 2, 0)
        return torch.cat([X, *(phase.expand(*X.shape[:2], -1) for phase in (d.rows[rows, None], d.columns[None]))], 2)

    def assign(self, X: Array, Y: Array, psi: Array, but: But | None = None) -> Array:
        y = flat(Y)
        bias, minus_two_y = (y * y).sum(1) - psi.reshape(-1), (-2 * y).T  # |x_i|^2 moves no minimum and is left out
        parts = []
        for rows in bands(slice(0, len(X)), self._chunk // (X.shape[1] * len(y))):
            x = flat(X[rows])
            cost = torch.addmm(bias, x, minus_two_y)
            if but is not None:
                itself = cost + psi.reshape(-1) < but.least - (x * x).sum(1, keepdim=True)
                cost.masked_fill_(itself | self._near(but, rows, psi.shape), torch.inf)
            parts.append(cost.argmin(1))
        sigma = torch.cat(parts).reshape(X.shape[:2])
        return torch.stack([sigma // Y.shape[1], sigma % Y.shape[1]]).to(torch.int32)

    def _near(self, but: But, rows: slice, shape: tuple[int, ...]) -> Array:
        """(n, eh ew) Whether a position is within radius of B(i), i in some rows; shape = (eh, ew)."""
        sides = []
        for b, side, around in zip(but.B[:, rows], shape, but.around, strict=True):
            far = (torch.arange(side, device=self.device) - b.reshape(-1, 1)).abs()
            sides.append((torch.minimum(far, side - far) if around else far) <= but.radius)
        down, across = sides
        return (down[:, :, None] & across[:, None]).reshape(len(down), -1)

    def ascend(self, X: Array, Y: Array, psi: Array, lam: float, steps: int) -> Array:
        x, y, p = flat(X), flat(Y), psi.reshape(-1)
        n, m = len(x), len(y)
        K = torch.addmm((p - (y * y).sum(1)) / lam, x, (2 / lam * y).T)  # (n, m) -cost / lam + const_i
        K.sub_(K.max(1, keepdim=True).values).clamp_(min=-LEAST).exp_()
        b = torch.ones_like(p)
        for _ in range(steps):
            b = n / m / ((1 / (K @ b)) @ K)
        return (p + lam * b.log()).reshape(psi.shape)

    def distances(self, X: Array, Y: Array, C: Array, rows: slice, free: Array | None = None) -> Array:
        y, j = flat(Y), C[0, rows] * Y.shape[1] + C[1, rows]
        return self.stacked([_costs(X[part], y, j[part]) for part in self._bands(X)], 0)

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
        parts = []
        for part in self._bands(X):
            own = slice(rows.start + part.start, rows.start + part.stop)
            parts.append(self._sweep_band(X[part], Y, psi, C, candidates, wrap, own))
        return self.stacked([N for N, _ in parts], 1), self.stacked([cost for _, cost in parts], 0)

    def _sweep_band(
        self, x: Array, Y: Array, psi: Array, C: Array, candidates: Candidates, wrap: Wrap, rows: slice
    ) -> tuple[Array, Array]:
        (fh, fw), (eh, ew) = C.shape[1:], psi.shape
        y, p = flat(Y), psi.reshape(-1)
        i, k = torch.arange(rows.start, rows.stop, device=self.device), torch.arange(fw, device=self.device)
        taken = own = C[:, rows]
        j = own[0] * ew + own[1]
        cost = _costs(x, y, j)
        best = cost - p[j]

        def consider(answer: tuple[Array, ...], there: Array | bool, grace: Scalar) -> None:
            nonlocal taken, cost, best
            rows_and_columns = zip(answer, psi.shape, candidates.around, strict=True)
            N = torch.stack([line % side if around else line for line, side, around in rows_and_columns])
            inside = (N[0] >= 0) & (N[0] < eh) & (N[1] >= 0) & (N[1] < ew) & there
            j = torch.where(inside, N[0] * ew + N[1], 0)
            new = _costs(x, y, j)
            score = new - p[j] - grace
            better = inside & (score < best)
            taken = torch.where(better, N, taken)
            cost, best = torch.where(better, new, cost), torch.where(better, score, best)

        for dy, dx in NEIGHBOURS:
            dy, dx = candidates.reach * dy, candidates.reach * dx
            N = C[:, ((i - dy) % fh)[:, None], (k - dx) % fw]
            there_y = (i - dy >= 0) & (i - dy < fh) | wrap[0]
            there_x = (k - dx >= 0) & (k - dx < fw) | wrap[1]
            consider((N[0] + dy, N[1] + dx), there_y[:, None] & there_x, candidates.grace)
        index = i[:, None] * fw + k
        for trial, r in enumerate(candidates.radii):
            offsets = [hashed(index + axis * fh * fw, candidates.key + trial) % (2 * r + 1) - r for axis in (0, 1)]
            consider(tuple(own + torch.stack(offsets).to(own.dtype)), True, 0.0)
        return taken, cost

    def counts(self, labels: Array, number: int) -> Array:
        of = labels.reshape(-1).long()
        counts = torch.zeros(number, device=self.device, dtype=torch.int64)  # bincount would wait for the GPU
        return counts.scatter_add_(0, of, torch.ones_like(of)).float()

    def weights(self, cost: Array, mean: Scalar) -> Array:
        return torch.exp(-cost / (mean + TINY)).clamp_(min=1e-4)

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
        fh, fw = weight.shape
        ew, c = e.shape[1], e.shape[2]
        stock = torch.cat([e, torch.ones_like(e[..., :1])], -1).reshape(-1, c + 1)
        u = []
        for part in bands(rows, self._chunk // ((c + 1) * fw)):
            height = part.stop - part.start
            total = torch.zeros((height, fw + side - 1, c + 1), device=self.device)
            for dy in range(side):
                i = torch.arange(part.start - dy, part.stop - dy, device=self.device)
                w = weight[i % fh]
                if fh < size[0]:
                    w = w * ((i >= 0) & (i < fh))[:, None]
                first = (C[0, i % fh] + dy) * ew + C[1, i % fh]
                for dx in range(side):
                    shown = stock.index_select(0, (first + dx).reshape(-1)).reshape(height, fw, c + 1)
                    total[:, dx : dx + fw].addcmul_(shown, w[..., None])
            over = total.shape[1] - size[1]  # what hangs over the end of an axis that wraps belongs to its start
            total[:, :over] += total[:, size[1] :]
            u.append(total[:, : size[1], :-1] / total[:, : size[1], -1:])
        return self.stacked(u, 0)

    def empty(self, shape: tuple[int, ...], like: Array) -> Array:
        return torch.empty(shape, dtype=like.dtype, device=self.device)

    def stacked(self, parts: list[Array], axis: int) -> Array:
        return parts[0] if len(parts) == 1 else torch.cat(parts, axis)

    def mean(self, values: Array) -> Array:
        return values.mean()

    def _bands(self, X: Array) -> list[slice]:
        return bands(slice(0, len(X)), self._chunk // X[0].numel())


def _costs(x: Array, y: Array, j: Array) -> Array:
    return (x - y.index_select(0, j.reshape(-1)).reshape(x.shape)).square_().sum(-1)
