"""Lines of logs as OTLP has them (opentelemetry-proto 1.x, logs/v1), whichever way they are written."""

from typing import Any, Final, NamedTuple

CONTENT_TYPE: Final = "application/x-protobuf"
PATH: Final = "/v1/logs"
# Where each range of severity numbers begins (logs data model, "SeverityNumber").
SEVERITIES: Final = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
_OTHER_WORDS: Final = {"warning": "warn", "err": "error", "critical": "fatal", "notice": "info"}


class LogRecord(NamedTuple):
    """at_ns, observed_ns: nanoseconds since 1970; 0: not said. severity: of SEVERITIES; 0: not said. body: any value.
    trace_id, span_id: hex; "": none."""

    at_ns: int
    body: Any
    severity: int = 0
    severity_text: str = ""
    attributes: dict[str, Any] = {}  # noqa: RUF012  # nobody writes into it
    trace_id: str = ""
    span_id: str = ""
    observed_ns: int = 0


class LogsOfScope(NamedTuple):
    """scope: the logger's name."""

    scope: str
    records: list[LogRecord]


class LogsOfResource(NamedTuple):
    """resource: attributes of what wrote them."""

    resource: dict[str, Any]
    scopes: list[LogsOfScope]


def severity_of(number: int, text: str) -> int:
    """The number, by its word where it is not said."""
    if number:
        return min(max(number, 0), 24)
    word = text.lower()
    return SEVERITIES.get(_OTHER_WORDS.get(word, word), 0)


def severity_name(number: int) -> str:
    """The word for a number; "" where it is not said."""
    for name, first in reversed(SEVERITIES.items()):
        if number >= first:
            return name
    return ""
