"""Which image the user means, and where the result goes: a new Image Texture node beside the source's."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from .otsynth_core.spec import InputError

_KEPT = ("projection", "projection_blend", "interpolation", "extension", "parent")
_DRAWN = 300
"""About how high an Image Texture node is drawn, with a gap; headless Blender does not know."""


@dataclass(frozen=True)
class Source:
    """An image and, where it is one of a material's, its node and the tree that the node is in."""

    image: bpy.types.Image
    tree: bpy.types.NodeTree | None
    node: bpy.types.Node | None


def source(context: bpy.types.Context) -> Source:
    """The image in the Image Editor, or that of the active Image Texture node of the active material.

    Raises InputError with a sentence that says what is missing.
    """
    space = context.space_data
    if space is not None and space.type == "IMAGE_EDITOR":
        return _shown(context, space)
    tree = _tree(context, space)
    node = tree.nodes.active
    if node is None or node.type != "TEX_IMAGE":
        raise InputError("No Image Texture node is active: click one in the material's node tree")
    if node.image is None:
        raise InputError(f'Node "{node.name}" has no image: open one in it')
    return Source(node.image, tree, node)


def _shown(context: bpy.types.Context, space: bpy.types.Space) -> Source:
    if space.image is None:
        raise InputError("The Image Editor shows no image: open one")
    try:
        tree = _tree(context, None)
    except InputError:
        return Source(space.image, None, None)
    users = [node for node in tree.nodes if node.type == "TEX_IMAGE" and node.image == space.image]
    users.sort(key=lambda node: node != tree.nodes.active)
    return Source(space.image, tree, users[0]) if users else Source(space.image, None, None)


def _tree(context: bpy.types.Context, space: bpy.types.Space | None) -> bpy.types.NodeTree:
    tree = None
    if space is not None and space.type == "NODE_EDITOR" and space.tree_type == "ShaderNodeTree":
        tree, owner = space.edit_tree, space.id
    if tree is None:
        owner = context.object.active_material if context.object else None
        if owner is None:
            raise InputError("No material is active: select an object that has one")
        tree = owner.node_tree
    if tree is None:
        raise InputError(f'Material "{owner.name}" has no nodes: turn on Use Nodes')
    for block in (owner, tree):
        if block is not None and not block.is_editable:
            raise InputError(f'"{block.name}" is linked from another file: make it local to change it')
    return tree


def place(source: Source, image: bpy.types.Image) -> bpy.types.Node | None:
    """A node with the image below the source's: same settings, parent and vector. None if the source has no node."""
    if source.tree is None or source.node is None:
        return None
    old, tree = source.node, source.tree
    place = _free(tree, old)
    new = tree.nodes.new(old.bl_idname)
    new.image = image
    for name in _KEPT:
        setattr(new, name, getattr(old, name))
    new.label = image.name
    new.width = old.width
    new.location = place
    for link in old.inputs["Vector"].links:
        tree.links.new(link.from_socket, new.inputs["Vector"])
    new.select = False
    tree.nodes.active = old
    return new


def _free(tree: bpy.types.NodeTree, node: bpy.types.Node) -> tuple[float, float]:
    """The first place below the node where no other Image Texture node stands."""
    x, y = node.location
    others = [n.location for n in tree.nodes if n.type == "TEX_IMAGE" and n.parent == node.parent]
    while any(abs(o.x - x) < node.width and abs(o.y - y) < _DRAWN for o in others):
        y -= _DRAWN
    return x, y
