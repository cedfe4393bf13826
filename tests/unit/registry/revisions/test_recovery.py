from __future__ import annotations

import asyncio

import pytest

from meshway.tasks import spawn
from registry.revisions import recovery
from registry.revisions.recovery import Recovery
from tests.parts.conditions import until
from tests.parts.fake_store import FakeStore


async def test_a_store_that_takes_writes_is_left_alone_and_another_tried_until_it_does(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recovery, "_EVERY_S", 0.0)
    store = FakeStore()
    running = spawn(Recovery(store).run(), name="recovery")
    for _ in range(20):
        await asyncio.sleep(0)
    assert store.tried == 0
    store.cannot_compact, store.trouble = True, "disk full"
    await until(lambda: store.tried > 5)
    assert caplog.records == []
    store.cannot_compact = False
    await until(lambda: store.trouble is None)
    assert [record.message for record in caplog.records] == ["the store takes writes again"]
    tried = store.tried
    for _ in range(20):
        await asyncio.sleep(0)
    assert store.tried == tried
    running.cancel()
