"""Watch and feed over real sockets: every revision once, in order, across reconnects."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from meshway.snapshot import AnyFrame, Delta, FrameReader, Hello, Reset, Snapshot, SnapshotEnd, Tick
from registry.machine import watch as watch_module
from tests.parts.conditions import until
from tests.parts.registry_wire import RawClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.parts.registry import RunningRegistry


class Events:
    """Server-sent events as a browser reads them: last_id moves with every `id:` line at a blank line."""

    def __init__(self, client: RawClient) -> None:
        self._client = client
        self._text = ""
        self.last_id = ""
        self.comments = 0

    async def next(self, within_s: float = 10.0) -> tuple[str, Any]:
        """The next event with data."""
        async with asyncio.timeout(within_s):
            while True:
                while "\n\n" not in self._text:
                    self._text += (await self._client.piece(within_s)).decode()
                block, _, self._text = self._text.partition("\n\n")
                name, data = "message", ""
                for line in block.split("\n"):
                    field, _, value = line.partition(": ")
                    if field == "event":
                        name = value
                    elif field == "data":
                        data += value
                    elif field == "id":
                        self.last_id = value
                    elif line.startswith(":"):
                        self.comments += 1
                if data:
                    return name, json.loads(data)


async def _events(client: RawClient, query: str = "", *lines: str) -> Events:
    client.send("GET", f"/v1/watch{query}", None, *lines)
    head = await client.head()
    assert (head.status, head.headers["content-type"]) == (200, "text/event-stream")
    return Events(client)


async def test_a_watcher_gets_a_snapshot_then_every_change(registry: RunningRegistry) -> None:
    await registry.register("books", "a")
    async with RawClient(registry.port) as client:
        events = await _events(client)
        name, data = await events.next()
        assert (name, data["revision"], len(data["changes"])) == ("snapshot", 1, 1)
        assert data["changes"][0]["value"]["id"] == "a"
        await registry.call("DELETE", "/v1/namespaces/default/services/books/instances/a")
        name, data = await events.next()
        assert (name, data["revision"]) == ("delta", 2)
        assert data["changes"] == [{"op": "delete", "kind": "Instance", "namespace": "default", "name": "books/a"}]
        assert events.last_id == "2"
    await until(lambda: not registry.core.feed.watchers)


async def test_a_watcher_resumes_by_last_event_id_with_none_missed(registry: RunningRegistry) -> None:
    async with RawClient(registry.port) as client:
        events = await _events(client)
        await events.next()
        await registry.register("books", "a")
        await events.next()
    for at in range(3):
        await registry.register("books", f"b-{at}")
    async with RawClient(registry.port) as client:
        again = await _events(client, "?since=0", f"Last-Event-ID: {events.last_id}")
        assert [(await again.next())[1]["revision"] for _ in range(3)] == [2, 3, 4]


async def test_a_snapshot_in_parts_bears_its_id_at_the_end_only(registry: RunningRegistry) -> None:
    rows = [{"namespace": "shop", "service": "cart", "id": f"c-{at}", "port": 9000} for at in range(700)]
    await registry.call("POST", "/v1/registrations", {"instances": rows})
    async with RawClient(registry.port) as client:
        events = await _events(client)
        assert len((await events.next())[1]["changes"]) == 500
        assert events.last_id == "", "who is cut off here must not resume behind the whole"
        assert len((await events.next())[1]["changes"]) == 200
        await registry.register("books", "a")
        assert (await events.next())[0] == "delta"
        assert events.last_id == "2"


async def test_filters_let_through_what_they_name(registry: RunningRegistry) -> None:
    async with RawClient(registry.port) as client:
        events = await _events(client, "?since=0&kind=Instance&namespace=default&service=books")
        await registry.register("other", "o")
        await registry.register("books", "a")
        _, data = await events.next()
        assert [change["name"] for change in data["changes"]] == ["books/a"]
    for query in ("?kind=Rute", "?nmespace=x", "?since=x"):
        assert (await registry.call("GET", f"/v1/watch{query}")).status == 422


async def test_a_revision_that_is_not_in_the_log_is_reset_and_a_snapshot_follows(registry: RunningRegistry) -> None:
    await registry.register("books", "a")
    async with RawClient(registry.port) as client:
        events = await _events(client, "?since=99")
        assert (await events.next())[0] == "reset"
        name, data = await events.next()
        assert (name, data["revision"]) == ("snapshot", 1)


async def test_a_quiet_watch_says_the_head_now_and_then(
    registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "QUIET_S", 0.05)
    async with RawClient(registry.port) as client:
        events = await _events(client, "?since=0&namespace=nobody")
        await registry.register("books", "a")
        text = ""
        async with asyncio.timeout(5):
            while ": head\nid: 1\n\n" not in text:
                text += (await client.piece()).decode()
        assert "event:" not in text
        assert events.comments == 0


async def _frames(client: RawClient, query: str = "") -> AsyncIterator[AnyFrame]:
    client.send("GET", f"/v1/feed{query}")
    head = await client.head()
    assert (head.status, head.headers["content-type"]) == (200, "application/x-meshway-feed")
    reader = FrameReader()
    while True:
        for frame in reader.feed(await client.piece()):
            yield frame


async def test_a_follower_gets_hello_snapshot_and_deltas(registry: RunningRegistry) -> None:
    await registry.register("books", "a")
    async with RawClient(registry.port) as client:
        frames = _frames(client, "?node=g1")
        hello = await anext(frames)
        assert isinstance(hello, Hello)
        assert hello.revision == 1
        snapshot, end = await anext(frames), await anext(frames)
        assert isinstance(snapshot, Snapshot)
        assert isinstance(end, SnapshotEnd)
        assert (len(snapshot.entries), end.entries, end.revision) == (1, 1, 1)
        await registry.register("books", "b")
        delta = await anext(frames)
        while isinstance(delta, Tick):
            delta = await anext(frames)
        assert isinstance(delta, Delta)
        assert (delta.revision, delta.changes[0].name) == (2, "books/b")
    await until(lambda: not registry.core.feed.followers)


async def test_a_follower_resumes_and_another_history_is_reset(registry: RunningRegistry) -> None:
    for at in range(4):
        await registry.register("books", f"b-{at}")
    epoch = registry.core.view.epoch
    async with RawClient(registry.port) as client:
        frames = _frames(client, f"?since=2&epoch={epoch}&node=g1")
        await anext(frames)
        assert [(await anext(frames)).revision for _ in range(2)] == [3, 4]  # type: ignore[union-attr]
    async with RawClient(registry.port) as client:
        frames = _frames(client, "?since=2&epoch=another&node=g1")
        assert isinstance(await anext(frames), Hello)
        assert isinstance(await anext(frames), Reset)
        assert isinstance(await anext(frames), Snapshot)


async def test_a_follower_that_reads_nothing_slows_nobody(registry: RunningRegistry) -> None:
    async with RawClient(registry.port) as stuck, RawClient(registry.port) as client:
        stuck.send("GET", "/v1/feed?node=stuck")
        frames = _frames(client, "?node=well")
        rows = [
            {"namespace": "shop", "service": "cart", "id": f"c-{at}", "port": 9000, "metadata": {"k": "v" * 900}}
            for at in range(700)
        ]
        for _ in range(12):
            assert (await registry.call("POST", "/v1/registrations", {"instances": rows})).status == 200
        seen = 0
        async with asyncio.timeout(20):
            async for frame in frames:
                seen = getattr(frame, "revision", seen)
                if seen == 12 and not getattr(frame, "more", False):
                    break
        assert not registry.died


@pytest.mark.parametrize("path", ["/v1/watch", "/v1/feed"])
async def test_the_head_of_a_stream_is_answered_without_the_stream(registry: RunningRegistry, path: str) -> None:
    async with RawClient(registry.port) as client:
        client.send("HEAD", path)
        head = await client.answer(5.0, is_head=True)
        assert (head.status, "content-length" in head.headers) == (200, False)
        assert (await client.call("GET", "/v1/health/live")).status == 200, "the connection serves on"
    assert not registry.core.feed.watchers
    assert not registry.core.feed.followers
