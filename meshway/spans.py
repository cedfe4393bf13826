"""Spans of calls, as gateways tell registries and registries answer them; one definition for both planes.

Names of attributes are OpenTelemetry's where it has one (HTTP semantic conventions), else they begin with `meshway.`.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

PATH: Final = "/v1/spans"
MOST_SPANS: Final = 2_000  # of one message
HexTrace = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
HexSpan = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
Attribute = str | int | float | bool


class SpanEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """at_s: seconds since 1970."""

    name: str
    at_s: float
    attributes: dict[str, Attribute] = {}


class Span(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """kind: `server` = the gateway took the call, `client` = one attempt at an instance. parent_id "": it is the first.

    began_s, ended_s: since 1970. error: it failed. node: the gateway's; filled in by who hears of it.
    """

    trace_id: HexTrace
    span_id: HexSpan
    parent_id: str = ""
    name: Annotated[str, Meta(max_length=512)]
    kind: str
    began_s: float
    ended_s: float
    error: bool = False
    attributes: dict[str, Attribute] = {}
    events: tuple[SpanEvent, ...] = ()
    node: str = ""


class SpansTold(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /v1/spans`. boot, sequence: of the gateway's start, and of the message since then: what comes twice counts
    once."""

    node: Annotated[str, Meta(max_length=253)]
    boot: Annotated[str, Meta(max_length=64)]
    sequence: int
    spans: Annotated[tuple[Span, ...], Meta(max_length=MOST_SPANS)]
