"""What a task gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..period import Periods, snapped
from ..spec import Request, Size, to_json


@dataclass(frozen=True)
class Result:
    """The picture and how it came about.

    image: the exemplar's dtype and channels at the size that was asked for.
    field: int32 (2, fh, fw), row and column of the exemplar pixel with which each patch of the image begins.
    device: the name of the kernels that computed it.
    seconds: time of each level, coarse first.
    periods: of the exemplar, down and across, None where it does not repeat.
    stretches: of the exemplar, down and across, so that its periods fit a side that wraps.
    retreats: what was done where memory ran out, in words.
    """

    request: Request
    image: np.ndarray
    field: np.ndarray
    device: str
    seconds: tuple[float, ...]
    periods: Periods
    stretches: tuple[float, float]
    retreats: tuple[str, ...]

    def report(self) -> dict[str, Any]:
        """What was asked for and what came, under the names that reports use.

        period: across and down, in px, null where the exemplar does not repeat. fits: the size nearest to the
        result's that holds whole periods. stretch: of the exemplar, across and down, so that another size does.
        """
        size = Size(self.image.shape[1], self.image.shape[0])
        return {
            **to_json(self.request),
            "size": list(size),
            "device": self.device,
            "period": [found and round(found.length, 2) for found in self.periods[::-1]],
            "fits": list(snapped(size, self.periods)),
            "stretch": [round(ratio, 4) for ratio in self.stretches[::-1]],
            "retreats": list(self.retreats),
            "seconds": round(sum(self.seconds), 3),
            "seconds_per_level": [round(s, 3) for s in self.seconds],
        }
