"""What a task gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..spec import Request, Size, to_json


@dataclass(frozen=True)
class Result:
    """The picture and how it came about.

    image: the exemplar's dtype and channels at the size that was asked for.
    field: int32 (2, fh, fw), row and column of the exemplar patch that stands at each patch of the image.
    seconds: time of each level, coarse first.
    """

    request: Request
    image: np.ndarray
    field: np.ndarray
    device: str
    seconds: tuple[float, ...]

    def report(self) -> dict[str, Any]:
        """Size, seed, device and times under the names that reports use."""
        size = Size(self.image.shape[1], self.image.shape[0])
        return {
            **to_json(self.request),
            "size": list(size),
            "device": self.device,
            "seconds": round(sum(self.seconds), 3),
            "seconds_per_level": [round(s, 3) for s in self.seconds],
        }
