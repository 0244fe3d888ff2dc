"""Jobs in the worker process: asked, listened to, and gone with their files, however they end. No bpy.

A worker that has done its job waits a while for the next one, so that it need not start again; `release` sends it away.
What goes over the wire is written in `otsynth_core/worker.py`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import queue
import signal
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from . import processes
from .otsynth_core.maps import Map
from .otsynth_core.spec import PROTOCOL, InputError, Request, to_json

Made = TypeVar("Made")

_PLACE = str(Path(__file__).parent)
_START = """
import os, sys
answers = os.dup(1)
os.dup2(2, 1)  # whatever libraries print is no message
sys.path[:] = [sys.argv[1], *filter(None, sys.path)]  # not the folder that it is started in, where anything may lie
from otsynth_core import worker
del sys.path[0]
hasattr(os, "nice") and os.nice(5)  # behind what draws
worker.serve(answers, float(sys.argv[2]))
"""
_GREETING_SECONDS = 60
_PATIENCE = 0.1
"""Seconds after which a generator yields, if there is nothing new: how soon it notices that it is closed."""
_LOGGED = 400
"""Lines of a worker's log that are kept."""
_WORDS = 300
"""Characters of a log's last line that are told."""
_ANOTHER = "Choose another Python in the add-on's preferences"


class JobError(processes.Failure):
    """The worker could not do the job; `log` is what it wrote to its error stream."""


class _Left(JobError):
    """The worker was gone before it said a word on what it was asked."""


@dataclass(frozen=True)
class Python:
    """Which Python computes: the start of its command line, its environment, how many seconds it waits for more.

    folder: where the files that are exchanged go, each job's into one of its own.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    idle: float
    folder: str


@dataclass(frozen=True)
class Step:
    """How far a job is. preview: uint8 (H, W, 3), of the place (top, left, bottom, right) in shares of the result."""

    level: int
    levels: int
    fraction: float
    preview: np.ndarray | None
    place: tuple[float, ...]


@dataclass(frozen=True)
class Outcome:
    """The pictures, by the maps' names, and the worker's report on them."""

    images: dict[str, np.ndarray]
    report: dict[str, Any]


@dataclass(frozen=True)
class Beside:
    """What a task needs beside maps: of a fill its mask; of a mix another material's maps, and how much of it where.

    source, other: of a fill, where material may be taken from, and another material to take it from; it may have
    neither. amount: None for the request's t everywhere.
    """

    mask: np.ndarray | None = None
    source: np.ndarray | None = None
    other: Mapping[str, Map] = field(default_factory=dict)
    amount: np.ndarray | None = None


def run(
    python: Python, request: Request, maps: Mapping[str, Map], beside: Beside | None = None, preview: bool = False
) -> Generator[Step | None, None, Outcome]:
    """Yields the worker's Steps, and None at least every tenth of a second; returns the Outcome.

    To cancel is to close the generator. preview: whether Steps bring pictures.
    Raises InputError where the worker refuses the input, JobError where it fails.
    """
    beside = beside or Beside()
    with _full_disk(python.folder), _folder(python.folder) as folder:
        told, others = _told(maps, f"{folder}/"), _told(beside.other, f"{folder}/other_")
        asked: dict[str, Any] = {"do": "run", "request": to_json(request), "maps": told, "other": others}
        images = [(given["file"], one.image) for given, one in zip(told, maps.values(), strict=True)]
        images += [(given["file"], one.image) for given, one in zip(others, beside.other.values(), strict=True)]
        for name, values in (("mask", beside.mask), ("source", beside.source), ("amount", beside.amount)):
            asked[name] = None if values is None else f"{folder}/{name}.npy"
            images += [] if values is None else [(asked[name], values)]
        for file, values in images:
            np.save(file, values, allow_pickle=False)
            yield None

        def outcome(message: dict[str, Any]) -> Outcome:
            return _outcome(told, maps, message["report"])

        return (yield from _asked(python, {**asked, "folder": folder, "preview": preview}, outcome))


def _told(maps: Mapping[str, Map], start: str) -> list[dict[str, Any]]:
    """What a message says of maps, whose files begin so."""
    return [
        {"name": name, "file": f"{start}{n}.npy", "role": one.role, "linear": one.linear}
        | {"associated": one.associated, "result": f"{start}{n}_made.npy"}
        for n, (name, one) in enumerate(maps.items())
    ]


def look(python: Python) -> Generator[Step | None, None, dict[str, Any]]:
    """What the worker finds where it computes, see `otsynth_core/worker.py`; yields None while it looks."""
    return (yield from _asked(python, {"do": "look"}, lambda message: message))


def _asked(
    python: Python, message: dict[str, Any], meant: Callable[[dict[str, Any]], Made]
) -> Generator[Step | None, None, Made]:
    """Asks the worker that waits, or a new one; returns what its last message means. Only one that is well is kept."""
    worker = _taken(python)
    try:
        first = None
        if worker is not None:
            try:
                first = yield from worker.answer(message)
            except _Left:  # it had waited long enough just then
                worker.end()
        if first is None:
            worker = _Worker(python)
            yield from worker.greeted()
            first = yield from worker.answer(message)
        assert worker is not None
        while first["is"] == "step":
            yield _step(first)
            first = yield from worker.heard()
        refused = first["message"] if first["is"] == "error" and first["code"] == "input" else None
        if first["is"] == "error" and refused is None:
            raise JobError(first["message"], first["hint"], worker.text())
        made = meant(first) if refused is None else None
    except (KeyError, ValueError, TypeError, OSError) as error:
        if worker is not None:
            worker.end()
        if _is_full(error):
            raise
        words = f"The worker's answer cannot be used ({type(error).__name__}: {error})"
        raise JobError(words, _ANOTHER, worker.text() if worker is not None else "") from error
    except BaseException:
        if worker is not None:
            worker.end()
        raise
    _keep(worker)
    if refused is not None:
        raise InputError(refused)
    return made  # type: ignore[return-value]


def _outcome(told: list[dict[str, Any]], maps: Mapping[str, Map], report: dict[str, Any]) -> Outcome:
    images = {given["name"]: np.load(given["result"], allow_pickle=False) for given in told}
    for name, image in images.items():
        given = maps[name].image
        if image.dtype != given.dtype or image.shape[2:] != given.shape[2:]:
            raise ValueError(f"a result of {image.dtype} values and shape {image.shape}")
    return Outcome(images, {"size": report["size"], "device": report["device"], "seconds": report["seconds"], **report})


def _step(message: dict[str, Any]) -> Step:
    picture, place, shown = None, (0.0, 0.0, 1.0, 1.0), message["preview"]
    if shown is not None:
        picture, place = np.load(shown["file"], allow_pickle=False), tuple(shown["place"])
        Path(shown["file"]).unlink()
    numbers = {name: message[name] for name in ("level", "levels", "fraction")}
    return Step(**numbers, preview=picture, place=place)


@contextlib.contextmanager
def _full_disk(where: str) -> Generator[None, None, None]:
    try:
        yield
    except OSError as error:
        another = "another in Preferences > File Paths > Temporary Files, and start Blender again"
        if not _is_full(error):
            what = f"The temporary folder {where} cannot be used ({error.strerror})"
            raise JobError(what, f"Choose {another}") from error
        raise JobError(f"The temporary folder {where} is full", f"Free some space, or choose {another}") from error


def _is_full(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _folder(where: str) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="otsynth-", dir=where, ignore_cleanup_errors=True)


@dataclass
class _Worker:
    """The process, its messages as they come, and the end of its log."""

    python: Python
    process: subprocess.Popen[str] = field(init=False)
    said: queue.Queue[str | None] = field(default_factory=queue.Queue)
    log: deque[str] = field(default_factory=lambda: deque(maxlen=_LOGGED))

    def __post_init__(self) -> None:
        idle = self.python.idle or _GREETING_SECONDS  # without any, it is sent away after its job
        command = [*self.python.command, "-X", "utf8", "-B", "-c", _START, _PLACE, str(idle)]
        pipe = subprocess.PIPE
        try:
            self.process = subprocess.Popen(
                command,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                cwd=tempfile.gettempdir(),
                env=dict(self.python.environment),
                encoding="utf-8",
                errors="replace",
                **processes.APART,
            )
        except OSError as error:
            raise JobError(f'Python "{command[0]}" cannot be started ({error.strerror})', _ANOTHER) from error
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._listeners = [
            processes.listened(self.process.stdout, self.said.put),
            processes.listened(self.process.stderr, self._logged),
        ]

    def _logged(self, line: str | None) -> None:
        if line is not None:
            self.log.append(line)

    def text(self) -> str:
        return "".join(self.log)

    def greeted(self) -> Generator[None, None, None]:
        """Waits for the first message, for a while: what was chosen may be no Python and say nothing, ever."""
        ready = yield from self.heard(_GREETING_SECONDS)
        if ready.get("protocol") != PROTOCOL:
            words = f"The worker speaks protocol {ready.get('protocol')}, not {PROTOCOL}"
            raise JobError(words, "Reinstall the extension", self.text())

    def answer(self, message: Mapping[str, Any]) -> Generator[None, None, dict[str, Any]]:
        """Its first to what it is asked."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it has died: the message that is not heard next says so, with its log
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        return (yield from self.heard())

    def heard(self, within: float | None = None) -> Generator[None, None, dict[str, Any]]:
        """The next message; yields while there is none. within: seconds that are waited for it, if not any number."""
        start = time.monotonic()
        while True:
            try:
                line = self.said.get(timeout=_PATIENCE)
                break
            except queue.Empty:
                if within is not None and time.monotonic() - start > within:
                    words = f"The worker did not answer in {within:g} seconds"
                    raise JobError(words, _ANOTHER, self.text()) from None
                yield
        if line is None:
            raise self._ended()
        try:
            message = json.loads(line)
            message["is"]
        except (ValueError, TypeError, KeyError):
            raise JobError(f"The worker said {line[:80]!r}, which is no message", _ANOTHER, self.text()) from None
        return message

    def _ended(self) -> JobError:
        code = self.process.wait()
        self._listeners[1].join(1)
        text = self.text()
        if code == 0:
            return _Left("The worker left", "Try again", text)
        if code == -signal.SIGTERM.value or (hasattr(signal, "SIGKILL") and code == -signal.SIGKILL.value):
            hint = "Nothing was changed. If memory ran out, choose a smaller size or close other programs"
            return JobError("The worker was killed, by the system or by someone", hint, text)
        last = text.strip().splitlines()[-1][:_WORDS] if text.strip() else "no reason given"
        return JobError(f"The worker stopped with exit code {code}: {last}", f"Nothing was changed. {_ANOTHER}", text)

    def end(self) -> None:
        """It has answered or must not: either way there is nothing left to wait for."""
        processes.end(self.process)
        for listener in self._listeners:  # each closes its pipe
            listener.join(1)
        with contextlib.suppress(OSError):  # a message that the dead worker did not take is still in the buffer
            self.process.stdin.close()  # type: ignore[union-attr]


_waiting: list[_Worker] = []
"""The worker that has done a job and may be asked again: none or one. Threads share it: to pop is to own."""


def _taken(python: Python) -> _Worker | None:
    """The waiting worker, if it is of this Python and still there."""
    try:
        worker = _waiting.pop()
    except IndexError:
        return None
    if worker.python == python and worker.process.poll() is None and worker.said.empty():
        return worker
    worker.end()
    return None


def _keep(worker: _Worker) -> None:
    """Lets a worker wait, for as long as it does; another that waits is sent away."""
    release()
    if worker.python.idle:
        worker.log.clear()
        _waiting.append(worker)
    else:
        worker.end()


def waits() -> bool:
    """Whether a worker waits, with what it holds of memory."""
    return any(worker.process.poll() is None for worker in _waiting)


def release() -> None:
    """Sends the waiting worker away."""
    with contextlib.suppress(IndexError):
        _waiting.pop().end()
