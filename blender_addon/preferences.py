"""The page in Blender's preferences: which Python computes, and the managed runtime, installed and removed by a button.

No postponed annotations here: Blender reads property definitions from the annotations themselves.
"""

import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

from . import jobs, kinds, managed, processes, running, runtime
from .running import Aside, Job, Update

_SHOWN = ("numpy", "numba", "torch", "triton")
"""The packages of the runtime that are worth a line."""
_found: tuple[tuple[str, ...], list[str]] = (), []
"""How a Python was started that was asked last, and what the worker has found there, in words."""


class OTSYNTH_AP_preferences(bpy.types.AddonPreferences):
    """What belongs to this computer."""

    bl_idname = __package__

    python: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Python",
        description="Python that computes, for example one with PyTorch; empty: the runtime below, or Blender's own",
        subtype="FILE_PATH",
    )
    idle: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Keep the Worker",
        description="Seconds for which the worker waits for another job, with what it holds of memory; 0: not at all",
        default=60,
        min=0,
        max=86400,
    )
    wheels: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Folder of Wheels",
        description="Folder from which the runtime is installed without network; empty: from the package registry",
        subtype="DIR_PATH",
    )

    @property
    def place(self) -> Path:
        """Where the managed runtime is, or would be."""
        return Path(bpy.utils.extension_path_user(__package__)) / "runtime"

    @property
    def compiled(self) -> Path:
        """Where what Numba has compiled is kept."""
        return self.place.with_name("compiled")

    def provider(self) -> runtime.Provider:
        """Who computes."""
        return runtime.provider(self.python, self.place)

    def chosen(self) -> jobs.Python:
        """The Python that computes, for a job."""
        # where Numba keeps what it has compiled is the extension's own folder unless it is told otherwise
        environment = {"NUMBA_CACHE_DIR": str(self.compiled)} | processes.environment()
        folder = bpy.app.tempdir or tempfile.gettempdir()
        return jobs.Python(self.provider().command, environment, float(self.idle), folder)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        if running.current is not None:
            running.draw(layout, running.current)
        self._draw_provider(layout.box())
        self._draw_runtime(layout.box())

    def _draw_provider(self, box: Any) -> None:
        row, provider = box.row(), self.provider()
        row.label(text=f"Computes: {provider.words}", icon="CONSOLE")
        row.operator(OTSYNTH_OT_look.bl_idname)
        asked, found = _found
        for words in found if asked == provider.command else ():
            box.label(text=words, icon="BLANK1")
        box.prop(self, "python")
        row = box.row()
        row.prop(self, "idle")
        row.operator(running.OTSYNTH_OT_release.bl_idname)

    def _draw_runtime(self, box: Any) -> None:
        state = managed.state(self.place)
        box.label(text=f"Runtime: {state.words}", icon="PACKAGE")
        versions = [f"{name} {state.versions[name]}" for name in _SHOWN if name in state.versions]
        if versions:
            box.label(text=", ".join(versions), icon="BLANK1")
        box.label(text=f"In {self.place}", icon="BLANK1")
        box.prop(self, "wheels")
        for kind in kinds.kinds():
            words = f"{kind.label}: {kind.download} MB to download, {kind.disk} MB on the disk"
            again = state.kind is not None and state.kind.name == kind.name
            button = box.operator(OTSYNTH_OT_install.bl_idname, text=("Repair " if again else "Install ") + words)
            button.kind = kind.name
        row = box.row()
        row.operator(OTSYNTH_OT_remove.bl_idname)
        row.operator(OTSYNTH_OT_log.bl_idname)


def of(context: bpy.types.Context) -> OTSYNTH_AP_preferences:
    return context.preferences.addons[__package__].preferences


def _told(found: dict[str, Any]) -> list[str]:
    """What was found, a line each."""
    torch = f", torch {found['torch']}" if found["torch"] else ""
    lines = [f"Python {found['python']}, NumPy {found['numpy']}{torch}"]
    for one in found["kernels"]:
        free = f", {one['free'] / 2**30:.1f} GiB free" if one["free"] is not None else ""
        lines.append(f"{one['name']} on {one['device']}{free}")
    return lines


class _Exclusive:
    """What must not be done beside a job."""

    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        why = running.busy() or cls.obstacle(of(context))
        if why:
            cls.poll_message_set(why)  # type: ignore[attr-defined]
        return not why

    @classmethod
    def obstacle(cls, preferences: OTSYNTH_AP_preferences) -> str:
        """Why it cannot be done; empty if it can."""
        return ""


class OTSYNTH_OT_look(_Exclusive, Job, bpy.types.Operator):
    """Start the Python that computes, and look which devices it has and how much memory is free"""

    bl_idname = "otsynth.look"
    bl_label = "Check"

    def work(self: Any, context: bpy.types.Context, wait: Aside) -> Generator[Update | None, None, dict[str, Any]]:
        return wait(jobs.look(of(context).chosen()))

    def told(self: Any, found: dict[str, Any]) -> None:
        global _found
        lines = _told(found)
        _found = of(bpy.context).provider().command, lines
        self.report({"INFO"}, "; ".join(lines))


class OTSYNTH_OT_install(_Exclusive, Job, bpy.types.Operator):
    """Install faster kernels into a folder of the extension's own: nothing else on this computer is changed"""

    bl_idname = "otsynth.install"
    bl_label = "Install Runtime"

    kind: bpy.props.StringProperty(name="Kind", description="What is installed", default="cpu")  # type: ignore[valid-type]

    @classmethod
    def obstacle(cls, preferences: OTSYNTH_AP_preferences) -> str:
        if not preferences.wheels and not bpy.app.online_access:
            return "Online access is off: allow it in Preferences > System > Network, or choose a folder of wheels"
        return "" if kinds.kinds() else "There are no wheels for this computer: choose a Python of your own"

    def work(self: Any, context: bpy.types.Context, wait: Aside) -> Generator[Update | None, None, managed.State]:
        preferences = of(context)
        kind = next((kind for kind in kinds.kinds() if kind.name == self.kind), None)
        if kind is None:
            offered = ", ".join(kind.name for kind in kinds.kinds())
            raise managed.InstallError(f'There is no runtime "{self.kind}" for this computer', f"Choose of {offered}")
        wheels = Path(bpy.path.abspath(preferences.wheels)) if preferences.wheels else None
        jobs.release()  # it may be of the runtime that is replaced
        steps = managed.install(preferences.place, kind, sys.executable, wheels, bpy.app.online_access)
        return (yield from running.mapped(wait(steps), lambda step: Update(step.fraction, step.words)))

    def told(self: Any, state: managed.State) -> None:
        global _found
        _found = (), []
        self.report({"INFO"}, state.words)


class OTSYNTH_OT_remove(_Exclusive, bpy.types.Operator):
    """Remove the runtime, and what was downloaded for it"""

    bl_idname = "otsynth.remove"
    bl_label = "Remove Runtime"

    @classmethod
    def obstacle(cls, preferences: OTSYNTH_AP_preferences) -> str:
        return "Nothing is installed" if managed.state(preferences.place).condition == "absent" else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        jobs.release()
        try:
            managed.remove(of(context).place)
            shutil.rmtree(of(context).compiled, ignore_errors=True)
        except managed.InstallError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, "The runtime was removed")
        return {"FINISHED"}


class OTSYNTH_OT_log(bpy.types.Operator):
    """Copy what the last installation printed to the clipboard"""

    bl_idname = "otsynth.log"
    bl_label = "Copy Log"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        there = (of(context).place / "log.txt").is_file()
        if not there:
            cls.poll_message_set("Nothing was installed yet")
        return there

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = (of(context).place / "log.txt").read_text("utf-8", "replace")
        return {"FINISHED"}


_CLASSES = (OTSYNTH_AP_preferences, OTSYNTH_OT_look, OTSYNTH_OT_install, OTSYNTH_OT_remove, OTSYNTH_OT_log)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    global _found
    _found = (), []
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
