"""The raw tables over real sockets, judged by what a strict upstream received and by what a strict caller read."""

import asyncio
from collections.abc import AsyncIterator

import h11
import pytest

from tests.integration.wire.raw_answers import ANSWERS, CUT, PASSED, AnswerCase
from tests.integration.wire.raw_case import RequestCase, Seen
from tests.integration.wire.raw_cases import REQUESTS
from tests.parts.conditions import until
from tests.parts.one_route import plan
from tests.parts.raw_reader import read_requests
from tests.parts.upstream import Received, RecordingUpstream
from tests.parts.wire import PATIENCE_S, Caller, Wire, wire

SENTINEL = b"GET /sentinel HTTP/1.1\r\nHost: books.test\r\n\r\n"


@pytest.fixture
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream().running() as running:
        yield running


@pytest.fixture
async def gateway(upstream: RecordingUpstream) -> AsyncIterator[Wire]:
    async with wire(upstream.port, make_plan=plan) as running:
        yield running


@pytest.mark.parametrize("row", REQUESTS, ids=str)
async def test_only_what_a_row_says_reaches_the_upstream(
    row: RequestCase, upstream: RecordingUpstream, gateway: Wire
) -> None:
    caller = await gateway.open()
    caller.send(row.data)
    refusal = row.status or row.gateway
    for _ in row.seen:
        assert (await caller.answer())[0] == 200, row.rule
    if refusal is not None:
        status, head, _ = await caller.answer()
        assert status == refusal, row.rule
        if row.status is not None:
            assert b"\r\nconnection: close\r\n" in head.lower()
    expected = list(row.seen)
    if row.status is not None or not read_requests([row.data]).requests[-1].head.keep_alive:
        assert await caller.rest() == b""
    else:
        # Both sides are where they should be in the stream: the next request is the next request.
        caller.send(SENTINEL)
        assert (await caller.answer())[0] == 200
        expected.append(Seen(target=b"/sentinel"))
    caller.writer.close()
    assert upstream.violations == []
    assert len(upstream.requests) == len(expected)
    for received, seen in zip(upstream.requests, expected, strict=True):
        check_received(received, seen)


def check_received(received: Received, seen: Seen) -> None:
    assert (received.method, received.body, received.trailers) == (seen.method, seen.body, seen.trailers)
    assert seen.target is None or received.target == seen.target
    assert set(seen.has) <= set(received.lines)
    names = {line.partition(b":")[0].lower() for line in received.lines}
    assert not names & {*seen.lacks, b"connection"}
    assert len(received.values(b"host")) == 1
    assert seen.host is None or received.values(b"host") == [seen.host]
    assert len(received.values(b"x-forwarded-for")) == 1
    assert len(received.values(b"content-length") + received.values(b"transfer-encoding")) <= 1
    assert b"evil" not in b"".join(received.lines)


@pytest.mark.parametrize("split", ["whole", "by bytes"])
@pytest.mark.parametrize("row", ANSWERS, ids=str)
async def test_only_what_a_row_says_reaches_the_caller(row: AnswerCase, split: str) -> None:
    pieces = [row.data] if split == "whole" or len(row.data) > 500 else [bytes([byte]) for byte in row.data]
    upstream = RecordingUpstream(lambda received: pieces, row.closes)
    async with upstream.running(), wire(upstream.port, make_plan=plan) as gateway:
        caller = await gateway.open()
        got = await ask(caller, row)
        caller.writer.close()
        if row.verdict == PASSED:
            check_passed(got, row)
        elif row.verdict == CUT and got.status != 502:
            assert not got.is_whole, row.rule
        else:
            assert got.status == 502, row.rule
        await check_reuse(gateway, upstream, row)


class Got:
    """What a strict caller read. is_whole: the answer ended as it announced."""

    def __init__(self) -> None:
        self.status = 0
        self.fields: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.is_whole = False


async def ask(caller: Caller, row: AnswerCase) -> Got:
    got = Got()
    reader = h11.Connection(h11.CLIENT)
    request = h11.Request(method=row.method, target="/a", headers=[("Host", "books.test")])
    caller.send(reader.send(request) or b"")
    reader.send(h11.EndOfMessage())
    try:
        while True:
            event = reader.next_event()
            if event is h11.NEED_DATA:
                reader.receive_data(await asyncio.wait_for(caller.reader.read(65536), PATIENCE_S))
            elif isinstance(event, h11.Response):
                got.status, got.fields = event.status_code, list(event.headers.raw_items())
            elif isinstance(event, h11.Data):
                got.body += event.data
            elif isinstance(event, h11.EndOfMessage):
                got.is_whole = True
                return got
            elif isinstance(event, h11.ConnectionClosed):
                return got
    except (h11.RemoteProtocolError, ConnectionError):
        return got


def check_passed(got: Got, row: AnswerCase) -> None:
    assert (got.status, got.body, got.is_whole) == (row.status, row.body, True), row.rule
    lines = {name + b": " + value for name, value in got.fields}
    assert set(row.has) <= lines
    assert not {name.lower() for name, _ in got.fields} & set(row.lacks)


async def check_reuse(gateway: Wire, upstream: RecordingUpstream, row: AnswerCase) -> None:
    """A second caller's request goes out on the same connection only where the row allows it."""
    if not row.reusable:
        idle = gateway.cluster.endpoints[0].idle
        await until(lambda: not idle, PATIENCE_S, what="the connection leaves the pool")
    caller = await gateway.open()
    again = await ask(caller, row)
    caller.writer.close()
    assert [request.connection for request in upstream.requests] == [0, 0 if row.reusable else 1], again.status
    assert upstream.violations == []
