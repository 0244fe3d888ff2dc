"""A screen that is nowhere to be seen, its mouse and its keyboard."""

from __future__ import annotations

import os
import subprocess

import numpy as np

SIZE = (1600, 1000)
BUTTONS = {"left": 1, "middle": 2, "right": 3, "up": 4, "down": 5}


class Screen:
    """(0, 0) is the top left. `close` must be called."""

    def __init__(self) -> None:
        size = f"{SIZE[0]}x{SIZE[1]}x24"
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", "1", "-screen", "0", size, "-dpi", "96", "-nolisten", "tcp"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._server.stdout is not None
        self.environment = {**os.environ, "DISPLAY": f":{self._server.stdout.readline().strip()}"}

    def picture(self) -> np.ndarray:
        """uint8 (H, W, 3)."""
        shot = subprocess.run(["xwd", "-root"], env=self.environment, capture_output=True, check=True).stdout
        raw = subprocess.run(["convert", "xwd:-", "-depth", "8", "rgb:-"], input=shot, capture_output=True, check=True)
        return np.frombuffer(raw.stdout, np.uint8).reshape(SIZE[1], SIZE[0], 3)

    def xdotool(self, *words: object) -> str:
        """Real events, as from a mouse and a keyboard; what it prints."""
        command = ["xdotool", *map(str, words)]
        return subprocess.run(
            command, env=self.environment, check=True, timeout=20, capture_output=True, text=True
        ).stdout

    def close(self) -> None:
        self._server.kill()
        self._server.wait()
