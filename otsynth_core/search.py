"""Approximate biased nearest neighbours for a whole field: neighbours' answers and random tries, sweep by sweep.

PatchMatch (Barnes et al. 2009) with all pixels at once, under the cost |x_i - y_j|^2 - psi_j. A neighbour's answer,
moved along, may cost a little more than the best (`grace`): coherent pieces stay together, which keeps the picture
sharp and free of seams between them.
"""

from __future__ import annotations

from .kernels import Array, Kernels, Wrap

REACH = (1, 2)
"""Distances at which neighbours are asked, one sweep each."""


def refined(kernels: Kernels, X: Array, Y: Array, psi: Array, C: Array, grace: float, wrap: Wrap, key: int) -> Array:
    """The field after one sweep for each reach: four neighbours, then random offsets at shrinking radii."""
    best = kernels.score(X, Y, psi, C)
    far = max(psi.shape)
    for sweep, d in enumerate(REACH):
        for dy, dx in ((0, d), (d, 0), (0, -d), (-d, 0)):
            C, best = kernels.offer(X, Y, psi, C, best, kernels.shift(C, dy, dx, wrap), grace)
        for trial, radius in enumerate((far, far // 8 + 1, 2)):
            N = kernels.scatter(C, radius, key + 3 * sweep + trial)
            C, best = kernels.offer(X, Y, psi, C, best, N, 0.0)
    return C
