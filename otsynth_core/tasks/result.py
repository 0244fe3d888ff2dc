"""What a task gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..maps import MapSet
from ..period import Periods, snapped
from ..spec import Render, Request, Size, to_json
from .field import Field


@dataclass(frozen=True)
class Result:
    """The pictures and how they came about.

    maps: what was given. images: by the same names, each of its map's dtype and channels; the leading map's has the
    size that was asked for, the others theirs in proportion.
    field: where each patch comes from; other maps of the same material can be put together through it. What is mixed
    has none: it comes from two.
    device: the name of the kernels that computed it.
    seconds: time of each level, coarse first; of a fill, of each part of the hole; of what is rendered, of all.
    periods: of the exemplar in the leading map's pixels, down and across, None where it does not repeat, or it is not
    known whether it does: of what is rendered through a field, mixed, filled, or made by the gradient solver.
    retreats: what was done where memory ran out, in words.
    filled: how many of the leading map's pixels were made anew, if not all; there is no field then.
    losses: of the gradient solver, before each step of its descent; there is no field then, and no period is known.
    notes: what else the user should know, in words.
    """

    request: Request
    maps: MapSet
    images: dict[str, np.ndarray]
    field: Field | None
    device: str
    seconds: tuple[float, ...]
    periods: Periods
    retreats: tuple[str, ...]
    filled: int | None = None
    notes: tuple[str, ...] = ()
    losses: tuple[float, ...] = ()

    @property
    def image(self) -> np.ndarray:
        """The leading map's picture: the only one where one image was given."""
        return next(self.images[name] for name, one in self.maps.maps.items() if one is self.maps.lead)

    def report(self) -> dict[str, Any]:
        """What was asked for and what came, under the names that reports use.

        period: across and down, in px, null where the exemplar does not repeat. fits: the size nearest to the
        result's that holds whole periods. stretch: of the exemplar, across and down, so that another size does. tiles:
        whether its pieces reach over its edges, across and down, because it tiles already. Of a fill instead of these
        filled: how many pixels; of the gradient solver loss: before each step.
        """
        size = Size(self.image.shape[1], self.image.shape[0])
        maps = [
            {
                "name": name,
                "role": one.role,
                "weight": self.maps.weight(one),
                "size": [self.images[name].shape[1], self.images[name].shape[0]],
            }
            for name, one in self.maps.maps.items()
        ]
        return {
            **to_json(self.request),
            "size": list(size),
            "maps": maps,
            "device": self.device,
            **self._kind(size),
            "retreats": list(self.retreats),
            "warnings": [*(f"{name}: {words}" for name, words in self.maps.warnings().items()), *self.notes],
            "seconds": round(sum(self.seconds), 3),
            "seconds_per_level": [round(s, 3) for s in self.seconds],
        }

    def _kind(self, size: Size) -> dict[str, Any]:
        """What only results of this kind have to tell."""
        if isinstance(self.request, Render):  # the exemplar was looked at when the field was made
            return {name: told for name, told in self._structure(size).items() if name in ("stretch", "tiles")}
        if self.field is not None:
            return self._structure(size)
        if self.filled is not None:
            return {"filled": self.filled}
        return {"loss": list(self.losses)} if self.losses else {}

    def _structure(self, size: Size) -> dict[str, Any]:
        """How the exemplar repeats, and what was done so that the result does."""
        assert self.field is not None
        _, made, shown = self.field.sizes.lead
        stretches = [ratio * n / m for ratio, n, m in zip(self.field.sizes.stretches, shown, made, strict=True)]
        return {
            "period": [found and round(found.length, 2) for found in self.periods[::-1]],
            "fits": list(snapped(size, self.periods)),
            "stretch": [round(ratio, 4) for ratio in stretches[::-1]],
            "tiles": list(self.field.around[::-1]),
        }
