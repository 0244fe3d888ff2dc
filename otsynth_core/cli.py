"""The shell's verbs: tile and synthesize. Exit code 0 done, 2 wrong arguments or input, 1 failed or cancelled."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from math import isfinite
from pathlib import Path
from typing import NoReturn, TextIO

from . import files, metrics, tasks
from .maps import Map
from .spec import SNAP, TASKS, InputError, Request, Size, Tile
from .transport import Step

BAR = 30


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
    except MemoryError:
        return _complain("out of memory: ask for a smaller --size", 1)
    except Exception as error:
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
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError), open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), stream.fileno())  # or Python fails again when it ends


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="otsynth", description=(sys.modules[__package__].__doc__ or "").partition("\n")[0])
    verbs = parser.add_subparsers(dest="task", required=True, metavar="{" + ",".join(TASKS) + "}")
    for name, kind in TASKS.items():
        summary = (kind.__doc__ or "").partition("\n")[0]
        verb = verbs.add_parser(name, help=summary, description=summary)
        verb.add_argument("exemplar", type=Path, metavar="EXEMPLAR", help="image to start from, PNG or JPEG")
        verb.add_argument("-o", dest="out", type=Path, metavar="OUT", required=True, help="image to write")
        for option in fields(kind):
            parsers: dict[str, Callable[[str], object]] = {
                "size": (lambda text: text if text == SNAP else Size.parse(text)) if kind is Tile else Size.parse,
                **dict.fromkeys(("seed", "threads", "memory"), int),
            }
            verb.add_argument(
                f"--{option.name}",
                type=_parsed(parsers.get(option.name, str), option.name),
                default=option.default,
                required=option.default is MISSING,
                choices=option.metadata.get("choices"),
                metavar={"size": "WxH", "seed": "N", "threads": "N", "memory": "MiB"}.get(option.name),
                help=option.metadata["help"],
            )
        verb.add_argument("--report", type=Path, metavar="R.json", help="write size, times and quality figures")
        verb.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser


def _parsed(parse: Callable[[str], object], name: str) -> Callable[[str], object]:
    """argparse shows its own words for a ValueError, the raised ones for an ArgumentTypeError."""

    def value(text: str) -> object:
        try:
            return parse(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        except ValueError:
            raise argparse.ArgumentTypeError(f"{name} is {text!r}: a whole number is wanted") from None

    return value


def _run(options: argparse.Namespace) -> None:
    request = _request(options)
    picture = files.read(options.exemplar)
    files.check_target(options.out, picture.pixels.shape[2])
    if options.report:
        files.check_folder(options.report)
        if options.report.resolve() == options.out.resolve():
            raise InputError(f"{options.report}: is the name of the image as well; choose another for the report")
    for path in filter(None, (options.out, options.report)):
        if path.exists() and path.samefile(options.exemplar):
            raise InputError(f"{path}: would overwrite the exemplar; choose another name")
    result = tasks.finished(tasks.steps(request, picture.pixels), None if options.quiet else _bar)
    report: dict[str, object] = {}
    if options.report:
        made, wanted = (Map.of(image).pixels for image in (result.image, picture.pixels))
        figures = {name: value if isfinite(value) else None for name, value in metrics.measure(made, wanted).items()}
        report = {"exemplar": str(options.exemplar), **result.report(), **figures}
    files.write(options.out, files.Picture(result.image, picture.attributes))
    if options.report:
        with files.replaced(options.report) as part:
            part.write_text(json.dumps(report, indent=2) + "\n")
    if not options.quiet:
        size = Size(result.image.shape[1], result.image.shape[0])
        own = Size(picture.pixels.shape[1], picture.pixels.shape[0])
        fitted = f", {own} changed so that whole periods fit" if request.size in (None, SNAP) and size != own else ""
        _tell(sys.stdout, f"{options.out}: {size}{fitted}, on {result.device} in {sum(result.seconds):.1f} s\n")


def _request(options: argparse.Namespace) -> Request:
    kind = TASKS[options.task]
    return kind(**{option.name: getattr(options, option.name) for option in fields(kind)})


def _bar(step: Step) -> None:
    """A progress bar on stderr: one line that is rewritten on a terminal, one line a level elsewhere."""
    done = round(step.fraction * BAR)
    text = f"[{'#' * done}{'.' * (BAR - done)}] {step.fraction:4.0%} level {step.levels - step.level}/{step.levels}"
    level_done = step.round == step.rounds
    if sys.stderr is not None and sys.stderr.isatty():
        _tell(sys.stderr, "\r" + text + ("\n" if level_done and step.level == 0 else ""))
    elif level_done:
        _tell(sys.stderr, text + "\n")
