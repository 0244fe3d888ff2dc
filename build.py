#!/usr/bin/env python3
"""Builds, shows and tests otsynth. Needs Python 3.11 or 3.13, pip and git; everything else goes into .venv.

python3 build.py          dist/otsynth-VERSION.zip, the extension: the same bytes from the same tree
python3 build.py demo     a photo made seamless by the installed extension in real Blender, in out/
python3 build.py test     ruff, types, tests; further arguments go to pytest (slow tests: --slow, or CI=true)
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
REQUIREMENTS = ROOT / "tests" / "requirements.txt"
MANIFEST = ROOT / "blender_addon" / "blender_manifest.toml"
PYTHONS = ((3, 11), (3, 13))
LIBRARIES = "libsm6 libice6 libxext6 libgl1 libxrender1 libxi6 libxkbcommon0 libxfixes3"


def version() -> str:
    """The manifest's: the only version number there is."""
    return tomllib.loads(MANIFEST.read_text("utf-8"))["version"]


def staged() -> Iterator[tuple[str, Path]]:
    """What goes into the zip: name there, file here. The add-on at the root, the core inside it, the licence."""
    for folder, prefix in ((ROOT / "blender_addon", ""), (ROOT / "otsynth_core", "otsynth_core/")):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".toml", ".txt"):
                yield prefix + path.relative_to(folder).as_posix(), path
    yield "LICENSE", ROOT / "LICENSE"


def build() -> Path:
    """Writes dist/otsynth-VERSION.zip and returns its path."""
    target = ROOT / "dist" / f"otsynth-{version()}.zip"
    target.parent.mkdir(exist_ok=True)
    part = target.with_suffix(".part")
    with zipfile.ZipFile(part, "w") as bundle:
        for name, path in staged():
            entry = zipfile.ZipInfo(name)  # dated 1980 and not compressed: only contents count, no zlib's version
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            bundle.writestr(entry, path.read_bytes().replace(b"\r\n", b"\n"))
    part.replace(target)
    return target


def environment() -> Path:
    """The Python of .venv, with the pinned requirements installed; made anew when those change."""
    if sys.version_info[:2] not in PYTHONS:
        wanted = " or ".join(".".join(map(str, v)) for v in PYTHONS)
        sys.exit(
            f"build.py: this is Python {sys.version.split()[0]}; Blender's module is made for {wanted}: use one of them"
        )
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = VENV / "installed"
    state = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    if not (stamp.is_file() and stamp.read_text() == state):
        _say("making .venv with the pinned requirements (a few minutes, about 3 GB)")
        stamp.unlink(missing_ok=True)
        _run(sys.executable, "-m", "venv", "--clear", VENV)
        _run(
            python, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", "-r", REQUIREMENTS
        )
        stamp.write_text(state)
    found = subprocess.run([python, "-c", "import ctypes, bpy"], capture_output=True, text=True)
    if missing := re.search(r"ImportError: (lib\S+): cannot open", found.stderr):
        sys.exit(f"build.py: Blender's module needs {missing[1]}; on Debian or Ubuntu: apt-get install {LIBRARIES}")
    return python


def demo() -> None:
    """Runs tests/demo/demo.py with the built zip; results in out/."""
    python = environment()
    archive = build()
    with tempfile.TemporaryDirectory(prefix="otsynth-demo-") as user:
        _run(python, ROOT / "tests" / "demo" / "demo.py", archive, ROOT / "out", BLENDER_USER_RESOURCES=user)


def test(arguments: list[str]) -> None:
    """ruff, mypy and pytest, in this order; ends at the first that fails."""
    python = environment()
    build()
    if os.environ.get("CI") == "true" and "--slow" not in arguments:
        arguments = ["--slow", *arguments]
    _run(python, "-m", "ruff", "check", ROOT)
    _run(python, "-m", "ruff", "format", "--check", ROOT)
    _run(python, "-m", "mypy", ROOT / "otsynth_core", ROOT / "blender_addon", ROOT / "build.py")
    _run(python, "-m", "pytest", *(arguments or ["-q"]))


def _run(*command: object, **variables: str) -> None:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, env={**os.environ, **variables})
    if done.returncode:
        sys.exit(done.returncode)


def _say(text: str) -> None:
    print(f"build.py: {text}", flush=True)


def main(arguments: list[str]) -> None:
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("zip", [])
    if verb == "test":
        test(rest)
    elif verb == "demo" and not rest:
        demo()
    elif verb == "zip" and not rest:
        _say(str(build().relative_to(ROOT)))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
