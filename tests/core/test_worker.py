"""The worker as a process: what it says to what it is asked, and that it is gone when it should be."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import otsynth_core
from otsynth_core import worker as worker_module
from otsynth_core.spec import PROTOCOL, Synthesize, Tile, to_json

from ..conftest import ROOT

START = """
import os, sys
answers = os.dup(1)
os.dup2(2, 1)
sys.path.insert(0, sys.argv[1])
from otsynth_core import worker
worker.serve(answers, float(sys.argv[2]))
"""


class Worker:
    def __init__(self, idle: float = 60, before: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", before + START, str(ROOT), str(idle)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def heard(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def asked(self, **message: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def last(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The answer, and the steps before it."""
        steps = []
        while (message := self.heard())["is"] == "step":
            steps.append(message)
        return message, steps


@pytest.fixture
def worker() -> Iterator[Worker]:
    one = Worker()
    assert one.heard() == {"is": "ready", "protocol": PROTOCOL}
    yield one
    one.process.kill()
    one.process.communicate()


def picture(side: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.rint(127 + 40 * rng.standard_normal((side, side + 4, 3))).clip(0, 255).astype(np.uint8)


def run(folder: Path, side: int = 32, preview: bool = False, **changed: Any) -> dict[str, Any]:
    """The message of a small job."""
    np.save(folder / "in.npy", picture(side))
    given = {"name": "a", "file": str(folder / "in.npy"), "role": "color", "linear": False, "associated": False}
    return {
        "do": "run",
        "request": to_json(Tile(device="numpy", seed=3)),
        "maps": [{**given, "result": str(folder / "out.npy"), **changed.pop("map", {})}],
        "mask": None,
        "source": None,
        "other": [],
        "amount": None,
        "folder": str(folder),
        "preview": preview,
        **changed,
    }


def test_a_job_is_the_cores_own_and_another_can_follow(worker: Worker, tmp_path: Path) -> None:
    wanted = otsynth_core.tile(picture(32), seed=3, device="numpy").image
    for _ in (0, 1):
        worker.asked(**run(tmp_path))
        done, steps = worker.last()
        assert done["is"] == "done"
        assert done["report"]["seed"] == 3
        np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), wanted)
        (tmp_path / "out.npy").unlink()
        assert [step["fraction"] for step in steps] == sorted(step["fraction"] for step in steps)
        assert all(step["preview"] is None for step in steps)


def test_previews_grow_from_coarse_to_fine(worker: Worker, tmp_path: Path) -> None:
    request = to_json(Synthesize(size=(640, 600), device="cpu"))  # type: ignore[arg-type]
    worker.asked(**run(tmp_path, side=100, preview=True, request=request))
    done, steps = worker.last()
    assert done["is"] == "done"
    shown = [step["preview"] for step in steps if step["preview"]]
    pictures = [np.load(preview["file"]) for preview in shown]
    assert len(pictures) >= 2
    assert all(preview["place"] == [0, 0, 1, 1] for preview in shown)
    assert all(one.dtype == np.uint8 and one.shape[2] == 3 and max(one.shape) <= 512 for one in pictures)
    widths = [one.shape[1] for one in pictures]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]
    assert abs(pictures[-1].mean() - picture(100).mean()) < 3


def test_what_is_found(worker: Worker) -> None:
    worker.asked(do="look")
    found = worker.heard()
    assert found["is"] == "found"
    assert found["numpy"] == np.__version__
    assert found["python"] == sys.version.split()[0]
    assert found["kernels"][-1]["name"] == otsynth_core.tile(picture(16), device="cpu").report()["device"]
    if sys.platform == "linux":
        assert 2**20 < found["kernels"][-1]["free"] < 2**45


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"do": "dance"}, "input", "'dance' is not known"),
        ({"request": {"task": "tile", "seed": -1}}, "input", "seed is -1"),
        ({"map": {"role": "smell"}}, "input", "role is 'smell'"),
        ({"map": {"file": "absent.npy"}}, "failed", "FileNotFoundError"),
        ({"map": {"result": "full.npy"}}, "disk", "temporary files is full"),
    ],
)
def test_errors_are_told_and_the_worker_goes_on(
    worker: Worker, tmp_path: Path, changed: dict, code: str, words: str
) -> None:
    if code == "disk":
        if not Path("/dev/full").exists():
            pytest.skip("there is no device that is always full")
        (tmp_path / "full.npy").symlink_to("/dev/full")
        changed = {"map": {"result": str(tmp_path / "full.npy")}}
    worker.asked(**run(tmp_path, **changed))
    error, _ = worker.last()
    assert (error["is"], error["code"]) == ("error", code)
    assert words in error["message"]
    worker.asked(**run(tmp_path))
    assert worker.last()[0]["is"] == "done"


def test_no_memory_left(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    limit = "import resource, numpy; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n"
    worker = Worker(before=limit)
    worker.heard()
    request = to_json(Synthesize(size=(16384, 16384), device="numpy"))  # type: ignore[arg-type]
    worker.asked(**run(tmp_path, request=request))
    error, _ = worker.last()
    assert (error["code"], error["hint"]) == ("memory", "Choose a smaller size or another device")
    worker.process.kill()
    worker.process.communicate()


def test_it_leaves_when_nothing_is_asked() -> None:
    worker = Worker(idle=0.5)
    worker.heard()
    assert worker.process.wait(5) == 0
    worker.process.communicate()


def test_it_leaves_when_who_asked_is_gone_and_takes_the_files_along(worker: Worker, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    request = to_json(Synthesize(size=(4096, 4096), device="numpy"))  # type: ignore[arg-type]
    worker.asked(**run(folder, side=128, request=request))
    assert worker.heard()["is"] == "step"
    assert worker.process.stdin is not None
    start = time.monotonic()
    worker.process.stdin.close()
    assert worker.process.wait(5) == 0
    assert time.monotonic() - start < 2
    assert not folder.exists()
    worker.process.stdin = None


def test_what_is_no_message_is_refused_in_words() -> None:
    told = worker_module._answer("[1]\n", io.StringIO(), [])
    assert (told["code"], told["message"]) == ("input", "message [1] is no object")
