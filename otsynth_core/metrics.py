"""How good a result is: distance of patch distributions, seams, sharpness, copying. Images are float (H, W, C), 0..1.

None of these sees how the result was made: they take two pictures. `distance`, `floor` and `divergence` need SciPy, the
others NumPy alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .patches import windows
from .pyramid import downsample

Array = np.ndarray

PATCH = 4
SCALES = 4
SAMPLES = 1500
WINDOW = 48
STRIDE, WINDOWS = 8, 2500
PROBE = 8
SAME = 0.1


def distance(image: Array, exemplar: Array) -> float:
    """Multi-scale optimal transport distance between the patches of two images.

    At each of `SCALES` scales (halved by `pyramid.downsample`), `SAMPLES` patches of `PATCH` x `PATCH` px are drawn
    from each image uniformly with replacement, and the exact transport cost between the two samples is found for
    c(x, y) = |x - y|^2 (sum over pixels and channels); the mean over the scales is returned. Scales that are smaller
    than a patch are left out.  W_2^2 of Houdard et al. 2021, eq. (3), on samples.
    """
    return float(np.mean(_costs(image, exemplar, _scales(image, exemplar))))


def floor(exemplar: Array) -> float:
    """`distance` of the exemplar to itself: what two samples of the same patches are apart."""
    return distance(exemplar, exemplar)


def divergence(image: Array, exemplar: Array) -> float:
    """`distance` without its bias: less the mean of what two samples of either image alone are apart.

    About 0 for images with the same patches. Samples of what is blurred lie close together, so by
    `distance` alone it comes out nearer to the exemplar than that is to itself; not by this. As Genevay et al.,
    *Learning Generative Models with Sinkhorn Divergences* (AISTATS 2018), eq. (5), with samples for the smoothing.
    """
    scales = _scales(image, exemplar)
    apart, own, its = (_costs(*pair, scales) for pair in ((image, exemplar), (image, image), (exemplar, exemplar)))
    return _unbiased(apart, own, its)


def _unbiased(apart: list[float], own: list[float], its: list[float]) -> float:
    """From the costs at each scale between two images, and within each."""
    return float(np.mean(apart) - (np.mean(own) + np.mean(its)) / 2)


def _scales(*images: Array) -> int:
    """How many scales of these images hold a patch."""
    short = min(side for image in images for side in image.shape[:2])
    return sum(short >> scale >= PATCH for scale in range(SCALES))


def transported(x: Array, y: Array) -> float:
    """Mean of |x_i - y_s(i)|^2 over vectors (n, d), under the assignment s that makes it least."""
    from scipy.optimize import linear_sum_assignment

    cost = (x * x).sum(1)[:, None] + (y * y).sum(1) - 2 * x @ y.T  # (n, n) |x_i - y_j|^2
    return float(cost[linear_sum_assignment(cost)].mean())


def _costs(image: Array, exemplar: Array, scales: int) -> list[float]:
    """Of transport between two images' patches, at each scale: what comes first does not hang on how many they are."""
    rng = np.random.default_rng(0)
    costs = []
    for _ in range(scales):
        x, y = (_sample(picture, rng) for picture in (image, exemplar))
        costs.append(transported(x, y))
        image, exemplar = downsample(image), downsample(exemplar)
    return costs


def _sample(image: Array, rng: np.random.Generator) -> Array:
    patches = windows(image, PATCH)
    y = rng.integers(patches.shape[0], size=SAMPLES)
    x = rng.integers(patches.shape[1], size=SAMPLES)
    return patches[y, x].reshape(SAMPLES, -1).astype(np.float64)


def seam(image: Array, axis: int) -> float:
    """Jump across the wrap edge of an axis (0: top to bottom, 1: left to right) over the interior's 95th percentile.

    A jump is the mean absolute difference of two neighbouring rows (columns), over pixels and channels. At most about
    1 where the image repeats without an edge. A flat image has no seam: 0; one where fewer than a twentieth of the rows
    differ from the next has infinitely much at an edge that does.
    """
    jumps = _jumps(image, axis)
    edge, interior = jumps[-1], np.percentile(jumps[:-1], 95)
    if interior == 0:
        return 0.0 if edge == 0 else float("inf")
    return float(edge / interior)


def roughest(image: Array, exemplar: Array) -> float:
    """Largest jump anywhere, wrap edges included, over the largest inside the exemplar; the larger of both axes.

    Above 1 there is an edge, somewhere, that the exemplar does not have. Unlike `seam` this does not depend on where
    an image that tiles is cut.
    """
    ratios = []
    for axis in (0, 1):
        own, wanted = _jumps(image, axis).max(), _jumps(exemplar, axis)[:-1].max()
        ratios.append(own / wanted if wanted else 0.0 if own == 0 else float("inf"))
    return float(max(ratios))


def _jumps(image: Array, axis: int) -> Array:
    """Mean absolute difference of each row (column) and the next, the last one's across the wrap edge."""
    return np.abs(np.roll(image, -1, axis) - image).mean(axis=tuple(a for a in range(image.ndim) if a != axis))


def sharpness(image: Array, exemplar: Array) -> float:
    """Gradient energy (mean square of neighbours' differences) over the exemplar's; 1 if that is flat as well."""
    own, wanted = _gradient_energy(image), _gradient_energy(exemplar)
    if wanted == 0:
        return 1.0 if own == 0 else float("inf")
    return own / wanted


def _gradient_energy(image: Array) -> float:
    return float(np.mean([(np.diff(image, axis=axis) ** 2).mean() for axis in (0, 1)]))


def copied(image: Array, exemplar: Array) -> float:
    """Share of the image's `WINDOW` x `WINDOW` px windows that stand verbatim in the exemplar.

    They are taken every `STRIDE` px, or as much farther apart as makes about `WINDOWS` of them.

    A window stands there if at some position of the exemplar the root mean square difference, over pixels and
    channels, is below `SAME` times the exemplar's standard deviation. Positions are proposed by the exemplar patches
    nearest to five `PROBE` x `PROBE` px probes of the window, as seen at half their size, so a copy is missed only if
    all five have a nearer twin.
    """
    if min(image.shape[:2] + exemplar.shape[:2]) < WINDOW:
        return 0.0
    own, stock = windows(image, WINDOW), windows(exemplar, WINDOW)
    mean = exemplar.mean((0, 1), np.float64)  # numbers near 0 lose least in |x - y|^2
    probes, target = (_pooled(picture - mean) for picture in (image, exemplar))
    columns = target.shape[1]
    stride = max(STRIDE, round((own.shape[0] * own.shape[1] / WINDOWS) ** 0.5))
    steps = [np.arange(0, n, stride) for n in own.shape[:2]]
    corners = np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 2)
    same = SAME * exemplar.std()
    found = np.zeros(len(corners), bool)
    far, middle = WINDOW - PROBE, (WINDOW - PROBE) // 2
    for d in ((middle, middle), (0, 0), (0, far), (far, 0), (far, far)):
        left = np.flatnonzero(~found)
        y, x = (corners[left] + d).T
        best = _nearest(probes[y, x], target.reshape(-1, target.shape[2]))
        for i, (py, px) in zip(left, np.stack(np.divmod(best, columns), 1) - d, strict=True):
            if 0 <= py < stock.shape[0] and 0 <= px < stock.shape[1]:
                found[i] = ((own[tuple(corners[i])] - stock[py, px]) ** 2).mean() < same**2
    return float(found.mean())


def _pooled(image: Array) -> Array:
    """float32 (H - PROBE + 1, W - PROBE + 1, PROBE^2 C / 4): every patch, its pixels averaged 2 x 2."""
    blocks = windows(image.astype(np.float32), PROBE)
    halved = blocks[:, :, ::2] + blocks[:, :, 1::2]
    return ((halved[:, :, :, ::2] + halved[:, :, :, 1::2]) / 4).reshape(*blocks.shape[:2], -1)


def _nearest(x: Array, y: Array) -> Array:
    """Of vectors y (m, d), the index of the one nearest to each of x (n, d)."""
    least, best = np.full(len(x), np.inf, np.float32), np.zeros(len(x), int)
    step = 2**21 // (len(x) + 1) + 1  # what is compared at a time stays in the cache
    for first in range(0, len(y), step):
        some = y[first : first + step]
        far = (some * some).sum(1) / 2 - x @ some.T
        at = far.argmin(1)
        here = far[np.arange(len(x)), at]
        best = np.where(here < least, first + at, best)
        least = np.minimum(here, least)
    return best


def measure(image: Array, exemplar: Array) -> dict[str, Any]:
    """All figures of a result beside its exemplar, under the names that reports use."""
    scales = _scales(image, exemplar)
    apart, own = (_costs(image, other, scales) for other in (exemplar, image))
    its = _costs(exemplar, exemplar, _scales(exemplar))
    return {
        "distance": float(np.mean(apart)),
        "floor": float(np.mean(its)),
        "divergence": _unbiased(apart, own, its[:scales]),
        "seam_y": seam(image, 0),
        "seam_x": seam(image, 1),
        "roughest": roughest(image, exemplar),
        "sharpness": sharpness(image, exemplar),
        "copied": copied(image, exemplar),
    }
