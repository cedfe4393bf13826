"""A registry connection with bytes in and bytes out; routes and application stand in for the real ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from registry.gateways import Report
from registry.machine import answering, protocol
from registry.machine.request import Reply
from registry.revisions.acts import ASKING
from tests.parts.conditions import until
from tests.parts.registry_connection import Wire
from tests.parts.registry_wire import request

if TYPE_CHECKING:
    pass


def let_last(monkeypatch: pytest.MonkeyPatch, name: str, seconds: float) -> None:
    """Of a connection's limits; some hold for reading and for answering."""
    for module in (protocol, answering):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, seconds)


async def test_a_body_is_echoed_with_revision_and_length() -> None:
    wire = Wire()
    wire.send(request("POST", "/v1/echo", b"hello"))
    (answer,) = wire.transport.answers()
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["meshway-revision"] == "812"
    assert answer.headers["content-length"] == "5"
    assert answer.headers["date"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert "connection" not in answer.headers


async def test_what_was_answered_is_not_held_by_its_connection() -> None:
    wire = Wire()
    wire.send(request("POST", "/v1/echo", b"hello"))
    assert ASKING.get() is None


async def test_any_split_of_the_bytes_gives_the_same_answers() -> None:
    head = b"POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked = head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    data = request("POST", "/v1/echo", b"hello") + chunked + request("GET", "/v1/echo")
    whole = Wire()
    whole.send(data)
    expected = bytes(whole.transport.written)
    assert [answer.body for answer in whole.transport.answers()] == [b"hello", b"abcde", b""]
    for size in (1, 2, 3, 7, 50):
        wire = Wire()
        for at in range(0, len(data), size):
            wire.send(data[at : at + size])
        assert bytes(wire.transport.written) == expected, size


async def test_pipelined_requests_are_answered_in_order_even_when_one_waits_for_its_commit() -> None:
    wire = Wire()
    wire.send(
        request("PUT", "/v1/later/1", b"") + request("POST", "/v1/echo", b"after") + request("PUT", "/v1/later/2")
    )
    assert wire.order == ["1"], "a request is not begun before the one ahead of it is answered"
    assert wire.transport.answers() == []
    wire.later[0].set_result(Reply(201, b"first"))
    await until(lambda: wire.order == ["1", "echo", "2"])
    assert [answer.body for answer in wire.transport.answers()] == [b"first", b"after"]
    wire.later[1].set_result(Reply(200, b"third"))
    await until(lambda: len(wire.transport.answers()) == 3)


async def test_a_caller_who_left_does_not_disturb_the_commit() -> None:
    wire = Wire()
    wire.send(request("PUT", "/v1/later/1", b""))
    wire.connection.connection_lost(None)
    wire.later[0].set_result(Reply(201))
    await asyncio.sleep(0)
    assert wire.transport.written == b""
    assert not wire.later[0].cancelled()


async def test_reading_stops_while_an_answer_is_awaited_and_much_waits_behind_it() -> None:
    wire = Wire()
    wire.send(request("PUT", "/v1/later/1", b""))
    for _ in range(40):
        wire.send(request("POST", "/v1/echo", b"x" * 4096))
    assert not wire.transport.reads
    wire.later[0].set_result(Reply(200))
    await until(lambda: len(wire.transport.answers()) == 41)
    assert wire.transport.reads


async def test_no_request_is_begun_while_the_caller_does_not_read() -> None:
    wire = Wire()
    wire.transport.waiting = 100_000
    wire.connection.pause_writing()
    wire.send(request("POST", "/v1/echo", b"x"))
    assert wire.order == []
    wire.connection.resume_writing()
    assert wire.order == ["echo"]


async def test_a_caller_who_takes_nothing_for_long_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    let_last(monkeypatch, "STALL_S", 0.02)
    wire = Wire()
    wire.send(request("GET", "/v1/tick"))
    wire.transport.waiting = 100_000
    wire.connection.pause_writing()
    await until(lambda: wire.transport.is_aborted)
    assert wire.ticker.stops == 1


async def test_a_body_above_the_limit_is_refused_before_it_is_read() -> None:
    wire = Wire()
    wire.send(b"POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\n\r\n")
    (answer,) = wire.transport.answers()
    assert (answer.status, answer.json["code"]) == (413, "too_large")
    assert answer.headers["connection"] == "close"
    assert wire.order == []


async def test_a_chunked_body_above_the_limit_is_refused_while_it_comes() -> None:
    wire = Wire()
    wire.send(b"POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(9):
        wire.send(b"20000\r\n" + b"x" * 0x20000 + b"\r\n")
    assert wire.transport.answers()[0].status == 413
    assert wire.order == []


async def test_apply_takes_sixteen_times_as_much() -> None:
    wire = Wire()
    wire.send(b"POST /v1/apply HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16777216\r\n\r\n")
    assert wire.transport.written == b""
    wire = Wire()
    wire.send(b"POST /v1/apply HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16777217\r\n\r\n")
    assert wire.transport.answers()[0].status == 413


async def test_expect_continue_is_answered_before_the_body() -> None:
    wire = Wire()
    wire.send(b"POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert wire.transport.written == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send(b"ok")
    assert wire.transport.answers()[0].body == b"ok"


async def test_a_head_that_has_no_one_meaning_is_refused_and_the_connection_ends() -> None:
    wire = Wire()
    wire.send(b"POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc")
    (answer,) = wire.transport.answers()
    assert (answer.status, answer.json["code"]) == (400, "bad_request")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["instance"]
    assert wire.transport.is_ended


async def test_head_requests_get_the_head_of_the_get_alone() -> None:
    wire = Wire()
    wire.send(b"HEAD /v1/refused HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert wire.transport.written.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert wire.transport.written.endswith(b"\r\n\r\n")
    assert b"\r\ncontent-length: 0" not in wire.transport.written


async def test_http_1_0_and_connection_close_end_after_the_answer() -> None:
    for head in (
        b"GET /v1/echo HTTP/1.0\r\n\r\n",
        b"GET /v1/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ):
        wire = Wire()
        wire.send(head + head)
        assert len(wire.transport.answers()) == 1
        assert wire.transport.answers()[0].headers["connection"] == "close"
        assert wire.transport.is_closed


async def test_what_was_sent_before_a_half_close_is_answered() -> None:
    wire = Wire()
    wire.send(request("PUT", "/v1/later/1", b"") + request("GET", "/v1/echo"))
    assert wire.connection.eof_received()
    wire.later[0].set_result(Reply(200))
    await until(lambda: wire.transport.is_closed)
    assert len(wire.transport.answers()) == 2


async def test_a_fault_in_a_route_is_a_problem_without_its_reason() -> None:
    wire = Wire()
    wire.send(request("GET", "/v1/broken", None, "X-Request-Id: request-0001"))
    (answer,) = wire.transport.answers()
    assert (answer.status, answer.json["code"], answer.json["instance"]) == (500, "internal", "request-0001")
    assert b"secret reason" not in answer.body


async def test_a_problem_keeps_its_headers() -> None:
    wire = Wire()
    wire.send(request("GET", "/v1/refused"))
    assert wire.transport.answers()[0].headers["retry-after"] == "1"


@pytest.mark.parametrize("path", ["/%", "/v1/%zz", "/v1/%00"])
async def test_a_path_that_is_no_path_is_refused_and_the_connection_goes_on(path: str) -> None:
    wire = Wire()
    wire.send(request("GET", path) + request("GET", "/v1/echo"))
    assert [answer.status for answer in wire.transport.answers()] == [400, 200]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (("Host: evil.example",), "foreign_host"),
        (("Host: localhost:8500", "Origin: http://evil.example"), "foreign_origin"),
        (("Host: localhost:8500", "Origin: null"), "foreign_origin"),
        (("Host: localhost:8500", "Origin: http://localhost:5173"), "foreign_origin"),
    ],
)
async def test_other_sites_pages_are_refused_on_loopback(lines: tuple[str, ...], code: str) -> None:
    wire = Wire()
    wire.send(request("GET", "/v1/echo", None, *lines))
    assert (wire.transport.answers()[0].status, wire.transport.answers()[0].json["code"]) == (403, code)


@pytest.mark.parametrize(
    "lines",
    [
        ("Host: 127.0.0.1:8500",),
        ("Host: [::1]:8500",),
        ("Host: app.localhost",),
        ("Host: localhost:8500", "Origin: http://localhost:8500"),
        ("Host: localhost", "Origin: http://localhost:80"),
    ],
)
async def test_callers_of_this_machine_are_let_in(lines: tuple[str, ...]) -> None:
    wire = Wire()
    wire.send(request("GET", "/v1/echo", None, *lines))
    assert wire.transport.answers()[0].status == 200


async def test_callers_from_elsewhere_are_refused() -> None:
    wire = Wire(peer="10.0.0.7")
    wire.send(request("GET", "/v1/echo"))
    assert wire.transport.answers()[0].json["code"] == "not_signed_in"


async def test_a_stream_is_chunked_and_stopped_once() -> None:
    wire = Wire()
    wire.send(request("GET", "/v1/tick"))
    outlet = wire.ticker.outlet
    assert outlet is not None
    outlet.send(b"one")
    outlet.send(b"two")
    outlet.end()
    (answer,) = wire.transport.answers()
    assert answer.body == b"onetwo"
    wire.send(request("GET", "/v1/echo"))
    assert len(wire.transport.answers()) == 2, "the connection serves on after a stream's end"
    wire.connection.connection_lost(None)
    assert wire.ticker.stops == 1
    outlet.send(b"nobody listens")
    outlet.end()


async def test_a_stream_learns_that_its_caller_left_and_may_write_on() -> None:
    wire = Wire()
    wire.send(request("GET", "/v1/tick"))
    assert not wire.connection.eof_received(), "a stream is not kept for a caller who closed"
    wire.connection.connection_lost(None)
    assert wire.ticker.stops == 1
    assert wire.ticker.outlet is not None
    wire.ticker.outlet.send(b"x")


async def test_a_stream_of_http_1_0_ends_with_the_connection() -> None:
    wire = Wire()
    wire.send(b"GET /v1/tick HTTP/1.0\r\n\r\n")
    assert wire.ticker.outlet is not None
    wire.ticker.outlet.send(b"x")
    wire.ticker.outlet.end()
    assert wire.transport.is_closed
    assert wire.transport.written.endswith(b"\r\n\r\nx")


async def test_shutting_down_closes_idle_connections_at_once_and_busy_ones_after_their_answer() -> None:
    idle, busy, streaming = Wire(), Wire(), Wire()
    busy.send(request("PUT", "/v1/later/1", b""))
    streaming.send(request("GET", "/v1/tick"))
    for wire in (idle, busy, streaming):
        wire.connection.shutdown()
    assert idle.transport.is_closed
    assert streaming.transport.is_closed
    assert streaming.ticker.stops == 1
    assert not busy.transport.is_closed
    busy.later[0].set_result(Reply(200, b"done"))
    await until(lambda: busy.transport.is_closed)
    assert busy.transport.answers()[0].headers["connection"] == "close"


@pytest.mark.parametrize(
    ("name", "sent", "status"),
    [
        ("HEAD_S", b"GET /v1/echo HTTP/1.1\r\nHost:", 408),
        ("BODY_S", b"POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab", 408),
        ("IDLE_S", request("GET", "/v1/echo"), 200),
    ],
)
async def test_what_does_not_come_in_time_ends_the_connection(
    name: str, sent: bytes, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_last(monkeypatch, name, 0.05)
    let_last(monkeypatch, "LINGER_S", 0.05)
    wire = Wire()
    wire.send(sent)
    await until(lambda: wire.transport.is_closed)
    assert [answer.status for answer in wire.transport.answers()] == [status]


async def test_a_dribbling_head_has_its_time_from_its_first_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    let_last(monkeypatch, "HEAD_S", 0.1)
    wire = Wire()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for byte in b"GET /v1/echo HTTP/1.1\r\nX-Long: " + b"x" * 1000:
        wire.send(bytes([byte]))
        if wire.transport.written:
            break
        await asyncio.sleep(0.01)
    assert wire.transport.answers()[0].status == 408
    assert loop.time() - begun < 2.0


async def test_the_answer_to_a_write_waits_for_the_gateways_when_told() -> None:
    wire = Wire()
    for node in ("a", "b"):
        wire.gateways.report(Report(node=node, revision=4))
    wire.send(request("PUT", "/v1/later/1", b"", "Prefer: wait=5"))
    wire.later[0].set_result(Reply(200, b"{}", revision=5))
    await asyncio.sleep(0)
    wire.gateways.report(Report(node="a", revision=5))
    assert wire.transport.written == b""
    wire.gateways.report(Report(node="b", revision=6))
    await until(lambda: wire.transport.written)
    assert wire.transport.answers()[0].headers["meshway-applied"] == "2/2"


async def test_waiting_for_gateways_ends_and_names_those_that_lag() -> None:
    wire = Wire()
    wire.gateways.report(Report(node="a", revision=5))
    wire.gateways.report(Report(node="b", revision=4))
    wire.send(request("PUT", "/v1/later/1", b"", "Prefer: respond-async, wait=0"))
    wire.later[0].set_result(Reply(200, b"{}", revision=5))
    await until(lambda: wire.transport.written)
    (answer,) = wire.transport.answers()
    assert (answer.headers["meshway-applied"], answer.headers["meshway-pending"]) == ("1/2", "b")


async def test_a_stream_that_is_over_cannot_write_into_the_next_answer() -> None:
    wire = Wire()
    wire.send(request("GET", "/v1/tick"))
    first = wire.ticker.outlet
    assert first is not None
    first.end()
    wire.send(request("GET", "/v1/tick"))
    second = wire.ticker.outlet
    assert second is not None
    first.send(b"late")
    first.end()
    first.cut()
    second.send(b"mine")
    second.end()
    assert [answer.body for answer in wire.transport.answers()] == [b"", b"mine"]


async def test_a_write_that_is_never_confirmed_is_answered_in_time_and_its_late_answer_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_last(monkeypatch, "ANSWER_S", 0.02)
    wire = Wire()
    wire.send(request("PUT", "/v1/later/1", b""))
    await until(lambda: wire.transport.written)
    wire.later[0].set_result(Reply(200))
    await asyncio.sleep(0)
    assert [(answer.status, answer.json["code"]) for answer in wire.transport.answers()] == [(503, "timeout")]


async def test_a_caller_who_never_takes_the_last_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    let_last(monkeypatch, "STALL_S", 0.02)
    wire = Wire()
    wire.send(b"GET /v1/echo HTTP/1.0\r\n\r\n")
    assert wire.transport.is_closed
    await until(lambda: wire.transport.is_aborted)
