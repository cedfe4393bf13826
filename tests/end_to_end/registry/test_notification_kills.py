"""The registry is killed between an alert and its message, and while it tries to send: the message comes."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

from registry.alerts.records import AlertState, packed
from registry.store.alerts import put_state
from registry.store.notifications import leave_in_inbox
from registry.store.sqlite import SqliteStore
from tests.parts.alerts import firing, listening, resolved
from tests.parts.conditions import until
from tests.parts.planes import Registry


async def _written(folder: Path, alert: AlertState) -> None:
    """What is in the store when a registry dies right after the transaction of an alert's transition."""
    store = SqliteStore(folder)
    try:
        steps = [put_state(alert.id, alert.state, alert.updated_at, packed(alert))]
        if alert.resolved_at is not None:
            steps.append(leave_in_inbox(alert.id, alert.resolved_at, packed(alert)))
        await store.do(steps)
    finally:
        await store.close()


async def test_no_kill_loses_a_message(tmp_path: Path) -> None:
    async with listening() as hook:
        registry = await asyncio.to_thread(Registry, tmp_path)
        try:
            spec = {"webhook": {"url": hook.url}, "group_wait": "0s", "group_interval": "1s"}
            body = {"kind": "Receiver", "metadata": {"name": "oncall", "namespace": "shop"}, "spec": spec}
            await asyncio.to_thread(registry.client.put, "/v1/namespaces/shop/receivers/oncall", json=body)

            alert = firing(at=time.time() - 5.0)
            await asyncio.to_thread(_killed, registry)
            await _written(registry.data, alert)  # fired, and not looked at
            hook.answers = [500, 500, 500]
            await asyncio.to_thread(registry.start)
            await until(lambda: len(hook.posted) >= 2, within_s=30.0)  # between two tries

            await asyncio.to_thread(_killed, registry)
            tried, hook.answers = len(hook.posted), []
            await _written(registry.data, resolved(alert, time.time()))
            await asyncio.to_thread(registry.start)
            await until(lambda: len(hook.posted) > tried, within_s=30.0)
        finally:
            await asyncio.to_thread(registry.close)
    first, last = hook.posted[0].body, hook.posted[tried].body
    assert [each["status"] for each in first["alerts"]] == ["firing"]
    assert [each["status"] for each in last["alerts"]] == ["resolved"]
    assert first["alerts"][0]["fingerprint"] == last["alerts"][0]["fingerprint"] == alert.fingerprint


def _killed(registry: Registry) -> None:
    registry.process.send(signal.SIGKILL)
    registry.process.popen.wait(20)
