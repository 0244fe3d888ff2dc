"""The array primitives on which the transport solver is written, and who provides them.

Letters, as in the paper: x_i is the descriptor of patch i of the image being made, y_j that of patch j of the exemplar,
psi_j its dual potential. Arrays are the provider's own; all have the same shapes everywhere:

    u, e   image being made, exemplar            float32 (H, W, C)
    X, Y   descriptors of their patches          float32 (fh, fw, k), (eh, ew, k)
    psi    potentials                            float32 (eh, ew)
    C      correspondence field: row and column  int64 (2, fh, fw), in [0, eh) x [0, ew)
           of the exemplar patch shown at i
    cost   |x_i - y_C(i)|^2                      float32 (fh, fw)

A field has one entry per patch of the image: as many as pixels on an axis that wraps, s - 1 fewer on one that does not.
Providers give equal results to rounding; random numbers come from one counter-based hash, so they are the same on all.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..patches import Basis
from ..spec import InputError

Array = Any
"""A numpy.ndarray or a torch.Tensor, as the provider has it."""

Wrap = tuple[bool, bool]
"""Whether the rows and the columns of the image being made wrap."""


LEAST = 15.0
"""Where `ascend` cuts its weights off, as a logarithm."""


class Kernels(Protocol):
    """What every provider offers."""

    name: str

    def array(self, values: np.ndarray) -> Array:
        """A NumPy array on the provider's device."""

    def numpy(self, values: Array) -> np.ndarray:
        """The way back."""

    def project(self, u: Array, basis: Basis, wrap: Wrap) -> Array:
        """X: x_i = V^T (P_i u - mu) for every patch i."""

    def assign(self, X: Array, Y: Array, psi: Array) -> Array:
        """The biased nearest neighbour over the whole exemplar: C(i) = argmin_j |x_i - y_j|^2 - psi_j."""

    def ascend(self, X: Array, Y: Array, psi: Array, lam: float, steps: int) -> Array:
        """`steps` Sinkhorn steps on the entropic semi-dual with regularisation lam.

        A step is psi_j += lam log(1/m / share_j), share_j = 1/n sum_i softmax_j((psi_j - |x_i - y_j|^2) / lam): it
        vanishes where dF/dpsi_j = 1/m - share_j does, and reaches all exemplar patches at once, near ties included.
        A weight of the softmax is taken to be at least exp(-LEAST) of its row's largest: a patch that is far from
        everything gains at a bounded rate, and no number is denormal.
        """

    def distances(self, X: Array, Y: Array, C: Array) -> Array:
        """cost: |x_i - y_C(i)|^2."""

    def score(self, X: Array, Y: Array, psi: Array, C: Array) -> Array:
        """What the biased nearest neighbour minimises: |x_i - y_C(i)|^2 - psi_C(i)."""

    def offer(
        self, X: Array, Y: Array, psi: Array, C: Array, best: Array, N: Array, grace: float
    ) -> tuple[Array, Array]:
        """Take candidate N(i) where |x_i - y_N(i)|^2 - psi_N(i) - grace < best(i); returns the new C and best.

        Candidates outside the exemplar are never taken. The new best holds grace as well: what comes later must be
        better than a graced answer by that much.
        """

    def shift(self, C: Array, dy: int, dx: int, wrap: Wrap) -> Array:
        """What the neighbour at (-dy, -dx) implies for i: N(i) = C(i - d) + d; outside where there is no neighbour."""

    def scatter(self, C: Array, radius: int, key: int) -> Array:
        """N(i) = C(i) + an offset drawn uniformly from [-radius, radius]^2 by hashing (key, i)."""

    def use(self, C: Array, block: int, shape: tuple[int, int]) -> Array:
        """Share of i that show each `block` x `block` px cell of exemplar positions; shape = (eh, ew). Sums to 1."""

    def spread(self, cells: Array, block: int, shape: tuple[int, int]) -> Array:
        """Each cell's value at all of its positions: (eh, ew)."""

    def upsample(self, C: Array, field: tuple[int, int], shape: tuple[int, int]) -> Array:
        """The field of the next finer level: N(2 i + r) = 2 C(i) + r, cut to `field` and held inside `shape`."""

    def weights(self, cost: Array) -> Array:
        """How much each patch's vote counts: exp(-cost / mean cost), at least 1e-4: a bad match blurs little."""

    def vote(self, e: Array, C: Array, weight: Array, side: int, size: tuple[int, int]) -> Array:
        """u(p) = weighted mean over the patches i that cover p of e(C(i) + p - i); size = (H, W)."""

    def roll(self, values: Array, turn: int, axis: int) -> Array:
        """The values moved on by `turn` places along an axis, in a circle."""

    def mean(self, values: Array) -> float:
        """The mean of all values."""

    def variance(self, Y: Array) -> float:
        """Sum over components of the variance of the descriptors: the scale of the cost."""


def load(device: str) -> Kernels:
    """The provider for a device of `spec.DEVICES`. Raises InputError if it is not to be had.

    Where torch is not installed, or is but cannot be loaded, auto is NumPy.
    """
    from .numpy import NumpyKernels

    if device == "numpy":
        return NumpyKernels()
    try:
        from .torch import TorchKernels, choose
    except (ImportError, OSError) as error:
        if device == "auto":
            return NumpyKernels()
        reason = str(error).splitlines()[0]
        raise InputError(f"device is {device} but torch is not there ({reason}): install it or use numpy") from None
    return TorchKernels(choose(device))


def flat(X: Array) -> Array:
    """(h, w, k) -> (h w, k)."""
    return X.reshape(-1, X.shape[-1])


def hashed(index: Array, key: int) -> Array:
    """A number from [0, 2^32) for every index (int64) and key: Wellons' lowbias32, a counter-based generator."""
    v = (index + ((key * 0x9E3779B1) & 0xFFFFFFFF)) & 0xFFFFFFFF
    v = ((v ^ (v >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    v = ((v ^ (v >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return v ^ (v >> 16)


def rolled_in(d: int) -> slice:
    """The places of an axis that a roll by d fills from the other end."""
    return slice(0, d) if d >= 0 else slice(d, None)
