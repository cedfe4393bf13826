"""Sister processes agree by file locks who holds the lease, and the last one out is told so."""

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from meshway.client.sharing import Alone, FileShare, join_share
from tests.parts.conditions import wait_until

SPAWN = multiprocessing.get_context("spawn")


def sister(folder: str, pipe: Connection) -> None:
    share = FileShare(Path(folder), "k")
    for command in iter(pipe.recv, "end"):
        if command == "hold":
            pipe.send(share.hold())
        elif command == "leave":
            pipe.send(share.leave())
        else:
            share.write_lease(command)
            pipe.send(None)


@pytest.fixture
def start_sister(tmp_path: Path):  # type: ignore[no-untyped-def]
    started = []

    def start() -> tuple[int, Connection]:
        ours, theirs = SPAWN.Pipe()
        process = SPAWN.Process(target=sister, args=(str(tmp_path), theirs), daemon=True)
        process.start()
        started.append(process)
        assert process.pid is not None
        return process.pid, ours

    yield start
    for process in started:
        process.kill()
        process.join(5)


def ask(pipe: Connection, command: str) -> object:
    pipe.send(command)
    assert pipe.poll(10)
    return pipe.recv()


def test_one_holds_and_another_takes_over_with_the_lease_when_it_is_killed(tmp_path: Path, start_sister) -> None:  # type: ignore[no-untyped-def]
    pid, pipe = start_sister()
    assert ask(pipe, "hold") is True
    ask(pipe, "lease-1")
    own = FileShare(tmp_path, "k")
    assert not own.hold()
    os.kill(pid, signal.SIGKILL)
    wait_until(own.hold, 5)
    assert own.read_lease() == "lease-1"
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # its locks go one after the other
    assert own.leave()


def test_only_the_last_one_out_ends_the_registration(tmp_path: Path, start_sister) -> None:  # type: ignore[no-untyped-def]
    _, pipe = start_sister()
    assert ask(pipe, "hold") is True
    own = FileShare(tmp_path, "k")
    assert ask(pipe, "leave") is False
    assert own.hold()
    assert own.leave()


def test_a_lease_left_by_a_crash_is_not_taken_up_by_a_later_start(tmp_path: Path, start_sister) -> None:  # type: ignore[no-untyped-def]
    pid, pipe = start_sister()
    assert ask(pipe, "hold") is True
    ask(pipe, "lease-1")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    later = FileShare(tmp_path, "k")
    assert later.hold()
    assert later.read_lease() is None


def test_a_forked_child_does_not_let_go_of_its_parents_locks(tmp_path: Path, start_sister) -> None:  # type: ignore[no-untyped-def]
    own = FileShare(tmp_path, "k")
    assert own.hold()
    child = os.fork()
    if child == 0:
        own.abandon()
        os._exit(0)
    os.waitpid(child, 0)
    _, pipe = start_sister()
    assert ask(pipe, "hold") is False


def test_other_registrations_are_not_concerned(tmp_path: Path) -> None:
    one, other = FileShare(tmp_path, "k"), FileShare(tmp_path, "l")
    assert one.hold()
    assert other.hold()


def test_without_a_folder_to_lock_in_a_process_is_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MESHWAY_RUNTIME_DIR", str(tmp_path / "file"))
    share = join_share("k")
    assert isinstance(share, Alone)
    assert share.hold()
    assert share.leave()
