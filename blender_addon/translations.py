"""What the extension says in other languages: Blender translates labels and tooltips by these tables."""

from __future__ import annotations

import bpy

_GERMAN = {
    "Texture Synthesis": "Textursynthese",
    "Make Seamless": "Nahtlos machen",
    "Synthesize": "Synthetisieren",
    "Fill": "Füllen",
    "Mix Textures": "Texturen mischen",
    "Mixture": "Mischung",
    "Share": "Anteil",
    "Share Map": "Anteilskarte",
    "Paint Mask": "Maske malen",
    "Whole Material": "Ganzes Material",
    "Variations": "Variationen",
    "Seed": "Startwert",
    "Another Seed": "Anderer Startwert",
    "Quality": "Qualität",
    "Draft": "Entwurf",
    "Device": "Gerät",
    "Store": "Ablage",
    "In the Blend File": "In der Blend-Datei",
    "Beside the Source": "Neben der Quelle",
    "Done Again": "Bei Wiederholung",
    "Add a Variant": "Variante hinzufügen",
    "Replace the Last": "Letztes ersetzen",
    "Use the Result": "Ergebnis verwenden",
    "Use Results": "Ergebnisse verwenden",
    "Use Sources": "Quellen verwenden",
    "Mark as Asset": "Als Asset markieren",
    "Live Preview": "Live-Vorschau",
    "Method": "Verfahren",
    "Resynthesize": "Neu synthetisieren",
    "Heal the Edges": "Ränder heilen",
    "Band": "Randbreite",
    "Seamless": "Nahtlos",
    "Any Size": "Beliebige Größe",
    "Holes": "Löcher",
    "Wrap": "Wiederholen",
    "Both Ways": "In beide Richtungen",
    "Left to Right": "Von links nach rechts",
    "Top to Bottom": "Von oben nach unten",
    "Not at All": "Gar nicht",
    "Mask Image": "Maskenbild",
    "Take From": "Nehmen aus",
    "Source Mask": "Quellmaske",
    "Next Variation": "Nächste Variation",
    "Keep This Variation": "Diese Variation behalten",
    "Release Memory": "Speicher freigeben",
    "Keep the Worker": "Arbeitsprozess behalten",
    "Folder of Wheels": "Ordner mit Wheels",
    "Install Runtime": "Laufzeitumgebung installieren",
    "Remove Runtime": "Laufzeitumgebung entfernen",
    "Copy Log": "Protokoll kopieren",
    "Left Out": "Ausgelassen",
    "Normal (DirectX)": "Normale (DirectX)",
    "Packed Channels": "Gepackte Kanäle",
    "UDIM Tiles": "UDIM-Kacheln",
    "Each": "Jede",
    "With": "Mit",
    "Margin": "Rand",
}

_WORDS = {(context, said): german for said, german in _GERMAN.items() for context in ("*", "Operator")}
TABLES = {"de_DE": _WORDS, "de": _WORDS}
"""Of Blender's form: by language, older versions' name of it and newer ones', by context and English words."""


def register() -> None:
    bpy.app.translations.register(__package__, TABLES)


def unregister() -> None:
    bpy.app.translations.unregister(__package__)
