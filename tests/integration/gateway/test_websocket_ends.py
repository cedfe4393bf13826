"""WebSockets of which one side ends without the word that RFC 6455 has for it."""

import asyncio

import pytest

from tests.integration.gateway.test_websocket import Frames, raw
from tests.parts.changes import document, edge_route, to
from tests.parts.conditions import until
from tests.parts.websocket import accepted, read_frame
from tests.parts.wire import read_head


class Holding(Frames):
    """Says nothing, and holds on whoever ends. said: by its caller. has_heard: that is all."""

    said = b""
    has_heard = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accepted(await read_head(reader), self.answer))
        self.writers.append(writer)
        while data := await reader.read(1_000):
            self.said += data
        self.has_heard = True
        await asyncio.Event().wait()


@pytest.mark.parametrize("ended", ["caller", "service"])
@pytest.mark.parametrize(("how", "reason"), [("ping", "ping_timeout"), ("idle", "idle_timeout"), ("drain", "closed")])
async def test_who_has_ended_without_a_close_frame_is_told_no_more_and_both_are_left(
    ended: str, how: str, reason: str
) -> None:
    service = Holding()
    block = {"ping_every": "10s"} if how == "ping" else {}
    route = document("Route", "r", edge_route(to("chat", websocket=block, timeouts={"upgraded_idle": "50s"})))
    async with service.behind(route) as gateway, raw(gateway) as (caller, reader):
        await caller.head()
        await until(lambda: service.writers, what="a conversation")
        if ended == "caller":
            caller.writer.write_eof()
            await until(lambda: service.has_heard, what="the caller's end")
        else:
            service.writers[0].write_eof()
            assert await reader.read() == b""
        if how == "drain":
            assert gateway.listener is not None
            gateway.listener.say_goodbye()
        elif how == "idle":
            gateway.leap(51.0)
        else:
            gateway.leap(10.1)
            if ended == "caller":
                assert await read_frame(reader) == (0x89, b"")
            else:
                await until(lambda: service.said, what="a ping")
            gateway.leap(10.1)
        await until(lambda: gateway.lines, what="its end")
        assert gateway.lines[0]["reason"] == reason
