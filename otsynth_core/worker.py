"""The worker: a process that another program starts, asks and listens to. One JSON object a line, both ways.

Started by ``worker.serve()``, it says ``{"is": "ready", "protocol": 3}``, then for every line on stdin

    {"do": "run", "request": {"task": "tile", ...}, "maps": [{"name": "color", "file": "IN.npy", "role": "color",
     "linear": false, "associated": false, "result": "OUT.npy"}, ...], "mask": "MASK.npy" or null}

(the mask is of a fill) answers any number of ``{"is": "step", "level", "levels", "round", "rounds", "fraction"}`` and
one of

    {"is": "done", "report": {...}}
    {"is": "error", "code": "input" | "memory" | "failed", "message": ..., "hint": ...}

It ends when stdin does. Whatever libraries print goes to stderr, so that stdout holds messages alone.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from . import tasks
from .kernels import ran_out
from .maps import Map
from .spec import PROTOCOL, InputError, from_json
from .transport import Step


def serve() -> None:
    """Answers the messages of stdin until it ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _say(answers, {"is": "ready", "protocol": PROTOCOL})
    for line in sys.stdin:
        _say(answers, _answer(line, answers))


def _answer(line: str, answers: TextIO) -> dict[str, Any]:
    try:
        return _run(json.loads(line), answers)
    except InputError as error:
        return {"is": "error", "code": "input", "message": str(error), "hint": ""}
    except Exception as error:
        traceback.print_exc()
        if ran_out(error):
            return _error("memory", "The computer ran out of memory", "Choose a smaller size or another device")
        return _error("failed", f"{type(error).__name__}: {error}", "The log has the traceback")


def _error(code: str, message: str, hint: str) -> dict[str, Any]:
    return {"is": "error", "code": code, "message": message, "hint": hint}


def _run(message: Mapping[str, Any], answers: TextIO) -> dict[str, Any]:
    if message.get("do") != "run":
        raise InputError(f"message {message.get('do')!r} is not known: 'run' is")

    def tell(step: Step) -> None:
        names = ("level", "levels", "round", "rounds", "fraction")
        _say(answers, {"is": "step", **{name: getattr(step, name) for name in names}})

    maps = {
        given["name"]: Map(
            np.load(given["file"], allow_pickle=False), given["role"], given["linear"], given["associated"]
        )
        for given in message["maps"]
    }
    mask = message["mask"]
    region = None if mask is None else tasks.Region(np.load(mask, allow_pickle=False))
    result = tasks.finished(tasks.steps(from_json(message["request"]), maps, region), tell)
    for given in message["maps"]:
        np.save(Path(given["result"]), result.images[given["name"]], allow_pickle=False)
    return {"is": "done", "report": result.report()}


def _say(answers: TextIO, message: Mapping[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()
