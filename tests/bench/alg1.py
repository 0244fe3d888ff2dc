"""The paper's Algorithm 1 as it is written, to compare with: ascent on psi and descent on the pixels in turn, autograd.

Houdard, Leclaire, Papadakis, Rabin: Wasserstein Generative Models for Patch-based Texture Synthesis (SSVM 2021), with
the parameters of the authors' published code: 4 scales, 4 x 4 patches, at most 2000 exemplar patches a scale, 10 steps
of averaged stochastic ascent on psi, then one step of Adam (rate 0.01) on the image.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

SCALES, SIDE, PATCHES, ASCENTS = 4, 4, 2000, 10
PSI_RATE, ADAM_RATE = 1.0, 0.01


def iterations(exemplar: np.ndarray, size: tuple[int, int], seed: int = 0):  # type: ignore[no-untyped-def]
    """Yields the loss after each iteration, for ever. exemplar: float32 (H, W, 3); size: (height, width)."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.from_numpy(exemplar).permute(2, 0, 1)[None]
    mean, spread = target.mean((2, 3), keepdim=True), target.std((2, 3), keepdim=True)
    u = (mean + 0.2 * spread * torch.randn((1, 3, *size), generator=generator)).requires_grad_()
    adam = torch.optim.Adam([u], lr=ADAM_RATE)
    Y = [few(patches(e), generator) for e in pyramid(target)]
    psi = [torch.zeros(len(y)) for y in Y]
    while True:
        with torch.no_grad():
            current = [patches(v) for v in pyramid(u)]
        for s in range(SCALES):
            psi[s] = ascended(current[s], Y[s], psi[s])
        adam.zero_grad()
        loss = sum(semidual(patches(v), Y[s], psi[s]) for s, v in enumerate(pyramid(u)))
        loss.backward()  # type: ignore[union-attr]
        adam.step()
        yield float(loss.detach())


def semidual(x: torch.Tensor, y: torch.Tensor, psi: torch.Tensor) -> torch.Tensor:
    """F(psi, u) = 1/n sum_i min_j (|x_i - y_j|^2 - psi_j) + 1/m sum_j psi_j."""
    cost = (x * x).sum(1, keepdim=True) + (y * y).sum(1) - 2 * x @ y.T  # (n, m)
    return (cost - psi).min(1).values.mean() + psi.mean()


def ascended(x: torch.Tensor, y: torch.Tensor, psi: torch.Tensor) -> torch.Tensor:
    """The average of `ASCENTS` steps psi += rate / sqrt(t) dF/dpsi, the gradient by autograd as the authors have it."""
    average = torch.zeros_like(psi)
    for t in range(1, ASCENTS + 1):
        psi = psi.detach().requires_grad_()
        (slope,) = torch.autograd.grad(semidual(x, y, psi), psi)
        psi = psi.detach() + PSI_RATE / t**0.5 * slope
        average += (psi - average) / t
    return average


def pyramid(u: torch.Tensor) -> list[torch.Tensor]:
    """u and its halves: 4-tap Gaussian with sigma 1, every second pixel."""
    taps = torch.exp(-((torch.arange(4.0) - 1.5) ** 2) / 2)
    taps = torch.outer(taps, taps) / taps.sum() ** 2
    levels = [u]
    for _ in range(SCALES - 1):
        padded = F.pad(levels[-1], (1, 1, 1, 1), mode="reflect")
        levels.append(F.conv2d(padded, taps[None, None].repeat(3, 1, 1, 1), stride=2, groups=3))
    return levels


def patches(u: torch.Tensor) -> torch.Tensor:
    return F.unfold(u, SIDE)[0].T  # (n, 48)


def few(y: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return y[torch.randperm(len(y), generator=generator)[:PATCHES]]
