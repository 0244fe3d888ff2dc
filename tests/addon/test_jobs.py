"""Jobs in the worker process, apart from the operators: kept for the next, cancelled, killed; and work in a thread."""

from __future__ import annotations

import importlib
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from .conftest import MODULE, picture


@pytest.fixture
def jobs(extension: ModuleType) -> Iterator[ModuleType]:
    """The module, and no worker before or after."""
    module = importlib.import_module(f"{MODULE}.jobs")
    module.release()
    yield module
    module.release()


def python(jobs: ModuleType, folder: Path, idle: float = 60) -> Any:
    return jobs.Python((sys.executable, "-I"), dict(os.environ), idle, str(folder))


def job(jobs: ModuleType, folder: Path, idle: float = 60, side: int = 40, **options: Any) -> Generator:
    spec = importlib.import_module(f"{MODULE}.otsynth_core.spec")
    maps = importlib.import_module(f"{MODULE}.otsynth_core.maps")
    request = spec.Synthesize(size=spec.Size(side, side), device="numpy")
    return jobs.run(python(jobs, folder, idle), request, {"wall": maps.Map(picture(40, 48, 3))}, **options)


def ended(work: Generator) -> Any:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def first_step(work: Generator) -> Any:
    return next(step for step in work if step is not None)


def pid(jobs: ModuleType) -> int:
    return jobs._waiting[0].process.pid


def test_the_worker_waits_for_another_job(jobs: ModuleType, tmp_path: Path) -> None:
    one = ended(job(jobs, tmp_path))
    first = pid(jobs)
    assert jobs.waits()
    two = ended(job(jobs, tmp_path))
    assert pid(jobs) == first
    np.testing.assert_array_equal(one.images["wall"], two.images["wall"])
    assert not list(tmp_path.iterdir())
    jobs.release()
    assert not jobs.waits()
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_a_worker_of_another_python_is_sent_away(jobs: ModuleType, tmp_path: Path) -> None:
    ended(job(jobs, tmp_path))
    first = pid(jobs)
    ended(job(jobs, tmp_path, idle=30))
    assert pid(jobs) != first
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_without_idle_time_it_does_not_wait(jobs: ModuleType, tmp_path: Path) -> None:
    ended(job(jobs, tmp_path, idle=0))
    assert not jobs.waits()


def test_a_worker_that_left_meanwhile_is_replaced(jobs: ModuleType, tmp_path: Path) -> None:
    ended(job(jobs, tmp_path, idle=0.2))
    jobs._waiting[0].process.wait(5)
    assert not jobs.waits()
    assert ended(job(jobs, tmp_path, idle=0.2)).images


def test_a_worker_that_leaves_just_when_it_is_asked_is_replaced(
    jobs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(job(jobs, tmp_path, idle=0.3))
    worker = jobs._waiting[0]
    worker.process.wait(5)
    assert worker.said.get(timeout=5) is None
    monkeypatch.setattr(worker.process, "poll", lambda: None)  # which is not known yet
    threading.Timer(0.2, worker.said.put, [None]).start()
    assert ended(job(jobs, tmp_path, idle=0.3)).images
    assert pid(jobs) != worker.process.pid


@pytest.mark.parametrize("after", ["start", "step"])
def test_to_close_is_to_cancel_and_leaves_nothing(jobs: ModuleType, tmp_path: Path, after: str) -> None:
    work = job(jobs, tmp_path, side=4096)
    if after == "step":
        first_step(work)
    else:
        next(work)
    start = time.monotonic()
    work.close()
    assert time.monotonic() - start < 0.5
    assert not jobs.waits()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_killed_in_the_middle(jobs: ModuleType, tmp_path: Path) -> None:
    ended(job(jobs, tmp_path))
    process = pid(jobs)
    work = job(jobs, tmp_path, side=2048)
    first_step(work)
    os.kill(process, signal.SIGKILL)
    with pytest.raises(jobs.JobError, match="was killed, by the system or by someone. Nothing was changed"):
        ended(work)
    assert not jobs.waits()
    assert not list(tmp_path.iterdir())


def test_previews_come_and_leave_no_file(jobs: ModuleType, tmp_path: Path) -> None:
    work = job(jobs, tmp_path, side=400, preview=True)
    shown = [step.preview for step in work if step is not None and step.preview is not None]
    assert shown
    assert all(one.dtype == np.uint8 for one in shown)
    assert not list(tmp_path.iterdir())


def test_look(jobs: ModuleType, tmp_path: Path) -> None:
    found = ended(jobs.look(python(jobs, tmp_path)))
    assert found["numpy"]
    assert found["kernels"][-1]["name"] in ("numpy", "numba", "torch")


class Odd(Exception):
    pass


def aside(work: Generator) -> Generator:
    return importlib.import_module(f"{MODULE}.background").aside(work)


def test_aside_tells_all_and_returns_the_end(extension: ModuleType) -> None:
    threads = set()

    def work() -> Generator:
        for n in range(5):
            threads.add(threading.get_ident())
            yield n
            yield None
        return "end"

    told: list = []

    def listened() -> Generator:
        told.append((yield from aside(work())))

    assert [step for step in listened() if step is not None] == list(range(5))
    assert told == ["end"]
    assert threads.isdisjoint({threading.get_ident()})


def test_aside_hands_an_error_on_after_what_came_before(extension: ModuleType) -> None:
    def work() -> Generator:
        yield 1
        raise Odd

    doing = aside(work())
    assert first_step(doing) == 1
    with pytest.raises(Odd):
        ended(doing)


def test_to_close_aside_closes_the_work_in_its_thread(extension: ModuleType) -> None:
    closed = []

    def work() -> Generator:
        try:
            while True:
                time.sleep(0.02)
                yield None
        finally:
            closed.append(threading.get_ident())

    doing = aside(work())
    assert next(doing) is None
    doing.close()
    assert closed
    assert closed[0] != threading.get_ident()


def test_a_worker_that_refuses_the_input_is_kept(jobs: ModuleType, tmp_path: Path) -> None:
    spec = importlib.import_module(f"{MODULE}.otsynth_core.spec")
    maps = importlib.import_module(f"{MODULE}.otsynth_core.maps")
    ended(job(jobs, tmp_path))
    first = pid(jobs)
    request = spec.Tile(size=spec.SNAP, device="numpy")
    with pytest.raises(spec.InputError, match="repeats along neither axis"):
        ended(jobs.run(python(jobs, tmp_path), request, {"wall": maps.Map(picture(40, 48, 3))}))
    assert pid(jobs) == first
    assert not list(tmp_path.iterdir())


def test_an_answer_that_lacks_something_is_told(jobs: ModuleType, tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\nprint(json.dumps({{'is': 'ready', 'protocol': 6}}), flush=True)\n"
        "sys.stdin.readline()\nprint(json.dumps({'is': 'step'}), flush=True)\nsys.stdin.readline()\n"
    )
    program.chmod(0o755)
    chosen = jobs.Python((str(program),), dict(os.environ), 60, str(tmp_path))
    with pytest.raises(jobs.JobError, match="cannot be used"):
        ended(jobs.look(chosen))
    assert not jobs.waits()


def test_what_libraries_print_is_no_message(jobs: ModuleType, tmp_path: Path) -> None:
    """Even while they are imported."""
    real = Path(platform.__file__)
    (tmp_path / "platform.py").write_text("import os\nos.write(1, b'noise')\n" + real.read_text("utf-8"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    work = jobs.look(jobs.Python((sys.executable,), environment, 60, str(tmp_path)))
    assert ended(work)["python"] == platform.python_version()
