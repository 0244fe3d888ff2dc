"""The shell's verbs: tile, synthesize, fill, mix, render. Exit code 0 done, 2 wrong arguments or input, 1 not done."""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import os
import re
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from dataclasses import Field as Option
from importlib import metadata
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn, TextIO

import numpy as np

from . import curve, files, metrics, tasks
from .kernels import ran_out
from .maps import Map, MapSet
from .progress import Step
from .roles import ROLES, guessed
from .spec import SNAP, TASKS, Fill, Gradient, InputError, Mix, Render, Request, Size, Tile, to_json
from .tasks import Blend, Field, Region, Result

BAR = 30
SELDOM = 10.0
"""Seconds between two lines on the way of a level that takes long, where nothing can be rewritten."""
NUMBERS = {
    "seed": "N",
    "threads": "N",
    "memory": "MiB",
    "margin": "PX",
    "band": "PX",
    "iterations": "N",
    "scales": "N",
    "samples": "N",
    "steps": "N",
}
"""Options that are whole numbers, and what stands for one in the help."""
REALS = {"t": "T", "entropy": "SHARE"}
"""Those that are any numbers."""
STEPS = 2, 101
"""Fewest and most pictures of a row."""
BESIDE = ("mask", "source_mask", "t_map")
"""Options that name an image which is no map."""
SOLVERS = ("transport", "gradient")
FLAGS = {"weights": "vgg"}
"""Options of the gradient solver that go by another name here: --weight is a map's."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code; errors are one line on stderr."""
    try:
        _run(_parser().parse_args(arguments))
    except InputError as error:
        return _complain(str(error), 2)
    except KeyboardInterrupt:
        return _complain("cancelled: nothing was written", 1)
    except Exception as error:
        if ran_out(error):
            return _complain("out of memory: ask for a smaller --size, or give smaller images", 1)
        if sys.flags.dev_mode:
            raise
        reason = (str(error).strip().splitlines() or [""])[0]
        return _complain(f"failed: {type(error).__name__}: {reason} (python -X dev shows where)", 1)
    return 0


def _complain(message: str, code: int) -> int:
    _tell(sys.stderr, "otsynth: " + " ".join(message.split()) + "\n")
    return code


def _tell(stream: TextIO | None, text: str) -> None:
    """Writes to a stream that may be closed: what is said to nobody does not undo what was done."""
    if stream is None:
        return
    try:
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError), open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), stream.fileno())  # or Python fails again when it ends


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="otsynth", description=(sys.modules[__package__].__doc__ or "").partition("\n")[0])
    parser.add_argument("--version", action="version", version=f"otsynth {_version()}")
    verbs = parser.add_subparsers(dest="task", required=True, metavar="{" + ",".join(TASKS) + "}")
    for name, kind in TASKS.items():
        summary = (kind.__doc__ or "").partition("\n")[0]
        verb = verbs.add_parser(name, help=summary, description=summary)
        if kind is Render:
            verb.add_argument("field", type=_path, metavar="FIELD", help="what --save-field wrote")
        _common(verb)
        for option in fields(kind):
            if option.name != "gradient":
                _add(verb, option, kind)
        verb.add_argument("--report", type=_path, metavar="R.json", help="write size, times and quality figures")
        if kind is Render:
            verb.set_defaults(save_field=None, curve=None, weight=None)
            continue
        verb.add_argument(
            "--weight",
            type=_pairs(float),
            action="extend",
            metavar="ROLE=W,...",
            help="how much maps weigh in the comparison",
        )
        if kind is Fill:
            _filling(verb)
        else:
            if kind is Mix:
                _mixing(verb)
            else:
                verb.add_argument("--save-field", type=_path, metavar="F.npz", help="keep where each patch comes from")
            _solving(verb)
    return parser


def _add(verb: argparse._ActionsContainer, option: Option[Any], kind: type) -> None:
    """The flag of an option. One of the gradient solver has no default: what was not said can be told."""
    of_gradient = kind is Gradient
    flag, help = "--" + FLAGS.get(option.name, option.name), option.metadata["help"]
    if isinstance(option.default, bool):
        verb.add_argument(flag, action="store_true", help=help)
        return
    parsers: dict[str, Callable[[str], object]] = {
        "size": (lambda text: text if text == SNAP else Size.parse(text)) if kind is Tile else Size.parse,
        **dict.fromkeys(NUMBERS, int),
        **dict.fromkeys(REALS, float),
    }
    told = f"{help} ({option.default})" if of_gradient and option.default is not None else help
    verb.add_argument(
        flag,
        dest=option.name,
        type=_parsed(parsers.get(option.name, str), option.name),
        default=None if of_gradient else option.default,
        required=option.default is MISSING,
        choices=option.metadata.get("choices"),
        metavar={"size": "WxH", "weights": "FILE", **NUMBERS, **REALS}.get(option.name),
        help=told,
    )


def _solving(verb: argparse.ArgumentParser) -> None:
    """Which solver, and what only the gradient solver takes."""
    verb.add_argument(
        "--solver", choices=SOLVERS, default=SOLVERS[0], help="our own, or the paper's, which needs torch (transport)"
    )
    group = verb.add_argument_group("with --solver gradient")
    for option in fields(Gradient):
        _add(group, option, Gradient)
    group.add_argument("--curve", type=_path, metavar="C.png", help="draw the loss over the iterations")


def _filling(verb: argparse.ArgumentParser) -> None:
    """What only fill takes."""
    verb.set_defaults(save_field=None, curve=None)
    verb.add_argument("--mask", type=_path, metavar="M", required=True, help="image: white is filled, grey is blended")
    verb.add_argument("--source-mask", type=_path, metavar="M", help="image: white is where material may be taken from")
    verb.add_argument(
        "--from",
        dest="other",
        type=_path,
        nargs="+",
        metavar="OTHER",
        help="image, maps or folder to take the material from instead",
    )


def _mixing(verb: argparse.ArgumentParser) -> None:
    """What only mix takes."""
    verb.set_defaults(save_field=None, t=None)  # to tell what was said
    verb.add_argument("--t-map", type=_path, metavar="M", help="image: white is the second, grey so much of it")
    told = f"a row of so many pictures, {STEPS[0]} to {STEPS[1]}, from the first alone to the second"
    verb.add_argument("--steps", type=_parsed(int, "steps"), metavar="N", help=told)


def _common(verb: argparse.ArgumentParser) -> None:
    """What every verb takes."""
    verb.add_argument(
        "exemplar", type=_path, nargs="*", metavar="EXEMPLAR", help="image, maps of a material or a folder"
    )
    verb.add_argument("-o", dest="out", metavar="OUT", required=True, help="image or, of several, folder")
    roles = f"roles: {', '.join(ROLES)}"
    verb.add_argument("--maps", type=_pairs(_path), action="extend", metavar="ROLE=FILE,...", help=roles)
    verb.add_argument("--quiet", action="store_true", help="print nothing but errors and warnings")


def _parsed(parse: Callable[[str], object], name: str) -> Callable[[str], object]:
    """argparse shows its own words for a ValueError, the raised ones for an ArgumentTypeError."""

    def value(text: str) -> object:
        try:
            return parse(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        except ValueError:
            wanted = "a number" if name in REALS else "a whole number"
            raise argparse.ArgumentTypeError(f"{name} is {text!r}: {wanted} is wanted") from None

    return value


def _path(text: str) -> Path:
    """A path that is empty, as a variable of a shell may be, is none: it would be the folder that one is in."""
    if not text:
        raise argparse.ArgumentTypeError("a name is empty: name a file")
    return Path(text)


def _pairs(parse: Callable[[str], object]) -> Callable[[str], list[tuple[str, object]]]:
    """Parses ``role=value,role=value``."""

    def pairs(text: str) -> list[tuple[str, object]]:
        made = []
        for part in text.split(","):
            role, given, value = part.partition("=")
            if not given or role not in (*ROLES, "colour"):
                raise argparse.ArgumentTypeError(f"{part!r}: write ROLE=..., of the roles {', '.join(ROLES)}")
            try:
                made.append(("color" if role == "colour" else role, parse(value)))
            except ValueError:
                raise argparse.ArgumentTypeError(f"{part!r}: a number is wanted after {role}=") from None
        return made

    return pairs


def _run(options: argparse.Namespace) -> None:
    row = _row(options) if options.task == Mix.task else [options]
    prepared = [_prepared(row[0])]
    prepared += [
        replace(prepared[0], options=one, targets=_targets(one, list(prepared[0].pictures))) for one in row[1:]
    ]
    for one in prepared:
        _check_targets(one.options, one.pictures, one.targets)
    row_made: list[_Made] = []
    told: list[str] = []
    for one in prepared:  # nothing is written before all is made
        row_made.append(_made(one))
        report = row_made[-1].result.report()
        for words in (*report["retreats"], *report["warnings"]):
            if words not in told:  # of a row, once
                _tell(sys.stderr, f"otsynth: {words}\n")
                told.append(words)
    changed = _write(row_made)
    for made in row_made:
        made.tell(changed)


def _row(options: argparse.Namespace) -> list[argparse.Namespace]:
    """What is to be mixed, of a row each by itself. Raises InputError where it is not told which two, or how much."""
    if options.maps:
        raise InputError(
            "mix takes two images or folders, mix A B -o OUT: put maps whose names tell no role into folders"
        )
    if len(options.exemplar) != 2:
        count = len(options.exemplar)
        raise InputError(f"mix takes two, each an image or a material's folder, and {count} were given: mix A B -o OUT")
    *options.exemplar, second = options.exemplar
    options.other = [second]
    said = [name for name in ("t", "steps", "t_map") if getattr(options, name) is not None]
    if len(said) > 1:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in said)
        raise InputError(f"{flags} each say how much of the second there is: give one of them")
    if options.steps is None:
        options.t = Mix.t if options.t is None else options.t
        return [options]
    if not STEPS[0] <= options.steps <= STEPS[1]:
        raise InputError(f"steps is {options.steps}: it must be a whole number from {STEPS[0]} to {STEPS[1]}")
    row = []
    for n in range(options.steps):
        one = copy.copy(options)
        one.t = n / (options.steps - 1)
        one.tag = f"_t{round(100 * one.t):03d}"
        one.report, one.curve = (path and _tagged(path, one.tag) for path in (options.report, options.curve))
        row.append(one)
    return row


def _tagged(path: Path, tag: str) -> Path:
    return path.with_name(f"{path.stem}{tag}{path.suffix}")


@dataclass(frozen=True)
class _Prepared:
    """What was read, and where results go."""

    options: argparse.Namespace
    pictures: dict[Path, files.Picture]
    maps: MapSet
    beside: Region | Blend | Field | None
    targets: dict[Path, Path]


def _prepared(options: argparse.Namespace) -> _Prepared:
    pictures, maps = _given(options)
    return _Prepared(options, pictures, maps, _beside(options), _targets(options, list(pictures)))


@dataclass(frozen=True)
class _Made:
    """What was made, and what is said of it."""

    options: argparse.Namespace
    pictures: dict[Path, files.Picture]
    report: dict[str, object]
    result: Result
    told: str

    def tell(self, changed: Sequence[Path]) -> None:
        """A line about each image, and about those that their files do not keep as they were."""
        if self.result.filled:
            for target, picture in self.pictures.items():
                if target in changed:
                    keeps = ".tif" if picture.pixels.dtype.kind == "f" else ".png"
                    words = f"its format changes pixels that were to stay as they are; {keeps} keeps them"
                    _tell(sys.stderr, f"otsynth: {target}: {words}\n")
        if not self.options.quiet:
            for target, picture in self.pictures.items():
                size = Size(picture.pixels.shape[1], picture.pixels.shape[0])
                _tell(sys.stdout, f"{target}: {size}, {self.told}\n")


def _made(given: _Prepared) -> _Made:
    options, pictures = given.options, given.pictures
    result = _worked(options, given.maps, given.beside)
    pictures = {path: one for path, one in pictures.items() if str(path) in result.images}  # a mixture may lack some
    report = _report(options, pictures, given.maps, result) if options.report else {}
    about = {**to_json(result.request), **_read_beside(options, whole=False)}
    if isinstance(about.get("gradient"), dict) and about["gradient"]["weights"]:
        about["gradient"]["weights"] = Path(about["gradient"]["weights"]).name
    made = {given.targets[path]: _told_of(one, result.images[str(path)], about) for path, one in pictures.items()}
    return _Made(options, made, report, result, _told(given.maps, result))


def _check_targets(options: argparse.Namespace, pictures: dict[Path, files.Picture], targets: dict[Path, Path]) -> None:
    """Raises InputError where something could not be written, or not without harm to something else."""
    out = Path(options.out)

    later = not out.exists() and any(target.parent == out for target in targets.values())  # it is to be made

    def there(path: Path) -> Path:
        return out.with_name(path.name) if later and path.parent == out else path

    for path, target in targets.items():
        files.check_target(there(target), pictures[path])
    notes = [path for path in (options.report, options.save_field, options.curve) if path]
    for path in notes:
        files.check_folder(there(path))
    beside = (getattr(options, name, None) for name in ("field", *BESIDE))
    others = _maps_of(options, getattr(options, "other", None) or [])
    weights = getattr(options, "weights", None)
    read = [*pictures, *others, *(path for path in (*beside, weights and Path(weights)) if path)]
    written = [path.resolve() for path in (*targets.values(), *notes)]
    for path in (*targets.values(), *notes):
        if written.count(path.resolve()) > 1:
            kinds = {options.report: "report", options.save_field: "field", options.curve: "curve"}
            raise InputError(f"{path}: would be written twice; choose another for the {kinds.get(path, 'image')}")
        if path.exists() and any(path.samefile(source) for source in read if source.exists()):
            raise InputError(
                f"{path}: would overwrite an exemplar, a mask, a field or weights that are read; choose another name"
            )
    if options.save_field and getattr(options, "method", None) == "heal":
        raise InputError(f"{options.save_field}: healing has no field to keep; leave --save-field out")
    if options.save_field and getattr(options, "solver", None) == "gradient":
        raise InputError(f"{options.save_field}: the gradient solver has no field to keep; leave --save-field out")
    if options.curve:
        curve.check(options.curve)
    for path in notes:
        if path == options.curve and path != Path(options.out):
            continue
        if path.suffix.lower() in files.SUFFIXES or path == Path(options.out):
            raise InputError(f"{path}: is where images go; name the report .json, the field .npz")


def _worked(options: argparse.Namespace, maps: MapSet, beside: Region | Blend | Field | None) -> Result:
    """The result of a task, with a bar meanwhile."""
    request = _request(options)
    bar = None if options.quiet else _Bar()
    try:
        return tasks.finished(tasks.steps(request, maps, beside), bar)
    except InputError as error:
        raise InputError(_placed(str(error), options, maps)) from None
    finally:
        if bar:
            bar.end()


def _placed(words: str, options: argparse.Namespace, maps: MapSet) -> str:
    """What is wrong with an image, behind its file's name."""
    lead = next(name for name, one in maps.maps.items() if one is maps.lead)
    other = next(iter(getattr(options, "other", None) or ()), None)
    of = {"exemplar ": other if getattr(options, "t", None) == 1 else lead, "the other material ": other}
    of |= {f"{name.replace('_', ' ')} ": getattr(options, name, None) for name in BESIDE}
    about = next((path for what, path in of.items() if path and words.startswith(what)), None)
    return words if about is None else f"{about}: {words}"


def _told(maps: MapSet, result: Result) -> str:
    """What is said of a result in a line."""
    told = f"on {result.device} in {sum(result.seconds):.1f} s"
    if isinstance(result.request, Render):
        return f"through the field {told}"
    own, size = maps.lead.size[::-1], result.image.shape[1::-1]
    if result.filled is not None:
        return f"{result.filled} pixels made anew {told}"
    if isinstance(result.request, Tile) and result.request.size in (None, SNAP) and size != own:
        return f"{Size(*own)} changed so that whole periods fit, {told}"
    return told


def _report(
    options: argparse.Namespace, pictures: dict[Path, files.Picture], maps: MapSet, result: Result
) -> dict[str, object]:
    """What --report writes: the result's own words, and figures beside the exemplar."""
    report: dict[str, object] = {"exemplar": [str(path) for path in pictures], **result.report()}
    report.update(_read_beside(options, whole=True))
    for one in report["maps"]:  # type: ignore[attr-defined]
        given = maps.maps[one["name"]]
        made, own = (Map(image, given.role).pixels for image in (result.images[one["name"]], given.image))
        if options.task == Mix.task:  # which is like neither of two
            figures = {f"seam_{axis}": metrics.seam(made, n) for n, axis in enumerate("yx")}
        else:
            figures = metrics.measure(made, own)
        one.update({name: value if isfinite(value) else None for name, value in figures.items()})
    if len(pictures) == 1:
        report.update(report["maps"][0], exemplar=str(next(iter(pictures))))  # type: ignore[index]
    return report


def _write(row: Sequence[_Made]) -> list[Path]:
    """Writes images and notes, all of them or none; returns the images that their files do not keep as they were."""
    images = {target: picture for made in row for target, picture in made.pictures.items()}
    new = [folder for folder in {target.parent for target in images} if not folder.exists()]
    for folder in new:
        folder.mkdir()
    try:
        with contextlib.ExitStack() as parts:
            for made in row:
                options, result = made.options, made.result
                if options.save_field and result.field:
                    result.field.save(parts.enter_context(files.replaced(options.save_field)))
                if made.report:
                    part = parts.enter_context(files.replaced(options.report))
                    part.write_text(json.dumps(made.report, indent=2) + "\n")
                if options.curve:
                    curve.draw(result.losses, parts.enter_context(files.replaced(options.curve)))
            return files.write_all(images)
    except BaseException:
        for folder in new:
            with contextlib.suppress(OSError):  # something else stands in it
                folder.rmdir()
        raise


def _read_beside(options: argparse.Namespace, whole: bool) -> dict[str, object]:
    """The files that were read beside the exemplars, by the option that named them; whole: with their folders."""

    def told(path: Path) -> str:
        return str(path) if whole else path.resolve().name

    named = {name: getattr(options, name, None) for name in ("field", *BESIDE)}
    others = getattr(options, "other", None) or []
    found: dict[str, object] = {name: told(path) for name, path in named.items() if path}
    return found | ({"other": [told(path) for path in others]} if others else {})


def _beside(options: argparse.Namespace) -> Region | Blend | Field | None:
    """What is to be filled, and from where; what is mixed with the maps; or what they are put together through."""
    if options.task == Render.task:
        return Field.load(options.field)
    named = {name: getattr(options, name, None) for name in BESIDE}
    told = {name: _mask(path) if path else None for name, path in named.items()}
    other = None
    if getattr(options, "other", None):
        paths = _maps_of(options, options.other)
        if len(paths) > 1 and not any(guessed(path.name, among=True) for path in paths):
            raise InputError(
                f"{len(paths)} other images were given, and no name tells a role: several are maps of one material;"
                " give one image, or a folder of maps"
            )
        _, other = _material(dict.fromkeys(paths, ""), {})
    if options.task == Mix.task:
        assert other is not None
        return Blend(other, told["t_map"])
    if options.task == Fill.task:
        assert told["mask"] is not None
        return Region(told["mask"], told["source_mask"], other)
    return None


def _mask(path: Path) -> np.ndarray:
    picture = files.read(path)
    return Map(picture.pixels, associated=picture.associated or not picture.alpha).uncovered


def _told_of(source: files.Picture, image: np.ndarray, about: dict[str, object]) -> files.Picture:
    """The result as it is written: with what its exemplar's file says, and how it came about."""
    attributes = {**source.attributes, "Software": f"otsynth {_version()}", "ImageDescription": json.dumps(about)}
    return replace(source, pixels=image, attributes=attributes)


def _version() -> str:
    """The number in the extension's manifest: beside the core here, or what was installed from it."""
    manifest = Path(__file__).parents[1] / "blender_addon" / "blender_manifest.toml"
    if manifest.is_file():
        return tomllib.loads(manifest.read_text("utf-8"))["version"]
    try:
        return metadata.version("otsynth")
    except metadata.PackageNotFoundError:
        return "of an unknown version"


def _given(options: argparse.Namespace) -> tuple[dict[Path, files.Picture], MapSet]:
    """The pictures by their files, and the maps by the files' names."""
    roles: dict[Path, str] = {}
    for role, path in options.maps or []:
        if path in roles:
            raise InputError(f"{path}: is given as {roles[path]} and as {role}; name it once")
        roles[path] = role
    for path in _maps_of(options, options.exemplar):
        roles.setdefault(path, "")
    if not roles:
        raise InputError("no exemplar was given: name an image, several maps of a material or their folder")
    named = [role for role, _ in options.weight or []]
    doubled = next((role for role in named if named.count(role) > 1), None)
    if doubled:
        raise InputError(f"--weight names {doubled} twice; give it one weight")
    weights = dict(options.weight or [])
    pictures, maps = _material(roles, weights)
    unused = set(weights) - {one.role for one in maps.maps.values()}
    if unused:
        raise InputError(f"--weight names {', '.join(sorted(unused))}, but no map has that role")
    others = getattr(options, "other", None) or []
    taken = {path.resolve() for path in (*pictures, *_maps_of(options, others))}
    for folder in filter(Path.is_dir, (*options.exemplar, *others)):
        left = [path.name for path in _images(folder, _masks(options)) if path.resolve() not in taken]
        if left:
            _tell(sys.stderr, f"otsynth: {folder}: left out, for no name tells a role: {', '.join(left)}\n")
    return pictures, maps


def _maps_of(options: argparse.Namespace, paths: Sequence[Path]) -> list[Path]:
    """The files of maps that are named, or lie in folders that are, where masks may lie as well."""
    return [file for path in paths for file in _files(path, _masks(options))]


def _masks(options: argparse.Namespace) -> list[Path]:
    return [path for name in BESIDE if (path := getattr(options, name, None)) and path.exists()]


def _material(roles: dict[Path, str], weights: dict[str, float]) -> tuple[dict[Path, files.Picture], MapSet]:
    """Pictures by their files, and the maps of these roles; "" where the name is to tell."""
    pictures, maps = {path: files.read(path) for path in roles}, {}
    for path, role in roles.items():
        picture, among = pictures[path], len(roles) > 1
        role = role or guessed(path.name, among) or ("other" if among else "color")
        alone = picture.associated or not picture.alpha  # the last channel covers no other
        maps[str(path)] = Map(picture.pixels, role, picture.linear, alone, weights.get(role))
    return pictures, MapSet.of(maps)


def _files(path: Path, masks: Sequence[Path]) -> list[Path]:
    """A file itself; of a folder the images whose names tell a role, or its only image, masks apart."""
    if not path.is_dir():
        return [path]
    found = _images(path, masks)
    telling = [p for p in found if guessed(p.name, among=True)]
    if not telling and len(found) != 1:
        count = f"holds {len(found)} images and no name tells a role" if found else "is a folder without images"
        raise InputError(f"{path}: {count}; name the maps, --maps color=FILE,normal=FILE")
    return telling or found


def _images(path: Path, masks: Sequence[Path]) -> list[Path]:
    """The images in a folder, but for masks and for what was made of the others."""
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in files.SUFFIXES and not p.name.startswith("."))
    found = [p for p in found if not any(p.samefile(mask) for mask in masks)]
    ours = {f"{p.stem}_{task}" for p in found for task in TASKS}  # results that were put beside them
    return [p for p in found if re.sub(r"_t\d{3}$", "", p.stem) not in ours]


def _targets(options: argparse.Namespace, paths: list[Path]) -> dict[Path, Path]:
    """Where each result goes: to OUT, or into it under the exemplar's name and the task's."""
    tag = getattr(options, "tag", "")
    out, alone = Path(options.out), len(paths) == 1 and not any(path.is_dir() for path in options.exemplar)
    if not options.out:
        raise InputError("OUT is empty: name a file or a folder for the result")
    if alone and not out.is_dir() and not options.out.endswith(("/", os.sep)):
        return {paths[0]: _tagged(out, tag)}
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; several maps go into a folder")
    if not out.parent.is_dir():
        raise InputError(f"{out}: its folder does not exist; make {out.parent} first")
    names = [f"{path.stem}_{options.task}{tag}{path.suffix}" for path in paths]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled:
        raise InputError(f"{out / doubled}: would be written twice; rename one of the maps")
    return {path: out / name for path, name in zip(paths, names, strict=True)}


def _request(options: argparse.Namespace) -> Request:
    kind = TASKS[options.task]
    options.gradient = _gradient(options)
    return kind(**{option.name: getattr(options, option.name) for option in fields(kind)})


def _gradient(options: argparse.Namespace) -> Gradient | None:
    """The gradient solver's settings, if it is to solve."""
    said: dict[str, Any] = {option.name: getattr(options, option.name, None) for option in fields(Gradient)}
    given = {name: value for name, value in said.items() if value is not None}
    if getattr(options, "solver", None) == "gradient":
        return Gradient(**given)
    for name in [*given, *(["curve"] if options.curve else [])]:
        raise InputError(f"--{FLAGS.get(name, name)} is the gradient solver's: add --solver gradient, or leave it out")
    return None


class _Bar:
    """A progress bar on stderr: a line that is rewritten on a terminal; elsewhere one a level, and every `SELDOM`."""

    def __init__(self) -> None:
        self.told = ""
        self.levels: set[tuple[int, bool]] = set()
        self.last = time.monotonic()

    def __call__(self, step: Step) -> None:
        done = round(step.fraction * BAR)
        level = f"level {step.levels - step.level}/{step.levels}"
        at = level if step.levels > 1 else f"round {step.round}/{step.rounds}" if step.levels else "looking"
        text = f"[{'#' * done}{'.' * (BAR - done)}] {step.fraction:4.0%} {at}"
        if sys.stderr is not None and sys.stderr.isatty():
            if text != self.told:
                _tell(sys.stderr, "\r" + text)
            self.told = text
            return
        last = step.level, step.fraction > 0.9999
        ends, now = step.round == step.rounds and last not in self.levels, time.monotonic()
        if ends or now - self.last > SELDOM:
            self.last = now
            self.levels |= {last} if ends else set()
            _tell(sys.stderr, text + "\n")

    def end(self) -> None:
        """Ends a line that is open: what follows has its own."""
        if self.told:
            _tell(sys.stderr, "\n")
        self.told = ""
