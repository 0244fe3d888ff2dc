"""Makes a photo texture seamless with the installed extension in real Blender: ``demo.py ZIP OUT_FOLDER``.

BLENDER_USER_RESOURCES names the Blender user folder, which should be empty. Writes demo.blend, before_after.png (each
repeated 2x2, side by side) and report.json.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

import bpy
import numpy as np

TEXTURE = Path(__file__).with_name("dry_leaves.png")


def main(archive: Path, out: Path) -> None:
    out.mkdir(exist_ok=True)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.extensions.package_install_files(filepath=str(archive), repo="user_default", enable_on_install=True)
    print(f"demo: installed {archive.name} into Blender {bpy.app.version_string}", flush=True)

    node = plane_with(TEXTURE)
    before = node.image
    print(f"demo: material with {TEXTURE.name}, {before.size[0]}x{before.size[1]} px; asking otsynth.tile", flush=True)
    start = time.perf_counter()
    bpy.ops.otsynth.tile()
    seconds = time.perf_counter() - start
    after = bpy.data.images[f"{TEXTURE.stem}_tile"]
    bpy.ops.wm.save_as_mainfile(filepath=str(out / "demo.blend"), compress=True)

    metrics = importlib.import_module("bl_ext.user_default.otsynth.otsynth_core.metrics")
    pictures = {"before": values(before), "after": values(after)}
    seams = {name: {axis: metrics.seam(p, i) for i, axis in enumerate("yx")} for name, p in pictures.items()}
    report = {
        **json.loads(after["otsynth"]),
        "seconds_with_start": round(seconds, 2),
        "blender": bpy.app.version_string,
        "seam": seams,
        "sharpness": metrics.sharpness(pictures["after"], pictures["before"]),
        "copied": metrics.copied(pictures["after"], pictures["before"]),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    save(side_by_side(*(np.tile(picture, (2, 2, 1)) for picture in pictures.values())), out / "before_after.png")

    print(f"demo: made {after.name} in {seconds:.1f} s, worker's start included")
    for name, seam in seams.items():
        print(f"demo: seam {name:6s} top to bottom {seam['y']:.2f}, left to right {seam['x']:.2f}")
    print("demo: (jump across the edge over the 95th percentile of the jumps inside: about 1 or less is seamless)")
    print(f"demo: see {out / 'before_after.png'}, {out / 'demo.blend'}, {out / 'report.json'}")


def plane_with(path: Path) -> bpy.types.Node:
    """A plane whose material shows the image; returns its Image Texture node, which is active."""
    bpy.ops.mesh.primitive_plane_add()
    material = bpy.data.materials.new("Leaves")
    if material.node_tree is None:
        material.use_nodes = True
    bpy.context.object.data.materials.append(material)
    tree = material.node_tree
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.load(str(path))
    node.location = (-400, 300)
    shader = next(n for n in tree.nodes if n.type == "BSDF_PRINCIPLED")
    tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
    tree.nodes.active = node
    return node


def values(image: bpy.types.Image) -> np.ndarray:
    """Float (H, W, 3), top row first."""
    flat = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(flat)
    return flat.reshape(image.size[1], image.size[0], 4)[::-1, :, :3]


def side_by_side(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.concatenate([left, np.ones((len(left), 16, 3), np.float32), right], 1)


def save(picture: np.ndarray, path: Path) -> None:
    height, width, _ = picture.shape
    image = bpy.data.images.new(path.stem, width, height)
    rgba = np.concatenate([picture, np.ones((height, width, 1), np.float32)], 2)[::-1]
    image.pixels.foreach_set(np.ascontiguousarray(rgba, np.float32).ravel())
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
