"""The worker: a process that another program starts, asks and listens to. One JSON object a line, both ways.

Once it runs ``worker.serve(...)`` it says ``{"is": "ready", "protocol": 6}``. What can be asked of it, a line on stdin:

    {"do": "run", "request": {"task": "tile", ...}, "maps": [{"name": "color", "file": "IN.npy", "role": "color",
     "linear": false, "associated": false, "result": "OUT.npy"}, ...], "mask": "MASK.npy" or null,
     "source": "S.npy" or null, "other": [{"name": ..., "file": ..., "role": ..., "linear": ..., "associated": ...},
     ...], "amount": "T.npy" or null, "folder": "/tmp/x", "preview": true}

Mask and source mask are of a fill, which may have another material's maps to take from; a mix has such maps, and where
there is how much of it if not told by a number: of each role that one of the materials has alone there is no result.
All files lie in the folder, which the worker deletes if who asked is gone in the middle. It answers any number of

    {"is": "step", "level": 2, "levels": 5, "round": 3, "rounds": 8, "fraction": 0.4, "preview": null or
     {"file": "P.npy", "place": [top, left, bottom, right]}}

and then ``{"is": "done", "report": {...}}``. Levels are 0 while what is there is only looked at; there is no preview
then. A preview is uint8 (H, W, 3), at most `PREVIEW` px a side, and lies at
that place of the result, in shares of its sides; who asked deletes its file.

    {"do": "look"}

is answered by ``{"is": "found", "python": "3.11.9", "numpy": "1.26.4", "torch": null or "2.13.0", "kernels": [{"name":
"cuda", "device": "NVIDIA ...", "free": bytes or null}, ...]}``, what `auto` takes first.

Either is answered instead, if it fails, by ``{"is": "error", "code": "input" | "memory" | "disk" | "failed", "message":
..., "hint": ...}``, and the worker goes on. It leaves when stdin ends, or when nothing was asked for a while.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import queue
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from . import kernels, tasks
from .kernels import ran_out
from .maps import Map, MapSet
from .progress import Step
from .spec import PROTOCOL, InputError, from_json

PREVIEW = 512
"""Longest side of a preview in pixels."""
SELDOM = 0.3
"""Seconds from one preview to the next."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


def serve(descriptor: int, idle: float) -> None:
    """Answers the messages of stdin until it ends, or nothing has come for `idle` seconds; then the process ends.

    descriptor: of the file that the answers go to. It should be a duplicate of stdout's, which was then made stderr's,
    so that what libraries print is no message.
    """
    answers = os.fdopen(descriptor, "w", encoding="utf-8")
    asked: queue.Queue[str] = queue.Queue()
    folders: list[str] = []
    threading.Thread(target=_listen, args=(asked, folders), daemon=True).start()
    _say(answers, {"is": "ready", "protocol": PROTOCOL})
    while True:
        try:
            line = asked.get(timeout=idle)
        except queue.Empty:
            _leave()
        _say(answers, _answer(line, answers, folders))


def _listen(asked: queue.Queue[str], folders: list[str]) -> None:
    """Reads while the work goes on, so that the end of who asked is its end as well."""
    for line in sys.stdin:
        asked.put(line)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    _leave()


def _leave() -> None:
    """At once: a thread that waits for stdin would hold up the interpreter's own end."""
    sys.stderr.flush()
    os._exit(0)


def _answer(line: str, answers: TextIO, folders: list[str]) -> dict[str, Any]:
    try:
        message = json.loads(line)
        if not isinstance(message, dict):
            raise InputError(f"message {line.strip()[:80]} is no object")
        match message.get("do"):
            case "run":
                folders.append(message["folder"])
                return _run(message, answers)
            case "look":
                return _found()
        raise InputError(f"message {message.get('do')!r} is not known: 'run' and 'look' are")
    except InputError as error:
        return _error("input", str(error), "")
    except Exception as error:
        traceback.print_exc()
        if ran_out(error):
            return _error("memory", "The computer ran out of memory", "Choose a smaller size or another device")
        if isinstance(error, OSError) and error.errno in _FULL:
            return _error("disk", "The disk for temporary files is full", "Free some space, then try again")
        return _error("failed", f"{type(error).__name__}: {error}", "The log has the traceback")
    finally:
        folders.clear()


def _error(code: str, message: str, hint: str) -> dict[str, Any]:
    return {"is": "error", "code": code, "message": message, "hint": hint}


def _run(message: Mapping[str, Any], answers: TextIO) -> dict[str, Any]:
    maps = _maps(message["maps"])
    mask, source, amount = (
        None if message[name] is None else np.load(message[name], allow_pickle=False)
        for name in ("mask", "source", "amount")
    )
    other = _maps(message["other"]) if message["other"] else None
    beside: tasks.Region | tasks.Blend | None = None
    if mask is not None:
        beside = tasks.Region(mask, source, other)
    elif other is not None:
        beside = tasks.Blend(other, amount)
    previews = _Previews(maps, Path(message["folder"])) if message["preview"] else None

    def tell(step: Step) -> None:
        names = ("level", "levels", "round", "rounds", "fraction")
        told = {name: getattr(step, name) for name in names}
        _say(answers, {"is": "step", **told, "preview": previews and previews.of(step)})

    result = tasks.finished(tasks.steps(from_json(message["request"]), maps, beside), tell)
    for given in message["maps"]:
        if given["name"] in result.images:
            np.save(Path(given["result"]), result.images[given["name"]], allow_pickle=False)
    return {"is": "done", "report": result.report()}


def _maps(told: list[dict[str, Any]]) -> MapSet:
    return MapSet.of(
        {
            given["name"]: Map(
                np.load(given["file"], allow_pickle=False), given["role"], given["linear"], given["associated"]
            )
            for given in told
        }
    )


class _Previews:
    """Pictures of the result as it stands, one every while."""

    def __init__(self, maps: MapSet, folder: Path) -> None:
        self.maps, self.folder = maps, folder
        self.number, self.next = 0, 0.0

    def of(self, step: Step) -> dict[str, Any] | None:
        """Where the picture lies; None when there is none to be shown now."""
        if not step.levels or time.monotonic() < self.next:
            return None
        planes = step.preview()
        by = -(-max(planes.shape[:2]) // PREVIEW)
        picture = (step.maps or self.maps).pictured(planes[::by, ::by])
        if picture is None:
            return None
        self.number += 1
        file = self.folder / f"preview_{self.number}.npy"
        np.save(file, picture, allow_pickle=False)
        self.next = time.monotonic() + SELDOM
        return {"file": str(file), "place": list(step.place)}


def _found() -> dict[str, Any]:
    """Versions, and what computes here."""
    found = kernels.found()
    torch = sys.modules.get("torch")  # by now it has been tried
    return {
        "is": "found",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch and torch.__version__,
        "kernels": [asdict(one) for one in found],
    }


def _say(answers: TextIO, message: Mapping[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()
