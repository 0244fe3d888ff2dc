"""Other programs, started by Blender: what they are given, how they are heard and ended, how they fail. No bpy."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import IO, Any

BEAT = 0.05
"""Seconds between two heartbeats of a program that says nothing."""

APART: dict[str, Any] = {
    "creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0),  # Windows would open a console
    "start_new_session": True,  # Ctrl-C in a terminal is for Blender, which then ends the program
}
"""How a program is started, so that `end` ends all of it."""

_BLENDERS = ("OCIO", "PYTHONHOME", "PYTHONIOENCODING")


class Failure(Exception):
    """What a program could not do and a way out, in words; `log` is what it printed."""

    def __init__(self, message: str, hint: str = "", log: str = "") -> None:
        super().__init__(f"{message}. {hint}".rstrip(". ") + ".")
        self.log = log


def environment() -> dict[str, str]:
    """This process's environment without what is meant for Blender alone."""
    return {name: value for name, value in os.environ.items() if name not in _BLENDERS}


def lines(command: Sequence[str], log: IO[str]) -> Generator[str | None, None, tuple[int, str]]:
    """Runs a program: yields each line that it prints, None while it is silent; returns exit code and text.

    To close the generator ends the program and what it started. Raises OSError if it cannot be started.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
        encoding="utf-8",
        errors="replace",
        **APART,
    )
    assert process.stdout is not None
    heard: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    listened(process.stdout, heard.put)
    printed: list[str] = []
    try:
        while True:
            try:
                line = heard.get(timeout=BEAT)
            except queue.Empty:
                yield None
                continue
            if line is None:
                break
            log.write(line)
            printed.append(line)
            yield line.rstrip()
        while process.poll() is None:
            yield None
            time.sleep(BEAT)
    except BaseException:
        end(process)
        raise
    return process.returncode, "".join(printed)


def listened(pipe: IO[str], heard: Callable[[str | None], None]) -> threading.Thread:
    """A thread that hands on every line of a pipe, and None at its end."""

    def listen() -> None:
        with pipe:
            for line in pipe:
                heard(line)
        heard(None)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    return thread


def end(process: subprocess.Popen[str]) -> None:
    """Ends a program that was started `APART`, and what it started; returns when it is gone."""
    if process.poll() is not None:  # its number may be another's by now
        return
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says so of one that is just ending
            os.killpg(process.pid, signal.SIGKILL)
    else:  # Windows knows no groups of processes, but who started whom
        command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        with contextlib.suppress(OSError):
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **APART)
    process.kill()
    process.wait()
