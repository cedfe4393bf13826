import tracemalloc

import msgspec

from meshway.spans import Span, SpansTold
from registry.insight.spans import SpanLog


def span(trace: str, number: int) -> Span:
    return Span(trace_id=trace * 32, span_id=f"{number:016x}", name="GET", kind="server", began_s=-number, ended_s=0.0)


def told(sequence: int, *spans: Span) -> SpansTold:
    return SpansTold(node="gw-1", boot="b", sequence=sequence, spans=spans)


async def test_a_trace_has_its_spans_in_the_order_in_which_they_began() -> None:
    log = SpanLog()
    log.add(told(1, span("a", 1), span("b", 2)))
    log.add(told(2, span("a", 3)))
    log.add(told(2, span("a", 3)))
    assert [(one.span_id[-1], one.node) for one in await log.trace("a" * 32)] == [("3", "gw-1"), ("1", "gw-1")]
    assert await log.trace("c" * 32) == []


async def test_the_oldest_go_first() -> None:
    log = SpanLog(lambda: 2)
    log.add(told(1, span("a", 1), span("b", 2), span("a", 3)))
    assert [one.span_id[-1] for one in await log.trace("a" * 32)] == ["3"]
    assert [one.span_id[-1] for one in await log.trace("b" * 32)] == ["2"]


async def test_they_take_no_more_room_than_they_may() -> None:
    log = SpanLog(lambda: 2, bytes_each=5_000)
    for number in range(1, 10):
        log.add(told(number, msgspec.structs.replace(span("a", number), attributes={"url.path": "x" * 4_000})))
    assert [one.span_id[-1] for one in await log.trace("a" * 32)] == ["9", "8"]


def test_a_trace_of_one_span_takes_little_more_than_its_text() -> None:
    log, many = SpanLog(), [msgspec.structs.replace(span("a", n), trace_id=f"{n:032x}") for n in range(500)]
    text = sum(len(msgspec.json.encode(msgspec.structs.replace(one, node="gw-1"))) for one in many)
    tracemalloc.start()
    try:
        log.add(told(1, *many))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < text + 300 * len(many)
