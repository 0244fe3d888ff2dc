"""Progress: the Steps that both solvers yield, and how much is done between two of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from .kernels import bands
from .maps import MapSet

PORTION = 2**19
"""Most patches that are worked on between two Steps: a fraction of a second on the slowest provider."""
FEW = 2**16
"""And no fewer, though of a small picture a quarter: what is worked on takes little beside what is kept."""

Made = TypeVar("Made")
Told = TypeVar("Told")
Heard = TypeVar("Heard")

Place = tuple[float, float, float, float]
"""Top, left, bottom and right of a part, in shares of the sides of the whole."""


@dataclass(frozen=True)
class Step:
    """A portion of a round is done: `fraction` of the whole work; `preview()` is the picture as it stands, or the
    exemplar before anything is made.

    A preview is float32 (H, W, C) at the level's size: the planes that are compared, see `maps.Map.compared`. place: of
    it in the whole picture. maps: those whose planes they are, where they are not the ones that were given.
    """

    level: int  # 0 is the finest
    levels: int  # 0 before anything is made
    round: int  # how many of the level's rounds are done
    rounds: int
    fraction: float
    preview: Callable[[], np.ndarray]
    place: Place = (0, 0, 1, 1)
    maps: MapSet | None = None


def begins(planes: np.ndarray | Callable[[], np.ndarray]) -> Step:
    """Before anything is made: what is there is looked at."""
    return Step(0, 0, 0, 1, 0.0, (lambda: planes) if isinstance(planes, np.ndarray) else planes)


def portions(rows: int, width: int, least: int = 1, parts: int = 1) -> list[slice]:
    """What is worked on between two Steps, of so many rows of so many patches: at least so many rows.

    parts: into how many what is a large share of a small picture is parted further.
    """
    return bands(slice(0, rows), max(least, min(PORTION, max(FEW, rows * width // 4) // parts) // width))


def gathered(parts: Iterable[np.ndarray], rows: int) -> Generator[float, None, np.ndarray]:
    """Portions of so many rows in all as one array. Yields the share that is done."""
    whole, row = np.empty(0), 0
    for part in parts:
        if not row:
            whole = np.empty((rows, *part.shape[1:]), part.dtype)
        whole[row : row + len(part)] = part
        row += len(part)
        yield row / rows
    return whole


def mapped(part: Generator[Told, None, Made], how: Callable[[Told], Heard]) -> Generator[Heard, None, Made]:
    """The same work, what it yields told another way."""
    while True:
        try:
            told = next(part)
        except StopIteration as end:
            return end.value
        yield how(told)


def within(
    part: Generator[Told, None, Made], context: Callable[[], AbstractContextManager[None]]
) -> Generator[Told, None, Made]:
    """The same work, each step of it in a context that whoever owns the loop is not in."""
    try:
        while True:
            with context():
                try:
                    told = next(part)
                except StopIteration as end:
                    return end.value
            yield told
    finally:
        part.close()


def between(start: float, end: float) -> Callable[[float], float]:
    return lambda share: start + (end - start) * share
