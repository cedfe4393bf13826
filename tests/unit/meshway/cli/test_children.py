"""Children are started again when they die, told once, and stopped in time."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from meshway.cli.children import Child, ChildFailed, ending
from meshway.tasks import spawn
from tests.parts.conditions import until

READY = "import pathlib, sys, time; print('hello'); pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"


class Watched:
    """A child that touches a file when it is ready, and what was said of it."""

    def __init__(self, folder: Path, code: str = READY) -> None:
        self.mark = folder / "ready"
        self.said: list[str] = []
        self.child = Child(
            "plane", lambda: [sys.executable, "-uc", code, str(self.mark)], self.is_ready, self.said.append
        )

    async def is_ready(self) -> bool:
        return self.mark.exists()


async def test_output_is_prefixed_with_the_childs_name(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    await watched.child.start()
    await watched.child.stop(5.0)
    assert watched.said[0] == "plane    | hello"


async def test_a_child_is_out_of_reach_of_ctrl_c_and_shares_the_processors_with_whoever_started_it(
    tmp_path: Path,
) -> None:
    watched = Watched(tmp_path)
    await watched.child.start()
    pid = watched.child.pid
    assert os.getpgid(pid) == pid
    assert os.getsid(pid) == os.getsid(0)
    await watched.child.stop(5.0)


async def test_a_dead_child_is_started_again(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    restarts: list[int] = []
    await watched.child.start()
    keeper = spawn(watched.child.keep(lambda: restarts.append(watched.child.pid)), name="keep")
    first = watched.child.pid
    watched.mark.unlink()
    os.kill(first, signal.SIGKILL)
    await until(lambda: restarts, what="restarted")
    assert restarts[0] != first
    assert f"plane (pid {first}) ended: SIGKILL; starting it again" in watched.said
    await watched.child.stop(5.0)
    await keeper


async def test_a_child_that_ends_before_it_is_ready_has_failed(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "raise SystemExit(5)")
    with pytest.raises(ChildFailed) as failed:
        await watched.child.start()
    assert failed.value.code == 5
    assert str(failed.value) == "plane ended: exit code 5"


async def test_one_that_does_not_stop_is_told_twice_and_then_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshway.cli.children._AT_ONCE_S", 0.2)
    watched = Watched(tmp_path, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY)
    await watched.child.start()
    pid = watched.child.pid
    async with asyncio.timeout(10):
        await watched.child.stop(0.2)
    assert any("did not stop" in line for line in watched.said)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_endings_are_named() -> None:
    assert (ending(-9), ending(3)) == ("SIGKILL", "exit code 3")
