"""The extension's zip: accepted by Blender's validator, the same bytes from the same tree, complete."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from .conftest import ROOT, bpy, build


def test_blenders_validator_accepts_it() -> None:
    tool = Path(bpy.utils.system_resource("SCRIPTS")) / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    command = [sys.executable, str(tool), "validate", str(build.build())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_same_tree_same_bytes_and_nothing_outside_dist() -> None:
    def tree() -> set[Path]:
        caches = {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
        skip = {".git", ".venv", ".venv-versions", "build", "dist", "out"} | caches
        return {p for p in ROOT.rglob("*") if not skip & set(p.relative_to(ROOT).parts)}

    before = tree()
    first = build.build().read_bytes()
    (ROOT / "blender_addon" / "nodes.py").touch()
    assert build.build().read_bytes() == first
    assert tree() == before
    assert build.build().name == f"otsynth-{build.version()}.zip"


def test_it_holds_the_addon_the_core_and_the_licence() -> None:
    with zipfile.ZipFile(build.build()) as bundle:
        names = set(bundle.namelist())
    assert {"__init__.py", "blender_manifest.toml", "LICENSE", "jobs.py", "otsynth_core/worker.py"} <= names
    assert {f"requirements/{name}.txt" for name in ("cpu", "cuda", "mps", "uv")} <= names
    assert not [name for name in names if "test" in name or "__pycache__" in name or name.startswith("/")]
