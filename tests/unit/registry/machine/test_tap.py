"""What a listener is shown of what gateways told."""

from typing import Any, cast

import msgspec

from meshway.call_filter import compile_filter
from meshway.call_lines import CallLine, Tapped, TapQuestion
from registry.insight.sight import Sight
from registry.machine.tap import EVERY_S, MOST_PER_S, TapStream
from registry.questions import Questions


def tapped(count: int, namespace: str = "shop", **fields: Any) -> Any:
    lines = [
        CallLine(time=f"2026-11-26T12:00:{number:02}.000Z", duration_ms=1.0, route=f"{namespace}/r")
        for number in range(count)
    ]
    return msgspec.to_builtins(Tapped(node="gw-1", lines=lines, seen=count, **fields))


def stream(readable: frozenset[str] | None = None, text: str = "") -> TapStream:
    question = TapQuestion(id="a", filter=text)
    return TapStream(cast("Questions", None), lambda: 2, question, compile_filter(text), Sight(readable))


def test_no_more_than_so_many_a_second_are_shown_and_the_rest_is_counted() -> None:
    most = int(MOST_PER_S * EVERY_S)
    event = stream().event([tapped(60, left_out=7), tapped(60)], left_out=3)
    assert len(event.items) == most
    assert (event.seen, event.left_out) == (123, 7 + 120 - most + 3)
    assert [line.time for line in event.items] == sorted(line.time for line in event.items)


def test_nobody_sees_or_learns_of_calls_of_namespaces_he_may_not_read() -> None:
    event = stream(frozenset({"shop"})).event([tapped(2), tapped(3, "bank", left_out=9)], left_out=0)
    assert {line.route for line in event.items} == {"shop/r"}
    assert (event.seen, event.left_out) == (2, 0)


def test_a_gateway_that_cannot_tell_is_left_out() -> None:
    event = stream().event([{"error": "busy"}, tapped(0, error="too many"), tapped(1)], left_out=0)
    assert (len(event.items), event.gateways) == (1, ["gw-1"])


def test_a_filter_tells_nothing_of_names_that_are_hidden() -> None:
    line = CallLine(time="t", duration_ms=1.0, route="shop/r", service="bank/vault")
    told = msgspec.to_builtins(Tapped(node="gw-1", lines=[line], seen=5, left_out=4))
    event = stream(frozenset({"shop"}), "service:bank/vault").event([told], left_out=0)
    assert (event.items, event.seen, event.left_out) == ([], 0, 0)
    event = stream(frozenset({"shop"}), "route:r").event([told], left_out=0)
    assert [item.service for item in event.items] == ["hidden"]
