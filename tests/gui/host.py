"""Inside Blender: runs the Python that tests send, in the main thread, and notes how long Blender stood still.

One request a connection: a line of JSON {"code", "space"}, answered by one {"answer"} or {"error"}. The code finds
`bpy`, `np`, `window`, `gaps` (the seconds between this timer's ticks, each request's own time among them) and leaves
its value in `answer`. It runs with the context of the largest area of the type `space`, if one is given.
"""

import json
import os
import socket
import sys
import time
import traceback
from typing import Any

import bpy
import numpy as np

PERIOD = 0.02

gaps: list[float] = []
_listening = socket.socket(socket.AF_UNIX)
_listening.bind(os.environ["OTSYNTH_GUI_SOCKET"])
_listening.listen()
_listening.setblocking(False)
_last = time.perf_counter()


def tick() -> float:
    global _last
    now = time.perf_counter()
    gaps.append(now - _last)
    _last = now
    try:
        connection, _ = _listening.accept()
    except BlockingIOError:
        return PERIOD
    with connection, connection.makefile("rw") as stream:
        connection.settimeout(5)
        json.dump(_done(**json.loads(stream.readline())), stream)
    return PERIOD


def _done(code: str, space: str) -> dict[str, Any]:
    try:
        window = bpy.context.window_manager.windows[0]
        place = {"window": window}
        if space:
            area = max((a for a in window.screen.areas if a.type == space), key=lambda a: a.width * a.height)
            region = next(r for r in area.regions if r.type == "WINDOW")
            place |= {"area": area, "region": region}
        names = {"bpy": bpy, "np": np, "window": window, "area": place.get("area"), "gaps": gaps, "answer": None}
        with bpy.context.temp_override(**place):
            exec(code, names)
        json.dumps(names["answer"])
        return {"answer": names["answer"]}
    except Exception:
        return {"error": traceback.format_exc()}


if __name__ == "__main__":
    sys.stdout.write(f"Blender {bpy.app.version_string}\n")
    bpy.app.timers.register(tick, persistent=True)
