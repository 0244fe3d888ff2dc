"""The managed runtime: a virtual environment with faster kernels, made by uv from pinned lists of wheels. No bpy.

In its place, a folder of its own:

    runtime      the environment, with a marker that is written last; whole, or not there
    part-...     one that is being made, or was when Blender ended: never used
    old-...      what is being replaced or removed
    cache        what has been downloaded, kept until an installation has succeeded
    log.txt      what the last installation printed
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import uuid
import zipfile
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Literal, TypeVar

from . import kinds, processes
from .kinds import Kind
from .troubles import InstallError, explained, gist

_MARKER = "otsynth.json"
_SPARE = 100
"""MB that are needed beside what a kind takes: uv itself, and some air."""

T = TypeVar("T")
Steps = Generator["Progress | None", None, T]


@dataclass(frozen=True)
class State:
    """What is installed. python: that of the environment if it can be used; versions: of its packages."""

    condition: Literal["absent", "partial", "damaged", "outdated", "ready"]
    words: str
    kind: Kind | None = None
    python: Path | None = None
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """What is being done, and how much of the whole is, from 0 to 1."""

    words: str
    fraction: float


_TELL = """
import importlib.metadata, json, sys
versions = {one.metadata["Name"]: one.version for one in importlib.metadata.distributions()}
print(json.dumps({"base": getattr(sys, "_base_executable", "") or sys.executable, "versions": versions}))
"""
_PIP = """
import glob, importlib.util, os, sysconfig
folders = os.path.join(sysconfig.get_path("stdlib"), "ensurepip", "_bundled"), sysconfig.get_config_var("WHEEL_PKG_DIR")
wheels = [wheel for folder in folders if folder for wheel in glob.glob(os.path.join(folder, "pip-*.whl"))]
if importlib.util.find_spec("pip"):
    print("-m", "pip", sep="\\n")
elif wheels:
    print(os.path.join(wheels[0], "pip"))
"""


def state(place: Path) -> State:
    """What is installed in a place, which need not be there.

    partial: an installation ended before it was whole. damaged: the Python that it was made from is gone. outdated: its
    list is another now; it can still be used, for the worker takes what it finds.
    """
    here = place / "runtime"
    try:
        told = json.loads((here / _MARKER).read_text("utf-8"))
        name, pinned, base, versions = told["kind"], told["pins"], told["base"], dict(told["versions"])
    except (OSError, ValueError, KeyError, TypeError):
        if any(path.exists() for path in (here, place / "cache", *place.glob("part-*"))):
            return State("partial", "An installation was not finished: install again")
        return State("absent", "Nothing is installed")
    kind = next((kind for kind in kinds.KINDS if kind.name == name), None)
    python = _python(here)
    if not (python.exists() and Path(base).exists()):
        return State("damaged", "The Python that it was made from is gone: install again", kind, None, versions)
    if kind is None or pinned != _sha256(kind.pins):
        return State("outdated", "Installed by another version of otsynth: install again", kind, python, versions)
    return State("ready", f"Installed: {kind.label}", kind, python, versions)


def install(place: Path, kind: Kind, base: str, wheels: Path | None = None, online: bool = False) -> Steps[State]:
    """Makes the environment, instead of any other in this place; returns its state.

    base: the Python that it is made from, an executable. wheels: a folder with uv's wheel and all of the list, for an
    installation without network; else they are downloaded, which must be allowed (online).
    Yields Progress, or None while there is nothing to tell, at least ten times a second. To cancel is to close the
    generator: no program, no part is left then, but the cache. However it ends early, what was installed stays.
    Raises InstallError.
    """
    if wheels is None and not online:
        raise InstallError("Nothing may be downloaded", "Allow online access, or choose a folder of wheels")
    if words := kinds.obstacle(kind):
        raise InstallError(words)
    part = place / f"part-{uuid.uuid4().hex[:8]}"
    cache = place / "cache"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with _alone(place), (place / "log.txt").open("w", encoding="utf-8") as log:
            try:
                yield from _meanwhile(partial(_sweep, place))
                yield from _room(place, kind)
                yield Progress("Preparing", 0.0)
                uv = [*(yield from _uv(cache / "uv", base, wheels, log)), "--cache-dir", str(cache / "packages")]
                yield from _run([*uv, "venv", "--no-project", "--python", base, str(part)], log)
                yield from _filled(uv, part, cache / "packages", kind, wheels, log)
                yield Progress("Trying it", 0.95)
                told = yield from _tried(part, kind, log)
                (part / _MARKER).write_text(json.dumps({"kind": kind.name, "pins": _sha256(kind.pins), **told}))
                _exchange(part, place)
                with suppress(OSError):  # a scanner may hold a file of it; the next installation or `remove` gets it
                    _away(cache)
                yield from _meanwhile(partial(_sweep, place))
            except (InstallError, OSError) as error:
                log.write(f"\n{error}\n")
                raise
            finally:
                gone = threading.Thread(target=shutil.rmtree, args=(part, True))
                gone.start()
                gone.join(0.3)  # to cancel must not take longer; a large one is deleted on
    except OSError as error:
        raise explained(str(error)) from error
    return state(place)


def remove(place: Path) -> None:
    """Removes all that is there. Raises InstallError if it is in use."""
    if not place.exists():
        return
    try:
        with _alone(place):
            for name in ("runtime", "cache"):
                _away(place / name)
            _sweep(place)
            (place / "log.txt").unlink(missing_ok=True)
    except OSError as error:
        raise explained(str(error)) from error
    with suppress(OSError):
        (place / "lock").unlink()
        place.rmdir()


def _room(place: Path, kind: Kind) -> Steps[None]:
    there = yield from _meanwhile(partial(_size, place / "cache"))
    wanted, free = kind.disk + _SPARE - there / 1e6, shutil.disk_usage(place).free / 1e6
    if free < wanted:
        raise InstallError(
            f"The disk has {free:.0f} MB free, {wanted:.0f} MB are needed", "Free some and install again"
        )


def _uv(target: Path, base: str, wheels: Path | None, log: IO[str]) -> Steps[list[str]]:
    """How to start the pinned uv, from its wheel. One on the PATH is not taken: it may be of any age."""
    if wheels is None:
        found = (yield from _run([base, "-I", "-X", "utf8", "-c", _PIP], log)).split("\n")[:-1]
        if not found:
            way_out = "Choose a folder of wheels, or a Python of your own in the preferences"
            raise InstallError("This Python has no pip to download with", way_out)
        options = ["--no-deps", "--only-binary", ":all:", "--progress-bar", "off", "-d", str(target)]
        quiet = ["--no-input", "--disable-pip-version-check", "--retries", "2"]
        download = ["download", "--require-hashes", *quiet, *options]
        yield from _run([base, "-I", *found, *download, "-r", str(kinds.LISTS / "uv.txt")], log)
    program = yield from _meanwhile(partial(_unpacked, wheels or target, target))
    options = ["--no-config", "--no-progress", "--no-python-downloads", "--color", "never"]
    return [str(program), *options, *(["--offline"] if wheels else ["--system-certs"])]


def _unpacked(folder: Path, target: Path) -> Path:
    """The program out of that of a folder's wheels of uv which is pinned and runs here."""
    pinned = set(re.findall(r"sha256:(\w+)", (kinds.LISTS / "uv.txt").read_text("utf-8")))
    found = sorted(folder.glob("uv-*.whl"))
    good = [wheel for wheel in found if _sha256(wheel) in pinned]
    target.mkdir(parents=True, exist_ok=True)
    for wheel in good:
        with zipfile.ZipFile(wheel) as archive:
            name = next(n for n in archive.namelist() if re.search(r"\.data/scripts/uv(\.exe)?$", n))
            program = target / Path(name).name
            program.write_bytes(archive.read(name))
        program.chmod(0o755)
        with suppress(OSError):  # made for another system
            if not subprocess.run([program, "--version"], capture_output=True, **processes.APART).returncode:
                return program
    version = (kinds.LISTS / "uv.txt").read_text("utf-8").partition("uv==")[2].split()[0]
    why = "that runs on this computer" if good else "with the hash that was pinned" if found else "in the folder"
    raise InstallError(f"There is no wheel of uv {version} {why}", "Add the one of the public registry")


def _filled(uv: list[str], part: Path, cache: Path, kind: Kind, wheels: Path | None, log: IO[str]) -> Steps[None]:
    """Installs the list; how far it is, the cache's growth tells, since uv downloads and unpacks into it.

    Linked from there, not copied: half the space, and it stays when the cache goes. Compiled, since the worker is
    started for every job and writes no bytecode: Numba is imported in 0.3 s instead of 1.2.
    """
    source = ["--no-index", "--find-links", str(wheels)] if wheels else []
    exact = ["--require-hashes", "--only-binary", ":all:", "--link-mode", "hardlink", "--compile-bytecode"]
    command = [*uv, "pip", "install", "--python", str(_python(part)), *exact, *source, "-r", str(kind.pins)]
    stages = {"Resolved": "Unpacking" if wheels else "Downloading", "Prepared": "Installing", "Installed": "Compiling"}
    words = "Resolving"
    with _size_of(cache) as size:

        def tell(line: str) -> Progress:
            nonlocal words
            first = line.partition(" ")[0]
            words = line if first == "Downloading" else stages.get(first, words)
            return Progress(words, min(size() / kind.disk / 1e6, 0.95))

        yield from _run(command, log, tell)


def _tried(part: Path, kind: Kind, log: IO[str]) -> Steps[dict[str, object]]:
    """What the new Python says of itself after its trial."""
    command = [str(_python(part)), "-I", "-B", "-X", "utf8", "-c", kind.trial + _TELL]
    log.write(f"\n$ {shlex.join(command)}\n")
    code, text = yield from _heard(processes.lines(command, log))
    if code:
        raise InstallError(f"What was installed does not work here: {gist(text)}", "Nothing was changed", text)
    return json.loads(next(line for line in reversed(text.splitlines()) if line.startswith("{")))


def _exchange(part: Path, place: Path) -> None:
    """Puts the new environment where the old one is; if that fails, the old one is back."""
    here = place / "runtime"
    old = _away(here)
    try:
        part.rename(here)
    except OSError:
        if old:
            old.rename(here)
        raise


def _away(path: Path) -> Path | None:
    """Gives what is to be removed another name first, so that no half of it is ever used; returns it."""
    if not path.exists():
        return None
    return path.rename(path.with_name(f"old-{uuid.uuid4().hex[:8]}"))


def _sweep(place: Path) -> None:
    """Deletes what was left behind."""
    for pattern in ("part-*", "old-*"):
        for path in place.glob(pattern):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """While this lasts no other process installs or removes here. The system gives it up for one that dies."""
    with (place / "lock").open("a") as file:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InstallError("Another Blender is installing or removing this", "Wait until it is done") from error
        yield


def _run(command: list[str], log: IO[str], tell: Callable[[str], Progress | None] = lambda line: None) -> Steps[str]:
    """Runs a program; returns all that it printed. tell: what to yield for a line, and for silence (an empty one)."""
    log.write(f"\n$ {shlex.join(command)}\n")
    try:
        code, text = yield from _heard(processes.lines(command, log), tell)
    except OSError as error:
        raise InstallError(f'"{command[0]}" cannot be started ({error.strerror})', "Choose another Python") from error
    if code:
        raise explained(text)
    return text


def _heard(
    work: Generator[str | None, None, T], tell: Callable[[str], Progress | None] = lambda line: None
) -> Steps[T]:
    with closing(work):
        while True:
            try:
                line = next(work)
            except StopIteration as done:
                return done.value
            yield tell(line or "")


def _meanwhile(work: Callable[[], T]) -> Steps[T]:
    """Yields until a function, in a thread of its own, is done; returns its value."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        while not wait([future], processes.BEAT).done:
            yield None
        return future.result()


@contextmanager
def _size_of(folder: Path) -> Iterator[Callable[[], int]]:
    """Gives a function that says how many bytes a folder holds, as a thread counts them every second."""
    seen, stop = [0], threading.Event()

    def count() -> None:
        while not stop.is_set():
            seen[0] = _size(folder)
            stop.wait(1)

    threading.Thread(target=count, daemon=True).start()
    try:
        yield lambda: seen[0]
    finally:
        stop.set()


def _size(folder: Path) -> int:
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # gone meanwhile
                total += os.lstat(os.path.join(here, name)).st_size
    return total


def _python(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
