"""A running Blender as a test sees it: Python inside, a mouse, a keyboard, pictures, and where buttons are.

Places are pixels of the screen, (0, 0) at its top left, which is also the window's. A space is a kind of area, as in
`Area.type`: the largest area of that kind is meant.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from screen import BUTTONS, SIZE, Screen

HOST = Path(__file__).with_name("host.py")
SUBREAPER = 36  # of prctl
LINE = 40  # pixels that a turn of the mouse wheel moves a sidebar by, at scale 1

PREFERENCES = """import bpy
bpy.context.preferences.view.show_splash = False
bpy.context.preferences.view.show_tooltips = False  # they would cover buttons
bpy.ops.wm.save_userpref()
"""

SIDEBAR = """
area = max((a for a in window.screen.areas if a.type == {space!r}), key=lambda a: a.width * a.height)
region = next(r for r in area.regions if r.type == "UI")
"""

PLACE = """
x, y = region.view2d.region_to_view(0, 0)
answer = [region.x, region.y, region.width, region.height, y, bpy.context.preferences.system.ui_scale]
"""

HOVERED = """
with bpy.context.temp_override(area=area, region=region):
    if bpy.ops.ui.copy_python_command_button.poll():
        bpy.ops.ui.copy_python_command_button()
        answer = bpy.context.window_manager.clipboard
"""

Point = tuple[float, float]


class BlenderError(Exception):
    """What went wrong inside Blender: its traceback, or its log."""


class Window:
    """Blender with the extension installed, started in a folder of its own. `close` must be called."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir(parents=True)
        self._socket = folder / "socket"
        self._found: dict[str, dict[str, Point]] = {}  # of a space, by command: x in the sidebar, y in its view
        ctypes.CDLL(None).prctl(SUBREAPER, 1)  # what Blender starts and leaves becomes a child of this process
        self._screen = Screen()
        self._log = (folder / "log.txt").open("w+")
        self._environment = {
            **self._screen.environment,
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "BLENDER_USER_RESOURCES": str(folder / "user"),
            "HOME": str(folder),
            "TMPDIR": str(self.temporary),
            "OTSYNTH_GUI_SOCKET": str(self._socket),
        }
        install = ["--command", "extension", "install-file", "-r", "user_default", "--enable", str(archive)]
        for arguments in (install, ["--python-expr", PREFERENCES]):
            self._started("-b", *arguments).wait(120)
        self._blender = self._started("--window-geometry", "0", "0", *map(str, SIZE), "--python", str(HOST))
        self.wait("bpy.context.window_manager.windows", 120)
        self.settle()
        self.click(SIZE[0] / 2, SIZE[1] / 2)  # a window that was never clicked takes the first click for itself

    def _started(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["blender", *arguments], env=self._environment, stdout=self._log, stderr=self._log)

    # Python inside

    def run(self, code: str, space: str = "", seconds: float = 120) -> Any:
        """What the code leaves in `answer`; see host.py for what it finds. Raises BlenderError, TimeoutError."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(str(self._socket))
            with connection.makefile("rw") as stream:
                stream.write(json.dumps({"code": code, "space": space}) + "\n")
                stream.flush()
                line = stream.readline()
        if not line:
            raise BlenderError(f"No answer to {code!r}; Blender's log:\n{self.log()}")
        said = json.loads(line)
        if "error" in said:
            raise BlenderError(said["error"])
        return said["answer"]

    def wait(self, expression: str, seconds: float = 60, space: str = "") -> None:
        """Returns once the expression is true inside Blender. Raises TimeoutError, or BlenderError where it ended."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            if not self.alive:
                raise BlenderError(f"Blender ended with {self._blender.returncode}; its log:\n{self.log()}")
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):  # it is still starting
                if self.run(f"answer = bool({expression})", space):
                    return
            time.sleep(0.1)
        raise TimeoutError(f"Not so within {seconds} s: {expression}; Blender's log:\n{self.log()}")

    def settle(self, ticks: int = 3) -> None:
        """Returns when Blender has taken notice of the events before, and drawn."""
        for _ in range(ticks):
            self.run("")

    def gaps(self) -> list[float]:
        """Seconds between the ticks of a timer of 0.02 s since this was asked last. The longest is how long Blender
        stood still; drawing and what `run` and `wait` did are among them."""
        return self.run("answer = gaps[:]; gaps.clear()")

    def pixels(self, image: str) -> np.ndarray:
        """uint8 (H, W, 4) of an image by name, top row first."""
        path = self.folder / "pixels.npy"
        self.run(
            f"image = bpy.data.images[{image!r}]\n"
            "flat = np.empty(image.size[0] * image.size[1] * 4, np.float32)\n"
            "image.pixels.foreach_get(flat)\n"
            f"np.save({str(path)!r}, np.rint(255 * flat).astype(np.uint8).reshape(image.size[1], -1, 4)[::-1])"
        )
        return np.load(path)

    def log(self) -> str:
        """What Blender wrote to its console."""
        return (self.folder / "log.txt").read_text(errors="replace")

    # Screen, mouse, keyboard

    def picture(self) -> np.ndarray:
        """The whole screen: uint8 (H, W, 3)."""
        return self._screen.picture()

    def screenshot(self, path: Path) -> None:
        """Writes the whole screen as PNG, once what happened before is drawn."""
        time.sleep(0.5)
        self.settle()
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(self._screen.picture()).save(path)

    def move(self, x: float, y: float) -> None:
        self._screen.xdotool("mousemove", round(x), round(y))

    def resize(self, width: int, height: int) -> None:
        """Makes Blender's window smaller than the screen, or as large again."""
        name = self._screen.xdotool("search", "--onlyvisible", "--class", "blender").split()[0]
        self._screen.xdotool("windowsize", "--sync", name, width, height)
        self.settle(20)

    def click(self, x: float, y: float, button: str = "left") -> None:
        self.move(x - 3, y)  # Blender takes notice of a button when the mouse moves on it
        self.move(x, y)
        self.settle()
        self._screen.xdotool("mousedown", BUTTONS[button], "sleep", 0.05, "mouseup", BUTTONS[button])
        self.settle()

    def drag(self, places: list[Point]) -> None:
        """Presses the left button at the first place and lets it go at the last."""
        self.move(*places[0])
        self.settle()
        self._screen.xdotool("mousedown", BUTTONS["left"])
        for place in places[1:]:
            self.move(*place)
            self.settle(1)
        self._screen.xdotool("mouseup", BUTTONS["left"])
        self.settle()

    def key(self, name: str) -> None:
        """Presses a key where the mouse is, by X's name of it: "Escape", "ctrl+z"."""
        self._screen.xdotool("key", name)
        self.settle()

    def type(self, text: str) -> None:
        """Types a text where the mouse is."""
        self._screen.xdotool("type", "--delay", 30, text)
        self.settle()

    # The sidebar and its buttons

    def sidebar(self, space: str, tab: str = "Texture Synthesis", width: int = 320) -> None:
        """Opens a tab of a space's sidebar, and drags its edge until it is so wide at least."""
        code = SIDEBAR.format(space=space)
        self.run(f"{code}\narea.spaces.active.show_region_ui = True")
        self.settle()
        self.run(f"{code}\nregion.active_panel_category = {tab!r}")
        self.settle()
        left, bottom, now, height, *_ = self._place(space)
        y = SIZE[1] - (bottom + height - 60)  # beside a panel: where nothing is drawn, the mouse goes through
        if now < width:
            self.drag([(left, y), (left - 20, y), (left - (width - now), y)])

    def find(self, idname: str, space: str = "NODE_EDITOR", having: str = "") -> Point:
        """Where an operator's button is in a space's sidebar, which is scrolled if need be. Raises LookupError.

        having: what the button's command holds, where an operator has several. Blender tells of no button where it
        is, only the command of the one under the mouse: so the mouse goes over all of the sidebar that is not empty.
        Takes seconds, for narrow buttons or none a minute; a fraction of a second for what was seen before.
        """
        found = self._found.setdefault(space, {})

        def fits(command: str) -> bool:
            return command.startswith(f"bpy.ops.{idname}(") and having in command

        for command in [command for command in found if fits(command)]:
            place = self._scrolled_to(space, found[command])
            if fits(self._hovered(space, place)):
                return place
            del found[command]  # the panel has changed since
        left, bottom, width, height, _, scale = self._place(space)
        step = 18 * scale  # a button is 20 high, and no less wide
        rows = np.arange(step / 2, height, step)
        every = np.arange(width - 40 * scale, 0, -step)  # the tabs are right of these
        for columns in ([width / 2], [width - 3 * step, 2 * step], every):  # most buttons are wide
            self._scroll(space, -100)
            while True:
                below = self._place(space)[4]
                self.settle()
                picture = self._screen.picture()
                for row, column in itertools.product(rows, columns):
                    place = left + column, SIZE[1] - (bottom + height - row)
                    if _empty(picture, place, left + 12 * scale, step):
                        continue
                    if command := self._hovered(space, place):
                        found.setdefault(command, (column, below + height - row))
                        if fits(command) and fits(self._hovered(space, place)):
                            return place
                if not self._scroll(space, int(0.8 * height / (LINE * scale))):
                    break
        raise LookupError(f"No button of {idname} with {having!r} among {sorted(found)}")

    def _place(self, space: str) -> list[float]:
        """Of a sidebar: left, bottom (from the screen's bottom), width, height, its view's lowest y, the scale."""
        return self.run(SIDEBAR.format(space=space) + PLACE)

    def _hovered(self, space: str, place: Point) -> str:
        self.move(*place)
        self.settle(1)
        return self.run(SIDEBAR.format(space=space) + HOVERED) or ""

    def _scroll(self, space: str, lines: int) -> bool:
        """Turns the mouse wheel over a sidebar, downwards if lines > 0. False where that moved nothing."""
        left, bottom, width, height, before, _ = self._place(space)
        self.move(left + width / 2, SIZE[1] - (bottom + height / 2))
        self._screen.xdotool(
            "click", "--repeat", max(1, abs(lines)), "--delay", 5, BUTTONS["down" if lines > 0 else "up"]
        )
        self.settle()
        return self._place(space)[4] != before

    def _scrolled_to(self, space: str, place: Point) -> Point:
        """Where on the screen a place in a sidebar's view is, after scrolling to it."""
        for _ in range(5):
            left, bottom, _, height, below, scale = self._place(space)
            up = place[1] - below
            if 20 < up < height - 20 or not self._scroll(space, int((height / 2 - up) / (LINE * scale))):
                break
        return left + place[0], SIZE[1] - (bottom + up)

    # The end

    @property
    def alive(self) -> bool:
        return self._blender.poll() is None

    def quit(self, seconds: float = 30) -> int:
        """Tells Blender to quit. Its exit code."""
        self.run("bpy.ops.wm.quit_blender()")
        return self._blender.wait(seconds)

    def close(self) -> None:
        """Ends Blender, if it runs still, and the screen. May be called again."""
        self._blender.kill()
        self._blender.wait()
        self._screen.close()
        self._log.close()

    def left(self) -> bool:
        """Whether a process that Blender started has outlived it. Asked after `close`."""
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:  # one that has ended
                pass
        except ChildProcessError:  # there is none
            return False
        return True


def _empty(picture: np.ndarray, place: Point, margin: float, size: float) -> bool:
    """Whether around a place there is nothing but a panel's background, as in the panel's margin beside the place."""
    x, y, half = round(place[0]), round(place[1]), int(size / 2)
    return bool((picture[y - half : y + half, x - half : x + half] == picture[y, round(margin)]).all())
