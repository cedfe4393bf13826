"""SIGTERM is taken for draining, and given back."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from meshway.client import AsyncMesh, Mesh, MeshSettings
from tests.parts.conditions import until, wait_until

AWAY = MeshSettings(registry="http://127.0.0.1:1")


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[int]]:
    """What the server's own handler got."""
    monkeypatch.setenv("MESHWAY_RUNTIME_DIR", str(tmp_path))
    numbers: list[int] = []

    def server_handler(number: int, frame: FrameType | None) -> None:
        numbers.append(number)

    before = signal.signal(signal.SIGTERM, server_handler)
    yield numbers
    signal.signal(signal.SIGTERM, before)


async def test_the_servers_own_handler_follows_the_draining(received: list[int]) -> None:
    async with AsyncMesh(AWAY).register("a", 80) as me:
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: received == [signal.SIGTERM], 5)
        assert me.status().state == "draining"
    assert me.status().state == "gone"


async def test_handlers_that_leave_in_another_order_than_they_came_do_no_harm(received: list[int]) -> None:
    mesh = AsyncMesh(AWAY)
    first, second = mesh.register("a", 80), mesh.register("b", 81)
    await first.__aenter__()
    await second.__aenter__()
    await first.__aexit__(None, None, None)
    await second.__aexit__(None, None, None)
    signal.raise_signal(signal.SIGTERM)
    assert received == [signal.SIGTERM]


def test_a_script_drains_in_the_background_and_then_ends_as_it_would(received: list[int]) -> None:
    with Mesh(AWAY).register("a", 80) as me:
        signal.raise_signal(signal.SIGTERM)
        wait_until(lambda: received == [signal.SIGTERM], 5)
        assert me.status().state == "draining"
    assert me.status().state == "gone"
    signal.raise_signal(signal.SIGTERM)
    assert received == [signal.SIGTERM] * 2


def test_outside_the_main_thread_signals_are_left_alone(received: list[int]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[bool] = []

    async def run() -> None:
        async with AsyncMesh(AWAY).register("a", 80):
            seen.append(signal.getsignal(signal.SIGTERM) is before)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    thread.join(10)
    assert seen == [True]
