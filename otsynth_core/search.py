"""Approximate biased nearest neighbours for a whole field: neighbours' answers and random tries, sweep by sweep.

PatchMatch (Barnes et al. 2009) with all pixels at once, under the cost |x_i - y_j|^2 - psi_j. A neighbour's answer,
moved along, may cost a little more than the best (`grace`): coherent pieces stay together, which keeps the picture
sharp and free of seams between them.
"""

from __future__ import annotations

from .kernels import Candidates, Scalar, Wrap

REACH = (1, 2)
"""Distances at which neighbours are asked, one sweep each."""


def reaches(far: int) -> tuple[int, ...]:
    """Of the sweeps of a round with random tries from `far` px.

    0 is for a field of which only the joints are left to be set right, as one that was upsampled to a fine level: the
    nearest neighbours are asked, and nothing is tried at random.
    """
    return REACH if far else REACH[:1]


def sweeps(far: int, grace: Scalar, key: int, around: Wrap) -> list[Candidates]:
    """What a round's sweeps choose among: neighbours at each reach, random tries from `far` px, if not 0, down to 2.

    around: whether the exemplar's rows and columns go on from the start.
    """
    radii = (far, far // 8 + 1, 2) if far else ()
    return [Candidates(reach, radii, grace, key + n * len(radii), around) for n, reach in enumerate(reaches(far))]
