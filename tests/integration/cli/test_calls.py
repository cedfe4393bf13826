"""`meshway requests`, `trace` and `tap` as a person runs them."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec
import pytest

from meshway.call_lines import CallLine, CallsTold
from meshway.spans import Span, SpanEvent, SpansTold
from tests.parts.command import Ended
from tests.parts.planes import Registry

Run = Callable[..., Ended]
_SEQUENCE = count(1)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def line(namespace: str, path: str, status: int, **fields: Any) -> CallLine:
    return CallLine(
        time="2026-11-26T12:00:00.000Z",
        duration_ms=12.5,
        method="GET",
        authority="shop.example",
        path=path,
        route=f"{namespace}/r",
        service=f"{namespace}/cart",
        instance="c-1",
        status=status,
        **fields,
    )


@pytest.fixture
def trace_id(registry: Registry, namespace: str) -> str:
    """Of a failed call; another one was well."""
    number = next(_SEQUENCE)
    trace_id = f"{TRACE[:24]}{number:08x}"
    failed = line(namespace, "/pay", 503, trace_id=trace_id, request_id=f"request-{number}", policy="RateLimit a/b")
    told = CallsTold(node="gw-1", boot="boot", sequence=number, calls=(line(namespace, "/fine", 200), failed))
    span = Span(
        trace_id=trace_id,
        span_id="00f067aa0ba902b7",
        name=f"GET {namespace}/r",
        kind="server",
        began_s=100.0,
        ended_s=100.5,
        error=True,
        attributes={"meshway.route": f"{namespace}/r", "http.response.status_code": 503},
        events=(SpanEvent(name="answered by policy", at_s=100.25, attributes={"policy": "RateLimit a/b"}),),
    )
    attempt = msgspec.structs.replace(
        span, span_id="00f067aa0ba902b8", parent_id=span.span_id, kind="client", events=()
    )
    spans = SpansTold(node="gw-1", boot="boot", sequence=number, spans=(span, attempt))
    for path, message in (("/v1/requests", told), ("/v1/spans", spans)):
        answer = registry.client.post(path, content=msgspec.json.encode(message))
        assert answer.status_code == 204, answer.text
    return trace_id


def test_requests_are_listed_by_what_is_asked_for(run: Run, trace_id: str) -> None:
    heading, *rows = run("requests").out.splitlines()
    assert heading.split() == ["TIME", "STATUS", "FLAG", "MS", "METHOD", "PATH", "SERVICE", "TRACE"]
    assert [row.split()[5] for row in rows] == ["shop.example/fine", "shop.example/pay"]
    assert trace_id in rows[1]
    (only,) = run("requests", "status>=500", "!path:/fine", "-o", "jsonl").out.splitlines()
    assert json.loads(only)["path"] == "/pay"
    assert "RateLimit a/b" in run("requests", "status:503", "-o", "wide").out
    assert run("requests", "path:/none").err.startswith("no kept request fits")


def test_a_term_that_cannot_be_read_is_told(run: Run) -> None:
    ended = run("requests", "servce:a")
    assert ended.code == 6
    assert "did you mean service" in ended.err


@pytest.mark.usefixtures("trace_id")
def test_a_trace_is_drawn_in_time_and_found_by_the_request_as_well(run: Run, trace_id: str, namespace: str) -> None:
    shown = run("trace", trace_id).out.splitlines()
    assert shown[0] == f"trace {trace_id}"
    assert f"500.0 ms ✗ GET {namespace}/r 503" in shown[1]
    assert "250.0 ms  answered by policy RateLimit a/b" in shown[2]
    assert shown[3].startswith("━")
    assert "/pay" in shown[-1]
    request = json.loads(run("requests", "status:503", "-o", "jsonl").out)["request_id"]
    assert run("trace", request).out.splitlines()[0] == shown[0]
    missing = run("trace", "f" * 32)
    assert missing.code == 4
    assert "knows no trace" in missing.err
    assert "mend:  raise traces.head_percent of a Telemetry, or look in the collector that it names" in missing.err


def test_tap_refuses_a_form_that_has_an_end(run: Run) -> None:
    ended = run("tap", "-o", "yaml")
    assert ended.code == 2
    assert "tap has none" in ended.err
