"""Work in a thread, so that who asked for it can go on drawing. No bpy."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator
from concurrent.futures import Future
from typing import TypeVar

Told = TypeVar("Told")
Made = TypeVar("Made")

_GOODBYE = 0.4
"""Seconds that are waited for work that is cancelled; it notices in a tenth of one, unless it writes a large file."""


def aside(work: Generator[Told | None, None, Made]) -> Generator[Told | None, None, Made]:
    """The same work, done in a thread: yields what it yields, None while there is nothing new, and returns its end.

    To close the generator is to close the work, in its thread, after the step that it is in.
    """
    told: queue.Queue[Told] = queue.Queue()
    end: Future[Made] = Future()
    cancelled = threading.Event()

    def worked() -> None:
        try:
            while not cancelled.is_set():
                step = next(work)
                if step is not None:
                    told.put(step)
            work.close()
        except StopIteration as stop:
            end.set_result(stop.value)
        except BaseException as error:
            end.set_exception(error)

    thread = threading.Thread(target=worked, daemon=True)
    thread.start()
    try:
        while True:
            ended = end.done()  # asked before the queue, into which nothing comes after
            while not told.empty():
                yield told.get()
            if ended:
                return end.result()
            yield None
    finally:
        cancelled.set()
        thread.join(_GOODBYE)
