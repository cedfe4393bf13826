"""Handshakes on real sockets: how many at once, how long, and what is told of those that fail."""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.listeners.sockets import open_slots
from gateway.wire.server_names import ServerNames
from gateway.wire.tls import TlsFace, serving_context
from meshway.certificates import read_pair
from meshway.handshakes import Handshakes, reason_of
from meshway.tasks import spawn
from meshway.tls import load_pair
from tests.parts.authority import Authority
from tests.parts.conditions import until

ROOT = Authority()
BEGINNING = b"\x16\x03\x01"  # of a ClientHello that never goes on


def face() -> TlsFace:
    issued, made = ROOT.issue("shop.example"), TlsFace(time.time)
    context = serving_context("1.2", "none", None)
    load_pair(context, read_pair(issued.certificate, issued.key))
    made.install(serving_context("1.2", "none", None), ServerNames({"shop.example": context}, {}, None))
    return made


class Bench:
    def __init__(self, at_once: int, handshake_s: float, patience_s: float) -> None:
        self.done = self.failed = 0
        (self.socket,) = open_slots("127.0.0.1", 0, 1, "--edge-tls-port")
        shown = face()
        shown.at_once = at_once
        self.handshakes = Handshakes(
            "edge-tls", shown, asyncio.Protocol, self._count, handshake_s=handshake_s, patience_s=patience_s
        )
        self.handshakes.open(self.socket)

    def _count(self, has_failed: bool) -> None:
        self.failed += has_failed
        self.done += not has_failed

    def call(self, first: bytes = b"") -> socket.socket:
        caller = socket.create_connection(self.socket.getsockname(), timeout=10.0)
        caller.sendall(first)
        return caller

    async def shake(self) -> None:
        def client() -> None:
            with self.call() as plain:
                tls = ssl.create_default_context(cadata=ROOT.pem.decode())
                tls.wrap_socket(plain, server_hostname="shop.example").close()

        await asyncio.to_thread(client)


@asynccontextmanager
async def bench(at_once: int = 2, handshake_s: float = 30.0, patience_s: float = 30.0) -> AsyncIterator[Bench]:
    on = Bench(at_once, handshake_s, patience_s)
    try:
        yield on
    finally:
        on.handshakes.abort()
        await until(lambda: not on.handshakes.in_flight)
        on.socket.close()


async def test_a_sound_handshake_is_counted() -> None:
    async with bench() as on:
        await on.shake()
        await until(lambda: (on.done, on.failed) == (1, 0))


async def test_no_more_are_begun_than_there_is_room_for_until_one_ends() -> None:
    async with bench(at_once=2) as on:
        callers = [on.call(BEGINNING) for _ in range(3)]
        await until(lambda: on.handshakes.in_flight == 2)
        waiting = spawn(on.shake(), name="one more")
        callers.pop(0).close()
        callers.pop(0).close()
        await waiting
        for each in callers:
            each.close()


async def test_who_has_had_his_time_makes_room_while_others_wait() -> None:
    async with bench(at_once=2, patience_s=0.05) as on:
        silent = [on.call(BEGINNING) for _ in range(4)]
        await on.shake()
        assert on.failed >= 2
        for each in silent:
            each.close()


async def test_a_handshake_that_takes_too_long_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with bench(handshake_s=0.05) as on:
        with on.call(BEGINNING) as silent:
            assert await asyncio.to_thread(silent.recv, 100) == b""
        await until(lambda: on.failed == 1)
        assert "not done in time" in caplog.text


async def test_a_caller_without_tls_is_closed_and_the_log_has_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with bench() as on:
        with on.call(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n") as plain:
            assert await asyncio.to_thread(plain.recv, 100) == b""
        await until(lambda: on.failed == 1)
        assert "edge-tls: handshake of 127.0.0.1: http request" in caplog.text


async def test_closed_it_takes_no_further_callers() -> None:
    async with bench() as on:
        await on.shake()
        await until(lambda: not on.handshakes.in_flight)
        on.handshakes.close()
        await asyncio.sleep(0)  # so that it hears of it
        with on.call(BEGINNING):
            await asyncio.sleep(0.05)
            assert on.handshakes.in_flight == 0


def test_reasons_are_told_in_words() -> None:
    assert reason_of(TimeoutError()) == "not done in time"
    assert reason_of(ConnectionResetError(104, "Connection reset by peer")) == "Connection reset by peer"
