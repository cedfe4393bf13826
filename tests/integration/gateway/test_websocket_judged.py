"""WebSockets that stand when a newer revision comes: whom it would not let in now is told so, and nobody else."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import serve

from gateway.telemetry.counters import Counters, read_counters
from gateway.telemetry.prometheus import exposition
from gateway.worker.judging import ENDED
from meshway.snapshot import Change
from tests.integration.gateway.test_websocket import (
    CLOSE,
    GOING_AWAY,
    MASK,
    TEXT,
    Frames,
    echo,
    echoing,
    raw,
    websocket,
)
from tests.parts.changes import document, edge_route, gone, running, to
from tests.parts.compiled import compiled_gateway
from tests.parts.conditions import until
from tests.parts.http2_caller import calling
from tests.parts.websocket import frame, read_frame
from tests.parts.websocket_callers import opened
from tests.parts.wire import Caller, ScriptedUpstream

POLICY_VIOLATION = (1008).to_bytes(2, "big")
BLOCK: dict[str, Any] = {"websocket": {}}


def route(*rules: dict[str, Any], **fields: Any) -> Change:
    return document("Route", "r", edge_route(*rules, **fields))


def policy(*rules: dict[str, Any], **fields: Any) -> Change:
    return document(
        "AccessPolicy", "a", {"targets": [{"service": "chat"}], "default": "allow", "rules": rules} | fields
    )


async def said(caller: Caller, reader: asyncio.StreamReader, payload: bytes) -> tuple[int, bytes]:
    caller.send(frame(TEXT, payload, key=MASK))
    return await read_frame(reader)


async def test_whom_a_policy_denies_now_is_told_by_a_close_frame_and_whoever_it_does_not_goes_on(
    tmp_path: Path,
) -> None:
    counters = Counters(tmp_path / "counters")
    guests = {"action": "deny", "to": [{"headers": {"x-group": "guests"}}]}
    async with (
        serve(echo, "127.0.0.1", 0) as service,
        compiled_gateway(
            running("chat", "1", port=service.sockets[0].getsockname()[1]), websocket(), counters=counters
        ) as gateway,
        raw(gateway, "X-Group: guests\r\n") as (denied, from_denied),
        raw(gateway, "X-Group: staff\r\n") as (kept, from_kept),
    ):
        for caller in (denied, kept):
            assert (await caller.head()).startswith(b"HTTP/1.1 101 ")
        gateway.apply(policy(guests))
        assert await read_frame(from_denied) == (0x80 | CLOSE, POLICY_VIOLATION)
        assert await asyncio.wait_for(from_denied.read(), 10.0) == b""
        await until(lambda: gateway.lines)
        line = gateway.lines.pop()
        assert (line["reason"], line["flag"], line["status"]) == ("denied", "UAEX", 101)
        assert (line["policy"], line["close_code"]) == ("AccessPolicy default/a", 1008)
        assert await said(kept, from_kept, b"still here") == (0x80 | TEXT, b"still here")
        assert gateway.lines == []
        assert f'{ENDED}{{reason="denied"}} 1' in exposition(read_counters(tmp_path / "counters"))


async def test_the_service_hears_that_its_caller_goes_away() -> None:
    frames = Frames()
    async with frames.behind(websocket()) as gateway, raw(gateway) as (caller, _):
        await caller.head()
        gateway.apply(policy(default="deny"))
        await until(lambda: frames.heard)
        assert frames.heard == [(0x80 | CLOSE, GOING_AWAY)]


@pytest.mark.parametrize(
    ("change", "reason", "by"),
    [
        (gone("Route", "r"), "no_route", "listener edge"),
        (route(to("chat", {"prefix": "/other"}, **BLOCK)), "no_route", "listener edge"),
        (route(to("other", **BLOCK)), "route_changed", "Route default/r"),
        (route({"redirect": {"path": {"full": "/gone"}}}), "route_changed", "Route default/r"),
        (route(to("chat", websocket={"allow": False})), "websocket_denied", "Route default/r"),
        (route(to("chat", websocket={"origins": ["https://a.example"]})), "websocket_origin", "Route default/r"),
    ],
    ids=["no route", "another path", "another service", "an answer", "no WebSocket", "another origin"],
)
async def test_a_route_that_has_it_no_more_ends_it(change: Change, reason: str, by: str) -> None:
    async with (
        echoing(websocket(), running("other", "1")) as gateway,
        raw(gateway, "Origin: https://shop.example\r\n") as (caller, reader),
    ):
        await caller.head()
        gateway.apply(change)
        assert await read_frame(reader) == (0x80 | CLOSE, POLICY_VIOLATION)
        await until(lambda: gateway.lines)
        line = gateway.lines[0]
        assert (line["reason"], line["policy"]) == (reason, by)


async def test_one_whose_frames_nobody_looks_at_is_cut() -> None:
    async with (
        echoing(document("Route", "r", edge_route(to("chat")))) as gateway,
        raw(gateway) as (caller, reader),
    ):
        await caller.head()
        gateway.apply(policy(default="deny"))
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 10.0)
        await until(lambda: gateway.lines)
        assert (gateway.lines[0]["reason"], gateway.lines[0]["status"]) == ("denied", 101)


async def test_it_is_judged_as_it_was_asked_whatever_was_changed_on_its_way() -> None:
    """A path that is rewritten, fields that are set: the rule and the policies see what they saw then."""
    changed = {"rewrite": {"path": {"prefix": "/inner"}}, "request_headers": {"set": {"X-Room": "2"}}} | BLOCK
    rule = to("chat", {"prefix": "/chat"}, **changed)
    rule["match"][0]["headers"] = {"x-room": "1"}
    inner = {"action": "allow", "to": [{"path": {"prefix": "/inner"}}]}
    async with (
        echoing(route(rule), policy(inner, default="deny")) as gateway,
        raw(gateway, "X-Room: 1\r\n") as (caller, reader),
    ):
        assert (await caller.head()).startswith(b"HTTP/1.1 101 ")
        shifted = {"destinations": [{"service": "chat", "weight": 0}, {"service": "other"}]}
        for change in (
            document("RateLimit", "l", {"token_bucket": {"burst": 1, "rate": "1/h"}}),
            route(rule, to("other")),
            route(rule | shifted),
        ):
            gateway.apply(running("other", "1"), change)
            assert await said(caller, reader, b"1") == (0x80 | TEXT, b"1")
        gateway.apply(policy({"action": "deny", "to": [{"path": {"prefix": "/inner"}}]}))
        assert await read_frame(reader) == (0x80 | CLOSE, POLICY_VIOLATION)


async def test_one_that_its_service_opens_after_it_was_judged_is_judged_again() -> None:
    go_on, frames = asyncio.Event(), Frames()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await go_on.wait()
        await frames.serve(reader, writer)

    asked = asyncio.Event()
    frames.upstream = ScriptedUpstream(late)
    async with frames.behind(websocket()) as gateway, raw(gateway) as (caller, reader):
        await asyncio.wait_for(asked.wait(), 10.0)
        gateway.apply(policy(default="deny"))
        assert (await gateway.ask())[0] == 403
        go_on.set()
        assert (await caller.head()).startswith(b"HTTP/1.1 101 ")
        gateway.leap(11.0)
        assert await read_frame(reader) == (0x80 | CLOSE, POLICY_VIOLATION)
        await until(lambda: len(gateway.lines) == 2)
        assert gateway.lines[1]["reason"] == "denied"


async def test_one_of_many_streams_ends_and_the_connection_stays() -> None:
    guests = {"action": "deny", "to": [{"headers": {"x-group": "guests"}}]}
    async with echoing(websocket()) as gateway, calling(gateway.port) as caller:
        denied, its_answer = await opened(caller, [(b"x-group", b"guests")])
        kept, answer = await opened(caller)
        gateway.apply(policy(guests))
        await caller.until(lambda: its_answer.is_whole)
        assert bytes(its_answer.body) == frame(CLOSE, POLICY_VIOLATION)
        await caller.send(kept, frame(TEXT, b"on", key=MASK))
        await caller.until(lambda: bytes(answer.body) == frame(TEXT, b"on"))
        assert denied != kept
