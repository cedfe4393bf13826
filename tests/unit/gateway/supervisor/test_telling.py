"""What becomes of lines and spans while the registry is away, full, or does not understand."""

import asyncio
from typing import Any

import msgspec

from gateway.channel import Told
from gateway.feed.registry_link import RegistryUrl
from gateway.secret_ring import SecretRing
from gateway.supervisor.telling import MOST_LINES, MOST_SPANS, CallTelling
from gateway.telemetry.prometheus import bound_of
from meshway.outbound.connection import PlainError
from meshway.spans import Span

URL = RegistryUrl.parse("http://127.0.0.1:8500")
LINE = msgspec.json.encode({"time": "2026-11-26T12:00:00.000Z", "duration_ms": 1.0, "path": "/a"})


class Registry:
    """status: what it answers, 0: nothing."""

    def __init__(self) -> None:
        self.status = 204
        self.heard: list[tuple[str, dict[str, Any]]] = []

    async def post(self, url: RegistryUrl, target: str, body: bytes) -> int:
        self.heard.append((target, msgspec.json.decode(body)))
        return self.status


async def nowhere(host: str, port: int, timeout_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    raise PlainError(f"{host} is not called", "connect_refused")


def telling(registry: Registry) -> CallTelling:
    return CallTelling("gw-1", "1.0", lambda: URL, registry.post, nowhere, SecretRing())


def span(number: int = 1, **attributes: Any) -> Span:
    return Span(
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        name="GET",
        kind="server",
        began_s=10.0,
        ended_s=10.4,
        attributes=attributes,
    )


async def test_a_message_that_was_not_answered_goes_out_again_as_it_was() -> None:
    registry = Registry()
    told = telling(registry)
    registry.status = 0
    told.take(Told(lines=[LINE], spans=[span(1)]))
    await told.flush()
    told.take(Told(lines=[LINE, LINE], spans=[]))
    registry.status = 204
    await told.flush()
    lines = [body for target, body in registry.heard if target == "/v1/requests"]
    assert [len(body["calls"]) for body in lines] == [1, 1, 2]
    assert lines[0] == lines[1]
    assert lines[1]["sequence"] < lines[2]["sequence"]
    spans = [body for target, body in registry.heard if target == "/v1/spans"]
    assert [one["sequence"] for one in spans] == [spans[0]["sequence"]] * 2
    assert (told.dropped_lines, told.dropped_spans, told.sent_spans) == (0, 0, 1)


async def test_what_the_registry_does_not_understand_is_given_up_and_counted() -> None:
    registry = Registry()
    registry.status = 422
    told = telling(registry)
    told.take(Told(lines=[LINE, LINE], spans=[span()]))
    await told.flush()
    assert (told.dropped_lines, told.dropped_spans, told.sent_spans) == (2, 1, 0)
    assert len(registry.heard) == 2


def test_what_waits_is_bounded() -> None:
    told = telling(Registry())
    told.take(Told(lines=[LINE] * (MOST_LINES + 5), spans=[span(number) for number in range(1, MOST_SPANS + 4)]))
    assert (told.dropped_lines, told.dropped_spans) == (5, 3)


def test_a_traced_call_is_an_exemplar_of_its_series() -> None:
    told = telling(Registry())
    about: dict[str, Any] = {"http.response.status_code": 503, "meshway.listener": "edge", "meshway.route": "shop/cart"}
    told.take(Told(lines=[], spans=[span(1, **about), span(2, **about)]))
    ((labels, bound), exemplar) = next(iter(told.exemplars.items()))
    assert dict(labels) == {
        "listener": "edge", "route": "shop/cart", "source": "", "service": "", "status_class": "5xx",
    }  # fmt: skip
    assert (bound, exemplar.trace_id, len(told.exemplars)) == (bound_of(0.4), f"{2:032x}", 1)
