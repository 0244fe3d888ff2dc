"""What can be asked for: frozen requests, validated at the door, and their JSON form.

Defaults, ranges and sentences of help live here; the command line, the worker's messages and Blender's properties are
made from these fields. Nothing here needs torch, an image or Blender.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from numbers import Real
from typing import Any, ClassVar, NamedTuple

MIN_SIDE = 8
"""Shortest side of a result, in pixels."""
MAX_SIDE = 16384
"""Longest side of a result, in pixels."""
MAX_SEED = 2**31 - 1
"""Largest seed: what fits a Blender integer property."""

PROTOCOL = 6
"""Version of the worker's messages, see `worker`."""

SNAP = "snap"
"""In the place of a size: the exemplar's own, or near it so that a structure that repeats fits."""

WRAPS = ("both", "x", "y", "none")
METHODS = ("resynthesize", "heal")
QUALITIES = ("draft", "normal", "high")
DEVICES = ("auto", "cpu", "cuda", "mps", "torch", "numpy")
FEATURES = ("patches", "vgg", "both")
ENTROPY = 0.01
"""Regularisation of the losses that have one, unless told."""
LOSSES = ("ot", "entropic", "sinkhorn", "gram", "nearest")
DESCENTS = ("adam", "lbfgs", "fixed")


def around(wrap: str) -> tuple[bool, bool]:
    """Whether rows and columns wrap, of one of `WRAPS`."""
    return wrap in ("both", "y"), wrap in ("both", "x")


class InputError(ValueError):
    """The request or its input cannot be used; the message says what came, what was wanted and the way out."""


class Size(NamedTuple):
    """Width and height in pixels, in the order in which artists write them: 512x256 is 512 wide."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @classmethod
    def parse(cls, text: str) -> Size:
        """``"512x256"`` -> ``Size(512, 256)``, ``"512"`` -> a square; raises InputError for anything else."""
        width, by, height = text.lower().partition("x")
        try:
            values = int(width), int(height if by else width)
        except ValueError:
            raise InputError(
                f"size is {text!r}: write it as WxH in pixels, for example 1024x512, or as one side of a square"
            ) from None
        return cls.of(values)

    @classmethod
    def of(cls, values: Any) -> Size:
        """The size for two whole numbers; raises InputError for anything else and for a side that is out of range."""
        try:
            size = cls(*map(operator.index, values))
        except TypeError:
            raise InputError(f"size is {values!r}: two whole numbers are wanted, (width, height) in pixels") from None
        if not all(MIN_SIDE <= side <= MAX_SIDE for side in size):
            raise InputError(f"size is {size}: each side must be {MIN_SIDE} to {MAX_SIDE} px")
        return size


def _option(default: Any, help: str, **limits: Any) -> Any:
    return field(default=default, metadata={"help": help, **limits})  # type: ignore[call-overload]


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """Options whose values are held to what their fields say."""

    def _check(self) -> None:
        for option in fields(self):
            value, limits = getattr(self, option.name), option.metadata
            if isinstance(option.default, bool) and type(value).__name__ not in ("bool", "bool_"):  # NumPy's as well
                raise InputError(f"{option.name} is {value!r}: it must be true or false")
            if "choices" in limits and not (isinstance(value, str) and value in limits["choices"]):
                raise InputError(f"{option.name} is {value!r}: it must be one of {', '.join(limits['choices'])}")
            if "min" in limits and not (value is None and option.default is None):
                self._check_number(option.name, value, limits)

    def _check_number(self, name: str, value: Any, limits: Mapping[str, Any]) -> None:
        whole = isinstance(limits["max"], int)
        try:
            number = operator.index(value) if whole else float(value) if isinstance(value, Real) else None
            inside = number is not None and limits["min"] <= number <= limits["max"]
        except TypeError:
            inside = False
        if not inside:
            wanted = f"a {'whole ' if whole else ''}number from {limits['min']} to {limits['max']}"
            raise InputError(f"{name} is {value!r}: it must be {wanted}")
        object.__setattr__(self, name, number)


@dataclass(frozen=True, kw_only=True)
class _Means(_Checked):
    device: str = _option("auto", "where to compute; auto takes the fastest that is there", choices=DEVICES)
    threads: int | None = _option(None, "processor threads to use; all of them unless told otherwise", min=1, max=1024)
    memory: int | None = _option(
        None,
        "most MiB for temporary arrays, beside 64 at most that coarse levels take; more than it takes by itself changes"
        " nothing",
        min=1,
        max=2**20,
    )


@dataclass(frozen=True, kw_only=True)
class _Common(_Means):
    seed: int = _option(0, "same seed, same device: the same result", min=0, max=MAX_SEED)
    quality: str = _option("normal", "rounds spent: a quick look, the usual, twice the usual", choices=QUALITIES)

    def _check(self) -> None:
        super()._check()
        gradient = getattr(self, "gradient", None)
        if gradient is not None and not isinstance(gradient, Gradient):
            raise InputError(f"gradient is {gradient!r}: spec.Gradient(...) is wanted, or None for our own solver")
        if gradient is not None and self.quality != "normal":
            raise InputError(
                f"quality is {self.quality}: the gradient solver's work is told in iterations; leave it out"
            )
        if gradient is not None and self.memory is not None:
            raise InputError(f"memory is {self.memory}: the gradient solver has no use for it; leave it out")


@dataclass(frozen=True, kw_only=True)
class Gradient(_Checked):
    """The paper's solver in the place of ours: ascent on potentials and descent on pixels in turn. It needs torch."""

    features: str = _option(
        "patches", "what is compared: patches at several scales, layers of VGG, or both", choices=FEATURES
    )
    loss: str = _option(
        "ot", "how far two sets of features are apart; nearest is ot without potentials", choices=LOSSES
    )
    descent: str = _option(
        "adam", "how pixels are moved; fixed: each to the mean of its patches' answers, at one scale", choices=DESCENTS
    )
    iterations: int = _option(300, "steps of the descent", min=1, max=100000)
    scales: int = _option(4, "scales at which patches are compared, each half the one before", min=1, max=10)
    samples: int = _option(2000, "of the exemplar's features, the most that are compared at a scale", min=16, max=2**28)
    entropy: float | None = _option(
        None,
        f"regularisation of entropic and sinkhorn, in variances of the features; {ENTROPY} unless told",
        min=1e-6,
        max=10.0,
    )
    weights: str | None = _option(
        None,
        "file of VGG-16's or VGG-19's weights for red, green, blue in this order (.npz or a state dict), or download:"
        " 0.5 GB from PyTorch's site",
    )

    def __post_init__(self) -> None:
        self._check()
        if self.weights is not None and not isinstance(self.weights, str):
            raise InputError(f"weights is {self.weights!r}: a file's name is wanted, or download")
        if self.features == "patches" and self.weights is not None:
            raise InputError(f"weights is {self.weights!r}: features patches need none; leave it out or choose vgg")
        if self.features != "patches" and not self.weights:
            raise InputError(
                f"features is {self.features}, but no weights were given: name VGG's file, or say download"
            )
        if self.entropy is not None and self.loss not in ("entropic", "sinkhorn"):
            raise InputError(f"entropy is {self.entropy}: loss {self.loss} has none; leave it out, or choose entropic")
        if self.descent == "fixed" and (self.features, self.scales) != ("patches", 1):
            raise InputError("descent fixed moves pixels by patches of one scale: ask for patches and 1 scale with it")
        if self.descent == "lbfgs" and self.loss == "sinkhorn":
            raise InputError("descent lbfgs searches along a line, which loss sinkhorn is no guide for; choose adam")
        if self.descent == "fixed" and self.loss == "gram":
            raise InputError("descent fixed moves pixels to answers, and loss gram has none; choose ot or nearest")


@dataclass(frozen=True, kw_only=True)
class Tile(_Common):
    """Make a seamless version of the exemplar: it repeats both ways without an edge to be seen."""

    task: ClassVar[str] = "tile"
    size: Size | str | None = _option(
        None,
        "size of the result in pixels, WxH, or snap: near the exemplar's own, so that whole"
        " periods fit, as without it, but refused where nothing repeats",
    )

    method: str = _option(
        "resynthesize",
        "make all of it anew, or heal: keep the picture but for parts of a band along its edges",
        choices=METHODS,
    )
    band: int | None = _option(
        None,
        "pixels on either side of an edge that heal may make anew; found from the picture unless told",
        min=1,
        max=MAX_SIDE // 2,
    )
    gradient: Gradient | None = _option(None, "the paper's solver and its settings, in the place of ours")

    def __post_init__(self) -> None:
        self._check()
        if self.size is not None and not (isinstance(self.size, str) and self.size == SNAP):
            object.__setattr__(self, "size", Size.of(self.size))
        if self.method == "heal" and self.size is not None:
            raise InputError(f"size is {self.size}: healing keeps the picture's own; leave it out, or resynthesize")
        if self.method != "heal" and self.band is not None:
            raise InputError(f"band is {self.band}: only method heal has one; leave it out")
        if self.method == "heal" and self.gradient is not None:
            raise InputError("method is heal: the gradient solver makes all of a picture anew; choose resynthesize")


@dataclass(frozen=True, kw_only=True)
class Synthesize(_Common):
    """Make a texture of any size with the exemplar's character; each axis wraps or does not."""

    task: ClassVar[str] = "synthesize"
    size: Size = _option(MISSING, "size of the result in pixels, WxH")
    wrap: str = _option("both", "axes on which the result repeats without a seam", choices=WRAPS)
    gradient: Gradient | None = _option(None, "the paper's solver and its settings, in the place of ours")

    def __post_init__(self) -> None:
        self._check()
        object.__setattr__(self, "size", Size.of(self.size))


@dataclass(frozen=True, kw_only=True)
class Fill(_Common):
    """Make anew what a mask covers, so that nobody can tell; every other pixel stays as it is."""

    task: ClassVar[str] = "fill"
    invert: bool = _option(False, "fill what is black, not what is white")
    margin: int = _option(0, "pixels around the mask over which the new fades into the old", min=0, max=256)
    wrap: str = _option("none", "axes on which the image repeats without a seam, and shall after", choices=WRAPS)

    def __post_init__(self) -> None:
        self._check()


@dataclass(frozen=True, kw_only=True)
class Mix(_Common):
    """Make a texture between two exemplars: a barycenter of their patches, with so much of the second."""

    task: ClassVar[str] = "mix"
    t: float = _option(0.5, "how much of the second: 0 is the first alone, 1 the second", min=0.0, max=1.0)
    size: Size | None = _option(None, "size of the result in pixels, WxH; the first exemplar's own unless told")
    wrap: str = _option("both", "axes on which the result repeats without a seam", choices=WRAPS)
    gradient: Gradient | None = _option(None, "the paper's solver and its settings, in the place of ours")

    def __post_init__(self) -> None:
        self._check()
        if self.size is not None:
            object.__setattr__(self, "size", Size.of(self.size))


@dataclass(frozen=True, kw_only=True)
class Render(_Means):
    """Put maps together through a field that tile or synthesize has saved: what came later fits the set."""

    task: ClassVar[str] = "render"

    def __post_init__(self) -> None:
        self._check()


Request = Tile | Synthesize | Fill | Mix | Render
TASKS: dict[str, type[Request]] = {kind.task: kind for kind in (Tile, Synthesize, Fill, Mix, Render)}


def to_json(request: Request) -> dict[str, Any]:
    """A request as plain JSON values, ``{"task": "tile", "size": [512, 512], ...}``."""
    values = asdict(request)
    if isinstance(values.get("size"), tuple):
        values["size"] = list(values["size"])
    return {"task": request.task, **values}


def from_json(values: Mapping[str, Any]) -> Request:
    """The request that `to_json` wrote; raises InputError for an unknown task, option or value."""
    values = dict(values)
    task = values.pop("task", None)
    kind = TASKS.get(task) if isinstance(task, str) else None
    if kind is None:
        raise InputError(f"task must be one of {', '.join(TASKS)}")
    if isinstance(values.get("gradient"), Mapping):
        values["gradient"] = _made(Gradient, values["gradient"], "gradient")
    return _made(kind, values, kind.task)


def _made(kind: type[Any], values: Mapping[str, Any], name: str) -> Any:
    unknown = set(values) - {f.name for f in fields(kind)}
    if unknown:
        raise InputError(f"{name} has no option {', '.join(sorted(unknown))}")
    missing = {f.name for f in fields(kind) if f.default is MISSING} - set(values)
    if missing:
        raise InputError(f"{name} needs {', '.join(sorted(missing))}")
    return kind(**values)
