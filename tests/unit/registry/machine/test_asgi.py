"""The bridge to ASGI applications, over a whole connection."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from registry.machine import asgi
from tests.parts.conditions import until
from tests.parts.registry_connection import Wire
from tests.parts.registry_wire import request


async def test_the_application_sees_the_request_as_it_was_sent() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)
        seen["message"] = await receive()
        await send({"type": "http.response.start", "status": 201, "headers": [(b"X-One", b"1"), (b"X-One", b"2")]})
        await send({"type": "http.response.body", "body": b"made"})

    wire = Wire(app)
    wire.send(request("POST", "/v1/a%20b?x=1&y", b"body", "X-Token: t", "Idempotency-Key: k"))
    await until(lambda: wire.transport.written)
    (answer,) = wire.transport.answers()
    assert (answer.status, answer.body) == (201, b"made")
    assert wire.transport.written.count(b"x-one: ") == 2
    assert (seen["path"], seen["raw_path"], seen["query_string"]) == ("/v1/a b", b"/v1/a%20b", b"x=1&y")
    assert (seen["method"], seen["http_version"], seen["client"]) == ("POST", "1.1", ("127.0.0.1", 0))
    assert (b"x-token", b"t") in seen["headers"]
    assert (b"host", b"localhost") in seen["headers"]
    assert (b"content-length", b"4") in seen["headers"]
    assert seen["message"] == {"type": "http.request", "body": b"body", "more_body": False}
    assert seen["state"]["caller"].principal.name == "loopback"


async def test_an_answer_in_pieces_is_streamed_and_the_connection_goes_on() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await send({"type": "http.response.body", "body": b"two", "more_body": True})
        await send({"type": "http.response.body"})

    wire = Wire(app)
    wire.send(request("GET", "/") + request("GET", "/v1/echo"))
    await until(lambda: wire.order == ["echo"])
    assert [answer.body for answer in wire.transport.answers()] == [b"onetwo", b""]
    assert wire.transport.answers()[0].headers["transfer-encoding"] == "chunked"


async def test_an_application_that_writes_faster_than_the_caller_reads_is_held_back() -> None:
    sent = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
        for piece in (b"one", b"two"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            sent.append(piece)
        await send({"type": "http.response.body"})

    wire = Wire(app)
    wire.transport.waiting = 1 << 20
    wire.send(request("GET", "/"))
    wire.connection.pause_writing()
    await asyncio.sleep(0.01)
    assert sent == []
    wire.connection.resume_writing()
    await until(lambda: sent == [b"one", b"two"])
    assert wire.transport.answers()[0].headers["content-length"] == "6"


async def test_a_fault_before_the_answer_is_a_problem_and_after_its_beginning_a_cut() -> None:
    async def early(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("secret")

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("secret")

    wire = Wire(early)
    wire.send(request("GET", "/"))
    await until(lambda: wire.transport.written)
    assert wire.transport.answers()[0].json["code"] == "internal"
    wire = Wire(late)
    wire.send(request("GET", "/"))
    await until(lambda: wire.transport.is_aborted)
    assert not wire.transport.written.endswith(b"0\r\n\r\n")


async def test_an_application_that_says_nothing_is_a_problem() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        return

    wire = Wire(app)
    wire.send(request("GET", "/"))
    await until(lambda: wire.transport.written)
    assert wire.transport.answers()[0].status == 500


async def test_the_application_learns_that_its_caller_left() -> None:
    messages = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        messages.append(await receive())
        messages.append(await receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"nobody"})

    wire = Wire(app)
    wire.send(request("GET", "/"))
    await until(lambda: messages)
    wire.connection.connection_lost(None)
    await until(lambda: len(messages) == 2)
    assert messages[1] == {"type": "http.disconnect"}
    assert wire.transport.written == b""


async def test_an_application_that_takes_too_long_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "ANSWER_S", 0.02)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(60)

    wire = Wire(app)
    wire.send(request("GET", "/"))
    await until(lambda: wire.transport.written)
    assert wire.transport.answers()[0].json["code"] == "timeout"


async def test_a_header_with_a_line_break_never_reaches_the_wire() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"1\r\nSet-Cookie: a")]})
        await send({"type": "http.response.body", "body": b""})

    wire = Wire(app)
    wire.send(request("GET", "/"))
    await until(lambda: wire.transport.written)
    assert wire.transport.answers()[0].status == 500
    assert b"Set-Cookie" not in wire.transport.written
