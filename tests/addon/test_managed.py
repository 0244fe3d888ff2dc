"""The managed runtime, made from a folder of small wheels by the real uv, without network, and what goes wrong."""

from __future__ import annotations

import base64
import ctypes
import dataclasses
import hashlib
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .conftest import MODULE

MODULES = {"tiny/__init__.py": "def works():\n    return True\n", "tiny/newer.py": "no Python at all\n"}
TRIAL = "import atexit, tiny\nassert tiny.works()\natexit.register(print, 'a last warning')\n"


def program() -> Path:
    """uv: what OTSYNTH_TEST_UV names, or that of the installed package."""
    if given := os.environ.get("OTSYNTH_TEST_UV"):
        return Path(given)
    uv = pytest.importorskip("uv", reason="neither OTSYNTH_TEST_UV nor the package uv is there")
    return Path(uv.find_uv_bin())


def wheel(folder: Path, name: str, version: str, files: dict[str, str | bytes]) -> Path:
    """A wheel that uv and pip take."""
    info = f"{name}-{version}.dist-info"
    told = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    contents = {n: c.encode() if isinstance(c, str) else c for n, c in {**files, **told}.items()}
    record = []
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in contents.items():
            archive.writestr(entry, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            record.append(f"{entry},sha256={digest},{len(content)}\n")
        archive.writestr(f"{info}/RECORD", "".join(record) + f"{info}/RECORD,,\n")
    return path


def pin(path: Path) -> str:
    name, version = path.name.split("-")[:2]
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture(scope="session")
def uv_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = program()
    return wheel(
        tmp_path_factory.mktemp("uv"), "uv", "1.0", {f"uv-1.0.data/scripts/{binary.name}": binary.read_bytes()}
    )


@dataclasses.dataclass
class World:
    """The installed extension's modules, a kind with one small package, its list, its wheels, and a place for it."""

    managed: ModuleType
    runtime: ModuleType
    kinds: ModuleType
    kind: Any
    lists: Path
    wheels: Path
    place: Path

    def install(self, kind: Any = None, **options: Any) -> Any:
        """The state that an installation ends with."""
        return ended(self.work(kind, **options))[0]

    def work(self, kind: Any = None, **options: Any) -> Any:
        options = {"base": sys.executable, "wheels": self.wheels, **options}
        return self.managed.install(self.place, kind or self.kind, **options)

    def tried(self, trial: str) -> Any:
        return dataclasses.replace(self.kind, trial=trial)

    def left(self) -> set[str]:
        return {path.name.partition("-")[0] for path in self.place.iterdir()} - {"lock", "log.txt"}

    def own(self) -> bool:
        """Whether Blender's own Python would compute."""
        return self.runtime.provider("", self.place).command == (sys.executable, "-I")


def ended(work: Any) -> tuple[Any, list[Any]]:
    """What a generator returned, and what it yielded."""
    yielded = []
    while True:
        try:
            yielded.append(next(work))
        except StopIteration as done:
            return done.value, yielded


@pytest.fixture
def world(extension: ModuleType, uv_wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Nothing of the tester's own settings of uv and pip, and nothing installed."""
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_")) or name == "OTSYNTH_PYTHON"]:
        monkeypatch.delenv(name)
    managed, runtime, kinds = (importlib.import_module(f"{MODULE}.{name}") for name in ("managed", "runtime", "kinds"))
    here = kinds.Kind("tiny", "Tiny", 1, 1, kinds.KINDS[0].systems, TRIAL)
    made = World(
        managed, runtime, kinds, here, tmp_path / "lists", tmp_path / "wheels", tmp_path / "a place" / "runtime"
    )
    made.lists.mkdir()
    (made.lists / "tiny.txt").write_text(pin(wheel(made.wheels, "tiny", "1.0", dict(MODULES))))
    (made.lists / "uv.txt").write_text(pin(uv_wheel))
    os.link(uv_wheel, made.wheels / uv_wheel.name)
    monkeypatch.setattr(kinds, "LISTS", made.lists)
    monkeypatch.setattr(kinds, "KINDS", (here,))
    return made


def test_what_is_installed_is_tried_and_then_computes(world: World) -> None:
    assert world.managed.state(world.place).condition == "absent"
    assert world.own()
    state, told = ended(world.work())
    assert state == world.managed.state(world.place)
    assert (state.condition, state.kind, state.versions) == ("ready", world.kind, {"tiny": "1.0"})
    assert world.left() == {"runtime"}
    assert world.runtime.provider("", world.place).command == (str(state.python), "-I")
    assert world.runtime.provider("mine", world.place).command == ("mine",)
    here = world.place / "runtime"
    assert list(here.rglob("tiny/__pycache__/__init__*.pyc"))
    code = "import sys, tiny; print(tiny.__file__, sys.prefix, sep='\\n')"
    done = subprocess.run([state.python, "-I", "-c", code], capture_output=True, text=True, check=True)
    file, prefix = map(Path, done.stdout.splitlines())
    assert here in file.parents
    assert prefix == here
    fractions = [one.fraction for one in told if one]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 0.95)
    assert "Installed 1 package" in (world.place / "log.txt").read_text()


def test_it_is_installed_over_another_and_a_dead_ones_part_goes(world: World) -> None:
    world.install()
    (world.lists / "tiny.txt").write_text(pin(wheel(world.wheels, "tiny", "2.0", dict(MODULES))))
    state = world.managed.state(world.place)
    assert state.condition == "outdated"
    assert world.runtime.provider("", world.place).command == (str(state.python), "-I")
    (world.place / "part-dead").mkdir()
    assert world.install().versions == {"tiny": "2.0"}
    assert world.left() == {"runtime"}


def test_without_network_a_folder_of_wheels_is_asked_for(world: World) -> None:
    with pytest.raises(world.managed.InstallError, match="folder of wheels"):
        world.install(wheels=None)
    assert not world.place.exists()


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="asks for processes by number")
def test_cancelling_ends_every_process_within_half_a_second(world: World, tmp_path: Path) -> None:
    world.install()
    pids = tmp_path / "pids"
    long = f"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
time.sleep(60)
"""
    work = world.work(world.tried(long))
    beats = []
    while not (pids.exists() and pids.read_text().count(" ")) or len(beats) < 20:
        before = time.monotonic()
        next(work)
        beats = [*beats, time.monotonic() - before] if pids.exists() else []
    assert sorted(beats)[len(beats) // 2] < 0.1
    assert "part" in world.left()
    with pytest.raises(world.managed.InstallError, match="Another Blender"):
        world.install()
    with pytest.raises(world.managed.InstallError, match="Another Blender"):
        world.managed.remove(world.place)
    start = time.monotonic()
    work.close()
    assert time.monotonic() - start < 0.5
    assert world.left() == {"runtime", "cache"}
    assert world.managed.state(world.place).condition == "ready"
    for pid in map(int, pids.read_text().split()):
        stat = Path(f"/proc/{pid}/stat")
        assert not stat.exists() or stat.read_text().rsplit(") ", 1)[1].startswith("Z")  # who adopts it buries it
    assert world.install().condition == "ready"
    assert world.left() == {"runtime"}


def test_what_is_not_whole_is_never_used(world: World) -> None:
    state = world.install()
    (world.place / "runtime" / "otsynth.json").rename(world.place / "runtime" / "away")
    assert state.python.exists()
    assert world.managed.state(world.place).condition == "partial"
    assert world.own()
    shutil.rmtree(world.place / "runtime")
    for name in ("part-dead", "cache"):
        assert world.managed.state(world.place).condition == "absent"
        (world.place / name).mkdir()
        assert world.managed.state(world.place).condition == "partial"
        assert world.own()
        (world.place / name).rmdir()


@pytest.mark.parametrize("gone", ["interpreter", "base"])
def test_without_its_python_it_is_damaged(world: World, gone: str) -> None:
    state = world.install()
    marker = world.place / "runtime" / "otsynth.json"
    told = json.loads(marker.read_text())
    assert Path(told["base"]).exists()
    if gone == "interpreter":
        state.python.unlink()
    else:
        marker.write_text(json.dumps({**told, "base": str(world.place / "no" / "python")}))
    assert world.managed.state(world.place).condition == "damaged"
    assert world.own()
    assert world.install().condition == "ready"


def changed(world: World) -> None:
    wheel(world.wheels, "tiny", "1.0", {**MODULES, "tiny/more.py": ""})


def missing(world: World) -> None:
    (world.wheels / "tiny-1.0-py3-none-any.whl").unlink()


def another_uv(world: World) -> None:
    (world.lists / "uv.txt").write_text("uv==1.0 --hash=sha256:" + "0" * 64)


def without_uv(world: World) -> None:
    (world.wheels / "uv-1.0-py3-none-any.whl").unlink()


def other_systems_uv(world: World) -> None:
    without_uv(world)
    (world.lists / "uv.txt").write_text(pin(wheel(world.wheels, "uv", "1.0", {"uv-1.0.data/scripts/uv": b"MZ?"})))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (changed, "not the one that was pinned"),
        (missing, "no wheel of tiny"),
        (another_uv, "no wheel of uv 1.0 with the hash that was pinned"),
        (without_uv, "no wheel of uv 1.0 in the folder"),
        (other_systems_uv, "no wheel of uv 1.0 that runs on this computer"),
    ],
)
def test_a_fault_of_the_folder_is_told_in_words(world: World, fault: Callable[[World], None], words: str) -> None:
    fault(world)
    (world.place / "part-dead").mkdir(parents=True)
    with pytest.raises(world.managed.InstallError, match=words):
        world.install()
    assert world.left() == {"cache"}
    assert words in (world.place / "log.txt").read_text()


def test_a_full_disk_is_told_before_anything_is_downloaded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(world.wheels)._replace(free=5 * 10**7)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(world.managed.InstallError, match="50 MB free, 101 MB are needed"):
        world.install()
    assert world.left() == set()


@pytest.mark.parametrize("trial", ["import tiny\nassert not tiny.works(), 'tiny works'\n", "import os; os._exit(9)"])
def test_what_does_not_work_does_not_replace_what_does(world: World, trial: str) -> None:
    before = world.install()
    with pytest.raises(world.managed.InstallError, match="does not work here") as raised:
        world.install(world.tried(trial))
    assert ("tiny works" in raised.value.log) == ("tiny" in trial)
    assert world.managed.state(world.place) == before
    assert world.left() == {"runtime", "cache"}


def test_where_the_exchange_fails_the_old_one_is_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.install()
    rename = Path.rename

    def locked(self: Path, target: Path) -> Path:
        if self.name.startswith("part-"):
            raise PermissionError(13, "Permission denied", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", locked)
    with pytest.raises(world.managed.InstallError, match="cannot be written"):
        world.install()
    assert world.managed.state(world.place) == before
    assert world.left() == {"runtime", "cache"}


def test_removed_nothing_is_left(world: World) -> None:
    world.install()
    (world.place / "part-dead").mkdir()
    world.managed.remove(world.place)
    assert not world.place.exists()
    world.managed.remove(world.place)
    assert world.managed.state(world.place).condition == "absent"


@pytest.fixture
def index(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheels as an index, which uv and pip are told of as a company tells them of its own."""
    for path in world.wheels.glob("*.whl"):
        page = tmp_path / "index" / path.name.split("-")[0] / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text(f'<a href="{path.as_uri()}">{path.name}</a>')
    for name in ("UV_DEFAULT_INDEX", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, (tmp_path / "index").as_uri())
    return tmp_path / "index"


@pytest.mark.parametrize("pip", ["installed", "bundled"])
def test_the_environments_index_is_asked_with_any_pip(world: World, index: Path, tmp_path: Path, pip: str) -> None:
    base = sys.executable
    if pip == "bundled":
        if not importlib.util.find_spec("ensurepip"):
            pytest.skip("this Python has no ensurepip")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
        base = str(world.managed._python(tmp_path / "bare"))
    elif not importlib.util.find_spec("pip"):
        pytest.skip("this Python has no pip")
    assert world.install(base=base, wheels=None, online=True).condition == "ready"
    log = (world.place / "log.txt").read_text()
    assert ("-m pip download" in log) == (pip == "installed")


def test_without_any_pip_the_ways_out_are_named(world: World, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.managed, "_PIP", "")
    with pytest.raises(world.managed.InstallError, match=r"no pip .*folder of wheels, or a Python of your own"):
        world.install(wheels=None, online=True)


def test_a_base_that_is_no_python_is_named(world: World) -> None:
    with pytest.raises(world.managed.InstallError, match="no-such-python"):
        world.install(base="/no-such-python")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("cause: client error (Connect)\ncause: dns error", "index cannot be reached"),
        ("NewConnectionError('...')\nERROR: No matching distribution found for uv==1", "index cannot be reached"),
        ("error: Failed to fetch: x\n cause: tunnel error: unsuccessful", "proxy"),
        ("Failed to fetch: x\n cause: invalid peer certificate: UnknownIssuer", "certificate"),
        ("error: Hash mismatch for `numba==1`", "pinned"),
        (
            "Because llvmlite==1 has no wheels with a matching Python ABI tag (e.g., `cp315`)",
            "no wheel of llvmlite for",
        ),
        ("Because torch{sys_platform == 'darwin'}==2.13.0 has no usable wheels and you", "no wheel of torch for"),
        ("ERROR: No matching distribution found for uv==1", "no wheel of uv for"),
        ("error: No solution found when resolving dependencies", "do not fit this Python"),
        ("failed to write: No space left on device (os error 28)", "no space left"),
        ("failed to rename: Access is denied. (os error 5)", "cannot be written"),
        ("said first\nerror: something new\nsaid last", "failed: something new."),
        ("", "no reason given"),
    ],
)
def test_what_programs_say_becomes_words(world: World, said: str, words: str) -> None:
    error = importlib.import_module(f"{MODULE}.troubles").explained(said)
    assert words in str(error)
    assert error.log == said


def test_a_driver_that_is_too_old_is_told_before_the_download(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Driver:
        version = 12040

        def cuDriverGetVersion(self, to: Any) -> None:
            to._obj.value = self.version

    kind = dataclasses.replace(world.kind, driver=13000)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver())
    with pytest.raises(world.managed.InstallError, match=r"CUDA 12\.4, not 13\.0"):
        world.install(kind)
    assert not world.place.exists()
    Driver.version = 13000
    assert world.kinds.obstacle(kind) == ""
    monkeypatch.undo()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: os.stat("/no/driver"))
    assert world.kinds.obstacle(kind) == "There is no NVIDIA driver"


def test_every_system_is_offered_what_has_wheels_for_it(extension: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = importlib.import_module(f"{MODULE}.kinds")
    offered = {}
    for system, machine in (("linux", "x86_64"), ("win32", "AMD64"), ("darwin", "arm64"), ("darwin", "x86_64")):
        monkeypatch.setattr(sys, "platform", system)
        monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
        offered[system, machine] = [kind.name for kind in kinds.kinds()]
    monkeypatch.undo()
    assert list(offered.values()) == [["cpu", "cuda"], ["cpu"], ["cpu", "mps"], []]
    assert all(kind.pins.is_file() for kind in kinds.KINDS)
