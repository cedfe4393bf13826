"""Background tasks live until they are done, and a crash in one is told."""

import asyncio
import gc
import logging

import pytest

from meshway.tasks import spawn


async def test_a_task_nobody_holds_runs_to_its_end() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0)
        gc.collect()
        ended.set()

    spawn(work(), name="work")
    await asyncio.wait_for(ended.wait(), 2)


async def test_a_crash_is_logged_with_the_name_of_the_task(caplog: pytest.LogCaptureFixture) -> None:
    async def crash() -> None:
        raise RuntimeError("boom")

    task = spawn(crash(), name="the sweeper")
    await asyncio.wait([task], timeout=2)
    await asyncio.sleep(0)
    assert "the sweeper" in caplog.text
    assert "boom" in caplog.text


async def test_a_cancelled_task_is_no_crash(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    task = spawn(asyncio.sleep(60), name="sleeper")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=2)
    assert caplog.text == ""
