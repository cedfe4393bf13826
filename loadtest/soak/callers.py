"""Callers of each protocol, each with its own rate; whatever fails is kept with its moment, nothing is tried again.

What a caller of good faith does is no failure: it opens a new connection where it was told that this one ends
(`Connection: close`, GOAWAY, close 1001), and a datagram may be lost.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import websockets.exceptions
from websockets.asyncio.client import connect

from tests.parts.http2_caller import Http2Caller

ANSWER_S: Final = 15.0
TALK_S: Final = 20.0  # of a WebSocket, a stream, a connection: then it ends and the next begins
LOST_AFTER_S: Final = 1.0  # a datagram without an answer
GOING_AWAY: Final = 1001
_NOT_TAKEN: Final = 7  # RST_STREAM REFUSED_STREAM: safe to be made again


@dataclass(frozen=True)
class Failure:
    """at: seconds since 1970. lasted_s: how long what failed had been open."""

    at: float
    lasted_s: float
    protocol: str
    gateway: str
    text: str


@dataclass
class Tally:
    """Of one protocol at one gateway. good: answers, messages, events. lost: datagrams without an answer. ended: how
    often it was told in good order that a connection ends."""

    protocol: str
    gateway: str
    good: int = 0
    lost: int = 0
    ended: int = 0
    failures: list[Failure] = field(default_factory=list)

    def fail(self, began: float, error: BaseException | str) -> None:
        now, text = time.time(), error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        self.failures.append(Failure(now, now - began, self.protocol, self.gateway, text[:200]))


class Pace:
    """pause_s: between two acts of one caller; set by who watches how busy the machine is."""

    def __init__(self, pause_s: float) -> None:
        self.pause_s = pause_s
        self.stopping = asyncio.Event()

    async def wait(self, factor: float = 1.0) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.pause_s * factor):
                await self.stopping.wait()


Act = Callable[[Tally, Pace, int], Awaitable[None]]
"""One connection, from its beginning to its end. Raises what its failure was."""


async def for_ever(act: Act, tally: Tally, pace: Pace, port: int) -> None:
    """Until the pace ends it."""
    while not pace.stopping.is_set():
        began = time.time()
        try:
            await act(tally, pace, port)
        except (OSError, TimeoutError, EOFError, ValueError, asyncio.InvalidStateError) as error:
            tally.fail(began, error)
            await asyncio.sleep(0.1)
        except (grpc.aio.AioRpcError, websockets.exceptions.WebSocketException) as error:
            tally.fail(began, _said(error))
            await asyncio.sleep(0.1)


def _said(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return f"{type(error).__name__}: {error}"


async def http1(tally: Tally, pace: Pace, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while not pace.stopping.is_set():
            writer.write(b"GET /soak HTTP/1.1\r\nHost: plain.default.mesh\r\n\r\n")
            async with asyncio.timeout(ANSWER_S):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
                await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 200"):
                raise ValueError(head.partition(b"\r\n")[0].decode())
            tally.good += 1
            if b"connection: close" in head.lower():
                tally.ended += 1
                return
            await pace.wait()
    finally:
        writer.close()


async def http2(tally: Tally, pace: Pace, port: int) -> None:
    caller = Http2Caller(*await asyncio.open_connection("127.0.0.1", port))
    try:
        while not pace.stopping.is_set() and not caller.has_goodbye():
            streams = [caller.get(b"/soak", authority=b"plain.default.mesh") for _ in range(4)]
            for stream in streams:
                answer = await caller.answer(stream)
                if answer.is_whole and answer.status == 200:
                    tally.good += 1
                elif answer.reset != _NOT_TAKEN and not (caller.has_goodbye() and stream > caller.last_taken):
                    raise ValueError(f"stream {stream}: {answer.status or 'no answer'}, reset {answer.reset}")
            await pace.wait(4.0)
        tally.ended += caller.has_goodbye()
    finally:
        caller.close()


async def grpc_streams(tally: Tally, pace: Pace, port: int) -> None:
    options = (("grpc.default_authority", "streams.default.mesh"), ("grpc.enable_retries", 0))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        talk: Any = channel.stream_stream("/soak.Echo/Talk")(timeout=TALK_S + ANSWER_S)
        until, number = time.monotonic() + TALK_S, 0
        while not pace.stopping.is_set() and time.monotonic() < until:
            await talk.write(b"%d" % number)
            if await talk.read() != b"%d" % number:
                raise EOFError(f"the stream ended: {await talk.code()}")
            tally.good += 1
            number += 1
            await pace.wait()
        await talk.done_writing()
        if await talk.read() is not grpc.aio.EOF or await talk.code() is not grpc.StatusCode.OK:
            raise EOFError(f"the stream ended otherwise: {await talk.code()}")


async def websocket(tally: Tally, pace: Pace, port: int) -> None:
    until, number = time.monotonic() + TALK_S, 0
    async with connect("ws://talk.default.mesh/", host="127.0.0.1", port=port, open_timeout=ANSWER_S) as talk:
        while not pace.stopping.is_set() and time.monotonic() < until:
            try:
                async with asyncio.timeout(ANSWER_S):
                    await talk.send(f"{number}")
                    answer = await talk.recv()
            except websockets.exceptions.ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code == GOING_AWAY:
                    tally.ended += 1
                    return
                raise
            if answer != f"{number}":
                raise ValueError(f"{answer!r} for {number}")
            tally.good += 1
            number += 1
            await pace.wait()


async def events(tally: Tally, pace: Pace, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    until, number = time.monotonic() + TALK_S, 0
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: events.default.mesh\r\nAccept: text/event-stream\r\n\r\n")
        async with asyncio.timeout(ANSWER_S):
            head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise ValueError(head.partition(b"\r\n")[0].decode())
        while not pace.stopping.is_set() and time.monotonic() < until:
            async with asyncio.timeout(ANSWER_S):
                found = await reader.readuntil(b"\n\n")
            if not found.endswith(b"data: %d\n\n" % number):
                raise ValueError(f"event {number} is missing: {found!r}")
            tally.good += 1
            number += 1
    finally:
        writer.close()


async def tcp(tally: Tally, pace: Pace, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    until, number = time.monotonic() + TALK_S, 0
    try:
        while not pace.stopping.is_set() and time.monotonic() < until:
            line = b"%d\n" % number
            writer.write(line)
            async with asyncio.timeout(ANSWER_S):
                if await reader.readexactly(len(line)) != line:
                    raise ValueError(f"{number} came back otherwise")
            tally.good += 1
            number += 1
            await pace.wait()
    finally:
        writer.close()


async def udp(tally: Tally, pace: Pace, port: int) -> None:
    """Sixteen questions of a source of their own; who gets no answer asks on."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.setblocking(False)
        own.connect(("127.0.0.1", port))
        for number in range(16):
            try:
                async with asyncio.timeout(LOST_AFTER_S):
                    await loop.sock_sendall(own, b"%d" % number)
                    while await loop.sock_recv(own, 2_048) != b"%d" % number:
                        pass  # a late one
                tally.good += 1
            except (TimeoutError, ConnectionRefusedError):
                tally.lost += 1
            await pace.wait()
            if pace.stopping.is_set():
                return


# Protocol: what is done, how many callers do it, and at which listener.
PROTOCOLS: Final[dict[str, tuple[Act, int, str]]] = {
    "http/1.1": (http1, 8, "mesh"),
    "http/2": (http2, 3, "mesh"),
    "grpc": (grpc_streams, 4, "mesh"),
    "websocket": (websocket, 4, "mesh"),
    "sse": (events, 4, "mesh"),
    "tcp": (tcp, 4, "tcp"),
    "udp": (udp, 4, "udp"),
}
