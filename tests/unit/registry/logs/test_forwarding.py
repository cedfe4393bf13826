"""What a collector gets, and what becomes of the rest."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from meshway.model.otlp import Otlp
from meshway.otlp.log_reading import read_protobuf
from meshway.otlp.log_records import LogRecord, LogsOfResource, LogsOfScope
from meshway.outbound.collector import Credentials
from meshway.outbound.connection import dial
from registry.logs.forwarding import MOST_BYTES, Forwarding

NOTHING = Credentials()


class Collector:
    """status: its answer."""

    def __init__(self) -> None:
        self.status = 200
        self.heads: list[bytes] = []
        self.heard: list[list[LogsOfResource]] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        self.heads.append(head)
        self.heard.append(read_protobuf(await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % self.status)
        writer.close()


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    made = Collector()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


def forwarding(collector: Collector, credentials: Credentials = NOTHING, **otlp: Any) -> Forwarding:
    target = Otlp(endpoint=f"http://127.0.0.1:{collector.port}/v1/logs", **otlp)
    return Forwarding(lambda: target, lambda _: credentials, dial)


def logs(*texts: str) -> LogsOfResource:
    return LogsOfResource({"service.name": "books"}, [LogsOfScope("", [LogRecord(1, text) for text in texts])])


async def test_lines_are_sent_as_they_came_in_batches_and_with_what_the_collector_wants(collector: Collector) -> None:
    sending = forwarding(collector, Credentials(b"X-Scope-OrgID: shop\r\n"), batch=2)
    sending.add([logs("a"), logs("b"), logs("c")], 1_000)
    await sending.flush()
    assert collector.heard == [[logs("a"), logs("b")], [logs("c")]]
    assert b"X-Scope-OrgID: shop\r\n" in collector.heads[0]
    assert (sending.sent, sending.dropped) == (3, 0)


async def test_a_collector_that_is_busy_gets_the_same_again_and_a_full_queue_takes_no_more(
    collector: Collector,
) -> None:
    sending = forwarding(collector, queue=2)
    collector.status = 503
    sending.add([logs("a", "b"), logs("c")], 1_000)
    await sending.flush()
    assert (sending.sent, sending.dropped) == (0, 1)
    collector.status = 200
    await sending.flush()
    assert collector.heard == [[logs("a", "b")]] * 2
    assert sending.sent == 2
    sending.add([logs("d")], 1_000)
    await sending.flush()
    assert sending.sent == 3


async def test_what_waits_is_bounded_in_bytes_too(collector: Collector) -> None:
    sending = forwarding(collector)
    sending.add([logs("a"), logs("b")], MOST_BYTES)
    sending.add([logs("c")], 1_000)
    assert sending.dropped == 1
    await sending.flush()
    sending.add([logs("d")], 1_000)
    await sending.flush()
    assert collector.heard == [[logs("a"), logs("b")], [logs("d")]]


async def test_what_a_collector_refuses_is_dropped(collector: Collector) -> None:
    sending = forwarding(collector)
    collector.status = 400
    sending.add([logs("a")], 1_000)
    await sending.flush()
    assert (sending.sent, sending.dropped, len(collector.heard)) == (0, 1, 1)


async def test_nothing_is_sent_while_a_secret_is_missing(collector: Collector) -> None:
    sending = forwarding(collector, Credentials(missing="the Secret is not there"))
    sending.add([logs("a")], 1_000)
    await sending.flush()
    assert collector.heard == []


async def test_where_nobody_is_named_nothing_waits() -> None:
    sending = Forwarding(lambda: None, lambda _: Credentials(), dial)
    sending.add([logs("a")], 1_000)
    await sending.flush()
    assert (sending.sent, sending.dropped) == (0, 0)
