"""Imports point one way, and torch and bpy stay where they belong. Read from the syntax trees, nothing is imported."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE, ADDON = ROOT / "otsynth_core", ROOT / "blender_addon"

LAYERS = [
    {"spec", "roles"},
    {"maps", "files", "patches", "period", "repeats", "pyramid", "tiling", "lines", "boxes"},
    {"kernels", "kernels.numpy", "kernels.compiled", "kernels.torch", "kernels.triton"},
    {"progress", "holes", "shiftmap"},
    {"semidual", "search", "graft", "known", "barycenter", "losses", "vgg", "sources"},
    {"features"},
    {"metrics", "upsampling", "joints", "slopes"},
    {"levels"},
    {"assembly"},
    {"transport"},
    {"gradient"},
    {
        "tasks",
        *(
            f"tasks.{name}"
            for name in (
                "descent",
                "field",
                "fill",
                "mix",
                "region",
                "render",
                "result",
                "retreat",
                "synthesize",
                "tile",
            )
        ),
    },
    {"__init__"},
    {"worker", "curve"},
    {"cli"},
    {"__main__"},
]
"""The core's modules, lowest first. A module imports from its own layer or lower ones."""

TORCH = {"kernels.torch", "kernels.triton", "losses", "features", "vgg", "sources", "gradient"}
WITHOUT_BPY = {"background", "jobs", "kinds", "managed", "processes", "runtime", "troubles"}


def name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def modules(root: Path) -> dict[str, Path]:
    return {name(path, root): path for path in sorted(root.rglob("*.py"))}


def imports(path: Path, root: Path) -> set[str]:
    """Full names of what a file imports; relative ones as ".spec", ".kernels.numpy" from the root package."""
    package = list(path.relative_to(root).parent.parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                deeper = root.joinpath(*base, alias.name)
                is_module = deeper.with_suffix(".py").exists() or deeper.is_dir()
                found.add("." + ".".join([*base, alias.name] if is_module else base))
    return found


def height(module: str) -> int:
    return next(i for i, layer in enumerate(LAYERS) if module in layer)


def test_every_core_module_has_its_layer() -> None:
    assert set(modules(CORE)) == set().union(*LAYERS)


@pytest.mark.parametrize("module", modules(CORE))
def test_core_imports_point_down(module: str) -> None:
    for imported in imports(modules(CORE)[module], CORE):
        assert not imported.startswith(("otsynth_core", "blender_addon", "bpy")), imported
        if imported.startswith("."):
            assert height(imported[1:] or "__init__") <= height(module), f"{module} imports {imported}"
        if imported.split(".")[0] == "torch":
            assert module in TORCH


@pytest.mark.parametrize("module", modules(ADDON))
def test_addon_reaches_the_core_through_requests_and_maps_only(module: str) -> None:
    found = imports(modules(ADDON)[module], ADDON)
    assert not {i for i in found if i.split(".")[0] in ("torch", "otsynth_core")}
    assert {i for i in found if "otsynth_core" in i} <= {
        ".otsynth_core.spec",
        ".otsynth_core.roles",
        ".otsynth_core.maps",
    }
    if module in WITHOUT_BPY:
        assert "bpy" not in found


def test_importing_the_core_does_not_import_torch() -> None:
    code = "import sys, otsynth_core, otsynth_core.cli, otsynth_core.worker; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_version_stands_in_the_manifest_alone() -> None:
    version = tomllib.loads((ADDON / "blender_manifest.toml").read_text())["version"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    source = project["tool"]["hatch"]["version"]
    found = re.search(source["pattern"], (ROOT / source["path"]).read_text())
    assert found is not None
    assert found["version"] == version
    sources = [*modules(CORE).values(), *modules(ADDON).values(), ROOT / "build.py"]
    assert not [path for path in sources if f'"{version}"' in path.read_text()]


def pinned(path: Path) -> dict[str, str]:
    """The version of each package of a list; of several the last one's."""
    return dict(re.findall(r"^([\w-]+)==([\w.]+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", sorted((ADDON / "requirements").glob("*.txt")), ids=lambda path: path.stem)
def test_what_is_installed_for_users_is_pinned_by_hashes_and_is_what_the_tests_run(path: Path) -> None:
    text = path.read_text()
    entries = re.split(r"\n(?=[a-z])", text)[1:]
    assert entries
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"://|/tmp|--(index|extra|find)", text)  # whose index it comes from is the user's affair
    tests = pinned(ROOT / "tests" / "requirements.txt")
    for package in {"numba", "threadpoolctl", "torch", "triton", "uv"} & set(pinned(path)):
        assert pinned(path)[package] == tests[package]
