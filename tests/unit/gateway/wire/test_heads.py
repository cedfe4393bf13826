import time
from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest

from gateway.exchange import EDGE, MESH, Exchange, Reply
from gateway.upstream.criticality import LINES, SHARES
from gateway.wire.heads import CLOSE_FIELD, answer_head, reply, request_head
from meshway.http1.head import HeadLimits, ResponseReader
from meshway.http1.message import ResponseHead
from tests.parts.calls import call
from tests.parts.exchanges import plan


def _answer(text: bytes, method: bytes = b"GET") -> ResponseHead:
    head = ResponseReader(HeadLimits()).read(text, 0, method)
    assert head is not None
    return head


def _exchange(method: str = "GET", headers: dict[str, str] | None = None) -> Exchange:
    exchange = call("/a//b?q=1", method=method, headers=headers)
    exchange.request_id = b"order-4711"
    exchange.attempts = 1
    return exchange


def test_a_request_goes_on_with_the_canonical_path_and_the_callers_host_and_fields() -> None:
    exchange = _exchange(headers={"Accept": "text/plain", "Connection": "x-hop", "X-Hop": "1"})
    exchange.forwarded, exchange.traceparent, exchange.attempts = b"Via: 1.1 x\r\n", b"00-a-b-01", 2
    assert request_head(exchange, 1500) == (
        b"GET /a/b?q=1 HTTP/1.1\r\nHost: shop.example\r\nAccept: text/plain\r\nVia: 1.1 x\r\n"
        b"x-request-id: order-4711\r\ntraceparent: 00-a-b-01\r\nmeshway-attempt: 2\r\nmeshway-deadline: 1500\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("listener", "rule", "caller", "effective"),
    [
        (MESH, b"default", "", b"default"),
        (MESH, b"sheddable", "", b"sheddable"),
        (MESH, b"critical", "default", b"default"),
        (MESH, b"default", "sheddable", b"sheddable"),
        (EDGE, b"critical", "sheddable", b"critical"),
    ],
)
def test_a_request_says_how_much_it_matters_where_that_is_not_the_usual(
    listener: int, rule: bytes, caller: str, effective: bytes
) -> None:
    exchange = _exchange(headers={"meshway-criticality": caller} if caller else {})
    exchange.listener = listener
    share = SHARES[rule]
    exchange.plan = replace(plan(), limit_share=share, criticality_line=LINES[share])
    line = b"" if effective == b"default" else b"meshway-criticality: %b\r\n" % effective
    assert request_head(exchange, 5).endswith(b"meshway-deadline: 5\r\n" + line + b"\r\n")


@pytest.mark.parametrize(
    ("method", "headers", "framing"),
    [
        ("GET", {}, b""),
        ("DELETE", {}, b""),
        ("POST", {}, b"Content-Length: 0\r\n"),
        ("POST", {"Content-Length": "7"}, b"Content-Length: 7\r\n"),
        ("GET", {"Transfer-Encoding": "chunked"}, b"Transfer-Encoding: chunked\r\n"),
        ("GET", {"TE": "trailers"}, b"TE: trailers\r\nConnection: TE\r\n"),
        ("GET", {"Connection": "Upgrade", "Upgrade": "websocket"}, b"Connection: Upgrade\r\nUpgrade: websocket\r\n"),
    ],
)
def test_a_requests_framing_is_written_anew(method: str, headers: dict[str, str], framing: bytes) -> None:
    head = request_head(_exchange(method, headers), -1)
    assert head.partition(b"meshway-attempt: 1\r\n")[2] == framing + b"\r\n"


@pytest.mark.parametrize(
    ("text", "method", "framing"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", b"GET", b"Content-Length: 7\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"GET", b"Content-Length: 0\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", b"HEAD", b"Content-Length: 7\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"HEAD", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"GET", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", b"GET", b"Content-Length: 7\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"GET", b"Transfer-Encoding: chunked\r\n"),
    ],
)
def test_an_answers_framing_follows_its_status_and_the_method(text: bytes, method: bytes, framing: bytes) -> None:
    written = answer_head(_exchange(method.decode()), _answer(text, method), b"Via: 1.1 x\r\n", b"")
    fields = written.partition(b"\r\n")[2].partition(b"Via: ")[0]
    assert b"".join(line for line in fields.splitlines(keepends=True) if not line.startswith(b"Date:")) == framing


def test_a_caller_of_http_1_0_is_not_told_of_chunks_and_the_next_one_is() -> None:
    head = _answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    old = _exchange()
    old.head.minor = 0
    assert b"chunked" not in answer_head(old, head, b"", b"")
    assert b"\r\nTransfer-Encoding: chunked\r\n" in answer_head(_exchange(), head, b"", b"")


def test_an_answer_carries_what_filters_added_and_the_request_id() -> None:
    exchange = _exchange()
    exchange.added = b"RateLimit: x\r\n"
    head = _answer(b"HTTP/1.1 299 Fine So Far\r\nDate: x\r\nX-Own: 1\r\nContent-Length: 0\r\n\r\n")
    assert answer_head(exchange, head, b"Via: 1.1 x\r\n", CLOSE_FIELD) == (
        b"HTTP/1.1 299 Fine So Far\r\nDate: x\r\nX-Own: 1\r\nContent-Length: 0\r\nRateLimit: x\r\nVia: 1.1 x\r\n"
        b"x-request-id: order-4711\r\nConnection: close\r\n\r\n"
    )


def test_our_own_answer_is_a_problem_that_names_reason_and_request() -> None:
    exchange = _exchange()
    head, body = reply(exchange, Reply(429, "rate_limited", "RL", "10 a second", fields=b"Retry-After: 1\r\n"), b"")
    assert head.startswith(b"HTTP/1.1 429 Too Many Requests\r\nDate: ")
    assert b"\r\nContent-Type: application/problem+json\r\n" in head
    assert b"\r\nRetry-After: 1\r\nmeshway-reason: rate_limited\r\nx-request-id: order-4711\r\n" in head
    assert b"Content-Length: %d\r\n" % len(body) in head
    assert b'"detail":"10 a second"' in body
    assert b'"instance":"order-4711"' in body


def test_our_own_answer_to_head_announces_a_body_and_sends_none() -> None:
    head, body = reply(_exchange("HEAD"), Reply(404, "no_route", "NR"), b"")
    assert body == b""
    assert b"Content-Length: 0" not in head


def test_a_reply_may_bring_its_own_body_and_fields() -> None:
    head, body = reply(_exchange(), Reply(302, "redirect", "", fields=b"Location: /b\r\n", body=b""), b"")
    assert (body, b"application/problem+json" in head) == (b"", False)
    assert b"\r\nContent-Length: 0\r\nLocation: /b\r\n" in head


def _written(text: bytes) -> bytes:
    return answer_head(_exchange(), _answer(text), b"Via: 1.1 x\r\n", b"")


def test_an_answer_without_a_date_is_dated_and_one_with_it_keeps_its_own() -> None:
    written = _written(b"HTTP/1.1 200 OK\r\nX-Date: no\r\nContent-Length: 7\r\n\r\n")
    [date] = [line[6:] for line in written.split(b"\r\n") if line.startswith(b"Date: ")]
    assert abs(parsedate_to_datetime(date.decode()).timestamp() - time.time()) < 5.0
    own = b"date: Tue, 15 Nov 1994 08:12:31 GMT\r\n"
    for fields in (own, b"X-A: 1\r\n" + own):
        written = _written(b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 7\r\n\r\n")
        assert own in written
        assert written.lower().count(b"\r\ndate:") == 1


def test_a_date_that_a_filter_took_away_comes_back_as_ours() -> None:
    head = _answer(b"HTTP/1.1 200 OK\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nContent-Length: 7\r\n\r\n")
    answer_head(_exchange(), head, b"", b"")
    changed = head.copy()
    changed.block = b""
    assert b"Date: " in answer_head(_exchange(), changed, b"", b"")


def test_a_switch_of_protocols_is_not_dated() -> None:
    text = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert b"Date:" not in _written(text)
