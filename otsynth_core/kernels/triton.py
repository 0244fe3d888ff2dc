"""The two searches and the vote in Triton, one pass each with no temporaries: for the GPUs that torch calls cuda."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from . import NEIGHBOURS, But, Candidates, Wrap, flat, salted
from .torch import TorchKernels

Array = torch.Tensor

ROWS, COLUMNS = 64, 64
"""Patches of the image and of the exemplar in a tile of the exhaustive search."""
PROGRAMS = 2048
"""Into how many programs the exhaustive search is parted, if need be along the exemplar: enough for any GPU."""
BLOCK = 128
"""Patches, or numbers of pixels, of one program elsewhere."""


class TritonKernels(TorchKernels):
    """Implements `Kernels`; see there for what each operation means."""

    def tried(self) -> TritonKernels:
        """Itself, after every kernel has been compiled and run once, for shapes as the solver has them.

        Raises whatever goes wrong in that.
        """
        X, psi = torch.zeros((8, 8, 24), device=self.device), torch.zeros((8, 8), device=self.device)
        C = torch.zeros((2, 8, 8), device=self.device, dtype=torch.int32)
        grace = psi.mean()
        self.assign(X, X, psi)
        self.assign(X, X, psi, But(C, 1, 0.0))
        for wrap in ((True, True), (False, False)):
            for x, Y in ((X, X), (X[..., :16], X[..., :16].short())):
                self.sweep(x, Y, psi, C, Candidates(1, (2, 2, 2), grace, 0), wrap, slice(0, 8))
        self.vote(torch.zeros((12, 12, 3), device=self.device), C, psi + 1, 5, (12, 12))
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)  # or what goes wrong is told later, where nobody expects it
        return self

    def assign(self, X: Array, Y: Array, psi: Array, but: But | None = None) -> Array:
        x, y, p = flat(X).contiguous(), flat(Y), psi.reshape(-1).contiguous()
        n, m = len(x), len(y)
        tiles = triton.cdiv(n, ROWS)
        parts = min(triton.cdiv(PROGRAMS, tiles), triton.cdiv(m, COLUMNS))
        share = triton.cdiv(triton.cdiv(m, parts), COLUMNS) * COLUMNS
        score = torch.empty((parts, n), device=self.device)
        best = torch.empty((parts, n), device=self.device, dtype=torch.int32)
        B = torch.zeros((2, 1), device=self.device, dtype=torch.int32) if but is None else but.B.reshape(2, -1)
        radius, least = (0, 0.0) if but is None else (but.radius, but.least)
        _nearest[tiles, parts](
            x, (-2 * y).contiguous(), (y * y).sum(1) - p, p, B[0].contiguous(), B[1].contiguous(), score, best,
            n, m, share, *Y.shape[:2], radius, least,
            BUT=but is not None, AROUND=(False, False) if but is None else but.around,
            k=x.shape[1], K=_padded(x.shape[1]), ROWS=ROWS, COLUMNS=COLUMNS,
        )  # fmt: skip
        sigma = best.gather(0, score.argmin(0, keepdim=True)).reshape(X.shape[:2])
        return torch.stack([sigma // Y.shape[1], sigma % Y.shape[1]])

    def _sweep_band(
        self, x: Array, Y: Array, psi: Array, C: Array, candidates: Candidates, wrap: Wrap, rows: slice
    ) -> tuple[Array, Array]:
        (fh, fw), (eh, ew), height = C.shape[1:], psi.shape, len(x)
        N = torch.empty((2, height, fw), device=self.device, dtype=torch.int32)
        cost = torch.empty((height, fw), device=self.device)
        grace = torch.as_tensor(candidates.grace, dtype=torch.float32, device=self.device)
        C, radii = C.contiguous(), (*candidates.radii, 0, 0, 0)
        salts = [_signed(salted(candidates.key + trial)) for trial in range(3)]
        _swept[(triton.cdiv(height * fw, BLOCK),)](
            x.contiguous(), Y.contiguous(), psi.contiguous(), C[0], C[1], grace, N[0], N[1], cost,
            rows.start, height * fw, fh, fw, eh, ew, candidates.reach, *radii[:3], *salts,
            DOWN=wrap[0], ACROSS=wrap[1], AROUND=candidates.around, DIRECTIONS=NEIGHBOURS, TRIALS=len(candidates.radii),
            k=x.shape[2], K=_padded(x.shape[2]), BLOCK=BLOCK,
        )  # fmt: skip
        return N, cost

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
        (fh, fw), C = weight.shape, C.contiguous()
        u = torch.empty((rows.stop - rows.start, size[1], e.shape[2]), device=self.device)
        _voted[(triton.cdiv(u.numel(), BLOCK),)](
            e.contiguous(), C[0], C[1], weight.contiguous(), u,
            rows.start, u.numel(), size[1], fh, fw, e.shape[1],
            DOWN=fh == size[0], ACROSS=fw == size[1], SIDE=side, c=e.shape[2], BLOCK=BLOCK,
        )  # fmt: skip
        return u


def _padded(k: int) -> int:
    """Numbers in a descriptor, as many as a matrix unit takes."""
    return max(16, triton.next_power_of_2(k))


def _signed(value: int) -> int:
    """The same 32 bits as a signed number, so that all are of one type."""
    return value - 2**32 if value >= 2**31 else value


@triton.jit(do_not_specialize=["share", "radius"])
def _nearest(  # type: ignore[no-untyped-def]
    x, minus_two_y, bias, psi, by, bx, score_to, best_to,
    n, m, share, eh, ew, radius, least,
    BUT: tl.constexpr, AROUND: tl.constexpr,
    k: tl.constexpr, K: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Of a tile's rows, the best among a share of the exemplar. Every column of a tile keeps a best of its own."""
    i, t = tl.program_id(0) * ROWS + tl.arange(0, ROWS), tl.arange(0, K)
    there = i < n
    xs = tl.load(x + i[:, None].to(tl.int64) * k + t, mask=there[:, None] & (t < k), other=0.0)
    best = tl.full((ROWS, COLUMNS), float("inf"), tl.float32)
    place = tl.zeros((ROWS, COLUMNS), tl.int32)
    if BUT:
        limit = (least - tl.sum(xs * xs, 1))[:, None]
        down, across = tl.load(by + i, mask=there, other=0)[:, None], tl.load(bx + i, mask=there, other=0)[:, None]
    begin = tl.program_id(1) * share
    for first in range(begin, tl.minimum(begin + share, m), COLUMNS):
        j = first + tl.arange(0, COLUMNS)
        ys = tl.load(minus_two_y + j[:, None].to(tl.int64) * k + t, mask=(j < m)[:, None] & (t < k), other=0.0)
        score = tl.dot(xs, tl.trans(ys), input_precision="tf32x3")
        score += tl.load(bias + j, mask=j < m, other=float("inf"))[None, :]
        if BUT:
            rows, columns = tl.abs(j // ew - down), tl.abs(j % ew - across)
            if AROUND[0]:
                rows = tl.minimum(rows, eh - rows)
            if AROUND[1]:
                columns = tl.minimum(columns, ew - columns)
            near = (rows <= radius) & (columns <= radius)
            itself = score < limit - tl.load(psi + j, mask=j < m, other=0.0)[None, :]
            score = tl.where(near | itself, float("inf"), score)
        better = score < best
        best = tl.where(better, score, best)
        place = tl.where(better, j[None, :], place)
    least_score, column = tl.min(best, 1, return_indices=True)
    chosen = tl.sum(tl.where(tl.arange(0, COLUMNS)[None, :] == column[:, None], place, 0), 1)
    to = tl.program_id(1).to(tl.int64) * n + i
    tl.store(score_to + to, least_score, mask=there)
    tl.store(best_to + to, chosen, mask=there)


@triton.jit
def _considered(  # type: ignore[no-untyped-def]
    xs, y, psi, ny, nx, there, grace, ty, tx, cost, best, eh, ew,
    k: tl.constexpr, t, AROUND: tl.constexpr,
):  # fmt: skip
    """The best of what has been taken and one more answer: its row and column, cost and score."""
    if AROUND[0]:
        ny = (ny % eh + eh) % eh
    if AROUND[1]:
        nx = (nx % ew + ew) % ew
    inside = there & (ny >= 0) & (ny < eh) & (nx >= 0) & (nx < ew)
    j = tl.where(inside, ny * ew + nx, 0)
    gap = xs - tl.load(y + j[:, None].to(tl.int64) * k + t, mask=inside[:, None] & (t < k), other=0).to(tl.float32)
    new = tl.sum(gap * gap, 1)
    score = new - tl.load(psi + j, mask=inside, other=0.0) - grace
    better = inside & (score < best)
    ty, tx = tl.where(better, ny, ty), tl.where(better, nx, tx)
    return ty, tx, tl.where(better, new, cost), tl.where(better, score, best)


@triton.jit
def _patch(row, column, fh, fw, reach, there, DOWN: tl.constexpr, ACROSS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Where in a field the patch is that has some row and column, `reach` outside at most, and whether there is one."""
    if not DOWN:
        there = there & (row >= 0) & (row < fh)
    if not ACROSS:
        there = there & (column >= 0) & (column < fw)
    return (row + reach * fh) % fh * fw + (column + reach * fw) % fw, there


@triton.jit
def _offset(index, salt, r):  # type: ignore[no-untyped-def]
    """A number from [-r, r] hashed from an index: `kernels.hashed`, whose salt has been made from its key."""
    v = (index + salt).to(tl.uint32, bitcast=True)
    v = (v ^ (v >> 16)) * 0x7FEB352D
    v = (v ^ (v >> 15)) * 0x846CA68B
    v = v ^ (v >> 16)
    return (v % (2 * r + 1).to(tl.uint32)).to(tl.int32) - r


@triton.jit(do_not_specialize=["first", "reach", "r0", "r1", "r2", "s0", "s1", "s2"])
def _swept(  # type: ignore[no-untyped-def]
    x, y, psi, cy, cx, grace, ny_to, nx_to, cost_to,
    first, number, fh, fw, eh, ew, reach, r0, r1, r2, s0, s1, s2,
    DOWN: tl.constexpr, ACROSS: tl.constexpr, AROUND: tl.constexpr, DIRECTIONS: tl.constexpr, TRIALS: tl.constexpr,
    k: tl.constexpr, K: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Some patches, from the row `first` on, take the best of their candidates."""
    p, t = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), tl.arange(0, K)[None, :]
    there = p < number
    row, column = first + p // fw, p % fw
    i = row * fw + column
    xs = tl.load(x + p[:, None].to(tl.int64) * k + t, mask=there[:, None] & (t < k), other=0.0)
    own_y, own_x = tl.load(cy + i, mask=there, other=0), tl.load(cx + i, mask=there, other=0)
    cost, best = tl.zeros((BLOCK,), tl.float32), tl.full((BLOCK,), float("inf"), tl.float32)
    ty, tx, cost, best = _considered(
        xs, y, psi, own_y, own_x, there, 0.0, own_y, own_x, cost, best, eh, ew, k, t, AROUND
    )
    let_off = tl.load(grace)
    for n in tl.static_range(4):
        dy, dx = reach * DIRECTIONS[n][0], reach * DIRECTIONS[n][1]
        at, near = _patch(row - dy, column - dx, fh, fw, reach, there, DOWN, ACROSS)
        ny, nx = tl.load(cy + at, mask=near, other=0) + dy, tl.load(cx + at, mask=near, other=0) + dx
        ty, tx, cost, best = _considered(xs, y, psi, ny, nx, near, let_off, ty, tx, cost, best, eh, ew, k, t, AROUND)
    for trial in tl.static_range(TRIALS):
        r, salt = r0, s0
        if trial == 1:
            r, salt = r1, s1
        if trial == 2:
            r, salt = r2, s2
        ny, nx = own_y + _offset(i, salt, r), own_x + _offset(i + fh * fw, salt, r)
        ty, tx, cost, best = _considered(xs, y, psi, ny, nx, there, 0.0, ty, tx, cost, best, eh, ew, k, t, AROUND)
    tl.store(ny_to + p, ty, mask=there)
    tl.store(nx_to + p, tx, mask=there)
    tl.store(cost_to + p, cost, mask=there)


@triton.jit(do_not_specialize=["first"])
def _voted(  # type: ignore[no-untyped-def]
    e, cy, cx, weight, u, first, number, width, fh, fw, ew,
    DOWN: tl.constexpr, ACROSS: tl.constexpr, SIDE: tl.constexpr, c: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Every number of every pixel gathers the votes of the patches that cover it."""
    at_u = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there, p, channel = at_u < number, (at_u // c).to(tl.int32), (at_u % c).to(tl.int32)
    row, column = first + p // width, p % width
    total, weights = tl.zeros((BLOCK,), tl.float32), tl.zeros((BLOCK,), tl.float32)
    for dy in tl.static_range(SIDE):
        for dx in tl.static_range(SIDE):
            at, votes = _patch(row - dy, column - dx, fh, fw, SIDE, there, DOWN, ACROSS)
            w = tl.load(weight + at, mask=votes, other=0.0)
            j = (tl.load(cy + at, mask=votes, other=0) + dy) * ew + tl.load(cx + at, mask=votes, other=0) + dx
            total += w * tl.load(e + j.to(tl.int64) * c + channel, mask=votes, other=0.0)
            weights += w
    tl.store(u + at_u, total / tl.where(there, weights, 1.0), mask=there)
