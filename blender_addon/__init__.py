"""otsynth in Blender: a panel, and operators that send textures to the worker and bring new image nodes back.

What registers is listed once, here, and undone in reverse.
"""

from . import operators, panels, preferences, preset, preview, properties, running, shown, translations

_PARTS = (translations, properties, running, preferences, preview, shown, operators, preset, panels)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
