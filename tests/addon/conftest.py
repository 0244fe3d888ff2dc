"""The built zip, installed into a Blender user folder of its own, and scenes to try it on. Skipped where bpy is not.

Nothing here needs torch, SciPy or OpenImageIO, so that the same tests run in every version of Blender's module.
"""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = "bl_ext.user_default.otsynth"

if "bpy" not in sys.modules:
    USER = tempfile.mkdtemp(prefix="otsynth-test-")
    atexit.register(shutil.rmtree, USER, ignore_errors=True)
    os.environ["BLENDER_USER_RESOURCES"] = USER
bpy = pytest.importorskip("bpy")

import build  # noqa: E402


def png(path: Path, pixels: np.ndarray) -> Path:
    """Writes uint8 or uint16 (H, W, 1 to 4) as PNG with nothing but the standard library."""
    height, width, channels = pixels.shape
    depth = 8 * pixels.dtype.itemsize
    rows = pixels.astype(pixels.dtype.newbyteorder(">"))
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", width, height, depth, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    packed = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    return path


def picture(height: int, width: int, channels: int) -> np.ndarray:
    """Soft stripes that grow narrower, so that there is no period, and noise, uint8."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    wave = np.stack([np.sin((y * (c + 1) + x * (3 - c)) ** 1.5 / 60) for c in range(channels)], -1)
    return np.rint(127 + 90 * wave + 20 * rng.standard_normal(wave.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def extension() -> Iterator[ModuleType]:
    """The installed extension's module."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    archive = build.build()
    bpy.ops.extensions.package_install_files(filepath=str(archive), repo="user_default", enable_on_install=True)
    yield importlib.import_module(MODULE)
    bpy.ops.preferences.addon_disable(module=MODULE)


@pytest.fixture
def scene(extension: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A new file with a plane whose material has an active Image Texture node with a small photo-like PNG."""
    monkeypatch.delenv("OTSYNTH_PYTHON", raising=False)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.mesh.primitive_plane_add()
    material = bpy.data.materials.new("Wall")
    if material.node_tree is None:
        material.use_nodes = True
    bpy.context.object.data.materials.append(material)
    return Scene(material, tmp_path)


class Scene:
    """Handles by name, since undo makes new datablocks of the old ones."""

    def __init__(self, material: bpy.types.Material, folder: Path) -> None:
        self.material_name = material.name
        self.folder = folder
        tree = self.tree
        node = tree.nodes.new("ShaderNodeTexImage")
        self.node_name = node.name
        node.image = bpy.data.images.load(str(png(folder / "wall.png", picture(40, 48, 3))))
        node.interpolation, node.extension, node.projection = "Cubic", "EXTEND", "BOX"
        node.projection_blend = 0.25
        node.location = (-400, 300)
        mapping = tree.nodes.new("ShaderNodeMapping")
        tree.links.new(mapping.outputs["Vector"], node.inputs["Vector"])
        shader = next(n for n in tree.nodes if n.type == "BSDF_PRINCIPLED")
        tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
        tree.nodes.active = node

    @property
    def tree(self) -> bpy.types.NodeTree:
        return bpy.data.materials[self.material_name].node_tree

    @property
    def node(self) -> bpy.types.Node:
        return self.tree.nodes[self.node_name]

    def state(self) -> dict:
        """Everything that must stay as it is when something is refused."""
        return {
            "images": sorted(image.name for image in bpy.data.images),
            "nodes": sorted(node.name for node in self.tree.nodes),
            "links": len(self.tree.links),
            "files": {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()},
        }


def values(image: bpy.types.Image) -> np.ndarray:
    """uint8 (H, W, 4), top row first, read apart from the extension's own code."""
    flat = np.array(image.pixels[:], np.float64).reshape(image.size[1], image.size[0], 4)
    return np.rint(flat[::-1] * 255).astype(np.uint8)
