"""POST /v1/telemetry: what gateways counted of their calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshway.problem import FieldError, invalid_request
from meshway.telemetry import KEY_PARTS, Numbers
from registry.machine.request import Reply, answer_when
from registry.manners.json_text import decoder_of

if TYPE_CHECKING:
    import asyncio

    from registry.insight.ingest import Ingest
    from registry.machine.request import Request


class Telemetry:
    __slots__ = ("_decode", "_ingest")

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._decode = decoder_of(Numbers, "")

    def post(self, request: Request) -> Reply | asyncio.Future[Reply]:
        report = self._decode(request.body)
        if path := report.bad_key():
            message = f"{path}: has not {KEY_PARTS[path.partition('[')[0]]} parts"
            raise invalid_request(message, (FieldError(path=path, code="wrong_type", message=message),))
        return answer_when(self._ingest.take(report), lambda _: Reply(204))
