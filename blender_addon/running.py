"""The one job that runs, and the operators that run one: Blender goes on meanwhile, and Esc or Cancel ends it.

`modal` does the job while Blender draws, a step a tick; `execute` does the same job at once, for scripts, headless runs
and Adjust Last Operation. What is done is one generator, the operator's `work`; while Blender draws, the worker is
waited for in a thread, which does not touch bpy.
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

Told = TypeVar("Told")
Made = TypeVar("Made")

Aside = Callable[[Generator[Any, None, Any]], Generator[Any, None, Any]]
"""How what the worker does is waited for: in a thread while Blender draws, or here."""


@dataclass(frozen=True)
class Update:
    """How far a job is. preview: uint8 (H, W, 3), of the place (top, left, bottom, right) in sides of the source."""

    fraction: float
    words: str
    preview: np.ndarray | None = None
    place: tuple[float, ...] = (0, 0, 1, 1)


@dataclass
class Running:
    """What there is to know of the job that runs. image: number in this session of the image that it is of."""

    title: str
    work: Generator[Update | None, None, Any]
    image: int
    timer: bpy.types.Timer
    start: float
    fraction: float = 0.0
    words: str = "Starting"
    preview: np.ndarray | None = None
    place: tuple[float, ...] = (0, 0, 1, 1)
    told: str = ""
    shown: np.ndarray | None = None
    """What panels and status bars say, and editors show, as drawn last; pictured: whether the latter just was."""
    pictured: bool = False
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


def end() -> None:
    """Ends the job that runs, if it has not ended by itself, and all that shows it."""
    global current
    if current is None:
        return
    job, current = current, None
    job.work.close()
    bpy.context.window_manager.event_timer_remove(job.timer)
    _announce(_SHOWN_IN | _PICTURED_IN)


def draw(layout: Any, job: Running) -> None:
    """How far a job is, and a button that ends it."""
    row = layout.row(align=True)
    row.progress(factor=job.fraction, text=f"{job.title}: {job}")
    row.operator(OTSYNTH_OT_cancel.bl_idname, text="", icon="X")


def _in_status_bar(self: Any, context: bpy.types.Context) -> None:
    if current is not None:
        row = self.layout.row()
        row.ui_units_x = 18
        draw(row, current)


def _announce(kinds: set[tuple[str, str]]) -> None:
    """In regions of these kinds, and with those that show words in the status bars."""
    for window in bpy.context.window_manager.windows:
        if kinds & _SHOWN_IN:
            with bpy.context.temp_override(window=window):
                window.workspace.status_text_set(None)  # there is no other way to have a status bar drawn
        for area in window.screen.areas:
            for region in area.regions:
                if (area.type, region.type) in kinds:
                    region.tag_redraw()


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
        """The whole job. Before it first yields nothing is changed, and what is asked for is read, or refused."""
        raise NotImplementedError

    def told(self: Any, made: Any) -> None:
        """Reports what has been made."""
        raise NotImplementedError

    def of(self: Any, context: bpy.types.Context) -> int:
        """Number in this session of the image that it is of, 0 for none."""
        return 0

    def execute(self: Any, context: bpy.types.Context) -> set[str]:
        window, words = context.window_manager, ""
        self._work = self.work(context, lambda work: work)
        window.progress_begin(0, 1)
        try:
            while True:
                update, end = self._advanced()
                if end:
                    return end
                if update is not None:
                    window.progress_update(update.fraction)
                    if bpy.app.background and update.words != words:
                        words = update.words
                        sys.stdout.write(f"otsynth: {words}, {update.fraction:.0%}\n")
                        sys.stdout.flush()
        finally:
            self._work.close()
            window.progress_end()

    def invoke(self: Any, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        global current
        if bpy.app.background:  # where no timer ticks
            return self.execute(context)
        self._work = self.work(context, aside)
        _, ended = self._advanced()
        if ended:
            return ended
        in_preferences = context.area is not None and context.area.type == "PREFERENCES"
        # Ticks come only to the window that the timer is of. The preferences' own may be closed meanwhile.
        window = context.window_manager.windows[0] if in_preferences else context.window
        timer = context.window_manager.event_timer_add(_TICK, window=window)
        current = Running(self.bl_label, self._work, self.of(context), timer, time.monotonic())
        if in_preferences:
            with context.temp_override(window=window):
                context.window_manager.modal_handler_add(self)
        else:
            context.window_manager.modal_handler_add(self)
        current.told = str(current)
        _announce(_SHOWN_IN | _PICTURED_IN)
        return {"RUNNING_MODAL"}

    def modal(self: Any, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            ended = self._ticked(event)
        except Exception as error:
            ended = self._failed(error)
        if ended:
            end()
        return ended or {"PASS_THROUGH"}

    def _ticked(self: Any, event: bpy.types.Event) -> set[str]:
        """What there is to do at an event; how the operator ends if it does."""
        if current is None or current.work is not self._work:
            return {"CANCELLED"}
        if current.cancelled or (event.type == "ESC" and event.value == "PRESS"):
            self.report({"WARNING"}, f"{current.title} was cancelled: nothing was changed")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return set()
        while True:
            update, ended = self._advanced()
            if ended:
                return ended
            if update is None:
                break
            current.take(update)
        worded, pictured = str(current) != current.told, current.preview is not current.shown
        if pictured and not (worded and current.pictured):  # by turns: both at once hold Blender up longer
            current.shown = current.preview
            _announce(_PICTURED_IN)
        elif worded:
            current.told = str(current)
            _announce(_SHOWN_IN)
        current.pictured = pictured and current.shown is current.preview
        return set()

    def cancel(self: Any, context: bpy.types.Context) -> None:
        """Blender ends the operator: another file is loaded, or all is over."""
        self._work.close()
        end()

    def _advanced(self: Any) -> tuple[Update | None, set[str]]:
        """A step further: what is new, and how the operator ends if it does. Every error becomes words."""
        try:
            try:
                return next(self._work), set()
            except StopIteration as stop:
                self.told(stop.value)
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
            return None, self._failed(error)
        return None, {"CANCELLED"}

    def _failed(self: Any, error: Exception) -> set[str]:
        traceback.print_exception(error)
        self.report({"ERROR"}, f"{type(error).__name__}: {error}. Nothing was changed; the console has more.")
        return {"CANCELLED"}


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
    bpy.types.STATUSBAR_HT_header.prepend(_in_status_bar)


def unregister() -> None:
    end()
    jobs.release()
    bpy.types.STATUSBAR_HT_header.remove(_in_status_bar)
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
