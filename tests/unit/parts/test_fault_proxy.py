"""The proxy spoils what it is told to spoil, and mends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.parts.fault_proxy import FaultProxy, flip_bits


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        if data == b"end":
            break
        writer.write(data)
    writer.close()


@asynccontextmanager
async def _proxied() -> AsyncIterator[FaultProxy]:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with FaultProxy(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
    server.close()


class _Caller:
    async def connect(self, proxy: FaultProxy) -> _Caller:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        return self

    async def ask(self, data: bytes, within_s: float = 5.0) -> bytes:
        self.writer.write(data)
        return await asyncio.wait_for(self.reader.read(100), within_s)


async def test_it_passes_on_what_is_said_and_delays_it_when_told() -> None:
    async with _proxied() as proxy:
        caller = await _Caller().connect(proxy)
        assert await caller.ask(b"hello") == b"hello"
        proxy.delay_s = 0.05
        began_s = asyncio.get_running_loop().time()
        assert await caller.ask(b"again") == b"again"
        assert asyncio.get_running_loop().time() - began_s >= 0.1, "once in each direction"


async def test_a_black_hole_swallows_and_a_mended_one_is_reset() -> None:
    async with _proxied() as proxy:
        caller = await _Caller().connect(proxy)
        proxy.is_black_hole = True
        with pytest.raises(TimeoutError):
            await caller.ask(b"hello", 0.1)
        proxy.mend()
        with pytest.raises(ConnectionResetError):
            await caller.ask(b"hello")
        assert await (await _Caller().connect(proxy)).ask(b"hello") == b"hello"


async def test_a_half_open_connection_does_not_tell_that_the_other_side_is_gone() -> None:
    async with _proxied() as proxy:
        caller = await _Caller().connect(proxy)
        assert await caller.ask(b"hello") == b"hello"
        proxy.is_half_open = True
        with pytest.raises(TimeoutError):
            await caller.ask(b"end", 0.2)
        proxy.mend()
        with pytest.raises(ConnectionResetError):
            await caller.ask(b"hello")


async def test_it_resets_refuses_and_listens_again_on_the_same_port() -> None:
    async with _proxied() as proxy:
        proxy.resets = True
        caller = await _Caller().connect(proxy)
        with pytest.raises(ConnectionResetError):
            await caller.ask(b"hello")
        proxy.mend()
        port = proxy.port
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await _Caller().connect(proxy)
        await proxy.listen()
        assert proxy.port == port
        assert await (await _Caller().connect(proxy)).ask(b"hello") == b"hello"


async def test_it_cuts_after_so_many_bytes() -> None:
    async with _proxied() as proxy:
        caller = await _Caller().connect(proxy)
        proxy.cut_after = 3
        caller.writer.write(b"hello")
        got = b""
        with suppress(ConnectionResetError):  # which may overtake what was sent before it
            while data := await asyncio.wait_for(caller.reader.read(100), 5.0):
                got += data
        assert got in (b"", b"hel")


def test_a_flipped_piece_differs_in_one_bit() -> None:
    flip = flip_bits(random.Random(1), 1.0)
    for _ in range(100):
        differing = int.from_bytes(flip(b"hello"), "big") ^ int.from_bytes(b"hello", "big")
        assert differing.bit_count() == 1
    assert flip_bits(random.Random(1), 0.0)(b"hello") == b"hello"
