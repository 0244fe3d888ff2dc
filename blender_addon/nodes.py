"""Which images the user means, and where results go: new Image Texture nodes beside the sources'."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import bpy

from . import variants
from .otsynth_core.roles import NORMALS, ROLES, guessed
from .otsynth_core.spec import InputError

MADE_OF, KEY = "otsynth_source", "otsynth_key"
"""Custom properties of a node that shows a result, and of the one that shows its source: both hold the same key."""
KIND = "otsynth_kind"
"""Custom property of a node that shows a result: of which kind."""
TURN = "otsynth_turn"
"""Custom property of a node that shows a result: what was put into it last has the largest number of the tree."""
REPORT = "otsynth"
"""Custom property of a result's image: how it was made, as JSON."""
PAINTED = "otsynth_painted"
"""Custom property of a copy that is painted on: the image that it is a copy of."""
LEFT_OUT = "none"
"""In the place of a role: the image is no part of the material's set."""

_KEPT = ("projection", "projection_blend", "interpolation", "extension", "parent", "mute")
_DRAWN = 300
"""About how high an Image Texture node is drawn, with a gap; headless Blender does not know."""
_TITLE = 60
"""Room for a frame's margin and label."""
_INPUTS = {
    "Base Color": "color",
    "Color": "color",
    "Metallic": "metallic",
    "Roughness": "roughness",
    "Alpha": "alpha",
    "Specular": "specular",
    "Specular IOR Level": "specular",
    "Specular Tint": "specular",
    "Emission": "emission",
    "Emission Color": "emission",
    "Emission Strength": "emission",
    "Normal": "normal",
    "Displacement": "height",
}
"""What a shader's or the output's input is given. Every other passes for "other"."""
_RELIEF = {
    "NORMAL_MAP": {"Color": "normal"},
    "BUMP": {"Height": "height", "Normal": "normal"},
    "DISPLACEMENT": {"Height": "height", "Normal": "normal"},
    "VECTOR_DISPLACEMENT": {},
}
"""What the inputs of these types of nodes are given. Every other passes for "other"."""
_OWNERS = ("materials", "worlds", "lights", "linestyles")
_SPLITS = ("SEPARATE_COLOR", "SEPRGB", "SEPXYZ")


Places = tuple[tuple[bpy.types.NodeTree, bpy.types.Node], ...]
"""Nodes that show an image, each with the tree that it is in."""


@dataclass(frozen=True)
class Source:
    """An image, what it is of, and the nodes of a material that show it."""

    image: bpy.types.Image
    role: str
    places: Places


@dataclass(frozen=True)
class Trace:
    """What finds a source again after a while in which anything may have been renamed, undone or deleted.

    image: its number in this session; places: the number of what owns the tree, and the node's name.
    """

    image: int
    places: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, source: Source) -> Trace:
        numbers = {tree: number for number, tree in _trees().items()}
        places = ((numbers[tree], node.name) for tree, node in source.places if tree in numbers)
        return cls(source.image.session_uid, tuple(places))

    def found(self) -> bpy.types.Image | None:
        """The image, if it is still there."""
        return next((image for image in bpy.data.images if image.session_uid == self.image), None)

    def nodes(self) -> Places:
        """Those of the nodes that are still there and show the image, or none; renamed ones as well."""
        trees, image = _trees(), self.found()
        there: list[tuple[bpy.types.NodeTree, bpy.types.Node]] = []
        for number, name in self.places:
            tree = trees.get(number)
            textures = [node for node in tree.nodes if node.type == "TEX_IMAGE"] if tree is not None else []
            fitting = [node for node in textures if node.image == image and (tree, node) not in there]
            fitting.sort(key=lambda node: node.name != name)
            fitting = [node for node in fitting if image is not None or node.name == name]
            there += [(tree, node) for node in fitting[:1]]
        return tuple(there)


def _trees() -> dict[int, bpy.types.NodeTree]:
    """Every tree of shaders by the number of what owns it: a group, or a material, which is one with its tree."""
    owned = {owner: owner.node_tree for kind in _OWNERS for owner in getattr(bpy.data, kind) if owner.node_tree}
    return {owner.session_uid: tree for owner, tree in [*owned.items(), *((g, g) for g in bpy.data.node_groups)]}


def sources(context: bpy.types.Context, whole: bool) -> list[Source]:
    """The images of the material that is shown, or the one in the Image Editor or in the active Image Texture node.

    whole: every image that feeds the material's output, but those that are left out.
    Raises InputError with a sentence that says what is missing.
    """
    if not whole:
        return [_active(context)]
    found = [one for one in images(context) if one.role != LEFT_OUT]
    if not found:
        raise InputError(
            "Every image of the material is left out, or in a group that is linked from another file: give one a role,"
            " or make the group local"
        )
    return found


def second(context: bpy.types.Context, whole: bool, name: str) -> list[Source]:
    """The image, or whole: every image of the material, of a name, or of what is selected beside the active one.

    These are read alone, so it does not matter where they are linked from. Raises InputError where there is none.
    """
    if whole:
        return _second_material(context, name)
    image = bpy.data.images.get(name) if name else None
    if name and image is None:
        raise InputError(f'There is no image "{name}": choose another')
    if image is None:
        first = _active(context)
        trees = [tree for tree, _ in first.places]
        shown = [node for tree in trees for node in tree.nodes if node.type == "TEX_IMAGE" and node.select]
        others = {node.image for node in shown if (node.image is not None and node.image != first.image)}
        if len(others) != 1:
            raise InputError(
                f"{len(others)} other images are selected: choose one to mix with, or select its node beside the active"
            )
        image = others.pop()
    return [Source(image, _role(image, None), ())]


def _second_material(context: bpy.types.Context, name: str) -> list[Source]:
    material = bpy.data.materials.get(name) if name else None
    if name and material is None:
        raise InputError(f'There is no material "{name}": choose another')
    if material is None:
        first = _material(context, context.space_data)[0]
        objects = getattr(context, "selected_objects", [])
        others = {one.active_material for one in objects} - {first, None}
        if len(others) != 1:
            raise InputError(
                f"{len(others)} other materials are selected: choose one to mix with, or select an object that has it"
            )
        material = others.pop()
    if material.node_tree is None:
        raise InputError(f'Material "{material.name}" has no nodes: it has no image to mix with')
    found = [one for one in _images(material.node_tree) if one.role != LEFT_OUT]
    if not found:
        raise InputError(f'No image feeds the output of material "{material.name}": there is nothing to mix with')
    return found


def images(context: bpy.types.Context) -> list[Source]:
    """Every image that feeds the active material's output, its role `LEFT_OUT` where the user has said so.

    Left out is as well what stands in a group that is linked from another file. Where a result feeds the output, its
    source counts. Of two of one role the second becomes "other". Raises InputError where
    there is none.
    """
    material, tree = _material(context, context.space_data)
    _check_editable(material, tree)
    found = _images(tree, own=True)
    if not found:
        raise InputError(f'No image feeds the output of material "{material.name}": connect an Image Texture node')
    return found


def _images(tree: bpy.types.NodeTree, own: bool = False) -> list[Source]:
    """own: results are to stand beside them."""
    found: list[Source] = []
    for image, (linked, places) in _feeding(tree).items():
        linked_in = own and any(not inner.is_editable for inner, _ in places)
        role = LEFT_OUT if linked_in else _role(image, linked)
        taken = {one.role for one in found} - {LEFT_OUT}
        found.append(Source(image, "other" if role in taken else role, tuple(places)))
    return found


def _role(image: bpy.types.Image, linked: str | None) -> str:
    """The user's word for it, else what it is linked to, else what its name tells."""
    return image.otsynth_role if image.otsynth_role != "auto" else _told(image, linked)


def _told(image: bpy.types.Image, linked: str | None) -> str:
    named = guessed(image.name, among=True)
    if linked in NORMALS and named in NORMALS:  # of which kind they are no link tells
        return named
    if linked not in (None, "color", "other"):
        return linked
    return guessed(image.name, among=linked == "other") or linked or "color"


def _active(context: bpy.types.Context) -> Source:
    space = context.space_data
    if space is not None and space.type == "IMAGE_EDITOR":
        return _shown(context, space)
    tree = _tree(context, space)
    node = tree.nodes.active
    if node is None or node.type != "TEX_IMAGE":
        raise InputError("No Image Texture node is active: click one in the material's node tree")
    if node.image is None:
        raise InputError(f'Node "{node.name}" has no image: open one in it')
    return _single(context, node.image, ((tree, node),))


def _shown(context: bpy.types.Context, space: bpy.types.Space) -> Source:
    """A copy that is painted on stands for the image that it was made of."""
    image = space.image and (space.image.get(PAINTED) or space.image)
    if image is None:
        raise InputError("The Image Editor shows no image: open one")
    try:
        _tree(context, None)
    except InputError:
        return _single(context, image, ())
    free = [tree for tree in trees(context) if tree.is_editable and tree.override_library is None]
    users = [(tree, node) for tree in free for node in tree.nodes if node.type == "TEX_IMAGE" and node.image == image]
    users.sort(key=lambda user: user[1] != user[0].nodes.active)
    return _single(context, image, tuple(users[:1]))


def _single(
    context: bpy.types.Context, image: bpy.types.Image, places: tuple[tuple[bpy.types.NodeTree, bpy.types.Node], ...]
) -> Source:
    try:
        linked = _feeding(_material(context, context.space_data)[1]).get(image, (None, []))[0]
    except InputError:
        linked = None
    return Source(image, _told(image, linked) if image.otsynth_role == LEFT_OUT else _role(image, linked), places)


def _material(
    context: bpy.types.Context, space: bpy.types.Space | None
) -> tuple[bpy.types.Material, bpy.types.NodeTree]:
    """The material that is shown or active, and its own tree."""
    owner = None
    if space is not None and space.type == "NODE_EDITOR" and space.tree_type == "ShaderNodeTree":
        owner = space.id
    if owner is None:
        owner = context.object.active_material if context.object else None
    if owner is None:
        raise InputError("No material is active: select an object that has one")
    if owner.node_tree is None:
        raise InputError(f'Material "{owner.name}" has no nodes: turn on Use Nodes')
    return owner, owner.node_tree


def _tree(context: bpy.types.Context, space: bpy.types.Space | None) -> bpy.types.NodeTree:
    """The tree that is shown, which may be that of a group, or the active material's."""
    owner, tree = _material(context, space)
    if space is not None and space.type == "NODE_EDITOR" and space.edit_tree is not None:
        tree = space.edit_tree
    _check_editable(owner, tree)
    return tree


def _check_editable(*blocks: bpy.types.ID) -> None:
    for block in blocks:
        if not block.is_editable:
            raise InputError(f'"{block.name}" is linked from another file: make it local to change it')
        if block.override_library is not None:
            raise InputError(f'"{block.name}" is a library override, which takes no new nodes: make it local')


class _Walk:
    """The way back along the links from a material's output to its images, through groups."""

    def __init__(self) -> None:
        self.found: dict[bpy.types.Image, tuple[dict[str, bool], list[tuple[bpy.types.NodeTree, bpy.types.Node]]]] = {}
        self.seen: set[tuple[object, ...]] = set()

    def back(self, socket: bpy.types.NodeSocket, role: str, split: bool, groups: tuple[bpy.types.Node, ...]) -> None:
        """groups: the group nodes that we are inside of, outermost first; split: whether by a channel of its own."""
        key = (socket.as_pointer(), role, split, tuple(node.as_pointer() for node in groups))
        if key in self.seen:
            return
        self.seen.add(key)
        for link in socket.links if socket.is_linked else ():
            if link.is_muted:
                continue
            node, out = link.from_node, link.from_socket
            if node.mute:
                for passing in node.internal_links:
                    if passing.to_socket == out:
                        self.back(passing.from_socket, role, split, groups)
            elif node.type == "TEX_IMAGE":
                node = _origin(node, _keyed(socket.id_data))
                if node.image is not None:
                    roles, places = self.found.setdefault(node.image, ({}, []))
                    alpha = out.name == "Alpha"
                    roles["alpha" if alpha else role] = split or alpha
                    if (socket.id_data, node) not in places:
                        places.append((socket.id_data, node))
            elif node.type == "GROUP":
                if node.node_tree is not None:
                    for end in (n for n in node.node_tree.nodes if n.type == "GROUP_OUTPUT" and n.is_active_output):
                        self.through(end, out.identifier, role, split, (*groups, node))
            elif node.type == "GROUP_INPUT":
                if groups:
                    self.through(groups[-1], out.identifier, role, split, groups[:-1])
            else:
                for inner in node.inputs:
                    if inner.enabled:
                        self.back(inner, _given(node, inner, role), split or node.type in _SPLITS, groups)

    def through(
        self, node: bpy.types.Node, identifier: str, role: str, split: bool, groups: tuple[bpy.types.Node, ...]
    ) -> None:
        """Into a group or out of it."""
        for socket in node.inputs:
            if socket.identifier == identifier:
                self.back(socket, role, split, groups)


def _keyed(tree: bpy.types.NodeTree) -> dict[str, bpy.types.Node]:
    """The nodes that results were made of, by their keys; of a node and its duplicates, the node."""
    keyed: dict[str, bpy.types.Node] = {}
    for node in tree.nodes:
        if node.type == "TEX_IMAGE" and node.image and KEY in node:
            keyed.setdefault(node[KEY], node)
    return keyed


def _key(tree: bpy.types.NodeTree, node: bpy.types.Node) -> str | None:
    """A source's key; a duplicate, which has its original's, has none of its own."""
    key = node.get(KEY)
    return key if _keyed(tree).get(key) == node else None


def _is_result(node: bpy.types.Node) -> bool:
    """Whether it shows what was put into it, or another result, and no image that the user has chosen since."""
    return MADE_OF in node and node.image is not None and REPORT in node.image


def _origin(node: bpy.types.Node, keyed: dict[str, bpy.types.Node]) -> bpy.types.Node:
    """The node that shows the source of the result that a node shows, of a result's result the first; or itself."""
    for _ in range(len(keyed) + 1):  # no more often, should someone have tied a knot
        if not _is_result(node) or node[MADE_OF] not in keyed:
            break
        node = keyed[node[MADE_OF]]
    return node


def original(source: Source) -> Source:
    """What a result was made of, as the whole material takes it; what is none stays."""
    for tree, node in source.places:
        old = _origin(node, _keyed(tree))
        if old != node:
            return Source(old.image, source.role, ((tree, old),))
    return source


def _given(node: bpy.types.Node, socket: bpy.types.NodeSocket, role: str) -> str:
    """What a node is given at an input if it gives `role`."""
    if node.type in _RELIEF:
        return _RELIEF[node.type].get(socket.name, "other")
    if any(out.type == "SHADER" for out in node.outputs) and socket.type != "SHADER":
        return _INPUTS.get(socket.name, "other")
    if node.type in ("MIX", "MIX_RGB") and socket.name in ("Factor", "Fac"):
        return "other"
    return role


def _feeding(
    tree: bpy.types.NodeTree,
) -> dict[bpy.types.Image, tuple[str, list[tuple[bpy.types.NodeTree, bpy.types.Node]]]]:
    """The images that feed a material's output: what each is linked to, and the nodes that show it."""
    engine = "EEVEE" if "EEVEE" in bpy.context.scene.render.engine else "CYCLES"
    outputs = (tree.get_output_node(target) for target in (engine, "ALL", "CYCLES", "EEVEE"))
    output = next((one for one in outputs if one is not None), None)
    walk = _Walk()
    for socket in output.inputs if output else ():
        walk.back(socket, _INPUTS.get(socket.name, "other"), False, ())
    found = {}
    for image, (roles, places) in walk.found.items():
        packed = len(roles) > 1 and all(roles.values())
        found[image] = ("packed" if packed else min(roles, key=list(ROLES).index), places)
    return found


def place(made: list[tuple[Places, bpy.types.Image]], kind: str, frame: str | None) -> Places:
    """A node with each image below its source's: same settings and vector. Returns all new nodes.

    kind: of result, by which `replace` finds it. frame: label of a frame to put them into, in each tree; without one a
    node has the parent of its source.
    """
    trees: dict[bpy.types.NodeTree, list[tuple[bpy.types.Node, bpy.types.Image]]] = {}
    placed: list[tuple[bpy.types.NodeTree, bpy.types.Node]] = []
    for places, image in made:
        for tree, node in places:
            trees.setdefault(tree, []).append((node, image))
    for tree, pairs in trees.items():
        active = tree.nodes.active
        around = None
        down = _room(tree, [node for node, _ in pairs])
        if frame is not None:
            down += _TITLE
            around = tree.nodes.new("NodeFrame")
            around.label = frame
            placed.append((tree, around))
        for old, image in pairs:
            new = tree.nodes.new(old.bl_idname)
            placed.append((tree, new))
            new.image = image
            for name in _KEPT:
                setattr(new, name, getattr(old, name))
            for mapping in ("texture_mapping", "color_mapping"):
                _copy(getattr(old, mapping), getattr(new, mapping))
            x, y = old.location
            if around is not None:
                new.parent = around
                x, y = _absolute(old)
            new.label = image.name
            new.width = old.width
            new.location = x, y - down
            new[MADE_OF] = old[KEY] = _key(tree, old) or uuid.uuid4().hex
            new[KIND], new[TURN] = kind, _turn(tree)
            for link in old.inputs["Vector"].links:
                tree.links.new(link.from_socket, new.inputs["Vector"]).is_muted = link.is_muted
            new.select = False
        tree.nodes.active = active
    return tuple(placed)


def _copy(old: bpy.types.bpy_struct, new: bpy.types.bpy_struct) -> None:
    """Every setting of one on the other."""
    for setting in old.bl_rna.properties:
        if not setting.is_readonly:
            setattr(new, setting.identifier, getattr(old, setting.identifier))


def replace(made: list[tuple[Places, bpy.types.Image]], kind: str) -> bool:
    """Shows each image in the node of the last result of its kind. False, and nothing changed, where one has none."""
    last: list[tuple[bpy.types.NodeTree, bpy.types.Node, bpy.types.Image]] = []
    for places, image in made:
        for tree, old in places:
            key = _key(tree, old)
            made_of = [node for node in _in_turn(tree) if key and node.get(MADE_OF) == key and _is_result(node)]
            found = [node for node in made_of if node.get(KIND) == kind]
            if not found:
                return False
            last.append((tree, found[-1], image))
    for tree, node, image in last:
        node[TURN] = _turn(tree)
        variants.drop(variants.show(node, image))
    return bool(last)


def _in_turn(tree: bpy.types.NodeTree) -> list[bpy.types.Node]:
    """Its nodes, those last into which a result was put last."""
    return sorted(tree.nodes, key=lambda node: node.get(TURN, 0))


def _turn(tree: bpy.types.NodeTree) -> int:
    """The next number for a node that a result is put into."""
    return 1 + max(node.get(TURN, 0) for node in tree.nodes)


def _absolute(node: bpy.types.Node) -> tuple[float, float]:
    x, y = node.location
    while node.parent is not None:
        node = node.parent
        x, y = x + node.location.x, y + node.location.y
    return x, y


def _room(tree: bpy.types.NodeTree, nodes: list[bpy.types.Node]) -> float:
    """How far down copies of nodes, all together, stand clear of every node."""
    x, y = zip(*(_absolute(node) for node in nodes), strict=True)
    left, right = min(x), max(x) + nodes[0].width
    others = [(*_absolute(node), node.width) for node in tree.nodes if node.type != "FRAME"]
    column = [y for x, y, width in others if left < x + width and x < right]
    top, high = max(y), max(y) - min(y) + _DRAWN
    down = high
    while any(top - down - high < y and y - _DRAWN < top - down for y in column):
        down += _DRAWN
    return down


def trees(context: bpy.types.Context) -> list[bpy.types.NodeTree]:
    """The active material's tree and those of its groups; none where there is no material."""
    return reached(owner(context))


def owner(context: bpy.types.Context) -> int | None:
    """The number in this session of the active material, if there is one."""
    try:
        return _material(context, context.space_data)[0].session_uid
    except InputError:
        return None


def reached(owner: int | None) -> list[bpy.types.NodeTree]:
    """The tree of a material, by its number, and those of its groups, as far as they are there."""
    found = [tree for number, tree in _trees().items() if number == owner]
    for tree in found:
        for node in tree.nodes:
            if node.type == "GROUP" and node.node_tree is not None and node.node_tree not in found:
                found.append(node.node_tree)
    return found


def results(
    among: Iterable[bpy.types.NodeTree],
) -> Iterator[tuple[bpy.types.NodeTree, bpy.types.Node, bpy.types.Node]]:
    """The nodes of some trees that show a result: tree, the source's node, the node; in each the newest is last."""
    for tree in among:
        keyed = _keyed(tree)
        for node in _in_turn(tree):
            old = _origin(node, keyed) if node.type == "TEX_IMAGE" else node
            if old != node:
                yield tree, old, node


def use(among: Iterable[bpy.types.NodeTree], made: bool, of: Places | None = None) -> int:
    """Links what the sources' nodes feed to the newest results, or back; how many nodes were exchanged.

    of: nodes whose results are meant, if not those of every source.
    """
    exchanged = 0
    newest = {}
    meant = None if of is None else [(tree, _origin(node, _keyed(tree))) for tree, node in of]
    for tree, old, new in [found for found in results(among) if found[0].is_editable]:
        if meant is not None and (tree, old) not in meant:
            continue
        exchanged += _moved(tree, new, old)
        newest[tree, old] = new
    if made:
        exchanged = sum(_moved(tree, old, new) for (tree, old), new in newest.items())
    return exchanged


def _moved(tree: bpy.types.NodeTree, giver: bpy.types.Node, taker: bpy.types.Node) -> bool:
    links = [(link.from_socket.name, link.to_socket, link.is_muted) for out in giver.outputs for link in out.links]
    for name, socket, muted in links:
        tree.links.new(taker.outputs[name], socket).is_muted = muted
    return bool(links)
