"""A service manager's end by hand: what it hears, and that nothing is said where there is none."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from gateway.supervisor.service_manager import Manager, ServiceManager, manager_of


@pytest.fixture
def ear(tmp_path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(str(tmp_path / "notify"))
    listening.settimeout(5.0)
    return listening


def heard(ear: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in ear.recv(4096).decode().split("\n"))


def test_it_is_told_of_each_turn_of_a_life(ear: socket.socket) -> None:
    manager = ServiceManager(Manager(ear.getsockname()))
    manager.ready("edge http://127.0.0.1:1")
    assert heard(ear) == {"READY": "1", "MAINPID": str(os.getpid()), "STATUS": "edge http://127.0.0.1:1"}
    manager.reloading()
    said = heard(ear)
    assert said["RELOADING"] == "1"
    assert int(said["MONOTONIC_USEC"]) > 0
    manager.stopping()
    assert heard(ear)["STOPPING"] == "1"
    ear.close()
    manager.stopping()  # it is gone, which is nobody's fault


@pytest.mark.parametrize("pid", [17, 0])
async def test_whose_place_is_taken_says_so_and_nothing_more(ear: socket.socket, pid: int) -> None:
    manager = ServiceManager(Manager(ear.getsockname(), 0.02))
    manager.succeeded_by(pid)
    if pid:
        assert heard(ear) == {"MAINPID": "17"}
    manager.ready("at r7")  # a reload was under way
    manager.reloading()
    await asyncio.wait_for(manager.watch(), 5.0)
    ear.setblocking(False)
    with pytest.raises(BlockingIOError):
        ear.recv(4096)


async def test_signs_of_life_come_twice_as_often_as_they_are_wanted(ear: socket.socket) -> None:
    manager = ServiceManager(Manager())
    await asyncio.wait_for(manager.watch(), 5.0)  # nobody wants any
    manager.inherit(Manager(ear.getsockname(), 0.1))
    watching = asyncio.ensure_future(manager.watch())  # noqa: TID251
    began = asyncio.get_running_loop().time()
    for _ in range(4):
        assert await asyncio.to_thread(heard, ear) == {"WATCHDOG": "1"}
    watching.cancel()
    assert asyncio.get_running_loop().time() - began >= 0.14


@pytest.mark.parametrize(
    ("environ", "manager"),
    [
        ({}, Manager()),
        ({"NOTIFY_SOCKET": "/run/n"}, Manager("/run/n")),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "3000000"}, Manager("@n", 3.0)),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, Manager("/n", 3.0)),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}, Manager("/n")),
        ({"NOTIFY_SOCKET": "vsock:2:1", "WATCHDOG_USEC": "soon"}, Manager()),
    ],
)
def test_what_the_environment_says_of_this_process(environ: dict[str, str], manager: Manager) -> None:
    assert manager_of(environ, 7) == manager


def test_a_name_behind_an_at_is_of_no_file() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        name = f"meshway-test-{os.getpid()}"
        ear.bind(f"\0{name}")
        ear.settimeout(5.0)
        ServiceManager(Manager(f"@{name}")).stopping()
        assert heard(ear)["STOPPING"] == "1"


def test_who_was_told_itself_goes_by_that() -> None:
    manager = ServiceManager(Manager("/mine"))
    manager.inherit(Manager("/theirs", 2.0))
    assert manager.manager == Manager("/mine", 2.0)
