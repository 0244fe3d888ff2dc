"""The preferences page: what computes is looked at, the runtime is installed and removed, or it is said why not."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from .conftest import MODULE, Scene, bpy


def module(name: str) -> ModuleType:
    return importlib.import_module(f"{MODULE}.{name}")


@pytest.fixture
def preferences(extension: ModuleType) -> Iterator[Any]:
    mine = bpy.context.preferences.addons[MODULE].preferences
    yield mine
    mine.wheels = mine.python = ""


@pytest.fixture
def online() -> Iterator[Callable[[bool], None]]:
    """Says whether Blender may go online."""
    system = bpy.context.preferences.system
    before = system.use_online_access
    yield lambda allowed: setattr(system, "use_online_access", allowed)
    system.use_online_access = before


def drawn(preferences: Any) -> list[str]:
    """The words on the page; every property and operator that it names exists."""
    said: list[str] = []

    class Layout:
        def __getattr__(self, name: str) -> object:
            return lambda *_, **__: self

        def label(self, text: str, icon: str = "NONE") -> None:
            said.append(text)

        def prop(self, owner: bpy.types.bpy_struct, name: str) -> None:
            said.append(owner.bl_rna.properties[name].name)

        def operator(self, idname: str, text: str = "", icon: str = "NONE") -> object:
            said.append(text or getattr(bpy.types, "OTSYNTH_OT_" + idname.partition(".")[2]).bl_label)
            return SimpleNamespace()

    page = module("preferences").OTSYNTH_AP_preferences
    shown = SimpleNamespace(
        layout=Layout(), place=preferences.place, provider=preferences.provider, bl_rna=preferences.bl_rna
    )
    shown._draw_provider = lambda box: page._draw_provider(shown, box)
    shown._draw_runtime = lambda box: page._draw_runtime(shown, box)
    page.draw(shown, bpy.context)
    return said


def test_what_computes_is_shown(preferences: Any) -> None:
    said = drawn(preferences)
    assert "Computes: Blender's own Python with NumPy" in said
    assert not [words for words in said if "GiB free" in words]
    assert bpy.ops.otsynth.look() == {"FINISHED"}
    said = drawn(preferences)
    assert [words for words in said if words.startswith("Python 3.")]
    assert [words for words in said if words.startswith(("numpy on", "numba on", "torch on"))]
    preferences.python = "/nowhere/python"
    assert not [words for words in drawn(preferences) if words.startswith("Python 3.")]  # it was of another one


def test_a_python_that_does_not_work_is_told_of(preferences: Any) -> None:
    preferences.python = "/nowhere/python"
    assert "Computes: /nowhere/python" in drawn(preferences)
    with pytest.raises(RuntimeError, match="cannot be started"):
        bpy.ops.otsynth.look()


def test_size_and_place_are_shown_before(preferences: Any) -> None:
    said = drawn(preferences)
    assert f"In {preferences.place}" in said
    for kind in module("kinds").kinds():
        assert f"Install {kind.label}: {kind.download} MB to download, {kind.disk} MB on the disk" in said


def test_offline_nothing_is_downloaded(preferences: Any, online: Callable[[bool], None]) -> None:
    online(False)
    with pytest.raises(RuntimeError, match="Online access is off: allow it in Preferences > System > Network"):
        bpy.ops.otsynth.install()
    preferences.wheels = "/tmp"
    assert bpy.ops.otsynth.install.poll()
    preferences.wheels = ""
    online(True)
    assert bpy.ops.otsynth.install.poll()


def test_an_unknown_kind_is_refused(preferences: Any, online: Callable[[bool], None]) -> None:
    online(True)
    with pytest.raises(RuntimeError, match='There is no runtime "abacus" for this computer. Choose of cpu'):
        bpy.ops.otsynth.install(kind="abacus")


def test_the_button_installs_what_it_says(
    preferences: Any, online: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    managed, asked = module("managed"), []

    def install(*arguments: object) -> Generator:
        asked.append(arguments)
        yield None
        yield managed.Progress("Downloading", 0.5)
        return managed.State("ready", "Installed: Processor")

    monkeypatch.setattr(managed, "install", install)
    online(True)
    preferences.wheels = str(tmp_path)
    assert bpy.ops.otsynth.install(kind="cpu") == {"FINISHED"}
    kind = next(kind for kind in module("kinds").KINDS if kind.name == "cpu")
    assert asked == [(preferences.place, kind, sys.executable, tmp_path, True)]


def test_an_installation_that_fails_says_why(
    preferences: Any, online: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    online(True)
    preferences.wheels = str(tmp_path)  # where there are none
    with pytest.raises(RuntimeError, match="There is no wheel of uv"):
        bpy.ops.otsynth.install(kind="cpu")
    assert not (preferences.place / "runtime").exists()
    if not bpy.app.background:
        bpy.ops.otsynth.log()
    assert bpy.ops.otsynth.remove() == {"FINISHED"}
    assert not preferences.place.exists()


def test_there_is_nothing_to_remove_or_copy(preferences: Any) -> None:
    with pytest.raises(RuntimeError, match="Nothing is installed"):
        bpy.ops.otsynth.remove()
    with pytest.raises(RuntimeError, match="Nothing was installed yet"):
        bpy.ops.otsynth.log()


def test_the_runtime_computes_once_it_is_there(scene: Scene, preferences: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    managed = module("managed")
    versions = {"numba": "1.2", "numpy": "3.4", "llvmlite": "5"}
    kind = module("kinds").KINDS[0]
    state = managed.State(
        "ready", "Installed: Processor", kind, python=Path("/nowhere/runtime/python"), versions=versions
    )
    monkeypatch.setattr(managed, "state", lambda place: state if place == preferences.place else None)
    assert preferences.chosen().command == ("/nowhere/runtime/python", "-I")
    assert {"Computes: the runtime below, Processor", "numpy 3.4, numba 1.2"} <= set(drawn(preferences))
    with pytest.raises(RuntimeError, match='Python "/nowhere/runtime/python" cannot be started'):
        bpy.ops.otsynth.tile(device="numpy")


def test_nothing_is_written_into_the_extensions_own_folder(scene: Scene, extension: ModuleType) -> None:
    """Numba keeps what it compiles beside the source unless it is told otherwise."""
    folder = Path(extension.__file__).parent

    def there() -> set[Path]:
        return {path for path in folder.rglob("*") if path.suffix in (".nbi", ".nbc", ".npy", ".json")}

    before = there()
    assert bpy.ops.otsynth.tile(device="cpu") == {"FINISHED"}
    image = next(image for image in bpy.data.images if "otsynth" in image)
    assert there() == before
    if json.loads(image["otsynth"])["device"] == "numba":
        assert list(module("preferences").of(bpy.context).compiled.rglob("*.nbi"))
