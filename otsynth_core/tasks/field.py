"""A field that is kept: where every patch of a result comes from, so that a map which comes later fits the set."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile, is_zipfile

import numpy as np

from .. import levels
from ..kernels import Wrap
from ..maps import Map
from ..spec import MAX_SIDE, InputError

FORMAT = 2
"""Version of the file of a field."""
STRETCHED = 0.5
"""No exemplar is stretched by as much."""


@dataclass(frozen=True)
class Sizes:
    """How large an exemplar and a result of it are, as (height, width).

    worked: of the exemplar, not stretched, and of the result, where the field was solved; lead: of the exemplar, of the
    result as it is made and of it as it is shown, in the leading map's pixels; stretches: of the exemplar, down and
    across.
    """

    worked: tuple[tuple[int, int], tuple[int, int]]
    lead: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    stretches: tuple[float, float]

    def own(self, one: Map) -> tuple[tuple[int, int], tuple[int, int]]:
        """Of the result as it is made and as it is shown, in a map's own pixels."""
        exemplar, *results = self.lead
        made, shown = (
            tuple(max(1, round(side * n / lead)) for side, n, lead in zip(size, one.size, exemplar, strict=True))
            for size in results
        )
        return made, shown  # type: ignore[return-value]


@dataclass(frozen=True)
class Field:
    """Where every patch of a result comes from, and what it takes to put other maps of the same material together.

    field: int32 (2, fh, fw), row and column of the stretched exemplar's patch; weight: float32 (fh, fw) of its vote.
    around: whether patches reach over the exemplar's edges, down and across.
    """

    field: np.ndarray
    weight: np.ndarray
    sizes: Sizes
    around: Wrap

    def save(self, path: str | Path) -> None:
        """As an .npz file: its arrays, and a line of JSON."""
        words = json.dumps({"format": FORMAT, "around": self.around, **asdict(self.sizes)})
        with Path(path).open("wb") as file:
            np.savez_compressed(file, field=self.field.astype(np.int16), weight=self.weight, about=np.array(words))

    @classmethod
    def load(cls, path: str | Path) -> Field:
        """Raises InputError for a file that `save` did not write."""
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                field, weight = file["field"], file["weight"]
            if (field.dtype.kind, weight.dtype.kind) != ("i", "f"):
                raise ValueError(f"its arrays are of {field.dtype} and {weight.dtype}")
            field, weight = field.astype(np.int32), weight.astype(np.float32)
            if about["format"] != FORMAT:
                raise InputError(f"{path}: is a field of format {about['format']}, {FORMAT} is wanted: solve it again")
            worked, lead = (tuple(tuple(map(int, pair)) for pair in about[name]) for name in ("worked", "lead"))
            sizes = Sizes(worked, lead, tuple(map(float, about["stretches"])))  # type: ignore[arg-type]
            down, across = (bool(goes) for goes in about["around"])
            if not _together(field, weight, sizes):
                raise ValueError("its numbers do not go together")
        except FileNotFoundError:
            raise InputError(f"{path}: there is no such file") from None
        except (OSError, KeyError, ValueError, TypeError, AttributeError, EOFError, BadZipFile, zlib.error) as error:
            if isinstance(error, InputError):
                raise
            why = f" ({error})" if is_zipfile(path) else ""  # NumPy takes any other file for one that it must not trust
            raise InputError(f"{path}: is not a field that --save-field wrote{why}") from None
        return cls(field, weight, sizes, (down, across))


def _together(field: np.ndarray, weight: np.ndarray, sizes: Sizes) -> bool:
    """Whether what was read could be one field."""
    pairs = [*sizes.worked, *sizes.lead, sizes.stretches]
    if (len(sizes.worked), len(sizes.lead), {len(pair) for pair in pairs}) != (2, 3, {2}) or min(map(min, pairs)) <= 0:
        return False
    if field.shape != (2, *weight.shape) or field.min() < 0 or not (np.isfinite(weight) & (weight > 0)).all():
        return False
    by = max(1, round(max(sizes.lead[0]) / max(sizes.worked[0])))
    for axis, (places, stretch) in enumerate(zip(field.shape[1:], sizes.stretches, strict=True)):
        (its, made), (exemplar, whole, shown) = ([pair[axis] for pair in of] for of in (sizes.worked, sizes.lead))
        if its != -(-exemplar // by) or abs(whole - by * made) >= by or shown > MAX_SIDE:
            return False
        if places not in (made, made - levels.SIDE + 1) or abs(stretch - 1) > STRETCHED:
            return False
        if field[axis].max() >= round(its * stretch):
            return False
    return True
