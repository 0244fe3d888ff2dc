"""The one job that runs, and the operators that run one: never a freeze, Esc or Cancel ends it, the panel shows it.

`execute` does the whole job at once, for scripts and headless runs; `modal` does the same job while Blender draws. What
is done is one generator, the operator's `work`: it touches bpy only where it is between two steps of the worker.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

import bpy
import numpy as np

from . import jobs
from .background import aside
from .otsynth_core.spec import InputError
from .processes import Failure

_TICK = 0.1
"""Seconds between two looks at what the worker said."""
_SHOWN_IN = {("NODE_EDITOR", "UI"), ("IMAGE_EDITOR", "UI"), ("PREFERENCES", "WINDOW")}
_PICTURED_IN = {("IMAGE_EDITOR", "WINDOW")}
"""Kinds of area and of its regions."""
_SURE = 0.05
"""Share of a job after which the time that is left can be told."""


@dataclass(frozen=True)
class Update:
    """How far a job is. done: a level, or what else is worth a line in a log, if one is done just now, in words.

    preview: uint8 (H, W, 3), of the place (top, left, bottom, right) in shares of the result.
    """

    fraction: float
    words: str
    done: str | None = None
    preview: np.ndarray | None = None
    place: tuple[float, ...] = (0, 0, 1, 1)


Told = TypeVar("Told")
Made = TypeVar("Made")

Aside = Callable[[Generator[Any, None, Any]], Generator[Any, None, Any]]
"""How what the worker does is waited for: in a thread while Blender draws, or here."""


@dataclass
class Running:
    """What there is to know of the job that runs.

    image: number in this session of the image that it is of; size: (width, height) of the result in its pixels.
    """

    title: str
    work: Generator[Update | None, None, Any]
    image: int
    size: tuple[int, int]
    start: float
    fraction: float = 0.0
    words: str = "Starting"
    preview: np.ndarray | None = None
    place: tuple[float, ...] = (0, 0, 1, 1)
    cancelled: bool = False

    def take(self, update: Update) -> None:
        self.fraction, self.words = update.fraction, update.words
        if update.preview is not None:
            self.preview, self.place = update.preview, update.place

    @property
    def left(self) -> str:
        """How long it takes still, in words; empty as long as nobody knows."""
        if self.fraction < _SURE:
            return ""
        seconds = (time.monotonic() - self.start) * (1 - self.fraction) / self.fraction
        return f"{seconds:.0f} s left" if seconds < 90 else f"{seconds / 60:.0f} min left"

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.words, f"{self.fraction:.0%}", self.left)))


current: Running | None = None
"""The job that runs, if one does."""


def busy() -> str:
    """Why another job cannot begin now; empty if it can."""
    return f"{current.title} is running: wait for it, or cancel it" if current is not None else ""


def draw(layout: Any, job: Running) -> None:
    """How far a job is, and a button that ends it."""
    row = layout.row(align=True)
    row.progress(factor=job.fraction, text=f"{job.title}: {job}")
    row.operator(OTSYNTH_OT_cancel.bl_idname, text="", icon="X")


def mapped(
    work: Generator[Told | None, None, Made], update: Callable[[Told], Update]
) -> Generator[Update | None, None, Made]:
    """Work that tells of its steps, told as Updates."""
    with closing(work):
        while True:
            try:
                step = next(work)
            except StopIteration as end:
                return end.value
            yield None if step is None else update(step)


class Job:
    """What operators with a job share. Subclasses offer `work` and `told`."""

    _work: Generator[Update | None, None, Any]

    def work(self: Any, context: bpy.types.Context, wait: Aside) -> Generator[Update | None, None, Any]:
        """The whole job. What is read and refused, is before it first yields; what is placed, after it last did."""
        raise NotImplementedError

    def told(self: Any, made: Any) -> None:
        """Reports what has been made."""
        raise NotImplementedError

    def of(self: Any, context: bpy.types.Context) -> tuple[int, tuple[int, int]]:
        """Number in this session of the image that it is of, 0 for none; (width, height) of what that becomes."""
        return 0, (0, 0)

    def execute(self: Any, context: bpy.types.Context) -> set[str]:
        window = context.window_manager
        self._work = self.work(context, lambda work: work)
        window.progress_begin(0, 1)
        try:
            while True:
                update, end = self._advanced()
                if end:
                    return end
                if update is not None:
                    window.progress_update(update.fraction)
                    if update.done and bpy.app.background:
                        sys.stdout.write(f"otsynth: {update.done}, {update.fraction:.0%}\n")
                        sys.stdout.flush()
        finally:
            self._work.close()
            window.progress_end()

    def invoke(self: Any, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        global current
        if bpy.app.background:  # where no timer ticks
            return self.execute(context)
        self._work = self.work(context, aside)
        _, end = self._advanced()
        if end:
            return end
        image, size = self.of(context)
        current = Running(self.bl_label, self._work, image, size, time.monotonic())
        main = context.window_manager.windows[0]  # the preferences' own may be closed meanwhile
        self._timer = context.window_manager.event_timer_add(_TICK, window=main)
        with context.temp_override(window=main):
            context.window_manager.modal_handler_add(self)
        self._announce()
        return {"RUNNING_MODAL"}

    def modal(self: Any, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if current is None:
            return self._left(context, {"CANCELLED"})
        if current.cancelled or (event.type == "ESC" and event.value == "PRESS"):
            self._work.close()
            self.report({"WARNING"}, f"{current.title} was cancelled: nothing was changed")
            return self._left(context, {"CANCELLED"})
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        news, picture = False, current.preview
        while True:
            update, end = self._advanced()
            if end:
                return self._left(context, end)
            if update is None:
                break
            current.take(update)
            news = True
        if news:
            self._announce(current.preview is not picture)
        return {"PASS_THROUGH"}

    def cancel(self: Any, context: bpy.types.Context) -> None:
        """Blender ends the operator: another file is loaded, or all is over."""
        self._work.close()
        self._left(context, {"CANCELLED"})

    def _left(self: Any, context: bpy.types.Context, end: set[str]) -> set[str]:
        global current
        current = None
        context.window_manager.event_timer_remove(self._timer)
        self._announce()
        return end

    def _announce(self: Any, pictured: bool = True) -> None:
        """In every status bar and panel, and in the pictures, if these are others now."""
        words = None if current is None else f"{current.title}: {current}    Esc: cancel"
        for window in bpy.context.window_manager.windows:
            window.workspace.status_text_set(words)
            for area in window.screen.areas:
                for region in area.regions:
                    if (area.type, region.type) in _SHOWN_IN | (_PICTURED_IN if pictured else set()):
                        region.tag_redraw()

    def _advanced(self: Any) -> tuple[Update | None, set[str]]:
        """A step further: what is new, and how the operator ends if it does. Every error becomes words."""
        try:
            return next(self._work), set()
        except StopIteration as end:
            self.told(end.value)
            return None, {"FINISHED"}
        except InputError as error:
            self.report({"ERROR"}, str(error))
        except Failure as error:
            sys.stderr.write(error.log)
            self.report({"ERROR"}, str(error))
        except MemoryError as error:
            self.report({"ERROR"}, f"Out of memory: {error}. Choose a smaller size.")
        except KeyboardInterrupt:
            self.report({"WARNING"}, "Cancelled: nothing was changed")
        except Exception as error:
            traceback.print_exc()
            self.report({"ERROR"}, f"{type(error).__name__}: {error}. Nothing was changed; the console has more.")
        return None, {"CANCELLED"}


class OTSYNTH_OT_cancel(bpy.types.Operator):
    """End the job that runs; nothing is changed"""

    bl_idname = "otsynth.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if current is None:
            cls.poll_message_set("No job is running")
        return current is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        assert current is not None
        current.cancelled = True
        return {"FINISHED"}


class OTSYNTH_OT_release(bpy.types.Operator):
    """End the worker process that waits for the next job, so that its memory, and a GPU's, is free"""

    bl_idname = "otsynth.release"
    bl_label = "Release Memory"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not jobs.waits():
            cls.poll_message_set("No worker is waiting: there is nothing to release")
        return jobs.waits()

    def execute(self, context: bpy.types.Context) -> set[str]:
        jobs.release()
        return {"FINISHED"}


_CLASSES = (OTSYNTH_OT_cancel, OTSYNTH_OT_release)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    global current
    if current is not None:
        current.work.close()
        current = None
    jobs.release()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
