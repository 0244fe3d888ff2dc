"""What goes wrong with the managed runtime: what uv, pip and the system say, in the user's words. No bpy."""

from __future__ import annotations

import re

from . import processes

_LAST = 4000
"""Characters of a program's output that an error brings along."""


class InstallError(processes.Failure):
    """The runtime could not be installed or removed; `log` is the end of what was printed."""

    def __init__(self, message: str, hint: str = "", log: str = "") -> None:
        super().__init__(message, hint, log[-_LAST:])


_UNREACHED = r"Failed to fetch|dns error|error sending request|ConnectionError|getaddrinfo|[Tt]imed? ?out|Max retries"
_LACKS = r"(?:was not found|has no (?:wheels|usable)|has an invalid)"
_KNOWN = (
    (
        r"No space left|not enough space|os error (28|112)\b",
        "There is no space left on the disk",
        "Free some and install again: what was downloaded is kept",
    ),
    (
        r"[Pp]ermission denied|Access is denied|Read-only file|os error (5|13|30)\b",
        "A file of the installation cannot be written or run",
        "Another program may be using it, or the folder be locked: the log names it",
    ),
    (
        r"certificate|UnknownIssuer|SSLError",
        "The package index shows a certificate that this computer does not trust",
        "Have the proxy's certificate added to the system's, name its file in SSL_CERT_FILE, or use a folder of wheels",
    ),
    (
        r"[Hh]ash mismatch|DO NOT MATCH THE HASHES",
        "A wheel is not the one that was pinned (its hash is another)",
        "Get it again from the public registry; on the way here a proxy or mirror may have changed it",
    ),
    (
        r"[Pp]roxy|tunnel error",
        "The proxy does not answer or refuses",
        "Correct HTTPS_PROXY in the environment, or use a folder of wheels",
    ),
    (
        _UNREACHED,
        "The package index cannot be reached",
        "Look after the network and install again, or use a folder of wheels",
    ),
    (
        r"[Bb]ecause (?P<what>[\w.-]+)(?:\{[^}]*\})?(?:==\S+)? " + _LACKS,
        "There is no wheel of {what} for this Python and this computer",
        "Add it to the folder of wheels, or choose a Python of your own in the preferences",
    ),
    (
        r"No matching distribution found for (?P<what>[\w.-]+)",
        "There is no wheel of {what} for this Python and this computer",
        "Use a folder of wheels, or choose a Python of your own in the preferences",
    ),
    (
        r"No solution found",
        "The pinned wheels do not fit this Python or this computer",
        "Choose a Python of your own in the preferences",
    ),
)
"""What uv, pip and the system say where they fail, for `re.search`, and what it means."""


def explained(text: str) -> InstallError:
    """The error that a failed program's output, or the system's words, tell of."""
    for pattern, message, hint in _KNOWN:
        if found := re.search(pattern, text):
            return InstallError(message.format(**found.groupdict()), hint, text)
    return InstallError(f"The installation failed: {gist(text)}", "Nothing was changed", text)


def gist(text: str) -> str:
    """The line of a program's output that says why it failed: its last error, else its last line."""
    said = [line.strip() for line in text.splitlines() if line.strip()] or ["no reason given"]
    errors = [line[7:] for line in said if line.lower().startswith("error: ")]
    return (errors or said)[-1]
