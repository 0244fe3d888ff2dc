"""The array primitives on which the transport solver is written, and who provides them.

Letters, as in the paper: x_i is the descriptor of patch i of the image being made, y_j that of patch j of the exemplar,
psi_j its dual potential. Arrays are the provider's own; all have the same shapes everywhere:

    u, e   image being made, exemplar            float32 (H, W, C)
    d      how patches are described             `patches.Descriptor`, its arrays the provider's
    X, Y   descriptors of their patches          float32 (fh, fw, k), (eh, ew, k); `distances` and `sweep` take Y in
                                                 int16 as well, to keep it in half the memory
    psi    potentials                            float32 (eh, ew)
    C      correspondence field: row and column  int32 (2, fh, fw), in [0, eh) x [0, ew)
           of the exemplar patch shown at i
    cost   |x_i - y_C(i)|^2                      float32 (fh, fw)

A field has one entry per patch of the image: as many as pixels on an axis that wraps, s - 1 fewer on one that does not.
Providers give equal results to rounding; random numbers come from one counter-based hash, so they are the same on all.
What has an entry per patch is worked out for the `rows` that are asked for, and inside in bands of them, so that
temporaries stay small at any size; X itself is never held whole but at coarse levels.
"""

from __future__ import annotations

import logging
import platform
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..patches import Descriptor
from ..spec import InputError

Array = Any
"""A numpy.ndarray or a torch.Tensor, as the provider has it."""

Scalar = Any
"""A float or, so that a GPU need not be waited for, a tensor of one number."""

Wrap = tuple[bool, bool]
"""Whether the rows and the columns of the image being made wrap."""

GPUS = ("cuda", "mps")
"""Names of the kernels that have a memory of their own."""

LEAST = 15.0
"""Where `ascend` cuts its weights off, as a logarithm."""

NEIGHBOURS = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""Directions from which `Candidates` takes neighbours' answers."""


@dataclass(frozen=True)
class Candidates:
    """The answers among which a sweep chooses for each patch i, all from the C before it, its own answer first.

    What the neighbours at distance `reach` imply, C(i - d) + d, let off `grace`; and for each radius r, C(i) + an
    offset from [-r, r]^2 that is hashed from (key + its place in radii, i). around: whether the exemplar goes on from
    its start where an answer lies beyond its rows, or columns.
    """

    reach: int
    radii: tuple[int, ...]
    grace: Scalar
    key: int
    around: Wrap = (False, False)


@dataclass(frozen=True)
class But:
    """What `assign` must not take: positions within radius of B(i), down as well as across, and what costs too little.

    least: |x_i - y_j|^2 below which y_j is what stands there itself, in another place. around: whether the exemplar's
    last rows, or columns, are near its first.
    """

    B: Array
    radius: int
    least: float
    around: Wrap = (False, False)


class Kernels(Protocol):
    """What every provider offers."""

    name: str

    def computing(self) -> AbstractContextManager[None]:
        """In it the others are called: the process computes with as many threads as `load` was told."""

    def array(self, values: np.ndarray) -> Array:
        """A NumPy array on the provider's device."""

    def numpy(self, values: Array) -> np.ndarray:
        """The way back."""

    def project(self, u: Array, d: Descriptor, rows: slice | None = None, free: Array | None = None) -> Array:
        """X: x_i = V^T (P_i u - mu) and the phases, for every patch i: (fh, fw, k), some rows or all.

        free: bool (fh, fw), False for patches whose answer does not matter, here and below: a provider may leave them
        out. Their descriptors are then known to itself only: X is no array of any shape, and goes with the same rows
        and free.
        """

    def assign(self, X: Array, Y: Array, psi: Array, but: But | None = None) -> Array:
        """The biased nearest neighbour over the whole exemplar: C(i) = argmin_j |x_i - y_j|^2 - psi_j.

        What `but` rules out is not taken.
        """

    def ascend(self, X: Array, Y: Array, psi: Array, lam: float, steps: int) -> Array:
        """`steps` Sinkhorn steps on the entropic semi-dual with regularisation lam.

        A step is psi_j += lam log(1/m / share_j), share_j = 1/n sum_i softmax_j((psi_j - |x_i - y_j|^2) / lam): it
        vanishes where dF/dpsi_j = 1/m - share_j does, and reaches all exemplar patches at once, near ties included.
        A weight of the softmax is taken to be at least exp(-LEAST) of its row's largest: a patch that is far from
        everything gains at a bounded rate, and no number is denormal.
        """

    def distances(self, X: Array, Y: Array, C: Array, rows: slice, free: Array | None = None) -> Array:
        """cost: |x_i - y_C(i)|^2 for some rows, whose descriptors are X."""

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
        """In some rows, whose descriptors are X, each patch takes the best of its candidates.

        Returns their new C and its cost. The best has the least |x_i - y_N|^2 - psi_N, of which a neighbour's answer is
        let off `candidates.grace`; among equals the first. What lies outside an exemplar that does not go around, or
        has no neighbour there, is none.
        """

    def counts(self, labels: Array, number: int) -> Array:
        """How many of the labels, int32 in [0, number), are 0, 1, ...: float32 (number,)."""

    def weights(self, cost: Array, mean: Scalar) -> Array:
        """How much each patch's vote counts: exp(-cost / mean), at least 1e-4: a bad match blurs little."""

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
        """u(p) = weighted mean over the patches i that cover p of e(C(i) + p - i); size = (H, W). Some rows or all.

        Where free leaves patches out, u is any number for what they cover.
        """

    def empty(self, shape: tuple[int, ...], like: Array) -> Array:
        """An array of this shape, its numbers of the same type as those of another, to be filled in portions."""

    def stacked(self, parts: list[Array], axis: int) -> Array:
        """Portions put together again along an axis; a single one is not copied."""

    def mean(self, values: Array) -> Scalar:
        """The mean of all values."""


def load(device: str, threads: int | None = None, memory: int | None = None) -> Kernels:
    """The provider for a device of `spec.DEVICES`. Raises InputError if it is not to be had.

    cpu is the fastest provider without a GPU that is installed and can be loaded: Numba, torch or NumPy alone; cuda is
    torch, with Triton where that works.
    threads: how many compute, all cores unless told; memory: MiB for temporary arrays, the provider's own unless told.
    """

    def numpy() -> Kernels:
        from .numpy import NumpyKernels

        return NumpyKernels(threads, memory)

    def compiled() -> Kernels:
        from .compiled import CompiledKernels

        return CompiledKernels(threads, memory)

    def torch(name: str) -> Kernels:
        from .torch import TorchKernels, choose

        device = choose(name)
        if device.type == "cuda":
            try:
                from .triton import TritonKernels

                return TritonKernels(device, threads, memory).tried()
            except Exception:  # no Triton, no C compiler, a GPU too old: whatever it is, torch alone does too
                logging.getLogger(__name__).info("without Triton's kernels", exc_info=True)
        return TorchKernels(device, threads, memory)

    if device == "numpy":
        return numpy()
    if device == "auto":
        with suppress(ImportError, OSError, InputError):
            return torch("gpu")
    if device in ("auto", "cpu"):
        with suppress(ImportError, OSError, RuntimeError):  # the last where Numba finds no folder for what it compiles
            return compiled()
        with suppress(ImportError, OSError):
            return torch("cpu")
        return numpy()
    try:
        return torch("cpu" if device == "torch" else device)
    except (ImportError, OSError) as error:
        raise InputError(
            f"device is {device} but torch is not there ({reason(error)}): install it or use cpu"
        ) from None


@dataclass(frozen=True)
class Found:
    """What can compute: the kernels' name, the device's, and how many bytes of memory it has free, if that is known."""

    name: str
    device: str
    free: int | None


def found() -> list[Found]:
    """What computes here, that first which `auto` takes."""
    there = []
    with suppress(ImportError, OSError, InputError):
        from .torch import described

        there += [Found(*one) for one in described()]
    return [*there, Found(load("cpu").name, platform.processor() or platform.machine(), _free())]


def _free() -> int | None:
    """Bytes of the computer's memory that nothing uses, where the system tells."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    kib = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return None if kib is None else 1024 * int(kib)


TINY = 1e-30
"""Cost above zero: of an exemplar that is flat there is no other."""


def reason(error: BaseException) -> str:
    """The first line of what an error says, or its kind if it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


_FULL = "can't allocate memory", "not enough memory", "out of memory"
"""As torch says it on a processor with Linux and with Windows, and on GPUs of Apple."""


def ran_out(error: BaseException) -> bool:
    """Whether an error says that the computer or the device has no memory left."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _FULL)


def flat(X: Array) -> Array:
    """(h, w, k) -> (h w, k)."""
    return X.reshape(-1, X.shape[-1])


def bands(rows: slice, height: int) -> list[slice]:
    """Some rows in bands of so many; the last may be shorter."""
    height = max(1, height)
    return [slice(y, min(y + height, rows.stop)) for y in range(rows.start, rows.stop, height)]


def salted(key: int) -> int:
    """Where the hash of a key starts from."""
    return (key * 0x9E3779B1) & 0xFFFFFFFF


def hashed(index: Array, key: int) -> Array:
    """A number from [0, 2^32) for every index (int64) and key: Wellons' lowbias32, a counter-based generator."""
    v = (index + salted(key)) & 0xFFFFFFFF
    v = ((v ^ (v >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    v = ((v ^ (v >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return v ^ (v >> 16)
