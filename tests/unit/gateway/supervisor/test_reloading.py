"""Workers that take the place of workers, at the end of their supervisor."""

import asyncio
import logging
import socket

import pytest

from gateway.supervisor.reloading import Reloading
from gateway.supervisor.slot import Slot
from gateway.supervisor.worker_process import WorkerProcess
from tests.parts.conditions import until


class Ended(WorkerProcess):
    """One whose process is gone before it was ready."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.ready.set()
        self.is_ready = False


@pytest.mark.parametrize("is_stopped", [True, False])
async def test_a_worker_that_ends_unready_is_told_of_unless_all_are_ending(
    is_stopped: bool, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[bool] = []
    is_ending = False

    async def start(_: Slot) -> WorkerProcess:
        nonlocal is_ending
        is_ending = is_stopped  # while it starts
        return Ended()

    slot = Slot(0, dict[str, socket.socket]())
    slot.current = Ended()
    reloading = Reloading([slot], 1.0, start, lambda: is_ending, lambda: None, lambda: ended.append(True))
    with caplog.at_level(logging.ERROR):
        reloading.want()
        await until(lambda: bool(ended), 5.0)
    assert [record.getMessage() for record in caplog.records] == (
        [] if is_stopped else ["slot 0 keeps its worker: the new one ended before it was ready"]
    )
