"""POST /v1/requests and /v1/spans: what gateways tell of single calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshway.call_lines import CallsTold
from meshway.spans import SpansTold
from registry.machine.request import Reply
from registry.manners.json_text import decoder_of

if TYPE_CHECKING:
    from registry.insight.requests import RequestLog
    from registry.insight.shared_calls import SharedRequests, SharedSpans
    from registry.insight.spans import SpanLog
    from registry.machine.request import Request


class Calls:
    __slots__ = ("_decode_calls", "_decode_spans", "_requests", "_spans")

    def __init__(self, requests: RequestLog | SharedRequests, spans: SpanLog | SharedSpans) -> None:
        self._requests = requests
        self._spans = spans
        self._decode_calls = decoder_of(CallsTold, "")
        self._decode_spans = decoder_of(SpansTold, "")

    def post_calls(self, request: Request) -> Reply:
        self._requests.add(self._decode_calls(request.body))
        return Reply(204)

    def post_spans(self, request: Request) -> Reply:
        self._spans.add(self._decode_spans(request.body))
        return Reply(204)
