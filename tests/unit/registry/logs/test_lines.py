from typing import Any

import msgspec

from meshway.log_lines import LogLine
from meshway.otlp.log_records import LogRecord, LogsOfResource, LogsOfScope
from registry.logs.lines import MOST_TEXT, MOST_VALUE, Judged, judge

NOW_NS = 1_764_180_000_000_000_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def logs(resource: dict[str, Any], *records: LogRecord) -> LogsOfResource:
    return LogsOfResource(resource, [LogsOfScope("books.shelf", list(records or (LogRecord(NOW_NS, "x"),)))])


def judged(*resources: LogsOfResource, own: tuple[str, str] | None = None, only: str = "") -> Judged:
    return judge(resources, own, lambda namespace, service: not only or f"{namespace}/{service}" == only, NOW_NS)


def line(found: Judged) -> LogLine:
    (row,) = found.rows
    return msgspec.json.decode(row.value, type=LogLine)


def test_a_resource_says_whose_lines_they_are() -> None:
    named = {
        "service.name": "books",
        "service.namespace": "shop",
        "service.instance.id": "b-1",
        "service.version": "v2",
        "telemetry.sdk.name": "opentelemetry",
    }
    record = LogRecord(NOW_NS + 123_456_789, "shelf is full", 17, "ERROR", {"shelf": 3}, TRACE, "00f067aa0ba902b7")
    assert line(judged(logs(named, record))) == LogLine(
        time="2025-11-26T18:00:00.123456Z",
        service="shop/books",
        instance="b-1",
        severity="error",
        text="shelf is full",
        logger="books.shelf",
        trace_id=TRACE,
        span_id="00f067aa0ba902b7",
        attributes={"shelf": 3},
        resource={"service.version": "v2"},
    )


def test_a_service_that_ships_its_own_may_leave_its_name_out() -> None:
    assert line(judged(logs({}), own=("shop", "books"))).service == "shop/books"
    assert line(judged(logs({"service.name": "pay"}))).service == "default/pay"
    assert line(judged(logs({"service.name": "bank/pay"}))).service == "bank/pay"
    assert line(judged(logs({}))).service == "default/unknown_service"


def test_lines_of_others_are_rejected_with_the_reason_and_ones_own_taken() -> None:
    mine, theirs = {"service.name": "books"}, {"service.name": "pay"}
    found = judged(logs(mine), logs(theirs, LogRecord(1, "a"), LogRecord(2, "b")), only="default/books")
    assert [row.service for row in found.rows] == ["books"]
    assert [one.resource for one in found.accepted] == [mine]
    assert found.rejected == 2
    assert "default/pay" in found.why


def test_a_name_that_nobody_can_read_is_rejected() -> None:
    for name in ("a\nb", "x" * 300, "a/b/c"):
        found = judged(logs({"service.name": name}))
        assert (found.rows, found.rejected) == ([], 1)


def test_a_body_that_is_no_text_is_shown_as_json_and_its_words_are_found() -> None:
    found = judged(logs({}, LogRecord(0, {"reason": "card declined"}, attributes={"who": "Ann Lee"})))
    assert line(found).text == '{"reason":"card declined"}'
    assert found.rows[0].words.split() == ["reason", "card", "declined", "books", "shelf", "ann", "lee"]
    assert found.rows[0].at == NOW_NS // 1000  # without a time of its own


def test_what_is_too_long_is_cut() -> None:
    attributes = {f"a{at}": "y" * MOST_TEXT for at in range(6)}
    found = judged(logs({}, LogRecord(NOW_NS, "x" * 100_000, attributes=attributes)))
    assert len(found.rows[0].value) < MOST_VALUE
    assert line(found).text == "x" * MOST_TEXT
    assert line(found).attributes == {}


def test_a_moment_beyond_the_calendar_is_its_last_day() -> None:
    assert line(judged(logs({}, LogRecord((1 << 64) - 1, "x")))).time == "2554-07-21T23:34:33.709551Z"
