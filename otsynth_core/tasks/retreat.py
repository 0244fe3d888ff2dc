"""Retreat: where memory runs out, the work is done again with less of it, then without a GPU."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic

from .. import kernels
from ..kernels import Kernels
from ..progress import Made, Step, within
from ..spec import Request

LITTLE, LEAST = 16, 4
"""MiB for temporary arrays when memory has run out once: on a GPU; of each thread of a processor, which has 16."""


@dataclass(frozen=True)
class Computed(Generic[Made]):
    """What was made, the name of the kernels that made it, and what was done where memory ran out, in words."""

    made: Made
    device: str
    retreats: tuple[str, ...]


def computed(
    request: Request, work: Callable[[Kernels], Generator[Step, None, Made]]
) -> Generator[Step, None, Computed[Made]]:
    """Does some work with the kernels that a request asks for, or what is left of them. Yields Steps."""
    retreats: list[str] = []
    device, memory = request.device, request.memory
    while True:
        compute = kernels.load(device, request.threads, memory)
        try:
            made = yield from within(work(compute), compute.computing)
        except (MemoryError, RuntimeError) as error:
            if not kernels.ran_out(error):
                raise
            little = LITTLE if compute.name in kernels.GPUS else LEAST
            if memory is None or memory > little:
                retreats.append(f"{compute.name} ran out of memory: again with {little} MiB for temporary arrays")
                memory = little
            elif compute.name in kernels.GPUS:
                retreats.append(f"{compute.name} ran out of memory again: without it")
                device, memory = "cpu", request.memory
            else:
                raise
        else:
            return Computed(made, compute.name, tuple(retreats))
