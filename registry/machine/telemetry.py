"""POST /v1/telemetry: what gateways counted of their calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.problem import FieldError, invalid_request
from meshway.telemetry import KEY_PARTS, Numbers
from registry.machine.request import Reply, answer_when
from registry.manners.json_text import malformed

if TYPE_CHECKING:
    import asyncio

    from registry.insight.ingest import Ingest
    from registry.machine.request import Request

_PLACE: Final = re.compile(r" - at `\$\.?([^`]*)`\Z")
_decode: Final = msgspec.json.Decoder(Numbers).decode


class Telemetry:
    __slots__ = ("_ingest",)

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    def post(self, request: Request) -> Reply | asyncio.Future[Reply]:
        report = _read(request.body)
        if path := report.bad_key():
            message = f"{path}: has not {KEY_PARTS[path.partition('[')[0]]} parts without a NUL"
            raise invalid_request(message, (FieldError(path=path, code="wrong_type", message=message),))
        return answer_when(self._ingest.take(report), lambda _: Reply(204))


def _read(body: bytes) -> Numbers:
    """Raises Problem: 400 for what is no JSON, 422 with the first error; rows are arrays, and gateways write them."""
    try:
        body.decode()  # msgspec does not look into what it skips
        return _decode(body)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _PLACE.search(text)
        path = found[1] if found else ""
        message = f"{path}: {text[: found.start()]}" if found else text
        raise invalid_request(message, (FieldError(path=path, code="wrong_type", message=message),)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(body, error) from None
