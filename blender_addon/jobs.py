"""One job in the worker process: started, asked, listened to, and gone, with its files, however it ends. No bpy."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from .otsynth_core.spec import InputError, Request, to_json

PROTOCOL = 1
_PLACE = str(Path(__file__).parent)
_START = "import sys; sys.path.insert(0, sys.argv[1]); from otsynth_core import worker; del sys.path[0]; worker.serve()"
_STOP_SECONDS = 5


class JobError(Exception):
    """The worker could not do the job; `log` is what it wrote to its error stream."""

    def __init__(self, message: str, hint: str = "", log: str = "") -> None:
        super().__init__(f"{message}. {hint}".rstrip(". ") + ".")
        self.log = log


@dataclass(frozen=True)
class Outcome:
    """The picture and the worker's report on it."""

    image: np.ndarray
    report: dict[str, Any]


def run(
    python: str, environment: Mapping[str, str], request: Request, exemplar: np.ndarray
) -> Generator[dict[str, Any], None, Outcome]:
    """Yields the worker's step messages, returns the Outcome. To cancel is to close the generator.

    Raises InputError where the worker refuses the input, JobError where it fails.
    """
    with tempfile.TemporaryDirectory(prefix="otsynth-") as folder, (Path(folder) / "log.txt").open("w+b") as log:
        given, made = Path(folder) / "exemplar.npy", Path(folder) / "result.npy"
        np.save(given, exemplar, allow_pickle=False)
        process = _started(python, environment, folder, log)
        try:
            ready = _heard(process, log)
            if ready.get("protocol") != PROTOCOL:
                raise JobError(
                    f"The worker speaks protocol {ready.get('protocol')}, not {PROTOCOL}", "Reinstall otsynth"
                )
            _ask(process, {"do": "run", "request": to_json(request), "exemplar": str(given), "result": str(made)})
            while (message := _heard(process, log))["is"] == "step":
                yield message
            if message["is"] == "error":
                if message["code"] == "input":
                    raise InputError(message["message"])
                raise JobError(message["message"], message["hint"], _text(log))
            return Outcome(np.load(made, allow_pickle=False), message["report"])
        finally:
            _end(process)


def _started(python: str, environment: Mapping[str, str], folder: str, log: IO[bytes]) -> subprocess.Popen[str]:
    command = [python, "-B", "-c", _START, _PLACE]
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
            creationflags=flags,
            start_new_session=True,  # Ctrl-C in a terminal is for Blender, which then ends the worker
        )
    except OSError as error:
        raise JobError(
            f'Python "{python}" cannot be started ({error.strerror})', "Choose another in the add-on's preferences"
        ) from error


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
    """Lets a worker that is idle leave by itself; ends one that is busy."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    if sys.exc_info()[0] is not None:
        process.kill()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
