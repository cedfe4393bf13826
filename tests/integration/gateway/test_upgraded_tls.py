"""Upgraded connections where a side comes by TLS, by which no half closes alone: who left is told to the other side."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.integration.gateway.test_tls import certificate, hold, listener, trusting
from tests.integration.gateway.test_upstream_tls import policy, server
from tests.parts.authority import Authority
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.secrets import contents
from tests.parts.websocket import accepted, handshake
from tests.parts.wire import Caller, ScriptedUpstream, read_head

ROOT = Authority()


class Service:
    """Says `bye` and leaves when it hears `leave`. heard: what came; has_ended: the caller left."""

    def __init__(self) -> None:
        self.heard = b""
        self.has_ended = False
        self.upstream = ScriptedUpstream(self.serve)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accepted(await read_head(reader)))
        while data := await reader.read(100):
            self.heard += data
            if self.heard.endswith(b"leave"):
                writer.write(b"bye")
                return
        self.has_ended = True

    @asynccontextmanager
    async def behind(self, *, tls: bool) -> AsyncIterator[CompiledGateway]:
        context: ssl.SSLContext | None = server(ROOT.issue("127.0.0.1")) if tls else None
        async with self.upstream.running(context):
            changes = [
                running("books", "b-1", port=self.upstream.port),
                document("Route", "r", edge_route(to("books"))),
                certificate(),
                listener(),
                *([policy({"ca": "ca"})] if tls else []),
            ]
            async with compiled_gateway(*changes) as gateway:
                hold(gateway, ROOT.issue("shop.example"))
                gateway.secrets.take(contents("ca", "ca_bundle", ROOT.pem.decode()))
                yield gateway


async def upgraded(gateway: CompiledGateway, *, tls: bool) -> Caller:
    if tls:
        caller = await gateway.open_tls(trusting(ROOT))
    else:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
    caller.send(handshake())
    assert b" 101 " in await caller.head()
    return caller


WAYS = pytest.mark.parametrize(("caller_tls", "service_tls"), [(True, False), (False, True), (True, True)])


@WAYS
async def test_a_caller_is_told_that_the_service_left(caller_tls: bool, service_tls: bool) -> None:
    async with Service().behind(tls=service_tls) as gateway:
        caller = await upgraded(gateway, tls=caller_tls)
        caller.send(b"please leave")
        assert await caller.rest() == b"bye"
        caller.writer.close()
        await until(lambda: gateway.lines, what="a line of the log")
        assert [(line["flag"], line["reason"]) for line in gateway.lines] == [("", "")]


@WAYS
async def test_a_service_is_told_that_the_caller_left(caller_tls: bool, service_tls: bool) -> None:
    service = Service()
    async with service.behind(tls=service_tls) as gateway:
        caller = await upgraded(gateway, tls=caller_tls)
        caller.send(b"the last word")
        if caller_tls:
            caller.writer.close()
        else:
            caller.writer.write_eof()
        await until(lambda: service.has_ended, what="a service that heard of it")
        assert service.heard == b"the last word"
        await until(lambda: gateway.lines, what="a line of the log")
        caller.writer.close()
