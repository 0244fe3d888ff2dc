"""One job in the worker process: started, asked, listened to, and gone, with its files, however it ends. No bpy."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from .otsynth_core.maps import Map
from .otsynth_core.spec import PROTOCOL, InputError, Request, to_json

_PLACE = str(Path(__file__).parent)
_START = "import sys; sys.path.insert(0, sys.argv[1]); from otsynth_core import worker; del sys.path[0]; worker.serve()"
_GREETING_SECONDS = 60


class JobError(Exception):
    """The worker could not do the job; `log` is what it wrote to its error stream."""

    def __init__(self, message: str, hint: str = "", log: str = "") -> None:
        super().__init__(f"{message}. {hint}".rstrip(". ") + ".")
        self.log = log


@dataclass(frozen=True)
class Outcome:
    """The pictures, by the maps' names, and the worker's report on them."""

    images: dict[str, np.ndarray]
    report: dict[str, Any]


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    request: Request,
    maps: Mapping[str, Map],
    mask: np.ndarray | None = None,
) -> Generator[dict[str, Any], None, Outcome]:
    """Yields the worker's step messages, returns the Outcome. To cancel is to close the generator.

    command: the start of a Python's command line. mask: of what a fill fills.
    Raises InputError where the worker refuses the input, JobError where it fails.
    """
    with (
        tempfile.TemporaryDirectory(prefix="otsynth-", ignore_cleanup_errors=True) as folder,
        (Path(folder) / "log.txt").open("w+b") as log,
    ):
        told = [
            {"name": name, "file": f"{folder}/{n}.npy", "role": one.role, "linear": one.linear}
            | {"associated": one.associated, "result": f"{folder}/{n}_made.npy"}
            for n, (name, one) in enumerate(maps.items())
        ]
        for given, one in zip(told, maps.values(), strict=True):
            np.save(str(given["file"]), one.image, allow_pickle=False)
        hole = None
        if mask is not None:
            hole = f"{folder}/mask.npy"
            np.save(hole, mask, allow_pickle=False)
        process = _started(command, environment, folder, log)
        try:
            _greet(process, log)
            _ask(process, {"do": "run", "request": to_json(request), "maps": told, "mask": hole})
            while (message := _heard(process, log))["is"] == "step":
                yield message
            if message["is"] == "error":
                if message["code"] == "input":
                    raise InputError(message["message"])
                raise JobError(message["message"], message["hint"], _text(log))
            return _outcome(told, maps, message["report"])
        except (KeyError, ValueError, OSError) as error:
            if isinstance(error, InputError):
                raise
            words = f"The worker's answer cannot be used ({type(error).__name__}: {error})"
            raise JobError(words, "Choose another Python in the add-on's preferences", _text(log)) from error
        finally:
            _end(process)


def _outcome(told: list[dict[str, Any]], maps: Mapping[str, Map], report: dict[str, Any]) -> Outcome:
    images = {given["name"]: np.load(given["result"], allow_pickle=False) for given in told}
    for name, image in images.items():
        given = maps[name].image
        if image.dtype != given.dtype or image.shape[2:] != given.shape[2:]:
            raise ValueError(f"a result of {image.dtype} values and shape {image.shape}")
    return Outcome(images, {"size": report["size"], "device": report["device"], "seconds": report["seconds"], **report})


def _started(
    start: Sequence[str], environment: Mapping[str, str], folder: str, log: IO[bytes]
) -> subprocess.Popen[str]:
    command = [*start, "-X", "utf8", "-B", "-c", _START, _PLACE]
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows would open a console
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env=dict(environment),
            encoding="utf-8",
            errors="replace",
            creationflags=flags,
            start_new_session=True,  # Ctrl-C in a terminal is for Blender, which then ends the worker
        )
    except OSError as error:
        raise JobError(
            f'Python "{start[0]}" cannot be started ({error.strerror})', "Choose another in the add-on's preferences"
        ) from error


def _greet(process: subprocess.Popen[str], log: IO[bytes]) -> None:
    """Waits for the worker's first message, for a while: what was chosen may be no Python and say nothing, ever."""
    silence = threading.Timer(_GREETING_SECONDS, process.kill)
    silence.start()
    try:
        ready = _heard(process, log)
    finally:
        in_time = silence.is_alive()
        silence.cancel()
        if not in_time:
            words = f"The worker did not answer in {_GREETING_SECONDS} seconds"
            raise JobError(words, "Choose another Python in the add-on's preferences", _text(log))
    if ready.get("protocol") != PROTOCOL:
        words = f"The worker speaks protocol {ready.get('protocol')}, not {PROTOCOL}"
        raise JobError(words, "Reinstall the extension", _text(log))


def _ask(process: subprocess.Popen[str], message: Mapping[str, Any]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # it has died: the message that is not heard next says so, with its log
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()


def _heard(process: subprocess.Popen[str], log: IO[bytes]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        code, text = process.wait(), _text(log)
        last = text.strip().splitlines()[-1] if text.strip() else "no reason given"
        raise JobError(f"The worker stopped with exit code {code}: {last}", "Nothing was changed", text)
    try:
        message = json.loads(line)
        message["is"]
    except (ValueError, TypeError, KeyError):
        raise JobError(
            f"The worker said {line[:80]!r}, which is no message", "Choose another Python", _text(log)
        ) from None
    return message


def _text(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode("utf-8", "replace")


def _end(process: subprocess.Popen[str]) -> None:
    """It has answered or must not: either way there is nothing left to wait for."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and what it started
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # a message that the dead worker did not take is still in the buffer
            pipe.close()  # type: ignore[union-attr]
